package format_test

import (
	"bytes"
	"context"
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
