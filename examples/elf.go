package examples

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Program makes a program or library from its description: one property a line (arch,
// soname, flags, import, needed, contains), as the replicas write it.
func Program(description string) ([]byte, error) {
	p, err := parseProgram(description)
	if err != nil {
		return nil, err
	}
	return p.build()
}

// program describes a program or library of a replica: what its maker's compiler and
// linker would have left in it. It has no code that runs.
type program struct {
	arch                      string // arm, arm64, mips
	library                   bool
	pie, nx, relro, now       bool
	symbols, debug            bool
	imports, needed, contains []string
	soname                    string
}

// parseProgram reads a description: one property a line.
func parseProgram(text string) (program, error) {
	p := program{arch: "arm"}
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "":
		case "arch":
			p.arch = rest
		case "soname":
			p.soname, p.library = rest, true
		case "flags":
			for _, f := range strings.Fields(rest) {
				flag, ok := map[string]*bool{"pie": &p.pie, "nx": &p.nx, "relro": &p.relro, "now": &p.now, "symbols": &p.symbols, "debug": &p.debug}[f]
				if !ok {
					return p, fmt.Errorf("program: unknown flag %q", f)
				}
				*flag = true
			}
		case "import":
			p.imports = append(p.imports, strings.Fields(rest)...)
		case "needed":
			p.needed = append(p.needed, strings.Fields(rest)...)
		case "contains":
			s, err := strconv.Unquote(rest)
			if err != nil {
				return p, fmt.Errorf("program: contains %s: %w", rest, err)
			}
			p.contains = append(p.contains, s)
		default:
			return p, fmt.Errorf("program: unknown property %q", word)
		}
	}
	return p, nil
}

// elfArch says how an architecture writes ELF.
type elfArch struct {
	wide    bool
	order   binary.AppendByteOrder
	machine uint16
	flags   uint32
	loader  string
}

var elfArchs = map[string]elfArch{
	"arm":   {false, binary.LittleEndian, 40, 0x05000400, "/lib/ld-linux-armhf.so.3"},
	"arm64": {true, binary.LittleEndian, 183, 0, "/lib/ld-linux-aarch64.so.1"},
	"mips":  {false, binary.BigEndian, 8, 0x70001007, "/lib/ld-uClibc.so.0"},
}

// section is one section while an ELF file is laid out.
type section struct {
	name             string
	kind, flags      uint32
	data             []byte
	link, info, size uint32
	addr             uint64
}

const elfBase = 0x10000

