package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/image"
)

var cpio = &image.Format{
	Name:    "cpio",
	Title:   "cpio archive (newc, crc, odc)",
	Class:   "archive",
	Where:   "initial file systems of Linux, SWUpdate images, packages",
	Spec:    "Linux Documentation/driver-api/early-userspace/buffer-format.rst, POSIX.1-1997 pax",
	Limits:  "checksums of the crc form are not compared. Not written: the form odc, and archives without their end mark",
	Magic:   []image.Magic{{Offset: 0, Bytes: "070701"}, {Offset: 0, Bytes: "070702"}, {Offset: 0, Bytes: "070707"}},
	Open:    openCpio,
	Rebuild: rebuildCpio,
}

var cpioOld = &image.Format{
	Name:  "cpio-old",
	Title: "cpio archive with binary headers",
	Class: "archive",
	Where: "updates of old devices",
	Spec:  "GNU cpio 2.15, its source, old_cpio_header",
	Magic: []image.Magic{{Offset: 0, Bytes: "\xc7\x71"}, {Offset: 0, Bytes: "\x71\xc7"}},
	Weak:  true,
	Open:  openCpio,
}

// cpioHeader is an entry's header in any of the forms.
type cpioHeader struct {
	inode, mode, uid, gid, links, mtime, size, name int64
	major, minor, devMajor, devMinor                int64
	head, pad                                       int64 // size of the header itself; what name and data are padded to
	form                                            string
}

func (h *cpioHeader) data() int64 { return padded(h.head+h.name, h.pad) }

const cpioTrailer = "TRAILER!!!"

// readCpio reads the header at an offset. It refuses what no program writes.
func readCpio(b *image.Blob, at int64) (h cpioHeader, name string, err error) {
	p, err := b.View(at, max(0, min(110, b.Size()-at)))
	if err != nil || len(p) < 26 {
		return h, "", image.ErrNot
	}
	switch {
	case bytes.HasPrefix(p, []byte("07070")) && len(p) >= 76:
		if p[5] == '7' {
			h, err = cpioOctal(p)
		} else if (p[5] == '1' || p[5] == '2') && len(p) >= 110 {
			h, err = cpioHex(p)
		} else {
			err = image.ErrNot
		}
	case binary.LittleEndian.Uint16(p) == 0o70707:
		h = cpioBinary(p, binary.LittleEndian)
	case binary.BigEndian.Uint16(p) == 0o70707:
		h = cpioBinary(p, binary.BigEndian)
	default:
		err = image.ErrNot
	}
	if err != nil {
		return h, "", err
	}
	if h.name < 2 || h.name > maxPath {
		return h, "", fmt.Errorf("name of %d bytes: %w", h.name, image.ErrNot)
	}
	n, err := b.View(at+h.head, h.name)
	if err != nil || n[h.name-1] != 0 || bytes.IndexByte(n, 0) == 0 {
		return h, "", fmt.Errorf("name is cut off: %w", image.ErrNot)
	}
	name = cstring(n)
	if _, ok := modeKind(uint32(h.mode)); !ok && name != cpioTrailer {
		return h, "", fmt.Errorf("mode %o: %w", h.mode, image.ErrNot)
	}
	return h, name, nil
}

func cpioHex(p []byte) (h cpioHeader, err error) {
	h = cpioHeader{head: 110, pad: 4, form: "newc"}
	if p[5] == '2' {
		h.form = "crc"
	}
	fields := []*int64{&h.inode, &h.mode, &h.uid, &h.gid, &h.links, &h.mtime, &h.size, &h.devMajor, &h.devMinor, &h.major, &h.minor, &h.name}
	for i, f := range fields {
		n, err := strconv.ParseUint(string(p[6+8*i:14+8*i]), 16, 32)
		if err != nil {
			return h, fmt.Errorf("header: %w", image.ErrNot)
		}
		*f = int64(n)
	}
	return h, nil
}

func cpioOctal(p []byte) (h cpioHeader, err error) {
	h = cpioHeader{head: 76, pad: 1, form: "odc"}
	var rdev int64
	at := 6
	for _, f := range []struct {
		to *int64
		n  int
	}{{&h.devMinor, 6}, {&h.inode, 6}, {&h.mode, 6}, {&h.uid, 6}, {&h.gid, 6}, {&h.links, 6}, {&rdev, 6}, {&h.mtime, 11}, {&h.name, 6}, {&h.size, 11}} {
		n, err := strconv.ParseUint(string(p[at:at+f.n]), 8, 36)
		if err != nil {
			return h, fmt.Errorf("header: %w", image.ErrNot)
		}
		*f.to = int64(n)
		at += f.n
	}
	h.major, h.minor = rdev>>8, rdev&0xff
	return h, nil
}

