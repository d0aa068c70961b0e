package risk

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// pattern is one sort of chain: weaknesses that together are a way in. Find follows ties
// between facts, never names that happen to be alike, and asks only what is stated.
type pattern struct {
	id    string
	title string
	find  func(*world) []way
}

// way is one way in that a pattern found.
type way struct {
	root     string
	name     string // what it begins with: a service, an account; the id is made of it
	steps    []stage
	services []*fact.Service
	vector   string
	open     bool // every step is published or not asked for
	physical bool
	match    *advisory.Match // whose vector counts
}

// stage is one step of a way: what the attacker does, with the fact that lets him.
type stage struct {
	words string
	fact  fact.Fact
	rules []string // rules whose findings about the fact's cause belong to the way; area.* is an area
}

// Impact of what a way ends in.
const (
	anyoneTakesAll  = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	anyoneWrites    = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:L"
	anyoneReads     = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:L/A:L"
	someoneTakesAll = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"
	skillTakesAll   = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H"
	pathTakesAll    = "CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	pathAndHelp     = "CVSS:3.1/AV:A/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H"
	handsTakeAll    = "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
)

// chains finds every way of every pattern.
func (a *assessor) chains(bad []*judge.Finding) []*chain {
	members := map[string][]*judge.Finding{} // by cause
	keyed := a.w.facts(bad)
	for _, f := range bad {
		kind, name := a.w.causeOf(f, keyed)
		k := at(f.Root, kind, name)
		members[k] = append(members[k], f)
	}
	var out []*chain
	seen := map[string]bool{} // one way of a pattern for what it begins with
	add := func(p pattern, ways []way) {
		for _, w := range ways {
			if c := a.chain(p, w, members); !seen[c.cause.key] {
				seen[c.cause.key] = true
				out = append(out, c)
			}
		}
	}
	for _, p := range patterns() {
		add(p, p.find(a.w))
	}
	add(pattern{id: "exploited-service", title: "Attackers know a way into a service that runs as root"}, exploited(a.w, a.matches))
	return out
}

// chain is a way with the findings that are its steps.
type chain struct {
	pattern
	way
	cause *cause
}

func (a *assessor) chain(p pattern, w way, members map[string][]*judge.Finding) *chain {
	c := &chain{pattern: p, way: w}
	c.cause = &cause{root: w.root, kind: "chain", name: p.id, key: at("chain", p.id, w.root, w.name), services: w.services, physical: w.physical}
	for _, s := range w.steps {
		if s.fact == nil {
			continue
		}
		kind, name := causeOfFact(s.fact)
		for _, f := range members[at(w.root, kind, name)] {
			if slices.ContainsFunc(s.rules, func(r string) bool { return covers(r, f.Rule) }) && !slices.Contains(c.cause.findings, f) {
				c.cause.findings = append(c.cause.findings, f)
			}
		}
	}
	if w.match != nil {
		c.cause.matches = append(c.cause.matches, w.match)
	}
	return c
}

func covers(pattern, rule string) bool {
	area, all := strings.CutSuffix(pattern, ".*")
	return pattern == rule || all && strings.HasPrefix(rule, area+".")
}

