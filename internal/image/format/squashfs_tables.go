package format

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

// sqTable is a table of metadata that is being written: blocks of 8 KiB, packed.
type sqTable struct {
	b      *sqWriter
	done   bytes.Buffer // blocks, packed
	open   []byte
	starts []int64 // where each block begins
}

// position is the reference of what is written next.
func (t *sqTable) position() (block int64, offset int) { return int64(t.done.Len()), len(t.open) }

func (t *sqTable) ref() uint64 {
	block, offset := t.position()
	return uint64(block)<<16 | uint64(offset)
}

func (t *sqTable) write(p []byte) {
	t.open = append(t.open, p...)
	for len(t.open) >= sqMetaSize {
		t.flush(sqMetaSize)
	}
}

func (t *sqTable) flush(n int) {
	t.starts = append(t.starts, int64(t.done.Len()))
	p := t.open[:n]
	word := uint16(n) | 0x8000
	if z := t.b.pack(p); z != nil {
		p, word = z, uint16(len(z))
	}
	t.done.Write(t.b.order.AppendUint16(nil, word))
	t.done.Write(p)
	t.open = slices.Clone(t.open[n:])
}

// end returns the table.
func (t *sqTable) end() []byte {
	if len(t.open) > 0 {
		t.flush(len(t.open))
	}
	return t.done.Bytes()
}

// indexed lays out rows as a table with an index of its blocks, and returns where the
// index lies.
func (b *sqWriter) indexed(rows []byte) int64 {
	t := &sqTable{b: b}
	t.write(rows)
	start := b.add(t.end())
	var index []byte
	for _, at := range t.starts {
		index = b.order.AppendUint64(index, uint64(start+at))
	}
	return b.add(index)
}

// layTables writes inodes, directories and all other tables, and the superblock.
func (b *sqWriter) layTables() error {
	inodes, dirs := &sqTable{b: b}, &sqTable{b: b}
	if err := b.directoryInode(b.root, uint32(len(b.entries)+1), inodes, dirs); err != nil {
		return err
	}
	o := b.order
	put := func(off int, v uint64) { o.PutUint64(b.head[off:], v) }
	put(64, uint64(b.add(inodes.end())))
	put(72, uint64(b.add(dirs.end())))
	put(80, ^uint64(0))
	if len(b.fragments) > 0 || b.frags != -1 {
		var rows []byte
		for _, f := range b.fragments {
			word := uint32(f.size)
			if !f.packed {
				word |= 1 << 24
			}
			rows = o.AppendUint32(o.AppendUint32(o.AppendUint64(rows, uint64(f.start)), word), 0)
		}
		put(80, uint64(b.indexed(rows)))
	}
	put(88, ^uint64(0))
	if b.flags&0x80 != 0 {
		var rows []byte
		for _, e := range b.entries {
			rows = o.AppendUint64(rows, e.ref)
		}
		put(88, uint64(b.indexed(rows)))
	}
	var rows []byte
	for _, id := range b.idList {
		rows = o.AppendUint32(rows, id)
	}
	put(48, uint64(b.indexed(rows)))
	put(56, ^uint64(0))
	if b.xattrs != -1 || len(b.xattrList) > 0 {
		put(56, uint64(b.xattrTables()))
		b.flags &^= 0x200
	}
	o.PutUint32(b.head[4:], uint32(len(b.entries)))
	o.PutUint32(b.head[16:], uint32(len(b.fragments)))
	o.PutUint16(b.head[24:], b.flags&^(1|2|8|0x100)) // what is packed says each block for itself
	o.PutUint16(b.head[26:], uint16(len(b.idList)))
	put(32, b.root.ref)
	put(40, uint64(b.at))
	if len(b.idList) > 0xffff {
		return fmt.Errorf("%d owners: %w", len(b.idList), image.ErrReadOnly)
	}
	return nil
}

