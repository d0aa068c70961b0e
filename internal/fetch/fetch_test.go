package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// options are those of a client for servers on loopback that does not wait in earnest.
func options(servers ...*httptest.Server) Options {
	o := Options{
		Loopback: true, Now: func() time.Time { return noon }, Window: time.Second, Header: time.Second, Total: 20 * time.Second,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	for _, s := range servers {
		o.Hosts = append(o.Hosts, strings.TrimPrefix(strings.TrimPrefix(s.URL, "https://"), "http://"))
	}
	return o
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// refused holds that an error is a refusal, and says why in these words.
func refused(t *testing.T, err error, words string) {
	t.Helper()
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want one that wraps %v and says %q", err, ErrRefused, words)
	}
}

func says(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want one that says %q", err, words)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	var got http.Header
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("ETag", `"a"`)
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "1"})
		fmt.Fprint(w, "hello")
	})
	o := options(s)
	o.Agent = "vesalius/1"
	c := client(t, o)
	for range 2 {
		a, err := c.Read(t.Context(), Request{URL: s.URL, Limit: 5, Header: map[string]string{"apiKey": "k"}})
		if err != nil {
			t.Fatal(err)
		}
		if string(a.Data) != "hello" || a.Version.ETag != `"a"` || a.SHA256 != digest256("hello") {
			t.Errorf("answer %+v", a)
		}
		if got.Get("User-Agent") != "vesalius/1" || got.Get("apiKey") != "k" || got.Get("Cookie") != "" {
			t.Errorf("sent %v", got)
		}
	}
}

// TestUnchanged holds that a file that is known is not read again.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"a"` && r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, "new")
	})
	c := client(t, options(s))
	known := Version{ETag: `"a"`, Modified: noon.Format(http.TimeFormat)}
	r := Request{URL: s.URL, Limit: 10, Known: known}
	a, err := c.Read(t.Context(), r)
	if err != nil || !a.Unchanged || a.Version != known {
		t.Errorf("read: %+v, %v", a, err)
	}
	path := filepath.Join(t.TempDir(), "f")
	a, err = c.File(t.Context(), r, path)
	if err != nil || !a.Unchanged {
		t.Errorf("file: %+v, %v", a, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an unchanged file was written")
	}
	// A server that says so unasked has no file for us.
	u := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) })
	if _, err := client(t, options(u)).Read(t.Context(), Request{URL: u.URL, Limit: 10}); err == nil {
		t.Error("304 was taken for an answer though nothing was known")
	}
}

// TestDialsNothingElse holds that no connection is opened to anything but the public
// addresses of the hosts on the list, whoever asks for it.
func TestDialsNothingElse(t *testing.T) {
	t.Parallel()
	names := map[string]string{
		"good.example": "93.184.215.14", "other.example": "93.184.215.15", "self.example": "127.0.0.1", "self6.example": "::1",
		"mapped.example": "::ffff:127.0.0.1", "metadata.example": "169.254.169.254", "azure.example": "168.63.129.16", "aws6.example": "fd00:ec2::254",
		"ali.example": "100.100.100.200", "ten.example": "10.1.2.3", "ula.example": "fd12::1", "link6.example": "fe80::1", "multi.example": "239.1.1.1",
		"multi6.example": "ff02::1", "zero.example": "0.0.0.0", "six.example": "2002:7f00:1::1", "nat.example": "64:ff9b::7f00:1", "doc.example": "2001:db8::1",
		"site.example": "fec0::1", "broadcast.example": "255.255.255.255", "teredo.example": "2001:0:1::1",
	}
	var mu sync.Mutex
	var dialled []string
	o := Options{
		Now: func() time.Time { return noon }, Sleep: func(context.Context, time.Duration) error { return nil },
		Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr(names[host])}, nil
		},
		Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialled = append(dialled, address)
			return nil, errors.New("no network in a test")
		},
	}
	for n := range names {
		if n != "other.example" {
			o.Hosts = append(o.Hosts, n)
		}
	}
	o.Hosts = append(o.Hosts, "127.0.0.1", "10.9.9.9", "[::1]:443")
	c := client(t, o)
	for n := range names {
		_, err := c.Read(t.Context(), Request{URL: "https://" + n + "/", Limit: 1})
		if n == "good.example" {
			if errors.Is(err, ErrRefused) || err == nil {
				t.Errorf("%s: %v, want that it is dialled", n, err)
			}
			continue
		}
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s at %s: %v, want a refusal", n, names[n], err)
		}
	}
	for _, u := range []string{"https://127.0.0.1/", "https://10.9.9.9/", "https://[::1]/", "http://good.example/", "https://good.example:8443/", "https://user:word@good.example/", "file:///etc/passwd", "https://other.example/", "ftp://good.example/", "//good.example", ""} {
		if _, err := c.Read(t.Context(), Request{URL: u, Limit: 1}); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v, want a refusal", u, err)
		}
	}
	for _, a := range dialled {
		if a != "93.184.215.14:443" {
			t.Errorf("dialled %s", a)
		}
	}
	if len(dialled) == 0 {
		t.Error("nothing was dialled at all")
	}
}

