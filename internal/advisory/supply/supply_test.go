package supply_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/supply"
	"github.com/vesalius-project/vesalius/internal/fetch"
)

// TestMain lets the test be the other process that holds a lock.
func TestMain(m *testing.M) {
	if path := os.Getenv("SUPPLY_TEST_LOCK"); path != "" {
		if _, err := supply.Lock(path, "the other"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// world is the network: what is published under which path, and what was asked for.
type world struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string]string
	asked []string
	api   func(w http.ResponseWriter, r *http.Request)
}

func network(t *testing.T) *world {
	t.Helper()
	n := &world{files: map[string]string{}}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if r.URL.Path == "/api" && n.api != nil {
			n.asked = append(n.asked, "api "+r.URL.Query().Get("startIndex"))
			n.api(w, r)
			return
		}
		n.asked = append(n.asked, r.URL.EscapedPath())
		data, ok := n.files[r.URL.EscapedPath()]
		if !ok {
			http.NotFound(w, r)
			return
		}
		sum := sha256.Sum256([]byte(data))
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(data))
	}))
	t.Cleanup(n.Close)
	return n
}

// took gives what was asked for since the last call, sorted.
func (n *world) took() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.asked
	n.asked = nil
	slices.Sort(list)
	return strings.Join(list, " ")
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func (n *world) year(which, text string, modified time.Time) {
	sum := sha256.Sum256([]byte(text))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.files["/nvd/nvdcve-2.0-"+which+".json.gz"] = zipped(text)
	n.files["/nvd/nvdcve-2.0-"+which+".meta"] = fmt.Sprintf("lastModifiedDate:%s\r\nsize:%d\r\nsha256:%s\r\n", modified.Format(time.RFC3339), len(text), strings.ToUpper(hex.EncodeToString(sum[:])))
}

var spring = time.Date(2003, 4, 1, 12, 0, 0, 0, time.UTC)

func (n *world) options(dir string, now time.Time) supply.Options {
	return supply.Options{
		Dir: dir, Now: now,
		From: map[string]string{
			"nvd": n.URL + "/nvd", "nvd-api": n.URL + "/api", "kev": n.URL + "/kev.json", "epss": n.URL + "/epss.csv.gz", "csaf": n.URL + "/csaf/provider-metadata.json",
			"osv": n.URL + "/osv/", "cve": n.URL + "/cve", "openssl": n.URL + "/openssl.zip",
		},
		Fetch: fetch.Options{
			Loopback: true, Now: func() time.Time { return now },
			Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		},
	}
}

