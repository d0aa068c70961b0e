package component

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"strings"
)

// The three databases of rpm hold the same thing in different shells: one header for each
// installed package. Shells: SQLite since rpm 4.16 (a table Packages with a column blob),
// ndb of SUSE (slots of 16 bytes, blobs), and Berkeley DB hash files before.

// ReadRPM reads an rpm database of any of its three kinds.
func ReadRPM(db []byte, distro string) ([]Package, error) {
	var headers [][]byte
	var err error
	switch {
	case len(db) >= 100 && string(db[:16]) == "SQLite format 3\x00":
		headers, err = sqliteBlobs(db, "Packages")
	case len(db) >= 32 && string(db[:4]) == "RpmP":
		headers, err = ndbBlobs(db)
	case len(db) >= 512 && (binary.LittleEndian.Uint32(db[12:]) == 0x061561 || binary.BigEndian.Uint32(db[12:]) == 0x061561):
		headers, err = bdbBlobs(db)
	default:
		return nil, errors.New("of rpm: none of its three kinds")
	}
	var out []Package
	for _, h := range headers {
		if p, ok := rpmHeader(h); ok {
			p.Namespace = distro
			out = append(out, p)
		}
	}
	if err != nil {
		return out, fmt.Errorf("of rpm: %w", err)
	}
	return out, nil
}

const (
	tagName       = 1000
	tagVersion    = 1001
	tagRelease    = 1002
	tagVendor     = 1011
	tagLicense    = 1014
	tagArch       = 1022
	tagSourceRPM  = 1044
	tagRequire    = 1049
	tagDirIndexes = 1116
	tagBaseNames  = 1117
	tagDirNames   = 1118
)

// rpmHeader reads one package header: counts of entries and of data bytes, the entries
// (tag, type, offset, count), the data. Numbers are big-endian.
func rpmHeader(h []byte) (Package, bool) {
	if len(h) < 8 {
		return Package{}, false
	}
	n, size := int64(binary.BigEndian.Uint32(h)), int64(binary.BigEndian.Uint32(h[4:]))
	if n > 1<<16 || 8+16*n+size > int64(len(h)) {
		return Package{}, false
	}
	data := h[8+16*n : 8+16*n+size]
	list := map[uint32][]string{}
	var indexes []int
	for e := h[8 : 8+16*n]; len(e) >= 16; e = e[16:] {
		tag, kind, off, count := binary.BigEndian.Uint32(e), binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
		if int64(off) > int64(len(data)) {
			continue
		}
		p := data[off:]
		switch kind {
		case 6, 8, 9: // string, array of strings, translated string
			for i := uint32(0); i < min(count, 1<<18) && len(p) > 0; i++ {
				end := bytes.IndexByte(p, 0)
				if end < 0 {
					break
				}
				list[tag] = append(list[tag], string(p[:min(end, 4096)]))
				p = p[end+1:]
			}
		case 4:
			if tag == tagDirIndexes {
				for i := uint32(0); i < min(count, 1<<18) && len(p) >= 4; i++ {
					indexes = append(indexes, int(binary.BigEndian.Uint32(p)))
					p = p[4:]
				}
			}
		}
	}
	first := func(tag uint32) string {
		if v := list[tag]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	p := Package{Name: first(tagName), Version: first(tagVersion) + "-" + first(tagRelease), Arch: first(tagArch), Supplier: first(tagVendor),
		License: first(tagLicense), Ecosystem: "rpm", How: "package-database"}
	if p.Name == "" || first(tagVersion) == "" || p.Name == "gpg-pubkey" {
		return Package{}, false
	}
	p.Source = rpmSource(first(tagSourceRPM))
	for _, r := range list[tagRequire] {
		if !strings.ContainsAny(r, "(/") {
			p.Depends = append(p.Depends, r)
		}
	}
	dirs := list[tagDirNames]
	for i, b := range list[tagBaseNames] {
		if i < len(indexes) && indexes[i] >= 0 && indexes[i] < len(dirs) {
			p.Files = append(p.Files, path.Join(dirs[indexes[i]], b))
		}
	}
	return p, true
}

// rpmSource takes the name out of NAME-VERSION-RELEASE.src.rpm.
func rpmSource(s string) string {
	for range 2 {
		i := strings.LastIndexByte(s, '-')
		if i < 0 {
			return ""
		}
		s = s[:i]
	}
	return s
}

// ndbBlobs walks the slots of an ndb file: pages of 4096 bytes of 16-byte slots "Slot",
// package, block, blocks; a blob at block*16 has its own 16-byte head with its length.
func ndbBlobs(db []byte) ([][]byte, error) {
	le := binary.LittleEndian
	pages := int64(le.Uint32(db[12:]))
	if pages > 4096 || pages*4096 > int64(len(db)) {
		return nil, errors.New("ndb: its slots pass the end")
	}
	var out [][]byte
	for at := int64(32); at+16 <= pages*4096; at += 16 {
		s := db[at:]
		if string(s[:4]) != "Slot" || le.Uint32(s[4:]) == 0 {
			continue
		}
		off := int64(le.Uint32(s[8:])) * 16
		if off+16 > int64(len(db)) || string(db[off:off+4]) != "BlbS" {
			continue
		}
		n := int64(le.Uint32(db[off+12:]))
		if off+16+n > int64(len(db)) {
			continue
		}
		out = append(out, db[off+16:off+16+n])
	}
	return out, nil
}

// bdbBlobs reads the values of a Berkeley DB hash file that are kept off the pages, as
// package headers are.
func bdbBlobs(db []byte) ([][]byte, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if binary.BigEndian.Uint32(db[12:]) == 0x061561 {
		order = binary.BigEndian
	}
	size := int(order.Uint32(db[20:]))
	if size < 512 || size > 64<<10 || size&(size-1) != 0 {
		return nil, fmt.Errorf("berkeley db: page size %d", size)
	}
	last := int(order.Uint32(db[32:]))
	var out [][]byte
	total := 0
	for n := 1; n <= last && (n+1)*size <= len(db); n++ {
		page := db[n*size : (n+1)*size]
		kind, entries := page[25], int(order.Uint16(page[20:]))
		if kind != 2 && kind != 13 {
			continue
		}
		for i := 1; i < entries && 26+2*i+2 <= size; i += 2 { // keys and values take turns
			at := int(order.Uint16(page[26+2*i:]))
			if at+12 > size || page[at] != 3 {
				continue
			}
			b := bdbOverflow(db, order, size, int(order.Uint32(page[at+4:])), int(order.Uint32(page[at+8:])))
			if total += len(b); total > 2*len(db) {
				return out, errors.New("berkeley db: its values are larger than itself")
			}
			if b != nil {
				out = append(out, b)
			}
		}
	}
	return out, nil
}

// bdbOverflow follows a chain of overflow pages.
func bdbOverflow(db []byte, order binary.ByteOrder, size, page, length int) []byte {
	if length > len(db) {
		return nil
	}
	var out []byte
	for hops := 0; page != 0 && len(out) < length && hops < len(db)/size; hops++ {
		if (page+1)*size > len(db) {
			return nil
		}
		p := db[page*size : (page+1)*size]
		used := int(order.Uint16(p[22:]))
		if p[25] != 7 || 26+used > size {
			return nil
		}
		out = append(out, p[26:26+used]...)
		page = int(order.Uint32(p[16:]))
	}
	if len(out) < length {
		return nil
	}
	return out[:length]
}
