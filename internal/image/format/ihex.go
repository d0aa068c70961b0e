package format

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/image"
)

var ihex = &image.Format{
	Name:  "ihex",
	Title: "Intel HEX",
	Class: "encoding",
	Where: "firmware of microcontrollers: sensors, radios, motor and battery controllers inside of devices",
	Spec: "Intel Hexadecimal Object File Format Specification, revision A. Attributes: records, ranges, start (address, hexadecimal). " +
		"A part is a range of addresses, named by its first one; holes of up to 1 kB are filled with 0xff",
	Limits: "found at the start of an input, part or file only; up to the size that may lie in memory eight times",
	Magic:  []image.Magic{{Offset: 0, Bytes: ":"}},
	Weak:   true,
	Open:   openIHex,
}

// Types of records.
const (
	ihexData = iota
	ihexEnd
	ihexSegment
	ihexStartSegment
	ihexLinear
	ihexStartLinear
)

func openIHex(in *image.Input) (*image.Content, error) {
	p, err := in.View(0, min(11, in.Size()))
	if err != nil || len(p) < 11 || unhex(nil, p[1:11]) == nil {
		return nil, image.ErrNot
	}
	if most := 8 * in.Budget.Limits().Memory; in.Size() > most {
		return nil, fmt.Errorf("a text of %d bytes, more than %d", in.Size(), most)
	}
	m, attrs := &memory{}, map[string]string{}
	base, records, done := int64(0), 0, int64(0)
	var buf []byte
	end := lines(in.Blob, func(at int64, text []byte) bool {
		if done > 0 || text[0] != ':' {
			return false
		}
		r := unhex(buf, text[1:])
		if len(r) < 5 || len(r) != 5+int(r[0]) || sumBytes(r) != 0 {
			if records == 0 {
				return false
			}
			m.gap(at, len(text), "a line with a wrong length or checksum")
			return true
		}
		buf = r
		records++
		data := r[4 : len(r)-1]
		switch kind := r[3]; {
		case kind == ihexData:
			m.add(base+int64(be16(r[1:])), at, data)
		case kind == ihexEnd:
			done = at + int64(len(text))
		case kind == ihexSegment && len(data) == 2:
			base = int64(be16(data)) << 4
		case kind == ihexLinear && len(data) == 2:
			base = int64(be16(data)) << 16
		case (kind == ihexStartLinear || kind == ihexStartSegment) && len(data) == 4:
			attrs["start"] = fmt.Sprintf("%#x", be32(data))
		default:
			m.gap(at, len(text), fmt.Sprintf("a record of the type %d with %d bytes", kind, len(data)))
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

// lineEnd returns where the line that ends at an offset is over with its end.
func lineEnd(b *image.Blob, at int64) int64 {
	p, err := b.View(at, min(2, b.Size()-at))
	if err != nil {
		return at
	}
	switch {
	case bytes.HasPrefix(p, []byte("\r\n")):
		return at + 2
	case len(p) > 0 && (p[0] == '\n' || p[0] == '\r'):
		return at + 1
	}
	return at
}
