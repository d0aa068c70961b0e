package daemon

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/setting"
)

// Instance is one start of a daemon, or its mere presence.
type Instance struct {
	Program string   // path of the program; its base name may choose a default
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

	head bool
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
	maxFiles    = 200
	maxSettings = 20000
)

// Effective computes what is in force. It never fails: what cannot be known is not in the
// result, and Missing says which files were not there.
func (d *Daemon) Effective(in Instance) Result {
	r := &reading{d: d, in: in, seen: map[string]bool{}}
	main, args := d.arguments(in.Args)
	r.main(main)
	for _, a := range args {
		a.Origin = "argument"
		r.put(a)
	}
	r.res.Settings = r.inForce()
	r.res.Services = r.services()
	return r.res
}

// Masked returns a result with the values of secrets taken away.
func (r Result) Masked() Result {
	r.Settings = slices.Clone(r.Settings)
	for i := range r.Settings {
		if s := &r.Settings[i]; s.Secret {
			s.Raw, s.Value = Mask(s.Raw), Mask(s.Value)
		}
	}
	return r
}

// Mask replaces a secret; of a long one the first and the last character stay.
func Mask(s string) string {
	if len(s) < 8 {
		return "***"
	}
	return s[:1] + "***" + s[len(s)-1:]
}

// reading is the state of one computation.
type reading struct {
	d    *Daemon
	in   Instance
	res  Result
	all  []Setting // as they were met
	seen map[string]bool
}

