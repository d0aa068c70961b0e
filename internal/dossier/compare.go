package dossier

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// Difference is what changed between two dossiers: two releases of a device, or two
// devices of one maker. Everything is in the order of its keys.
type Difference struct {
	Schema   int             `json:"schema"`
	Old      Side            `json:"old"`
	New      Side            `json:"new"`
	Facts    []FactChange    `json:"facts,omitempty"`
	Findings []FindingChange `json:"findings,omitempty"` // those of which the answer changed, and the bad and unknown ones that did not
	Matches  []MatchChange   `json:"matches,omitempty"`
	Gaps     []GapChange     `json:"gaps,omitempty"`
	Shared   []Shared        `json:"shared,omitempty"` // secrets and private keys that are in both
}

// Side says which dossier it is.
type Side struct {
	Device Device  `json:"device"`
	At     string  `json:"at"`
	Inputs []Input `json:"inputs"`
}

// The words of a change.
const (
	Added   = "new"
	Removed = "removed"
	Changed = "changed"
	Mended  = "fixed"     // a finding that was bad and is good, or whose fact is gone; a match likewise
	Same    = "unchanged" // a finding that is still bad or unknown
)

// FactChange is a fact that came, went or says something else.
type FactChange struct {
	Change string        `json:"change"`
	Kind   fact.Kind     `json:"kind"`
	Root   string        `json:"root,omitzero"`
	Key    string        `json:"key"`
	Name   string        `json:"name,omitzero"` // as people call it
	Fields []FieldChange `json:"fields,omitempty"`
	Place  string        `json:"place,omitzero"` // where it is, or was
}

// FieldChange is one field that says something else.
type FieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old,omitzero"`
	New   string `json:"new,omitzero"`
}

// FindingChange is what became of a finding.
type FindingChange struct {
	Change  string         `json:"change"` // new, fixed, changed, unchanged
	Before  judge.Outcome  `json:"before,omitzero"`
	After   judge.Outcome  `json:"after,omitzero"`
	Finding *judge.Finding `json:"finding"` // the newer one; of what is gone the older
}

// MatchChange is what became of a known vulnerability.
type MatchChange struct {
	Change string          `json:"change"`
	Before advisory.Status `json:"before,omitzero"`
	After  advisory.Status `json:"after,omitzero"`
	Match  advisory.Match  `json:"match"`
}

// GapChange is a part that can be read no more, or now can.
type GapChange struct {
	Change string   `json:"change"`
	Gap    fact.Gap `json:"gap"`
}

// Shared is one secret that both sides hold: whoever has it from one opens the other.
type Shared struct {
	Kind        fact.Kind `json:"kind"`
	What        string    `json:"what"`
	Fingerprint string    `json:"fingerprint"`
	Old         string    `json:"old"` // place
	New         string    `json:"new"`
}

// Compare says what changed from one dossier to another.
func Compare(was, is *Dossier) *Difference {
	d := &Difference{Schema: Schema, Old: sideOf(was), New: sideOf(is)}
	for _, k := range fact.Kinds() {
		d.Facts = append(d.Facts, compareFacts(k, was.Facts.Of(k), is.Facts.Of(k))...)
	}
	d.Findings = compareFindings(was.Findings, is.Findings)
	d.Matches = compareMatches(was.Matches, is.Matches)
	d.Gaps = compareGaps(was.Gaps, is.Gaps)
	d.Shared = sharedSecrets(&was.Facts, &is.Facts)
	return d
}

func sideOf(d *Dossier) Side {
	return Side{Device: d.Device, At: d.At.UTC().Format("2006-01-02T15:04:05Z"), Inputs: d.Inputs}
}

// silent are the fields in which two releases differ without a difference that anybody
// could act on.
var silent = map[string]bool{
	"source": true, "places": true, "root": true, "links": true, "why": true, "confidence": true, "digest": true, "size": true, "purl": true, "cpes": true, "build": true,
}