// build lays the program out as an ELF file.
func (p program) build() ([]byte, error) {
	a, ok := elfArchs[p.arch]
	if !ok {
		return nil, fmt.Errorf("program: unknown architecture %q", p.arch)
	}
	w := elfWriter{elfArch: a}
	loader := a.loader
	var strs bytes.Buffer
	strs.WriteByte(0)
	str := func(s string) uint32 {
		at := strs.Len()
		strs.WriteString(s + "\x00")
		return uint32(at)
	}
	syms := w.symbol(nil, 0, 0, 0, 0)
	for _, i := range p.imports {
		syms = w.symbol(syms, str(i), 0, 0x12, 0)
	}
	var needed []uint32
	for _, n := range append([]string{"libc.so.6"}, p.needed...) {
		needed = append(needed, str(n))
	}
	soname := str(p.soname)
	count := uint32(len(p.imports) + 1)
	hash := w.order.AppendUint32(w.order.AppendUint32(nil, 1), count)
	hash = append(hash, make([]byte, 4*(1+int(count)))...)
	rodata := []byte(strings.Join(p.contains, "\x00") + "\x00")

	secs := []section{{}, {name: ".interp", kind: 1, flags: 2, data: []byte(loader + "\x00")}}
	if p.library {
		secs = secs[:1]
	}
	dynsym := uint32(len(secs) + 1)
	secs = append(secs,
		section{name: ".hash", kind: 5, flags: 2, data: hash, link: dynsym, size: 4},
		section{name: ".dynsym", kind: 11, flags: 2, data: syms, link: dynsym + 1, info: 1, size: w.pick(16, 24)},
		section{name: ".dynstr", kind: 3, flags: 2, data: strs.Bytes()},
		section{name: ".rodata", kind: 1, flags: 2, data: rodata},
		section{name: ".text", kind: 1, flags: 6, data: make([]byte, 64)},
		section{name: ".dynamic", kind: 6, flags: 3, link: dynsym + 1, size: w.pick(8, 16)},
	)
	segments := 3 // load, dynamic, stack
	if !p.library {
		segments += 2 // program headers, interpreter
	}
	if p.relro {
		segments++
	}
	at := uint64(w.pick(52, 64)) + uint64(segments)*uint64(w.pick(32, 56))
	base := uint64(elfBase)
	if p.pie || p.library {
		base = 0
	}
	find := func(name string) *section {
		for i := range secs {
			if secs[i].name == name {
				return &secs[i]
			}
		}
		return nil
	}
	place := func(s *section) {
		at = (at + 7) &^ 7
		s.addr = base + at
		at += uint64(len(s.data))
	}
	for i := range secs[:len(secs)-1] {
		if i > 0 {
			place(&secs[i])
		}
	}
	dyn := w.dynamic(p, needed, soname, find)
	find(".dynamic").data = dyn
	place(find(".dynamic"))
	loaded := at
	if p.symbols || p.debug {
		names := []byte("\x00main\x00handle_command\x00pump_set_rate\x00")
		tab := w.symbol(w.symbol(nil, 0, 0, 0, 0), 1, find(".text").addr, 0x12, 5)
		secs = append(secs,
			section{name: ".symtab", kind: 2, data: tab, link: uint32(len(secs) + 1), info: 1, size: w.pick(16, 24)},
			section{name: ".strtab", kind: 3, data: names})
	}
	if p.debug {
		secs = append(secs, section{name: ".debug_info", kind: 1, data: bytes.Repeat([]byte{1, 2, 3, 4}, 64)},
			section{name: ".debug_line", kind: 1, data: bytes.Repeat([]byte{5, 6}, 32)})
	}
	return w.file(p, secs, segments, base, loaded, at), nil
}

type elfWriter struct{ elfArch }

func (w elfWriter) pick(narrow, wide uint32) uint32 {
	if w.wide {
		return wide
	}
	return narrow
}

// word appends an address-sized number.
func (w elfWriter) word(b []byte, v uint64) []byte {
	if w.wide {
		return w.order.AppendUint64(b, v)
	}
	return w.order.AppendUint32(b, uint32(v))
}

func (w elfWriter) symbol(b []byte, name uint32, value uint64, info byte, index uint16) []byte {
	b = w.order.AppendUint32(b, name)
	if w.wide {
		b = w.order.AppendUint16(append(b, info, 0), index)
		return w.order.AppendUint64(w.order.AppendUint64(b, value), 0)
	}
	b = w.order.AppendUint32(w.order.AppendUint32(b, uint32(value)), 0)
	return w.order.AppendUint16(append(b, info, 0), index)
}

// dynamic writes the dynamic section.
func (w elfWriter) dynamic(p program, needed []uint32, soname uint32, find func(string) *section) []byte {
	var b []byte
	put := func(tag, v uint64) { b = w.word(w.word(b, tag), v) }
	for _, n := range needed {
		put(1, uint64(n))
	}
	if p.soname != "" {
		put(14, uint64(soname))
	}
	put(4, find(".hash").addr)
	put(5, find(".dynstr").addr)
	put(6, find(".dynsym").addr)
	put(10, uint64(len(find(".dynstr").data)))
	put(11, uint64(w.pick(16, 24)))
	flags := uint64(0)
	if p.now {
		put(30, 8) // DT_FLAGS: bind now
		flags |= 1
	}
	if p.pie && !p.library {
		flags |= 0x08000000
	}
	put(0x6ffffffb, flags)
	put(0, 0)
	return b
}

