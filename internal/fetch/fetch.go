// Package fetch gets files from a short list of hosts over HTTPS, and is the only HTTP
// client of the program.
//
// A [Client] speaks to no host outside its list, whatever a server, a redirect or a name
// server says, and to no address inside a network that is not the public one. What it
// reads is bounded in bytes and in time. [Client.Read] gets a small document,
// [Client.File] a large file, which is resumed where an earlier try ended.
//
// It sends no cookies, keeps none, and believes no content: who fetches says which digest
// a file must have, where its source publishes one.
package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options says whom a client may speak to, and how long it is patient. Zero values mean
// what is said here.
type Options struct {
	Hosts    []string // the only hosts that are spoken to: "host" on port 443, or "host:port"
	Private  []string // those of Hosts that may have a private address, because a person named them
	Loopback bool     // for tests: loopback addresses are allowed, and http to them
	Roots    []byte   // PEM: certificates that are trusted besides the system's
	Agent    string   // who asks: the User-Agent

	// Proxy gives the proxy for an address, or nil; it is the user's own and may have any
	// address. Names are then resolved by it, so that only they can be checked here.
	Proxy func(*url.URL) (*url.URL, error)

	Tries   int           // of one file; 4
	Backoff time.Duration // the first wait, doubled from try to try; 1 s
	MaxWait time.Duration // the longest wait that a server may ask for; 5 min
	Spacing time.Duration // from one request to the next at least; none
	Header  time.Duration // until the answer's headers are there; 30 s
	Window  time.Duration // in each, Least bytes must arrive; 30 s
	Least   int64         // 8 KiB
	Total   time.Duration // for one file, all tries together; 2 h
	Seed    uint64        // of the spread of waits

	Now     func() time.Time                                                     // required
	Sleep   func(context.Context, time.Duration) error                           // a timer
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)         // the system's resolver
	Dial    func(ctx context.Context, network, address string) (net.Conn, error) // the network; address is one that was allowed
}

// Client fetches. It is safe for use by several goroutines.
type Client struct {
	o       Options
	http    *http.Client
	hosts   map[string]bool // host:port
	private map[string]bool

	mu      sync.Mutex
	proxies map[string]bool // host:port of proxies that were in use
	random  *rand.Rand
	next    time.Time // when the next request may start
}

// ErrRefused is wrapped by the error of what was not asked for, because the rules of the
// client forbid it.
var ErrRefused = errors.New("refused")

// StatusError is the answer of a server that is neither the file nor a reason to wait.
type StatusError struct {
	Code int
	URL  string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: answer %d %s", e.URL, e.Code, strings.ToLower(http.StatusText(e.Code)))
}

// IsMissing says whether an error is a server's answer that there is no such file.
func IsMissing(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && (s.Code == http.StatusNotFound || s.Code == http.StatusGone)
}

// finalError is not worth another try.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func final(format string, args ...any) error { return finalError{fmt.Errorf(format, args...)} }

// waitError is a server's wish to be asked again later.
type waitError struct {
	error
	after time.Duration
}

func (e waitError) Unwrap() error { return e.error }

// New makes a client. It is an error if a host or a certificate cannot be understood.
func New(o Options) (*Client, error) {
	if o.Now == nil {
		return nil, errors.New("fetch: no clock")
	}
	setDefault(&o.Tries, 4)
	setDefault(&o.Backoff, time.Second)
	setDefault(&o.MaxWait, 5*time.Minute)
	setDefault(&o.Header, 30*time.Second)
	setDefault(&o.Window, 30*time.Second)
	setDefault(&o.Least, 8<<10)
	setDefault(&o.Total, 2*time.Hour)
	setDefault(&o.Agent, "vesalius")
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 15 * time.Second}).DialContext
	}
	c := &Client{
		o: o, hosts: map[string]bool{}, private: map[string]bool{}, proxies: map[string]bool{},
		random: rand.New(rand.NewPCG(o.Seed, 0)), //nolint:gosec // spreads waits, keeps no secret
	}
	for _, l := range []struct {
		list []string
		set  map[string]bool
	}{{o.Hosts, c.hosts}, {o.Private, c.private}} {
		for _, h := range l.list {
			host, port, err := net.SplitHostPort(h)
			if err != nil {
				host, port = h, "443"
			}
			if host == "" || strings.ContainsAny(host, "/@ ") {
				return nil, fmt.Errorf("fetch: host %q: want a name, or name:port", h)
			}
			l.set[net.JoinHostPort(strings.ToLower(host), port)] = true
		}
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if len(o.Roots) > 0 && !roots.AppendCertsFromPEM(o.Roots) {
		return nil, errors.New("fetch: no certificate in the PEM of further authorities")
	}
	transport := &http.Transport{
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  o.Header,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // what is asked for is decompressed here, within the limit
		IdleConnTimeout:        30 * time.Second,
		MaxConnsPerHost:        4,
	}
	if o.Proxy != nil {
		transport.Proxy = c.proxy
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.redirect}
	return c, nil
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Request asks for one file.
type Request struct {
	URL      string
	Limit    int64             // the most bytes that are taken, decompressed; required
	Header   map[string]string // sent to the host of URL only, not to where it redirects
	Known    Version           // what is there already: the answer may be that nothing changed
	Busy     []int             // further status codes that mean: later
	SHA256   string            // the digests that the file must have, in hexadecimal digits, where they are known
	SHA512   string
	Progress func(done, total int64) // total is -1 where the server does not say it
}

// Version tells one state of a file from another, as its server does.
type Version struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"` // Last-Modified, as it was sent
}

