package setting

import (
	"strconv"
	"strings"
)

// json reads JSON with // and /* */ comments and forgiving commas. A list without objects
// in it is one value.
func (p *parser) json() {
	var levels []level
	key, start, wait := "", -1, false // the key of the value to come
	value := func(s, e int) {
		if key == "" && len(levels) > 0 && !levels[len(levels)-1].object {
			start = s
		}
		if start >= 0 {
			p.add(named(key, item(levels)), start, e, s, e)
		}
		key, start, wait = "", -1, false
	}
	for i := 0; i < len(p.Text); {
		c := p.Text[i]
		switch {
		case space(c) || c == ':':
			i++
		case c == ',':
			if n := len(levels); n > 0 {
				levels[n-1].item++
			}
			key, start, wait = "", -1, false
			i++
		case strings.HasPrefix(p.Text[i:], "//") || c == '#':
			i = p.lineEnd(i)
		case strings.HasPrefix(p.Text[i:], "/*"):
			n := strings.Index(p.Text[i+2:], "*/")
			if n < 0 {
				return
			}
			i += n + 4
		case c == '"' && !wait && len(levels) > 0 && levels[len(levels)-1].object:
			e := p.quoted(i)
			key, start, wait = unquote(p.Text[i:e]), i, true
			i = e
		case c == '{', c == '[':
			if c == '[' {
				if e := p.flat(i); e > 0 {
					value(i, e)
					i = e
					continue
				}
			}
			if len(levels) > 0 {
				p.open(named(key, item(levels)), "", i+1)
			}
			levels = append(levels, level{object: c == '{'})
			key, start, wait = "", -1, false
			i++
		case c == '}', c == ']':
			if len(levels) > 1 {
				p.close(i)
			}
			if len(levels) > 0 {
				levels = levels[:len(levels)-1]
			}
			key, start, wait = "", -1, false
			i++
		case c == '"':
			e := p.quoted(i)
			value(i, e)
			i = e
		default:
			e := i + 1
			for e < len(p.Text) && !space(p.Text[e]) && strings.IndexByte(`,:{}[]"/#`, p.Text[e]) < 0 {
				e++
			}
			if wait || len(levels) > 0 && !levels[len(levels)-1].object {
				value(i, e)
			}
			i = e
		}
	}
}

// level is an object or a list that is open.
type level struct {
	object bool
	item   int // of a list
}

// item returns the number of the item in the innermost list, -1 in an object.
func item(levels []level) int {
	if n := len(levels); n > 0 && !levels[n-1].object {
		return levels[n-1].item
	}
	return -1
}

// named names a value: by its key, in a list by its number.
func named(key string, n int) string {
	if n >= 0 {
		return strconv.Itoa(n)
	}
	return key
}

// flat returns the end of a list that holds no object and no list, 0 for other lists.
func (p *parser) flat(i int) int {
	for i++; i < len(p.Text); {
		switch c := p.Text[i]; {
		case c == ']':
			return i + 1
		case c == '{' || c == '[' || c == '}':
			return 0
		case c == '"':
			i = p.quoted(i)
		case strings.HasPrefix(p.Text[i:], "//"):
			i = p.lineEnd(i)
		default:
			i++
		}
	}
	return 0
}

// xml reads elements and attributes: an element with a text is an entry, an attribute is
// the entry ELEMENT.ATTRIBUTE; an element with elements in it is a section.
func (p *parser) xml() {
	for i := 0; i < len(p.Text); {
		n := strings.IndexByte(p.Text[i:], '<')
		if n < 0 {
			return
		}
		i += n
		rest := p.Text[i:]
		switch {
		case strings.HasPrefix(rest, "<!--"):
			i = p.after(i, "-->")
		case strings.HasPrefix(rest, "<![CDATA["):
			i = p.after(i, "]]>")
		case strings.HasPrefix(rest, "<?"), strings.HasPrefix(rest, "<!"):
			i = p.after(i, ">")
		case strings.HasPrefix(rest, "</"):
			e := p.after(i, ">")
			p.closeNamed(strings.Trim(p.Text[i+2:e], "> \t\r\n"), i)
			i = e
		default:
			i = p.element(i)
		}
	}
}

