package unit

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	atMostBytes = 64 << 20
	atMostRows  = 500_000
	atMostCell  = 2000
)

// columns are what people call the columns of an inventory, folded; those in front are
// sought first.
var columns = []struct {
	name  string
	calls []string
}{
	{"vendor", []string{"vendor", "manufacturer", "maker", "make", "hersteller", "fabricant", "fabricante", "produttore", "fabrikant", "brand", "marke", "mfr", "mfg", "oem", "company", "firma"}},
	{"version", []string{"version", "software version", "firmware version", "firmware", "software", "sw version", "fw version", "sw", "fw", "release", "revision", "rev", "softwarestand", "sw-stand", "os version"}},
	{"serial", []string{"serial", "serial number", "serial no", "serialnumber", "sn", "s/n", "seriennummer", "serien-nr", "serien nr", "numero de serie"}},
	{"udi", []string{"udi", "udi-di", "di", "gtin"}},
	{"place", []string{"place", "location", "ward", "department", "standort", "station", "room", "raum", "abteilung", "site", "lieu", "unit", "ubicacion", "building", "kostenstelle"}},
	{"model", []string{"model", "model name", "modell", "modele", "modelo", "modello", "typ", "type", "gerat", "device", "device model", "device name", "bezeichnung", "geratebezeichnung", "equipment", "description", "name"}},
	{"product", []string{"product", "product name", "produkt", "producto", "produit", "product family", "family", "produktname"}},
}

// Read reads an inventory: a table with a line of headings, of which the model (or
// product) is needed, and maker, version, serial number, UDI and place are taken. The
// separator may be comma, semicolon, tab or bar, the encoding UTF-8, UTF-16 or Latin-1, and
// headings may be in several languages. Rows that are empty are passed by.
func Read(r io.Reader) ([]Unit, error) {
	var b bytes.Buffer
	if n, err := io.Copy(&b, io.LimitReader(r, atMostBytes+1)); err != nil {
		return nil, err
	} else if n > atMostBytes {
		return nil, fmt.Errorf("inventory: more than %d bytes", atMostBytes)
	}
	text := decode(b.Bytes())
	first, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n "), "\n")
	if rest, ok := strings.CutPrefix(first, "sep="); ok && strings.TrimSpace(rest) != "" { // a spreadsheet's hint
		_, text, _ = strings.Cut(strings.TrimLeft(text, "\r\n "), "\n")
		first, _, _ = strings.Cut(text, "\n")
	}
	comma := separator(first)
	text = regexp.MustCompile(`"[ ]+`+regexp.QuoteMeta(string(comma))).ReplaceAllString(text, `"`+string(comma))
	c := csv.NewReader(strings.NewReader(text))
	c.LazyQuotes, c.FieldsPerRecord, c.ReuseRecord = true, -1, true
	c.Comma, c.TrimLeadingSpace = comma, comma != '\t' // which would make one of two empty cells
	var at map[string]int
	var units []Unit
	for row := 1; ; row++ {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("inventory: row %d: %w", row, err)
		}
		for i, cell := range rec {
			if len(cell) > atMostCell {
				return nil, fmt.Errorf("inventory: row %d: column %d has %d bytes, the limit is %d", row, i+1, len(cell), atMostCell)
			}
		}
		if at == nil {
			if at = headings(rec); at == nil {
				return nil, fmt.Errorf("inventory: row %d: no column is called model or product: %.200q", row, strings.Join(rec, "|"))
			}
			continue
		}
		get := func(name string) string {
			if i, ok := at[name]; ok && i < len(rec) {
				return strings.Join(strings.Fields(rec[i]), " ")
			}
			return ""
		}
		u := Unit{Row: row, Vendor: get("vendor"), Model: get("model"), Version: get("version"), Serial: get("serial"), UDI: get("udi"), Place: get("place")}
		if p := get("product"); p != "" && !strings.Contains(fold(u.Model), fold(p)) {
			u.Model = strings.TrimSpace(p + " " + u.Model)
		}
		if u.Vendor == "" && u.Model == "" && u.Version == "" {
			continue
		}
		if len(units) >= atMostRows {
			return nil, fmt.Errorf("inventory: more than %d rows", atMostRows)
		}
		units = append(units, u)
	}
	if at == nil {
		return nil, errors.New("inventory: it is empty")
	}
	return units, nil
}

// decode makes text of bytes: UTF-16 by its mark, UTF-8 where it is valid, else Latin-1.
func decode(b []byte) string {
	wide := func(b []byte, hi, lo int) string {
		u := make([]uint16, 0, len(b)/2)
		for i := 0; i+1 < len(b); i += 2 {
			u = append(u, uint16(b[i+hi])<<8|uint16(b[i+lo]))
		}
		return string(utf16.Decode(u))
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return wide(b[2:], 1, 0)
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return wide(b[2:], 0, 1)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if utf8.Valid(b) {
		return string(b)
	}
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// separator is what stands most often between the headings.
func separator(line string) rune {
	best, most := ',', 0
	for _, r := range ",;\t|" {
		if n := strings.Count(line, string(r)); n > most {
			best, most = r, n
		}
	}
	return best
}

// headings finds the columns; nil where there is none for the model.
func headings(rec []string) map[string]int {
	at := map[string]int{}
	folded := make([]string, len(rec))
	for i, h := range rec {
		folded[i] = strings.Trim(strings.NewReplacer("_", " ", "*", "", ":", "").Replace(fold(h)), " \"'")
	}
	used := map[int]bool{}
	take := func(name string, is func(heading, call string) bool) {
		if _, ok := at[name]; ok {
			return
		}
		for _, c := range columns {
			if c.name != name {
				continue
			}
			for _, call := range c.calls {
				if i := slices.IndexFunc(folded, func(h string) bool { return is(h, call) }); i >= 0 && !used[i] {
					at[name], used[i] = i, true
					return
				}
			}
		}
	}
	for _, c := range columns {
		take(c.name, func(h, call string) bool { return h == call })
	}
	for _, c := range columns {
		take(c.name, func(h, call string) bool { return len(call) > 3 && strings.Contains(h, call) })
	}
	if _, ok := at["model"]; !ok {
		if i, ok := at["product"]; ok {
			at["model"] = i
			delete(at, "product")
		} else {
			return nil
		}
	}
	return at
}
