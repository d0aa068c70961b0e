package report

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// SARIF is OASIS SARIF 2.1.0 plus errata 01. Section numbers are of that text.
var sarif = Form{
	Name:  "sarif",
	Title: "SARIF 2.1.0, for code scanning and CI: what is bad or unknown",
	MIME:  "application/sarif+json",
	write: writeSARIF,
}

// sarifPlaces is how many places of one result are written: viewers refuse long lists.
const sarifPlaces = 100

const home = "https://github.com/vesalius-project/vesalius"

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	Artifacts   []sarifArtifact   `json:"artifacts,omitempty"`
	ColumnKind  string            `json:"columnKind"`
	Results     []sarifResult     `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID      string         `json:"id"`
	Old     []string       `json:"deprecatedIds,omitempty"`
	Short   sarifText      `json:"shortDescription"`
	Full    *sarifText     `json:"fullDescription,omitempty"`
	Help    *sarifText     `json:"help,omitempty"`
	Default sarifLevel     `json:"defaultConfiguration"`
	More    map[string]any `json:"properties"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifLevel struct {
	Level string `json:"level"`
}

type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

type sarifArtifact struct {
	Location sarifURI          `json:"location"`
	Length   int64             `json:"length"`
	Roles    []string          `json:"roles"`
	Hashes   map[string]string `json:"hashes,omitempty"`
}

type sarifURI struct {
	URI string `json:"uri"`
}

type sarifResult struct {
	Rule         string            `json:"ruleId"`
	Index        int               `json:"ruleIndex"`
	Kind         string            `json:"kind"`
	Level        string            `json:"level"`
	State        string            `json:"baselineState,omitempty"` // 3.27.24
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	More         map[string]any    `json:"properties"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations"`
}

type sarifPhysical struct {
	Artifact sarifURI     `json:"artifactLocation"`
	Region   *sarifRegion `json:"region,omitempty"`
}

