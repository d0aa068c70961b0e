package firmware

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// Table is a table of a database, with what its columns are called.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns,omitempty"`
	Rows    bool     `json:"rows,omitempty"` // there are some
}

// storeLiterals are what the looker at stores of data is told of.
var storeLiterals = []string{"MSH|^~\\&", "LUKS\xba\xbe"}

const sqliteMagic = "SQLite format 3\x00"

// Bounds of what is read of a database's list of tables.
const (
	sqliteTables = 400
	sqlitePages  = 400
	sqliteText   = 16 << 10
)

// lookStore tells stores of data by their first bytes, and lists the tables of SQLite.
func lookStore(t *Trace, c *content) {
	p := c.data
	switch {
	case bytes.HasPrefix(p, []byte(sqliteMagic)) && len(p) >= 512:
		t.Store = "sqlite"
		t.Tables = sqliteSchema(c)
	case len(p) > 132 && string(p[128:132]) == "DICM":
		t.Store = "dicom"
	case bytes.HasPrefix(p, []byte("LUKS\xba\xbe")):
		t.Store = "luks"
	case t.Type == "text":
		for _, h := range c.hits {
			if storeLiterals[h.literal] == "MSH|^~\\&" {
				t.Store = "hl7"
			}
		}
	}
}

// sqlite reads the table of tables of a SQLite database (SQLite database file format,
// 1.6 and 2.6): the b-tree whose root is the first page.
type sqlite struct {
	c      *content
	page   int64
	pages  int
	tables []Table
}

func sqliteSchema(c *content) []Table {
	s := sqlite{c: c, page: int64(binary.BigEndian.Uint16(c.data[16:]))}
	if s.page == 1 {
		s.page = 65536
	}
	if s.page < 512 {
		return nil
	}
	s.tree(1)
	return s.tables
}

// read returns a page, and where its b-tree header begins.
func (s *sqlite) read(n uint32) (p []byte, head int) {
	if n == 0 {
		return nil, 0
	}
	off := int64(n-1) * s.page
	p, err := s.c.blob.View(off, min(s.page, max(s.c.blob.Size()-off, 0)))
	if err != nil || len(p) < 112 {
		return nil, 0
	}
	if n == 1 {
		return p, 100
	}
	return p, 0
}

// tree walks a table b-tree.
func (s *sqlite) tree(n uint32) {
	if s.pages++; s.pages > sqlitePages {
		return
	}
	p, h := s.read(n)
	if p == nil {
		return
	}
	cells := int(binary.BigEndian.Uint16(p[h+3:]))
	switch p[h] {
	case 0x05: // interior
		for i := range cells {
			at := h + 12 + 2*i
			if at+2 > len(p) {
				break
			}
			if cell := int(binary.BigEndian.Uint16(p[at:])); cell+4 <= len(p) {
				s.tree(binary.BigEndian.Uint32(p[cell:]))
			}
		}
		s.tree(binary.BigEndian.Uint32(p[h+8:]))
	case 0x0d: // leaf
		for i := range cells {
			at := h + 8 + 2*i
			if at+2 > len(p) || len(s.tables) >= sqliteTables {
				break
			}
			if cell := int(binary.BigEndian.Uint16(p[at:])); cell < len(p) {
				s.row(p[cell:])
			}
		}
	}
}

// varint reads a number of one to nine bytes.
func varint(p []byte) (v uint64, n int) {
	for n < len(p) && n < 8 {
		v = v<<7 | uint64(p[n]&0x7f)
		if n++; p[n-1] < 0x80 {
			return v, n
		}
	}
	if n < len(p) {
		return v<<8 | uint64(p[n]), n + 1
	}
	return 0, 0
}

// row reads one row of the table of tables: type, name, table, root page, statement. What
// lies on other pages than this one is left out.
func (s *sqlite) row(p []byte) {
	_, n := varint(p)
	_, m := varint(p[n:])
	if p = p[n+m:]; n == 0 || m == 0 || len(p) == 0 {
		return
	}
	size, n := varint(p)
	if n == 0 || size > uint64(len(p)) || size < 2 {
		return
	}
	head, body := p[n:max(size, uint64(n))], p[size:]
	var cols [5][]byte
	for i := range cols {
		kind, n := varint(head)
		if n == 0 {
			return
		}
		head = head[n:]
		width := uint64(0)
		switch {
		case kind >= 12:
			width = (kind - 12) / 2
		case kind <= 6:
			width = []uint64{0, 1, 2, 3, 4, 6, 8}[kind]
		case kind == 7:
			width = 8
		}
		width = min(width, uint64(len(body)))
		cols[i], body = body[:width], body[width:]
	}
	name := string(cols[1])
	if string(cols[0]) != "table" || name == "" || len(name) > 200 || strings.HasPrefix(name, "sqlite_") {
		return
	}
	root := uint32(0)
	for _, c := range cols[3][:min(len(cols[3]), 4)] {
		root = root<<8 | uint32(c)
	}
	t := Table{Name: name, Columns: columns(string(cols[4][:min(len(cols[4]), sqliteText)]))}
	if q, h := s.read(root); q != nil {
		t.Rows = binary.BigEndian.Uint16(q[h+3:]) > 0
	}
	s.tables = append(s.tables, t)
}

var columnName = search.Lazy("^[\\s\"`\\[']*([A-Za-z_]\\w*)")

// columns reads the names of the columns of a CREATE TABLE.
func columns(statement string) []string {
	_, list, ok := strings.Cut(statement, "(")
	if !ok {
		return nil
	}
	var out []string
	depth, start := 0, 0
	take := func(part string) {
		m := columnName.FindStringSubmatch(part)
		if m == nil || len(out) >= 200 {
			return
		}
		switch strings.ToUpper(m[1]) {
		case "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT":
			return
		}
		out = append(out, m[1])
	}
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 {
				take(list[start:i])
				return out
			}
		case ',':
			if depth == 0 {
				take(list[start:i])
				start = i + 1
			}
		}
	}
	take(list[start:])
	return out
}
