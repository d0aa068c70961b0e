package advisory_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// indexOf builds an index of records.
func indexOf(t testing.TB, records ...advisory.Record) *advisory.Index {
	t.Helper()
	b := advisory.NewBuilder(advisory.BuildOptions{})
	for _, r := range records {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	x, err := advisory.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// named is a product by its CPE name, in the short form or the long one.
func named(t testing.TB, name string) advisory.Product {
	t.Helper()
	p, _, err := advisory.ParseCPE(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// between is a range without its upper end.
func between(from, to string) advisory.Range { return advisory.Range{From: from, To: to} }

// only is one version.
func only(v string) advisory.Range { return advisory.Range{From: v, To: v, Last: true} }

// hit says that a product is affected in some versions.
func hit(p advisory.Product, versions ...advisory.Range) advisory.Affected {
	return advisory.Affected{Product: p, Status: advisory.Vulnerable, Versions: versions}
}

// nvd is a record of NVD.
func nvd(id string, affected ...advisory.Affected) advisory.Record {
	return advisory.Record{Source: advisory.NVD, ID: id, Affected: affected}
}

// found is a component as signatures find it.
func found(name, version string, cpes ...string) *fact.Component {
	c := &fact.Component{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}, Root: "system"}, Name: name, Version: version, PURL: "pkg:generic/" + name + "@" + version, Ecosystem: "generic"}
	for _, p := range cpes {
		c.CPEs = append(c.CPEs, "cpe:2.3:"+p+":"+version+":*:*:*:*:*:*:*")
	}
	return c
}

// deb is a component of a Debian package.
func deb(name, version, suffix string, cpes ...string) *fact.Component {
	c := found(name, version, cpes...)
	c.Suffix, c.Ecosystem, c.How = suffix, "deb", "package-database"
	c.PURL = "pkg:deb/debian/" + name + "@" + strings.ReplaceAll(version+suffix, "+", "%2B") + "?arch=source"
	return c
}

func linuxDevice(components ...*fact.Component) *fact.Set {
	return &fact.Set{Device: []*fact.Device{{OS: "linux", DistroID: "debian", DistroVersion: "12"}}, Component: components}
}

// match runs Match and fails on an error.
func match(t testing.TB, x *advisory.Index, facts *fact.Set) *advisory.Result {
	t.Helper()
	r, err := x.Match(facts, advisory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// one is the only match for a vulnerability, or a match without a status.
func one(t testing.TB, r *advisory.Result, id string) advisory.Match {
	t.Helper()
	var out []advisory.Match
	for _, m := range r.Matches {
		if m.Advisory == id {
			out = append(out, m)
		}
	}
	switch len(out) {
	case 0:
		return advisory.Match{}
	case 1:
		return out[0]
	}
	t.Fatalf("%s matches %d times", id, len(out))
	return advisory.Match{}
}

// why holds that the steps say some words, in their order.
func why(t testing.TB, m advisory.Match, want ...string) {
	t.Helper()
	steps := strings.Join(m.Why, "\n")
	for _, w := range want {
		_, rest, ok := strings.Cut(steps, w)
		if !ok {
			t.Errorf("%s of %s: %q is not told in\n\t%s", m.Advisory, m.Component, w, strings.Join(m.Why, "\n\t"))
			return
		}
		steps = rest
	}
}

const openssl, busybox, kernelCPE = "a:openssl:openssl", "a:busybox:busybox", "o:linux:linux_kernel"

func heartbleed(t testing.TB) []advisory.Record {
	bleed := nvd("CVE-2014-0160", hit(named(t, openssl), only("1.0.1"), between("1.0.1a", "1.0.1g")))
	bleed.Scores = []advisory.Score{{Vector: "AV:N/AC:L/Au:N/C:P/I:N/A:N", By: "nvd@nist.gov"}, {Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", By: "nvd@nist.gov"}}
	bleed.CWE = []int{125}
	bleed.Published = time.Date(2014, 4, 7, 22, 55, 3, 0, time.UTC)
	return []advisory.Record{bleed,
		{Source: advisory.KEV, ID: "CVE-2014-0160", Exploited: &advisory.Exploited{Added: time.Date(2022, 5, 4, 0, 0, 0, 0, time.UTC), Due: time.Date(2022, 5, 25, 0, 0, 0, 0, time.UTC)}},
		{Source: advisory.EPSS, ID: "CVE-2014-0160", Forecast: &advisory.Forecast{Probability: 0.94, Percentile: 0.999}},
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	x := indexOf(t, heartbleed(t)...)
	got := one(t, match(t, x, linuxDevice(found("openssl", "1.0.1f", openssl))), "CVE-2014-0160")
	if got.Status != advisory.Vulnerable || got.Confidence != "high" || got.CVSS != 7.5 || got.Severity != "high" || !got.KEV || got.KEVAdded != "2022-05-04" ||
		got.EPSS != 0.94 || got.FixedIn != "1.0.1g" || got.Published != "2014-04-07" || !slices.Equal(got.CWE, []int{125}) || got.Advice != "update openssl to 1.0.1g or later" {
		t.Errorf("%+v", got)
	}
	why(t, got, "looked up as cpe a:openssl:openssl 1.0.1f", "NVD calls of openssl affected: 1.0.1a up to and without 1.0.1g", "1.0.1f lies between")

	r := match(t, x, linuxDevice(found("openssl", "1.0.1h", openssl), found("mystery", "", ""), found("private", "1.0", "")))
	if len(r.Matches) != 0 {
		t.Errorf("%+v", r.Matches)
	}
	if len(r.Considered) != 3 {
		t.Fatalf("%+v", r.Considered)
	}
	for _, c := range r.Considered {
		if c.Component == "openssl" && (c.Candidates != 1 || c.Outside != 1 || c.Unknown != "") || c.Component != "openssl" && c.Unknown == "" {
			t.Errorf("%+v", c)
		}
	}
	all, err := x.Explain("cve-2014-0160", linuxDevice(found("openssl", "1.0.1h", openssl), found("zlib", "1.2.11", "a:zlib:zlib")), advisory.Options{})
	if err != nil || len(all) != 1 || all[0].Status != advisory.NotThere {
		t.Fatalf("%+v, %v", all, err)
	}
	why(t, all[0], "1.0.1h lies outside 1.0.1 alone, 1.0.1a up to and without 1.0.1g")
	if _, err := x.Explain("CVE-1999-0001", linuxDevice(), advisory.Options{}); !errors.Is(err, advisory.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

func TestBackports(t *testing.T) {
	t.Parallel()
	libssl := advisory.Product{By: advisory.ByPackage, Ecosystem: "Debian:12", Name: "openssl"}
	x := indexOf(t,
		nvd("CVE-2023-0001", hit(named(t, openssl), between("3.0.0", "3.0.14"))),
		advisory.Record{Source: advisory.OSV, Origin: "Debian:12", ID: "CVE-2023-0001", Document: "DSA-1-1", Affected: []advisory.Affected{hit(libssl, advisory.Range{From: "0", To: "3.0.11-1~deb12u2", Scheme: "deb"})}},
		nvd("CVE-2023-0002", hit(named(t, openssl), between("3.0.0", "3.0.14"))),
		nvd("CVE-2023-0003", hit(named(t, busybox), between("", "1.37"))),
	)
	suffixed := func(s string) *fact.Set { return linuxDevice(deb("openssl", "3.0.11", s, openssl)) }
	got := one(t, match(t, x, suffixed("-1~deb12u2")), "CVE-2023-0001")
	if got.Status != advisory.Fixed || got.FixedIn != "3.0.11-1~deb12u2" {
		t.Errorf("%+v", got)
	}
	why(t, got, "NVD calls of openssl affected", "the distribution has mended it in 3.0.11-1~deb12u2")
	got = one(t, match(t, x, suffixed("-1~deb12u1")), "CVE-2023-0001")
	if got.Status != advisory.Vulnerable || got.FixedIn != "3.0.11-1~deb12u2" {
		t.Errorf("%+v", got)
	}
	got = one(t, match(t, x, suffixed("-1~deb12u2")), "CVE-2023-0002")
	if got.Status != advisory.Unclear {
		t.Errorf("%+v", got)
	}
	why(t, got, "the data of Debian 12 in this index do not speak of it")
	old := linuxDevice(deb("openssl", "3.0.11", "-1~deb11u2", openssl))
	old.Device[0].DistroVersion = ""
	got = one(t, match(t, x, old), "CVE-2023-0001")
	if got.Status != advisory.Unclear {
		t.Errorf("%+v", got)
	}
	why(t, got, "no data of Debian 11 in this index")
	// Without a distribution nothing stands between the range and the component.
	if got := one(t, match(t, x, linuxDevice(found("openssl", "3.0.11", openssl))), "CVE-2023-0001"); got.Status != advisory.Vulnerable {
		t.Errorf("%+v", got)
	}
}

// What bears the same name is not the same product.
func TestOtherProducts(t *testing.T) {
	t.Parallel()
	node := "cpe:2.3:a:expat:expat:*:*:*:*:*:node.js:*:*"
	wordpress := "cpe:2.3:a:libexpat_project:libexpat:*:*:*:*:*:wordpress:*:*"
	windows := "cpe:2.3:a:libexpat_project:libexpat:*:*:*:*:*:windows:*:*"
	x := indexOf(t,
		nvd("CVE-2020-0001", hit(named(t, node), between("", "3.0"))),
		nvd("CVE-2020-0002", hit(named(t, wordpress), between("", "3.0"))),
		nvd("CVE-2020-0003", hit(named(t, windows), between("", "3.0"))),
		nvd("CVE-2020-0004", hit(named(t, "a:ceph:ceph"), between("", "20.0"))),
		nvd("CVE-2020-0005", hit(named(t, "h:libexpat_project:libexpat"), between("", "3.0"))),
		nvd("CVE-2020-0006", hit(named(t, "a:first:twins"), between("", "3.0"))),
		nvd("CVE-2020-0007", hit(named(t, "a:second:twins"), between("", "3.0"))),
		nvd("CVE-2020-0008", hit(named(t, "a:someone:alone"), between("", "3.0"))),
		nvd("CVE-2020-0009", hit(named(t, "a:someone:os-release"), between("", "3.0"))),
	)
	expat := found("expat", "2.2.0", "a:libexpat_project:libexpat", "a:expat:expat")
	module := found("ceph", "6.1.0")
	module.Type = "module"
	r := match(t, x, linuxDevice(expat, module, found("twins", "1.0"), found("alone", "1.0"), found("os-release", "1.0")))
	if len(r.Matches) != 1 || r.Matches[0].Advisory != "CVE-2020-0008" || r.Matches[0].Confidence != "low" {
		t.Errorf("%+v", r.Matches)
	}
	for _, c := range r.Considered {
		switch c.Component {
		case "expat":
			if c.Elsewhere != 4 {
				t.Errorf("%+v", c)
			}
		case "twins":
			if !strings.Contains(c.Unknown, "first, second") {
				t.Errorf("%+v", c)
			}
		case "ceph", "os-release":
			if c.Unknown == "" {
				t.Errorf("%+v", c)
			}
		}
	}
	// Where the system is not known, it is asked and not passed over.
	got := one(t, match(t, x, &fact.Set{Component: []*fact.Component{found("expat", "2.2.0", "a:libexpat_project:libexpat")}}), "CVE-2020-0003")
	if got.Status != advisory.Unclear {
		t.Errorf("%+v", got)
	}
	why(t, got, "it presupposes windows, and which system the device runs is not known")
}

// The name of a kernel's interface is not its version.
func TestKernelName(t *testing.T) {
	t.Parallel()
	x := indexOf(t, nvd("CVE-2024-0001", hit(named(t, kernelCPE), between("5.5", "6.1.50"))), nvd("CVE-2024-0002", hit(named(t, kernelCPE), between("5.5", "6.1.170"), between("6.2", "6.6.100"))))
	facts := linuxDevice(found("linux", "6.1.0", kernelCPE))
	facts.Kernel = []*fact.Kernel{{Base: fact.Base{Root: "system"}, Name: "linux", Version: "6.1.140", Release: "6.1.0-50-amd64"}}
	r := match(t, x, facts)
	if got := one(t, r, "CVE-2024-0001"); got.Status != "" {
		t.Errorf("%+v", got)
	}
	got := one(t, r, "CVE-2024-0002")
	if got.Status != advisory.Vulnerable || got.FixedIn != "6.1.170" {
		t.Errorf("%+v", got)
	}
	why(t, got, "calls itself 6.1.0-50-amd64, and its version is 6.1.140")
}

func TestSourcesDiffer(t *testing.T) {
	t.Parallel()
	p := named(t, openssl)
	own := func(id string, r ...advisory.Range) advisory.Record {
		return advisory.Record{Source: advisory.OpenSSL, ID: id, Affected: []advisory.Affected{hit(p, r...)}}
	}
	x := indexOf(t,
		nvd("CVE-2020-0001", hit(p, between("", "1.1.1"))), own("CVE-2020-0001", between("1.0.2", "1.0.2h")),
		nvd("CVE-2020-0002", hit(p, between("1.0.1", "1.0.1c"))), own("CVE-2020-0002", between("1.0.2", "1.0.2z")),
		advisory.Record{Source: advisory.NVD, ID: "CVE-2020-0003", Withdrawn: true, Affected: []advisory.Affected{hit(p)}},
	)
	r := match(t, x, linuxDevice(found("openssl", "1.0.2k", openssl)))
	got := one(t, r, "CVE-2020-0001")
	if got.Status != advisory.NotThere || got.Justification != "vulnerable_code_not_present" {
		t.Errorf("%+v", got)
	}
	why(t, got, "OpenSSL's own list: 1.0.2k lies outside", "NVD calls of openssl affected", "sources differ: OpenSSL's own list is believed")
	got = one(t, r, "CVE-2020-0002")
	if got.Status != advisory.Vulnerable || got.Confidence != "medium" {
		t.Errorf("%+v", got)
	}
	if got := one(t, r, "CVE-2020-0003"); got.Status != "" {
		t.Errorf("withdrawn, and yet %+v", got)
	}
}

func TestPresupposed(t *testing.T) {
	t.Parallel()
	curl := named(t, "a:haxx:curl")
	on := func(id string, parts ...advisory.Part) advisory.Record {
		a := hit(curl, between("", "8.0"))
		a.With = []advisory.AnyOf{parts}
		return nvd(id, a)
	}
	part := func(name string, r ...advisory.Range) advisory.Part {
		return advisory.Part{Product: named(t, name), Versions: r}
	}
	x := indexOf(t,
		on("CVE-2020-0001", part("o:microsoft:windows")),
		on("CVE-2020-0002", part("o:linux:linux_kernel")),
		on("CVE-2020-0003", part("a:openssl:openssl", between("", "1.1.0"))),
		on("CVE-2020-0004", part("a:openssl:openssl", between("", "3.1.0"))),
		on("CVE-2020-0005", part("a:nobody:nothing")),
		on("CVE-2020-0006", part("h:acme:router")),
		on("CVE-2020-0007", part("o:microsoft:windows"), part("o:debian:debian_linux", only("12"))),
		on("CVE-2020-0008", part("o:debian:debian_linux", only("9"))),
	)
	r := match(t, x, linuxDevice(found("curl", "7.0", "a:haxx:curl"), found("openssl", "3.0.1", openssl)))
	want := map[string]advisory.Status{"CVE-2020-0001": "", "CVE-2020-0002": advisory.Vulnerable, "CVE-2020-0003": "", "CVE-2020-0004": advisory.Vulnerable,
		"CVE-2020-0005": "", "CVE-2020-0006": advisory.Unclear, "CVE-2020-0007": advisory.Vulnerable, "CVE-2020-0008": ""}
	for id, status := range want {
		if got := one(t, r, id); got.Status != status {
			t.Errorf("%s: %q, want %q: %v", id, got.Status, status, got.Why)
		}
	}
}

// The same facts and index give the same bytes.
func TestSameMatches(t *testing.T) {
	t.Parallel()
	x := indexOf(t, heartbleed(t)...)
	facts := linuxDevice(found("openssl", "1.0.1f", openssl), found("openssl", "1.0.1e", openssl), found("busybox", "1.20.2", busybox))
	first := fmt.Sprint(match(t, x, facts))
	slices.Reverse(facts.Component)
	if second := fmt.Sprint(match(t, x, facts)); first != second {
		t.Errorf("%s\n%s", first, second)
	}
}

func TestKernelNarrowed(t *testing.T) {
	t.Parallel()
	flaw := func(id string, files ...string) advisory.Record {
		r := nvd(id, hit(named(t, kernelCPE), between("5.5", "6.1.200")))
		r.Files = files
		return r
	}
	x := indexOf(t, flaw("CVE-2024-0001", "fs/ntfs3/attrib.c"), flaw("CVE-2024-0002", "fs/ext4/inode.c"), flaw("CVE-2024-0003", "net/sctp/socket.c"), flaw("CVE-2024-0004", "arch/mips/kernel/process.c"), flaw("CVE-2024-0005"))
	facts := linuxDevice(found("linux", "6.1.140", kernelCPE))
	k := &fact.Kernel{Base: fact.Base{Root: "system"}, Name: "linux", Version: "6.1.140", Release: "6.1.140", Arch: "arm64", Options: []string{"EXT4_FS=y", "BLOCK=y", "IP_SCTP=m", "NET=y", "NTFS3_FS=n"}, Modules: []string{"usbcore"}}
	facts.Kernel = []*fact.Kernel{k}
	r := match(t, x, facts)
	for id, want := range map[string]struct {
		status advisory.Status
		why    string
	}{
		"CVE-2024-0001": {advisory.NotThere, "fs/ntfs3/attrib.c needs CONFIG_NTFS3_FS, which is not set"},
		"CVE-2024-0002": {advisory.Vulnerable, "the configuration does not rule out fs/ext4/inode.c"},
		"CVE-2024-0003": {advisory.NotThere, "net/sctp/socket.c is in the module sctp, which is not in the image"},
		"CVE-2024-0004": {advisory.NotThere, "is for another processor than arm64"},
		"CVE-2024-0005": {advisory.Vulnerable, "no source says in which files"},
	} {
		got := one(t, r, id)
		if got.Status != want.status || want.status == advisory.NotThere && got.Justification != "vulnerable_code_not_present" {
			t.Errorf("%s: %+v", id, got)
		}
		why(t, got, want.why)
	}
	k.Options = nil
	got := one(t, match(t, x, facts), "CVE-2024-0001")
	if got.Status != advisory.Vulnerable {
		t.Errorf("%+v", got)
	}
	why(t, got, "the kernel's configuration is not in the image")
}

func TestChangelog(t *testing.T) {
	t.Parallel()
	x := indexOf(t, nvd("CVE-2023-0001", hit(named(t, openssl), between("3.0.0", "3.0.14"))), nvd("CVE-2023-0002", hit(named(t, openssl), between("3.0.0", "3.0.14"))))
	c := deb("openssl", "3.0.11", "-1~deb12u2", openssl)
	c.Mends, c.MendsIn = []string{"CVE-2023-0001"}, "/usr/share/doc/libssl3/changelog.Debian.gz"
	r := match(t, x, linuxDevice(c))
	got := one(t, r, "CVE-2023-0001")
	if got.Status != advisory.Fixed {
		t.Errorf("%+v", got)
	}
	why(t, got, "the changelog of its package, /usr/share/doc/libssl3/changelog.Debian.gz, names it as mended")
	if got := one(t, r, "CVE-2023-0002"); got.Status != advisory.Unclear {
		t.Errorf("%+v", got)
	}
}

func TestParseCPE(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`cpe:2.3:a:openssl:openssl:1.0.1f:*:*:*:*:*:*:*`:    "a openssl openssl 1.0.1f |||",
		`cpe:2.3:a:openssl:openssl:1.0.1:beta1:*:*:*:*:*:*`: "a openssl openssl 1.0.1 beta1|||",
		`cpe:2.3:a:Acme:c\+\+\:lib:-:*:*:*:*:node.js:x64:*`: "a acme c++:lib - |node.js|x64|",
		`cpe:/a:acme:c%2b%2blib:1.0:rc1`:                    "a acme c++lib 1.0 rc1|||",
		`cpe:/o:microsoft:windows_7:-:sp1:~~~~x64~`:         "o microsoft windows_7 - sp1||x64|",
		`cpe:/a:acme:lib`:                        "a acme lib  |||",
		`openssl:openssl`:                        "a openssl openssl  |||",
		`o:linux:linux_kernel`:                   "o linux linux_kernel  |||",
		`cpe:2.3:a:acme:lib:1.*:*:*:*:lts:*:*:*`: "a acme lib 1.* |||lts",
		`cpe:2.3:a:acme:lib`:                     "",
		`cpe:2.3:x:acme:lib:*:*:*:*:*:*:*:*`:     "",
		`cpe:2.3:a:*:lib:*:*:*:*:*:*:*:*`:        "",
		`cpe:/a:acme`:                            "",
		`cpe:/a:acme:lib%zz`:                     "",
		`lib`:                                    "",
		"":                                       "",
		`cpe:2.3:a:acme:` + strings.Repeat("x", 2000) + `:*:*:*:*:*:*:*`: "",
	} {
		p, v, err := advisory.ParseCPE(text)
		got := ""
		if err == nil {
			got = fmt.Sprintf("%s %s %s %s %s|%s|%s|%s", p.Part, p.Vendor, p.Name, v, p.Update, p.TargetSoftware, p.TargetHardware, p.SoftwareEdition)
		}
		if got != want {
			t.Errorf("%.80s: %q, %v, want %q", text, got, err, want)
		}
	}
}

// Whatever the names and versions are, matching ends, and says something of each component.
func FuzzMatch(f *testing.F) {
	f.Add("cpe:2.3:a:openssl:openssl:1.0.1:beta1:*:*:*:*:*:*", "1.0.1f", "-1~deb12u1", "pkg:deb/debian/openssl@1.0.1f-1?arch=source", "1.0.1", "1.0.1g", "", true)
	f.Add("a:busybox:busybox", "1.20.2", "", "pkg:generic/busybox@1.20.2", "", "1.21.*", "-", false)
	f.Fuzz(func(t *testing.T, name, version, suffix, purl, from, to, raw string, last bool) {
		p, _, err := advisory.ParseCPE(name)
		if err != nil {
			return
		}
		b := advisory.NewBuilder(advisory.BuildOptions{})
		if b.Add(nvd("CVE-2020-0001", hit(p, advisory.Range{From: from, To: to, Raw: raw, Last: last}))) != nil {
			return
		}
		var out bytes.Buffer
		if _, err := b.Write(&out); err != nil {
			t.Fatal(err)
		}
		x, err := advisory.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		c := &fact.Component{Name: p.Name, Version: version, Suffix: suffix, PURL: purl, CPEs: []string{name}, Ecosystem: "deb"}
		r := match(t, x, &fact.Set{Component: []*fact.Component{c}})
		if len(r.Considered) != 1 {
			t.Fatalf("%+v", r)
		}
		for _, m := range r.Matches {
			if m.Status == "" || len(m.Why) == 0 {
				t.Fatalf("%+v", m)
			}
		}
	})
}

// Lists know one product by several vendors: all of them are asked, and each
// vulnerability is told once.
func TestAliases(t *testing.T) {
	t.Parallel()
	x := indexOf(t,
		nvd("CVE-2017-0001", hit(named(t, "a:thekelleys:dnsmasq"), between("", "2.78"))),
		nvd("CVE-2021-0002", hit(named(t, "a:dnsmasq:dnsmasq"), between("", "2.83"))),
		nvd("CVE-2021-0003", hit(named(t, "a:dnsmasq:dnsmasq"), between("", "2.83")), hit(named(t, "a:thekelleys:dnsmasq"), between("", "2.83"))),
		advisory.Record{Source: advisory.CVE, Origin: "thekelleys", ID: "CVE-2021-0004", Affected: []advisory.Affected{hit(advisory.Product{By: advisory.ByName, Vendor: "TheKelleys", Name: "DNSmasq"}, between("2.0", "2.83"))}},
	)
	r := match(t, x, linuxDevice(found("dnsmasq", "2.77", "a:thekelleys:dnsmasq", "a:dnsmasq:dnsmasq")))
	for _, id := range []string{"CVE-2017-0001", "CVE-2021-0002", "CVE-2021-0003", "CVE-2021-0004"} {
		if got := one(t, r, id); got.Status != advisory.Vulnerable {
			t.Errorf("%s: %+v", id, got)
		}
	}
	if c := r.Considered[0]; c.Candidates != 4 || c.Statuses[advisory.Vulnerable] != 4 {
		t.Errorf("%+v", c)
	}
}

// A statement of the project that names no end does not outweigh what is said of these
// very versions.
func TestBranches(t *testing.T) {
	t.Parallel()
	p := advisory.Product{By: advisory.ByName, Vendor: "Linux", Name: "Linux"}
	x := indexOf(t, advisory.Record{Source: advisory.CVE, Origin: "Linux", ID: "CVE-2024-0001", Affected: []advisory.Affected{
		{Product: p, Status: advisory.Vulnerable, Versions: []advisory.Range{{From: "4.2"}}},
		{Product: p, Status: advisory.NotThere, Versions: []advisory.Range{{To: "4.2"}, {From: "5.10.110", To: "5.10.*", Last: true}, {From: "5.15.33", To: "5.15.*", Last: true}, {From: "5.17"}}},
	}})
	for version, want := range map[string]advisory.Status{"4.1.9": "", "4.2": advisory.Vulnerable, "5.10.109": advisory.Vulnerable, "5.10.110": "", "5.10.200": "", "5.11.1": advisory.Vulnerable, "5.15.40": "", "5.16": advisory.Vulnerable, "5.18": "", "6.1.1": ""} {
		if got := one(t, match(t, x, linuxDevice(found("linux", version, kernelCPE))), "CVE-2024-0001"); got.Status != want {
			t.Errorf("%s: %q, want %q: %v", version, got.Status, want, got.Why)
		}
	}
}
