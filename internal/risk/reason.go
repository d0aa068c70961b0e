package risk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// reasons tell in words, in order, why a risk is what it is, each with its source.
func (a *assessor) reasons(c *cause, x Exposure, members []*weighed) []string {
	lead := members[0]
	out := []string{"evidence: " + lead.evidence()}
	out = append(out, lead.notes...)
	if more := others(members); more != "" {
		out = append(out, more)
	}
	how := x.words()
	if c.via != "" {
		how = c.via + "; " + how
	}
	if c.name == "linux" && c.kind == "component" {
		how = "the kernel always runs; which of its code an attacker reaches is not stated"
	}
	out = append(out, "exposure: "+how)
	return append(out, a.numbers(lead)...)
}

// numbers are the reasons that follow from the weighing.
func (a *assessor) numbers(w *weighed) []string {
	var out []string
	parts := make([]string, len(w.factors))
	for i, f := range w.factors {
		parts[i] = fmt.Sprintf("%+d %s", f.Adds, f.Why)
		if i == 0 {
			parts[i] = fmt.Sprintf("E%d %s", f.Adds, f.Why)
		}
	}
	out = append(out, fmt.Sprintf("exploitability E%d: %s", w.e, strings.Join(parts, "; ")))
	if w.real.vector != "" {
		words := fmt.Sprintf("score %.1f by %s", w.real.score, w.real.vector)
		if w.base != nil && w.base.vector != w.real.vector {
			words += fmt.Sprintf(" (without the environment %.1f)", w.base.score)
		}
		out = append(out, words)
	}
	for _, h := range w.harms {
		out = append(out, fmt.Sprintf("harm: %s %s (%s): with E%d %s", h.Dimension, h.Severity, h.From, w.e, h.Level))
	}
	return out
}

// evidence tells what was seen, where, by whom and how sure.
func (w *weighed) evidence() string {
	if m := w.match; m != nil {
		s := fmt.Sprintf("%s concerns %s %s", m.Advisory, m.Component, m.Version)
		if m.Status == advisory.Unclear {
			s = fmt.Sprintf("%s may concern %s %s", m.Advisory, m.Component, m.Version)
		}
		if len(m.Places) > 0 {
			s += " at " + list(m.Places, 2)
		}
		if len(m.Why) > 0 {
			s += ": " + m.Why[len(m.Why)-1]
		}
		s += " (confidence " + cmp.Or(m.Confidence, "high")
		if len(m.Sources) > 0 {
			s += "; " + list(m.Sources, 4)
		}
		return s + ")"
	}
	f := w.finding
	s := cmp.Or(f.Evidence, f.Title)
	if p := places(f.Places, 2); p != "" {
		s += " at " + p
	}
	s += " (rule " + f.Rule + ", confidence " + cmp.Or(f.Confidence, "high")
	var witnesses []string
	for _, src := range f.Sources {
		if !slices.Contains(witnesses, string(src.Witness)) {
			witnesses = append(witnesses, string(src.Witness))
		}
	}
	if len(witnesses) > 0 {
		s += "; " + strings.Join(witnesses, ", ")
	}
	return s + ")"
}

func places(list []fact.Place, n int) string {
	words := make([]string, 0, n)
	for _, p := range list[:min(n, len(list))] {
		words = append(words, p.String())
	}
	if len(list) > n {
		words = append(words, fmt.Sprintf("%d more", len(list)-n))
	}
	return strings.Join(words, ", ")
}

// others tell what else the cause has.
func others(members []*weighed) string {
	var rules []string
	affected, unclear, known := 0, 0, 0
	for _, w := range members[1:] {
		switch {
		case w.finding != nil:
			rules = append(rules, w.finding.Rule)
		case w.match.Status == advisory.Unclear:
			unclear++
		default:
			affected++
		}
		if w.match != nil && w.match.KEV {
			known++
		}
	}
	var parts []string
	if affected > 0 {
		parts = append(parts, plural(affected, "further vulnerability"))
	}
	if unclear > 0 {
		parts = append(parts, fmt.Sprintf("%d of which it is not known whether they concern the device", unclear))
	}
	if known > 0 {
		parts = append(parts, fmt.Sprintf("%d of them known to be exploited", known))
	}
	if len(rules) > 0 {
		slices.Sort(rules)
		parts = append(parts, list(slices.Compact(rules), 6))
	}
	if len(parts) == 0 {
		return ""
	}
	return "of the same cause: " + strings.Join(parts, ", ")
}

// mitigate says what can be done, and what is left of the risk then.
func (a *assessor) mitigate(r *made, c *cause, x Exposure, members []*weighed) {
	measures, controls := a.measures(c, x, members)
	r.Measures = measures
	open := a.unfixed(members)
	if len(measures) > 0 {
		r.After = a.m.Levels[0]
		for i := range r.Harms {
			h := &r.Harms[i]
			h.After = a.m.Level(h.Severity, 1)
			for _, w := range open {
				for _, o := range w.harms {
					if o.Dimension == h.Dimension && a.m.rank(o.Level) > a.m.rank(h.After) {
						h.After = o.Level
					}
				}
			}
			if a.m.rank(h.After) > a.m.rank(r.After) {
				r.After = h.After
			}
		}
	}
	if len(controls) > 0 {
		r.Controls, r.Interim = a.interim(r, members, controls)
	}
	r.Controlled = true
	for _, h := range r.Harms {
		if h.Dimension == "patient-safety" && !slices.Contains(a.m.Controlled, h.Level) {
			r.Controlled = false
		}
	}
	after := cmp.Or(r.After, "no measure is known")
	words := "level: " + r.Level + "; when its cause is mended: " + after
	if r.Interim != "" {
		words += "; with the hospital's controls alone: " + r.Interim
	}
	if len(open) > 0 {
		words += fmt.Sprintf("; for %d of them no fixed version is known", len(open))
	}
	r.Reasons = append(r.Reasons, words+" (matrix "+a.m.Name+")")
}

