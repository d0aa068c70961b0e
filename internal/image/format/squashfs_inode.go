package format

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"runtime"
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/image"
)

// walk lists all files, from the root down.
func (s *sqfs) walk() error {
	root := &image.Node{Path: "/"}
	listing, err := s.inode(s.rootInode, root)
	if err != nil {
		return fmt.Errorf("root directory: %w", err)
	}
	if root.Kind != image.Dir {
		return fmt.Errorf("root is a %s", root.Kind)
	}
	s.nodes = append(s.nodes, root)
	return s.directory(root, listing, 0)
}

// sqListing says where the entries of a directory lie.
type sqListing struct {
	block  int64
	offset int
	size   int
}

// directory lists one directory and what is below it.
func (s *sqfs) directory(dir *image.Node, l sqListing, depth int) error {
	if depth > 256 {
		s.gap(dir.Path, fmt.Errorf("directories are nested more than %d deep", depth))
		return nil
	}
	c := &sqCursor{s: s, at: s.dirs + l.block, off: l.offset}
	for left := l.size; left > 12; {
		h, err := c.take(12)
		if err != nil {
			s.gap(dir.Path, err)
			return nil
		}
		left -= 12
		count, block, number := int(s.order.Uint32(h))+1, int64(s.order.Uint32(h[4:])), s.order.Uint32(h[8:])
		if count > 256 {
			s.gap(dir.Path, fmt.Errorf("directory of %d entries in one run", count))
			return nil
		}
		for range count {
			if left < 8 {
				break
			}
			e, err := c.take(8)
			if err != nil {
				s.gap(dir.Path, err)
				return nil
			}
			offset, delta, size := s.order.Uint16(e), int16(s.order.Uint16(e[2:])), int(s.order.Uint16(e[6:]))+1
			name, err := c.take(size)
			if err != nil {
				s.gap(dir.Path, err)
				return nil
			}
			left -= 8 + size
			if err := s.entry(dir, string(name), uint64(block)<<16|uint64(offset), uint64(uint32(int32(number)+int32(delta))), depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry adds one entry of a directory. Only a limit stops the walk.
func (s *sqfs) entry(dir *image.Node, name string, ref, number uint64, depth int) error {
	if name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		s.gap(dir.Path, fmt.Errorf("entry with the name %q", name))
		return nil
	}
	if int64(len(s.nodes)) >= s.in.Budget.Limits().Files {
		return fmt.Errorf("more than %d files", s.in.Budget.Limits().Files)
	}
	n := &image.Node{Path: path.Join(dir.Path, name), Inode: number + 1}
	l, err := s.inode(ref, n)
	if err != nil {
		s.gap(n.Path, err)
		return nil
	}
	s.nodes = append(s.nodes, n)
	if n.Kind != image.Dir {
		return nil
	}
	if s.seen[ref] {
		s.gap(n.Path, errLoop)
		return nil
	}
	s.seen[ref] = true
	return s.directory(n, l, depth+1)
}

// inode reads an inode into n; for a directory it returns where the listing lies.
func (s *sqfs) inode(ref uint64, n *image.Node) (sqListing, error) {
	var l sqListing
	o := s.order
	at := s.inodes + int64(ref>>16)
	if at >= s.dirs {
		return l, fmt.Errorf("inode at %#x: past the inode table", at)
	}
	c := &sqCursor{s: s, at: at, off: int(ref & 0xffff)}
	h, err := c.take(16)
	if err != nil {
		return l, err
	}
	kind := o.Uint16(h)
	n.Mode = uint32(o.Uint16(h[2:])) & 0o7777
	uid, gid := int(o.Uint16(h[4:])), int(o.Uint16(h[6:]))
	n.MTime = int64(o.Uint32(h[8:]))
	if uid >= len(s.idTable) || gid >= len(s.idTable) {
		return l, fmt.Errorf("inode with owner %d of %d", max(uid, gid), len(s.idTable))
	}
	n.UID, n.GID = int(s.idTable[uid]), int(s.idTable[gid])
	if kind < sqDir || kind > sqSocket+7 {
		return l, fmt.Errorf("inode of type %d", kind)
	}
	extended := kind > sqSocket
	if extended {
		kind -= 7
	}
	xattr := uint32(sqNone)
	switch kind {
	case sqDir:
		n.Kind, n.Inode = image.Dir, 0
		l, xattr, err = s.dirInode(c, extended)
	case sqFile:
		xattr, err = s.fileInode(c, extended, n)
	case sqSymlink:
		n.Kind, n.Inode = image.Symlink, 0
		if h, err = c.take(8); err != nil {
			return l, err
		}
		size := int(o.Uint32(h[4:]))
		if size > 65536 {
			return l, fmt.Errorf("link of %d bytes", size)
		}
		if h, err = c.take(size); err == nil {
			n.Target, n.Size = string(h), int64(size)
		}
		if err == nil && extended {
			if h, err = c.take(4); err == nil {
				xattr = o.Uint32(h)
			}
		}
	default:
		n.Kind = map[uint16]image.Kind{sqBlock: image.Block, sqChar: image.Char, sqFifo: image.Fifo, sqSocket: image.Socket}[kind]
		n.Inode = 0
		size := 4
		if kind == sqBlock || kind == sqChar {
			size = 8
		}
		if extended {
			size += 4
		}
		if h, err = c.take(size); err != nil {
			return l, err
		}
		if kind == sqBlock || kind == sqChar {
			dev := o.Uint32(h[4:])
			n.Major, n.Minor = dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
		}
		if extended {
			xattr = o.Uint32(h[size-4:])
		}
	}
	if err != nil {
		return l, err
	}
	if xattr != sqNone && s.xattrs != -1 { // 4.0 has the field, but no table
		if n.XAttrs, err = s.xattr(xattr); err != nil {
			s.gap(n.Path, fmt.Errorf("extended attributes: %w", err))
		}
	}
	return l, nil
}

func (s *sqfs) dirInode(c *sqCursor, extended bool) (l sqListing, xattr uint32, err error) {
	o := s.order
	if !extended {
		h, err := c.take(16)
		if err != nil {
			return l, 0, err
		}
		return sqListing{int64(o.Uint32(h)), int(o.Uint16(h[10:])), int(o.Uint16(h[8:])) - 3}, sqNone, nil
	}
	h, err := c.take(24)
	if err != nil {
		return l, 0, err
	}
	return sqListing{int64(o.Uint32(h[8:])), int(o.Uint16(h[18:])), int(o.Uint32(h[4:])) - 3}, o.Uint32(h[20:]), nil
}

// sqContent is where the content of a file lies.
type sqContent struct {
	s        *sqfs
	start    int64
	size     int64
	sizes    []uint32 // of the blocks; bit 24 is not packed, 0 is sparse
	fragment uint32
	offset   int
}

func (s *sqfs) fileInode(c *sqCursor, extended bool, n *image.Node) (xattr uint32, err error) {
	o := s.order
	f := &sqContent{s: s}
	xattr = sqNone
	links := uint32(1)
	if extended {
		h, err := c.take(40)
		if err != nil {
			return 0, err
		}
		f.start, f.size = int64(o.Uint64(h)), int64(o.Uint64(h[8:]))
		links, f.fragment, f.offset, xattr = o.Uint32(h[24:]), o.Uint32(h[28:]), int(o.Uint32(h[32:])), o.Uint32(h[36:])
	} else {
		h, err := c.take(16)
		if err != nil {
			return 0, err
		}
		f.start, f.fragment, f.offset, f.size = int64(o.Uint32(h)), o.Uint32(h[4:]), int(o.Uint32(h[8:])), int64(o.Uint32(h[12:]))
	}
	if links < 2 {
		n.Inode = 0
	}
	return xattr, f.list(c, n)
}

// list reads the list of blocks, which follows the inode of a file, and sets what the
// node has of the content.
func (f *sqContent) list(c *sqCursor, n *image.Node) error {
	s := f.s
	n.Size = f.size
	if s.contents != nil {
		s.contents[n] = f
	}
	if f.size < 0 || f.start < 0 || f.start > s.used {
		return fmt.Errorf("file of %d bytes at %#x", f.size, f.start)
	}
	if err := s.in.Budget.Size(f.size); err != nil {
		n.Unreadable = err.Error()
		return nil
	}
	blocks := f.size / int64(s.block)
	if f.fragment == sqNone && f.size%int64(s.block) != 0 {
		blocks++
	}
	if blocks > s.used { // a block takes at least its size word, four bytes before packing
		return fmt.Errorf("file of %d blocks in %d bytes", blocks, s.used)
	}
	for range blocks {
		h, err := c.take(4)
		if err != nil {
			return err
		}
		f.sizes = append(f.sizes, s.order.Uint32(h))
	}
	n.Order = f.start
	if f.fragment != sqNone {
		if int(f.fragment) >= len(s.fragTable) {
			n.Unreadable = fmt.Sprintf("fragment %d of %d", f.fragment, len(s.fragTable))
			return nil
		}
		if len(f.sizes) == 0 {
			n.Order = s.fragTable[f.fragment].start
		}
	}
	if f.size > 0 {
		n.Stream, n.Extent = f.write, f.extent
	}
	return nil
}

// blockAt returns the i-th block's bytes on disk, whether they are packed, and its size
// when unpacked; nil bytes are zeros.
func (f *sqContent) blockAt(i int, at int64) (p []byte, packed bool, size int, err error) {
	size = int(min(int64(f.s.block), f.size-int64(i)*int64(f.s.block)))
	w := f.sizes[i]
	if w == 0 {
		return nil, false, size, nil
	}
	n := int64(w &^ (1 << 24))
	if n > int64(f.s.block)+4096 {
		return nil, false, size, fmt.Errorf("block %d at %#x: %d bytes on disk", i, at, n)
	}
	p, err = f.s.in.View(at, n)
	return p, w&(1<<24) == 0, size, err
}

// block unpacks one block into buf.
func (f *sqContent) unpackBlock(buf []byte, i int, at int64) ([]byte, error) {
	p, packed, size, err := f.blockAt(i, at)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		out := buf[:size]
		clear(out)
		return out, nil
	case packed:
		most := f.s.block
		if f.s.exact {
			most = size
		}
		if p, err = f.s.unpack(buf[:0:most], p); err != nil {
			return nil, fmt.Errorf("block %d at %#x: %w", i, at, err)
		}
	}
	if len(p) != size {
		return nil, fmt.Errorf("block %d at %#x: %d bytes, want %d", i, at, len(p), size)
	}
	return p, nil
}

// ahead is how many blocks a file must have to be unpacked by several goroutines.
const ahead = 8

// write writes the content to w.
func (f *sqContent) write(w io.Writer) error {
	if len(f.sizes) >= ahead && runtime.GOMAXPROCS(0) > 1 {
		if err := f.writeParallel(w); err != nil {
			return err
		}
	} else {
		buf := f.s.cache.buffer()
		defer f.s.cache.free(buf)
		at := f.start
		for i := range f.sizes {
			p, err := f.unpackBlock(buf, i, at)
			if err != nil {
				return err
			}
			if _, err := w.Write(p); err != nil {
				return err
			}
			at += int64(f.sizes[i] &^ (1 << 24))
		}
	}
	if f.fragment == sqNone {
		return nil
	}
	tail := int(f.size - int64(len(f.sizes))*int64(f.s.block))
	p, err := f.s.cache.get(f.fragment)
	if err != nil {
		return err
	}
	if f.offset < 0 || tail < 0 || f.offset+tail > len(p) {
		return fmt.Errorf("fragment %d: bytes %d+%d of %d", f.fragment, f.offset, tail, len(p))
	}
	_, err = w.Write(p[f.offset : f.offset+tail])
	return err
}

// writeParallel unpacks the blocks of a large file on all cores and writes them in their
// order.
func (f *sqContent) writeParallel(w io.Writer) error {
	type result struct {
		buf, p []byte
		err    error
	}
	n := runtime.GOMAXPROCS(0)
	slots := make(chan chan result, n)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(slots)
		at := f.start
		for i := range f.sizes {
			slot := make(chan result, 1)
			select {
			case slots <- slot:
			case <-stop:
				return
			}
			here := at
			wg.Go(func() {
				buf := f.s.cache.buffer()
				p, err := f.unpackBlock(buf, i, here)
				slot <- result{buf, p, err}
			})
			at += int64(f.sizes[i] &^ (1 << 24))
		}
	})
	var first error
	for slot := range slots {
		r := <-slot
		if first == nil {
			first = r.err
			if first == nil {
				_, first = w.Write(r.p)
			}
			if first != nil {
				close(stop)
			}
		}
		f.s.cache.free(r.buf)
	}
	wg.Wait()
	return first
}

