// Package secret finds credentials in text: tokens whose form gives them away, addresses
// with a password in them, and the lines of configuration, scripts and logs that hold one.
//
// It looks only where a literal stands that it asked for ([Literals]), and it would rather
// miss a secret than call something one that is none: what stands for a value (variables,
// formats, examples, placeholders), names a file or is a word of a configuration language
// is not a secret.
package secret

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// Secret is a credential that was found. Value is for comparing and masking: it must not
// be kept.
type Secret struct {
	What    string // password, token, api-key, cloud-key, wifi-psk, community, connection-string, cookie-secret
	For     string // what it opens, where that shows
	User    string
	Subject string // key of the setting or variable
	Value   string
	At      int // offset in what was given
}

// form is a token that is told by its beginning.
type form struct {
	literal string
	what    string
	opens   string
	rest    string // characters that follow the literal
	least   int
	most    int // 0: as least
}

const (
	alnum  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	upper  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	base64 = alnum + "+/"
	web64  = alnum + "-_"
	hex    = "0123456789abcdef"
)

var forms = []form{
	{"AKIA", "cloud-key", "aws", upper, 16, 0},
	{"ASIA", "cloud-key", "aws", upper, 16, 0},
	{"AIza", "cloud-key", "google", web64, 35, 0},
	{"AccountKey=", "cloud-key", "azure", base64, 86, 0},
	{"SharedAccessKey=", "cloud-key", "azure", base64, 43, 0},
	{"ghp_", "token", "github", alnum, 36, 0},
	{"gho_", "token", "github", alnum, 36, 0},
	{"ghu_", "token", "github", alnum, 36, 0},
	{"ghs_", "token", "github", alnum, 36, 0},
	{"ghr_", "token", "github", alnum, 36, 0},
	{"github_pat_", "token", "github", alnum + "_", 82, 0},
	{"glpat-", "token", "gitlab", web64, 20, 0},
	{"xoxb-", "token", "slack", alnum + "-", 40, 90},
	{"xoxp-", "token", "slack", alnum + "-", 40, 90},
	{"sk_live_", "api-key", "stripe", alnum, 24, 120},
	{"rk_live_", "api-key", "stripe", alnum, 24, 120},
	{"npm_", "token", "npm", alnum, 36, 0},
	{"pypi-AgEIcHlwaS5vcmc", "token", "pypi", web64, 50, 250},
	{"dop_v1_", "token", "digitalocean", hex, 64, 0},
	{"hvs.", "token", "vault", web64, 90, 120},
	{"sk-ant-", "api-key", "anthropic", web64, 80, 130},
	{"sk-proj-", "api-key", "openai", web64, 40, 200},
	{"AGE-SECRET-KEY-1", "token", "age", upper, 58, 0},
}

var schemes = []string{
	"http://", "https://", "ftp://", "ftps://", "sftp://", "ssh://", "mysql://", "postgres://", "postgresql://", "mongodb://", "mongodb+srv://",
	"redis://", "rediss://", "amqp://", "amqps://", "mqtt://", "mqtts://", "rtsp://", "smb://", "ldap://", "ldaps://",
}

const jwt = "eyJhbGciOi"

// words are what lines with a password hold.
var words = []string{
	"password", "Password", "PASSWORD", "passwd", "Passwd", "PASSWD", "passphrase", "Passphrase", "PASSPHRASE", "Pwd=", "pwd=", "_pwd", "_PWD", "_PW=",
	"_pass", "_PASS", "pass=", "PASS=", "pass:", "secret", "Secret", "SECRET", "api_key", "apikey", "apiKey", "API_KEY", "APIKEY", "ApiKey",
	"access_key", "ACCESS_KEY", "auth_token", "AUTH_TOKEN", "access_token", "ACCESS_TOKEN", "authToken", "sshpass", "lftp ", "curl ", "mysql ", "mysqldump ",
	"smbclient", "mosquitto_pub", "mosquitto_sub", "snmpset", "snmpget", "snmpwalk",
}

// Literals are what a reader of whole contents looks for.
func Literals() []string {
	out := []string{jwt}
	for _, f := range forms {
		out = append(out, f.literal)
	}
	return append(append(out, schemes...), words...)
}

