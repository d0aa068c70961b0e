package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format/internal/lzma"
)

// eroFile is the content of a compressed file. Its blocks (logical clusters) are listed one
// by one; at some of them begins what was compressed as one.
type eroFile struct {
	e *eroFS
	i eroInode
}

// Types of logical clusters.
const (
	eroRaw     = 0 // what begins in it is not compressed
	eroHead    = 1
	eroInside  = 2 // it goes on
	eroHead2   = 3 // by the second algorithm
	eroPartial = 1 << 15
	eroBlocks  = 0x800 // of the first cluster inside: the rest says of how many blocks it is
)

// What the header of the list says.
const (
	ero2Bytes     = 0x1
	eroBig        = 0x2 | 0x4
	eroTail       = 0x8 // the last piece lies behind the list
	eroInterlaced = 0x10
	eroFragments  = 0x20

	eroMostPiece = 16 << 20
)

// eroCluster is a logical cluster.
type eroCluster struct {
	kind   int
	offset int64  // of what begins in it
	block  uint32 // where that lies
	blocks int64  // how long it is on disk, where an eroInside says it
}

// eroPiece is what was compressed as one.
type eroPiece struct {
	eroCluster
	at, size int64
}

// pieces reads the list, and how the pieces are packed.
func (f *eroFile) pieces() (all []eroPiece, head []byte, err error) {
	e := f.e
	start := padded(f.i.end, 8)
	if head, err = e.in.View(start, 8); err != nil {
		return nil, nil, fmt.Errorf("list of clusters: %w", err)
	}
	advise, extra := le16(head[4:]), head[7]
	if advise&eroFragments != 0 || extra&0x80 != 0 {
		return nil, nil, fmt.Errorf("a part of it lies in the packed inode: %w", image.ErrUnsupported)
	}
	bits := e.bits + int(extra&7)
	count := (f.i.size + 1<<bits - 1) >> bits
	var clusters []eroCluster
	end := start + 8
	if f.i.layout == erofsFull {
		clusters, end, err = f.full(start+16, count)
	} else {
		clusters, end, err = f.compact(end, count, bits, advise)
	}
	if err != nil {
		return nil, nil, err
	}
	for k, c := range clusters {
		if c.kind == eroInside {
			if c.blocks > 0 && len(all) > 0 && k > 0 && clusters[k-1].kind != eroInside {
				all[len(all)-1].blocks = c.blocks
			}
			continue
		}
		at := int64(k)<<bits + c.offset
		if at >= f.i.size { // it only marks the end
			break
		}
		c.blocks = 1
		if n := len(all); n > 0 {
			all[n-1].size = at - all[n-1].at
		}
		all = append(all, eroPiece{eroCluster: c, at: at, size: f.i.size - at})
	}
	if advise&eroTail != 0 && len(all) > 0 {
		all[len(all)-1].blocks, all[len(all)-1].block = -int64(le16(head[2:])), uint32(end) // behind the list
	}
	return all, head, nil
}

// full reads a list of eight bytes for each cluster.
func (f *eroFile) full(at, count int64) (list []eroCluster, end int64, err error) {
	p, err := f.e.in.View(at, 8*count)
	if err != nil {
		return nil, 0, fmt.Errorf("list of clusters: %w", err)
	}
	list = make([]eroCluster, 0, count)
	for ; len(p) > 0; p = p[8:] {
		c := eroCluster{kind: int(le16(p) & 3), offset: int64(le16(p[2:])), block: le32(p[4:])}
		if le16(p)&eroPartial != 0 {
			return nil, 0, fmt.Errorf("deduplicated: %w", image.ErrUnsupported)
		}
		if c.kind == eroInside && le16(p[4:])&eroBlocks != 0 {
			c.blocks = int64(le16(p[4:]) &^ eroBlocks)
		}
		list = append(list, c)
	}
	return list, at + 8*count, nil
}

// compact reads a list of packs: two clusters in eight bytes up to a multiple of 32, then
// sixteen in 32 where the header says so, then two in eight again. A pack ends with the
// block that its pieces are counted from.
func (f *eroFile) compact(at, count int64, bits int, advise uint16) (list []eroCluster, end int64, err error) {
	first := (32 - at%32) / 4 & 7
	long := int64(0)
	if advise&ero2Bytes != 0 && first < count {
		long = (count - first) / 16 * 16
	} else {
		first = count
	}
	list = make([]eroCluster, 0, min(count, 1<<12))
	low := uint(max(bits, 12))
	for left := count; left > 0; {
		n, size := int64(2), int64(8)
		if done := count - left; done >= first && done < first+long {
			n, size = 16, 32
		}
		p, err := f.e.in.View(at, size)
		if err != nil {
			return nil, 0, fmt.Errorf("list of clusters: %w", err)
		}
		width := uint((size - 4) * 8 / n)
		block, big := le32(p[size-4:]), advise&eroBig != 0
		if !big { // the base is the block before the first piece, and each piece has one
			block++
		}
		for k := range uint(min(n, left)) {
			v := eroBits(p, k*width, width)
			c := eroCluster{kind: int(v >> low & 3), offset: int64(v & (1<<low - 1))}
			switch {
			case c.kind != eroInside:
				c.block = block
				block++
			case big && c.offset&eroBlocks != 0:
				c.blocks = c.offset &^ eroBlocks
				block += uint32(c.blocks)
				if k > 0 { // one was counted where it began, in this pack
					block--
				}
			}
			list = append(list, c)
		}
		at += size
		left -= min(n, left)
	}
	return list, at, nil
}

