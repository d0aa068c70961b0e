// Package bzip2 decompresses bzip2 and says where the compressed bytes end.
//
// The standard library's reader takes what follows a stream for damage and does not tell
// where it stood; a stream in the middle of a firmware image is followed by something
// else. [Copy] stops behind the last stream and is faster as well. It reads what bzip2
// 0.9.5 and later write; blocks of older ones that are randomised are refused.
//
// The format has no specification but its program: https://sourceware.org/bzip2/.
package bzip2

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFormat says that the bytes do not begin with a stream.
var ErrFormat = errors.New("no bzip2 stream")

const (
	blockMagic = 0x314159265359
	endMagic   = 0x177245385090

	maxTables   = 6
	groupSize   = 50
	maxLength   = 20
	maxSymbols  = 258
	fastBits    = 10
	outputBytes = 64 << 10
)

// Begins reports whether p, of at least 10 bytes, is the start of a stream.
func Begins(p []byte) bool {
	if len(p) < 10 || string(p[:3]) != "BZh" || p[3] < '1' || p[3] > '9' {
		return false
	}
	magic := binary.BigEndian.Uint64(p[2:]) & (1<<48 - 1)
	return magic == blockMagic || magic == endMagic
}

// Copy decompresses the streams that lie one behind the other at the start of the size
// bytes of r and writes them to w. It keeps used at the number of bytes that it has read,
// and leaves it at those of the streams.
func Copy(w io.Writer, r io.ReaderAt, size int64, used *int64) error {
	d := &decoder{in: bits{r: r, size: size}, w: w, used: used, out: make([]byte, 0, outputBytes+256)}
	for first := true; ; first = false {
		var head [10]byte
		if n, _ := r.ReadAt(head[:], d.in.offset()); !Begins(head[:n]) {
			if first {
				return ErrFormat
			}
			return nil
		}
		if err := d.stream(); err != nil {
			return fmt.Errorf("at %#x: %w", d.in.offset(), err)
		}
		*used = d.in.offset()
	}
}

type decoder struct {
	in   bits
	w    io.Writer
	used *int64
	out  []byte

	tt     []uint32 // a byte in the low 8 bits; then the index of the next one above them
	tables [maxTables]table
}

// stream decompresses one stream.
func (d *decoder) stream() error {
	level := int(d.in.take(32)&15) * 100_000
	if cap(d.tt) < level {
		d.tt = make([]uint32, level)
	}
	d.tt = d.tt[:level]
	sum := uint32(0)
	for {
		magic := uint64(d.in.take(24))<<24 | uint64(d.in.take(24))
		want := d.in.take(32)
		if d.in.err != nil {
			return d.in.err
		}
		switch magic {
		case blockMagic:
			got, err := d.block()
			if err != nil {
				return cmp.Or(d.in.err, err) // what lies past the end is no code
			}
			if got != want {
				return fmt.Errorf("checksum of a block is %#x, not %#x", got, want)
			}
			sum = (sum<<1 | sum>>31) ^ got
			*d.used = d.in.offset()
		case endMagic:
			if sum != want {
				return fmt.Errorf("checksum of the stream is %#x, not %#x", sum, want)
			}
			d.in.align()
			return nil
		default:
			return fmt.Errorf("neither a block nor the end: %#x", magic)
		}
	}
}

// block decompresses one block and returns its checksum.
func (d *decoder) block() (uint32, error) {
	in := &d.in
	if in.take(1) != 0 {
		return 0, errors.New("randomised block of an old version")
	}
	start := in.take(24)
	var symbols [256]byte
	used := 0
	for i, m := 0, in.take(16); i < 16; i++ {
		if m>>(15-i)&1 == 0 {
			continue
		}
		for k, n := 0, in.take(16); k < 16; k++ {
			if n>>(15-k)&1 != 0 {
				symbols[used] = byte(i<<4 | k)
				used++
			}
		}
	}
	if used == 0 {
		return 0, errors.New("block without symbols")
	}
	selectors, err := d.readTables(used + 2)
	if err != nil {
		return 0, err
	}
	n, err := d.readSymbols(symbols[:used], selectors, used+1)
	if err != nil {
		return 0, err
	}
	if int(start) >= n {
		return 0, fmt.Errorf("start %d of a block of %d bytes", start, n)
	}
	return d.write(n, start)
}

