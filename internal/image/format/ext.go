package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var ext = &image.Format{
	Name:  "ext",
	Title: "ext2, ext3 and ext4",
	Class: "filesystem",
	Where: "Linux devices with eMMC, SD or a disk: monitors, gateways, imaging consoles",
	Spec: "Linux kernel documentation, filesystems/ext4. Attributes: kind (ext2, ext3, ext4), uuid, label, last_mounted, block_size, " +
		"state (clean, not clean, errors), needs_recovery (true: the journal holds writes that are not in the tree), " +
		"missing (bytes that the file system has and the image lacks)",
	Limits:  "the journal is not replayed; files encrypted by fscrypt and compressed by e2compr are named, not read",
	Magic:   []image.Magic{{Offset: 0x438, Bytes: "\x53\xef"}},
	Open:    openExt,
	Rebuild: rebuildExt,
}

// Features of the superblock that change how things are read.
const (
	extCompression  = 0x1
	extRecover      = 0x4
	extJournalDev   = 0x8
	extMetaBG       = 0x10
	ext64Bit        = 0x80
	extEncrypt      = 0x10000
	extIncompatible = 0x3ffdf // all that this reader knows

	extSparseSuper  = 0x1   // ro_compat
	extBigAlloc     = 0x200 // ro_compat
	extMetadataCsum = 0x400 // ro_compat
	extRO4          = 0x8 | 0x10 | 0x20 | 0x40 | extBigAlloc | extMetadataCsum
	extIncompat4    = 0x40 | ext64Bit | 0x200 | 0x8000

	extHasJournal   = 0x4   // compat
	extSparseSuper2 = 0x200 // compat
)

// extFS is an opened file system.
type extFS struct {
	b          *image.Blob
	sb         []byte
	block      int64 // bytes
	blocks     int64
	first      int64 // first data block
	perGroup   int64 // blocks
	inodes     uint32
	inodesPer  uint32
	inodeSize  int64
	descSize   int64 // of a group descriptor
	incompat   uint32
	tables     []int64 // the inode table of each group, a block
	chunks     map[int64][]byte
	dirBytes   int64 // that directories may still have, together
	dirs       map[uint32]bool
	linked     map[uint32]*image.Node
	maxNodes   int64
	content    *image.Content
	moreGaps   int
	limitNoted bool
}

// extChunk is how much of an inode table is read at once.
const extChunk = 16 << 10

func openExt(in *image.Input) (*image.Content, error) {
	x, err := extSuper(in.Blob)
	if err != nil {
		return nil, err
	}
	x.maxNodes = in.Budget.Limits().Files
	x.content = &image.Content{Size: x.blocks * x.block, Attributes: x.attributes()}
	if err := x.descriptors(); err != nil {
		return nil, err
	}
	root, err := x.inode(2)
	if err != nil {
		return nil, fmt.Errorf("root directory: %w", err)
	}
	if root.mode()&extFormat != extDir {
		return nil, fmt.Errorf("root directory: mode %#o is no directory: %w", root.mode(), image.ErrNot)
	}
	if x.content.Size > in.Size() {
		// Often only free blocks are left off; files that miss theirs say so themselves.
		x.content.Attributes["missing"] = strconv.FormatInt(x.content.Size-in.Size(), 10)
		x.content.Size = in.Size()
	}
	if le32(x.sb[0x64:])&extMetadataCsum != 0 && x.sb[0x175] == 1 {
		if sum := ^crc32.Checksum(x.sb[:0x3fc], crc32.MakeTable(crc32.Castagnoli)); sum != le32(x.sb[0x3fc:]) {
			x.gap("", 1024, 1024, errors.New("superblock: wrong checksum"))
		}
	}
	x.walk("/", 2)
	if x.moreGaps > 0 {
		x.content.Gaps = append(x.content.Gaps, fact.Gap{Why: fmt.Sprintf("%d more entries cannot be read", x.moreGaps), Reason: "damaged"})
	}
	return x.content, nil
}

func le16(p []byte) uint16 { return binary.LittleEndian.Uint16(p) }
func le32(p []byte) uint32 { return binary.LittleEndian.Uint32(p) }
func le64(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }
func be16(p []byte) uint16 { return binary.BigEndian.Uint16(p) }
func be32(p []byte) uint32 { return binary.BigEndian.Uint32(p) }
func be64(p []byte) uint64 { return binary.BigEndian.Uint64(p) }

