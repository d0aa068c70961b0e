package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// ErrNot is what a Format's Open returns for bytes that are not of the format.
var ErrNot = errors.New("not of this format")

// ErrUnsupported is what a Format's Open returns (perhaps wrapped) for bytes that are of
// the format for certain, but that nothing here reads: the gap then says so, instead of
// calling them damaged.
var ErrUnsupported = errors.New("no reader for it")

// engine is one run of Open.
type engine struct {
	ctx     context.Context
	visitor Visitor
	skipper Skipper
	opts    Options
	scanner *scanner
	queue   queue

	mu    sync.Mutex // guards image and order of Layer calls
	image Image

	done, total, files atomic.Int64
	reported           atomic.Int64
}

// holder is what is being carved: the input, a part of a layer, or a file of a layer.
type holder struct {
	parent *Layer     // nil for the input
	node   *Node      // the file of parent, nil for a part
	part   string     // the part's name
	place  fact.Place // of the first byte: layers of parent, and the file's path
	base   string     // base name of the input, part or file
	depth  int
	origin int64  // offset of the carved bytes in the parent's container (parts)
	key    string // where it stands among all others, for their order
	inFile bool   // it came from a file of a file system: unknown bytes are just the file
	within bool   // it is a part of a container that lies in such a file
	index  int    // of a part in its container
	hold   *hold  // the bytes that are carved
}

func newEngine(ctx context.Context, name string, v Visitor, o Options) *engine {
	if o.Budget == nil {
		o.Budget = budget.New(budget.Limits{})
	}
	e := &engine{ctx: ctx, visitor: v, opts: o, image: Image{Name: name}, scanner: newScanner(o.Formats)}
	e.skipper, _ = v.(Skipper)
	return e
}

// finish works until nothing is left and puts the result into its order.
func (e *engine) finish() (*Image, error) {
	e.queue.run(max(e.opts.Workers, 1))
	if err := e.ctx.Err(); err != nil {
		return nil, err
	}
	im := &e.image
	im.Bytes, im.Files = e.opts.Budget.Spent()
	slices.SortFunc(im.Layers, func(a, b *Layer) int {
		return cmp.Or(cmp.Compare(a.Place.String(), b.Place.String()), cmp.Compare(a.key, b.key))
	})
	slices.SortStableFunc(im.Gaps, func(a, b fact.Gap) int {
		return cmp.Or(cmp.Compare(a.Place.String(), b.Place.String()), cmp.Compare(a.Size, b.Size), cmp.Compare(a.Why, b.Why))
	})
	im.Gaps = slices.CompactFunc(im.Gaps, func(a, b fact.Gap) bool {
		return a.Place.String() == b.Place.String() && a.Size == b.Size && a.Why == b.Why
	})
	for i := range im.Gaps {
		im.Gaps[i].ID = fmt.Sprintf("G%d", i+1)
	}
	return im, nil
}

// carve opens everything in b.
func (e *engine) carve(h *holder, b *Blob) {
	if e.ctx.Err() != nil || b.Size() == 0 {
		return
	}
	h.hold = &hold{b, h.index}
	asFile := h.inFile && !firmwareName(h.base)
	if err := e.opts.Budget.Depth(h.depth); err != nil {
		if !asFile || e.recognised(b) {
			e.gap(h, 0, b.Size(), "limit", err.Error())
		}
		return
	}
	l, damaged := e.start(h, b)
	if asFile {
		if l != nil {
			e.enter(h, l)
		} else if damaged != "" {
			kind, _, _ := strings.Cut(damaged, " ")
			e.gap(h, 0, b.Size(), kind, damaged)
		}
		return
	}
	c := &carving{holder: h, blob: b, cursor: e.scanner.cursor(b), damaged: damaged, at: 1}
	if l != nil {
		c.at, c.from = l.Size, l.Size
		e.after(c)
		e.enter(h, l)
		return
	}
	e.search(c)
}

// carving is where the search of a blob stands.
type carving struct {
	*holder
	blob    *Blob
	cursor  *cursor
	from    int64  // start of the bytes not yet explained
	at      int64  // where the next format may start
	damaged string // why what was recognised at from did not open
	refused int64
}

// after goes on with a search when what was found so far has been opened: so that one
// decompressed stream is done with before the next one takes its memory.
func (e *engine) after(c *carving) { e.queue.push(func() { e.search(c) }) }

