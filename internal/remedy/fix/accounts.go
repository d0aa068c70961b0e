package fix

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var lockAccount = remedy.Fix{
	ID:     "lock-account",
	Title:  "Lock the password of the account",
	Care:   remedy.Review,
	Breaks: "logins with that password: service technicians, scripts of other systems, emergency access that relies on it",
	Test:   "that those who must can still get in, in an emergency as well, and that programs running under the account still start",
	Apply:  applyLockAccount,
}

func applyLockAccount(t *remedy.Task) error {
	return lock(t, "locked", "", func(field []string, shadow bool) bool {
		if len(field) < 2 || strings.HasPrefix(field[1], "!") || !shadow && field[1] == "x" {
			return false
		}
		field[1] = "!" // the old hash goes as well: it would still be guessed
		return true
	})
}

// lock closes the accounts of a finding: those of the system as change says, those of a
// program by taking their login out. done says what became of an account of the system,
// then, where there is more to say, what becomes of one of a program.
func lock(t *remedy.Task, done, then string, change func(field []string, shadow bool) bool) error {
	for _, a := range of[*fact.Account](t) {
		if a.Store != "system" {
			if err := dropLogin(t, a); err != nil {
				return err
			}
			if then != "" {
				t.Say("%s of %s: %s", a.Name, a.Store, then)
			}
			continue
		}
		n, err := colon(t, a, change)
		if err != nil {
			return err
		}
		if n == 0 {
			return none("%s: neither /etc/shadow nor /etc/passwd holds a password of it that can be locked", a.Name)
		}
		t.Say("account %s: %s", a.Name, done)
	}
	return nil
}

var requireNewPassword = remedy.Fix{
	ID:     "require-new-password",
	Title:  "Lock the account until a password is set at the first start",
	Care:   remedy.Clinical,
	Breaks: "logins before the site has set a password",
	Test:   "that the first start asks for a password, refuses a short one, and that care does not wait for it",
	Apply:  applyRequireNewPassword,
}

func applyRequireNewPassword(t *remedy.Task) error {
	return lock(t, "locked until its password is set; the next login must change it", "provisioning writes the entry with the unit's own password",
		func(field []string, shadow bool) bool {
			if !shadow || len(field) < 3 {
				return false
			}
			field[1], field[2] = "!", "0" // set at the first login, which the site's provisioning unlocks
			return true
		})
}

var removeAccount = remedy.Fix{
	ID:     "remove-account",
	Title:  "Take the account out",
	Care:   remedy.Review,
	Breaks: "programs and files of that account",
	Test:   "that nothing runs under the account and no file is left to it",
	Apply:  applyRemoveAccount,
}

func applyRemoveAccount(t *remedy.Task) error {
	for _, a := range of[*fact.Account](t) {
		if a.Store != "system" || a.Name == "root" {
			return none("%s: is not taken out", a.Name)
		}
		found := 0
		for _, p := range []string{"/etc/passwd", "/etc/shadow"} {
			if _, ok := t.Resolve(p); !ok {
				continue
			}
			n, err := rewrite(t, p, func(_ int, line string) ([]string, bool) { return nil, strings.HasPrefix(line, a.Name+":") })
			if err != nil {
				return err
			}
			found += n
		}
		if found == 0 {
			return none("%s: has no line in /etc/passwd", a.Name)
		}
		t.Say("account %s: removed", a.Name)
	}
	return nil
}

// colon changes the fields of an account's lines in the system's files.
func colon(t *remedy.Task, a *fact.Account, change func(field []string, shadow bool) bool) (total int, err error) {
	for _, p := range []string{"/etc/shadow", "/etc/passwd"} {
		if _, ok := t.Resolve(p); !ok {
			continue
		}
		n, err := rewrite(t, p, func(_ int, line string) ([]string, bool) {
			field := strings.Split(line, ":")
			if field[0] != a.Name || !change(field, p == "/etc/shadow") {
				return nil, false
			}
			return []string{strings.Join(field, ":")}, true
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// stores are the programs that keep a login on a line of its own, NAME:PASSWORD ..., or on
// two, NAME and PASSWORD, in files that hold nothing else: without its line nobody gets in.
var stores = map[string]bool{
	"htpasswd": true, "lighttpd": true, "mosquitto": true, "vsftpd": true, "samba": true, "proftpd": true, "pure-ftpd": true, "dovecot": true,
	"nginx": true, "apache": true,
}

// dropLogin takes the login of an account out of the file that a program keeps.
func dropLogin(t *remedy.Task, a *fact.Account) error {
	if !stores[a.Store] {
		return none("%s: an account of %s has no lock that is known", a.Name, a.Store)
	}
	done := false
	for _, p := range a.Places {
		line, ok := lineAt(t, p)
		if !ok {
			continue
		}
		name := p
		name.Line--
		above, _ := lineAt(t, name)
		pair := !strings.Contains(line, ":") && above == a.Name
		if !pair && !strings.HasPrefix(line, a.Name+":") {
			continue
		}
		text, err := t.Text(p.Path)
		if err != nil {
			return err
		}
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		entry := line + "\n"
		if pair {
			entry = above + "\n" + entry
		}
		if head, rest, found := strings.Cut("\n"+text, "\n"+entry); found {
			if err := t.Write(p.Path, []byte(strings.TrimPrefix(head+"\n"+rest, "\n")), 0o600); err != nil {
				return err
			}
		}
		t.Say("%s: the login of %s is taken out", p.Path, a.Name)
		done = true
	}
	if !done {
		return none("%s: no line of its own keeps the login in %s", a.Name, a.Store)
	}
	return nil
}
