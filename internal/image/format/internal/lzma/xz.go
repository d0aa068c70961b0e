package lzma

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"crypto/sha256"
)

const xzMagic = "\xfd7zXZ\x00"

// filter ids of the xz format.
const (
	filterDelta = 0x03
	filterX86   = 0x04
	filterLZMA2 = 0x21
)

// checkSizes are the sizes of a block's check by its kind.
var checkSizes = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// block is the header of one xz block.
type block struct {
	size    int // of the header
	packed  int64
	plain   int64 // -1 where it is not said
	dict    int
	filters []filter // to be undone after LZMA2, in the order of undoing
}

// filter is one reversible filter: delta or a branch converter.
type filter struct {
	id     byte
	offset uint32 // start offset of a branch converter, distance of delta
}

// parseBlock reads a block header; h begins with its size byte.
func parseBlock(h []byte) (block, error) {
	b := block{size: (int(h[0]) + 1) * 4, plain: -1, packed: -1}
	if len(h) < b.size {
		return b, ErrShort
	}
	h = h[:b.size]
	if crc32.ChecksumIEEE(h[:b.size-4]) != binary.LittleEndian.Uint32(h[b.size-4:]) {
		return b, errors.New("xz: checksum of a block header")
	}
	flags := h[1]
	p := h[2 : b.size-4]
	number := func() (int64, error) {
		v, n := uvarint(p)
		if n <= 0 {
			return 0, errors.New("xz: number in a block header")
		}
		p = p[n:]
		return int64(v), nil
	}
	var err error
	if flags&0x40 != 0 {
		if b.packed, err = number(); err != nil {
			return b, err
		}
	}
	if flags&0x80 != 0 {
		if b.plain, err = number(); err != nil {
			return b, err
		}
	}
	count := int(flags&3) + 1
	for i := range count {
		id, err := number()
		if err != nil {
			return b, err
		}
		size, err := number()
		if err != nil || size < 0 || size > int64(len(p)) {
			return b, errors.New("xz: filter properties")
		}
		props := p[:size]
		p = p[size:]
		if i == count-1 {
			if id != filterLZMA2 || size != 1 || props[0] > 40 {
				return b, fmt.Errorf("xz: last filter %#x", id)
			}
			b.dict = dictSize(props[0])
			continue
		}
		f := filter{id: byte(id)}
		switch {
		case id == filterDelta && size == 1:
			f.offset = uint32(props[0]) + 1
		case id >= filterX86 && id <= 0x0b && size == 4:
			f.offset = binary.LittleEndian.Uint32(props)
		case id >= filterX86 && id <= 0x0b && size == 0:
		default:
			return b, fmt.Errorf("xz: filter %#x with %d bytes of properties", id, size)
		}
		b.filters = append([]filter{f}, b.filters...)
	}
	return b, nil
}

// dictSize is the dictionary size that an LZMA2 properties byte means.
func dictSize(b byte) int {
	if b == 40 {
		return 1<<32 - 1
	}
	return (2 | int(b&1)) << (b/2 + 11)
}

// uvarint reads a multibyte integer of the xz format.
func uvarint(p []byte) (v uint64, n int) {
	for i, c := range p {
		if i == 9 {
			return 0, -1
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// streamFlags checks a stream header and returns the kind of check.
func streamFlags(h []byte) (check byte, err error) {
	if len(h) < 12 {
		return 0, ErrShort
	}
	if string(h[:6]) != xzMagic {
		return 0, errors.New("xz: no magic")
	}
	if crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) || h[6] != 0 || h[7] > 15 {
		return 0, errors.New("xz: stream header")
	}
	return h[7], nil
}

func newCheck(kind byte) hash.Hash {
	switch kind {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		return sha256.New()
	}
	return nil
}

// sameCheck compares a computed check with the stored one: xz stores CRCs little-endian.
func sameCheck(kind byte, h hash.Hash, stored []byte) bool {
	sum := h.Sum(nil)
	if kind != 10 {
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i]
		}
	}
	return bytes.Equal(sum, stored)
}

