package feed

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

const (
	maxFile    = 16 << 30  // bytes of one file, unpacked; all of NVD is 2 GB
	maxBelow   = 2_000_000 // files below one path
	maxMembers = 2_000_000 // files in one bundle
)

// counted reads until the context is done or the bytes are used up.
type counted struct {
	ctx  context.Context
	r    io.Reader
	left int64
}

func (c *counted) Read(b []byte) (int, error) {
	if c.ctx != nil {
		if err := c.ctx.Err(); err != nil {
			return 0, err
		}
	}
	n, err := c.r.Read(b)
	if c.left -= int64(n); c.left < 0 {
		return 0, errors.New("more bytes than one file may have")
	}
	return n, err
}

// rest reads what a stream has not handed out yet.
type rest struct{ *stream }

func (r *rest) Read(b []byte) (int, error) {
	if r.at == r.end {
		_, ok, err := r.fill(r.at)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, io.EOF
		}
	}
	n := copy(b, r.buf[r.at:r.end])
	r.at += n
	return n, nil
}

// unpack returns what is compressed; nil where nothing is.
func unpack(head []byte, r io.Reader) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(r)
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return nil, errors.New(`compressed with xz: unpack it first ("xz -d")`)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New(`compressed with zstd: unpack it first ("zstd -d")`)
	}
	return nil, nil
}

// ReadAll reads files, directories with all that is below them, and bundles (.zip, .tar,
// .tar.gz) with several workers, of which each calls emit; an error of emit ends it. It
// returns what became of each path, by format, in the order of the paths; what is of no
// format is counted in one Stats without Format per path.
//
// Files that are broken, and paths that hold nothing that can be read, are in the error,
// after everything else has been read; the first twenty of them are named.
func ReadAll(ctx context.Context, paths []string, workers int, emit func(advisory.Record) error) ([]Stats, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &walker{ctx: ctx, done: make([]map[string]*Stats, len(paths)), paths: paths}
	w.emit = func(r advisory.Record) error {
		err := emit(r)
		if err != nil {
			cancel(err)
		}
		return err
	}
	var tasks []task
	for i, p := range paths {
		w.done[i] = map[string]*Stats{}
		below, err := list(i, p)
		if err != nil {
			w.broken(err)
		}
		tasks = append(tasks, below...)
	}
	// The largest first, so that no worker is left with it at the end.
	slices.SortStableFunc(tasks, func(a, b task) int { return cmp.Compare(b.size, a.size) })
	next := make(chan task)
	var group sync.WaitGroup
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range workers {
		group.Go(func() {
			for t := range next {
				w.file(t)
			}
		})
	}
	for _, t := range tasks {
		if ctx.Err() != nil {
			break
		}
		next <- t
	}
	close(next)
	group.Wait()
	if ctx.Err() != nil {
		return w.stats(), context.Cause(ctx)
	}
	return w.stats(), w.err()
}

// task is one file to read.
type task struct {
	path  string
	of    int   // which of the paths it lies below
	size  int64 // of the file
	named bool  // it is itself one of the paths
}

// list finds the files of one path.
func list(of int, path string) ([]task, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []task{{path: path, of: of, size: info.Size(), named: true}}, nil
	}
	var tasks []task
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != path && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		case len(tasks) == maxBelow:
			return fmt.Errorf("%q: more than %d files", path, maxBelow)
		}
		info, err := d.Info()
		if err == nil {
			tasks = append(tasks, task{path: p, of: of, size: info.Size()})
		}
		return err
	})
	return tasks, err
}

// walker gathers what becomes of the files.
type walker struct {
	ctx    context.Context
	emit   func(advisory.Record) error
	paths  []string
	mu     sync.Mutex
	done   []map[string]*Stats // by path, by format
	errs   []error
	errors int
}

const maxErrors = 20

func (w *walker) broken(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.errors++; len(w.errs) < maxErrors {
		w.errs = append(w.errs, err)
	}
}

