package format

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/vesalius-project/vesalius/internal/image"
)

func put16(p []byte, n uint16) { binary.LittleEndian.PutUint16(p, n) }
func put32(p []byte, n uint32) { binary.LittleEndian.PutUint32(p, n) }

// Flags of a group: its bitmaps were never written.
const (
	extInodeUninit = 1
	extBlockUninit = 2
)

// desc returns the descriptor of a group as it is now. It was read before.
func (e *extWriter) desc(g int64) []byte {
	per := e.block / e.descSize
	p, err := e.look(e.descBlock(g / per))
	if err != nil {
		return make([]byte, e.descSize)
	}
	return p[g%per*e.descSize:][:e.descSize]
}

// editDesc returns the descriptor of a group to be changed.
func (e *extWriter) editDesc(g int64) ([]byte, error) {
	per := e.block / e.descSize
	p, err := e.edit(e.descBlock(g / per))
	if err != nil {
		return nil, err
	}
	e.groupSet[g] = true
	return p[g%per*e.descSize:][:e.descSize], nil
}

// half returns a field of a descriptor that has a second half in the long form.
func (e *extWriter) half(d []byte, low, high int) int64 {
	n := int64(le16(d[low:]))
	if e.descSize >= 64 {
		n |= int64(le16(d[high:])) << 16
	}
	return n
}

// add changes such a field.
func (e *extWriter) add(d []byte, low, high int, delta int64) {
	n := e.half(d, low, high) + delta
	put16(d[low:], uint16(n))
	if e.descSize >= 64 {
		put16(d[high:], uint16(n>>16))
	}
}

// place returns the block that a descriptor names at an offset.
func (e *extWriter) place(d []byte, at int) int64 {
	n := int64(le32(d[at:]))
	if e.descSize >= 64 {
		n |= int64(le32(d[0x20+at:])) << 32
	}
	return n
}

// uninit reports whether a flag of a group is set. Without checksums there are none.
func (e *extWriter) uninit(d []byte, flag uint16) bool {
	return e.ro&extAnyCsum != 0 && le16(d[0x12:])&flag != 0
}

// descSum returns the checksum of a descriptor.
func (e *extWriter) descSum(g int64, d []byte) uint16 {
	if e.ro&extMetadataCsum != 0 {
		sum := extCRC(extCRC32(e.seed, uint32(g)), d[:0x1e])
		return uint16(extCRC(extCRC(sum, []byte{0, 0}), d[0x20:]))
	}
	sum := ^uint16(0)
	for _, p := range [][]byte{e.sb[0x68:0x78], {byte(g), byte(g >> 8), byte(g >> 16), byte(g >> 24)}, d[:0x1e], d[0x20:]} {
		for _, c := range p {
			sum ^= uint16(c)
			for range 8 {
				sum = sum>>1 ^ 0xa001*(sum&1)
			}
		}
	}
	return sum
}

// sumGroup sets the checksums of a group.
func (e *extWriter) sumGroup(g int64) error {
	if e.ro&extAnyCsum == 0 {
		return nil
	}
	d, err := e.editDesc(g)
	if err != nil {
		return err
	}
	if e.ro&extMetadataCsum != 0 {
		for _, m := range []struct {
			at, low, high, bits int
			flag                uint16
		}{
			{0, 0x18, 0x38, int(e.perGroup), extBlockUninit}, {4, 0x1a, 0x3a, int(e.inodesPer), extInodeUninit},
		} {
			if e.uninit(d, m.flag) {
				continue
			}
			p, err := e.look(e.place(d, m.at))
			if err != nil {
				return err
			}
			sum := extCRC(e.seed, p[:m.bits/8])
			put16(d[m.low:], uint16(sum))
			if e.descSize >= 64 {
				put16(d[m.high:], uint16(sum>>16))
			}
		}
	}
	put16(d[0x1e:], e.descSum(g, d))
	return nil
}

// span returns the blocks of a group: from its first one, how many.
func (e *extWriter) span(g int64) (first, n int64) {
	first = e.first + g*e.perGroup
	return first, min(e.perGroup, e.blocks-first)
}

