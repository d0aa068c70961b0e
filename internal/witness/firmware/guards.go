package firmware

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// guards states what slows or records an attacker besides the login itself: firewall,
// mandatory access control, logging, time, audit, integrity, bans and idle sessions. Where
// the start chain is seen and none of the first four is in it, that is stated too.
var guards = inspector{
	name:  "guards",
	kinds: []fact.Kind{fact.KindGuard},
	look:  lookGuards,
}

func lookGuards(r *Root) {
	if r.Role != "system" && r.Role != "recovery" {
		return
	}
	g := &guarding{Root: r, chain: r.chain()}
	seen := len(g.chain.inits) > 0 && g.chain.steps >= 0
	for _, find := range []struct {
		what string
		look func()
	}{
		{"firewall", g.firewall}, {"mandatory-access", g.mandatory}, {"logging", g.logging}, {"time-sync", g.timeSync},
	} {
		before := len(g.list)
		find.look()
		if len(g.list) == before && seen {
			g.say(&fact.Guard{What: find.what, Subject: "system", Active: fact.Say(false), Detail: "nothing that is started does it"}, r.Layer.PlaceOf("/"))
		}
	}
	g.remoteLogging()
	g.audit()
	g.integrity()
	g.bans()
	g.idle()
	for _, f := range g.list {
		r.Add(f)
	}
}

type guarding struct {
	*Root
	chain *startChain
	list  []*fact.Guard
}

func (g *guarding) say(f *fact.Guard, places ...fact.Place) {
	f.Places = slices.Clone(places)
	g.list = append(g.list, f)
}

// started returns the launch of any of the programs that says most, or nil.
func (g *guarding) started(names ...string) *launch {
	var best *launch
	for _, l := range g.chain.launches {
		if slices.Contains(names, path.Base(l.words[0])) && !asks(path.Base(l.words[0]), l.words[1:]) && (best == nil || ranks[l.start] > ranks[best.start]) {
			best = l
		}
	}
	return best
}

// active says whether a launch makes its guard active: what starts at boot does, what
// nothing starts does not, and the rest cannot be said.
func (l *launch) active() fact.Opt[bool] {
	switch l.start {
	case "boot":
		return fact.Say(true)
	case "never":
		return fact.Say(false)
	}
	return fact.Opt[bool]{}
}

// firewall

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

var nftInput = regexp.MustCompile(`hook\s+input\s+priority[^;]*;`)

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
		if slices.Contains(lines, "policy drop") || len(lines) > 0 && regexp.MustCompile(`^(counter )?(log .*)?(drop|reject.*)$`).MatchString(lines[len(lines)-1]) {
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

func (g *guarding) mandatory() {
	if f := g.Lookup("/etc/selinux/config"); f != nil {
		text, _ := f.Text()
		mode, kind := "", "targeted"
		at := 0
		for i, line := range strings.Split(text, "\n") {
			line = strings.TrimSpace(line)
			if v, ok := strings.CutPrefix(line, "SELINUX="); ok {
				mode, at = v, i+1
			} else if v, ok := strings.CutPrefix(line, "SELINUXTYPE="); ok {
				kind = v
			}
		}
		policy := len(g.Dir("/etc/selinux/"+kind+"/policy")) > 0
		n := &fact.Guard{What: "mandatory-access", Subject: "system", By: "selinux", Active: fact.Say(mode == "enforcing" && policy), Detail: "SELINUX=" + mode}
		if mode == "enforcing" && !policy {
			n.Detail += ", no policy"
		}
		g.say(n, f.At(at))
	}
	profiles := 0
	for _, e := range g.Dir("/etc/apparmor.d") {
		if f := g.Lookup(e.Path); f != nil && f.Regular() {
			profiles++
		}
	}
	loads := g.unit("apparmor.service")
	if l := g.started("apparmor_parser", "aa-start"); l != nil && (loads == nil || ranks[l.start] > ranks[loads.start]) {
		loads = l
	}
	if loads != nil && (profiles > 0 || loads.start != "never") {
		a := loads.active()
		if profiles == 0 {
			a = fact.Say(false)
		}
		g.say(&fact.Guard{What: "mandatory-access", Subject: "system", By: "apparmor", Active: a, Detail: strconv.Itoa(profiles) + " profiles"}, loads.places...)
	}
	if d := g.Dir("/etc/smack/accesses.d"); len(d) > 0 {
		g.say(&fact.Guard{What: "mandatory-access", Subject: "system", By: "smack"}, d[0].At(0))
	}
}

// unit returns how a unit of systemd or a start script of its name is started, or nil.
func (g *guarding) unit(name string) *launch {
	if u := g.chain.units[name]; u != nil && u.file != nil && u.rank > 0 {
		if b, ok := g.chain.reached[u.file.Path]; ok {
			return &launch{by: b.at(u.file.At(0))}
		}
	}
	p := "/etc/init.d/" + strings.TrimSuffix(name, ".service")
	if b, ok := g.chain.reached[p]; ok {
		return &launch{by: b}
	}
	return nil
}

// logging and time

func (g *guarding) logging() {
	for _, names := range [][]string{{"rsyslogd"}, {"syslog-ng"}, {"syslogd"}, {"metalog"}, {"logd"}, {"svlogd", "socklog"}, {"systemd-journald"}} {
		l := g.started(names...)
		if l == nil && names[0] == "systemd-journald" {
			l = g.unit("systemd-journald.service")
			if l == nil && slices.Contains(g.chain.inits, "systemd") {
				if f := g.Lookup("/usr/lib/systemd/systemd-journald"); f != nil {
					l = &launch{by: by{start: "boot"}.at(f.At(0))}
				}
			}
		}
		if l == nil || l.start == "never" {
			continue
		}
		n := &fact.Guard{What: "logging", Subject: "system", By: names[0], Active: l.active()}
		switch {
		case names[0] == "syslogd" && slices.Contains(l.words, "-C"), names[0] == "logd":
			n.Detail = "kept in memory: it is gone after a restart"
		case names[0] == "systemd-journald":
			if g.journalVolatile() {
				n.Detail = "kept in memory: it is gone after a restart"
			}
		}
		g.say(n, l.places...)
	}
}

// journalVolatile reports whether the journal lives in memory only.
func (g *guarding) journalVolatile() bool {
	storage := "auto"
	for _, f := range append([]*File{g.Lookup("/etc/systemd/journald.conf")}, g.Glob("/etc/systemd/journald.conf.d/*.conf", "/usr/lib/systemd/journald.conf.d/*.conf")...) {
		text, _ := f.Text()
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Storage="); ok {
				storage = v
			}
		}
	}
	return storage == "volatile" || storage == "auto" && !g.isDir("/var/log/journal")
}

