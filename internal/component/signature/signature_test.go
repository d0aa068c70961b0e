package signature

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// TestSignatures holds every signature to the tests in its file, with all others loaded:
// a sample must give what its test wants and nothing of any other product.
func TestSignatures(t *testing.T) {
	t.Parallel()
	all, err := Load(os.DirFS("data"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := component.New(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			finds, passes := false, false
			for i, test := range s.Tests {
				got, err := m.Examine(test.Sample)
				if err != nil {
					t.Fatal(err)
				}
				if err := judge(s.Name, test, got); err != nil {
					t.Errorf("test %d: %v", i+1, err)
				}
				finds = finds || test.Want != "none"
				passes = passes || test.Want == "none"
			}
			if !finds {
				t.Error("no test finds it")
			}
			if !passes && needsNegative(s) {
				t.Error("no test shows what it passes by")
			}
		})
	}
}

// needsNegative reports whether texts decide: what only names of files decide has nothing
// to pass by.
func needsNegative(s component.Signature) bool {
	for _, w := range s.Ways {
		if w.Pattern != "" && w.Near == "" {
			return true
		}
	}
	return false
}

func judge(name string, test component.Test, got []*fact.Component) error {
	var mine *fact.Component
	var others []string
	for _, c := range got {
		if c.Name != name {
			others = append(others, c.Name+" "+c.Version)
		} else if mine == nil {
			mine = c
		} else {
			return fmt.Errorf("two versions: %q and %q", mine.Version, c.Version)
		}
	}
	if len(others) > 0 {
		return fmt.Errorf("other products are found: %s", strings.Join(others, ", "))
	}
	if mine == nil {
		if test.Want == "none" {
			return nil
		}
		return fmt.Errorf("want %q, nothing is found", test.Want)
	}
	want := test.Want
	if want == "present" {
		want = ""
	}
	if test.Want == "none" || mine.Version != want {
		return fmt.Errorf("want %q, got %q (%s)", test.Want, mine.Version, mine.Why)
	}
	if _, copied := mine.Bundled.Value(); copied != (test.As == "copy") {
		return fmt.Errorf("want as %q, got bundled %v", test.As, copied)
	}
	return nil
}
