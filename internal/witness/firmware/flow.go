package firmware

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// script is a scripting language as far as input can be followed in it, line by line and
// within one file. What it cannot follow it does not report.
type script struct {
	name     string
	sources  *search.Pattern // expressions that somebody outside decides about
	clean    *search.Pattern // what makes a value harmless
	guard    *search.Pattern // what refuses bad values: the variables of such a line are trusted from then on
	assign   *search.Pattern // variable, value
	name1    *search.Pattern // a use of a variable: its name is the first group that matched
	sinks    []sink
	plain    []pattern // dangerous whatever goes in
	comment  []string
	literals bool // variables are bare words: texts have to be cut out before they are looked for
	open     bool // a call may go over several lines
}

// sink is a call that input must not reach.
type sink struct {
	what  string
	at    *search.Pattern
	needs *search.Pattern // must stand in the line as well
	first bool            // only the first argument counts
	whole bool            // what stands before the call counts as well
	cgi   bool            // only in what a web server runs
	loose bool            // the parameters of a function count as input where the file takes input at all
}

// pattern is a dangerous line.
type pattern struct {
	what string
	at   *search.Pattern
	not  *search.Pattern
	root bool // only in what root runs
	once bool // the first one says it all
}

const (
	usesMost   = 40  // of one script
	lineMost   = 160 // of what is quoted
	joinedMost = 12  // lines of one statement
)

// statement is one logical line.
type statement struct {
	line int
	text string
}

// uses finds the dangerous uses in a script.
func (s *script) uses(text string, cgi, root bool) []fact.Use {
	var out []fact.Use
	seen := map[string]bool{}
	f := flow{script: s, tainted: map[string]bool{}, weak: map[string]bool{}, input: s.sources.MatchString(text)}
	add := func(what string, at statement) {
		if k := what + at.text; !seen[k] && len(out) < usesMost {
			seen[k] = true
			out = append(out, fact.Use{What: what, Line: at.line, Text: quote(at.text)})
		}
	}
	once := map[string]bool{}
	for _, st := range s.statements(text) {
		for _, p := range s.plain {
			if p.root && !root || p.once && once[p.what] || !p.at.MatchString(st.text) || p.not != nil && p.not.MatchString(st.text) {
				continue
			}
			once[p.what] = true
			add(p.what, st)
		}
		if !f.input && !cgi {
			continue
		}
		if what := f.step(st.text, cgi); what != "" {
			add(what, st)
		}
	}
	return out
}

// quote cuts a line to what a report shows, its secrets masked.
func quote(line string) string {
	line = maskLine(strings.Join(strings.Fields(line), " "))
	if len(line) > lineMost {
		line = strings.ToValidUTF8(line[:lineMost], "")
	}
	return line
}

