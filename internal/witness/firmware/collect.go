package firmware

import (
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/cache"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// collector is the visitor of an image: it makes the traces.
type collector struct {
	tracer func() (*tracer, error)
	memory *memory

	mu      sync.Mutex
	traces  map[*image.Node]*Trace
	held    int64                     // bytes of texts in traces
	extents map[*image.Node]cache.Key // of contents that were read
	regions []*File                   // leaves and known blocks that lie in no file system
	failed  []fact.Gap

	recognised int // regions that were
}

func newCollector(o Options) *collector {
	return &collector{
		tracer: sync.OnceValues(func() (*tracer, error) {
			if o.Signatures == nil {
				return newTracer(nil)
			}
			m, err := o.Signatures()
			if err != nil {
				return nil, err
			}
			return newTracer(m)
		}),
		memory: newMemory(o.Cache, o.CacheKey), traces: map[*image.Node]*Trace{},
	}
}

// trace looks at a content, unless an earlier scan has.
func (c *collector) trace(b *image.Blob) (*Trace, error) {
	tr, err := c.tracer()
	if err != nil {
		return nil, err
	}
	return tr.trace(b, c.memory.trace)
}

// Layer is part of image.Visitor.
func (c *collector) Layer(*image.Layer) {}

// File is part of image.Visitor: it makes the trace of a content.
func (c *collector) File(l *image.Layer, nodes []*image.Node, b *image.Blob) {
	t, err := c.trace(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed = append(c.failed, fact.Gap{Place: l.PlaceOf(nodes[0].Path), Size: b.Size(), Reason: "damaged", Why: err.Error(), Hides: fact.Kinds()})
		return
	}
	c.keep(nodes, t)
}

// keep notes the trace of the nodes that share a content.
func (c *collector) keep(nodes []*image.Node, t *Trace) {
	if t.Text != nil {
		if seldom(nodes[0].Path) || c.held+t.Size > textsHeld {
			lean := *t
			lean.Text = nil
			t = &lean
		} else {
			c.held += t.Size
		}
	}
	for _, n := range nodes {
		c.traces[n] = t
	}
}

// textsHeld is how many bytes of texts are held in memory; others are read again when an
// inspector asks for them.
const textsHeld = 64 << 20

// seldom reports whether a text is one of the thousands that no inspector asks for:
// libraries of scripting languages, headers, documentation.
func seldom(p string) bool {
	for _, dir := range []string{"/node_modules/", "/python3", "/python2", "/perl", "/ruby/", "/usr/include/", "/usr/share/doc/", "/usr/share/man/",
		"/usr/share/locale/", "/usr/share/zoneinfo/", "/usr/share/mime/", "/usr/share/info/", "/usr/share/i18n/", "/usr/share/icons/", "/usr/share/vim/"} {
		if strings.Contains(p, dir) {
			return true
		}
	}
	return false
}

// Region is part of image.Visitor: blocks of bytes outside file systems become files
// without a path. Unknown ones stay gaps unless something in them explains them.
func (c *collector) Region(l *image.Layer, part string, place fact.Place, format *image.Format, b *image.Blob) string {
	t, err := c.trace(b)
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
	if format != nil || known(t) != "" {
		c.recognised++
	}
	c.regions = append(c.regions, &File{Path: n.Path, Node: n, Trace: t, at: &place})
	if t.Type == "text" || t.Type == "script" {
		return "text" // it was read: nothing hides in it
	}
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
