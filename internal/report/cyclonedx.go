package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/vex"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
)

var cyclonedx = Form{
	Name:  "cyclonedx",
	Title: "CycloneDX 1.6 JSON: the software bill of materials, with advisories",
	MIME:  "application/vnd.cyclonedx+json; version=1.6",
	write: writeCycloneDX,
}

// sbomPlaces is how many places of one component are written.
const sbomPlaces = 50

func writeCycloneDX(w io.Writer, d *dossier.Dossier, _ Options) error {
	id, err := uuid(d, "cyclonedx")
	if err != nil {
		return err
	}
	all := parts(d)
	bom := cdx.NewBOM()
	bom.SerialNumber = "urn:uuid:" + id
	bom.Metadata = &cdx.Metadata{
		Timestamp: d.At.UTC().Format(time.RFC3339),
		Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{
			Type: cdx.ComponentTypeApplication, Name: cmp.Or(clean(d.Tool.Name), "vesalius"), Version: clean(d.Tool.Version),
			ExternalReferences: &[]cdx.ExternalReference{{Type: cdx.ERTypeWebsite, URL: home}},
		}}},
		Authors:   &[]cdx.OrganizationalContact{{Name: strings.TrimSpace(cmp.Or(clean(d.Tool.Name), "vesalius") + " " + clean(d.Tool.Version))}}, // made by no person
		Component: cdxDevice(d),
	}
	components, dependencies := make([]cdx.Component, 0, len(all)), []cdx.Dependency{{Ref: "device"}}
	var refs []string
	for _, p := range all {
		components = append(components, cdxComponent(p))
		refs = append(refs, p.Ref)
		needs := cdx.Dependency{Ref: p.Ref}
		if len(p.Needs) > 0 {
			needs.Dependencies = &p.Needs
		}
		dependencies = append(dependencies, needs)
	}
	if len(refs) > 0 {
		dependencies[0].Dependencies = &refs
	}
	bom.Components = &components
	bom.Dependencies = &dependencies
	aggregate := cdx.CompositionAggregateIncomplete
	if componentsComplete(d) {
		aggregate = cdx.CompositionAggregateUnknown // all that there was to see was seen; no more is claimed
	}
	bom.Compositions = &[]cdx.Composition{{Aggregate: aggregate, Assemblies: &[]cdx.BOMReference{"device"}}}
	if v := cdxVulnerabilities(d, all); len(v) > 0 {
		bom.Vulnerabilities = &v
	}
	var b bytes.Buffer
	if err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return fmt.Errorf("cyclonedx: %w", err)
	}
	_, err = w.Write(dossier.Plain(b.Bytes()))
	return err
}

func cdxDevice(d *dossier.Dossier) *cdx.Component {
	c := &cdx.Component{BOMRef: "device", Type: cdx.ComponentTypeDevice, Name: cmp.Or(prose(d.Device.Model), deviceTitle(d)), Version: prose(d.Device.Version)}
	if d.Device.Vendor != "" {
		c.Manufacturer = &cdx.OrganizationalEntity{Name: prose(d.Device.Vendor)}
		c.Supplier = &cdx.OrganizationalEntity{Name: prose(d.Device.Vendor)}
	}
	c.Properties = properties("udi", d.Device.UDI, "class", d.Device.Class, "os", d.Device.OS, "distribution", d.Device.Distro, "arch", d.Device.Arch)
	return c
}

// properties makes properties of names and values, leaving out what is empty.
func properties(pairs ...string) *[]cdx.Property {
	var out []cdx.Property
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, cdx.Property{Name: "vesalius:" + pairs[i], Value: clean(pairs[i+1])})
		}
	}
	if out == nil {
		return nil
	}
	return &out
}

func cdxComponent(p *part) cdx.Component {
	c := cdx.Component{
		BOMRef: p.Ref, Type: cdxType(p.Type), Name: clean(p.Name), Version: p.Version, PackageURL: p.PURL, Licenses: cdxLicences(p.License),
		Evidence: cdxEvidence(p),
	}
	if p.Supplier != "" {
		c.Supplier = &cdx.OrganizationalEntity{Name: prose(p.Supplier)}
	}
	if p.SHA256 != "" {
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: p.SHA256}}
	}
	pairs := []string{"root", p.Root, "how", p.How, "why", p.Why, "support", p.Support, "end-of-support", p.EndOfSupport, "bundled-in", p.Bundled.Or("")}
	for i, s := range p.CPEs {
		if i == 0 {
			c.CPE = s
		} else {
			pairs = append(pairs, "cpe", s)
		}
	}
	c.Properties = properties(pairs...)
	return c
}

func cdxType(t string) cdx.ComponentType {
	switch t {
	case "application":
		return cdx.ComponentTypeApplication
	case "operating-system", "kernel":
		return cdx.ComponentTypeOS
	case "firmware":
		return cdx.ComponentTypeFirmware
	case "module":
		return cdx.ComponentTypeDeviceDriver
	}
	return cdx.ComponentTypeLibrary
}

