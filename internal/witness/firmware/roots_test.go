package firmware

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A sample is testdata/INSPECTOR/NAME.txtar: a root file system in one file, with the facts
// that the inspector states about it in NAME.facts beside it. Before the first file stand
// comments and, a line each:
//
//	after NAME...   inspectors that run before, because this one reads their facts
//	role ROLE       the role of the root; else as the tree shows it
//
// A file's header is -- /path [mode] [form] [uid:gid] --, the mode 0644 unless said. The
// form says what the content is: nothing for text, link for a target, dir for nothing,
// char:MAJOR:MINOR, hex for bytes in hexadecimal, elf for the description of a program (see
// package examples).

// TestInspectors holds that each inspector states of its samples what stands beside them.
// Run it with -update to write that anew, and read the difference.
func TestInspectors(t *testing.T) {
	t.Parallel()
	for _, i := range slices.Concat(stages...) {
		t.Run(i.name, func(t *testing.T) {
			t.Parallel()
			samples, err := filepath.Glob("testdata/" + i.name + "/*.txtar")
			if err != nil || len(samples) == 0 {
				t.Fatalf("inspector %s has no sample in testdata/%s", i.name, i.name)
			}
			for _, s := range samples {
				t.Run(strings.TrimSuffix(filepath.Base(s), ".txtar"), func(t *testing.T) {
					t.Parallel()
					golden(t, rootWith(t, s, i.name), strings.TrimSuffix(s, ".txtar")+".facts", i.kinds...)
				})
			}
		})
	}
}

// rootOf builds the root of a sample and runs all inspectors over it.
func rootOf(t testing.TB, sample string) *Root {
	t.Helper()
	return rootWith(t, sample, allInspectors()...)
}

func allInspectors() []string {
	var names []string
	for _, i := range slices.Concat(stages...) {
		names = append(names, i.name)
	}
	return names
}

// rootWith builds the root of a sample and runs the inspectors that it asks for, and the
// named ones.
func rootWith(t testing.TB, sample string, names ...string) *Root {
	t.Helper()
	b, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parseTree(string(b))
	if err != nil {
		t.Fatalf("%s: %v", sample, err)
	}
	r, err := tree.root(t)
	if err != nil {
		t.Fatalf("%s: %v", sample, err)
	}
	inspect(r, append(tree.after, names...))
	return r
}

// inspect runs the named inspectors, in their order.
func inspect(r *Root, names []string) {
	for _, i := range slices.Concat(stages...) {
		if slices.Contains(names, i.name) {
			r.run([]inspector{i}, 1)
		}
	}
	r.Facts.Sort()
}

// tree is a sample.
type tree struct {
	after []string
	role  string
	nodes []*image.Node
}

// parseTree reads the text of a sample.
func parseTree(text string) (*tree, error) {
	s := &tree{}
	head, rest, _ := strings.Cut("\n"+text, "\n-- ")
	for line := range strings.Lines(head) {
		if w := strings.Fields(line); len(w) > 1 && w[0] == "after" {
			s.after = w[1:]
		} else if len(w) == 2 && w[0] == "role" {
			s.role = w[1]
		}
	}
	seen := map[string]bool{}
	for f := range strings.SplitSeq(rest, "\n-- ") {
		header, content, ok := strings.Cut(f, " --\n")
		if !ok {
			header, ok = strings.CutSuffix(strings.TrimRight(f, "\n"), " --")
		}
		if !ok {
			return nil, fmt.Errorf("no header in %.60q", f)
		}
		if content != "" && !strings.HasSuffix(content, "\n") {
			content += "\n"
		}
		n, err := parseNode(header, content)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", header, err)
		}
		seen[n.Path] = true
		s.nodes = append(s.nodes, n)
	}
	for _, n := range slices.Clone(s.nodes) {
		for d := path.Dir(n.Path); d != "." && !seen[d]; d = path.Dir(d) {
			seen[d] = true
			s.nodes = append(s.nodes, &image.Node{Path: d, Kind: image.Dir, Mode: 0o755})
		}
	}
	return s, nil
}

