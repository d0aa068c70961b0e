package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/supply"
)

type dbImportCommand struct {
	database
	Files   []string `arg:"" name:"file" help:"Files and directories: feeds of NVD, the CVE List, KEV, EPSS, CSAF, OSV or OpenSSL, compressed or in archives; or one bundle of the command db export."`
	Broken  bool     `name:"skip-broken" help:"Take what is whole when a file is broken, instead of nothing."`
	Replace bool     `help:"Leave aside what the index holds already."`
	Trust   string   `placeholder:"FILE" help:"Public key (PEM, Ed25519) that must have signed the bundle."`
}

// Run adds files to the index.
func (c *dbImportCommand) Run(w *world) error {
	path, _, err := c.path(w)
	if err != nil {
		return err
	}
	bundled := 0
	for _, f := range c.Files {
		if isBundle(f) {
			bundled++
		}
	}
	if bundled > 0 && len(c.Files) > 1 {
		return called("a bundle is imported by itself, without other files")
	}
	if bundled == 0 && c.Trust != "" {
		return called("--trust: %q is no bundle: only bundles are signed", c.Files[0])
	}
	r, err := begin(w, path, c.Replace)
	if err != nil {
		return err
	}
	defer r.end()
	if bundled > 0 {
		err = c.bundle(w, r)
	} else {
		err = c.feeds(w, r)
	}
	if err != nil {
		return err
	}
	done, err := r.finish(w.ctx)
	if err != nil {
		return err
	}
	done.write(w, path)
	now, err := digestFile(path)
	if err != nil {
		return err
	}
	return supply.Rebased(downloads(path), r.was, now)
}

func (c *dbImportCommand) feeds(w *world, r *rebuild) error {
	stats, err := r.files(w.ctx, c.Files)
	if werr := counts(w, stats); werr != nil {
		return werr
	}
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	records := 0
	for _, s := range stats {
		records += s.Records
		if s.Records > 0 {
			r.b.Read(s.Source, filepath.Base(s.Name))
		}
	}
	if records == 0 {
		if err == nil {
			err = fmt.Errorf("no records in it")
		}
		return fmt.Errorf("nothing was imported: %w", err)
	}
	if err != nil && !c.Broken {
		return fmt.Errorf("nothing was imported, the index is as it was (--skip-broken takes the rest): %w", err)
	}
	return nil
}

// bundle adds the index of a bundle, or takes it as it is where there is none.
func (c *dbImportCommand) bundle(w *world, r *rebuild) error {
	b, err := openBundle(c.Files[0], c.Trust)
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Fprintf(w.out, "%s: a bundle of %s, advisories of %s, %s\n", printable(filepath.Base(c.Files[0])), b.manifest.Made.Format("2006-01-02"), b.manifest.Info.Date.Format("2006-01-02"), b.signed())
	temp, err := b.unpack(filepath.Dir(r.path), "."+filepath.Base(r.path)+".")
	if err != nil {
		return err
	}
	defer os.Remove(temp) //nolint:errcheck // a temporary file
	x, err := advisory.OpenFile(temp)
	if err != nil {
		return err
	}
	defer x.Close()
	info, err := x.Info()
	if err != nil {
		return err
	}
	for _, s := range info.Sources { // what is not exploited any more in the bundle is not here
		r.whole[s.Source] = s.Source == advisory.KEV || s.Source == advisory.OpenSSL
		for _, f := range s.Files {
			r.b.Read(s.Source, f)
		}
	}
	for v, err := range x.All() {
		if err != nil {
			return err
		}
		for _, rec := range v.Records {
			if rec.Source == advisory.EPSS {
				continue
			}
			if err := r.add(rec); err != nil {
				return err
			}
		}
	}
	for rec, err := range x.Forecasts() {
		if err != nil {
			return err
		}
		if err := r.add(rec); err != nil {
			return err
		}
	}
	return nil
}
