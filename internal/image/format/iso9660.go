package format

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var iso9660 = &image.Format{
	Name:  "iso9660",
	Title: "ISO 9660 with Rock Ridge and Joliet",
	Class: "filesystem",
	Where: "installation and service media of imaging consoles and central stations",
	Spec: "ECMA-119; SUSP and RRIP 1.12; Joliet; El Torito 1.0. Attributes: label, system, publisher, application, names (rock ridge, joliet, iso), " +
		"boot.N = platform and media of each boot image. A boot image that no file has is a part boot-N",
	Limits: "zisofs-compressed files and interleaved files are named, not read; UDF is not read",
	Magic:  []image.Magic{{Offset: 0x8001, Bytes: "CD001"}},
	Open:   openISO,
}

// isoFS is an opened file system.
type isoFS struct {
	b        *image.Blob
	block    int64
	joliet   bool
	rock     bool
	skip     int // bytes of each system use area that are not Rock Ridge's
	dirs     map[int64]bool
	dirBytes int64
	starts   map[int64]bool // blocks where files begin
	maxNodes int64
	content  *image.Content
}

func openISO(in *image.Input) (*image.Content, error) {
	x := &isoFS{b: in.Blob, dirs: map[int64]bool{}, starts: map[int64]bool{}, maxNodes: in.Budget.Limits().Files, dirBytes: in.Size()}
	var primary, joliet, boot []byte
	for at := int64(0x8000); at < 0x8000+64*2048; at += 2048 {
		d, err := in.View(at, 2048)
		if err != nil || string(d[1:6]) != "CD001" || d[0] == 255 {
			break
		}
		switch {
		case d[0] == 1 && primary == nil:
			primary = d
		case d[0] == 2 && joliet == nil && d[88] == '%' && d[89] == '/' && strings.IndexByte("@CE", d[90]) >= 0:
			joliet = d
		case d[0] == 0 && boot == nil && strings.HasPrefix(string(d[7:39]), "EL TORITO SPECIFICATION"):
			boot = d
		}
	}
	if primary == nil || le16(primary[128:]) != be16(primary[130:]) || le32(primary[80:]) != be32(primary[84:]) {
		return nil, image.ErrNot
	}
	x.block = int64(le16(primary[128:]))
	if x.block < 512 || x.block > 2048 || x.block&(x.block-1) != 0 || primary[156] < 34 {
		return nil, image.ErrNot
	}
	x.content = &image.Content{Size: int64(le32(primary[80:])) * x.block, Attributes: map[string]string{"names": "iso"}}
	for key, field := range map[string][]byte{"label": primary[40:72], "system": primary[8:40], "publisher": primary[318:446], "application": primary[574:702]} {
		set(x.content.Attributes, key, strings.TrimRight(cstring(field), " "))
	}
	root := isoRecord(primary[156:190])
	if x.rockRidge(root) {
		x.content.Attributes["names"] = "rock ridge"
	} else if joliet != nil {
		x.joliet, root = true, isoRecord(joliet[156:190])
		x.content.Attributes["names"] = "joliet"
	}
	rootNode := &image.Node{Path: "/", Kind: image.Dir, Mode: 0o755, MTime: root.time()}
	x.content.Nodes = append(x.content.Nodes, rootNode)
	if self, err := in.View(root.at()*x.block, 255); err == nil && x.rock && len(self) >= int(self[0]) {
		(&isoRock{}).read(x, isoRecord(self[:self[0]]), rootNode)
	}
	if err := x.walk("/", root.at()*x.block, root.size()); err != nil {
		return nil, fmt.Errorf("root directory: %w", err)
	}
	if boot != nil {
		x.elTorito(in, int64(le32(boot[71:])))
	}
	if x.content.Size > in.Size() {
		x.content.Gaps = append(x.content.Gaps, fact.Gap{Place: fact.Place{Offset: in.Size()}, Size: x.content.Size - in.Size(), Reason: "damaged",
			Why: fmt.Sprintf("cut off: the volume has %d bytes, there are %d", x.content.Size, in.Size())})
		x.content.Size = in.Size()
	}
	return x.content, nil
}

// isoRecord is the bytes of one directory record.
type isoRecord []byte

func (r isoRecord) at() int64   { return int64(le32(r[2:])) + int64(r[1]) } // after its extended attributes
func (r isoRecord) size() int64 { return int64(le32(r[10:])) }
func (r isoRecord) name() []byte {
	return r[33:min(33+int(r[32]), len(r))]
}

func (r isoRecord) time() int64 {
	return time.Date(1900+int(r[18]), time.Month(r[19]), int(r[20]), int(r[21]), int(r[22]), int(r[23]), 0, time.UTC).Unix() - int64(int8(r[24]))*15*60
}

// use returns the system use area.
func (r isoRecord) use() []byte {
	return r[min(len(r), (33+int(r[32])+1)&^1):]
}

