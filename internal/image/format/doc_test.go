package format

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/image"
)

// TestFormatsCurrent holds that doc/formats.md is the table of the formats.
func TestFormatsCurrent(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString("# Formats\n\nMade from internal/image/format: do not edit (`make docs`). What is recognised but not read is a gap with the format's name; what is not recognised is a gap with\nits entropy. The column written says which ones `vesalius fix` can write again: the others are read, and their fixes are delivered as an overlay.\n\n| format | class | what it is | written | where | not read | defined in |\n|---|---|---|---|---|---|---|\n")
	list := All()
	slices.SortStableFunc(list, func(a, b *image.Format) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Name, b.Name))
	})
	cell := func(s string) string { return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|") }
	for _, f := range list {
		written := ""
		if f.Rebuild != nil {
			written = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", f.Name, f.Class, cell(f.Title), written, cell(f.Where), cell(f.Limits), cell(f.Spec))
	}
	const name = "../../../doc/formats.md"
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not current: go test ./internal/image/format -run Current -update", name)
	}
}
