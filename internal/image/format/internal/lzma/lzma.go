// Package lzma decodes LZMA, LZMA2 and the xz container, as file systems and archives of
// devices carry them: from a block of memory, without allocation for each call, or as a
// stream.
//
// [Decoder] is the reusable heart. [XZ] decodes a whole .xz block of memory, [NewXZ] a
// stream, [NewAlone] a .lzma file; [Decoder.Raw] takes the headerless LZMA that vendors
// of routers put into their own variants. BCJ filters are undone.
//
// Formats: the .xz file format 1.1.0 (tukaani.org), LZMA specification of the 7-zip SDK.
package lzma

import (
	"errors"
	"fmt"
)

const (
	probInit  = 1024
	topValue  = 1 << 24
	maxRepPos = 4
	minMatch  = 2
)

// ErrShort is the error of an input that ends too early.
var ErrShort = errors.New("lzma: input ends early")

var (
	errDistance = errors.New("lzma: match reaches back before the start")
	errSize     = errors.New("lzma: more output than announced")
)

// lengths is the model of match lengths.
type lengths struct {
	choice, choice2 uint16
	low, mid        [16][8]uint16
	high            [256]uint16
}

// Decoder decodes LZMA data. The zero Decoder is ready; it may be used again and again.
type Decoder struct {
	isMatch    [12][16]uint16
	isRep      [12]uint16
	isRep0     [12]uint16
	isRep1     [12]uint16
	isRep2     [12]uint16
	isRep0Long [12][16]uint16
	slot       [4][64]uint16
	align      [16]uint16
	spec       [128]uint16
	length     lengths
	repLength  lengths
	literal    []uint16

	lc, lp, pb uint
	state      uint32
	rep        [4]uint32

	rng, code uint32
	in        []byte
	pos       int
	short     bool // the input ended inside a symbol

	out     []byte // what was decoded and still serves as the dictionary
	start   int    // matches reach back no farther than this
	pending int    // rest of a match that did not fit below the limit
}

// props sets lc, lp and pb from the properties byte.
func (d *Decoder) props(b byte) error {
	if b >= 9*5*5 {
		return fmt.Errorf("lzma: properties %#x", b)
	}
	d.lc, d.lp, d.pb = uint(b%9), uint(b/9%5), uint(b/45)
	return nil
}

func fill(p []uint16) {
	for i := range p {
		p[i] = probInit
	}
}