// XZ decodes the blocks of one xz stream from src into dst, as far as the capacity of dst
// allows, and returns dst with the output appended. The blocks' checks are verified where
// verify is set; the index is not read.
func (d *Decoder) XZ(dst, src []byte, verify bool) ([]byte, error) {
	check, err := streamFlags(src)
	if err != nil {
		return dst, err
	}
	src = src[12:]
	for len(src) > 0 && src[0] != 0 {
		b, err := parseBlock(src)
		if err != nil {
			return dst, err
		}
		src = src[b.size:]
		from := len(dst)
		var n int
		dst, n, err = d.LZMA2(dst, src)
		if err != nil {
			return dst, err
		}
		for _, f := range b.filters {
			f.undo(dst[from:])
		}
		n = (n + 3) &^ 3
		size := checkSizes[check]
		if len(src) < n+size {
			return dst, ErrShort
		}
		if h := newCheck(check); verify && h != nil {
			h.Write(dst[from:])
			if !sameCheck(check, h, src[n:n+size]) {
				return dst, errors.New("xz: checksum of a block")
			}
		}
		src = src[n+size:]
	}
	if len(src) == 0 {
		return dst, ErrShort
	}
	return dst, nil
}

// maxWindow bounds the dictionary that a stream may ask for.
const maxWindow = 1 << 30

// NewXZ returns a reader of the xz streams of r, which are joined, padding between them
// skipped. It reads from r no byte past the last stream's end, except to see that nothing
// follows: see [Reader.Size].
func NewXZ(r io.Reader) *Reader { return &Reader{r: r} }

// Reader decodes xz streams.
type Reader struct {
	r     io.Reader
	d     Decoder
	check byte
	hash  hash.Hash
	block block
	in    []byte // one chunk with its header
	ready []byte // decoded and filtered, not yet returned
	raw   int    // bytes of d.out from here are not yet filtered
	done  int64  // filtered bytes of the block
	taken int64  // bytes read from r
	size  int64  // of the streams that ended
	count int64  // compressed bytes of the block
	open  bool   // inside a block
	began bool   // a stream header was read
	props bool
	dict  bool
	err   error
}

// Size returns how many bytes of the input the finished streams took.
func (x *Reader) Size() int64 { return x.size }

func (x *Reader) fill(p []byte) error {
	n, err := io.ReadFull(x.r, p)
	x.taken += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrShort
	}
	return err
}

// Read is part of io.Reader.
func (x *Reader) Read(p []byte) (int, error) {
	for len(x.ready) == 0 {
		if x.err != nil {
			return 0, x.err
		}
		x.err = x.step()
	}
	n := copy(p, x.ready)
	x.ready = x.ready[n:]
	return n, nil
}

// step decodes the next chunk, or what stands between chunks.
func (x *Reader) step() error {
	var b [1024]byte
	if !x.began {
		if err := x.fill(b[:12]); err != nil {
			if x.size > 0 {
				return io.EOF // nothing, or no whole header, follows the last stream
			}
			return err
		}
		for x.size > 0 && binary.LittleEndian.Uint32(b[:]) == 0 { // stream padding
			copy(b[:], b[4:12])
			if err := x.fill(b[8:12]); err != nil {
				return io.EOF
			}
		}
		check, err := streamFlags(b[:12])
		if err != nil {
			if x.size > 0 {
				return io.EOF // something else follows
			}
			return err
		}
		x.check, x.began = check, true
	}
	if !x.open {
		return x.beginBlock(b[:])
	}
	return x.chunk()
}

func (x *Reader) beginBlock(b []byte) error {
	if err := x.fill(b[:1]); err != nil {
		return err
	}
	if b[0] == 0 {
		return x.index()
	}
	n := (int(b[0]) + 1) * 4
	if err := x.fill(b[1:n]); err != nil {
		return err
	}
	var err error
	if x.block, err = parseBlock(b[:n]); err != nil {
		return err
	}
	if x.block.dict > maxWindow {
		return fmt.Errorf("xz: dictionary of %d bytes", x.block.dict)
	}
	x.hash = newCheck(x.check)
	x.open, x.props, x.dict = true, true, true
	x.count, x.done, x.raw = 0, 0, 0
	x.d.out, x.d.start = x.d.out[:0], 0
	return nil
}

