package format

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"unicode/utf16"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var gpt = &image.Format{
	Name:  "gpt",
	Title: "GPT partition table",
	Class: "partition",
	Where: "images of eMMC and disks, Android and x86 devices",
	Spec: "UEFI Specification 2.10, section 5.3. Attributes: disk_id, table (backup: the first one is damaged); " +
		"partition.N.name, partition.N.type, partition.N.uuid, partition.N.flags",
	Magic:   []image.Magic{{Offset: 0x200, Bytes: "EFI PART"}, {Offset: 0x1000, Bytes: "EFI PART"}},
	Open:    openGPT,
	Rebuild: inTable(openGPT),
}

// gptTypes are the usual names of partition types: UEFI 2.10, table 5.7, and the
// Discoverable Partitions Specification.
var gptTypes = map[string]string{
	"c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "EFI system",
	"21686148-6449-6e6f-744e-656564454649": "BIOS boot",
	"0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux",
	"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
	"e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
	"a19d880f-05fc-4d3b-a006-743f0f84911e": "Linux RAID",
	"ca7d7ccb-63ed-4c53-861c-1742536059cc": "LUKS",
	"7ffec5c9-2d00-49b7-8941-3ea10a5586b7": "dm-crypt",
	"933ac7e1-2eb4-4f13-b844-0e14e2aef915": "Linux /home",
	"4d21b016-b534-45c2-a9fb-5c16e091fd2d": "Linux /var",
	"bc13c2ff-59e6-4262-a352-b275fd6f7172": "boot loader (extended)",
	"44479540-f297-41b2-9af7-d131d5f0458a": "Linux root (x86)",
	"4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
	"69dad710-2ce4-4e3c-b16c-21a1d49abed3": "Linux root (arm)",
	"b921b045-1df0-41c3-af44-4c6f280d3fae": "Linux root (arm64)",
	"2c7357ed-ebd2-46d9-aec1-23d437ec2bf5": "Linux root verity (x86-64)",
	"df3300ce-d69f-4c92-978c-9bfb0f38d820": "Linux root verity (arm64)",
	"3de21764-95bd-54bd-a5c3-4abe786f38a8": "U-Boot environment",
	"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Windows data",
	"e3c9e316-0b5c-4db8-817d-f92df00215ae": "Windows reserved",
	"de94bba4-06d1-4d40-a16a-bfd50179d6ac": "Windows recovery",
	"fe3a2a5d-4f32-41a7-b725-accc3285a309": "ChromeOS kernel",
	"3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec": "ChromeOS root",
}

// guid writes 16 bytes as UEFI does: the first three fields are little-endian.
func guid(p []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le32(p), le16(p[4:]), le16(p[6:]), p[8:10], p[10:16])
}

func openGPT(in *image.Input) (*image.Content, error) {
	for _, sector := range []int64{512, 4096} {
		h, err := in.View(sector, min(512, max(in.Size()-sector, 0)))
		if err != nil || len(h) < 92 || string(h[:8]) != "EFI PART" {
			continue
		}
		if le64(h[24:]) != 1 {
			return nil, image.ErrNot // the backup, whose table lies elsewhere
		}
		c, err := gptTable(in, h, sector)
		if err == nil {
			return c, nil
		}
		if c, err := gptBackup(in); err == nil {
			return c, nil
		}
		return nil, err
	}
	return nil, image.ErrNot
}

// gptBackup reads the table by its second header, in the last sector.
func gptBackup(in *image.Input) (*image.Content, error) {
	for _, sector := range []int64{512, 4096} {
		h, err := in.View(in.Size()-sector, 512)
		if err != nil || string(h[:8]) != "EFI PART" || le64(h[24:]) != uint64(in.Size()/sector-1) {
			continue
		}
		c, err := gptTable(in, h, sector)
		if err == nil {
			c.Attributes["table"] = "backup"
			return c, nil
		}
	}
	return nil, image.ErrNot
}

// gptTable reads the entries that a header leads to.
func gptTable(in *image.Input, h []byte, sector int64) (*image.Content, error) {
	size := int64(le32(h[12:]))
	if size < 92 || size > int64(len(h)) {
		return nil, fmt.Errorf("header of %d bytes", size)
	}
	plain := bytes.Clone(h[:size])
	clear(plain[16:20])
	if crc32.ChecksumIEEE(plain) != le32(h[16:]) {
		return nil, errors.New("header: wrong checksum")
	}
	count, each := int64(le32(h[80:])), int64(le32(h[84:]))
	at := int64(le64(h[72:]))
	last := max(le64(h[24:]), le64(h[32:]))
	if each < 128 || each > 4096 || count > 1<<16 || at < 2 || at > in.Size()/sector || last > 1<<50/uint64(sector) {
		return nil, fmt.Errorf("%d entries of %d bytes at sector %d", count, each, at)
	}
	p, err := in.View(at*sector, count*each)
	if err != nil {
		return nil, fmt.Errorf("entries: %w", err)
	}
	sum := crc32.ChecksumIEEE(p)
	table := slot{start: at * sector, end: (at*sector + count*each + sector - 1) / sector * sector}
	slots := []slot{table, {start: int64(last) * sector, end: int64(last+1) * sector}}
	other := int64(2) // where the other table lies
	n := (table.end - table.start) / sector
	if le64(h[24:]) == 1 {
		other = int64(last) - n
	}
	if other >= at+n || other+n <= at {
		slots = append(slots, slot{start: other * sector, end: (other + n) * sector})
	}
	for i := 0; len(p) > 0; i, p = i+1, p[each:] {
		start, end := le64(p[32:]), le64(p[40:])
		if [16]byte(p) == [16]byte{} {
			continue
		}
		if start > end || end > last {
			return nil, fmt.Errorf("partition %d: sectors %d to %d of %d", i+1, start, end, last)
		}
		s := slot{number: i + 1, kind: guid(p), start: int64(start) * sector, end: int64(end+1) * sector, name: utf16Text(p[56:128])}
		s.attrs = map[string]string{"uuid": guid(p[16:])}
		if name, ok := gptTypes[s.kind]; ok {
			s.kind = name
		}
		if flags := le64(p[48:]); flags != 0 {
			s.attrs["flags"] = fmt.Sprintf("%#x", flags)
		}
		slots = append(slots, s)
	}
	c := partition(in, slots, 2*sector, int64(last+1)*sector)
	c.Attributes["disk_id"] = guid(h[56:])
	if sum != le32(h[88:]) {
		c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: at * sector}, Size: count * each, Reason: "damaged", Why: "partition entries: wrong checksum"})
	}
	return c, nil
}

// utf16Text reads little-endian UTF-16 up to the first NUL.
func utf16Text(p []byte) string {
	var units []uint16
	for ; len(p) >= 2; p = p[2:] {
		u := le16(p)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