// Answer is what came back.
type Answer struct {
	Unchanged bool   // it is still the version that was known; nothing was read
	Data      []byte // of Read
	Size      int64
	Resumed   int64  // bytes that were there from an earlier try
	SHA256    string // of the file
	Version   Version
}

// Read gets a document into memory. A compressed transfer is decompressed within the limit.
func (c *Client) Read(ctx context.Context, r Request) (Answer, error) {
	var out Answer
	err := c.retry(ctx, r, func(ctx context.Context) (int64, error) {
		var b bytes.Buffer
		res, err := c.send(ctx, r, map[string]string{"Accept-Encoding": "gzip"}, http.StatusOK)
		if err != nil {
			return 0, err
		}
		defer func() { _ = res.Body.Close() }()
		out = Answer{Version: versionOf(res)}
		if res.StatusCode == http.StatusNotModified {
			out.Version, out.Unchanged = r.Known, true
			return 0, nil
		}
		if _, err := c.body(ctx, r, res, &b, 0, true); err != nil {
			return 0, err
		}
		if out.SHA256, err = verify(bytes.NewReader(b.Bytes()), r); err != nil {
			return 0, fmt.Errorf("%s: %w", r.URL, err)
		}
		out.Data, out.Size = b.Bytes(), int64(b.Len())
		return out.Size, nil
	})
	return out, err
}

// retry tries until it is done or not worth another try. A try returns how many bytes are
// there: one that brought a large file on does not count.
func (c *Client) retry(ctx context.Context, r Request, try func(context.Context) (int64, error)) error {
	if r.Limit <= 0 {
		return fmt.Errorf("%s: no limit given", r.URL)
	}
	ctx, stop := context.WithTimeoutCause(ctx, c.o.Total, fmt.Errorf("not finished within %v", c.o.Total))
	defer stop()
	const onward = 1 << 20
	var reached int64
	for failed := 0; ; {
		if err := c.space(ctx); err != nil {
			return fmt.Errorf("%s: %w", r.URL, err)
		}
		n, err := try(ctx)
		if err == nil {
			return nil
		}
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%s: %w", r.URL, cause)
		}
		if isFinal(err) {
			return err
		}
		if failed++; n >= reached+onward {
			reached, failed = n, 1
		}
		if failed >= c.o.Tries {
			return fmt.Errorf("%w (tried %d times)", err, failed)
		}
		wait := c.backoff(failed)
		var asked waitError
		if errors.As(err, &asked) {
			if asked.after > c.o.MaxWait {
				return fmt.Errorf("%w: asks to wait %v: try again then", err, asked.after)
			}
			wait = max(wait, asked.after)
		}
		if err := c.o.Sleep(ctx, wait); err != nil {
			return fmt.Errorf("%s: %w", r.URL, err)
		}
	}
}

// backoff is how long to wait after so many failed tries: doubled each time, and spread by
// half, so that many machines do not come back at once.
func (c *Client) backoff(failed int) time.Duration {
	d := min(c.o.Backoff<<min(failed-1, 20), c.o.MaxWait)
	c.mu.Lock()
	defer c.mu.Unlock()
	return d/2 + time.Duration(c.random.Int64N(int64(d)))
}

// space keeps requests apart.
func (c *Client) space(ctx context.Context) error {
	if c.o.Spacing == 0 {
		return nil
	}
	c.mu.Lock()
	now := c.o.Now()
	wait := c.next.Sub(now)
	c.next = now.Add(max(wait, 0) + c.o.Spacing)
	c.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	return c.o.Sleep(ctx, wait)
}

