package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory/support"
	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/component/signature"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/remedy"
	"github.com/vesalius-project/vesalius/internal/remedy/control"
	"github.com/vesalius-project/vesalius/internal/remedy/fix"
	"github.com/vesalius-project/vesalius/internal/wall"
	"github.com/vesalius-project/vesalius/internal/witness/firmware"
)

type fixCommand struct {
	Image string `arg:"" help:"Firmware image, archive, disk image or directory; or example:NAME."`
	Out   string `short:"o" required:"" placeholder:"DIR" help:"Where to write the mended image, the differences, the overlays and the proof; it is made and must not exist."`

	Only     []string `placeholder:"FIX" help:"Apply only these fixes."`
	Except   []string `placeholder:"FIX" help:"Apply all but these fixes."`
	Agree    []string `sep:"none" placeholder:"FIX=NAME" help:"Apply a fix that may touch care, because the named person has decided so."`
	Verifier string   `placeholder:"DIR" type:"existingdir" help:"Directory of the verifier of updates (make verifier) and the maker's key update.pub, with which a home-made updater is made to check signatures."`

	gate
	Design  string        `placeholder:"FILE" help:"device.yaml: what the maker intends; the controls are made by it."`
	Form    string        `short:"f" default:"text" placeholder:"FORM" help:"Form of the report."`
	At      string        `placeholder:"DATE" help:"The date of the assessment, as 2026-11-24 (default: SOURCE_DATE_EPOCH, else now)."`
	Quiet   bool          `short:"q" help:"Show no progress."`
	Timeout time.Duration `default:"30m" help:"Time after which the work is given up, as 10m."`
}

// walledFixWord is the argument by which the program knows that it is the child that mends.
const walledFixWord = "walled-fix"

// fixJob is what the parent asks of the child that mends.
type fixJob struct {
	Scan   scanJob
	Rules  []*judge.Rule
	Only   []string
	Except []string
	Agree  map[string]string // fix -> who decided
	Out    string            // directory to write into

	Verifier string // directory of the verifier of updates, "" for none
}

// fixResult is what became of an image.
type fixResult struct {
	Before, After *scanResult
	Remedies      []remedy.Remedy
	NoImage       string
	Notes         []string
}

// Run mends one image and delivers what holds.
func (c *fixCommand) Run(w *world) error {
	at, err := date(w, c.At)
	if err != nil {
		return err
	}
	o := output{Form: c.Form, Color: "auto"}
	form, err := o.form()
	if err != nil {
		return err
	}
	job := fixJob{Only: c.Only, Except: c.Except, Agree: map[string]string{}}
	for _, id := range append(slices.Clone(c.Only), c.Except...) {
		if err := knownFix(id); err != nil {
			return err
		}
	}
	for _, a := range c.Agree {
		id, who, ok := strings.Cut(a, "=")
		if !ok || strings.TrimSpace(who) == "" {
			return called("--agree %q: want FIX=NAME, the name of who decided", a)
		}
		if err := knownFix(id); err != nil {
			return err
		}
		job.Agree[id] = who
	}
	if c.Verifier != "" {
		if job.Verifier, err = filepath.Abs(c.Verifier); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(c.Out); err == nil {
		return called("-o %s: exists already", c.Out)
	}
	g, err := c.prepare(w, at)
	if err != nil {
		return err
	}
	defer g.close()
	job.Rules = g.rules
	scan := scanCommand{Image: c.Image, Timeout: c.Timeout}
	var files scanFiles
	defer func() { files.close() }()
	if job.Scan, files.input, err = scan.open(at); err != nil {
		return err
	}
	if files.spill, err = temporary(); err != nil {
		return err
	}
	if files.learned, err = temporary(); err != nil {
		return err
	}
	part := c.Out + ".part"
	if err := os.Mkdir(part, 0o755); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(part) }() // gone where it was renamed
	if job.Out, err = filepath.Abs(part); err != nil {
		return err
	}
	show := newProgress(w, c.Quiet)
	r, err := fixBehindWalls(w.ctx, job, files, show.update)
	show.done()
	if err != nil {
		return err
	}
	d, err := c.deliver(g, job, r, part)
	if err != nil {
		return err
	}
	if err := os.Rename(part, c.Out); err != nil {
		return err
	}
	return o.write(w, form, d, nil)
}

