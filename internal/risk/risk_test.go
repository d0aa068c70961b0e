package risk

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

var day = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func seen(root string) fact.Base {
	return fact.Base{Source: fact.Source{Witness: fact.Firmware, Input: "a.bin"}, Root: root, Places: []fact.Place{{Input: "a.bin", Path: "/x"}}}
}

// daemon is a service that is started at boot, as root, and listens on all addresses.
func daemon(name, protocol string, port int, change ...func(*fact.Service)) *fact.Service {
	s := &fact.Service{
		Base: seen("system"), Name: name, Product: name, Program: "/usr/sbin/" + name, Protocol: protocol, Transport: "tcp", Port: fact.Say(port),
		Bind: "0.0.0.0", Listens: fact.Say(true), Reachable: fact.Say(true), Start: fact.Say("boot"), User: fact.Say("root"), AsRoot: fact.Say(true),
		Authenticated: fact.Say(true), Anonymous: fact.Say(false),
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func anyone(s *fact.Service) { s.Authenticated, s.Anonymous = fact.Say(false), fact.Say(true) }

func shell(s *fact.Service) { s.Shell = fact.Say(true) }

func loopback(s *fact.Service) { s.Bind, s.Reachable = "127.0.0.1", fact.Say(false) }

func never(s *fact.Service) { s.Start = fact.Say("never") }

func set(facts ...fact.Fact) *fact.Set {
	var s fact.Set
	s.Add(facts...)
	judge.Link(&s)
	s.Sort()
	return &s
}

// assess holds that the numbers of every risk can be computed again, and that the same
// input gives the same output.
func assess(t *testing.T, in Input) ([]Risk, Summary) {
	t.Helper()
	in.At = day
	risks, sum := Assess(in)
	for i, r := range risks {
		if err := Check(r, &sum.Matrix); err != nil {
			t.Error(err)
		}
		if r.Priority != i+1 || r.ID == "" || len(r.Reasons) < 4 || len(r.Harms) == 0 {
			t.Errorf("risk %d is not whole: %+v", i, r)
		}
	}
	slices.Reverse(in.Findings)
	slices.Reverse(in.Matches)
	again, sumAgain := Assess(in)
	if d := cmp.Diff(risks, again); d != "" {
		t.Errorf("in another order the input gives other risks:\n%s", d)
	}
	if d := cmp.Diff(sum, sumAgain); d != "" {
		t.Errorf("and another summary:\n%s", d)
	}
	return risks, sum
}

func find(t *testing.T, risks []Risk, title string) Risk {
	t.Helper()
	for _, r := range risks {
		if strings.Contains(r.Title, title) {
			return r
		}
	}
	t.Fatalf("no risk %q among %q", title, titles(risks))
	return Risk{}
}

func titles(risks []Risk) []string {
	var out []string
	for _, r := range risks {
		out = append(out, r.Title)
	}
	return out
}

func finding(id, rule, vector, severity string, kind fact.Kind, keys ...string) *judge.Finding {
	return &judge.Finding{
		ID: id, Rule: rule, RuleVersion: 1, Root: "system", Kind: kind, Keys: keys, Title: "title of " + rule, Outcome: judge.Bad, Severity: severity,
		Vector: vector, Confidence: "high", Sources: []fact.Source{{Witness: fact.Firmware, Input: "a.bin"}},
	}
}

func match(id, component string, status advisory.Status, vector string) advisory.Match {
	return advisory.Match{Advisory: id, Component: component, Version: "1.0.1f", Root: "system", Status: status, Vector: vector, Confidence: "high", Why: []string{"in the range"}}
}

const network = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"

// One component with forty vulnerabilities is one risk, led by the worst, and exposed by
// the service that is linked to it.
func TestOneCauseOneRisk(t *testing.T) {
	t.Parallel()
	facts := set(
		daemon("webd", "https", 443),
		&fact.Executable{Base: seen("system"), Path: "/usr/sbin/webd", Needed: []string{"libssl.so.1.0.0"}},
		&fact.Executable{Base: seen("system"), Path: "/usr/lib/libssl.so.1.0.0"},
		&fact.Component{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system", Places: []fact.Place{{Path: "/usr/lib/libssl.so.1.0.0"}}}, Name: "openssl", Version: "1.0.1f"},
	)
	var matches []advisory.Match
	for i := range 39 {
		m := match(fmt.Sprintf("CVE-2015-%04d", i), "openssl", advisory.Vulnerable, "AV:N/AC:M/Au:N/C:N/I:N/A:P")
		m.FixedIn = fmt.Sprintf("1.0.1%c", 'g'+i%10)
		matches = append(matches, m)
	}
	worst := match("CVE-2014-0160", "openssl", advisory.Vulnerable, network)
	worst.FixedIn, worst.KEV, worst.KEVAdded = "1.0.1g", true, "2022-05-04"
	risks, _ := assess(t, Input{Facts: facts, Matches: append(matches, worst)})
	r := find(t, risks, "openssl 1.0.1f has 40 known vulnerabilities, the worst CVE-2014-0160")
	if r.Exploitability != "E5" || r.Exposure.Network != "network" || !slices.Equal(r.Exposure.Services, []string{"webd (tcp/443)"}) || len(r.Matches) != 40 {
		t.Errorf("it is %s by %+v with %d matches", r.Exploitability, r.Exposure, len(r.Matches))
	}
	if !strings.Contains(strings.Join(r.Measures, "\n"), "bring openssl to 1.0.1p or later") {
		t.Errorf("measures %q", r.Measures)
	}
	if !strings.Contains(r.First, "known to be exploited") || len(r.PartOf) != 1 {
		t.Errorf("first %q, part of %q", r.First, r.PartOf)
	}
	chain := risks[0]
	if chain.Chain != "exploited-service" || chain.ID != r.PartOf[0] || !strings.Contains(strings.Join(chain.Path, "\n"), "linked to it (libssl.so.1.0.0)") {
		t.Errorf("the first is %q: %q", chain.Title, chain.Path)
	}
}

// Exposure moves exploitability: the same flaw behind loopback, in a service that is never
// started, and in nothing that is known to run is not the same risk.
func TestExposure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		service *fact.Service
		want    string
		vector  string
	}{
		{"network", daemon("webd", "http", 80), "E4", ""},
		{"loopback", daemon("webd", "http", 80, loopback), "E3", "/MAV:L"},
		{"never", daemon("webd", "http", 80, never), "E2", ""},
		{"nothing runs it", daemon("other", "http", 80), "E3", ""},
		{"unstated", daemon("webd", "http", 80, func(s *fact.Service) {
			s.Reachable, s.Bind, s.Start = fact.Opt[bool]{}, "", fact.Opt[string]{}
		}), "E4", ""},
	} {
		facts := set(c.service, &fact.Executable{Base: seen("system"), Path: "/usr/sbin/webd"},
			&fact.Component{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system", Places: []fact.Place{{Path: "/usr/sbin/webd"}}}, Name: "webd", Version: "1"})
		risks, _ := assess(t, Input{Facts: facts, Matches: []advisory.Match{match("CVE-2020-1", "webd", advisory.Vulnerable, network)}})
		r := risks[0]
		if r.Exploitability != c.want || !strings.Contains(r.Vector, c.vector) {
			t.Errorf("%s: %s by %s (%q), want %s %s", c.name, r.Exploitability, r.Vector, r.Reasons, c.want, c.vector)
		}
		if c.name == "unstated" && (r.Exposure.Started != "" || r.Exposure.Network != "" || !strings.Contains(strings.Join(r.Reasons, "\n"), "not stated")) {
			t.Errorf("unstated became %+v", r.Exposure)
		}
	}
}

// What is not known makes a weaker risk that says so, or none, and is counted.
func TestUnknown(t *testing.T) {
	t.Parallel()
	f := finding("f1", "service.telnet", "protocol", "high", fact.KindService, "telnetd|telnet|/usr/sbin/telnetd")
	f.Outcome = judge.Unknown
	info := finding("f2", "device.unnamed", "process", "info", fact.KindDevice)
	sure, _ := assess(t, Input{Facts: set(), Matches: []advisory.Match{match("CVE-2020-1", "x", advisory.Vulnerable, network)}})
	risks, sum := assess(t, Input{Facts: set(), Findings: []*judge.Finding{f, info}, Matches: []advisory.Match{
		match("CVE-2020-1", "x", advisory.Unclear, network), match("CVE-2020-2", "x", advisory.Fixed, network), match("CVE-2020-3", "x", advisory.NotThere, network),
	}})
	if len(risks) != 1 || !strings.Contains(risks[0].Title, "may have") || risks[0].Exploitability >= sure[0].Exploitability {
		t.Errorf("%q at %s, affected it is %s", titles(risks), risks[0].Exploitability, sure[0].Exploitability)
	}
	if sum.Unknown["high"] != 1 || sum.Unclear != 1 || sum.Notes != 1 || len(sum.Unjudged) != 2 {
		t.Errorf("summary %+v", sum)
	}
}

// What attacks are known of comes first, and what medical advisories name before all.
func TestKnownExploitedFirst(t *testing.T) {
	t.Parallel()
	worst := match("CVE-2020-1", "a", advisory.Vulnerable, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")
	known := match("CVE-2020-2", "b", advisory.Vulnerable, "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H")
	known.KEV = true
	class := match("CVE-2017-0144", "c", advisory.Vulnerable, "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:L/A:L")
	class.KEV = true
	risks, _ := assess(t, Input{Facts: set(), Matches: []advisory.Match{worst, known, class}})
	var got []string
	for _, r := range risks {
		got = append(got, r.Matches[0])
	}
	if d := cmp.Diff([]string{"CVE-2017-0144@c", "CVE-2020-2@b", "CVE-2020-1@a"}, got); d != "" {
		t.Error(d)
	}
	if !strings.Contains(risks[0].First, "ICSMA-18-058-02") || risks[2].First != "" {
		t.Errorf("first %q, last %q", risks[0].First, risks[2].First)
	}
}

// A kernel that lies in the image and in its system is one risk, counted once; attacks on
// it come first, and how they reach it is not made up.
func TestLooseIsTheSame(t *testing.T) {
	t.Parallel()
	a := match("CVE-2020-1", "linux", advisory.Vulnerable, "")
	a.KEV = true
	b := match("CVE-2020-1", "linux", advisory.Unclear, "")
	b.Root, b.KEV = "loose", true
	other := match("CVE-2020-1", "u-boot", advisory.Vulnerable, network)
	other.Root = "loose"
	risks, _ := assess(t, Input{Facts: set(), Matches: []advisory.Match{b, a, other}})
	if len(risks) != 2 || len(risks[0].Matches) != 1 || risks[0].Root != "system" || !strings.Contains(risks[0].First, "how an attacker reaches it here is not stated") {
		t.Errorf("%q: %q", titles(risks), risks[0].First)
	}
}

// The ids are the same after a rebuild: another image, version and line.
func TestStableIDs(t *testing.T) {
	t.Parallel()
	ids := func(image, version string) []string {
		b := fact.Base{Source: fact.Source{Witness: fact.Firmware, Input: image}, Root: "system", Places: []fact.Place{{Input: image, Path: "/etc/inittab", Line: len(version)}}}
		s := daemon("telnetd", "telnet", 23, shell, anyone)
		s.Base = b
		f := finding("id", "service.telnet", "protocol", "high", fact.KindService, s.Key())
		m := match("CVE-2020-1", "busybox", advisory.Vulnerable, network)
		m.Version = version
		risks, _ := assess(t, Input{Facts: set(s), Findings: []*judge.Finding{f}, Matches: []advisory.Match{m}})
		var out []string
		for _, r := range risks {
			out = append(out, r.ID)
		}
		return out
	}
	if d := cmp.Diff(ids("a.bin", "1"), ids("b.bin", "1.36.1")); d != "" {
		t.Error(d)
	}
}

// Harm is the design's where it says it, else a default that says that it is one.
func TestHarm(t *testing.T) {
	t.Parallel()
	m := match("CVE-2020-1", "x", advisory.Vulnerable, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:L")
	design := fact.Base{Source: fact.Source{Witness: fact.Design, Input: "device.yaml"}}
	for _, c := range []struct {
		facts      *fact.Set
		want, from string
	}{
		{set(), "S4", "default, because no device description was given"},
		{set(&fact.Device{Base: design, Harm: "S2"}), "S2", "the design (device.yaml) states it"},
		{set(&fact.Device{Base: design, Functions: []string{"Infusion of drugs"}}), "S5", `the function "Infusion of drugs" and no harm`},
		{set(&fact.Device{Base: design, Class: "implanted"}), "S5", `the class "implanted"`},
		{set(&fact.Device{Base: design, Class: "ambient"}), "S4", "default, because the device description does not say it"},
	} {
		risks, sum := assess(t, Input{Facts: c.facts, Matches: []advisory.Match{m}})
		h := risks[0].Harms[0]
		if h.Dimension != "patient-safety" || h.Severity != c.want || !strings.Contains(h.From, c.from) {
			t.Errorf("harm %+v, want %s from %q", h, c.want, c.from)
		}
		if len(sum.Assumed) == 0 {
			t.Error("the summary does not say what was assumed")
		}
		for _, h := range risks[0].Harms {
			if h.Dimension == "privacy" {
				t.Errorf("what is not read harms privacy: %+v", h)
			}
		}
	}
	m.Vector = network
	risks, _ := assess(t, Input{Facts: set(&fact.Data{Base: seen("system"), What: "patient", Path: "/x"}), Matches: []advisory.Match{m}})
	if h := risks[0].Harms[0]; h.Dimension != "privacy" || h.Severity != "S4" || !strings.Contains(h.From, "patients' data were found (a.bin!/x)") {
		t.Errorf("harm %+v", h)
	}
}

// Check finds each number that was changed.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	risks, sum := assess(t, Input{Facts: set(daemon("telnetd", "telnet", 23, shell, anyone))})
	for name, change := range map[string]func(*Risk){
		"score":          func(r *Risk) { r.Score = 1 },
		"vector":         func(r *Risk) { r.Vector = "CVSS:3.1/AV:P" },
		"exploitability": func(r *Risk) { r.Exploitability = "E1" },
		"factors":        func(r *Risk) { r.Factors = r.Factors[1:] },
		"harm":           func(r *Risk) { r.Harms = []Harm{{Dimension: "operation", Severity: "S1", Level: "unacceptable"}} },
		"level":          func(r *Risk) { r.Level = "acceptable" },
		"controlled":     func(r *Risk) { r.Controlled = !r.Controlled },
	} {
		r := risks[0]
		change(&r)
		if Check(r, &sum.Matrix) == nil {
			t.Errorf("%s: a changed number was not found", name)
		}
	}
}

func BenchmarkAssess(b *testing.B) {
	var facts fact.Set
	for i := range 12000 {
		facts.Add(&fact.Executable{Base: seen("system"), Path: fmt.Sprintf("/usr/lib/lib%d.so.1.%d", i, i%7), Needed: []string{fmt.Sprintf("lib%d.so.1", i/2), "libc.so.6"}})
		facts.Add(&fact.Setting{Base: seen("system"), Subject: "kernel", Name: fmt.Sprint(i), Value: fact.Say("y")})
		facts.Add(&fact.File{Base: seen("system"), Path: fmt.Sprintf("/f%d", i), What: "world-writable"})
	}
	for i := range 200 {
		facts.Add(daemon(fmt.Sprintf("d%d", i), "http", i+1))
		facts.Add(&fact.Component{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system", Places: []fact.Place{{Path: fmt.Sprintf("/usr/lib/lib%d.so.1.%d", i, i%7)}}}, Name: fmt.Sprintf("c%d", i), Version: "1"})
	}
	judge.Link(&facts)
	var matches []advisory.Match
	for i := range 2000 {
		m := match(fmt.Sprintf("CVE-2020-%d", i), fmt.Sprintf("c%d", i%200), advisory.Vulnerable, []string{network, "AV:N/AC:M/Au:N/C:P/I:P/A:P", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}[i%3])
		m.KEV = i%100 == 0
		matches = append(matches, m)
	}
	for b.Loop() {
		risks, _ := Assess(Input{Facts: &facts, Matches: matches, At: day})
		if len(risks) < 200 {
			b.Fatalf("%d risks", len(risks))
		}
	}
}
