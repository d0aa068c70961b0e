package component

import (
	"bytes"
	"encoding/binary"

	"github.com/vesalius-project/vesalius/internal/image"
)

// object is what the dynamic section of an ELF file says of it: enough to tell whose it
// is. Everything else about executables is another's work.
type object struct {
	elf      bool
	soname   string
	dynamic  bool
	versions []string // of symbols that it defines, without its own base version

	read    *elfReader
	exports map[string]bool // read when first asked for
}

const (
	elfVersions = 4096 // defined symbol versions that are read
	elfSymbols  = 1 << 18
	elfHeaders  = 256
	elfDynamics = 4096
)

type elfReader struct {
	b       *image.Blob
	order   binary.ByteOrder
	wide    bool
	loads   [][3]int64 // address, offset, size
	strtab  int64
	strsz   int64
	symtab  int64
	hash    int64
	gnuHash int64
}

// object reads the dynamic section; what is damaged is as if it were not there.
func readObject(b *image.Blob) *object {
	o := &object{}
	head, err := b.View(0, min(64, b.Size()))
	if err != nil || len(head) < 52 || string(head[:4]) != "\x7fELF" {
		return o
	}
	o.elf = true
	r := &elfReader{b: b, order: binary.LittleEndian, wide: head[4] == 2}
	if head[5] == 2 {
		r.order = binary.BigEndian
	}
	if r.wide && len(head) < 64 {
		return o
	}
	dyn := r.headers(head)
	if dyn == nil {
		return o
	}
	o.dynamic = true
	r.dynamic(dyn, o)
	o.read = r
	return o
}

// word reads an address-sized number.
func (r *elfReader) word(p []byte) int64 {
	if r.wide {
		return int64(r.order.Uint64(p))
	}
	return int64(r.order.Uint32(p))
}

// headers reads the program headers and returns the dynamic section.
func (r *elfReader) headers(head []byte) []byte {
	off, size, count := int64(r.order.Uint32(head[28:])), int64(r.order.Uint16(head[42:])), int64(r.order.Uint16(head[44:]))
	if r.wide {
		off, size, count = int64(r.order.Uint64(head[32:])), int64(r.order.Uint16(head[54:])), int64(r.order.Uint16(head[56:]))
	}
	least := int64(32)
	if r.wide {
		least = 56
	}
	if size < least || count == 0 || count > elfHeaders {
		return nil
	}
	table, err := r.b.View(off, size*count)
	if err != nil {
		return nil
	}
	var dyn []byte
	for ; len(table) >= int(size); table = table[size:] {
		offset, address, length := r.word(table[4:]), int64(0), int64(0)
		if r.wide {
			offset, address, length = r.word(table[8:]), r.word(table[16:]), r.word(table[32:])
		} else {
			address, length = r.word(table[8:]), r.word(table[16:])
		}
		switch r.order.Uint32(table) {
		case 1:
			r.loads = append(r.loads, [3]int64{address, offset, length})
		case 2:
			entry := int64(8)
			if r.wide {
				entry = 16
			}
			if dyn, err = r.b.View(offset, min(length, elfDynamics*entry)); err != nil {
				dyn = nil
			}
		}
	}
	return dyn
}

// offset turns an address into an offset in the file, or -1.
func (r *elfReader) offset(address int64) int64 {
	for _, l := range r.loads {
		if address >= l[0] && address-l[0] < l[2] {
			return address - l[0] + l[1]
		}
	}
	return -1
}

// at returns up to n bytes at an address.
func (r *elfReader) at(address, n int64) []byte {
	off := r.offset(address)
	if off < 0 || off >= r.b.Size() {
		return nil
	}
	p, err := r.b.View(off, min(n, r.b.Size()-off))
	if err != nil {
		return nil
	}
	return p
}

func (r *elfReader) dynamic(dyn []byte, o *object) {
	size := 8
	if r.wide {
		size = 16
	}
	var soname, strsz, verdef, verdefs int64
	soname = -1
	for end := false; len(dyn) >= size && !end; dyn = dyn[size:] {
		tag, value := r.word(dyn), r.word(dyn[size/2:])
		if !r.wide {
			tag = int64(int32(tag))
		}
		switch tag {
		case 0:
			end = true
		case 4:
			r.hash = value
		case 5:
			r.strtab = value
		case 6:
			r.symtab = value
		case 10:
			strsz = value
		case 14:
			soname = value
		case 0x6ffffef5:
			r.gnuHash = value
		case 0x6ffffffc:
			verdef = value
		case 0x6ffffffd:
			verdefs = value
		}
	}
	if strsz <= 0 {
		return
	}
	r.strsz = strsz
	if soname >= 0 {
		o.soname = r.name(soname)
	}
	r.definitions(verdef, verdefs, o)
}

// name returns the string at an offset in the dynamic string table.
func (r *elfReader) name(at int64) string {
	if at < 0 || at >= r.strsz {
		return ""
	}
	p := r.at(r.strtab+at, min(512, r.strsz-at))
	i := bytes.IndexByte(p, 0)
	if i < 0 {
		return ""
	}
	return string(p[:i])
}

// definitions reads the versions that the library defines; the one flagged as base is
// its own name.
func (r *elfReader) definitions(address, count int64, o *object) {
	for i := int64(0); i < min(count, elfVersions) && address != 0; i++ {
		p := r.at(address, 20)
		if len(p) < 20 {
			return
		}
		flags, aux, next := r.order.Uint16(p[2:]), int64(r.order.Uint32(p[12:])), int64(r.order.Uint32(p[16:]))
		if a := r.at(address+aux, 8); len(a) == 8 && flags&1 == 0 {
			if n := r.name(int64(r.order.Uint32(a))); n != "" {
				o.versions = append(o.versions, n)
			}
		}
		if next <= 0 {
			return
		}
		address += next
	}
}

// exported reports whether the file exports a symbol.
func (o *object) exported(name string) bool {
	if o.exports == nil {
		o.exports = map[string]bool{}
		if o.read != nil {
			o.read.symbols(o.exports)
		}
	}
	return o.exports[name]
}

func (r *elfReader) symbols(out map[string]bool) {
	size := int64(16)
	if r.wide {
		size = 24
	}
	table := r.at(r.symtab, min(r.count(), elfSymbols)*size)
	for ; int64(len(table)) >= size; table = table[size:] {
		info, section := table[12], r.order.Uint16(table[14:])
		if r.wide {
			info, section = table[4], r.order.Uint16(table[6:])
		}
		if bind := info >> 4; section == 0 || bind != 1 && bind != 2 && bind != 10 {
			continue
		}
		if n := r.name(int64(r.order.Uint32(table))); n != "" {
			out[n] = true
		}
	}
}

// count returns how many symbols the hash tables speak of.
func (r *elfReader) count() int64 {
	if r.hash != 0 {
		if p := r.at(r.hash, 8); len(p) == 8 {
			return int64(r.order.Uint32(p[4:]))
		}
	}
	// The symbol table has no length of its own; the string table follows it as linkers
	// lay them out.
	size := int64(16)
	if r.wide {
		size = 24
	}
	if r.gnuHash != 0 && r.strtab > r.symtab {
		return (r.strtab - r.symtab) / size
	}
	return 0
}
