package vex

import (
	"testing"

	"github.com/vesalius-project/vesalius/internal/advisory/version"
)

// TestWithin holds which versions lie in a range as documents write it.
func TestWithin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, v string
		in, ok  bool
	}{
		{"<=1.9.4.1", "1.9.4.1", true, true},
		{"< 4.2", "4.2", false, true},
		{"< 4.2", "4.1.9", true, true},
		{">=1.0,<2.0", "1.0", true, true},
		{">=1.0, <2.0", "0.9", false, true},
		{"> 3", "3", false, true},
		{"> 3", "3.0.1", true, true},
		{"vers:generic/>=1|<2|>=3|<4", "2.5", false, true},
		{"vers:generic/>=1|<2|>=3|<4", "3.1", true, true},
		{"vers:generic/<1|>=3", "3.1", true, true},
		{"vers:generic/<1|>=3", "2", false, true},
		{"vers:generic/1.0|1.2", "1.2", true, true},
		{"vers:generic/1.0|1.2", "1.1", false, true},
		{"vers:generic/!=1.1|<2", "1.1", false, true},
		{"vers:generic/*", "7", true, true},
		{"1.0", "1.0", true, true},
		{"all before 4.2", "4.1", false, false},
		{"vers:generic", "4.1", false, false},
		{"", "4.1", false, false},
		{"<", "4.1", false, false},
	} {
		if in, ok := within(c.text, c.v, version.Generic); in != c.in || ok != c.ok {
			t.Errorf("%q in %q: %v, %v", c.v, c.text, in, ok)
		}
	}
}
