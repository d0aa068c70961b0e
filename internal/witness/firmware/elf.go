package firmware

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Binary is what the bytes of a program, library or object show. Where it lies, who may
// change it and who starts it is for the inspector of executables.
type Binary struct {
	Shape    fact.Executable   `json:"shape"`
	Core     bool              `json:"core,omitempty"`     // the memory of a program that died
	Imports  []string          `json:"imports,omitempty"`  // of the functions that say something about it, sorted
	Module   map[string]string `json:"module,omitempty"`   // .modinfo of a kernel module: name, vermagic, license ...
	Commands []string          `json:"commands,omitempty"` // a few format strings that look like shell commands
	Version  map[string]string `json:"version,omitempty"`  // the version resource of a PE: ProductName, FileVersion ...
	Comment  string            `json:"comment,omitempty"`  // the compiler, as it signed itself
	BuildID  string            `json:"build_id,omitempty"`
}

// Bounds of what is read of one file.
const (
	elfSections = 4096
	elfSymbols  = 1 << 16
	elfTable    = 16 << 20
	elfList     = 256
)

// elfMachines names the architectures by number (System V ABI, e_machine), little and big
// endian.
var elfMachines = map[uint16][2]string{
	2: {"sparc", "sparc"}, 3: {"x86", "x86"}, 4: {"m68k", "m68k"}, 8: {"mipsel", "mips"}, 18: {"sparc", "sparc"}, 20: {"ppcle", "ppc"},
	21: {"ppc64le", "ppc64"}, 22: {"s390x", "s390x"}, 40: {"arm", "armeb"}, 42: {"sh4", "sh4eb"}, 43: {"sparc64", "sparc64"}, 45: {"arc", "arceb"},
	50: {"ia64", "ia64"}, 62: {"x86_64", "x86_64"}, 83: {"avr", "avr"}, 92: {"or1k", "or1k"}, 93: {"arc", "arceb"}, 94: {"xtensa", "xtensaeb"},
	105: {"msp430", "msp430"}, 106: {"blackfin", "blackfin"}, 113: {"nios2", "nios2"}, 164: {"hexagon", "hexagon"}, 183: {"arm64", "arm64be"},
	185: {"avr32", "avr32"}, 189: {"microblazeel", "microblaze"}, 195: {"arc", "arceb"}, 243: {"riscv64", "riscv64"}, 247: {"bpf", "bpf"},
	252: {"csky", "csky"}, 258: {"loongarch64", "loongarch64"},
}

// elfFile reads one ELF file, of any class and byte order.
type elfFile struct {
	c        *content
	order    binary.ByteOrder
	wide     bool
	kind     uint16
	machine  uint16
	segments []elfSegment
	sections []elfSection
	dynamic  map[uint64]uint64
	needed   []uint64
	now      bool
}

type elfSegment struct {
	kind, flags             uint32
	offset, addr, size, mem uint64
}

type elfSection struct {
	name               string
	kind               uint32
	flags, addr        uint64
	offset, size, each uint64
	link               uint32
}

// lookELF describes an ELF file. What is damaged beyond its header is described as far as
// it can be read.
func lookELF(t *Trace, c *content) {
	if t.Type != "elf" {
		return
	}
	f := elfFile{c: c}
	if !f.header() {
		return
	}
	b := &Binary{Shape: fact.Executable{Format: "elf", Arch: f.arch()}}
	t.Binary = b
	f.readDynamic()
	switch f.kind {
	case 1:
		f.object(b)
		return
	case 4:
		b.Core = true
		return
	}
	f.comment(b)
	f.notes(b)
	f.hardening(b)
	f.symbols(b)
	f.commands(b)
}

// bytes returns n bytes at off, nil where they are not all there or too many.
func (f *elfFile) bytes(off, n uint64) []byte {
	if n > elfTable || off > uint64(f.c.blob.Size()) {
		return nil
	}
	if end := off + n; end <= uint64(len(f.c.data)) {
		return f.c.data[off:end:end]
	}
	p, err := f.c.blob.View(int64(off), int64(n))
	if err != nil {
		return nil
	}
	return p
}

// word reads the address-sized number at one of two offsets.
func (f *elfFile) word(p []byte, narrow, wide int) uint64 {
	if f.wide {
		return f.order.Uint64(p[wide:])
	}
	return uint64(f.order.Uint32(p[narrow:]))
}

// pick returns the number that fits the class.
func (f *elfFile) pick(narrow, wide uint64) uint64 {
	if f.wide {
		return wide
	}
	return narrow
}

