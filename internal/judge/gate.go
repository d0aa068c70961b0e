package judge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// VulnerabilityPolicy is the part of a policy about known vulnerabilities. Without it they
// are reported and do not change the verdict.
type VulnerabilityPolicy struct {
	KnownExploited string `yaml:"known_exploited"` // what attacks are known of, at any severity: reject, condition or accept
	Fail           string `yaml:"fail"`            // from this severity on they reject; none: nothing does
	Condition      string `yaml:"condition"`       // from this severity on they are accepted with their controls named
	Unknown        string `yaml:"unknown"`         // what may concern the device from Fail on, and components that could not be looked up: reject, condition or accept
}

// fill sets what a file leaves out, and says which word is none.
func (v *VulnerabilityPolicy) fill() error {
	v.KnownExploited, v.Fail, v.Unknown = cmp.Or(v.KnownExploited, "reject"), cmp.Or(v.Fail, "critical"), cmp.Or(v.Unknown, "condition")
	levels, ways := append(Severities(), "none", ""), []string{"reject", "condition", "accept"}
	for _, c := range []struct {
		key, word string
		of        []string
	}{{"known_exploited", v.KnownExploited, ways}, {"fail", v.Fail, levels}, {"condition", v.Condition, levels}, {"unknown", v.Unknown, ways}} {
		if !slices.Contains(c.of, c.word) {
			return fmt.Errorf("vulnerabilities: %s: %q is none of %s", c.key, c.word, strings.Join(c.of, ", "))
		}
	}
	return nil
}

// JudgeMatches adds to a verdict what the known vulnerabilities mean for it, one line for
// each component. Nothing where the policy says nothing of them.
func (p *Policy) JudgeMatches(v *Verdict, matches []advisory.Match, considered []advisory.Considered, at time.Time) {
	if p.Vulnerabilities == nil {
		return
	}
	groups := map[string][]advisory.Match{}
	for _, m := range matches {
		way, why := p.Vulnerabilities.way(m)
		if way == "accept" {
			continue
		}
		if e := p.exceptionFor(at, func(e *Exception) bool {
			return (e.Advisory != "" || e.Component != "") && (e.Advisory == "" || e.Advisory == m.Advisory || slices.Contains(m.Aliases, e.Advisory)) && (e.Component == "" || e.Component == m.Component)
		}); e != nil {
			v.Condition(fmt.Sprintf("exception for %s in %s until %s: %s (%s)", m.Advisory, m.Component, e.Until, e.Reason, e.Owner))
			continue
		}
		k := strings.Join([]string{way, m.Component, m.Version, m.Root, why}, "\x00")
		groups[k] = append(groups[k], m)
	}
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		part := strings.Split(k, "\x00")
		words := matchWords(groups[k], part[4])
		if part[0] == "reject" {
			v.Reject(words)
		} else {
			v.Condition(matchControl(groups[k]) + " against " + words)
		}
	}
	var blind []string
	for _, c := range considered {
		if c.Unknown != "" {
			blind = append(blind, c.Component)
		}
	}
	if len(blind) > 0 && p.Vulnerabilities.Unknown != "accept" {
		slices.Sort(blind)
		blind = slices.Compact(blind)
		words := count(len(blind), "component") + " could not be looked up: " + some(blind, 5)
		if p.Vulnerabilities.Unknown == "reject" {
			v.Reject(words)
		} else {
			v.Condition("clear up " + words)
		}
	}
}

// way says what the policy does with a match, and why it counts.
func (v *VulnerabilityPolicy) way(m advisory.Match) (way, why string) {
	severity := m.Severity
	if severity == "" || severity == "none" && m.Vector == "" {
		severity = "high" // what nobody has scored is not harmless
	}
	switch m.Status {
	case advisory.Fixed, advisory.NotThere:
		return "accept", ""
	case advisory.Unclear:
		if m.KEV || reaches(severity, v.Fail) {
			return v.Unknown, "may concern it"
		}
		return "accept", ""
	case advisory.Vulnerable:
	}
	switch {
	case m.KEV && v.KnownExploited != "accept":
		return v.KnownExploited, "known to be exploited"
	case reaches(severity, v.Fail):
		return "reject", "of severity " + v.Fail + " or worse"
	case reaches(severity, v.Condition):
		return "condition", "of severity " + v.Condition + " or worse"
	}
	return "accept", ""
}

// matchWords name the vulnerabilities of one component, the worst first.
func matchWords(list []advisory.Match, why string) string {
	slices.SortStableFunc(list, func(a, b advisory.Match) int {
		return cmp.Or(cmp.Compare(b.CVSS, a.CVSS), cmp.Compare(a.Advisory, b.Advisory))
	})
	var ids []string
	for _, m := range list {
		ids = append(ids, m.Advisory)
	}
	m := list[0]
	what := "1 vulnerability"
	if len(list) > 1 {
		what = fmt.Sprintf("%d vulnerabilities", len(list))
	}
	words := strings.TrimSpace(m.Component+" "+m.Version) + ": " + what + " " + why + ": " + some(ids, 3)
	if m.Root != "" {
		words += " (" + m.Root + ")"
	}
	return words
}

// matchControl is what makes vulnerabilities bearable: an update where there is one for
// all, else keeping others away.
func matchControl(list []advisory.Match) string {
	if list[0].Status == advisory.Unclear {
		return "clearing up or segment-network"
	}
	for _, m := range list {
		if m.FixedIn == "" {
			return "segment-network"
		}
	}
	return "upgrade-component or segment-network"
}

func some(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:n], ", ") + fmt.Sprintf(" and %d more", len(list)-n)
}

// Reject lowers a verdict, for a reason.
func (v *Verdict) Reject(reason string) {
	v.lower(Reject)
	if !slices.Contains(v.Reasons, reason) {
		v.Reasons = append(v.Reasons, reason)
	}
}

// Condition lowers a verdict to one with a condition, which names its control. Conditions
// stand in order.
func (v *Verdict) Condition(condition string) {
	v.lower(Conditions)
	if i, there := slices.BinarySearch(v.Conditions, condition); !there {
		v.Conditions = slices.Insert(v.Conditions, i, condition)
	}
}

// exceptionFor returns the first exception that fits and has not expired.
func (p *Policy) exceptionFor(at time.Time, fits func(*Exception) bool) *Exception {
	for i := range p.Exceptions {
		if e := &p.Exceptions[i]; at.Before(e.until) && fits(e) {
			return e
		}
	}
	return nil
}

// ExceptionForRisk returns the exception that accepts a risk, by its id, at a date.
func (p *Policy) ExceptionForRisk(id string, at time.Time) *Exception {
	return p.exceptionFor(at, func(e *Exception) bool { return e.Risk != "" && e.Risk == id })
}
