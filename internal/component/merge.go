package component

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// File is a file of a root, as [Matcher.Merge] wants to see it.
type File struct {
	Path     string
	Links    []string // paths of symbolic links to it
	Object   bool     // its content is an ELF file
	Text     bool     // its content is text or a script
	Evidence []Evidence
	Place    fact.Place
	Digest   string
	Package  string // the package that installed it, where a package database says so
}

// Package is one entry of a package database or manifest.
type Package struct {
	Name          string
	Version       string // as the database writes it
	Source        string // name of the source package, empty where it is Name
	SourceVersion string // its version, empty where it is Version
	Arch          string
	Ecosystem     string // deb, opkg, apk, rpm, buildroot, yocto, npm, pypi, gem, maven, composer, luarocks ...
	Namespace     string // the distribution or group of the purl: debian, openwrt, alpine, org.apache.logging.log4j
	Supplier      string
	License       string
	Depends       []string
	CPE           string   // vendor:product, where the database names one
	Files         []string // absolute paths that it installed
	How           string   // package-database or manifest
	Place         fact.Place
}

// finding is what one file says of one product, once its name is known.
type finding struct {
	Evidence
	file *File
	rank int // own 0, copy 1
}

// Merge joins the evidence of the files of one root and its packages into components:
// one for each version of a product that is there, in the order of their names.
//
// A file that is the product itself beats one that carries a copy; a text that is neither
// is a mention and says nothing. What a package database says beats texts: a file that a
// package installed adds its place to the package's component and nothing else, unless it
// carries a copy of another product.
func (m *Matcher) Merge(files []File, packages []Package) []*fact.Component {
	g := &merger{m: m, byName: map[string][]*fact.Component{}, pkg: map[string]*fact.Component{}}
	g.packages(packages)
	found := map[string][]finding{}
	for i := range files {
		for _, e := range m.resolve(&files[i]) {
			found[e.Name] = append(found[e.Name], e)
		}
	}
	carriers := carriersOf(found)
	for _, name := range sortedKeys(found) {
		g.product(name, found[name], carriers)
	}
	return g.all()
}

// resolve decides what the evidence of a file means, now that its name is known: for each
// product the most trusted way counts.
func (m *Matcher) resolve(f *File) []finding {
	best := map[string][]finding{}
	take := func(e Evidence, own bool) {
		r := finding{Evidence: e, file: f, rank: 1}
		if own {
			r.rank = 0
		}
		old := best[e.Name]
		switch {
		case len(old) == 0:
		case e.Version == "" && old[0].Version != "" && old[0].rank <= r.rank:
			return
		case old[0].Version == "" && e.Version != "" && r.rank <= old[0].rank:
			old = nil
		case r.rank > old[0].rank || r.rank == old[0].rank && e.Way > old[0].Way:
			return
		case r.rank < old[0].rank || e.Way < old[0].Way:
			old = nil
		case slices.ContainsFunc(old, func(x finding) bool { return x.Version == e.Version }):
			return
		}
		best[e.Name] = append(old, r)
	}
	for _, e := range f.Evidence {
		s := m.byName[e.Name]
		if s == nil {
			take(e, e.Main)
			continue
		}
		if f.Text != s.Text {
			continue // documents and scripts speak of programs, programs of scripts
		}
		own := e.Own || s.owner(f.Path, f.Links)
		if own || e.Copy {
			take(e, own)
		}
	}
	for _, w := range m.fileWays {
		if e, ok := m.byPath(w, f); ok {
			take(e, true)
		}
	}
	var out []finding
	for _, name := range sortedKeys(best) {
		out = append(out, best[name]...)
	}
	return out
}

