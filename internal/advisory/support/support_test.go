package support

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/fact"
)

var update = flag.Bool("update", false, "write support.tsv and doc/support.md")

var day2026 = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// TestCompiledCurrent holds that support.tsv and doc/support.md are what stands in data.
func TestCompiledCurrent(t *testing.T) {
	t.Parallel()
	all, err := Load(os.DirFS("data"))
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	names := map[string]string{}
	for _, p := range all {
		for _, n := range p.Names {
			if other := names[n]; other != "" {
				t.Errorf("%q names both %s and %s", n, other, p.Name)
			}
			names[n] = p.Name
		}
		line, err := compile(p)
		if err != nil {
			t.Fatal(err)
		}
		lines.WriteString(line)
	}
	var doc bytes.Buffer
	Document(&doc, all)
	for name, want := range map[string]string{"support.tsv": lines.String(), "../../../doc/support.md": doc.String()} {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != want {
			t.Errorf("%s is not current: go test ./internal/advisory/support -run Current -update", name)
		}
	}
}

// TestReach holds that the facts cover what devices are made of.
func TestReach(t *testing.T) {
	t.Parallel()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, p := range all {
		have[p.Name] = true
	}
	if len(all) < 60 {
		t.Errorf("%d products, want 60", len(all))
	}
	for _, n := range strings.Fields(`openssl linux linux-cip busybox dropbear python php node.js ruby perl go openjdk qt gtk sqlite postgresql mariadb mysql nginx apache-httpd tomcat samba bind
		openssh glibc uclibc uclibc-ng musl mbedtls wolfssl gnutls curl debian ubuntu alpine openwrt yocto buildroot centos rhel fedora android windows windows-server windows-embedded
		vxworks qnx freertos dotnet docker systemd jquery angular bootstrap log4j spring-framework spring-boot electron chromium firefox u-boot mosquitto orthanc dcmtk lighttpd vsftpd net-snmp`) {
		if !have[n] {
			t.Errorf("no facts of %s", n)
		}
	}
}

// TestState holds the answers for components of all sorts on one day.
func TestState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, version, suffix, ecosystem string
		want, end, why                   string // why: a part of the words
	}{
		{"openssl", "1.0.1f", "", "generic", Ended, "2016-12-31", "openssl 1.0.1 got security fixes until"},
		{"openssl", "1.0.2u", "", "generic", Ended, "2019-12-31", ""},
		{"openssl", "0.9.7a", "", "generic", Ended, "", "older than 0.9.8"},
		{"openssl", "3.0.13", "", "generic", Ended, "2026-09-07", ""},
		{"openssl", "3.5.2", "", "generic", Maintained, "2030-04-08", ""},
		{"openssl", "9.1", "", "generic", "", "", "newer than what is known"},
		{"openssl", "", "", "generic", "", "", "version is not known"},
		{"linux", "3.10.108", "", "generic", Ended, "2017-11-04", "to be confirmed"},
		{"linux", "4.15.1", "", "generic", Ended, "", "ended when the next one came"},
		{"linux", "2.6.36", "", "generic", Ended, "2016-03-12", ""},
		{"linux", "6.12.30", "", "generic", Maintained, "2028-12-31", ""},
		{"linux", "4.19.98-cip19", "", "generic", Maintained, "2029-01-31", "cip"},
		{"busybox", "1.20.2", "", "generic", Ended, "", "busybox 1.21 took its place on 2013-01-21"},
		{"busybox", "1.36.1", "", "generic", Maintained, "", "1.37"},
		{"busybox", "1.37.0", "", "generic", Maintained, "", "no newer line"},
		{"busybox", "1.00", "", "generic", Ended, "", "1.20"},
		{"dropbear", "2012.55", "", "generic", Ended, "", "2013.56"},
		{"uclibc", "0.9.33.2", "", "generic", Abandoned, "", "uClibc-ng"},
		{"uclibc", "", "", "generic", Abandoned, "", ""},
		{"uclibc-ng", "1.0.50", "", "generic", Maintained, "", ""},
		{"node.js", "16.20.2", "", "generic", Ended, "2023-09-11", ""},
		{"python", "3.10.4", "", "generic", Ended, "2026-10-31", ""},
		{"python", "2.7.18", "", "generic", Ended, "2020-01-01", ""},
		{"php", "5.6.40", "", "generic", Ended, "2018-12-31", ""},
		{"php", "npm-thing", "", "npm", "", "", "no dates"},
		{"angular", "1.8.2", "", "npm", Ended, "2021-12-31", ""},
		{"log4j-core", "2.24.1", "", "maven", Maintained, "", ""},
		{"log4j", "1.2.17", "", "maven", Ended, "2015-10-15", ""},
		{"python", "3.13", "", "npm", "", "", "no dates"},
		{"openssl", "1.0.1t", "-1+deb8u12", "deb", Ended, "2020-06-30", "packaged by Debian 8"},
		{"openssl", "3.0.15", "-1~deb12u1", "deb", "", "", "packaged by a distribution"},
		{"openssl", "3.0.2", "-0ubuntu1.18~22.04.1", "deb", Maintained, "2027-06-01", "packaged by Ubuntu 22.04"},
		{"bash", "4.4.20", "-4.el8", "rpm", Maintained, "2029-05-31", "Enterprise Linux 8"},
		{"uclibc", "0.9.33.2", "-1", "opkg", Abandoned, "", ""},
		{"libnobodyknows", "1.0", "", "generic", "", "", "no dates"},
	} {
		f := &fact.Component{Name: c.name, Version: c.version, Suffix: c.suffix, Ecosystem: c.ecosystem}
		set := &fact.Set{Component: []*fact.Component{f}}
		if err := State(set, day2026); err != nil {
			t.Fatal(err)
		}
		if f.Support != c.want || f.EndOfSupport != c.end || !strings.Contains(f.SupportWhy, c.why) || f.SupportWhy == "" {
			t.Errorf("%s %s%s: %q until %q: %s; want %q until %q, %q", c.name, c.version, c.suffix, f.Support, f.EndOfSupport, f.SupportWhy, c.want, c.end, c.why)
		}
	}
}