// TestPrivateMirror holds that a named mirror may be inside, and nothing else with it.
func TestPrivateMirror(t *testing.T) {
	t.Parallel()
	c := client(t, Options{Now: func() time.Time { return noon }})
	for _, test := range []struct {
		addr    string
		private bool
		want    bool
	}{
		{"10.0.0.5", true, true}, {"fd12::5", true, true}, {"10.0.0.5", false, false}, {"127.0.0.1", true, false}, {"169.254.169.254", true, false},
		{"fd00:ec2::254", true, false}, {"64:ff9b::a00:5", true, true}, {"64:ff9b::a00:5", false, false}, {"93.184.215.14", false, true}, {"2606:2800:21f:cb07::1", false, true},
		{"fe80::1%eth0", true, false},
	} {
		if why := c.forbidden(netip.MustParseAddr(test.addr), test.private); (why == "") != test.want {
			t.Errorf("%s, private %v: %q", test.addr, test.private, why)
		}
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var key, referer string
	second := serve(t, func(w http.ResponseWriter, r *http.Request) {
		key, referer = r.Header.Get("apiKey"), r.Header.Get("Referer")
		fmt.Fprint(w, "there")
	})
	var outside atomic.Int32
	other := serve(t, func(w http.ResponseWriter, r *http.Request) { outside.Add(1) })
	var first *httptest.Server
	first = serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := map[string]string{
			"/second": second.URL, "/other": other.URL, "/loop": first.URL + "/loop", "/metadata": "http://169.254.169.254/latest/meta-data/",
			"/self": "http://127.0.0.1:1/", "/file": "file:///etc/passwd", "/plain": "http://good.example/", "/user": "http://a:b@" + second.Listener.Addr().String() + "/",
		}[r.URL.Path]
		http.Redirect(w, r, to, http.StatusFound)
	})
	c := client(t, options(first, second))
	a, err := c.Read(t.Context(), Request{URL: first.URL + "/second", Limit: 10, Header: map[string]string{"apiKey": "secret"}})
	if err != nil || string(a.Data) != "there" {
		t.Errorf("redirect inside the list: %+v, %v", a, err)
	}
	if key != "" || referer != "" {
		t.Errorf("the other host was told the key %q, and whence %q", key, referer)
	}
	for path, words := range map[string]string{
		"/other": "not on the list", "/loop": "more than 5 redirects", "/metadata": "only https", "/self": "not on the list",
		"/file": "only https", "/plain": "only https", "/user": "name and password",
	} {
		_, err := c.Read(t.Context(), Request{URL: first.URL + path, Limit: 10})
		refused(t, err, words)
	}
	if outside.Load() > 0 {
		t.Error("a server outside of the list was asked")
	}
}

