package vex

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// CycloneDX is JSON of version 1.4 to 1.7; 1.6 is written.
type cyclonedx struct {
	Schema          string                   `json:"$schema,omitempty"`
	Format          string                   `json:"bomFormat"`
	Version         string                   `json:"specVersion"`
	Serial          string                   `json:"serialNumber,omitempty"`
	Number          int                      `json:"version"`
	Metadata        cyclonedxMetadata        `json:"metadata,omitzero"`
	Components      []cyclonedxComponent     `json:"components,omitempty"`
	Vulnerabilities []cyclonedxVulnerability `json:"vulnerabilities,omitempty"`
}

type cyclonedxMetadata struct {
	Timestamp    string              `json:"timestamp,omitempty"`
	Tools        json.RawMessage     `json:"tools,omitempty"`
	Authors      []cyclonedxParty    `json:"authors,omitempty"`
	Component    *cyclonedxComponent `json:"component,omitempty"`
	Manufacturer *cyclonedxParty     `json:"manufacturer,omitempty"`
	Manufacture  *cyclonedxParty     `json:"manufacture,omitempty"` // before 1.6
	Supplier     *cyclonedxParty     `json:"supplier,omitempty"`
}

type cyclonedxParty struct {
	Name string `json:"name,omitempty"`
}

type cyclonedxComponent struct {
	Type       string               `json:"type"`
	Ref        string               `json:"bom-ref,omitempty"`
	Supplier   *cyclonedxParty      `json:"supplier,omitempty"`
	Publisher  string               `json:"publisher,omitempty"`
	Name       string               `json:"name"`
	Version    string               `json:"version,omitempty"`
	Hashes     []cyclonedxHash      `json:"hashes,omitempty"`
	CPE        string               `json:"cpe,omitempty"`
	PURL       string               `json:"purl,omitempty"`
	Components []cyclonedxComponent `json:"components,omitempty"`
}

type cyclonedxHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type cyclonedxVulnerability struct {
	ID             string               `json:"id,omitempty"`
	References     []cyclonedxReference `json:"references,omitempty"`
	Recommendation string               `json:"recommendation,omitempty"`
	Workaround     string               `json:"workaround,omitempty"`
	Analysis       *cyclonedxAnalysis   `json:"analysis,omitempty"`
	Affects        []cyclonedxAffects   `json:"affects,omitempty"`
	Properties     []cyclonedxProperty  `json:"properties,omitempty"`
}

type cyclonedxReference struct {
	ID     string         `json:"id"`
	Source cyclonedxParty `json:"source"`
}

type cyclonedxAnalysis struct {
	State         string   `json:"state,omitempty"`
	Justification string   `json:"justification,omitempty"`
	Response      []string `json:"response,omitempty"`
	Detail        string   `json:"detail,omitempty"`
	First         string   `json:"firstIssued,omitempty"` // both since 1.5
	Last          string   `json:"lastUpdated,omitempty"`
}

type cyclonedxAffects struct {
	Ref      string             `json:"ref"`
	Versions []cyclonedxVersion `json:"versions,omitempty"`
}

type cyclonedxVersion struct {
	Version string `json:"version,omitempty"`
	Range   string `json:"range,omitempty"`
	Status  string `json:"status,omitempty"` // affected, unaffected, unknown
}

type cyclonedxProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// cyclonedxStates gives the states in the words of VEX.
var cyclonedxStates = map[string]advisory.Status{
	"exploitable": advisory.Vulnerable, "in_triage": advisory.Unclear, "resolved": advisory.Fixed, "resolved_with_pedigree": advisory.Fixed,
	"not_affected": advisory.NotThere, "false_positive": advisory.NotThere,
}

// cyclonedxState is the state that is written for a status.
func cyclonedxState(s *Statement) string {
	if cyclonedxStates[s.Said] == s.Status && s.Said != "" {
		return s.Said
	}
	switch s.Status {
	case advisory.Vulnerable:
		return "exploitable"
	case advisory.Fixed:
		return "resolved"
	case advisory.NotThere:
		return "not_affected"
	case advisory.Unclear:
	}
	return "in_triage"
}

