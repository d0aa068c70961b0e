package vex

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// OpenVEX is version 0.2.0; the plain texts that 0.0 had for vulnerabilities and products
// are read as well.
type openvex struct {
	Context    string             `json:"@context"`
	ID         string             `json:"@id"`
	Author     string             `json:"author"`
	Role       string             `json:"role,omitempty"`
	Timestamp  string             `json:"timestamp"`
	Updated    string             `json:"last_updated,omitempty"`
	Version    json.RawMessage    `json:"version"` // a number; 0.0 had texts
	Tooling    string             `json:"tooling,omitempty"`
	Statements []openvexStatement `json:"statements"`
}

type openvexStatement struct {
	Vulnerability openvexVulnerability `json:"vulnerability"`
	Timestamp     string               `json:"timestamp,omitempty"`
	Updated       string               `json:"last_updated,omitempty"`
	Products      []openvexProduct     `json:"products,omitempty"`
	Subcomponents []openvexProduct     `json:"subcomponents,omitempty"` // 0.0
	Status        advisory.Status      `json:"status"`
	Notes         string               `json:"status_notes,omitempty"`
	Justification string               `json:"justification,omitempty"`
	Impact        string               `json:"impact_statement,omitempty"`
	Action        string               `json:"action_statement,omitempty"`
}

type openvexVulnerability struct {
	ID      string   `json:"@id,omitempty"`
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
}

// UnmarshalJSON takes the plain text of 0.0 too.
func (v *openvexVulnerability) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		return json.Unmarshal(b, &v.Name)
	}
	type plain openvexVulnerability
	return json.Unmarshal(b, (*plain)(v))
}

type openvexProduct struct {
	ID            string             `json:"@id,omitempty"`
	Identifiers   openvexIdentifiers `json:"identifiers,omitzero"`
	Hashes        map[string]string  `json:"hashes,omitempty"`
	Subcomponents []openvexProduct   `json:"subcomponents,omitempty"`
}

type openvexIdentifiers struct {
	PURL  string `json:"purl,omitempty"`
	CPE22 string `json:"cpe22,omitempty"`
	CPE23 string `json:"cpe23,omitempty"`
	Other string `json:"@cpe23,omitempty"` // as the schema has it, and the specification has not
}

// UnmarshalJSON takes the plain text of 0.0 too.
func (p *openvexProduct) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		return json.Unmarshal(b, &p.ID)
	}
	type plain openvexProduct
	return json.Unmarshal(b, (*plain)(p))
}

func (p *openvexProduct) ref() Ref {
	r := Ref{ID: p.ID, PURL: p.Identifiers.PURL, CPE: cmp.Or(p.Identifiers.CPE23, p.Identifiers.Other, p.Identifiers.CPE22)}
	for _, name := range []string{"sha-256", "sha-512", "sha-384", "sha-1", "sha1", "md5"} {
		if h := p.Hashes[name]; h != "" {
			r.Digest = strings.ReplaceAll(name, "-", "") + ":" + strings.ToLower(h)
			break
		}
	}
	return r
}

// What stands in a document where the standard wants words and the author has none.
const (
	noReason = "No reason is stated."
	noAction = "No action is stated."
)

// extended begins the extension of ours in notes.
const extended = "vesalius: "

func (r *reader) openvex(data []byte) error {
	var doc openvex
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("OpenVEX: %w", err)
	}
	at, err := moment(doc.Updated, doc.Timestamp)
	if err != nil {
		return fmt.Errorf("OpenVEX: %w", err)
	}
	for i := range doc.Statements {
		o := &doc.Statements[i]
		s := Statement{
			Vulnerability: cmp.Or(o.Vulnerability.Name, o.Vulnerability.ID), Aliases: o.Vulnerability.Aliases, Status: o.Status, Justification: o.Justification,
			Impact: o.Impact, Action: o.Action, Notes: o.Notes, Form: OpenVEX, Document: cmp.Or(doc.ID, r.name), Author: doc.Author, At: at,
		}
		if len(s.Aliases) == 0 {
			s.Aliases = nil
		}
		if t, err := moment(o.Updated, o.Timestamp); err != nil {
			return fmt.Errorf("OpenVEX: statement %d: %w", i+1, err)
		} else if !t.IsZero() {
			s.At = t
		}
		if s.Impact == noReason {
			s.Impact = ""
		}
		if s.Action == noAction {
			s.Action = ""
		}
		var m *more
		if at := strings.LastIndex(s.Notes, extended); at >= 0 && (at == 0 || s.Notes[at-1] == '\n') {
			if err := json.Unmarshal([]byte(s.Notes[at+len(extended):]), &m); err != nil {
				return fmt.Errorf("OpenVEX: statement %d: the extension in its notes: %w", i+1, err)
			}
			s.Notes = strings.TrimRight(s.Notes[:at], "\n")
		}
		if len(o.Products) == 0 {
			o.Products = []openvexProduct{{}}
		}
		for _, p := range o.Products {
			s.Product = p.ref()
			parts := slices.Concat(p.Subcomponents, o.Subcomponents)
			if len(parts) == 0 {
				parts = []openvexProduct{{}}
			}
			for _, c := range parts {
				s.Component = c.ref()
				if err := r.add(s, m); err != nil {
					return fmt.Errorf("OpenVEX: statement %d: %w", i+1, err)
				}
			}
		}
	}
	return nil
}

