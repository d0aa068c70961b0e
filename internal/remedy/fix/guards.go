package fix

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var addFirewall = remedy.Fix{
	ID:     "add-firewall",
	Title:  "Load a packet filter at the start that admits the declared ports only",
	Care:   remedy.Review,
	Breaks: "whoever reaches the device on a port that is not declared",
	Test:   "that each declared partner still reaches the device, and that other ports are closed",
	Apply:  applyAddFirewall,
}

// closed are protocols that a firewall does not let in, since the services are to go.
var closed = []string{"telnet", "ftp", "tftp", "rsh", "rlogin", "rexec", "vnc", "x11", "adb", "gdb", "upnp", "shell"}

func applyAddFirewall(t *remedy.Task) error {
	ports := map[string]bool{}
	for _, d := range t.All.Device {
		for _, p := range d.Ports {
			ports[p] = true
		}
	}
	declared := len(ports) > 0
	for _, s := range t.All.Service {
		if declared || s.Root != t.Root.Role || !s.Port.Stated() || !s.Reachable.Or(false) || s.Start.Or("") != "boot" && s.Start.Or("") != "on-demand" {
			continue
		}
		if !slices.Contains(closed, s.Protocol) && (s.Transport == "tcp" || s.Transport == "udp") {
			ports[fmt.Sprintf("%s/%d", s.Transport, s.Port.Or(0))] = true
		}
	}
	list := make([]string, 0, len(ports))
	for p := range ports {
		list = append(list, p)
	}
	slices.Sort(list)
	var rules strings.Builder
	var file, load string
	switch nft, restore := program(t, "nft"), program(t, "iptables-restore"); {
	case nft != "":
		file, load = "/etc/nftables.conf", nft+" -f /etc/nftables.conf\n"
		rules.WriteString("# Admits what is declared, and nothing else.\nflush ruleset\ntable inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t\tiif lo accept\n\t\tct state established,related accept\n\t\tmeta l4proto ipv6-icmp accept\n")
		for _, p := range list {
			proto, port, _ := strings.Cut(p, "/")
			fmt.Fprintf(&rules, "\t\t%s dport %s accept\n", proto, port)
		}
		rules.WriteString("\t}\n}\n")
	case restore != "":
		file, load = "/etc/iptables.rules", restore+" < /etc/iptables.rules\n"
		rules.WriteString("# Admits what is declared, and nothing else.\n*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT\n")
		for _, p := range list {
			proto, port, _ := strings.Cut(p, "/")
			fmt.Fprintf(&rules, "-A INPUT -p %s --dport %s -j ACCEPT\n", proto, port)
		}
		rules.WriteString("COMMIT\n")
	default:
		return none("neither nft nor iptables-restore is in the image")
	}
	if isFile(t, file) {
		return none("%s: there are rules already, which a person has to read", file)
	}
	if err := t.Write(file, []byte(rules.String()), 0o600); err != nil {
		return err
	}
	if err := atBoot(t, "vesalius-firewall", 39, load); err != nil {
		return err
	}
	t.Say("%s: drops what comes in but %s, loaded at every start", file, orNothing(list))
	return nil
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "answers"
	}
	return strings.Join(list, " ")
}

var enableLogging = remedy.Fix{
	ID:     "enable-logging",
	Title:  "Start the logger that the image has",
	Care:   remedy.Review,
	Breaks: "nothing that is known; the log takes memory, or room on the partition for data",
	Test:   "that logins, failures and changes are recorded with their time, and that the log does not fill the device",
	Apply: func(t *remedy.Task) error {
		if t.Rule.ID != "device.no-log" {
			return none("where logs are to be sent only the site knows")
		}
		for _, name := range []string{"rsyslogd", "syslogd"} {
			at := applet(t, name)
			if at == "" {
				continue
			}
			file := provisioned(t) + "/log-server"
			line := at + "\n"
			if name == "syslogd" { // of BusyBox: kept here, and sent to the site's collector
				line = "server=$(cat " + file + " 2>/dev/null || echo loghost)\n" + at + " -s 512 -b 4 -L -R \"$server\"\n"
			}
			if err := atBoot(t, "vesalius-log", 1, line); err != nil {
				return err
			}
			t.Say("%s is started first; it sends to the collector that %s names", at, file)
			return nil
		}
		return none("no logger is in the image")
	},
}

var enableTime = remedy.Fix{
	ID:     "enable-time",
	Title:  "Start the time client that the image has, with the servers that the site names",
	Care:   remedy.Review,
	Breaks: "nothing that is known; the clock may jump once when the device first reaches its server",
	Test:   "that the clock follows the site's server, and what a jump does to trends and alarms",
	Apply: func(t *remedy.Task) error {
		file := provisioned(t) + "/ntp-server"
		server := `$(cat ` + file + ` 2>/dev/null || echo pool.ntp.org)`
		for name, line := range map[string]string{"ntpd": " -p \"" + server + "\"\n"} {
			at := applet(t, name)
			if at == "" {
				continue
			}
			if err := atBoot(t, "vesalius-time", 49, at+line); err != nil {
				return err
			}
			t.Say("%s is started, with the server that %s names", at, file)
			return nil
		}
		if at := program(t, "chronyd"); at != "" && isFile(t, "/etc/chrony.conf") {
			if err := atBoot(t, "vesalius-time", 49, at+"\n"); err != nil {
				return err
			}
			t.Say("%s is started", at)
			return nil
		}
		return none("no time client is in the image")
	},
}

// applet returns how a program is called: by its path, or as an applet that is in BusyBox.
func applet(t *remedy.Task, name string) string {
	if at := program(t, name); at != "" {
		return at
	}
	if data, err := t.Read("/bin/busybox"); err == nil && bytes.Contains(data, []byte("\x00"+name+"\x00")) {
		return "/bin/busybox " + name
	}
	return ""
}

