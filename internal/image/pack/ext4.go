package pack

import (
	"encoding/binary"
	"fmt"
	"path"

	"github.com/vesalius-project/vesalius/internal/image"
)

const (
	extBlock  = 4096
	extInode  = 256
	extGroup  = 8 * extBlock // blocks in a group
	extFirst  = 11           // the first inode that is not reserved
	extInodes = 4096         // inodes in a group
)

// Ext4 writes an ext4 file system of size bytes (a multiple of 4 KiB): extents, no journal,
// no checksums, every file in one piece. It holds what fits into one block group of
// 128 MiB.
func Ext4(files []File, size int, label string) ([]byte, error) {
	if size > extGroup*extBlock || size%extBlock != 0 {
		return nil, fmt.Errorf("ext4: size %d is no multiple of %d up to %d", size, extBlock, extGroup*extBlock)
	}
	all, err := tree(append([]File{{Path: "/lost+found", Kind: image.Dir, Mode: 0o700}}, files...))
	if err != nil {
		return nil, fmt.Errorf("ext4: %w", err)
	}
	e := &ext{out: make([]byte, size), blocks: size / extBlock, next: 4 + extInodes*extInode/extBlock, files: all, kids: children(all)}
	if len(all)+extFirst > extInodes || e.next >= e.blocks {
		return nil, fmt.Errorf("ext4: %d files do not fit into %d bytes", len(all), size)
	}
	e.number = make([]uint32, len(all))
	next := uint32(extFirst + 1)
	for i, f := range all {
		switch f.Path {
		case "/":
			e.number[i] = 2
		case "/lost+found":
			e.number[i] = extFirst
		default:
			e.number[i] = next
			next++
		}
	}
	for i := range all {
		if err := e.inode(i); err != nil {
			return nil, err
		}
	}
	e.finish(label, int(next-1))
	return e.out, nil
}

type ext struct {
	out    []byte
	blocks int
	next   int // the next free block
	files  []File
	kids   map[string][]int
	number []uint32
	dirs   int
}

// store puts data into free blocks and returns the first.
func (e *ext) store(data []byte) (int, error) {
	n := (len(data) + extBlock - 1) / extBlock
	if e.next+n > e.blocks {
		return 0, fmt.Errorf("ext4: the files do not fit into %d bytes", len(e.out))
	}
	at := e.next
	e.next += n
	copy(e.out[at*extBlock:], data)
	return at, nil
}

// inode writes a file's content and inode.
func (e *ext) inode(i int) error {
	f := e.files[i]
	le := binary.LittleEndian
	p := e.out[4*extBlock+int(e.number[i]-1)*extInode:][:extInode]
	kinds := map[image.Kind]uint16{
		image.File: 0x8000, image.Dir: 0x4000, image.Symlink: 0xa000, image.Char: 0x2000,
		image.Block: 0x6000, image.Fifo: 0x1000, image.Socket: 0xc000,
	}
	data := f.Data
	links := 1
	if f.Kind == image.Dir {
		data = e.listing(i)
		links = 2
		for _, k := range e.kids[f.Path] {
			if e.files[k].Kind == image.Dir {
				links++
			}
		}
		e.dirs++
	}
	le.PutUint16(p[0:], kinds[f.Kind]|uint16(f.Mode))
	le.PutUint16(p[2:], uint16(f.UID))
	le.PutUint16(p[24:], uint16(f.GID))
	for _, at := range []int{8, 12, 16} {
		le.PutUint32(p[at:], uint32(f.MTime))
	}
	le.PutUint16(p[26:], uint16(links))
	le.PutUint16(p[128:], 32) // extra size
	switch f.Kind {
	case image.Char, image.Block:
		le.PutUint32(p[44:], f.Minor&0xff|f.Major<<8|f.Minor&^0xff<<12)
		return nil
	case image.Symlink:
		le.PutUint32(p[4:], uint32(len(f.Target)))
		if len(f.Target) < 60 {
			copy(p[40:100], f.Target)
			return nil
		}
		data = []byte(f.Target)
	case image.File, image.Dir:
	default:
		return nil
	}
	le.PutUint32(p[4:], uint32(len(data)))
	le.PutUint32(p[32:], 0x80000) // extents
	le.PutUint16(p[40:], 0xf30a)
	le.PutUint16(p[44:], 4)
	if len(data) == 0 {
		return nil
	}
	at, err := e.store(data)
	if err != nil {
		return err
	}
	n := (len(data) + extBlock - 1) / extBlock
	if n > 0x8000 {
		return fmt.Errorf("ext4: %q is too large for one extent", f.Path)
	}
	le.PutUint16(p[42:], 1)
	le.PutUint16(p[56:], uint16(n))
	le.PutUint32(p[60:], uint32(at))
	le.PutUint32(p[28:], uint32(n*extBlock/512))
	return nil
}

