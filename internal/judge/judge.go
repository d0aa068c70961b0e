// Package judge asks the rules of the facts.
//
// A rule is data ([Rule]); package rulebook holds them. An answer is a [Finding]: bad with
// evidence, good where the witness could see and nothing was wrong, or unknown with what
// was missing. There is no fourth, and silence is never safety.
//
// Before the rules are asked, [Link] ties facts that speak of the same thing: a service to
// its program, settings, account, guards and component, a firmware's service to the live
// port. A [Policy] makes a verdict of findings, claims and gaps.
//
// The package knows no image and no report.
package judge

import "github.com/vesalius-project/vesalius/internal/fact"

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
type Rule struct {
	ID        string              `yaml:"id" json:"id"`
	Was       []string            `yaml:"was" json:"was,omitzero"` // earlier ids
	Title     string              `yaml:"title" json:"title"`
	Vector    string              `yaml:"vector" json:"vector"`
	Pillar    string              `yaml:"pillar" json:"pillar"`
	Ask       fact.Kind           `yaml:"ask" json:"ask"`
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
	Human     string              `yaml:"human" json:"human,omitzero"` // why no mechanical fix, where Remedy is empty
	Control   []string            `yaml:"control" json:"control,omitzero"`
}

// Verdict is what a policy says of a device.
type Verdict struct {
	Policy     string   `json:"policy"`
	Outcome    string   `json:"outcome"` // accept, accept with conditions, reject
	Reasons    []string `json:"reasons,omitzero"`
	Conditions []string `json:"conditions,omitzero"` // named controls
}
