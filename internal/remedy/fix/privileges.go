package fix

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var dropPrivileges = remedy.Fix{
	ID:     "drop-privileges",
	Title:  "Run the program under a user of its own",
	Care:   remedy.Review,
	Breaks: "whatever the program does that only root may: device files, ports below 1024, files of root that it writes",
	Test:   "that the program starts, reaches its devices and files, and does all of its functions, alarms first",
	Apply:  applyDropPrivileges,
}

func applyDropPrivileges(t *remedy.Task) error {
	for _, s := range of[*fact.Service](t) {
		user, made, err := userFor(t, s)
		if err != nil {
			return err
		}
		if unit := unitOf(s); unit != "" {
			add := []string{"User=" + user}
			if p := s.Port.Or(0); p > 0 && p < 1024 {
				add = append(add, "AmbientCapabilities=CAP_NET_BIND_SERVICE")
			}
			if err := dropIn(t, unit, add...); err != nil {
				return err
			}
		} else if err := dropInScript(t, s, user); err != nil {
			return err
		}
		if made {
			t.Say("account %s: made for it, without a password and without a shell", user)
		}
	}
	return nil
}

// userFor returns the account that a service is to run under: one that the image has for
// it, else a new one.
func userFor(t *remedy.Task, s *fact.Service) (name string, made bool, err error) {
	base := path.Base(s.Program)
	for _, want := range []string{s.Product, base, strings.TrimSuffix(base, "d"), s.Name} {
		for _, a := range t.All.Account {
			if a.Root == s.Root && a.Store == "system" && a.Name == want && want != "" && a.UID.Or(0) != 0 {
				return a.Name, false, nil
			}
		}
	}
	name = strings.ToLower(base)
	if !regexp.MustCompile(`^[a-z][a-z0-9_-]{0,30}$`).MatchString(name) {
		return "", false, none("%q: no name for an account can be made of it", s.Name)
	}
	passwd, err := t.Text("/etc/passwd")
	if err != nil {
		return "", false, none("there is no /etc/passwd to add an account to")
	}
	group, _ := t.Text("/etc/group")
	id := 990
	for strings.Contains(passwd+group, fmt.Sprintf(":%d:", id)) {
		if id--; id < 100 {
			return "", false, none("no number is left for an account")
		}
	}
	for p, line := range map[string]string{
		"/etc/passwd": fmt.Sprintf("%s:x:%d:%d:%s:/nonexistent:/bin/false\n", name, id, id, name),
		"/etc/group":  fmt.Sprintf("%s:x:%d:\n", name, id),
		"/etc/shadow": name + ":!:19600:0:99999:7:::\n",
	} {
		text, err := t.Text(p)
		if err != nil {
			continue // a system without it keeps no such file
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if err := t.Write(p, []byte(text+line), 0o644); err != nil {
			return "", false, err
		}
	}
	return name, true, nil
}

// plainStart is a start of a program with nothing that a shell would take apart.
var plainStart = regexp.MustCompile(`^(\s*)(/[\w./+-]+)((?:\s+[\w./:=,@%+-]+)*)\s*(&)?\s*$`)

// dropInScript changes the line of a start script that starts a service.
func dropInScript(t *remedy.Task, s *fact.Service, user string) error {
	why := "none of its places is a line that starts it"
	for _, p := range s.Places {
		line, ok := lineAt(t, p)
		if !ok || strings.HasSuffix(p.Path, "inittab") || path.Base(p.Path) == "rcS" {
			continue
		}
		procd := strings.Contains(line, "procd_set_param command")
		if !procd && s.Port.Or(0) > 0 && s.Port.Or(0) < 1024 {
			why = fmt.Sprintf("it binds port %d, which its start script cannot let it do as another user", s.Port.Or(0))
			continue
		}
		done, err := statement(t, p, func(line string) ([]string, bool) {
			indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
			m := plainStart.FindStringSubmatch(line)
			switch {
			case procd:
				return []string{line, indent + "procd_set_param user " + user}, true
			case strings.Contains(line, "start-stop-daemon"):
				if regexp.MustCompile(`\s(-c|--chuid|-u|--user)\b`).MatchString(before(line, " -- ")) {
					return nil, false
				}
				return []string{strings.Replace(line, "start-stop-daemon", "start-stop-daemon -c "+user, 1)}, true
			case m == nil || path.Base(m[2]) != path.Base(s.Program):
				return nil, false
			case hasDaemonStarter(t):
				b := ""
				if m[4] != "" {
					b = " -b"
				}
				return []string{m[1] + "start-stop-daemon -S" + b + " -q -c " + user + " -x " + m[2] + strings.Replace(" --"+m[3], " -- ", " -- ", 1)}, true
			}
			return []string{strings.TrimRight(m[1]+"su -s /bin/sh "+user+" -c '"+m[2]+m[3]+"' "+m[4], " ")}, true
		})
		if err != nil {
			return err
		}
		if done {
			t.Say("%s:%d: %s runs as %s", p.Path, p.Line, s.Name, user)
			return nil
		}
	}
	return none("%s: %s", s.Name, why)
}

func before(s, sep string) string { head, _, _ := strings.Cut(s, sep); return head }

// hasDaemonStarter reports whether start-stop-daemon is there: as a program, or as an
// applet that another start script uses.
func hasDaemonStarter(t *remedy.Task) bool {
	if program(t, "start-stop-daemon") != "" {
		return true
	}
	for _, name := range t.List("/etc/init.d") {
		if text, err := t.Text("/etc/init.d/" + name); err == nil && strings.Contains(text, "start-stop-daemon") {
			return true
		}
	}
	return false
}

var confineService = remedy.Fix{
	ID:     "confine-service",
	Title:  "Put the service into a sandbox of its init system",
	Care:   remedy.Review,
	Breaks: "programs that the service starts with more rights than its own, and files outside of its own that it writes",
	Test:   "that the service starts, writes what it must, and does all of its functions",
	Apply:  applyConfineService,
}

func applyConfineService(t *remedy.Task) error {
	for _, s := range of[*fact.Service](t) {
		if unit := unitOf(s); unit != "" {
			add := []string{"NoNewPrivileges=yes", "ProtectSystem=full", "PrivateTmp=yes", "ProtectKernelModules=yes", "ProtectKernelTunables=yes"}
			if s.Shell.Or(false) || s.Protocol == "ssh" { // its sessions are people's, who may need their rights
				add = []string{"ProtectSystem=full", "ProtectKernelModules=yes", "ProtectKernelTunables=yes"}
			}
			if err := dropIn(t, unit, add...); err != nil {
				return err
			}
			continue
		}
		done := goneBy(t, s)
		for _, p := range s.Places {
			line, _ := lineAt(t, p)
			if !strings.Contains(line, "procd_set_param command") {
				continue
			}
			ok, err := statement(t, p, func(line string) ([]string, bool) {
				indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
				return []string{line, indent + "procd_set_param no_new_privs 1"}, true
			})
			if err != nil {
				return err
			}
			if ok {
				t.Say("%s:%d: %s gets no new rights", p.Path, p.Line, s.Name)
			}
			done = done || ok
		}
		if !done {
			return none("%s: is started by %s, which has no sandbox", s.Name, cmp.Or(s.Started, "a script"))
		}
	}
	return nil
}

// goneBy reports whether another fix has taken the service out already.
func goneBy(t *remedy.Task, s *fact.Service) bool {
	for _, p := range s.Places {
		if started.MatchString(p.Path) && t.Entry(p.Path) == nil {
			return true
		}
		line, ok := lineAt(t, p)
		if text, err := t.Text(p.Path); ok && err == nil && strings.Contains(text, takenOut+strings.TrimLeft(line, " \t")) {
			return true
		}
	}
	return false
}

var setMountOption = remedy.Fix{
	ID:     "set-mount-option",
	Title:  "Mount it so that nothing on it runs as a program",
	Care:   remedy.Review,
	Breaks: "programs and scripts that are run from that place",
	Test:   "that nothing the device does is run from there: updates, exports, service tools",
	Apply:  applySetMountOption,
}

var mountCommand = regexp.MustCompile(`\bmount\s+`)

func applySetMountOption(t *remedy.Task) error {
	done := 0
	for _, m := range of[*fact.Mount](t) {
		options := []string{"nosuid", "nodev", "noexec"}
		for _, p := range m.Places {
			ok, err := statement(t, p, func(line string) ([]string, bool) {
				if strings.HasSuffix(p.Path, "fstab") {
					return fstabOptions(line, options)
				}
				if strings.HasSuffix(p.Path, ".mount") {
					k, v, cut := strings.Cut(line, "=")
					if !cut || k != "Options" {
						return nil, false
					}
					return []string{k + "=" + strings.Join(merge(strings.Split(v, ","), options), ",")}, true
				}
				return mountOptions(line, options)
			})
			if err != nil {
				return err
			}
			if ok {
				done++
				t.Say("%s:%d: %s is mounted %s", p.Path, p.Line, m.Point, strings.Join(options, ","))
			}
		}
	}
	if done == 0 {
		return none("no line of fstab or of a script mounts it")
	}
	return nil
}

// merge adds options, and takes those out that say the opposite.
func merge(have, add []string) []string {
	out := slices.DeleteFunc(slices.Clone(have), func(o string) bool {
		return o == "" || o == "defaults" || slices.Contains(add, o) || slices.Contains(add, "no"+o)
	})
	return append(out, add...)
}

// fstabOptions changes the fourth field of a line, and nothing else of it.
func fstabOptions(line string, add []string) ([]string, bool) {
	field := regexp.MustCompile(`\S+`).FindAllStringIndex(line, -1)
	if len(field) < 4 || strings.HasPrefix(strings.TrimSpace(line), "#") {
		if len(field) == 3 {
			return []string{strings.TrimRight(line, " \t") + " " + strings.Join(add, ",")}, true
		}
		return nil, false
	}
	at := field[3]
	return []string{line[:at[0]] + strings.Join(merge(strings.Split(line[at[0]:at[1]], ","), add), ",") + line[at[1]:]}, true
}

// mountOptions changes the options of a command of a shell.
func mountOptions(line string, add []string) ([]string, bool) {
	at := mountCommand.FindStringIndex(line)
	if at == nil {
		return nil, false
	}
	if o := regexp.MustCompile(`\s-o\s*([^\s;|&]+)`).FindStringSubmatchIndex(line[at[0]:]); o != nil {
		from, to := at[0]+o[2], at[0]+o[3]
		return []string{line[:from] + strings.Join(merge(strings.Split(line[from:to], ","), add), ",") + line[to:]}, true
	}
	return []string{line[:at[1]] + "-o " + strings.Join(add, ",") + " " + line[at[1]:]}, true
}
