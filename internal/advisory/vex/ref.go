package vex

import (
	"cmp"
	"net/url"
	"strings"
	"unicode"
)

// purl is what a package URL names. Qualifiers and the subpath are left out: they tell
// builds apart, not what a statement is about.
type purl struct{ kind, namespace, name, version string }

// parsePURL takes a package URL apart; ok is false where it is none.
func parsePURL(s string) (p purl, ok bool) {
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok {
		return p, false
	}
	rest = strings.TrimLeft(rest, "/")
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	p.kind, rest, ok = strings.Cut(rest, "/")
	if !ok || p.kind == "" {
		return p, false
	}
	p.kind = strings.ToLower(p.kind)
	if at := strings.LastIndex(rest, "@"); at > 0 {
		p.version, rest = unescape(rest[at+1:]), rest[:at]
	}
	rest = strings.TrimRight(rest, "/")
	if slash := strings.LastIndex(rest, "/"); slash >= 0 {
		p.namespace, rest = unescape(rest[:slash]), rest[slash+1:]
	}
	p.name = unescape(rest)
	return p, p.name != ""
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// Generic names a thing that has no package URL by one.
func Generic(r Ref) string {
	s := "pkg:generic/"
	if r.Vendor != "" {
		s += escape(r.Vendor) + "/"
	}
	s += escape(cmp.Or(r.Name, r.ID, r.Digest, "unnamed"))
	if r.Version != "" {
		s += "@" + escape(r.Version)
	}
	return s
}

// escape leaves what a package URL takes as it is, and no more.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte("0123456789ABCDEF"[c>>4])
		b.WriteByte("0123456789ABCDEF"[c&15])
	}
	return b.String()
}

// parseCPE gives the vendor, product and version (with its update) of a CPE name, 2.3 or
// 2.2; ok is false where it is none. What is any or not applicable is empty.
func parseCPE(s string) (vendor, product, version string, ok bool) {
	var parts []string
	if rest, is23 := strings.CutPrefix(s, "cpe:2.3:"); is23 {
		var b strings.Builder
		for i := 0; i < len(rest); i++ {
			switch {
			case rest[i] == '\\' && i+1 < len(rest):
				i++
				b.WriteByte(rest[i])
			case rest[i] == ':':
				parts = append(parts, b.String())
				b.Reset()
			default:
				b.WriteByte(rest[i])
			}
		}
		parts = append(parts, b.String())
	} else if rest, is22 := strings.CutPrefix(strings.ToLower(s), "cpe:/"); is22 {
		parts = strings.Split(rest, ":")
		for i := range parts {
			parts[i] = unescape(parts[i])
		}
	}
	if len(parts) < 3 {
		return "", "", "", false
	}
	part := func(i int) string {
		if i >= len(parts) || parts[i] == "*" || parts[i] == "-" {
			return ""
		}
		return parts[i]
	}
	version = part(3)
	if update := part(4); version != "" && update != "" {
		version += update
	}
	return part(1), part(2), version, part(2) != ""
}

// complete fills in what the identifiers of a reference say.
func complete(r Ref) Ref {
	if r.PURL == "" && strings.HasPrefix(r.ID, "pkg:") {
		r.PURL = r.ID
	}
	if r.CPE == "" && (strings.HasPrefix(r.ID, "cpe:2.3:") || strings.HasPrefix(r.ID, "cpe:/")) {
		r.CPE = r.ID
	}
	if r.PURL == r.ID && strings.HasPrefix(r.PURL, "pkg:") || r.CPE == r.ID && r.CPE != "" {
		r.ID = "" // it says no more
	}
	if p, ok := parsePURL(r.PURL); ok && r.Name == "" {
		r.Name = p.name
		r.Version = cmp.Or(r.Version, p.version)
		if p.kind == "generic" {
			r.Vendor = cmp.Or(r.Vendor, p.namespace)
		}
	}
	if vendor, product, version, ok := parseCPE(r.CPE); ok && r.Name == "" {
		r.Name, r.Vendor, r.Version = product, cmp.Or(r.Vendor, vendor), cmp.Or(r.Version, version)
	}
	if r.Name == r.ID {
		r.ID = ""
	}
	return r
}

// String names what is meant, for people.
func (r Ref) String() string {
	words := strings.Join(strings.Fields(strings.Join([]string{r.Vendor, r.Name, cmp.Or(r.Version, r.Range)}, " ")), " ")
	return cmp.Or(words, r.PURL, r.CPE, r.ID, r.Digest)
}

// bare reduces a name to its letters and digits, in lower case: "Acme-Pump 3000" and "acme
// pump3000" are one.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
