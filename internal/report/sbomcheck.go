package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/vesalius-project/vesalius/internal/dossier"
)

var sbomCheck = Form{
	Name:  "sbom-check",
	Title: "text: how complete the software bill of materials is, attribute by attribute",
	MIME:  "text/plain; charset=utf-8",
	write: writeSBOMCheck,
}

// sbomAttribute is something that NTIA (2021) or FDA asks of a bill of materials.
type sbomAttribute struct {
	ID, Title, Asks string
	Have, Of        int
	Missing         []string // components
	Why             string   // of the document as a whole
}

// sbomAttributes checks the bill that the forms cyclonedx and spdx write.
func sbomAttributes(d *dossier.Dossier) []*sbomAttribute {
	document := func(id, title, asks string, ok bool, why string) *sbomAttribute {
		a := &sbomAttribute{ID: id, Title: title, Asks: asks, Of: 1, Why: why}
		if ok {
			a.Have, a.Why = 1, ""
		}
		return a
	}
	all := parts(d)
	of := func(id, title, asks string, has func(p *part) bool) *sbomAttribute {
		a := &sbomAttribute{ID: id, Title: title, Asks: asks, Of: len(all)}
		for _, p := range all {
			if has(p) {
				a.Have++
			} else {
				name := cmp.Or(strings.TrimSpace(clean(p.Name)+" "+p.Version), "unnamed")
				if p.Root != "" && p.Root != "system" {
					name += " (" + clean(p.Root) + ")"
				}
				a.Missing = append(a.Missing, name)
			}
		}
		return a
	}
	complete := "components may be missing: not every part could be read"
	if len(all) == 0 {
		complete = "there is no component"
	}
	return []*sbomAttribute{
		document("FDA-SBOM-01", "author of the bill", "NTIA", d.Tool.Name != "", "the dossier names no tool"),
		document("FDA-SBOM-02", "timestamp", "NTIA", !d.At.IsZero(), "the dossier has no date"),
		of("FDA-SBOM-03", "supplier", "NTIA", func(p *part) bool { return p.Supplier != "" }),
		of("FDA-SBOM-04", "component name", "NTIA", func(p *part) bool { return p.Name != "" }),
		of("FDA-SBOM-05", "version", "NTIA", func(p *part) bool { return p.Version != "" }),
		of("FDA-SBOM-06", "unique identifier (purl or CPE)", "NTIA", func(p *part) bool { return p.PURL != "" || len(p.CPEs) > 0 }),
		document("FDA-SBOM-07", "relationship: what contains what, and all of it", "NTIA", componentsComplete(d) && len(all) > 0, complete),
		of("FDA-SBOM-08", "hash", "NTIA framing document", func(p *part) bool { return p.SHA256 != "" }),
		of("FDA-SBOM-09", "level of support", "FDA V.A.4(b)", func(p *part) bool { return p.Support != "" }),
		of("FDA-SBOM-10", "end of support", "FDA V.A.4(b)", func(p *part) bool { return p.EndOfSupport != "" }),
	}
}

func (a *sbomAttribute) words() string {
	if a.Why != "" {
		return a.Why
	}
	return list(a.Missing, textNames)
}

func writeSBOMCheck(w io.Writer, d *dossier.Dossier, o Options) error {
	p := newPrinter(w, o)
	p.line("%s", p.paint("1", "Software bill of materials: "+deviceTitle(d)))
	all := sbomAttributes(d)
	full := 0
	for _, a := range all {
		if a.Have == a.Of && a.Of > 0 {
			full++
		}
	}
	p.line("")
	p.para("", fmt.Sprintf("%s, %d of %d attributes complete.", plural(len(d.Facts.Component), "component", "components"), full, len(all)))
	p.line("")
	for _, a := range all {
		code := "32"
		if a.Have < a.Of || a.Of == 0 {
			code = "33"
		}
		p.line("%s  %s %s", a.ID, p.paint(code, fmt.Sprintf("%11s", fmt.Sprintf("%d of %d", a.Have, a.Of))), " "+a.Title)
	}
	for _, a := range all {
		if len(a.Missing) == 0 && a.Why == "" {
			continue
		}
		p.title(a.ID + ", " + a.Title + " (" + a.Asks + ")")
		if a.Why != "" {
			p.para("  ", a.Why)
			continue
		}
		p.para("  ", "missing: "+strings.Join(a.Missing, ", "))
	}
	p.line("")
	p.para("", toolLine(d))
	return p.w.Flush()
}

func sbomTable(d *dossier.Dossier) pageTable {
	t := table("sbom", "Bill of materials", "How complete it is, by the attributes that NTIA and FDA ask for.", "Attribute:short", "What:text", "Asked by:short", "Have:num", "Of:num", "Missing in:text")
	if len(d.Facts.Component) == 0 {
		return t
	}
	for _, a := range sbomAttributes(d) {
		t.row(a.ID, a.Title, a.Asks, fmt.Sprint(a.Have), fmt.Sprint(a.Of), a.words())
	}
	return t
}