// statements joins the lines that belong together and leaves out comments and the texts
// that are only printed.
func (s *script) statements(text string) []statement {
	var out []statement
	lines := strings.Split(text, "\n")
	block, here := "", ""
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if here != "" {
			if line == here {
				here = ""
			}
			continue
		}
		if block != "" {
			if j := strings.Index(line, block); j >= 0 {
				line, block = line[j+len(block):], ""
			} else {
				continue
			}
		}
		if line == "" || s.isComment(line) {
			continue
		}
		if open, end := s.blockComment(line); open {
			block = end
			continue
		}
		st := statement{i + 1, line}
		for n := 0; n < joinedMost && i+1 < len(lines) && len(st.text) < 4096; n++ {
			if cut, ok := strings.CutSuffix(st.text, `\`); ok {
				st.text = cut + " " + strings.TrimSpace(lines[i+1])
			} else if s.open && depth(st.text) > 0 && !strings.HasSuffix(st.text, "{") {
				st.text += " " + strings.TrimSpace(lines[i+1])
			} else {
				break
			}
			i++
		}
		if s.name == "sh" {
			if m := heredoc.FindStringSubmatch(st.text); m != nil && !heredocRuns.MatchString(st.text) {
				here = m[1]
			}
		}
		out = append(out, st)
	}
	return out
}

var (
	heredoc     = search.Lazy(`<<-?\s*["'\\]?(\w+)["']?`)
	heredocRuns = search.Lazy(`\b(ssh|sh|bash|ftp|lftp|telnet|nc|python\d?|perl)\b[^|]*<<`)
)

func (s *script) isComment(line string) bool {
	for _, c := range s.comment {
		if strings.HasPrefix(line, c) {
			return true
		}
	}
	return false
}

// blockComment reports whether a line begins a comment or text of several lines, and what
// ends it.
func (s *script) blockComment(line string) (open bool, end string) {
	for _, b := range blocks[s.name] {
		if strings.HasPrefix(line, b[0]) && !strings.Contains(line[len(b[0]):], b[1]) {
			return true, b[1]
		}
	}
	return false, ""
}

var blocks = map[string][][2]string{
	"php": {{"/*", "*/"}}, "javascript": {{"/*", "*/"}}, "python": {{`"""`, `"""`}, {"'''", "'''"}}, "lua": {{"--[[", "]]"}}, "perl": {{"=pod", "=cut"}, {"=head", "=cut"}},
}

// depth counts the brackets that a line leaves open.
func depth(line string) int {
	n, in := 0, byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case in != 0:
			if c == in {
				in = 0
			}
		case c == '"' || c == '\'':
			in = c
		case c == '(' || c == '[':
			n++
		case c == ')' || c == ']':
			n--
		}
	}
	return n
}

// flow is what is known of the variables at one line.
type flow struct {
	*script
	tainted map[string]bool
	weak    map[string]bool // parameters of the function
	routed  []string        // variables of the route that was declared last
	numbers []string        // those that the framework makes numbers of
	input   bool            // the file takes input at all
}

var (
	routeLine  = search.Lazy(`^@\w+(\.\w+)*\.(route|get|post|put|delete)\(`)
	routeNum   = search.Lazy(`<(?:int|float|uuid):(\w+)>`)
	routeVar   = search.Lazy(`<(?:(?:string|path):)?(\w+)>|\{(\w+)\}`)
	defLine    = search.Lazy(`^(?:async\s+)?(?:def|function|local function)\s+\w+\s*\(([^)]*)\)`)
	parameter  = search.Lazy(`\$?\b[A-Za-z_]\w*`)
	presence   = search.Lazy(`\b(isset|empty|array_key_exists)\s*\([^)]*\)`)
	positional = search.Lazy(`^set\s+--?\s+(.*)`)
	loop       = search.Lazy(`^for\s+(\w+)\s+in\s+(.*)`)
	reading    = search.Lazy(`(?:^|[|;&]|\bwhile|\bIFS=\S*)\s*read\s+(?:-\w+\s+(?:\d+\s+)?)*(\w+(?:\s+\w+)*)`)
)

// step follows one statement, and names the dangerous use that it is.
func (f *flow) step(text string, cgi bool) string {
	f.parameters(text)
	if f.name == "sh" {
		f.shellInput(text, cgi)
	}
	if f.guard != nil && f.guard.MatchString(text) {
		for _, v := range f.variables(text) {
			delete(f.tainted, v)
			delete(f.weak, v)
		}
	}
	what := f.reached(text, cgi)
	if m := f.assign.FindStringSubmatch(text); m != nil {
		name, value := m[1], m[2]
		switch {
		case f.dirty(value, false) && !f.clean.MatchString(value):
			f.tainted[name] = true
		case !strings.Contains(m[0], "+=") && !strings.Contains(m[0], ".="):
			delete(f.tainted, name)
			delete(f.weak, name)
		}
	}
	return what
}

func (f *flow) parameters(text string) {
	if routeLine.MatchString(text) {
		for _, m := range routeVar.FindAllStringSubmatch(text, -1) {
			f.routed = append(f.routed, m[1]+m[2])
		}
		for _, m := range routeNum.FindAllStringSubmatch(text, -1) {
			f.numbers = append(f.numbers, m[1])
		}
		return
	}
	m := defLine.FindStringSubmatch(text)
	if m == nil {
		return
	}
	clear(f.weak)
	for _, p := range strings.Split(m[1], ",") {
		if v := parameter.FindString(p); v != "" && v != "self" && v != "cls" {
			f.weak[v] = true
			delete(f.tainted, v)
		}
	}
	for _, v := range f.routed {
		f.tainted[v] = true
	}
	for _, v := range f.numbers {
		delete(f.weak, v)
	}
	f.routed, f.numbers = nil, nil
}

// shellInput follows the ways by which a shell takes values other than assignments.
func (f *flow) shellInput(text string, cgi bool) {
	if m := positional.FindStringSubmatch(text); m != nil && f.dirty(m[1], false) {
		for _, v := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "@", "*"} {
			f.tainted[v] = true
		}
	}
	if m := loop.FindStringSubmatch(text); m != nil && f.dirty(m[2], false) {
		f.tainted[m[1]] = true
	}
	// A CGI program reads the body of the request; others read what is piped into them.
	m := reading.FindStringSubmatchIndex(text)
	if m != nil && !strings.Contains(text, "<") && (cgi && !strings.Contains(text[:m[0]+1], "|") || f.dirty(text[:m[0]], false)) {
		for _, v := range strings.Fields(text[m[2]:m[3]]) {
			f.tainted[v] = true
		}
	}
}

