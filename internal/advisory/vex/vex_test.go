package vex_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/advisory/vex"
)

// forms are how each form is written, and the id that a document of it may have.
var forms = map[string]struct {
	write func(io.Writer, vex.Document, []vex.Statement) error
	id    string
}{
	vex.OpenVEX:   {vex.WriteOpenVEX, "https://acme.example/vex/9"},
	vex.CSAF:      {vex.WriteCSAF, "ACME-2026-9"},
	vex.CycloneDX: {vex.WriteCycloneDX, "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b70"},
}

func document(form string) vex.Document {
	return vex.Document{
		ID: forms[form].id, Title: "What is known of the pump", Author: "Acme product security", Role: "vendor", URL: "https://acme.example",
		At: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), Tool: "vesalius test", Product: vex.Ref{Vendor: "Acme Medical", Name: "InfuPump 3000", Version: "4.2.1"},
	}
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t testing.TB, name string, data []byte) []vex.Statement {
	t.Helper()
	list, err := vex.Read(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func samples(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) < 4 {
		t.Fatalf("%d samples, %v", len(paths), err)
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

// plain leaves out what is a document's and no statement's, and the order.
func plain(list []vex.Statement) []vex.Statement {
	list = slices.Clone(list)
	for i := range list {
		list[i].Form, list[i].Document = "", ""
	}
	slices.SortStableFunc(list, func(a, b vex.Statement) int {
		return strings.Compare(a.Vulnerability+a.Product.String()+a.Component.String()+string(a.Status)+a.Said, b.Vulnerability+b.Product.String()+b.Component.String()+string(b.Status)+b.Said)
	})
	return list
}

// TestRoundTrip holds that every statement of every form survives every form: read,
// written and read again it says the same, by the same author, of the same date.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, name := range samples(t) {
		want := read(t, name, sample(t, name))
		for form, f := range forms {
			t.Run(name+" by "+form, func(t *testing.T) {
				t.Parallel()
				var b bytes.Buffer
				if err := f.write(&b, document(form), want); err != nil {
					t.Fatal(err)
				}
				got := read(t, form, b.Bytes())
				if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
					t.Errorf("-read +written and read again:\n%s\n%s", diff, b.String())
				}
				for _, s := range got {
					if s.Form != form || s.Document == "" || s.Author != "Acme product security" {
						t.Errorf("form %q, document %q, author %q", s.Form, s.Document, s.Author)
					}
				}
				var again bytes.Buffer
				if err := f.write(&again, document(form), got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(b.String(), again.String()); diff != "" && form != vex.CSAF {
					t.Errorf("written twice it differs:\n%s", diff)
				}
			})
		}
	}
}

// TestRead holds what the samples say, by the words of each form.
func TestRead(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"openvex.json": {
			"CVE-2016-2183 not_affected vulnerable_code_not_present: Acme Medical InfuPump 3000 4.2.1 / openssl 1.0.2u",
			"CVE-2016-2183 not_affected vulnerable_code_not_present: Acme Medical InfuPump 3000 4.2.1 / openssl openssl 1.0.2t",
			"CVE-2016-2183 not_affected vulnerable_code_not_present: https://acme.example/pumps/3000 / ",
			"CVE-2022-48174 affected : Acme Medical InfuPump 3000 4.2.1 / busybox 1.30.1 do Update to 4.3.0.",
			"CVE-2020-1000 under_investigation : Acme Medical InfuPump 3000 / ",
			"CVE-2020-1001 fixed : openssl 1.1.1n-0+deb11u5 / ",
		},
		"openvex-0.0.json": {"CVE-2023-1000 not_affected component_not_present: acme pump 1.0 / zlib 1.2.11"},
		"csaf.json": {
			"CVE-2016-2183 not_affected vulnerable_code_not_in_execute_path: Acme Medical InfuPump 3000 4.2.1 / openssl 1.0.2u",
			"CVE-2016-2183 not_affected : Acme UI / ",
			"CVE-2016-2183 fixed : Acme Medical InfuPump 3000 4.3.0 / ",
			"CVE-2016-2183 fixed recommended: Acme Medical InfuPump 3000 4.3.0 / ",
			"ACME-18 affected : Acme Medical InfuPump 3000 4.2.1 / do Update to 4.3.0. https://acme.example/update Close port 23.",
			"ACME-18 affected last_affected: Acme Medical InfuPump 3000 vers:generic/<4.2 / do Update to 4.3.0. https://acme.example/update",
			"ACME-18 under_investigation : Acme UI / ",
		},
		"cyclonedx.json": {
			"CVE-2016-2183 not_affected inline_mitigations_already_exist: Acme Medical InfuPump 3000 4.2.1 / openssl 1.0.2u do It will not be fixed. There is a workaround.",
			"CVE-2016-2183 not_affected inline_mitigations_already_exist: Acme Medical InfuPump 3000 4.2.1 / legacy do It will not be fixed. There is a workaround.",
			"CVE-2022-48174 affected : Acme Medical InfuPump 3000 4.2.1 / do Update to 4.3.0. Update. Close port 23.",
			"CVE-2020-1000 not_affected : Acme Medical InfuPump 3000 4.2.1 / openssl 1.0.2t",
			"CVE-2020-1000 under_investigation : Acme Medical InfuPump 3000 4.2.1 / openssl vers:generic/<1.0.2",
			"CVE-2020-1001 not_affected false_positive: Acme Medical InfuPump 3000 4.2.1 / bash 5.1-2",
			"CVE-2020-1002 fixed resolved_with_pedigree: Acme Medical InfuPump 3000 4.2.1 / ",
		},
	} {
		var got []string
		for _, s := range read(t, name, sample(t, name)) {
			words := s.Vulnerability + " " + string(s.Status) + " " + s.Justification + s.Said + ": " + s.Product.String() + " / " + s.Component.String()
			if do := s.Do(); do != "" {
				words = strings.TrimSpace(words) + " do " + do
			}
			got = append(got, words)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// TestQuoted holds that what one author said is passed on by another as a quotation, and
// never as the other's own word.
func TestQuoted(t *testing.T) {
	t.Parallel()
	list := read(t, "openvex.json", sample(t, "openvex.json"))[:1]
	for form, f := range forms {
		d := document(form)
		d.Author = "Hospital"
		var b bytes.Buffer
		if err := f.write(&b, d, list); err != nil {
			t.Fatal(err)
		}
		got := read(t, form, b.Bytes())
		if len(got) != 1 || got[0].Author != "Hospital" || got[0].Quotes != "Acme product security, https://acme.example/vex/2026-1" {
			t.Errorf("%s: %+v", form, got)
		}
	}
}

// TestContradictionsAreKept holds that CSAF, in which one product has one status, keeps
// two statements that contradict.
func TestContradictionsAreKept(t *testing.T) {
	t.Parallel()
	pump := vex.Ref{Vendor: "Acme", Name: "Pump", Version: "1"}
	list := []vex.Statement{
		{Vulnerability: "CVE-2020-1000", Product: pump, Status: "not_affected", Justification: "component_not_present"},
		{Vulnerability: "CVE-2020-1000", Product: pump, Status: "affected"},
		{Vulnerability: "CVE-2020-1000", Product: pump, Status: "affected", Action: "Wait."},
	}
	var b bytes.Buffer
	if err := vex.WriteCSAF(&b, document(vex.CSAF), list); err != nil {
		t.Fatal(err)
	}
	if got := read(t, "x", b.Bytes()); len(got) != 3 {
		t.Errorf("%d statements of 3:\n%s", len(got), b.String())
	}
}

// TestReadRefuses holds what is not taken, and that one clear line says why.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"category":"vendor","name":"a","branches":[`, 70) + strings.Repeat(`]}`, 70)
	nested := strings.Repeat(`{"bom-ref":"a","name":"a","components":[`, 70) + strings.Repeat(`]}`, 70)
	const csaf = `{"document":{"csaf_version":"2.0"},`
	const cdx = `{"bomFormat":"CycloneDX","specVersion":"1.6",`
	const open = `{"@context":"https://openvex.dev/ns/v0.2.0",`
	for _, c := range []struct{ in, want string }{
		{``, "not a JSON document"},
		{`[]`, "not a JSON document"},
		{`{}`, "neither OpenVEX, CSAF nor CycloneDX"},
		{`{"document":{"csaf_version":"1.2"}}`, `version "1.2"`},
		{csaf + `"product_tree":{"branches":[` + deep + `]}}`, "deeper than 64"},
		{csaf + `"vulnerabilities":[{"cve":"CVE-2020-1","product_status":{"fixed":["P1"]}}]}`, `product "P1" is not in the product tree`},
		{csaf + `"product_tree":{"full_product_names":[{"product_id":"A","name":"a"},{"product_id":"A","name":"b"}]}}`, `two products with the id "A"`},
		{csaf + `"product_tree":{"relationships":[{"product_reference":"A","relates_to_product_reference":"A","full_product_name":{"product_id":"A","name":"a"}}]}}`, `is not in the tree`},
		{csaf + `"product_tree":{"full_product_names":[{"product_id":"A","name":"a"}]},"vulnerabilities":[{"product_status":{"fixed":["A"]}}]}`, "names no vulnerability"},
		{csaf + `"product_tree":{"full_product_names":[{"product_id":"A","name":"a"}]},"vulnerabilities":[{"cve":"CVE-2020-1","flags":[{"label":"\u001b"}],"product_status":{"known_not_affected":["A"]}}]}`, `flag "\x1b"`},
		{cdx + `"components":[` + nested + `]}`, "deeper than 64"},
		{`{"bomFormat":"CycloneDX","specVersion":"2.0"}`, `version "2.0"`},
		{cdx + `"vulnerabilities":[{"id":"CVE-2020-1","analysis":{"state":"fine"}}]}`, `state "fine"`},
		{cdx + `"vulnerabilities":[{"id":"CVE-2020-1","analysis":{"state":"not_affected","justification":"trust me"}}]}`, `justification "trust me"`},
		{cdx + `"vulnerabilities":[{"id":"CVE-2020-1","analysis":{"state":"in_triage"},"affects":[{"ref":"ghost"}]}]}`, `"ghost" is not in the document`},
		{open + `"timestamp":"yesterday"}`, `time "yesterday"`},
		{open + `"statements":[{"vulnerability":{"name":"CVE-2020-1"},"status":"fine"}]}`, `status "fine"`},
		{open + `"statements":[{"vulnerability":{"name":"CVE-2020-1"},"status":"fixed","status_notes":"vesalius: {"}]}`, "extension"},
	} {
		_, err := vex.Read("a\x1bb.json", []byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), `"a\x1bb.json": `) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.90s: got %v, want it to say %s", c.in, err, c.want)
		}
	}
}

