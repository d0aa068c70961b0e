package judge

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// world is all facts of one judgement as CEL sees them, with their ties, and what was not
// seen of them.
type world struct {
	view   *view
	values map[fact.Kind][]*value
	sight  *sight

	mu    sync.Mutex
	cache map[string]func() ref.Val // lists and settings by name and root, each made once
}

func newWorld(w *view, set *fact.Set, s *sight) *world {
	out := &world{view: w, values: map[fact.Kind][]*value{}, sight: s, cache: map[string]func() ref.Val{}}
	for _, k := range fact.Kinds() {
		facts := set.Of(k)
		all := make([]value, len(facts))
		list := make([]*value, len(facts))
		for i, f := range facts {
			all[i] = value{kind: w.of[k], fact: f, data: reflect.ValueOf(f).Elem()}
			list[i] = &all[i]
		}
		out.values[k] = list
	}
	out.tie()
	return out
}

func (w *world) of(k fact.Kind) []*value { return w.values[k] }

// everywhere is the root of rules that are asked once, of all facts.
const everywhere = "*"

// unseen gives the unknown that stands for facts of a kind that may be in a root and were
// not seen, nil where all were.
func (w *world) unseen(k fact.Kind, root string) *types.Unknown {
	if why := w.sight.missing(k, root); why != "" {
		return unstated(string(k) + ": " + why)
	}
	return nil
}

// lists are the names of the lists of all facts of a kind.
func lists() map[string]fact.Kind {
	out := map[string]fact.Kind{}
	for _, k := range fact.Kinds() {
		out[plural(k)] = k
	}
	return out
}

func plural(k fact.Kind) string {
	if k == fact.KindData {
		return "all_data"
	}
	return string(k) + "s"
}

// list is the facts of a kind that a rule asked in a root may see: those of the root, and
// those that belong to none. Where some may be unseen, one unknown fact ends the list, so
// that "there is none" stays unknown.
func (w *world) list(k fact.Kind, root string) ref.Val {
	return w.once("list\x00"+string(k)+"\x00"+root, func() ref.Val {
		var out []ref.Val
		for _, v := range w.values[k] {
			if r := v.fact.Header().Root; root == everywhere || r == root || r == "" {
				out = append(out, v)
			}
		}
		if u := w.unseen(k, root); u != nil {
			out = append(out, &value{kind: w.view.of[k], unseen: u})
		}
		return types.NewRefValList(w.view, out)
	})
}

// config is the effective settings of a root, by subject and key.
func (w *world) config(root string) ref.Val {
	return w.once("config\x00"+root, func() ref.Val {
		bySubject := map[string][]*value{}
		for _, v := range w.values[fact.KindSetting] {
			s := v.fact.(*fact.Setting)
			if root == everywhere || s.Root == root {
				bySubject[s.Subject] = append(bySubject[s.Subject], v)
			}
		}
		out := &options{of: "the device", values: map[string]ref.Val{}, nested: true}
		for subject, list := range bySubject {
			out.values[subject] = effective(subject, list)
		}
		return out
	})
}

func (w *world) once(name string, make func() ref.Val) ref.Val {
	w.mu.Lock()
	f := w.cache[name]
	if f == nil {
		f = sync.OnceValue(make)
		w.cache[name] = f
	}
	w.mu.Unlock()
	return f()
}

// sight is what could be seen: the level of each kind in each root, and the gaps.
type sight struct {
	level map[string]fact.Coverage // root, kind
	roots []string                 // in the order of first mention
	gaps  []fact.Gap
}

func newSight(coverage []fact.Coverage, gaps []fact.Gap) *sight {
	s := &sight{level: map[string]fact.Coverage{}, gaps: gaps}
	better := map[string]int{"full": 3, "partial": 2, "none": 1}
	for _, c := range coverage {
		if !slices.Contains(s.roots, c.Root) {
			s.roots = append(s.roots, c.Root)
		}
		at := c.Root + "\x00" + string(c.Kind)
		if old, ok := s.level[at]; !ok || better[c.Level] > better[old.Level] {
			s.level[at] = c
		}
	}
	slices.Sort(s.roots)
	return s
}

// system reports whether a root is a system that runs: data partitions, loose blocks and
// the like only hold things.
func system(root string) bool {
	return root == "system" || root == "recovery" || strings.HasPrefix(root, "system#") ||
		strings.HasPrefix(root, "container:") || strings.HasPrefix(root, "chroot:")
}

// covered reports whether any witness looks at a kind anywhere.
func (s *sight) covered(k fact.Kind) bool {
	return slices.ContainsFunc(s.roots, func(root string) bool {
		_, ok := s.level[root+"\x00"+string(k)]
		return ok
	})
}

// missing says in words why facts of a kind may be unseen in a root; nothing where all
// were seen.
func (s *sight) missing(k fact.Kind, root string) string {
	if root != everywhere {
		return s.missingIn(k, root)
	}
	some := false
	for _, r := range s.roots {
		if system(r) {
			some = true
			if why := s.missingIn(k, r); why != "" {
				return why
			}
		}
	}
	if !some {
		return "no root file system was read"
	}
	return ""
}

func (s *sight) missingIn(k fact.Kind, root string) string {
	c, ok := s.level[root+"\x00"+string(k)]
	if !ok {
		return "no witness for kind " + string(k)
	}
	var hidden []string
	for _, g := range s.gaps {
		if g.Root == root && !g.Reservation && slices.Contains(g.Hides, k) {
			hidden = append(hidden, g.Place.String()+" ("+g.Why+")")
		}
	}
	slices.Sort(hidden)
	switch {
	case c.Level == "none" || c.Level == "partial" && c.Why != "":
		if c.Why == "" {
			return "kind " + string(k) + " could not be seen"
		}
		return c.Why
	case len(hidden) > 3:
		return "could hide in: " + strings.Join(hidden[:3], ", ") + " and " + count(len(hidden)-3, "other place")
	case len(hidden) > 0:
		return "could hide in: " + strings.Join(hidden, ", ")
	case c.Level != "full":
		return "kind " + string(k) + " was seen in part"
	}
	return ""
}
