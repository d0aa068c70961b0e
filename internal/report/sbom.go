package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// part is a component as the forms of SBOM write it.
type part struct {
	*fact.Component
	Ref     string   // its name within the document: made of root, name and version, unique
	Needs   []string // refs of the components it needs
	CPEs    []string // those that are well-formed
	PURL    string   // where it is one
	SHA256  string   // where the digest is one
	Version string   // with the distribution's suffix
}

// parts returns the components of a dossier in the order of their names.
func parts(d *dossier.Dossier) []*part {
	var out []*part
	taken := map[string]int{}
	byName := map[string][]*part{} // root and name
	for _, c := range components(d) {
		p := &part{Component: c, Version: clean(c.Version + c.Suffix)}
		p.Ref = refName(c.Root) + "-" + refName(c.Name) + "-" + refName(p.Version)
		taken[p.Ref]++
		if n := taken[p.Ref]; n > 1 {
			p.Ref += fmt.Sprintf("--%d", n) // no single ref ends like this: refName doubles no hyphen
		}
		for _, s := range c.CPEs {
			if strings.HasPrefix(s, "cpe:2.3:") && strings.Count(strings.ReplaceAll(s, `\:`, ""), ":") == 12 && printable(s) {
				p.CPEs = append(p.CPEs, s)
			}
		}
		if kind, rest, ok := strings.Cut(strings.TrimPrefix(c.PURL, "pkg:"), "/"); ok && strings.HasPrefix(c.PURL, "pkg:") && kind != "" && rest != "" && printable(c.PURL) {
			p.PURL = c.PURL
		}
		if s, ok := strings.CutPrefix(c.Digest, "sha256:"); ok {
			if b, err := hex.DecodeString(s); err == nil && len(b) == sha256.Size {
				p.SHA256 = strings.ToLower(s)
			}
		}
		out = append(out, p)
		byName[c.Root+"\x00"+c.Name] = append(byName[c.Root+"\x00"+c.Name], p)
	}
	for _, p := range out {
		for _, name := range p.Depends {
			for _, q := range byName[p.Root+"\x00"+name] {
				if q != p {
					p.Needs = append(p.Needs, q.Ref)
				}
			}
		}
		slices.Sort(p.Needs)
		p.Needs = slices.Compact(p.Needs)
	}
	return out
}

// printable reports whether s is ASCII without blanks, as identifiers are.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// refName reduces a text to what identifiers of all forms may hold: letters, digits,
// points and single hyphens.
func refName(s string) string {
	var b strings.Builder
	hyphen := true
	for _, r := range cut(s, 80) {
		ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.'
		if ok {
			b.WriteRune(r)
		} else if !hyphen {
			b.WriteByte('-')
		}
		hyphen = !ok
	}
	if s := strings.TrimRight(b.String(), "-"); s != "" {
		return s
	}
	return "unstated"
}

// uuid makes the name of a document from its content: RFC 9562, version 8.
func uuid(d *dossier.Dossier, form string) (string, error) {
	digest, err := d.Digest()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(form + "\n" + digest))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// componentsComplete reports whether every source saw all components. It is never so
// where none says it did.
func componentsComplete(d *dossier.Dossier) bool {
	full := false
	for _, c := range d.Coverage {
		if c.Kind == fact.KindComponent {
			if c.Level != "full" {
				return false
			}
			full = true
		}
	}
	return full && len(d.Gaps) == 0
}
