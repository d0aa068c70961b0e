package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/vex"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
)

var openvex = Form{
	Name:  "openvex",
	Title: "OpenVEX 0.2.0: what is known of each vulnerability in this device",
	MIME:  "application/json",
	write: func(w io.Writer, d *dossier.Dossier, _ Options) error {
		return writeVEX(w, d, "openvex", vex.WriteOpenVEX)
	},
}

var csaf = Form{
	Name:  "csaf",
	Title: "CSAF 2.0, profile VEX: what is known of each vulnerability in this device",
	MIME:  "application/json",
	write: func(w io.Writer, d *dossier.Dossier, _ Options) error { return writeVEX(w, d, "csaf", vex.WriteCSAF) },
}

var cyclonedxVEX = Form{
	Name:  "cyclonedx-vex",
	Title: "CycloneDX 1.6 JSON, VEX: what is known of each vulnerability in this device",
	MIME:  "application/vnd.cyclonedx+json; version=1.6",
	write: func(w io.Writer, d *dossier.Dossier, _ Options) error {
		return writeVEX(w, d, "cyclonedx-vex", vex.WriteCycloneDX)
	},
}

func writeVEX(w io.Writer, d *dossier.Dossier, form string, write func(io.Writer, vex.Document, []vex.Statement) error) error {
	id, err := uuid(d, form)
	if err != nil {
		return err
	}
	tool := strings.TrimSpace(cmp.Or(prose(d.Tool.Name), "vesalius") + " " + prose(d.Tool.Version))
	doc := vex.Document{
		Title: "Vulnerabilities of " + deviceTitle(d), Author: tool, Role: "other", URL: home, At: d.At, Tool: tool, Product: deviceRef(d),
	}
	switch form {
	case "openvex":
		doc.ID = home + "/openvex/" + id
	case "csaf":
		doc.ID = "VESALIUS-" + id
	default:
		doc.ID = "urn:uuid:" + id
	}
	list := statements(d)
	if form == "openvex" {
		list = iris(list)
	}
	var b bytes.Buffer
	if err := write(&b, doc, list); err != nil {
		return err
	}
	_, err = w.Write(dossier.Plain(b.Bytes()))
	return err
}

// iris names products by package URLs alone, as OpenVEX does best: what is left out of the
// other names stands in them.
func iris(list []vex.Statement) []vex.Statement {
	for i := range list {
		s := &list[i]
		s.Measures = nil // the action says it
		for _, r := range []*vex.Ref{&s.Product, &s.Component} {
			r.CPE = ""
			if r.PURL == "" {
				r.PURL = vex.Generic(*r)
			}
		}
	}
	return list
}

// deviceRef names the device as statements do.
func deviceRef(d *dossier.Dossier) vex.Ref {
	r := vex.Ref{Vendor: prose(d.Device.Vendor), Name: cmp.Or(prose(d.Device.Model), deviceTitle(d)), Version: prose(d.Device.Version)}
	images := 0
	for _, in := range d.Inputs {
		if b, err := hex.DecodeString(in.SHA256); in.Witness == fact.Firmware && err == nil && len(b) == sha256.Size {
			r.Digest = "sha256:" + strings.ToLower(in.SHA256)
			images++
		}
	}
	if images != 1 {
		r.Digest = "" // of several images none is the device
	}
	return r
}

// statements makes of each match what we state of it. A match of low confidence states no
// more than that it is being looked into; for the others "affected" says that the version
// is, and that something is to be done, as the standards define it: whether the device
// can be attacked, only people can say.
func statements(d *dossier.Dossier) []vex.Statement {
	device := deviceRef(d)
	all := parts(d)
	var out []vex.Statement
	made := map[string]bool{}
	for _, m := range distinct(matches(d)) {
		s := vex.Statement{
			Vulnerability: cmp.Or(prose(m.Advisory), "unnamed"), Product: device, Component: vex.Ref{Name: prose(m.Component), Version: prose(m.Version)}, Status: m.Status,
			Notes: strings.Join(proses(m.Why), "; "),
		}
		for _, a := range m.Aliases {
			s.Aliases = append(s.Aliases, prose(a))
		}
		slices.Sort(s.Aliases)
		s.Aliases = slices.Compact(s.Aliases)
		for _, p := range all {
			if p.Name == m.Component && (p.Component.Version == m.Version || p.Version == clean(m.Version)) && (m.Root == "" || p.Root == m.Root) {
				s.Component.PURL, s.Component.Digest = p.PURL, ""
				if p.SHA256 != "" {
					s.Component.Digest = "sha256:" + p.SHA256
				}
				if p.PURL == "" && len(p.CPEs) > 0 {
					s.Component.CPE = p.CPEs[0]
				}
				break
			}
		}
		if m.By != "" {
			s.Quotes = prose(m.By)
		}
		switch m.Status {
		case advisory.Vulnerable:
			if m.Confidence == "low" && m.By == "" {
				s.Status = advisory.Unclear
				s.Notes = strings.TrimLeft(s.Notes+"; the confidence is low", "; ")
				break
			}
			s.Action = todo(m.Match)
			if m.FixedIn != "" {
				s.Measures = []vex.Measure{{Kind: "vendor_fix", Text: "Fixed in " + prose(m.FixedIn) + "."}}
			}
		case advisory.NotThere:
			if slices.Contains(vex.Justifications(), m.Justification) {
				s.Justification = m.Justification
			}
			s.Impact, s.Notes = s.Notes, ""
		case advisory.Fixed, advisory.Unclear:
		default:
			s.Status = advisory.Unclear
		}
		if key := fmt.Sprintf("%q", s); !made[key] {
			made[key] = true
			out = append(out, s)
		}
	}
	return out
}
