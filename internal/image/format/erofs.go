package format

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var erofs = &image.Format{
	Name:  "erofs",
	Title: "EROFS, plain or with lz4, lzma, deflate or zstd",
	Class: "filesystem",
	Where: "read-only roots of recent Android and Linux devices, container images",
	Spec: "Linux Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h. Attributes: uuid, label, time, block_size, inodes, " +
		"compressed (true where a file is)",
	Limits: "files of which a part lies in the packed inode (fragments), deduplicated ones that use only a part of a cluster, and files on " +
		"further devices are named, not read; checksums are not compared; lzma, deflate and zstd are read as the specification says, no sample holds them",
	Magic: []image.Magic{{Offset: 1024, Bytes: "\xe2\xe1\xf5\xe0"}},
	Open:  openErofs,
}

// Features that change how things are read.
const (
	erofsPadded   = 0x1  // compressed data lies at the end of its blocks
	erofsFragment = 0x20 // or deduplication
	erofsKnown    = 0x7f
)

// Layouts of the data of an inode.
const (
	erofsPlain = iota
	erofsFull
	erofsInline
	erofsCompact
	erofsChunked
)

// eroFS is an EROFS that is being read.
type eroFS struct {
	in       *image.Input
	block    int64
	bits     int
	meta     int64 // where inodes are counted from
	xattrs   int64 // where shared attributes are counted from
	time     int64
	features uint32
	unpack   [4]unpacker
	content  *image.Content
	tree     *linkTree
	spare    int64 // bytes that links and attributes may still have
}

// eroInode is an inode.
type eroInode struct {
	at, end   int64 // of the inode; of its attributes
	layout    int
	mode      uint32
	uid, gid  int
	links     uint32
	size      int64
	time      int64
	word      uint32 // block, device or chunk format
	attrStart int64
}

func openErofs(in *image.Input) (*image.Content, error) {
	p, err := in.View(1024, 128)
	if err != nil {
		return nil, image.ErrNot
	}
	e := &eroFS{in: in, bits: int(p[12]), time: int64(le64(p[24:])), features: le32(p[80:]), spare: in.Size()}
	if e.bits < 9 || e.bits > 16 || p[90] != 0 {
		return nil, fmt.Errorf("blocks of 2^%d bytes: %w", p[12], image.ErrNot)
	}
	e.block = 1 << e.bits
	e.meta, e.xattrs = int64(le32(p[40:]))*e.block, int64(le32(p[44:]))*e.block
	size := int64(le32(p[36:])) * e.block
	if e.meta >= in.Size() || size < 1024+128 {
		return nil, fmt.Errorf("%d blocks, inodes at %#x: %w", size/e.block, e.meta, image.ErrNot)
	}
	if unknown := e.features &^ erofsKnown; unknown != 0 {
		return nil, fmt.Errorf("features %#x: %w", unknown, image.ErrUnsupported)
	}
	zstd, err := unpackZstd()
	if err != nil {
		return nil, err
	}
	e.unpack = [4]unpacker{unpackLZ4(), unpackMicroLZMA(), unpackDeflate(), zstd}
	if e.features&erofsPadded == 0 {
		e.unpack[0] = unpackOpenLZ4()
	}
	e.content = &image.Content{Size: min(size, in.Size()), Attributes: map[string]string{
		"uuid": uuid(p[48:64]), "time": strconv.FormatInt(e.time, 10), "block_size": strconv.FormatInt(e.block, 10),
		"inodes": strconv.FormatUint(le64(p[16:]), 10),
	}}
	if label := cstring(p[64:80]); label != "" {
		e.content.Attributes["label"] = label
	}
	if size > in.Size() {
		e.content.Gaps = append(e.content.Gaps, fact.Gap{Place: fact.Place{Offset: in.Size()}, Size: size - in.Size(), Reason: "damaged",
			Why: fmt.Sprintf("cut off: the superblock says %d bytes, there are %d", size, in.Size())})
	}
	e.in = &image.Input{Blob: in.Slice(0, size), Budget: in.Budget} // nothing of it lies behind its end
	root := uint64(le16(p[14:]))
	if i, err := e.inode(root); err != nil || i.mode&0o170000 != 0o040000 {
		return nil, fmt.Errorf("root directory: %w", errors.Join(err, image.ErrNot))
	}
	e.tree = newLinkTree(e.content, in)
	e.tree.inode = e.node
	e.tree.walk(root)
	return e.content, nil
}

