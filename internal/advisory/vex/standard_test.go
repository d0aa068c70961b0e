package vex_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gocsaf/csaf/v3/csaf"
	openvex "github.com/openvex/go-vex/pkg/vex"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vesalius-project/vesalius/internal/advisory/vex"
)

// written returns every sample as each form writes it, and a document without a statement.
func written(t *testing.T, form string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, name := range append(samples(t), "") {
		var list []vex.Statement
		if name != "" {
			list = read(t, name, sample(t, name))
		} else if form == vex.OpenVEX {
			continue // the standard demands a statement
		}
		var b bytes.Buffer
		if err := forms[form].write(&b, document(form), list); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	return out
}

func parse(t *testing.T, b []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestCSAFSchema holds what we write to the official schema of CSAF 2.0, and to what the
// profile VEX demands beside it (4.5).
func TestCSAFSchema(t *testing.T) {
	t.Parallel()
	for name, b := range written(t, vex.CSAF) {
		doc := parse(t, b)
		wrong, err := csaf.ValidateCSAF(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wrong {
			t.Errorf("%q: %s", name, w)
		}
		if name == "" {
			continue
		}
		for i, v := range doc.(map[string]any)["vulnerabilities"].([]any) {
			v := v.(map[string]any)
			if v["notes"] == nil || v["product_status"] == nil || v["cve"] == nil && v["ids"] == nil {
				t.Errorf("%q: vulnerability %d lacks notes, status or id", name, i)
			}
			status := v["product_status"].(map[string]any)
			told := map[string]bool{} // products with a reason, and with an action
			for kind, lists := range map[string][]string{"reason ": {"flags", "threats"}, "action ": {"remediations"}} {
				for _, l := range lists {
					items, _ := v[l].([]any)
					for _, item := range items {
						for _, id := range item.(map[string]any)["product_ids"].([]any) {
							told[kind+id.(string)] = true
						}
					}
				}
			}
			for list, kind := range map[string]string{"known_not_affected": "reason ", "known_affected": "action "} {
				ids, _ := status[list].([]any)
				for _, id := range ids {
					if !told[kind+id.(string)] {
						t.Errorf("%q: vulnerability %d, product %s: no %s", name, i, id, kind)
					}
				}
			}
			seen := map[string]string{} // 6.1.6: one product, one kind of status
			for list, ids := range status {
				kind := map[string]string{"first_affected": "affected", "known_affected": "affected", "last_affected": "affected", "known_not_affected": "not", "under_investigation": "unclear"}[list]
				for _, id := range ids.([]any) {
					if was, ok := seen[id.(string)]; ok && was != kind {
						t.Errorf("%q: vulnerability %d: product %s has two statuses", name, i, id)
					}
					seen[id.(string)] = kind
				}
			}
		}
	}
}

// TestOpenVEXReader holds what we write to the standard's own reader and its rules.
func TestOpenVEXReader(t *testing.T) {
	t.Parallel()
	for name, b := range written(t, vex.OpenVEX) {
		doc, err := openvex.Parse(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if doc.Author == "" || doc.Timestamp == nil || len(doc.Statements) == 0 {
			t.Errorf("%s: %+v", name, doc.Metadata)
		}
		for i := range doc.Statements {
			s := &doc.Statements[i]
			if err := s.Validate(); err != nil {
				t.Errorf("%s: statement %d: %v", name, i, err)
			}
			// The schema takes one of the two alone.
			if s.Justification != "" && s.ImpactStatement != "" {
				t.Errorf("%s: statement %d has a justification and an impact", name, i)
			}
			for _, p := range s.Products {
				if !strings.Contains(p.ID, ":") {
					t.Errorf("%s: statement %d: product %q is no IRI", name, i, p.ID)
				}
			}
		}
	}
}

// TestCycloneDXSchema holds what we write to the standard's schema.
func TestCycloneDXSchema(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for url, file := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+url, parse(t, b)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range written(t, vex.CycloneDX) {
		if err := s.Validate(parse(t, b)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
