package format

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var bootimg = &image.Format{
	Name:  "bootimg",
	Title: "Android boot image and vendor boot image, versions 0 to 4",
	Class: "boot",
	Where: "Android devices and those with a Qualcomm or MediaTek boot loader: kernel, initial file system, device trees",
	Spec: "AOSP system/tools/mkbootimg/include/bootimg/bootimg.h. Attributes: version, cmdline, name, os_version, os_patch_level, page_size, " +
		"kernel_addr, ramdisk_addr (hexadecimal). Parts: kernel, ramdisk, second, recovery_dtbo, dtb, signature, vendor_ramdisk, " +
		"ramdisk_table, bootconfig",
	Limits: "the digest of versions 0 to 2 and the signature of version 4 are not verified",
	Magic:  []image.Magic{{Offset: 0, Bytes: "ANDROID!"}, {Offset: 0, Bytes: "VNDRBOOT"}},
	Open:   openBootimg,
}

// bootPiece is a part of a boot image; each begins on a page.
type bootPiece struct {
	name string
	size int64
}

func openBootimg(in *image.Input) (*image.Content, error) {
	h, err := in.View(0, min(4096, in.Size()))
	if err != nil || len(h) < 2128 {
		return nil, image.ErrNot
	}
	a := map[string]string{}
	page, head, pieces := int64(0), int64(0), []bootPiece(nil)
	version := le32(h[40:])
	switch {
	case string(h[:8]) == "VNDRBOOT":
		page, head, pieces, err = bootVendor(h, a)
	case version == 3 || version == 4:
		page, head, pieces, err = bootNew(h, a)
	default:
		page, head, pieces, err = bootOld(h, a)
	}
	if err != nil {
		return nil, err
	}
	c := &image.Content{Attributes: a}
	at := padded(head, page)
	end := at
	for _, p := range pieces {
		if p.size == 0 {
			continue
		}
		if at+p.size > in.Size() {
			c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: max(at, in.Size())}, Size: at + p.size - max(at, in.Size()), Reason: "damaged",
				Why: fmt.Sprintf("%s is cut off at %#x", p.name, in.Size())})
		}
		if at < in.Size() {
			b := in.Slice(at, p.size)
			c.Parts = append(c.Parts, image.Part{Name: p.name, Offset: at, Blob: b})
			end = at + b.Size()
		}
		at += padded(p.size, page)
	}
	if len(c.Parts) == 0 {
		return nil, fmt.Errorf("nothing in it: %w", image.ErrNot)
	}
	c.Size = end
	if at <= in.Size() && allZero(in.Blob, end, at) {
		c.Size = at
	}
	return c, nil
}

// bootSize checks the size of a page.
func bootSize(page uint32) (int64, error) {
	if page < 512 || page > 1<<17 || page&(page-1) != 0 {
		return 0, fmt.Errorf("pages of %d bytes: %w", page, image.ErrNot)
	}
	return int64(page), nil
}

func bootHex(n uint32) string { return fmt.Sprintf("%#x", n) }

// bootOS writes the version of the system and the month of its security patches, which
// share one word.
func bootOS(word uint32, a map[string]string) {
	if word == 0 {
		return
	}
	v, p := word>>11, word&0x7ff
	a["os_version"] = fmt.Sprintf("%d.%d.%d", v>>14&0x7f, v>>7&0x7f, v&0x7f)
	a["os_patch_level"] = fmt.Sprintf("%04d-%02d", 2000+p>>4, p&15)
}

func bootText(a map[string]string, key string, parts ...[]byte) {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(cstring(p))
	}
	if b.Len() > 0 {
		a[key] = b.String()
	}
}

// bootOld reads the header of versions 0 to 2. In version 0 a device tree may lie behind
// the rest, whose size stands where later versions have their number.
func bootOld(h []byte, a map[string]string) (page, head int64, pieces []bootPiece, err error) {
	if page, err = bootSize(le32(h[36:])); err != nil {
		return 0, 0, nil, err
	}
	pieces = []bootPiece{{"kernel", int64(le32(h[8:]))}, {"ramdisk", int64(le32(h[16:]))}, {"second", int64(le32(h[24:]))}}
	version := le32(h[40:])
	switch {
	case version > 4:
		pieces, version = append(pieces, bootPiece{"dtb", int64(version)}), 0
	case version > 0:
		pieces = append(pieces, bootPiece{"recovery_dtbo", int64(le32(h[1632:]))})
	}
	if version == 2 {
		pieces = append(pieces, bootPiece{"dtb", int64(le32(h[1648:]))})
	}
	a["version"], a["page_size"] = strconv.Itoa(int(version)), strconv.FormatInt(page, 10)
	a["kernel_addr"], a["ramdisk_addr"] = bootHex(le32(h[12:])), bootHex(le32(h[20:]))
	bootText(a, "name", h[48:64])
	bootText(a, "cmdline", h[64:576], h[608:1632])
	bootOS(le32(h[44:]), a)
	return page, 1632, pieces, nil
}

// bootNew reads the header of versions 3 and 4, whose pages have 4096 bytes.
func bootNew(h []byte, a map[string]string) (page, head int64, pieces []bootPiece, err error) {
	version := le32(h[40:])
	head = int64(le32(h[20:]))
	if head < 1580 || head > 4096 {
		return 0, 0, nil, fmt.Errorf("header of %d bytes: %w", head, image.ErrNot)
	}
	pieces = []bootPiece{{"kernel", int64(le32(h[8:]))}, {"ramdisk", int64(le32(h[12:]))}}
	if version == 4 && head >= 1584 {
		pieces = append(pieces, bootPiece{"signature", int64(le32(h[1580:]))})
	}
	a["version"], a["page_size"] = strconv.Itoa(int(version)), "4096"
	bootText(a, "cmdline", h[44:1580])
	bootOS(le32(h[16:]), a)
	return 4096, head, pieces, nil
}

// bootVendor reads the header of a vendor boot image.
func bootVendor(h []byte, a map[string]string) (page, head int64, pieces []bootPiece, err error) {
	if page, err = bootSize(le32(h[12:])); err != nil {
		return 0, 0, nil, err
	}
	version := le32(h[8:])
	if version != 3 && version != 4 {
		return 0, 0, nil, fmt.Errorf("vendor boot image of version %d: %w", version, image.ErrUnsupported)
	}
	pieces = []bootPiece{{"vendor_ramdisk", int64(le32(h[24:]))}, {"dtb", int64(le32(h[2100:]))}}
	head = int64(le32(h[2096:]))
	if head < 2112 || head > 1<<16 {
		return 0, 0, nil, fmt.Errorf("header of %d bytes: %w", head, image.ErrNot)
	}
	if version == 4 {
		pieces = append(pieces, bootPiece{"ramdisk_table", int64(le32(h[2112:]))}, bootPiece{"bootconfig", int64(le32(h[2124:]))})
	}
	a["version"], a["page_size"] = strconv.Itoa(int(version)), strconv.FormatInt(page, 10)
	a["kernel_addr"], a["ramdisk_addr"] = bootHex(le32(h[16:])), bootHex(le32(h[20:]))
	bootText(a, "name", h[2080:2096])
	bootText(a, "cmdline", h[28:2076])
	return page, head, pieces, nil
}
