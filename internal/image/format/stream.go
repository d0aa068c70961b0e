package format

import (
	"bufio"
	"bytes"
	"io"

	"github.com/vesalius-project/vesalius/internal/image"
)

// source reads a blob from an offset and knows how far it was read. Its reader gives
// single bytes as well, so that a decompressor needs no buffer of its own and takes
// nothing that lies behind its stream.
type source struct {
	blob   *image.Blob
	base   int64
	memory *bytes.Reader // where the blob lies in memory
	file   *io.SectionReader
	buffer *bufio.Reader
}

func newSource(b *image.Blob, off int64) *source {
	s := &source{blob: b, base: off}
	if p, ok := b.From(off).Bytes(); ok {
		s.memory = bytes.NewReader(p)
		return s
	}
	s.file = b.From(off).Reader()
	s.buffer = bufio.NewReaderSize(s.file, 64<<10)
	return s
}

// reader returns the reader; decompressors know both of its types and are quicker with
// them than with any other.
func (s *source) reader() interface {
	io.Reader
	io.ByteReader
} {
	if s.memory != nil {
		return s.memory
	}
	return s.buffer
}

// at is the offset in the blob of the next byte.
func (s *source) at() int64 {
	if s.memory != nil {
		return s.base + s.memory.Size() - int64(s.memory.Len())
	}
	n, _ := s.file.Seek(0, io.SeekCurrent)
	return s.base + n - int64(s.buffer.Buffered())
}

// next returns up to n bytes that come next, without reading them.
func (s *source) next(n int64) []byte {
	at := s.at()
	p, err := s.blob.View(at, min(n, s.blob.Size()-at))
	if err != nil {
		return nil
	}
	return p
}

// noted writes to w, and notes with each write how much of the source it took.
type noted struct {
	io.Writer
	source *source
	size   *int64
}

func (n *noted) Write(p []byte) (int, error) {
	*n.size = n.source.at()
	return n.Writer.Write(p)
}

// held holds back the first bytes of a stream until there are so many that it cannot be
// mere chance that the bytes decompress at all. What is held back when the stream breaks
// off is never written.
type held struct {
	io.Writer
	first []byte
	until int
	open  bool
	err   error // of the writer below, which is no fault of the stream
}

func hold(w io.Writer, n int) *held { return &held{Writer: w, until: n} }

func (h *held) Write(p []byte) (n int, err error) {
	if !h.open && len(h.first)+len(p) < h.until {
		h.first = append(h.first, p...)
		return len(p), nil
	}
	if err := h.release(); err != nil {
		return 0, err
	}
	if n, err = h.Writer.Write(p); err != nil {
		h.err = err
	}
	return n, err
}

// release writes what is held back: the stream is one.
func (h *held) release() error {
	if h.open {
		return nil
	}
	h.open = true
	if len(h.first) > 0 {
		_, h.err = h.Writer.Write(h.first)
	}
	h.first = nil
	return h.err
}

// stream is the content of a format that compresses one stream: an error from read is
// kept, but where it comes before least bytes nothing is written.
func stream(attrs map[string]string, name string, least int, read func(w io.Writer, size *int64) error) *image.Content {
	return &image.Content{Attributes: attrs, Parts: []image.Part{{Name: name, Measure: func(w io.Writer, size *int64) error {
		*size = 0
		h := hold(w, least)
		if err := read(h, size); err != nil {
			return err
		}
		return h.release()
	}}}}
}
