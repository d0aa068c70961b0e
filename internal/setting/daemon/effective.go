package daemon

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/setting"
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

// Masked returns a result with the values of secrets taken away.
func (r Result) Masked() Result {
	r.Settings = slices.Clone(r.Settings)
	for i := range r.Settings {
		s := &r.Settings[i]
		switch {
		case s.Secret && s.word != 0:
			s.Raw, s.Value = maskWord(s.Raw, s.word), maskWord(s.Value, s.word)
			continue
		case s.Secret:
			s.Raw, s.Value = Mask(s.Raw), Mask(s.Value)
			continue
		}
		s.Raw, s.Value = maskURL(s.Raw), maskURL(s.Value)
	}
	return r
}

// maskWord masks one word of a value, by its number from 1 or from the end by -1.
func maskWord(s string, n int) string {
	w := words(s)
	if n < 0 {
		n += len(w) + 1
	}
	if n < 1 || n > len(w) {
		return Mask(s)
	}
	w[n-1] = Mask(w[n-1])
	return strings.Join(w, " ")
}

// maskURL masks the password of a URL with a login in it.
func maskURL(s string) string {
	scheme := strings.Index(s, "://")
	if scheme < 0 {
		return s
	}
	host := s[scheme+3:]
	if i := strings.IndexAny(host, "/ \t\"'"); i >= 0 {
		host = host[:i]
	}
	login, _, ok := strings.Cut(host, "@")
	user, password, pair := strings.Cut(login, ":")
	if !ok || !pair || password == "" {
		return s
	}
	return s[:scheme+3] + user + ":***" + s[scheme+3+len(login):]
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

// main reads the main file, named or found, and the files that are always read.
func (r *reading) main(named string) {
	d := r.d
	switch {
	case named != "":
		named = path.Clean(named)
		r.res.Instance = named
		found := false
		for _, f := range r.glob(named) {
			found = r.file(f, nil, true) || found
		}
		if !found {
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
	r.also()
	for _, x := range d.Extra {
		for _, p := range x.Files {
			for _, f := range r.glob(p) {
				if text, ok := r.open(f); ok {
					r.text(f, setting.Parse(x.Syntax, text), []string{x.Scope})
				}
			}
		}
	}
}

// open returns the text of a file that was not read before.
func (r *reading) open(p string) (string, bool) {
	if r.seen[p] || len(r.seen) >= maxFiles || len(r.all) >= maxSettings || r.in.Open == nil {
		return "", false
	}
	text, ok := r.in.Open(p)
	if ok {
		r.seen[p] = true
	}
	return text, ok
}

// also reads the files that are always read: with Merge those of all directories in the
// order of their names, of two with the same name the one of the earlier directory, and
// then the single files.
func (r *reading) also() {
	taken := map[string]bool{}
	var list, single []string
	for _, p := range r.d.Also {
		if r.d.Merge && !strings.Contains(p, "*") {
			single = append(single, p)
			continue
		}
		for _, f := range r.glob(p) {
			if !r.d.Merge || !taken[path.Base(f)] {
				list = append(list, f)
			}
			taken[path.Base(f)] = true
		}
	}
	if r.d.Merge {
		slices.SortFunc(list, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	}
	for _, f := range append(list, single...) {
		if r.file(f, nil, true) && r.res.Instance == "" {
			r.res.Instance = path.Dir(r.d.Also[0])
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
	p = path.Clean(p)
	if r.seen[p] {
		return true
	}
	text, ok := r.open(p)
	if !ok {
		if top && r.d.In != "" && r.in.Glob != nil {
			for _, f := range r.in.Glob(path.Join(p, r.d.In)) {
				ok = r.file(f, scope, false) || ok
			}
		}
		return ok
	}
	r.text(p, setting.Parse(r.d.Syntax, text), scope)
	return true
}

// text takes the entries of a file that was read.
func (r *reading) text(p string, f *setting.File, scope []string) {
	names := r.sections(f, scope)
	for _, e := range f.Entries {
		if len(r.all) >= maxSettings {
			break
		}
		at := names[e.In]
		if e.Head && !slices.ContainsFunc(r.d.Services, func(o Offer) bool { return o.Each == e.Key }) {
			continue
		}
		if slices.ContainsFunc(at, func(s string) bool { return begins(r.d.Ignore, s) }) {
			continue
		}
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
}

// sections gives the sections of a file the names that they have among those of all
// files: the first server of the second file may be the second one.
func (r *reading) sections(f *setting.File, scope []string) [][]string {
	names := [][]string{scope}
	for _, s := range f.Sections[1:] {
		within := names[s.Parent]
		if f.Syntax.Family == setting.INI {
			within = nil // they do not nest, not even in an included file
		}
		name := s.Scope[len(s.Scope)-1]
		if i := strings.LastIndexByte(name, '#'); i > 0 && i < len(name)-1 && strings.Trim(name[i+1:], "0123456789") == "" {
			name = name[:i]
		}
		at := strings.Join(within, "/") + "/" + name
		r.many[at]++
		if k := r.many[at]; k > 1 && f.Syntax.Family != setting.INI && f.Syntax.Family != setting.JSON {
			name += "#" + strconv.Itoa(k)
		}
		names = append(names, append(slices.Clip(slices.Clone(within)), name))
	}
	return names
}

// begins reports whether a section's name begins with one of the words.
func begins(words []string, section string) bool {
	word, _, _ := strings.Cut(section, " ")
	word, _, _ = strings.Cut(word, "#")
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
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
	if d.Strip != "" && s.Key == d.Strip {
		s.Key = firstWord(s.Value)
		s.Value = strings.TrimSpace(strings.TrimPrefix(s.Value, s.Key))
	}
	s.Key = d.key(s.Key)
	if slices.Contains(d.Pairs, s.Key) {
		r.pairs(s)
	}
	if d.Syntax.Family == setting.JSON && strings.HasPrefix(s.Value, "[") {
		s.Value = list(s.Value)
	}
	if len(d.Only) > 0 && s.Origin == "file" {
		section, _, _ := strings.Cut(s.Scope, "/")
		section, _, _ = strings.Cut(section, "#")
		if !slices.ContainsFunc(d.Only, func(o string) bool { ok, _ := path.Match(o, section); return ok }) {
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
	if len(d.Keep) > 0 && !slices.Contains(d.Keep, s.Key) {
		return
	}
	s.Value = d.normal(s.Key, s.Value)
	s.Open = variable(s.Value, s.Origin == "argument")
	s.word = d.Masks[s.Key]
	s.Secret = d.secret(s.Scope, s.Key, s.Value, s.word)
	r.all = append(r.all, s)
}

// variable reports whether a value is a variable of the shell, or on a command line has
// one in it.
func variable(v string, anywhere bool) bool {
	i := strings.IndexByte(v, '$')
	if i < 0 || i > 0 && !anywhere {
		return false
	}
	name := strings.TrimSuffix(strings.TrimPrefix(v[i+1:], "{"), "}")
	if name == "" || name[0] != '_' && (name[0]|0x20 < 'a' || name[0]|0x20 > 'z') {
		return false
	}
	return anywhere || !strings.ContainsAny(name, " \t/{}$\"'")
}

// pairs notes the settings within a list of "KEY" => "VALUE", in a section of its key.
func (r *reading) pairs(s Setting) {
	for _, part := range strings.Split(strings.Trim(s.Value, "() \t\r\n"), ",") {
		k, v, ok := strings.Cut(part, "=>")
		k, v = strings.Trim(k, " \t\r\n\""), strings.Trim(v, " \t\r\n\"")
		if !ok || k == "" || slices.Contains(r.d.Pairs, k) {
			continue
		}
		one := s
		one.Key, one.Raw, one.Value = k, v, v
		one.Scope = strings.TrimPrefix(s.Scope+"/"+s.Key, "/")
		r.put(one)
	}
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i]
	}
	return s
}

// list writes a JSON list as words with commas between them.
func list(v string) string {
	var out []string
	for _, w := range strings.Split(strings.Trim(v, "[] \t\r\n"), ",") {
		if w = strings.Trim(w, " \t\r\n\""); w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, ",")
}

// secret reports whether a value must not be shown: its key or section is one of those
// that hold secrets, or the key sounds like one and the value is no switch, number or path.
func (d *Daemon) secret(scope, key, value string, n int) bool {
	word, _, _ := strings.Cut(value, " ")
	if n != 0 {
		w := words(value)
		if n < 0 {
			n += len(w) + 1
		}
		if n < 1 || n > len(w) {
			return true
		}
		return !slices.Contains(d.Known, w[n-1])
	}
	if value == "" || slices.Contains(d.Known, word) {
		return false
	}
	section, _, _ := strings.Cut(scope, "/")
	if slices.Contains(d.Secrets, key) || section != "" && slices.Contains(d.Secrets, section) {
		return true
	}
	k := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(key))
	loud := func(w string) bool { return strings.Contains(k, w) }
	if !slices.ContainsFunc([]string{"password", "passwd", "passphrase", "secret", "community", "apikey", "authtoken", "accesstoken"}, loud) {
		return false
	}
	return value != "yes" && value != "no" && strings.Trim(value, "0123456789") != "" && !strings.HasPrefix(value, "/")
}

// normal writes a value in its one form.
func (d *Daemon) normal(key, v string) string {
	v = strings.TrimSpace(v)
	if strings.Contains(v, "\n") {
		v = strings.Join(strings.Fields(strings.ReplaceAll(v, "\\\n", " ")), " ")
	}
	if slices.Contains(d.Verbatim, key) {
		return v
	}
	if to, ok := d.Same[key][strings.ToLower(v)]; ok {
		return to
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
