package advisory

import (
	"slices"
	"strings"
)

// Who is believed first, where sources differ about the same versions. What a
// distribution says of its own packages stands apart: it decides about what it packaged.
const (
	byDistribution = iota
	byProject      // the project itself: its own list, its numbering authority, its package registry
	byNVD
	byList // the CVE List by another authority
	byOther
)

// standing says how much a record is to be believed about a product.
func standing(r *Record, l *lookup) int {
	switch {
	case l.system:
		return byDistribution
	case r.Source == OpenSSL, r.Source == OSV && l.product.By == ByPackage:
		return byProject
	case r.Source == CVE && owner(r.Origin, &l.product):
		return byProject
	case r.Source == CSAF && owner(r.Origin, &l.product):
		return byProject
	case r.Source == NVD:
		return byNVD
	case r.Source == CVE:
		return byList
	}
	return byOther
}

// authorities are numbering authorities that bear another name than what they make.
var authorities = map[string]string{
	"psf": "python", "kernelorg": "linux", "kernel": "linux", "kernelorgsecurity": "linux", "haxx": "curl", "nodejsfoundation": "nodejs", "theopensslproject": "openssl", "opensslsoftwarefoundation": "openssl",
	"isc": "isc", "internetsystemsconsortium": "isc",
}

// owner says whether an authority speaks of what it makes itself.
func owner(origin string, p *Product) bool {
	o := squeeze(origin)
	if i := strings.IndexByte(origin, '@'); i >= 0 { // cve@kernel.org
		o = squeeze(strings.TrimSuffix(strings.TrimSuffix(origin[i+1:], ".org"), ".com"))
	}
	if to := authorities[o]; to != "" {
		o = to
	}
	return o != "" && (o == squeeze(p.Vendor) || o == squeeze(p.Name) || o == "linux" && p.Name == "linux_kernel")
}

// speaker says in words who speaks.
func speaker(r *Record) string {
	name := map[Source]string{NVD: "NVD", CVE: "the CVE List", KEV: "KEV", CSAF: "the advisory", OSV: "OSV", OpenSSL: "OpenSSL's own list"}[r.Source]
	if name == "" {
		name = string(r.Source)
	}
	var more []string
	if r.Document != "" && r.Document != r.ID {
		more = append(more, clip(r.Document))
	}
	if r.Origin != "" && r.Source != NVD && r.Source != OpenSSL {
		more = append(more, clip(r.Origin))
	}
	if len(more) > 0 {
		name += " (" + strings.Join(more, ", ") + ")"
	}
	return name
}

// word is what one record says of a component.
type word int

const (
	silent    word = iota
	other          // it speaks of another product
	outside        // not of this version
	elsewhere      // of this version, on another platform
	cleared        // that this version is fixed or was never affected
	open           // it cannot be said whether it is this version or platform
	hit
)

// voice is the word of one record about a component.
type voice struct {
	record    *Record
	lookup    *lookup
	standing  int
	word      word
	statement *Affected // that decided
	at        *Range    // in which the version lies; nil for every version
	reason    string    // of open and elsewhere
	steps     []string
}

// ask has one record speak of a component, by one name. With say it notes the steps.
func (m *matcher) ask(s *subject, r *Record, l *lookup, say bool) voice {
	out := voice{record: r, lookup: l, standing: standing(r, l)}
	type got struct {
		word   word
		a      *Affected
		at     *Range
		reason string
		bound  bool
	}
	var best got
	better := func(g got) {
		if g.word > best.word || g.word == best.word && g.word == hit && g.bound && !best.bound {
			best = g
		}
	}
	var clear got
	for i := range r.Affected {
		a := &r.Affected[i]
		g := got{a: a, word: hit}
		fits, why := m.platform.fits(s.fact, &a.Product)
		if fits == no {
			better(got{word: other, a: a, reason: why})
			continue
		}
		w, at, reason := m.within(s, l, a)
		switch {
		case w == unknown:
			g.word, g.reason = open, reason
		case w != inside:
			better(got{word: outside, a: a})
			continue
		}
		g.at, g.bound = at, at != nil && (at.To != "" && at.To != "*" || at.Raw != "")
		if g.word != open && fits == perhaps {
			g.word, g.reason = open, why
		}
		if g.word != open && a.Status != Fixed && a.Status != NotThere {
			met, why := m.met(a)
			switch met {
			case no:
				better(got{word: elsewhere, a: a, reason: why})
				continue
			case perhaps:
				g.word, g.reason = open, why
			case yes:
			}
		}
		switch {
		case (a.Status == Fixed || a.Status == NotThere) && g.word == hit:
			g.word = cleared
			if clear.a == nil || g.bound && !clear.bound {
				clear = g
			}
			continue
		case a.Status == Fixed || a.Status == NotThere:
			continue // that it may be fixed is not known to be so
		case a.Status == Unclear && g.word == hit:
			g.word, g.reason = open, "it is under investigation there"
		}
		better(g)
	}
	// A statement about these very versions counts before one about all of them.
	if clear.a != nil && (best.word < hit || !best.bound) {
		best = clear
	}
	out.word, out.statement, out.at, out.reason = best.word, best.a, best.at, best.reason
	if say && best.a != nil {
		out.steps = m.explain(&out)
	}
	return out
}

