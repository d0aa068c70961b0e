package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/support"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
	"github.com/vesalius-project/vesalius/internal/report"
	"github.com/vesalius-project/vesalius/internal/risk"
)

// output says where the dossier and the report go.
type output struct {
	Dossier string `short:"o" placeholder:"FILE" help:"Write the dossier (JSON) to FILE."`
	Form    string `short:"f" default:"text" placeholder:"FORM" help:"Form of the report: text, html, json, sarif, junit, cyclonedx, spdx, csv ... (see the command formats)."`
	To      string `placeholder:"FILE" help:"Write the report to FILE instead of standard output."`
	Redact  bool   `help:"Leave out what only the owner should see."`
	Color   string `enum:"auto,always,never" default:"auto" help:"Colours in the text form: auto, always or never."`
	Width   int    `placeholder:"N" help:"Columns of the text form (default: the terminal's, else 100)."`
}

func (o *output) form() (report.Form, error) {
	f, err := report.Find(o.Form)
	if err != nil {
		return f, calledError{err}
	}
	if o.Width < 0 || o.Width > 0 && o.Width < 40 {
		return f, called("--width %d: want 40 columns or more", o.Width)
	}
	return f, nil
}

// write writes the dossier and the report, which may say what changed since another one.
// Files are written whole or not at all.
func (o *output) write(w *world, form report.Form, d *dossier.Dossier, change *dossier.Difference) error {
	d.Sort()
	if o.Redact {
		var err error
		if d, err = dossier.Redact(d, dossier.Redaction{}); err != nil {
			return err
		}
	}
	if o.Dossier != "" {
		if err := writeFile(o.Dossier, d.Write); err != nil {
			return err
		}
	}
	options := o.options(w)
	options.Change = change
	if o.To != "" {
		return writeFile(o.To, func(out io.Writer) error { return form.Write(out, d, options) })
	}
	return form.Write(w.out, d, options)
}

// options are how the form is to be written.
func (o *output) options(w *world) report.Options {
	options := report.Options{Color: w.color, Width: o.Width}
	switch {
	case o.Color == "always":
		options.Color = true
	case o.Color == "never" || o.To != "":
		options.Color = false
	}
	if options.Width == 0 {
		options.Width = 100
		if w.width >= 40 && o.To == "" {
			options.Width = min(w.width, 160)
		}
	}
	return options
}

// writeFile writes beside the file and renames, so that a killed run leaves no half of it.
func writeFile(path string, write func(io.Writer) error) (err error) {
	part := path + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part)
		}
	}()
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// gate says by what is judged, and when the exit code tells something bad.
type gate struct {
	FailOn              string   `enum:"critical,high,medium,low,info,none" default:"high" help:"Exit with 3 for a bad finding of this severity or worse: critical, high, medium, low, info, none."`
	FailOnVulnerability string   `enum:"known-exploited,critical,high,medium,low,none,default" default:"default" placeholder:"LEVEL" help:"Exit with 3 for a vulnerability that affects a component and is known to be exploited, or of this severity or worse: known-exploited (the default, unless --fail-on is none), critical, high, medium, low, none."`
	Policy              string   `placeholder:"FILE" help:"Policy that accepts or rejects."`
	Rules               []string `placeholder:"DIR" help:"Directory of further rules."`
	knowledge
}

// gated is a gate whose files were read.
type gated struct {
	*gate
	judger *judge.Judge
	rules  []*judge.Rule
	policy *judge.Policy
	matrix *risk.Matrix
	known  *known
	at     time.Time
}

// prepare reads what is judged by. Close it.
func (g *gate) prepare(w *world, at time.Time) (*gated, error) {
	out := &gated{gate: g, at: at, matrix: risk.Default()}
	rules, err := rulebook.Load()
	if err != nil {
		return nil, err
	}
	for _, dir := range g.Rules {
		more, err := rulebook.LoadDir(os.DirFS(dir))
		if err != nil {
			return nil, called("--rules %s: %w", dir, err)
		}
		rules = append(rules, more...)
	}
	out.rules = rules
	if out.judger, err = judge.New(rules); err != nil {
		return nil, calledError{err}
	}
	if g.Policy != "" {
		data, err := readPaper(g.Policy)
		if err != nil {
			return nil, err
		}
		if out.policy, err = judge.ReadPolicy(g.Policy, data); err != nil {
			return nil, calledError{err}
		}
		if out.matrix, err = risk.ReadMatrix(g.Policy, data); err != nil {
			return nil, calledError{err}
		}
	}
	out.known, err = g.read(w)
	return out, err
}

func (g *gated) close() { g.known.close() }