// TestStateSystem holds the answers for distributions and kernels, and how a component
// follows its distribution.
func TestStateSystem(t *testing.T) {
	t.Parallel()
	firmware := fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system"}
	for _, c := range []struct {
		device    fact.Device
		want, end string
	}{
		{fact.Device{OS: "linux", DistroID: "debian", DistroVersion: "10"}, Ended, "2024-06-30"},
		{fact.Device{OS: "linux", DistroID: "debian", DistroVersion: "12"}, Maintained, "2028-06-30"},
		{fact.Device{OS: "linux", DistroID: "openwrt", DistroVersion: "22.03.5"}, Ended, "2024-04-11"},
		{fact.Device{OS: "linux", DistroID: "poky", DistroVersion: "5.0.3"}, Maintained, "2028-04-30"},
		{fact.Device{OS: "linux", DistroID: "acme-linux", DistroVersion: "5"}, "", ""},
		{fact.Device{OS: "Windows XP Embedded SP3"}, Ended, "2014-04-08"},
		{fact.Device{OS: "Windows 7 SP1"}, Ended, "2020-01-14"},
		{fact.Device{OS: "Windows 10"}, "", ""},
		{fact.Device{OS: "Windows 10 IoT Enterprise LTSC 2021"}, Maintained, "2032-01-13"},
		{fact.Device{OS: "Windows Server 2008 R2"}, Ended, "2020-01-14"},
		{fact.Device{OS: "Microsoft Windows Embedded Standard 7"}, Ended, "2020-10-13"},
		{fact.Device{OS: "linux"}, "", ""},
	} {
		d := c.device
		d.Base = firmware
		set := &fact.Set{Device: []*fact.Device{&d}}
		if err := State(set, day2026); err != nil {
			t.Fatal(err)
		}
		if d.DistroSupport != c.want || d.DistroEnd != c.end {
			t.Errorf("%+v: %q until %q: %s; want %q until %q", c.device, d.DistroSupport, d.DistroEnd, d.DistroWhy, c.want, c.end)
		}
	}
	set := &fact.Set{
		Device: []*fact.Device{{Base: firmware, OS: "linux", DistroID: "debian", DistroVersion: "13"}},
		Component: []*fact.Component{
			{Base: firmware, Name: "openssl", Version: "3.0.1", Suffix: "-1", Ecosystem: "deb"},
			{Base: firmware, Name: "openssl", Version: "1.0.1f", Ecosystem: "generic"},
			{Base: firmware, Name: "angular", Version: "1.8", Ecosystem: "npm"},
			{Base: firmware, Name: "busybox", Version: "1.20", Support: Maintained},
		},
		Kernel: []*fact.Kernel{
			{Base: firmware, Name: "linux", Version: "4.9.1", Build: "#1 SMP Debian 4.9.1-1"},
			{Base: firmware, Name: "linux", Version: "4.9.1"},
			{Base: firmware, Name: "linux", Version: "5.15.148"},
			{Base: firmware, Name: "vxworks", Version: "6.6"},
		},
	}
	if err := State(set, day2026); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range set.Component {
		got = append(got, c.Support+" "+c.EndOfSupport)
	}
	for _, n := range set.Kernel {
		got = append(got, n.Support+" "+n.EndOfSupport)
	}
	want := []string{"maintained 2030-06-30", " ", "no-longer-maintained 2021-12-31", "maintained ", "maintained 2030-06-30", "no-longer-maintained 2023-01-07", "maintained 2026-12-31", "no-longer-maintained "}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if e, ok := set.Kernel[2].Ending.Value(); !ok || !e {
		t.Error("an end on 2026-12-31 is not seen as near")
	}
	if e, ok := set.Component[0].Ending.Value(); !ok || e {
		t.Error("an end on 2030-06-30 is seen as near")
	}
}

