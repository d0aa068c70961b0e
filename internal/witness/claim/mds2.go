package claim

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// The editions of the form.
const (
	Edition2019 = "mds2-2019"
	Edition2013 = "mds2-2013"
)

// columns are the names under which forms keep id, answer and note.
var columns = [3][]string{
	{"id", "question id", "questionid", "item", "item id", "number", "no", "ref", "question"},
	{"answer", "response", "value", "yes no n/a", "yes no na", "reply", "see note"},
	{"note", "notes", "comment", "comments", "remark", "remarks", "note #", "explanation"},
}

// questions of the edition of 2019: SAHD-9. The sections are the form's.
var idPattern = search.Lazy(`(?i)^\s*(DOC|MPII|ALOF|AUDT|AUTH|CSUP|DIDT|DTBK|EMRG|IGAU|MLDP|NAUT|CONN|PAUT|PLOK|RDMP|SBOM|SAHD|SHAD|SGUD|STCF|TXCF|TXIG|RMOT|OTHR|CNFS)\s*[-–.]?\s*(\d{1,2}(?:\.\d{1,2}){0,3})\s*[.:)]?\s*$`)

// questionID gives the id in its one spelling; nothing where the text is none.
func questionID(s string) string {
	if len(s) > 24 {
		return ""
	}
	m := idPattern.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	section := strings.ToUpper(m[1])
	if section == "SHAD" { // a slip that printed forms have
		section = "SAHD"
	}
	return section + "-" + m[2]
}

// only2013 are sections that the edition of 2019 does not have.
var only2013 = []string{"CNFS"}

// MDS2 states the answers of a filled in MDS2 form as claim facts. The form is CSV, JSON or
// a workbook (XLSX), in any layout in which an item's id stands in a cell of its own (or in
// its sections' words and the answer behind it). name is the file's base name.
//
// Answers are yes, no, na, note (the answer lies in a note or in words) or blank; what was
// written stays in Raw. An item that stands twice with different answers keeps both in Raw
// and is a note. A form of 2013 is stated under its own name, so that none of its numbers
// is taken for one of 2019.
func MDS2(name string, data []byte) (fact.Set, error) {
	var set fact.Set
	t, err := readTable(data)
	if err != nil {
		return set, fmt.Errorf("%s: %w", name, err)
	}
	answers, order := t.answers()
	if len(order) == 0 {
		return set, fmt.Errorf("%s: no item of an MDS2 form (as SAHD-9) stands in it", name)
	}
	form := edition(order, t)
	for _, id := range order {
		a := answers[id]
		set.Add(&fact.Claim{
			Base: fact.Base{Source: fact.Source{Witness: fact.Claimed, Input: name}, Places: []fact.Place{{Input: name, Claim: "MDS2 " + id}}},
			Form: form, Question: id, Answer: a.answer, Raw: a.raw, Note: a.note,
		})
	}
	set.Sort()
	return set, nil
}

// readTable reads a table in the form that the bytes have.
func readTable(data []byte) (*table, error) {
	start := strings.TrimLeft(strings.TrimPrefix(string(data[:min(len(data), 512)]), "\xef\xbb\xbf"), " \t\r\n")
	switch {
	case strings.HasPrefix(start, "PK\x03\x04"):
		return readXLSX(data)
	case strings.HasPrefix(start, "{") || strings.HasPrefix(start, "["):
		return readJSON(data)
	case strings.HasPrefix(start, "%PDF"):
		return nil, fmt.Errorf("a PDF is not read: ask for the form as a workbook or as CSV")
	}
	return readCSV(data)
}

type given struct{ answer, raw, note string }

