package feed

import "time"

// when reads the dates that the sources write: a day, or a time with or without a zone;
// without one it is UTC. What is no date is the zero time.
func when(s string) time.Time {
	if len(s) < 10 {
		return time.Time{}
	}
	layouts := []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05", "2006-01-02T15:04"}
	if len(s) == 10 {
		layouts = []string{"2006-01-02", "01/02/2006"}
	} else if s[len(s)-1] != 'Z' && len(s) == len("2006-01-02T15:04:05.000") {
		layouts = layouts[1:]
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
