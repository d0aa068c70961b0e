package format

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

// edits makes the changes that are asked for: what goes first, so that its room is free.
func (e *extWriter) edits(list []image.Edit) error {
	for _, gone := range []bool{true, false} {
		for _, x := range list {
			if (x.Node == nil) != gone {
				continue
			}
			if err := e.one(x, list); err != nil {
				return fmt.Errorf("%q: %w", x.Path, err)
			}
		}
	}
	return nil
}

func (e *extWriter) one(x image.Edit, list []image.Edit) error {
	if x.Path == "" {
		return fmt.Errorf("its header: %w", image.ErrReadOnly)
	}
	if x.Path == "/" {
		if x.Node == nil || x.Node.Kind != image.Dir {
			return fmt.Errorf("the root directory stays one: %w", image.ErrReadOnly)
		}
		return e.describe(extRootInode, x.Node)
	}
	dir, err := e.lookup(path.Dir(x.Path))
	if err != nil {
		return err
	}
	if dir == 0 {
		if x.Node == nil {
			return nil
		}
		return fmt.Errorf("its directory is not there")
	}
	name := path.Base(x.Path)
	was, err := e.find(dir, name)
	if err != nil {
		return err
	}
	if was.ino == 0 {
		switch {
		case x.Node == nil:
			return nil
		case x.Same:
			return fmt.Errorf("is not there")
		}
		return e.create(dir, name, x.Node)
	}
	if x.Node == nil {
		return e.remove(dir, was, 0)
	}
	in, err := e.inodeAt(was.ino)
	if err != nil {
		return err
	}
	same := extKind(x.Node.Kind) == in.mode()&extFormat
	switch {
	case !same && x.Same:
		return fmt.Errorf("is no %s", x.Node.Kind)
	case !same || x.Node.Kind == image.Symlink && !x.Same, x.Node.Kind != image.File && x.Node.Kind != image.Dir && !x.Same:
		if err := e.remove(dir, was, 0); err != nil {
			return err
		}
		return e.create(dir, name, x.Node)
	case x.Node.Kind == image.File && in.links() > 1 && !e.together(was.ino, int(in.links()), x, list):
		return e.split(dir, was, in, x)
	case x.Node.Kind == image.File && !x.Same:
		if err := e.content(was.ino, x.Node); err != nil {
			return err
		}
	}
	return e.describe(was.ino, x.Node)
}

// together reports whether an edit is asked for all names of a file alike.
func (e *extWriter) together(ino uint32, links int, x image.Edit, list []image.Edit) bool {
	n := 0
	for _, y := range list {
		if y.Node == nil || y.Same != x.Same || y.Node.Kind != x.Node.Kind {
			continue
		}
		other, err := e.lookup(y.Path)
		if err != nil || other != ino {
			continue
		}
		a, b := x.Node, y.Node
		alike := a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID && maps.Equal(a.XAttrs, b.XAttrs)
		if alike && (x.Same || a.Size == b.Size && a.Data != nil && a.Data == b.Data) {
			n++
		}
	}
	return n == links
}

// split gives one name of a file with several a file of its own: the others keep what
// they have.
func (e *extWriter) split(dir uint32, was extEntry, in extInode, x image.Edit) error {
	n := *x.Node
	if x.Same {
		if in.flags()&(extFlagEncrypt|extFlagVerity|extFlagCompressed) != 0 {
			return fmt.Errorf("a file that cannot be copied: encrypted, compressed or sealed (verity): %w", image.ErrReadOnly)
		}
		old, err := e.node(x.Path, was.ino, in)
		if err != nil {
			return extDamaged("%w", err)
		}
		if old.Unreadable != "" {
			return extDamaged("%s", old.Unreadable)
		}
		n.Data, n.Stream, n.Size = old.Data, nil, old.Size
	}
	if err := e.remove(dir, was, 0); err != nil {
		return err
	}
	return e.create(dir, was.name, &n)
}

