package format

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var jffs2 = &image.Format{
	Name:  "jffs2",
	Title: "JFFS2, either byte order",
	Class: "filesystem",
	Where: "small Linux devices with NOR or old NAND flash: the root, or the settings beside a read-only root",
	Spec: "Linux include/uapi/linux/jffs2.h and fs/jffs2; compression 8 is OpenWrt's lzma. Attributes: order (little, big), nodes, " +
		"obsolete (nodes marked so), compression (those that occur)",
	Limits: "nodes packed by rubin or dynrubin are named, not read; the layout of 2001 (magic 0x1984) is named, not read; " +
		"two file systems that follow each other without anything between are taken for one",
	Magic: jffs2Magics(),
	Open:  openJFFS2,
}

// Types of nodes. Without jffs2Accurate a node is obsolete.
const (
	jffs2Dirent   = 0xe001
	jffs2Inode    = 0xe002
	jffs2Clean    = 0x2003
	jffs2Padding  = 0x2004
	jffs2Summary  = 0x2006
	jffs2Xattr    = 0xe008
	jffs2Xref     = 0xe009
	jffs2Accurate = 0x2000

	jffs2Head     = 12
	jffs2MostNode = 1 << 20
	jffs2MostPage = 128 << 10
	jffs2Strange  = 64 << 10 // bytes that are no nodes and may lie between nodes
)

func jffs2Magics() (all []image.Magic) {
	for _, magic := range []uint16{0x1985, 0x1984} {
		for _, kind := range []uint16{jffs2Dirent, jffs2Inode, jffs2Clean, jffs2Padding, jffs2Xattr} {
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				all = append(all, image.Magic{Offset: 0, Bytes: string(order.AppendUint16(order.AppendUint16(nil, magic), kind))})
			}
		}
	}
	return all
}

// jffs2Sum is Linux' crc32(0, ...): CRC-32 without the first and the last inversion.
func jffs2Sum(p []byte) uint32 { return ^crc32.Update(0xffffffff, crc32.IEEETable, p) }

// jffs2Piece is a node that holds a piece of a file.
type jffs2Piece struct {
	at      int64 // of the node
	version uint32
	offset  uint32
	size    uint32 // plain
	packed  uint32
	sum     uint32
	codec   byte
}

// jffs2File is what the nodes say of one inode.
type jffs2File struct {
	version uint32
	latest  int64 // its newest node
	pieces  []jffs2Piece
}

// jffs2Entry is a directory entry.
type jffs2Entry struct {
	linkEntry
	parent, version uint32
}

// jffs2FS is a JFFS2 that is being read.
type jffs2FS struct {
	in              *image.Input
	order           binary.ByteOrder
	window          []byte // bytes at the offset from
	from            int64
	content         *image.Content
	files           map[uint32]*jffs2File
	entries         []jffs2Entry
	links           map[uint64]int        // names of an inode
	xattrs          map[uint32]jffs2Piece // by their number
	xrefs           map[[2]uint32]uint32  // by inode and attribute
	owned           map[uint32][]uint32   // attributes of an inode
	unpack          map[byte]unpacker     //
	codecs          map[byte]bool         // that occur
	spare           int64                 // bytes that links and attributes may still have
	nodes, obsolete int
}

