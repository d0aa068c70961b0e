// Package vex reads and writes what people state about vulnerabilities of a product:
// OpenVEX, CSAF VEX and CycloneDX VEX. [Statement] is the common form; a round trip
// keeps every statement.
package vex

import (
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
	Form          string          `json:"form,omitzero"`     // openvex, csaf, cyclonedx
	Document      string          `json:"document,omitzero"` // its id, or the file's name
	Author        string          `json:"author,omitzero"`
	At            time.Time       `json:"at,omitzero"`
}

// Ref names a product or component by whatever the document gives.
type Ref struct {
	ID      string `json:"id,omitzero"`
	Vendor  string `json:"vendor,omitzero"`
	Name    string `json:"name,omitzero"`
	Version string `json:"version,omitzero"`
	PURL    string `json:"purl,omitzero"`
	CPE     string `json:"cpe,omitzero"`
	Digest  string `json:"digest,omitzero"`
}
