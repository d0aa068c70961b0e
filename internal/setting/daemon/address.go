package daemon

import (
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// address is where a service listens. Zero fields are not said.
type address struct {
	transport, bind string
	port            int
}

// number reads a port, which may be a display.
func (o *Offer) number(s string) int {
	if d, ok := strings.CutPrefix(s, ":"); ok && o.Offset > 0 {
		if n, err := strconv.Atoi(d); err == nil && n >= 0 && n < 100 {
			return o.Offset + n
		}
	}
	return number(s)
}

// parse reads the many ways in which configuration files write addresses: 443 ssl,
// 0.0.0.0:443, [::]:443, *:80, unix:/run/x, 1883 127.0.0.1, udp:161, tcp://0.0.0.0:2375,
// 127.0.0.1,::1, tcp:host=localhost,port=1. There is always one, be it empty.
func (o *Offer) parse(s string) []address {
	if n := o.number(s); n > 0 {
		return []address{{port: n}}
	}
	parts := []string{s}
	if !o.Joined && !strings.Contains(s, "=") {
		parts = strings.Split(s, ",")
	}
	var out []address
	for _, part := range parts[:min(len(parts), maxServices)] {
		out = append(out, parseAddress(part)...)
	}
	if len(out) == 0 {
		out = append(out, address{})
	}
	return out
}

// parseAddress reads one address, or several with blanks between them.
func parseAddress(s string) []address {
	var out []address
	var a address
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\"'{};,", r) }) {
		w = scheme(&a, w)
		for _, k := range []string{"host=", "bind=", "port="} {
			w = strings.TrimPrefix(w, k)
		}
		if a.transport == "unix" {
			break
		}
		var b address
		b.word(w)
		if b.bind != "" && a.bind != "" && len(out) < maxServices {
			out = append(out, a)
			a = address{transport: a.transport}
		}
		if b.bind != "" {
			a.bind = b.bind
		}
		if b.port != 0 {
			a.port = b.port
		}
		if b.transport != "" && a == (address{}) {
			a.transport = b.transport
		}
	}
	return append(out, a)
}

// scheme takes what names the transport off the front of a word.
func scheme(a *address, w string) string {
	for _, t := range []string{"tcp", "udp", "tcp6", "udp6", "http", "https", "ssl", "unix", "fd", "pipe", "systemd", "unixexec"} {
		rest, ok := strings.CutPrefix(w, t+":")
		if !ok {
			continue
		}
		switch t {
		case "unix", "fd", "pipe", "systemd", "unixexec":
			a.transport = "unix"
		case "udp", "udp6":
			a.transport = "udp"
		default:
			a.transport = "tcp"
		}
		if strings.HasSuffix(t, "6") && a.bind == "" && number(rest) > 0 {
			a.bind = "::"
		}
		return strings.TrimPrefix(rest, "//")
	}
	return w
}

// word reads one word of an address: a port, an address, or both.
func (a *address) word(w string) {
	if strings.HasPrefix(w, "/") {
		if a.port == 0 && a.bind == "" {
			a.transport = "unix"
		}
		return
	}
	if n := number(w); n > 0 {
		a.port = n
		return
	}
	host, port := w, ""
	if i := strings.LastIndexByte(w, ':'); i >= 0 && (strings.HasPrefix(w, "[") && strings.Contains(w[:i], "]") || strings.Count(w, ":") == 1) {
		host, port = w[:i], w[i+1:]
	}
	host = strings.Trim(host, "[]")
	bind := ""
	switch {
	case host == "*" || host == "" && port != "" || host == "any":
		bind = "0.0.0.0"
	case host == "localhost" || host == "localhost6" || host == "ip6-localhost":
		bind = "127.0.0.1"
	default:
		if ip, err := netip.ParseAddr(host); err == nil {
			bind = ip.String()
		}
	}
	if port != "" {
		if bind == "" {
			return
		}
		a.port = number(port)
	}
	if bind != "" {
		a.bind = bind
	}
}

// number returns a port, or 0.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}

func loopback(bind string) bool {
	ip, err := netip.ParseAddr(bind)
	return err == nil && ip.IsLoopback()
}

func base(p string) string { return path.Base(p) }
