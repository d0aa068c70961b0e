package report

import (
	"cmp"
	"io"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/dossier"
)

// SPDX is version 2.3; section numbers are of its specification.
var spdx = Form{
	Name:  "spdx",
	Title: "SPDX 2.3 JSON: the software bill of materials",
	MIME:  "application/spdx+json",
	write: writeSPDX,
}

const noAssertion = "NOASSERTION" // the word for what is not said

type spdxDocument struct {
	Version       string             `json:"spdxVersion"`
	License       string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Comment       string             `json:"comment,omitempty"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	Name            string         `json:"name"`
	ID              string         `json:"SPDXID"`
	Version         string         `json:"versionInfo,omitempty"`
	Purpose         string         `json:"primaryPackagePurpose,omitempty"`
	Supplier        string         `json:"supplier"`
	Download        string         `json:"downloadLocation"`
	Analyzed        bool           `json:"filesAnalyzed"`
	Checksums       []spdxChecksum `json:"checksums,omitempty"`
	Concluded       string         `json:"licenseConcluded"`
	Declared        string         `json:"licenseDeclared"`
	LicenseComments string         `json:"licenseComments,omitempty"`
	Copyright       string         `json:"copyrightText"`
	Source          string         `json:"sourceInfo,omitempty"`
	Comment         string         `json:"comment,omitempty"`
	Refs            []spdxRef      `json:"externalRefs,omitempty"`
	ValidUntil      string         `json:"validUntilDate,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

func writeSPDX(w io.Writer, d *dossier.Dossier, _ Options) error {
	id, err := uuid(d, "spdx")
	if err != nil {
		return err
	}
	const document, device = "SPDXRef-DOCUMENT", "SPDXRef-device"
	doc := spdxDocument{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: document, Name: deviceTitle(d), Namespace: home + "/spdx/" + id,
		Creation: spdxCreation{d.At.UTC().Format(time.RFC3339), []string{"Tool: " + cmp.Or(clean(d.Tool.Name), "vesalius") + "-" + cmp.Or(clean(d.Tool.Version), "unstated")}},
		Packages: []spdxPackage{{
			Name: cmp.Or(prose(d.Device.Model), deviceTitle(d)), ID: device, Version: prose(d.Device.Version), Purpose: "DEVICE", Supplier: spdxSupplier(d.Device.Vendor),
			Download: noAssertion, Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion,
		}},
		Relationships: []spdxRelationship{{document, "DESCRIBES", device}},
	}
	if !componentsComplete(d) {
		doc.Comment = "Not every part of the device could be read: components may be missing."
	}
	all := parts(d)
	for _, p := range all {
		doc.Packages = append(doc.Packages, spdxPackageOf(p))
		doc.Relationships = append(doc.Relationships, spdxRelationship{device, "CONTAINS", "SPDXRef-component-" + p.Ref})
	}
	for _, p := range all {
		for _, need := range p.Needs {
			doc.Relationships = append(doc.Relationships, spdxRelationship{"SPDXRef-component-" + p.Ref, "DEPENDS_ON", "SPDXRef-component-" + need})
		}
	}
	return dossier.Encode(w, doc)
}

func spdxSupplier(name string) string {
	if name == "" {
		return noAssertion
	}
	return "Organization: " + prose(name)
}

func spdxPackageOf(p *part) spdxPackage {
	out := spdxPackage{
		Name: clean(p.Name), ID: "SPDXRef-component-" + p.Ref, Version: p.Version, Purpose: spdxPurpose(p.Type), Supplier: spdxSupplier(p.Supplier),
		Download: noAssertion, Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion,
	}
	if e, ok := licence(p.License); ok {
		out.Declared = e
	} else if p.License != "" {
		out.LicenseComments = "declared as: " + prose(p.License)
	}
	if p.SHA256 != "" {
		out.Checksums = []spdxChecksum{{"SHA256", p.SHA256}}
	}
	if t, err := time.Parse(time.DateOnly, p.EndOfSupport); err == nil {
		out.ValidUntil = t.Format(time.RFC3339)
	}
	if p.Support != "" {
		out.Comment = "level of support: " + prose(p.Support) // FDA, V.A.4(b)
	}
	source := []string{}
	if p.How != "" {
		source = append(source, "known by "+clean(p.How))
	}
	for i, place := range p.Places {
		if i == sbomPlaces {
			break
		}
		source = append(source, clean(place.String()))
	}
	out.Source = strings.Join(source, "; ")
	for _, s := range p.CPEs {
		out.Refs = append(out.Refs, spdxRef{"SECURITY", "cpe23Type", s})
	}
	if p.PURL != "" {
		out.Refs = append(out.Refs, spdxRef{"PACKAGE-MANAGER", "purl", p.PURL})
	}
	return out
}

func spdxPurpose(t string) string {
	switch t {
	case "application":
		return "APPLICATION"
	case "operating-system", "kernel":
		return "OPERATING-SYSTEM"
	case "firmware":
		return "FIRMWARE"
	case "library", "module":
		return "LIBRARY"
	}
	return ""
}
