package wall_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/vesalius-project/vesalius/internal/wall"
)

// TestMain plays the walled child when it is started again by the test below.
func TestMain(m *testing.M) {
	if dir := os.Getenv("WALL_TEST_DIR"); dir != "" {
		child(dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// attempt is what a walled child tried: the error of each, empty where it worked.
type attempt struct {
	Walls                                         []wall.Wall
	Read, ReadElsewhere, Write, TCP, UDP, Program string
}

func child(dir string) {
	a := attempt{Walls: wall.Raise(wall.Rights{ReadDirs: []string{dir}, SpillSize: 1 << 20})}
	text := func(err error) string {
		if err != nil {
			return err.Error()
		}
		return ""
	}
	_, err := os.ReadFile(filepath.Join(dir, "in"))
	a.Read = text(err)
	_, err = os.ReadFile("/etc/passwd")
	a.ReadElsewhere = text(err)
	a.Write = text(os.WriteFile(filepath.Join(dir, "out"), nil, 0o600))
	_, err = net.Dial("tcp", "127.0.0.1:9")
	a.TCP = text(err)
	_, err = net.Dial("udp", "127.0.0.1:9")
	a.UDP = text(err)
	_, err = os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	a.Program = text(err)
	_ = json.NewEncoder(os.NewFile(3, "result")).Encode(a)
}

// TestRaise holds that a walled process reads its input and nothing else, writes nowhere,
// reaches no network and starts no program.
func TestRaise(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("walls are made of Linux only; the report says so elsewhere")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "result"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var stderr bytes.Buffer
	env := append(os.Environ(), "WALL_TEST_DIR="+dir)
	if err := wall.Start(t.Context(), os.Args[0], nil, env, []*os.File{out}, nil, &stderr); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var a attempt
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	stands := map[string]bool{}
	for _, w := range a.Walls {
		stands[w.Name] = w.Stands
		if !w.Stands {
			t.Logf("wall %s does not stand here: %s", w.Name, w.Why)
		}
	}
	if a.Read != "" {
		t.Errorf("reading the input: %s", a.Read)
	}
	for _, c := range []struct{ wall, what, got string }{
		{"files", "reading elsewhere", a.ReadElsewhere},
		{"files", "writing", a.Write},
		{"sockets-and-programs", "TCP", a.TCP},
		{"sockets-and-programs", "UDP", a.UDP},
		{"sockets-and-programs", "a program", a.Program},
	} {
		if stands[c.wall] && c.got == "" {
			t.Errorf("%s was allowed behind the wall %s", c.what, c.wall)
		}
	}
	if !stands["sockets-and-programs"] {
		t.Error("seccomp does not stand")
	}
}

// TestStartDies holds that a child that dies is an error.
func TestStartDies(t *testing.T) {
	err := wall.Start(t.Context(), "/bin/false", nil, nil, nil, nil, nil)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("got %v, want an exit error", err)
	}
}
