// Package rulebook holds the rules: one YAML file each, with its tests inside. [Load]
// gives them to the judge; [LoadDir] reads a user's own in the same form. The program
// carries them as rules.json, which `make docs` writes from the files: parsed and checked
// already, so that a start costs a few milliseconds and not a hundred.
//
// A rule file has the fields of [judge.Rule] and a list of tests. A test gives one fact of
// the kind that is asked, may give more facts beside it (a kind's name holds one fact, its
// plural a list), may say which kinds were seen only in part, and wants bad, good or
// unknown:
//
//	tests:
//	  - {service: {name: a, protocol: telnet, start: boot}, want: bad}
//	  - {service: {name: a, protocol: ssh, start: boot}, guards: [{what: firewall, active: true}], want: good}
//	  - {service: {name: a, start: boot}, want: unknown}
//
// The facts lie in the root "system" and come from the firmware unless they say otherwise.
// [Check] runs the tests; a rule without a bad, a good and an unknown test fails it.
package rulebook

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/search"
)

// page is one rule file.
type page struct {
	judge.Rule `yaml:",inline"`
	Tests      []map[string]any `yaml:"tests"`
}

//go:embed rules.json
var compiled []byte

// carried is a rule in rules.json: without its tests, its expressions checked.
type carried struct {
	judge.Rule
	Checked *judge.Checked `json:"checked"`
}

// Load returns the rules that come with the program, by id.
func Load() ([]*judge.Rule, error) {
	rules, err := Unpack(compiled)
	if err != nil {
		return nil, fmt.Errorf("rules.json: %w", err)
	}
	return rules, nil
}

// Pack writes rules with their checked expressions (see [judge.Check]), one a line, so that
// a change shows.
func Pack(rules []*judge.Rule) ([]byte, error) {
	lines := make([]string, len(rules))
	for i, r := range rules {
		b, err := json.Marshal(carried{*r, r.Checked})
		if err != nil {
			return nil, err
		}
		lines[i] = string(b)
	}
	return []byte("[\n" + strings.Join(lines, ",\n") + "\n]\n"), nil
}

// Unpack reads what [Pack] wrote.
func Unpack(data []byte) ([]*judge.Rule, error) {
	var all []carried
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	rules := make([]*judge.Rule, len(all))
	for i := range all {
		rules[i] = &all[i].Rule
		rules[i].Checked = all[i].Checked
	}
	return rules, nil
}

// LoadDir reads the rule files (*.yaml) at the top of a directory, by id. It refuses
// unknown keys, so that a slip of the pen is not silence.
func LoadDir(dir fs.FS) ([]*judge.Rule, error) {
	pages, err := read(dir)
	if err != nil {
		return nil, err
	}
	rules := make([]*judge.Rule, len(pages))
	for i, p := range pages {
		rules[i] = &p.Rule
	}
	return rules, nil
}

var id = search.Lazy(`^[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*$`)

// maxPage bounds a rule file.
const maxPage = 64 << 10

func read(dir fs.FS) ([]*page, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	var pages []*page
	for _, name := range names {
		b, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		if len(b) > maxPage {
			return nil, fmt.Errorf("%s: %d bytes are over the limit of %d", name, len(b), maxPage)
		}
		p := &page{}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		if err := d.Decode(p); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if !id.MatchString(p.ID) || p.ID+".yaml" != name {
			return nil, fmt.Errorf("%s: id %q is not the file's name, or not of the form area.what-is-wrong", name, p.ID)
		}
		pages = append(pages, p)
	}
	slices.SortFunc(pages, func(a, b *page) int { return strings.Compare(a.ID, b.ID) })
	return pages, nil
}

// Check runs the tests of all rules in a directory, and holds what each rule must have.
// The errors name the rule.
func Check(dir fs.FS) []error {
	pages, err := read(dir)
	if err != nil {
		return []error{err}
	}
	var errs []error
	for _, p := range pages {
		if err := p.complete(); err != nil {
			errs = append(errs, err)
			continue
		}
		j, err := judge.New([]*judge.Rule{&p.Rule})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		wanted := map[judge.Outcome]bool{}
		for i, t := range p.Tests {
			want, got, note, err := p.run(j, t)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("rule %s: test %d: %w", p.ID, i+1, err))
			case got != want:
				errs = append(errs, fmt.Errorf("rule %s: test %d: answer is %s %q, want %s", p.ID, i+1, got, note, want))
			}
			wanted[want] = true
		}
		for _, o := range []judge.Outcome{judge.Bad, judge.Good, judge.Unknown} {
			if !wanted[o] {
				errs = append(errs, fmt.Errorf("rule %s: no test wants %s", p.ID, o))
			}
		}
	}
	return errs
}

