package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"

	"github.com/anchore/go-lzo"

	"github.com/vesalius-project/vesalius/internal/image"
)

var lzopStream = &image.Format{
	Name:   "lzop",
	Title:  "lzop archive",
	Class:  "compression",
	Where:  "kernels and initial file systems of small ARM devices",
	Spec:   "lzop 1.04, its source",
	Limits: "filters",
	Magic:  []image.Magic{{Offset: 0, Bytes: lzopMagic}},
	Open:   openLzop,
}

const lzopMagic = "\x89LZO\x00\r\n\x1a\n"

const (
	lzopAdlerPlain  = 1 << 0
	lzopAdlerPacked = 1 << 1
	lzopExtra       = 1 << 6
	lzopCRCPlain    = 1 << 8
	lzopCRCPacked   = 1 << 9
	lzopFilter      = 1 << 11
	lzopCRCHeader   = 1 << 12

	lzopMaxBlock = 64 << 20
)

// openLzop opens the files of an archive, usually one. The sizes of the blocks tell where
// each ends.
func openLzop(in *image.Input) (*image.Content, error) {
	c := &image.Content{Attributes: map[string]string{}}
	for c.Size == 0 || c.Size < in.Size() {
		f, err := lzopHead(in.From(c.Size))
		if err != nil {
			if c.Size == 0 {
				return nil, err
			}
			break
		}
		if len(c.Parts) == 0 && f.name != "" {
			c.Attributes["name"] = f.name
		}
		end := f.end()
		c.Parts = append(c.Parts, image.Part{Name: f.name, Stream: f.write, Input: end})
		c.Size += end
	}
	return c, nil
}

// lzopFile is one file of an archive.
type lzopFile struct {
	b      *image.Blob // from its header
	blocks int64       // offset of its first block
	flags  uint32
	name   string
}

// lzopHead reads the header of a file, which has a checksum.
func lzopHead(b *image.Blob) (*lzopFile, error) {
	p, err := b.View(0, min(512, b.Size()))
	if err != nil || len(p) < 34 || string(p[:9]) != lzopMagic {
		return nil, image.ErrNot
	}
	be := binary.BigEndian
	f := &lzopFile{b: b}
	version, at := be.Uint16(p[9:]), 13
	method := p[at]
	if version >= 0x0940 {
		at += 2
		method = p[at]
		at++ // the level
	}
	at++
	f.flags = be.Uint32(p[at:])
	at += 4
	if f.flags&lzopFilter != 0 {
		return nil, fmt.Errorf("a filter: %w", image.ErrUnsupported)
	}
	at += 8 // mode, time
	if version >= 0x0940 {
		at += 4
	}
	n := int(p[at])
	at++
	if len(p) < at+n+4 {
		return nil, errors.New("header is cut off")
	}
	f.name = string(p[at : at+n])
	at += n
	sum := adler32.Checksum(p[9:at])
	if f.flags&lzopCRCHeader != 0 {
		sum = crc32.ChecksumIEEE(p[9:at])
	}
	if sum != be.Uint32(p[at:]) {
		return nil, errors.New("checksum of the header")
	}
	if method < 1 || method > 3 {
		return nil, fmt.Errorf("method %d: %w", method, image.ErrUnsupported)
	}
	at += 4
	if f.flags&lzopExtra != 0 {
		p, err := b.View(int64(at), 4)
		if err != nil {
			return nil, errors.New("header is cut off")
		}
		at += 8 + int(be.Uint32(p))
	}
	f.blocks = int64(at)
	return f, nil
}

// lzopBlock is the header of a block.
type lzopBlock struct {
	plain, packed int64
	adler, crc    uint32 // of the plain bytes, where the flags say so
	data, end     int64
}

// block reads the header of the block at an offset; its plain size is 0 at the end.
func (f *lzopFile) block(at int64) (lzopBlock, error) {
	var k lzopBlock
	word := func() (uint32, error) {
		p, err := f.b.View(at, 4)
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		at += 4
		return binary.BigEndian.Uint32(p), nil
	}
	n, err := word()
	if err != nil {
		return k, err
	}
	k.plain, k.end = int64(n), at
	if n == 0 {
		return k, nil
	}
	if n, err = word(); err != nil {
		return k, err
	}
	k.packed = int64(n)
	if k.plain > lzopMaxBlock || k.packed == 0 || k.packed > k.plain {
		return k, fmt.Errorf("block of %d bytes packed into %d", k.plain, k.packed)
	}
	sums := []struct {
		flag uint32
		to   *uint32
	}{{lzopAdlerPlain, &k.adler}, {lzopCRCPlain, &k.crc}, {lzopAdlerPacked, new(uint32)}, {lzopCRCPacked, new(uint32)}}
	for _, s := range sums {
		if f.flags&s.flag == 0 || s.flag&(lzopAdlerPacked|lzopCRCPacked) != 0 && k.packed == k.plain {
			continue
		}
		if *s.to, err = word(); err != nil {
			return k, err
		}
	}
	k.data, k.end = at, at+k.packed
	return k, nil
}

// end walks over the blocks. What is damaged ends at the last good one.
func (f *lzopFile) end() int64 {
	at := f.blocks
	for {
		k, err := f.block(at)
		if err != nil {
			return min(at, f.b.Size())
		}
		at = min(k.end, f.b.Size())
		if k.plain == 0 {
			return at
		}
	}
}

// write decompresses the blocks.
func (f *lzopFile) write(w io.Writer) error {
	at := f.blocks
	var out []byte
	for {
		k, err := f.block(at)
		if err != nil {
			return fmt.Errorf("block at %#x: %w", at, err)
		}
		if k.plain == 0 {
			return nil
		}
		p, err := f.b.View(k.data, k.packed)
		if err != nil {
			return fmt.Errorf("block at %#x: %w", at, io.ErrUnexpectedEOF)
		}
		if k.packed < k.plain {
			if int64(len(out)) < k.plain {
				out = make([]byte, k.plain)
			}
			n, err := lzo.Decompress(p, out[:k.plain])
			if err != nil || int64(n) != k.plain {
				return fmt.Errorf("block at %#x: %d bytes of %d: %w", at, n, k.plain, cutShort(err))
			}
			p = out[:n]
		}
		if f.flags&lzopAdlerPlain != 0 && adler32.Checksum(p) != k.adler || f.flags&lzopCRCPlain != 0 && crc32.ChecksumIEEE(p) != k.crc {
			return fmt.Errorf("block at %#x: checksum", at)
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
		at = k.end
	}
}
