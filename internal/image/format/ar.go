package format

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

var ar = &image.Format{
	Name:  "ar",
	Title: "ar archive: Debian and opkg package, static library",
	Class: "archive",
	Where: "packages (deb, ipk), development files",
	Spec:  "deb(5), ar(5) of FreeBSD, GNU binutils",
	Magic: []image.Magic{{Offset: 0, Bytes: "!<arch>\n"}},
	Open:  openAr,
}

const arHeader = 60

// openAr reads the members. Those that only index a library are left out.
func openAr(in *image.Input) (*image.Content, error) {
	a := newArchive()
	long := "" // GNU: names that are longer than their field
	at := int64(8)
	for {
		h, err := in.View(at, min(arHeader, in.Size()-at))
		if err != nil || len(h) < arHeader || string(h[58:]) != "`\n" {
			if len(a.Nodes) == 0 && long == "" && in.Size() != 8 && at == 8 {
				return nil, fmt.Errorf("first member: %w", image.ErrNot)
			}
			if len(h) > 1 && len(h) < arHeader {
				a.gap(at, int64(len(h)), "the archive is cut off")
				at = in.Size()
			}
			return a.done(min(at, in.Size())), nil // what follows is no member
		}
		field := func(from, to, base int) int64 {
			n, err := strconv.ParseInt(strings.TrimRight(string(h[from:to]), " "), base, 62)
			if err != nil {
				return 0
			}
			return n
		}
		size, err := strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 62)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("member at %#x: size %q", at, h[48:58])
		}
		data := at + arHeader
		next := data + size
		name := strings.TrimRight(string(h[:16]), " ")
		switch {
		case name == "//":
			p, err := in.View(data, min(size, in.Size()-data))
			if err == nil {
				long = string(p)
			}
		case name == "/", name == "/SYM64/", strings.HasPrefix(name, "__.SYMDEF"):
		default:
			if n, ok := strings.CutPrefix(name, "#1/"); ok { // BSD: the name stands before the data
				k, err := strconv.ParseInt(n, 10, 32)
				p, err2 := in.View(data, k)
				if err != nil || err2 != nil || k > size || k > maxPath {
					return nil, fmt.Errorf("member at %#x: name of %q bytes", at, n)
				}
				name, data, size = cstring(p), data+k, size-k
			} else if n, err := strconv.ParseInt(strings.TrimPrefix(name, "/"), 10, 32); err == nil && name[0] == '/' && n >= 0 && n < int64(len(long)) {
				name, _, _ = strings.Cut(long[n:], "\n")
			}
			if len(name) > maxPath {
				return nil, fmt.Errorf("member at %#x: name of %d bytes", at, len(name))
			}
			a.add(&image.Node{
				Mode: uint32(field(40, 48, 8)) & 0o7777, UID: int(field(28, 34, 10)), GID: int(field(34, 40, 10)),
				MTime: field(16, 28, 10), Size: size, Data: in.Slice(data, size),
			}, strings.TrimSuffix(name, "/"))
			if name == "debian-binary" {
				a.Attributes["package"] = "deb"
			}
		}
		if next > in.Size() {
			return a.done(in.Size()), nil // its reader says that it is cut off
		}
		at = padded(next, 2)
	}
}
