package report

import (
	"bufio"
	"cmp"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// DifferenceForm is one way to write what changed between two dossiers.
type DifferenceForm struct {
	Name  string
	Title string
	write func(w io.Writer, d *dossier.Difference, o Options) error
}

// Write writes the difference in the form; is is the newer dossier.
func (f DifferenceForm) Write(w io.Writer, d *dossier.Difference, is *dossier.Dossier, o Options) error {
	if f.write == nil {
		o.Change = d
		return sarif.Write(w, is, o)
	}
	return f.write(w, d, o)
}

// differenceForms, in the order in which they are offered.
var differenceForms = []DifferenceForm{
	{"text", "what changed, for a terminal", differenceText},
	{"markdown", "what changed, for a pull request", differenceMarkdown},
	{"html", "what changed, as one page", differenceHTML},
	{"json", "all of it, for programs", func(w io.Writer, d *dossier.Difference, _ Options) error { return dossier.Encode(w, d) }},
	{"sarif", "the newer one as SARIF 2.1.0, with what is new, unchanged and absent", nil},
}

// DifferenceForms returns every form of a difference.
func DifferenceForms() []DifferenceForm { return slices.Clone(differenceForms) }

// FindDifference returns the form of the name.
func FindDifference(name string) (DifferenceForm, error) {
	names := make([]string, len(differenceForms))
	for i, f := range differenceForms {
		if f.Name == name {
			return f, nil
		}
		names[i] = f.Name
	}
	return DifferenceForm{}, fmt.Errorf("report: no form %q of a difference: use one of %s", name, strings.Join(names, ", "))
}

// section is one part of a difference, made once for all forms.
type section struct {
	Title string
	Empty string // what it means that nothing stands here
	Rows  []changeRow
}

// changeRow is one line of a difference.
type changeRow struct {
	Change   string // new, fixed, changed, removed, unchanged
	Severity string
	What     string
	Detail   []string
	Place    string
}

// sections puts a difference into the order in which people ask: what got worse, what got
// better, and what else is other.
func sections(d *dossier.Difference) []section {
	findings := func(title, empty string, keep func(dossier.FindingChange) bool) section {
		s := section{Title: title, Empty: empty}
		for _, c := range d.Findings {
			if keep(c) {
				s.Rows = append(s.Rows, findingRow(c))
			}
		}
		return s
	}
	is := func(change string, outcomes ...judge.Outcome) func(dossier.FindingChange) bool {
		return func(c dossier.FindingChange) bool {
			return c.Change == change && slices.Contains(outcomes, cmp.Or(c.After, c.Before))
		}
	}
	vulnerabilities := section{Title: "Known vulnerabilities", Empty: "the same as before, or neither dossier knows any"}
	for _, c := range d.Matches {
		m := c.Match
		row := changeRow{Change: c.Change, Severity: m.Severity, What: prose(m.Advisory + " in " + m.Component + " " + m.Version)}
		row.Detail = append(row.Detail, prose(fmt.Sprintf("%s, was %s", cmp.Or(string(c.After), "gone"), cmp.Or(string(c.Before), "not there"))))
		if m.KEV {
			row.Detail = append(row.Detail, "known to be exploited")
		}
		vulnerabilities.Rows = append(vulnerabilities.Rows, row)
	}
	secrets := section{Title: "The same secrets in both", Empty: "none: no secret and no private key of the one opens the other"}
	for _, s := range d.Shared {
		secrets.Rows = append(secrets.Rows, changeRow{Change: dossier.Same, Severity: "high", What: prose(kindTitle(s.Kind) + " " + s.What), Detail: []string{"at " + clean(s.Old)}, Place: clean(s.New)})
	}
	gaps := section{Title: "Gaps", Empty: "the same parts could not be read as before"}
	for _, g := range d.Gaps {
		gaps.Rows = append(gaps.Rows, changeRow{Change: g.Change, What: prose(cmp.Or(g.Gap.Why, g.Gap.Reason)), Place: clean(g.Gap.Place.String())})
	}
	out := []section{
		findings("New and bad", "nothing got worse", is(dossier.Added, judge.Bad)),
		findings("Fixed", "nothing was mended", func(c dossier.FindingChange) bool { return c.Change == dossier.Mended }),
		findings("Still bad", "nothing", is(dossier.Same, judge.Bad)),
		findings("No longer known", "nothing", func(c dossier.FindingChange) bool { return c.After == judge.Unknown && c.Change != dossier.Same }),
		vulnerabilities, secrets,
	}
	for _, k := range fact.Kinds() {
		s := section{Title: kindTitle(k)}
		for _, c := range d.Facts {
			if c.Kind == k {
				s.Rows = append(s.Rows, factRow(c))
			}
		}
		if len(s.Rows) > 0 {
			out = append(out, s)
		}
	}
	return append(out, gaps)
}

func findingRow(c dossier.FindingChange) changeRow {
	f := c.Finding
	row := changeRow{Change: c.Change, Severity: f.Severity, What: prose(f.Title) + " [" + clean(f.Rule) + "]"}
	if s := seen(f); s != "" {
		row.Detail = append(row.Detail, cut(s, textLong))
	}
	if len(f.Places) > 0 {
		row.Place = clean(f.Places[0].String())
	}
	return row
}

// factRow says what of a fact is other, in the fields that it has.
func factRow(c dossier.FactChange) changeRow {
	row := changeRow{Change: c.Change, What: prose(cmp.Or(c.Name, c.Key)), Place: clean(c.Place)}
	if c.Root != "" && c.Root != "system" {
		row.What += " (" + clean(c.Root) + ")"
	}
	const most = 6
	for i, f := range c.Fields {
		if i == most {
			row.Detail = append(row.Detail, fmt.Sprintf("and %d more fields", len(c.Fields)-i))
			break
		}
		was, is := cut(prose(f.Old), 60), cut(prose(f.New), 60)
		switch {
		case c.Change != dossier.Changed && strings.Contains(c.Name, cmp.Or(f.New, f.Old)): // said already
		case c.Change == dossier.Changed:
			row.Detail = append(row.Detail, fmt.Sprintf("%s %s -> %s", clean(f.Field), cmp.Or(was, "unstated"), cmp.Or(is, "unstated")))
		default:
			row.Detail = append(row.Detail, clean(f.Field)+" "+cmp.Or(is, was))
		}
	}
	return row
}

// differenceHead names both sides.
func differenceHead(d *dossier.Difference) (was, is string) {
	side := func(s dossier.Side) string {
		name := strings.TrimSpace(strings.Join([]string{s.Device.Vendor, s.Device.Model, s.Device.Version}, " "))
		for _, in := range s.Inputs {
			if in.Witness == fact.Firmware {
				name = strings.TrimSpace(name + " " + in.Name)
			}
		}
		return prose(cmp.Or(name, "a device"))
	}
	return side(d.Old), side(d.New)
}

// tally counts the rows of a section by change.
func (s section) tally() string {
	n := map[string]int{}
	for _, r := range s.Rows {
		n[r.Change]++
	}
	var out []string
	for _, c := range []string{dossier.Added, dossier.Mended, dossier.Changed, dossier.Removed, dossier.Same} {
		if n[c] > 0 {
			out = append(out, fmt.Sprintf("%d %s", n[c], c))
		}
	}
	return strings.Join(out, ", ")
}

// differenceRows bounds the rows of one section in the forms for people.
const differenceRows = 40

func differenceText(w io.Writer, d *dossier.Difference, o Options) error {
	p := newPrinter(w, o)
	was, is := differenceHead(d)
	p.para("from  ", was)
	p.para("to    ", p.paint("1", is))
	for _, s := range sections(d) {
		if len(s.Rows) == 0 {
			p.line("")
			p.para("", p.paint("1", s.Title)+": "+s.Empty)
			continue
		}
		p.title(s.Title + " (" + s.tally() + ")")
		for i, r := range s.Rows {
			if i == differenceRows {
				p.line("  and %d more", len(s.Rows)-i)
				break
			}
			mark := map[string]string{dossier.Added: "+", dossier.Removed: "-", dossier.Changed: "~", dossier.Mended: "✓", dossier.Same: "="}[r.Change]
			p.para("  "+mark+" "+p.paint(hue(r.Severity), fmt.Sprintf("%-9s", r.Severity))+" ", r.What)
			sep := "; "
			if len(r.Severity) == 0 {
				sep = ", "
			}
			if len(r.Detail) > 0 {
				p.para("              ", strings.Join(r.Detail, sep))
			}
		}
	}
	return p.w.Flush()
}

func differenceMarkdown(w io.Writer, d *dossier.Difference, _ Options) error {
	b := bufio.NewWriter(w)
	was, is := differenceHead(d)
	fmt.Fprintf(b, "## Security: what changed\n\nFrom %s to **%s**\n\n", markdown(was), markdown(is))
	all := sections(d)
	fmt.Fprint(b, "| part | change |\n|---|---|\n")
	for _, s := range all {
		fmt.Fprintf(b, "| %s | %s |\n", s.Title, cmp.Or(s.tally(), s.Empty, "-"))
	}
	for i, s := range all {
		if len(s.Rows) == 0 {
			continue
		}
		open := ""
		if i == 0 {
			open = " open"
		}
		fmt.Fprintf(b, "\n<details%s><summary>%s (%s)</summary>\n\n", open, s.Title, s.tally())
		for j, r := range s.Rows {
			if j == differenceRows {
				fmt.Fprintf(b, "- and %d more\n", len(s.Rows)-j)
				break
			}
			fmt.Fprintf(b, "- %s **%s** %s", r.Change, cmp.Or(r.Severity, "-"), markdown(r.What))
			if len(r.Detail) > 0 {
				fmt.Fprint(b, ": "+markdown(strings.Join(r.Detail, "; ")))
			}
			fmt.Fprintln(b)
		}
		fmt.Fprint(b, "\n</details>\n")
	}
	return b.Flush()
}

// markdown takes from a text what would be more than text.
func markdown(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "]", "\\]", "#", "\\#", "@", "@\u200b").Replace(s)
}