func digest256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func digest512(s string) string {
	sum := sha512.Sum512([]byte(s))
	return hex.EncodeToString(sum[:])
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// TestHostile holds that no answer of a server makes the client read without end, wait
// without end, or take what is not whole.
func TestHostile(t *testing.T) {
	t.Parallel()
	bomb, small := zipped(make([]byte, 200<<10)), zipped([]byte(strings.Repeat("0123456789", 50)))
	raw := func(text string, wait time.Duration) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, b, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			for _, c := range []byte(text) {
				if _, err := b.Write([]byte{c}); err != nil || wait > 0 && b.Flush() != nil {
					return
				}
				if wait > 0 {
					time.Sleep(wait)
				}
			}
			_ = b.Flush()
		}
	}
	for _, test := range []struct {
		name, want string
		handler    http.HandlerFunc
	}{
		{"endless body", "larger than the 1000 bytes", func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}},
		{"declared too large", "5000 bytes are declared", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "5000") }},
		{"gzip bomb", "larger than the 1000 bytes", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		}},
		{"half of gzip", "ends before", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(small[:len(small)-12])
		}},
		{"no gzip at all", "gzip: invalid header", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("this is no gzip stream"))
		}},
		{"unasked coding", `coded as "br"`, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Encoding", "br") }},
		{"truncated", "ends before its declared length", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", 0)},
		{"truncated chunk", "ends before", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort", 0)},
		{"negative length", "bad Content-Length", raw("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", 0)},
		{"two lengths", "Content-Length", raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 0)},
		{"no http", "malformed HTTP", raw("SSH-2.0-OpenSSH\r\n\r\n", 0)},
		{"endless headers", "headers exceeded", raw("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("a", 200<<10)+"\r\n\r\n", 0)},
		{"slow headers", "timeout awaiting response headers", raw("HTTP/1.1 200 OK\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n", 10*time.Millisecond)},
		{"no answer", "EOF", raw("", 0)},
		{"slow drip", "sends too slowly: less than 100 bytes in 200ms", raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+strings.Repeat("a", 500), 4*time.Millisecond)},
		{"other digest", "its SHA-256 is", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "other") }},
		{"gone", "answer 410 gone", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusGone) }},
		{"waits too long", "asks to wait 1h0m0s", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", noon.Add(time.Hour).Format(http.TimeFormat))
			w.WriteHeader(http.StatusServiceUnavailable)
		}},
		{"always busy", "answer 429 too many requests (tried 2 times)", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.handler)
			o := options(s)
			o.Tries, o.Window, o.Least, o.Header = 2, 200*time.Millisecond, 100, 300*time.Millisecond
			if test.name == "slow drip" {
				o.Header = 5 * time.Second
			}
			_, err := client(t, o).Read(t.Context(), Request{URL: s.URL, Limit: 1000, SHA256: digest256("wanted")})
			says(t, err, test.want)
			path := filepath.Join(t.TempDir(), "f")
			if strings.Contains(test.name, "gzip") {
				return // a file is kept as it is sent; its reader decompresses it, within a limit
			}
			_, err = client(t, o).File(t.Context(), Request{URL: s.URL, Limit: 1000, SHA256: digest256("wanted")}, path)
			says(t, err, test.want)
			if _, err := os.Stat(path); err == nil {
				t.Error("a file that is not whole has its name")
			}
		})
	}
}

// TestTotal holds that a server which always brings just enough does not go on for ever.
func TestTotal(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 100)); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	o := options(s)
	o.Total, o.Least = 300*time.Millisecond, 1
	_, err := client(t, o).Read(t.Context(), Request{URL: s.URL, Limit: 1 << 40})
	says(t, err, "not finished within 300ms")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "safe") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the client that does not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	o := options(s)
	_, err := client(t, o).Read(t.Context(), Request{URL: s.URL, Limit: 10})
	says(t, err, "certificate signed by unknown authority")
	o.Roots = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	a, err := client(t, o).Read(t.Context(), Request{URL: s.URL, Limit: 10})
	if err != nil || string(a.Data) != "safe" {
		t.Errorf("with its authority: %+v, %v", a, err)
	}
	plain := serve(t, func(w http.ResponseWriter, r *http.Request) {})
	_, err = client(t, options(plain)).Read(t.Context(), Request{URL: strings.Replace(plain.URL, "http:", "https:", 1), Limit: 10})
	says(t, err, "HTTP response to HTTPS client")
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { garbage.Close() })
	go func() {
		for {
			conn, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(bytes.Repeat([]byte{0xa5}, 1000))
			conn.Close()
		}
	}()
	o.Hosts = []string{garbage.Addr().String()}
	_, err = client(t, o).Read(t.Context(), Request{URL: "https://" + garbage.Addr().String(), Limit: 10})
	if err == nil {
		t.Error("garbage instead of TLS was taken")
	}
	o.Roots = []byte("no PEM")
	_, err = New(o)
	says(t, err, "no certificate")
}

