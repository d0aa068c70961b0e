package format

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var uimage = &image.Format{
	Name:  "uimage",
	Title: "U-Boot legacy image (uImage)",
	Class: "boot",
	Where: "devices that start with U-Boot: kernels, initial file systems, scripts, whole updates",
	Spec: "U-Boot include/image.h. Attributes: name, os, arch, type, compression, load, entry (hexadecimal), time (Unix), " +
		"data_checksum (right, wrong). A script is the file /script, the parts of a multi-file image are image-N",
	Limits:  "legacy images carry checksums, no signatures",
	Magic:   []image.Magic{{Offset: 0, Bytes: "\x27\x05\x19\x56"}},
	Open:    openUImage,
	Rebuild: rebuildUImage,
}

// The names by number, as mkimage takes them.
var (
	uimageOS = []string{
		"invalid", "openbsd", "netbsd", "freebsd", "4_4bsd", "linux", "svr4", "esix", "solaris", "irix", "sco", "dell", "ncr", "lynxos",
		"vxworks", "psos", "qnx", "u-boot", "rtems", "artos", "unity", "integrity", "ose", "plan9", "openrtos", "arm-trusted-firmware", "tee", "opensbi", "efi",
	}
	uimageArch = []string{
		"invalid", "alpha", "arm", "x86", "ia64", "mips", "mips64", "powerpc", "s390", "sh", "sparc", "sparc64", "m68k", "nios", "microblaze", "nios2",
		"blackfin", "avr32", "st200", "sandbox", "nds32", "or1k", "arm64", "arc", "x86_64", "xtensa", "riscv",
	}
	uimageType = []string{
		"invalid", "standalone", "kernel", "ramdisk", "multi", "firmware", "script", "filesystem", "flat_dt", "kwbimage", "imximage", "ublimage",
		"omapimage", "aisimage", "kernel_noload", "pblimage", "mxsimage", "gpimage", "atmelimage", "socfpgaimage", "x86_setup", "lpc32xximage", "loadable",
	}
	uimageCompression = []string{"none", "gzip", "bzip2", "lzma", "lzo", "lz4", "zstd"}
)

// numbered returns the name of a number, or the number where it has none.
func numbered(names []string, n byte) string {
	if int(n) < len(names) {
		return names[n]
	}
	return strconv.Itoa(int(n))
}

func openUImage(in *image.Input) (*image.Content, error) {
	h, err := in.View(0, 64)
	if err != nil {
		return nil, image.ErrNot
	}
	plain := bytes.Clone(h)
	clear(plain[4:8])
	if crc32.ChecksumIEEE(plain) != be32(h[4:]) {
		return nil, image.ErrNot // four bytes of magic occur in code as well
	}
	size := int64(be32(h[12:]))
	c := &image.Content{Size: 64 + size, Attributes: map[string]string{
		"name": cstring(h[32:64]), "os": numbered(uimageOS, h[28]), "arch": numbered(uimageArch, h[29]), "type": numbered(uimageType, h[30]),
		"compression": numbered(uimageCompression, h[31]), "load": fmt.Sprintf("%#x", be32(h[16:])), "entry": fmt.Sprintf("%#x", be32(h[20:])),
		"time": strconv.FormatUint(uint64(be32(h[8:])), 10), "data_checksum": "wrong",
	}}
	if c.Size > in.Size() {
		c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: in.Size()}, Size: c.Size - in.Size(), Reason: "damaged",
			Why: fmt.Sprintf("cut off: the header says %d bytes, there are %d", size, in.Size()-64)})
		c.Size = in.Size()
	}
	sum := crc32.NewIEEE()
	if _, err := in.Slice(64, c.Size-64).WriteTo(sum); err != nil {
		return nil, err
	}
	if sum.Sum32() == be32(h[24:]) {
		c.Attributes["data_checksum"] = "right"
	}
	switch kind := c.Attributes["type"]; kind {
	case "multi", "script":
		if err := uimageList(in, c, kind == "script"); err != nil {
			return nil, err
		}
	default:
		c.Parts = []image.Part{{Name: kind, Offset: 64, Blob: in.Slice(64, c.Size-64)}}
	}
	return c, nil
}

// uimageList reads the sizes, ended by 0, and then the files that they announce, each
// padded to four bytes.
func uimageList(in *image.Input, c *image.Content, script bool) error {
	var sizes []int64
	at := int64(64)
	for {
		p, err := in.View(at, 4)
		if err != nil || len(sizes) > 64 {
			return fmt.Errorf("list of sizes after %d: %w", len(sizes), err)
		}
		at += 4
		n := int64(be32(p))
		if n == 0 {
			break
		}
		sizes = append(sizes, n)
	}
	for i, n := range sizes {
		have := min(n, max(c.Size-at, 0))
		if have < n && len(c.Gaps) == 0 {
			c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Size: n - have, Reason: "damaged", Why: fmt.Sprintf("image %d is cut off", i)})
		}
		blob := in.Slice(at, have)
		if script && i == 0 {
			c.Nodes = []*image.Node{{Path: "/script", Mode: 0o644, Size: have, Data: blob}}
		} else {
			c.Parts = append(c.Parts, image.Part{Name: "image-" + strconv.Itoa(i), Offset: at, Blob: blob})
		}
		at += (n + 3) &^ 3
	}
	return nil
}