// extSuper reads the superblock. Its magic has two bytes only: what is not consistent
// is not of the format.
func extSuper(b *image.Blob) (*extFS, error) {
	sb, err := b.View(1024, 1024)
	if err != nil {
		return nil, image.ErrNot
	}
	logBlock := le32(sb[0x18:])
	if le16(sb[0x38:]) != 0xef53 || logBlock > 6 || le16(sb[0x5a:]) != 0 || le32(sb[0x4c:]) > 1 {
		return nil, image.ErrNot
	}
	x := &extFS{
		b: b, sb: sb, block: 1024 << logBlock, first: int64(le32(sb[0x14:])), perGroup: int64(le32(sb[0x20:])),
		inodes: le32(sb), inodesPer: le32(sb[0x28:]), inodeSize: 128, dirs: map[uint32]bool{}, linked: map[uint32]*image.Node{},
		chunks: map[int64][]byte{}, blocks: int64(le32(sb[4:])),
	}
	if le32(sb[0x4c:]) == 1 {
		x.inodeSize = int64(le16(sb[0x58:]))
		x.incompat = le32(sb[0x60:])
	}
	if x.incompat&ext64Bit != 0 {
		x.blocks |= int64(le32(sb[0x150:])) << 32
	}
	bits := x.block * 8
	switch {
	case x.blocks < 8 || x.blocks > 1<<48/x.block || x.inodes == 0 || x.perGroup < 8 || x.inodesPer == 0,
		int64(x.inodesPer) > bits || x.inodesPer > x.inodes,
		x.perGroup > bits && le32(sb[0x64:])&extBigAlloc == 0 || x.perGroup > bits<<10,
		x.first > 1 || x.first >= x.blocks || x.first == 1 && x.block != 1024,
		x.inodeSize < 128 || x.inodeSize > min(x.block, extChunk) || x.inodeSize&(x.inodeSize-1) != 0:
		return nil, image.ErrNot
	}
	groups := x.groups()
	if groups*int64(x.inodesPer) < int64(x.inodes) || (groups-1)*int64(x.inodesPer) > int64(x.inodes) {
		return nil, image.ErrNot
	}
	if x.incompat&extJournalDev != 0 {
		return nil, fmt.Errorf("an external journal: %w", image.ErrUnsupported)
	}
	if unknown := x.incompat &^ extIncompatible; unknown != 0 {
		return nil, fmt.Errorf("features %#x: %w", unknown, image.ErrUnsupported)
	}
	x.tables = make([]int64, 0, min(groups, b.Size()/32))
	x.dirBytes = min(b.Size(), x.blocks*x.block)
	return x, nil
}

func (x *extFS) attributes() map[string]string {
	sb := x.sb
	a := map[string]string{"block_size": strconv.FormatInt(x.block, 10), "state": "not clean"}
	switch state := le16(sb[0x3a:]); {
	case state&2 != 0:
		a["state"] = "errors"
	case state&1 != 0:
		a["state"] = "clean"
	}
	rev1 := le32(sb[0x4c:]) == 1
	switch {
	case rev1 && (x.incompat&extIncompat4 != 0 || le32(sb[0x64:])&extRO4 != 0):
		a["kind"] = "ext4"
	case rev1 && le32(sb[0x5c:])&extHasJournal != 0:
		a["kind"] = "ext3"
	default:
		a["kind"] = "ext2"
	}
	if !rev1 {
		return a
	}
	a["uuid"] = uuid(sb[0x68:0x78])
	if s := cstring(sb[0x78:0x88]); s != "" {
		a["label"] = s
	}
	if s := cstring(sb[0x88:0xc8]); s != "" {
		a["last_mounted"] = s
	}
	if x.incompat&extRecover != 0 {
		a["needs_recovery"] = "true"
	}
	return a
}

// uuid writes 16 bytes in the order of RFC 9562.
func uuid(p []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", p[:4], p[4:6], p[6:8], p[8:10], p[10:16])
}

// descriptors reads where the inode table of each group lies.
func (x *extFS) descriptors() error {
	x.descSize = 32
	if x.incompat&ext64Bit != 0 {
		x.descSize = int64(le16(x.sb[0xfe:]))
		if x.descSize < 64 || x.descSize > x.block || x.descSize&(x.descSize-1) != 0 {
			return fmt.Errorf("group descriptors of %d bytes: %w", x.descSize, image.ErrNot)
		}
	}
	groups := x.groups()
	for i := int64(0); i*(x.block/x.descSize) < groups; i++ {
		p, err := x.b.View(x.descBlock(i)*x.block, x.block)
		if err != nil {
			if i == 0 {
				return fmt.Errorf("group descriptors: %w", err)
			}
			return nil // what is missing is told where an inode is looked for
		}
		for ; len(p) > 0 && int64(len(x.tables)) < groups; p = p[x.descSize:] {
			table := int64(le32(p[8:]))
			if x.descSize >= 64 {
				table |= int64(le32(p[0x28:])) << 32
			}
			x.tables = append(x.tables, table)
		}
	}
	return nil
}