// xattrTables lays out the extended attributes and returns where their header lies.
func (b *sqWriter) xattrTables() int64 {
	o := b.order
	values := &sqTable{b: b}
	var rows []byte
	for _, set := range b.xattrList {
		ref := values.ref()
		size := 0
		for _, key := range slices.Sorted(maps.Keys(set)) {
			kind, name := uint16(0), strings.TrimPrefix(key, "user.")
			for i, prefix := range []string{"user.", "trusted.", "security."} {
				if rest, ok := strings.CutPrefix(key, prefix); ok {
					kind, name = uint16(i), rest
				}
			}
			p := o.AppendUint16(o.AppendUint16(nil, kind), uint16(len(name)))
			p = append(p, name...)
			p = append(o.AppendUint32(p, uint32(len(set[key]))), set[key]...)
			values.write(p)
			size += len(p)
		}
		rows = o.AppendUint32(o.AppendUint32(o.AppendUint64(rows, ref), uint32(len(set))), uint32(size))
	}
	start := b.add(values.end())
	ids := &sqTable{b: b}
	ids.write(rows)
	first := b.add(ids.end())
	header := o.AppendUint32(o.AppendUint32(o.AppendUint64(nil, uint64(start)), uint32(len(b.xattrList))), 0)
	for _, at := range ids.starts {
		header = o.AppendUint64(header, uint64(first+at))
	}
	return b.add(header)
}

// id returns the index of an owner.
func (b *sqWriter) id(n int) uint16 {
	i, ok := b.ids[uint32(n)]
	if !ok {
		i = len(b.idList)
		b.ids[uint32(n)] = i
		b.idList = append(b.idList, uint32(n))
	}
	return uint16(i)
}

// xattrID returns the index of a set of extended attributes.
func (b *sqWriter) xattrID(set map[string]string) uint32 {
	if len(set) == 0 {
		return sqNone
	}
	var key strings.Builder
	for _, k := range slices.Sorted(maps.Keys(set)) {
		fmt.Fprintf(&key, "%q=%q ", k, set[k])
	}
	i, ok := b.xattrIDs[key.String()]
	if !ok {
		i = uint32(len(b.xattrList))
		b.xattrIDs[key.String()] = i
		b.xattrList = append(b.xattrList, set)
	}
	return i
}

// common is what every inode begins with.
func (b *sqWriter) common(kind uint16, e *sqEntry) []byte {
	o, n := b.order, e.node
	p := o.AppendUint16(o.AppendUint16(nil, kind), uint16(n.Mode&0o7777))
	p = o.AppendUint16(o.AppendUint16(p, b.id(n.UID)), b.id(n.GID))
	return o.AppendUint32(o.AppendUint32(p, uint32(n.MTime)), e.number)
}

// directoryInode writes the inodes below a directory, its listing and its inode.
func (b *sqWriter) directoryInode(e *sqEntry, parent uint32, inodes, dirs *sqTable) error {
	subdirs := 0
	for _, k := range e.kids {
		switch {
		case k.node.Kind == image.Dir:
			subdirs++
			if err := b.directoryInode(k.sqEntry, e.number, inodes, dirs); err != nil {
				return err
			}
		case !k.placed:
			if err := b.leafInode(k.sqEntry, inodes); err != nil {
				return err
			}
		}
	}
	block, offset := dirs.position()
	size := b.listing(e, dirs)
	e.ref, e.placed = inodes.ref(), true
	o, xattr := b.order, b.xattrID(e.node.XAttrs)
	if xattr == sqNone && size+3 <= 0xffff {
		p := b.common(sqDir, e)
		p = o.AppendUint32(o.AppendUint32(p, uint32(block)), uint32(2+subdirs))
		p = o.AppendUint16(o.AppendUint16(p, uint16(size+3)), uint16(offset))
		inodes.write(o.AppendUint32(p, parent))
	} else {
		p := b.common(sqDir+7, e)
		p = o.AppendUint32(o.AppendUint32(p, uint32(2+subdirs)), uint32(size+3))
		p = o.AppendUint32(o.AppendUint32(p, uint32(block)), parent)
		p = o.AppendUint16(o.AppendUint16(p, 0), uint16(offset))
		inodes.write(o.AppendUint32(p, xattr))
	}
	return nil
}

