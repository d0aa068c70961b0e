package version

import (
	"strings"
)

// compareDeb follows deb-version(7): epoch, upstream version, revision.
func compareDeb(a, b string) (int, error) {
	ae, au, ar, err := debParts(a)
	if err != nil {
		return 0, err
	}
	be, bu, br, err := debParts(b)
	if err != nil {
		return 0, err
	}
	if c := compareNumber(ae, be); c != 0 {
		return c, nil
	}
	if c := debOrder(au, bu); c != 0 {
		return c, nil
	}
	return debOrder(ar, br), nil
}

func debParts(v string) (epoch, upstream, revision string, err error) {
	upstream = v
	if i := strings.IndexByte(v, ':'); i >= 0 {
		epoch, upstream = v[:i], v[i+1:]
		if d, rest := number(epoch); d == "" || rest != "" {
			return "", "", "", malformed(Deb, v)
		}
	}
	if i := strings.LastIndexByte(upstream, '-'); i >= 0 {
		upstream, revision = upstream[:i], upstream[i+1:]
		if revision == "" {
			return "", "", "", malformed(Deb, v)
		}
	}
	if upstream == "" || !digit(upstream[0]) && !letter(upstream[0]) {
		return "", "", "", malformed(Deb, v)
	}
	for i := range len(upstream) {
		if c := upstream[i]; !digit(c) && !letter(c) && strings.IndexByte(".+-~:", c) < 0 {
			return "", "", "", malformed(Deb, v)
		}
	}
	for i := range len(revision) {
		if c := revision[i]; !digit(c) && !letter(c) && strings.IndexByte(".+~", c) < 0 {
			return "", "", "", malformed(Deb, v)
		}
	}
	return epoch, upstream, revision, nil
}

