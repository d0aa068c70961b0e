package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/gocsaf/csaf/v3/csaf"
	openvex "github.com/openvex/go-vex/pkg/vex"
	sarif "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/santhosh-tekuri/jsonschema/v6"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/vex"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/report"
)

// module returns the directory of a module's source, where its schemas lie.
func module(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func schema(t *testing.T, url string, resources map[string][]byte) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, b := range resources {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(name, v); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, text string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Error(err)
	}
}

// dossiers are those that every standard's form is tried with.
func dossiers() map[string]*dossier.Dossier {
	return map[string]*dossier.Dossier{"rich": rich(), "empty": {}}
}

// sarifSchema is the schema that go-sarif carries as a constant.
func sarifSchema(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(module(t, "github.com/owenrumney/go-sarif/v3"), "pkg/report/v210/sarif/schema.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	ast.Inspect(file, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			s, err := strconv.Unquote(l.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = []byte(s)
		}
		return true
	})
	return out
}

// TestSARIF holds the form to the standard's schema and to what the schema cannot say.
func TestSARIF(t *testing.T) {
	t.Parallel()
	const id = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	s := schema(t, id, map[string][]byte{id: sarifSchema(t)})
	for name, d := range dossiers() {
		t.Run(name, func(t *testing.T) {
			text := write(t, "sarif", d, report.Options{})
			valid(t, s, text)
			if strings.Contains(text, "](http") {
				t.Error("a message holds a link that the image wrote")
			}
			log, err := sarif.FromBytes([]byte(text), sarif.WithStrictValidation())
			if err != nil {
				t.Fatal(err)
			}
			checkSARIF(t, log.Runs[0], d)
		})
	}
}

// TestSARIFAgainstABaseline holds that each result says what became of it, in the standard's
// words.
func TestSARIFAgainstABaseline(t *testing.T) {
	t.Parallel()
	const id = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	s := schema(t, id, map[string][]byte{id: sarifSchema(t)})
	d, none := dossiers()["rich"], &dossier.Dossier{Schema: dossier.Schema}
	for want, c := range map[string][2]*dossier.Dossier{"new": {none, d}, "unchanged": {d, d}, "absent": {d, none}} {
		text := write(t, "sarif", c[1], report.Options{Change: dossier.Compare(c[0], c[1])})
		valid(t, s, text)
		results, states := strings.Count(text, `"ruleIndex"`), strings.Count(text, `"baselineState": "`+want+`"`)
		if results == 0 || states != results {
			t.Errorf("%d of %d results are %s", states, results, want)
		}
	}
}

func checkSARIF(t *testing.T, run *sarif.Run, d *dossier.Dossier) {
	t.Helper()
	open := 0
	for _, f := range d.Findings {
		if f.Outcome != judge.Good {
			open++
		}
	}
	for _, m := range d.Matches {
		if m.Status == advisory.Vulnerable || m.Status == advisory.Unclear {
			open++
		}
	}
	if len(run.Results) != open {
		t.Errorf("%d results for %d findings that are bad or unknown and vulnerabilities that are there or may be", len(run.Results), open)
	}
	seen := map[string]bool{}
	for _, r := range run.Results {
		if got := *run.Tool.Driver.Rules[r.RuleIndex].ID; got != *r.RuleID {
			t.Errorf("rule %d is %s, not %s", r.RuleIndex, got, *r.RuleID)
		}
		// 3.27.10: the level of what is no failure is none.
		if (r.Kind == "fail") == (r.Level == "none") {
			t.Errorf("kind %s with level %s", r.Kind, r.Level)
		}
		id := r.PartialFingerprints["vesaliusFinding/v1"] + r.PartialFingerprints["vesaliusVulnerability/v1"]
		if id == "" || seen[id] {
			t.Errorf("fingerprint %q", id)
		}
		seen[id] = true
		for _, l := range r.Locations {
			if l.PhysicalLocation == nil {
				continue
			}
			uri := *l.PhysicalLocation.ArtifactLocation.URI
			u, err := url.Parse(uri)
			if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "/") || u.RawQuery != "" || u.Fragment != "" || strings.Contains("/"+u.Path+"/", "/../") {
				t.Errorf("location %q: %v", uri, err)
			}
		}
	}
}

