// Package vex reads and writes what people state about vulnerabilities of a product:
// OpenVEX, CSAF VEX and CycloneDX VEX. [Statement] is the common form; a round trip
// keeps every statement.
//
// [Read] takes a document of any of the three, the Write functions give one. [Apply]
// holds statements against the matches of a device: a statement counts for the product,
// the version and the component that it names, and never for a vulnerability's number
// alone. What no form can say of a statement stands in the document as an extension of
// ours, which Read takes up again.
package vex

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// Statement is what one author states of one vulnerability in one component of a product.
type Statement struct {
	Vulnerability string          `json:"vulnerability"`
	Aliases       []string        `json:"aliases,omitempty"`
	Product       Ref             `json:"product,omitzero"`   // the device; empty: whatever is assessed
	Component     Ref             `json:"component,omitzero"` // what in it; empty: the product itself
	Status        advisory.Status `json:"status"`
	Justification string          `json:"justification,omitzero"` // of not_affected, in the words of OpenVEX
	Impact        string          `json:"impact,omitzero"`
	Action        string          `json:"action,omitzero"`
	Measures      []Measure       `json:"measures,omitempty"`
	Notes         string          `json:"notes,omitzero"`
	Said          string          `json:"said,omitzero"`     // the status in the form's own word, where that says more: false_positive, last_affected ...
	Because       string          `json:"because,omitzero"`  // the justification in the form's own word, likewise
	Quotes        string          `json:"quotes,omitzero"`   // who said so first, where the author passes it on
	Form          string          `json:"form,omitzero"`     // openvex, csaf, cyclonedx
	Document      string          `json:"document,omitzero"` // its id, or the file's name
	Author        string          `json:"author,omitzero"`
	At            time.Time       `json:"at,omitzero"`
	Effect        string          `json:"effect,omitzero"` // what became of it: see Apply
}

// Measure is something that can be done, or that nothing can. Kind is a category of CSAF
// (vendor_fix, mitigation, workaround, no_fix_planned, none_available) or a response of
// CycloneDX (can_not_fix, will_not_fix, update, rollback, workaround_available).
type Measure struct {
	Kind string `json:"kind"`
	Text string `json:"text,omitzero"`
	Link string `json:"link,omitzero"`
}

// Ref names a product or component by whatever the document gives.
type Ref struct {
	ID      string `json:"id,omitzero"`
	Vendor  string `json:"vendor,omitzero"`
	Name    string `json:"name,omitzero"`
	Version string `json:"version,omitzero"`
	Range   string `json:"range,omitzero"` // of versions, as the document writes it
	PURL    string `json:"purl,omitzero"`
	CPE     string `json:"cpe,omitzero"`
	Digest  string `json:"digest,omitzero"` // sha256:..., of lower-case hexadecimal digits
}

// The forms.
const (
	OpenVEX   = "openvex"
	CSAF      = "csaf"
	CycloneDX = "cyclonedx"
)

// Document is what a form says of itself.
type Document struct {
	ID      string // OpenVEX: an IRI; CSAF: any text; CycloneDX: a UUID, or urn:uuid: and one
	Title   string
	Author  string
	Role    string // in the words of CSAF: vendor, user, discoverer, coordinator, other
	URL     string // an address that is the author's own
	At      time.Time
	Tool    string // name and version of what wrote it
	Product Ref    // what most statements are about; CycloneDX names one
}

// What one document may hold.
const (
	maxBytes      = 64 << 20
	maxStatements = 200_000
	maxText       = 256 << 20 // bytes of all statements together: texts repeat for each product
	maxDepth      = 64
	maxRefs       = 500_000
)

