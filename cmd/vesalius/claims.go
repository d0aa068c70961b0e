package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/questionnaire"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
	"github.com/vesalius-project/vesalius/internal/witness/claim"
)

type claimsCommand struct {
	Read  claimsReadCommand  `cmd:"" default:"withargs" help:"Read the vendor's papers, and print what they claim."`
	Draft claimsDraftCommand `cmd:"" help:"Fill an MDS2 form from the evidence of a dossier."`
}

type claimsReadCommand struct {
	Files []string `arg:"" name:"file" help:"MDS2 form (CSV, JSON, XLSX), SBOM (CycloneDX, SPDX) or list of ports (CSV)."`
	Lint  bool     `help:"Only say which answers of a form do not fit together; exit with 3 when there are some."`
}

// Run prints what papers claim.
func (c *claimsReadCommand) Run(w *world) error {
	form, err := questionnaire.MDS2()
	if err != nil {
		return err
	}
	clashes := 0
	for _, p := range c.Files {
		set, err := readClaims(p)
		if err != nil {
			return err
		}
		name := filepath.Base(p)
		if c.Lint {
			for _, x := range claim.Lint(&set) {
				clashes++
				fmt.Fprintf(w.out, "%s: %s %s and %s %s: %s\n", printable(name), x.First.Question, x.First.Answer, x.Second.Question, x.Second.Answer, x.Why)
			}
			continue
		}
		fmt.Fprintf(w.out, "%s: %d answers, %d components, %d ports, %d destinations\n", printable(name), len(set.Claim), len(set.Component), len(set.Service), len(set.Destination))
		tellClaims(w.out, form, &set)
	}
	if clashes > 0 {
		return badError{fmt.Sprintf("%d pairs of answers do not fit together: ask the vendor", clashes)}
	}
	return nil
}

// tellClaims prints the facts of a paper, an answer a line.
func tellClaims(out io.Writer, form *questionnaire.Form, set *fact.Set) {
	for i, c := range set.Claim {
		if i == 0 && c.Form == claim.Edition2013 {
			fmt.Fprintf(out, "  the form is the edition of 2013: its answers are shown and not judged\n")
		}
		topic := ""
		if q := form.Find(c.Question); q != nil && c.Form == form.ID {
			topic = q.Topic
		}
		line := fmt.Sprintf("  %-9s %-5s %s", c.Question, c.Answer, topic)
		if c.Note != "" {
			line += " [" + c.Note + "]"
		}
		fmt.Fprintln(out, printable(line))
	}
	for _, c := range set.Component {
		fmt.Fprintln(out, printable(fmt.Sprintf("  component %s %s", c.Name, c.Version)))
	}
	for _, s := range set.Service {
		fmt.Fprintln(out, printable("  port "+s.Name))
	}
	for _, d := range set.Destination {
		fmt.Fprintln(out, printable("  destination "+d.Host))
	}
}

func readClaims(path string) (fact.Set, error) {
	data, err := readPaper(path)
	if err != nil {
		return fact.Set{}, err
	}
	set, err := claim.Read(filepath.Base(path), data)
	if err != nil {
		return set, called("%w", err)
	}
	return set, nil
}

// addPaper adds what a paper states to a dossier. read is how.
func addPaper(d *dossier.Dossier, path string, w fact.Witness, read func(name string, data []byte) (fact.Set, error)) error {
	data, err := readPaper(path)
	if err != nil {
		return err
	}
	set, err := read(filepath.Base(path), data)
	if err != nil {
		return called("%w", err)
	}
	d.Facts.Merge(&set)
	d.Inputs = append(d.Inputs, dossier.Input{Name: filepath.Base(path), SHA256: digestOf(data), Size: int64(len(data)), Witness: w})
	source := fact.Source{Witness: w, Input: filepath.Base(path)}
	for _, k := range fact.Kinds() {
		if len(set.Of(k)) > 0 {
			d.Coverage = append(d.Coverage, fact.Coverage{Source: source, Kind: k, Level: "partial", Why: "only what the paper names"})
		}
	}
	return nil
}

