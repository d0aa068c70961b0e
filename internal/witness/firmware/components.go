package firmware

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// components says which software is in a root: package databases, manifests, and what
// the signatures have found in the contents, merged by package component.
var components = inspector{
	name:  "components",
	kinds: []fact.Kind{fact.KindComponent},
	look:  lookComponents,
}

const databaseAtMost = 64 << 20

func lookComponents(r *Root) {
	m := r.matcher
	if m == nil {
		none, err := component.New(nil)
		if err != nil {
			return
		}
		m = none
	}
	in := r.installed()
	for _, err := range in.failed {
		r.Blind(fact.KindComponent, "partial", "package database "+err.Error())
	}
	owner := r.owners().paths
	packages := slices.Concat(in.packages, r.manifests(owner))
	found := m.Merge(r.contents(owner), packages)
	r.mended(found)
	for _, c := range found {
		r.Add(c)
	}
}

// contents are the entries of the root, as the merging wants to see them.
func (r *Root) contents(owner map[string]string) []component.File {
	links := map[*File][]string{}
	for _, f := range r.Files() {
		if f.Node.Kind == image.Symlink {
			if to := r.Lookup(f.Path); to != nil && to.Regular() {
				links[to] = append(links[to], f.Path)
			}
		}
	}
	var out []component.File
	for _, f := range r.Files() {
		if f.Node.Kind != image.File && f.Node.Kind != image.Dir {
			continue
		}
		c := component.File{Path: f.Path, Links: links[f], Place: f.Place(), Package: owner[f.Path]}
		if f.Trace != nil {
			c.Object = f.Trace.Type == "elf"
			c.Text = f.Trace.Type == "text" || f.Trace.Type == "script"
			c.Evidence, c.Digest = f.Trace.Evidence, f.Trace.SHA256
		}
		out = append(out, c)
	}
	return out
}

// read returns the content of a file that is too large to be kept as text.
func (r *Root) read(f *File, most int64) ([]byte, error) {
	if text, ok := f.Text(); ok {
		return []byte(text), nil
	}
	if f.Node.Size > most {
		return nil, fmt.Errorf("%q: %d bytes are over the limit of %d", f.Path, f.Node.Size, most)
	}
	b := f.head(most)
	if b == nil && f.Node.Size > 0 {
		return nil, fmt.Errorf("%q: its content is not there", f.Path)
	}
	return b, nil
}

// database is a package database of a distribution: where it lies and who reads it.
type database struct {
	paths []string // patterns of Root.Glob
	read  func(text []byte, distro string) ([]component.Package, error)
}

var databases = []database{
	{[]string{"/var/lib/dpkg/status", "/var/lib/dpkg/status.d/*"}, func(b []byte, d string) ([]component.Package, error) {
		return component.ReadDebControl(b, "deb", d), nil
	}},
	{[]string{"/usr/lib/opkg/status", "/var/lib/opkg/status", "/var/lib/opkg/info/*.control", "/usr/lib/opkg/info/*.control", "/usr/lib/ipkg/status"},
		func(b []byte, d string) ([]component.Package, error) {
			return component.ReadDebControl(b, "opkg", d), nil
		}},
	{[]string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"}, func(b []byte, d string) ([]component.Package, error) {
		return component.ReadAPK(b, d), nil
	}},
	{[]string{"/var/lib/pacman/local/*/desc"}, func(b []byte, _ string) ([]component.Package, error) {
		return component.ReadPacman(b), nil
	}},
	{[]string{"/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages.db", "/usr/lib/sysimage/rpm/Packages.db",
		"/var/lib/rpm/Packages", "/usr/lib/sysimage/rpm/Packages"}, component.ReadRPM},
}

// builds are manifests that a build system leaves in an image.
var builds = []database{
	{[]string{"/**/legal-info/manifest.csv", "/etc/manifest.csv", "/usr/share/**/manifest.csv"}, func(b []byte, _ string) ([]component.Package, error) {
		return component.ReadBuildrootManifest(b), nil
	}},
	{[]string{"/**/license.manifest", "/**/*.rootfs.manifest"}, func(b []byte, _ string) ([]component.Package, error) {
		return component.ReadYoctoManifest(b), nil
	}},
	{[]string{"/**/*.spdx.json", "/**/*.cdx.json", "/**/sbom.json", "/**/bom.json"}, func(b []byte, _ string) ([]component.Package, error) {
		return component.ReadSBOM(b), nil
	}},
}

// installed is what the package databases of a root say.
type installed struct {
	packages []component.Package
	failed   []error // of databases
}

// readInstalled reads the package databases of the root. Where there is none, the
// manifests of the build system stand for them.
func readInstalled(r *Root) installed {
	distro := r.distribution()
	out := r.fromDatabases(databases, distro)
	if len(out.packages) == 0 {
		builds := r.fromDatabases(builds, distro)
		out = installed{builds.packages, slices.Concat(out.failed, builds.failed)}
	}
	return out
}

func (r *Root) fromDatabases(list []database, distro string) installed {
	var out installed
	have := map[string]bool{}
	for _, d := range list {
		for _, f := range r.Glob(d.paths...) {
			if !f.Regular() {
				continue
			}
			text, err := r.read(f, databaseAtMost)
			var packages []component.Package
			if err == nil {
				packages, err = d.read(text, distro)
			}
			if err != nil {
				out.failed = append(out.failed, err)
			}
			for _, p := range packages {
				key := p.Ecosystem + "\x00" + p.Name + "\x00" + p.Version
				if !have[key] {
					have[key] = true
					p.Place = f.Place()
					out.packages = append(out.packages, p)
				}
			}
		}
	}
	return out
}

// distribution returns the word by which package URLs name the distribution.
func (r *Root) distribution() string {
	for _, p := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		text, _ := r.Text(p)
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "ID="); ok {
				return strings.ToLower(strings.Trim(v, `"'`))
			}
		}
	}
	if r.Lookup("/etc/debian_version") != nil {
		return "debian"
	}
	return ""
}

// manifests reads the manifests of language packages that no package of the system owns.
func (r *Root) manifests(owner map[string]string) []component.Package {
	var out []component.Package
	for _, f := range r.Files() {
		if !f.Regular() || owner[f.Path] != "" || !component.MatchPath(f.Path) {
			continue
		}
		text, err := r.read(f, MaxText)
		if err != nil {
			continue
		}
		for _, p := range component.ReadManifest(f.Path, text) {
			p.Place = f.Place()
			if !slices.ContainsFunc(out, func(o component.Package) bool {
				return o.Name == p.Name && o.Version == p.Version && o.Ecosystem == p.Ecosystem && path.Dir(o.Place.Path) == path.Dir(p.Place.Path)
			}) {
				out = append(out, p)
			}
		}
	}
	return out
}
