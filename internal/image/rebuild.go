package image

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrReadOnly is what a Format's Rebuild returns (perhaps wrapped) where it cannot write
// what was asked, although it reads it.
var ErrReadOnly = errors.New("cannot be written")

// Edit is a change of one entry of a layer, or of what its header says.
type Edit struct {
	Path string // empty: of the header

	// Set is what attributes of the header are to say; one that is empty goes.
	Set map[string]string

	// Node is what stands at Path afterwards, nil for nothing. Of a regular file Data or
	// Stream gives the content.
	Node *Node

	// Same says that the content of a regular file stays as it is, and only what Node
	// says beside it changes.
	Same bool
}

// Changes are all that becomes different in one container.
type Changes struct {
	Edits []Edit        // in the order of the paths, one for each path
	Parts map[int]*Blob // new bytes of parts, by their index in Content.Parts
	Room  int64         // the most bytes that the container may have afterwards
}

// Note is what a person should know about a container that was written again.
type Note struct {
	Layer *Layer
	Text  string
}

// Rebuild gives the bytes of an image again with the edits applied: what is not edited
// stays byte for byte as far as its containers allow, and each says where it does not.
// An image without edits is its own bytes. An edit that cannot be written, because the
// container has no writer, no room or a signature, is an error that says which; nothing
// is given then.
func Rebuild(ctx context.Context, im *Image, b *Blob, edits map[*Layer][]Edit, o Options) (*Blob, []Note, error) {
	r := &rebuilder{ctx: ctx, image: im, opts: o, changes: map[*Layer]*Changes{}}
	for l, list := range edits {
		if len(list) > 0 {
			c := r.of(l)
			c.Edits = slices.SortedStableFunc(slices.Values(list), func(a, b Edit) int { return cmp.Compare(a.Path, b.Path) })
		}
	}
	// What lies deepest is written first: its bytes are a change of what holds it.
	order := slices.Clone(im.Layers)
	slices.SortStableFunc(order, func(a, b *Layer) int { return cmp.Compare(b.depth(), a.depth()) })
	done := map[*hold]bool{}
	for _, l := range order {
		if r.changes[l] == nil || done[l.hold] {
			continue
		}
		done[l.hold] = true
		whole, err := r.hold(l.hold)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case l.Parent == nil:
			return whole, r.notes, nil
		case l.Node != nil && l.Parent.Format.Class == "compression":
			r.of(l.Parent).Parts = map[int]*Blob{0: whole}
		case l.Node != nil:
			n := *l.Node
			n.Data, n.Stream, n.Size = whole, nil, whole.Size()
			r.of(l.Parent).replace(Edit{Path: n.Path, Node: &n})
		default:
			c := r.of(l.Parent)
			if c.Parts == nil {
				c.Parts = map[int]*Blob{}
			}
			c.Parts[l.hold.index] = whole
		}
	}
	return b, r.notes, nil
}

// hold is what a layer was found in: the input, a part or a file.
type hold struct {
	blob  *Blob
	index int // of a part in its container
}

// depth counts the containers around a layer.
func (l *Layer) depth() (n int) {
	for p := l.Parent; p != nil; p = p.Parent {
		n++
	}
	return n
}

type rebuilder struct {
	ctx     context.Context
	image   *Image
	opts    Options
	changes map[*Layer]*Changes
	notes   []Note
}

func (r *rebuilder) of(l *Layer) *Changes {
	c := r.changes[l]
	if c == nil {
		c = &Changes{}
		r.changes[l] = c
	}
	return c
}

// replace puts an edit into its place; one of the same path gives way.
func (c *Changes) replace(e Edit) {
	i, found := slices.BinarySearchFunc(c.Edits, e.Path, func(x Edit, p string) int { return cmp.Compare(x.Path, p) })
	if found {
		c.Edits[i] = e
		return
	}
	c.Edits = slices.Insert(c.Edits, i, e)
}