func cdxLicences(s string) *cdx.Licenses {
	if s == "" {
		return nil
	}
	if e, ok := licence(s); ok {
		if !strings.Contains(e, " ") {
			return &cdx.Licenses{{License: &cdx.License{ID: e}}}
		}
		return &cdx.Licenses{{Expression: e}}
	}
	return &cdx.Licenses{{License: &cdx.License{Name: prose(s)}}}
}

// cdxEvidence says how a component was recognised and where it lies.
func cdxEvidence(p *part) *cdx.Evidence {
	technique := map[string]cdx.EvidenceIdentityTechnique{
		"package-database": cdx.EvidenceIdentityTechniqueManifestAnalysis, "manifest": cdx.EvidenceIdentityTechniqueManifestAnalysis,
		"binary-string": cdx.EvidenceIdentityTechniqueBinaryAnalysis, "symbols": cdx.EvidenceIdentityTechniqueBinaryAnalysis, "build-info": cdx.EvidenceIdentityTechniqueBinaryAnalysis,
		"soname": cdx.EvidenceIdentityTechniqueBinaryAnalysis, "file-name": cdx.EvidenceIdentityTechniqueFilename, "declared": cdx.EvidenceIdentityTechniqueAttestation,
	}
	sure := map[string]float32{"": 0.9, "high": 0.9, "medium": 0.6, "low": 0.3}[p.Confidence]
	method := cdx.EvidenceIdentityMethod{Technique: cmp.Or(technique[p.How], cdx.EvidenceIdentityTechniqueOther), Confidence: &sure, Value: clean(p.Why)}
	out := &cdx.Evidence{Identity: &cdx.EvidenceIdentityChoice{Identities: &[]cdx.EvidenceIdentity{{
		Field: cdx.EvidenceIdentityFieldTypeName, Confidence: &sure, Methods: &[]cdx.EvidenceIdentityMethod{method},
	}}}}
	var seen []cdx.EvidenceOccurrence
	for _, place := range p.Places[:min(len(p.Places), sbomPlaces)] {
		seen = append(seen, cdx.EvidenceOccurrence{Location: clean(place.String())})
	}
	if seen != nil {
		out.Occurrences = &seen
	}
	return out
}

func cdxVulnerabilities(d *dossier.Dossier, all []*part) []cdx.Vulnerability {
	var out []cdx.Vulnerability
	for _, m := range matches(d) {
		v := cdx.Vulnerability{ID: clean(m.Advisory), Analysis: &cdx.VulnerabilityAnalysis{State: cdxState(m.Match), Detail: strings.Join(proses(m.Why), "; ")}}
		if m.Status == advisory.NotThere {
			v.Analysis.Justification = cdx.ImpactAnalysisJustification(vex.CycloneDXReason(m.Justification))
		}
		if strings.HasPrefix(m.Advisory, "CVE-") {
			v.Source = &cdx.Source{Name: "NVD"}
		}
		scored := m.CVSS > 0
		if scored || dossier.Rank(m.Severity) >= 0 {
			r := cdx.VulnerabilityRating{Vector: clean(m.Vector)}
			if dossier.Rank(m.Severity) >= 0 {
				r.Severity = cdx.Severity(m.Severity)
			}
			if scored {
				r.Score = &m.CVSS
			}
			v.Ratings = &[]cdx.VulnerabilityRating{r}
		}
		if ids := slices.DeleteFunc(slices.Clone(m.CWE), func(n int) bool { return n < 1 }); len(ids) > 0 {
			v.CWEs = &ids
		}
		v.Recommendation = todo(m.Match)
		var affects []cdx.Affects
		for _, p := range all {
			if p.Name == m.Component && (p.Component.Version == m.Version || p.Version == clean(m.Version)) && (m.Root == "" || p.Root == m.Root) {
				affects = append(affects, cdx.Affects{Ref: p.Ref})
			}
		}
		if affects != nil {
			v.Affects = &affects
		}
		pairs := []string{"known-exploited", yesNo(fact.Say(m.KEV)), "epss", float(m.EPSS, 4), "kev-due", m.KEVDue, "fixed-in", m.FixedIn, "stated-by", m.By, "confidence", m.Confidence}
		v.Properties = properties(pairs...)
		out = append(out, v)
	}
	return out
}

// cdxState gives the status of a match. Exploitable says, as the standard defines it, that
// the vulnerability may be: what is matched with low confidence is in triage.
func cdxState(m *advisory.Match) cdx.ImpactAnalysisState {
	switch {
	case m.Status == advisory.Fixed:
		return cdx.IASResolved
	case m.Status == advisory.NotThere:
		return cdx.IASNotAffected
	case m.Status == advisory.Vulnerable && (m.Confidence != "low" || m.By != ""):
		return cdx.IASExploitable
	}
	return cdx.IASInTriage
}
