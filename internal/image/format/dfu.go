package format

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var dfu = &image.Format{
	Name:  "dfu",
	Title: "USB DFU file, with ST's DfuSe targets",
	Class: "encoding",
	Where: "updates over USB of microcontrollers, those of ST above all",
	Spec: "USB Device Firmware Upgrade Specification 1.1, appendix B; ST UM0391. Attributes: vendor, product, device, dfu (hexadecimal; ffff is any), " +
		"checksum (right, wrong), targets. A part is the whole payload, or an element of a target, named by its address",
	Limits: "found at the start of an input, part or file only, that it fills to the end",
	Open:   openDFU,
}

func openDFU(in *image.Input) (*image.Content, error) {
	s, err := in.View(max(in.Size()-16, 0), 16)
	if err != nil || in.Size() < 32 || string(s[8:11]) != "UFD" || s[11] < 16 || int64(s[11]) >= in.Size() {
		return nil, image.ErrNot
	}
	sum := crc32.NewIEEE()
	if _, err := in.Slice(0, in.Size()-4).WriteTo(sum); err != nil {
		return nil, err
	}
	c := &image.Content{Size: in.Size(), Attributes: map[string]string{
		"device": fmt.Sprintf("%04x", le16(s)), "product": fmt.Sprintf("%04x", le16(s[2:])), "vendor": fmt.Sprintf("%04x", le16(s[4:])),
		"dfu": fmt.Sprintf("%04x", le16(s[6:])), "checksum": "right",
	}}
	if ^sum.Sum32() != le32(s[12:]) {
		c.Attributes["checksum"] = "wrong"
		c.Gaps = append(c.Gaps, fact.Gap{Size: in.Size(), Reason: "damaged", Why: "wrong checksum over the whole"})
	}
	end := in.Size() - int64(s[11])
	if h, err := in.View(0, 11); err != nil || string(h[:6]) != "DfuSe\x01" {
		c.Parts = []image.Part{{Blob: in.Slice(0, end)}}
		return c, nil
	}
	return c, dfuTargets(in, c, end)
}

// dfuTargets reads the targets and their elements.
func dfuTargets(in *image.Input, c *image.Content, end int64) error {
	h, err := in.View(0, 11)
	if err != nil {
		return err
	}
	c.Attributes["targets"] = strconv.Itoa(int(h[10]))
	at := int64(11)
	for t := range int(h[10]) {
		p, err := in.View(at, 274)
		if err != nil || string(p[:6]) != "Target" || at+274 > end {
			c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Size: end - at, Reason: "damaged", Why: fmt.Sprintf("target %d is missing", t)})
			return nil
		}
		name := ""
		if le32(p[7:]) != 0 {
			name = strings.TrimSpace(cstring(p[11:266]))
			c.Attributes["target."+strconv.Itoa(t)+".name"] = name
		}
		count := le32(p[270:])
		at += 274
		for e := range count {
			p, err := in.View(at, 8)
			if err != nil || at+8 > end || at+8+int64(le32(p[4:])) > end {
				c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Size: end - at, Reason: "damaged", Why: fmt.Sprintf("target %d: element %d is cut off", t, e)})
				return nil
			}
			size := int64(le32(p[4:]))
			c.Parts = append(c.Parts, image.Part{Name: fmt.Sprintf("%#x", le32(p)), Offset: at + 8, Blob: in.Slice(at+8, size)})
			at += 8 + size
		}
	}
	return nil
}