// TestWaits holds how long the client waits from try to try, and that a seed repeats it.
func TestWaits(t *testing.T) {
	t.Parallel()
	waits := func(seed uint64, header string, busy int) []time.Duration {
		n := 0
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; n < 4 {
				if header != "" {
					w.Header().Set("Retry-After", header)
				}
				w.WriteHeader(busy)
				return
			}
			fmt.Fprint(w, "at last")
		})
		o := options(s)
		var list []time.Duration
		o.Seed, o.Backoff = seed, time.Second
		o.Sleep = func(_ context.Context, d time.Duration) error { list = append(list, d); return nil }
		if _, err := client(t, o).Read(t.Context(), Request{URL: s.URL, Limit: 100, Busy: []int{403}}); err != nil {
			t.Error(err)
		}
		return list
	}
	one := waits(1, "", 503)
	if again := waits(1, "", 403); fmt.Sprint(one) != fmt.Sprint(again) {
		t.Errorf("one seed, two rhythms: %v and %v", one, again)
	}
	if other := waits(2, "", 503); fmt.Sprint(one) == fmt.Sprint(other) {
		t.Errorf("two seeds, one rhythm: %v", other)
	}
	for i, d := range one {
		if base := time.Second << i; d < base/2 || d >= base+base/2 {
			t.Errorf("wait %d is %v, want it about %v", i, d, base)
		}
	}
	for _, header := range []string{"17", noon.Add(17 * time.Second).Format(http.TimeFormat)} {
		for _, d := range waits(1, header, 429) {
			if d != 17*time.Second {
				t.Errorf("Retry-After %s: waited %v", header, d)
			}
		}
	}
}

// TestSpacing holds that requests are kept apart.
func TestSpacing(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "x") })
	o := options(s)
	now := noon
	var slept []time.Duration
	o.Spacing, o.Now = 6*time.Second, func() time.Time { return now }
	o.Sleep = func(_ context.Context, d time.Duration) error { slept = append(slept, d); now = now.Add(d); return nil }
	c := client(t, o)
	for i := range 3 {
		if _, err := c.Read(t.Context(), Request{URL: s.URL, Limit: 1}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Duration(i) * 4 * time.Second)
	}
	if want := "[6s 2s]"; fmt.Sprint(slept) != want {
		t.Errorf("waited %v, want %s", slept, want)
	}
}

// breaking serves a file, and breaks off after a number of bytes each time.
type breaking struct {
	mu      sync.Mutex
	data    string
	etag    string
	after   int // 0: never
	ranges  []string
	ignores bool // knows no ranges
}

func (b *breaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ranges = append(b.ranges, r.Header.Get("Range"))
	start := 0
	if s, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !b.ignores && (r.Header.Get("If-Range") == "" || r.Header.Get("If-Range") == b.etag) {
		start, _ = strconv.Atoi(strings.TrimSuffix(s, "-"))
	}
	w.Header().Set("ETag", b.etag)
	if start >= len(b.data) {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b.data)-start))
	if start > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(b.data)-1, len(b.data)))
		w.WriteHeader(http.StatusPartialContent)
	}
	end := len(b.data)
	if b.after > 0 {
		end = min(end, start+b.after)
	}
	_, _ = w.Write([]byte(b.data[start:end]))
}

// TestFileResumes holds that a download goes on where it broke off, in one call and over
// several, and begins anew where the file is another.
func TestFileResumes(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 50)
	b := &breaking{data: text, etag: `"1"`, after: 200}
	s := serve(t, b.ServeHTTP)
	path := filepath.Join(t.TempDir(), "feed.json")
	r := Request{URL: s.URL, Limit: 1000, SHA512: digest512(text)}
	o := options(s)
	a, err := client(t, o).File(t.Context(), r, path)
	if err != nil || a.Size != 500 || a.Resumed != 400 || a.SHA256 != digest256(text) || a.Version.ETag != `"1"` {
		t.Errorf("%+v, %v", a, err)
	}
	if want := "[ bytes=200- bytes=400-]"; fmt.Sprint(b.ranges) != want {
		t.Errorf("asked for %v, want %s", b.ranges, want)
	}
	left, err := filepath.Glob(path + ".*")
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}

	b.ranges, o.Tries = nil, 1
	other := path + "2"
	if _, err := client(t, o).File(t.Context(), r, other); err == nil {
		t.Fatal("broke off, and no error")
	}
	text = strings.Repeat("abcdefghij", 50)
	b.data, b.etag, b.after = text, `"2"`, 0
	r.SHA512 = digest512(text)
	if _, err := client(t, o).File(t.Context(), r, other); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(other); err != nil || string(got) != text {
		t.Errorf("two files were mixed: %q, %v", got, err)
	}
	if want := "[ bytes=200-]"; fmt.Sprint(b.ranges) != want {
		t.Errorf("asked for %v, want %s", b.ranges, want)
	}
}

