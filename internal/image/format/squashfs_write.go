package format

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"github.com/vesalius-project/vesalius/internal/image"
)

// rebuildSquashfs writes a SquashFS 4.0 again. Blocks of files that stay are copied as
// they are; what stands in no file any more is left out, a tail that goes is cut out of
// its fragment; inodes, directories and tables are written anew, in the codec and block
// size of the original. Blocks of codecs without a compressor here (lzo, lzma) are stored
// as they are, which the format allows.
func rebuildSquashfs(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
	h, err := in.View(0, sqHeader)
	if err != nil {
		return nil, err
	}
	s := &sqfs{in: in, order: binary.LittleEndian, head: sqHeader, meta: map[int64]sqMeta{}, seen: map[uint64]bool{}, contents: map[*image.Node]*sqContent{}}
	if h[28] == 0 {
		s.order = binary.BigEndian
	}
	if s.order.Uint16(h[28:]) != 4 {
		return nil, fmt.Errorf("version %d: %w", s.order.Uint16(h[28:]), image.ErrReadOnly)
	}
	if err := cmp.Or(s.superblock(h), s.codecs(), s.tables()); err != nil {
		return nil, err
	}
	s.cache = newFragments(s)
	if err := s.walk(); err != nil {
		return nil, err
	}
	if len(s.gaps) > 0 {
		return nil, fmt.Errorf("damaged: %s: %w", s.gaps[0].Why, image.ErrReadOnly)
	}
	b := &sqWriter{sqfs: s, head: bytes.Clone(h), flags: s.order.Uint16(h[24:]), at: sqHeader, ids: map[uint32]int{}, xattrIDs: map[string]uint32{}}
	b.pack = b.packer()
	if err := cmp.Or(b.edit(c.Edits), b.options(), b.layData(), b.layFragments(), b.layTables()); err != nil {
		return nil, err
	}
	return b.notes, b.write(w)
}

// sqWriter lays out a new image.
type sqWriter struct {
	*sqfs
	head   []byte // the superblock
	flags  uint16
	pack   func(p []byte) []byte // nil where nothing can be packed, or it does not get smaller
	notes  []string
	at     int64 // end of what is laid out
	chunks []sqChunk

	root      *sqEntry
	entries   []*sqEntry // by inode number, from 1
	fragments []sqFragment
	fresh     []byte // the fragment block that takes new tails
	ids       map[uint32]int
	idList    []uint32
	xattrIDs  map[string]uint32
	xattrList []map[string]string
	tails     map[uint32][]sqTail // of old fragments: what of them is used
	blocks    map[int64]int64     // where the blocks of a file lay -> where they lie
	moved     map[uint32]uint32   // old fragment -> new one
}

// sqChunk is a run of the new image: bytes, or a piece of the old one.
type sqChunk struct {
	data  []byte
	start int64
	size  int64
}

type sqTail struct{ off, size int }

// sqEntry is one inode, with the names that it has.
type sqEntry struct {
	node   *image.Node
	old    *sqContent // the content that stays
	kids   []sqName   // of a directory, by name
	links  int
	number uint32
	ref    uint64 // of its inode
	placed bool   // its inode is written

	start    int64
	sizes    []uint32
	fragment uint32
	offset   int
}

type sqName struct {
	name string
	*sqEntry
}

