package format

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// piece is bytes at an address of a microcontroller's memory, and where the line that
// says so begins.
type piece struct {
	address, line int64
	data          []byte
}

// memory collects what a hexadecimal format puts where.
type memory struct {
	pieces []piece
	gaps   []fact.Gap
	more   int
}

// memoryJoin is the hole up to which two ranges are one: what aligns code and data. It
// is filled as erased flash is.
const memoryJoin = 1 << 10

// add adds bytes, which it copies.
func (m *memory) add(address, line int64, data []byte) {
	if n := len(m.pieces); n > 0 {
		if p := &m.pieces[n-1]; p.address+int64(len(p.data)) == address {
			p.data = append(p.data, data...)
			return
		}
	}
	m.pieces = append(m.pieces, piece{address, line, bytes.Clone(data)})
}

func (m *memory) gap(line int64, size int, why string) {
	if len(m.gaps) >= maxEntryGaps {
		m.more++
		return
	}
	m.gaps = append(m.gaps, fact.Gap{Place: fact.Place{Offset: line}, Size: int64(size), Reason: "damaged", Why: why})
}

// memoryRanges is how many ranges are opened: no microcontroller has more kinds of memory.
const memoryRanges = 4096

// content makes a part of each range of addresses, named by its first one. Holes take no
// more than the text itself.
func (m *memory) content(size int64, attrs map[string]string) *image.Content {
	slices.SortStableFunc(m.pieces, func(a, b piece) int { return cmp.Compare(a.address, b.address) })
	var ranges []piece
	fill := size
	for i, p := range m.pieces {
		if n := len(ranges); n > 0 {
			last := &ranges[n-1]
			end := last.address + int64(len(last.data))
			if p.address < end { // written twice: the later line counts
				m.gap(p.line, 0, fmt.Sprintf("address %#x is written twice", p.address))
				k := copy(last.data[p.address-last.address:], p.data)
				last.data = append(last.data, p.data[k:]...)
				continue
			}
			if hole := p.address - end; hole <= min(memoryJoin, fill) {
				fill -= hole
				last.data = append(append(last.data, bytes.Repeat([]byte{0xff}, int(hole))...), p.data...)
				continue
			}
		}
		if len(ranges) == memoryRanges {
			m.gaps = append(m.gaps, fact.Gap{Place: fact.Place{Offset: p.line}, Reason: "limit", Why: fmt.Sprintf("more than %d ranges of addresses: %d pieces are left out", memoryRanges, len(m.pieces)-i)})
			break
		}
		ranges = append(ranges, p)
	}
	attrs["ranges"] = strconv.Itoa(len(ranges))
	c := &image.Content{Size: size, Attributes: attrs, Gaps: m.gaps}
	if m.more > 0 {
		c.Gaps = append(c.Gaps, fact.Gap{Reason: "damaged", Why: fmt.Sprintf("%d more lines are damaged", m.more)})
	}
	for _, r := range ranges {
		c.Parts = append(c.Parts, image.Part{Name: fmt.Sprintf("%#x", r.address), Offset: r.line, Blob: image.BytesBlob(r.data)})
	}
	return c
}

// lines calls line for each line of b that is not empty, without its end, as long as it
// returns true. It returns where the line begins for which it did not, and a line that is
// longer than any of these formats has ends it too.
func lines(b *image.Blob, line func(at int64, text []byte) bool) (end int64) {
	const most = 1 << 10
	for at := int64(0); at < b.Size(); {
		p, err := b.View(at, min(64<<10, b.Size()-at))
		if err != nil {
			return at
		}
		for len(p) > 0 {
			n := bytes.IndexByte(p, '\n')
			if n < 0 {
				if n = len(p); n == 64<<10 || at+int64(n) < b.Size() {
					if n > most {
						return at
					}
					break // it goes on in the next piece
				}
			}
			if n > most {
				return at
			}
			text := bytes.TrimRight(p[:n], "\r \t")
			if len(text) > 0 && !line(at, text) {
				return at
			}
			n = min(n+1, len(p))
			p, at = p[n:], at+int64(n)
		}
	}
	return b.Size()
}

// unhex decodes the digits of a line into dst and returns the bytes, nil where one is no
// digit.
func unhex(dst, text []byte) []byte {
	if len(text)%2 != 0 {
		return nil
	}
	digit := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return int(c - '0')
		case c >= 'A' && c <= 'F':
			return int(c-'A') + 10
		case c >= 'a' && c <= 'f':
			return int(c-'a') + 10
		}
		return -1
	}
	dst = dst[:0]
	for i := 0; i < len(text); i += 2 {
		a, b := digit(text[i]), digit(text[i+1])
		if a < 0 || b < 0 {
			return nil
		}
		dst = append(dst, byte(a<<4|b))
	}
	return dst
}

// sumBytes adds bytes up.
func sumBytes(p []byte) (sum byte) {
	for _, c := range p {
		sum += c
	}
	return sum
}
