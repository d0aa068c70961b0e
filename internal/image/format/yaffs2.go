package format

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var yaffs2 = &image.Format{
	Name:  "yaffs2",
	Title: "YAFFS2 with the spare bytes of its pages, either byte order",
	Class: "filesystem",
	Where: "older Android and other devices with raw NAND",
	Spec: "yaffs_guts.h and yaffs_packedtags2.h of the YAFFS2 sources. Attributes: order (little, big), page, spare, tags (offset in the spare " +
		"bytes), chunks",
	Limits: "recognised where the first page is the header of an object in the root; page and spare size are guessed by what fits best; " +
		"tags inside the pages (inband) and YAFFS1 are not read; errors of the flash are not corrected",
	Magic: yaffs2Magics(),
	Open:  openYaffs2,
}

// Types of objects.
const (
	yaffsFile = 1 + iota
	yaffsLink
	yaffsDir
	yaffsHardLink
	yaffsSpecial
)

const (
	yaffsRoot      = 1
	yaffsUnlinked  = 3 // objects in it, and in the next one, are gone
	yaffsDeleted   = 4
	yaffsHeader    = 512
	yaffsExtra     = 1 << 31 // of a chunk number: a header, with more in the tags
	yaffsFirstSeq  = 0x1000
	yaffsLastSeq   = 0xefffff00
	yaffsStrange   = 64 // chunks that are none and may lie between chunks
	yaffsMostChunk = 1 << 24
)

func yaffs2Magics() (all []image.Magic) {
	for kind := uint32(yaffsFile); kind <= yaffsSpecial; kind++ {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			all = append(all, image.Magic{Offset: 0, Bytes: string(order.AppendUint32(order.AppendUint32(nil, kind), yaffsRoot)) + "\xff\xff"})
		}
	}
	return all
}

// yaffsLayout is how an image is laid out.
type yaffsLayout struct {
	page, spare, tags int64
}

// yaffsChunk is a page and what its tags say.
type yaffsChunk struct {
	at             int64
	seq            uint32
	object, number uint32 // number 0 is a header
	size           uint32
}

// yaffsObject is what the newest header of an object says.
type yaffsObject struct {
	header int64 // where it lies, -1 where none was seen
	size   int64
	data   map[uint32]yaffsChunk
}

// yaffsFS is a YAFFS2 that is being read.
type yaffsFS struct {
	in      *image.Input
	order   binary.ByteOrder
	layout  yaffsLayout
	content *image.Content
	objects map[uint32]*yaffsObject
	links   map[uint64]int
}

func openYaffs2(in *image.Input) (*image.Content, error) {
	p, err := in.View(0, min(yaffsHeader, in.Size()))
	if err != nil || len(p) < yaffsHeader {
		return nil, image.ErrNot
	}
	y := &yaffsFS{
		in: in, order: binary.LittleEndian, objects: map[uint32]*yaffsObject{}, links: map[uint64]int{},
		content: &image.Content{Attributes: map[string]string{"order": "little"}},
	}
	if p[0] == 0 {
		y.order = binary.BigEndian
		y.content.Attributes["order"] = "big"
	}
	if !y.plausible(p) || !y.guess() {
		return nil, image.ErrNot
	}
	chunks := y.scan()
	slices.SortStableFunc(chunks, func(a, b yaffsChunk) int { return cmp.Compare(a.seq, b.seq) })
	for _, c := range chunks {
		y.take(c)
	}
	a := y.content.Attributes
	a["page"], a["spare"] = strconv.FormatInt(y.layout.page, 10), strconv.FormatInt(y.layout.spare, 10)
	a["tags"], a["chunks"] = strconv.FormatInt(y.layout.tags, 10), strconv.Itoa(len(chunks))
	y.tree().walk(yaffsRoot)
	return y.content, nil
}

