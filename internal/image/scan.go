package image

import (
	"bytes"
	"cmp"
	"container/heap"
	"fmt"
	"math"
)

// scanner finds the magics of formats in unknown bytes.
type scanner struct {
	magics []magic
	first  [1 << 16]bool // the first two bytes of some magic
	by     map[[2]byte][]int
	back   int64 // the farthest that a magic lies behind its format's start
	long   int64 // the longest magic
}

type magic struct {
	Magic
	format *Format
}

// hit is a magic that was seen: where its format would start.
type hit struct {
	format *Format
	at     int64 // start of the format
	seen   int   // the order in which the magics were seen
}

func newScanner(formats []*Format) *scanner {
	s := &scanner{by: map[[2]byte][]int{}}
	for _, f := range formats {
		for _, m := range f.Magic {
			if f.Weak || len(m.Bytes) < 2 {
				continue
			}
			k := [2]byte{m.Bytes[0], m.Bytes[1]}
			s.first[int(k[0])<<8|int(k[1])] = true
			s.by[k] = append(s.by[k], len(s.magics))
			s.magics = append(s.magics, magic{m, f})
			s.back = max(s.back, m.Offset)
			s.long = max(s.long, int64(len(m.Bytes)))
		}
	}
	return s
}

const (
	window = 1 << 20 // bytes of a blob that are held at once
	stride = 4 << 10 // bytes that are searched at once
)

// Most of a flash or a disk is empty: a stride of one of these bytes holds no magic.
var emptyZero, emptyOnes = bytes.Repeat([]byte{0}, stride+256), bytes.Repeat([]byte{0xff}, stride+256)

// cursor goes through a blob once and gives the magics in the order in which their
// formats start.
type cursor struct {
	*scanner
	b    *Blob
	pos  int64  // what lies before was searched
	view []byte // bytes at the offset held
	held int64
	buf  []byte
	hits hits // seen, but not given yet
	seen int
}

func (s *scanner) cursor(b *Blob) *cursor { return &cursor{scanner: s, b: b} }

// next returns the magic whose format starts first at or after from, which never goes
// back.
func (c *cursor) next(from int64) (hit, bool) {
	c.pos = max(c.pos, from)
	for {
		for len(c.hits) > 0 && c.hits[0].at < from {
			heap.Pop(&c.hits)
		}
		// A format that starts at x is seen at x+back at the latest.
		done := c.pos >= c.b.Size()
		if len(c.hits) > 0 && (done || c.pos > c.hits[0].at+c.back) {
			return heap.Pop(&c.hits).(hit), true
		}
		if done || !c.stride(from) {
			c.pos = c.b.Size()
			if len(c.hits) == 0 {
				return hit{}, false
			}
		}
	}
}

// stride searches some bytes further. It reports whether they could be read.
func (c *cursor) stride(from int64) bool {
	end := min(c.pos+stride, c.b.Size())
	want := min(end+c.long, c.b.Size()) // a magic may begin here and end there
	if c.pos < c.held || want > c.held+int64(len(c.view)) {
		n := min(window+c.long, c.b.Size()-c.pos)
		p, err := c.b.peek(c.buf, c.pos, n)
		if err != nil {
			return false
		}
		c.buf = c.b.reuse(p)
		c.view, c.held = p, c.pos
	}
	p := c.view[c.pos-c.held : want-c.held]
	n := int(end - c.pos)
	at := c.pos
	c.pos = end
	if len(p) <= len(emptyZero) && (bytes.Equal(p, emptyZero[:len(p)]) || bytes.Equal(p, emptyOnes[:len(p)])) {
		return true
	}
	for i := 0; i < n && i+1 < len(p); i++ {
		if c.first[int(p[i])<<8|int(p[i+1])] {
			c.match(p[i:], at+int64(i), from)
		}
	}
	return true
}

