package format

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

var tar = &image.Format{
	Name:   "tar",
	Title:  "tar archive (ustar, pax, GNU)",
	Class:  "archive",
	Where:  "updates, container layers, packages, configurations",
	Spec:   "POSIX.1-2017 pax, GNU tar manual, Standard.texi",
	Limits: "further volumes of one that was split, lists of directories of incremental backups",
	Magic:  []image.Magic{{Offset: 257, Bytes: "ustar"}},
	Open:   openTar,

	Rebuild: rebuildTar,
}

// tarV7 has no magic: it is believed when the checksum and all numbers of the first
// header are right.
var tarV7 = &image.Format{
	Name:  "tar-v7",
	Title: "tar archive whose first header has no magic (version 7, GNU labels)",
	Class: "archive",
	Where: "updates of old devices, BusyBox backups",
	Spec:  "GNU tar manual, the old V7 format",
	Open: func(in *image.Input) (*image.Content, error) {
		p, err := in.View(0, min(tarBlock, in.Size()))
		if err != nil || len(p) < tarBlock || p[0] == 0 || !tarSum(p) || string(p[257:262]) == "ustar" {
			return nil, image.ErrNot
		}
		for _, f := range [][2]int{{100, 108}, {108, 116}, {116, 124}, {124, 136}, {136, 148}} {
			if _, err := tarNumber(p[f[0]:f[1]]); err != nil {
				return nil, fmt.Errorf("%w: %w", image.ErrNot, err)
			}
		}
		return openTar(in)
	},
}

const tarBlock = 512

// tarMeta bounds the entries that only say something about the next one.
const tarMeta = 1 << 20

// tarSum reports whether a header's checksum is right. Old programs summed signed bytes.
func tarSum(p []byte) bool {
	want, err := tarNumber(p[148:156])
	if err != nil {
		return false
	}
	var sum, signed int64
	for i, c := range p[:tarBlock] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
		signed += int64(int8(c))
	}
	return want == sum || want == signed
}

// tarNumber reads a number: octal digits, or where the first bit is set base 256.
func tarNumber(p []byte) (int64, error) {
	if p[0]&0x80 != 0 {
		n := int64(p[0] & 0x3f)
		if p[0]&0x40 != 0 {
			n -= 64
		}
		for _, c := range p[1:] {
			if n > 1<<54 || n < -1<<54 {
				return 0, errors.New("number is too large")
			}
			n = n<<8 | int64(c)
		}
		return n, nil
	}
	s := strings.Trim(string(p), " \x00")
	if i := strings.IndexAny(s, " \x00"); i >= 0 {
		s = s[:i]
	}
	if s == "" {
		return 0, nil
	}
	return strconv.ParseInt(s, 8, 63)
}

// tarReader reads an archive.
type tarReader struct {
	*archive
	in     *image.Input
	at     int64
	global map[string]string
	next   tarNext
	shape  string // the newest form that was seen

	keep  bool // spans are wanted
	from  int64
	spans []tarSpan
}

// tarSpan is where the entry of a node lies, from the first header that speaks of it.
type tarSpan struct {
	node       *image.Node
	start, end int64
	link       string // of a hard link, its target
}

// tarNext is what entries say about the one that follows them.
type tarNext struct {
	name, link string
	pax        map[string]string
	sparse     []string // of the pax form 0.0: offset and size in turn
}

func openTar(in *image.Input) (*image.Content, error) {
	return newTarReader(in).read()
}

func newTarReader(in *image.Input) *tarReader {
	return &tarReader{archive: newArchive(), in: in, global: map[string]string{}, shape: "v7"}
}

