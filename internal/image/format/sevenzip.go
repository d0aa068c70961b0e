package format

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/klauspost/compress/flate"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format/internal/bzip2"
	"github.com/vesalius-project/vesalius/internal/image/format/internal/lzma"
)

var sevenZip = &image.Format{
	Name:  "7z",
	Title: "7z archive",
	Class: "archive",
	Where: "updates that a person unpacks: consoles, Windows devices",
	Spec: "7-Zip's DOC/7zFormat.txt. Attributes: files, blocks (of files that were packed as one). The one part is what the archive " +
		"holds, in the form of a tar archive: files that were packed as one can only be read in one go",
	Limits: "encrypted archives, and files packed by PPMd, BCJ2, deflate64, LZ4 or zstd are named, not read; archives in several volumes",
	Magic:  []image.Magic{{Offset: 0, Bytes: "7z\xbc\xaf\x27\x1c"}},
	Open:   openSevenZip,
}

const (
	sevenStart  = 32
	sevenHeader = 16 << 20 // most bytes of a header
	sevenFiles  = 1 << 20
	sevenFilter = 256 << 20 // most bytes that a converter undoes: they lie in memory
)

// sevenCoder is one step of unpacking.
type sevenCoder struct {
	method  string
	props   []byte
	in, out int
}

// sevenFolder is a block of files that were packed as one.
type sevenFolder struct {
	coders   []sevenCoder
	at, size int64 // packed
	plain    int64
	single   bool // a plain chain from one packed stream
	files    []*sevenFile
	sizes    []int64
	sums     []uint32
	summed   []bool
	sum      uint32
	hasSum   bool
	last     int // the coder that makes the content
}

func openSevenZip(in *image.Input) (*image.Content, error) {
	p, err := in.View(0, sevenStart)
	if err != nil || p[6] != 0 {
		return nil, image.ErrNot
	}
	if crc32.ChecksumIEEE(p[12:32]) != le32(p[8:]) {
		return nil, errors.New("start header: wrong checksum")
	}
	at, size := int64(le64(p[12:])), int64(le64(p[20:]))
	if at < 0 || size < 0 || at > in.Size() || size > min(in.Size()-at, sevenHeader) || at+sevenStart+size > in.Size() {
		return nil, fmt.Errorf("header of %d bytes at %#x, past the end %#x", size, at, in.Size())
	}
	c := &image.Content{Size: sevenStart + at + size, Attributes: map[string]string{}}
	head, err := in.View(sevenStart+at, size)
	if err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(head) != le32(p[28:]) {
		return nil, errors.New("header: wrong checksum")
	}
	a := &sevenArchive{in: in}
	for depth := 0; len(head) > 0 && head[0] == 0x17; depth++ { // a header that is packed itself
		r := &sevenReader{p: head[1:]}
		folders := r.streams(a)
		if r.err != nil || len(folders) != 1 || depth > 2 || folders[0].plain > sevenHeader {
			return nil, fmt.Errorf("packed header: %w", errors.Join(r.err, errors.New("its list of streams")))
		}
		var b bytes.Buffer
		if err := a.unpack(&b, folders[0]); err != nil {
			return nil, fmt.Errorf("packed header: %w", err)
		}
		head = b.Bytes()
	}
	if len(head) > 0 {
		if err := a.header(head); err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
	}
	c.Attributes["files"], c.Attributes["blocks"] = strconv.Itoa(len(a.files)), strconv.Itoa(len(a.folders))
	if err := in.Budget.Files(int64(len(a.files))); err != nil {
		return nil, err
	}
	for _, f := range a.folders {
		if why := f.refusal(); why != "" && len(c.Gaps) < maxEntryGaps {
			c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: f.at}, Size: f.size, Reason: "unsupported",
				Why: fmt.Sprintf("%d files, the first is %q: %s", len(f.files), f.first(), why)})
		}
	}
	if len(a.files) > 0 {
		c.Parts = []image.Part{{Name: "content", Stream: a.write, Input: c.Size, Offset: sevenStart}}
	}
	return c, nil
}

// first is the name of the first file of a folder.
func (f *sevenFolder) first() string {
	if len(f.files) == 0 {
		return ""
	}
	return f.files[0].name
}

// Methods, by their numbers.
const (
	sevenCopy    = "\x00"
	sevenLZMA    = "\x03\x01\x01"
	sevenLZMA2   = "\x21"
	sevenDeflate = "\x04\x01\x08"
	sevenBzip2   = "\x04\x02\x02"
)

// sevenFilters are the converters, by their number in the xz format.
var sevenFilters = map[string]byte{
	"\x03": 3, "\x04": 4, "\x05": 5, "\x06": 6, "\x07": 7, "\x08": 8, "\x09": 9, "\x0a": 10, "\x03\x03\x01\x03": 4,
	"\x03\x03\x02\x05": 5, "\x03\x03\x04\x01": 6, "\x03\x03\x05\x01": 7, "\x03\x03\x07\x01": 8, "\x03\x03\x08\x05": 9,
}