// rockRidge looks into the root's own entry for the sign of Rock Ridge, or at least of
// the protocol that it uses.
func (x *isoFS) rockRidge(root isoRecord) bool {
	p, err := x.b.View(root.at()*x.block, 256)
	if err != nil || p[0] < 34 {
		return false
	}
	use := isoRecord(p[:p[0]]).use()
	if len(use) >= 7 && string(use[:2]) == "SP" && use[4] == 0xbe && use[5] == 0xef {
		x.skip, x.rock = int(use[6]), true
	}
	return x.rock
}

// walk adds what a directory holds. An error means that nothing of it could be read.
func (x *isoFS) walk(path string, at, size int64) error {
	if x.dirs[at] {
		return fmt.Errorf("directory at %#x occurs twice", at)
	}
	x.dirs[at] = true
	if x.dirBytes -= size; x.dirBytes < 0 {
		return errors.New("more bytes of directories than the image has")
	}
	p, err := x.b.View(at, size)
	if err != nil {
		return err
	}
	var pending []run // the extents of a file that has several
	var have int64
	for i := 0; i+34 <= len(p); {
		n := int(p[i])
		if n == 0 { // records do not cross blocks
			i = (i/int(x.block) + 1) * int(x.block)
			continue
		}
		if n < 34 || i+n > len(p) || 33+int(p[i+32]) > n {
			return x.damaged(path, fmt.Errorf("record of %d bytes at %#x", n, at+int64(i)))
		}
		r := isoRecord(p[i : i+n])
		i += n
		if name := r.name(); len(name) == 1 && name[0] <= 1 {
			continue // . and ..
		}
		if r[25]&2 == 0 {
			pending = addRun(pending, have, r.at()*x.block, r.size())
			have += r.size()
			if r[25]&0x80 != 0 {
				continue
			}
		}
		if int64(len(x.content.Nodes)) >= x.maxNodes {
			return fmt.Errorf("more than %d files", x.maxNodes)
		}
		x.entry(path, r, pending, have)
		pending, have = nil, 0
	}
	return nil
}

// damaged tells a gap of a directory.
func (x *isoFS) damaged(path string, err error) error {
	x.content.Gaps = append(x.content.Gaps, fact.Gap{Place: fact.Place{Path: path}, Reason: "damaged", Why: fmt.Sprintf("directory: %v", err)})
	return nil
}

// entry adds one file or directory.
func (x *isoFS) entry(dir string, r isoRecord, extents []run, size int64) {
	n := &image.Node{Mode: 0o444, MTime: r.time(), Size: size, Order: r.at()}
	if r[25]&2 != 0 {
		n.Kind, n.Mode, n.Size = image.Dir, 0o555, 0
	}
	var rr isoRock
	if x.rock {
		rr.read(x, r, n)
	}
	name := x.name(r, &rr)
	path, err := join(dir, name)
	if err != nil {
		_ = x.damaged(dir, err)
		return
	}
	if rr.moved {
		return // found where it belongs
	}
	n.Path = path
	x.content.Nodes = append(x.content.Nodes, n)
	switch {
	case rr.child > 0:
		n.Kind, n.Size = image.Dir, 0
		p, err := x.b.View(rr.child*x.block, 34)
		if err == nil {
			err = x.walk(path, rr.child*x.block, isoRecord(p).size())
		}
		if err != nil {
			_ = x.damaged(path, err)
		}
	case n.Kind == image.Dir:
		if err := x.walk(path, r.at()*x.block, r.size()); err != nil {
			_ = x.damaged(path, err)
		}
	case n.Kind != image.File:
		n.Size = int64(len(n.Target))
	case rr.zisofs:
		n.Unreadable = "compressed (zisofs)"
	case r[26] != 0 || r[27] != 0:
		n.Unreadable = "interleaved file"
	case size > 0:
		x.starts[r.at()] = true
		n.Data = blobOf(x.b, extents, size)
	}
}

// name returns the name in the best of the three dialects.
func (x *isoFS) name(r isoRecord, rr *isoRock) string {
	if rr.name != "" {
		return rr.name
	}
	name := string(r.name())
	if x.joliet {
		units := make([]uint16, 0, len(name)/2)
		for p := r.name(); len(p) >= 2; p = p[2:] {
			units = append(units, be16(p))
		}
		name = string(utf16.Decode(units))
	}
	if i := strings.LastIndexByte(name, ';'); i > 0 {
		name = name[:i]
	}
	if !x.joliet {
		name = strings.TrimSuffix(name, ".")
	}
	return name
}

// isoRock is what Rock Ridge says of one record.
type isoRock struct {
	name   string
	child  int64 // where a moved directory lies
	moved  bool
	zisofs bool
	link   isoLink
}

// read reads the entries of the system use area and of the areas that continue it.
func (rr *isoRock) read(x *isoFS, r isoRecord, n *image.Node) {
	use := r.use()
	use = use[min(x.skip, len(use)):]
	for range 32 { // areas
		var more []byte
		for len(use) >= 4 {
			size := int(use[2])
			if size < 4 || size > len(use) {
				break
			}
			e := use[:size]
			use = use[size:]
			if string(e[:2]) == "ST" {
				break
			}
			if string(e[:2]) == "CE" && size >= 28 {
				p, err := x.b.View(int64(le32(e[4:]))*x.block+int64(le32(e[12:])), min(int64(le32(e[20:])), 1<<16))
				if err == nil {
					more = p
				}
				continue
			}
			rr.entry(e, n)
		}
		if more == nil {
			break
		}
		use = more
	}
	if n.Kind == image.Symlink {
		n.Target = rr.link.String()
	}
}

