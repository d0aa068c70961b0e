package feed

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

var csaf = Format{
	Name:   "csaf",
	Title:  "CSAF 2.0 documents: security advisories and VEX",
	Source: advisory.CSAF,
	Files:  "icsma-YY-DDD-NN.json, the .json files of a provider",
	From:   "https://github.com/cisagov/CSAF, the provider-metadata.json of each vendor",
	Takes:  "one record per vulnerability: document, publisher, dates, products with vendor, name and versions as people write them, product names of CPE and purl where there are any, statuses of every kind, remediations, scores, weaknesses, references of the document",
	Leaves: "notes but the summary, acknowledgements, revision history, threats, digests of files, involvements",
	sniff: func(_ string, _ []byte, keys []string) bool {
		return has(keys, "document.csaf_version") || has(keys, "document.tracking") || has(keys, "document.publisher") ||
			has(keys, "document.category") || has(keys, "document", "product_tree")
	},
	read: readCSAF,
}

// csafProduct is a product of the tree of products.
type csafProduct struct {
	names []advisory.Part // what it is called: by name, CPE, purl, model number
	parts []string        // of a relationship: the component, and what it is in
}

// csafDocument is what is needed of one document.
type csafDocument struct {
	d        *decoder
	record   advisory.Record // what all of its records have in common
	products map[string]csafProduct
	groups   map[string][]string
	nodes    int
}

func readCSAF(in *input) error {
	whole, err := in.whole(maxWhole)
	if err != nil {
		return err
	}
	c := csafDocument{d: in.decoder(whole), products: map[string]csafProduct{}, groups: map[string][]string{}}
	c.record = advisory.Record{Source: advisory.CSAF}
	// The vulnerabilities refer to the tree of products, wherever that stands.
	var vulnerabilities []decoder
	d := c.d
	d.object(func(key []byte) {
		switch string(key) {
		case "document":
			c.document()
		case "product_tree":
			c.tree()
		case "vulnerabilities":
			d.list(func() {
				from := *d
				d.skip()
				from.b = d.b[:d.at]
				vulnerabilities = append(vulnerabilities, from)
			})
		}
	})
	if err := d.end(); err != nil {
		return err
	}
	if c.record.Document == "" {
		return errors.New("the document has no tracking id")
	}
	in.stats.Date = c.record.Modified
	for i := range vulnerabilities {
		v := &vulnerabilities[i]
		at := int64(v.at)
		c.d = v
		r, err := c.vulnerability()
		if err == nil {
			err = v.end()
		}
		if err != nil {
			in.skip(at, c.record.Document, fmt.Errorf("vulnerability %d: %w", i+1, err))
			continue
		}
		if len(r.CWE) > 0 {
			in.stats.Classified++
		}
		if err := in.record(r); err != nil {
			return err
		}
	}
	return nil
}

func (c *csafDocument) document() {
	d := c.d
	var links ranked[string]
	d.object(func(key []byte) {
		switch string(key) {
		case "category":
			c.record.Withdrawn = d.text() == "csaf_withdrawn"
		case "publisher":
			d.object(func(key []byte) {
				if string(key) == "name" {
					c.record.Origin = d.name()
				}
			})
		case "tracking":
			d.object(func(key []byte) {
				switch string(key) {
				case "id":
					c.record.Document = documentID(d.text())
				case "initial_release_date":
					c.record.Published = when(d.text())
				case "current_release_date":
					c.record.Modified = when(d.text())
				}
			})
		case "references":
			d.list(func() { c.reference(&links) })
		}
	})
	c.record.Links = links.sorted(maxLinks)
}

// documentID takes the id out of what stands in its place: titles follow some of them.
func documentID(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "_ "); i > 0 && strings.HasPrefix(s, "ICS") {
		s = s[:i]
	}
	if len(s) > 200 {
		return ""
	}
	return s
}