// differencePage is the page of a difference. Everything is escaped by its context.
var differencePage = template.Must(template.New("difference").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What changed: {{.Is}}</title>
<style>{{.Style}}
.change { font-weight: 600; white-space: nowrap }
table.difference td { vertical-align: top }
</style></head><body><main>
<h1>What changed</h1>
<p>From {{.Was}}<br>to <strong>{{.Is}}</strong></p>
<ul>{{range .Sections}}{{if .Rows}}<li><a href="#{{.Title}}">{{.Title}}</a>: {{.Tally}}</li>{{else}}<li>{{.Title}}: {{.Empty}}</li>{{end}}{{end}}</ul>
{{range .Sections}}{{if .Rows}}<section><h2 id="{{.Title}}">{{.Title}}</h2>
<div class="scroll" role="region" aria-label="{{.Title}}" tabindex="0"><table class="difference"><thead><tr><th scope="col">Change</th><th scope="col">Severity</th><th scope="col">What</th><th scope="col">Detail</th><th scope="col">Place</th></tr></thead><tbody>
{{range .Rows}}<tr><td class="change">{{.Change}}</td><td>{{.Severity}}</td><td>{{.What}}</td><td>{{range $i, $d := .Detail}}{{if $i}}<br>{{end}}{{$d}}{{end}}</td><td><code>{{.Place}}</code></td></tr>
{{end}}</tbody></table></div></section>{{end}}{{end}}
</main></body></html>
`))

func differenceHTML(w io.Writer, d *dossier.Difference, _ Options) error {
	type part struct {
		section
		Tally string
	}
	page := struct {
		Was, Is  string
		Style    template.CSS
		Sections []part
	}{Style: template.CSS(pageCSS)} //nolint:gosec // our own file
	page.Was, page.Is = differenceHead(d)
	for _, s := range sections(d) {
		page.Sections = append(page.Sections, part{s, s.tally()})
	}
	return differencePage.Execute(w, page)
}
