package dossier

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// Merge returns one dossier of several of the same device, one a witness for instance.
// Facts, coverage and gaps are joined. Of findings with the same id the worst is kept (bad
// before unknown before good); whoever has the rules judges the joined facts again. What
// tells of one run alone is left out. The dossiers are not changed, and share facts with
// the result.
//
// Dossiers that name two vendors, models, versions or UDIs are an error.
func Merge(list ...*Dossier) (*Dossier, error) {
	if len(list) == 0 {
		return nil, errors.New("merge: no dossier")
	}
	out := &Dossier{Schema: Schema, Rules: map[string]*judge.Rule{}}
	gaps := map[string]fact.Gap{}
	findings := map[string]*judge.Finding{}
	facts := map[string]bool{}
	for i, d := range list {
		if err := sameDevice(out.Device, d.Device); err != nil {
			return nil, err
		}
		if i == 0 || d.At.After(out.At) {
			out.Tool, out.At = d.Tool, d.At
		}
		for id, r := range d.Rules {
			if old := out.Rules[id]; old == nil || old.Version < r.Version {
				out.Rules[id] = r
			}
		}
		out.Inputs = join(out.Inputs, d.Inputs)
		out.Layers = join(out.Layers, d.Layers)
		if err := addFacts(&out.Facts, &d.Facts, facts); err != nil {
			return nil, err
		}
		names := out.addGaps(d.Gaps, gaps, i)
		for _, c := range d.Coverage {
			c.Gaps = rename(c.Gaps, names)
			out.Coverage = append(out.Coverage, c)
		}
		for _, f := range d.Findings {
			addFinding(findings, f, names)
		}
		out.Matches = join(out.Matches, d.Matches)
		out.Considered = join(out.Considered, d.Considered)
		out.Statements = join(out.Statements, d.Statements)
		out.Claims = join(out.Claims, d.Claims)
		out.Risks = join(out.Risks, d.Risks)
		out.Answers = join(out.Answers, d.Answers)
		out.Remedies = join(out.Remedies, d.Remedies)
		out.Device = DeviceOf(&out.Facts)
		fill(&out.Device, d.Device)
	}
	out.Coverage = join(nil, out.Coverage)
	out.Findings = slices.Collect(maps.Values(findings))
	out.Sort()
	return out, nil
}

func sameDevice(a, b Device) error {
	for _, f := range []struct{ what, a, b string }{
		{"vendor", a.Vendor, b.Vendor}, {"model", a.Model, b.Model}, {"version", a.Version, b.Version}, {"UDI", a.UDI, b.UDI},
	} {
		if f.a != "" && f.b != "" && !strings.EqualFold(f.a, f.b) {
			return fmt.Errorf("merge: dossiers of two devices: %s %q and %q", f.what, f.a, f.b)
		}
	}
	return nil
}

// fill takes from another what the device does not say, where no fact says it either.
func fill(d *Device, from Device) {
	for _, f := range []struct{ to, from *string }{
		{&d.Vendor, &from.Vendor}, {&d.Model, &from.Model}, {&d.Version, &from.Version}, {&d.UDI, &from.UDI},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
}

// addFacts adds the facts that are not there yet, word for word.
func addFacts(to, from *fact.Set, seen map[string]bool) error {
	for _, k := range fact.Kinds() {
		for _, f := range from.Of(k) {
			b, err := json.Marshal(f)
			if err != nil {
				return fmt.Errorf("merge: %s %q: %w", k, f.Key(), err)
			}
			word := string(k) + string(b)
			if !seen[word] {
				seen[word] = true
				to.Add(f)
			}
		}
	}
	return nil
}

// addGaps adds the gaps of the dossier with the index i and returns the names of those
// that had to give their id up because another gap has it.
func (d *Dossier) addGaps(list []fact.Gap, gaps map[string]fact.Gap, i int) map[string]string {
	names := map[string]string{}
	for _, g := range list {
		id := g.ID
		for n := i + 1; ; n++ {
			old, taken := gaps[g.ID]
			if !taken {
				gaps[g.ID] = g
				d.Gaps = append(d.Gaps, g)
				break
			}
			if old.Place.String() == g.Place.String() && old.Why == g.Why && old.Size == g.Size {
				break // the same image in two dossiers
			}
			g.ID = fmt.Sprintf("%s-%d", id, n)
		}
		if g.ID != id {
			names[id] = g.ID
		}
	}
	return names
}

func rename(ids []string, names map[string]string) []string {
	out := slices.Clone(ids)
	for i, id := range out {
		if n, ok := names[id]; ok {
			out[i] = n
		}
	}
	return out
}

func addFinding(all map[string]*judge.Finding, finding *judge.Finding, gaps map[string]string) {
	copied := *finding
	f := &copied
	for _, id := range slices.Sorted(maps.Keys(gaps)) {
		f.Note = replaceWord(f.Note, id, gaps[id])
	}
	old := all[f.ID]
	if old == nil {
		all[f.ID] = f
		return
	}
	order := []judge.Outcome{judge.Bad, judge.Unknown, judge.Good}
	if slices.Index(order, f.Outcome) < slices.Index(order, old.Outcome) {
		old, f = f, old
	}
	if f.Outcome == old.Outcome {
		for _, p := range f.Places {
			if !slices.ContainsFunc(old.Places, func(q fact.Place) bool { return p.String() == q.String() }) {
				old.Places = append(slices.Clip(old.Places), p)
			}
		}
	}
	for _, s := range f.Sources {
		if !slices.Contains(old.Sources, s) {
			old.Sources = append(slices.Clip(old.Sources), s)
		}
	}
	all[f.ID] = old
}

// replaceWord replaces old in s where no letter, digit or hyphen goes before or on.
func replaceWord(s, old, now string) string {
	letter := func(c byte) bool {
		return c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	}
	var b strings.Builder
	for at := 0; ; {
		i := strings.Index(s[at:], old)
		if i < 0 || old == "" {
			b.WriteString(s[at:])
			return b.String()
		}
		i += at
		end := i + len(old)
		b.WriteString(s[at:i])
		if i > 0 && letter(s[i-1]) || end < len(s) && letter(s[end]) {
			b.WriteString(old)
		} else {
			b.WriteString(now)
		}
		at = end
	}
}

// join appends what is not there yet, compared by its JSON.
func join[T any](to, from []T) []T {
	seen := map[string]bool{}
	word := func(v T) string {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprintf("%#v", v)
		}
		return string(b)
	}
	for _, v := range to {
		seen[word(v)] = true
	}
	for _, v := range from {
		if w := word(v); !seen[w] {
			seen[w] = true
			to = append(to, v)
		}
	}
	return to
}