// match notes the magics that p, which lies at the offset at, begins with.
func (c *cursor) match(p []byte, at, from int64) {
	for _, k := range c.by[[2]byte{p[0], p[1]}] {
		m := &c.magics[k]
		if len(p) < len(m.Bytes) || string(p[:len(m.Bytes)]) != m.Bytes {
			continue
		}
		start := at - m.Offset
		if m.Offset == Anywhere {
			start = locate(m.format, c.b, at)
		}
		if start >= from {
			c.seen++
			heap.Push(&c.hits, hit{m.format, start, c.seen})
		}
	}
}

// locate asks a format where it starts. One that panics finds nothing.
func locate(f *Format, b *Blob, at int64) (start int64) {
	defer func() {
		if recover() != nil {
			start = -1
		}
	}()
	return f.Locate(b, at)
}

// hits is a heap: the one that starts first lies at the front.
type hits []hit

func (h hits) Len() int { return len(h) }
func (h hits) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].at, h[j].at), cmp.Compare(h[i].seen, h[j].seen)) < 0
}
func (h hits) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *hits) Push(x any)   { *h = append(*h, x.(hit)) }
func (h *hits) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// padding returns how many bytes at the front and at the back of b only pad: a run of
// one byte of 0x00 or 0xFF. All of b counts as front where it is all padding.
func padding(b *Blob) (front, back int64) {
	size := b.Size()
	var buf []byte
	for front < size {
		p, err := b.peek(buf, front, min(window, size-front))
		if err != nil {
			break
		}
		buf = b.reuse(p)
		n := run(p, p[0], false)
		if p[0] != 0 && p[0] != 0xff {
			n = 0
		}
		front += int64(n)
		if n < len(p) {
			break
		}
	}
	for back < size-front {
		n := min(window, size-front-back)
		p, err := b.peek(buf, size-back-n, n)
		if err != nil {
			break
		}
		buf = b.reuse(p)
		last := p[len(p)-1]
		k := run(p, last, true)
		if last != 0 && last != 0xff || k < 16 {
			break
		}
		back += int64(k)
		if k < len(p) {
			break
		}
	}
	if front < 16 && front < size {
		front = 0
	}
	return front, back
}

// run counts the bytes of p that equal c, from the start or from the end.
func run(p []byte, c byte, fromEnd bool) int {
	empty := emptyZero[:stride]
	if c == 0xff {
		empty = emptyOnes[:stride]
	}
	n := 0
	for len(p)-n >= stride && (c == 0 || c == 0xff) {
		q := p[n : n+stride]
		if fromEnd {
			q = p[len(p)-n-stride : len(p)-n]
		}
		if !bytes.Equal(q, empty) {
			break
		}
		n += stride
	}
	for n < len(p) {
		i := n
		if fromEnd {
			i = len(p) - 1 - n
		}
		if p[i] != c {
			break
		}
		n++
	}
	return n
}

const plainText = "unrecognised text"

// describe says what unknown bytes look like.
func describe(b *Blob) string {
	var count [256]int
	total := 0
	step := max(b.Size()/64, 16384)
	for off := int64(0); off < b.Size(); off += step {
		p, err := b.View(off, min(16384, b.Size()-off))
		if err != nil {
			break
		}
		for _, c := range p {
			count[c]++
		}
		total += len(p)
	}
	if total == 0 {
		return "unreadable bytes"
	}
	entropy, text := 0.0, 0
	for c, n := range count {
		if n == 0 {
			continue
		}
		f := float64(n) / float64(total)
		entropy -= f * math.Log2(f)
		if c >= ' ' && c < 0x7f || c == '\n' || c == '\t' || c == '\r' {
			text += n
		}
	}
	switch {
	case entropy > 7.9 && total >= 4096:
		return fmt.Sprintf("encrypted or compressed in an unknown way (entropy %.2f of 8 bits)", entropy)
	case text*100 > total*95:
		return plainText
	}
	return fmt.Sprintf("unrecognised data (entropy %.2f of 8 bits)", entropy)
}
