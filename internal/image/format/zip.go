package format

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format/internal/bzip2"
	"github.com/vesalius-project/vesalius/internal/image/format/internal/lzma"
)

var zip = &image.Format{
	Name:   "zip",
	Title:  "ZIP archive",
	Class:  "archive",
	Where:  "updates, Java and Android programs, Python eggs",
	Spec:   "PKWARE APPNOTE 6.3.10",
	Limits: "encrypted entries, Deflate64 and older methods, archives in several files; checksums of stored entries are not compared",
	Magic:  []image.Magic{{Offset: 0, Bytes: zipLocal}, {Offset: 0, Bytes: zipEnd}},
	Open:   openZip,
}

const (
	zipLocal   = "PK\x03\x04"
	zipCentral = "PK\x01\x02"
	zipEnd     = "PK\x05\x06"
	zip64End   = "PK\x06\x06"
	zip64Where = "PK\x06\x07"
	zipAfter   = "PK\x07\x08" // what stands behind an entry whose sizes came too late for its header

	zipLocalSize   = 30
	zipCentralSize = 46
	zipEndSize     = 22
	zipEncrypted   = 1 << 0
	zipSizesAfter  = 1 << 3

	zipDeflate = 8
)

// zipEntry is one entry, as its header in the central directory or before it says.
type zipEntry struct {
	name                  string
	host                  byte
	flags, method         uint16
	crc                   uint32
	mtime                 int64
	packed, plain, header int64 // header: offset of the local header
	mode                  uint32
	uid, gid              int
}

// zipEndAt is where an archive's lists lie.
type zipEndAt struct {
	list, size int64 // the central directory
	base       int64 // what is to be added to the offsets that it holds
	end        int64 // of the archive
	comment    string
}

func openZip(in *image.Input) (*image.Content, error) {
	head, err := in.View(0, min(zipLocalSize, in.Size()))
	if err != nil || len(head) < zipEndSize {
		return nil, image.ErrNot
	}
	z := &zipReader{archive: newArchive(), in: in}
	if string(head[:4]) == zipEnd { // an empty archive is nothing else
		if strings.Trim(string(head[4:20]), "\x00") != "" || head[20]|head[21] != 0 {
			return nil, image.ErrNot
		}
		return z.done(zipEndSize), nil
	}
	first, _, ok := z.local(0)
	if !ok {
		return nil, fmt.Errorf("local header: %w", image.ErrNot)
	}
	end, ok := z.atEnd()
	if !ok {
		end, ok = z.walk(first)
	}
	if !ok {
		return z.done(max(z.at, 1)), nil
	}
	z.list(end)
	if end.comment != "" {
		z.Attributes["comment"] = end.comment
	}
	return z.done(end.end), nil
}

type zipReader struct {
	*archive
	in *image.Input
	at int64 // the end of what was walked over
}

// local reads the local header at an offset, and where its data begins. It refuses what
// no program writes.
func (z *zipReader) local(at int64) (e zipEntry, data int64, ok bool) {
	h, err := z.in.View(at, zipLocalSize)
	if err != nil || string(h[:4]) != zipLocal {
		return e, 0, false
	}
	le := binary.LittleEndian
	names, extra := int64(le.Uint16(h[26:])), int64(le.Uint16(h[28:]))
	e.flags, e.method, e.crc, e.header = le.Uint16(h[6:]), le.Uint16(h[8:]), le.Uint32(h[14:]), at
	e.packed, e.plain = int64(le.Uint32(h[18:])), int64(le.Uint32(h[22:]))
	e.mtime = zipTime(le.Uint16(h[12:]), le.Uint16(h[10:]))
	p, err := z.in.View(at+zipLocalSize, names+extra)
	if err != nil || names == 0 || h[4] > 63 || e.method > 99 || bytes.IndexByte(p[:names], 0) >= 0 {
		return e, 0, false
	}
	e.name = string(p[:names])
	e.extra(p[names:], true)
	return e, at + zipLocalSize + names + extra, true
}

// extra reads extra fields: 4.5.
func (e *zipEntry) extra(p []byte, local bool) {
	le := binary.LittleEndian
	for len(p) >= 4 {
		id, n := le.Uint16(p), int(le.Uint16(p[2:]))
		if p = p[4:]; n > len(p) {
			return
		}
		f := p[:n]
		p = p[n:]
		switch id {
		case 1: // zip64: what does not fit into its field, in this order
			fields := []*int64{&e.plain, &e.packed}
			if !local {
				fields = append(fields, &e.header)
			}
			for _, v := range fields {
				if *v == 1<<32-1 && len(f) >= 8 {
					*v = int64(le.Uint64(f) & (1<<63 - 1))
					f = f[8:]
				}
			}
		case 0x5455: // times as Unix has them
			if n >= 5 && f[0]&1 != 0 {
				e.mtime = int64(int32(le.Uint32(f[1:])))
			}
		case 0x7875: // owners
			if n < 3 || int(f[1])+3 > n {
				continue
			}
			if g := f[2+int(f[1]):]; len(g) > int(g[0]) {
				e.uid, e.gid = zipOwner(f[2:2+int(f[1])]), zipOwner(g[1:1+int(g[0])])
			}
		case 0x7855: // owners, an older form
			if n >= 4 {
				e.uid, e.gid = int(le.Uint16(f)), int(le.Uint16(f[2:]))
			}
		}
	}
}

