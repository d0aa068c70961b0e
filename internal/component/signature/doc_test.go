package signature

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/component"
)

var update = flag.Bool("update", false, "write doc/signatures.md anew")

// TestSignaturesCurrent holds that doc/signatures.md is the table of the signatures.
func TestSignaturesCurrent(t *testing.T) {
	t.Parallel()
	all, err := Load(os.DirFS("data"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Signatures\n\nMade from internal/component/signature: do not edit (`make docs`). %d products that are known in binaries without a package database, and how each shows its version. How well that works is measured in\n[accuracy-components.md](accuracy-components.md).\n\n| product | supplier | CPE vendor:product | version by |\n|---|---|---|---|\n", len(all))
	for _, s := range all {
		var ways []string
		for _, w := range s.Ways {
			if by := wayOf(w); !slices.Contains(ways, by) {
				ways = append(ways, by)
			}
		}
		if ways == nil {
			ways = []string{"presence only"}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.Name, strings.ReplaceAll(s.Supplier, "|", "\\|"), strings.Join(s.CPEs, ", "), strings.Join(ways, ", "))
	}
	const name = "../../../doc/signatures.md"
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
		t.Errorf("%s is not current: go test ./internal/component/signature -run Current -update", name)
	}
}

// TestCompiledCurrent holds that signatures.json is what stands in data.
func TestCompiledCurrent(t *testing.T) {
	t.Parallel()
	all, err := Load(os.DirFS("data"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].Tests = nil
	}
	if *update {
		var lines []string // one for each signature: a change shows
		for _, s := range all {
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(b))
		}
		if err := os.WriteFile("signatures.json", []byte("[\n"+strings.Join(lines, ",\n")+"\n]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return // the program that runs now still carries the old one
	}
	have, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(all, have); d != "" {
		t.Errorf("signatures.json is not current: go test ./internal/component/signature -run Current -update: %.2000s", d)
	}
}

// wayOf names the main one of a way.
func wayOf(w component.Way) string {
	switch {
	case w.Pattern != "":
		return "text"
	case w.Near != "":
		return "text near another"
	case w.Soname != "":
		return "soname"
	case w.File != "":
		return "file name"
	}
	return "symbols"
}
