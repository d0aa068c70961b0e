package main

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/supply"
	"github.com/vesalius-project/vesalius/internal/fetch"
)

type dbUpdateCommand struct {
	database
	Source    []string          `placeholder:"NAME" help:"Only these: nvd, kev, epss, csaf, openssl (all five unless said otherwise), cve, osv."`
	Ecosystem []string          `sep:"none" placeholder:"NAME" help:"Ecosystem of OSV, as Debian:12, Alpine:v3.18, PyPI; may be repeated."`
	CSAF      []string          `name:"csaf" placeholder:"URL" help:"Further CSAF provider: the address of its provider-metadata.json; may be repeated."`
	From      map[string]string `mapsep:"none" placeholder:"NAME=URL" help:"Another place for a publisher, a mirror: nvd, nvd-api, kev, epss, csaf, cve, osv, openssl."`
	Host      []string          `placeholder:"NAME" help:"Further host to which a mirror or a provider leads; may be repeated."`
	Private   bool              `help:"What --from, --csaf and --host name may have addresses inside the organisation."`
	NVDKey    string            `name:"nvd-key" placeholder:"KEY" help:"Key for the API of NVD (default: NVD_API_KEY): it answers ten times as often."`
	Proxy     string            `placeholder:"URL" help:"Proxy (default: HTTPS_PROXY and NO_PROXY); none goes without."`
	CA        string            `name:"ca" placeholder:"FILE" help:"Certificates (PEM) to be trusted besides the system's."`
	Keep      bool              `help:"Keep what was downloaded, to be carried elsewhere."`
	Anew      bool              `help:"Get everything again, and leave aside what the index holds."`
	Quiet     bool              `short:"q" help:"Show no progress."`
}

// Run brings the index up to date. A source that fails does not stop the others.
func (c *dbUpdateCommand) Run(w *world) error {
	sources, err := c.sources()
	if err != nil {
		return err
	}
	path, _, err := c.path(w)
	if err != nil {
		return err
	}
	r, err := begin(w, path, c.Anew)
	if err != nil {
		return err
	}
	defer r.end()
	show := &updateProgress{w: w, on: w.screen && !c.Quiet}
	options, err := c.options(w, path, show)
	if err != nil {
		return err
	}
	s, err := supply.New(options, r.was)
	if err != nil {
		return err
	}
	var all []supply.Got
	var failed []string
	files := 0
	for _, source := range sources {
		got, err := s.Get(w.ctx, source)
		show.clear()
		if w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		summary(w, got, err)
		if err != nil {
			failed = append(failed, string(source))
		}
		files += len(got.Files)
		all = append(all, got)
	}
	more, err := c.build(w, r, s, all, files, show)
	if err != nil {
		return err
	}
	if failed = append(failed, more...); len(failed) > 0 {
		slices.Sort(failed)
		return fmt.Errorf("not up to date: %s failed", strings.Join(slices.Compact(failed), ", "))
	}
	return nil
}

// build adds to the index what was got, and returns the sources of which files were broken.
func (c *dbUpdateCommand) build(w *world, r *rebuild, s *supply.Supply, all []supply.Got, files int, show *updateProgress) ([]string, error) {
	if files == 0 {
		if r.old == nil {
			return nil, errors.New("nothing was got, and there is no index yet")
		}
		fmt.Fprintln(w.out, "nothing new: the index is as it was")
		return nil, s.Built(r.was, all, c.Keep)
	}
	show.say("building the index")
	var failed []string
	for i, got := range all {
		if len(got.Files) == 0 {
			continue
		}
		stats, err := r.files(w.ctx, got.Files)
		if w.ctx.Err() != nil {
			return nil, w.ctx.Err()
		}
		show.clear()
		records := 0
		var broken []string
		for _, st := range stats {
			if records += st.Records; st.Records > 0 {
				r.b.Read(got.Source, filepath.Base(st.Name))
			}
			if st.Broken > 0 {
				broken = append(broken, st.Name)
			}
			if st.Format == "" {
				continue
			}
			for _, p := range st.Problems[:min(len(st.Problems), 5)] {
				fmt.Fprintf(w.err, "vesalius: left out: %s\n", p)
			}
		}
		fmt.Fprintf(w.out, "%s: %d records read\n", got.Source, records)
		if err == nil && records == 0 {
			err, broken = errors.New("no records in what was published"), got.Files
		}
		if err != nil {
			fmt.Fprintf(w.err, "vesalius: %s: %v\n", got.Source, err)
			failed = append(failed, string(got.Source))
			if len(broken) == 0 {
				broken = got.Files
			}
			all[i] = got.Without(broken)
			continue
		}
		r.whole[got.Source] = got.Whole
	}
	done, err := r.finish(w.ctx)
	if err != nil {
		return nil, err
	}
	show.clear()
	done.write(w, r.path)
	now, err := digestFile(r.path)
	if err != nil {
		return nil, err
	}
	return failed, s.Built(now, all, c.Keep)
}

