package lzma

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	streamOut = 64 << 10 // output made at a time
	// A literal costs at most 9 decisions of less than 7 bits each: with so much input
	// at hand one step of output does not run dry.
	streamIn = 9 * streamOut
)

// CopyAlone decodes the .lzma file at the start of the size bytes of r and writes it to w.
// It keeps used at the number of bytes of r that it has taken, and leaves it at those of
// the file.
func CopyAlone(w io.Writer, r io.ReaderAt, size int64, used *int64) error {
	var b [HeaderSize]byte
	if n, err := r.ReadAt(b[:min(HeaderSize, size)], 0); n < HeaderSize {
		return short(err)
	}
	h, err := ParseHeader(b[:])
	if err != nil {
		return err
	}
	*used = HeaderSize
	s := &stream{w: w, r: r, size: size, used: used}
	_, err = s.copy(h.Props, int64(h.Dict), h.Size)
	return err
}

// CopyRaw decodes the headerless LZMA data at the start of the size bytes of r: plain bytes
// of output, or up to the end marker where plain is -1. used is as for [CopyAlone].
func CopyRaw(w io.Writer, r io.ReaderAt, size int64, props byte, dict, plain int64, used *int64) error {
	*used = 0
	s := &stream{w: w, r: r, size: size, used: used}
	_, err := s.copy(props, dict, plain)
	return err
}

// lzipHeader and lzipTrailer are the sizes around the LZMA data of a member: "LZIP",
// version, dictionary; checksum, size of the output, size of the member.
const (
	lzipHeader  = 6
	lzipTrailer = 20
	lzipProps   = 3 + 9*(0+5*2)
)

// lzipDict returns the dictionary size of a member, 0 where p is no header of one.
func lzipDict(p []byte) int64 {
	if len(p) < lzipHeader || string(p[:5]) != "LZIP\x01" {
		return 0
	}
	// The size is a power of two less a number of its sixteenths.
	n := int64(1) << (p[5] & 31)
	n -= n / 16 * int64(p[5]>>5)
	if n < 4<<10 || n > 512<<20 {
		return 0
	}
	return n
}

// CopyLzip decodes the lzip members that lie one behind the other at the start of the size
// bytes of r and writes them to w. used is as for [CopyAlone].
func CopyLzip(w io.Writer, r io.ReaderAt, size int64, used *int64) error {
	s := &stream{w: w, r: r, size: size, used: used}
	for first := true; ; first = false {
		start := *used
		var b [lzipTrailer]byte
		n, _ := r.ReadAt(b[:min(lzipHeader, size-start)], start)
		dict := lzipDict(b[:n])
		if dict == 0 {
			if first {
				return errors.New("lzip: no header")
			}
			return nil
		}
		*used += lzipHeader
		s.sum = crc32.NewIEEE()
		plain, err := s.copy(lzipProps, dict, -1)
		if err != nil {
			return err
		}
		if n, err := r.ReadAt(b[:min(lzipTrailer, size-*used)], *used); n < lzipTrailer {
			return short(err)
		}
		*used += lzipTrailer
		le := binary.LittleEndian
		if le.Uint32(b[:]) != s.sum.Sum32() || le.Uint64(b[4:]) != uint64(plain) || le.Uint64(b[12:]) != uint64(*used-start) {
			return errors.New("lzip: checksum or size of a member")
		}
	}
}

func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return ErrShort
	}
	return err
}

// stream decodes LZMA data whose input does not lie in memory.
type stream struct {
	w    io.Writer
	r    io.ReaderAt
	size int64
	used *int64 // offset in r of what is not yet decoded
	sum  interface {
		io.Writer
		Sum32() uint32
	}
	d   Decoder
	buf []byte
	end int64 // offset in r behind buf
}

// refill makes the input at hand at least streamIn bytes, or all that there is.
func (s *stream) refill() error {
	d := &s.d
	if len(d.in)-d.pos >= streamIn || s.end == s.size {
		return nil
	}
	if s.buf == nil {
		s.buf = make([]byte, min(4*streamIn, s.size-s.end))
	}
	n := copy(s.buf, d.in[d.pos:])
	p := s.buf[n:]
	p = p[:min(int64(len(p)), s.size-s.end)]
	k, err := s.r.ReadAt(p, s.end)
	if k < len(p) {
		return short(err)
	}
	s.end += int64(k)
	d.in, d.pos = s.buf[:n+k], 0
	return nil
}

// copy decodes from used on, plain bytes or up to the end marker where plain is -1, and
// returns the bytes that it wrote.
func (s *stream) copy(props byte, dict, plain int64) (done int64, err error) {
	d := &s.d
	if err := d.props(props); err != nil {
		return 0, err
	}
	d.reset()
	d.in, d.pos, d.out, d.start, s.end, s.buf = nil, 0, d.out[:0], 0, *s.used, nil
	if err := s.refill(); err != nil {
		return 0, err
	}
	if err := d.begin(d.in); err != nil {
		return 0, err
	}
	window := max(dict, 4096)
	if plain >= 0 {
		window = min(window, plain)
	}
	window = min(window, maxWindow)
	for {
		n := int64(streamOut)
		if plain >= 0 {
			n = min(n, plain-done)
		}
		if cap(d.out)-len(d.out) < int(n) {
			d.slide(int(window), int(n))
		}
		if err := s.refill(); err != nil {
			return done, err
		}
		from := len(d.out)
		end, err := d.run(from + int(n))
		made := d.out[from:]
		done += int64(len(made))
		*s.used = s.end - int64(len(d.in)-d.pos)
		if s.sum != nil {
			_, _ = s.sum.Write(made)
		}
		if _, werr := s.w.Write(made); werr != nil {
			return done, werr
		}
		switch {
		case err != nil:
			return done, fmt.Errorf("%w after %d bytes", err, done)
		case end && plain >= 0 && done < plain:
			return done, errors.New("lzma: less output than announced")
		case end || plain >= 0 && done >= plain:
			return done, nil
		}
	}
}
