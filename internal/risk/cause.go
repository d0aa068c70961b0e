package risk

import (
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// cause is what several findings and vulnerabilities have in common: an account, a service
// with its settings, a component. All that is wrong with it is one risk.
type cause struct {
	root, kind, name string
	key              string // what the id is made of
	findings         []*judge.Finding
	matches          []*advisory.Match
	services         []*fact.Service // what exposes it
	via              string          // how, in words
	physical         bool
}

// loose is the root of what lies in none.
const loose = "loose"

// causes groups what was found.
func (w *world) causes(findings []*judge.Finding, matches []advisory.Match) []*cause {
	all := map[string]*cause{}
	of := func(root, kind, name string) *cause {
		k := at(root, kind, name)
		if all[k] == nil {
			all[k] = &cause{root: root, kind: kind, name: name, key: k}
		}
		return all[k]
	}
	keyed := w.facts(findings)
	for _, f := range findings {
		kind, name := w.causeOf(f, keyed)
		c := of(f.Root, kind, name)
		c.findings = append(c.findings, f)
	}
	// What lies outside of every root (a kernel before it is unpacked into a system) is the
	// same thing as the component of that version in a root.
	home := map[string]string{}
	for i := range matches {
		m := &matches[i]
		if k := at(m.Component, m.Version); m.Root != loose && (home[k] == "" || m.Root < home[k]) {
			home[k] = m.Root
		}
	}
	there := map[string]bool{}
	for _, status := range []advisory.Status{advisory.Vulnerable, advisory.Unclear} { // of two the worse counts
		for i := range matches {
			m := &matches[i]
			root := m.Root
			if h := home[at(m.Component, m.Version)]; root == loose && h != "" {
				root = h
			}
			if k := at(root, m.Component, m.Version, m.Advisory); m.Status == status && !there[k] {
				there[k] = true
				c := of(root, "component", m.Component)
				c.matches = append(c.matches, m)
			}
		}
	}
	out := make([]*cause, 0, len(all))
	for _, k := range sortedKeys(all) {
		c := all[k]
		w.reach(c, keyed)
		out = append(out, c)
	}
	return out
}

// facts finds the facts that findings are about, by kind, root and key.
func (w *world) facts(findings []*judge.Finding) map[string]fact.Fact {
	out := map[string]fact.Fact{}
	done := map[fact.Kind]bool{}
	for _, f := range findings {
		if done[f.Kind] || f.Kind == "" {
			continue
		}
		done[f.Kind] = true
		for _, x := range w.set.Of(f.Kind) {
			if k := at(string(f.Kind), x.Header().Root, x.Key()); out[k] == nil {
				out[k] = x
			}
		}
	}
	return out
}

// causeOf names the cause of a finding. What is about many things, or about none, is a
// cause of its own.
func (w *world) causeOf(f *judge.Finding, keyed map[string]fact.Fact) (kind, name string) {
	if len(f.Keys) != 1 {
		if f.Kind == fact.KindService || f.Kind == fact.KindSetting || f.Kind == fact.KindGuard {
			if p := w.oneSubject(f, keyed); p != "" {
				return "service", p
			}
		}
		return "rule", f.Rule
	}
	switch x := keyed[at(string(f.Kind), f.Root, f.Keys[0])].(type) {
	case *fact.Service:
		return "service", subjectOf(x)
	case *fact.Setting:
		if x.Subject == "kernel" || x.Subject == "" {
			return "rule", f.Rule
		}
		return "service", x.Subject
	case *fact.Guard:
		if x.Subject == "" || x.Subject == "system" {
			return "rule", f.Rule
		}
		return "service", x.Subject
	case *fact.Secret:
		if x.For != "" && x.User != "" {
			for _, a := range w.set.Account {
				if a.Root == x.Root && a.Store == x.For && a.Name == x.User {
					return string(fact.KindAccount), a.Key()
				}
			}
		}
	case *fact.Component:
		return "component", x.Name
	case *fact.Kernel:
		if f.Vector == "component" {
			return "component", x.Name
		}
	}
	return string(f.Kind), f.Keys[0]
}

// oneSubject is the product that all facts of a finding belong to.
func (w *world) oneSubject(f *judge.Finding, keyed map[string]fact.Fact) string {
	name := ""
	for _, k := range f.Keys {
		s := ""
		switch x := keyed[at(string(f.Kind), f.Root, k)].(type) {
		case *fact.Service:
			s = subjectOf(x)
		case *fact.Setting:
			s = x.Subject
		case *fact.Guard:
			s = x.Subject
		}
		if s == "" || s == "kernel" || s == "system" || name != "" && s != name {
			return ""
		}
		name = s
	}
	return name
}

// subjectOf names what a service runs, as its settings do.
func subjectOf(s *fact.Service) string {
	if s.Product != "" {
		return s.Product
	}
	return s.Name
}

// reach finds the services that expose a cause.
func (w *world) reach(c *cause, keyed map[string]fact.Fact) {
	add := func(list ...*fact.Service) {
		for _, s := range list {
			if !slices.Contains(c.services, s) {
				c.services = append(c.services, s)
			}
		}
	}
	with := func(ok func(*fact.Service) bool) {
		for _, s := range w.services[c.root] {
			if ok(s) {
				add(s)
			}
		}
	}
	switch c.kind {
	case "component":
		add(w.exposed[at(c.root, c.name)]...)
		c.via = w.via[at(c.root, c.name)]
	case "service":
		with(func(s *fact.Service) bool { return subjectOf(s) == c.name })
	default:
		for _, f := range c.findings {
			for _, k := range f.Keys {
				w.reachFact(c, keyed[at(string(f.Kind), f.Root, k)], add, with)
			}
		}
	}
}

func (w *world) reachFact(c *cause, x fact.Fact, add func(...*fact.Service), with func(func(*fact.Service) bool)) {
	runs := func(path string) {
		with(func(s *fact.Service) bool { return s.Program == path || slices.Contains(s.Arguments, path) })
	}
	switch x := x.(type) {
	case *fact.Service:
		add(x)
	case *fact.Account:
		if x.Remote.Or(true) {
			for _, s := range w.loginServices(x) {
				if !s.Shell.Or(false) || !lets(s) { // who is let in without a password needs none
					add(s)
				}
			}
		}
	case *fact.Executable:
		runs(x.Path)
	case *fact.Script:
		runs(x.Path)
		if x.CGI.Or(false) {
			with(func(s *fact.Service) bool { return strings.HasPrefix(s.Protocol, "http") })
		}
	case *fact.Key:
		if strings.HasPrefix(x.Use, "ssh") {
			with(func(s *fact.Service) bool { return s.Protocol == "ssh" })
		}
	case *fact.Secret:
		if x.For != "" {
			with(func(s *fact.Service) bool { return s.Protocol == x.For || s.Product == x.For })
		}
	case *fact.Endpoint:
		with(func(s *fact.Service) bool { return s.Name == x.Service || s.Product == x.Service })
	case *fact.Boot:
		c.physical = true
	case *fact.Update:
		c.physical = c.physical || x.Removable.Or(false)
	}
}

// label names a cause for a reader.
func (c *cause) label() string {
	switch c.kind {
	case "rule", "device":
		return ""
	case "component", "service":
		return c.name
	case string(fact.KindAccount):
		store, name, _ := strings.Cut(c.name, "|")
		if store == "system" {
			return name
		}
		return name + " of " + store
	}
	parts := strings.FieldsFunc(c.name, func(r rune) bool { return r == '|' })
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "?" })
	if len(parts) == 0 {
		return ""
	}
	for _, p := range parts {
		if strings.HasPrefix(p, "/") {
			return p
		}
	}
	return parts[0]
}