func zipOwner(p []byte) int {
	n := 0
	for i := min(len(p), 4) - 1; i >= 0; i-- {
		n = n<<8 | int(p[i])
	}
	return n
}

// zipTime is a date of MS-DOS, taken as universal time: the archive does not say the zone.
func zipTime(date, clock uint16) int64 {
	if date == 0 {
		return 0
	}
	return time.Date(1980+int(date>>9), time.Month(date>>5&15), int(date&31), int(clock>>11), int(clock>>5&63), int(clock&31)*2, 0, time.UTC).Unix()
}

// atEnd looks for the end record at the end of the input, where an archive of its own has
// it, and believes it when it is about the archive that starts here.
func (z *zipReader) atEnd() (zipEndAt, bool) {
	tail := min(z.in.Size(), zipEndSize+1<<16)
	p, err := z.in.View(z.in.Size()-tail, tail)
	if err != nil {
		return zipEndAt{}, false
	}
	for i := bytes.LastIndex(p, []byte(zipEnd)); i >= 0; i = bytes.LastIndex(p[:i], []byte(zipEnd)) {
		e, ok := z.endAt(z.in.Size() - tail + int64(i))
		if ok && e.end == z.in.Size() && z.mine(e) {
			return e, true
		}
	}
	return zipEndAt{}, false
}

// endAt reads the end record at an offset.
func (z *zipReader) endAt(at int64) (e zipEndAt, ok bool) {
	p, err := z.in.View(at, zipEndSize)
	if err != nil || string(p[:4]) != zipEnd {
		return e, false
	}
	le := binary.LittleEndian
	size, off, note := int64(le.Uint32(p[12:])), int64(le.Uint32(p[16:])), int64(le.Uint16(p[20:]))
	behind := at // the central directory ends here
	if w, err := z.in.View(at-20, 20); err == nil && string(w[:4]) == zip64Where {
		// The offset that the locator holds may need the same shift as all others: the
		// record stands right before the locator unless it is extended.
		for _, k := range []int64{int64(le.Uint64(w[8:]) & (1<<62 - 1)), at - 20 - 56} {
			if q, err := z.in.View(k, 56); err == nil && string(q[:4]) == zip64End {
				size, off = int64(le.Uint64(q[40:])&(1<<62-1)), int64(le.Uint64(q[48:])&(1<<62-1))
				behind = k
				break
			}
		}
	}
	if size > behind {
		return e, false
	}
	c, err := z.in.View(at+zipEndSize, min(note, 256))
	if err != nil || note > z.in.Size()-at-zipEndSize {
		return e, false
	}
	e = zipEndAt{list: behind - size, size: size, base: behind - size - off, end: at + zipEndSize + note, comment: string(c)}
	return e, true
}

// mine reports whether a list is about the archive that starts at 0: its first entry lies
// there.
func (z *zipReader) mine(e zipEndAt) bool {
	least := int64(1) << 62
	at := e.list
	for range 4096 {
		c, next, ok := z.central(at, e)
		if !ok {
			break
		}
		if least = min(least, c.header+e.base); least <= 0 {
			break
		}
		at = next
	}
	return least == 0
}

// central reads the entry of the list at an offset.
func (z *zipReader) central(at int64, end zipEndAt) (e zipEntry, next int64, ok bool) {
	if at+zipCentralSize > end.list+end.size {
		return e, 0, false
	}
	h, err := z.in.View(at, zipCentralSize)
	if err != nil || string(h[:4]) != zipCentral {
		return e, 0, false
	}
	le := binary.LittleEndian
	e = zipEntry{
		host: h[5], flags: le.Uint16(h[8:]), method: le.Uint16(h[10:]), crc: le.Uint32(h[16:]),
		mtime: zipTime(le.Uint16(h[14:]), le.Uint16(h[12:])), packed: int64(le.Uint32(h[20:])), plain: int64(le.Uint32(h[24:])),
		mode: le.Uint32(h[38:]) >> 16, header: int64(le.Uint32(h[42:])),
	}
	names, extra, note := int64(le.Uint16(h[28:])), int64(le.Uint16(h[30:])), int64(le.Uint16(h[32:]))
	p, err := z.in.View(at+zipCentralSize, names+extra)
	if err != nil {
		return e, 0, false
	}
	e.name = cstring(p[:names])
	e.extra(p[names:], false)
	return e, at + zipCentralSize + names + extra + note, true
}

