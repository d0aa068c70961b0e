package support

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// The levels of support, in the words of the regulator.
const (
	Maintained = "maintained"
	Ended      = "no-longer-maintained"
	Abandoned  = "abandoned"
)

// answer is what is known of one version at one day.
type answer struct {
	support string // empty: not known, and why says the reason
	end     string // the last day, where it is known
	why     string
	source  string // the address that says so
}

// superseded is for how many years a release that was replaced still passes for maintained,
// where a project mends its latest release only: makers and distributions carry fixes over
// for about as long. It is a judgement, and doc/support.md says so.
const superseded = 5

// stale is after how many days a line without an announced end is no longer taken for
// maintained: somebody has to look again.
const stale = 400

// State sets the support of the components, kernels and distributions among the facts as
// it is on the day at: whether somebody mends them, until when, whether that ends within a
// year, and how it is known. What a source has stated itself stays; what an earlier State
// has set is set anew. It is to run after the witnesses and before the judge. The same
// facts and day give the same answers.
func State(facts *fact.Set, at time.Time) error {
	k := newKnowledge(at)
	distros := map[string]distro{} // by root
	for _, d := range facts.Device {
		dist := k.distribution(d)
		if (d.DistroSupport == "" || d.DistroWhy != "") && dist.why != "" {
			d.DistroSupport, d.DistroEnd, d.DistroWhy, d.DistroSource = dist.support, dist.end, dist.why, dist.source
			d.DistroEnding = k.ending(dist.answer)
		}
		if _, ok := distros[d.Root]; !ok && dist.name != "" && d.Source.Witness == fact.Firmware {
			distros[d.Root] = dist
		}
	}
	for _, c := range facts.Component {
		if c.Support != "" && c.SupportWhy == "" {
			continue // somebody has stated it
		}
		a := k.component(c, distros[c.Root])
		if c.EndOfSupport != "" && (c.SupportWhy == "" || c.SupportWhy == named) {
			a = k.until(c.EndOfSupport)
		}
		c.Support, c.EndOfSupport, c.SupportWhy, c.SupportSource = a.support, a.end, a.why, a.source
		c.Ending = k.ending(a)
	}
	for _, n := range facts.Kernel {
		if n.Support != "" && n.SupportWhy == "" {
			continue
		}
		a := k.kernel(n, distros)
		n.Support, n.EndOfSupport, n.SupportWhy, n.SupportSource = a.support, a.end, a.why, a.source
		n.Ending = k.ending(a)
	}
	return k.err
}

// named is why of an end that the source of the fact names itself.
const named = "the end is named where the component is"

// until answers for an end that is named.
func (k *knowledge) until(end string) answer {
	if day.MatchString(end) && k.at > last(end) {
		return answer{support: Ended, end: end, why: named}
	}
	return answer{support: Maintained, end: end, why: named}
}

// distro is a distribution, and what is known of its release.
type distro struct {
	name string // Debian 12, empty where the distribution is not known
	answer
}

// knowledge is what is known on one day. Products are read when they are asked for.
type knowledge struct {
	at      string
	year    string // a year later
	names   map[string]string
	systems map[string]string
	read    map[string]*Product
	err     error // of the embedded facts
}

func newKnowledge(at time.Time) *knowledge {
	k := &knowledge{
		at: at.UTC().Format(time.DateOnly), year: at.UTC().AddDate(1, 0, 0).Format(time.DateOnly),
		names: map[string]string{}, systems: map[string]string{}, read: map[string]*Product{},
	}
	each(func(system bool, names []string, text string) {
		for _, n := range names {
			if system {
				k.systems[n] = text
			} else {
				k.names[n] = text
			}
		}
	})
	return k
}

// product returns the product of a component's name, system that of a distribution's or
// operating system's; nil where there is none.
func (k *knowledge) product(name string) *Product { return k.parse(k.names[name]) }
func (k *knowledge) system(name string) *Product  { return k.parse(k.systems[name]) }

func (k *knowledge) parse(text string) *Product {
	if text == "" {
		return nil
	}
	if p := k.read[text]; p != nil {
		return p
	}
	p := &Product{}
	if err := json.Unmarshal([]byte(text), p); err != nil {
		k.err = fmt.Errorf("support.tsv: %w", err)
	}
	k.read[text] = p
	return p
}