// byPath is the evidence of a file's name.
func (m *Matcher) byPath(w *way, f *File) (Evidence, bool) {
	what, how := f.Path, "file-name"
	if w.Soname != "" {
		if !f.Object {
			return Evidence{}, false
		}
		what, how = path.Base(f.Path), "soname"
	}
	if !strings.Contains(what, w.pattern.anchor) {
		return Evidence{}, false
	}
	v, ok := w.find(what)
	if !ok {
		return Evidence{}, false
	}
	return Evidence{Name: w.sig.Name, Version: v, How: how, Why: "its file name " + printable(path.Base(f.Path)),
		Confidence: cmpOr(w.Confidence, "high"), Own: true, Way: w.index}, true
}

// carriersOf names for each file the product that it is itself.
func carriersOf(found map[string][]finding) map[*File]string {
	out := map[*File]string{}
	for _, name := range sortedKeys(found) {
		for _, f := range found[name] {
			if f.rank == 0 && out[f.file] == "" {
				out[f.file] = name
			}
		}
	}
	return out
}

// merger builds the components of a root.
type merger struct {
	m      *Matcher
	byName map[string][]*fact.Component
	pkg    map[string]*fact.Component // by package name
}

// product adds what the files show of one product.
func (g *merger) product(name string, found []finding, carriers map[*File]string) {
	var own, copies []finding
	for _, f := range found {
		if c := g.pkg[f.file.Package]; c != nil {
			if f.rank == 0 || c.Name == name {
				c.Places = append(c.Places, f.file.Place)
				continue
			}
		}
		if f.rank == 0 {
			own = append(own, f)
		} else {
			copies = append(copies, f)
		}
	}
	for _, group := range versions(own) {
		g.state(name, group, "")
	}
	for _, group := range versions(copies) {
		if group[0].Version == "" && len(g.byName[name]) > 0 {
			continue
		}
		var by []string
		for _, f := range group {
			c := cmpOr(carriers[f.file], path.Base(f.file.Path))
			if !slices.Contains(by, c) {
				by = append(by, c)
			}
		}
		slices.Sort(by)
		if len(by) > 8 {
			by = append(by[:8], "...")
		}
		g.state(name, group, strings.Join(by, ", "))
	}
}

// versions puts findings of one version together; those without a version join the
// others, and a shaky or shorter version gives way to a sure one that it does not
// contradict.
func versions(found []finding) [][]finding {
	if len(found) == 0 {
		return nil
	}
	by := map[string][]finding{}
	for _, f := range found {
		by[f.Version] = append(by[f.Version], f)
	}
	order := sortedKeys(by)
	// From the surest to the shakiest.
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(sureness(by[b]), sureness(by[a])), Compare(b, a), cmp.Compare(a, b))
	})
	var out [][]finding
	for _, v := range order {
		at := slices.IndexFunc(out, func(g []finding) bool { return covers(g, v, sureness(by[v])) })
		if at >= 0 {
			out[at] = append(out[at], by[v]...)
			continue
		}
		out = append(out, by[v])
	}
	return out
}

// covers reports whether a group of findings already says what version v, less or equally
// sure, would say.
func covers(g []finding, v string, sure int) bool {
	have := g[0].Version
	return v == "" || have == v || strings.HasPrefix(have, v+".") || sure < sureness(g)
}

// sureness is the confidence of the surest finding.
func sureness(g []finding) int {
	best := 0
	for _, f := range g {
		n := 1
		switch {
		case f.Version == "":
			n = 0
		case f.Confidence == "high":
			n = 3
		case f.Confidence == "medium":
			n = 2
		}
		best = max(best, n)
	}
	return best
}

// state adds a component that files show, or their places to one that is already there.
func (g *merger) state(name string, group []finding, bundledIn string) {
	first := group[0]
	for _, c := range g.byName[name] {
		_, bundled := c.Bundled.Value()
		if first.Version == c.Version || first.Version == "" && !bundled {
			for _, f := range group {
				c.Places = append(c.Places, f.file.Place)
			}
			if bundledIn != "" && !bundled {
				c.Why += "; a copy is in " + bundledIn
			}
			return
		}
	}
	c := &fact.Component{Name: name, Version: first.Version, How: first.How, Ecosystem: "generic"}
	c.Confidence = first.Confidence
	if c.Confidence == "high" {
		c.Confidence = ""
	}
	c.Why = fmt.Sprintf("%s: %s", path.Base(first.file.Path), first.Why)
	if bundledIn != "" {
		c.Bundled = fact.Say(bundledIn)
		c.Why += "; its code is inside " + bundledIn
	}
	for _, f := range group {
		c.Places = append(c.Places, f.file.Place)
	}
	if len(group) == 1 {
		c.Digest = first.file.Digest
	}
	g.describe(c, first.PURL)
	g.byName[name] = append(g.byName[name], c)
}

