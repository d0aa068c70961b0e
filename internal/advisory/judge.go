package advisory

import (
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory/version"
)

// verdict is what all records together mean for one component.
type verdict struct {
	status        Status // "" where the component is not concerned: see word
	justification string
	word          word // the deciding one
	confidence    int
	fixedIn       string
	steps         []string // that follow what the records say
	used          []voice  // in the order in which they are told
}

// judge weighs what records say of a component. The records of the distribution decide
// about its package; of the others the first that gives a clear answer does, in the order
// of their standing, and who differs is told.
func (m *matcher) judge(s *subject, words []voice) verdict {
	slices.SortStableFunc(words, func(a, b voice) int { return a.standing - b.standing })
	var packaged, upstream *voice
	for i := range words {
		w := &words[i]
		switch {
		case w.standing == byDistribution:
			if packaged == nil || w.word > packaged.word {
				packaged = w
			}
		case upstream == nil || upstream.standing == w.standing && w.word > upstream.word,
			!upstream.word.decides() && (w.word.decides() || w.word > upstream.word):
			upstream = w
		}
	}
	v := verdict{used: words, confidence: 2}
	switch {
	case packaged != nil && packaged.word == hit:
		v.status, v.word = Vulnerable, hit
		v.confidence = packaged.lookup.confidence
		v.fixedIn = m.fixedIn(s, words, packaged)
		v.steps = append(v.steps, "the distribution itself says so of its package")
		return v
	case packaged != nil && packaged.word == open:
		v.status, v.word, v.confidence = Unclear, open, packaged.lookup.confidence
		v.steps = append(v.steps, packaged.reason)
		return v
	}
	if upstream == nil {
		v.word = outside
		if packaged != nil {
			v.word = packaged.word
		}
		return v
	}
	v.word, v.confidence = upstream.word, upstream.lookup.confidence
	concerned := upstream.word == hit || upstream.word == open
	differ := m.differing(words, upstream)
	switch {
	case concerned && packaged != nil && (packaged.word == outside || packaged.word == cleared):
		v.status, v.word = Fixed, cleared
		v.fixedIn = packagedFix(packaged)
		v.steps = append(v.steps, "the distribution has mended it in "+clip(cmpOr(v.fixedIn, packaged.lookup.version))+", and "+clip(packaged.lookup.version)+" is in the image")
	case concerned && packaged != nil && (packaged.word == elsewhere || packaged.word == other):
		v.status = ""
		v.word = elsewhere
	case upstream.word == open:
		v.status = Unclear
		v.fixedIn = m.fixedIn(s, words, upstream)
	case upstream.word == hit:
		m.concern(s, &v, words, upstream, differ)
	case len(differ) > 0:
		v.status, v.justification, v.confidence = NotThere, "vulnerable_code_not_present", min(v.confidence, 1)
		v.steps = append(v.steps, "sources differ: "+speaker(upstream.record)+" is believed, because "+because(upstream.standing))
	}
	return v
}

// mended says what the package's own changelog says, where no data of its distribution
// say more.
func (m *matcher) mended(s *subject, id string, v *verdict) {
	if v.status != Unclear && v.status != Vulnerable || !slices.Contains(s.fact.Mends, id) {
		return
	}
	log := "the changelog of its package, " + clip(s.fact.MendsIn) + ", names it as mended"
	if slices.ContainsFunc(v.used, func(w voice) bool { return w.standing == byDistribution && w.word == hit }) {
		v.steps = append(v.steps, log+", and the data of the distribution are believed")
		return
	}
	v.status, v.justification, v.fixedIn, v.confidence = Fixed, "", "", min(v.confidence, 1)
	v.steps = append(v.steps, log)
}

// concern decides about a component that upstream calls affected and of which its
// distribution says nothing.
func (m *matcher) concern(s *subject, v *verdict, words []voice, by *voice, differ []*voice) {
	v.status = Vulnerable
	v.fixedIn = m.fixedIn(s, words, by)
	if len(differ) > 0 {
		v.confidence = min(v.confidence, 1)
		v.steps = append(v.steps, "sources differ: "+speaker(by.record)+" is believed, because "+because(by.standing))
	}
	if s.distro == "" {
		return
	}
	v.status = Unclear
	what := "the distribution may have mended it in its package " + clip(s.fullName) + ": "
	if s.noData != "" {
		v.steps = append(v.steps, what+s.noData)
	} else {
		v.steps = append(v.steps, what+"the data of "+s.distro+" in this index do not speak of it")
	}
}

