package claim

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// declared adds a component that a paper of this name declares.
func declared(set *fact.Set, name string, c fact.Component) error {
	if c.Name == "" {
		return nil
	}
	if len(set.Component) >= maxComponents {
		return fmt.Errorf("%s: more than %d components", name, maxComponents)
	}
	c.Source = fact.Source{Witness: fact.Claimed, Input: name}
	c.Places = []fact.Place{{Claim: "SBOM " + c.Name}}
	c.How = "declared"
	set.Add(&c)
	return nil
}

// isTagValue reports whether a text begins as SPDX tag-value does: comments, then tags.
func isTagValue(start []byte) bool {
	for line := range bytes.Lines(start) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		return bytes.HasPrefix(line, []byte("SPDXVersion:"))
	}
	return false
}

// tagValue reads SPDX 2 as tags and values, one a line; a value in <text> may have many.
func tagValue(name string, data []byte) (fact.Set, error) {
	var set fact.Set
	var c fact.Component
	in, text := false, false
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\xef\xbb\xbf")) {
		number++
		line = strings.TrimSpace(line)
		if text {
			text = !strings.Contains(line, "</text>")
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		tag, value, ok := strings.Cut(line, ":")
		if !ok {
			return set, fmt.Errorf("%s: line %d: neither a tag nor a comment", name, number)
		}
		value = strings.TrimSpace(value)
		if rest, ok := strings.CutPrefix(value, "<text>"); ok {
			if value, _, ok = strings.Cut(rest, "</text>"); !ok {
				text = true
			}
		}
		switch tag {
		case "SPDXVersion":
			if !strings.HasPrefix(value, "SPDX-2") {
				return set, fmt.Errorf("%s: version %q: SPDX 2 is read", name, value)
			}
		case "PackageName":
			if err := declared(&set, name, c); err != nil {
				return set, err
			}
			c, in = fact.Component{Name: value}, true
		case "FileName", "SnippetSPDXID":
			if err := declared(&set, name, c); err != nil {
				return set, err
			}
			c, in = fact.Component{}, false
		}
		if !in || value == "NOASSERTION" || value == "NONE" {
			continue
		}
		switch tag {
		case "PackageVersion":
			c.Version = value
		case "PackageSupplier":
			c.Supplier = strings.TrimPrefix(value, "Organization: ")
		case "ExternalRef":
			if f := strings.Fields(value); len(f) == 3 && f[1] == "purl" {
				c.PURL = f[2]
			} else if len(f) == 3 && f[1] == "cpe23Type" {
				c.CPEs = append(c.CPEs, f[2])
			}
		}
	}
	if text {
		return set, fmt.Errorf("%s: a <text> has no end", name)
	}
	if err := declared(&set, name, c); err != nil {
		return set, err
	}
	set.Sort()
	return set, nil
}

// cycloneXML reads CycloneDX as XML: every component that stands in components, at any
// depth.
func cycloneXML(name string, data []byte) (fact.Set, error) {
	var set fact.Set
	var path []string
	var stack []*fact.Component
	var b strings.Builder
	bom := false
	err := walkXML(data, func(el xml.Name, attr []xml.Attr, end bool) error {
		if len(path) == 0 && !end {
			if bom = el.Local == "bom" && strings.Contains(el.Space, "cyclonedx.org/schema/bom"); !bom {
				return fmt.Errorf("the root is %q, not a CycloneDX bom", el.Local)
			}
		}
		if !end {
			parent := ""
			if len(path) > 0 {
				parent = path[len(path)-1]
			}
			path = append(path, el.Local)
			if el.Local == "component" && parent == "components" {
				if len(stack) > maxDepth {
					return fmt.Errorf("components nest deeper than %d", maxDepth)
				}
				c := &fact.Component{}
				for _, a := range attr {
					if a.Name.Local == "type" {
						c.Type = a.Value
					}
				}
				stack = append(stack, c)
			}
			b.Reset()
			return nil
		}
		path = path[:len(path)-1]
		parent := ""
		if len(path) > 0 {
			parent = path[len(path)-1]
		}
		value := clean(b.String())
		b.Reset()
		if len(stack) == 0 {
			return nil
		}
		c := stack[len(stack)-1]
		switch {
		case el.Local == "component" && parent == "components":
			stack = stack[:len(stack)-1]
			return declared(&set, name, *c)
		case parent == "supplier" && el.Local == "name":
			c.Supplier = value
		case parent != "component":
		case el.Local == "name":
			c.Name = value
		case el.Local == "version":
			c.Version = value
		case el.Local == "purl":
			c.PURL = value
		case el.Local == "cpe":
			c.CPEs = append(c.CPEs, value)
		}
		return nil
	}, func(s []byte) {
		if b.Len() < maxCell {
			b.Write(s)
		}
	})
	if err != nil {
		return set, fmt.Errorf("%s: CycloneDX: %w", name, err)
	}
	if !bom {
		return set, fmt.Errorf("%s: neither CycloneDX nor SPDX 2", name)
	}
	set.Sort()
	return set, nil
}
