package feed_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/feed"
)

// data returns the directory of real feeds, which are not part of the repository.
func data(t testing.TB) string {
	dir := os.Getenv("VESALIUS_FEEDS")
	if dir == "" {
		t.Skip("VESALIUS_FEEDS names no directory of feeds")
	}
	return dir
}

// TestYears holds that the yearly feeds parse without an error, and that the records
// counted are those that stand in them.
func TestYears(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(data(t), "nvd")
	table, err := os.ReadFile(filepath.Join(dir, "year-counts.tsv"))
	if err != nil {
		t.Skip(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")
	names := strings.Split(lines[0], "\t")
	for _, line := range lines[1:] {
		want := map[string]string{}
		for i, f := range strings.Split(line, "\t") {
			want[names[i]] = f
		}
		year := want["year"]
		if year == "all" {
			continue
		}
		f, err := os.Open(filepath.Join(dir, "nvdcve-2.0-"+year+".json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s, err := feed.Read(t.Context(), f.Name(), f, func(advisory.Record) error { return nil })
		if err != nil || s.Skipped > 0 {
			t.Errorf("%s: %v, %d skipped: %q", year, err, s.Skipped, s.Problems)
		}
		for name, got := range map[string]int{
			"records": s.Records, "not_rejected": s.Records - s.Withdrawn, "with_configurations": s.Placed,
			"with_cvss": s.Scored, "with_cwe": s.Classified, "kev_held": s.Exploited,
		} {
			if strconv.Itoa(got) != want[name] {
				t.Errorf("%s: %s: %d, want %s", year, name, got, want[name])
			}
		}
	}
}

// TestEverything holds that all of the feeds parse without an error.
func TestEverything(t *testing.T) {
	t.Parallel()
	stats, err := feed.ReadAll(t.Context(), []string{data(t)}, 2, func(advisory.Record) error { return nil })
	if err != nil {
		t.Error(err)
	}
	for _, s := range stats {
		t.Logf("%+v", s)
		if s.Skipped > 0 || s.Broken > 0 {
			t.Errorf("%s: %d skipped, %d broken: %q", s.Format, s.Skipped, s.Broken, s.Problems)
		}
	}
}

func BenchmarkReadAll(b *testing.B) {
	dir := filepath.Join(data(b), "nvd")
	for b.Loop() {
		var n atomic.Int64
		if _, err := feed.ReadAll(context.Background(), []string{dir}, 2, func(r advisory.Record) error {
			n.Add(int64(len(r.Affected)))
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMedicalAdvisories holds that each vulnerability of CISA's medical advisories names
// vendor and product, and how much of what it says of versions can be ordered.
func TestMedicalAdvisories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(data(t), "csaf", "OT", "white", "icsma-*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("no medical advisories there")
	}
	var mu sync.Mutex
	documents, cves := map[string]bool{}, map[string]bool{}
	records, every, ordered, raw := 0, 0, 0, 0
	_, err = feed.ReadAll(t.Context(), files, 2, func(r advisory.Record) error {
		mu.Lock()
		defer mu.Unlock()
		records++
		documents[r.Document], cves[r.ID] = true, true
		if !strings.HasPrefix(r.Document, "ICSMA-") || strings.ContainsAny(r.Document, "_ ") || len(r.Affected) == 0 {
			t.Errorf("%s of %q: %d products", r.ID, r.Document, len(r.Affected))
		}
		for _, a := range r.Affected {
			if a.Product.By != advisory.ByName || a.Product.Vendor == "" || a.Product.Name == "" {
				t.Errorf("%s of %s: %+v", r.ID, r.Document, a.Product)
			}
			if len(a.Versions) == 0 {
				every++
			}
			for _, v := range a.Versions {
				if v.Raw != "" {
					raw++
				} else {
					ordered++
				}
			}
		}
		return nil
	})
	t.Logf("%d records, products in every version %d, ranges %d, only as written %d", records, every, ordered, raw)
	if err != nil || len(documents) != 144 || records != 433 || len(cves) != 428 {
		t.Errorf("%v: %d documents, %d records, %d vulnerabilities; want 144, 433, 428", err, len(documents), records, len(cves))
	}
	if raw*3 > ordered {
		t.Errorf("of %d texts about versions %d cannot be ordered", raw+ordered, raw)
	}
}
