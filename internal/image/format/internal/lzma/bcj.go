package lzma

import "encoding/binary"

// undo turns a whole block back, in place. The converters make the relative targets of
// branches absolute, since those compress better; each is undone for the instructions of
// its architecture.
func (f filter) undo(p []byte) {
	switch f.id {
	case filterDelta:
		for i := int(f.offset); i < len(p); i++ {
			p[i] += p[i-int(f.offset)]
		}
	case filterX86:
		x86(f.offset, p)
	case 0x05:
		powerpc(f.offset, p)
	case 0x06:
		ia64(f.offset, p)
	case 0x07:
		arm(f.offset, p)
	case 0x08:
		armThumb(f.offset, p)
	case 0x09:
		sparc(f.offset, p)
	case 0x0a:
		arm64(f.offset, p)
	}
}

func arm(pos uint32, p []byte) {
	for i := 0; i+4 <= len(p); i += 4 {
		if p[i+3] == 0xeb { // BL
			v := uint32(p[i]) | uint32(p[i+1])<<8 | uint32(p[i+2])<<16
			v = (v<<2 - (pos + uint32(i) + 8)) >> 2
			p[i], p[i+1], p[i+2] = byte(v), byte(v>>8), byte(v>>16)
		}
	}
}

func armThumb(pos uint32, p []byte) {
	for i := 0; i+4 <= len(p); i += 2 {
		if p[i+1]&0xf8 != 0xf0 || p[i+3]&0xf8 != 0xf8 { // BL in two halves
			continue
		}
		v := uint32(p[i+1]&7)<<19 | uint32(p[i])<<11 | uint32(p[i+3]&7)<<8 | uint32(p[i+2])
		v = (v<<1 - (pos + uint32(i) + 4)) >> 1
		p[i+1], p[i] = 0xf0|byte(v>>19)&7, byte(v>>11)
		p[i+3], p[i+2] = 0xf8|byte(v>>8)&7, byte(v)
		i += 2
	}
}

func arm64(pos uint32, p []byte) {
	le := binary.LittleEndian
	for i := 0; i+4 <= len(p); i += 4 {
		pc, in := pos+uint32(i), le.Uint32(p[i:])
		if in>>26 == 0x25 { // BL
			le.PutUint32(p[i:], 0x94000000|(in-pc>>2)&0x03ffffff)
			continue
		}
		if in&0x9f000000 != 0x90000000 { // ADRP
			continue
		}
		src := in>>29&3 | in>>3&0x001ffffc
		if (src+0x00020000)&0x001c0000 != 0 {
			continue
		}
		in &= 0x9000001f
		dest := src - pc>>12
		in |= dest & 3 << 29
		in |= dest & 0x0003fffc << 3
		in |= (0 - dest&0x00020000) & 0x00e00000
		le.PutUint32(p[i:], in)
	}
}

func powerpc(pos uint32, p []byte) {
	be := binary.BigEndian
	for i := 0; i+4 <= len(p); i += 4 {
		if v := be.Uint32(p[i:]); v&0xfc000003 == 0x48000001 {
			be.PutUint32(p[i:], 0x48000001|(v&0x03fffffc-(pos+uint32(i)))&0x03fffffc)
		}
	}
}

func sparc(pos uint32, p []byte) {
	be := binary.BigEndian
	for i := 0; i+4 <= len(p); i += 4 {
		v := be.Uint32(p[i:])
		if v>>22 != 0x100 && v>>22 != 0x1ff {
			continue
		}
		v = (v<<2 - (pos + uint32(i))) >> 2
		be.PutUint32(p[i:], (0-v>>22&1)<<22&0x3fffffff|v&0x3fffff|0x40000000)
	}
}

func ia64(pos uint32, p []byte) {
	table := [32]uint32{16: 4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0}
	for i := 0; i+16 <= len(p); i += 16 {
		mask := table[p[i]&0x1f]
		for slot, bit := 0, uint(5); slot < 3; slot, bit = slot+1, bit+41 {
			if mask>>slot&1 == 0 {
				continue
			}
			at, res := int(bit>>3), bit&7
			var in uint64
			for j := range 6 {
				in |= uint64(p[i+at+j]) << (8 * j)
			}
			norm := in >> res
			if norm>>37&0xf != 0x5 || norm>>9&7 != 0 {
				continue
			}
			v := uint32(norm>>13&0xfffff) | uint32(norm>>36&1)<<20
			v = (v<<4 - (pos + uint32(i))) >> 4
			norm &^= 0x8fffff << 13
			norm |= uint64(v&0xfffff)<<13 | uint64(v&0x100000)<<(36-20)
			in = in&(1<<res-1) | norm<<res
			for j := range 6 {
				p[i+at+j] = byte(in >> (8 * j))
			}
		}
	}
}

// x86 turns CALL and JMP back. The mask remembers opcode bytes among the last three,
// which may have been operands.
func x86(pos uint32, p []byte) {
	test := func(b byte) bool { return b == 0 || b == 0xff }
	allowed := [8]bool{true, true, true, false, true, false, false, false}
	number := [8]int{0, 1, 2, 2, 3, 3, 3, 3}
	mask, prev := 0, -1
	for i := 0; i+5 <= len(p); i++ {
		if p[i]&0xfe != 0xe8 {
			continue
		}
		if gap := i - prev; gap > 3 {
			mask = 0
		} else {
			mask = mask << (gap - 1) & 7
			if mask != 0 && (!allowed[mask] || test(p[i+4-number[mask]])) {
				prev, mask = i, mask<<1&7|1
				continue
			}
		}
		prev = i
		if !test(p[i+4]) {
			mask = mask<<1&7 | 1
			continue
		}
		src := binary.LittleEndian.Uint32(p[i+1:])
		var dest uint32
		for {
			dest = src - (pos + uint32(i) + 5)
			if mask == 0 {
				break
			}
			n := number[mask] * 8
			if !test(byte(dest >> (24 - n))) {
				break
			}
			src = dest ^ (1<<(32-n) - 1)
		}
		dest &= 0x01ffffff
		if dest&0x01000000 != 0 {
			dest |= 0xff000000
		}
		binary.LittleEndian.PutUint32(p[i+1:], dest)
		i += 4
		prev, mask = i, 0
	}
}

// Undo turns data that a converter made back, in place; p must be all of it. The id is
// that of the xz format; offset is where a branch converter starts, or delta's distance.
func Undo(id byte, offset uint32, p []byte) { filter{id, offset}.undo(p) }
