package firmware

import (
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/crypt"
)

// TestPasswordList holds that the list names no word twice and is in two parts.
func TestPasswordList(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	means := map[string]int{}
	for _, w := range passwords() {
		if seen[w.text] {
			t.Errorf("%q is listed twice", w.text)
		}
		seen[w.text] = true
		means[w.means]++
	}
	if means["default"] < 300 || means["cracked"] < 50 {
		t.Errorf("listed: %v", means)
	}
}

// TestGuess holds that what is tried ends with the budget, says so, and charges what it
// tried.
func TestGuess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		hash    crypt.Hash
		tries   int64
		found   string
		all, ok bool
	}{
		{"late word", crypt.Plain("2025"), 0, "2025", true, true},
		{"own name", crypt.Plain("Service"), 0, "Service", true, true},
		{"empty", crypt.Plain(""), 0, "", true, true},
		{"not listed", crypt.Plain("Zr8-unlisted"), 0, "", true, false},
		{"budget ends", crypt.Plain("2025"), 160, "", false, false},
		{"too costly", crypt.Read("$6$rounds=999999999$s$" + strings.Repeat("a", 86)), 0, "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoot("system", nil, nil)
			r.budget = budget.New(budget.Limits{Tries: c.tries})
			found, ok, all := r.guess("service", c.hash)
			if found.text != c.found || ok != c.ok || all != c.all {
				t.Errorf("found %q %t, all tried %t", found.text, ok, all)
			}
		})
	}
}

// TestMask holds that a masked secret shows neither its length nor more than two
// characters.
func TestMask(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "abc": "***", "admin": "a***", "Tr3nds-2019": "T***9", "käse-über-alles": "k***s"} {
		if got := mask(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
