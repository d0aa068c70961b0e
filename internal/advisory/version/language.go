package version

import (
	"fmt"
	"slices"
	"strings"
)

// goVersion writes what the Go toolchain calls itself as a semantic version: go1.21rc2 is
// 1.21.0-rc.2.
func goVersion(v string) string {
	v = strings.TrimPrefix(v, "go")
	release, rest := numbers(v)
	word, rest := run(rest)
	if n, end := number(rest); (word == "rc" || word == "beta") && n != "" && end == "" {
		return release + strings.Repeat(".0", max(0, 2-strings.Count(release, "."))) + "-" + word + "." + n
	}
	return v
}

// compareSemver follows semver.org 2.0.0, with up to most numbers of which missing ones
// are zero; a leading v is allowed, build metadata has no order and counts for nothing.
func compareSemver(a, b string, most int) (int, error) {
	x, xp, err := semver(a, most)
	if err != nil {
		return 0, err
	}
	y, yp, err := semver(b, most)
	if err != nil {
		return 0, err
	}
	if c := compareNumbers(x, y); c != 0 {
		return c, nil
	}
	if xp == "" || yp == "" {
		return btoi(xp == "") - btoi(yp == ""), nil
	}
	for {
		var p, q string
		var more, less bool
		p, xp, more = strings.Cut(xp, ".")
		q, yp, less = strings.Cut(yp, ".")
		_, pw := number(p)
		_, qw := number(q)
		var c int
		switch {
		case pw == "" && qw == "":
			c = compareNumber(p, q)
		case pw == "" || qw == "":
			c = btoi(qw == "") - btoi(pw == "") // numbers before words
		default:
			c = strings.Compare(p, q)
		}
		switch {
		case c != 0:
			return c, nil
		case !more || !less:
			return btoi(more) - btoi(less), nil
		}
	}
}

func semver(v string, most int) (numeric, pre string, err error) {
	s := strings.TrimPrefix(strings.TrimPrefix(v, "="), "v")
	s, build, hasBuild := strings.Cut(s, "+")
	numeric, rest := numbers(s)
	pre, hasPre := strings.CutPrefix(rest, "-")
	bad := numeric == "" || strings.Count(numeric, ".") >= most || rest != "" && !hasPre || hasPre && !identifiers(pre) || hasBuild && !identifiers(build)
	if bad {
		return "", "", malformed(Semver, v)
	}
	return numeric, pre, nil
}

// identifiers reports whether s is a list of identifiers between dots, none of them empty.
func identifiers(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			if c := part[i]; !digit(c) && !letter(c) && c != '-' {
				return false
			}
		}
	}
	return true
}

// pythonVersion is one of PEP 440. Words and their numbers are empty where there are none.
type pythonVersion struct {
	epoch, release     string
	pre                string // a, b, rc
	preN, postN, devN  string
	post, dev, hasLoc  bool
	local              string
	preRank, postAfter int
}

