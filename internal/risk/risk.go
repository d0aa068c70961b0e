// Package risk says what findings and vulnerabilities mean for the patient, the data and
// the operation of a device: evidence, exploitability, exposure and harm, never a CVSS
// score alone. A [Risk] gives its reasons in words, and its numbers can be computed again
// from the dossier: see [Check].
//
// [Assess] makes the risks. Findings and vulnerabilities of one cause (an account, a
// service, a component) are one risk, led by the worst of them; weaknesses that are steps
// of one way in are one more, a chain, told as a path. A [Matrix] says how bad is too bad.
//
// It judges no fact: what is wrong, others have found.
package risk

import (
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// Input is what is assessed.
type Input struct {
	Facts    *fact.Set // linked, as the judge leaves them
	Findings []*judge.Finding
	Rules    map[string]*judge.Rule
	Matches  []advisory.Match
	Matrix   *Matrix  // nil: the default one
	Answers  []Answer // see [ReadAnswers]
	At       time.Time
}

// Risk is one way in which a device can come to harm.
type Risk struct {
	ID             string   `json:"id"` // a hash of its cause: the same after a rebuild
	Title          string   `json:"title"`
	Chain          string   `json:"chain,omitzero"`     // the pattern, where it is a chain
	PartOf         []string `json:"part_of,omitempty"`  // ids of the chains that its weaknesses are steps of
	Root           string   `json:"root,omitzero"`      // whose it is, as facts name it
	Findings       []string `json:"findings,omitempty"` // ids
	Matches        []string `json:"matches,omitempty"`  // advisory@component
	Path           []string `json:"path,omitempty"`     // of a chain: the steps of an attacker, in order
	Lead           string   `json:"lead"`               // the finding, match or chain that the numbers are of
	Confidence     string   `json:"confidence"`         // of the lead: high, medium, low
	Exploitability string   `json:"exploitability"`     // E1 to E5
	Factors        []Factor `json:"factors"`            // what Exploitability is the sum of
	Exposure       Exposure `json:"exposure"`
	Vector         string   `json:"vector,omitzero"` // CVSS with its environment
	Score          float64  `json:"score,omitzero"`  // of Vector
	Harms          []Harm   `json:"harms"`
	Level          string   `json:"level"`          // the worst of Harms, by the matrix in force
	After          string   `json:"after,omitzero"` // the level when what Measures name is done; empty where no measure is known
	Controls       string   `json:"controls,omitzero"`
	Interim        string   `json:"interim,omitzero"` // the level when only the hospital's controls are in place, by the vector Controls
	Gone           bool     `json:"gone,omitzero"`    // a control makes what is weak worthless
	Controlled     bool     `json:"controlled"`       // the risk to the patient as it is now, as the regulator uses the word
	Measures       []string `json:"measures,omitempty"`
	Priority       int      `json:"priority"`       // 1 is first
	First          string   `json:"first,omitzero"` // why it comes before others: known exploited ...
	Reasons        []string `json:"reasons"`
}

// Factor is one reason for the exploitability: the first gives where it starts, each
// further one moves it, and the sum is kept between 1 and 5.
type Factor struct {
	Why  string `json:"why"`
	Adds int    `json:"adds"`
}

// Exposure is how an attacker reaches what is weak, as far as the facts say.
type Exposure struct {
	Started       string   `json:"started,omitzero"`       // boot, on-demand, conditional, never; empty: unstated
	Network       string   `json:"network,omitzero"`       // network, adjacent, local, physical; empty: unstated
	Authenticated string   `json:"authenticated,omitzero"` // yes, no; empty: unstated
	Services      []string `json:"services,omitempty"`
}

// Harm is what can happen in one dimension.
type Harm struct {
	Dimension string `json:"dimension"` // patient-safety, privacy, operation, property, finance
	Severity  string `json:"severity"`  // S1 to S5
	From      string `json:"from"`      // what says so: the design, an answer, the default
	Level     string `json:"level"`
	After     string `json:"after,omitzero"`
}

// Dimensions of harm, in the order of reports. Property is what is secret or owned:
// know-how and credentials. Finance includes reputation.
func Dimensions() []string {
	return []string{"patient-safety", "privacy", "operation", "property", "finance"}
}

// Answer is what a person says of a question of the questionnaire, see [Questions].
type Answer struct {
	Question string `json:"question" yaml:"question"` // XAVN ...
	Answer   string `json:"answer" yaml:"answer"`
	About    string `json:"about,omitzero" yaml:"about,omitempty"` // the id of a risk, an advisory or a rule; empty: the device
	Who      string `json:"who" yaml:"who"`
	When     string `json:"when" yaml:"when"` // a day
	Why      string `json:"why,omitzero" yaml:"why,omitempty"`
}

// Summary is what was assessed, and what could not be.
type Summary struct {
	Matrix   Matrix         `json:"matrix"`            // in force
	Harms    []Harm         `json:"harms"`             // the worst the device can do, for each dimension, and who says so
	Levels   map[string]int `json:"levels"`            // risks by level; what is part of a chain is counted with it
	After    map[string]int `json:"after,omitempty"`   // the same when all measures are done
	Interim  map[string]int `json:"interim,omitempty"` // the same when only the hospital's controls are in place
	Chains   int            `json:"chains"`
	Parts    int            `json:"parts"`              // risks that are part of a chain
	Unknown  map[string]int `json:"unknown,omitempty"`  // findings without an answer, by severity: no risk was made of them
	Notes    int            `json:"notes,omitzero"`     // bad findings of severity info: no risk was made of them
	Unclear  int            `json:"unclear,omitzero"`   // vulnerabilities of which it is not known whether they concern the device
	Unjudged []string       `json:"unjudged,omitempty"` // what could not be judged, in words
	Assumed  []string       `json:"assumed,omitempty"`  // what was assumed, in words

	Contradictions []string `json:"contradictions,omitempty"` // answers that the facts show to be otherwise; they do not count
}
