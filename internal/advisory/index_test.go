package advisory_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
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

func day(n int) time.Time { return time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC) }

func cpe(part, vendor, name string) advisory.Product {
	return advisory.Product{By: advisory.ByCPE, Part: part, Vendor: vendor, Name: name}
}

// samples are records with all that a record can hold.
func samples() []advisory.Record {
	pump := advisory.Product{By: advisory.ByName, Vendor: "Acme Medical", Name: "Pump 3000"}
	deb := advisory.Product{By: advisory.ByPackage, Ecosystem: "Debian:12", Name: "tlslib"}
	strange := cpe("a", "acme", "tlslib")
	strange.Update, strange.Edition, strange.Language, strange.SoftwareEdition = "rc1", "e", "de", "lts"
	strange.TargetSoftware, strange.TargetHardware, strange.Other = "linux", "arm", "o"
	return []advisory.Record{
		{Source: advisory.NVD, Origin: "cna@acme.example", ID: "CVE-2024-0001", Published: day(1), Modified: day(2), CWE: []int{125, 119},
			Scores: []advisory.Score{{Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", By: "nvd"}, {Vector: "AV:N/AC:L/Au:N/C:P/I:N/A:N", By: "nvd"},
				{Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/E:P", By: "cna"}, {Vector: "no vector", By: ""}},
			Affected: []advisory.Affected{
				{Product: cpe("a", "acme", "tlslib"), Status: advisory.Vulnerable, Versions: []advisory.Range{{From: "1.0.1", To: "1.0.1g"}, {To: "0.9", Last: true}}},
				{Product: cpe("o", "acme", "pump_firmware"), Status: advisory.Vulnerable, Versions: []advisory.Range{{From: "1.0", To: "1.0", Last: true}},
					With: []advisory.AnyOf{{{Product: cpe("h", "acme", "pump"), Versions: []advisory.Range{{From: "2", After: true}}}, {Product: cpe("h", "acme", "pump_b")}}}},
				{Product: strange, Status: advisory.NotThere}},
			Files: []string{"ssl/d1_both.c"}, Links: []string{"https://acme.example/1"}, Text: "made up"},
		{Source: advisory.KEV, ID: "CVE-2024-0001", Modified: day(9), Exploited: &advisory.Exploited{Added: day(9), Due: day(30), Ransomware: true}},
		{Source: advisory.EPSS, ID: "CVE-2024-0001", Modified: day(8), Forecast: &advisory.Forecast{Probability: 0.94363, Percentile: 0.99946, At: day(8)}},
		{Source: advisory.EPSS, ID: "CVE-2023-77777", Modified: day(8), Forecast: &advisory.Forecast{Probability: 0.00042, Percentile: 0.1, At: day(8)}},
		{Source: advisory.CSAF, Origin: "Acme", ID: "CVE-2024-0001", Document: "ICSMA-24-001-01", Published: day(3), Modified: day(3),
			Affected: []advisory.Affected{{Product: pump, Status: advisory.Vulnerable, Versions: []advisory.Range{{Raw: "Rev B-M"}}}},
			Advice:   []advisory.Advice{{Kind: "vendor_fix", Products: []string{"Pump 3000"}, Link: "https://acme.example/fix", Text: "update"}}},
		{Source: advisory.CSAF, Origin: "Acme", ID: "CVE-2024-12345", Document: "ICSMA-24-001-01", Published: day(3), Modified: day(3),
			Affected: []advisory.Affected{{Product: pump, Status: advisory.Vulnerable}}},
		{Source: advisory.OSV, Origin: "Debian", ID: "CVE-2024-0001", Document: "DSA-1-1", Aliases: []string{"GHSA-aaaa-bbbb-cccc", "CVE-2024-0001"}, Modified: day(4),
			Affected: []advisory.Affected{{Product: deb, Status: advisory.Fixed, Versions: []advisory.Range{{From: "1.0-1+deb12u1", Scheme: "deb"}, {From: "2", Scheme: "deb"}, {From: "3", Scheme: "rpm"}}}}},
		{Source: advisory.OSV, Origin: "npm", ID: "GHSA-dddd-eeee-ffff", Modified: day(5), Affected: []advisory.Affected{{Product: advisory.Product{By: advisory.ByPackage, Ecosystem: "npm", Name: "leftpad"}, Status: advisory.Vulnerable}}},
		{Source: advisory.NVD, ID: "CVE-2024-0002", Modified: day(1), Withdrawn: true, Affected: []advisory.Affected{{Product: cpe("a", "other", "tlslib"), Status: advisory.Vulnerable}}},
		{Source: advisory.NVD, ID: "CVE-1999-0001", Published: day(1)},
	}
}

func build(t testing.TB, opts advisory.BuildOptions, records []advisory.Record) []byte {
	t.Helper()
	b := advisory.NewBuilder(opts)
	for _, r := range records {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return write(t, b)
}

func write(t testing.TB, b *advisory.Builder) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t testing.TB, b []byte) *advisory.Index {
	t.Helper()
	x, err := advisory.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestRoundTrip holds that a record comes out as it went in.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, small := range []bool{false, true} {
		x := open(t, build(t, advisory.BuildOptions{Small: small}, samples()))
		for _, want := range samples() {
			v, err := x.Vulnerability(want.ID)
			if err != nil {
				t.Fatal(want.ID, err)
			}
			i := slices.IndexFunc(v.Records, func(r advisory.Record) bool {
				return r.Source == want.Source && r.Origin == want.Origin && r.Document == want.Document
			})
			if i < 0 {
				t.Fatalf("%s of %s is lost", want.ID, want.Source)
			}
			if d := cmp.Diff(want, v.Records[i]); d != "" {
				t.Errorf("%s of %s (-want +got):\n%s", want.ID, want.Source, d)
			}
			details, err := x.Details(want.ID)
			if err != nil {
				t.Fatal(err)
			}
			want.Affected, want.Links, want.Text = nil, nil, ""
			if d := cmp.Diff(want, details.Records[i]); d != "" {
				t.Errorf("details of %s of %s (-want +got):\n%s", want.ID, want.Source, d)
			}
		}
	}
}

// TestEveryField holds that nothing that a record has or will have is lost.
func TestEveryField(t *testing.T) {
	t.Parallel()
	r := advisory.Record{}
	n := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		n++
		switch v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(day(n)))
			return
		case float64:
			v.SetFloat(float64(n) / 1e5)
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0))
			fill(v.Index(1))
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		case reflect.String:
			v.SetString(fmt.Sprint("s", n))
		case reflect.Int:
			v.SetInt(int64(n))
		case reflect.Bool:
			v.SetBool(true)
		default:
			t.Fatalf("a %s cannot be filled", v.Kind())
		}
	}
	fill(reflect.ValueOf(&r).Elem())
	r.ID, r.Source = "CVE-2024-0001", advisory.OSV
	for i := range r.Affected {
		a := &r.Affected[i]
		a.Product.By, a.Product.Part = advisory.ByCPE, "a"
		for _, w := range a.With {
			for j := range w {
				w[j].Product.Part = "o"
			}
		}
	}
	x := open(t, build(t, advisory.BuildOptions{}, []advisory.Record{r}))
	v, err := x.Vulnerability(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, v.Records[0]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	c, err := x.ByCPE(r.Affected[1].Product.Vendor, r.Affected[1].Product.Name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r.Affected[1:], c[0].Records[0].Affected); d != "" {
		t.Errorf("by product (-want +got):\n%s", d)
	}
}