// TestReadBounded holds that a small document cannot become millions of statements.
func TestReadBounded(t *testing.T) {
	t.Parallel()
	parts := strings.TrimSuffix(strings.Repeat(`{"@id":"pkg:a/b"},`, 1000), ",")
	product := `{"@id":"pkg:a/c","subcomponents":[` + parts + `]}`
	doc := `{"@context":"https://openvex.dev/ns","statements":[{"vulnerability":"CVE-2020-1","status":"affected","status_notes":"` + strings.Repeat("x", 1<<20) + `","products":[` +
		strings.TrimSuffix(strings.Repeat(product+",", 300), ",") + `]}]}`
	if _, err := vex.Read("x", []byte(doc)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
}

// TestWriteRefuses holds that a document without what its form demands is not written.
func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for form, f := range forms {
		if err := f.write(io.Discard, vex.Document{ID: forms[form].id}, nil); err == nil {
			t.Errorf("%s: written without an author", form)
		}
		if err := f.write(io.Discard, document(form), []vex.Statement{{Status: "fixed"}}); err == nil {
			t.Errorf("%s: a statement without a vulnerability was written", form)
		}
	}
}

// FuzzRead holds that whatever is read can be written in every form, and says the same
// when it is read again.
func FuzzRead(f *testing.F) {
	for _, name := range samples(f) {
		f.Add(sample(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, err := vex.Read("x", data)
		if err != nil {
			return
		}
		for i := range want {
			want[i].Author = "Acme product security"
		}
		for form, w := range forms {
			var b bytes.Buffer
			if err := w.write(&b, document(form), want); err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			got, err := vex.Read(form, b.Bytes())
			if err != nil {
				t.Fatalf("%s: %v\n%s", form, err, b.String())
			}
			if len(got) != len(want) {
				t.Fatalf("%s: %d statements became %d", form, len(want), len(got))
			}
		}
		vex.Apply(nil, want, vex.Ref{Name: "x"})
	})
}

// TestLink holds that a statement which points into another bill of materials is about the
// component and the product that stand there, and that one which points elsewhere stays.
func TestLink(t *testing.T) {
	t.Parallel()
	list := read(t, "vex.json", []byte(`{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"metadata":{"authors":[{"name":"Acme"}]},"vulnerabilities":[
		{"id":"CVE-2020-1000","analysis":{"state":"not_affected"},"affects":[{"ref":"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#ssl"}]},
		{"id":"CVE-2020-1001","analysis":{"state":"not_affected"},"affects":[{"ref":"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pump"}]},
		{"id":"CVE-2020-1002","analysis":{"state":"not_affected"},"affects":[{"ref":"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/2#ssl"}]}]}`))
	got := vex.Link(list, []byte(`no JSON`), sample(t, "csaf.json"), sample(t, "cyclonedx.json"))
	var words []string
	for _, s := range got {
		words = append(words, s.Product.String()+" / "+s.Component.String())
	}
	want := []string{"Acme Medical InfuPump 3000 4.2.1 / openssl 1.0.2u", "Acme Medical InfuPump 3000 4.2.1 / ", " / urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/2#ssl"}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if list[0].Component.Name != "" {
		t.Error("the caller's statements were changed")
	}
}
