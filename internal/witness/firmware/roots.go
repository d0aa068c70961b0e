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
// rest.
func (c *collector) roots(im *image.Image) []*Root {
	b := rooter{collector: c, taken: map[string]int{}, inside: map[*image.Layer]map[*image.Node]*image.Layer{}, used: map[*image.Layer]bool{}}
	for _, l := range im.Layers {
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
		if len(l.Nodes) > 0 && !b.used[l] {
			b.layer(l)
		}
	}
	b.loose = append(b.loose, c.regions...)
	if len(b.loose) > 0 {
		slices.SortStableFunc(b.loose, func(a, b *File) int { return cmp.Compare(a.Place.String(), b.Place.String()) })
		for _, f := range b.loose {
			f.Path = "/" + path.Base(f.Place.String()) + f.Path
		}
		b.add("loose", nil, b.loose)
	}
	return b.out
}

type rooter struct {
	*collector
	out    []*Root
	taken  map[string]int
	loose  []*File
	inside map[*image.Layer]map[*image.Node]*image.Layer // archive -> file -> the archive that the file is
	used   map[*image.Layer]bool
}

// holderOf returns the file in which a layer lies, and that file's layer, through any
// compression between them.
func holderOf(l *image.Layer) (*image.Layer, *image.Node) {
	outer, n := l.Parent, l.Node
	for outer != nil && outer.Format.Class == "compression" {
		outer, n = outer.Parent, outer.Node
	}
	return outer, n
}

// add makes a root. Slots of one system (A and B) share its role; others that would share
// one are numbered.
func (b *rooter) add(role string, l *image.Layer, files []*File) *Root {
	b.taken[role]++
	if n := b.taken[role]; n > 1 && role != "system" && role != "recovery" {
		role = fmt.Sprintf("%s#%d", role, n)
	}
	r := newRoot(role, l, files)
	b.out = append(b.out, r)
	return r
}

// containers makes the roots of the container images in an archive.
func (b *rooter) containers(l *image.Layer) {
	for _, bundle := range b.bundles(l) {
		var layers []*image.Layer
		for _, p := range bundle.layers {
			for n, in := range b.inside[l] {
				if n.Path == p {
					layers = append(layers, in)
					b.used[in] = true
				}
			}
		}
		if len(layers) == 0 {
			continue
		}
		b.used[l] = true // its other files are manifests
		r := b.add("container:"+cmp.Or(bundle.Name, fmt.Sprint(len(b.out)+1)), layers[0], b.stack(layers))
		r.Container = &bundle.Container
		r.layers = layers
	}
}

// layer makes the roots of one layer of files: itself, and the trees in it that are roots
// of their own.
func (b *rooter) layer(l *image.Layer) {
	files := make([]*File, 0, len(l.Nodes))
	for _, n := range l.Nodes {
		files = append(files, &File{Path: n.Path, Node: n, Trace: b.traces[n], Place: l.PlaceOf(n.Path)})
	}
	if l.Format.Class == "compression" || l.Format.Class == "boot" {
		b.loose = append(b.loose, files...)
		return
	}
	inner := chroots(l)
	if len(inner) == 0 {
		b.add(role(l), l, files)
		return
	}
	apart := map[string][]*File{}
	rest := files[:0:0]
	for _, f := range files {
		i := slices.IndexFunc(inner, func(dir string) bool { return strings.HasPrefix(f.Path, dir+"/") })
		if i < 0 {
			rest = append(rest, f)
			continue
		}
		f.Path = f.Path[len(inner[i]):]
		apart[inner[i]] = append(apart[inner[i]], f)
	}
	if slices.ContainsFunc(rest, func(f *File) bool { return f.Node.Kind != image.Dir }) {
		b.add(role(l), l, rest)
	}
	for _, dir := range inner {
		name := "chroot:" + dir
		if id, ok := overlay(dir); ok {
			name = "container:" + id
		}
		if len(inner) == 1 && !b.hasSystem(rest) && path.Dir(dir) == "/" {
			name = "system" // an archive of one directory that is the root
		}
		b.add(name, l, apart[dir])
	}
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
