package feed

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// cpeName reads a CPE name of version 2.3 ("cpe:2.3:a:vendor:product:1.0:...") or of 2.2
// ("cpe:/a:vendor:product:1.0"): the product, and the version, "" for any and "-" for none.
// The answer is false where the text is neither.
func (d *decoder) cpeName(text string) (p advisory.Product, version string, ok bool) {
	fields := [11]string{}
	n := 0
	switch {
	case strings.HasPrefix(text, "cpe:2.3:"):
		n = splitCPE(text[len("cpe:2.3:"):], &fields)
		ok = n >= 4
	case strings.HasPrefix(text, "cpe:/"):
		for f := range strings.SplitSeq(text[len("cpe:/"):], ":") {
			if n == len(fields) {
				return p, "", false
			}
			fields[n] = percent(f)
			n++
		}
		ok = n >= 3
		// The edition of 2.2 may hold what 2.3 gives fields of their own: ~edition~sw~target~hw~other.
		if packed := strings.Split(fields[5], "~"); len(packed) == 6 {
			fields[5], fields[7], fields[8], fields[9], fields[10] = packed[1], packed[2], packed[3], packed[4], packed[5]
		}
	}
	if !ok || len(fields[0]) != 1 || fields[1] == "" || fields[2] == "" {
		return p, "", false
	}
	p = advisory.Product{By: advisory.ByCPE, Part: d.intern([]byte(fields[0])), Vendor: d.intern([]byte(fields[1])), Name: d.intern([]byte(fields[2]))}
	p.Update, p.Edition, p.Language = d.same(fields[4]), d.same(fields[5]), d.same(fields[6])
	p.SoftwareEdition, p.TargetSoftware, p.TargetHardware, p.Other = d.same(fields[7]), d.same(fields[8]), d.same(fields[9]), d.same(fields[10])
	return p, fields[3], true
}

// same returns one string for equal ones, so that a record does not hold on to the text
// that it was read from.
func (d *decoder) same(s string) string {
	if s == "" || s == "-" {
		return s
	}
	return d.intern([]byte(s))
}

// splitCPE splits at the colons that are not escaped, takes the escapes away, and puts
// what stands for anything as "". It returns how many fields there are.
func splitCPE(text string, fields *[11]string) int {
	n, from, escaped := 0, 0, false
	put := func(to int) {
		if n < len(fields) {
			f := text[from:to]
			if f == "*" {
				f = ""
			} else {
				if escaped {
					f = unescapeCPE(f)
				}
				f = strings.ToLower(f)
			}
			fields[n] = f
		}
		n++
		escaped = false
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			escaped = true
			i++
		case ':':
			put(i)
			from = i + 1
		}
	}
	put(len(text))
	if n > len(fields) {
		return 0
	}
	return n
}

func unescapeCPE(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// percent takes away the escapes of a CPE name of version 2.2.
func percent(s string) string {
	if !strings.Contains(s, "%") {
		return strings.ToLower(s)
	}
	const hex = "0123456789abcdef"
	s = strings.ToLower(s)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := strings.IndexByte(hex, s[i+1]), strings.IndexByte(hex, s[i+2])
			if hi >= 0 && lo >= 0 {
				if c := byte(hi<<4 | lo); c >= ' ' && c < 0x7f {
					b.WriteByte(c)
				}
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToLower(b.String())
}

// versionsOf is what the version of a CPE name says: a thing has none.
func versionsOf(p advisory.Product, version string) []advisory.Range {
	if version == "-" && p.Part == "h" {
		return nil
	}
	return exactly(version)
}

// exactly is the range of one version; of none, where the version is any.
func exactly(version string) []advisory.Range {
	switch {
	case version == "":
		return nil
	case version == "-", strings.ContainsAny(version, "*?"):
		return []advisory.Range{{Raw: version}}
	}
	return []advisory.Range{{From: version, To: version, Last: true}}
}

// place adds what is said of a product: versions of the same product, said with the same
// presuppositions, become one statement.
func place(list []advisory.Affected, p advisory.Product, status advisory.Status, versions []advisory.Range, with []advisory.AnyOf) []advisory.Affected {
	if n := len(list); n > 0 {
		last := &list[n-1]
		sameWith := len(last.With) == len(with) && (len(with) == 0 || &last.With[0] == &with[0])
		if last.Product == p && last.Status == status && sameWith {
			if len(last.Versions) == 0 {
				return list // every version already
			}
			if len(versions) == 0 {
				last.Versions = nil
				return list
			}
			last.Versions = append(last.Versions, versions...)
			return list
		}
	}
	return append(list, advisory.Affected{Product: p, Status: status, Versions: versions, With: with})
}
