package setting

import "strings"

// blocks reads nginx's syntax: words ended by ; or by { that opens a section. With / among
// the comment characters // and /* */ are comments too, as for named.
func (p *parser) blocks() {
	slashes := strings.Contains(p.Syntax.Comment, "/")
	start, key, ve := -1, -1, 0 // of the statement: its begin, the end of its first word, the end of its last
	for i := 0; i < len(p.Text); {
		c := p.Text[i]
		switch {
		case space(c):
			i++
			continue
		case c == '#', c == '/' && slashes && strings.HasPrefix(p.Text[i:], "//"):
			i = p.lineEnd(i)
			continue
		case c == '/' && slashes && strings.HasPrefix(p.Text[i:], "/*"):
			i = p.after(i, "*/")
			continue
		case c == ';':
			if start >= 0 {
				vs, ve := p.trim(key, ve)
				p.add(unquote(p.Text[start:key]), start, i+1, vs, max(vs, ve))
			}
			start, i = -1, i+1
			continue
		case c == '{':
			name := ""
			if start >= 0 {
				name = p.name(start, ve)
			}
			i++
			p.open(name, "}", i)
			start = -1
			continue
		case c == '}':
			p.close(i)
			start, i = -1, i+1
			continue
		}
		from := i
		for i < len(p.Text) && !space(p.Text[i]) && strings.IndexByte(";{}", p.Text[i]) < 0 {
			switch c := p.Text[i]; {
			case (c == '"' || c == '\'') && i == from:
				i = p.quoted(i)
			case c == '\\':
				i = min(i+2, len(p.Text))
			case c == '$' && i+1 < len(p.Text) && p.Text[i+1] == '{':
				i = min(i+2, len(p.Text))
				for i < len(p.Text) && p.Text[i] != '}' && !space(p.Text[i]) {
					i++
				}
				i = min(i+1, len(p.Text))
			default:
				i++
			}
		}
		if start < 0 {
			start, key = from, i
		}
		ve = i
	}
}

// name is the text of a section's head with single blanks.
func (p *parser) name(s, e int) string {
	return strings.Join(strings.Fields(p.Text[s:min(e, s+2*maxName)]), " ")
}

// apache reads lines of words between <Name value> and </Name>.
func (p *parser) apache() {
	for at := 0; at < len(p.Text); {
		end := p.lineEnd(at)
		for end < len(p.Text) && strings.HasSuffix(strings.TrimRight(p.Text[at:end], "\r"), `\`) {
			end = p.lineEnd(end + 1)
		}
		s, e := p.trim(at, end)
		at = min(end+1, len(p.Text))
		switch {
		case s >= e || p.Text[s] == '#':
		case strings.HasPrefix(p.Text[s:e], "</"):
			p.closeNamed(strings.ToLower(strings.Trim(p.Text[s+2:e], "> \t")), s)
		case p.Text[s] == '<':
			name := strings.TrimSuffix(p.name(s+1, e), ">")
			word, _, _ := strings.Cut(name, " ")
			p.open(name, strings.ToLower(word), at)
		default:
			p.words(s, e)
		}
	}
}

// closeNamed ends the innermost section with a label, and what is still open in it.
func (p *parser) closeNamed(label string, at int) {
	for i := len(p.stack) - 1; i > 0 && i > len(p.stack)-maxDepth; i-- {
		if p.stack[i].label != label {
			continue
		}
		for len(p.stack) > i {
			p.close(at)
		}
		return
	}
}

// lighttpd reads key = value with strings, numbers and lists, and conditions with blocks.
func (p *parser) lighttpd() {
	for i := 0; i < len(p.Text); {
		c := p.Text[i]
		switch {
		case space(c) || c == ';' || c == ',':
			i++
		case c == '#':
			i = p.lineEnd(i)
		case c == '}':
			p.close(i)
			i++
		case c == '{':
			i++
			p.open("{", "}", i)
		default:
			i = p.statement(i)
		}
	}
}

// statement reads one assignment, include or condition of lighttpd, and returns its end.
func (p *parser) statement(s int) int {
	i := s
	for i < len(p.Text) && !space(p.Text[i]) && strings.IndexByte(`={}"(+:#`, p.Text[i]) < 0 {
		i++
	}
	ke := i
	word := p.Text[s:ke]
	if strings.HasPrefix(word, "$") || word == "else" {
		n := p.expression(ke, true)
		name := p.name(s, n)
		if n < len(p.Text) && p.Text[n] == '{' {
			p.open(name, "}", n+1)
			return n + 1
		}
		return max(n, s+1)
	}
	for i < len(p.Text) && blank(p.Text[i]) {
		i++
	}
	for i < len(p.Text) && strings.IndexByte("+:=>", p.Text[i]) >= 0 {
		i++
	}
	end := p.expression(i, false)
	vs, ve := p.trim(i, end)
	if ke > s {
		p.add(word, s, max(ke, ve), max(ke, vs), max(ke, ve))
	}
	return max(end, s+1)
}

// expression returns where a value ends: at the end of the line that is in no bracket, or
// with head at the { that opens the block.
func (p *parser) expression(i int, head bool) int {
	depth := 0
	for i < len(p.Text) {
		switch c := p.Text[i]; {
		case c == '"' || c == '\'':
			i = p.quoted(i)
			continue
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == '#' && depth > 0:
			i = p.lineEnd(i)
			continue
		case c == '#' || c == '}' && depth <= 0 || c == '{' && head:
			return i
		case c == '\n' && depth <= 0 && !head:
			return i
		}
		i++
	}
	return i
}
