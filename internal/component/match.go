package component

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

// Matcher finds the evidence of all signatures in contents. It is safe for concurrent use.
type Matcher struct {
	signatures []*signature
	byName     map[string]*signature
	literals   []string
	ways       [][]*way // of each literal
	records    int      // literals from here on belong to build records
	sonamed    []*signature
	fileWays   []*way // ways that look at paths
}

// New makes a matcher of signatures. Two of one name are an error.
func New(signatures []Signature) (*Matcher, error) {
	m := &Matcher{byName: map[string]*signature{}}
	index := map[string]int{}
	literal := func(l string) int {
		n, ok := index[l]
		if !ok {
			n = len(m.literals)
			index[l] = n
			m.literals = append(m.literals, l)
			m.ways = append(m.ways, nil)
		}
		return n
	}
	for i := range signatures {
		s, err := compileSignature(&signatures[i])
		if err != nil {
			return nil, err
		}
		if m.byName[s.Name] != nil {
			return nil, fmt.Errorf("signature %q: there are two of that name", s.Name)
		}
		m.byName[s.Name] = s
		m.signatures = append(m.signatures, s)
		if len(s.Own.Sonames) > 0 {
			m.sonamed = append(m.sonamed, s)
		}
		for _, w := range s.ways {
			if w.Soname != "" || w.File != "" {
				m.fileWays = append(m.fileWays, w)
			}
			if w.literal == "" {
				continue
			}
			n := literal(w.literal)
			m.ways[n] = append(m.ways[n], w)
			if w.With != "" {
				w.with = literal(w.With)
			}
		}
	}
	m.records = len(m.literals)
	for _, r := range records {
		m.literals = append(m.literals, r.literal)
	}
	return m, nil
}

// Check compiles every pattern, which is else done when a file needs it, and gives the
// first that cannot be: whoever writes signatures asks for it.
func (m *Matcher) Check() error {
	for _, s := range m.signatures {
		for _, w := range s.ways {
			if w.pattern == nil {
				continue
			}
			if _, err := w.pattern.re(); err != nil {
				return fmt.Errorf("signature %q: %w", s.Name, err)
			}
		}
	}
	return nil
}

// Literals returns what the matcher wants to be told of: whoever reads a content searches
// for them and gives Match the hits, so that a content is searched once for everything.
func (m *Matcher) Literals() []string { return m.literals }

// Signatures returns the signatures, in the order in which they were given.
func (m *Matcher) Signatures() []*Signature {
	out := make([]*Signature, len(m.signatures))
	for i, s := range m.signatures {
		out[i] = s.Signature
	}
	return out
}

// Signature returns the signature of a name, or nil.
func (m *Matcher) Signature(name string) *Signature {
	if s := m.byName[name]; s != nil {
		return s.Signature
	}
	return nil
}

const (
	triesAtMost    = 64   // hits of one way in one content that are looked at
	valuesAtMost   = 4    // different versions that one way may find in one content
	evidenceAtMost = 4096 // of one content
	runBefore      = 512  // how far a string is followed about a literal
	runAfter       = 512
	nearWithin     = 256
	nearAtMost     = 1 << 20
	nearWide       = 64 << 10
)

// Match returns the evidence in a content, in a stable order. hits are in the order of
// their offsets.
func (m *Matcher) Match(b *image.Blob, hits []Hit) ([]Evidence, error) {
	return m.match(b, hits, readObject(b))
}

func (m *Matcher) match(b *image.Blob, hits []Hit, o *object) ([]Evidence, error) {
	f := &finder{m: m, b: b, object: o, own: map[*signature]bool{}, tries: map[*way]int{}}
	if o.soname != "" {
		for _, s := range m.sonamed {
			if s.owns(o.soname) {
				f.own[s] = true
				f.fromObject(s)
			}
		}
	}
	seen := make([]bool, len(m.literals))
	for _, h := range hits {
		if h.Literal >= 0 && h.Literal < len(seen) {
			seen[h.Literal] = true
		}
	}
	recorded := map[int]bool{}
	for _, h := range hits {
		if h.Literal >= m.records {
			if n := h.Literal - m.records; n < len(records) && (!recorded[n] || records[n].again) {
				recorded[n] = true
				f.add(records[n].read(b, h.At)...)
			}
			continue
		}
		if h.Literal < 0 {
			continue
		}
		for _, w := range m.ways[h.Literal] {
			if w.with >= 0 && !seen[w.with] || !f.may(w) {
				continue
			}
			most := triesAtMost
			if w.Within > nearWide {
				most = 1 // one look sees it all
			}
			if f.tries[w]++; f.tries[w] <= most {
				f.try(w, h.At)
			}
		}
	}
	slices.SortStableFunc(f.found, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Way, b.Way), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Version, b.Version))
	})
	return f.found, nil
}

// finder gathers the evidence of one content.
type finder struct {
	m      *Matcher
	b      *image.Blob
	object *object
	own    map[*signature]bool
	tries  map[*way]int
	found  []Evidence
}

func (f *finder) add(list ...Evidence) {
	for _, e := range list {
		if len(f.found) < evidenceAtMost {
			f.found = append(f.found, e)
		}
	}
}

