package firmware

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangelog(t *testing.T) {
	t.Parallel()
	const text = `tlslib (3.0.11-1~deb12u2) bookworm-security; urgency=high

  * CVE-2023-5363: wrong lengths of keys.
  * Fix CVE-2023-0001 and CVE-2023-0002.
  * Revert the fix for CVE-2023-0003, it breaks builds.

 -- Somebody <somebody@acme.example>  Mon, 23 Oct 2023 19:52:22 +0200

tlslib (3.0.10-1) unstable; urgency=medium

  * Fix CVE-2023-0003.
`
	want := &Changelog{"tlslib", "3.0.11-1~deb12u2", []string{"CVE-2023-0001", "CVE-2023-0002", "CVE-2023-5363"}}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"packed": z.Bytes(), "plain": []byte(text)} {
		if d := cmp.Diff(want, traceOf(t, content).Changelog); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, content := range [][]byte{[]byte("Version 1.0\n * CVE-2023-0001\n"), z.Bytes()[:20], {0x1f, 0x8b}} {
		if got := traceOf(t, content).Changelog; got != nil {
			t.Errorf("%q: %+v", content, got)
		}
	}
}
