package format

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/image"
)

var rpm = &image.Format{
	Name:   "rpm",
	Title:  "RPM package",
	Class:  "archive",
	Where:  "updates of devices built on Red Hat, SUSE, Yocto or Tizen",
	Spec:   "RPM package format, version 3 and 4 (rpm.org)",
	Limits: "signatures are not checked; payloads without names (files over 4 GB) are not read",
	Magic:  []image.Magic{{Offset: 0, Bytes: "\xed\xab\xee\xdb"}},
	Open:   openRPM,
}

// rpmTags are the tags of the main header that become attributes.
var rpmTags = map[uint32]string{
	1000: "name", 1001: "version", 1002: "release", 1003: "epoch", 1011: "vendor", 1014: "license",
	1021: "os", 1022: "arch", 1044: "source", 1124: "payload", 1125: "compression",
}

// The signature's tags that say how many bytes follow it, in 32 and 64 bits.
const (
	rpmSize     = 1000
	rpmLongSize = 270
)

// openRPM reads the lead, the signature and the header; the payload, a compressed cpio
// archive, is carved.
func openRPM(in *image.Input) (*image.Content, error) {
	lead, err := in.View(0, min(96, in.Size()))
	if err != nil || len(lead) < 96 || lead[4] < 3 || lead[4] > 4 || binary.BigEndian.Uint16(lead[6:]) > 1 {
		return nil, image.ErrNot
	}
	var size int64
	at, err := rpmHeader(in.Blob, 96, func(tag uint32, _ string, number int64) {
		if tag == rpmSize || tag == rpmLongSize {
			size = max(size, number)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	signed := padded(at, 8)
	attrs := map[string]string{}
	payload, err := rpmHeader(in.Blob, signed, func(tag uint32, value string, number int64) {
		name, ok := rpmTags[tag]
		switch {
		case !ok:
		case value != "":
			attrs[name] = value
		case number != 0:
			attrs[name] = strconv.FormatInt(number, 10)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	end := in.Size()
	if size > 0 && size < end-signed {
		end = signed + size
	}
	if end < payload {
		return nil, fmt.Errorf("ends at %#x, before its payload at %#x", end, payload)
	}
	a := newArchive()
	a.Attributes = attrs
	if size > in.Size()-signed {
		a.gap(in.Size(), size-(in.Size()-signed), "the package is cut off")
	}
	a.Parts = []image.Part{{Name: "payload", Offset: payload, Blob: in.Slice(payload, end-payload)}}
	return a.done(end), nil
}

// rpmHeader reads a header at an offset, shows the first string or number of each tag,
// and returns where it ends.
func rpmHeader(b *image.Blob, at int64, show func(tag uint32, value string, number int64)) (int64, error) {
	p, err := b.View(at, 16)
	if err != nil {
		return 0, err
	}
	be := binary.BigEndian
	count, size := int64(be.Uint32(p[8:])), int64(be.Uint32(p[12:]))
	if be.Uint32(p) != 0x8eade801 || count > 1<<16 || size > 256<<20 {
		return 0, fmt.Errorf("at %#x: no header, or one of %d entries", at, count)
	}
	index, err := b.View(at+16, count*16)
	if err != nil {
		return 0, err
	}
	store := b.Slice(at+16+count*16, size)
	if store.Size() < size {
		return 0, fmt.Errorf("store of %d bytes is cut off", size)
	}
	for ; len(index) > 0; index = index[16:] {
		tag, kind, off := be.Uint32(index), be.Uint32(index[4:]), int64(be.Uint32(index[8:]))
		p, err := store.View(off, min(256, max(0, size-off)))
		if err != nil || len(p) == 0 {
			continue
		}
		switch {
		case kind == 4 && len(p) >= 4:
			show(tag, "", int64(be.Uint32(p)))
		case kind == 5 && len(p) >= 8:
			show(tag, "", int64(be.Uint64(p)&(1<<62-1)))
		case kind == 6 || kind == 8 || kind == 9:
			show(tag, cstring(p), 0)
		}
	}
	return at + 16 + count*16 + size, nil
}
