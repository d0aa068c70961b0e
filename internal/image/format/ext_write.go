package format

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"github.com/vesalius-project/vesalius/internal/image"
)

// What of the superblock only the writer asks for.
const (
	extFileType = 0x2    // incompat
	extExtents  = 0x40   // incompat
	extCsumSeed = 0x2000 // incompat

	extGDTCsum   = 0x10   // ro_compat
	extDirNLink  = 0x20   // ro_compat
	extResize    = 0x10   // compat
	extOrphans   = 0x1000 // compat
	extAnyCsum   = extGDTCsum | extMetadataCsum
	extMaxMemory = 512 << 20 // bytes of changed blocks
	extRootInode = 2
)

// extRefused are the features with which nothing is written, and why.
var extRefused = []struct {
	where int // offset in the superblock
	bit   uint32
	why   string
}{
	{0x60, extRecover, "its journal holds writes that are still to be done: mount it once, or run e2fsck"},
	{0x60, extCompression, "compressed files (e2compr)"},
	{0x60, 0x100, "protection against being mounted twice (mmp)"},
	{0x60, 0x400, "attributes in inodes of their own (ea_inode)"},
	{0x60, 0x1000, "data in directories (dirdata)"},
	{0x64, extBigAlloc, "clusters of blocks (bigalloc)"},
	{0x64, 0x80, "snapshots"},
	{0x64, 0x100, "quotas, which would no longer be right (quota)"},
	{0x64, 0x4000, "blocks that files share (shared_blocks)"},
	{0x64, 0x10000, "deleted files that are still open (orphan_present): run e2fsck"},
}

// extROKnown are the features of ro_compat that the writer keeps right.
const extROKnown = extSparseSuper | 0x2 | 0x4 | 0x8 | extGDTCsum | extDirNLink | 0x40 | extMetadataCsum | 0x1000 | 0x2000 | 0x8000

// extWriter changes a file system: blocks are copied when they are written to, and take
// the place of the old ones when the image is copied.
type extWriter struct {
	*extFS
	base     *image.Blob
	dirty    map[int64][]byte // by block
	zero     []byte           // a block of zeros that is shared: see edit
	bytes    int64            // in dirty, but for zero
	compat   uint32
	ro       uint32
	seed     uint32 // of checksums
	count    int64  // groups
	claimed  []uint64
	inodeSet map[uint32]bool // inodes whose checksum is no longer right
	groupSet map[int64]bool  // groups likewise
	freed    bool            // something was removed or replaced
	notes    []string
}