// remoteLogging states whether what is logged is also sent elsewhere.
func (g *guarding) remoteLogging() {
	hosts := g.logHosts()
	for _, h := range hosts {
		g.say(&fact.Guard{What: "remote-logging", Subject: "system", By: h.by, Active: fact.Say(true), Detail: "to " + h.host}, h.place)
	}
	if len(hosts) > 0 {
		return
	}
	for _, f := range g.list {
		if f.What == "logging" && f.Active.Or(false) {
			g.say(&fact.Guard{What: "remote-logging", Subject: "system", Active: fact.Say(false), Detail: "no host to send to is configured"}, f.Places...)
			return
		}
	}
}

// logHost is where logs are sent.
type logHost struct {
	by, host  string
	port      int
	transport string
	tls       bool
	place     fact.Place
}

var (
	rsyslogForward = regexp.MustCompile(`^\S+\s+(@@?)(\([^)]*\))?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d+))?`)
	rsyslogTarget  = regexp.MustCompile(`(?i)target\s*=\s*"([^"]+)"`)
	rsyslogPort    = regexp.MustCompile(`(?i)\bport\s*=\s*"?(\d+)`)
	ngDestination  = regexp.MustCompile(`(?:network|syslog|tcp|udp)\(\s*"([A-Za-z0-9._-]+)"`)
)

