package format

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

var srec = &image.Format{
	Name:  "srec",
	Title: "Motorola S-record",
	Class: "encoding",
	Where: "firmware of microcontrollers, of Motorola's and NXP's above all",
	Spec: "Motorola M68000 Family Programmer's Reference Manual, appendix C. Attributes: records, ranges, start (address, hexadecimal), " +
		"header. A part is a range of addresses, named by its first one; holes of up to 1 kB are filled with 0xff",
	Limits: "found at the start of an input, part or file only; up to the size that may lie in memory eight times; the number of records " +
		"that S5 and S6 say is not compared",
	Magic: []image.Magic{{Offset: 0, Bytes: "S0"}, {Offset: 0, Bytes: "S1"}, {Offset: 0, Bytes: "S2"}, {Offset: 0, Bytes: "S3"}},
	Weak:  true,
	Open:  openSRec,
}

func openSRec(in *image.Input) (*image.Content, error) {
	p, err := in.View(0, min(10, in.Size()))
	if err != nil || len(p) < 10 || unhex(nil, p[2:10]) == nil {
		return nil, image.ErrNot
	}
	if most := 8 * in.Budget.Limits().Memory; in.Size() > most {
		return nil, fmt.Errorf("a text of %d bytes, more than %d", in.Size(), most)
	}
	m, attrs := &memory{}, map[string]string{}
	records, done := 0, int64(0)
	var buf []byte
	end := lines(in.Blob, func(at int64, text []byte) bool {
		if done > 0 || text[0] != 'S' || len(text) < 4 {
			return false
		}
		r := unhex(buf, text[2:])
		width := map[byte]int{'0': 2, '1': 2, '2': 3, '3': 4, '5': 2, '6': 3, '7': 4, '8': 3, '9': 2}[text[1]]
		if width == 0 || len(r) < width+2 || len(r) != 1+int(r[0]) || sumBytes(r) != 0xff {
			if records == 0 {
				return false
			}
			m.gap(at, len(text), "a line with a wrong length or checksum")
			return true
		}
		buf = r
		records++
		address := int64(0)
		for _, c := range r[1 : 1+width] {
			address = address<<8 | int64(c)
		}
		data := r[1+width : len(r)-1]
		switch text[1] {
		case '0':
			if s := strings.TrimRight(cstring(data), " "); printable(s) && s != "" {
				attrs["header"] = s
			}
		case '1', '2', '3':
			m.add(address, at, data)
		case '7', '8', '9':
			attrs["start"] = fmt.Sprintf("%#x", address)
			done = at + int64(len(text))
		}
		return true
	})
	if len(m.pieces) == 0 {
		return nil, image.ErrNot
	}
	if done == 0 {
		m.gap(end, 0, "the record that ends the file is missing: lines may be too")
		done = end
	}
	attrs["records"] = strconv.Itoa(records)
	return m.content(lineEnd(in.Blob, done), attrs), nil
}

// printable reports whether a text is plain ASCII.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
