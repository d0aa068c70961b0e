package format

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var ubi = &image.Format{
	Name:  "ubi",
	Title: "UBI volumes on raw flash",
	Class: "partition",
	Where: "Linux devices with raw NAND or large NOR flash: gateways, pumps, monitors",
	Spec: "Linux drivers/mtd/ubi/ubi-media.h. Attributes: block_size (of flash), leb_size, image_seq, blocks, erased; " +
		"volume.N.name, volume.N.type (dynamic, static), volume.N.blocks (mapped), volume.N.reserved, volume.N.skip_check, " +
		"superseded (blocks of which a newer copy exists). A dump with the spare bytes of the pages in it has the attributes page and spare, " +
		"and the part pages, which is the image without them",
	Limits: "fastmaps are not used: every block is looked at; errors of the flash are not corrected by the spare bytes of a dump; " +
		"one erase block alone does not tell its size: it is taken to the end",
	Magic: []image.Magic{{Offset: 0, Bytes: "UBI#\x01"}},
	Open:  openUBI,

	Rebuild: rebuildUBI,
}

const (
	ubiHeader   = 64
	ubiInternal = 0x7fffefff // volumes from here on are UBI's own; this one holds the table
	ubiRecord   = 172
	ubiStatic   = 2
	ubiMaxPEB   = 16 << 20
)

// ubiEC is the header that begins each erase block.
type ubiEC struct {
	vid, data int64
	seq       uint32
}

// ubiSum is the checksum of UBI and UBIFS: CRC-32 without the last inversion.
func ubiSum(p []byte) uint32 { return ^crc32.ChecksumIEEE(p) }

func ubiReadEC(p []byte) (ubiEC, bool) {
	if len(p) < ubiHeader || string(p[:4]) != "UBI#" || ubiSum(p[:60]) != be32(p[60:]) {
		return ubiEC{}, false
	}
	return ubiEC{int64(be32(p[16:])), int64(be32(p[20:])), be32(p[24:])}, true
}

// ubiBlock is a block of flash that holds a block of a volume.
type ubiBlock struct {
	at       int64 // of its data
	volume   uint32
	lnum     uint32
	sqnum    uint64
	static   bool
	copied   bool   // by wear levelling: valid only when its checksum is right
	size     uint32 // of the data, where the header says it
	used     uint32 // blocks of a static volume
	sum      uint32
	position int // number of the flash block
}

// ubiVolume is a row of the volume table.
type ubiVolume struct {
	name      string
	reserved  uint32
	static    bool
	skipCheck bool
}

// ubiFS is an UBI image that is being read.
type ubiFS struct {
	in         *image.Input
	ec         ubiEC // of the first block
	peb, leb   int64
	blocks     map[[2]uint32]ubiBlock // by volume and number in it
	content    *image.Content
	count      int
	erased     int
	superseded int
	parts      []ubiPart // of content.Parts
}

// ubiPart is the volume that a part is.
type ubiPart struct {
	static bool
	blocks []ubiBlock // mapped, in their order
}

func openUBI(in *image.Input) (*image.Content, error) {
	p, err := in.View(0, ubiHeader)
	if err != nil {
		return nil, image.ErrNot
	}
	ec, ok := ubiReadEC(p)
	if !ok || ec.vid < ubiHeader || ec.data < ec.vid+ubiHeader || ec.data > ubiMaxPEB/2 {
		return nil, image.ErrNot
	}
	u := newUBI(in, ec)
	return u.open()
}

func newUBI(in *image.Input, ec ubiEC) *ubiFS {
	return &ubiFS{in: in, ec: ec, blocks: map[[2]uint32]ubiBlock{}, content: &image.Content{Attributes: map[string]string{}}}
}

