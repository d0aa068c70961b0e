package rulebook

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

var update = flag.Bool("update", false, "write doc/rules.md")

// files are the rule files.
var files = os.DirFS(".")

// TestRules holds that every rule compiles, is complete, and answers its own tests.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, err := range Check(files) {
		t.Error(err)
	}
}

// TestReach holds that the rulebook covers what it was made for: all vectors, the rows of
// the crosswalk that firmware can show, and the replicas.
func TestReach(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) < 90 {
		t.Errorf("%d rules, want 90", len(rules))
	}
	vectors, rows, replicas := map[string]int{}, map[string]int{}, map[string]int{}
	for _, r := range rules {
		vectors[r.Vector]++
		for _, m := range r.Maps["vesalius"] {
			rows[m]++
		}
		for _, m := range r.Maps["replica"] {
			replicas[m]++
		}
	}
	for _, v := range judge.Vectors() {
		if vectors[v] < 3 {
			t.Errorf("vector %s has %d rules", v, vectors[v])
		}
	}
	for _, row := range strings.Fields(`CRED-01 CRED-02 CRED-03 CRED-04 CRED-05 CRED-06 CRED-07 CRED-08 BRUTE-01 BRUTE-02 API-01 API-02 API-03 API-04 API-05
		COMM-01 COMM-02 COMM-03 COMM-04 COMM-06 NET-01 NET-02 NET-03 UPD-01 UPD-02 UPD-03 UPD-04 BOOT-01 DBG-01 PRIV-01 HARD-01
		COMP-02 COMP-03 DATA-01 LOG-01 ID-01 DOC-01`) {
		if rows[row] == 0 {
			t.Errorf("no rule maps to %s", row)
		}
	}
	for _, row := range strings.Fields(`R01 R03 R04 R05 R06 R07 R08 R09 R10 R12 R13 R14 R16 R18 R19 R21 R22 R23 R24 R25 R26 R27 R28 R32 R33 R34 R35 R36 R37 R38 R40`) {
		if replicas[row] == 0 {
			t.Errorf("no rule maps to replica %s", row)
		}
	}
}

// TestLoadDirRefuses holds that a user's rule with a fault is refused, by its file.
func TestLoadDirRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a.b.yaml": "id: a.c\n",
		"a.d.yaml": "id: a.d\ncolour: red\n",
		"a.e.yaml": "id: [\n",
		"big.yaml": strings.Repeat("#", maxPage+1),
	} {
		dir := fstest.MapFS{name: {Data: []byte(text)}}
		if _, err := LoadDir(dir); err == nil || !strings.HasPrefix(err.Error(), name+": ") {
			t.Errorf("%s: %v, want a refusal by its name", name, err)
		}
	}
	dir := fstest.MapFS{"a.b.yaml": {Data: []byte("id: a.b\nask: service\nwhen: service.listens\nseverity: low\nvector: api\npillar: authentication\nversion: 1\n")}}
	if _, err := LoadDir(dir); err != nil {
		t.Error(err)
	}
	if errs := Check(dir); len(errs) == 0 {
		t.Error("a rule without words and tests passes the check")
	}
}

// TestDocCurrent holds that doc/rules.md is current: go test ./internal/judge/rulebook -update.
func TestDocCurrent(t *testing.T) {
	t.Parallel()
	rules, err := LoadDir(files)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	Document(&b, rules)
	const path = "../../../doc/rules.md"
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, b.Bytes()) {
		t.Error("doc/rules.md is not current: go test ./internal/judge/rulebook -update")
	}
}

// TestCompiledCurrent holds that rules.json is what the rule files say.
func TestCompiledCurrent(t *testing.T) {
	t.Parallel()
	want, err := LoadDir(files)
	if err != nil {
		t.Fatal(err)
	}
	if err := judge.Check(want); err != nil {
		t.Fatal(err)
	}
	if *update {
		b, err := Pack(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("rules.json", b, 0o644); err != nil {
			t.Fatal(err)
		}
		return // the program that runs now still carries the old one
	}
	have, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Errorf("rules.json is not current: go test ./internal/judge/rulebook -run Current -update: %.2000s", d)
	}
}

