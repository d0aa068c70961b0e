package format

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

// run is a piece of a content: size bytes that start at the byte at of the content and lie
// at the byte from of a blob. A negative from means that fill is repeated instead, from
// its first byte on.
type run struct {
	at, from, size int64
	fill           [4]byte
}

// runs is a content that lies in pieces in a blob, in the order of at; what lies between
// them is zero. It reads without copying more than is asked for.
type runs struct {
	blob *image.Blob
	list []run
}

// blobOf returns the content of size bytes that the runs describe, as a slice of b itself
// where it lies there in one piece.
func blobOf(b *image.Blob, list []run, size int64) *image.Blob {
	if len(list) == 1 && list[0].at == 0 && list[0].from >= 0 && list[0].size >= size && list[0].from+size <= b.Size() {
		return b.Slice(list[0].from, size)
	}
	return image.ReaderBlob(&runs{b, list}, size)
}

// add appends a run, or lengthens the last one where the new one goes on from it.
func addRun(list []run, at, from, size int64) []run {
	if n := len(list); n > 0 && from >= 0 {
		if l := &list[n-1]; l.from >= 0 && l.at+l.size == at && l.from+l.size == from {
			l.size += size
			return list
		}
	}
	return append(list, run{at: at, from: from, size: size})
}

// sortRuns puts runs into their order and reports whether they overlap.
func sortRuns(list []run) (overlap bool) {
	slices.SortStableFunc(list, func(a, b run) int { return cmp.Compare(a.at, b.at) })
	for i := 1; i < len(list); i++ {
		if list[i-1].at+list[i-1].size > list[i].at {
			return true
		}
	}
	return false
}

// ReadAt reads as io.ReaderAt promises. It has no end of its own: past the last run
// there are zeros.
func (r *runs) ReadAt(p []byte, off int64) (int, error) {
	i, _ := slices.BinarySearchFunc(r.list, off, func(x run, off int64) int { return cmp.Compare(x.at+x.size, off+1) })
	for done := 0; done < len(p); {
		at := off + int64(done)
		rest := p[done:]
		if i >= len(r.list) || at < r.list[i].at {
			if i < len(r.list) {
				rest = rest[:min(int64(len(rest)), r.list[i].at-at)]
			}
			clear(rest)
			done += len(rest)
			continue
		}
		x := r.list[i]
		i++
		rest = rest[:min(int64(len(rest)), x.at+x.size-at)]
		if x.from < 0 {
			for k := range rest {
				rest[k] = x.fill[(at-x.at+int64(k))&3]
			}
		} else if n, err := r.blob.ReadAt(rest, x.from+at-x.at); n < len(rest) {
			return done + n, fmt.Errorf("bytes %#x+%#x: %w", x.from+at-x.at, len(rest), cutShort(err))
		}
		done += len(rest)
	}
	return len(p), nil
}

// cutShort turns the end of a blob in the middle of a content into damage.
func cutShort(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// maxPath bounds a path built from nested directories: longer ones are no file system of
// a device, but a trap that grows as the square of the depth.
const maxPath = 16 << 10

// join appends an entry's name to its directory's path. It refuses names that are no
// single path element.
func join(dir, name string) (string, error) {
	switch {
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00"):
		return "", fmt.Errorf("the name %q is no file name", name)
	case len(dir)+len(name) > maxPath:
		return "", fmt.Errorf("path is longer than %d bytes", maxPath)
	case dir == "/":
		return "/" + name, nil
	}
	return dir + "/" + name, nil
}

// cstring returns the text before the first NUL.
func cstring(p []byte) string {
	s, _, _ := strings.Cut(string(p), "\x00")
	return s
}
