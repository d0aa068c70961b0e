package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// pageTable is one section of the page that is a table.
type pageTable struct {
	ID, Title, Note string
	Columns         []pageColumn
	Rows            []pageRow
}

type pageRow struct {
	ID    string // for links to it
	Cell  string // of the risk matrix
	Cells []pageCell
}

type pageColumn struct{ Title, Class string }

type pageCell struct {
	Head        bool
	Class, Text string
	Steps       []string // why: shown when asked for
}

// table begins a table. A column is its title and, after a colon, how its cells look:
// num, code, short, name, text, place.
func table(id, title, note string, columns ...string) pageTable {
	t := pageTable{ID: id, Title: title, Note: note}
	for _, c := range columns {
		title, class, _ := strings.Cut(c, ":")
		t.Columns = append(t.Columns, pageColumn{title, class})
	}
	return t
}

// row adds a row of clean texts; the first cell names it.
func (t *pageTable) row(cells ...string) {
	row := make([]pageCell, len(cells))
	for i, s := range cells {
		row[i] = pageCell{Head: i == 0, Class: t.Columns[i].Class, Text: s}
		if (t.Columns[i].Title == "Severity" || t.Columns[i].Title == "At most") && dossier.Rank(s) >= 0 {
			row[i].Class += " " + s
		}
	}
	t.Rows = append(t.Rows, pageRow{Cells: row})
}

// last returns the row that was added last.
func (t *pageTable) last() *pageRow { return &t.Rows[len(t.Rows)-1] }

// pageTables returns the tables that have rows, in the order of the page.
func pageTables(d *dossier.Dossier) []pageTable {
	at := roots(d)
	all := []pageTable{
		risksTable(d), matchesTable(d), notLookedUpTable(d), unknownTable(d), remediesTable(d), claimsTable(d), statementsTable(d), assessmentTable(d), sbomTable(d),
		componentsTable(d, at), servicesTable(d, at), accountsTable(d, at),
		gapsTable(d), coverageTable(d), layersTable(d), goodTable(d), aboutTable(d),
	}
	return slices.DeleteFunc(all, func(t pageTable) bool { return len(t.Rows) == 0 })
}

const unstated = "What no witness stated is left empty."

func unknownTable(d *dossier.Dossier) pageTable {
	t := table("unknown", "Unknown", "Not seen, so not safe.", "Why:text", "At most:short", "Rules:code", "Answers:num")
	for _, r := range reasons(d) {
		ids := make([]string, len(r.Rules))
		for i, id := range r.Rules {
			ids[i] = clean(id)
		}
		t.row(cmp.Or(cut(prose(r.Note), htmlLong), "no reason given"), r.Severe, strings.Join(ids, ", "), strconv.Itoa(r.Count))
	}
	return t
}

func risksTable(d *dossier.Dossier) pageTable {
	t := table("risks", "Risks", "What comes of it for the patient, the data and the operation, what matters first.", "First:num", "Risk:text", "Level:short", "Harm", "Exploitability:short", "After measures:short", "Measures:text")
	seen := map[string]bool{}
	for i := range d.Risks {
		r := &d.Risks[i]
		harms := make([]string, len(r.Harms))
		for i, h := range r.Harms {
			harms[i] = prose(h.Dimension) + " " + prose(h.Severity)
		}
		title := prose(r.Title)
		if r.First != "" {
			title += " (" + prose(r.First) + ")"
		}
		steps := proses(r.Reasons)
		if len(r.Path) > 0 {
			steps = append([]string{"The way in: " + strings.Join(proses(r.Path), "; then ")}, steps...)
		}
		t.row(number(r.Priority), title, prose(r.Level), strings.Join(harms, ", "), prose(r.Exploitability), prose(r.After), strings.Join(proses(r.Measures), "; "))
		row := t.last()
		row.Cells[1].Steps = steps
		if s, e, ok := riskCell(r); ok {
			row.Cell = s + "-" + e
			if !seen[row.Cell] {
				seen[row.Cell] = true
				row.ID = "risk-" + row.Cell
			}
		}
	}
	return t
}

// remediesTable says what was closed, by what and proven how; and of what remains why, and
// what protects it until it is mended.
func remediesTable(d *dossier.Dossier) pageTable {
	t := table("remedies", "Remedies", "Fixes that were applied to a copy, which was judged again: what is closed, by what, proven how; and what remains, why, and the control for it.",
		"Finding:code", "Fix:code", "Closed:short", "Before:short", "After:short", "Proof:short", "Changes:text", "Why it remains, and the control:text")
	for _, r := range d.Remedies {
		why := prose(r.Why)
		if rule := d.Rules[r.Rule]; !r.Stands && rule != nil && len(rule.Control) > 0 {
			why = strings.TrimPrefix(why+"; control: "+prose(strings.Join(rule.Control, ", ")), "; ")
		}
		t.row(cmp.Or(clean(r.Rule), clean(r.Finding)), clean(r.Fix), yesNo(fact.Say(r.Stands)), clean(string(r.Before)), clean(string(r.After)), clean(r.Proof), strings.Join(proses(r.Changes), "; "), why)
	}
	return t
}

