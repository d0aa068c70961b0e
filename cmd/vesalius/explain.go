package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/report"
)

type explainCommand struct {
	What  string   `arg:"" name:"what" help:"Id of a rule or of a vulnerability (CVE-2014-0160, DSA-2896-1, ICSMA-18-058-01); with --dossier also of a finding, or CVE-2014-0160@openssl."`
	From  string   `name:"dossier" placeholder:"FILE" help:"Dossier in which the finding stands, or in which the vulnerability's matches are."`
	Rules []string `placeholder:"DIR" help:"Directory of further rules."`

	database
}

// advisoryID is how vulnerabilities and advisories are numbered. Every rule's id has a
// point in it.
var advisoryID = regexp.MustCompile(`^[A-Za-z]+-[A-Za-z0-9:_-]*[0-9][A-Za-z0-9:_-]*$`)

// Run explains a rule, the rule behind a finding, or a vulnerability.
func (c *explainCommand) Run(w *world) error {
	o := report.Options{Color: w.color, Width: w.width}
	var d *dossier.Dossier
	if c.From != "" {
		var err error
		if d, err = readDossier(c.From); err != nil {
			return err
		}
	}
	id := c.What
	if d != nil {
		for _, f := range d.Findings {
			if f.ID == c.What {
				id = f.Rule
			}
		}
	}
	if what, component, _ := strings.Cut(id, "@"); advisoryID.MatchString(what) {
		return c.vulnerability(w, d, what, component, o)
	}
	rules, err := allRules(c.Rules)
	if err != nil {
		return err
	}
	var near []string
	for _, r := range rules {
		if r.ID == id || slices.Contains(r.Was, id) {
			return report.Explain(w.out, r, o)
		}
		if strings.Contains(r.ID, id) || strings.Contains(strings.ToLower(r.Title), strings.ToLower(id)) {
			near = append(near, r.ID)
		}
	}
	if len(near) > 0 {
		return called("no rule %q: there are %s", id, strings.Join(near[:min(len(near), 8)], ", "))
	}
	return called("no rule %q: see the command rules", id)
}

// vulnerability explains one by the index, and by the dossier where there is one.
func (c *explainCommand) vulnerability(w *world, d *dossier.Dossier, id, component string, o report.Options) error {
	var matches []advisory.Match
	known := false // to the dossier
	if d != nil {
		matches = []advisory.Match{}
		for _, m := range d.Matches {
			if component == "" || m.Component == component {
				matches = append(matches, m)
				known = known || strings.EqualFold(m.Advisory, id)
			}
		}
	}
	v := &advisory.Vulnerability{ID: strings.ToUpper(id)}
	x, note, err := openIndex(w, c.DB)
	if err != nil && !known {
		return err
	}
	if err == nil {
		defer x.Close()
		ids, err := x.Resolve(id)
		if err != nil && !errors.Is(err, advisory.ErrUnknown) {
			return err
		}
		switch {
		case len(ids) > 1:
			return called("%s speaks of %d vulnerabilities: %s", id, len(ids), strings.Join(ids[:min(len(ids), 40)], ", "))
		case len(ids) == 1:
			if v, err = x.Vulnerability(ids[0]); err != nil {
				return err
			}
		case !known:
			return called("no vulnerability %q in %s", id, note)
		}
	}
	if err := report.ExplainVulnerability(w.out, v, matches, o); err != nil {
		return err
	}
	if note != "" {
		_, err = w.out.Write([]byte("\n" + note + "\n"))
	}
	return err
}