// moment returns the first time that is stated, in UTC, and zero where none is.
func moment(list ...string) (time.Time, error) {
	for _, s := range list {
		if s == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return t, fmt.Errorf("time %q is none of RFC 3339", s)
		}
		return t.UTC(), nil
	}
	return time.Time{}, nil
}

// stamp writes a time as the forms want it; without a date it is that of the document.
func stamp(t, document time.Time) string {
	if t.IsZero() {
		t = document
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// WriteOpenVEX writes statements as one document of OpenVEX 0.2.0. An OpenVEX document has
// one author: what another said is passed on as a quotation.
func WriteOpenVEX(w io.Writer, d Document, list []Statement) error {
	if d.ID == "" || d.Author == "" {
		return errors.New("OpenVEX: a document needs an id and an author")
	}
	list = quoted(d, list)
	doc := openvex{
		Context: "https://openvex.dev/ns/v0.2.0", ID: d.ID, Author: d.Author, Role: d.Role, Timestamp: stamp(d.At, d.At), Version: json.RawMessage("1"), Tooling: d.Tool,
		Statements: []openvexStatement{},
	}
	for i := range list {
		s := &list[i]
		o := openvexStatement{
			Vulnerability: openvexVulnerability{Name: s.Vulnerability, Aliases: s.Aliases}, Status: s.Status, Notes: s.Notes,
		}
		if !s.At.IsZero() && !s.At.Equal(d.At) {
			o.Timestamp = stamp(s.At, d.At)
		}
		// The standard has the justification for what is not affected alone, and beside it
		// no further words; it has the action for what is affected alone.
		switch s.Status {
		case advisory.NotThere:
			o.Justification = s.Justification
			if o.Justification == "" {
				o.Impact = cmp.Or(s.Impact, noReason)
			} else if o.Notes == "" {
				o.Notes = s.Impact
			}
		case advisory.Vulnerable:
			o.Action = cmp.Or(s.Action, s.Do(), noAction)
		case advisory.Fixed, advisory.Unclear:
		}
		p := openvexProductOf(s.Product)
		if s.Component != (Ref{}) {
			p.Subcomponents = []openvexProduct{openvexProductOf(s.Component)}
		}
		if s.Product != (Ref{}) || s.Component != (Ref{}) {
			o.Products = []openvexProduct{p}
		}
		doc.Statements = append(doc.Statements, o)
	}
	return extend("OpenVEX", w, list, &doc, (*reader).openvex, func(i int, m string) {
		o := &doc.Statements[i]
		o.Notes = strings.TrimLeft(o.Notes+"\n\n"+extended+m, "\n")
	}, nil)
}

func openvexProductOf(r Ref) openvexProduct {
	if r == (Ref{}) {
		return openvexProduct{}
	}
	p := openvexProduct{Identifiers: openvexIdentifiers{PURL: r.PURL}}
	if strings.HasPrefix(r.CPE, "cpe:2.3:") {
		p.Identifiers.CPE23 = r.CPE
	} else {
		p.Identifiers.CPE22 = r.CPE
	}
	name, value, _ := strings.Cut(r.Digest, ":")
	if name = map[string]string{"sha256": "sha-256", "sha384": "sha-384", "sha512": "sha-512", "sha1": "sha1", "md5": "md5"}[name]; name != "" {
		p.Hashes = map[string]string{name: value}
	}
	// An id is an IRI.
	switch scheme, rest, ok := strings.Cut(r.ID, ":"); {
	case ok && rest != "" && strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == "" && scheme != "" && !strings.ContainsAny(rest, " <>\"{}|\\^`"):
		p.ID = r.ID
	case r.PURL != "":
		p.ID = r.PURL
	default:
		p.ID = Generic(r)
	}
	return p
}

// quoted returns the statements as the document's author states them: what others said
// is marked as theirs.
func quoted(d Document, list []Statement) []Statement {
	list = slices.Clone(list)
	for i := range list {
		s := &list[i]
		s.Effect = ""
		if s.Author != "" && s.Author != d.Author && s.Quotes == "" {
			s.Quotes = s.Author
			if s.Document != "" {
				s.Quotes += ", " + s.Document
			}
		}
	}
	return list
}

// extend writes a document with what a reader of the form alone would miss: it reads the
// document as it stands, has what is lacking of each statement put where the form has
// room for it, and calls done.
func extend(form string, w io.Writer, list []Statement, doc any, read func(*reader, []byte) error, put func(i int, m string), done func() error) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("%s: %w", form, err)
	}
	r := reader{all: true}
	if err := read(&r, b); err != nil {
		return err
	}
	if len(r.out) != len(list) {
		return fmt.Errorf("%s: %d statements became %d", form, len(list), len(r.out))
	}
	for i := range list {
		m := lacking(&list[i], &r.out[i])
		if m == nil {
			continue
		}
		b, err := encode(m, "")
		if err != nil {
			return fmt.Errorf("%s: %w", form, err)
		}
		put(i, strings.TrimSpace(string(b)))
	}
	if done != nil {
		if err := done(); err != nil {
			return fmt.Errorf("%s: %w", form, err)
		}
	}
	b, err = encode(doc, "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", form, err)
	}
	_, err = w.Write(b)
	return err
}

func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return b.Bytes(), err
}
