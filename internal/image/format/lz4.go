package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/pierrec/lz4/v4"

	"github.com/vesalius-project/vesalius/internal/image"
)

var lz4Stream = &image.Format{
	Name:    "lz4",
	Title:   "LZ4 frames",
	Class:   "compression",
	Where:   "kernels and initial file systems of devices that must start quickly, Android",
	Spec:    "LZ4 Frame Format Description 1.6.4",
	Limits:  "frames with a dictionary",
	Rebuild: repacked(packLZ4),
	Magic:   []image.Magic{{Offset: 0, Bytes: "\x04\x22\x4d\x18"}},
	Open: func(in *image.Input) (*image.Content, error) {
		if _, err := lz4Head(in.Blob, 0); err != nil {
			return nil, err
		}
		return stream(nil, "", 0, func(w io.Writer, size *int64) error {
			d := &lz4Reader{b: in.Blob, size: size}
			for first := true; ; first = false {
				h, err := lz4Head(in.Blob, *size)
				if err != nil && !first {
					return nil
				}
				if err == nil {
					err = d.frame(w, h)
				}
				if err != nil {
					return err
				}
			}
		}), nil
	},
}

var lz4Legacy = &image.Format{
	Name:  "lz4-legacy",
	Title: "LZ4 legacy frame",
	Class: "compression",
	Where: "Linux kernels and their initial file systems",
	Spec:  "LZ4 Frame Format Description 1.6.4, legacy frame",
	Magic: []image.Magic{{Offset: 0, Bytes: "\x02\x21\x4c\x18"}},
	Open: func(in *image.Input) (*image.Content, error) {
		if p, err := in.View(4, min(4, max(0, in.Size()-4))); err != nil || len(p) < 4 || !lz4LegacySize(binary.LittleEndian.Uint32(p)) {
			return nil, image.ErrNot
		}
		return stream(nil, "", least, func(w io.Writer, size *int64) error {
			d := &lz4Reader{b: in.Blob, size: size}
			return d.legacy(w)
		}), nil
	},
}

// lz4LegacyBlock is what each block of a legacy frame holds but the last, which holds less.
const lz4LegacyBlock = 8 << 20

func lz4LegacySize(n uint32) bool {
	return n > 0 && int(n) <= lz4.CompressBlockBound(lz4LegacyBlock)
}

// lz4Frame is a frame's header.
type lz4Frame struct {
	size                       int64 // of the header
	block                      int   // most bytes of a block
	linked, blockSums, lastSum bool
}

// lz4Head reads the header of a frame, which has a checksum of its own.
func lz4Head(b *image.Blob, at int64) (lz4Frame, error) {
	var f lz4Frame
	p, err := b.View(at, max(0, min(19, b.Size()-at)))
	if err != nil || len(p) < 7 || binary.LittleEndian.Uint32(p) != 0x184d2204 {
		return f, image.ErrNot
	}
	flags, kind := p[4], p[5]
	f.size = 7
	if flags&8 != 0 {
		f.size += 8
	}
	if flags&1 != 0 {
		f.size += 4
	}
	if flags>>6 != 1 || kind>>4 < 4 || kind>>4 > 7 || int64(len(p)) < f.size || byte(xxh32(p[4:f.size-1])>>8) != p[f.size-1] {
		return f, fmt.Errorf("frame header: %w", image.ErrNot)
	}
	if flags&1 != 0 {
		return f, fmt.Errorf("needs a dictionary: %w", image.ErrUnsupported)
	}
	f.block = 1 << (8 + 2*(kind>>4))
	f.linked, f.blockSums, f.lastSum = flags&0x20 == 0, flags&0x10 != 0, flags&4 != 0
	return f, nil
}

// lz4Reader decompresses frames; size is where it stands.
type lz4Reader struct {
	b    *image.Blob
	size *int64
}

// take returns the next n bytes.
func (d *lz4Reader) take(n int64) ([]byte, error) {
	p, err := d.b.View(*d.size, n)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	*d.size += n
	return p, nil
}

func (d *lz4Reader) word() (uint32, error) {
	p, err := d.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(p), nil
}

