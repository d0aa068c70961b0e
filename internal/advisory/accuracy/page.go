package accuracy

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed testdata/review.tsv
var review string

// Page writes doc/accuracy-advisories.md.
func Page(r *Result) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `# How accurate matching is

Made by "make accuracy": do not edit. It holds the snapshot in the program against %d facts about %d products (internal/advisory/accuracy/testdata/truth.tsv): versions of which two sources that do not know each other say the
same. The first is NVD, as NVD or Anchore analysed it. The second is the project itself (OpenSSL, curl, Node.js), its numbering authority's CVE record, or what Alpine and Wolfi say they mended. Rows are chosen from the second
source by a digest, never from what the matcher says, and both are read by code that shares nothing with it (internal/advisory/accuracy/make). What it shows is that versions, names, platforms and back-ports are
understood where the facts are right; it does not show how complete the facts are: see [the snapshot](snapshot.md).

| | rows | right |
|---|---|---|
| affected | %d | %d |
| not affected | %d | %d |

Recall %.2f %%, precision %.2f %%.

| what the row is | rows | right |
|---|---|---|
`, r.True+r.Missed+r.False+r.Refused, r.Products, r.True+r.Missed, r.True, r.False+r.Refused, r.Refused, 100*r.Recall(), 100*r.Precision())
	kinds := map[string]string{"before-fix": "the last version known before the fix", "first": "the first version that is affected", "last": "the last version that is affected", "fixed": "the first fixed version",
		"not-yet": "the last version known before the flaw came in", "other-product": "another product of the same name", "backport": "the package revision in which a distribution mended it", "before-backport": "the revision before that"}
	var names []string
	for k := range r.Kinds {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", kinds[k], r.Kinds[k][1], r.Kinds[k][0])
	}
	b.WriteString("\n## Wrong answers\n\n")
	reasons := map[string]string{"CVE-2004-0112": "NVD ties OpenSSL by AND to a list of appliances of which each counts as vulnerable; the snapshot has no second source that decides"}
	if len(r.Wrong) == 0 {
		b.WriteString("None.\n")
	}
	for _, w := range r.Wrong {
		fmt.Fprintf(&b, "- %s in %s %s (%s): affected is %v, the answer was %q. %s.\n", w.ID, w.Product, w.Version, kinds[w.Kind], w.Affected, w.Got, reasons[w.ID])
	}
	all, err := Differing()
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, `
## Where the two sources differ

Such rows are no part of the measure. A digest chose at most two of each kind and product, %d in all (testdata/differ.tsv). Two causes are behind most of them: a distribution states no beginning, so that the version before its
fix may be older than the flaw or of a branch that was mended before; and a distribution names a version as fixed that it had patched itself. In both NVD is right. The others are branches of which NVD knows one fix only,
and ends that NVD counts otherwise than the project: there the project is right, and with its own record in the index (OpenSSL's list, the CVE List) it is believed.
Those below were reviewed one by one, by what is known of the projects' releases; the rest were not.

| vulnerability | product | version | right | why |
|---|---|---|---|---|
`, len(all))
	for line := range strings.Lines(review) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) == 5 && !strings.HasPrefix(line, "#") {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f[0], f[1], f[2], map[string]string{"nvd": "NVD", "second": "the second source"}[f[3]], f[4])
		}
	}
	return b.String(), nil
}
