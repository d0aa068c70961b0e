package dossier

import (
	"slices"

	"github.com/vesalius-project/vesalius/internal/judge"
)

// Rank returns how bad a severity is, 0 for the worst, and -1 for what is none.
func Rank(severity string) int { return slices.Index(judge.Severities(), severity) }

// Tally counts answers.
type Tally struct {
	Bad, Unknown, Good int
	Worst              string // severity of the worst bad one, empty where none is bad
}

// Counts are the findings of a dossier in numbers.
type Counts struct {
	All      Tally
	Severity map[string]int    // bad findings by severity
	Vector   map[string]*Tally // by vector
}

// Count counts the findings. A finding that stands for many facts counts once.
func (d *Dossier) Count() Counts {
	c := Counts{Severity: map[string]int{}, Vector: map[string]*Tally{}}
	for _, f := range d.Findings {
		v := c.Vector[f.Vector]
		if v == nil {
			v = new(Tally)
			c.Vector[f.Vector] = v
		}
		v.add(f)
		c.All.add(f)
		if f.Outcome == judge.Bad {
			c.Severity[f.Severity]++
		}
	}
	return c
}

func (t *Tally) add(f *judge.Finding) {
	switch f.Outcome {
	case judge.Good:
		t.Good++
	case judge.Unknown:
		t.Unknown++
	case judge.Bad:
		t.Bad++
		if t.Worst == "" || Rank(f.Severity) < Rank(t.Worst) {
			t.Worst = f.Severity
		}
	}
}
