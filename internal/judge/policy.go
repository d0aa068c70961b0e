package judge

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Policy says what somebody accepts: a hospital before it buys, a maker before it ships.
//
//	name: hospital procurement
//	fail: high              # bad findings from this severity on reject; none: nothing does
//	condition: medium       # from this severity on they are accepted with their controls named
//	unknown: condition      # unknown findings from fail on: reject, condition or accept
//	gaps: condition         # parts that were not read: reject, condition or accept
//	deny: [service.telnet]  # rules that reject at any severity; PREFIX.* names an area
//	allow: [service.announces-itself]
//	vulnerabilities:         # known ones; without this part they do not change the verdict
//	  known_exploited: reject    # reject, condition or accept, at any severity
//	  fail: critical             # from this severity on they reject; none: nothing does
//	  condition: high            # from this severity on they are accepted with their controls named
//	  unknown: condition         # what may concern the device, and what could not be looked up
//	risk: {...}              # the matrix and what each level means: package risk reads it
//	exceptions:
//	  - finding: 0123456789abcdef        # a finding's id, or a rule with a place
//	    rule: service.ftp
//	    place: "*/etc/vsftpd.conf"       # path.Match on the path; no place is all
//	    reason: only in the service mode, reviewed
//	    owner: J. Doe, clinical engineering
//	    until: 2027-06-30
//	  - advisory: CVE-2021-28831         # or a vulnerability, in a component or in all
//	    component: busybox
//	    reason: gunzip is never called
//	    owner: J. Doe, product security
//	    until: 2027-06-30
//	  - risk: 0123456789abcdef           # or a risk, by its id
//	    reason: the port is on an internal bus only
//	    owner: J. Doe, product security
//	    until: 2027-06-30
type Policy struct {
	Name       string      `yaml:"name"`
	Fail       string      `yaml:"fail"`
	Condition  string      `yaml:"condition"`
	Unknown    string      `yaml:"unknown"`
	Gaps       string      `yaml:"gaps"`
	Deny       []string    `yaml:"deny"`
	Allow      []string    `yaml:"allow"`
	Exceptions []Exception `yaml:"exceptions"`

	Vulnerabilities *VulnerabilityPolicy `yaml:"vulnerabilities"`
	Risk            yaml.Node            `yaml:"risk"` // not read here: see HasRisk
}

// HasRisk reports whether the policy says anything of risks.
func (p *Policy) HasRisk() bool { return !p.Risk.IsZero() }

// Exception accepts until a day: one finding, the findings of a rule at a place, a
// vulnerability in a component, or a risk.
type Exception struct {
	Finding   string `yaml:"finding"`
	Rule      string `yaml:"rule"`
	Place     string `yaml:"place"`
	Advisory  string `yaml:"advisory"`
	Component string `yaml:"component"`
	Risk      string `yaml:"risk"`
	Reason    string `yaml:"reason"`
	Owner     string `yaml:"owner"`
	Until     string `yaml:"until"`

	until time.Time
}

