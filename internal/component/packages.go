package component

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// ecosystem says how packages of a kind are understood.
type ecosystem struct {
	purl   string // type of their package URLs
	source bool   // components are source packages: one for each upstream project
	system bool   // its names are those of distributions, not of a language
}

// fits reports whether a signature with a purl type can be a package of the ecosystem.
func (e ecosystem) fits(purl string) bool { return e.system || purl == e.purl }

// ecosystems lists the ecosystems by the names that packages bear.
var ecosystems = map[string]ecosystem{
	"deb":       {"deb", true, true},
	"opkg":      {"opkg", true, true},
	"apk":       {"apk", true, true},
	"rpm":       {"rpm", true, true},
	"alpm":      {"alpm", true, true},
	"buildroot": {"generic", true, true},
	"yocto":     {"generic", true, true},
	"sbom":      {"generic", false, true},
	"npm":       {"npm", false, false},
	"pypi":      {"pypi", false, false},
	"gem":       {"gem", false, false},
	"maven":     {"maven", false, false},
	"composer":  {"composer", false, false},
	"luarocks":  {"luarocks", false, false},
}

// packages states what package databases and manifests say: one component for each
// version of an upstream project.
func (g *merger) packages(list []Package) {
	type group struct {
		name, version, suffix string
		packages              []Package
	}
	groups := map[string]*group{}
	for _, p := range list {
		name := g.m.product(p)
		version, suffix := Upstream(cmpOr(p.SourceVersion, p.Version), p.Ecosystem)
		if v := kernelVersion.FindString(version); name == "linux" && v != "" {
			version, suffix = v, version[len(v):]+suffix
		}
		key := strings.Join([]string{name, version, p.Ecosystem}, "\x00")
		if groups[key] == nil {
			groups[key] = &group{name: name, version: version, suffix: suffix}
		}
		groups[key].packages = append(groups[key].packages, p)
	}
	needs := map[*fact.Component][]string{}
	for _, key := range sortedKeys(groups) {
		gr := groups[key]
		slices.SortFunc(gr.packages, func(a, b Package) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
		})
		c := g.fromPackages(gr.name, gr.version, gr.suffix, gr.packages)
		for _, p := range gr.packages {
			g.pkg[p.Name] = c
			needs[c] = append(needs[c], p.Depends...)
		}
	}
	for c, names := range needs {
		for _, n := range names {
			if d := g.pkg[n]; d != nil && d.Name != c.Name && !slices.Contains(c.Depends, d.Name) {
				c.Depends = append(c.Depends, d.Name)
			}
		}
		slices.Sort(c.Depends)
	}
}

func (g *merger) fromPackages(name, version, suffix string, list []Package) *fact.Component {
	first := list[0]
	eco := ecosystems[first.Ecosystem]
	c := &fact.Component{Name: name, Version: version, Suffix: suffix, Supplier: first.Supplier, License: strings.ReplaceAll(first.License, "\n", " "),
		How: cmpOr(first.How, "manifest"), Ecosystem: first.Ecosystem}
	var names []string
	for _, p := range list {
		c.Places = append(c.Places, p.Place)
		if len(names) < 12 && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
		if p.CPE != "" && len(c.CPEs) == 0 {
			c.CPEs = cpes([]string{p.CPE}, version)
		}
	}
	c.Why = fmt.Sprintf("%s: %s %s", sayEcosystem(first.Ecosystem), printable(strings.Join(names, ", ")), printable(cmpOr(first.SourceVersion, first.Version)))
	id, full := first.Name, cmpOr(first.SourceVersion, first.Version)
	var qualifiers []string
	if eco.source && first.Source != "" && first.Ecosystem != "opkg" {
		id = first.Source
	}
	if first.Ecosystem == "deb" {
		qualifiers = append(qualifiers, "arch=source")
	} else if first.Arch != "" && eco.system {
		qualifiers = append(qualifiers, "arch="+percent(first.Arch))
	}
	kind := cmpOr(eco.purl, "generic")
	if first.Namespace != "" {
		kind += "/" + first.Namespace
	}
	c.PURL = PURL(kind, id, full, qualifiers)
	own := c.CPEs
	if s := g.m.signatureOf(first); s != nil {
		g.describe(c, "")
		if len(own) > 0 && !slices.Contains(c.CPEs, own[0]) {
			c.CPEs = append(c.CPEs, own...)
		}
	} else {
		c.Type = "library"
		if eco.system {
			c.Type = "application"
		}
	}
	if name == "linux" {
		c.Type = "kernel"
	}
	g.byName[name] = append(g.byName[name], c)
	return c
}

