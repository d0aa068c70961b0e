package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

var text = Form{
	Name:  "text",
	Title: "what matters, for a terminal",
	MIME:  "text/plain; charset=utf-8",
	write: writeText,
}

// How much the text shows: the rest is counted, and stands in the other forms.
const (
	textAlike    = 3 // findings of one rule
	textPlaces   = 3 // places of a finding
	textRules    = 6
	textGaps     = 12
	textWorst    = 10 // components, and vulnerabilities
	textAttacked = 5  // vulnerabilities of one component
	textNames    = 20
	textRisks    = 5
	textLong     = 240 // characters of one piece of evidence
	textPlace    = 400 // characters of a place
)

func writeText(w io.Writer, d *dossier.Dossier, o Options) error {
	p := newPrinter(w, o)
	p.head(d)
	p.vectors(d)
	p.risks(d)
	p.bad(d)
	p.vulnerabilities(d)
	p.unknown(d)
	p.gaps(d)
	p.coverage(d)
	p.about(d)
	return p.w.Flush()
}

// printer writes lines. Errors stay in its buffer until the flush.
type printer struct {
	w     *bufio.Writer
	width int
	color bool
}

func newPrinter(w io.Writer, o Options) *printer {
	return &printer{bufio.NewWriter(w), min(max(cmp.Or(o.Width, 80), 40), 120), o.Color}
}

// line writes words as they are.
func (p *printer) line(format string, a ...any) { _, _ = fmt.Fprintf(p.w, format+"\n", a...) }

// para writes s broken to the width: the first line after first, the others indented as
// deep.
func (p *printer) para(first, s string) {
	deep := len([]rune(first))
	for i, l := range wrap(s, max(p.width-deep, 20)) {
		if i > 0 {
			first = strings.Repeat(" ", deep)
		}
		p.line("%s%s", first, l)
	}
}

func (p *printer) title(s string) {
	p.line("")
	p.line("%s", p.paint("1", s))
}