// main reads the main file, named or found, and the files that are always read.
func (r *reading) main(named string) {
	d := r.d
	switch {
	case named != "":
		r.res.Instance = named
		if !r.file(named, nil, true) {
			r.miss(named)
		}
	case len(d.Files) > 0:
		found := false
		for _, p := range d.Files {
			for _, f := range r.glob(p) {
				if r.file(f, nil, true) {
					found = true
					r.res.Instance = f
				}
				break
			}
			if found {
				break
			}
		}
		if !found && r.uci() {
			found = true
		}
		if !found && !d.Optional {
			r.miss(d.Files[0])
		}
	case d.UCI != nil:
		r.uci()
	}
	taken := map[string]bool{}
	var also []string
	for _, p := range d.Also {
		for _, f := range r.glob(p) {
			if !d.Merge || !taken[path.Base(f)] {
				also = append(also, f)
			}
			taken[path.Base(f)] = true
		}
	}
	if d.Merge {
		slices.SortFunc(also, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	}
	for _, f := range also {
		if r.file(f, nil, true) && r.res.Instance == "" {
			r.res.Instance = f
		}
	}
}

func (r *reading) miss(p string) {
	if !slices.Contains(r.res.Missing, p) {
		r.res.Missing = append(r.res.Missing, p)
	}
}

func (r *reading) glob(p string) []string {
	if !strings.ContainsAny(p, "*?[") {
		return []string{p}
	}
	if r.in.Glob == nil {
		return nil
	}
	return r.in.Glob(p)
}

// file reads one file in a scope and reports whether it was there.
func (r *reading) file(p string, scope []string, top bool) bool {
	if r.seen[p] {
		return true
	}
	if len(r.seen) >= maxFiles || r.in.Open == nil {
		return false
	}
	text, ok := r.in.Open(p)
	if !ok {
		if top && r.d.In != "" && r.in.Glob != nil {
			for _, f := range r.in.Glob(path.Join(p, r.d.In)) {
				ok = r.file(f, scope, false) || ok
			}
		}
		return ok
	}
	r.seen[p] = true
	f := setting.Parse(r.d.Syntax, text)
	for _, e := range f.Entries {
		at := append(slices.Clip(slices.Clone(scope)), e.Scope...)
		key := r.d.key(e.Key)
		if slices.Contains(r.d.Include, key) && !e.Head {
			r.include(p, e.Value, at)
			continue
		}
		if pattern, ok := r.d.Dirs[key]; ok {
			r.include(p, path.Join(e.Value, pattern), at)
			continue
		}
		r.put(Setting{
			Scope: r.d.scope(at), Key: key, Raw: strings.TrimSpace(f.Text[e.ValueStart:e.ValueEnd]), Value: e.Value,
			Origin: "file", Path: p, Line: e.Line, head: e.Head,
		})
	}
	return true
}

// scope joins section names; the root section holds for all.
func (d *Daemon) scope(at []string) string {
	if len(at) > 0 && d.Root != "" && strings.EqualFold(at[0], d.Root) {
		at = at[1:]
	}
	return strings.Join(at, "/")
}

// include reads the files that a value names.
func (r *reading) include(from, value string, scope []string) {
	for _, w := range words(value) {
		if !path.IsAbs(w) {
			base := r.d.Base
			if base == "" {
				base = path.Dir(from)
			}
			w = path.Join(base, w)
		}
		if strings.ContainsAny(w, "*?[") {
			for _, f := range r.glob(w) {
				r.file(f, scope, false)
			}
			continue
		}
		if !r.file(w, scope, true) {
			r.miss(w)
		}
	}
}

// uci reads the sections of OpenWrt's file that configure the daemon.
func (r *reading) uci() bool {
	u := r.d.UCI
	if u == nil || r.in.Open == nil {
		return false
	}
	text, ok := r.in.Open(u.File)
	if !ok {
		return false
	}
	r.res.Instance = u.File
	f := setting.Parse(setting.Syntax{Family: setting.UCI}, text)
	many := 0
	ours := func(scope []string) bool {
		kind, _, _ := strings.Cut(scope[0], " ")
		kind, _, _ = strings.Cut(kind, "#")
		return kind == u.Section
	}
	for _, s := range f.Sections {
		if len(s.Scope) == 1 && ours(s.Scope) {
			many++
		}
	}
	for _, e := range f.Entries {
		if len(e.Scope) != 1 || !ours(e.Scope) {
			continue
		}
		key, known := u.Keys[e.Key]
		if !known {
			key = e.Key
		}
		s := Setting{Key: key, Raw: e.Value, Value: e.Value, Origin: "file", Path: u.File, Line: e.Line}
		if many > 1 {
			s.Scope = e.Scope[0]
		}
		r.put(s)
	}
	return true
}

// put notes a setting as it was met, its key and value normalised.
func (r *reading) put(s Setting) {
	d := r.d
	if len(r.all) >= maxSettings {
		return
	}
	s.Key = d.key(s.Key)
	if len(d.Only) > 0 && s.Origin == "file" {
		section, _, _ := strings.Cut(s.Scope, "/")
		section, _, _ = strings.Cut(section, "#")
		if !slices.Contains(d.Only, section) {
			return
		}
		s.Scope = ""
	}
	if to, ok := d.Inverse[s.Key]; ok {
		s.Key = to
		s.Value = d.normal(to, s.Value)
		switch s.Value {
		case "yes":
			s.Value = "no"
		case "no":
			s.Value = "yes"
		}
	}
	s.Value = d.normal(s.Key, s.Value)
	s.Secret = d.secret(s.Key, s.Value)
	r.all = append(r.all, s)
}

// secret reports whether a value must not be shown.
func (d *Daemon) secret(key, value string) bool {
	if !slices.Contains(d.Secrets, key) {
		return false
	}
	word, _, _ := strings.Cut(value, " ")
	return value != "" && !slices.Contains(d.Known, word)
}

// normal writes a value in its one form.
func (d *Daemon) normal(key, v string) string {
	v = strings.TrimSpace(v)
	if slices.Contains(d.Verbatim, key) {
		return v
	}
	if slices.Contains(d.Switches, key) {
		switch v {
		case "1", "":
			return "yes"
		case "0":
			return "no"
		}
	}
	switch strings.ToLower(v) {
	case "yes", "true", "on", "enable", "enabled":
		return "yes"
	case "no", "false", "off", "disable", "disabled":
		return "no"
	}
	return v
}

func (d *Daemon) list(key string) bool {
	return slices.Contains(d.Lists, key) || slices.Contains(d.Lists, "*")
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
	keys := make([]string, 0, len(d.Defaults))
	for k := range d.Defaults {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if count[at{"", k}] > 0 {
			continue
		}
		if v, origin, holds := d.Defaults[k].in(r.in); holds == yes {
			out = append(out, Setting{Key: k, Raw: v, Value: d.normal(k, v), Origin: origin})
		}
	}
	return out
}

// in returns the value that holds for an instance when nothing is said: no where no line
// holds, unknown where that depends on a version that is not known.
func (list Default) in(in Instance) (value, origin string, holds truth) {
	for _, h := range list {
		if h.Distro != "" && h.Distro != in.Distro {
			continue
		}
		fits, known := h.in(in.Version)
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

// words splits a value at blanks; quotes hold a word together.
func words(s string) []string {
	var out []string
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case ' ', '\t':
			i++
		case '"', '\'':
			n := strings.IndexByte(s[i+1:], c)
			if n < 0 {
				n = len(s) - i - 1
			}
			out = append(out, s[i+1:i+1+n])
			i += n + 2
		default:
			n := strings.IndexAny(s[i:], " \t")
			if n < 0 {
				n = len(s) - i
			}
			out = append(out, s[i:i+n])
			i += n
		}
	}
	return out
}
