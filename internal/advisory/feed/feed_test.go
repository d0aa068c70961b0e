package feed

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

var update = flag.Bool("update", false, "write the expected records again")

// samples lists the files of a format.
func samples(t testing.TB, format string) []string {
	t.Helper()
	var files []string
	all, err := filepath.Glob(filepath.Join("testdata", format, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !strings.HasSuffix(f, ".want") {
			files = append(files, f)
		}
	}
	return files
}

func load(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// gather reads what is there, and keeps the records.
func gather(t testing.TB, name string, b []byte) ([]advisory.Record, Stats, error) {
	t.Helper()
	var records []advisory.Record
	s, err := Read(t.Context(), name, bytes.NewReader(b), func(r advisory.Record) error {
		records = append(records, r)
		return nil
	})
	return records, s, err
}

// stated returns a value without whatever is zero in it.
func stated(v reflect.Value) any {
	if at, ok := v.Interface().(time.Time); ok {
		return at.Format(time.RFC3339Nano)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return stated(v.Elem())
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				m[v.Type().Field(i).Name] = stated(f)
			}
		}
		return m
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = stated(v.Index(i))
		}
		return list
	default:
		return v.Interface()
	}
}

// TestSamples holds that each format has a sample, that it is recognised, and becomes the
// records that stand beside it.
func TestSamples(t *testing.T) {
	t.Parallel()
	for _, f := range All() {
		files := samples(t, f.Name)
		if len(files) == 0 {
			t.Errorf("%s has no sample in testdata", f.Name)
		}
		for _, file := range files {
			records, stats, err := gather(t, file, load(t, file))
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if stats.Format != f.Name || stats.Source != f.Source || stats.Skipped > 0 {
				t.Errorf("%s: read as %+v", file, stats)
			}
			got, err := json.MarshalIndent([]any{stated(reflect.ValueOf(records)), stated(reflect.ValueOf(stats))}, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if *update {
				if err := os.WriteFile(file+".want", got, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if diff := cmp.Diff(string(load(t, file+".want")), string(got)); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", file, diff)
			}
		}
	}
}

// TestNoHalf holds that no file that was cut reads as if it were whole: not where it is
// JSON, and not where it is compressed.
func TestNoHalf(t *testing.T) {
	t.Parallel()
	for _, f := range All() {
		for _, file := range samples(t, f.Name) {
			whole := load(t, file)
			if strings.HasSuffix(file, ".json") {
				text := bytes.TrimRight(whole, "\n")
				for n := range text {
					if _, s, err := gather(t, file, text[:n]); err == nil {
						t.Fatalf("%s: cut at %d it reads without an error: %+v", file, n, s)
					}
				}
			}
			packed := zipped(whole)
			for n := 1; n < len(packed); n += 7 {
				if _, s, err := gather(t, file, packed[:n]); err == nil {
					t.Fatalf("%s.gz: cut at %d it reads without an error: %+v", file, n, s)
				}
			}
		}
	}
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// TestFraming holds that marks, ends of lines and compression do not change what is read.
func TestFraming(t *testing.T) {
	t.Parallel()
	for _, f := range All() {
		for _, file := range samples(t, f.Name) {
			plain := load(t, file)
			want, _, err := gather(t, file, plain)
			if err != nil {
				t.Fatal(err)
			}
			crlf := bytes.ReplaceAll(bytes.ReplaceAll(plain, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
			for how, b := range map[string][]byte{
				"gzip": zipped(plain), "mark": append([]byte("\xef\xbb\xbf"), plain...), "crlf": crlf, "marked, gzip": zipped(append([]byte("\xef\xbb\xbf"), crlf...)),
			} {
				got, _, err := gather(t, file, b)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%s with %s: %v %s", file, how, err, diff)
				}
			}
		}
	}
}

// TestForeign holds that what is no advisory is an error that says so.
func TestForeign(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "space": " \n ", "text": "hello, world\n", "object": `{"a": {"b": 1}}`, "list": `[{"id": "x", "modified": "y"}]`, "number": "7", "sbom": `{"bomFormat": "CycloneDX", "vulnerabilities": []}`,
		"openvex": `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "statements": []}`, "binary": "\x7fELF\x02\x01", "quote": `"`, "schema": `{"$schema": "x", "title": "vulnerabilities", "properties": {"cveID": {}}}`,
	} {
		if _, _, err := gather(t, name, []byte(text)); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, head := range map[string]string{"xz -d": "\xfd7zXZ\x00\x00", "zstd -d": "\x28\xb5\x2f\xfd\x00"} {
		if _, _, err := gather(t, "f", []byte(head)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error does not say what to do: %v", name, err)
		}
	}
}

// TestMalformed holds that one malformed record is left out, with its id or place and what
// is wrong, and the others are kept.
func TestMalformed(t *testing.T) {
	t.Parallel()
	const head, tail = `{"format": "NVD_CVE", "vulnerabilities": [{"cve": {"id": "CVE-2099-1", "sourceIdentifier": "s"}},`, `,{"cve": {"id": "CVE-2099-3", "sourceIdentifier": "s"}}]}`
	deep := strings.Repeat(`{"a":[`, 5000) + strings.Repeat(`]}`, 5000)
	for name, c := range map[string]struct{ record, want string }{
		"text for an object": {`{"cve": "x"}`, "a string where an object is expected"},
		"number for a text":  {`{"cve": {"id": "CVE-2099-2", "published": 7}}`, `"CVE-2099-2" at byte 97: byte 42 of it: a number where a string is expected`},
		"object for a list":  {`{"cve": {"id": "CVE-2099-2", "configurations": {}}}`, "an object where a list is expected"},
		"text for a flag":    {`{"cve": {"id": "CVE-2099-2", "configurations": [{"nodes": [{"negate": "no"}]}]}}`, "a string where true or false is expected"},
		"no record":          {`17`, "a number where an object is expected"},
		"null":               {`null`, "it has no id"},
		"no id":              {`{"cve": {"sourceIdentifier": "s"}}`, "it has no id"},
		"no cpe":             {`{"cve": {"id": "CVE-2099-2", "configurations": [{"nodes": [{"cpeMatch": [{"vulnerable": true, "criteria": "pump"}]}]}]}}`, `"pump" is no CPE name`},
		"short cpe":          {`{"cve": {"id": "CVE-2099-2", "configurations": [{"nodes": [{"cpeMatch": [{"vulnerable": true, "criteria": "cpe:2.3:a:x"}]}]}]}}`, `is no CPE name`},
		"deep":               {`{"cve": {"id": "CVE-2099-2", "x": ` + deep + `}}`, "more than 100 levels deep"},
		"no comma":           {`{"cve": {"id": "CVE-2099-2" "x": 1}}`, "a string where ',' or '}' is expected"},
		"no value":           {`{"cve": {"id": "CVE-2099-2", "x": }}`, "'}' where a value is expected"},
		"no such word":       {`{"cve": {"id": "CVE-2099-2", "x": nul}}`, "'n' where a value is expected"},
		"no such escape":     {`{"cve": {"id": "CVE-2099-2\q"}}`, "is no escape"},
		"no character":       {`{"cve": {"id": "CVE-2099-2\u00zz"}}`, "is no character"},
		"two values":         {`{"cve": {"id": "CVE-2099-2"}} 7`, ""},
	} {
		records, s, err := gather(t, "feed.json", []byte(head+c.record+tail))
		if c.want == "" { // what is wrong lies between the records: nothing can be trusted any more
			if err == nil {
				t.Errorf("%s: read without an error", name)
			}
			continue
		}
		if err != nil || s.Skipped != 1 || len(records) != 2 || records[0].ID != "CVE-2099-1" || records[1].ID != "CVE-2099-3" {
			t.Errorf("%s: %v: %d skipped, records %v", name, err, s.Skipped, records)
		}
		if len(s.Problems) != 1 || !strings.Contains(s.Problems[0], c.want) {
			t.Errorf("%s: %q does not say %q", name, s.Problems, c.want)
		}
	}
}

// TestHarmless holds that what is odd but clear is read.
func TestHarmless(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{
		"twice":         `{"id": "CVE-2099-1", "id": "CVE-2099-2", "sourceIdentifier": "s"}`,
		"huge number":   `{"id": "CVE-2099-2", "sourceIdentifier": "s", "metrics": {"cvssMetricV31": [{"cvssData": {"baseScore": 1e999999, "x": ` + strings.Repeat("9", 5000) + `}}]}}`,
		"nulls":         `{"id": "CVE-2099-2", "sourceIdentifier": null, "metrics": null, "configurations": null, "references": [null], "weaknesses": [{"description": null}]}`,
		"odd escapes":   `{"id": "CVE-2099-\u0032", "sourceIdentifier": "\ud83d\ude00 \ud83d \/\b\f\n\r\t\"\\"}`,
		"no utf-8":      "{\"id\": \"CVE-2099-2\", \"sourceIdentifier\": \"\xff\"}",
		"unknown parts": `{"id": "CVE-2099-2", "sourceIdentifier": "s", "new": [{"a": [1, -2.5e3, true, false, null, "x\"y"]}]}`,
	} {
		records, s, err := gather(t, "one.json", []byte(record))
		if err != nil || len(records) != 1 || records[0].ID != "CVE-2099-2" {
			t.Errorf("%s: %v: %v %q", name, err, records, s.Problems)
		}
	}
}

// TestLines holds what becomes of lines that are malformed.
func TestLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text             string
		records, skipped int
		problem, err     string
	}{
		"a score above 1":   {"cve,epss,percentile\nCVE-1,1.5,0\nCVE-2,0.5,0\n", 1, 1, `epss "1.5" is no number from 0 to 1`, ""},
		"no number":         {"cve,epss,percentile\nCVE-1,NaN,0\n", 0, 1, "is no number", ""},
		"a column short":    {"cve,epss,percentile\nCVE-1,0.5,0.1\nCVE-2,0.", 1, 1, "2 columns where 3 are expected", ""},
		"no id":             {"cve,epss,percentile\nx,0.5,0.1\n", 0, 1, "it names no vulnerability", ""},
		"an endless line":   {"cve,epss,percentile\n" + strings.Repeat("x", 1<<20), 0, 0, "", "a line of more than"},
		"no date":           {"cveID,dateAdded\nCVE-1,soon\nCVE-2,2099-01-01\n", 1, 1, `dateAdded "soon" is no date`, ""},
		"a column too many": {"cveID,dateAdded\nCVE-1,2099-01-01,x\nCVE-2,2099-01-01\n", 1, 1, "3 columns where the first line has 2", ""},
		"a quote inside":    {"cveID,dateAdded\nCVE-1\",2099-01-01\nCVE-2,2099-01-01\n", 1, 1, "bare", ""},
		"an open quote":     {"cveID,dateAdded\nCVE-2,2099-01-01\n\"CVE-1,2099-01-01\n", 1, 0, "", "quote"},
	} {
		records, s, err := gather(t, "f.csv", []byte(c.text))
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		}
		if len(records) != c.records || s.Skipped != c.skipped || c.problem != "" && !strings.Contains(strings.Join(s.Problems, ""), c.problem) {
			t.Errorf("%s: %d records, %d skipped, %q", name, len(records), s.Skipped, s.Problems)
		}
	}
}

// TestLargeRecord holds that a record too large to hold is stepped over.
func TestLargeRecord(t *testing.T) {
	t.Parallel()
	large := `{"cve": {"id": "CVE-2099-2", "x": "` + strings.Repeat(`\"{`, maxRecord/2) + `"}}`
	records, s, err := gather(t, "f.json", []byte(`{"format": "NVD_CVE", "vulnerabilities": [`+large+`,{"cve": {"id": "CVE-2099-3"}}]}`))
	if err != nil || len(records) != 1 || s.Skipped != 1 || !strings.Contains(s.Problems[0], "too large") {
		t.Errorf("%v: %d records, %q", err, len(records), s.Problems)
	}
}

// TestReadAll holds that directories and bundles are read to their ends, whatever else
// lies in them.
func TestReadAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one := func(id string) []byte { return fmt.Appendf(nil, `{"id": %q, "sourceIdentifier": "s"}`, id) }
	put("a.json", one("CVE-2099-1"))
	put("b.json.gz", zipped(one("CVE-2099-2")))
	put("README.md", []byte("about"))
	put("broken.json", []byte(`{"format": "NVD_CVE", "vulnerabilities": [{"cve": {"id": "CVE-2099-3"}},`))
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string][]byte{"x/c.json": one("CVE-2099-4"), "x/d.txt": []byte("text"), "e.csv": load(t, "testdata/epss/bare.csv")} {
		w, _ := z.Create(name)
		w.Write(text)
	}
	z.Close()
	put("bundle.zip", b.Bytes())
	b.Reset()
	tw := tar.NewWriter(&b)
	text := one("CVE-2099-5")
	tw.WriteHeader(&tar.Header{Name: "f.json", Size: int64(len(text)), Mode: 0o600, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR})
	tw.Write(text)
	tw.Close()
	put("bundle.tar.gz", zipped(b.Bytes()))

	var mu sync.Mutex
	var ids []string
	emit := func(r advisory.Record) error {
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, r.ID)
		return nil
	}
	stats, err := ReadAll(t.Context(), []string{dir}, 3, emit)
	if err == nil || !strings.Contains(err.Error(), "broken.json") || !strings.Contains(err.Error(), "byte ") {
		t.Errorf("the broken file: %v", err)
	}
	slices.Sort(ids)
	if want := []string{"CVE-2099-0001", "CVE-2099-1", "CVE-2099-2", "CVE-2099-3", "CVE-2099-4", "CVE-2099-5"}; !slices.Equal(ids, want) {
		t.Errorf("records %q", ids)
	}
	for i, want := range []Stats{{Files: 2}, {Format: "epss", Files: 1, Records: 1}, {Format: "nvd", Files: 5, Records: 5, Broken: 1}} {
		if g := stats[i]; g.Format != want.Format || g.Files != want.Files || g.Records != want.Records || g.Broken != want.Broken || g.Name != dir {
			t.Errorf("%+v, want %+v", g, want)
		}
	}
	if _, err := ReadAll(t.Context(), []string{filepath.Join(dir, "README.md")}, 1, emit); !errors.Is(err, ErrUnknown) {
		t.Errorf("a file that was named and is no feed: %v", err)
	}
	if _, err := ReadAll(t.Context(), []string{filepath.Join(dir, "none")}, 1, emit); err == nil {
		t.Error("a path that is not there is no error")
	}
	enough := errors.New("enough")
	if _, err := ReadAll(t.Context(), []string{dir}, 2, func(advisory.Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the error of emit: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadAll(gone, []string{dir}, 2, emit); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is done: %v", err)
	}
}

