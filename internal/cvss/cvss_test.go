package cvss

import (
	"math"
	"strings"
	"testing"
)

// The scores of the published vectors are those that NVD, FIRST's examples and the CVE
// records state.
func TestScore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, vector string
		base, score  float64
	}{
		{"CVE-2014-0160 by NVD, version 2", "AV:N/AC:L/Au:N/C:P/I:N/A:N", 5.0, 5.0},
		{"in brackets", "(AV:N/AC:L/Au:N/C:C/I:C/A:C)", 10.0, 10.0},
		{"FIRST's guide to version 2: CVE-2002-0392", "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C", 7.8, 6.4},
		{"the same with an environment", "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H", 7.8, 9.2},
		{"a part of a group", "AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/AR:H", 7.8, 9.2},
		{"CVE-2014-0160, version 3.1", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, 7.5},
		{"CVE-2021-44228", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, 10.0},
		{"3.0", "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, 6.4},
		{"out of order", "CVSS:3.1/AC:L/AV:N/UI:N/PR:N/S:U/C:H/I:N/A:N", 7.5, 7.5},
		{"temporal", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O/RC:C", 9.8, 8.8},
		{"environment: not reachable from the network", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/MAV:P", 9.8, 6.8},
		{"unset metrics say nothing", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:L/A:N/E:X/MAV:X", 9.3, 9.3},
		{"FIRST's example 4.0", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3, 9.3},
		{"4.0, all high", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0, 10.0},
		{"4.0, unreported exploits", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", 9.3, 8.1},
		{"4.0, out of order", "CVSS:4.0/E:U/AT:N/AC:L/AV:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3, 8.1},
		{"no impact", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base, err := Base(c.vector)
			if err != nil {
				t.Fatal(err)
			}
			score, err := Score(c.vector)
			if err != nil {
				t.Fatal(err)
			}
			if base != c.base || score != c.score {
				t.Errorf("%s: base %v, score %v, want %v and %v", c.vector, base, score, c.base, c.score)
			}
		})
	}
}

func TestSeverity(t *testing.T) {
	t.Parallel()
	for score, want := range map[float64]string{
		0: "none", 0.1: "low", 3.9: "low", 4: "medium", 6.9: "medium", 7: "high", 8.9: "high", 9: "critical", 10: "critical",
	} {
		if got := Severity(score); got != want {
			t.Errorf("%v: %s, want %s", score, got, want)
		}
	}
}

func TestWithEnvironment(t *testing.T) {
	t.Parallel()
	const high = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	for _, c := range []struct {
		vector string
		set    map[string]string
		want   string
		err    string
	}{
		{high, map[string]string{"MAV": "A", "CR": "H"}, high + "/CR:H/MAV:A", ""},
		{high + "/CR:H", map[string]string{"CR": "X"}, high, ""},
		{high, nil, high, ""},
		{"AV:N/AC:L/Au:N/C:P/I:N/A:N", map[string]string{"TD": "L"}, "AV:N/AC:L/Au:N/C:P/I:N/A:N/TD:L", ""},
		{high, map[string]string{"AV": "P"}, "", `metric "AV" belongs to the flaw`},
		{high, map[string]string{"MAT": "P"}, "", `no metric "MAT" in version 3.1`},
		{high, map[string]string{"MAV": "Q"}, "", "invalid"},
	} {
		got, err := WithEnvironment(c.vector, c.set)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s with %v: %q, %v, want %q, %q", c.vector, c.set, got, err, c.want, c.err)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for vector, want := range map[string]string{
		"":                                 "of no known version",
		"CVSS:5.0/AV:N":                    "of no known version",
		"CVSS:3.1/AV:N":                    `metric "AC" is missing`,
		"AV:N/AC:L/Au:N/C:P/I:N/A:N/Q:1":   `no metric "Q"`,
		"AV:N/AC:L/Au:N/C:P/I:N/A:N/AV:N":  `metric "AV" twice`,
		"AV:N/AC:L/Au:N/C:P/I:N/A:":        `metric "A" has no value`,
		"AV:N/AC:L/Au:N/C:P/I:N/A:Z":       "invalid",
		"AV:N" + strings.Repeat("/X", 300): "longer than any",
	} {
		if _, err := Score(vector); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", vector, err, want)
		}
	}
}

// A vector that is read has a score between 0 and 10, and setting nothing keeps it.
func FuzzScore(f *testing.F) {
	f.Add("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H")
	f.Add("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O/RC:C/MAV:P")
	f.Add("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N")
	f.Add("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U/CR:L/MVC:N/S:P")
	f.Fuzz(func(t *testing.T, vector string) {
		score, err := Score(vector)
		if err != nil {
			return
		}
		if score < 0 || score > 10 || math.IsNaN(score) {
			t.Fatalf("score %v", score)
		}
		again, err := WithEnvironment(vector, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := Score(again); err != nil || s != score {
			t.Fatalf("%q: %v, %v after %v", again, s, err, score)
		}
	})
}
