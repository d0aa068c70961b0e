// Package supply gets what is published about vulnerabilities: for each [Publisher] of one
// list it finds out what is new since the last time, and downloads that into a directory,
// verified where the publisher says how.
//
// A [Supply] remembers in the directory what it downloaded and what of it is in the
// index already, so that an update that was killed goes on, and the next one gets only
// what changed. It reads no advisories: that is for package feed.
package supply

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fetch"
)

// Publisher is a place on the network where a source publishes.
type Publisher struct {
	Name   string          // as --from names it
	Source advisory.Source // of what it publishes
	URL    string          // a file, or a directory if it ends with a slash
	Hosts  []string        // further hosts to which it leads
	Known  string          // what is known of it
}

// Publishers lists the places, by name. None but these is asked, and what the user names.
func Publishers() []Publisher {
	return []Publisher{
		{
			"csaf", advisory.CSAF, "https://www.cisa.gov/sites/default/files/csaf/provider-metadata.json",
			[]string{"raw.githubusercontent.com", "github.com"},
			"CISA's advisories on industrial and medical devices. Each document has its .sha512 beside it; changes.csv says what is new.",
		},
		{
			"cve", advisory.CVE, "https://api.github.com/repos/CVEProject/cvelistV5/releases/latest",
			[]string{"github.com", "objects.githubusercontent.com", "release-assets.githubusercontent.com"},
			"The whole CVE List, once a day, about 600 MB: only when it is asked for. GitHub states the digest of the file.",
		},
		{
			"epss", advisory.EPSS, "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
			[]string{"epss.cyentia.com"},
			"Daily, about 2 MB. The file moved here from epss.cyentia.com, which redirects; it may move again.",
		},
		{
			"kev", advisory.KEV, "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
			nil, "The whole catalogue in one file, about 1.5 MB.",
		},
		{
			"nvd", advisory.NVD, "https://nvd.nist.gov/feeds/json/cve/2.0/",
			nil, "A file a year since 2002, and one with what was modified within 8 days; the .meta beside each has the SHA-256 of what is compressed in it. About 200 MB in all.",
		},
		{
			"nvd-api", advisory.NVD, "https://services.nvd.nist.gov/rest/json/cves/2.0",
			nil, "What was modified between two dates at most 120 days apart, 2000 records a page; 5 requests in 30 s, and 50 with a key.",
		},
		{
			"openssl", advisory.OpenSSL, "https://codeload.github.com/openssl/release-metadata/zip/refs/heads/main",
			nil, "The project's own records, in one archive of its repository.",
		},
		{
			"osv", advisory.OSV, "https://osv-vulnerabilities.storage.googleapis.com/",
			nil, "An archive for each ecosystem that is asked for, from 1 MB (Alpine) to 250 MB (npm).",
		},
	}
}

// Sources lists what can be asked for; those that are got when nothing is said come first.
func Sources() (usual, further []advisory.Source) {
	return []advisory.Source{advisory.NVD, advisory.KEV, advisory.EPSS, advisory.CSAF, advisory.OpenSSL}, []advisory.Source{advisory.CVE, advisory.OSV}
}

// Options say where from and where to.
type Options struct {
	Dir        string            // for what is downloaded; made if need be
	From       map[string]string // other places for publishers, by name: a mirror
	Providers  []string          // further CSAF providers: addresses of their provider-metadata.json
	Hosts      []string          // further hosts to which a mirror or a provider leads
	Private    bool              // what the user named here may have private addresses
	Ecosystems []string          // of OSV
	Key        string            // for the API of NVD
	Now        time.Time
	Fetch      fetch.Options // all but the hosts
	Progress   func(what string, done, total int64)
}

// Supply gets files. One is at work in a directory at a time: see [Lock].
type Supply struct {
	o       Options
	now     time.Time
	mu      sync.Mutex
	state   state
	unsaved int64 // bytes that lie here and are not remembered yet
}

// Got is what came of one source.
type Got struct {
	Source   advisory.Source
	Files    []string // to be read
	Whole    bool     // they hold all that the source says: what is not in them is withdrawn
	Bytes    int64    // that were transferred
	Same     int      // files that had not changed
	Problems []string // of single documents that could not be got, or not be verified

	done    map[string]mark
	through map[string]time.Time
	void    []string // files
}

// Without is what was got, but for files that could not be read: these are removed, and
// got again the next time.
func (g Got) Without(files []string) Got {
	g.done, g.void = maps.Clone(g.done), slices.Clone(files)
	g.through = nil // what was to be read until then was not
	maps.DeleteFunc(g.done, func(_ string, m mark) bool { return slices.Contains(files, m.file) })
	return g
}

// state is the supply's memory, a file in its directory.
type state struct {
	Index   string               `json:"index,omitempty"`   // digest of the index in which all of Done is
	Done    map[string]mark      `json:"done,omitempty"`    // by address: what is in the index
	Here    map[string]mark      `json:"here,omitempty"`    // by name: what lies in the directory, whole
	Through map[string]time.Time `json:"through,omitempty"` // by publisher: what was modified until then is in the index
	Window  *window              `json:"window,omitempty"`  // what was being asked of NVD's API
}