// logHosts reads the hosts that logs are sent to, of the loggers that are started.
func (r *Root) logHosts() []logHost {
	var out []logHost
	for _, l := range r.chain().launches {
		if l.start == "never" || len(l.places) == 0 {
			continue
		}
		last := l.places[len(l.places)-1]
		switch path.Base(l.words[0]) {
		case "syslogd":
			for i, w := range l.words {
				if w == "-R" && i+1 < len(l.words) {
					for h := range strings.SplitSeq(l.words[i+1], ",") {
						host, port := splitHost(h)
						out = append(out, logHost{"syslogd", host, port, "udp", false, last})
					}
				}
			}
			out = append(out, r.forwards("syslogd", "/etc/syslog.conf")...)
		case "rsyslogd":
			out = append(out, r.forwards("rsyslogd", "/etc/rsyslog.conf", "/etc/rsyslog.d/*.conf")...)
		case "syslog-ng":
			out = append(out, r.forwards("syslog-ng", "/etc/syslog-ng/syslog-ng.conf", "/etc/syslog-ng/conf.d/*.conf")...)
		case "systemd-journal-upload":
			out = append(out, r.forwards("systemd-journal-upload", "/etc/systemd/journal-upload.conf")...)
		}
	}
	if f := r.Lookup("/etc/config/system"); f != nil {
		text, _ := f.Text()
		for i, line := range strings.Split(text, "\n") {
			if w := strings.Fields(line); len(w) > 2 && w[1] == "log_ip" {
				out = append(out, logHost{"logd", strings.Trim(w[2], `'"`), 514, "udp", false, f.At(i + 1)})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b logHost) int { return strings.Compare(a.place.String(), b.place.String()) })
	return slices.CompactFunc(out, func(a, b logHost) bool { return a.place.String() == b.place.String() && a.host == b.host })
}

// splitHost splits host:port; the port is 0 where it is not said.
func splitHost(s string) (string, int) {
	if i := strings.LastIndexByte(s, ':'); i > 0 && strings.Count(s, ":") == 1 {
		if n, err := strconv.Atoi(s[i+1:]); err == nil {
			return s[:i], n
		}
	}
	return s, 0
}

// forwards reads the lines of a logger's configuration that send to another host.
func (r *Root) forwards(by string, patterns ...string) []logHost {
	var out []logHost
	for _, f := range r.Glob(patterns...) {
		text, _ := f.Text()
		tls := strings.Contains(text, "gtls") || strings.Contains(text, "transport(\"tls\")") || strings.Contains(text, "transport(tls)") || strings.Contains(text, "ossl")
		for i, line := range strings.Split(text, "\n") {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "#") {
				continue
			}
			h := logHost{by: by, transport: "tcp", tls: tls, place: f.At(i + 1)}
			if m := rsyslogForward.FindStringSubmatch(line); m != nil && by != "syslog-ng" {
				h.host = strings.Trim(m[3], "[]")
				h.port, _ = strconv.Atoi(m[4])
				if m[1] == "@" {
					h.transport = "udp"
				}
			} else if m := rsyslogTarget.FindStringSubmatch(line); m != nil && by == "rsyslogd" {
				h.host = m[1]
				if p := rsyslogPort.FindStringSubmatch(line); p != nil {
					h.port, _ = strconv.Atoi(p[1])
				}
			} else if m := ngDestination.FindStringSubmatch(line); m != nil && by == "syslog-ng" {
				h.host = m[1]
			} else if v, ok := strings.CutPrefix(line, "URL="); ok && by == "systemd-journal-upload" {
				_, rest, _ := strings.Cut(v, "://")
				h.host, h.port = splitHost(strings.Split(rest, "/")[0])
				h.tls = strings.HasPrefix(v, "https")
			}
			if h.host != "" {
				out = append(out, h)
			}
		}
	}
	return out
}

func (g *guarding) timeSync() {
	for _, names := range [][]string{
		{"chronyd"}, {"ntpd", "openntpd", "ntpsec"}, {"systemd-timesyncd"}, {"ptp4l"}, {"ntpdate"}, {"sntp", "msntp"}, {"rdate"}, {"ntpclient"}, {"htpdate"},
	} {
		var best *launch
		for _, l := range g.chain.launches {
			if slices.Contains(names, path.Base(l.words[0])) && (best == nil || ranks[l.start] > ranks[best.start]) {
				best = l
			}
		}
		if best == nil {
			continue
		}
		a := best.active()
		if best.started == "cron" && best.start == "on-demand" {
			a = fact.Say(true) // again and again
		}
		if best.start == "never" && len(g.list) > 0 && g.list[len(g.list)-1].What == "time-sync" {
			continue
		}
		g.say(&fact.Guard{What: "time-sync", Subject: "system", By: path.Base(best.words[0]), Active: a}, best.places...)
	}
	// One that works is enough.
	if slices.ContainsFunc(g.list, func(f *fact.Guard) bool { return f.What == "time-sync" && f.Active.Or(false) }) {
		g.list = slices.DeleteFunc(g.list, func(f *fact.Guard) bool { return f.What == "time-sync" && !f.Active.Or(true) })
	}
}

func (g *guarding) audit() {
	if l := g.started("auditd"); l != nil {
		g.say(&fact.Guard{What: "audit", Subject: "system", By: "auditd", Active: l.active()}, l.places...)
	} else if f := g.Lookup("/usr/sbin/auditd"); f != nil && f.Regular() && len(g.chain.inits) > 0 {
		g.say(&fact.Guard{What: "audit", Subject: "system", By: "auditd", Active: fact.Say(false), Detail: "nothing starts it"}, f.At(0))
	}
}

