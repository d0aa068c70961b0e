package snapshot_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/snapshot"
)

func open(t testing.TB) *advisory.Index {
	t.Helper()
	x, err := snapshot.Open()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestHeartbleed holds what the first run must know of OpenSSL without a network.
func TestHeartbleed(t *testing.T) {
	t.Parallel()
	x := open(t)
	candidates, err := x.ByCPE("openssl", "openssl")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(candidates, func(c advisory.Candidate) bool { return c.ID == "CVE-2014-0160" })
	if i < 0 {
		t.Fatal("of openssl, CVE-2014-0160 is missing")
	}
	want := advisory.Range{From: "1.0.1", To: "1.0.1g"}
	if r := candidates[i].Records[0].Affected[0].Versions; !slices.Contains(r, want) {
		t.Errorf("versions %+v, want %+v among them", r, want)
	}
	v, err := x.Details("CVE-2014-0160")
	if err != nil {
		t.Fatal(err)
	}
	if v.Exploited() == nil || v.Forecast() == nil || v.Forecast().Probability < 0.5 || len(v.Scores()) == 0 || !slices.Contains(v.CWE(), 125) {
		t.Errorf("exploited %v, forecast %v, scores %v, CWE %v", v.Exploited(), v.Forecast(), v.Scores(), v.CWE())
	}
}

// TestMedical holds that the vulnerabilities of the devices of GE and Medtronic that made
// medical security a subject are found by what CISA says, whatever NVD holds.
func TestMedical(t *testing.T) {
	t.Parallel()
	x := open(t)
	for document, want := range map[string][]string{
		"ICSMA-18-058-01": {"CVE-2018-5446", "CVE-2018-5448", "CVE-2018-10596"},
		"ICSMA-18-347-01": {"CVE-2018-18984"},
		"ICSMA-19-080-01": {"CVE-2019-6538", "CVE-2019-6540"},
		"ICSMA-18-179-01": {"CVE-2018-8870", "CVE-2018-8868"},
		"ICSMA-18-219-01": {"CVE-2018-10626", "CVE-2018-10622"},
		"ICSMA-20-023-01": {"CVE-2020-6961", "CVE-2020-6962", "CVE-2020-6963", "CVE-2020-6964", "CVE-2020-6965", "CVE-2020-6966"},
	} {
		got, err := x.Resolve(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Errorf("%s speaks of %q, not of %s", document, got, id)
				continue
			}
			v, err := x.Vulnerability(id)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(v.Records, func(r advisory.Record) bool { return r.Source == advisory.CSAF && r.Document == document })
			if i < 0 || len(v.Records[i].Affected) == 0 || len(v.Records[i].CWE) == 0 || len(v.Records[i].Scores) == 0 {
				t.Errorf("%s: CSAF alone does not say what is affected, how, and how badly: %+v", id, v.Records)
				continue
			}
			p := v.Records[i].Affected[0].Product
			found, err := x.ByName(p.Vendor, p.Name)
			if err != nil || !slices.ContainsFunc(found, func(c advisory.Candidate) bool { return c.ID == id }) {
				t.Errorf("%s is not found by %q %q: %v", id, p.Vendor, p.Name, err)
			}
		}
	}
}

// TestFactsOnly holds that no text of a source is carried.
func TestFactsOnly(t *testing.T) {
	t.Parallel()
	n := 0
	for v, err := range open(t).All() {
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, r := range v.Records {
			if r.Text != "" {
				t.Fatalf("%s of %s has a text", v.ID, r.Source)
			}
			for _, a := range r.Advice {
				if a.Text != "" {
					t.Fatalf("%s of %s has advice in words", v.ID, r.Source)
				}
			}
		}
	}
	if n < 10_000 {
		t.Errorf("it holds %d vulnerabilities only", n)
	}
}

