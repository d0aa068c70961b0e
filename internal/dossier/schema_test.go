package dossier_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

var update = flag.Bool("update", false, "write doc/schema/dossier-1.json")

const schemaFile = "../../doc/schema/dossier-1.json"

// TestSchemaCurrent holds that the published schema is the one of the Go types.
func TestSchemaCurrent(t *testing.T) {
	t.Parallel()
	g := &generator{comments: comments(t), defs: map[string]any{}}
	root := g.object(reflect.TypeFor[dossier.Dossier]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://github.com/vesalius-project/vesalius/schema/dossier-1.json"
	root["title"] = "Vesalius dossier, schema version 1"
	root["$defs"] = g.defs
	root["properties"].(map[string]any)["schema"] = map[string]any{"const": dossier.Schema}
	var b bytes.Buffer
	if err := dossier.Encode(&b, root); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(schemaFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(schemaFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not the schema of the types: go test ./internal/dossier -run Current -update", schemaFile)
	}
}

// TestSchemaValid holds that a dossier with every part in use is valid, and that the
// schema refuses what the contract does.
func TestSchemaValid(t *testing.T) {
	t.Parallel()
	s, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(sample(t), &whole); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(whole); err != nil {
		t.Errorf("the sample: %v", err)
	}
	for part := range s.Properties {
		if _, ok := whole[part]; !ok {
			t.Errorf("the sample uses no %s", part)
		}
	}
	for _, c := range []struct {
		name   string
		change func(d map[string]any)
		valid  bool
	}{
		{"a further field", func(d map[string]any) { d["future"] = 1 }, true},
		{"a further field of a fact", func(d map[string]any) { first(d, "account")["future"] = 1 }, true},
		{"another version", func(d map[string]any) { d["schema"] = 2 }, false},
		{"no findings", func(d map[string]any) { delete(d, "findings") }, false},
		{"a fourth outcome", func(d map[string]any) { d["findings"].([]any)[0].(map[string]any)["outcome"] = "fine" }, false},
		{"an unknown severity", func(d map[string]any) { d["findings"].([]any)[0].(map[string]any)["severity"] = "bad" }, false},
		{"a text for a switch", func(d map[string]any) { first(d, "account")["locked"] = "yes" }, false},
		{"a fact without source", func(d map[string]any) { delete(first(d, "account"), "source") }, false},
		{"a null fact", func(d map[string]any) { d["facts"].(map[string]any)["account"] = []any{nil} }, false},
	} {
		var d map[string]any
		if err := json.Unmarshal(sample(t), &d); err != nil {
			t.Fatal(err)
		}
		c.change(d)
		if err := s.Validate(d); (err == nil) != c.valid {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func first(d map[string]any, kind string) map[string]any {
	return d["facts"].(map[string]any)[kind].([]any)[0].(map[string]any)
}

// sample returns the dossier from which all reports have their golden files.
func sample(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../report/testdata/pump.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// generator makes a JSON Schema of Go types.
type generator struct {
	comments map[string]string // of package.Type and package.Type.Field
	defs     map[string]any
}

// value returns the schema of a type.
func (g *generator) value(t reflect.Type) map[string]any {
	if t == reflect.TypeFor[time.Time]() {
		return map[string]any{"type": "string", "format": "date-time"}
	}
	if o, ok := reflect.Zero(t).Interface().(interface{ Elem() reflect.Type }); ok {
		return g.value(o.Elem())
	}
	if e := enum(t); e != nil {
		return map[string]any{"enum": e}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.value(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": g.value(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": g.value(t.Elem())}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Struct:
		name := t.String()
		if _, ok := g.defs[name]; !ok {
			g.defs[name] = nil // for types that hold themselves
			g.defs[name] = g.object(t)
		}
		return map[string]any{"$ref": "#/$defs/" + name}
	default:
		panic("schema: no rule for " + t.String())
	}
}

// object returns the schema of a struct. Fields that may be left out are not required.
func (g *generator) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "" || name == "-" {
			continue
		}
		p := g.value(f.Type)
		if t == reflect.TypeFor[judge.Finding]() && name == "severity" {
			p = map[string]any{"enum": judge.Severities()}
		}
		owner := t.String()
		if len(f.Index) > 1 {
			owner = t.FieldByIndex(f.Index[:1]).Type.String()
		}
		if c := g.comments[owner+"."+f.Name]; c != "" {
			p["description"] = c
		}
		properties[name] = p
		if !strings.Contains(rest, "omitzero") && !strings.Contains(rest, "omitempty") && !nilable(f.Type) {
			required = append(required, name)
		}
		if nilable(f.Type) && rest == "" {
			properties[name] = map[string]any{"anyOf": []any{p, map[string]any{"type": "null"}}}
			if c := p["description"]; c != nil {
				delete(p, "description")
				properties[name].(map[string]any)["description"] = c
			}
			required = append(required, name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		slices.Sort(required)
		out["required"] = required
	}
	if c := g.comments[t.String()]; c != "" {
		out["description"] = c
	}
	return out
}

// nilable reports whether a field that is always written may be null. The lists of the
// dossier itself never are.
func nilable(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[[]dossier.Input](), reflect.TypeFor[[]*judge.Finding]():
		return false
	}
	return t.Kind() == reflect.Slice || t.Kind() == reflect.Map
}

// enum returns the values of the closed types.
func enum(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[judge.Outcome]():
		return []string{string(judge.Bad), string(judge.Good), string(judge.Unknown)}
	case reflect.TypeFor[fact.Witness]():
		var out []string
		for _, w := range []fact.Witness{fact.Design, fact.Firmware, fact.Live, fact.Traffic, fact.Claimed, fact.Observation, fact.Test} {
			out = append(out, string(w))
		}
		return out
	}
	return nil
}

// comments reads what the sources say of types and fields.
func comments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range []string{"../fact", "../judge", "../wall", "."} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				d, ok := n.(*ast.GenDecl)
				if !ok {
					return true
				}
				for _, s := range d.Specs {
					s, ok := s.(*ast.TypeSpec)
					if !ok {
						continue
					}
					fields, ok := s.Type.(*ast.StructType)
					if !ok {
						continue
					}
					out[file.Name.Name+"."+s.Name.Name] = words(d.Doc)
					for _, f := range fields.Fields.List {
						for _, name := range f.Names {
							out[file.Name.Name+"."+s.Name.Name+"."+name.Name] = words(f.Doc) + words(f.Comment)
						}
					}
				}
				return true
			})
		}
	}
	return out
}

func words(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
