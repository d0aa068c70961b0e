package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/judge"
)

var junit = Form{
	Name:  "junit",
	Title: "JUnit XML, for CI: one test case for each rule and root, and for each component",
	MIME:  "application/xml",
	write: writeJUnit,
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *junitSkipped `xml:"skipped,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"` // the severity
	Text    string `xml:",cdata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// junitLines is how many findings and places one failure lists.
const junitLines = 50

func writeJUnit(w io.Writer, d *dossier.Dossier, _ Options) error {
	type test struct{ root, rule string }
	byTest := map[test][]*judge.Finding{}
	var order []test
	for _, f := range d.Findings {
		t := test{f.Root, f.Rule}
		if byTest[t] == nil {
			order = append(order, t)
		}
		byTest[t] = append(byTest[t], f)
	}
	slices.SortStableFunc(order, func(a, b test) int { return cmp.Or(cmp.Compare(a.root, b.root), cmp.Compare(a.rule, b.rule)) })
	out := junitSuites{Name: deviceTitle(d)}
	at := roots(d)
	suite := map[string]int{}
	for _, t := range order {
		i, ok := suite[t.root]
		if !ok {
			i = len(out.Suites)
			suite[t.root] = i
			out.Suites = append(out.Suites, junitSuite{Name: cmp.Or(clean(t.root), "device"), Timestamp: d.At.UTC().Format("2006-01-02T15:04:05")})
		}
		s := &out.Suites[i]
		c := junitCaseOf(d, byTest[t], at)
		s.Cases = append(s.Cases, c)
		s.Tests++
		out.Tests++
		if c.Failure != nil {
			s.Failures++
			out.Failures++
		}
		if c.Skipped != nil {
			s.Skipped++
			out.Skipped++
		}
	}
	if s := junitVulnerabilities(d); s.Tests > 0 {
		out.Suites = append(out.Suites, s)
		out.Tests, out.Failures, out.Skipped = out.Tests+s.Tests, out.Failures+s.Failures, out.Skipped+s.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// junitCaseOf gives the answers of one rule in one root as one test: failed where any is
// bad, skipped where any is unknown, else passed.
func junitCaseOf(d *dossier.Dossier, findings []*judge.Finding, at map[string]string) junitCase {
	r := ruleOf(d, findings[0])
	c := junitCase{Class: "vesalius." + clean(r.Vector), Name: clean(r.ID) + ": " + prose(cmp.Or(r.Title, findings[0].Title))}
	var lines, reasons []string
	worst, count := "", 0
	for _, f := range findings {
		switch f.Outcome {
		case judge.Bad:
			if worst == "" || dossier.Rank(f.Severity) < dossier.Rank(worst) {
				worst = f.Severity
			}
			count += max(f.Count, 1)
			places := make([]string, 0, len(f.Places))
			for _, p := range f.Places[:min(len(f.Places), junitLines)] {
				places = append(places, where(p, f.Root, at))
			}
			lines = append(lines, sentence(f)+"\n    "+strings.Join(places, "\n    "))
		case judge.Unknown:
			reasons = append(reasons, cmp.Or(prose(f.Note), "no reason given"))
		case judge.Good:
		}
	}
	switch {
	case len(lines) > 0:
		more := ""
		if n := len(lines) - junitLines; n > 0 {
			lines, more = lines[:junitLines], fmt.Sprintf("\nand %d more", n)
		}
		if r.Recommend != "" {
			more += "\n" + prose(r.Recommend)
		}
		c.Failure = &junitFailure{Message: fmt.Sprintf("%s: %d bad", worst, count), Type: worst, Text: "\n" + strings.Join(lines, "\n") + more + "\n"}
	case len(reasons) > 0:
		c.Skipped = &junitSkipped{Message: "unknown: " + list(slices.Compact(reasons), 3)}
	}
	return c
}

// junitVulnerabilities is a suite of its own: a test for each component, failed where it is
// affected, skipped where that is not known.
func junitVulnerabilities(d *dossier.Dossier) junitSuite {
	type name struct{ component, version, root string }
	byName := map[name][]matched{}
	var order []name
	see := func(n name) {
		if _, ok := byName[n]; !ok {
			byName[n] = nil
			order = append(order, n)
		}
	}
	unknown := map[name]string{}
	for _, c := range d.Considered {
		n := name{c.Component, c.Version, c.Root}
		see(n)
		if c.Unknown != "" {
			unknown[n] = c.Unknown
		}
	}
	for _, m := range matches(d) {
		n := name{m.Component, m.Version, m.Root}
		see(n)
		byName[n] = append(byName[n], m)
	}
	slices.SortStableFunc(order, func(a, b name) int {
		return cmp.Or(cmp.Compare(a.component, b.component), cmp.Compare(a.version, b.version), cmp.Compare(a.root, b.root))
	})
	s := junitSuite{Name: "vulnerabilities", Timestamp: d.At.UTC().Format("2006-01-02T15:04:05")}
	for _, n := range order {
		c := junitCase{Class: "vesalius.vulnerability", Name: clean(strings.TrimSpace(n.component + " " + n.version))}
		if n.root != "" && n.root != "system" {
			c.Name += " (" + clean(n.root) + ")"
		}
		var lines []string
		affected, unclear := 0, 0
		worst, rank := "", 100
		for _, m := range byName[n] {
			switch m.Status {
			case advisory.Vulnerable:
				affected++
				if r := severityRank(m.Match); r < rank {
					worst, rank = cmp.Or(clean(m.Severity), "unstated"), r
				}
				words := strings.TrimRight(clean(m.Advisory)+" "+severityWords(m.Match), " ")
				if e := exploitation(m.Match); e != "" {
					words += ", " + e
				}
				lines = append(lines, words+": "+cut(strings.Join(proses(m.Why), "; "), textLong)+"\n    "+todo(m.Match))
			case advisory.Unclear:
				unclear++
			case advisory.Fixed, advisory.NotThere:
			}
		}
		switch {
		case affected > 0:
			more := ""
			if k := len(lines) - junitLines; k > 0 {
				lines, more = lines[:junitLines], fmt.Sprintf("\nand %d more", k)
			}
			c.Failure = &junitFailure{Message: fmt.Sprintf("%s: %s", worst, plural(affected, "vulnerability", "vulnerabilities")), Type: worst, Text: "\n" + strings.Join(lines, "\n") + more + "\n"}
			s.Failures++
		case unknown[n] != "":
			c.Skipped = &junitSkipped{Message: "unknown: " + prose(unknown[n])}
			s.Skipped++
		case unclear > 0:
			c.Skipped = &junitSkipped{Message: "unknown: " + plural(unclear, "vulnerability", "vulnerabilities") + " under investigation"}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
		s.Tests++
	}
	return s
}
