package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var squashfs = &image.Format{
	Name:  "squashfs",
	Title: "SquashFS 4.0, either byte order, with gzip, lzma, lzo, xz, lz4 or zstd",
	Class: "filesystem",
	Where: "the read-only root of most Linux devices",
	Spec: "Documentation/filesystems/squashfs.rst of Linux; squashfs_fs.h of squashfs-tools 4.5, 3.3 and 2.1. Attributes: compression, block, time, " +
		"version and order (of 2 and 3), magic (where it is not the usual one)",
	Limits: "version 1 is recognised only; of lzma without a header, which vendors put into versions 2 and 3, the usual properties are " +
		"tried, and those that stand in front of it",
	Magic: []image.Magic{
		{Offset: 0, Bytes: "hsqs"}, {Offset: 0, Bytes: "sqsh"}, {Offset: 0, Bytes: "shsq"}, {Offset: 0, Bytes: "qshs"},
		{Offset: 0, Bytes: "hsqt"}, {Offset: 0, Bytes: "tqsh"}, {Offset: 0, Bytes: "sqlz"}, {Offset: 0, Bytes: "zlqs"},
	},
	Open:    openSquashfs,
	Rebuild: rebuildSquashfs,
}

// Inode types: 1 to 7 basic, 8 to 14 the same extended.
const (
	sqDir = 1 + iota
	sqFile
	sqSymlink
	sqBlock
	sqChar
	sqFifo
	sqSocket
)

const (
	sqMetaSize = 8192
	sqNone     = 0xffffffff
	sqHeader   = 96
)

// sqfs is an open SquashFS.
type sqfs struct {
	in     *image.Input
	order  byteOrder
	unpack unpacker
	codec  uint16
	block  int   // block size
	head   int64 // size of the superblock
	exact  bool  // blocks may be unpacked to more than they hold
	marked bool  // in versions 2 and 3: a byte 0xff follows the size of each metadata block

	rootInode                              uint64
	used, ids, xattrs, inodes, dirs, frags int64
	fragCount, inodeCount                  int
	noIDs                                  int
	idTable                                []uint32
	fragTable                              []sqFragment
	xattrTable                             []sqXattr
	xattrStart                             int64
	meta                                   map[int64]sqMeta
	cache                                  *fragments
	nodes                                  []*image.Node
	gaps                                   []fact.Gap
	contents                               map[*image.Node]*sqContent // where the contents of files lie; kept where it is made
	seen                                   map[uint64]bool            // directory inodes on the way or done
}

// byteOrder reads and writes numbers.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// sqMeta is a metadata block, unpacked.
type sqMeta struct {
	data []byte
	next int64 // where the following block lies
}

type sqFragment struct {
	start  int64
	size   int // on disk
	packed bool
}

func openSquashfs(in *image.Input) (*image.Content, error) {
	h, err := in.View(0, sqHeader)
	if err != nil {
		return nil, image.ErrNot
	}
	s := &sqfs{in: in, order: binary.LittleEndian, head: sqHeader, meta: map[int64]sqMeta{}, seen: map[uint64]bool{}}
	if h[28] == 0 { // the version tells the order, whatever a vendor made of the magic
		s.order = binary.BigEndian
	}
	switch major := s.order.Uint16(h[28:]); {
	case major == 2 || major == 3:
		return s.openOld(h)
	case major == 1 && s.order.Uint16(h[30:]) <= 2:
		return nil, fmt.Errorf("version %d.%d: %w", major, s.order.Uint16(h[30:]), image.ErrUnsupported)
	case major != 4:
		return nil, image.ErrNot
	}
	if err := s.superblock(h); err != nil {
		return nil, err
	}
	if err := s.codecs(); err != nil {
		return nil, err
	}
	if err := s.tables(); err != nil {
		return nil, err
	}
	s.cache = newFragments(s)
	if err := s.walk(); err != nil {
		return nil, err
	}
	names := []string{1: "gzip", "lzma", "lzo", "xz", "lz4", "zstd"}
	size := s.used
	if pad := (size + 4095) &^ 4095; pad <= in.Size() { // mksquashfs pads to 4 KiB
		if p, err := in.View(size, pad-size); err == nil && zeros(p) {
			size = pad
		}
	}
	return &image.Content{
		Size: size, Nodes: s.nodes, Gaps: s.gaps,
		Attributes: map[string]string{"compression": names[s.codec], "block": strconv.Itoa(s.block), "time": strconv.FormatUint(uint64(s.order.Uint32(h[8:])), 10)},
	}, nil
}

