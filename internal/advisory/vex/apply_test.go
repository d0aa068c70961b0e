package vex_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/vex"
)

var pump = vex.Ref{Vendor: "Acme Medical", Name: "InfuPump 3000", Version: "4.2.1", Digest: strings.Repeat("AB12", 16)}

func day(n int) time.Time { return time.Date(2026, 5, n, 0, 0, 0, 0, time.UTC) }

func openssl() advisory.Match {
	return advisory.Match{
		Advisory: "CVE-2014-0160", Aliases: []string{"DSA-2896"}, Component: "openssl", Version: "1.0.1f-r2", PURL: "pkg:generic/openssl@1.0.1f",
		Places: []string{"pump.bin!/lib/libssl.so"}, Status: advisory.Vulnerable, Why: []string{"1.0.1f is below 1.0.1g"}, Confidence: "high", KEV: true,
	}
}

// TestApply holds for what a statement counts, and what it says then.
func TestApply(t *testing.T) {
	t.Parallel()
	ssl := vex.Ref{Name: "openssl", Version: "1.0.1f"}
	none := func(s vex.Statement) vex.Statement {
		s.Vulnerability, s.Author, s.At = "CVE-2014-0160", "Acme product security", day(1)
		s.Status, s.Justification = advisory.NotThere, "vulnerable_code_not_in_execute_path"
		return s
	}
	for name, c := range map[string]struct {
		s      vex.Statement
		status advisory.Status
		sure   string
		effect string
		why    string
	}{
		"the product in its version, the component in its version": {none(vex.Statement{Product: pump, Component: vex.Ref{Name: "OpenSSL", Version: "1.0.1f-r2"}}), advisory.NotThere, "high", "changes the status of 1", "because vulnerable code not in execute path"},
		"without the distribution's suffix":                        {none(vex.Statement{Product: pump, Component: ssl}), advisory.NotThere, "medium", "changes the status of 1", "without the distribution's -r2"},
		"no product":                                               {none(vex.Statement{Component: ssl}), advisory.NotThere, "medium", "changes the status of 1", ""},
		"the product alone":                                        {none(vex.Statement{Product: vex.Ref{Name: "Acme Medical InfuPump-3000 4.2.1"}}), advisory.NotThere, "high", "changes the status of 1", ""},
		"the product by its digest":                                {none(vex.Statement{Product: vex.Ref{Digest: "sha256:" + strings.Repeat("ab12", 16)}}), advisory.NotThere, "high", "changes the status of 1", "the digest of the image"},
		"the component as the product":                             {none(vex.Statement{Product: vex.Ref{PURL: "pkg:generic/openssl@1.0.1f", Name: "openssl", Version: "1.0.1f"}}), advisory.NotThere, "medium", "changes the status of 1", ""},
		"no version of the product":                                {none(vex.Statement{Product: vex.Ref{Vendor: "Acme", Name: "InfuPump 3000"}}), advisory.NotThere, "medium", "changes the status of 1", "all are meant"},
		"another version of the product":                           {none(vex.Statement{Product: vex.Ref{Vendor: "Acme", Name: "InfuPump 3000", Version: "4.3.0"}, Component: ssl}), advisory.Vulnerable, "high", "changes nothing: it is about Acme InfuPump 3000 4.3.0, and this is version 4.2.1", ""},
		"another product":                                          {none(vex.Statement{Product: vex.Ref{Vendor: "Acme", Name: "InfuPump 300", Version: "4.2.1"}}), advisory.Vulnerable, "high", "changes nothing: it is about Acme InfuPump 300 4.2.1, another product than Acme Medical InfuPump 3000 4.2.1", ""},
		"another vendor":                                           {none(vex.Statement{Product: vex.Ref{Vendor: "Zenith", Name: "InfuPump 3000", Version: "4.2.1"}}), advisory.Vulnerable, "high", "changes nothing: it is about Zenith InfuPump 3000 4.2.1, of another vendor than Acme Medical InfuPump 3000 4.2.1", ""},
		"another version of the component":                         {none(vex.Statement{Product: pump, Component: vex.Ref{Name: "openssl", Version: "1.0.1e"}}), advisory.Vulnerable, "high", "changes nothing: it is about openssl 1.0.1e, and this is openssl 1.0.1f-r2", ""},
		"another component":                                        {none(vex.Statement{Product: pump, Component: vex.Ref{Name: "libressl"}}), advisory.Vulnerable, "high", "changes nothing: it is about libressl, and this is openssl 1.0.1f-r2", ""},
		"a range that holds it":                                    {none(vex.Statement{Product: vex.Ref{Vendor: "Acme", Name: "InfuPump 3000", Range: "<5"}}), advisory.NotThere, "medium", "changes the status of 1", "4.2.1 lies in the versions <5 of the product"},
		"a range that does not":                                    {none(vex.Statement{Product: vex.Ref{Vendor: "Acme", Name: "InfuPump 3000", Range: "<4"}}), advisory.Vulnerable, "high", "changes nothing: it is about the versions <4 of the product, and not about 4.2.1", ""},
		"a range of the component":                                 {none(vex.Statement{Product: pump, Component: vex.Ref{Name: "openssl", Range: "vers:openssl/>=1.0.1|<1.0.1g"}}), advisory.NotThere, "medium", "changes the status of 1", "1.0.1f-r2 lies in the versions"},
		"a range in words":                                         {none(vex.Statement{Product: vex.Ref{Vendor: "Acme", Name: "InfuPump 3000", Range: "all before 5"}}), advisory.Vulnerable, "high", "changes nothing: it is about the versions all before 5 of the product, which cannot be compared with 4.2.1", ""},
		"the number alone":                                         {none(vex.Statement{}), advisory.Vulnerable, "high", "changes nothing: it names neither a product nor a component", ""},
		"a component without any version":                          {none(vex.Statement{Component: vex.Ref{Name: "openssl"}}), advisory.Vulnerable, "high", "changes nothing: it names no version, neither of the product nor of openssl", ""},
		"another package of the name":                              {none(vex.Statement{Component: vex.Ref{Name: "libssl", Version: "1.0.1f", PURL: "pkg:deb/debian/libssl@1.0.1f"}}), advisory.Vulnerable, "high", "changes nothing: it is about libssl 1.0.1f, and this is openssl 1.0.1f-r2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			matches, statements := vex.Apply([]advisory.Match{openssl()}, []vex.Statement{c.s}, pump)
			m := matches[0]
			if m.Status != c.status || m.Confidence != c.sure || statements[0].Effect != c.effect {
				t.Errorf("status %s (%s), effect %q", m.Status, m.Confidence, statements[0].Effect)
			}
			why := strings.Join(m.Why, "; ")
			if !strings.HasPrefix(why, "1.0.1f is below 1.0.1g") || !strings.Contains(why, c.why) || !m.KEV {
				t.Errorf("why: %s", why)
			}
			changed := c.status != advisory.Vulnerable
			if changed != (m.By == "Acme product security") || changed != strings.Contains(why, "of itself this is affected (confidence high)") || changed != strings.Contains(why, "Acme product security states not affected") {
				t.Errorf("by %q, why: %s", m.By, why)
			}
		})
	}
}