// fromObject says what the dynamic section shows of a library's own product.
func (f *finder) fromObject(s *signature) {
	f.add(Evidence{Name: s.Name, How: "soname", Why: fmt.Sprintf("its soname is %s", printable(f.object.soname)),
		Confidence: "high", Own: true, Way: len(s.ways)})
	for _, w := range s.ways {
		switch {
		case w.Versions != "":
			best := ""
			for _, v := range f.object.versions {
				if got, ok := w.find(v); ok && got != "" && (best == "" || Compare(got, best) > 0) {
					best = got
				}
			}
			if best != "" {
				f.say(w, best, "symbols", fmt.Sprintf("its highest symbol version is %s", best), 0)
			}
		case len(w.Symbols) > 0:
			if f.exportsAll(w) {
				f.say(w, w.Is, "symbols", fmt.Sprintf("it exports %s", strings.Join(w.Symbols, ", ")), 0)
			}
		}
	}
}

func (f *finder) exportsAll(w *way) bool {
	for _, s := range w.Symbols {
		if !f.object.exported(s) {
			return false
		}
	}
	return !slices.ContainsFunc(w.Without, f.object.exported)
}

// may reports whether what a way would show could count: a mention in a file that is not
// the product's own does not, and a library of another name is not its own.
func (f *finder) may(w *way) bool {
	own := &w.sig.Own
	if w.Says != "" || f.own[w.sig] {
		return true
	}
	return len(own.Files) > 0 && (f.object.soname == "" || len(own.Sonames) == 0)
}

// try looks about a hit of a way's literal.
func (f *finder) try(w *way, at int64) {
	if w.Near != "" {
		f.near(w, at)
		return
	}
	from := max(at-runBefore, 0)
	p, err := f.b.View(from, min(at+int64(len(w.literal))+runAfter, f.b.Size())-from)
	if err != nil {
		return
	}
	start, s := run(p, int(at-from))
	v, where, ok := w.pattern.findAt(s, int(at-from)-start)
	if !ok {
		return
	}
	if v, ok = w.answer(v); ok {
		f.say(w, v, "binary-string", "its text "+quote(s, where), from+int64(start+where))
	}
}

// near looks for a string beside a literal.
func (f *finder) near(w *way, at int64) {
	within := int64(w.Within)
	if within == 0 {
		within = nearWithin
	}
	within = min(within, nearAtMost)
	end := at + int64(len(w.literal))
	from, to := max(at-within, 0), min(end+within, f.b.Size())
	switch w.Side {
	case "before":
		to = end
	case "after":
		from = at
	}
	p, err := f.b.View(from, to-from)
	if err != nil {
		return
	}
	best, where, far := "", int64(0), int64(-1)
	several := false
	runs(p, 2, func(off int, s string) {
		pos := from + int64(off)
		if w.lone && (len(s) > 40 || !digit(s[0])) {
			return
		}
		v, ok := w.find(s)
		if !ok || v == "" {
			return
		}
		several = several || best != "" && v != best
		d := pos - end
		if pos < at {
			d = at - pos - int64(len(s))
		}
		if far < 0 || d < far {
			best, where, far = v, pos, d
		}
	})
	if best == "" || several && w.Only {
		return
	}
	f.say(w, best, "binary-string", fmt.Sprintf("its version text %s beside %s", quote(best, 0), quote(w.Near, 0)), where)
}

// say adds what a way has shown, unless it can only be a mention.
func (f *finder) say(w *way, version, how, why string, at int64) {
	own := f.own[w.sig] || w.Says == "itself"
	values := 0
	for i := range f.found {
		if e := &f.found[i]; e.Name == w.sig.Name && e.Way == w.index {
			if e.Version == version {
				return
			}
			values++
		}
	}
	if values >= valuesAtMost {
		return
	}
	f.add(Evidence{Name: w.sig.Name, Version: version, How: how, Why: why, Confidence: cmpOr(w.Confidence, "high"),
		Offset: at, Own: own, Copy: w.Says == "copy", Way: w.index})
}

// run returns the printable run of p about an offset, and where it starts.
func run(p []byte, at int) (int, string) {
	start, end := at, at
	for start > 0 && text(p[start-1]) {
		start--
	}
	for end < len(p) && text(p[end]) {
		end++
	}
	return start, string(p[start:end])
}

// runs calls f with every printable run of at least least bytes.
func runs(p []byte, least int, f func(at int, s string)) {
	start := -1
	for i, c := range p {
		if text(c) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 && i-start >= least {
			f(start, string(p[start:i]))
		}
		start = -1
	}
	if start >= 0 && len(p)-start >= least {
		f(start, string(p[start:]))
	}
}

// text reports whether a byte belongs to a string. Line feeds end it: a usage text of
// many lines is as many strings.
func text(c byte) bool { return c >= ' ' && c < 0x7f || c == '\t' }

// quote shows the part of a text from an offset on, short and printable.
func quote(s string, at int) string {
	s = strings.TrimSpace(s[at:])
	if len(s) > 80 {
		s = s[:77] + "..."
	}
	return `"` + printable(s) + `"`
}

// printable replaces what a terminal or a report should not get.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '.'
		}
		return r
	}, s)
}
