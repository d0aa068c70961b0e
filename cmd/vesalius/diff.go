package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/report"
)

type diffCommand struct {
	Old string `arg:"" help:"The release before: its dossier (- is standard input), or the image itself, a directory or example:NAME, which is scanned first."`
	New string `arg:"" help:"The release after."`

	Form   string   `short:"f" default:"text" placeholder:"FORM" help:"Form of the report: text, markdown, html, json or sarif."`
	To     string   `placeholder:"FILE" help:"Write the report to FILE instead of standard output."`
	FailOn []string `placeholder:"WHAT" help:"Exit with 3 where there is new:SEVERITY (a bad finding or vulnerability of that severity or worse that was not there before), any:SEVERITY, new:gap, shared:secret."`
	Color  string   `enum:"auto,always,never" default:"auto" help:"Colours in the text form: auto, always or never."`
	Width  int      `placeholder:"N" help:"Columns of the text form (default: the terminal's, else 100)."`

	knowledge
	Rules   []string      `placeholder:"DIR" help:"Directory of further rules, for images."`
	At      string        `placeholder:"DATE" help:"The date of the assessment of images, as 2026-11-24 (default: SOURCE_DATE_EPOCH, else now)."`
	Quiet   bool          `short:"q" help:"Show no progress."`
	Cache   string        `placeholder:"DIR" help:"Where to keep what was seen of contents, so that the second image costs what changed (default: the user's cache directory)."`
	NoCache bool          `help:"Keep nothing, and use nothing that was kept."`
	Timeout time.Duration `default:"30m" help:"Time after which the scan of an image is given up, as 10m."`
}

// side gives the dossier of one release: it reads one, or scans an image.
func (c *diffCommand) side(w *world, path string) (*dossier.Dossier, error) {
	if path == "-" || !strings.HasPrefix(path, "example:") && startsAsJSON(path) {
		return readDossier(path)
	}
	at, err := date(w, c.At)
	if err != nil {
		return nil, err
	}
	scan := scanCommand{Image: path, Quiet: c.Quiet, Cache: c.Cache, NoCache: c.NoCache, Timeout: c.Timeout, gate: gate{Rules: c.Rules, knowledge: c.knowledge}}
	d, _, err := scan.scan(w, at)
	if err != nil {
		return nil, err
	}
	d.Sort()
	return d, nil
}

// startsAsJSON reports whether a file begins as a dossier does. No image does.
func startsAsJSON(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true // reading it as a dossier says why
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := f.Read(head)
	return strings.HasPrefix(strings.TrimLeft(string(head[:n]), " \t\r\n"), "{")
}

// Run compares two releases.
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
	was, err := c.side(w, c.Old)
	if err != nil {
		return err
	}
	is, err := c.side(w, c.New)
	if err != nil {
		return err
	}
	d := dossier.Compare(was, is)
	o := output{Color: c.Color, Width: c.Width, To: c.To}
	options := o.options(w)
	if c.To != "" {
		err = writeFile(c.To, func(out io.Writer) error { return form.Write(out, d, is, options) })
	} else {
		err = form.Write(w.out, d, is, options)
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
