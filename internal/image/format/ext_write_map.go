package format

import (
	"bytes"
	"fmt"

	"github.com/vesalius-project/vesalius/internal/image"
)

// extRun is blocks of a content that lie one after the other.
type extRun struct {
	at, block, n int64 // at counts blocks of the content
	unwritten    bool  // reads as zeros
}

// extBlocks is the block map of an inode.
type extBlocks struct {
	runs []extRun
	meta []int64 // blocks that hold the map itself
}

// all returns the blocks of the map: those of the content, then its own.
func (m *extBlocks) all() []int64 {
	var list []int64
	for _, r := range m.runs {
		for i := range r.n {
			list = append(list, r.block+i)
		}
	}
	return append(list, m.meta...)
}

// grow appends blocks to a map, to the last run where they follow it.
func (m *extBlocks) grow(r extRun) {
	if n := len(m.runs); n > 0 {
		l := &m.runs[n-1]
		if l.at+l.n == r.at && l.block+l.n == r.block && l.unwritten == r.unwritten {
			l.n += r.n
			return
		}
	}
	m.runs = append(m.runs, r)
}

// mapped reports whether an inode has a block map.
func (in extInode) mapped() bool {
	if in.flags()&extFlagInline != 0 {
		return false
	}
	switch in.mode() & extFormat {
	case 0x8000, extDir:
		return true
	case 0xa000:
		return in.size() >= 60 || in.flags()&extFlagExtents != 0
	}
	return false
}

// mapOf reads the block map of an inode whole, also what lies beyond the end.
func (e *extWriter) mapOf(in extInode) (*extBlocks, error) {
	m := &extBlocks{}
	if !in.mapped() {
		return m, nil
	}
	return m, e.readMap(m, in)
}

func (e *extWriter) readMap(m *extBlocks, in extInode) error {
	r := &extMapReader{e: e, m: m}
	if in.flags()&extFlagExtents != 0 {
		return r.extents(in.map60(), -1)
	}
	at := int64(0)
	for i := range 15 {
		n, err := r.indirect(int64(le32(in.map60()[4*i:])), at, max(0, i-11))
		if err != nil {
			return err
		}
		at += n
	}
	return nil
}

// extMapReader fills a map. More blocks than the file system has are a circle.
type extMapReader struct {
	e    *extWriter
	m    *extBlocks
	n    int64
	next int64 // block of the content
}

func (r *extMapReader) add(run extRun) error {
	if r.n += run.n; r.n > r.e.blocks || run.block <= 0 || run.block > r.e.blocks-run.n {
		return extDamaged("blocks %d+%d of %d", run.block, run.n, r.e.blocks)
	}
	r.m.grow(run)
	return nil
}

func (r *extMapReader) table(block int64) ([]byte, error) {
	if r.n++; r.n > r.e.blocks || block <= 0 {
		return nil, extDamaged("a block map at block %d of %d", block, r.e.blocks)
	}
	r.m.meta = append(r.m.meta, block)
	return r.e.look(block)
}

func (r *extMapReader) extents(p []byte, depth int) error {
	entries, have := int(le16(p[2:])), int(le16(p[6:]))
	if le16(p) != 0xf30a || entries*12+12 > len(p) || have > 5 || depth >= 0 && have != depth {
		return extDamaged("extents: node with magic %#x, %d entries, depth %d", le16(p), entries, have)
	}
	for i := range entries {
		q := p[12+12*i:]
		at := int64(le32(q))
		if at < r.next {
			return extDamaged("extents: block %d of the file after block %d", at, r.next)
		}
		if have > 0 {
			node, err := r.table(int64(le32(q[4:])) | int64(le16(q[8:]))<<32)
			if err != nil {
				return err
			}
			if err := r.extents(node, have-1); err != nil {
				return err
			}
			continue
		}
		run := extRun{at: at, block: int64(le32(q[8:])) | int64(le16(q[6:]))<<32, n: int64(le16(q[4:]))}
		if run.n > 32768 {
			run.n, run.unwritten = run.n-32768, true
		}
		if run.n == 0 {
			return extDamaged("extents: an extent without blocks")
		}
		if err := r.add(run); err != nil {
			return err
		}
		r.next = at + run.n
	}
	return nil
}

