package version

import (
	"fmt"
	"strings"
)

// class says where a qualifier stands against the bare release.
type class int

const (
	end      class = iota // nothing follows: the release itself
	before                // alpha, rc ...: before the release
	after                 // patches: after it
	lettered              // 1.0.2a: after it
	revised               // 7.0.8-11: after it
	either                // a1, b2: alpha and beta, or letters; only the project knows
	unknown               // any other word
)

// qualifier is one part behind the numbers of a release: a word with the numbers behind
// it, or numbers alone.
type qualifier struct {
	class   class
	word    string
	numbers string // digits and dots
}

// words are what stands behind numbers and has a meaning everywhere. Ranks order what
// comes before a release among themselves; those of rank 0 have no order among others.
var words = map[string]struct {
	class class
	word  string
	rank  int
}{
	"alpha": {before, "alpha", 1}, "beta": {before, "beta", 2}, "rc": {before, "rc", 3}, "cr": {before, "rc", 3},
	"pre": {before, "pre", 0}, "prerelease": {before, "pre", 0}, "preview": {before, "preview", 0}, "dev": {before, "dev", 0},
	"devel": {before, "dev", 0}, "snapshot": {before, "snapshot", 0}, "test": {before, "test", 0}, "milestone": {before, "m", 0},
	"m": {before, "m", 0},
	"p": {after, "p", 0}, "pl": {after, "p", 0}, "patch": {after, "p", 0}, "patchlevel": {after, "p", 0}, "sp": {after, "sp", 0},
	"u": {after, "u", 0}, "update": {after, "u", 0}, "r": {after, "r", 0}, "rev": {after, "r", 0}, "hf": {after, "hf", 0},
	"hotfix": {after, "hf", 0}, "post": {after, "post", 0}, "build": {after, "build", 0}, "esv": {unknown, "esv", 0},
	"final": {end, "", 0}, "ga": {end, "", 0}, "release": {end, "", 0}, "stable": {end, "", 0},
}

// reader takes a version apart, one qualifier at a time.
type reader struct {
	scheme Scheme
	rest   string
}

// start cuts the numbers of the release off.
func start(scheme Scheme, v string) (release string, r reader, err error) {
	s := strings.TrimSpace(v)
	if len(s) > 1 && (s[0] == 'v' || s[0] == 'V') {
		s = s[1:]
	}
	release, s = numbers(s)
	if release == "" || commit(v) {
		return "", r, malformed(cmpScheme(scheme), v)
	}
	for i := range len(s) {
		if c := s[i]; !digit(c) && !letter(c) && strings.IndexByte(".-_+~ ()", c) < 0 {
			return "", r, malformed(cmpScheme(scheme), v)
		}
	}
	return release, reader{scheme, s}, nil
}

// commit reports whether a text is the name of a commit, which may begin with digits and
// has no order: ten or more hexadecimal digits with letters among them.
func commit(v string) bool {
	if len(v) < 10 {
		return false
	}
	among := false
	for i := range len(v) {
		c := v[i] | 0x20
		switch {
		case digit(v[i]):
			among = among || i > 0 && !digit(v[i-1])
		case c < 'a' || c > 'f':
			return false
		}
	}
	return among
}

func cmpScheme(s Scheme) Scheme {
	if s == "" {
		return Generic
	}
	return s
}

// numbers cuts digits with single dots between them off the beginning.
func numbers(s string) (run, rest string) {
	i := 0
	for i < len(s) && (digit(s[i]) || s[i] == '.' && i > 0 && i+1 < len(s) && digit(s[i+1])) {
		i++
	}
	return s[:i], s[i:]
}

// next gives the next qualifier; its class is end where there is none.
func (r *reader) next() qualifier {
	for {
		separated := false
		i := 0
		for i < len(r.rest) && !digit(r.rest[i]) && !letter(r.rest[i]) {
			separated = true
			i++
		}
		mark := r.rest[:i]
		r.rest = r.rest[i:]
		if r.rest == "" {
			return qualifier{}
		}
		if strings.ContainsAny(mark, "+~(") { // what a builder added, or what only a package manager orders
			q := qualifier{class: unknown, word: mark + strings.ToLower(r.rest)}
			if w, ok := r.known(); ok && w.class == before && !strings.ContainsAny(mark, "+(") {
				return w
			}
			r.rest = ""
			return q
		}
		if digit(r.rest[0]) {
			n, rest := numbers(r.rest)
			r.rest = rest
			return qualifier{class: revised, numbers: n}
		}
		if q, ok := r.known(); ok {
			if q.class == end {
				continue
			}
			return q
		}
		n := 0
		for n < len(r.rest) && letter(r.rest[n]) {
			n++
		}
		word := strings.ToLower(r.rest[:n])
		r.rest = r.rest[n:]
		if r.scheme == OpenSSL && word == "fips" {
			continue
		}
		if !separated && n <= 2 && (r.rest == "" || !digit(r.rest[0])) {
			return qualifier{class: lettered, word: word}
		}
		return qualifier{class: unknown, word: word, numbers: r.after()}
	}
}

