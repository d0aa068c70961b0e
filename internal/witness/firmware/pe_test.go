package firmware

import (
	"encoding/binary"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// windows makes a PE file of one section with an import and a version resource.
func windows(machine, dll, subsystem uint16, signed bool) []byte {
	le := binary.LittleEndian
	p := make([]byte, 0x1000)
	copy(p, "MZ")
	le.PutUint32(p[60:], 0x80)
	copy(p[0x80:], "PE\x00\x00")
	le.PutUint16(p[0x84:], machine)
	le.PutUint16(p[0x86:], 1)    // sections
	le.PutUint16(p[0x94:], 0xf0) // optional header
	o := p[0x98:]
	le.PutUint16(o, 0x20b)
	le.PutUint16(o[68:], subsystem)
	le.PutUint16(o[70:], dll)
	le.PutUint32(o[108:], 16)
	dir := func(i int, addr, size uint32) {
		le.PutUint32(o[112+8*i:], addr)
		le.PutUint32(o[116+8*i:], size)
	}
	dir(1, 0x2000, 40)
	dir(2, 0x2100, 0x400)
	if signed {
		dir(4, 0x900, 0x100)
	}
	s := o[0xf0:]
	copy(s, ".rsrc")
	le.PutUint32(s[8:], 0x800)
	le.PutUint32(s[12:], 0x2000)
	le.PutUint32(s[16:], 0x800)
	le.PutUint32(s[20:], 0x400)
	sec := p[0x400:]
	le.PutUint32(sec[12:], 0x2080)
	copy(sec[0x80:], "KERNEL32.dll\x00")
	res := sec[0x100:]
	for level, at := range []int{0, 0x20, 0x40} {
		le.PutUint16(res[at+14:], 1)
		le.PutUint32(res[at+16:], []uint32{16, 1, 1033}[level])
		le.PutUint32(res[at+20:], []uint32{0x80000020, 0x80000040, 0x60}[level])
	}
	le.PutUint32(res[0x60:], 0x2200)
	le.PutUint32(res[0x64:], 0x100)
	text := func(at int, name, value string) {
		wide := func(s string) (out []byte) {
			for _, u := range append(utf16.Encode([]rune(s)), 0) {
				out = le.AppendUint16(out, u)
			}
			return out
		}
		b := append(make([]byte, 6), wide(name)...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		b = append(b, wide(value)...)
		le.PutUint16(b, uint16(len(b)))
		le.PutUint16(b[2:], uint16(len(value)+1))
		le.PutUint16(b[4:], 1)
		copy(sec[at:], b)
	}
	text(0x210, "ProductName", "Central Station")
	text(0x260, "FileVersion", "3.2.1.0")
	return p
}

// TestPE holds what a program of Windows shows of itself.
func TestPE(t *testing.T) {
	t.Parallel()
	p := windows(0x8664, 0x40|0x100, 3, true)
	b := traceOf(t, p).Binary
	if b == nil {
		t.Fatal("no program seen")
	}
	e := b.Shape
	want := fact.Executable{Format: "pe", Arch: "x86_64", Type: "program", PIE: fact.Say(true), NX: fact.Say(true), Signed: fact.Say(true), Needed: []string{"KERNEL32.dll"}}
	if d := cmp.Diff(want, e, cmp.Comparer(func(a, b fact.Opt[bool]) bool { return a == b }), cmp.Comparer(func(a, b fact.Opt[string]) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"ProductName": "Central Station", "FileVersion": "3.2.1.0"}, b.Version); d != "" {
		t.Error(d)
	}
	if b := traceOf(t, windows(0xaa64, 0, 10, false)).Binary; b.Shape.PIE.Stated() || b.Shape.Arch != "arm64" {
		t.Errorf("a UEFI program: pie %v, arch %q", b.Shape.PIE, b.Shape.Arch)
	}
	for i := range p[:0x800] {
		q := slices.Clone(p)
		q[i] ^= 0xff
		traceOf(t, q)
	}
}
