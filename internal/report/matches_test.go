package report_test

import (
	"encoding/csv"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/report"
	"github.com/vesalius-project/vesalius/internal/risk"
)

func rows(t *testing.T, form string, d *dossier.Dossier) [][]string {
	t.Helper()
	out, err := csv.NewReader(strings.NewReader(write(t, form, d, report.Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestVulnerabilityOrder holds what comes first: what is affected, in it what is known to
// be exploited, then what the risk puts first, then the worse, the higher score and the
// likelier attack.
func TestVulnerabilityOrder(t *testing.T) {
	t.Parallel()
	want := []string{"exploited", "risk-first", "risk-second", "critical", "high-score", "likely", "rest", "unscored", "maybe-exploited", "maybe", "fixed", "not-affected"}
	d := &dossier.Dossier{Risks: []risk.Risk{{ID: "b", Priority: 2, Matches: []string{"risk-second@c"}}, {ID: "a", Priority: 1, Matches: []string{"risk-first@c"}}}}
	for _, id := range []string{"not-affected", "rest", "unscored", "maybe", "likely", "exploited", "fixed", "maybe-exploited", "risk-second", "high-score", "critical", "risk-first"} {
		m := advisory.Match{Advisory: id, Component: "c", Status: advisory.Vulnerable, Severity: "high", CVSS: 7.1}
		switch id {
		case "exploited":
			m.KEV, m.Severity, m.CVSS = true, "low", 2
		case "critical":
			m.Severity, m.CVSS = "critical", 9
		case "high-score":
			m.CVSS = 8.8
		case "likely":
			m.EPSS = 0.5
		case "unscored":
			m.Severity, m.CVSS = "", 0
		case "maybe", "maybe-exploited":
			m.Status, m.KEV = advisory.Unclear, id == "maybe-exploited"
		case "fixed":
			m.Status = advisory.Fixed
		case "not-affected":
			m.Status, m.KEV = advisory.NotThere, true
		case "risk-first", "risk-second":
			m.Severity, m.CVSS = "low", 3
		}
		d.Matches = append(d.Matches, m)
	}
	for _, form := range []string{"csv-vulnerabilities", "fda-vulnerabilities"} {
		var got []string
		for _, row := range rows(t, form, d)[1:] {
			got = append(got, row[0])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s, want %s", form, got, want)
		}
	}
}

// TestIndexSaid holds that text and page say the index's date, age and holes, that an
// update is due after 14 days and not before, and that without an index nothing is known.
func TestIndexSaid(t *testing.T) {
	t.Parallel()
	for days, due := range map[int]bool{0: false, 14: false, 15: true, 400: true, -3: false} {
		d := rich()
		d.Tool.Index.Date = d.At.AddDate(0, 0, -days).Format(time.DateOnly)
		for _, form := range []string{"text", "html"} {
			out := strings.Join(strings.Fields(write(t, form, d, report.Options{Width: 120})), " ")
			if strings.Contains(out, "An update is due.") != due || strings.Contains(out, ": an update is due.") != due {
				t.Errorf("%s, %d days: due is %v", form, days, !due)
			}
			for _, s := range []string{"The vulnerability index is of " + d.Tool.Index.Date, "nvd of 2026-10-20, kev of 2026-10-19", "incomplete for the years 2022 (1200 of 25000)"} {
				if !strings.Contains(out, s) {
					t.Errorf("%s: does not say %q", form, s)
				}
			}
		}
	}
	d := rich()
	d.Tool.Index, d.Matches, d.Considered = dossier.Index{}, nil, nil
	if out := write(t, "text", d, report.Options{}); !strings.Contains(strings.Join(strings.Fields(out), " "), "No vulnerability index was used, so nothing is known of vulnerabilities") {
		t.Error("a dossier without an index does not say so")
	}
}

// TestNothingDropped holds that a component which could not be looked up stands, with the
// reason, wherever vulnerabilities are listed.
func TestNothingDropped(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"text", "html", "json", "junit", "csv-vulnerabilities", "fda-vulnerabilities"} {
		out := strings.Join(strings.Fields(write(t, form, rich(), report.Options{Width: 120})), " ")
		for _, s := range []string{"acme-ui", "no name of it stands in the index", "it has no version"} {
			if !strings.Contains(out, s) {
				t.Errorf("%s: does not say %q", form, s)
			}
		}
	}
}

// TestOneInTwoRoots holds that people read of a vulnerability of one component once, and
// that the table has every root.
func TestOneInTwoRoots(t *testing.T) {
	t.Parallel()
	d := &dossier.Dossier{}
	for _, root := range []string{"system", "recovery"} {
		d.Matches = append(d.Matches, advisory.Match{Advisory: "CVE-2020-1000", Component: "c", Version: "1", Root: root, Status: advisory.Vulnerable, KEV: true})
	}
	if out := write(t, "text", d, report.Options{}); strings.Count(out, "CVE-2020-1000") != 1 || !strings.Contains(out, "1 affected (1 known to be exploited)") || !strings.Contains(out, "(2 places)") {
		t.Errorf("the text says:\n%s", out)
	}
	if n := len(rows(t, "csv-vulnerabilities", d)); n != 3 {
		t.Errorf("%d rows", n-1)
	}
}

// TestSBOMCheck holds the counts of the check against the components.
func TestSBOMCheck(t *testing.T) {
	t.Parallel()
	out := write(t, "sbom-check", rich(), report.Options{})
	for _, s := range []string{`FDA-SBOM-03 +2 of 7  supplier`, `FDA-SBOM-05 +6 of 7  version`, `FDA-SBOM-07 +0 of 1  relationship`, `FDA-SBOM-08 +1 of 7  hash`, `FDA-SBOM-10 +1 of 7  end of support`, `3 of 10 attributes complete`} {
		if !regexp.MustCompile(s).MatchString(out) {
			t.Errorf("does not say %s", s)
		}
	}
	if !regexp.MustCompile(`FDA-SBOM-05, version \(NTIA\)\n  missing: mystery\n`).MatchString(out) {
		t.Error("what has no version is not named")
	}
}