func cpioBinary(p []byte, order binary.ByteOrder) cpioHeader {
	half := func(i int) int64 { return int64(order.Uint16(p[2*i:])) }
	h := cpioHeader{head: 26, pad: 2, form: "binary"}
	h.devMinor, h.inode, h.mode, h.uid, h.gid, h.links = half(1), half(2), half(3), half(4), half(5), half(6)
	h.major, h.minor = half(7)>>8, half(7)&0xff
	// The two halves of a long number stand with the higher one first in either order.
	h.mtime, h.name, h.size = half(8)<<16|half(9), half(10), half(11)<<16|half(12)
	return h
}

// cpioLink tells files with several names apart.
type cpioLink struct{ major, minor, inode int64 }

// openCpio reads an archive, and those that follow it with nothing but zeros between
// them: the kernel unpacks them all, later files over earlier ones.
func openCpio(in *image.Input) (*image.Content, error) {
	a := newArchive()
	first, _, err := readCpio(in.Blob, 0)
	if err != nil {
		return nil, err
	}
	a.Attributes["form"] = first.form
	links := map[cpioLink][]*image.Node{}
	at, end, open := int64(0), int64(0), false
	archives := 0
	for {
		h, name, err := readCpio(in.Blob, at)
		if err != nil {
			if !open {
				break
			}
			next := resync(in.Blob, at+4-at%4, 4, func(at int64) bool {
				_, _, err := readCpio(in.Blob, at)
				return err == nil
			})
			if next < 0 || first.pad == 2 {
				a.gap(at, 0, fmt.Sprintf("the archive ends at %#x without its end mark: files may be missing", at))
				end = at
				break
			}
			a.gap(at, next-at, fmt.Sprintf("header at %#x is damaged", at))
			at = next
			continue
		}
		data := at + h.data()
		// An offset counts from the start of its own archive, which lies at a multiple of
		// what it is padded to.
		next := min(padded(data+h.size, h.pad), in.Size())
		if name == cpioTrailer {
			archives++
			open = false
			a.joinLinks(links)
			clear(links)
			end = next
			at = cpioNext(in.Blob, end)
			continue
		}
		open = true
		a.cpioEntry(in, h, name, data, links)
		at, end = next, next
	}
	a.joinLinks(links)
	if archives > 1 {
		a.Attributes["archives"] = strconv.Itoa(archives)
	}
	if end == first.data() && len(a.Nodes) == 0 && archives == 0 {
		return nil, image.ErrNot
	}
	// Archives are written in records of 512 bytes.
	if p := padded(end, 512); archives > 0 && allZero(in.Blob, end, p) {
		end = p
	}
	return a.done(end), nil
}

// cpioNext skips zeros behind an archive, a little more than a page of them.
func cpioNext(b *image.Blob, at int64) int64 {
	start := at
	for at+4 <= b.Size() && at < start+64<<10 && allZero(b, at, at+4) {
		at += 4
	}
	return at
}

// cpioEntry adds an entry.
func (a *archive) cpioEntry(in *image.Input, h cpioHeader, name string, data int64, links map[cpioLink][]*image.Node) {
	kind, _ := modeKind(uint32(h.mode))
	n := &image.Node{
		Kind: kind, Mode: uint32(h.mode) & 0o7777, UID: int(h.uid), GID: int(h.gid), MTime: h.mtime,
		Major: uint32(h.major), Minor: uint32(h.minor),
	}
	switch kind {
	case image.File:
		n.Major, n.Minor = 0, 0
		n.Size, n.Data = h.size, in.Slice(data, h.size)
		if h.links > 1 {
			k := cpioLink{h.devMajor, h.devMinor, h.inode}
			links[k] = append(links[k], n)
		}
	case image.Symlink:
		p, err := in.View(data, min(h.size, maxPath))
		if err != nil {
			n.Unreadable = "the target is cut off"
		}
		n.Target, n.Size = cstring(p), int64(len(cstring(p)))
	default: // directories, devices, pipes and sockets have no content
	}
	a.add(n, name)
}

// joinLinks gives the names of a file that came without content the content that came
// with one of the others, usually the last.
func (a *archive) joinLinks(links map[cpioLink][]*image.Node) {
	for _, nodes := range links {
		var with *image.Node
		for _, n := range nodes {
			if n.Size > 0 {
				with = n
			}
		}
		if with == nil || len(nodes) < 2 {
			continue
		}
		a.inodes++
		with.Inode = a.inodes
		for _, n := range nodes {
			if n.Size == 0 {
				n.Size, n.Data, n.Inode = with.Size, with.Data, with.Inode
			}
		}
	}
}