// TestInfo holds that the snapshot says how old it is and what it was chosen from.
func TestInfo(t *testing.T) {
	t.Parallel()
	info, err := open(t).Info()
	if err != nil {
		t.Fatal(err)
	}
	if info.Date.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) || len(info.Chosen) < 20 {
		t.Errorf("date %v, chosen from %d years", info.Date, len(info.Chosen))
	}
	var sources []string
	for _, s := range info.Sources {
		sources = append(sources, string(s.Source))
	}
	for _, want := range []advisory.Source{advisory.NVD, advisory.CSAF, advisory.KEV, advisory.EPSS} {
		if !slices.Contains(sources, string(want)) {
			t.Errorf("it holds %q, not %s", sources, want)
		}
	}
}

// TestCurrent holds that doc/snapshot.md speaks of this snapshot.
func TestCurrent(t *testing.T) {
	t.Parallel()
	info, err := open(t).Info()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../doc/snapshot.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != snapshot.Page(info) {
		t.Error("doc/snapshot.md is of another snapshot: make both anew")
	}
}

// TestMake holds what is chosen, and what of it.
func TestMake(t *testing.T) {
	t.Parallel()
	cpe := func(vendor, name string) advisory.Affected {
		return advisory.Affected{Product: advisory.Product{By: advisory.ByCPE, Part: "a", Vendor: vendor, Name: name}, Status: advisory.Vulnerable}
	}
	b := advisory.NewBuilder(advisory.BuildOptions{})
	for _, r := range []advisory.Record{
		{Source: advisory.NVD, ID: "CVE-2024-0001", Affected: []advisory.Affected{cpe("acme", "tlslib"), cpe("other", "thing")}, Text: "words", Links: []string{"https://acme.example"}},
		{Source: advisory.NVD, ID: "CVE-2024-0002", Affected: []advisory.Affected{cpe("other", "thing")}},
		{Source: advisory.NVD, ID: "CVE-2024-0003", Affected: []advisory.Affected{cpe("other", "pump")}, Text: "words"},
		{Source: advisory.CSAF, ID: "CVE-2024-0003", Document: "ICSMA-24-001-01", Affected: []advisory.Affected{{Product: advisory.Product{By: advisory.ByName, Vendor: "Other", Name: "Pump"}}},
			Advice: []advisory.Advice{{Kind: "mitigation", Text: "words"}}},
		{Source: advisory.NVD, ID: "CVE-2024-0004", Affected: []advisory.Affected{cpe("copy", "tlslib")}},
		{Source: advisory.EPSS, ID: "CVE-2024-0001", Forecast: &advisory.Forecast{Probability: 0.5}},
		{Source: advisory.EPSS, ID: "CVE-2024-0002", Forecast: &advisory.Forecast{Probability: 0.5}},
	} {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	index := func(write func(*bytes.Buffer) error) *advisory.Index {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		x, err := advisory.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	whole := index(func(out *bytes.Buffer) error {
		_, err := b.Write(out)
		return err
	})
	x := index(func(out *bytes.Buffer) error {
		_, err := snapshot.Make(whole, []string{"a:acme:tlslib"}, out)
		return err
	})
	var got []string
	for v, err := range x.All() {
		if err != nil {
			t.Fatal(err)
		}
		line := v.ID
		for _, r := range v.Records {
			for _, a := range r.Affected {
				line += " " + a.Product.Vendor
			}
			line += r.Text + strings.Join(r.Links, "")
			for _, a := range r.Advice {
				line += " " + a.Kind + a.Text
			}
			if r.Forecast != nil {
				line += " forecast"
			}
		}
		got = append(got, line)
	}
	want := []string{"CVE-2024-0001 acme forecast", "CVE-2024-0003 other Other mitigation", "CVE-2024-0004 copy"}
	if !slices.Equal(got, want) {
		t.Errorf("chosen %q, want %q", got, want)
	}
	for r, err := range x.Forecasts() {
		if err != nil || r.ID != "CVE-2024-0001" {
			t.Errorf("forecast of %s: %v", r.ID, err)
		}
	}
}

// BenchmarkOpen opens the snapshot and looks one product up, as a scan begins.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		x := open(b)
		if c, err := x.ByCPE("openssl", "openssl"); err != nil || len(c) == 0 {
			b.Fatal(len(c), err)
		}
	}
}
