package firmware

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// rules is what a set of packet filter rules does with what comes in.
type filter struct {
	by     string
	policy string // drop, accept; empty where the rules do not say
	place  fact.Place
	limits []string // ports whose rate is limited
	rules  int
}

func (g *guarding) firewall() {
	var loaded []*fact.Guard
	files := map[string]bool{}
	state := func(l *launch, f filter, where ...fact.Place) {
		a := l.active()
		if a.Or(false) {
			a = fact.Say(f.policy == "drop")
		}
		if f.policy == "" {
			a = fact.Opt[bool]{}
		}
		detail := "incoming policy " + f.policy
		if f.policy == "" {
			detail = "its incoming policy was not read"
		}
		n := &fact.Guard{What: "firewall", Subject: "system", By: f.by, Active: a, Detail: detail}
		n.Places = append(slices.Clone(where), l.places...)
		loaded = append(loaded, n)
		for _, p := range f.limits {
			g.say(&fact.Guard{What: "rate-limit", Subject: p, By: f.by, Active: l.active()}, where...)
		}
	}
	var policy *filter // of single commands
	var last *launch
	for _, l := range g.chain.launches {
		if l.start == "never" {
			continue
		}
		switch name := path.Base(l.words[0]); name {
		case "iptables-restore", "iptables-nft-restore", "iptables-legacy-restore":
			if text, f := g.ruleText(l, files); text != "" {
				state(l, iptablesRules(text), placesOf(f)...)
			}
		case "nft":
			if text, f := g.ruleText(l, files); text != "" {
				state(l, nftRules(text), placesOf(f)...)
			}
		case "iptables", "iptables-nft", "iptables-legacy":
			if policy == nil {
				policy = &filter{by: "iptables", policy: "accept"}
			}
			iptablesCommand(policy, l.words[1:])
			if policy.policy == "drop" && last == nil || policy.rules > 0 && last == nil {
				last = l
			}
		case "firewalld":
			state(l, filter{by: "firewalld", policy: g.firewalld()})
		case "ufw", "ufw-init":
			if f, ok := g.ufw(); ok {
				state(l, f, f.place)
			}
		case "shorewall", "ferm", "fw3", "fw4", "fw", "firehol":
			state(l, g.configured(name), l.places...)
		}
	}
	if policy != nil && last != nil {
		state(last, *policy)
	}
	if b, ok := g.chain.reached["/etc/init.d/firewall"]; ok && b.start != "never" && len(loaded) == 0 && g.Lookup("/etc/config/firewall") != nil {
		state(&launch{by: b}, g.configured("fw4"))
	}
	if u := g.chain.units["ufw.service"]; u != nil && u.rank > ranks["conditional"] && len(loaded) == 0 {
		if f, ok := g.ufw(); ok {
			state(&launch{by: by{start: "boot"}}, f, f.place)
		}
	}
	if len(loaded) == 0 {
		g.unloaded(files)
		return
	}
	// One that keeps out is what counts: the others may only add to it.
	if slices.ContainsFunc(loaded, func(f *fact.Guard) bool { return f.Active.Or(false) }) {
		loaded = slices.DeleteFunc(loaded, func(f *fact.Guard) bool { return !f.Active.Or(false) })
	}
	done := map[string]bool{}
	for _, f := range loaded {
		if !done[f.Key()] {
			g.list = append(g.list, f)
		}
		done[f.Key()] = true
	}
}

func placesOf(f *File) []fact.Place {
	if f == nil {
		return nil
	}
	return []fact.Place{f.At(0)}
}

// unloaded states rules that lie in the root and that nothing loads.
func (g *guarding) unloaded(loaded map[string]bool) {
	for _, p := range []string{"/etc/iptables/rules.v4", "/etc/iptables.rules", "/etc/iptables/iptables.rules", "/etc/sysconfig/iptables", "/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/iptables.up.rules", "/etc/firewall.rules"} {
		if f := g.Lookup(p); f != nil && f.Regular() && !loaded[f.Path] {
			by := "iptables"
			if strings.Contains(p, "nft") {
				by = "nftables"
			}
			g.say(&fact.Guard{What: "firewall", Subject: "system", By: by, Active: fact.Say(false), Detail: "nothing loads these rules"}, f.At(0))
		}
	}
	if f := g.Lookup("/etc/ufw/ufw.conf"); f != nil && len(g.list) == 0 {
		g.say(&fact.Guard{What: "firewall", Subject: "system", By: "ufw", Active: fact.Say(false), Detail: "it is not enabled"}, f.At(0))
	}
}

// ruleText returns the rules that a command loads, from a file, standard input or a
// here-document.
func (g *guarding) ruleText(l *launch, files map[string]bool) (string, *File) {
	var paths []string
	for _, r := range l.redirects {
		if r.Op == "<<" {
			return r.Text, nil
		}
		if r.Op == "<" {
			paths = append(paths, r.Path)
		}
	}
	for _, w := range l.words[1:] {
		if path.IsAbs(w) {
			paths = append(paths, w)
		}
	}
	for _, p := range paths {
		f := g.Lookup(p)
		if text, ok := f.Text(); ok {
			files[f.Path] = true
			return text, f
		}
	}
	return "", nil
}

