package image

import (
	"cmp"
	"context"
	"crypto/sha256"
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
	origin int64 // offset of the carved bytes in the parent's container (parts)
	inFile bool  // it came from a file of a file system: unknown bytes are just the file
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
	slices.SortFunc(im.Layers, func(a, b *Layer) int { return cmp.Compare(a.Place.String(), b.Place.String()) })
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
	if err := e.opts.Budget.Depth(h.depth); err != nil {
		e.gap(h, 0, b.Size(), "limit", err.Error())
		return
	}
	end, damaged := e.start(h, b)
	if end >= b.Size() {
		return
	}
	if h.inFile && !firmwareName(h.base) {
		if damaged != "" {
			kind, _, _ := strings.Cut(damaged, " ")
			e.gap(h, 0, b.Size(), kind, damaged)
		}
		return
	}
	from := end // start of the bytes not yet explained
	for at := end; at < b.Size() && e.ctx.Err() == nil; {
		hit, ok := e.scanner.next(b, at, at == 0)
		if !ok {
			break
		}
		l, why := e.openAt(h, hit, b)
		if l == nil {
			if damaged == "" {
				damaged = why
			}
			at = hit.at + 1
			continue
		}
		e.unknown(h, b, from, hit.at, damaged)
		damaged = ""
		e.enter(h, l, b)
		from = hit.at + l.Size
		at = from
	}
	e.unknown(h, b, from, b.Size(), damaged)
}

// start tries the formats that may lie at the first byte of b. It returns where the
// opened one ends, 0 if there is none, and the reason why a recognised one did not open.
func (e *engine) start(h *holder, b *Blob) (end int64, damaged string) {
	for _, f := range e.opts.Formats {
		if !startsWith(f, b) {
			continue
		}
		l, err := e.open(h, f, b, 0)
		if err == nil {
			e.enter(h, l, b)
			return l.Size, ""
		}
		if !errors.Is(err, ErrNot) && damaged == "" {
			damaged = refusal(err) + fmt.Sprintf(" %s: %v", f.Name, err)
		}
	}
	return 0, damaged
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
func (e *engine) open(h *holder, f *Format, b *Blob, at int64) (l *Layer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reader gave up: %v", r)
		}
	}()
	in := &Input{Blob: b.From(at), Budget: e.opts.Budget, Name: h.base}
	c, err := f.Open(in)
	if err != nil {
		return nil, err
	}
	if c.Size <= 0 || c.Size > in.Size() {
		return nil, fmt.Errorf("size %d of %d bytes: %w", c.Size, in.Size(), ErrNot)
	}
	place := h.place
	place.Layers = append(slices.Clip(slices.Clone(h.place.Layers)), fact.Layer{Path: h.place.Path, Format: f.Name, Offset: h.origin + at})
	place.Path = ""
	l = &Layer{
		Parent: h.parent, Place: place, Format: f, Part: h.part, Offset: h.origin + at, Size: c.Size,
		Node: h.node, Attributes: c.Attributes, Nodes: c.Nodes, Blob: b.Slice(at, c.Size),
	}
	for _, g := range c.Gaps {
		g.Place = fact.Place{Input: place.Input, Layers: place.Layers, Path: g.Place.Path, Offset: g.Place.Offset}
		e.addGap(g)
	}
	l.pending = c.Parts
	return l, nil
}

// enter shows an opened layer and queues what it holds.
func (e *engine) enter(h *holder, l *Layer, b *Blob) {
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
		p := parts[i]
		e.queue.push(func() { e.part(h, l, p) })
	}
}

