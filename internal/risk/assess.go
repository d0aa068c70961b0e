package risk

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// Assess makes the risks of what was found, the first to act on first, and says what could
// not be judged. The same input gives the same output.
func Assess(in Input) ([]Risk, Summary) {
	a := &assessor{
		Input: in, m: in.Matrix, t: weaknesses(), readings: map[string]*reading{},
		sum: Summary{Levels: map[string]int{}, After: map[string]int{}, Interim: map[string]int{}, Unknown: map[string]int{}},
	}
	if a.m == nil {
		a.m = Default()
	}
	if a.Facts == nil {
		a.Facts = &fact.Set{}
	}
	a.w = newWorld(a.Facts)
	a.environment = latest(in.Answers)
	a.worst = harms(a.Facts, a.m, a.environment[""])

	bad := a.sift()
	var risks []*made
	for _, c := range a.w.causes(bad, a.matches) {
		if r := a.risk(c); r != nil {
			risks = append(risks, r)
		}
	}
	for _, c := range a.chains(bad) {
		risks = append(risks, a.chainRisk(c, risks))
	}
	a.order(risks)
	out := make([]Risk, len(risks))
	for i, r := range risks {
		r.Priority = i + 1
		out[i] = r.Risk
	}
	a.summarize(out)
	return out, a.sum
}

// assessor is one assessment.
type assessor struct {
	Input
	m           *Matrix
	t           *table
	w           *world
	worst       worst
	environment environment
	matches     []advisory.Match // that count
	readings    map[string]*reading
	sum         Summary
}

// made is a risk with what orders it.
type made struct {
	Risk
	cause    *cause
	urgency  int // 4 exploited in this class of product, 3 exploited or open to anyone over the network, 2 exploited, 1 the rest
	severity string
	open     bool
}

// sift puts aside what no risk is made of, and counts it.
func (a *assessor) sift() []*judge.Finding {
	var bad []*judge.Finding
	rules := map[string]bool{}
	for _, f := range a.Findings {
		switch {
		case f.Outcome == judge.Unknown:
			a.sum.Unknown[f.Severity]++
			rules[f.Rule] = true
		case f.Outcome != judge.Bad:
		case f.Severity == "info":
			a.sum.Notes++
		default:
			bad = append(bad, f)
		}
	}
	if n := len(rules); n > 0 {
		a.sum.Unjudged = append(a.sum.Unjudged, plural(n, "rule")+" stayed without an answer somewhere: "+list(sortedKeys(rules), 6))
	}
	for _, m := range a.Matches {
		switch m.Status {
		case advisory.Unclear:
			a.sum.Unclear++
			a.matches = append(a.matches, m)
		case advisory.Vulnerable:
			a.matches = append(a.matches, m)
		case advisory.Fixed, advisory.NotThere:
		}
	}
	if a.sum.Unclear > 0 {
		a.sum.Unjudged = append(a.sum.Unjudged, "whether "+plural(a.sum.Unclear, "vulnerability")+" concern the device is not known: their risks are one step lower, and say so")
	}
	return bad
}

// weighed is one finding or match with its numbers.
type weighed struct {
	id, title  string
	finding    *judge.Finding
	match      *advisory.Match
	open       bool
	confidence string
	base       *reading
	real       *reading // in its environment
	factors    []Factor
	e          int
	harms      []Harm
	level      string
	notes      []string
}

// read takes a vector apart, each only once.
func (a *assessor) read(vector string) (*reading, error) {
	if r, ok := a.readings[vector]; ok {
		return r, nil
	}
	r, err := read(vector)
	if err == nil {
		a.readings[vector] = r
	}
	return r, err
}

// place sets a vector into the environment that exposure, harm and answers make.
func (a *assessor) place(base *reading, x Exposure, about ...string) (*reading, error) {
	set := a.worst.requirements()
	if x.Network == "local" {
		set["MAV"] = "L"
	}
	answered, against := a.environment.of(base, x, about...)
	maps.Copy(set, answered)
	for _, words := range against {
		if !slices.Contains(a.sum.Contradictions, words) {
			a.sum.Contradictions = append(a.sum.Contradictions, words)
		}
	}
	return a.in(base, set)
}

