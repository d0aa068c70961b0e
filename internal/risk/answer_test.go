package risk

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
)

const who = ", who: J. Doe, when: 2026-11-20"

// Answers are refused with one clear line where they cannot be meant.
func TestReadAnswersRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"answers: [{question: XXX, answer: yes" + who + "}]":                                                               `no question "XXX"`,
		"answers: [{question: XAVT, answer: maybe" + who + "}]":                                                            `XAVT: "maybe" is none of yes, no, unknown`,
		"answers: [{question: XIT, answer: yes" + who + "}]":                                                               "XIT: \"yes\" is none of none, S1",
		"answers: [{question: XACL, answer: no" + who + "}]":                                                               "XACL: it is asked of one weakness",
		"answers: [{question: XAVT, answer: no, when: 2026-11-20}]":                                                        "XAVT: it needs who says it and when",
		"answers: [{question: XAVT, answer: no, who: a, when: today}]":                                                     `when "today"`,
		"answers: [{question: XAVT, answer: no, whom: a, when: today}]":                                                    "whom",
		"answers: [{question: XAVT, answer: no" + who + "}, {question: XAVT, answer: yes" + who + "}]":                     `"no" and "yes" on 2026-11-20`,
		"answers: [{question: XAVW, answer: no" + who + "}, {question: XAVR, answer: yes" + who + "}]":                     "XAVW is no and XAVR is yes",
		"answers: [{question: XAVN, about: r, answer: no" + who + "}, {question: XAVT, about: r, answer: yes" + who + "}]": "XAVN is no and XAVT is yes",
		"answers: [{question: XPRL, about: r, answer: no" + who + "}, {question: XPRS, about: r, answer: yes" + who + "}]": "XPRL is no and XPRS is yes",
		"answers: 1": "a.yaml: ",
		"answers: [": "a.yaml: ",
	} {
		_, err := ReadAnswers("a.yaml", []byte(in))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "a.yaml: ") {
			t.Errorf("%q: %v, want one line with %q", in, err, want)
		}
	}
	got, err := ReadAnswers("a.yaml", []byte("answers:\n  - {question: XAVT, answer: no, who: A, when: 2026-11-19}\n  - {question: XAVT, answer: yes, who: B, when: 2026-11-20}\n  - {question: XUI, answer: unknown}\n"))
	if err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

