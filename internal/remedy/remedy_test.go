package remedy_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/remedy"
	"github.com/vesalius-project/vesalius/internal/witness/firmware"
)

func file(p, text string) *image.Node {
	return &image.Node{Path: p, Mode: 0o644, Size: int64(len(text)), Data: image.BytesBlob([]byte(text))}
}

func dir(p string) *image.Node { return &image.Node{Path: p, Kind: image.Dir, Mode: 0o755} }

func link(p, to string) *image.Node {
	return &image.Node{Path: p, Kind: image.Symlink, Mode: 0o777, Target: to, Size: int64(len(to))}
}

func system(nodes ...*image.Node) []*image.Node {
	return append([]*image.Node{dir("/"), dir("/etc"), dir("/bin"), file("/etc/passwd", "root:!:0:0::/:/bin/sh\n")}, nodes...)
}

func examine(t *testing.T, in firmware.Input) *firmware.Result {
	t.Helper()
	r, err := firmware.Examine(context.Background(), in, firmware.Options{Image: image.Options{Formats: format.All(), Budget: budget.New(budget.Limits{})}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tree(t *testing.T, nodes ...*image.Node) *remedy.Tree {
	t.Helper()
	r := examine(t, firmware.Input{Name: "x", Nodes: system(nodes...)})
	return remedy.NewTree(r.Roots[0], r.Image)
}

// TestTree holds that a copy is changed as a file system would be, through links of every
// part, and that the original stays what it was.
func TestTree(t *testing.T) {
	t.Parallel()
	tr := tree(t, file("/etc/a", "one"), link("/etc/b", "a"), link("/conf", "/etc"), dir("/etc/d"), file("/etc/d/x", "x"), link("/loop", "loop"), link("/out", "../../../etc/a"))
	for _, s := range []struct {
		what string
		do   func() error
		want string // of the error; empty for none
	}{
		{"write through a link", func() error { return tr.Write("/conf/b", []byte("two"), 0o600) }, ""},
		{"write a new file below new directories", func() error { return tr.Write("/conf/new/deep/f", []byte("n"), 0o640) }, ""},
		{"a link cannot lead out of the root", func() error { return tr.Write("/out", []byte("three"), 0o600) }, ""},
		{"a loop", func() error { return tr.Write("/loop/x", nil, 0o600) }, "loop"},
		{"write a directory", func() error { return tr.Write("/etc/d", nil, 0o600) }, "is a directory"},
		{"remove a directory that is not empty", func() error { return tr.Remove("/etc/d") }, "not empty"},
		{"remove what is not there", func() error { return tr.Remove("/etc/none") }, "no such file"},
		{"remove a file, then its directory", func() error { return errors.Join(tr.Remove("/etc/d/x"), tr.Remove("/etc/d")) }, ""},
		{"mode", func() error { return tr.Chmod("/conf/a", 0o4600) }, ""},
		{"owner", func() error { return tr.Chown("/etc/a", 7, 8) }, ""},
		{"link over a file", func() error { return tr.Link("/bin/sh", "/dev/null") }, ""},
	} {
		err := s.do()
		if s.want == "" && err != nil || s.want != "" && (err == nil || !strings.Contains(err.Error(), s.want)) {
			t.Errorf("%s: %v, want %q", s.what, err, s.want)
		}
	}
	a := tr.Entry("/etc/a")
	if text, err := tr.Text("/etc/b"); err != nil || text != "three" || a.Mode != 0o4600 || a.UID != 7 || a.GID != 8 {
		t.Errorf("/etc/a: %q %v, %04o %d:%d", text, err, a.Mode, a.UID, a.GID)
	}
	if was, err := tr.Original("/etc/a"); err != nil || was != "one" {
		t.Errorf("the original: %q, %v", was, err)
	}
	if diff := cmp.Diff([]string{"a", "b", "new", "passwd"}, tr.List("/etc")); diff != "" {
		t.Errorf("/etc: -want +got:\n%s", diff)
	}
	if n := tr.Entry("/etc/new/deep/f"); n == nil || n.Mode != 0o640 || tr.Entry("/etc/new/deep").Kind != image.Dir {
		t.Errorf("the new file: %+v", n)
	}
}

// toy judges by a table: a rule is bad while /etc/NAME holds the word bad. The rule
// "needs-b" turns bad where /etc/b is gone.
func toy(t *testing.T) func(context.Context, firmware.Input) (*remedy.Exam, error) {
	return func(_ context.Context, in firmware.Input) (*remedy.Exam, error) {
		r := examine(t, in)
		e := &remedy.Exam{Result: r}
		for _, name := range []string{"a", "b", "c", "d"} {
			f := judge.Finding{ID: name, Rule: name, Root: "system", Kind: fact.KindFile, Outcome: judge.Good, Places: []fact.Place{{Path: "/etc/" + name}}}
			if text, ok := r.Roots[0].Text("/etc/" + name); ok && strings.Contains(text, "bad") {
				f.Outcome = judge.Bad
			}
			e.Findings = append(e.Findings, f)
		}
		need := judge.Finding{ID: "needs-b", Rule: "needs-b", Root: "system", Kind: fact.KindFile, Outcome: judge.Good}
		if r.Roots[0].Lookup("/etc/b") == nil {
			need.Outcome = judge.Bad
		}
		e.Findings = append(e.Findings, need)
		return e, nil
	}
}

// TestRun holds what stands: a fix whose finding turned good with nothing else worse. The
// next one that a rule names is tried where the first does not hold.
func TestRun(t *testing.T) {
	t.Parallel()
	set := func(id, text string) remedy.Fix {
		return remedy.Fix{ID: id, Apply: func(t *remedy.Task) error {
			t.Say("%s: written", t.Finding.ID)
			return t.Write("/etc/"+t.Finding.ID, []byte(text), 0o644)
		}}
	}
	fixes := []remedy.Fix{
		set("set-good", "good"), set("set-bad", "still bad"),
		{ID: "remove", Apply: func(t *remedy.Task) error { t.Say("removed"); return t.Remove("/etc/" + t.Finding.ID) }},
		{ID: "none", Apply: func(t *remedy.Task) error { return errors.Join(t.Write("/etc/junk", nil, 0o644), remedy.ErrNoAnchor) }},
		{ID: "ask", Care: remedy.Clinical, Apply: func(t *remedy.Task) error { t.Say("done"); return t.Write("/etc/d", []byte("good"), 0o644) }},
	}
	rules := map[string]*judge.Rule{
		"a": {Remedy: []string{"set-bad", "set-good"}}, "b": {Remedy: []string{"remove"}}, "c": {Remedy: []string{"none", "set-good"}}, "d": {Remedy: []string{"ask"}},
	}
	res, err := remedy.Run(context.Background(), firmware.Input{Name: "x", Nodes: system(file("/etc/a", "bad"), file("/etc/b", "bad"), file("/etc/c", "bad"), file("/etc/d", "bad"))},
		remedy.Options{Examine: toy(t), Rules: rules, Fixes: fixes})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range res.Remedies {
		word := "no"
		if r.Stands {
			word = r.Proof
		}
		got[r.Finding+" "+r.Fix] = word
	}
	want := map[string]string{
		"a set-bad": "no", "a set-good": "judged", // the first did not turn it good
		"b remove": "no",                         // it would make another finding bad
		"c none":   "no", "c set-good": "judged", // the first found nothing
		"d ask": "no", // a person has to decide
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	tr := res.Trees[0]
	if text, err := tr.Text("/etc/b"); err != nil || text != "bad" || tr.Entry("/etc/junk") != nil {
		t.Errorf("what does not stand left a change: %q %v %v", text, err, tr.Entry("/etc/junk"))
	}
	for _, r := range res.Remedies {
		if !r.Stands && r.Why == "" {
			t.Errorf("%s %s: no reason", r.Finding, r.Fix)
		}
	}
}

// TestDeliver holds what is written, and that the script does what an overlay cannot.
func TestDeliver(t *testing.T) {
	t.Parallel()
	fixes := []remedy.Fix{{ID: "mend", Apply: func(t *remedy.Task) error {
		t.Say("mended")
		return errors.Join(t.Write("/etc/a", []byte("good\n"), 0o644), t.Remove("/etc/it's gone"), t.Link("/etc/l", "a"), t.Chmod("/etc/m", 0o600))
	}}}
	res, err := remedy.Run(context.Background(), firmware.Input{Name: "x", Nodes: system(file("/etc/a", "bad\n"), file("/etc/b", "x"), file("/etc/it's gone", "x"), file("/etc/m", "x"))},
		remedy.Options{Examine: toy(t), Rules: map[string]*judge.Rule{"a": {Remedy: []string{"mend"}}}, Fixes: fixes})
	if err != nil {
		t.Fatal(err)
	}
	name := t.TempDir()
	out, err := os.OpenRoot(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := res.Deliver(out, "x.img"); err != nil {
		t.Fatal(err)
	}
	read := func(p string) string {
		b, err := os.ReadFile(filepath.Join(name, p))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := read("overlay/system/etc/a"); got != "good\n" {
		t.Errorf("overlay: %q", got)
	}
	script, diff := read("overlay/system.sh"), read("changes.diff")
	for _, line := range []string{`rm -f -- './etc/it'\''s gone'`, `ln -sfn -- 'a' './etc/l'`, `chmod 0600 -- './etc/m'`} {
		if !strings.Contains(script, line+"\n") {
			t.Errorf("the script lacks %q:\n%s", line, script)
		}
	}
	for _, line := range []string{"-bad", "+good", "system/etc/m: mode 0644 owner 0:0 -> mode 0600 owner 0:0"} {
		if !slices.Contains(strings.Split(diff, "\n"), line) {
			t.Errorf("the difference lacks %q:\n%s", line, diff)
		}
	}
	if _, err := os.Stat(filepath.Join(name, "x.img")); err == nil || res.NoImage == "" {
		t.Error("an image was written of a directory")
	}
	if err := res.Deliver(out, "x.img"); err == nil {
		t.Error("what was delivered is written over")
	}
	if !bytes.Contains([]byte(read("yocto/classes/vesalius-fix.bbclass")), []byte("ROOTFS_POSTPROCESS_COMMAND")) {
		t.Error("no hook for Yocto")
	}
}