// indirect reads a number of the classic map, level tables above the data, and returns
// how many blocks it stands for.
func (r *extMapReader) indirect(block, at int64, level int) (int64, error) {
	span, per := int64(1), r.e.block/4
	for range level {
		span *= per
	}
	switch {
	case block == 0:
		return span, nil
	case level == 0:
		return 1, r.add(extRun{at: at, block: block, n: 1})
	}
	p, err := r.table(block)
	if err != nil {
		return 0, err
	}
	for ; len(p) > 0; p = p[4:] {
		n, err := r.indirect(int64(le32(p)), at, level-1)
		if err != nil {
			return 0, err
		}
		at += n
	}
	return span, nil
}

// extPool is where blocks of one content come from: those that it had, then free ones.
type extPool struct {
	e    *extWriter
	old  []int64
	last int64
}

func (p *extPool) take() (block int64, err error) {
	if len(p.old) > 0 {
		block, p.old = p.old[0], p.old[1:]
	} else if block, err = p.e.allocate(p.last + 1); err != nil {
		return 0, err
	}
	p.last = block
	return block, nil
}

// release gives back what was not used.
func (p *extPool) release() error {
	for _, b := range p.old {
		if err := p.e.free(b); err != nil {
			return err
		}
	}
	p.old = nil
	return nil
}

// groupStart is the block near which the content of an inode should lie.
func (e *extWriter) groupStart(ino uint32) int64 {
	return e.first + int64((ino-1)/e.inodesPer)*e.perGroup
}

// setContent gives an inode another content. Blocks of zeros become holes.
func (e *extWriter) setContent(ino uint32, write func(*extSink) error, size int64) error {
	in, err := e.editInode(ino)
	if err != nil {
		return err
	}
	old, err := e.mapOf(in)
	if err != nil {
		return err
	}
	s := &extSink{pool: &extPool{e: e, old: old.all(), last: e.groupStart(ino) - 1}}
	if err := write(s); err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	if s.size != size {
		return fmt.Errorf("a content of %d bytes, %d were said", s.size, size)
	}
	if size >= 1<<31 && e.ro&0x2 == 0 {
		return fmt.Errorf("a file of %d bytes: %w", size, image.ErrReadOnly)
	}
	put32(in[4:], uint32(size))
	if in.mode()&extFormat == 0x8000 {
		put32(in[108:], uint32(size>>32))
	}
	put32(in[32:], in.flags()&^0x400000) // blocks beyond the end
	e.freed = e.freed || len(old.runs) > 0
	return e.setMap(ino, in, s.runs.runs, s.pool)
}

// extSink takes a content and lays it into blocks.
type extSink struct {
	pool *extPool
	part []byte
	runs extBlocks
	at   int64
	size int64
}