// compareFacts compares the facts of one kind by root and key. Facts that share both (two
// places of one file, say) are compared in their order.
func compareFacts(k fact.Kind, was, is []fact.Fact) []FactChange {
	type id struct{ root, key string }
	group := func(list []fact.Fact) map[id][]fact.Fact {
		m := map[id][]fact.Fact{}
		for _, f := range list {
			at := id{f.Header().Root, f.Key()}
			m[at] = append(m[at], f)
		}
		return m
	}
	old, now := group(was), group(is)
	all := map[id]bool{}
	for _, m := range []map[id][]fact.Fact{old, now} {
		for at := range m {
			all[at] = true
		}
	}
	var out []FactChange
	for _, at := range slices.SortedFunc(maps.Keys(all), func(a, b id) int { return cmp.Or(cmp.Compare(a.root, b.root), cmp.Compare(a.key, b.key)) }) {
		a, b := old[at], now[at]
		for i := range max(len(a), len(b)) {
			c := FactChange{Kind: k, Root: at.root, Key: at.key}
			switch {
			case i >= len(a):
				c.Change, c.Place, c.Name = Added, firstPlace(b[i]), nameOf(b[i])
				c.Fields = fieldChanges(nil, b[i])
			case i >= len(b):
				c.Change, c.Place, c.Name = Removed, firstPlace(a[i]), nameOf(a[i])
				c.Fields = fieldChanges(a[i], nil)
			default:
				c.Change, c.Place, c.Name = Changed, firstPlace(b[i]), nameOf(b[i])
				if c.Fields = fieldChanges(a[i], b[i]); len(c.Fields) == 0 {
					continue
				}
			}
			out = append(out, c)
		}
	}
	return out
}

func firstPlace(f fact.Fact) string {
	if p := f.Header().Places; len(p) > 0 {
		return p[0].String()
	}
	return ""
}

// nameOf is what people call a fact.
func nameOf(f fact.Fact) string {
	switch f := f.(type) {
	case *fact.Setting:
		return strings.TrimSpace(strings.Join([]string{f.Subject, f.Scope, f.Name}, " "))
	case *fact.Key:
		return strings.TrimSpace(strings.Join([]string{f.Use, f.Algorithm, "key"}, " "))
	case *fact.Guard:
		return f.What + " of " + f.Subject
	case *fact.Destination:
		return strings.TrimSpace(f.Protocol + " " + f.Host)
	}
	fields := fieldsOf(f)
	for _, k := range []string{"name", "path", "what", "mechanism", "loader", "point", "subject"} {
		if v := fields[k]; v != "" {
			return v
		}
	}
	return ""
}

// fieldsOf gives the fields of a fact as texts.
func fieldsOf(f fact.Fact) map[string]string {
	out := map[string]string{}
	if f == nil {
		return out
	}
	data, err := json.Marshal(f)
	if err != nil {
		return out
	}
	var raw map[string]json.RawMessage
	if json.Unmarshal(data, &raw) != nil {
		return out
	}
	for k, v := range raw {
		var s string
		if json.Unmarshal(v, &s) != nil {
			s = string(v)
		}
		out[k] = s
	}
	return out
}

// fieldChanges compares the fields of two facts; nil is a fact that is not there, of which
// what tells it from others is not said again.
func fieldChanges(was, is fact.Fact) []FieldChange {
	a, b := fieldsOf(was), fieldsOf(is)
	names := map[string]bool{}
	for _, m := range []map[string]string{a, b} {
		for k := range m {
			names[k] = true
		}
	}
	var out []FieldChange
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if !silent[k] && a[k] != b[k] {
			out = append(out, FieldChange{k, a[k], b[k]})
		}
	}
	return out
}

