package format

import (
	"encoding/binary"
	"fmt"

	"github.com/vesalius-project/vesalius/internal/image"
)

var elf = &image.Format{
	Name:  "elf",
	Title: "ELF program, library or object",
	Class: "executable",
	Where: "every Linux, QNX, VxWorks and FreeRTOS device",
	Spec:  "System V ABI, generic, chapter 4",
	Magic: []image.Magic{{Offset: 0, Bytes: "\x7fELF"}},
	Leaf:  true,
	Open:  openELF,
}

// openELF measures an ELF file: the end of its last segment, section or table.
func openELF(in *image.Input) (*image.Content, error) {
	h, err := in.View(0, min(64, in.Size()))
	if err != nil || len(h) < 52 {
		return nil, image.ErrNot
	}
	var order binary.ByteOrder = binary.LittleEndian
	if h[5] == 2 {
		order = binary.BigEndian
	}
	wide := h[4] == 2
	if h[4] != 1 && h[4] != 2 || h[5] != 1 && h[5] != 2 || h[6] != 1 || wide && len(h) < 64 {
		return nil, image.ErrNot
	}
	word := func(p []byte, narrow, broad int) int64 {
		if wide {
			return int64(order.Uint64(p[broad:]))
		}
		return int64(order.Uint32(p[narrow:]))
	}
	half := func(narrow, broad int) int64 {
		if wide {
			narrow = broad
		}
		return int64(order.Uint16(h[narrow:]))
	}
	end := half(40, 52)
	table := func(off, size, count, fileOff32, fileSize32, fileOff64, fileSize64 int64, skip func([]byte) bool) error {
		if off <= 0 || count == 0 {
			return nil
		}
		p, err := in.View(off, size*count)
		if err != nil {
			return err
		}
		end = max(end, off+size*count)
		for ; len(p) > 0; p = p[size:] {
			if !skip(p) {
				end = max(end, word(p, int(fileOff32), int(fileOff64))+word(p, int(fileSize32), int(fileSize64)))
			}
		}
		return nil
	}
	phSize, shSize := half(42, 54), half(46, 58)
	phLeast, shLeast := int64(32), int64(40)
	if wide {
		phLeast, shLeast = 56, 64
	}
	if half(44, 56) > 0 && phSize < phLeast || half(48, 60) > 0 && shSize < shLeast {
		return nil, image.ErrNot
	}
	if err := table(word(h, 28, 32), phSize, half(44, 56), 4, 16, 8, 32, func([]byte) bool { return false }); err != nil {
		return nil, fmt.Errorf("program headers: %w", err)
	}
	noBits := func(p []byte) bool { return order.Uint32(p[4:]) == 8 }
	if err := table(word(h, 32, 40), shSize, half(48, 60), 16, 20, 24, 32, noBits); err != nil {
		return nil, fmt.Errorf("section headers: %w", err)
	}
	if end < 52 {
		return nil, image.ErrNot
	}
	if end > in.Size() {
		return nil, fmt.Errorf("ends at %#x, past the end %#x", end, in.Size())
	}
	return &image.Content{Size: end}, nil
}