// content replaces what a file says.
func (e *extWriter) content(ino uint32, n *image.Node) error {
	in, err := e.inodeAt(ino)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		flag uint32
		why  string
	}{
		{extFlagInline, "a file that lies in its inode (inline_data)"},
		{extFlagEncrypt, "an encrypted file (fscrypt)"},
		{extFlagVerity, "a sealed file (verity)"},
		{extFlagCompressed, "a compressed file (e2compr)"},
	} {
		if in.flags()&f.flag != 0 {
			return fmt.Errorf("%s: %w", f.why, image.ErrReadOnly)
		}
	}
	if n.Unreadable != "" {
		return fmt.Errorf("%s: %w", n.Unreadable, image.ErrReadOnly)
	}
	return e.setContent(ino, func(s *extSink) error { return image.Copy(s, n) }, n.Size)
}

// remove takes a name away and, where it was the last one, what it names with all that
// lies below.
func (e *extWriter) remove(dir uint32, x extEntry, depth int) error {
	in, err := e.inodeAt(x.ino)
	if err != nil {
		return err
	}
	isDir := in.mode()&extFormat == extDir
	if isDir {
		if err := e.empty(x.ino, depth); err != nil {
			return err
		}
	}
	if x, err = e.find(dir, x.name); err != nil {
		return err
	}
	if err := e.removeName(dir, x); err != nil {
		return err
	}
	if isDir {
		if err := e.addLinks(dir, -1); err != nil {
			return err
		}
	} else if in.links() > 1 {
		return e.addLinks(x.ino, -1)
	}
	if in.flags()&extFlagEncrypt != 0 && isDir {
		return fmt.Errorf("an encrypted directory (fscrypt): %w", image.ErrReadOnly)
	}
	m, err := e.mapOf(in)
	if err != nil {
		return err
	}
	if err := (&extPool{e: e, old: m.all()}).release(); err != nil {
		return err
	}
	if err := e.dropAttrs(in); err != nil {
		return err
	}
	return e.freeInode(x.ino, isDir)
}