// ReadPolicy reads a policy file. It refuses unknown keys and words, and exceptions
// without a reason, an owner or a day.
func ReadPolicy(name string, data []byte) (*Policy, error) {
	p := &Policy{Fail: "high", Unknown: "condition", Gaps: "condition"}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if p.Name == "" {
		p.Name = strings.TrimSuffix(path.Base(name), path.Ext(name))
	}
	levels := append(Severities(), "none", "")
	ways := []string{"reject", "condition", "accept"}
	for _, c := range []struct {
		key, word string
		of        []string
	}{{"fail", p.Fail, levels}, {"condition", p.Condition, levels}, {"unknown", p.Unknown, ways}, {"gaps", p.Gaps, ways}} {
		if !slices.Contains(c.of, c.word) {
			return nil, fmt.Errorf("%s: %s: %q is none of %s", name, c.key, c.word, strings.Join(c.of, ", "))
		}
	}
	if p.Vulnerabilities != nil {
		if err := p.Vulnerabilities.fill(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for i := range p.Exceptions {
		e := &p.Exceptions[i]
		sorts := 0
		for _, set := range []bool{e.Finding != "" || e.Rule != "", e.Advisory != "" || e.Component != "", e.Risk != ""} {
			if set {
				sorts++
			}
		}
		if sorts > 1 {
			return nil, fmt.Errorf("%s: exception %d: it accepts a finding, a vulnerability or a risk, one of them", name, i+1)
		}
		if sorts == 0 || e.Reason == "" || e.Owner == "" || e.Until == "" {
			return nil, fmt.Errorf("%s: exception %d: it needs a finding, a rule, an advisory, a component or a risk, and a reason, an owner and a day until which it holds", name, i+1)
		}
		until, err := time.Parse(time.DateOnly, e.Until)
		if err != nil {
			return nil, fmt.Errorf("%s: exception %d: until %q is no day such as 2027-06-30", name, i+1, e.Until)
		}
		if _, err := path.Match(e.Place, ""); err != nil {
			return nil, fmt.Errorf("%s: exception %d: place %q: %w", name, i+1, e.Place, err)
		}
		e.until = until.AddDate(0, 0, 1) // the day itself counts
	}
	return p, nil
}

// The outcomes of a verdict.
const (
	Accept     = "accept"
	Conditions = "accept with conditions"
	Reject     = "reject"
)

// Judge makes the verdict of what was found, at a date: exceptions expire against it.
// rules give the controls that are the conditions.
func (p *Policy) Judge(findings []Finding, gaps []fact.Gap, rules []*Rule, at time.Time) Verdict {
	v := Verdict{Policy: p.Name, Outcome: Accept}
	byID := map[string]*Rule{}
	for _, r := range rules {
		byID[r.ID] = r
	}
	for _, f := range findings {
		if f.Outcome == Good {
			continue
		}
		way := p.way(f)
		if way == "accept" {
			continue
		}
		words := f.Severity + " " + string(f.Outcome) + " " + f.Rule + ": " + f.Title
		if f.Root != "" {
			words += " (" + f.Root + ")"
		}
		if e := p.exception(f, at); e != nil {
			v.lower(Conditions)
			v.Conditions = append(v.Conditions, fmt.Sprintf("exception for %s until %s: %s (%s)", f.Rule, e.Until, e.Reason, e.Owner))
			continue
		}
		if way == "reject" {
			v.lower(Reject)
			v.Reasons = append(v.Reasons, words)
			continue
		}
		v.lower(Conditions)
		v.Conditions = append(v.Conditions, p.condition(f, byID[f.Rule], words))
	}
	p.judgeGaps(&v, gaps)
	slices.Sort(v.Conditions)
	v.Reasons, v.Conditions = slices.Compact(v.Reasons), slices.Compact(v.Conditions)
	return v
}

// lower makes the outcome worse, never better.
func (v *Verdict) lower(to string) {
	order := []string{Accept, Conditions, Reject}
	if slices.Index(order, to) > slices.Index(order, v.Outcome) {
		v.Outcome = to
	}
}

// way says what the policy does with a finding: reject, condition or accept.
func (p *Policy) way(f Finding) string {
	switch {
	case f.Outcome == Bad && covers(p.Deny, f.Rule):
		return "reject"
	case covers(p.Allow, f.Rule):
		return "accept"
	case f.Outcome == Unknown && reaches(f.Severity, p.Fail):
		return p.Unknown
	case f.Outcome == Bad && reaches(f.Severity, p.Fail):
		return "reject"
	case f.Outcome == Bad && reaches(f.Severity, p.Condition):
		return "condition"
	}
	return "accept"
}

// reaches reports whether a severity is at a level or above it.
func reaches(severity, level string) bool {
	l := slices.Index(Severities(), level)
	return l >= 0 && slices.Index(Severities(), severity) <= l
}

// covers reports whether a list names a rule, or its area as area.*.
func covers(list []string, rule string) bool {
	return slices.ContainsFunc(list, func(x string) bool {
		area, all := strings.CutSuffix(x, ".*")
		return x == rule || all && strings.HasPrefix(rule, area+".")
	})
}

// exception returns the one that covers a finding and has not expired.
func (p *Policy) exception(f Finding, at time.Time) *Exception {
	for i := range p.Exceptions {
		e := &p.Exceptions[i]
		if !at.Before(e.until) || e.Finding == "" && e.Rule == "" {
			continue
		}
		if e.Finding != "" && e.Finding != f.ID || e.Rule != "" && e.Rule != f.Rule {
			continue
		}
		if e.Place == "" || len(f.Places) > 0 && !slices.ContainsFunc(f.Places, func(x fact.Place) bool { return !e.at(x) }) {
			return e
		}
	}
	return nil
}

// at reports whether the exception concerns a place. A leading */ stands for any directories.
func (e *Exception) at(p fact.Place) bool {
	if tail, ok := strings.CutPrefix(e.Place, "*/"); ok {
		if p.Path == "/"+tail || strings.HasSuffix(p.Path, "/"+tail) {
			return true
		}
	}
	ok, err := path.Match(e.Place, p.Path)
	return err == nil && ok || e.Place == p.String()
}

// condition words what makes a finding acceptable: the controls of its rule.
func (p *Policy) condition(f Finding, r *Rule, words string) string {
	if f.Outcome == Unknown {
		return "clear up " + f.Rule + ": " + f.Note
	}
	if r == nil || len(r.Control) == 0 {
		return "watch " + words
	}
	return strings.Join(r.Control, ", ") + " against " + words
}

// judgeGaps says what the parts that were not read mean for the verdict.
func (p *Policy) judgeGaps(v *Verdict, gaps []fact.Gap) {
	if len(gaps) == 0 || p.Gaps == "accept" {
		return
	}
	words := count(len(gaps), "part") + " of the input could not be read, the first is " + gaps[0].Place.String() + ": " + gaps[0].Why
	if p.Gaps == "reject" {
		v.lower(Reject)
		v.Reasons = append(v.Reasons, words)
		return
	}
	v.lower(Conditions)
	v.Conditions = append(v.Conditions, "explain what was not read: "+words)
}
