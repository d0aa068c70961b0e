package questionnaire

import (
	"fmt"
	"io"
	"strings"
)

// Document writes the table of a form's items, as Markdown: doc/claims.md is made so.
func Document(w io.Writer, f *Form) {
	n := 0
	for i := range f.Questions {
		if len(f.Questions[i].Rules) > 0 {
			n++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Claims\n\nMade from `internal/judge/questionnaire/%s.yaml`; do not edit.\n\n", f.ID)
	b.WriteString("`vesalius claims FORM` reads a form (MDS2 as CSV, JSON or XLSX), `--lint` holds its answers against each other, and `scan --claims FORM` and `judge --claims FORM`\n" +
		"hold them against the evidence. The topics are words of this project, not the form's.\n\n" +
		"A favourable answer (yes to a guard, no to a way in) is **contradicted** when one of the rules named beside it is bad, **confirmed** when all are good, else **not shown**.\n" +
		"An unfavourable answer that the evidence betters is **understated**. A star marks items where silence proves nothing: something must be there for the answer to be confirmed.\n" +
		"Each contradiction is also a finding of the rule `contradiction.claim`. Items without rules are read and shown, and nothing here can decide them.\n\n")
	fmt.Fprintf(&b, "%s: %d items, %d of them checkable.\n\n| item | topic | favourable | what decides |\n|---|---|---|---|\n", f.Title, len(f.Questions), n)
	for i := range f.Questions {
		q := &f.Questions[i]
		by := strings.Join(q.Rules, ", ")
		if q.Confirm != "" {
			by += " *"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", q.ID, q.Topic, q.Favours, by)
	}
	_, _ = io.WriteString(w, b.String())
}
