// Package pack writes containers: the opposite of package format, for the forms that
// replicas and fixes need. What it writes, the usual tools of the format accept
// (unsquashfs, e2fsck, sgdisk, mkimage -l), and package format reads back as the same
// tree.
//
// Everything is made in memory and depends on the arguments alone: the same files give the
// same bytes.
package pack

import (
	"archive/tar"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path"
	"slices"
	"time"

	"github.com/vesalius-project/vesalius/internal/image"
)

// File is one entry of a tree to be written.
type File struct {
	Path         string // absolute and clean
	Kind         image.Kind
	Mode         uint32 // permission bits with setuid, setgid and sticky
	UID, GID     int
	MTime        int64
	Data         []byte
	Target       string // of a symlink
	Major, Minor uint32
}

// tree orders files, adds the directories that only follow from a path, and checks them.
func tree(files []File) ([]File, error) {
	by := map[string]File{"/": {Path: "/", Kind: image.Dir, Mode: 0o755}}
	for _, f := range files {
		if f.Path != path.Clean("/"+f.Path) {
			return nil, fmt.Errorf("path %q is not absolute and clean", f.Path)
		}
		by[f.Path] = f
		for d := path.Dir(f.Path); d != "/"; d = path.Dir(d) {
			if _, ok := by[d]; !ok {
				by[d] = File{Path: d, Kind: image.Dir, Mode: 0o755, MTime: f.MTime}
			}
		}
	}
	out := make([]File, 0, len(by))
	for _, f := range by {
		if p := by[path.Dir(f.Path)]; f.Path != "/" && p.Kind != image.Dir {
			return nil, fmt.Errorf("path %q: its parent is a %s", f.Path, p.Kind)
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return out, nil
}

// children returns the entries directly below dir, which must come from tree.
func children(files []File) map[string][]int {
	kids := map[string][]int{}
	for i, f := range files {
		if f.Path != "/" {
			d := path.Dir(f.Path)
			kids[d] = append(kids[d], i)
		}
	}
	return kids
}

// Tar writes a POSIX tar archive.
func Tar(files []File) ([]byte, error) {
	all, err := tree(files)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	kinds := map[image.Kind]byte{
		image.File: tar.TypeReg, image.Dir: tar.TypeDir, image.Symlink: tar.TypeSymlink,
		image.Char: tar.TypeChar, image.Block: tar.TypeBlock, image.Fifo: tar.TypeFifo,
	}
	for _, f := range all {
		if f.Path == "/" {
			continue
		}
		h := &tar.Header{
			Name: f.Path[1:], Typeflag: kinds[f.Kind], Mode: int64(f.Mode), Uid: f.UID, Gid: f.GID,
			Size: int64(len(f.Data)), Linkname: f.Target, Devmajor: int64(f.Major), Devminor: int64(f.Minor),
			ModTime: time.Unix(f.MTime, 0).UTC(), Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("tar: %q: %w", f.Path, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("tar: %q: %w", f.Path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// UImage wraps a payload into a legacy U-Boot image header. system, arch, kind and
// compression are the numbers of U-Boot's image.h: 5 Linux, 2 ARM, 2 kernel, 1 gzip.
func UImage(name string, system, arch, kind, compression byte, load uint32, at int64, payload []byte) []byte {
	h := make([]byte, 64, 64+len(payload))
	be := binary.BigEndian
	be.PutUint32(h[0:], 0x27051956)
	be.PutUint32(h[8:], uint32(at))
	be.PutUint32(h[12:], uint32(len(payload)))
	be.PutUint32(h[16:], load)
	be.PutUint32(h[20:], load)
	be.PutUint32(h[24:], crc32.ChecksumIEEE(payload))
	h[28], h[29], h[30], h[31] = system, arch, kind, compression
	copy(h[32:], name)
	be.PutUint32(h[4:], crc32.ChecksumIEEE(h))
	return append(h, payload...)
}

// UBootEnv writes a U-Boot environment of the given size: a CRC and the variables in the
// order of their names.
func UBootEnv(vars map[string]string, size int) ([]byte, error) {
	names := make([]string, 0, len(vars))
	for n := range vars {
		names = append(names, n)
	}
	slices.Sort(names)
	var b bytes.Buffer
	for _, n := range names {
		fmt.Fprintf(&b, "%s=%s\x00", n, vars[n])
	}
	b.WriteByte(0)
	if b.Len() > size-4 {
		return nil, fmt.Errorf("u-boot environment: %d bytes do not fit into %d", b.Len(), size-4)
	}
	out := make([]byte, size)
	copy(out[4:], b.Bytes())
	binary.LittleEndian.PutUint32(out, crc32.ChecksumIEEE(out[4:]))
	return out, nil
}

// Flash lays pieces at their offsets into a flash of the given size, erased elsewhere.
func Flash(size int, pieces map[int][]byte) ([]byte, error) {
	out := bytes.Repeat([]byte{0xff}, size)
	for off, p := range pieces {
		if off < 0 || off+len(p) > size {
			return nil, fmt.Errorf("flash: piece of %d bytes at %#x passes the end %#x", len(p), off, size)
		}
		copy(out[off:], p)
	}
	return out, nil
}
