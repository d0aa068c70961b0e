package examples

import (
	"bytes"
	"debug/elf"
	"testing"

	"github.com/vesalius-project/vesalius/internal/image"
)

// TestBuild holds that every replica builds, twice the same, that its twins differ, and
// that its programs are programs to a reader of ELF.
func TestBuild(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Truth) == 0 || r.About == "" {
				t.Error("no truth, or no word about it")
			}
			_, a, err := r.Build(false)
			if err != nil {
				t.Fatal(err)
			}
			_, b, err := r.Build(false)
			if err != nil {
				t.Fatal(err)
			}
			_, fixed, err := r.Build(true)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Error("two builds differ")
			}
			if bytes.Equal(a, fixed) {
				t.Error("the twins are equal")
			}
			programs := 0
			for _, f := range r.Files(false) {
				if f.Kind != image.File || !bytes.HasPrefix(f.Data, []byte("\x7fELF")) {
					continue
				}
				programs++
				e, err := elf.NewFile(bytes.NewReader(f.Data))
				if err != nil {
					t.Errorf("%s: %v", f.Path, err)
					continue
				}
				if _, err := e.ImportedSymbols(); err != nil {
					t.Errorf("%s: %v", f.Path, err)
				}
			}
			if programs == 0 {
				t.Error("no programs")
			}
		})
	}
}

// TestOpenUnknown holds that a wrong name is told with the right ones.
func TestOpenUnknown(t *testing.T) {
	t.Parallel()
	if _, err := Open("toaster"); err == nil || !bytes.Contains([]byte(err.Error()), []byte("pump")) {
		t.Errorf("got %v", err)
	}
}
