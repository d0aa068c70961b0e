package component

import (
	"bytes"
	"compress/zlib"
	"debug/buildinfo"
	"encoding/binary"
	"encoding/json"
	"io"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/vesalius-project/vesalius/internal/image"
)

// record is a build record that compilers leave in binaries: it names components itself,
// without a signature.
type record struct {
	literal string
	again   bool // there may be several in one content
	read    func(b *image.Blob, at int64) []Evidence
}

// records lists the build records.
var records = []record{
	{literal: "\xff Go buildinf:", read: goModules},
	{literal: ".dep-v0", read: rustCrates},
	{literal: `{"type":"`, read: packageNote},
	{literal: "vermagic=", read: kernelModule},
	{literal: "V\x00S\x00_\x00V\x00E\x00R\x00S\x00I\x00O\x00N\x00_\x00I\x00N\x00F\x00O\x00", read: windowsResource},
}

const (
	modulesAtMost = 2000
	recordAtMost  = 8 << 20
)

// goModules reads the module list that the Go linker keeps.
func goModules(b *image.Blob, _ int64) []Evidence {
	head, err := b.View(0, min(4, b.Size()))
	if err != nil || len(head) < 4 {
		return nil
	}
	if !bytes.HasPrefix(head, []byte("\x7fELF")) && !bytes.HasPrefix(head, []byte("MZ")) {
		return nil // inside something else: that is opened for itself
	}
	info, err := buildinfo.Read(b.Reader())
	if err != nil {
		return nil
	}
	add := func(out []Evidence, name, version string, main bool) []Evidence {
		version = strings.TrimPrefix(version, "v")
		if name == "" || version == "(devel)" && !main || len(out) >= modulesAtMost {
			return out
		}
		if version == "(devel)" {
			version = ""
		}
		kind, base := "golang", name
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			kind, base = "golang/"+name[:i], name[i+1:]
		}
		purl := ""
		if version != "" {
			purl = PURL(kind, base, "v"+version, nil)
		}
		return append(out, Evidence{Name: name, Version: strings.TrimSuffix(version, "+incompatible"), How: "build-info", Confidence: "high",
			Why: "its Go build record names " + printable(name), Copy: true, Main: main, PURL: purl})
	}
	var out []Evidence
	if v := strings.TrimPrefix(info.GoVersion, "go"); v != "" {
		v, _, _ = strings.Cut(v, " ")
		out = append(out, Evidence{Name: "go", Version: v, How: "build-info", Confidence: "high", Copy: true,
			Why: "its Go build record says " + printable(info.GoVersion), PURL: PURL("golang", "stdlib", "v"+v, nil)})
	}
	out = add(out, info.Main.Path, info.Main.Version, true)
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		out = add(out, d.Path, d.Version, false)
	}
	return out
}

// rustCrates reads the list of crates that cargo-auditable puts into the section
// .dep-v0: JSON under zlib.
func rustCrates(b *image.Blob, _ int64) []Evidence {
	p := section(b, ".dep-v0")
	if p == nil {
		return nil
	}
	z, err := zlib.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil
	}
	var list struct {
		Packages []struct {
			Name, Version, Kind string
			Root                bool
		}
	}
	if json.NewDecoder(io.LimitReader(z, recordAtMost)).Decode(&list) != nil {
		return nil
	}
	var out []Evidence
	for _, c := range list.Packages {
		if c.Kind == "build" || c.Name == "" || len(out) >= modulesAtMost {
			continue
		}
		out = append(out, Evidence{Name: c.Name, Version: c.Version, How: "build-info", Confidence: "high", Copy: true, Main: c.Root,
			Why: "its list of Rust crates names " + printable(c.Name), PURL: PURL("cargo", c.Name, c.Version, nil)})
	}
	return out
}

