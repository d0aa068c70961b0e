package report_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/report"
)

var update = flag.Bool("update", false, "write the golden files")

func write(t testing.TB, form string, d *dossier.Dossier, o report.Options) string {
	t.Helper()
	f, err := report.Find(form)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b, d, o); err != nil {
		t.Fatalf("%s: %v", form, err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if have, err := os.ReadFile(path); *update && (err != nil || string(have) != got) {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: write it with -update, and read it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
}

// TestGolden holds every form to its golden file, and to the same bytes each time.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, f := range report.Forms() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			got := write(t, f.Name, rich(), report.Options{})
			if again := write(t, f.Name, rich(), report.Options{}); again != got {
				t.Error("the same dossier gave two outputs")
			}
			golden(t, "pump."+f.Name, got)
		})
	}
}

// TestGoldenTerminal holds what the text looks like in colour and at 120 columns.
func TestGoldenTerminal(t *testing.T) {
	t.Parallel()
	golden(t, "terminal.text", write(t, "text", rich(), report.Options{Color: true, Width: 120}))
}

// TestPlain holds that no form hands a terminal, or an editor, a character to obey: all
// output is valid UTF-8 of printing characters, line ends and tabs.
func TestPlain(t *testing.T) {
	t.Parallel()
	for _, f := range report.Forms() {
		out := write(t, f.Name, rich(), report.Options{})
		if !utf8.ValidString(out) {
			t.Errorf("%s: invalid UTF-8", f.Name)
		}
		for _, r := range out {
			if !strconv.IsPrint(r) && r != '\n' && r != '\t' {
				t.Errorf("%s: holds %U", f.Name, r)
				break
			}
		}
	}
}

// TestWidth holds that the text keeps to the width, but for places, which stay whole.
func TestWidth(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 80, 120} {
		for line := range strings.Lines(write(t, "text", rich(), report.Options{Width: width})) {
			line = strings.TrimRight(line, "\n")
			words := strings.Fields(line)
			if n := utf8.RuneCountInString(line); n > width && len(words) > 3 && !strings.Contains(line, "pump.bin") && !strings.Contains(line, "%FF") && width > 60 {
				t.Errorf("%d columns at width %d: %s", n, width, line)
			}
		}
	}
}

// TestEmpty holds that every form writes a dossier that holds nothing, and that the text
// does not call it good.
func TestEmpty(t *testing.T) {
	t.Parallel()
	for _, f := range report.Forms() {
		if out := write(t, f.Name, new(dossier.Dossier), report.Options{}); out == "" {
			t.Errorf("%s: no output", f.Name)
		}
	}
	if out := write(t, "text", new(dossier.Dossier), report.Options{}); !strings.Contains(out, "nothing is known to be good") {
		t.Errorf("a dossier without an answer reads:\n%s", out)
	}
}

// TestFindUnknown holds that an unknown form names those that there are.
func TestFindUnknown(t *testing.T) {
	t.Parallel()
	_, err := report.Find("pdf")
	if err == nil || !strings.Contains(err.Error(), "text, ") {
		t.Errorf("got %v", err)
	}
}

// TestGoldenExplain holds what is said of a rule.
func TestGoldenExplain(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := report.Explain(&b, rules()["service.telnet"], report.Options{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "explain.text", b.String())
}

// FuzzForms holds that whatever dossier.Read takes can be written in every form, without
// a character that a terminal obeys.
func FuzzForms(f *testing.F) {
	b, err := os.ReadFile("testdata/pump.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"schema":1,"findings":[{"id":"a","outcome":"bad","severity":"low","count":-1,"places":[{"endpoint":"\u001b"}]},{"outcome":"unknown","severity":"info"}],"gaps":[{"size":-1,"place":{"line":-3}}],"inputs":[{"size":-9223372036854775808}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := dossier.Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, form := range report.Forms() {
			out := write(t, form.Name, d, report.Options{Width: 60})
			for _, r := range out {
				if !strconv.IsPrint(r) && r != '\n' && r != '\t' {
					t.Fatalf("%s holds %U", form.Name, r)
				}
			}
		}
	})
}

// TestFormsDocumented holds that doc/reports.md lists every form.
func TestFormsDocumented(t *testing.T) {
	t.Parallel()
	const path, begin, end = "../../doc/reports.md", "<!-- forms -->\n", "<!-- end -->"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	_, tail, more := strings.Cut(rest, end)
	if !ok || !more {
		t.Fatalf("%s has no table of forms", path)
	}
	var table strings.Builder
	table.WriteString("| form | what it is | type |\n|---|---|---|\n")
	for _, f := range report.Forms() {
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", f.Name, f.Title, f.MIME)
	}
	want := head + begin + table.String() + end + tail
	if *update && want != string(b) {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Errorf("%s is not current: go test ./internal/report -run Documented -update", path)
	}
}
