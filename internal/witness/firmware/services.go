package firmware

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
	"github.com/vesalius-project/vesalius/internal/setting/daemon"
)

// services states what is started or can be, as far as it is a service: a daemon that is
// known, or a program that stays. The steps of the start chain are its places.
var services = inspector{
	name:  "services",
	kinds: []fact.Kind{fact.KindService},
	look:  lookServices,
}

func lookServices(r *Root) {
	if !r.runs() {
		return
	}
	c := r.chain()
	switch {
	case len(c.inits) == 0 && r.Role != "initramfs" && !strings.HasPrefix(r.Role, "chroot:"):
		r.Blind(fact.KindService, "partial", "how this system starts was not recognised")
	case c.steps < 0:
		r.Blind(fact.KindService, "partial", "its start scripts run more commands than are followed")
	}
	var list []*fact.Service
	known := map[string]*fact.Service{}
	service := make([]bool, len(c.launches))
	// Scripts are judged after what they run: a wrapper is no service of its own.
	for i, l := range c.launches {
		service[i] = !l.script && isService(r, l)
	}
	for i, l := range c.launches {
		if l.script && l.stays {
			service[i] = !c.wraps(i, service)
		}
	}
	for i, l := range c.launches {
		if !service[i] {
			continue
		}
		s := r.service(l)
		key := strings.Join(append([]string{s.Name, s.Program}, s.Arguments...), "\x00")
		if old, ok := known[key]; ok {
			merge(old, s)
			continue
		}
		known[key] = s
		list = append(list, s)
	}
	// What is never started says nothing where the same program is.
	for _, s := range list {
		if s.Start.Or("") == "never" && slices.ContainsFunc(list, func(o *fact.Service) bool {
			return o != s && o.Program == s.Program && o.Start.Or("") != "never" && o.Product == s.Product && s.Program != ""
		}) {
			continue
		}
		r.Add(s)
	}
}

// wraps reports whether the script of a launch runs a service that has its steps: the
// service is what stays then.
func (c *startChain) wraps(at int, service []bool) bool {
	l := c.launches[at]
	for i := at + 1; i < len(c.launches); i++ {
		in := c.launches[i]
		if len(in.places) <= len(l.places) || !samePlaces(in.places[:len(l.places)], l.places) {
			return false
		}
		if service[i] {
			return true
		}
	}
	return false
}

func samePlaces(a, b []fact.Place) bool {
	return slices.EqualFunc(a, b, func(x, y fact.Place) bool { return x.Path == y.Path && x.Line == y.Line })
}

// merge adds what a second start of the same service says.
func merge(a, b *fact.Service) {
	// A unit that is started by itself has the sockets of its socket unit all the same.
	for _, s := range [][2]*fact.Service{{a, b}, {b, a}} {
		if to, from := s[0], s[1]; !to.Port.Stated() && from.Port.Stated() {
			to.Port, to.Listens, to.Bind, to.Reachable, to.Transport, to.Protocol = from.Port, from.Listens, from.Bind, from.Reachable, from.Transport, from.Protocol
		}
	}
	if ranks[b.Start.Or("")] > ranks[a.Start.Or("")] {
		places := b.Places
		b.Places = append(b.Places, a.Places...)
		*a = *b
		a.Places = places
		return
	}
	if ranks[b.Start.Or("")] == ranks[a.Start.Or("")] && len(a.Places) < 40 {
		for _, p := range b.Places {
			if !slices.ContainsFunc(a.Places, func(q fact.Place) bool { return q.String() == p.String() }) {
				a.Places = append(a.Places, p)
			}
		}
		if a.Condition != "" && b.Condition != "" && a.Condition != b.Condition && !strings.Contains(a.Condition, b.Condition) && len(a.Condition) < 200 {
			a.Condition += "; or " + b.Condition
		}
	}
}

