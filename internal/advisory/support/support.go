// Package support says who still mends what: for how long a line of a product gets
// security fixes, by facts in data files, one for each product.
//
// [State] sets the support of components, kernels and distributions; [Load] reads the
// facts. A product without a published end is told by its practice in words, and what is
// not known stays unstated with the reason: a date is never invented.
//
// The facts are read from distro-info-data and from endoflife.date, and hold the day they
// were read on; those that were written from memory of public schedules say so, and every
// report repeats it. A correction is a change of one line in data, and `make docs`.
package support

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed support.tsv
var compiled string

// Product is what is known of one product.
type Product struct {
	Name       string   `yaml:"name" json:"name"`                       // that of the file
	Names      []string `yaml:"names" json:"names"`                     // of components, or of distributions as os-release has them; in lower case
	System     bool     `yaml:"system" json:"system,omitzero"`          // a distribution or operating system
	Ecosystems []string `yaml:"ecosystems" json:"ecosystems,omitempty"` // of language packages that are it; others of its name are not
	Source     string   `yaml:"source" json:"source"`
	Checked    string   `yaml:"checked" json:"checked,omitzero"` // the day the facts were read; empty: from memory
	From       string   `yaml:"from" json:"from,omitzero"`       // what they were read from
	Practice   string   `yaml:"practice" json:"practice,omitzero"`
	Abandoned  string   `yaml:"abandoned" json:"abandoned,omitzero"` // why nobody maintains it, whatever the version
	Latest     bool     `yaml:"latest" json:"latest,omitzero"`       // only the latest release gets fixes: Lines are releases
	Words      bool     `yaml:"words" json:"words,omitzero"`         // a line is a set of words (10 ltsc 2021), not the beginning of a version
	Unlisted   bool     `yaml:"unlisted" json:"unlisted,omitzero"`   // a line that is not listed and is older than one that is has ended
	Lines      []Line   `yaml:"lines" json:"lines,omitempty"`
}

// Line is a line of releases that is maintained together. Its dates are written as
// 2026-11-24, or less exactly as 2026-11 or 2026.
type Line struct {
	Line        string `yaml:"line" json:"line"` // what its versions begin with
	Codename    string `yaml:"codename" json:"codename,omitzero"`
	Released    string `yaml:"released" json:"released,omitzero"`
	Active      string `yaml:"active" json:"active,omitzero"`     // end of active support
	Security    string `yaml:"security" json:"security,omitzero"` // end of security fixes that cost nothing
	Paid        string `yaml:"paid" json:"paid,omitzero"`         // end of what can be bought beyond
	Open        bool   `yaml:"open" json:"open,omitzero"`         // maintained, and no end is announced
	Ended       bool   `yaml:"ended" json:"ended,omitzero"`       // no longer maintained; the day is not known
	Unclear     string `yaml:"unclear" json:"unclear,omitzero"`   // why the line alone does not tell
	LTS         bool   `yaml:"lts" json:"lts,omitzero"`
	Unconfirmed bool   `yaml:"unconfirmed" json:"unconfirmed,omitzero"` // from memory, while the rest was read
}

// compile writes a product as one line of support.tsv: whether it is a system, its names,
// and all of it in JSON. A reader that looks for names need not read the JSON of others.
func compile(p Product) (string, error) {
	b, err := json.Marshal(p)
	return fmt.Sprintf("%t\t%s\t%s\n", p.System, strings.Join(p.Names, "|"), b), err
}

// each gives the lines of support.tsv.
func each(f func(system bool, names []string, text string)) {
	for line := range strings.Lines(compiled) {
		system, rest, _ := strings.Cut(line, "\t")
		names, text, _ := strings.Cut(rest, "\t")
		f(system == "true", strings.Split(names, "|"), text)
	}
}

// All returns the products that come with the program, in the order of their names.
func All() ([]Product, error) {
	var all []Product
	var err error
	each(func(_ bool, _ []string, text string) {
		var p Product
		err = errors.Join(err, json.Unmarshal([]byte(text), &p))
		all = append(all, p)
	})
	if err != nil {
		return nil, fmt.Errorf("support.tsv: %w", err)
	}
	return all, nil
}

const fileAtMost = 1 << 20

// Load reads the facts of a directory: every file NAME.yaml. A field that it does not
// know, and a date that is none, is an error.
func Load(dir fs.FS) ([]Product, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	var out []Product
	for _, n := range names {
		p, err := read(dir, n)
		if err != nil {
			return nil, fmt.Errorf("support of %q: %w", n, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func read(dir fs.FS, name string) (Product, error) {
	var p Product
	b, err := fs.ReadFile(dir, name)
	if err != nil {
		return p, err
	}
	if len(b) > fileAtMost {
		return p, fmt.Errorf("%d bytes are over the limit of %d", len(b), fileAtMost)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		return p, err
	}
	if want := strings.TrimSuffix(path.Base(name), ".yaml"); p.Name != want {
		return p, fmt.Errorf("name is %q, not the file's", p.Name)
	}
	return p, p.check()
}

var day = regexp.MustCompile(`^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$`)

// check reports what is wrong with the facts of a product.
func (p *Product) check() error {
	if len(p.Names) == 0 || p.Source == "" {
		return errors.New("names or source are missing")
	}
	if (p.Abandoned == "") == (len(p.Lines) == 0) {
		return errors.New("it wants either lines, or why it is abandoned")
	}
	if p.Checked != "" && (!day.MatchString(p.Checked) || p.From == "") {
		return fmt.Errorf("checked %q, from %q: want a day and a source", p.Checked, p.From)
	}
	seen := map[string]bool{}
	for _, l := range p.Lines {
		if l.Line == "" || seen[l.Line] {
			return fmt.Errorf("line %q stands twice, or is empty", l.Line)
		}
		seen[l.Line] = true
		for _, d := range []string{l.Released, l.Active, l.Security, l.Paid} {
			if d != "" && !day.MatchString(d) {
				return fmt.Errorf("line %q: %q is no date", l.Line, d)
			}
		}
		says := 0
		for _, yes := range []bool{l.Security != "", l.Open, l.Ended, l.Unclear != ""} {
			if yes {
				says++
			}
		}
		if p.Latest && (says > 0 || l.Released == "") || !p.Latest && says != 1 {
			return fmt.Errorf("line %q: want one of security, open, ended and unclear, or released where only the latest release counts", l.Line)
		}
		if l.Security != "" && l.Released > l.Security {
			return fmt.Errorf("line %q: released %s, ended before on %s", l.Line, l.Released, l.Security)
		}
	}
	return nil
}
