// Package signature holds the signatures of products: one YAML file in data for each, with
// its tests inside. [All] gives them, [Load] reads such files.
//
// The fields are those of [component.Signature]. A new signature is one new file; `make
// docs` puts it into signatures.json, the form that the program carries because it is read
// ten times as fast. The tests run by themselves (go test ./internal/component/signature),
// and `make signatures-check` measures all of them on the real packages of a distribution.
//
// How to find a way that holds:
//
//   - Look at the strings of the product's own file (strings -n 3 FILE | grep -n -B3 -A3
//     VERSION), on two architectures and in two releases.
//   - A whole sentence ("Dropbear sshd v%s" filled in) is a pattern. A lone version is
//     near: choose a text that the same source file holds, so that it stays beside it.
//   - Text that only the product's own code has may say `itself` (a program that makers
//     rename) or `copy` (a library that is linked into others). "built with", "compiled
//     against" and "requires" are mentions: let the patterns pass them by.
//   - Own must be narrow: the soname of its libraries, the names of its programs.
package signature

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/vesalius-project/vesalius/internal/component"
)

//go:embed signatures.json
var compiled []byte

// All returns the signatures that come with the program, in the order of their names, but
// without their tests.
func All() ([]component.Signature, error) {
	var all []component.Signature
	if err := json.Unmarshal(compiled, &all); err != nil {
		return nil, fmt.Errorf("signatures.json: %w", err)
	}
	return all, nil
}

// Matcher returns the matcher of all signatures.
func Matcher() (*component.Matcher, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	return component.New(all)
}

const fileAtMost = 1 << 20

// Load reads the signatures of a directory: every file NAME.yaml. A field that it does
// not know is an error.
func Load(dir fs.FS) ([]component.Signature, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	var out []component.Signature
	for _, n := range names {
		s, err := read(dir, n)
		if err != nil {
			return nil, fmt.Errorf("signature %q: %w", n, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func read(dir fs.FS, name string) (component.Signature, error) {
	var s component.Signature
	b, err := fs.ReadFile(dir, name)
	if err != nil {
		return s, err
	}
	if len(b) > fileAtMost {
		return s, fmt.Errorf("%d bytes are too many", len(b))
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return s, err
	}
	if want := strings.TrimSuffix(path.Base(name), ".yaml"); s.Name != want {
		return s, fmt.Errorf("name is %q, not the file's", s.Name)
	}
	return s, nil
}