// IsWord reports whether a literal only says that its line is worth reading.
func IsWord(literal int) bool { return literal > len(forms)+len(schemes) }

// Token reads the token or address that begins with a literal. before is the byte in front
// of it, 0 at the start.
func Token(literal int, before byte, text string) (Secret, bool) {
	switch {
	case literal == 0:
		return readJWT(before, text)
	case literal <= len(forms):
		return forms[literal-1].read(before, text)
	case literal <= len(forms)+len(schemes):
		return address(text)
	}
	return Secret{}, false
}

func (f form) read(before byte, text string) (Secret, bool) {
	if strings.IndexByte(alnum+"_-/+", before) >= 0 && before != 0 {
		return Secret{}, false
	}
	rest := text[len(f.literal):]
	n := len(rest) - len(strings.TrimLeft(rest, f.rest))
	if n < f.least || n > max(f.most, f.least) {
		return Secret{}, false
	}
	if n < len(rest) && strings.IndexByte(alnum+"_", rest[n]) >= 0 {
		return Secret{}, false // a longer word that only begins alike
	}
	value := rest[:n]
	if !strings.ContainsAny(value, "0123456789") || strings.Contains(strings.ToUpper(value), "EXAMPLE") || distinct(value) < 8 {
		return Secret{}, false
	}
	return Secret{What: f.what, For: f.opens, Value: f.literal + value}, true
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, c := range s {
		seen[c] = true
	}
	return len(seen)
}

// readJWT reads three parts in base64 between dots. The one that every textbook prints is
// none.
func readJWT(before byte, text string) (Secret, bool) {
	n := len(text) - len(strings.TrimLeft(text, web64+"."))
	w := strings.Split(text[:n], ".")
	if len(w) != 3 || len(w[1]) < 16 || len(w[2]) < 20 || strings.IndexByte(web64, before) >= 0 && before != 0 ||
		strings.HasPrefix(w[1], "eyJzdWIiOiIxMjM0NTY3ODkw") {
		return Secret{}, false
	}
	return Secret{What: "token", For: "jwt", Value: text[:n]}, true
}

// address reads scheme://user:password@host.
func address(text string) (Secret, bool) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Secret{}, false
	}
	end := strings.IndexAny(rest, "/ \t\r\n\"'<>`\x00?#\\,;)")
	if end >= 0 {
		rest = rest[:end]
	}
	i := strings.LastIndexByte(rest, '@')
	if i < 0 {
		return Secret{}, false
	}
	login, host := rest[:i], rest[i+1:]
	user, value, ok := strings.Cut(login, ":")
	if !ok || host == "" || user == "" && scheme != "redis" && scheme != "rediss" {
		return Secret{}, false
	}
	name, _, _ := strings.Cut(host, ":")
	if !hostName.MatchString(name) || strings.Contains(strings.ToLower(host), "example") || strings.ContainsAny(user, "%$*{}[]()|^") || !plausible(value) {
		return Secret{}, false
	}
	if _, not := otherNames[strings.ToLower(user)]; not && !strong(value) {
		return Secret{}, false
	}
	switch strings.ToLower(name) {
	case "host", "hostname", "server", "proxy", "domain", "proxyhost", "site", "test", "foo", "foo.com", "foo.bar", "a", "b", "h", "www.foo.com", "domain.com", "test.com",
		"proxy.com", "host.com", "server.com", "somewhere", "address", "ip", "myhost", "remote", "remotehost", "somehost":
		return Secret{}, false
	}
	return Secret{What: "connection-string", For: scheme, User: user, Value: value}, true
}

var hostName = search.Lazy(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// otherNames are users of nobody.
var otherNames = set("user", "username", "usr", "login", "name", "foo", "joe", "john", "me", "you", "a", "u", "id", "test", "bob", "alice", "myuser", "someuser", "anonymous", "proxyuser", "dbuser", "uname", "scott")

func set(words ...string) map[string]struct{} {
	m := make(map[string]struct{}, len(words))
	for _, w := range words {
		m[w] = struct{}{}
	}
	return m
}
