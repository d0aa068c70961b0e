package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/feed"
	"github.com/vesalius-project/vesalius/internal/advisory/snapshot"
	"github.com/vesalius-project/vesalius/internal/advisory/supply"
)

// rebuild makes an index of the one that is there and of what is new. The one that is
// there works until the new one takes its place.
type rebuild struct {
	w     *world
	path  string
	old   *advisory.Index // nil where there is none
	was   string          // its digest
	b     *advisory.Builder
	whole map[advisory.Source]bool // what is read of them is all that they say
	free  func()                   // the lock

	mu      sync.Mutex
	read    map[advisory.Source]int // records
	touched map[string]uint8        // by id: which sources
}

// downloads is where an update keeps what it got for the index at a path.
func downloads(path string) string { return path + ".update" }

// begin locks the index at a path. anew leaves what it holds aside. The caller ends it.
func begin(w *world, path string, anew bool) (*rebuild, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	free, err := supply.Lock(path, fmt.Sprintf("process %d, since %s", os.Getpid(), w.now.UTC().Format("2006-01-02 15:04:05 UTC")))
	if err != nil {
		return nil, err
	}
	r := &rebuild{
		w: w, path: path, free: free, b: advisory.NewBuilder(advisory.BuildOptions{}),
		whole: map[advisory.Source]bool{}, read: map[advisory.Source]int{}, touched: map[string]uint8{},
	}
	removeStale(path)
	if anew {
		return r, nil
	}
	r.old, err = advisory.OpenFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		free()
		return nil, fmt.Errorf(`%w: make it anew with "vesalius db update --anew" or "vesalius db import --replace FILE"`, err)
	}
	if err == nil {
		if r.was, err = digestFile(path); err != nil {
			r.end()
			return nil, err
		}
	}
	return r, nil
}

func (r *rebuild) end() {
	if r.old != nil {
		r.old.Close()
	}
	r.free()
}

// files reads files of feeds.
func (r *rebuild) files(ctx context.Context, paths []string) ([]feed.Stats, error) {
	return feed.ReadAll(ctx, paths, runtime.GOMAXPROCS(0), r.add)
}

func (r *rebuild) add(rec advisory.Record) error {
	if err := r.b.Add(rec); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[rec.Source]++
	if rec.Source != advisory.EPSS {
		r.touched[strings.Clone(rec.ID)] |= bit(rec.Source)
	}
	return nil
}

// bit stands for a source.
func bit(s advisory.Source) uint8 {
	return 1 << slices.Index([]advisory.Source{advisory.NVD, advisory.CVE, advisory.KEV, advisory.CSAF, advisory.OSV, advisory.OpenSSL}, s)
}

// changes is what became of an index.
type changes struct {
	first           bool // there was none before
	info            advisory.Info
	fresh, modified int
	withdrawn       int
	exploited       []string // newly known to be
	notes           []string
}

// finish adds what is there already, writes the index and puts it in its place.
func (r *rebuild) finish(ctx context.Context) (changes, error) {
	c := changes{first: r.old == nil}
	base := r.old
	if base == nil {
		x, err := snapshot.Open()
		if err != nil {
			return c, err
		}
		defer x.Close()
		base = x
	}
	notes, err := r.carry(ctx, base)
	if err != nil {
		return c, err
	}
	c.notes = notes
	if c.info, err = r.b.WriteFile(r.path); err != nil {
		return c, err
	}
	if r.old == nil {
		return c, nil
	}
	x, err := advisory.OpenFile(r.path)
	if err != nil {
		return c, err
	}
	defer x.Close()
	return c, r.compare(x, &c)
}

