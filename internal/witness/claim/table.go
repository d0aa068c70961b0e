package claim

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of a form as a table.
const (
	maxRows   = 20_000
	maxCells  = 400_000
	maxSheets = 64
	maxCell   = 8 << 10  // bytes that are kept of one cell
	maxPart   = 32 << 20 // bytes of one part of a workbook, unpacked
	maxBook   = 96 << 20 // bytes of all parts that are read
	maxRatio  = 200      // times that a part may expand, beyond 1 MiB
	maxParts  = 4096     // entries of the archive
	maxStyles = 256      // depth of the XML
)

var errTooLarge = errors.New("more rows or cells than a form has")

// table is the cells of all sheets, row by row. Rows may differ in length.
type table struct {
	rows  [][]string
	cells int
}

func (t *table) add(row []string) error {
	t.cells += len(row)
	if len(t.rows) >= maxRows || t.cells > maxCells {
		return errTooLarge
	}
	for i, c := range row {
		row[i] = clean(c)
	}
	t.rows = append(t.rows, row)
	return nil
}

// clean makes a cell one line of valid text.
func clean(s string) string {
	if len(s) > maxCell {
		s = s[:maxCell]
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
}

// readCSV reads a table of comma, semicolon or tab separated values.
func readCSV(data []byte) (*table, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, errors.New("not a text in UTF-8")
	}
	head, _, _ := bytes.Cut(data, []byte("\n"))
	comma := ','
	for _, c := range []rune{';', '\t'} {
		if bytes.Count(head, []byte(string(c))) > bytes.Count(head, []byte(string(comma))) {
			comma = c
		}
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = comma, -1, true
	t := &table{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		if err := t.add(row); err != nil {
			return nil, err
		}
	}
}

// readXLSX reads the cells of a workbook: its shared strings, then every sheet.
func readXLSX(data []byte) (*table, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("not a workbook: %w", err)
	}
	if len(z.File) > maxParts {
		return nil, fmt.Errorf("workbook: more than %d parts", maxParts)
	}
	left := int64(maxBook)
	t := &table{}
	var shared []string
	sheets := 0
	for _, pass := range []bool{true, false} { // the strings come first
		for _, f := range z.File {
			name := strings.ToLower(path.Clean(f.Name))
			if pass && name != "xl/sharedstrings.xml" || !pass && (path.Dir(name) != "xl/worksheets" || path.Ext(name) != ".xml") {
				continue
			}
			b, err := part(f, &left)
			if err != nil {
				return nil, fmt.Errorf("workbook: %q: %w", f.Name, err)
			}
			if pass {
				shared, err = sharedStrings(b)
			} else {
				if sheets++; sheets > maxSheets {
					return nil, fmt.Errorf("workbook: more than %d sheets", maxSheets)
				}
				err = sheet(b, shared, t)
			}
			if err != nil {
				return nil, fmt.Errorf("workbook: %q: %w", f.Name, err)
			}
		}
	}
	if sheets == 0 {
		return nil, errors.New("workbook: it has no sheet")
	}
	return t, nil
}

// part unpacks one part within the bounds.
func part(f *zip.File, left *int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	most := min(int64(maxPart), *left, 1<<20+int64(min(f.CompressedSize64, maxPart))*maxRatio)
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("it unpacks to more than %d bytes", most)
	}
	*left -= n
	return b.Bytes(), nil
}

// walkXML calls at for every start (end is false) and end of an element, and text for what
// stands between.
func walkXML(data []byte, at func(name xml.Name, attr []xml.Attr, end bool) error, text func(s []byte)) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	depth := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth++; depth > maxStyles {
				return fmt.Errorf("elements nest deeper than %d", maxStyles)
			}
			if err := at(tok.Name, tok.Attr, false); err != nil {
				return err
			}
		case xml.EndElement:
			depth--
			if err := at(tok.Name, nil, true); err != nil {
				return err
			}
		case xml.CharData:
			text(tok)
		}
	}
}

func sharedStrings(data []byte) ([]string, error) {
	var out []string
	var b strings.Builder
	in, phonetic := false, false
	err := walkXML(data, func(name xml.Name, _ []xml.Attr, end bool) error {
		switch name.Local {
		case "si":
			if end {
				out = append(out, b.String())
				if len(out) > maxCells {
					return errTooLarge
				}
			}
			b.Reset()
		case "rPh":
			phonetic = !end
		case "t":
			in = !end
		}
		return nil
	}, func(s []byte) {
		if in && !phonetic && b.Len() < maxCell {
			b.Write(s)
		}
	})
	return out, err
}

func sheet(data []byte, shared []string, t *table) error {
	var row []string
	var b strings.Builder
	kind, in := "", false
	column := 0
	return walkXML(data, func(name xml.Name, attr []xml.Attr, end bool) error {
		switch name.Local {
		case "row":
			if end && len(row) > 0 {
				if err := t.add(row); err != nil {
					return err
				}
			}
			row, column = nil, 0
		case "c":
			if !end {
				kind = ""
				b.Reset()
				column = len(row)
				for _, a := range attr {
					switch a.Name.Local {
					case "t":
						kind = a.Value
					case "r":
						if n, ok := columnOf(a.Value); ok && n >= len(row) {
							column = n
						}
					}
				}
				return nil
			}
			for len(row) < column {
				row = append(row, "")
			}
			s := b.String()
			if kind == "s" {
				i, err := strconv.Atoi(strings.TrimSpace(s))
				if err != nil || i < 0 || i >= len(shared) {
					return fmt.Errorf("there is no string %q", s)
				}
				s = shared[i]
			}
			row = append(row, s)
		case "v", "t":
			in = !end
		}
		return nil
	}, func(s []byte) {
		if in && b.Len() < maxCell {
			b.Write(s)
		}
	})
}

// columnOf gives the column of a cell's name, from 0: B7 is 1.
func columnOf(name string) (int, bool) {
	n := 0
	for i := range len(name) {
		c := name[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			return n - 1, n > 0
		}
		if n = n*26 + int(c-'A') + 1; n > 1024 {
			return 0, false
		}
	}
	return 0, false
}

// readJSON makes a table of a JSON form: an object of answers by id, or lists of objects
// with an id, an answer and a note under names such as id, question, answer, note.
func readJSON(data []byte) (*table, error) {
	var doc any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("not a JSON document: %w", err)
	}
	t := &table{}
	if err := t.add([]string{"id", "answer", "note"}); err != nil {
		return nil, err
	}
	return t, t.json(doc, "", 0)
}

func (t *table) json(v any, key string, depth int) error {
	if depth > 16 {
		return errors.New("the form nests deeper than 16")
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if err := t.json(x, "", depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		row := make([]string, 3)
		for i, names := range columns {
			for _, k := range sorted(v) {
				if s, ok := scalar(v[k]); ok && row[i] == "" && is(k, names) {
					row[i] = s
				}
			}
		}
		if row[0] == "" {
			row[0] = key
		}
		if questionID(row[0]) != "" {
			return t.add(row)
		}
		for _, k := range sorted(v) {
			if err := t.json(v[k], k, depth+1); err != nil {
				return err
			}
		}
	default:
		if s, ok := scalar(v); ok && questionID(key) != "" {
			return t.add([]string{key, s, ""})
		}
	}
	return nil
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		if v {
			return "yes", true
		}
		return "no", true
	case json.Number:
		return v.String(), true
	}
	return "", false
}