// judgeClaims holds the answers of forms against the rest of the dossier.
func judgeClaims(rules []*judge.Rule, d *dossier.Dossier) error {
	verdicts, err := questionnaire.Judge(rules, judge.Input{Facts: &d.Facts, Coverage: d.Coverage, Gaps: d.Gaps})
	if err != nil {
		return err
	}
	d.Claims = nil
	for _, v := range verdicts {
		d.Claims = append(d.Claims, dossier.Claim{Form: v.Form, Question: v.Question, Answer: v.Answer, Verdict: v.Verdict, Because: v.Because, Findings: v.Findings})
	}
	return nil
}

type claimsDraftCommand struct {
	Dossier string `arg:"" help:"The dossier of a scan; - is standard input."`
	From    string `placeholder:"FILE" help:"A form that is filled in already: its answers are kept, and a yes or no that the evidence contradicts is refused."`
	Form    string `short:"f" enum:"csv,json" default:"csv" help:"csv or json."`
	To      string `placeholder:"FILE" help:"Write the form to FILE instead of standard output."`
}

// line is one item of a draft.
type draftLine struct {
	ID      string `json:"id"`
	Topic   string `json:"topic"`
	Answer  string `json:"answer"`
	Note    string `json:"note,omitzero"`
	Because string `json:"because,omitzero"`
}

// Run fills a form by the evidence.
func (c *claimsDraftCommand) Run(w *world) error {
	d, err := readDossier(c.Dossier)
	if err != nil {
		return err
	}
	rules, err := rulebook.Load()
	if err != nil {
		return err
	}
	form, err := questionnaire.MDS2()
	if err != nil {
		return err
	}
	d.Facts.Claim = nil
	var given fact.Set
	if c.From != "" {
		if given, err = readClaims(c.From); err != nil {
			return err
		}
		d.Facts.Claim = given.Claim
	}
	in := judge.Input{Facts: &d.Facts, Coverage: d.Coverage, Gaps: d.Gaps}
	held, err := questionnaire.Judge(rules, in)
	if err != nil {
		return err
	}
	refused := 0
	for _, v := range held {
		if v.Verdict == questionnaire.Contradicted {
			refused++
			fmt.Fprintln(w.err, printable(fmt.Sprintf("vesalius: %s %s is refused: %s", v.Question, v.Answer, v.Because)))
		}
	}
	if refused > 0 {
		return badError{fmt.Sprintf("%d answers are contradicted by the evidence", refused)}
	}
	drafted, err := questionnaire.Draft(form, rules, in)
	if err != nil {
		return err
	}
	lines := draft(form, drafted, given.Claim)
	write := func(out io.Writer) error { return writeDraft(out, c.Form, form, lines) }
	if c.To != "" {
		return writeFile(c.To, write)
	}
	return write(w.out)
}

// draft makes the lines of a form: what was given, else what the evidence says.
func draft(form *questionnaire.Form, drafted []questionnaire.Verdict, given []*fact.Claim) []draftLine {
	var lines []draftLine
	for _, q := range form.Questions {
		l := draftLine{ID: q.ID, Topic: q.Topic}
		if i := slices.IndexFunc(drafted, func(v questionnaire.Verdict) bool { return v.Question == q.ID }); i >= 0 {
			l.Answer, l.Because = drafted[i].Answer, drafted[i].Because
		}
		for _, g := range given {
			if g.Form == form.ID && g.Question == q.ID && g.Answer != "blank" {
				l.Answer, l.Note = g.Raw, g.Note
			}
		}
		lines = append(lines, l)
	}
	return lines
}

func writeDraft(out io.Writer, as string, form *questionnaire.Form, lines []draftLine) error {
	if as == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Form      string      `json:"form"`
			Questions []draftLine `json:"questions"`
		}{form.ID, lines})
	}
	c := csv.NewWriter(out)
	if err := c.Write([]string{"id", "topic", "answer", "note", "because"}); err != nil {
		return err
	}
	for _, l := range lines {
		if err := c.Write([]string{l.ID, l.Topic, l.Answer, l.Note, l.Because}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}
