package advisory

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vesalius-project/vesalius/internal/cvss"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// Options say how components are looked up. The zero value is right.
type Options struct {
	// Distribution is the id and release of the distribution that packages are of, where
	// the facts do not say: "debian 12".
	Distribution string
}

// Result is what [Index.Match] finds.
type Result struct {
	Matches    []Match      // by root, component, version and vulnerability
	Considered []Considered // one for each component, in the same order
}

// Match holds an index against the components of a device. Every component of the facts
// is considered, and said to be unknown where it has no version or no name that the index
// could know.
//
// A match is of status affected, fixed, not_affected or under_investigation:
//   - affected: a source says so of this version, and nothing is known to the contrary.
//   - fixed: the upstream version is affected, and the distribution's data or the package's
//     own changelog say that this package is mended.
//   - not_affected: sources differ and the one believed says so, or the image shows that
//     the flawed code is not in it.
//   - under_investigation: what decides is not known, and Why says what that is.
//
// Versions that every source excludes make no match; they are counted, and
// [Index.Explain] tells why. Withdrawn vulnerabilities never match.
//
// Sources are believed in this order: a distribution about its own package, the project
// itself (its own list, its numbering authority, its package registry), NVD, other
// numbering authorities, others.
func (x *Index) Match(facts *fact.Set, o Options) (*Result, error) {
	m := newMatcher(x, facts, o)
	subjects := m.subjects(facts)
	found := make([][]Match, len(subjects))
	out := &Result{Considered: make([]Considered, len(subjects))}
	err := each(len(subjects), func(i int) error {
		s := subjects[i]
		err := m.names(s)
		if err == nil {
			found[i], out.Considered[i], err = m.component(s)
		}
		if err != nil {
			return fmt.Errorf("component %q: %w", s.fact.Name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Matches = slices.Concat(found...)
	return out, m.describe(out.Matches)
}

// each does so many things, side by side, and gives the error of the first that fails.
func each(n int, do func(i int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = do(i)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Explain tells what becomes of one vulnerability, by its id or an alias, in each
// component that it speaks of, also in those whose version lies outside: these are
// not_affected, and Why says which versions are. The error is [ErrUnknown] where the index
// does not know the id.
func (x *Index) Explain(id string, facts *fact.Set, o Options) ([]Match, error) {
	ids, err := x.Resolve(id)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, ErrUnknown
	}
	m := newMatcher(x, facts, o)
	var out []Match
	subjects := m.subjects(facts)
	for _, s := range subjects {
		if err := m.names(s); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		whole, err := x.Vulnerability(id)
		if err != nil {
			return nil, err
		}
		for _, s := range subjects {
			words := m.words(s, m.about(s, whole), true)
			if len(words) == 0 {
				continue
			}
			v := m.judge(s, words)
			m.mended(s, whole.ID, &v)
			if err := m.narrow(s, whole.ID, &v); err != nil {
				return nil, err
			}
			if whole.Withdrawn() {
				v = verdict{status: NotThere, justification: "component_not_present", confidence: 2, steps: []string{"the vulnerability is withdrawn"}}
			}
			if v.status == "" {
				v.status, v.justification = NotThere, "vulnerable_code_not_present"
			}
			out = append(out, m.match(s, whole.ID, &v))
		}
	}
	return out, m.describe(out)
}

// matcher holds what is asked again and again while one device is looked at.
type matcher struct {
	x        *Index
	facts    *fact.Set
	platform *platform
	releases map[string]string // of distributions
	scores   sync.Map          // of vectors: many flaws share one
}

func newMatcher(x *Index, facts *fact.Set, o Options) *matcher {
	m := &matcher{x: x, facts: facts, platform: platformOf(facts)}
	if id, release, ok := strings.Cut(o.Distribution, " "); ok && m.platform.release == "" {
		m.platform.distro, m.platform.release = strings.ToLower(id), release
	}
	m.releases = releasesOf(m.platform, facts)
	return m
}

// subjects lists the components of the facts, the same one seen by several witnesses once.
func (m *matcher) subjects(facts *fact.Set) []*subject {
	var out []*subject
	by := map[string]*subject{}
	for _, c := range facts.Component {
		key := strings.Join([]string{c.Root, c.Name, c.Version, c.Suffix, c.Ecosystem}, zero)
		s := by[key]
		if s == nil {
			s = &subject{fact: c, project: c.Name, version: c.Version, fullName: c.Version + c.Suffix}
			if c.Version == "" {
				s.unknown = "its version is not known"
			}
			if c.Name == "" {
				s.unknown = "it has no name"
			}
			by[key] = s
			out = append(out, s)
		}
		for _, p := range c.Places {
			if at := p.String(); len(s.places) < 32 && !slices.Contains(s.places, at) {
				s.places = append(s.places, at)
			}
		}
		m.kernelVersion(s)
	}
	slices.SortStableFunc(out, func(a, b *subject) int {
		return cmp.Or(cmp.Compare(a.fact.Root, b.fact.Root), cmp.Compare(a.fact.Name, b.fact.Name), cmp.Compare(a.fullName, b.fullName), cmp.Compare(a.fact.Ecosystem, b.fact.Ecosystem))
	})
	return out
}

// kernelVersion puts the real version in the place of the name of an interface: Debian's
// kernels call themselves 6.1.0-50 while they are 6.1.176.
func (m *matcher) kernelVersion(s *subject) {
	if s.project != "linux" {
		return
	}
	for _, k := range m.facts.Kernel {
		if k.Name == "linux" && k.Root == s.fact.Root && k.Version != "" && k.Version != s.version && strings.HasPrefix(k.Release, s.version) {
			s.note = "the kernel calls itself " + clip(k.Release) + ", and its version is " + clip(k.Version)
			s.version = k.Version
			s.unknown = ""
		}
	}
}

// heard is one vulnerability with what its records say of a component.
type heard struct {
	id      string
	records []*Record
	lookups []*lookup // for each record
}

// component looks one component up.
func (m *matcher) component(s *subject) ([]Match, Considered, error) {
	c := Considered{Component: s.fact.Name, Version: s.fullName, Root: s.fact.Root}
	for i := range s.lookups {
		c.As = append(c.As, s.lookups[i].says)
	}
	switch {
	case s.unknown != "":
		c.Unknown = s.unknown
	case len(s.lookups) == 0:
		c.Unknown = "no name is known by which the index could list it"
	}
	if c.Unknown != "" && len(s.lookups) == 0 {
		return nil, c, nil
	}
	all, err := m.candidates(s)
	if err != nil {
		return nil, c, err
	}
	c.Candidates = len(all)
	if s.version == "" {
		return nil, c, nil
	}
	if len(all) == 0 && c.Unknown == "" {
		known := false
		for i := range s.lookups {
			if known, err = m.x.known(s.lookups[i].product); err != nil || known {
				break
			}
		}
		if err != nil {
			return nil, c, err
		}
		if !known {
			c.Unknown = "the index lists nothing by its names"
		}
	}
	var out []Match
	for _, h := range all {
		v := m.judge(s, m.words(s, h, false))
		if v.status == "" {
			if v.word == elsewhere || v.word == other {
				c.Elsewhere++
			} else {
				c.Outside++
			}
			continue
		}
		v = m.judge(s, m.words(s, h, true))
		m.mended(s, h.id, &v)
		if err := m.narrow(s, h.id, &v); err != nil {
			return nil, c, err
		}
		if c.Statuses == nil {
			c.Statuses = map[Status]int{}
		}
		c.Statuses[v.status]++
		out = append(out, m.match(s, h.id, &v))
	}
	return out, c, nil
}

// known says whether the index has a name at all.
func (x *Index) known(p Product) (bool, error) {
	for _, err := range x.Each(p) {
		return err == nil, err
	}
	return false, nil
}

// candidates are the vulnerabilities that speak of a component by any of its names, those
// withdrawn left out, in the order of their ids.
func (m *matcher) candidates(s *subject) ([]*heard, error) {
	by := map[string]*heard{}
	var out []*heard
	for i := range s.lookups {
		l := &s.lookups[i]
		list, err := m.x.by(l.product)
		if err != nil {
			return nil, err
		}
		for j := range list {
			if list[j].Withdrawn {
				continue
			}
			h := by[list[j].ID]
			if h == nil {
				h = &heard{id: list[j].ID}
				by[h.id] = h
				out = append(out, h)
			}
			h.hear(list[j].Records, l)
		}
	}
	if len(s.lookups) > 1 {
		slices.SortStableFunc(out, func(a, b *heard) int { return keyOf(a.id).compare(keyOf(b.id)) })
	}
	return out, nil
}

func (h *heard) hear(records []Record, l *lookup) {
	for k := range records {
		r := &records[k]
		if len(r.Affected) > 0 && !r.Withdrawn {
			h.records = append(h.records, r)
			h.lookups = append(h.lookups, l)
		}
	}
}

// about picks what a vulnerability says of a component.
func (m *matcher) about(s *subject, v *Vulnerability) *heard {
	h := &heard{id: v.ID}
	for i := range s.lookups {
		l := &s.lookups[i]
		var records []Record
		for _, r := range v.Records {
			r.Affected = slices.DeleteFunc(slices.Clone(r.Affected), func(a Affected) bool {
				return string(appendNameKey(nil, &a.Product)) != string(appendNameKey(nil, &l.product))
			})
			records = append(records, r)
		}
		h.hear(records, l)
	}
	return h
}

// words has each record speak.
func (m *matcher) words(s *subject, h *heard, say bool) []voice {
	out := make([]voice, 0, len(h.records))
	for i, r := range h.records {
		if w := m.ask(s, r, h.lookups[i], say); w.word != silent {
			out = append(out, w)
		}
	}
	return out
}

// match writes an answer down.
func (m *matcher) match(s *subject, id string, v *verdict) Match {
	return Match{
		Advisory: id, Component: s.fact.Name, Version: s.fullName, Root: s.fact.Root, PURL: s.fact.PURL, Places: s.places,
		Status: v.status, Justification: v.justification, Why: m.told(s, v), Confidence: []string{"low", "medium", "high"}[v.confidence], FixedIn: v.fixedIn,
	}
}

// describe adds what is known of the vulnerabilities whatever the component.
func (m *matcher) describe(matches []Match) error {
	type group struct {
		key key
		id  string
		to  []*Match
	}
	byID := map[string]*group{}
	var groups []*group
	for i := range matches {
		id := matches[i].Advisory
		if byID[id] == nil {
			byID[id] = &group{key: keyOf(id), id: id}
			groups = append(groups, byID[id])
		}
		byID[id].to = append(byID[id].to, &matches[i])
	}
	// Neighbours lie in one block of the index.
	slices.SortFunc(groups, func(a, b *group) int { return a.key.compare(b.key) })
	const together = 64
	return each((len(groups)+together-1)/together, func(i int) error {
		for _, g := range groups[i*together : min(len(groups), (i+1)*together)] {
			v, err := m.x.Details(g.id)
			if err != nil && !errors.Is(err, ErrUnknown) {
				return err
			}
			if err == nil {
				for _, to := range g.to {
					m.tell(v, to)
				}
			}
		}
		return nil
	})
}

// score is cvss.Base, -1 where the vector cannot be read.
func (m *matcher) score(vector string) float64 {
	if s, ok := m.scores.Load(vector); ok {
		return s.(float64)
	}
	base, err := cvss.Base(vector)
	if err != nil {
		base = -1
	}
	m.scores.Store(vector, base)
	return base
}

// tell adds what is known of a vulnerability to a match.
func (by *matcher) tell(v *Vulnerability, m *Match) {
	m.Aliases, m.Documents, m.CWE = v.Aliases, v.Documents(), v.CWE()
	m.Documents = slices.DeleteFunc(m.Documents, func(d string) bool { return d == v.ID })
	for _, s := range v.Scores() {
		if base := by.score(s.Vector); base >= 0 {
			m.Vector, m.CVSS, m.Severity = s.Vector, base, cvss.Severity(base)
			break
		}
	}
	if e := v.Exploited(); e != nil {
		m.KEV, m.KEVAdded, m.KEVDue, m.Ransomware = true, day(e.Added), day(e.Due), e.Ransomware
	}
	if f := v.Forecast(); f != nil {
		m.EPSS, m.Percentile = f.Probability, f.Percentile
	}
	m.Published = day(v.Published())
	for _, s := range v.Sources() {
		m.Sources = append(m.Sources, string(s))
	}
	m.Advice = advice(m, v)
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// advice says what to do about a match.
func advice(m *Match, v *Vulnerability) string {
	var out []string
	if m.FixedIn != "" && (m.Status == Vulnerable || m.Status == Unclear) {
		out = append(out, "update "+m.Component+" to "+clip(m.FixedIn)+" or later")
	}
	if m.Status != Fixed && m.Status != NotThere {
		for _, a := range v.adviceBeside(CSAF) { // what a vendor says of a device is not said of a part of another
			text := cmpOr(a.Text, a.Link)
			if text == "" || len(out) > 2 {
				continue
			}
			if len(text) > 300 {
				text = text[:300] + "..."
			}
			out = append(out, strings.ReplaceAll(a.Kind, "_", " ")+": "+text)
		}
	}
	return strings.Join(out, "; ")
}
