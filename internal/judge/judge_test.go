package judge_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

func rule(id string, ask fact.Kind, when string) *judge.Rule {
	return &judge.Rule{
		ID: id, Title: id, Vector: "protocol", Pillar: "secure-defaults", Ask: ask, When: when, Version: 1,
		Needs: []fact.Kind{ask}, Severity: "high",
	}
}

func firmware(root string) fact.Base {
	return fact.Base{Source: fact.Source{Witness: fact.Firmware, Input: "pump.bin"}, Root: root}
}

func full(root string, kinds ...fact.Kind) []fact.Coverage {
	var out []fact.Coverage
	for _, k := range kinds {
		out = append(out, fact.Coverage{Source: fact.Source{Witness: fact.Firmware}, Root: root, Kind: k, Level: "full"})
	}
	return out
}

// ask judges with one rule and gives the answers as lines: root, outcome, count, keys, note.
func ask(t *testing.T, r *judge.Rule, in judge.Input) []string {
	t.Helper()
	j, err := judge.New([]*judge.Rule{r})
	if err != nil {
		t.Fatal(err)
	}
	findings, err := j.Judge(in)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range findings {
		out = append(out, strings.TrimRight(fmt.Sprintf("%s %s %d %s %s", f.Root, f.Outcome, f.Count, strings.Join(f.Keys, ","), f.Note), " "))
	}
	return out
}

func services(list ...*fact.Service) *fact.Set { return &fact.Set{Service: list} }

