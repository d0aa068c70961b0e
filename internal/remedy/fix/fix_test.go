package fix_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
	"github.com/vesalius-project/vesalius/internal/remedy"
	"github.com/vesalius-project/vesalius/internal/remedy/fix"
	"github.com/vesalius-project/vesalius/internal/witness/firmware"
)

var (
	update  = flag.Bool("update", false, "write doc/fixes.md")
	samples = flag.Bool("samples", false, "write what each tree is afterwards into its sample, to be read before it is kept")
)

// TestFixes runs each fix over its samples: testdata/ID/*.txtar. A sample's comment holds
// lines "mends RULE" (the finding of the rule turns good) and "refuses RULE" (the fix
// finds nothing to change and says so). Its files are
//
//	-- /etc/inittab 0644 [UID:GID] --        the tree
//	-- /etc/rc2.d/S02x -> ../init.d/x --     a link
//	-- after /etc/inittab 0644 --            what a file is then; files not named stay
//	-- /bin/busybox 0755 --              with the one line PROGRAM: some program
//	-- gone /etc/rc2.d/S02x --               what is not there then
//	-- after /etc/x -> /dev/null --          a link that is made
//
// Every fix has a sample that mends.
func TestFixes(t *testing.T) {
	t.Parallel()
	rules, err := rulebook.Load()
	if err != nil {
		t.Fatal(err)
	}
	judger, err := judge.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*judge.Rule{}
	for _, r := range rules {
		byID[r.ID] = r
	}
	for _, f := range fix.All() {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			if f.Title == "" || f.Breaks == "" || f.Test == "" || f.Care == "" {
				t.Error("a fix says its title, its care, what it may break and what is to be tested")
			}
			list, err := filepath.Glob(filepath.Join("testdata", f.ID, "*.txtar"))
			if err != nil {
				t.Fatal(err)
			}
			mends := 0
			for _, file := range list {
				t.Run(filepath.Base(file), func(t *testing.T) { mends += sample(t, file, f, judger, byID) })
			}
			if mends == 0 && f.ID != "set-boot-environment" && f.ID != "strip" { // these need an image with an environment, or real programs: the replicas show them
				t.Errorf("testdata/%s holds no sample that it mends", f.ID)
			}
		})
	}
}

