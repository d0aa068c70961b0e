package firmware

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
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

var tmout = search.Lazy(`(?m)^[ \t]*(?:(?:export|readonly|declare|typeset)(?:[ \t]+-\w+)*[ \t]+)?TMOUT=["']?(\d+)`)

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
