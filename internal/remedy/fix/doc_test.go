package fix_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
	"github.com/vesalius-project/vesalius/internal/remedy/fix"
)

// TestCurrent holds doc/fixes.md against the fixes and the rules, and that every fix that a
// rule names is there and every fix is named by a rule.
func TestCurrent(t *testing.T) {
	t.Parallel()
	rules, err := rulebook.Load()
	if err != nil {
		t.Fatal(err)
	}
	named := map[string][]string{}
	for _, r := range rules {
		for _, id := range r.Remedy {
			named[id] = append(named[id], r.ID)
		}
	}
	var b strings.Builder
	b.WriteString("# Fixes\n\nMade by `make docs`: do not edit. What `vesalius fix` can do to an image, on a copy of it. A rule names its fixes in their order; the first that stands is enough.\n\n" +
		"**Care** says who must agree: `none`, nobody; `review`, an engineer reads the change; `clinical`, a named person decides (`--agree FIX=NAME`), since it may touch care.\n" +
		"A fix that does not find what it would change changes nothing and says so. What holds on the replicas is in [remedies.md](remedies.md).\n")
	for _, f := range fix.All() {
		if len(named[f.ID]) == 0 {
			t.Errorf("no rule names %s", f.ID)
		}
		slices.Sort(named[f.ID])
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n- Care: %s\n- May break: %s\n- To be tested: %s\n- Rules: %s\n", f.ID, f.Title, f.Care, f.Breaks, f.Test, strings.Join(named[f.ID], ", "))
		delete(named, f.ID)
	}
	for id, by := range named {
		t.Errorf("%s, named by %v, is no fix: where nothing mechanical helps, the rule says why in human", id, by)
	}
	page := filepath.FromSlash("../../../doc/fixes.md")
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(have)); diff != "" {
		t.Errorf("doc/fixes.md is not current (make docs): %s", diff)
	}
}
