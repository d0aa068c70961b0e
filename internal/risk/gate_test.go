package risk

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
)

// A policy rejects a risk, takes it with the hospital's controls, or says nothing of it.
func TestGate(t *testing.T) {
	t.Parallel()
	rules := map[string]*judge.Rule{"service.telnet": {ID: "service.telnet", Control: []string{"deny-inbound"}, Recommend: "Remove it."}}
	s := daemon("telnetd", "telnet", 23, shell, anyone)
	f := finding("f1", "service.telnet", "protocol", "high", "service", s.Key())
	in := Input{Facts: set(s), Findings: []*judge.Finding{f}, Rules: rules}
	risks, _ := assess(t, in)
	chain := risks[0]
	if chain.Level != "unacceptable" || chain.Interim != "acceptable with measures" {
		t.Fatalf("the chain is %s, with controls %s", chain.Level, chain.Interim)
	}
	words := "unacceptable risk: Anyone on the network gets a shell: telnetd (" + chain.ID + ")"
	for name, c := range map[string]struct {
		policy, outcome string
		reasons, conds  []string
	}{
		"no part":                {"fail: none", judge.Accept, nil, nil},
		"reject":                 {"{fail: none, risk: {gate: {unacceptable: reject}}}", judge.Reject, []string{words}, nil},
		"controls":               {"{fail: none, risk: {gate: {unacceptable: controls}}}", judge.Conditions, nil, []string{"close the port to the network, telnetd (tcp/23) (deny-inbound) against " + words}},
		"controls do not do":     {"{fail: none, risk: {gate: {unacceptable: controls, acceptable with measures: reject}}}", judge.Reject, []string{words}, nil},
		"condition":              {"{fail: none, risk: {gate: {unacceptable: condition}}}", judge.Conditions, nil, []string{"close the port to the network, telnetd (tcp/23) (deny-inbound) against " + words}},
		"accept":                 {"{fail: none, risk: {gate: {unacceptable: accept}}}", judge.Accept, nil, nil},
		"the default has a gate": {"{fail: none, risk: {name: x}}", judge.Conditions, nil, []string{"close the port to the network, telnetd (tcp/23) (deny-inbound) against " + words}},
		"exception": {"{fail: none, risk: {gate: {unacceptable: reject}}, exceptions: [{risk: " + chain.ID + ", reason: bench only, owner: J. Doe, until: 2026-12-31}]}", judge.Conditions, nil,
			[]string{"exception for the risk " + chain.ID + " until 2026-12-31: bench only (J. Doe)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := judge.ReadPolicy("p.yaml", []byte(c.policy))
			if err != nil {
				t.Fatal(err)
			}
			m, err := ReadMatrix("p.yaml", []byte(c.policy))
			if err != nil {
				t.Fatal(err)
			}
			v := p.Judge(nil, nil, nil, day)
			Gate(p, m, risks, &v, day)
			// The chain's parts are judged with it: telnet in clear text is a lower risk of its own.
			if d := cmp.Diff(judge.Verdict{Policy: "p", Outcome: c.outcome, Reasons: c.reasons, Conditions: c.conds}, v); d != "" {
				t.Error(d)
			}
			if v := (judge.Verdict{}); name == "exception" {
				Gate(p, m, risks, &v, day.Add(60*24*time.Hour))
				if v.Outcome != judge.Reject {
					t.Errorf("an exception that has expired still counts: %+v", v)
				}
			}
		})
	}
}