// describe fills in what the signature knows of the product.
func (g *merger) describe(c *fact.Component, purl string) {
	s := g.m.byName[c.Name]
	if s == nil {
		c.PURL = purl
		c.Type = cmpOr(c.Type, "library")
		if strings.HasPrefix(purl, "pkg:golang/") {
			c.Ecosystem = "golang"
		} else if strings.HasPrefix(purl, "pkg:cargo/") {
			c.Ecosystem = "cargo"
		}
		return
	}
	c.Supplier = cmpOr(c.Supplier, s.Supplier)
	c.License = cmpOr(c.License, s.License)
	c.CPEs = cpes(s.CPEs, c.Version)
	c.Type = s.Type
	if c.Type == "" {
		c.Type = "application"
		if len(s.Own.Sonames) > 0 {
			c.Type = "library"
		}
	}
	if c.PURL == "" {
		c.PURL = PURL(cmpOr(s.PURL, "generic"), s.Name, c.Version, nil)
	}
}

// all returns the components in their order, places sorted and each once.
func (g *merger) all() []*fact.Component {
	var out []*fact.Component
	for _, name := range sortedKeys(g.byName) {
		list := g.byName[name]
		for _, c := range list {
			fact.SortPlaces(c.Places)
			c.Places = slices.CompactFunc(c.Places, func(a, b fact.Place) bool { return a.String() == b.String() })
		}
		slices.SortStableFunc(list, func(a, b *fact.Component) int { return Compare(a.Version, b.Version) })
		out = append(out, list...)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// cpes writes vendor:product pairs as CPE 2.3 names of a version.
func cpes(pairs []string, version string) []string {
	var out []string
	for _, p := range pairs {
		part, vendor, product := "a", "", ""
		words := strings.SplitN(p, ":", 3)
		switch len(words) {
		case 2:
			vendor, product = words[0], words[1]
		case 3:
			part, vendor, product = words[0], words[1], words[2]
		default:
			continue
		}
		v := "*"
		if version != "" {
			v = cpeEscape(version)
		}
		out = append(out, fmt.Sprintf("cpe:2.3:%s:%s:%s:%s:*:*:*:*:*:*:*", part, vendor, product, v))
	}
	return out
}

// cpeEscape quotes what a CPE 2.3 attribute may not hold bare.
func cpeEscape(v string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToLower(v)) {
		switch {
		case c >= 'a' && c <= 'z', digit(c), c == '.', c == '_', c == '-':
			b.WriteByte(c)
		case c > ' ' && c < 0x7f:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

// PURL writes a package URL. kind is its type with a namespace after a slash, if any;
// qualifiers are key=value pairs.
func PURL(kind, name, version string, qualifiers []string) string {
	var b strings.Builder
	b.WriteString("pkg:")
	for i, part := range strings.Split(kind, "/") {
		if i > 0 {
			b.WriteByte('/')
			part = percent(part)
		}
		b.WriteString(part)
	}
	b.WriteByte('/')
	for i, part := range strings.Split(name, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(percent(part))
	}
	if version != "" {
		b.WriteByte('@')
		b.WriteString(percent(version))
	}
	if len(qualifiers) > 0 {
		slices.Sort(qualifiers)
		b.WriteByte('?')
		b.WriteString(strings.Join(qualifiers, "&"))
	}
	return b.String()
}

// percent encodes what may not stand bare in a part of a package URL.
func percent(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit(c) || strings.IndexByte("-._~:", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
