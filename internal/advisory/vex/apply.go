package vex

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	ver "github.com/vesalius-project/vesalius/internal/advisory/version"
)

// Apply holds statements against the matches of a device. It returns the matches with
// what is stated of them, and the statements with their effect in words.
//
// A statement counts where it names the vulnerability, the device in its version (or no
// product) and the component in its version (or none, where it names the device). Then
// the match takes its status, names its author and says so in a further step of Why; the
// steps that led to our own answer stay. Where several count, the newest wins, of one date
// the most careful, and the match says that they contradict. What is stated of another
// product or version, of one that cannot be compared, or against what was seen in the
// device, changes nothing, and its effect says why. What is stated to affect the device
// and was not matched becomes a match of its own.
//
// device names what is assessed: vendor, name and version, and the digest of its image.
func Apply(matches []advisory.Match, statements []Statement, device Ref) ([]advisory.Match, []Statement) {
	matches, statements = slices.Clone(matches), slices.Clone(statements)
	device = complete(device)
	if device.Digest != "" && !strings.Contains(device.Digest, ":") {
		device.Digest = "sha256:" + device.Digest
	}
	device.Digest = strings.ToLower(device.Digest)
	byID := map[string][]int{}
	for i := range matches {
		m := &matches[i]
		for _, id := range unique(append([]string{m.Advisory}, m.Aliases...)) {
			byID[id] = append(byID[id], i)
		}
	}
	about := func(s *Statement) []int {
		var out []int
		for _, id := range unique(append([]string{s.Vulnerability}, s.Aliases...)) {
			out = append(out, byID[id]...)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	for i := range statements {
		s := &statements[i]
		if s.Product == (Ref{}) || s.Status != advisory.Vulnerable && s.Status != advisory.Unclear || !sameProduct(s.Product, device).counts || len(about(s)) > 0 {
			continue
		}
		matches = append(matches, s.match(device))
		for _, id := range unique(append([]string{s.Vulnerability}, s.Aliases...)) {
			byID[id] = append(byID[id], len(matches)-1)
		}
	}
	claims := map[int][]claim{} // by match
	for i := range statements {
		s := &statements[i]
		product := sameProduct(s.Product, device)
		of := about(s)
		var because []string
		hits := 0
		for _, at := range of {
			v := s.concerns(&matches[at], product)
			if v.counts {
				claims[at] = append(claims[at], claim{s, v.how, v.sure})
				hits++
			} else if v.how != "" && !slices.Contains(because, v.how) {
				because = append(because, v.how)
			}
		}
		switch {
		case hits > 0:
			s.Effect = "" // said below, once it is known which statement wins
		case len(of) > 0:
			s.Effect = "changes nothing: " + strings.Join(because[:min(len(because), 3)], "; ")
		case !product.counts:
			s.Effect = "changes nothing: " + product.how
		default:
			s.Effect = "changes nothing: no component was matched with " + s.Vulnerability
		}
	}
	effects := map[*Statement]*effect{}
	for at := range len(matches) {
		if len(claims[at]) > 0 {
			decide(&matches[at], claims[at], effects)
		}
	}
	for i := range statements {
		if e := effects[&statements[i]]; e != nil {
			statements[i].Effect = e.words()
		}
	}
	return matches, statements
}

func unique(ids []string) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if id = strings.ToUpper(strings.TrimSpace(id)); id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// view is whether a statement counts, how that was found, and how sure: high, medium, low.
type view struct {
	counts bool
	how    string
	sure   string
}

func less(a, b string) string {
	order := []string{"low", "medium", "high"}
	return order[max(0, min(slices.Index(order, a), slices.Index(order, b)))]
}

// claim is a statement that counts for a match.
type claim struct {
	*Statement
	how  string
	sure string
}

// effect counts what became of a statement.
type effect struct {
	added, changed, confirmed, older, repeated int
	contradicted                               string
}

func (e *effect) words() string {
	var out []string
	if e.added > 0 {
		out = append(out, "adds what was not matched")
	}
	if e.changed > 0 {
		out = append(out, fmt.Sprintf("changes the status of %d", e.changed))
	}
	if e.confirmed > 0 {
		out = append(out, fmt.Sprintf("says the same as we of %d", e.confirmed))
	}
	if e.older > 0 {
		out = append(out, fmt.Sprintf("gives way to a newer statement for %d", e.older))
	}
	if e.repeated > 0 {
		out = append(out, fmt.Sprintf("says the same as another statement of %d", e.repeated))
	}
	if e.contradicted != "" {
		out = append(out, e.contradicted)
	}
	return strings.Join(out, "; ")
}

// decide lets the newest of the statements speak for the match.
func decide(m *advisory.Match, list []claim, effects map[*Statement]*effect) {
	careful := []advisory.Status{advisory.Vulnerable, advisory.Unclear, advisory.Fixed, advisory.NotThere}
	slices.SortStableFunc(list, func(a, b claim) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(slices.Index(careful, a.Status), slices.Index(careful, b.Status)), cmp.Compare(a.Author, b.Author), cmp.Compare(a.Document, b.Document))
	})
	of := func(c claim) *effect {
		if effects[c.Statement] == nil {
			effects[c.Statement] = &effect{}
		}
		return effects[c.Statement]
	}
	m.Why = slices.Clone(m.Why)
	var kept []claim
	for _, c := range list {
		// What lies in the image is present, whoever says that it is not.
		if c.Status == advisory.NotThere && c.Justification == "component_not_present" && len(m.Places) > 0 && m.Confidence != "low" {
			m.Why = append(m.Why, c.sentence()+"; this is not taken: it was found at "+m.Places[0])
			of(c).contradicted = "is contradicted: the component was found at " + m.Places[0]
			continue
		}
		kept = append(kept, c)
	}
	if len(kept) == 0 {
		return
	}
	first := kept[0]
	was := m.Status
	if was != "" {
		m.Why = append(m.Why, fmt.Sprintf("of itself this is %s (confidence %s)", word(was), cmp.Or(m.Confidence, "unstated")))
	}
	step := first.sentence()
	if first.how != "" {
		step += " (" + first.how + ")"
	}
	m.Why = append(m.Why, step)
	m.Status, m.By, m.Justification, m.Confidence = first.Status, cmp.Or(first.Author, first.Document), "", first.sure
	if first.Status == advisory.NotThere {
		m.Justification = first.Justification
		switch {
		case first.Justification == "" && first.Impact == "":
			m.Confidence = "low"
			m.Why = append(m.Why, "no reason is stated, so the confidence is low")
		case first.Justification == "":
			m.Confidence = less(m.Confidence, "medium")
		case first.Because == "protected_at_perimeter":
			m.Confidence = "low"
			m.Why = append(m.Why, "the protection lies outside of the device: it holds only where the network has it")
		}
	}
	if do := first.Do(); do != "" && first.Status == advisory.Vulnerable {
		m.Advice = do
	}
	switch was {
	case first.Status:
		of(first).confirmed++
	case "":
		of(first).added++
	default:
		of(first).changed++
	}
	for _, c := range kept[1:] {
		if c.Status == first.Status {
			of(c).repeated++
			continue
		}
		of(c).older++
		switch {
		case c.At.Equal(first.At):
			m.Why = append(m.Why, "contradicted on the same date: "+c.sentence()+"; the more careful statement is taken")
		default:
			m.Why = append(m.Why, "contradicted by an older statement: "+c.sentence()+"; the newer one is taken")
		}
	}
}

