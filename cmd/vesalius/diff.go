package main

import (
	"fmt"
	"io"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/report"
)

type diffCommand struct {
	Old string `arg:"" help:"The dossier of the release before; - is standard input."`
	New string `arg:"" help:"The dossier of the release after."`

	Form   string   `short:"f" default:"text" placeholder:"FORM" help:"Form of the report: text, markdown, html or json."`
	To     string   `placeholder:"FILE" help:"Write the report to FILE instead of standard output."`
	FailOn []string `placeholder:"WHAT" help:"Exit with 3 where there is new:SEVERITY (a bad finding or vulnerability of that severity or worse that was not there before), any:SEVERITY, new:gap, shared:secret."`
	Color  string   `enum:"auto,always,never" default:"auto" help:"Colours in the text form: auto, always or never."`
	Width  int      `placeholder:"N" help:"Columns of the text form (default: the terminal's, else 100)."`
}

// Run compares two dossiers.
func (c *diffCommand) Run(w *world) error {
	form, err := report.FindDifference(c.Form)
	if err != nil {
		return calledError{err}
	}
	gates := make([]gateOn, len(c.FailOn))
	for i, s := range c.FailOn {
		if gates[i], err = readGate(s); err != nil {
			return err
		}
	}
	was, err := readDossier(c.Old)
	if err != nil {
		return err
	}
	is, err := readDossier(c.New)
	if err != nil {
		return err
	}
	d := dossier.Compare(was, is)
	o := output{Color: c.Color, Width: c.Width, To: c.To}
	options := o.options(w)
	if c.To != "" {
		err = writeFile(c.To, func(out io.Writer) error { return form.Write(out, d, options) })
	} else {
		err = form.Write(w.out, d, options)
	}
	if err != nil {
		return err
	}
	for _, g := range gates {
		if n := g.count(d); n > 0 {
			return badError{fmt.Sprintf("%d of %s", n, g.text)}
		}
	}
	return nil
}

// gateOn is one condition on a difference.
type gateOn struct{ text, which, what string }

func readGate(s string) (gateOn, error) {
	for _, which := range []string{"new", "any"} {
		for _, severity := range judge.Severities() {
			if s == which+":"+severity {
				return gateOn{s, which, severity}, nil
			}
		}
	}
	switch s {
	case "new:gap", "shared:secret":
		return gateOn{text: s, which: s}, nil
	}
	return gateOn{}, called("--fail-on %q: want new:SEVERITY, any:SEVERITY, new:gap or shared:secret", s)
}

// count counts what the condition is about.
func (g gateOn) count(d *dossier.Difference) (n int) {
	switch g.which {
	case "new:gap":
		for _, c := range d.Gaps {
			if c.Change == dossier.Added {
				n++
			}
		}
		return n
	case "shared:secret":
		return len(d.Shared)
	}
	within := func(change, severity string) bool {
		return (change == dossier.Added || g.which == "any" && change == dossier.Same) && dossier.Rank(severity) >= 0 && dossier.Rank(severity) <= dossier.Rank(g.what)
	}
	for _, c := range d.Findings {
		if c.After == judge.Bad && within(c.Change, c.Finding.Severity) {
			n++
		}
	}
	for _, c := range d.Matches {
		if within(c.Change, c.Match.Severity) {
			n++
		}
	}
	return n
}
