// Package vesalius holds no code: its tests are the laws of the repository.
package vesalius

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/vesalius-project/vesalius/"

type pkg struct {
	ImportPath, Dir, Doc, Name string
	Imports, GoFiles           []string
}

// packages lists ours, as go list sees them.
func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Doc,Name,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestFloors holds that packages import only from floors below their own (floors.txt).
func TestFloors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("floors.txt")
	if err != nil {
		t.Fatal(err)
	}
	floor := map[string]int{}
	for i, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, p := range strings.Fields(line) {
			floor[p] = i
		}
	}
	// of gives the floor of a package; an internal one lives on its owner's.
	of := func(path string) (string, int, bool) {
		owner := path
		if i := strings.Index(path, "/internal/"); i > 0 && !strings.HasPrefix(path, "internal/internal/") {
			if j := strings.LastIndex(path, "/internal/"); j > 0 {
				owner = path[:j]
			}
		}
		n, ok := floor[owner]
		return owner, n, ok
	}
	for _, p := range packages(t) {
		path, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || len(p.GoFiles) == 0 {
			continue
		}
		owner, at, ok := of(path)
		if !ok {
			t.Errorf("%s stands on no floor of floors.txt", path)
			continue
		}
		for _, i := range p.Imports {
			to, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			if o, below, ok := of(to); !ok || below >= at && o != owner {
				t.Errorf("%s imports %s, which does not lie on a floor below", path, to)
			}
		}
	}
}

// TestPackageComments holds that each package says what it is for.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && len(p.Doc) < 40 {
			t.Errorf("%s: package comment is missing or says nothing: %q", p.ImportPath, p.Doc)
		}
	}
}

// TestForbidden holds the rules of the house that a reader of imports and calls can
// check: who may know the network, processes, flags, the clock and the standard streams.
func TestForbidden(t *testing.T) {
	t.Parallel()
	imports := map[string][]string{ // import -> directories that may have it
		"net":      {"internal/fetch", "internal/witness/device", "internal/witness/traffic", "internal/lab", "internal/web", "internal/store"},
		"net/http": {"internal/fetch", "internal/witness/device", "internal/lab", "internal/web"},
		"os/exec":  {"internal/wall", "internal/remedy/run"},
		"flag":     {"cmd/"},
		"log":      {},
		"unsafe":   {},
	}
	calls := map[string][]string{
		"os.Exit":            {"cmd/"},
		"os.Getenv":          {"cmd/"},
		"os.LookupEnv":       {"cmd/"},
		"time.Now":           {"cmd/"},
		"context.Background": {"cmd/"},
		"fmt.Print":          {"cmd/"},
		"fmt.Println":        {"cmd/"},
		"fmt.Printf":         {"cmd/"},
		"io.ReadAll":         {},
	}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if tool := file.Name.Name == "main" && !strings.HasPrefix(path, "cmd/"); tool {
			return nil // a tool of the workshop, not of the product
		}
		allowed := func(dirs []string) bool {
			return slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(path, dir) })
		}
		for _, i := range file.Imports {
			if dirs, ok := imports[strings.Trim(i.Path.Value, `"`)]; ok && !allowed(dirs) {
				t.Errorf("%s: import %s is not for this package", fset.Position(i.Pos()), i.Path.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok {
					if dirs, ok := calls[x.Name+"."+n.Sel.Name]; ok && !allowed(dirs) {
						t.Errorf("%s: %s.%s is not for this package", fset.Position(n.Pos()), x.Name, n.Sel.Name)
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: init", fset.Position(n.Pos()))
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDependencies holds that each direct dependency has its decision, and stands in it
// by name.
func TestDependencies(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob("doc/decision/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, r := range records {
		b, err := os.ReadFile(r)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
		if !strings.Contains(text.String(), m[1]) {
			t.Errorf("dependency %s: no record in doc/decision names it", m[1])
		}
	}
}

// TestSampleSizes keeps the samples small.
func TestSampleSizes(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "testdata") || strings.HasPrefix(path, ".git") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Size() > 200<<10 {
			t.Errorf("%s: a sample of %d bytes is too large to keep", path, info.Size())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNamesNoTools holds that the project speaks of itself alone.
func TestNamesNoTools(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "git", "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`(?i)/work/(main|shared|wt)|farm-(studio|bench)|\bLLM\b|\bchatgpt\b|proxy\.golang\.org`)
	for _, path := range strings.Fields(string(out)) {
		if path == "repo_test.go" || strings.Contains(path, "testdata") || strings.HasPrefix(path, "internal/component/signature/") || strings.HasSuffix(path, ".index") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if m := word.Find(b); m != nil {
			t.Errorf("%s: names %q", path, m)
		}
	}
}

// TestPatterns holds that every pattern compiles: search.Lazy compiles only what is used.
func TestPatterns(t *testing.T) {
	t.Parallel()
	found := 0
	for _, p := range packages(t) {
		fset := token.NewFileSet()
		texts := map[string]ast.Expr{} // the package's constants
		var parsed []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
			ast.Inspect(f, func(n ast.Node) bool {
				if v, ok := n.(*ast.ValueSpec); ok {
					for i, value := range v.Values {
						texts[v.Names[i].Name] = value
					}
				}
				return true
			})
		}
		for _, f := range parsed {
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if of, ok := call.Fun.(*ast.SelectorExpr); !ok || of.Sel.Name != "Lazy" {
					return true
				}
				found++
				expr, ok := constant(call.Args[0], texts)
				if !ok {
					t.Errorf("%s: the pattern is no constant text", fset.Position(call.Pos()))
				} else if _, err := regexp.Compile(expr); err != nil {
					t.Errorf("%s: %v", fset.Position(call.Pos()), err)
				}
				return true
			})
		}
	}
	if found < 100 {
		t.Errorf("%d patterns were found, want hundreds", found)
	}
}

// constant gives the text of an expression of literals, names of constants and +.
func constant(e ast.Expr, texts map[string]ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, ok := constant(e.X, texts)
		b, also := constant(e.Y, texts)
		return a + b, ok && also && e.Op == token.ADD
	case *ast.Ident:
		value, ok := texts[e.Name]
		if !ok {
			return "", false
		}
		return constant(value, texts)
	}
	return "", false
}
