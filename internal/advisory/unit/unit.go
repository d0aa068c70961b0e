// Package unit matches the devices of a hospital's inventory to advisories.
//
// Medical advisories carry no product identifiers: a document names vendor, product and
// versions as people write them, and so does an inventory. [Read] reads the inventory, and
// a [Catalogue] finds the advisories that speak of a unit, by maker, product and version,
// with a confidence and every step told. What is not sure is left to a person, with the
// question to ask; a near miss is none, and a unit without a match says why.
package unit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/cvss"
)

// Unit is one device of an inventory, as a hospital lists it.
type Unit struct {
	Row     int    `json:"row"` // of the file, the first is 1
	Vendor  string `json:"vendor,omitzero"`
	Model   string `json:"model"`
	Version string `json:"version,omitzero"`
	Serial  string `json:"serial,omitzero"`
	UDI     string `json:"udi,omitzero"`
	Place   string `json:"place,omitzero"`
}

// The confidences of a match of a unit. Below high, a person confirms it.
const (
	High   = "high"
	Medium = "medium"
	Low    = "low"
)

// Match is one advisory that speaks of a unit, or may.
type Match struct {
	Document   string            `json:"document"` // ICSMA-..., else the id of the vulnerability
	Publisher  string            `json:"publisher,omitzero"`
	Vendor     string            `json:"vendor"`  // as the document names it
	Product    string            `json:"product"` // as the document names it
	Affected   []string          `json:"affected"`
	Confidence string            `json:"confidence"`
	Why        []string          `json:"why"`                // the steps, in order
	Confirm    string            `json:"confirm,omitzero"`   // what a person has to look up; empty where nothing is open
	Flaws      []Flaw            `json:"flaws"`              // worst first
	Severity   float64           `json:"cvss,omitzero"`      // the worst of them
	KEV        bool              `json:"kev"`                // attacks on one of them are known
	Advice     []advisory.Advice `json:"advice,omitempty"`   // what the document says to do
	Measures   []string          `json:"measures,omitempty"` // what protects the device where there is no fix
	Link       string            `json:"link,omitzero"`
}

// Flaw is one vulnerability of a matched advisory.
type Flaw struct {
	ID     string  `json:"id"`
	CVSS   float64 `json:"cvss,omitzero"`
	Vector string  `json:"vector,omitzero"`
	CWE    []int   `json:"cwe,omitempty"`
	KEV    bool    `json:"kev"`
	EPSS   float64 `json:"epss,omitzero"`
}

// Outside is an advisory of the unit's product that its version lies outside of.
type Outside struct {
	Document string   `json:"document"`
	Product  string   `json:"product"`
	Affected []string `json:"affected"`
	Why      []string `json:"why"`

	sure bool // that it is this product
}

// Report is what became of one unit. None is dropped.
type Report struct {
	Unit    Unit      `json:"unit"`
	Matches []Match   `json:"matches,omitempty"` // surest first
	Outside []Outside `json:"outside,omitempty"`
	None    string    `json:"none,omitzero"` // why there is no match
}

// Catalogue is what an index says of products that are named as people write them,
// prepared for inventories. It keeps what it looked up, and is for one goroutine.
type Catalogue struct {
	x       *advisory.Index
	makers  *makers
	entries []entry
	makerOf map[string]bool // makers that have products here
	of      map[advisory.Product][]advisory.Candidate
	known   map[string]*advisory.Vulnerability
}

// entry is one product of the index.
type entry struct {
	product advisory.Product
	makers  []string
	name    wording
	not     []wording // what the name excludes
}

// NewCatalogue reads the names of products out of the index.
func NewCatalogue(x *advisory.Index) (*Catalogue, error) {
	m, err := readMakers(makersText)
	if err != nil {
		return nil, err
	}
	c := &Catalogue{x: x, makers: m, makerOf: map[string]bool{}, of: map[advisory.Product][]advisory.Candidate{}, known: map[string]*advisory.Vulnerability{}}
	known := map[string][]string{}
	for p, err := range x.Names() {
		if err != nil {
			return nil, err
		}
		who, ok := known[p.Vendor]
		if !ok {
			who = m.document(p.Vendor)
			known[p.Vendor] = who
		}
		name, not := excluding(p.Name)
		for _, w := range who {
			c.makerOf[w] = true
		}
		for _, name := range alternatives(name) {
			e := entry{product: p, makers: who, name: m.wording(name, who)}
			for _, n := range not {
				e.not = append(e.not, m.wording(n, who))
			}
			c.entries = append(c.entries, e)
		}
	}
	return c, nil
}

// found is a product that a unit may be, before its version is looked at.
type found struct {
	entry *entry
	sure  string
	why   []string
	ask   string
}