// header reads the file header, the program headers and the section headers.
func (f *elfFile) header() bool {
	h := f.c.data
	if len(h) < 52 || h[4] != 1 && h[4] != 2 || h[5] != 1 && h[5] != 2 || h[4] == 2 && len(h) < 64 {
		return false
	}
	f.wide, f.order = h[4] == 2, binary.LittleEndian
	if h[5] == 2 {
		f.order = binary.BigEndian
	}
	f.kind, f.machine = f.order.Uint16(h[16:]), f.order.Uint16(h[18:])
	at := int(f.pick(42, 54))
	half := func(i int) uint64 { return uint64(f.order.Uint16(h[at+2*i:])) }
	f.readSegments(f.word(h, 28, 32), half(0), half(1))
	f.readSections(f.word(h, 32, 40), half(2), half(3), half(4))
	return true
}

func (f *elfFile) readSegments(off, each, count uint64) {
	if each < f.pick(32, 56) || count > elfSections {
		return
	}
	p := f.bytes(off, each*count)
	for ; uint64(len(p)) >= each; p = p[each:] {
		s := elfSegment{kind: f.order.Uint32(p), offset: f.word(p, 4, 8), addr: f.word(p, 8, 16), size: f.word(p, 16, 32), mem: f.word(p, 20, 40)}
		s.flags = f.order.Uint32(p[f.pick(24, 4):])
		f.segments = append(f.segments, s)
	}
}

func (f *elfFile) readSections(off, each, count, names uint64) {
	if off == 0 || each < f.pick(40, 64) || count > elfSections {
		return
	}
	p := f.bytes(off, each*count)
	at := make([]uint32, 0, count)
	for ; uint64(len(p)) >= each; p = p[each:] {
		s := elfSection{kind: f.order.Uint32(p[4:]), flags: f.word(p, 8, 8), addr: f.word(p, 12, 16), offset: f.word(p, 16, 24), size: f.word(p, 20, 32)}
		s.link, s.each = f.order.Uint32(p[f.pick(24, 40):]), f.word(p, 36, 56)
		at, f.sections = append(at, f.order.Uint32(p)), append(f.sections, s)
	}
	if names >= uint64(len(f.sections)) {
		return
	}
	table := f.bytes(f.sections[names].offset, min(f.sections[names].size, 1<<20))
	for i := range f.sections {
		f.sections[i].name = cut(table, uint64(at[i]), 64)
	}
}

// cut returns the text that starts at an offset of a string table.
func cut(table []byte, at uint64, most int) string {
	if at >= uint64(len(table)) {
		return ""
	}
	p := table[at:min(at+uint64(most), uint64(len(table)))]
	if i := bytes.IndexByte(p, 0); i >= 0 {
		p = p[:i]
	}
	return string(p)
}

func (f *elfFile) section(name string) *elfSection {
	for i := range f.sections {
		if f.sections[i].name == name {
			return &f.sections[i]
		}
	}
	return nil
}

func (f *elfFile) segment(kind uint32) *elfSegment {
	for i := range f.segments {
		if f.segments[i].kind == kind {
			return &f.segments[i]
		}
	}
	return nil
}

// offset returns where an address lies in the file.
func (f *elfFile) offset(addr uint64) (uint64, bool) {
	for _, s := range f.segments {
		if s.kind == 1 && addr >= s.addr && addr-s.addr < s.size {
			return s.offset + addr - s.addr, true
		}
	}
	return 0, false
}

func (f *elfFile) arch() string {
	big := 0
	if f.order == binary.BigEndian {
		big = 1
	}
	name := elfMachines[f.machine][big]
	switch {
	case f.machine == 8 && f.wide && big == 1:
		return "mips64"
	case f.machine == 8 && f.wide:
		return "mips64el"
	case f.machine == 243 && !f.wide:
		return "riscv32"
	}
	return name
}

// Tags of the dynamic section.
const (
	dtNeeded, dtPLTSize, dtHash, dtStrings, dtSymbols = 1, 2, 4, 5, 6
	dtStringsSize, dtSoname, dtRPath, dtBindNow       = 10, 14, 15, 24
	dtRunPath, dtFlags, dtGNUHash, dtFlags1           = 29, 30, 0x6ffffef5, 0x6ffffffb
	dtMIPSSymbols                                     = 0x70000011
)

