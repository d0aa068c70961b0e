package component

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// DefaultVersion is what {version} stands for where a way gives no other shape: numbers
// with at least one dot, and the endings that upstream projects use.
const DefaultVersion = `[0-9]{1,4}(?:\.[0-9]{1,8}){1,4}(?:[a-z]{1,2}\b|p[0-9]{1,2}\b|[-.]?(?:rc|alpha|beta|pre)[-.]?[0-9]{0,3}\b)?`

// pattern is a compiled text template: see [Way.Pattern].
type pattern struct {
	re     func() (*regexp.Regexp, error) // made when it is first needed: most signatures meet no file of theirs
	anchor string                         // the longest literal part
	parts  []string                       // of the version, in order: a constant, or empty for the next captured group
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
	"{name}": `[A-Za-z][^\s]{0,63}`,
	"{text}": `[^\x00\n]{0,400}?`,
	"{date}": `[0-9A-Za-z][0-9A-Za-z ,:/.-]{4,30}`,
}

// compile reads a template. version is the shape of {version}, empty for the default.
func compile(template, version string) (*pattern, error) {
	if version == "" {
		version = DefaultVersion
	}
	p := &pattern{}
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
	literal := func(s string) {
		if len(s) > len(p.anchor) {
			p.anchor = s
		}
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
		case strings.HasPrefix(hole, "{="):
			p.parts = append(p.parts, hole[2:len(hole)-1])
		case hole == "{version}":
			p.parts = append(p.parts, "")
			re.WriteString("(" + version + ")")
		case ok:
			if expr[0] == '(' {
				p.parts = append(p.parts, "")
			}
			re.WriteString(expr)
		default:
			return nil, fmt.Errorf("pattern %q: %s is no placeholder", template, hole)
		}
		rest = rest[i+j+1:]
		if rest == "" && !end && hole != "{text}" && hole != "{word}" {
			re.WriteString(`(?:\z|[^0-9])`) // nor left there
		}
	}
	if end {
		re.WriteString(`\z`)
	}
	p.re = sync.OnceValues(func() (*regexp.Regexp, error) {
		if r, err := regexp.Compile(version); err != nil {
			return nil, fmt.Errorf("version %q: %w", version, err)
		} else if r.NumSubexp() > 0 {
			return nil, fmt.Errorf("version %q: a group must not capture", version)
		}
		r, err := regexp.Compile(re.String())
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", template, err)
		}
		return r, nil
	})
	return p, nil
}

// find returns the version in s, from the captured parts, and where in s it stands; a
// match without parts gives an empty version.
func (p *pattern) find(s string) (version string, at int, ok bool) {
	re, err := p.re()
	if err != nil {
		return "", 0, false // Check says so
	}
	m := re.FindStringSubmatchIndex(s)
	if m == nil {
		return "", 0, false
	}
	return p.join(s, m), m[0], true
}

// findAt is find for a match that covers the offset at.
func (p *pattern) findAt(s string, at int) (version string, where int, ok bool) {
	re, err := p.re()
	if err != nil {
		return "", 0, false // Check says so
	}
	for base := 0; base < len(s); {
		m := re.FindStringSubmatchIndex(s[base:])
		if m == nil || base+m[0] > at {
			return "", 0, false
		}
		if base+m[1] > at {
			return p.join(s[base:], m), base + m[0], true
		}
		base += max(m[1]-1, m[0]+1)
	}
	return "", 0, false
}

// join makes a version of the captured parts: one part is the version, of several each
// loses its leading zeros.
func (p *pattern) join(s string, m []int) string {
	var parts []string
	next := 2
	for _, c := range p.parts {
		if c == "" && next+1 < len(m) {
			if m[next] >= 0 {
				c = s[m[next]:m[next+1]]
			}
			next += 2
		}
		parts = append(parts, c)
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
