package budget

import "testing"

// TestTries holds that trials are granted until the limit, the last of them in part, and
// that what was refused is not charged.
func TestTries(t *testing.T) {
	t.Parallel()
	b := New(Limits{Tries: 10})
	for i, c := range []struct{ ask, want int64 }{{4, 4}, {0, 0}, {7, 6}, {1, 0}, {1, 0}} {
		if got := b.Tries(c.ask); got != c.want {
			t.Errorf("%d: asked %d, got %d, want %d", i, c.ask, got, c.want)
		}
	}
}
