package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"path"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

// sqOld reads the layouts of SquashFS 2 and 3: bit fields in the order of the machine, owners
// in two plain tables, and in version 2 offsets of 32 bits.
type sqOld struct {
	*sqfs
	three  bool
	uids   []uint32
	gids   []uint32
	byRef  map[uint64]*image.Node // files, for those with several names
	linked uint64                 // the last number given to a file with several names
}

// sqSameOwner is the group that says: the number of the user.
const sqSameOwner = 255

// openOld reads a file system whose superblock begins with h.
func (s *sqfs) openOld(h []byte) (*image.Content, error) {
	x := &sqOld{sqfs: s, three: s.order.Uint16(h[28:]) == 3, byRef: map[uint64]*image.Node{}}
	if err := x.superblock(h); err != nil {
		return nil, err
	}
	s.unpack, s.exact = unpackEither(), true
	if err := x.owners(h); err != nil {
		return nil, err
	}
	if err := x.fragments(); err != nil {
		s.gap("", err)
	}
	s.cache = newFragments(s)
	root := &image.Node{Path: "/"}
	l, err := x.inode(s.rootInode, root)
	if err == nil && root.Kind != image.Dir {
		err = fmt.Errorf("it is a %s", root.Kind)
	}
	if err != nil {
		return nil, fmt.Errorf("root directory: %w", err)
	}
	s.nodes = append(s.nodes, root)
	if err := x.directory(root, l, 0); err != nil {
		return nil, err
	}
	c := &image.Content{Size: s.used, Nodes: s.nodes, Gaps: s.gaps, Attributes: map[string]string{
		"compression": x.codec(), "block": strconv.Itoa(s.block), "time": strconv.FormatUint(uint64(s.order.Uint32(h[39:])), 10),
		"version": fmt.Sprintf("%d.%d", s.order.Uint16(h[28:]), s.order.Uint16(h[30:])), "order": "little",
	}}
	if s.order == binary.BigEndian {
		c.Attributes["order"] = "big"
	}
	if magic := string(h[:4]); magic != "hsqs" && magic != "sqsh" {
		c.Attributes["magic"] = magic
	}
	if pad := padded(s.used, 4096); pad <= s.in.Size() && allZero(s.in.Blob, s.used, pad) {
		c.Size = pad
	}
	return c, nil
}

// codec says how the inodes are packed.
func (x *sqOld) codec() string {
	w, err := x.in.View(x.inodes, 4)
	switch {
	case err != nil || x.order.Uint16(w)&0x8000 != 0:
		return "none"
	case x.marked:
		w = w[1:]
	}
	if isZlib(w[2:]) || w[2] == 0x78 {
		return "gzip"
	}
	return "lzma"
}

// isZlib reports whether p begins with the header of zlib.
func isZlib(p []byte) bool {
	return len(p) >= 2 && p[0]&0x0f == 8 && p[0]>>4 <= 7 && (int(p[0])<<8|int(p[1]))%31 == 0
}

// unpackEither returns an unpacker of blocks that are zlib, or lzma in one of the forms
// that vendors write.
func unpackEither() unpacker {
	gzip, lzma := unpackZlib(), unpackLZMA()
	return func(dst, src []byte) ([]byte, error) {
		if isZlib(src) {
			if out, err := gzip(dst, src); err == nil && len(out) > 0 {
				return out, nil
			}
		}
		return lzma(dst, src)
	}
}

// superblock reads and checks the superblock.
func (x *sqOld) superblock(h []byte) error {
	o, s := x.order, x.sqfs
	at := func(narrow, wide int) int64 {
		if x.three {
			return int64(o.Uint64(h[wide:]))
		}
		return int64(o.Uint32(h[narrow:]))
	}
	s.head = 63
	if x.three {
		s.head = 119
		var err error
		if h, err = s.in.View(0, s.head); err != nil {
			return image.ErrNot
		}
	}
	s.inodeCount, s.block, s.fragCount = int(o.Uint32(h[4:])), int(o.Uint32(h[51:])), int(o.Uint32(h[55:]))
	s.marked = h[36]&4 != 0
	s.rootInode = o.Uint64(h[43:])
	s.used, s.ids, s.xattrs = at(8, 63), at(12, 71), at(16, 79) // the two tables of owners
	s.inodes, s.dirs, s.frags = at(20, 87), at(24, 95), at(59, 103)
	if s.block < 4096 || s.block > 1<<20 || bits.OnesCount(uint(s.block)) != 1 || int(o.Uint16(h[34:])) != bits.TrailingZeros(uint(s.block)) {
		return fmt.Errorf("block size %d: %w", s.block, image.ErrNot)
	}
	if s.used < s.head {
		return fmt.Errorf("size %d: %w", s.used, image.ErrNot)
	}
	if s.used > s.in.Size() {
		return fmt.Errorf("ends at %#x, past the end %#x", s.used, s.in.Size())
	}
	if s.inodes < s.head || s.inodes > s.dirs || s.dirs > s.used {
		return fmt.Errorf("inode table at %#x, directory table at %#x, of %#x bytes", s.inodes, s.dirs, s.used)
	}
	return nil
}