// answers finds the items. Where a heading names the columns, they are taken from there;
// else the answer is the first cell behind the id that reads like one.
func (t *table) answers() (map[string]given, []string) {
	out := map[string]given{}
	var order []string
	column := [3]int{-1, -1, -1}
	for _, row := range t.rows {
		if c, ok := heading(row); ok {
			column = c
			continue
		}
		for i, cell := range row {
			id := questionID(cell)
			if id == "" {
				continue
			}
			g := pick(row, i, column)
			old, twice := out[id]
			switch {
			case !twice:
				order = append(order, id)
			case old.answer == "blank":
			case g.answer == "blank" || g.answer == old.answer:
				g = old
			default:
				g = given{"note", old.raw + " / " + g.raw, strings.TrimSpace(old.note + " " + g.note)}
			}
			out[id] = g
			break
		}
	}
	return out, order
}

// heading finds the columns in a row of headings.
func heading(row []string) (at [3]int, ok bool) {
	at = [3]int{-1, -1, -1}
	for i, c := range row {
		for k, names := range columns {
			if at[k] < 0 && is(c, names) {
				at[k] = i
				break
			}
		}
	}
	return at, at[0] >= 0 && at[1] >= 0
}

func is(cell string, names []string) bool {
	w := strings.Join(strings.FieldsFunc(strings.ToLower(cell), func(r rune) bool { return r == ' ' || r == '_' || r == ',' || r == '-' }), " ")
	return slices.Contains(names, w)
}

func pick(row []string, id int, column [3]int) given {
	cell := func(i int) string {
		if i >= 0 && i < len(row) && i != id {
			return row[i]
		}
		return ""
	}
	raw, note := cell(column[1]), cell(column[2])
	if column[1] < 0 {
		for i := id + 1; i < len(row); i++ {
			if a := normal(row[i]); a == "yes" || a == "no" || a == "na" || seeNote.MatchString(row[i]) {
				raw = row[i]
				if i+1 < len(row) {
					note = strings.TrimSpace(strings.Join(row[i+1:], " "))
				}
				break
			}
		}
		if raw == "" { // words behind the question
			if last := len(row) - 1; last > id+1 {
				raw = row[last]
			}
		}
	}
	g := given{normal(raw), raw, note}
	if g.answer == "blank" && note != "" { // the answer stands in the note
		if g.answer = normal(note); g.raw == "" {
			g.raw = note
		}
	}
	return g
}

var (
	word    = search.Lazy(`(?i)^(yes|no|n\s*/\s*a|n\.a\.|na|y|n|ja|nein|oui|non|not applicable|true|false)(?:$|[\s,;:.(/–-])`)
	seeNote = regexp.MustCompile(`(?i)^see\s+(the\s+)?(note|comment|remark)`)
)

// normal makes of what was written yes, no, na, note or blank.
func normal(s string) string {
	s = strings.TrimLeft(strings.TrimSpace(s), "_*•☒☑✓ ")
	if s == "" || strings.Trim(s, "-–_. ") == "" {
		return "blank"
	}
	m := word.FindStringSubmatch(s)
	if m == nil {
		return "note"
	}
	switch w := strings.ToLower(m[1]); w {
	case "yes", "y", "ja", "oui", "true":
		return "yes"
	case "no", "n", "nein", "non", "false":
		if rest := strings.TrimLeft(s[len(m[1]):], " ,;:."); w != "n" && strings.HasPrefix(strings.ToLower(rest), "default") {
			return "note"
		}
		return "no"
	}
	return "na"
}

// edition tells the form of 2013 from that of 2019: by what it says of itself, else by its
// sections: 2019 has SBOM, RMOT, CONN and RDMP, 2013 has CNFS.
func edition(ids []string, t *table) string {
	in := func(sections ...string) bool {
		return slices.ContainsFunc(ids, func(id string) bool {
			s, _, _ := strings.Cut(id, "-")
			return slices.Contains(sections, s)
		})
	}
	if in("SBOM", "RMOT", "CONN", "RDMP", "MPII", "AUTH", "DOC") {
		return Edition2019
	}
	if in(only2013...) {
		return Edition2013
	}
	for _, row := range t.rows[:min(len(t.rows), 40)] {
		for _, c := range row {
			if strings.Contains(c, "HN 1-2013") {
				return Edition2013
			}
		}
	}
	return Edition2019
}

func sorted(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