// listing returns the blocks of a directory.
func (e *ext) listing(i int) []byte {
	f := e.files[i]
	parent := uint32(2)
	if f.Path != "/" {
		for k, d := range e.files {
			if d.Path == path.Dir(f.Path) {
				parent = e.number[k]
			}
		}
	}
	types := map[image.Kind]byte{
		image.File: 1, image.Dir: 2, image.Char: 3, image.Block: 4, image.Fifo: 5, image.Socket: 6, image.Symlink: 7,
	}
	var out, block []byte
	last := 0 // where the last entry of the block begins
	put := func(ino uint32, kind byte, name string) {
		n := (8 + len(name) + 3) &^ 3
		if len(block)+n > extBlock {
			binary.LittleEndian.PutUint16(block[last+4:], uint16(extBlock-last))
			out = append(out, append(block, make([]byte, extBlock-len(block))...)...)
			block = nil
		}
		last = len(block)
		b := make([]byte, n)
		binary.LittleEndian.PutUint32(b, ino)
		binary.LittleEndian.PutUint16(b[4:], uint16(n))
		b[6], b[7] = byte(len(name)), kind
		copy(b[8:], name)
		block = append(block, b...)
	}
	put(e.number[i], 2, ".")
	put(parent, 2, "..")
	for _, k := range e.kids[f.Path] {
		put(e.number[k], types[e.files[k].Kind], path.Base(e.files[k].Path))
	}
	binary.LittleEndian.PutUint16(block[last+4:], uint16(extBlock-last))
	return append(out, append(block, make([]byte, extBlock-len(block))...)...)
}

// finish writes the superblock, the group and the bitmaps.
func (e *ext) finish(label string, lastInode int) {
	le := binary.LittleEndian
	used := make([]byte, extBlock)
	for b := range extGroup {
		if b < e.next || b >= e.blocks {
			used[b/8] |= 1 << (b % 8)
		}
	}
	copy(e.out[2*extBlock:], used)
	inodes := make([]byte, extBlock)
	for n := range extGroup {
		if n < lastInode || n >= extInodes {
			inodes[n/8] |= 1 << (n % 8)
		}
	}
	copy(e.out[3*extBlock:], inodes)

	g := e.out[extBlock:]
	le.PutUint32(g[0:], 2)
	le.PutUint32(g[4:], 3)
	le.PutUint32(g[8:], 4)
	le.PutUint16(g[12:], uint16(e.blocks-e.next))
	le.PutUint16(g[14:], uint16(extInodes-lastInode))
	le.PutUint16(g[16:], uint16(e.dirs))

	s := e.out[1024:]
	for at, v := range map[int]uint32{
		0: extInodes, 4: uint32(e.blocks), 12: uint32(e.blocks - e.next), 16: uint32(extInodes - lastInode),
		24: 2, 28: 2, 32: extGroup, 36: extGroup, 40: extInodes, 84: extFirst,
		76:  1,          // revision
		96:  0x2 | 0x40, // types in directories, extents
		100: 0x1 | 0x2,  // sparse superblocks, large files
	} {
		le.PutUint32(s[at:], v)
	}
	le.PutUint16(s[54:], 0xffff) // mounts until a check
	le.PutUint16(s[56:], 0xef53)
	le.PutUint16(s[58:], 1)
	le.PutUint16(s[60:], 1)
	le.PutUint16(s[88:], extInode)
	le.PutUint16(s[348:], 32)
	le.PutUint16(s[350:], 32)
	copy(s[104:120], "vesaliusreplica0") // the UUID
	copy(s[120:136], label)
}