// search looks for the next format in unknown bytes. Reading a header that lies costs
// far more than passing it by: what was refused too often is a limit.
func (e *engine) search(c *carving) {
	for c.at < c.blob.Size() && e.ctx.Err() == nil {
		hit, ok := c.cursor.next(c.at)
		if !ok {
			break
		}
		if c.refused > 1<<16+c.blob.Size()>>12 {
			c.damaged = fmt.Sprintf("limit of %d places that only look like a container", c.refused)
			break
		}
		l, why := e.openAt(c.holder, hit, c.blob)
		c.at = hit.at + 1
		if l == nil {
			c.refused++
			c.damaged = cmp.Or(c.damaged, why)
			continue
		}
		e.unknown(c.holder, c.blob, c.from, hit.at, c.damaged)
		c.damaged = ""
		c.from = hit.at + l.Size
		c.at = c.from
		e.after(c)
		e.enter(c.holder, l)
		return
	}
	if e.ctx.Err() == nil {
		e.unknown(c.holder, c.blob, c.from, c.blob.Size(), c.damaged)
	}
}

// recognised reports whether b begins like a container.
func (e *engine) recognised(b *Blob) bool {
	return slices.ContainsFunc(e.opts.Formats, func(f *Format) bool {
		return !f.Leaf && slices.ContainsFunc(f.Magic, func(m Magic) bool { return m.Offset >= 0 }) && startsWith(f, b)
	})
}

// start tries the formats that may lie at the first byte of b. It returns the one that
// opened, or the reason why a recognised one did not.
func (e *engine) start(h *holder, b *Blob) (l *Layer, damaged string) {
	for _, f := range e.opts.Formats {
		if e.ctx.Err() != nil || !startsWith(f, b) {
			continue
		}
		l, err := e.open(h, f, b, 0)
		if err == nil {
			return l, ""
		}
		if !errors.Is(err, ErrNot) && damaged == "" {
			damaged = refusal(err) + fmt.Sprintf(" %s: %v", f.Name, err)
		}
	}
	return nil, damaged
}

// openAt opens the format that was hit in the middle of unknown bytes, or another one
// whose magic lies at the same start. It returns why a recognised one did not open.
func (e *engine) openAt(h *holder, hit hit, b *Blob) (l *Layer, damaged string) {
	rest := b.From(hit.at)
	for _, f := range e.opts.Formats {
		if f != hit.format && (f.Weak || len(f.Magic) == 0 || !startsWith(f, rest)) {
			continue
		}
		l, err := e.open(h, f, b, hit.at)
		if err == nil {
			return l, ""
		}
		if !errors.Is(err, ErrNot) && !f.Leaf && damaged == "" {
			damaged = refusal(err) + fmt.Sprintf(" %s at %#x: %v", f.Name, hit.at, err)
		}
	}
	return nil, damaged
}

// refusal is the word for a format that was recognised but not opened.
func refusal(err error) string {
	if errors.Is(err, ErrUnsupported) {
		return "unsupported"
	}
	return "damaged"
}

// startsWith reports whether one of the magics of f lies where it should, if f has any at
// a fixed place.
func startsWith(f *Format, b *Blob) bool {
	fixed := false
	for _, m := range f.Magic {
		if m.Offset < 0 {
			continue
		}
		fixed = true
		if p, err := b.View(m.Offset, int64(len(m.Bytes))); err == nil && string(p) == m.Bytes {
			return true
		}
	}
	return !fixed
}

// open asks a format for what lies at an offset of b.
func (e *engine) open(h *holder, f *Format, b *Blob, at int64) (*Layer, error) {
	in := &Input{Blob: b.From(at), Budget: e.opts.Budget, Name: h.base}
	var c *Content
	err := guard(func() (err error) {
		c, err = f.Open(in)
		return err
	})
	if err != nil {
		return nil, err
	}
	damage := error(nil)
	if len(c.Parts) == 1 && c.Parts[0].Measure != nil {
		p := &c.Parts[0]
		if p.Blob, c.Size, damage = e.measure(p, in.Size()); p.Blob == nil {
			return nil, damage
		}
	}
	if c.Size <= 0 || c.Size > in.Size() {
		return nil, fmt.Errorf("size %d of %d bytes: %w", c.Size, in.Size(), ErrNot)
	}
	place := h.place
	place.Layers = append(slices.Clip(slices.Clone(h.place.Layers)), fact.Layer{Path: h.place.Path, Format: f.Name, Offset: h.origin + at})
	place.Path = ""
	l := &Layer{
		Parent: h.parent, Place: place, Format: f, Part: h.part, Offset: h.origin + at, Size: c.Size,
		Node: h.node, Attributes: c.Attributes, Nodes: c.Nodes, Blob: b.Slice(at, c.Size),
		key: below(h.key, 'a', at), hold: h.hold, at: at,
	}
	for _, g := range c.Gaps {
		g.Place = fact.Place{Input: place.Input, Layers: place.Layers, Path: g.Place.Path, Offset: g.Place.Offset}
		e.addGap(g)
	}
	if damage != nil {
		p := place
		p.Offset = c.Parts[0].Blob.Size()
		e.addGap(fact.Gap{Place: p, Reason: reason(damage), Why: cutAfter(f, p.Offset, damage)})
	}
	l.pending = c.Parts
	return l, nil
}