// part opens one part of a layer.
func (e *engine) part(h *holder, l *Layer, p Part) {
	if e.ctx.Err() != nil {
		return
	}
	name := p.Name
	if name == "" && l.Format.Class == "compression" {
		name = strings.TrimSuffix(h.base, path.Ext(h.base))
	}
	in := &holder{parent: l, part: p.Name, base: path.Base(name), depth: h.depth + 1, origin: p.Offset, place: l.Place}
	b := p.Blob
	if p.Stream != nil {
		in.origin = 0
		size := p.Input
		if size == 0 {
			size = l.Size
		}
		var err error
		b, err = store(p.Stream, size, p.Hint, e.opts.Budget, e.opts.Spill)
		if err != nil {
			e.gap(in, b.Size(), 0, reason(err), fmt.Sprintf("%s after %d bytes: %v", l.Format.Name, b.Size(), err))
		}
	}
	if l.Format.Class == "compression" && h.inFile && !firmwareName(h.base) {
		// A compressed file of a file system is a file.
		n := &Node{Path: "/" + in.base, Size: b.Size(), Data: b, Mode: 0o644}
		if h.node != nil {
			n.Mode, n.UID, n.GID, n.MTime = h.node.Mode, h.node.UID, h.node.GID, h.node.MTime
		}
		e.mu.Lock()
		l.Nodes = append(l.Nodes, n)
		e.mu.Unlock()
		e.file(l, []*Node{n}, h.depth+1)
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

	groups := e.contents(l)
	for i := len(groups) - 1; i >= 0; i-- {
		g := groups[i]
		e.queue.push(func() { e.file(l, g, depth+1) })
	}
}

// contents groups the regular files of a layer by their content, in their order, and
// charges their bytes.
func (e *engine) contents(l *Layer) [][]*Node {
	shared := map[uint64]int{}
	var groups [][]*Node
	for _, n := range l.Nodes {
		if n.Kind != File {
			continue
		}
		if n.Inode != 0 {
			if i, ok := shared[n.Inode]; ok {
				groups[i] = append(groups[i], n)
				continue
			}
			shared[n.Inode] = len(groups)
		}
		if n.Unreadable != "" {
			e.addGap(fact.Gap{Place: l.PlaceOf(n.Path), Size: n.Size, Reason: "unreadable", Why: n.Unreadable})
			continue
		}
		if err := errors.Join(e.opts.Budget.Size(n.Size), e.opts.Budget.Bytes(n.Size)); err != nil {
			e.addGap(fact.Gap{Place: l.PlaceOf(n.Path), Size: n.Size, Reason: "limit", Why: err.Error()})
			continue
		}
		groups = append(groups, []*Node{n})
		e.total.Add(n.Size)
	}
	slices.SortStableFunc(groups, func(a, b []*Node) int { return cmp.Compare(a[0].Order, b[0].Order) })
	return groups
}

// file reads one content, shows it, and opens it where it is a container.
func (e *engine) file(l *Layer, nodes []*Node, depth int) {
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
		place: l.PlaceOf(n.Path),
	}, b)
}

// content reads the content of a regular file.
func (e *engine) content(n *Node) (b *Blob, err error) {
	defer func() {
		if r := recover(); r != nil {
			b, err = nil, fmt.Errorf("reader gave up: %v", r)
		}
	}()
	switch {
	case n.Data != nil:
		if n.Data.Size() > e.opts.Budget.Limits().Memory {
			return n.Data, nil
		}
		p, err := n.Data.View(0, n.Data.Size())
		if err != nil {
			return nil, err
		}
		return BytesBlob(p), nil
	case n.Stream != nil:
		w := &exact{left: n.Size}
		b, err := storeCharged(func(out io.Writer) error {
			w.Writer = out
			if err := n.Stream(w); err != nil {
				return err
			}
			if w.left > 0 {
				return fmt.Errorf("ends %d bytes early", w.left)
			}
			return nil
		}, n.Size, e.opts.Budget, e.opts.Spill)
		return b, err
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
	if e.visitor.Region(h.parent, h.part, place, nil, region) != "" {
		return
	}
	why := damaged
	kind, _, _ := strings.Cut(damaged, " ")
	if why == "" {
		why = describe(region)
		kind = "opaque"
	}
	e.gap(h, from+front, region.Size(), kind, why)
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
	if last := e.reported.Load(); done-last > 4<<20 && e.reported.CompareAndSwap(last, done) {
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
	case ".bin", ".img", ".fw", ".rom", ".trx", ".chk", ".upd", ".firmware", ".dfu", ".swu", ".raucb", ".itb", ".ubi", ".mtd", ".flash", ".nand":
		return true
	}
	for _, p := range []string{"vmlinu", "zimage", "uimage", "bzimage", "initrd", "initramfs", "kernel"} {
		if strings.HasPrefix(low, p) {
			return !strings.ContainsAny(path.Ext(low), "ch") || path.Ext(low) == ""
		}
	}
	return false
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