// eroBits returns n bits from a bit on, the lowest first.
func eroBits(p []byte, bit, n uint) (v uint32) {
	for k := uint(0); k < 4 && int(bit/8+k) < len(p); k++ {
		v |= uint32(p[bit/8+k]) << (8 * k)
	}
	return v >> (bit % 8) & (1<<n - 1)
}

// write writes the content to w.
func (f *eroFile) write(w io.Writer) error {
	all, head, err := f.pieces()
	if err != nil {
		return err
	}
	at := int64(0)
	var buf []byte
	for _, p := range all {
		if p.at != at || p.size <= 0 || p.size > eroMostPiece {
			return fmt.Errorf("a piece of %d bytes at %#x, where %#x is next", p.size, p.at, at)
		}
		if int64(cap(buf)) < p.size {
			buf = make([]byte, p.size)
		}
		data, err := f.piece(buf[:0:p.size], p, head)
		if err == nil && int64(len(data)) != p.size {
			err = fmt.Errorf("%d bytes, want %d", len(data), p.size)
		}
		if err != nil {
			return fmt.Errorf("piece at %#x: %w", p.at, err)
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		at += p.size
	}
	if at != f.i.size {
		return fmt.Errorf("the list ends at %d of %d bytes", at, f.i.size)
	}
	return nil
}

// piece returns the content of a piece.
func (f *eroFile) piece(buf []byte, p eroPiece, head []byte) ([]byte, error) {
	e := f.e
	from, n := int64(p.block)*e.block, p.blocks*e.block
	if p.blocks < 0 {
		from, n = int64(p.block), -p.blocks
	}
	src, err := e.in.View(from, n)
	if err != nil {
		return nil, err
	}
	if p.kind == eroRaw {
		if le16(head[4:])&eroInterlaced != 0 && p.blocks > 0 { // as it would lie in the file's block
			turn := p.at % e.block
			out := append(buf, src[turn:min(int64(len(src)), turn+p.size)]...)
			return append(out, src[:min(turn, p.size-int64(len(out)))]...), nil
		}
		if int64(len(src)) < p.size {
			return nil, errors.New("not compressed, but longer than its blocks")
		}
		return src[:p.size], nil
	}
	codec := head[6] & 15
	if p.kind == eroHead2 {
		codec = head[6] >> 4
	}
	if int(codec) >= len(e.unpack) {
		return nil, fmt.Errorf("compression %d: %w", codec, image.ErrUnsupported)
	}
	if e.features&erofsPadded != 0 {
		src = bytes.TrimLeft(src, "\x00")
	}
	return e.unpack[codec](buf, src)
}

// unpackMicroLZMA returns an unpacker of LZMA whose first byte, which is 0 otherwise, is
// the inverted properties.
func unpackMicroLZMA() unpacker {
	pool := sync.Pool{New: func() any { return new(lzma.Decoder) }}
	return func(dst, src []byte) ([]byte, error) {
		if len(src) < 5 {
			return nil, io.ErrUnexpectedEOF
		}
		d := pool.Get().(*lzma.Decoder)
		defer pool.Put(d)
		plain := append([]byte{0}, src[1:]...)
		out, _, err := d.Raw(dst[:0], plain, ^src[0])
		if errors.Is(err, lzma.ErrShort) && len(out) == cap(dst) {
			err = nil
		}
		return out, err
	}
}

// unpackOpenLZ4 returns an unpacker of LZ4 blocks that something may follow: they end when
// dst is full.
func unpackOpenLZ4() unpacker {
	return func(dst, src []byte) ([]byte, error) {
		out := dst[:0]
		length := func(n int) int { // 15 means that more bytes add to it
			for c := byte(255); n >= 15 && c == 255 && len(src) > 0; src = src[1:] {
				c = src[0]
				n += int(c)
			}
			return n
		}
		for len(out) < cap(dst) {
			if len(src) == 0 {
				return out, io.ErrUnexpectedEOF
			}
			token := int(src[0])
			src = src[1:]
			n := min(length(token>>4), cap(dst)-len(out))
			if n > len(src) {
				return out, io.ErrUnexpectedEOF
			}
			out = append(out, src[:n]...)
			if src = src[n:]; len(out) == cap(dst) {
				break
			}
			if len(src) < 2 {
				return out, io.ErrUnexpectedEOF
			}
			from := len(out) - int(le16(src))
			if src = src[2:]; from < 0 || from == len(out) {
				return out, errors.New("lz4: a match from before the start")
			}
			for n = min(length(token&15)+4, cap(dst)-len(out)); n > 0; n-- {
				out = append(out, out[from])
				from++
			}
		}
		return out, nil
	}
}