// cyclonedxReasons gives the justifications of CycloneDX in the words of OpenVEX, which
// are fewer. The word itself is kept: a protection outside of the device, for one, is no
// mitigation inside it.
var cyclonedxReasons = map[string]string{
	"code_not_present":                "vulnerable_code_not_present",
	"code_not_reachable":              "vulnerable_code_not_in_execute_path",
	"requires_configuration":          "vulnerable_code_cannot_be_controlled_by_adversary",
	"requires_dependency":             "vulnerable_code_cannot_be_controlled_by_adversary",
	"requires_environment":            "vulnerable_code_cannot_be_controlled_by_adversary",
	"protected_by_compiler":           "inline_mitigations_already_exist",
	"protected_at_runtime":            "inline_mitigations_already_exist",
	"protected_at_perimeter":          "inline_mitigations_already_exist",
	"protected_by_mitigating_control": "inline_mitigations_already_exist",
}

// cyclonedxReason is the justification that is written for a statement.
func cyclonedxReason(s *Statement) string {
	if word, ok := cyclonedxReasons[s.Because]; ok && word == s.Justification {
		return s.Because
	}
	return CycloneDXReason(s.Justification)
}

// CycloneDXReason gives a justification of OpenVEX in the words of CycloneDX, "" where it
// is none.
func CycloneDXReason(justification string) string {
	switch justification {
	case "component_not_present", "vulnerable_code_not_present":
		return "code_not_present"
	case "vulnerable_code_not_in_execute_path":
		return "code_not_reachable"
	case "vulnerable_code_cannot_be_controlled_by_adversary":
		return "requires_environment"
	case "inline_mitigations_already_exist":
		return "protected_by_mitigating_control"
	}
	return ""
}

func (c *cyclonedxComponent) ref() Ref {
	r := Ref{ID: c.Ref, Name: c.Name, Version: c.Version, PURL: c.PURL, CPE: c.CPE, Vendor: c.Publisher}
	if c.Supplier != nil && c.Supplier.Name != "" {
		r.Vendor = c.Supplier.Name
	}
	for _, h := range c.Hashes {
		if r.Digest == "" || h.Algorithm == "SHA-256" {
			r.Digest = strings.ToLower(strings.ReplaceAll(h.Algorithm, "-", "") + ":" + h.Content)
		}
	}
	if strings.HasPrefix(c.Ref, csafOurs) {
		r.ID = ""
	}
	return r
}

// response gives what can be done in the words of CycloneDX.
func response(kind string) string {
	switch kind {
	case "can_not_fix", "will_not_fix", "update", "rollback", "workaround_available":
		return kind
	case "vendor_fix":
		return "update"
	case "workaround", "mitigation":
		return "workaround_available"
	case "no_fix_planned":
		return "will_not_fix"
	case "none_available":
		return "can_not_fix"
	}
	return ""
}

// bomLink takes apart urn:cdx:SERIAL/VERSION#REF.
var bomLink = regexp.MustCompile(`^urn:cdx:([0-9a-fA-F-]{36})/([1-9][0-9]*)#(.+)$`)

