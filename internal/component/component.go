// Package component says which software is in a tree of files: from package databases,
// language manifests, and signatures of binaries, merged so that one component is one
// line with all its places, its confidence and the reason.
package component

import "github.com/vesalius-project/vesalius/internal/image"

// Evidence is what one content shows of a component: a version text in a binary, a set of
// symbols, a build record. It depends on the bytes alone.
type Evidence struct {
	Name       string `json:"name"`              // component name
	Version    string `json:"version,omitempty"` // upstream version, empty where only the presence shows
	How        string `json:"how"`               // binary-string, symbols, soname, build-info ...
	Why        string `json:"why,omitempty"`     // in words, for people
	Confidence string `json:"confidence"`        // high, medium, low
	Offset     int64  `json:"offset,omitempty"`  // where in the content
	Own        bool   `json:"own,omitempty"`     // the binary is the component itself, not a user or carrier of it
}

// Hit is a literal of the matcher, by its index in [Matcher.Literals], that stands in a
// content at an offset.
type Hit struct {
	Literal int
	At      int64
}

// Matcher finds the evidence of all signatures in contents. It is safe for concurrent use.
type Matcher struct{}

// Literals returns what the matcher wants to be told of: whoever reads a content searches
// for them and gives Match the hits, so that a content is searched once for everything.
func (m *Matcher) Literals() []string { return nil }

// Match returns the evidence in a content, in a stable order. hits are in the order of
// their offsets.
func (m *Matcher) Match(b *image.Blob, hits []Hit) ([]Evidence, error) { return nil, nil }
