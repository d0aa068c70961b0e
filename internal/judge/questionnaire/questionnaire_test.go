package questionnaire

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
)

var update = flag.Bool("update", false, "write checks.json and doc/claims.md")

// TestChecks holds every check by its tests: bad, good and unknown.
func TestChecks(t *testing.T) {
	t.Parallel()
	for _, err := range CheckDir(os.DirFS("checks")) {
		t.Error(err)
	}
}

func TestChecksCurrent(t *testing.T) {
	t.Parallel()
	rules, err := rulebook.LoadDir(os.DirFS("checks"))
	if err != nil {
		t.Fatal(err)
	}
	if err := judge.Check(rules); err != nil {
		t.Fatal(err)
	}
	want, err := rulebook.Pack(rules)
	if err != nil {
		t.Fatal(err)
	}
	current(t, "checks.json", want)
}

func TestDocCurrent(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	Document(&b, form(t))
	current(t, "../../../doc/claims.md", b.Bytes())
}

func current(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not current: go test ./internal/judge/questionnaire -run Current -update", path)
	}
}

func form(t *testing.T) *Form {
	t.Helper()
	f, err := MDS2()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func rules(t *testing.T) []*judge.Rule {
	t.Helper()
	r, err := rulebook.Load()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestForm holds the form's shape: the 240 items of the edition of 2019 in their sections,
// and for each checkable one an answer and rules that exist.
func TestForm(t *testing.T) {
	t.Parallel()
	f := form(t)
	want := map[string]int{
		"DOC": 15, "MPII": 22, "ALOF": 2, "AUDT": 30, "AUTH": 8, "CSUP": 34, "DIDT": 2, "DTBK": 6, "EMRG": 1, "IGAU": 2, "MLDP": 15, "NAUT": 4,
		"CONN": 19, "PAUT": 16, "PLOK": 4, "RDMP": 4, "SBOM": 8, "SAHD": 22, "SGUD": 5, "STCF": 7, "TXCF": 6, "TXIG": 2, "RMOT": 6,
	}
	have, ids := map[string]int{}, map[string]bool{}
	own, err := Checks()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range slices.Concat(own, rules(t)) {
		known[r.ID] = true
	}
	for _, q := range f.Questions {
		have[q.Section()]++
		if ids[q.ID] {
			t.Errorf("%s stands twice", q.ID)
		}
		ids[q.ID] = true
		if q.Topic == "" || len(q.Topic) > 60 {
			t.Errorf("%s: topic %q", q.ID, q.Topic)
		}
		if (q.Favours == "yes" || q.Favours == "no") != (len(q.Rules) > 0) || q.Confirm != "" && len(q.Rules) == 0 {
			t.Errorf("%s: favours %q with rules %q", q.ID, q.Favours, q.Rules)
		}
		for _, r := range q.Rules {
			if !known[r] {
				t.Errorf("%s: there is no rule %q", q.ID, r)
			}
		}
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Error(d)
	}
}

// TestEveryItemBothWays holds for every checkable item that each of its rules contradicts
// the favourable answer when bad, that all of them good (with what confirm asks) confirm
// it, and that an open one leaves it not shown.
func TestEveryItemBothWays(t *testing.T) {
	t.Parallel()
	f := form(t)
	for i := range f.Questions {
		q := &f.Questions[i]
		if len(q.Rules) == 0 {
			continue
		}
		all := func(o judge.Outcome, of string) *evidence {
			e := &evidence{by: map[string][]judge.Finding{}, confirm: map[string]bool{q.ID: true}}
			for _, r := range q.Rules {
				e.by[r] = []judge.Finding{{ID: "id " + r, Rule: r, Title: "Wrong", Outcome: judge.Good}}
				if r == of {
					e.by[r][0].Outcome = o
				}
			}
			return e
		}
		for _, r := range q.Rules {
			for answer, want := range map[string]string{q.Favours: Contradicted, "na": Contradicted, other(q.Favours): Confirmed, "note": NotShown} {
				if v := all(judge.Bad, r).judge(q, answer); v.Verdict != want || !slices.Equal(v.Findings, []string{"id " + r}) {
					t.Errorf("%s %s with %s bad: %+v", q.ID, answer, r, v)
				}
			}
			for _, answer := range []string{"yes", "no", "na", "note", "blank"} {
				if v := all(judge.Unknown, r).judge(q, answer); v.Verdict != NotShown {
					t.Errorf("%s %s with %s open: %+v", q.ID, answer, r, v)
				}
			}
		}
		for answer, want := range map[string]string{q.Favours: Confirmed, other(q.Favours): Understated, "na": NotShown} {
			if v := all(judge.Good, "").judge(q, answer); v.Verdict != want {
				t.Errorf("%s %s with all good: %+v", q.ID, answer, v)
			}
		}
		if q.Confirm != "" {
			e := all(judge.Good, "")
			e.confirm = nil
			if v := e.judge(q, q.Favours); v.Verdict != NotShown {
				t.Errorf("%s is confirmed by silence: %+v", q.ID, v)
			}
		}
	}
}

// TestJudge judges answers by facts, with the real rules.
func TestJudge(t *testing.T) {
	t.Parallel()
	base := fact.Base{Source: fact.Source{Witness: fact.Firmware, Input: "x"}, Root: "system", Places: []fact.Place{{Input: "x", Path: "/etc/inittab", Line: 3}}}
	telnet := func() fact.Fact {
		return &fact.Service{Base: base, Name: "telnetd", Protocol: "telnet", Start: fact.Say("boot")}
	}
	dicom := func(encrypted bool) fact.Fact {
		return &fact.Service{Base: base, Name: "storescp", Protocol: "dicom", Encrypted: fact.Say(encrypted), Start: fact.Say("boot")}
	}
	for _, c := range []struct {
		question, answer string
		facts            []fact.Fact
		blind            bool
		want             string
	}{
		{"SAHD-9", "yes", []fact.Fact{telnet()}, false, Contradicted},
		{"SAHD-9", "yes", []fact.Fact{telnet()}, true, Contradicted},
		{"SAHD-9", "yes", nil, false, Confirmed},
		{"SAHD-9", "yes", nil, true, NotShown},
		{"SAHD-9", "no", nil, false, Understated},
		{"SAHD-9", "no", []fact.Fact{telnet()}, false, Confirmed},
		{"TXCF-5", "yes", []fact.Fact{dicom(false)}, false, Contradicted},
		{"TXCF-5", "yes", []fact.Fact{dicom(true)}, false, Confirmed},
		{"TXCF-5", "yes", nil, false, NotShown},
		{"DOC-1", "yes", nil, false, NotCheckable},
	} {
		name := fmt.Sprint(c.question, c.answer, len(c.facts), c.blind)
		claim := &fact.Claim{Base: fact.Base{Source: fact.Source{Witness: fact.Claimed, Input: "form"}}, Form: "mds2-2019", Question: c.question, Answer: c.answer}
		in := judge.Input{Facts: &fact.Set{}}
		in.Facts.Add(claim)
		for _, f := range c.facts {
			in.Facts.Add(f)
		}
		for _, k := range fact.Kinds() {
			level := "full"
			if c.blind {
				level = "partial"
			}
			in.Coverage = append(in.Coverage, fact.Coverage{Source: base.Source, Root: "system", Kind: k, Level: level})
		}
		v, err := Judge(rules(t), in)
		if err != nil {
			t.Fatal(err)
		}
		if claim.Verdict != c.want || c.want != NotCheckable && (len(v) != 1 || v[0].Verdict != c.want || v[0].Because == "") {
			t.Errorf("%s: %q %+v, want %s", name, claim.Verdict, v, c.want)
		}
		if c.want == Contradicted && !strings.Contains(v[0].Because, "x!/etc/inittab:3") {
			t.Errorf("%s: because %q names no place", name, v[0].Because)
		}
	}
}

// TestDraft holds that a draft says yes only to what the evidence bears.
func TestDraft(t *testing.T) {
	t.Parallel()
	in := judge.Input{Facts: &fact.Set{}}
	in.Facts.Add(&fact.Service{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system"}, Name: "telnetd", Protocol: "telnet", Start: fact.Say("boot")})
	for _, k := range fact.Kinds() {
		in.Coverage = append(in.Coverage, fact.Coverage{Source: fact.Source{Witness: fact.Firmware}, Root: "system", Kind: k, Level: "full"})
	}
	list, err := Draft(form(t), rules(t), in)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{}
	for _, v := range list {
		answers[v.Question] = v.Answer
		if (v.Answer == "") != (v.Verdict == NotShown) {
			t.Errorf("%+v", v)
		}
	}
	for id, want := range map[string]string{"SAHD-9": "no", "RMOT-1": "yes", "SAHD-10": "yes", "PAUT-3": "", "TXCF-5": ""} {
		if answers[id] != want {
			t.Errorf("%s: draft says %q, want %q", id, answers[id], want)
		}
	}
}

func BenchmarkMDS2(b *testing.B) {
	for b.Loop() {
		if _, err := MDS2(); err != nil {
			b.Fatal(err)
		}
	}
}