// in sets a vector into an environment, each only once.
func (a *assessor) in(base *reading, set map[string]string) (*reading, error) {
	key := base.vector
	for _, k := range sortedKeys(set) {
		key += "|" + k + set[k]
	}
	if r, ok := a.readings[key]; ok {
		return r, nil
	}
	vector, err := base.set(set)
	if err != nil {
		return nil, err
	}
	r, err := a.read(vector)
	if err == nil {
		a.readings[key] = r
	}
	return r, err
}

// weigh gives the numbers of one member of a cause.
func (a *assessor) weigh(c *cause, x Exposure, w weighed, vector string) weighed {
	base, err := a.read(vector)
	if err != nil {
		w.notes = append(w.notes, "its vector could not be read ("+err.Error()+"): taken as one of high complexity over the network")
		base, _ = a.read("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H")
	}
	w.base = base
	about := []string{c.id(), w.id}
	if w.finding != nil {
		about = append(about, w.finding.Rule)
	} else if w.match != nil {
		about = append(about, w.match.Advisory)
	}
	if w.real, err = a.place(base, x, about...); err != nil {
		w.notes = append(w.notes, "its environment could not be set: "+err.Error())
		w.real = base
	}
	w.factors = append([]Factor{{Why: w.real.words() + " (ease " + fmt.Sprintf("%.2f", w.real.ease) + " of 3.9)", Adds: w.real.start()}}, a.moves(c, x, w)...)
	w.e = sum(w.factors)
	w.harms = a.worst.touched(w.real)
	w.level = a.m.Levels[0]
	for i := range w.harms {
		h := &w.harms[i]
		h.Level = a.m.Level(h.Severity, w.e)
		if a.m.rank(h.Level) > a.m.rank(w.level) {
			w.level = h.Level
		}
	}
	return w
}

// remote reports whether a network is still enough, be it the device's own alone.
func remote(r *reading) bool { return r.effective("AV") == "N" || r.effective("AV") == "A" }

// openWhy is the factor of what lies open; it holds only while a network reaches it.
const openWhy = "what an attacker needs is published or not asked for"

// moves are the factors beyond the vector.
func (a *assessor) moves(c *cause, x Exposure, w weighed) []Factor {
	var out []Factor
	add := func(n int, why string) { out = append(out, Factor{Why: why, Adds: n}) }
	if m := w.match; m != nil {
		switch {
		case m.KEV:
			why := "attacks are known: CISA's list"
			if m.KEVAdded != "" {
				why += " since " + m.KEVAdded
			}
			if m.Ransomware {
				why += ", by extortionists too"
			}
			add(2, why)
		case m.Percentile >= 0.95:
			add(1, fmt.Sprintf("exploitation is forecast: EPSS %.3f, more than of %.0f %% of all", m.EPSS, m.Percentile*100))
		}
		if m.Status == advisory.Unclear {
			add(-1, "whether it concerns the device is not known")
		}
	}
	if w.open && x.Network == "network" && remote(w.real) && (x.Started == "boot" || x.Started == "on-demand") {
		add(1, openWhy)
	}
	switch {
	case x.Started == "never":
		add(-2, "it is never started")
	case x.Started == "conditional":
		add(-1, "it is started under a condition only")
	case c.kind == "component" && len(c.services) == 0 && w.match != nil && c.name != "linux" && a.w.inRoot[c.root]:
		add(-1, "no service is known to run it")
	}
	if w.confidence == "low" {
		add(-1, "it is seen with low confidence")
	}
	if w.finding != nil && slices.ContainsFunc(w.finding.Sources, func(s fact.Source) bool { return s.Witness == fact.Live || s.Witness == fact.Test }) {
		add(1, "it was shown at the running device")
	}
	return out
}