func (f *elfFile) readDynamic() {
	s := f.segment(2)
	if s == nil {
		return
	}
	p := f.bytes(s.offset, min(s.size, 1<<16))
	if p == nil {
		return
	}
	f.dynamic = map[uint64]uint64{}
	each := int(f.pick(8, 16))
	for ; len(p) >= each && f.word(p, 0, 0) != 0; p = p[each:] {
		switch tag, v := f.word(p, 0, 0), f.word(p, 4, 8); tag {
		case dtNeeded:
			if len(f.needed) < elfList {
				f.needed = append(f.needed, v)
			}
		default:
			f.dynamic[tag] = v
		}
	}
	_, f.now = f.dynamic[dtBindNow]
	f.now = f.now || f.dynamic[dtFlags]&8 != 0 || f.dynamic[dtFlags1]&1 != 0
}

// strings returns the string table of the dynamic section.
func (f *elfFile) strings() []byte {
	off, ok := f.offset(f.dynamic[dtStrings])
	if !ok {
		return nil
	}
	return f.bytes(off, min(f.dynamic[dtStringsSize], uint64(f.c.blob.Size())-min(off, uint64(f.c.blob.Size()))))
}

// hardening states what headers and dynamic section show.
func (f *elfFile) hardening(b *Binary) {
	e := &b.Shape
	e.Type = "program"
	_, soname := f.dynamic[dtSoname]
	pie := f.dynamic[dtFlags1]&0x08000000 != 0
	interp, dynamic := f.segment(3) != nil, f.segment(2) != nil
	if f.kind == 3 && !pie && (soname || !interp) {
		e.Type = "library"
	}
	if e.Type == "program" {
		e.Static = fact.Say(!interp && len(f.needed) == 0)
		e.PIE = fact.Say(f.kind == 3)
	}
	if !interp && !dynamic && f.bare() {
		e.Type, e.Static, e.PIE = "object", fact.Opt[bool]{}, fact.Opt[bool]{}
		return
	}
	switch stack := f.segment(0x6474e551); {
	case stack != nil:
		e.NX = fact.Say(stack.flags&1 == 0)
	case (interp || dynamic) && (f.machine == 3 || f.machine == 40 || f.machine == 20):
		// Without the header Linux makes the stack of these executable.
		e.NX = fact.Say(false)
	}
	_, plt := f.dynamic[dtPLTSize]
	switch {
	case !interp && !dynamic && f.segment(1) == nil:
	case f.segment(0x6474e552) == nil:
		if dynamic || f.segment(7) != nil { // a bare program has nothing to relocate
			e.RELRO = fact.Say("none")
		}
	case f.now || !plt:
		e.RELRO = fact.Say("full") // nothing is bound later, so nothing stays writable
	default:
		e.RELRO = fact.Say("partial")
	}
	e.Stripped = fact.Say(f.section(".symtab") == nil)
	e.Debug = fact.Say(f.section(".debug_info") != nil || f.section(".zdebug_info") != nil || f.section(".stab") != nil)
	if f.dynamic == nil {
		return
	}
	table := f.strings()
	e.Needed = []string{}
	for _, n := range f.needed {
		e.Needed = append(e.Needed, cut(table, n, 256))
	}
	rpath := ""
	for _, tag := range []uint64{dtRunPath, dtRPath} {
		if v, ok := f.dynamic[tag]; ok && rpath == "" {
			rpath = cut(table, v, 1024)
		}
	}
	if table != nil {
		e.RPath = fact.Say(rpath)
	}
}

// bare reports whether a static program has nothing of what a C library leaves: it runs
// without an operating system, as boot loaders and firmware of other processors do.
func (f *elfFile) bare() bool {
	for _, kind := range []uint32{4, 7, 0x6474e552} { // notes, thread storage, RELRO
		if f.segment(kind) != nil {
			return false
		}
	}
	return len(f.sections) > 0 && f.section(".init") == nil && f.section(".init_array") == nil && f.section(".ctors") == nil
}

// symbols states what the imported functions show.
func (f *elfFile) symbols(b *Binary) {
	f.language(b)
	table := f.strings()
	symbols, ok := f.offset(f.dynamic[dtSymbols])
	if table == nil || !ok {
		return
	}
	each := f.pick(16, 24)
	p := f.bytes(symbols, each*min(f.count(), elfSymbols))
	if p == nil {
		return
	}
	in := imports{}
	for at := uint64(0); at+each <= uint64(len(p)); at += each {
		s := p[at : at+each]
		if f.order.Uint16(s[f.pick(14, 6):]) != 0 { // defined here
			continue
		}
		name := uint64(f.order.Uint32(s))
		if name == 0 || name >= uint64(len(table)) {
			continue
		}
		end := bytes.IndexByte(table[name:min(name+128, uint64(len(table)))], 0)
		if end > 0 {
			in.add(table[name : name+uint64(end)])
		}
	}
	in.state(b, f)
}

