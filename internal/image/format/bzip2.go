package format

import (
	"errors"
	"io"

	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format/internal/bzip2"
)

var bzip2Stream = &image.Format{
	Name:   "bzip2",
	Title:  "bzip2 stream",
	Class:  "compression",
	Where:  "updates and archives, older kernels",
	Spec:   "bzip2 1.0.8, its source",
	Limits: "randomised blocks of versions before 0.9.5",
	Magic:  bzip2Magics(),
	Open: func(in *image.Input) (*image.Content, error) {
		if p, err := in.View(0, min(10, in.Size())); err != nil || !bzip2.Begins(p) {
			return nil, image.ErrNot
		}
		return stream(nil, "", 0, func(w io.Writer, size *int64) error {
			err := bzip2.Copy(w, in, in.Size(), size)
			if errors.Is(err, bzip2.ErrFormat) {
				return image.ErrNot
			}
			return err
		}), nil
	},
}

// bzip2Magics are the level's digit and what a block begins with; an empty stream is of
// no interest.
func bzip2Magics() []image.Magic {
	var all []image.Magic
	for level := '1'; level <= '9'; level++ {
		all = append(all, image.Magic{Offset: 0, Bytes: "BZh" + string(level) + "1AY&SY"})
	}
	return all
}
