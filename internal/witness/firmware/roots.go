package firmware

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// roots sorts the layers into roots: systems, containers, chroots, data, and the loose
// rest. Archives and compressed files that a root holds are a part of it: their files
// stand below the path of the archive, as if it were a directory.
func (c *collector) roots(im *image.Image) []*Root {
	b := rooter{collector: c, homes: map[*image.Layer][]home{}, inside: map[*image.Layer]map[*image.Node]*image.Layer{}, opened: map[*image.Node]bool{}}
	for _, l := range im.Layers {
		b.opened[l.Node] = true
		if outer, n := holderOf(l); n != nil && len(l.Nodes) > 0 && l.Format.Class != "compression" {
			if b.inside[outer] == nil {
				b.inside[outer] = map[*image.Node]*image.Layer{}
			}
			b.inside[outer][n] = l
		}
	}
	for _, l := range im.Layers {
		if l.Format.Class == "archive" {
			b.containers(l)
		}
	}
	for _, l := range im.Layers {
		if _, done := b.homes[l]; len(l.Nodes) > 0 && !done {
			b.layer(l)
		}
	}
	return b.finish()
}

type rooter struct {
	*collector
	drafts []*draft
	loose  []*File
	homes  map[*image.Layer][]home                       // where the files of a layer went
	inside map[*image.Layer]map[*image.Node]*image.Layer // archive -> file -> the archive that the file is
	opened map[*image.Node]bool                          // files that are containers
}

// draft is a root that still gets files.
type draft struct {
	role      string
	layers    []*image.Layer
	files     []*File
	container *Container
}

// home says that what lies below dir in a layer lies below base in a root.
type home struct {
	dir, base string
	*draft
}

// holderOf returns the file in which a layer lies, and that file's layer, through any
// compression between them.
func holderOf(l *image.Layer) (*image.Layer, *image.Node) {
	outer, n := l.Parent, l.Node
	for outer != nil && outer.Format.Class == "compression" && outer.Node != nil {
		outer, n = outer.Parent, outer.Node
	}
	return outer, n
}

// homeOf returns where a file of a layer went, and its path there.
func (b *rooter) homeOf(l *image.Layer, n *image.Node) (*draft, string) {
	if n == nil {
		return nil, ""
	}
	for _, h := range b.homes[l] {
		if h.dir == "" || strings.HasPrefix(n.Path, h.dir+"/") {
			return h.draft, h.base + n.Path[len(h.dir):]
		}
	}
	return nil, ""
}

func (b *rooter) add(role string, l *image.Layer, files []*File) *draft {
	d := &draft{role: role, files: files}
	if l != nil {
		d.layers = []*image.Layer{l}
	}
	b.drafts = append(b.drafts, d)
	return d
}

// finish makes the roots. Slots of one system (A and B) share its role; others that would
// share one are numbered.
func (b *rooter) finish() []*Root {
	b.loose = append(b.loose, b.regions...)
	if len(b.loose) > 0 {
		slices.SortStableFunc(b.loose, func(a, b *File) int { return cmp.Compare(a.Place().String(), b.Place().String()) })
		for _, f := range b.loose {
			f.Path = "/" + path.Base(f.Place().String()) + f.Path
		}
		b.add("loose", nil, b.loose)
	}
	taken := map[string]int{}
	var out []*Root
	for _, d := range b.drafts {
		taken[d.role]++
		role := d.role
		if n := taken[role]; n > 1 && role != "system" && role != "recovery" {
			role = fmt.Sprintf("%s#%d", role, n)
		}
		var first *image.Layer
		if len(d.layers) > 0 {
			first = d.layers[0]
		}
		r := newRoot(role, first, d.files)
		r.layers, r.Container = d.layers, d.container
		out = append(out, r)
	}
	return out
}

// containers makes the roots of the container images in an archive.
func (b *rooter) containers(l *image.Layer) {
	for _, bundle := range b.bundles(l) {
		var layers []*image.Layer
		for _, p := range bundle.layers {
			for n, in := range b.inside[l] {
				if n.Path == p {
					layers = append(layers, in)
				}
			}
		}
		if len(layers) == 0 {
			continue
		}
		d := b.add("container:"+cmp.Or(bundle.Name, fmt.Sprint(len(b.drafts)+1)), nil, b.stack(layers))
		d.container, d.layers = &bundle.Container, layers
		for _, in := range layers {
			b.homes[in] = []home{{draft: d}}
		}
		b.homes[l] = nil // its other files are manifests
	}
}