func zeros(p []byte) bool {
	for _, c := range p {
		if c != 0 {
			return false
		}
	}
	return true
}

// superblock reads and checks the superblock.
func (s *sqfs) superblock(h []byte) error {
	o := s.order
	at := func(off int) int64 { return int64(o.Uint64(h[off:])) }
	s.inodeCount = int(o.Uint32(h[4:]))
	s.block = int(o.Uint32(h[12:]))
	s.fragCount = int(o.Uint32(h[16:]))
	s.codec = o.Uint16(h[20:])
	s.noIDs = int(o.Uint16(h[26:]))
	s.rootInode = o.Uint64(h[32:])
	s.used, s.ids, s.xattrs, s.inodes, s.dirs, s.frags = at(40), at(48), at(56), at(64), at(72), at(80)
	if s.block < 4096 || s.block > 1<<20 || bits.OnesCount(uint(s.block)) != 1 || int(o.Uint16(h[22:])) != bits.TrailingZeros(uint(s.block)) {
		return fmt.Errorf("block size %d: %w", s.block, image.ErrNot)
	}
	if s.used < sqHeader {
		return fmt.Errorf("size %d: %w", s.used, image.ErrNot)
	}
	if s.used > s.in.Size() {
		return fmt.Errorf("ends at %#x, past the end %#x", s.used, s.in.Size())
	}
	for name, t := range map[string]int64{"id table": s.ids, "inode table": s.inodes, "directory table": s.dirs} {
		if t < sqHeader || t > s.used {
			return fmt.Errorf("%s at %#x, outside %#x bytes", name, t, s.used)
		}
	}
	if s.inodes > s.dirs {
		return fmt.Errorf("inode table at %#x behind the directory table at %#x", s.inodes, s.dirs)
	}
	return nil
}

// codecs chooses the unpacker. Options of the compressor need not be read to unpack.
func (s *sqfs) codecs() (err error) {
	switch s.codec {
	case 1:
		s.unpack = unpackZlib()
		// Some vendors write lzma and call it gzip: the first metadata block tells.
		if p, err := s.in.View(s.inodes+2, 2); err == nil && s.in.Size() > s.inodes+2 {
			if w, err := s.in.View(s.inodes, 2); err == nil && s.order.Uint16(w)&0x8000 == 0 && (p[0]&0x0f != 8 || (int(p[0])<<8|int(p[1]))%31 != 0) {
				s.codec, s.unpack, s.exact = 2, unpackLZMA(), true
			}
		}
	case 2:
		s.unpack, s.exact = unpackLZMA(), true
	case 3:
		s.unpack = unpackLZO()
	case 4:
		s.unpack = unpackXZ()
	case 5:
		s.unpack = unpackLZ4()
	case 6:
		s.unpack, err = unpackZstd()
	default:
		err = fmt.Errorf("compression %d: %w", s.codec, image.ErrUnsupported)
	}
	return err
}

// metaBlock returns the metadata block at an offset of the image.
func (s *sqfs) metaBlock(at int64) (sqMeta, error) {
	if m, ok := s.meta[at]; ok {
		return m, nil
	}
	w, err := s.in.View(at, 2)
	if err != nil || at < s.head {
		return sqMeta{}, fmt.Errorf("metadata block at %#x: past the end", at)
	}
	n := int64(s.order.Uint16(w))
	raw := n&0x8000 != 0
	n &= 0x7fff
	if n == 0 && raw {
		n = 0x8000
	}
	from := at + 2
	if s.marked {
		from++
	}
	p, err := s.in.View(from, n)
	if err != nil || n > sqMetaSize+1024 {
		return sqMeta{}, fmt.Errorf("metadata block at %#x: %d bytes pass the end", at, n)
	}
	m := sqMeta{data: p, next: from + n}
	if !raw {
		if m.data, err = s.unpack(make([]byte, 0, sqMetaSize), p); err != nil {
			return sqMeta{}, fmt.Errorf("metadata block at %#x: %w", at, err)
		}
	}
	if err := s.in.Budget.Bytes(int64(len(m.data))); err != nil {
		return sqMeta{}, err
	}
	s.meta[at] = m
	return m, nil
}

