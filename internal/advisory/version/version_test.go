package version

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// ladders reads testdata/ladders.txt: "scheme: v < w = x < y", each version with its
// place; all pairs of a ladder are ordered.
func ladders(t testing.TB) map[Scheme][][][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/ladders.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[Scheme][][][]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("line %q", line)
		}
		var ladder [][]string
		for step := range strings.SplitSeq(rest, " < ") {
			ladder = append(ladder, strings.Split(step, " = "))
		}
		out[Scheme(name)] = append(out[Scheme(name)], ladder)
	}
	return out
}

func TestLadders(t *testing.T) {
	t.Parallel()
	pairs := 0
	for scheme, list := range ladders(t) {
		for _, ladder := range list {
			for i, low := range ladder {
				for j, high := range ladder {
					for _, a := range low {
						for _, b := range high {
							pairs++
							got, err := Compare(scheme, a, b)
							if want := sign(i - j); err != nil || got != want {
								t.Errorf("%s: %q and %q: %d, %v, want %d", scheme, a, b, got, err, want)
							}
						}
					}
				}
			}
		}
	}
	if pairs < 2500 {
		t.Errorf("only %d pairs", pairs)
	}
}

func TestNoOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scheme Scheme
		a, b   string
		known  bool // both are versions, and only their order is unknown
	}{
		{Generic, "1.2-foo", "1.2", true},
		{Generic, "1.2-foo", "1.2-bar", true},
		{Generic, "1.2+dfsg", "1.2", true},
		{Generic, "1.0b1", "1.0", true}, // beta 1, or the letter b
		{Generic, "1.0a2", "1.0a", true},
		{Generic, "1.0rc1", "1.0pre1", true},
		{Generic, "1.0a", "1.0p1", true},
		{Generic, "1.0-1", "1.0p1", true},
		{Generic, "4.1-ESV", "4.1", true},
		{Generic, "9.16.8-S1", "9.16.8", true},
		{Generic, "", "1", false},
		{Generic, "*", "1", false},
		{Generic, "-", "1", false},
		{Generic, "v", "1", false},
		{Generic, "Rev B", "1", false},
		{Generic, "1:2.3", "1", false},
		{Generic, "1.0/2", "1", false},
		{Generic, "1.0", "1.0\x1b[0m", false},
		{Generic, "unspecified", "unspecified", false},
		{Generic, strings.Repeat("1.", 200) + "1", "1", false},
		{OpenSSL, "1.0.2-fips-x", "1.0.2", true},
		{OpenSSH, "9.2p1-x", "9.2", false},
		{Kernel, "next-20240101", "6.1", false},
		{Kernel, "1da177e4c3f4", "6.1", false}, // a commit
		{Generic, "9404c4145542", "6.1", false},
		{Semver, "1.2.3.4", "1", false},
		{Semver, "1.2.3-", "1", false},
		{Semver, "1.0.2k", "1", false},
		{Semver, "1.0.0-a..b", "1", false},
		{Go, "devel", "1", false},
		{Deb, "", "1", false},
		{Deb, "x:1", "1", false},
		{Deb, "1 2", "1", false},
		{Deb, "1-2_3", "1", false},
		{RPM, "-1", "1", false},
		{RPM, "~", "1", false},
		{RPM, "1 2", "1", false},
		{APK, "1.0_foo", "1", false},
		{APK, "1.0-1", "1", false},
		{APK, "1.0-r", "1", false},
		{APK, "x", "1", false},
		{Python, "1.0foo", "1", false},
		{Python, "1.0+", "1", false},
		{Python, "x!1", "1", false},
		{Maven, "x", "1", false},
		{Gem, "1.0_x", "1", false},
		{NuGet, "1.2.3.4.5", "1", false},
		{"git", "1", "1", false},
		{"unheard", "1", "2", false},
	} {
		for range 2 {
			if got, err := Compare(c.scheme, c.a, c.b); err == nil || errors.Is(err, ErrNoOrder) != c.known {
				t.Errorf("%s: %q and %q: %d, %v", c.scheme, c.a, c.b, got, err)
			}
			c.a, c.b = c.b, c.a
		}
	}
}

// pool holds the versions of the ladders of a scheme, and what random changes make of
// them.
func pool(r *rand.Rand, list [][][]string) []string {
	var out []string
	for _, ladder := range list {
		for _, step := range ladder {
			out = append(out, step...)
		}
	}
	slices.Sort(out)
	pieces := []string{".", "-", "_", "~", "+", "^", "0", "1", "2", "10", "rc1", "rc", "beta", "alpha1", "p1", "a", "b", "za", "b1", "pre", "dev", ".post1", "-r1", "_p1", "_git20200101", "final", "sp1", "snapshot", "foo", ".0", "00", ":", "!"}
	for range 400 {
		v := []byte(out[r.IntN(len(out))])
		at := r.IntN(len(v) + 1)
		switch r.IntN(3) {
		case 0:
			v = slices.Insert(v, at, []byte(pieces[r.IntN(len(pieces))])...)
		case 1:
			v = append(v[:at:at], pieces[r.IntN(len(pieces))]...)
		default:
			if at < len(v) {
				v = slices.Delete(v, at, at+1)
			}
		}
		out = append(out, string(v))
	}
	return out
}

