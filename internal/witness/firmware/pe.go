package firmware

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// peMachines names the architectures by number (Microsoft PE format, machine types).
var peMachines = map[uint16]string{
	0x14c: "x86", 0x8664: "x86_64", 0x1c0: "arm", 0x1c4: "arm", 0xaa64: "arm64", 0x200: "ia64", 0x1f0: "ppc",
	0x166: "mipsel", 0x266: "mipsel", 0x5032: "riscv32", 0x5064: "riscv64", 0xebc: "ebc", 0x1a6: "sh4",
}

// peFile reads one PE file: a program or library of Windows, or of a UEFI firmware.
type peFile struct {
	c        *content
	sections []peSection
}

type peSection struct{ addr, size, offset uint32 }

const (
	peDirectories = 16
	peNames       = 128
	peResource    = 64 << 10
)

// lookPE describes a PE file.
func lookPE(t *Trace, c *content) {
	if t.Type != "pe" || kernelStub(c.data) {
		return
	}
	le := binary.LittleEndian
	f := peFile{c: c}
	at := int64(le.Uint32(c.data[60:]))
	h := f.bytes(at, 24)
	if h == nil || string(h[:4]) != "PE\x00\x00" {
		return
	}
	machine, count, optional, flags := le.Uint16(h[4:]), le.Uint16(h[6:]), int64(le.Uint16(h[20:])), le.Uint16(h[22:])
	o := f.bytes(at+24, optional)
	if len(o) < 96 {
		return
	}
	b := &Binary{Shape: fact.Executable{Format: "pe", Arch: peMachines[machine], Type: "program"}}
	t.Binary = b
	e := &b.Shape
	if flags&0x2000 != 0 {
		e.Type = "library"
	}
	dirs := 96
	if le.Uint16(o) == 0x20b {
		dirs = 112
	}
	if subsystem := le.Uint16(o[68:]); subsystem < 10 || subsystem > 13 { // UEFI has no such protections
		dll := le.Uint16(o[70:])
		e.PIE = fact.Say(dll&0x40 != 0 && flags&1 == 0)
		e.NX = fact.Say(dll&0x100 != 0)
	}
	directory := func(i int) (addr, size uint32) {
		if p := dirs + 8*i; p+8 <= len(o) && uint32(i) < min(le.Uint32(o[dirs-4:]), peDirectories) {
			return le.Uint32(o[p:]), le.Uint32(o[p+4:])
		}
		return 0, 0
	}
	_, signed := directory(4)
	e.Signed = fact.Say(signed > 0)
	if addr, size := directory(14); addr > 0 && size > 0 {
		e.Language = "dotnet"
	}
	for p := f.bytes(at+24+optional, 40*int64(min(count, 96))); len(p) >= 40; p = p[40:] {
		f.sections = append(f.sections, peSection{le.Uint32(p[12:]), le.Uint32(p[16:]), le.Uint32(p[20:])})
	}
	if addr, size := directory(1); addr > 0 && size > 0 {
		e.Needed = f.imports(addr)
	}
	if addr, size := directory(2); addr > 0 && size > 0 {
		b.Version = f.version(addr)
	}
}

// kernelStub reports whether a PE file is a Linux kernel that UEFI can start: a kernel
// first (Linux Documentation, x86 boot protocol and arm64 booting).
func kernelStub(p []byte) bool {
	return len(p) > 0x206 && (string(p[0x202:0x206]) == "HdrS" || string(p[0x38:0x3c]) == "ARM\x64" || string(p[0x38:0x3c]) == "RSC\x05")
}

func (f *peFile) bytes(off, n int64) []byte {
	if off < 0 || n <= 0 || n > 1<<20 {
		return nil
	}
	if off+n <= int64(len(f.c.data)) {
		return f.c.data[off : off+n]
	}
	p, err := f.c.blob.View(off, n)
	if err != nil {
		return nil
	}
	return p
}

// at returns up to n bytes at a relative virtual address.
func (f *peFile) at(addr uint32, n int64) []byte {
	for _, s := range f.sections {
		if addr >= s.addr && addr-s.addr < s.size {
			return f.bytes(int64(s.offset)+int64(addr-s.addr), min(n, int64(s.size-(addr-s.addr))))
		}
	}
	return nil
}

// imports lists the libraries that are needed.
func (f *peFile) imports(addr uint32) []string {
	out := []string{}
	p := f.at(addr, 20*peNames)
	for ; len(p) >= 20 && len(out) < peNames; p = p[20:] {
		name := binary.LittleEndian.Uint32(p[12:])
		if name == 0 {
			break
		}
		if s := cut(f.at(name, 128), 0, 128); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// version reads the version resource (type 16), through the three levels of the tree.
func (f *peFile) version(root uint32) map[string]string {
	le := binary.LittleEndian
	offset := uint32(0)
	for level := range 3 {
		head := f.at(root+offset, 16)
		if len(head) < 16 {
			return nil
		}
		count := int64(le.Uint16(head[12:])) + int64(le.Uint16(head[14:]))
		p := f.at(root+offset+16, 8*min(count, peNames))
		found := false
		for ; len(p) >= 8; p = p[8:] {
			if level > 0 || le.Uint32(p) == 16 {
				offset, found = le.Uint32(p[4:])&0x7fffffff, true
				break
			}
		}
		if !found {
			return nil
		}
	}
	entry := f.at(root+offset, 16)
	if len(entry) < 16 {
		return nil
	}
	return versionTexts(f.at(le.Uint32(entry), int64(min(le.Uint32(entry[4:]), peResource))))
}

// versionTexts reads the names and values of a StringFileInfo: each is a header of three
// halves (length, length of the value in characters, type 1), a name and a value in
// UTF-16, at offsets that are multiples of four.
func versionTexts(p []byte) map[string]string {
	le := binary.LittleEndian
	out := map[string]string{}
	for i := 0; i+8 <= len(p); i += 4 {
		length, chars := int(le.Uint16(p[i:])), int(le.Uint16(p[i+2:]))
		if le.Uint16(p[i+4:]) != 1 || length < 8 || i+length > len(p) || chars == 0 || chars > 256 {
			continue
		}
		name, n := wideText(p[i+6 : min(i+length, len(p))])
		switch name {
		case "CompanyName", "FileDescription", "FileVersion", "InternalName", "OriginalFilename", "ProductName", "ProductVersion":
			at := (i + 6 + n + 3) &^ 3
			if at < i+length {
				out[name], _ = wideText(p[at : i+length])
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// wideText reads UTF-16 up to a NUL, and how many bytes that took.
func wideText(p []byte) (string, int) {
	var u []uint16
	for i := 0; i+2 <= len(p) && len(u) < 256; i += 2 {
		c := binary.LittleEndian.Uint16(p[i:])
		if c == 0 {
			return string(utf16.Decode(u)), i + 2
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u)), len(p)
}
