package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/search"
)

// result is what was found in the tree of one architecture.
type result struct {
	suite, arch string
	packages    int
	files       int
	bytes       int64
	spent       time.Duration // of matching alone
	truth       map[string][]string
	found       map[string][]*fact.Component
	right       []string // products
	wrong       []string // products with a version that is not there
	missing     []string
	foreign     []string // products that are not in the tree
	unsigned    []string // products in the tree without a signature
	bare        []string // products that show no version: found as such
	unseen      []string // and those of them that are not found
}

// measure lets the matcher look at a tree and compares with the packages.
func measure(m *component.Matcher, root string, packages []deb, truth map[string][]product) (*result, error) {
	r := &result{packages: len(packages), truth: map[string][]string{}, found: map[string][]*fact.Component{}}
	signed := map[string]*component.Signature{}
	for _, s := range m.Signatures() {
		signed[s.Name] = s
	}
	for _, d := range packages {
		for _, p := range truth[d.source] {
			if v := p.versionOf(d); !slices.Contains(r.truth[p.name], v) {
				r.truth[p.name] = append(r.truth[p.name], v)
			}
		}
	}
	files, err := r.look(m, root)
	if err != nil {
		return nil, err
	}
	for _, c := range m.Merge(files, nil) {
		r.found[c.Name] = append(r.found[c.Name], c)
	}
	r.judge(signed)
	return r, nil
}

// look makes the evidence of every file.
func (r *result) look(m *component.Matcher, root string) ([]component.File, error) {
	set, err := search.New(m.Literals())
	if err != nil {
		return nil, err
	}
	var files []component.File
	links := map[string][]string{}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(p, root)
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			if to, err := filepath.EvalSymlinks(p); err == nil {
				links[strings.TrimPrefix(to, root)] = append(links[strings.TrimPrefix(to, root)], rel)
			}
		case d.IsDir() || d.Type().IsRegular():
			files = append(files, component.File{Path: rel, Place: fact.Place{Path: rel}})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	work := make(chan int)
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range work {
				n, spent, err := examine(m, set, root, &files[i])
				mu.Lock()
				r.bytes, r.spent = r.bytes+n, r.spent+spent
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		}()
	}
	for i := range files {
		files[i].Links = links[files[i].Path]
		work <- i
	}
	close(work)
	wg.Wait()
	r.files = len(files)
	return files, failed
}

func examine(m *component.Matcher, set *search.Set, root string, f *component.File) (int64, time.Duration, error) {
	info, err := os.Stat(root + f.Path)
	if err != nil || !info.Mode().IsRegular() {
		return 0, 0, nil
	}
	data, err := os.ReadFile(root + f.Path)
	if err != nil {
		return 0, 0, err
	}
	var hits []component.Hit
	set.Find(data, func(literal, at int) {
		if len(hits) < 1<<16 {
			hits = append(hits, component.Hit{Literal: literal, At: int64(at)})
		}
	})
	f.Object = strings.HasPrefix(string(data[:min(4, len(data))]), "\x7fELF")
	f.Text = !strings.Contains(string(data[:min(4096, len(data))]), "\x00")
	begin := time.Now()
	f.Evidence, err = m.Match(image.BytesBlob(data), hits)
	return int64(len(data)), time.Since(begin), err
}

// judge sorts the products into right, wrong and missing.
func (r *result) judge(signed map[string]*component.Signature) {
	for name, versions := range r.truth {
		switch s := signed[name]; {
		case s == nil:
			r.unsigned = append(r.unsigned, name)
			continue
		case len(s.Ways) > 0:
		case len(r.found[name]) > 0:
			r.bare = append(r.bare, name)
			continue
		default:
			r.unseen = append(r.unseen, name)
			continue
		}
		right, wrong := 0, 0
		for _, c := range r.found[name] {
			if _, copied := c.Bundled.Value(); copied || c.Version == "" {
				continue
			}
			if slices.Contains(versions, c.Version) {
				right++
			} else {
				wrong++
			}
		}
		switch {
		case wrong > 0:
			r.wrong = append(r.wrong, name)
		case right > 0:
			r.right = append(r.right, name)
		default:
			r.missing = append(r.missing, name)
		}
	}
	for name, list := range r.found {
		if len(r.truth[name]) > 0 || signed[name] == nil {
			continue
		}
		for _, c := range list {
			if _, copied := c.Bundled.Value(); !copied && c.Version != "" {
				r.foreign = append(r.foreign, name)
				break
			}
		}
	}
	for _, l := range [][]string{r.right, r.wrong, r.missing, r.foreign, r.unsigned, r.bare, r.unseen} {
		slices.Sort(l)
	}
}

