// Package snapshot carries a small index of advisories in the program, so that the first
// run knows something without a network: what is known of the products that the signatures
// name, and the vulnerabilities of the medical devices that CISA's advisories speak of. It
// holds facts only (ids, versions, vectors, weaknesses, dates, what is exploited), no
// descriptions, and it is as old as [advisory.Info.Date] says.
//
// [Open] gives it; [Make] chooses it from a whole index, which the command in the directory
// make does to renew it.
package snapshot

import (
	_ "embed"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

//go:embed snapshot.index
var file string

// Open opens the snapshot. It need not be closed.
func Open() (*advisory.Index, error) {
	return advisory.Open(strings.NewReader(file), int64(len(file)))
}

// Make writes a snapshot of an index: the vulnerabilities of CPE products, and all of which
// a CSAF document speaks. Products are "vendor:product", with or without a part before them;
// what bears the same name by another vendor is held too, so that it can be told apart.
// Of the former, what is said of further products is left out, and so are texts, and links
// but those of CSAF documents.
func Make(x *advisory.Index, products []string, w io.Writer) (advisory.Info, error) {
	info, err := x.Info()
	if err != nil {
		return info, err
	}
	named := map[string]bool{}
	for _, p := range products {
		named[p[strings.LastIndexByte(p, ':')+1:]] = true
	}
	b := advisory.NewBuilder(advisory.BuildOptions{Small: true, Chosen: info.Years})
	for v, err := range x.All() {
		if err != nil {
			return info, err
		}
		if err := choose(b, v, named); err != nil {
			return info, err
		}
	}
	return b.Write(w)
}

func choose(b *advisory.Builder, v *advisory.Vulnerability, named map[string]bool) error {
	medical := slices.Contains(v.Sources(), advisory.CSAF)
	of := func(a *advisory.Affected) bool {
		return a.Product.By == advisory.ByCPE && named[a.Product.Name]
	}
	chosen := medical
	for i := range v.Records {
		for j := range v.Records[i].Affected {
			chosen = chosen || of(&v.Records[i].Affected[j])
		}
	}
	if !chosen {
		return nil
	}
	for _, r := range v.Records {
		r.Text = ""
		if r.Source != advisory.CSAF {
			r.Links = nil
		}
		if !medical {
			r.Affected = slices.DeleteFunc(r.Affected, func(a advisory.Affected) bool { return !of(&a) })
		}
		for i := range r.Advice {
			r.Advice[i].Text = ""
		}
		if err := b.Add(r); err != nil {
			return err
		}
	}
	return nil
}