// isService reports whether a launch is a service.
func isService(r *Root, l *launch) bool {
	name := path.Base(l.words[0])
	if strings.ContainsAny(name, "$`*") || name == "." || name == "/" {
		return false
	}
	if _, ok := kindOf(l.words); ok || describedBy(name) != nil && !passing[name] {
		return !asks(name, l.words[1:]) && (l.program != nil || path.IsAbs(l.words[0]) || !isWord(r, name))
	}
	if netcat(name, l.words[1:]) {
		return true
	}
	if passing[name] || l.program == nil && !path.IsAbs(l.words[0]) {
		return false
	}
	if l.program == nil {
		return l.stays || len(l.wrapper) > 0 && l.background // it lies on another partition, or not in the image at all
	}
	if interpreter(name) {
		return (l.stays || l.background) && r.program(l) != l.program
	}
	multi := path.Base(l.program.Path) == "busybox" || path.Base(l.program.Path) == "toybox" || path.Base(l.program.Path) == "coreutils"
	if multi {
		return false // an applet that is no daemon
	}
	return l.stays || l.background || l.accepts() && l.start != "never" && !client[name] && !l.ofUnit()
}

// ofUnit reports whether a unit of systemd runs the command itself: what it does not keep
// has ended.
func (l *launch) ofUnit() bool {
	return len(l.places) > 0 && isUnit(path.Base(l.places[len(l.places)-1].Path)) || len(l.places) > 0 && strings.HasSuffix(l.places[len(l.places)-1].Path, ".conf")
}

// isWord reports whether a name is a word of the script rather than a program: a function
// that was not read.
func isWord(r *Root, name string) bool {
	_, f := r.find(name, "")
	return f == nil && (name == "master" || name == "X" || name == "cron")
}

// accepts reports whether the program's code accepts connections.
func (l *launch) accepts() bool {
	return l.program != nil && l.program.Trace != nil && l.program.Trace.Binary != nil && l.program.Trace.Binary.Shape.Network.Or(false)
}

// client are programs that have code to accept connections and do not stay.
var client = words(`nc netcat ncat socat bash perl gdb rpcinfo showmount nfsstat exportfs smbclient smbpasswd pdbedit net nmblookup mysqladmin mysql mariadb psql redis-cli mongo sqlite3
	dhcp6c snmpget snmpwalk snmpset mosquitto_pub mosquitto_sub avahi-browse avahi-publish iperf3 bluetoothctl amixer cupsctl lpadmin ntpq ntpdc chronyc pppoe-discovery sdptool hcitool nginx-debug xauth xinit startx`)

// asks reports whether arguments make a daemon answer and end.
func asks(name string, args []string) bool {
	for _, a := range args {
		switch a {
		case "--version", "--help", "-version", "--test", "--configtest", "--check", "reload", "stop", "status", "configtest", "-?", `-\?`:
			return true
		}
	}
	has := func(w string) bool { return slices.Contains(args, w) }
	switch name {
	case "sshd":
		return has("-t") || has("-T")
	case "lighttpd":
		return has("-t") || has("-tt")
	case "nginx":
		return has("-t") || has("-s") || has("-T")
	case "apache2", "httpd":
		return has("-t") || has("-k") && (has("stop") || has("graceful") || has("restart"))
	case "ntpd":
		return has("-q")
	case "named":
		return has("-v")
	case "dropbear":
		return has("-h")
	case "dhclient", "udhcpc", "dhcpcd":
		return has("-r") || has("-k") || has("-x")
	case "hostapd", "dnsmasq", "rauc", "mender", "swupdate", "fwupd", "monit", "mdadm", "rpcd":
		return name == "dnsmasq" && has("--test") || name == "rauc" && !has("service") || name == "mender" && !has("daemon") && !has("-daemon") ||
			name == "mdadm" && !has("--monitor") && !has("-F")
	}
	return false
}

// netcat reports whether words of nc or socat listen.
func netcat(name string, args []string) bool {
	switch name {
	case "nc", "netcat", "ncat":
		return slices.ContainsFunc(args, func(a string) bool {
			return a == "--listen" || strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "l")
		})
	case "socat":
		return slices.ContainsFunc(args, func(a string) bool { return strings.Contains(strings.ToUpper(a), "-LISTEN:") })
	}
	return false
}

// program returns what is really run: for an interpreter its text.
func (r *Root) program(l *launch) *File {
	if !interpreter(path.Base(l.words[0])) {
		return l.program
	}
	for i, a := range l.words[1:] {
		if strings.HasPrefix(a, "-") {
			if (a == "-jar" || a == "-f") && i+2 < len(l.words) {
				continue
			}
			if a == "-m" || a == "-c" || a == "-e" {
				break
			}
			continue
		}
		if _, f := r.find(a, l.dir); f != nil && strings.Contains(a, "/") {
			return f
		}
		if l.dir != "" {
			if f := r.Lookup(path.Join(l.dir, a)); f != nil && f.Regular() {
				return f
			}
		}
		break
	}
	return l.program
}