// Match says which advisories of the catalogue speak of a unit.
func (c *Catalogue) Match(u Unit) (Report, error) {
	r := Report{Unit: u}
	if strings.TrimSpace(u.Model) == "" {
		r.None = "the row names no model"
		return r, nil
	}
	who := c.makers.inventory(u.Vendor, u.Model)
	if len(who.names) > 0 && !slices.ContainsFunc(who.names, func(n string) bool { return c.makerOf[n] }) {
		r.None = fmt.Sprintf("no advisory of the index is of the maker %q", u.Vendor)
		return r, nil
	}
	if len(who.names) == 0 && u.Vendor != "" {
		r.None = fmt.Sprintf("the maker %q is not known to the index", u.Vendor)
		return r, nil
	}
	all := c.products(u, who)
	if len(all) == 0 {
		r.None = fmt.Sprintf("the index knows the maker, and no product of it called %q", u.Model)
		if len(who.names) == 0 {
			r.None = fmt.Sprintf("the row names no maker, and no product is called %q", u.Model)
		}
		return r, nil
	}
	best := map[string]Match{}
	outside := map[string]Outside{}
	for _, f := range all {
		if err := c.versions(u, f, best, outside); err != nil {
			return r, err
		}
	}
	for d, o := range outside {
		if m, ok := best[d]; ok && (m.Confidence != Low || !o.sure) {
			continue
		}
		delete(best, d) // it names this very product with other versions
		r.Outside = append(r.Outside, o)
	}
	for _, m := range best {
		if err := c.complete(&m); err != nil {
			return r, err
		}
		r.Matches = append(r.Matches, m)
	}
	slices.SortFunc(r.Outside, func(a, b Outside) int { return cmp.Compare(a.Document, b.Document) })
	slices.SortFunc(r.Matches, func(a, b Match) int {
		return cmp.Or(cmp.Compare(sureness(b.Confidence), sureness(a.Confidence)), cmp.Compare(b.Severity, a.Severity), cmp.Compare(b.Document, a.Document))
	})
	switch {
	case len(r.Matches) == 0 && len(r.Outside) == 0:
		r.None = fmt.Sprintf("the index knows the maker, and no product of it called %q", u.Model)
	case len(r.Matches) == 0:
		r.None = "advisories of this product speak of other versions or models"
	}
	return r, nil
}

func sureness(c string) int { return slices.Index([]string{Low, Medium, High}, c) }

func atMost(c, most string) string {
	if sureness(c) > sureness(most) {
		return most
	}
	return c
}

// products finds the products that a unit may be.
func (c *Catalogue) products(u Unit, who maker) []found {
	var all []found
	unit := c.makers.wording(u.Model, who.names)
	for i := range c.entries {
		e := &c.entries[i]
		if len(who.names) > 0 && !slices.ContainsFunc(e.makers, func(n string) bool { return slices.Contains(who.names, n) }) {
			continue
		}
		if slices.ContainsFunc(e.not, func(n wording) bool { s, _, _ := unit.is(n); return s == High || s == Medium && len(n.numbers) == 0 }) {
			continue
		}
		sure, why, ask := unit.is(e.name)
		if sure == "" && e.name.empty() && len(who.names) > 0 {
			sure = Medium // what stands in place of versions tells: of Roche's "handheld medical devices"
		}
		if sure == "" {
			continue
		}
		if len(who.names) == 0 {
			sure, ask = Low, cmp.Or(ask, "who made it")
		} else {
			sure = atMost(sure, who.sure)
			if who.sure != High {
				ask = cmp.Or(ask, "who made it")
			}
		}
		all = append(all, found{e, sure, append(slices.Clone(who.why), why...), ask})
	}
	return all
}

// versions holds the version of a unit against what is said of a product, and keeps the
// surest answer of each document.
func (c *Catalogue) versions(u Unit, f found, best map[string]Match, outside map[string]Outside) error {
	p := f.entry.product
	candidates, ok := c.of[p]
	if !ok {
		var err error
		if candidates, err = c.x.ByName(p.Vendor, p.Name); err != nil {
			return err
		}
		c.of[p] = candidates
	}
	for _, cand := range candidates {
		for _, rec := range cand.Records {
			if rec.Withdrawn {
				continue
			}
			document := cmp.Or(rec.Document, cand.ID)
			var ranges []advisory.Range
			every, speaks := false, false
			for _, a := range rec.Affected {
				if a.Product.By == advisory.ByName && (a.Status == advisory.Vulnerable || a.Status == "") {
					speaks, every = true, every || len(a.Versions) == 0
					ranges = append(ranges, a.Versions...)
				}
			}
			if !speaks {
				continue
			}
			if every {
				ranges = nil
			}
			verdict, why, ask := within(u, f.entry.name, ranges)
			if f.entry.name.empty() {
				if verdict, why = c.listed(u, ranges); verdict == outOf {
					continue // of the maker's other products
				}
			}
			said := sayRanges(ranges)
			steps := append(slices.Clone(f.why), why)
			if verdict == outOf {
				if old, ok := outside[document]; !ok || !old.sure {
					outside[document] = Outside{document, f.entry.product.Name, said, steps, f.sure == High}
				}
				continue
			}
			m := Match{
				Document: document, Publisher: rec.Origin, Vendor: f.entry.product.Vendor, Product: f.entry.product.Name,
				Affected: said, Confidence: f.sure, Why: steps, Confirm: f.ask,
			}
			if verdict == unclear {
				m.Confidence, m.Confirm = Low, joinAsk(m.Confirm, ask)
			}
			old, ok := best[document]
			if !ok || sureness(m.Confidence) > sureness(old.Confidence) {
				m.Flaws = old.Flaws
				best[document] = m
				old = m
			}
			if !slices.ContainsFunc(old.Flaws, func(x Flaw) bool { return x.ID == cand.ID }) {
				old.Flaws = append(old.Flaws, Flaw{ID: cand.ID})
				best[document] = old
			}
		}
	}
	return nil
}