func (w *walker) err() error {
	slices.SortFunc(w.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if more := w.errors - len(w.errs); more > 0 {
		w.errs = append(w.errs, fmt.Errorf("and %d more", more))
	}
	return errors.Join(w.errs...)
}

func (w *walker) add(of int, s Stats) {
	w.mu.Lock()
	defer w.mu.Unlock()
	have := w.done[of][s.Format]
	if have == nil {
		have = &Stats{Name: w.paths[of], Format: s.Format, Source: s.Source}
		w.done[of][s.Format] = have
	}
	have.add(s)
}

func (w *walker) stats() []Stats {
	var list []Stats
	for _, formats := range w.done {
		from := len(list)
		for _, s := range formats {
			slices.Sort(s.Problems)
			list = append(list, *s)
		}
		slices.SortFunc(list[from:], func(a, b Stats) int { return strings.Compare(a.Format, b.Format) })
	}
	return list
}

// one reads a file or a member of a bundle.
func (w *walker) one(t task, name string, r io.Reader) {
	stats, err := Read(w.ctx, name, r, w.emit)
	if w.ctx.Err() != nil {
		return
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrUnknown) && !t.named:
		stats = Stats{Files: 1, Problems: []string{err.Error()}}
	default:
		stats.Files, stats.Broken = 1, 1
		stats.note("%v", err)
		w.broken(err)
	}
	w.add(t.of, stats)
}

// file reads one file, be it a bundle.
func (w *walker) file(t task) {
	f, err := os.Open(t.path)
	if err != nil {
		w.broken(err)
		return
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) {
		w.broken(err)
		return
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06")):
		err = w.zipped(t, f)
	case isTar(head):
		err = w.tarred(t, f)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}) && packsTar(f):
		var z *gzip.Reader
		if z, err = gzip.NewReader(f); err == nil {
			err = w.tarred(t, z)
		}
	default:
		w.one(t, t.path, f)
		return
	}
	if err != nil && w.ctx.Err() == nil {
		err = fmt.Errorf("%q: %w", t.path, err)
		w.broken(err)
		w.add(t.of, Stats{Files: 1, Broken: 1, Problems: []string{err.Error()}})
	}
}

// packsTar says whether a gzip file holds a tar file, and leaves it at its beginning.
func packsTar(f *os.File) bool {
	head := make([]byte, 512)
	n := 0
	if z, err := gzip.NewReader(io.NewSectionReader(f, 0, 1<<20)); err == nil {
		n, _ = io.ReadFull(z, head)
	}
	return isTar(head[:n])
}

func isTar(head []byte) bool {
	return len(head) > 262 && string(head[257:262]) == "ustar"
}

func (w *walker) zipped(t task, f *os.File) error {
	z, err := zip.NewReader(f, t.size)
	if err != nil {
		return err
	}
	if len(z.File) > maxMembers {
		return fmt.Errorf("more than %d files in it", maxMembers)
	}
	for _, m := range z.File {
		if w.ctx.Err() != nil {
			return nil
		}
		if !m.Mode().IsRegular() {
			continue
		}
		r, err := m.Open()
		if err != nil {
			return fmt.Errorf("%q: %w", m.Name, err)
		}
		w.member(t, m.Name, r)
		r.Close()
	}
	return nil
}

func (w *walker) tarred(t task, r io.Reader) error {
	z := tar.NewReader(&counted{ctx: w.ctx, r: r, left: 4 * maxFile})
	for n := 0; ; n++ {
		m, err := z.Next()
		if errors.Is(err, io.EOF) || w.ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if n == maxMembers {
			return fmt.Errorf("more than %d files in it", maxMembers)
		}
		if m.Typeflag == tar.TypeReg {
			w.member(t, m.Name, z)
		}
	}
}

// member reads one file of a bundle. A bundle in a bundle is not opened.
func (w *walker) member(t task, name string, r io.Reader) {
	t.named = false
	w.one(t, t.path+"!"+name, r)
}
