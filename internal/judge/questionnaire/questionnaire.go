// Package questionnaire judges what a vendor's form claims.
//
// A form is data ([Form]): its items by their ids, with topics in our own words. An item
// that evidence can decide names its favourable answer and the rules that this answer
// asserts: rules of the rulebook, and those in checks/, which say what is inside. When one
// of them is bad the favourable answer is contradicted, when all are good (and what the
// item's confirm expression asks for is there) it is confirmed, else it is not shown. An
// unfavourable answer that the evidence betters is understated.
//
// The package reads no form that a vendor filled in: witness/claim does.
package questionnaire

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
)

// Form is one questionnaire.
type Form struct {
	ID        string     `yaml:"form"`
	Title     string     `yaml:"title"`
	Questions []Question `yaml:"questions"`

	by map[string]*Question
}

// Question is one item. It is checkable when it has rules.
type Question struct {
	ID      string   `yaml:"id"`      // as the form numbers it: SAHD-9
	Topic   string   `yaml:"topic"`   // our own words
	Answer  string   `yaml:"answer"`  // yes-no, text
	Favours string   `yaml:"favours"` // the answer that speaks for the device: yes, no
	Rules   []string `yaml:"rules"`   // what the favourable answer asserts: none of them is bad
	Confirm string   `yaml:"confirm"` // what must be there besides to confirm it
}

// Section is the part of the form that the item stands in: SAHD.
func (q *Question) Section() string {
	s, _, _ := strings.Cut(q.ID, "-")
	return s
}

// The verdicts.
const (
	Confirmed    = "confirmed"
	Contradicted = "contradicted"
	Understated  = "understated" // the evidence is better than the answer
	NotShown     = "not shown"
	NotCheckable = "not checkable" // no evidence of ours can decide the item
)

// Verdict is what the evidence says of one answer.
type Verdict struct {
	Form, Question, Answer string
	Verdict                string
	Because                string   // in words, with the first places
	Findings               []string // ids of the findings that decide
}

//go:embed mds2-2019.yaml
var mds2 []byte

//go:embed checks.json
var checks []byte

// MDS2 is the form of 2019.
func MDS2() (*Form, error) {
	f := &Form{}
	d := yaml.NewDecoder(bytes.NewReader(mds2))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("mds2-2019.yaml: %w", err)
	}
	f.by = map[string]*Question{}
	for i := range f.Questions {
		f.by[f.Questions[i].ID] = &f.Questions[i]
	}
	return f, nil
}

// Find gives the item of an id, nil where the form has none.
func (f *Form) Find(id string) *Question { return f.by[id] }

// Checks are the rules of the claims' own, beside the rulebook's.
func Checks() ([]*judge.Rule, error) {
	rules, err := rulebook.Unpack(checks)
	if err != nil {
		return nil, fmt.Errorf("checks.json: %w", err)
	}
	return rules, nil
}

// CheckDir runs the tests of the rules in checks/.
func CheckDir(dir fs.FS) []error { return rulebook.Check(dir) }

// Judge says of each answer to a form of 2019 among the facts whether the evidence bears
// it, in the form's order, and writes the verdict into the claim facts. rules are the
// rulebook's. Facts without answers cost nothing.
func Judge(rules []*judge.Rule, in judge.Input) ([]Verdict, error) {
	if in.Facts == nil || len(in.Facts.Claim) == 0 {
		return nil, nil
	}
	f, err := MDS2()
	if err != nil {
		return nil, err
	}
	var asked []*Question
	for _, c := range in.Facts.Claim {
		if q := f.find(c); q != nil && len(q.Rules) > 0 && !slices.Contains(asked, q) {
			asked = append(asked, q)
		}
	}
	e, err := see(asked, rules, in)
	if err != nil {
		return nil, err
	}
	var out []Verdict
	for _, c := range in.Facts.Claim {
		q := f.find(c)
		if q == nil || len(q.Rules) == 0 {
			c.Verdict, c.Because = NotCheckable, ""
			continue
		}
		v := e.judge(q, c.Answer)
		v.Form = c.Form
		c.Verdict, c.Because = v.Verdict, v.Because
		out = append(out, v)
	}
	slices.SortStableFunc(out, func(a, b Verdict) int { return f.index(a.Question) - f.index(b.Question) })
	return out, nil
}

// Draft answers every checkable item by the evidence alone, in the form's order: the
// verdict is confirmed of the answer that the evidence bears, and not shown of the others,
// whose answer is empty.
func Draft(f *Form, rules []*judge.Rule, in judge.Input) ([]Verdict, error) {
	var asked []*Question
	for i := range f.Questions {
		if len(f.Questions[i].Rules) > 0 {
			asked = append(asked, &f.Questions[i])
		}
	}
	e, err := see(asked, rules, in)
	if err != nil {
		return nil, err
	}
	var out []Verdict
	for _, q := range asked {
		v := e.judge(q, q.Favours)
		v.Form = f.ID
		switch v.Verdict {
		case Confirmed:
		case Contradicted:
			v.Verdict, v.Answer = Confirmed, other(q.Favours)
		default:
			v.Answer = ""
		}
		out = append(out, v)
	}
	return out, nil
}