// cyclonedxSchema is the schema that cyclonedx-go carries, and its files.
func cyclonedxSchema(t *testing.T) (*jsonschema.Schema, map[string][]byte) {
	t.Helper()
	dir := filepath.Join(module(t, "github.com/CycloneDX/cyclonedx-go"), "schema")
	files := map[string][]byte{}
	for url, name := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files["http://cyclonedx.org/schema/"+url] = b
	}
	return schema(t, "http://cyclonedx.org/schema/bom-1.6.schema.json", files), files
}

// TestCycloneDX holds the form to the standard's schema, and its references to what is
// there.
func TestCycloneDX(t *testing.T) {
	t.Parallel()
	s, files := cyclonedxSchema(t)
	for name, d := range dossiers() {
		t.Run(name, func(t *testing.T) {
			text := write(t, "cyclonedx", d, report.Options{})
			valid(t, s, text)
			valid(t, s, write(t, "cyclonedx-vex", d, report.Options{}))
			var bom cdx.BOM
			if err := cdx.NewBOMDecoder(strings.NewReader(text), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
				t.Fatal(err)
			}
			if bom.Components == nil {
				bom.Components = &[]cdx.Component{}
			}
			if len(*bom.Components) != len(d.Facts.Component) {
				t.Errorf("%d components of %d", len(*bom.Components), len(d.Facts.Component))
			}
			refs := map[string]bool{"device": true}
			for _, c := range *bom.Components {
				if refs[c.BOMRef] {
					t.Errorf("two components with the reference %s", c.BOMRef)
				}
				refs[c.BOMRef] = true
			}
			for _, dep := range *bom.Dependencies {
				if !refs[dep.Ref] {
					t.Errorf("dependencies of %s, which is not there", dep.Ref)
				}
				if dep.Dependencies != nil {
					for _, on := range *dep.Dependencies {
						if !refs[on] {
							t.Errorf("%s depends on %s, which is not there", dep.Ref, on)
						}
					}
				}
			}
		})
	}
	// Every licence that we take for one of SPDX is one.
	var known struct{ Enum []string }
	if err := json.Unmarshal(files["http://cyclonedx.org/schema/spdx.schema.json"], &known); err != nil {
		t.Fatal(err)
	}
	for _, l := range slices.Concat(report.Licences, report.Exceptions) {
		if !slices.Contains(known.Enum, l) {
			t.Errorf("%s is not on the SPDX licence list", l)
		}
	}
}

// TestCycloneDXSerial holds that the serial number tells content alone.
func TestCycloneDXSerial(t *testing.T) {
	t.Parallel()
	serial := func(change func(d *dossier.Dossier)) string {
		d := rich()
		change(d)
		var bom cdx.BOM
		if err := json.Unmarshal([]byte(write(t, "cyclonedx", d, report.Options{})), &bom); err != nil {
			t.Fatal(err)
		}
		return bom.SerialNumber
	}
	same := serial(func(*dossier.Dossier) {})
	if serial(func(d *dossier.Dossier) { d.Run.Timings = nil }) != same {
		t.Error("the serial number depends on the run")
	}
	if serial(func(d *dossier.Dossier) { d.Facts.Component[0].Version = "9" }) == same {
		t.Error("the serial number does not depend on a version")
	}
}