// listing writes the names of a directory, in runs of those whose inodes lie in the same
// block and whose numbers lie near.
func (b *sqWriter) listing(e *sqEntry, dirs *sqTable) (size int) {
	o := b.order
	for i := 0; i < len(e.kids); {
		first := e.kids[i]
		at := first.ref >> 16
		n := 1
		for i+n < len(e.kids) && n < 256 {
			k := e.kids[i+n]
			delta := int64(k.number) - int64(first.number)
			if k.ref>>16 != at || delta > 32767 || delta < -32768 {
				break
			}
			n++
		}
		p := o.AppendUint32(o.AppendUint32(o.AppendUint32(nil, uint32(n-1)), uint32(at)), first.number)
		for _, k := range e.kids[i : i+n] {
			kind := map[image.Kind]uint16{image.Dir: sqDir, image.File: sqFile, image.Symlink: sqSymlink, image.Block: sqBlock, image.Char: sqChar, image.Fifo: sqFifo, image.Socket: sqSocket}[k.node.Kind]
			p = o.AppendUint16(o.AppendUint16(p, uint16(k.ref&0xffff)), uint16(int16(int64(k.number)-int64(first.number))))
			p = append(o.AppendUint16(o.AppendUint16(p, kind), uint16(len(k.name)-1)), k.name...)
		}
		dirs.write(p)
		size += len(p)
		i += n
	}
	return size
}

// leafInode writes the inode of what is no directory.
func (b *sqWriter) leafInode(e *sqEntry, inodes *sqTable) error {
	o, n, xattr := b.order, e.node, b.xattrID(e.node.XAttrs)
	e.ref, e.placed = inodes.ref(), true
	extended := uint16(0)
	if xattr != sqNone {
		extended = 7
	}
	var p []byte
	switch n.Kind {
	case image.File:
		size := n.Size
		if e.old != nil {
			size = e.old.size
		}
		if extended != 0 || e.links > 1 || size > 0xffffffff || e.start > 0xffffffff {
			sparse := int64(0)
			for _, word := range e.sizes {
				if word == 0 {
					sparse += int64(b.block)
				}
			}
			p = b.common(sqFile+7, e)
			p = o.AppendUint64(o.AppendUint64(o.AppendUint64(p, uint64(e.start)), uint64(size)), uint64(sparse))
			p = o.AppendUint32(o.AppendUint32(p, uint32(e.links)), e.fragment)
			p = o.AppendUint32(o.AppendUint32(p, uint32(e.offset)), xattr)
		} else {
			p = b.common(sqFile, e)
			p = o.AppendUint32(o.AppendUint32(p, uint32(e.start)), e.fragment)
			p = o.AppendUint32(o.AppendUint32(p, uint32(e.offset)), uint32(size))
		}
		for _, word := range e.sizes {
			p = o.AppendUint32(p, word)
		}
	case image.Symlink:
		if len(n.Target) > 65535 {
			return fmt.Errorf("%q: target of %d bytes", n.Path, len(n.Target))
		}
		p = o.AppendUint32(o.AppendUint32(b.common(sqSymlink+extended, e), uint32(e.links)), uint32(len(n.Target)))
		p = append(p, n.Target...)
	default:
		kind := map[image.Kind]uint16{image.Block: sqBlock, image.Char: sqChar, image.Fifo: sqFifo, image.Socket: sqSocket}[n.Kind]
		p = o.AppendUint32(b.common(kind+extended, e), uint32(e.links))
		if kind == sqBlock || kind == sqChar {
			p = o.AppendUint32(p, n.Major<<8|n.Minor&0xff|(n.Minor&^0xff)<<12)
		}
	}
	if extended != 0 && n.Kind != image.File {
		p = o.AppendUint32(p, xattr)
	}
	inodes.write(p)
	return nil
}

// write writes what was laid out.
func (b *sqWriter) write(w io.Writer) error {
	if _, err := w.Write(b.head); err != nil {
		return err
	}
	for _, c := range b.chunks {
		if c.data != nil || c.size == 0 {
			if _, err := w.Write(c.data); err != nil {
				return err
			}
			continue
		}
		if _, err := b.in.Slice(c.start, c.size).WriteTo(w); err != nil {
			return err
		}
	}
	if pad := -b.at & 4095; pad > 0 {
		_, err := w.Write(make([]byte, pad))
		return err
	}
	return nil
}
