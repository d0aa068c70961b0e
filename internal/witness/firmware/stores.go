package firmware

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/crypt"
)

// store is a program that keeps users of its own.
type store struct {
	name    string // as account.store
	guessed bool   // its files are told by their names, so that what is in them must look like a password
	read    func(r *Root) []stored
}

// stored is one user of a store.
type stored struct {
	name  string
	file  *File
	line  int
	field string
	hash  *crypt.Hash // nil: field is read as crypt(3) does
}

var stores = []store{
	{name: "busybox-httpd", read: readBusyboxHTTPD},
	{name: "couchdb", read: readCouchDB},
	{name: "dovecot", read: readDovecot},
	{name: "grafana", read: readGrafana},
	{name: "htpasswd", guessed: true, read: readHtpasswd},
	{name: "lighttpd", read: readLighttpd},
	{name: "mosquitto", read: readMosquitto},
	{name: "orthanc", read: readOrthanc},
	{name: "proftpd", read: readProftpd},
	{name: "pure-ftpd", read: readPureftpd},
	{name: "rabbitmq", read: readRabbitMQ},
	{name: "rpcd", read: readRpcd},
	{name: "samba", read: readSamba},
	{name: "tomcat", read: readTomcat},
	{name: "vsftpd", read: readVsftpd},
}

// numbered calls f with the lines of a file that are neither empty nor comments.
func numbered(f *File, call func(n int, line string)) {
	text, _ := f.Text()
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			call(n, line)
		}
	}
}

func asPlain(password string) *crypt.Hash {
	h := crypt.Plain(password)
	return &h
}

// plainOr reads a field by its form, and one that has no known form as the password itself.
func plainOr(field string) *crypt.Hash {
	h := crypt.Read(field)
	if h.Scheme == "unknown" && !strings.HasPrefix(field, "$") {
		h = crypt.Plain(field)
	}
	return &h
}

// pairs reads lines of name:password, and what may follow after another colon.
func pairs(f *File, hash func(string) *crypt.Hash) []stored {
	var out []stored
	numbered(f, func(n int, line string) {
		w := strings.Split(line, ":")
		if len(w) < 2 || w[0] == "" || strings.ContainsAny(w[0], " \t<>\"'{}") {
			return
		}
		e := stored{name: w[0], file: f, line: n, field: w[1]}
		if hash != nil && w[1] != "" && w[1][0] != '!' && w[1][0] != '*' {
			e.hash = hash(w[1])
		}
		out = append(out, e)
	})
	return out
}

// named returns the files that configuration files name after a word, in their order.
func (r *Root) named(configs []*File, word *search.Pattern) []*File {
	var out []*File
	for _, c := range configs {
		numbered(c, func(_ int, line string) {
			m := word.FindStringSubmatch(line)
			if m == nil {
				return
			}
			if f := r.Lookup(m[1]); f != nil && f.Regular() && !slices.Contains(out, f) {
				out = append(out, f)
			}
		})
	}
	return out
}

var webUsers = search.Lazy(`(?i)^\s*(?:AuthUserFile|auth_basic_user_file)\s+["']?([^\s"';]+)`)