// Answers of the device and of one weakness make the vector that counts.
func TestAnswersMakeTheEnvironment(t *testing.T) {
	t.Parallel()
	facts := set(daemon("webd", "http", 80), &fact.Component{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system", Places: []fact.Place{{Path: "/usr/sbin/webd"}}}, Name: "webd", Version: "1"})
	in := Input{Facts: facts, Matches: []advisory.Match{match("CVE-2020-1", "webd", advisory.Vulnerable, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")}}
	plain, _ := assess(t, in)
	id := plain[0].ID
	for _, c := range []struct {
		name, answers, vector string
		harm                  string
	}{
		{"segmented", "{question: XAVT, answer: no" + who + "}", "/MAV:A", ""},
		{"segmented, and a radio that ends in the room", "{question: XAVT, answer: no" + who + "}, {question: XAVR, answer: no" + who + "}", "/MAV:A/MAC:H", ""},
		{"of this risk", "{question: XACL, answer: no, about: " + id + who + "}", "/MAC:H", ""},
		{"of this advisory", "{question: XUI, answer: yes, about: CVE-2020-1" + who + "}", "/MUI:R", ""},
		{"of another", "{question: XUI, answer: yes, about: CVE-2020-2" + who + "}", "", ""},
		{"an ordinary login", "{question: XPRL, answer: yes, about: " + id + who + "}, {question: XPRZ, answer: yes, about: " + id + who + "}", "/MPR:L", ""},
		{"a login that strangers know", "{question: XPRL, answer: yes, about: " + id + who + "}, {question: XPRZ, answer: yes, about: " + id + who + "}, {question: XPRS, answer: yes, about: " + id + who + "}", "", ""},
		{"impact of this weakness", "{question: XIT, answer: S1, about: " + id + who + "}, {question: XID, answer: none, about: " + id + who + "}", "/MI:L", ""},
		{"goes beyond", "{question: XS, answer: yes, about: " + id + who + "}", "/MS:C", ""},
		{"harm of the device", "{question: XIT, answer: S5, why: it doses" + who + "}", "", "S5"},
		{"the later answer", "{question: XIT, answer: S5, who: A, when: 2026-11-19}, {question: XIT, answer: S2, who: B, when: 2026-11-20}", "", "S2"},
	} {
		answers, err := ReadAnswers("a.yaml", []byte("answers: ["+c.answers+"]"))
		if err != nil {
			t.Fatal(err)
		}
		in.Answers = answers
		risks, _ := assess(t, in)
		r := risks[0]
		_, env, _ := strings.Cut(r.Vector, "/A:H")
		env = strings.NewReplacer("/CR:H", "", "/IR:H", "", "/AR:H", "").Replace(env)
		if env != c.vector {
			t.Errorf("%s: environment %q, want %q", c.name, env, c.vector)
		}
		if c.vector != "" && c.vector != "/MS:C" && c.vector != "/MI:L" && r.Score >= plain[0].Score {
			t.Errorf("%s: score %.1f, before %.1f", c.name, r.Score, plain[0].Score)
		}
		if h := r.Harms[0]; c.harm != "" && (h.Severity != c.harm || !strings.Contains(h.From, "XIT")) {
			t.Errorf("%s: harm %+v", c.name, h)
		}
	}
}

// What the facts show, an answer does not take away; it is told.
func TestAnswersAgainstFacts(t *testing.T) {
	t.Parallel()
	in := Input{Facts: set(daemon("telnetd", "telnet", 23, shell, anyone))}
	plain, _ := assess(t, in)
	for _, q := range []string{"XAVN, answer: no", "XAVP, answer: yes", "XPRL, answer: yes"} {
		answers, err := ReadAnswers("a.yaml", []byte("answers: [{question: "+q+", about: "+plain[0].ID+who+"}]"))
		if err != nil {
			t.Fatal(err)
		}
		in.Answers = answers
		risks, sum := assess(t, in)
		if risks[0].Vector != plain[0].Vector || len(sum.Contradictions) != 1 || !strings.Contains(sum.Contradictions[0], "telnetd (tcp/23)") {
			t.Errorf("%s: %s, contradictions %q", q, risks[0].Vector, sum.Contradictions)
		}
	}
}

// The template holds every question, fills in what the facts answer, and is read again.
func TestTemplate(t *testing.T) {
	t.Parallel()
	facts := set(daemon("telnetd", "telnet", 23, shell, anyone), account("root", 0, "default"),
		&fact.Interface{Base: seen("system"), What: "wifi", Name: "ward\n- question: XAVT", Enabled: fact.Say(true)})
	text := Template(facts, "2026-11-24")
	for _, q := range Questions() {
		if !strings.Contains(string(text), "question: "+q.ID+"\n") || !strings.Contains(string(text), q.Ask) {
			t.Errorf("%s is missing", q.ID)
		}
	}
	got, err := ReadAnswers("t.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	given := map[string]string{}
	for _, a := range got {
		given[a.Question] = a.Answer
	}
	if d := cmp.Diff(map[string]string{"XAVW": "yes", "XAVR": "yes"}, given); d != "" {
		t.Error(d)
	}
	for _, want := range []string{"The facts say of the device: yes, the network reaches telnetd (tcp/23)", "The facts say of the device: no, no login is asked for by telnetd", "known logins: root (password default)"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q", want)
		}
	}
}

// The questionnaire is whole: the ids are those of the calculators of the rubric.
func TestQuestions(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, q := range Questions() {
		if seen[q.ID] || !strings.HasSuffix(q.Ask, "?") || q.Topic == "" || (q.Kind == "harm") != (q.On != "") {
			t.Errorf("question %+v", q)
		}
		seen[q.ID] = true
	}
	want := strings.Fields("XAVN XAVT XAVW XAVR XAVP XAVPA XACL XPRL XPRZ XPRS XUI XS XCPM")
	for _, on := range "CIA" {
		for _, what := range "PDTWSO" {
			want = append(want, "X"+string(on)+string(what))
		}
	}
	for _, id := range want {
		if !seen[id] {
			t.Errorf("no question %s", id)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d questions, want %d", len(seen), len(want))
	}
}

func FuzzReadAnswers(f *testing.F) {
	f.Add([]byte("answers: [{question: XAVT, answer: no" + who + "}]"))
	f.Add(Template(set(daemon("telnetd", "telnet", 23, shell, anyone)), "2026-11-24"))
	facts := set(daemon("telnetd", "telnet", 23, shell, anyone))
	f.Fuzz(func(t *testing.T, data []byte) {
		answers, err := ReadAnswers("a.yaml", data)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("control characters in %q", err)
			}
			return
		}
		risks, sum := Assess(Input{Facts: facts, Answers: answers, At: day})
		for _, r := range risks {
			if err := Check(r, &sum.Matrix); err != nil {
				t.Error(err)
			}
		}
	})
}
