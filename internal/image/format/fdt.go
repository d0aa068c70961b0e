package format

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

// fdtNode is one node of a flattened device tree.
type fdtNode struct {
	name     string
	props    []fdtProp
	children []*fdtNode
}

// fdtProp is one property: where its value lies in the tree's bytes.
type fdtProp struct {
	name     string
	off, len int64
}

// fdt is a flattened device tree (Devicetree Specification 0.4, chapter 5).
type fdt struct {
	b    *image.Blob
	size int64 // totalsize
	root *fdtNode
}

const (
	fdtMagic    = "\xd0\x0d\xfe\xed"
	maxFDTNodes = 1 << 18 // and properties
	maxFDTDepth = 64
	maxFDTValue = 1 << 20 // of a property that is looked at; images are not
)

// openFDT reads the tree's structure. Values are read later: in a FIT they are whole
// kernels.
func openFDT(b *image.Blob) (*fdt, error) {
	h, err := b.View(0, 40)
	if err != nil {
		return nil, image.ErrNot
	}
	t := &fdt{b: b, size: int64(be32(h[4:]))}
	tree, names, version, compatible := int64(be32(h[8:])), int64(be32(h[12:])), be32(h[20:]), be32(h[24:])
	if version < 16 || version > 17 || compatible > version || tree < 40 || tree&3 != 0 || tree > t.size-8 || names > t.size {
		return nil, image.ErrNot
	}
	if t.size > b.Size() {
		return nil, fmt.Errorf("cut off: the header says %d bytes, there are %d", t.size, b.Size())
	}
	namesEnd := t.size
	if n := int64(be32(h[32:])); n <= t.size-names {
		namesEnd = names + n
	}
	w := &fdtWalk{t: t, at: tree, end: t.size, window: window{b: b.Slice(0, t.size)}}
	if w.names, err = b.View(names, min(namesEnd-names, maxFDTValue)); err != nil {
		return nil, err
	}
	if word, err := w.word(); err != nil || word != 1 {
		return nil, image.ErrNot
	}
	t.root, err = w.node(0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// fdtWalk reads the structure block.
type fdtWalk struct {
	t      *fdt
	at     int64
	end    int64
	names  []byte
	nodes  int
	window window
}

// window reads small pieces of a blob that follow each other.
type window struct {
	b   *image.Blob
	off int64
	buf []byte
}

// at returns n bytes at off, valid until the next call where the blob is not in memory.
func (w *window) at(off, n int64) ([]byte, error) {
	if off < w.off || off+n > w.off+int64(len(w.buf)) {
		if off < 0 || n < 0 || off > w.b.Size()-n {
			return nil, io.ErrUnexpectedEOF
		}
		p, err := w.b.View(off, min(max(n, 16<<10), w.b.Size()-off))
		if err != nil {
			return nil, err
		}
		w.off, w.buf = off, p
	}
	return w.buf[off-w.off:][:n], nil
}

func (w *fdtWalk) word() (uint32, error) {
	p, err := w.window.at(w.at, 4)
	if err != nil {
		return 0, fmt.Errorf("structure at %#x: %w", w.at, err)
	}
	w.at += 4
	return be32(p), nil
}

// node reads a node after its begin token.
func (w *fdtWalk) node(depth int) (*fdtNode, error) {
	w.nodes++
	if depth > maxFDTDepth || w.nodes > maxFDTNodes {
		return nil, errors.New("too many or too deep nodes")
	}
	n := &fdtNode{}
	var name []byte
	for {
		p, err := w.window.at(w.at, 4)
		if err != nil || len(name) > 1024 {
			return nil, fmt.Errorf("structure at %#x: name of a node without an end", w.at)
		}
		w.at += 4
		name = append(name, p...)
		if p[3] == 0 {
			break
		}
	}
	n.name = cstring(name)
	for {
		word, err := w.word()
		if err != nil {
			return nil, err
		}
		switch word {
		case 1: // FDT_BEGIN_NODE
			child, err := w.node(depth + 1)
			if err != nil {
				return nil, err
			}
			n.children = append(n.children, child)
		case 2: // FDT_END_NODE
			return n, nil
		case 3: // FDT_PROP
			p, err := w.window.at(w.at, 8)
			if err != nil {
				return nil, fmt.Errorf("structure at %#x: %w", w.at, err)
			}
			size, name := int64(be32(p)), int64(be32(p[4:]))
			w.at += 8
			if w.nodes++; w.nodes > maxFDTNodes {
				return nil, errors.New("too many properties")
			}
			if name >= int64(len(w.names)) || size > w.end-w.at {
				return nil, fmt.Errorf("structure at %#x: property of %d bytes, name at %#x", w.at, size, name)
			}
			n.props = append(n.props, fdtProp{name: cstring(w.names[name:min(name+256, int64(len(w.names)))]), off: w.at, len: size})
			w.at += (size + 3) &^ 3
		case 4: // FDT_NOP
		default:
			return nil, fmt.Errorf("structure at %#x: token %#x", w.at-4, word)
		}
	}
}

// child returns the node below n at a path, nil where there is none. A name without a
// unit address finds a node with one.
func (n *fdtNode) child(path ...string) *fdtNode {
	for _, want := range path {
		if n == nil {
			return nil
		}
		var found *fdtNode
		for _, c := range n.children {
			if bare, _, _ := strings.Cut(c.name, "@"); c.name == want || found == nil && bare == want {
				found = c
			}
		}
		n = found
	}
	return n
}

func (n *fdtNode) prop(name string) (fdtProp, bool) {
	if n != nil {
		for _, p := range n.props {
			if p.name == name {
				return p, true
			}
		}
	}
	return fdtProp{}, false
}

// bytes returns the value of a property, nil where it has none or one out of proportion.
func (t *fdt) bytes(n *fdtNode, name string) []byte {
	p, ok := n.prop(name)
	if !ok || p.len > maxFDTValue {
		return nil
	}
	v, err := t.b.View(p.off, p.len)
	if err != nil {
		return nil
	}
	return v
}

// text returns a property that is text; a list of texts is joined by commas.
func (t *fdt) text(n *fdtNode, name string) string {
	v := strings.TrimRight(string(t.bytes(n, name)), "\x00")
	return strings.ReplaceAll(v, "\x00", ",")
}

// cell returns a property of one number of 32 or 64 bits.
func (t *fdt) cell(n *fdtNode, name string) (int64, bool) {
	switch v := t.bytes(n, name); len(v) {
	case 4:
		return int64(be32(v)), true
	case 8:
		return int64(be64(v) & (1<<63 - 1)), true
	}
	return 0, false
}
