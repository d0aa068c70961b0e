package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/risk"
)

// pagePlots are the pictures of the page. Each is a table that says in numbers what its
// colours and bars show.
type pagePlots struct {
	Matrix *pageMatrix
	Bars   []pageBars
}

// pageMatrix is the risks by severity of harm and exploitability.
type pageMatrix struct {
	Columns []string
	Rows    []pageMatrixRow
	Levels  []pageLevel // the worst first
}

type pageMatrixRow struct {
	Title string
	Cells []pageMatrixCell
}

// pageMatrixCell counts the risks of one place of the matrix; Cell is its name and that of
// their rows.
type pageMatrixCell struct {
	Class, Cell, Label string
	Count              int
}

type pageLevel struct {
	Class, Name string
	Count       int
}

// pageBars is a table of stacked bars.
type pageBars struct {
	ID, Title, Note, Of string
	Columns             []string
	Rows                []pageBarsRow
}

type pageBarsRow struct {
	Title, Label string
	Bars         []pageBar
	Cells        []string
	Names        []string // what is counted, where that is told
}

func plots(d *dossier.Dossier) *pagePlots {
	p := &pagePlots{Matrix: riskMatrix(d)}
	for _, b := range []pageBars{ageBars(d), severityBars(d)} {
		if len(b.Rows) > 0 {
			p.Bars = append(p.Bars, b)
		}
	}
	if p.Matrix == nil && p.Bars == nil {
		return nil
	}
	return p
}

// riskCell is where a risk stands in the matrix: its worst harm of the level that it has,
// and its exploitability. ok is false where it says neither.
func riskCell(r *risk.Risk) (severity, exploitability string, ok bool) {
	for _, h := range r.Harms {
		if (h.Level == r.Level || severity == "") && h.Severity > severity {
			severity = h.Severity
		}
	}
	ok = len(severity) == 2 && severity >= "S1" && severity <= "S5" && len(r.Exploitability) == 2 && r.Exploitability >= "E1" && r.Exploitability <= "E5"
	return severity, r.Exploitability, ok
}

// levelClass is the colour of a level, of l0 for the best to l3 for the worst.
func levelClass(levels []string, level string) string {
	i := slices.Index(levels, level)
	if i < 0 || len(levels) < 2 {
		return ""
	}
	return "l" + strconv.Itoa((3*i+(len(levels)-1)/2)/(len(levels)-1))
}

func riskMatrix(d *dossier.Dossier) *pageMatrix {
	if len(d.Risks) == 0 {
		return nil
	}
	matrix := risk.Default()
	if d.Assessed != nil {
		matrix = &d.Assessed.Matrix
	}
	count, levels := map[string]int{}, map[string]int{}
	for i := range d.Risks {
		r := &d.Risks[i]
		levels[r.Level]++
		if s, e, ok := riskCell(r); ok {
			count[s+" "+e]++
		}
	}
	m := &pageMatrix{Columns: []string{"E1 hard", "E2", "E3", "E4", "E5 easy"}}
	for i := 5; i >= 1; i-- {
		s := "S" + strconv.Itoa(i)
		row := pageMatrixRow{Title: s + " " + []string{"negligible", "minor", "serious", "critical", "catastrophic"}[i-1]}
		for e := 1; e <= 5; e++ {
			c := pageMatrixCell{Cell: s + "-E" + strconv.Itoa(e), Count: count[s+" E"+strconv.Itoa(e)]}
			if cells := matrix.Cells[s]; len(cells) == 5 && cells[e-1] >= 1 && cells[e-1] <= len(matrix.Levels) {
				level := matrix.Levels[cells[e-1]-1]
				c.Class = levelClass(matrix.Levels, level)
				c.Label = fmt.Sprintf("%s, %s: %s", plural(c.Count, "risk", "risks"), prose(level), c.Cell)
			}
			row.Cells = append(row.Cells, c)
		}
		m.Rows = append(m.Rows, row)
	}
	for _, l := range slices.Backward(matrix.Levels) {
		m.Levels = append(m.Levels, pageLevel{levelClass(matrix.Levels, l), prose(l), levels[l]})
	}
	return m
}

// stack makes bars of numbers, one class each, that together are as wide as their sum is
// of the greatest.
func stack(classes []string, numbers []int, greatest, width int) []pageBar {
	var out []pageBar
	sum, x := 0, 0
	for i, n := range numbers {
		if n == 0 {
			continue
		}
		sum += n
		end := max(width*sum/max(greatest, 1), x+2)
		out = append(out, pageBar{classes[i], x, end - x})
		x = end
	}
	return out
}