// hold writes the input, part or file again in which changed layers lie.
func (r *rebuilder) hold(h *hold) (*Blob, error) {
	var within []*Layer
	for _, l := range r.image.Layers {
		if l.hold == h {
			within = append(within, l)
		}
	}
	slices.SortFunc(within, func(a, b *Layer) int { return cmp.Compare(a.at, b.at) })
	out := h.blob
	for i, l := range within {
		c := r.changes[l]
		if c == nil {
			continue
		}
		end := l.at + l.Size
		limit := h.blob.Size()
		if i+1 < len(within) {
			limit = within[i+1].at
		}
		room, fill, last := room(h.blob, end, limit)
		c.Room = l.Size + room
		if last {
			c.Room = 1 << 62
		}
		b, err := r.layer(l, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Place, err)
		}
		if b.Size() > c.Room {
			return nil, fmt.Errorf("%s: %d bytes, with room for %d: %w", l.Place, b.Size(), c.Room, ErrReadOnly)
		}
		pad := max(0, end-l.at-b.Size())
		if last && i == 0 && l.at == 0 && l.Size == h.blob.Size() {
			pad = 0 // it is all there is: nothing stands behind it at a fixed place
		}
		rest := h.blob.From(max(end, l.at+b.Size()))
		if out, err = r.splice(out.Slice(0, l.at), b, fill, pad, rest); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// room counts the bytes that only pad between the end of a layer and what follows, and
// says with which byte; last says that nothing else follows at all.
func room(b *Blob, end, limit int64) (n int64, fill byte, last bool) {
	if end >= b.Size() {
		return 0, 0, true
	}
	buf := make([]byte, 64<<10)
	for at := end; at < limit; {
		p := buf[:min(int64(len(buf)), limit-at)]
		if k, err := b.ReadAt(p, at); k < len(p) && err != nil {
			return n, fill, false
		}
		if at == end {
			fill = p[0]
		}
		if fill != 0 && fill != 0xff {
			return 0, 0, false
		}
		same := len(p) - len(bytes.TrimLeft(p, string([]byte{fill})))
		n += int64(same)
		if same < len(p) {
			return n, fill, false
		}
		at += int64(same)
	}
	return n, fill, false
}

// layer writes one container again.
func (r *rebuilder) layer(l *Layer, c *Changes) (*Blob, error) {
	if l.Format.Rebuild == nil {
		return nil, fmt.Errorf("no writer for %s: %w", l.Format.Title, ErrReadOnly)
	}
	in := &Input{Blob: l.Blob, Budget: r.opts.Budget, Name: l.Part}
	var notes []string
	b, err := r.keep(func(w io.Writer) (err error) {
		notes, err = l.Format.Rebuild(w, in, c)
		return err
	})
	for _, n := range notes {
		r.notes = append(r.notes, Note{l, n})
	}
	return b, err
}

func (r *rebuilder) keep(write func(io.Writer) error) (*Blob, error) {
	return keep(&storer{ctx: r.ctx, budget: r.opts.Budget, spill: r.opts.Spill, charged: true}, write, 0)
}

// splice joins what stands before a container, its new bytes, padding, and the rest.
func (r *rebuilder) splice(front, b *Blob, fill byte, pad int64, rest *Blob) (*Blob, error) {
	if front.Size() == 0 && pad == 0 && rest.Size() == 0 {
		return b, nil
	}
	return r.keep(func(w io.Writer) error {
		for _, part := range []*Blob{front, b} {
			if _, err := part.WriteTo(w); err != nil {
				return err
			}
		}
		filler := bytes.Repeat([]byte{fill}, 4096)
		for ; pad > 0; pad -= int64(len(filler)) {
			if _, err := w.Write(filler[:min(pad, int64(len(filler)))]); err != nil {
				return err
			}
		}
		_, err := rest.WriteTo(w)
		return err
	})
}