// rebuildExt writes a file system again with files changed, in place: its size and all
// that no edit concerns stay as they are. What is removed is overwritten with zeros.
func rebuildExt(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
	x, err := extSuper(in.Blob)
	if err != nil {
		return nil, err
	}
	e := &extWriter{
		extFS: x, base: in.Blob, dirty: map[int64][]byte{}, zero: make([]byte, x.block),
		inodeSet: map[uint32]bool{}, groupSet: map[int64]bool{},
	}
	x.b = image.ReaderBlob(e, in.Size())
	if err := e.start(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{e.survey, func() error { return e.edits(c.Edits) }, e.emptyJournal, e.finish} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return e.notes, e.write(w)
}

// extDamaged is an error that says that nothing is written because of what is wrong.
func extDamaged(form string, args ...any) error {
	return fmt.Errorf("damaged: %w: %w", fmt.Errorf(form, args...), image.ErrReadOnly)
}

// start checks that the writer knows all that the file system has.
func (e *extWriter) start() error {
	sb := e.sb
	if le32(sb[0x4c:]) == 1 {
		e.compat, e.ro = le32(sb[0x5c:]), le32(sb[0x64:])
	}
	for _, r := range extRefused {
		if le32(sb[0x4c:]) == 1 && le32(sb[r.where:])&r.bit != 0 {
			return fmt.Errorf("%s: %w", r.why, image.ErrReadOnly)
		}
	}
	switch {
	case e.ro&^extROKnown != 0:
		return fmt.Errorf("features %#x: %w", e.ro&^extROKnown, image.ErrReadOnly)
	case le16(sb[0x3a:])&2 != 0:
		return extDamaged("the file system says that it has errors: run e2fsck")
	case le32(sb[0xe8:]) != 0:
		return fmt.Errorf("deleted files that are still open: run e2fsck: %w", image.ErrReadOnly)
	case le32(sb[0x48:]) == 1:
		return fmt.Errorf("made by the Hurd: %w", image.ErrReadOnly)
	case e.blocks*e.block > e.base.Size():
		return extDamaged("%d bytes of it are missing", e.blocks*e.block-e.base.Size())
	}
	if err := e.descriptors(); err != nil {
		return err
	}
	e.count = e.groups()
	if int64(len(e.tables)) != e.count {
		return extDamaged("%d of %d group descriptors", len(e.tables), e.count)
	}
	e.seed = extCRC(^uint32(0), sb[0x68:0x78])
	if e.incompat&extCsumSeed != 0 {
		e.seed = le32(sb[0x270:])
	}
	if e.ro&extMetadataCsum != 0 && extCRC(^uint32(0), sb[:0x3fc]) != le32(sb[0x3fc:]) {
		return extDamaged("superblock: wrong checksum")
	}
	for g := range e.count {
		d := e.desc(g)
		if e.ro&extAnyCsum != 0 && e.descSum(g, d) != le16(d[0x1e:]) {
			return extDamaged("group %d: wrong checksum of its descriptor", g)
		}
	}
	return nil
}

// ReadAt reads the file system as it is with the changes so far, as io.ReaderAt promises.
func (e *extWriter) ReadAt(p []byte, off int64) (int, error) {
	for done := 0; done < len(p); {
		at := off + int64(done)
		rest := p[done:min(int64(len(p)), int64(done)+e.block-at%e.block)]
		if q, ok := e.dirty[at/e.block]; ok {
			copy(rest, q[at%e.block:])
		} else if n, err := e.base.ReadAt(rest, at); n < len(rest) {
			return done + n, err
		}
		done += len(rest)
	}
	return len(p), nil
}

// look returns a block as it is now, which the caller must not change.
func (e *extWriter) look(block int64) ([]byte, error) {
	if block < 0 || block >= e.blocks {
		return nil, extDamaged("block %d of %d", block, e.blocks)
	}
	if p, ok := e.dirty[block]; ok {
		return p, nil
	}
	return e.base.View(block*e.block, e.block)
}

// edit returns a block to be changed.
func (e *extWriter) edit(block int64) ([]byte, error) {
	p, err := e.look(block)
	if err != nil {
		return nil, err
	}
	if q, ok := e.dirty[block]; ok && &q[0] != &e.zero[0] {
		return q, nil
	}
	if e.bytes += e.block; e.bytes > extMaxMemory {
		return nil, fmt.Errorf("changes of more than %d bytes: %w", extMaxMemory, image.ErrReadOnly)
	}
	p = bytes.Clone(p)
	e.dirty[block] = p
	return p, nil
}

// put replaces a block by p, which is copied, and filled up with zeros.
func (e *extWriter) put(block int64, p []byte) error {
	q, err := e.edit(block)
	if err == nil {
		clear(q[copy(q, p):])
	}
	return err
}

// extCRC goes on with a checksum the way that Linux does: without inverting.
func extCRC(crc uint32, p []byte) uint32 {
	return ^crc32.Update(^crc, crc32.MakeTable(crc32.Castagnoli), p)
}

// extCRC32 is extCRC over a number.
func extCRC32(crc, n uint32) uint32 {
	return extCRC(crc, []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
}

// inodeAt returns an inode as it is now.
func (e *extWriter) inodeAt(ino uint32) (extInode, error) {
	block, off, err := e.whereInode(ino)
	if err != nil {
		return nil, err
	}
	p, err := e.look(block)
	if err != nil {
		return nil, err
	}
	return extInode(p[off : off+e.inodeSize]), nil
}

// editInode returns an inode to be changed; its checksum is made at the end.
func (e *extWriter) editInode(ino uint32) (extInode, error) {
	block, off, err := e.whereInode(ino)
	if err != nil {
		return nil, err
	}
	p, err := e.edit(block)
	if err != nil {
		return nil, err
	}
	e.inodeSet[ino] = true
	return extInode(p[off : off+e.inodeSize]), nil
}

func (e *extWriter) whereInode(ino uint32) (block, off int64, err error) {
	if ino == 0 || ino > e.inodes || int64((ino-1)/e.inodesPer) >= e.count {
		return 0, 0, extDamaged("inode %d of %d", ino, e.inodes)
	}
	at := int64((ino-1)%e.inodesPer) * e.inodeSize
	return e.tables[(ino-1)/e.inodesPer] + at/e.block, at % e.block, nil
}

// inodeSeed begins the checksums of what belongs to an inode.
func (e *extWriter) inodeSeed(ino uint32, in extInode) uint32 {
	return extCRC32(extCRC32(e.seed, ino), le32(in[100:]))
}

// emptyJournal overwrites old copies of blocks in the journal with zeros, where something
// was removed that may be among them. The journal holds nothing that is still to be done.
func (e *extWriter) emptyJournal() error {
	ino := le32(e.sb[0xe0:])
	if !e.freed || e.compat&extHasJournal == 0 || ino == 0 {
		return nil
	}
	in, err := e.inodeAt(ino)
	if err != nil {
		return err
	}
	m, err := e.mapOf(in)
	if err != nil {
		return err
	}
	emptied := false
	for i, r := range m.runs {
		for k := range r.n {
			p, err := e.look(r.block + k)
			if err != nil {
				return err
			}
			if i == 0 && k == 0 && r.at == 0 {
				if be32(p) != 0xc03b3998 || be32(p[0x1c:]) != 0 {
					return fmt.Errorf("its journal holds writes that are still to be done: %w", image.ErrReadOnly)
				}
				continue
			}
			if !bytes.Equal(p, e.zero) {
				e.dirty[r.block+k], emptied = e.zero, true
			}
		}
	}
	if emptied {
		e.notes = append(e.notes, "old copies in the journal were overwritten with zeros: it held nothing that was still to be done")
	}
	return nil
}

// finish makes the checksums of all that was changed.
func (e *extWriter) finish() error {
	if len(e.dirty) == 0 {
		return nil
	}
	for _, ino := range slices.Sorted(maps.Keys(e.inodeSet)) {
		in, err := e.editInode(ino)
		if err != nil {
			return err
		}
		e.sumInode(ino, in)
	}
	free, freeInodes := int64(0), int64(0)
	for _, g := range slices.Sorted(maps.Keys(e.groupSet)) {
		if err := e.sumGroup(g); err != nil {
			return err
		}
	}
	for g := range e.count {
		d := e.desc(g)
		free += e.half(d, 0x0c, 0x2c)
		freeInodes += e.half(d, 0x0e, 0x2e)
	}
	at := int64(1024)
	p, err := e.edit(at / e.block)
	if err != nil {
		return err
	}
	sb := p[at%e.block:][:1024]
	put32(sb[0x0c:], uint32(free))
	put32(sb[0x10:], uint32(freeInodes))
	if e.incompat&ext64Bit != 0 {
		put32(sb[0x158:], uint32(free>>32))
	}
	if e.ro&extMetadataCsum != 0 {
		put32(sb[0x3fc:], extCRC(^uint32(0), sb[:0x3fc]))
	}
	return nil
}

// sumInode sets the checksum of an inode.
func (e *extWriter) sumInode(ino uint32, in extInode) {
	if e.ro&extMetadataCsum == 0 || bytes.Count(in, []byte{0}) == len(in) {
		return
	}
	high := in.extra() >= 4
	put16(in[124:], 0)
	if high {
		put16(in[130:], 0)
	}
	sum := extCRC(e.inodeSeed(ino, in), in)
	put16(in[124:], uint16(sum))
	if high {
		put16(in[130:], uint16(sum>>16))
	}
}

// write copies the image with the changed blocks in their places.
func (e *extWriter) write(w io.Writer) error {
	at := int64(0)
	for _, b := range slices.SortedFunc(maps.Keys(e.dirty), cmp.Compare) {
		if _, err := e.base.Slice(at, b*e.block-at).WriteTo(w); err != nil {
			return err
		}
		if _, err := w.Write(e.dirty[b]); err != nil {
			return err
		}
		at = (b + 1) * e.block
	}
	_, err := e.base.From(at).WriteTo(w)
	return err
}