func (c *dbUpdateCommand) sources() ([]advisory.Source, error) {
	usual, further := supply.Sources()
	if len(c.Source) == 0 {
		if len(c.Ecosystem) > 0 {
			usual = append(usual, advisory.OSV)
		}
		return usual, nil
	}
	known := append(usual, further...)
	var list []advisory.Source
	for _, name := range c.Source {
		s := advisory.Source(name)
		if !slices.Contains(known, s) {
			return nil, called("--source %q: want some of %v", name, known)
		}
		list = append(list, s)
	}
	return list, nil
}

func (c *dbUpdateCommand) options(w *world, path string, show *updateProgress) (supply.Options, error) {
	o := supply.Options{
		Dir: downloads(path), From: c.From, Providers: c.CSAF, Hosts: c.Host, Private: c.Private, Ecosystems: c.Ecosystem,
		Key: cmp.Or(c.NVDKey, w.nvdKey), Now: w.now, Progress: show.update,
	}
	for name := range c.From {
		if !slices.ContainsFunc(supply.Publishers(), func(p supply.Publisher) bool { return p.Name == name }) {
			return o, called("--from %s=...: no such publisher", name)
		}
	}
	host, _ := os.Hostname()
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(host))
	o.Fetch = fetch.Options{Agent: "vesalius/" + version(), Loopback: w.local, Seed: seed.Sum64(), Now: time.Now}
	switch c.Proxy {
	case "none":
	case "":
		o.Fetch.Proxy = httpproxy.FromEnvironment().ProxyFunc()
	default:
		u, err := url.Parse(c.Proxy)
		if err != nil || u.Host == "" {
			return o, called("--proxy %q: want it as http://proxy.example:3128", c.Proxy)
		}
		o.Fetch.Proxy = func(*url.URL) (*url.URL, error) { return u, nil }
	}
	if c.CA != "" {
		pem, err := readPaper(c.CA)
		if err != nil {
			return o, err
		}
		o.Fetch.Roots = pem
	}
	return o, nil
}

// summary says what was got from one source.
func summary(w *world, got supply.Got, err error) {
	for i, p := range got.Problems {
		if i == 5 {
			fmt.Fprintf(w.err, "vesalius: %s: and %d documents more\n", got.Source, len(got.Problems)-i)
			break
		}
		fmt.Fprintf(w.err, "vesalius: %s: %s\n", got.Source, p)
	}
	if err != nil {
		fmt.Fprintf(w.err, "vesalius: %s: %v\n", got.Source, err)
		return
	}
	if len(got.Files) == 0 {
		fmt.Fprintf(w.out, "%s: nothing new\n", got.Source)
		return
	}
	fmt.Fprintf(w.out, "%s: %d files, %s\n", got.Source, len(got.Files), size(got.Bytes))
}

// updateProgress shows on a terminal what is being got.
type updateProgress struct {
	w  *world
	on bool

	mu    sync.Mutex
	shown bool
	last  time.Time
}

func (p *updateProgress) update(what string, done, total int64) {
	p.mu.Lock()
	quiet := !p.on || time.Since(p.last) < 100*time.Millisecond
	if !quiet {
		p.last = time.Now()
	}
	p.mu.Unlock()
	if quiet {
		return
	}
	switch {
	case strings.HasPrefix(what, "csaf ") || what == "nvd-api":
		p.say(fmt.Sprintf("%s: %d of %d", what, done, total))
	case total < 0:
		p.say(fmt.Sprintf("%s: %s", what, size(done)))
	default:
		p.say(fmt.Sprintf("%s: %s of %s", what, size(done), size(total)))
	}
}

func (p *updateProgress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on {
		p.shown = true
		fmt.Fprintf(p.w.err, "\r\x1b[K%s", printable(text))
	}
}

func (p *updateProgress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		p.shown = false
		fmt.Fprint(p.w.err, "\r\x1b[K")
	}
}
