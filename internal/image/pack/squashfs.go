package pack

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"math/bits"
	"path"

	"github.com/vesalius-project/vesalius/internal/image"
)

// Squashfs writes a SquashFS 4.0 file system, little-endian, compressed with zlib, with
// fragments and without an export table. block is the block size, a power of two from
// 4 KiB to 1 MiB. at is the time of the file system.
func Squashfs(files []File, block int, at int64) ([]byte, error) {
	all, err := tree(files)
	if err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	if bits.OnesCount(uint(block)) != 1 || block < 4096 || block > 1<<20 {
		return nil, fmt.Errorf("squashfs: block size %d", block)
	}
	s := &squash{block: block, files: all, kids: children(all), ids: map[int]uint16{}}
	s.out.Write(make([]byte, 96))
	for i, f := range all {
		s.number = append(s.number, uint32(i+1))
		s.place = append(s.place, s.data(f))
	}
	s.flushFragment()
	root, err := s.directory(0, uint32(len(all)+1))
	if err != nil {
		return nil, err
	}
	var sb [96]byte
	le := binary.LittleEndian
	copy(sb[:], "hsqs")
	le.PutUint32(sb[4:], uint32(len(all)))
	le.PutUint32(sb[8:], uint32(at))
	le.PutUint32(sb[12:], uint32(block))
	le.PutUint32(sb[16:], uint32(len(s.fragments)/16))
	le.PutUint16(sb[20:], 1)
	le.PutUint16(sb[22:], uint16(bits.TrailingZeros(uint(block))))
	le.PutUint16(sb[24:], 0x0010) // no xattrs
	le.PutUint16(sb[26:], uint16(len(s.ids)))
	le.PutUint16(sb[28:], 4)
	le.PutUint64(sb[32:], root)
	le.PutUint64(sb[56:], ^uint64(0)) // xattrs
	le.PutUint64(sb[88:], ^uint64(0)) // export table
	le.PutUint64(sb[64:], uint64(s.out.Len()))
	s.out.Write(s.inodes.finish())
	le.PutUint64(sb[72:], uint64(s.out.Len()))
	s.out.Write(s.dirs.finish())
	le.PutUint64(sb[80:], s.table(s.fragments))
	ids := make([]byte, 4*len(s.ids))
	for id, i := range s.ids {
		le.PutUint32(ids[4*i:], uint32(id))
	}
	le.PutUint64(sb[48:], s.table(ids))
	le.PutUint64(sb[40:], uint64(s.out.Len()))
	out := s.out.Bytes()
	copy(out, sb[:])
	return append(out, make([]byte, (4096-len(out)%4096)%4096)...), nil
}

type squash struct {
	block     int
	files     []File
	kids      map[string][]int
	number    []uint32
	place     []squashData
	ids       map[int]uint16
	out       bytes.Buffer
	fragment  []byte
	fragments []byte // the fragment table
	inodes    metadata
	dirs      metadata
}

// squashData is where the content of a file lies.
type squashData struct {
	start    uint32
	sizes    []uint32
	fragment uint32
	offset   uint32
}

// deflate returns p compressed, or p itself where that is not smaller.
func deflate(p []byte) (out []byte, packed bool) {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(p) // a bytes.Buffer takes everything
	_ = w.Close()
	if b.Len() < len(p) {
		return b.Bytes(), true
	}
	return p, false
}

// data writes the blocks of a file and puts its tail into the current fragment.
func (s *squash) data(f File) squashData {
	d := squashData{start: uint32(s.out.Len()), fragment: ^uint32(0)}
	p := f.Data
	for len(p) >= s.block {
		c, packed := deflate(p[:s.block])
		size := uint32(len(c))
		if !packed {
			size |= 1 << 24
		}
		d.sizes = append(d.sizes, size)
		s.out.Write(c)
		p = p[s.block:]
	}
	if len(p) == 0 {
		return d
	}
	if len(s.fragment)+len(p) > s.block {
		s.flushFragment()
	}
	d.fragment, d.offset = uint32(len(s.fragments)/16), uint32(len(s.fragment))
	s.fragment = append(s.fragment, p...)
	return d
}

func (s *squash) flushFragment() {
	if len(s.fragment) == 0 {
		return
	}
	c, packed := deflate(s.fragment)
	size := uint32(len(c))
	if !packed {
		size |= 1 << 24
	}
	s.fragments = binary.LittleEndian.AppendUint64(s.fragments, uint64(s.out.Len()))
	s.fragments = binary.LittleEndian.AppendUint32(s.fragments, size)
	s.fragments = binary.LittleEndian.AppendUint32(s.fragments, 0)
	s.out.Write(c)
	s.fragment = nil
}

