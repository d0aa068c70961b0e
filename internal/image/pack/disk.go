package pack

import (
	"encoding/binary"
	"hash/crc32"
	"unicode/utf16"
)

// Partition is one partition of a disk.
type Partition struct {
	Name string
	Data []byte
}

const sector = 512

// linuxData is the GPT type of Linux file systems, 0FC63DAF-8483-4772-8E79-3D69D8477DE4.
const linuxData = "\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4"

// GPT writes a disk with a GUID partition table: each partition begins at a multiple of
// 1 MiB.
func GPT(parts []Partition) []byte {
	const align = 2048 // sectors
	end := align
	var entries [128 * 128]byte
	le := binary.LittleEndian
	starts := make([]int, len(parts))
	for i, p := range parts {
		starts[i] = end
		n := (len(p.Data) + sector - 1) / sector
		e := entries[i*128:]
		copy(e, linuxData)
		copy(e[16:], "vesalius-part-00")
		e[31] = byte('0' + i%10)
		le.PutUint64(e[32:], uint64(end))
		le.PutUint64(e[40:], uint64(end+n-1))
		for k, c := range utf16.Encode([]rune(p.Name)) {
			if k < 36 {
				le.PutUint16(e[56+2*k:], c)
			}
		}
		end += (n + align - 1) / align * align
	}
	total := end + 34
	out := make([]byte, total*sector)
	for i, p := range parts {
		copy(out[starts[i]*sector:], p.Data)
	}
	out[446+1], out[446+2] = 0, 2
	out[446+4] = 0xee
	out[446+5], out[446+6], out[446+7] = 0xff, 0xff, 0xff
	le.PutUint32(out[446+8:], 1)
	le.PutUint32(out[446+12:], uint32(total-1))
	out[510], out[511] = 0x55, 0xaa
	header := func(here, other, table int) []byte {
		h := make([]byte, sector)
		copy(h, "EFI PART")
		le.PutUint32(h[8:], 0x10000)
		le.PutUint32(h[12:], 92)
		le.PutUint64(h[24:], uint64(here))
		le.PutUint64(h[32:], uint64(other))
		le.PutUint64(h[40:], 34)
		le.PutUint64(h[48:], uint64(total-34))
		copy(h[56:], "vesalius-disk-00")
		le.PutUint64(h[72:], uint64(table))
		le.PutUint32(h[80:], 128)
		le.PutUint32(h[84:], 128)
		le.PutUint32(h[88:], crc32.ChecksumIEEE(entries[:]))
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
		return h
	}
	copy(out[sector:], header(1, total-1, 2))
	copy(out[2*sector:], entries[:])
	copy(out[(total-33)*sector:], entries[:])
	copy(out[(total-1)*sector:], header(total-1, 1, total-33))
	return out
}

// Volume is one volume of a UBI image.
type Volume struct {
	Name string
	Data []byte
}

// UBI writes the volumes as a UBI image for a NAND flash with erase blocks of peb bytes
// and pages of page bytes. Volumes are dynamic.
func UBI(volumes []Volume, peb, page int) []byte {
	be := binary.BigEndian
	sum := func(p []byte) uint32 { return ^crc32.ChecksumIEEE(p) }
	leb := peb - 2*page
	var out []byte
	block := func(id uint32, lnum int, compat byte, data []byte) {
		b := make([]byte, peb)
		for i := range b {
			b[i] = 0xff
		}
		ec := make([]byte, 64)
		copy(ec, "UBI#\x01")
		be.PutUint32(ec[16:], uint32(page))
		be.PutUint32(ec[20:], uint32(2*page))
		be.PutUint32(ec[24:], 0x56455341)
		be.PutUint32(ec[60:], sum(ec[:60]))
		vid := make([]byte, 64)
		copy(vid, "UBI!\x01\x01")
		vid[7] = compat
		be.PutUint32(vid[8:], id)
		be.PutUint32(vid[12:], uint32(lnum))
		be.PutUint64(vid[40:], uint64(len(out)/peb))
		be.PutUint32(vid[60:], sum(vid[:60]))
		copy(b, ec)
		copy(b[page:], vid)
		copy(b[2*page:], data)
		out = append(out, b...)
	}
	table := make([]byte, 128*172)
	for i := range 128 {
		r := table[i*172:][:172]
		if i < len(volumes) {
			v := volumes[i]
			be.PutUint32(r[0:], uint32((len(v.Data)+leb-1)/leb))
			be.PutUint32(r[4:], 1)
			r[12] = 1
			be.PutUint16(r[14:], uint16(len(v.Name)))
			copy(r[16:], v.Name)
		}
		be.PutUint32(r[168:], sum(r[:168]))
	}
	for copies := range 2 {
		block(0x7fffefff, copies, 5, table[:min(len(table), leb)])
	}
	for id, v := range volumes {
		for lnum := 0; lnum*leb < len(v.Data); lnum++ {
			block(uint32(id), lnum, 0, v.Data[lnum*leb:min(len(v.Data), (lnum+1)*leb)])
		}
	}
	return out
}
