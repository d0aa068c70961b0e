package feed

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// constraint is one comparison of a text about versions.
type constraint struct {
	op, version string
	joined      bool // follows the one before it without a bar
}

// versionRanges reads what an advisory writes where it means a range: "vers:" texts,
// comparisons, "2.3.6 and below". None is every version; what cannot be ordered is one
// range that only says what was written.
func versionRanges(text string) []advisory.Range {
	text = strings.Join(strings.Fields(text), " ")
	if everyVersion(text) {
		return nil
	}
	if rest, ok := strings.CutPrefix(text, "vers:"); ok {
		return vers(rest, text)
	}
	if r, ok := inWords(text); ok {
		return []advisory.Range{r}
	}
	if rest, ok := cutFold(text, "all versions "); ok && strings.ContainsAny(rest, "<>") {
		text = rest
	}
	list, ok := constraints(strings.NewReplacer(", <", " <", ",<", " <", ", >", " >").Replace(text))
	if !ok {
		return []advisory.Range{{Raw: text}}
	}
	return ranges(list, "")
}

// plainVersions reads what an advisory writes where it means versions one by one; it may
// nevertheless be a range.
func plainVersions(text string) []advisory.Range {
	text = strings.Join(strings.Fields(text), " ")
	if strings.ContainsAny(text, "<>") || strings.HasPrefix(text, "vers:") || !strings.Contains(text, "|") {
		return versionRanges(text)
	}
	var all []advisory.Range
	for part := range strings.SplitSeq(text, "|") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		one := versionRanges(part)
		if one == nil {
			return nil
		}
		all = append(all, one...)
	}
	return all
}

func everyVersion(text string) bool {
	switch strings.ToLower(text) {
	case "*", "vers:all/*", "all", "all versions", "any", "any version", "all_versions", "vers:unknown/*":
		return true
	}
	return false
}

func cutFold(text, prefix string) (string, bool) {
	if len(text) > len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
		return text[len(prefix):], true
	}
	return text, false
}

var words = regexp.MustCompile(`(?i)^(?:versions? )?(?:(prior to|before|earlier than|up to|through|from|after|later than)(?: versions?)? )?(\S+?(?: (?:SP|Upd|Update|Service Pack|Build|MR|HF|Patch|Rev)\.? ?\d+\w?)*)(?:,? (?:and|or) (?:all )?(below|earlier|prior|lower|older|before|above|later|newer|higher)(?: versions?| releases?)?)?$`)

// inWords reads "prior to 2.0", "2.3.6 and below".
func inWords(text string) (r advisory.Range, ok bool) {
	m := words.FindStringSubmatch(text)
	if m == nil || m[1] == "" && m[3] == "" || m[1] != "" && m[3] != "" {
		return r, false
	}
	v, ok := versionLike(m[2])
	if !ok || wildcard(v) != "" {
		return r, false
	}
	switch strings.ToLower(m[1] + m[3]) {
	case "prior to", "before", "earlier than":
		if m[1] == "" { // "2.3 and before"
			return advisory.Range{To: v, Last: true}, true
		}
		return advisory.Range{To: v}, true
	case "up to", "through", "below", "earlier", "prior", "lower", "older":
		return advisory.Range{To: v, Last: true}, true
	case "after", "later than":
		return advisory.Range{From: v, After: true}, true
	}
	return advisory.Range{From: v}, true
}

// vers reads "intdot/>=1.2|<2.0", the notation of purl for ranges.
func vers(text, whole string) []advisory.Range {
	scheme, rest, ok := strings.Cut(text, "/")
	raw := []advisory.Range{{Raw: whole}}
	if !ok {
		return raw
	}
	if rest = strings.TrimSpace(rest); rest == "*" {
		return nil
	}
	if scheme == "unknown" || scheme == "all" || scheme == "generic" {
		scheme = ""
	}
	var list []constraint
	for part := range strings.SplitSeq(rest, "|") {
		part = strings.TrimSpace(part)
		c := constraint{op: "=", version: strings.TrimLeft(part, "<>=! ")}
		if op := strings.TrimSpace(part[:len(part)-len(c.version)]); op != "" {
			c.op = op
		}
		v, err := url.PathUnescape(c.version)
		if err != nil {
			return raw
		}
		if c.version, ok = versionLike(v); !ok {
			return raw
		}
		switch c.op {
		case "<", "<=", ">", ">=", "=":
		default: // what lies around a single version cannot be said as ranges without an order
			return raw
		}
		list = append(list, c)
	}
	return ranges(list, scheme)
}

// constraints splits at comparisons and bars.
func constraints(text string) ([]constraint, bool) {
	var list []constraint
	joined := false
	for text != "" {
		text = strings.TrimLeft(text, " ")
		rest := strings.TrimLeft(text, "<>=")
		op := text[:len(text)-len(rest)]
		end := strings.IndexAny(rest, "<>=|")
		if end < 0 {
			end = len(rest)
		}
		version, ok := versionLike(strings.TrimSpace(rest[:end]))
		if !ok {
			return nil, false
		}
		switch op {
		case "":
			op = "="
		case "==":
			op = "="
		case "<", "<=", ">", ">=", "=":
		default:
			return nil, false
		}
		list = append(list, constraint{op, version, joined})
		text = rest[end:]
		if text, joined = strings.TrimPrefix(text, "|"), !strings.HasPrefix(text, "|"); text == "" && !joined {
			return nil, false
		}
	}
	return list, len(list) > 0
}