func parsePython(v string) (p pythonVersion, err error) {
	bad := malformed(Python, v)
	s := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(v)), "v")
	if e, rest, ok := strings.Cut(s, "!"); ok {
		d, end := number(e)
		if d == "" || end != "" {
			return p, bad
		}
		p.epoch, s = d, rest
	}
	s, p.local, p.hasLoc = strings.Cut(s, "+")
	if p.hasLoc {
		p.local = strings.NewReplacer("-", ".", "_", ".").Replace(p.local)
		if !identifiers(p.local) {
			return p, bad
		}
	}
	p.release, s = numbers(s)
	if p.release == "" {
		return p, bad
	}
	// word reads [-_.]?word[-_.]?number? and says which word it was.
	word := func(names map[string]string) (string, string) {
		t := strings.TrimLeft(s, "-_.")
		if len(s)-len(t) > 1 {
			return "", ""
		}
		w, rest := run(t)
		name, ok := names[w]
		if !ok {
			return "", ""
		}
		u := rest
		if u != "" && strings.IndexByte("-_.", u[0]) >= 0 {
			u = u[1:]
		}
		n, end := number(u)
		if n == "" {
			end = rest
		}
		s = end
		return name, n
	}
	p.pre, p.preN = word(map[string]string{"a": "a", "alpha": "a", "b": "b", "beta": "b", "c": "rc", "rc": "rc", "pre": "rc", "preview": "rc"})
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		if n, end := number(rest); n != "" {
			p.post, p.postN, s = true, n, end
		}
	}
	if !p.post {
		var w string
		w, p.postN = word(map[string]string{"post": "post", "rev": "post", "r": "post"})
		p.post = w != ""
	}
	w, n := word(map[string]string{"dev": "dev"})
	p.dev, p.devN = w != "", n
	if s != "" {
		return p, bad
	}
	switch {
	case p.pre == "" && !p.post && p.dev:
		p.preRank = -1
	case p.pre == "":
		p.preRank = 4
	default:
		p.preRank = map[string]int{"a": 1, "b": 2, "rc": 3}[p.pre]
	}
	p.postAfter = btoi(p.post)
	return p, nil
}

func comparePython(a, b string) (int, error) {
	x, err := parsePython(a)
	if err != nil {
		return 0, err
	}
	y, err := parsePython(b)
	if err != nil {
		return 0, err
	}
	for _, c := range []int{
		compareNumber(x.epoch, y.epoch), compareNumbers(x.release, y.release),
		sign(x.preRank - y.preRank), compareNumber(x.preN, y.preN),
		sign(x.postAfter - y.postAfter), compareNumber(x.postN, y.postN),
		btoi(y.dev) - btoi(x.dev), compareNumber(x.devN, y.devN),
		btoi(x.hasLoc) - btoi(y.hasLoc),
	} {
		if c != 0 {
			return c, nil
		}
	}
	return localOrder(x.local, y.local), nil
}

