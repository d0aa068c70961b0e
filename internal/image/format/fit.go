package format

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var fit = &image.Format{
	Name:  "fit",
	Title: "U-Boot flattened image tree (FIT)",
	Class: "boot",
	Where: "newer devices that start with U-Boot: kernel, device tree and initial file system in one file that can be signed",
	Spec: "Flat Image Tree Specification 0.8. Attributes: description, default; image.NAME.type, .os, .arch, .compression, .description, .load, .entry, .hash, .signature; " +
		"config.NAME.kernel, .fdt, .ramdisk, .firmware, .loadables, .hash, .signature; over all: signed (configurations, images, no), " +
		"signature_algo, key_hint, required. Hashes and signatures are named, not checked. An image of type script is a file of its name",
	Limits: "encrypted images are gaps",
	Magic:  []image.Magic{{Offset: 0, Bytes: fdtMagic}},
	Open:   openFIT,
}

func openFIT(in *image.Input) (*image.Content, error) {
	t, err := openFDT(in.Blob)
	if err != nil {
		return nil, image.ErrNot // told by dtb
	}
	images := t.root.child("images")
	if images == nil || t.root.child("configurations") == nil && len(images.children) == 0 {
		return nil, image.ErrNot
	}
	f := &fitReader{fdt: t, in: in, c: &image.Content{Size: t.size, Attributes: map[string]string{}}}
	a := f.c.Attributes
	set(a, "description", t.text(t.root, "description"))
	for _, n := range images.children {
		f.image(n)
	}
	byImages := f.signed
	if configs := t.root.child("configurations"); configs != nil {
		set(a, "default", t.text(configs, "default"))
		f.signed = false
		for _, n := range configs.children {
			key := "config." + n.name + "."
			for _, p := range []string{"description", "kernel", "fdt", "ramdisk", "firmware", "loadables"} {
				set(a, key+p, t.text(n, p))
			}
			f.hashes(n, key)
		}
	}
	switch {
	case f.signed:
		a["signed"] = "configurations"
	case byImages:
		a["signed"] = "images"
	default:
		a["signed"] = "no"
	}
	t.keys(a)
	set(a, "signature_algo", distinct(f.algos))
	set(a, "key_hint", distinct(f.hints))
	if sortParts(f.c.Parts) {
		return nil, fmt.Errorf("images overlap")
	}
	return f.c, nil
}

func distinct(list []string) string {
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ",")
}

// sortParts puts parts into their order and reports whether they overlap.
func sortParts(parts []image.Part) (overlap bool) {
	slices.SortStableFunc(parts, func(a, b image.Part) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	for i := 1; i < len(parts); i++ {
		if p := parts[i-1]; p.Offset+p.Blob.Size() > parts[i].Offset {
			return true
		}
	}
	return false
}

// fitReader reads one FIT.
type fitReader struct {
	*fdt
	in           *image.Input
	c            *image.Content
	signed       bool
	algos, hints []string
}

// image adds one image as a part: its data lies in a property, or after the tree.
func (f *fitReader) image(n *fdtNode) {
	key := "image." + n.name + "."
	for _, p := range []string{"description", "type", "os", "arch", "compression"} {
		set(f.c.Attributes, key+p, f.text(n, p))
	}
	for _, p := range []string{"load", "entry"} {
		if v, ok := f.cell(n, p); ok {
			f.c.Attributes[key+p] = fmt.Sprintf("%#x", v)
		}
	}
	f.hashes(n, key)
	at, size, ok := f.data(n)
	if !ok {
		return
	}
	gap := func(reason, why string) {
		f.c.Gaps = append(f.c.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Size: size, Reason: reason, Why: why})
	}
	switch cipher := n.child("cipher"); {
	case at < 0 || size < 0 || at > f.in.Size() || size > f.in.Size()-at:
		at, size = f.size, 0
		gap("damaged", fmt.Sprintf("image %q passes the end", n.name))
		return
	case cipher != nil:
		gap("opaque", fmt.Sprintf("image %q is encrypted (%s, key %q)", n.name, f.text(cipher, "algo"), f.text(cipher, "key-name-hint")))
		f.c.Size = max(f.c.Size, at+size)
		return
	}
	f.c.Size = max(f.c.Size, at+size)
	blob := f.in.Slice(at, size)
	if path, err := join("/", n.name); err == nil && f.text(n, "type") == "script" {
		f.c.Nodes = append(f.c.Nodes, &image.Node{Path: path, Mode: 0o644, Size: size, Data: blob})
		return
	}
	f.c.Parts = append(f.c.Parts, image.Part{Name: n.name, Offset: at, Blob: blob})
}

// data returns where an image's bytes lie.
func (f *fitReader) data(n *fdtNode) (at, size int64, ok bool) {
	if p, ok := n.prop("data"); ok {
		return p.off, p.len, true
	}
	size, ok = f.cell(n, "data-size")
	if !ok {
		return 0, 0, false
	}
	if at, ok = f.cell(n, "data-position"); ok {
		return at, size, true
	}
	at, ok = f.cell(n, "data-offset")
	if at > f.in.Size() {
		return -1, size, ok
	}
	return (f.size+3)&^3 + at, size, ok
}

// hashes tells how an image or configuration is hashed and signed.
func (f *fitReader) hashes(n *fdtNode, key string) {
	var hashes, signatures []string
	for _, c := range n.children {
		algo := f.text(c, "algo")
		switch {
		case strings.HasPrefix(c.name, "hash"):
			hashes = append(hashes, algo)
		case strings.HasPrefix(c.name, "signature"):
			hint := f.text(c, "key-name-hint")
			f.algos, f.hints = append(f.algos, algo), append(f.hints, hint)
			if value, ok := c.prop("value"); !ok || value.len == 0 {
				algo += " (without a value)"
			} else {
				f.signed = true
			}
			signatures = append(signatures, strings.TrimSuffix(algo+" "+hint, " "))
		}
	}
	set(f.c.Attributes, key+"hash", strings.Join(hashes, ","))
	set(f.c.Attributes, key+"signature", strings.Join(signatures, ","))
}