func (t *tarReader) read() (*image.Content, error) {
	in, ended := t.in, false
	for !ended {
		p, err := in.View(t.at, tarBlock)
		if err != nil && t.at == 0 {
			return nil, image.ErrNot
		}
		if err != nil {
			t.gap(t.at, max(0, in.Size()-t.at), "the archive ends without its end mark: files may be missing")
			t.at = in.Size()
			break
		}
		if allZero(in.Blob, t.at, t.at+tarBlock) {
			next := t.at + tarBlock
			ended = next+tarBlock > in.Size() || allZero(in.Blob, next, next+tarBlock)
			if !ended && !t.header(next) {
				ended = true
			} else if ended {
				next = min(next+tarBlock, in.Size())
			}
			t.at = next
			continue
		}
		if !tarSum(p) {
			if t.at == 0 {
				return nil, fmt.Errorf("checksum of the first header: %w", image.ErrNot)
			}
			next := resync(in.Blob, t.at+tarBlock, tarBlock, t.header)
			if next < 0 {
				t.gap(t.at, 0, fmt.Sprintf("header at %#x is damaged, and none follows it", t.at))
				break
			}
			t.gap(t.at, next-t.at, fmt.Sprintf("header at %#x is damaged", t.at))
			t.at, t.next = next, tarNext{}
			continue
		}
		if err := t.entry(p); err != nil {
			if t.at == 0 {
				return nil, err
			}
			t.gap(t.at, tarBlock, fmt.Sprintf("entry at %#x: %v", t.at, err))
			t.at, t.next = t.at+tarBlock, tarNext{}
		}
	}
	// Archives are written in records of 20 blocks.
	if end := padded(t.at, 20*tarBlock); ended && allZero(in.Blob, t.at, end) {
		t.at = end
	}
	t.Attributes["form"] = t.shape
	return t.done(t.at), nil
}

// header reports whether a header with a magic and a right checksum lies at an offset.
func (t *tarReader) header(at int64) bool {
	p, err := t.in.View(at, tarBlock)
	return err == nil && string(p[257:262]) == "ustar" && tarSum(p)
}

// entry reads the entry whose header is h, and goes to the next one.
func (t *tarReader) entry(h []byte) error {
	var num [6]int64
	for i, f := range [][2]int{{100, 108}, {108, 116}, {116, 124}, {124, 136}, {136, 148}} {
		n, err := tarNumber(h[f[0]:f[1]])
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		num[i] = n
	}
	kind, size, data := h[156], num[3], t.at+tarBlock
	gnu := string(h[257:265]) == "ustar  \x00"
	ustar := !gnu && string(h[257:262]) == "ustar"
	if size < 0 || size > 1<<60 {
		return fmt.Errorf("size %d", size)
	}
	switch kind {
	case 'L', 'K', 'x', 'X', 'g':
		return t.meta(kind, data, size)
	}
	start, before := t.from, len(t.Nodes)
	pax := t.pax()
	if s, ok := pax["size"]; ok {
		n, err := strconv.ParseInt(s, 10, 61)
		if err != nil || n < 0 {
			return fmt.Errorf("pax size %q", s)
		}
		size = n
	}
	name, link := cstring(h[:100]), cstring(h[157:257])
	if prefix := cstring(h[345:500]); ustar && prefix != "" {
		name = prefix + "/" + name
	}
	n := &image.Node{Mode: uint32(num[0]) & 0o7777, UID: int(num[1]), GID: int(num[2]), MTime: num[4]}
	name, link = t.override(n, name, link)
	if len(name) > maxPath || len(link) > maxPath {
		return fmt.Errorf("name of %d bytes", max(len(name), len(link)))
	}
	t.shape = tarShape(t.shape, gnu, ustar, len(t.next.pax) > 0)
	next := t.next
	t.next = tarNext{}
	isDir := strings.HasSuffix(name, "/")
	switch kind {
	case '1', '2', '3', '4', '5', '6':
		if kind != '5' {
			size = 0 // of a link some programs say the size of its target, without the bytes
		}
		if ustar || gnu {
			major, err1 := tarNumber(h[329:337])
			minor, err2 := tarNumber(h[337:345])
			if err1 == nil && err2 == nil {
				n.Major, n.Minor = uint32(major), uint32(minor)
			}
		}
		n.Kind = [...]image.Kind{image.File, image.Symlink, image.Char, image.Block, image.Dir, image.Fifo}[kind-'1']
		if kind == '2' {
			n.Target, n.Size = link, int64(len(link))
		}
		if kind == '1' {
			t.link(n, link)
		}
		t.add(n, name)
	case 'D', 'V', 'M', 'N':
		if kind == 'V' {
			t.Attributes["label"] = name
		}
		if kind == 'M' {
			t.gap(t.at, tarBlock, fmt.Sprintf("file %q goes on from an earlier volume", name))
		}
	default: // '0', NUL, '7', 'S'; others are to be taken for files
		if isDir && (kind == 0 || kind == '0') {
			n.Kind = image.Dir
			t.add(n, name)
			break
		}
		n.Size = size
		n.Data = t.in.Slice(data, size)
		stored := size
		extra, err := t.sparse(n, h, kind == 'S' && gnu, data, next, pax)
		if err != nil {
			n.Unreadable = fmt.Sprintf("sparse file: %v", err)
		}
		size = stored + extra
		if real, ok := pax["GNU.sparse.name"]; ok {
			name = real
		}
		t.add(n, name)
	}
	t.at = min(data+padded(size, tarBlock), t.in.Size())
	if t.keep && len(t.Nodes) > before {
		span := tarSpan{node: n, start: start, end: t.at}
		if kind == '1' {
			span.link = t.path(link)
		}
		t.spans = append(t.spans, span)
	}
	t.from = t.at
	return nil
}