func (rr *isoRock) entry(e []byte, n *image.Node) {
	switch string(e[:2]) {
	case "PX":
		if len(e) >= 36 {
			mode := le32(e[4:])
			n.Mode, n.UID, n.GID = mode&0o7777, int(le32(e[20:])), int(le32(e[28:]))
			kinds := map[uint32]image.Kind{0x1000: image.Fifo, 0x2000: image.Char, 0x6000: image.Block, 0xa000: image.Symlink, 0xc000: image.Socket}
			if k, ok := kinds[mode&0xf000]; ok && n.Kind == image.File {
				n.Kind = k
			}
		}
	case "PN":
		if len(e) >= 20 {
			high, low := le32(e[4:]), le32(e[12:])
			n.Major, n.Minor = high, low
			if high == 0 {
				n.Major, n.Minor = low>>8&0xfff, low&0xff|low>>12&0xfff00
			}
		}
	case "NM":
		if len(e) > 5 && e[4]&6 == 0 && len(rr.name) < 4096 {
			rr.name += string(e[5:])
		}
	case "SL":
		if len(e) > 5 {
			rr.link.add(e[5:])
		}
	case "TF":
		rr.time(e, n)
	case "CL":
		if len(e) >= 12 {
			rr.child = int64(le32(e[4:]))
		}
	case "RE":
		rr.moved = true
	case "ZF":
		rr.zisofs = true
	}
}

// time reads the time of the last change of the content, the second of up to seven.
func (rr *isoRock) time(e []byte, n *image.Node) {
	if len(e) < 5 || e[4]&2 == 0 {
		return
	}
	i, size := 5, 7
	if e[4]&0x80 != 0 {
		size = 17
	}
	if e[4]&1 != 0 {
		i += size
	}
	if i+size > len(e) {
		return
	}
	t := e[i : i+size]
	if size == 7 {
		n.MTime = isoRecord(append(make([]byte, 18, 25), t...)).time()
		return
	}
	if v, err := time.Parse("20060102150405", string(t[:14])); err == nil {
		n.MTime = v.Unix() - int64(int8(t[16]))*15*60
	}
}

// isoLink puts a link's target together from its components.
type isoLink struct {
	text strings.Builder
	open bool // the last component goes on
}

func (l *isoLink) add(p []byte) {
	for len(p) >= 2 && 2+int(p[1]) <= len(p) && l.text.Len() < 4096 {
		flags, text := p[0], p[2:2+int(p[1])]
		p = p[2+int(p[1]):]
		if s := l.text.String(); !l.open && s != "" && s != "/" {
			l.text.WriteByte('/')
		}
		switch {
		case flags&8 != 0:
			l.text.WriteByte('/')
		case flags&4 != 0:
			l.text.WriteString("..")
		case flags&2 != 0:
			l.text.WriteByte('.')
		default:
			l.text.Write(text)
		}
		l.open = flags&1 != 0
	}
}

func (l *isoLink) String() string { return l.text.String() }

// elTorito tells the boot images of the catalog, and gives those that no file has.
func (x *isoFS) elTorito(in *image.Input, catalog int64) {
	p, err := in.View(catalog*2048, 2048)
	if err != nil || p[0] != 1 || p[30] != 0x55 || p[31] != 0xaa {
		_ = x.damaged("", fmt.Errorf("boot catalog at %#x is none", catalog*2048))
		return
	}
	platforms := map[byte]string{0: "x86", 1: "powerpc", 2: "mac", 0xef: "efi"}
	media := []string{"no emulation", "1.2 MB floppy", "1.44 MB floppy", "2.88 MB floppy", "hard disk"}
	sizes := []int64{0, 1200 << 10, 1440 << 10, 2880 << 10, 0}
	platform := platforms[p[1]]
	number := 0
	for e := p[32:]; len(e) >= 32; e = e[32:] {
		switch e[0] {
		case 0x90, 0x91:
			platform = platforms[e[1]]
		case 0x88, 0x00:
			at := int64(le32(e[8:])) * 2048
			if at == 0 || at >= x.content.Size { // what lies behind the volume is carved
				continue
			}
			number++
			kind := int(e[1] & 15)
			x.content.Attributes["boot."+strconv.Itoa(number)] = platform + ", " + numbered(media, byte(kind))
			if x.starts[at/x.block] {
				continue
			}
			size := int64(le16(e[6:])) * 512
			if kind < len(sizes) && sizes[kind] > 0 {
				size = sizes[kind]
			}
			x.content.Parts = append(x.content.Parts, image.Part{Name: "boot-" + strconv.Itoa(number), Offset: at, Blob: in.Slice(at, max(size, 2048))})
		}
	}
	if sortParts(x.content.Parts) {
		x.content.Parts = x.content.Parts[:1]
	}
}
