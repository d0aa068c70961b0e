package advisory

import (
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// answer is what one question about a product ends with.
type answer int

const (
	no answer = iota
	perhaps
	yes
)

// platform is what the device is made of, as far as the facts say.
type platform struct {
	os         string              // linux, windows, vxworks ...; "" where it is not known
	arch       map[string]bool     // as the facts write them; empty where none is known
	names      []string            // vendor and model, squeezed
	distro     string              // id of the distribution
	release    string              // its version
	components map[string][]string // upstream versions by name and by vendor:product
	complete   bool                // a witness saw all components
	kernel     string              // its version
}

func platformOf(facts *fact.Set) *platform {
	p := &platform{arch: map[string]bool{}, components: map[string][]string{}}
	for _, d := range facts.Device {
		if p.os == "" {
			p.os = strings.ToLower(d.OS)
		}
		if p.distro == "" && d.DistroID != "" {
			p.distro, p.release = d.DistroID, d.DistroVersion
		}
		if d.Arch != "" {
			p.arch[d.Arch] = true
		}
		if s := squeeze(d.Vendor); s != "" && d.Model != "" {
			p.names = append(p.names, s, squeeze(d.Model))
		}
	}
	for _, k := range facts.Kernel {
		if p.os == "" {
			p.os = strings.ToLower(k.Name)
		}
		if k.Arch != "" {
			p.arch[k.Arch] = true
		}
		if k.Name == "linux" && p.kernel == "" {
			p.kernel = k.Version
		}
	}
	for _, e := range facts.Executable {
		if e.Arch != "" {
			p.arch[e.Arch] = true
		}
	}
	for _, c := range facts.Component {
		p.complete = p.complete || c.Source.Witness == fact.Firmware
		if c.Name == "linux" && p.os == "" {
			p.os = "linux"
		}
		if c.Name == "linux" && p.kernel == "" {
			p.kernel = c.Version
		}
		keys := []string{c.Name}
		for _, name := range c.CPEs {
			if q, _, err := ParseCPE(name); err == nil {
				keys = append(keys, q.Vendor+":"+q.Name)
			}
		}
		for _, k := range keys {
			p.components[k] = append(p.components[k], c.Version)
		}
	}
	return p
}

// squeeze leaves the letters and digits of a name, in lower case.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r > 0x7f:
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, s)
}

// systems are the operating systems that names of products and platforms stand for.
var systems = map[string]string{
	"linux": "linux", "linux_kernel": "linux", "windows": "windows", "windows_nt": "windows", "android": "android",
	"macos": "macos", "mac_os": "macos", "mac_os_x": "macos", "os_x": "macos", "osx": "macos", "iphone_os": "ios", "ios": "ios", "ipados": "ios", "tvos": "ios", "watchos": "ios",
	"vxworks": "vxworks", "qnx": "qnx", "qnx_neutrino_rtos": "qnx", "neutrino": "qnx", "freebsd": "freebsd", "openbsd": "openbsd", "netbsd": "netbsd", "solaris": "solaris", "sunos": "solaris",
	"aix": "aix", "hp-ux": "hp-ux", "openvms": "openvms", "vms": "openvms", "z/os": "z/os", "cygwin": "windows", "esxi": "esxi", "nucleus": "nucleus", "freertos": "freertos",
	"zephyr": "zephyr", "threadx": "threadx", "symbian": "symbian", "blackberry": "blackberry", "chrome_os": "chrome_os", "netware": "netware", "os/2": "os/2", "beos": "beos",
}

// distributions are systems made of Linux, by the names that CPE gives them.
var distributions = map[string]string{
	"debian_linux": "debian", "ubuntu_linux": "ubuntu", "fedora": "fedora", "enterprise_linux": "rhel", "opensuse": "opensuse", "leap": "opensuse", "centos": "centos", "alpine_linux": "alpine",
	"openwrt": "openwrt", "suse_linux_enterprise_server": "sles", "linux_enterprise_server": "sles", "gentoo_linux": "gentoo", "arch_linux": "arch", "slackware_linux": "slackware", "oracle_linux": "ol", "mandrake_linux": "mandrake",
}

// system reads the name of an operating system; "" where it is none that is known.
func system(name string) string {
	if s := systems[name]; s != "" {
		return s
	}
	if strings.HasPrefix(name, "windows_") {
		return "windows"
	}
	if distributions[name] != "" || strings.HasPrefix(name, "enterprise_linux") || strings.HasSuffix(name, "_linux") {
		return "linux"
	}
	return ""
}

// runs says whether the device runs a system, by its common name.
func (p *platform) runs(os string) (answer, string) {
	switch p.os {
	case "":
		return perhaps, "it presupposes " + os + ", and which system the device runs is not known"
	case os:
		return yes, "the device runs " + os
	}
	return no, "it presupposes " + os + ", and the device runs " + p.os
}

// languages are the platforms of packages, by the names that CPE gives them, with the
// ecosystem of ours.
var languages = map[string]string{
	"node.js": "npm", "nodejs": "npm", "python": "pypi", "ruby": "gem", "ruby_on_rails": "gem", "rust": "cargo", "go": "golang", "golang": "golang", "java": "maven", "maven": "maven", "php": "composer", "composer": "composer",
	"perl": "cpan", ".net": "nuget", ".net_framework": "nuget", "asp.net": "nuget", "lua": "luarocks", "erlang": "hex", "elixir": "hex", "r": "cran", "dart": "pub", "swift": "swift",
}

