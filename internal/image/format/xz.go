package format

import (
	"errors"
	"fmt"
	"io"

	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format/internal/lzma"
)

var xzStream = &image.Format{
	Name:    "xz",
	Title:   "xz stream",
	Class:   "compression",
	Where:   "kernels, initial file systems, packages and updates of Linux devices",
	Spec:    "The .xz File Format 1.1.0",
	Limits:  "dictionaries of more than 1 GB",
	Rebuild: repacked(packXZ),
	Magic:   []image.Magic{{Offset: 0, Bytes: "\xfd7zXZ\x00"}},
	Open: func(in *image.Input) (*image.Content, error) {
		return stream(nil, "", 0, func(w io.Writer, size *int64) error {
			s := newSource(in.Blob, 0)
			x := lzma.NewXZ(s.reader())
			_, err := io.Copy(&noted{w, s, size}, x)
			*size = s.at()
			if err == nil {
				*size = x.Size()
			}
			return err
		}), nil
	},
}

var lzmaStream = &image.Format{
	Name:    "lzma",
	Title:   "LZMA stream of lzma-utils",
	Class:   "compression",
	Where:   "kernels and boot loaders of routers and other small Linux devices",
	Spec:    "LZMA SDK, lzma-specification.txt",
	Limits:  "found at the start of an input, part or file only, and with the usual properties lc=3 lp=0 pb=2",
	Rebuild: repacked(packLZMA),
	Magic:   []image.Magic{{Offset: 0, Bytes: "\x5d\x00\x00"}},
	Weak:    true,
	Open: func(in *image.Input) (*image.Content, error) {
		p, err := in.View(0, min(lzma.HeaderSize+1, in.Size()))
		if err != nil || len(p) <= lzma.HeaderSize || p[lzma.HeaderSize] != 0 {
			return nil, image.ErrNot
		}
		h, err := lzma.ParseHeader(p)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", image.ErrNot, err)
		}
		c := stream(nil, "", 4<<10, func(w io.Writer, size *int64) error {
			return doubtful(w, lzma.CopyAlone(w, in, in.Size(), size))
		})
		c.Parts[0].Hint = max(0, min(h.Size, 64*in.Size()))
		return c, nil
	},
}

var lzipStream = &image.Format{
	Name:  "lzip",
	Title: "lzip members",
	Class: "compression",
	Where: "updates and archives, rarely",
	Spec:  "draft-diaz-lzip, lzip manual",
	Magic: []image.Magic{{Offset: 0, Bytes: "LZIP\x01"}},
	Open: func(in *image.Input) (*image.Content, error) {
		if in.Size() < 6+5+20 {
			return nil, errors.New("shorter than an empty member")
		}
		return stream(nil, "", 0, func(w io.Writer, size *int64) error {
			return lzma.CopyLzip(w, in, in.Size(), size)
		}), nil
	},
}
