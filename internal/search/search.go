// Package search finds many literals in one pass over bytes.
//
// A [Set] is made once from all literals that anybody looks for; [Set.Find] then reads a
// content once for all of them. A literal is told by its first four bytes, through a small
// bitmap that most bytes never get past, so that a few thousand literals cost about as
// much as one.
//
// It knows no file format, no pattern language and no case folding: whoever wants a word
// in two spellings asks for two literals.
package search

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Least is the length of the shortest literal.
const Least = 4

const (
	bitmapBits = 18
	mix        = 0x9E3779B1
)

// Set is a set of literals. It is immutable and safe for concurrent use.
type Set struct {
	literals []string
	bitmap   [1 << bitmapBits / 64]uint64
	first    map[uint32][]int32 // first four bytes -> literals
	longest  int
}

// New makes a set of literals; their indexes are what Find tells. A literal shorter than
// [Least] is an error.
func New(literals []string) (*Set, error) {
	s := &Set{literals: literals, first: map[uint32][]int32{}}
	for i, l := range literals {
		if len(l) < Least {
			return nil, fmt.Errorf("literal %q: shorter than %d bytes", l, Least)
		}
		k := binary.LittleEndian.Uint32([]byte(l[:4]))
		h := k * mix >> (32 - bitmapBits)
		s.bitmap[h/64] |= 1 << (h % 64)
		s.first[k] = append(s.first[k], int32(i))
		s.longest = max(s.longest, len(l))
	}
	return s, nil
}

// Len returns the number of literals.
func (s *Set) Len() int { return len(s.literals) }

// Literal returns the literal with an index.
func (s *Set) Literal(i int) string { return s.literals[i] }

// Longest returns the length of the longest literal: how far windows of one content have
// to overlap.
func (s *Set) Longest() int { return s.longest }

// Find tells every occurrence of every literal in data, in the order of their offsets;
// occurrences may overlap.
func (s *Set) Find(data []byte, found func(literal, at int)) {
	for i := 0; i+4 <= len(data); i++ {
		k := binary.LittleEndian.Uint32(data[i:])
		h := k * mix >> (32 - bitmapBits)
		if s.bitmap[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		for _, n := range s.first[k] {
			if l := s.literals[n]; len(data)-i >= len(l) && string(data[i:i+len(l)]) == l {
				found(int(n), i)
			}
		}
	}
}

// Strings calls f with every run of at least least printable ASCII bytes (and tabs) of
// data, and its offset.
func Strings(data []byte, least int, f func(at int, s []byte)) {
	start := -1
	for i, c := range data {
		if c >= ' ' && c < 0x7f || c == '\t' {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 && i-start >= least {
			f(start, data[start:i])
		}
		start = -1
	}
	if start >= 0 && len(data)-start >= least {
		f(start, data[start:])
	}
}

// Around returns the printable run of data that holds the offset at, and where it starts.
func Around(data []byte, at int) (start int, s string) {
	printable := func(c byte) bool { return c >= ' ' && c < 0x7f || c == '\t' }
	start, end := at, at
	for start > 0 && printable(data[start-1]) {
		start--
	}
	for end < len(data) && printable(data[end]) {
		end++
	}
	return start, strings.Clone(string(data[start:end]))
}
