package advisory

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync"
)

// A block is a dictionary and what refers to it: it can be read by itself. A section is
// many blocks one after the other, and a directory that says where each begins, its
// checksum, and its first key.

// blockAtMost is how large a block may be, decompressed: the largest of all of NVD, the
// Linux kernel's, takes a megabyte.
const blockAtMost = 16 << 20

// packer collects what becomes one block.
type packer struct {
	d dict
	w writer
	n int // entries
}

func (p *packer) writer() *writer {
	p.w.d = &p.d
	return &p.w
}

// size is about what the block will take.
func (p *packer) size() int { return len(p.w.b) + p.d.size }

// seal gives the block's bytes and begins the next.
func (p *packer) seal() []byte {
	out := writer{b: make([]byte, 0, p.size()+4*len(p.d.list)+16)}
	out.n(len(p.d.list))
	for _, s := range p.d.list {
		out.n(len(s))
	}
	for _, s := range p.d.list {
		out.b = append(out.b, s...)
	}
	out.b = append(out.b, p.w.b...)
	p.d.reset()
	p.w.b = p.w.b[:0]
	p.n = 0
	return out.b
}

// block is a block that was read; it does not change.
type block struct {
	strs []string
	body string

	once sync.Once // for year, of a block of forecasts
	year *yearForecasts
	err  error
}

func openBlock(payload string) (*block, error) {
	r := reader{b: payload}
	n := r.n()
	b := &block{strs: make([]string, n)}
	lengths := r.b
	sum := 0
	for range n {
		sum += r.n()
		if sum > len(payload) {
			return nil, errShort
		}
	}
	text := r.bytes(sum)
	if r.err != nil {
		return nil, r.err
	}
	b.body = r.b
	l := reader{b: lengths}
	for i := range b.strs {
		size := int(l.u())
		b.strs[i] = text[:size]
		text = text[size:]
	}
	return b, nil
}

// reader reads the block's body from a place on.
func (b *block) reader(at int) *reader {
	if at < 0 || at > len(b.body) {
		return &reader{err: errShort}
	}
	return &reader{b: b.body[at:], strs: b.strs, dict: true}
}

// entry says where one block lies.
type entry struct {
	offset int64
	stored uint32 // bytes in the file
	size   uint32 // bytes of the block; more than stored where it is compressed
	sum    uint32
	first  uint64 // the number of the first thing in it
	key    string // the key of the first thing in it, where things have keys
}

// section is what is being written.
type section struct {
	name  string
	level int // of compression; 0: none
	pool  *compressors

	mu      sync.Mutex
	blocks  [][]byte
	entries []entry
	wait    sync.WaitGroup
	err     error
}

// compressors limits how many blocks are compressed at once, and keeps what that takes.
type compressors struct {
	slots chan struct{}
	pools [10]sync.Pool
}

func newCompressors(n int) *compressors { return &compressors{slots: make(chan struct{}, n)} }

func (c *compressors) compress(raw []byte, level int) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(raw)/3 + 64)
	w, ok := c.pools[level].Get().(*flate.Writer)
	if ok {
		w.Reset(&out)
	} else {
		var err error
		if w, err = flate.NewWriter(&out, level); err != nil {
			return nil, err
		}
	}
	defer c.pools[level].Put(w)
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(out.Bytes()), nil
}

// add takes the next block; it is compressed while the caller makes the one after it.
func (s *section) add(raw []byte, first uint64, key string) error {
	if len(raw) > blockAtMost {
		return fmt.Errorf("section %s: a block of %d bytes is larger than %d", s.name, len(raw), blockAtMost)
	}
	s.mu.Lock()
	i := len(s.blocks)
	s.blocks = append(s.blocks, raw)
	s.entries = append(s.entries, entry{size: uint32(len(raw)), first: first, key: key})
	s.mu.Unlock()
	if s.level == 0 {
		return nil
	}
	s.pool.slots <- struct{}{}
	s.wait.Go(func() {
		defer func() { <-s.pool.slots }()
		packed, err := s.pool.compress(raw, s.level)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.err = err
		} else if len(packed) < len(raw) {
			s.blocks[i] = packed
		}
	})
	return nil
}

