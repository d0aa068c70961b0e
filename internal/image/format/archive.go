package format

import (
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// archive collects the entries of an archive.
type archive struct {
	image.Content
	byPath map[string]*image.Node // the last entry of a path
	inodes uint64                 // the last number that links share
	leaves string                 // the first name that would leave the directory it is unpacked into
}

func newArchive() *archive {
	return &archive{Content: image.Content{Attributes: map[string]string{}}, byPath: map[string]*image.Node{}}
}

// add adds an entry under the name that the archive gives it.
func (a *archive) add(n *image.Node, name string) {
	n.Path = a.path(name)
	a.Nodes = append(a.Nodes, n)
	a.byPath[n.Path] = n
}

// path makes the absolute path of a name. What would lead out of the archive stays at its
// root, and is noted: unpacked by a careless program, such an entry overwrites any file.
func (a *archive) path(name string) string {
	name, _, _ = strings.Cut(name, "\x00")
	depth := 0
	for e := range strings.SplitSeq(name, "/") {
		switch e {
		case "", ".":
		case "..":
			if depth--; depth < 0 && a.leaves == "" {
				a.leaves = name
			}
		default:
			depth++
		}
	}
	return path.Clean("/" + name)
}

// gap notes what was not read.
func (a *archive) gap(at, size int64, why string) {
	a.Gaps = append(a.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Size: size, Reason: "damaged", Why: why})
}

// done returns the content, whose last byte lies before end.
func (a *archive) done(end int64) *image.Content {
	a.Size = end
	if a.leaves != "" {
		a.Attributes["leaves"] = a.leaves
	}
	return &a.Content
}

// link makes n a hard link to what lies at a path: nodes that share their content.
func (a *archive) link(n *image.Node, target string) {
	t := a.byPath[a.path(target)]
	if t == nil || t.Kind == image.Dir {
		n.Unreadable = "hard link to " + quoted(target) + ", which the archive does not have before it"
		return
	}
	if t.Inode == 0 && t.Kind == image.File {
		a.inodes++
		t.Inode = a.inodes
	}
	mode, uid, gid, mtime := n.Mode, n.UID, n.GID, n.MTime
	*n = *t
	n.Mode, n.UID, n.GID, n.MTime = mode, uid, gid, mtime
}

// resyncMost is how far a reader looks for the next header behind a damaged one. Not
// farther: between two archives that are cut off lies what belongs to neither.
const resyncMost = 1 << 20

// resync returns the next multiple of step at which a header lies, or -1.
func resync(b *image.Blob, from, step int64, header func(at int64) bool) int64 {
	for at := from; at < min(b.Size(), from+resyncMost); at += step {
		if header(at) {
			return at
		}
	}
	return -1
}

// padded rounds n up to a multiple of to.
func padded(n, to int64) int64 { return (n + to - 1) / to * to }

// allZero reports whether the bytes from at to end are zero.
func allZero(b *image.Blob, at, end int64) bool {
	if end > b.Size() || at > end {
		return false
	}
	for ; at < end; at += 4096 {
		p, err := b.View(at, min(4096, end-at))
		if err != nil || strings.Trim(string(p), "\x00") != "" {
			return false
		}
	}
	return true
}

// modeKind is the kind of a node by the type bits of a Unix mode.
func modeKind(mode uint32) (k image.Kind, ok bool) {
	switch mode & 0o170000 {
	case 0o100000, 0o110000: // 011: HP-UX's contiguous file
		return image.File, true
	case 0o040000:
		return image.Dir, true
	case 0o120000:
		return image.Symlink, true
	case 0o020000:
		return image.Char, true
	case 0o060000:
		return image.Block, true
	case 0o010000:
		return image.Fifo, true
	case 0o140000:
		return image.Socket, true
	}
	return image.File, false
}
