package format

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var uf2 = &image.Format{
	Name:  "uf2",
	Title: "UF2 flashing format",
	Class: "encoding",
	Where: "microcontrollers that are flashed over USB: wearables, sensors, prototypes",
	Spec: "github.com/microsoft/uf2. Attributes: blocks, ranges, family (hexadecimal; several with commas). A part is a range of " +
		"addresses of one family, named by its first one; holes of up to 1 kB are filled with 0xff",
	Limits: "files for the mass storage of a device (flag 0x1000) are taken as a range of addresses; digests are not verified",
	Magic:  []image.Magic{{Offset: 0, Bytes: uf2Magic}},
	Open:   openUF2,
}

const (
	uf2Magic  = "UF2\x0a\x57\x51\x5d\x9e"
	uf2Block  = 512
	uf2NoMain = 0x1 // not for the main flash
	uf2Family = 0x2000
)

// uf2Piece is the payload of a block.
type uf2Piece struct {
	family  uint32
	address int64
	at      int64
	size    int64
}

func openUF2(in *image.Input) (*image.Content, error) {
	var pieces []uf2Piece
	c := &image.Content{Attributes: map[string]string{}}
	total := int64(0)
	for ; c.Size+uf2Block <= in.Size(); c.Size += uf2Block {
		p, err := in.View(c.Size, uf2Block)
		if err != nil || string(p[:8]) != uf2Magic || le32(p[508:]) != 0x0ab16f30 {
			break
		}
		size, flags := int64(le32(p[16:])), le32(p[8:])
		total = max(total, int64(le32(p[24:])))
		if size > 476 || size == 0 {
			c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: c.Size}, Size: uf2Block, Reason: "damaged", Why: fmt.Sprintf("block with %d bytes", size)})
			continue
		}
		if flags&uf2NoMain != 0 {
			continue
		}
		family := uint32(0)
		if flags&uf2Family != 0 {
			family = le32(p[28:])
		}
		pieces = append(pieces, uf2Piece{family, int64(le32(p[12:])), c.Size + 32, size})
	}
	if len(pieces) == 0 {
		return nil, image.ErrNot
	}
	if n := c.Size / uf2Block; n < total {
		c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: c.Size}, Reason: "damaged", Why: fmt.Sprintf("%d of %d blocks are there", n, total)})
	}
	slices.SortStableFunc(pieces, func(a, b uf2Piece) int {
		return cmp.Or(cmp.Compare(a.family, b.family), cmp.Compare(a.address, b.address))
	})
	families := ""
	for i := 0; i < len(pieces); {
		first := pieces[i]
		if f := fmt.Sprintf("%#x", first.family); first.family != 0 && (i == 0 || pieces[i-1].family != first.family) {
			families += "," + f
		}
		var list []run
		size := int64(0)
		for ; i < len(pieces) && pieces[i].family == first.family && pieces[i].address-first.address-size <= memoryJoin; i++ {
			p := pieces[i]
			at := p.address - first.address
			if at < size {
				c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: p.at - 32}, Size: uf2Block, Reason: "damaged", Why: fmt.Sprintf("address %#x is written twice", p.address)})
				continue
			}
			if at > size {
				list = append(list, run{at: size, from: -1, size: at - size, fill: [4]byte{0xff, 0xff, 0xff, 0xff}})
			}
			list = addRun(list, at, p.at, p.size)
			size = at + p.size
		}
		c.Parts = append(c.Parts, image.Part{Name: fmt.Sprintf("%#x", first.address), Offset: first.at, Blob: blobOf(in.Blob, list, size)})
	}
	c.Attributes["blocks"], c.Attributes["ranges"] = strconv.FormatInt(c.Size/uf2Block, 10), strconv.Itoa(len(c.Parts))
	if families != "" {
		c.Attributes["family"] = families[1:]
	}
	return c, nil
}
