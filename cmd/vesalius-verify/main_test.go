package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// statement signs what is said of a file.
func statement(key ed25519.PrivateKey, product string, version int, file []byte) []byte {
	head := fmt.Sprintf("vesalius-update 1\nproduct %s\nversion %d\nsha256 %x\n", product, version, sha256.Sum256(file))
	return []byte(head + "signature " + base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(head))) + "\n")
}

// TestUpdater holds that a home-made updater, changed by the fix wrap-signed-update,
// installs what is signed for its product and not older than what was installed, and
// nothing else: with the real shell, wget and verifier.
func TestUpdater(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "wget", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	shells := [][]string{{"sh"}}
	if _, err := exec.LookPath("busybox"); err == nil {
		shells = append(shells, []string{"busybox", "sh"})
	}
	sample, err := txtar.ParseFile(filepath.FromSlash("../../internal/remedy/fix/testdata/wrap-signed-update/wget.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	script := ""
	for _, f := range sample.Files {
		if f.Name == "after /usr/sbin/update.sh 0755" {
			script = string(f.Data)
		}
	}
	if script == "" {
		t.Fatal("the sample has no script")
	}
	bin := filepath.Join(t.TempDir(), "verify")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil { //nolint:gosec // our own program
		t.Fatalf("%v: %s", err, out)
	}
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("install.sh", "echo installed > \"$RESULT\"\n")
	pack := exec.Command("tar", "czf", "latest.tar.gz", "install.sh")
	pack.Dir = dir
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	good, err := os.ReadFile(filepath.Join(dir, "latest.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(good)
	damaged[len(damaged)-1] ^= 1
	for _, c := range []struct {
		name      string
		file, sig []byte
		installs  bool
	}{
		{"signed", good, statement(key, "pump", 7, good), true},
		{"same version again", good, statement(key, "pump", 5, good), true},
		{"older", good, statement(key, "pump", 4, good), false},
		{"unsigned", good, nil, false},
		{"signed by a stranger", good, statement(stranger, "pump", 7, good), false},
		{"another product", good, statement(key, "monitor", 7, good), false},
		{"product that begins the same", good, statement(key, "pump2", 7, good), false},
		{"changed", damaged, statement(key, "pump", 7, good), false},
		{"version that was altered", good, bytes.Replace(statement(key, "pump", 4, good), []byte("version 4"), []byte("version 9"), 1), false},
		{"empty signature", good, []byte{}, false},
		{"a page that says sorry", good, []byte("<html>signature AAAA</html>"), false},
		{"version that is no number", good, bytes.Replace(statement(key, "pump", 7, good), []byte("version 7"), []byte("version seven"), 1), false},
	} {
		for _, shell := range shells {
			t.Run(c.name+"/"+strings.Join(shell, " "), func(t *testing.T) {
				t.Parallel()
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == "/pump/latest.tar.gz":
						_, _ = w.Write(c.file)
					case r.URL.Path == "/pump/latest.tar.gz.sig" && c.sig != nil:
						_, _ = w.Write(c.sig)
					default:
						http.NotFound(w, r)
					}
				}))
				defer server.Close()
				root := t.TempDir()
				for name, text := range map[string]string{"update.pub": base64.StdEncoding.EncodeToString(public), "product": "pump\n", "update-version": "5\n"} {
					if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				work := t.TempDir()
				text := strings.NewReplacer("/usr/sbin/vesalius-verify-image", bin, "/etc/vesalius", root, "/etc/provisioned", filepath.Join(root, "state"),
					"cd /tmp", "cd "+work, "http://update.example.com", server.URL).Replace(script)
				result := filepath.Join(root, "result")
				run := exec.Command(shell[0], append(shell[1:], "-c", text)...) //nolint:gosec // the shells named above
				run.Env = append(os.Environ(), "RESULT="+result, "no_proxy=*")
				out, _ := run.CombinedOutput()
				_, err := os.Stat(result)
				if installed := err == nil; installed != c.installs {
					t.Errorf("installed: %v, want %v: %s", installed, c.installs, out)
				}
				state, _ := os.ReadFile(filepath.Join(root, "state", "update-version"))
				if c.name == "signed" && string(state) != "7\n" {
					t.Errorf("the version kept is %q", state)
				}
			})
		}
	}
}

// FuzzStatement holds that no statement is taken that the key did not sign.
func FuzzStatement(f *testing.F) {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	for name, text := range map[string]string{"key": base64.StdEncoding.EncodeToString(public), "product": "pump", "low": "0", "file": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	good := statement(key, "pump", 1, []byte("x"))
	f.Add(good)
	f.Add([]byte("signature "))
	f.Add(bytes.Replace(good, []byte("\n"), []byte("\r\n"), 1))
	f.Fuzz(func(t *testing.T, sig []byte) {
		at := filepath.Join(t.TempDir(), "sig")
		if err := os.WriteFile(at, sig, 0o600); err != nil {
			t.Fatal(err)
		}
		p := func(name string) string { return filepath.Join(dir, name) }
		if _, err := verify(p("key"), p("product"), p("low"), p("file"), at); err == nil && !bytes.HasPrefix(sig, good[:bytes.Index(good, []byte("signature "))]) {
			t.Errorf("taken: %q", sig)
		}
	})
}
