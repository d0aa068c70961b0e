package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/cache"
	"github.com/vesalius-project/vesalius/internal/component/signature"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format"
	"github.com/vesalius-project/vesalius/internal/wall"
	"github.com/vesalius-project/vesalius/internal/witness/firmware"
)

// walledWord is the argument by which the program knows that it is the walled child.
const walledWord = "walled-scan"

// The descriptors that a walled child is given. The cache's segments follow.
const (
	fdResult = 3 + iota
	fdSpill
	fdLearned
	fdInput
	fdSegments
)

// scanJob is what the parent asks of the walled child.
type scanJob struct {
	Name    string // base name of the input
	Size    int64
	Dir     string // the directory that is the input, else empty
	Limits  budget.Limits
	Timeout time.Duration
	At      time.Time
	Workers int
	Extract string // directory to write the roots into, else empty

	Segments int    // of the cache, which follow the other files
	CacheKey string // empty where nothing is to be remembered
}

// scanResult is what a scan found.
type scanResult struct {
	Facts    fact.Set
	Coverage []fact.Coverage
	Gaps     []fact.Gap
	Layers   []dossier.Layer
	Size     int64
	Padding  int64
	Unknown  int64
	Bytes    int64
	Files    int64
	SHA256   string
	Walls    []wall.Wall
	Written  int // files that were extracted
	Hits     int64
	Misses   int64
	Learned  int64 // bytes of the cache's new segment

	Recognised int
}

// message is one line from the child to the parent.
type message struct {
	Progress *image.Progress `json:",omitempty"`
	Result   *scanResult     `json:",omitempty"`
	Fixed    *fixResult      `json:",omitempty"`
	Error    string          `json:",omitempty"`
	Timeout  bool            `json:",omitempty"`
}

// answers returns what a child answers with: the exit code is that of having answered.
func answers() func(message) int {
	out := bufio.NewWriterSize(os.NewFile(fdResult, "result"), 1<<16)
	enc := json.NewEncoder(out)
	var mu sync.Mutex // progress comes from several goroutines
	return func(m message) int {
		mu.Lock()
		defer mu.Unlock()
		err := enc.Encode(m)
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return exitBlind
		}
		return exitGood
	}
}

// Beyond so many files memory is dearer than time: garbage may grow to this part of what
// is held, in percent, and no more.
const crowded, crowdedGC = 30_000, 60

// walledMain is the child: it gives up its rights, reads, and answers.
func walledMain() int {
	answer := answers()
	var job scanJob
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return answer(message{Error: fmt.Sprintf("scan job: %v", err)})
	}
	rights := wall.Rights{SpillSize: budget.New(job.Limits).Limits().Bytes}
	if job.Dir != "" {
		rights.ReadDirs = []string{job.Dir}
	}
	if job.Extract != "" {
		rights.WriteDirs = []string{job.Extract}
	}
	walls := wall.Raise(rights)
	in := scanFiles{input: os.NewFile(fdInput, "input"), spill: os.NewFile(fdSpill, "spill"), learned: os.NewFile(fdLearned, "learned")}
	for i := range job.Segments {
		in.segments = append(in.segments, os.NewFile(fdSegments+uintptr(i), "segment"))
	}
	ctx := context.Background() // the parent ends the process
	r, err := examine(ctx, job, in, func(p image.Progress) {
		if p.Files > crowded {
			debug.SetGCPercent(crowdedGC)
		}
		answer(message{Progress: &p})
	})
	if err != nil {
		return answer(message{Error: err.Error(), Timeout: errors.Is(err, context.DeadlineExceeded)})
	}
	r.Walls = walls
	return answer(message{Result: r})
}

// scanFiles are the open files of a scan.
type scanFiles struct {
	input    *os.File // of a directory, the directory
	spill    *os.File
	learned  *os.File // takes the new segment of the cache
	segments []*os.File
}

func (f *scanFiles) close() {
	for _, f := range append([]*os.File{f.input, f.spill, f.learned}, f.segments...) {
		if f != nil {
			f.Close()
		}
	}
}