func claimsTable(d *dossier.Dossier) pageTable {
	t := table("claims", "Claims", "", "Question:short", "Form:short", "Answer", "Verdict:short", "Because:text")
	for _, c := range d.Claims {
		t.row(prose(c.Question), prose(c.Form), prose(c.Answer), prose(c.Verdict), prose(c.Because))
	}
	return t
}

// htmlMatches is how many vulnerabilities the page lists.
const htmlMatches = 2000

func matchesTable(d *dossier.Dossier) pageTable {
	note := strings.Join(append([]string{lookedUp(d)}, indexWords(d)...), " ")
	t := table("vulnerabilities", "Vulnerabilities", strings.TrimSpace(note), "Vulnerability:id", "Status", "Component:id", "Severity:short", "Exploited:short", "EPSS:num", "Fixed in:id", "What to do, and why:text")
	all := distinct(matches(d))
	if len(all) > htmlMatches {
		t.Note += fmt.Sprintf(" The first %d of %d are listed here, all of them by -f csv-vulnerabilities.", htmlMatches, len(all))
		all = all[:htmlMatches]
	}
	for _, m := range all {
		exploited := ""
		if m.KEV {
			exploited = "yes"
			if m.KEVDue != "" {
				exploited = "due " + prose(m.KEVDue)
			}
		}
		epss := ""
		if m.EPSS > 0 {
			epss = strings.Replace(percent(m.EPSS), "below ", "<", 1)
		}
		steps := proses(m.Why)
		if len(m.Also) > 0 {
			steps = append(steps, "the same in: "+list(proses(m.Also), 5))
		}
		if m.Confidence != "" {
			steps = append(steps, "so: "+statusWords(m.Status)+", with "+clean(m.Confidence)+" confidence")
		}
		t.row(clean(m.Advisory), statusWords(m.Status), clean(strings.TrimSpace(m.Component+" "+m.Version)), severityWords(m.Match), exploited, epss, prose(m.FixedIn), todo(m.Match))
		cells := t.last().Cells
		cells[len(cells)-1].Steps = steps
		if len(m.Advisory) <= 20 {
			cells[0].Class = "short"
		}
		if dossier.Rank(m.Severity) >= 0 {
			cells[3].Class += " " + m.Severity
		}
		if m.KEV && m.Status == advisory.Vulnerable {
			cells[4].Class += " critical"
		}
	}
	return t
}

func notLookedUpTable(d *dossier.Dossier) pageTable {
	t := table("not-looked-up", "Not looked up", "Components of which no vulnerability can be known.", "Component:name", "Version", "Root:short", "Why:text")
	for _, c := range unlookable(d) {
		t.row(clean(c.Component), clean(c.Version), clean(c.Root), prose(c.Unknown))
	}
	return t
}

func statementsTable(d *dossier.Dossier) pageTable {
	t := table("statements", "Statements", "What others state of vulnerabilities, and what became of it.", "Vulnerability:id", "Status", "Product", "Component", "Reason:text", "By", "Document:code id", "Of:short", "Effect:text")
	for _, s := range d.Statements {
		date := ""
		if !s.At.IsZero() {
			date = s.At.UTC().Format("2006-01-02")
		}
		reason := strings.Trim(strings.ReplaceAll(s.Justification, "_", " ")+": "+s.Impact, ": ")
		t.row(clean(s.Vulnerability), statusWords(s.Status), prose(s.Product.String()), prose(s.Component.String()), prose(reason), prose(s.Author), clean(strings.TrimSpace(s.Form+" "+s.Document)), date, prose(s.Effect))
	}
	return t
}

func componentsTable(d *dossier.Dossier, at map[string]string) pageTable {
	t := table("components", "Components", unstated, "Name:name", "Version", "Supplier", "License", "Support:short", "Known by:short", "Sure:short", "Place:code place")
	for _, c := range components(d) {
		support := prose(c.Support)
		if c.EndOfSupport != "" {
			support = strings.TrimSpace(support + " until " + prose(c.EndOfSupport))
		}
		t.row(clean(c.Name), clean(c.Version+c.Suffix), prose(c.Supplier), prose(c.License), support, clean(c.How), cmp.Or(clean(c.Confidence), "high"), places(&c.Base, at))
	}
	return t
}

func servicesTable(d *dossier.Dossier, at map[string]string) pageTable {
	t := table("services", "Services", unstated, "Name:name", "Protocol", "Port:short", "Starts:short", "Reachable:short", "Encrypted:short", "Login:short", "As root:short", "Place:code place")
	for _, s := range d.Facts.Service {
		port := ""
		if n, ok := s.Port.Value(); ok {
			port = fmt.Sprintf("%s/%d", cmp.Or(clean(s.Transport), "?"), n)
		}
		t.row(clean(s.Name), clean(s.Protocol), port, clean(s.Start.Or("")), yesNo(s.Reachable), yesNo(s.Encrypted), yesNo(s.Authenticated), yesNo(s.AsRoot), places(&s.Base, at))
	}
	return t
}

