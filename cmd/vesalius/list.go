package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/vesalius-project/vesalius/internal/component/signature"
	"github.com/vesalius-project/vesalius/internal/image/format"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
	"github.com/vesalius-project/vesalius/internal/report"
)

// table writes rows of cells in columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func allRules(dirs []string) ([]*judge.Rule, error) {
	rules, err := rulebook.Load()
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		more, err := rulebook.LoadDir(os.DirFS(dir))
		if err != nil {
			return nil, called("--rules %s: %w", dir, err)
		}
		rules = append(rules, more...)
	}
	return rules, nil
}

type rulesCommand struct {
	Vector string   `placeholder:"NAME" help:"Only rules of this vector."`
	JSON   bool     `name:"json" help:"As JSON, with all that is known of each."`
	Rules  []string `placeholder:"DIR" help:"Directory of further rules."`
}

// Run lists the rules.
func (c *rulesCommand) Run(w *world) error {
	rules, err := allRules(c.Rules)
	if err != nil {
		return err
	}
	if c.Vector != "" {
		if !slices.Contains(judge.Vectors(), c.Vector) {
			return called("--vector %q: want one of %s", c.Vector, strings.Join(judge.Vectors(), ", "))
		}
		rules = slices.DeleteFunc(rules, func(r *judge.Rule) bool { return r.Vector != c.Vector })
	}
	if c.JSON {
		return writeJSON(w.out, rules)
	}
	var rows [][]string
	for _, r := range rules {
		rows = append(rows, []string{r.ID, r.Severity, r.Vector, r.Title})
	}
	return table(w.out, rows)
}

type formatsCommand struct{}

// Run lists what is opened and what is written.
func (c *formatsCommand) Run(w *world) error {
	rows := [][]string{{"OPENED", "", ""}}
	for _, f := range format.All() {
		rows = append(rows, []string{f.Name, f.Class, f.Title})
	}
	rows = append(rows, []string{"", "", ""}, []string{"REPORTS (-f)", "", ""})
	for _, f := range report.Forms() {
		rows = append(rows, []string{f.Name, f.MIME, f.Title})
	}
	return table(w.out, rows)
}

type signaturesCommand struct{}

// Run lists the products that are known in binaries.
func (c *signaturesCommand) Run(w *world) error {
	list, err := signature.All()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, s := range list {
		rows = append(rows, []string{s.Name, strings.Join(s.CPEs, " "), s.Supplier})
	}
	return table(w.out, rows)
}

type versionCommand struct{}

// Run prints the version.
func (c *versionCommand) Run(w *world) error {
	rules, err := rulebook.Load()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "vesalius %s, %d rules (%s), %s %s/%s\n", version(), len(rules), tool(rules).Rulebook, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
