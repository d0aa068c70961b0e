package examples_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/advisory/support"
	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/component/signature"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
	"github.com/vesalius-project/vesalius/internal/witness/firmware"
)

var accuracy = flag.String("accuracy", "", "file to write the table of what was found in the replicas to")

// scan builds a twin, opens it and asks the whole rulebook.
func scan(t *testing.T, r *examples.Replica, fixed bool) []judge.Finding {
	t.Helper()
	_, findings := look(t, r, fixed)
	return findings
}

// look is scan with the facts.
func look(t *testing.T, r *examples.Replica, fixed bool) (*fact.Set, []judge.Finding) {
	t.Helper()
	name, data, err := r.Build(fixed)
	if err != nil {
		t.Fatal(err)
	}
	res, err := firmware.Examine(t.Context(), firmware.Input{Name: name, Blob: image.BytesBlob(data)}, firmware.Options{
		Image:      image.Options{Formats: format.All(), Budget: budget.New(budget.Limits{}), Workers: 2},
		At:         time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC),
		Signatures: signature.Matcher,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := support.State(&res.Facts, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	rules, err := rulebook.Load()
	if err != nil {
		t.Fatal(err)
	}
	j, err := judge.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := j.Judge(judge.Input{Facts: &res.Facts, Coverage: res.Coverage, Gaps: res.Gaps})
	if err != nil {
		t.Fatal(err)
	}
	return &res.Facts, findings
}

// shows returns the bad findings that show a planted weakness: of a rule that is mapped to
// the replica's row, with one of its CWEs, at one of its places.
func shows(findings []judge.Finding, truth examples.Truth) []string {
	var rules []string
	for _, f := range findings {
		if f.Outcome != judge.Bad || !slices.Contains(f.Maps["replica"], truth.Replica) ||
			!slices.ContainsFunc(f.CWE, func(c int) bool { return slices.Contains(truth.CWE, c) }) {
			continue
		}
		for _, p := range f.Places {
			// A place without a path is a block outside file systems, named by its format.
			if s := p.String(); slices.ContainsFunc(truth.Places, func(want string) bool {
				return p.Path == want || p.Path == "" && strings.Contains(s, want) || strings.HasSuffix(p.Path, "/"+want)
			}) {
				rules = append(rules, f.Rule)
				break
			}
		}
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// TestReplicas holds that each planted weakness is found in the vulnerable twin, by the
// right rule, weakness and place, and that none of them is found in the fixed twin. With
// -accuracy it writes the table.
func TestReplicas(t *testing.T) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Accuracy\n\nFour measurements, each by its own command:\n\n- the planted weaknesses of the replicas: this page, `make accuracy`,\n- components in stripped trees of real packages: [accuracy-components.md](accuracy-components.md), `make signatures-check`,\n- false alarms in unmodified roots of Debian packages, reviewed by hand: [accuracy-debian.md](accuracy-debian.md), `.ci/debian`,\n- an inventory of devices against medical advisories: [accuracy-units.md](accuracy-units.md), `make accuracy`.\n\n## Planted weaknesses\n\nMade by `make accuracy`: do not edit. Each planted weakness of `examples/replica`, the rules that show it in the vulnerable twin at its place with its CWE, and\nwhat they say of the fixed twin. Twins prove rules; they say nothing of how components are found.\n\n")
	fmt.Fprintf(&out, "| replica | device | CWE | found by | fixed twin |\n|---|---|---|---|---|\n")
	planted, found, falsely := 0, 0, 0
	var all []string
	for _, name := range examples.Names() {
		r, err := examples.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		vulnerable, fixed := scan(t, r, false), scan(t, r, true)
		for _, truth := range r.Truth {
			planted++
			rules := shows(vulnerable, truth)
			if len(rules) == 0 {
				t.Errorf("%s: %s (CWE %v) is not found at %s", name, truth.Replica, truth.CWE, strings.Join(truth.Places, ", "))
			} else {
				found++
			}
			still := "silent"
			for _, f := range fixed {
				if f.Outcome == judge.Bad && slices.Contains(rules, f.Rule) && slices.Contains(f.Maps["replica"], truth.Replica) {
					falsely++
					still = "**" + f.Rule + "**"
					t.Errorf("%s: %s is still bad in the fixed twin: %s at %v: %s", name, truth.Replica, f.Rule, f.Places, f.Evidence)
				}
			}
			var cwe []string
			for _, c := range truth.CWE {
				cwe = append(cwe, fmt.Sprint(c))
			}
			all = append(all, fmt.Sprintf("| %s | %s | %s | %s | %s |\n", truth.Replica, name, strings.Join(cwe, ", "), strings.Join(rules, ", "), still))
		}
	}
	slices.Sort(all)
	out.WriteString(strings.Join(all, ""))
	fmt.Fprintf(&out, "\nPlanted %d, found %d, missed %d; found in a fixed twin %d.\n", planted, found, planted-found, falsely)
	if *accuracy != "" {
		if err := os.WriteFile(*accuracy, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