// service states one launch.
func (r *Root) service(l *launch) *fact.Service {
	words, kind, listens := l.words, daemonKind{}, ""
	invoked := path.Base(words[0])
	if invoked == "tcpsvd" || invoked == "udpsvd" {
		if w, on := svd(words); w != nil {
			words, listens = w, on
			invoked = path.Base(w[0])
		}
	}
	kind, knownDaemon := kindOf(words)
	described := describedBy(invoked)
	s := &fact.Service{Name: invoked, Condition: l.condition, Started: l.started, Start: fact.Say(l.start), User: l.user, Confined: l.confined}
	s.Places = slices.Clone(l.places)
	if knownDaemon {
		s.Product, s.Protocol, s.Transport = kind.product, kind.protocol, kind.transport
	}
	if described != nil {
		// Its settings will say where it listens, and how.
		s.Product = described.Subject
		if len(described.Services) > 0 {
			s.Protocol, s.Transport = "", ""
		}
	}
	if p := r.program(&launch{words: words, program: l.program, dir: l.dir}); p != nil {
		s.Program = p.Path
		if p != l.program {
			s.Name = path.Base(p.Path)
		}
	} else if path.IsAbs(words[0]) {
		s.Program = words[0]
	}
	if l.name != "" && !strings.HasPrefix(l.started, "init") {
		s.Name = l.name
	}
	s.Arguments = maskArguments(words[1:])
	if u := userArgument(invoked, words); u != "" {
		s.User = fact.Say(u)
	} else if drops[kind.product] && l.user.Or("") == "root" {
		s.User = fact.Opt[string]{} // its settings say which user it changes to
	}
	if u, ok := s.User.Value(); ok {
		s.AsRoot = fact.Say(u == "root" || u == "0")
	}
	if !l.confined.Stated() && l.start != "never" {
		s.Confined = r.confinedByPolicy(s.Program)
	}
	r.listens(s, l, kind, knownDaemon, listens, words)
	if described != nil && len(described.Services) > 0 {
		if s.Port.Stated() {
			s.Protocol = described.Protocol
		}
		return s
	}
	if kind.shell && knownDaemon || gives(words) {
		s.Shell = fact.Say(true)
	}
	if enc, ok := carriesEncrypted(s.Protocol); ok {
		s.Encrypted = fact.Say(enc)
	}
	if asksNothing(kind, words) {
		s.Authenticated = fact.Say(false)
	}
	return s
}

// drops are daemons that give up root when they have started, unless their settings say
// otherwise.
var drops = words(`nginx apache mosquitto dnsmasq avahi chronyd unbound rpcbind dbus-daemon dbus-broker-launch redis mysql postgresql memcached tftpd
	openvpn squid tinyproxy privoxy haproxy polkitd php-fpm stunnel proftpd exim postfix dovecot`)

// userArgument returns the user that a daemon is told to change to.
func userArgument(name string, words []string) string {
	switch name {
	case "dnsmasq", "ntpd", "chronyd", "named", "snmpd", "memcached", "mysqld", "mariadbd", "in.tftpd", "tftpd", "thttpd", "mini_httpd", "httpd", "unbound", "openntpd", "lldpd", "rpcbind", "udhcpd":
	default:
		return ""
	}
	for i, w := range words[1:] {
		v, joined := strings.CutPrefix(w, "--user=")
		if !joined {
			if v = ""; (w == "-u" || w == "--user") && i+2 < len(words) {
				v = words[i+2]
			}
		}
		if v, _, _ = strings.Cut(v, ":"); v != "" {
			return v
		}
	}
	return ""
}

// describedBy returns the description of the settings of a program, or nil.
func describedBy(invoked string) *daemon.Daemon {
	all, err := daemons()
	if err != nil {
		return nil
	}
	return daemon.ByProgram(all, invoked)
}

// svd takes apart: tcpsvd [options] ADDRESS PORT PROGRAM ...
func svd(words []string) (program []string, on string) {
	rest := afterOptions(words[1:], "-c -C -b -u -l -t -h")
	if len(rest) < 3 {
		return nil, ""
	}
	return rest[2:], rest[0] + " " + rest[1]
}