// TestCarriedAnswersAlike holds that the rules which the program carries answer a large
// device as the rule files do.
func TestCarriedAnswersAlike(t *testing.T) {
	t.Parallel()
	var answers [2][]judge.Finding
	for i, load := range []func() ([]*judge.Rule, error){Load, func() ([]*judge.Rule, error) { return LoadDir(files) }} {
		rules, err := load()
		if err != nil {
			t.Fatal(err)
		}
		j, err := judge.New(rules)
		if err != nil {
			t.Fatal(err)
		}
		if answers[i], err = j.Judge(large()); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(answers[1], answers[0]); d != "" {
		t.Errorf("the rules that the program carries answer otherwise: %.2000s", d)
	}
}

// BenchmarkJudge asks the whole rulebook of a large device.
func BenchmarkJudge(b *testing.B) {
	rules, err := Load()
	if err != nil {
		b.Fatal(err)
	}
	j, err := judge.New(rules)
	if err != nil {
		b.Fatal(err)
	}
	in := large()
	b.ReportMetric(float64(in.Facts.Len()), "facts")
	b.ReportMetric(float64(len(rules)), "rules")
	for b.Loop() {
		if _, err := j.Judge(in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNew compiles the whole rulebook.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		rules, err := Load()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := judge.New(rules); err != nil {
			b.Fatal(err)
		}
	}
}

// large is a device of 30,000 programs, 5,000 settings and 1,000 services.
func large() judge.Input {
	set := &fact.Set{}
	base := fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system"}
	at := func(path string) fact.Base {
		b := base
		b.Places = []fact.Place{{Input: "large.img", Path: path}}
		return b
	}
	for i := range 30_000 {
		p := fmt.Sprintf("/usr/bin/p%d", i)
		set.Add(&fact.Executable{
			Base: at(p), Path: p, Type: "program", Arch: "arm64", PIE: fact.Say(true), NX: fact.Say(true), Canary: fact.Say(i%3 > 0), RELRO: fact.Say("full"),
			Stripped: fact.Say(true), Debug: fact.Say(false), Setuid: fact.Say(i%1000 == 0), WorldWritable: fact.Say(false), Network: fact.Say(i%10 == 0),
			Boot: fact.Say(i%100 == 0), Vendor: fact.Say(i%50 == 0), Risky: []string{"strcpy"}, Fortify: fact.Say(false), NoVerify: fact.Say(false), ShellOut: fact.Say(false),
		})
	}
	subjects := []string{"sshd", "nginx", "samba", "sysctl", "kernel"}
	keys := []string{"PermitRootLogin", "ssl_protocols", "guest ok", "net.ipv4.ip_forward", "CONFIG_STACKPROTECTOR"}
	for i := range 5_000 {
		k := keys[i%len(keys)]
		if i%7 > 0 {
			k = fmt.Sprintf("%s%d", k, i)
		}
		set.Add(&fact.Setting{Base: at("/etc/x"), Subject: subjects[i%len(subjects)], Instance: "/etc/x", Name: k, Ordinal: i, Value: fact.Say("no"), Origin: "file"})
	}
	for i := range 1_000 {
		set.Add(&fact.Service{
			Base: at("/etc/init.d/s"), Name: fmt.Sprintf("s%d", i), Program: fmt.Sprintf("/usr/bin/p%d", i), Protocol: []string{"ssh", "http", "telnet", "dicom"}[i%4],
			Product: subjects[i%3], Port: fact.Say(i), Listens: fact.Say(true), Reachable: fact.Say(true), Encrypted: fact.Say(i%4 == 0), Authenticated: fact.Say(i%2 == 0), Start: fact.Say("boot"),
		})
	}
	in := judge.Input{Facts: set}
	for _, k := range fact.Kinds() {
		in.Coverage = append(in.Coverage, fact.Coverage{Source: base.Source, Root: "system", Kind: k, Level: "full"})
	}
	return in
}

// TestLarge holds that the whole rulebook answers a large device in every root, each rule
// at least once.
func TestLarge(t *testing.T) {
	t.Parallel()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	j, err := judge.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := j.Judge(large())
	if err != nil {
		t.Fatal(err)
	}
	answered := map[string]bool{}
	for _, f := range findings {
		answered[f.Rule] = true
	}
	for _, r := range rules {
		if r.Of == "" && !answered[r.ID] {
			t.Errorf("rule %s has no answer", r.ID)
		}
	}
	if !slices.IsSortedFunc(findings, func(a, b judge.Finding) int {
		return slices.Index(judge.Severities(), a.Severity) - slices.Index(judge.Severities(), b.Severity)
	}) {
		t.Error("findings are not in the order of severity")
	}
}
