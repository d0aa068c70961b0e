package format

import (
	"fmt"
	"math"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

const (
	extFlagIndex    = 0x1000
	extFlagVerity   = 0x100000
	extFlagCasefold = 0x40000000
	extTail         = 12 // bytes of a directory's block for its checksum
	extDirMost      = 65000
)

// extEntry is a place in a directory.
type extEntry struct {
	block  int64
	off    int
	before int // offset of the entry before it in the block, -1 where it is the first
	length int
	ino    uint32
	name   string
}

// dirEnd is where the entries of a directory's block end.
func (e *extWriter) dirEnd() int {
	if e.ro&extMetadataCsum != 0 {
		return int(e.block) - extTail
	}
	return int(e.block)
}

func (e *extWriter) recLen(p []byte) int {
	n := int(le16(p[4:]))
	if e.block == 64<<10 && (n == 0xffff || n == 0) {
		n = 64 << 10
	}
	return n
}

func (e *extWriter) setRecLen(p []byte, n int) {
	if n == 64<<10 {
		n = 0xffff
	}
	put16(p[4:], uint16(n))
}

// entriesOf shows the entries of a directory, also the empty ones, until see returns
// false. Inner blocks of an index look like blocks with one empty entry.
func (e *extWriter) entriesOf(dir uint32, see func(extEntry) bool) error {
	in, err := e.inodeAt(dir)
	if err != nil {
		return err
	}
	if in.mode()&extFormat != extDir {
		return fmt.Errorf("inode %d is no directory", dir)
	}
	if in.flags()&extFlagInline != 0 {
		return e.inlineEntries(in, see)
	}
	m, err := e.mapOf(in)
	if err != nil {
		return err
	}
	for _, r := range m.runs {
		for i := range r.n {
			if r.at+i >= in.size()/e.block {
				continue // allocated beyond the end
			}
			p, err := e.look(r.block + i)
			if err != nil {
				return err
			}
			if more, err := e.blockEntries(p, r.block+i, see); !more || err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *extWriter) blockEntries(p []byte, block int64, see func(extEntry) bool) (more bool, err error) {
	before := -1
	for off := 0; off < len(p); {
		if len(p)-off < 8 {
			return false, extDamaged("directory block %d: %d bytes are left over", block, len(p)-off)
		}
		q := p[off:]
		x := extEntry{block: block, off: off, before: before, length: e.recLen(q), ino: le32(q)}
		if x.length < 8 || x.length&3 != 0 || x.length > len(q) || x.ino != 0 && (8+int(q[6]) > x.length || q[6] == 0) {
			return false, extDamaged("directory block %d: an entry of %d bytes with a name of %d", block, x.length, q[6])
		}
		if x.ino != 0 {
			x.name = string(q[8 : 8+int(q[6])])
		}
		if !see(x) {
			return false, nil
		}
		before = off
		off += x.length
	}
	return true, nil
}

// inlineEntries shows what a directory lists that lies in its inode. It cannot be edited.
func (e *extWriter) inlineEntries(in extInode, see func(extEntry) bool) error {
	_, more, err := e.xattrs(in)
	if err != nil {
		return extDamaged("%w", err)
	}
	for _, p := range [][]byte{in.map60()[4:], more} {
		if more, err := e.blockEntries(p, 0, see); !more || err != nil {
			return err
		}
	}
	return nil
}

// find returns where a directory lists a name; ino is 0 where it does not.
func (e *extWriter) find(dir uint32, name string) (found extEntry, err error) {
	err = e.entriesOf(dir, func(x extEntry) bool {
		if x.ino != 0 && x.name == name {
			found = x
		}
		return found.ino == 0
	})
	return found, err
}

// lookup returns the inode of a path, 0 where nothing is there.
func (e *extWriter) lookup(path string) (uint32, error) {
	ino := uint32(extRootInode)
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" {
			continue
		}
		in, err := e.inodeAt(ino)
		if err != nil || in.mode()&extFormat != extDir {
			return 0, err
		}
		x, err := e.find(ino, name)
		if err != nil || x.ino == 0 {
			return 0, err
		}
		ino = x.ino
	}
	return ino, nil
}

// editable reports why the list of a directory cannot be changed.
func (e *extWriter) editable(in extInode) error {
	for _, f := range []struct {
		flag uint32
		why  string
	}{
		{extFlagInline, "a directory that lies in its inode (inline_data)"},
		{extFlagEncrypt, "an encrypted directory (fscrypt)"},
		{extFlagCasefold, "a directory that does not tell upper from lower case (casefold)"},
	} {
		if in.flags()&f.flag != 0 {
			return fmt.Errorf("%s: %w", f.why, image.ErrReadOnly)
		}
	}
	return nil
}

// sumDir sets the checksum of a directory's block.
func (e *extWriter) sumDir(dir uint32, in extInode, p []byte) {
	if e.ro&extMetadataCsum == 0 {
		return
	}
	end := len(p) - extTail
	clear(p[end:])
	put16(p[end+4:], extTail)
	p[end+7] = 0xde
	put32(p[end+8:], extCRC(e.inodeSeed(dir, in), p[:end]))
}

// hasTail reports whether a directory's block ends with a right checksum.
func (e *extWriter) hasTail(dir uint32, in extInode, p []byte) bool {
	end := len(p) - extTail
	return e.ro&extMetadataCsum == 0 || le32(p[end:]) == 0 && le16(p[end+4:]) == extTail && p[end+7] == 0xde &&
		le32(p[end+8:]) == extCRC(e.inodeSeed(dir, in), p[:end])
}

// editDir returns a block of a directory to be changed; sumDir must follow.
func (e *extWriter) editDir(dir uint32, block int64) (extInode, []byte, error) {
	in, err := e.inodeAt(dir)
	if err != nil {
		return nil, nil, err
	}
	if err := e.editable(in); err != nil {
		return nil, nil, err
	}
	p, err := e.edit(block)
	if err == nil && !e.hasTail(dir, in, p) {
		err = extDamaged("directory block %d: wrong checksum", block)
	}
	return in, p, err
}

// removeName takes a name out of a directory: the entry before takes its place.
func (e *extWriter) removeName(dir uint32, x extEntry) error {
	in, p, err := e.editDir(dir, x.block)
	if err != nil {
		return err
	}
	q := p[x.off : x.off+x.length]
	clear(q)
	if x.before >= 0 {
		b := p[x.before:]
		e.setRecLen(b, e.recLen(b)+x.length)
	} else {
		e.setRecLen(q, x.length)
	}
	e.sumDir(dir, in, p)
	e.freed = true
	return nil
}

// addName lists an inode in a directory, in a gap that is large enough or a new block.
func (e *extWriter) addName(dir uint32, name string, ino uint32, kind byte) error {
	if name == "" || len(name) > 255 || name == "." || name == ".." || strings.Contains(name, "\x00") {
		return fmt.Errorf("the name %q is no file name", name)
	}
	if err := e.dropIndex(dir); err != nil {
		return err
	}
	need := (8 + len(name) + 3) &^ 3
	end := e.dirEnd()
	var gap *extEntry
	err := e.entriesOf(dir, func(x extEntry) bool {
		if x.off >= end {
			return true
		}
		room := x.length
		if x.ino != 0 {
			room -= (8 + len(x.name) + 3) &^ 3
		}
		if room >= need {
			gap = &x
		}
		return gap == nil
	})
	if err != nil {
		return err
	}
	if gap == nil {
		if gap, err = e.growDir(dir); err != nil {
			return err
		}
	}
	in, p, err := e.editDir(dir, gap.block)
	if err != nil {
		return err
	}
	off, length := gap.off, gap.length
	if gap.ino != 0 {
		used := (8 + len(gap.name) + 3) &^ 3
		e.setRecLen(p[off:], used)
		off, length = off+used, length-used
	}
	e.putEntry(p[off:off+length], ino, name, kind)
	e.sumDir(dir, in, p)
	return nil
}

// putEntry writes an entry that takes all of p.
func (e *extWriter) putEntry(p []byte, ino uint32, name string, kind byte) {
	clear(p)
	put32(p, ino)
	e.setRecLen(p, len(p))
	p[6] = byte(len(name))
	if e.incompat&extFileType != 0 {
		p[7] = kind
	}
	copy(p[8:], name)
}

// growDir appends a block to a directory.
func (e *extWriter) growDir(dir uint32) (*extEntry, error) {
	in, err := e.editInode(dir)
	if err != nil {
		return nil, err
	}
	m, err := e.mapOf(in)
	if err != nil {
		return nil, err
	}
	last := e.groupStart(dir) - 1
	if n := len(m.runs); n > 0 {
		last = m.runs[n-1].block + m.runs[n-1].n - 1
		if m.runs[n-1].at+m.runs[n-1].n > in.size()/e.block {
			return nil, fmt.Errorf("a directory with blocks beyond its end: %w", image.ErrReadOnly)
		}
	}
	if in.size()+e.block > math.MaxInt32 {
		return nil, fmt.Errorf("a directory of %d bytes: %w", in.size(), image.ErrReadOnly)
	}
	b, err := e.allocate(last + 1)
	if err != nil {
		return nil, err
	}
	if err := e.put(b, nil); err != nil {
		return nil, err
	}
	p, err := e.edit(b)
	if err != nil {
		return nil, err
	}
	e.setRecLen(p, e.dirEnd())
	e.sumDir(dir, in, p)
	m.grow(extRun{at: in.size() / e.block, block: b, n: 1})
	put32(in[4:], uint32(in.size()+e.block))
	if err := e.setMap(dir, in, m.runs, &extPool{e: e, old: m.meta, last: b}); err != nil {
		return nil, err
	}
	return &extEntry{block: b, length: e.dirEnd()}, nil
}

// dropIndex makes a directory a list without an index: the blocks that hold the index
// become blocks of entries.
func (e *extWriter) dropIndex(dir uint32) error {
	in, err := e.inodeAt(dir)
	if err != nil {
		return err
	}
	if err := e.editable(in); err != nil || in.flags()&extFlagIndex == 0 {
		return err
	}
	if in, err = e.editInode(dir); err != nil {
		return err
	}
	m, err := e.mapOf(in)
	if err != nil {
		return err
	}
	inner, err := e.indexBlocks(m)
	if err != nil {
		return err
	}
	end := e.dirEnd()
	for i, b := range inner {
		p, err := e.edit(b)
		if err != nil {
			return err
		}
		if i == 0 { // its entries . and .. stay
			e.setRecLen(p[12:], end-12)
			clear(p[24:])
		} else {
			clear(p)
			e.setRecLen(p, end)
		}
		e.sumDir(dir, in, p)
	}
	put32(in[32:], in.flags()&^extFlagIndex)
	return nil
}

// indexBlocks returns the blocks of a directory that hold its index, the root first.
func (e *extWriter) indexBlocks(m *extBlocks) ([]int64, error) {
	if len(m.runs) == 0 || m.runs[0].at != 0 {
		return nil, extDamaged("a directory with an index and without its first block")
	}
	root := m.runs[0].block
	p, err := e.look(root)
	if err != nil {
		return nil, err
	}
	if e.recLen(p) != 12 || e.recLen(p[12:]) != int(e.block)-12 || p[29] != 8 || p[30] > 3 {
		return nil, extDamaged("the index of a directory at block %d", root)
	}
	at := map[int64]int64{}
	for _, r := range m.runs {
		for i := range r.n {
			at[r.at+i] = r.block + i
		}
	}
	inner := []int64{root}
	level := [][]byte{p[32:]}
	for range p[30] {
		var below [][]byte
		for _, q := range level {
			count := int(le16(q[2:]))
			if count*8 > len(q) {
				return nil, extDamaged("the index of a directory has a node of %d entries", count)
			}
			for i := range count {
				b, ok := at[int64(le32(q[8*i+4:])&0x0fffffff)]
				if !ok || len(inner) > len(at) {
					return nil, extDamaged("the index of a directory names a block that it does not have")
				}
				node, err := e.look(b)
				if err != nil {
					return nil, err
				}
				inner = append(inner, b)
				below = append(below, node[8:])
			}
		}
		level = below
	}
	return inner, nil
}