// debOrder compares runs of other bytes and runs of digits in turn.
func debOrder(a, b string) int {
	for a != "" || b != "" {
		for a != "" && !digit(a[0]) || b != "" && !digit(b[0]) {
			if c := debWeight(a) - debWeight(b); c != 0 {
				return sign(c)
			}
			a, b = a[1:], b[1:]
		}
		var x, y string
		x, a = number(a)
		y, b = number(b)
		if c := compareNumber(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// debWeight orders ~ before the end and before digits, those before letters, and letters
// before the rest.
func debWeight(s string) int {
	switch {
	case s == "" || digit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case letter(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}

// compareRPM compares epoch, version and release; a missing release comes first.
func compareRPM(a, b string) (int, error) {
	ae, av, ar, err := rpmParts(a)
	if err != nil {
		return 0, err
	}
	be, bv, br, err := rpmParts(b)
	if err != nil {
		return 0, err
	}
	if c := compareNumber(ae, be); c != 0 {
		return c, nil
	}
	if c := rpmOrder(av, bv); c != 0 {
		return c, nil
	}
	return rpmOrder(ar, br), nil
}

func rpmParts(v string) (epoch, ver, release string, err error) {
	ver = v
	if i := strings.IndexByte(v, ':'); i >= 0 {
		epoch, ver = v[:i], v[i+1:]
		if d, rest := number(epoch); d == "" || rest != "" {
			return "", "", "", malformed(RPM, v)
		}
	}
	if i := strings.LastIndexByte(ver, '-'); i >= 0 {
		ver, release = ver[:i], ver[i+1:]
	}
	if ver == "" || strings.IndexFunc(ver, func(r rune) bool { return r < 0x80 && (digit(byte(r)) || letter(byte(r))) }) < 0 {
		return "", "", "", malformed(RPM, v)
	}
	for i := range len(v) {
		if v[i] <= ' ' || v[i] >= 0x7f {
			return "", "", "", malformed(RPM, v)
		}
	}
	return epoch, ver, release, nil
}

// rpmOrder compares segments of digits and of letters; ~ comes before the end, ^ just
// after it.
func rpmOrder(a, b string) int {
	skip := func(s string) string {
		for s != "" && !digit(s[0]) && !letter(s[0]) && s[0] != '~' && s[0] != '^' {
			s = s[1:]
		}
		return s
	}
	has := func(s string, c byte) bool { return s != "" && s[0] == c }
	for {
		a, b = skip(a), skip(b)
		switch {
		case has(a, '~') || has(b, '~'):
			if has(a, '~') != has(b, '~') {
				return btoi(has(b, '~')) - btoi(has(a, '~'))
			}
			a, b = a[1:], b[1:]
			continue
		case has(a, '^') || has(b, '^'):
			switch {
			case a == "":
				return -1
			case b == "":
				return 1
			case has(a, '^') != has(b, '^'):
				return btoi(has(b, '^')) - btoi(has(a, '^'))
			}
			// has(a) and not has(b), b going on: b is the later one
			a, b = a[1:], b[1:]
			continue
		}
		if a == "" || b == "" {
			return sign(len(a) - len(b))
		}
		if digit(a[0]) != digit(b[0]) {
			return btoi(digit(a[0])) - btoi(digit(b[0])) // numbers come after letters
		}
		var x, y string
		var c int
		if digit(a[0]) {
			x, a = number(a)
			y, b = number(b)
			c = compareNumber(x, y)
		} else {
			x, a = run(a)
			y, b = run(b)
			c = strings.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
}

// run cuts the letters at the beginning.
func run(s string) (letters, rest string) {
	i := 0
	for i < len(s) && letter(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// apkVersion is digits.digits...letter_suffixN...-rN.
type apkVersion struct {
	numbers  string
	letter   string
	suffixes []apkSuffix
	revision string
}

type apkSuffix struct {
	rank   int
	digits string
}

var apkSuffixes = map[string]int{"alpha": -4, "beta": -3, "pre": -2, "rc": -1, "cvs": 1, "svn": 2, "git": 3, "hg": 4, "p": 5}

func parseAPK(v string) (apkVersion, error) {
	var out apkVersion
	var s string
	out.numbers, s = numbers(v)
	if out.numbers == "" {
		return out, malformed(APK, v)
	}
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		out.letter, s = s[:1], s[1:]
	}
	for strings.HasPrefix(s, "_") {
		var w, d string
		w, s = run(s[1:])
		rank, ok := apkSuffixes[w]
		if !ok {
			return out, malformed(APK, v)
		}
		d, s = number(s)
		out.suffixes = append(out.suffixes, apkSuffix{rank, d})
	}
	if strings.HasPrefix(s, "~") { // a commit, which has no order
		i := 1
		for i < len(s) && (digit(s[i]) || s[i] >= 'a' && s[i] <= 'f') {
			i++
		}
		s = s[i:]
	}
	if rest, ok := strings.CutPrefix(s, "-r"); ok {
		out.revision, s = number(rest)
		if out.revision == "" {
			return out, malformed(APK, v)
		}
	}
	if s != "" {
		return out, malformed(APK, v)
	}
	return out, nil
}

// compareAPK follows apk-tools: parts after the first that begin with a zero compare as
// decimals do, and where one version has more to say it is the later one, unless what it
// says is a pre-release.
func compareAPK(a, b string) (int, error) {
	x, err := parseAPK(a)
	if err != nil {
		return 0, err
	}
	y, err := parseAPK(b)
	if err != nil {
		return 0, err
	}
	if c := apkNumbers(x.numbers, y.numbers); c != 0 {
		return c, nil
	}
	if c := strings.Compare(x.letter, y.letter); c != 0 {
		return c, nil
	}
	for i := range max(len(x.suffixes), len(y.suffixes)) {
		var p, q apkSuffix
		if i < len(x.suffixes) {
			p = x.suffixes[i]
		}
		if i < len(y.suffixes) {
			q = y.suffixes[i]
		}
		if c := sign(p.rank - q.rank); c != 0 {
			return c, nil
		}
		if c := compareNumber(p.digits, q.digits); c != 0 {
			return c, nil
		}
	}
	return compareNumber(x.revision, y.revision), nil
}

func apkNumbers(a, b string) int {
	for first := true; ; first = false {
		var x, y string
		var more, less bool
		x, a, more = strings.Cut(a, ".")
		y, b, less = strings.Cut(b, ".")
		c := compareNumber(x, y)
		if !first && (strings.HasPrefix(x, "0") || strings.HasPrefix(y, "0")) {
			c = strings.Compare(x, y)
		}
		switch {
		case c != 0:
			return c
		case !more || !less:
			return btoi(more) - btoi(less)
		}
	}
}
