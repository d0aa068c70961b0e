package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
)

// The assessment is what FDA's premarket guidance asks for each known vulnerability
// (V.A.4(b), VI.A): how it was discovered, the safety and security risk, and the controls.
var fdaVulnerabilities = Form{
	Name:  "fda-vulnerabilities",
	Title: "CSV of the vulnerability assessment that FDA's premarket guidance asks for",
	MIME:  "text/csv; charset=utf-8",
	write: writeAssessment,
}

func writeAssessment(w io.Writer, d *dossier.Dossier, _ Options) error {
	rows := [][]string{{"vulnerability", "weakness", "component", "version", "root", "how_discovered", "discovered_on", "status", "stated_by", "justification", "cvss", "vector", "severity",
		"kev", "kev_added", "kev_due", "epss", "security_risk", "safety_risk", "other_harm", "risk_level", "risk_level_after_controls", "controls", "confidence"}}
	how, on := discovered(d), d.At.UTC().Format("2006-01-02")
	for _, m := range matches(d) {
		a := assessment(m)
		rows = append(rows, []string{m.Advisory, cwes(m.CWE), m.Component, m.Version, m.Root, how, on, statusWords(m.Status), m.By, a.Justification, float(m.CVSS, 1), m.Vector, m.Severity,
			yes(m.KEV), m.KEVAdded, m.KEVDue, float(m.EPSS, 5), a.Security, a.Safety, a.Other, a.Level, a.After, a.Controls, m.Confidence})
	}
	for _, c := range unlookable(d) {
		row := make([]string, len(rows[0]))
		row[2], row[3], row[4], row[5], row[6], row[7], row[9] = c.Component, c.Version, c.Root, how, on, "unknown", c.Unknown
		rows = append(rows, row)
	}
	return writeCSV(w, rows)
}

// discovered says how the vulnerabilities were found: by what, with which rules and index,
// and in which settings.
func discovered(d *dossier.Dossier) string {
	var inputs []string
	for _, in := range d.Inputs {
		inputs = append(inputs, clean(in.Name))
	}
	words := "components found in " + cmp.Or(list(inputs, 4), "an unnamed input") + " by " + strings.TrimSpace(prose(d.Tool.Name+" "+d.Tool.Version))
	if d.Tool.Rulebook != "" {
		words += ", rulebook " + prose(d.Tool.Rulebook)
	}
	if d.Tool.Index.Date == "" {
		words += ", without a vulnerability index"
	} else {
		words += ", held against the vulnerability index of " + prose(d.Tool.Index.Date)
		if len(d.Tool.Index.Sources) > 0 {
			words += " (" + strings.Join(proses(d.Tool.Index.Sources), ", ") + ")"
		}
	}
	if l := d.Run.Limits; l != (dossier.Limits{}) {
		words += fmt.Sprintf("; settings: at most %s, %d files, %d containers deep", size(l.Bytes), l.Files, l.Depth)
	}
	if n := len(d.Gaps); n > 0 {
		words += "; " + plural(n, "part", "parts") + " of it could not be read"
	}
	return words
}

// assessed is what the table says of one vulnerability.
type assessed struct {
	Security, Safety, Other, Level, After, Controls, Justification string
}

func assessment(m matched) assessed {
	a := assessed{Justification: strings.ReplaceAll(prose(m.Justification), "_", " ")}
	if a.Justification == "" || m.Status == advisory.Vulnerable {
		a.Justification = strings.TrimLeft(a.Justification+": "+strings.Join(proses(m.Why), "; "), ": ")
	}
	var controls []string
	if m.FixedIn != "" && (m.Status == advisory.Vulnerable || m.Status == advisory.Unclear) {
		controls = append(controls, "update to "+prose(m.FixedIn))
	}
	if m.Advice != "" {
		controls = append(controls, prose(m.Advice))
	}
	switch {
	case m.Status == advisory.Fixed:
		a.Security, a.Safety = "none: it is fixed", "none: it is fixed"
	case m.Status == advisory.NotThere:
		a.Security, a.Safety = "none: it is not affected", "none: it is not affected"
	case m.Risk == nil:
		a.Security, a.Safety = "not assessed", "not assessed"
	default:
		r := m.Risk
		words := []string{"exploitability " + prose(r.Exploitability)}
		if r.Score > 0 {
			words = append(words, "CVSS with its environment "+float(r.Score, 1))
		}
		if r.Exposure.Network != "" {
			words = append(words, "reached over "+prose(r.Exposure.Network))
		}
		if r.Exposure.Started != "" {
			words = append(words, "started "+prose(r.Exposure.Started))
		}
		if r.Exposure.Authenticated != "" {
			words = append(words, "login asked "+prose(r.Exposure.Authenticated))
		}
		a.Security, a.Level, a.After = strings.Join(words, ", "), prose(r.Level), prose(r.After)
		a.Safety = "no harm to the patient is known"
		var others []string
		for _, h := range r.Harms {
			words := prose(h.Severity) + ", " + prose(h.Level)
			if h.Dimension == "patient-safety" {
				a.Safety = words
			} else {
				others = append(others, prose(h.Dimension)+" "+words)
			}
		}
		a.Other = strings.Join(others, "; ")
		for _, c := range r.Measures {
			controls = append(controls, prose(c))
		}
	}
	a.Controls = strings.Join(controls, "; ")
	return a
}

// assessmentTable is the same on the page, for what is affected or may be.
func assessmentTable(d *dossier.Dossier) pageTable {
	t := table("assessment", "Vulnerability assessment", "As FDA's premarket guidance asks: how discovered, risk, controls. Discovered: "+discovered(d)+".",
		"Vulnerability:id", "Component:id", "Status", "Exploited:short", "Security risk:text", "Safety risk", "Other harm:text", "Level:short", "After controls:short", "Controls, and why:text")
	for _, m := range distinct(matches(d)) {
		if m.Risk == nil && m.Status != advisory.NotThere && m.Status != advisory.Fixed {
			continue
		}
		if len(t.Rows) == htmlAlike {
			t.Note += fmt.Sprintf(" The first %d are listed here, all of them by -f fda-vulnerabilities.", htmlAlike)
			break
		}
		a := assessment(m)
		t.row(clean(m.Advisory), clean(strings.TrimSpace(m.Component+" "+m.Version)), statusWords(m.Status), yes(m.KEV), a.Security, a.Safety, a.Other, a.Level, a.After, a.Controls)
		cells := t.last().Cells
		cells[len(cells)-1].Steps = []string{cmp.Or(a.Justification, "no reason given")}
	}
	return t
}
