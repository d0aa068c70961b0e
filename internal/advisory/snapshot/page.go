package snapshot

import (
	"fmt"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// Page writes doc/snapshot.md: what the snapshot holds, and how complete each year is.
func Page(info advisory.Info) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The snapshot

Made by "go run ./internal/advisory/snapshot/make INDEX": do not edit.

%d vulnerabilities of %d products, as of %s. What it is: [advisories](advisories.md#the-snapshot); where its facts come from: [084](decision/084-snapshot.md).

| source | records | newest | oldest |
|---|---|---|---|
`, info.Vulnerabilities, info.Products, info.Date.Format("2006-01-02"))
	for _, s := range info.Sources {
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", s.Source, s.Records, s.Newest.Format("2006-01-02"), s.Oldest.Format("2006-01-02"))
	}
	b.WriteString(`
What there was to choose from, by the year in the CVE id. EPSS knows nearly all that were published and not rejected: what it knows and the snapshot's sources did
not hold is missing, and what was held without a product cannot match. A product may have vulnerabilities in each of the missing and the unplaced.

| year | known to EPSS | missing | missing of known | held, not rejected | of these with a product | in the snapshot |
|---|---|---|---|---|---|---|
`)
	taken := map[int]int{}
	for _, y := range info.Years {
		taken[y.Year] = y.Vulnerabilities
	}
	for _, y := range info.Chosen {
		share := "-"
		if y.Forecasts > 0 {
			share = fmt.Sprintf("%.0f %%", 100*float64(y.Missing)/float64(y.Forecasts))
		}
		fmt.Fprintf(&b, "| %d | %d | %d | %s | %d | %d | %d |\n", y.Year, y.Forecasts, y.Missing, share, y.Vulnerabilities-y.Withdrawn, y.Placed, taken[y.Year])
	}
	return b.String()
}
