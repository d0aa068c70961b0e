package format

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format/internal/lzma"
)

// node makes the node of an inode.
func (j *jffs2FS) node(number uint64) (*image.Node, error) {
	f := j.files[uint32(number)]
	if f == nil {
		if number == 1 { // the root need not have one
			return &image.Node{Kind: image.Dir, Mode: 0o755}, nil
		}
		return nil, errors.New("no node of it")
	}
	p, err := j.in.View(f.latest, 68)
	if err != nil {
		return nil, err
	}
	mode := j.order.Uint32(p[20:])
	kind, ok := modeKind(mode)
	if !ok {
		return nil, fmt.Errorf("mode %#o", mode)
	}
	n := &image.Node{
		Kind: kind, Mode: mode & 0o7777, UID: int(j.order.Uint16(p[24:])), GID: int(j.order.Uint16(p[26:])), MTime: int64(j.order.Uint32(p[36:])),
	}
	if j.links[number] > 1 && kind != image.Dir {
		n.Inode = number
	}
	size := int64(j.order.Uint32(p[28:]))
	c := &jffs2Content{j: j, size: size, pieces: f.pieces}
	switch kind {
	case image.File:
		n.Size, n.Order = size, f.latest
		if err := j.in.Budget.Size(size); err != nil {
			n.Unreadable = err.Error()
		} else if size > 0 {
			n.Stream, n.Extent = c.write, c.extent
			if len(f.pieces) > 0 {
				n.Order = f.pieces[0].at
			}
		}
	case image.Symlink, image.Char, image.Block:
		err = j.inline(n, c)
	default: // the others have no content
	}
	if err != nil {
		return n, err
	}
	return n, j.attributes(n, uint32(number))
}

// inline reads what a link or a device keeps as its content.
func (j *jffs2FS) inline(n *image.Node, c *jffs2Content) error {
	if n.Kind != image.Symlink { // their size is not always given
		c.size = 0
		for _, p := range c.pieces {
			c.size = max(c.size, int64(p.size))
		}
	}
	if j.spare -= c.size; c.size > 4096 || j.spare < 0 {
		return fmt.Errorf("%s of %d bytes", n.Kind, c.size)
	}
	var b bytes.Buffer
	if err := c.write(&b); err != nil {
		return err
	}
	if n.Kind == image.Symlink {
		n.Target, n.Size = b.String(), c.size
		return nil
	}
	switch p := b.Bytes(); {
	case len(p) >= 4:
		dev := j.order.Uint32(p)
		n.Major, n.Minor = dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
	case len(p) >= 2:
		dev := uint32(j.order.Uint16(p))
		n.Major, n.Minor = dev>>8, dev&0xff
	}
	return nil
}

var jffs2Prefixes = map[byte]string{1: "user.", 2: "security.", 3: "system.posix_acl_access", 4: "system.posix_acl_default", 5: "trusted."}

// attributes reads the extended attributes. A reference with an odd number takes one away.
func (j *jffs2FS) attributes(n *image.Node, number uint32) error {
	for _, id := range j.owned[number] {
		x, ok := j.xattrs[id]
		if j.xrefs[[2]uint32{number, id}]&1 != 0 || x.version == 0xffffffff {
			continue
		}
		if !ok {
			return fmt.Errorf("extended attribute %d is missing", id)
		}
		p, err := j.in.View(x.at, 32+int64(x.size))
		if err != nil || jffs2Sum(p[32:]) != x.sum {
			return fmt.Errorf("extended attribute %d: wrong checksum", id)
		}
		if j.spare -= int64(x.size); j.spare < 0 {
			return errors.New("extended attributes: all together are longer than the image")
		}
		if n.XAttrs == nil {
			n.XAttrs = map[string]string{}
		}
		prefix, ok := jffs2Prefixes[p[20]]
		if !ok {
			prefix = strconv.Itoa(int(p[20])) + "."
		}
		n.XAttrs[prefix+string(p[32:32+int(p[21])])] = string(p[33+int(p[21]):])
	}
	return nil
}

// jffs2Content is the content of a file: pieces that may lie over each other, of which
// the newest counts.
type jffs2Content struct {
	j      *jffs2FS
	size   int64
	pieces []jffs2Piece
}

// jffs2Span is a stretch of a content that comes from one piece.
type jffs2Span struct {
	from, to int64
	piece    *jffs2Piece
}

