package setting

import (
	"fmt"
	"slices"
	"strings"
)

// Every edit is read again before it is returned: one that would not say what was asked for
// is an error, for example within a file that is damaged.

// Set returns the text with every entry of a key in a scope set to a value, so that the
// program obeys it whichever of several it takes. Where there is none, one is added.
func (f *File) Set(scope []string, key, value string) (string, error) {
	found := f.Lookup(scope, key)
	if len(found) == 0 {
		return f.Add(scope, key, value)
	}
	text := f.Text
	for _, e := range slices.Backward(found) {
		word, err := f.word(e, value)
		if err != nil {
			return "", err
		}
		text = text[:e.Start] + word + text[e.End:]
	}
	if n := said(Parse(f.Syntax, text), scope, key, value); n != len(found) {
		return "", fmt.Errorf("%s: value %q does not read back", key, value)
	}
	return text, nil
}

// said counts the entries of a key in a scope that have a value.
func said(f *File, scope []string, key, value string) int {
	n := 0
	for _, e := range f.Lookup(scope, key) {
		if e.Value == value {
			n++
		}
	}
	return n
}

// Add returns the text with one more entry behind the last one of its scope. A section
// that is not there is made at the end of the file, in families that name sections.
func (f *File) Add(scope []string, key, value string) (string, error) {
	text, err := f.add(scope, key, value)
	if err != nil {
		return "", err
	}
	if said(Parse(f.Syntax, text), scope, key, value) != said(f, scope, key, value)+1 {
		return "", fmt.Errorf("%s: value %q does not read back", key, value)
	}
	return text, nil
}

func (f *File) add(scope []string, key, value string) (string, error) {
	line, err := f.line(scope, key, value)
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(f.Sections, func(s Section) bool { return slices.Equal(s.Scope, scope) })
	if at < 0 {
		return f.addSection(scope, line)
	}
	s := f.Sections[at]
	var last *Entry
	for i, e := range f.Entries {
		if slices.Equal(e.Scope, scope) {
			last = &f.Entries[i]
		}
	}
	if f.Syntax.Family == JSON {
		return f.addItem(s, last, line)
	}
	if f.Syntax.Family == XML {
		// Before the end tag: an entry may stand in the head of another section.
		end := s.End
		for end > s.Start && blank(f.Text[end-1]) {
			end--
		}
		return f.Text[:end] + "\t" + line + "\n" + f.Text[end:], nil
	}
	if last != nil {
		indent := f.indent(last.Start)
		end := last.End
		if n := strings.IndexByte(f.Text[end:], '\n'); n >= 0 && end+n <= s.End && !strings.ContainsAny(f.Text[end:end+n], "{}<") {
			end += n // a comment behind the entry stays with it
		}
		return f.Text[:end] + "\n" + indent + line + f.Text[end:], nil
	}
	before, indent := f.Text[:s.Start], ""
	if len(scope) > 0 {
		indent = "\t"
	}
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	after := f.Text[s.Start:]
	if !strings.HasPrefix(after, "\n") || len(scope) == 0 {
		indent += line + "\n"
	} else {
		indent += line
	}
	return before + indent + after, nil
}

// addItem puts a member into a JSON object.
func (f *File) addItem(s Section, last *Entry, item string) (string, error) {
	if len(s.Scope) == 0 {
		open := strings.IndexByte(f.Text, '{')
		if last == nil && open < 0 {
			return "{\n  " + item + "\n}\n", nil
		}
		s.Start = max(s.Start, open+1)
	}
	// As the first member: what follows is then never a question.
	comma := ","
	rest := f.Text[s.Start:s.End]
	if last == nil && !strings.Contains(rest, ":") {
		comma = ""
	}
	indent := "  " + strings.Repeat("  ", len(s.Scope))
	return f.Text[:s.Start] + "\n" + indent + item + comma + f.Text[s.Start:], nil
}

// addSection makes a section with one line at the end of the file.
func (f *File) addSection(scope []string, line string) (string, error) {
	if len(scope) != 1 {
		return "", fmt.Errorf("section %q: is not in the file", strings.Join(scope, "/"))
	}
	name, text := scope[0], f.Text
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	switch f.Syntax.Family {
	case INI:
		return text + "[" + name + "]\n" + line + "\n", nil
	case UCI:
		kind, label, _ := strings.Cut(name, " ")
		head := "config " + kind
		if label != "" {
			head += " '" + label + "'"
		}
		return text + "\n" + head + "\n\t" + line + "\n", nil
	case WPA:
		return text + name + "={\n\t" + line + "\n}\n", nil
	case Blocks, Lighttpd:
		return text + name + " {\n\t" + line + "\n}\n", nil
	case Apache:
		word, _, _ := strings.Cut(name, " ")
		return text + "<" + name + ">\n\t" + line + "\n</" + word + ">\n", nil
	case Words, Equals:
		return text + name + "\n" + line + "\n", nil
	default:
		return "", fmt.Errorf("section %q: %s files have none that can be added", name, f.Syntax.Family)
	}
}

// Remove returns the text without the entries of a key in a scope.
func (f *File) Remove(scope []string, key string) string {
	text := f.Text
	for _, e := range slices.Backward(f.Lookup(scope, key)) {
		text = f.cut(text, e)
	}
	return text
}

// Replace returns the text with another value in one entry.
func (f *File) Replace(e Entry, value string) (string, error) {
	word, err := f.word(e, value)
	if err != nil {
		return "", err
	}
	text := f.Text[:e.Start] + word + f.Text[e.End:]
	i := slices.IndexFunc(f.Entries, func(x Entry) bool { return x.Start == e.Start })
	after := Parse(f.Syntax, text).Entries
	if i < 0 || len(after) != len(f.Entries) || after[i].Key != e.Key || after[i].Value != value {
		return "", fmt.Errorf("%s: value %q does not read back", e.Key, value)
	}
	return text, nil
}