// measure decompresses a part whose length only its end tells. The blob is nil where
// nothing came of it: then it is not of the format, or damaged from the start.
func (e *engine) measure(p *Part, most int64) (b *Blob, size int64, err error) {
	b, err = e.store(func(w io.Writer) error { return p.Measure(w, &size) }, &size, p.Hint)
	if err != nil && (b.Size() == 0 || errors.Is(err, ErrNot)) {
		return nil, 0, err
	}
	return b, min(size, most), err
}

// cutAfter says where a stream broke off.
func cutAfter(f *Format, n int64, err error) string {
	return fmt.Sprintf("%s after %d bytes: %v", f.Name, n, err)
}

// below is the key of what lies at n in what has the key above: keys are ordered as the
// places that they stand for.
func below(above string, what byte, n int64) string {
	return string(binary.BigEndian.AppendUint64(append([]byte(above), what), uint64(n)))
}

// enter shows an opened layer and queues what it holds.
func (e *engine) enter(h *holder, l *Layer) {
	if l.Format.Leaf {
		if h.inFile && l.Offset == h.origin {
			return // the file itself, which the visitor has seen
		}
		place := h.place
		place.Offset = l.Offset
		e.visitor.Region(h.parent, h.part, place, l.Format, l.Blob)
		return
	}
	e.layer(l, h.depth)
	parts := l.pending
	l.pending = nil
	for i := len(parts) - 1; i >= 0; i-- {
		e.queue.push(func() { e.part(h, l, parts[i], i) })
	}
}

// part opens one part of a layer, of a given index.
func (e *engine) part(h *holder, l *Layer, p Part, index int) {
	if e.ctx.Err() != nil {
		return
	}
	key := below(l.key, 'p', int64(index))
	name := p.Name
	if name == "" && l.Format.Class == "compression" {
		name = strings.TrimSuffix(h.base, path.Ext(h.base))
	}
	in := &holder{parent: l, part: p.Name, base: baseName(name), depth: h.depth + 1, origin: p.Offset, place: l.Place, key: key, within: h.inFile || h.within, index: index}
	b := p.Blob
	if p.Measure != nil {
		in.origin = 0
	}
	if p.Stream != nil {
		in.origin = 0
		size := cmp.Or(p.Input, l.Size)
		var err error
		b, err = e.store(p.Stream, &size, p.Hint)
		if e.ctx.Err() != nil {
			return
		}
		if err != nil {
			e.gap(in, b.Size(), 0, reason(err), cutAfter(l.Format, b.Size(), err))
		}
	}
	if l.Format.Class == "compression" && h.inFile && !firmwareName(h.base) {
		// A compressed file of a file system is a file.
		n := &Node{Path: "/" + cmp.Or(in.base, "content"), Size: b.Size(), Data: b, Mode: 0o644}
		if h.node != nil {
			n.Mode, n.UID, n.GID, n.MTime = h.node.Mode, h.node.UID, h.node.GID, h.node.MTime
		}
		e.mu.Lock()
		l.Nodes = append(l.Nodes, n)
		e.mu.Unlock()
		e.file(l, []*Node{n}, h.depth+1, key)
		return
	}
	e.carve(in, b)
}

// layer records a layer, shows it, and queues its files in their order.
func (e *engine) layer(l *Layer, depth int) {
	if err := e.opts.Budget.Files(int64(len(l.Nodes))); err != nil {
		e.addGap(fact.Gap{Place: l.Place, Size: l.Size, Reason: "limit", Why: err.Error()})
		l.Nodes = nil
	}
	e.mu.Lock()
	e.image.Layers = append(e.image.Layers, l)
	e.visitor.Layer(l)
	e.mu.Unlock()

	// Tasks are made for some files at a time: there may be a million.
	groups := e.contents(l)
	for from := (len(groups) - 1) / batch * batch; from >= 0; from -= batch {
		e.queue.push(func() {
			for i := min(from+batch, len(groups)) - 1; i >= from; i-- {
				e.queue.push(func() { e.file(l, groups[i].nodes, depth+1, below(l.key, 'f', int64(groups[i].at))) })
			}
		})
	}
}

// batch is the number of files whose tasks are made at once.
const batch = 256

