package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

// unpackLZMA returns an unpacker of .lzma streams, and of the headerless ones that some
// vendors write: those have the usual properties, or their properties byte in front.
func unpackLZMA() unpacker {
	const usual = 3 + 9*(0+5*2) // lc 3, lp 0, pb 2
	pool := sync.Pool{New: func() any { return new(lzma.Decoder) }}
	return func(dst, src []byte) ([]byte, error) {
		d := pool.Get().(*lzma.Decoder)
		defer pool.Put(d)
		if h, err := lzma.ParseHeader(src); err == nil && h.Size <= int64(cap(dst)) {
			limit := cap(dst)
			if h.Size >= 0 {
				limit = int(h.Size)
			}
			out, _, err := d.Raw(dst[:0:limit], src[lzma.HeaderSize:], h.Props)
			if err == nil {
				return out, nil
			}
		}
		var first error
		for _, try := range []struct {
			skip  int
			props byte
		}{{0, usual}, {1, 0}, {4, usual}, {5, 0}} {
			if len(src) < try.skip+5 {
				break
			}
			props := try.props
			if props == 0 {
				props = src[0]
			}
			out, _, err := d.Raw(dst[:0], src[try.skip:], props)
			// Headerless data has no end: what was made when the input ended is the block.
			if err == nil || errors.Is(err, lzma.ErrShort) && len(out) > 0 {
				return out, nil
			}
			if first == nil {
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