// reference adds a link: of the document itself those for people come first.
func (c *csafDocument) reference(links *ranked[string]) {
	url, rank := "", 2
	c.d.object(func(key []byte) {
		switch string(key) {
		case "url":
			url = link(c.d.text())
		case "category":
			if c.d.text() == "self" {
				rank = 1
			}
		}
	})
	if rank == 1 && !strings.HasSuffix(url, ".json") {
		rank = 0
	}
	if url != "" {
		links.add(rank, url)
	}
}

// csafPlace is where in the tree a branch stands: what the branches above it say.
type csafPlace struct {
	vendor, family, name string
	versions             []advisory.Range
}

func (c *csafDocument) tree() {
	d := c.d
	type relation struct{ id, name, product, to string }
	var relations []relation
	d.object(func(key []byte) {
		switch string(key) {
		case "branches":
			d.list(func() { c.branch(csafPlace{}) })
		case "full_product_names":
			d.list(func() { c.product(csafPlace{}) })
		case "product_groups":
			d.list(func() {
				id := ""
				var ids []string
				d.object(func(key []byte) {
					switch string(key) {
					case "group_id":
						id = d.text()
					case "product_ids":
						ids = d.texts()
					}
				})
				c.groups[id] = ids
			})
		case "relationships":
			d.list(func() {
				var r relation
				d.object(func(key []byte) {
					switch string(key) {
					case "product_reference":
						r.product = d.text()
					case "relates_to_product_reference":
						r.to = d.text()
					case "full_product_name":
						d.object(func(key []byte) {
							switch string(key) {
							case "product_id":
								r.id = d.text()
							case "name":
								r.name = d.text()
							}
						})
					}
				})
				relations = append(relations, r)
			})
		}
	})
	for _, r := range relations {
		if _, ok := c.products[r.id]; !ok && r.id != "" {
			c.products[r.id] = csafProduct{parts: []string{r.product, r.to}}
		}
	}
}

// branch reads one branch of the tree. Its category and name may stand behind what is in it.
func (c *csafDocument) branch(at csafPlace) {
	d := c.d
	if c.nodes++; c.nodes > maxAffected {
		d.fail("more than %d branches of products", maxAffected)
		return
	}
	category, name := "", ""
	var product, branches decoder
	from := d.at
	d.object(func(key []byte) {
		switch string(key) {
		case "category":
			category = d.text()
		case "name":
			name = d.text()
		case "product":
			product = *d
			d.skip()
		case "branches":
			branches = *d
			d.skip()
		}
	})
	if d.err != nil || d.at == from {
		return
	}
	switch category {
	case "vendor":
		at.vendor = name
	case "product_family":
		at.family = name
	case "product_name":
		at.name = name
	case "product_version", "service_pack", "patch_level":
		at.versions = append(slices.Clone(at.versions), plainVersions(name)...)
	case "product_version_range":
		at.versions = append(slices.Clone(at.versions), versionRanges(name)...)
	}
	after, depth := d.at, d.depth
	if product.b != nil {
		d.at = product.at
		c.product(at)
	}
	if branches.b != nil && d.err == nil {
		d.at, d.depth = branches.at, branches.depth
		d.list(func() { c.branch(at) })
	}
	if d.err == nil {
		d.at, d.depth = after, depth
	}
}