// blockMap returns the bitmap of a group's blocks to be changed. One that was never
// written is made of what the group is known to hold.
func (e *extWriter) blockMap(g int64) ([]byte, error) {
	d, err := e.editDesc(g)
	if err != nil {
		return nil, err
	}
	p, err := e.edit(e.place(d, 0))
	if err != nil || !e.uninit(d, extBlockUninit) {
		return p, err
	}
	put16(d[0x12:], le16(d[0x12:])&^extBlockUninit)
	first, n := e.span(g)
	clear(p)
	for i := range e.block * 8 {
		if i >= n || e.isClaimed(first+i) {
			p[i/8] |= 1 << (i % 8)
		}
	}
	return p, nil
}

// allocate takes a free block, near to one if it can.
func (e *extWriter) allocate(near int64) (int64, error) {
	if near < e.first || near >= e.blocks {
		near = e.first
	}
	start := (near - e.first) / e.perGroup
	for _, fresh := range []bool{false, true} {
		for i := range e.count {
			g := (start + i) % e.count
			d := e.desc(g)
			if e.half(d, 0x0c, 0x2c) == 0 || e.uninit(d, extBlockUninit) != fresh {
				continue
			}
			p, err := e.blockMap(g)
			if err != nil {
				return 0, err
			}
			first, n := e.span(g)
			bit := int64(-1)
			if g == start {
				bit = freeBit(p, near-first, n)
			}
			if bit < 0 {
				bit = freeBit(p, 0, n)
			}
			if bit < 0 {
				return 0, extDamaged("group %d says that it has a free block", g)
			}
			if d, err = e.editDesc(g); err != nil {
				return 0, err
			}
			e.add(d, 0x0c, 0x2c, -1)
			p[bit/8] |= 1 << (bit % 8)
			return first + bit, nil
		}
	}
	return 0, fmt.Errorf("no free block is left: %w", image.ErrReadOnly)
}

// freeBit returns the first bit from one on that is not set, -1 where all n are.
func freeBit(p []byte, from, n int64) int64 {
	for i := from; i < n; {
		if p[i/8] == 0xff {
			i = i/8*8 + 8
			continue
		}
		if p[i/8]>>(i%8)&1 == 0 {
			return i
		}
		i++
	}
	return -1
}

// free gives a block back and overwrites it with zeros.
func (e *extWriter) free(block int64) error {
	g := (block - e.first) / e.perGroup
	if block < e.first || block >= e.blocks {
		return extDamaged("block %d of %d", block, e.blocks)
	}
	p, err := e.blockMap(g)
	if err != nil {
		return err
	}
	first, _ := e.span(g)
	bit := block - first
	if p[bit/8]>>(bit%8)&1 == 0 {
		return extDamaged("block %d is used and marked as free", block)
	}
	p[bit/8] &^= 1 << (bit % 8)
	d, err := e.editDesc(g)
	if err != nil {
		return err
	}
	e.add(d, 0x0c, 0x2c, 1)
	e.freed = true
	if q, ok := e.dirty[block]; ok && &q[0] != &e.zero[0] {
		e.bytes -= e.block
	}
	e.dirty[block] = e.zero
	return nil
}