// TestThreeAnswers holds that an answer is bad, good or unknown, and says what was missing.
func TestThreeAnswers(t *testing.T) {
	t.Parallel()
	telnet := rule("service.telnet", fact.KindService, `service.protocol == "telnet" && service.start == "boot"`)
	s := func(name, protocol, start string) *fact.Service {
		s := &fact.Service{Base: firmware("system"), Name: name, Protocol: protocol}
		if start != "" {
			s.Start = fact.Say(start)
		}
		return s
	}
	gap := fact.Gap{ID: "g1", Root: "system", Why: "encrypted", Place: fact.Place{Input: "pump.bin", Path: "/blob"}, Hides: []fact.Kind{fact.KindService}}
	reservation := gap
	reservation.Reservation = true
	blind := full("system", fact.KindService)
	blind[0].Level, blind[0].Why = "none", "VxWorks has no services that this witness can read"
	for name, c := range map[string]struct {
		set      *fact.Set
		coverage []fact.Coverage
		gaps     []fact.Gap
		want     []string
	}{
		"bad":                                                   {services(s("t", "telnet", "boot")), full("system", fact.KindService), nil, []string{"system bad 1 t|telnet|"}},
		"good counts what was looked at":                        {services(s("a", "ssh", "boot"), s("b", "telnet", "never")), full("system", fact.KindService), nil, []string{"system good 2"}},
		"false and unknown is false":                            {services(s("a", "ssh", "")), full("system", fact.KindService), nil, []string{"system good 1"}},
		"unknown names the field":                               {services(s("a", "telnet", "")), full("system", fact.KindService), nil, []string{"system unknown 1 a|telnet| service.start is not stated"}},
		"bad stands beside unknown":                             {services(s("a", "telnet", ""), s("t", "telnet", "boot")), full("system", fact.KindService), nil, []string{"system bad 1 t|telnet|", "system unknown 1 a|telnet| service.start is not stated"}},
		"nothing there and all seen is good":                    {services(), full("system", fact.KindService), nil, []string{"system good 0"}},
		"a gap hides the answer":                                {services(), full("system", fact.KindService), []fact.Gap{gap}, []string{"system unknown 0  could hide in: pump.bin!/blob (encrypted)"}},
		"a reservation does not":                                {services(), full("system", fact.KindService), []fact.Gap{reservation}, []string{"system good 0"}},
		"a gap does not hide what is bad":                       {services(s("t", "telnet", "boot")), full("system", fact.KindService), []fact.Gap{gap}, []string{"system bad 1 t|telnet|"}},
		"no witness":                                            {services(), full("system", fact.KindAccount), nil, []string{" unknown 0  no witness for kind service"}},
		"a blind witness says why":                              {services(), blind, nil, []string{"system unknown 0  VxWorks has no services that this witness can read"}},
		"roots answer for themselves":                           {services(s("t", "telnet", "boot")), append(full("recovery", fact.KindService), full("system", fact.KindService)...), nil, []string{"recovery good 0", "system bad 1 t|telnet|"}},
		"a data partition without services is not worth a word": {services(), append(full("data:x", fact.KindService), full("system", fact.KindService)...), nil, []string{"system good 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, ask(t, telnet, judge.Input{Facts: c.set, Coverage: c.coverage, Gaps: c.gaps})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLists holds that "there is none" is unknown where some could not be seen, and that
// unknown fields reach through lists.
func TestLists(t *testing.T) {
	t.Parallel()
	r := rule("device.no-firewall", fact.KindDevice, `!guards.exists(g, g.what == "firewall" && g.active)`)
	r.Needs = []fact.Kind{fact.KindGuard}
	g := func(active fact.Opt[bool]) *fact.Set {
		return &fact.Set{Guard: []*fact.Guard{{Base: firmware("system"), What: "firewall", Active: active}}}
	}
	partial := full("system", fact.KindGuard)
	partial[0].Level, partial[0].Why = "partial", "half of /etc was not read"
	for name, c := range map[string]struct {
		set      *fact.Set
		coverage []fact.Coverage
		want     string
	}{
		"there is one":            {g(fact.Say(true)), full("system", fact.KindGuard), " good 0"},
		"there is none":           {&fact.Set{}, full("system", fact.KindGuard), " bad 0"},
		"it is off":               {g(fact.Say(false)), full("system", fact.KindGuard), " bad 0"},
		"it may be on":            {g(fact.Opt[bool]{}), full("system", fact.KindGuard), " unknown 0  guard.active is not stated"},
		"one may be unseen":       {g(fact.Say(false)), partial, " unknown 0  guard: half of /etc was not read"},
		"no root was read at all": {&fact.Set{}, full("loose", fact.KindGuard), " unknown 0  guard: no root file system was read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff([]string{c.want}, ask(t, r, judge.Input{Facts: c.set, Coverage: c.coverage})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestGroup holds that alike facts make one finding with a count.
func TestGroup(t *testing.T) {
	t.Parallel()
	set := &fact.Set{}
	for i := range 500 {
		e := &fact.Executable{Base: firmware("system"), Path: fmt.Sprintf("/usr/bin/p%d", i), NX: fact.Say(false)}
		e.Places = []fact.Place{{Input: "pump.bin", Path: e.Path}}
		set.Add(e)
	}
	c := &fact.Component{Base: firmware("system"), Name: "busybox"}
	for i := range 3 {
		c.Places = append(c.Places, fact.Place{Input: "pump.bin", Path: fmt.Sprintf("/usr/bin/p%d", i)})
	}
	set.Add(c)
	for group, want := range map[string]int{"": 500, "root": 1, "component": 498} {
		r := rule("executable.soft", fact.KindExecutable, "!executable.nx")
		r.Group = group
		j, err := judge.New([]*judge.Rule{r})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := j.Judge(judge.Input{Facts: set, Coverage: full("system", fact.KindExecutable)})
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, f := range findings {
			total += f.Count
			if len(f.Places) > 200 || len(f.Keys) > 200 {
				t.Errorf("group %q: %d places, %d keys", group, len(f.Places), len(f.Keys))
			}
		}
		if len(findings) != want || total != 500 {
			t.Errorf("group %q: %d findings of %d facts, want %d of 500", group, len(findings), total, want)
		}
	}
}

// TestIdentity holds that a finding keeps its id over inputs, places and versions in paths,
// and that rule, root and key change it.
func TestIdentity(t *testing.T) {
	t.Parallel()
	id := func(ruleID, root, input, path string, line int) string {
		e := &fact.Executable{Base: firmware(root), Path: path, NX: fact.Say(false)}
		e.Source.Input = input
		e.Places = []fact.Place{{Input: input, Path: path, Line: line}}
		j, err := judge.New([]*judge.Rule{rule(ruleID, fact.KindExecutable, "!executable.nx")})
		if err != nil {
			t.Fatal(err)
		}
		findings, err := j.Judge(judge.Input{Facts: &fact.Set{Executable: []*fact.Executable{e}}})
		if err != nil || len(findings) != 1 {
			t.Fatal(findings, err)
		}
		return findings[0].ID
	}
	a := id("a.b", "system", "v1.bin", "/lib/libx.so.1.0.2", 1)
	if b := id("a.b", "system", "v2.bin", "/lib/libx.so.1.1.0", 7); a != b {
		t.Errorf("another release gives another id: %s, %s", a, b)
	}
	for _, b := range []string{id("a.c", "system", "v1.bin", "/lib/libx.so.1", 1), id("a.b", "recovery", "v1.bin", "/lib/libx.so.1", 1), id("a.b", "system", "v1.bin", "/lib/liby.so.1", 1)} {
		if a == b {
			t.Errorf("the id does not tell apart: %s", a)
		}
	}
}

// TestLinks holds the ties between facts that rules read.
func TestLinks(t *testing.T) {
	t.Parallel()
	setting := func(instance, scope, key, value, origin string, ordinal int) *fact.Setting {
		s := &fact.Setting{Base: firmware("system"), Subject: "sshd", Instance: instance, Scope: scope, Name: key, Origin: origin, Ordinal: ordinal}
		if value != "" {
			s.Value = fact.Say(value)
		}
		return s
	}
	set := func() *fact.Set {
		return &fact.Set{
			Device: []*fact.Device{{Base: fact.Base{Source: fact.Source{Witness: fact.Design}}, Ports: []string{"tcp/22"}}},
			Service: []*fact.Service{{
				Base: firmware("system"), Name: "ssh", Product: "sshd", Instance: "/etc/ssh/sshd_config", Program: "/usr/sbin/sshd",
				Port: fact.Say(22), User: fact.Say("root"), Start: fact.Say("boot"),
			}},
			Executable: []*fact.Executable{{Base: firmware("system"), Path: "/usr/sbin/sshd", PIE: fact.Say(true)}},
			Account:    []*fact.Account{{Base: firmware("system"), Name: "root", Store: "system", UID: fact.Say(0)}},
			Component:  []*fact.Component{{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system", Places: []fact.Place{{Path: "/usr/sbin/sshd"}}}, Name: "openssh", Version: "9.2p1"}},
			Guard:      []*fact.Guard{{Base: firmware("system"), What: "lockout", Subject: "sshd", Active: fact.Say(true)}},
			Setting: []*fact.Setting{
				setting("/etc/ssh/sshd_config", "", "PermitRootLogin", "no", "file", 0), setting("/etc/ssh/sshd_config", "", "PermitRootLogin", "yes", "file", 1),
				setting("/etc/ssh/sshd_config", "Match User a", "X11Forwarding", "yes", "file", 0), setting("/etc/ssh/sshd_config", "", "X11Forwarding", "no", "default", 0),
				setting("command line", "", "Port", "2222", "argument", 0), setting("/etc/ssh/sshd_config", "", "Port", "22", "file", 0),
				setting("/etc/ssh/other", "", "Banner", "x", "file", 0),
			},
		}
	}
	for when, want := range map[string]string{
		`service.settings["PermitRootLogin"] == "no"`:                   "bad",
		`service.settings["X11Forwarding"] == "no"`:                     "bad",
		`service.settings["Port"] == "2222"`:                            "bad",
		`service.settings["Banner"] == "x"`:                             "unknown the setting Banner of sshd is not stated",
		`"Banner" in service.settings`:                                  "good",
		`service.executable.pie`:                                        "bad",
		`service.executable.nx`:                                         "unknown executable.nx is not stated",
		`service.component.version == "9.2p1"`:                          "bad",
		`service.account.uid == 0`:                                      "bad",
		`service.declared`:                                              "bad",
		`service.guards.exists(g, g.what == "lockout" && g.active)`:     "bad",
		`config["sshd"]["PermitRootLogin"] == "no" && root == "system"`: "bad",
		`config["vsftpd"]["write_enable"] == "yes"`:                     "unknown the setting write_enable of vsftpd is not stated",
		`executables.exists(e, e.service.port == 22)`:                   "bad",
		`settings.exists(s, s.key == "Banner" && has(s.service))`:       "good",
		`has(service.condition)`:                                        "good",
		`versionLess(service.component.version, "9.10")`:                "bad",
		`number(service.settings["PermitRootLogin"]) > 1`:               `unknown "no": it is no number`,
		`service.port == 22 ? unknown("whether it rains") : true`:       "unknown whether it rains is not stated",
		`service.arguments.exists(a, a == "-D")`:                        "unknown service.arguments is not stated",
		`service.confidence == "high" && service.witness == "firmware"`: "bad",
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			j, err := judge.New([]*judge.Rule{rule("a.b", fact.KindService, when)})
			if err != nil {
				t.Fatal(err)
			}
			findings, err := j.Judge(judge.Input{Facts: set(), Coverage: full("system", fact.Kinds()...)})
			if err != nil || len(findings) != 1 {
				t.Fatal(findings, err)
			}
			if got := strings.TrimSpace(string(findings[0].Outcome) + " " + findings[0].Note); got != want {
				t.Errorf("answer is %q, want %q", got, want)
			}
		})
	}
	twice := set()
	judge.Link(twice)
	first := len(twice.Service[0].Links)
	judge.Link(twice)
	if n := len(twice.Service[0].Links); n != 3 || n != first {
		t.Errorf("links are %d, then %d, want 3", first, n)
	}
}

// TestRefuses holds that a rule that cannot be asked is refused, by its name.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*judge.Rule){
		"no such field": func(r *judge.Rule) { r.When = "service.colour == 1" },
		"wrong type":    func(r *judge.Rule) { r.When = `service.port == "22"` },
		"no answer":     func(r *judge.Rule) { r.When = "service.port" },
		"other fact":    func(r *judge.Rule) { r.When = "account.login" },
		"severity":      func(r *judge.Rule) { r.Severity = "awful" },
		"kind":          func(r *judge.Rule) { r.Ask = "ghost" },
		"evidence":      func(r *judge.Rule) { r.Evidence = "service.port" },
	} {
		r := rule("a.b", fact.KindService, "service.listens")
		spoil(r)
		if _, err := judge.New([]*judge.Rule{r}); err == nil || !strings.Contains(err.Error(), `"a.b"`) {
			t.Errorf("%s: %v, want a refusal with the rule's id", name, err)
		}
	}
	r := rule("a.b", fact.KindService, "service.listens")
	if _, err := judge.New([]*judge.Rule{r, r}); err == nil {
		t.Error("two rules of one id are taken")
	}
}

// TestSameBytes holds that the order of the facts does not show.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	j, err := judge.New([]*judge.Rule{rule("a.b", fact.KindService, "service.listens"), rule("a.a", fact.KindService, "!service.listens")})
	if err != nil {
		t.Fatal(err)
	}
	var want string
	for turn := range 5 {
		var list []*fact.Service
		for i := range 20 {
			s := &fact.Service{Base: firmware("system"), Name: fmt.Sprint((i + turn*7) % 20), Listens: fact.Say((i+turn*7)%20%2 == 0)}
			s.Places = []fact.Place{{Path: "/" + s.Name}}
			list = append(list, s)
		}
		findings, err := j.Judge(judge.Input{Facts: services(list...), Coverage: full("system", fact.KindService)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(findings)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = string(b)
		}
		if string(b) != want {
			t.Fatalf("turn %d gives other bytes", turn)
		}
	}
}
