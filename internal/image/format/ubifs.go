package format

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var ubifs = &image.Format{
	Name:  "ubifs",
	Title: "UBIFS",
	Class: "filesystem",
	Where: "volumes of UBI: the root or the settings of Linux devices with raw NAND",
	Spec: "Linux fs/ubifs/ubifs-media.h. Attributes: uuid, leb_size, compression (of new files), " +
		"index (read; damaged: the files were found by scanning all nodes), journal (nodes that were written after the last commit and are applied), " +
		"authenticated (true: nodes carry a keyed hash), encrypted (true: some directories may be)",
	Limits: "keyed hashes of authenticated file systems are not verified; files encrypted by fscrypt are named, not read; " +
		"found by scanning, a file that was deleted long ago may appear again",
	Magic: []image.Magic{{Offset: 0, Bytes: ubifsMagic}},
	Open:  openUBIFS,
}

const (
	ubifsMagic = "\x31\x18\x10\x06"
	ubifsHead  = 24
	ubifsBlock = 4096
	ubifsLog   = 3 // first block of the journal's log

	ubifsMostNode = 48 + 2*ubifsBlock // no node but those of the index is longer
	ubifsMostBad  = 64                // nodes of one block with a wrong checksum: more are no nodes

	// Types of nodes.
	ubifsIno    = 0
	ubifsData   = 1
	ubifsDent   = 2
	ubifsXent   = 3
	ubifsTrun   = 4
	ubifsPad    = 5
	ubifsSuper  = 6
	ubifsMaster = 7
	ubifsRef    = 8
	ubifsIdx    = 9
	ubifsCommit = 10

	ubifsFlagEncrypted     = 0x10 // of the superblock
	ubifsFlagAuthenticated = 0x20
	ubifsInodeEncrypted    = 0x40
)

// ubifsLeaf is where a node lies that says something of files.
type ubifsLeaf struct {
	off   int64
	len   int32
	sqnum uint64
	kind  byte
}

// ubifsPiece is a block of a file's content, or, where len is negative, that all blocks
// from this one on were cut off.
type ubifsPiece struct {
	block uint32
	len   int32
	off   int64
}

// ubiFiles is an UBIFS that is being read.
type ubiFiles struct {
	in      *image.Input
	leb     int64
	lebs    int64
	log     int64 // blocks of the log
	tree    *linkTree
	inodes  map[uint64]ubifsLeaf
	xattrs  map[uint64][]linkEntry // of each inode
	data    map[uint64][]ubifsPiece
	unpack  [4]unpacker
	buffers sync.Pool // of two blocks: what is unpacked, and zeros
	spare   int       // bytes that extended attributes may still have
	content *image.Content
}

func openUBIFS(in *image.Input) (*image.Content, error) {
	p, err := in.View(0, min(4096, in.Size()))
	if err != nil || len(p) < 4096 || string(p[:4]) != ubifsMagic || p[20] != ubifsSuper || le32(p[16:]) != 4096 {
		return nil, image.ErrNot
	}
	u := &ubiFiles{in: in, leb: int64(le32(p[36:])), lebs: int64(le32(p[40:])), log: int64(le32(p[56:]))}
	if u.leb < 4096 || u.leb > ubiMaxPEB || u.leb%8 != 0 || u.lebs < 8 || u.lebs > 1<<31 || u.log < 1 || u.log >= u.lebs {
		return nil, fmt.Errorf("%d blocks of %d bytes: %w", u.lebs, u.leb, image.ErrNot)
	}
	u.content = &image.Content{Size: min(u.lebs*u.leb, in.Size()), Attributes: map[string]string{
		"uuid": uuid(p[108:124]), "leb_size": strconv.FormatInt(u.leb, 10), "index": "read",
		"compression": numbered([]string{"none", "lzo", "zlib", "zstd"}, byte(min(le16(p[84:]), 255))),
	}}
	if flags := le32(p[28:]); flags&ubifsFlagAuthenticated != 0 {
		u.content.Attributes["authenticated"] = "true"
	} else if flags&ubifsFlagEncrypted != 0 {
		u.content.Attributes["encrypted"] = "true"
	}
	u.in = &image.Input{Blob: in.Slice(0, u.lebs*u.leb), Budget: in.Budget} // nothing of it lies behind its end
	if ubiSum(p[8:]) != le32(p[4:]) {
		u.gap(0, 4096, errors.New("superblock: wrong checksum"))
	}
	if p[27] != 0 {
		return nil, fmt.Errorf("keys of the form %d: %w", p[27], image.ErrUnsupported)
	}
	zstd, err := unpackZstd()
	if err != nil {
		return nil, err
	}
	u.buffers.New = func() any { return new([2 * ubifsBlock]byte) }
	u.unpack = [4]unpacker{1: unpackLZO(), 2: unpackDeflate(), 3: zstd}
	u.reset()
	if err := u.byIndex(); err != nil {
		u.gap(0, 0, fmt.Errorf("index: %w: the files were found by scanning all nodes", err))
		u.content.Attributes["index"] = "damaged"
		delete(u.content.Attributes, "journal")
		u.reset()
		u.apply(u.nodes(ubifsLog, u.lebs, 0))
	}
	u.tree.inode = u.node
	u.tree.walk(1)
	u.content.Nodes = u.tree.content.Nodes
	return u.content, nil
}

