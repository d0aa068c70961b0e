package format

import (
	"fmt"

	"github.com/vesalius-project/vesalius/internal/image"
)

var pe = &image.Format{
	Name:  "pe",
	Title: "Windows or UEFI program",
	Class: "executable",
	Where: "devices with Windows; boot loaders of UEFI devices",
	Spec:  "Microsoft PE Format. Found at the start of an input, part or file only",
	Limits: "programs of DOS without the newer header are no PE; Linux kernels that begin like one are left to what finds " +
		"what they hold",
	Magic: []image.Magic{{Offset: 0, Bytes: "MZ"}},
	Weak:  true,
	Leaf:  true,
	Open:  openPE,
}

// openPE measures a PE file: the end of its last section, or of the signatures behind.
func openPE(in *image.Input) (*image.Content, error) {
	h, err := in.View(0, min(1024, in.Size()))
	if err != nil || len(h) < 256 {
		return nil, image.ErrNot
	}
	switch magic := string(h[0x38:0x3c]); { // kernels that can be started by UEFI
	case magic == "ARM\x64", magic == "RSC\x05", string(h[4:8]) == "zimg", le32(h[0x24:]) == 0x016f2818,
		len(h) >= 0x206 && string(h[0x202:0x206]) == "HdrS":
		return nil, image.ErrNot
	}
	at := int64(le32(h[0x3c:]))
	p, err := in.View(at, 24)
	if err != nil || at < 0x40 || string(p[:4]) != "PE\x00\x00" {
		return nil, image.ErrNot
	}
	count, optional := int64(le16(p[6:])), int64(le16(p[20:]))
	o, err := in.View(at+24, optional)
	if err != nil || count > 96 || optional < 96 {
		return nil, fmt.Errorf("header: %d sections, %d bytes: %w", count, optional, image.ErrNot)
	}
	table := at + 24 + optional
	end := table + 40*count
	s, err := in.View(table, 40*count)
	if err != nil {
		return nil, fmt.Errorf("section headers: %w", err)
	}
	for ; len(s) > 0; s = s[40:] {
		if size := int64(le32(s[16:])); size > 0 {
			end = max(end, int64(le32(s[20:]))+size)
		}
	}
	if symbols, n := int64(le32(p[12:])), int64(le32(p[16:])); symbols > 0 && n > 0 { // with their names behind, as GNU tools write them
		end = max(end, symbols+18*n)
		if names, err := in.View(symbols+18*n, 4); err == nil {
			end = max(end, symbols+18*n+int64(le32(names)))
		}
	}
	dirs := int64(96) // the list of tables; the fifth is of signatures, by their offset in the file
	if le16(o) == 0x20b {
		dirs = 112
	}
	if optional >= dirs+40 && le32(o[dirs-4:]) > 4 {
		if size := int64(le32(o[dirs+36:])); size > 0 {
			end = max(end, int64(le32(o[dirs+32:]))+size)
		}
	}
	if end > in.Size() {
		return nil, fmt.Errorf("ends at %#x, past the end %#x", end, in.Size())
	}
	return &image.Content{Size: end}, nil
}
