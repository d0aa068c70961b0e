package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/judge"
)

// Explain writes all that is known about a rule for a reader at a terminal: why it
// matters, what to do, and what it maps to.
func Explain(w io.Writer, r *judge.Rule, o Options) error {
	p := newPrinter(w, o)
	p.line("%s", p.paint("1", prose(r.Title)))
	p.line("%s, version %d", clean(r.ID), r.Version)
	if len(r.Was) > 0 {
		p.line("formerly %s", clean(strings.Join(r.Was, ", ")))
	}
	p.line("")
	p.line("severity  %s", p.paint(hue(r.Severity), clean(r.Severity)))
	p.line("vector    %s", clean(vectorTitle(r.Vector)))
	if r.Pillar != "" {
		p.line("pillar    %s", clean(r.Pillar))
	}
	if len(r.CWE) > 0 {
		p.line("weakness  %s", cwes(r.CWE))
	}
	for _, s := range []struct{ title, text string }{
		{"Why it matters", r.Why},
		{"What to do", r.Recommend},
		{"Changes that mend the image", strings.Join(r.Remedy, ", ")},
		{"Why there is no mechanical fix", r.Human},
		{"What a hospital can do without touching the device", strings.Join(r.Control, ", ")},
	} {
		if s.text != "" {
			p.title(s.title)
			p.para("", prose(s.text))
		}
	}
	p.title("How it is judged")
	kinds := make([]string, len(r.Needs))
	for i, k := range r.Needs {
		kinds[i] = kindTitle(k)
	}
	p.para("", fmt.Sprintf("Asked of: %s. Bad when: %s", clean(string(r.Ask)), prose(r.When)))
	if len(kinds) > 0 {
		p.para("", "Good only where these could be seen fully: "+clean(strings.Join(kinds, ", "))+".")
	}
	if len(r.Maps) > 0 {
		p.title("Maps to")
		for _, m := range slices.Sorted(maps.Keys(r.Maps)) {
			p.para(fmt.Sprintf("  %-14s ", clean(m)), prose(strings.Join(r.Maps[m], ", ")))
		}
	}
	return p.w.Flush()
}
