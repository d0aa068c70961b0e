// Package accuracy measures matching against a table of facts: versions of products of
// which two sources that do not know each other say the same. [Measure] holds an index
// against it, [Page] writes doc/accuracy-advisories.md.
//
// The table is chosen by the command in the directory make, from what the second source
// says and without the matcher. This package judges nothing else.
package accuracy

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/fact"
)

//go:embed testdata/truth.tsv
var truth string

//go:embed testdata/differ.tsv
var differ string

// Row is one fact: whether a version of a product is affected by a vulnerability.
type Row struct {
	Kind     string // before-fix, first, last, before-backport; fixed, not-yet, backport, other-product
	Product  string // our name
	Version  string // with the distribution's revision, for the back-ports
	ID       string
	Affected bool
	First    string // who says so
	Second   string
	More     string // of back-ports: the distribution, its package and its fixed version
}

// Rows gives the table.
func Rows() ([]Row, error) { return read(truth) }

// Differing gives rows of which the two sources say the opposite; Affected is what the
// second says. They are no part of the measure.
func Differing() ([]Row, error) { return read(differ) }

func read(table string) ([]Row, error) {
	var out []Row
	for line := range strings.Lines(table) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 8 {
			return nil, fmt.Errorf("table of truth: line %.100q", line)
		}
		out = append(out, Row{f[0], f[1], f[2], f[3], f[4] == "affected", f[5], f[6], f[7]})
	}
	return out, nil
}

// Result is what a matcher makes of the table.
type Result struct {
	True, Missed   int // rows that are affected: found, and not
	False, Refused int // rows that are not: called affected, and not
	Products       int
	Kinds          map[string][2]int // right and all
	Wrong          []Wrong
}

// Wrong is a row that was answered otherwise.
type Wrong struct {
	Row
	Got advisory.Status // "" where nothing matched
	Why []string
}

// Recall and Precision are shares, 0 to 1.
func (r *Result) Recall() float64 { return share(r.True, r.True+r.Missed) }

// Precision is the share of what is called affected that is.
func (r *Result) Precision() float64 { return share(r.True, r.True+r.False) }

func share(a, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(a) / float64(of)
}

// Measure asks an index for every row, as a component that the product's signature names,
// in a device that runs Linux.
func Measure(x *advisory.Index, rows []Row, signatures []component.Signature) (*Result, error) {
	cpes := map[string][]string{}
	for _, s := range signatures {
		cpes[s.Name] = s.CPEs
	}
	out := &Result{Kinds: map[string][2]int{}}
	products := map[string]bool{}
	for _, row := range rows {
		got, why, err := ask(x, row, cpes[row.Product])
		if err != nil {
			return nil, err
		}
		products[row.Product] = true
		right := (got == advisory.Vulnerable) == row.Affected
		switch {
		case row.Affected && right:
			out.True++
		case row.Affected:
			out.Missed++
		case right:
			out.Refused++
		default:
			out.False++
		}
		k := out.Kinds[row.Kind]
		k[1]++
		if right {
			k[0]++
		} else {
			out.Wrong = append(out.Wrong, Wrong{row, got, why})
		}
		out.Kinds[row.Kind] = k
	}
	out.Products = len(products)
	return out, nil
}

// ask gives the status of one row.
func ask(x *advisory.Index, row Row, cpes []string) (advisory.Status, []string, error) {
	c := &fact.Component{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}}, Name: row.Product, Version: row.Version, Ecosystem: "generic"}
	device := &fact.Device{OS: "linux"}
	for _, name := range cpes {
		p, _, err := advisory.ParseCPE(name)
		if err != nil {
			return "", nil, err
		}
		c.CPEs = append(c.CPEs, "cpe:2.3:"+p.Part+":"+p.Vendor+":"+p.Name+":*:*:*:*:*:*:*:*")
	}
	if row.More != "" {
		more := strings.Fields(row.More)
		if len(more) != 3 {
			return "", nil, fmt.Errorf("row %q: %q", row.ID, row.More)
		}
		var err error
		if x, err = withPackage(x, row.ID, more); err != nil {
			return "", nil, err
		}
		full := row.Version
		upstream, revision, _ := strings.Cut(full, "-")
		c.Version, c.Suffix, c.Ecosystem = upstream, "-"+revision, "apk"
		if before, after, ok := strings.Cut(upstream, "p"); ok && after != "" {
			full = before + "_p" + after + c.Suffix
		}
		c.PURL = "pkg:apk/alpine/" + more[1] + "@" + full
		device.DistroID, device.DistroVersion = "alpine", strings.TrimPrefix(more[0], "alpine-secdb:v")+".0"
	}
	facts := &fact.Set{Device: []*fact.Device{device}, Component: []*fact.Component{c}}
	r, err := x.Match(facts, advisory.Options{})
	if err != nil {
		return "", nil, err
	}
	for _, m := range r.Matches {
		if m.Advisory == row.ID {
			return m.Status, m.Why, nil
		}
	}
	all, err := x.Explain(row.ID, facts, advisory.Options{})
	if err != nil || len(all) == 0 {
		return "", []string{"the index does not hold it for this product"}, nil //nolint:nilerr // an unknown id is an answer here
	}
	return "", all[0].Why, nil
}

// withPackage makes an index of one vulnerability and what a distribution says of it.
func withPackage(x *advisory.Index, id string, more []string) (*advisory.Index, error) {
	b := advisory.NewBuilder(advisory.BuildOptions{})
	if v, err := x.Vulnerability(id); err == nil {
		for _, r := range v.Records {
			if err := b.Add(r); err != nil {
				return nil, err
			}
		}
	}
	eco := "Alpine:" + strings.TrimPrefix(more[0], "alpine-secdb:")
	err := b.Add(advisory.Record{Source: advisory.OSV, Origin: eco, ID: id, Document: "ALPINE-" + id, Affected: []advisory.Affected{{
		Product: advisory.Product{By: advisory.ByPackage, Ecosystem: eco, Name: more[1]}, Status: advisory.Vulnerable, Versions: []advisory.Range{{From: "0", To: more[2], Scheme: "apk"}}}}})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := b.Write(&out); err != nil {
		return nil, err
	}
	return advisory.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
}