// Write writes as io.Writer promises.
func (s *extSink) Write(p []byte) (int, error) {
	n := len(p)
	s.size += int64(n)
	for block := int(s.pool.e.block); len(p) > 0; {
		k := min(block-len(s.part), len(p))
		s.part = append(s.part, p[:k]...)
		p = p[k:]
		if len(s.part) == block {
			if err := s.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (s *extSink) flush() error {
	if len(s.part) == 0 {
		return nil
	}
	if !bytes.Equal(s.part, s.pool.e.zero[:len(s.part)]) {
		b, err := s.pool.take()
		if err != nil {
			return err
		}
		if err := s.pool.e.put(b, s.part); err != nil {
			return err
		}
		s.runs.grow(extRun{at: s.at, block: b, n: 1})
	}
	s.at++
	s.part = s.part[:0]
	return nil
}

// setMap gives an inode a block map, in the form that it has, and counts its blocks.
func (e *extWriter) setMap(ino uint32, in extInode, runs []extRun, pool *extPool) error {
	clear(in.map60())
	var meta int64
	var err error
	if in.flags()&extFlagExtents != 0 {
		meta, err = e.putExtents(ino, in, runs, pool)
	} else {
		meta, err = e.putIndirect(in, runs, pool)
	}
	if err != nil {
		return err
	}
	n := meta
	for _, r := range runs {
		n += r.n
	}
	if in.attrs() != 0 {
		n++
	}
	e.setBlocks(in, n)
	return pool.release()
}

// setBlocks says how many blocks an inode has.
func (e *extWriter) setBlocks(in extInode, n int64) {
	n *= e.block / 512
	put32(in[28:], uint32(n))
	put16(in[116:], uint16(n>>32))
	put32(in[32:], in.flags()&^0x40000) // counted in blocks of the file system
}

// extNode is an entry of an extent tree: of data, or a node below.
type extNode struct {
	at, block int64
	count     uint16
}

func (e *extWriter) putExtents(ino uint32, in extInode, runs []extRun, pool *extPool) (meta int64, err error) {
	var level []extNode
	for _, r := range runs {
		limit := int64(32768)
		if r.unwritten {
			limit--
		}
		for r.n > 0 {
			k := min(r.n, limit)
			x := extNode{r.at, r.block, uint16(k)}
			if r.unwritten {
				x.count += 32768
			}
			level = append(level, x)
			r.at, r.block, r.n = r.at+k, r.block+k, r.n-k
		}
	}
	per := int(e.block-12) / 12
	depth := 0
	for ; len(level) > 4; depth++ {
		var above []extNode
		for rest := level; len(rest) > 0; rest = rest[min(per, len(rest)):] {
			b, err := pool.take()
			if err != nil {
				return 0, err
			}
			meta++
			p := make([]byte, e.block)
			putExtentNode(p, rest[:min(per, len(rest))], per, depth)
			if e.ro&extMetadataCsum != 0 {
				put32(p[12+12*per:], extCRC(e.inodeSeed(ino, in), p[:12+12*per]))
			}
			if err := e.put(b, p); err != nil {
				return 0, err
			}
			above = append(above, extNode{at: rest[0].at, block: b})
		}
		level = above
	}
	putExtentNode(in.map60(), level, 4, depth)
	return meta, nil
}

func putExtentNode(p []byte, list []extNode, room, depth int) {
	put16(p, 0xf30a)
	put16(p[2:], uint16(len(list)))
	put16(p[4:], uint16(room))
	put16(p[6:], uint16(depth))
	for i, x := range list {
		q := p[12+12*i:]
		put32(q, uint32(x.at))
		if depth > 0 {
			put32(q[4:], uint32(x.block))
			put16(q[8:], uint16(x.block>>32))
			continue
		}
		put16(q[4:], x.count)
		put16(q[6:], uint16(x.block>>32))
		put32(q[8:], uint32(x.block))
	}
}

// putIndirect writes the classic map: twelve blocks, then tables of one, two and three levels.
func (e *extWriter) putIndirect(in extInode, runs []extRun, pool *extPool) (meta int64, err error) {
	per := e.block / 4
	set := func(p []byte, i, block int64) { put32(p[4*i:], uint32(block)) }
	for _, r := range runs {
		for k := range r.n {
			at, block := r.at+k, r.block+k
			if block >= 1<<32 || r.unwritten {
				return 0, fmt.Errorf("block %d in a classic map: %w", block, image.ErrReadOnly)
			}
			if at < 12 {
				set(in.map60(), at, block)
				continue
			}
			at -= 12
			level, span := int64(1), per
			for ; at >= span && level < 3; level++ {
				at -= span
				span *= per
			}
			if at >= span {
				return 0, fmt.Errorf("a file of more blocks than its map can have: %w", image.ErrReadOnly)
			}
			table, i := in.map60(), 11+level
			for ; level > 0; level-- {
				next := int64(le32(table[4*i:]))
				if next == 0 {
					if next, err = pool.take(); err != nil {
						return 0, err
					}
					meta++
					if err := e.put(next, nil); err != nil {
						return 0, err
					}
					set(table, i, next)
				}
				if table, err = e.edit(next); err != nil {
					return 0, err
				}
				span /= per
				i, at = at/span, at%span
			}
			set(table, i, block)
		}
	}
	return meta, nil
}