// unfixed are the vulnerabilities for which nobody states a fixed version.
func (a *assessor) unfixed(members []*weighed) []*weighed {
	var out []*weighed
	for _, w := range members {
		if w.match != nil && w.match.FixedIn == "" {
			out = append(out, w)
		}
	}
	return out
}

// interim is the level while only the controls are in place, and the vector of the lead
// with them. A control changes how the weakness is reached, never the harm.
func (a *assessor) interim(r *made, members []*weighed, controls []string) (vector, level string) {
	set, gone := map[string]string{}, false
	for _, id := range controls {
		k := a.t.Controls[id]
		gone = gone || k.Gone
		for name, v := range k.Set {
			if old := set[name]; old == "" || weight(name[1:], v, false) < weight(name[1:], old, false) {
				set[name] = v
			}
		}
	}
	r.Gone = gone
	level = a.m.Levels[0]
	for i, w := range members {
		with, err := a.in(w.real, set)
		if err != nil {
			with = w.real
		}
		if i == 0 {
			vector = with.vector
		}
		e := 1
		if !gone {
			e = interimE(w.factors, with)
		}
		for _, h := range w.harms {
			if l := a.m.Level(h.Severity, e); a.m.rank(l) > a.m.rank(level) {
				level = l
			}
		}
	}
	if a.m.rank(level) > a.m.rank(r.Level) {
		level = r.Level
	}
	return vector, level
}

// interimE is the exploitability by a changed vector: the other factors stay, but for what
// only a network can use.
func interimE(factors []Factor, with *reading) int {
	moved := slices.Clone(factors)
	moved[0].Adds = with.start()
	if !remote(with) {
		moved = slices.DeleteFunc(moved, func(f Factor) bool { return f.Why == openWhy })
	}
	return sum(moved)
}

// measures name what can be done: what the maker does about each member, and the controls
// that the rules name for a hospital.
func (a *assessor) measures(c *cause, x Exposure, members []*weighed) (words, controls []string) {
	seen := map[string]bool{}
	add := func(s string) {
		if s != "" && !seen[s] {
			seen[s] = true
			words = append(words, s)
		}
	}
	if up := upgrade(c.matches); up != "" {
		add(up)
	}
	note := func(id string) {
		if _, ok := a.t.Controls[id]; ok && !slices.Contains(controls, id) {
			controls = append(controls, id)
		}
	}
	advice := 0
	for _, w := range members {
		if m := w.match; m != nil {
			if m.Advice != "" && m.FixedIn == "" && advice < 3 {
				advice++
				add("maker: " + m.Advisory + ": " + m.Advice)
			}
			continue
		}
		rule := a.Rules[w.finding.Rule]
		if rule == nil {
			continue
		}
		id := strings.Join(rule.Remedy, ", ")
		if id == "" {
			id = "by a person"
		}
		add("maker: " + rule.Recommend + " (" + id + ")")
		for _, k := range rule.Control {
			note(k)
		}
	}
	// What a component is reached by can be kept from it; nothing is said of what is not
	// reached over a network.
	if len(c.matches) > 0 && members[0].base.effective("AV") == "N" && len(controls) == 0 {
		if x.Network == "network" {
			note("restrict-management")
		} else if x.Network != "local" && x.Started != "never" {
			note("segment-network")
		}
	}
	slices.Sort(controls)
	for _, id := range controls {
		s := "hospital: " + a.t.Controls[id].Words
		if len(x.Services) > 0 && a.t.Controls[id].Set["MAV"] != "" && id != "segment-network" {
			s += ", " + list(x.Services, 3)
		}
		add(s + " (" + id + ")")
	}
	return words, controls
}

// upgrade says to which version, where one is known.
func upgrade(matches []*advisory.Match) string {
	top, without, name := "", 0, ""
	for _, m := range matches {
		name = m.Component
		if m.FixedIn == "" {
			without++
			continue
		}
		if top == "" || natural(m.FixedIn, top) > 0 {
			top = m.FixedIn
		}
	}
	if top == "" {
		return ""
	}
	s := "maker: bring " + name + " to " + top + " or later (upgrade-component)"
	if without > 0 {
		s += fmt.Sprintf("; %d of %s have no fix known", without, plural(len(matches), "vulnerability"))
	}
	return s
}

// natural compares versions for words alone: runs of digits as numbers, the rest as text.
func natural(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da > 0 && db > 0 {
			x, y := strings.TrimLeft(a[:da], "0"), strings.TrimLeft(b[:db], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[da:], b[db:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
