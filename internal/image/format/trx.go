package format

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var trx = &image.Format{
	Name:    "trx",
	Title:   "TRX firmware container",
	Class:   "boot",
	Where:   "devices built on Broadcom and Atheros router boards: access points, gateways",
	Spec:    "OpenWrt firmware-utils, trx.c. Attributes: version, flags, checksum (right, wrong). Its parts are named p1 to p4",
	Magic:   []image.Magic{{Offset: 0, Bytes: "HDR0"}},
	Open:    openTRX,
	Rebuild: rebuildTRX,
}

func openTRX(in *image.Input) (*image.Content, error) {
	h, err := in.View(0, 32)
	if err != nil {
		return nil, image.ErrNot
	}
	size, version := int64(le32(h[4:])), le16(h[14:])
	count := map[uint16]int{1: 3, 2: 4}[version]
	head := int64(16 + 4*count)
	if count == 0 || size <= head {
		return nil, fmt.Errorf("version %d, size %d: %w", version, size, image.ErrNot)
	}
	c := &image.Content{Size: min(size, in.Size()), Attributes: map[string]string{
		"version": strconv.Itoa(int(version)), "flags": fmt.Sprintf("%#x", le16(h[12:])), "checksum": "wrong",
	}}
	var starts []int64
	for i := range count {
		at := int64(le32(h[16+4*i:]))
		if at >= size {
			return nil, fmt.Errorf("part %d begins at %#x, past the end %#x: %w", i+1, at, size, image.ErrNot)
		}
		if at >= head && !slices.Contains(starts, at) {
			starts = append(starts, at)
		}
	}
	if size > in.Size() {
		c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: in.Size()}, Size: size - in.Size(), Reason: "damaged",
			Why: fmt.Sprintf("cut off: the header says %d bytes, there are %d", size, in.Size())})
	} else if sum := crc32.NewIEEE(); true {
		if _, err := in.Slice(12, size-12).WriteTo(sum); err != nil {
			return nil, err
		}
		if ^sum.Sum32() == le32(h[8:]) {
			c.Attributes["checksum"] = "right"
		}
	}
	slices.Sort(starts)
	for i, at := range starts {
		end := c.Size
		if i+1 < len(starts) {
			end = min(end, starts[i+1])
		}
		if at < end {
			c.Parts = append(c.Parts, image.Part{Name: "p" + strconv.Itoa(i+1), Offset: at, Blob: in.Slice(at, end-at)})
		}
	}
	if len(c.Parts) == 0 {
		return nil, fmt.Errorf("no part: %w", image.ErrNot)
	}
	return c, nil
}

// rebuildTRX replaces parts where they lie, with the checksum that is then right.
func rebuildTRX(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
	content, err := openTRX(in)
	if err != nil {
		return nil, err
	}
	if len(content.Gaps) > 0 {
		return nil, fmt.Errorf("damaged: %s: %w", content.Gaps[0].Why, image.ErrReadOnly)
	}
	sum := crc32.NewIEEE()
	if err := inPlace(&behind{sum, 12}, in, content.Parts, c); err != nil {
		return nil, err
	}
	h, err := in.View(0, 12)
	if err != nil {
		return nil, err
	}
	h = bytes.Clone(h)
	put32(h[8:], ^sum.Sum32())
	if _, err := w.Write(h); err != nil {
		return nil, err
	}
	return nil, inPlace(&behind{w, 12}, in, content.Parts, c)
}

// behind leaves out the first bytes.
type behind struct {
	w    io.Writer
	skip int
}

func (b *behind) Write(p []byte) (int, error) {
	k := min(b.skip, len(p))
	b.skip -= k
	n, err := b.w.Write(p[k:])
	return k + n, err
}
