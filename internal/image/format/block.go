package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"github.com/anchore/go-lzo"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/vesalius-project/vesalius/internal/image/format/internal/lzma"
)

// unpacker decompresses one block of a file system into dst[:0], whose capacity is the most
// that the block may hold. It is safe for concurrent use.
type unpacker func(dst, src []byte) ([]byte, error)

var errBlockSize = errors.New("block holds more than a block may")

// unpackZlib returns an unpacker of zlib streams.
func unpackZlib() unpacker {
	pool := sync.Pool{}
	return func(dst, src []byte) ([]byte, error) {
		in := bytes.NewReader(src)
		r, _ := pool.Get().(io.ReadCloser)
		if r == nil {
			var err error
			if r, err = zlib.NewReader(in); err != nil {
				return nil, err
			}
		} else if err := r.(zlib.Resetter).Reset(in, nil); err != nil {
			pool.Put(r)
			return nil, err
		}
		defer pool.Put(r)
		dst = dst[:cap(dst)]
		n, err := io.ReadFull(r, dst)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return dst[:n], nil
		}
		if err != nil {
			return dst[:n], err
		}
		var one [1]byte
		if k, _ := r.Read(one[:]); k > 0 {
			return nil, errBlockSize
		}
		return dst, nil
	}
}

// unpackDeflate returns an unpacker of bare deflate streams.
func unpackDeflate() unpacker {
	pool := sync.Pool{New: func() any { return flate.NewReader(nil) }}
	return func(dst, src []byte) ([]byte, error) {
		r := pool.Get().(io.ReadCloser)
		defer pool.Put(r)
		if err := r.(flate.Resetter).Reset(bytes.NewReader(src), nil); err != nil {
			return nil, err
		}
		dst = dst[:cap(dst)]
		n, err := io.ReadFull(r, dst)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return dst[:n], nil
		}
		if err != nil {
			return nil, err
		}
		var one [1]byte
		if k, _ := r.Read(one[:]); k > 0 {
			return nil, errBlockSize
		}
		return dst, nil
	}
}

// unpackXZ returns an unpacker of xz streams. Their checks are not verified: the kernel
// does not ask for them, and the digests of the files are taken anyway.
func unpackXZ() unpacker {
	pool := sync.Pool{New: func() any { return new(lzma.Decoder) }}
	return func(dst, src []byte) ([]byte, error) {
		d := pool.Get().(*lzma.Decoder)
		defer pool.Put(d)
		return d.XZ(dst[:0], src, false)
	}
}

// lzmaForm is where the stream begins in a block of lzma, and by which properties.
type lzmaForm struct {
	skip  int
	props byte
	size  int // of the content, -1 where the form does not say it
}

// lzmaForms returns the forms that a block may have, the likeliest first: the header of
// .lzma, that with a size in front, and what vendors left of it.
func lzmaForms(src []byte, most int) (forms []lzmaForm) {
	const usual = 3 + 9*(0+5*2) // lc 3, lp 0, pb 2
	if h, err := lzma.ParseHeader(src); err == nil && h.Size <= int64(most) {
		forms = append(forms, lzmaForm{lzma.HeaderSize, h.Props, int(h.Size)})
	}
	properties := func(p []byte) bool { // and the size of a dictionary, then the zero that each stream begins with
		dict := le32(p[1:])
		return p[0] < 225 && dict >= 1<<10 && bits.OnesCount32(dict) <= 2 && p[5] == 0
	}
	if len(src) > 10 && properties(src[4:]) && int64(le32(src)) <= int64(most) {
		forms = append(forms, lzmaForm{9, src[4], int(le32(src))})
	}
	if len(src) > 10 && properties(src) {
		forms = append(forms, lzmaForm{5, src[0], -1})
	}
	for _, f := range []lzmaForm{{0, usual, -1}, {1, 0, -1}, {4, usual, -1}} {
		if len(src) < f.skip+5 || src[f.skip] != 0 {
			continue
		}
		if f.props == 0 {
			f.props = src[0]
		}
		forms = append(forms, f)
	}
	return forms
}

// unpackLZMA returns an unpacker of .lzma streams, and of the forms without a header that
// some vendors write. A form that does not say its size has no end: what was made when the
// input ended is the block, and a little more where dst has room for it.
func unpackLZMA() unpacker {
	pool := sync.Pool{New: func() any { return new(lzma.Decoder) }}
	return func(dst, src []byte) ([]byte, error) {
		d := pool.Get().(*lzma.Decoder)
		defer pool.Put(d)
		first := errors.New("no form of lzma")
		for i, f := range lzmaForms(src, cap(dst)) {
			limit := cap(dst)
			if f.size >= 0 {
				limit = f.size
			}
			out, _, err := d.Raw(dst[:0:limit], src[f.skip:], f.props)
			if err == nil || f.size < 0 && errors.Is(err, lzma.ErrShort) && len(out) > 0 {
				return out, nil
			}
			if i == 0 {
				first = err
			}
		}
		return nil, first
	}
}

// unpackLZO returns an unpacker of LZO1X blocks.
func unpackLZO() unpacker {
	return func(dst, src []byte) (out []byte, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("lzo: %v", r)
			}
		}()
		dst = dst[:cap(dst)]
		n, err := lzo.Decompress(src, dst)
		if err != nil {
			return nil, err
		}
		return dst[:n], nil
	}
}

// unpackLZ4 returns an unpacker of bare LZ4 blocks.
func unpackLZ4() unpacker {
	return func(dst, src []byte) ([]byte, error) {
		n, err := lz4.UncompressBlock(src, dst[:cap(dst)])
		if err != nil {
			return nil, err
		}
		return dst[:n], nil
	}
}

// unpackZstd returns an unpacker of zstd frames.
func unpackZstd() (unpacker, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, err
	}
	return func(dst, src []byte) ([]byte, error) {
		out, err := d.DecodeAll(src, dst[:0])
		if err != nil {
			return nil, err
		}
		if len(out) > cap(dst) {
			return nil, errBlockSize
		}
		return out, nil
	}, nil
}
