package format

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// survey looks at the whole file system before anything is written: each block in use is
// used once and marked so, each name leads to an inode in use, and files count their
// names rightly. Writing into one where that is not so would damage it further.
func (e *extWriter) survey() error {
	if e.perGroup%8 != 0 || e.inodesPer%8 != 0 || e.block == 1024 && e.first != 1 {
		return extDamaged("groups of %d blocks and %d inodes from block %d on", e.perGroup, e.inodesPer, e.first)
	}
	e.claimed = make([]uint64, e.blocks/64+1)
	for g := range e.count {
		if err := e.claimGroup(g); err != nil {
			return err
		}
	}
	attrs := map[int64]uint32{} // blocks of attributes: how many share it
	for g := range e.count {
		if err := e.surveyInodes(g, attrs); err != nil {
			return err
		}
	}
	for g := range e.count {
		if err := e.surveyBlocks(g); err != nil {
			return err
		}
	}
	return e.surveyNames()
}

// surveyInodes claims the blocks of the inodes of a group.
func (e *extWriter) surveyInodes(g int64, attrs map[int64]uint32) error {
	d := e.desc(g)
	if e.uninit(d, extInodeUninit) {
		if e.half(d, 0x0e, 0x2e) != int64(e.inodesPer) {
			return extDamaged("group %d has inodes and no list of them", g)
		}
		return nil
	}
	p, err := e.look(e.place(d, 4))
	if err != nil {
		return err
	}
	p = bytes.Clone(p[:e.inodesPer/8])
	if free := int64(e.inodesPer) - usedBits(p, int64(e.inodesPer)); free != e.half(d, 0x0e, 0x2e) {
		return extDamaged("group %d says that it has %d free inodes and marks %d", g, e.half(d, 0x0e, 0x2e), free)
	}
	for i := range e.inodesPer {
		if p[i/8]>>(i%8)&1 == 0 {
			continue
		}
		ino := uint32(g)*e.inodesPer + i + 1
		in, err := e.inodeAt(ino)
		if err != nil {
			return err
		}
		if err := e.surveyInode(ino, in, attrs); err != nil {
			return fmt.Errorf("inode %d: %w", ino, err)
		}
	}
	return nil
}

func (e *extWriter) surveyInode(ino uint32, in extInode, attrs map[int64]uint32) error {
	if !e.inodeSumRight(ino, in) {
		return extDamaged("wrong checksum")
	}
	if ino == 7 {
		// Its blocks are the room that is kept for descriptors.
		if b := int64(le32(in.map60()[4*13:])); b != 0 {
			return e.claim(b, 1)
		}
		return nil
	}
	m := &extBlocks{}
	if ino == 1 || in.mapped() {
		if err := e.readMap(m, in); err != nil {
			return err
		}
	}
	for _, r := range m.runs {
		if err := e.claim(r.block, r.n); err != nil {
			return err
		}
	}
	for _, b := range m.meta {
		if err := e.claim(b, 1); err != nil {
			return err
		}
	}
	b := in.attrs()
	if b == 0 || ino == 1 {
		return nil
	}
	p, err := e.look(b)
	if err != nil {
		return err
	}
	if le32(p) != extAttrMagic {
		return extDamaged("block %d is none of attributes", b)
	}
	if attrs[b]++; attrs[b] > le32(p[4:]) {
		return extDamaged("block %d is shared by more than it says", b)
	}
	if attrs[b] == 1 {
		return e.claim(b, 1)
	}
	return nil
}

// inodeSumRight reports whether the checksum of an inode is right. One of zeros has none.
func (e *extWriter) inodeSumRight(ino uint32, in extInode) bool {
	q := extInode(bytes.Clone(in))
	e.sumInode(ino, q)
	return bytes.Equal(q, in)
}

// surveyBlocks holds the bitmap of a group's blocks against what is in use.
func (e *extWriter) surveyBlocks(g int64) error {
	d := e.desc(g)
	first, n := e.span(g)
	free := int64(0)
	if e.uninit(d, extBlockUninit) {
		for i := range n {
			if !e.isClaimed(first + i) {
				free++
			}
		}
	} else {
		p, err := e.look(e.place(d, 0))
		if err != nil {
			return err
		}
		for i := range n {
			if e.isClaimed(first+i) && p[i/8]>>(i%8)&1 == 0 {
				return extDamaged("block %d is used and marked as free", first+i)
			}
		}
		free = n - usedBits(p, n)
	}
	if free != e.half(d, 0x0c, 0x2c) {
		return extDamaged("group %d says that it has %d free blocks and marks %d", g, e.half(d, 0x0c, 0x2c), free)
	}
	return nil
}

// surveyNames walks all directories.
func (e *extWriter) surveyNames() error {
	names := map[uint32]uint32{}
	seen := map[uint32]bool{extRootInode: true}
	for todo := []uint32{extRootInode}; len(todo) > 0; {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		in, err := e.inodeAt(dir)
		if err != nil {
			return err
		}
		if in.flags()&extFlagEncrypt != 0 {
			continue
		}
		var inner error
		dirs := uint32(2)
		here := map[string]bool{}
		err = e.entriesOf(dir, func(x extEntry) bool {
			if x.ino == 0 || x.name == "." || x.name == ".." {
				return true
			}
			if _, err := join("/", x.name); err != nil || here[x.name] {
				inner = extDamaged("directory inode %d: the name %q occurs twice, or is none", dir, x.name)
				return false
			}
			here[x.name] = true
			var child extInode
			if child, inner = e.inodeAt(x.ino); inner != nil {
				return false
			}
			if used, err := e.inodeUsed(x.ino); err != nil || !used {
				inner = extDamaged("%q leads to inode %d, which is free", x.name, x.ino)
				return false
			}
			if child.mode()&extFormat != extDir {
				names[x.ino]++
				return true
			}
			if seen[x.ino] {
				inner = extDamaged("%q is a directory with two names", x.name)
				return false
			}
			seen[x.ino] = true
			dirs++
			todo = append(todo, x.ino)
			return true
		})
		switch {
		case inner != nil:
			return inner
		case err != nil:
			return fmt.Errorf("directory inode %d: %w", dir, err)
		case in.links() != 1 && uint32(in.links()) != dirs && in.flags()&extFlagInline == 0:
			return extDamaged("directory inode %d has %d links, and says %d", dir, dirs, in.links())
		}
	}
	for _, ino := range slices.Sorted(maps.Keys(names)) {
		in, err := e.inodeAt(ino)
		if err != nil {
			return err
		}
		if n := names[ino]; uint32(in.links()) != n && e.incompat&extEncrypt == 0 {
			return extDamaged("inode %d has %d names, and says %d", ino, n, in.links())
		}
	}
	return nil
}

// inodeUsed reports whether the bitmap of its group says that an inode is in use.
func (e *extWriter) inodeUsed(ino uint32) (bool, error) {
	d := e.desc(int64((ino - 1) / e.inodesPer))
	if e.uninit(d, extInodeUninit) {
		return false, nil
	}
	p, err := e.look(e.place(d, 4))
	if err != nil {
		return false, err
	}
	i := (ino - 1) % e.inodesPer
	return p[i/8]>>(i%8)&1 == 1, nil
}