// extent writes what identifies the content without unpacking it.
func (f *sqContent) extent(h hash.Hash) error {
	var b [8]byte
	put := func(v uint64) {
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	put(uint64(f.s.codec)<<32 | uint64(f.s.block))
	put(uint64(f.size))
	at := f.start
	for i, w := range f.sizes {
		p, _, _, err := f.blockAt(i, at)
		if err != nil {
			return err
		}
		put(uint64(w))
		h.Write(p)
		at += int64(w &^ (1 << 24))
	}
	if f.fragment != sqNone {
		sum, err := f.s.cache.digest(f.fragment)
		if err != nil {
			return err
		}
		h.Write(sum[:])
		put(uint64(f.offset))
	}
	return nil
}

// fragments unpacks fragment blocks once for all the files that share them, as long as
// they are read near each other, and lends buffers of a block's size.
type fragments struct {
	s    *sqfs
	pool sync.Pool

	mu      sync.Mutex
	live    map[uint32]*fragment
	recent  []uint32 // the live ones, oldest first
	keep    int
	digests map[uint32][32]byte
}

type fragment struct {
	once sync.Once
	data []byte
	err  error
}

func newFragments(s *sqfs) *fragments {
	c := &fragments{s: s, live: map[uint32]*fragment{}, keep: max(8, (16<<20)/s.block), digests: map[uint32][32]byte{}}
	c.pool.New = func() any { return make([]byte, 0, s.block) }
	return c
}

func (c *fragments) buffer() []byte { return c.pool.Get().([]byte) }

func (c *fragments) free(b []byte) {
	if b != nil {
		c.pool.Put(b[:0]) //nolint:staticcheck // a slice header is small beside its block
	}
}

// get returns the bytes of a fragment block.
func (c *fragments) get(i uint32) ([]byte, error) {
	c.mu.Lock()
	f := c.live[i]
	if f == nil {
		f = &fragment{}
		c.live[i] = f
		c.recent = append(c.recent, i)
		if len(c.recent) > c.keep {
			delete(c.live, c.recent[0])
			c.recent = c.recent[1:]
		}
	}
	c.mu.Unlock()
	f.once.Do(func() {
		row := c.s.fragTable[i]
		if row.size > c.s.block+4096 {
			f.err = fmt.Errorf("fragment %d: %d bytes on disk", i, row.size)
			return
		}
		p, err := c.s.in.View(row.start, int64(row.size))
		if err == nil && row.packed {
			p, err = c.s.unpack(make([]byte, 0, c.s.block), p)
		}
		if err != nil {
			f.err = fmt.Errorf("fragment %d at %#x: %w", i, row.start, err)
			return
		}
		f.data = p
	})
	return f.data, f.err
}

// digest returns the digest of a fragment block's bytes on disk.
func (c *fragments) digest(i uint32) ([32]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.digests[i]; ok {
		return d, nil
	}
	row := c.s.fragTable[i]
	p, err := c.s.in.View(row.start, int64(row.size))
	if err != nil {
		return [32]byte{}, err
	}
	c.digests[i] = sha256.Sum256(p)
	return c.digests[i], nil
}

// sqXattr is a row of the table of extended attributes.
type sqXattr struct {
	at    int64
	off   int
	count int
}

// readXattrs reads the table of extended attributes.
func (s *sqfs) readXattrs() error {
	h, err := s.in.View(s.xattrs, 16)
	if err != nil {
		return err
	}
	s.xattrStart = int64(s.order.Uint64(h))
	count := int(s.order.Uint32(h[8:]))
	b, err := s.rows("table", s.xattrs+16, count, 16)
	if err != nil {
		return err
	}
	for ; len(b) > 0; b = b[16:] {
		ref := s.order.Uint64(b)
		s.xattrTable = append(s.xattrTable, sqXattr{int64(ref >> 16), int(ref & 0xffff), int(s.order.Uint32(b[8:]))})
	}
	return nil
}

// xattr returns the extended attributes of an index.
func (s *sqfs) xattr(i uint32) (map[string]string, error) {
	if int(i) >= len(s.xattrTable) {
		return nil, fmt.Errorf("index %d of %d", i, len(s.xattrTable))
	}
	row := s.xattrTable[i]
	if row.count > 1000 {
		return nil, fmt.Errorf("%d of one file", row.count)
	}
	c := &sqCursor{s: s, at: s.xattrStart + row.at, off: row.off}
	out := map[string]string{}
	for range row.count {
		h, err := c.take(4)
		if err != nil {
			return out, err
		}
		kind, size := s.order.Uint16(h), int(s.order.Uint16(h[2:]))
		name, err := c.take(size)
		if err != nil {
			return out, err
		}
		prefix, ok := map[uint16]string{0: "user.", 1: "trusted.", 2: "security."}[kind&0xff]
		if !ok {
			return out, errors.New("prefix is unknown")
		}
		key := prefix + string(name)
		if h, err = c.take(4); err != nil {
			return out, err
		}
		size = int(s.order.Uint32(h))
		if size > 1<<16 {
			return out, fmt.Errorf("value of %d bytes", size)
		}
		value, err := c.take(size)
		if err != nil {
			return out, err
		}
		if kind&0x100 != 0 { // the value lies elsewhere
			if len(value) < 8 {
				return out, errors.New("reference is too short")
			}
			ref := s.order.Uint64(value)
			far := &sqCursor{s: s, at: s.xattrStart + int64(ref>>16), off: int(ref & 0xffff)}
			if h, err = far.take(4); err != nil {
				return out, err
			}
			size = int(s.order.Uint32(h))
			if size > 1<<16 {
				return out, fmt.Errorf("value of %d bytes", size)
			}
			if value, err = far.take(size); err != nil {
				return out, err
			}
		}
		out[key] = string(value)
	}
	return out, nil
}