// TestSPDX holds the form to the standard's own reader and to the minimum elements of an
// SBOM that NTIA names.
func TestSPDX(t *testing.T) {
	t.Parallel()
	for name, d := range dossiers() {
		t.Run(name, func(t *testing.T) {
			doc, err := spdxjson.Read(strings.NewReader(write(t, "spdx", d, report.Options{})))
			if err != nil {
				t.Fatal(err)
			}
			if err := spdxlib.ValidateDocument(doc); err != nil {
				t.Error(err)
			}
			if doc.CreationInfo.Created == "" || len(doc.CreationInfo.Creators) == 0 || len(doc.Packages) != 1+len(d.Facts.Component) {
				t.Errorf("created %q by %v, %d packages", doc.CreationInfo.Created, doc.CreationInfo.Creators, len(doc.Packages))
			}
			ids, contained := map[string]bool{}, map[string]bool{}
			for _, r := range doc.Relationships {
				if r.Relationship == "CONTAINS" {
					contained[string(r.RefB.ElementRefID)] = true
				}
			}
			for _, p := range doc.Packages {
				id := string(p.PackageSPDXIdentifier)
				if ids[id] || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != "" {
					t.Errorf("identifier %q", id)
				}
				ids[id] = true
				if p.PackageName == "" || p.PackageSupplier == nil || id != "device" && !contained[id] {
					t.Errorf("%s lacks an element", id)
				}
			}
			if again, _ := spdxjson.Read(strings.NewReader(write(t, "spdx", d, report.Options{}))); again.DocumentNamespace != doc.DocumentNamespace {
				t.Error("the namespace changes")
			}
		})
	}
}

// TestLicence holds what is an expression of SPDX and what is only a name.
func TestLicence(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"MIT": "MIT", "GPL-2.0-only WITH Linux-syscall-note": "GPL-2.0-only WITH Linux-syscall-note",
		" (MIT  OR Apache-2.0) AND Zlib": "(MIT OR Apache-2.0) AND Zlib",
		"":                               "", "GPL": "", "GPL-2+": "", "MIT OR": "", "OR MIT": "", "(MIT": "", "MIT)": "", "MIT BSD-3-Clause": "", "MIT WITH": "", "MIT WITH MIT": "", "()": "", "MIT and ISC": "",
		"WITH Linux-syscall-note": "",
	} {
		if got, ok := report.Licence(in); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", in, got, ok)
		}
	}
}

// TestJUnit holds that the numbers of the form are those of its cases, and that unknown is
// not passed.
func TestJUnit(t *testing.T) {
	t.Parallel()
	type result struct {
		Name    string    `xml:"name,attr"`
		Failure *struct{} `xml:"failure"`
		Skipped *struct{} `xml:"skipped"`
	}
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Name     string   `xml:"name,attr"`
			Tests    int      `xml:"tests,attr"`
			Failures int      `xml:"failures,attr"`
			Skipped  int      `xml:"skipped,attr"`
			Cases    []result `xml:"testcase"`
		} `xml:"testsuite"`
	}
	d := rich()
	if err := xml.Unmarshal([]byte(write(t, "junit", d, report.Options{})), &got); err != nil {
		t.Fatal(err)
	}
	type test struct{ root, rule string }
	want := map[test]judge.Outcome{}
	for _, f := range d.Findings {
		k := test{f.Root, f.Rule}
		if was := want[k]; was == "" || was == judge.Good || f.Outcome == judge.Bad {
			want[k] = f.Outcome
		}
	}
	tests, failures, skipped := 0, 0, 0
	components := map[string]judge.Outcome{"busybox 1.30.1": judge.Bad, "openssl 1.0.2u": judge.Bad, "linux 4.19.94": judge.Bad, "acme-ui": judge.Unknown, "mystery": judge.Unknown, nastyHTML + " " + nastySheet: judge.Unknown}
	all := len(want) + len(components)
	for _, s := range got.Suites {
		f, k := 0, 0
		for _, c := range s.Cases {
			rule, _, _ := strings.Cut(c.Name, ":")
			outcome := judge.Good
			switch {
			case c.Failure != nil:
				outcome = judge.Bad
				f++
			case c.Skipped != nil:
				outcome = judge.Unknown
				k++
			}
			if s.Name == "vulnerabilities" {
				if want := components[c.Name]; want != outcome {
					t.Errorf("%s: %s, want %s", c.Name, outcome, want)
				}
				delete(components, c.Name)
				continue
			}
			if want[test{s.Name, rule}] != outcome {
				t.Errorf("%s in %s: %s, want %s", rule, s.Name, outcome, want[test{s.Name, rule}])
			}
		}
		if len(s.Cases) != s.Tests || f != s.Failures || k != s.Skipped {
			t.Errorf("%s: counts %d %d %d, has %d %d %d", s.Name, s.Tests, s.Failures, s.Skipped, len(s.Cases), f, k)
		}
		tests, failures, skipped = tests+s.Tests, failures+f, skipped+k
	}
	if tests != all || len(components) > 0 || tests != got.Tests || failures != got.Failures || skipped != got.Skipped {
		t.Errorf("counts %d %d %d, has %d %d %d of %d", got.Tests, got.Failures, got.Skipped, tests, failures, skipped, all)
	}
}