// TestApplyReasons holds what a "not affected" is worth without a good reason, and that it
// does not count against what lies in the image.
func TestApplyReasons(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s      vex.Statement
		status advisory.Status
		sure   string
	}{
		"no reason":         {vex.Statement{}, advisory.NotThere, "low"},
		"words":             {vex.Statement{Impact: "It is off."}, advisory.NotThere, "medium"},
		"a reason":          {vex.Statement{Justification: "vulnerable_code_not_present"}, advisory.NotThere, "high"},
		"the network":       {vex.Statement{Justification: "inline_mitigations_already_exist", Because: "protected_at_perimeter"}, advisory.NotThere, "low"},
		"what is disproved": {vex.Statement{Justification: "component_not_present"}, advisory.Vulnerable, "high"},
	} {
		s := c.s
		s.Vulnerability, s.Product, s.Author, s.Status = "dsa-2896", pump, "Acme", advisory.NotThere
		in := []advisory.Match{openssl()}
		matches, statements := vex.Apply(in, []vex.Statement{s}, pump)
		if m := matches[0]; m.Status != c.status || m.Confidence != c.sure {
			t.Errorf("%s: %s (%s), %s, %s", name, m.Status, m.Confidence, m.Why, statements[0].Effect)
		}
		if diff := cmp.Diff(openssl(), in[0]); diff != "" {
			t.Errorf("%s: the caller's match was changed: %s", name, diff)
		}
	}
	if _, s := vex.Apply([]advisory.Match{openssl()}, []vex.Statement{{Vulnerability: "CVE-2014-0160", Product: pump, Status: advisory.NotThere, Justification: "component_not_present"}}, pump); !strings.Contains(s[0].Effect, "contradicted: the component was found at pump.bin!/lib/libssl.so") {
		t.Errorf("effect %q", s[0].Effect)
	}
}