func open(t *testing.T, o supply.Options, index string) *supply.Supply {
	t.Helper()
	s, err := supply.New(o, index)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// names gives the files that were got.
func names(g supply.Got) string {
	var list []string
	for _, f := range g.Files {
		list = append(list, filepath.Base(f))
	}
	return strings.Join(list, " ")
}

func holds(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func get(t *testing.T, s *supply.Supply, source advisory.Source) supply.Got {
	t.Helper()
	g, err := s.Get(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func built(t *testing.T, s *supply.Supply, index string, got ...supply.Got) {
	t.Helper()
	if err := s.Built(index, got, false); err != nil {
		t.Fatal(err)
	}
}

// TestNVD holds what is asked of NVD: all at first, then what was modified, from a file,
// from the API, or from the years again, by how long ago the last time was.
func TestNVD(t *testing.T) {
	t.Parallel()
	n := network(t)
	dir := t.TempDir()
	n.year("2002", "old", spring)
	n.year("2003", "new", spring)
	n.year("modified", "today", spring)
	s := open(t, n.options(dir, spring), "")
	g := get(t, s, advisory.NVD)
	all := "nvdcve-2.0-2002.json.gz nvdcve-2.0-2003.json.gz nvdcve-2.0-modified.json.gz"
	holds(t, "first", names(g), all)
	n.took()

	// Killed before the index was built: nothing is got again.
	g = get(t, open(t, n.options(dir, spring), ""), advisory.NVD)
	holds(t, "after a kill", names(g), all)
	if g.Bytes != 0 {
		t.Errorf("%d bytes were got again", g.Bytes)
	}
	built(t, s, "index1", g)
	left, err := filepath.Glob(filepath.Join(dir, "*.gz*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}

	// The next day.
	n.took()
	n.year("modified", "tomorrow", spring.Add(24*time.Hour))
	s = open(t, n.options(dir, spring.Add(25*time.Hour)), "index1")
	g = get(t, s, advisory.NVD)
	holds(t, "next day", names(g), "nvdcve-2.0-modified.json.gz")
	holds(t, "asked the next day", n.took(), "/nvd/nvdcve-2.0-modified.json.gz /nvd/nvdcve-2.0-modified.meta")
	built(t, s, "index2", g)

	// Another index: all of it.
	g = get(t, open(t, n.options(t.TempDir(), spring.Add(25*time.Hour)), "index9"), advisory.NVD)
	holds(t, "for another index", names(g), all)
	n.took()

	// A month later: the API.
	var spans []string
	n.api = func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		spans = append(spans, q.Get("lastModStartDate")+" "+q.Get("lastModEndDate")+" "+q.Get("resultsPerPage")+" "+r.Header.Get("apiKey"))
		fmt.Fprintf(w, `{"resultsPerPage":2000,"startIndex":%s,"totalResults":4001,"format":"NVD_CVE","version":"2.0","vulnerabilities":[]}`, q.Get("startIndex"))
	}
	o := n.options(dir, spring.Add(30*24*time.Hour))
	o.Key = "the-key"
	s = open(t, o, "index2")
	g = get(t, s, advisory.NVD)
	holds(t, "asked after a month", n.took(), "api 0 api 2000 api 4000")
	holds(t, "span", spans[0], "2003-04-02T11:00:00.000Z 2003-05-01T12:00:00.000Z 2000 the-key")
	if len(g.Files) != 3 {
		t.Errorf("pages: %v", g.Files)
	}
	// Killed, and gone on an hour later: the same span, and the pages that are here.
	o.Now = o.Now.Add(time.Hour)
	g = get(t, open(t, o, "index2"), advisory.NVD)
	holds(t, "asked again", n.took(), "")
	if len(g.Files) != 3 {
		t.Errorf("pages: %v", g.Files)
	}
	built(t, s, "index3", g)

	// After longer than the API goes back: the years that changed.
	n.year("2003", "newer", spring)
	s = open(t, n.options(dir, spring.Add(300*24*time.Hour)), "index3")
	g = get(t, s, advisory.NVD) // the file of 2004 has not been made yet, and that is no error
	holds(t, "after a year", names(g), "nvdcve-2.0-2003.json.gz")
}

// TestMirrorWithoutAPI holds that a mirror of files is enough, with descriptions or without.
func TestMirrorWithoutAPI(t *testing.T) {
	t.Parallel()
	n := network(t)
	dir := t.TempDir()
	n.year("2002", "old", spring)
	n.year("2003", "new", spring)
	n.year("modified", "today", spring)
	for _, y := range []string{"2002", "2003", "modified"} {
		delete(n.files, "/nvd/nvdcve-2.0-"+y+".meta")
	}
	o := n.options(dir, spring)
	delete(o.From, "nvd-api")
	s := open(t, o, "")
	g := get(t, s, advisory.NVD)
	holds(t, "first", names(g), "nvdcve-2.0-2002.json.gz nvdcve-2.0-2003.json.gz nvdcve-2.0-modified.json.gz")
	built(t, s, "a", g)
	o.Now = spring.Add(30 * 24 * time.Hour)
	n.year("2003", "newer", spring)
	delete(n.files, "/nvd/nvdcve-2.0-2003.meta")
	holds(t, "after a month", names(get(t, open(t, o, "a"), advisory.NVD)), "nvdcve-2.0-2003.json.gz")
}

// TestWrongDigest holds that a file is not taken that is not what its description says,
// and that only it is asked for again.
func TestWrongDigest(t *testing.T) {
	t.Parallel()
	n := network(t)
	dir := t.TempDir()
	n.year("2002", "old", spring)
	n.year("2003", "new", spring)
	n.year("modified", "today", spring)
	good := n.files["/nvd/nvdcve-2.0-2002.json.gz"]
	for what, bad := range map[string]string{"another content": zipped("evil"), "half of it": good[:len(good)-3], "no gzip": "text"} {
		n.files["/nvd/nvdcve-2.0-2002.json.gz"] = bad
		s := open(t, n.options(dir, spring), "a")
		g, err := s.Get(t.Context(), advisory.NVD)
		if err == nil || !strings.Contains(err.Error(), "nvdcve-2.0-2002.json.gz") {
			t.Errorf("%s: %v", what, err)
		}
		holds(t, what, names(g), "nvdcve-2.0-2003.json.gz")
		if _, err := os.Stat(filepath.Join(dir, "nvdcve-2.0-2002.json.gz")); err == nil {
			t.Errorf("%s: the file lies there", what)
		}
	}
	s := open(t, n.options(dir, spring), "a")
	g, err := s.Get(t.Context(), advisory.NVD)
	if err == nil {
		t.Error("a wrong digest, and no error")
	}
	built(t, s, "b", g)
	n.files["/nvd/nvdcve-2.0-2002.json.gz"] = good
	g = get(t, open(t, n.options(dir, spring), "b"), advisory.NVD)
	holds(t, "the next time", names(g), "nvdcve-2.0-2002.json.gz nvdcve-2.0-modified.json.gz")
}

// TestAPI holds that pages that moved are got again, and that pages of something else are
// refused.
func TestAPI(t *testing.T) {
	t.Parallel()
	prepare := func(t *testing.T) (*world, *supply.Supply) {
		n := network(t)
		dir := t.TempDir()
		n.year("2002", "old", spring)
		n.year("2003", "new", spring)
		n.year("modified", "today", spring)
		s := open(t, n.options(dir, spring), "")
		built(t, s, "a", get(t, s, advisory.NVD))
		n.took()
		return n, open(t, n.options(dir, spring.Add(20*24*time.Hour)), "a")
	}
	page := func(start, total int) string {
		return fmt.Sprintf(`{"startIndex":%d,"totalResults":%d,"vulnerabilities":[]}`, start, total)
	}
	t.Run("moves", func(t *testing.T) {
		t.Parallel()
		n, s := prepare(t)
		calls := 0
		n.api = func(w http.ResponseWriter, r *http.Request) {
			calls++
			start, _ := strconv.Atoi(r.URL.Query().Get("startIndex"))
			total := 2001
			if calls == 1 {
				total = 2002
			}
			if calls == 3 {
				w.WriteHeader(http.StatusForbidden) // what it says when it is asked too often
				return
			}
			fmt.Fprint(w, page(start, total))
		}
		if g := get(t, s, advisory.NVD); len(g.Files) != 2 {
			t.Errorf("files %v", g.Files)
		}
		holds(t, "asked", n.took(), "api 0 api 0 api 0 api 2000 api 2000")
	})
	for what, text := range map[string]string{
		"another page": page(2000, 1), "no page": `{}`, "no JSON": "<html>", "too many": page(0, 1<<30), "a negative count": page(0, -5),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			n, s := prepare(t)
			n.api = func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, text) }
			if g, err := s.Get(t.Context(), advisory.NVD); err == nil || len(g.Files) > 0 {
				t.Errorf("files %v, error %v", g.Files, err)
			}
		})
	}
}

// TestOneFile holds how single files are got: whole, again only when they changed.
func TestOneFile(t *testing.T) {
	t.Parallel()
	n := network(t)
	dir := t.TempDir()
	n.files["/kev.json"], n.files["/epss.csv.gz"], n.files["/openssl.zip"] = "kev", "epss", "openssl"
	s := open(t, n.options(dir, spring), "")
	var all []supply.Got
	for _, source := range []advisory.Source{advisory.KEV, advisory.EPSS, advisory.OpenSSL} {
		g := get(t, s, source)
		if len(g.Files) != 1 || !g.Whole {
			t.Errorf("%s: %+v", source, g)
		}
		all = append(all, g)
	}
	built(t, s, "a", all...)
	s = open(t, n.options(dir, spring), "a")
	if g := get(t, s, advisory.KEV); len(g.Files) != 0 || g.Same != 1 {
		t.Errorf("unchanged: %+v", g)
	}
	n.files["/kev.json"] = "kev 2"
	g := get(t, s, advisory.KEV)
	holds(t, "changed", names(g), "kev.json")

	// What could not be read is got again.
	built(t, s, "b", g.Without(g.Files))
	holds(t, "again", names(get(t, open(t, n.options(dir, spring), "b"), advisory.KEV)), "kev.json")

	delete(n.files, "/kev.json")
	_, err := open(t, n.options(dir, spring), "b").Get(t.Context(), advisory.KEV)
	var status *fetch.StatusError
	if !errors.As(err, &status) || status.Code != http.StatusNotFound {
		t.Errorf("gone: %v", err)
	}
}

func TestOSV(t *testing.T) {
	t.Parallel()
	n := network(t)
	n.files["/osv/Debian:12/all.zip"], n.files["/osv/crates.io/all.zip"], n.files["/osv/GitHub%20Actions/all.zip"] = "d", "c", "g"
	o := n.options(t.TempDir(), spring)
	o.Ecosystems = []string{"Debian:12", "nothing", "crates.io", "GitHub Actions"}
	g, err := open(t, o, "").Get(t.Context(), advisory.OSV)
	if err == nil || !strings.Contains(err.Error(), "/osv/nothing/all.zip: answer 404") {
		t.Errorf("%v", err)
	}
	holds(t, "archives", names(g), "osv-Debian-12.zip osv-crates.io.zip osv-GitHub-Actions.zip")
	o.Ecosystems = nil
	if _, err := open(t, o, "").Get(t.Context(), advisory.OSV); err == nil || !strings.Contains(err.Error(), "--ecosystem") {
		t.Errorf("no ecosystem: %v", err)
	}
}

// TestCVE holds that the archive in the archive is unwrapped, and its digest held.
func TestCVE(t *testing.T) {
	t.Parallel()
	pack := func(name, text string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(text))
		_ = z.Close()
		return b.String()
	}
	n := network(t)
	inner := pack("cves/1.json", "{}")
	outer := pack("cves.zip", inner)
	n.files["/cve.zip.zip"] = outer
	release := func(digest string) {
		n.files["/cve"] = fmt.Sprintf(`{"assets":[{"name":"2003-04-01_delta_CVEs_at_0600Z.zip","browser_download_url":"%[1]s/delta.zip"},
			{"name":"2003-04-01_all_CVEs_at_midnight.zip.zip","browser_download_url":"%[1]s/cve.zip.zip","digest":"sha256:%[2]s"}]}`, n.URL, digest)
	}
	sum := sha256.Sum256([]byte(outer))
	release(hex.EncodeToString(sum[:]))
	dir := t.TempDir()
	s := open(t, n.options(dir, spring), "")
	g := get(t, s, advisory.CVE)
	if data, err := os.ReadFile(filepath.Join(dir, "cve.zip")); err != nil || string(data) != inner || names(g) != "cve.zip" {
		t.Errorf("%q, %v, %+v", data, err, g)
	}
	built(t, s, "a", g)
	n.took()
	if g := get(t, open(t, n.options(dir, spring), "a"), advisory.CVE); len(g.Files) > 0 {
		t.Errorf("the same release again: %+v", g)
	}
	holds(t, "asked", n.took(), "/cve")
	release(strings.Repeat("0", 64))
	if _, err := open(t, n.options(dir, spring), "b").Get(t.Context(), advisory.CVE); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("wrong digest: %v", err)
	}
}

