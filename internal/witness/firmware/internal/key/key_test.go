package key

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/search"
)

var update = flag.Bool("update", false, "write testdata/want.txt anew")

type bytesContent []byte

func (c bytesContent) Size() int64 { return int64(len(c)) }

func (c bytesContent) View(at, n int64) []byte {
	at = min(at, int64(len(c)))
	return c[at:min(at+n, int64(len(c)))]
}

func find(t testing.TB, b []byte) Found {
	t.Helper()
	set, err := search.New(Literals())
	if err != nil {
		t.Fatal(err)
	}
	return Find(bytesContent(b), func(yield func(int, int64) bool) {
		set.Find(b, func(l, at int) { yield(l, int64(at)) })
	})
}

// TestFind holds what is found in each sample against testdata/want.txt. The samples were
// made by OpenSSL, OpenSSH, PuTTY, dropbear, WireGuard, OpenVPN, GnuPG and keytool, and the
// fingerprints are those that ssh-keygen -l says.
func TestFind(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/want.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			want[name] = append(want[name], rest)
		}
	}
	samples, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, s := range samples {
		name := filepath.Base(s)
		if name == "want.txt" || name == "fuzz" {
			continue
		}
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		found := find(t, b)
		for _, k := range found.Keys {
			half := "public"
			if k.Private {
				half = "private"
			}
			if k.Encrypted {
				half += ",encrypted"
			}
			got = append(got, fmt.Sprintf("%d %s %s %d %s %s", k.Offset, k.Form, k.Algorithm, k.Bits, half, k.Fingerprint))
		}
		for _, c := range found.Certificates {
			got = append(got, fmt.Sprintf("%d certificate %s %s %d %s self-signed=%t ca=%t %s", c.Offset, c.Subject, c.Algorithm, c.Bits, c.Signature, c.SelfSigned, c.CA, c.Key))
		}
		for i, g := range got {
			got[i] = strings.TrimSpace(g)
			fmt.Fprintf(&all, "%s %s\n", name, got[i])
		}
		if d := cmp.Diff(want[name], got); d != "" && !*update {
			t.Errorf("%s: want -, have +\n%s", name, d)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/want.txt", []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzFind holds that no content makes a parser fail, and that what is found lies in it.
func FuzzFind(f *testing.F) {
	samples, err := filepath.Glob("testdata/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range samples {
		b, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		found := find(t, b)
		for _, k := range found.Keys {
			if k.Offset < 0 || k.Offset >= int64(len(b)) || k.Form == "" {
				t.Errorf("%+v", k)
			}
		}
	})
}

// TestMany holds that a content of nothing but headers is read once, not once a header.
func TestMany(t *testing.T) {
	t.Parallel()
	b := []byte(strings.Repeat("-----BEGIN PRIVATE KEY-----\n", 20000))
	if found := find(t, b); len(found.Keys) != 0 {
		t.Errorf("%d keys", len(found.Keys))
	}
}