func sayEcosystem(eco string) string {
	switch eco {
	case "deb":
		return "the package database of dpkg lists"
	case "opkg", "rpm", "apk":
		return "the package database of " + eco + " lists"
	case "alpm":
		return "the package database of pacman lists"
	case "buildroot", "yocto":
		return "the manifest of the build lists"
	case "sbom":
		return "a bill of materials in the image lists"
	}
	return "its manifest says"
}

// product returns the name of the upstream project of a package.
func (m *Matcher) product(p Package) string {
	if s := m.signatureOf(p); s != nil {
		return s.Name
	}
	eco := ecosystems[p.Ecosystem]
	if !eco.system {
		return strings.ToLower(p.Name)
	}
	if kernel(p) {
		return "linux"
	}
	name := p.Name
	if eco.source && p.Source != "" && !notSource(p) {
		name = p.Source
	}
	return strings.ToLower(strings.TrimPrefix(name, "lib32-"))
}

var kernelVersion = search.Lazy(`^[0-9]+\.[0-9]+(\.[0-9]+)?`)

// kernel reports whether a package is a kernel of a distribution: its version is the real
// one, while the kernel calls itself by the name of its ABI.
func kernel(p Package) bool {
	switch p.Ecosystem {
	case "deb":
		return strings.HasPrefix(p.Name, "linux-image-") && !strings.HasSuffix(p.Name, "-dbg") && digit(kernelDigit(p.Name))
	case "opkg":
		return p.Name == "kernel"
	case "rpm":
		return p.Name == "kernel" || p.Name == "kernel-core" || p.Name == "kernel-default"
	case "apk":
		return p.Name == "linux-lts" || p.Name == "linux-virt" || p.Name == "linux-edge" || p.Name == "linux-rpi"
	case "yocto":
		return strings.HasPrefix(p.Name, "kernel-image-") && digit(kernelDigit(p.Name))
	case "buildroot":
		return p.Name == "linux"
	}
	return false
}

// kernelDigit returns the first letter after the word image- of a package's name.
func kernelDigit(name string) byte {
	_, rest, _ := strings.Cut(name, "-image-")
	if rest == "" {
		return ' '
	}
	return rest[0]
}

// notSource reports whether a package of a source has nothing of its program: headers of
// the kernel are no kernel.
func notSource(p Package) bool {
	return p.Source == "linux" && !strings.HasPrefix(p.Name, "linux-image") && !strings.HasPrefix(p.Name, "linux-modules")
}

// signatureOf returns the signature of a package's product, or nil. A language's package
// is a product's only where the signature names that language: pypi's redis is a client.
func (m *Matcher) signatureOf(p Package) *signature {
	eco := ecosystems[p.Ecosystem]
	if kernel(p) {
		return m.byName["linux"]
	}
	names := []string{p.Source, p.Name, strings.ToLower(p.Name)}
	if p.Ecosystem == "deb" && p.Source != "" {
		names = names[:1] // the package gcc of the source gcc-defaults is no compiler
	}
	for _, name := range names {
		if name == "" || name == p.Source && notSource(p) {
			continue
		}
		if s := m.byName[name]; s != nil && eco.fits(s.PURL) {
			return s
		}
		for _, s := range m.signatures {
			if eco.fits(s.PURL) && s.packaged(name) {
				return s
			}
		}
		// Recipes carry versions and the marks of build hosts: openssl-native, gcc-12.
		if i := strings.LastIndexByte(name, '-'); i > 0 && i+1 < len(name) && digit(name[i+1]) {
			if s := m.byName[name[:i]]; s != nil && eco.fits(s.PURL) {
				return s
			}
		}
	}
	return nil
}

// MatchPath reports whether a path is of interest as a package's manifest, by its last
// parts: package.json below node_modules, METADATA of a dist-info directory ...
func MatchPath(p string) bool { return readerOf(p) != nil }

// ReadManifest reads a language's package manifest by its path; nil where it is none.
func ReadManifest(p string, text []byte) []Package {
	if read := readerOf(p); read != nil {
		return read(p, text)
	}
	return nil
}

func readerOf(p string) func(string, []byte) []Package {
	base, dir := path.Base(p), path.Dir(p)
	switch {
	case base == "package.json" && strings.Contains(p, "/node_modules/"):
		return readNPM
	case base == "METADATA" && strings.HasSuffix(dir, ".dist-info"), base == "PKG-INFO" && strings.HasSuffix(dir, ".egg-info"),
		strings.HasSuffix(base, ".egg-info"):
		return readPython
	case strings.HasSuffix(base, ".gemspec") && strings.Contains(dir, "/specifications"):
		return readGem
	case base == "pom.properties" && strings.Contains(p, "META-INF/maven/"):
		return readPom
	case base == "installed.json" && strings.HasSuffix(dir, "/composer"):
		return readComposer
	case strings.HasSuffix(base, ".rockspec") && strings.Contains(p, "/rocks"):
		return readRock
	}
	return nil
}