// TestEach holds that what is read one at a time is what is read at once.
func TestEach(t *testing.T) {
	t.Parallel()
	x := open(t, build(t, advisory.BuildOptions{}, append(many(3000), samples()...)))
	for p, err := range x.Products() {
		if err != nil {
			t.Fatal(err)
		}
		if p.By != advisory.ByCPE {
			continue
		}
		want, err := x.ByCPE(p.Vendor, p.Name)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for c, err := range x.Each(p) {
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&want[n], c); d != "" {
				t.Fatalf("%+v (-at once +one at a time):\n%s", p, d)
			}
			n++
		}
		if n != len(want) || n == 0 {
			t.Errorf("%+v: %d one at a time, %d at once", p, n, len(want))
		}
	}
}

func ids(t *testing.T, c []advisory.Candidate, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range c {
		out = append(out, c.ID)
	}
	return strings.Join(out, " ")
}

func TestLookups(t *testing.T) {
	t.Parallel()
	x := open(t, build(t, advisory.BuildOptions{}, samples()))
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	c, err := x.ByCPE("Acme", "TLSlib")
	is(ids(t, c, err), "CVE-2024-0001")
	if d := cmp.Diff([]advisory.Record{{Source: advisory.NVD, Origin: "cna@acme.example", ID: "CVE-2024-0001",
		Affected: []advisory.Affected{samples()[0].Affected[0], samples()[0].Affected[2]}}}, c[0].Records); d != "" {
		t.Errorf("of the product only (-want +got):\n%s", d)
	}
	c, err = x.ByCPE("other", "tlslib")
	is(ids(t, c, err), "CVE-2024-0002")
	if !c[0].Withdrawn || !c[0].Records[0].Withdrawn {
		t.Error("a candidate does not say that it is withdrawn")
	}
	c, err = x.ByCPE("acme", "tls")
	is(ids(t, c, err), "")
	c, err = x.ByPackage("Debian:12", "tlslib")
	is(ids(t, c, err), "CVE-2024-0001")
	c, err = x.ByName("Acme Medical", "Pump 3000")
	is(ids(t, c, err), "CVE-2024-0001 CVE-2024-12345")
	vendors, err := x.ByCPEProduct("tlslib")
	if err != nil {
		t.Fatal(err)
	}
	is(strings.Join(vendors, " "), "acme other")
	var names []string
	for p, err := range x.Names() {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, p.Vendor+"/"+p.Name)
	}
	is(strings.Join(names, " "), "Acme Medical/Pump 3000")
	var all []string
	for v, err := range x.All() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v.ID)
	}
	is(strings.Join(all, " "), "CVE-1999-0001 CVE-2024-0001 CVE-2024-0002 CVE-2024-12345 GHSA-dddd-eeee-ffff")
}

