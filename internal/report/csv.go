package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/dossier"
)

var csvFindings = Form{
	Name:  "csv",
	Title: "CSV of the findings, for a spreadsheet",
	MIME:  "text/csv; charset=utf-8",
	write: writeFindingsCSV,
}

var csvComponents = Form{
	Name:  "csv-components",
	Title: "CSV of the components, for a spreadsheet",
	MIME:  "text/csv; charset=utf-8",
	write: writeComponentsCSV,
}

var csvVulnerabilities = Form{
	Name:  "csv-vulnerabilities",
	Title: "CSV of the vulnerabilities, for a spreadsheet",
	MIME:  "text/csv; charset=utf-8",
	write: writeVulnerabilitiesCSV,
}

func writeVulnerabilitiesCSV(w io.Writer, d *dossier.Dossier, _ Options) error {
	rows := [][]string{{"vulnerability", "aliases", "status", "component", "version", "root", "severity", "cvss", "vector", "cwe", "kev", "kev_added", "kev_due", "ransomware", "epss", "percentile",
		"fixed_in", "what_to_do", "justification", "stated_by", "confidence", "why", "risk", "documents", "sources", "place", "places"}}
	for _, m := range matches(d) {
		place, level := "", ""
		if len(m.Places) > 0 {
			place = m.Places[0]
		}
		if m.Risk != nil {
			level = m.Risk.Level
		}
		rows = append(rows, []string{m.Advisory, strings.Join(m.Aliases, " "), string(m.Status), m.Component, m.Version, m.Root, m.Severity, float(m.CVSS, 1), m.Vector, numbers(m.CWE), yes(m.KEV), m.KEVAdded, m.KEVDue,
			yes(m.Ransomware), float(m.EPSS, 5), float(m.Percentile, 5), m.FixedIn, todo(m.Match), m.Justification, m.By, m.Confidence, strings.Join(proses(m.Why), "; "), level,
			strings.Join(m.Documents, " "), strings.Join(m.Sources, " "), place, strconv.Itoa(len(m.Places))})
	}
	// A component that could not be looked up is a row too: of it nothing is known.
	for _, c := range unlookable(d) {
		row := make([]string, len(rows[0]))
		row[2], row[3], row[4], row[5], row[21] = "unknown", c.Component, c.Version, c.Root, c.Unknown
		rows = append(rows, row)
	}
	return writeCSV(w, rows)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func numbers(list []int) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.Itoa(n)
	}
	return strings.Join(out, " ")
}

func writeFindingsCSV(w io.Writer, d *dossier.Dossier, _ Options) error {
	rows := [][]string{{"id", "outcome", "severity", "vector", "rule", "rule_version", "title", "root", "kind", "keys", "count", "evidence", "note", "confidence", "place", "places", "cwe", "recommend"}}
	for _, f := range d.Findings {
		place := ""
		if len(f.Places) > 0 {
			place = f.Places[0].String()
		}
		rows = append(rows, []string{f.ID, string(f.Outcome), f.Severity, f.Vector, f.Rule, strconv.Itoa(f.RuleVersion), f.Title, f.Root, string(f.Kind),
			strings.Join(f.Keys[:min(len(f.Keys), 20)], " "), strconv.Itoa(max(f.Count, 1)), f.Evidence, f.Note, f.Confidence, place, strconv.Itoa(len(f.Places)), numbers(f.CWE), prose(ruleOf(d, f).Recommend)})
	}
	return writeCSV(w, rows)
}

func writeComponentsCSV(w io.Writer, d *dossier.Dossier, _ Options) error {
	rows := [][]string{{"name", "version", "suffix", "supplier", "type", "license", "purl", "cpes", "how", "why", "confidence", "support", "end_of_support", "digest", "root", "place", "places"}}
	for _, c := range components(d) {
		place := ""
		if len(c.Places) > 0 {
			place = c.Places[0].String()
		}
		rows = append(rows, []string{c.Name, c.Version, c.Suffix, c.Supplier, c.Type, c.License, c.PURL, strings.Join(c.CPEs, " "), c.How, c.Why, cmp.Or(c.Confidence, "high"),
			c.Support, c.EndOfSupport, c.Digest, c.Root, place, strconv.Itoa(len(c.Places))})
	}
	return writeCSV(w, rows)
}

// csvLong is the longest cell: spreadsheets cut longer ones at 32,767 characters.
const csvLong = 32000

func writeCSV(w io.Writer, rows [][]string) error {
	c := csv.NewWriter(w)
	for _, row := range rows {
		row = slices.Clone(row)
		for i, s := range row {
			row[i] = inert(cut(clean(s), csvLong))
		}
		if err := c.Write(row); err != nil {
			return fmt.Errorf("csv: %w", err)
		}
	}
	c.Flush()
	return c.Error()
}

// inert puts a mark before what a spreadsheet would take for a formula.
func inert(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@") {
		return "'" + s
	}
	return s
}