// iptablesRules reads what iptables-save writes.
func iptablesRules(text string) filter {
	f := filter{by: "iptables"}
	table := "filter"
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		switch {
		case len(w) == 0 || w[0][0] == '#':
		case w[0][0] == '*':
			table = w[0][1:]
		case table == "filter" && w[0] == ":INPUT" && len(w) > 1:
			f.policy = "accept"
			if w[1] == "DROP" || w[1] == "REJECT" {
				f.policy = "drop"
			}
		case table == "filter":
			iptablesCommand(&f, w)
		}
	}
	return f
}

// iptablesCommand adds one command of iptables.
func iptablesCommand(f *filter, words []string) {
	at := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	i := 0
	for at(i) == "-t" || at(i) == "-w" || at(i) == "--wait" {
		if at(i) == "-t" {
			if at(i+1) != "filter" {
				return
			}
			i++
		}
		i++
	}
	switch at(i) {
	case "-P", "--policy":
		if at(i+1) == "INPUT" {
			f.rules++
			if f.policy = "accept"; at(i+2) == "DROP" {
				f.policy = "drop"
			}
		}
	case "-A", "-I", "--append", "--insert":
		if at(i+1) != "INPUT" {
			return
		}
		f.rules++
		rest := words[i+2:]
		if at(i) == "-A" && len(rest) >= 2 && rest[0] == "-j" && (rest[1] == "DROP" || rest[1] == "REJECT") {
			f.policy = "drop" // the last rule takes all that is left
		}
		port := "system"
		limited := false
		for j, w := range rest {
			if w == "--dport" && j+1 < len(rest) {
				port = "port " + rest[j+1]
			}
			limited = limited || w == "hashlimit" || w == "recent" || w == "connlimit"
		}
		if limited && !slices.Contains(f.limits, port) {
			f.limits = append(f.limits, port)
		}
	}
}

var nftInput = search.Lazy(`hook\s+input\s+priority[^;]*;`)

// nftRules reads a file of nftables: the policy of the chains that see what comes in.
func nftRules(text string) filter {
	f := filter{by: "nftables"}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		b.WriteString(line + "\n")
	}
	text = b.String()
	for _, m := range nftInput.FindAllStringIndex(text, 8) {
		body := text[m[1]:]
		end, depth := len(body), 0
		for i := 0; i < len(body); i++ {
			if body[i] == '{' {
				depth++
			} else if body[i] == '}' {
				if depth--; depth < 0 {
					end = i
					break
				}
			}
		}
		body = body[:end]
		if f.policy == "" {
			f.policy = "accept"
		}
		lines := strings.FieldsFunc(body, func(r rune) bool { return r == '\n' || r == ';' })
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
		if slices.Contains(lines, "policy drop") || len(lines) > 0 && search.Lazy(`^(counter )?(log .*)?(drop|reject.*)$`).MatchString(lines[len(lines)-1]) {
			f.policy = "drop"
		}
		if strings.Contains(body, "limit rate") && strings.Contains(body, "meter ") {
			f.limits = append(f.limits, "system")
		}
	}
	return f
}

// ufw reads the switches of ufw; ok says that it is enabled.
func (g *guarding) ufw() (filter, bool) {
	f := filter{by: "ufw", policy: "drop"}
	conf := g.Lookup("/etc/ufw/ufw.conf")
	text, _ := conf.Text()
	n := lineOf(text, "ENABLED=yes")
	if conf == nil || n == 0 {
		return f, false
	}
	f.place = conf.At(n)
	if def, _ := g.Text("/etc/default/ufw"); strings.Contains(def, `DEFAULT_INPUT_POLICY="ACCEPT"`) {
		f.policy = "accept"
	}
	return f, true
}

// firewalld returns the policy of the default zone.
func (g *guarding) firewalld() string {
	for _, p := range []string{"/etc/firewalld/firewalld.conf", "/usr/lib/firewalld/firewalld.conf"} {
		text, _ := g.Text(p)
		for line := range strings.Lines(text) {
			if z, ok := strings.CutPrefix(strings.TrimSpace(line), "DefaultZone="); ok {
				if z == "trusted" {
					return "accept"
				}
				return "drop"
			}
		}
	}
	return "drop" // public
}

// configured reads the policy of firewalls that have a configuration of their own.
func (g *guarding) configured(name string) filter {
	f := filter{by: name}
	switch name {
	case "fw3", "fw4":
		text, _ := g.Text("/etc/config/firewall")
		section := ""
		for line := range strings.Lines(text) {
			w := strings.Fields(line)
			if len(w) > 1 && w[0] == "config" {
				section = w[1]
			}
			if len(w) > 2 && section == "defaults" && w[0] == "option" && strings.Trim(w[1], `'"`) == "input" {
				if f.policy = "accept"; strings.Trim(w[2], `'"`) != "ACCEPT" {
					f.policy = "drop"
				}
			}
		}
		// Its zones answer for what comes in; one that lets all in is the network's own.
		if f.policy == "accept" && strings.Contains(text, "config zone") && (strings.Contains(text, "'REJECT'") || strings.Contains(text, "'DROP'")) {
			f.policy = "drop"
		}
	case "shorewall":
		text, _ := g.Text("/etc/shorewall/policy")
		for line := range strings.Lines(text) {
			if w := strings.Fields(line); len(w) > 2 && w[0] == "all" && (w[2] == "DROP" || w[2] == "REJECT") {
				f.policy = "drop"
			}
		}
	}
	return f
}

// mandatory access control
