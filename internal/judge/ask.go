package judge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Judge links the facts and asks every rule. The findings come in their one order: by
// severity, vector, rule, root, outcome and key.
func (j *Judge) Judge(in Input) ([]Finding, error) {
	set := in.Facts
	if set == nil {
		set = &fact.Set{}
	}
	Link(set)
	w := newWorld(j.view, set, newSight(in.Coverage, in.Gaps))
	answers := make([][]Finding, len(j.rules))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(j.rules) {
					return
				}
				answers[i] = w.findings(j.rules[i])
			}
		})
	}
	wait.Wait()
	all := slices.Concat(answers...)
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(Severities(), a.Severity), slices.Index(Severities(), b.Severity)),
			cmp.Compare(slices.Index(Vectors(), a.Vector), slices.Index(Vectors(), b.Vector)),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Root, b.Root), cmp.Compare(a.Outcome, b.Outcome),
			slices.Compare(a.Keys, b.Keys), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// workers ask rules side by side.
const workers = 4

// pile gathers what becomes one finding.
type pile struct {
	root       string
	id         string // what the finding's identity is made of beside rule and root
	facts      []fact.Fact
	evidence   []string
	why        []string
	confidence string
}

// piles keeps piles in the order of their first fact.
type piles struct {
	list []*pile
	by   map[string]*pile
}

func (p *piles) at(root, id string) *pile {
	key := root + "\x00" + id
	if p.by[key] == nil {
		if p.by == nil {
			p.by = map[string]*pile{}
		}
		p.by[key] = &pile{root: root, id: id, confidence: "low"}
		p.list = append(p.list, p.by[key])
	}
	return p.by[key]
}

func (p *pile) add(f fact.Fact, evidence string, why []string) {
	p.facts = append(p.facts, f)
	if evidence != "" && len(p.evidence) < 5 && !slices.Contains(p.evidence, evidence) {
		p.evidence = append(p.evidence, evidence)
	}
	for _, w := range why {
		if !slices.Contains(p.why, w) {
			p.why = append(p.why, w)
		}
	}
	if c := confidence(f.Header().Confidence); rank(c) < rank(p.confidence) {
		p.confidence = c
	}
}

func rank(confidence string) int { return slices.Index([]string{"high", "medium", "low"}, confidence) }

// findings asks one rule of everything it is about.
func (w *world) findings(c *compiled) []Finding {
	if c.Ask == fact.KindDevice {
		return w.device(c)
	}
	var bad, unknown piles
	looked, answered := map[string]int{}, map[string]bool{}
	s := &scene{world: w, lists: lists(), kind: string(c.Ask)}
	for _, v := range w.values[c.Ask] {
		h := v.fact.Header()
		if !asked(c.Of, h.Source.Witness) {
			continue
		}
		looked[h.Root]++
		s.fact, s.root = v, h.Root
		switch outcome, why := c.ask(s); outcome {
		case Bad:
			answered[h.Root] = true
			bad.at(h.Root, c.groupOf(v)).add(v.fact, c.saw(s), nil)
		case Unknown:
			answered[h.Root] = true
			unknown.at(h.Root, "unknown").add(v.fact, "", why)
		case Good:
		}
	}
	var out []Finding
	for _, p := range bad.list {
		out = append(out, c.finding(p, Bad))
	}
	for _, p := range unknown.list {
		out = append(out, c.finding(p, Unknown))
	}
	return append(out, w.rest(c, looked, answered)...)
}

// asked reports whether a rule concerns the facts of a witness.
func asked(of string, w fact.Witness) bool {
	declared := w == fact.Design || w == fact.Claimed
	return of == "any" || declared == (of == "declared")
}

// groupOf says which finding a bad fact belongs to: its own, its component's, its root's.
func (c *compiled) groupOf(v *value) string {
	switch {
	case c.Group == "root":
		return ""
	case c.Group == "component" && v.component != nil:
		return "component " + v.component.fact.Key()
	}
	return "fact " + v.fact.Key()
}

