package format_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/image"
)

// extKinds are the file systems that are made, by the options of mke2fs.
var extKinds = map[string][]string{
	"ext2-1k":      {"-t", "ext2", "-b", "1024"},
	"ext2-4k":      {"-t", "ext2", "-b", "4096", "-I", "256"},
	"ext3-1k":      {"-t", "ext3", "-b", "1024"},
	"ext4-1k":      {"-t", "ext4", "-b", "1024"},
	"ext4-4k":      {"-t", "ext4", "-b", "4096"},
	"ext4-64k":     {"-t", "ext4", "-b", "65536", "-F"},
	"ext4-map":     {"-t", "ext4", "-b", "1024", "-O", "^extent,^64bit"},
	"ext4-uninit":  {"-t", "ext4", "-b", "1024", "-O", "^metadata_csum,uninit_bg"},
	"ext4-32bit":   {"-t", "ext4", "-b", "4096", "-O", "^64bit,metadata_csum"},
	"ext4-seed":    {"-t", "ext4", "-b", "1024", "-O", "metadata_csum_seed"},
	"ext4-meta-bg": {"-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"},
	"ext4-128":     {"-t", "ext4", "-b", "1024", "-I", "128"},
	"ext4-small":   {"-t", "ext4", "-b", "1024", "-g", "2048", "-O", "^flex_bg,sparse_super2"},
}

