package fix

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var strip = remedy.Fix{
	ID:     "strip",
	Title:  "Take symbols and debug information out of the program",
	Care:   remedy.None,
	Breaks: "finding the line of a crash without the symbols, which the maker keeps",
	Test:   "that the program starts; keep the unstripped one with the release",
	Apply: func(t *remedy.Task) error {
		done := 0
		for _, x := range of[*fact.Executable](t) {
			data, err := t.Read(x.Path)
			if err != nil {
				return err
			}
			now, ok := stripELF(data)
			if !ok {
				continue
			}
			if err := t.Write(x.Path, now, 0o755); err != nil {
				return err
			}
			done++
			t.Say("%s: %d bytes of symbols and debug information taken out", x.Path, len(data)-len(now))
		}
		if done == 0 {
			return none("no program has a table of symbols that can be taken out by itself")
		}
		return nil
	},
}

// maxSections and maxNames bound what is stripped: programs have some forty sections, with
// names of a few hundred bytes.
const maxSections, maxNames = 1024, 1 << 16

// stripELF returns a program without the sections that are not loaded: it keeps each byte
// up to the end of what is loaded, and writes the table of sections again behind it.
// Objects and modules, whose symbols are needed, are left alone.
func stripELF(data []byte) ([]byte, bool) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil || f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN || len(f.Progs) == 0 || len(f.Sections) == 0 || len(f.Sections) > maxSections {
		return nil, false
	}
	end := uint64(0)
	for _, p := range f.Progs {
		end = max(end, p.Off+p.Filesz)
	}
	wide := f.Class == elf.ELFCLASS64
	head, entry := uint64(52), uint64(40)
	if wide {
		head, entry = 64, 64
	}
	end = max(end, head)
	var keep []int // indices of sections that stay, 0 among them
	for i, s := range f.Sections {
		if i == 0 || s.Flags&elf.SHF_ALLOC != 0 {
			keep = append(keep, i)
			if s.Type != elf.SHT_NOBITS && s.Type != elf.SHT_NULL {
				end = max(end, s.Offset+s.FileSize)
			}
		}
	}
	if len(keep) == len(f.Sections) || end > uint64(len(data)) {
		return nil, false
	}
	names := []byte{0}
	at := make([]uint32, len(keep)) // of the names
	for i, k := range keep {
		if i > 0 {
			at[i] = uint32(len(names)) //nolint:gosec // of a file below MaxFile
			if names = append(append(names, f.Sections[k].Name...), 0); len(names) > maxNames {
				return nil, false
			}
		}
	}
	own := uint32(len(names)) //nolint:gosec // as above
	names = append(names, ".shstrtab\x00"...)
	out := slices.Clone(data[:end])
	where := uint64(len(out))
	out = append(out, names...)
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	table := uint64(len(out))
	index := func(old uint32) uint32 {
		return uint32(max(slices.Index(keep, int(old)), 0)) //nolint:gosec // a count of sections
	}
	put := func(name, kind uint32, flags, addr, off, size uint64, link, info uint32, align, each uint64) {
		for _, v := range []struct {
			n    uint64
			word bool // as wide as an address
		}{{uint64(name), false}, {uint64(kind), false}, {flags, true}, {addr, true}, {off, true}, {size, true}, {uint64(link), false}, {uint64(info), false}, {align, true}, {each, true}} {
			if v.word && wide {
				out = f.ByteOrder.(binary.AppendByteOrder).AppendUint64(out, v.n)
			} else {
				out = f.ByteOrder.(binary.AppendByteOrder).AppendUint32(out, uint32(v.n)) //nolint:gosec // a 32-bit file's own
			}
		}
	}
	for i, k := range keep {
		s := f.Sections[k]
		info := s.Info
		if s.Flags&elf.SHF_INFO_LINK != 0 || s.Type == elf.SHT_REL || s.Type == elf.SHT_RELA {
			info = index(info)
		}
		put(at[i], uint32(s.Type), uint64(s.Flags), s.Addr, s.Offset, s.FileSize, index(s.Link), info, s.Addralign, s.Entsize)
	}
	put(own, uint32(elf.SHT_STRTAB), 0, 0, where, uint64(len(names)), 0, 0, 1, 0)
	count := uint16(len(keep) + 1) //nolint:gosec // fewer than there were
	if wide {
		f.ByteOrder.PutUint64(out[40:], table)
		f.ByteOrder.PutUint16(out[58:], uint16(entry))
		f.ByteOrder.PutUint16(out[60:], count)
		f.ByteOrder.PutUint16(out[62:], count-1)
	} else {
		f.ByteOrder.PutUint32(out[32:], uint32(table)) //nolint:gosec // a 32-bit file's own
		f.ByteOrder.PutUint16(out[46:], uint16(entry))
		f.ByteOrder.PutUint16(out[48:], count)
		f.ByteOrder.PutUint16(out[50:], count-1)
	}
	return out, len(out) < len(data)
}