func (l *lengths) reset() {
	l.choice, l.choice2 = probInit, probInit
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

// reset makes the model new.
func (d *Decoder) reset() {
	n := 0x300 << (d.lc + d.lp)
	if cap(d.literal) < n {
		d.literal = make([]uint16, n)
	}
	d.literal = d.literal[:n]
	fill(d.literal)
	for i := range d.isMatch {
		fill(d.isMatch[i][:])
		fill(d.isRep0Long[i][:])
	}
	fill(d.isRep[:])
	fill(d.isRep0[:])
	fill(d.isRep1[:])
	fill(d.isRep2[:])
	for i := range d.slot {
		fill(d.slot[i][:])
	}
	fill(d.align[:])
	fill(d.spec[:])
	d.length.reset()
	d.repLength.reset()
	d.state = 0
	d.rep = [4]uint32{}
	d.pending = 0
}

// begin starts the range decoder on in.
func (d *Decoder) begin(in []byte) error {
	if len(in) < 5 {
		return ErrShort
	}
	if in[0] != 0 {
		return errors.New("lzma: range coder does not start with 0")
	}
	d.rng = 0xffffffff
	d.code = uint32(in[1])<<24 | uint32(in[2])<<16 | uint32(in[3])<<8 | uint32(in[4])
	d.in, d.pos, d.short = in, 5, false
	return nil
}

// next shifts the next byte in.
func (d *Decoder) next() {
	d.rng <<= 8
	if d.pos < len(d.in) {
		d.code = d.code<<8 | uint32(d.in[d.pos])
		d.pos++
		return
	}
	d.code <<= 8
	d.short = true
}

// bit decodes one bit by its model.
func (d *Decoder) bit(p *uint16) uint32 {
	v := *p
	bound := (d.rng >> 11) * uint32(v)
	if d.code < bound {
		d.rng = bound
		*p = v + (2048-v)>>5
		if d.rng < topValue {
			d.next()
		}
		return 0
	}
	d.rng -= bound
	d.code -= bound
	*p = v - v>>5
	if d.rng < topValue {
		d.next()
	}
	return 1
}

// tree decodes a number of n bits, the highest first; it begins with 1<<n set.
func (d *Decoder) tree(p []uint16, n int) uint32 {
	m := uint32(1)
	rng, code := d.rng, d.code
	for range n {
		q := &p[m]
		v := *q
		bound := (rng >> 11) * uint32(v)
		if code < bound {
			rng = bound
			*q = v + (2048-v)>>5
			m <<= 1
		} else {
			rng -= bound
			code -= bound
			*q = v - v>>5
			m = m<<1 | 1
		}
		if rng < topValue {
			d.rng, d.code = rng, code
			d.next()
			rng, code = d.rng, d.code
		}
	}
	d.rng, d.code = rng, code
	return m
}

// reverse decodes a number of n bits, the lowest first.
func (d *Decoder) reverse(p []uint16, n uint) uint32 {
	m, sym := uint32(1), uint32(0)
	for i := range n {
		b := d.bit(&p[m])
		m = m<<1 | b
		sym |= b << i
	}
	return sym
}

// direct decodes n bits that have no model.
func (d *Decoder) direct(n uint) uint32 {
	var v uint32
	for range n {
		d.rng >>= 1
		d.code -= d.rng
		t := 0 - d.code>>31
		d.code += d.rng & t
		v = v<<1 + t + 1
		if d.rng < topValue {
			d.next()
		}
	}
	return v
}

func (d *Decoder) matchLength(l *lengths, pos uint32) int {
	if d.bit(&l.choice) == 0 {
		return int(d.tree(l.low[pos][:], 3)) - 8
	}
	if d.bit(&l.choice2) == 0 {
		return int(d.tree(l.mid[pos][:], 3))
	}
	return int(d.tree(l.high[:], 8)) - 256 + 16
}

// distance decodes the distance of a match of the given length.
func (d *Decoder) distance(length int) uint32 {
	slot := d.tree(d.slot[min(length, 3)][:], 6) - 64
	if slot < 4 {
		return slot
	}
	n := uint(slot>>1 - 1)
	dist := (2 | slot&1) << n
	if slot < 14 {
		return dist + d.reverse(d.spec[dist-slot:], n)
	}
	dist += d.direct(n-4) << 4
	return dist + d.reverse(d.align[:], 4)
}

// literalByte decodes a literal and appends it.
func (d *Decoder) literalByte() {
	prev := uint32(0)
	if len(d.out) > d.start {
		prev = uint32(d.out[len(d.out)-1])
	}
	at := len(d.out) - d.start
	p := d.literal[0x300*((uint32(at)&(1<<d.lp-1))<<d.lc+prev>>(8-d.lc)):]
	p = p[:0x300:0x300]
	rng, code := d.rng, d.code
	in, pos := d.in, d.pos
	sym := uint32(1)
	if d.state >= 7 {
		if int(d.rep[0]) >= at { // a chunk that keeps the state over a reset of the dictionary
			d.short = true
			return
		}
		match := uint32(d.out[len(d.out)-1-int(d.rep[0])])
		offset := uint32(0x100)
		for sym < 0x100 {
			match <<= 1
			bit := match & offset
			q := &p[offset+bit+sym]
			v := *q
			bound := (rng >> 11) * uint32(v)
			if code < bound {
				rng = bound
				*q = v + (2048-v)>>5
				sym <<= 1
				offset &^= bit
			} else {
				rng -= bound
				code -= bound
				*q = v - v>>5
				sym = sym<<1 | 1
				offset &= bit
			}
			if rng < topValue {
				rng <<= 8
				code <<= 8
				if pos < len(in) {
					code |= uint32(in[pos])
					pos++
				} else {
					d.short = true
				}
			}
		}
	} else {
		for sym < 0x100 {
			q := &p[sym]
			v := *q
			bound := (rng >> 11) * uint32(v)
			if code < bound {
				rng = bound
				*q = v + (2048-v)>>5
				sym <<= 1
			} else {
				rng -= bound
				code -= bound
				*q = v - v>>5
				sym = sym<<1 | 1
			}
			if rng < topValue {
				rng <<= 8
				code <<= 8
				if pos < len(in) {
					code |= uint32(in[pos])
					pos++
				} else {
					d.short = true
				}
			}
		}
	}
	d.rng, d.code, d.pos = rng, code, pos
	d.out = append(d.out, byte(sym))
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
}

// copyMatch appends n bytes from the distance of rep[0], as far as limit allows.
func (d *Decoder) copyMatch(n, limit int) error {
	dist := int(d.rep[0]) + 1
	if dist > len(d.out)-d.start {
		return errDistance
	}
	if room := limit - len(d.out); n > room {
		d.pending = n - room
		n = room
	}
	at := len(d.out)
	d.out = d.out[:at+n]
	if dist >= n {
		copy(d.out[at:], d.out[at-dist:at-dist+n])
		return nil
	}
	for n > 0 { // the source grows while it is copied
		k := copy(d.out[at:at+n], d.out[at-dist:at])
		at += k
		n -= k
	}
	return nil
}

// run decodes until out has limit bytes (its capacity must be so large), or until the end
// marker. Nothing is read past the input; what is missing is ErrShort.
func (d *Decoder) run(limit int) (end bool, err error) {
	if d.pending > 0 {
		n := d.pending
		d.pending = 0
		if err := d.copyMatch(n, limit); err != nil {
			return false, err
		}
	}
	mask := uint32(1)<<d.pb - 1
	for len(d.out) < limit {
		if d.short {
			return false, ErrShort
		}
		pos := uint32(len(d.out)-d.start) & mask
		if d.bit(&d.isMatch[d.state][pos]) == 0 {
			d.literalByte()
			continue
		}
		var n int
		if d.bit(&d.isRep[d.state]) == 0 {
			n = d.matchLength(&d.length, pos)
			dist := d.distance(n)
			if dist == 0xffffffff {
				return true, nil
			}
			d.rep = [4]uint32{dist, d.rep[0], d.rep[1], d.rep[2]}
			if d.state < 7 {
				d.state = 7
			} else {
				d.state = 10
			}
		} else {
			short, err := d.repeated(pos)
			if err != nil {
				return false, err
			}
			if short {
				continue
			}
			n = d.matchLength(&d.repLength, pos)
			if d.state < 7 {
				d.state = 8
			} else {
				d.state = 11
			}
		}
		if err := d.copyMatch(n+minMatch, limit); err != nil {
			if d.short {
				return false, ErrShort
			}
			return false, err
		}
	}
	if d.short {
		return false, ErrShort
	}
	return false, nil
}

// repeated decodes which earlier distance is used again; a short repeat copies one byte.
func (d *Decoder) repeated(pos uint32) (short bool, err error) {
	if len(d.out) == d.start {
		return false, errDistance
	}
	if d.bit(&d.isRep0[d.state]) == 0 {
		if d.bit(&d.isRep0Long[d.state][pos]) == 0 {
			if int(d.rep[0]) >= len(d.out)-d.start {
				return false, errDistance
			}
			d.out = append(d.out, d.out[len(d.out)-1-int(d.rep[0])])
			if d.state < 7 {
				d.state = 9
			} else {
				d.state = 11
			}
			return true, nil
		}
		return false, nil
	}
	if d.bit(&d.isRep1[d.state]) == 0 {
		d.rep[0], d.rep[1] = d.rep[1], d.rep[0]
		return false, nil
	}
	if d.bit(&d.isRep2[d.state]) == 0 {
		d.rep = [4]uint32{d.rep[2], d.rep[0], d.rep[1], d.rep[3]}
	} else {
		d.rep = [4]uint32{d.rep[3], d.rep[0], d.rep[1], d.rep[2]}
	}
	return false, nil
}

// Raw decodes headerless LZMA data into dst, which must have the capacity of the whole
// output, and returns dst with the output appended and the bytes of src that were read.
// props is the properties byte (lc + 9*(lp + 5*pb)). It ends when dst is full or at an
// end marker.
func (d *Decoder) Raw(dst, src []byte, props byte) (out []byte, read int, err error) {
	if err := d.props(props); err != nil {
		return dst, 0, err
	}
	if d.lc+d.lp > 12 {
		return dst, 0, fmt.Errorf("lzma: properties %#x", props)
	}
	d.reset()
	if err := d.begin(src); err != nil {
		return dst, 0, err
	}
	d.out, d.start = dst, len(dst)
	_, err = d.run(cap(dst))
	out, d.out = d.out, nil
	return out, d.pos, err
}

// LZMA2 decodes LZMA2 chunks from src into dst up to the end chunk, and returns dst with the
// output appended and the bytes of src that were read. dst grows no farther than its
// capacity.
func (d *Decoder) LZMA2(dst, src []byte) (out []byte, read int, err error) {
	d.out, d.start = dst, len(dst)
	defer func() { d.out = nil }()
	needProps, needDict := true, true
	for {
		if read >= len(src) {
			return d.out, read, ErrShort
		}
		n, end, err := d.chunk(src[read:], &needProps, &needDict)
		read += n
		if err != nil || end {
			return d.out, read, err
		}
	}
}

// chunk decodes one LZMA2 chunk and returns the bytes it took.
func (d *Decoder) chunk(src []byte, needProps, needDict *bool) (n int, end bool, err error) {
	c := src[0]
	if c == 0 {
		return 1, true, nil
	}
	if c >= 0xe0 || c == 1 {
		*needDict = false
		d.start = len(d.out)
	} else if *needDict {
		return 0, false, errors.New("lzma: first chunk does not reset the dictionary")
	}
	if c < 0x80 {
		if c > 2 {
			return 0, false, fmt.Errorf("lzma: chunk of kind %#x", c)
		}
		if len(src) < 3 {
			return 0, false, ErrShort
		}
		size := int(src[1])<<8 + int(src[2]) + 1
		if len(src) < 3+size {
			return 0, false, ErrShort
		}
		if size > cap(d.out)-len(d.out) {
			return 0, false, errSize
		}
		d.out = append(d.out, src[3:3+size]...)
		return 3 + size, false, nil
	}
	head := 5
	if c >= 0xc0 {
		head = 6
	}
	if len(src) < head {
		return 0, false, ErrShort
	}
	size := int(c&0x1f)<<16 + int(src[1])<<8 + int(src[2]) + 1
	packed := int(src[3])<<8 + int(src[4]) + 1
	if len(src) < head+packed {
		return 0, false, ErrShort
	}
	switch {
	case c >= 0xc0:
		if err := d.props(src[5]); err != nil {
			return 0, false, err
		}
		if d.lc+d.lp > 4 {
			return 0, false, fmt.Errorf("lzma: properties %#x", src[5])
		}
		*needProps = false
		d.reset()
	case *needProps:
		return 0, false, errors.New("lzma: first chunk has no properties")
	case c >= 0xa0:
		d.reset()
	}
	if size > cap(d.out)-len(d.out) {
		return 0, false, errSize
	}
	if err := d.begin(src[head : head+packed]); err != nil {
		return 0, false, err
	}
	end, err = d.run(len(d.out) + size)
	if err == nil && (end || d.pending > 0) {
		err = errors.New("lzma: chunk holds another size than it says")
	}
	return head + packed, false, err
}