// product reads a full product name: what the branches above it say, and whatever else
// helps to tell it.
func (c *csafDocument) product(at csafPlace) {
	d := c.d
	id, name := "", ""
	var helped []advisory.Part
	var models, serials []string
	d.object(func(key []byte) {
		switch string(key) {
		case "product_id":
			id = d.text()
		case "name":
			name = d.text()
		case "product_identification_helper":
			d.object(func(key []byte) {
				switch string(key) {
				case "cpe":
					if p, version, ok := d.cpeName(d.text()); ok {
						helped = append(helped, advisory.Part{Product: p, Versions: versionsOf(p, version)})
					}
				case "purl":
					if p, ok := packageURL(d.text()); ok {
						helped = append(helped, p)
					}
				case "purls": // of 2.1
					for _, u := range d.texts() {
						if p, ok := packageURL(u); ok {
							helped = append(helped, p)
						}
					}
				case "model_numbers", "skus":
					models = append(models, d.texts()...)
				case "serial_numbers":
					serials = d.texts()
				}
			})
		}
	})
	if d.err != nil {
		return
	}
	if id == "" {
		d.fail("a product without product_id")
		return
	}
	by := advisory.Product{By: advisory.ByName, Vendor: at.vendor, Name: at.name}
	if by.Name == "" {
		by.Name = at.family
	}
	if by.Name == "" {
		by.Name = name
	}
	p := csafProduct{names: []advisory.Part{{Product: by, Versions: at.versions}}}
	for _, s := range serials {
		p.names[0].Versions = append(slices.Clone(p.names[0].Versions), advisory.Range{Raw: "serial number " + s})
	}
	for _, m := range models {
		by.Name = m
		p.names = append(p.names, advisory.Part{Product: by, Versions: p.names[0].Versions})
	}
	for _, h := range helped {
		if len(h.Versions) == 0 || h.Versions[0].Raw == "-" {
			h.Versions = at.versions
		}
		p.names = append(p.names, h)
	}
	c.products[id] = p
}

// names lists what a product is called and what it must be in, through its relationships.
func (c *csafDocument) names(id string, depth int) (names []advisory.Part, with []advisory.AnyOf) {
	p, ok := c.products[id]
	if !ok || depth > 8 {
		return nil, nil
	}
	if p.parts == nil {
		return p.names, nil
	}
	names, with = c.names(p.parts[0], depth+1)
	in, more := c.names(p.parts[1], depth+1)
	with = slices.Concat(with, more)
	if len(in) > 0 {
		with = append(with, in)
	}
	return names, with
}

// csafStatuses says what the lists of products of a vulnerability mean. A product that is
// recommended holds the mending.
var csafStatuses = []struct {
	list   string
	status advisory.Status
}{
	{"known_affected", advisory.Vulnerable},
	{"first_affected", advisory.Vulnerable},
	{"last_affected", advisory.Vulnerable},
	{"fixed", advisory.Fixed},
	{"first_fixed", advisory.Fixed},
	{"recommended", advisory.Fixed},
	{"known_not_affected", advisory.NotThere},
	{"under_investigation", advisory.Unclear},
}

func (c *csafDocument) vulnerability() (advisory.Record, error) {
	d, r := c.d, c.record
	var scores ranked[advisory.Score]
	var cwe ranked[int]
	stated := map[string][]string{}
	reasons := map[string]string{} // product -> why it is not affected
	title := ""
	d.object(func(key []byte) {
		switch string(key) {
		case "cve":
			r.ID = cveID(d.text())
		case "title":
			title = d.text()
		case "ids":
			d.list(func() {
				d.object(func(key []byte) {
					if string(key) == "text" {
						if id := d.text(); id != "" && len(id) < 100 && !slices.Contains(r.Aliases, id) {
							r.Aliases = append(r.Aliases, id)
						}
					}
				})
			})
		case "cwe":
			c.weakness(&cwe)
		case "cwes":
			d.list(func() { c.weakness(&cwe) })
		case "scores", "metrics":
			d.list(func() { c.scores(&scores) })
		case "product_status":
			d.object(func(key []byte) { stated[string(key)] = d.texts() })
		case "flags":
			d.list(func() {
				label, products := c.labelled("label", nil)
				for _, p := range products {
					reasons[p] = label
				}
			})
		case "remediations":
			d.list(func() { c.remediation(&r) })
		case "notes":
			d.list(func() {
				category, text := "", ""
				d.object(func(key []byte) {
					switch string(key) {
					case "category":
						category = d.text()
					case "text":
						text = d.text()
					}
				})
				if (category == "summary" || category == "description") && r.Text == "" && len(text) <= maxText {
					r.Text = text
				}
			})
		}
	})
	if d.err != nil {
		return r, d.err
	}
	if r.ID == "" && len(r.Aliases) > 0 {
		r.ID, r.Aliases = r.Aliases[0], r.Aliases[1:]
	}
	if r.ID == "" {
		r.ID = r.Document
	}
	if r.Text == "" {
		r.Text = title
	}
	r.Scores, r.CWE = scores.sorted(maxScores), cwe.sorted(maxCWE)
	return r, c.affected(&r, stated, reasons)
}

