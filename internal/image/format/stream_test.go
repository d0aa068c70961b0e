package format

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/image"
)

// decode opens bytes as one format and decompresses its parts. It returns their contents
// and the size of the format.
func decode(t *testing.T, f *image.Format, b *image.Blob) (content []byte, size int64, err error) {
	t.Helper()
	c, err := f.Open(&image.Input{Blob: b, Budget: budget.New(budget.Limits{})})
	if err != nil {
		return nil, 0, err
	}
	var w bytes.Buffer
	for _, p := range c.Parts {
		if p.Measure != nil {
			err = p.Measure(&w, &c.Size)
		} else {
			err = p.Stream(&w)
		}
		if err != nil {
			break
		}
	}
	return w.Bytes(), c.Size, err
}

// TestStreams promises that each compression gives its content unchanged and finds its
// end whatever follows it, in memory and in a file.
func TestStreams(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	for i := range 400 {
		fmt.Fprintf(&text, "line %d of a text that compresses well\n", i+1)
	}
	tests := 0
	for _, f := range All() {
		if f.Class != "compression" {
			continue
		}
		for _, name := range samplesOf(t, filepath.Join("testdata", f.Name)) {
			base := filepath.Base(name)
			if !strings.HasPrefix(base, "text.") && !strings.HasPrefix(base, "level") && base != "name.gz" {
				continue
			}
			tests++
			p := bytes.TrimSuffix(sample(t, name), []byte("bytes that follow"))
			for _, tail := range []string{"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", strings.Repeat("\x00", 100), "something else follows"} {
				if f == compressStream && tail != "" {
					continue
				}
				p := append(bytes.Clone(p), tail...)
				for _, b := range []*image.Blob{image.BytesBlob(p), image.ReaderBlob(bytes.NewReader(p), int64(len(p)))} {
					got, size, err := decode(t, f, b)
					if err != nil || !bytes.Equal(got, text.Bytes()) || size != int64(len(p)-len(tail)) {
						t.Errorf("%s and %q: %d bytes of %d, size %d: %v", name, tail, len(got), text.Len(), size, err)
					}
				}
			}
		}
	}
	if tests < 11 {
		t.Errorf("%d samples", tests)
	}
}

// TestStreamsCut promises that a stream that is cut off anywhere is never taken for whole.
func TestStreamsCut(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gzip/name.gz", "bzip2/text.bz2", "xz/text.xz", "lzma/text.lzma", "lzip/text.lz", "zstd/text.zst", "lz4/text.lz4", "lzop/text.lzo", "zlib/level6.zlib", "lz4-legacy/text.lz4"} {
		p, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		p = bytes.TrimSuffix(p, []byte("bytes that follow"))
		dir, _, _ := strings.Cut(name, "/")
		for _, f := range All() {
			if f.Name != dir {
				continue
			}
			for n := 0; n < len(p); n += 7 {
				if _, _, err := decode(t, f, image.BytesBlob(p[:n])); err == nil {
					t.Errorf("%s cut to %d of %d bytes is no error", name, n, len(p))
				}
			}
		}
	}
}

// BenchmarkStream decompresses the file that STREAM names.
func BenchmarkStream(b *testing.B) {
	p, err := os.ReadFile(os.Getenv("STREAM"))
	if err != nil {
		b.Skip("STREAM names no file")
	}
	for _, f := range All() {
		c, err := f.Open(&image.Input{Blob: image.BytesBlob(p), Budget: budget.New(budget.Limits{})})
		magic := slices.ContainsFunc(f.Magic, func(m image.Magic) bool { return bytes.HasPrefix(p, []byte(m.Bytes)) })
		if f.Class != "compression" || err != nil || !magic {
			continue
		}
		var w limited
		for b.Loop() {
			w.left = 1 << 40
			if c.Parts[0].Measure != nil {
				err = c.Parts[0].Measure(&w, &c.Size)
			} else {
				err = c.Parts[0].Stream(&w)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(1<<40 - w.left)
		return
	}
}