// owners reads the tables of users and groups.
func (x *sqOld) owners(h []byte) error {
	for _, t := range []struct {
		at    int64
		count byte
		to    *[]uint32
	}{{x.ids, h[37], &x.uids}, {x.xattrs, h[38], &x.gids}} {
		p, err := x.in.View(t.at, 4*int64(t.count))
		if t.count > 0 && err != nil {
			return fmt.Errorf("table of owners: %w", err)
		}
		for ; len(p) > 0; p = p[4:] {
			*t.to = append(*t.to, x.order.Uint32(p))
		}
	}
	return nil
}

// fragments reads the table of fragments.
func (x *sqOld) fragments() error {
	if x.fragCount == 0 {
		return nil
	}
	row, word := int64(8), int64(4)
	if x.three {
		row, word = 16, 8
	}
	total := int64(x.fragCount) * row
	if total > x.used*8 {
		return fmt.Errorf("fragment table: %d rows do not fit", x.fragCount)
	}
	index, err := x.in.View(x.frags, (total+sqMetaSize-1)/sqMetaSize*word)
	if err != nil {
		return fmt.Errorf("fragment table: %w", err)
	}
	number := func(p []byte) int64 {
		if x.three {
			return int64(x.order.Uint64(p))
		}
		return int64(x.order.Uint32(p))
	}
	for ; len(index) > 0; index = index[word:] {
		m, err := x.metaBlock(number(index))
		if err != nil {
			return fmt.Errorf("fragment table: %w", err)
		}
		for p := m.data; int64(len(p)) >= row && len(x.fragTable) < x.fragCount; p = p[row:] {
			size := x.order.Uint32(p[word:])
			x.fragTable = append(x.fragTable, sqFragment{number(p), int(size &^ (1 << 24)), size&(1<<24) == 0})
		}
	}
	return nil
}

// field returns the bit field of n bits that begins at a bit. Fields begin at the lowest
// bit of a little-endian machine, at the highest of a big-endian one.
func (x *sqOld) field(p []byte, bit, n int) int {
	v := 0
	for i := range n {
		b := p[(bit+i)/8]
		if x.order == binary.BigEndian {
			v = v<<1 | int(b>>(7-(bit+i)%8)&1)
		} else {
			v |= int(b>>((bit+i)%8)&1) << i
		}
	}
	return v
}

