package judge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// TestPolicy holds that a policy rejects, sets conditions and lets exceptions expire as it
// says.
func TestPolicy(t *testing.T) {
	t.Parallel()
	telnet := judge.Finding{ID: "1", Rule: "service.telnet", Title: "Telnet", Severity: "high", Outcome: judge.Bad, Root: "system", Places: []fact.Place{{Path: "/etc/inittab", Line: 3}}}
	mdns := judge.Finding{ID: "2", Rule: "service.announces-itself", Title: "Announces", Severity: "medium", Outcome: judge.Bad}
	open := judge.Finding{ID: "3", Rule: "boot.not-verified", Title: "Boot", Severity: "high", Outcome: judge.Unknown, Note: "boot.verified is not stated"}
	fine := judge.Finding{ID: "4", Rule: "service.ftp", Severity: "high", Outcome: judge.Good}
	rules := []*judge.Rule{{ID: "service.announces-itself", Control: []string{"deny-inbound"}}}
	gap := fact.Gap{ID: "g", Why: "encrypted", Place: fact.Place{Input: "pump.bin", Path: "/blob"}}
	exception := "exceptions: [{rule: service.telnet, place: '*/inittab', reason: service mode, owner: J. Doe, until: 2026-12-31}]\n"
	for name, c := range map[string]struct {
		policy   string
		findings []judge.Finding
		gaps     []fact.Gap
		at       string
		want     judge.Verdict
	}{
		"nothing bad is accepted": {"fail: high", []judge.Finding{fine}, nil, "2026-11-24", judge.Verdict{Outcome: judge.Accept}},
		"bad at the level rejects": {"fail: high", []judge.Finding{telnet, mdns}, nil, "2026-11-24",
			judge.Verdict{Outcome: judge.Reject, Reasons: []string{"high bad service.telnet: Telnet (system)"}}},
		"below the level a control is the condition": {"{fail: high, condition: medium}", []judge.Finding{mdns}, nil, "2026-11-24",
			judge.Verdict{Outcome: judge.Conditions, Conditions: []string{"deny-inbound against medium bad service.announces-itself: Announces"}}},
		"a denied rule rejects at any severity": {"{fail: none, deny: [service.*]}", []judge.Finding{mdns}, nil, "2026-11-24",
			judge.Verdict{Outcome: judge.Reject, Reasons: []string{"medium bad service.announces-itself: Announces"}}},
		"an allowed rule is passed over": {"{fail: medium, allow: [service.announces-itself]}", []judge.Finding{mdns}, nil, "2026-11-24", judge.Verdict{Outcome: judge.Accept}},
		"unknown is a condition":         {"fail: high", []judge.Finding{open}, nil, "2026-11-24", judge.Verdict{Outcome: judge.Conditions, Conditions: []string{"clear up boot.not-verified: boot.verified is not stated"}}},
		"unknown may reject":             {"{fail: high, unknown: reject}", []judge.Finding{open}, nil, "2026-11-24", judge.Verdict{Outcome: judge.Reject, Reasons: []string{"high unknown boot.not-verified: Boot"}}},
		"a gap may reject": {"{gaps: reject}", nil, []fact.Gap{gap}, "2026-11-24",
			judge.Verdict{Outcome: judge.Reject, Reasons: []string{"1 part of the input could not be read, the first is pump.bin!/blob: encrypted"}}},
		"an exception is a condition": {"fail: high\n" + exception, []judge.Finding{telnet}, nil, "2026-12-31",
			judge.Verdict{Outcome: judge.Conditions, Conditions: []string{"exception for service.telnet until 2026-12-31: service mode (J. Doe)"}}},
		"an exception expires": {"fail: high\n" + exception, []judge.Finding{telnet}, nil, "2027-01-01",
			judge.Verdict{Outcome: judge.Reject, Reasons: []string{"high bad service.telnet: Telnet (system)"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := judge.ReadPolicy("p.yaml", []byte(c.policy))
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.DateOnly, c.at)
			if err != nil {
				t.Fatal(err)
			}
			c.want.Policy = "p"
			if diff := cmp.Diff(c.want, p.Judge(c.findings, c.gaps, rules, at)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPolicyRefuses holds that a policy with a slip of the pen is refused, with its name.
func TestPolicyRefuses(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{
		"fial: high":    "fial",
		"fail: hgih":    `"hgih"`,
		"unknown: what": `"what"`,
		"exceptions: [{rule: a.b, reason: r, owner: o}]":                                          "exception 1",
		"exceptions: [{rule: a.b, reason: r, owner: o, until: soon}]":                             `"soon"`,
		"exceptions: [{reason: r, owner: o, until: 2027-01-01}]":                                  "exception 1",
		"vulnerabilities: {fail: bad}":                                                            `vulnerabilities: fail: "bad"`,
		"vulnerabilities: {known: reject}":                                                        "known",
		"vulnerabilities: {known_exploited: yes}":                                                 "known_exploited",
		"exceptions: [{rule: a.b, advisory: CVE-2020-1, reason: r, owner: o, until: 2027-01-01}]": "one of them",
		"exceptions: [{rule: a.b, place: '[', reason: r, owner: o, until: 2027-01-01}]":           "place",
	} {
		_, err := judge.ReadPolicy("p.yaml", []byte(policy))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "p.yaml: ") {
			t.Errorf("%q: %v, want p.yaml and %s", policy, err, want)
		}
	}
}

// TestExamplePolicies holds that the policies that we give away can be read.
func TestExamplePolicies(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/policy/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := judge.ReadPolicy(filepath.Base(f), b); err != nil {
			t.Error(err)
		}
	}
}

// TestPolicyOnMatches holds that known vulnerabilities are judged as the policy says, one
// line a component, and not at all where it says nothing of them.
func TestPolicyOnMatches(t *testing.T) {
	t.Parallel()
	match := func(id, component, severity string, status advisory.Status, change ...func(*advisory.Match)) advisory.Match {
		m := advisory.Match{Advisory: id, Component: component, Version: "1", Root: "system", Severity: severity, Vector: "x", Status: status}
		for _, c := range change {
			c(&m)
		}
		return m
	}
	known := func(m *advisory.Match) { m.KEV = true }
	mended := func(m *advisory.Match) { m.FixedIn = "2" }
	unscored := func(m *advisory.Match) { m.Severity, m.Vector = "", "" }
	const part = "vulnerabilities: {known_exploited: reject, fail: critical, condition: high, unknown: condition}"
	for name, c := range map[string]struct {
		policy     string
		matches    []advisory.Match
		considered []advisory.Considered
		want       judge.Verdict
	}{
		"a policy of before says nothing of them": {"fail: high", []advisory.Match{match("CVE-1", "a", "critical", advisory.Vulnerable, known)}, nil, judge.Verdict{Outcome: judge.Accept}},
		"what is known to be exploited rejects": {part, []advisory.Match{match("CVE-1", "a", "low", advisory.Vulnerable, known)}, nil,
			judge.Verdict{Outcome: judge.Reject, Reasons: []string{"a 1: 1 vulnerability known to be exploited: CVE-1 (system)"}}},
		"from the level on they reject": {part, []advisory.Match{match("CVE-2", "a", "critical", advisory.Vulnerable), match("CVE-1", "a", "critical", advisory.Vulnerable)}, nil,
			judge.Verdict{Outcome: judge.Reject, Reasons: []string{"a 1: 2 vulnerabilities of severity critical or worse: CVE-1, CVE-2 (system)"}}},
		"below it a control is the condition": {part, []advisory.Match{match("CVE-1", "a", "high", advisory.Vulnerable, mended), match("CVE-2", "b", "high", advisory.Vulnerable)}, nil,
			judge.Verdict{Outcome: judge.Conditions, Conditions: []string{
				"segment-network against b 1: 1 vulnerability of severity high or worse: CVE-2 (system)",
				"upgrade-component or segment-network against a 1: 1 vulnerability of severity high or worse: CVE-1 (system)",
			}}},
		"what does not concern it is accepted": {part, []advisory.Match{match("CVE-1", "a", "critical", advisory.Fixed, known), match("CVE-2", "a", "critical", advisory.NotThere)}, nil, judge.Verdict{Outcome: judge.Accept}},
		"what may concern it is cleared up": {part, []advisory.Match{match("CVE-1", "a", "critical", advisory.Unclear)}, nil,
			judge.Verdict{Outcome: judge.Conditions, Conditions: []string{"clearing up or segment-network against a 1: 1 vulnerability may concern it: CVE-1 (system)"}}},
		"what nobody has scored counts as high": {part, []advisory.Match{match("CVE-1", "a", "", advisory.Vulnerable, unscored)}, nil,
			judge.Verdict{Outcome: judge.Conditions, Conditions: []string{"segment-network against a 1: 1 vulnerability of severity high or worse: CVE-1 (system)"}}},
		"what could not be looked up is cleared up": {part, nil, []advisory.Considered{{Component: "b", Unknown: "no version"}, {Component: "a"}},
			judge.Verdict{Outcome: judge.Conditions, Conditions: []string{"clear up 1 component could not be looked up: b"}}},
		"an exception is a condition": {part + "\nexceptions: [{advisory: CVE-1, component: a, reason: not called, owner: J. Doe, until: 2026-12-31}]",
			[]advisory.Match{match("CVE-1", "a", "critical", advisory.Vulnerable)}, nil,
			judge.Verdict{Outcome: judge.Conditions, Conditions: []string{"exception for CVE-1 in a until 2026-12-31: not called (J. Doe)"}}},
		"and only where it says": {part + "\nexceptions: [{advisory: CVE-1, component: b, reason: not called, owner: J. Doe, until: 2026-12-31}]",
			[]advisory.Match{match("CVE-1", "a", "critical", advisory.Vulnerable)}, nil,
			judge.Verdict{Outcome: judge.Reject, Reasons: []string{"a 1: 1 vulnerability of severity critical or worse: CVE-1 (system)"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := judge.ReadPolicy("p.yaml", []byte(c.policy))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Policy = "p"
			at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
			got := p.Judge(nil, nil, nil, at)
			p.JudgeMatches(&got, c.matches, c.considered, at)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
