package remedy

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/witness/firmware"
)

// MaxFile bounds the files that are changed.
const MaxFile = 64 << 20

// Tree is a copy of one root of an image that can be changed. The image never is.
type Tree struct {
	Root *firmware.Root

	layers  map[*image.Node]*image.Layer
	main    *image.Layer
	changes map[string]*change // by path in the root
}

// change is what became of one entry.
type change struct {
	path string
	was  *firmware.File // nil: there was none
	node *image.Node    // nil: there is none
	data []byte         // the new content, where it is not the old one
	same bool           // the content is the old one
}

// NewTree returns the tree of a root, with nothing changed.
func NewTree(r *firmware.Root, im *image.Image) *Tree {
	t := &Tree{Root: r, layers: map[*image.Node]*image.Layer{}, main: r.Layer, changes: map[string]*change{}}
	for _, l := range im.Layers {
		for _, n := range l.Nodes {
			t.layers[n] = l
		}
	}
	return t
}

// Entry returns what stands at a path now, links not followed; nil for nothing.
func (t *Tree) Entry(p string) *image.Node {
	p = path.Clean("/" + p)
	if c, ok := t.changes[p]; ok {
		return c.node
	}
	if f := t.Root.Entry(p); f != nil {
		return f.Node
	}
	return nil
}

// Resolve returns the path that a path leads to now, links of every part followed within
// the root, and whether something stands there. It is empty where links lead in a loop.
func (t *Tree) Resolve(p string) (string, bool) {
	rest := strings.Split(strings.Trim(path.Clean("/"+p), "/"), "/")
	at := "/"
	for hops := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		n := t.Entry(next)
		switch {
		case n == nil:
			return path.Join(append([]string{next}, rest...)...), false
		case n.Kind == image.Symlink:
			if hops++; hops > 40 {
				return "", false
			}
			to := n.Target
			if !path.IsAbs(to) {
				to = path.Join(at, to)
			}
			at = "/"
			rest = append(strings.Split(strings.Trim(path.Clean("/"+to), "/"), "/"), rest...)
			if rest[0] == "" {
				rest = rest[1:]
			}
		default:
			at = next
		}
	}
	return at, true
}

// Read returns the content of the file that a path leads to.
func (t *Tree) Read(p string) ([]byte, error) {
	at, ok := t.Resolve(p)
	n := t.Entry(at)
	if !ok || n == nil || n.Kind != image.File {
		return nil, fmt.Errorf("%q: no such file", p)
	}
	if c := t.changes[at]; c != nil && !c.same {
		return c.data, nil
	}
	if n.Size > MaxFile {
		return nil, fmt.Errorf("%q: %d bytes, more than %d", p, n.Size, MaxFile)
	}
	if n.Unreadable != "" {
		return nil, fmt.Errorf("%q: %s", p, n.Unreadable)
	}
	var b bytes.Buffer
	if err := image.Copy(&b, n); err != nil {
		return nil, fmt.Errorf("%q: %w", p, err)
	}
	return b.Bytes(), nil
}

// Original returns the content that the file at a path had before any change: the lines of
// places are those of it.
func (t *Tree) Original(p string) (string, error) {
	f := t.Root.Lookup(p)
	if f == nil || f.Node.Kind != image.File || f.Node.Size > MaxFile {
		return "", fmt.Errorf("%q: no such file", p)
	}
	var b bytes.Buffer
	if err := image.Copy(&b, f.Node); err != nil {
		return "", fmt.Errorf("%q: %w", p, err)
	}
	return b.String(), nil
}

// Text is Read of a text file.
func (t *Tree) Text(p string) (string, error) {
	b, err := t.Read(p)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return "", fmt.Errorf("%q: no text", p)
	}
	return string(b), nil
}

// Write puts a content into the file that a path leads to; one that is not there is made,
// with the mode and its directory's owner, and the directories above it.
func (t *Tree) Write(p string, data []byte, mode uint32) error {
	at, ok := t.Resolve(p)
	if at == "" {
		return fmt.Errorf("%q: its links lead in a loop", p)
	}
	if !ok {
		if err := t.mkdir(path.Dir(at)); err != nil {
			return err
		}
		dir := t.Entry(path.Dir(at))
		t.put(at, &image.Node{Path: at, Mode: mode, UID: dir.UID, GID: dir.GID, MTime: dir.MTime}, data)
		return nil
	}
	n := *t.Entry(at)
	if n.Kind != image.File {
		return fmt.Errorf("%q: is a %s", p, n.Kind)
	}
	n.Inode = 0 // a hard link that is written becomes a file of its own
	t.put(at, &n, data)
	return nil
}

// put sets the content of an entry.
func (t *Tree) put(at string, n *image.Node, data []byte) {
	n.Data, n.Stream, n.Extent, n.Size = image.BytesBlob(data), nil, nil, int64(len(data))
	t.changes[at] = &change{path: at, was: t.Root.Entry(at), node: n, data: data}
}