// worse orders weighed members, the worst first.
func (a *assessor) worse(x, y *weighed) int {
	return cmp.Or(cmp.Compare(a.m.rank(y.level), a.m.rank(x.level)), cmp.Compare(y.e, x.e), cmp.Compare(topSeverity(y.harms), topSeverity(x.harms)),
		cmp.Compare(y.real.score, x.real.score), cmp.Compare(x.id, y.id))
}

func topSeverity(harms []Harm) string {
	s := ""
	for _, h := range harms {
		s = max(s, h.Severity)
	}
	return s
}

// risk makes the risk of a cause; nil where nothing is left of it.
func (a *assessor) risk(c *cause) *made {
	x := exposureOf(c.services)
	if c.name == "linux" && c.kind == "component" && x.Started == "" {
		x.Started = "boot"
	}
	if c.physical && x.Network == "" {
		x.Network = "physical"
	}
	members := a.members(c, x)
	if len(members) == 0 {
		return nil
	}
	slices.SortStableFunc(members, func(p, q *weighed) int { return a.worse(p, q) })
	lead := members[0]
	r := &made{cause: c, severity: topSeverity(lead.harms), open: lead.open, urgency: 1}
	r.Risk = Risk{
		ID: c.id(), Title: a.title(c, members), Root: c.root, Lead: lead.id, Confidence: lead.confidence,
		Exploitability: fmt.Sprintf("E%d", lead.e), Factors: lead.factors, Exposure: x, Vector: lead.real.vector, Score: lead.real.score,
		Harms: lead.harms, Level: lead.level,
	}
	for _, w := range members {
		if w.finding != nil {
			r.Findings = append(r.Findings, w.finding.ID)
		} else {
			r.Matches = append(r.Matches, w.id)
		}
		a.first(r, w, x)
	}
	slices.Sort(r.Findings)
	slices.Sort(r.Matches)
	r.Reasons = a.reasons(c, x, members)
	a.mitigate(r, c, x, members)
	return r
}

// members weighs everything that belongs to a cause.
func (a *assessor) members(c *cause, x Exposure) []*weighed {
	var out []*weighed
	for _, f := range c.findings {
		k := a.t.of(f)
		w := a.weigh(c, x, weighed{id: f.ID, title: f.Title, finding: f, open: k.open, confidence: cmp.Or(f.Confidence, "high")}, k.vector)
		out = append(out, &w)
	}
	for _, m := range c.matches {
		vector := m.Vector
		w := weighed{id: m.Advisory + "@" + m.Component, title: m.Advisory, match: m, confidence: cmp.Or(m.Confidence, "high")}
		if vector == "" {
			impact := a.t.Impact[m.Severity]
			if impact == "" {
				impact = a.t.Impact["high"]
			}
			vector = "CVSS:3.1/" + a.t.Access["component"] + "/S:U/" + impact
			w.notes = append(w.notes, "no source gives a CVSS vector: taken as one of high complexity over the network")
		}
		w = a.weigh(c, x, w, vector)
		out = append(out, &w)
	}
	return out
}

// first notes why a risk comes before others.
func (a *assessor) first(r *made, w *weighed, x Exposure) {
	urge := func(n int, why string) {
		if n > r.urgency {
			r.urgency, r.First = n, why
		}
	}
	if w.match == nil || !w.match.KEV {
		return
	}
	m := w.match
	docs := slices.DeleteFunc(slices.Clone(m.Documents), func(d string) bool { return !strings.HasPrefix(d, "ICSMA-") })
	docs = append(docs, a.t.known[m.Advisory]...)
	slices.Sort(docs)
	docs = slices.Compact(docs)
	switch {
	case m.Status == advisory.Unclear:
		urge(2, m.Advisory+" is known to be exploited; whether it concerns the device is not known")
	case len(docs) > 0:
		urge(4, m.Advisory+" is known to be exploited, and advisories for medical devices name it ("+strings.Join(docs, ", ")+")")
	case w.real.effective("AV") == "N" && x.Network == "network":
		urge(3, m.Advisory+" is known to be exploited, and the network reaches it")
	case m.Vector == "" || w.real.effective("AV") == "N" && x.Network == "":
		urge(2, m.Advisory+" is known to be exploited; how an attacker reaches it here is not stated")
	default:
		urge(2, m.Advisory+" is known to be exploited")
	}
}