// finish waits for the blocks and gives the section's directory.
func (s *section) finish() ([]byte, error) {
	s.wait.Wait()
	if s.err != nil {
		return nil, s.err
	}
	w := writer{}
	w.n(len(s.entries))
	first := uint64(0)
	for i, e := range s.entries {
		w.n(len(s.blocks[i]))
		w.u(uint64(e.size))
		w.b = binary.LittleEndian.AppendUint32(w.b, crc32.Checksum(s.blocks[i], castagnoli()))
		w.u(e.first - first)
		w.s(e.key)
		first = e.first
	}
	return w.b, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// column reads a section.
type column struct {
	name    string
	r       io.ReaderAt
	at      int64 // of the first block
	size    int64
	dirAt   int64
	dirSize int64
	dirSum  uint32

	once    sync.Once
	entries []entry
	err     error

	raw     sync.Pool // *[]byte, to read into
	inflate inflater

	mu   sync.Mutex
	kept map[int]*block
	ring []int
	next int
}

// directory reads the directory, once.
func (c *column) directory() ([]entry, error) {
	c.once.Do(func() {
		raw, err := readAt(c.r, c.dirAt, c.dirSize)
		if err == nil && crc32.Checksum(raw, castagnoli()) != c.dirSum {
			err = errors.New("checksum differs")
		}
		if err == nil {
			c.entries, err = readEntries(string(raw), c.at, c.size)
		}
		if err != nil {
			c.err = fmt.Errorf("section %s: directory: %w", c.name, err)
		}
	})
	return c.entries, c.err
}

func readEntries(raw string, at, size int64) ([]entry, error) {
	r := reader{b: raw}
	all := make([]entry, r.count(8))
	first, end := uint64(0), at+size
	for i := range all {
		e := entry{offset: at, stored: uint32(r.u()), size: uint32(r.u())}
		if b := r.bytes(4); len(b) == 4 {
			e.sum = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		}
		first += r.u()
		e.first = first
		e.key = r.s()
		at += int64(e.stored)
		if r.err == nil && (e.stored > e.size || e.size > blockAtMost || at > end) {
			r.fail()
		}
		all[i] = e
	}
	if r.err == nil && (r.b != "" || at != end) {
		r.fail()
	}
	return all, r.err
}

// keep is how many blocks of a column are kept for the next question.
const keep = 32

// block reads block i.
func (c *column) block(i int) (*block, error) {
	c.mu.Lock()
	b := c.kept[i]
	c.mu.Unlock()
	if b != nil {
		return b, nil
	}
	all, err := c.directory()
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= len(all) {
		return nil, fmt.Errorf("section %s: it has no block %d", c.name, i)
	}
	payload, err := c.payload(all[i])
	if err == nil {
		b, err = openBlock(payload)
	}
	if err != nil {
		return nil, fmt.Errorf("section %s: block %d: %w", c.name, i, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[int]*block{}
		c.ring = make([]int, keep)
		for i := range c.ring {
			c.ring[i] = -1
		}
	}
	if c.kept[i] == nil {
		delete(c.kept, c.ring[c.next])
		c.ring[c.next] = i
		c.next = (c.next + 1) % keep
		c.kept[i] = b
	}
	return b, nil
}

func (c *column) payload(e entry) (string, error) {
	kept, _ := c.raw.Get().(*[]byte)
	if kept == nil || cap(*kept) < int(e.stored) {
		b := make([]byte, e.stored)
		kept = &b
	}
	defer c.raw.Put(kept)
	raw := (*kept)[:e.stored]
	if err := readFull(c.r, raw, e.offset); err != nil {
		return "", err
	}
	if crc32.Checksum(raw, castagnoli()) != e.sum {
		return "", errors.New("checksum differs")
	}
	if e.stored == e.size {
		return string(raw), nil
	}
	return c.inflate.inflate(raw, int(e.size))
}

// inflater decompresses blocks, and keeps what that takes.
type inflater struct{ pool sync.Pool }

// inflate decompresses a block of known size.
func (p *inflater) inflate(raw []byte, size int) (string, error) {
	var out strings.Builder
	out.Grow(size)
	f, ok := p.pool.Get().(io.Reader)
	if !ok {
		f = flate.NewReader(bytes.NewReader(raw))
	} else if err := f.(flate.Resetter).Reset(bytes.NewReader(raw), nil); err != nil {
		return "", err
	}
	defer p.pool.Put(f)
	n, err := io.Copy(&out, io.LimitReader(f, int64(size)+1))
	if err != nil {
		return "", fmt.Errorf("decompress: %w", err)
	}
	if n != int64(size) {
		return "", fmt.Errorf("decompresses to another size than %d", size)
	}
	return out.String(), nil
}

func readAt(r io.ReaderAt, at, size int64) ([]byte, error) {
	b := make([]byte, size)
	return b, readFull(r, b, at)
}

func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
