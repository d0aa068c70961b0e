package advisory

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// tiny is an index in which every section holds something.
func tiny(t testing.TB, small bool) []byte {
	t.Helper()
	b := NewBuilder(BuildOptions{Small: small})
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	b.Read(NVD, "a.json")
	for _, r := range []Record{
		{Source: NVD, Origin: "nvd", ID: "CVE-2024-0001", Published: at, Modified: at, CWE: []int{79}, Text: "made up", Links: []string{"https://acme.example"},
			Scores: []Score{{Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", By: "nvd"}},
			Affected: []Affected{{Product: Product{By: ByCPE, Part: "a", Vendor: "acme", Name: "tlslib"}, Status: Vulnerable, Versions: []Range{{From: "1", To: "2"}},
				With: []AnyOf{{{Product: Product{By: ByCPE, Part: "h", Vendor: "acme", Name: "pump"}}}}}}},
		{Source: CSAF, Origin: "acme", ID: "CVE-2024-0002", Document: "ICSMA-24-001-01", Aliases: []string{"ACME-1"},
			Affected: []Affected{{Product: Product{By: ByName, Vendor: "Acme", Name: "Pump"}, Status: Fixed}},
			Advice:   []Advice{{Kind: "vendor_fix", Products: []string{"Pump"}}}, Exploited: &Exploited{Added: at}, Files: []string{"a.c"}},
		{Source: OSV, ID: "GHSA-1", Affected: []Affected{{Product: Product{By: ByPackage, Ecosystem: "npm", Name: "leftpad"}, Status: Vulnerable}}},
		{Source: EPSS, ID: "CVE-2024-0001", Forecast: &Forecast{Probability: 0.5, Percentile: 0.9, At: at}},
		{Source: EPSS, ID: "CVE-2023-0001", Forecast: &Forecast{Probability: 0.1, Percentile: 0.2, At: at}},
	} {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := b.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// ask opens an index and asks it everything.
func ask(b []byte) error {
	x, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	var errs []error
	check := func(err error) {
		if err != nil && !errors.Is(err, ErrUnknown) {
			errs = append(errs, err)
		}
	}
	_, err = x.Info()
	check(err)
	for v, err := range x.All() {
		check(err)
		if err == nil {
			_, err = x.Details(v.ID)
			check(err)
			v.Scores()
			v.Withdrawn()
		}
	}
	for _, err := range x.Forecasts() {
		check(err)
	}
	for p, err := range x.Products() {
		check(err)
		_, err = x.by(p)
		check(err)
		for _, err := range x.Each(p) {
			check(err)
		}
	}
	for _, id := range []string{"CVE-2024-0001", "CVE-2023-0001", "ACME-1", "ICSMA-24-001-01", "GHSA-1", "none"} {
		_, err := x.Vulnerability(id)
		check(err)
		_, err = x.Resolve(id)
		check(err)
	}
	_, err = x.ByCPEProduct("tlslib")
	check(err)
	if len(errs) > 0 {
		return errs[0]
	}
	return nil
}

// TestCorrupt holds that no changed byte goes unnoticed, and that the error is one line.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	for _, small := range []bool{false, true} {
		whole := tiny(t, small)
		if err := ask(whole); err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			for _, flip := range []byte{1, 0x80, 0xff} {
				b := bytes.Clone(whole)
				b[i] ^= flip
				err := ask(b)
				if err == nil {
					t.Fatalf("byte %d of %d changed by %#x: nobody noticed", i, len(whole), flip)
				}
				if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "advisory index") {
					t.Fatalf("byte %d: the error is %q", i, err)
				}
			}
		}
	}
}

// TestTruncated holds that an index that is cut anywhere, or continued, does not open.
func TestTruncated(t *testing.T) {
	t.Parallel()
	whole := tiny(t, false)
	for n := range whole {
		if _, err := Open(bytes.NewReader(whole[:n]), int64(n)); err == nil {
			t.Fatalf("cut to %d of %d bytes it opens", n, len(whole))
		}
		if _, err := Open(bytes.NewReader(whole[:n]), int64(len(whole))); err == nil && ask(whole[:n]) == nil {
			t.Fatalf("of a file that shrank to %d of %d bytes everything was read", n, len(whole))
		}
	}
	long := append(bytes.Clone(whole), "more"...)
	if _, err := Open(bytes.NewReader(long), int64(len(long))); err == nil {
		t.Error("with something behind it, it opens")
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	other := tiny(t, false)
	other[len(magic)] = 9
	for want, b := range map[string][]byte{
		"too short":               nil,
		"this is no advisory":     bytes.Repeat([]byte(`{"vulnerabilities":[]}`), 10),
		"schema 9, this program":  other,
		"cut off, or something f": append(tiny(t, false), 0),
	} {
		if _, err := Open(bytes.NewReader(b), int64(len(b))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// FuzzOpen opens changed bytes of an index.
func FuzzOpen(f *testing.F) {
	f.Add(tiny(f, false))
	f.Add(tiny(f, true))
	f.Fuzz(func(_ *testing.T, b []byte) { _ = ask(b) })
}

// FuzzBlock puts arbitrary bytes into an index as the first block of a section, with the
// checksums that they need: what an attacker would do, who does not stop at checksums.
func FuzzBlock(f *testing.F) {
	whole := tiny(f, false)
	names := []string{inFacts, inAffected, inProse, inProducts, inNames, inAliases, inForecasts, inInfo}
	x, err := Open(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		f.Fatal(err)
	}
	columns := []*column{x.facts, x.affected, x.prose, x.products, x.names, x.aliases, x.forecasts, x.info}
	payloads := map[string][][]byte{}
	entries := map[string][]entry{}
	for i, c := range columns {
		dir, err := c.directory()
		if err != nil {
			f.Fatal(err)
		}
		entries[names[i]] = dir
		for j, e := range dir {
			p, err := c.payload(e)
			if err != nil {
				f.Fatal(err)
			}
			payloads[names[i]] = append(payloads[names[i]], []byte(p))
			f.Add(byte(i), byte(j), []byte(p))
		}
	}
	f.Fuzz(func(t *testing.T, which, block byte, with []byte) {
		if len(with) > 1<<16 {
			return
		}
		o := &output{}
		for i, to := range []**section{&o.facts, &o.affected, &o.prose, &o.products, &o.names, &o.aliases, &o.forecasts, &o.info} {
			s := &section{name: names[i]}
			for j, p := range payloads[names[i]] {
				if i == int(which)%len(names) && j == int(block) {
					p = with
				}
				if err := s.add(p, entries[names[i]][j].first, entries[names[i]][j].key); err != nil {
					t.Fatal(err)
				}
			}
			*to = s
		}
		var out bytes.Buffer
		if err := o.writeFile(&out); err != nil {
			t.Fatal(err)
		}
		if err := ask(out.Bytes()); err != nil && strings.Contains(err.Error(), "checksum") {
			t.Fatal(fmt.Errorf("the test made a wrong checksum: %w", err))
		}
	})
}
