package image

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestTree holds that a directory becomes the tree that it is.
func TestTree(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links and modes are made of Unix only")
	}
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "etc/a"), []byte("hello"), 0o600))
	must(os.Chmod(filepath.Join(dir, "etc/a"), 0o600|os.ModeSetuid))
	must(os.Link(filepath.Join(dir, "etc/a"), filepath.Join(dir, "b")))
	must(os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	nodes, gaps, err := Tree(dir)
	must(err)
	if len(gaps) > 0 || len(nodes) != 5 {
		t.Fatalf("%d nodes, gaps %v", len(nodes), gaps)
	}
	by := map[string]*Node{}
	for _, n := range nodes {
		by[n.Path] = n
	}
	if n := by["/etc/a"]; n == nil || n.Mode != 0o4600 || n.Size != 5 || n.Inode == 0 || n.Inode != by["/b"].Inode {
		t.Errorf("/etc/a: %+v", n)
	}
	if n := by["/link"]; n == nil || n.Kind != Symlink || n.Target != "/etc/passwd" {
		t.Errorf("/link: %+v", n)
	}
	var b bytes.Buffer
	if err := by["/b"].Stream(&b); err != nil || b.String() != "hello" {
		t.Errorf("content %q, %v", b.String(), err)
	}
	must(os.Remove(filepath.Join(dir, "b")))
	if err := by["/b"].Stream(&b); err == nil {
		t.Error("a file that vanished reads without an error")
	}
	if _, _, err := Tree(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there gives no error")
	}
}
