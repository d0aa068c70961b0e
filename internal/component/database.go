package component

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// The readers of this file turn the text of a package database into packages. They take
// what is well-formed and pass over the rest: a damaged entry hides itself, not the others.

const (
	packagesAtMost = 50000
	lineAtMost     = 1 << 20
)

// stanzas calls f with each block of Key: value lines; continued lines are joined with
// line feeds.
func stanzas(text []byte, f func(field map[string]string)) {
	field, key := map[string]string{}, ""
	flush := func() {
		if len(field) > 0 {
			f(field)
		}
		field, key = map[string]string{}, ""
	}
	lines(text, func(line string) {
		switch {
		case strings.TrimSpace(line) == "":
			flush()
		case line[0] == ' ' || line[0] == '\t':
			if key != "" {
				field[key] += "\n" + strings.TrimSpace(line)
			}
		default:
			k, v, ok := strings.Cut(line, ":")
			if !ok {
				return
			}
			key = strings.ToLower(k)
			field[key] = strings.TrimSpace(v)
		}
	})
	flush()
}

func lines(text []byte, f func(line string)) {
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(make([]byte, 64<<10), lineAtMost)
	for s.Scan() {
		f(strings.TrimSuffix(s.Text(), "\r"))
	}
}

// ReadDebControl reads the status file of dpkg or opkg, or one entry of status.d. eco is
// deb or opkg; distro is the purl's namespace. Packages that are not installed are left
// out.
func ReadDebControl(text []byte, eco, distro string) []Package {
	var out []Package
	stanzas(text, func(f map[string]string) {
		if f["package"] == "" || f["version"] == "" || len(out) >= packagesAtMost {
			return
		}
		if s := f["status"]; s != "" && !strings.HasSuffix(s, " installed") && !strings.HasSuffix(s, " unpacked") {
			return
		}
		p := Package{Name: f["package"], Version: f["version"], Arch: f["architecture"], Ecosystem: eco, Namespace: distro,
			Supplier: maintainer(f["maintainer"]), License: f["license"], How: "package-database",
			Depends: relations(f["depends"], f["pre-depends"])}
		if s := f["source"]; s != "" {
			name, version, _ := strings.Cut(s, " ")
			p.Source, p.SourceVersion = path.Base(name), strings.Trim(version, "() ")
			if eco == "opkg" {
				// OpenWrt writes the path of the recipe: feeds/base/package/libs/zlib.
				p.SourceVersion = ""
			}
		}
		if c := f["cpe-id"]; c != "" {
			p.CPE = cpePair(c)
		}
		out = append(out, p)
	})
	return out
}

// maintainer takes the address off a name.
func maintainer(s string) string {
	name, _, _ := strings.Cut(s, "<")
	return strings.TrimSpace(name)
}