// Read returns the statements of a document: OpenVEX, CSAF 2.0 or CycloneDX as JSON. name
// is the file's base name; errors begin with it. A document of these forms that states
// nothing gives an empty list.
func Read(name string, data []byte) ([]Statement, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%q: larger than %d MiB", name, maxBytes>>20)
	}
	var kind struct {
		Context   json.RawMessage `json:"@context"`
		BOMFormat string          `json:"bomFormat"`
		Document  struct {
			Version string `json:"csaf_version"`
		} `json:"document"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("%q: not a JSON document: %w", name, err)
	}
	r := reader{name: name}
	var err error
	switch {
	case kind.BOMFormat == "CycloneDX":
		err = r.cyclonedx(data)
	case kind.Document.Version != "":
		err = r.csaf(data)
	case strings.Contains(string(kind.Context), "openvex"):
		err = r.openvex(data)
	default:
		return nil, fmt.Errorf("%q: neither OpenVEX, CSAF nor CycloneDX as JSON", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return r.out, nil
}

// reader collects the statements of one document within the limits.
type reader struct {
	name string
	out  []Statement
	text int
	all  bool // take a statement as often as it is made
	seen map[string]bool
}

// add takes a statement, once.
func (r *reader) add(s Statement, extension *more) error {
	if s.Vulnerability == "" {
		return errors.New("a statement names no vulnerability")
	}
	switch s.Status {
	case advisory.Vulnerable, advisory.Fixed, advisory.NotThere, advisory.Unclear:
	default:
		return fmt.Errorf("%q: status %q is none of VEX", s.Vulnerability, s.Status)
	}
	s.Product, s.Component = complete(s.Product), complete(s.Component)
	extension.apply(&s)
	if s.Justification != "" && !slices.Contains(justifications, s.Justification) {
		return fmt.Errorf("%q: justification %q is none of VEX", s.Vulnerability, s.Justification)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("%q: %w", s.Vulnerability, err)
	}
	r.text += len(b)
	if r.text > maxText || len(r.out) >= maxStatements {
		return fmt.Errorf("more than %d statements, or %d MiB of them", maxStatements, maxText>>20)
	}
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	if r.all || !r.seen[string(b)] {
		r.seen[string(b)] = true
		r.out = append(r.out, s)
	}
	return nil
}

// justifications are the words of OpenVEX, which are the labels of CSAF's flags too.
var justifications = []string{
	"component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
	"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist",
}

// Justifications returns the words that a justification may be.
func Justifications() []string { return slices.Clone(justifications) }

// Do returns what can be done, in words, empty where nothing is stated.
func (s *Statement) Do() string {
	var words []string
	for _, t := range append([]string{s.Action}, s.measures()...) {
		if t != "" && !slices.Contains(words, t) {
			words = append(words, t)
		}
	}
	return strings.Join(words, " ")
}

func (s *Statement) measures() []string {
	var out []string
	for _, m := range s.Measures {
		text := m.Text
		if text == "" {
			text = map[string]string{
				"can_not_fix": "It cannot be fixed.", "will_not_fix": "It will not be fixed.", "no_fix_planned": "No fix is planned.", "none_available": "There is no fix.",
				"update": "Update.", "vendor_fix": "Update.", "rollback": "Go back to an earlier version.", "workaround_available": "There is a workaround.",
			}[m.Kind]
		}
		if m.Link != "" {
			text = strings.TrimSpace(text + " " + m.Link)
		}
		out = append(out, text)
	}
	return out
}

// more is what a form cannot say of a statement: an extension of ours within a document.
// It holds no status and no author, so that nothing speaks against what others read.
type more struct {
	Aliases       *[]string  `json:"aliases,omitempty"`
	Product       *Ref       `json:"product,omitempty"`
	Component     *Ref       `json:"component,omitempty"`
	Justification *string    `json:"justification,omitempty"`
	Impact        *string    `json:"impact,omitempty"`
	Action        *string    `json:"action,omitempty"`
	Measures      *[]Measure `json:"measures,omitempty"`
	Notes         *string    `json:"notes,omitempty"`
	Said          *string    `json:"said,omitempty"`
	Because       *string    `json:"because,omitempty"`
	Quotes        *string    `json:"quotes,omitempty"`
	At            *time.Time `json:"at,omitempty"`
}

// lacking returns what a reader of the form alone would miss of the statement, nil where
// that is nothing.
func lacking(want, got *Statement) *more {
	var m more
	some := false
	text := func(to **string, want, got string) {
		if want != got {
			*to, some = &want, true
		}
	}
	ref := func(to **Ref, want, got Ref) {
		if want != got {
			*to, some = &want, true
		}
	}
	if !slices.Equal(want.Aliases, got.Aliases) {
		list := append([]string{}, want.Aliases...)
		m.Aliases, some = &list, true
	}
	ref(&m.Product, want.Product, got.Product)
	ref(&m.Component, want.Component, got.Component)
	text(&m.Justification, want.Justification, got.Justification)
	text(&m.Impact, want.Impact, got.Impact)
	text(&m.Action, want.Action, got.Action)
	if !slices.Equal(want.Measures, got.Measures) {
		list := append([]Measure{}, want.Measures...)
		m.Measures, some = &list, true
	}
	text(&m.Notes, want.Notes, got.Notes)
	text(&m.Said, want.Said, got.Said)
	text(&m.Because, want.Because, got.Because)
	text(&m.Quotes, want.Quotes, got.Quotes)
	if !want.At.IsZero() && !want.At.Equal(got.At) {
		m.At, some = &want.At, true
	}
	if !some {
		return nil
	}
	return &m
}

func (m *more) apply(s *Statement) {
	if m == nil {
		return
	}
	set(&s.Aliases, m.Aliases)
	set(&s.Product, m.Product)
	set(&s.Component, m.Component)
	if s.Status == advisory.NotThere {
		set(&s.Justification, m.Justification)
	}
	set(&s.Impact, m.Impact)
	set(&s.Action, m.Action)
	set(&s.Measures, m.Measures)
	set(&s.Notes, m.Notes)
	set(&s.Said, m.Said)
	set(&s.Because, m.Because)
	set(&s.Quotes, m.Quotes)
	set(&s.At, m.At)
	if len(s.Aliases) == 0 {
		s.Aliases = nil
	}
	if len(s.Measures) == 0 {
		s.Measures = nil
	}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}