// frame decompresses one frame. Linked blocks may reach back 64 kB.
func (d *lz4Reader) frame(w io.Writer, f lz4Frame) error {
	const window = 64 << 10
	*d.size += f.size
	buf := make([]byte, window+f.block)
	history := 0
	sum := &xxHash32{}
	sum.reset()
	for {
		n, err := d.word()
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		raw := n>>31 == 1
		n &= 1<<31 - 1
		if int64(n) > int64(f.block) {
			return fmt.Errorf("block of %d bytes, the frame says at most %d", n, f.block)
		}
		p, err := d.take(int64(n))
		if err != nil {
			return err
		}
		if f.blockSums {
			want, err := d.word()
			if err != nil {
				return err
			}
			if xxh32(p) != want {
				return errors.New("checksum of a block")
			}
		}
		out := buf[window:]
		k := 0
		if raw {
			k = copy(out, p)
		} else if k, err = lz4.UncompressBlockWithDict(p, out, buf[window-history:window]); err != nil {
			return err
		}
		out = out[:k]
		if f.lastSum {
			sum.write(out)
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
		if f.linked {
			history = min(window, history+k)
			copy(buf[window-history:window], buf[window+k-history:window+k])
		}
	}
	if f.lastSum {
		want, err := d.word()
		if err != nil {
			return err
		}
		if sum.sum() != want {
			return errors.New("checksum of the content")
		}
	}
	return nil
}

// legacy decompresses legacy frames. Nothing ends one but its last block, which is not
// full, the start of another frame, or a number that cannot be the size of a block.
func (d *lz4Reader) legacy(w io.Writer) error {
	out := make([]byte, lz4LegacyBlock)
	*d.size = 4
	for full, first := true, true; full; first = false {
		p, err := d.b.View(*d.size, 4)
		if err != nil {
			break
		}
		n := binary.LittleEndian.Uint32(p)
		if n == 0x184c2102 {
			*d.size += 4
			continue
		}
		if !lz4LegacySize(n) && !first {
			break
		}
		*d.size += 4
		if p, err = d.take(int64(n)); err != nil {
			if !first && d.b.Size()-*d.size < 16 {
				*d.size -= 4 // the kernel's build puts the size of the content behind the frame
				break
			}
			return err
		}
		k, err := lz4.UncompressBlock(p, out)
		if err != nil {
			return err
		}
		if _, err := w.Write(out[:k]); err != nil {
			return err
		}
		if full = k == lz4LegacyBlock; !full {
			p, err := d.b.View(*d.size, 4)
			full = err == nil && binary.LittleEndian.Uint32(p) == 0x184c2102
		}
	}
	return nil
}

// xxHash32 is the 32-bit xxHash with the seed 0.
type xxHash32 struct {
	v     [4]uint32
	total uint64
	rest  [16]byte
	n     int
}

const (
	xxPrime1 = 2654435761
	xxPrime2 = 2246822519
	xxPrime3 = 3266489917
	xxPrime4 = 668265263
	xxPrime5 = 374761393
)

func xxh32(p []byte) uint32 {
	var h xxHash32
	h.reset()
	h.write(p)
	return h.sum()
}

func (h *xxHash32) reset() {
	one, two := uint32(xxPrime1), uint32(xxPrime2)
	*h = xxHash32{v: [4]uint32{one + two, two, 0, -one}}
}

func (h *xxHash32) write(p []byte) {
	h.total += uint64(len(p))
	if h.n > 0 {
		k := copy(h.rest[h.n:], p)
		h.n += k
		p = p[k:]
		if h.n < 16 {
			return
		}
		h.block(h.rest[:])
		h.n = 0
	}
	for len(p) >= 16 {
		h.block(p)
		p = p[16:]
	}
	h.n = copy(h.rest[:], p)
}

func (h *xxHash32) block(p []byte) {
	for i := range h.v {
		h.v[i] = bits.RotateLeft32(h.v[i]+binary.LittleEndian.Uint32(p[4*i:])*xxPrime2, 13) * xxPrime1
	}
}

func (h *xxHash32) sum() uint32 {
	x := uint32(xxPrime5)
	if h.total >= 16 {
		x = bits.RotateLeft32(h.v[0], 1) + bits.RotateLeft32(h.v[1], 7) + bits.RotateLeft32(h.v[2], 12) + bits.RotateLeft32(h.v[3], 18)
	}
	x += uint32(h.total)
	p := h.rest[:h.n]
	for ; len(p) >= 4; p = p[4:] {
		x = bits.RotateLeft32(x+binary.LittleEndian.Uint32(p)*xxPrime3, 17) * xxPrime4
	}
	for _, c := range p {
		x = bits.RotateLeft32(x+uint32(c)*xxPrime5, 11) * xxPrime1
	}
	x = (x ^ x>>15) * xxPrime2
	x = (x ^ x>>13) * xxPrime3
	return x ^ x>>16
}