// file writes headers, contents and section headers.
func (w elfWriter) file(p program, secs []section, segments int, base, loaded, at uint64) []byte {
	names := []byte{0}
	var at32 []uint32
	secs = append(secs, section{name: ".shstrtab", kind: 3})
	for _, s := range secs {
		at32 = append(at32, uint32(len(names)))
		if s.name == "" {
			at32[len(at32)-1] = 0
			continue
		}
		names = append(append(names, s.name...), 0)
	}
	secs[len(secs)-1].data = names
	offsets := make([]uint64, len(secs))
	for i := range secs {
		if secs[i].addr != 0 {
			offsets[i] = secs[i].addr - base
			continue
		}
		if i > 0 {
			at = (at + 7) &^ 7
			offsets[i] = at
			at += uint64(len(secs[i].data))
		}
	}
	table := (at + 7) &^ 7
	class, data := byte(1), byte(1)
	if w.wide {
		class = 2
	}
	if w.order.String() == "BigEndian" {
		data = 2
	}
	kind := uint16(2)
	if p.pie || p.library {
		kind = 3
	}
	b := append([]byte{0x7f, 'E', 'L', 'F', class, data, 1}, make([]byte, 9)...)
	b = w.order.AppendUint16(w.order.AppendUint16(b, kind), w.machine)
	b = w.order.AppendUint32(b, 1)
	text := base
	for _, s := range secs {
		if s.name == ".text" {
			text = s.addr
		}
	}
	b = w.word(w.word(w.word(b, text), uint64(w.pick(52, 64))), table)
	b = w.order.AppendUint32(b, w.flags)
	for _, n := range []uint16{uint16(w.pick(52, 64)), uint16(w.pick(32, 56)), uint16(segments), uint16(w.pick(40, 64)), uint16(len(secs)), uint16(len(secs) - 1)} {
		b = w.order.AppendUint16(b, n)
	}
	b = w.segments(b, p, secs, base, loaded)
	out := make([]byte, table)
	copy(out, b)
	for i, s := range secs {
		copy(out[offsets[i]:], s.data)
	}
	for i, s := range secs {
		out = w.order.AppendUint32(w.order.AppendUint32(out, at32[i]), s.kind)
		out = w.word(w.word(w.word(w.word(out, uint64(s.flags)), s.addr), offsets[i]), uint64(len(s.data)))
		out = w.order.AppendUint32(w.order.AppendUint32(out, s.link), s.info)
		out = w.word(w.word(out, 8), uint64(s.size))
	}
	return out
}

// segments appends the program headers.
func (w elfWriter) segments(b []byte, p program, secs []section, base, loaded uint64) []byte {
	head := func(kind, flags uint32, off, size uint64) {
		b = w.order.AppendUint32(b, kind)
		if w.wide {
			b = w.order.AppendUint32(b, flags)
		}
		b = w.word(w.word(w.word(w.word(w.word(b, off), base+off), base+off), size), size)
		if !w.wide {
			b = w.order.AppendUint32(b, flags)
		}
		b = w.word(b, 8)
	}
	count := uint64(0)
	if !p.library {
		count = 5
		if p.relro {
			count++
		}
		head(6, 4, uint64(w.pick(52, 64)), count*uint64(w.pick(32, 56)))
		head(3, 4, secs[1].addr-base, uint64(len(secs[1].data)))
	}
	head(1, 5, 0, loaded)
	var dyn section
	for _, s := range secs {
		if s.name == ".dynamic" {
			dyn = s
		}
	}
	head(2, 6, dyn.addr-base, uint64(len(dyn.data)))
	stack := uint32(7)
	if p.nx {
		stack = 6
	}
	head(0x6474e551, stack, 0, 0)
	if p.relro {
		head(0x6474e552, 4, dyn.addr-base, uint64(len(dyn.data)))
	}
	return b
}