// knownFix refuses the name of a fix that there is not.
func knownFix(id string) error {
	if slices.ContainsFunc(fix.All(), func(f remedy.Fix) bool { return f.ID == id }) {
		return nil
	}
	return called("%q is no fix", id)
}

// deliver adds the dossier of the copy to what the child wrote.
func (c *fixCommand) deliver(g *gated, job fixJob, r *fixResult, dir string) (*dossier.Dossier, error) {
	d := &dossier.Dossier{Schema: dossier.Schema, At: g.at, Tool: tool(g.rules)}
	d.Facts, d.Coverage, d.Gaps, d.Layers = r.After.Facts, r.After.Coverage, r.After.Gaps, r.After.Layers
	d.Inputs = []dossier.Input{{Name: job.Scan.Name, SHA256: r.After.SHA256, Size: r.After.Size, Witness: fact.Firmware}}
	if err := (&scanCommand{Design: c.Design}).papers(d); err != nil {
		return nil, err
	}
	if err := g.judge(d); err != nil {
		return nil, err
	}
	d.Remedies = r.Remedies
	d.Run = dossier.Run{Walls: r.After.Walls, Limits: dossier.LimitsOf(budget.New(job.Scan.Limits).Limits())}
	d.Sort()
	if err := writeControls(filepath.Join(dir, "controls"), control.Input{Facts: &d.Facts, Findings: d.Findings}); err != nil {
		return nil, err
	}
	return d, writeFile(filepath.Join(dir, "fixed.dossier.json"), d.Write)
}

func fixBehindWalls(ctx context.Context, job fixJob, in scanFiles, progress func(image.Progress)) (*fixResult, error) {
	if runtime.GOOS == "windows" {
		return mend(ctx, job, in, progress)
	}
	m, err := behindWalls(ctx, walledFixWord, &job, job.Scan, []*os.File{in.spill, in.learned, in.input}, progress)
	return m.Fixed, err
}

// walledFixMain is the child that mends.
func walledFixMain() int {
	answer := answers()
	var job fixJob
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return answer(message{Error: fmt.Sprintf("fix job: %v", err)})
	}
	rights := wall.Rights{SpillSize: budget.New(job.Scan.Limits).Limits().Bytes, WriteDirs: []string{job.Out}}
	if job.Scan.Dir != "" {
		rights.ReadDirs = []string{job.Scan.Dir}
	}
	if job.Verifier != "" {
		rights.ReadDirs = append(rights.ReadDirs, job.Verifier)
	}
	walls := wall.Raise(rights)
	in := scanFiles{input: os.NewFile(fdInput, "input"), spill: os.NewFile(fdSpill, "spill"), learned: os.NewFile(fdLearned, "learned")}
	r, err := mend(context.Background(), job, in, func(p image.Progress) { answer(message{Progress: &p}) }) // the parent ends the process
	if err != nil {
		return answer(message{Error: err.Error(), Timeout: errors.Is(err, context.DeadlineExceeded)})
	}
	r.After.Walls = walls
	return answer(message{Fixed: r})
}

