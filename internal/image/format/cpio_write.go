package format

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

// cpioSpan is an entry where it lies.
type cpioSpan struct {
	cpioHeader
	name  string
	start int64
	end   int64
	node  *image.Node // nil for the end mark of an archive
}

// rebuildCpio writes an archive in the form newc or crc again: entries that stay are
// copied as the bytes they are, a changed one is written anew where it stood, new ones
// stand before the end mark of the last archive.
func rebuildCpio(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
	content, err := openCpio(in)
	if err != nil {
		return nil, err
	}
	if len(content.Gaps) > 0 {
		return nil, fmt.Errorf("damaged: %s: %w", content.Gaps[0].Why, image.ErrReadOnly)
	}
	x := &cpioWriter{w: w, in: in, edits: map[string]image.Edit{}, last: map[string]int{}, heir: map[uint64]int{}}
	if err := x.read(content.Nodes); err != nil {
		return nil, err
	}
	for _, e := range c.Edits {
		if e.Path == "" {
			return nil, fmt.Errorf("its header: %w", image.ErrReadOnly)
		}
		if _, there := x.last[e.Path]; e.Same && !there {
			return nil, fmt.Errorf("%q: is not there", e.Path)
		}
		x.edits[e.Path] = e
	}
	x.inherit()
	for i, s := range x.spans {
		if err := x.entry(i, s, c.Edits); err != nil {
			return nil, err
		}
	}
	if content.Size%512 == 0 {
		err = zeroFill(w, -x.at&511)
	}
	return nil, err
}

// cpioWriter writes an archive.
type cpioWriter struct {
	w      io.Writer
	in     *image.Input
	at     int64 // bytes that were written
	copied int64 // of the old archive: how far it is done with
	spans  []cpioSpan
	edits  map[string]image.Edit
	last   map[string]int // the entry that counts, by path
	heir   map[uint64]int // by a file with several names: the one that gets its content
	inode  int64          // the largest number
	before string         // what stands before names
}

// read finds where the entries lie, which belong to the nodes in their order.
func (x *cpioWriter) read(nodes []*image.Node) error {
	for at := int64(0); ; {
		h, name, err := readCpio(x.in.Blob, at)
		if err != nil {
			break
		}
		if h.head != 110 {
			return fmt.Errorf("the form %s: %w", h.form, image.ErrReadOnly)
		}
		s := cpioSpan{cpioHeader: h, name: name, start: at, end: min(padded(at+h.data()+h.size, 4), x.in.Size())}
		at = s.end
		if name == cpioTrailer {
			at = cpioNext(x.in.Blob, s.end)
		} else {
			if len(nodes) == 0 {
				return fmt.Errorf("more entries than files: %w", image.ErrReadOnly)
			}
			s.node, nodes = nodes[0], nodes[1:]
			x.last[s.node.Path] = len(x.spans)
			x.inode = max(x.inode, h.inode)
			switch {
			case strings.HasPrefix(name, "./"):
				x.before = "./"
			case strings.HasPrefix(name, "/"):
				x.before = "/"
			case name != ".":
				x.before = ""
			}
		}
		x.spans = append(x.spans, s)
	}
	if len(x.spans) == 0 || len(nodes) > 0 || x.spans[len(x.spans)-1].node != nil {
		return fmt.Errorf("an archive without its end mark: %w", image.ErrReadOnly)
	}
	return nil
}

// gone reports whether a path is taken away, by itself or with a directory above it.
func (x *cpioWriter) gone(of string) bool {
	for p := of; p != "/"; p = path.Dir(p) {
		if e, ok := x.edits[p]; ok && (e.Node == nil || p != of && e.Node.Kind != image.Dir) {
			return true
		}
	}
	return false
}

// inherit finds who gets the content of a file with several names, where the entry that
// has it changes or goes.
func (x *cpioWriter) inherit() {
	for i, s := range x.spans {
		if s.node == nil || s.node.Inode == 0 || s.size > 0 {
			continue
		}
		if _, edited := x.edits[s.node.Path]; !edited && !x.gone(s.node.Path) {
			x.heir[s.node.Inode] = i
		}
	}
	for _, s := range x.spans {
		if s.node == nil || s.node.Inode == 0 || s.size == 0 {
			continue
		}
		if _, edited := x.edits[s.node.Path]; !edited && !x.gone(s.node.Path) {
			delete(x.heir, s.node.Inode)
		}
	}
}