// layer finds the root of a layer's files, and makes the roots that it and the trees in it
// are.
func (b *rooter) layer(l *image.Layer) {
	files := make([]*File, 0, len(l.Nodes))
	for _, n := range l.Nodes {
		files = append(files, &File{Path: n.Path, Node: n, Trace: b.traces[n], layer: l})
	}
	outer, n := holderOf(l)
	if l.Format.Class == "compression" {
		outer, n = l.Parent, l.Node
	}
	holder, at := b.homeOf(outer, n)
	inner := chroots(l)
	kind := role(l)
	whole := kind == "system" || kind == "recovery" || kind == "initramfs"
	switch {
	case l.Format.Class == "compression" && b.opened[l.Nodes[0]]:
		return // what it holds was opened
	case l.Format.Class == "boot" || l.Format.Class == "compression" && holder == nil:
		b.loose = append(b.loose, files...)
		return
	case holder != nil && l.Format.Name == "ar" && !has(l, "/debian-binary"):
		return // a static library: its objects are no files of the device
	case holder != nil && !whole && len(inner) == 0 && (l.Format.Class == "archive" || l.Format.Class == "compression"):
		b.homes[l] = []home{{base: at, draft: holder}}
		for _, f := range files {
			f.Path = at + f.Path
		}
		holder.files, holder.layers = append(holder.files, files...), append(holder.layers, l)
		return
	}
	if whole && holder != nil && holder.role == "system" {
		kind = "chroot:" + at // a system that lies in a file of a system
	}
	rest := files
	var apart []home
	for _, dir := range inner {
		d := &draft{role: "chroot:" + dir, layers: []*image.Layer{l}}
		if id, ok := overlay(dir); ok {
			d.role = "container:" + id
		}
		apart = append(apart, home{dir: dir, draft: d})
	}
	if len(apart) > 0 {
		rest = files[:0:0]
		for _, f := range files {
			i := slices.IndexFunc(apart, func(h home) bool { return strings.HasPrefix(f.Path, h.dir+"/") })
			if i < 0 {
				rest = append(rest, f)
				continue
			}
			f.Path = f.Path[len(apart[i].dir):]
			apart[i].files = append(apart[i].files, f)
		}
	}
	if len(apart) == 1 && !b.hasSystem(rest) && path.Dir(apart[0].dir) == "/" {
		apart[0].role = "system" // an archive of one directory that is the root
	}
	b.homes[l] = apart
	if len(apart) == 0 || slices.ContainsFunc(rest, func(f *File) bool { return f.Node.Kind != image.Dir }) {
		b.homes[l] = append(b.homes[l], home{draft: b.add(kind, l, rest)})
	}
	for _, h := range apart {
		b.drafts = append(b.drafts, h.draft)
	}
}

// has reports whether a layer has a file of the path.
func has(l *image.Layer, p string) bool {
	return slices.ContainsFunc(l.Nodes, func(n *image.Node) bool { return n.Path == p })
}

func (b *rooter) hasSystem(files []*File) bool {
	return slices.ContainsFunc(files, func(f *File) bool { return f.Path == "/etc/passwd" || f.Path == "/etc/inittab" })
}

// overlay returns the name of the layer that a directory of docker's or podman's store is.
func overlay(dir string) (string, bool) {
	for _, store := range []string{"/overlay2/", "/overlay/"} {
		if _, rest, ok := strings.Cut(dir, store); ok {
			id, _, _ := strings.Cut(rest, "/")
			return id[:min(len(id), 12)], true
		}
	}
	return "", false
}

// chroots returns the directories of a layer, other than its top, that are whole systems
// of their own: they have users and programs.
func chroots(l *image.Layer) []string {
	has := make(map[string]bool, len(l.Nodes))
	for _, n := range l.Nodes {
		has[n.Path] = true
	}
	var out []string
	for _, n := range l.Nodes {
		dir, ok := strings.CutSuffix(n.Path, "/etc/passwd")
		if !ok || dir == "" || n.Kind != image.File {
			continue
		}
		if has[dir+"/bin"] && (has[dir+"/usr"] || has[dir+"/lib"] || has[dir+"/sbin"]) {
			out = append(out, dir)
		}
	}
	slices.Sort(out)
	// A tree inside another stays with the outermost.
	return slices.CompactFunc(out, func(a, b string) bool { return strings.HasPrefix(b, a+"/") })
}

// packageFile returns the name of the package whose content a layer is, empty where it is
// none that lies in something else: what is not installed is no system.
func packageFile(l *image.Layer) string {
	for _, in := range l.Place.Layers {
		switch path.Ext(in.Path) {
		case ".deb", ".ipk", ".rpm", ".apk", ".udeb":
			return path.Base(in.Path)
		}
	}
	return ""
}

// role names what a layer of files is for.
func role(l *image.Layer) string {
	if name := packageFile(l); name != "" {
		return "data:" + name
	}
	has := map[string]bool{}
	for _, n := range l.Nodes {
		switch n.Path {
		case "/init", "/etc", "/bin", "/sbin", "/usr/bin", "/etc/passwd", "/etc/inittab", "/etc/initrd-release":
			has[n.Path] = true
		}
	}
	system := has["/etc"] && (has["/bin"] || has["/usr/bin"] || has["/sbin"]) || has["/etc/passwd"] || has["/etc/inittab"]
	part := strings.ToLower(l.Part)
	switch {
	case has["/init"] && (l.Format.Name == "cpio" || has["/etc/initrd-release"]):
		return "initramfs"
	case system && strings.Contains(part, "recovery"):
		return "recovery"
	case system:
		return "system"
	case part != "":
		return "data:" + part
	}
	if _, n := holderOf(l); n != nil {
		return "data:" + path.Base(n.Path)
	}
	return "data:" + l.Format.Name
}

// gaps ties the gaps of an image to the roots they lie in.
func (c *collector) gaps(im *image.Image, roots []*Root) []fact.Gap {
	gaps := append(slices.Clone(im.Gaps), c.failed...)
	for i := range gaps {
		g := &gaps[i]
		if g.ID == "" {
			g.ID = fmt.Sprintf("G%d", i+1)
		}
		depth := 0 // of the innermost root that holds it
		for _, r := range roots {
			for _, l := range r.layers {
				if n := len(l.Place.Layers); n > depth && len(g.Place.Layers) >= n && slices.Equal(g.Place.Layers[:n], l.Place.Layers) {
					g.Root, depth = r.Role, n
				}
			}
		}
		if depth == 0 {
			g.Reservation = true // nothing is known to mount or boot it
		}
	}
	return gaps
}
