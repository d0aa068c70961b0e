// Package judge asks the rules of the facts.
//
// A rule is data ([Rule]); package rulebook holds them. An answer is a [Finding]: bad with
// evidence, good where the witness could see and nothing was wrong, or unknown with what
// was missing. There is no fourth, and silence is never safety.
//
// Before the rules are asked, [Link] ties facts that speak of the same thing: a service to
// its program, settings, account, guards and component, a found port to the maker's list
// of ports, a found component to the declared one.
//
// Answers are given for each root file system, by its role: one bad finding for each fact,
// or one for a component or root where the rule says so; one unknown finding for all facts
// that stayed open, with the words of what was missing; one good finding with the number
// of facts that were looked at, and only where the kinds that the rule needs were seen
// fully and no gap could hide one. A gap that is a reservation does not count. A root that
// does not run (a data partition) has a good finding only where something was looked at.
//
// A [Policy] makes a verdict of findings and gaps.
//
// The package knows no image and no report.
package judge

import (
	"fmt"
	"slices"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Outcome is the answer to a rule.
type Outcome string

// The outcomes.
const (
	Bad     Outcome = "bad"
	Good    Outcome = "good"
	Unknown Outcome = "unknown"
)

// Finding is one answer: of one rule, about one fact (or one group of facts) of one root.
type Finding struct {
	// ID is a hash of rule, root and the fact's key: it holds no image name, offset, line
	// or time, so that decisions survive a rebuild.
	ID          string              `json:"id"`
	Rule        string              `json:"rule"`
	RuleVersion int                 `json:"rule_version"`
	Root        string              `json:"root,omitzero"`
	Kind        fact.Kind           `json:"kind"`          // of the facts it is about
	Keys        []string            `json:"keys,omitzero"` // their keys; none where the rule asks the device as a whole
	Title       string              `json:"title"`
	Outcome     Outcome             `json:"outcome"`
	Severity    string              `json:"severity"` // critical, high, medium, low, info
	Vector      string              `json:"vector"`
	CWE         []int               `json:"cwe,omitzero"`
	Maps        map[string][]string `json:"maps,omitzero"`
	Places      []fact.Place        `json:"places,omitzero"`
	Count       int                 `json:"count,omitzero"`    // facts it stands for: the bad ones, or for good the ones looked at
	Evidence    string              `json:"evidence,omitzero"` // what was seen, secrets masked
	Note        string              `json:"note,omitzero"`     // of unknown: the field that was missing, or the gap that hides the answer
	Confidence  string              `json:"confidence"`        // high, medium, low
	Sources     []fact.Source       `json:"sources,omitzero"`
}

// Rule is one question and all that is known about it.
//
// When and Evidence are CEL expressions. They read the asked fact under its kind's name
// with the field names of its JSON (secret.in is written secret.where, secret.for
// secret.opens); all facts of the same root as the lists devices, components, accounts,
// ... all_data ...; config["sshd"]["PermitRootLogin"], the effective settings of the root;
// and root, its role. A fact also has witness, confidence and paths, and ties to others:
// service.settings, .component, .account, .executable, .guards, .seen (of a declared port);
// executable.component, .service; script.component, .service; file.script, .executable; secret.account;
// destination.executable; setting.service;
// guard.service; endpoint.service; component.sbom (found, missing, declared, undeclared,
// version differs) and .sbom_version. Beside CEL's own functions and its string library
// there are versionLess(a, b), number(text), and unknown(words), an answer that stays open
// because what the words name is not stated.
//
// A field that is unstated is unknown, and so is a setting that is missing and a fact that
// a list could lack because it was not seen: false && unknown is false, the rest stays
// unknown. has(service.port) asks whether a field is stated, "Port" in service.settings
// whether a setting is.
type Rule struct {
	ID        string              `yaml:"id" json:"id"`
	Was       []string            `yaml:"was" json:"was,omitzero"` // earlier ids
	Title     string              `yaml:"title" json:"title"`
	Vector    string              `yaml:"vector" json:"vector"`
	Pillar    string              `yaml:"pillar" json:"pillar"`
	Ask       fact.Kind           `yaml:"ask" json:"ask"`
	Of        string              `yaml:"of" json:"of,omitzero"`       // whose facts: "" of what was found, declared of the design's and the claims', any
	Group     string              `yaml:"group" json:"group,omitzero"` // "", component, root: one finding for many facts
	When      string              `yaml:"when" json:"when"`
	Evidence  string              `yaml:"evidence" json:"evidence,omitzero"` // expression that gives the words of what was seen; a default is made where there is none
	Version   int                 `yaml:"version" json:"version"`
	Needs     []fact.Kind         `yaml:"needs" json:"needs"`
	Severity  string              `yaml:"severity" json:"severity"`
	CWE       []int               `yaml:"cwe" json:"cwe,omitzero"`
	Maps      map[string][]string `yaml:"maps" json:"maps"`
	Why       string              `yaml:"why" json:"why"`
	Recommend string              `yaml:"recommend" json:"recommend"`
	Remedy    []string            `yaml:"remedy" json:"remedy,omitzero"`
	Set       map[string]string   `yaml:"set" json:"set,omitzero"` // of set-setting: SUBJECT/KEY -> the value to write into the file; - takes the line out
	Human     string              `yaml:"human" json:"human,omitzero"` // why no mechanical fix, where Remedy is empty
	Control   []string            `yaml:"control" json:"control,omitzero"`

	// Checked spares [New] parsing and checking the expressions; nil where that was not
	// done before. It must be of this text.
	Checked *Checked `yaml:"-" json:"-"`
}

// Verdict is what a policy says of a device.
type Verdict struct {
	Policy     string   `json:"policy"`
	Outcome    string   `json:"outcome"` // accept, accept with conditions, reject
	Reasons    []string `json:"reasons,omitzero"`
	Conditions []string `json:"conditions,omitzero"` // named controls
}

// Input is what is judged.
type Input struct {
	Facts    *fact.Set // Judge links them
	Coverage []fact.Coverage
	Gaps     []fact.Gap
}

// Judge asks rules of facts. It is safe for concurrent use.
type Judge struct {
	view  *view
	rules []*compiled
}

// New compiles rules: at once those that are not yet [Checked]. The error names the rule.
func New(rules []*Rule) (*Judge, error) {
	w, err := newView()
	if err != nil {
		return nil, err
	}
	c, err := newCompiler(w)
	if err != nil {
		return nil, err
	}
	j := &Judge{view: w}
	ids := map[string]bool{}
	for _, r := range rules {
		if ids[r.ID] {
			return nil, fmt.Errorf("rule %q stands twice", r.ID)
		}
		ids[r.ID] = true
		if err := r.check(); err != nil {
			return nil, err
		}
		one, err := c.compile(r)
		if err != nil {
			return nil, err
		}
		j.rules = append(j.rules, one)
	}
	return j, nil
}

// Severities, worst first.
func Severities() []string { return []string{"critical", "high", "medium", "low", "info"} }

// Vectors, in the order of reports.
func Vectors() []string {
	return []string{"credentials", "api", "protocol", "firmware", "brute-force", "access", "input", "memory", "component", "process"}
}

func pillars() []string {
	return []string{"secure-defaults", "coding-practice", "authentication", "continuous-testing"}
}

// check holds the words of a rule against those that exist.
func (r *Rule) check() error {
	for _, c := range []struct {
		what, word string
		of         []string
	}{
		{"severity", r.Severity, Severities()},
		{"vector", r.Vector, Vectors()},
		{"pillar", r.Pillar, pillars()},
		{"group", r.Group, []string{"", "component", "root"}},
		{"of", r.Of, []string{"", "declared", "any"}},
	} {
		if !slices.Contains(c.of, c.word) {
			return fmt.Errorf("rule %q: %s %q is none of %q", r.ID, c.what, c.word, c.of)
		}
	}
	if r.Version < 1 {
		return fmt.Errorf("rule %q: version %d is no version", r.ID, r.Version)
	}
	for _, k := range append(slices.Clone(r.Needs), r.Ask) {
		if !slices.Contains(fact.Kinds(), k) {
			return fmt.Errorf("rule %q: there is no kind %q", r.ID, k)
		}
	}
	return nil
}
