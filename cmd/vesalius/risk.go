package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/risk"
)

type riskCommand struct {
	Dossier string `arg:"" help:"The dossier; - is standard input."`

	Ask      bool   `help:"Ask what the facts cannot answer, one question after the other, and keep the answers in the dossier."`
	About    string `placeholder:"ID" help:"With --ask: ask of one risk, advisory or rule, and not of the device."`
	Who      string `placeholder:"NAME" help:"Who answers; needed with --ask."`
	Answers  string `placeholder:"FILE" help:"Take answers from FILE (YAML) and keep them in the dossier."`
	Template bool   `help:"Write an answers file to fill in, with what the facts answer and their evidence."`
	Policy   string `placeholder:"FILE" help:"Policy whose matrix counts (default: the one that is in force in the dossier)."`
	Out      string `short:"o" placeholder:"FILE" help:"Write the dossier to FILE (default: in place, where answers are new)."`
	Why      bool   `help:"Give the reasons of every risk, in order."`
	Parts    bool   `help:"List what is part of a chain by itself as well."`
	At       string `placeholder:"DATE" help:"The date of the answers and of the assessment, as 2026-11-24 (default: SOURCE_DATE_EPOCH, else now)."`
}

// Run assesses the risks of a dossier anew, with what people answer.
func (c *riskCommand) Run(w *world) error {
	at, err := date(w, c.At)
	if err != nil {
		return err
	}
	switch {
	case c.About != "" && !c.Ask:
		return called("--about: it says what is asked of; it needs --ask")
	case c.Ask && c.Who == "":
		return called("--ask: say who answers with --who")
	case c.Ask && c.Dossier == "-":
		return called("--ask: the dossier cannot come from standard input, the answers do")
	case c.Dossier == "-" && c.Answers != "" && c.Out == "":
		return called("--answers: say with -o where the dossier goes")
	}
	d, err := readDossier(c.Dossier)
	if err != nil {
		return err
	}
	if c.Template {
		_, err := w.out.Write(risk.Template(&d.Facts, at.Format(time.DateOnly)))
		return err
	}
	fresh, err := c.answers(w, d, at)
	if err != nil {
		return err
	}
	if err := c.assess(d, fresh, at); err != nil {
		return err
	}
	if len(fresh) > 0 && d.Verdict != nil {
		d.Verdict = nil
		fmt.Fprintln(w.err, "vesalius: the answers change what the policy was asked: judge the dossier again for a verdict")
	}
	if to := cmp.Or(c.Out, c.Dossier); c.Out != "" || len(fresh) > 0 {
		d.Sort()
		if err := writeFile(to, d.Write); err != nil {
			return err
		}
	}
	return c.print(w.out, d)
}

// answers are those that are new.
func (c *riskCommand) answers(w *world, d *dossier.Dossier, at time.Time) ([]risk.Answer, error) {
	var fresh []risk.Answer
	if c.Answers != "" {
		data, err := readPaper(c.Answers)
		if err != nil {
			return nil, err
		}
		if fresh, err = risk.ReadAnswers(c.Answers, data); err != nil {
			return nil, calledError{err}
		}
	}
	if c.Ask {
		asked, err := ask(os.Stdin, w.err, d, slices.Concat(d.Answers, fresh), risk.Answer{About: c.About, Who: c.Who, When: at.Format(time.DateOnly)})
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, asked...)
	}
	all := slices.Concat(d.Answers, fresh)
	if err := risk.CheckAnswers(all); err != nil {
		return nil, called("answers: %w", err)
	}
	return fresh, nil
}

// assess makes the risks of a dossier anew.
func (c *riskCommand) assess(d *dossier.Dossier, fresh []risk.Answer, at time.Time) error {
	for _, a := range fresh {
		if !slices.Contains(d.Answers, a) {
			d.Answers = append(d.Answers, a)
		}
	}
	matrix := risk.Default()
	if d.Assessed != nil {
		if err := d.Assessed.Matrix.Check(); err != nil {
			return fmt.Errorf("%s: the matrix in force: %w", c.Dossier, err)
		}
		matrix = &d.Assessed.Matrix
	}
	if c.Policy != "" {
		data, err := readPaper(c.Policy)
		if err != nil {
			return err
		}
		if matrix, err = risk.ReadMatrix(c.Policy, data); err != nil {
			return calledError{err}
		}
	}
	risks, sum := risk.Assess(risk.Input{
		Facts: &d.Facts, Findings: d.Findings, Rules: d.Rules, Matches: d.Matches, Matrix: matrix, Answers: d.Answers, At: at,
	})
	d.Risks, d.Assessed = risks, &sum
	return nil
}

