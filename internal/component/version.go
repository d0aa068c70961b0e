package component

import (
	"cmp"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// Compare orders two version texts as people read them: numbers as numbers, letters after
// them, rc, alpha, beta and pre before the release. It is no package manager's order and
// serves to find the highest of a list.
func Compare(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = part(a)
		y, b = part(b)
		if c := comparePart(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// part cuts the first run of digits or of letters from a version.
func part(s string) (word, rest string) {
	s = strings.TrimLeft(s, ".-_+~")
	if s == "" {
		return "", ""
	}
	i := 1
	for i < len(s) && digit(s[i]) == digit(s[0]) && !strings.ContainsRune(".-_+~", rune(s[i])) {
		i++
	}
	return s[:i], s[i:]
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func comparePart(x, y string) int {
	if x == y {
		return 0
	}
	if x == "" {
		return -comparePart(y, x)
	}
	if y == "" {
		if early(x) {
			return -1
		}
		return 1
	}
	dx, dy := digit(x[0]), digit(y[0])
	switch {
	case dx && dy:
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
	case dx:
		return 1
	case dy:
		return -1
	case early(x) != early(y):
		if early(x) {
			return -1
		}
		return 1
	}
	return cmp.Compare(x, y)
}

// early reports whether a word stands for what comes before a release.
func early(w string) bool {
	switch strings.ToLower(w) {
	case "rc", "alpha", "beta", "pre", "dev":
		return true
	}
	return false
}

var (
	epoch    = search.Lazy(`^[0-9]+:`)
	revision = search.Lazy(`-[^-]*$`)
	// What Debian adds to an upstream version: the mark of a source that was packed
	// again, a snapshot, a reverted update, a pre-release that sorts before the release.
	repack = search.Lazy(`[+~.-](?:dfsg|ds|repack|debian|deb|ubuntu|build|nmu|git|svn|hg|bzr|cvs|snap|cleaned|clean|orig|real|is|stable)[0-9.~+_a-z-]*$`)
	really = search.Lazy(`^.*\+really`)
	apkRev = search.Lazy(`-r[0-9]+$`)
	owrtRe = search.Lazy(`-(?:r?[0-9]+)(?:-[0-9a-f]+)?$`)
	preRel = search.Lazy(`~(rc|alpha|beta|pre)`)
	gitTag = search.Lazy(`\+(?:git)?(?:[0-9]{6,}|[0-9]+\+g?[0-9a-f]+).*$`)
)

// Upstream takes a distribution's additions off a package version: the epoch, the
// packaging revision and the marks of repacked sources. It returns the upstream version
// and what was taken off its end. ecosystem is deb, opkg, apk or rpm.
func Upstream(version, ecosystem string) (upstream, suffix string) {
	v := epoch.ReplaceAllString(version, "")
	if r := really.FindString(v); r != "" {
		v = v[len(r):]
	}
	whole := v
	switch ecosystem {
	case "deb":
		v = revision.ReplaceAllString(v, "")
		for {
			w := repack.ReplaceAllString(v, "")
			if w == v || w == "" {
				break
			}
			v = w
		}
	case "opkg":
		v = owrtRe.ReplaceAllString(v, "")
		v = gitTag.ReplaceAllString(v, "")
	case "apk":
		v = apkRev.ReplaceAllString(v, "")
	case "rpm":
		v = revision.ReplaceAllString(v, "")
	}
	if v == "" {
		return whole, ""
	}
	suffix = whole[len(v):]
	v = preRel.ReplaceAllString(v, "-$1")
	v = strings.ReplaceAll(v, "~", "-")
	if ecosystem == "apk" {
		v = strings.Replace(v, "_p", "p", 1)
		v = strings.NewReplacer("_rc", "-rc", "_alpha", "-alpha", "_beta", "-beta", "_pre", "-pre").Replace(v)
	}
	return v, suffix
}