// inode reads an inode by its number, which says where it lies.
func (e *eroFS) inode(number uint64) (i eroInode, err error) {
	if number > uint64(e.in.Size())/32 {
		return i, errors.New("past the end")
	}
	i.at = e.meta + int64(number)*32
	p, err := e.in.View(i.at, max(0, min(64, e.in.Size()-i.at)))
	if err != nil || len(p) < 32 {
		return i, fmt.Errorf("at %#x: past the end", i.at)
	}
	i.layout, i.mode, i.word = int(le16(p)>>1&7), uint32(le16(p[4:])), le32(p[16:])
	i.end = i.at + 32
	if le16(p)&1 != 0 {
		if len(p) < 64 {
			return i, fmt.Errorf("at %#x: cut off", i.at)
		}
		i.end = i.at + 64
		i.size, i.uid, i.gid = int64(le64(p[8:])), int(le32(p[24:])), int(le32(p[28:]))
		i.time, i.links = int64(le64(p[32:])), le32(p[44:])
	} else {
		i.size, i.uid, i.gid = int64(le32(p[8:])), int(le16(p[24:])), int(le16(p[26:]))
		i.time, i.links = e.time, uint32(le16(p[6:]))
	}
	i.attrStart = i.end
	if n := int64(le16(p[2:])); n > 0 {
		i.end += 12 + 4*(n-1)
	}
	if i.size < 0 {
		return i, fmt.Errorf("a size of %d bytes", uint64(i.size))
	}
	return i, nil
}

// node makes the node of an inode and, for a directory, lists its entries.
func (e *eroFS) node(number uint64) (*image.Node, error) {
	i, err := e.inode(number)
	if err != nil {
		return nil, err
	}
	kind, ok := modeKind(i.mode)
	if !ok {
		return nil, fmt.Errorf("mode %#o", i.mode)
	}
	n := &image.Node{Kind: kind, Mode: i.mode & 0o7777, UID: i.uid, GID: i.gid, MTime: i.time}
	if i.links > 1 && kind != image.Dir {
		n.Inode = number + 1
	}
	switch kind {
	case image.File:
		n.Size = i.size
		e.file(n, i)
	case image.Symlink:
		var p []byte
		b, err := e.flat(i)
		if e.spare -= i.size; err == nil && (i.size > maxPath || e.spare < 0) {
			err = fmt.Errorf("a target of %d bytes", i.size)
		}
		if err == nil {
			p, err = b.View(0, i.size)
		}
		if err != nil {
			return n, err
		}
		n.Target, n.Size = string(p), i.size
	case image.Char, image.Block:
		n.Major, n.Minor = i.word>>8&0xfff, i.word&0xff|i.word>>12&0xfff00
	case image.Dir:
		if err := e.entries(number, i); err != nil {
			return n, fmt.Errorf("directory: %w", err)
		}
	default: // the others have no content
	}
	return n, e.attributes(n, i)
}

// flat returns the content of an inode that is not compressed.
func (e *eroFS) flat(i eroInode) (*image.Blob, error) {
	at := int64(i.word) * e.block
	switch i.layout {
	case erofsPlain:
		if i.size > 0 && at+i.size > e.in.Size() {
			return nil, fmt.Errorf("bytes %#x+%#x past end %#x", at, i.size, e.in.Size())
		}
		return e.in.Slice(at, i.size), nil
	case erofsInline:
		tail := i.size % e.block
		whole := i.size - tail
		if i.size > e.in.Size() || tail > 0 && i.end%e.block+tail > e.block {
			return nil, fmt.Errorf("%d bytes, the last %d behind the inode", i.size, tail)
		}
		var list []run
		if whole > 0 {
			list = addRun(list, 0, at, whole)
		}
		if tail > 0 {
			list = addRun(list, whole, i.end, tail)
		}
		return blobOf(e.in.Blob, list, i.size), nil
	case erofsChunked:
		return e.chunks(i)
	}
	return nil, fmt.Errorf("layout %d: %w", i.layout, image.ErrUnsupported)
}

