package feed

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/version"
)

func one(v string) advisory.Range { return advisory.Range{From: v, To: v, Last: true} }

// TestVersions holds what the texts of advisories mean, and that those that mean nothing
// that can be ordered are kept as they are written.
func TestVersions(t *testing.T) {
	t.Parallel()
	type R = advisory.Range
	raw := func(s string) []R { return []R{{Raw: s}} }
	for text, want := range map[string][]R{
		"vers:all/*":   nil,
		"*":            nil,
		"All versions": nil,
		"<=1.9.4.1":    {{To: "1.9.4.1", Last: true}},
		"<  12.2.1":    {{To: "12.2.1"}},
		"> 3":          {{From: "3", After: true}},
		">= V5.2.0 < V5.3 only when running on ROX II V2.14.0": raw(">= V5.2.0 < V5.3 only when running on ROX II V2.14.0"),
		">= V6.2 <V7.1":                  {{From: "6.2", To: "7.1"}},
		">= 1.0.0 | <= 1.1.1":            {{From: "1.0.0", To: "1.1.1", Last: true}},
		"<= U61 |<= L81":                 {{To: "U61", Last: true}, {To: "L81", Last: true}},
		"<= 3.14.25 | 3.15.18":           {{To: "3.14.25", Last: true}, one("3.15.18")},
		"A10 < A11":                      {{From: "A10", To: "A11"}},
		"5.0|5.1":                        {one("5.0"), one("5.1")},
		"<= K":                           {{To: "K", Last: true}},
		"< V17.0 Upd 2":                  {{To: "17.0 Upd 2"}},
		"< 1.8.4 Service Pack 01":        {{To: "1.8.4 Service Pack 01"}},
		"All versions V14 < V14 SP3":     {{From: "14", To: "14 SP3"}},
		"<= 12.2.x.x":                    {{To: "12.3"}},
		"4.X | 5.X":                      {{From: "4", To: "5"}, {From: "5", To: "6"}},
		"<=2023.3_Build_9342":            {{To: "2023.3_Build_9342", Last: true}},
		"2.3.6 and  below":               {{To: "2.3.6", Last: true}},
		"prior to 3.1":                   {{To: "3.1"}},
		"versions before v3.1":           {{To: "3.1"}},
		"1.5 or later":                   {{From: "1.5"}},
		"Rev B-M":                        raw("Rev B-M"),
		"A.01 <= C.0x | 4.0":             raw("A.01 <= C.0x | 4.0"),
		"<May 2018":                      raw("<May 2018"),
		"<8/30/2024":                     raw("<8/30/2024"),
		"distributed  < april 1, 2018":   raw("distributed < april 1, 2018"),
		"MMT-512 / MMT-712 Paradigm x12": raw("MMT-512 / MMT-712 Paradigm x12"),
		"<= 7.20 (7.50 and 7.60 may also be affected)": raw("<= 7.20 (7.50 and 7.60 may also be affected)"),
		"=> 1.0":                     raw("=> 1.0"),
		"<":                          raw("<"),
		"1.0 |":                      {one("1.0")},
		"vers:intdot/>=1.2|<2.0":     {{From: "1.2", To: "2.0", Scheme: "intdot"}},
		"vers:unknown/<=9.0":         {{To: "9.0", Last: true}},
		"vers:deb/1.2%2Bdfsg|1.3":    {{From: "1.2+dfsg", To: "1.2+dfsg", Last: true, Scheme: "deb"}, {From: "1.3", To: "1.3", Last: true, Scheme: "deb"}},
		"vers:npm/>1.0|!=1.5|<2":     raw("vers:npm/>1.0|!=1.5|<2"),
		"vers:npm":                   raw("vers:npm"),
		"9.13 | 9.19 | Protiva View": {one("9.13"), one("9.19"), {Raw: "Protiva View"}},
		"1.0.1f":                     {one("1.0.1f")},
	} {
		if diff := cmp.Diff(want, plainVersions(text)); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", text, diff)
		}
	}
}

