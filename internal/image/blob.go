package image

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/vesalius-project/vesalius/internal/budget"
)

// Blob is a block of bytes with random access: a part of the input, a file, a
// decompressed stream. Small ones lie in memory, large ones in the input or in the
// spill file. A Blob is immutable and safe for concurrent use.
type Blob struct {
	data []byte      // the bytes, where they lie in memory
	r    io.ReaderAt // else where they are
	off  int64
	size int64
}

// BytesBlob returns a Blob over b, which must not change afterwards.
func BytesBlob(b []byte) *Blob { return &Blob{data: b, size: int64(len(b))} }

// ReaderBlob returns a Blob over the first size bytes of r.
func ReaderBlob(r io.ReaderAt, size int64) *Blob { return &Blob{r: r, size: size} }

// Size returns the number of bytes.
func (b *Blob) Size() int64 { return b.size }

// Bytes returns all bytes without copying where they lie in memory. The caller must not
// change them.
func (b *Blob) Bytes() ([]byte, bool) { return b.data, b.data != nil || b.size == 0 }

// ReadAt reads as io.ReaderAt promises.
func (b *Blob) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > b.size {
		return 0, fmt.Errorf("offset %#x past end %#x", off, b.size)
	}
	if b.data != nil {
		n := copy(p, b.data[off:])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	cut := int64(len(p)) > b.size-off
	if cut {
		p = p[:b.size-off]
	}
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := b.r.ReadAt(p, b.off+off)
	if n == len(p) {
		err = nil
	}
	if err == nil && cut {
		err = io.EOF
	}
	return n, err
}

// View returns n bytes at off. Where the Blob lies in memory they are not copied; the
// caller must not change them. Fewer bytes than asked for are an error.
func (b *Blob) View(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > b.size || n > b.size-off {
		return nil, fmt.Errorf("bytes %#x+%#x past end %#x", off, n, b.size)
	}
	if b.data != nil {
		return b.data[off : off+n : off+n], nil
	}
	if n == 0 {
		return nil, nil
	}
	return b.peek(nil, off, n)
}

// peek is View into buf, where it is large enough and bytes have to be copied.
func (b *Blob) peek(buf []byte, off, n int64) ([]byte, error) {
	if b.data != nil {
		return b.View(off, n)
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if k, err := b.ReadAt(buf, off); int64(k) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("bytes %#x+%#x: %w", off, n, err)
	}
	return buf, nil
}

// reuse returns what peek gave as a buffer for the next one, nil where it is the Blob's
// own memory.
func (b *Blob) reuse(p []byte) []byte {
	if b.data != nil {
		return nil
	}
	return p
}

// Slice returns the part of n bytes at off; where it passes the end it is cut there.
func (b *Blob) Slice(off, n int64) *Blob {
	off = min(max(off, 0), b.size)
	n = min(max(n, 0), b.size-off)
	if b.data != nil {
		return &Blob{data: b.data[off : off+n : off+n], size: n}
	}
	return &Blob{r: b.r, off: b.off + off, size: n}
}

// From returns the part from off to the end.
func (b *Blob) From(off int64) *Blob { return b.Slice(off, b.size-off) }

// Reader returns a reader over all bytes.
func (b *Blob) Reader() *io.SectionReader { return io.NewSectionReader(b, 0, b.size) }

// WriteTo writes all bytes to w.
func (b *Blob) WriteTo(w io.Writer) (int64, error) {
	if b.data != nil {
		n, err := w.Write(b.data)
		return int64(n), err
	}
	return io.Copy(w, b.Reader())
}

// Spill is the one file that takes what is too large for memory: decompressed disk
// images and the like. It is unlinked from the start and only ever grows. A nil Spill
// refuses.
type Spill struct {
	mu  sync.Mutex
	f   *os.File
	end int64
}

// NewSpill returns a spill over f, which the caller has opened (and should have
// unlinked) and closes.
func NewSpill(f *os.File) *Spill { return &Spill{f: f} }

// store makes a Blob of what write writes: in memory up to the budget's Memory, beyond it
// in the spill file. in points to the size of the compressed input, for the expansion
// limit, and may grow while write runs; hint is the expected size or 0. A write that stops with an error gives the Blob
// of what came until then together with the error.
func (e *engine) store(write func(io.Writer) error, in *int64, hint int64) (*Blob, error) {
	return keep(&storer{ctx: e.ctx, in: in, budget: e.opts.Budget, spill: e.opts.Spill}, write, hint)
}

