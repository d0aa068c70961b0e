package firmware

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// destinations states where the device connects to, as far as its scripts, configuration
// and the maker's own programs name hosts. Comments, documentation, names of schemas and
// what well-known software carries of its own are no destinations.
var destinations = inspector{
	name:  "destinations",
	kinds: []fact.Kind{fact.KindDestination},
	look:  lookDestinations,
}

func lookDestinations(r *Root) {
	if !r.runs() && !strings.HasPrefix(r.Role, "data:") {
		return
	}
	d := &destining{Root: r, found: map[string]*fact.Destination{}}
	d.mounts()
	d.time()
	d.logs()
	d.configured()
	d.commands()
	d.texts()
	d.binaries()
	for _, f := range d.list {
		r.Add(f)
	}
}

type destining struct {
	*Root
	found map[string]*fact.Destination
	list  []*fact.Destination
}

const (
	destinationsAtMost = 2000
	placesAtMost       = 20
)

// say states a destination once, with all its places.
func (d *destining) say(host string, port int, protocol, use, in string, places ...fact.Place) {
	d.tell(host, port, protocol, use, in, fact.Opt[bool]{}, places...)
}

func (d *destining) tell(host string, port int, protocol, use, in string, verified fact.Opt[bool], places ...fact.Place) {
	host = strings.ToLower(strings.Trim(host, "[]. "))
	if !isHost(host) || len(places) == 0 {
		return
	}
	f := &fact.Destination{Host: host, Protocol: protocol, Use: cmpOr(use, "unknown"), In: in, Verified: verified}
	if port > 0 && port < 65536 {
		f.Port = fact.Say(port)
	}
	f.Literal = fact.Say(ipv4.MatchString(host) || strings.Contains(host, ":"))
	f.Public = fact.Say(public(host))
	if e, ok := encryptedScheme[protocol]; ok {
		f.Encrypted = fact.Say(e)
	}
	old := d.found[f.Key()]
	if old == nil {
		if len(d.list) >= destinationsAtMost {
			return
		}
		old = f
		d.found[f.Key()] = f
		d.list = append(d.list, f)
	}
	if old.Use == "unknown" {
		old.Use = f.Use
	}
	if verified.Stated() && old.Verified.Or(true) {
		old.Verified = verified // of several ways there the one that does not check counts
	}
	for _, p := range places {
		if len(old.Places) < placesAtMost && !slices.ContainsFunc(old.Places, func(q fact.Place) bool { return q.Path == p.Path && q.Line == p.Line && q.Offset == p.Offset }) {
			old.Places = append(old.Places, p)
		}
	}
}

// encryptedScheme says of protocols whether all they carry is encrypted.
var encryptedScheme = map[string]bool{
	"http": false, "ftp": false, "tftp": false, "mqtt": false, "ws": false, "coap": false, "amqp": false, "ldap": false, "rtsp": false, "redis": false, "nfs": false, "ntp": false,
	"dns": false, "telnet": false, "syslog": false, "snmp-trap": false, "rsync": false, "smtp": false, "stratum": false,
	"https": true, "ftps": true, "mqtts": true, "wss": true, "coaps": true, "amqps": true, "ldaps": true, "rtsps": true, "rediss": true, "sftp": true, "ssh": true, "openvpn": true,
	"wireguard": true, "syslog-tls": true, "ssl": true, "tls": true, "nts": true,
}

// schemes of URLs that name a host to connect to.
var schemes = words("http https ftp ftps tftp mqtt mqtts tcp ssl tls ws wss coap coaps amqp amqps ldap ldaps rtsp rtsps redis rediss sftp ssh smb nats udp stratum+tcp")

