package setting

import (
	"slices"
	"strings"
)

// lines reads the families in which a line is an entry.
func (p *parser) lines() {
	for at := 0; at < len(p.Text); {
		end := p.lineEnd(at)
		for p.Syntax.Join && end < len(p.Text) && strings.HasSuffix(strings.TrimRight(p.Text[at:end], "\r"), `\`) {
			end = p.lineEnd(end + 1)
		}
		next := min(end+1, len(p.Text))
		s, e := p.trim(at, end)
		if s < e {
			if n := p.line(s, e); n > next {
				next = n
			}
		}
		at = next
	}
}

// line reads one line without the blanks around it, and returns where the next begins
// when an entry went on behind its line.
func (p *parser) line(s, e int) int {
	c := p.Text[s]
	if p.Syntax.Family == Kconfig {
		p.kconfig(s, e)
		return 0
	}
	if strings.IndexByte(p.Syntax.Comment, c) >= 0 {
		return 0
	}
	switch p.Syntax.Family {
	case INI:
		if c == '[' {
			if n := strings.IndexByte(p.Text[s:e], ']'); n > 0 {
				p.ends(s)
				p.open(strings.TrimSpace(p.Text[s+1:s+n]), "", min(e+1, len(p.Text)))
			}
			return 0
		}
		if c == '!' {
			p.words(s, e) // my.cnf's !include
			return 0
		}
		p.pair(s, e, "=", true)
	case WPA:
		switch {
		case c == '}':
			p.close(s)
		case strings.HasSuffix(p.Text[s:e], "{") && strings.Contains(p.Text[s:e], "="):
			name, _, _ := strings.Cut(p.Text[s:e], "=")
			p.open(strings.TrimSpace(name), "}", min(e+1, len(p.Text)))
		default:
			p.pair(s, e, "=", false)
		}
	case Colon:
		p.pair(s, e, ":", false)
	case Shell:
		return p.assignment(s, e)
	case Equals:
		p.pair(s, e, "=", true)
	default:
		p.words(s, e)
	}
	return 0
}

// ends closes the section that the lines before stood in.
func (p *parser) ends(at int) {
	for len(p.stack) > 1 {
		p.close(at)
	}
}

// pair reads key SEP value; bare says that a key may stand alone.
func (p *parser) pair(s, e int, sep string, bare bool) {
	if p.Syntax.Inline {
		e = p.uncomment(s, e)
	}
	n := strings.Index(p.Text[s:e], sep)
	if n < 0 {
		if bare {
			p.add(p.Text[s:e], s, e, e, e)
		}
		return
	}
	_, ke := p.trim(s, s+n)
	vs, ve := p.trim(s+n+1, e)
	if ke <= s {
		return
	}
	p.entry(p.Text[s:ke], s, e, vs, ve)
}

// words reads key value, with or without = between them.
func (p *parser) words(s, e int) {
	if p.Syntax.Inline {
		e = p.uncomment(s, e)
	}
	ke := s
	for ke < e && !space(p.Text[ke]) && p.Text[ke] != '=' {
		ke++
	}
	if ke == s {
		return
	}
	vs, ve := p.trim(ke, e)
	if vs < ve && p.Text[vs] == '=' {
		vs, ve = p.trim(vs+1, ve)
	}
	p.entry(p.Text[s:ke], s, e, vs, ve)
}

// entry adds an entry, and begins a section where its key does.
func (p *parser) entry(key string, s, e, vs, ve int) {
	if !slices.ContainsFunc(p.Syntax.Sections, func(n string) bool { return p.same(n, key) }) {
		p.add(key, s, e, vs, ve)
		return
	}
	p.ends(s)
	value := strings.Join(strings.Fields(p.Text[vs:min(ve, vs+2*maxName)]), " ")
	if strings.EqualFold(value, "all") {
		return // Match all: what follows holds always
	}
	// A port names its listener; the address behind it may change.
	if first, _, _ := strings.Cut(value, " "); first != "" && strings.Trim(first, "0123456789") == "" {
		value = first
	}
	p.open(strings.TrimSpace(key+" "+value), "", s)
	p.add(key, s, e, vs, ve).Head = true
}

// uncomment returns where a comment behind a value begins, or e. Quotes hide it.
func (p *parser) uncomment(s, e int) int {
	for i := s; i < e; i++ {
		switch c := p.Text[i]; {
		case c == '"' || c == '\'' && (i == s || space(p.Text[i-1]) || p.Text[i-1] == '='):
			if q := p.quoted(i); q <= e {
				i = q - 1
			}
		case i > s && blank(p.Text[i-1]) && strings.IndexByte(p.Syntax.Comment, c) >= 0:
			_, e = p.trim(s, i)
			return e
		}
	}
	return e
}

// assignment reads NAME=value as a shell does; other commands are no entries. It returns
// where the next line begins.
func (p *parser) assignment(s, e int) int {
	start := s
	if strings.HasPrefix(p.Text[s:e], "export ") {
		s, _ = p.trim(s+len("export "), e)
	}
	ke := s
	for ke < e && (p.Text[ke] == '_' || p.Text[ke]|0x20 >= 'a' && p.Text[ke]|0x20 <= 'z' || ke > s && p.Text[ke] >= '0' && p.Text[ke] <= '9') {
		ke++
	}
	if ke == s || ke >= e || p.Text[ke] != '=' {
		return 0
	}
	ve := ke + 1
	for ve < len(p.Text) && !space(p.Text[ve]) && p.Text[ve] != ';' {
		switch p.Text[ve] {
		case '\'':
			n := strings.IndexByte(p.Text[ve+1:], '\'')
			if n < 0 {
				return 0
			}
			ve += n + 2
		case '"':
			ve = p.quoted(ve)
		case '\\':
			ve = min(ve+2, len(p.Text))
		default:
			ve++
		}
	}
	p.add(p.Text[s:ke], start, ve, ke+1, ve)
	return min(p.lineEnd(ve)+1, len(p.Text))
}

// kconfig reads CONFIG_NAME=value and # CONFIG_NAME is not set, which is the value n.
func (p *parser) kconfig(s, e int) {
	text := p.Text[s:e]
	if name, ok := strings.CutPrefix(text, "# "); ok {
		if name, ok := strings.CutSuffix(name, " is not set"); ok && strings.HasPrefix(name, "CONFIG_") && !strings.Contains(name, " ") {
			p.add(name, s, e, e, e).Value = "n"
		}
		return
	}
	if strings.HasPrefix(text, "CONFIG_") {
		p.pair(s, e, "=", false)
	}
}

// uci reads OpenWrt's files: config TYPE ['NAME'], option KEY VALUE, list KEY VALUE.
func (p *parser) uci() {
	for at := 0; at < len(p.Text); {
		s, e := p.trim(at, p.lineEnd(at))
		at = min(p.lineEnd(at)+1, len(p.Text))
		if s >= e || p.Text[s] == '#' {
			continue
		}
		var words [][2]int
		for i := s; i < e && len(words) < 3; {
			from := i
			for i < e && !blank(p.Text[i]) {
				if p.Text[i] == '"' || p.Text[i] == '\'' {
					i = min(p.quoted(i), e)
					continue
				}
				i++
			}
			words = append(words, [2]int{from, i})
			for i < e && blank(p.Text[i]) {
				i++
			}
		}
		word := func(i int) string { return unquote(p.Text[words[i][0]:words[i][1]]) }
		switch kind := p.Text[words[0][0]:words[0][1]]; {
		case kind == "config" && len(words) > 1:
			name := word(1)
			if len(words) > 2 {
				name += " " + word(2)
			}
			p.ends(s)
			p.open(name, "", at)
		case (kind == "option" || kind == "list") && len(words) > 2:
			p.add(word(1), s, words[2][1], words[2][0], words[2][1])
		}
	}
}
