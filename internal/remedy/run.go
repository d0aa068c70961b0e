package remedy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/witness/firmware"
)

// Exam is an image that was opened and judged.
type Exam struct {
	*firmware.Result
	Findings []judge.Finding
}

// Options say how [Run] works.
type Options struct {
	// Examine opens and judges: the input, and then the copy.
	Examine func(ctx context.Context, in firmware.Input) (*Exam, error)

	Image image.Options // for writing the copy
	Rules map[string]*judge.Rule
	Fixes []Fix

	// Verifier returns a file of the verifier of updates that a fix puts into the image: the
	// program of an architecture, the maker's key. Nil where there is none.
	Verifier func(name string) ([]byte, error)

	// Choose says whether a fix may be applied, and who agreed; else why not. Nil applies
	// what needs no clinical decision.
	Choose func(f *Fix, of *judge.Finding) (yes bool, words string)
}

// Result is what became of an image.
type Result struct {
	Before, After *Exam
	Remedies      []Remedy
	Trees         []*Tree // with the changes that stand
	Orders        Orders
	Image         *image.Blob  // the copy; nil where it cannot be written
	NoImage       string       // why it cannot
	Notes         []image.Note // on containers that were written again

	in   firmware.Input
	opts Options
}

// retries bounds how many suspects are tried once more.
const retries = 24

// rounds bounds how often the copy is made again without the fixes that did not hold.
const rounds = 8

// Run mends an image.
func Run(ctx context.Context, in firmware.Input, o Options) (*Result, error) {
	before, err := o.Examine(ctx, in)
	if err != nil {
		return nil, err
	}
	r := &Result{Before: before, in: in, opts: o}
	plan := r.plan()
	for round := 0; ; round++ {
		if err := r.attempt(ctx, plan); err != nil {
			return nil, err
		}
		if !drop(plan, r.verdicts(plan)) {
			break
		}
		if round == rounds {
			return nil, fmt.Errorf("no set of fixes held in %d rounds", rounds)
		}
	}
	if err := r.acquit(ctx, plan); err != nil {
		return nil, err
	}
	was, after := outcomes(before.Findings), outcomes(r.After.Findings)
	for _, m := range plan {
		holds := m.active()
		if f, still := after[m.finding.ID]; holds == nil && len(m.steps) > 0 &&
			(still && f.Outcome == judge.Good || !still && moved(m.finding, was, r.After.Findings) == nil) {
			m.steps[0].closed()
			holds = m.steps[0]
		}
		for _, s := range m.steps {
			if s != holds && s.Why == "" {
				s.refuse(holds.Fix + " is enough")
			}
			r.Remedies = append(r.Remedies, s.Remedy)
		}
	}
	slices.SortStableFunc(r.Remedies, func(a, b Remedy) int { return strings.Compare(a.Finding, b.Finding) })
	return r, nil
}

// acquit tries once more, one by one, what was taken back on suspicion alone: because it is
// about the same program or root as what got worse.
func (r *Result) acquit(ctx context.Context, plan []*mending) error {
	tries := 0
	for _, m := range plan {
		for _, s := range m.steps {
			if !s.suspect || m.active() != nil && m.active() != s || tries == retries {
				continue
			}
			tries++
			why := s.Why
			s.Why = ""
			if err := r.attempt(ctx, plan); err != nil {
				return err
			}
			if bad := r.verdicts(plan); len(bad) > 0 || !s.Stands {
				s.refuse(cmp.Or(why, s.failed))
			}
		}
	}
	if tries == 0 {
		return nil
	}
	if err := r.attempt(ctx, plan); err != nil {
		return err
	}
	r.verdicts(plan)
	return nil
}

// mending is what may be done about one finding: its steps in the order in which the rule
// names them, of which the first that holds is enough.
type mending struct {
	finding *judge.Finding
	steps   []*step
}

// active returns the step that is to be applied now, nil where none is left.
func (m *mending) active() *step {
	for _, s := range m.steps {
		if s.Why == "" {
			return s
		}
	}
	return nil
}

// step is one fix for one finding. Why says that it is not to be applied.
type step struct {
	Remedy
	fix     *Fix
	about   []string // the programs that the finding is about
	suspect bool     // it was taken back without proof against it
	failed  string   // what the copy was judged to be, where the fix did not hold
}

// closed notes that what was done for other findings closed this one, too.
func (s *step) closed() {
	s.Why, s.Changes, s.Files = "", []string{"closed by what was done for other findings"}, nil
	s.Stands, s.Proof, s.After = true, Judged, judge.Good
}

func (s *step) refuse(why string) {
	s.Why, s.Stands, s.Proof, s.After = cmp.Or(why, "it did not hold"), false, "", ""
}

// plan lists what may be done about the bad findings, in their order.
func (r *Result) plan() []*mending {
	var plan []*mending
	for i := range r.Before.Findings {
		f := &r.Before.Findings[i]
		rule := r.opts.Rules[f.Rule]
		if f.Outcome != judge.Bad || rule == nil {
			continue
		}
		m := &mending{finding: f}
		for _, id := range rule.Remedy {
			m.steps = append(m.steps, r.step(id, f))
		}
		plan = append(plan, m)
	}
	return plan
}

