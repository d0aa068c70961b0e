package firmware

import (
	"path"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/crypt"
)

// accounts states who can log in: the system's users, and those that programs keep in
// files of their own (see stores).
var accounts = inspector{
	name:  "accounts",
	kinds: []fact.Kind{fact.KindAccount},
	look:  lookAccounts,
}

func lookAccounts(r *Root) {
	systemAccounts(r)
	for _, p := range []string{"/var/lib/samba/private/passdb.tdb", "/etc/samba/passdb.tdb", "/var/lib/samba/passdb.tdb", "/etc/vsftpd/vsftpd-virtual-user.db", "/etc/vsftpd_login.db"} {
		if f := r.Lookup(p); f != nil {
			r.Blind(fact.KindAccount, "partial", "the users in "+strconv.Quote(f.Path)+" are not read")
		}
	}
	seen := map[string]*fact.Account{}
	for _, s := range stores {
		for _, e := range s.read(r) {
			a := &fact.Account{Name: e.name, Store: s.name}
			a.Places = append(a.Places, e.file.At(e.line))
			r.password(a, e.field, e.hash)
			if a.Scheme == "unknown" && s.guessed {
				continue // a file that only has the name of one
			}
			if before := seen[a.Key()]; before != nil && before.Places[0].Path != e.file.Path {
				a.Store += ":" + e.file.Path // the same name in another file of the store
			}
			if seen[a.Key()] != nil {
				continue
			}
			seen[a.Key()] = a
			r.Add(a)
		}
	}
}

// password says what is behind a stored password field. hash is nil where the field is
// read as crypt(3) does.
func (r *Root) password(a *fact.Account, field string, hash *crypt.Hash) {
	a.Locked = fact.Say(false)
	if hash == nil {
		switch {
		case field == "":
			a.Password = fact.Say("empty")
			return
		case strings.Trim(field, "!*x-") == "" || strings.HasPrefix(field, "*LK*") || field == "NP" || field == "*NP*":
			a.Password, a.Locked = fact.Say("locked"), fact.Say(true)
			return
		case field[0] == '!' || field[0] == '*':
			a.Password, a.Locked = fact.Say("locked"), fact.Say(true)
			if h := crypt.Read(strings.TrimLeft(field, "!*")); h.Scheme != "unknown" {
				a.Scheme, a.Weak = h.Scheme, fact.Say(h.Weak)
			}
			return
		}
		h := crypt.Read(field)
		hash = &h
	}
	a.Scheme = hash.Scheme
	if hash.Scheme != "unknown" {
		a.Weak = fact.Say(hash.Weak)
	}
	found, ok, all := r.guess(a.Name, *hash)
	switch {
	case ok:
		a.Password, a.Masked = fact.Say(found.means), mask(found.text)
	case hash.Scheme == "plain":
		a.Password = fact.Say("set")
	default:
		a.Password = fact.Say("set")
		if !all {
			a.Confidence = "medium" // not every listed password was tried
		}
	}
}

// systemAccounts reads passwd and shadow, or BSD's master.passwd.
func systemAccounts(r *Root) {
	shadow := r.shadow()
	seen := map[string]bool{}
	for _, p := range []string{"/etc/passwd", "/etc/master.passwd"} {
		f := r.Lookup(p)
		text, ok := f.Text()
		if !ok {
			continue
		}
		n := 0
		for line := range strings.Lines(text) {
			n++
			w := strings.Split(strings.TrimRight(line, "\r\n"), ":")
			if len(w) < 7 || w[0] == "" || strings.ContainsAny(w[0][:1], "+-#") || seen[w[0]] {
				continue
			}
			seen[w[0]] = true
			if len(w) >= 10 { // master.passwd: class, change and expire stand before the name
				w = append(append([]string{}, w[:4]...), w[7:]...)
			}
			a := &fact.Account{Name: w[0], Store: "system", Home: w[5]}
			a.Places = append(a.Places, f.At(n))
			if v, err := strconv.Atoi(w[2]); err == nil {
				a.UID = fact.Say(v)
			}
			if v, err := strconv.Atoi(w[3]); err == nil {
				a.GID = fact.Say(v)
			}
			r.shell(a, strings.TrimSpace(w[6]))
			r.systemPassword(a, w[1], shadow)
			r.authorised(a)
			r.Add(a)
		}
	}
}

