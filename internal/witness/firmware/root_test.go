package firmware

import (
	"fmt"
	"path"
	"slices"
	"testing"

	"github.com/vesalius-project/vesalius/internal/image"
)

// TestGlob holds Glob against matching every path.
func TestGlob(t *testing.T) {
	t.Parallel()
	var files []*File
	for _, p := range []string{"/", "/etc", "/etc/a.conf", "/etc/b.conf", "/etc/x/a.conf", "/etc/x/y/z.conf", "/etc-2/a.conf", "/usr/lib/a.so", "/a.conf", "/etc/[x]", "/etc/*"} {
		files = append(files, &File{Path: p, Node: &image.Node{Path: p}})
	}
	r := newRoot("system", nil, files)
	for _, patterns := range [][]string{
		{"/etc/*.conf"}, {"/etc/**/*.conf"}, {"**/*.conf"}, {"/**"}, {"/etc/?.conf", "/etc/a.conf", "/etc/*"}, {"/etc/[a-b].conf"},
		{"/none/*"}, {"/etc"}, {"/etc/\\*"}, {"/*"}, {"/etc/\\[x]"},
	} {
		var got, want []string
		for _, f := range r.Glob(patterns...) {
			got = append(got, f.Path)
		}
		for _, f := range r.Files() {
			if slices.ContainsFunc(patterns, func(p string) bool { return match(p, f.Path) }) {
				want = append(want, f.Path)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", patterns, got, want)
		}
	}
}

// TestLookup holds that links are followed within the root, and that loops end.
func TestLookup(t *testing.T) {
	t.Parallel()
	file := func(p string) *File { return &File{Path: p, Node: &image.Node{Path: p}} }
	link := func(p, to string) *File {
		return &File{Path: p, Node: &image.Node{Path: p, Kind: image.Symlink, Target: to}}
	}
	files := []*File{file("/usr/bin/sh"), link("/bin", "usr/bin"), link("/sh", "/bin/sh"), link("/loop", "loop"), link("/up", "../../../usr/bin/sh"), link("/a", "/b"), link("/b", "/a")}
	for i := range 50 {
		files = append(files, link(fmt.Sprintf("/chain%d", i), fmt.Sprintf("/chain%d", i+1)))
	}
	r := newRoot("system", nil, files)
	for p, want := range map[string]string{
		"/bin/sh": "/usr/bin/sh", "/sh": "/usr/bin/sh", "/up": "/usr/bin/sh", "bin/../sh": "/usr/bin/sh",
		"/loop": "", "/a": "", "/chain0": "", "/none": "", "/bin/none": "",
	} {
		got := ""
		if f := r.Lookup(p); f != nil {
			got = f.Path
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path.Clean(p), got, want)
		}
	}
}