// list adds the entries of the central directory. Two that share bytes are how a small
// archive claims to hold more than any disk: the later one is not read.
func (z *zipReader) list(end zipEndAt) {
	type placed struct {
		node     *image.Node
		at, stop int64
	}
	var all []placed
	at := end.list
	for {
		e, next, ok := z.central(at, end)
		if !ok {
			break
		}
		at = next
		e.header += end.base
		l, data, ok := z.local(e.header)
		n := z.node(&e)
		switch {
		case n.Kind == image.Dir:
			z.add(n, e.path())
			continue
		case !ok || data > end.list:
			n.Unreadable = "its local header is missing"
		default:
			if l.flags&zipEncrypted != 0 {
				e.flags |= zipEncrypted
			}
			z.content(n, &e, data)
			if e.packed <= end.list-data {
				all = append(all, placed{n, e.header, data + e.packed})
			}
		}
		z.add(n, e.path())
	}
	if at != end.list+end.size {
		z.gap(at, max(0, end.list+end.size-at), "central directory is damaged: entries may be missing")
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	stop := int64(0)
	for _, p := range all {
		if p.at < stop {
			p.node.Unreadable = "its data overlap those of another entry"
			p.node.Data, p.node.Stream = nil, nil
		}
		stop = max(stop, p.stop)
	}
}

// path is the name; archives made under MS-DOS separate by backslashes.
func (e *zipEntry) path() string {
	if e.host == 0 && !strings.Contains(e.name, "/") {
		return strings.ReplaceAll(e.name, `\`, "/")
	}
	return e.name
}

// node makes the node of an entry, without content.
func (z *zipReader) node(e *zipEntry) *image.Node {
	n := &image.Node{Mode: 0o644, UID: e.uid, GID: e.gid, MTime: e.mtime, Size: e.plain}
	if e.mode != 0 && (e.host == 3 || e.host == 19) { // Unix, macOS
		n.Mode = e.mode & 0o7777
		n.Kind, _ = modeKind(e.mode)
	}
	if strings.HasSuffix(e.path(), "/") {
		n.Kind = image.Dir
		if e.mode == 0 {
			n.Mode = 0o755
		}
	}
	if n.Kind != image.File {
		n.Size = 0
	}
	return n
}

// content gives a node its content, which begins at an offset.
func (z *zipReader) content(n *image.Node, e *zipEntry, data int64) {
	if e.packed > z.in.Size()-data {
		n.Unreadable = "its data pass the end of the archive"
		return
	}
	if e.flags&zipEncrypted != 0 || e.method == 99 {
		n.Unreadable = "encrypted"
		return
	}
	packed := z.in.Slice(data, e.packed)
	entry := *e
	read := func(w io.Writer) error { return entry.write(w, packed) }
	switch e.method {
	case 0:
		n.Data = packed
		if e.packed != e.plain {
			n.Unreadable = fmt.Sprintf("stored as %d bytes of %d", e.packed, e.plain)
		}
	case zipDeflate, 12, 14, 20, 93, 95:
		n.Stream = read
	default:
		n.Unreadable = fmt.Sprintf("compression method %d", e.method)
		return
	}
	if n.Kind == image.Symlink && n.Unreadable == "" {
		w := &upTo{left: maxPath}
		if err := read(w); err != nil || e.plain > maxPath {
			n.Unreadable = fmt.Sprintf("target: %v", cmp.Or(err, errLong))
		}
		n.Target = cstring(w.p)
		n.Size = int64(len(n.Target))
		n.Data, n.Stream = nil, nil
	}
}

var errLong = fmt.Errorf("longer than %d bytes", maxPath)

// upTo keeps so many bytes and refuses more.
type upTo struct {
	p    []byte
	left int
}

func (u *upTo) Write(p []byte) (int, error) {
	if len(p) > u.left {
		return 0, errLong
	}
	u.left -= len(p)
	u.p = append(u.p, p...)
	return len(p), nil
}

// write decompresses an entry and compares its checksum.
func (e *zipEntry) write(w io.Writer, packed *image.Blob) error {
	sum := crc32.NewIEEE()
	err := e.decompress(io.MultiWriter(w, sum), packed)
	if err != nil {
		return err
	}
	if sum.Sum32() != e.crc {
		return errors.New("checksum")
	}
	return nil
}

func (e *zipEntry) decompress(w io.Writer, packed *image.Blob) error {
	var used int64
	switch e.method {
	case 0:
		_, err := packed.WriteTo(w)
		return err
	case zipDeflate:
		_, err := io.Copy(w, flate.NewReader(newSource(packed, 0).reader()))
		return err
	case 12:
		return bzip2.Copy(w, packed, packed.Size(), &used)
	case 14: // 5.8.8: version, size of the properties, properties
		p, err := packed.View(0, 9)
		if err != nil || p[2] != 5 || p[3] != 0 {
			return errors.New("lzma: properties")
		}
		plain := e.plain
		if e.flags&2 != 0 {
			plain = -1
		}
		body := packed.From(9)
		return lzma.CopyRaw(w, body, body.Size(), p[4], int64(binary.LittleEndian.Uint32(p[5:])), plain, &used)
	case 95:
		_, err := io.Copy(w, lzma.NewXZ(newSource(packed, 0).reader()))
		return err
	}
	d, err := zstd.NewReader(packed.Reader(), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.WriteTo(w)
	return err
}

// walk goes from one local header to the next, up to the central directory: something
// follows the archive, or its end is lost. Then what the local headers say is all there
// is, and they say neither modes nor links.
func (z *zipReader) walk(e zipEntry) (zipEndAt, bool) {
	var entries []zipEntry
	var data []int64
	var lost *image.Node
	lostPath := ""
	for lost == nil {
		l, from, ok := z.local(z.at)
		if !ok {
			break
		}
		l.host = e.host
		stop := from + min(l.packed, z.in.Size()-from)
		if l.flags&zipSizesAfter != 0 && l.packed == 0 {
			if stop, ok = z.measure(&l, from); !ok {
				n := z.node(&l)
				n.Unreadable = "cut off, or its end cannot be found"
				lost, z.at = n, from
				lostPath = l.path()
				break
			}
		}
		entries, data = append(entries, l), append(data, from)
		z.at = stop
	}
	if h, err := z.in.View(z.at, 4); err == nil && string(h) == zipCentral {
		if e, ok := z.endBehind(z.at); ok {
			return e, true
		}
	}
	for i := range entries {
		n := z.node(&entries[i])
		if n.Kind == image.File {
			z.content(n, &entries[i], data[i])
		}
		z.add(n, entries[i].path())
	}
	if lost != nil {
		z.add(lost, lostPath)
	}
	if z.at == 0 {
		z.at = min(z.in.Size(), zipLocalSize+int64(len(e.name)))
	}
	z.gap(z.at, 0, "no central directory: entries may be missing, and modes and links are not known")
	return zipEndAt{}, false
}

// endBehind finds the end record behind the central directory that starts at an offset.
func (z *zipReader) endBehind(at int64) (zipEndAt, bool) {
	list := at
	all := zipEndAt{list: at, size: z.in.Size() - at}
	for {
		_, next, ok := z.central(at, all)
		if !ok {
			break
		}
		at = next
	}
	for _, skip := range []int64{0, 56 + 20} {
		if e, ok := z.endAt(at + skip); ok && e.list == list {
			return e, true
		}
	}
	return zipEndAt{}, false
}

// charged takes what is decompressed only to be counted.
type charged struct{ *budget.Budget }

func (c charged) Write(p []byte) (int, error) {
	if err := c.Bytes(int64(len(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// measure finds the end of an entry whose sizes stand behind its data, by decompressing
// it, and reads them.
func (z *zipReader) measure(e *zipEntry, data int64) (stop int64, ok bool) {
	if e.method == 0 && strings.HasSuffix(e.name, "/") {
		if p, err := z.in.View(data, 4); err == nil && string(p) == zipAfter {
			return data + 16, true
		}
		return data, true
	}
	if e.method != zipDeflate || e.flags&zipEncrypted != 0 {
		return 0, false
	}
	s := newSource(z.in.Blob, data)
	n, err := io.Copy(charged{z.in.Budget}, flate.NewReader(s.reader()))
	if err != nil {
		return 0, false
	}
	e.packed, e.plain = s.at()-data, n
	p := s.next(24)
	if len(p) > 4 && string(p[:4]) == zipAfter {
		p = p[4:]
	}
	if len(p) < 12 {
		return 0, false
	}
	at := s.at() + int64(len(s.next(24))-len(p))
	e.crc = binary.LittleEndian.Uint32(p)
	// Two sizes of 4 bytes, or of 8.
	if int64(binary.LittleEndian.Uint32(p[4:])) == e.packed && int64(binary.LittleEndian.Uint32(p[8:])) == e.plain {
		return at + 12, true
	}
	return at + 20, len(p) >= 20
}