func (g *guarding) integrity() {
	for _, tool := range []struct {
		by, conf string
		names    []string
	}{
		{"aide", "/etc/aide/aide.conf", []string{"aide", "aide.wrapper"}}, {"aide", "/etc/aide.conf", []string{"aide"}},
		{"tripwire", "/etc/tripwire/twcfg.txt", []string{"tripwire"}}, {"samhain", "/etc/samhainrc", []string{"samhain"}}, {"osquery", "/etc/osquery/osquery.conf", []string{"osqueryd"}},
	} {
		conf := g.Lookup(tool.conf)
		var l *launch
		for _, x := range g.chain.launches {
			if slices.Contains(tool.names, path.Base(x.words[0])) && (l == nil || ranks[x.start] > ranks[l.start]) {
				l = x
			}
		}
		if conf == nil || l == nil {
			continue
		}
		a := l.active()
		if l.started == "cron" && l.start == "on-demand" {
			a = fact.Say(true)
		}
		g.say(&fact.Guard{What: "integrity", Subject: "system", By: tool.by, Active: a}, append(slices.Clone(l.places), conf.At(0))...)
	}
	if f := g.Lookup("/etc/ima/ima-policy"); f != nil && f.Regular() {
		text, _ := f.Text()
		n := lineOf(text, "appraise")
		g.say(&fact.Guard{What: "integrity", Subject: "system", By: "ima", Active: fact.Say(n > 0 && slices.Contains(g.chain.inits, "systemd")), Detail: "appraises: " + yesNo(n > 0)}, f.At(n))
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// bans states which logins fail2ban and its like watch.
func (g *guarding) bans() {
	l := g.started("fail2ban-server", "fail2ban-client")
	if l == nil {
		if l = g.started("sshguard", "denyhosts", "denyhosts.py"); l != nil {
			g.say(&fact.Guard{What: "rate-limit", Subject: "sshd", By: path.Base(l.words[0]), Active: l.active()}, l.places...)
		}
		return
	}
	type jail struct {
		on    bool
		retry string
		place fact.Place
	}
	jails, retry, all := map[string]*jail{}, "5", false
	files := g.Glob("/etc/fail2ban/jail.conf", "/etc/fail2ban/jail.d/*.conf", "/etc/fail2ban/jail.local", "/etc/fail2ban/jail.d/*.local")
	slices.SortStableFunc(files, func(a, b *File) int { return banOrder(a.Path) - banOrder(b.Path) })
	for _, f := range files {
		text, _ := f.Text()
		section, n := "", 0
		for line := range strings.Lines(text) {
			n++
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "[") {
				section = strings.Trim(line, "[]")
				continue
			}
			k, v, ok := strings.Cut(line, "=")
			k, v = strings.TrimSpace(k), strings.TrimSpace(v)
			if !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") || section == "INCLUDES" {
				continue
			}
			if section == "DEFAULT" {
				switch k {
				case "maxretry":
					retry = v
				case "enabled":
					all = v == "true"
				}
				continue
			}
			j := jails[section]
			if j == nil {
				j = &jail{}
				jails[section] = j
			}
			switch k {
			case "enabled":
				j.on, j.place = v == "true", f.At(n)
			case "maxretry":
				j.retry = v
			}
		}
	}
	for _, name := range slices.Sorted(mapKeys(jails)) {
		j := jails[name]
		if !j.on && !all || name == "" {
			continue
		}
		f := &fact.Guard{What: "rate-limit", Subject: name, By: "fail2ban", Active: l.active()}
		if n, err := strconv.Atoi(cmpOr(j.retry, retry)); err == nil {
			f.Limit = fact.Say(n)
		}
		places := slices.Clone(l.places)
		if j.place.Path != "" {
			places = append(places, j.place)
		}
		g.say(f, places...)
	}
}

func banOrder(p string) int {
	switch {
	case strings.HasSuffix(p, "/jail.conf"):
		return 0
	case strings.HasSuffix(p, ".conf"):
		return 1
	case strings.HasSuffix(p, "/jail.local"):
		return 2
	}
	return 3
}

var tmout = regexp.MustCompile(`(?m)^[ \t]*(?:(?:export|readonly|declare|typeset)(?:[ \t]+-\w+)*[ \t]+)?TMOUT=["']?(\d+)`)

// idle states whether shells log out who does nothing.
func (g *guarding) idle() {
	var profile *File
	for _, f := range g.Glob("/etc/profile", "/etc/profile.d/*.sh", "/etc/bash.bashrc", "/etc/bashrc", "/etc/environment", "/root/.profile", "/root/.bashrc", "/root/.bash_profile") {
		text, ok := f.Text()
		if !ok {
			continue
		}
		if profile == nil && f.Path == "/etc/profile" {
			profile = f
		}
		m := tmout.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(text[m[2]:m[3]])
		if err != nil {
			continue
		}
		line := 1 + strings.Count(text[:m[2]], "\n")
		g.say(&fact.Guard{What: "idle-logoff", Subject: "shell", By: "TMOUT", Active: fact.Say(n > 0), Limit: fact.Say(n), Detail: fmt.Sprintf("%d seconds", n)}, f.At(line))
		return
	}
	if profile != nil {
		g.say(&fact.Guard{What: "idle-logoff", Subject: "shell", By: "TMOUT", Active: fact.Say(false), Detail: "no start file of the shell sets it"}, profile.At(0))
	}
}
