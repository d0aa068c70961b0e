package firmware

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// collector is the visitor of an image: it makes the traces.
type collector struct {
	tracer *tracer

	mu      sync.Mutex
	traces  map[*image.Node]*Trace
	regions []*File // leaves and known blocks that lie in no file system
	failed  []fact.Gap
}

func newCollector(o Options) (*collector, error) {
	t, err := newTracer(o.Signatures)
	if err != nil {
		return nil, err
	}
	return &collector{tracer: t, traces: map[*image.Node]*Trace{}}, nil
}

// Layer is part of image.Visitor.
func (c *collector) Layer(*image.Layer) {}

// File is part of image.Visitor: it makes the trace of a content.
func (c *collector) File(l *image.Layer, nodes []*image.Node, b *image.Blob) {
	t, err := c.tracer.trace(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed = append(c.failed, fact.Gap{Place: l.PlaceOf(nodes[0].Path), Size: b.Size(), Reason: "damaged", Why: err.Error(), Hides: fact.Kinds()})
		return
	}
	for _, n := range nodes {
		c.traces[n] = t
	}
}

// Region is part of image.Visitor: blocks of bytes outside file systems become files
// without a path. Unknown ones stay gaps unless something in them explains them.
func (c *collector) Region(l *image.Layer, part string, place fact.Place, format *image.Format, b *image.Blob) string {
	t, err := c.tracer.trace(b)
	if err != nil {
		return ""
	}
	name := part
	if name == "" && format != nil {
		name = format.Name
	}
	n := &image.Node{Path: "/" + name, Size: b.Size(), Data: b}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.regions = append(c.regions, &File{Path: n.Path, Node: n, Trace: t, Place: place})
	return known(t)
}

// known says what unknown bytes turned out to be, or nothing.
func known(t *Trace) string {
	for _, e := range t.Evidence {
		if e.Own && e.Confidence == "high" {
			return e.Name
		}
	}
	return ""
}

// roots sorts the layers into roots: systems, containers, data partitions, and the loose
// rest.
func (c *collector) roots(im *image.Image) []*Root {
	var out []*Root
	taken := map[string]int{}
	add := func(role string, l *image.Layer, files []*File) {
		taken[role]++
		if n := taken[role]; n > 1 && role != "system" {
			role += "#" + string(rune('0'+n%10))
		}
		out = append(out, newRoot(role, l, files))
	}
	var loose []*File
	for _, l := range im.Layers {
		if len(l.Nodes) == 0 {
			continue
		}
		files := make([]*File, 0, len(l.Nodes))
		for _, n := range l.Nodes {
			files = append(files, &File{Path: n.Path, Node: n, Trace: c.traces[n], Place: l.PlaceOf(n.Path)})
		}
		if l.Format.Class == "compression" {
			loose = append(loose, files...)
			continue
		}
		add(role(l), l, files)
	}
	for _, f := range c.regions {
		loose = append(loose, f)
	}
	if len(loose) > 0 {
		slices.SortFunc(loose, func(a, b *File) int { return cmp.Compare(a.Place.String(), b.Place.String()) })
		for i, f := range loose {
			f.Path = "/" + path.Base(f.Place.String()) + f.Path
			_ = i
		}
		add("loose", nil, loose)
	}
	return out
}

// role names what a layer of files is for.
func role(l *image.Layer) string {
	has := map[string]bool{}
	for _, n := range l.Nodes {
		has[n.Path] = true
	}
	system := (has["/etc"] && (has["/bin"] || has["/usr/bin"] || has["/sbin"])) || has["/etc/passwd"] || has["/etc/inittab"]
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
	case l.Node != nil:
		return "data:" + path.Base(l.Node.Path)
	}
	return "data:" + l.Format.Name
}

// gaps ties the gaps of an image to the roots they lie in.
func (c *collector) gaps(im *image.Image, roots []*Root) []fact.Gap {
	gaps := append(slices.Clone(im.Gaps), c.failed...)
	for i := range gaps {
		g := &gaps[i]
		if g.ID == "" {
			g.ID = "T" + g.Place.String()
		}
		in := false
		for _, r := range roots {
			if r.Layer != nil && len(g.Place.Layers) >= len(r.Layer.Place.Layers) &&
				slices.Equal(g.Place.Layers[:len(r.Layer.Place.Layers)], r.Layer.Place.Layers) {
				g.Root, in = r.Role, true
			}
		}
		if !in {
			g.Reservation = true // nothing is known to mount or boot it
		}
	}
	return gaps
}
