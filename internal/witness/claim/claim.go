// Package claim is the witness for what the vendor says: it reads the papers that come
// with a device and states them as facts of the source claim.
//
// It reads software bills of materials ([SBOM]: CycloneDX as JSON or XML, SPDX 2 as JSON or
// tag-value), the MDS2 form ([MDS2]: CSV, JSON, XLSX) and lists of ports ([Ports]: CSV);
// [Read] tells them apart. A component that a paper names becomes a component fact, an
// answer a claim fact, a port a service fact, to be held against what was found. [Lint]
// holds the answers of a form against each other. It judges nothing else.
package claim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// cyclone and spdx are what we read of the two forms.
type cyclone struct {
	BOMFormat   string             `json:"bomFormat"`
	SpecVersion string             `json:"specVersion"`
	Components  []cycloneComponent `json:"components"`
}

type cycloneComponent struct {
	Type       string                `json:"type"`
	Name       string                `json:"name"`
	Version    string                `json:"version"`
	PURL       string                `json:"purl"`
	CPE        string                `json:"cpe"`
	Supplier   struct{ Name string } `json:"supplier"`
	Components []cycloneComponent    `json:"components"`
}

type spdx struct {
	Version  string `json:"spdxVersion"`
	Packages []struct {
		Name     string `json:"name"`
		Version  string `json:"versionInfo"`
		Supplier string `json:"supplier"`
		Refs     []struct {
			Type    string `json:"referenceType"`
			Locator string `json:"referenceLocator"`
		} `json:"externalRefs"`
	} `json:"packages"`
}

// maxComponents bounds what a paper may list, and how deep components nest.
const (
	maxComponents = 200_000
	maxDepth      = 32
)

// Read states what a paper of any kind that the package knows says.
func Read(name string, data []byte) (fact.Set, error) {
	start := bytes.TrimLeft(bytes.TrimPrefix(data[:min(len(data), 4096)], []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(start, []byte("{")):
		var kind struct {
			BOMFormat string `json:"bomFormat"`
			SPDX      string `json:"spdxVersion"`
		}
		if json.Unmarshal(data, &kind) == nil && (kind.BOMFormat != "" || kind.SPDX != "") {
			return SBOM(name, data)
		}
	case bytes.HasPrefix(start, []byte("<")), isTagValue(start):
		return SBOM(name, data)
	case !bytes.HasPrefix(start, []byte("[")) && isPorts(data):
		return Ports(name, data)
	}
	return MDS2(name, data)
}

// SBOM states the components that a CycloneDX (JSON, XML) or SPDX 2 (JSON, tag-value)
// document declares. name is the file's base name; errors name it.
func SBOM(name string, data []byte) (fact.Set, error) {
	var set fact.Set
	start := bytes.TrimLeft(bytes.TrimPrefix(data[:min(len(data), 4096)], []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(start, []byte("<")):
		return cycloneXML(name, data)
	case isTagValue(start):
		return tagValue(name, data)
	}
	var kind struct {
		BOMFormat string `json:"bomFormat"`
		SPDX      string `json:"spdxVersion"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return set, fmt.Errorf("%s: not a JSON document: %w", name, err)
	}
	base := fact.Base{Source: fact.Source{Witness: fact.Claimed, Input: name}}
	add := func(c fact.Component, at string) {
		c.Base = base
		c.Places = []fact.Place{{Claim: "SBOM " + at}}
		c.How = "declared"
		set.Add(&c)
	}
	switch {
	case kind.BOMFormat == "CycloneDX":
		var doc cyclone
		if err := json.Unmarshal(data, &doc); err != nil {
			return set, fmt.Errorf("%s: CycloneDX: %w", name, err)
		}
		if err := cycloneComponents(name, doc.Components, 0, add, &set); err != nil {
			return set, err
		}
	case strings.HasPrefix(kind.SPDX, "SPDX-2"):
		var doc spdx
		if err := json.Unmarshal(data, &doc); err != nil {
			return set, fmt.Errorf("%s: SPDX: %w", name, err)
		}
		if len(doc.Packages) > maxComponents {
			return set, fmt.Errorf("%s: more than %d packages", name, maxComponents)
		}
		for _, p := range doc.Packages {
			c := fact.Component{Name: p.Name, Version: p.Version, Supplier: strings.TrimPrefix(p.Supplier, "Organization: ")}
			for _, r := range p.Refs {
				switch r.Type {
				case "purl":
					c.PURL = r.Locator
				case "cpe23Type":
					c.CPEs = append(c.CPEs, r.Locator)
				}
			}
			add(c, p.Name)
		}
	default:
		return set, fmt.Errorf("%s: neither CycloneDX nor SPDX 2", name)
	}
	set.Sort()
	return set, nil
}

func cycloneComponents(name string, list []cycloneComponent, depth int, add func(fact.Component, string), set *fact.Set) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: components nest deeper than %d", name, maxDepth)
	}
	for _, c := range list {
		if len(set.Component) >= maxComponents {
			return fmt.Errorf("%s: more than %d components", name, maxComponents)
		}
		f := fact.Component{Name: c.Name, Version: c.Version, PURL: c.PURL, Supplier: c.Supplier.Name, Type: c.Type}
		if c.CPE != "" {
			f.CPEs = []string{c.CPE}
		}
		add(f, c.Name)
		if err := cycloneComponents(name, c.Components, depth+1, add, set); err != nil {
			return err
		}
	}
	return nil
}
