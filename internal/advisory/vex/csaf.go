package vex

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// CSAF is version 2.0; section numbers are of its specification.
type csaf struct {
	Document        csafDocument        `json:"document"`
	Tree            *csafTree           `json:"product_tree,omitempty"`
	Vulnerabilities []csafVulnerability `json:"vulnerabilities,omitempty"`
}

type csafDocument struct {
	Category  string        `json:"category"`
	Version   string        `json:"csaf_version"`
	Lang      string        `json:"lang,omitempty"`
	Publisher csafPublisher `json:"publisher"`
	Title     string        `json:"title"`
	Tracking  csafTracking  `json:"tracking"`
}

type csafPublisher struct {
	Category  string `json:"category"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type csafTracking struct {
	Current   string         `json:"current_release_date"`
	Generator *csafGenerator `json:"generator,omitempty"`
	ID        string         `json:"id"`
	Initial   string         `json:"initial_release_date"`
	History   []csafRevision `json:"revision_history"`
	Status    string         `json:"status"`
	Version   string         `json:"version"`
}

type csafGenerator struct {
	Date   string     `json:"date,omitempty"`
	Engine csafEngine `json:"engine"`
}

type csafEngine struct {
	Name string `json:"name"`
}

type csafRevision struct {
	Date    string `json:"date"`
	Number  string `json:"number"`
	Summary string `json:"summary"`
}

type csafTree struct {
	Branches      []csafBranch       `json:"branches,omitempty"`
	Names         []csafProduct      `json:"full_product_names,omitempty"`
	Groups        []csafGroup        `json:"product_groups,omitempty"`
	Relationships []csafRelationship `json:"relationships,omitempty"`
}

type csafBranch struct {
	Category string       `json:"category"`
	Name     string       `json:"name"`
	Branches []csafBranch `json:"branches,omitempty"`
	Product  *csafProduct `json:"product,omitempty"`
}

type csafProduct struct {
	Name   string      `json:"name"`
	ID     string      `json:"product_id"`
	Helper *csafHelper `json:"product_identification_helper,omitempty"`
}

type csafHelper struct {
	CPE    string       `json:"cpe,omitempty"`
	Hashes []csafHashes `json:"hashes,omitempty"`
	PURL   string       `json:"purl,omitempty"`
}

type csafHashes struct {
	Files []csafHash `json:"file_hashes"`
	Name  string     `json:"filename"`
}

type csafHash struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"`
}

type csafGroup struct {
	ID       string   `json:"group_id"`
	Products []string `json:"product_ids"`
}

type csafRelationship struct {
	Category string      `json:"category"`
	Product  csafProduct `json:"full_product_name"`
	Part     string      `json:"product_reference"`
	Of       string      `json:"relates_to_product_reference"`
}

type csafVulnerability struct {
	CVE          string              `json:"cve,omitempty"`
	IDs          []csafID            `json:"ids,omitempty"`
	Flags        []csafFlag          `json:"flags,omitempty"`
	Notes        []csafNote          `json:"notes,omitempty"`
	Status       map[string][]string `json:"product_status,omitempty"`
	Remediations []csafRemediation   `json:"remediations,omitempty"`
	Threats      []csafThreat        `json:"threats,omitempty"`
}

type csafID struct {
	System string `json:"system_name"`
	Text   string `json:"text"`
}

type csafFlag struct {
	Label string `json:"label"`
	csafFor
}

type csafNote struct {
	Category string `json:"category"`
	Text     string `json:"text"`
	Title    string `json:"title,omitempty"`
}

type csafRemediation struct {
	Category string `json:"category"`
	Details  string `json:"details"`
	URL      string `json:"url,omitempty"`
	csafFor
}

type csafThreat struct {
	Category string `json:"category"`
	Details  string `json:"details"`
	csafFor
}

// csafFor says which products something is said of; none are all.
type csafFor struct {
	Groups   []string `json:"group_ids,omitempty"`
	Products []string `json:"product_ids,omitempty"`
}

