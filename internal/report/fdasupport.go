package report

import (
	"cmp"
	"io"
	"slices"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
)

var fdaSupport = Form{
	Name:  "fda-support",
	Title: "CSV of the level of support and end of support of each component: the addendum to the SBOM that FDA asks for (V.A.4(b))",
	MIME:  "text/csv; charset=utf-8",
	write: writeFDASupport,
}

// writeFDASupport writes a row for each component that was found, for each kernel that is
// no component, and for the operating system. What is not known says unknown, and why.
func writeFDASupport(w io.Writer, d *dossier.Dossier, _ Options) error {
	const unknown = "unknown"
	rows := [][]string{{"name", "version", "supplier", "kind", "root", "level_of_support", "end_of_support", "ends_within_a_year", "how_known", "source", "assessed_on"}}
	at := d.At.UTC().Format("2006-01-02")
	add := func(name, version, supplier, kind, root, level, end string, ending fact.Opt[bool], why, source string) {
		near := unknown
		if v, ok := ending.Value(); ok {
			near = "no"
			if v {
				near = "yes"
			}
		}
		rows = append(rows, []string{name, cmp.Or(version, unknown), cmp.Or(supplier, unknown), kind, root, cmp.Or(level, unknown), cmp.Or(end, unknown), near,
			cmp.Or(why, "nobody has said"), cmp.Or(source, unknown), at})
	}
	for _, f := range d.Facts.Device {
		if f.Source.Witness == fact.Firmware && (f.Distro != "" || f.DistroID != "") {
			add(cmp.Or(f.DistroID, f.Distro), f.DistroVersion, "", "operating-system", f.Root, f.DistroSupport, f.DistroEnd, f.DistroEnding, f.DistroWhy, f.DistroSource)
		}
	}
	list := components(d)
	for _, n := range d.Facts.Kernel {
		if !slices.ContainsFunc(list, func(c *fact.Component) bool { return c.Name == n.Name && c.Version == n.Version }) {
			add(n.Name, n.Version, "", "kernel", n.Root, n.Support, n.EndOfSupport, n.Ending, n.SupportWhy, n.SupportSource)
		}
	}
	for _, c := range list {
		if c.Source.Witness == fact.Claimed || c.Source.Witness == fact.Design {
			continue // the addendum is of what is really inside
		}
		add(c.Name, c.Version+c.Suffix, c.Supplier, cmp.Or(c.Type, "library"), c.Root, c.Support, c.EndOfSupport, c.Ending, c.SupportWhy, c.SupportSource)
	}
	return writeCSV(w, rows)
}
