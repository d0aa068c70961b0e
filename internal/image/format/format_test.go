package format

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var update = flag.Bool("update", false, "write the listings of the samples anew; read the diff")

// listing is a visitor that writes down what it is shown.
type listing struct {
	mu    sync.Mutex
	lines []string
}

func (l *listing) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *listing) Layer(*image.Layer) {}

func (l *listing) File(layer *image.Layer, nodes []*image.Node, b *image.Blob) {
	h := sha256.New()
	if _, err := b.WriteTo(h); err != nil {
		l.add("%s: %v", layer.PlaceOf(nodes[0].Path), err)
	}
	for _, n := range nodes {
		l.add("%s content %x %d", layer.PlaceOf(n.Path), h.Sum(nil)[:8], b.Size())
	}
}

func (l *listing) Region(_ *image.Layer, part string, place fact.Place, f *image.Format, b *image.Blob) string {
	if f != nil {
		l.add("%s region %s %q %d", place, f.Name, part, b.Size())
	}
	return ""
}

// list opens a sample and lists everything in it: layers, nodes, contents, regions, gaps.
func list(t testing.TB, name string, data []byte, limits budget.Limits) string {
	t.Helper()
	spill, err := os.CreateTemp(t.TempDir(), "spill")
	if err != nil {
		t.Fatal(err)
	}
	defer spill.Close()
	v := &listing{}
	im, err := image.Open(context.Background(), name, image.BytesBlob(data), v, image.Options{
		Formats: All(), Budget: budget.New(limits), Workers: 2, Spill: image.NewSpill(spill),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range im.Layers {
		attrs := make([]string, 0, len(l.Attributes))
		for k, a := range l.Attributes {
			attrs = append(attrs, fmt.Sprintf("%s=%q", k, a))
		}
		slices.Sort(attrs)
		v.add("%s layer %d %s", l.Place, l.Size, strings.Join(attrs, " "))
		for _, n := range l.Nodes {
			line := fmt.Sprintf("%s %s %o %d:%d size %d time %d", l.PlaceOf(n.Path), n.Kind, n.Mode, n.UID, n.GID, n.Size, n.MTime)
			if n.Target != "" {
				line += fmt.Sprintf(" -> %q", n.Target)
			}
			if n.Kind == image.Char || n.Kind == image.Block {
				line += fmt.Sprintf(" dev %d:%d", n.Major, n.Minor)
			}
			keys := make([]string, 0, len(n.XAttrs))
			for k := range n.XAttrs {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				line += fmt.Sprintf(" %s=%q", k, n.XAttrs[k])
			}
			v.add("%s", line)
		}
	}
	for _, g := range im.Gaps {
		v.add("%s gap %d %s: %s", g.Place, g.Size, g.Reason, g.Why)
	}
	slices.Sort(v.lines)
	return strings.Join(v.lines, "\n") + "\n"
}

// TestSamples opens every sample of every format and compares what is found with the
// listing beside it. A format without samples fails by name.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, f := range All() {
		dir := filepath.Join("testdata", f.Name)
		samples := samplesOf(t, dir)
		if len(samples) == 0 {
			t.Errorf("format %s: no samples in %s", f.Name, dir)
		}
		for _, s := range samples {
			t.Run(f.Name+"/"+filepath.Base(s), func(t *testing.T) {
				t.Parallel()
				got := list(t, strings.TrimSuffix(filepath.Base(s), packed), sample(t, s), budget.Limits{})
				if !strings.Contains(got, "!"+f.Name+"@0x") && !f.Leaf && !strings.HasPrefix(filepath.Base(s), "bad-") {
					t.Errorf("%s is not recognised as %s", s, f.Name)
				}
				golden := s + ".list"
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatalf("%v: run go test -update and read the listing", err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", s, diff)
				}
			})
		}
	}
}

func samplesOf(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".list" {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

// packed ends the name of a sample that is kept compressed by gzip, since most of it is
// empty space; the reader is given what was compressed.
const packed = ".packed"

// sample returns the bytes of a sample.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil && strings.HasSuffix(name, packed) {
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			data, err = io.ReadAll(io.LimitReader(r, 64<<20))
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return data
}

// TestDocumented holds that each format says what it is and which devices carry it.
func TestDocumented(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range All() {
		if f.Name == "" || f.Title == "" || f.Class == "" || f.Where == "" || f.Spec == "" || f.Open == nil {
			t.Errorf("format %q: name, title, class, where, spec or opener is missing", f.Name)
		}
		if seen[f.Name] {
			t.Errorf("format %q is listed twice", f.Name)
		}
		seen[f.Name] = true
	}
}

// FuzzOpen opens damaged samples. The first argument chooses the format, so that carving
// does not take the runs. It promises no panic, no endless run, and bounded output.
func FuzzOpen(f *testing.F) {
	for i, form := range All() {
		for _, s := range samplesOf(f, filepath.Join("testdata", form.Name)) {
			if data := sample(f, s); len(data) <= 300<<10 {
				f.Add(byte(i), data)
			}
		}
	}
	formats := All()
	f.Fuzz(func(t *testing.T, i byte, data []byte) {
		form := formats[int(i)%len(formats)]
		b := budget.New(budget.Limits{Bytes: 64 << 20, Files: 10_000, FileSize: 16 << 20, Memory: 16 << 20})
		c, err := form.Open(&image.Input{Blob: image.BytesBlob(data), Budget: b})
		if err != nil {
			return
		}
		measured := len(c.Parts) == 1 && c.Parts[0].Measure != nil
		if measured {
			err := c.Parts[0].Measure(&limited{left: 16 << 20}, &c.Size)
			if err != nil && c.Size == 0 {
				return
			}
		}
		if c.Size <= 0 || c.Size > int64(len(data)) {
			t.Fatalf("%s: size %d of %d bytes", form.Name, c.Size, len(data))
		}
		for k, n := range c.Nodes {
			if !strings.HasPrefix(n.Path, "/") || n.Path != cleaned(n.Path) {
				t.Fatalf("%s: node path %q is not absolute and clean", form.Name, n.Path)
			}
			if n.Kind != image.File || k > 100 {
				continue
			}
			drain(n.Data, n.Stream, n.Size)
		}
		for _, p := range c.Parts {
			drain(p.Blob, p.Stream, 16<<20)
		}
	})
}

func cleaned(p string) string {
	if bytes.ContainsRune([]byte(p), 0) {
		return ""
	}
	return filepath.Clean(p)
}

// drain reads a content up to a limit. Errors are welcome; only panics and hangs fail.
func drain(b *image.Blob, stream func(io.Writer) error, limit int64) {
	w := &limited{left: min(limit, 16<<20)}
	if b != nil {
		_, _ = b.WriteTo(w)
	}
	if stream != nil {
		_ = stream(w)
	}
}

type limited struct{ left int64 }

func (w *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > w.left {
		return 0, io.ErrShortWrite
	}
	w.left -= int64(len(p))
	return len(p), nil
}