func (u *ubiFS) open() (*image.Content, error) {
	in := u.in
	if err := u.geometry(); err != nil {
		return nil, err
	}
	if page, spare := u.spare(); page > 0 {
		n := in.Size() / (page + spare)
		return &image.Content{
			Size:       n * (page + spare),
			Attributes: map[string]string{"page": strconv.FormatInt(page, 10), "spare": strconv.FormatInt(spare, 10)},
			Parts:      []image.Part{{Name: "pages", Blob: image.ReaderBlob(&paged{in.Blob, page, spare}, n*page)}},
		}, nil
	}
	u.scan()
	if u.count == 1 && len(u.blocks) == 0 {
		return nil, image.ErrNot
	}
	u.volumes(u.table())
	a := u.content.Attributes
	a["block_size"], a["leb_size"] = strconv.FormatInt(u.peb, 10), strconv.FormatInt(u.leb, 10)
	a["image_seq"], a["blocks"], a["erased"] = strconv.FormatUint(uint64(u.ec.seq), 10), strconv.Itoa(u.count), strconv.Itoa(u.erased)
	if u.superseded > 0 {
		a["superseded"] = strconv.Itoa(u.superseded)
	}
	return u.content, nil
}

// sizes are those that erase blocks have, also with the spare bytes of their pages.
func (u *ubiFS) sizes() (all []int64) {
	for n := int64(4096); n <= ubiMaxPEB; n *= 2 {
		all = append(all, n)
	}
	for _, s := range ubiSpares {
		for pages := int64(16); pages <= 256; pages *= 2 {
			all = append(all, pages*(s[0]+s[1]))
		}
	}
	return all
}

// geometry finds the size of an erase block by the distance between their headers. It
// looks for them only where they would be: to search for them costs too much where many
// bytes only look like the first one.
func (u *ubiFS) geometry() error {
	distance := int64(0)
	for _, size := range u.sizes() {
		for k := int64(1); k <= 8; k++ {
			p, err := u.in.View(size*k, ubiHeader)
			if err != nil {
				break
			}
			if ec, ok := ubiReadEC(p); ok && ec.vid == u.ec.vid && ec.data == u.ec.data && ec.seq == u.ec.seq {
				distance = gcd(distance, size*k)
			}
		}
	}
	u.peb = distance
	if distance == 0 {
		u.peb = u.in.Size()
	}
	if u.leb = u.peb - u.ec.data; u.leb <= 0 || u.peb > ubiMaxPEB {
		return fmt.Errorf("erase blocks of %d bytes with data at %d: %w", u.peb, u.ec.data, image.ErrNot)
	}
	return nil
}

// ubiSpares are the sizes of pages of NAND and of the spare bytes behind each.
var ubiSpares = [][2]int64{{512, 16}, {2048, 64}, {2048, 128}, {4096, 128}, {4096, 224}, {4096, 256}, {8192, 448}}

// spare returns the sizes of page and spare bytes of a dump that has both: its erase
// blocks are no power of two then.
func (u *ubiFS) spare() (page, spare int64) {
	if u.peb&(u.peb-1) == 0 {
		return 0, 0
	}
	for _, s := range ubiSpares {
		if pages := u.peb / (s[0] + s[1]); u.peb%(s[0]+s[1]) == 0 && pages&(pages-1) == 0 {
			return s[0], s[1]
		}
	}
	return 0, 0
}

// paged is a blob without the spare bytes behind each of its pages.
type paged struct {
	b           *image.Blob
	page, spare int64
}

