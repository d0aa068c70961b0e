package judge

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/vesalius-project/vesalius/internal/search"
)

// missing turns an unknown into plain words: what was not stated, or where it could hide.
func missing(u *types.Unknown) []string {
	var out []string
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			w := t.Variable()
			if !strings.Contains(w, ": ") {
				w += " is not stated"
			}
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	slices.Sort(out)
	return out
}

// joined lists at most four words.
func joined(words []string) string {
	if len(words) > 4 {
		return strings.Join(words[:4], "; ") + fmt.Sprintf("; and %d more", len(words)-4)
	}
	return strings.Join(words, "; ")
}

// seen says what the rule read in a fact: telnetd: protocol telnet, start boot.
func seen(fields []*field, v *value) string {
	name, told := label(v.fact)
	var out []string
	for _, f := range fields {
		if slices.Contains(told, f.name) {
			continue
		}
		switch got := f.get(v).(type) {
		case types.String:
			out = append(out, f.name+" "+string(got))
		case types.Int:
			out = append(out, f.name+" "+strconv.FormatInt(int64(got), 10))
		case types.Bool:
			if got {
				out = append(out, words(f.name))
			} else {
				out = append(out, "not "+words(f.name))
			}
		default:
			if l, ok := got.Value().([]string); ok && len(l) > 0 {
				out = append(out, words(f.name)+" "+strings.Join(l, " "))
			}
		}
	}
	if name != "" && len(out) > 0 {
		name += ": "
	}
	return short(name + strings.Join(out, ", "))
}

func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// short keeps evidence readable.
func short(s string) string {
	if r := []rune(s); len(r) > 300 {
		return string(r[:297]) + "..."
	}
	return s
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func confidence(c string) string {
	if c == "" {
		return "high"
	}
	return c
}

// text is the string in a value, or nothing.
func text(v ref.Val) string {
	if s, ok := v.(types.String); ok {
		return string(s)
	}
	return ""
}

var part = search.Lazy(`[0-9]+|[a-zA-Z]+`)

// versionLess reports whether version a is older than b: number by number; a letter comes
// after none (1.0.2 < 1.0.2k), a pre-release word before (2.0rc1 < 2.0).
func versionLess(a, b string) bool {
	pa, pb := part.FindAllString(a, -1), part.FindAllString(b, -1)
	for i := 0; i < len(pa) || i < len(pb); i++ {
		x, y := piece(pa, i), piece(pb, i)
		if x != y {
			return x.n < y.n || x.n == y.n && x.s < y.s
		}
	}
	return false
}

type versionPiece struct {
	n int
	s string
}

// piece ranks one part of a version: pre-release words, nothing, letters, numbers.
func piece(parts []string, i int) versionPiece {
	if i >= len(parts) {
		return versionPiece{0, ""}
	}
	p := strings.ToLower(parts[i])
	switch {
	case p == "rc" || p == "alpha" || p == "beta" || p == "pre" || p == "dev":
		return versionPiece{-1, p}
	case p[0] < '0' || p[0] > '9':
		return versionPiece{0, p}
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		return versionPiece{1 << 62, p}
	}
	return versionPiece{n + 1, ""}
}

// number reads a plain number; what is none is unknown.
func number(s string) ref.Val {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return unstated(fmt.Sprintf("%q: it is no number", short(s)))
	}
	return types.Int(n)
}
