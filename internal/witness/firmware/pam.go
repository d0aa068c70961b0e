package firmware

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// pam states what slows somebody who guesses passwords at a login: lockout, delay and the
// quality that a password must have.
var pam = inspector{
	name:  "pam",
	kinds: []fact.Kind{fact.KindGuard, fact.KindSetting},
	look:  lookPAM,
}

func lookPAM(r *Root) {
	kind, _, _ := strings.Cut(r.Role, ":")
	if !slices.Contains([]string{"system", "recovery", "chroot", "container"}, kind) {
		return
	}
	// Where nobody has a password there is nothing to guess. On a system with PAM one may
	// come later; a container is as it is.
	passworded := slices.ContainsFunc(r.Facts.Account, func(a *fact.Account) bool {
		return a.Store == "system" && a.Login.Or(false) && slices.Contains([]string{"set", "default", "cracked", "empty"}, a.Password.Or(""))
	})
	switch {
	case r.hasPAM() && (passworded || kind != "container"):
		pamGuards(r)
	case !r.hasPAM() && passworded:
		plainGuards(r)
	}
}

// module is one line of a PAM stack, includes followed.
type module struct {
	kind, name string
	args       []string
	at         fact.Place
}

// arg returns the value of an argument name=value, and whether the argument is there.
func (m module) arg(name string) (string, bool) {
	for _, a := range m.args {
		if k, v, _ := strings.Cut(a, "="); k == name {
			return v, true
		}
	}
	return "", false
}

// stack returns the modules of a service.
func (r *Root) stack(service string, depth int) []module {
	f := r.Lookup("/etc/pam.d/" + service)
	if f == nil {
		f = r.Lookup("/usr/lib/pam.d/" + service)
	}
	var out []module
	numbered(f, func(n int, line string) {
		line, _, _ = strings.Cut(line, "#")
		w := strings.Fields(line)
		if len(w) < 2 || len(out) > 500 {
			return
		}
		if w[0] == "@include" && depth < 8 {
			out = append(out, r.stack(path.Base(w[1]), depth+1)...)
			return
		}
		kind := strings.TrimPrefix(w[0], "-")
		control := w[1]
		rest := w[2:]
		if strings.HasPrefix(control, "[") {
			for !strings.HasSuffix(control, "]") && len(rest) > 0 {
				control, rest = rest[0], rest[1:]
			}
		}
		if len(rest) == 0 {
			return
		}
		if (control == "include" || control == "substack") && depth < 8 {
			for _, m := range r.stack(path.Base(rest[0]), depth+1) {
				if m.kind == kind {
					out = append(out, m)
				}
			}
			return
		}
		out = append(out, module{kind, strings.TrimSuffix(path.Base(rest[0]), ".so"), rest[1:], f.At(n)})
	})
	return out
}

func of(stack []module, kind string) []module {
	return slices.DeleteFunc(slices.Clone(stack), func(m module) bool { return m.kind != kind })
}

func pamGuards(r *Root) {
	allowed := map[string]bool{}
	for _, service := range []string{"login", "sshd"} {
		auth := of(r.stack(service, 0), "auth")
		if len(auth) == 0 {
			continue
		}
		at := auth[0].at
		for _, m := range auth {
			if m.name == "pam_unix" {
				at = m.at
			}
			if _, ok := m.arg("nullok"); ok && !allowed[m.at.String()] {
				allowed[m.at.String()] = true
				s := &fact.Setting{Subject: "pam", Instance: m.at.Path, Name: "nullok", Value: fact.Say("yes"), Raw: "nullok", Origin: "file"}
				s.Places = append(s.Places, m.at)
				r.Add(s)
			}
		}
		pamLockout(r, service, auth, at)
		pamDelay(r, service, auth)
	}
	pamQuality(r)
}

func (r *Root) guard(g *fact.Guard, at fact.Place) {
	g.Places = append(g.Places, at)
	r.Add(g)
}

func pamLockout(r *Root, service string, auth []module, at fact.Place) {
	for _, m := range auth {
		g := &fact.Guard{What: "lockout", Subject: service, By: m.name, Active: fact.Say(true)}
		switch m.name {
		case "pam_faillock":
			conf, _ := m.arg("conf")
			values := r.keyed(cmp.Or(conf, "/etc/security/faillock.conf"))
			deny, unlock := 3, 600 // faillock.conf(5)
			from := []func(string) (string, bool){values}
			for _, m := range auth {
				if m.name == "pam_faillock" {
					from = append(from, m.arg)
				}
			}
			for _, from := range from {
				if v, ok := from("deny"); ok {
					deny = number(v, deny)
				}
				if v, ok := from("unlock_time"); ok {
					unlock = number(v, unlock)
				}
			}
			g.Detail = fmt.Sprintf("deny=%d unlock_time=%d", deny, unlock)
			g.Limit, g.Active = fact.Say(deny), fact.Say(deny > 0)
		case "pam_tally2", "pam_tally":
			v, _ := m.arg("deny")
			deny := number(v, 0)
			g.Detail = fmt.Sprintf("deny=%d", deny)
			g.Limit, g.Active = fact.Say(deny), fact.Say(deny > 0)
		case "pam_abl", "pam_shield":
		default:
			continue
		}
		r.guard(g, m.at)
		return
	}
	g := &fact.Guard{What: "lockout", Subject: service, Active: fact.Say(false), Detail: "no module of the PAM stack counts failed logins"}
	if r.Lookup("/etc/security/faillock.conf") != nil {
		g.Detail += "; faillock.conf alone does nothing"
	}
	r.guard(g, at)
}