// TestFileCarriesOn holds what becomes of beginnings that cannot be gone on with.
func TestFileCarriesOn(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	for _, test := range []struct {
		name       string
		part, note string
		ignores    bool
		etag       string
		sum        string
		want       string // ranges asked for
	}{
		{"complete but for its name", text, `{"url":"URL","version":{"etag":"\"1\""},"total":10}`, false, `"1"`, "", "[bytes=10-]"},
		{"of another address", "01234", `{"url":"https://other.example/","version":{"etag":"\"1\""},"total":10}`, false, `"1"`, "", "[]"},
		{"no note", "01234", "", false, `"1"`, "", "[]"},
		{"half a note", "01234", `{"url":"UR`, false, `"1"`, "", "[]"},
		{"no validator", "01234", `{"url":"URL","version":{},"total":10}`, false, "", "", "[]"},
		{"weak validator", "01234", `{"url":"URL","version":{"etag":"W/\"1\""},"total":10}`, false, `W/"1"`, "", "[]"},
		{"no validator but a digest", "01234", `{"url":"URL","version":{},"total":10}`, false, "", digest256(text), "[bytes=5-]"},
		{"other bytes, and a digest", "abcde", `{"url":"URL","version":{},"total":10}`, false, "", digest256(text), "[bytes=5- ]"},
		{"longer than the file", text + "x", `{"url":"URL","version":{"etag":"\"1\""},"total":-1}`, false, `"1"`, "", "[bytes=11- ]"},
		{"server without ranges", "01234", `{"url":"URL","version":{"etag":"\"1\""},"total":10}`, true, `"1"`, "", "[bytes=5-]"},
		{"another length", "01234", `{"url":"URL","version":{"etag":"\"1\""},"total":11}`, false, `"1"`, "", "[bytes=5- ]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := &breaking{data: text, etag: test.etag, ignores: test.ignores}
			s := serve(t, b.ServeHTTP)
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path+".part", []byte(test.part), 0o600); err != nil {
				t.Fatal(err)
			}
			if test.note != "" {
				if err := os.WriteFile(path+".part.json", []byte(strings.ReplaceAll(test.note, "URL", s.URL)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			a, err := client(t, options(s)).File(t.Context(), Request{URL: s.URL, Limit: 100, SHA256: test.sum}, path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != text || a.Size != 10 {
				t.Errorf("got %q of %d, %v", got, a.Size, err)
			}
			if got := fmt.Sprint(b.ranges); got != test.want {
				t.Errorf("asked for %q, want %q", got, test.want)
			}
		})
	}
}

// TestProxy holds that all goes through the user's proxy, which may be inside, and that
// the list holds nevertheless.
func TestProxy(t *testing.T) {
	t.Parallel()
	var asked []string
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host)
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, "by proxy")
	})
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Hosts: []string{"good.example"}, Now: func() time.Time { return noon }, Tries: 1,
		Proxy: func(*url.URL) (*url.URL, error) { return u, nil },
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return nil, errors.New("nothing is to be resolved")
		},
	}
	_, err = client(t, o).Read(t.Context(), Request{URL: "https://good.example/feed", Limit: 100})
	says(t, err, "Forbidden")
	_, err = client(t, o).Read(t.Context(), Request{URL: "https://other.example/feed", Limit: 100})
	refused(t, err, "not on the list")
	if want := "[CONNECT good.example:443]"; fmt.Sprint(asked) != want {
		t.Errorf("the proxy was asked %v, want %s", asked, want)
	}
}

// TestInterrupted holds that the caller's end of patience ends it.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	o := options(s)
	o.Sleep, o.Backoff = nil, time.Hour
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	_, err := client(t, o).Read(ctx, Request{URL: s.URL, Limit: 1})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the caller's deadline", err)
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 100-199/200", "bytes 0-0/*", "bytes */200", "", "bytes 5-1/10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		start, total, ok := contentRange(s)
		if ok && (start < 0 || total >= 0 && start >= total) {
			t.Errorf("%q: start %d of %d", s, start, total)
		}
	})
}
