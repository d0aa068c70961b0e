package daemon

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/setting"
)

// Masked returns a result with the values of secrets taken away.
func (r Result) Masked() Result {
	r.Settings = slices.Clone(r.Settings)
	for i := range r.Settings {
		s := &r.Settings[i]
		switch {
		case s.Secret && s.word != 0:
			s.Raw, s.Value = maskWord(s.Raw, s.word), maskWord(s.Value, s.word)
			continue
		case s.Secret:
			s.Raw, s.Value = Mask(s.Raw), Mask(s.Value)
			continue
		}
		s.Raw, s.Value = maskURL(s.Raw), maskURL(s.Value)
	}
	return r
}

// maskWord masks one word of a value, by its number from 1 or from the end by -1.
func maskWord(s string, n int) string {
	w := words(s)
	if n < 0 {
		n += len(w) + 1
	}
	if n < 1 || n > len(w) {
		return Mask(s)
	}
	w[n-1] = Mask(w[n-1])
	return strings.Join(w, " ")
}

// maskURL masks the password of a URL with a login in it.
func maskURL(s string) string {
	scheme := strings.Index(s, "://")
	if scheme < 0 {
		return s
	}
	host := s[scheme+3:]
	if i := strings.IndexAny(host, "/ \t\"'"); i >= 0 {
		host = host[:i]
	}
	login, _, ok := strings.Cut(host, "@")
	user, password, pair := strings.Cut(login, ":")
	if !ok || !pair || password == "" {
		return s
	}
	return s[:scheme+3] + user + ":***" + s[scheme+3+len(login):]
}

// Mask replaces a secret; of a long one the first and the last character stay.
func Mask(s string) string {
	if len(s) < 8 {
		return "***"
	}
	return s[:1] + "***" + s[len(s)-1:]
}

// put notes a setting as it was met, its key and value normalised.
func (r *reading) put(s Setting) {
	d := r.d
	if len(r.all) >= maxSettings {
		return
	}
	if d.Strip != "" && s.Key == d.Strip {
		s.Key = firstWord(s.Value)
		s.Value = strings.TrimSpace(strings.TrimPrefix(s.Value, s.Key))
	}
	s.Key = d.key(s.Key)
	if slices.Contains(d.Pairs, s.Key) {
		r.pairs(s)
	}
	if d.Syntax.Family == setting.JSON && strings.HasPrefix(s.Value, "[") {
		s.Value = list(s.Value)
	}
	if len(d.Only) > 0 && s.Origin == "file" {
		section, _, _ := strings.Cut(s.Scope, "/")
		section, _, _ = strings.Cut(section, "#")
		if !slices.ContainsFunc(d.Only, func(o string) bool { ok, _ := path.Match(o, section); return ok }) {
			return
		}
		s.Scope = ""
	}
	if to, ok := d.Inverse[s.Key]; ok {
		s.Key = to
		s.Value = d.normal(to, s.Value)
		switch s.Value {
		case "yes":
			s.Value = "no"
		case "no":
			s.Value = "yes"
		}
	}
	if len(d.Keep) > 0 && !slices.Contains(d.Keep, s.Key) {
		return
	}
	s.Value = d.normal(s.Key, s.Value)
	s.Open = variable(s.Value, s.Origin == "argument")
	s.word = d.Masks[s.Key]
	s.Secret = d.secret(s.Scope, s.Key, s.Value, s.word)
	r.all = append(r.all, s)
}

// variable reports whether a value is a variable of the shell, or on a command line has
// one in it.
func variable(v string, anywhere bool) bool {
	i := strings.IndexByte(v, '$')
	if i < 0 || i > 0 && !anywhere {
		return false
	}
	name := strings.TrimSuffix(strings.TrimPrefix(v[i+1:], "{"), "}")
	if name == "" || name[0] != '_' && (name[0]|0x20 < 'a' || name[0]|0x20 > 'z') {
		return false
	}
	return anywhere || !strings.ContainsAny(name, " \t/{}$\"'")
}

// pairs notes the settings within a list of "KEY" => "VALUE", in a section of its key.
func (r *reading) pairs(s Setting) {
	for _, part := range strings.Split(strings.Trim(s.Value, "() \t\r\n"), ",") {
		k, v, ok := strings.Cut(part, "=>")
		k, v = strings.Trim(k, " \t\r\n\""), strings.Trim(v, " \t\r\n\"")
		if !ok || k == "" || slices.Contains(r.d.Pairs, k) {
			continue
		}
		one := s
		one.Key, one.Raw, one.Value = k, v, v
		one.Scope = strings.TrimPrefix(s.Scope+"/"+s.Key, "/")
		r.put(one)
	}
}

func firstWord(s string) string {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i]
	}
	return s
}

// list writes a JSON list as words with commas between them.
func list(v string) string {
	var out []string
	for _, w := range strings.Split(strings.Trim(v, "[] \t\r\n"), ",") {
		if w = strings.Trim(w, " \t\r\n\""); w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, ",")
}

// secret reports whether a value must not be shown: its key or section is one of those
// that hold secrets, or the key sounds like one and the value is no switch, number or path.
func (d *Daemon) secret(scope, key, value string, n int) bool {
	word, _, _ := strings.Cut(value, " ")
	if n != 0 {
		w := words(value)
		if n < 0 {
			n += len(w) + 1
		}
		if n < 1 || n > len(w) {
			return true
		}
		return !slices.Contains(d.Known, w[n-1])
	}
	if value == "" || slices.Contains(d.Known, word) {
		return false
	}
	section, _, _ := strings.Cut(scope, "/")
	if slices.Contains(d.Secrets, key) || section != "" && slices.Contains(d.Secrets, section) {
		return true
	}
	k := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(key))
	loud := func(w string) bool { return strings.Contains(k, w) }
	if !slices.ContainsFunc([]string{"password", "passwd", "passphrase", "secret", "community", "apikey", "authtoken", "accesstoken"}, loud) {
		return false
	}
	return value != "yes" && value != "no" && strings.Trim(value, "0123456789") != "" && !strings.HasPrefix(value, "/")
}

// normal writes a value in its one form.
func (d *Daemon) normal(key, v string) string {
	v = strings.TrimSpace(v)
	if strings.Contains(v, "\n") {
		v = strings.Join(strings.Fields(strings.ReplaceAll(v, "\\\n", " ")), " ")
	}
	if slices.Contains(d.Verbatim, key) {
		return v
	}
	if to, ok := d.Same[key][strings.ToLower(v)]; ok {
		return to
	}
	if slices.Contains(d.Switches, key) {
		switch v {
		case "1", "":
			return "yes"
		case "0":
			return "no"
		}
	}
	switch strings.ToLower(v) {
	case "yes", "true", "on", "enable", "enabled":
		return "yes"
	case "no", "false", "off", "disable", "disabled":
		return "no"
	}
	return v
}

func (d *Daemon) list(key string) bool {
	return slices.Contains(d.Lists, key) || slices.Contains(d.Lists, "*")
}

// words splits a value at blanks; quotes hold a word together.
func words(s string) []string {
	var out []string
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case ' ', '\t':
			i++
		case '"', '\'':
			n := strings.IndexByte(s[i+1:], c)
			if n < 0 {
				n = len(s) - i - 1
			}
			out = append(out, s[i+1:i+1+n])
			i += n + 2
		default:
			n := strings.IndexAny(s[i:], " \t")
			if n < 0 {
				n = len(s) - i
			}
			out = append(out, s[i:i+n])
			i += n
		}
	}
	return out
}