// gives reports whether words make a program hand out a shell.
func gives(words []string) bool {
	for i, w := range words {
		if (w == "-e" || w == "-c" || w == "-l" || w == "--exec" || w == "--sh-exec") && i+1 < len(words) && shells[path.Base(words[i+1])] {
			return true
		}
		if u := strings.ToLower(w); strings.HasPrefix(u, "exec:") || strings.HasPrefix(u, "system:") {
			return true
		}
	}
	return false
}

// listens states where a service listens, as far as the way it is started says it.
func (r *Root) listens(s *fact.Service, l *launch, kind daemonKind, known bool, on string, words []string) {
	settled := false
	if d := describedBy(path.Base(words[0])); d != nil {
		settled = len(d.Services) > 0
	}
	switch {
	case settled:
	case known && kind.protocol != "":
		s.Listens = fact.Say(true)
		if kind.port > 0 {
			s.Port = fact.Say(kind.port)
		}
	case known:
		return
	}
	bind, port, transport := "", 0, ""
	switch {
	case on != "":
		w := strings.Fields(on)
		bind = w[0]
		port, _ = portNumber(r, w[1], "tcp")
		if transport = "tcp"; path.Base(l.words[0]) == "udpsvd" {
			transport = "udp"
		}
	case len(l.sockets) > 0:
		bind, port, transport = socketAddress(r, l.sockets)
		if port == 0 && transport == "unix" && kind.transport != "" {
			return // its own port is not what it is handed
		}
	case settled || known && !ownArguments[kind.product]:
		// Its settings say it.
	default:
		bind, port, transport = addressArguments(words, known || l.accepts() || l.program == nil || interpreter(path.Base(l.words[0])))
	}
	if port > 0 {
		s.Port, s.Listens = fact.Say(port), fact.Say(true)
	}
	if transport != "" {
		s.Transport, s.Listens = transport, fact.Say(true)
	}
	if bind != "" {
		s.Bind = bind
		s.Reachable = fact.Say(!loopback(bind))
	}
	if settled && port == 0 && transport == "" {
		return
	}
	if s.Transport == "unix" {
		s.Reachable = fact.Say(false)
	}
	if !s.Listens.Stated() && l.accepts() {
		if own, ok := r.maker(l.program, l.start == "boot", known); ok && own {
			s.Listens = fact.Say(true)
		}
	}
	if s.Transport == "" && s.Port.Stated() {
		s.Transport = "tcp"
	}
}

// ownArguments are daemons whose port stands on the command line in the usual way.
var ownArguments = words("telnetd sshd dropbear gdbserver adbd httpd framebuffer-vncserver iperf ttyd storescp dcmrecv wlmscpfs dcmqrscp")

// loopback reports whether an address is the machine's own.
func loopback(a string) bool {
	a = strings.Trim(a, "[]")
	return strings.HasPrefix(a, "127.") || a == "::1" || a == "localhost"
}

// socketAddress reads what systemd, inetd or xinetd listen on for a service.
func socketAddress(r *Root, sockets []string) (bind string, port int, transport string) {
	for _, s := range sockets {
		w := strings.Fields(s)
		if len(w) < 2 {
			continue
		}
		t := "tcp"
		if w[0] == "ListenDatagram" || strings.HasPrefix(w[0], "udp") || w[0] == "dgram" {
			t = "udp"
		}
		switch a := w[1]; {
		case strings.HasPrefix(a, "/") || strings.HasPrefix(a, "@") || w[0] == "ListenSequentialPacket":
			if transport == "" {
				transport = "unix"
			}
		default:
			host, p := splitAddress(a)
			if n, ok := portNumber(r, p, t); ok {
				bind, port, transport = host, n, t
				if len(w) > 2 {
					bind = w[2]
				}
				return
			}
		}
	}
	return
}

// splitAddress splits address:port; a bare word is a port.
func splitAddress(a string) (host, port string) {
	if i := strings.LastIndexByte(a, ':'); i >= 0 {
		return strings.Trim(a[:i], "[]"), a[i+1:]
	}
	return "", a
}

var ipv4 = search.Lazy(`^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$`)

func isAddress(s string) bool {
	s = strings.Trim(s, "[]")
	return ipv4.MatchString(s) || s == "localhost" || s == "*" || strings.Count(s, ":") > 1
}