// TestApplyContradiction holds that of contradictory statements the newest wins, of the
// same date the most careful, in whatever order they come, and that the match says so.
func TestApplyContradiction(t *testing.T) {
	t.Parallel()
	state := func(status advisory.Status, at time.Time) vex.Statement {
		return vex.Statement{Vulnerability: "CVE-2014-0160", Product: pump, Status: status, At: at, Author: "Acme", Justification: map[advisory.Status]string{advisory.NotThere: "vulnerable_code_not_present"}[status]}
	}
	for name, c := range map[string]struct {
		list []vex.Statement
		want advisory.Status
		why  string
	}{
		"the newest":       {[]vex.Statement{state(advisory.Fixed, day(1)), state(advisory.NotThere, day(2)), state(advisory.Vulnerable, time.Time{})}, advisory.NotThere, "contradicted by an older statement: Acme states fixed"},
		"the most careful": {[]vex.Statement{state(advisory.NotThere, day(2)), state(advisory.Vulnerable, day(2))}, advisory.Vulnerable, "contradicted on the same date: Acme states not affected"},
		"of one voice":     {[]vex.Statement{state(advisory.Fixed, day(1)), state(advisory.Fixed, day(2))}, advisory.Fixed, ""},
	} {
		first, _ := vex.Apply([]advisory.Match{openssl()}, c.list, pump)
		slices.Reverse(c.list)
		second, statements := vex.Apply([]advisory.Match{openssl()}, c.list, pump)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s: the order of the statements shows:\n%s", name, diff)
		}
		why := strings.Join(first[0].Why, "; ")
		if first[0].Status != c.want || !strings.Contains(why, c.why) || c.why == "" && strings.Contains(why, "contradict") {
			t.Errorf("%s: %s, %s", name, first[0].Status, why)
		}
		told := 0
		for _, s := range statements {
			if strings.Contains(s.Effect, "gives way") || strings.Contains(s.Effect, "says the same as another") {
				told++
			}
		}
		if told != len(c.list)-1 {
			t.Errorf("%s: %d of %d statements say that they gave way", name, told, len(c.list)-1)
		}
	}
}

// TestApplyAdds holds that what is stated to affect the device becomes a match where we
// have none, once, and never for another product.
func TestApplyAdds(t *testing.T) {
	t.Parallel()
	affected := vex.Statement{Vulnerability: "CVE-2030-1", Product: pump, Status: advisory.Vulnerable, Author: "Acme", Action: "Update to 4.3.0.", At: day(1)}
	again := affected
	again.Author = "CISA"
	other := affected
	other.Product = vex.Ref{Vendor: "Acme Medical", Name: "InfuPump 3000", Version: "4.3.0"}
	matches, statements := vex.Apply([]advisory.Match{openssl()}, []vex.Statement{affected, again, other}, pump)
	if len(matches) != 2 {
		t.Fatalf("%d matches", len(matches))
	}
	m := matches[1]
	if m.Component != "InfuPump 3000" || m.Version != "4.2.1" || m.Status != advisory.Vulnerable || m.By != "Acme" || m.Advice != "Update to 4.3.0." || len(m.Why) < 2 {
		t.Errorf("%+v", m)
	}
	if e := statements[0].Effect; e != "adds what was not matched" {
		t.Errorf("effect %q", e)
	}
	if e := statements[2].Effect; !strings.HasPrefix(e, "changes nothing: it is about") {
		t.Errorf("effect %q", e)
	}
	if m, s := vex.Apply(nil, []vex.Statement{affected}, vex.Ref{}); len(m) != 0 || !strings.Contains(s[0].Effect, "say vendor, model and version in a device.yaml") {
		t.Errorf("a device without a name: %+v, %q", m, s[0].Effect)
	}
}