func pamDelay(r *Root, service string, auth []module) {
	defs := r.keyed("/etc/login.defs")
	for _, name := range []string{"pam_faildelay", "pam_unix"} {
		for _, m := range auth {
			if m.name != name {
				continue
			}
			g := &fact.Guard{What: "delay", Subject: service, By: name, Active: fact.Say(true)}
			seconds := 2 // pam_unix(8): about two seconds unless nodelay
			if name == "pam_faildelay" {
				v, _ := defs("FAIL_DELAY")
				seconds = number(v, 0)
				if v, ok := m.arg("delay"); ok {
					seconds = number(v, 0) / 1_000_000
				}
			} else if _, off := m.arg("nodelay"); off {
				seconds = 0
			}
			g.Limit, g.Active = fact.Say(seconds), fact.Say(seconds > 0)
			r.guard(g, m.at)
			return
		}
	}
}

// pamQuality finds the module that checks new passwords.
func pamQuality(r *Root) {
	var password []module
	for _, service := range []string{"passwd", "common-password", "system-auth", "password-auth"} {
		if password = of(r.stack(service, 0), "password"); len(password) > 0 {
			break
		}
	}
	for _, m := range password {
		g := &fact.Guard{What: "password-quality", Subject: "login", By: m.name, Active: fact.Say(true)}
		v, ok := m.arg("minlen")
		switch m.name {
		case "pam_pwquality":
			if !ok {
				v, _ = r.keyed("/etc/security/pwquality.conf")("minlen")
			}
			g.Limit = fact.Say(number(v, 8))
		case "pam_cracklib":
			g.Limit = fact.Say(number(v, 9))
		case "pam_passwdqc":
			if v, ok := m.arg("min"); ok {
				w := strings.Split(v, ",")
				g.Limit = fact.Say(number(w[len(w)-1], 8))
			}
		default:
			continue
		}
		r.guard(g, m.at)
		return
	}
	defs := r.Lookup("/etc/login.defs")
	if len(password) == 0 { // passwd does not ask PAM: login.defs counts
		shadowQuality(r, defs)
		return
	}
	g := &fact.Guard{What: "password-quality", Subject: "login", Active: fact.Say(false), Detail: "no module of the PAM stack checks new passwords"}
	for _, m := range password {
		if m.name == "pam_unix" {
			if v, ok := m.arg("minlen"); ok {
				g.Limit, g.By, g.Active, g.Detail = fact.Say(number(v, 6)), m.name, fact.Say(true), "length alone"
			}
			r.guard(g, m.at)
			return
		}
	}
	r.guard(g, password[0].at)
}

// shadowQuality reads what login.defs demands of a new password.
func shadowQuality(r *Root, defs *File) {
	numbered(defs, func(n int, line string) {
		if w := strings.Fields(line); len(w) == 2 && w[0] == "PASS_MIN_LEN" {
			least := number(w[1], 0)
			r.guard(&fact.Guard{What: "password-quality", Subject: "login", By: "login.defs", Active: fact.Say(least > 0),
				Limit: fact.Say(least), Detail: "length alone"}, defs.At(n))
		}
	})
}

// plainGuards says what a system without PAM has: programs that ask for a password and
// count nothing.
func plainGuards(r *Root) {
	for _, p := range []string{"/bin/login", "/usr/bin/login", "/sbin/login", "/usr/sbin/login"} {
		f := r.Lookup(p)
		if f == nil {
			continue
		}
		busybox := strings.HasPrefix(path.Base(f.Path), "busybox")
		g := &fact.Guard{What: "lockout", Subject: "login", Active: fact.Say(false), Detail: "login without PAM does not count failed logins"}
		if busybox {
			g.Detail = "the login of BusyBox does not count failed logins"
			r.guard(&fact.Guard{What: "delay", Subject: "login", By: "busybox", Active: fact.Say(true), Limit: fact.Say(3)}, f.At(0))
		}
		r.guard(g, f.At(0))
		break
	}
	for _, p := range []string{"/usr/sbin/dropbear", "/usr/bin/dropbear", "/sbin/dropbear"} {
		if f := r.Lookup(p); f != nil {
			r.guard(&fact.Guard{What: "lockout", Subject: "dropbear", Active: fact.Say(false),
				Detail: "dropbear limits the tries of one connection and counts no further"}, f.At(0))
			break
		}
	}
	for _, p := range []string{"/usr/bin/passwd", "/bin/passwd"} {
		f := r.Lookup(p)
		if f == nil {
			continue
		}
		if strings.HasPrefix(path.Base(f.Path), "busybox") {
			r.guard(&fact.Guard{What: "password-quality", Subject: "login", Active: fact.Say(false),
				Detail: "the passwd of BusyBox knows no policy"}, f.At(0))
		} else {
			shadowQuality(r, r.Lookup("/etc/login.defs"))
		}
		break
	}
}

// keyed returns a reader of a file's values, of the forms "key = value" and "key value".
func (r *Root) keyed(p string) func(key string) (string, bool) {
	values := map[string]string{}
	numbered(r.Lookup(p), func(_ int, line string) {
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			k, v, _ = strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		}
		values[strings.TrimSpace(k)] = strings.TrimSpace(v)
	})
	return func(key string) (string, bool) {
		v, ok := values[key]
		return v, ok
	}
}

// number reads a whole number, or is the default.
func number(s string, otherwise int) int {
	if v, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
		return v
	}
	return otherwise
}
