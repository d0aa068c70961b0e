package main

import (
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/witness/claim"
)

type judgeCommand struct {
	Dossiers []string `arg:"" name:"dossier" help:"Dossiers of one device; - is standard input."`

	output
	gate
	Claims []string `placeholder:"FILE" help:"A paper of the vendor (MDS2 form, SBOM, list of ports), to be held against what was found."`
	At     string   `placeholder:"DATE" help:"The date of the verdict, as 2026-11-24: exceptions expire against it (default: SOURCE_DATE_EPOCH, else now)."`
}

// Run judges dossiers of one device together, anew, by the rules of today.
func (c *judgeCommand) Run(w *world) error {
	at, err := date(w, c.At)
	if err != nil {
		return err
	}
	form, err := c.form()
	if err != nil {
		return err
	}
	g, err := c.prepare(w, at)
	if err != nil {
		return err
	}
	defer g.close()
	var list []*dossier.Dossier
	for _, p := range c.Dossiers {
		d, err := readDossier(p)
		if err != nil {
			return err
		}
		list = append(list, d)
	}
	d, err := dossier.Merge(list...)
	if err != nil {
		return calledError{err}
	}
	for _, p := range c.Claims {
		if err := addPaper(d, p, fact.Claimed, claim.Read); err != nil {
			return err
		}
	}
	d.Tool, d.At = tool(g.rules), at
	if err := g.judge(d); err != nil {
		return err
	}
	if err := c.write(w, form, d, nil); err != nil {
		return err
	}
	return g.verdict(d)
}