// tarShape names the form of an archive by what its entries use.
func tarShape(shape string, gnu, ustar, pax bool) string {
	switch {
	case pax:
		return "pax"
	case gnu && shape != "pax":
		return "gnu"
	case ustar && shape == "v7":
		return "ustar"
	}
	return shape
}

// meta reads an entry that says something about the next one, or about all that follow.
func (t *tarReader) meta(kind byte, data, size int64) error {
	if size > tarMeta {
		return fmt.Errorf("%d bytes about the next entry", size)
	}
	p, err := t.in.View(data, size)
	if err != nil {
		return err
	}
	switch kind {
	case 'L':
		t.next.name = cstring(p)
	case 'K':
		t.next.link = cstring(p)
	default:
		records := t.global
		if kind != 'g' {
			records = map[string]string{}
			t.next.pax = records
		}
		if err := t.records(p, records); err != nil {
			return err
		}
	}
	t.at = min(data+padded(size, tarBlock), t.in.Size())
	return nil
}

// records reads pax records: length, blank, key, equals sign, value, new line.
func (t *tarReader) records(p []byte, into map[string]string) error {
	for len(p) > 0 {
		i := bytes.IndexByte(p, ' ')
		n := 0
		if i > 0 && i < 10 {
			n, _ = strconv.Atoi(string(p[:i]))
		}
		if n < i+3 || n > len(p) || p[n-1] != '\n' {
			if strings.Trim(string(p), "\x00") == "" {
				return nil
			}
			return errors.New("pax record is damaged")
		}
		key, value, ok := strings.Cut(string(p[i+1:n-1]), "=")
		if !ok || key == "" {
			return errors.New("pax record without a key")
		}
		if key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes" {
			t.next.sparse = append(t.next.sparse, value)
		} else if value == "" {
			delete(into, key)
		} else {
			into[key] = value
		}
		p = p[n:]
	}
	return nil
}

// pax returns the records that hold for the next entry.
func (t *tarReader) pax() map[string]string {
	if len(t.global) == 0 {
		return t.next.pax
	}
	all := map[string]string{}
	for k, v := range t.global {
		all[k] = v
	}
	for k, v := range t.next.pax {
		all[k] = v
	}
	return all
}

// override sets what pax records and long names say of an entry.
func (t *tarReader) override(n *image.Node, name, link string) (string, string) {
	if t.next.name != "" {
		name = t.next.name
	}
	if t.next.link != "" {
		link = t.next.link
	}
	for k, v := range t.pax() {
		num := func(to *int) {
			if x, err := strconv.ParseInt(v, 10, 40); err == nil {
				*to = int(x)
			}
		}
		switch k {
		case "path":
			name = cstring([]byte(v))
		case "linkpath":
			link = cstring([]byte(v))
		case "uid":
			num(&n.UID)
		case "gid":
			num(&n.GID)
		case "mtime":
			whole, _, _ := strings.Cut(v, ".")
			if x, err := strconv.ParseInt(whole, 10, 63); err == nil {
				n.MTime = x
			}
		default:
			attr, ok := strings.CutPrefix(k, "SCHILY.xattr.")
			if enc, lib := strings.CutPrefix(k, "LIBARCHIVE.xattr."); lib {
				if p, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "=")); err == nil {
					v = string(p)
				}
				attr, ok = enc, true
				if s, err := url.PathUnescape(enc); err == nil {
					attr = s
				}
			}
			if ok {
				if n.XAttrs == nil {
					n.XAttrs = map[string]string{}
				}
				n.XAttrs[attr] = v
			}
		}
	}
	return name, link
}

