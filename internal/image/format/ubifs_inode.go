package format

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/vesalius-project/vesalius/internal/image"
)

// node makes the node of an inode.
func (u *ubiFiles) node(number uint64) (*image.Node, error) {
	leaf, ok := u.inodes[number]
	if !ok {
		return nil, errors.New("it is not in the index")
	}
	p, err := u.read(leaf.off, leaf.len, ubifsIno)
	if err != nil {
		return nil, err
	}
	mode := le32(p[104:])
	kind, ok := modeKind(mode)
	if !ok {
		return nil, fmt.Errorf("mode %#o", mode)
	}
	n := &image.Node{Kind: kind, Mode: mode & 0o7777, UID: int(le32(p[96:])), GID: int(le32(p[100:])), MTime: int64(le64(p[72:]))}
	if le32(p[92:]) > 1 && kind != image.Dir {
		n.Inode = number
	}
	inline := p[160:min(len(p), 160+int(min(le32(p[112:]), ubifsBlock)))]
	encrypted := le32(p[108:])&ubifsInodeEncrypted != 0
	switch kind {
	case image.File:
		n.Size = int64(le64(p[48:]))
		u.file(n, number)
		if encrypted {
			n.Unreadable = "encrypted (fscrypt)"
		}
	case image.Symlink:
		if n.Target = string(inline); encrypted {
			n.Target = ""
		}
		n.Size = int64(len(n.Target))
	case image.Char, image.Block:
		if len(inline) >= 4 {
			dev := le32(inline)
			n.Major, n.Minor = dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
		}
	case image.Dir:
		if encrypted {
			delete(u.tree.entries, number)
			return n, errors.New("encrypted directory (fscrypt)")
		}
	default: // the others have no content
	}
	return n, u.attributes(n, number)
}

// attributes reads the extended attributes: each is an inode of its own.
func (u *ubiFiles) attributes(n *image.Node, number uint64) error {
	list := effective(u.xattrs[number])
	if len(list) == 0 {
		return nil
	}
	n.XAttrs = map[string]string{}
	for _, e := range list {
		leaf, ok := u.inodes[e.number]
		if !ok {
			return fmt.Errorf("extended attribute %q: inode %d is not in the index", e.name, e.number)
		}
		p, err := u.read(leaf.off, leaf.len, ubifsIno)
		if err != nil {
			return fmt.Errorf("extended attribute %q: %w", e.name, err)
		}
		value := p[160:min(len(p), 160+int(min(le32(p[112:]), 1<<16)))]
		if u.spare -= len(value); u.spare < 0 {
			return fmt.Errorf("extended attribute %q: all together are longer than the image", e.name)
		}
		n.XAttrs[e.name] = string(value)
	}
	return nil
}

// file sets where the content of a regular file lies.
func (u *ubiFiles) file(n *image.Node, number uint64) {
	f := &ubifsFile{u: u, size: n.Size, pieces: latest(u.data[number])}
	if err := u.in.Budget.Size(n.Size); err != nil || n.Size > 1<<29*ubifsBlock {
		n.Unreadable = fmt.Sprintf("a file of %d bytes", n.Size)
		return
	}
	if n.Size == 0 {
		return
	}
	n.Stream, n.Extent = f.write, f.extent
	if len(f.pieces) > 0 {
		n.Order = f.pieces[0].off
	}
}

// latest returns the pieces that are left when of each block the last one counts, in
// their order.
func latest(all []ubifsPiece) []ubifsPiece {
	sorted := true
	for i, p := range all {
		sorted = sorted && p.len >= 0 && (i == 0 || all[i-1].block < p.block)
	}
	if sorted { // as the index gives them
		return all
	}
	// From the end: a block counts when no later piece has it or cuts it off.
	type numbered struct {
		ubifsPiece
		order int
	}
	kept, cut := make([]numbered, 0, len(all)), uint32(1<<30)
	for i := len(all) - 1; i >= 0; i-- {
		switch p := all[i]; {
		case p.len < 0:
			cut = min(cut, p.block)
		case p.block < cut:
			kept = append(kept, numbered{p, i})
		}
	}
	slices.SortFunc(kept, func(a, b numbered) int {
		return cmp.Or(cmp.Compare(a.block, b.block), cmp.Compare(b.order, a.order))
	})
	out := make([]ubifsPiece, 0, len(kept))
	for i, p := range kept {
		if i == 0 || kept[i-1].block != p.block {
			out = append(out, p.ubifsPiece)
		}
	}
	return out
}

// ubifsFile is the content of a file.
type ubifsFile struct {
	u      *ubiFiles
	size   int64
	pieces []ubifsPiece
}

// write writes the content to w.
func (f *ubifsFile) write(w io.Writer) error {
	buf := f.u.buffers.Get().(*[2 * ubifsBlock]byte)
	defer f.u.buffers.Put(buf)
	zeros, own := buf[ubifsBlock:], buf[:0:ubifsBlock]
	clear(zeros)
	at := int64(0)
	fill := func(to int64) error {
		for at < to {
			n, err := w.Write(zeros[:min(ubifsBlock, to-at)])
			if err != nil {
				return err
			}
			at += int64(n)
		}
		return nil
	}
	for _, p := range f.pieces {
		start := int64(p.block) * ubifsBlock
		if start >= f.size {
			break
		}
		if err := fill(start); err != nil {
			return err
		}
		data, err := f.u.block(own, p)
		if err != nil {
			return fmt.Errorf("block %d: %w", p.block, err)
		}
		data = data[:min(int64(len(data)), f.size-start)]
		if _, err := w.Write(data); err != nil {
			return err
		}
		at += int64(len(data))
	}
	return fill(f.size)
}

// block returns the content of a data node.
func (u *ubiFiles) block(buf []byte, piece ubifsPiece) ([]byte, error) {
	p, err := u.read(piece.off, piece.len, ubifsData)
	if err != nil {
		return nil, err
	}
	if len(p) < 48 {
		return nil, fmt.Errorf("node at %#x of %d bytes", piece.off, len(p))
	}
	size, kind := int(le32(p[40:])), int(le16(p[44:]))
	if size > ubifsBlock {
		return nil, fmt.Errorf("node at %#x holds %d bytes", piece.off, size)
	}
	data := p[48:]
	switch {
	case kind >= len(u.unpack):
		return nil, fmt.Errorf("node at %#x: compression %d: %w", piece.off, kind, image.ErrUnsupported)
	case kind > 0:
		if data, err = u.unpack[kind](buf, data); err != nil {
			return nil, fmt.Errorf("node at %#x: %w", piece.off, err)
		}
	}
	if len(data) != size {
		return nil, fmt.Errorf("node at %#x: %d bytes, want %d", piece.off, len(data), size)
	}
	return data, nil
}

// extent writes what identifies the content without unpacking it.
func (f *ubifsFile) extent(h hash.Hash) error {
	var b [8]byte
	put := func(v uint64) {
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	put(uint64(f.size))
	for _, piece := range f.pieces {
		p, err := f.u.read(piece.off, piece.len, ubifsData)
		if err != nil {
			return err
		}
		put(uint64(piece.block)<<32 | uint64(len(p)))
		h.Write(p[min(len(p), 40):])
	}
	return nil
}
