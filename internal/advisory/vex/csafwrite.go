package vex

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// WriteCSAF writes statements as one document of CSAF 2.0, profile VEX (4.5); without a
// statement it is of the base profile, for the other demands one.
func WriteCSAF(w io.Writer, d Document, list []Statement) error {
	if strings.TrimSpace(d.ID) == "" || d.Author == "" || d.Title == "" || d.URL == "" {
		return errors.New("CSAF: a document needs an id, a title, an author and the author's address")
	}
	list = csafOrder(quoted(d, list))
	date := stamp(d.At, d.At)
	doc := csaf{Document: csafDocument{
		Category: "csaf_vex", Version: "2.0", Lang: "en", Title: d.Title, Publisher: csafPublisher{"other", d.Author, d.URL},
		Tracking: csafTracking{
			ID: strings.TrimSpace(d.ID), Status: "final", Version: "1", Current: date, Initial: date, History: []csafRevision{{date, "1", "Initial version."}},
		},
	}}
	if slices.Contains([]string{"vendor", "user", "discoverer", "coordinator", "translator"}, d.Role) {
		doc.Document.Publisher.Category = d.Role
	}
	if d.Tool != "" {
		doc.Document.Tracking.Generator = &csafGenerator{date, csafEngine{d.Tool}}
	}
	if len(list) == 0 {
		doc.Document.Category = "csaf_base"
	}
	b := csafBuilder{ids: map[string]bool{}, refs: map[Ref]string{}, pairs: map[pair][]string{}, use: map[csafUse]int{}}
	keys := make([]string, len(list)) // of each statement: its list and product
	at := make([]int, len(list))      // its vulnerability item
	for i := range list {
		s := &list[i]
		if i == 0 || s.Vulnerability != list[i-1].Vulnerability {
			doc.Vulnerabilities = append(doc.Vulnerabilities, csafItem(s))
		}
		at[i] = len(doc.Vulnerabilities) - 1
		id := b.product(s, at[i])
		keys[i] = doc.Vulnerabilities[at[i]].state(s, id) + " " + id
	}
	if len(list) > 0 {
		b.tree.Branches = b.branches()
		doc.Tree = &b.tree
	}
	extensions := map[int]map[string]json.RawMessage{}
	return extend("CSAF", w, list, &doc, (*reader).csaf, func(i int, m string) {
		if extensions[at[i]] == nil {
			extensions[at[i]] = map[string]json.RawMessage{}
		}
		extensions[at[i]][keys[i]] = json.RawMessage(m)
	}, func() error {
		for n := range doc.Vulnerabilities {
			if extensions[n] == nil {
				continue
			}
			text, err := encode(extensions[n], "")
			if err != nil {
				return err
			}
			v := &doc.Vulnerabilities[n]
			v.Notes = append(v.Notes, csafNote{"other", strings.TrimSpace(string(text)), csafOurs + "statements"})
		}
		return nil
	})
}

// csafOrder puts statements into the order in which they will be read: by vulnerability
// as they come, and then by the lists of the product status.
func csafOrder(list []Statement) []Statement {
	first := map[string]int{}
	for i := range list {
		if _, ok := first[list[i].Vulnerability]; !ok {
			first[list[i].Vulnerability] = i
		}
	}
	slices.SortStableFunc(list, func(a, b Statement) int {
		return cmp.Or(cmp.Compare(first[a.Vulnerability], first[b.Vulnerability]), cmp.Compare(csafList(&a), csafList(&b)))
	})
	return list
}

// csafList returns which list of the product status holds a statement.
func csafList(s *Statement) int {
	plain := 0
	for i, l := range csafStatuses {
		if l.is == s.Status && l.name == s.Said {
			return i
		}
		if l.is == s.Status && csafPlain[l.name] {
			plain = i
		}
	}
	return plain
}

