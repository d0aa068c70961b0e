package secret

import (
	"os"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/search"
)

var styles = map[string]Style{"configuration": Configuration, "shell": Shell, "code": Code, "log": Log, "binary": Binary}

// TestLine holds the lines of testdata/lines.txt: a style, what is found in it (what, for,
// user, value with | between; - for nothing), and the line.
func TestLine(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		w := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 3)
		style, ok := styles[w[0]]
		if len(w) != 3 || !ok {
			continue
		}
		n++
		got := "-"
		for i, s := range Line(w[2], style) {
			if i > 0 {
				got += " and "
			} else {
				got = ""
			}
			got += strings.Join([]string{s.What, s.For, s.User, s.Value}, "|")
			if w[2][s.At:s.At+1] != s.Value[:1] && w[2][s.At+1:s.At+2] != s.Value[:1] {
				t.Errorf("%s: the value does not stand at %d", w[2], s.At)
			}
		}
		if got != w[1] {
			t.Errorf("%s: %s\n  want %s\n  have %s", w[0], w[2], w[1], got)
		}
	}
	if n < 60 {
		t.Errorf("only %d lines", n)
	}
}

// tokens tells the tokens of a text, as a reader of whole contents does.
func tokens(t testing.TB, text string) []Secret {
	t.Helper()
	set, err := search.New(Literals())
	if err != nil {
		t.Fatal(err)
	}
	var out []Secret
	set.Find([]byte(text), func(l, at int) {
		if IsWord(l) {
			return
		}
		before := byte(0)
		if at > 0 {
			before = text[at-1]
		}
		if s, ok := Token(l, before, text[at:]); ok {
			out = append(out, s)
		}
	})
	return out
}

// TestToken holds which tokens and addresses are told, and which only look like one. The
// samples are put together here so that no scanner takes this file for a leak.
func TestToken(t *testing.T) {
	t.Parallel()
	body := "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3hJ5kL7nP9rS1tU3wX5zA7cE9gI1kM3oQ5sU7wY9aC1eG3iK5mO7qS9uW"
	for _, c := range []struct{ text, want string }{
		{"aws_key=" + "AK" + "IAQ3EGRTUV7WXYZ2AB\n", "cloud-key aws"},
		{"aws_key=" + "AK" + "IAIOSFODNN7EXAMPLE\n", ""},
		{"X" + "AK" + "IAQ3EGRTUV7WXYZ2AB", ""},
		{"AK" + "IAQ3EGRTUV7WXYZ2ABLONGER", ""},
		{"key: AI" + "za" + body[:35] + "\"", "cloud-key google"},
		{"g" + "hp_" + body[:36], "token github"},
		{"gl" + "pat-" + body[:20] + " ", "token gitlab"},
		{"np" + "m_" + body[:36], "token npm"},
		{"npm_config_registry_is_no_token_of_anything", ""},
		{"sk_" + "live_" + body[:30], "api-key stripe"},
		{"DefaultEndpointsProtocol=https;AccountName=x;Account" + "Key=" + body[:86] + "==;", "cloud-key azure"},
		{"ey" + "JhbGciOiJIUzI1NiJ9." + body[:40] + "." + body[:43], "token jwt"},
		{"ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + body[:43], ""},
		{"url = mqtt://pump:Kp7-ward@broker.hospital.local:1883/x", "connection-string mqtt"},
		{"ftp://service:fw2019@10.1.2.3/fw", "connection-string ftp"},
		{"redis://:s3cr3tpw@10.0.0.1/0", "connection-string redis"},
		{"http://user:password@proxy:3128/", ""},
		{"http://user:pass@example.com/", ""},
		{"https://%s:%s@%s/", ""},
		{"https://${USER}:${PASS}@host.lan/", ""},
		{"http://www.w3.org/1999/xhtml:foo@x", ""},
		{"https://github.com/x/y@v1.2.3", ""},
	} {
		got := ""
		for _, s := range tokens(t, c.text) {
			got = strings.TrimSpace(got + " " + s.What + " " + s.For)
		}
		if got != c.want {
			t.Errorf("%s: want %q, have %q", c.text, c.want, got)
		}
	}
}

// FuzzLine holds that no line makes a reader fail, and that what it finds stands in it.
func FuzzLine(f *testing.F) {
	b, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if w := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 3); len(w) == 3 {
			f.Add(w[2], int(styles[w[0]]))
		}
	}
	f.Fuzz(func(t *testing.T, line string, style int) {
		for _, s := range Line(line, Style(style%5)) {
			if s.Value == "" || !strings.Contains(line, s.Value) || s.At < 0 || s.At >= len(line) {
				t.Errorf("%q: %+v", line, s)
			}
		}
		for _, s := range tokens(t, line) {
			if s.Value == "" {
				t.Errorf("%q: %+v", line, s)
			}
		}
	})
}
