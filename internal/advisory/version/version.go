// Package version puts the versions of software into order, each kind by the rules of
// those who number it. [Compare] is its main function.
//
// It never guesses: what its rules do not order is an error, and the caller says so.
package version

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Scheme is a way in which versions are numbered and ordered.
type Scheme string

// The schemes.
const (
	// Generic is the careful default for what upstream projects and CPE names write:
	// numbers by value and missing ones as zero, then what stands behind them. Words for
	// what precedes a release (alpha, beta, rc, pre, dev ...) come before it, letters
	// (2023c, 3.0.2a), revisions (7.0.8-11) and patches (1.9.5p2, 9.11.5-P4, 5.0sp1) after
	// it. What no rule orders, such as 1.2-foo and 1.2, is an error; numbers that differ
	// decide before it comes to that.
	Generic Scheme = "generic"

	Semver  Scheme = "semver" // 2.0.0; one or two numbers are filled up with zeros
	Deb     Scheme = "deb"    // dpkg's
	RPM     Scheme = "rpm"    // rpm's, with epoch and release
	APK     Scheme = "apk"    // apk-tools'
	Opkg    Scheme = "opkg"   // as dpkg's
	Python  Scheme = "python" // PEP 440
	NPM     Scheme = "npm"    // as semver
	Maven   Scheme = "maven"
	Go      Scheme = "go"      // semver with v, pseudo-versions, and the toolchain's 1.21rc2
	Gem     Scheme = "gem"     // RubyGems'
	NuGet   Scheme = "nuget"   // semver with a fourth number
	OpenSSL Scheme = "openssl" // 1.0.2-beta1 < 1.0.2 < 1.0.2a < 1.0.2z < 1.0.2za; -fips is no other version
	OpenSSH Scheme = "openssh" // 9.2 is 9.2p1, the same release made portable
	Kernel  Scheme = "kernel"  // 6.1-rc3 < 6.1; what a builder adds (-imx, -rt12) does not count
	Letters Scheme = "letters" // generic, where a1 and b2 are alpha and beta: bind, dhcp, sudo, cups
)

// longest is more bytes than a version has.
const longest = 256

// ErrNoOrder is in the chain of an error where both versions can be read and still have
// no order that is known.
var ErrNoOrder = errors.New("no order is known")

// Compare says whether a comes before b (-1), is the same version (0) or comes after it
// (1). It is an error where one of them is no version of the scheme, where the scheme is
// not known, and where their order is not.
func Compare(scheme Scheme, a, b string) (int, error) {
	if len(a) > longest || len(b) > longest {
		return 0, fmt.Errorf("version of %d bytes: longer than any", max(len(a), len(b)))
	}
	switch scheme {
	case "", Generic, OpenSSL, Letters:
		return compareGeneric(scheme, a, b)
	case OpenSSH:
		return compareOpenSSH(a, b)
	case Kernel:
		return compareKernel(a, b)
	case Semver, NPM:
		return compareSemver(a, b, 3)
	case NuGet:
		return compareSemver(a, b, 4)
	case Go:
		return compareSemver(goVersion(a), goVersion(b), 3)
	case Deb, Opkg:
		return compareDeb(a, b)
	case RPM:
		return compareRPM(a, b)
	case APK:
		return compareAPK(a, b)
	case Python:
		return comparePython(a, b)
	case Maven:
		return compareMaven(a, b)
	case Gem:
		return compareGem(a, b)
	}
	return 0, fmt.Errorf("scheme %q: versions of it cannot be ordered", scheme)
}

// Named gives the scheme of a word that vulnerability records use for it, and whether it
// is one that orders versions: "git" is known to have no order of its own, "custom" says
// nothing.
func Named(word string) (Scheme, bool) {
	switch w := Scheme(strings.ToLower(word)); w {
	case Generic, Semver, Deb, RPM, APK, Opkg, Python, NPM, Maven, Go, Gem, NuGet, OpenSSL, OpenSSH, Kernel, Letters:
		return w, true
	case "dpkg":
		return Deb, true
	case "pypi", "pep440":
		return Python, true
	case "golang":
		return Go, true
	case "rubygems":
		return Gem, true
	case "cargo", "crates.io":
		return Semver, true
	}
	return "", false
}

// OfProduct gives the scheme of a product by its upstream project's usual lower-case name.
func OfProduct(name string) Scheme {
	switch name {
	case "openssl":
		return OpenSSL
	case "openssh":
		return OpenSSH
	case "linux", "linux_kernel":
		return Kernel
	case "bind", "bind9", "dhcp", "isc-dhcp", "sudo", "cups":
		return Letters
	case "python", "cpython":
		return Python
	case "node.js", "nodejs", "node":
		return Semver
	}
	return Generic
}

// ecosystems are OSV's names of what packages come from, without a release.
var ecosystems = map[string]Scheme{
	"Debian": Deb, "Ubuntu": Deb, "Raspbian": Deb, "Echo": Deb,
	"Alpine": APK, "Wolfi": APK, "Chainguard": APK, "MinimOS": APK, "Alpaquita": APK, "BellSoft Hardened Containers": APK,
	"Red Hat": RPM, "AlmaLinux": RPM, "Rocky Linux": RPM, "openSUSE": RPM, "SUSE": RPM, "Mageia": RPM, "openEuler": RPM, "Photon OS": RPM, "Azure Linux": RPM, "Amazon Linux": RPM, "Fedora": RPM,
	"OpenWrt": Opkg,
	"npm":     NPM, "PyPI": Python, "Go": Go, "crates.io": Semver, "Maven": Maven, "RubyGems": Gem, "NuGet": NuGet, "Hex": Semver, "Pub": Semver, "SwiftURL": Semver, "Packagist": Generic,
	"Linux": Kernel,
}

// OfEcosystem gives the scheme of the packages of an ecosystem as OSV names it, with or
// without a release: "Debian:12", "Alpine:v3.18", "npm".
func OfEcosystem(name string) (Scheme, bool) {
	name, _, _ = strings.Cut(name, ":")
	s, ok := ecosystems[name]
	return s, ok
}

// Highest gives the highest of some versions, "" where there is none; those that cannot
// be ordered are passed over.
func Highest(scheme Scheme, versions []string) string {
	best := ""
	for _, v := range versions {
		if _, err := Compare(scheme, v, v); err != nil {
			continue
		}
		if best == "" {
			best = v
		} else if c, err := Compare(scheme, v, best); err == nil && c > 0 {
			best = v
		}
	}
	return best
}

// Sort puts versions into order, the lowest first. Those that have no order among others
// keep the order of their bytes, and unreadable ones come last.
func Sort(scheme Scheme, versions []string) {
	slices.Sort(versions)
	slices.SortStableFunc(versions, func(a, b string) int {
		_, ea := Compare(scheme, a, a)
		_, eb := Compare(scheme, b, b)
		if ea != nil || eb != nil {
			return btoi(ea != nil) - btoi(eb != nil)
		}
		c, err := Compare(scheme, a, b)
		if err != nil {
			return 0
		}
		return c
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// number cuts the digits at the beginning of s.
func number(s string) (digits, rest string) {
	i := 0
	for i < len(s) && digit(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// compareNumber compares runs of digits of any length by value; none is zero.
func compareNumber(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return sign(len(a) - len(b))
	}
	return strings.Compare(a, b)
}

// compareNumbers compares parts between dots by value; missing ones are zero.
func compareNumbers(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if c := compareNumber(x, y); c != 0 {
			return c
		}
	}
	return 0
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func malformed(scheme Scheme, v string) error {
	return fmt.Errorf("%q: no version as %s numbers them", v, scheme)
}