// sentence says who states what, and why.
func (s *Statement) sentence() string {
	words := cmp.Or(s.Author, "an unnamed author") + " states " + word(s.Status)
	if s.Status == advisory.NotThere {
		reason := strings.ReplaceAll(cmp.Or(s.Because, s.Justification), "_", " ")
		if s.Impact != "" {
			reason = strings.TrimLeft(reason+": "+strings.Join(strings.Fields(s.Impact), " "), ": ")
		}
		if reason != "" {
			words += " because " + reason
		}
	}
	if s.Said == "false_positive" {
		words += ", as a false positive"
	}
	where := strings.TrimSpace(s.Form + " " + s.Document)
	if !s.At.IsZero() {
		where += ", " + s.At.UTC().Format(time.DateOnly)
	}
	words += " [" + where + "]"
	if s.Quotes != "" {
		words += ", after " + s.Quotes
	}
	return words
}

// word writes a status for people.
func word(s advisory.Status) string { return strings.ReplaceAll(string(s), "_", " ") }

// match begins the match for what is stated to affect the device and was not matched: it
// has no status yet.
func (s *Statement) match(device Ref) advisory.Match {
	of := s.Component
	if of == (Ref{}) {
		of = device
	}
	return advisory.Match{
		Advisory: s.Vulnerability, Aliases: s.Aliases, Component: cmp.Or(of.Name, of.String()), Version: of.Version, PURL: of.PURL,
		Why: []string{"no component that was found is known to have it"}, Confidence: "medium",
	}
}

