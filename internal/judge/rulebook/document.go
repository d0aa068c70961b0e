package rulebook

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/judge"
)

// Document writes the table of rules by vector, as Markdown: doc/rules.md is made so.
func Document(w io.Writer, rules []*judge.Rule) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Rules\n\nMade from the %d rules in `internal/judge/rulebook`; do not edit. `vesalius explain ID` tells all that is known of one.\n", len(rules))
	b.WriteString("The columns from FDA on are the crosswalk: FDA premarket guidance (Appendix 1), MDS2 (2019), IEC 62443-4-2, ETSI EN 303 645, OWASP IoT Top 10 (2018), NIST IR 8259A, Cyber Resilience Act (Annex I).\n")
	for _, v := range judge.Vectors() {
		list := slices.DeleteFunc(slices.Clone(rules), func(r *judge.Rule) bool { return r.Vector != v })
		slices.SortStableFunc(list, func(a, b *judge.Rule) int {
			return slices.Index(judge.Severities(), a.Severity) - slices.Index(judge.Severities(), b.Severity)
		})
		fmt.Fprintf(&b, "\n## %s (%d)\n\n", v, len(list))
		b.WriteString("| rule | says | severity | asks | CWE | crosswalk | FDA | MDS2 | 62443-4-2 | 303 645 | OWASP | 8259A | CRA |\n")
		b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
		for _, r := range list {
			cells := []string{"`" + r.ID + "`", r.Title, r.Severity, string(r.Ask), numbers(r.CWE)}
			for _, m := range []string{"vesalius", "fda", "mds2", "iec62443-4-2", "en303645", "owasp-iot", "nist8259a", "cra"} {
				cells = append(cells, strings.Join(r.Maps[m], ", "))
			}
			b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		}
	}
	_, _ = io.WriteString(w, b.String())
}

func numbers(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = fmt.Sprint(n)
	}
	return strings.Join(words, ", ")
}