// carry adds what the old index holds, but for sources of which all was read.
func (r *rebuild) carry(ctx context.Context, base *advisory.Index) ([]string, error) {
	info, err := base.Info()
	if err != nil {
		return nil, err
	}
	var notes []string
	drop := map[advisory.Source]bool{}
	for _, s := range info.Sources {
		n := r.read[s.Source]
		switch {
		case !r.whole[s.Source] || n == 0 || s.Source == advisory.EPSS: // forecasts are replaced one by one
		case r.old != nil && n < s.Records/2: // half a file, or a lie
			notes = append(notes, fmt.Sprintf("%s: only %d records were published where %d were known: those are kept", s.Source, n, s.Records))
		default:
			drop[s.Source] = true
		}
		if !drop[s.Source] {
			for _, f := range s.Files {
				r.b.Read(s.Source, f)
			}
		}
	}
	for v, err := range base.All() {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		for _, rec := range v.Records {
			if rec.Source == advisory.EPSS || drop[rec.Source] {
				continue
			}
			// A snapshot leaves out what a record says of products that it does not name.
			if r.old == nil && r.touched[rec.ID]&bit(rec.Source) != 0 {
				continue
			}
			if err := r.b.Add(rec); err != nil {
				return nil, err
			}
		}
	}
	for rec, err := range base.Forecasts() {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		if err := r.b.Add(rec); err != nil {
			return nil, err
		}
	}
	return notes, nil
}

// compare says what the new index has that the old one did not.
func (r *rebuild) compare(x *advisory.Index, c *changes) error {
	ids := make([]string, 0, len(r.touched))
	for id := range r.touched {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		now, err := x.Details(id)
		if errors.Is(err, advisory.ErrUnknown) {
			continue
		}
		if err != nil {
			return err
		}
		before, err := r.old.Details(id)
		switch {
		case errors.Is(err, advisory.ErrUnknown):
			before = &advisory.Vulnerability{}
			c.fresh++
		case err != nil:
			return err
		case now.Withdrawn() && !before.Withdrawn():
			c.withdrawn++
		case !now.Modified().Equal(before.Modified()) || len(now.Records) != len(before.Records):
			c.modified++
		}
		if now.Exploited() != nil && before.Exploited() == nil {
			c.exploited = append(c.exploited, now.ID)
		}
	}
	return nil
}

// write says what became of the index.
func (c changes) write(w *world, path string) {
	for _, n := range c.notes {
		fmt.Fprintf(w.out, "note: %s\n", n)
	}
	var bytes int64
	if info, err := os.Stat(path); err == nil {
		bytes = info.Size()
	}
	fmt.Fprintf(w.out, "index %s: %d vulnerabilities of %d products, %s, newest of %s\n", path, c.info.Vulnerabilities, c.info.Products, size(bytes), c.info.Date.Format("2006-01-02"))
	if c.first {
		return
	}
	fmt.Fprintf(w.out, "%d new, %d modified, %d withdrawn\n", c.fresh, c.modified, c.withdrawn)
	if n := len(c.exploited); n > 0 {
		const most = 20
		list := strings.Join(c.exploited[:min(n, most)], " ")
		if n > most {
			list += fmt.Sprintf(" and %d more", n-most)
		}
		fmt.Fprintf(w.out, "newly known to be exploited (%d): %s\n", n, list)
	}
}

// counts writes what was read, a line for each file and format.
func counts(w *world, stats []feed.Stats) error {
	var rows [][]string
	for _, s := range stats {
		if s.Format == "" {
			if s.Files > 0 {
				rows = append(rows, []string{printable(s.Name), "passed over", fmt.Sprintf("%d files of no format that is read", s.Files), ""})
			}
			continue
		}
		what := fmt.Sprintf("%d records", s.Records)
		if s.Files > 1 {
			what += fmt.Sprintf(" in %d files", s.Files)
		}
		if s.Skipped > 0 {
			what += fmt.Sprintf(", %d malformed and left out", s.Skipped)
		}
		if s.Broken > 0 {
			what += fmt.Sprintf(", %d broken", s.Broken)
		}
		of := ""
		if !s.Date.IsZero() {
			of = "of " + s.Date.Format("2006-01-02")
		}
		rows = append(rows, []string{printable(s.Name), s.Format, what, of})
	}
	if err := table(w.out, rows); err != nil {
		return err
	}
	for _, s := range stats {
		if s.Format == "" {
			continue
		}
		const most = 10
		for _, p := range s.Problems[:min(len(s.Problems), most)] {
			fmt.Fprintf(w.err, "vesalius: left out: %s\n", p)
		}
		if n := s.Skipped + s.Broken; n > most {
			fmt.Fprintf(w.err, "vesalius: left out: and %d more of %s\n", n-most, printable(s.Name))
		}
	}
	return nil
}