func parseNode(header, content string) (*image.Node, error) {
	w := strings.Fields(header)
	if len(w) == 0 || !path.IsAbs(w[0]) || path.Clean(w[0]) != w[0] {
		return nil, fmt.Errorf("no absolute path")
	}
	n := &image.Node{Path: w[0], Mode: 0o644, MTime: 1709251200}
	data := []byte(content)
	for _, word := range w[1:] {
		a, b, pair := strings.Cut(word, ":")
		mode, err := strconv.ParseUint(word, 8, 16)
		switch {
		case err == nil:
			n.Mode = uint32(mode)
		case word == "link":
			n.Kind, n.Mode, n.Target, data = image.Symlink, 0o777, strings.TrimSpace(content), nil
			n.Size = int64(len(n.Target))
		case word == "dir":
			n.Kind, data = image.Dir, nil
			if n.Mode == 0o644 {
				n.Mode = 0o755
			}
		case a == "char" && pair:
			n.Kind, data = image.Char, nil
			if _, err := fmt.Sscanf(b, "%d:%d", &n.Major, &n.Minor); err != nil {
				return nil, err
			}
		case word == "hex":
			data = nil
			for h := range strings.FieldsSeq(content) {
				var p []byte
				if _, err := fmt.Sscanf(h, "%x", &p); err != nil {
					return nil, err
				}
				data = append(data, p...)
			}
		case word == "elf":
			if data, err = examples.Program(content); err != nil {
				return nil, err
			}
		case pair:
			if _, err := fmt.Sscanf(word, "%d:%d", &n.UID, &n.GID); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("unknown word %q", word)
		}
	}
	if n.Kind == image.File {
		n.Size, n.Data = int64(len(data)), image.BytesBlob(data)
	}
	return n, nil
}

// root makes the root of a sample, as Examine does, without running inspectors.
func (s *tree) root(t testing.TB) (*Root, error) {
	o := Options{Image: image.Options{Budget: budget.New(budget.Limits{Tries: 20_000})}, At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	c := newCollector(o)
	im, err := image.OpenTree(t.Context(), "sample", s.nodes, c, o.Image)
	if err != nil {
		return nil, err
	}
	for _, r := range c.roots(im) {
		if r.Layer == nil || r.Layer.Format.Name != "directory" {
			continue
		}
		if s.role != "" {
			r.Role = s.role
		}
		r.source, r.budget, r.options = fact.Source{Witness: fact.Firmware, Input: "sample"}, o.Image.Budget, o
		return r, nil
	}
	return nil, fmt.Errorf("no root in it")
}

// golden holds the facts of some kinds against a file: one fact a line, its places as
// path:line.
func golden(t *testing.T, r *Root, file string, kinds ...fact.Kind) {
	t.Helper()
	var got bytes.Buffer
	for _, k := range kinds {
		for _, f := range r.Facts.Of(k) {
			got.WriteString(line(t, f))
		}
		if b, ok := r.blind[k]; ok {
			fmt.Fprintf(&got, "%s is seen %s: %s\n", k, b.level, b.why)
		}
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); d != "" {
		t.Errorf("%s: want -, have +\n%s", file, d)
	}
}

// line writes a fact as one line.
func line(t *testing.T, f fact.Fact) string {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "source")
	delete(m, "root")
	var places []string
	for _, p := range f.Header().Places {
		places = append(places, strings.TrimPrefix(fact.Place{Path: p.Path, Line: p.Line, Offset: p.Offset}.String(), "!"))
	}
	if m["places"], err = json.Marshal(places); err != nil {
		t.Fatal(err)
	}
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return string(f.Kind()) + " " + string(b) + "\n"
}

// FuzzInspectors holds that no tree, and no content of a file in it, makes a looker or an
// inspector panic, hang or state a fact without its source and place.
func FuzzInspectors(f *testing.F) {
	samples, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range samples {
		b, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), []byte{})
		tree, err := parseTree(string(b))
		if err != nil {
			f.Fatal(err)
		}
		for _, n := range tree.nodes {
			if p, ok := blobOf(n); ok && len(p) > 0 && (len(p) < 4096 || p[0] < ' ') {
				f.Add("-- /etc/passwd --\nroot:x:0:0::/:/bin/sh\n", p)
			}
		}
	}
	f.Add("-- /etc/passwd --\nroot:x:0:0::/:/bin/sh\n", windows(0x8664, 0x40, 3, true))
	f.Fuzz(func(t *testing.T, text string, content []byte) {
		s, err := parseTree(text)
		if err != nil {
			t.Skip("no tree: nothing to inspect")
		}
		if len(content) > 0 {
			s.nodes = append(s.nodes, &image.Node{Path: "/usr/bin/content", Mode: 0o4755, Size: int64(len(content)), Data: image.BytesBlob(content)})
		}
		r, err := s.root(t)
		if err != nil {
			t.Skip("no tree: nothing to inspect")
		}
		r.budget = budget.New(budget.Limits{Tries: 1}) // guessing passwords is not what is tried here
		inspect(r, allInspectors())
		for _, k := range fact.Kinds() {
			for _, f := range r.Facts.Of(k) {
				if h := f.Header(); h.Source.Witness != fact.Firmware || len(h.Places) == 0 {
					t.Errorf("%s %q has no source or no place", k, f.Key())
				}
			}
		}
	})
}

// blobOf returns the content of a file.
func blobOf(n *image.Node) ([]byte, bool) {
	if n.Data == nil {
		return nil, false
	}
	return n.Data.Bytes()
}
