package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// check says whether an address on the web is one that the client may ask.
func (c *Client) check(u *url.URL) error {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && c.o.Loopback && isLoopback(host):
	default:
		return fmt.Errorf("%s: %w: only https is spoken", shown(u), ErrRefused)
	}
	if u.User != nil {
		return fmt.Errorf("%s: %w: a name and password in an address", shown(u), ErrRefused)
	}
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	if !c.hosts[net.JoinHostPort(host, port)] {
		return fmt.Errorf("%s: %w: host %q is not on the list", shown(u), ErrRefused, net.JoinHostPort(host, port))
	}
	return nil
}

// shown is an address without what may be a secret in it.
func shown(u *url.URL) string {
	clean := *u
	clean.User = nil
	return fmt.Sprintf("%q", clean.String())
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// maxRedirects bounds a chain of redirects.
const maxRedirects = 5

// redirect is asked before a redirect is followed.
func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrRefused, maxRedirects)
	}
	if err := c.check(req.URL); err != nil {
		return fmt.Errorf("redirected to %w", err)
	}
	if first := via[0]; req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		for k := range req.Header {
			if !slices.Contains([]string{"User-Agent", "Accept-Encoding", "Range", "If-Range", "If-None-Match", "If-Modified-Since"}, k) {
				req.Header.Del(k) // keys are for the host they were given for
			}
		}
	}
	req.Header.Del("Referer")
	return nil
}

func (c *Client) proxy(req *http.Request) (*url.URL, error) {
	u, err := c.o.Proxy(req.URL)
	if err != nil || u == nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proxies[net.JoinHostPort(u.Hostname(), port)] = true
	return u, nil
}

// dial connects to a host of the list, or to the user's proxy. A name is resolved here and
// the address that was checked is the one that is dialled, so that a name server cannot
// say one thing to the check and another to the connection.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	proxy := c.proxies[address]
	c.mu.Unlock()
	name := net.JoinHostPort(strings.ToLower(host), port)
	if !proxy && !c.hosts[name] {
		return nil, fmt.Errorf("%w: host %q is not on the list", ErrRefused, address)
	}
	addrs, err := c.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range addrs {
		if !proxy {
			if why := c.forbidden(a, c.private[name]); why != "" {
				errs = append(errs, fmt.Errorf("%w: %s has the address %s, which is %s", ErrRefused, host, a, why))
				continue
			}
		}
		conn, err := c.o.Dial(ctx, network, netip.AddrPortFrom(a, portOf(port)).String())
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return nil, errors.Join(errs...)
}

func portOf(s string) uint16 {
	a, err := netip.ParseAddrPort("0.0.0.0:" + s)
	if err != nil {
		return 0
	}
	return a.Port()
}

func (c *Client) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	addrs, err := c.o.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	const most = 8
	out := make([]netip.Addr, 0, most)
	for _, a := range addrs[:min(len(addrs), most)] {
		out = append(out, a.Unmap())
	}
	return out, nil
}

// forbidden says why an address is not one of the public network; empty where it is.
// private lets the networks of an organisation through.
func (c *Client) forbidden(a netip.Addr, private bool) string {
	if a.Zone() != "" {
		return "of one link only"
	}
	if nat64.Contains(a) { // holds an address of version 4
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case a.IsLoopback():
		if c.o.Loopback {
			return ""
		}
		return "this machine's own"
	case a.IsPrivate():
		if private && !metadata.Contains(a) {
			return ""
		}
		return "private"
	}
	if a.Is6() && !public6.Contains(a) {
		return "not public"
	}
	for _, p := range special {
		if p.prefix.Contains(a) {
			return p.why
		}
	}
	return ""
}

type specialPrefix struct {
	prefix netip.Prefix
	why    string
}

var (
	nat64    = netip.MustParsePrefix("64:ff9b::/96")
	public6  = netip.MustParsePrefix("2000::/3")
	metadata = netip.MustParsePrefix("fd00:ec2::/32")
	// special are the networks of the registries of special-purpose addresses (RFC 6890 and
	// its updates), and where clouds keep their metadata outside of them.
	special = []specialPrefix{
		{netip.MustParsePrefix("0.0.0.0/8"), "this network's own"},
		{netip.MustParsePrefix("100.64.0.0/10"), "shared inside a provider's network"},
		{netip.MustParsePrefix("168.63.129.16/32"), "a cloud's metadata service"},
		{netip.MustParsePrefix("169.254.0.0/16"), "of one link only"},
		{netip.MustParsePrefix("192.0.0.0/24"), "kept for protocols"},
		{netip.MustParsePrefix("192.0.2.0/24"), "kept for documentation"},
		{netip.MustParsePrefix("192.88.99.0/24"), "kept for relays"},
		{netip.MustParsePrefix("198.18.0.0/15"), "kept for benchmarks"},
		{netip.MustParsePrefix("198.51.100.0/24"), "kept for documentation"},
		{netip.MustParsePrefix("203.0.113.0/24"), "kept for documentation"},
		{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
		{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
		{netip.MustParsePrefix("2001::/23"), "kept for protocols"},
		{netip.MustParsePrefix("2001:db8::/32"), "kept for documentation"},
		{netip.MustParsePrefix("2002::/16"), "a relay's"},
		{netip.MustParsePrefix("3fff::/20"), "kept for documentation"},
	}
)