// ending says whether the end is known and less than a year away.
func (k *knowledge) ending(a answer) fact.Opt[bool] {
	switch {
	case a.support == Maintained && a.end != "":
		return fact.Say(a.end < k.year)
	case a.support == Maintained:
		return fact.Opt[bool]{} // no end is announced: nobody can say
	case a.support != "":
		return fact.Say(false) // it has ended already
	}
	return fact.Opt[bool]{}
}

// distribution looks up what a device runs.
func (k *knowledge) distribution(d *fact.Device) distro {
	if d.DistroID != "" {
		p := k.system(d.DistroID)
		if p == nil {
			return distro{answer: answer{why: fmt.Sprintf("of the distribution %q no dates are known", d.DistroID)}}
		}
		return distro{strings.TrimSpace(title(p) + " " + d.DistroVersion), k.version(p, d.DistroVersion)}
	}
	for _, text := range []string{d.Distro, d.OS} {
		text = strings.ToLower(text)
		var best string
		for n := range k.systems {
			if strings.HasPrefix(text, n+" ") && len(n) > len(best) {
				best = n
			}
		}
		if best != "" {
			return distro{strings.TrimSpace(text), k.version(k.system(best), strings.TrimPrefix(text, best+" "))}
		}
	}
	return distro{}
}

func title(p *Product) string {
	if p.Name == "openwrt" {
		return "OpenWrt"
	}
	return strings.ToUpper(p.Name[:1]) + p.Name[1:]
}

// backports are the package systems of distributions that mend a version without raising
// it, or whose releases end as a whole.
var backports = []string{"deb", "rpm", "apk", "opkg", "alpm"}

// languages are ecosystems whose names are not those of system software.
var languages = []string{"npm", "pypi", "golang", "maven", "gem", "nuget", "cargo", "composer", "crates.io", "packagist", "hex", "cran"}

// component says who supports a component: for a package, its distribution; else the
// project.
func (k *knowledge) component(c *fact.Component, on distro) answer {
	up := k.upstream(c)
	if slices.Contains(backports, c.Ecosystem) {
		if d := k.suffix(c); d.name != "" {
			on = d
		}
		switch {
		case up.support == Abandoned:
			return up
		case on.support != "":
			return answer{on.support, on.end, fmt.Sprintf("packaged by %s: %s", on.name, on.why), on.source}
		case up.support == "":
			return answer{why: "packaged by a distribution whose dates are not known"}
		default:
			return answer{why: fmt.Sprintf("packaged by a distribution whose dates are not known; of the project itself: %s", up.why)}
		}
	}
	if up.support == Ended && on.support == Maintained && !slices.Contains(languages, c.Ecosystem) {
		return answer{why: fmt.Sprintf("%s; were it a package of %s, that would mend it, and no package database tells", up.why, on.name)}
	}
	return up
}

// upstream says what the project itself does for a version.
func (k *knowledge) upstream(c *fact.Component) answer {
	p := k.product(strings.ToLower(c.Name))
	if p != nil && slices.Contains(languages, c.Ecosystem) && !slices.Contains(p.Ecosystems, c.Ecosystem) {
		p = nil
	}
	if p == nil {
		return answer{why: "no dates of its support are known"}
	}
	if strings.Contains(c.Version, "-cip") && p.Name == "linux" {
		p = k.product("linux-cip")
	}
	return k.version(p, c.Version)
}

// suffix reads the distribution off a package's version: 2+deb12u3, 0ubuntu1.22.04.
func (k *knowledge) suffix(c *fact.Component) distro {
	if _, rest, ok := strings.Cut(c.Suffix, "+deb"); ok {
		if n := digits(rest); n != "" {
			return distro{"Debian " + n, k.version(k.system("debian"), n)}
		}
	}
	if i := strings.LastIndex(c.Suffix, "ubuntu"); i >= 0 {
		for w := range strings.FieldsFuncSeq(c.Suffix[i:], func(r rune) bool { return r == '~' || r == '-' || r == '+' }) {
			f := strings.Split(w, ".")
			for j := 0; j+1 < len(f); j++ {
				if len(f[j]) == 2 && (f[j+1] == "04" || f[j+1] == "10") {
					v := f[j] + "." + f[j+1]
					return distro{"Ubuntu " + v, k.version(k.system("ubuntu"), v)}
				}
			}
		}
	}
	if i := strings.LastIndex(c.Suffix, ".el"); i >= 0 {
		if n := digits(c.Suffix[i+3:]); n != "" {
			// Which of the rebuilds it is, the version does not tell; their dates are close.
			return distro{"Enterprise Linux " + n, k.version(k.system("rhel"), n)}
		}
	}
	return distro{}
}

