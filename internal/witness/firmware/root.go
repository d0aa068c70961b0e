package firmware

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// Root is one file tree that a system, a container or a data partition sees as its own.
type Root struct {
	Role  string // system, recovery, initramfs, rescue, data:NAME, container:NAME, chroot:PATH, loose (files of no root: raw regions, boot partitions)
	Layer *image.Layer
	Facts fact.Set // what the inspectors have stated so far

	// Container says how a container is run; nil for what is no container's root.
	Container *Container

	layers []*image.Layer // all that it is made of

	files  map[string]*File // by path within the root
	sorted []*File
	kids   map[string][]*File // directory -> entries

	source  fact.Source
	budget  *budget.Budget
	options Options
	blind   map[fact.Kind]blind
	matcher *component.Matcher // nil where no signatures are asked
	whole   *whole             // the image that it is part of

	self     *Root           // the root itself, of which an inspector is given a view
	services []*fact.Service // of a view: takes the place of the root's services

	// Made when first asked for.
	installed func() installed
	owners    func() *owners     // by packages
	chain     func() *startChain // what starts it
	webRoots  func() []string    // the directories that web servers show
}

// File is one entry of a root.
type File struct {
	Path  string // absolute within the root
	Node  *image.Node
	Trace *Trace // what its content shows; nil for what is no regular file or was not read

	layer *image.Layer // that the node is of
	at    *fact.Place  // of what lies in no file system; else nil
}

// Place returns where the file lies in the image.
func (f *File) Place() fact.Place {
	switch {
	case f.at != nil:
		return *f.at
	case f.layer == nil:
		return fact.Place{Path: f.Path}
	}
	return f.layer.PlaceOf(f.Node.Path)
}

// Files returns every entry in the order of the paths.
func (r *Root) Files() []*File { return r.sorted }

// Lookup returns the entry at a path, following links of every part within the root as a
// kernel would, or nil. Loops and dangling links give nil.
func (r *Root) Lookup(p string) *File { return r.lookup(path.Clean("/"+p), 0) }

func (r *Root) lookup(p string, hops int) *File {
	if hops > 40 {
		return nil
	}
	if f, ok := r.files[p]; ok {
		if f.Node.Kind != image.Symlink {
			return f
		}
		return r.lookup(resolve(p, f.Node.Target), hops+1)
	}
	if p == "/" {
		return nil
	}
	// A link among the parents?
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		if f, ok := r.files[dir]; ok && f.Node.Kind == image.Symlink {
			return r.lookup(path.Clean(resolve(dir, f.Node.Target)+p[len(dir):]), hops+1)
		}
	}
	return nil
}

func resolve(at, target string) string {
	if path.IsAbs(target) {
		return path.Clean(target)
	}
	return path.Join(path.Dir(at), target)
}

// Entry returns the entry at a path itself, a link as a link, or nil.
func (r *Root) Entry(p string) *File { return r.files[p] }

// Text returns the content of the text file at a path, links followed, and whether there
// is one. A file larger than [MaxText] is not given as text.
func (r *Root) Text(p string) (string, bool) { return r.Lookup(p).Text() }

// Dir returns the entries directly in a directory, links followed, in the order of the
// names.
func (r *Root) Dir(p string) []*File {
	if f := r.Lookup(p); f != nil {
		p = f.Path
	}
	return r.kids[path.Clean(p)]
}

