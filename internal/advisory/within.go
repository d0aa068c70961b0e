package advisory

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory/version"
)

// where says where a version lies in view of a range.
type where int

const (
	below where = iota - 1
	inside
	above
	apart   // neither: another version than the one that is meant, or of another branch
	unknown // the range cannot be compared with
)

// schemeOf gives the order of the versions of a product: the package manager's where it
// is a package, else the project's own, else what the source says.
func schemeOf(p *Product, r *Range, project string) version.Scheme {
	if p.By == ByPackage {
		if s, ok := version.OfEcosystem(p.Ecosystem); ok {
			return s
		}
	}
	if s := version.OfProduct(project); s != version.Generic {
		return s
	}
	if s := version.OfProduct(p.Name); s != version.Generic && p.By == ByCPE {
		return s
	}
	if s, ok := version.Named(r.Scheme); ok {
		return s
	}
	if strings.EqualFold(r.Scheme, "git") {
		return "git"
	}
	return version.Generic
}

// order is version.Compare; where a source claims an order that its own versions do not
// keep, the careful default decides.
func order(s version.Scheme, a, b string) (int, error) {
	c, err := version.Compare(s, a, b)
	if err != nil && (s == version.Semver || s == version.Python || s == version.NPM) && !errors.Is(err, version.ErrNoOrder) {
		return version.Compare(version.Generic, a, b)
	}
	return c, err
}

// updated adds the update field of a CPE name to a version: 4.2.8 and p15 is 4.2.8-p15.
func updated(v, update string) string {
	if v == "" || update == "" || update == "-" {
		return v
	}
	if len(update) == 1 && update[0] >= 'a' && update[0] <= 'z' { // 0.9.7 and a is 0.9.7a
		return v + update
	}
	return v + "-" + strings.ReplaceAll(update, "_", "-")
}

// prefix gives the beginning that a wildcard like 5.10.* stands for, with its last dot.
func prefix(v string) (string, bool) {
	head, ok := strings.CutSuffix(v, "*")
	if !ok || head == "" || strings.ContainsAny(head, "*?") || head[len(head)-1] != '.' {
		return "", false
	}
	return head, true
}

// locate says where version v of a product lies in view of a range. The error says what
// could not be compared; the answer is unknown then.
func locate(p *Product, r *Range, project, v string) (where, error) {
	if r.Raw != "" {
		if head, ok := prefix(r.Raw); ok {
			return branch(v, head), nil
		}
		if r.Raw == "-" {
			return unknown, errors.New("the source names no version")
		}
		return unknown, fmt.Errorf("the source writes %q, which cannot be put into order", r.Raw)
	}
	s := schemeOf(p, r, project)
	from, to := r.From, r.To
	if from == to && r.Last && from != "" {
		return equal(s, updated(from, p.Update), v)
	}
	if from == "0" || from == "*" {
		from = ""
	}
	if to == "*" {
		to = ""
	}
	if from != "" {
		c, err := order(s, v, from)
		if err != nil {
			return unknown, err
		}
		if c < 0 || c == 0 && r.After {
			return below, nil
		}
	}
	if to != "" {
		if head, ok := prefix(to); ok {
			if branch(v, head) == inside {
				return inside, nil
			}
			to = strings.TrimSuffix(head, ".")
		}
		c, err := order(s, v, updated(to, p.Update))
		if err != nil {
			return unknown, err
		}
		if c > 0 || c == 0 && !r.Last {
			return above, nil
		}
	}
	return inside, nil
}

// branch says whether a version begins with the numbers of a branch.
func branch(v, head string) where {
	if strings.HasPrefix(v, head) || v == strings.TrimSuffix(head, ".") {
		return inside
	}
	return apart
}

// equal says whether v is the version that is meant. Two that have no order are two.
func equal(s version.Scheme, want, v string) (where, error) {
	if strings.EqualFold(want, v) {
		return inside, nil
	}
	c, err := order(s, v, want)
	switch {
	case errors.Is(err, version.ErrNoOrder):
		return apart, nil
	case err != nil:
		return unknown, err
	case c < 0:
		return below, nil
	case c > 0:
		return above, nil
	}
	return inside, nil
}

// words says a range as people do.
func (r *Range) words(update string) string {
	from, to := r.From, r.To
	if from == "0" || from == "*" {
		from = ""
	}
	if to == "*" {
		to = ""
	}
	from = clip(from)
	switch to := clip(updated(to, update)); {
	case r.Raw == "-":
		return "a version that is not named"
	case r.Raw != "":
		return fmt.Sprintf("%.100q", r.Raw)
	case r.From == r.To && r.Last && from != "":
		return to + " alone"
	case from == "" && to == "":
		return "every version"
	case from == "":
		return "every version up to and " + with(r.Last) + " " + to
	case to == "":
		return after(r.After) + from + " and all that follow"
	default:
		return after(r.After) + from + " up to and " + with(r.Last) + " " + to
	}
}

func with(last bool) string {
	if last {
		return "with"
	}
	return "without"
}

func after(not bool) string {
	if not {
		return "after "
	}
	return ""
}

// clip makes a word of an input fit for a sentence: a short one without controls.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100] + "..."
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}