var cveID = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,}$`)

// csafItem begins the item of a vulnerability.
func csafItem(s *Statement) csafVulnerability {
	v := csafVulnerability{Status: map[string][]string{}}
	if cveID.MatchString(s.Vulnerability) {
		v.CVE = s.Vulnerability
	} else {
		v.IDs = append(v.IDs, csafID{system(s.Vulnerability), s.Vulnerability})
	}
	for _, a := range s.Aliases {
		if id := (csafID{system(a), a}); a != "" && !slices.Contains(v.IDs, id) {
			v.IDs = append(v.IDs, id)
		}
	}
	v.Notes = []csafNote{{"general", "What is known of " + s.Vulnerability + " in the products that are named here.", "About"}} // 4.5 demands one
	return v
}

// state puts what a statement says into the item, of the product id, and returns the name
// of the list.
func (v *csafVulnerability) state(s *Statement, id string) string {
	name := csafStatuses[csafList(s)].name
	v.Status[name] = append(v.Status[name], id)
	only := csafFor{Products: []string{id}}
	if s.Status == advisory.NotThere {
		labels := strings.Fields(s.Because)
		if len(labels) == 0 || slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(justifications, l) }) {
			labels = nil
			if s.Justification != "" {
				labels = []string{s.Justification}
			}
		}
		for _, l := range labels {
			v.Flags = append(v.Flags, csafFlag{l, only})
		}
		if len(labels) == 0 && s.Impact == "" {
			v.Threats = append(v.Threats, csafThreat{"impact", noReason, only}) // 4.5 demands a reason
		}
	}
	if s.Impact != "" {
		v.Threats = append(v.Threats, csafThreat{"impact", s.Impact, only})
	}
	measures := s.Measures
	if s.Action != "" && !slices.ContainsFunc(measures, func(m Measure) bool { return m.Text == s.Action }) {
		measures = append([]Measure{{Kind: "mitigation", Text: s.Action}}, measures...)
	}
	for _, m := range measures {
		r := csafRemediation{Category: csafCategory(m.Kind), Details: cmp.Or(m.Text, strings.Join((&Statement{Measures: []Measure{{Kind: m.Kind}}}).measures(), ""), noAction), csafFor: only}
		if u, err := url.Parse(m.Link); err == nil && u.IsAbs() {
			r.URL = m.Link
		}
		v.Remediations = append(v.Remediations, r)
	}
	if len(measures) == 0 && s.Status == advisory.Vulnerable {
		v.Remediations = append(v.Remediations, csafRemediation{Category: "mitigation", Details: noAction, csafFor: only}) // 4.5 demands an action
	}
	return name
}

// csafCategory gives what can be done in the words of CSAF (3.2.3.12.1).
func csafCategory(kind string) string {
	switch kind {
	case "vendor_fix", "mitigation", "workaround", "no_fix_planned", "none_available":
		return kind
	case "update":
		return "vendor_fix"
	case "workaround_available", "rollback":
		return "workaround"
	case "will_not_fix":
		return "no_fix_planned"
	case "can_not_fix":
		return "none_available"
	}
	return "mitigation"
}

// csafBuilder makes the product tree.
type csafBuilder struct {
	tree  csafTree
	ids   map[string]bool
	refs  map[Ref]string    // product ids of plain products
	pairs map[pair][]string // product ids of what statements are about: more than one where more than one is said
	use   map[csafUse]int
	leafs []csafLeaf
}

type csafUse struct {
	pair pair
	item int
}

type csafLeaf struct {
	ref     Ref
	product csafProduct
}

// product returns the product id for a statement in an item. Two statements about the
// same thing in one item have two ids of it: one id has one status (6.1.6).
func (b *csafBuilder) product(s *Statement, item int) string {
	p := pair{s.Product, s.Component}
	n := b.use[csafUse{p, item}]
	b.use[csafUse{p, item}]++
	if list := b.pairs[p]; n < len(list) {
		return list[n]
	}
	var id string
	switch {
	case p.component == (Ref{}):
		id = b.plain(p.product, n > 0)
	case p.product == (Ref{}):
		id = b.plain(p.component, n > 0)
	default:
		id = b.id("")
		b.tree.Relationships = append(b.tree.Relationships, csafRelationship{
			Category: "default_component_of", Product: csafProduct{Name: p.component.String() + " in " + p.product.String(), ID: id},
			Part: b.plain(p.component, false), Of: b.plain(p.product, false),
		})
	}
	b.pairs[p] = append(b.pairs[p], id)
	return id
}

// id returns the wanted product id where it is free, else one of ours.
func (b *csafBuilder) id(want string) string {
	if want == "" || b.ids[want] || strings.HasPrefix(want, csafOurs) {
		want = csafOurs + strconv.Itoa(len(b.ids)+1) // no id of others begins so, and ours count up
	}
	b.ids[want] = true
	return want
}

// plain returns the id of a product, another one each time where again.
func (b *csafBuilder) plain(r Ref, again bool) string {
	if id := b.refs[r]; id != "" && !again {
		return id
	}
	id := b.id(r.ID)
	if !again {
		b.refs[r] = id
	}
	name := cmp.Or(r.String(), "whatever is assessed")
	p := csafProduct{Name: name, ID: id, Helper: csafHelperOf(r)}
	if r.Name != "" {
		b.leafs = append(b.leafs, csafLeaf{r, p})
	} else {
		b.tree.Names = append(b.tree.Names, p)
	}
	return id
}

// branches makes the branches of the products that have names: vendor, name, version.
func (b *csafBuilder) branches() []csafBranch {
	var top []csafBranch
	into := func(list *[]csafBranch, category, name string) *csafBranch {
		for i := range *list {
			if (*list)[i].Category == category && (*list)[i].Name == name && (*list)[i].Product == nil {
				return &(*list)[i]
			}
		}
		*list = append(*list, csafBranch{Category: category, Name: name})
		return &(*list)[len(*list)-1]
	}
	for _, l := range b.leafs {
		list := &top
		if l.ref.Vendor != "" {
			list = &into(list, "vendor", l.ref.Vendor).Branches
		}
		last := csafBranch{Category: "product_name", Name: l.ref.Name, Product: &l.product}
		switch {
		case l.ref.Version != "":
			list = &into(list, "product_name", l.ref.Name).Branches
			last.Category, last.Name = "product_version", l.ref.Version
		case l.ref.Range != "":
			list = &into(list, "product_name", l.ref.Name).Branches
			last.Category, last.Name = "product_version_range", l.ref.Range
		}
		*list = append(*list, last)
	}
	return top
}

var (
	csafCPE  = regexp.MustCompile(`^cpe:2\.3:[aho](:([*-]|([a-zA-Z0-9._-]|\\[!"#$%&'()+,/:;<=>@\[\]^` + "`" + `{|}~])+)){5}:[*-](:([*-]|([a-zA-Z0-9._-]|\\[!"#$%&'()+,/:;<=>@\[\]^` + "`" + `{|}~])+)){4}$`)
	csafPURL = regexp.MustCompile(`^pkg:[A-Za-z.+-][A-Za-z0-9.+-]*/[A-Za-z0-9._~%@/?=&:+,-]+$`)
	csafHex  = regexp.MustCompile(`^[0-9a-f]{32,}$`)
)

// csafHelperOf gives the identifiers of a product that the schema takes, nil where there
// are none.
func csafHelperOf(r Ref) *csafHelper {
	var h csafHelper
	if csafCPE.MatchString(r.CPE) {
		h.CPE = r.CPE
	}
	if csafPURL.MatchString(r.PURL) {
		if _, err := url.Parse(r.PURL); err == nil {
			h.PURL = r.PURL
		}
	}
	if name, value, ok := strings.Cut(r.Digest, ":"); ok && name != "" && csafHex.MatchString(value) {
		h.Hashes = []csafHashes{{[]csafHash{{name, value}}, cmp.Or(r.Name, "unnamed")}}
	}
	if h.CPE == "" && h.PURL == "" && h.Hashes == nil {
		return nil
	}
	return &h
}