// plausible reports whether a page may be a header.
func (y *yaffsFS) plausible(p []byte) bool {
	kind, mode := y.order.Uint32(p), y.order.Uint32(p[268:])
	_, ok := modeKind(mode)
	return kind >= yaffsFile && kind <= yaffsSpecial && p[8] == 0xff && p[9] == 0xff && (ok && mode <= 0xffff || kind == yaffsHardLink)
}

// guess finds the layout that the most of the first pages fit.
func (y *yaffsFS) guess() bool {
	best, most := yaffsLayout{}, 0
	for _, page := range []int64{2048, 512, 1024, 4096, 8192, 16384} {
		for _, spare := range []int64{page / 32, 16, 128, 224, 256, 448, 512} {
			for _, tags := range []int64{0, 2, 8} {
				if tags+16 > spare {
					continue
				}
				y.layout = yaffsLayout{page, spare, tags}
				if n := y.fits(); n > most {
					best, most = y.layout, n
				}
			}
		}
	}
	y.layout = best
	return most > 0
}

// fits counts the pages at the start whose tags agree with what they hold.
func (y *yaffsFS) fits() (n int) {
	for at := int64(0); n < 64; at += y.layout.page + y.layout.spare {
		c, ok := y.chunk(at)
		if !ok || c.seq == 0xffffffff {
			return n
		}
		if c.number == 0 {
			if p, err := y.in.View(at, yaffsHeader); err != nil || !y.plausible(p) {
				return n
			}
		}
		n++
	}
	return n
}

// chunk reads the tags of the page at an offset. A page that is erased has the sequence
// number 0xffffffff.
func (y *yaffsFS) chunk(at int64) (c yaffsChunk, ok bool) {
	l := y.layout
	p, err := y.in.View(at+l.page+l.tags, 16)
	if err != nil {
		return c, false
	}
	c = yaffsChunk{at, y.order.Uint32(p), y.order.Uint32(p[4:]), y.order.Uint32(p[8:]), y.order.Uint32(p[12:])}
	if ones(p) {
		return c, true
	}
	if c.number&yaffsExtra != 0 {
		c.number, c.object = 0, c.object&(1<<28-1)
	}
	switch {
	case c.seq < yaffsFirstSeq || c.seq > yaffsLastSeq || c.object == 0 || c.object >= 1<<28 || c.number > yaffsMostChunk,
		c.number > 0 && int64(c.size) > l.page:
		return c, false
	}
	return c, true
}

// scan reads the tags of all pages.
func (y *yaffsFS) scan() (chunks []yaffsChunk) {
	each := y.layout.page + y.layout.spare
	strange, first := 0, int64(0)
	for at := int64(0); at+each <= y.in.Size(); at += each {
		c, ok := y.chunk(at)
		if ok && c.seq == 0xffffffff {
			continue
		}
		if !ok {
			if strange == 0 {
				first = at
			}
			if strange++; strange > yaffsStrange {
				break
			}
			continue
		}
		if strange > 0 {
			y.gap(first, at-first, errors.New("pages whose tags make no sense"))
			strange = 0
		}
		chunks = append(chunks, c)
		y.content.Size = at + each
	}
	if y.content.Size+each > y.in.Size() && y.content.Size < y.in.Size() && !allOnes(y.in.Blob, y.content.Size) {
		y.gap(y.content.Size, y.in.Size()-y.content.Size, errors.New("the last page is cut off"))
		y.content.Size = y.in.Size()
	}
	return chunks
}

// allOnes reports whether the few bytes from at on are erased.
func allOnes(b *image.Blob, at int64) bool {
	p, err := b.View(at, b.Size()-at)
	return err == nil && ones(p)
}

func (y *yaffsFS) gap(at, size int64, err error) {
	if len(y.content.Gaps) < maxEntryGaps {
		y.content.Gaps = append(y.content.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Size: size, Reason: "damaged", Why: err.Error()})
	}
}

