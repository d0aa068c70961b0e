package format

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

var dtb = &image.Format{
	Name:  "dtb",
	Title: "flattened device tree",
	Class: "boot",
	Where: "devices with ARM, MIPS, PowerPC and RISC-V processors: the description of the board, also inside U-Boot with the keys that it trusts",
	Spec: "Devicetree Specification 0.4, chapter 5. Attributes: model, compatible, bootargs and console (stdout-path) of /chosen; " +
		"partition.LABEL = offset+size and perhaps ro, of each fixed-partitions node; of the keys in /signature: required (conf, image), " +
		"key.NAME.algo, key.NAME.required, key.NAME.bits. A tree with images in it is a fit",
	Magic: []image.Magic{{Offset: 0, Bytes: fdtMagic}},
	Open:  openDTB,
}

func openDTB(in *image.Input) (*image.Content, error) {
	t, err := openFDT(in.Blob)
	if err != nil {
		return nil, err
	}
	c := &image.Content{Size: t.size, Attributes: map[string]string{}}
	chosen := t.root.child("chosen")
	set(c.Attributes, "model", t.text(t.root, "model"))
	set(c.Attributes, "compatible", t.text(t.root, "compatible"))
	set(c.Attributes, "bootargs", t.text(chosen, "bootargs"))
	set(c.Attributes, "console", t.text(chosen, "stdout-path"))
	t.partitions(t.root, c.Attributes)
	t.keys(c.Attributes)
	return c, nil
}

// set stores an attribute that has a value.
func set(a map[string]string, key, value string) {
	if value != "" {
		a[key] = value
	}
}

// partitions tells the flash partitions that are fixed in the tree.
func (t *fdt) partitions(n *fdtNode, a map[string]string) {
	fixed := slices.Contains(strings.Split(t.text(n, "compatible"), ","), "fixed-partitions")
	for _, c := range n.children {
		t.partitions(c, a)
		reg := t.bytes(c, "reg")
		if !fixed || len(reg) != 8 && len(reg) != 16 {
			continue
		}
		label := t.text(c, "label")
		if label == "" {
			label = c.name
		}
		half := len(reg) / 2
		number := func(p []byte) (v uint64) {
			for ; len(p) > 0; p = p[4:] {
				v = v<<32 | uint64(be32(p))
			}
			return v
		}
		v := fmt.Sprintf("%#x+%#x", number(reg[:half]), number(reg[half:]))
		if _, ok := c.prop("read-only"); ok {
			v += " ro"
		}
		a["partition."+label] = v
	}
}

// keys tells the public keys that a boot loader trusts (U-Boot doc/usage/fit/signature).
func (t *fdt) keys(a map[string]string) {
	node := t.root.child("signature")
	if node == nil {
		return
	}
	var required []string
	for _, k := range node.children {
		name := strings.TrimPrefix(k.name, "key-")
		set(a, "key."+name+".algo", t.text(k, "algo"))
		r := t.text(k, "required")
		set(a, "key."+name+".required", r)
		if r != "" && !slices.Contains(required, r) {
			required = append(required, r)
		}
		if bits, ok := t.cell(k, "rsa,num-bits"); ok {
			a["key."+name+".bits"] = strconv.FormatInt(bits, 10)
		}
	}
	slices.Sort(required)
	set(a, "required", strings.Join(required, ","))
}