// rest answers for the roots in which nothing was bad or open: good where the rule's kinds
// were seen fully, else unknown. Roots that do not run answer only where something was
// looked at: an archive in a cache has no telnet, and its gaps stand in the report.
func (w *world) rest(c *compiled, looked map[string]int, answered map[string]bool) []Finding {
	var out []Finding
	for _, k := range c.Needs {
		if c.Of == "" && !w.sight.covered(k) {
			if len(answered) > 0 {
				return nil
			}
			return []Finding{c.finding(&pile{id: "unknown", why: []string{"no witness for kind " + string(k)}, confidence: "high"}, Unknown)}
		}
	}
	roots := w.sight.roots
	if c.Of != "" {
		roots = nil // what is declared lies in no root
		for r := range looked {
			roots = append(roots, r)
		}
		slices.Sort(roots)
	}
	for _, root := range roots {
		if answered[root] || looked[root] == 0 && !system(root) && c.Of == "" {
			continue
		}
		var why []string
		for _, k := range c.Needs {
			if m := w.sight.missing(k, root); m != "" && c.Of == "" && !slices.Contains(why, m) {
				why = append(why, m)
			}
		}
		if len(why) > 0 {
			out = append(out, c.finding(&pile{root: root, id: "unknown", why: why, confidence: "high"}, Unknown))
			continue
		}
		f := c.finding(&pile{root: root, id: "good", confidence: "high"}, Good)
		f.Count = looked[root]
		out = append(out, f)
	}
	return out
}

// device asks a rule once, of all facts.
func (w *world) device(c *compiled) []Finding {
	s := &scene{world: w, lists: lists(), root: everywhere}
	p := &pile{id: "device", confidence: "high"}
	for _, k := range c.Needs {
		if !w.sight.covered(k) {
			p.why = append(p.why, "no witness for kind "+string(k))
		}
	}
	if len(p.why) > 0 {
		return []Finding{c.finding(p, Unknown)}
	}
	outcome, why := c.ask(s)
	switch outcome {
	case Bad:
		if e := c.saw(s); e != "" {
			p.evidence = []string{e}
		}
	case Unknown:
		p.why = why
	case Good:
		for _, k := range c.Needs {
			if m := w.sight.missing(k, everywhere); m != "" && !slices.Contains(p.why, m) {
				p.why = append(p.why, m)
			}
		}
		if len(p.why) > 0 {
			outcome = Unknown
		}
	}
	return []Finding{c.finding(p, outcome)}
}

// finding makes the finding of a pile.
func (c *compiled) finding(p *pile, outcome Outcome) Finding {
	f := Finding{
		Rule: c.ID, RuleVersion: c.Version, Root: p.root, Kind: c.Ask, Title: c.Title, Outcome: outcome, Severity: c.Severity,
		Vector: c.Vector, CWE: c.CWE, Maps: c.Maps, Count: len(p.facts), Confidence: p.confidence, Evidence: short(joined(p.evidence)), Note: joined(p.why),
	}
	for _, x := range first(p.facts) {
		h := x.Header()
		f.Keys, f.Places = append(f.Keys, x.Key()), append(f.Places, h.Places...)
		if !slices.Contains(f.Sources, h.Source) {
			f.Sources = append(f.Sources, h.Source)
		}
	}
	slices.Sort(f.Keys)
	f.Keys = slices.Compact(f.Keys)
	f.Places = once(f.Places)
	most := shown
	if outcome == Unknown {
		most = shownOpen
	}
	f.Keys, f.Places = f.Keys[:min(len(f.Keys), most)], f.Places[:min(len(f.Places), most)]
	slices.SortFunc(f.Sources, func(a, b fact.Source) int {
		return cmp.Or(cmp.Compare(a.Witness, b.Witness), cmp.Compare(a.Input, b.Input))
	})
	sum := sha256.Sum256([]byte(strings.Join([]string{c.ID, p.root, p.id}, "\x00")))
	f.ID = hex.EncodeToString(sum[:8])
	return f
}

// shown is how many keys and places of a large group a finding names, shownOpen of what
// stays unknown; Count counts all.
const shown, shownOpen = 200, 20

// first returns the facts whose keys come first, as many as a finding names.
func first(facts []fact.Fact) []fact.Fact {
	if len(facts) <= shown {
		return facts
	}
	type row struct {
		key string
		f   fact.Fact
	}
	rows := make([]row, len(facts))
	for i, f := range facts {
		rows[i] = row{f.Key(), f}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.key, b.key) })
	out := make([]fact.Fact, shown)
	for i := range out {
		out[i] = rows[i].f
	}
	return out
}

// once sorts places and drops those that stand twice.
func once(places []fact.Place) []fact.Place {
	fact.SortPlaces(places)
	return slices.CompactFunc(places, func(a, b fact.Place) bool { return a.String() == b.String() })
}