// judge asks the rules of the dossier's facts.
func (g *gated) judge(d *dossier.Dossier) error {
	d.Facts.Sort()
	if err := support.State(&d.Facts, g.at); err != nil {
		return err
	}
	if err := judgeClaims(g.rules, d); err != nil {
		return err
	}
	findings, err := g.judger.Judge(judge.Input{Facts: &d.Facts, Coverage: d.Coverage, Gaps: d.Gaps})
	if err != nil {
		return err
	}
	d.Findings = make([]*judge.Finding, len(findings))
	for i := range findings {
		d.Findings[i] = &findings[i]
	}
	d.Device = dossier.DeviceOf(&d.Facts)
	d.Rules = map[string]*judge.Rule{}
	for _, r := range g.rules {
		d.Rules[r.ID] = r
	}
	if err := g.known.match(d); err != nil {
		return err
	}
	g.assess(d)
	if g.policy != nil {
		v := g.policy.Judge(findings, d.Gaps, g.rules, g.at)
		g.policy.JudgeMatches(&v, d.Matches, d.Considered, g.at)
		risk.Gate(g.policy, g.matrix, d.Risks, &v, g.at)
		d.Verdict = &v
	}
	return nil
}

// assess makes the risks of what was found and matched.
func (g *gated) assess(d *dossier.Dossier) {
	risks, sum := risk.Assess(risk.Input{
		Facts: &d.Facts, Findings: d.Findings, Rules: d.Rules, Matches: d.Matches, Matrix: g.matrix, Answers: d.Answers, At: g.at,
	})
	d.Risks, d.Assessed = risks, &sum
}

// verdict is the error that ends a command which found something bad.
func (g *gated) verdict(d *dossier.Dossier) error {
	if d.Verdict != nil {
		if d.Verdict.Outcome == judge.Reject {
			return badError{fmt.Sprintf("rejected by the policy %q", d.Verdict.Policy)}
		}
		return nil
	}
	var words []string
	n := 0
	for _, f := range d.Findings {
		if g.FailOn != "none" && f.Outcome == judge.Bad && dossier.Rank(f.Severity) <= dossier.Rank(g.FailOn) {
			n++
		}
	}
	if n > 0 {
		words = append(words, fmt.Sprintf("%d bad findings of severity %s or worse", n, g.FailOn))
	}
	if n, what := g.vulnerable(d); n > 0 {
		words = append(words, fmt.Sprintf("%d vulnerabilities that are known to be exploited%s", n, what))
	}
	if len(words) > 0 {
		return badError{strings.Join(words, ", ")}
	}
	return nil
}

// vulnerable counts the vulnerabilities that affect a component and are bad enough, and
// says what else than known exploitation that is.
func (g *gated) vulnerable(d *dossier.Dossier) (n int, what string) {
	for _, m := range d.Matches {
		if g.severe(m) {
			n++
		}
	}
	if dossier.Rank(g.FailOnVulnerability) >= 0 {
		what = ", or of severity " + g.FailOnVulnerability + " or worse"
	}
	return n, what
}

// severe reports whether a vulnerability affects its component and is bad enough.
func (g *gated) severe(m advisory.Match) bool {
	if g.FailOnVulnerability == "none" || g.FailOnVulnerability == "default" && g.FailOn == "none" {
		return false
	}
	level, rank := dossier.Rank(g.FailOnVulnerability), dossier.Rank(m.Severity) // -1: only what is exploited
	return m.Status == advisory.Vulnerable && (m.KEV || rank >= 0 && rank <= level)
}

// news is the error that ends a command which found something bad that was not there
// before.
func (g *gated) news(change *dossier.Difference) error {
	findings, matches := 0, 0
	for _, c := range change.Findings {
		if g.FailOn != "none" && c.Change == dossier.Added && c.After == judge.Bad && dossier.Rank(c.Finding.Severity) <= dossier.Rank(g.FailOn) {
			findings++
		}
	}
	for _, c := range change.Matches {
		if c.After == advisory.Vulnerable && g.severe(c.Match) {
			matches++
		}
	}
	if findings+matches > 0 {
		return badError{fmt.Sprintf("new since the baseline: %d bad findings of severity %s or worse, %d vulnerabilities", findings, g.FailOn, matches)}
	}
	return nil
}

// tool names this program and the rules it asks.
func tool(rules []*judge.Rule) dossier.Tool {
	h := sha256.New()
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, func(a, b *judge.Rule) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	for _, r := range sorted {
		_ = json.NewEncoder(h).Encode(r)
	}
	return dossier.Tool{Name: "vesalius", Version: version(), Rulebook: "sha256:" + hex.EncodeToString(h.Sum(nil))[:16]}
}

// version is the module's version, as the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
