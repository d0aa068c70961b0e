package format

import (
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/vesalius-project/vesalius/internal/image"
)

// repacked is the Rebuild of a format that compresses one stream: the new content in one
// stream of the best compression that the usual tools give.
func repacked(open func(w io.Writer, in *image.Input) (io.WriteCloser, error)) func(io.Writer, *image.Input, *image.Changes) ([]string, error) {
	return func(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
		now := c.Parts[0]
		if now == nil || len(c.Edits) > 0 {
			return nil, fmt.Errorf("only its content can be changed: %w", image.ErrReadOnly)
		}
		z, err := open(w, in)
		if err != nil {
			return nil, err
		}
		if _, err := now.WriteTo(z); err != nil {
			return nil, err
		}
		return nil, z.Close()
	}
}

func packGzip(w io.Writer, in *image.Input) (io.WriteCloser, error) {
	h, err := gzipHeader(in.Blob, 0)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	z.Name, z.Comment = h.name, h.comment
	if h.time != 0 {
		z.ModTime = time.Unix(int64(h.time), 0)
	}
	return z, nil
}

func packZlib(w io.Writer, _ *image.Input) (io.WriteCloser, error) {
	return zlib.NewWriterLevel(w, zlib.BestCompression)
}

// packXZ writes with CRC32, the one check that the kernel's own reader knows.
func packXZ(w io.Writer, _ *image.Input) (io.WriteCloser, error) {
	return xz.WriterConfig{DictCap: 8 << 20, CheckSum: xz.CRC32}.NewWriter(w)
}

func packLZMA(w io.Writer, _ *image.Input) (io.WriteCloser, error) {
	return lzma.WriterConfig{DictCap: 8 << 20, EOSMarker: true}.NewWriter(w)
}

func packZstd(w io.Writer, _ *image.Input) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
}

func packLZ4(w io.Writer, _ *image.Input) (io.WriteCloser, error) {
	z := lz4.NewWriter(w)
	return z, z.Apply(lz4.CompressionLevelOption(lz4.Level9))
}
