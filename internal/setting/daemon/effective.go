package daemon

import (
	"slices"
	"strings"
)

// Instance is one start of a daemon, or its mere presence.
type Instance struct {
	Program string   // path of the program; its base name may choose a default
	Applet  bool     // the program is BusyBox or the like
	Version string   // upstream version of the component; empty where unknown
	Distro  string   // ID of os-release: debian, openwrt, buildroot ...
	Args    []string // without the program's own name

	// Open returns the text of the file at an absolute path.
	Open func(path string) (text string, ok bool)
	// Glob returns the paths of the files that match a pattern, sorted.
	Glob func(pattern string) []string
}

// Setting is one value in force.
type Setting struct {
	Scope   string // sections, joined by /; empty holds for all
	Key     string
	Ordinal int // of several with the same key: 0, 1 ...
	Raw     string
	Value   string // yes and no for switches; else as Raw
	Origin  string // file, argument, default (of the distribution), compiled
	Path    string // of the file, for the origin file
	Line    int
	Secret  bool
	Open    bool // the value is a variable that the start sets: it is not known

	head bool
	word int // of a secret: the word that is one; 0 for all
}

// Result is what is in force for an instance.
type Result struct {
	Instance string // the main configuration file; empty where none is read
	Settings []Setting
	Services []Service
	Missing  []string // files that it names and that cannot be read: what they say is not known
}

// Limits on what one instance reads.
const (
	maxFiles    = 100
	maxSettings = 20000
)

// Effective computes what is in force. It never fails: what cannot be known is not in the
// result, and Missing says which files were not there.
func (d *Daemon) Effective(in Instance) Result {
	r := &reading{d: d, in: in, seen: map[string]bool{}, many: map[string]int{}, loaded: map[string]bool{}}
	main, args := d.arguments(in.Args)
	r.main(main)
	for _, a := range args {
		a.Origin = "argument"
		r.put(a)
	}
	r.spread()
	r.see(r.inForce())
	r.res.Services = r.services()
	r.settle()
	r.sums()
	return r.res
}

// reading is the state of one computation.
type reading struct {
	d    *Daemon
	in   Instance
	res  Result
	all  []Setting // as they were met
	seen map[string]bool
	many map[string]int // sections of all files, by their path

	loaded map[string]bool // modules that were asked for

	index map[[2]string]int // scope, key -> the first of res.Settings
}

// see lets conditions be asked of a list of settings.
func (r *reading) see(list []Setting) {
	r.res.Settings, r.index = list, map[[2]string]int{}
	for i, s := range list {
		at := [2]string{s.Scope, s.Key}
		if _, met := r.index[at]; !met {
			r.index[at] = i
		}
	}
}

// spread moves the keys that hold for all out of the sections they stand in.
func (r *reading) spread() {
	g := r.d.Global
	if g == nil {
		return
	}
	r.see(r.all)
	if (view{r: r}).all(g.Unless) != no {
		return
	}
	for i := range r.all {
		if slices.Contains(g.Keys, r.all[i].Key) {
			r.all[i].Scope = ""
		}
	}
}

// sums adds the settings that sum others up.
func (r *reading) sums() {
	keys := make([]string, 0, len(r.d.Sums))
	for k := range r.d.Sums {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if v, ok := (view{r: r}).choose(r.d.Sums[k]); ok && v != "unknown" && r.res.Instance != "" {
			r.res.Settings = append(r.res.Settings, Setting{Key: k, Value: v, Origin: "file", Path: r.res.Instance})
		}
	}
}