// Glob returns the entries whose path matches any of the patterns (path.Match, and ** for
// any number of directories), in the order of the paths.
func (r *Root) Glob(patterns ...string) []*File {
	var found []int
	for _, p := range patterns {
		// What stands before the first wildcard tells where in the order to look, what
		// stands behind the last which paths are worth a closer look.
		prefix, suffix := p, p
		if i := strings.IndexAny(p, `*?[\`); i >= 0 {
			prefix = p[:i]
			suffix = p[strings.LastIndexAny(p, `*?]\`)+1:]
			if strings.ContainsAny(p, `[\`) {
				suffix = ""
			}
		}
		from, _ := slices.BinarySearchFunc(r.sorted, prefix, func(f *File, p string) int { return cmp.Compare(f.Path, p) })
		for i := from; i < len(r.sorted) && strings.HasPrefix(r.sorted[i].Path, prefix); i++ {
			if f := r.sorted[i]; strings.HasSuffix(f.Path, suffix) && match(p, f.Path) {
				found = append(found, i)
			}
		}
	}
	slices.Sort(found)
	var out []*File
	for _, i := range slices.Compact(found) {
		out = append(out, r.sorted[i])
	}
	return out
}

// match is path.Match with ** for any number of path elements, none included.
func match(pattern, p string) bool {
	head, tail, any := strings.Cut(pattern, "**")
	if !any {
		ok, _ := path.Match(pattern, p)
		return ok
	}
	if !strings.HasPrefix(p, head) {
		return false
	}
	tail = strings.TrimPrefix(tail, "/")
	rest := p[len(head):]
	if tail == "" {
		return true
	}
	for {
		if match(tail, rest) {
			return true
		}
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
}

// Add states facts: it fills in their source and root. A fact must have its place.
func (r *Root) Add(facts ...fact.Fact) {
	for _, f := range facts {
		h := f.Header()
		h.Source, h.Root = r.source, r.Role
		r.Facts.Add(f)
	}
}

// Blind states that facts of a kind could be seen only partly, or not at all, and why.
func (r *Root) Blind(k fact.Kind, level, why string) {
	if r.blind == nil {
		r.blind = map[fact.Kind]blind{}
	}
	r.blind[k] = blind{level, why}
}

// Text returns the content of a text file, and whether f is one. A file larger than
// [MaxText] is not given as text, and neither is one that cannot be read. A nil File has
// none.
func (f *File) Text() (string, bool) {
	switch {
	case f == nil || f.Trace == nil || f.Trace.Type != "text" && f.Trace.Type != "script" || f.Trace.Size > MaxText:
		return "", false
	case f.Trace.Text != nil:
		return *f.Trace.Text, true
	}
	// It was let go to save memory: it is read again.
	var b strings.Builder
	if image.Copy(&b, f.Node) != nil {
		return "", false
	}
	return b.String(), true
}

// At returns the place of a line of a file; 0 is the file as a whole.
func (f *File) At(line int) fact.Place {
	p := f.Place()
	p.Line = line
	return p
}

// Regular reports whether f is a regular file.
func (f *File) Regular() bool { return f.Node.Kind == image.File }

// WorldWritable reports whether every user may change the file.
func (f *File) WorldWritable() bool {
	return f.Node.Mode&0o002 != 0 && (f.Node.Kind == image.File || f.Node.Kind == image.Dir && f.Node.Mode&0o1000 == 0)
}

// WorldReadable reports whether every user may read the file.
func (f *File) WorldReadable() bool { return f.Node.Mode&0o004 != 0 }

// newRoot indexes files as a root.
func newRoot(role string, l *image.Layer, files []*File) *Root {
	r := &Root{Role: role, Layer: l, layers: []*image.Layer{l}, files: make(map[string]*File, len(files)), kids: map[string][]*File{}}
	if l == nil {
		r.layers = nil
	}
	r.self = r
	r.installed = sync.OnceValue(func() installed { return readInstalled(r) })
	r.owners = sync.OnceValue(func() *owners { return readOwners(r) })
	r.webRoots = sync.OnceValue(func() []string { return readWebRoots(r) })
	r.chain = sync.OnceValue(func() *startChain { return readChain(r) })
	for _, f := range files {
		r.files[f.Path] = f
	}
	for _, f := range r.files {
		r.sorted = append(r.sorted, f)
	}
	slices.SortFunc(r.sorted, func(a, b *File) int { return cmp.Compare(a.Path, b.Path) })
	for _, f := range r.sorted {
		if f.Path != "/" {
			d := path.Dir(f.Path)
			r.kids[d] = append(r.kids[d], f)
		}
	}
	return r
}
