package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// group is the answers of one rule that are alike: same outcome and severity, and for
// unknown ones the same reason.
type group struct {
	Rule     *judge.Rule // never nil: made of the finding where the dossier has none
	Severity string
	Note     string
	Findings []*judge.Finding
	Count    int // facts they stand for
}

// groups returns the findings of an outcome by rule, what matters first.
func groups(d *dossier.Dossier, outcome judge.Outcome) []*group {
	type name struct{ rule, severity, note string }
	at := map[name]*group{}
	var out []*group
	for _, f := range d.Findings {
		if f.Outcome != outcome {
			continue
		}
		n := name{rule: f.Rule, severity: f.Severity}
		if outcome == judge.Unknown {
			n.note = f.Note
		}
		g := at[n]
		if g == nil {
			g = &group{Rule: ruleOf(d, f), Severity: f.Severity, Note: n.note}
			at[n] = g
			out = append(out, g)
		}
		g.Findings = append(g.Findings, f)
		g.Count += max(f.Count, 1)
	}
	sure := []string{"", "high", "medium", "low"}
	for _, g := range out {
		slices.SortStableFunc(g.Findings, func(a, b *judge.Finding) int {
			return cmp.Compare(slices.Index(sure, a.Confidence), slices.Index(sure, b.Confidence))
		})
	}
	vectors := judge.Vectors()
	slices.SortStableFunc(out, func(a, b *group) int {
		return cmp.Or(cmp.Compare(dossier.Rank(a.Severity), dossier.Rank(b.Severity)),
			cmp.Compare(slices.Index(vectors, a.Rule.Vector), slices.Index(vectors, b.Rule.Vector)),
			cmp.Compare(a.Rule.ID, b.Rule.ID), cmp.Compare(a.Note, b.Note))
	})
	return out
}

// ruleOf returns what the dossier says of a finding's rule, or what the finding does.
func ruleOf(d *dossier.Dossier, f *judge.Finding) *judge.Rule {
	if r := d.Rules[f.Rule]; r != nil {
		r := *r
		r.ID = f.Rule
		return &r
	}
	return &judge.Rule{ID: f.Rule, Title: f.Title, Vector: f.Vector, Version: f.RuleVersion, Severity: f.Severity, CWE: f.CWE, Maps: f.Maps}
}

// reason is one reason why answers are unknown, with the rules that it concerns.
type reason struct {
	Note   string
	Rules  []string
	Count  int    // findings
	Severe string // the worst severity among them
}

// reasons returns the unknown answers by their reason, the most severe first.
func reasons(d *dossier.Dossier) []*reason {
	at := map[string]*reason{}
	var out []*reason
	for _, g := range groups(d, judge.Unknown) {
		r := at[g.Note]
		if r == nil {
			r = &reason{Note: g.Note, Severe: g.Severity}
			at[g.Note] = r
			out = append(out, r)
		}
		if !slices.Contains(r.Rules, g.Rule.ID) {
			r.Rules = append(r.Rules, g.Rule.ID)
		}
		r.Count += len(g.Findings)
	}
	slices.SortStableFunc(out, func(a, b *reason) int {
		return cmp.Or(cmp.Compare(dossier.Rank(a.Severe), dossier.Rank(b.Severe)), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Note, b.Note))
	})
	return out
}

// vectorRow is one line of the table of vectors.
type vectorRow struct {
	Name, Title string
	dossier.Tally
}

// vectorRows returns the five attack vectors, always, and the other groups that have
// answers.
func vectorRows(d *dossier.Dossier) []vectorRow {
	c := d.Count()
	known := judge.Vectors()
	var others []string
	for v := range c.Vector {
		if !slices.Contains(known, v) {
			others = append(others, v)
		}
	}
	slices.Sort(others)
	var out []vectorRow
	for i, v := range slices.Concat(known, others) {
		t := c.Vector[v]
		if t == nil {
			if i >= 5 {
				continue
			}
			t = &dossier.Tally{}
		}
		out = append(out, vectorRow{v, vectorTitle(v), *t})
	}
	return out
}