// A maker's matrix replaces the default one, and a slip in it is told with its place.
func TestReadMatrix(t *testing.T) {
	t.Parallel()
	const three = "risk:\n  levels: [low, high]\n  matrix: {S5: [1, 1, 2, 2, 2], S4: [1, 1, 2, 2, 2], S3: [1, 1, 1, 2, 2], S2: [1, 1, 1, 1, 1], S1: [1, 1, 1, 1, 1]}\n  controlled: [low]\n"
	m, err := ReadMatrix("p.yaml", []byte(three))
	if err != nil {
		t.Fatal(err)
	}
	if m.Level("S4", 3) != "high" || m.Level("S3", 3) != "low" || m.Harm["patient-safety"] != "S4" || len(m.Gate) != 0 || m.Name != "of the policy" {
		t.Errorf("matrix %+v", m)
	}
	if m, err := ReadMatrix("p.yaml", []byte("fail: high\n")); err != nil || cmp.Diff(Default(), m) != "" {
		t.Errorf("a policy without the part: %v, %+v", err, m)
	}
	for in, want := range map[string]string{
		"risk: {matrx: {}}":                         "matrx",
		"risk: {levels: [a]}":                       "want 2 to 9",
		"risk: {levels: [a, a]}":                    "stands twice",
		"risk: {levels: [a, b]}":                    "S1 has 0 numbers",
		"risk: {matrix: {S5: [1]}}":                 "has 0 numbers",
		"risk: {harm: {patient: S1}}":               `"patient" is none of`,
		"risk: {harm: {privacy: S9}}":               `"S9"`,
		"risk: {gate: {bad: reject}}":               `"bad" is none of the levels`,
		"risk: {gate: {acceptable: no}}":            "is none of reject, controls",
		"risk: {controlled: [x]}":                   `"x" is none of the levels`,
		"risk: 1":                                   "risk",
		"risk: [":                                   "p.yaml",
		strings.Replace(three, "[low]", "[]", 1):    "nothing would be controlled",
		strings.Replace(three, "2, 2, 2]", "9]", 1): "S5 has 3 numbers",
		strings.Replace(three, "S5: [1, 1, 2, 2, 2]", "S5: [1, 2, 1, 2, 2]", 1): "E3 is better than E2",
		strings.Replace(three, "S5: [1, 1, 2, 2, 2]", "S5: [1, 1, 1, 2, 2]", 1): "S5 is better than S4 at E3",
		strings.Replace(three, "S5: [1, 1, 2, 2, 2]", "S5: [1, 1, 2, 2, 7]", 1): "7 is no level",
	} {
		if _, err := ReadMatrix("p.yaml", []byte(in)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "p.yaml: ") {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func FuzzReadMatrix(f *testing.F) {
	f.Add([]byte("risk: {levels: [a, b]}"))
	f.Add(append([]byte("risk:\n  "), []byte(strings.ReplaceAll(string(defaultMatrix), "\n", "\n  "))...))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ReadMatrix("p.yaml", data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\x1b\x00") {
				t.Errorf("control characters in %q", err)
			}
			return
		}
		for _, s := range severities() {
			for e := 1; e <= 5; e++ {
				if m.Level(s, e) == "" {
					t.Errorf("no level for %s E%d", s, e)
				}
			}
		}
	})
}

// The table of weaknesses is about rules that exist, gives each a vector that can be read,
// and knows every control that a rule names.
func TestWeaknesses(t *testing.T) {
	t.Parallel()
	rules, err := rulebook.Load()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, r := range rules {
		ids[r.ID] = true
		if _, err := read(weaknesses().of(&judge.Finding{Rule: r.ID, Vector: r.Vector, Severity: r.Severity}).vector); err != nil {
			t.Errorf("%s: %v", r.ID, err)
		}
		if _, named := weaknesses().byRule[r.ID]; !named && (weaknesses().Access[r.Vector] == "" || weaknesses().Impact[r.Severity] == "") {
			t.Errorf("%s: no access of %q or impact of %q", r.ID, r.Vector, r.Severity)
		}
		for _, c := range r.Control {
			if k := weaknesses().Controls[c]; k.Words == "" || len(k.Set) == 0 && !k.Gone {
				t.Errorf("%s: what the control %q changes is not said", r.ID, c)
			}
		}
	}
	for _, e := range weaknesses().Rules {
		for _, id := range e.Rules {
			if !ids[id] {
				t.Errorf("weakness.yaml names the rule %q, which there is not", id)
			}
		}
	}
	if err := Default().Check(); err != nil {
		t.Error(err)
	}
}
