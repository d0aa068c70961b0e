package claim

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// book makes a workbook of one sheet; a cell that begins with = is a shared string.
func book(t testing.TB, rows [][]string) []byte {
	t.Helper()
	var sheet, shared strings.Builder
	n := 0
	for r, row := range rows {
		fmt.Fprintf(&sheet, `<row r="%d">`, r+1)
		for c, cell := range row {
			if cell == "" {
				continue
			}
			at := fmt.Sprintf("%c%d", 'A'+c, r+1)
			if s, ok := strings.CutPrefix(cell, "="); ok {
				fmt.Fprintf(&shared, "<si><r><t>%s</t></r><rPh><t>no</t></rPh></si>", s)
				fmt.Fprintf(&sheet, `<c r="%s" t="s"><v>%d</v></c>`, at, n)
				n++
			} else {
				fmt.Fprintf(&sheet, `<c r="%s" t="inlineStr"><is><t>%s</t></is></c>`, at, cell)
			}
		}
		sheet.WriteString("</row>")
	}
	return zipped(t, map[string]string{
		"xl/worksheets/sheet1.xml": `<worksheet><sheetData>` + sheet.String() + `</sheetData></worksheet>`,
		"xl/sharedStrings.xml":     `<sst>` + shared.String() + `</sst>`,
	})
}

func zipped(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func samples(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"headings":  []byte("\xef\xbb\xbfQuestion ID,Text,Answer,Note\nSAHD-9,off?,\"Yes,optional\",see 3\nPAUT-5,change?,No,\nMPII-2.4,db?,N/A: none,\nAUDT-1,log?,See Note 7,7\nSHAD-15,boot?,,\n"),
		"semicolon": []byte("id;answer;note\nSAHD-9;Yes,optional;see 3\nPAUT-5;No;\nMPII-2.4;N/A: none;\nAUDT-1;See Note 7;7\nSAHD-15;;\n"),
		"json":      []byte(`{"form":"MDS2","sections":[{"questions":[{"id":"SAHD-9","answer":"Yes,optional","note":"see 3"},{"id":"PAUT-5","answer":false},{"id":"MPII-2.4","answer":"N/A: none"},{"id":"AUDT-1","answer":"See Note 7","note":"7"},{"id":"SAHD-15","answer":""}]}]}`),
		"xlsx":      book(t, [][]string{{"=Item", "", "=Answer", "=Note"}, {"SAHD-9", "off?", "=Yes,optional", "see 3"}, {"=PAUT-5", "", "=No"}, {"MPII-2.4", "", "N/A: none"}, {"AUDT-1", "", "See Note 7", "7"}, {"SAHD-15", "boot?"}}),
	}
}

// TestMDS2 holds that every form gives the same answers.
func TestMDS2(t *testing.T) {
	t.Parallel()
	want := []string{"AUDT-1 note 7", "MPII-2.4 na ", "PAUT-5 no ", "SAHD-15 blank ", "SAHD-9 yes see 3"}
	for name, data := range samples(t) {
		set, err := MDS2(name, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var have []string
		for _, c := range set.Claim {
			have = append(have, c.Question+" "+c.Answer+" "+c.Note)
			if c.Form != Edition2019 || len(c.Places) != 1 || c.Places[0].String() != "MDS2 "+c.Question {
				t.Errorf("%s: %+v", name, c)
			}
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestNormal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Yes": "yes", "yes,": "yes", "Y": "yes", "NO": "no", "no.": "no", "N/A": "na", "n.a.": "na", "Not applicable": "na", "n / a": "na", "-": "blank", " ": "blank",
		"Notes below": "note", "See Note 3": "note", "Yesterday": "note", "No default accounts": "note", "☒ Yes": "yes", "Ubuntu 22.04": "note",
	} {
		if have := normal(in); have != want {
			t.Errorf("%q is %s, want %s", in, have, want)
		}
	}
}

func TestMDS2Layouts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"SAHD-9,Are they off?,Yes,4\n", "mds2-2019 SAHD-9 yes 4"},
		{"x,SAHD 9.,Are they off?,__,No\n", "mds2-2019 SAHD-9 no "},
		{"SAHD-9,a,Yes\nSAHD-9,a,No\n", "mds2-2019 SAHD-9 note "},
		{"SAHD-9,a,\nSAHD-9,a,No\n", "mds2-2019 SAHD-9 no "},
		{"HN 1-2013\nSAHD-9,a,No\n", "mds2-2013 SAHD-9 no "},
		{"CNFS-1,a,No\n", "mds2-2013 CNFS-1 no "},
	} {
		set, err := MDS2("f", []byte(c.in))
		if err != nil || len(set.Claim) != 1 {
			t.Errorf("%q: %v %+v", c.in, err, set.Claim)
			continue
		}
		a := set.Claim[0]
		if have := a.Form + " " + a.Question + " " + a.Answer + " " + a.Note; have != c.want {
			t.Errorf("%q: %q, want %q", c.in, have, c.want)
		}
	}
}

// TestMDS2Refuses holds the bounds and the errors.
func TestMDS2Refuses(t *testing.T) {
	t.Parallel()
	bomb := zipped(t, map[string]string{"xl/worksheets/sheet1.xml": "<worksheet>" + strings.Repeat(" ", 40<<20) + "</worksheet>"})
	for want, in := range map[string][]byte{
		"f: no item of an MDS2 form": []byte("a,b\n"),
		"f: a PDF is not read":       []byte("%PDF-1.7"),
		"f: not a text in UTF-8":     []byte("\xff\xfe\x00"),
		"f: not a JSON document":     []byte("{"),
		"nests deeper":               []byte(strings.Repeat("[", 40) + strings.Repeat("]", 40)),
		"more rows or cells":         []byte(strings.Repeat("SAHD-9,yes\n", maxRows+1)),
		"it unpacks to more than":    bomb,
		"elements nest deeper":       zipped(t, map[string]string{"xl/worksheets/sheet1.xml": strings.Repeat("<a>", 300)}),
		`there is no string "7"`:     zipped(t, map[string]string{"xl/worksheets/sheet1.xml": `<row><c t="s"><v>7</v></c></row>`}),
		"f: not a workbook":          []byte("PK\x03\x04"),
	} {
		if _, err := MDS2("f", in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzMDS2(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := MDS2("x", data)
		if err != nil {
			return
		}
		for _, c := range set.Claim {
			if questionID(c.Question) != c.Question || !strings.Contains(" yes no na note blank ", " "+c.Answer+" ") {
				t.Errorf("%+v", c)
			}
		}
	})
}