// listed says whether a unit is among products that stand where versions belong.
func (c *Catalogue) listed(u Unit, ranges []advisory.Range) (verdict int, why string) {
	unit := c.makers.wording(u.Model, nil)
	for _, r := range ranges {
		text := cmp.Or(r.Raw, r.From)
		if sure, _, _ := unit.is(c.makers.wording(text, nil)); sure == High {
			return inside, fmt.Sprintf("the document lists %q", text)
		}
	}
	return outOf, ""
}

func joinAsk(a, b string) string {
	if a == "" || b == "" || a == b {
		return cmp.Or(a, b)
	}
	return a + "; " + b
}

// complete adds what is known of the vulnerabilities, and what can be done.
func (c *Catalogue) complete(m *Match) error {
	network := false
	for i := range m.Flaws {
		f := &m.Flaws[i]
		v := c.known[f.ID]
		if v == nil {
			var err error
			if v, err = c.x.Vulnerability(f.ID); err != nil {
				return err
			}
			c.known[f.ID] = v
		}
		f.CWE, f.KEV = v.CWE(), v.Exploited() != nil
		if e := v.Forecast(); e != nil {
			f.EPSS = e.Probability
		}
		if s := v.Scores(); len(s) > 0 {
			f.Vector = s[0].Vector
			if score, err := cvss.Base(f.Vector); err == nil { // else the report shows the vector as it is
				f.CVSS = score
			}
		}
		network = network || strings.Contains(f.Vector, "AV:N") || strings.Contains(f.Vector, "AV:A")
		m.Severity, m.KEV = max(m.Severity, f.CVSS), m.KEV || f.KEV
		for _, rec := range v.Records {
			if cmp.Or(rec.Document, v.ID) != m.Document {
				continue
			}
			if m.Link == "" && len(rec.Links) > 0 {
				m.Link = rec.Links[0]
			}
			for _, a := range rec.Advice {
				if len(a.Products) > 0 && !slices.ContainsFunc(a.Products, func(p string) bool { return strings.Contains(p, m.Product) }) {
					continue
				}
				a.Products = nil
				if !slices.ContainsFunc(m.Advice, func(o advisory.Advice) bool { return o.Kind == a.Kind && o.Link == a.Link && o.Text == a.Text }) {
					m.Advice = append(m.Advice, a)
				}
			}
		}
	}
	slices.SortFunc(m.Flaws, func(a, b Flaw) int {
		k := 0
		if a.KEV != b.KEV {
			if k = 1; a.KEV {
				k = -1
			}
		}
		return cmp.Or(k, cmp.Compare(b.CVSS, a.CVSS), cmp.Compare(a.ID, b.ID))
	})
	slices.SortStableFunc(m.Advice, func(a, b advisory.Advice) int { return cmp.Compare(adviceRank(a.Kind), adviceRank(b.Kind)) })
	if !slices.ContainsFunc(m.Advice, func(a advisory.Advice) bool { return a.Kind == "vendor_fix" }) {
		m.Measures = measures(network)
	}
	return nil
}

func adviceRank(kind string) int {
	if i := slices.Index([]string{"vendor_fix", "workaround", "mitigation", "fix_planned", "no_fix_planned", "none_available"}, kind); i >= 0 {
		return i
	}
	return 9
}

// measures are what a hospital can do about a device for which there is no fix.
func measures(network bool) []string {
	m := []string{
		"ask the maker in writing for a fix or a date, and note the answer with the unit",
		"let only those who need it near the device and its ports; lock or cover what is not used",
	}
	if network {
		m = append([]string{
			"put the device into a network segment of its own, and let in and out only the hosts and ports that it needs",
			"let no way lead to it from the internet or from guests' networks; remote service goes through a gateway that is switched on when it is needed",
			"watch its traffic, and tell clinical engineering of what is new",
		}, m...)
	}
	return append(m, "plan its replacement, and keep the risk in the register until then")
}
