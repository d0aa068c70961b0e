package secret

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// Style is how a line is read.
type Style int

// The styles.
const (
	Configuration Style = iota // key = value, key: value, JSON, YAML, XML, UCI
	Shell                      // NAME=value, and commands
	Code                       // only quoted values of other languages
	Log                        // key=value anywhere
	Binary                     // only what cannot be anything else
)

// ending is how the name of a setting that holds a secret ends.
const ending = `(?:password|passwd|passphrase|passwort|pwd|pass|psk|secret|secret_?key|api_?key|access_?key|auth_?key|encryption_?key|auth_?token|access_?token|api_?token|bot_?token|private_?token)`

var (
	assigned = search.Lazy(`(?i)^[\s{,-]*(?:export\s+|set\s+|local\s+|readonly\s+|env:?\s+|Environment=\s*["']?)?["']?((?:[a-z0-9_.-]*[_.-])?[a-z0-9]*` + ending + `)["']?\s*(?::=|=>|=|:)\s*("[^"]*"|'[^']*'|[^\s"'][^\r\n]*)`)
	inShell  = search.Lazy(`(?i)(?:^|[\s;&|(])((?:[a-z0-9_]*_)?[a-z0-9]*` + ending + `)=("[^"]*"|'[^']*'|[^\s"';&|)]+)`)
	inCode   = search.Lazy(`(?i)(?:^|[^a-z0-9_])["']?((?:[a-z0-9_.-]*[_.-])?[a-z0-9]*` + ending + `)["']?\]?\s*(?::=|=>|=|:)\s*("[^"]*"|'[^']*')`)
	inLog    = search.Lazy(`(?i)(?:^|[\s"',;{(&?])["']?((?:[a-z0-9_]*_)?(?:password|passwd|passphrase|pwd|psk))["']?\s?[=:]\s?("[^"]+"|'[^']+'|[^\s"',;&|)}]+)`)
	uci      = search.Lazy(`^\s*option\s+(\w*(?:password|passwd|passphrase|secret|psk|pass))\s+("[^"]*"|'[^']*'|\S+)\s*$`)
	element  = search.Lazy(`(?i)<([a-z:_-]*(?:password|passwd|passphrase|secret|apikey|api-key))>([^<>]+)</`)
	attrib   = search.Lazy(`(?i)\s((?:[a-z_-]*[_-])?(?:password|passwd|passphrase))="([^"<>]+)"`)
)

// commands are what programs are given a password by.
var commands = []struct {
	what, opens string
	re          *search.Pattern // groups: user (may be empty), value
	sure        bool            // it is a secret wherever it stands
}{
	{"password", "", search.Lazy(`(?i)\b(?:user(?:name)?|uid|login)=([^,;\s"'=]+)[,;]\s*(?:[a-z_]+=[^,;\s"']*[,;]\s*)*(?:pass|password|passwd|pwd)=([^,;\s"'|&)]+)`), true},
	{"password", "", search.Lazy(`(?i)\b()(?:pass|password|passwd|pwd)=([^,;\s"'|&)]+)[,;]\s*(?:user(?:name)?|uid|login)=[^,;\s"']+`), true},
	{"password", "ssh", search.Lazy(`\bsshpass\s+()-p\s*["']?([^\s"']+)`), true},
	{"password", "http", search.Lazy(`\bcurl\s[^|;&]*?(?:\s-u|\s--user)[\s=]*["']?([^\s:"']+):([^\s"']+)`), true},
	{"password", "http", search.Lazy(`\b(?:wget|curl)\s[^|;&]*?()--(?:http-|ftp-|proxy-)?password[=\s]["']?([^\s"']+)`), true},
	{"password", "mysql", search.Lazy(`\bmysql(?:dump|admin|import)?\s[^|;&]*?-u\s*(\S+)[^|;&]*?\s-p([^\s"'-][^\s"']*)`), false},
	{"password", "ftp", search.Lazy(`\blftp\s[^|;&]*?-u\s*["']?([^,\s"']+),([^\s"']+)`), true},
	{"password", "cifs", search.Lazy(`\b(?:smbclient|rpcclient|smbget|smbmount)\s[^|;&]*?-U\s*["']?([^%\s"']+)%([^\s"']+)`), true},
	{"password", "mqtt", search.Lazy(`\bmosquitto_(?:pub|sub)\s[^|;&]*?()-P\s*["']?([^\s"']+)`), false},
	{"password", "system", search.Lazy(`\becho\s+(?:-[en]+\s+)?["']?([a-z_][a-z0-9_-]*):([^\s"'|]+)["']?\s*\|\s*(?:/usr/sbin/|/sbin/)?chpasswd`), true},
	{"password", "openssl", search.Lazy(`\bopenssl\s[^|;&]*?()-pass(?:in|out)?\s+pass:([^\s"']+)`), true},
	{"password", "openssl", search.Lazy(`\bopenssl\s[^|;&]*?()-pass(?:in|out)?\s+["']pass:([^\s"']+)["']`), true},
	{"community", "snmp", search.Lazy(`\bsnmp(?:set|get|walk|bulkwalk)\s[^|;&]*?()-c\s*["']?([^\s"']+)`), false},
}