// addressArguments reads the usual options for a port and an address of programs of which
// nothing else is known. sure says that the program listens, so that a bare -p is a port.
func addressArguments(words []string, sure bool) (bind string, port int, transport string) {
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 65535 {
			return 0
		}
		return n
	}
	for i, w := range words[1:] {
		name, value, joined := strings.Cut(w, "=")
		if !joined && i+2 < len(words) {
			value = words[i+2]
		}
		switch name {
		case "--port", "--listen-port", "--http-port", "--tcp-port", "-port", "-rfbport", "--server.port":
			port = number(value)
		case "-p":
			if host, p := splitAddress(value); sure && number(p) > 0 {
				port = number(p)
				if host != "" {
					bind = host
				}
			}
		case "--listen", "--bind", "--address", "--host", "--listen-address", "--bind-address", "--addr", "-b", "-a", "-l", "-listen", "-bind":
			host, p := splitAddress(value)
			switch {
			case !sure && len(name) == 2:
			case isAddress(value):
				bind = value
			case isAddress(host) && number(p) > 0:
				bind, port = host, number(p)
			case host == "" && len(name) > 2 && number(p) > 0:
				port = number(p)
			}
		default:
			if strings.HasPrefix(w, "-p") && len(w) > 3 && sure && number(w[2:]) > 0 {
				port = number(w[2:])
			}
			if up := strings.ToUpper(w); strings.Contains(up, "-LISTEN:") {
				_, rest, _ := strings.Cut(up, "-LISTEN:")
				p, _, _ := strings.Cut(rest, ",")
				if port = number(p); strings.HasPrefix(up, "UDP") {
					transport = "udp"
				}
			}
			if host, p := splitAddress(w); strings.Contains(w, ":") && (isAddress(host) || host == "") && number(p) > 0 && sure {
				port = number(p)
				if host != "" {
					bind = host
				}
			}
		}
	}
	if bind == "*" {
		bind = "0.0.0.0"
	}
	if base := path.Base(words[0]); netcat(base, words[1:]) && port == 0 {
		port = number(words[len(words)-1])
	}
	return bind, port, transport
}

// confinedByPolicy reports whether a profile of AppArmor stands for a program; without one,
// and without another policy, nothing confines it.
func (r *Root) confinedByPolicy(program string) fact.Opt[bool] {
	if program == "" || r.Lookup("/etc/selinux/config") != nil || r.Lookup("/etc/smack") != nil {
		return fact.Opt[bool]{}
	}
	profile := "/etc/apparmor.d/" + strings.ReplaceAll(strings.TrimPrefix(program, "/"), "/", ".")
	return fact.Say(r.Lookup(profile) != nil)
}

// secretOptions are options whose value nobody should read in a report.
var secretOptions = search.Lazy(`(?i)(passw|passwd|pwd|secret|token|api-?key|credential|auth-?key|psk|community)`)

// maskArguments masks the secrets of a command line.
func maskArguments(args []string) []string {
	out := make([]string, 0, len(args))
	next := false
	for _, a := range args {
		if len(a) > 300 {
			a = strings.ToValidUTF8(a[:300], "") + "..."
		}
		name, value, joined := strings.Cut(a, "=")
		switch {
		case next && !strings.HasPrefix(a, "-"):
			a = maskWord(a)
		case joined && secretOptions.MatchString(name) && value != "" && !strings.HasPrefix(value, "/"):
			a = name + "=" + maskWord(value)
		case strings.Contains(a, "://") && strings.Contains(a, "@"):
			a = maskURL(a)
		}
		next = !joined && strings.HasPrefix(a, "-") && secretOptions.MatchString(a) && !strings.Contains(strings.ToLower(a), "file")
		out = append(out, a)
		if len(out) >= 200 {
			break
		}
	}
	return out
}

// maskWord keeps the first and the last character of a long word.
func maskWord(s string) string {
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, "$") {
		return s // a file, or a variable
	}
	if len(s) < 8 {
		return "***"
	}
	return s[:1] + "***" + s[len(s)-1:]
}

// maskURL masks the password of a URL.
func maskURL(s string) string {
	i := strings.Index(s, "://")
	rest := s[i+3:]
	at := strings.IndexByte(rest, '@')
	if slash := strings.IndexByte(rest, '/'); at < 0 || slash >= 0 && slash < at {
		return s
	}
	user, _, has := strings.Cut(rest[:at], ":")
	if !has {
		return s
	}
	return s[:i+3] + user + ":***" + rest[at:]
}
