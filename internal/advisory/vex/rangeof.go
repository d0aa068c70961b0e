package vex

import (
	"regexp"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory/version"
)

// bound is one bound of a range of versions: "<= 1.9", or a version alone.
var bound = regexp.MustCompile(`^(<=|>=|!=|<|>|=)?\s*([^\s,|<>=!]+)[\s,|]*`)

// within reports whether a version lies in a range as documents write it: bounds
// (">=1.0,<2.0", "<= 1.9"), or vers: and a list of them. ok is false where the range or
// the order of its versions is not understood.
func within(text, v string, scheme version.Scheme) (in, ok bool) {
	if rest, is := strings.CutPrefix(text, "vers:"); is {
		if _, text, is = strings.Cut(rest, "/"); !is {
			return false, false
		}
		if text == "*" {
			return true, true
		}
	}
	rest := strings.TrimSpace(text)
	if rest == "" {
		return false, false
	}
	// A lower bound opens an interval and an upper one closes it, which is then done with.
	above, open := true, false
	for rest != "" {
		m := bound.FindStringSubmatch(rest)
		if m == nil {
			return false, false
		}
		rest = rest[len(m[0]):]
		n, err := version.Compare(scheme, v, unescape(m[2]))
		if err != nil {
			return false, false
		}
		switch m[1] {
		case "", "=":
			in = in || n == 0
		case "!=":
			if n == 0 {
				return false, true
			}
		case ">", ">=":
			above, open = n > 0 || n == 0 && m[1] == ">=", true
		case "<", "<=":
			in = in || above && (n < 0 || n == 0 && m[1] == "<=")
			above, open = false, false
		}
	}
	return in || open && above, true
}
