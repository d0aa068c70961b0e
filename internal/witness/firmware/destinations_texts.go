package firmware

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// quietPlaces hold texts that name hosts and connect to none: documentation, lists of
// names, certificates, what package managers keep, libraries of languages.
var quietPlaces = []string{
	"/usr/share/", "/usr/include/", "/usr/src/", "/usr/lib/python", "/usr/local/lib/python", "/usr/lib/perl", "/usr/lib/node_modules/", "/usr/local/lib/node_modules/", "/usr/lib/opkg/", "/usr/lib/ruby/", "/usr/lib/systemd/", "/lib/systemd/", "/usr/lib/lua/",
	"/var/", "/lib/apk/", "/lib/modules/", "/etc/ssl/", "/etc/ca-certificates", "/etc/pki/", "/etc/fonts/", "/etc/udev/hwdb", "/etc/X11/", "/etc/xdg/", "/etc/grub.d/", "/etc/dbus-1/", "/etc/apparmor.d/", "/etc/alternatives/", "/etc/perl/", "/etc/vim/",
	"/etc/os-release", "/etc/issue", "/etc/motd", "/etc/services", "/etc/protocols", "/etc/rpc", "/etc/mime.types", "/etc/magic", "/etc/update-motd.d/", "/etc/lsb-release", "/etc/debian_version", "/etc/ethertypes", "/etc/ImageMagick", "/etc/bash_completion.d/", "/etc/security/",
	"/etc/hosts", "/etc/network/interfaces", "/etc/resolv.conf", "/etc/ntp.conf", "/etc/ntpsec/", "/etc/chrony", "/etc/rsyslog", "/etc/syslog", "/etc/fstab", "/etc/iptables", "/etc/nftables", "/etc/hosts.allow", "/etc/hosts.deny", "/etc/exports", "/etc/snmp/", "/etc/fail2ban/",
	"/etc/dhcp", "/etc/udhcpd.conf", "/etc/dnsmasq", "/etc/systemd/network/", "/etc/NetworkManager/", "/etc/ppp/", "/etc/samba/", "/etc/config/network", "/etc/config/firewall", "/etc/openvpn/", "/etc/wireguard/", "/etc/mosquitto/", "/etc/apt/trusted.gpg", "/etc/java", "/etc/php/", "/etc/init/",
	"/etc/services.d/", "/etc/bind/", "/etc/postgresql/", "/etc/mysql/", "/etc/apache2/", "/etc/nginx/mime", "/etc/cups/", "/etc/redis/", "/etc/audit/", "/etc/logcheck/", "/etc/skel/", "/etc/nanorc", "/etc/profile", "/etc/inputrc", "/etc/bash.bashrc", "/etc/sudoers",
}

var (
	scriptExt = words(".sh .py .lua .pl .rb .php .js .mjs .cjs .ts .tcl .cgi .bash")
	configExt = words(".conf .cfg .ini .json .yaml .yml .toml .xml .properties .env .config .service .cnf .list .repo .rc")
	noteNames = words("readme license licence copying changelog authors news todo install notice package.json package-lock.json composer.json yarn.lock tsconfig.json")
)

// textKind says what a text is to this inspector: script, configuration, or nothing.
func (d *destining) textKind(f *File) string {
	if !f.Regular() || f.Trace == nil || f.Trace.Type != "text" && f.Trace.Type != "script" || f.Trace.Size > MaxText {
		return ""
	}
	base := strings.ToLower(path.Base(f.Path))
	ext := path.Ext(base)
	if noteNames[base] || noteNames[strings.TrimSuffix(base, ext)] || slices.ContainsFunc(quietPlaces, func(p string) bool { return strings.HasPrefix(f.Path, p) }) {
		return ""
	}
	for _, dir := range []string{"/site-packages/", "/dist-packages/", "/node_modules/", "/doc/", "/docs/", "/test/", "/tests/", "/examples/", "/locale/", "/vendor/", "/static/", "/.git/"} {
		if strings.Contains(f.Path, dir) {
			return ""
		}
	}
	o := d.owners()
	if name, listed := o.paths[f.Path]; listed && !o.foreign[name] && !strings.HasPrefix(f.Path, "/etc/") {
		return ""
	}
	mine := strings.HasPrefix(f.Path, "/etc/") || makersPlace.MatchString(f.Path) || strings.HasPrefix(d.Role, "data:")
	switch {
	case strings.HasPrefix(f.Path, "/www/") || strings.HasPrefix(f.Path, "/srv/www/"):
		if f.Trace.Type == "script" || ext == ".php" || ext == ".cgi" || ext == ".lua" {
			return "script"
		}
		return ""
	case f.Trace.Type == "script":
		return "script"
	case mine && scriptExt[ext]:
		return "script"
	case strings.HasPrefix(f.Path, "/etc/"), mine && configExt[ext]:
		return "configuration"
	}
	return ""
}

// notes are words of lines that name a URL to read, not to connect to.
var notes = search.Lazy(`(?i)xmlns|xsi:|schemalocation|doctype|documentation|home_url|bug_report|support_url|privacy_policy|license|licence|copyright|homepage|\$schema|\bsee\b|@see|@link|more info|report bugs|user-agent|usage:|for details|\busage\b|\bid":\s*"http|systemid|namespace`)

// ownAddress are words of lines in which an address is the device's own, or one that is let
// in or kept out.
var ownAddress = search.Lazy(`(?i)\b(ifconfig|netmask|broadcast|listen|bind|ipaddr|ip_?addr(ess)?|my_?ip|local|route|gateway|gw|subnet|network|dhcp|range|allow|deny|permit|trusted|iptables|ip6tables|nft|acl|version|ver|release|example|default_ip|static_ip|dns|nameserver|start|end|pool|oid|v\d)\b|\bip (a|addr|r|route)|--bind|ip=`)

