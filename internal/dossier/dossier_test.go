package dossier_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

func read(t testing.TB, s string) *dossier.Dossier {
	t.Helper()
	d, err := dossier.Read(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t testing.TB, d *dossier.Dossier) string {
	t.Helper()
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRoundTrip holds that what was read is written again byte for byte.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	want := string(sample(t))
	if diff := cmp.Diff(want, write(t, read(t, want))); diff != "" {
		t.Errorf("-read +written:\n%s", diff)
	}
}

// TestOrder holds that the order in which things were found does not show.
func TestOrder(t *testing.T) {
	t.Parallel()
	d := read(t, string(sample(t)))
	slices.Reverse(d.Findings)
	slices.Reverse(d.Facts.Account)
	slices.Reverse(d.Facts.Component)
	slices.Reverse(d.Inputs)
	slices.Reverse(d.Coverage)
	slices.Reverse(d.Matches)
	slices.Reverse(d.Claims)
	d.At = d.At.In(time.FixedZone("", 3600)).Add(3 * time.Millisecond)
	if diff := cmp.Diff(string(sample(t)), write(t, d)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestReadRefuses holds what Read does not take, and what it says then.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{``, "not a dossier"},
		{`[]`, "not a dossier"},
		{`{"schema":1,"at":"2026-01-01T00:00:00Z"} {}`, "not a dossier"},
		{`{"bomFormat":"CycloneDX"}`, `make one with "vesalius scan`},
		{`{"schema":2}`, "use a newer vesalius"},
		{`{"schema":0}`, "scan the image again"},
		{`{"schema":1,"at":"2026-01-01T00:00:00Z","facts":{"account":[null]}}`, "account 0 is null"},
		{`{"schema":1,"findings":[null]}`, "0 is null"},
		{`{"schema":1,"findings":[{"id":"\u001b","outcome":"fine","severity":"low"}]}`, `"\x1b": outcome "fine"`},
		{`{"schema":1,"findings":[{"id":"a","outcome":"bad","severity":"worst"}]}`, `severity "worst"`},
		{`{"schema":1,"rules":{"a":null}}`, `"a" is null`},
		{`{"schema":1,"at":"yesterday"}`, "yesterday"},
		{`{"schema":1,"facts":{"account":[{"uid":"0"}]}}`, "uid"},
	} {
		_, err := dossier.Read(strings.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "dossier: ") {
			t.Errorf("%s: got %v, want it to say %s", c.in, err, c.want)
		}
	}
}

// TestReadTolerates holds that a dossier of a later program of the same schema is read.
func TestReadTolerates(t *testing.T) {
	t.Parallel()
	d := read(t, `{"schema":1,"at":"2026-01-01T00:00:00Z","future":{"a":[1]},"facts":{"telepathy":[{}],"account":[{"name":"root","aura":"red"}]}}`)
	if len(d.Facts.Account) != 1 || d.Facts.Account[0].Name != "root" {
		t.Errorf("got %+v", d.Facts.Account)
	}
}

// endless gives a dossier that does not end.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.n += len(p)
	return len(p), nil
}

// TestReadBounded holds that Read stops at its limit.
func TestReadBounded(t *testing.T) {
	t.Parallel()
	e := new(endless)
	_, err := dossier.ReadAtMost(e, 1<<20)
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
	if e.n > 4<<20 {
		t.Errorf("read %d bytes", e.n)
	}
}

// TestPlain holds that JSON output holds no character that a terminal obeys, and that it
// still says the same.
func TestPlain(t *testing.T) {
	t.Parallel()
	in := "a\x1b[31m\u009b2J\u202e\u2066\x7f\u00ad\ufeffé漢\U0001f600\U000e0041<&>"
	var b bytes.Buffer
	if err := dossier.Encode(&b, in); err != nil {
		t.Fatal(err)
	}
	want := `"a\u001b[31m\u009b2J\u202e\u2066\u007f\u00ad\ufeffé漢` + "\U0001f600" + `\udb40\udc41<&>"` + "\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var out string
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || out != in {
		t.Errorf("read back %q, %v", out, err)
	}
}