// after returns the byte behind the next mark, or the end of the text.
func (p *parser) after(i int, mark string) int {
	n := strings.Index(p.Text[i:], mark)
	if n < 0 {
		return len(p.Text)
	}
	return i + n + len(mark)
}

// element reads a start tag, and the text and end tag behind it where it holds only text.
func (p *parser) element(start int) int {
	i := start + 1
	for i < len(p.Text) && !space(p.Text[i]) && p.Text[i] != '>' && p.Text[i] != '/' {
		i++
	}
	name := p.Text[start+1 : i]
	first := len(p.Entries)
	for i < len(p.Text) && p.Text[i] != '>' {
		s := i
		for i < len(p.Text) && !space(p.Text[i]) && strings.IndexByte("=>/", p.Text[i]) < 0 {
			i++
		}
		if i+1 < len(p.Text) && p.Text[i] == '=' && i > s && (p.Text[i+1] == '"' || p.Text[i+1] == '\'') {
			n := strings.IndexByte(p.Text[i+2:], p.Text[i+1])
			if n < 0 {
				return len(p.Text)
			}
			e := i + n + 3
			p.add(name+"."+p.Text[s:i], s, e, i+1, e)
			i = e
		} else if i == s {
			i++
		}
	}
	if i >= len(p.Text) || p.Text[i-1] == '/' {
		return min(i+1, len(p.Text))
	}
	head := p.name(start+1, i)
	i++
	n := strings.IndexByte(p.Text[i:], '<')
	if n >= 0 && strings.HasPrefix(p.Text[i+n:], "</"+name) && name != "" {
		vs, ve := p.trim(i, i+n)
		e := p.after(i+n, ">")
		if len(p.Entries) == first {
			start, _ = p.trim(start, e)
		} else {
			start = i
		}
		p.add(name, start, e, vs, max(vs, ve))
		return e
	}
	p.open(head, name, i)
	return i
}

// rsyslog reads $Key value, name(key="value" ...) and selector action.
func (p *parser) rsyslog() {
	for at := 0; at < len(p.Text); {
		end := p.lineEnd(at)
		for end < len(p.Text) && strings.HasSuffix(strings.TrimRight(p.Text[at:end], "\r"), `\`) {
			end = p.lineEnd(end + 1)
		}
		s, e := p.trim(at, end)
		at = min(end+1, len(p.Text))
		if s >= e || p.Text[s] == '#' {
			continue
		}
		n := s
		for n < e && (p.Text[n] == '_' || p.Text[n]|0x20 >= 'a' && p.Text[n]|0x20 <= 'z') {
			n++
		}
		if n == s || n >= e || p.Text[n] != '(' {
			// The action is the last word: a selector may go over several lines.
			vs := e
			for vs > s && !space(p.Text[vs-1]) {
				vs--
			}
			if p.Text[s] == '$' {
				vs, _ = p.trim(s+len(firstWord(p.Text[s:e])), e)
			}
			if _, ke := p.trim(s, vs); ke > s {
				p.add(strings.Join(strings.Fields(strings.ReplaceAll(p.Text[s:ke], "\\\n", " ")), ""), s, e, vs, e)
			}
			continue
		}
		p.open(p.Text[s:n], ")", n+1)
		i := n + 1
		for i < len(p.Text) && p.Text[i] != ')' {
			k := i
			for i < len(p.Text) && !space(p.Text[i]) && strings.IndexByte(`=)"`, p.Text[i]) < 0 {
				i++
			}
			switch {
			case i+1 < len(p.Text) && p.Text[i] == '=' && i > k && p.Text[i+1] == '"':
				q := p.quoted(i + 1)
				p.add(p.Text[k:i], k, q, i+1, q)
				i = q
			case i < len(p.Text) && p.Text[i] == '"':
				i = p.quoted(i)
			case i == k:
				i++
			}
		}
		p.close(i)
		at = max(at, min(p.lineEnd(i)+1, len(p.Text)))
	}
}

// firstWord is a text up to its first blank.
func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}
