package daemon

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/setting"
)

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
