package advisory_test

import (
	"os"
	"testing"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/component/signature"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// BenchmarkMatch asks 200 components of the signatures, and a kernel, of the index that
// VESALIUS_INDEX names.
func BenchmarkMatch(b *testing.B) {
	path := os.Getenv("VESALIUS_INDEX")
	if path == "" {
		b.Skip("VESALIUS_INDEX names no index to measure with")
	}
	x, err := advisory.OpenFile(path)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	signatures, err := signature.All()
	if err != nil {
		b.Fatal(err)
	}
	facts := &fact.Set{Device: []*fact.Device{{OS: "linux"}}}
	for _, s := range signatures {
		if len(facts.Component) == 200 {
			break
		}
		if len(s.CPEs) == 0 {
			continue
		}
		c := &fact.Component{Name: s.Name, Version: "2.4.1", Ecosystem: "generic"}
		if s.Name == "linux" {
			c.Version = "5.10.110"
		}
		for _, name := range s.CPEs {
			p, _, err := advisory.ParseCPE(name)
			if err != nil {
				b.Fatal(err)
			}
			c.CPEs = append(c.CPEs, "cpe:2.3:"+p.Part+":"+p.Vendor+":"+p.Name+":*:*:*:*:*:*:*:*")
		}
		facts.Component = append(facts.Component, c)
	}
	var matches int
	for b.Loop() {
		r, err := x.Match(facts, advisory.Options{})
		if err != nil {
			b.Fatal(err)
		}
		matches = len(r.Matches)
	}
	b.ReportMetric(float64(len(facts.Component)), "components")
	b.ReportMetric(float64(matches), "matches")
}