// sparse gives n the content of a sparse file, if it is one: pieces with holes between
// them. It returns how many bytes of further headers stand before the data without being
// counted in the entry's size.
func (t *tarReader) sparse(n *image.Node, h []byte, old bool, data int64, next tarNext, pax map[string]string) (extra int64, err error) {
	var list []int64
	size := n.Size
	switch {
	case old:
		if n.Size, err = tarNumber(h[483:495]); err != nil {
			return 0, err
		}
		list, extra, err = t.oldSparse(h, data)
	case pax["GNU.sparse.major"] == "1":
		list, data, err = t.inlineSparse(data, size)
	case pax["GNU.sparse.map"] != "":
		list, err = numbers(strings.Split(pax["GNU.sparse.map"], ","))
	case len(next.sparse) > 0:
		list, err = numbers(next.sparse)
	default:
		return 0, nil
	}
	if err != nil {
		return extra, err
	}
	for _, key := range []string{"GNU.sparse.size", "GNU.sparse.realsize"} {
		if s, ok := pax[key]; ok {
			if n.Size, err = strconv.ParseInt(s, 10, 61); err != nil {
				return extra, err
			}
		}
	}
	from := data + extra
	var pieces []run
	for ; len(list) >= 2; list = list[2:] {
		at, size := list[0], list[1]
		if at < 0 || size < 0 || at > n.Size || size > n.Size-at || size > t.in.Size()-from {
			return extra, fmt.Errorf("piece %d+%d of %d bytes", at, size, n.Size)
		}
		if size > 0 {
			pieces = append(pieces, run{at: at, from: from, size: size})
		}
		from += size
	}
	if sortRuns(pieces) {
		return extra, errors.New("pieces overlap")
	}
	n.Data = blobOf(t.in.Blob, pieces, n.Size)
	return extra, nil
}

// numbers reads decimal numbers.
func numbers(words []string) ([]int64, error) {
	out := make([]int64, len(words))
	for i, w := range words {
		n, err := strconv.ParseInt(w, 10, 61)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// oldSparse reads the map of GNU tar's own form: four pieces in the header, 21 in each
// block that follows where a byte says that one does.
func (t *tarReader) oldSparse(h []byte, data int64) (list []int64, extra int64, err error) {
	pieces, more := h[386:482], h[482] != 0
	for {
		for ; len(pieces) >= 24 && pieces[0] != 0; pieces = pieces[24:] {
			at, err1 := tarNumber(pieces[:12])
			size, err2 := tarNumber(pieces[12:24])
			if err := errors.Join(err1, err2); err != nil {
				return nil, extra, err
			}
			list = append(list, at, size)
		}
		if !more {
			return list, extra, nil
		}
		p, err := t.in.View(data+extra, tarBlock)
		if err != nil {
			return nil, extra, err
		}
		extra += tarBlock
		pieces, more = p[:504], p[504] != 0
	}
}

// inlineSparse reads the map of the pax form 1.0, which stands before the data as decimal
// lines, padded to a block: the number of pieces, then offset and size of each.
func (t *tarReader) inlineSparse(data, size int64) (list []int64, from int64, err error) {
	var words []string
	want := int64(1)
	at := data
	rest := ""
	for int64(len(words)) < want {
		if at-data >= size {
			return nil, at, errors.New("map is cut off")
		}
		p, err := t.in.View(at, tarBlock)
		if err != nil {
			return nil, at, err
		}
		at += tarBlock
		lines := strings.Split(rest+string(p), "\n")
		rest = lines[len(lines)-1]
		words = append(words, lines[:len(lines)-1]...)
		if len(words) > 0 && want == 1 {
			n, err := strconv.ParseInt(words[0], 10, 61)
			if err != nil || n < 0 || n > size {
				return nil, at, fmt.Errorf("map of %q pieces", words[0])
			}
			want = 1 + 2*n
		}
	}
	list, err = numbers(words[1:want])
	return list, at, err
}

// quoted is a name as an error shows it.
func quoted(name string) string { return strconv.Quote(name) }
