package main

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// published serves what a directory holds as the publishers do: what lies there as
// nvd-2014.json becomes a feed of NVD with its description; years that do not lie there
// are empty feeds.
func published(read func(name string) ([]byte, error)) http.Handler {
	feeds := regexp.MustCompile(`^/nvd/nvdcve-2\.0-(\d{4}|modified)\.(meta|json\.gz)$`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var data []byte
		if m := feeds.FindStringSubmatch(r.URL.Path); m != nil {
			text, err := read("nvd-" + m[1] + ".json")
			if err != nil {
				text = []byte(`{"format":"NVD_CVE","version":"2.0","timestamp":"2026-11-24T00:00:00.000","vulnerabilities":[]}`)
			}
			if m[2] == "meta" {
				sum := sha256.Sum256(text)
				data = fmt.Appendf(nil, "lastModifiedDate:2026-11-24T03:00:00-05:00\r\nsha256:%s\r\n", strings.ToUpper(hex.EncodeToString(sum[:])))
			} else {
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				_, _ = z.Write(text)
				_ = z.Close()
				data = b.Bytes()
			}
		} else {
			var err error
			if data, err = read(strings.TrimPrefix(r.URL.Path, "/")); err != nil {
				http.NotFound(w, r)
				return
			}
		}
		sum := sha256.Sum256(data)
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
}

// publish is a command of the transcripts: it serves a directory, at $NET.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: publish DIR")
	}
	dir := ts.MkAbs(args[0])
	s := httptest.NewServer(published(func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	}))
	ts.Defer(s.Close)
	ts.Setenv("NET", s.URL)
}

// keypair is a command of the transcripts: it makes NAME.pem and NAME.pub.pem, as
// "openssl genpkey -algorithm ed25519" and "openssl pkey -pubout" do.
func keypair(ts *testscript.TestScript, _ bool, args []string) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	ts.Check(err)
	for _, k := range []struct {
		file, kind string
		der        func() ([]byte, error)
	}{
		{args[0] + ".pem", "PRIVATE KEY", func() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(private) }},
		{args[0] + ".pub.pem", "PUBLIC KEY", func() ([]byte, error) { return x509.MarshalPKIXPublicKey(public) }},
	} {
		der, err := k.der()
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(k.file), pem.EncodeToMemory(&pem.Block{Type: k.kind, Bytes: der}), 0o600))
	}
}

