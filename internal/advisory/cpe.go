package advisory

import (
	"fmt"
	"strings"
)

// cpeFields are the attributes of a CPE name, in their order.
const cpeFields = 11

// ParseCPE reads a CPE name, a formatted string of version 2.3
// ("cpe:2.3:a:openssl:openssl:1.0.1f:*:*:*:*:*:*:*") or a URI of 2.2
// ("cpe:/a:openssl:openssl:1.0.1f"), or the short form of the signatures,
// "vendor:product" or "part:vendor:product". The product's fields are unescaped and in
// lower case, "" for any; the version is "" for any and "-" for none. Wildcards inside a
// field stay as they are.
func ParseCPE(text string) (p Product, version string, err error) {
	bad := fmt.Errorf("%.200q: no CPE name", text)
	if len(text) > 1000 {
		return p, "", bad
	}
	var f []string
	switch {
	case strings.HasPrefix(text, "cpe:2.3:"):
		f = splitCPE(text[len("cpe:2.3:"):])
		if len(f) != cpeFields {
			return p, "", bad
		}
	case strings.HasPrefix(text, "cpe:/"):
		for part := range strings.SplitSeq(text[len("cpe:/"):], ":") {
			part, ok := percent(part)
			if !ok {
				return p, "", bad
			}
			f = append(f, part)
		}
		if len(f) < 3 || len(f) > 7 {
			return p, "", bad
		}
		f = append(f, make([]string, cpeFields-len(f))...)
		// The edition may hold what 2.3 gives fields of their own: ~edition~sw~target~hw~other.
		if packed := strings.Split(f[5], "~"); len(packed) == 6 {
			f[5] = packed[1]
			copy(f[7:], packed[2:])
		}
	default:
		f = splitCPE(text)
		if len(f) == 2 {
			f = append([]string{"a"}, f...)
		}
		if len(f) != 3 {
			return p, "", bad
		}
		f = append(f, make([]string, cpeFields-len(f))...)
	}
	if len(f[0]) != 1 || !strings.Contains("aoh", f[0]) || f[1] == "" || f[2] == "" {
		return p, "", bad
	}
	p = Product{By: ByCPE, Part: f[0], Vendor: f[1], Name: f[2], Update: f[4], Edition: f[5], Language: f[6],
		SoftwareEdition: f[7], TargetSoftware: f[8], TargetHardware: f[9], Other: f[10]}
	return p, f[3], nil
}

// splitCPE splits at colons that are not escaped and takes the escapes away.
func splitCPE(text string) []string {
	var out []string
	var b strings.Builder
	put := func() {
		s := strings.ToLower(b.String())
		if s == "*" {
			s = ""
		}
		out = append(out, s)
		b.Reset()
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] == '*' || text[i] == '?' { // a letter and no wildcard
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
		case c == ':':
			put()
		default:
			b.WriteByte(c)
		}
	}
	put()
	return out
}

// percent takes the escapes of a URI away, in lower case.
func percent(s string) (string, bool) {
	const hex = "0123456789abcdef"
	s = strings.ToLower(s)
	if s == "*" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, lo := strings.IndexByte(hex, s[i+1]), strings.IndexByte(hex, s[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		switch c := byte(hi<<4 | lo); {
		case c == 1:
			b.WriteByte('?')
		case c == 2:
			b.WriteByte('*')
		case c < ' ' || c >= 0x7f:
			return "", false
		default:
			b.WriteByte(c)
		}
		i += 2
	}
	return b.String(), true
}
