package claim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/fact"
)

const tagSample = `# made by hand
SPDXVersion: SPDX-2.3
DocumentName: d
PackageName: zlib
PackageVersion: 1.3.1
PackageSupplier: Organization: zlib
PackageComment: <text>two
lines: here</text>
ExternalRef: PACKAGE-MANAGER purl pkg:generic/zlib@1.3.1
PackageName: busybox
PackageSupplier: NOASSERTION
FileName: ./bin/x
PackageVersion: 9
`

const cycloneXMLSample = `<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5"><metadata><component type="device"><name>pump</name></component></metadata>
<components><component type="library"><supplier><name>zlib</name></supplier><name>zlib</name><version>1.3.1</version><purl>pkg:generic/zlib@1.3.1</purl>
<components><component type="application"><name>busybox</name></component></components></component></components></bom>`

const portSample = "Port,Protocol,Direction,Host,Purpose\n22,TCP,in,,service\n5000-5001,tcp/udp,inbound,,pump\n443,tcp,outbound,update.example.com,updates\n"

// TestRead holds that papers are told apart, and what each states.
func TestRead(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		tagSample:         {"component busybox ", "component zlib 1.3.1 zlib pkg:generic/zlib@1.3.1"},
		cycloneXMLSample:  {"component busybox ", "component zlib 1.3.1 zlib pkg:generic/zlib@1.3.1"},
		spdxSample:        {"component zlib 1.3.1 zlib pkg:generic/zlib@1.3.1"},
		portSample:        {"service tcp/22", "service tcp/5000", "service tcp/5001", "service udp/5000", "service udp/5001", "destination update.example.com"},
		"SAHD-9,a,Yes\n":  {"claim SAHD-9 yes"},
		`{"SAHD-9":true}`: {"claim SAHD-9 yes"},
	} {
		set, err := Read("paper", []byte(in))
		if err != nil {
			t.Errorf("%.30q: %v", in, err)
			continue
		}
		var have []string
		for _, k := range []fact.Kind{fact.KindComponent, fact.KindService, fact.KindDestination, fact.KindClaim} {
			for _, f := range set.Of(k) {
				switch f := f.(type) {
				case *fact.Component:
					have = append(have, strings.TrimSuffix("component "+f.Name+" "+f.Version+" "+f.Supplier+" "+f.PURL, "  "))
				case *fact.Service:
					have = append(have, "service "+f.Name)
				case *fact.Destination:
					have = append(have, "destination "+f.Host)
				case *fact.Claim:
					have = append(have, "claim "+f.Question+" "+f.Answer)
				}
				if f.Header().Source != (fact.Source{Witness: fact.Claimed, Input: "paper"}) || len(f.Header().Places) != 1 {
					t.Errorf("%+v", f)
				}
			}
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("%.30q: %s", in, d)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<html/>":                            "not a CycloneDX bom",
		"<bom>":                              "not a CycloneDX bom",
		"SPDXVersion: SPDX-3\n":              `version "SPDX-3"`,
		"SPDXVersion: SPDX-2.3\nno\n":        "line 2",
		"SPDXVersion: SPDX-2.3\nX: <text>\n": "has no end",
		"port,protocol\n0,tcp\n":             "row 2: port",
		"port,protocol\n22,sctp\n":           "want tcp or udp",
		"port,protocol\n1-60000,tcp\n":       "short range",
		`<bom xmlns="http://cyclonedx.org/schema/bom/1.5">` + strings.Repeat("<components><component>", 60): "nest deeper",
	} {
		if _, err := Read("paper", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", in, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{tagSample, cycloneXMLSample, portSample, cycloneSample, spdxSample, "SAHD-9,a,Yes\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Read("x", data)
		if err != nil {
			return
		}
		for _, k := range fact.Kinds() {
			for _, x := range set.Of(k) {
				if x.Header().Source.Witness != fact.Claimed || len(x.Header().Places) != 1 {
					t.Errorf("%+v", x)
				}
			}
		}
	})
}
