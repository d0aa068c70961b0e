package lzma

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Header is the header of a .lzma file.
type Header struct {
	Props byte
	Dict  uint32
	Size  int64 // of the output, -1 where an end marker ends it
}

// HeaderSize is the size of a .lzma header.
const HeaderSize = 13

// ParseHeader reads the header of a .lzma file. The format has no magic: a header is
// believed when its properties are possible, its dictionary is one that encoders choose
// and its size is not absurd.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, ErrShort
	}
	h := Header{Props: b[0], Dict: binary.LittleEndian.Uint32(b[1:]), Size: int64(binary.LittleEndian.Uint64(b[5:]))}
	lc, lp := uint(h.Props%9), uint(h.Props/9%5)
	d := h.Dict
	usual := d == 0xffffffff || d >= 1<<12 && (d&(d-1) == 0 || d%3 == 0 && (d/3)&(d/3-1) == 0)
	if h.Props >= 225 || lc+lp > 4 || !usual || h.Size < -1 || h.Size > 1<<40 {
		return h, errors.New("lzma: not a header")
	}
	return h, nil
}

// step is how much output is made at a time.
const step = 1 << 20

// Alone decodes a .lzma file from src to w and returns how many bytes of src it took.
func Alone(w io.Writer, src []byte) (read int64, err error) {
	h, err := ParseHeader(src)
	if err != nil {
		return 0, err
	}
	var d Decoder
	if err := d.props(h.Props); err != nil {
		return 0, err
	}
	d.reset()
	if err := d.begin(src[HeaderSize:]); err != nil {
		return 0, err
	}
	window := int(max(int64(h.Dict), 4096))
	if h.Size >= 0 {
		window = int(min(int64(window), h.Size))
	}
	if window > maxWindow {
		window = maxWindow
	}
	var done int64
	for {
		n := step
		if h.Size >= 0 {
			n = int(min(step, h.Size-done))
		}
		if cap(d.out)-len(d.out) < n {
			d.slide(window, n)
		}
		from := len(d.out)
		end, err := d.run(from + n)
		done += int64(len(d.out) - from)
		if _, werr := w.Write(d.out[from:]); werr != nil {
			return 0, werr
		}
		if err != nil {
			return 0, fmt.Errorf("%w after %d bytes", err, done)
		}
		if end || h.Size >= 0 && done >= h.Size {
			if end && h.Size >= 0 && done < h.Size {
				return 0, errors.New("lzma: less output than announced")
			}
			return int64(HeaderSize + d.pos), nil
		}
	}
}

// slide makes room for n more bytes, keeping a dictionary of window bytes.
func (d *Decoder) slide(window, n int) {
	keep := min(len(d.out), window)
	drop := len(d.out) - keep
	// The position in the model counts from start: it is moved, not lost.
	if cap(d.out) < keep+n {
		grown := make([]byte, keep, min(max(2*cap(d.out), keep+n), window+2*n))
		if cap(grown) < keep+n {
			grown = make([]byte, keep, keep+n)
		}
		copy(grown, d.out[drop:])
		d.out = grown
	} else {
		copy(d.out, d.out[drop:])
		d.out = d.out[:keep]
	}
	d.start -= drop
}