// mend does the work of a fix job.
func mend(ctx context.Context, job fixJob, files scanFiles, progress func(image.Progress)) (*fixResult, error) {
	if job.Scan.Timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, job.Scan.Timeout)
		defer stop()
	}
	matcher := sync.OnceValues(signature.Matcher) // one for the looks before and after
	judger, err := judge.New(job.Rules)
	if err != nil {
		return nil, err
	}
	in := firmware.Input{Name: job.Scan.Name}
	var gaps []fact.Gap
	if job.Scan.Dir != "" {
		if in.Nodes, gaps, err = image.Tree(job.Scan.Dir); err != nil {
			return nil, err
		}
	} else {
		in.Blob = image.ReaderBlob(files.input, job.Scan.Size)
	}
	spill := image.NewSpill(files.spill)
	opening := func() image.Options {
		return image.Options{
			Formats: format.All(), Budget: budget.New(job.Scan.Limits), Spill: spill,
			Workers: cmp.Or(job.Scan.Workers, runtime.GOMAXPROCS(0)), Progress: progress,
		}
	}
	rules := map[string]*judge.Rule{}
	for _, r := range job.Rules {
		rules[r.ID] = r
	}
	res, err := remedy.Run(ctx, in, remedy.Options{
		Image: opening(), Rules: rules, Fixes: fix.All(), Choose: job.choose, Verifier: job.verifier(),
		Examine: func(ctx context.Context, in firmware.Input) (*remedy.Exam, error) {
			r, err := firmware.Examine(ctx, in, firmware.Options{Image: opening(), At: job.Scan.At, Signatures: matcher})
			if err != nil {
				return nil, err
			}
			r.Gaps = append(r.Gaps, gaps...)
			if err := support.State(&r.Facts, job.Scan.At); err != nil {
				return nil, err
			}
			findings, err := judger.Judge(judge.Input{Facts: &r.Facts, Coverage: r.Coverage, Gaps: r.Gaps})
			return &remedy.Exam{Result: r, Findings: findings}, err
		},
	})
	if err != nil {
		return nil, err
	}
	out, err := os.OpenRoot(job.Out)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := res.Deliver(out, job.Scan.Name); err != nil {
		return nil, err
	}
	r := &fixResult{Before: examResult(res.Before), After: examResult(res.After), Remedies: res.Remedies, NoImage: res.NoImage}
	if res.Image != nil {
		r.After.SHA256 = sha256Of(res.Image)
	}
	for _, n := range res.Notes {
		r.Notes = append(r.Notes, n.Layer.Place.String()+": "+n.Text)
	}
	return r, nil
}

// examResult is an examined image as it goes to the parent.
func examResult(e *remedy.Exam) *scanResult {
	r := &scanResult{
		Facts: e.Facts, Coverage: e.Coverage, Gaps: e.Gaps, Size: e.Image.Size, Padding: e.Image.Padding, Unknown: e.Image.Unknown,
		Bytes: e.Image.Bytes, Files: e.Image.Files, Recognised: e.Recognised,
	}
	for _, l := range e.Image.Layers {
		r.Layers = append(r.Layers, dossier.Layer{Place: l.Place.String(), Format: l.Format.Name, Part: l.Part, Size: l.Size, Files: len(l.Nodes)})
	}
	return r
}

// choose says whether a fix may be applied: what may touch care only where a named person
// has decided so.
func (j *fixJob) choose(f *remedy.Fix, _ *judge.Finding) (bool, string) {
	who, agreed := j.Agree[f.ID]
	switch {
	case len(j.Only) > 0 && !slices.Contains(j.Only, f.ID):
		return false, "not asked for"
	case slices.Contains(j.Except, f.ID):
		return false, "excepted by who called it"
	case f.Care == remedy.Clinical && !agreed:
		return false, "it may touch care: a named person has to decide (--agree " + f.ID + "=NAME)"
	}
	return true, who
}

// maxVerifier bounds the files of the verifier.
const maxVerifier = 16 << 20

// verifier returns the reader of the verifier's files, nil where none are named.
func (j *fixJob) verifier() func(name string) ([]byte, error) {
	if j.Verifier == "" {
		return nil
	}
	return func(name string) ([]byte, error) {
		dir, err := os.OpenRoot(j.Verifier)
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		f, err := dir.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%q is not in the directory of --verifier", name)
		}
		defer f.Close()
		var b bytes.Buffer
		if n, err := io.Copy(&b, io.LimitReader(f, maxVerifier+1)); err != nil || n > maxVerifier {
			return nil, cmp.Or(err, fmt.Errorf("%q: more than %d bytes", name, maxVerifier))
		}
		return b.Bytes(), nil
	}
}
