package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/snapshot"
)

type dbCommand struct {
	Update dbUpdateCommand `cmd:"" help:"Get what is new from where it is published, and add it to the index."`
	Import dbImportCommand `cmd:"" help:"Add files that were carried here to the index: feeds in any of their forms, or a bundle."`
	Export dbExportCommand `cmd:"" help:"Write the index as a bundle to carry, or a snapshot of its facts."`
	Status dbStatusCommand `cmd:"" help:"Say where the index lies, what it holds and how old that is."`
}

// database says which index is meant.
type database struct {
	DB string `name:"db" placeholder:"FILE" help:"The index of advisories (default: VESALIUS_DB, else in the user's data directory)."`
}

// indexName is the index in the user's data directory.
const indexName = "advisories.vdb"

// path is where the index lies, and whether the user named it.
func (d database) path(w *world) (path string, named bool, err error) {
	if p := cmp.Or(d.DB, w.db); p != "" {
		return p, true, nil
	}
	if w.data == "" {
		return "", false, called("there is no directory for the user's data: name the index with --db FILE")
	}
	return filepath.Join(w.data, "vesalius", indexName), false, nil
}

// openIndex opens the index at a path; "" is the user's own, else the snapshot in the
// program. The note says of which date it is and whether an update is due. Close it.
func openIndex(w *world, path string) (*advisory.Index, string, error) {
	at, err := date(w, "")
	if err != nil {
		return nil, "", err
	}
	path, named, err := database{path}.path(w)
	if err != nil && w.data != "" {
		return nil, "", err
	}
	if path != "" {
		x, err := advisory.OpenFile(path)
		switch {
		case err == nil:
			note, err := ageNote(x, "advisories", at)
			if err != nil {
				x.Close()
				return nil, "", err
			}
			return x, note, nil
		case named && errors.Is(err, fs.ErrNotExist):
			return nil, "", fmt.Errorf(`no index of advisories at %q: run "vesalius db update" or "vesalius db import DIR"`, path)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, "", fmt.Errorf(`%w: make it anew with "vesalius db update --anew" or "vesalius db import --replace FILE"`, err)
		}
	}
	x, err := snapshot.Open()
	if err != nil {
		return nil, "", err
	}
	note, err := ageNote(x, "the snapshot of advisories in this program", at)
	return x, note, err
}

// ageNote says of which date an index is.
func ageNote(x *advisory.Index, what string, at time.Time) (string, error) {
	info, err := x.Info()
	if err != nil {
		return "", err
	}
	note := fmt.Sprintf("%s of %s", what, info.Known().Format(time.DateOnly))
	if old := ageOf(info, at); old > advisory.DueDays {
		note += fmt.Sprintf(`, %d days old: an update is due (vesalius db update)`, old)
	}
	return note, nil
}

// ageOf is how many days ago that was.
func ageOf(info advisory.Info, at time.Time) int {
	return max(0, int(at.Sub(info.Known()).Hours()/24))
}

// digestFile is the SHA-256 of a file; "" where there is none.
func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

type dbStatusCommand struct {
	database
	JSON bool `name:"json" help:"As JSON."`
}

// indexStatus is what the status says.
type indexStatus struct {
	Index      string        `json:"index"`    // the file; empty where there is none
	Snapshot   bool          `json:"snapshot"` // the program's own is in use
	Bytes      int64         `json:"bytes,omitzero"`
	AgeDays    int           `json:"age_days"`
	Due        bool          `json:"update_due"`
	Info       advisory.Info `json:"info"`
	Missing    []string      `json:"missing,omitempty"`    // sources that an index should have
	Incomplete []string      `json:"incomplete,omitempty"` // years of which more than a tenth is missing
}