// FuzzRead reads whatever comes as the format that the number chooses.
func FuzzRead(f *testing.F) {
	formats := All()
	for i, format := range formats {
		for _, file := range samples(f, format.Name) {
			f.Add(byte(i), load(f, file))
		}
	}
	f.Fuzz(func(t *testing.T, n byte, b []byte) {
		format := formats[int(n)%len(formats)]
		records := 0
		in := &input{stream: newStream(bytes.NewReader(b)), name: "f", names: map[string]string{}}
		in.emit = func(r advisory.Record) error {
			records++
			if r.ID == "" || r.Source != format.Source {
				t.Errorf("%s: record %+v", format.Name, r)
			}
			for _, a := range r.Affected {
				if a.Product.Name == "" || a.Status == "" || a.Product.By != advisory.ByCPE && a.Product.By != advisory.ByPackage && a.Product.By != advisory.ByName {
					t.Errorf("%s: %+v", format.Name, a)
				}
			}
			if len(r.Links) > maxLinks || len(r.Scores) > maxScores || len(r.Files) > maxFiles {
				t.Errorf("%s: more than may be: %+v", format.Name, r)
			}
			return nil
		}
		err := format.read(in)
		if in.stats.Records != records || len(in.stats.Problems) > maxProblems || in.stats.Skipped > 0 && len(in.stats.Problems) == 0 {
			t.Errorf("%s: %d records, %+v", format.Name, records, in.stats)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b\x00") {
			t.Errorf("%s: the error lets through what it should quote: %q", format.Name, err)
		}
		Sniff("f", b)
	})
}
