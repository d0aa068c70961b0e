package search

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFind holds Find against bytes.Index, on data made of the literals' own letters.
func TestFind(t *testing.T) {
	t.Parallel()
	literals := []string{"abca", "abcab", "bcab", "aaaa", "cabcabc", "bbbb"}
	s, err := New(literals)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 20_000)
	for i := range data {
		data[i] = "abc"[r.IntN(3)]
	}
	var got, want []string
	s.Find(data, func(l, at int) { got = append(got, fmt.Sprintf("%05d %s", at, s.Literal(l))) })
	for _, l := range literals {
		for at := 0; ; at++ {
			i := bytes.Index(data[at:], []byte(l))
			if i < 0 {
				break
			}
			at += i
			want = append(want, fmt.Sprintf("%05d %s", at, l))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d occurrences, want %d", len(got), len(want))
	}
	if s.Longest() != 7 {
		t.Errorf("longest %d", s.Longest())
	}
}

// TestNewShort holds that a literal that cannot be found is refused.
func TestNewShort(t *testing.T) {
	t.Parallel()
	if _, err := New([]string{"abcd", "abc"}); err == nil {
		t.Error("no error")
	}
}

// TestStrings holds what a printable run is.
func TestStrings(t *testing.T) {
	t.Parallel()
	data := []byte("\x00abc\x01defgh\tx\xffijklm")
	var got []string
	Strings(data, 4, func(at int, s []byte) { got = append(got, fmt.Sprint(at, string(s))) })
	if want := []string{"5defgh\tx", "13ijklm"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if start, s := Around(data, 7); start != 5 || s != "defgh\tx" {
		t.Errorf("around: %d %q", start, s)
	}
}

func BenchmarkFind(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	var literals []string
	for range 2000 {
		p := make([]byte, 6+r.IntN(12))
		for i := range p {
			p[i] = byte('a' + r.IntN(26))
		}
		literals = append(literals, string(p))
	}
	s, err := New(literals)
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 8<<20)
	for i := range data {
		data[i] = byte(r.IntN(256))
	}
	b.SetBytes(int64(len(data)))
	n := 0
	for b.Loop() {
		s.Find(data, func(int, int) { n++ })
	}
}