// chunk decodes one LZMA2 chunk into the window.
func (x *Reader) chunk() error {
	if cap(x.in) == 0 {
		x.in = make([]byte, 6+1<<16)
	}
	h := x.in[:cap(x.in)]
	if err := x.fill(h[:1]); err != nil {
		return err
	}
	var n int
	switch c := h[0]; {
	case c == 0:
		x.count++
		return x.endBlock()
	case c < 0x80:
		if err := x.fill(h[1:3]); err != nil {
			return err
		}
		n = 3 + int(h[1])<<8 + int(h[2]) + 1
		if err := x.fill(h[3:n]); err != nil {
			return err
		}
	default:
		head := 5
		if c >= 0xc0 {
			head = 6
		}
		if err := x.fill(h[1:head]); err != nil {
			return err
		}
		n = head + int(h[3])<<8 + int(h[4]) + 1
		if err := x.fill(h[head:n]); err != nil {
			return err
		}
	}
	x.count += int64(n)
	x.room(1 << 21)
	if _, _, err := x.d.chunk(h[:n], &x.props, &x.dict); err != nil {
		return err
	}
	return x.emit(false)
}

// room makes space for n more bytes in the window: it slides, or grows up to the
// dictionary's size.
func (x *Reader) room(n int) {
	d := &x.d
	if cap(d.out)-len(d.out) >= n {
		return
	}
	keep := min(len(d.out), max(x.block.dict, len(d.out)-x.raw))
	if drop := len(d.out) - keep; drop >= n || cap(d.out) >= x.block.dict+2*n {
		copy(d.out, d.out[drop:])
		d.out = d.out[:keep]
		d.start -= drop // positions count on from the start of the dictionary
		x.raw -= drop
		if cap(d.out)-len(d.out) >= n {
			return
		}
	}
	grown := make([]byte, len(d.out), max(2*cap(d.out), len(d.out)+n, 1<<22))
	copy(grown, d.out)
	d.out = grown
}

// emit makes ready what was decoded. Branch converters look ahead and keep a state: a
// block with filters is turned back as a whole when it ends.
func (x *Reader) emit(last bool) error {
	fresh := x.d.out[x.raw:]
	if len(x.block.filters) > 0 {
		if !last {
			if len(fresh) > maxWindow {
				return fmt.Errorf("xz: filtered block of more than %d bytes", maxWindow)
			}
			return nil
		}
		fresh = bytes.Clone(fresh)
		for _, f := range x.block.filters {
			f.undo(fresh)
		}
	}
	x.ready = fresh
	x.raw = len(x.d.out)
	x.done += int64(len(fresh))
	if x.hash != nil {
		x.hash.Write(fresh)
	}
	return nil
}

func (x *Reader) endBlock() error {
	if err := x.emit(true); err != nil {
		return err
	}
	pad := int((4 - x.count%4) % 4)
	size := checkSizes[x.check]
	b := make([]byte, pad+size)
	if err := x.fill(b); err != nil {
		return err
	}
	if x.hash != nil && !sameCheck(x.check, x.hash, b[pad:]) {
		return errors.New("xz: checksum of a block")
	}
	if x.block.plain >= 0 && x.block.plain != x.done {
		return errors.New("xz: a block holds another size than it says")
	}
	x.open = false
	return nil
}

// index reads the index and the footer of a stream.
func (x *Reader) index() error {
	from := x.taken - 1
	one := func() (byte, error) {
		var b [1]byte
		err := x.fill(b[:])
		return b[0], err
	}
	number := func() (uint64, error) {
		var p []byte
		for {
			c, err := one()
			if err != nil {
				return 0, err
			}
			p = append(p, c)
			if c < 0x80 {
				v, n := uvarint(p)
				if n <= 0 {
					return 0, errors.New("xz: index")
				}
				return v, nil
			}
			if len(p) > 9 {
				return 0, errors.New("xz: index")
			}
		}
	}
	n, err := number()
	for i := uint64(0); err == nil && i < 2*n; i++ {
		_, err = number()
	}
	if err != nil {
		return err
	}
	rest := make([]byte, (4-(x.taken-from)%4)%4+4+12)
	if err := x.fill(rest); err != nil {
		return err
	}
	if string(rest[len(rest)-2:]) != "YZ" {
		return errors.New("xz: footer")
	}
	x.size, x.began = x.taken, false
	return nil
}