func compareFindings(was, is []*judge.Finding) []FindingChange {
	old := map[string]*judge.Finding{}
	for _, f := range was {
		old[f.ID] = f
	}
	var out []FindingChange
	seen := map[string]bool{}
	for _, f := range is {
		seen[f.ID] = true
		c := FindingChange{After: f.Outcome, Finding: f}
		o := old[f.ID]
		switch {
		case o == nil && f.Outcome == judge.Good:
			continue
		case o == nil:
			c.Change = Added
		case o.Outcome == f.Outcome:
			if f.Outcome == judge.Good {
				continue
			}
			c.Change, c.Before = Same, o.Outcome
		case f.Outcome == judge.Bad:
			c.Change, c.Before = Added, o.Outcome
		case o.Outcome == judge.Bad && f.Outcome == judge.Good:
			c.Change, c.Before = Mended, o.Outcome
		default:
			c.Change, c.Before = Changed, o.Outcome
		}
		out = append(out, c)
	}
	for _, f := range was {
		if !seen[f.ID] && f.Outcome == judge.Bad {
			out = append(out, FindingChange{Change: Mended, Before: f.Outcome, Finding: f})
		}
	}
	order := []string{Added, Changed, Same, Mended}
	slices.SortStableFunc(out, func(a, b FindingChange) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Change), slices.Index(order, b.Change)), cmp.Compare(Rank(a.Finding.Severity), Rank(b.Finding.Severity)),
			cmp.Compare(a.Finding.Rule, b.Finding.Rule), cmp.Compare(a.Finding.ID, b.Finding.ID))
	})
	return out
}

func compareMatches(was, is []advisory.Match) []MatchChange {
	key := func(m advisory.Match) string { return m.Root + "\x00" + m.Component + "\x00" + m.Advisory }
	old := map[string]advisory.Match{}
	for _, m := range was {
		old[key(m)] = m
	}
	open := func(s advisory.Status) bool { return s == advisory.Vulnerable || s == advisory.Unclear }
	var out []MatchChange
	seen := map[string]bool{}
	for _, m := range is {
		seen[key(m)] = true
		o, known := old[key(m)]
		c := MatchChange{Before: o.Status, After: m.Status, Match: m}
		switch {
		case known && o.Status == m.Status:
			continue
		case open(m.Status) && (!known || !open(o.Status)):
			c.Change = Added
		case known && open(o.Status) && !open(m.Status):
			c.Change = Mended
		case known:
			c.Change = Changed
		default:
			continue // it is new and does no harm
		}
		out = append(out, c)
	}
	for _, m := range was {
		if !seen[key(m)] && open(m.Status) {
			out = append(out, MatchChange{Change: Mended, Before: m.Status, Match: m})
		}
	}
	slices.SortStableFunc(out, func(a, b MatchChange) int {
		return cmp.Or(strings.Compare(b.Change, a.Change), cmp.Compare(b.Match.CVSS, a.Match.CVSS), cmp.Compare(a.Match.Component, b.Match.Component), cmp.Compare(a.Match.Advisory, b.Match.Advisory))
	})
	return out
}

func compareGaps(was, is []fact.Gap) []GapChange {
	key := func(g fact.Gap) string { return fmt.Sprint(g.Root, "|", g.Place.Path, "|", g.Reason, "|", g.Why) }
	count := map[string]int{}
	for _, g := range was {
		count[key(g)]++
	}
	var out []GapChange
	for _, g := range is {
		if count[key(g)]--; count[key(g)] < 0 {
			out = append(out, GapChange{Added, g})
		}
	}
	for _, g := range was {
		if count[key(g)] > 0 {
			count[key(g)]--
			out = append(out, GapChange{Removed, g})
		}
	}
	return out
}

// sharedSecrets finds the secrets and private keys that both sides hold, by their
// fingerprints: guessable ones have none and are found by the password rules.
func sharedSecrets(was, is *fact.Set) []Shared {
	type held struct {
		kind        fact.Kind
		what, place string
	}
	of := func(s *fact.Set) map[string]held {
		m := map[string]held{}
		for _, x := range s.Secret {
			if x.Fingerprint != "" {
				m[x.Fingerprint] = held{fact.KindSecret, x.What, firstPlace(x)}
			}
		}
		for _, x := range s.Key {
			if x.Fingerprint != "" && x.Private.Or(false) {
				m[x.Fingerprint] = held{fact.KindKey, strings.TrimSpace(x.Use + " " + x.Algorithm), firstPlace(x)}
			}
		}
		return m
	}
	old, now := of(was), of(is)
	var out []Shared
	for _, f := range slices.Sorted(maps.Keys(now)) {
		if o, ok := old[f]; ok && o.kind == now[f].kind {
			out = append(out, Shared{o.kind, now[f].what, f, o.place, now[f].place})
		}
	}
	return out
}
