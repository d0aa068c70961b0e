package format

import (
	"errors"
	"fmt"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var romfs = &image.Format{
	Name:  "romfs",
	Title: "ROM file system",
	Class: "filesystem",
	Where: "µClinux devices and small boot loaders",
	Spec:  "Linux Documentation/filesystems/romfs.rst. Attributes: name, checksum (right, wrong)",
	Limits: "the format keeps no owner, no time and of the mode only whether a file may be executed: files read as 0644 or 0755 " +
		"of root, as Linux shows them",
	Magic: []image.Magic{{Offset: 0, Bytes: "-rom1fs-"}},
	Open:  openRomfs,
}

// romFS is a romfs that is being read.
type romFS struct {
	in      *image.Input
	content *image.Content
	files   map[int64]*image.Node // by the offset of their header
	linked  map[int64]bool        // headers that a hard link leads to
	dirs    map[int64]bool        // headers that were read
	spare   int64                 // bytes that links may still have
}

func openRomfs(in *image.Input) (*image.Content, error) {
	h, err := in.View(0, 32)
	if err != nil || string(h[:8]) != "-rom1fs-" {
		return nil, image.ErrNot
	}
	size := int64(be32(h[8:]))
	if size < 64 {
		return nil, fmt.Errorf("size %d: %w", size, image.ErrNot)
	}
	r := &romFS{in: in, files: map[int64]*image.Node{}, linked: map[int64]bool{}, dirs: map[int64]bool{}, spare: in.Size()}
	r.content = &image.Content{Size: min(size, in.Size()), Attributes: map[string]string{"checksum": "right"}}
	if size > in.Size() {
		r.gap("", in.Size(), size-in.Size(), fmt.Errorf("cut off: the header says %d bytes, there are %d", size, in.Size()))
	} else if pad := padded(size, 1024); pad <= in.Size() && allZero(in.Blob, size, pad) { // as genromfs fills it up
		r.content.Size = pad
	}
	r.in = &image.Input{Blob: in.Slice(0, size), Budget: in.Budget} // nothing of it lies behind its end
	if p, err := in.View(0, min(512, size, in.Size())); err != nil || sum32(p) != 0 {
		r.content.Attributes["checksum"] = "wrong"
		r.gap("", 0, min(512, size), errors.New("superblock: wrong checksum"))
	}
	name, at, err := r.name(16)
	if err != nil {
		return nil, fmt.Errorf("name of the volume: %w", err)
	}
	if name != "" {
		r.content.Attributes["name"] = name
	}
	r.content.Nodes = []*image.Node{{Path: "/", Kind: image.Dir, Mode: 0o755}}
	r.list("/", at)
	return r.content, nil
}

// sum32 adds up big-endian words.
func sum32(p []byte) (sum uint32) {
	for ; len(p) >= 4; p = p[4:] {
		sum += be32(p)
	}
	return sum
}

func (r *romFS) gap(path string, at, size int64, err error) {
	if len(r.content.Gaps) < maxEntryGaps {
		r.content.Gaps = append(r.content.Gaps, fact.Gap{Place: fact.Place{Path: path, Offset: at}, Size: size, Reason: "damaged", Why: err.Error()})
	}
}

// name reads a name, and returns where what is behind its padding begins.
func (r *romFS) name(at int64) (string, int64, error) {
	p, err := r.in.View(at, max(0, min(512, r.in.Size()-at))) // Linux takes 128
	if err != nil {
		return "", 0, err
	}
	s := cstring(p)
	if len(s) == len(p) {
		return "", 0, errors.New("name without an end")
	}
	return s, padded(at+int64(len(s))+1, 16), nil
}

// list adds the files of a directory whose first header lies at an offset.
func (r *romFS) list(path string, at int64) {
	for at != 0 {
		if r.dirs[at] {
			r.gap(path, at, 0, errors.New("directory leads into itself"))
			return
		}
		r.dirs[at] = true
		h, err := r.in.View(at, 16)
		if err != nil {
			r.gap(path, at, 0, err)
			return
		}
		next, here := int64(be32(h)&^15), at
		name, data, err := r.name(at + 16)
		at = next
		child, bad := join(path, name)
		if name == "." || name == ".." { // hard links to directories
			continue
		}
		if err == nil {
			err = bad
		}
		if err != nil {
			r.gap(path, here, 0, err)
			continue
		}
		if int64(len(r.content.Nodes)) >= r.in.Budget.Limits().Files {
			r.content.Gaps = append(r.content.Gaps, fact.Gap{Place: fact.Place{Path: path}, Reason: "limit", Why: fmt.Sprintf("more than %d files", len(r.content.Nodes))})
			return
		}
		r.file(child, here, data, h)
	}
}

// file adds the file with the header h, whose content lies at data.
func (r *romFS) file(path string, at, data int64, h []byte) {
	n := &image.Node{Path: path, Mode: 0o644}
	if h[3]&8 != 0 {
		n.Mode = 0o755
	}
	info, size := int64(be32(h[4:])), int64(be32(h[8:]))
	if p, err := r.in.View(at, data-at); err != nil || sum32(p) != 0 {
		r.gap(path, at, data-at, errors.New("header: wrong checksum"))
	}
	switch h[3] & 7 {
	case 0: // a hard link: to what was read already, or will be
		r.link(n, info)
		return
	case 1:
		n.Kind = image.Dir
	case 2:
		if n.Size = size; size > 0 {
			n.Data = r.in.Slice(data, size)
		}
		if r.linked[at] {
			n.Inode = uint64(at)
		}
	case 3:
		n.Kind, n.Mode = image.Symlink, 0o777
		p, err := r.in.View(data, min(size, maxPath))
		if r.spare -= int64(len(p)); err != nil || r.spare < 0 {
			r.gap(path, data, size, errors.New("target is cut off"))
			p = nil
		}
		n.Target, n.Size = string(p), int64(len(p))
	case 4:
		n.Kind, n.Major, n.Minor = image.Block, uint32(info>>16), uint32(info&0xffff)
	case 5:
		n.Kind, n.Major, n.Minor = image.Char, uint32(info>>16), uint32(info&0xffff)
	case 6:
		n.Kind = image.Socket
	case 7:
		n.Kind = image.Fifo
	}
	r.files[at] = n
	r.content.Nodes = append(r.content.Nodes, n)
	if n.Kind == image.Dir {
		r.list(path, info&^15)
	}
}

// link adds a hard link to the file whose header lies at an offset.
func (r *romFS) link(n *image.Node, to int64) {
	t := r.files[to]
	if t == nil { // not yet: its header is read where it stands
		h, err := r.in.View(to, 16)
		if err == nil && h[3]&7 == 2 {
			if _, data, bad := r.name(to + 16); bad == nil {
				t = &image.Node{Mode: n.Mode, Size: int64(be32(h[8:])), Inode: uint64(to)}
				if t.Size > 0 {
					t.Data = r.in.Slice(data, t.Size)
				}
			}
		}
	}
	if t == nil || t.Kind == image.Dir {
		r.gap(n.Path, to, 0, fmt.Errorf("hard link to the header at %#x, which is no file", to))
		return
	}
	t.Inode, r.linked[to] = uint64(to), true
	path := n.Path
	*n = *t
	n.Path = path
	r.content.Nodes = append(r.content.Nodes, n)
}
