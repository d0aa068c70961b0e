package daemon

import "strings"

// in reports whether a version lies within the bounds, and whether that can be said.
func (h Holds) in(version string) (in, known bool) {
	if h.From == "" && h.Below == "" {
		return true, true
	}
	if version == "" {
		return false, false
	}
	return (h.From == "" || compare(version, h.From) >= 0) && (h.Below == "" || compare(version, h.Below) < 0), true
}

// compare orders upstream versions: runs of digits by their number, all else as text. A
// release candidate comes before its release.
func compare(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = run(a)
		y, b = run(b)
		if x == y {
			continue
		}
		if digit(x) && digit(y) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
		}
		if x == y {
			continue
		}
		if d := rank(x) - rank(y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	}
	return 0
}

// rank orders what may follow a number: nothing, a letter as in 1.0.2k and 9.2p1, a dot.
func rank(s string) int {
	switch word := strings.Trim(s, ".-~_"); {
	case word == "rc" || word == "alpha" || word == "beta" || word == "pre":
		return 0
	case s == "":
		return 1
	case s[0] == '.':
		return 3
	}
	return 2
}

func digit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// run cuts the first run of digits or of other characters off a version.
func run(s string) (first, rest string) {
	for i := 1; i < len(s); i++ {
		if digit(s[i:]) != digit(s) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}