// known reads a word that has a meaning, with its numbers; it reads nothing where the
// next word has none.
func (r *reader) known() (qualifier, bool) {
	n := 0
	for n < len(r.rest) && letter(r.rest[n]) {
		n++
	}
	word := strings.ToLower(r.rest[:n])
	follow := reader{r.scheme, r.rest[n:]}
	digits := follow.after()
	if (word == "a" || word == "b") && digits != "" {
		q := qualifier{class: either, word: word, numbers: digits}
		if r.scheme == Letters {
			q.class, q.word = before, map[string]string{"a": "alpha", "b": "beta"}[word]
		}
		r.rest = follow.rest
		return q, true
	}
	w, ok := words[word]
	if !ok || n == 1 && digits == "" || w.class == end && digits != "" {
		return qualifier{}, false
	}
	r.rest = follow.rest
	return qualifier{class: w.class, word: w.word, numbers: digits}, true
}

// after cuts the numbers that belong to a word: beside it or behind one separator.
func (r *reader) after() string {
	s := r.rest
	if s != "" && strings.IndexByte(".-_ ", s[0]) >= 0 {
		s = s[1:]
	}
	n, rest := numbers(s)
	if n != "" {
		r.rest = rest
	}
	return n
}

func compareGeneric(scheme Scheme, a, b string) (int, error) {
	if a == b {
		_, _, err := start(scheme, a)
		return 0, err
	}
	x, ra, err := start(scheme, a)
	if err != nil {
		return 0, err
	}
	y, rb, err := start(scheme, b)
	if err != nil {
		return 0, err
	}
	if c := compareNumbers(x, y); c != 0 {
		return c, nil
	}
	for {
		p, q := ra.next(), rb.next()
		if p.class == end && q.class == end {
			return 0, nil
		}
		c, ok := p.compare(q)
		if !ok {
			return 0, fmt.Errorf("%q and %q: %w", a, b, ErrNoOrder)
		}
		if c != 0 {
			return c, nil
		}
	}
}

// compare orders two qualifiers behind the same beginning.
func (q qualifier) compare(o qualifier) (int, bool) {
	if q.class == o.class {
		switch q.class {
		case lettered: // z < za
			if len(q.word) != len(o.word) {
				return sign(len(q.word) - len(o.word)), true
			}
			return strings.Compare(q.word, o.word), true
		case either: // whatever they mean, a comes before b
			if q.word != o.word {
				return strings.Compare(q.word, o.word), true
			}
		default:
			if q.word != o.word {
				x, y := words[q.word].rank, words[o.word].rank
				return sign(x - y), q.class == before && x > 0 && y > 0
			}
		}
		return compareNumbers(q.numbers, o.numbers), true
	}
	later := func(c class) bool { return c == after || c == lettered || c == revised }
	switch {
	case q.class == before && (o.class == end || later(o.class)), q.class == end && later(o.class):
		return -1, true
	case o.class == before && (q.class == end || later(q.class)), o.class == end && later(q.class):
		return 1, true
	}
	return 0, false
}

// compareOpenSSH puts the portable releases and the others into one order: 9.2p1 is 9.2.
func compareOpenSSH(a, b string) (int, error) {
	x, xp, err := portable(a)
	if err != nil {
		return 0, err
	}
	y, yp, err := portable(b)
	if err != nil {
		return 0, err
	}
	if c := compareNumbers(x, y); c != 0 {
		return c, nil
	}
	return compareNumber(xp, yp), nil
}

// portable splits 9.2p1 into 9.2 and 1, which stands for it where there is none.
func portable(v string) (release, p string, err error) {
	release, r, err := start(OpenSSH, v)
	if err != nil {
		return "", "", err
	}
	q := r.next()
	p = "1"
	if q.class == after && q.word == "p" {
		p = q.numbers
		q = r.next()
	}
	if q.class != end || strings.Contains(p, ".") {
		return "", "", malformed(OpenSSH, v)
	}
	return release, p, nil
}

// compareKernel orders by the numbers and by -rc and its older names.
func compareKernel(a, b string) (int, error) {
	x, xc, err := candidate(a)
	if err != nil {
		return 0, err
	}
	y, yc, err := candidate(b)
	if err != nil {
		return 0, err
	}
	if c := compareNumbers(x, y); c != 0 {
		return c, nil
	}
	if xc.class != before || yc.class != before {
		return btoi(yc.class == before) - btoi(xc.class == before), nil
	}
	if xc.word != yc.word {
		return 0, fmt.Errorf("%q and %q: %w", a, b, ErrNoOrder)
	}
	return compareNumbers(xc.numbers, yc.numbers), nil
}

// candidate splits 6.1-rc3-imx into 6.1 and rc3.
func candidate(v string) (release string, q qualifier, err error) {
	release, r, err := start(Kernel, v)
	if err != nil {
		return "", q, err
	}
	q, ok := r.known()
	if !ok && r.rest != "" && strings.IndexByte("-._", r.rest[0]) >= 0 {
		r.rest = r.rest[1:]
		q, _ = r.known()
	}
	switch q.word {
	case "rc", "pre", "test":
		return release, q, nil
	}
	return release, qualifier{}, nil
}