// TestCSV holds that every row has every column and that no cell is a formula.
func TestCSV(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"csv", "csv-components", "csv-vulnerabilities", "fda-vulnerabilities"} {
		rows, err := csv.NewReader(strings.NewReader(write(t, form, rich(), report.Options{}))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		neutral := 0
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
					t.Errorf("%s: the cell %q is a formula", form, cell)
				}
				if strings.HasPrefix(cell, "'=") {
					neutral++
				}
			}
		}
		if len(rows) < 2 || neutral == 0 {
			t.Errorf("%s: %d rows, %d neutralised cells: nothing was tried", form, len(rows), neutral)
		}
	}
}

// TestVEX holds the three forms of VEX to their standards and to the matches: each is
// stated once, of the device and of the component, with what is to be done or why not.
func TestVEX(t *testing.T) {
	t.Parallel()
	for name, d := range dossiers() {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(write(t, "csaf", d, report.Options{})))
		if err != nil {
			t.Fatal(err)
		}
		wrong, err := csaf.ValidateCSAF(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wrong {
			t.Errorf("csaf, %s: %s", name, w)
		}
		open, err := openvex.Parse([]byte(write(t, "openvex", d, report.Options{})))
		if err != nil {
			t.Fatal(err)
		}
		for i := range open.Statements {
			if err := open.Statements[i].Validate(); err != nil {
				t.Errorf("openvex, %s: statement %d: %v", name, i, err)
			}
		}
		want := map[string]advisory.Status{}
		for _, m := range d.Matches {
			s := m.Status
			if m.Confidence == "low" {
				s = advisory.Unclear
			}
			want[m.Advisory+" "+m.Component] = s
		}
		for _, form := range []string{"openvex", "csaf", "cyclonedx-vex"} {
			text := write(t, form, d, report.Options{})
			list, err := vex.Read(form, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != len(want) {
				t.Errorf("%s, %s: %d statements of %d", form, name, len(list), len(want))
			}
			for _, s := range list {
				if s.Component.Name == "linux" && (s.Product.Name != "InfuPump 3000" || s.Product.Version != "4.2.1" || want[s.Vulnerability+" linux"] != s.Status) {
					t.Errorf("%s: %+v", form, s)
				}
				if s.Status == advisory.Vulnerable && s.Do() == "" || s.Status == advisory.NotThere && s.Justification == "" || s.Status == advisory.NotThere && s.Quotes != "Acme product security" {
					t.Errorf("%s: %+v", form, s)
				}
			}
			if form == "openvex" && (strings.Contains(text, "vesalius: {\\\"product") || strings.Contains(text, "cpe23")) {
				t.Error("openvex: a name stands in the extension alone, or in what the schema does not know")
			}
		}
	}
}
