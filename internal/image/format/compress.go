package format

import (
	"errors"
	"fmt"
	"io"

	"github.com/vesalius-project/vesalius/internal/image"
)

var compressStream = &image.Format{
	Name:   "compress",
	Title:  "compress (.Z) stream",
	Class:  "compression",
	Where:  "archives and manuals of old Unix devices",
	Spec:   "ncompress 4.2, its source",
	Limits: "found at the start of an input, part or file only; it has no end of its own and takes all that follows",
	Magic:  []image.Magic{{Offset: 0, Bytes: "\x1f\x9d"}},
	Weak:   true,
	Open: func(in *image.Input) (*image.Content, error) {
		p, err := in.View(0, min(5, in.Size()))
		if err != nil || len(p) < 5 || p[2]&0x60 != 0 || p[2]&31 < 9 || p[2]&31 > 16 || p[4]&1 != 0 {
			return nil, image.ErrNot // the first code is a byte: its ninth bit is not set
		}
		return stream(nil, "", 4<<10, func(w io.Writer, size *int64) error {
			return doubtful(w, uncompress(w, in.Blob, size))
		}), nil
	},
}

// uncompress undoes LZW. Codes grow from 9 bits; they are written in groups of eight, and
// a group is filled up when their width changes.
func uncompress(w io.Writer, b *image.Blob, size *int64) error {
	head, err := b.View(0, 3)
	if err != nil {
		return err
	}
	most, clearCode := uint(head[2]&31), -1
	free, first := 256, 256
	if head[2]&0x80 != 0 {
		clearCode, free, first = 256, 257, 257
	}
	prefix, suffix := make([]uint16, 1<<16), make([]byte, 1<<16)
	stack := make([]byte, 0, 1<<16)
	s := newSource(b, 3)
	r := s.reader()
	var acc uint32
	var have uint
	group, width := 0, uint(9)
	last, final := -1, byte(0)
	out := make([]byte, 0, 32<<10)
	for {
		for have < width {
			c, err := r.ReadByte()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					return err
				}
				*size = s.at()
				_, err := w.Write(out)
				return err
			}
			acc |= uint32(c) << have
			have += 8
		}
		code := int(acc & (1<<width - 1))
		acc >>= width
		have -= width
		group = (group + 1) & 7
		widen := false
		switch {
		case code == clearCode:
			free, last, widen = first, -1, true
		case last < 0:
			if code > 255 {
				return fmt.Errorf("code %d at the start of a table", code)
			}
			last, final = code, byte(code)
			out = append(out, final)
		default:
			if code > free || code == free && free == 1<<most {
				return fmt.Errorf("code %d of %d", code, free)
			}
			stack = stack[:0]
			at := code
			if code == free { // the string that is being made
				stack = append(stack, final)
				at = last
			}
			for at > 255 {
				stack = append(stack, suffix[at])
				at = int(prefix[at])
			}
			final = byte(at)
			out = append(out, final)
			for i := len(stack) - 1; i >= 0; i-- {
				out = append(out, stack[i])
			}
			if free < 1<<most {
				prefix[free], suffix[free] = uint16(last), final
				free++
			}
			last = code
		}
		if free > 1<<width-1 && width < most && code != clearCode {
			widen = true
		}
		if widen {
			for ; group != 0; group = (group + 1) & 7 { // the rest of the group
				for have < width {
					c, err := r.ReadByte()
					if err != nil {
						break
					}
					acc |= uint32(c) << have
					have += 8
				}
				acc >>= width
				have -= min(width, have)
			}
			if width++; code == clearCode {
				width = 9
			}
		}
		if len(out) >= 16<<10 {
			*size = s.at()
			if _, err := w.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
}