var enableLockout = remedy.Fix{
	ID:     "enable-lockout",
	Title:  "Lock a login for ten minutes after five failures",
	Care:   remedy.Clinical,
	Breaks: "logins of people who mistype; a stranger can lock others out on purpose",
	Test:   "that care is never behind this login, that emergency access works while it is locked, and that it opens again",
	Apply:  applyEnableLockout,
}

func applyEnableLockout(t *remedy.Task) error {
	there := false
	for _, pattern := range []string{"/lib/security", "/usr/lib/security", "/lib64/security", "/usr/lib64/security", "/lib/aarch64-linux-gnu/security", "/lib/arm-linux-gnueabihf/security", "/lib/x86_64-linux-gnu/security", "/usr/lib/aarch64-linux-gnu/security", "/usr/lib/arm-linux-gnueabihf/security", "/usr/lib/x86_64-linux-gnu/security"} {
		there = there || isFile(t, pattern+"/pam_faillock.so")
	}
	if !there {
		return none("the module pam_faillock is not in the image: a stack that names it would let nobody in")
	}
	done := map[string]bool{}
	for _, g := range of[*fact.Guard](t) {
		for _, p := range g.Places {
			if done[p.String()] || !strings.HasPrefix(p.Path, "/etc/pam.d/") {
				continue
			}
			ok, err := statement(t, p, faillock)
			if err != nil {
				return err
			}
			if ok {
				done[p.String()] = true
				t.Say("%s:%d: five failures lock the login for ten minutes", p.Path, p.Line)
			}
		}
	}
	if len(done) == 0 {
		return none("no stack of PAM asks pam_unix")
	}
	return nil
}

// faillock puts the counting of failures around the line that asks for the password. A
// success=N of it skips one line more.
func faillock(line string) ([]string, bool) {
	if !strings.Contains(line, "pam_unix.so") || !strings.HasPrefix(strings.TrimSpace(line), "auth") {
		return nil, false
	}
	const with = "pam_faillock.so %s deny=5 unlock_time=600"
	now := line
	switch {
	case strings.Contains(line, "[success="):
		var n int
		at := strings.Index(line, "[success=") + len("[success=")
		if _, err := fmt.Sscanf(line[at:], "%d", &n); err != nil {
			return nil, false
		}
		now = line[:at] + fmt.Sprint(n+1) + strings.TrimLeft(line[at:], "0123456789")
	case strings.Contains(line, "required"):
		now = strings.Replace(line, "required", "[success=1 default=bad]", 1)
	case strings.Contains(line, "sufficient"):
	default:
		return nil, false
	}
	return []string{"auth\trequired\t" + fmt.Sprintf(with, "preauth"), now, "auth\t[default=die]\t" + fmt.Sprintf(with, "authfail")}, true
}

var enableRateLimit = remedy.Fix{
	ID:     "enable-rate-limit",
	Title:  "Let the web server limit how often one address may try",
	Care:   remedy.Review,
	Breaks: "clients that ask very often, or many that come from one address",
	Test:   "that the pages load, and that a program which tries passwords is slowed",
	Apply:  applyEnableRateLimit,
}

func applyEnableRateLimit(t *remedy.Task) error {
	done := 0
	for _, s := range of[*fact.Service](t) {
		if !path.IsAbs(s.Instance) || !isFile(t, s.Instance) {
			return none("%s: has no configuration file", s.Name)
		}
		text, err := t.Text(s.Instance)
		if err != nil {
			return err
		}
		now := text
		switch s.Product {
		case "nginx":
			now = limitNginx(text)
		case "lighttpd":
			if len(t.List("/usr/lib/lighttpd")) > 0 && !isFile(t, "/usr/lib/lighttpd/mod_evasive.so") {
				return none("the module mod_evasive of lighttpd is not in the image")
			}
			if i := strings.Index(text, "server.modules"); i >= 0 && !strings.Contains(text, "mod_evasive") {
				if end := strings.Index(text[i:], ")"); end > 0 {
					body := strings.TrimRight(text[:i+end], " \t\n")
					now = strings.TrimSuffix(body, ",") + `, "mod_evasive"` + text[len(body):]
					if !strings.HasSuffix(now, "\n") {
						now += "\n"
					}
					now += "evasive.max-conns-per-ip = 4\n"
				}
			}
		}
		if now == text {
			return none("%s: how %s limits its clients is not known", s.Instance, s.Product)
		}
		if err := t.Write(s.Instance, []byte(now), 0o644); err != nil {
			return err
		}
		done++
		t.Say("%s: one address may not try without end", s.Instance)
	}
	if done == 0 {
		return none("no web server")
	}
	return nil
}

// limitNginx adds a zone of requests to http and its use to each server.
func limitNginx(text string) string {
	if strings.Contains(text, "limit_req") {
		return text
	}
	var b strings.Builder
	zone := false
	for _, l := range lines(text) {
		b.WriteString(l)
		word := strings.Fields(before(l, "#"))
		if len(word) != 2 || word[1] != "{" {
			continue
		}
		indent := l[:len(l)-len(strings.TrimLeft(l, " \t"))]
		switch {
		case word[0] == "http" && !zone:
			zone = true
			b.WriteString(indent + "\tlimit_req_zone $binary_remote_addr zone=login:1m rate=5r/s;\n")
		case word[0] == "server" && zone:
			b.WriteString(indent + "\tlimit_req zone=login burst=20;\n")
		}
	}
	if !zone {
		return text
	}
	return b.String()
}
