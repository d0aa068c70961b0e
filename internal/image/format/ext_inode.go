package format

import (
	"errors"
	"fmt"
	"sync"

	"github.com/vesalius-project/vesalius/internal/image"
)

// extInode is the bytes of one inode.
type extInode []byte

const (
	extFormat = 0xf000
	extDir    = 0x4000

	extFlagCompressed = 0x4
	extFlagEncrypt    = 0x800
	extFlagExtents    = 0x80000
	extFlagInline     = 0x10000000
)

func (i extInode) mode() uint32  { return uint32(le16(i)) }
func (i extInode) size() int64   { return int64(uint64(le32(i[4:])) | uint64(le32(i[108:]))<<32) }
func (i extInode) links() uint16 { return le16(i[26:]) }
func (i extInode) flags() uint32 { return le32(i[32:]) }
func (i extInode) map60() []byte { return i[40:100] }
func (i extInode) attrs() int64  { return int64(le32(i[104:])) | int64(le16(i[118:]))<<32 }
func (i extInode) uid() int      { return int(le16(i[2:])) | int(le16(i[120:]))<<16 }
func (i extInode) gid() int      { return int(le16(i[24:])) | int(le16(i[122:]))<<16 }

// extra returns how many bytes of the inode beyond 128 are fields.
func (i extInode) extra() int {
	if len(i) < 132 {
		return 0
	}
	return min(int(le16(i[128:])), len(i)-128)
}

// mtime is signed, with two bits more in inodes that have room for them.
func (i extInode) mtime() int64 {
	t := int64(int32(le32(i[16:])))
	if i.extra() >= 12 {
		t += int64(le32(i[136:])&3) << 32
	}
	return t
}

func (x *extFS) inode(ino uint32) (extInode, error) {
	if ino == 0 || ino > x.inodes {
		return nil, fmt.Errorf("inode %d of %d", ino, x.inodes)
	}
	group := (ino - 1) / x.inodesPer
	if int64(group) >= int64(len(x.tables)) {
		return nil, fmt.Errorf("inode %d: its group descriptor is cut off", ino)
	}
	table := x.tables[group]
	if table <= 0 || table >= x.blocks {
		return nil, fmt.Errorf("inode %d: its table is at block %d of %d", ino, table, x.blocks)
	}
	at := table*x.block + int64((ino-1)%x.inodesPer)*x.inodeSize
	start := at &^ (extChunk - 1)
	p, ok := x.chunks[start]
	if !ok {
		var err error
		if p, err = x.b.View(start, max(min(extChunk, x.b.Size()-start), 0)); err != nil {
			return nil, fmt.Errorf("inode %d: %w", ino, err)
		}
		if len(x.chunks) >= 1024 {
			clear(x.chunks)
		}
		x.chunks[start] = p
	}
	if at-start+x.inodeSize > int64(len(p)) {
		return nil, fmt.Errorf("inode %d at %#x is cut off", ino, at)
	}
	return extInode(p[at-start : at-start+x.inodeSize]), nil
}

// node makes the node of an inode. A node may come together with an error when something
// of it, its attributes, could not be read.
func (x *extFS) node(path string, ino uint32, in extInode) (*image.Node, error) {
	n := &image.Node{Path: path, Mode: in.mode() & 0o7777, UID: in.uid(), GID: in.gid(), MTime: in.mtime()}
	if in.links() > 1 {
		n.Inode = uint64(ino)
	}
	attrs, inline, attrErr := x.xattrs(in)
	n.XAttrs = attrs
	switch in.mode() & extFormat {
	case extDir:
		n.Kind, n.Inode = image.Dir, 0
	case 0x8000:
		n.Size = in.size()
		if err := x.file(n, in, inline); err != nil {
			n.Data, n.Unreadable = nil, err.Error()
		}
	case 0xa000:
		n.Kind = image.Symlink
		target, err := x.symlink(in, inline)
		if err != nil {
			return n, fmt.Errorf("symlink: %w", err)
		}
		n.Target, n.Size = target, int64(len(target))
	case 0x2000, 0x6000:
		n.Kind = image.Char
		if in.mode()&extFormat == 0x6000 {
			n.Kind = image.Block
		}
		if old := le32(in[40:]); old != 0 {
			n.Major, n.Minor = old>>8&0xff, old&0xff
		} else {
			dev := le32(in[44:])
			n.Major, n.Minor = dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
		}
	case 0x1000:
		n.Kind = image.Fifo
	case 0xc000:
		n.Kind = image.Socket
	default:
		return nil, fmt.Errorf("mode %#o is of no kind", in.mode())
	}
	return n, attrErr
}

