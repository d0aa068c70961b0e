package firmware

import (
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// owners says which files the packages of the system brought.
type owners struct {
	paths    map[string]string // path -> package
	database bool              // there is one
	complete bool              // all of it could be read
	foreign  map[string]bool   // packages that no distribution signed for
	official bool              // the database is a distribution's whose packages are not the maker's
}

// readOwners says who brought the files of a root.
func readOwners(r *Root) *owners {
	o := &owners{paths: map[string]string{}, foreign: map[string]bool{}, complete: true}
	o.dpkg(r)
	o.opkg(r)
	o.apk(r)
	if r.Lookup("/var/lib/rpm") != nil || r.Lookup("/usr/lib/sysimage/rpm") != nil {
		o.database, o.complete = true, false
	}
	for _, p := range r.installed().packages {
		for _, f := range p.Files {
			if o.paths[f] == "" {
				o.paths[f] = p.Name
			}
		}
	}
	return o
}

// databaseMost is how much of one file of a package database is read.
const databaseMost = 32 << 20

// list returns the text of one file of a package database.
func (o *owners) list(f *File) string {
	p := f.head(databaseMost)
	if int64(len(p)) < f.Node.Size {
		o.complete = false
	}
	return string(p)
}

// own notes a path of a package, where links of directories lead to.
func (o *owners) own(r *Root, p, name string) {
	if !strings.HasPrefix(p, "/") {
		return
	}
	p = path.Clean(p)
	if r.Entry(p) == nil {
		f := r.Lookup(p)
		if f == nil {
			return
		}
		p = f.Path
	}
	o.paths[p] = name
}

func (o *owners) dpkg(r *Root) {
	for _, f := range r.Dir("/var/lib/dpkg/info") {
		base := path.Base(f.Path)
		name, ok := strings.CutSuffix(base, ".list")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(name, ":")
		o.database, o.official = true, true
		for line := range strings.Lines(o.list(f)) {
			o.own(r, strings.TrimSpace(line), name)
		}
	}
	for stanza := range strings.SplitSeq(string(r.Lookup("/var/lib/dpkg/status").head(databaseMost)), "\n\n") {
		name, known := "", false
		for line := range strings.Lines(stanza) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch k {
			case "Package":
				name = v
			case "Homepage", "Original-Maintainer":
				known = true
			case "Maintainer":
				known = known || distributor.MatchString(v)
			}
		}
		if !known {
			o.foreign[name] = true
		}
	}
}

// distributor tells the people of a distribution by their addresses.
var distributor = search.Lazy(`(?i)@(\w+\.)*(debian|ubuntu|canonical|raspberrypi|kali|devuan)\.(org|com|net)>|alioth\.debian|tracker\.debian`)

func (o *owners) opkg(r *Root) {
	for _, dir := range []string{"/usr/lib/opkg/info", "/var/lib/opkg/info", "/usr/lib/ipkg/info"} {
		for _, f := range r.Dir(dir) {
			name, ok := strings.CutSuffix(path.Base(f.Path), ".list")
			if !ok {
				continue
			}
			o.database = true
			o.foreign[name] = true // the maker's own are packages like all others
			for line := range strings.Lines(o.list(f)) {
				p, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				o.own(r, p, name)
			}
		}
	}
}

func (o *owners) apk(r *Root) {
	f := r.Lookup("/lib/apk/db/installed")
	if f == nil {
		return
	}
	o.database, o.official = true, true
	name, dir := "", ""
	for line := range strings.Lines(o.list(f)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch k {
		case "P":
			name = v
		case "F":
			dir = "/" + v
		case "R":
			o.own(r, path.Join(dir, v), name)
		}
	}
}

// places where makers put their own.
var makersPlace = search.Lazy(`^/(opt|usr/local|app|apps|application|home|mnt|data|userdata|firmware|product|system/app|root)/`)

// distributed reports whether a distribution's package brought the file.
func (r *Root) distributed(f *File) bool {
	o := r.owners()
	name, ok := o.paths[f.Path]
	return ok && !o.foreign[name]
}

// maker says whether a file is the maker's own: true, false, or not known. service says
// that the system starts it and that it stays, product that it is known to be some
// project's.
func (r *Root) maker(f *File, service, product bool) (own, known bool) {
	if product {
		return false, true
	}
	if f.Trace != nil {
		for _, e := range f.Trace.Evidence {
			if e.Own {
				return false, true
			}
		}
	}
	o := r.owners()
	name, listed := o.paths[f.Path]
	switch {
	case listed && o.foreign[name]:
		return makersPlace.MatchString(f.Path), makersPlace.MatchString(f.Path)
	case listed:
		return false, true
	case o.database && o.complete && o.official:
		return true, true
	case makersPlace.MatchString(f.Path), service && !o.database && r.Role == "system":
		return true, true
	}
	return false, false
}