// Line returns the secrets of one line.
func Line(line string, style Style) []Secret {
	if len(line) > 2000 {
		line = line[:2000]
	}
	trimmed := strings.TrimSpace(line)
	if style != Log && style != Binary {
		if trimmed == "" || strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "//") || strings.HasPrefix(trimmed, ";") ||
			strings.HasPrefix(trimmed, "*") || strings.HasPrefix(trimmed, "/*") || strings.HasPrefix(trimmed, "--") || strings.HasPrefix(trimmed, "<!--") {
			return nil
		}
	}
	var out []Secret
	add := func(s Secret, ok bool) {
		if !ok {
			return
		}
		for _, before := range out {
			if before.Value == s.Value || before.At == s.At {
				return
			}
		}
		out = append(out, s)
	}
	for _, c := range commands {
		if !c.sure && style == Binary {
			continue
		}
		for _, m := range c.re.FindAllStringSubmatchIndex(line, 4) {
			s := Secret{What: c.what, For: c.opens, User: line[m[2]:m[3]], Value: line[m[4]:m[5]], At: m[4]}
			if s.For == "" {
				s.For = opens(line)
			}
			add(s, !variable(s.User) && plausible(s.Value) && (style != Binary || strong(s.Value)))
		}
	}
	if style == Binary {
		return out
	}
	for _, m := range patterns(style, line) {
		key, raw := line[m[2]:m[3]], line[m[4]:m[5]]
		value, quoted := unquote(raw)
		s := Secret{What: kind(key), For: opens(line), Subject: key, Value: value, At: m[4]}
		add(s, holds(key, value, quoted, style))
	}
	return out
}

func patterns(style Style, line string) [][]int {
	var out [][]int
	collect := func(res ...*search.Pattern) {
		for _, re := range res {
			out = append(out, re.FindAllStringSubmatchIndex(line, 4)...)
		}
	}
	switch style {
	case Shell:
		collect(inShell)
	case Code:
		collect(inCode)
	case Log:
		collect(inLog)
	case Configuration:
		collect(assigned, uci, element, attrib)
	case Binary:
	}
	return out
}

// unquote takes the quotes off a value, and what follows one without them.
func unquote(raw string) (value string, quoted bool) {
	raw = strings.TrimSpace(raw)
	if len(raw) >= 2 && (raw[0] == '"' || raw[0] == '\'') {
		return raw[1 : len(raw)-1], true
	}
	for _, end := range []string{" #", " ;", "\t#", " //", `","`} {
		raw, _, _ = strings.Cut(raw, end)
	}
	return strings.TrimRight(raw, " \t,;\"'"), false
}

// kind names what a setting holds by its key.
func kind(key string) string {
	k := strings.ToLower(key)
	switch {
	case strings.HasSuffix(k, "psk"), strings.Contains(k, "wpa"):
		return "wifi-psk"
	case strings.Contains(k, "cookie"), strings.Contains(k, "session"), strings.Contains(k, "jwt"):
		return "cookie-secret"
	case strings.HasSuffix(k, "token"):
		return "token"
	case strings.HasSuffix(k, "key"):
		return "api-key"
	}
	return "password"
}

// opens says what a line's password is for, as far as the line shows it.
func opens(line string) string {
	l := strings.ToLower(line)
	for _, w := range [][2]string{{"cifs", "cifs"}, {"smb", "cifs"}, {"mysql", "mysql"}, {"mariadb", "mysql"}, {"postgres", "postgresql"}, {"pgpass", "postgresql"},
		{"mqtt", "mqtt"}, {"ftp", "ftp"}, {"ldap", "ldap"}, {"smtp", "smtp"}, {"imap", "imap"}, {"redis", "redis"}, {"wifi", "wifi"}, {"wpa", "wifi"},
		{"vnc", "vnc"}, {"rsync", "rsync"}, {"aws", "aws"}, {"azure", "azure"}, {"jwt", "jwt"}} {
		if strings.Contains(l, w[0]) {
			return w[1]
		}
	}
	return ""
}

// holds reports whether a setting's value is a secret.
func holds(key, value string, quoted bool, style Style) bool {
	if !plausible(value) || strings.EqualFold(key, value) {
		return false
	}
	k := strings.ToLower(key)
	if k == "pwd" && style == Shell || k == "oldpwd" || strings.HasSuffix(k, "bypass") || strings.HasSuffix(k, "compass") || strings.HasSuffix(k, "_pass") && digitsOnly(value) && len(value) < 4 {
		return false
	}
	if strings.Contains(value, " ") && (!quoted || style != Configuration) {
		return false // a sentence
	}
	switch style {
	case Code:
		return strong(value) && !strings.Contains(value, ".")
	case Log:
		return strong(value)
	case Configuration, Shell, Binary:
	}
	// A lone word without digits is a secret only where the key says password.
	if !strong(value) && (!strings.Contains(k, "pass") && !strings.HasSuffix(k, "psk") && !strings.HasSuffix(k, "secret") && !strings.HasSuffix(k, "pwd") || len(value) < 4) {
		return false
	}
	return true
}