func digits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}

// kernel says who supports a kernel: the distribution whose build it is, else kernel.org.
func (k *knowledge) kernel(n *fact.Kernel, distros map[string]distro) answer {
	for _, id := range []string{"Debian", "Ubuntu"} {
		if !strings.Contains(n.Build, id) {
			continue
		}
		for _, root := range slices.Sorted(maps.Keys(distros)) {
			if d := distros[root]; strings.HasPrefix(d.name, id) && d.support != "" {
				return answer{d.support, d.end, fmt.Sprintf("built by %s: %s", d.name, d.why), d.source}
			}
		}
		return answer{why: fmt.Sprintf("built by %s, whose release is not known", id)}
	}
	name := strings.ToLower(n.Name)
	p := k.product(name)
	if p == nil {
		p = k.system(name)
	}
	if p == nil {
		return answer{why: "no dates of its support are known"}
	}
	if p.Name == "linux" && strings.Contains(n.Release, "-cip") {
		p = k.product("linux-cip")
	}
	return k.version(p, n.Version)
}

// version says what is known of a version of a product, and by whom.
func (k *knowledge) version(p *Product, version string) answer {
	a := k.look(p, version)
	if a.support != "" {
		a.source = p.Source
	}
	return a
}

func (k *knowledge) look(p *Product, version string) answer {
	switch {
	case p.Abandoned != "":
		return answer{support: Abandoned, why: p.Abandoned + p.unconfirmed(nil)}
	case version == "":
		return answer{why: "its version is not known"}
	case p.Latest:
		return k.release(p, version)
	}
	l := p.line(strings.ToLower(version))
	if l == nil {
		return k.unlisted(p, version)
	}
	name := fmt.Sprintf("%s %s", p.Name, l.Line)
	switch {
	case l.Unclear != "":
		return answer{why: fmt.Sprintf("%s: %s%s", name, l.Unclear, p.unconfirmed(l))}
	case l.Ended:
		return answer{support: Ended, why: fmt.Sprintf("%s is no longer maintained, since a day that is not known%s", name, p.unconfirmed(l))}
	case l.Open:
		if p.Checked != "" && k.at > later(p.Checked, stale) {
			return answer{why: fmt.Sprintf("%s was maintained on %s; that is too long ago to say", name, p.Checked)}
		}
		return answer{support: Maintained, why: fmt.Sprintf("%s is maintained; no end is announced%s", name, p.unconfirmed(l))}
	case k.at <= last(l.Security):
		return answer{support: Maintained, end: l.Security, why: fmt.Sprintf("%s gets security fixes until %s%s", name, l.Security, p.unconfirmed(l))}
	}
	paid := ""
	if l.Paid != "" && k.at <= last(l.Paid) {
		paid = fmt.Sprintf(", paid for until %s", l.Paid)
	}
	return answer{support: Ended, end: l.Security, why: fmt.Sprintf("%s got security fixes until %s%s%s", name, l.Security, paid, p.unconfirmed(l))}
}

// unconfirmed are the words for facts that were not read anywhere.
func (p *Product) unconfirmed(l *Line) string {
	if p.Checked == "" || l != nil && l.Unconfirmed {
		return " (from public schedules, to be confirmed)"
	}
	return ""
}

// last is the last day of a date that may be less exact.
func last(date string) string {
	switch len(date) {
	case 4:
		return date + "-12-31"
	case 7:
		return date + "-31"
	}
	return date
}

// later is the day a number of days after another.
func later(date string, days int) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return t.AddDate(0, 0, days).Format(time.DateOnly)
}

