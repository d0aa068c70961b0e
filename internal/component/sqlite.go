package component

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Format of SQLite files: https://www.sqlite.org/fileformat2.html. Read here is one thing:
// the blobs of a table, by its name.

type sqlite struct {
	db   []byte
	page int // size
	used int // of a page, without what is reserved at its end
	left int // pages that may still be visited
}

// sqliteBlobs returns the blobs of the first blob column of a table.
func sqliteBlobs(db []byte, table string) ([][]byte, error) {
	s := &sqlite{db: db, page: int(binary.BigEndian.Uint16(db[16:]))}
	if s.page == 1 {
		s.page = 65536
	}
	if s.page < 512 || s.page&(s.page-1) != 0 {
		return nil, fmt.Errorf("sqlite: page size %d", s.page)
	}
	s.used = s.page - int(db[20])
	s.left = len(db)/s.page + 1
	root := 0
	err := s.walk(1, 0, func(row [][]byte, kinds []uint64) {
		// sqlite_schema: type, name, tbl_name, rootpage, sql
		if len(row) >= 4 && string(row[0]) == "table" && strings.EqualFold(string(row[1]), table) {
			root = number(row[3])
		}
	})
	if err != nil {
		return nil, err
	}
	if root == 0 {
		return nil, fmt.Errorf("sqlite: no table %q", table)
	}
	s.left = len(db)/s.page + 1
	var out [][]byte
	err = s.walk(root, 0, func(row [][]byte, kinds []uint64) {
		for i, k := range kinds {
			if k >= 12 && k%2 == 0 {
				out = append(out, row[i])
				return
			}
		}
	})
	return out, err
}

func number(p []byte) int {
	n := 0
	for _, c := range p {
		n = n<<8 | int(c)
	}
	return n
}

// walk calls f with the rows of a table's tree.
func (s *sqlite) walk(n, depth int, f func(row [][]byte, kinds []uint64)) error {
	if s.left--; s.left < 0 || depth > 20 {
		return errors.New("sqlite: the tree has a loop")
	}
	if n < 1 || n > len(s.db)/s.page {
		return fmt.Errorf("sqlite: page %d past the end", n)
	}
	p := s.db[(n-1)*s.page : n*s.page]
	at := 0
	if n == 1 {
		at = 100
	}
	cells := int(binary.BigEndian.Uint16(p[at+3:]))
	head := at + 8
	inner := p[at] == 5
	if inner {
		head = at + 12
	} else if p[at] != 13 {
		return fmt.Errorf("sqlite: page %d is no table's", n)
	}
	for i := 0; i < cells && head+2*i+2 <= len(p); i++ {
		c := int(binary.BigEndian.Uint16(p[head+2*i:]))
		if c+4 > len(p) {
			return fmt.Errorf("sqlite: page %d: cell past its end", n)
		}
		if inner {
			if err := s.walk(int(binary.BigEndian.Uint32(p[c:])), depth+1, f); err != nil {
				return err
			}
			continue
		}
		if row, kinds, ok := s.record(s.payload(p, c)); ok {
			f(row, kinds)
		}
	}
	if inner {
		return s.walk(int(binary.BigEndian.Uint32(p[at+8:])), depth+1, f)
	}
	return nil
}

// payload returns the bytes of a leaf's cell, overflow pages included, nil where they
// are damaged.
func (s *sqlite) payload(p []byte, at int) []byte {
	size, n := varint(p[at:])
	at += n
	_, n = varint(p[at:])
	at += n
	if size > uint64(len(s.db)) {
		return nil
	}
	total := int(size)
	most, least := s.used-35, (s.used-12)*32/255-23
	if total <= most {
		if at+total > len(p) {
			return nil
		}
		return p[at : at+total]
	}
	local := least + (total-least)%(s.used-4)
	if local > most {
		local = least
	}
	if at+local+4 > len(p) {
		return nil
	}
	out := append([]byte(nil), p[at:at+local]...)
	next := int(binary.BigEndian.Uint32(p[at+local:]))
	for hops := 0; len(out) < total && hops < len(s.db)/s.page; hops++ {
		if next < 1 || next > len(s.db)/s.page {
			return nil
		}
		q := s.db[(next-1)*s.page:]
		n := min(total-len(out), s.used-4)
		out = append(out, q[4:4+n]...)
		next = int(binary.BigEndian.Uint32(q))
	}
	if len(out) < total {
		return nil
	}
	return out
}

// record cuts a row into its columns.
func (s *sqlite) record(b []byte) (row [][]byte, kinds []uint64, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	size, n := varint(b)
	if size > uint64(len(b)) || n > int(size) {
		return nil, nil, false
	}
	head, body := b[n:size], b[size:]
	for len(head) > 0 {
		k, n := varint(head)
		head = head[n:]
		length := 0
		switch {
		case k >= 12:
			if k/2 > uint64(len(b))+6 {
				return nil, nil, false
			}
			length = int(k-12) / 2
		case k <= 4:
			length = int(k)
		case k == 5:
			length = 6
		case k <= 7:
			length = 8
		}
		if length > len(body) {
			return nil, nil, false
		}
		row, kinds, body = append(row, body[:length]), append(kinds, k), body[length:]
	}
	return row, kinds, true
}

// varint reads SQLite's number of one to nine bytes.
func varint(p []byte) (uint64, int) {
	var v uint64
	for i := 0; i < len(p) && i < 8; i++ {
		v = v<<7 | uint64(p[i]&0x7f)
		if p[i] < 0x80 {
			return v, i + 1
		}
	}
	if len(p) > 8 {
		return v<<8 | uint64(p[8]), 9
	}
	return v, len(p)
}