// TestStateByDay holds that the answer is that of the day, that another day's run sets it
// anew, and that what a source has stated stays.
func TestStateByDay(t *testing.T) {
	t.Parallel()
	for day, want := range map[string]string{"2016-12-31": Maintained, "2017-01-01": Ended} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		set := &fact.Set{Component: []*fact.Component{{Name: "openssl", Version: "1.0.1f"}}}
		if err := State(set, at); err != nil {
			t.Fatal(err)
		}
		if got := set.Component[0].Support; got != want {
			t.Errorf("%s: %s, want %s", day, got, want)
		}
		if err := State(set, at.AddDate(9, 0, 0)); err != nil {
			t.Fatal(err)
		}
		if got := set.Component[0].Support; got != Ended {
			t.Errorf("nine years later it is %s still", got)
		}
	}
	stated := []*fact.Component{{Name: "openssl", Version: "1.0.1f", Support: Maintained}, {Name: "acme", Version: "1", EndOfSupport: "2027-01-31"}, {Name: "acme2", Version: "1", EndOfSupport: "2020-01-31"}}
	for range 2 {
		if err := State(&fact.Set{Component: stated}, day2026); err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"maintained", "maintained 2027-01-31", "no-longer-maintained 2020-01-31"} {
			if got := strings.TrimSpace(stated[i].Support + " " + stated[i].EndOfSupport); got != want {
				t.Errorf("what was stated became %q, want %q", got, want)
			}
		}
	}
	set := &fact.Set{Component: []*fact.Component{{Name: "nginx", Version: "1.31.0"}}}
	if err := State(set, time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if c := set.Component[0]; c.Support != "" || !strings.Contains(c.SupportWhy, "too long ago") {
		t.Errorf("facts that are years old still say %q: %s", c.Support, c.SupportWhy)
	}
}

// TestLoadRefuses holds that a slip of the pen in a fact is no silence.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const head = "name: a\nnames: [a]\nsource: https://a.example/\n"
	for text, want := range map[string]string{
		"name: b\n":            "not the file's",
		head:                   "wants either lines",
		head + "colour: red\n": "colour",
		head + "lines: [{line: '1', security: soon}]\n":                           "no date",
		head + "lines: [{line: '1'}]\n":                                           "want one of",
		head + "lines: [{line: '1', open: true, ended: true}]\n":                  "want one of",
		head + "lines: [{line: '1', open: true}, {line: '1', open: true}]\n":      "twice",
		head + "checked: '2026'\nlines: [{line: '1', open: true}]\n":              "want a day and a source",
		head + "lines: [{line: '1', released: '2020', security: '2019-01-01'}]\n": "ended before",
		strings.Repeat("#", fileAtMost+1):                                         "over the limit",
	} {
		_, err := Load(fstest.MapFS{"a.yaml": {Data: []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `support of "a.yaml": `) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// FuzzVersion holds that no version of any product is answered by a panic, and that each
// answer has its reason.
func FuzzVersion(f *testing.F) {
	for _, s := range []string{"1.0.1f", "10 iot ltsc 2021", "2.6.36-cip", "99999999999999999999", "", "a.b", "-1", "3."} {
		f.Add("openssl", s, "+deb12u3")
		f.Add("windows", s, "0ubuntu1.22.04")
		f.Add("busybox", s, ".el8")
	}
	k := newKnowledge(day2026)
	f.Fuzz(func(t *testing.T, name, version, suffix string) {
		for _, eco := range []string{"deb", "generic", "npm"} {
			c := &fact.Component{Name: name, Version: version, Suffix: suffix, Ecosystem: eco}
			if a := k.component(c, distro{}); a.why == "" {
				t.Errorf("%q %q: %+v has no reason", name, version, a)
			}
		}
		k.distribution(&fact.Device{DistroID: name, DistroVersion: version})
		k.distribution(&fact.Device{OS: name + " " + version})
	})
}

// BenchmarkState is 500 components of a device.
func BenchmarkState(b *testing.B) {
	names := []string{"openssl", "busybox", "linux", "zlib", "libfoo", "python", "nginx", "glibc", "systemd", "curl"}
	for b.Loop() {
		set := &fact.Set{}
		for i := range 500 {
			set.Add(&fact.Component{Name: names[i%len(names)], Version: "1.2.3", Ecosystem: "generic"})
		}
		if err := State(set, day2026); err != nil {
			b.Fatal(err)
		}
	}
}