// toHost are words of lines in which an address is where a connection goes, at a place of
// the site's own too.
var toHost = search.Lazy(`(?i)(server|host|broker|remote|endpoint|upstream|peer|url|connect|send|dest|target|uplink|central)[a-z0-9_.-]*["']?\s*[:=(,\s]|\b(nc|telnet|ssh|scp|sftp|ftp|ftpput|ftpget|tftp|rsync|curl|wget|mount|mosquitto_pub|mosquitto_sub|logger)\b`)

var (
	cifsShare = search.Lazy(`(?:^|\s|["'])//([A-Za-z0-9._-]+)/`)
	nfsShare  = search.Lazy(`(?:^|\s|["'])([A-Za-z0-9._-]+):/\S*`)
	sshLine   = search.Lazy(`\b(ssh|autossh|scp|sftp|rsync|dbclient)\s`)
	sshPort   = search.Lazy(`\s-[pP]\s*(\d{2,5})\b`)
	userAt    = search.Lazy(`[A-Za-z0-9_.$-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)`)
)

// texts takes the hosts that scripts and configurations name.
func (d *destining) texts() {
	for _, f := range d.Files() {
		in := d.textKind(f)
		if in == "" {
			continue
		}
		text, ok := f.Text()
		if !ok {
			continue
		}
		n, doc := 0, ""
		for line := range strings.Lines(text) {
			n++
			if line, doc = uncomment(line, doc, f.Path); line != "" && len(line) < 4096 {
				d.line(f, n, line, in)
			}
		}
	}
}

// uncomment takes off what is comment of a line. doc is the mark of a longer comment or
// documentation string that is open.
func uncomment(line, doc, p string) (string, string) {
	line = strings.TrimSpace(line)
	if doc != "" {
		i := strings.Index(line, doc)
		if i < 0 {
			return "", doc
		}
		line = strings.TrimSpace(line[i+len(doc):])
	}
	for _, d := range []struct{ open, end string }{{`"""`, `"""`}, {"'''", "'''"}, {"/*", "*/"}, {"<!--", "-->"}, {"--[[", "]]"}, {"=pod", "=cut"}} {
		if !strings.HasPrefix(line, d.open) {
			continue
		}
		rest := line[len(d.open):]
		i := strings.Index(rest, d.end)
		if i < 0 {
			return "", d.end
		}
		line = strings.TrimSpace(rest[i+len(d.end):])
	}
	if line == "" || line[0] == '#' || line[0] == ';' || line[0] == '!' && !strings.HasPrefix(line, "! ") || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "* ") ||
		strings.HasPrefix(line, "--") && strings.HasSuffix(p, ".lua") {
		return "", ""
	}
	for _, mark := range []string{" #", "\t#", " // "} {
		if i := strings.Index(line, mark); i > 0 && strings.Count(line[:i], `"`)%2 == 0 && strings.Count(line[:i], "'")%2 == 0 {
			line = line[:i]
		}
	}
	return line, ""
}

// line takes the hosts of one line.
func (d *destining) line(f *File, n int, line, in string) {
	if strings.Contains(line, "://") && !notes.MatchString(line) {
		for _, m := range urlWord.FindAllStringSubmatch(line, 8) {
			d.url(m[1], m[2], f.Path+" "+line, in, certificateAsked(line), f.At(n))
		}
	}
	if strings.Contains(line, "mount") && in == "script" {
		switch {
		case strings.Contains(line, "cifs") || strings.Contains(line, "smb"):
			if m := cifsShare.FindStringSubmatch(line); m != nil {
				d.say(m[1], 0, "smb", "mount", in, f.At(n))
				return
			}
		case strings.Contains(line, "nfs"):
			if m := nfsShare.FindStringSubmatch(line); m != nil {
				d.say(m[1], 0, "nfs", "mount", in, f.At(n))
				return
			}
		}
	}
	if in == "script" && strings.Contains(line, "@") && sshLine.MatchString(line) {
		if m := userAt.FindStringSubmatch(line); m != nil {
			port := 0
			if p := sshPort.FindStringSubmatch(line); p != nil {
				port, _ = strconv.Atoi(p[1])
			}
			d.say(m[1], port, "ssh", useOf(line), in, f.At(n))
			return
		}
	}
	d.quads(f, n, line, in)
}

// quads takes the addresses of one line that are no part of a URL.
func (d *destining) quads(f *File, n int, line, in string) {
	for _, m := range quadWord.FindAllStringIndex(line, 8) {
		q := line[m[0]:m[1]]
		before, after := line[:m[0]], line[m[1]:]
		if before != "" && strings.IndexByte("0123456789.-_/", before[len(before)-1]) >= 0 && !strings.HasSuffix(before, "://") || before != "" && letter(before[len(before)-1]) ||
			after != "" && strings.IndexByte("0123456789-_", after[0]) >= 0 || len(after) > 1 && (after[0] == '.' && after[1] >= '0' && after[1] <= '9' || after[0] == '/' && after[1] >= '0' && after[1] <= '9') ||
			after != "" && letter(after[0]) || strings.HasSuffix(before, "://") || strings.HasSuffix(before, "@") && strings.Contains(before, "://") {
			continue
		}
		to := toHost.MatchString(line)
		strange := public(q) && in == "script" // an address of the Internet in a script leads there
		if !otherAddress(q) || ownAddress.MatchString(line) && (!to || !strange) || !to && !strange {
			continue
		}
		port := 0
		if p := upTo.FindStringSubmatch(after); p != nil {
			port, _ = strconv.Atoi(p[1])
		}
		d.say(q, port, "", useOf(f.Path+" "+line), in, f.At(n))
	}
}