// TestDigest holds that the digest tells content, and nothing of the run.
func TestDigest(t *testing.T) {
	t.Parallel()
	digest := func(change func(d *dossier.Dossier)) string {
		d := read(t, string(sample(t)))
		change(d)
		s, err := d.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	same := digest(func(*dossier.Dossier) {})
	if got := digest(func(d *dossier.Dossier) { d.Run = dossier.Run{Unknown: 7} }); got != same {
		t.Error("the digest depends on the run")
	}
	if got := digest(func(d *dossier.Dossier) { d.Findings[0].Evidence += "." }); got == same {
		t.Error("the digest does not depend on the evidence")
	}
}

// TestCount holds the numbers of a small dossier.
func TestCount(t *testing.T) {
	t.Parallel()
	d := &dossier.Dossier{Findings: []*judge.Finding{
		{Outcome: judge.Bad, Severity: "low", Vector: "api", Count: 200},
		{Outcome: judge.Bad, Severity: "high", Vector: "api"},
		{Outcome: judge.Good, Severity: "critical", Vector: "api"},
		{Outcome: judge.Unknown, Severity: "critical", Vector: "firmware"},
	}}
	want := dossier.Counts{
		All:      dossier.Tally{Bad: 2, Unknown: 1, Good: 1, Worst: "high"},
		Severity: map[string]int{"low": 1, "high": 1},
		Vector:   map[string]*dossier.Tally{"api": {Bad: 2, Good: 1, Worst: "high"}, "firmware": {Unknown: 1}},
	}
	if diff := cmp.Diff(want, d.Count()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestDeviceOf holds who is believed.
func TestDeviceOf(t *testing.T) {
	t.Parallel()
	var s fact.Set
	s.Add(&fact.Device{Base: fact.Base{Source: fact.Source{Witness: fact.Firmware}}, OS: "linux", Version: "from the image", Functions: []string{"x"}},
		&fact.Device{Base: fact.Base{Source: fact.Source{Witness: fact.Design}}, Vendor: "Acme", Version: "4"})
	want := dossier.Device{Vendor: "Acme", Version: "4", OS: "linux", Functions: []string{"x"}}
	if diff := cmp.Diff(want, dossier.DeviceOf(&s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRedact holds that no secret is left, in a field or in a sentence, and that hosts
// go when asked and only then.
func TestRedact(t *testing.T) {
	t.Parallel()
	d := &dossier.Dossier{Findings: []*judge.Finding{{ID: "1", Outcome: judge.Bad, Severity: "high", Evidence: "root has the password a****n, sent to 10.0.0.7 and db",
		Keys: []string{"ftp|10.0.0.7|21"}, Places: []fact.Place{{Endpoint: "tcp/10.0.0.9:23"}}}}}
	d.Facts.Add(
		&fact.Account{Name: "root", Masked: "a****n"},
		&fact.Secret{What: "password", Masked: "x"}, // too short to be looked for elsewhere
		&fact.Setting{Subject: "x", Name: "password", Raw: "a****n", Value: fact.Say("a****n")},
		&fact.Destination{Host: "10.0.0.7"}, &fact.Destination{Host: "db"},
		&fact.Service{Name: "httpd", Bind: "0.0.0.0", Program: "/usr/db/httpd"})
	before := write(t, d)
	out, err := dossier.Redact(d, dossier.Redaction{})
	if err != nil {
		t.Fatal(err)
	}
	if got := write(t, out); strings.Contains(got, "a****n") || strings.Contains(got, `"masked"`) {
		t.Errorf("a secret is left:\n%s", got)
	}
	if got := out.Findings[0].Evidence; got != "root has the password (redacted), sent to 10.0.0.7 and db" {
		t.Errorf("evidence: %q", got)
	}
	if write(t, d) != before {
		t.Error("the dossier itself was changed")
	}
	out, err = dossier.Redact(d, dossier.Redaction{Hosts: true})
	if err != nil {
		t.Fatal(err)
	}
	got := write(t, out)
	if strings.Contains(got, "10.0.0") {
		t.Errorf("a host is left:\n%s", got)
	}
	f := out.Findings[0]
	if f.Keys[0] != "ftp|host-1|21" || f.Places[0].Endpoint != "tcp/host-2:23" || out.Facts.Destination[1].Host != "host-3" {
		t.Errorf("got key %q, place %q, destination %q", f.Keys[0], f.Places[0].Endpoint, out.Facts.Destination[1].Host)
	}
	if s := out.Facts.Service[0]; s.Bind != "0.0.0.0" || s.Program != "/usr/db/httpd" {
		t.Errorf("what is no host was changed: %+v", s)
	}
}

// TestMerge holds that the witnesses of one device become one dossier.
func TestMerge(t *testing.T) {
	t.Parallel()
	one := func(w fact.Witness, input string, o judge.Outcome) *dossier.Dossier {
		src := fact.Source{Witness: w, Input: input}
		d := &dossier.Dossier{
			Device: dossier.Device{Vendor: "Acme"}, At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Run: dossier.Run{Unknown: 1},
			Layers:   []dossier.Layer{{Place: input + "!squashfs@0x20000", Format: "squashfs", Part: "rootfs", Size: 4096, Files: 12}},
			Inputs:   []dossier.Input{{Name: input, Witness: w}},
			Rules:    map[string]*judge.Rule{"r": {ID: "r", Version: 1}},
			Gaps:     []fact.Gap{{ID: "G1", Place: fact.Place{Input: input}, Why: "opaque"}},
			Coverage: []fact.Coverage{{Source: src, Kind: fact.KindService, Level: "partial", Gaps: []string{"G1"}}},
			Findings: []*judge.Finding{{ID: "f", Rule: "r", Outcome: o, Severity: "high", Note: "gap G1 hides it, not G10", Sources: []fact.Source{src}, Places: []fact.Place{{Input: input}}}},
		}
		d.Facts.Add(&fact.Service{Base: fact.Base{Source: src}, Name: "telnetd"})
		return d
	}
	a, b := one(fact.Firmware, "a.bin", judge.Good), one(fact.Live, "unit", judge.Unknown)
	b.Rules["r"].Version, b.At, b.Tool.Version = 2, b.At.Add(time.Hour), "2"
	out, err := dossier.Merge(a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Facts.Service) != 2 || len(out.Inputs) != 2 || len(out.Layers) != 2 || len(out.Coverage) != 2 || len(out.Gaps) != 2 || len(out.Findings) != 1 {
		t.Fatalf("got %s", write(t, out))
	}
	f := out.Findings[0]
	if f.Outcome != judge.Unknown || len(f.Sources) != 2 || f.Note != "gap "+out.Gaps[1].ID+" hides it, not G10" {
		t.Errorf("finding %+v", f)
	}
	if got := fmt.Sprint(out.Coverage[0].Gaps, out.Coverage[1].Gaps); got != fmt.Sprintf("[%s] [G1]", out.Gaps[1].ID) {
		t.Errorf("coverage names %s of %v", got, out.Gaps)
	}
	if out.Rules["r"].Version != 2 || out.Tool.Version != "2" || out.Run.Unknown != 0 || out.Device.Vendor != "Acme" {
		t.Errorf("got %s", write(t, out))
	}
	b.Findings[0].Outcome = judge.Bad
	if out, err := dossier.Merge(a, b); err != nil || out.Findings[0].Outcome != judge.Bad {
		t.Errorf("bad and good: %v, %v", out, err)
	}
	b.Device.Vendor = "acme"
	if _, err := dossier.Merge(a, b); err != nil {
		t.Errorf("the same vendor in small letters: %v", err)
	}
	b.Device.Vendor = "Other"
	if _, err := dossier.Merge(a, b); err == nil || !strings.Contains(err.Error(), `vendor "Acme" and "Other"`) {
		t.Errorf("two vendors: %v", err)
	}
	if _, err := dossier.Merge(); err == nil {
		t.Error("no dossier at all is no error")
	}
}

// FuzzRead holds that whatever Read takes can be counted, redacted, merged and written,
// and reads as the same again.
func FuzzRead(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte(`{"schema":1,"at":"2026-01-01T00:00:00+23:59","facts":{"component":[{"name":"a","places":[{"line":-1,"layers":[{}]}]}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := dossier.Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		d.Count()
		once := write(t, d)
		if again := write(t, read(t, once)); again != once {
			t.Errorf("reads differently again: %s", cmp.Diff(once, again))
		}
		if _, err := dossier.Redact(d, dossier.Redaction{Hosts: true}); err != nil {
			t.Error(err)
		}
		if _, err := dossier.Merge(d, d); err != nil {
			t.Error(err)
		}
	})
}
