package component

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// readNPM reads the package.json of an installed package.
func readNPM(p string, text []byte) []Package {
	var doc struct {
		Name, Version string
		License       any
		Dependencies  map[string]string
	}
	if json.Unmarshal(text, &doc) != nil || doc.Name == "" || doc.Version == "" {
		return nil
	}
	// Only the manifest of a package itself: node_modules/NAME or node_modules/@SCOPE/NAME.
	if !strings.HasSuffix(path.Dir(p), "/node_modules/"+doc.Name) {
		return nil
	}
	q := Package{Name: doc.Name, Version: doc.Version, Ecosystem: "npm", How: "manifest", Depends: sortedKeys(doc.Dependencies)}
	q.License, _ = doc.License.(string)
	return []Package{q}
}

// readPython reads the METADATA or PKG-INFO of an installed distribution.
func readPython(_ string, text []byte) []Package {
	p := Package{Ecosystem: "pypi", How: "manifest"}
	done := false
	lines(text, func(line string) {
		if line == "" {
			done = true
		}
		k, v, ok := strings.Cut(line, ": ")
		if done || !ok {
			return
		}
		switch k {
		case "Name":
			p.Name = pypiName(v)
		case "Version":
			p.Version = v
		case "License", "License-Expression":
			if len(v) < 80 && v != "UNKNOWN" {
				p.License = v
			}
		case "Requires-Dist":
			if !strings.Contains(v, "extra ==") {
				if n := pypiWord.FindString(v); n != "" {
					p.Depends = append(p.Depends, pypiName(n))
				}
			}
		}
	})
	if p.Name == "" || p.Version == "" {
		return nil
	}
	return []Package{p}
}

var pypiWord = search.Lazy(`^[A-Za-z0-9._-]+`)

// pypiName normalises a name as PEP 503 does.
func pypiName(n string) string {
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(n))
}

var gemField = search.Lazy(`(?m)^\s*s\.(name|version|license|licenses)\s*=\s*(?:\[)?"([^"]+)"`)

// readGem reads the gemspec of an installed gem.
func readGem(_ string, text []byte) []Package {
	p := Package{Ecosystem: "gem", How: "manifest"}
	for _, m := range gemField.FindAllSubmatch(text[:min(len(text), 64<<10)], -1) {
		switch string(m[1]) {
		case "name":
			p.Name = string(m[2])
		case "version":
			p.Version = string(m[2])
		default:
			p.License = string(m[2])
		}
	}
	if p.Name == "" || p.Version == "" {
		return nil
	}
	return []Package{p}
}

// readPom reads the pom.properties that Maven puts into a jar.
func readPom(_ string, text []byte) []Package {
	p := Package{Ecosystem: "maven", How: "manifest"}
	lines(text, func(line string) {
		k, v, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(k) {
		case "artifactId":
			p.Name = strings.TrimSpace(v)
		case "groupId":
			p.Namespace = strings.TrimSpace(v)
		case "version":
			p.Version = strings.TrimSpace(v)
		}
	})
	if p.Name == "" || p.Version == "" {
		return nil
	}
	return []Package{p}
}

// readComposer reads vendor/composer/installed.json of PHP's package manager.
func readComposer(_ string, text []byte) []Package {
	type entry struct {
		Name, Version string
		License       []string
	}
	var doc struct{ Packages []entry }
	if json.Unmarshal(text, &doc) != nil {
		if json.Unmarshal(text, &doc.Packages) != nil { // version 1 is a bare list
			return nil
		}
	}
	var out []Package
	for _, e := range doc.Packages {
		if e.Name == "" || e.Version == "" || len(out) >= packagesAtMost {
			continue
		}
		out = append(out, Package{Name: e.Name, Version: strings.TrimPrefix(e.Version, "v"), License: strings.Join(e.License, " OR "), Ecosystem: "composer", How: "manifest"})
	}
	return out
}

var rockField = search.Lazy(`(?m)^\s*(package|version|license)\s*=\s*["']([^"']+)["']`)

// readRock reads the rockspec of an installed Lua rock.
func readRock(_ string, text []byte) []Package {
	p := Package{Ecosystem: "luarocks", How: "manifest"}
	for _, m := range rockField.FindAllSubmatch(text[:min(len(text), 64<<10)], -1) {
		switch string(m[1]) {
		case "package":
			p.Name = strings.ToLower(string(m[2]))
		case "version":
			p.Version, _, _ = strings.Cut(string(m[2]), "-")
		case "license":
			p.License = string(m[2])
		}
	}
	if p.Name == "" || p.Version == "" {
		return nil
	}
	return []Package{p}
}