// shadowLine is what shadow says of one user.
type shadowLine struct {
	at     fact.Place
	fields []string
}

func (r *Root) shadow() map[string]shadowLine {
	f := r.Lookup("/etc/shadow")
	text, ok := f.Text()
	if !ok {
		return nil
	}
	out := map[string]shadowLine{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		w := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if _, twice := out[w[0]]; len(w) >= 2 && w[0] != "" && !twice {
			out[w[0]] = shadowLine{f.At(n), w}
		}
	}
	return out
}

// systemPassword joins passwd's second field with shadow. An x whose shadow line is
// nowhere in the image leaves the password unstated.
func (r *Root) systemPassword(a *fact.Account, field string, shadow map[string]shadowLine) {
	if field != "x" && field != "##"+a.Name {
		r.password(a, field, nil)
		return
	}
	s, ok := shadow[a.Name]
	if !ok {
		if shadow != nil {
			a.Password, a.Locked = fact.Say("none"), fact.Say(true)
		}
		return
	}
	a.Places = append(a.Places, s.at)
	r.password(a, s.fields[1], nil)
	number := func(i int) (int, bool) {
		if i >= len(s.fields) || s.fields[i] == "" {
			return 0, false
		}
		v, err := strconv.Atoi(s.fields[i])
		return v, err == nil
	}
	if changed, ok := number(2); ok {
		// The login programs of BusyBox do not look at it.
		a.MustChange = fact.Say(changed == 0 && r.hasPAM())
	}
	if v, ok := number(4); ok && v >= 0 {
		a.MaxDays = fact.Say(v)
	}
	if day, ok := number(7); ok && !r.options.At.IsZero() && int64(day) < r.options.At.Unix()/86400 {
		a.Locked = fact.Say(true)
	}
}

// shell says whether the account gets a session.
func (r *Root) shell(a *fact.Account, shell string) {
	a.Shell = shell
	if shell == "" {
		shell = "/bin/sh" // passwd(5)
	}
	switch path.Base(shell) {
	case "nologin", "false", "true", "sync", "halt", "shutdown", "reboot", "git-shell":
		a.Login = fact.Say(false)
	default:
		a.Login = fact.Say(r.Lookup(shell) != nil || r.Entry(shell) != nil)
	}
}

// authorised counts the keys that let a user in.
func (r *Root) authorised(a *fact.Account) {
	n := 0
	for _, f := range r.authorizedFiles(a.Name, a.Home) {
		text, _ := f.Text()
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				n++
			}
		}
	}
	a.Keys = fact.Say(n)
}

// authorizedFiles returns the files of keys that let a user in, those of OpenSSH and of
// dropbear.
func (r *Root) authorizedFiles(name, home string) []*File {
	paths := []string{".ssh/authorized_keys", ".ssh/authorized_keys2"}
	for _, p := range []string{"/etc/ssh/sshd_config", "/etc/sshd_config"} {
		text, _ := r.Text(p)
		for line := range strings.Lines(text) {
			w := strings.Fields(line)
			if len(w) > 1 && strings.EqualFold(w[0], "AuthorizedKeysFile") && w[1] != "none" {
				paths = append(paths, w[1:]...)
			}
		}
	}
	if name == "root" {
		paths = append(paths, "/etc/dropbear/authorized_keys")
	}
	var out []*File
	seen := map[string]bool{}
	for _, p := range paths {
		p = strings.NewReplacer("%%", "%", "%h", home, "%u", name).Replace(p)
		if !path.IsAbs(p) {
			p = path.Join("/", home, p)
		}
		if f := r.Lookup(p); f != nil && f.Regular() && !seen[f.Path] {
			seen[f.Path] = true
			out = append(out, f)
		}
	}
	return out
}

// hasPAM reports whether logins go through PAM here.
func (r *Root) hasPAM() bool { return len(r.Dir("/etc/pam.d")) > 0 || r.Lookup("/etc/pam.conf") != nil }