// directory writes the inodes below a directory, its listing and its own inode, and
// returns the reference of that inode.
func (s *squash) directory(i int, parent uint32) (uint64, error) {
	le := binary.LittleEndian
	f := s.files[i]
	type entry struct {
		ref  uint64
		kind uint16
		i    int
	}
	var entries []entry
	links := uint32(2)
	for _, k := range s.kids[f.Path] {
		c := s.files[k]
		if c.Kind == image.Dir {
			ref, err := s.directory(k, s.number[i])
			if err != nil {
				return 0, err
			}
			entries = append(entries, entry{ref, 1, k})
			links++
			continue
		}
		ref, kind, err := s.inode(k)
		if err != nil {
			return 0, err
		}
		entries = append(entries, entry{ref, kind, k})
	}
	at := s.dirs.position()
	size := 0
	for len(entries) > 0 {
		n := 1
		first := entries[0]
		for n < len(entries) && n < 256 && entries[n].ref>>16 == first.ref>>16 {
			n++
		}
		var b []byte
		b = le.AppendUint32(b, uint32(n-1))
		b = le.AppendUint32(b, uint32(first.ref>>16))
		b = le.AppendUint32(b, s.number[first.i])
		for _, e := range entries[:n] {
			name := path.Base(s.files[e.i].Path)
			if len(name) > 256 {
				return 0, fmt.Errorf("squashfs: name %q is too long", name)
			}
			b = le.AppendUint16(b, uint16(e.ref))
			b = le.AppendUint16(b, uint16(int16(int32(s.number[e.i])-int32(s.number[first.i]))))
			b = le.AppendUint16(b, e.kind)
			b = le.AppendUint16(b, uint16(len(name)-1))
			b = append(b, name...)
		}
		s.dirs.write(b)
		size += len(b)
		entries = entries[n:]
	}
	if size+3 > 0xffff {
		return 0, fmt.Errorf("squashfs: directory %q is too large", f.Path)
	}
	b := s.header(1, f, s.number[i])
	b = le.AppendUint32(b, uint32(at>>16))
	b = le.AppendUint32(b, links)
	b = le.AppendUint16(b, uint16(size+3))
	b = le.AppendUint16(b, uint16(at))
	b = le.AppendUint32(b, parent)
	ref := s.inodes.position()
	s.inodes.write(b)
	return ref, nil
}

// inode writes the inode of anything but a directory.
func (s *squash) inode(i int) (ref uint64, kind uint16, err error) {
	le := binary.LittleEndian
	f := s.files[i]
	var b []byte
	switch f.Kind {
	case image.File:
		kind = 2
		d := s.place[i]
		b = s.header(kind, f, s.number[i])
		b = le.AppendUint32(b, d.start)
		b = le.AppendUint32(b, d.fragment)
		b = le.AppendUint32(b, d.offset)
		b = le.AppendUint32(b, uint32(len(f.Data)))
		for _, n := range d.sizes {
			b = le.AppendUint32(b, n)
		}
	case image.Symlink:
		kind = 3
		b = le.AppendUint32(s.header(kind, f, s.number[i]), 1)
		b = append(le.AppendUint32(b, uint32(len(f.Target))), f.Target...)
	case image.Block, image.Char:
		kind = 4
		if f.Kind == image.Char {
			kind = 5
		}
		b = le.AppendUint32(s.header(kind, f, s.number[i]), 1)
		b = le.AppendUint32(b, f.Minor&0xff|f.Major<<8|f.Minor&^0xff<<12)
	case image.Fifo, image.Socket:
		kind = 6
		if f.Kind == image.Socket {
			kind = 7
		}
		b = le.AppendUint32(s.header(kind, f, s.number[i]), 1)
	default:
		return 0, 0, fmt.Errorf("squashfs: %q: a %s here", f.Path, f.Kind)
	}
	ref = s.inodes.position()
	s.inodes.write(b)
	return ref, kind, nil
}

// header begins an inode of a kind.
func (s *squash) header(kind uint16, f File, number uint32) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(nil, kind)
	b = le.AppendUint16(b, uint16(f.Mode))
	b = le.AppendUint16(b, s.id(f.UID))
	b = le.AppendUint16(b, s.id(f.GID))
	b = le.AppendUint32(b, uint32(f.MTime))
	return le.AppendUint32(b, number)
}

func (s *squash) id(id int) uint16 {
	i, ok := s.ids[id]
	if !ok {
		i = uint16(len(s.ids))
		s.ids[id] = i
	}
	return i
}

// table writes rows as metadata blocks and their index; it returns where the index lies.
func (s *squash) table(rows []byte) uint64 {
	var starts []byte
	for len(rows) > 0 {
		n := min(len(rows), 8192)
		starts = binary.LittleEndian.AppendUint64(starts, uint64(s.out.Len()))
		s.out.Write(metablock(rows[:n]))
		rows = rows[n:]
	}
	at := uint64(s.out.Len())
	s.out.Write(starts)
	return at
}

// metadata is a stream of metadata blocks of 8 KiB each.
type metadata struct {
	done bytes.Buffer
	open []byte
}

// position is the reference of what is written next: block start and offset.
func (m *metadata) position() uint64 { return uint64(m.done.Len())<<16 | uint64(len(m.open)) }

func (m *metadata) write(p []byte) {
	m.open = append(m.open, p...)
	for len(m.open) >= 8192 {
		m.done.Write(metablock(m.open[:8192]))
		m.open = bytes.Clone(m.open[8192:])
	}
}

func (m *metadata) finish() []byte {
	if len(m.open) > 0 {
		m.done.Write(metablock(m.open))
		m.open = nil
	}
	return m.done.Bytes()
}

func metablock(p []byte) []byte {
	c, packed := deflate(p)
	n := uint16(len(c))
	if !packed {
		n |= 1 << 15
	}
	return append(binary.LittleEndian.AppendUint16(nil, n), c...)
}
