// Package cache keeps what one run found out for the next, by key.
//
// A cache is a directory of segments: each run that learned something adds one file, made
// whole and then renamed, so that runs need no lock and a killed one leaves nothing. The
// reader gets the segments as open files ([Open]), because a walled process opens none.
// What a segment says is believed as far as its checksum goes: a damaged one is passed by.
//
// It knows no meaning of keys and values; whoever makes a key puts into it all that the
// value depends on.
package cache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Key names a value.
type Key [sha256.Size]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// KeyOf makes a key of words.
func KeyOf(words ...string) Key {
	h := sha256.New()
	var n [8]byte
	for _, w := range words {
		binary.BigEndian.PutUint64(n[:], uint64(len(w)))
		h.Write(n[:])
		h.Write([]byte(w))
	}
	return Key(h.Sum(nil))
}

// A segment is: magic, the number of entries, the entries by key (key, offset, length,
// CRC of the value), the checksum of all that, and the values.
const (
	magic     = "vesalius cache 1\n"
	entrySize = sha256.Size + 8 + 4 + 4
	headSize  = len(magic) + 8
	extension = ".segment"

	maxEntries = 8 << 20
	maxValue   = 64 << 20
)

// Store reads segments. It is safe for concurrent use; a nil Store knows nothing.
type Store struct {
	index map[Key]place
	held  int64 // bytes of segments that may be read as a whole

	mu    sync.Mutex
	fresh map[Key][]byte // what this run learned
}

type place struct {
	*source
	off  int64
	size uint32
	sum  uint32
}

// source is an open segment. A small one is read as a whole when its first value is asked
// for: a scan asks for thousands.
type source struct {
	r     io.ReaderAt
	whole func() []byte // nil where it is not held
}

const (
	wholeAtMost = 16 << 20 // of one segment that is read as a whole
	heldAtMost  = 64 << 20 // of all of them
)

// read returns a value. It may be a part of the segment that is held.
func (p place) read() ([]byte, error) {
	if p.whole != nil {
		if b := p.whole(); p.off <= int64(len(b)) && int64(p.size) <= int64(len(b))-p.off {
			return b[p.off : p.off+int64(p.size) : p.off+int64(p.size)], nil
		}
		return nil, io.ErrUnexpectedEOF
	}
	v := make([]byte, p.size)
	_, err := p.r.ReadAt(v, p.off)
	return v, err
}

// Open makes a store of segments. Later ones win; those that are damaged are passed by.
func Open(segments []*os.File) *Store {
	s := &Store{index: map[Key]place{}, fresh: map[Key][]byte{}}
	for _, f := range slices.Backward(segments) { // the latest are the likeliest to be asked
		_ = s.load(f)
	}
	return s
}

func (s *Store) load(f *os.File) error {
	head := make([]byte, headSize)
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	n := binary.BigEndian.Uint64(head[len(magic):])
	if string(head[:len(magic)]) != magic || n > maxEntries {
		return errors.New("no segment of this version")
	}
	index := make([]byte, int(n)*entrySize+sha256.Size)
	if _, err := f.ReadAt(index, int64(headSize)); err != nil {
		return err
	}
	entries, sum := index[:int(n)*entrySize], index[int(n)*entrySize:]
	if want := checksum(head, entries); !bytes.Equal(sum, want[:]) {
		return errors.New("checksum")
	}
	src := s.source(f)
	for ; len(entries) > 0; entries = entries[entrySize:] {
		p := place{src, int64(binary.BigEndian.Uint64(entries[sha256.Size:])), binary.BigEndian.Uint32(entries[sha256.Size+8:]), binary.BigEndian.Uint32(entries[sha256.Size+12:])}
		if p.off < 0 || p.size > maxValue {
			return errors.New("entry out of bounds")
		}
		s.index[Key(entries)] = p
	}
	return nil
}

func (s *Store) source(f *os.File) *source {
	src := &source{r: f}
	info, err := f.Stat()
	if err != nil || info.Size() > wholeAtMost || s.held+info.Size() > heldAtMost {
		return src
	}
	s.held += info.Size()
	src.whole = sync.OnceValue(func() []byte {
		b := make([]byte, info.Size())
		n, _ := f.ReadAt(b, 0)
		return b[:n] // what is missing is a damaged value
	})
	return src
}