// cursor reads metadata from a block and an offset in it, across blocks.
type sqCursor struct {
	s    *sqfs
	at   int64
	off  int
	tmp  [64]byte
	long []byte
}

// take returns the next n bytes. They are valid until the next call.
func (c *sqCursor) take(n int) ([]byte, error) {
	m, err := c.s.metaBlock(c.at)
	if err != nil {
		return nil, err
	}
	if c.off+n <= len(m.data) {
		c.off += n
		return m.data[c.off-n : c.off], nil
	}
	out := c.tmp[:0]
	if n > len(c.tmp) {
		if n > 1<<20 {
			return nil, fmt.Errorf("metadata at %#x: %d bytes wanted at once", c.at, n)
		}
		c.long = make([]byte, 0, n)
		out = c.long
	}
	for len(out) < n {
		if c.off >= len(m.data) {
			if len(m.data) < sqMetaSize {
				return nil, fmt.Errorf("metadata at %#x: offset %#x past the end of the block", c.at, c.off)
			}
			c.off -= len(m.data)
			c.at = m.next
			if m, err = c.s.metaBlock(c.at); err != nil {
				return nil, err
			}
			continue
		}
		k := min(n-len(out), len(m.data)-c.off)
		out = append(out, m.data[c.off:c.off+k]...)
		c.off += k
	}
	return out, nil
}

// rows reads a table of count rows of size bytes that an index of metadata blocks at an
// offset points to.
func (s *sqfs) rows(what string, at int64, count, size int) ([]byte, error) {
	total := int64(count) * int64(size)
	if total > s.used*8 { // more rows than the whole image can hold, even well packed
		if err := s.in.Budget.Size(total); err != nil || total > 256<<20 {
			return nil, fmt.Errorf("%s: %d rows do not fit", what, count)
		}
	}
	blocks := (total + sqMetaSize - 1) / sqMetaSize
	index, err := s.in.View(at, blocks*8)
	if err != nil {
		return nil, fmt.Errorf("%s at %#x: %w", what, at, err)
	}
	var out []byte
	for i := range blocks {
		m, err := s.metaBlock(int64(s.order.Uint64(index[i*8:])))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		out = append(out, m.data...)
	}
	if int64(len(out)) < total {
		return nil, fmt.Errorf("%s: %d bytes, want %d", what, len(out), total)
	}
	return out[:total], nil
}

// tables reads the tables of ids, fragments and extended attributes. Without ids nothing
// can be said; fragments and attributes that cannot be read are gaps.
func (s *sqfs) tables() error {
	b, err := s.rows("id table", s.ids, s.noIDs, 4)
	if err != nil {
		return err
	}
	for ; len(b) > 0; b = b[4:] {
		s.idTable = append(s.idTable, s.order.Uint32(b))
	}
	if s.fragCount > 0 && s.frags != -1 {
		b, err := s.rows("fragment table", s.frags, s.fragCount, 16)
		if err != nil {
			s.gap("", err)
		}
		for ; len(b) > 0; b = b[16:] {
			size := s.order.Uint32(b[8:])
			s.fragTable = append(s.fragTable, sqFragment{int64(s.order.Uint64(b)), int(size &^ (1 << 24)), size&(1<<24) == 0})
		}
	}
	if s.xattrs != -1 {
		if err := s.readXattrs(); err != nil {
			s.gap("", fmt.Errorf("extended attributes: %w", err))
		}
	}
	return nil
}

// gap notes what of the file system could not be read.
func (s *sqfs) gap(path string, err error) {
	s.gaps = append(s.gaps, fact.Gap{Place: fact.Place{Path: path}, Reason: "damaged", Why: err.Error()})
}

var errLoop = errors.New("directory lies within itself")