func (r *result) present() int { return len(r.right) + len(r.wrong) + len(r.missing) }

func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}

func (r *result) tell(w *bytes.Buffer, verbose bool, only string) {
	fmt.Fprintf(w, "%s %s: %d packages, %d files, %d MB; %d products present: %d right (%.1f %%), %d wrong, %d not found, %d found that are not there; %d found that show no version, %d of those not; match %.2f ns/byte\n",
		r.suite, r.arch, r.packages, r.files, r.bytes>>20, r.present(), len(r.right), percent(len(r.right), r.present()), len(r.wrong), len(r.missing), len(r.foreign), len(r.bare), len(r.unseen),
		float64(r.spent.Nanoseconds())/float64(max(r.bytes, 1)))
	show := func(c *fact.Component) {
		b, _ := c.Bundled.Value()
		fmt.Fprintf(w, "    %s %q bundled=%q %s (%d places, %s)\n", c.Name, c.Version, b, c.Why, len(c.Places), c.Places[0].Path)
	}
	for _, c := range r.found[only] {
		show(c)
	}
	if !verbose {
		return
	}
	for _, name := range slices.Concat(r.wrong, r.foreign) {
		fmt.Fprintf(w, "  WRONG %s, is %q\n", name, r.truth[name])
		for _, c := range r.found[name] {
			show(c)
		}
	}
	for _, name := range r.missing {
		fmt.Fprintf(w, "  MISSING %s %q\n", name, r.truth[name])
		for _, c := range r.found[name] {
			show(c)
		}
	}
	fmt.Fprintf(w, "  without a signature: %s\n", strings.Join(r.unsigned, " "))
	for _, name := range sortedNames(r.found) {
		for _, c := range r.found[name] {
			if _, copied := c.Bundled.Value(); copied && len(r.truth[name]) > 0 {
				fmt.Fprintf(w, "  COPY ")
				show(c)
			}
		}
	}
}

func sortedNames(m map[string][]*fact.Component) []string {
	var out []string
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// write makes the document of all results.
func write(w *bytes.Buffer, all []*result, signatures int) {
	fmt.Fprintf(w, "# How well components are found\n\nWritten by `make signatures-check`. The packages of `internal/component/check/packages.txt` are unpacked into one tree an\narchitecture; package databases and documentation are left out; %d signatures look at it.\nRight means: the product is found in its upstream version and in no other. Copies that lie inside other programs are not counted, nor are\nproducts that hold no version text, whose signatures only say that they are there.\n\n", signatures)
	fmt.Fprintln(w, "| release | architecture | packages | products present | right | wrong version | not found | found but not there | without a version text: found, not found |\n|---|---|---|---|---|---|---|---|---|")
	for _, r := range all {
		fmt.Fprintf(w, "| %s | %s | %d | %d | %d (%.1f %%) | %d (%.1f %%) | %d | %d | %d, %d |\n", r.suite, r.arch, r.packages, r.present(), len(r.right), percent(len(r.right), r.present()),
			len(r.wrong), percent(len(r.wrong), r.present()), len(r.missing), len(r.foreign), len(r.bare), len(r.unseen))
	}
	fmt.Fprintln(w, "\n## What is not right\n\n| product | "+heads(all)+" |\n|---|"+strings.Repeat("---|", len(all)))
	names := map[string]bool{}
	for _, r := range all {
		for _, n := range slices.Concat(r.wrong, r.missing, r.foreign) {
			names[n] = true
		}
	}
	var sorted []string
	for n := range names {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	for _, n := range sorted {
		fmt.Fprintf(w, "| %s |", n)
		for _, r := range all {
			fmt.Fprintf(w, " %s |", r.verdict(n))
		}
		fmt.Fprintln(w)
	}
}

func heads(all []*result) string {
	var out []string
	for _, r := range all {
		out = append(out, r.suite+" "+r.arch)
	}
	return strings.Join(out, " | ")
}

func (r *result) verdict(n string) string {
	var have []string
	for _, c := range r.found[n] {
		if _, copied := c.Bundled.Value(); !copied && c.Version != "" {
			have = append(have, c.Version)
		}
	}
	switch {
	case slices.Contains(r.wrong, n):
		return fmt.Sprintf("%s, is %s", strings.Join(have, " and "), strings.Join(r.truth[n], " and "))
	case slices.Contains(r.foreign, n):
		return strings.Join(have, " and ") + ", is not there"
	case slices.Contains(r.missing, n):
		return "not found"
	case slices.Contains(r.right, n):
		return "right"
	}
	return "-"
}