func mkext(t *testing.T, tree, file string, size string, options ...string) []byte {
	t.Helper()
	args := append(append([]string{"-q"}, options...), "-U", "5f0c2ae0-6a39-4d0b-93d1-9c1c0b8d5a11", "-d", tree, file, size)
	cmd := exec.Command(tool("mke2fs"), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mke2fs %v: %v: %s", args, err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tool finds what Debian puts where only root looks.
func tool(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	return filepath.Join("/usr/sbin", name)
}

func needExt(t *testing.T) {
	t.Helper()
	for _, name := range []string{"mke2fs", "e2fsck", "debugfs"} {
		if _, err := exec.LookPath(tool(name)); err != nil {
			t.Skipf("%s is not installed: e2fsprogs", name)
		}
	}
}

// fsck holds that e2fsck has nothing to say about a file system.
func fsck(t *testing.T, file string) {
	t.Helper()
	if out, err := exec.Command(tool("e2fsck"), "-fn", file).CombinedOutput(); err != nil || bytes.Contains(out, []byte("? no")) {
		t.Errorf("e2fsck: %v: %.3000s", err, out)
	}
}

// rebuildExt applies edits to a file system and holds that the result is what was asked
// for, by our reader and by e2fsck.
func rebuildExt(t *testing.T, data []byte, file string, edits []image.Edit, want map[string]string) []byte {
	t.Helper()
	im := open(t, image.BytesBlob(data))
	l := layerOf(t, im, "ext")
	b, _, err := image.Rebuild(context.Background(), im, image.BytesBlob(data), map[*image.Layer][]image.Edit{l: edits}, image.Options{Budget: budget.New(budget.Limits{Memory: 1 << 30})})
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(b.Reader())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(data) {
		t.Errorf("%d bytes, want %d", len(all), len(data))
	}
	if err := os.WriteFile(file, all, 0o644); err != nil {
		t.Fatal(err)
	}
	fsck(t, file)
	after := open(t, b)
	if len(after.Gaps) > 0 {
		t.Errorf("gaps: %v", after.Gaps)
	}
	if diff := cmp.Diff(want, listing(t, layerOf(t, after, "ext"))); diff != "" {
		t.Errorf("-want +got:\n%.4000s", diff)
	}
	return all
}

// extEdits are edits beyond those of someEdits: growing and shrinking, whole directories,
// names of one file, attributes, devices, a large directory.
func extEdits(l *image.Layer, want map[string]string) (edits []image.Edit) {
	at := func(p string) image.Node {
		i := slices.IndexFunc(l.Nodes, func(n *image.Node) bool { return n.Path == p })
		return *l.Nodes[i]
	}
	say := func(n *image.Node, data []byte) {
		want[n.Path] = fmt.Sprintf("%s %04o %d:%d %d:%d %q %v", n.Kind, n.Mode, n.UID, n.GID, n.Major, n.Minor, n.Target, n.XAttrs)
		if n.Kind == image.File {
			n.Size, n.Stream, n.Data = int64(len(data)), nil, image.BytesBlob(data)
			want[n.Path] += fmt.Sprintf(" %d %x", len(data), digest(data))
		}
		edits = append(edits, image.Edit{Path: n.Path, Node: n})
	}
	edits, change := someEdits(l)
	change(want)
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(i*i>>7) | 1
	}
	// Every other block is a hole: many extents.
	holes := make([]byte, 1_500_000)
	for i := range holes {
		if i/1024%2 == 0 {
			holes[i] = byte(i) | 1
		}
	}
	n := at("/share/d1/f001")
	say(&n, noise)
	n2 := at("/share/d2/f688")
	say(&n2, []byte("short"))
	n3 := at("/lib/empty")
	n3.Mode, n3.UID, n3.GID = 0o4711, 70000, 80000
	say(&n3, []byte("no longer empty"))
	n4 := at("/lib/sparse")
	say(&n4, holes)
	say(&image.Node{Path: "/lib/attrs", Mode: 0o644, XAttrs: map[string]string{
		"user.origin": "a value", "security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "trusted.long": strings.Repeat("v", 300),
	}}, []byte("x"))
	say(&image.Node{Path: "/dev", Kind: image.Dir, Mode: 0o755}, nil)
	say(&image.Node{Path: "/dev/console", Kind: image.Char, Mode: 0o600, Major: 5, Minor: 1}, nil)
	say(&image.Node{Path: "/dev/mmc", Kind: image.Block, Mode: 0o660, Major: 259, Minor: 70000}, nil)
	say(&image.Node{Path: "/dev/pipe", Kind: image.Fifo, Mode: 0o600}, nil)
	say(&image.Node{Path: "/etc/slow", Kind: image.Symlink, Mode: 0o777, Target: "/" + strings.Repeat("long/", 40)}, nil)
	alias := at("/etc/alias")
	alias.Target = "/etc/shadow"
	say(&alias, nil)
	for i := range 150 {
		say(&image.Node{Path: fmt.Sprintf("/many/new-%03d-%s", i, strings.Repeat("n", i)), Mode: 0o600}, []byte{byte(i), 1})
	}
	for p := range want {
		if strings.HasPrefix(p, "/share/d3") || strings.HasPrefix(p, "/many/f-1") || p == "/bin/hard" {
			delete(want, p)
			if p == "/share/d3" || strings.HasPrefix(p, "/many") || p == "/bin/hard" {
				edits = append(edits, image.Edit{Path: p})
			}
		}
	}
	slices.SortFunc(edits, func(a, b image.Edit) int { return strings.Compare(a.Path, b.Path) })
	return edits
}

// TestRebuildExt holds for each kind of file system that an edited image says what was
// asked for, that all else stays, that what was removed is gone from the bytes, and that
// e2fsck finds nothing wrong.
func TestRebuildExt(t *testing.T) {
	t.Parallel()
	needExt(t)
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	sampleTree(t, tree)
	if err := os.Mkdir(filepath.Join(tree, "many"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		if err := os.WriteFile(filepath.Join(tree, fmt.Sprintf("many/f-%04d%s", i, strings.Repeat("x", 90))), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(extKinds)) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			size := "32M"
			if kind == "ext4-64k" {
				size = "96M"
			}
			file := filepath.Join(dir, kind+".img")
			mkext(t, tree, file, size, append(extKinds[kind], "-N", "6000")...)
			// mke2fs makes no indexes: this does.
			if out, err := exec.Command(tool("e2fsck"), "-fyD", file).CombinedOutput(); err != nil && !strings.Contains(string(out), "MODIFIED") {
				t.Fatalf("e2fsck: %v: %s", err, out)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fsck(t, file)
			if out, err := exec.Command(tool("debugfs"), "-R", "htree_dump /many", file).Output(); err != nil || !bytes.Contains(out, []byte("Hash Version")) && kind != "ext4-64k" {
				t.Fatalf("debugfs: the directory has no index: %v: %.200s", err, out)
			}
			l := layerOf(t, open(t, image.BytesBlob(data)), "ext")
			want := listing(t, l)
			edits := extEdits(l, want)
			all := rebuildExt(t, data, file, edits, want)
			for _, gone := range []string{"8c1fe59ab2", "f-1777"} {
				if bytes.Contains(all, []byte(gone)) {
					t.Errorf("%q was removed and is still in the bytes", gone)
				}
			}
			out, err := exec.Command(tool("debugfs"), "-R", "cat /etc/passwd", file).Output()
			if err != nil || string(out) != "root:!:0:0::/root:/bin/sh\n" {
				t.Errorf("debugfs: %v: %q", err, out)
			}
			// Once more, on what was written: in the end all is gone but the root.
			l = layerOf(t, open(t, image.BytesBlob(all)), "ext")
			var clear []image.Edit
			for _, n := range l.Nodes {
				if n.Path != "/" && strings.Count(n.Path, "/") == 1 && n.Path != "/lost+found" {
					clear = append(clear, image.Edit{Path: n.Path})
				}
			}
			have := listing(t, l)
			rebuildExt(t, all, file, clear, map[string]string{"/": have["/"], "/lost+found": have["/lost+found"]})
		})
	}
}

// TestRebuildExtNames holds what becomes of files with several names: one that is
// changed leaves the others, and where all are changed alike they stay one file.
func TestRebuildExtNames(t *testing.T) {
	t.Parallel()
	needExt(t)
	dir := t.TempDir()
	tree, file := filepath.Join(dir, "tree"), filepath.Join(dir, "x.img")
	sampleTree(t, tree)
	data := mkext(t, tree, file, "16M", "-t", "ext4", "-b", "1024")
	l := layerOf(t, open(t, image.BytesBlob(data)), "ext")
	text := image.BytesBlob([]byte("another content"))
	for _, c := range []struct {
		name  string
		edit  func(n *image.Node) image.Edit
		paths []string
		files int // that stand behind the two names afterwards
	}{
		{"one mode", func(n *image.Node) image.Edit { n.Mode = 0o600; return image.Edit{Node: n, Same: true} }, []string{"/bin/hard"}, 2},
		{"both modes", func(n *image.Node) image.Edit { n.Mode = 0o600; return image.Edit{Node: n, Same: true} }, []string{"/bin/hard", "/bin/same"}, 1},
		{"one content", func(n *image.Node) image.Edit { n.Data, n.Size = text, text.Size(); return image.Edit{Node: n} }, []string{"/bin/same"}, 2},
		{"both contents", func(n *image.Node) image.Edit { n.Data, n.Size = text, text.Size(); return image.Edit{Node: n} }, []string{"/bin/hard", "/bin/same"}, 1},
		{"one goes", func(*image.Node) image.Edit { return image.Edit{} }, []string{"/bin/same"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := listing(t, l)
			var edits []image.Edit
			for _, n := range l.Nodes {
				if !slices.Contains(c.paths, n.Path) {
					continue
				}
				x := *n
				e := c.edit(&x)
				e.Path = n.Path
				edits = append(edits, e)
				switch {
				case e.Node == nil:
					delete(want, n.Path)
				case e.Same:
					want[n.Path] = strings.Replace(want[n.Path], "file 0755", "file 0600", 1)
				default:
					want[n.Path] = fmt.Sprintf("file 0755 %d:%d 0:0 \"\" map[] %d %x", n.UID, n.GID, text.Size(), digest([]byte("another content")))
				}
			}
			all := rebuildExt(t, data, filepath.Join(dir, strings.ReplaceAll(c.name, " ", "-")+".img"), edits, want)
			files := map[uint64]bool{}
			for i, n := range layerOf(t, open(t, image.BytesBlob(all)), "ext").Nodes {
				if n.Path == "/bin/hard" || n.Path == "/bin/same" {
					key := n.Inode
					if key == 0 {
						key = 1<<40 + uint64(i)
					}
					files[key] = true
				}
			}
			if len(files) != c.files {
				t.Errorf("%d files stand behind the names, want %d", len(files), c.files)
			}
		})
	}
}

// TestRebuildExtRefused holds what is not written, and that the reason is said.
func TestRebuildExtRefused(t *testing.T) {
	t.Parallel()
	needExt(t)
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	sampleTree(t, tree)
	debugfs := func(commands ...string) func(t *testing.T, file string) {
		return func(t *testing.T, file string) {
			for _, c := range commands {
				if out, err := exec.Command(tool("debugfs"), "-w", "-R", c, file).CombinedOutput(); err != nil {
					t.Fatalf("debugfs %s: %v: %s", c, err, out)
				}
			}
		}
	}
	big := bytes.Repeat([]byte("a content that has no room"), 1<<20)
	for _, c := range []struct {
		name    string
		options []string
		harm    func(t *testing.T, file string)
		edit    image.Edit
		want    string
	}{
		{"journal", nil, debugfs("feature needs_recovery"), image.Edit{Path: "/etc/secret"}, "its journal holds writes that are still to be done"},
		{"bigalloc", []string{"-O", "bigalloc", "-C", "4096"}, nil, image.Edit{Path: "/etc/secret"}, "clusters of blocks (bigalloc)"},
		{"quota", []string{"-O", "quota"}, nil, image.Edit{Path: "/etc/secret"}, "quotas"},
		{"inline", []string{"-O", "inline_data", "-I", "256"}, nil, image.Edit{Path: "/etc/passwd", Node: &image.Node{Mode: 0o644, Size: 1, Data: image.BytesBlob([]byte("x"))}}, "inline_data"},
		{"links", nil, debugfs("set_inode_field /etc/secret links_count 5"), image.Edit{Path: "/etc/passwd"}, "has 1 names, and says 5"},
		{"free", nil, debugfs("freei /etc/secret"), image.Edit{Path: "/etc/passwd"}, "free inodes"},
		{"full", nil, nil, image.Edit{Path: "/etc/new", Node: &image.Node{Mode: 0o644, Size: int64(len(big)), Data: image.BytesBlob(big)}}, "no free block is left"},
		{"name", nil, nil, image.Edit{Path: "/etc/" + strings.Repeat("x", 256), Node: &image.Node{Mode: 0o644}}, "is no file name"},
		{"directory", nil, nil, image.Edit{Path: "/none/new", Node: &image.Node{Mode: 0o644}}, "its directory is not there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, c.name+".img")
			mkext(t, tree, file, "16M", append([]string{"-t", "ext4", "-b", "1024"}, c.options...)...)
			if c.harm != nil {
				c.harm(t, file)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			im := open(t, image.BytesBlob(data))
			_, _, err = image.Rebuild(context.Background(), im, image.BytesBlob(data), map[*image.Layer][]image.Edit{layerOf(t, im, "ext"): {c.edit}}, image.Options{Budget: budget.New(budget.Limits{})})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if c.name != "directory" && c.name != "name" && !errors.Is(err, image.ErrReadOnly) {
				t.Errorf("%v: is not ErrReadOnly", err)
			}
			t.Log(err)
		})
	}
}
