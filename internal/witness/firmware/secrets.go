package firmware

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/secret"
)

// secrets states the passwords and tokens that lie about in the image: in configuration,
// scripts, programs, logs and histories.
var secrets = inspector{
	name:  "secrets",
	kinds: []fact.Kind{fact.KindSecret},
	look:  lookSecretFiles,
}

// SecretSeen is a secret that the content of a file shows whatever its path. The value is
// not in it.
type SecretSeen struct {
	What        string `json:"what"`
	For         string `json:"for,omitempty"`
	User        string `json:"user,omitempty"`
	Masked      string `json:"masked"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Default     bool   `json:"default,omitempty"`
	Offset      int64  `json:"offset,omitempty"`
	Line        int    `json:"line,omitempty"`
}

const (
	secretsAtMost = 500  // of one content
	wordsAtMost   = 5000 // lines of one text that are worth reading
)

// lookSecrets is the looker. What a word in a text means depends on the path, so for texts
// it keeps where lines worth reading stand, and for other bytes it reads them at once.
func lookSecrets(t *Trace, c *content) {
	text := t.Type == "text" || t.Type == "script"
	line, from, done := 1, int64(0), int64(-1)
	for _, h := range c.hits {
		if len(t.Secrets) >= secretsAtMost || len(t.Words) >= wordsAtMost {
			return
		}
		if secret.IsWord(h.literal) {
			if text {
				if n := len(t.Words); n == 0 || h.at-t.Words[n-1] > 40 {
					t.Words = append(t.Words, h.at)
				}
			} else if h.at >= done {
				done = lookRun(t, c, h.at)
			}
			continue
		}
		start, p := c.around(h.at, 1, 600)
		before := byte(0)
		if start < h.at && len(p) > 0 {
			before = p[0]
			p = p[1:]
		}
		s, ok := secret.Token(h.literal, before, string(p))
		if !ok || text && s.What == "connection-string" && commented(c, h.at) {
			continue
		}
		seen := secretSeen(s)
		seen.Offset = h.at
		if text && c.whole {
			line += bytes.Count(c.data[from:h.at], []byte("\n"))
			from = h.at
			seen.Line = line
		}
		t.Secrets = append(t.Secrets, seen)
	}
}

// commented reports whether the line of an offset is a comment: examples stand there.
func commented(c *content, at int64) bool {
	_, p := c.around(at, 200, 0)
	line := strings.TrimLeft(string(p[bytes.LastIndexByte(p, '\n')+1:]), " \t")
	return strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//") || strings.HasPrefix(line, ";") || strings.HasPrefix(line, "*") || strings.HasPrefix(line, "--")
}

// lookRun reads the printable run about an offset of a binary, and returns its end.
func lookRun(t *Trace, c *content, at int64) int64 {
	start, p := c.around(at, 400, 400)
	i := int(at - start)
	if i >= len(p) {
		return at
	}
	printable := func(b byte) bool { return b >= ' ' && b < 0x7f }
	a, b := i, i
	for a > 0 && printable(p[a-1]) {
		a--
	}
	for b < len(p) && printable(p[b]) {
		b++
	}
	run := string(p[a:b])
	end := start + int64(b)
	if !slices.ContainsFunc([]string{"user=", "username=", "uid=", "Uid=", "User=", "login=", "sshpass ", "curl ", "wget ", "lftp ", "smbclient ", "chpasswd", "openssl "},
		func(w string) bool { return strings.Contains(run, w) }) {
		return end
	}
	for _, s := range secret.Line(run, secret.Binary) {
		seen := secretSeen(s)
		seen.Offset = start + int64(a+s.At)
		t.Secrets = append(t.Secrets, seen)
	}
	return end
}

func secretSeen(s secret.Secret) SecretSeen {
	return SecretSeen{What: s.What, For: s.For, User: s.User, Masked: mask(s.Value), Fingerprint: secretPrint(s.Value), Default: isDefault(s.Value)}
}

// secretPrint tells a secret again in another image. Only of those that nobody can guess:
// of others a digest would be as good as the secret.
func secretPrint(value string) string {
	seen := map[rune]bool{}
	for _, c := range value {
		seen[c] = true
	}
	if len(value) < 20 || len(seen) < 12 || !strings.ContainsAny(value, "0123456789") {
		return ""
	}
	s := sha256.Sum256([]byte(value))
	return "SHA256:" + hex.EncodeToString(s[:16])
}

// found collects the secrets of a root: the same one in the same kind of file is one fact
// with several places.
type found struct {
	root  *Root
	facts map[string]*fact.Secret
	order []*fact.Secret
}

// add takes a secret. same tells equal ones; it is empty for one that stands for itself.
func (x *found) add(f *File, at fact.Place, same string, s *fact.Secret) {
	key := strings.Join([]string{s.What, s.In, same}, "\x00")
	if before := x.facts[key]; before != nil && same != "" {
		if len(before.Places) < 50 && !slices.ContainsFunc(before.Places, func(p fact.Place) bool { return p.String() == at.String() }) {
			before.Places = append(before.Places, at)
		}
		before.Readable = fact.Say(before.Readable.Or(false) || f.WorldReadable())
		if before.User == "" {
			before.User = s.User
		}
		if before.For == "" {
			before.For = s.For
		}
		return
	}
	s.Places = append(s.Places, at)
	s.Readable = fact.Say(f.WorldReadable())
	s.Hashed = fact.Say(false)
	x.facts[key] = s
	x.order = append(x.order, s)
}

// value takes a secret whose value is at hand.
func (x *found) value(f *File, line int, in string, s secret.Secret) {
	out := &fact.Secret{What: s.What, For: s.For, User: s.User, Subject: s.Subject, In: in, Masked: mask(s.Value), Fingerprint: secretPrint(s.Value), Default: fact.Say(isDefault(s.Value))}
	x.add(f, f.At(line), s.Value, out)
}

func lookSecretFiles(r *Root) {
	x := &found{root: r, facts: map[string]*fact.Secret{}}
	special := map[string]bool{}
	for _, s := range secretFiles {
		for _, f := range r.Files() {
			if f.Regular() && f.Trace != nil && !sample(f.Path) && !strings.HasPrefix(f.Path, "/usr/share/") && s.is(f.Path) {
				special[f.Path] = true
				s.read(x, f)
			}
		}
	}
	for _, f := range r.Files() {
		if f.Trace == nil || len(f.Trace.Secrets)+len(f.Trace.Words) == 0 || sample(f.Path) {
			continue
		}
		in, style := r.secretPlace(f)
		for _, s := range f.Trace.Secrets {
			if in == "" && s.What == "connection-string" {
				continue // documents and libraries show many
			}
			out := &fact.Secret{What: s.What, For: s.For, User: s.User, In: in, Masked: s.Masked, Fingerprint: s.Fingerprint, Default: fact.Say(s.Default)}
			if in == "" {
				out.In = "binary"
				if f.Trace.Type == "text" || f.Trace.Type == "script" {
					out.In = "configuration"
				}
			}
			x.add(f, f.atKey(s.Line, s.Offset), s.Fingerprint, out)
		}
		if in != "" && in != "binary" && !special[f.Path] {
			x.lines(f, in, style)
		}
	}
	for _, s := range x.order {
		r.Add(s)
	}
}

// lines reads the lines of a file that are worth it.
func (x *found) lines(f *File, in string, style secret.Style) {
	text, ok := f.Text()
	if !ok {
		x.far(f, in, style)
		return
	}
	if strings.HasSuffix(f.Path, ".xml") {
		text = withoutComments(text)
	}
	n, from, last := 1, 0, -1
	for _, at := range f.Trace.Words {
		if int(at) >= len(text) || int(at) < from {
			continue
		}
		n += strings.Count(text[from:at], "\n")
		from = int(at)
		if n == last {
			continue
		}
		last = n
		line := text[strings.LastIndexByte(text[:at], '\n')+1:]
		line, _, _ = strings.Cut(line, "\n")
		for _, s := range secret.Line(line, style) {
			print := secretPrint(s.Value)
			if print == "" || !slices.ContainsFunc(f.Trace.Secrets, func(t SecretSeen) bool { return t.Fingerprint == print }) {
				x.value(f, n, in, s)
			}
		}
	}
}

// withoutComments blanks the comments of XML, so that every offset stays.
func withoutComments(text string) string {
	return xmlComment.ReplaceAllStringFunc(text, func(s string) string {
		blank := bytes.Repeat([]byte(" "), len(s))
		for i := range len(s) {
			if s[i] == '\n' {
				blank[i] = '\n'
			}
		}
		return string(blank)
	})
}

// far reads the lines of a large file by their offsets, where it can be read at random.
func (x *found) far(f *File, in string, style secret.Style) {
	if f.Node.Data == nil {
		return
	}
	done := int64(-1)
	for _, at := range f.Trace.Words[:min(len(f.Trace.Words), 1000)] {
		if at < done {
			continue
		}
		start := max(at-500, 0)
		p, err := f.Node.Data.View(start, min(1000, f.Node.Data.Size()-start))
		if err != nil || int(at-start) > len(p) {
			return
		}
		a := bytes.LastIndexByte(p[:at-start], '\n') + 1
		line, _, _ := bytes.Cut(p[a:], []byte("\n"))
		done = start + int64(a+len(line))
		for _, s := range secret.Line(string(line), style) {
			out := &fact.Secret{What: s.What, For: s.For, User: s.User, Subject: s.Subject, In: in, Masked: mask(s.Value), Fingerprint: secretPrint(s.Value), Default: fact.Say(isDefault(s.Value))}
			x.add(f, f.atKey(0, start+int64(a+s.At)), s.Value, out)
		}
	}
}

// secretPlace says what kind of file a path is, and how its lines are read; "" for files
// whose passwords are words of documents, libraries and interfaces.
func (r *Root) secretPlace(f *File) (in string, style secret.Style) {
	p, base := f.Path, path.Base(f.Path)
	ext := strings.ToLower(path.Ext(base))
	if f.Trace.Type != "text" && f.Trace.Type != "script" {
		return "binary", secret.Binary
	}
	switch {
	case strings.HasSuffix(base, "_history"):
		return "history", secret.Shell
	case strings.HasPrefix(p, "/var/log/"), ext == ".log", strings.Contains(p, "/logs/"):
		return "log", secret.Log
	}
	for _, dir := range []string{"/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/", "/usr/share/help/", "/usr/share/perl", "/usr/lib/python", "/usr/share/python",
		"/usr/lib/ruby/", "/usr/share/ruby", "/usr/share/nodejs/", "/usr/lib/node_modules/", "/usr/include/", "/usr/src/", "/var/lib/dpkg/", "/usr/lib/opkg/", "/lib/firmware/", "/usr/share/vim/",
		"/usr/share/nano/", "/usr/share/bash-completion/", "/usr/share/zsh/", "/usr/share/fish/", "/usr/share/i18n/", "/usr/share/mime/", "/usr/share/X11/", "/usr/share/lintian/",
		"/usr/share/debconf/", "/usr/share/mibs/", "/usr/share/snmp/mibs/", "/usr/share/freeradius/", "/etc/ssl/openssl.cnf", "/usr/share/icons/", "/usr/share/polkit-1/", "/usr/share/dbus-1/"} {
		if strings.HasPrefix(p, dir) {
			return "", 0
		}
	}
	if strings.HasPrefix(p, "/usr/lib/") && strings.Contains(p, "-linux-") && strings.Contains(p, "/perl") {
		return "", 0 // the same of each architecture
	}
	if strings.Contains(p, "/node_modules/") || strings.Contains(p, "/site-packages/") || strings.Contains(p, "/dist-packages/") || strings.Contains(p, "/locale/") ||
		strings.Contains(p, "/i18n/") || strings.Contains(p, "/lang/") || strings.Contains(p, "/translations/") || strings.HasPrefix(p, "/etc/pam.d/") || p == "/etc/nsswitch.conf" ||
		strings.Contains(p, "-available/") { // not in force

		return "", 0
	}
	official := r.owners().official && r.owners().paths[p] != ""
	switch {
	case strings.HasSuffix(base, ".min.js"), ext == ".md", ext == ".html", ext == ".htm", ext == ".css", ext == ".po", ext == ".svg", ext == ".sample", ext == ".example", ext == ".dist", ext == ".template", ext == ".tmpl":
		return "", 0
	case official && !strings.HasPrefix(p, "/etc/"):
		return "", 0
	case ext == ".py", ext == ".js", ext == ".php", ext == ".lua", ext == ".pl", ext == ".pm", ext == ".rb", ext == ".c", ext == ".h", ext == ".cpp", ext == ".java", ext == ".ts", ext == ".tcl", ext == ".exp":
		return "script", secret.Code
	case f.Trace.Type == "script":
		text, _ := f.Text()
		first, _, _ := strings.Cut(text, "\n")
		if strings.Contains(first, "sh") || strings.Contains(first, "rc.common") || strings.Contains(first, "openrc") {
			return "script", secret.Shell
		}
		return "script", secret.Code
	case ext == ".sh", base == ".profile", base == "profile", strings.HasPrefix(base, ".bash"), strings.HasPrefix(p, "/etc/init.d/"), strings.HasPrefix(p, "/etc/profile.d/"),
		strings.HasPrefix(p, "/etc/cron"), strings.HasPrefix(p, "/var/spool/cron/"), strings.HasPrefix(p, "/etc/default/"), base == "inittab", base == "rc.local":
		return "script", secret.Shell
	case base == ".env", ext == ".env":
		return "environment", secret.Configuration
	}
	for _, dir := range []string{"/etc/", "/opt/", "/usr/local/", "/data/", "/home/", "/root/", "/srv/", "/var/lib/", "/var/www/", "/www/", "/app/", "/boot/", "/config/", "/mnt/", "/overlay/", "/media/"} {
		if strings.HasPrefix(p, dir) {
			return "configuration", secret.Configuration
		}
	}
	switch ext {
	case ".conf", ".cfg", ".ini", ".json", ".yaml", ".yml", ".toml", ".xml", ".properties", ".env", ".cnf", ".service", ".rc":
		return "configuration", secret.Configuration
	}
	return "", 0
}