// storeCharged is store for a file whose size is known and was charged already.
func (e *engine) storeCharged(write func(io.Writer) error, size int64) (*Blob, error) {
	return keep(&storer{ctx: e.ctx, budget: e.opts.Budget, spill: e.opts.Spill, charged: true}, write, size)
}

func keep(w *storer, write func(io.Writer) error, hint int64) (*Blob, error) {
	if hint > 0 && hint <= w.budget.Limits().Memory {
		w.mem.Grow(int(hint))
	}
	err := guard(func() error { return write(w) })
	if w.section == nil {
		return &Blob{data: w.mem.Bytes(), size: int64(w.mem.Len())}, err
	}
	w.section.flush()
	return w.section.blob(), errors.Join(err, w.section.err)
}

// Copy writes the content of a regular file once more, to its end or to what of it cannot
// be read, which is the error.
func Copy(w io.Writer, n *Node) error {
	return guard(func() error {
		switch {
		case n.Data != nil:
			_, err := n.Data.Slice(0, n.Size).WriteTo(w)
			return err
		case n.Stream != nil:
			return n.Stream(&exact{w, n.Size})
		}
		return nil
	})
}

// guard turns a panic of a format's reader into an error: one damaged container must not
// end the scan.
func guard(read func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reader gave up: %v", r)
		}
	}()
	return read()
}

// storer collects a stream of unknown length.
type storer struct {
	ctx     context.Context
	in      *int64
	n       int64
	charged bool
	budget  *budget.Budget
	spill   *Spill
	mem     bytes.Buffer
	section *section
}

func (w *storer) Write(p []byte) (int, error) {
	n := w.n + int64(len(p))
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if !w.charged {
		if err := cmp.Or(w.budget.Size(n), w.budget.Expansion(*w.in, n), w.budget.Bytes(int64(len(p)))); err != nil {
			return 0, err
		}
	}
	w.n = n
	if w.section == nil && n <= w.budget.Limits().Memory {
		return w.mem.Write(p)
	}
	if w.section == nil {
		if w.spill == nil {
			return 0, &budget.LimitError{Limit: "bytes in memory without a spill file", Max: w.budget.Limits().Memory}
		}
		w.section = &section{spill: w.spill}
		w.section.write(w.mem.Bytes())
		w.mem = bytes.Buffer{}
	}
	w.section.write(p)
	return len(p), w.section.err
}

// section is one blob in the spill file: chunks of it, since others write too.
type section struct {
	spill  *Spill
	buf    []byte
	chunks []int64 // offsets in the spill file, each spillChunk long but the last
	size   int64
	err    error
}

const spillChunk = 1 << 20

func (s *section) write(p []byte) {
	for len(p) > 0 {
		n := min(len(p), spillChunk-len(s.buf))
		s.buf = append(s.buf, p[:n]...)
		p = p[n:]
		if len(s.buf) == spillChunk {
			s.flush()
		}
	}
}

func (s *section) flush() {
	if len(s.buf) == 0 || s.err != nil {
		return
	}
	s.spill.mu.Lock()
	at := s.spill.end
	s.spill.end += spillChunk
	s.spill.mu.Unlock()
	if _, err := s.spill.f.WriteAt(s.buf, at); err != nil {
		s.err = fmt.Errorf("spill file: %w", err)
		return
	}
	s.chunks = append(s.chunks, at)
	s.size += int64(len(s.buf))
	s.buf = s.buf[:0]
}

func (s *section) blob() *Blob {
	return &Blob{r: &chunked{s.spill.f, s.chunks}, size: s.size}
}

// chunked reads chunks that lie scattered in a file as one.
type chunked struct {
	f      io.ReaderAt
	chunks []int64
}

func (c *chunked) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		i := (off + int64(done)) / spillChunk
		if i >= int64(len(c.chunks)) {
			return done, io.EOF
		}
		in := (off + int64(done)) % spillChunk
		n, err := c.f.ReadAt(p[done:min(len(p), done+int(spillChunk-in))], c.chunks[i]+in)
		done += n
		if err != nil && (!errors.Is(err, io.EOF) || n == 0) {
			return done, err
		}
	}
	return done, nil
}