func checksum(head, entries []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(head)
	h.Write(entries)
	return [sha256.Size]byte(h.Sum(nil))
}

// Get returns the value of a key, and whether it is known. The caller does not change it.
func (s *Store) Get(k Key) ([]byte, bool) {
	if s == nil {
		return nil, false
	}
	if p, ok := s.index[k]; ok {
		v, err := p.read()
		if err != nil || crc32.Checksum(v, castagnoli) != p.sum {
			return nil, false
		}
		return v, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.fresh[k]
	return v, ok
}

// Knows reports whether an earlier run learned the value of a key.
func (s *Store) Knows(k Key) bool {
	if s == nil {
		return false
	}
	_, ok := s.index[k]
	return ok
}

// Put learns the value of a key, unless it is known.
func (s *Store) Put(k Key, v []byte) {
	if s == nil || len(v) > maxValue {
		return
	}
	if _, ok := s.index[k]; ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh[k] = v
}

// WriteTo writes what was learned as a segment; nothing where nothing was.
func (s *Store) WriteTo(w io.Writer) (int64, error) {
	if s == nil || len(s.fresh) == 0 {
		return 0, nil
	}
	keys := slices.SortedFunc(maps.Keys(s.fresh), func(a, b Key) int { return bytes.Compare(a[:], b[:]) })
	head := binary.BigEndian.AppendUint64([]byte(magic), uint64(len(keys)))
	var entries []byte
	off := int64(headSize + len(keys)*entrySize + sha256.Size)
	for _, k := range keys {
		entries = append(entries, k[:]...)
		entries = binary.BigEndian.AppendUint64(entries, uint64(off))
		entries = binary.BigEndian.AppendUint32(entries, uint32(len(s.fresh[k])))
		entries = binary.BigEndian.AppendUint32(entries, crc32.Checksum(s.fresh[k], castagnoli))
		off += int64(len(s.fresh[k]))
	}
	sum := checksum(head, entries)
	for _, p := range [][]byte{head, entries, sum[:]} {
		if _, err := w.Write(p); err != nil {
			return 0, err
		}
	}
	for _, k := range keys {
		if _, err := w.Write(s.fresh[k]); err != nil {
			return 0, err
		}
	}
	return off, nil
}

// Dir is a cache's directory.
type Dir struct {
	Path     string
	MaxBytes int64 // of all segments; the oldest go first
	MaxFiles int
}

// Segments opens the segments, oldest first. The caller closes them. A directory that is
// not there has none.
func (d Dir) Segments() ([]*os.File, error) {
	list, err := d.list()
	if err != nil {
		return nil, err
	}
	var out []*os.File
	for _, s := range list {
		f, err := os.Open(s.path)
		if errors.Is(err, os.ErrNotExist) {
			continue // another run put it away
		}
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, nil
}

type segment struct {
	path string
	size int64
	time time.Time
}

func (d Dir) list() ([]segment, error) {
	names, err := filepath.Glob(filepath.Join(d.Path, "*"+extension))
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, n := range names {
		info, err := os.Stat(n)
		if err != nil {
			continue
		}
		out = append(out, segment{n, info.Size(), info.ModTime()})
	}
	slices.SortFunc(out, func(a, b segment) int { return cmp.Or(a.time.Compare(b.time), cmp.Compare(a.path, b.path)) })
	return out, nil
}

// Add adds the segment that r holds, which is checked first, and puts the oldest away
// where the cache grows too large.
func (d Dir) Add(r io.ReaderAt, size int64) error {
	if size == 0 {
		return nil
	}
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return err
	}
	part, err := os.CreateTemp(d.Path, "part-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part.Name()) }() // gone by then, when all went well
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(part, h), io.NewSectionReader(r, 0, size))
	if err == nil {
		err = Open(nil).load(part)
	}
	if err := cmp.Or(err, part.Close()); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	name := filepath.Join(d.Path, hex.EncodeToString(h.Sum(nil)[:16])+extension)
	if err := os.Rename(part.Name(), name); err != nil {
		return err
	}
	list, err := d.list()
	if err != nil {
		return err
	}
	total := int64(0)
	for _, s := range list {
		total += s.size
	}
	for i := 0; i < len(list)-1 && (total > d.MaxBytes || len(list)-i > d.MaxFiles); i++ {
		total -= list[i].size
		_ = os.Remove(list[i].path)
	}
	return nil
}