// take takes what a chunk says, in the order of their writing.
func (y *yaffsFS) take(c yaffsChunk) {
	o := y.objects[c.object]
	if o == nil {
		o = &yaffsObject{header: -1, data: map[uint32]yaffsChunk{}}
		y.objects[c.object] = o
	}
	if c.number > 0 {
		o.data[c.number] = c
		o.size = max(o.size, int64(c.number-1)*y.layout.page+int64(c.size))
		return
	}
	p, err := y.in.View(c.at, yaffsHeader)
	if err != nil || !y.plausible(p) {
		y.gap(c.at, y.layout.page, fmt.Errorf("object %d: the page is no header", c.object))
		return
	}
	was := o.size
	o.header, o.size = c.at, int64(y.order.Uint32(p[292:]))
	if high := y.order.Uint32(p[496:]); high != 0xffffffff {
		o.size |= int64(high&0xffff) << 32
	}
	if o.size < was { // cut off: what lay behind is gone
		for n := range o.data {
			if int64(n-1)*y.layout.page >= o.size {
				delete(o.data, n)
			}
		}
	}
}

// tree names the objects by their newest headers.
func (y *yaffsFS) tree() *linkTree {
	t := newLinkTree(y.content, y.in)
	t.inode = y.node
	numbers := make([]uint32, 0, len(y.objects))
	for n := range y.objects {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		o := y.objects[number]
		if o.header < 0 {
			y.gap(0, o.size, fmt.Errorf("object %d has content, but no header", number))
			continue
		}
		p, err := y.in.View(o.header, yaffsHeader)
		parent := uint32(0)
		if err == nil {
			parent = y.order.Uint32(p[4:])
		}
		if number == yaffsRoot || parent == yaffsUnlinked || parent == yaffsDeleted || parent == 0 {
			continue
		}
		e := linkEntry{cstring(p[10:266]), uint64(number)}
		if y.order.Uint32(p) == yaffsHardLink {
			e.number = uint64(y.order.Uint32(p[296:]))
		}
		y.links[e.number]++
		t.entries[uint64(parent)] = append(t.entries[uint64(parent)], e)
	}
	return t
}

// node makes the node of an object.
func (y *yaffsFS) node(number uint64) (*image.Node, error) {
	o := y.objects[uint32(number)]
	if o == nil || o.header < 0 {
		if number == yaffsRoot {
			return &image.Node{Kind: image.Dir, Mode: 0o755}, nil
		}
		return nil, errors.New("no header of it")
	}
	p, err := y.in.View(o.header, yaffsHeader)
	if err != nil {
		return nil, err
	}
	mode := y.order.Uint32(p[268:])
	n := &image.Node{
		Mode: mode & 0o7777, UID: int(y.order.Uint32(p[272:])), GID: int(y.order.Uint32(p[276:])), MTime: int64(y.order.Uint32(p[284:])),
	}
	if y.links[number] > 1 {
		n.Inode = number
	}
	switch y.order.Uint32(p) {
	case yaffsFile:
		n.Size, n.Order = o.size, o.header
		if err := y.in.Budget.Size(o.size); err != nil {
			n.Unreadable = err.Error()
		} else if o.size > 0 {
			n.Data = blobOf(y.in.Blob, y.runs(o), o.size)
		}
	case yaffsLink:
		n.Kind, n.Target = image.Symlink, cstring(p[300:460])
		n.Size = int64(len(n.Target))
	case yaffsDir:
		n.Kind, n.Inode = image.Dir, 0
	case yaffsSpecial:
		n.Kind, _ = modeKind(mode)
		if dev := y.order.Uint32(p[460:]); n.Kind == image.Char || n.Kind == image.Block {
			n.Major, n.Minor = dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
		}
	default:
		return nil, errors.New("a hard link to a hard link")
	}
	return n, nil
}

// runs returns where the content of a file lies.
func (y *yaffsFS) runs(o *yaffsObject) (list []run) {
	for number, c := range o.data {
		at := int64(number-1) * y.layout.page
		if size := min(int64(c.size), o.size-at); size > 0 {
			list = append(list, run{at: at, from: c.at, size: size})
		}
	}
	sortRuns(list)
	return list
}