func (n *world) document(path, text string) {
	sum := sha512.Sum512([]byte(text))
	n.files[path] = text
	n.files[path+".sha512"] = hex.EncodeToString(sum[:]) + "  " + filepath.Base(path) + "\n"
}

// TestCSAFDirectory holds that documents are verified, that only what changed is got, and
// that a name leads nowhere else.
func TestCSAFDirectory(t *testing.T) {
	t.Parallel()
	n := network(t)
	dir := t.TempDir()
	n.files["/csaf/provider-metadata.json"] = `{"distributions":[{"directory_url":"` + n.URL + `/csaf/white"}]}`
	n.document("/csaf/white/2003/icsma-03-001-01.json", "one")
	n.document("/csaf/white/2003/icsma-03-002-01.json", "two")
	n.document("/csaf/white/2003/icsma-03-003-01.json", "three")
	n.files["/csaf/white/2003/icsma-03-003-01.json.sha512"] = strings.Repeat("0", 128)
	n.files["/csaf/white/2003/icsma-03-004-01.json"] = "four"
	n.files["/csaf/white/changes.csv"] = `"2003/icsma-03-001-01.json","2003-03-01T10:00:00Z"
"2003/icsma-03-002-01.json","2003-03-02T10:00:00.000000Z"
"2003/icsma-03-003-01.json","2003-03-02T10:00:00Z"
"2003/icsma-03-004-01.json","2003-03-02T10:00:00Z"
"../../etc/passwd.json","2003-03-02T10:00:00Z"
"/etc/passwd.json","2003-03-02T10:00:00Z"
"https://elsewhere.example/x.json","2003-03-02T10:00:00Z"
`
	s := open(t, n.options(dir, spring), "")
	g, err := s.Get(t.Context(), advisory.CSAF)
	if err == nil || !strings.Contains(err.Error(), "1 of 4 documents") || !strings.Contains(err.Error(), "its SHA-512 is") {
		t.Errorf("%v", err)
	}
	host := strings.ReplaceAll(strings.TrimPrefix(n.URL, "http://"), ":", "-")
	holds(t, "documents", strings.ReplaceAll(names(g), host, "HOST"), "csaf-HOST-icsma-03-001-01.json csaf-HOST-icsma-03-002-01.json csaf-HOST-icsma-03-004-01.json")
	holds(t, "problems", strings.Join(g.Problems, " "), n.URL+"/csaf/white/2003/icsma-03-004-01.json: nothing says which digest it must have")
	built(t, s, "a", g)

	n.document("/csaf/white/2003/icsma-03-002-01.json", "two, revised")
	n.document("/csaf/white/2003/icsma-03-003-01.json", "three")
	n.files["/csaf/white/changes.csv"] = strings.ReplaceAll(n.files["/csaf/white/changes.csv"], "10:00:00.000000Z", "11:00:00Z")
	s = open(t, n.options(dir, spring), "a")
	g = get(t, s, advisory.CSAF)
	holds(t, "what changed", strings.ReplaceAll(names(g), host, "HOST"), "csaf-HOST-icsma-03-002-01.json csaf-HOST-icsma-03-003-01.json")
	built(t, s, "b", g)

	// What could not be read is got again, and only that.
	n.document("/csaf/white/2003/icsma-03-001-01.json", "one, revised")
	n.document("/csaf/white/2003/icsma-03-002-01.json", "two, broken")
	n.files["/csaf/white/changes.csv"] = strings.ReplaceAll(strings.ReplaceAll(n.files["/csaf/white/changes.csv"], "T10:00:00Z", "T12:00:00Z"), "T11:00:00Z", "T12:00:00Z")
	s = open(t, n.options(dir, spring), "b")
	g = get(t, s, advisory.CSAF)
	if len(g.Files) != 2 || g.Same != 2 {
		t.Errorf("revised: %+v", g)
	}
	if err := s.Built("c", []supply.Got{g.Without(g.Files[1:])}, true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(g.Files[0]); err != nil {
		t.Errorf("what was to be kept: %v", err)
	}
	s = open(t, n.options(dir, spring), "c")
	g = get(t, s, advisory.CSAF)
	holds(t, "what could not be read", strings.ReplaceAll(names(g), host, "HOST"), "csaf-HOST-icsma-03-002-01.json")
	built(t, s, "b", g)

	// Without changes.csv each document says itself whether it changed.
	delete(n.files, "/csaf/white/changes.csv")
	n.files["/csaf/white/index.txt"] = "2003/icsma-03-001-01.json\n2003/icsma-03-002-01.json\n"
	if g = get(t, open(t, n.options(dir, spring), "b"), advisory.CSAF); len(g.Files) != 0 || g.Same != 2 {
		t.Errorf("by index.txt: %+v", g)
	}

	for what, text := range map[string]string{"no date": `"a.json","soon"`, "no field": `a.json`, "no csv": `"a`} {
		n.files["/csaf/white/changes.csv"] = text
		if _, err := open(t, n.options(dir, spring), "b").Get(t.Context(), advisory.CSAF); err == nil {
			t.Errorf("changes.csv with %s was taken", what)
		}
	}
}

// TestCSAFFeed holds that feeds are followed that are open to all, and to no other host.
func TestCSAFFeed(t *testing.T) {
	t.Parallel()
	n := network(t)
	n.files["/csaf/provider-metadata.json"] = `{"distributions":[{"rolie":{"feeds":[
		{"tlp_label":"WHITE","url":"` + n.URL + `/feed.json"},{"tlp_label":"AMBER","url":"` + n.URL + `/secret.json"}]}}]}`
	n.document("/d/a-1.json", "one")
	n.files["/feed.json"] = `{"feed":{"entry":[
		{"updated":"2003-01-01T00:00:00Z","link":[{"rel":"self","href":"d/a-1.json"},{"rel":"hash","href":"d/a-1.json.sha512"},{"rel":"signature","href":"d/a-1.json.asc"}]},
		{"updated":"2003-01-01T00:00:00Z","content":{"src":"https://elsewhere.example/b.json"}},
		{"updated":"2003-01-01T00:00:00Z","link":[{"rel":"self","href":"http://169.254.169.254/c.json"}]},
		{"updated":"2003-01-01T00:00:00Z","link":[{"rel":"self","href":"d/.."}]}]}}`
	g, err := open(t, n.options(t.TempDir(), spring), "").Get(t.Context(), advisory.CSAF)
	if err == nil || !strings.Contains(err.Error(), "3 of 4 documents") || !errors.Is(err, fetch.ErrRefused) {
		t.Errorf("%v", err)
	}
	if len(g.Files) != 1 {
		t.Errorf("documents %v", g.Files)
	}
	holds(t, "asked", n.took(), "/csaf/provider-metadata.json /d/a-1.json /d/a-1.json.sha512 /feed.json")
	n.files["/csaf/provider-metadata.json"] = `{}`
	if _, err := open(t, n.options(t.TempDir(), spring), "").Get(t.Context(), advisory.CSAF); err == nil {
		t.Error("a provider without anything was taken")
	}
}

// TestState holds that a memory that was cut short is as good as none.
func TestState(t *testing.T) {
	t.Parallel()
	n := network(t)
	n.files["/kev.json"] = "kev"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(`{"index":"a","done":{"`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, n.options(dir, spring), "a")
	g := get(t, s, advisory.KEV)
	holds(t, "files", names(g), "kev.json")
	built(t, s, "b", g)

	// The index is made anew of itself and more: what was got is in it still.
	if err := supply.Rebased(dir, "b", "c"); err != nil {
		t.Fatal(err)
	}
	if g := get(t, open(t, n.options(dir, spring), "c"), advisory.KEV); len(g.Files) > 0 {
		t.Errorf("got again: %v", g.Files)
	}
	if err := supply.Rebased(dir, "x", "y"); err != nil {
		t.Fatal(err)
	}
	if g := get(t, open(t, n.options(dir, spring), "y"), advisory.KEV); len(g.Files) != 1 {
		t.Error("what was got for another index was taken for this one's")
	}
}

// TestLock holds that there is one owner, and that a dead one's lock is taken over.
func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "index")
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), "SUPPLY_TEST_LOCK="+path)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 7)
	if _, err := out.Read(line); err != nil || string(line) != "locked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := supply.Lock(path, "me"); err == nil || !strings.Contains(err.Error(), `another process is at work on it: "the other"`) {
		t.Errorf("two owners: %v", err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	free, err := supply.Lock(path, "me")
	if err != nil {
		t.Fatalf("the dead owner's lock: %v", err)
	}
	if _, err := supply.Lock(path, "again"); err == nil {
		t.Error("two owners in one process")
	}
	free()
	if free, err = supply.Lock(path, "again"); err != nil {
		t.Errorf("after it was let go: %v", err)
	} else {
		free()
	}
}

