package claim

import (
	"strings"
	"testing"
)

const cycloneSample = `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"openssl","version":"3.0.13","purl":"pkg:generic/openssl@3.0.13","cpe":"cpe:2.3:a:openssl:openssl:3.0.13:*:*:*:*:*:*:*","components":[{"name":"legacy"}]}]}`

const spdxSample = `{"spdxVersion":"SPDX-2.3","packages":[{"name":"zlib","versionInfo":"1.3.1","supplier":"Organization: zlib","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:generic/zlib@1.3.1"}]}]}`

func TestSBOM(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{cycloneSample: {"legacy", "openssl"}, spdxSample: {"zlib"}} {
		set, err := SBOM("bom.json", []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range want {
			if name != "" && (len(set.Component) <= i || set.Component[i].Name != name || set.Component[i].How != "declared") {
				t.Errorf("component %d of %q: %+v", i, want, set.Component)
			}
		}
	}
}

func TestSBOMRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"name":"x","components":[`, 50) + strings.Repeat(`]}`, 50)
	for in, want := range map[string]string{
		`{`:   "not a JSON document",
		`{}`:  "neither CycloneDX nor SPDX",
		`[1]`: "not a JSON document",
		`{"bomFormat":"CycloneDX","components":7}`:              "CycloneDX",
		`{"bomFormat":"CycloneDX","components":[` + deep + `]}`: "nest deeper",
	} {
		if _, err := SBOM("bom.json", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", in, err, want)
		}
	}
}

func FuzzSBOM(f *testing.F) {
	f.Add([]byte(cycloneSample))
	f.Add([]byte(spdxSample))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := SBOM("x", data)
		if err != nil {
			return
		}
		for _, c := range set.Component {
			if c.How != "declared" || len(c.Places) != 1 {
				t.Errorf("%+v", c)
			}
		}
	})
}
