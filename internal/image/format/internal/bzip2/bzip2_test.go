package bzip2

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func samples(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.bz2")
	if err != nil || len(names) == 0 {
		t.Fatal("no samples", err)
	}
	out := map[string][]byte{}
	for _, n := range names {
		p, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(n)] = p
	}
	return out
}

// TestCopy promises what the standard library gives, and the exact end.
func TestCopy(t *testing.T) {
	t.Parallel()
	for name, p := range samples(t) {
		want, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(p)))
		if err != nil {
			t.Fatal(name, err)
		}
		for _, tail := range []string{"", "BZ", "trailing bytes", "BZh9notastream", "\x00\x00\x00"} {
			var got bytes.Buffer
			used := int64(0)
			r := bytes.NewReader(append(bytes.Clone(p), tail...))
			if err := Copy(&got, r, r.Size(), &used); err != nil {
				t.Errorf("%s with %q behind it: %v", name, tail, err)
			}
			if used != int64(len(p)) || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s with %q behind it: %d of %d bytes used, %d written of %d", name, tail, used, len(p), got.Len(), len(want))
			}
		}
	}
}

// TestCut promises an error for each stream that is cut off.
func TestCut(t *testing.T) {
	t.Parallel()
	for name, p := range samples(t) {
		for n := range min(len(p), 200) {
			used := int64(0)
			err := Copy(io.Discard, bytes.NewReader(p[:n]), int64(n), &used)
			if err == nil || n < 10 && !errors.Is(err, ErrFormat) {
				if name == "two.bz2" && used > 0 {
					continue // the first of the two streams is whole
				}
				t.Errorf("%s cut to %d: %v", name, n, err)
			}
		}
	}
}

// FuzzCopy promises no panic, no use of more than there is, and agreement with the
// standard library where both are content.
func FuzzCopy(f *testing.F) {
	for _, p := range samples(f) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var got bytes.Buffer
		used := int64(0)
		err := Copy(&got, bytes.NewReader(p), int64(len(p)), &used)
		if used < 0 || used > int64(len(p)) {
			t.Fatalf("%d of %d bytes used", used, len(p))
		}
		if err != nil {
			return
		}
		want, err := io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(p[:used])), 64<<20))
		if err != nil || !bytes.Equal(want, got.Bytes()) {
			t.Fatalf("%d bytes, the standard library %d: %v", got.Len(), len(want), err)
		}
	})
}

func BenchmarkCopy(b *testing.B) {
	p, err := os.ReadFile(os.Getenv("BZ2"))
	if err != nil {
		b.Skip("BZ2 names no file")
	}
	var n counter
	for b.Loop() {
		n = 0
		used := int64(0)
		if err := Copy(&n, bytes.NewReader(p), int64(len(p)), &used); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(n))
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