// readTables reads the Huffman tables for symbols symbols and returns which one each group
// uses.
func (d *decoder) readTables(symbols int) ([]byte, error) {
	in := &d.in
	tables, count := int(in.take(3)), int(in.take(15))
	if tables < 2 || tables > maxTables || count == 0 {
		return nil, fmt.Errorf("%d tables, %d selectors", tables, count)
	}
	selectors := make([]byte, count)
	order := [maxTables]byte{0, 1, 2, 3, 4, 5}
	for i := range selectors {
		k := 0
		for in.take(1) != 0 {
			if k++; k >= tables {
				return nil, errors.New("selector past the last table")
			}
		}
		s := order[k]
		copy(order[1:k+1], order[:k])
		order[0], selectors[i] = s, s
	}
	for t := range tables {
		var lengths [maxSymbols]byte
		length := int(in.take(5))
		for i := range symbols {
			for {
				if length < 1 || length > maxLength {
					return nil, fmt.Errorf("code of %d bits", length)
				}
				if in.take(1) == 0 {
					break
				}
				length += 1 - 2*int(in.take(1))
			}
			lengths[i] = byte(length)
		}
		if err := d.tables[t].build(lengths[:symbols]); err != nil {
			return nil, err
		}
	}
	return selectors, in.err
}

// readSymbols reads the symbols of a block up to the one that ends it, and undoes run
// lengths and move to front. It returns the number of bytes.
func (d *decoder) readSymbols(front, selectors []byte, end int) (int, error) {
	in, tt := &d.in, d.tt
	n, left := 0, 0
	run, weight := 0, 1
	var t *table
	for {
		if left == 0 {
			if len(selectors) == 0 {
				return 0, errors.New("block without an end")
			}
			t, selectors, left = &d.tables[selectors[0]], selectors[1:], groupSize
		}
		left--
		s := t.read(in)
		if s < 2 { // RUNA, RUNB: a number in bijective base 2
			if weight > len(tt) {
				return 0, errors.New("run longer than the block")
			}
			run += weight << s
			weight <<= 1
			continue
		}
		if run > 0 {
			if run > len(tt)-n {
				return 0, errors.New("more bytes than a block holds")
			}
			c := uint32(front[0])
			for k := range tt[n : n+run] {
				tt[n+k] = c
			}
			n += run
			run, weight = 0, 1
		}
		if s >= end {
			if s > end {
				if in.err != nil {
					return 0, in.err
				}
				return 0, errors.New("code that no table has")
			}
			return n, in.err
		}
		if n == len(tt) {
			return 0, errors.New("more bytes than a block holds")
		}
		s--
		c := front[s]
		copy(front[1:s+1], front[:s])
		front[0] = c
		tt[n] = uint32(c)
		n++
	}
}

// write undoes the Burrows-Wheeler transform of n bytes and the first run lengths, writes
// the result, and returns its checksum.
func (d *decoder) write(n int, start uint32) (uint32, error) {
	tt := d.tt[:n]
	var at [256]int
	for _, x := range tt {
		at[x&0xff]++
	}
	sum := 0
	for i, c := range at {
		at[i] = sum
		sum += c
	}
	for i := range tt {
		c := tt[i] & 0xff
		tt[at[c]] |= uint32(i) << 8
		at[c]++
	}
	crc := ^uint32(0)
	pos := tt[start] >> 8
	out := d.out[:0]
	last, same := -1, 0
	for range tt {
		x := tt[pos]
		c := byte(x)
		pos = x >> 8
		count := 1
		if same == 4 { // the fifth says how often the four go on
			count, c, same = int(c), byte(last), 0
			last = -1
		} else if int(c) == last {
			same++
		} else {
			last, same = int(c), 1
		}
		for range count {
			crc = crc<<8 ^ crcTable[byte(crc>>24)^c]
			out = append(out, c)
		}
		if len(out) >= outputBytes {
			if _, err := d.w.Write(out); err != nil {
				return 0, err
			}
			out = out[:0]
		}
	}
	if len(out) > 0 {
		if _, err := d.w.Write(out); err != nil {
			return 0, err
		}
	}
	return ^crc, nil
}