// relations returns the names in dependency fields: the first of alternatives, versions
// and architectures left out.
func relations(fields ...string) []string {
	var out []string
	for _, f := range fields {
		for _, r := range strings.Split(strings.ReplaceAll(f, "\n", " "), ",") {
			r, _, _ = strings.Cut(strings.TrimSpace(r), "|")
			r, _, _ = strings.Cut(r, "(")
			r, _, _ = strings.Cut(strings.TrimSpace(r), " ")
			r, _, _ = strings.Cut(r, ":")
			if r != "" && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// cpePair takes vendor:product out of a CPE name of either version.
func cpePair(c string) string {
	c = strings.TrimPrefix(strings.TrimPrefix(c, "cpe:/"), "cpe:2.3:")
	w := strings.Split(c, ":")
	if len(w) < 3 || len(w[0]) != 1 || w[1] == "" || w[2] == "" || w[1] == "*" || w[2] == "*" {
		return ""
	}
	return w[0] + ":" + w[1] + ":" + w[2]
}

// ReadFileList reads a list of paths, one a line, as dpkg and opkg keep it.
func ReadFileList(text []byte) []string {
	var out []string
	lines(text, func(line string) {
		line, _, _ = strings.Cut(line, "\t") // opkg: path, digest, mode
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") && len(out) < 1<<20 {
			out = append(out, path.Clean(line))
		}
	})
	return out
}

// ReadAPK reads lib/apk/db/installed of Alpine's package manager.
func ReadAPK(text []byte, distro string) []Package {
	var out []Package
	var p Package
	dir := ""
	flush := func() {
		if p.Name != "" && p.Version != "" && len(out) < packagesAtMost {
			p.Ecosystem, p.Namespace, p.How = "apk", distro, "package-database"
			out = append(out, p)
		}
		p, dir = Package{}, ""
	}
	lines(text, func(line string) {
		k, v, ok := strings.Cut(line, ":")
		if line == "" {
			flush()
		}
		if !ok || len(k) != 1 {
			return
		}
		switch k {
		case "P":
			p.Name = v
		case "V":
			p.Version = v
		case "A":
			p.Arch = v
		case "o":
			p.Source = v
		case "L":
			p.License = v
		case "m":
			p.Supplier = maintainer(v)
		case "D":
			for _, d := range strings.Fields(v) {
				d = strings.TrimLeft(d, "!")
				if i := strings.IndexAny(d, "<>=~"); i > 0 {
					d = d[:i]
				}
				if _, after, ok := strings.Cut(d, ":"); ok {
					d = after
				}
				p.Depends = append(p.Depends, d)
			}
		case "F":
			dir = "/" + v
		case "R":
			p.Files = append(p.Files, path.Join(dir, v))
		}
	})
	flush()
	return out
}

// ReadPacman reads a desc file of pacman's local database.
func ReadPacman(text []byte) []Package {
	p := Package{Ecosystem: "alpm", Namespace: "arch", How: "package-database"}
	key := ""
	lines(text, func(line string) {
		switch {
		case strings.HasPrefix(line, "%"):
			key = line
		case line == "":
		case key == "%NAME%":
			p.Name = line
		case key == "%BASE%":
			p.Source = line
		case key == "%VERSION%":
			p.Version = line
		case key == "%ARCH%":
			p.Arch = line
		case key == "%LICENSE%":
			p.License = line
		case key == "%DEPENDS%":
			if i := strings.IndexAny(line, "<>="); i > 0 {
				line = line[:i]
			}
			p.Depends = append(p.Depends, line)
		}
	})
	if p.Name == "" || p.Version == "" {
		return nil
	}
	return []Package{p}
}

// ReadBuildrootManifest reads the manifest.csv that Buildroot's legal-info writes.
func ReadBuildrootManifest(text []byte) []Package {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	var head []string
	var out []Package
	for len(out) < packagesAtMost {
		row, err := r.Read()
		if err != nil {
			return out
		}
		if head == nil {
			head = row
			if len(head) == 0 || strings.ToUpper(strings.Trim(head[0], `"`)) != "PACKAGE" {
				return nil
			}
			continue
		}
		field := map[string]string{}
		for i, v := range row {
			if i < len(head) {
				field[strings.ToUpper(head[i])] = v
			}
		}
		p := Package{Name: field["PACKAGE"], Version: field["VERSION"], License: field["LICENSE"], Ecosystem: "buildroot", How: "manifest"}
		for _, d := range strings.Fields(field["DEPENDENCIES WITH LICENSES"]) {
			if !strings.HasPrefix(d, "[") && !strings.HasSuffix(d, "]") {
				p.Depends = append(p.Depends, d)
			}
		}
		if p.Name != "" && p.Version != "" {
			out = append(out, p)
		}
	}
	return out
}

// ReadYoctoManifest reads the license.manifest of a Yocto image, or the plain manifest of
// NAME ARCH VERSION lines.
func ReadYoctoManifest(text []byte) []Package {
	var out []Package
	if bytes.HasPrefix(text, []byte("PACKAGE NAME:")) {
		stanzas(text, func(f map[string]string) {
			if f["package name"] != "" && f["package version"] != "" && len(out) < packagesAtMost {
				out = append(out, Package{Name: f["package name"], Version: f["package version"], Source: f["recipe name"],
					License: f["license"], Ecosystem: "yocto", How: "manifest"})
			}
		})
		return out
	}
	wrong := 0
	lines(text, func(line string) {
		w := strings.Fields(line)
		if len(w) != 3 || w[2] == "" || !digit(w[2][0]) {
			wrong++
			return
		}
		if len(out) < packagesAtMost {
			out = append(out, Package{Name: w[0], Arch: w[1], Version: w[2], Ecosystem: "yocto", How: "manifest"})
		}
	})
	if wrong > len(out)/10 {
		return nil
	}
	return out
}

// ReadSBOM reads a CycloneDX or SPDX JSON document that lies in an image.
func ReadSBOM(text []byte) []Package {
	var doc struct {
		BOMFormat   string `json:"bomFormat"`
		SPDXVersion string `json:"spdxVersion"`
		Components  []struct {
			Name, Version, CPE, PURL string
			Supplier                 struct{ Name string }
		}
		Packages []struct {
			Name         string
			VersionInfo  string `json:"versionInfo"`
			Supplier     string
			License      string `json:"licenseConcluded"`
			Purpose      string `json:"primaryPackagePurpose"`
			ExternalRefs []struct {
				Type    string `json:"referenceType"`
				Locator string `json:"referenceLocator"`
			} `json:"externalRefs"`
		}
	}
	if json.Unmarshal(text, &doc) != nil || doc.BOMFormat != "CycloneDX" && doc.SPDXVersion == "" {
		return nil
	}
	var out []Package
	for _, c := range doc.Components {
		if c.Name != "" && c.Version != "" && len(out) < packagesAtMost {
			out = append(out, Package{Name: c.Name, Version: c.Version, CPE: cpePair(c.CPE), Supplier: c.Supplier.Name, Ecosystem: "sbom", How: "manifest"})
		}
	}
	for _, p := range doc.Packages {
		if p.Name == "" || p.VersionInfo == "" || p.Purpose == "SOURCE" || p.Purpose == "FILE" || len(out) >= packagesAtMost {
			continue
		}
		q := Package{Name: p.Name, Version: p.VersionInfo, Ecosystem: "sbom", How: "manifest"}
		_, q.Supplier, _ = strings.Cut(p.Supplier, ": ")
		if p.License != "NOASSERTION" {
			q.License = p.License
		}
		for _, r := range p.ExternalRefs {
			if strings.HasPrefix(r.Type, "cpe") {
				q.CPE = cpePair(r.Locator)
			}
		}
		out = append(out, q)
	}
	return out
}