// ReadAt reads as io.ReaderAt promises.
func (p *paged) ReadAt(buf []byte, off int64) (int, error) {
	for done := 0; done < len(buf); {
		at := off + int64(done)
		rest := buf[done:min(int64(len(buf)), int64(done)+p.page-at%p.page)]
		n, err := p.b.ReadAt(rest, at/p.page*(p.page+p.spare)+at%p.page)
		done += n
		if n < len(rest) {
			return done, err
		}
	}
	return len(buf), nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// ubiStrange is how many blocks that hold something else may follow one another inside an
// UBI image: more of them are what lies behind it.
const ubiStrange = 4

// scan looks at the headers of each erase block up to the end of the image.
func (u *ubiFS) scan() {
	strange, empty := []int64(nil), 0
	for at := int64(0); at+ubiHeader <= u.in.Size(); at += u.peb {
		p, err := u.in.View(at, ubiHeader)
		if err != nil {
			break
		}
		ec, ok := ubiReadEC(p)
		if !ok {
			if ones(p) {
				empty++
			} else if strange = append(strange, at); len(strange) > ubiStrange {
				break
			}
			continue
		}
		if ec.seq != u.ec.seq && ec.seq != 0 && u.ec.seq != 0 || ec.vid != u.ec.vid || ec.data != u.ec.data {
			break // another image follows
		}
		if !u.block(at) {
			break
		}
		for _, bad := range strange {
			u.gap(bad, u.peb, errors.New("a block without the header of UBI: bad, or damaged"))
		}
		strange, u.erased, empty = nil, u.erased+empty, 0
		u.count++
		u.content.Size = min(at+u.peb, u.in.Size())
	}
}

func ones(p []byte) bool {
	for _, c := range p {
		if c != 0xff {
			return false
		}
	}
	return true
}

func (u *ubiFS) gap(at, size int64, err error) {
	if len(u.content.Gaps) < maxEntryGaps {
		u.content.Gaps = append(u.content.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Size: size, Reason: "damaged", Why: err.Error()})
	}
}

// block reads what an erase block holds. It reports false where the block begins another
// image: a table of volumes as old as the one that was seen.
func (u *ubiFS) block(at int64) bool {
	p, err := u.in.View(at+u.ec.vid, ubiHeader)
	switch {
	case err != nil:
		u.gap(at, u.peb, fmt.Errorf("erase block is cut off: %w", err))
		return true
	case ones(p):
		u.erased++
		return true
	case string(p[:4]) != "UBI!" || ubiSum(p[:60]) != be32(p[60:]):
		u.gap(at, u.peb, errors.New("erase block: volume header is damaged"))
		return true
	}
	b := ubiBlock{
		at: at + u.ec.data, volume: be32(p[8:]), lnum: be32(p[12:]), sqnum: be64(p[40:]), static: p[5] == ubiStatic, copied: p[6] == 1,
		size: be32(p[20:]), used: be32(p[24:]), sum: be32(p[32:]), position: int(at / u.peb),
	}
	key := [2]uint32{b.volume, b.lnum}
	old, twice := u.blocks[key]
	if !twice {
		u.blocks[key] = b
		return true
	}
	if b.volume == ubiInternal && b.sqnum == old.sqnum {
		return false
	}
	u.superseded++
	newer, older := b, old
	if old.sqnum > b.sqnum {
		newer, older = old, b
	} else if old.sqnum == b.sqnum {
		u.gap(at, u.peb, fmt.Errorf("block %d of volume %d occurs twice with the same number: the later one is taken", b.lnum, b.volume))
	}
	if newer.copied && u.sumOf(newer) != newer.sum {
		newer = older // the copying was interrupted
	}
	u.blocks[key] = newer
	return true
}

func (u *ubiFS) sumOf(b ubiBlock) uint32 {
	p, err := u.in.View(b.at, min(int64(b.size), u.leb))
	if err != nil {
		return 0
	}
	return ubiSum(p)
}

// table reads the volume table, of which there are two copies.
func (u *ubiFS) table() map[uint32]ubiVolume {
	best := map[uint32]ubiVolume(nil)
	for copy := range uint32(2) {
		b, ok := u.blocks[[2]uint32{ubiInternal, copy}]
		if !ok {
			continue
		}
		p, err := u.in.View(b.at, min(u.leb, 128*ubiRecord, max(0, u.in.Size()-b.at)))
		if err != nil {
			continue
		}
		t, bad := map[uint32]ubiVolume{}, 0
		for id := uint32(0); len(p) >= ubiRecord; id, p = id+1, p[ubiRecord:] {
			if ubiSum(p[:168]) != be32(p[168:]) {
				bad++
				continue
			}
			if n := int(be16(p[14:])); be32(p) > 0 {
				t[id] = ubiVolume{cstring(p[16 : 16+min(n, 128)]), be32(p), p[12] == ubiStatic, p[144]&2 != 0}
			}
		}
		if bad == 0 {
			return t
		}
		u.gap(b.at, 128*ubiRecord, fmt.Errorf("volume table, copy %d: %d rows with a wrong checksum", copy+1, bad))
		if len(t) > len(best) {
			best = t
		}
	}
	if best == nil {
		u.gap(0, 0, errors.New("no volume table: volumes have numbers only"))
	}
	return best
}

