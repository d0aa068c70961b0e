// Package risk says what findings and vulnerabilities mean for the patient, the data and
// the operation of a device: evidence, exploitability, exposure and harm, never a CVSS
// score alone. A [Risk] gives its reasons in words, and its numbers can be computed again
// from the dossier.
//
// It judges no fact: what is wrong, others have found.
package risk

// Risk is one way in which a device can come to harm.
type Risk struct {
	ID             string   `json:"id"`
	Title          string   `json:"title"`
	Findings       []string `json:"findings,omitempty"` // ids
	Matches        []string `json:"matches,omitempty"`  // advisory@component
	Path           []string `json:"path,omitempty"`     // of a chain: the steps of an attacker, in order
	Exploitability string   `json:"exploitability"`     // E1 to E5
	Exposure       Exposure `json:"exposure"`
	Vector         string   `json:"vector,omitzero"` // CVSS with its environment
	Score          float64  `json:"score,omitzero"`  // of Vector
	Harms          []Harm   `json:"harms"`
	Level          string   `json:"level"`          // the worst of Harms, by the matrix in force
	After          string   `json:"after,omitzero"` // the level when what Measures name is done
	Controlled     bool     `json:"controlled"`     // the residual risk is, as the regulator uses the word
	Measures       []string `json:"measures,omitempty"`
	Priority       int      `json:"priority"`       // 1 is first
	First          string   `json:"first,omitzero"` // why it comes before others: known exploited ...
	Reasons        []string `json:"reasons"`
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