// settle puts a default that some section overrides into the sections of the other
// listeners, so that it does not stand beside what is in force.
func (r *reading) settle() {
	overridden := map[string]bool{}
	for _, s := range r.res.Settings {
		first, _, _ := strings.Cut(s.Scope, "/")
		if s.Scope != "" && !begins(r.d.When, first) {
			overridden[s.Key] = true
		}
	}
	var out []Setting
	for _, s := range r.res.Settings {
		if s.Scope != "" || said(s) || !overridden[s.Key] {
			out = append(out, s)
			continue
		}
		var done []string
		for _, l := range r.res.Services {
			if l.Scope == "" || slices.Contains(done, l.Scope) {
				continue
			}
			done = append(done, l.Scope)
			if own, ok := (view{r: r, scope: l.Scope}).find(s.Key); ok && !said(own) {
				own.Scope = l.Scope
				out = append(out, own)
			}
		}
	}
	r.res.Settings = out
}

// inForce chooses among what was met, and adds the defaults.
func (r *reading) inForce() []Setting {
	d := r.d
	type at struct{ scope, key string }
	byArgument := map[at]bool{}
	for _, s := range r.all {
		if s.Origin == "argument" {
			byArgument[at{s.Scope, s.Key}] = true
		}
	}
	var out []Setting
	index, count := map[at]int{}, map[at]int{}
	for _, s := range r.all {
		var loaded bool
		if s.Scope, loaded = r.module(s.Scope); !loaded {
			continue
		}
		k := at{s.Scope, s.Key}
		if byArgument[k] && s.Origin != "argument" {
			continue
		}
		if d.list(s.Key) {
			s.Ordinal = count[k]
			count[k]++
			out = append(out, s)
			continue
		}
		i, met := index[k]
		switch {
		case !met:
			index[k] = len(out)
			out = append(out, s)
		case d.Repeat != "first":
			out[i] = s
		}
		count[k]++
	}
	if len(r.res.Missing) > 0 {
		return out // what is not said here may be said in what was not read
	}
	r.see(out)
	keys := make([]string, 0, len(d.Defaults))
	for k := range d.Defaults {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if count[at{"", k}] > 0 {
			continue
		}
		if v, origin, holds := r.otherwise(k); holds == yes {
			out = append(out, Setting{Key: k, Value: d.normal(k, v), Origin: origin})
		}
	}
	return out
}

// module takes the condition on a module out of a scope, and reports whether it holds. It
// fails where modules are loaded, and this one, for TLS, is not: that makes a listener.
// Others may be built in.
func (r *reading) module(scope string) (string, bool) {
	if r.d.Modules == "" || !strings.Contains(scope, "IfModule") {
		return scope, true
	}
	var out []string
	for _, part := range strings.Split(scope, "/") {
		name, ok := strings.CutPrefix(part, "IfModule ")
		if !ok {
			out = append(out, part)
			continue
		}
		name, _, _ = strings.Cut(name, "#")
		bare := strings.NewReplacer("mod_", "", ".c", "", "_module", "").Replace(name)
		if !strings.Contains(bare, "tls") && !strings.Contains(bare, "ssl") {
			continue
		}
		if !r.loads(bare) {
			return "", false
		}
	}
	return strings.Join(out, "/"), true
}

// loads reports whether a module is loaded, or none is.
func (r *reading) loads(module string) bool {
	if yes, asked := r.loaded[module]; asked {
		return yes
	}
	any, found := false, false
	for _, s := range r.all {
		if s.Key == r.d.Modules {
			any = true
			found = found || strings.Contains(s.Value, "mod_"+module) || strings.Contains(s.Value, module+"_module")
		}
	}
	r.loaded[module] = found || !any
	return r.loaded[module]
}

// otherwise returns the value that holds for a key when nothing is said: no where no line
// of its default holds, unknown where that depends on a version that is not known.
func (r *reading) otherwise(key string) (value, origin string, holds truth) {
	for _, h := range r.d.Defaults[key] {
		if h.Distro != "" && h.Distro != r.in.Distro {
			continue
		}
		fits, known := h.in(r.in.Version)
		if known && fits {
			when := (view{r: r}).all(h.When)
			fits, known = when == yes, when != unknown
		}
		switch {
		case !known:
			return "", "", unknown
		case fits && h.Distro != "":
			return h.Is, "default", yes
		case fits:
			return h.Is, "compiled", yes
		}
	}
	return "", "", no
}