// nvdText is a feed of NVD with vulnerabilities of one year and one product, modified on a
// day of November 2026.
func nvdText(year, n, day int) []byte {
	var b strings.Builder
	b.WriteString(`{"format":"NVD_CVE","version":"2.0","timestamp":"2026-11-24T00:00:00.000","vulnerabilities":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"cve":{"id":"CVE-%d-%04d","sourceIdentifier":"made@example.org","published":"%d-01-02T03:04:05.000","lastModified":"2026-11-%02dT03:04:05.000","vulnStatus":"Analyzed","descriptions":[{"lang":"en","value":"Made up, number %d."}],"metrics":{},"configurations":[{"nodes":[{"operator":"OR","negate":false,"cpeMatch":[{"vulnerable":true,"criteria":"cpe:2.3:a:example:pump%d:*:*:*:*:*:*:*:*","versionEndExcluding":"1.%d","matchCriteriaId":"00000000-0000-4000-8000-000000000000"}]}]}]}}`, year, i+1, year, day, i, i%50, i)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// TestKilledUpdate holds that an update may be killed at any moment: what was there works
// as before, and the next update ends with the same index as one that was not killed.
func TestKilledUpdate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process is killed in another way there")
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n := &network{files: map[string][]byte{
		"kev.json":      []byte("{\n" + `"title":"made up","catalogVersion":"2026.11.20","dateReleased":"2026-11-20T00:00:00Z","count":1,"vulnerabilities":[{"cveID":"CVE-2014-0003","dateAdded":"2026-11-20","dueDate":"2026-12-11","knownRansomwareCampaignUse":"Unknown"}]}`),
		"epss.csv.gz":   []byte("#model_version:v2025.03.14,score_date:2026-11-23T00:00:00+0000\ncve,epss,percentile\nCVE-2014-0003,0.5,0.9\n"),
		"nvd-2014.json": nvdText(2014, 3000, 20),
	}}
	s := httptest.NewServer(published(n.read))
	t.Cleanup(s.Close)
	vesalius := func(db string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), exe, args...)
		cmd.Args = append([]string{"vesalius"}, args...)
		cmd.Env = []string{"HOME=" + t.TempDir(), "VESALIUS_DB=" + db}
		return cmd
	}
	update := []string{"db", "update", "--source", "nvd,kev,epss", "--from", "nvd=" + s.URL + "/nvd/", "--from", "kev=" + s.URL + "/kev.json", "--from", "epss=" + s.URL + "/epss.csv.gz"}
	run := func(db string, args ...string) string {
		out, err := vesalius(db, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	first := filepath.Join(t.TempDir(), "first.vdb")
	run(first, update...)
	old, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	n.set("nvd-2014.json", nvdText(2014, 3100, 23))
	n.set("nvd-modified.json", nvdText(2015, 2500, 23))

	want := filepath.Join(t.TempDir(), "want.vdb")
	copyFile(t, want, old)
	if out := run(want, update...); !strings.Contains(out, "index "+want) {
		t.Fatalf("nothing was built: %s", out)
	}
	whole, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}

	kill := func(t *testing.T, when string, ready func(db string) bool) {
		db := filepath.Join(t.TempDir(), "a.vdb")
		copyFile(t, db, old)
		cmd := vesalius(db, update...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		for waiting := true; waiting && !ready(db); {
			select {
			case <-ended:
				waiting = false
			case <-time.After(200 * time.Microsecond):
			}
		}
		_ = cmd.Process.Kill()
		<-ended
		now, err := os.ReadFile(db)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(now, old) && !bytes.Equal(now, whole) {
			t.Errorf("%s: the index is neither the old one nor the new one", when)
		}
		var status indexStatus
		out, err := vesalius(db, "db", "status", "--json").Output()
		if err == nil {
			err = json.Unmarshal(out, &status)
		}
		if err != nil || status.Info.Vulnerabilities == 0 || status.Snapshot {
			t.Errorf("%s: the index cannot be read: %v\n%s", when, err, out)
		}
		x, err := advisory.OpenFile(db)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := x.Vulnerability("CVE-2014-0003"); err != nil || v.Exploited() == nil {
			t.Errorf("%s: the index lost what it held: %v", when, err)
		}
		x.Close()
		n.open()
		run(db, update...)
		if now, err := os.ReadFile(db); err != nil || !bytes.Equal(now, whole) {
			t.Errorf("%s: the next update ends with another index: %v", when, err)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(db), ".*"))
		if err != nil || len(left) > 0 {
			t.Errorf("%s: left over: %v, %v", when, left, err)
		}
	}
	// No other test may run meanwhile on this network: one after the other.
	for _, at := range []int{1, 25, 53} {
		t.Run(fmt.Sprintf("request %d", at), func(t *testing.T) {
			n.stop(at)
			kill(t, fmt.Sprintf("killed at request %d", at), func(string) bool { return n.stopped() })
		})
	}
	for _, after := range []time.Duration{0, 10 * time.Millisecond, 100 * time.Millisecond} {
		t.Run(fmt.Sprintf("%v into the writing", after), func(t *testing.T) {
			n.open()
			kill(t, fmt.Sprintf("killed %v into the writing", after), func(db string) bool {
				entries, err := os.ReadDir(filepath.Dir(db))
				for _, e := range entries {
					if err == nil && strings.HasPrefix(e.Name(), ".a.vdb.") {
						time.Sleep(after)
						return true
					}
				}
				return false
			})
		})
	}
}