// content is one content of a layer: the nodes that share it, and the index of the first.
type content struct {
	nodes []*Node
	at    int
}

// contents groups the regular files of a layer by their content, in their order, and
// charges their bytes.
func (e *engine) contents(l *Layer) []*content {
	shared := map[uint64]*content{}
	var groups []*content
	for i, n := range l.Nodes {
		if n.Kind != File {
			continue
		}
		if g, ok := shared[n.Inode]; ok && n.Inode != 0 {
			g.nodes = append(g.nodes, n)
			continue
		}
		g := &content{[]*Node{n}, i}
		if n.Inode != 0 {
			shared[n.Inode] = g
		}
		if n.Unreadable != "" {
			e.addGap(fact.Gap{Place: l.PlaceOf(n.Path), Size: n.Size, Reason: "unreadable", Why: n.Unreadable})
			continue
		}
		if err := cmp.Or(e.opts.Budget.Size(n.Size), e.opts.Budget.Bytes(max(n.Size, 0))); err != nil {
			e.addGap(fact.Gap{Place: l.PlaceOf(n.Path), Size: n.Size, Reason: "limit", Why: err.Error()})
			continue
		}
		groups = append(groups, g)
		e.total.Add(n.Size)
	}
	slices.SortStableFunc(groups, func(a, b *content) int { return cmp.Compare(a.nodes[0].Order, b.nodes[0].Order) })
	return groups
}

// file reads one content, shows it, and opens it where it is a container.
func (e *engine) file(l *Layer, nodes []*Node, depth int, key string) {
	if e.ctx.Err() != nil {
		return
	}
	n := nodes[0]
	defer e.progress(l, n.Size)
	if e.skipper != nil && n.Extent != nil {
		h := sha256.New()
		if err := n.Extent(h); err == nil && e.skipper.Skip(l, nodes, [32]byte(h.Sum(nil))) {
			return
		}
	}
	b, err := e.content(n)
	if e.ctx.Err() != nil {
		return
	}
	if err != nil {
		e.addGap(fact.Gap{Place: l.PlaceOf(n.Path), Size: n.Size, Reason: reason(err), Why: err.Error()})
		if b == nil || b.Size() == 0 {
			return
		}
	}
	e.visitor.File(l, nodes, b)
	if b.Size() < 16 || quiet(n.Path) {
		return
	}
	e.carve(&holder{
		parent: l, node: n, base: path.Base(n.Path), depth: depth, inFile: true,
		place: l.PlaceOf(n.Path), key: key,
	}, b)
}

// content reads the content of a regular file.
func (e *engine) content(n *Node) (*Blob, error) {
	switch {
	case n.Data != nil:
		data, err := n.Data, error(nil)
		if data.Size() < n.Size {
			err = fmt.Errorf("ends %d bytes early", n.Size-data.Size())
		}
		data = data.Slice(0, n.Size)
		if data.Size() > e.opts.Budget.Limits().Memory {
			return data, err
		}
		var p []byte
		if bad := guard(func() (err error) { p, err = data.View(0, data.Size()); return err }); bad != nil {
			return nil, bad
		}
		return BytesBlob(p), err
	case n.Stream != nil:
		w := &exact{left: n.Size}
		return e.storeCharged(func(out io.Writer) error {
			w.Writer = out
			if err := n.Stream(w); err != nil {
				return err
			}
			if w.left > 0 {
				return fmt.Errorf("ends %d bytes early", w.left)
			}
			return nil
		}, n.Size)
	case n.Size > 0:
		return nil, errors.New("the reader gives no content")
	}
	return BytesBlob(nil), nil
}

// exact refuses to write more than was announced.
type exact struct {
	io.Writer
	left int64
}

func (w *exact) Write(p []byte) (int, error) {
	if int64(len(p)) > w.left {
		return 0, fmt.Errorf("content is longer than its entry says")
	}
	w.left -= int64(len(p))
	return w.Writer.Write(p)
}

// unknown accounts for the bytes between two regions.
func (e *engine) unknown(h *holder, b *Blob, from, to int64, damaged string) {
	if from >= to {
		return
	}
	region := b.Slice(from, to-from)
	front, back := padding(region)
	if front == region.Size() {
		if damaged == "" {
			e.pad(h, region.Size())
			return
		}
		front, back = 0, 0
	}
	e.pad(h, front+back)
	region = region.Slice(front, region.Size()-front-back)
	place := h.place
	place.Offset = h.origin + from + front
	seen := h.inFile && to-from == b.Size() // the visitor had the whole file
	if !seen && e.visitor.Region(h.parent, h.part, place, nil, region) != "" {
		return
	}
	if damaged != "" {
		kind, _, _ := strings.Cut(damaged, " ")
		e.gap(h, from+front, region.Size(), kind, damaged)
		return
	}
	why := describe(region)
	if seen && why == plainText {
		return // a text with the name of an image
	}
	// Unknown bytes in a file (a radio's firmware, say) qualify the report: they are not
	// known to hold a part of the system that the file lies in.
	e.addGap(fact.Gap{Place: place, Size: region.Size(), Reason: "opaque", Why: why, Reservation: h.inFile || h.within})
}