// chainRisk makes the risk of a chain and points those of its members to it.
func (a *assessor) chainRisk(c *chain, others []*made) *made {
	x := exposureOf(c.services)
	if c.physical {
		x.Network = "physical"
	}
	w := weighed{id: "chain." + c.id, title: c.title, open: c.open, confidence: "high"}
	if c.match != nil {
		w.match, w.confidence = c.match, c.match.Confidence
	}
	for _, f := range c.cause.findings {
		if f.Confidence == "low" {
			w.confidence = "low"
		} else if f.Confidence == "medium" && w.confidence == "high" {
			w.confidence = "medium"
		}
	}
	w = a.weigh(c.cause, x, w, c.vector)
	lead := &w
	r := &made{cause: c.cause, severity: topSeverity(w.harms), open: c.open, urgency: 1}
	r.Risk = Risk{
		ID: c.cause.id(), Title: c.title, Chain: c.id, Root: c.root, Lead: w.id, Confidence: w.confidence,
		Exploitability: fmt.Sprintf("E%d", w.e), Factors: w.factors, Exposure: x, Vector: w.real.vector, Score: w.real.score,
		Harms: w.harms, Level: w.level,
	}
	if c.name != "" {
		r.Title += ": " + c.name
	}
	for i, s := range c.steps {
		words := fmt.Sprintf("%d. %s", i+1, s.words)
		if s.fact != nil {
			if p := places(s.fact.Header().Places, 1); p != "" {
				words += " [" + p + "]"
			}
		}
		r.Path = append(r.Path, words)
	}
	for _, f := range c.cause.findings {
		r.Findings = append(r.Findings, f.ID)
	}
	slices.Sort(r.Findings)
	if c.match != nil {
		r.Matches = []string{c.match.Advisory + "@" + c.match.Component}
		a.first(r, lead, x)
	}
	// A way that is open today needs no exploit: it is as urgent as one that is known.
	if c.open && x.Network == "network" && (x.Started == "boot" || x.Started == "on-demand") && r.urgency < 3 {
		r.urgency, r.First = 3, "it needs no exploit: every step is published or not asked for"
	}
	r.Reasons = []string{"evidence: " + plural(len(c.steps), "step") + " that fit together, each stated by facts"}
	if len(c.cause.findings) > 0 {
		var rules []string
		for _, f := range c.cause.findings {
			rules = append(rules, f.Rule)
		}
		slices.Sort(rules)
		r.Reasons[0] += ", with the findings " + list(slices.Compact(rules), 8)
	}
	r.Reasons = append(r.Reasons, "exposure: "+x.words())
	r.Reasons = append(r.Reasons, a.numbers(lead)...)
	members := []*weighed{lead}
	for _, f := range c.cause.findings { // for their measures
		members = append(members, &weighed{finding: f, base: w.base, real: w.real, factors: w.factors, harms: w.harms})
	}
	if c.match == nil {
		members = members[1:]
		if len(members) == 0 {
			members = []*weighed{{finding: &judge.Finding{}, base: w.base, real: w.real, factors: w.factors, harms: w.harms}}
		}
	}
	a.mitigate(r, c.cause, x, members)
	for _, o := range others {
		if o.cause.kind == "chain" {
			continue
		}
		if slices.Contains(r.Findings, o.Lead) || slices.Contains(r.Matches, o.Lead) {
			o.PartOf = append(o.PartOf, r.ID)
			slices.Sort(o.PartOf)
		}
	}
	return r
}

// started reports whether a service may run: all but what is never started.
func started(s *fact.Service) bool { return s.Start.Or("") != "never" }

// reached reports whether another machine may reach a service: all but what is stated to
// listen inside only.
func reached(s *fact.Service) bool {
	r, stated := reach(s)
	if !stated {
		return s.Listens.Or(true)
	}
	return r
}

// open reports whether a service lets anyone in, as stated.
func lets(s *fact.Service) bool { return !s.Authenticated.Or(true) || s.Anonymous.Or(false) }

func rights(s *fact.Service) string {
	if root, ok := s.AsRoot.Value(); ok && root {
		return "as root"
	} else if u, ok := s.User.Value(); ok {
		return "as the user " + u
	}
	return "with rights that are not stated"
}

// enter is the step of reaching a service.
func enter(s *fact.Service, rules ...string) stage {
	how := "connect to "
	switch r, stated := reach(s); {
	case !stated:
		how = "connect, where the network reaches it (not stated), to "
	case !r:
		how = "connect from inside to "
	}
	words := how + serviceWords(s)
	switch s.Start.Or("") {
	case "boot":
		words += ", which is started at boot"
	case "conditional":
		words += ", where it is started (" + orWords(s.Condition, "under a condition") + ")"
	case "on-demand":
		words += ", which is started on demand"
	default:
		words += ", of which it is not stated whether it is started"
	}
	return stage{words: words, fact: s, rules: rules}
}

func orWords(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// causeOfFact names the cause that a fact is or belongs to.
func causeOfFact(x fact.Fact) (kind, name string) {
	switch x := x.(type) {
	case *fact.Service:
		return "service", subjectOf(x)
	case *fact.Setting:
		return "service", x.Subject
	case *fact.Guard:
		return "service", x.Subject
	case *fact.Component:
		return "component", x.Name
	}
	return string(x.Kind()), x.Key()
}