// Cut returns the text without one entry.
func (f *File) Cut(e Entry) string { return f.cut(f.Text, e) }

// cut takes an entry out of a text that is the file's up to its end, with its line where
// nothing else stands on it.
func (f *File) cut(text string, e Entry) string {
	s, end := e.Start, e.End
	if f.Syntax.Family == JSON {
		n := end
		for n < len(text) && space(text[n]) {
			n++
		}
		if n < len(text) && text[n] == ',' {
			end = n + 1
		} else {
			n := s
			for n > 0 && space(text[n-1]) {
				n--
			}
			if n > 0 && text[n-1] == ',' {
				return text[:n-1] + text[end:]
			}
		}
	}
	from, to := s, end
	for from > 0 && blank(text[from-1]) {
		from--
	}
	for to < len(text) && blank(text[to]) {
		to++
	}
	if (from == 0 || text[from-1] == '\n') && (to == len(text) || text[to] == '\n') {
		return text[:from] + text[min(to+1, len(text)):]
	}
	return text[:s] + text[end:]
}

// indent returns the blanks before an entry.
func (f *File) indent(start int) string {
	s := start
	for s > 0 && blank(f.Text[s-1]) {
		s--
	}
	if s > 0 && f.Text[s-1] != '\n' {
		return "\t"
	}
	return f.Text[s:start]
}

// word writes an entry again with another value, quoted as the old one was.
func (f *File) word(e Entry, value string) (string, error) {
	if f.Syntax.Family == Kconfig {
		return f.line(e.Scope, e.Key, value)
	}
	old := f.Text[e.ValueStart:e.ValueEnd]
	if old == "" {
		return f.line(e.Scope, e.Key, value)
	}
	quote := ""
	if old[0] == '"' || old[0] == '\'' {
		quote = old[:1]
	}
	switch {
	case f.Syntax.Family == JSON:
		quote = ""
		value = f.json(value)
	case quote == "":
		quote = f.needs(value)
	}
	v, err := f.quote(value, quote)
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.Key, err)
	}
	return f.Text[e.Start:e.ValueStart] + v + f.Text[e.ValueEnd:e.End], nil
}

// line writes a new entry in the family's usual form.
func (f *File) line(scope []string, key, value string) (string, error) {
	if key == "" || strings.ContainsAny(key, "\n\r") {
		return "", fmt.Errorf("key %q: cannot be written", key)
	}
	quote, form := "", ""
	switch f.Syntax.Family {
	case Equals, INI:
		form = "%s = %s"
		if strings.Contains(f.Text, "=") && !strings.Contains(f.Text, " = ") {
			form = "%s=%s"
		}
	case WPA:
		form = "%s=%s"
	case Shell:
		form, quote = "%s=%s", f.needs(value)
	case Colon:
		form = "%s:%s"
	case Kconfig:
		if value == "n" {
			return "# " + key + " is not set", nil
		}
		form = "%s=%s"
	case UCI:
		form, quote = "option %s %s", "'"
	case Blocks:
		form = "%s %s;"
		if value == "" {
			return key + ";", nil
		}
	case Lighttpd:
		form, quote = "%s = %s", f.needs(value)
	case JSON:
		value, form = f.json(value), `"%s": %s`
	case XML:
		if strings.ContainsAny(value, "<>&") || strings.ContainsAny(key, ". <>&") {
			return "", fmt.Errorf("%s: value %q cannot be written", key, value)
		}
		return "<" + key + ">" + value + "</" + key + ">", nil
	case Rsyslog:
		if len(scope) > 0 {
			form, quote = "%s=%s", `"`
			break
		}
		form = "%s %s"
	default: // Words, Apache
		form = "%s %s"
	}
	v, err := f.quote(value, quote)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return strings.TrimRight(fmt.Sprintf(form, key, v), " "), nil
}

// needs returns the quotes that a bare value cannot do without.
func (f *File) needs(value string) string {
	switch f.Syntax.Family {
	case Shell, UCI:
		if value == "" || strings.ContainsAny(value, " \t\"'$;&|<>()*?#~`\\") {
			return "'"
		}
	case Lighttpd:
		if value == "" || strings.Trim(value, "0123456789") != "" && value[0] != '(' {
			return `"`
		}
	default:
	}
	return ""
}

// quote puts a value into quotes. A value that would end its line or its quotes is
// refused: it would write another setting.
func (f *File) quote(value, quote string) (string, error) {
	if strings.ContainsAny(value, "\n\r\x00") {
		return "", fmt.Errorf("value %q holds a line break", value)
	}
	switch quote {
	case `"`:
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`, nil
	case "'":
		if strings.Contains(value, "'") {
			return "", fmt.Errorf("value %q holds a quote", value)
		}
		return "'" + value + "'", nil
	}
	if f.Syntax.Family == Blocks && strings.ContainsAny(value, ";{}") {
		return "", fmt.Errorf("value %q ends its directive", value)
	}
	return value, nil
}

// json writes a value as JSON: numbers, true, false, null, lists and objects as they are,
// anything else as a string.
func (f *File) json(value string) string {
	switch {
	case value == "true", value == "false", value == "null":
		return value
	case value != "" && (value[0] == '[' || value[0] == '{'):
		return value
	case value != "" && strings.Trim(value, "0123456789") == "" && (value[0] != '0' || value == "0"):
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(value) + `"`
}