func accountsTable(d *dossier.Dossier, at map[string]string) pageTable {
	t := table("accounts", "Accounts", unstated, "Name:name", "Of", "UID:num", "Password:short", "Hash:short", "Shell:code", "Login:short", "Locked:short", "Remote:short", "Place:code place")
	for _, a := range d.Facts.Account {
		uid := ""
		if n, ok := a.UID.Value(); ok {
			uid = strconv.Itoa(n)
		}
		t.row(clean(a.Name), clean(a.Store), uid, clean(a.Password.Or("")), clean(a.Scheme), clean(a.Shell), yesNo(a.Login), yesNo(a.Locked), yesNo(a.Remote), places(&a.Base, at))
	}
	return t
}

func gapsTable(d *dossier.Dossier) pageTable {
	t := table("gaps", "Gaps", "Parts that could not be read.", "Gap:short", "Place:code place", "Size:short num", "Why:text")
	for _, g := range d.Gaps {
		bytes := ""
		if g.Size > 0 {
			bytes = size(g.Size)
			g.Size = 0 // said in its own column
		}
		t.row(clean(g.ID), clean(g.Place.String()), bytes, gapWords(&g))
	}
	return t
}

func coverageTable(d *dossier.Dossier) pageTable {
	t := table("coverage", "Coverage", "What could be seen.", "Witness:short", "Root:short", "Seen fully:text", "Seen partly or not at all:text")
	for _, s := range sights(d) {
		t.row(clean(string(s.Source.Witness))+" "+clean(s.Source.Input), clean(s.Root), strings.Join(s.Full, ", "), strings.Join(s.Less, "; "))
	}
	return t
}

func layersTable(d *dossier.Dossier) pageTable {
	t := table("containers", "Containers", "What was opened on the way to the files.", "Format:short", "Part", "Size:short num", "Files:num", "Place:code place")
	for _, l := range d.Layers {
		t.row(clean(l.Format), clean(l.Part), size(l.Size), number(l.Files), clean(l.Place))
	}
	return t
}

func goodTable(d *dossier.Dossier) pageTable {
	t := table("good", "Good", "What could be seen fully, and nothing was wrong.", "Rule:text", "Id:code", "Looked at:num")
	for _, g := range groups(d, judge.Good) {
		t.row(prose(g.Rule.Title), clean(g.Rule.ID), strconv.Itoa(g.Count))
	}
	return t
}

// aboutTable says what was examined, with what, and how.
func aboutTable(d *dossier.Dossier) pageTable {
	t := table("about", "About", "", "What:short", "Detail:text")
	for _, in := range d.Inputs {
		words := clean(in.Name)
		if in.Size > 0 { // a directory has none
			words += ", " + size(in.Size)
		}
		if in.Part != "" {
			words += ", the " + clean(in.Part)
		}
		if in.SHA256 != "" {
			words += ", sha256 " + clean(in.SHA256)
		}
		t.row(clean(string(in.Witness)), words)
	}
	for _, r := range rootLines(d) {
		t.row("root "+clean(r.Role), clean(r.Place))
	}
	for _, w := range d.Run.Walls {
		if w.Stands {
			t.row("wall "+clean(w.Name), "stands: "+prose(w.By))
		} else {
			t.row("wall "+clean(w.Name), "does not stand: "+prose(w.Why))
		}
	}
	if l := d.Run.Limits; l != (dossier.Limits{}) {
		t.row("limits", fmt.Sprintf("%s in all, %s in one file, %d files, %d containers deep, %d-fold expansion, %d password trials",
			size(l.Bytes), size(l.FileSize), l.Files, l.Depth, l.Ratio, l.Tries))
	}
	if s := d.Run.Spent; s != (dossier.Spent{}) {
		t.row("spent", fmt.Sprintf("%s, %s", size(s.Bytes), plural(int(s.Files), "file", "files")))
	}
	if d.Run.Padding+d.Run.Unknown > 0 {
		t.row("not opened", fmt.Sprintf("%s of unknown bytes, %s of padding", size(d.Run.Unknown), size(d.Run.Padding)))
	}
	return t
}

// yesNo writes a switch, nothing where it is unstated.
func yesNo(o fact.Opt[bool]) string {
	v, ok := o.Value()
	switch {
	case !ok:
		return ""
	case v:
		return "yes"
	}
	return "no"
}

// float writes a number; 0 is an unstated one.
func float(v float64, digits int) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// places writes the first place of a fact and counts the others.
func places(b *fact.Base, at map[string]string) string {
	if len(b.Places) == 0 {
		return ""
	}
	s := where(b.Places[0], b.Root, at)
	if n := len(b.Places) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}