func (f *Form) find(c *fact.Claim) *Question {
	if c.Form != f.ID {
		return nil
	}
	return f.by[c.Question]
}

func (f *Form) index(id string) int {
	return slices.IndexFunc(f.Questions, func(q Question) bool { return q.ID == id })
}

func other(answer string) string {
	if answer == "yes" {
		return "no"
	}
	return "yes"
}

// evidence is what the rules of the items found.
type evidence struct {
	by      map[string][]judge.Finding // rule
	confirm map[string]bool            // items whose confirm expression holds
}

const confirming = "confirm."

// see asks the rules of the items.
func see(asked []*Question, rules []*judge.Rule, in judge.Input) (*evidence, error) {
	own, err := Checks()
	if err != nil {
		return nil, err
	}
	known := map[string]*judge.Rule{}
	for _, r := range slices.Concat(own, rules) {
		known[r.ID] = r
	}
	var list []*judge.Rule
	for _, q := range asked {
		for _, id := range q.Rules {
			r := known[id]
			if r == nil {
				return nil, fmt.Errorf("%s: there is no rule %q", q.ID, id)
			}
			if !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
		if q.Confirm != "" {
			list = append(list, &judge.Rule{
				ID: confirming + q.ID, Title: q.Topic, Vector: "process", Pillar: "continuous-testing", Ask: fact.KindDevice,
				When: q.Confirm, Version: 1, Severity: "info",
			})
		}
	}
	j, err := judge.New(list)
	if err != nil {
		return nil, err
	}
	findings, err := j.Judge(in)
	if err != nil {
		return nil, err
	}
	e := &evidence{by: map[string][]judge.Finding{}, confirm: map[string]bool{}}
	for _, f := range findings {
		if id, ok := strings.CutPrefix(f.Rule, confirming); ok {
			e.confirm[id] = f.Outcome == judge.Bad // the expression is true
			continue
		}
		e.by[f.Rule] = append(e.by[f.Rule], f)
	}
	return e, nil
}

// judge weighs one answer.
func (e *evidence) judge(q *Question, answer string) Verdict {
	v := Verdict{Question: q.ID, Answer: answer}
	var bad, open []judge.Finding
	answered := true
	for _, id := range q.Rules {
		if len(e.by[id]) == 0 {
			answered = false
		}
		for _, f := range e.by[id] {
			switch f.Outcome {
			case judge.Bad:
				bad = append(bad, f)
			case judge.Unknown:
				open = append(open, f)
			case judge.Good:
			}
		}
	}
	good := answered && len(bad) == 0 && len(open) == 0 && (q.Confirm == "" || e.confirm[q.ID])
	favourable := answer == q.Favours
	stated := answer == "yes" || answer == "no"
	switch {
	case len(bad) > 0 && (favourable || answer == "na"):
		v.Verdict = Contradicted
	case len(bad) > 0 && stated:
		v.Verdict = Confirmed
	case good && favourable:
		v.Verdict = Confirmed
	case good && stated:
		v.Verdict = Understated
	default:
		v.Verdict = NotShown
	}
	switch {
	case len(bad) > 0:
		v.Because = told(bad)
		for _, f := range bad {
			v.Findings = append(v.Findings, f.ID)
		}
		slices.Sort(v.Findings)
		v.Findings = slices.Compact(v.Findings)
	case !stated && answer != "na":
		v.Because = "the answer is neither yes nor no"
	case good:
		v.Because = "looked for and not found: " + wrong(q, e)
	case len(open) > 0:
		v.Because = "open: " + notes(open)
	case q.Confirm != "" && !e.confirm[q.ID]:
		v.Because = "nothing was seen that the answer could be shown on"
	default:
		v.Because = "no witness could see it"
	}
	return v
}

// told names what was found: title, evidence and first place, of three at most.
func told(bad []judge.Finding) string {
	var out []string
	for _, f := range bad {
		if len(out) == 3 {
			out = append(out, fmt.Sprintf("and %d more", len(bad)-3))
			break
		}
		w := lower(f.Title)
		if f.Evidence != "" {
			w += " (" + f.Evidence + ")"
		}
		if len(f.Places) > 0 {
			w += " at " + f.Places[0].String()
		}
		out = append(out, w)
	}
	return strings.Join(out, "; ")
}

// wrong names what would have spoken against the favourable answer.
func wrong(q *Question, e *evidence) string {
	var out []string
	for _, id := range q.Rules {
		out = append(out, lower(e.by[id][0].Title))
	}
	return strings.Join(out, "; ")
}

func notes(open []judge.Finding) string {
	var out []string
	for _, f := range open {
		if f.Note != "" && !slices.Contains(out, f.Note) && len(out) < 3 {
			out = append(out, f.Note)
		}
	}
	return strings.Join(out, "; ")
}

// lower begins a title in lower case, unless its first word is a name such as Wi-Fi or FTP.
func lower(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if first == "" || strings.ContainsFunc(first[1:], func(r rune) bool { return r < 'a' || r > 'z' }) || slices.Contains([]string{"Telnet", "Bluetooth"}, first) {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