// reset forgets what was found.
func (u *ubiFiles) reset() {
	u.tree = newLinkTree(u.content, u.in)
	u.spare = int(u.in.Size())
	u.inodes, u.xattrs, u.data = map[uint64]ubifsLeaf{}, map[uint64][]linkEntry{}, map[uint64][]ubifsPiece{}
}

func (u *ubiFiles) gap(at, size int64, err error) {
	if len(u.content.Gaps) < maxEntryGaps {
		u.content.Gaps = append(u.content.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Size: size, Reason: "damaged", Why: err.Error()})
	}
}

// read returns the node at an offset, whose type and size the caller knows.
func (u *ubiFiles) read(off int64, size int32, kind byte) ([]byte, error) {
	if size < ubifsHead || int64(size) > u.leb {
		return nil, fmt.Errorf("node at %#x of %d bytes", off, size)
	}
	p, err := u.in.View(off, int64(size))
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	if string(p[:4]) != ubifsMagic || p[20] != kind || le32(p[16:]) != uint32(size) {
		return nil, fmt.Errorf("node at %#x: it is not the one that was looked for", off)
	}
	if ubiSum(p[8:]) != le32(p[4:]) {
		return nil, fmt.Errorf("node at %#x: wrong checksum", off)
	}
	return p, nil
}

// byIndex finds all files by the index, and by the journal what was written since.
func (u *ubiFiles) byIndex() error {
	master := u.master()
	if master == nil {
		return errors.New("no master node")
	}
	root := ubifsBranch{int64(le32(master[48:])), int64(le32(master[52:])), int32(le32(master[56:]))}
	w := &ubifsIndex{u: u, seen: map[int64]bool{}, left: u.in.Size()}
	if err := w.walk(root, -1); err != nil {
		return err
	}
	late, ok := u.journal(int64(le32(master[44:])), le64(master[32:]))
	if !ok {
		u.gap(ubifsLog*u.leb, u.log*u.leb, errors.New("journal: its beginning is missing: what was written last is not read"))
	}
	if len(late) > 0 {
		u.content.Attributes["journal"] = strconv.Itoa(len(late))
		u.apply(late)
	}
	return nil
}

// master returns the newest master node, of which the blocks 1 and 2 hold copies.
func (u *ubiFiles) master() (best []byte) {
	for lnum := int64(1); lnum <= 2; lnum++ {
		for _, n := range u.nodes(lnum, lnum+1, 0) {
			if n.kind != ubifsMaster || n.len < 72 {
				continue
			}
			if p, err := u.read(n.off, n.len, ubifsMaster); err == nil && (best == nil || n.sqnum > le64(best[8:])) {
				best = p
			}
		}
	}
	return best
}

// ubifsBranch leads to a node.
type ubifsBranch struct {
	lnum, offs int64
	len        int32
}

// ubifsIndex walks over the index.
type ubifsIndex struct {
	u    *ubiFiles
	seen map[int64]bool // nodes of the index and entries of directories
	left int64          // bytes that nodes of the index may still have: they do not overlap
}

// walk goes through an index node whose level the one above gives, -1 for the root.
func (w *ubifsIndex) walk(b ubifsBranch, level int) error {
	off := b.lnum*w.u.leb + b.offs
	if w.seen[off] {
		return fmt.Errorf("node at %#x occurs twice", off)
	}
	w.seen[off] = true
	if w.left -= int64(b.len); w.left < 0 {
		return errors.New("its nodes overlap")
	}
	p, err := w.u.read(off, b.len, ubifsIdx)
	if err != nil {
		return err
	}
	count, own := int(le16(p[24:])), int(le16(p[26:]))
	if count == 0 || len(p) < 28+20*count || level >= 0 && own != level || own > 64 {
		return fmt.Errorf("node at %#x: %d branches, level %d", off, count, own)
	}
	each := (len(p) - 28) / count // longer than 20 where a branch carries a hash
	for p = p[28:]; count > 0; count, p = count-1, p[each:] {
		child := ubifsBranch{int64(le32(p)), int64(le32(p[4:])), int32(le32(p[8:]))}
		if own > 0 {
			if err := w.walk(child, own-1); err != nil {
				return err
			}
			continue
		}
		key, low := uint64(le32(p[12:])), le32(p[16:])
		leaf := ubifsLeaf{off: child.lnum*w.u.leb + child.offs, len: child.len, kind: byte(low >> 29)}
		if leaf.kind == ubifsData {
			w.u.data[key] = append(w.u.data[key], ubifsPiece{low & (1<<29 - 1), leaf.len, leaf.off})
			continue
		}
		err := fmt.Errorf("node at %#x occurs twice", leaf.off)
		if !w.seen[leaf.off] {
			w.seen[leaf.off] = true
			err = w.u.note(leaf)
		}
		if err != nil {
			w.u.gap(leaf.off, int64(leaf.len), err)
		}
	}
	return nil
}