// TestPublishers holds that the list is in order and complete.
func TestPublishers(t *testing.T) {
	t.Parallel()
	list := supply.Publishers()
	usual, further := supply.Sources()
	for i, p := range list {
		if i > 0 && list[i-1].Name >= p.Name {
			t.Errorf("%s stands after %s", p.Name, list[i-1].Name)
		}
		if !strings.HasPrefix(p.URL, "https://") || p.Known == "" {
			t.Errorf("%s: %+v", p.Name, p)
		}
		if !slices.Contains(append(slices.Clone(usual), further...), p.Source) {
			t.Errorf("%s: nobody can ask for %s", p.Name, p.Source)
		}
	}
	if _, err := open(t, supply.Options{Dir: t.TempDir(), Now: spring, Fetch: fetch.Options{Now: func() time.Time { return spring }}}, "").Get(t.Context(), "nonsense"); err == nil {
		t.Error("an unknown source was got")
	}
}

// TestDocumented holds that the manual names each place that is asked.
func TestDocumented(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../../doc/advisories.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range supply.Publishers() {
		hosts := "-"
		if len(p.Hosts) > 0 {
			hosts = strings.Join(p.Hosts, ", ")
		}
		if row := fmt.Sprintf("| %s | %s | %s | %s |", p.Name, p.URL, hosts, p.Known); !strings.Contains(string(manual), row) {
			t.Errorf("doc/advisories.md has no row %q", row)
		}
	}
}