// variables lists the variables that stand in an expression.
func (f *flow) variables(text string) []string {
	if f.literals {
		text = bare(text)
	}
	var out []string
	for _, m := range f.name1.FindAllStringSubmatch(text, 64) {
		for _, g := range m[1:] {
			if g != "" {
				out = append(out, g)
			}
		}
	}
	return out
}

// dirty reports whether an expression has input in it.
func (f *flow) dirty(text string, loose bool) bool {
	text = presence.ReplaceAllString(text, "")
	if f.sources.MatchString(text) {
		return true
	}
	for _, v := range f.variables(text) {
		if f.tainted[v] || loose && f.input && f.weak[v] {
			return true
		}
	}
	return false
}

// reached names the sink of a statement that input reaches.
func (f *flow) reached(text string, cgi bool) string {
	for _, s := range f.sinks {
		if s.cgi && !cgi || s.needs != nil && !s.needs.MatchString(text) {
			continue
		}
		for _, at := range s.at.FindAllStringIndex(text, 8) {
			args := text[at[1]:]
			if f.name == "sh" {
				args = command(args)
			}
			if s.first {
				args = firstArgument(args)
			}
			if s.whole {
				args = text
			}
			if f.dirty(args, s.loose) && !f.clean.MatchString(args) {
				return s.what
			}
		}
	}
	return ""
}

// command cuts the arguments of a shell command at its end.
func command(args string) string {
	in := byte(0)
	for i := 0; i < len(args); i++ {
		switch c := args[i]; {
		case c == '\\':
			i++
		case in != 0:
			if c == in {
				in = 0
			}
		case c == '"' || c == '\'':
			in = c
		case c == ';' || c == '|' || c == '&' && (i == 0 || args[i-1] != '>'):
			if i+1 < len(args) || c != '&' {
				return args[:i]
			}
		}
	}
	return args
}

// firstArgument cuts a list of arguments at its first comma, or at the end of the call.
func firstArgument(args string) string {
	n, in := 0, byte(0)
	for i := 0; i < len(args); i++ {
		switch c := args[i]; {
		case c == '\\':
			i++
		case in != 0:
			if c == in {
				in = 0
			}
		case c == '"' || c == '\'':
			in = c
		case c == '(' || c == '[' || c == '{':
			n++
		case c == ')' || c == ']' || c == '}':
			if n--; n < 0 {
				return args[:i]
			}
		case c == ',' && n == 0:
			return args[:i]
		}
	}
	return args
}

// bare cuts the texts out of an expression and keeps what is put into them: {x} of
// Python's f"", ${x} of JavaScript's back quotes.
func bare(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '"' && c != '\'' && c != '`' {
			b.WriteByte(c)
			continue
		}
		format := c == '`' || i > 0 && (text[i-1] == 'f' || text[i-1] == 'F')
		in := 0
		for i++; i < len(text) && text[i] != c; i++ {
			switch {
			case text[i] == '\\':
				i++
				continue
			case format && text[i] == '{':
				in++
			case format && text[i] == '}' && in > 0:
				in--
			}
			if in > 0 {
				b.WriteByte(text[i])
			}
		}
		b.WriteByte(' ')
	}
	return b.String()
}
