package firmware

import (
	"testing"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// TestPackageRole holds that the content of a package that is not installed is no system,
// and that a package that is examined for itself is one.
func TestPackageRole(t *testing.T) {
	t.Parallel()
	nodes := []*image.Node{{Path: "/etc", Kind: image.Dir}, {Path: "/bin", Kind: image.Dir}}
	for _, c := range []struct {
		layers []fact.Layer
		want   string
	}{
		{[]fact.Layer{{Format: "directory"}, {Path: "/var/cache/apt/archives/tool_1.deb", Format: "ar"}, {Path: "/data.tar", Format: "tar"}}, "data:tool_1.deb"},
		{[]fact.Layer{{Format: "squashfs"}, {Path: "/pkg/tool.ipk", Format: "gzip"}, {Format: "tar"}, {Path: "/data.tar.gz", Format: "gzip"}, {Format: "tar"}}, "data:tool.ipk"},
		{[]fact.Layer{{Format: "ar"}, {Path: "/data.tar", Format: "tar"}}, "system"},
		{[]fact.Layer{{Format: "squashfs"}}, "system"},
	} {
		l := &image.Layer{Place: fact.Place{Layers: c.layers}, Format: &image.Format{Name: "tar"}, Nodes: nodes}
		if got := role(l); got != c.want {
			t.Errorf("%v: got %q", c.layers, got)
		}
	}
}
