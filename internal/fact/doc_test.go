package fact

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write doc/facts.md anew")

// TestFactsCurrent holds that doc/facts.md is the table of the kinds: each field with its
// meaning and who may see it, each kind with its key.
func TestFactsCurrent(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "kinds.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("kinds.go")
	if err != nil {
		t.Fatal(err)
	}
	text := func(n ast.Node) string {
		return string(source[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset])
	}
	keys := map[string]string{}
	structs := map[string]*ast.StructType{}
	about := map[string]string{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == "Key" && d.Recv != nil {
				recv := strings.TrimPrefix(text(d.Recv.List[0].Type), "*")
				var parts []string
				ast.Inspect(d.Body, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok && text(s.X) == "f" && s.Sel.Name != "Places" && s.Sel.Name != "Source" {
						parts = append(parts, s.Sel.Name)
					}
					return true
				})
				if strings.Contains(text(d.Body), "Places") {
					parts = append(parts, "path of the first place")
				}
				keys[recv] = strings.Join(parts, ", ")
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if ts, ok := s.(*ast.TypeSpec); ok {
					if st, ok := ts.Type.(*ast.StructType); ok {
						structs[ts.Name.Name], about[ts.Name.Name] = st, strings.Join(strings.Fields(d.Doc.Text()), " ")
					}
				}
			}
		}
	}
	var b bytes.Buffer
	b.WriteString("# Kinds of fact\n\nMade from internal/fact: do not edit (`make docs`). Rules see a fact under its kind's name, and its fields under the names given here. A field that is not\nstated is unknown, never false or zero. Fields marked secret are left out of a redacted report.\n")
	for _, k := range Kinds() {
		var name string
		for n := range structs {
			if strings.EqualFold(n, string(k)) {
				name = n
			}
		}
		if name == "" {
			t.Fatalf("kind %s has no struct", k)
		}
		key := keys[name]
		if key == "" {
			key = "one of each device"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s Key: %s.\n\n| field | type | meaning |\n|---|---|---|\n", k, about[name], strings.ToLower(key))
		for _, f := range structs[name].Fields.List {
			if len(f.Names) == 0 || f.Tag == nil {
				continue
			}
			tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
			field, _, _ := strings.Cut(tag.Get("json"), ",")
			typ := strings.NewReplacer("Opt[", "", "]", "", "[", "list of ").Replace(strings.ReplaceAll(text(f.Type), "[]", "list of "))
			meaning := strings.TrimSpace(f.Comment.Text())
			if see := tag.Get("see"); see == "secret" {
				meaning = strings.TrimSpace(meaning + " (secret)")
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", field, typ, strings.ReplaceAll(meaning, "|", "\\|"))
		}
	}
	const name = "../../doc/facts.md"
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not current: go test ./internal/fact -run Current -update", name)
	}
}