// headline says in one sentence how the device stands.
func headline(d *dossier.Dossier) string {
	c := d.Count()
	if c.All == (dossier.Tally{}) {
		return "No rule was asked, so nothing is known to be good."
	}
	var bad []string
	for _, s := range judge.Severities() {
		if n := c.Severity[s]; n > 0 {
			bad = append(bad, fmt.Sprintf("%d %s", n, s))
		}
	}
	words := "Nothing bad was found"
	if len(bad) > 0 {
		words = fmt.Sprintf("%d bad (%s)", c.All.Bad, strings.Join(bad, ", "))
	}
	words += fmt.Sprintf(", %d unknown, %d good.", c.All.Unknown, c.All.Good)
	if len(bad) == 0 && (c.All.Unknown > 0 || len(d.Gaps) > 0) {
		words += " What is unknown is not safe."
	}
	return words
}

// deviceTitle names the device in a few words.
func deviceTitle(d *dossier.Dossier) string {
	words := slices.DeleteFunc([]string{d.Device.Vendor, d.Device.Model, d.Device.Version}, func(s string) bool { return s == "" })
	if len(words) == 0 && len(d.Inputs) > 0 {
		words = []string{d.Inputs[0].Name}
	}
	if len(words) == 0 {
		return "unnamed device"
	}
	return prose(strings.Join(words, " "))
}

// deviceDetail says what else is known of the device.
func deviceDetail(d *dossier.Dossier) string {
	v := d.Device
	words := []string{v.Class, v.Distro, v.OS, v.Arch}
	if len(v.Functions) > 0 {
		words = append(words, strings.Join(v.Functions, " and "))
	}
	if v.Harm != "" {
		words = append(words, "harm "+v.Harm)
	}
	if v.UDI != "" {
		words = append(words, "UDI "+v.UDI)
	}
	return prose(strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), ", "))
}

// roots says where the root of each role lies, for those that lie in one place: places
// in them can then be told by their path alone.
func roots(d *dossier.Dossier) map[string]string {
	at := map[string]string{}
	see := func(root string, places []fact.Place) {
		for _, p := range places {
			if len(p.Layers) == 0 {
				continue
			}
			p.Path, p.Line, p.Offset = "", 0, 0
			if was, ok := at[root]; ok && was != p.String() {
				at[root] = ""
			} else if !ok {
				at[root] = p.String()
			}
		}
	}
	for _, k := range fact.Kinds() {
		for _, f := range d.Facts.Of(k) {
			see(f.Header().Root, f.Header().Places)
		}
	}
	for _, f := range d.Findings {
		see(f.Root, f.Places)
	}
	return at
}

// where writes a place, short where its root says the rest.
func where(p fact.Place, root string, roots map[string]string) string {
	full := p.String()
	prefix := roots[root]
	if root == "" || prefix == "" || !strings.HasPrefix(full, prefix+"!") {
		return clean(full)
	}
	short := strings.TrimPrefix(full, prefix+"!")
	if root != "system" {
		short += " (" + root + ")"
	}
	return clean(short)
}

// sight says how one source could see into one root.
type sight struct {
	Source fact.Source
	Root   string
	Full   []string
	Less   []string // kinds seen partly or not at all, with the reason
}

// sights returns the coverage, a line for each source and root.
func sights(d *dossier.Dossier) []*sight {
	var out []*sight
	for _, c := range d.Coverage {
		if len(out) == 0 || out[len(out)-1].Source != c.Source || out[len(out)-1].Root != c.Root {
			out = append(out, &sight{Source: c.Source, Root: c.Root})
		}
		s := out[len(out)-1]
		if c.Level == "full" {
			s.Full = append(s.Full, kindTitle(c.Kind))
			continue
		}
		words := kindTitle(c.Kind) + " partly"
		if c.Level == "none" {
			words = kindTitle(c.Kind) + " not at all"
		}
		switch {
		case c.Why != "":
			words += " (" + prose(c.Why) + ")"
		case len(c.Gaps) > 0:
			words += " (" + plural(len(c.Gaps), "gap", "gaps") + ")"
		}
		s.Less = append(s.Less, words)
	}
	return out
}