func openJFFS2(in *image.Input) (*image.Content, error) {
	p, err := in.View(0, jffs2Head)
	if err != nil {
		return nil, image.ErrNot
	}
	j := &jffs2FS{
		in: in, order: binary.LittleEndian, files: map[uint32]*jffs2File{}, links: map[uint64]int{}, xattrs: map[uint32]jffs2Piece{},
		xrefs: map[[2]uint32]uint32{}, owned: map[uint32][]uint32{}, codecs: map[byte]bool{}, spare: in.Size(),
		content: &image.Content{Attributes: map[string]string{"order": "little"}},
	}
	if p[0] == 0x19 {
		j.order = binary.BigEndian
		j.content.Attributes["order"] = "big"
	}
	if n := j.order.Uint32(p[4:]); j.order.Uint16(p) == 0x1984 && n >= jffs2Head && int64(n) <= min(in.Size(), jffs2MostNode) {
		return nil, fmt.Errorf("the layout of 2001: %w", image.ErrUnsupported)
	}
	if _, size := j.header(p); size == 0 {
		return nil, image.ErrNot
	}
	j.unpack = map[byte]unpacker{2: unpackRtime, 6: unpackZlib(), 7: unpackLZO(), 8: unpackJFFS2LZMA()}
	j.scan()
	t := newLinkTree(j.content, in)
	slices.SortStableFunc(j.entries, func(a, b jffs2Entry) int { return cmp.Compare(a.version, b.version) })
	for _, e := range j.entries {
		t.entries[uint64(e.parent)] = append(t.entries[uint64(e.parent)], e.linkEntry)
	}
	for _, list := range t.entries {
		for _, e := range effective(list) {
			j.links[e.number]++
		}
	}
	t.inode = j.node
	t.walk(1)
	a := j.content.Attributes
	a["nodes"] = strconv.Itoa(j.nodes)
	if j.obsolete > 0 {
		a["obsolete"] = strconv.Itoa(j.obsolete)
	}
	for i, name := range jffs2Codecs {
		if j.codecs[byte(i)] {
			a["compression"] += " " + name
		}
	}
	if c := a["compression"]; c != "" {
		a["compression"] = c[1:]
	}
	return j.content, nil
}

var jffs2Codecs = []string{"none", "zero", "rtime", "rubinmips", "copy", "dynrubin", "zlib", "lzo", "lzma"}

// header returns the type and the size of the node that p begins with; the size is 0
// where it is none.
func (j *jffs2FS) header(p []byte) (kind uint16, size int64) {
	if j.order.Uint16(p) != 0x1985 {
		return 0, 0
	}
	n := int64(j.order.Uint32(p[4:]))
	if n < jffs2Head || n > jffs2MostNode {
		return 0, 0
	}
	kind = j.order.Uint16(p[2:])
	if jffs2Sum(p[:8]) == j.order.Uint32(p[8:]) {
		return kind, n
	}
	// A node is made obsolete by clearing one bit, without a new checksum.
	var was [8]byte
	copy(was[:], p)
	j.order.PutUint16(was[2:], kind|jffs2Accurate)
	if jffs2Sum(was[:]) == j.order.Uint32(p[8:]) {
		return kind, n
	}
	return 0, 0
}

// view returns bytes by way of a window, which moves on.
func (j *jffs2FS) view(at, n int64) []byte {
	if at < j.from || at+n > j.from+int64(len(j.window)) {
		p, err := j.in.View(at, max(0, min(max(n, jffs2MostNode), j.in.Size()-at)))
		if err != nil {
			return nil
		}
		j.window, j.from = p, at
	}
	if at+n > j.from+int64(len(j.window)) {
		return nil
	}
	return j.window[at-j.from : at-j.from+n]
}

// scan goes over all nodes to the end of the file system.
func (j *jffs2FS) scan() {
	strange, first := int64(0), int64(0) // bytes since the last node that are none and not empty, and the first of them
	for at := int64(0); at+jffs2Head <= j.in.Size(); {
		p := j.view(at, jffs2Head)
		if p == nil {
			break
		}
		if p[0] == 0xff && ones(p[:4]) {
			at += j.erased(at)
			continue
		}
		kind, size := j.header(p)
		var err error
		if size > 0 {
			err = j.take(kind, at, size)
		}
		if size == 0 || err != nil && size > j.in.Size()-at {
			if strange == 0 {
				first = at
			}
			if strange += 4; strange > jffs2Strange {
				break
			}
			at += 4
			continue
		}
		if strange > 0 {
			j.gap("", first, at-first, errors.New("bytes that are no nodes"))
			strange = 0
		}
		if err != nil {
			j.gap("", at, size, err)
		}
		j.nodes++
		at = min(padded(at+size, 4), j.in.Size())
		j.content.Size = at
	}
	j.window = nil
}

// erased returns how many bytes from at on are erased flash, in words.
func (j *jffs2FS) erased(at int64) int64 {
	n := int64(0)
	for {
		p := j.view(at+n, max(0, min(4096, j.in.Size()-at-n)))
		rest := bytes.TrimLeft(p, "\xff")
		n += int64(len(p)-len(rest)) &^ 3
		if len(rest) > 0 || len(p) < 4 {
			return max(n, 4)
		}
	}
}