// crcTable is for the polynomial 0x04C11DB7, the highest bit first.
var crcTable = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			c = c<<1 ^ uint32(int32(c)>>31)&0x04c11db7
		}
		t[i] = c
	}
	return t
}()

// table is a canonical Huffman code.
type table struct {
	fast  [1 << fastBits]uint16 // symbol and length (5 bits) of codes up to fastBits; 0 where longer
	limit [maxLength + 2]int32  // one past the last code of a length, left-aligned to maxLength bits
	base  [maxLength + 2]int32  // index of a length's first symbol less its first code
	perm  [maxSymbols]uint16
}

func (t *table) build(lengths []byte) error {
	var count [maxLength + 2]int32
	for _, l := range lengths {
		count[l]++
	}
	clear(t.fast[:])
	code, index := int32(0), int32(0)
	for l := 1; l <= maxLength; l++ {
		t.base[l] = index - code
		for s, m := range lengths {
			if int(m) == l {
				t.perm[index] = uint16(s)
				index++
			}
		}
		if code+count[l] > 1<<l {
			return errors.New("more codes than bits can tell")
		}
		if l <= fastBits {
			for k := range count[l] {
				entry := t.perm[t.base[l]+code+k]<<5 | uint16(l)
				for i := (code + k) << (fastBits - l); i < (code+k+1)<<(fastBits-l); i++ {
					t.fast[i] = entry
				}
			}
		}
		code += count[l]
		t.limit[l] = code << (maxLength - l)
		code <<= 1
	}
	return nil
}

// read returns the next symbol; maxSymbols where the bits are no code.
func (t *table) read(in *bits) int {
	x := int32(in.peek(maxLength))
	if e := t.fast[x>>(maxLength-fastBits)]; e != 0 {
		in.drop(uint(e & 31))
		return int(e >> 5)
	}
	for l := fastBits + 1; l <= maxLength; l++ {
		if x < t.limit[l] {
			in.drop(uint(l))
			return int(t.perm[t.base[l]+x>>(maxLength-l)])
		}
	}
	return maxSymbols
}

// bits reads bits, the highest first. Past the end there are zeros, and err is set once
// more were taken than there are.
type bits struct {
	r    io.ReaderAt
	size int64
	at   int64 // offset behind buf
	buf  []byte
	pos  int // next byte of buf
	acc  uint64
	n    uint // bits in acc
	over uint // bits of acc, its lowest, that lie past the end
	err  error
}

// fill makes at least 32 bits available.
func (b *bits) fill() {
	for b.n <= 56 {
		if b.pos == len(b.buf) && !b.load() {
			b.acc <<= 8
			b.n += 8
			b.over += 8
			continue
		}
		if b.n <= 32 && b.pos+4 <= len(b.buf) {
			b.acc = b.acc<<32 | uint64(binary.BigEndian.Uint32(b.buf[b.pos:]))
			b.pos += 4
			b.n += 32
			continue
		}
		b.acc = b.acc<<8 | uint64(b.buf[b.pos])
		b.pos++
		b.n += 8
	}
}

func (b *bits) load() bool {
	n := min(64<<10, b.size-b.at)
	if n <= 0 {
		return false
	}
	if b.buf == nil {
		b.buf = make([]byte, 64<<10)
	}
	k, err := b.r.ReadAt(b.buf[:n], b.at)
	if k == 0 && err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	b.buf, b.pos = b.buf[:k], 0
	b.at += int64(k)
	return k > 0
}

// peek returns the next n bits, at most 32, without taking them.
func (b *bits) peek(n uint) uint32 {
	if b.n < n {
		b.fill()
	}
	return uint32(b.acc >> (b.n - n) & (1<<n - 1))
}

func (b *bits) take(n uint) uint32 {
	x := b.peek(n)
	b.drop(n)
	return x
}

// drop takes bits that were seen.
func (b *bits) drop(n uint) {
	if b.n -= n; b.n < b.over && b.err == nil {
		b.err = io.ErrUnexpectedEOF
	}
}

// align drops the bits up to the next byte.
func (b *bits) align() { b.n -= b.n & 7 }

// offset is the number of bytes of which a bit was taken.
func (b *bits) offset() int64 {
	ahead := int64(len(b.buf)-b.pos) + int64(b.n/8)
	return min(b.at-ahead+int64(b.over/8), b.size)
}