func readHtpasswd(r *Root) []stored {
	var configs, files []*File
	for _, f := range r.Files() {
		if !f.Regular() || sample(f.Path) {
			continue
		}
		base := path.Base(f.Path)
		switch {
		case base == ".htaccess", strings.HasPrefix(f.Path, "/etc/nginx/"), strings.HasPrefix(f.Path, "/etc/apache2/"), strings.HasPrefix(f.Path, "/etc/httpd"):
			configs = append(configs, f)
		case base == ".htpasswd", base == "htpasswd" && f.Node.Mode&0o111 == 0, strings.HasSuffix(base, ".htpasswd"):
			files = append(files, f)
		}
	}
	for _, f := range r.named(configs, webUsers) {
		if !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	var out []stored
	for _, f := range files {
		out = append(out, pairs(f, nil)...)
	}
	return out
}

var lighttpdUsers = search.Lazy(`^\s*auth\.backend\.(plain|htpasswd|htdigest)\.userfile\s*=\s*"([^"]+)"`)

func readLighttpd(r *Root) []stored {
	var out []stored
	for _, c := range append(r.Glob("/etc/lighttpd/**/*.conf"), r.Glob("/etc/lighttpd.conf")...) {
		numbered(c, func(_ int, line string) {
			m := lighttpdUsers.FindStringSubmatch(line)
			if m == nil {
				return
			}
			f := r.Lookup(m[2])
			switch m[1] {
			case "plain":
				out = append(out, pairs(f, asPlain)...)
			case "htpasswd":
				out = append(out, pairs(f, nil)...)
			default:
				numbered(f, func(n int, line string) {
					if w := strings.Split(line, ":"); len(w) == 3 {
						h := crypt.Digest(w[0], w[1], w[2])
						out = append(out, stored{name: w[0], file: f, line: n, hash: &h})
					}
				})
			}
		})
	}
	return out
}

// readBusyboxHTTPD reads /path:user:password of httpd.conf.
func readBusyboxHTTPD(r *Root) []stored {
	var out []stored
	f := r.Lookup("/etc/httpd.conf")
	numbered(f, func(n int, line string) {
		w := strings.SplitN(line, ":", 3)
		if len(w) == 3 && strings.HasPrefix(w[0], "/") && w[1] != "" && !strings.ContainsAny(w[1], " /") {
			out = append(out, stored{name: w[1], file: f, line: n, hash: plainOr(w[2])})
		}
	})
	return out
}

var mosquittoUsers = search.Lazy(`^\s*password_file\s+(\S+)`)

func readMosquitto(r *Root) []stored {
	files := r.named(append(r.Glob("/etc/mosquitto/**/*.conf"), r.Glob("/etc/mosquitto.conf")...), mosquittoUsers)
	for _, f := range r.Glob("/etc/mosquitto/passwd", "/etc/mosquitto/pwfile", "/etc/mosquitto/passwordfile", "/etc/mosquitto/password_file") {
		if !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	var out []stored
	for _, f := range files {
		out = append(out, pairs(f, func(field string) *crypt.Hash {
			h := crypt.Mosquitto(field)
			if h.Scheme == "unknown" && !strings.HasPrefix(field, "$") {
				h = crypt.Plain(field)
			}
			return &h
		})...)
	}
	return out
}

// readSamba reads smbpasswd: name, uid, LM, NT, flags. The database passdb.tdb is not read.
func readSamba(r *Root) []stored {
	var out []stored
	for _, f := range r.Glob("/etc/samba/smbpasswd", "/etc/smbpasswd", "/var/lib/samba/private/smbpasswd", "/etc/samba/private/smbpasswd", "/usr/local/samba/private/smbpasswd") {
		numbered(f, func(n int, line string) {
			w := strings.Split(line, ":")
			if len(w) < 4 {
				return
			}
			e := stored{name: w[0], file: f, line: n, field: "*"}
			flags := ""
			if len(w) > 4 {
				flags = w[4]
			}
			switch {
			case strings.Contains(flags, "D"):
			case strings.Contains(flags, "N") || strings.HasPrefix(w[3], "NO PASSWORD"):
				e.field = ""
			case crypt.IsHex(w[3], 32):
				h := crypt.NT(w[3])
				e.hash = &h
			case crypt.IsHex(w[2], 32):
				h := crypt.LM(w[2])
				e.hash = &h
			}
			out = append(out, e)
		})
	}
	return out
}

var pamUsers = search.Lazy(`pam_pwdfile\.so\b.*\bpwdfile[= ](\S+)`)

// readVsftpd reads files of users and passwords in turn, as db_load takes them, and those
// of pam_pwdfile, a pair a line.
func readVsftpd(r *Root) []stored {
	files := r.named(r.Dir("/etc/pam.d"), pamUsers)
	for _, f := range r.Glob("/etc/vsftpd*", "/etc/vsftpd/*") {
		base := strings.ToLower(path.Base(f.Path))
		for _, word := range []string{"passwd", "password", "login", "virtual", "vuser", "users.txt"} {
			if f.Regular() && strings.Contains(base, word) && !strings.Contains(base, "list") && !strings.HasSuffix(base, ".db") &&
				!strings.HasSuffix(base, ".conf") && !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	var out []stored
	for _, f := range files {
		if text, _ := f.Text(); strings.Contains(text, ":") {
			out = append(out, pairs(f, plainOr)...)
			continue
		}
		name, odd := "", false
		numbered(f, func(n int, line string) {
			if odd = !odd; odd {
				name = line
				return
			}
			out = append(out, stored{name: name, file: f, line: n, hash: asPlain(line)})
		})
	}
	return out
}

var proftpdUsers = search.Lazy(`(?i)^\s*AuthUserFile\s+["']?([^\s"']+)`)

func readProftpd(r *Root) []stored {
	var out []stored
	for _, f := range r.named(append(r.Glob("/etc/proftpd/**/*.conf"), r.Glob("/etc/proftpd.conf")...), proftpdUsers) {
		if f.Path != "/etc/passwd" {
			out = append(out, pairs(f, nil)...)
		}
	}
	return out
}

func readPureftpd(r *Root) []stored {
	var out []stored
	for _, f := range r.Glob("/etc/pureftpd.passwd", "/etc/pure-ftpd/pureftpd.passwd") {
		out = append(out, pairs(f, nil)...)
	}
	return out
}

func readDovecot(r *Root) []stored {
	var out []stored
	for _, f := range r.Glob("/etc/dovecot/users", "/etc/dovecot/passwd") {
		out = append(out, pairs(f, nil)...)
	}
	return out
}

var lineComment = search.Lazy(`(?m)^\s*//.*$|(?s)/\*.*?\*/|(?m)[ \t]//[^"\n]*$`)

// readOrthanc reads RegisteredUsers of Orthanc's configuration, which is JSON with
// comments.
func readOrthanc(r *Root) []stored {
	var out []stored
	for _, f := range r.Glob("/etc/orthanc/*.json", "/etc/orthanc.json", "/usr/local/etc/orthanc/*.json") {
		text, ok := f.Text()
		if !ok || !strings.Contains(text, "RegisteredUsers") {
			continue
		}
		var config struct{ RegisteredUsers map[string]string }
		blank := lineComment.ReplaceAllStringFunc(text, func(s string) string {
			return strings.Map(func(c rune) rune {
				if c == '\n' {
					return c
				}
				return ' '
			}, s)
		})
		if json.Unmarshal([]byte(blank), &config) != nil {
			continue
		}
		names := make([]string, 0, len(config.RegisteredUsers))
		for name := range config.RegisteredUsers {
			names = append(names, name)
		}
		slices.Sort(names)
		from := strings.Index(blank, "RegisteredUsers")
		for _, name := range names {
			at := max(strings.Index(blank[from:], `"`+name+`"`), 0)
			out = append(out, stored{name: name, file: f, line: 1 + strings.Count(blank[:from+at], "\n"), hash: asPlain(config.RegisteredUsers[name])})
		}
	}
	return out
}

var (
	xmlComment = search.Lazy(`(?s)<!--.*?-->`)
	tomcatUser = search.Lazy(`<user\s[^>]*>`)
	attribute  = search.Lazy(`\b(username|name|password)\s*=\s*"([^"]*)"`)
)

func readTomcat(r *Root) []stored {
	var out []stored
	for _, f := range r.Files() {
		if path.Base(f.Path) != "tomcat-users.xml" {
			continue
		}
		text, _ := f.Text()
		text = xmlComment.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) })
		for _, at := range tomcatUser.FindAllStringIndex(text, 1000) {
			e := stored{file: f, line: 1 + strings.Count(text[:at[0]], "\n")}
			for _, m := range attribute.FindAllStringSubmatch(text[at[0]:at[1]], -1) {
				if m[1] == "password" {
					e.hash = asPlain(m[2])
				} else {
					e.name = m[2]
				}
			}
			if e.name != "" && e.hash != nil {
				out = append(out, e)
			}
		}
	}
	return out
}

// sectioned calls f with the keys and values of an ini-like file.
func sectioned(file *File, call func(n int, section, key, value string)) {
	section := ""
	numbered(file, func(n int, line string) {
		if line[0] == '[' {
			section = strings.Trim(line, "[] \t")
			return
		}
		if k, v, ok := strings.Cut(line, "="); ok && line[0] != ';' {
			call(n, section, strings.TrimSpace(k), strings.Trim(strings.TrimSpace(v), `"'`))
		}
	})
}

func readGrafana(r *Root) []stored {
	var out []stored
	for _, f := range r.Glob("/etc/grafana/grafana.ini", "/usr/share/grafana/conf/custom.ini") {
		name := "admin"
		sectioned(f, func(n int, section, key, value string) {
			switch {
			case section == "security" && key == "admin_user":
				name = value
			case section == "security" && key == "admin_password" && !strings.Contains(value, "$"):
				out = append(out, stored{name: name, file: f, line: n, hash: asPlain(value)})
			}
		})
	}
	return out
}

func readCouchDB(r *Root) []stored {
	var out []stored
	for _, f := range r.Glob("/etc/couchdb/**/*.ini", "/opt/couchdb/etc/**/*.ini") {
		sectioned(f, func(n int, section, key, value string) {
			if section == "admins" && !strings.HasPrefix(value, "-") {
				out = append(out, stored{name: key, file: f, line: n, hash: asPlain(value)})
			}
		})
	}
	return out
}

func readRabbitMQ(r *Root) []stored {
	var out []stored
	for _, f := range r.Glob("/etc/rabbitmq/**/*.conf") {
		name := ""
		sectioned(f, func(n int, _, key, value string) {
			switch key {
			case "default_user":
				name = value
			case "default_pass":
				out = append(out, stored{name: name, file: f, line: n, hash: asPlain(value)})
			}
		})
	}
	return out
}

// readRpcd reads the logins of OpenWrt's web interface; $p$NAME means the system's own.
func readRpcd(r *Root) []stored {
	var out []stored
	f := r.Lookup("/etc/config/rpcd")
	name := ""
	numbered(f, func(n int, line string) {
		w := strings.Fields(line)
		if len(w) != 3 || w[0] != "option" {
			return
		}
		switch value := strings.Trim(w[2], `"'`); {
		case w[1] == "username":
			name = value
		case w[1] == "password" && !strings.HasPrefix(value, "$p$"):
			out = append(out, stored{name: name, file: f, line: n, hash: plainOr(value)})
		}
	})
	return out
}
