package firmware

import (
	"errors"

	"github.com/vesalius-project/vesalius/internal/image"
)

// errEnough stops a stream of which no more is wanted.
var errEnough = errors.New("enough")

// head returns up to most bytes from the start of a file's content; nil where it cannot be
// read. It reads the image again: for the few files that are more than texts.
func (f *File) head(most int64) []byte {
	if f == nil || f.Node.Kind != image.File {
		return nil
	}
	switch n := f.Node; {
	case f.Trace != nil && f.Trace.Text != nil:
		t := *f.Trace.Text
		return []byte(t[:min(int64(len(t)), most)])
	case n.Data != nil:
		p, err := n.Data.View(0, min(most, n.Data.Size()))
		if err != nil {
			return nil
		}
		return p
	case n.Stream != nil:
		w := limited{most: most}
		if err := n.Stream(&w); err != nil && int64(len(w.data)) < most {
			return nil
		}
		return w.data
	}
	return nil
}

// limited keeps the first bytes that are written to it.
type limited struct {
	data []byte
	most int64
}

func (w *limited) Write(p []byte) (int, error) {
	n := min(int64(len(p)), w.most-int64(len(w.data)))
	w.data = append(w.data, p[:n]...)
	if n < int64(len(p)) {
		return int(n), errEnough
	}
	return len(p), nil
}