// edit makes the tree as it will be.
func (b *sqWriter) edit(edits []image.Edit) error {
	tree := map[string]*sqEntry{}
	shared := map[uint64]*sqEntry{}
	for _, n := range b.nodes {
		e := &sqEntry{node: n, old: b.contents[n]}
		if n.Inode != 0 {
			if first := shared[n.Inode]; first != nil {
				e = first
			}
			shared[n.Inode] = e
		}
		tree[n.Path] = e
	}
	for _, x := range edits {
		was := tree[x.Path]
		switch {
		case x.Node == nil:
			for p := range tree {
				if p == x.Path || strings.HasPrefix(p, x.Path+"/") {
					delete(tree, p)
				}
			}
			continue
		case x.Same && was == nil:
			return fmt.Errorf("%q: is not there", x.Path)
		case x.Same:
			if was.node.Inode != 0 { // its other names keep what they say
				was.node.Inode = 0
			}
			tree[x.Path] = &sqEntry{node: x.Node, old: was.old}
		default:
			tree[x.Path] = &sqEntry{node: x.Node}
		}
	}
	b.root = tree["/"]
	if b.root == nil {
		return fmt.Errorf("no root directory")
	}
	b.root.links = 1
	for _, p := range slices.Sorted(maps.Keys(tree)) {
		if p == "/" {
			continue
		}
		dir := tree[path.Dir(p)]
		if dir == nil || dir.node.Kind != image.Dir {
			return fmt.Errorf("%q: its directory is not there", p)
		}
		dir.kids = append(dir.kids, sqName{path.Base(p), tree[p]})
		tree[p].links++
	}
	// Sorted paths do not sort the names of a directory: "a-b" stands before "a/c".
	var number func(e *sqEntry)
	number = func(e *sqEntry) {
		slices.SortFunc(e.kids, func(x, y sqName) int { return strings.Compare(x.name, y.name) })
		for _, k := range e.kids {
			if k.number == 0 {
				b.entries = append(b.entries, k.sqEntry)
				k.number = uint32(len(b.entries))
			}
			if k.node.Kind == image.Dir {
				number(k.sqEntry)
			}
		}
	}
	number(b.root)
	b.entries = append(b.entries, b.root)
	b.root.number = uint32(len(b.entries))
	return nil
}

// add lays out bytes.
func (b *sqWriter) add(data []byte) (at int64) {
	at = b.at
	b.chunks = append(b.chunks, sqChunk{data: data})
	b.at += int64(len(data))
	return at
}

// keep lays out a piece of the old image.
func (b *sqWriter) keep(start, size int64) (at int64) {
	at = b.at
	if size > 0 {
		b.chunks = append(b.chunks, sqChunk{start: start, size: size})
		b.at += size
	}
	return at
}

// options keeps the options of the codec, which follow the superblock.
func (b *sqWriter) options() error {
	if b.flags&0x400 == 0 {
		return nil
	}
	m, err := b.metaBlock(sqHeader)
	if err != nil {
		return err
	}
	b.keep(sqHeader, m.next-sqHeader)
	return nil
}

// layData lays out the blocks of all files: those that stay in the order in which they
// lay, then the new ones.
func (b *sqWriter) layData() error {
	b.tails, b.blocks = map[uint32][]sqTail{}, map[int64]int64{}
	files := slices.DeleteFunc(slices.Clone(b.entries), func(e *sqEntry) bool { return e.node.Kind != image.File })
	slices.SortStableFunc(files, func(x, y *sqEntry) int {
		switch {
		case x.old != nil && y.old != nil:
			return cmp.Compare(x.old.start, y.old.start)
		case x.old != nil:
			return -1
		case y.old != nil:
			return 1
		}
		return 0
	})
	for _, e := range files {
		if e.old == nil {
			if err := b.fresher(e); err != nil {
				return fmt.Errorf("%q: %w", e.node.Path, err)
			}
			continue
		}
		f := e.old
		e.sizes, e.fragment, e.offset = f.sizes, f.fragment, f.offset
		if n := f.onDisk(); n > 0 {
			at, laid := b.blocks[f.start] // files with the same content share its blocks
			if !laid {
				at = b.keep(f.start, n)
				b.blocks[f.start] = at
			}
			e.start = at
		}
		if f.fragment != sqNone {
			b.tails[f.fragment] = append(b.tails[f.fragment], sqTail{f.offset, int(f.size % int64(b.block))})
		}
	}
	return nil
}

// onDisk counts the bytes that the blocks of a file take.
func (f *sqContent) onDisk() (n int64) {
	for _, w := range f.sizes {
		n += int64(w &^ (1 << 24))
	}
	return n
}

// fresher lays out the blocks of a new content.
func (b *sqWriter) fresher(e *sqEntry) error {
	var content bytes.Buffer
	if err := image.Copy(&content, e.node); err != nil {
		return err
	}
	data := content.Bytes()
	e.node.Size = int64(len(data))
	e.start, e.fragment = b.at, sqNone
	for len(data) >= b.block || len(data) > 0 && b.fragCount == 0 {
		p := data[:min(b.block, len(data))]
		data = data[len(p):]
		e.sizes = append(e.sizes, b.stored(p))
	}
	if len(data) > 0 {
		if len(b.fresh)+len(data) > b.block {
			b.flush()
		}
		e.fragment, e.offset = uint32(len(b.fragments)), len(b.fresh)
		b.fresh = append(b.fresh, data...)
	}
	return nil
}

