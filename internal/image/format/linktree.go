package format

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// linkTree walks a file system whose directory entries and inodes lie scattered over a
// flash, as UBIFS, JFFS2 and YAFFS2 have them: entries lead from a directory's number and
// a name to a number.
type linkTree struct {
	content *image.Content
	entries map[uint64][]linkEntry // of each directory, in the order of their writing
	inode   func(number uint64) (*image.Node, error)
	files   int64 // most entries
	names   int64 // bytes that all paths may take

	known  map[uint64]*image.Node // what was seen, without its path
	dirs   map[uint64]bool
	more   int
	capped bool
}

// linkEntry is a directory entry. The number 0 takes the name away again.
type linkEntry struct {
	name   string
	number uint64
}

// newLinkTree returns a tree for an image of size bytes.
func newLinkTree(c *image.Content, in *image.Input) *linkTree {
	return &linkTree{
		content: c, entries: map[uint64][]linkEntry{}, files: in.Budget.Limits().Files, names: 64<<20 + 32*in.Size(),
		known: map[uint64]*image.Node{}, dirs: map[uint64]bool{},
	}
}

// walk adds the directory root and all that lies below it. Directories that nothing leads
// to are told.
func (t *linkTree) walk(root uint64) {
	t.add("/", root)
	lost := 0
	for n, list := range t.entries {
		if !t.dirs[n] && len(effective(list)) > 0 {
			lost++
		}
	}
	if lost > 0 && !t.capped {
		t.gap("", fmt.Errorf("%d directories have entries, but no name leads to them: their files are not listed", lost))
	}
	if t.more > 0 {
		t.content.Gaps = append(t.content.Gaps, fact.Gap{Reason: "damaged", Why: fmt.Sprintf("%d more entries cannot be read", t.more)})
	}
}

func (t *linkTree) gap(path string, err error) {
	if len(t.content.Gaps) >= maxEntryGaps {
		t.more++
		return
	}
	t.content.Gaps = append(t.content.Gaps, fact.Gap{Place: fact.Place{Path: path}, Reason: "damaged", Why: err.Error()})
}

// effective returns the entries that are left when of each name the last one counts, by
// name.
func effective(list []linkEntry) []linkEntry {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b linkEntry) int { return cmp.Compare(a.name, b.name) })
	out := sorted[:0]
	for i, e := range sorted {
		if (i+1 == len(sorted) || sorted[i+1].name != e.name) && e.number != 0 {
			out = append(out, e)
		}
	}
	return out
}

// add adds what has the number, and what lies below it where it is a directory.
func (t *linkTree) add(path string, number uint64) {
	t.names -= int64(len(path))
	if int64(len(t.content.Nodes)) >= t.files || t.names < 0 {
		if !t.capped {
			t.capped = true
			t.content.Gaps = append(t.content.Gaps, fact.Gap{Reason: "limit", Why: fmt.Sprintf("over the limit of files, or of the length of all paths together, after %d entries", len(t.content.Nodes))})
		}
		return
	}
	n, seen := t.known[number]
	if !seen {
		var err error
		if n, err = t.inode(number); err != nil {
			t.gap(path, fmt.Errorf("inode %d: %w", number, err))
			if n == nil && path == "/" { // what is below is more than nothing
				n = &image.Node{Kind: image.Dir, Mode: 0o755}
			}
		}
		if n == nil {
			return
		}
		t.known[number] = n
	}
	if n.Kind == image.Dir && t.dirs[number] {
		t.gap(path, fmt.Errorf("directory %d occurs twice", number))
		return
	}
	own := *n
	own.Path = path
	t.content.Nodes = append(t.content.Nodes, &own)
	if n.Kind != image.Dir {
		return
	}
	t.dirs[number] = true
	for _, e := range effective(t.entries[number]) {
		child, err := join(path, e.name)
		if err != nil {
			t.gap(path, err)
			continue
		}
		t.add(child, e.number)
	}
}