// entry writes what becomes of an entry.
func (x *cpioWriter) entry(i int, s cpioSpan, all []image.Edit) error {
	if err := x.verbatim(x.copied, s.start); err != nil { // between two archives
		return err
	}
	x.copied = s.end
	if s.node == nil {
		if i == len(x.spans)-1 {
			for _, e := range all {
				if _, there := x.last[e.Path]; there || e.Node == nil {
					continue
				}
				if err := x.fresh(s.cpioHeader, x.before+strings.TrimPrefix(e.Path, "/"), e.Node); err != nil {
					return err
				}
			}
		}
		return x.verbatim(s.start, s.end)
	}
	p := s.node.Path
	e, edited := x.edits[p]
	switch {
	case edited && (e.Node == nil || x.last[p] != i), !edited && x.gone(p):
		return nil
	case edited:
		n := *e.Node
		if e.Same {
			n.Data, n.Stream, n.Size, n.Target = s.node.Data, s.node.Stream, s.node.Size, s.node.Target
		}
		return x.fresh(s.cpioHeader, s.name, &n)
	case s.node.Inode != 0 && x.is(i, s.node.Inode):
		h := s.cpioHeader
		return x.put(h, s.name, s.node)
	}
	return x.verbatim(s.start, s.end)
}

func (x *cpioWriter) is(i int, inode uint64) bool {
	heir, ok := x.heir[inode]
	return ok && heir == i
}

func (x *cpioWriter) verbatim(start, end int64) error {
	n, err := x.in.Slice(start, end-start).WriteTo(x.w)
	x.at += n
	return err
}

// fresh writes an entry of a file that has no other name.
func (x *cpioWriter) fresh(h cpioHeader, name string, n *image.Node) error {
	x.inode++
	h.inode, h.links = x.inode, 1
	kind := [...]int64{0o100000, 0o040000, 0o120000, 0o020000, 0o060000, 0o010000, 0o140000}[n.Kind]
	h.mode, h.uid, h.gid, h.mtime, h.major, h.minor = kind|int64(n.Mode&0o7777), int64(n.UID), int64(n.GID), n.MTime, 0, 0
	if n.Kind == image.Dir {
		h.links = 2
	}
	if n.Kind == image.Char || n.Kind == image.Block {
		h.major, h.minor = int64(n.Major), int64(n.Minor)
	}
	if len(n.XAttrs) > 0 {
		return fmt.Errorf("%q: attributes have no place in an archive of cpio: %w", name, image.ErrReadOnly)
	}
	return x.put(h, name, n)
}

// put writes an entry.
func (x *cpioWriter) put(h cpioHeader, name string, n *image.Node) error {
	h.size = 0
	write := func(w io.Writer) error { return nil }
	switch n.Kind {
	case image.File:
		h.size = n.Size
		write = func(w io.Writer) error { return image.Copy(w, n) }
	case image.Symlink:
		h.size = int64(len(n.Target))
		write = func(w io.Writer) error { _, err := io.WriteString(w, n.Target); return err }
	default: // no content
	}
	if n.Unreadable != "" {
		return fmt.Errorf("%q: %s: %w", name, n.Unreadable, image.ErrReadOnly)
	}
	sum, magic := cpioSum(0), "070701"
	if h.form == "crc" {
		magic = "070702"
		if n.Kind == image.File {
			if err := write(&sum); err != nil {
				return fmt.Errorf("%q: %w", name, err)
			}
		}
	}
	h.name = int64(len(name)) + 1
	head := magic
	for _, v := range []int64{h.inode, h.mode, h.uid, h.gid, h.links, h.mtime, h.size, h.devMajor, h.devMinor, h.major, h.minor, h.name, int64(sum)} {
		if v < 0 || v >= 1<<32 {
			return fmt.Errorf("%q: the number %d in an archive of cpio: %w", name, v, image.ErrReadOnly)
		}
		head += fmt.Sprintf("%08X", v)
	}
	head += name + "\x00"
	head += string(make([]byte, -len(head)&3))
	if _, err := io.WriteString(x.w, head); err != nil {
		return err
	}
	if err := write(x.w); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	x.at += int64(len(head)) + padded(h.size, 4)
	return zeroFill(x.w, -h.size&3)
}

// cpioSum is the sum of all bytes.
type cpioSum uint32

func (s *cpioSum) Write(p []byte) (int, error) {
	for _, c := range p {
		*s += cpioSum(c)
	}
	return len(p), nil
}