// mkdir makes a directory, and those above it.
func (t *Tree) mkdir(p string) error {
	at, ok := t.Resolve(p)
	if at == "" {
		return fmt.Errorf("%q: its links lead in a loop", p)
	}
	if ok {
		if n := t.Entry(at); at != "/" && n.Kind != image.Dir {
			return fmt.Errorf("%q: is a %s", p, n.Kind)
		}
		return nil
	}
	if err := t.mkdir(path.Dir(at)); err != nil {
		return err
	}
	n := &image.Node{Path: at, Kind: image.Dir, Mode: 0o755}
	if above := t.Entry(path.Dir(at)); above != nil {
		n.UID, n.GID, n.MTime = above.UID, above.GID, above.MTime
	}
	t.changes[at] = &change{path: at, was: t.Root.Entry(at), node: n}
	return nil
}

// Remove takes an entry away: a file or a link itself, not what it leads to. A directory
// must be empty.
func (t *Tree) Remove(p string) error {
	p = path.Clean("/" + p)
	n := t.Entry(p)
	switch {
	case n == nil:
		return fmt.Errorf("%q: no such file", p)
	case n.Kind == image.Dir && len(t.List(p)) > 0:
		return fmt.Errorf("%q: directory is not empty", p)
	}
	if was := t.Root.Entry(p); was != nil {
		t.changes[p] = &change{path: p, was: was}
	} else {
		delete(t.changes, p)
	}
	return nil
}

// Link makes or replaces a symbolic link.
func (t *Tree) Link(p, target string) error {
	p = path.Clean("/" + p)
	if n := t.Entry(p); n != nil && n.Kind == image.Dir {
		return fmt.Errorf("%q: is a directory", p)
	}
	if err := t.mkdir(path.Dir(p)); err != nil {
		return err
	}
	dir := t.Entry(path.Dir(p))
	t.changes[p] = &change{path: p, was: t.Root.Entry(p), node: &image.Node{
		Path: p, Kind: image.Symlink, Mode: 0o777, UID: dir.UID, GID: dir.GID, MTime: dir.MTime, Target: target, Size: int64(len(target)),
	}}
	return nil
}

// Chmod sets the permission bits of what a path leads to.
func (t *Tree) Chmod(p string, mode uint32) error {
	return t.alter(p, func(n *image.Node) { n.Mode = mode & 0o7777 })
}

// Chown sets the owner of what a path leads to.
func (t *Tree) Chown(p string, uid, gid int) error {
	return t.alter(p, func(n *image.Node) { n.UID, n.GID = uid, gid })
}

func (t *Tree) alter(p string, do func(*image.Node)) error {
	at, ok := t.Resolve(p)
	if !ok {
		return fmt.Errorf("%q: no such file", p)
	}
	n := *t.Entry(at)
	do(&n)
	if c := t.changes[at]; c != nil {
		altered := *c
		altered.node = &n
		t.changes[at] = &altered
		return nil
	}
	t.changes[at] = &change{path: at, was: t.Root.Entry(at), node: &n, same: n.Kind == image.File}
	return nil
}

// List returns the names in a directory now, sorted.
func (t *Tree) List(dir string) []string {
	at, _ := t.Resolve(dir)
	names := map[string]bool{}
	for _, f := range t.Root.Dir(at) {
		names[path.Base(f.Path)] = true
	}
	for p, c := range t.changes {
		if path.Dir(p) == at && p != "/" {
			names[path.Base(p)] = c.node != nil
		}
	}
	maps.DeleteFunc(names, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(names))
}

// mark returns a state to which reset goes back.
func (t *Tree) mark() map[string]*change       { return maps.Clone(t.changes) }
func (t *Tree) reset(state map[string]*change) { t.changes = maps.Clone(state) }
func (t *Tree) sorted() []*change {
	return slices.SortedFunc(maps.Values(t.changes), func(a, b *change) int { return cmp.Compare(a.path, b.path) })
}

// edits gives the changes as edits of the layers that the root is made of.
func (t *Tree) edits(into map[*image.Layer][]image.Edit) error {
	for _, c := range t.sorted() {
		l, at, err := t.source(c)
		if err != nil {
			return err
		}
		e := image.Edit{Path: at, Same: c.same}
		if c.node != nil {
			n := *c.node
			n.Path = at
			e.Node = &n
		}
		into[l] = append(into[l], e)
	}
	return nil
}

// source returns the layer that a changed entry belongs to, and its path there: its own,
// or that of the nearest directory above it that the image has.
func (t *Tree) source(c *change) (*image.Layer, string, error) {
	if c.was != nil {
		if l := t.layers[c.was.Node]; l != nil {
			return l, c.was.Node.Path, nil
		}
		return nil, "", fmt.Errorf("%q: lies in no container that is known", c.path)
	}
	for dir := path.Dir(c.path); ; dir = path.Dir(dir) {
		if f := t.Root.Entry(dir); f != nil && t.layers[f.Node] != nil {
			return t.layers[f.Node], path.Join(f.Node.Path, c.path[len(strings.TrimSuffix(dir, "/")):]), nil
		}
		if dir == "/" {
			break
		}
	}
	if t.main == nil {
		return nil, "", fmt.Errorf("%q: the root %q is no file system of its own", c.path, t.Root.Role)
	}
	return t.main, c.path, nil
}
