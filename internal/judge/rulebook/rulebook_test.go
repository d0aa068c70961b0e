package rulebook

import "testing"

// TestRules holds that every rule compiles, is complete, and answers its own tests.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, err := range Check(files) {
		t.Error(err)
	}
}