// concerns says whether a statement counts for a match, given what was found of its
// product.
func (s *Statement) concerns(m *advisory.Match, product view) view {
	if s.Product == (Ref{}) && s.Component == (Ref{}) {
		return view{how: "it names neither a product nor a component"}
	}
	if s.Component == (Ref{}) {
		if product.counts {
			return product
		}
		// The product may be the component itself: a project, or a distribution, speaks.
		if c := sameComponent(s.Product, m); c.counts && hasVersion(s.Product) {
			return c
		}
		return product
	}
	if s.Product != (Ref{}) && !product.counts {
		return product
	}
	c := sameComponent(s.Component, m)
	switch {
	case !c.counts:
		return c
	case s.Product == (Ref{}) && !hasVersion(s.Component):
		return view{how: "it names no version, neither of the product nor of " + s.Component.String()}
	case s.Product == (Ref{}):
		return c
	}
	return view{true, strings.TrimLeft(product.how+"; "+c.how, "; "), less(product.sure, c.sure)}
}

func hasVersion(r Ref) bool {
	return r.Version != "" || r.Digest != ""
}

// sameProduct says whether what a statement is about is the device, in its version.
func sameProduct(p, device Ref) view {
	if p == (Ref{}) {
		return view{counts: true, sure: "high"}
	}
	if p.Digest != "" && p.Digest == device.Digest {
		return view{true, "the digest of the image is that of " + p.String(), "high"}
	}
	if device.Name == "" && device.ID == "" && device.PURL == "" {
		return view{how: "it is about " + p.String() + ", and what is assessed has no name: say vendor, model and version in a device.yaml"}
	}
	sure := "high"
	switch {
	case p.ID != "" && p.ID == device.ID, p.PURL != "" && p.PURL == device.PURL:
		return view{counts: true, sure: sure}
	case bare(p.Name) == "":
		return view{how: "it is about " + p.String() + ", which cannot be compared with " + device.String()}
	}
	// The name may hold the vendor, and the version as well.
	name, version := bare(p.Name), p.Version
	model, vendor := bare(device.Name), bare(device.Vendor)
	if p.Vendor != "" && vendor != "" && !alikeVendor(bare(p.Vendor), vendor) {
		return view{how: "it is about " + p.String() + ", of another vendor than " + device.String()}
	}
	rest, ok := strings.CutPrefix(name, vendor)
	if !ok || rest == "" {
		rest = name
	}
	switch {
	case rest == model:
	case version == "" && p.Range == "" && device.Version != "" && rest == model+bare(device.Version):
		version = device.Version
	default:
		return view{how: "it is about " + p.String() + ", another product than " + device.String()}
	}
	if p.Vendor == "" && rest == name && vendor != "" {
		sure = "medium"
	}
	switch {
	case p.Range != "" && version == "":
		v := ranged(p.Range+" of the product", p.Range, device.Version, ver.Generic)
		v.sure = less(sure, "medium") // it was asked of a range, which may not think of this version
		return v
	case version == "":
		return view{true, "it names no version of the product, so all are meant", less(sure, "medium")}
	case device.Version == "":
		return view{how: "it is about " + p.String() + ", and the version of what is assessed is not known"}
	case !alikeVersion(version, device.Version):
		return view{how: "it is about " + p.String() + ", and this is version " + device.Version}
	}
	return view{counts: true, sure: sure}
}

