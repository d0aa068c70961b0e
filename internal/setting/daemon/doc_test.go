package daemon

import (
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