// complete reports what a rule lacks.
func (p *page) complete() error {
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"title", p.Title != ""},
		{"why", len(p.Why) > 40},
		{"recommend", len(p.Recommend) > 20},
		{"remedy or human", len(p.Remedy) > 0 || p.Human != ""},
		{"needs", len(p.Needs) > 0},
		{"maps", len(p.Maps["vesalius"]) > 0},
		{"cwe", len(p.CWE) > 0 || slices.Contains(p.Maps["vesalius"], "ID-01")},
	} {
		if !f.ok {
			return fmt.Errorf("rule %s: %s is missing or says nothing", p.ID, f.name)
		}
	}
	return nil
}

// run asks the rule of a test's facts.
func (p *page) run(j *judge.Judge, test map[string]any) (want, got judge.Outcome, note string, err error) {
	in := judge.Input{Facts: &fact.Set{}}
	partial := map[fact.Kind]bool{}
	for name, v := range test {
		switch name {
		case "want":
			s, ok := v.(string)
			if !ok {
				return "", "", "", fmt.Errorf("want is %v", v)
			}
			want = judge.Outcome(s)
		case "partial":
			list, ok := v.([]any)
			if !ok {
				return "", "", "", fmt.Errorf("partial is %v", v)
			}
			for _, k := range list {
				partial[fact.Kind(fmt.Sprint(k))] = true
			}
		default:
			if err := add(in.Facts, name, v); err != nil {
				return "", "", "", err
			}
		}
	}
	source := fact.Source{Witness: fact.Firmware}
	for _, k := range fact.Kinds() {
		c := fact.Coverage{Source: source, Root: "system", Kind: k, Level: "full"}
		if partial[k] {
			c.Level = "partial"
		}
		in.Coverage = append(in.Coverage, c)
	}
	in.Facts.Sort()
	findings, err := j.Judge(in)
	if err != nil {
		return want, "", "", err
	}
	for _, f := range findings {
		if got == "" || f.Outcome == judge.Bad || f.Outcome == judge.Unknown && got == judge.Good {
			got, note = f.Outcome, f.Evidence+f.Note
		}
	}
	return want, got, note, nil
}

// add puts the facts of one key of a test into the set.
func add(set *fact.Set, name string, v any) error {
	list := []any{v}
	one, ok := empty(name)
	if !ok {
		if one, ok = empty(strings.TrimSuffix(strings.TrimPrefix(name, "all_"), "s")); !ok {
			return fmt.Errorf("there is no kind %q", name)
		}
		if list, ok = v.([]any); !ok {
			return fmt.Errorf("%s is no list", name)
		}
	}
	for _, x := range list {
		b, err := json.Marshal(x)
		if err != nil {
			return err
		}
		f := one()
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(f); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		h := f.Header()
		if h.Source.Witness == "" {
			h.Source.Witness = fact.Firmware
		}
		if h.Root == "" && h.Source.Witness == fact.Firmware {
			h.Root = "system"
		}
		set.Add(f)
	}
	return nil
}

// empty makes facts of a kind by its name.
func empty(name string) (func() fact.Fact, bool) {
	makers := map[string]func() fact.Fact{
		"device":      func() fact.Fact { return &fact.Device{} },
		"component":   func() fact.Fact { return &fact.Component{} },
		"account":     func() fact.Fact { return &fact.Account{} },
		"secret":      func() fact.Fact { return &fact.Secret{} },
		"key":         func() fact.Fact { return &fact.Key{} },
		"certificate": func() fact.Fact { return &fact.Certificate{} },
		"service":     func() fact.Fact { return &fact.Service{} },
		"endpoint":    func() fact.Fact { return &fact.Endpoint{} },
		"destination": func() fact.Fact { return &fact.Destination{} },
		"setting":     func() fact.Fact { return &fact.Setting{} },
		"guard":       func() fact.Fact { return &fact.Guard{} },
		"executable":  func() fact.Fact { return &fact.Executable{} },
		"script":      func() fact.Fact { return &fact.Script{} },
		"update":      func() fact.Fact { return &fact.Update{} },
		"boot":        func() fact.Fact { return &fact.Boot{} },
		"kernel":      func() fact.Fact { return &fact.Kernel{} },
		"mount":       func() fact.Fact { return &fact.Mount{} },
		"interface":   func() fact.Fact { return &fact.Interface{} },
		"data":        func() fact.Fact { return &fact.Data{} },
		"file":        func() fact.Fact { return &fact.File{} },
		"claim":       func() fact.Fact { return &fact.Claim{} },
	}
	f, ok := makers[name]
	return f, ok
}
