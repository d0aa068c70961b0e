package main

import (
	"path/filepath"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/vex"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// knowledge says what is held against the components of a device.
type knowledge struct {
	database
	NoAdvisories bool     `help:"Hold no advisories against the components."`
	VEX          []string `name:"vex" sep:"none" placeholder:"FILE" help:"What is stated of vulnerabilities: OpenVEX, CSAF or CycloneDX; and the CycloneDX SBOM that a VEX points into."`
}

// known is knowledge that was read.
type known struct {
	index      *advisory.Index // nil where none is used
	about      dossier.Index
	statements []vex.Statement
}

// read opens the index and reads what is stated.
func (k *knowledge) read(w *world) (*known, error) {
	out := &known{}
	var papers [][]byte
	for _, p := range k.VEX {
		data, err := readPaper(p)
		if err != nil {
			return nil, err
		}
		list, err := vex.Read(filepath.Base(p), data)
		if err != nil {
			return nil, calledError{err}
		}
		out.statements = append(out.statements, list...)
		papers = append(papers, data)
	}
	out.statements = vex.Link(out.statements, papers...)
	if k.NoAdvisories {
		return out, nil
	}
	x, _, err := openIndex(w, k.DB)
	if err != nil {
		return nil, err
	}
	info, err := x.Info()
	if err != nil {
		x.Close()
		return nil, err
	}
	out.index, out.about = x, dossier.IndexOf(info, len(info.Chosen) > 0)
	return out, nil
}

func (k *known) close() {
	if k.index != nil {
		k.index.Close()
	}
}

// match says which vulnerabilities concern the components of a dossier.
func (k *known) match(d *dossier.Dossier) error {
	d.Matches, d.Considered = nil, nil
	d.Statements = append(d.Statements, k.statements...)
	if k.index == nil {
		return nil
	}
	d.Tool.Index = k.about
	r, err := k.index.Match(&d.Facts, advisory.Options{})
	if err != nil {
		return err
	}
	device := vex.Ref{Vendor: d.Device.Vendor, Name: d.Device.Model, Version: d.Device.Version}
	for _, in := range d.Inputs {
		if in.Witness == fact.Firmware && in.SHA256 != "" {
			device.Digest = in.SHA256
		}
	}
	d.Considered = r.Considered
	d.Matches, d.Statements = vex.Apply(r.Matches, d.Statements, device)
	return nil
}
