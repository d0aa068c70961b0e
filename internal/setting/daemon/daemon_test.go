package daemon

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/fact"
)

func load(t testing.TB) []*Daemon {
	t.Helper()
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// tree makes an instance of a test.
func (c *Test) instance(d *Daemon) Instance {
	files := map[string]string{}
	for p, text := range c.Files {
		files[p] = text
	}
	if c.File != "" || len(c.Files) == 0 && c.Args == "" {
		if at := slices.Concat(d.Files, d.Also); len(at) > 0 {
			files[strings.Replace(at[0], "*", "10", 1)] = c.File
		}
	}
	program := c.Program
	if program == "" && len(d.Programs) > 0 {
		program = "/usr/sbin/" + d.Programs[0]
	}
	return Instance{
		Program: program, Version: c.Version, Distro: c.Distro, Args: strings.Fields(c.Args),
		Open: func(p string) (string, bool) {
			text, ok := files[p]
			return text, ok
		},
		Glob: func(pattern string) []string {
			var out []string
			for p := range files {
				if ok, _ := path.Match(pattern, p); ok {
					out = append(out, p)
				}
			}
			slices.Sort(out)
			return out
		},
	}
}

// TestDaemons runs the tests inside the descriptions.
func TestDaemons(t *testing.T) {
	t.Parallel()
	for _, d := range load(t) {
		for i, c := range d.Tests {
			t.Run(fmt.Sprintf("%s/%d", d.Subject, i), func(t *testing.T) {
				t.Parallel()
				r := d.Effective(c.instance(d))
				for want, value := range c.Settings {
					scope, key, ok := strings.Cut(want, ": ")
					if !ok {
						scope, key = "", want
					}
					got := "-"
					if n := slices.IndexFunc(r.Settings, func(s Setting) bool { return s.Scope == scope && s.Key == key }); n >= 0 {
						got = r.Settings[n].Value
					}
					if got != value {
						t.Errorf("%s is %q, want %q; all: %+v", want, got, value, r.Settings)
					}
				}
				if c.Services != nil && len(r.Services) != len(c.Services) {
					t.Fatalf("%d services, want %d: %+v", len(r.Services), len(c.Services), r.Services)
				}
				for n, want := range c.Services {
					got := attributes(r.Services[n])
					for k, v := range want {
						if g, ok := got[k]; !ok || g != v {
							t.Errorf("service %d: %s is %q, want %q", n, k, g, v)
						}
					}
				}
			})
		}
	}
}

func attributes(s Service) map[string]string {
	word := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	flag := func(o fact.Opt[bool]) string {
		switch v, ok := o.Value(); {
		case !ok:
			return "-"
		case v:
			return "yes"
		}
		return "no"
	}
	port := "-"
	if p, ok := s.Port.Value(); ok {
		port = strconv.Itoa(p)
	}
	return map[string]string{
		"name": s.Name, "protocol": word(s.Protocol), "transport": word(s.Transport), "port": port, "bind": word(s.Bind),
		"user": word(s.User), "listens": flag(s.Listens), "reachable": flag(s.Reachable), "encrypted": flag(s.Encrypted),
		"authenticated": flag(s.Authenticated), "anonymous": flag(s.Anonymous), "shell": flag(s.Shell), "writable": flag(s.Writable),
	}
}