// count returns how many symbols there are up to the last imported one.
func (f *elfFile) count() uint64 {
	for _, s := range f.sections {
		if s.kind == 11 {
			return s.size / f.pick(16, 24)
		}
	}
	if n, ok := f.dynamic[dtMIPSSymbols]; ok {
		return n
	}
	if off, ok := f.offset(f.dynamic[dtHash]); ok && f.dynamic[dtHash] != 0 {
		if p := f.bytes(off, 8); p != nil {
			return uint64(f.order.Uint32(p[4:]))
		}
	}
	if off, ok := f.offset(f.dynamic[dtGNUHash]); ok && f.dynamic[dtGNUHash] != 0 {
		if p := f.bytes(off, 8); p != nil {
			return uint64(f.order.Uint32(p[4:])) // the hashed ones, which are defined, follow
		}
	}
	return 0
}

// language tells Go and Rust, whose programs neither need nor have C's protections.
func (f *elfFile) language(b *Binary) {
	if f.section(".go.buildinfo") != nil || f.section(".gopclntab") != nil || f.section(".note.go.buildid") != nil {
		b.Shape.Language = "go"
		return
	}
	for _, h := range f.c.hits {
		if elfLiterals[h.literal] != "/rustc/" {
			continue
		}
		if _, p := f.c.around(h.at, 0, 7+40); len(p) == 47 {
			if _, err := hex.DecodeString(string(p[7:])); err == nil {
				b.Shape.Language = "rust"
				return
			}
		}
	}
}

// comment keeps what the compiler wrote about itself.
func (f *elfFile) comment(b *Binary) {
	if s := f.section(".comment"); s != nil {
		b.Comment = cut(f.bytes(s.offset, min(s.size, 256)), 0, 120)
	}
}

// notes reads the build id.
func (f *elfFile) notes(b *Binary) {
	for _, s := range f.segments {
		if s.kind != 4 {
			continue
		}
		p := f.bytes(s.offset, min(s.size, 4096))
		for len(p) >= 12 {
			name, desc, kind := uint64(f.order.Uint32(p)), uint64(f.order.Uint32(p[4:])), f.order.Uint32(p[8:])
			at := 12 + (name+3)&^3
			end := at + (desc+3)&^3
			if end > uint64(len(p)) {
				break
			}
			if kind == 3 && bytes.HasPrefix(p[12:], []byte("GNU\x00")) && desc <= 64 {
				b.BuildID = hex.EncodeToString(p[at : at+desc])
			}
			p = p[end:]
		}
	}
}

// signatureTrailer ends a signed kernel module (Linux, kernel/module/signing).
const signatureTrailer = "~Module signature appended~\n"

// object describes a relocatable file: a kernel module, or an object of a compiler.
func (f *elfFile) object(b *Binary) {
	b.Shape.Type = "object"
	f.comment(b)
	info := f.section(".modinfo")
	if info == nil {
		return
	}
	b.Shape.Type = "module"
	b.Module = map[string]string{}
	for _, pair := range bytes.Split(f.bytes(info.offset, min(info.size, 1<<16)), []byte{0}) {
		name, value, ok := strings.Cut(string(pair), "=")
		switch name {
		case "name", "vermagic", "license", "version", "srcversion", "intree", "sig_id", "signer":
			if ok {
				b.Module[name] = value[:min(len(value), 200)]
			}
		}
	}
	size := uint64(f.c.blob.Size())
	n := uint64(len(signatureTrailer))
	b.Shape.Signed = fact.Say(size > n && string(f.bytes(size-n, n)) == signatureTrailer)
	b.Shape.Debug = fact.Say(f.section(".debug_info") != nil)
}

// commands finds format strings that become shell commands, and commands that ask a
// program not to check whom it talks to.
func (f *elfFile) commands(b *Binary) {
	if len(b.Shape.Runs) == 0 {
		return
	}
	shell := slices.Contains(b.Shape.Runs, "system") || slices.Contains(b.Shape.Runs, "popen")
	for _, s := range f.sections {
		if shell && s.kind == 1 && s.flags&2 != 0 && s.flags&4 == 0 { // loaded, not code
			commandFormats(f.bytes(s.offset, min(s.size, elfTable)), b)
		}
	}
	if len(f.sections) == 0 && shell {
		commandFormats(f.c.data, b)
	}
	if shell {
		b.Shape.ShellOut = fact.Say(len(b.Commands) > 0)
	}
	for _, h := range f.c.hits {
		if l := elfLiterals[h.literal]; l == "/rustc/" {
			continue
		}
		from, p := f.c.around(h.at, 256, 256)
		if _, text := printable(p, int(h.at-from)); unverified(text) {
			b.Shape.NoVerify = fact.Say(true)
			return
		}
	}
}