// csafStatuses are the lists of a product status (3.2.3.9), in the order in which they
// are read.
var csafStatuses = []struct {
	name string
	is   advisory.Status
}{
	{"first_affected", advisory.Vulnerable}, {"known_affected", advisory.Vulnerable}, {"last_affected", advisory.Vulnerable},
	{"known_not_affected", advisory.NotThere},
	{"first_fixed", advisory.Fixed}, {"fixed", advisory.Fixed}, {"recommended", advisory.Fixed},
	{"under_investigation", advisory.Unclear},
}

// csafPlain are the lists that say no more than the common status.
var csafPlain = map[string]bool{"known_affected": true, "known_not_affected": true, "fixed": true, "under_investigation": true}

// csafOurs begins product ids that we made because the statement has none, and the title
// of notes that hold an extension.
const csafOurs = "vesalius:"

// pair is what a product id stands for: a product, or a component in one.
type pair struct{ product, component Ref }

func (r *reader) csaf(data []byte) error {
	var doc csaf
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("CSAF: %w", err)
	}
	if doc.Document.Version != "2.0" && doc.Document.Version != "2.1" {
		return fmt.Errorf("CSAF: version %q is none that is known: 2.0", doc.Document.Version)
	}
	at, err := moment(doc.Document.Tracking.Current, doc.Document.Tracking.Initial)
	if err != nil {
		return fmt.Errorf("CSAF: %w", err)
	}
	if doc.Tree == nil {
		doc.Tree = &csafTree{}
	}
	products, err := doc.Tree.products()
	if err != nil {
		return fmt.Errorf("CSAF: product tree: %w", err)
	}
	groups := map[string][]string{}
	for _, g := range doc.Tree.Groups {
		groups[g.ID] = g.Products
	}
	for i := range doc.Vulnerabilities {
		v := &doc.Vulnerabilities[i]
		s := Statement{Vulnerability: v.CVE, Form: CSAF, Document: cmp.Or(doc.Document.Tracking.ID, r.name), Author: doc.Document.Publisher.Name, At: at}
		for _, id := range v.IDs {
			if s.Vulnerability == "" {
				s.Vulnerability = id.Text
			} else {
				s.Aliases = append(s.Aliases, id.Text)
			}
		}
		if err := r.csafStatements(v, s, products, groups); err != nil {
			return fmt.Errorf("CSAF: vulnerability %d: %w", i+1, err)
		}
	}
	return nil
}

