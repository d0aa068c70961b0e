package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/cache"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/witness/claim"
	"github.com/vesalius-project/vesalius/internal/witness/design"
)

type scanCommand struct {
	Image string `arg:"" help:"Firmware image, archive, disk image or directory; example:NAME or example:NAME-fixed is a replica built on the spot (pump, monitor, gateway, central, legacy)."`

	output
	gate
	Design  string   `placeholder:"FILE" help:"device.yaml: what the maker intends."`
	SBOM    []string `name:"sbom" placeholder:"FILE" help:"A declared SBOM (CycloneDX or SPDX), to be held against what is found."`
	Claims  []string `placeholder:"FILE" help:"A paper of the vendor (MDS2 form, SBOM, list of ports), to be held against what is found."`
	Part    string   `placeholder:"NAME" help:"Which image of the device it is (host, controller, radio ...)."`
	Extract string   `placeholder:"DIR" help:"Write the files of every root below DIR, which is made and must not exist."`
	At      string   `placeholder:"DATE" help:"The date of the assessment, as 2026-11-24 (default: SOURCE_DATE_EPOCH, else now)."`
	Quiet   bool     `short:"q" help:"Show no progress."`
	Cache   string   `placeholder:"DIR" help:"Where to keep what was seen of contents, so that the next scan reads only what changed (default: the user's cache directory)."`
	NoCache bool     `help:"Keep nothing, and use nothing that was kept."`

	Baseline string `placeholder:"FILE" help:"Dossier of the release before: only what is new against it decides the exit code, and SARIF says what is new, unchanged and absent."`

	MaxBytes    bytesFlag     `placeholder:"SIZE" help:"Bytes that opening may produce (default 16G)."`
	MaxFiles    int64         `placeholder:"N" help:"Entries of all trees (default 5000000)."`
	MaxFileSize bytesFlag     `placeholder:"SIZE" help:"Bytes of one file or stream (default 16G)."`
	MaxMemory   bytesFlag     `placeholder:"SIZE" help:"Bytes of one content held in memory; larger ones go to a temporary file (default 32M)."`
	MaxDepth    int           `placeholder:"N" help:"Containers inside containers (default 16)."`
	MaxRatio    int64         `placeholder:"N" help:"Times a stream may expand, beyond 64 MiB (default 800)."`
	MaxTries    int64         `placeholder:"N" help:"Password trials, weighted: one of md5crypt is 1 (default 200000)."`
	Timeout     time.Duration `default:"30m" help:"Time after which the scan is given up, as 10m."`
}

// Run scans one input and reports.
func (c *scanCommand) Run(w *world) error {
	at, err := date(w, c.At)
	if err != nil {
		return err
	}
	form, err := c.form()
	if err != nil {
		return err
	}
	var was *dossier.Dossier
	if c.Baseline != "" {
		if c.Policy != "" {
			return called("--baseline and --policy: a policy judges the whole device, not what is new: ask one of them (the command judge asks a policy of the dossier)")
		}
		if c.Redact {
			return called("--baseline and --redact: what changed would tell what is left out")
		}
		if was, err = readDossier(c.Baseline); err != nil {
			return err
		}
	}
	d, g, blind := c.scan(w, at)
	if d == nil {
		return blind
	}
	d.Sort()
	var change *dossier.Difference
	if was != nil {
		change = dossier.Compare(was, d)
	}
	if err := c.write(w, form, d, change); err != nil {
		return err
	}
	if blind != nil {
		return blind
	}
	if change != nil {
		return g.news(change)
	}
	return g.verdict(d)
}

// scan opens and judges the input. Where nothing was recognised in it there is an error
// and a dossier of the gaps; at every other error there is none.
func (c *scanCommand) scan(w *world, at time.Time) (*dossier.Dossier, *gated, error) {
	job, input, err := c.open(at)
	if err != nil {
		return nil, nil, err
	}
	files := scanFiles{input: input}
	defer func() { files.close() }()
	if files.spill, err = temporary(); err != nil {
		return nil, nil, err
	}
	if files.learned, err = temporary(); err != nil {
		return nil, nil, err
	}
	memory, err := c.remember(w, &job, &files)
	if err != nil {
		return nil, nil, err
	}
	if c.Extract != "" {
		if err := os.Mkdir(c.Extract, 0o755); err != nil {
			return nil, nil, called("--extract: %w", err)
		}
		if job.Extract, err = filepath.Abs(c.Extract); err != nil {
			return nil, nil, err
		}
	}
	d := &dossier.Dossier{Schema: dossier.Schema, At: at}
	if err := c.papers(d); err != nil {
		return nil, nil, err
	}

	started := time.Now()
	show := newProgress(w, c.Quiet)
	wait, stop := walledScan(w.ctx, job, files, show.update)
	g, err := c.prepare(w, at) // while the child reads
	if err != nil {
		stop()
	}
	r, scanErr := wait()
	show.done()
	if err := cmp.Or(err, scanErr); err != nil {
		return nil, nil, err
	}
	defer g.close()
	d.Tool = tool(g.rules)
	scanned := time.Now()
	if err := memory.Add(files.learned, r.Learned); err != nil {
		fmt.Fprintf(w.err, "vesalius: nothing is kept for the next scan: %v\n", err)
	}
	d.Facts.Merge(&r.Facts)
	d.Coverage = append(d.Coverage, r.Coverage...)
	d.Gaps = r.Gaps
	d.Inputs = append(d.Inputs, dossier.Input{Name: job.Name, SHA256: r.SHA256, Size: job.Size, Witness: fact.Firmware, Part: c.Part})
	d.Layers = r.Layers
	if err := g.judge(d); err != nil {
		return nil, nil, err
	}
	d.Run = dossier.Run{
		Walls: r.Walls, Limits: dossier.LimitsOf(budget.New(job.Limits).Limits()), Spent: dossier.Spent{Bytes: r.Bytes, Files: r.Files},
		Padding: r.Padding, Unknown: r.Unknown, Cache: dossier.Cache{Hits: r.Hits, Misses: r.Misses},
		Timings: []dossier.Timing{
			{Step: "scan", Milliseconds: scanned.Sub(started).Milliseconds()},
			{Step: "judge", Milliseconds: time.Since(scanned).Milliseconds()},
		},
	}
	if r.Recognised == 0 {
		return d, g, fmt.Errorf("%s: no file system, archive or firmware was recognised in it: nothing could be judged", job.Name)
	}
	return d, g, nil
}

