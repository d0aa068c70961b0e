package shell

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// fields expands a word into the words a command gets; globs are matched where asked for.
func (w *walker) fields(word *syntax.Word, glob bool) []value {
	if list, ok := w.list(word); ok {
		return list
	}
	var cur strings.Builder
	var out []value
	has, known, magic := false, true, false
	flush := func() {
		if !has {
			return
		}
		v := value{clip(cur.String(), wordAtMost), known}
		if magic && glob && known {
			if found := w.host.Glob(w.at(v.s)); len(found) > 0 {
				for _, f := range found[:min(len(found), fieldsAtMost)] {
					out = append(out, value{f, true})
				}
				cur.Reset()
				has, known, magic = false, true, false
				return
			}
		}
		out = append(out, v)
		cur.Reset()
		has, known, magic = false, true, false
	}
	w.steps -= len(word.Parts) / 8
	for _, p := range word.Parts {
		if len(out) > fieldsAtMost || cur.Len() > wordAtMost {
			break
		}
		v, quoted := w.part(p)
		if lit, ok := p.(*syntax.Lit); ok {
			magic = magic || strings.ContainsAny(lit.Value, "*?[")
			quoted = true
		}
		if quoted || !v.known {
			has = true
			known = known && v.known
			cur.WriteString(v.s)
			continue
		}
		// An unquoted expansion is split at blanks.
		rest := v.s
		for rest != "" {
			i := strings.IndexAny(rest, " \t\n")
			if i != 0 {
				if i < 0 {
					i = len(rest)
				}
				cur.WriteString(rest[:i])
				magic = magic || strings.ContainsAny(rest[:i], "*?[")
				has = true
				rest = rest[i:]
				continue
			}
			flush()
			rest = strings.TrimLeft(rest, " \t\n")
		}
	}
	flush()
	return out
}

// list expands "$@" and $*.
func (w *walker) list(word *syntax.Word) ([]value, bool) {
	if len(word.Parts) != 1 {
		return nil, false
	}
	p := word.Parts[0]
	if q, ok := p.(*syntax.DblQuoted); ok && len(q.Parts) == 1 {
		p = q.Parts[0]
	}
	e, ok := p.(*syntax.ParamExp)
	if !ok || e.Param == nil || e.Param.Value != "@" && e.Param.Value != "*" {
		return nil, false
	}
	var out []value
	for _, a := range w.args {
		out = append(out, value{a, true})
	}
	return out, true
}

// one expands a word as one string, without splitting.
func (w *walker) one(word *syntax.Word) (string, bool) {
	if word == nil {
		return "", true
	}
	var b strings.Builder
	known := true
	w.steps -= len(word.Parts) / 8
	for _, p := range word.Parts {
		if b.Len() > wordAtMost {
			break
		}
		v, _ := w.part(p)
		b.WriteString(v.s)
		known = known && v.known
	}
	return clip(b.String(), wordAtMost), known
}

// pattern expands a pattern of case; quoted magic is not told from unquoted.
func (w *walker) pattern(word *syntax.Word) (string, bool) { return w.one(word) }

