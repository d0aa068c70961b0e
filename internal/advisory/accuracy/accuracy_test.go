package accuracy_test

import (
	"flag"
	"os"
	"testing"

	"github.com/vesalius-project/vesalius/internal/advisory/accuracy"
	"github.com/vesalius-project/vesalius/internal/advisory/snapshot"
	"github.com/vesalius-project/vesalius/internal/component/signature"
)

func measure(t *testing.T) *accuracy.Result {
	t.Helper()
	x, err := snapshot.Open()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := accuracy.Rows()
	if err != nil {
		t.Fatal(err)
	}
	signatures, err := signature.All()
	if err != nil {
		t.Fatal(err)
	}
	r, err := accuracy.Measure(x, rows, signatures)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAccuracy(t *testing.T) {
	t.Parallel()
	r := measure(t)
	for _, w := range r.Wrong {
		t.Logf("%s %s %s %s: want affected %v, got %q: %q", w.Kind, w.Product, w.Version, w.ID, w.Affected, w.Got, w.Why)
	}
	t.Logf("%d products, %d affected, %d not: recall %.4f, precision %.4f", r.Products, r.True+r.Missed, r.False+r.Refused, r.Recall(), r.Precision())
	if r.Products < 40 || r.True+r.Missed < 300 || r.False+r.Refused < 300 {
		t.Errorf("the table is too small: %d products", r.Products)
	}
	if r.Recall() < 0.98 || r.Precision() < 0.98 {
		t.Errorf("recall %.4f, precision %.4f", r.Recall(), r.Precision())
	}
}

var page = flag.String("accuracy", "", "write the page of the measurement to this file")

// The page says what is measured now.
func TestPageCurrent(t *testing.T) {
	t.Parallel()
	text, err := accuracy.Page(measure(t))
	if err != nil {
		t.Fatal(err)
	}
	if *page != "" {
		if err := os.WriteFile(*page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const name = "../../../doc/accuracy-advisories.md"
	old, err := os.ReadFile(name)
	if err != nil || string(old) != text {
		t.Errorf("%s is old (%v): run make accuracy", name, err)
	}
}

// Every row is of a signature, and no fact stands twice with two answers.
func TestRows(t *testing.T) {
	t.Parallel()
	rows, err := accuracy.Rows()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rows {
		key := r.Product + " " + r.Version + " " + r.ID + " " + r.More
		if want, ok := seen[key]; ok && want != r.Affected {
			t.Errorf("%s: two answers", key)
		}
		seen[key] = r.Affected
	}
}