// TestOutside holds what is left of all versions.
func TestOutside(t *testing.T) {
	t.Parallel()
	type R = advisory.Range
	for name, c := range map[string]struct {
		of   []R
		want []R
		not  bool
	}{
		"from the first mending on": {of: []R{{From: "5.10.9"}}, want: []R{{To: "5.10.9"}}},
		"branches, in any order":    {of: []R{{From: "6.12-rc1"}, {To: "6.2"}, {From: "6.11.4", To: "6.12"}, {From: "6.6.57", To: "6.7"}}, want: []R{{From: "6.2", To: "6.6.57"}, {From: "6.7", To: "6.11.4"}}},
		"one version":               {of: []R{one("2.0")}, want: []R{{To: "2.0"}, {From: "2.0", After: true}}},
		"without its end":           {of: []R{{From: "1.0", After: true, To: "2.0"}}, want: []R{{To: "1.0", Last: true}, {From: "2.0"}}},
		"overlapping":               {of: []R{{To: "2.0"}, {From: "1.0", To: "1.5"}, {From: "1.8", To: "3.0", Last: true}}, want: []R{{From: "3.0", After: true}}},
		"everything":                {of: []R{{}}, want: nil},
		"nothing is said":           {not: true},
		"no order":                  {of: []R{{Raw: "Rev B"}}, not: true},
	} {
		got, ok := outside(c.of, version.Kernel)
		if ok == c.not || ok && cmp.Diff(c.want, got) != "" {
			t.Errorf("%s: %v %s", name, ok, cmp.Diff(c.want, got))
		}
	}
}

// TestCPE holds how names are taken apart.
func TestCPE(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		p       advisory.Product
		version string
	}{
		"cpe:2.3:a:maker:pump:1.0:*:*:*:*:*:*:*":                        {advisory.Product{Part: "a", Vendor: "maker", Name: "pump"}, "1.0"},
		`cpe:2.3:o:Maker:a\:b\\c\/d:1\.0\-rc1:-:en\*:*:pro:linux:x64:o`: {advisory.Product{Part: "o", Vendor: "maker", Name: `a:b\c/d`, Update: "-", Edition: "en*", SoftwareEdition: "pro", TargetSoftware: "linux", TargetHardware: "x64", Other: "o"}, "1.0-rc1"},
		"cpe:2.3:h:maker:pump:-:*:*:*:*:*:*:*":                          {advisory.Product{Part: "h", Vendor: "maker", Name: "pump"}, "-"},
		"cpe:/a:maker:pu%6dp:1.0:rc1":                                   {advisory.Product{Part: "a", Vendor: "maker", Name: "pump", Update: "rc1"}, "1.0"},
		"cpe:/a:maker:pump:1.0::~~~linux~x64~":                          {advisory.Product{Part: "a", Vendor: "maker", Name: "pump", TargetSoftware: "linux", TargetHardware: "x64"}, "1.0"},
		"cpe:/o:redhat:enterprise_linux:9":                              {advisory.Product{Part: "o", Vendor: "redhat", Name: "enterprise_linux"}, "9"},
	} {
		d := decoder{}
		p, v, ok := d.cpeName(text)
		want.p.By = advisory.ByCPE
		if !ok || p != want.p || v != want.version {
			t.Errorf("%q: %v %q\n%s", text, ok, v, cmp.Diff(want.p, p))
		}
	}
	for _, text := range []string{"", "cpe:2.3", "cpe:2.3:a:b", "cpe:2.3:aa:b:c:1", "cpe:2.3:a::c:1", "cpe:2.3:a:b:c:1:*:*:*:*:*:*:*:*:*", "cpe:/", "cpe:/a:b", "pump 1.0"} {
		d := decoder{}
		if p, v, ok := d.cpeName(text); ok {
			t.Errorf("%q is read as %+v %q", text, p, v)
		}
	}
}

// TestPackageURL holds to which ecosystem a purl belongs.
func TestPackageURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][3]string{
		"pkg:deb/debian/openssl@3.0.2-1?arch=arm64&distro=debian-12": {"Debian:12", "openssl", "3.0.2-1"},
		"pkg:apk/alpine/musl@1.2.3-r4?distro=alpine-3.18.4":          {"Alpine:v3.18", "musl", "1.2.3-r4"},
		"pkg:npm/%40maker/pump@1.0.0":                                {"npm", "@maker/pump", "1.0.0"},
		"pkg:maven/org.maker/pump@1.0":                               {"Maven", "org.maker:pump", "1.0"},
		"pkg:golang/maker.example/x/pump@v1.0#sub":                   {"Go", "maker.example/x/pump", "v1.0"},
		"pkg:pypi/pump":           {"PyPI", "pump", ""},
		"pkg:github/maker/pump@1": {"github", "maker/pump", "1"},
	} {
		p, ok := packageURL(text)
		v := ""
		if len(p.Versions) > 0 {
			v = p.Versions[0].From
		}
		if got := [3]string{p.Product.Ecosystem, p.Product.Name, v}; !ok || got != want {
			t.Errorf("%q: %v %q, want %q", text, ok, got, want)
		}
	}
	for _, text := range []string{"", "pkg:", "pkg:npm", "pkg:npm/", "npm/pump", "pkg:npm/%zz"} {
		if p, ok := packageURL(text); ok {
			t.Errorf("%q is read as %+v", text, p)
		}
	}
}
