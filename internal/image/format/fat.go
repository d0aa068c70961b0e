package format

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var fat = &image.Format{
	Name:  "fat",
	Title: "FAT12, FAT16 and FAT32",
	Class: "filesystem",
	Where: "boot partitions of SD cards and eMMC, EFI system partitions, USB sticks with updates",
	Spec: "Microsoft FAT specification (2005). Attributes: kind (fat12, fat16, fat32), label, serial, cluster_size, " +
		"missing (bytes that the file system has and the image lacks). Times are taken as UTC, modes as Linux mounts them",
	Limits: "deleted files are left out; short names with national letters keep their bytes",
	Magic:  []image.Magic{{Offset: 0x36, Bytes: "FAT"}, {Offset: 0x52, Bytes: "FAT32"}, {Offset: 0x1fe, Bytes: "\x55\xaa"}},
	Open:   openFAT,
}

// fatFS is an opened file system.
type fatFS struct {
	b        *image.Blob
	bits     int    // of an entry of the table
	table    []byte // the first copy
	data     int64  // where cluster 2 lies
	cluster  int64  // bytes
	clusters int64
	left     int64 // clusters that files and directories may still have, together
	dirs     map[int64]bool
	maxNodes int64
	label    string
	content  *image.Content
}

func openFAT(in *image.Input) (*image.Content, error) {
	x, rootCluster, rootDir, err := fatSuper(in.Blob)
	if err != nil {
		return nil, err
	}
	x.maxNodes = in.Budget.Limits().Files
	x.content.Nodes = []*image.Node{{Path: "/", Kind: image.Dir, Mode: 0o755}}
	if x.bits == 32 {
		x.dirs[rootCluster] = true
		if rootDir, err = x.chain(rootCluster, -1); err != nil {
			return nil, fmt.Errorf("root directory: %w", err)
		}
	}
	x.walk("/", rootDir)
	set(x.content.Attributes, "label", x.label)
	if x.content.Size > in.Size() {
		x.content.Attributes["missing"] = strconv.FormatInt(x.content.Size-in.Size(), 10)
		x.content.Size = in.Size()
	}
	return x.content, nil
}

// fatSuper reads the boot sector. Its magic ends any boot sector: the numbers must fit
// together, and the table must begin with the kind of medium.
func fatSuper(b *image.Blob) (x *fatFS, rootCluster int64, root *image.Blob, err error) {
	s, err := b.View(0, 512)
	if err != nil || s[0] != 0xeb && s[0] != 0xe9 {
		return nil, 0, nil, image.ErrNot
	}
	sector, perCluster, reserved, tables := int64(le16(s[11:])), int64(s[13]), int64(le16(s[14:])), int64(s[16])
	rootEntries, total, size := int64(le16(s[17:])), int64(le16(s[19:])), int64(le16(s[22:]))
	if total == 0 {
		total = int64(le32(s[32:]))
	}
	wide := size == 0
	if wide {
		size = int64(le32(s[36:]))
	}
	switch {
	case sector < 512 || sector > 4096 || sector&(sector-1) != 0, perCluster == 0 || perCluster&(perCluster-1) != 0,
		reserved == 0, tables == 0 || tables > 4, size == 0, s[21] != 0xf0 && s[21] < 0xf8, rootEntries == 0 && !wide:
		return nil, 0, nil, image.ErrNot
	}
	rootAt := (reserved + tables*size) * sector
	data := rootAt + (rootEntries*32+sector-1)/sector*sector
	x = &fatFS{b: b, bits: 16, cluster: perCluster * sector, data: data, dirs: map[int64]bool{}}
	x.clusters = (total*sector - data) / x.cluster
	switch {
	case wide:
		x.bits = 32
	case x.clusters < 4085:
		x.bits = 12
	}
	if x.clusters <= 0 || size*sector*8 < (x.clusters+2)*int64(x.bits) {
		return nil, 0, nil, image.ErrNot
	}
	if x.table, err = b.View(reserved*sector, min(size*sector, ((x.clusters+2)*int64(x.bits)+7)/8)); err != nil || x.table[0] != s[21] || x.table[1] != 0xff {
		return nil, 0, nil, image.ErrNot
	}
	x.left = x.clusters
	x.content = &image.Content{Size: total * sector, Attributes: map[string]string{
		"kind": "fat" + strconv.Itoa(x.bits), "cluster_size": strconv.FormatInt(x.cluster, 10),
	}}
	more := s[36:]
	if wide {
		more = s[64:]
	}
	if more[2] == 0x29 || more[2] == 0x28 {
		x.content.Attributes["serial"] = fmt.Sprintf("%04x-%04x", le16(more[5:]), le16(more[3:]))
		if name := strings.TrimRight(cstring(more[7:18]), " "); more[2] == 0x29 && name != "NO NAME" {
			x.label = name
		}
	}
	return x, int64(le32(s[44:])), b.Slice(rootAt, rootEntries*32), nil
}

// next returns the cluster after c, 0 after the last.
func (x *fatFS) next(c int64) (int64, error) {
	var n, end int64
	switch x.bits {
	case 12:
		at := c + c/2
		if at+2 > int64(len(x.table)) {
			return 0, fmt.Errorf("cluster %d of %d", c, x.clusters)
		}
		n, end = int64(le16(x.table[at:]))>>(4*(c&1))&0xfff, 0xff8
	case 16:
		n, end = int64(le16(x.table[2*c:])), 0xfff8
	default:
		n, end = int64(le32(x.table[4*c:])&0xfffffff), 0xffffff8
	}
	if n >= end {
		return 0, nil
	}
	return n, nil
}