type mark struct {
	fetch.Version
	SHA256 string `json:"sha256,omitempty"`
	Stamp  string `json:"stamp,omitempty"` // what its list says of its age
	URL    string `json:"url,omitempty"`
	file   string // where it was put
}

const stateName = "state.json"

// New opens a supply. index is the digest of the index that is to be brought up to date,
// "" where there is none: what was got for another one is got again.
func New(o Options, index string) (*Supply, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	s := &Supply{o: o, now: o.Now.UTC()}
	data, err := os.ReadFile(filepath.Join(o.Dir, stateName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && json.Unmarshal(data, &s.state) != nil {
		s.state = state{} // cut short by a crash of the machine: all is got again
	}
	if s.state.Index != index || index == "" {
		s.state.Done, s.state.Through, s.state.Window = nil, nil, nil
	}
	s.state.Index = index
	for _, m := range []*map[string]mark{&s.state.Done, &s.state.Here} {
		if *m == nil {
			*m = map[string]mark{}
		}
	}
	if s.state.Through == nil {
		s.state.Through = map[string]time.Time{}
	}
	return s, nil
}

// Get gets what a source has published since the last time. On an error some of its
// files may be there nevertheless: they are whole, and can be read.
func (s *Supply) Get(ctx context.Context, source advisory.Source) (Got, error) {
	got := Got{Source: source, done: map[string]mark{}, through: map[string]time.Time{}}
	var err error
	switch source {
	case advisory.NVD:
		err = s.nvd(ctx, &got)
	case advisory.KEV:
		err = s.one(ctx, &got, "kev", "kev.json", 256<<20)
	case advisory.EPSS:
		err = s.one(ctx, &got, "epss", "epss.csv.gz", 256<<20)
	case advisory.OpenSSL:
		err = s.one(ctx, &got, "openssl", "openssl.zip", 256<<20)
	case advisory.OSV:
		err = s.osv(ctx, &got)
	case advisory.CVE:
		err = s.cve(ctx, &got)
	case advisory.CSAF:
		err = s.csaf(ctx, &got)
	default:
		err = fmt.Errorf("no publisher of %q is known", source)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return got, cmp.Or(err, s.save())
}

// Built says that the index with this digest holds all that was got: the next time only
// what is newer is got. What was downloaded is removed, unless keep is set.
func (s *Supply) Built(index string, all []Got, keep bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Index, s.state.Window = index, nil
	for _, g := range all {
		for k, m := range g.done {
			s.state.Done[k] = m
		}
		for k, t := range g.through {
			s.state.Through[k] = t
		}
	}
	var list []string
	for _, g := range all {
		files := g.Files
		if keep {
			files = g.void
		}
		for _, f := range files {
			list = append(list, f)
			delete(s.state.Here, s.name(f))
		}
	}
	if err := s.save(); err != nil {
		return err
	}
	for _, f := range list {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Rebased says that the index was rebuilt from itself and more: what was got for it is in
// it still. It is no error if nothing was ever got.
func Rebased(dir, old, index string) error {
	path := filepath.Join(dir, stateName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if json.Unmarshal(data, &s) != nil || s.Index != old || old == "" {
		return nil
	}
	s.Index = index
	return writeState(path, s)
}

// save writes the state. The caller holds the lock.
func (s *Supply) save() error {
	s.unsaved = 0
	return writeState(filepath.Join(s.o.Dir, stateName), s.state)
}

func writeState(path string, s state) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (s *Supply) name(path string) string {
	if rel, err := filepath.Rel(s.o.Dir, path); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}

// place is where a publisher publishes, for this user.
func (s *Supply) place(name string) (Publisher, error) {
	list := Publishers()
	i := slices.IndexFunc(list, func(p Publisher) bool { return p.Name == name })
	if i < 0 {
		return Publisher{}, fmt.Errorf("no publisher %q", name)
	}
	p := list[i]
	if from := s.o.From[name]; from != "" {
		if strings.HasSuffix(p.URL, "/") && !strings.HasSuffix(from, "/") {
			from += "/"
		}
		p.URL, p.Hosts = from, nil
	}
	return p, nil
}

// client speaks to the hosts of one publisher only.
func (s *Supply) client(p Publisher, spacing time.Duration) (*fetch.Client, error) {
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s: %q is no address", p.Name, p.URL)
	}
	o := s.o.Fetch
	named := slices.Clone(s.o.Hosts)
	own := u.Host
	if u.Port() == "" && u.Scheme == "http" {
		own += ":80" // only loopback, in tests
	}
	if s.o.From[p.Name] != "" || slices.Contains(s.o.Providers, p.URL) {
		named = append(named, own)
	}
	o.Hosts = append(append(append([]string{}, p.Hosts...), own), named...)
	if s.o.Private {
		o.Private = named
	}
	o.Spacing = spacing
	return fetch.New(o)
}

// get downloads a file that changes under its address, unless the version of it that is
// out there is in the index. It says whether the file is there to be read.
func (s *Supply) get(ctx context.Context, c *fetch.Client, got *Got, r fetch.Request, name, stamp string) (bool, error) {
	path := filepath.Join(s.o.Dir, filepath.FromSlash(name))
	s.mu.Lock()
	known, here := s.state.Here[name]
	if _, err := os.Stat(path); err != nil || known.URL != r.URL {
		known, here = s.state.Done[r.URL], false
	}
	s.mu.Unlock()
	r.Known = known.Version
	if s.o.Progress != nil {
		r.Progress = func(done, total int64) { s.o.Progress(name, done, total) }
	}
	a, err := c.File(ctx, r, path)
	if err != nil {
		return false, err
	}
	before := s.state.Done[r.URL]
	if a.Unchanged && (!here || before.SHA256 == known.SHA256) { // it is in the index, and was kept perhaps
		got.Same++
		return false, nil
	}
	m := known
	if !a.Unchanged {
		got.Bytes += a.Size - a.Resumed
		m = mark{Version: a.Version, SHA256: a.SHA256, Stamp: stamp, URL: r.URL}
		if before.SHA256 == a.SHA256 { // a server that knows no versions
			got.Same++
			if here {
				return false, nil
			}
			return false, os.Remove(path)
		}
	}
	m.file = path
	got.Files = append(got.Files, path)
	got.done[r.URL] = m
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Here[name] = m
	const often = 4 << 20 // what a killed update may have to get again
	if s.unsaved += a.Size + 64<<10; s.unsaved < often {
		return true, nil
	}
	return true, s.save()
}

// one gets a publisher that is a single file.
func (s *Supply) one(ctx context.Context, got *Got, publisher, name string, limit int64) error {
	p, err := s.place(publisher)
	if err != nil {
		return err
	}
	c, err := s.client(p, 0)
	if err != nil {
		return err
	}
	got.Whole = true
	_, err = s.get(ctx, c, got, fetch.Request{URL: p.URL, Limit: limit}, name, "")
	return err
}

// osv gets an archive for each ecosystem.
func (s *Supply) osv(ctx context.Context, got *Got) error {
	p, err := s.place("osv")
	if err != nil {
		return err
	}
	c, err := s.client(p, 0)
	if err != nil {
		return err
	}
	if len(s.o.Ecosystems) == 0 {
		return errors.New(`osv: no ecosystem was named: say "--ecosystem Debian:12" or "--ecosystem Alpine:v3.18"`)
	}
	var errs []error
	for _, e := range s.o.Ecosystems {
		r := fetch.Request{URL: p.URL + url.PathEscape(e) + "/all.zip", Limit: 2 << 30}
		if _, err := s.get(ctx, c, got, r, "osv-"+fileName(e)+".zip", ""); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// fileName makes a name for a file of any text.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.+", r) {
			return r
		}
		return '-'
	}, s)
}

// cve gets the CVE List: the newest release names the archive of all of it.
func (s *Supply) cve(ctx context.Context, got *Got) error {
	p, err := s.place("cve")
	if err != nil {
		return err
	}
	c, err := s.client(p, 0)
	if err != nil {
		return err
	}
	a, err := c.Read(ctx, fetch.Request{URL: p.URL, Limit: 8 << 20, Busy: []int{403}})
	if err != nil {
		return err
	}
	var release struct {
		Assets []struct {
			Name   string `json:"name"`
			URL    string `json:"browser_download_url"`
			Digest string `json:"digest"`
		} `json:"assets"`
	}
	if err := json.Unmarshal(a.Data, &release); err != nil {
		return fmt.Errorf("%s: %w", p.URL, err)
	}
	got.Whole = true
	for _, a := range release.Assets {
		if !strings.Contains(a.Name, "_all_CVEs_at_midnight.zip") {
			continue
		}
		if _, done := s.state.Done[a.URL]; done {
			got.Same++
			return nil
		}
		sum, _ := strings.CutPrefix(a.Digest, "sha256:")
		is, err := s.get(ctx, c, got, fetch.Request{URL: a.URL, Limit: archiveLimit, SHA256: sum}, "cve.zip", a.Name)
		if err == nil && is {
			err = unwrap(filepath.Join(s.o.Dir, "cve.zip"))
		}
		return err
	}
	return fmt.Errorf("%s: the newest release has no archive of all records", p.URL)
}

const archiveLimit = 4 << 30

// unwrap replaces an archive that holds nothing but an archive by that.
func unwrap(path string) error {
	z, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	defer z.Close()
	if len(z.File) != 1 || !strings.HasSuffix(z.File[0].Name, ".zip") {
		return nil
	}
	r, err := z.File[0].Open()
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	defer r.Close()
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(f, io.LimitReader(r, archiveLimit+1))
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	if n > archiveLimit {
		return fmt.Errorf("%q: more than %d bytes in it", path, int64(archiveLimit))
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
