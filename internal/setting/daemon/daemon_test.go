package daemon

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/fact"
)

func load(t testing.TB) []*Daemon {
	t.Helper()
	all, err := LoadDir(os.DirFS("."))
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

// TestPrograms holds that a program belongs to one daemon, and is found by its name.
func TestPrograms(t *testing.T) {
	t.Parallel()
	all := load(t)
	of := map[string]string{}
	for _, d := range all {
		for _, p := range d.Programs {
			if other, taken := of[p]; taken {
				t.Errorf("program %s is of %s and of %s", p, other, d.Subject)
			}
			of[p] = d.Subject
			if got := ByProgram(all, p); got != d {
				t.Errorf("program %s is found as %v", p, got)
			}
		}
		if got := BySubject(all, d.Subject); got != d {
			t.Errorf("subject %s is found as %v", d.Subject, got)
		}
	}
	for name, subject := range map[string]string{"pure-ftpd-mysql": "pure-ftpd", "cat": "", "": ""} {
		got := ""
		if d := ByProgram(all, name); d != nil {
			got = d.Subject
		}
		if got != subject {
			t.Errorf("%s is found as %q, want %q", name, got, subject)
		}
	}
}

// TestAddresses holds the forms in which addresses are written.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "[{  0}]",
		"443 ssl http2":                 "[{  443}]",
		"[::]:443 ssl ipv6only=on":      "[{ :: 443}]",
		"*:80 default_server":           "[{ 0.0.0.0 80}]",
		"unix:/run/x.sock":              "[{unix  0}]",
		"/run/cups/cups.sock":           "[{unix  0}]",
		"1883 127.0.0.1":                "[{ 127.0.0.1 1883}]",
		"udp:161,udp6:[::1]:161":        "[{udp  161} {udp ::1 161}]",
		"127.0.0.1,[::1]":               "[{ 127.0.0.1 0} { ::1 0}]",
		"127.0.0.1 -::1":                "[{ 127.0.0.1 0}]",
		"127.0.0.1 10.0.0.1":            "[{ 127.0.0.1 0} { 10.0.0.1 0}]",
		"tcp://0.0.0.0:2375":            "[{tcp 0.0.0.0 2375}]",
		"tcp:host=localhost,port=12434": "[{tcp 127.0.0.1 12434}]",
		":8080":                         "[{ 0.0.0.0 8080}]",
		"localhost:631":                 "[{ 127.0.0.1 631}]",
		"::":                            "[{ :: 0}]",
		"pump.local:80":                 "[{  0}]",
		"99999":                         "[{  0}]",
	} {
		o := &Offer{}
		if got := fmt.Sprint(o.parse(text)); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestVersions holds the order of versions.
func TestVersions(t *testing.T) {
	t.Parallel()
	order := []string{"0.45", "1.4.9", "1.4.36", "2.0.0-rc1", "2.0.0", "2.0.11", "6.6p1", "6.6.1p1", "7.0", "7.0p1", "9.2p1", "10.0p2"}
	for i, a := range order {
		for j, b := range order {
			if got := compare(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("compare(%s, %s) is %d", a, b, got)
			}
		}
	}
}

// TestMasked holds that secrets do not leave.
func TestMasked(t *testing.T) {
	t.Parallel()
	d := BySubject(load(t), "wpa_supplicant")
	r := d.Effective(Instance{
		Args: []string{"-c", "/a"},
		Open: func(string) (string, bool) {
			return "network={\n\tssid=\"x\"\n\tpsk=\"hospital-ward-7-key\"\n\tpassword=short\n}\nproxy=http://u:secret@h/\n", true
		},
	}).Masked()
	for _, s := range r.Settings {
		if text := s.Raw + s.Value; strings.Contains(text, "hospital") || strings.Contains(text, "short") || strings.Contains(text, "secret") {
			t.Errorf("%s shows %q", s.Key, text)
		}
	}
	if len(r.Settings) != 4 {
		t.Errorf("%d settings, want 4", len(r.Settings))
	}
}

// FuzzEffective holds that no text and no command line makes a daemon's settings panic,
// hang, or come out in two ways.
func FuzzEffective(f *testing.F) {
	all := load(f)
	for i, d := range all {
		for _, c := range d.Tests {
			text := c.File
			for _, t := range c.Files {
				text += t
			}
			f.Add(uint8(i), text, c.Args, c.Version)
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, text, args, version string) {
		d := all[int(n)%len(all)]
		in := Instance{
			Program: "/usr/sbin/x", Version: version, Args: strings.Fields(args),
			Open: func(p string) (string, bool) { return text, len(p) < 100 },
			Glob: func(p string) []string { return []string{strings.Trim(p, "*?[")} },
		}
		a, b := fmt.Sprintf("%+v", d.Effective(in)), fmt.Sprintf("%+v", d.Effective(in))
		if a != b {
			t.Errorf("once %s\nthen %s", a, b)
		}
		for _, s := range d.Effective(in).Services {
			if p, ok := s.Port.Value(); ok && (p < 1 || p > 65535) {
				t.Errorf("port %d", p)
			}
		}
	})
}