// localOrder compares local versions: numbers come after words, more after less.
func localOrder(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		_, xw := number(x)
		_, yw := number(y)
		var c int
		switch {
		case xw == "" && yw == "":
			c = compareNumber(x, y)
		case xw == "" || yw == "":
			c = btoi(xw == "") - btoi(yw == "")
		default:
			c = strings.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return sign(len(a) - len(b))
}

// mavenToken is a part of a Maven version with the separator before it.
type mavenToken struct {
	mark   byte // '.' or '-'
	word   string
	number bool
}

// compareMaven follows Maven's reference of the version order: parts between dots,
// hyphens and changes between digits and letters, with what means nothing trimmed.
func compareMaven(a, b string) (int, error) {
	x, err := parseMaven(a)
	if err != nil {
		return 0, err
	}
	y, err := parseMaven(b)
	if err != nil {
		return 0, err
	}
	for i := range max(len(x), len(y)) {
		var p, q mavenToken
		switch {
		case i >= len(x):
			q = y[i]
			p = q.null()
		case i >= len(y):
			p = x[i]
			q = p.null()
		default:
			p, q = x[i], y[i]
		}
		c, ok := p.compare(q)
		if !ok {
			return 0, fmt.Errorf("%q and %q: %w", a, b, ErrNoOrder)
		}
		if c != 0 {
			return c, nil
		}
	}
	return 0, nil
}

// null is what a missing part counts as beside t.
func (t mavenToken) null() mavenToken {
	if t.number && t.mark == '.' {
		return mavenToken{'.', "0", true}
	}
	return mavenToken{t.mark, "", false}
}

func parseMaven(v string) ([]mavenToken, error) {
	if v == "" || !digit(v[0]) {
		return nil, malformed(Maven, v)
	}
	s := strings.ToLower(v)
	var out []mavenToken
	mark := byte('.')
	for i := 0; ; {
		j := i
		for j < len(s) && s[j] != '.' && s[j] != '-' && s[j] != '_' && (j == i || digit(s[j]) == digit(s[i])) {
			if c := s[j]; c <= ' ' || c >= 0x7f {
				return nil, malformed(Maven, v)
			}
			j++
		}
		t := mavenToken{mark, s[i:j], j > i && digit(s[i]) || i == j}
		if i == j {
			t.word = "0"
		} else if !t.number {
			t.word = mavenWord(t.word, j < len(s) && digit(s[j]))
		}
		out = append(out, t)
		if j >= len(s) {
			break
		}
		if s[j] == '.' || s[j] == '-' || s[j] == '_' {
			mark = s[j]
			if mark == '_' {
				mark = '-'
			}
			j++
		} else {
			mark = '-'
		}
		i = j
	}
	return trimMaven(out), nil
}

func mavenWord(w string, beforeNumber bool) string {
	if beforeNumber {
		switch w {
		case "a":
			return "alpha"
		case "b":
			return "beta"
		case "m":
			return "milestone"
		}
	}
	switch w {
	case "cr":
		return "rc"
	case "final", "ga", "release":
		return ""
	}
	return w
}

// trimMaven takes off what means nothing before the end and before each hyphen.
func trimMaven(t []mavenToken) []mavenToken {
	null := func(t mavenToken) bool {
		return t.number && strings.Trim(t.word, "0") == "" || !t.number && t.word == ""
	}
	for i := len(t); i > 0; i-- {
		if i < len(t) && t[i].mark != '-' {
			continue
		}
		j := i
		for j > 1 && null(t[j-1]) {
			j--
		}
		t = slices.Delete(t, j, i)
		i = j
	}
	return t
}

var mavenRanks = map[string]int{"alpha": -5, "beta": -4, "milestone": -3, "rc": -2, "snapshot": -1, "": 0, "sp": 1}

func mavenRank(w string) int {
	if r, ok := mavenRanks[w]; ok {
		return r
	}
	return 2
}

// compare orders two tokens. Between a zero, which may have been trimmed elsewhere, and a
// word that comes after the release, Maven's rules go round in a circle: no order.
func (t mavenToken) compare(o mavenToken) (int, bool) {
	switch {
	case t.number && o.number && t.mark != o.mark:
		return btoi(t.mark == '.') - btoi(o.mark == '.'), true
	case t.number && o.number:
		return compareNumber(t.word, o.word), true
	case t.number != o.number:
		n, w := t, o
		if o.number {
			n, w = o, t
		}
		circular := strings.Trim(n.word, "0") == "" && mavenRank(w.word) > 0
		return btoi(t.number) - btoi(o.number), !circular
	}
	if c := sign(mavenRank(t.word) - mavenRank(o.word)); c != 0 {
		return c, true
	}
	return strings.Compare(t.word, o.word), true
}

// compareGem follows RubyGems: runs of digits and of letters, words before numbers,
// missing ones are zero; a hyphen begins a pre-release.
func compareGem(a, b string) (int, error) {
	x, err := gemParts(a)
	if err != nil {
		return 0, err
	}
	y, err := gemParts(b)
	if err != nil {
		return 0, err
	}
	for i := range max(len(x), len(y)) {
		p, q := "0", "0"
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		c := 0
		switch dp, dq := digit(p[0]), digit(q[0]); {
		case dp && dq:
			c = compareNumber(p, q)
		case dp != dq:
			c = btoi(dp) - btoi(dq)
		default:
			c = strings.Compare(p, q)
		}
		if c != 0 {
			return c, nil
		}
	}
	return 0, nil
}

func gemParts(v string) ([]string, error) {
	if v == "" || !digit(v[0]) {
		return nil, malformed(Gem, v)
	}
	var out []string
	for s := strings.ReplaceAll(v, "-", ".pre."); s != ""; {
		var w string
		switch {
		case s[0] == '.':
			s = s[1:]
			continue
		case digit(s[0]):
			w, s = number(s)
		case letter(s[0]):
			w, s = run(s)
		default:
			return nil, malformed(Gem, v)
		}
		out = append(out, w)
	}
	return out, nil
}