func TestNames(t *testing.T) {
	t.Parallel()
	x := open(t, build(t, advisory.BuildOptions{}, samples()))
	for name, want := range map[string]string{
		"cve-2024-0001": "CVE-2024-0001", "ghsa-AAAA-bbbb-cccc": "CVE-2024-0001", "dsa-1-1": "CVE-2024-0001",
		"ICSMA-24-001-01": "CVE-2024-0001", "GHSA-DDDD-eeee-ffff": "GHSA-dddd-eeee-ffff", "CVE-2023-77777": "CVE-2023-77777",
	} {
		v, err := x.Vulnerability(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if v.ID != want {
			t.Errorf("%s is %s, want %s", name, v.ID, want)
		}
	}
	for _, name := range []string{"", "CVE-2024-0003", "CVE-2024-001", "zzz", "CVE-0-0"} {
		if _, err := x.Vulnerability(name); !errors.Is(err, advisory.ErrUnknown) {
			t.Errorf("%q: %v, want ErrUnknown", name, err)
		}
	}
	got, err := x.Resolve("icsma-24-001-01")
	if want := []string{"CVE-2024-0001", "CVE-2024-12345"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("the document speaks of %q (%v), want %q", got, err, want)
	}
}

func TestMerged(t *testing.T) {
	t.Parallel()
	x := open(t, build(t, advisory.BuildOptions{}, samples()))
	v, err := x.Vulnerability("CVE-2024-0001")
	if err != nil {
		t.Fatal(err)
	}
	s := samples()
	type said struct {
		Aliases, Documents []string
		Sources            []advisory.Source
		CWE                []int
		Exploited          *advisory.Exploited
		Forecast           *advisory.Forecast
		Published          time.Time
		Withdrawn          bool
		Text               string
		Best               string
	}
	want := said{[]string{"GHSA-aaaa-bbbb-cccc"}, []string{"ICSMA-24-001-01", "DSA-1-1"}, []advisory.Source{"nvd", "csaf", "osv", "kev", "epss"}, []int{125, 119},
		s[1].Exploited, s[2].Forecast, day(1), false, "made up", s[0].Scores[0].Vector}
	got := said{v.Aliases, v.Documents(), v.Sources(), v.CWE(), v.Exploited(), v.Forecast(), v.Published(), v.Withdrawn(), v.Text(), v.Scores()[0].Vector}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWithdrawn(t *testing.T) {
	t.Parallel()
	r := func(s advisory.Source, withdrawn bool) advisory.Record {
		return advisory.Record{Source: s, ID: "CVE-2024-0001", Withdrawn: withdrawn}
	}
	for want, all := range map[bool][][]advisory.Record{
		true: {{r(advisory.NVD, true)}, {r(advisory.NVD, false), r(advisory.CVE, true)}, {r(advisory.OSV, true)}, {r(advisory.NVD, true), r(advisory.OSV, false)}},
		false: {{r(advisory.NVD, false)}, {r(advisory.NVD, true), r(advisory.CVE, false)}, {r(advisory.OSV, true), r(advisory.CSAF, false)},
			{r(advisory.KEV, false)}},
	} {
		for _, records := range all {
			v, err := open(t, build(t, advisory.BuildOptions{}, records)).Vulnerability("CVE-2024-0001")
			if err != nil {
				t.Fatal(err)
			}
			if v.Withdrawn() != want {
				t.Errorf("%+v: withdrawn is %v", records, !want)
			}
		}
	}
}

// many makes records as feeds have them: newer and older ones of the same vulnerability,
// and of one date.
func many(n int) []advisory.Record {
	random := rand.New(rand.NewPCG(1, 2))
	var out []advisory.Record
	for i := range n {
		id := fmt.Sprintf("CVE-20%02d-%04d", random.IntN(24), random.IntN(3000))
		if i%11 == 0 {
			id = fmt.Sprintf("GHSA-%04d", random.IntN(200))
		}
		r := advisory.Record{Source: []advisory.Source{advisory.NVD, advisory.OSV, advisory.CSAF}[random.IntN(3)], Origin: fmt.Sprint("o", random.IntN(2)), ID: id,
			Modified: day(1 + random.IntN(3)), Text: strings.Repeat("x", random.IntN(4)), Aliases: []string{fmt.Sprint("A-", random.IntN(500))},
			Scores: []advisory.Score{{Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", By: fmt.Sprint(random.IntN(3))}}}
		for range random.IntN(4) {
			r.Affected = append(r.Affected, advisory.Affected{Product: cpe("a", fmt.Sprint("v", random.IntN(30)), fmt.Sprint("p", random.IntN(50))), Status: advisory.Vulnerable,
				Versions: []advisory.Range{{From: fmt.Sprint(random.IntN(9)), To: fmt.Sprint(9 + random.IntN(9))}}})
		}
		out = append(out, r)
		if i%3 == 0 {
			out = append(out, advisory.Record{Source: advisory.EPSS, ID: fmt.Sprintf("CVE-20%02d-%04d", random.IntN(24), random.IntN(3000)),
				Forecast: &advisory.Forecast{Probability: float64(random.IntN(1e5)) / 1e5, Percentile: float64(random.IntN(1e5)) / 1e5, At: day(1 + random.IntN(2))}})
		}
	}
	return out
}

// TestOrder holds that the order in which records are added does not show.
func TestOrder(t *testing.T) {
	t.Parallel()
	all := many(5000)
	want := build(t, advisory.BuildOptions{}, all)
	for seed := range uint64(3) {
		rand.New(rand.NewPCG(seed, 7)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if !bytes.Equal(build(t, advisory.BuildOptions{}, all), want) {
			t.Fatal("another order made other bytes")
		}
	}
	b := advisory.NewBuilder(advisory.BuildOptions{})
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for j := i; j < len(all); j += 4 {
				if err := b.Add(all[j]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if !bytes.Equal(write(t, b), want) {
		t.Error("several goroutines made other bytes")
	}
}

// TestDelta holds that an old index and what is new make what all would have made.
func TestDelta(t *testing.T) {
	t.Parallel()
	all := many(4000)
	half := len(all) / 2
	older := advisory.NewBuilder(advisory.BuildOptions{Small: true})
	whole := advisory.NewBuilder(advisory.BuildOptions{})
	for i, r := range all {
		if err := whole.Add(r); err != nil {
			t.Fatal(err)
		}
		if i < half {
			if err := older.Add(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	whole.Read(advisory.NVD, "a.json")
	whole.Read(advisory.NVD, "b.json")
	older.Read(advisory.NVD, "b.json")
	b := advisory.NewBuilder(advisory.BuildOptions{})
	if err := b.AddIndex(open(t, write(t, older))); err != nil {
		t.Fatal(err)
	}
	b.Read(advisory.NVD, "a.json")
	for _, r := range all[half:] {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(write(t, b), write(t, whole)) {
		t.Error("the delta made other bytes than the whole")
	}
}

func TestNewerWins(t *testing.T) {
	t.Parallel()
	old := advisory.Record{Source: advisory.NVD, Origin: "a", ID: "CVE-2024-0001", Modified: day(1), Text: "the older says more but is older"}
	fresh := advisory.Record{Source: advisory.NVD, Origin: "b", ID: "cve-2024-0001", Modified: day(2), Text: "newer"}
	same := advisory.Record{Source: advisory.NVD, Origin: "b", ID: "CVE-2024-0001", Modified: day(2), Text: "newer, and says more"}
	for want, all := range map[string][]advisory.Record{fresh.Text: {old, fresh}, same.Text: {fresh, same, old}} {
		v, err := open(t, build(t, advisory.BuildOptions{}, all)).Vulnerability("CVE-2024-0001")
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Records) != 1 || v.Text() != want {
			t.Errorf("%+v stayed, want %q", v.Records, want)
		}
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	b := advisory.NewBuilder(advisory.BuildOptions{})
	for _, r := range samples() {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	b.Read(advisory.NVD, "nvd-2024.json.gz")
	got, err := open(t, write(t, b)).Info()
	if err != nil {
		t.Fatal(err)
	}
	want := advisory.Info{Schema: got.Schema, Date: day(9), Vulnerabilities: 5, Products: 6, Sources: []advisory.SourceInfo{
		{Source: advisory.NVD, Records: 3, Newest: day(2), Oldest: day(1), Files: []string{"nvd-2024.json.gz"}},
		{Source: advisory.CSAF, Records: 2, Newest: day(3), Oldest: day(3)},
		{Source: advisory.OSV, Records: 2, Newest: day(5), Oldest: day(4)},
		{Source: advisory.KEV, Records: 1, Newest: day(9), Oldest: day(9)},
		{Source: advisory.EPSS, Records: 2, Newest: day(8), Oldest: day(8)},
	}, Years: []advisory.YearInfo{
		{Year: 1999, Vulnerabilities: 1}, {Year: 2023, Forecasts: 1, Missing: 1}, {Year: 2024, Vulnerabilities: 3, Withdrawn: 1, Placed: 2, Forecasts: 1}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	b := advisory.NewBuilder(advisory.BuildOptions{})
	for want, r := range map[string]advisory.Record{
		"no id":     {Source: advisory.NVD},
		"no source": {ID: "CVE-2024-0001"},
		"zero byte": {Source: advisory.NVD, ID: "CVE-2024-0001", Affected: []advisory.Affected{{Product: cpe("a", "x\x00", "y")}}},
		"named by":  {Source: advisory.NVD, ID: "CVE-2024-0001", Affected: []advisory.Affected{{}}},
		"forecast":  {Source: advisory.EPSS, ID: "CVE-2024-0001"},
	} {
		if err := b.Add(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
	write(t, b)
	if err := b.Add(samples()[0]); err == nil {
		t.Error("a record was added after the end")
	}
}

// TestWriteFile holds that an index that cannot be made leaves the old one, and nothing else.
func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "index")
	b := advisory.NewBuilder(advisory.BuildOptions{})
	if err := b.Add(samples()[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := b.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if _, err := b.WriteFile(path); err == nil {
		t.Fatal("a builder that has ended wrote again")
	}
	x, err := advisory.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if _, err := x.Vulnerability("CVE-2024-0001"); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, want one: %v", len(left), err)
	}
}

func TestConcurrentLookups(t *testing.T) {
	t.Parallel()
	all := many(3000)
	x := open(t, build(t, advisory.BuildOptions{Small: true}, all))
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for j := i; j < len(all); j += 4 {
				v, err := x.Vulnerability(all[j].ID)
				if err != nil || !strings.EqualFold(v.ID, all[j].ID) {
					t.Errorf("%s: %v", all[j].ID, err)
					return
				}
				for _, a := range all[j].Affected {
					found := false
					for c, err := range x.Each(a.Product) {
						if err != nil {
							t.Error(err)
							return
						}
						found = found || len(c.Records) > 0 && len(c.Records[0].Affected) > 0 && c.Records[0].Affected[0].Product.Name == a.Product.Name
					}
					if c, err := x.ByCPE(a.Product.Vendor, a.Product.Name); err != nil || found != (len(c) > 0) {
						t.Errorf("%+v: found is %v, and there are %d: %v", a.Product, found, len(c), err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
}
