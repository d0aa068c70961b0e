package unit

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed makers.txt
var makersText string

// makers knows who is the same maker under which names.
type makers struct {
	names map[string][]alias  // by what key makes of a name
	heads map[string][]string // first word of a maker's name -> keys, to find a maker in front of a model
}

// alias is one name of a maker.
type alias struct {
	maker  string
	bought bool // the name is of a company that became part of it
}

// maker is who made a unit.
type maker struct {
	names []string // as the documents' makers are named; none: not known
	sure  string
	why   []string
}

// readMakers reads makers.txt: "maker: other spellings + who was bought".
func readMakers(text string) (*makers, error) {
	m := &makers{names: map[string][]alias{}, heads: map[string][]string{}}
	add := func(list string, maker string, bought bool) {
		for n := range strings.SplitSeq(list, ", ") {
			if k := key(n); k != "" && !slices.Contains(m.names[k], alias{maker, bought}) {
				m.names[k] = append(m.names[k], alias{maker, bought})
				first, _, _ := strings.Cut(k, " ")
				if !slices.Contains(m.heads[first], k) {
					m.heads[first] = append(m.heads[first], k)
				}
			}
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, ":")
		same, bought, _ := strings.Cut(rest, "+")
		maker := strings.TrimSpace(name)
		if key(maker) == "" {
			return nil, fmt.Errorf("makers: %q names none", line)
		}
		add(maker, maker, false)
		add(strings.TrimSpace(same), maker, false)
		add(strings.TrimSpace(bought), maker, true)
	}
	return m, nil
}

// forms are words that say nothing of who a company is.
var forms = strings.Fields(`inc incorporated gmbh ag kg kgaa co cokg company corp corporation ltd limited llc lp plc sa sas spa srl bv nv oy oyj ab as aps pty pte kk se the group
	deutschland usa us international global holding holdings europe uk north america germany`)

// key makes of a company's name what two spellings of it have in common.
func key(name string) string {
	words := tokens(fold(name))
	keep := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(forms, w) || w == "and" })
	if len(keep) == 0 {
		keep = words
	}
	return strings.Join(keep, " ")
}

// document returns the makers whom the vendor of a document stands for: several where it
// names several.
func (m *makers) document(vendor string) []string {
	if list := m.names[key(vendor)]; list != nil {
		return makersOf(list)
	}
	var out []string
	for part := range strings.SplitSeq(strings.NewReplacer(" and ", ",", " & ", ",", ";", ",", "/", ",").Replace(vendor), ",") {
		if list := m.names[key(part)]; list != nil {
			out = append(out, makersOf(list)...)
		} else if k := key(part); k != "" && !slices.Contains(forms, k) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func makersOf(list []alias) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.maker)
	}
	return out
}

// inventory says who is meant by the vendor of an inventory; where the column is empty,
// the model may begin with the maker's name.
func (m *makers) inventory(vendor, model string) maker {
	k := key(vendor)
	if k == "" {
		words := tokens(fold(model))
		for n := min(len(words), 4); n > 0; n-- {
			if list := m.names[key(strings.Join(words[:n], " "))]; list != nil {
				return maker{makersOf(list), High, []string{fmt.Sprintf("the model begins with the maker's name, %s", list[0].maker)}}
			}
		}
		return maker{}
	}
	if list := m.names[k]; list != nil {
		return named(vendor, list)
	}
	// "Philips GmbH Market DACH", "Baxter (Hillrom)": a maker's name among others.
	words := strings.Fields(k)
	for n := len(words) - 1; n > 0; n-- {
		for at := 0; at+n <= len(words); at++ {
			if list := m.names[strings.Join(words[at:at+n], " ")]; list != nil && len(strings.Join(words[at:at+n], "")) > 1 {
				w := named(vendor, list)
				w.why = append(w.why, "taken from a longer name")
				return w
			}
		}
	}
	if near := m.near(k); near != "" {
		list := m.names[near]
		return maker{makersOf(list), Medium, []string{fmt.Sprintf("maker %q is taken for %s, which it is a slip of", vendor, list[0].maker)}}
	}
	return maker{names: []string{k}, sure: High, why: []string{fmt.Sprintf("maker %q", vendor)}}
}

func named(vendor string, list []alias) maker {
	w := maker{names: makersOf(list), sure: High}
	for _, a := range list {
		switch {
		case a.bought:
			w.why = append(w.why, fmt.Sprintf("maker %q became part of %s", vendor, a.maker))
		case fold(vendor) == fold(a.maker):
			w.why = append(w.why, fmt.Sprintf("maker %s", a.maker))
		default:
			w.why = append(w.why, fmt.Sprintf("maker %q is %s", vendor, a.maker))
		}
	}
	return w
}

// near returns the one known name that a name is a slip of: a letter more, less, another
// or two exchanged; two slips in a long one.
func (m *makers) near(k string) string {
	best, least, twice := "", 99, false
	for n := range m.names {
		most := 0
		switch l := min(len(k), len(n)); {
		case l >= 9:
			most = 2
		case l >= 5:
			most = 1
		}
		if d := slips(k, n, most); d <= most && most > 0 {
			if d == least && makersOf(m.names[n])[0] != makersOf(m.names[best])[0] {
				twice = true
			}
			if d < least || d == least && n < best {
				best, twice, least = n, twice && d == least, d
			}
		}
	}
	if twice {
		return ""
	}
	return best
}

// slips counts how many letters differ, exchanged neighbours counting once; above most it
// stops counting.
func slips(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		now, up, upper := rows[2], rows[1], rows[0]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			d := 1
			if a[i-1] == b[j-1] {
				d = 0
			}
			now[j] = min(up[j]+1, now[j-1]+1, up[j-1]+d)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], upper[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = up, now, upper
	}
	return rows[1][len(b)]
}