// csafStatements adds what one vulnerability item says, beginning with what all of its
// statements have in common.
func (r *reader) csafStatements(v *csafVulnerability, common Statement, products map[string]pair, groups map[string][]string) error {
	extensions := map[string]*more{}
	for _, n := range v.Notes {
		if n.Title == csafOurs+"statements" {
			if err := json.Unmarshal([]byte(n.Text), &extensions); err != nil {
				return fmt.Errorf("the extension in its notes: %w", err)
			}
		}
	}
	// What is said of a product is looked up by its id: lists of ids may be long.
	flags, impacts, measures := map[string][]string{}, map[string][]string{}, map[string][]Measure{}
	const all = "\x00"
	steps := 0
	each := func(f csafFor, do func(id string)) error {
		ids := slices.Clone(f.Products)
		for _, g := range f.Groups {
			ids = append(ids, groups[g]...)
			if steps += len(groups[g]); steps > maxRefs {
				return fmt.Errorf("more than %d products in groups", maxRefs)
			}
		}
		if len(f.Groups)+len(f.Products) == 0 {
			ids = []string{all}
		}
		for _, id := range ids {
			do(id)
		}
		return nil
	}
	var err error
	for _, f := range v.Flags {
		if !slices.Contains(justifications, f.Label) {
			return fmt.Errorf("flag %q is none of CSAF", f.Label)
		}
		err = cmp.Or(err, each(f.csafFor, func(id string) { flags[id] = append(flags[id], f.Label) }))
	}
	for _, t := range v.Threats {
		if t.Category == "impact" && t.Details != noReason {
			err = cmp.Or(err, each(t.csafFor, func(id string) { impacts[id] = append(impacts[id], t.Details) }))
		}
	}
	for _, m := range v.Remediations {
		if m.Details != noAction {
			err = cmp.Or(err, each(m.csafFor, func(id string) { measures[id] = append(measures[id], Measure{m.Category, m.Details, m.URL}) }))
		}
	}
	if err != nil {
		return err
	}
	for _, list := range csafStatuses {
		for _, id := range v.Status[list.name] {
			s := common
			s.Status = list.is
			if !csafPlain[list.name] {
				s.Said = list.name
			}
			p, ok := products[id]
			if !ok {
				return fmt.Errorf("product %q is not in the product tree", id)
			}
			s.Product, s.Component = p.product, p.component
			labels := slices.Concat(flags[id], flags[all])
			if s.Status == advisory.NotThere && len(labels) > 0 {
				s.Justification = labels[0]
				if len(labels) > 1 {
					s.Because = strings.Join(labels, " ")
				}
			}
			s.Impact = strings.Join(slices.Concat(impacts[id], impacts[all]), "\n")
			s.Measures = slices.Concat(measures[id], measures[all])
			if err := r.add(s, extensions[list.name+" "+id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// products returns what each product id stands for.
func (t *csafTree) products() (map[string]pair, error) {
	out := map[string]pair{}
	add := func(p *csafProduct, r Ref) error {
		if p.ID == "" {
			return fmt.Errorf("product %q has no id", p.Name)
		}
		if _, twice := out[p.ID]; twice {
			return fmt.Errorf("two products with the id %q", p.ID)
		}
		if len(out) >= maxRefs {
			return fmt.Errorf("more than %d products", maxRefs)
		}
		if !strings.HasPrefix(p.ID, csafOurs) {
			r.ID = p.ID
		}
		if h := p.Helper; h != nil {
			r.CPE, r.PURL = h.CPE, h.PURL
			for _, hashes := range h.Hashes {
				for _, f := range hashes.Files {
					if r.Digest == "" || f.Algorithm == "sha256" {
						r.Digest = strings.ToLower(f.Algorithm + ":" + f.Value)
					}
				}
			}
		}
		if r.Name == "" {
			r.Name = p.Name
		}
		out[p.ID] = pair{product: r}
		return nil
	}
	var walk func(list []csafBranch, r Ref, depth int) error
	walk = func(list []csafBranch, r Ref, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("branches nest deeper than %d", maxDepth)
		}
		for i := range list {
			b, r := &list[i], r
			switch b.Category {
			case "vendor":
				r.Vendor = b.Name
			case "product_name":
				r.Name = b.Name
			case "product_version":
				r.Version = b.Name
			case "product_version_range":
				r.Range = b.Name
			case "patch_level", "service_pack":
				r.Version = strings.TrimSpace(r.Version + " " + b.Name)
			}
			if b.Product != nil {
				if err := add(b.Product, r); err != nil {
					return err
				}
			}
			if err := walk(b.Branches, r, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(t.Branches, Ref{}, 0); err != nil {
		return nil, err
	}
	for i := range t.Names {
		if err := add(&t.Names[i], Ref{}); err != nil {
			return nil, err
		}
	}
	// A relationship may speak of one that stands later.
	left := slices.Clone(t.Relationships)
	for depth := 0; len(left) > 0; depth++ {
		if depth > maxDepth {
			return nil, fmt.Errorf("relationships lead to each other deeper than %d", maxDepth)
		}
		var later []csafRelationship
		for _, rel := range left {
			part, ok := out[rel.Part]
			whole, more := out[rel.Of]
			if !ok || !more {
				later = append(later, rel)
				continue
			}
			if err := add(&rel.Product, Ref{}); err != nil {
				return nil, err
			}
			component := part.product
			if part.component != (Ref{}) {
				component = part.component
			}
			out[rel.Product.ID] = pair{whole.product, component}
		}
		if len(later) == len(left) {
			return nil, fmt.Errorf("relationship %q: %q or %q is not in the tree", left[0].Product.ID, left[0].Part, left[0].Of)
		}
		left = later
	}
	return out, nil
}
