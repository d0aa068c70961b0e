package image

import (
	"bytes"
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

const window = 1 << 20

var zeroPage [4096]byte

// next returns the magic whose format starts first at or after from. tried says that
// formats at from itself were tried already.
func (s *scanner) next(b *Blob, from int64, tried bool) (hit, bool) {
	best := hit{at: math.MaxInt64}
	// A format that starts at x is seen at x+Offset at the latest: search a little past
	// the best hit for one that starts before it.
	for off := from; off < b.Size(); off += window {
		if best.format != nil && off > best.at+s.back {
			break
		}
		p, err := b.View(off, min(window+s.long, b.Size()-off))
		if err != nil {
			break
		}
		s.window(b, p, off, from, tried, &best)
	}
	return best, best.format != nil
}

// window searches the bytes p, which lie at off.
func (s *scanner) window(b *Blob, p []byte, off, from int64, tried bool, best *hit) {
	for i := 0; i+1 < len(p) && i < window; i++ {
		if i&4095 == 0 && i+len(zeroPage) < len(p) && bytes.Equal(p[i:i+len(zeroPage)], zeroPage[:]) {
			i += len(zeroPage) - 2
			continue
		}
		if !s.first[int(p[i])<<8|int(p[i+1])] {
			continue
		}
		if best.format != nil && off+int64(i) > best.at+s.back {
			return
		}
		for _, k := range s.by[[2]byte{p[i], p[i+1]}] {
			m := &s.magics[k]
			if len(p)-i < len(m.Bytes) || string(p[i:i+len(m.Bytes)]) != m.Bytes {
				continue
			}
			at := off + int64(i) - m.Offset
			if m.Offset == Anywhere {
				at = m.format.Locate(b, off+int64(i))
			}
			if at < from || tried && at == from || at >= best.at {
				continue
			}
			*best = hit{m.format, at}
		}
	}
}

// padding returns how many bytes at the front and at the back of b only pad: a run of
// one byte of 0x00 or 0xFF. All of b counts as front where it is all padding.
func padding(b *Blob) (front, back int64) {
	size := b.Size()
	for front < size {
		p, err := b.View(front, min(window, size-front))
		if err != nil {
			break
		}
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
		p, err := b.View(size-back-n, n)
		if err != nil {
			break
		}
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
	n := 0
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
		return "unrecognised text"
	}
	return fmt.Sprintf("unrecognised data (entropy %.2f of 8 bits)", entropy)
}
