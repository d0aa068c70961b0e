package dossier_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// TestCompare holds what counts as new, fixed, changed and shared between two releases.
func TestCompare(t *testing.T) {
	t.Parallel()
	base := func(root, path string) fact.Base {
		return fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: root, Places: []fact.Place{{Input: "x", Path: path}}}
	}
	finding := func(id string, o judge.Outcome) *judge.Finding {
		return &judge.Finding{ID: id, Rule: "r." + id, Outcome: o, Severity: "high"}
	}
	was := &dossier.Dossier{At: time.Unix(0, 0), Findings: []*judge.Finding{
		finding("still", judge.Bad), finding("mended", judge.Bad), finding("gone", judge.Bad), finding("worse", judge.Good), finding("lost", judge.Good), finding("never-seen", judge.Unknown),
	}}
	was.Facts.Add(
		&fact.Component{Base: base("system", "/usr/lib/libssl.so.1.1"), Name: "openssl", Version: "1.1.1n"},
		&fact.Component{Base: base("system", "/bin/old"), Name: "old", Version: "1"},
		&fact.Key{Base: base("system", "/etc/key"), Use: "ssh-host", Private: fact.Say(true), Fingerprint: "SHA256:same"},
		&fact.Secret{Base: base("system", "/etc/a"), What: "token", Fingerprint: "f1"},
	)
	is := &dossier.Dossier{At: time.Unix(1, 0), Findings: []*judge.Finding{
		finding("still", judge.Bad), finding("mended", judge.Good), finding("worse", judge.Bad), finding("lost", judge.Unknown), finding("born", judge.Bad), finding("fine", judge.Good),
	}}
	is.Facts.Add(
		&fact.Component{Base: base("system", "/usr/lib/libssl.so.3"), Name: "openssl", Version: "3.0.15"},
		&fact.Component{Base: base("system", "/bin/new"), Name: "new", Version: "2"},
		&fact.Key{Base: base("system", "/etc/other"), Use: "ssh-host", Private: fact.Say(true), Fingerprint: "SHA256:same"},
		&fact.Secret{Base: base("system", "/etc/a"), What: "token", Fingerprint: "f2"},
	)
	match := func(id string, s advisory.Status) advisory.Match {
		return advisory.Match{Advisory: id, Component: "openssl", Root: "system", Status: s}
	}
	was.Matches = []advisory.Match{match("CVE-1", advisory.Vulnerable), match("CVE-2", advisory.Vulnerable), match("CVE-3", advisory.Unclear)}
	is.Matches = []advisory.Match{match("CVE-2", advisory.Fixed), match("CVE-3", advisory.Vulnerable), match("CVE-4", advisory.Vulnerable), match("CVE-5", advisory.NotThere)}

	d := dossier.Compare(was, is)
	got := map[string]string{}
	for _, c := range d.Findings {
		got["finding "+c.Finding.ID] = c.Change
	}
	for _, c := range d.Matches {
		got["match "+c.Match.Advisory] = c.Change
	}
	for _, c := range d.Facts {
		if c.Kind == fact.KindComponent {
			got["component "+c.Name] = c.Change
		}
	}
	for _, s := range d.Shared {
		got["shared "+s.Fingerprint] = string(s.Kind)
	}
	want := map[string]string{
		"finding still": "unchanged", "finding mended": "fixed", "finding gone": "fixed", "finding worse": "new", "finding lost": "changed", "finding born": "new",
		"match CVE-1": "fixed", "match CVE-2": "fixed", "match CVE-3": "changed", "match CVE-4": "new",
		"component openssl": "changed", "component old": "removed", "component new": "new",
		"shared SHA256:same": "key",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, c := range d.Facts {
		if c.Name == "openssl" {
			if diff := cmp.Diff([]dossier.FieldChange{{Field: "version", Old: "1.1.1n", New: "3.0.15"}}, c.Fields); diff != "" {
				t.Errorf("openssl: -want +got:\n%s", diff)
			}
		}
	}
	if n := dossier.Compare(is, is); len(n.Facts)+len(n.Matches)+len(n.Gaps) > 0 {
		t.Errorf("a dossier differs from itself: %v %v %v", n.Facts, n.Matches, n.Gaps)
	}
}
