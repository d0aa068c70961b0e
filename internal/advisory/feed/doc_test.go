package feed

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFeedsCurrent holds that doc/feeds.md is the table of the formats.
func TestFeedsCurrent(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`# Feeds

Made from internal/advisory/feed: do not edit (` + "`make docs`" + `). These files about vulnerabilities can be read, as they are published: singly, in directories, compressed
with gzip, or in bundles (.zip, .tar, .tar.gz). They are recognised by their content. Files compressed with xz or zstd must be unpacked first, and so must a bundle that lies in a bundle.

A record that is malformed is left out, counted and named, and the rest of its file is read. A file that ends too early is an error that says where. A record may have
32 MB, a CSAF document 128 MB, a file 16 GB when it is unpacked.

| feed | what it is | files | published at | what is taken | what is left out |
|---|---|---|---|---|---|
`)
	for _, f := range All() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", f.Name, f.Title, f.Files, f.From, f.Takes, f.Leaves)
	}
	const name = "../../../doc/feeds.md"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have, err := os.ReadFile(name); err != nil || string(have) != b.String() {
		t.Errorf("doc/feeds.md is not current: make docs")
	}
}