// id is a hash of the cause: no image, version or place is in it.
func (c *cause) id() string {
	h := sha256.Sum256([]byte(c.key))
	return hex.EncodeToString(h[:])[:16]
}

// title names a risk by its lead.
func (a *assessor) title(c *cause, members []*weighed) string {
	lead := members[0]
	if lead.match != nil {
		n := len(c.matches)
		sure := slices.ContainsFunc(c.matches, func(m *advisory.Match) bool { return m.Status == advisory.Vulnerable })
		name := strings.TrimSpace(c.name + " " + lead.match.Version)
		switch {
		case !sure:
			return name + " may have " + plural(n, "known vulnerability") + ", the worst " + lead.match.Advisory
		case n == 1:
			return name + " has a known vulnerability, " + lead.match.Advisory
		}
		return name + " has " + plural(n, "known vulnerability") + ", the worst " + lead.match.Advisory
	}
	title := lead.title
	if l := c.label(); l != "" {
		title += ": " + l
	}
	if n := len(members) - 1; n > 0 {
		title += fmt.Sprintf(" (and %d more)", n)
	}
	return title
}

// order puts risks into the order in which they are to be dealt with.
func (a *assessor) order(risks []*made) {
	slices.SortStableFunc(risks, func(x, y *made) int {
		return cmp.Or(
			cmp.Compare(y.urgency, x.urgency),
			cmp.Compare(a.m.rank(y.Level), a.m.rank(x.Level)),
			cmp.Compare(min(len(x.PartOf), 1), min(len(y.PartOf), 1)),
			cmp.Compare(y.Exploitability, x.Exploitability),
			cmp.Compare(y.severity, x.severity),
			cmp.Compare(min(len(y.Chain), 1), min(len(x.Chain), 1)),
			cmp.Compare(y.Score, x.Score),
			cmp.Compare(x.Title, y.Title),
			cmp.Compare(x.ID, y.ID))
	})
}

// summarize counts.
func (a *assessor) summarize(risks []Risk) {
	s := &a.sum
	slices.Sort(s.Contradictions)
	s.Matrix = *a.m
	for _, d := range Dimensions() {
		s.Harms = append(s.Harms, a.worst[d])
	}
	levels := map[string]string{}
	for _, r := range risks {
		levels[r.ID] = r.Level
	}
	for _, r := range risks {
		if len(r.PartOf) > 0 {
			s.Parts++
			// It is counted with its chain, unless it is worse than that by itself.
			if slices.ContainsFunc(r.PartOf, func(id string) bool { return a.m.rank(levels[id]) >= a.m.rank(r.Level) }) {
				continue
			}
		}
		if r.Chain != "" {
			s.Chains++
		}
		s.Levels[r.Level]++
		s.After[cmp.Or(r.After, r.Level)]++
		s.Interim[cmp.Or(r.Interim, r.Level)]++
	}
	var assumed []string
	for _, h := range s.Harms {
		if strings.HasPrefix(h.From, "default") {
			assumed = append(assumed, h.Dimension+" "+h.Severity)
		}
	}
	if len(assumed) > 0 {
		why := "no device description was given"
		if slices.ContainsFunc(a.Facts.Device, func(d *fact.Device) bool { return d.Source.Witness == fact.Design }) {
			why = "the device description does not say it"
		}
		s.Assumed = append(s.Assumed, "the worst harm is a default of the matrix, because "+why+": "+strings.Join(assumed, ", "))
	}
}

func plural(n int, word string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(word, "y"):
		word = strings.TrimSuffix(word, "y") + "ies"
	default:
		word += "s"
	}
	return fmt.Sprintf("%d %s", n, word)
}

// list joins at most n words, and counts the rest.
func list(words []string, n int) string {
	if len(words) <= n {
		return strings.Join(words, ", ")
	}
	return strings.Join(words[:n], ", ") + fmt.Sprintf(" and %d more", len(words)-n)
}