// chunks returns a content whose blocks a table lists.
func (e *eroFS) chunks(i eroInode) (*image.Blob, error) {
	each, row := e.block<<(i.word&31), int64(4)
	if i.word&0x20 != 0 {
		row = 8
	}
	if i.word&31 > 20 {
		return nil, fmt.Errorf("chunks of %d bytes", each)
	}
	count := (i.size + each - 1) / each
	table, err := e.in.View(padded(i.end, row), count*row)
	if err != nil {
		return nil, fmt.Errorf("table of chunks: %w", err)
	}
	var list []run
	for k := range count {
		p := table[k*row:]
		block := le32(p)
		if row == 8 {
			if block = le32(p[4:]); le16(p[2:]) != 0 {
				return nil, fmt.Errorf("chunk %d lies on device %d: %w", k, le16(p[2:]), image.ErrUnsupported)
			}
		}
		if block != 0xffffffff {
			list = addRun(list, k*each, int64(block)*e.block, min(each, i.size-k*each))
		}
	}
	return blobOf(e.in.Blob, list, i.size), nil
}

// file sets where the content of a regular file lies.
func (e *eroFS) file(n *image.Node, i eroInode) {
	n.Order = i.at
	if err := e.in.Budget.Size(i.size); err != nil {
		n.Unreadable = err.Error()
		return
	}
	if i.size == 0 {
		return
	}
	if i.layout == erofsFull || i.layout == erofsCompact {
		e.content.Attributes["compressed"] = "true"
		n.Stream = (&eroFile{e, i}).write
		return
	}
	b, err := e.flat(i)
	if err != nil {
		n.Unreadable = err.Error()
		return
	}
	n.Data = b
}

// entries reads the blocks of a directory: entries with the offsets of their names, then
// the names.
func (e *eroFS) entries(number uint64, i eroInode) error {
	b, err := e.flat(i)
	if err != nil {
		return err
	}
	for at := int64(0); at < i.size; at += e.block {
		p, err := b.View(at, min(e.block, i.size-at))
		if err != nil {
			return err
		}
		if len(p) < 12 {
			return fmt.Errorf("block at %#x of %d bytes", at, len(p))
		}
		first := int(le16(p[8:]))
		if first < 12 || first > len(p) || first%12 != 0 {
			return fmt.Errorf("block at %#x: names at %d", at, first)
		}
		for k := 0; k < first; k += 12 {
			from, to := int(le16(p[k+8:])), len(p)
			if k+12 < first {
				to = int(le16(p[k+20:]))
			}
			if from < first || to < from || to > len(p) {
				return fmt.Errorf("block at %#x: a name at %d to %d", at, from, to)
			}
			name := cstring(p[from:to])
			if name == "." || name == ".." {
				continue
			}
			child := le64(p[k:])
			if child == 0 { // the number 0 takes a name away, and lies in the superblock here
				return fmt.Errorf("block at %#x: %q has no inode", at, name)
			}
			e.tree.entries[number] = append(e.tree.entries[number], linkEntry{name, child})
		}
	}
	return nil
}

// attributes reads the extended attributes: those behind the inode, and those that
// several share.
func (e *eroFS) attributes(n *image.Node, i eroInode) error {
	if i.end == i.attrStart {
		return nil
	}
	p, err := e.in.View(i.attrStart, i.end-i.attrStart)
	if err != nil {
		return fmt.Errorf("extended attributes: %w", err)
	}
	n.XAttrs = map[string]string{}
	shared := int(p[4])
	if 12+4*shared > len(p) {
		return fmt.Errorf("extended attributes: %d shared ones", shared)
	}
	for k := range shared {
		at := e.xattrs + int64(le32(p[12+4*k:]))*4
		q, err := e.in.View(at, max(0, min(4+255+1<<16, e.in.Size()-at)))
		if err != nil || len(q) < 4 {
			return fmt.Errorf("extended attributes: a shared one at %#x", at)
		}
		if _, err := e.attribute(n, q); err != nil {
			return err
		}
	}
	for p = p[12+4*shared:]; len(p) >= 4 && le32(p) != 0; {
		size, err := e.attribute(n, p)
		if err != nil {
			return err
		}
		p = p[min(len(p), int(padded(int64(size), 4))):]
	}
	return nil
}

var erofsPrefixes = map[byte]string{1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.", 6: "security."}

// attribute reads one extended attribute and returns its size.
func (e *eroFS) attribute(n *image.Node, p []byte) (int, error) {
	name, value := int(p[0]), int(le16(p[2:]))
	if e.spare -= int64(name + value); 4+name+value > len(p) || e.spare < 0 {
		return 0, fmt.Errorf("extended attributes: a name of %d and a value of %d bytes", name, value)
	}
	prefix, ok := erofsPrefixes[p[1]]
	if !ok {
		prefix = strconv.Itoa(int(p[1])) + "."
	}
	n.XAttrs[prefix+string(p[4:4+name])] = string(p[4+name : 4+name+value])
	return 4 + name + value, nil
}