// stored lays out a block and returns its size word.
func (b *sqWriter) stored(p []byte) uint32 {
	if z := b.pack(p); z != nil {
		b.add(z)
		return uint32(len(z))
	}
	b.add(bytes.Clone(p))
	return uint32(len(p)) | 1<<24
}

// flush ends the fragment block of new tails. New fragments stand first in the table.
func (b *sqWriter) flush() {
	if len(b.fresh) == 0 {
		return
	}
	at := b.at
	word := b.stored(b.fresh)
	b.fragments = append(b.fragments, sqFragment{at, int(word &^ (1 << 24)), word&(1<<24) == 0})
	b.fresh = nil
}

// layFragments lays out the fragment blocks that are still used. Where some of a block is
// used no more it is cut out, so that what was removed is gone.
func (b *sqWriter) layFragments() error {
	b.flush()
	b.moved = map[uint32]uint32{}
	whole := map[uint32]int{}
	for _, n := range b.nodes {
		if f := b.contents[n]; f != nil && f.fragment != sqNone {
			whole[f.fragment]++
		}
	}
	names := map[*sqContent]int{} // each content counts for each of its names, as in whole
	for _, e := range b.entries {
		if e.old != nil && e.old.fragment != sqNone {
			names[e.old] += e.links
		}
	}
	used := map[uint32]int{}
	for f, n := range names {
		used[f.fragment] += n
	}
	for _, i := range slices.Sorted(maps.Keys(b.tails)) {
		row := b.fragTable[i]
		b.moved[i] = uint32(len(b.fragments))
		if used[i] >= whole[i] {
			b.fragments = append(b.fragments, sqFragment{b.keep(row.start, int64(row.size)), row.size, row.packed})
			continue
		}
		data, err := b.cache.get(i)
		if err != nil {
			return err
		}
		cleared := make([]byte, len(data))
		for _, t := range b.tails[i] {
			if t.off+t.size > len(data) {
				return fmt.Errorf("fragment %d: %d bytes, want %d", i, len(data), t.off+t.size)
			}
			copy(cleared[t.off:t.off+t.size], data[t.off:])
		}
		at := b.at
		word := b.stored(cleared)
		b.fragments = append(b.fragments, sqFragment{at, int(word &^ (1 << 24)), word&(1<<24) == 0})
	}
	for _, e := range b.entries {
		if e.old != nil && e.fragment != sqNone {
			e.fragment = b.moved[e.fragment]
		}
	}
	return nil
}

// packer returns the compressor of the codec.
func (b *sqWriter) packer() func([]byte) []byte {
	smaller := func(p, z []byte, err error) []byte {
		if err != nil || len(z) >= len(p) {
			return nil
		}
		return z
	}
	switch b.codec {
	case 1:
		return func(p []byte) []byte {
			var out bytes.Buffer
			z, err := zlib.NewWriterLevel(&out, zlib.BestCompression)
			if err == nil {
				_, err = z.Write(p)
				err = cmp.Or(err, z.Close())
			}
			return smaller(p, out.Bytes(), err)
		}
	case 4:
		return func(p []byte) []byte {
			var out bytes.Buffer
			// The kernel wants CRC32 and a dictionary no larger than the block.
			z, err := xz.WriterConfig{DictCap: max(b.block, sqMetaSize), CheckSum: xz.CRC32, BlockSize: 1 << 40}.NewWriter(&out)
			if err == nil {
				_, err = z.Write(p)
				err = cmp.Or(err, z.Close())
			}
			return smaller(p, out.Bytes(), err)
		}
	case 5:
		return func(p []byte) []byte {
			z := make([]byte, lz4.CompressBlockBound(len(p)))
			n, err := lz4.CompressBlockHC(p, z, lz4.Level9, nil, nil)
			if n == 0 {
				return nil
			}
			return smaller(p, z[:n], err)
		}
	case 6:
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(max(b.block, 1<<10)), zstd.WithEncoderCRC(false))
		if err == nil {
			return func(p []byte) []byte { return smaller(p, z.EncodeAll(p, nil), nil) }
		}
	}
	b.notes = append(b.notes, "what changed is stored without compression: there is no compressor for its codec here")
	return func([]byte) []byte { return nil }
}
