package advisory

import (
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/advisory/kbuild"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// lookup is one name that a component is looked up by.
type lookup struct {
	product    Product
	says       string // the name in words
	version    string // to be compared: of a package, with the distribution's suffix
	confidence int    // 2 high, 1 medium, 0 low
	system     bool   // a package of a distribution, whose own data this is
}

// subject is a component as it is looked up.
type subject struct {
	fact    *fact.Component
	places  []string
	project string // by whose order its versions are: openssl, linux ...
	version string // of the upstream project
	note    string // what was put right before looking it up
	lookups []lookup
	unknown string         // why it cannot be looked up
	kernel  *kbuild.Kernel // where it is one

	distro   string // "Debian 12", where it is a package of a distribution; its back-ports do not show in version
	noData   string // why the index has nothing of that distribution, "" where it has
	fullName string // version with the distribution's suffix
}

// systemPackages are the ecosystems of distributions.
var systemPackages = map[string]bool{"deb": true, "apk": true, "rpm": true, "opkg": true, "alpm": true}

// noProduct are names of packages that no project stands behind: what is listed under the
// same name is another thing.
var noProduct = map[string]bool{
	"os-release": true, "lsb-release": true, "base-files": true, "base-passwd": true, "filesystem": true, "setup": true, "netbase": true, "release": true, "system": true,
	"rootfs": true, "firmware": true, "kernel-modules": true, "modules": true, "init": true, "scripts": true, "packagegroup-core-boot": true, "core": true, "common": true, "config": true,
}

// purl is a package URL, taken apart.
type purl struct {
	kind, namespace, name, version string
	qualifiers                     url.Values
}

func parsePURL(s string) (p purl, ok bool) {
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok || len(s) > 2000 {
		return p, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	p.qualifiers, _ = url.ParseQuery(query)
	if at := strings.LastIndexByte(rest, '@'); at > strings.LastIndexByte(rest, '/') {
		v, err := url.PathUnescape(rest[at+1:])
		if err != nil {
			return p, false
		}
		rest, p.version = rest[:at], v
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil || parts[i] == "" {
			return p, false
		}
	}
	if len(parts) < 2 {
		return p, false
	}
	p.kind, p.name = strings.ToLower(parts[0]), parts[len(parts)-1]
	p.namespace = strings.Join(parts[1:len(parts)-1], "/")
	return p, true
}

// packageNames gives the ecosystems and names under which OSV may list a package, and the
// distribution in words where it is one of a distribution.
func (m *matcher) packageNames(c *fact.Component) (names []Product, distro string) {
	p, ok := parsePURL(c.PURL)
	if !ok {
		return nil, ""
	}
	one := func(eco, name string) []Product { return []Product{{By: ByPackage, Ecosystem: eco, Name: name}} }
	full := p.name
	if p.namespace != "" {
		full = p.namespace + "/" + p.name
	}
	switch p.kind {
	case "npm":
		return one("npm", full), ""
	case "pypi":
		return one("PyPI", strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(p.name))), ""
	case "golang":
		return one("Go", full), ""
	case "maven":
		return one("Maven", p.namespace+":"+p.name), ""
	case "gem":
		return one("RubyGems", p.name), ""
	case "cargo":
		return one("crates.io", p.name), ""
	case "composer":
		return one("Packagist", full), ""
	case "nuget":
		return one("NuGet", p.name), ""
	case "hex":
		return one("Hex", p.name), ""
	case "pub":
		return one("Pub", p.name), ""
	case "deb", "apk", "rpm", "opkg":
	default:
		return nil, ""
	}
	id, release := strings.ToLower(p.namespace), ""
	if d := p.qualifiers.Get("distro"); d != "" { // debian-12, alpine-3.18.4
		if name, r, ok := strings.Cut(d, "-"); ok {
			id, release = strings.ToLower(name), r
		}
	}
	if id == "" {
		id = m.platform.distro
	}
	if release == "" {
		release = m.releases[id]
	}
	name := p.name
	if p.kind == "deb" && c.Name == "linux" { // linux-signed-amd64 is made of linux
		name = "linux"
	}
	ecosystems, words := distributionNames(id, release)
	for _, eco := range ecosystems {
		names = append(names, Product{By: ByPackage, Ecosystem: eco, Name: name})
	}
	return names, words
}

// distributionNames gives the names that OSV has for a release of a distribution, the
// likeliest first, and the distribution in words.
func distributionNames(id, release string) (ecosystems []string, words string) {
	major, rest, _ := strings.Cut(release, ".")
	title := func(name string) string { return strings.TrimSpace(name + " " + release) }
	switch id {
	case "debian", "raspbian":
		if major == "" {
			return nil, "Debian"
		}
		return []string{"Debian:" + major}, "Debian " + major
	case "ubuntu":
		if release == "" {
			return nil, "Ubuntu"
		}
		minor, _, _ := strings.Cut(rest, ".")
		r := major + "." + minor
		return []string{"Ubuntu:" + r + ":LTS", "Ubuntu:" + r}, title("Ubuntu")
	case "alpine":
		if release == "" {
			return nil, "Alpine"
		}
		minor, _, _ := strings.Cut(rest, ".")
		return []string{"Alpine:v" + major + "." + minor}, title("Alpine")
	case "openwrt":
		if release == "" {
			return []string{"OpenWrt"}, "OpenWrt"
		}
		minor, _, _ := strings.Cut(rest, ".")
		return []string{"OpenWrt:" + major + "." + minor, "OpenWrt"}, title("OpenWrt")
	case "wolfi":
		return []string{"Wolfi"}, "Wolfi"
	case "chainguard":
		return []string{"Chainguard"}, "Chainguard"
	case "rocky":
		return []string{"Rocky Linux:" + major}, title("Rocky Linux")
	case "almalinux":
		return []string{"AlmaLinux:" + major}, title("AlmaLinux")
	case "opensuse-leap", "opensuse":
		return []string{"openSUSE:Leap " + release}, title("openSUSE")
	case "sles":
		sp := ""
		if rest != "" {
			sp = " SP" + rest
		}
		return []string{"SUSE:Linux Enterprise Server " + major + sp}, title("SUSE Linux Enterprise Server")
	case "mageia":
		return []string{"Mageia:" + major}, title("Mageia")
	case "":
		return nil, "the distribution"
	}
	return nil, title(id)
}

// releasesOf says which release of each distribution the device is made of: by its own
// word, else by the marks that most of its packages bear.
func releasesOf(p *platform, facts *fact.Set) map[string]string {
	out := map[string]string{}
	if p.distro != "" && p.release != "" {
		out[p.distro] = p.release
		if p.distro == "raspbian" {
			out["debian"] = p.release
		}
	}
	count := map[string]int{}
	for _, c := range facts.Component {
		if c.Ecosystem != "deb" {
			continue
		}
		for _, mark := range []string{"+deb", "~deb"} {
			if _, rest, ok := strings.Cut(c.Suffix, mark); ok {
				n, _, _ := strings.Cut(rest, "u")
				if len(n) >= 1 && len(n) <= 2 && strings.Trim(n, "0123456789") == "" {
					count[n]++
				}
			}
		}
	}
	if out["debian"] == "" {
		best := ""
		for _, n := range sortedKeys(count) {
			if best == "" || count[n] > count[best] {
				best = n
			}
		}
		if best != "" {
			out["debian"] = best
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// hasEcosystem says whether the index holds any package of an ecosystem.
func (x *Index) hasEcosystem(name string) (bool, error) {
	for p, err := range x.productsFrom("p" + zero + name + zero) {
		return err == nil && p.Ecosystem == name, err
	}
	return false, nil
}

// folded are the names that people write, by their letters alone.
type folded struct {
	once  sync.Once
	names map[string][]Product // by the squeezed name of the product
	err   error
}

// named returns the products of the given name, however it is spelled.
func (x *Index) named(name string) ([]Product, error) {
	x.folded.once.Do(func() {
		x.folded.names = map[string][]Product{}
		for p, err := range x.Names() {
			if err != nil {
				x.folded.err = err
				return
			}
			if k := squeeze(p.Name); k != "" {
				x.folded.names[k] = append(x.folded.names[k], p)
			}
		}
	})
	return x.folded.names[squeeze(name)], x.folded.err
}

// names finds what a component is to be looked up by.
func (m *matcher) names(s *subject) error {
	c := s.fact
	confidence := map[string]int{"": 2, "high": 2, "medium": 1}[c.Confidence]
	seen := map[Product]bool{}
	add := func(p Product, says, v string, conf int, system bool) {
		key := Product{By: p.By, Vendor: p.Vendor, Name: p.Name, Ecosystem: p.Ecosystem}
		if !seen[key] {
			seen[key] = true
			s.lookups = append(s.lookups, lookup{key, says, v, min(conf, confidence), system})
		}
	}
	packages, distro := m.packageNames(c)
	system := systemPackages[c.Ecosystem] || distro != ""
	if system {
		s.distro = cmpOr(distro, "the distribution")
		s.noData = "no data of " + s.distro + " in this index"
	}
	full := cmpOr(s.fullName, s.version)
	if p, ok := parsePURL(c.PURL); ok && p.version != "" {
		full = p.version
		if e := p.qualifiers.Get("epoch"); e != "" {
			full = e + ":" + full
		}
	}
	for _, p := range packages {
		if system {
			has, err := m.x.hasEcosystem(p.Ecosystem)
			if err != nil {
				return err
			}
			if !has {
				continue
			}
			s.noData = ""
		}
		add(p, p.Ecosystem+" package "+p.Name, full, 2, system)
	}
	vendors := map[string]bool{}
	var cpes []Product
	for _, name := range c.CPEs {
		p, _, err := ParseCPE(name)
		if err != nil {
			continue
		}
		cpes = append(cpes, p)
		add(p, "cpe "+p.Part+":"+p.Vendor+":"+p.Name, s.version, 2, false)
		vendors[squeeze(p.Vendor)] = true
	}
	if err := m.peopleNames(s, cpes, vendors, add); err != nil {
		return err
	}
	if len(cpes) > 0 || len(packages) > 0 && !system || c.Type == "module" || noProduct[c.Name] || s.project == "linux" {
		return nil
	}
	// Only the name is left. It is believed where it means one thing.
	all, err := m.x.ByCPEProduct(c.Name)
	if err != nil {
		return err
	}
	switch len(all) {
	case 0:
	case 1:
		add(Product{By: ByCPE, Vendor: all[0], Name: c.Name}, "the name alone, which one vendor has: "+all[0]+":"+c.Name, s.version, 0, false)
	default:
		s.unknown = "several vendors have a product of this name, and nothing says which is meant: " + clip(strings.Join(all, ", "))
	}
	return nil
}

// peopleNames adds the names that numbering authorities and vendors write, of a vendor
// that the CPE names know.
func (m *matcher) peopleNames(s *subject, cpes []Product, vendors map[string]bool, add func(Product, string, string, int, bool)) error {
	tried := map[string]bool{}
	for _, q := range append(slices.Clone(cpes), Product{Vendor: s.fact.Supplier, Name: s.project}) {
		if tried[squeeze(q.Name)] {
			continue
		}
		tried[squeeze(q.Name)] = true
		names, err := m.x.named(q.Name)
		if err != nil {
			return err
		}
		for _, p := range names {
			v := squeeze(p.Vendor)
			own := v == squeeze(p.Name) || vendors[v]
			for vendor := range vendors {
				own = own || len(vendor) >= 4 && strings.Contains(v, vendor)
			}
			if v != "" && v != "na" && own && len(cpes) > 0 {
				add(p, "the name "+clip(p.Vendor+" "+p.Name), s.version, 2, false)
			}
		}
	}
	return nil
}