// section returns the content of an ELF section by its name.
func section(b *image.Blob, name string) []byte {
	head, err := b.View(0, min(64, b.Size()))
	if err != nil || len(head) < 64 || string(head[:4]) != "\x7fELF" {
		return nil
	}
	r := &elfReader{b: b, order: binary.LittleEndian, wide: head[4] == 2}
	if head[5] == 2 {
		r.order = binary.BigEndian
	}
	off, size, count, names := int64(r.order.Uint32(head[32:])), int64(r.order.Uint16(head[46:])), int64(r.order.Uint16(head[48:])), int64(r.order.Uint16(head[50:]))
	at, entry := 16, int64(40)
	if r.wide {
		off, size, count, names = int64(r.order.Uint64(head[40:])), int64(r.order.Uint16(head[58:])), int64(r.order.Uint16(head[60:])), int64(r.order.Uint16(head[62:]))
		at, entry = 24, 64
	}
	if size < entry || count > 4096 || names >= count {
		return nil
	}
	table, err := b.View(off, size*count)
	if err != nil {
		return nil
	}
	content := func(i int64, most int64) []byte {
		h := table[i*size:]
		var o, n int64
		if r.wide {
			o, n = r.word(h[at:]), r.word(h[at+8:])
		} else {
			o, n = r.word(h[at:]), r.word(h[at+4:])
		}
		p, err := b.View(o, min(n, most))
		if err != nil {
			return nil
		}
		return p
	}
	strs := content(names, 1<<16)
	for i := int64(0); i < count; i++ {
		n := int64(r.order.Uint32(table[i*size:]))
		if n < int64(len(strs)) && bytes.HasPrefix(strs[n:], append([]byte(name), 0)) {
			return content(i, recordAtMost)
		}
	}
	return nil
}

// packageNote reads the ELF note in which distributions name the package that a binary
// belongs to (section .note.package).
func packageNote(b *image.Blob, at int64) []Evidence {
	p, err := b.View(at, min(1024, b.Size()-at))
	if err != nil {
		return nil
	}
	var n struct {
		Type, OS, Name, Version string
	}
	if json.NewDecoder(bytes.NewReader(p)).Decode(&n) != nil || n.Name == "" || n.Version == "" ||
		n.Type != "deb" && n.Type != "rpm" && n.Type != "apk" && n.Type != "pacman" {
		return nil
	}
	v, _ := Upstream(n.Version, n.Type)
	return []Evidence{{Name: strings.ToLower(n.Name), Version: v, How: "build-info", Confidence: "medium", Offset: at, Main: true,
		Why: "its package note names " + printable(n.Name) + " " + printable(n.Version), PURL: PURL(n.Type+"/"+cmpOr(n.OS, "unknown"), n.Name, n.Version, nil)}}
}

// kernelModule reads what a Linux kernel module says of itself in its section .modinfo.
func kernelModule(b *image.Blob, at int64) []Evidence {
	head, err := b.View(0, min(4, b.Size()))
	if err != nil || string(head) != "\x7fELF" {
		return nil
	}
	from := max(at-8192, 0)
	p, err := b.View(from, min(at+8192, b.Size())-from)
	if err != nil {
		return nil
	}
	field := map[string]string{}
	runs(p, 4, func(_ int, s string) {
		if k, v, ok := strings.Cut(s, "="); ok && field[k] == "" {
			field[k] = v
		}
	})
	var out []Evidence
	if release, _, _ := strings.Cut(field["vermagic"], " "); release != "" {
		v, _, _ := strings.Cut(release, "-")
		out = append(out, Evidence{Name: "linux", Version: v, How: "build-info", Confidence: "low", Offset: at, Way: 100,
			Why: "a kernel module is built for " + printable(release)})
	}
	return out
}

// windowsResource reads the version resource of a Windows program.
func windowsResource(b *image.Blob, at int64) []Evidence {
	p, err := b.View(at, min(4096, b.Size()-at))
	if err != nil {
		return nil
	}
	field := map[string]string{}
	for _, key := range []string{"ProductName", "ProductVersion", "CompanyName", "FileVersion", "OriginalFilename"} {
		field[key] = wideField(p, key)
	}
	name, version := strings.ToLower(strings.TrimSpace(field["ProductName"])), cmpOr(field["ProductVersion"], field["FileVersion"])
	version = strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(version), ", ", "."), ",", ".")
	if name == "" || len(name) > 80 {
		name = strings.ToLower(strings.TrimSuffix(field["OriginalFilename"], path.Ext(field["OriginalFilename"])))
	}
	if name == "" {
		return nil
	}
	return []Evidence{{Name: printable(name), Version: printable(version), How: "build-info", Confidence: "medium", Offset: at, Main: true,
		Why: "its version resource says " + quote(field["ProductName"]+" "+version, 0)}}
}

// wideField returns the value after a key in a block of UTF-16 strings: key, NUL,
// padding, value, NUL.
func wideField(p []byte, key string) string {
	var want []byte
	for _, c := range []byte(key) {
		want = append(want, c, 0)
	}
	i := bytes.Index(p, append(want, 0, 0))
	if i < 0 {
		return ""
	}
	p = p[i+len(want)+2:]
	for len(p) >= 2 && p[0] == 0 && p[1] == 0 {
		p = p[2:]
	}
	var u []uint16
	for ; len(p) >= 2 && len(u) < 128; p = p[2:] {
		c := binary.LittleEndian.Uint16(p)
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}