// groups counts the block groups.
func (x *extFS) groups() int64 { return (x.blocks - x.first + x.perGroup - 1) / x.perGroup }

// firstMeta is the first block of descriptors that lies in the groups that it describes.
func (x *extFS) firstMeta() int64 {
	if x.incompat&extMetaBG != 0 {
		return int64(le32(x.sb[0x104:]))
	}
	return x.groups()
}

// descBlock returns where the block of group descriptors of the given index lies.
func (x *extFS) descBlock(i int64) int64 {
	if i < x.firstMeta() {
		return 1024/x.block + 1 + i // behind the superblock: bigalloc counts from block 0 also in small ones
	}
	group := i * (x.block / x.descSize)
	at := x.first + group*x.perGroup
	if x.hasSuper(group) {
		at++
	}
	return at
}

// hasSuper reports whether a group begins with a copy of the superblock.
func (x *extFS) hasSuper(group int64) bool {
	if group == 0 {
		return true
	}
	if le32(x.sb[0x5c:])&extSparseSuper2 != 0 {
		return group == int64(le32(x.sb[0x24c:])) || group == int64(le32(x.sb[0x250:]))
	}
	if group == 1 || le32(x.sb[0x64:])&extSparseSuper == 0 {
		return true
	}
	for _, base := range []int64{3, 5, 7} {
		n := base
		for n < group {
			n *= base
		}
		if n == group {
			return true
		}
	}
	return false
}

// maxEntryGaps is how many damaged entries are told one by one.
const maxEntryGaps = 1000

func (x *extFS) gap(path string, at, size int64, err error) {
	if len(x.content.Gaps) >= maxEntryGaps {
		x.moreGaps++
		return
	}
	x.content.Gaps = append(x.content.Gaps, fact.Gap{Place: fact.Place{Path: path, Offset: at}, Size: size, Why: err.Error(), Reason: "damaged"})
}

// walk adds the inode and, where it is a directory, everything below.
func (x *extFS) walk(path string, ino uint32) {
	if int64(len(x.content.Nodes)) >= x.maxNodes {
		if !x.limitNoted {
			x.limitNoted = true
			x.content.Gaps = append(x.content.Gaps, fact.Gap{Reason: "limit", Why: fmt.Sprintf("more than %d files", x.maxNodes)})
		}
		return
	}
	if first, ok := x.linked[ino]; ok {
		n := *first
		n.Path = path
		x.content.Nodes = append(x.content.Nodes, &n)
		return
	}
	in, err := x.inode(ino)
	if err != nil {
		x.gap(path, 0, 0, err)
		return
	}
	n, err := x.node(path, ino, in)
	if err != nil {
		x.gap(path, 0, 0, fmt.Errorf("inode %d: %w", ino, err))
		if n == nil {
			return
		}
	}
	x.content.Nodes = append(x.content.Nodes, n)
	if n.Kind != image.Dir {
		if in.links() > 1 {
			x.linked[ino] = n
		}
		return
	}
	if x.dirs[ino] {
		x.gap(path, 0, 0, fmt.Errorf("directory inode %d occurs twice", ino))
		return
	}
	x.dirs[ino] = true
	if in.flags()&extFlagEncrypt != 0 {
		x.content.Gaps = append(x.content.Gaps, fact.Gap{
			Place: fact.Place{Path: path}, Size: in.size(), Reason: "unreadable", Why: "encrypted directory (fscrypt)",
		})
		return
	}
	x.entries(path, in)
}

// entries walks what a directory lists.
func (x *extFS) entries(path string, in extInode) {
	blocks, err := x.directory(in)
	if err != nil {
		x.gap(path, 0, 0, fmt.Errorf("directory: %w", err))
	}
	for _, p := range blocks {
		for len(p) >= 8 {
			ino, length, nameLen := le32(p), int(le16(p[4:])), int(p[6])
			if x.block == 64<<10 && (length == 0xffff || length == 0) {
				length = 64 << 10
			}
			if length == 0 && ino == 0 {
				break // a hole: the block was never written
			}
			if length < 8 || length > len(p) || ino != 0 && 8+nameLen > length {
				x.gap(path, 0, 0, fmt.Errorf("directory: an entry of %d bytes with a name of %d, %d bytes are left", length, nameLen, len(p)))
				break
			}
			name := string(p[8 : 8+min(nameLen, length-8)])
			p = p[length:]
			if ino == 0 || name == "." || name == ".." {
				continue
			}
			child, err := join(path, name)
			if err != nil {
				x.gap(path, 0, 0, err)
				continue
			}
			x.walk(child, ino)
		}
	}
}
