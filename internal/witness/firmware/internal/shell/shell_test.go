package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// host is a small system: what lies under /data is not known.
func host(run func(Command)) Host {
	files := map[string]string{"/usr/sbin/foo": "", "/etc/default/foo": "ENABLED=yes\nEXTRA=--verbose\n", "/etc/rc.d/S10a": "", "/usr/bin/foo": ""}
	return Host{
		Text: func(p string) (string, bool) { s, ok := files[p]; return s, ok },
		Test: func(_, p string) Truth {
			if strings.HasPrefix(p, "/data") || strings.HasPrefix(p, "/proc") {
				return Maybe
			}
			if strings.HasPrefix(p, "/etc/no") {
				return Unlikely
			}
			if _, ok := files[p]; ok {
				return Yes
			}
			return No
		},
		Find: func(n string) (string, bool) { _, ok := files["/usr/bin/"+n]; return "/usr/bin/" + n, ok },
		Glob: func(p string) []string {
			var out []string
			for f := range files {
				if Match(p, f) {
					out = append(out, f)
				}
			}
			return out
		},
		Run: run,
	}
}

func read(text string) (string, Result, error) {
	var b strings.Builder
	res, err := Read(Script{Text: text, Name: "/etc/init.d/foo", Args: []string{"start"}}, host(func(c Command) {
		fmt.Fprintf(&b, "%d %s", c.Line, strings.Join(c.Words, " "))
		if c.Background {
			b.WriteString(" &")
		}
		if c.Condition != "" {
			b.WriteString(" if " + c.Condition)
		}
		b.WriteString("\n")
	}))
	return b.String(), res, err
}

// TestRead holds which commands the samples run: NAME.sh, and NAME.want beside it.
func TestRead(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("testdata/*.sh")
	if err != nil || len(samples) == 0 {
		t.Fatal("no samples", err)
	}
	for _, s := range samples {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(s, ".sh") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := read(string(b))
		if err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s: want -, have +\n%s", s, d)
		}
	}
}

// TestForms holds single forms: what one script of one or two lines runs.
func TestForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ script, want string }{
		{"a && b || c", "1 a\n1 b\n"},
		{"[ -x /no ] && b", ""},
		{"[ -x /usr/sbin/foo -a -f /data/y ] && b", "1 b if [ -x /usr/sbin/foo -a -f /data/y ]\n"},
		{"if [ -f /data/a ]; then exit 0; else exit 1; fi; b", ""},
		{"if [ -f /data/a ]; then X=1; else X=2; fi; b $X", "1 b $X\n"},
		{"[ -f /data/a ] && [ -f /data/b ] && exit\nb", "2 b if not ([ -f /data/a ] && [ -f /data/b ])\n"},
		{"which foo >/dev/null && b; which bar && c", "1 b\n"},
		{"f() { [ -f /data/a ] || return; b; }; f; c", "1 b if [ -f /data/a ]\n1 c\n"},
		{"set -- x y; shift; b \"$@\" $#", "1 b y 1\n"},
		{"X='a b'; c \"$X\" $X", "1 c a b a b\n"},
		{"exec foo; b", "1 foo\n"},
		{"(cd /opt; ./a) &\nb", "1 ./a &\n2 b\n"},
		{"while :; do [ -f /data/a ] && break; done; b", "1 b\n"},
		{"case $1 in st*) b;; *) c;; esac", "1 b\n"},
		{"case $(x) in on) b;; esac", "1 b if $(x) is on\n"},
		{"[[ $1 == start && -n $1 ]] && b", "1 b\n"},
		{"[ -e /etc/no ] && exit\nb", "2 b\n"},
		{"[ -e /etc/no ] || exit\nb", "2 b if [ -e /etc/no ]\n"},
		{"[ -e /etc/no ] && b", "1 b if [ -e /etc/no ]\n"},
		{"if [ -e /etc/no ]; then b; else c; fi", "1 b if [ -e /etc/no ]\n1 c\n"},
		{"if [ ! -e /etc/no ]; then b; else c; fi", "1 b\n1 c if not [ ! -e /etc/no ]\n"},
		{"grep -q ^ENABLED=yes /etc/default/foo && b; egrep -q '^(X|Y)=' /etc/default/foo && c", "1 grep -q ^ENABLED=yes /etc/default/foo\n1 b\n1 egrep -q ^(X|Y)= /etc/default/foo\n"},
		{"foo --version | grep -q x || exit\nb", "1 foo --version\n1 grep -q x\n2 b\n"},
		{"eval 'b c'", "1 b c\n"},
		{"! [ -f /data/a ] || b", "1 b if [ -f /data/a ]\n"},
	} {
		got, _, err := read(c.script)
		if err != nil || got != c.want {
			t.Errorf("%s: have %q (%v), want %q", c.script, got, err, c.want)
		}
	}
}

// TestStays holds that a loop without end is told from one with an end.
func TestStays(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]bool{
		"while true; do a; done":                                   true,
		"while true; do a || break; [ -f /data/x ] && break; done": false,
		"while [ -f /data/x ]; do a; done":                         false,
		"until false; do a; done":                                  true,
		"(while true; do a; done) &":                               false,
	} {
		if _, res, err := read(script); err != nil || res.Stays != want {
			t.Errorf("%s: stays %v (%v), want %v", script, res.Stays, err, want)
		}
	}
}

// TestHostile holds that deep and wide scripts end soon.
func TestHostile(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, s := range []string{
		strings.Repeat("(", 100000), strings.Repeat("$(", 4000), strings.Repeat("if ", 4000),
		"f() { f; f; }; f", "a=x; " + strings.Repeat("a=$a$a; ", 20000),
		"b " + strings.Repeat("$a", 100000),
		strings.Repeat("for i in 1 2 3 4 5 6 7 8 9; do ", 50) + "a" + strings.Repeat("; done", 50),
		"set -- $* a b; " + strings.Repeat("set -- $* $*; ", 3000),
		strings.Repeat("[ -f /data/x ] && { ", 1000) + "a" + strings.Repeat("; }", 1000),
	} {
		read(s)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzRead(f *testing.F) {
	samples, _ := filepath.Glob("testdata/*.sh")
	for _, s := range samples {
		b, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, s string) { read(s) })
}