var (
	urlWord  = search.Lazy(`\b([a-zA-Z][a-zA-Z0-9+]{1,10})://([^\s"'<>|\\^` + "`" + `{}()\[\],;]*(?:\[[0-9a-fA-F:]+\])?[^\s"'<>|\\^` + "`" + `{}()\[\],;]*)`)
	quadWord = search.Lazy(`\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}`)
	hostName = search.Lazy(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*$`)
	upTo     = search.Lazy(`^(?::|["']?\)?\s*,\s*|\s+)(\d{2,5})\b`)
)

// isHost reports whether a word names another machine.
func isHost(h string) bool {
	if ipv4.MatchString(h) {
		return otherAddress(h)
	}
	if strings.Count(h, ":") > 1 {
		return h != "::1" && h != "::" && strings.Trim(h, "0123456789abcdef:") == ""
	}
	return len(h) > 1 && len(h) < 254 && hostName.MatchString(h) && strings.Trim(h, "0123456789.") != "" && !placeholder(h)
}

// otherAddress reports whether an IPv4 literal is an address of one other machine.
func otherAddress(h string) bool {
	var q [4]int
	for i, p := range strings.Split(h, ".") {
		n, err := strconv.Atoi(p)
		if err != nil || n > 255 || i > 3 || len(p) > 1 && p[0] == '0' {
			return false
		}
		q[i] = n
	}
	return q[0] != 0 && q[0] != 127 && q[0] < 224 && q[3] != 255 && q[3] != 0
}

// public reports whether a host is one of the Internet rather than of the site's network.
func public(h string) bool {
	if ipv4.MatchString(h) {
		p := strings.Split(h, ".")
		a, _ := strconv.Atoi(p[0])
		b, _ := strconv.Atoi(p[1])
		switch {
		case a == 10, a == 172 && b >= 16 && b < 32, a == 192 && b == 168, a == 169 && b == 254, a == 100 && b >= 64 && b < 128, a == 198 && (b == 18 || b == 19):
			return false
		case strings.HasPrefix(h, "192.0.2."), strings.HasPrefix(h, "198.51.100."), strings.HasPrefix(h, "203.0.113."):
			return false // for documentation
		}
		return true
	}
	if strings.Contains(h, ":") {
		return !strings.HasPrefix(h, "fe80") && !strings.HasPrefix(h, "fc") && !strings.HasPrefix(h, "fd") && !strings.HasPrefix(h, "2001:db8")
	}
	i := strings.LastIndexByte(h, '.')
	return i > 0 && !siteSuffix[h[i+1:]]
}

// siteSuffix are ends of names that no public registry gives out.
var siteSuffix = words("local lan internal intranet home corp private localdomain domain localnet hospital clinic ward test invalid example")

// placeholder reports whether a name stands for one that somebody has to fill in.
func placeholder(h string) bool {
	for _, p := range []string{"example.", "your", "mydomain", "myserver", "myhost", "foo.", "bar.", "domain.tld", "xxx", "changeme", "somewhere", "server.domain", "hostname", "host.domain"} {
		if strings.HasPrefix(h, p) || strings.Contains(h, "."+p) {
			return true
		}
	}
	return h == "localhost" || h == "foo" || h == "bar" || h == "host" || h == "server" || strings.HasSuffix(h, ".example") || strings.HasSuffix(h, ".invalid") ||
		strings.HasPrefix(h, "localhost.") || h == "ip6-localhost" || h == "example"
}

// papers are hosts that texts and programs name and nobody connects to: standards,
// licences, projects, their bugs and documentation.
var papers = []string{
	"w3.org", "xml.org", "xmlsoap.org", "openxmlformats.org", "purl.org", "gnu.org", "fsf.org", "opensource.org", "creativecommons.org", "freedesktop.org", "kernel.org", "busybox.net",
	"openssl.org", "python.org", "mozilla.org", "ietf.org", "iana.org", "json-schema.org", "wikipedia.org", "stackoverflow.com", "stackexchange.com", "readthedocs.io", "readthedocs.org",
	"isc.org", "samba.org", "mysql.com", "mariadb.org", "mariadb.com", "postgresql.org", "nginx.org", "nginx.com", "lighttpd.net", "php.net", "lua.org", "jquery.com", "jquery.org", "getbootstrap.com", "fontawesome.com",
	"sourceforge.net", "launchpad.net", "openwall.com", "oasis-open.org", "omg.org", "java.com", "oracle.com", "sun.com", "netfilter.org", "openssh.com", "openbsd.org", "freebsd.org", "netbsd.org",
	"linuxfoundation.org", "yoctoproject.org", "buildroot.org", "systemd.io", "gnome.org", "kde.org", "qt.io", "trolltech.com", "digia.com", "ffmpeg.org", "videolan.org", "xiph.org", "curl.se", "curl.haxx.se",
	"zlib.net", "libpng.org", "ijg.org", "unicode.org", "adobe.com", "rsyslog.com", "syslog-ng.org", "balabit.com", "fail2ban.org", "debian.net", "wiki.debian.org", "bugs.debian.org", "www.debian.org", "packages.debian.org",
	"manpages.debian.org", "lists.debian.org", "ubuntu.com", "redhat.com", "fedoraproject.org", "archlinux.org", "gentoo.org", "alpinelinux.org", "suse.com", "opensuse.org", "tldp.org", "die.net", "man7.org",
	"golang.org", "go.dev", "rust-lang.org", "docs.rs", "crates.io", "nodejs.org", "npmjs.com", "npmjs.org", "pypi.org", "apache.org", "eclipse.org", "spring.io", "perl.org", "cpan.org", "ruby-lang.org", "haxx.se",
	"openldap.org", "sqlite.org", "redis.io", "mosquitto.org", "net-snmp.org", "cups.org", "avahi.org", "bluez.org", "w1.fi", "thekelleys.org.uk", "matt.ucc.asn.au", "ntp.org/", "eff.org", "letsencrypt.org/docs",
	"schema.org", "ogp.me", "dublincore.org", "opengis.net", "hl7.org", "dicom.nema.org", "snomed.info", "loinc.org", "unitsofmeasure.org", "ihe.net", "terminology.hl7.org", "nih.gov", "verisign.com", "digicert.com",
	"symantec.com", "entrust.net", "globalsign.com", "globalsign.net", "comodoca.com", "usertrust.com", "thawte.com", "sectigo.com", "microsoft.com/pki", "pki.goog", "tempuri.org", "goo.gl", "bit.ly", "tools.ietf.org",
}

// paper reports whether a URL is one of those that only say where to read on.
func paper(host, rest string) bool {
	for _, p := range papers {
		h, at, path := strings.Cut(p, "/")
		if path && !strings.HasPrefix(rest, "/"+at) {
			continue
		}
		if host == h || strings.HasSuffix(host, "."+h) {
			return true
		}
	}
	for _, p := range []string{"docs.", "doc.", "wiki.", "bugs.", "bugzilla.", "bugtracker.", "man.", "manpages.", "lists.", "help.", "schemas.", "xmlns.", "ocsp.", "crl.", "fonts.", "cdn.", "cdnjs."} {
		if strings.HasPrefix(host, p) {
			return true
		}
	}
	if host == "github.com" || host == "gitlab.com" || strings.HasSuffix(host, ".github.io") || host == "bitbucket.org" || host == "gist.github.com" {
		return !strings.Contains(rest, "/releases/") && !strings.Contains(rest, "/archive/") && !strings.Contains(rest, "/raw/")
	}
	return false
}

// useOf guesses from words near a host what it is for.
func useOf(text string) string {
	t := strings.ToLower(text)
	for _, u := range []struct {
		use   string
		words []string
	}{
		{"update", []string{"update", "upgrade", "firmware", "/fw", "ota", "opkg", "apt", "packages", "/repo", "download", ".deb", ".ipk", ".swu", ".raucb", "mender", "hawkbit"}},
		{"time", []string{"ntp", "time.", "timeserver", "chrony"}},
		{"mail", []string{"smtp", "mailhub", "mail."}},
		{"log", []string{"syslog", "/log", "logs.", "logger", "logstash"}},
		{"telemetry", []string{"telemetry", "metrics", "collect", "analytics", "statist", "ingest", "upload", "trend", "report"}},
		{"cloud", []string{"amazonaws", "azure", "googleapis", "iot.", "cloud"}},
	} {
		for _, w := range u.words {
			if strings.Contains(t, w) {
				return u.use
			}
		}
	}
	return ""
}

// url takes one URL of a text or program.
func (d *destining) url(scheme, rest, context, in string, verified fact.Opt[bool], place fact.Place) {
	scheme = strings.ToLower(scheme)
	if !schemes[scheme] {
		return
	}
	host := rest
	tail := ""
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host, tail = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	port := 0
	if strings.HasPrefix(host, "[") {
		h, p, _ := strings.Cut(host[1:], "]")
		host = h
		port, _ = strconv.Atoi(strings.TrimPrefix(p, ":"))
	} else if h, p, ok := strings.Cut(host, ":"); ok {
		host = h
		port, _ = strconv.Atoi(strings.TrimRight(p, "."))
	}
	host = strings.ToLower(strings.TrimRight(host, "."))
	if !isHost(host) || paper(host, tail) {
		return
	}
	if in == "binary" && !strings.Contains(host, ".") {
		return
	}
	if use := useOf(host + tail); use != "" {
		d.tell(host, port, strings.TrimPrefix(scheme, "stratum+"), use, in, verified, place)
		return
	}
	d.tell(host, port, scheme, useOf(context), in, verified, place)
}

// mounts takes the file systems of other machines.
func (d *destining) mounts() {
	for _, m := range d.Facts.Mount {
		if m.Remote.Or(false) {
			d.share(m.Device, m.Type, placeKind(m.Places), m.Places...)
		}
	}
}

func placeKind(places []fact.Place) string {
	if len(places) > 0 && strings.HasPrefix(places[0].Path, "/etc/fstab") || len(places) > 0 && strings.HasSuffix(places[0].Path, ".mount") {
		return "configuration"
	}
	return "script"
}

// share takes the name of a share: host:/path, //host/path.
func (d *destining) share(device, kind, in string, places ...fact.Place) {
	if rest, ok := strings.CutPrefix(device, "//"); ok {
		host, _, _ := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			host = host[i+1:]
		}
		d.say(host, 0, "smb", "mount", in, places...)
		return
	}
	host, _, ok := strings.Cut(device, ":/")
	if !ok {
		return
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	protocol := "nfs"
	if strings.Contains(kind, "sshfs") {
		protocol = "ssh"
	}
	d.say(host, 0, protocol, "mount", in, places...)
}

// eachLine calls f with the lines of a file that are no comments.
func eachLine(f *File, call func(n int, line string)) {
	text, _ := f.Text()
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != ';' && line[0] != '!' {
			call(n, line)
		}
	}
}

// time takes the time servers.
func (d *destining) time() {
	ntp := func(host string, places ...fact.Place) { d.say(host, 0, "ntp", "time", "configuration", places...) }
	for _, f := range d.Glob("/etc/ntp.conf", "/etc/ntpsec/ntp.conf", "/etc/chrony.conf", "/etc/chrony/chrony.conf", "/etc/chrony/conf.d/*.conf", "/etc/chrony/sources.d/*.sources", "/etc/openntpd/ntpd.conf", "/etc/ntpd.conf") {
		eachLine(f, func(n int, line string) {
			if w := strings.Fields(line); len(w) > 1 && (w[0] == "server" || w[0] == "pool" || w[0] == "servers" || w[0] == "peer") && !strings.HasPrefix(w[1], "127.127.") {
				ntp(w[1], f.At(n))
			}
		})
	}
	for _, f := range d.Glob("/etc/systemd/timesyncd.conf", "/etc/systemd/timesyncd.conf.d/*.conf") {
		eachLine(f, func(n int, line string) {
			if k, v, ok := strings.Cut(line, "="); ok && (k == "NTP" || k == "FallbackNTP") {
				for _, h := range strings.Fields(v) {
					ntp(h, f.At(n))
				}
			}
		})
	}
	for _, f := range d.Glob("/etc/config/system") {
		in := false
		eachLine(f, func(n int, line string) {
			w := strings.Fields(line)
			if w[0] == "config" {
				in = len(w) > 1 && w[1] == "timeserver"
			} else if in && len(w) > 2 && w[0] == "list" && w[1] == "server" {
				ntp(strings.Trim(w[2], `'"`), f.At(n))
			}
		})
	}
}

func (d *destining) logs() {
	for _, h := range d.logHosts() {
		protocol := "syslog"
		if h.tls {
			protocol = "syslog-tls"
		}
		d.say(h.host, h.port, protocol, "log", "configuration", h.place)
	}
}

// configured takes the hosts of configurations that name them by a word of their own.
func (d *destining) configured() {
	for _, c := range []struct {
		files         []string
		line          *search.Pattern // host, port
		protocol, use string
	}{
		{[]string{"/etc/resolv.conf", "/etc/resolv.conf.head"}, search.Lazy(`^nameserver\s+(\S+)()`), "dns", ""},
		{[]string{"/etc/openvpn/*.conf", "/etc/openvpn/client/*.conf", "/etc/openvpn/*.ovpn"}, search.Lazy(`^remote\s+(\S+)(?:\s+(\d+))?`), "openvpn", ""},
		{[]string{"/etc/wireguard/*.conf"}, search.Lazy(`^Endpoint\s*=\s*([^:\s]+):(\d+)`), "wireguard", ""},
		{[]string{"/etc/snmp/snmpd.conf"}, search.Lazy(`^(?:trap|trap2|inform)sink\s+([^:\s]+)(?::(\d+))?`), "snmp-trap", "log"},
		{[]string{"/etc/mosquitto/mosquitto.conf", "/etc/mosquitto/conf.d/*.conf"}, search.Lazy(`^address(?:es)?\s+([^:\s]+)(?::(\d+))?`), "mqtt", "telemetry"},
		{[]string{"/etc/ssmtp/ssmtp.conf"}, search.Lazy(`^mailhub=([^:\s]+)(?::(\d+))?`), "smtp", "mail"},
		{[]string{"/etc/msmtprc"}, search.Lazy(`^host\s+(\S+)()`), "smtp", "mail"},
		{[]string{"/etc/default/ntpdate"}, search.Lazy(`^NTPSERVERS="?([A-Za-z0-9.-]+)()`), "ntp", "time"},
	} {
		for _, f := range d.Glob(c.files...) {
			eachLine(f, func(n int, line string) {
				if m := c.line.FindStringSubmatch(line); m != nil {
					port, _ := strconv.Atoi(m[2])
					d.say(m[1], port, c.protocol, c.use, "configuration", f.At(n))
				}
			})
		}
	}
}

// commands takes the hosts among the words of the start chain's commands.
func (d *destining) commands() {
	for _, l := range d.chain().launches {
		if l.start == "never" || len(l.places) == 0 {
			continue
		}
		place := l.places[len(l.places)-1]
		args := l.words[1:]
		name := path.Base(l.words[0])
		switch name {
		case "ntpd", "ntpdate", "rdate", "sntp", "ntpclient", "msntp":
			for i, w := range args {
				if name == "ntpd" && (i == 0 || args[i-1] != "-p") || strings.HasPrefix(w, "-") || name == "ntpclient" && (i == 0 || args[i-1] != "-h") {
					continue
				}
				if strings.Contains(w, ".") {
					d.say(strings.TrimPrefix(w, "keyno:"), 0, "ntp", "time", "script", place)
				}
			}
		case "nc", "netcat", "ncat", "telnet":
			if netcat(name, args) {
				continue
			}
			rest := afterOptions(args, "-w -p -s -i -q")
			if len(rest) > 0 {
				port := 0
				if len(rest) > 1 {
					port, _ = strconv.Atoi(rest[1])
				}
				protocol := "tcp"
				if name == "telnet" {
					protocol = "telnet"
				}
				d.say(rest[0], port, protocol, useOf(strings.Join(l.words, " ")), "script", place)
			}
		case "tftp", "ftpget", "ftpput":
			protocol := strings.TrimSuffix(strings.TrimSuffix(name, "get"), "put")
			for _, w := range afterOptions(args, "-u -p -P -l -r -b -c") {
				if strings.Contains(w, ".") && !strings.Contains(w, "/") && (ipv4.MatchString(w) || public(w)) {
					d.say(w, 0, protocol, useOf(strings.Join(l.words, " ")), "script", place)
					break
				}
			}
		case "ssh", "autossh", "dbclient", "sshpass":
			if h, port := sshHost(args); h != "" {
				d.say(h, port, "ssh", "", "script", place)
			}
		default:
			for _, w := range args {
				if m := urlWord.FindStringSubmatch(w); m != nil && !passingText[name] {
					d.url(m[1], m[2], strings.Join(l.words, " "), "script", certificateAsked(strings.Join(l.words, " ")), place)
				}
			}
		}
	}
}

var passingText = words("echo printf logger cat sed grep awk log_daemon_msg ebegin einfo")

// sshHost finds the host among the words of ssh.
func sshHost(args []string) (string, int) {
	port := 0
	for i := 0; i < len(args); i++ {
		w := args[i]
		switch {
		case w == "-p" && i+1 < len(args):
			i++
			port, _ = strconv.Atoi(args[i])
		case len(w) == 2 && w[0] == '-' && strings.ContainsAny(w[1:], "BbcDEeFIiJLlMmOoQRSWw") && i+1 < len(args):
			i++
		case strings.HasPrefix(w, "-"):
		default:
			if at := strings.LastIndexByte(w, '@'); at >= 0 {
				w = w[at+1:]
			}
			if ipv4.MatchString(w) || strings.Contains(w, ".") && !strings.Contains(w, "/") {
				return w, port
			}
			return "", 0
		}
	}
	return "", 0
}

// certificateAsked reports what a command line says about checking the peer's certificate.
func certificateAsked(line string) fact.Opt[bool] {
	for _, w := range strings.Fields(line) {
		switch w {
		case "-k", "--insecure", "--no-check-certificate":
			if strings.Contains(line, "curl") || strings.Contains(line, "wget") {
				return fact.Say(false)
			}
		case "--cacert", "--ca-certificate":
			return fact.Say(true)
		}
	}
	return fact.Opt[bool]{}
}

// binaries takes the URLs of programs that are the maker's own.
func (d *destining) binaries() {
	boot := map[string]bool{}
	for _, s := range d.Facts.Service {
		boot[s.Program] = boot[s.Program] || s.Start.Or("") != "never"
	}
	for _, f := range d.Files() {
		if f.Trace == nil || len(f.Trace.URLs) == 0 || f.Trace.Type != "elf" && f.Trace.Type != "pe" {
			continue
		}
		if own, known := d.maker(f, boot[f.Path], false); !known || !own {
			continue
		}
		for _, u := range f.Trace.URLs {
			scheme, rest, _ := strings.Cut(u.Text, "://")
			place := f.At(0)
			place.Offset = u.At
			d.url(scheme, rest, path.Base(f.Path), "binary", fact.Opt[bool]{}, place)
		}
	}
}