// Run says what is known, and since when.
func (c *dbStatusCommand) Run(w *world) error {
	at, err := date(w, "")
	if err != nil {
		return err
	}
	path, _, err := c.path(w)
	if err != nil {
		path = "any place (there is no directory for the user's data)"
	}
	x, _, err := openIndex(w, c.DB)
	if err != nil {
		return err
	}
	defer x.Close()
	s := indexStatus{Index: path}
	if s.Info, err = x.Info(); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil {
		s.Bytes = info.Size()
	} else {
		s.Index, s.Snapshot = "", true
	}
	s.AgeDays = ageOf(s.Info, at)
	s.Incomplete = incomplete(s.Info)
	s.Due = s.AgeDays > advisory.DueDays || s.Snapshot
	have := map[advisory.Source]bool{}
	for _, i := range s.Info.Sources {
		have[i.Source] = i.Records > 0
	}
	for _, need := range []advisory.Source{advisory.NVD, advisory.KEV, advisory.EPSS, advisory.CSAF} {
		if !have[need] {
			s.Missing = append(s.Missing, string(need))
		}
	}
	if c.JSON {
		return writeJSON(w.out, s)
	}
	return s.write(w.out, path)
}

func (s indexStatus) write(w io.Writer, path string) error {
	if s.Snapshot {
		fmt.Fprintf(w, "index     none at %s: the snapshot in this program is in use\n", path)
	} else {
		fmt.Fprintf(w, "index     %s, %s\n", s.Index, size(s.Bytes))
	}
	fmt.Fprintf(w, "date      %s, %d days ago\n", s.Info.Known().Format(time.DateOnly), s.AgeDays)
	fmt.Fprintf(w, "holds     %d vulnerabilities of %d products\n\n", s.Info.Vulnerabilities, s.Info.Products)
	rows := [][]string{{"SOURCE", "RECORDS", "NEWEST", "FILES"}}
	for _, i := range s.Info.Sources {
		newest := "unknown"
		if !i.Newest.IsZero() {
			newest = i.Newest.Format(time.DateOnly)
		}
		rows = append(rows, []string{string(i.Source), strconv.Itoa(i.Records), newest, strconv.Itoa(len(i.Files))})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	if err := s.years(w); err != nil {
		return err
	}
	for _, m := range s.Missing {
		fmt.Fprintf(w, "missing: nothing of %s is in the index\n", m)
	}
	switch {
	case s.Snapshot:
		fmt.Fprintln(w, `an update is due: the snapshot holds facts of some products only (run "vesalius db update", or "vesalius db import FILE" without a network)`)
	case s.Due:
		fmt.Fprintf(w, "an update is due: what is newer than %s is not known (run \"vesalius db update\", or \"vesalius db import FILE\" without a network)\n", s.Info.Known().Format(time.DateOnly))
	}
	return nil
}

// years says how complete the index is: what of the ids that EPSS knows it holds.
func (s indexStatus) years(w io.Writer) error {
	list := s.Info.Years
	fmt.Fprintln(w)
	if len(s.Info.Chosen) > 0 {
		list = s.Info.Chosen
		fmt.Fprintln(w, "It was chosen from these:")
	}
	rows := [][]string{{"YEAR", "HELD", "NAME A PRODUCT", "MISSING"}}
	some := false
	for _, y := range list {
		some = some || y.Forecasts > 0
		if y.Vulnerabilities > 0 || y.Forecasts > 0 {
			rows = append(rows, []string{strconv.Itoa(y.Year), strconv.Itoa(y.Vulnerabilities), strconv.Itoa(y.Placed), strconv.Itoa(y.Missing)})
		}
	}
	if !some {
		fmt.Fprintln(w, "How complete each year is cannot be said: there are no scores of EPSS.")
		return nil
	}
	if err := table(w, rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if len(s.Incomplete) > 0 {
		fmt.Fprintf(w, "incomplete: of %s more than a tenth of what EPSS knows is missing\n", strings.Join(s.Incomplete, ", "))
	}
	return nil
}

// incomplete lists the years of which more than a tenth is missing.
func incomplete(info advisory.Info) []string {
	list := info.Years
	if len(info.Chosen) > 0 {
		list = info.Chosen
	}
	var out []string
	for _, y := range list {
		if y.Missing*10 > y.Forecasts {
			out = append(out, strconv.Itoa(y.Year))
		}
	}
	return out
}

// removeStale removes what a killed run left beside a file that it was making.
func removeStale(path string) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "."+base+".") && e.Type().IsRegular() {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