// volumes makes a part of each volume.
func (u *ubiFS) volumes(table map[uint32]ubiVolume) {
	by := map[uint32][]ubiBlock{}
	for id := range table {
		by[id] = nil
	}
	for _, b := range u.blocks {
		if b.volume < ubiInternal {
			by[b.volume] = append(by[b.volume], b)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(by)) {
		blocks := by[id]
		slices.SortFunc(blocks, func(a, b ubiBlock) int { return cmp.Compare(a.lnum, b.lnum) })
		v, ok := table[id]
		if !ok {
			v.name = "volume-" + strconv.FormatUint(uint64(id), 10)
		}
		v.static = v.static || !ok && blocks[0].static
		key := "volume." + strconv.FormatUint(uint64(id), 10) + "."
		a := u.content.Attributes
		a[key+"name"], a[key+"type"], a[key+"blocks"] = v.name, "dynamic", strconv.Itoa(len(blocks))
		if ok {
			a[key+"reserved"] = strconv.FormatUint(uint64(v.reserved), 10)
		}
		if v.skipCheck {
			a[key+"skip_check"] = "true"
		}
		if v.static {
			a[key+"type"] = "static"
		}
		if len(blocks) > 0 {
			u.volume(v, blocks)
		}
	}
}

// volume makes the part of one volume. Blocks that are not mapped read as erased flash;
// in a static volume one that is missing is a loss.
func (u *ubiFS) volume(v ubiVolume, blocks []ubiBlock) {
	// A number that lies must not make a volume of endless holes.
	most := uint32(max(4096, 16*u.count))
	part := image.Part{Name: v.name, Offset: blocks[0].at}
	var list []run
	end, next := int64(0), uint32(0)
	hole := func(to uint32) {
		if next >= to {
			return
		}
		if v.static {
			u.gap(part.Offset, int64(to-next)*u.leb, fmt.Errorf("static volume %q: %d blocks from %d on are missing", v.name, to-next, next))
		}
		list = append(list, run{at: int64(next) * u.leb, from: -1, size: int64(to-next) * u.leb, fill: [4]byte{0xff, 0xff, 0xff, 0xff}})
	}
	for _, b := range blocks {
		if b.lnum >= most {
			u.gap(b.at, u.leb, fmt.Errorf("volume %q: block number %d is past all reason", v.name, b.lnum))
			continue
		}
		hole(b.lnum)
		size := u.leb
		if v.static && int64(b.size) <= u.leb {
			size = int64(b.size)
			if u.sumOf(b) != b.sum {
				u.gap(b.at, size, fmt.Errorf("static volume %q: block %d: wrong checksum", v.name, b.lnum))
			}
		}
		list = append(list, run{at: int64(b.lnum) * u.leb, from: b.at, size: size})
		end, next = int64(b.lnum)*u.leb+size, b.lnum+1
		if b.at+size > u.in.Size() {
			u.gap(b.at, b.at+size-u.in.Size(), fmt.Errorf("volume %q: block %d is cut off", v.name, b.lnum))
		}
	}
	if used := blocks[0].used; v.static && used > next && used <= most {
		hole(used)
		end = int64(used) * u.leb
	}
	if end > 0 {
		part.Blob = blobOf(u.in.Blob, list, end)
		u.content.Parts = append(u.content.Parts, part)
		u.parts = append(u.parts, ubiPart{v.static, blocks})
	}
}