// release answers for a project that mends its latest release only.
func (k *knowledge) release(p *Product, version string) answer {
	var next *Line // the oldest release that is newer than the version's line
	for i := range p.Lines {
		l := &p.Lines[i]
		if begins(version, l.Line) || compare(l.Line, version) <= 0 {
			continue
		}
		if next == nil || compare(l.Line, next.Line) < 0 {
			next = l
		}
	}
	practice := strings.TrimSuffix(p.Practice, ".")
	if next == nil {
		return answer{support: Maintained, why: fmt.Sprintf("%s; no newer line than that of %s is known%s", practice, version, p.unconfirmed(nil))}
	}
	words := fmt.Sprintf("%s; %s %s took its place on %s%s", practice, p.Name, next.Line, next.Released, p.unconfirmed(nil))
	replaced := last(next.Released)
	year, err := strconv.Atoi(replaced[:4])
	if err != nil {
		return answer{why: words}
	}
	if k.at > fmt.Sprintf("%04d%s", year+superseded, replaced[4:]) {
		return answer{support: Ended, why: words}
	}
	return answer{support: Maintained, why: words}
}

// line returns the line that a version belongs to: the longest that it begins with, or
// the one most of whose words it has.
func (p *Product) line(version string) *Line {
	var best *Line
	most := 0
	words := strings.Fields(version)
	for i := range p.Lines {
		l := &p.Lines[i]
		n := len(l.Line)
		if p.Words {
			want := strings.Fields(l.Line)
			if n = len(want); slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(words, w) }) {
				continue
			}
		} else if !begins(version, l.Line) {
			continue
		}
		if n > most {
			best, most = l, n
		}
	}
	return best
}

// unlisted answers for a version of no line that is listed.
func (k *knowledge) unlisted(p *Product, version string) answer {
	if p.Words || digits(version) == "" {
		return answer{why: fmt.Sprintf("no dates are known of %s %s", p.Name, version)}
	}
	oldest, newest := &p.Lines[0], &p.Lines[0]
	for i := range p.Lines {
		if compare(p.Lines[i].Line, oldest.Line) < 0 {
			oldest = &p.Lines[i]
		}
		if compare(p.Lines[i].Line, newest.Line) > 0 {
			newest = &p.Lines[i]
		}
	}
	switch {
	case compare(version, newest.Line) > 0:
		return answer{why: fmt.Sprintf("%s %s is newer than what is known of it, %s", p.Name, version, newest.Line)}
	case compare(version, oldest.Line) < 0 && (oldest.Ended || oldest.Security != "" && k.at > last(oldest.Security)):
		end := oldest.Security
		if end == "" {
			end = "a day that is not known"
		}
		return answer{support: Ended, why: fmt.Sprintf("%s %s is older than %s, which ended on %s%s", p.Name, version, oldest.Line, end, p.unconfirmed(oldest))}
	case p.Unlisted:
		return answer{support: Ended, why: fmt.Sprintf("%s %s is of a line that ended when the next one came%s", p.Name, version, p.unconfirmed(nil))}
	}
	return answer{why: fmt.Sprintf("no dates are known of the line of %s %s", p.Name, version)}
}

// begins reports whether a version is of a line: 1.0.2k of 1.0.2, and 1.10 not of 1.1.
func begins(version, line string) bool {
	rest, ok := strings.CutPrefix(version, line)
	if !ok || rest == "" {
		return ok
	}
	return !isDigit(rest[0]) || !isDigit(line[len(line)-1])
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// compare orders versions number by number; text between numbers is passed by, and of two
// that are alike so far the longer is the newer.
func compare(a, b string) int {
	for {
		x, restA, okA := number(a)
		y, restB, okB := number(b)
		switch {
		case !okA && !okB:
			return 0
		case !okA:
			return -1
		case !okB:
			return 1
		case x != y:
			return cmp.Compare(x, y)
		}
		a, b = restA, restB
	}
}

// number cuts the first number off; one that is too large is the largest.
func number(s string) (n int, rest string, ok bool) {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	d := digits(s)
	if d == "" {
		return 0, "", false
	}
	n, err := strconv.Atoi(d)
	if err != nil {
		n = math.MaxInt
	}
	return n, s[len(d):], true
}
