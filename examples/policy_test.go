package examples_test

import (
	"os"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
)

// TestPolicy holds that the policies that we give away reject the vulnerable pump, and that
// a hospital may take the fixed one under conditions.
func TestPolicy(t *testing.T) {
	t.Parallel()
	r, err := examples.Open("pump")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := rulebook.Load()
	if err != nil {
		t.Fatal(err)
	}
	vulnerable, fixed := scan(t, r, false), scan(t, r, true)
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{"manufacturer-release": "", "hospital-procurement": judge.Conditions} {
		b, err := os.ReadFile("policy/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		p, err := judge.ReadPolicy(name+".yaml", b)
		if err != nil {
			t.Fatal(err)
		}
		if v := p.Judge(vulnerable, nil, rules, at); v.Outcome != judge.Reject || len(v.Reasons) == 0 {
			t.Errorf("%s: the vulnerable pump is %s", name, v.Outcome)
		}
		if v := p.Judge(fixed, nil, rules, at); want != "" && v.Outcome != want {
			t.Errorf("%s: the fixed pump is %s, want %s: %q", name, v.Outcome, want, v.Reasons)
		}
	}
}