// An order is an order: the other way round it is the opposite, and three versions never
// go round in a circle. Where a pair has no order nothing is claimed of it.
func TestOrder(t *testing.T) {
	t.Parallel()
	for scheme, list := range ladders(t) {
		t.Run(string(scheme), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(len(scheme))))
			all := pool(r, list)
			asked := 0
			for range 60_000 {
				a, b, c := all[r.IntN(len(all))], all[r.IntN(len(all))], all[r.IntN(len(all))]
				if msg := circle(scheme, a, b, c); msg != "" {
					t.Fatal(msg)
				}
				asked++
			}
			if asked == 0 {
				t.Fatal("nothing asked")
			}
		})
	}
}

func circle(scheme Scheme, a, b, c string) string {
	ab, e1 := Compare(scheme, a, b)
	ba, e2 := Compare(scheme, b, a)
	if (e1 == nil) != (e2 == nil) || e1 == nil && ab != -ba {
		return fmt.Sprintf("%s: %q and %q: %d, %v; the other way %d, %v", scheme, a, b, ab, e1, ba, e2)
	}
	bc, e3 := Compare(scheme, b, c)
	ac, e4 := Compare(scheme, a, c)
	if e1 != nil || e3 != nil || e4 != nil {
		return ""
	}
	if ab <= 0 && bc <= 0 && (ac > 0 || ac == 0 && (ab != 0 || bc != 0)) {
		return fmt.Sprintf("%s: %q, %q, %q: %d, %d and yet %d", scheme, a, b, c, ab, bc, ac)
	}
	return ""
}

func TestNames(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]Scheme{"semver": Semver, "rpm": RPM, "python": Python, "PyPI": Python, "dpkg": Deb, "crates.io": Semver} {
		if got, ok := Named(word); got != want || !ok {
			t.Errorf("%s: %q, %v", word, got, ok)
		}
	}
	for _, word := range []string{"git", "custom", ""} {
		if got, ok := Named(word); ok {
			t.Errorf("%s: %q", word, got)
		}
	}
	for eco, want := range map[string]Scheme{"Debian:12": Deb, "Alpine:v3.18": APK, "Rocky Linux:9": RPM, "npm": NPM, "Ubuntu:22.04:LTS": Deb, "OpenWrt:23.05": Opkg} {
		if got, ok := OfEcosystem(eco); got != want || !ok {
			t.Errorf("%s: %q, %v", eco, got, ok)
		}
	}
	if got, ok := OfEcosystem("OSS-Fuzz"); ok {
		t.Errorf("OSS-Fuzz: %q", got)
	}
	for name, want := range map[string]Scheme{"openssl": OpenSSL, "linux": Kernel, "openssh": OpenSSH, "busybox": Generic, "sudo": Letters} {
		if got := OfProduct(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	v := []string{"1.0.2zb", "n/a", "1.0.2", "1.0.2-beta1", "1.0.2k-fips", "1.0.2z", "1.0.1"}
	if got := Highest(OpenSSL, v); got != "1.0.2zb" {
		t.Errorf("highest %q", got)
	}
	Sort(OpenSSL, v)
	if got, want := strings.Join(v, " "), "1.0.1 1.0.2-beta1 1.0.2 1.0.2k-fips 1.0.2z 1.0.2zb n/a"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := Highest(Generic, []string{"*", "-"}); got != "" {
		t.Errorf("%q is no version", got)
	}
}

func FuzzCompare(f *testing.F) {
	for scheme, list := range ladders(f) {
		for _, ladder := range list {
			for i := range ladder[:max(0, len(ladder)-2)] {
				f.Add(string(scheme), ladder[i][0], ladder[i+1][0], ladder[i+2][0])
			}
		}
	}
	f.Fuzz(func(t *testing.T, scheme, a, b, c string) {
		if msg := circle(Scheme(scheme), a, b, c); msg != "" {
			t.Fatal(msg)
		}
		if got, err := Compare(Scheme(scheme), a, a); err == nil && got != 0 {
			t.Fatalf("%s: %q and itself: %d", scheme, a, got)
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	for _, c := range []struct {
		scheme Scheme
		a, b   string
	}{
		{Generic, "1.36.1", "1.36.0"}, {OpenSSL, "1.0.2zb", "1.0.2k"}, {Kernel, "6.1.176", "6.1.55"},
		{Deb, "3.0.11-1~deb12u2", "3.0.11-1~deb12u3"}, {APK, "1.36.1-r2", "1.36.1-r15"}, {Python, "2.0.0rc1", "2.0.0"}, {Maven, "2.14.1", "2.15.0"},
	} {
		b.Run(string(c.scheme), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compare(c.scheme, c.a, c.b); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
