package risk

import (
	"slices"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// device is facts and matches in which a chain is, and is not.
type device struct {
	facts   []fact.Fact
	matches []advisory.Match
}

func has(facts ...fact.Fact) device { return device{facts: facts} }

func account(name string, uid int, password string, change ...func(*fact.Account)) *fact.Account {
	a := &fact.Account{Base: seen("system"), Name: name, Store: "system", UID: fact.Say(uid), Login: fact.Say(true), Locked: fact.Say(false), Password: fact.Say(password), Sudo: fact.Say("no")}
	for _, c := range change {
		c(a)
	}
	return a
}

func user(s *fact.Service) { s.User, s.AsRoot = fact.Say("www"), fact.Say(false) }

func writable(s *fact.Service) { s.Writable = fact.Say(true) }

func in(root string, f fact.Fact) fact.Fact {
	f.Header().Root = root
	return f
}

// Every pattern finds what it is for, and nothing where one tie of it is missing.
func TestPatterns(t *testing.T) {
	t.Parallel()
	ssh := func(change ...func(*fact.Service)) *fact.Service {
		return daemon("sshd", "ssh", 22, append(change, shell)...)
	}
	key := func(account string, private bool) *fact.Key {
		return &fact.Key{Base: seen("system"), Use: map[bool]string{true: "ssh-user", false: "ssh-authorized"}[private], Private: fact.Say(private), SelfAuthorising: fact.Say(true), Fingerprint: "SHA256:a", Account: account}
	}
	update := func(mechanism, transport string, change func(*fact.Update)) *fact.Update {
		u := &fact.Update{Base: seen("system"), Mechanism: mechanism, Transport: transport, Path: "/u", Signed: fact.Say(false)}
		change(u)
		return u
	}
	boot := func(change func(*fact.Boot)) *fact.Boot {
		b := &fact.Boot{Base: seen("system"), Loader: "u-boot", Console: fact.Say("ttyS0"), Interactive: fact.Say(true), Verified: fact.Say(false), Login: fact.Say(true)}
		change(b)
		return b
	}
	cgi := func(what string) *fact.Script {
		return &fact.Script{Base: seen("system"), Path: "/www/a.cgi", CGI: fact.Say(true), Uses: []fact.Use{{What: what, Line: 3}}}
	}
	soft := func(pie bool) *fact.Executable {
		return &fact.Executable{Base: seen("system"), Path: "/usr/sbin/pumpd", Canary: fact.Say(false), NX: fact.Say(true), PIE: fact.Say(pie), Risky: []string{"strcpy"}, Vendor: fact.Say(true)}
	}
	kev := match("CVE-2021-1", "webd", advisory.Vulnerable, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")
	kev.KEV = true
	webd := &fact.Component{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system", Places: []fact.Place{{Path: "/usr/sbin/webd"}}}, Name: "webd", Version: "1"}
	writes := &fact.Script{Base: seen("system"), Path: "/opt/x.sh", WorldWritable: fact.Say(true), AsRoot: fact.Say(true)}
	community := func(subject string) *fact.Secret {
		return &fact.Secret{Base: seen("system"), What: "community", For: "snmp", Subject: subject, Default: fact.Say(true)}
	}
	mount := &fact.Mount{Base: seen("system"), Device: "198.51.100.1:/x", Point: "/mnt", Remote: fact.Say(true), Exec: fact.Say(true)}
	abroad := func(declared bool) *fact.Destination {
		return &fact.Destination{Base: seen("system"), Host: "198.51.100.1", Public: fact.Say(true), Declared: fact.Say(declared)}
	}
	guard := func(active bool) *fact.Guard {
		return &fact.Guard{Base: seen("system"), What: "lockout", Subject: "sshd", Active: fact.Say(active)}
	}
	remote := func(a *fact.Account) { a.Remote = fact.Say(true) }
	cases := []struct {
		id    string
		bad   []device
		good  []device
		level string
	}{
		{"open-shell", []device{has(daemon("telnetd", "telnet", 23, shell, anyone)), has(daemon("rshd", "rsh", 514, shell, anyone, user))},
			[]device{has(daemon("telnetd", "telnet", 23, shell)), has(daemon("telnetd", "telnet", 23, shell, anyone, loopback)), has(daemon("telnetd", "telnet", 23, shell, anyone, never)), has(daemon("httpd", "http", 80, anyone))}, "unacceptable"},
		{"remote-screen", []device{has(daemon("x11vnc", "vnc", 5900, anyone))}, []device{has(daemon("x11vnc", "vnc", 5900)), has(daemon("x11vnc", "vnc", 5900, anyone, loopback))}, "unacceptable"},
		{"debug-port", []device{has(daemon("adbd", "adb", 5555, anyone))}, []device{has(daemon("adbd", "adb", 5555)), has(daemon("gdbserver", "gdb", 1, anyone, never))}, "unacceptable"},
		{"known-password", []device{has(ssh(), account("root", 0, "default")), has(ssh(), account("service", 1000, "empty", func(a *fact.Account) { a.Sudo = fact.Say("nopasswd") })),
			has(daemon("vsftpd", "ftp", 21), &fact.Account{Base: seen("system"), Name: "u", Store: "vsftpd", Password: fact.Say("cracked")})},
			[]device{has(ssh(), account("root", 0, "set")), has(ssh(never), account("root", 0, "default")), has(ssh(), account("root", 0, "default", func(a *fact.Account) { a.Locked = fact.Say(true) })),
				has(ssh(), account("root", 0, "default", func(a *fact.Account) { a.Remote = fact.Say(false) })), has(ssh(), in("recovery", account("root", 0, "default"))), has(account("root", 0, "default"))}, "unacceptable"},
		{"guess-to-root", []device{has(ssh(), account("root", 0, "set", remote), guard(false))},
			[]device{has(ssh(), account("root", 0, "set", remote), guard(true)), has(ssh(), account("root", 0, "set"), guard(false)), has(ssh(), account("u", 5, "set", remote), guard(false))}, "acceptable with measures"},
		{"key-in-image", []device{has(ssh(), key("root", false), key("", true), account("root", 0, "locked"))}, []device{has(key("root", false), key("", true)), has(ssh(loopback), key("root", false), key("", true))}, "unacceptable"},
		{"update-on-path", []device{has(update("script", "http", func(*fact.Update) {})), has(update("script", "https", func(u *fact.Update) { u.Verified = fact.Say(false) }))},
			[]device{has(update("script", "http", func(u *fact.Update) { u.Signed = fact.Say(true) })), has(update("script", "http", func(u *fact.Update) { u.Signed = fact.Opt[bool]{} })), has(update("script", "https", func(u *fact.Update) { u.Verified = fact.Say(true) }))}, "acceptable with measures"},
		{"update-from-stick", []device{has(update("usb", "usb", func(u *fact.Update) { u.Removable, u.Automatic = fact.Say(true), fact.Say(true) }))},
			[]device{has(update("usb", "usb", func(u *fact.Update) { u.Removable, u.Signed = fact.Say(true), fact.Say(true) })), has(update("usb", "usb", func(*fact.Update) {}))}, "acceptable with measures"},
		{"upload-to-update", []device{has(daemon("vsftpd", "ftp", 21, anyone, writable), update("upload", "ftp", func(*fact.Update) {})),
			has(daemon("vsftpd", "ftp", 21, writable), update("upload", "ftp", func(*fact.Update) {}), &fact.Account{Base: seen("system"), Name: "u", Store: "vsftpd", Password: fact.Say("default")})},
			[]device{has(daemon("vsftpd", "ftp", 21, writable), update("upload", "ftp", func(*fact.Update) {})), has(daemon("vsftpd", "ftp", 21, anyone), update("upload", "ftp", func(*fact.Update) {})),
				has(daemon("vsftpd", "ftp", 21, anyone, writable), update("upload", "http", func(*fact.Update) {}))}, "unacceptable"},
		{"clinical-writes", []device{has(daemon("storescp", "dicom", 104, anyone, writable)), has(daemon("mosquitto", "mqtt", 1883, anyone)),
			has(daemon("mllp", "hl7", 2575, anyone), &fact.Endpoint{Base: seen("system"), Service: "mllp", Protocol: "hl7", Path: "ADT", Writes: fact.Say(true)})},
			[]device{has(daemon("storescp", "dicom", 104, writable)), has(daemon("storescp", "dicom", 104, anyone)), has(daemon("mosquitto", "mqtt", 1883, anyone, loopback))}, "unacceptable"},
		{"console-root", []device{has(boot(func(b *fact.Boot) { b.RootShell = fact.Say(true) })), has(boot(func(b *fact.Boot) { b.Login = fact.Say(false) })), has(boot(func(*fact.Boot) {}), account("root", 0, "empty"))},
			[]device{has(boot(func(*fact.Boot) {}), account("root", 0, "set")), has(boot(func(b *fact.Boot) { b.Console = fact.Opt[string]{} }), account("root", 0, "empty")), has(boot(func(*fact.Boot) {}), account("u", 5, "empty"))}, "acceptable with measures"},
		{"boot-takeover", []device{has(boot(func(*fact.Boot) {}))}, []device{has(boot(func(b *fact.Boot) { b.Password = fact.Say(true) })), has(boot(func(b *fact.Boot) { b.Verified = fact.Say(true) })), has(boot(func(b *fact.Boot) { b.Verified = fact.Opt[bool]{} }))}, "acceptable with measures"},
		{"web-command", []device{has(daemon("httpd", "http", 80, anyone), cgi("shell-injection")), has(daemon("httpd", "http", 80), cgi("eval-input")),
			has(daemon("httpd", "http", 80), &fact.Endpoint{Base: seen("system"), Service: "httpd", Path: "/run", Commands: fact.Say(true), Authenticated: fact.Say(false)})},
			[]device{has(cgi("shell-injection")), has(daemon("httpd", "http", 80), cgi("weak-hash")), has(daemon("httpd", "http", 80, loopback), cgi("shell-injection")),
				has(daemon("httpd", "http", 80), &fact.Endpoint{Base: seen("system"), Service: "httpd", Path: "/run", Commands: fact.Say(true), Authenticated: fact.Say(true)})}, ""},
		{"snmp-writes", []device{has(daemon("snmpd", "snmp", 161), community("rwcommunity"))}, []device{has(daemon("snmpd", "snmp", 161), community("rocommunity")), has(community("rwcommunity"))}, "unacceptable"},
		{"foothold-to-root", []device{has(daemon("httpd", "http", 80, user), writes)}, []device{has(daemon("httpd", "http", 80), writes), has(daemon("httpd", "http", 80, user, loopback), writes), has(writes)}, "acceptable with measures"},
		{"foreign-programs", []device{has(mount, abroad(false))}, []device{has(mount, abroad(true)), has(mount)}, "acceptable with measures"},
		{"memory-to-root", []device{has(daemon("pumpd", "", 5000), soft(false))}, []device{has(daemon("pumpd", "", 5000), soft(true)), has(daemon("pumpd", "", 5000, user), soft(false)), has(soft(false))}, "acceptable with measures"},
		{"exploited-service", []device{{[]fact.Fact{daemon("webd", "http", 80), webd}, []advisory.Match{kev}}},
			[]device{{[]fact.Fact{daemon("webd", "http", 80, user), webd}, []advisory.Match{kev}}, {[]fact.Fact{daemon("webd", "http", 80, loopback), webd}, []advisory.Match{kev}},
				{[]fact.Fact{daemon("webd", "http", 80), webd}, []advisory.Match{match("CVE-2021-1", "webd", advisory.Vulnerable, kev.Vector)}}}, "unacceptable"},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			for i, d := range c.bad {
				r := theChain(t, d, c.id)
				if r == nil {
					t.Errorf("bad %d: not found", i)
					continue
				}
				if len(r.Path) < 2 || c.level != "" && i == 0 && r.Level != c.level {
					t.Errorf("bad %d: %s by %s: %q", i, r.Level, r.Exploitability, r.Path)
				}
				if w := strings.Join(r.Path, " "); !strings.Contains(w, "[a.bin!/x]") {
					t.Errorf("bad %d: no place in %q", i, w)
				}
			}
			for i, d := range c.good {
				if r := theChain(t, d, c.id); r != nil {
					t.Errorf("good %d: found: %q", i, r.Path)
				}
			}
		})
	}
	for _, p := range patterns() {
		if !slices.ContainsFunc(cases, func(c struct {
			id    string
			bad   []device
			good  []device
			level string
		}) bool {
			return c.id == p.id && len(c.bad) > 0 && len(c.good) > 0
		}) {
			t.Errorf("the chain %s has no test", p.id)
		}
	}
}

func theChain(t *testing.T, d device, id string) *Risk {
	t.Helper()
	risks, _ := assess(t, Input{Facts: set(d.facts...), Matches: d.matches})
	for _, r := range risks {
		if r.Chain == id {
			return &r
		}
	}
	return nil
}

// A finding that is a step of a chain is listed, points to the chain and is counted with
// it; one that is not is left alone.
func TestPartsOfChains(t *testing.T) {
	t.Parallel()
	s := daemon("telnetd", "telnet", 23, shell, anyone)
	facts := set(s)
	risks, sum := assess(t, Input{Facts: facts, Findings: []*judge.Finding{
		finding("f1", "service.shell-without-login", "api", "critical", fact.KindService, s.Key()),
		finding("f2", "service.telnet", "protocol", "high", fact.KindService, s.Key()),
		finding("f3", "device.no-firewall", "protocol", "medium", fact.KindDevice),
	}})
	chain, part, alone := risks[0], find(t, risks, "title of service.shell-without-login"), find(t, risks, "title of device.no-firewall")
	if chain.Chain != "open-shell" || !slices.Equal(chain.Findings, []string{"f1", "f2"}) {
		t.Errorf("chain %q of %q", chain.Chain, chain.Findings)
	}
	if !slices.Equal(part.PartOf, []string{chain.ID}) || len(alone.PartOf) != 0 {
		t.Errorf("parts point to %q and %q, not %s", part.PartOf, alone.PartOf, chain.ID)
	}
	if sum.Parts != 1 || sum.Chains != 1 || sum.Levels["unacceptable"] != 1 {
		t.Errorf("summary %+v", sum)
	}
}