// alikeVendor compares vendors, whose names come with and without what kind of company
// they are.
func alikeVendor(a, b string) bool {
	return a == b || min(len(a), len(b)) >= 4 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// alikeVersion compares versions as people write them: a leading v or a blank says nothing.
func alikeVersion(a, b string) bool {
	reduce := func(s string) string {
		s = strings.ToLower(strings.Join(strings.Fields(s), " "))
		if rest := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(s, "version"), "v"), " "); rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return rest
		}
		return s
	}
	return reduce(a) == reduce(b)
}

// sameComponent says whether what a statement is about is the component of a match, in
// its version.
func sameComponent(c Ref, m *advisory.Match) view {
	version := func(stated string) view {
		switch {
		case c.Range != "":
			return ranged(c.Range+" of "+m.Component, c.Range, m.Version, ver.OfProduct(m.Component))
		case stated == "":
			return view{true, "it names no version of " + cmp.Or(c.Name, c.String()), "medium"}
		case m.Version == "":
			return view{how: "it is about " + c.String() + ", and the version that was found is not known"}
		case alikeVersion(stated, m.Version):
			return view{counts: true, sure: "high"}
		case upstream(m.Version) != m.Version && alikeVersion(stated, upstream(m.Version)):
			return view{true, "it names " + stated + ", without the distribution's " + strings.TrimPrefix(m.Version, upstream(m.Version)), "medium"}
		}
		return view{how: "it is about " + c.String() + ", and this is " + m.Component + " " + m.Version}
	}
	if p, ok := parsePURL(c.PURL); ok {
		q, both := parsePURL(m.PURL)
		if both && p.kind != "generic" && q.kind != "generic" {
			// Epochs and the like make the version of a package its own.
			if p.kind != q.kind || !strings.EqualFold(p.namespace, q.namespace) && p.namespace != "" || !strings.EqualFold(p.name, q.name) {
				return view{how: "it is about " + c.PURL + ", and this is " + m.PURL}
			}
			if p.version != "" && p.version == q.version {
				return view{counts: true, sure: "high"}
			}
			return version(cmp.Or(p.version, c.Version))
		}
	}
	names := []string{bare(c.Name)}
	if _, product, _, ok := parseCPE(c.CPE); ok {
		names = append(names, bare(product))
	}
	if p, ok := parsePURL(c.PURL); ok {
		names = append(names, bare(p.name))
	}
	want := []string{bare(m.Component)}
	if q, ok := parsePURL(m.PURL); ok {
		want = append(want, bare(q.name))
	}
	for _, n := range names {
		if n != "" && slices.Contains(want, n) {
			return version(c.Version)
		}
	}
	return view{how: "it is about " + c.String() + ", and this is " + strings.TrimSpace(m.Component+" "+m.Version)}
}

// ranged says whether a version lies in the range that is stated; words name the range.
func ranged(words, text, v string, scheme ver.Scheme) view {
	in, ok := within(text, v, scheme)
	switch {
	case v == "" || !ok:
		return view{how: "it is about the versions " + words + ", which cannot be compared with " + cmp.Or(v, "an unknown one")}
	case in:
		return view{true, v + " lies in the versions " + words, "medium"}
	}
	return view{how: "it is about the versions " + words + ", and not about " + v}
}

// upstream cuts a distribution's suffix off a version: 1.0.2u-r3, 2.28-10+deb10u4.
func upstream(v string) string {
	if i := strings.IndexAny(v, "-+~"); i > 0 {
		return v[:i]
	}
	return v
}
