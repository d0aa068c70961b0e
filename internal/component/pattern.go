package component

import (
	"fmt"
	"regexp"
	"strings"
)

// DefaultVersion is what {version} stands for where a way gives no other shape: numbers
// with at least one dot, and the endings that upstream projects use.
const DefaultVersion = `[0-9]{1,4}(?:\.[0-9]{1,8}){1,4}(?:[a-z]{1,2}\b|p[0-9]{1,2}\b|[-.]?(?:rc|alpha|beta|pre)[-.]?[0-9]{0,3}\b)?`

// pattern is a compiled text template: see [Way.Pattern].
type pattern struct {
	re     *regexp.Regexp
	anchor string // the longest literal part
	off    int    // where the anchor stands from the start of the template, -1 where that varies
}

// holes are the placeholders. Those that capture give the version; where several do, they
// are its parts.
var holes = map[string]string{
	"{n}":    `([0-9]{1,6})`,
	"{d}":    `([0-9])`,
	"{dd}":   `([0-9]{2})`,
	"{ddd}":  `([0-9]{3})`,
	"{num}":  `[0-9]+`,
	"{word}": `[^\s]{1,64}`,
	"{text}": `[^\x00\n]{0,120}?`,
	"{date}": `[0-9A-Za-z][0-9A-Za-z ,:/.-]{4,30}`,
}

// compile reads a template. version is the shape of {version}, empty for the default.
func compile(template, version string) (*pattern, error) {
	if version == "" {
		version = DefaultVersion
	}
	if r, err := regexp.Compile(version); err != nil {
		return nil, fmt.Errorf("version %q: %w", version, err)
	} else if r.NumSubexp() > 0 {
		return nil, fmt.Errorf("version %q: groups must not capture: write (?:", version)
	}
	p := &pattern{off: -1}
	var re strings.Builder
	rest := template
	if strings.HasPrefix(rest, "^") {
		re.WriteString(`\A`)
		rest = rest[1:]
	} else if strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, "{text}") {
		re.WriteString(`(?:\A|[^0-9A-Za-z.])`) // a number is not entered in the middle
	}
	end := strings.HasSuffix(rest, "$")
	rest = strings.TrimSuffix(rest, "$")
	fixed, at := true, 0
	literal := func(s string) {
		if len(s) > len(p.anchor) {
			p.anchor = s
			if p.off = -1; fixed {
				p.off = at
			}
		}
		at += len(s)
		re.WriteString(regexp.QuoteMeta(s))
	}
	for rest != "" {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			literal(rest)
			break
		}
		j := strings.IndexByte(rest[i:], '}')
		if j < 0 {
			return nil, fmt.Errorf("pattern %q: { is not closed", template)
		}
		if i > 0 {
			literal(rest[:i])
		}
		hole := rest[i : i+j+1]
		switch expr, ok := holes[hole]; {
		case hole == "{version}":
			re.WriteString("(" + version + ")")
		case ok:
			re.WriteString(expr)
		default:
			return nil, fmt.Errorf("pattern %q: %s is no placeholder", template, hole)
		}
		fixed = false
		rest = rest[i+j+1:]
		if rest == "" && !end && hole != "{text}" && hole != "{word}" {
			re.WriteString(`(?:\z|[^0-9])`) // nor left there
		}
	}
	if end {
		re.WriteString(`\z`)
	}
	var err error
	if p.re, err = regexp.Compile(re.String()); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", template, err)
	}
	return p, nil
}

// find returns the version in s, from the captured parts, and where in s it stands; a
// match without parts gives an empty version.
func (p *pattern) find(s string) (version string, at int, ok bool) {
	m := p.re.FindStringSubmatchIndex(s)
	if m == nil {
		return "", 0, false
	}
	return join(s, m), m[0], true
}

// findAt is find for a match that covers the offset at.
func (p *pattern) findAt(s string, at int) (version string, where int, ok bool) {
	for base := 0; base < len(s); {
		m := p.re.FindStringSubmatchIndex(s[base:])
		if m == nil || base+m[0] > at {
			return "", 0, false
		}
		if base+m[1] > at {
			return join(s[base:], m), base + m[0], true
		}
		base += max(m[1]-1, m[0]+1)
	}
	return "", 0, false
}

// join makes a version of the captured parts: one part is the version, of several each
// loses its leading zeros.
func join(s string, m []int) string {
	var parts []string
	for i := 2; i+1 < len(m); i += 2 {
		if m[i] >= 0 {
			parts = append(parts, s[m[i]:m[i+1]])
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	for i, w := range parts {
		if w = strings.TrimLeft(w, "0"); w == "" {
			w = "0"
		}
		parts[i] = w
	}
	return strings.Join(parts, ".")
}