// architectures are those that CPE names mean by their own words.
var architectures = map[string][]string{
	"x64": {"x86_64"}, "x86": {"x86"}, "x86_64": {"x86_64"}, "amd64": {"x86_64"}, "i386": {"x86"}, "arm": {"arm"}, "arm64": {"arm64"}, "aarch64": {"arm64"},
	"mips": {"mips", "mipsel"}, "mips64": {"mips64", "mips64el"}, "powerpc": {"ppc", "ppc64"}, "ppc": {"ppc"}, "ppc64": {"ppc64"}, "riscv": {"riscv64", "riscv32"}, "sparc": {"sparc", "sparc64"}, "s390": {"s390x"}, "s390x": {"s390x"}, "itanium": {"ia64"},
	"alpha": {"alpha"}, "pa-risc": {"hppa"},
}

func (p *platform) has(arch []string, word string) (answer, string) {
	if len(p.arch) == 0 {
		return perhaps, "it presupposes " + word + ", and the device's processor is not known"
	}
	for _, a := range arch {
		if p.arch[a] {
			return yes, "the device's processor is " + a
		}
	}
	return no, "it presupposes " + word + ", and the device's processor is " + strings.Join(sorted(p.arch), ", ")
}

func sorted(set map[string]bool) []string {
	var out []string
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// fits says whether a name of a product can mean a component: what it says of the
// platform that it is for, of hardware and editions.
func (p *platform) fits(c *fact.Component, q *Product) (answer, string) {
	if q.Part == "h" {
		return no, "it speaks of a thing and not of software"
	}
	result, reason := yes, ""
	take := func(a answer, why string) {
		if a < result {
			result, reason = a, why
		}
	}
	if t := q.TargetSoftware; t != "" && t != "-" {
		take(p.target(c, t))
	}
	if t := q.TargetHardware; t != "" && t != "-" {
		if arch := architectures[t]; arch != nil {
			take(p.has(arch, t))
		} else {
			take(perhaps, "it is said of the hardware "+clip(t)+" alone")
		}
	}
	if q.SoftwareEdition == "supported_preview" && !strings.Contains(strings.ToLower(c.Version), "-s") {
		take(no, "it speaks of the preview edition of subscribers")
	}
	return result, reason
}

// target says whether a component is for a platform that a CPE name demands.
func (p *platform) target(c *fact.Component, t string) (answer, string) {
	if os := system(t); os != "" {
		return p.runs(os)
	}
	if eco := languages[t]; eco != "" {
		if c.Ecosystem == eco || strings.HasPrefix(c.PURL, "pkg:"+eco+"/") {
			return yes, ""
		}
		if eco == "composer" && strings.HasPrefix(c.Name, "php") || eco == "npm" && strings.HasPrefix(c.Name, "node") || eco == "pypi" && strings.HasPrefix(c.Name, "python") {
			return yes, ""
		}
		return no, "it speaks of a package of " + t + " of the same name"
	}
	return no, "it speaks of what runs in " + clip(t)
}

// presupposed says whether one of the products that a statement presupposes is there.
func (p *platform) presupposed(any AnyOf) (answer, string) {
	result, reason := no, "what it presupposes is not there"
	for i := range any {
		if a, why := p.holds(&any[i]); a > result || i == 0 {
			result, reason = a, why
		}
		if result == yes {
			break
		}
	}
	return result, reason
}

func (p *platform) holds(part *Part) (answer, string) {
	q := &part.Product
	name := q.Vendor + ":" + q.Name
	if q.By != ByCPE {
		name = q.Name
	}
	have := p.components[name]
	if have == nil && q.By != ByCPE {
		have = p.components[strings.ToLower(q.Name)]
	}
	if q.Name == "linux_kernel" && p.kernel != "" {
		have = []string{p.kernel}
	}
	if have != nil {
		return p.oneOf(part, have, name)
	}
	switch {
	case q.Part == "h":
		if arch := architectures[q.Name]; arch != nil {
			return p.has(arch, q.Name)
		}
		if len(p.names) > 0 && slices.Contains(p.names, squeeze(q.Vendor)) && slices.Contains(p.names, squeeze(q.Name)) {
			return yes, "the device is " + name
		}
		return perhaps, "it presupposes the hardware " + clip(name) + ", and whether this is in the device is not known"
	case q.Part == "o":
		if id := distributions[q.Name]; id != "" && (p.distro != "" || p.os != "" && p.os != "linux") {
			if id == p.distro {
				return p.oneOf(part, []string{p.release}, name)
			}
			return no, "it presupposes " + clip(name) + ", and the device is another system"
		}
		if os := system(q.Name); os != "" {
			return p.runs(os)
		}
		if p.os == "linux" {
			return no, "it presupposes the system " + clip(name) + ", and the device runs linux"
		}
		return perhaps, "it presupposes the system " + clip(name) + ", and whether the device runs it is not known"
	case !p.complete:
		return perhaps, "it presupposes " + clip(name) + ", and whether this is in the device was not seen"
	}
	return no, "it presupposes " + clip(name) + ", and no such component is in the image"
}

// oneOf says whether one of the versions that are there is among those presupposed.
func (p *platform) oneOf(part *Part, have []string, name string) (answer, string) {
	result, reason := no, "it presupposes "+clip(name)+" in another version"
	if len(part.Versions) == 0 {
		return yes, clip(name) + " is there"
	}
	for _, v := range have {
		for i := range part.Versions {
			if v == "" {
				return perhaps, "it presupposes versions of " + clip(name) + ", and that of the one in the device is not known"
			}
			w, err := locate(&part.Product, &part.Versions[i], part.Product.Name, v)
			switch {
			case err != nil:
				result, reason = perhaps, "it presupposes versions of "+clip(name)+": "+err.Error()
			case w == inside:
				return yes, clip(name) + " " + v + " is there"
			}
		}
	}
	return result, reason
}
