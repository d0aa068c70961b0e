package format

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"github.com/vesalius-project/vesalius/internal/image"
)

var gzipStream = &image.Format{
	Name:    "gzip",
	Title:   "gzip stream",
	Class:   "compression",
	Where:   "kernels, root file systems and updates of nearly every Linux device",
	Spec:    "RFC 1952",
	Rebuild: repacked(packGzip),
	Magic:   []image.Magic{{Offset: 0, Bytes: "\x1f\x8b\x08"}},
	Open:    openGzip,
}

// least is how many bytes a stream must give before it breaks off to count as a damaged
// stream and not as bytes that only look like the start of one.
const least = 64

// openGzip opens the members of a gzip file that lie one behind the other.
func openGzip(in *image.Input) (*image.Content, error) {
	h, err := gzipHeader(in.Blob, 0)
	if err != nil {
		return nil, err
	}
	attrs := map[string]string{}
	if h.name != "" {
		attrs["name"] = h.name
	}
	if h.comment != "" {
		attrs["comment"] = h.comment
	}
	if h.time != 0 {
		attrs["time"] = strconv.FormatUint(uint64(h.time), 10)
	}
	return stream(attrs, h.name, least, func(w io.Writer, size *int64) error {
		s := newSource(in.Blob, 0)
		z, err := gzip.NewReader(s.reader())
		for err == nil {
			z.Multistream(false)
			if _, err = z.WriteTo(&noted{w, s, size}); err != nil {
				break
			}
			*size = s.at()
			if _, err := gzipHeader(in.Blob, *size); err != nil {
				return nil
			}
			err = z.Reset(s.reader())
		}
		*size = max(*size, s.at())
		return err
	}), nil
}

// gzipMember is the header of a member.
type gzipMember struct {
	name, comment string
	time          uint32
}

// gzipHeader reads the header of a member. It believes only headers that a program would
// write: three bytes of magic are too few to find one in the middle of unknown bytes.
func gzipHeader(b *image.Blob, at int64) (gzipMember, error) {
	var m gzipMember
	p, err := b.View(at, min(10, b.Size()-at))
	if err != nil || len(p) < 10 || string(p[:3]) != "\x1f\x8b\x08" {
		return m, image.ErrNot
	}
	flags, level, system := p[3], p[8], p[9]
	if flags&0xe0 != 0 || level != 0 && level != 2 && level != 4 || system > 13 && system != 255 {
		return m, fmt.Errorf("gzip header: %w", image.ErrNot)
	}
	m.time = binary.LittleEndian.Uint32(p[4:])
	at += 10
	if flags&4 != 0 {
		p, err := b.View(at, 2)
		if err != nil {
			return m, image.ErrNot
		}
		at += 2 + int64(binary.LittleEndian.Uint16(p))
	}
	text := func() (string, error) {
		p, err := b.View(at, max(0, min(1024, b.Size()-at)))
		if err != nil {
			return "", err
		}
		for i, c := range p {
			if c == 0 {
				at += int64(i) + 1
				return string(p[:i]), nil
			}
			if c < ' ' && c != '\t' && c != '\n' {
				break
			}
		}
		return "", fmt.Errorf("name: %w", image.ErrNot)
	}
	if flags&8 != 0 {
		if m.name, err = text(); err != nil {
			return m, err
		}
	}
	if flags&16 != 0 {
		if m.comment, err = text(); err != nil {
			return m, err
		}
	}
	return m, nil
}

var zlibStream = &image.Format{
	Name:    "zlib",
	Title:   "zlib stream",
	Class:   "compression",
	Where:   "boot logos, vendors' own update containers",
	Spec:    "RFC 1950",
	Limits:  "streams with a preset dictionary; found at the start of an input, part or file only",
	Rebuild: repacked(packZlib),
	Magic: []image.Magic{
		{Offset: 0, Bytes: "\x78\x01"}, {Offset: 0, Bytes: "\x78\x5e"},
		{Offset: 0, Bytes: "\x78\x9c"}, {Offset: 0, Bytes: "\x78\xda"},
	},
	Weak: true,
	Open: func(in *image.Input) (*image.Content, error) {
		// Two bytes of magic are believed when much of the stream inflates, or all of it
		// with the right checksum.
		return stream(nil, "", 16<<10, func(w io.Writer, size *int64) error {
			s := newSource(in.Blob, 0)
			z, err := zlib.NewReader(s.reader())
			if err == nil {
				_, err = io.Copy(&noted{w, s, size}, z)
			}
			*size = s.at()
			return doubtful(w, err)
		}), nil
	},
}

// doubtful makes an error of a stream of weak magic into ErrNot, unless so much of it was
// read that it must be one.
func doubtful(w io.Writer, err error) error {
	if h, ok := w.(*held); err != nil && ok && !h.open && h.err == nil {
		return fmt.Errorf("%w: %w", image.ErrNot, err)
	}
	return err
}
