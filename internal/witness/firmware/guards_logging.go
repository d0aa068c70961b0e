package firmware

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

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
	rsyslogForward = search.Lazy(`^\S+\s+(@@?)(\([^)]*\))?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d+))?`)
	rsyslogTarget  = search.Lazy(`(?i)target\s*=\s*"([^"]+)"`)
	rsyslogPort    = search.Lazy(`(?i)\bport\s*=\s*"?(\d+)`)
	ngDestination  = search.Lazy(`(?:network|syslog|tcp|udp)\(\s*"([A-Za-z0-9._-]+)"`)
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
