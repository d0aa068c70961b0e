package daemon

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the generated documents anew")

// TestCurrentDocument holds doc/settings.md against the descriptions.
func TestCurrentDocument(t *testing.T) {
	t.Parallel()
	const path = "../../../doc/settings.md"
	var b strings.Builder
	all := load(t)
	fmt.Fprintf(&b, `# Settings

Generated from the %d descriptions in internal/setting/daemon: go test ./internal/setting/daemon -run Current -update

A setting fact has the subject of its daemon and the daemon's own spelling of the key. Its value is normalised: yes and no for
switches, numbers as they are. Its origin is argument, file, default (of the distribution) or compiled (into the program; only where
that is sure for the version). Its scope is the path of the sections it stands in, joined by /, the second section of a name with #2 after it; without a
scope it holds for all. A default that one listener overrides is stated in the scopes of the others.

What follows for a service is derived in the order of the columns' words: port and bind where it listens, the rest only where the settings
decide it. A daemon with several listeners becomes several services, NAME:PORT.

| subject | what it is | programs | files | asked by the derivations | derived |
|---|---|---|---|---|---|
`, len(all))
	for _, d := range all {
		files := slices.Concat(d.Files, d.Also)
		for _, x := range d.Extra {
			files = append(files, x.Files...)
		}
		if d.UCI != nil {
			files = append(files, d.UCI.File)
		}
		var keys, derived []string
		for i := range d.Services {
			keys = append(keys, d.Services[i].keys()...)
			derived = append(derived, d.Services[i].derives()...)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", d.Subject, d.About, row(d.Programs), row(files), row(sorted(keys)), strings.Join(sorted(derived), ", "))
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(have), b.String()); d != "" {
		t.Errorf("%s is not current: run with -update\n%s", path, d)
	}
}

func row(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = "`" + strings.ReplaceAll(w, "|", `\|`) + "`"
	}
	return strings.Join(out, " ")
}

func sorted(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// derives names the attributes that an offer decides.
func (o *Offer) derives() []string {
	var out []string
	for _, c := range []struct {
		name string
		list Choice
	}{
		{"reachable", o.Reachable}, {"encrypted", o.Encrypted}, {"authenticated", o.Authenticated}, {"anonymous", o.Anonymous},
		{"shell", o.Shell}, {"writable", o.Writable}, {"user", o.User}, {"protocol", o.Protocol},
	} {
		if c.list != nil {
			out = append(out, c.name)
		}
	}
	if o.Each != "" || o.From != "" || len(o.Port)+len(o.Bind) > 0 || o.DefaultPort != nil {
		out = append(out, "port")
	}
	if o.Listens != nil {
		out = append(out, "listens")
	}
	return out
}

// TestCurrentCompiled holds that daemons.json is what the descriptions say.
func TestCurrentCompiled(t *testing.T) {
	t.Parallel()
	want := load(t)
	for _, d := range want {
		d.name, d.Tests = "", nil
	}
	if *update {
		var lines []string // one for each daemon: a change shows
		for _, d := range want {
			b, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]any
			if err := json.Unmarshal(b, &fields); err != nil {
				t.Fatal(err)
			}
			if b, err = json.Marshal(lean(fields)); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(b))
		}
		if err := os.WriteFile("daemons.json", []byte("[\n"+strings.Join(lines, ",\n")+"\n]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return // the program that runs now still carries the old one
	}
	have, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, have, cmp.AllowUnexported(Daemon{})); d != "" {
		t.Errorf("daemons.json is not current: go test ./internal/setting/daemon -run Current -update: %.2000s", d)
	}
}

// lean leaves out what is zero.
func lean(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if x = lean(x); x == nil || x == "" || x == false || x == 0.0 {
				delete(v, k)
			} else if m, ok := x.(map[string]any); ok && len(m) == 0 && k == "Syntax" {
				delete(v, k)
			}
		}
	case []any:
		for _, x := range v {
			lean(x)
		}
	}
	return v
}