// met says whether all that a statement presupposes is there.
func (m *matcher) met(a *Affected) (answer, string) {
	result, reason := yes, ""
	for _, any := range a.With {
		if got, why := m.platform.presupposed(any); got < result {
			result, reason = got, why
		}
	}
	return result, reason
}

// within says where the component's version lies in view of a statement: in which of its
// ranges, or why that is not known.
func (m *matcher) within(s *subject, l *lookup, a *Affected) (where, *Range, string) {
	if len(a.Versions) == 0 {
		return inside, nil, ""
	}
	result, reason := apart, ""
	var at *Range
	for i := range a.Versions {
		r := &a.Versions[i]
		w, err := locate(&a.Product, r, s.project, l.version)
		switch {
		case err != nil && result != unknown:
			result, reason, at = unknown, err.Error(), r
		case w == inside:
			return inside, r, ""
		}
	}
	return result, at, reason
}

// explain says the steps of what one record says.
func (m *matcher) explain(w *voice) []string {
	who := speaker(w.record)
	a := w.statement
	about := " of " + clip(w.lookup.product.Name)
	verb := map[Status]string{Vulnerable: "affected", Fixed: "fixed", NotThere: "not affected", Unclear: "under investigation"}[a.Status]
	v := clip(w.lookup.version)
	switch w.word {
	case elsewhere, other:
		return []string{who + about + ": " + w.reason}
	case outside:
		return []string{who + ": " + v + " lies outside " + rangesOf(a, w.record, a.Status)}
	case open:
		if w.at != nil {
			return []string{who + " calls" + about + " " + verb + ": " + w.at.words(a.Product.Update), "whether that is meant is not known: " + w.reason}
		}
		return []string{who + " calls" + about + " " + verb, "whether that is meant is not known: " + w.reason}
	default:
	}
	if w.at == nil {
		return []string{who + " calls every version" + about + " " + verb}
	}
	steps := []string{who + " calls" + about + " " + verb + ": " + w.at.words(a.Product.Update)}
	if lies := lies(v, w.at, a.Product.Update); lies != "" {
		steps = append(steps, lies)
	}
	if len(a.With) > 0 {
		if _, why := m.platform.presupposed(a.With[0]); why != "" {
			steps = append(steps, "what it presupposes is met: "+why)
		}
	}
	return steps
}

// lies says why a version lies inside a range.
func lies(v string, r *Range, update string) string {
	from, to := r.From, r.To
	if from == "0" || from == "*" {
		from = ""
	}
	if to == "*" {
		to = ""
	}
	to = updated(to, update)
	switch {
	case r.Raw != "":
		return v + " is one of " + clip(r.Raw)
	case r.From == r.To && r.Last:
		return v + " is that version"
	case from != "" && to != "":
		return v + " lies between: not before " + clip(from) + ", and " + before(r.Last) + " " + clip(to)
	case to != "":
		return v + " lies inside: it is " + before(r.Last) + " " + clip(to)
	case from != "":
		return v + " lies inside: it is not before " + clip(from)
	}
	return ""
}

func before(last bool) string {
	if last {
		return "not after"
	}
	return "before"
}

// rangesOf says all ranges of a record that speak of a product.
func rangesOf(a *Affected, r *Record, status Status) string {
	var out []string
	for i := range r.Affected {
		b := &r.Affected[i]
		if b.Product.Name != a.Product.Name || b.Status != status {
			continue
		}
		for j := range b.Versions {
			if w := b.Versions[j].words(b.Product.Update); !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	if len(out) > 6 {
		out = append(out[:5:5], "and more")
	}
	return strings.Join(out, ", ")
}