// chain returns the content that begins at a cluster: of the given size, or as long as
// the chain where it is negative.
func (x *fatFS) chain(c, size int64) (*image.Blob, error) {
	var list []run
	at := int64(0)
	for c != 0 && (size < 0 || at < size) {
		if c < 2 || c >= x.clusters+2 {
			return nil, fmt.Errorf("cluster %d of %d", c, x.clusters)
		}
		if x.left--; x.left < 0 {
			return nil, errors.New("clusters are used twice")
		}
		list = addRun(list, at, x.data+(c-2)*x.cluster, x.cluster)
		at += x.cluster
		var err error
		if c, err = x.next(c); err != nil {
			return nil, err
		}
	}
	if size < 0 {
		size = at
	}
	if at < size {
		return nil, fmt.Errorf("the chain of clusters has %d of %d bytes", at, size)
	}
	return blobOf(x.b, list, size), nil
}

func (x *fatFS) gap(path string, err error) {
	if len(x.content.Gaps) == maxEntryGaps {
		err, path = errors.New("more entries cannot be read"), ""
	}
	if len(x.content.Gaps) <= maxEntryGaps {
		x.content.Gaps = append(x.content.Gaps, fact.Gap{Place: fact.Place{Path: path}, Why: err.Error(), Reason: "damaged"})
	}
}

// walk adds the entries of a directory and of those below.
func (x *fatFS) walk(path string, dir *image.Blob) {
	p, err := dir.View(0, dir.Size())
	if err != nil {
		x.gap(path, fmt.Errorf("directory: %w", err))
		return
	}
	var long fatName
	for ; len(p) >= 32 && p[0] != 0; p = p[32:] {
		attr := p[11]
		switch {
		case p[0] == 0xe5:
			long = fatName{}
			continue
		case attr&0x3f == 0x0f:
			long.add(p)
			continue
		case attr&0x08 != 0:
			if path == "/" {
				x.label = strings.TrimRight(string(p[:11]), " ")
			}
			long = fatName{}
			continue
		}
		name := long.take(p)
		if name == "." || name == ".." {
			continue
		}
		if int64(len(x.content.Nodes)) >= x.maxNodes {
			x.gap(path, fmt.Errorf("more than %d files", x.maxNodes))
			return
		}
		child, err := join(path, name)
		if err != nil {
			x.gap(path, err)
			continue
		}
		x.entry(child, p)
	}
}

// entry adds the file or directory of a short entry.
func (x *fatFS) entry(path string, p []byte) {
	n := &image.Node{Path: path, Mode: 0o755, MTime: fatTime(le16(p[24:]), le16(p[22:])), Size: int64(le32(p[28:]))}
	first := int64(le16(p[26:]))
	if x.bits == 32 {
		first |= int64(le16(p[20:])) << 16
	}
	if p[11]&0x01 != 0 {
		n.Mode = 0o555
	}
	n.Order = first
	x.content.Nodes = append(x.content.Nodes, n)
	if p[11]&0x10 == 0 {
		if n.Size > 0 {
			var err error
			if n.Data, err = x.chain(first, n.Size); err != nil {
				n.Unreadable = err.Error()
			}
		}
		return
	}
	n.Kind, n.Size = image.Dir, 0
	if x.dirs[first] {
		x.gap(path, fmt.Errorf("directory cluster %d occurs twice", first))
		return
	}
	x.dirs[first] = true
	dir, err := x.chain(first, -1)
	if err != nil {
		x.gap(path, fmt.Errorf("directory: %w", err))
		return
	}
	x.walk(path, dir)
}

// fatTime reads a date and a time of day.
func fatTime(date, clock uint16) int64 {
	if date == 0 {
		return 0
	}
	return time.Date(1980+int(date>>9), time.Month(date>>5&15), int(date&31), int(clock>>11), int(clock>>5&63), 2*int(clock&31), 0, time.UTC).Unix()
}

// fatName collects a long name, whose pieces come last piece first before the entry.
type fatName struct {
	units [20 * 13]uint16
	have  uint32 // a bit for each piece
	last  int
	sum   byte
}

func (n *fatName) add(p []byte) {
	i := int(p[0] & 0x3f)
	if p[0]&0x40 != 0 {
		*n = fatName{last: i, sum: p[13]}
	}
	if i < 1 || i > 20 || i > n.last || p[13] != n.sum {
		*n = fatName{}
		return
	}
	n.have |= 1 << (i - 1)
	u := n.units[(i-1)*13:]
	for k := range 5 {
		u[k] = le16(p[1+2*k:])
	}
	for k := range 6 {
		u[5+k] = le16(p[14+2*k:])
	}
	u[11], u[12] = le16(p[28:]), le16(p[30:])
}

// take returns the name of a short entry: the long one, where all of it came and belongs
// to the entry.
func (n *fatName) take(p []byte) string {
	long := *n
	*n = fatName{}
	sum := byte(0)
	for _, c := range p[:11] {
		sum = sum>>1 | sum<<7
		sum += c
	}
	if long.last > 0 && long.have == 1<<long.last-1 && long.sum == sum {
		units := long.units[:long.last*13]
		for i, u := range units {
			if u == 0 {
				units = units[:i]
				break
			}
		}
		return string(utf16.Decode(units))
	}
	short := bytes.Clone(p[:11])
	if short[0] == 0x05 {
		short[0] = 0xe5
	}
	base, ext := strings.TrimRight(string(short[:8]), " "), strings.TrimRight(string(short[8:]), " ")
	if p[12]&0x08 != 0 {
		base = strings.ToLower(base)
	}
	if p[12]&0x10 != 0 {
		ext = strings.ToLower(ext)
	}
	if ext == "" {
		return base
	}
	return base + "." + ext
}