func (r *reader) cyclonedx(data []byte) error {
	var doc cyclonedx
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("CycloneDX: %w", err)
	}
	if !slices.Contains([]string{"1.4", "1.5", "1.6", "1.7"}, doc.Version) {
		return fmt.Errorf("CycloneDX: version %q is none of 1.4 to 1.7", doc.Version)
	}
	common := Statement{Form: CycloneDX, Document: cmp.Or(doc.Serial, r.name), Author: doc.author()}
	at, err := moment(doc.Metadata.Timestamp)
	if err != nil {
		return fmt.Errorf("CycloneDX: %w", err)
	}
	parts := map[string]Ref{}
	if err := cyclonedxParts(doc.Components, parts, 0); err != nil {
		return fmt.Errorf("CycloneDX: %w", err)
	}
	product := ""
	if c := doc.Metadata.Component; c != nil {
		common.Product, product = c.ref(), c.Ref
		if err := cyclonedxParts(c.Components, parts, 0); err != nil {
			return fmt.Errorf("CycloneDX: %w", err)
		}
	}
	for i := range doc.Vulnerabilities {
		v := &doc.Vulnerabilities[i]
		if v.Analysis == nil || v.Analysis.State == "" {
			continue // an advisory, and no statement about this product
		}
		s := common
		s.At = at
		var m *more
		if m, err = v.into(&s); err != nil {
			return fmt.Errorf("CycloneDX: vulnerability %d: %w", i+1, err)
		}
		for _, a := range v.Affects {
			s.Component = Ref{}
			ref := a.Ref
			if l := bomLink.FindStringSubmatch(ref); l != nil && strings.EqualFold("urn:uuid:"+l[1], doc.Serial) && l[2] == strconv.Itoa(doc.Number) {
				ref = unescape(l[3])
			}
			switch c, ok := parts[ref]; {
			case ref == product && product != "":
			case ok:
				s.Component = c
			case bomLink.MatchString(ref):
				s.Component = linked(ref)
			default:
				return fmt.Errorf("CycloneDX: vulnerability %d: %q is not in the document", i+1, a.Ref)
			}
			for _, one := range versions(s, a.Versions) {
				if err := r.add(one, m); err != nil {
					return fmt.Errorf("CycloneDX: vulnerability %d: %w", i+1, err)
				}
			}
		}
		if len(v.Affects) == 0 {
			if err := r.add(s, m); err != nil {
				return fmt.Errorf("CycloneDX: vulnerability %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// into puts what is said of the vulnerability into a statement, and returns the extension.
func (v *cyclonedxVulnerability) into(s *Statement) (*more, error) {
	var ok bool
	if s.Status, ok = cyclonedxStates[v.Analysis.State]; !ok {
		return nil, fmt.Errorf("state %q is none of CycloneDX", v.Analysis.State)
	}
	s.Vulnerability = v.ID
	for _, ref := range v.References {
		if ref.ID != v.ID && !slices.Contains(s.Aliases, ref.ID) && ref.ID != "" {
			s.Aliases = append(slices.Clip(s.Aliases), ref.ID)
		}
	}
	if v.Analysis.State == "resolved_with_pedigree" || v.Analysis.State == "false_positive" {
		s.Said = v.Analysis.State
	}
	if j := v.Analysis.Justification; j != "" && s.Status == advisory.NotThere {
		if s.Justification, ok = cyclonedxReasons[j]; !ok {
			return nil, fmt.Errorf("justification %q is none of CycloneDX", j)
		}
		s.Because = j
	}
	s.Impact, s.Action = v.Analysis.Detail, v.Recommendation
	if s.Status != advisory.NotThere {
		s.Impact, s.Notes = "", v.Analysis.Detail
	}
	s.Measures = nil
	for _, kind := range v.Analysis.Response {
		s.Measures = append(s.Measures, Measure{Kind: kind})
	}
	if v.Workaround != "" {
		s.Measures = append(s.Measures, Measure{Kind: "workaround", Text: v.Workaround})
	}
	if t, err := moment(v.Analysis.Last, v.Analysis.First); err != nil {
		return nil, err
	} else if !t.IsZero() {
		s.At = t
	}
	for _, p := range v.Properties {
		if p.Name == csafOurs+"statement" {
			var m *more
			if err := json.Unmarshal([]byte(p.Value), &m); err != nil {
				return nil, fmt.Errorf("the extension in its properties: %w", err)
			}
			return m, nil
		}
	}
	return nil, nil
}

// versions makes of a statement one for each version that is named beside the component:
// what is unaffected is so whatever the analysis says of the others.
func versions(s Statement, list []cyclonedxVersion) []Statement {
	if len(list) == 0 {
		return []Statement{s}
	}
	out := make([]Statement, len(list))
	for i, v := range list {
		one := s
		r := &one.Component
		if *r == (Ref{}) {
			r = &one.Product
		}
		r.Version, r.Range = cmp.Or(v.Version, r.Version), v.Range
		if v.Range != "" {
			r.Version = ""
		}
		switch {
		case v.Status == "unaffected" && s.Status != advisory.NotThere && s.Status != advisory.Fixed:
			one.Status, one.Said, one.Action, one.Measures = advisory.NotThere, "", "", nil
		case v.Status == "unknown" && s.Status == advisory.Vulnerable:
			one.Status = advisory.Unclear
		}
		out[i] = one
	}
	return out
}

// linked names a component of another bill of materials by what its reference says.
func linked(link string) Ref {
	r := Ref{ID: link}
	l := bomLink.FindStringSubmatch(link)
	if ref := unescape(l[3]); strings.HasPrefix(ref, "pkg:") {
		r.PURL = ref
	}
	return r
}

func cyclonedxParts(list []cyclonedxComponent, parts map[string]Ref, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("components nest deeper than %d", maxDepth)
	}
	for i := range list {
		c := &list[i]
		if c.Ref != "" {
			if len(parts) >= maxRefs {
				return fmt.Errorf("more than %d components", maxRefs)
			}
			parts[c.Ref] = c.ref()
		}
		if err := cyclonedxParts(c.Components, parts, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// author returns who speaks: whoever is named first of the authors, the manufacturer and
// the supplier.
func (d *cyclonedx) author() string {
	m := &d.Metadata
	for _, p := range m.Authors {
		if p.Name != "" {
			return p.Name
		}
	}
	for _, p := range []*cyclonedxParty{m.Manufacturer, m.Manufacture, m.Supplier} {
		if p != nil && p.Name != "" {
			return p.Name
		}
	}
	if m.Component != nil {
		if r := m.Component.ref(); r.Vendor != "" {
			return r.Vendor
		}
	}
	return ""
}

// WriteCycloneDX writes statements as one CycloneDX 1.6 document: a VEX that holds the
// components it speaks of. It names one product; statements about others say so in an
// extension.
func WriteCycloneDX(w io.Writer, d Document, list []Statement) error {
	serial := strings.TrimPrefix(d.ID, "urn:uuid:")
	if !uuid.MatchString(serial) {
		return fmt.Errorf("CycloneDX: %q is no UUID", d.ID)
	}
	if d.Author == "" {
		return errors.New("CycloneDX: a document needs an author")
	}
	list = quoted(d, list)
	doc := cyclonedx{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Version: "1.6", Serial: "urn:uuid:" + serial, Number: 1,
		Metadata: cyclonedxMetadata{Authors: []cyclonedxParty{{d.Author}}},
	}
	if !d.At.IsZero() {
		doc.Metadata.Timestamp = stamp(d.At, d.At)
	}
	if d.Tool != "" {
		tools, err := json.Marshal(map[string]any{"components": []map[string]string{{"type": "application", "name": d.Tool}}})
		if err != nil {
			return fmt.Errorf("CycloneDX: %w", err)
		}
		doc.Metadata.Tools = tools
	}
	b := cyclonedxBuilder{refs: map[Ref]string{}, taken: map[string]bool{}}
	product := ""
	if d.Product != (Ref{}) {
		c := b.component(d.Product, "device")
		product, doc.Metadata.Component = c.Ref, &c
		b.refs[d.Product] = c.Ref
	}
	for i := range list {
		s := &list[i]
		v := cyclonedxVulnerability{
			ID: s.Vulnerability, Recommendation: s.Action,
			Analysis: &cyclonedxAnalysis{State: cyclonedxState(s), Detail: s.Notes},
		}
		if s.Status == advisory.NotThere {
			v.Analysis.Justification, v.Analysis.Detail = cyclonedxReason(s), cmp.Or(s.Impact, s.Notes)
		}
		if !s.At.IsZero() && !s.At.Equal(d.At) {
			v.Analysis.Last = stamp(s.At, time.Time{})
		}
		for _, a := range s.Aliases {
			v.References = append(v.References, cyclonedxReference{a, cyclonedxParty{system(a)}})
		}
		for _, m := range s.Measures {
			if word := response(m.Kind); word != "" && !slices.Contains(v.Analysis.Response, word) && (m.Kind != "workaround" || v.Workaround != "") {
				v.Analysis.Response = append(v.Analysis.Response, word)
			}
			switch {
			case m.Kind == "workaround" && v.Workaround == "":
				v.Workaround = m.Text
			case m.Text != "" && !strings.Contains(v.Recommendation, m.Text):
				v.Recommendation = strings.TrimSpace(v.Recommendation + " " + m.Text)
			}
		}
		switch {
		case s.Component != (Ref{}):
			v.Affects = []cyclonedxAffects{{Ref: b.part(s.Component)}}
		case s.Product != (Ref{}) && s.Product != d.Product:
			v.Affects = []cyclonedxAffects{{Ref: b.part(s.Product)}}
		case product != "":
			v.Affects = []cyclonedxAffects{{Ref: product}}
		}
		doc.Vulnerabilities = append(doc.Vulnerabilities, v)
	}
	doc.Components = b.list
	return extend("CycloneDX", w, list, &doc, (*reader).cyclonedx, func(i int, m string) {
		v := &doc.Vulnerabilities[i]
		v.Properties = append(v.Properties, cyclonedxProperty{csafOurs + "statement", m})
	}, nil)
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// system names who numbers a vulnerability so.
func system(id string) string {
	name, _, _ := strings.Cut(id, "-")
	return cmp.Or(strings.TrimSpace(name), "id")
}

type cyclonedxBuilder struct {
	refs  map[Ref]string
	taken map[string]bool
	list  []cyclonedxComponent
}

// part returns the reference of a component, which it puts into the document once.
func (b *cyclonedxBuilder) part(r Ref) string {
	if ref := b.refs[r]; ref != "" {
		return ref
	}
	c := b.component(r, "library")
	b.refs[r] = c.Ref
	b.list = append(b.list, c)
	return c.Ref
}

func (b *cyclonedxBuilder) component(r Ref, kind string) cyclonedxComponent {
	c := cyclonedxComponent{Type: kind, Ref: r.ID, Name: cmp.Or(r.Name, r.ID, r.PURL, r.CPE, r.Digest, "unnamed"), Version: r.Version, PURL: r.PURL}
	if strings.HasPrefix(r.CPE, "cpe:2.3:") && csafCPE.MatchString(r.CPE) {
		c.CPE = r.CPE
	}
	if r.Vendor != "" {
		c.Supplier = &cyclonedxParty{r.Vendor}
	}
	if name, value, ok := strings.Cut(r.Digest, ":"); ok && len(value) == map[string]int{"sha256": 64, "sha384": 96, "sha512": 128, "sha1": 40, "md5": 32}[name] && csafHex.MatchString(value) {
		c.Hashes = []cyclonedxHash{{map[string]string{"sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512", "sha1": "SHA-1", "md5": "MD5"}[name], value}}
	}
	// A reference to another document is none within this one, and each stands once.
	if c.Ref == "" || b.taken[c.Ref] || strings.HasPrefix(c.Ref, "urn:cdx:") || strings.HasPrefix(c.Ref, csafOurs) {
		sum := sha256.Sum256([]byte(fmt.Sprintf("%q", r)))
		c.Ref = fmt.Sprintf("%s%x", csafOurs, sum[:8])
	}
	b.taken[c.Ref] = true
	return c
}

// Link names the components of other bills of materials, which statements point to by
// urn:cdx, by those of the bills that are given: CycloneDX documents, others are left out.
// What is assessed is then the product of the bill, where the statement names none.
func Link(list []Statement, bills ...[]byte) []Statement {
	list = slices.Clone(list)
	for _, data := range bills {
		var doc cyclonedx
		if len(data) > maxBytes || json.Unmarshal(data, &doc) != nil || doc.Format != "CycloneDX" {
			continue
		}
		parts := map[string]Ref{}
		if cyclonedxParts(doc.Components, parts, 0) != nil {
			continue
		}
		for i := range list {
			s := &list[i]
			l := bomLink.FindStringSubmatch(s.Component.ID)
			if l == nil || !strings.EqualFold("urn:uuid:"+l[1], doc.Serial) || l[2] != strconv.Itoa(max(doc.Number, 1)) {
				continue
			}
			ref := unescape(l[3])
			product := Ref{}
			if c := doc.Metadata.Component; c != nil {
				product = complete(c.ref())
				if c.Ref == ref && ref != "" {
					s.Component = Ref{}
				}
			}
			if s.Product == (Ref{}) {
				s.Product = product
			}
			if c, ok := parts[ref]; ok {
				was := s.Component
				s.Component = complete(c)
				if was.Range != "" || was.Version != "" && was.PURL == "" {
					s.Component.Version, s.Component.Range = was.Version, was.Range // the statement's own
				}
			}
		}
	}
	return list
}