const plotWidth = 200

// severityBars are the bad findings of each vector by severity, and the vulnerabilities.
func severityBars(d *dossier.Dossier) pageBars {
	b := pageBars{ID: "severity-by-vector", Title: "Severity by vector", Of: "Attack vector", Columns: judge.Severities(), Note: "What is bad, and what is known of its components."}
	type line struct {
		title string
		n     []int
		all   int
	}
	var lines []*line
	add := func(title string) *line {
		l := &line{title: title, n: make([]int, len(b.Columns))}
		lines = append(lines, l)
		return l
	}
	at := map[string]*line{}
	for _, r := range vectorRows(d) {
		at[r.Name] = add(clean(r.Title))
	}
	for _, f := range d.Findings {
		if i := dossier.Rank(f.Severity); f.Outcome == judge.Bad && i >= 0 {
			at[f.Vector].n[i]++
			at[f.Vector].all++
		}
	}
	known := add("Known vulnerabilities")
	unscored := 0
	for _, m := range distinct(matches(d)) {
		if m.Status != advisory.Vulnerable {
			continue
		}
		if i := dossier.Rank(m.Severity); i >= 0 {
			known.n[i]++
			known.all++
		} else {
			unscored++
		}
	}
	if unscored > 0 {
		b.Note += " " + plural(unscored, "vulnerability that nobody has scored is", "vulnerabilities that nobody has scored are") + " left out."
	}
	// Vulnerabilities may be many more than findings: they have their own scale.
	greatest, any := 0, known.all
	for _, l := range lines[:len(lines)-1] {
		greatest = max(greatest, l.all)
		any += l.all
	}
	if any == 0 {
		return b
	}
	for _, l := range lines {
		row := pageBarsRow{Title: l.title}
		scale := greatest
		if l == known {
			if l.all == 0 {
				continue
			}
			scale = max(greatest, l.all)
		}
		row.Bars = stack(b.Columns, l.n, scale, plotWidth)
		var words []string
		for i, n := range l.n {
			row.Cells = append(row.Cells, number(n))
			if n > 0 {
				words = append(words, fmt.Sprintf("%d %s", n, b.Columns[i]))
			}
		}
		row.Label = l.title + ": " + cmp.Or(strings.Join(words, ", "), "none")
		b.Rows = append(b.Rows, row)
	}
	return b
}

// ageBars are the components by when their support ends or ended, at the date of the
// assessment.
func ageBars(d *dossier.Dossier) pageBars {
	b := pageBars{ID: "age", Title: "Age of components", Of: "Support", Columns: []string{"components"}, Note: "When the security fixes of each component ended or end, seen from the day of the assessment."}
	bins := []struct {
		title, class string
		names        []string
	}{
		{title: "ended more than 5 years ago", class: "critical"}, {title: "ended 2 to 5 years ago", class: "high"}, {title: "ended within 2 years", class: "medium"},
		{title: "ends within a year", class: "low"}, {title: "goes on longer", class: "good"}, {title: "not known", class: "unknown"},
	}
	for _, c := range components(d) {
		i := 5
		if t, err := time.Parse(time.DateOnly, c.EndOfSupport); err == nil {
			switch {
			case t.AddDate(5, 0, 0).Before(d.At):
				i = 0
			case t.AddDate(2, 0, 0).Before(d.At):
				i = 1
			case t.Before(d.At):
				i = 2
			case t.Before(d.At.AddDate(1, 0, 0)):
				i = 3
			default:
				i = 4
			}
		} else if c.Support == "abandoned" || c.Support == "no-longer-maintained" {
			i = 2
		} else if c.Support == "maintained" {
			i = 4
		}
		bins[i].names = append(bins[i].names, clean(strings.TrimSpace(c.Name+" "+c.Version+c.Suffix)))
	}
	greatest := 0
	for _, bin := range bins {
		greatest = max(greatest, len(bin.names))
	}
	if greatest == 0 {
		return b
	}
	for _, bin := range bins {
		b.Rows = append(b.Rows, pageBarsRow{
			Title: bin.title, Label: bin.title + ": " + plural(len(bin.names), "component", "components"), Bars: stack([]string{bin.class}, []int{len(bin.names)}, greatest, plotWidth),
			Cells: []string{number(len(bin.names))}, Names: slices.Compact(bin.names),
		})
	}
	return b
}