// allocateInode takes a free inode, in the group of another one if it can, and clears it.
func (e *extWriter) allocateInode(near uint32, dir bool) (uint32, error) {
	start := int64((near - 1) / e.inodesPer)
	for _, fresh := range []bool{false, true} {
		for i := range e.count {
			g := (start + i) % e.count
			d := e.desc(g)
			if e.half(d, 0x0e, 0x2e) == 0 || e.uninit(d, extInodeUninit) != fresh {
				continue
			}
			d, err := e.editDesc(g)
			if err != nil {
				return 0, err
			}
			p, err := e.edit(e.place(d, 4))
			if err != nil {
				return 0, err
			}
			if fresh {
				for i := range p {
					p[i] = 0
					if i >= int(e.inodesPer)/8 {
						p[i] = 0xff
					}
				}
				put16(d[0x12:], le16(d[0x12:])&^extInodeUninit)
			}
			from := int64(0)
			if g == 0 {
				from = 10
				if le32(e.sb[0x4c:]) == 1 {
					from = max(10, int64(le32(e.sb[0x54:]))-1)
				}
			}
			bit := freeBit(p, from, int64(e.inodesPer))
			if bit < 0 {
				continue // reserved ones only
			}
			p[bit/8] |= 1 << (bit % 8)
			e.add(d, 0x0e, 0x2e, -1)
			if dir {
				e.add(d, 0x10, 0x30, 1)
			}
			if e.ro&extAnyCsum != 0 {
				if unused := int64(e.inodesPer) - bit - 1; e.half(d, 0x1c, 0x32) > unused {
					e.add(d, 0x1c, 0x32, unused-e.half(d, 0x1c, 0x32))
				}
			}
			ino := uint32(g)*e.inodesPer + uint32(bit) + 1
			in, err := e.editInode(ino)
			if err != nil {
				return 0, err
			}
			clear(in)
			return ino, nil
		}
	}
	return 0, fmt.Errorf("no free inode is left: %w", image.ErrReadOnly)
}

// freeInode gives an inode back.
func (e *extWriter) freeInode(ino uint32, dir bool) error {
	in, err := e.editInode(ino)
	if err != nil {
		return err
	}
	clear(in)
	g := int64((ino - 1) / e.inodesPer)
	d, err := e.editDesc(g)
	if err != nil {
		return err
	}
	p, err := e.edit(e.place(d, 4))
	if err != nil {
		return err
	}
	bit := (ino - 1) % e.inodesPer
	if p[bit/8]>>(bit%8)&1 == 0 {
		return extDamaged("inode %d is used and marked as free", ino)
	}
	p[bit/8] &^= 1 << (bit % 8)
	e.add(d, 0x0e, 0x2e, 1)
	if dir {
		e.add(d, 0x10, 0x30, -1)
	}
	return nil
}

func (e *extWriter) isClaimed(block int64) bool {
	return e.claimed[block/64]>>(block%64)&1 != 0
}

// claim says that blocks are in use. Each can be used once.
func (e *extWriter) claim(block, n int64) error {
	if block < 0 || n < 0 || block > e.blocks-n {
		return extDamaged("blocks %d+%d of %d", block, n, e.blocks)
	}
	for i := block; i < block+n; i++ {
		if e.isClaimed(i) {
			return extDamaged("block %d is used twice", i)
		}
		e.claimed[i/64] |= 1 << (i % 64)
	}
	return nil
}

// claimGroup claims what a group holds for the file system itself.
func (e *extWriter) claimGroup(g int64) error {
	first, n := e.span(g)
	super := e.hasSuper(g)
	at := first
	if super {
		at++
	}
	per := e.block / e.descSize
	switch meta := e.firstMeta(); {
	case g/per < meta:
		if super {
			at += min(meta, (e.count+per-1)/per)
			if e.incompat&extMetaBG == 0 {
				at += int64(le16(e.sb[0xce:]))
			}
		}
	case g%per == 0 || g%per == 1 || g%per == per-1:
		at++
	}
	if at > first+n {
		return extDamaged("group %d is too small for its descriptors", g)
	}
	d := e.desc(g)
	table := (int64(e.inodesPer)*e.inodeSize + e.block - 1) / e.block
	for _, r := range [][2]int64{{first, at - first}, {e.place(d, 0), 1}, {e.place(d, 4), 1}, {e.tables[g], table}} {
		if r[0] < e.first {
			return extDamaged("group %d: a table at block %d", g, r[0])
		}
		if err := e.claim(r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

// usedBits counts the set ones of the first n bits.
func usedBits(p []byte, n int64) (used int64) {
	for i := int64(0); i < n; i += 8 {
		c := p[i/8]
		if n-i < 8 {
			c &= 1<<(n-i) - 1
		}
		used += int64(bits.OnesCount8(c))
	}
	return used
}