// open opens the input.
func (c *scanCommand) open(at time.Time) (scanJob, *os.File, error) {
	job := scanJob{
		Name: filepath.Base(c.Image), At: at, Timeout: c.Timeout,
		Limits: budget.Limits{
			Bytes: int64(c.MaxBytes), Files: c.MaxFiles, FileSize: int64(c.MaxFileSize), Memory: int64(c.MaxMemory),
			Depth: c.MaxDepth, Ratio: c.MaxRatio, Tries: c.MaxTries,
		},
	}
	if name, ok := strings.CutPrefix(c.Image, "example:"); ok {
		twin, fixed := strings.CutSuffix(name, "-fixed")
		r, err := examples.Open(twin)
		if err != nil {
			return job, nil, called("%w", err)
		}
		file, data, err := r.Build(fixed)
		if err != nil {
			return job, nil, err
		}
		f, err := temporary()
		if err != nil {
			return job, nil, err
		}
		job.Name, job.Size = file, int64(len(data))
		_, err = f.Write(data)
		return job, f, err
	}
	f, err := os.Open(c.Image)
	if err != nil {
		return job, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return job, nil, err
	}
	switch {
	case info.IsDir():
		if job.Dir, err = filepath.Abs(c.Image); err != nil {
			f.Close()
			return job, nil, err
		}
		job.Name = filepath.Base(job.Dir)
		return job, f, nil
	case info.Mode().IsRegular():
		job.Size = info.Size()
	default: // a block device, perhaps: its end says its size
		if job.Size, err = f.Seek(0, io.SeekEnd); err != nil {
			f.Close()
			return job, nil, fmt.Errorf("%s: neither a file nor a directory: %w", c.Image, err)
		}
	}
	if job.Size == 0 {
		f.Close()
		return job, nil, fmt.Errorf("%s: the file is empty", c.Image)
	}
	return job, f, nil
}

// cacheBytes bounds the cache on the disk.
const cacheBytes = 1 << 30

// remember opens the cache.
func (c *scanCommand) remember(w *world, job *scanJob, files *scanFiles) (cache.Dir, error) {
	dir := cache.Dir{Path: c.Cache, MaxBytes: cacheBytes, MaxFiles: 64}
	if c.NoCache || c.Cache == "" && w.cache == "" {
		return dir, nil
	}
	if dir.Path == "" {
		dir.Path = filepath.Join(w.cache, "vesalius")
	}
	var err error
	if files.segments, err = dir.Segments(); err != nil {
		return dir, fmt.Errorf("cache: %w", err)
	}
	job.Segments, job.CacheKey = len(files.segments), w.build
	return dir, nil
}

// papers adds what the design and the vendor's papers say.
func (c *scanCommand) papers(d *dossier.Dossier) error {
	if c.Design != "" {
		if err := addPaper(d, c.Design, fact.Design, design.Read); err != nil {
			return err
		}
	}
	for _, p := range c.SBOM {
		if err := addPaper(d, p, fact.Claimed, claim.SBOM); err != nil {
			return err
		}
	}
	for _, p := range c.Claims {
		if err := addPaper(d, p, fact.Claimed, claim.Read); err != nil {
			return err
		}
	}
	return nil
}

// progress shows on a terminal how far a scan is.
type progress struct {
	w     *world
	on    bool
	shown bool
}

func newProgress(w *world, quiet bool) *progress { return &progress{w: w, on: w.screen && !quiet} }

func (p *progress) update(s image.Progress) {
	if !p.on {
		return
	}
	p.shown = true
	layer := s.Layer
	if r := []rune(layer); len(r) > 48 {
		layer = "…" + string(r[len(r)-47:])
	}
	fmt.Fprintf(p.w.err, "\r\x1b[K%s of %s, %d files, in %s", size(s.Done), size(s.Total), s.Files, printable(layer))
}

func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.w.err, "\r\x1b[K")
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