// TestAge holds that an index is as old as what it knows of vulnerabilities, however new
// the forecasts are.
func TestAge(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	info := advisory.Info{Date: day(24), Sources: []advisory.SourceInfo{{Source: advisory.NVD, Newest: day(1)}, {Source: advisory.EPSS, Newest: day(24)}}}
	if got := ageOf(info, day(24)); got != 23 {
		t.Errorf("%d days, want the 23 of NVD", got)
	}
	info.Sources = info.Sources[1:]
	if got := ageOf(info, day(25)); got != 1 {
		t.Errorf("%d days, want the 1 of what there is", got)
	}
	if got := ageOf(info, day(1)); got != 0 {
		t.Errorf("%d days, want none: the index is newer than the date asked for", got)
	}
}

func copyFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// network holds what is published, and can stop at a request.
type network struct {
	mu    sync.Mutex
	files map[string][]byte
	count int
	at    int
	halt  chan struct{} // closed: go on
}

func (n *network) set(name string, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.files[name] = data
}

func (n *network) stop(at int) {
	n.open()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count, n.at, n.halt = 0, at, make(chan struct{})
}

func (n *network) open() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.halt != nil {
		close(n.halt)
		n.halt = nil
	}
}

func (n *network) stopped() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.halt != nil && n.count >= n.at
}

func (n *network) read(name string) ([]byte, error) {
	n.mu.Lock()
	n.count++
	halt := n.halt
	if n.count < n.at {
		halt = nil
	}
	data, ok := n.files[name]
	n.mu.Unlock()
	if halt != nil {
		<-halt
	}
	if !ok {
		return nil, os.ErrNotExist
	}
	return data, nil
}

// testBundle makes a bundle around bytes that are no index, signed by a key made here.
func testBundle(t testing.TB, index []byte) (bundle []byte, trust string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	trust = filepath.Join(t.TempDir(), "pub.pem")
	if err := os.WriteFile(trust, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(index)
	m := manifest{Schema: bundleSchema, File: bundleIndex, Size: int64(len(index)), SHA256: hex.EncodeToString(sum[:])}
	var b bytes.Buffer
	if err := writeBundle(&b, m, bytes.NewReader(index), private); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), trust
}

// unpacked opens a bundle and unpacks it, and gives the bytes of its index.
func unpacked(dir string, data []byte, trust string) ([]byte, error) {
	path := filepath.Join(dir, "bundle.zip")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return nil, err
	}
	b, err := openBundle(path, trust)
	if err != nil {
		return nil, err
	}
	defer b.close()
	file, err := b.unpack(dir, "x")
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// TestBundleNoticesEachByte holds that a signed bundle, of which any byte was changed or
// cut, is refused or gives the same index nevertheless.
func TestBundleNoticesEachByte(t *testing.T) {
	t.Parallel()
	index := []byte("no index, but it is not asked for that here")
	data, trust := testBundle(t, index)
	dir := t.TempDir()
	if got, err := unpacked(dir, data, trust); err != nil || !bytes.Equal(got, index) {
		t.Fatalf("%q, %v", got, err)
	}
	refused := 0
	for i := range data {
		changed := bytes.Clone(data)
		changed[i] ^= 0x41
		for what, d := range map[string][]byte{"changed": changed, "cut": data[:i]} {
			got, err := unpacked(dir, d, trust)
			if err == nil && !bytes.Equal(got, index) {
				t.Errorf("%s at byte %d: gives %q", what, i, got)
			}
			if err != nil {
				refused++
			}
		}
	}
	if refused < len(data) {
		t.Errorf("%d of %d were refused: fewer than those that were cut", refused, 2*len(data))
	}
}

// FuzzBundle holds that whatever is called a bundle gives an index with the digest that it
// states, or an error, and no more bytes than it states.
func FuzzBundle(f *testing.F) {
	data, _ := testBundle(f, []byte("an index"))
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "bundle.zip")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		isBundle(path)
		b, err := openBundle(path, "")
		if err != nil {
			return
		}
		defer b.close()
		file, err := b.unpack(t.TempDir(), "x")
		if err != nil {
			return
		}
		got, err := digestFile(file)
		if info, serr := os.Stat(file); err != nil || serr != nil || got != b.manifest.SHA256 || info.Size() != b.manifest.Size {
			t.Errorf("digest %s, stated %q: %v, %v", got, b.manifest.SHA256, err, serr)
		}
	})
}