// examine opens the input of a job and states its facts.
func examine(ctx context.Context, job scanJob, files scanFiles, progress func(image.Progress)) (*scanResult, error) {
	if job.Timeout > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, job.Timeout)
		defer stop()
	}
	o := firmware.Options{
		Image: image.Options{
			Formats: format.All(), Budget: budget.New(job.Limits), Spill: image.NewSpill(files.spill),
			Workers: cmp.Or(job.Workers, runtime.GOMAXPROCS(0)), Progress: progress,
		},
		At: job.At, Signatures: signature.Matcher,
	}
	if job.CacheKey != "" {
		o.Cache, o.CacheKey = cache.Open(files.segments), job.CacheKey
	}
	in := firmware.Input{Name: job.Name}
	var gaps []fact.Gap
	var err error
	digest := make(chan string, 1)
	if job.Dir != "" {
		if in.Nodes, gaps, err = image.Tree(job.Dir); err != nil {
			return nil, err
		}
		digest <- "" // a directory has none
	} else {
		in.Blob = image.ReaderBlob(files.input, job.Size)
		go func() { digest <- sha256Of(in.Blob) }()
	}
	res, err := firmware.Examine(ctx, in, o)
	if err != nil {
		return nil, err
	}
	r := &scanResult{
		Facts: res.Facts, Coverage: res.Coverage, Gaps: append(res.Gaps, gaps...), Size: res.Image.Size, Padding: res.Image.Padding,
		Unknown: res.Image.Unknown, Bytes: res.Image.Bytes, Files: res.Image.Files, SHA256: <-digest,
		Recognised: res.Recognised, Hits: res.Hits, Misses: res.Misses,
	}
	if r.Learned, err = o.Cache.WriteTo(files.learned); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	for _, l := range res.Image.Layers {
		r.Layers = append(r.Layers, dossier.Layer{Place: l.Place.String(), Format: l.Format.Name, Part: l.Part, Size: l.Size, Files: len(l.Nodes)})
	}
	if job.Extract != "" {
		for _, root := range res.Roots {
			n, gaps, err := root.Extract(job.Extract)
			if err != nil {
				return nil, err
			}
			r.Written += n
			r.Gaps = append(r.Gaps, gaps...)
		}
	}
	return r, nil
}

// sha256Of gives the digest of the input, empty where it cannot be read to its end.
func sha256Of(b *image.Blob) string {
	h := sha256.New()
	if _, err := b.WriteTo(h); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// walledScan starts the job in a walled child where the system can, else in this process,
// which the result then says. wait gives its result, stop ends it early.
func walledScan(ctx context.Context, job scanJob, in scanFiles, progress func(image.Progress)) (wait func() (*scanResult, error), stop func()) {
	ctx, stop = context.WithCancel(ctx)
	type answer struct {
		r   *scanResult
		err error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := scanBehindWalls(ctx, job, in, progress)
		done <- answer{r, err}
	}()
	return func() (*scanResult, error) {
		a := <-done
		stop()
		return a.r, a.err
	}, stop
}

func scanBehindWalls(ctx context.Context, job scanJob, in scanFiles, progress func(image.Progress)) (*scanResult, error) {
	if runtime.GOOS == "windows" {
		r, err := examine(ctx, job, in, progress)
		if err == nil {
			r.Walls = wall.Raise(wall.Rights{})
		}
		return r, err
	}
	m, err := behindWalls(ctx, walledWord, &job, job, append([]*os.File{in.spill, in.learned, in.input}, in.segments...), progress)
	return m.Result, err
}

// behindWalls starts this program again as a walled child, gives it an order and files,
// and returns its answer.
func behindWalls(ctx context.Context, word string, order any, job scanJob, files []*os.File, progress func(image.Progress)) (message, error) {
	exe, err := os.Executable()
	if err != nil {
		return message{}, err
	}
	text, err := json.Marshal(order)
	if err != nil {
		return message{}, err
	}
	from, to, err := os.Pipe()
	if err != nil {
		return message{}, err
	}
	defer from.Close()
	var complaint bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := wall.Start(ctx, exe, []string{word}, []string{"GOTRACEBACK=single"}, append([]*os.File{to}, files...), bytes.NewReader(text), &complaint)
		to.Close()
		ended <- err
	}()
	last, readErr := listen(from, progress)
	err = <-ended
	switch {
	case ctx.Err() != nil:
		return last, ctx.Err()
	case last.Timeout:
		return last, fmt.Errorf("%s: not finished within the time limit of %v: raise it with --timeout", job.Name, job.Timeout)
	case last.Error != "":
		return last, errors.New(last.Error)
	case last.Result != nil || last.Fixed != nil:
		return last, nil
	case err != nil:
		return last, fmt.Errorf("%s: %w: %.300q", job.Name, err, complaint.String())
	}
	return last, fmt.Errorf("%s: the walled process gave no result: %w", job.Name, readErr)
}

// listen reads a child's messages until it ends, and returns the last that is no progress.
func listen(r io.Reader, progress func(image.Progress)) (last message, err error) {
	dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<16))
	for {
		var m message
		if err := dec.Decode(&m); err != nil {
			return last, err
		}
		if m.Progress != nil {
			progress(*m.Progress)
			continue
		}
		last = m
	}
}