func digitsOnly(s string) bool { return strings.Trim(s, "0123456789") == "" }

// variable reports whether a word stands for another.
func variable(s string) bool { return strings.ContainsAny(s, "$%{}<>()`\\@*[]") }

// plausible reports whether a value can be a secret at all: it is there, stands for
// nothing else, and is no word of a configuration language.
func plausible(v string) bool {
	if v == "" || len(v) > 200 || strings.ContainsAny(v, "\x00`") {
		return false
	}
	if strings.Contains(v, "${") || strings.Contains(v, "$(") || strings.Contains(v, "{{") || strings.Contains(v, "%s") || strings.Contains(v, "%d") ||
		strings.Contains(v, "%{") || strings.Contains(v, "%(") || strings.Contains(v, "->") || strings.Contains(v, "::") || strings.Contains(v, "()") ||
		strings.Contains(v, "(") && strings.HasSuffix(v, ")") || strings.Contains(v, "\\n") {
		return false
	}
	switch v[0] {
	case '$', '<', '{', '[', '@', '%', '(', '&', '*', '/', '~', '!', '|', ':', '=', '.', ',', '-', '\\':
		return false
	}
	l := strings.ToLower(v)
	if _, not := placeholders[l]; not {
		return false
	}
	for _, w := range []string{"xxx", "example", "placeholder", "your", "change_this", "redacted", "****", "....", "____", "insert", "password_here", "todo", "dummy", "<", ">",
		"my_", "mypass", "some_", "enter ", "replace", "://", "none of", "is not", "must "} {
		if strings.Contains(l, w) {
			return false
		}
	}
	if distinct(l) == 1 && !digitsOnly(v) {
		return false
	}
	for _, end := range []string{".txt", ".key", ".pem", ".conf", ".cfg", ".file", ".db", ".php", ".html", ".so", ".crt", ".password", ".passwd", ".secret", ".token", ".py", ".sh"} {
		if strings.HasSuffix(l, end) {
			return false
		}
	}
	return !strings.Contains(v, "/etc/") && !strings.Contains(v, "/var/") && !strings.Contains(v, "/usr/") && !strings.Contains(v, "/run/")
}

// strong reports whether a value looks made up as a password: a mixture that no word of a
// language or program is.
func strong(v string) bool {
	if len(v) < 6 {
		return false
	}
	var digit, letter, other bool
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letter = true
		default:
			other = true
		}
	}
	return digit && (letter || other) || digit && len(v) >= 8 || other && letter && strings.ContainsAny(v, "!@#$%^&*+?~")
}

// placeholders are values that open nothing.
var placeholders = set(
	"define", "undef",
	"password", "passwd", "pass", "passphrase", "pw", "pwd", "secret", "token", "key", "none", "null", "nil", "true", "false", "yes", "no", "on", "off", "undefined",
	"required", "requisite", "sufficient", "optional", "include", "substack", "prompt", "string", "str", "text", "value", "int", "bool", "boolean", "bytes", "char", "const",
	"file", "files", "ask", "auto", "default", "disabled", "enabled", "disable", "enable", "compat", "db", "nis", "sss", "ldap", "winbind", "systemd", "nisplus", "hesiod",
	"foo", "bar", "baz", "foobar", "abc", "hunter2", "sekret", "sesame", "md5", "sha1", "sha256", "sha512", "crypt", "plain", "plaintext", "cleartext", "pam", "unix",
	"basic", "digest", "static", "stdin", "env", "environment", "hidden", "masked", "unset", "empty", "blank", "other", "any", "all", "not", "and", "or", "if", "is", "in",
	"function", "return", "self", "this", "new", "class", "var", "let", "def", "object", "array", "list", "dict", "hash", "type", "name", "user", "username", "login",
	"required.", "invalid", "incorrect", "wrong", "expired", "ok", "failed", "accepted", "rejected", "changed", "reset", "set", "missing", "unknown", "mismatch", "policy",
	"n/a", "na", "tbd", "test", "testing", "demo", "sample", "temp", "tmp", "input", "internal", "external", "local", "manual", "never", "always", "optional,", "authentication",
	"unused", "nothing", "nobody", "current", "old", "confirm", "repeat", "sasl", "trust", "peer", "ident", "cert", "gss", "sspi", "scram-sha-256", "radius", "bsd", "reject", "pgp", "gpg",
)