// nodes returns the whole nodes in the blocks from one up to another, the first one from
// an offset on, in their order.
func (u *ubiFiles) nodes(from, to, offs int64) (all []ubifsLeaf) {
	for lnum := from; lnum < to && lnum*u.leb < u.in.Size(); lnum++ {
		start := lnum*u.leb + offs
		offs = 0
		p, err := u.in.View(start, max(0, min((lnum+1)*u.leb, u.in.Size())-start))
		if err != nil {
			continue
		}
		for at, bad := 0, 0; at+ubifsHead <= len(p) && bad < ubifsMostBad; {
			k := bytes.Index(p[at:], []byte(ubifsMagic))
			if k < 0 || at+k+ubifsHead > len(p) {
				break
			}
			at += k
			n := int(le32(p[at+16:]))
			if at%8 != 0 || n < ubifsHead || n > len(p)-at || n > ubifsMostNode {
				at++
				continue
			}
			if ubiSum(p[at+8:at+n]) != le32(p[at+4:]) {
				at++
				bad++
				continue
			}
			all = append(all, ubifsLeaf{start + int64(at), int32(n), le64(p[at+8:]), p[at+20]})
			at += n
		}
	}
	return all
}

// journal returns the nodes that were written after the commit of the given number: the
// log says in which blocks they lie.
func (u *ubiFiles) journal(head int64, commit uint64) (late []ubifsLeaf, ok bool) {
	all := u.nodes(ubifsLog, ubifsLog+u.log, 0)
	since, found := uint64(0), false
	for _, n := range all {
		if p, err := u.in.View(n.off, ubifsHead+8); n.kind == ubifsCommit && err == nil && le64(p[24:]) == commit && n.off/u.leb == head {
			since, found = n.sqnum, true
		}
	}
	if !found {
		return nil, false
	}
	seen := map[int64]bool{}
	for _, n := range all {
		if n.kind != ubifsRef || n.sqnum < since || n.len < 32 {
			continue
		}
		p, err := u.in.View(n.off, 32)
		if err != nil {
			continue
		}
		lnum, offs := int64(le32(p[24:])), int64(le32(p[28:]))
		if lnum >= u.lebs || offs >= u.leb || seen[lnum] {
			continue // a block is named again where more of it became part of the journal
		}
		seen[lnum] = true
		for _, n := range u.nodes(lnum, lnum+1, offs) {
			if n.sqnum > since && n.kind <= ubifsTrun {
				late = append(late, n)
			}
		}
	}
	return late, true
}

// apply takes nodes in the order in which they were written.
func (u *ubiFiles) apply(nodes []ubifsLeaf) {
	slices.SortStableFunc(nodes, func(a, b ubifsLeaf) int { return cmp.Compare(a.sqnum, b.sqnum) })
	for _, n := range nodes {
		if n.kind > ubifsTrun {
			continue
		}
		if err := u.note(n); err != nil {
			u.gap(n.off, int64(n.len), err)
		}
	}
}

// note takes what one node says.
func (u *ubiFiles) note(n ubifsLeaf) error {
	least := [...]int32{ubifsIno: 160, ubifsData: 48, ubifsDent: 56, ubifsXent: 56, ubifsTrun: 56}
	if int(n.kind) >= len(least) || n.len < least[n.kind] || n.len > ubifsMostNode {
		return fmt.Errorf("node at %#x of the type %d has %d bytes", n.off, n.kind, n.len)
	}
	if n.kind == ubifsIno {
		p, err := u.in.View(n.off, 96)
		if err != nil {
			return fmt.Errorf("inode: %w", err)
		}
		key := uint64(le32(p[24:]))
		u.inodes[key] = n
		if le32(p[92:]) == 0 { // deleted
			delete(u.inodes, key)
			delete(u.data, key)
		}
		return nil
	}
	size := n.len
	if n.kind == ubifsData {
		size = 48
	}
	p, err := u.in.View(n.off, int64(size))
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	key, low := uint64(le32(p[24:])), le32(p[28:])&(1<<29-1)
	switch n.kind {
	case ubifsData:
		u.data[key] = append(u.data[key], ubifsPiece{low, n.len, n.off})
	case ubifsTrun:
		first := (le64(p[48:]) + ubifsBlock - 1) / ubifsBlock
		u.data[key] = append(u.data[key], ubifsPiece{uint32(min(first, 1<<29)), -1, 0})
	default:
		if p, err = u.read(n.off, n.len, n.kind); err != nil {
			return fmt.Errorf("directory entry: %w", err)
		}
		length := int(le16(p[50:]))
		if 56+length > len(p) {
			return fmt.Errorf("directory entry at %#x: a name of %d bytes", n.off, length)
		}
		e := linkEntry{string(p[56 : 56+length]), le64(p[40:])}
		if n.kind == ubifsXent {
			u.xattrs[key] = append(u.xattrs[key], e)
		} else {
			u.tree.entries[key] = append(u.tree.entries[key], e)
		}
	}
	return nil
}