// affected adds what the lists of products say; a product is said once, by the first list.
func (c *csafDocument) affected(r *advisory.Record, stated map[string][]string, reasons map[string]string) error {
	said := map[string]bool{}
	for _, s := range csafStatuses {
		for _, id := range stated[s.list] {
			if said[id] && s.list == "recommended" {
				continue
			}
			said[id] = true
			names, with := c.names(id, 0)
			if len(names) == 0 {
				return fmt.Errorf("%s: no product %s in the tree", s.list, clip(id))
			}
			for _, n := range names {
				a := advisory.Affected{Product: n.Product, Status: s.status, Versions: slices.Clone(n.Versions), With: with}
				if s.status == advisory.NotThere {
					a.Justification = reasons[id]
				}
				r.Affected = merge(r.Affected, a)
			}
			if len(r.Affected) > maxAffected {
				return fmt.Errorf("more than %d products", maxAffected)
			}
		}
	}
	return nil
}

// merge adds a statement to those before it: to the last of the same product where they
// say the same of other versions.
func merge(list []advisory.Affected, a advisory.Affected) []advisory.Affected {
	if n := len(list); n > 0 && len(a.With) == 0 {
		last := &list[n-1]
		if last.Product == a.Product && last.Status == a.Status && last.Justification == a.Justification && len(last.With) == 0 {
			if len(a.Versions) == 0 || len(last.Versions) == 0 {
				last.Versions = nil
				return list
			}
			for _, v := range a.Versions {
				if !slices.Contains(last.Versions, v) {
					last.Versions = append(last.Versions, v)
				}
			}
			return list
		}
	}
	return append(list, a)
}

func (c *csafDocument) weakness(cwe *ranked[int]) {
	c.d.object(func(key []byte) {
		if string(key) == "id" {
			if n := cweNumber(c.d.name()); n > 0 {
				cwe.add(0, n)
			}
		}
	})
}

// scores reads one entry of scores, or of the metrics of 2.1, where they lie deeper.
func (c *csafDocument) scores(scores *ranked[advisory.Score]) {
	d := c.d
	d.object(func(key []byte) {
		switch string(key) {
		case "content":
			c.scores(scores)
		case "cvss_v4", "cvss_v3", "cvss_v2":
			d.object(func(key []byte) {
				if string(key) == "vectorString" {
					if v := vector(d.name()); v != "" {
						scores.add(0, advisory.Score{Vector: v, By: c.record.Origin})
					}
				}
			})
		}
	})
}

// labelled reads an object with a label, which it returns with the products it is for;
// other members go to other.
func (c *csafDocument) labelled(member string, other func(key string)) (label string, products []string) {
	d := c.d
	d.object(func(key []byte) {
		switch k := string(key); k {
		case member:
			label = d.name()
		case "product_ids":
			products = append(products, d.texts()...)
		case "group_ids":
			for _, g := range d.texts() {
				products = append(products, c.groups[g]...)
			}
		default:
			if other != nil {
				other(k)
			}
		}
	})
	return label, products
}

const maxAdvice = 100

func (c *csafDocument) remediation(r *advisory.Record) {
	var a advisory.Advice
	var products []string
	a.Kind, products = c.labelled("category", func(key string) {
		switch key {
		case "details":
			if a.Text = c.d.text(); len(a.Text) > maxText {
				a.Text = strings.ToValidUTF8(a.Text[:maxText], "")
			}
		case "url":
			a.Link = link(c.d.text())
		}
	})
	for _, id := range products {
		if names, _ := c.names(id, 0); len(names) > 0 && !slices.Contains(a.Products, names[0].Product.Name) {
			a.Products = append(a.Products, names[0].Product.Name)
		}
	}
	if a.Kind != "" && len(r.Advice) < maxAdvice {
		r.Advice = append(r.Advice, a)
	}
}
