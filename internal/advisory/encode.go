package advisory

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// The index is made of numbers and strings. A number takes as many bytes as it needs
// (encoding/binary's varint). A string is either written out, or is the place of that
// string in the dictionary of its block: 0 is the empty one.

// dict gives strings their numbers, in the order in which they come.
type dict struct {
	ids  map[string]uint32
	list []string
	size int // bytes of all
}

func (d *dict) id(s string) uint64 {
	if s == "" {
		return 0
	}
	if n, ok := d.ids[s]; ok {
		return uint64(n)
	}
	if d.ids == nil {
		d.ids = map[string]uint32{}
	}
	s = strings.Clone(s) // s may be a piece of a record that is done with
	d.list = append(d.list, s)
	d.size += len(s)
	d.ids[s] = uint32(len(d.list))
	return uint64(len(d.list))
}

func (d *dict) reset() {
	clear(d.ids)
	clear(d.list)
	d.list = d.list[:0]
	d.size = 0
}

// writer appends to b; strings go to the dictionary, or are written out where there is none.
type writer struct {
	b []byte
	d *dict
}

func (w *writer) u(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) n(v int)    { w.u(uint64(v)) }
func (w *writer) i(v int64)  { w.b = binary.AppendVarint(w.b, v) }

func (w *writer) s(s string) {
	if w.d != nil {
		w.u(w.d.id(s))
		return
	}
	w.n(len(s))
	w.b = append(w.b, s...)
}

func (w *writer) strings(all []string) {
	w.n(len(all))
	for _, s := range all {
		w.s(s)
	}
}

// What a date can be: the years 1 to 9999.
const earliest, latest = -62135596800, 253402300799

// time keeps seconds.
func (w *writer) time(t time.Time) {
	if s := t.Unix(); s <= earliest || s > latest {
		w.u(0)
		return
	}
	w.u(1)
	w.i(t.Unix())
}

var errShort = errors.New("ends early or counts more than it holds")

// reader reads what a writer wrote. The first error stays, and what is read after it is
// empty: it is asked for once, at the end.
type reader struct {
	b    string
	strs []string // the dictionary
	dict bool
	err  error
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errShort
	}
	r.b = ""
}

func (r *reader) u() uint64 {
	var v uint64
	for i := 0; i < len(r.b) && i < binary.MaxVarintLen64; i++ {
		c := r.b[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.b = r.b[i+1:]
			return v
		}
	}
	r.fail()
	return 0
}

func (r *reader) i() int64 {
	v := r.u()
	return int64(v>>1) ^ -int64(v&1)
}

// n reads a count of things that take at least one byte each.
func (r *reader) n() int { return r.count(1) }

// count reads a count of things that take at least so many bytes each: a false one is
// noticed before memory is asked for.
func (r *reader) count(each int) int {
	v := r.u()
	if v > uint64(len(r.b)/each) {
		r.fail()
		return 0
	}
	return int(v)
}

// bytes reads so many bytes.
func (r *reader) bytes(n int) string {
	if n < 0 || n > len(r.b) {
		r.fail()
		return ""
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) s() string {
	if !r.dict {
		return r.bytes(r.n())
	}
	switch v := r.u(); {
	case v == 0:
		return ""
	case v <= uint64(len(r.strs)):
		return r.strs[v-1]
	}
	r.fail()
	return ""
}

func (r *reader) strings() []string {
	n := r.n()
	if n == 0 {
		return nil
	}
	all := make([]string, n)
	for i := range all {
		all[i] = r.s()
	}
	return all
}

func (r *reader) time() time.Time {
	if r.u() == 0 {
		return time.Time{}
	}
	s := r.i()
	if s <= earliest || s > latest {
		r.fail()
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}
