package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory/unit"
)

type unitsCommand struct {
	Inventory string `arg:"" name:"units.csv" help:"The inventory: a table with columns for maker, model and version, and where there are any serial number, UDI and place; - is standard input."`

	database
	Form string `short:"f" enum:"text,csv,json" default:"text" help:"Form of the answer: text, csv (one line for each unit and advisory), json."`
	Sure string `enum:"high,medium,low" default:"low" help:"Leave out matches that are less sure: high, medium, low."`
	Text bool   `help:"Show the words of the documents' advice too, where the index has them (text form)."`
}

// Help stands below the command's own help.
func (unitsCommand) Help() string {
	return `Medical advisories carry no product identifiers: a unit is matched by maker, product and version as people write them, and each match says how. high: maker, model and version
are those of the document. medium: a person should look. low: the document or the inventory leaves something open, and the question is named. A unit without a match says why.`
}

// unitsAnswer is the whole answer.
type unitsAnswer struct {
	Index string        `json:"index"`
	Units []unit.Report `json:"units"`
}

// Run matches an inventory.
func (c *unitsCommand) Run(w *world) error {
	in := io.Reader(os.Stdin)
	if c.Inventory != "-" {
		f, err := os.Open(c.Inventory)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	units, err := unit.Read(in)
	if err != nil {
		return called("%w", err)
	}
	x, note, err := openIndex(w, c.DB)
	if err != nil {
		return err
	}
	defer x.Close()
	catalogue, err := unit.NewCatalogue(x)
	if err != nil {
		return err
	}
	a := unitsAnswer{Index: note, Units: []unit.Report{}}
	for _, u := range units {
		r, err := catalogue.Match(u)
		if err != nil {
			return err
		}
		c.leaveOut(&r)
		a.Units = append(a.Units, r)
	}
	switch c.Form {
	case "json":
		return writeJSON(w.out, a)
	case "csv":
		return unitsCSV(w.out, a)
	}
	return c.text(w.out, a)
}

// leaveOut takes away what is less sure than asked for.
func (c *unitsCommand) leaveOut(r *unit.Report) {
	levels := map[string]int{unit.High: 2, unit.Medium: 1, unit.Low: 0}
	keep := r.Matches[:0]
	for _, m := range r.Matches {
		if levels[m.Confidence] >= levels[c.Sure] {
			keep = append(keep, m)
		}
	}
	if len(r.Matches) > 0 && len(keep) == 0 {
		r.None = fmt.Sprintf("no match is as sure as %s", c.Sure)
	}
	r.Matches = keep
}

func (c *unitsCommand) text(w io.Writer, a unitsAnswer) error {
	var b strings.Builder
	matched, ask, kev := 0, 0, 0
	for _, r := range a.Units {
		if len(r.Matches) > 0 {
			matched++
		}
		u := r.Unit
		fmt.Fprintf(&b, "%s\n", unitName(u))
		if r.None != "" {
			fmt.Fprintf(&b, "  no match: %s\n", r.None)
		}
		for _, m := range r.Matches {
			if m.Confirm != "" {
				ask++
			}
			if m.KEV {
				kev++
			}
			c.match(&b, m)
		}
		for _, o := range r.Outside {
			fmt.Fprintf(&b, "  not %s (%s): %s\n", o.Document, o.Product, o.Why[len(o.Why)-1])
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d units, %d with advisories; %d matches to confirm, %d with attacks known\n%s\n", len(a.Units), matched, ask, kev, a.Index)
	_, err := io.WriteString(w, printableLines(b.String()))
	return err
}

func unitName(u unit.Unit) string {
	s := strings.TrimSpace(u.Vendor + " " + u.Model)
	if u.Version != "" {
		s += " " + u.Version
	}
	for _, p := range []struct{ what, v string }{{"serial number", u.Serial}, {"UDI", u.UDI}, {"", u.Place}} {
		if p.v != "" {
			s += ", " + strings.TrimSpace(p.what+" "+p.v)
		}
	}
	return fmt.Sprintf("%d: %s", u.Row, s)
}

// match writes one match.
func (c *unitsCommand) match(b *strings.Builder, m unit.Match) {
	fmt.Fprintf(b, "  %s  %s", m.Document, m.Confidence)
	if m.Severity > 0 {
		fmt.Fprintf(b, "  CVSS %.1f", m.Severity)
	}
	if m.KEV {
		b.WriteString("  known to be exploited")
	}
	fmt.Fprintf(b, "\n    affected: %s, %s\n", m.Product, strings.Join(m.Affected, "; "))
	for _, s := range m.Why {
		fmt.Fprintf(b, "    - %s\n", s)
	}
	var ids []string
	for _, f := range m.Flaws {
		id := f.ID
		if f.KEV {
			id += " (exploited)"
		}
		ids = append(ids, id)
	}
	if len(ids) > 8 {
		ids = append(ids[:8], fmt.Sprintf("and %d more", len(ids)-8))
	}
	fmt.Fprintf(b, "    %s\n", strings.Join(ids, ", "))
	if m.Confirm != "" {
		fmt.Fprintf(b, "    confirm: %s\n", m.Confirm)
	}
	for _, line := range unitAdvice(m, c.Text) {
		fmt.Fprintf(b, "    do: %s\n", line)
	}
	if m.Link != "" {
		fmt.Fprintf(b, "    %s\n", m.Link)
	}
}

// unitAdvice is what to do, one thing a line.
func unitAdvice(m unit.Match, words bool) []string {
	var out []string
	seen := map[string]bool{}
	linked := map[string]bool{}
	for _, a := range m.Advice {
		linked[a.Kind] = linked[a.Kind] || a.Link != ""
	}
	for _, a := range m.Advice {
		if a.Link == "" && linked[a.Kind] && !words {
			continue // the links say more
		}
		s := map[string]string{"vendor_fix": "the maker has a fix", "mitigation": "the document names mitigations", "workaround": "the document names a workaround", "no_fix_planned": "the maker plans no fix",
			"none_available": "there is no fix", "fix_planned": "the maker plans a fix"}[a.Kind]
		s = cmp.Or(s, a.Kind)
		if words && a.Text != "" {
			s += ": " + strings.Join(strings.Fields(a.Text), " ")
		}
		if a.Link != "" {
			s += " (" + a.Link + ")"
		}
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return append(out, m.Measures...)
}

func unitsCSV(w io.Writer, a unitsAnswer) error {
	c := csv.NewWriter(w)
	row := func(cells ...string) error {
		for i, s := range cells {
			if s = printable(s); s != "" && strings.ContainsAny(s[:1], "=+-@") {
				s = "'" + s // a spreadsheet would take it for a formula
			}
			cells[i] = s
		}
		return c.Write(cells)
	}
	if err := row("row", "vendor", "model", "version", "serial", "udi", "place", "advisory", "confidence", "product", "affected", "cves", "cvss", "known_exploited", "confirm", "do", "why", "link"); err != nil {
		return err
	}
	for _, r := range a.Units {
		u := r.Unit
		head := []string{strconv.Itoa(u.Row), u.Vendor, u.Model, u.Version, u.Serial, u.UDI, u.Place}
		if len(r.Matches) == 0 {
			if err := row(append(head, "", "none", "", "", "", "", "", "", "", r.None, "")...); err != nil {
				return err
			}
		}
		for _, m := range r.Matches {
			var ids []string
			for _, f := range m.Flaws {
				ids = append(ids, f.ID)
			}
			score := ""
			if m.Severity > 0 {
				score = strconv.FormatFloat(m.Severity, 'f', 1, 64)
			}
			if err := row(append(head[:7:7], m.Document, m.Confidence, m.Product, strings.Join(m.Affected, "; "), strings.Join(ids, " "), score, map[bool]string{true: "yes", false: "no"}[m.KEV],
				m.Confirm, strings.Join(unitAdvice(m, false), "; "), strings.Join(m.Why, "; "), m.Link)...); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}

// printableLines is printable, and keeps the ends of lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
