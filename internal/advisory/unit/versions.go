package unit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/version"
)

// What a version is to a list of ranges.
const (
	inside = iota
	outOf
	unclear
)

// within holds the version of a unit against ranges; none are all versions. ask is the
// question that stays open where the answer is unclear.
func within(u Unit, p wording, ranges []advisory.Range) (verdict int, why, ask string) {
	v := bare(u.Version)
	if p.version != "" {
		// The product's name has a version in it: Xeleris 3.1, IntelliSpace Portal 8.0.x.
		if v == "" {
			v = bare(nameVersion(u.Model))
		}
		if v == "" {
			return unclear, fmt.Sprintf("the document means version %s, and the inventory names none", p.version), "which version it runs"
		}
		if prefix := strings.TrimRight(p.version, ".x"); v != prefix && !strings.HasPrefix(v, prefix+".") {
			return outOf, fmt.Sprintf("the document means version %s, this is %s", p.version, u.Version), ""
		}
		if len(ranges) == 0 {
			return inside, fmt.Sprintf("version %s is %s", v, p.version), ""
		}
	}
	if len(ranges) == 0 {
		return inside, "every version is affected", ""
	}
	r, same, other := modelAsVersion(u, ranges)
	if same {
		return inside, fmt.Sprintf("the document names the model %q where others name versions", r), ""
	}
	if other && v == "" {
		return outOf, fmt.Sprintf("the document names other models: %s", strings.Join(sayRanges(ranges), "; ")), ""
	}
	if v == "" {
		return unclear, "the inventory names no version, and the document names some: " + strings.Join(sayRanges(ranges), "; "), "which version it runs"
	}
	open := false
	for _, r := range ranges {
		in, ok := holds(r, v)
		switch {
		case !ok:
			open = true
		case in:
			return inside, fmt.Sprintf("version %s is in: %s", u.Version, sayRange(r)), ""
		}
	}
	said := strings.Join(sayRanges(ranges), "; ")
	if open {
		return unclear, fmt.Sprintf("version %s cannot be put into order with: %s", u.Version, said), fmt.Sprintf("whether version %s is among: %s", u.Version, said)
	}
	return outOf, fmt.Sprintf("version %s is outside: %s", u.Version, said), ""
}

func nameVersion(model string) string {
	if m := dotted.FindStringSubmatch(model); m != nil {
		return m[1]
	}
	return ""
}

// modelAsVersion finds the unit's model number among what the document writes where
// versions stand: MMT-1780 of the MiniMed 670G, 24950 of the MyCareLink Monitor. other
// says that there are only such, as long as the unit's own, and it is none of them.
func modelAsVersion(u Unit, ranges []advisory.Range) (text string, same, other bool) {
	own := (&makers{}).take(fold(u.Model), nil).numbers
	other = true
	for _, r := range ranges {
		text := r.Raw
		if text == "" && r.From == r.To {
			text = r.From
		}
		if text == "" || strings.ContainsAny(text, "<>") {
			return "", false, false
		}
		comparable := false
		for _, n := range (&makers{}).take(fold(text), nil).numbers {
			if len(n.digits) < 3 || n.to > 0 || strings.Contains(text, ".") && len(n.digits) < 5 {
				continue
			}
			for _, o := range own {
				if o.is(n) {
					return text, true, false
				}
				comparable = comparable || o.letters == n.letters && len(o.digits) == len(n.digits)
			}
		}
		other = other && comparable
	}
	return "", false, other
}

var before = regexp.MustCompile(`^(?i:firmware|software|version|versions|release|rev(?:ision)?|ver|rel|fw|sw|v|r)[.:]?\s*([0-9a-z].*)$`)

// bare takes the words away that people write in front of a version.
func bare(s string) string {
	s = strings.ToLower(strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " "))
	for range 3 {
		m := before.FindStringSubmatch(s)
		if m == nil || !hasDigit(m[1]) && len(m[1]) > 1 {
			break
		}
		s = strings.TrimSpace(m[1])
	}
	return strings.TrimSpace(strings.Trim(s, "()[]\"' "))
}

// holds says whether a range holds a version; not ok where their order is not known.
func holds(r advisory.Range, v string) (in, ok bool) {
	if r.Raw != "" {
		same := bare(r.Raw) == v
		return same, same
	}
	if r.From != "" {
		n, known := order(v, bare(r.From))
		if !known {
			return false, false
		}
		if n < 0 || n == 0 && r.After {
			return false, true
		}
	}
	if r.To != "" {
		to := bare(r.To)
		n, known := order(v, to)
		if !known {
			return false, false
		}
		if n > 0 && len(to) == 1 && !hasDigit(to) && strings.HasPrefix(v, to) {
			n = 0 // N.01 is of revision N
		}
		if n > 0 || n == 0 && !r.Last {
			return false, true
		}
	}
	return true, true
}

var pieces = regexp.MustCompile(`[0-9]+|[a-z]+`)

// order compares two versions as makers of devices write them: numbers by value, a single
// letter by its place in the alphabet. Where a letter stands against a number, or words
// differ, there is no order.
func order(a, b string) (int, bool) {
	if a == b {
		return 0, true
	}
	first := func(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
	if first(a) && first(b) {
		if n, err := version.Compare(version.Generic, a, b); err == nil {
			return n, true
		}
	}
	x, y := pieces.FindAllString(a, 64), pieces.FindAllString(b, 64)
	for i := range max(len(x), len(y)) {
		switch {
		case i >= len(x):
			return -1, first(y[i])
		case i >= len(y):
			return 1, first(x[i])
		case first(x[i]) != first(y[i]):
			return 0, false
		case first(x[i]):
			p, q := strings.TrimLeft(x[i], "0"), strings.TrimLeft(y[i], "0")
			if len(p) != len(q) {
				return len(p) - len(q), true
			}
			if n := strings.Compare(p, q); n != 0 {
				return n, true
			}
		case x[i] != y[i]:
			if len(x[i]) > 1 || len(y[i]) > 1 {
				return 0, false
			}
			return strings.Compare(x[i], y[i]), true
		}
	}
	return 0, true
}

func sayRanges(ranges []advisory.Range) []string {
	if len(ranges) == 0 {
		return []string{"every version"}
	}
	var out []string
	for _, r := range ranges {
		if s := sayRange(r); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func sayRange(r advisory.Range) string {
	if r.Raw != "" {
		return r.Raw
	}
	if r.From == r.To && r.From != "" {
		return r.From
	}
	var parts []string
	if r.From != "" {
		parts = append(parts, map[bool]string{false: "from ", true: "after "}[r.After]+r.From)
	}
	if r.To != "" {
		parts = append(parts, map[bool]string{false: "before ", true: "up to "}[r.Last]+r.To)
	}
	if len(parts) == 0 {
		return "every version"
	}
	return strings.Join(parts, ", ")
}