func (e *engine) pad(h *holder, n int64) {
	if h.parent != nil {
		return
	}
	e.mu.Lock()
	e.image.Padding += n
	e.mu.Unlock()
}

// gap records a gap in what h carves.
func (e *engine) gap(h *holder, at, size int64, reason, why string) {
	p := h.place
	p.Offset = h.origin + at
	e.addGap(fact.Gap{Place: p, Size: size, Reason: reason, Why: why})
}

func (e *engine) addGap(g fact.Gap) {
	if g.Hides == nil {
		g.Hides = fact.Kinds()
	}
	if g.Reason == "" {
		g.Reason = "damaged"
	}
	if quiet(g.Place.Path) {
		g.Reservation = true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.image.Gaps = append(e.image.Gaps, g)
	if len(g.Place.Layers) == 0 {
		e.image.Unknown += g.Size
	}
}

func (e *engine) progress(l *Layer, n int64) {
	files, done := e.files.Add(1), e.done.Add(n)
	if e.opts.Progress == nil {
		return
	}
	if last := e.reported.Load(); (done-last > 4<<20 || files%(1<<15) == 0) && e.reported.CompareAndSwap(last, done) {
		e.opts.Progress(Progress{Layer: l.Place.String(), Files: files, Done: done, Total: e.total.Load()})
	}
}

// reason tells a limit from damage.
func reason(err error) string {
	var limit *budget.LimitError
	if errors.As(err, &limit) {
		return "limit"
	}
	return "damaged"
}

// firmwareName reports whether a file's name says that it is an image of its own, whose
// unknown bytes are carved and count as gaps.
func firmwareName(base string) bool {
	low := strings.ToLower(base)
	switch path.Ext(low) {
	case ".bin", ".img", ".fw", ".rom", ".trx", ".chk", ".upd", ".firmware", ".dfu", ".swu", ".raucb", ".itb", ".ubi", ".mtd", ".flash", ".nand", ".hex", ".ihex", ".srec", ".s19", ".uf2", ".simg", ".jffs2", ".ubifs":
		return true
	}
	for _, p := range []string{"vmlinu", "zimage", "uimage", "bzimage", "initrd", "initramfs"} {
		if strings.HasPrefix(low, p) {
			return path.Ext(low) != ".c" && path.Ext(low) != ".h"
		}
	}
	return false
}

// baseName is the last element of a name that a container gives, empty where that is no
// file name.
func baseName(name string) string {
	base := name[strings.LastIndexByte(name, '/')+1:]
	if base == "." || base == ".." || strings.ContainsRune(base, 0) {
		return ""
	}
	return base
}

// quiet reports whether a path is documentation: seen, but not opened further.
func quiet(p string) bool {
	rest, ok := strings.CutPrefix(p, "/usr/share/")
	if !ok {
		return false
	}
	dir, _, _ := strings.Cut(rest, "/")
	switch dir {
	case "doc", "man", "info", "locale", "help", "icons", "fonts", "zoneinfo", "i18n", "terminfo", "keymaps", "consolefonts":
		return true
	}
	return false
}

// queue is work that makes more work: last in, first out, so that what is open is
// finished first.
type queue struct {
	mu      sync.Mutex
	cond    sync.Cond
	tasks   []func()
	running int
}

func (q *queue) push(task func()) {
	q.mu.Lock()
	q.tasks = append(q.tasks, task)
	q.mu.Unlock()
	if q.cond.L != nil {
		q.cond.Signal()
	}
}

// run works with n goroutines until no task is left and none runs.
func (q *queue) run(n int) {
	q.cond.L = &q.mu
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			for {
				for len(q.tasks) == 0 && q.running > 0 {
					q.cond.Wait()
				}
				if len(q.tasks) == 0 {
					q.cond.Broadcast()
					return
				}
				task := q.tasks[len(q.tasks)-1]
				q.tasks[len(q.tasks)-1] = nil
				q.tasks = q.tasks[:len(q.tasks)-1]
				q.running++
				q.mu.Unlock()
				task()
				q.mu.Lock()
				q.running--
			}
		})
	}
	wg.Wait()
}