// isFinal says whether another try would end as this one did.
func isFinal(err error) bool {
	var fin finalError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case errors.Is(err, ErrRefused), errors.As(err, &fin), errors.As(err, &cert), errors.As(err, &record):
		return true
	case errors.As(err, &dns):
		return dns.IsNotFound
	}
	return false
}

// send sends one request and returns the answer if it has the status that is wanted, or
// is 304 where a version is known. The caller closes its body.
func (c *Client) send(ctx context.Context, r Request, header map[string]string, want ...int) (*http.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, final("%q: not an address: %w", r.URL, err)
	}
	if err := c.check(u); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, http.NoBody)
	if err != nil {
		return nil, finalError{err}
	}
	for _, h := range []map[string]string{r.Header, header} {
		for k, v := range h {
			req.Header.Set(k, v)
		}
	}
	req.Header.Set("User-Agent", c.o.Agent)
	if r.Known.ETag != "" {
		req.Header.Set("If-None-Match", r.Known.ETag)
	}
	if r.Known.Modified != "" {
		req.Header.Set("If-Modified-Since", r.Known.Modified)
	}
	res, err := c.http.Do(req) //nolint:bodyclose // the caller does
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // says the method and the address again
			err = u.Err
		}
		return nil, fmt.Errorf("%s: %w", r.URL, err)
	}
	known := r.Known != Version{}
	if slices.Contains(want, res.StatusCode) || res.StatusCode == http.StatusNotModified && known {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	status := &StatusError{Code: res.StatusCode, URL: r.URL}
	switch res.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil, waitError{status, c.retryAfter(res)}
	}
	if slices.Contains(r.Busy, res.StatusCode) {
		return nil, waitError{status, c.retryAfter(res)}
	}
	return nil, finalError{status}
}

// retryAfter is how long the server asks to wait: seconds, or until a date.
func (c *Client) retryAfter(res *http.Response) time.Duration {
	v := res.Header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<30)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(c.o.Now()))
	}
	return 0
}

func versionOf(res *http.Response) Version {
	v := Version{ETag: res.Header.Get("ETag"), Modified: res.Header.Get("Last-Modified")}
	if len(v.ETag) > 256 || strings.ContainsAny(v.ETag, "\r\n") {
		v.ETag = ""
	}
	if _, err := http.ParseTime(v.Modified); err != nil {
		v.Modified = ""
	}
	return v
}

// errSlow ends a transfer that is kept open without bringing anything.
var errSlow = errors.New("the server sends too slowly")

// body copies the body of an answer, which begins at byte from of the file.
func (c *Client) body(ctx context.Context, r Request, res *http.Response, w io.Writer, from int64, decompress bool) (int64, error) {
	total := res.ContentLength
	if total >= 0 {
		total += from
	}
	if total > r.Limit {
		return from, final("%s: %d bytes are declared, and at most %d are taken", r.URL, total, r.Limit)
	}
	watched := watch(c.o.Window, c.o.Least, func() { _ = res.Body.Close() })
	defer watched.stop()
	var in io.Reader = &watchedReader{res.Body, watched}
	gzipped := false
	switch coding := strings.ToLower(res.Header.Get("Content-Encoding")); {
	case coding == "" || coding == "identity":
	case coding != "gzip" && coding != "x-gzip":
		return from, final("%s: coded as %q, which was not asked for", r.URL, coding)
	case decompress:
		gzipped = true
	}
	if gzipped {
		z, err := gunzip(in)
		if err != nil {
			return from, c.broken(ctx, r, watched, err)
		}
		in, total = z, -1
	}
	buf := make([]byte, 64<<10)
	n := from
	for {
		k, err := in.Read(buf)
		if n+int64(k) > r.Limit {
			return n, final("%s: larger than the %d bytes that are taken", r.URL, r.Limit)
		}
		if _, err := w.Write(buf[:k]); err != nil {
			return n, finalError{err}
		}
		n += int64(k)
		if r.Progress != nil && k > 0 {
			r.Progress(n, total)
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, c.broken(ctx, r, watched, err)
		}
	}
}

func (c *Client) broken(ctx context.Context, r Request, w *watcher, err error) error {
	switch {
	case context.Cause(ctx) != nil:
		err = context.Cause(ctx)
	case w.slow():
		err = fmt.Errorf("%w: less than %d bytes in %v", errSlow, c.o.Least, c.o.Window)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("ends before its declared length")
	}
	return fmt.Errorf("%s: %w", r.URL, err)
}