// rootLine says where the root of a role lies.
type rootLine struct{ Role, Place string }

// rootLines returns the roots that lie in one place.
func rootLines(d *dossier.Dossier) []rootLine {
	at := roots(d)
	var out []rootLine
	for _, role := range slices.Sorted(maps.Keys(at)) {
		if role != "" && at[role] != "" {
			out = append(out, rootLine{role, at[role]})
		}
	}
	return out
}

// warnings says what qualifies the whole report.
func warnings(d *dossier.Dossier) []string {
	var out []string
	if n := len(d.Gaps); n > 0 {
		s := plural(n, "part", "parts") + " could not be read"
		if d.Run.Unknown > 0 {
			s += ", " + size(d.Run.Unknown) + " of the input"
		}
		out = append(out, s+": see the gaps below.")
	}
	if days, ok := indexAge(d); ok && days > advisory.DueDays {
		out = append(out, "The vulnerability index is "+plural(days, "day", "days")+" older than the assessment: an update is due.")
	}
	if n := attacked(d); n > 0 {
		out = append(out, plural(n, "vulnerability of it is", "vulnerabilities of it are")+" known to be exploited: they come first.")
	}
	for _, w := range d.Run.Walls {
		if !w.Stands {
			out = append(out, "The reading process kept a right, the wall "+prose(w.Name)+" does not stand: "+prose(w.Why))
		}
	}
	return out
}

// toolLine says what made the dossier, and when.
func toolLine(d *dossier.Dossier) string {
	tool := prose(d.Tool.Name + " " + d.Tool.Version)
	if d.Tool.Rulebook != "" {
		tool += ", rulebook " + prose(d.Tool.Rulebook)
	}
	if d.Tool.Index.Date != "" {
		tool += ", vulnerability index of " + prose(d.Tool.Index.Date)
	}
	return fmt.Sprintf("%s, %s, %s", tool, plural(len(d.Rules), "rule", "rules"), d.At.UTC().Format("2006-01-02 15:04 MST"))
}

// components returns the components by name, version and root.
func components(d *dossier.Dossier) []*fact.Component {
	list := slices.Clone(d.Facts.Component)
	slices.SortStableFunc(list, func(a, b *fact.Component) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Suffix, b.Suffix), cmp.Compare(a.Root, b.Root))
	})
	return list
}

// seen writes what was seen, with the name of what it was seen of where the evidence does
// not say it.
func seen(f *judge.Finding) string {
	name := ""
	if len(f.Keys) == 1 {
		parts := strings.Split(f.Keys[0], "|")
		switch {
		case f.Kind == fact.KindAccount && len(parts) == 2:
			name = parts[1] // of store and name
		case f.Kind == fact.KindService && len(parts) == 3, f.Kind == fact.KindComponent:
			name = parts[0]
		}
	}
	if f.Evidence == "" || name == "" || strings.Contains(f.Evidence, name) {
		return clean(f.Evidence)
	}
	return clean(name) + ": " + clean(f.Evidence)
}

// remarks qualify a finding: how sure it is where that is not high, and which witnesses
// besides the firmware saw it.
func remarks(f *judge.Finding) []string {
	var out []string
	if f.Confidence == "medium" || f.Confidence == "low" {
		out = append(out, "("+f.Confidence+" confidence)")
	}
	var others []string
	firmware := false
	for _, s := range f.Sources {
		if s.Witness == fact.Firmware {
			firmware = true
		} else if w := clean(string(s.Witness)); !slices.Contains(others, w) {
			others = append(others, w)
		}
	}
	also := ""
	if firmware {
		also = "also "
	}
	if len(others) > 0 {
		out = append(out, "("+also+"seen by: "+strings.Join(others, ", ")+")")
	}
	return out
}
