package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var cramfs = &image.Format{
	Name:  "cramfs",
	Title: "Compressed ROM file system, either byte order",
	Class: "filesystem",
	Where: "older cameras, recorders, printers and consoles",
	Spec: "Linux Documentation/filesystems/cramfs.rst, include/uapi/linux/cramfs_fs.h. Attributes: order (little, big), name, " +
		"files, edition, checksum (right, wrong, none)",
	Limits: "the format keeps no times, and of a group only the lowest 8 bits: a group above 255 reads as another one; " +
		"vendors' own compression instead of zlib is told as damage of each file",
	Magic: []image.Magic{
		{Offset: 0, Bytes: "\x45\x3d\xcd\x28"}, {Offset: 0, Bytes: "\x28\xcd\x3d\x45"},
		{Offset: 512, Bytes: "\x45\x3d\xcd\x28"}, {Offset: 512, Bytes: "\x28\xcd\x3d\x45"},
	},
	Open: openCramfs,
}

const (
	cramfsPage    = 4096
	cramfsVersion = 0x1   // the superblock has sizes and a checksum
	cramfsHoles   = 0x100 // blocks may be missing
	cramfsShifted = 0x400 // what the offsets do not say: boot code lies in front
	cramfsPointer = 0x800 // block pointers have flags
	cramfsKnown   = 0xfff
)

// cramFS is a cramfs that is being read.
type cramFS struct {
	in      *image.Input
	order   binary.ByteOrder
	flags   uint32
	content *image.Content
	unpack  unpacker
	seen    map[int64]bool
	spare   int64 // bytes that links may still have
}

// cramfsInode is an inode: twelve bytes of bit fields.
type cramfsInode struct {
	mode, uid, gid uint32
	size, offset   int64
	name           int
}

func (c *cramFS) inode(p []byte) cramfsInode {
	a, b, d := c.order.Uint32(p), c.order.Uint32(p[4:]), c.order.Uint32(p[8:])
	if c.order == binary.BigEndian { // bit fields begin at the other end
		return cramfsInode{a >> 16, a & 0xffff, b & 0xff, int64(b >> 8), int64(d&(1<<26-1)) * 4, int(d>>26) * 4}
	}
	return cramfsInode{a & 0xffff, a >> 16, b >> 24, int64(b & 0xffffff), int64(d>>6) * 4, int(d&63) * 4}
}

func openCramfs(in *image.Input) (*image.Content, error) {
	c := &cramFS{in: in, order: binary.LittleEndian, unpack: unpackZlib(), seen: map[int64]bool{}, spare: in.Size()}
	at := int64(0)
	p, err := in.View(0, min(76, in.Size()))
	if err != nil || len(p) < 76 {
		return nil, image.ErrNot
	}
	if magic := string(p[:4]); magic != "\x45\x3d\xcd\x28" && magic != "\x28\xcd\x3d\x45" {
		at = 512
		if p, err = in.View(at, 76); err != nil {
			return nil, image.ErrNot
		}
	}
	if p[0] == 0x28 {
		c.order = binary.BigEndian
	}
	if string(p[16:32]) != "Compressed ROMFS" {
		return nil, image.ErrNot
	}
	c.flags = c.order.Uint32(p[8:])
	root := c.inode(p[64:])
	size := int64(c.order.Uint32(p[4:]))
	if c.flags&^uint32(cramfsKnown) != 0 {
		return nil, fmt.Errorf("features %#x: %w", c.flags, image.ErrUnsupported)
	}
	if kind, _ := modeKind(root.mode); kind != image.Dir {
		return nil, fmt.Errorf("root with the mode %#o: %w", root.mode, image.ErrNot)
	}
	if c.flags&cramfsVersion == 0 { // the size stands nowhere
		size = in.Size()
	}
	if size < at+76 {
		return nil, fmt.Errorf("size %d: %w", size, image.ErrNot)
	}
	c.content = &image.Content{Size: min(size, in.Size()), Attributes: map[string]string{"order": "little", "checksum": "none"}}
	a := c.content.Attributes
	if c.order == binary.BigEndian {
		a["order"] = "big"
	}
	if name := strings.TrimRight(cstring(p[48:64]), " "); name != "" {
		a["name"] = name
	}
	if size > in.Size() {
		c.gap("", in.Size(), size-in.Size(), fmt.Errorf("cut off: the superblock says %d bytes, there are %d", size, in.Size()))
	} else if c.flags&cramfsVersion != 0 {
		a["edition"], a["files"], a["checksum"] = strconv.FormatUint(uint64(c.order.Uint32(p[36:])), 10), strconv.FormatUint(uint64(c.order.Uint32(p[44:])), 10), "right"
		if c.checksum(at, size) != c.order.Uint32(p[32:]) {
			a["checksum"] = "wrong"
			c.gap("", 0, size, errors.New("wrong checksum over the whole"))
		}
	}
	c.in = &image.Input{Blob: in.Slice(0, size), Budget: in.Budget} // nothing of it lies behind its end
	c.content.Nodes = append(c.content.Nodes, c.node("/", root))
	c.directory("/", root)
	return c.content, nil
}

// checksum is taken over all from the superblock on, with its own place zero.
func (c *cramFS) checksum(at, size int64) uint32 {
	sum := crc32.NewIEEE()
	_, _ = c.in.Slice(at, 32).WriteTo(sum)
	_, _ = sum.Write([]byte{0, 0, 0, 0})
	_, _ = c.in.Slice(at+36, size-at-36).WriteTo(sum)
	return sum.Sum32()
}