// spans returns what of which piece is seen, in order, and the first damaged piece that
// is passed over.
func (c *jffs2Content) spans() (spans []jffs2Span, damage error) {
	sorted := make([]jffs2Piece, 0, len(c.pieces))
	for _, p := range c.pieces {
		if int64(p.offset) >= c.size {
			continue
		}
		data, err := c.j.in.View(p.at+68, int64(p.packed))
		if err == nil && jffs2Sum(data) != p.sum {
			err = errors.New("wrong checksum")
		}
		if err != nil {
			damage = cmp.Or(damage, fmt.Errorf("node at %#x: %w: what is older, or nothing, stands in its place", p.at, err))
			continue
		}
		sorted = append(sorted, p)
	}
	slices.SortStableFunc(sorted, func(a, b jffs2Piece) int { return cmp.Compare(b.version, a.version) })
	bounds := make([]int64, 0, 2*len(sorted))
	for _, p := range sorted {
		bounds = append(bounds, int64(p.offset), min(int64(p.offset)+int64(p.size), c.size))
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	// The newest paints first; next leads to the next stretch without paint.
	owner, next := make([]*jffs2Piece, len(bounds)), make([]int, len(bounds)+1)
	for i := range next {
		next[i] = i
	}
	free := func(i int) int {
		for next[i] != i {
			next[i] = next[next[i]]
			i = next[i]
		}
		return i
	}
	for k := range sorted {
		p := &sorted[k]
		first, _ := slices.BinarySearch(bounds, int64(p.offset))
		last, _ := slices.BinarySearch(bounds, min(int64(p.offset)+int64(p.size), c.size))
		for i := free(first); i < last; i = free(i) {
			owner[i] = p
			next[i] = i + 1
		}
	}
	for i := 0; i+1 < len(bounds); i++ {
		if n := len(spans); n > 0 && spans[n-1].piece == owner[i] {
			spans[n-1].to = bounds[i+1]
		} else if owner[i] != nil {
			spans = append(spans, jffs2Span{bounds[i], bounds[i+1], owner[i]})
		}
	}
	return spans, damage
}

// write writes the content to w. A damaged node is an error, but only at the end.
func (c *jffs2Content) write(w io.Writer) error {
	spans, damage := c.spans()
	var zeros [4096]byte
	at := int64(0)
	fill := func(to int64) error {
		for at < to {
			n, err := w.Write(zeros[:min(int64(len(zeros)), to-at)])
			if err != nil {
				return err
			}
			at += int64(n)
		}
		return nil
	}
	var buf []byte
	for _, s := range spans {
		if err := fill(s.from); err != nil {
			return err
		}
		if s.piece.codec == 1 { // zeros
			if err := fill(s.to); err != nil {
				return err
			}
			continue
		}
		data, err := c.j.plain(&buf, s.piece)
		if err != nil {
			damage = cmp.Or(damage, fmt.Errorf("node at %#x: %w: zeros stand in its place", s.piece.at, err))
			continue
		}
		if _, err := w.Write(data[s.from-int64(s.piece.offset) : s.to-int64(s.piece.offset)]); err != nil {
			return err
		}
		at = s.to
	}
	if err := fill(c.size); err != nil {
		return err
	}
	return damage
}

// plain returns the whole content of a piece.
func (j *jffs2FS) plain(buf *[]byte, p *jffs2Piece) ([]byte, error) {
	if p.size > jffs2MostPage {
		return nil, fmt.Errorf("a page of %d bytes", p.size)
	}
	data, err := j.in.View(p.at+68, int64(p.packed))
	if err != nil {
		return nil, err
	}
	if p.codec != 0 && p.codec != 4 {
		unpack := j.unpack[p.codec]
		if unpack == nil {
			name := strconv.Itoa(int(p.codec))
			if int(p.codec) < len(jffs2Codecs) {
				name = jffs2Codecs[p.codec]
			}
			return nil, fmt.Errorf("compression %s: %w", name, image.ErrUnsupported)
		}
		*buf = slices.Grow((*buf)[:0], int(p.size))
		if data, err = unpack((*buf)[:0:p.size], data); err != nil {
			return nil, err
		}
	}
	if len(data) != int(p.size) {
		return nil, fmt.Errorf("%d bytes, want %d", len(data), p.size)
	}
	return data, nil
}

// extent writes what identifies the content without unpacking it.
func (c *jffs2Content) extent(h hash.Hash) error {
	spans, damage := c.spans()
	if damage != nil {
		return damage
	}
	var b [8]byte
	put := func(v uint64) {
		binary.LittleEndian.PutUint64(b[:], v)
		h.Write(b[:])
	}
	put(uint64(c.size))
	for _, s := range spans {
		p, err := c.j.in.View(s.piece.at+68, int64(s.piece.packed))
		if err != nil {
			return err
		}
		put(uint64(s.from))
		put(uint64(s.to))
		put(uint64(s.piece.offset)<<8 | uint64(s.piece.codec))
		put(uint64(len(p)))
		h.Write(p)
	}
	return nil
}

// unpackRtime undoes rtime: each byte is followed by how many of those are repeated that
// came after its last occurrence.
func unpackRtime(dst, src []byte) ([]byte, error) {
	var last [256]int
	out := dst[:0]
	for len(out) < cap(dst) {
		if len(src) < 2 {
			return nil, io.ErrUnexpectedEOF
		}
		c, repeat := src[0], int(src[1])
		src = src[2:]
		out = append(out, c)
		from := last[c]
		last[c] = len(out)
		if repeat > cap(dst)-len(out) {
			return nil, errBlockSize
		}
		for ; repeat > 0; repeat-- {
			out = append(out, out[from])
			from++
		}
	}
	return out, nil
}

// unpackJFFS2LZMA returns an unpacker of OpenWrt's blocks: headerless LZMA with lc, lp and
// pb 0.
func unpackJFFS2LZMA() unpacker {
	pool := sync.Pool{New: func() any { return new(lzma.Decoder) }}
	return func(dst, src []byte) ([]byte, error) {
		d := pool.Get().(*lzma.Decoder)
		defer pool.Put(d)
		out, _, err := d.Raw(dst[:0], src, 0)
		return out, err
	}
}
