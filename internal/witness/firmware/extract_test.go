package firmware

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vesalius-project/vesalius/internal/image"
)

// TestExtract holds that a hostile tree is written, and nothing outside.
func TestExtract(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	dir := filepath.Join(outside, "out")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(p, s string) *File {
		return &File{Path: p, Node: &image.Node{Path: p, Mode: 0o4755, Size: int64(len(s)), Data: image.BytesBlob([]byte(s))}}
	}
	link := func(p, to string) *File {
		return &File{Path: p, Node: &image.Node{Path: p, Kind: image.Symlink, Target: to}}
	}
	r := newRoot("container:a/b", nil, []*File{
		file("/etc/passwd", "root"), link("/up", "../../../../etc"), file("/up/evil", "x"), link("/etc/abs", "/etc/passwd"),
		link("/usr/bin/sh", "../../bin/busybox"), file("/bin/busybox", "bb"),
		{Path: "/dev/null", Node: &image.Node{Path: "/dev/null", Kind: image.Char, Major: 1, Minor: 3}},
	})
	n, gaps, err := r.Extract(dir)
	if err != nil || n != 6 || len(gaps) != 1 {
		t.Fatalf("%d written, gaps %v, %v", n, gaps, err)
	}
	top := filepath.Join(dir, "container_a_b")
	for name, want := range map[string]string{"etc/passwd": "root", "etc/abs": "root", "usr/bin/sh": "bb", "up/evil": "x"} {
		if b, err := os.ReadFile(filepath.Join(top, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if st, err := os.Stat(filepath.Join(top, "etc/passwd")); err != nil || st.Mode()&os.ModeSetuid != 0 {
		t.Errorf("setuid was kept: %v, %v", st, err)
	}
	found, err := filepath.Glob(filepath.Join(outside, "*"))
	if err != nil || len(found) != 1 {
		t.Errorf("written outside: %v, %v", found, err)
	}
	if _, _, err := r.Extract(dir); err == nil {
		t.Error("a second time writes over the first")
	}
}