type sarifRegion struct {
	Line   int   `json:"startLine,omitempty"`
	Offset int64 `json:"byteOffset,omitempty"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
}

func writeSARIF(w io.Writer, d *dossier.Dossier, o Options) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: cmp.Or(clean(d.Tool.Name), "vesalius"), Version: clean(d.Tool.Version), InformationURI: home, Rules: []sarifRule{},
		}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	invocation := sarifInvocation{Successful: true}
	for _, g := range d.Gaps {
		invocation.Notifications = append(invocation.Notifications, sarifNotification{
			Level: "warning", Message: sarifText{unlinked("not read: " + gapWords(&g))}, Locations: sarifLocations([]fact.Place{g.Place}),
		})
	}
	run.Invocations = []sarifInvocation{invocation}
	for _, in := range d.Inputs {
		a := sarifArtifact{Location: sarifURI{uriPath(in.Name)}, Length: max(in.Size, 0), Roles: []string{"analysisTarget"}}
		if in.SHA256 != "" {
			a.Hashes = map[string]string{"sha-256": clean(in.SHA256)}
		}
		run.Artifacts = append(run.Artifacts, a)
	}
	rules := map[string]int{}
	rule := func(id string, make func() sarifRule) int {
		i, ok := rules[id]
		if !ok {
			i = len(run.Tool.Driver.Rules)
			rules[id] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, make())
		}
		return i
	}
	finding := func(f *judge.Finding, state string) {
		r := sarifResultOf(f, rule(f.Rule, func() sarifRule { return sarifRuleOf(ruleOf(d, f), f.Severity) }))
		r.State = state
		run.Results = append(run.Results, r)
	}
	match := func(m *advisory.Match, state string) {
		r := sarifMatch(m, rule("\x00"+m.Advisory, func() sarifRule { return sarifVulnerability(m) }))
		r.State = state
		run.Results = append(run.Results, r)
	}
	states := sarifStates(o.Change)
	for _, f := range d.Findings {
		if f.Outcome != judge.Good {
			finding(f, states.finding(f))
		}
	}
	for _, m := range matches(d) {
		if m.Status == advisory.Vulnerable || m.Status == advisory.Unclear {
			match(m.Match, states.match(m.Match))
		}
	}
	if o.Change != nil {
		for _, c := range o.Change.Findings {
			if c.Change == dossier.Mended {
				finding(c.Finding, "absent")
			}
		}
		for _, c := range o.Change.Matches {
			if c.Change == dossier.Mended {
				match(&c.Match, "absent")
			}
		}
	}
	return dossier.Encode(w, sarifLog{
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// sarifState knows what of a dossier is new; it knows nothing where nothing was compared.
type sarifState struct {
	compared bool
	changes  map[string]string
}

func sarifStates(change *dossier.Difference) sarifState {
	s := sarifState{compared: change != nil, changes: map[string]string{}}
	if change == nil {
		return s
	}
	words := map[string]string{dossier.Added: "new", dossier.Changed: "updated"}
	for _, c := range change.Findings {
		s.changes[c.Finding.ID] = words[c.Change]
	}
	for _, c := range change.Matches {
		s.changes[matchKey(&c.Match)] = words[c.Change]
	}
	return s
}

func matchKey(m *advisory.Match) string { return m.Root + "\x00" + m.Component + "\x00" + m.Advisory }

func (s sarifState) finding(f *judge.Finding) string { return s.of(f.ID) }
func (s sarifState) match(m *advisory.Match) string  { return s.of(matchKey(m)) }

func (s sarifState) of(key string) string {
	if !s.compared {
		return ""
	}
	return cmp.Or(s.changes[key], "unchanged")
}

func sarifRuleOf(r *judge.Rule, severity string) sarifRule {
	tags := []string{clean(r.Vector)}
	for _, n := range r.CWE {
		tags = append(tags, fmt.Sprintf("external/cwe/cwe-%03d", n))
	}
	out := sarifRule{
		ID: clean(r.ID), Short: sarifText{cmp.Or(prose(r.Title), clean(r.ID))}, Default: sarifLevel{sarifLevelOf(severity)},
		More: map[string]any{"tags": slices.Compact(slices.Sorted(slices.Values(tags)))},
	}
	for _, id := range r.Was {
		out.Old = append(out.Old, clean(id))
	}
	if r.Why != "" {
		out.Full = &sarifText{prose(r.Why)}
	}
	if help := strings.TrimSpace(prose(r.Why) + " " + prose(r.Recommend)); help != "" {
		out.Help = &sarifText{help}
	}
	if s, ok := securitySeverity(severity); ok {
		out.More["security-severity"] = s
	}
	return out
}

// sarifVulnerability is a vulnerability as a rule: its id is that of the CVE.
func sarifVulnerability(m *advisory.Match) sarifRule {
	id := cmp.Or(clean(m.Advisory), "unnamed")
	tags := []string{"vulnerability"}
	for _, n := range m.CWE {
		tags = append(tags, fmt.Sprintf("external/cwe/cwe-%03d", n))
	}
	words := id + " is known of a component"
	if s := exploitation(m); s != "" {
		words += ": " + s
	}
	out := sarifRule{
		ID: id, Short: sarifText{words}, Default: sarifLevel{sarifLevelOf(m.Severity)},
		More: map[string]any{"tags": slices.Compact(slices.Sorted(slices.Values(tags)))},
	}
	if m.CVSS > 0 {
		out.More["security-severity"] = float(m.CVSS, 1)
	} else if s, ok := securitySeverity(m.Severity); ok {
		out.More["security-severity"] = s
	}
	if do := todo(m); do != "" {
		out.Help = &sarifText{do}
	}
	return out
}

// sarifMatch is what became of a vulnerability and a component, as a result.
func sarifMatch(m *advisory.Match, index int) sarifResult {
	words := cmp.Or(clean(m.Advisory), "unnamed") + " in " + clean(strings.TrimSpace(m.Component+" "+m.Version)) + ", " + statusWords(m.Status)
	if s := severityWords(m); s != "" {
		words += ", " + s
	}
	if s := exploitation(m); s != "" {
		words += ", " + s
	}
	if why := strings.Join(proses(m.Why), "; "); why != "" {
		words += ": " + cut(why, htmlLong)
	}
	r := sarifResult{
		Rule: cmp.Or(clean(m.Advisory), "unnamed"), Index: index, Kind: "fail", Level: sarifLevelOf(m.Severity), Message: sarifText{unlinked(words)},
		Fingerprints: map[string]string{"vesaliusVulnerability/v1": clean(strings.Join([]string{m.Advisory, m.Component, m.Version, m.Root}, "|"))},
		More:         map[string]any{"status": clean(string(m.Status)), "confidence": clean(m.Confidence), "known-exploited": m.KEV},
	}
	if m.Root != "" {
		r.More["root"] = clean(m.Root)
	}
	if m.EPSS > 0 {
		r.More["epss"] = m.EPSS
	}
	if m.Status == advisory.Unclear {
		r.Kind, r.Level = "open", "none" // 3.27.10
	}
	var places []fact.Place
	for _, s := range m.Places[:min(len(m.Places), sarifPlaces)] {
		p, err := fact.ParsePlace(s)
		if err != nil {
			p = fact.Place{Endpoint: s} // as it stands
		}
		places = append(places, p)
	}
	r.Locations = sarifLocations(places)
	return r
}

// securitySeverity gives a severity as code scanning sites want it: the middle of its
// range in CVSS.
func securitySeverity(severity string) (string, bool) {
	switch severity {
	case "critical":
		return "9.5", true
	case "high":
		return "8.0", true
	case "medium":
		return "5.5", true
	case "low":
		return "2.0", true
	}
	return "", false
}

func sarifLevelOf(severity string) string {
	switch severity {
	case "critical", "high":
		return "error"
	case "medium":
		return "warning"
	}
	return "note"
}

func sarifResultOf(f *judge.Finding, index int) sarifResult {
	r := sarifResult{
		Rule: clean(f.Rule), Index: index, Kind: "fail", Level: sarifLevelOf(f.Severity),
		Message:      sarifText{unlinked(sentence(f))},
		Locations:    sarifLocations(f.Places),
		Fingerprints: map[string]string{"vesaliusFinding/v1": clean(f.ID)},
		More:         map[string]any{"severity": f.Severity, "confidence": clean(f.Confidence), "count": max(f.Count, 1)},
	}
	if f.Root != "" {
		r.More["root"] = clean(f.Root)
	}
	if f.Outcome == judge.Unknown {
		r.Kind, r.Level = "open", "none" // 3.27.10: the level of what is no failure is none
	}
	return r
}

// unlinked breaks what a viewer would take for a link in a message (3.11.6): the text may
// be the image's.
func unlinked(s string) string { return strings.ReplaceAll(s, "](", "] (") }

// sentence says what a finding is about in one line.
func sentence(f *judge.Finding) string {
	words := cmp.Or(prose(f.Title), clean(f.Rule))
	for _, s := range []string{seen(f), clean(f.Note)} {
		if s != "" {
			words += ": " + cut(s, htmlLong)
		}
	}
	if f.Outcome == judge.Unknown {
		return "unknown: " + words
	}
	return words
}

func sarifLocations(places []fact.Place) []sarifLocation {
	var out []sarifLocation
	for i, p := range places {
		if i == sarifPlaces {
			break
		}
		l := sarifLocation{Logical: []sarifLogical{{clean(p.String())}}}
		if p.Endpoint == "" && p.Claim == "" && p.Input != "" {
			l.Physical = &sarifPhysical{Artifact: sarifURI{placeURI(p)}}
			switch {
			case p.Line > 0:
				l.Physical.Region = &sarifRegion{Line: p.Line}
			case p.Offset > 0:
				l.Physical.Region = &sarifRegion{Offset: p.Offset}
			}
		}
		out = append(out, l)
	}
	return out
}

// placeURI gives the place in an image as a relative reference, containers as folders:
// pump.bin/squashfs@0x20000/etc/inittab.
func placeURI(p fact.Place) string {
	words := []string{p.Input}
	for _, l := range p.Layers {
		words = append(words, l.Path, l.Format+"@0x"+strconv.FormatInt(l.Offset, 16))
	}
	return uriPath(strings.Join(append(words, p.Path), "/"))
}

// uriPath escapes a path as a relative reference. Empty parts, . and .. are left out, so
// that it cannot lead elsewhere.
func uriPath(path string) string {
	var out []string
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part != "." && part != ".." {
			out = append(out, strings.ReplaceAll(url.PathEscape(part), ":", "%3A"))
		}
	}
	return strings.Join(out, "/")
}