// decides says whether a word is a clear answer about the version.
func (w word) decides() bool { return w == hit || w == outside || w == cleared }

func because(standing int) string {
	switch standing {
	case byProject:
		return "it speaks of its own product"
	case byNVD:
		return "no statement of the project itself decides, and NVD comes before the others"
	case byList:
		return "neither the project nor NVD decides"
	}
	return "no other source decides"
}

// differing are the records that say the opposite of the deciding one.
func (m *matcher) differing(words []voice, by *voice) []*voice {
	var out []*voice
	for i := range words {
		w := &words[i]
		if w.standing == byDistribution || w == by {
			continue
		}
		a, b := by.word == hit, w.word == hit
		if by.word.decides() && w.word.decides() && a != b && w.record != by.record {
			out = append(out, w)
		}
	}
	return out
}

// packagedFix is the version of the package in which a distribution mended a flaw.
func packagedFix(w *voice) string {
	best := ""
	for i := range w.record.Affected {
		a := &w.record.Affected[i]
		for j := range a.Versions {
			r := &a.Versions[j]
			v := r.To
			if a.Status == Fixed || a.Status == NotThere {
				v = r.From
			}
			if v == "" || v == "*" || r.Last && a.Status == Vulnerable {
				continue
			}
			s := schemeOf(&a.Product, r, "")
			if c, err := version.Compare(s, v, w.lookup.version); err != nil || c > 0 {
				continue
			}
			if c, err := version.Compare(s, cmpOr(best, v), v); err == nil && c <= 0 {
				best = v
			}
		}
	}
	return best
}

// fixedIn is the lowest version above the component's that a statement ends with, and
// that no statement of the same standing calls affected.
func (m *matcher) fixedIn(s *subject, words []voice, by *voice) string {
	type end struct {
		v      string
		scheme version.Scheme
	}
	var ends []end
	each := func(f func(a *Affected, r *Range)) {
		for i := range words {
			if words[i].standing != by.standing {
				continue
			}
			for j := range words[i].record.Affected {
				a := &words[i].record.Affected[j]
				if ok, _ := m.platform.fits(s.fact, &a.Product); ok == no {
					continue
				}
				for k := range a.Versions {
					f(a, &a.Versions[k])
				}
			}
		}
	}
	own := by.lookup.version
	each(func(a *Affected, r *Range) {
		v := ""
		switch {
		case r.Raw != "":
		case a.Status == Fixed:
			v = r.From
		case a.Status == Vulnerable && !r.Last:
			v = updated(r.To, a.Product.Update)
		}
		if v == "" || v == "*" || v == "0" {
			return
		}
		scheme := schemeOf(&a.Product, r, s.project)
		if c, err := order(scheme, v, own); err == nil && c > 0 {
			ends = append(ends, end{v, scheme})
		}
	})
	best := end{}
	for _, e := range ends {
		free := true
		each(func(a *Affected, r *Range) {
			if a.Status != Vulnerable || !free {
				return
			}
			if w, err := locate(&a.Product, r, s.project, e.v); err == nil && w == inside {
				free = false
			}
		})
		if !free {
			continue
		}
		if best.v == "" {
			best = e
		} else if c, err := order(e.scheme, e.v, best.v); err == nil && c < 0 {
			best = e
		}
	}
	return best.v
}

// told puts the steps of an answer together.
func (m *matcher) told(s *subject, v *verdict) []string {
	var out []string
	add := func(step string) {
		if step != "" && !slices.Contains(out, step) {
			out = append(out, step)
		}
	}
	add(s.note)
	var names []string
	for i := range v.used {
		w := &v.used[i]
		n := w.lookup.says + " " + clip(w.lookup.version)
		if w.word != silent && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) > 0 {
		add("looked up as " + strings.Join(names, ", as "))
	}
	if s.fact.Confidence == "low" || s.fact.Confidence == "medium" {
		add("that it is " + clip(s.fact.Name+" "+s.version) + " is known with " + s.fact.Confidence + " confidence")
	}
	for i := range v.used {
		for _, step := range v.used[i].steps {
			add(step)
		}
	}
	for _, step := range v.steps {
		add(step)
	}
	return out
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