// ranges pairs comparisons: a lower end with the upper end that follows it.
func ranges(list []constraint, scheme string) []advisory.Range {
	var all []advisory.Range
	open := false // the last one waits for its upper end
	for i, c := range list {
		r := advisory.Range{Scheme: scheme}
		w := wildcard(c.version)
		switch c.op {
		case "=":
			if i+1 < len(list) && list[i+1].joined && strings.HasPrefix(list[i+1].op, "<") { // "A10 < A11"
				r.From, open = c.version, true
				break
			}
			open = false
			if r.From, r.To, r.Last = c.version, c.version, true; w != "" {
				r.From, r.To, r.Last = strings.TrimRight(strings.TrimSuffix(strings.ToLower(c.version), "x"), ".x*"), w, false
			}
		case ">", ">=":
			r.From, r.After, open = c.version, c.op == ">", true
			if w != "" {
				if r.From, r.After = strings.TrimRight(strings.ToLower(c.version), ".x*"), false; c.op == ">" {
					r.From = w
				}
			}
		default:
			to, last := c.version, c.op == "<="
			if w != "" {
				if to, last = w, false; c.op == "<" {
					to = strings.TrimRight(strings.ToLower(c.version), ".x*")
				}
			}
			if open {
				all[len(all)-1].To, all[len(all)-1].Last, open = to, last, false
				continue
			}
			r.To, r.Last = to, last
		}
		all = append(all, r)
	}
	return all
}

var single = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._+~:()-]*(?: (?:SP|Upd|Update|Service Pack|Build|MR|HF|Patch|Rev)\.? ?[0-9]+\w?| (?:MR|SP) Build [0-9]+)*$`)

// versionLike says whether a text can be a version, and takes the v in front away.
func versionLike(text string) (string, bool) {
	if len(text) > 100 || !single.MatchString(text) {
		return "", false
	}
	if text[0] == 'v' || text[0] == 'V' {
		if len(text) > 1 && text[1] >= '0' && text[1] <= '9' {
			text = text[1:]
		}
	}
	// A revision may be a letter, but a word is none.
	if !strings.ContainsAny(text, "0123456789") && len(text) > 2 {
		return "", false
	}
	// "3.x" has a meaning where numbers stand before it; "C.0x" has none that can be ordered.
	if strings.ContainsAny(text, "*") || endsInX.MatchString(text) && wildcard(text) == "" {
		return "", false
	}
	return text, true
}

var (
	endsInX  = regexp.MustCompile(`(?i)[.0-9]x+(\.x+)*$`)
	numbersX = regexp.MustCompile(`(?i)^([0-9]+(?:\.[0-9]+)*)(?:\.x+)+$`)
)

// wildcard returns what follows all versions that "3.x" stands for: "4"; "" for others.
func wildcard(text string) string {
	m := numbersX.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	parts := strings.Split(m[1], ".")
	n, err := strconv.Atoi(parts[len(parts)-1])
	if err != nil {
		return ""
	}
	parts[len(parts)-1] = strconv.Itoa(n + 1)
	return strings.Join(parts, ".")
}

// ecosystems are those of purl types, as OSV calls them.
var ecosystems = map[string]string{
	"apk": "Alpine", "cargo": "crates.io", "composer": "Packagist", "conan": "ConanCenter", "deb": "Debian", "gem": "RubyGems", "golang": "Go",
	"hex": "Hex", "maven": "Maven", "npm": "npm", "nuget": "NuGet", "opkg": "OpenWrt", "pub": "Pub", "pypi": "PyPI", "rpm": "RPM",
}

// packageURL reads a purl: "pkg:deb/debian/openssl@3.0.2-1?arch=arm64&distro=debian-12".
func packageURL(text string) (p advisory.Part, ok bool) {
	rest, ok := strings.CutPrefix(text, "pkg:")
	if !ok || len(text) > 1000 {
		return p, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	rest = strings.Trim(rest, "/")
	at := strings.LastIndexByte(rest, '@')
	v := ""
	if at > strings.LastIndexByte(rest, '/') {
		rest, v = rest[:at], rest[at+1:]
	}
	parts := strings.Split(rest, "/")
	for i, s := range parts {
		var err error
		if parts[i], err = url.PathUnescape(s); err != nil {
			return p, false
		}
	}
	v, err := url.PathUnescape(v)
	if err != nil || len(parts) < 2 || slices.Contains(parts, "") {
		return p, false
	}
	kind, space, name := strings.ToLower(parts[0]), strings.Join(parts[1:len(parts)-1], "/"), parts[len(parts)-1]
	p.Product = advisory.Product{By: advisory.ByPackage, Ecosystem: ecosystems[kind], Name: name}
	switch {
	case kind == "deb" && space == "ubuntu":
		p.Product.Ecosystem = "Ubuntu"
	case kind == "deb" || kind == "apk" || kind == "rpm" || kind == "opkg":
	case kind == "maven" && space != "":
		p.Product.Name = space + ":" + name
	case p.Product.Ecosystem == "":
		p.Product.Ecosystem = kind
		fallthrough
	case space != "":
		if space != "" {
			p.Product.Name = space + "/" + name
		}
	}
	if distro := release(query); distro != "" && (kind == "deb" || kind == "apk") {
		p.Product.Ecosystem += ":" + distro
	}
	p.Versions = exactly(v)
	return p, true
}

// release finds the release in the qualifiers of a purl: "distro=debian-12", "distro=alpine-3.18.4".
func release(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	name, number, ok := strings.Cut(values.Get("distro"), "-")
	if !ok {
		return ""
	}
	if name == "alpine" {
		if parts := strings.Split(number, "."); len(parts) >= 2 {
			return "v" + parts[0] + "." + parts[1]
		}
	}
	return number
}
