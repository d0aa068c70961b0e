package fix

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestStripRuns holds that a real program runs as before once it is stripped, and is smaller.
func TestStripRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { println(\"runs\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", "program", "main.go")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	now, ok := stripELF(data)
	if !ok {
		t.Skip("programs of this system are not ELF")
	}
	if len(now) > len(data)*9/10 {
		t.Errorf("%d bytes of %d", len(now), len(data))
	}
	at := filepath.Join(dir, "stripped")
	if err := os.WriteFile(at, now, 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	if out, err := exec.Command(at).CombinedOutput(); err != nil || string(out) != "runs\n" { //nolint:gosec // built above
		t.Errorf("%v: %q", err, out)
	}
	if _, again := stripELF(now); again {
		t.Error("a stripped program is stripped again")
	}
}

// FuzzStrip holds that no file that calls itself a program stops it.
func FuzzStrip(f *testing.F) {
	f.Add([]byte("\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00\x01"))
	if data, err := os.ReadFile("/proc/self/exe"); err == nil {
		f.Add(data[:min(len(data), 1<<16)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if now, ok := stripELF(data); ok && len(now) >= len(data) {
			t.Errorf("%d bytes became %d", len(data), len(now))
		}
	})
}
