package format

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/zstd"

	"github.com/vesalius-project/vesalius/internal/image"
)

var zstdStream = &image.Format{
	Name:    "zstd",
	Title:   "Zstandard frames",
	Class:   "compression",
	Where:   "kernels, packages and updates of recent Linux devices, container layers",
	Spec:    "RFC 8878",
	Limits:  "frames with a dictionary, windows of more than 512 MB",
	Rebuild: repacked(packZstd),
	Magic:   zstdMagics(),
	Open:    openZstd,
}

const (
	zstdMagic     = 0xfd2fb528
	zstdSkippable = 0x184d2a50 // to 5f
	zstdWindow    = 512 << 20
)

func zstdMagics() []image.Magic {
	all := []image.Magic{{Offset: 0, Bytes: "\x28\xb5\x2f\xfd"}}
	for c := byte(0x50); c < 0x60; c++ {
		all = append(all, image.Magic{Offset: 0, Bytes: string([]byte{c, 0x2a, 0x4d, 0x18})})
	}
	return all
}

// openZstd finds the end of the frames by the sizes of their blocks, without decompressing.
func openZstd(in *image.Input) (*image.Content, error) {
	at, frames, plain := int64(0), 0, int64(0)
	for at < in.Size() {
		p, err := in.View(at, min(18, in.Size()-at))
		if err != nil || len(p) < 8 {
			break
		}
		magic := binary.LittleEndian.Uint32(p)
		if magic&^15 == zstdSkippable {
			n := 8 + int64(binary.LittleEndian.Uint32(p[4:]))
			if n > in.Size()-at {
				break
			}
			at += n
			continue
		}
		if magic != zstdMagic {
			break
		}
		n, size, err := zstdFrame(in.From(at), p)
		if err != nil && frames == 0 {
			return nil, err
		}
		if err != nil {
			break
		}
		at, frames = at+n, frames+1
		plain += size
	}
	if frames == 0 {
		return nil, image.ErrNot
	}
	all := in.Slice(0, at)
	return &image.Content{
		Size:       at,
		Attributes: map[string]string{"frames": strconv.Itoa(frames)},
		Parts: []image.Part{{Hint: min(plain, 64*at), Stream: func(w io.Writer) error {
			z, err := zstd.NewReader(all.Reader(), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
			if err != nil {
				return err
			}
			defer z.Close()
			_, err = z.WriteTo(w)
			return err
		}}},
	}, nil
}

// zstdFrame walks over the frame that b begins with, whose first bytes are p. It returns
// its size, cut at the end of b, and that of its content where the header says it.
func zstdFrame(b *image.Blob, p []byte) (size, plain int64, err error) {
	// 3.1.1.1: two bits size of the content size, one bit single segment, a reserved one,
	// one bit checksum, two bits size of the dictionary's id.
	d := p[4]
	if d&8 != 0 {
		return 0, 0, fmt.Errorf("frame header: reserved bit: %w", image.ErrNot)
	}
	single := d>>5&1 == 1
	at := int64(5)
	if !single {
		at++
	}
	idSize := [4]int64{0, 1, 2, 4}[d&3]
	sizeSize := [4]int64{0, 2, 4, 8}[d>>6]
	if single && sizeSize == 0 {
		sizeSize = 1
	}
	if int64(len(p)) < at+idSize+sizeSize {
		return 0, 0, fmt.Errorf("frame header is cut off: %w", image.ErrNot)
	}
	var word [8]byte
	copy(word[:], p[at:at+idSize])
	if id := binary.LittleEndian.Uint64(word[:]); id != 0 {
		return 0, 0, fmt.Errorf("needs the dictionary %d: %w", id, image.ErrUnsupported)
	}
	at += idSize
	word = [8]byte{}
	copy(word[:], p[at:at+sizeSize])
	at += sizeSize
	plain = int64(binary.LittleEndian.Uint64(word[:]) & (1<<62 - 1))
	if sizeSize == 2 {
		plain += 256
	}
	for blocks := 0; ; blocks++ {
		h, err := b.View(at, 3)
		if err != nil {
			if blocks == 0 {
				return 0, 0, fmt.Errorf("no block: %w", image.ErrNot)
			}
			return b.Size(), plain, nil // cut off: the decompressor says where
		}
		head := int64(h[0]) | int64(h[1])<<8 | int64(h[2])<<16
		kind, n := head>>1&3, head>>3
		if kind == 3 || n > 128<<10 {
			if blocks == 0 {
				return 0, 0, fmt.Errorf("block header %#x: %w", head, image.ErrNot)
			}
			return at, plain, nil
		}
		if kind == 1 { // one byte, repeated
			n = 1
		}
		at += 3 + n
		if head&1 != 0 {
			break
		}
	}
	if d&4 != 0 {
		at += 4
	}
	return min(at, b.Size()), plain, nil
}
