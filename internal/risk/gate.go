package risk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/judge"
)

// Gate adds to a policy's verdict what the risks mean for it, by what the matrix says of
// each level: reject it; "controls" rejects unless the hospital's controls make it better
// than that, and then they are the condition; condition names what has to be done; accept.
// A level that the matrix does not name is accepted. What is part of a chain is judged with
// the chain. Nothing where the policy has no part "risk".
func Gate(p *judge.Policy, m *Matrix, risks []Risk, v *judge.Verdict, at time.Time) {
	if !p.HasRisk() {
		return
	}
	level := map[string]string{}
	for _, r := range risks {
		level[r.ID] = r.Level
	}
	for _, r := range risks {
		way := m.Gate[r.Level]
		if way == "" || way == "accept" || slices.ContainsFunc(r.PartOf, func(id string) bool { return m.rank(level[id]) >= m.rank(r.Level) }) {
			continue
		}
		words := r.Level + " risk: " + r.Title + " (" + r.ID + ")"
		if e := p.ExceptionForRisk(r.ID, at); e != nil {
			v.Condition(fmt.Sprintf("exception for the risk %s until %s: %s (%s)", r.ID, e.Until, e.Reason, e.Owner))
			continue
		}
		controls := r.measures("hospital: ")
		switch {
		case way == "controls" && r.Interim != "" && m.rank(r.Interim) < m.rank(r.Level) && !slices.Contains([]string{"reject", "controls"}, m.Gate[r.Interim]):
			v.Condition(controls + " against " + words)
		case way == "reject" || way == "controls":
			v.Reject(words)
		case controls != "":
			v.Condition(controls + " against " + words)
		default:
			v.Condition("watch " + words)
		}
	}
}

// measures joins those of one side: "maker: " or "hospital: ".
func (r *Risk) measures(side string) string {
	var out []string
	for _, m := range r.Measures {
		if words, ok := strings.CutPrefix(m, side); ok {
			out = append(out, words)
		}
	}
	return strings.Join(out, "; ")
}