// sample runs one sample and returns how many findings it mends.
func sample(t *testing.T, file string, f remedy.Fix, judger *judge.Judge, rules map[string]*judge.Rule) (mends int) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a := txtar.Parse(data)
	var nodes []*image.Node
	after, gone := map[string]string{}, []string{}
	for _, x := range a.Files {
		word, rest, _ := strings.Cut(x.Name, " ")
		switch word {
		case "after":
			n := node(t, rest, x.Data)
			after[n.Path] = show(n, x.Data)
		case "gone":
			gone = append(gone, rest)
		default:
			nodes = append(nodes, node(t, x.Name, x.Data))
		}
	}
	nodes = withDirectories(nodes)
	opening := image.Options{Formats: format.All(), Budget: budget.New(budget.Limits{})}
	res, err := remedy.Run(context.Background(), firmware.Input{Name: "sample", Nodes: nodes}, remedy.Options{
		Image: opening, Rules: rules, Fixes: []remedy.Fix{f}, Choose: func(*remedy.Fix, *judge.Finding) (bool, string) { return true, "J. Doe" },
		Verifier: func(name string) ([]byte, error) { return []byte(name + "\n"), nil },
		Examine: func(ctx context.Context, in firmware.Input) (*remedy.Exam, error) {
			o := image.Options{Formats: format.All(), Budget: budget.New(budget.Limits{})}
			r, err := firmware.Examine(ctx, in, firmware.Options{Image: o, At: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				return nil, err
			}
			findings, err := judger.Judge(judge.Input{Facts: &r.Facts, Coverage: r.Coverage, Gaps: r.Gaps})
			return &remedy.Exam{Result: r, Findings: findings}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(a.Comment), "\n") {
		word, rule, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word != "mends" && word != "refuses" {
			continue
		}
		var found []remedy.Remedy
		for _, r := range res.Remedies {
			if r.Rule == rule && r.Fix == f.ID {
				found = append(found, r)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s: the tree has no bad finding of it that names the fix", rule)
		}
		for _, r := range found {
			if r.Stands != (word == "mends") {
				t.Errorf("%s %s: stands %v: %s %q", word, rule, r.Stands, r.Why, r.Changes)
			}
		}
		if word == "mends" {
			mends++
		}
	}
	want := map[string]string{}
	for _, n := range nodes {
		if n.Kind != image.Dir {
			want[n.Path] = show(n, content(t, n))
		}
	}
	maps.Copy(want, after)
	for _, p := range gone {
		delete(want, p)
	}
	have := map[string]string{}
	for _, tree := range res.Trees {
		for _, f := range tree.Root.Files() {
			if n := tree.Entry(f.Path); n != nil && n.Kind != image.Dir {
				have[f.Path] = show(n, content(t, n))
			}
		}
		for p := range after {
			if n := tree.Entry(p); n != nil {
				have[p] = show(n, content(t, n))
			}
		}
	}
	if *samples {
		rewriteSample(t, file, a, nodes, res.Trees)
		return mends
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("the tree afterwards: -want +got:\n%s", diff)
	}
	return mends
}

// rewriteSample writes what the tree is afterwards into a sample: to be read before it is kept.
func rewriteSample(t *testing.T, file string, a *txtar.Archive, nodes []*image.Node, trees []*remedy.Tree) {
	t.Helper()
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool {
		return strings.HasPrefix(f.Name, "after ") || strings.HasPrefix(f.Name, "gone ")
	})
	was := map[string]string{}
	for _, n := range nodes {
		if n.Kind != image.Dir {
			was[n.Path] = show(n, content(t, n))
		}
	}
	for _, tree := range trees {
		if tree.Root.Role != "system" {
			continue
		}
		var walk func(dir string)
		walk = func(dir string) {
			for _, name := range tree.List(dir) {
				p := path.Join(dir, name)
				n := tree.Entry(p)
				if n.Kind == image.Dir {
					walk(p)
					continue
				}
				now := show(n, content(t, n))
				if now != was[p] {
					head := fmt.Sprintf("after %s %04o", p, n.Mode)
					if n.UID != 0 || n.GID != 0 {
						head += fmt.Sprintf(" %d:%d", n.UID, n.GID)
					}
					if n.Kind == image.Symlink {
						head = "after " + p + " -> " + n.Target
					}
					a.Files = append(a.Files, txtar.File{Name: head, Data: content(t, n)})
				}
				delete(was, p)
			}
		}
		walk("/")
	}
	for _, p := range slices.Sorted(maps.Keys(was)) {
		a.Files = append(a.Files, txtar.File{Name: "gone " + p})
	}
	if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
		t.Fatal(err)
	}
}

// node reads the head of a sample's file.
func node(t *testing.T, head string, data []byte) *image.Node {
	t.Helper()
	if p, target, ok := strings.Cut(head, " -> "); ok {
		return &image.Node{Path: p, Kind: image.Symlink, Mode: 0o777, Target: target, Size: int64(len(target))}
	}
	field := strings.Fields(head)
	if string(data) == "PROGRAM\n" {
		data = []byte("\x7fELF\x01\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x28\x00\x01" + strings.Repeat("\x00", 44))
	}
	n := &image.Node{Path: field[0], Mode: 0o644, Size: int64(len(data)), Data: image.BytesBlob(data)}
	if len(field) > 1 {
		mode, err := strconv.ParseUint(field[1], 8, 32)
		if err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		n.Mode = uint32(mode)
	}
	if len(field) > 2 {
		if _, err := fmt.Sscanf(field[2], "%d:%d", &n.UID, &n.GID); err != nil {
			t.Fatalf("%q: %v", head, err)
		}
	}
	return n
}

// withDirectories adds the directories that the paths lie in.
func withDirectories(nodes []*image.Node) []*image.Node {
	have := map[string]bool{}
	for _, n := range nodes {
		have[n.Path] = true
	}
	for _, n := range slices.Clone(nodes) {
		for dir := path.Dir(n.Path); !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			nodes = append(nodes, &image.Node{Path: dir, Kind: image.Dir, Mode: 0o755})
		}
	}
	slices.SortFunc(nodes, func(a, b *image.Node) int { return strings.Compare(a.Path, b.Path) })
	return nodes
}

func content(t *testing.T, n *image.Node) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := image.Copy(&b, n); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func show(n *image.Node, data []byte) string {
	if n.Kind == image.Symlink {
		return "-> " + n.Target
	}
	return fmt.Sprintf("%04o %d:%d\n%s", n.Mode, n.UID, n.GID, data)
}