// directory lists one directory and what is below it.
func (x *sqOld) directory(dir *image.Node, l sqListing, depth int) error {
	if depth > 256 {
		x.gap(dir.Path, errors.New("directories are nested more than 256 deep"))
		return nil
	}
	head, each := 4, 3
	if x.three {
		head, each = 9, 5
	}
	c := &sqCursor{s: x.sqfs, at: x.dirs + l.block, off: l.offset}
	for left := l.size; left > 3; { // the size counts three bytes for . and ..
		h, err := c.take(head)
		if err != nil {
			x.gap(dir.Path, err)
			return nil
		}
		left -= head
		count, block := x.field(h, 0, 8)+1, 0
		if x.three {
			block = int(x.order.Uint32(h[1:]))
		} else {
			block = x.field(h, 8, 24)
		}
		for ; count > 0 && left > 3; count-- {
			e, err := c.take(each)
			if err != nil {
				x.gap(dir.Path, err)
				return nil
			}
			offset, size := x.field(e, 0, 13), x.field(e, 16, 8)+1
			name, err := c.take(size)
			if err != nil {
				x.gap(dir.Path, err)
				return nil
			}
			left -= each + size
			if err := x.entry(dir, string(name), uint64(block)<<16|uint64(offset), depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry adds one entry of a directory. Only a limit stops the walk.
func (x *sqOld) entry(dir *image.Node, name string, ref uint64, depth int) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		x.gap(dir.Path, fmt.Errorf("entry with the name %q", name))
		return nil
	}
	if int64(len(x.nodes)) >= x.in.Budget.Limits().Files {
		return fmt.Errorf("more than %d files", x.in.Budget.Limits().Files)
	}
	n := &image.Node{Path: path.Join(dir.Path, name)}
	if first := x.byRef[ref]; first != nil { // another name of a file
		if first.Inode == 0 {
			x.linked++
			first.Inode = x.linked
		}
		p := n.Path
		*n = *first
		n.Path = p
		x.nodes = append(x.nodes, n)
		return nil
	}
	l, err := x.inode(ref, n)
	if err != nil {
		x.gap(n.Path, err)
		return nil
	}
	x.nodes = append(x.nodes, n)
	if n.Kind != image.Dir {
		if n.Kind == image.File {
			x.byRef[ref] = n
		}
		return nil
	}
	if x.seen[ref] {
		x.gap(n.Path, errLoop)
		return nil
	}
	x.seen[ref] = true
	return x.directory(n, l, depth+1)
}

// inode reads an inode into n; for a directory it returns where the listing lies.
func (x *sqOld) inode(ref uint64, n *image.Node) (l sqListing, err error) {
	at := x.inodes + int64(ref>>16)
	if at >= x.dirs {
		return l, fmt.Errorf("inode at %#x: past the inode table", at)
	}
	c := &sqCursor{s: x.sqfs, at: at, off: int(ref & 0xffff)}
	h, err := c.take(4)
	if err != nil {
		return l, err
	}
	kind, uid, gid := x.field(h, 0, 4), int(h[2]), int(h[3])
	n.Mode = uint32(x.field(h, 4, 12))
	if uid >= len(x.uids) || gid >= len(x.gids) && gid != sqSameOwner {
		return l, fmt.Errorf("inode with the owner %d of %d, the group %d of %d", uid, len(x.uids), gid, len(x.gids))
	}
	n.UID, n.GID = int(x.uids[uid]), int(x.uids[uid])
	if gid != sqSameOwner {
		n.GID = int(x.gids[gid])
	}
	if x.three {
		if h, err = c.take(8); err != nil {
			return l, err
		}
		n.MTime = int64(x.order.Uint32(h))
	}
	wide := kind > sqSocket
	if wide && (kind == 8 || x.three && kind == 9) {
		kind -= 7
	}
	switch kind {
	case sqDir:
		n.Kind = image.Dir
		return x.dirInode(c, wide, n)
	case sqFile:
		return l, x.fileInode(c, wide, n)
	}
	if n.Kind = map[int]image.Kind{sqSymlink: image.Symlink, sqBlock: image.Block, sqChar: image.Char, sqFifo: image.Fifo, sqSocket: image.Socket}[kind]; n.Kind == 0 {
		return l, fmt.Errorf("inode of type %d", kind)
	}
	if x.three {
		if _, err = c.take(4); err != nil { // links
			return l, err
		}
	}
	if n.Kind == image.Fifo || n.Kind == image.Socket {
		return l, nil
	}
	if h, err = c.take(2); err != nil {
		return l, err
	}
	v := x.order.Uint16(h)
	if n.Kind != image.Symlink {
		n.Major, n.Minor = uint32(v>>8), uint32(v&0xff)
		return l, nil
	}
	if h, err = c.take(int(v)); err != nil {
		return l, err
	}
	n.Target, n.Size = string(h), int64(v)
	return l, nil
}

// dirInode reads the rest of the inode of a directory.
func (x *sqOld) dirInode(c *sqCursor, wide bool, n *image.Node) (l sqListing, err error) {
	skip, size, bits := 0, 11, 19 // version 2: sizes, time, start
	if x.three {
		skip, size = 4, 16
	}
	if wide {
		size, bits = size+3, 27
	}
	p, err := c.take(size)
	if err != nil {
		return l, err
	}
	p = p[skip:]
	l.size, l.offset = x.field(p, 0, bits), x.field(p, bits, 13)
	p = p[(bits+13)/8:]
	if x.three {
		l.block = int64(x.order.Uint32(p))
		return l, nil
	}
	n.MTime = int64(x.order.Uint32(p))
	l.block = int64(x.field(p, 32, 24))
	return l, nil
}

// fileInode reads the rest of the inode of a file.
func (x *sqOld) fileInode(c *sqCursor, wide bool, n *image.Node) error {
	f, o := &sqContent{s: x.sqfs}, x.order
	size := 20
	if wide {
		size = 28
	}
	h, err := c.take(size)
	if err != nil {
		return err
	}
	switch {
	case wide: // links first
		f.start, f.fragment, f.offset, f.size = int64(o.Uint64(h[4:])), o.Uint32(h[12:]), int(o.Uint32(h[16:])), int64(o.Uint64(h[20:]))
	case x.three:
		f.start, f.fragment, f.offset, f.size = int64(o.Uint64(h)), o.Uint32(h[8:]), int(o.Uint32(h[12:])), int64(o.Uint32(h[16:]))
	default: // a time first
		n.MTime = int64(o.Uint32(h))
		f.start, f.fragment, f.offset, f.size = int64(o.Uint32(h[4:])), o.Uint32(h[8:]), int(o.Uint32(h[12:])), int64(o.Uint32(h[16:]))
	}
	return f.list(c, n)
}