// paint colours s for the terminal.
func (p *printer) paint(code, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// hue is the terminal's colour of a severity.
func hue(severity string) string {
	switch severity {
	case "critical":
		return "1;31"
	case "high":
		return "31"
	case "medium":
		return "33"
	case "low":
		return "36"
	}
	return "2"
}

func (p *printer) head(d *dossier.Dossier) {
	p.line("%s", p.paint("1", deviceTitle(d)))
	if s := deviceDetail(d); s != "" {
		p.para("", s)
	}
	p.line("")
	if v := d.Verdict; v != nil {
		code := "1;31"
		if v.Outcome == "accept" {
			code = "1;32"
		}
		p.para("", p.paint(code, strings.ToUpper(prose(v.Outcome)))+" by the policy \""+prose(v.Policy)+"\"")
		for _, r := range v.Reasons {
			p.para("  because    ", prose(r))
		}
		for _, c := range v.Conditions {
			p.para("  condition  ", prose(c))
		}
		p.line("")
	}
	p.para("", headline(d))
	for _, s := range warnings(d) {
		p.para("", s)
	}
}

func (p *printer) vectors(d *dossier.Dossier) {
	p.line("")
	p.line("%s", p.paint("2", fmt.Sprintf("%-22s %6s %8s %6s  %s", "", "bad", "unknown", "good", "worst")))
	for _, r := range vectorRows(d) {
		row := fmt.Sprintf("%-22s %s %8s %6s  %s", cut(clean(r.Title), 22), p.paint(hue(r.Worst), fmt.Sprintf("%6s", number(r.Bad))), number(r.Unknown), number(r.Good),
			p.paint(hue(r.Worst), r.Worst))
		p.line("%s", strings.TrimRight(row, " "))
	}
}

// number leaves zeros out, so that the others show.
func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// risks writes what comes of it all, what matters first.
func (p *printer) risks(d *dossier.Dossier) {
	if len(d.Risks) == 0 {
		return
	}
	p.title("Risks")
	for i := range d.Risks {
		if i == textRisks && len(d.Risks) > textRisks+1 {
			p.line("")
			p.line("  and %d more", len(d.Risks)-i)
			break
		}
		r := &d.Risks[i]
		p.line("")
		words := prose(r.Title) + ": " + prose(r.Level)
		if r.First != "" {
			words += ", " + prose(r.First)
		}
		p.para(fmt.Sprintf("%2d. ", i+1), words)
		var harms []string
		for _, h := range r.Harms {
			harms = append(harms, prose(h.Dimension)+" "+prose(h.Severity))
		}
		p.para("    harm  ", strings.Join(harms, ", ")+"; exploitability "+prose(r.Exploitability))
		if len(r.Path) > 0 {
			p.para("    path  ", cut(strings.Join(proses(r.Path), "; then "), textPlace))
		}
		if len(r.Reasons) > 0 {
			p.para("    why   ", cut(strings.Join(proses(r.Reasons), "; "), textLong))
		}
		if len(r.Measures) > 0 {
			do := cut(strings.Join(proses(r.Measures), "; "), textLong)
			if r.After != "" {
				do += " (then " + prose(r.After) + ")"
			}
			p.para("    do    ", do)
		}
	}
}

func (p *printer) bad(d *dossier.Dossier) {
	list := groups(d, judge.Bad)
	if len(list) == 0 {
		return
	}
	p.title("Bad")
	at := roots(d)
	for _, g := range list {
		p.group(g, at)
	}
}

// group writes the findings of one rule as one entry.
func (p *printer) group(g *group, at map[string]string) {
	title := prose(cmp.Or(g.Findings[0].Title, g.Rule.Title))
	if g.Count > 1 {
		title += fmt.Sprintf(" (%d)", g.Count)
	}
	p.line("")
	label := fmt.Sprintf("%-9s ", g.Severity)
	lines := wrap(title+" ["+clean(g.Rule.ID)+"]", max(p.width-len(label), 20))
	for i, l := range lines {
		if i == 0 {
			p.line("%s%s", p.paint(hue(g.Severity), label), l)
		} else {
			p.line("%s%s", strings.Repeat(" ", len(label)), l)
		}
	}
	shown := g.Findings
	if len(shown) > textAlike+1 {
		shown = shown[:textAlike]
	}
	for _, f := range shown {
		p.finding(f, at, len(g.Findings) == 1)
	}
	if n := len(g.Findings) - len(shown); n > 0 {
		p.line("    and %d more", n)
	}
	if g.Rule.Recommend != "" {
		p.para("    do    ", prose(g.Rule.Recommend))
	}
}

// finding writes what was seen and where: more of it where it stands alone.
func (p *printer) finding(f *judge.Finding, at map[string]string, alone bool) {
	long, places := textLong/2, 1
	if alone {
		long, places = textLong, textPlaces
	}
	words := strings.TrimSpace(strings.Join(append([]string{cut(seen(f), long)}, remarks(f)...), " "))
	if words != "" {
		p.para("    seen  ", words)
	}
	if len(f.Places) <= places+1 {
		places = len(f.Places)
	}
	label := "    at    "
	for _, place := range f.Places[:places] {
		p.line("%s%s", label, cut(where(place, f.Root, at), textPlace))
		label = "          "
	}
	if n := max(f.Count, len(f.Places)) - places; n > 0 && places > 0 {
		p.line("          and %d more", n)
	}
}

// vulnerabilities writes what is known of the components: how many, the worst ones, what
// could not be looked up, and what the index knows.
func (p *printer) vulnerabilities(d *dossier.Dossier) {
	if len(d.Matches)+len(d.Considered)+len(d.Facts.Component) == 0 {
		return
	}
	p.title("Vulnerabilities")
	if s := lookedUp(d); s != "" {
		p.para("  ", s)
	}
	for _, s := range indexWords(d) {
		p.para("  ", s)
	}
	if all := concerns(d); len(all) > 0 {
		p.line("")
		p.line("%s", p.paint("2", fmt.Sprintf("  %-26s %8s %6s %8s %5s %8s  %s", "", "affected", "maybe", "critical", "high", "attacked", "worst")))
		for i, c := range all {
			if i == textWorst && len(all) > textWorst+1 {
				p.line("  and %d more", len(all)-i)
				break
			}
			name := clean(c.Component + " " + c.Version)
			if c.Root != "" && c.Root != "system" {
				name += " (" + clean(c.Root) + ")"
			}
			row := fmt.Sprintf("  %-26s %s %6s %8s %5s %8s  %s", cut(name, 26), p.paint(hue(c.Worst), fmt.Sprintf("%8s", number(c.Count[advisory.Vulnerable]))), number(c.Count[advisory.Unclear]),
				number(c.Critical), number(c.High), number(c.KEV), p.paint(hue(c.Worst), clean(c.Worst)))
			p.line("%s", strings.TrimRight(row, " "))
		}
	}
	var worst []matched
	n, of := 0, map[string]int{}
	for _, m := range distinct(matches(d)) {
		if m.Status != advisory.Vulnerable && m.Status != advisory.Unclear {
			continue
		}
		n++
		if name := m.Component + "\x00" + m.Version; len(worst) < textWorst && of[name] < textAttacked {
			of[name]++
			worst = append(worst, m)
		}
	}
	for _, m := range worst {
		p.match(m)
	}
	if n > len(worst) {
		p.line("")
		p.para("  ", fmt.Sprintf("and %d more, all of them with -f csv-vulnerabilities", n-len(worst)))
	}
	if all := unlookable(d); len(all) > 0 {
		p.line("")
		p.para("  ", "Not looked up, so nothing is known of:")
		for _, r := range unknownComponents(all) {
			p.para("    ", list(r.Names, textNames)+": "+r.Why)
		}
	}
}

func (p *printer) match(m matched) {
	p.line("")
	label := fmt.Sprintf("%-9s ", cut(clean(cmp.Or(m.Severity, "unscored")), 9))
	words := clean(m.Advisory) + " in " + clean(strings.TrimSpace(m.Component+" "+m.Version))
	if len(m.Also) > 0 {
		words += " (" + plural(1+len(m.Also), "place", "places") + ")"
	}
	if m.Status != advisory.Vulnerable {
		words += ", " + statusWords(m.Status)
	}
	if m.CVSS > 0 {
		words += ", CVSS " + float(m.CVSS, 1)
	}
	if s := exploitation(m.Match); s != "" {
		words += ", " + s
	}
	if m.Confidence == "low" || m.Confidence == "medium" {
		words += " (" + m.Confidence + " confidence)"
	}
	for i, l := range wrap(words, max(p.width-len(label), 20)) {
		if i == 0 {
			p.line("%s%s", p.paint(hue(m.Severity), label), l)
		} else {
			p.line("%s%s", strings.Repeat(" ", len(label)), l)
		}
	}
	if why := cut(strings.Join(proses(m.Why), "; "), textLong); why != "" {
		p.para("    why   ", why)
	}
	if m.By != "" {
		p.para("    by    ", prose(m.By))
	}
	if m.Risk != nil {
		p.para("    risk  ", prose(m.Risk.Level+": "+m.Risk.Title))
	}
	if do := todo(m.Match); do != "" {
		p.para("    do    ", cut(do, textLong))
	}
}

func (p *printer) unknown(d *dossier.Dossier) {
	all := reasons(d)
	if len(all) == 0 {
		return
	}
	p.title("Unknown: not seen, so not safe")
	for _, r := range all {
		ids := make([]string, len(r.Rules))
		for i, id := range r.Rules {
			ids[i] = clean(id)
		}
		p.line("")
		p.para("  ", cmp.Or(cut(prose(r.Note), textLong), "no reason given"))
		p.para("    "+plural(r.Count, "answer", "answers")+": ", list(ids, textRules))
	}
}

func (p *printer) gaps(d *dossier.Dossier) {
	if len(d.Gaps) == 0 {
		return
	}
	p.title("Gaps: parts that could not be read")
	for i, g := range d.Gaps {
		if i == textGaps && len(d.Gaps) > textGaps+1 {
			p.line("  and %d more", len(d.Gaps)-i)
			break
		}
		p.line("  %s", clean(g.Place.String()))
		p.para("    ", gapWords(&g))
	}
}

// gapWords says why a gap is one and what may hide in it.
func gapWords(g *fact.Gap) string {
	words := prose(cmp.Or(g.Why, g.Reason))
	if g.Size > 0 {
		words = size(g.Size) + ": " + words
	}
	switch {
	case g.Reservation:
		words += "; nothing is known to mount or start it"
	case len(g.Hides) == len(fact.Kinds()):
		words += "; anything may hide in it"
	case len(g.Hides) > 0:
		kinds := make([]string, len(g.Hides))
		for i, k := range g.Hides {
			kinds[i] = clean(kindTitle(k))
		}
		words += "; may hide " + list(kinds, 6)
	}
	return words
}

func (p *printer) coverage(d *dossier.Dossier) {
	all := sights(d)
	if len(all) == 0 {
		return
	}
	p.title("Coverage: what could be seen")
	for _, s := range all {
		name := clean(string(s.Source.Witness))
		if s.Source.Input != "" {
			name += " " + clean(s.Source.Input)
		}
		if s.Root != "" {
			name += ", " + clean(s.Root)
		}
		words := plural(len(s.Full), "kind", "kinds") + " of fact fully"
		switch {
		case len(s.Full) <= 4:
			words = list(s.Full, 4) + " fully"
		case len(s.Less) == 0:
			words = "all " + words
		}
		p.para("  ", name+": "+strings.Join(append([]string{words}, s.Less...), "; "))
	}
}

func (p *printer) about(d *dossier.Dossier) {
	p.title("About")
	for _, in := range d.Inputs {
		name := clean(in.Name)
		if in.Part != "" {
			name += " (" + clean(in.Part) + ")"
		}
		name += "  " + clean(string(in.Witness))
		if in.Size > 0 { // a directory has none
			name += ", " + size(in.Size)
		}
		p.line("  %s", name)
		if in.SHA256 != "" {
			p.line("    sha256 %s", clean(in.SHA256))
		}
	}
	for _, r := range rootLines(d) {
		p.line("  %s is %s", clean(r.Role), clean(r.Place))
	}
	p.para("  ", toolLine(d))
}