// empty removes all that a directory lists.
func (e *extWriter) empty(dir uint32, depth int) error {
	if depth > 1000 {
		return extDamaged("directories are nested more than %d deep", depth)
	}
	var kids []extEntry
	err := e.entriesOf(dir, func(k extEntry) bool {
		if k.ino != 0 && k.name != "." && k.name != ".." {
			kids = append(kids, k)
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, k := range kids {
		if err := e.remove(dir, k, depth+1); err != nil {
			return fmt.Errorf("%q: %w", k.name, err)
		}
	}
	return nil
}

// addLinks changes how often an inode is named. A directory that says 1 does not count.
func (e *extWriter) addLinks(ino uint32, delta int) error {
	in, err := e.editInode(ino)
	if err != nil {
		return err
	}
	n := int(in.links()) + delta
	isDir := in.mode()&extFormat == extDir
	switch {
	case isDir && in.links() == 1:
		return nil
	case isDir && n >= extDirMost:
		if e.ro&extDirNLink == 0 {
			return fmt.Errorf("a directory with %d directories: %w", n, image.ErrReadOnly)
		}
		n = 1
	case n < 1:
		return extDamaged("inode %d has %d links", ino, in.links())
	}
	put16(in[26:], uint16(n))
	return nil
}

func extKind(k image.Kind) uint32 {
	return [...]uint32{0x8000, extDir, 0xa000, 0x2000, 0x6000, 0x1000, 0xc000}[k]
}

// create makes a new entry.
func (e *extWriter) create(dir uint32, name string, n *image.Node) error {
	parent, err := e.inodeAt(dir)
	if err != nil {
		return err
	}
	if parent.mode()&extFormat != extDir {
		return fmt.Errorf("its directory is none")
	}
	if err := e.editable(parent); err != nil {
		return err
	}
	ino, err := e.allocateInode(dir, n.Kind == image.Dir)
	if err != nil {
		return err
	}
	in, err := e.editInode(ino)
	if err != nil {
		return err
	}
	put16(in, uint16(extKind(n.Kind)|n.Mode&0o7777))
	put16(in[26:], 1)
	if len(in) > 128 {
		extra := int(le16(e.sb[0x15e:]))
		if extra < 4 || extra > len(in)-128 || extra&3 != 0 {
			extra = min(32, len(in)-128)
		}
		put16(in[128:], uint16(extra))
	}
	for _, at := range []int{8, 12, 16, 144} { // access, change, modification, creation
		if at+4 <= 128 || at+8 <= 128+in.extra() {
			e.setTime(in, at, n.MTime)
		}
	}
	deep := n.Kind == image.File || n.Kind == image.Dir || n.Kind == image.Symlink && len(n.Target) >= 60
	if deep && e.incompat&extExtents != 0 {
		put32(in[32:], extFlagExtents)
		putExtentNode(in.map60(), nil, 4, 0)
	}
	switch n.Kind {
	case image.File:
		err = e.content(ino, n)
	case image.Dir:
		err = cmp.Or(e.newDir(dir, ino, in), e.addLinks(dir, 1))
	case image.Symlink:
		err = e.target(ino, in, n.Target)
	case image.Char, image.Block:
		if n.Major < 256 && n.Minor < 256 {
			put32(in[40:], n.Major<<8|n.Minor)
		} else {
			put32(in[44:], n.Minor&0xff|n.Major<<8|n.Minor&^0xff<<12)
		}
	case image.Fifo, image.Socket:
	}
	if err != nil {
		return err
	}
	if err := e.describe(ino, n); err != nil {
		return err
	}
	return e.addName(dir, name, ino, [...]byte{1, 2, 7, 3, 4, 5, 6}[n.Kind])
}

func (e *extWriter) newDir(parent, ino uint32, in extInode) error {
	b, err := e.allocate(e.groupStart(ino))
	if err != nil {
		return err
	}
	if err := e.put(b, nil); err != nil {
		return err
	}
	p, err := e.edit(b)
	if err != nil {
		return err
	}
	e.putEntry(p[:12], ino, ".", 2)
	e.putEntry(p[12:e.dirEnd()], parent, "..", 2)
	e.sumDir(ino, in, p)
	put16(in[26:], 2)
	put32(in[4:], uint32(e.block))
	return e.setMap(ino, in, []extRun{{block: b, n: 1}}, &extPool{e: e, last: b})
}

// target writes where a symbolic link leads: into the inode where it has room.
func (e *extWriter) target(ino uint32, in extInode, to string) error {
	switch {
	case to == "" || strings.Contains(to, "\x00") || int64(len(to)) >= e.block:
		return fmt.Errorf("a target of %d bytes: %w", len(to), image.ErrReadOnly)
	case len(to) < 60:
		copy(in.map60(), to)
		put32(in[4:], uint32(len(to)))
		return nil
	}
	return e.setContent(ino, func(s *extSink) error {
		_, err := io.WriteString(s, to)
		return err
	}, int64(len(to)))
}

// setTime sets one of the times of an inode. Those of 64 bits have two of them elsewhere.
func (e *extWriter) setTime(in extInode, at int, t int64) {
	put32(in[at:], uint32(t))
	high, ok := map[int]int{8: 140, 12: 132, 16: 136, 144: 148}[at]
	if ok && high+4 <= 128+in.extra() {
		put32(in[high:], uint32((t-int64(int32(t)))>>32)&3)
	}
}

// describe sets what an inode says beside its content.
func (e *extWriter) describe(ino uint32, n *image.Node) error {
	in, err := e.editInode(ino)
	if err != nil {
		return err
	}
	put16(in, uint16(in.mode()&extFormat|n.Mode&0o7777))
	put16(in[2:], uint16(n.UID))
	put16(in[120:], uint16(n.UID>>16))
	put16(in[24:], uint16(n.GID))
	put16(in[122:], uint16(n.GID>>16))
	if in.mtime() != n.MTime {
		e.setTime(in, 16, n.MTime)
	}
	have, _, err := e.xattrs(in)
	if err != nil {
		return extDamaged("%w", err)
	}
	if maps.Equal(have, n.XAttrs) {
		return nil
	}
	return e.setAttrs(ino, in, n.XAttrs)
}

// dropAttrs gives back the block of attributes of an inode, unless others share it.
func (e *extWriter) dropAttrs(in extInode) error {
	b := in.attrs()
	if b == 0 {
		return nil
	}
	p, err := e.edit(b)
	if err != nil {
		return err
	}
	if n := le32(p[4:]); n > 1 {
		put32(p[4:], n-1)
		e.sumAttrs(b, p)
		return nil
	}
	return e.free(b)
}

func (e *extWriter) sumAttrs(b int64, p []byte) {
	if e.ro&extMetadataCsum == 0 {
		return
	}
	put32(p[16:], 0)
	put32(p[16:], extCRC(extCRC32(extCRC32(e.seed, uint32(b)), uint32(b>>32)), p))
}

// extAttr is an attribute as it is written.
type extAttr struct {
	index byte
	name  string
	value string
}

// size is how many bytes the entry and the value take.
func (a extAttr) size() int { return (16+len(a.name)+3)&^3 + (len(a.value)+3)&^3 }

// hash is what the entry says of name and value.
func (a extAttr) hash() (h uint32) {
	for i := range len(a.name) {
		h = h<<5 ^ h>>27 ^ uint32(a.name[i])
	}
	for v := a.value + strings.Repeat("\x00", -len(a.value)&3); v != ""; v = v[4:] {
		h = h<<16 ^ h>>16 ^ le32([]byte(v[:4]))
	}
	return h
}

// setAttrs gives an inode other attributes: in the inode where they have room, else in a
// block.
func (e *extWriter) setAttrs(ino uint32, in extInode, attrs map[string]string) error {
	if in.flags()&extFlagInline != 0 {
		return fmt.Errorf("attributes of a file that lies in its inode (inline_data): %w", image.ErrReadOnly)
	}
	var list []extAttr
	total := 4
	for name, value := range attrs {
		a := extAttr{value: value}
		best := -1
		for index, prefix := range extPrefixes {
			if strings.HasPrefix(name, prefix) && len(prefix) > best && (strings.HasSuffix(prefix, ".") || name == prefix) {
				a.index, a.name, best = index, name[len(prefix):], len(prefix)
			}
		}
		if best < 0 || len(a.name) > 255 {
			return fmt.Errorf("the attribute %q: %w", name, image.ErrReadOnly)
		}
		list = append(list, a)
		total += a.size()
	}
	slices.SortFunc(list, func(a, b extAttr) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	if in.attrs() != 0 {
		if err := e.dropAttrs(in); err != nil {
			return err
		}
		put32(in[104:], 0)
		put16(in[118:], 0)
		e.countAttrs(in, -1)
	}
	var body []byte
	if in.extra() >= 4 {
		body = in[128+in.extra():]
		clear(body)
	}
	switch {
	case len(list) == 0:
		return nil
	case total+4 <= len(body):
		put32(body, extAttrMagic)
		putAttrs(body[4:], 0, list, false)
		return nil
	case int64(32+total) > e.block:
		return fmt.Errorf("attributes of %d bytes: %w", total, image.ErrReadOnly)
	}
	b, err := e.allocate(e.groupStart(ino))
	if err != nil {
		return err
	}
	if err := e.put(b, nil); err != nil {
		return err
	}
	p, err := e.edit(b)
	if err != nil {
		return err
	}
	put32(p, extAttrMagic)
	put32(p[4:], 1)
	put32(p[8:], 1)
	putAttrs(p, 32, list, true)
	e.sumAttrs(b, p)
	put32(in[104:], uint32(b))
	put16(in[118:], uint16(b>>32))
	e.countAttrs(in, 1)
	return nil
}

// countAttrs counts a block of attributes among the blocks of an inode.
func (e *extWriter) countAttrs(in extInode, delta int64) {
	n := int64(le32(in[28:])) | int64(le16(in[116:]))<<32
	if in.flags()&0x40000 == 0 {
		n /= e.block / 512
	}
	e.setBlocks(in, max(0, n+delta))
}

// putAttrs writes entries from at on, and their values from the end of p.
func putAttrs(p []byte, at int, list []extAttr, hashed bool) {
	end := len(p)
	for _, a := range list {
		q := p[at:]
		q[0], q[1] = byte(len(a.name)), a.index
		if a.value != "" {
			end -= (len(a.value) + 3) &^ 3
			put16(q[2:], uint16(end))
			put32(q[8:], uint32(len(a.value)))
			copy(p[end:], a.value)
		}
		if hashed {
			put32(q[12:], a.hash())
		}
		copy(q[16:], a.name)
		at += (16 + len(a.name) + 3) &^ 3
	}
}
