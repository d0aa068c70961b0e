package risk

import (
	"fmt"
	"math"
	"slices"
)

// Check computes the numbers of a risk again from what it states, by the matrix in force
// (Summary.Matrix in a dossier): the score from the vector, the exploitability from its
// factors and the first of these from the vector, each level from severity and
// exploitability, and what is left with the hospital's controls. The error names the first
// number that differs.
func Check(r Risk, m *Matrix) error {
	if err := m.Check(); err != nil {
		return fmt.Errorf("matrix %q: %w", m.Name, err)
	}
	v, err := read(r.Vector)
	if err != nil {
		return fmt.Errorf("risk %s: %w", r.ID, err)
	}
	if math.Abs(v.score-r.Score) > 1e-9 {
		return fmt.Errorf("risk %s: score %.1f: the vector gives %.1f", r.ID, r.Score, v.score)
	}
	if len(r.Factors) == 0 || r.Factors[0].Adds != v.start() {
		return fmt.Errorf("risk %s: the vector starts at E%d, and the factors do not", r.ID, v.start())
	}
	e := sum(r.Factors)
	if want := fmt.Sprintf("E%d", e); r.Exploitability != want {
		return fmt.Errorf("risk %s: exploitability %s: the factors give %s", r.ID, r.Exploitability, want)
	}
	level, after, controlled := m.Levels[0], m.Levels[0], true
	worse := func(to *string, l string) {
		if m.rank(l) > m.rank(*to) {
			*to = l
		}
	}
	for _, h := range r.Harms {
		if want := m.Level(h.Severity, e); h.Level != want {
			return fmt.Errorf("risk %s: %s is %s: the matrix gives %s", r.ID, h.Dimension, h.Level, want)
		}
		if r.After != "" && m.rank(h.After) < m.rank(m.Level(h.Severity, 1)) {
			return fmt.Errorf("risk %s: %s is %s after the measures: the matrix gives no better than %s", r.ID, h.Dimension, h.After, m.Level(h.Severity, 1))
		}
		worse(&level, h.Level)
		worse(&after, h.After)
		if h.Dimension == "patient-safety" && !slices.Contains(m.Controlled, h.Level) {
			controlled = false
		}
	}
	switch {
	case r.Level != level:
		return fmt.Errorf("risk %s: level %s: the harms give %s", r.ID, r.Level, level)
	case r.After != "" && r.After != after:
		return fmt.Errorf("risk %s: after the measures %s: the harms give %s", r.ID, r.After, after)
	case r.Controlled != controlled:
		return fmt.Errorf("risk %s: controlled is %t: the harm to the patient gives %t", r.ID, r.Controlled, controlled)
	case r.Interim == "":
		return nil
	}
	with, err := read(r.Controls)
	if err != nil {
		return fmt.Errorf("risk %s: controls: %w", r.ID, err)
	}
	interim := m.Levels[0]
	e = interimE(r.Factors, with)
	if r.Gone {
		e = 1
	}
	for _, h := range r.Harms {
		worse(&interim, m.Level(h.Severity, e))
	}
	// Another weakness of the same cause may be worse then than the one that leads now.
	if m.rank(r.Interim) < m.rank(interim) || m.rank(r.Interim) > m.rank(r.Level) {
		return fmt.Errorf("risk %s: with controls %s: the vector gives %s", r.ID, r.Interim, interim)
	}
	return nil
}