// ask puts the questions that no earlier answer has answered, with what the facts say. An
// empty line leaves a question open; the end of the input ends the questions.
func ask(in io.Reader, out io.Writer, d *dossier.Dossier, known []risk.Answer, like risk.Answer) ([]risk.Answer, error) {
	lines := bufio.NewScanner(in)
	guesses := risk.Prefill(&d.Facts)
	var fresh []risk.Answer
	line := func(prompt string) (string, bool) {
		fmt.Fprint(out, prompt)
		ok := lines.Scan()
		return strings.TrimSpace(lines.Text()), ok
	}
	topic := ""
	for _, q := range risk.Questions() {
		if like.About == "" && q.Of == "weakness" || slices.ContainsFunc(known, func(a risk.Answer) bool { return a.Question == q.ID && a.About == like.About }) {
			continue
		}
		if q.Topic != topic {
			topic = q.Topic
			fmt.Fprintf(out, "\n%s\n", strings.ToUpper(topic[:1])+topic[1:])
		}
		hint := ""
		if g, ok := guesses[q.ID]; ok {
			hint = fmt.Sprintf("    the facts say %s: %s\n", g.Answer, printable(g.Evidence))
		}
		for {
			answer, ok := line(fmt.Sprintf("%s  %s\n%s    (%s; nothing: unknown) ", q.ID, q.Ask, hint, strings.Join(q.Answers(), ", ")))
			if !ok {
				fmt.Fprintln(out)
				return fresh, lines.Err()
			}
			if answer == "" || answer == "unknown" {
				break
			}
			if !slices.Contains(q.Answers(), answer) {
				fmt.Fprintf(out, "    %q is none of them\n", answer)
				continue
			}
			why, _ := line("    why? ")
			like.Question, like.Answer, like.Why = q.ID, answer, why
			fresh = append(fresh, like)
			if err := risk.CheckAnswers(slices.Concat(known, fresh)); err != nil {
				fmt.Fprintf(out, "    %v\n", err)
				fresh = fresh[:len(fresh)-1]
				continue
			}
			break
		}
	}
	return fresh, nil
}

// print writes the risks for a reader at a terminal.
func (c *riskCommand) print(out io.Writer, d *dossier.Dossier) error {
	var b strings.Builder
	s := d.Assessed
	var counts []string
	for _, l := range slices.Backward(s.Matrix.Levels) {
		counts = append(counts, fmt.Sprintf("%d %s", s.Levels[l], l))
	}
	fmt.Fprintf(&b, "%s: by the matrix %q. %d ways in are told as chains.\n", strings.Join(counts, ", "), s.Matrix.Name, s.Chains)
	for _, line := range slices.Concat(s.Contradictions, s.Unjudged, s.Assumed) {
		fmt.Fprintf(&b, "  %s\n", printable(line))
	}
	for _, r := range d.Risks {
		if len(r.PartOf) > 0 && !c.Parts {
			continue
		}
		fmt.Fprintf(&b, "\n%d. %s\n", r.Priority, printable(r.Title))
		fmt.Fprintf(&b, "   %s (%s, %s %.1f), id %s\n", r.Level, r.Exploitability, "score", r.Score, r.ID)
		if r.First != "" {
			fmt.Fprintf(&b, "   first: %s\n", printable(r.First))
		}
		for _, p := range r.Path {
			fmt.Fprintf(&b, "     %s\n", printable(p))
		}
		var parts []string
		for _, o := range d.Risks {
			if slices.Contains(o.PartOf, r.ID) {
				parts = append(parts, fmt.Sprintf("%d (%s)", o.Priority, printable(o.Title)))
			}
		}
		if len(parts) > 0 && !c.Parts {
			fmt.Fprintf(&b, "   with %s\n", strings.Join(parts, ", "))
		}
		if c.Why {
			for _, why := range r.Reasons {
				fmt.Fprintf(&b, "   - %s\n", printable(why))
			}
		}
		for _, m := range r.Measures {
			fmt.Fprintf(&b, "   do %s\n", printable(m))
		}
		if r.After != "" {
			fmt.Fprintf(&b, "   then %s", r.After)
			if r.Interim != "" {
				fmt.Fprintf(&b, "; with the hospital's measures alone %s", r.Interim)
			}
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