var sevenOthers = map[string]string{
	"\x03\x04\x01": "PPMd", "\x03\x03\x01\x1b": "BCJ2", "\x04\x01\x09": "deflate64", "\x04\xf7\x11\x01": "zstd", "\x04\xf7\x11\x04": "LZ4",
	"\x06\xf1\x07\x01": "encrypted by AES",
}

// refusal says why a folder is not read, empty where it is.
func (f *sevenFolder) refusal() string {
	for _, c := range f.coders {
		if why := sevenOthers[c.method]; why != "" {
			return why
		}
	}
	for i, c := range f.coders {
		_, filter := sevenFilters[c.method]
		switch {
		case filter && i+1 < len(f.coders):
			if f.plain > sevenFilter {
				return fmt.Sprintf("%d bytes behind a converter, more than %d", f.plain, sevenFilter)
			}
		case i+1 == len(f.coders) && (c.method == sevenCopy || c.method == sevenLZMA || c.method == sevenLZMA2 || c.method == sevenDeflate || c.method == sevenBzip2):
		default:
			return fmt.Sprintf("method %x", c.method)
		}
	}
	if !f.single || len(f.coders) == 0 {
		return "coders that do not follow each other"
	}
	return ""
}

// sevenArchive is an archive that is being read.
type sevenArchive struct {
	in      *image.Input
	folders []*sevenFolder
	files   []*sevenFile
}

// unpack writes the content of a folder to w.
func (a *sevenArchive) unpack(w io.Writer, f *sevenFolder) error {
	if why := f.refusal(); why != "" {
		return fmt.Errorf("%s: %w", why, image.ErrUnsupported)
	}
	if err := a.in.Budget.Size(f.plain); err != nil {
		return err
	}
	last := f.coders[len(f.coders)-1]
	if len(f.coders) == 1 {
		return a.decode(w, f, last)
	}
	var b bytes.Buffer // converters need all of it
	if err := a.decode(&b, f, last); err != nil {
		return err
	}
	p := b.Bytes()
	for i := len(f.coders) - 2; i >= 0; i-- {
		c, offset := f.coders[i], uint32(0)
		id := sevenFilters[c.method]
		if len(c.props) >= 4 {
			offset = le32(c.props)
		}
		if id == 3 {
			if offset = 1; len(c.props) > 0 {
				offset = uint32(c.props[0]) + 1
			}
		}
		lzma.Undo(id, offset, p)
	}
	_, err := w.Write(p)
	return err
}

// decode writes what the last coder of a folder, which reads the packed bytes, makes.
func (a *sevenArchive) decode(w io.Writer, f *sevenFolder, c sevenCoder) error {
	src := a.in.Slice(f.at, f.size)
	if src.Size() < f.size {
		return io.ErrUnexpectedEOF
	}
	w = &exactly{w, f.plain}
	used := int64(0)
	switch c.method {
	case sevenCopy:
		_, err := src.WriteTo(w)
		return err
	case sevenLZMA:
		if len(c.props) < 5 || int64(le32(c.props[1:])) > 1<<30 {
			return errors.New("properties of lzma")
		}
		return lzma.CopyRaw(w, src, src.Size(), c.props[0], int64(le32(c.props[1:])), f.plain, &used)
	case sevenLZMA2:
		if len(c.props) < 1 || c.props[0] > 40 {
			return errors.New("properties of lzma2")
		}
		// The stream of xz is the same, in an envelope.
		_, err := io.CopyN(w, lzma.NewXZ(io.MultiReader(bytes.NewReader(xzEnvelope(c.props[0])), src.Reader(), bytes.NewReader(make([]byte, 3)))), f.plain)
		return err
	case sevenDeflate:
		_, err := io.CopyN(w, flate.NewReader(src.Reader()), f.plain)
		return err
	}
	return bzip2.Copy(w, src, src.Size(), &used)
}

// xzEnvelope returns what stands in front of LZMA2 data in an xz stream without checksums.
func xzEnvelope(dict byte) []byte {
	sum := func(p []byte) []byte {
		n := crc32.ChecksumIEEE(p)
		return []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	}
	flags := []byte{0, 0}
	out := append([]byte("\xfd7zXZ\x00"), flags...)
	out = append(out, sum(flags)...)
	block := []byte{2, 0, 0x21, 1, dict, 0, 0, 0}
	return append(append(out, block...), sum(block)...)
}

// exactly refuses more bytes than a folder has.
type exactly struct {
	w    io.Writer
	left int64
}

func (x *exactly) Write(p []byte) (int, error) {
	if int64(len(p)) > x.left {
		return 0, errors.New("more bytes than the header says")
	}
	x.left -= int64(len(p))
	return x.w.Write(p)
}