// file sets the content of a regular file.
func (x *extFS) file(n *image.Node, in extInode, inline []byte) error {
	switch {
	case n.Size == 0:
		return nil
	case n.Size < 0:
		return fmt.Errorf("size %#x", uint64(n.Size))
	case in.flags()&extFlagEncrypt != 0:
		return errors.New("encrypted file (fscrypt)")
	case in.flags()&extFlagCompressed != 0 && x.incompat&extCompression != 0:
		return errors.New("compressed file (e2compr)")
	case in.flags()&extFlagInline != 0:
		p, err := x.inline(in, inline)
		n.Data = image.BytesBlob(p)
		return err
	}
	m := &extMap{x: x, flags: in.flags(), size: n.Size}
	copy(m.root[:], in.map60())
	if in.flags()&extFlagExtents != 0 {
		n.Order = int64(le32(m.root[20:])) | int64(le16(m.root[18:]))<<32 // of the first extent
		if le16(m.root[6:]) != 0 {
			n.Order = int64(le32(m.root[16:])) // of the first node of extents
		}
	} else {
		n.Order = int64(le32(m.root[:]))
	}
	if m.shallow() {
		list, err := m.runs()
		if err != nil {
			return err
		}
		n.Data = blobOf(x.b, list, n.Size)
		return nil
	}
	n.Data = image.ReaderBlob(m, n.Size)
	return nil
}

// inline returns a small content that lies in the inode itself: 60 bytes in the place of
// the block map, what is more as an attribute.
func (x *extFS) inline(in extInode, more []byte) ([]byte, error) {
	size := in.size()
	if size < 0 || size > 60+int64(len(more)) {
		return nil, fmt.Errorf("inline content of %d bytes, %d are there", size, 60+len(more))
	}
	return append(append(make([]byte, 0, 60+len(more)), in.map60()...), more...)[:size], nil
}

func (x *extFS) symlink(in extInode, inline []byte) (string, error) {
	size := in.size()
	if size <= 0 || size > 4096 {
		return "", fmt.Errorf("target of %d bytes", size)
	}
	if in.flags()&extFlagEncrypt != 0 {
		return "", errors.New("encrypted target (fscrypt)")
	}
	if in.flags()&extFlagInline != 0 {
		p, err := x.inline(in, inline)
		return cstring(p), err
	}
	if size < 60 && in.flags()&extFlagExtents == 0 {
		return cstring(in.map60()[:size]), nil
	}
	p, err := x.read(in, size)
	return cstring(p), err
}

// read returns the first size bytes of a mapped content.
func (x *extFS) read(in extInode, size int64) ([]byte, error) {
	m := &extMap{x: x, flags: in.flags(), size: size}
	copy(m.root[:], in.map60())
	list, err := m.runs()
	if err != nil {
		return nil, err
	}
	return blobOf(x.b, list, size).View(0, size)
}

// directory returns the blocks of a directory. Blocks that could be read come with the
// error that stopped it.
func (x *extFS) directory(in extInode) ([][]byte, error) {
	if in.flags()&extFlagInline != 0 {
		_, inline, err := x.xattrs(in)
		// The first four bytes name the parent instead of the entries . and ..
		return [][]byte{in.map60()[4:], inline}, err
	}
	size := in.size()
	if size < 0 || size > x.dirBytes {
		return nil, fmt.Errorf("%d bytes: more than the file system has left for directories", size)
	}
	x.dirBytes -= size
	p, err := x.read(in, size)
	if err != nil {
		return nil, err
	}
	var blocks [][]byte
	for len(p) > 0 {
		n := min(int(x.block), len(p))
		blocks = append(blocks, p[:n])
		p = p[n:]
	}
	return blocks, nil
}

// extMap is the block map of a file. It is worked out when the content is first read,
// unless it lies in the inode itself.
type extMap struct {
	x      *extFS
	root   [60]byte
	flags  uint32
	size   int64
	once   sync.Once
	reader runs
	err    error
}

// ReadAt reads as io.ReaderAt promises.
func (m *extMap) ReadAt(p []byte, off int64) (int, error) {
	m.once.Do(func() {
		m.reader.blob = m.x.b
		m.reader.list, m.err = m.runs()
	})
	if m.err != nil {
		return 0, m.err
	}
	return m.reader.ReadAt(p, off)
}

// shallow reports whether the inode alone has the whole map.
func (m *extMap) shallow() bool {
	if m.flags&extFlagExtents != 0 {
		return le16(m.root[6:]) == 0
	}
	return m.size <= 12*m.x.block
}

// runs returns where the content lies.
func (m *extMap) runs() ([]run, error) {
	w := &extWalk{x: m.x, end: (m.size-1)/m.x.block + 1}
	if m.flags&extFlagExtents != 0 {
		if err := w.extents(m.root[:], -1); err != nil {
			return nil, fmt.Errorf("extents: %w", err)
		}
		return w.list, nil
	}
	for i := range 15 {
		if err := w.indirect(le32(m.root[4*i:]), max(0, i-11)); err != nil {
			return nil, fmt.Errorf("block map: %w", err)
		}
	}
	return w.list, nil
}

// extWalk collects the blocks of one content. A content that maps more blocks than the
// file system has goes in a circle.
type extWalk struct {
	x      *extFS
	list   []run
	at     int64 // next block of the content
	end    int64 // block after its last
	mapped int64
}

