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

func writeFindingsCSV(w io.Writer, d *dossier.Dossier, _ Options) error {
	rows := [][]string{{"id", "outcome", "severity", "vector", "rule", "rule_version", "title", "root", "kind", "keys", "count", "evidence", "note", "confidence", "place", "places", "cwe", "recommend"}}
	for _, f := range d.Findings {
		place := ""
		if len(f.Places) > 0 {
			place = f.Places[0].String()
		}
		ids := make([]string, len(f.CWE))
		for i, n := range f.CWE {
			ids[i] = strconv.Itoa(n)
		}
		rows = append(rows, []string{f.ID, string(f.Outcome), f.Severity, f.Vector, f.Rule, strconv.Itoa(f.RuleVersion), f.Title, f.Root, string(f.Kind),
			strings.Join(f.Keys[:min(len(f.Keys), 20)], " "), strconv.Itoa(max(f.Count, 1)), f.Evidence, f.Note, f.Confidence, place, strconv.Itoa(len(f.Places)), strings.Join(ids, " "), prose(ruleOf(d, f).Recommend)})
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