func (r *Result) step(id string, f *judge.Finding) *step {
	s := &step{Remedy: Remedy{Fix: id, Finding: f.ID, Rule: f.Rule, Root: f.Root, Before: f.Outcome}, about: subjects(factsOf(&r.Before.Facts, f))}
	n := slices.IndexFunc(r.opts.Fixes, func(x Fix) bool { return x.ID == id })
	if n < 0 {
		s.refuse("no program applies it: it is for the maker to do")
		return s
	}
	s.fix = &r.opts.Fixes[n]
	s.Care, s.Breaks, s.Test = s.fix.Care, s.fix.Breaks, s.fix.Test
	yes, words := s.fix.Care != Clinical, "it may touch care: a named person has to decide"
	if r.opts.Choose != nil {
		yes, words = r.opts.Choose(s.fix, f)
	}
	if !yes {
		s.refuse(words)
	} else if r.opts.Choose != nil {
		s.By = words
	}
	return s
}

// attempt mends a new copy as the plan has it now, writes it and judges it.
func (r *Result) attempt(ctx context.Context, plan []*mending) error {
	r.Trees, r.Orders = nil, Orders{Kernel: map[string]string{}, Boot: map[string]string{}}
	r.Image, r.NoImage, r.Notes = nil, "", nil
	trees := map[string][]*Tree{} // slots of one system share its role
	for _, root := range r.Before.Roots {
		t := NewTree(root, r.Before.Image)
		r.Trees = append(r.Trees, t)
		trees[root.Role] = append(trees[root.Role], t)
	}
	for _, m := range plan {
		for s := m.active(); s != nil; s = m.active() {
			if r.apply(s, m.finding, trees[cmp.Or(m.finding.Root, "system")]) { // what is about the device is mended in its system
				break
			}
		}
	}
	copied, err := r.write(ctx)
	if err != nil {
		return err
	}
	r.After, err = r.opts.Examine(ctx, copied)
	return err
}

// apply applies a fix in each tree of the finding's root, and reports whether it changed
// anything. A fix that ends with an error leaves no change.
func (r *Result) apply(s *step, f *judge.Finding, trees []*Tree) bool {
	s.Changes, s.Files = nil, nil
	refused := errors.New("its root is no file system")
	for _, t := range trees {
		before := t.mark()
		task := &Task{Tree: t, Finding: f, Rule: r.opts.Rules[f.Rule], Facts: factsOf(&r.Before.Facts, f), All: &r.Before.Facts, Orders: &r.Orders, Verifier: r.opts.Verifier}
		err := s.fix.Apply(task)
		if err == nil && len(task.said) == 0 {
			err = ErrNoAnchor
		}
		if err != nil {
			t.reset(before)
			refused = err
			continue
		}
		s.Changes = append(s.Changes, task.said...)
		for _, c := range t.sorted() {
			if before[c.path] != c {
				s.Files = append(s.Files, c.path)
			}
		}
	}
	if len(s.Changes) == 0 {
		s.refuse(refused.Error())
		return false
	}
	slices.Sort(s.Files)
	s.Changes, s.Files = slices.Compact(s.Changes), slices.Compact(s.Files)
	return true
}

// factsOf returns the facts that a finding is about.
func factsOf(all *fact.Set, f *judge.Finding) []fact.Fact {
	var out []fact.Fact
	for _, x := range all.Of(f.Kind) {
		if x.Header().Root == f.Root && slices.Contains(f.Keys, x.Key()) {
			out = append(out, x)
		}
	}
	return out
}

// write makes the copy. Where the image cannot be written the changed trees stand for it.
func (r *Result) write(ctx context.Context) (firmware.Input, error) {
	edits := map[*image.Layer][]image.Edit{}
	for _, t := range r.Trees {
		if err := t.edits(edits); err != nil {
			return firmware.Input{}, err
		}
	}
	boot := map[string]string{}
	for name, value := range r.Orders.Boot {
		boot["env."+name] = value
	}
	for _, l := range r.Before.Image.Layers {
		if l.Format.Name == "uboot-env" && len(boot) > 0 {
			edits[l] = append(edits[l], image.Edit{Set: boot})
		}
	}
	if r.in.Blob == nil {
		r.NoImage = "the input is a directory"
		return r.tree(edits), nil
	}
	b, notes, err := image.Rebuild(ctx, r.Before.Image, r.in.Blob, edits, r.opts.Image)
	switch {
	case errors.Is(err, image.ErrReadOnly):
		r.NoImage = err.Error()
		return r.tree(edits), nil
	case err != nil:
		return firmware.Input{}, err
	}
	r.Image, r.Notes = b, notes
	return firmware.Input{Name: r.in.Name, Blob: b}, nil
}

// tree gives the nodes of the main system with the edits of its layer.
func (r *Result) tree(edits map[*image.Layer][]image.Edit) firmware.Input {
	var main *image.Layer
	for _, t := range r.Trees {
		if t.main != nil && (main == nil || t.Root.Role == "system") {
			main = t.main
		}
	}
	in := firmware.Input{Name: r.in.Name}
	if main == nil {
		return in
	}
	changed := map[string]image.Edit{}
	for _, e := range edits[main] {
		changed[e.Path] = e
	}
	for _, n := range main.Nodes {
		e, ok := changed[n.Path]
		delete(changed, n.Path)
		switch {
		case !ok:
			in.Nodes = append(in.Nodes, n)
		case e.Node != nil:
			in.Nodes = append(in.Nodes, e.Node)
		}
	}
	for _, e := range edits[main] {
		if _, ok := changed[e.Path]; ok && e.Node != nil {
			in.Nodes = append(in.Nodes, e.Node)
		}
	}
	return in
}