func (j *jffs2FS) gap(path string, at, size int64, err error) {
	if len(j.content.Gaps) < maxEntryGaps {
		j.content.Gaps = append(j.content.Gaps, fact.Gap{Place: fact.Place{Path: path, Offset: at}, Size: size, Reason: "damaged", Why: err.Error()})
	}
}

// take takes what a node says.
func (j *jffs2FS) take(kind uint16, at, size int64) error {
	if kind&jffs2Accurate == 0 {
		j.obsolete++
		return nil
	}
	fixed := map[uint16]int64{jffs2Dirent: 40, jffs2Inode: 68, jffs2Xattr: 32, jffs2Xref: 28}[kind]
	switch kind {
	case jffs2Dirent, jffs2Inode, jffs2Xattr, jffs2Xref:
	case jffs2Clean, jffs2Padding, jffs2Summary:
		return nil
	default:
		if kind&0xc000 == 0xc000 {
			return fmt.Errorf("node of the unknown type %#x", kind)
		}
		return nil // of a newer writer, who says that it may be passed over
	}
	if size < fixed {
		return fmt.Errorf("node of the type %#x has %d bytes", kind, size)
	}
	p := j.view(at, min(size, j.in.Size()-at, jffs2MostNode))
	if int64(len(p)) < size {
		return errors.New("node is cut off")
	}
	end, sum := fixed-8, j.order.Uint32(p[fixed-8:]) // the checksum of the data or the name follows
	switch kind {
	case jffs2Inode:
		end, sum = 60, j.order.Uint32(p[64:])
	case jffs2Xattr, jffs2Xref:
		end, sum = fixed-4, j.order.Uint32(p[fixed-4:])
	}
	if jffs2Sum(p[:end]) != sum {
		return fmt.Errorf("node of the type %#x: wrong checksum", kind)
	}
	switch kind {
	case jffs2Dirent:
		return j.dirent(p)
	case jffs2Inode:
		return j.inodeNode(p, at)
	case jffs2Xattr:
		x := jffs2Piece{at: at, version: j.order.Uint32(p[16:]), size: uint32(p[21]) + 1 + uint32(j.order.Uint16(p[22:])), sum: j.order.Uint32(p[24:])}
		id := j.order.Uint32(p[12:])
		if old, ok := j.xattrs[id]; !ok || x.version >= old.version {
			j.xattrs[id] = x
		}
	default:
		key := [2]uint32{j.order.Uint32(p[12:]), j.order.Uint32(p[16:])}
		old, ok := j.xrefs[key]
		if !ok {
			j.owned[key[0]] = append(j.owned[key[0]], key[1])
		}
		j.xrefs[key] = max(old, j.order.Uint32(p[20:]))
	}
	return nil
}

func (j *jffs2FS) dirent(p []byte) error {
	n := int(p[28])
	if 40+n > len(p) {
		return fmt.Errorf("directory entry: a name of %d bytes", n)
	}
	name := p[40 : 40+n]
	if jffs2Sum(name) != j.order.Uint32(p[36:]) {
		return errors.New("directory entry: wrong checksum of the name")
	}
	j.entries = append(j.entries, jffs2Entry{
		linkEntry{string(name), uint64(j.order.Uint32(p[20:]))}, j.order.Uint32(p[12:]), j.order.Uint32(p[16:]),
	})
	return nil
}

func (j *jffs2FS) inodeNode(p []byte, at int64) error {
	x := jffs2Piece{
		at: at, version: j.order.Uint32(p[16:]), offset: j.order.Uint32(p[44:]), packed: j.order.Uint32(p[48:]), size: j.order.Uint32(p[52:]),
		codec: p[56], sum: j.order.Uint32(p[60:]),
	}
	if int64(x.packed)+68 > int64(len(p)) || uint64(x.offset)+uint64(x.size) > 1<<32 {
		return fmt.Errorf("inode %d: node of %d bytes holds %d", j.order.Uint32(p[12:]), len(p), x.packed)
	}
	number := j.order.Uint32(p[12:])
	f := j.files[number]
	if f == nil {
		f = &jffs2File{latest: at, version: x.version}
		j.files[number] = f
	}
	if x.version >= f.version {
		f.latest, f.version = at, x.version
	}
	if x.size > 0 {
		f.pieces = append(f.pieces, x)
		j.codecs[x.codec] = true
	}
	return nil
}