func (w *walker) part(p syntax.WordPart) (v value, quoted bool) {
	switch p := p.(type) {
	case *syntax.Lit:
		return value{unescape(p.Value), true}, false
	case *syntax.SglQuoted:
		return value{p.Value, true}, true
	case *syntax.DblQuoted:
		var b strings.Builder
		known := true
		w.steps -= len(p.Parts) / 8
		for _, q := range p.Parts {
			if b.Len() > wordAtMost {
				break
			}
			var v value
			if lit, ok := q.(*syntax.Lit); ok {
				v = value{unescapeQuoted(lit.Value), true}
			} else {
				v, _ = w.part(q)
			}
			b.WriteString(v.s)
			known = known && v.known
		}
		return value{b.String(), known}, true
	case *syntax.ParamExp:
		if v, ok := w.param(p); ok {
			return v, false
		}
	case *syntax.CmdSubst:
		if v, ok := w.subst(p); ok {
			return v, false
		}
	}
	return value{w.text(p), false}, true
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if i++; s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unescapeQuoted(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("$`\"\\\n", s[i+1]) >= 0 {
			if i++; s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (w *walker) param(p *syntax.ParamExp) (value, bool) {
	if p.Param == nil || p.Excl || p.Length || p.Width || p.IsSet || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 {
		return value{}, false
	}
	name := p.Param.Value
	v := w.lookup(name)
	set := v.known && v.s != ""
	if n, err := strconv.Atoi(name); err == nil {
		switch {
		case n == 0:
			v = value{w.name, true}
		case n > 0 && n <= len(w.args):
			v = value{w.args[n-1], true}
		default:
			v = value{"", true}
		}
		set = v.s != ""
	}
	switch name {
	case "#":
		return value{strconv.Itoa(len(w.args)), true}, true
	case "@", "*":
		return value{strings.Join(w.args, " "), true}, true
	case "?", "$", "!", "-", "_":
		return value{}, false
	}
	if p.Exp == nil {
		return v, v.known
	}
	other, otherKnown := w.one(p.Exp.Word)
	switch p.Exp.Op {
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull:
		// A default is what holds as long as nobody sets the variable.
		if set {
			return v, true
		}
		if _, assigned := w.vars[name]; assigned && !v.known {
			return value{}, false
		}
		if p.Exp.Op == syntax.AssignUnset || p.Exp.Op == syntax.AssignUnsetOrNull {
			w.set(name, value{other, otherKnown})
		}
		return value{other, otherKnown}, otherKnown
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		switch {
		case set:
			return value{other, otherKnown}, otherKnown
		case v.known:
			return value{"", true}, true
		}
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		return v, v.known
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		if v.known && otherKnown {
			return value{trim(v.s, other, p.Exp.Op), true}, true
		}
	default:
	}
	return value{}, false
}

// trim removes what matches a pattern from the start or the end.
func trim(s, pattern string, op syntax.ParExpOperator) string {
	if len(s) > 512 {
		return s
	}
	best := s
	for i := 0; i <= len(s); i++ {
		switch op {
		case syntax.RemSmallPrefix:
			if Match(pattern, s[:i]) {
				return s[i:]
			}
		case syntax.RemLargePrefix:
			if Match(pattern, s[:i]) {
				best = s[i:]
			}
		case syntax.RemSmallSuffix:
			if Match(pattern, s[len(s)-i:]) {
				return s[:len(s)-i]
			}
		case syntax.RemLargeSuffix:
			if Match(pattern, s[len(s)-i:]) {
				best = s[:len(s)-i]
			}
		default:
		}
	}
	return best
}

// subst answers the few command substitutions whose output follows from their words.
func (w *walker) subst(p *syntax.CmdSubst) (value, bool) {
	if len(p.Stmts) != 1 {
		return value{}, false
	}
	call, ok := p.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return value{}, false
	}
	var words []string
	for i, a := range call.Args {
		for _, f := range w.fields(a, i > 0) {
			if !f.known {
				return value{}, false
			}
			words = append(words, f.s)
		}
	}
	if len(words) == 0 {
		return value{}, false
	}
	args := words[1:]
	switch words[0] {
	case "echo":
		return value{strings.Join(args, " "), true}, true
	case "basename":
		if len(args) == 1 || len(args) == 2 {
			s := path.Base(args[0])
			if len(args) == 2 {
				s = strings.TrimSuffix(s, args[1])
			}
			return value{s, true}, true
		}
	case "dirname":
		if len(args) == 1 {
			return value{path.Dir(args[0]), true}, true
		}
	case "readlink", "realpath":
		if len(args) > 0 && path.IsAbs(args[len(args)-1]) {
			return value{args[len(args)-1], true}, true
		}
	case "which", "command", "type":
		if s, ok := w.host.Find(args[len(args)-1]); ok {
			return value{s, true}, true
		}
		return value{"", true}, true
	case "run-parts":
		if dir := args[max(len(args)-1, 0):]; slices.Contains(args, "--list") && path.IsAbs(dir[0]) {
			return value{strings.Join(w.host.Glob(path.Join(dir[0], "*")), "\n"), true}, true
		}
	case "ls":
		var files []string
		for _, a := range args {
			if !strings.HasPrefix(a, "-") {
				files = append(files, a)
			}
		}
		if len(files) > 0 && path.IsAbs(files[0]) {
			return value{strings.Join(files, "\n"), true}, true
		}
	}
	return value{}, false
}

// Match reports whether all of s matches a pattern of the shell: * ? [...].
func Match(pattern, s string) bool {
	// Backtracks to the last star only, so it costs at most len(pattern) * len(s).
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		if p < len(pattern) {
			switch c := pattern[p]; c {
			case '*':
				star, mark = p, i
				p++
				continue
			case '?':
				p++
				i++
				continue
			case '[':
				if n, ok := class(pattern[p:], s[i]); n > 0 {
					if ok {
						p += n
						i++
						continue
					}
					break
				}
				fallthrough
			default:
				if c == s[i] {
					p++
					i++
					continue
				}
			}
		}
		if star < 0 {
			return false
		}
		mark++
		p, i = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// class matches one byte against a bracket expression, and tells its length, 0 if it is
// none.
func class(p string, c byte) (int, bool) {
	i, not, hit := 1, false, false
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		not = true
		i++
	}
	for first := true; i < len(p); first = false {
		if p[i] == ']' && !first {
			return i + 1, hit != not
		}
		if i+2 < len(p) && p[i+1] == '-' && p[i+2] != ']' {
			hit = hit || p[i] <= c && c <= p[i+2]
			i += 3
			continue
		}
		hit = hit || p[i] == c
		i++
	}
	return 0, false
}
