package remedy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// worse is one thing that the copy has and the image had not.
type worse struct {
	rule, root string
	paths      []string
	subjects   []string
	words      string
}

// verdicts holds the copy against the image: it notes what became of each finding, and
// returns what got worse.
func (r *Result) verdicts(plan []*mending) []worse {
	before, after := outcomes(r.Before.Findings), outcomes(r.After.Findings)
	for _, m := range plan {
		s := m.active()
		if s == nil {
			continue
		}
		s.After, s.Stands, s.Proof = judge.Good, true, Judged // also where what it was about is no longer there
		if f, still := after[m.finding.ID]; still && f.Outcome != judge.Good {
			s.After, s.Stands, s.Proof = f.Outcome, false, ""
			s.failed = fmt.Sprintf("the copy is still judged %s: %s", f.Outcome, f.Evidence+f.Note)
		} else if !still {
			if f := moved(m.finding, before, r.After.Findings); f != nil {
				s.After, s.Stands, s.Proof = f.Outcome, false, ""
				s.failed = fmt.Sprintf("the copy is judged %s under another name: %s", f.Outcome, f.Evidence+f.Note)
			}
		}
	}
	var bad []worse
	for i := range r.After.Findings {
		f := &r.After.Findings[i]
		was, known := before[f.ID]
		if f.Outcome == judge.Good || known && was.Outcome != judge.Good && (was.Outcome == judge.Bad || f.Outcome == judge.Unknown) {
			continue
		}
		if f.Outcome == judge.Unknown && !known {
			continue // what it is about is new; it is no answer to anything that was asked before
		}
		if slices.ContainsFunc(r.Before.Findings, func(b judge.Finding) bool {
			return b.Outcome == judge.Bad && after[b.ID] == nil && moved(&b, before, r.After.Findings) == f
		}) {
			continue // it was bad before, too
		}
		bad = append(bad, worse{f.Rule, f.Root, paths(f.Places), subjects(factsOf(&r.After.Facts, f)), fmt.Sprintf("%s became %s: %s", f.Rule, f.Outcome, f.Evidence+f.Note)})
	}
	for _, g := range r.After.Gaps {
		if !slices.ContainsFunc(r.Before.Gaps, func(b fact.Gap) bool { return b.Root == g.Root && b.Place.Path == g.Place.Path && b.Reason == g.Reason }) {
			bad = append(bad, worse{"", g.Root, []string{g.Place.Path}, nil, fmt.Sprintf("a new gap: %s: %s", g.Place, g.Why)})
		}
	}
	return bad
}

// moved returns the bad finding of the copy that is a finding of the image under another
// key: a service that now speaks another protocol, at the same places.
func moved(was *judge.Finding, before map[string]*judge.Finding, after []judge.Finding) *judge.Finding {
	for i := range after {
		f := &after[i]
		if f.Outcome == judge.Bad && f.Rule == was.Rule && f.Root == was.Root && before[f.ID] == nil && len(f.Places) > 0 && slices.Equal(paths(f.Places), paths(was.Places)) {
			return f
		}
	}
	return nil
}

func outcomes(findings []judge.Finding) map[string]*judge.Finding {
	m := make(map[string]*judge.Finding, len(findings))
	for i := range findings {
		m[findings[i].ID] = &findings[i]
	}
	return m
}

// subjects are the programs that facts are about.
func subjects(facts []fact.Fact) (out []string) {
	for _, f := range facts {
		switch f := f.(type) {
		case *fact.Service:
			out = append(out, f.Product, f.Name)
		case *fact.Setting:
			out = append(out, f.Subject)
		case *fact.Guard:
			out = append(out, f.Subject)
		case *fact.Account:
			out = append(out, f.Store)
		case *fact.Endpoint:
			out = append(out, f.Service)
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

func paths(places []fact.Place) []string {
	var out []string
	for _, p := range places {
		out = append(out, p.Path)
	}
	return out
}

// drop takes the steps out that did not hold, and those to blame for what got worse: the
// ones that changed a file of it, else those about the same program, else the ones of its
// root, else all. It reports whether any was taken out.
func drop(plan []*mending, bad []worse) bool {
	var applied []*step
	for _, m := range plan {
		if s := m.active(); s != nil {
			applied = append(applied, s)
		}
	}
	dropped := false
	for _, s := range applied {
		if !s.Stands {
			s.refuse(s.failed)
			dropped = true
		}
	}
	for _, w := range bad {
		blamed := func(s *step) bool {
			return cmp.Or(s.Root, "system") == w.root && slices.ContainsFunc(s.Files, func(p string) bool { return slices.Contains(w.paths, p) })
		}
		proof := slices.ContainsFunc(applied, blamed)
		if !proof {
			blamed = func(s *step) bool {
				return s.Root == w.root && slices.ContainsFunc(s.about, func(p string) bool { return slices.Contains(w.subjects, p) })
			}
		}
		if !slices.ContainsFunc(applied, blamed) {
			blamed = func(s *step) bool { return w.root == "" || s.Root == w.root }
		}
		for _, s := range applied {
			if s.Stands && blamed(s) {
				s.refuse(w.words)
				s.suspect = !proof
				dropped = true
			}
		}
	}
	return dropped
}
