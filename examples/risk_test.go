package examples_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
	"github.com/vesalius-project/vesalius/internal/risk"
)

// risks assesses a twin, and holds that each number can be computed again.
func risks(t *testing.T, replica string, fixed bool, design ...fact.Fact) ([]risk.Risk, risk.Summary) {
	t.Helper()
	r, err := examples.Open(replica)
	if err != nil {
		t.Fatal(err)
	}
	facts, findings := look(t, r, fixed)
	facts.Add(design...)
	rules, err := rulebook.Load()
	if err != nil {
		t.Fatal(err)
	}
	in := risk.Input{Facts: facts, Rules: map[string]*judge.Rule{}, At: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
	for _, r := range rules {
		in.Rules[r.ID] = r
	}
	for i := range findings {
		in.Findings = append(in.Findings, &findings[i])
	}
	list, sum := risk.Assess(in)
	for _, r := range list {
		if err := risk.Check(r, &sum.Matrix); err != nil {
			t.Errorf("%s: %v", replica, err)
		}
		if r.After == "" {
			t.Errorf("%s: no measure against %q", replica, r.Title)
		}
	}
	return list, sum
}

// TestChains holds that the ways into the vulnerable replicas are found and told as paths,
// and that the pump's open shell comes before everything else.
func TestChains(t *testing.T) {
	t.Parallel()
	for replica, want := range map[string][]string{
		"pump":    {"open-shell", "update-on-path", "update-from-stick", "console-root", "boot-takeover", "foreign-programs", "memory-to-root", "known-password"},
		"monitor": {"remote-screen", "snmp-writes", "foothold-to-root"},
		"gateway": {"known-password", "clinical-writes", "upload-to-update", "debug-port", "key-in-image"},
		"central": {"clinical-writes"},
	} {
		t.Run(replica, func(t *testing.T) {
			t.Parallel()
			list, _ := risks(t, replica, false)
			var got []string
			for _, r := range list {
				if r.Chain == "" {
					continue
				}
				got = append(got, r.Chain)
				if len(r.Path) < 2 || !strings.HasPrefix(r.Path[0], "1. ") || !strings.Contains(strings.Join(r.Path, ""), " [") {
					t.Errorf("%s is told as %q", r.Chain, r.Path)
				}
			}
			for _, c := range want {
				if !slices.Contains(got, c) {
					t.Errorf("no chain %s: %q", c, got)
				}
			}
			for _, c := range got {
				if !slices.Contains(want, c) {
					t.Errorf("an unexpected chain %s", c)
				}
			}
			if list[0].Chain != want[0] && replica == "pump" || list[0].Chain == "" || list[0].First == "" || list[0].Level != "unacceptable" {
				t.Errorf("the first risk is %q: %s, %q", list[0].Title, list[0].Level, list[0].First)
			}
			for _, r := range list {
				for _, id := range r.PartOf {
					i := slices.IndexFunc(list, func(o risk.Risk) bool { return o.ID == id })
					if i < 0 || list[i].Chain == "" {
						t.Errorf("%q points to %s, which is no chain", r.Title, id)
					}
				}
			}
		})
	}
}

// TestFixedTwins holds that what is mended leaves no unacceptable risk, even of a device
// that can kill, and that what could not be judged is said.
func TestFixedTwins(t *testing.T) {
	t.Parallel()
	deadly := &fact.Device{Base: fact.Base{Source: fact.Source{Witness: fact.Design, Input: "device.yaml"}}, Harm: "S5"}
	for _, replica := range []string{"pump", "monitor", "gateway", "central"} {
		t.Run(replica, func(t *testing.T) {
			t.Parallel()
			list, sum := risks(t, replica, true)
			for _, r := range list {
				if r.Level == "unacceptable" || r.Chain != "" || !r.Controlled {
					t.Errorf("%s: %s", r.Title, r.Level)
				}
			}
			if len(sum.Unknown) > 0 && len(sum.Unjudged) == 0 {
				t.Errorf("the unknown is not told: %+v", sum)
			}
			if replica != "pump" {
				return
			}
			list, _ = risks(t, replica, true, deadly)
			for _, r := range list {
				if r.Level == "unacceptable" {
					t.Errorf("with S5 %s: %s", r.Title, r.Level)
				}
			}
		})
	}
}