func (w *extWalk) add(block, n int64) error {
	w.mapped += n
	if block <= 0 || block > w.x.blocks-n {
		return fmt.Errorf("blocks %d+%d of %d", block, n, w.x.blocks)
	}
	if w.mapped > w.x.blocks {
		return fmt.Errorf("more than the %d blocks of the file system", w.x.blocks)
	}
	w.list = addRun(w.list, w.at*w.x.block, block*w.x.block, n*w.x.block)
	return nil
}

// extents reads one node of an extent tree, which should have the given depth; -1 stands
// for the root, which says itself.
func (w *extWalk) extents(p []byte, depth int) error {
	entries, have := int(le16(p[2:])), int(le16(p[6:]))
	if le16(p) != 0xf30a || entries*12+12 > len(p) || have > 5 || depth >= 0 && (have != depth || entries == 0) {
		return fmt.Errorf("node with magic %#x, %d entries, depth %d", le16(p), entries, have)
	}
	for p = p[12:]; entries > 0; p, entries = p[12:], entries-1 {
		at := int64(le32(p))
		if at < w.at {
			return fmt.Errorf("block %d of the file after block %d", at, w.at)
		}
		if at >= w.end {
			return nil // allocated beyond the end of the file
		}
		if have > 0 {
			block := int64(le32(p[4:])) | int64(le16(p[8:]))<<32
			if block <= 0 || block >= w.x.blocks {
				return fmt.Errorf("node at block %d of %d", block, w.x.blocks)
			}
			node, err := w.x.b.View(block*w.x.block, w.x.block)
			if err != nil {
				return err
			}
			if err := w.extents(node, have-1); err != nil {
				return err
			}
			continue
		}
		n, block := int64(le16(p[4:])), int64(le32(p[8:]))|int64(le16(p[6:]))<<32
		w.at = at
		switch {
		case n > 32768: // allocated, never written: reads as zeros
			n -= 32768
		case n == 0:
			return errors.New("an extent without blocks")
		default:
			if err := w.add(block, n); err != nil {
				return err
			}
		}
		w.at = at + n
	}
	return nil
}

// indirect reads a block number of the classic map, level blocks of numbers above data.
func (w *extWalk) indirect(block uint32, level int) error {
	if w.at >= w.end {
		return nil
	}
	if block == 0 {
		span, per := int64(1), w.x.block/4
		for range level {
			span *= per
		}
		w.at += span
		return nil
	}
	if level == 0 {
		err := w.add(int64(block), 1)
		w.at++
		return err
	}
	w.mapped++
	if int64(block) >= w.x.blocks || w.mapped > w.x.blocks {
		return fmt.Errorf("block %d of %d", block, w.x.blocks)
	}
	p, err := w.x.b.View(int64(block)*w.x.block, w.x.block)
	if err != nil {
		return err
	}
	for ; len(p) > 0 && w.at < w.end; p = p[4:] {
		if err := w.indirect(le32(p), level-1); err != nil {
			return err
		}
	}
	return nil
}

// extPrefixes are the beginnings of attribute names, by their index.
var extPrefixes = map[byte]string{
	1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.", 6: "security.", 7: "system.", 8: "system.richacl",
}

const extAttrMagic = 0xea020000

// xattrs returns the extended attributes, which lie in the inode and in a block of their
// own, and apart from them the rest of an inline content.
func (x *extFS) xattrs(in extInode) (attrs map[string]string, inline []byte, err error) {
	var errs []error
	take := func(p []byte, base int) {
		for q := p[base:]; len(q) >= 16 && le32(q) != 0; {
			nameLen, at, size := int(q[0]), int64(le16(q[2:])), int64(le32(q[8:]))
			if 16+nameLen > len(q) {
				errs = append(errs, errors.New("attributes: a name passes the end"))
				return
			}
			name := extPrefixes[q[1]] + string(q[16:16+nameLen])
			value, err := x.value(p, at, size, le32(q[4:]))
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("attribute %q: %w", name, err))
			case q[1] == 7 && name == "system.data":
				inline = value
			default:
				if attrs == nil {
					attrs = map[string]string{}
				}
				attrs[name] = string(value)
			}
			q = q[min(len(q), (16+nameLen+3)&^3):]
		}
	}
	if body := in[128:][in.extra():]; len(in) > 128 && len(body) >= 8 && le32(body) == extAttrMagic {
		take(body[4:], 0)
	}
	if block := in.attrs(); block != 0 {
		p, err := x.b.View(block*x.block, x.block)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("attributes: %w", err))
		case le32(p) != extAttrMagic:
			errs = append(errs, fmt.Errorf("attributes: block %d is none of attributes", block))
		default:
			take(p, 32)
		}
	}
	return attrs, inline, errors.Join(errs...)
}

// value returns the value of an attribute: from the bytes p, or of an inode of its own.
func (x *extFS) value(p []byte, at, size int64, ino uint32) ([]byte, error) {
	if ino == 0 {
		if at+size > int64(len(p)) {
			return nil, fmt.Errorf("value at %#x+%#x of %#x", at, size, len(p))
		}
		return p[at : at+size], nil
	}
	if size > 64<<10 {
		return nil, fmt.Errorf("value of %d bytes", size)
	}
	in, err := x.inode(ino)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return nil, nil
	}
	return x.read(in, size)
}