func (c *cramFS) gap(path string, at, size int64, err error) {
	if len(c.content.Gaps) < maxEntryGaps {
		c.content.Gaps = append(c.content.Gaps, fact.Gap{Place: fact.Place{Path: path, Offset: at}, Size: size, Reason: "damaged", Why: err.Error()})
	}
}

// node makes the node of an inode.
func (c *cramFS) node(path string, i cramfsInode) *image.Node {
	kind, _ := modeKind(i.mode)
	n := &image.Node{Path: path, Kind: kind, Mode: i.mode & 0o7777, UID: int(i.uid), GID: int(i.gid)}
	f := &cramfsFile{c, i}
	switch kind {
	case image.File:
		if n.Size, n.Order = i.size, i.offset; i.size > 0 {
			n.Stream = f.write
		}
	case image.Symlink:
		var b strings.Builder
		err := fmt.Errorf("a target of %d bytes", i.size)
		if c.spare -= i.size; i.size <= cramfsPage && c.spare >= 0 {
			err = f.write(&b)
		}
		if err != nil {
			c.gap(path, i.offset, 0, err)
		}
		n.Target, n.Size = b.String(), int64(b.Len())
	case image.Char, image.Block: // the size field holds the old form of a device number
		n.Major, n.Minor = uint32(i.size)>>8&0xff, uint32(i.size)&0xff|uint32(i.size)>>12&0xff00
	default:
	}
	return n
}

// directory lists what is below a directory. Each one may be entered once.
func (c *cramFS) directory(path string, dir cramfsInode) {
	if dir.size == 0 {
		return
	}
	if c.seen[dir.offset] {
		c.gap(path, dir.offset, dir.size, errors.New("directory occurs twice"))
		return
	}
	c.seen[dir.offset] = true
	p, err := c.in.View(dir.offset, dir.size)
	if err != nil {
		c.gap(path, dir.offset, dir.size, fmt.Errorf("directory: %w", err))
		return
	}
	for at := dir.offset; len(p) >= 12; {
		i := c.inode(p)
		if len(p) < 12+i.name || i.name == 0 {
			c.gap(path, at, int64(len(p)), fmt.Errorf("directory: a name of %d bytes, %d are left", i.name, len(p)-12))
			return
		}
		name := cstring(p[12 : 12+i.name])
		p, at = p[12+i.name:], at+12+int64(i.name)
		child, err := join(path, name)
		if _, ok := modeKind(i.mode); err == nil && !ok {
			err = fmt.Errorf("%q: mode %#o", name, i.mode)
		}
		if err != nil {
			c.gap(path, at, 0, err)
			continue
		}
		if int64(len(c.content.Nodes)) >= c.in.Budget.Limits().Files {
			c.content.Gaps = append(c.content.Gaps, fact.Gap{Place: fact.Place{Path: path}, Reason: "limit", Why: fmt.Sprintf("more than %d files", len(c.content.Nodes))})
			return
		}
		n := c.node(child, i)
		c.content.Nodes = append(c.content.Nodes, n)
		if n.Kind == image.Dir {
			c.directory(child, i)
		}
	}
}

// cramfsFile is the content of a file: a table of where each page ends, then the pages.
type cramfsFile struct {
	c *cramFS
	i cramfsInode
}

// write writes the content to w.
func (f *cramfsFile) write(w io.Writer) error {
	count := (f.i.size + cramfsPage - 1) / cramfsPage
	table, err := f.c.in.View(f.i.offset, 4*count)
	if err != nil {
		return fmt.Errorf("table of pages: %w", err)
	}
	buf := make([]byte, cramfsPage)
	start := f.i.offset + 4*count
	for k := range count {
		want := int(min(cramfsPage, f.i.size-k*cramfsPage))
		page, end, err := f.page(buf, f.c.order.Uint32(table[4*k:]), start, want)
		if err == nil && len(page) != want {
			err = fmt.Errorf("%d bytes, want %d", len(page), want)
		}
		if err != nil {
			return fmt.Errorf("page %d at %#x: %w", k, start, err)
		}
		if _, err := w.Write(page); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// page returns a page of want bytes, and where the next one begins.
func (f *cramfsFile) page(buf []byte, pointer uint32, start int64, want int) (page []byte, next int64, err error) {
	raw, end := false, int64(pointer)
	if f.c.flags&cramfsPointer != 0 && pointer>>30 != 0 {
		raw, end = pointer>>31 != 0, int64(pointer&(1<<30-1))
		if pointer>>30&1 != 0 { // it says where the page begins, in words
			start = end * 4
			if end = start + int64(want); !raw {
				p, err := f.c.in.View(start, 2)
				if err != nil {
					return nil, 0, err
				}
				start += 2
				end = start + int64(f.c.order.Uint16(p))
			}
		}
	}
	if end == start || end == 0 {
		if !raw && f.c.flags&cramfsHoles == 0 && f.c.flags&cramfsVersion != 0 && end == 0 {
			return nil, 0, errors.New("no end")
		}
		clear(buf[:want])
		return buf[:want], max(start, end), nil
	}
	if end < start || end-start > 2*cramfsPage {
		return nil, 0, fmt.Errorf("ends at %#x", end)
	}
	p, err := f.c.in.View(start, end-start)
	if err != nil || raw {
		return p, end, err
	}
	page, err = f.c.unpack(buf[:0:cramfsPage], p)
	return page, end, err
}
