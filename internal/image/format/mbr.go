package format

import (
	"fmt"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var mbr = &image.Format{
	Name:  "mbr",
	Title: "MBR partition table",
	Class: "partition",
	Where: "images of SD cards, USB sticks, disks and eMMC",
	Spec: "UEFI Specification 2.10, section 5.2. Attributes: disk_id; partition.N.type and, for the one that boots, partition.N.active. " +
		"N counts as Linux does: logical partitions from 5",
	Limits:  "sectors of 512 bytes only",
	Magic:   []image.Magic{{Offset: 0x1fe, Bytes: "\x55\xaa"}},
	Weak:    true,
	Open:    openMBR,
	Rebuild: inTable(openMBR),
}

// mbrTypes are the usual names of partition types.
var mbrTypes = map[byte]string{
	0x01: "FAT12", 0x04: "FAT16", 0x05: "extended", 0x06: "FAT16", 0x07: "NTFS or exFAT", 0x0b: "FAT32", 0x0c: "FAT32", 0x0e: "FAT16",
	0x0f: "extended", 0x11: "hidden FAT12", 0x14: "hidden FAT16", 0x16: "hidden FAT16", 0x1b: "hidden FAT32", 0x1c: "hidden FAT32",
	0x4d: "QNX4", 0x4e: "QNX4", 0x4f: "QNX4", 0x82: "Linux swap", 0x83: "Linux", 0x85: "extended", 0x8e: "Linux LVM",
	0xa2: "boot loader (Altera)", 0xa5: "FreeBSD", 0xa6: "OpenBSD", 0xa9: "NetBSD", 0xb1: "QNX6", 0xb2: "QNX6", 0xb3: "QNX6",
	0xda: "raw data", 0xee: "GPT protective", 0xef: "EFI system", 0xf0: "boot loader", 0xfd: "Linux RAID",
}

func mbrType(t byte) string {
	if s, ok := mbrTypes[t]; ok {
		return s
	}
	return fmt.Sprintf("%#02x", t)
}

func mbrExtended(t byte) bool { return t == 0x05 || t == 0x0f || t == 0x85 }

// openMBR reads the four primary entries and the chain of logical ones. The magic ends
// any boot sector, so entries must make sense.
func openMBR(in *image.Input) (*image.Content, error) {
	sector, err := in.View(0, 512)
	if err != nil {
		return nil, image.ErrNot
	}
	var slots []slot
	var extended int64
	inside := false
	end := int64(512)
	for i := range 4 {
		e := sector[446+16*i:]
		kind, start, n := e[4], int64(le32(e[8:]))*512, int64(le32(e[12:]))*512
		if e[0]&0x7f != 0 || kind == 0 && (start != 0 || n != 0) {
			return nil, image.ErrNot
		}
		if kind == 0 {
			continue
		}
		if start == 0 || n == 0 {
			return nil, image.ErrNot
		}
		if kind == 0xee {
			if c, err := gptBackup(in); err == nil {
				return c, nil
			}
		}
		inside = inside || start < in.Size()
		end = max(end, start+n)
		if mbrExtended(kind) {
			if extended != 0 {
				return nil, image.ErrNot
			}
			extended = start
			continue
		}
		s := slot{number: i + 1, kind: mbrType(kind), start: start, end: start + n}
		if e[0] == 0x80 {
			s.attrs = map[string]string{"active": "true"}
		}
		slots = append(slots, s)
	}
	if !inside {
		return nil, image.ErrNot
	}
	logical, damage := mbrLogical(in, extended)
	c := partition(in, append(slots, logical...), 512, end)
	if damage != nil {
		c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: extended}, Reason: "damaged", Why: fmt.Sprintf("extended partition: %v", damage)})
	}
	if id := le32(sector[440:]); id != 0 {
		c.Attributes["disk_id"] = fmt.Sprintf("%08x", id)
	}
	return c, nil
}

// mbrLogical follows the chain of the logical partitions.
func mbrLogical(in *image.Input, extended int64) ([]slot, error) {
	if extended == 0 {
		return nil, nil
	}
	var slots []slot
	number := 4
	for at := extended; ; {
		p, err := in.View(at, 512)
		if err != nil {
			return slots, err
		}
		if p[510] != 0x55 || p[511] != 0xaa {
			return slots, fmt.Errorf("no table at %#x", at)
		}
		slots = append(slots, slot{start: at, end: at + 512})
		first, next := p[446:], p[462:]
		if kind, n := first[4], int64(le32(first[12:]))*512; kind != 0 && n > 0 {
			start := at + int64(le32(first[8:]))*512
			number++
			slots = append(slots, slot{number: number, kind: mbrType(kind), start: start, end: start + n})
		}
		if !mbrExtended(next[4]) {
			return slots, nil
		}
		// Tables only ever lead forward, so the chain ends.
		to := extended + int64(le32(next[8:]))*512
		if to <= at {
			return slots, fmt.Errorf("table at %#x leads back to %#x", at, to)
		}
		at = to
	}
}
