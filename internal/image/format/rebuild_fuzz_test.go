package format

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/image"
)

// FuzzRebuild changes damaged samples: the content of one entry, another one goes, a new
// file comes. It promises no panic, no endless run, and that what is written is of the
// format and says what was asked for.
func FuzzRebuild(f *testing.F) {
	var formats []*image.Format
	for _, form := range All() {
		if form.Rebuild == nil {
			continue
		}
		for _, s := range samplesOf(f, filepath.Join("testdata", form.Name)) {
			if data := sample(f, s); len(data) <= 1<<20 {
				for pick := range byte(3) {
					f.Add(byte(len(formats)), pick, data)
				}
			}
		}
		formats = append(formats, form)
	}
	f.Fuzz(func(t *testing.T, i, pick byte, data []byte) {
		form := formats[int(i)%len(formats)]
		limits := budget.Limits{Bytes: 64 << 20, Files: 10_000, FileSize: 16 << 20, Memory: 16 << 20}
		open := func(b []byte) (*image.Content, error) {
			return form.Open(&image.Input{Blob: image.BytesBlob(b), Budget: budget.New(limits)})
		}
		c, err := open(data)
		if err != nil || len(c.Parts) == 1 && c.Parts[0].Measure != nil {
			return
		}
		whole := data[:max(0, min(c.Size, int64(len(data))))]
		change := fuzzChange(c, pick)
		var out bytes.Buffer
		_, err = form.Rebuild(&capped{&out, 32 << 20}, &image.Input{Blob: image.BytesBlob(whole), Budget: budget.New(limits)}, change)
		if err != nil {
			return
		}
		after, err := open(out.Bytes())
		if err != nil {
			t.Fatalf("%s: what was written cannot be opened: %v", form.Name, err)
		}
		if form.Name != "ext" {
			return
		}
		for _, e := range change.Edits {
			at := slices.IndexFunc(after.Nodes, func(n *image.Node) bool { return n.Path == e.Path })
			if at >= 0 != (e.Node != nil) {
				t.Fatalf("%s: %q: there: %v", form.Name, e.Path, at >= 0)
			}
			if e.Node == nil || e.Node.Data == nil {
				continue
			}
			have, err := after.Nodes[at].Data.View(0, after.Nodes[at].Size)
			if want, _ := e.Node.Data.Bytes(); err != nil || !bytes.Equal(have, want) {
				t.Fatalf("%s: %q: %v, %q", form.Name, e.Path, err, have)
			}
		}
	})
}

// fuzzChange makes changes of what a format holds.
func fuzzChange(c *image.Content, pick byte) *image.Changes {
	change := &image.Changes{Room: 1 << 40}
	text := image.BytesBlob(bytes.Repeat([]byte("new"), 1+int(pick)*100))
	if len(c.Parts) > 0 {
		change.Parts = map[int]*image.Blob{int(pick) % len(c.Parts): text}
	}
	if len(c.Nodes) == 0 {
		if len(c.Parts) == 0 {
			change.Edits = []image.Edit{{Set: map[string]string{"env.bootdelay": "0"}}}
		}
		return change
	}
	seen := map[string]bool{"/": true}
	for k, n := range []*image.Node{c.Nodes[int(pick)%len(c.Nodes)], c.Nodes[int(pick)*7%len(c.Nodes)], {Path: "/zz-new", Mode: 0o644}} {
		if seen[n.Path] {
			continue
		}
		seen[n.Path] = true
		e := image.Edit{Path: n.Path}
		if k != 1 {
			x := *n
			e.Node = &x
			if x.Kind == image.File {
				x.Data, x.Stream, x.Size, x.Unreadable = text, nil, text.Size(), ""
			}
		}
		change.Edits = append(change.Edits, e)
	}
	if len(change.Edits) > 1 && seen["/zz-new"] {
		// What lies below another one goes with it.
		a, b := change.Edits[0].Path+"/", change.Edits[1].Path+"/"
		if len(a) > len(b) && a[:len(b)] == b || len(b) > len(a) && b[:len(a)] == a {
			change.Edits = change.Edits[1:]
		}
	}
	slices.SortFunc(change.Edits, func(a, b image.Edit) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return change
}

// capped takes a bounded number of bytes.
type capped struct {
	*bytes.Buffer
	left int
}

var errCapped = errors.New("more than was asked for")

func (w *capped) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errCapped
	}
	return w.Buffer.Write(p)
}
