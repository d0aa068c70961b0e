package fix

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var disableService = remedy.Fix{
	ID:     "disable-service",
	Title:  "Take the service out of what is started",
	Care:   remedy.Review,
	Breaks: "whoever uses the service: remote maintenance, a partner system, another part of the device",
	Test:   "that the device does all of its declared functions, and how service technicians get in",
	Apply:  applyDisableService,
}

// started matches the links by which init systems start something.
var started = regexp.MustCompile(`^/etc/(rc[S0-6]?\.d/|init\.d/rc[S0-6]\.d/|runlevels/[^/]+/)|^/(etc|usr/lib|lib)/systemd/(system|user)/[^/]+\.(wants|requires)/`)

func applyDisableService(t *remedy.Task) error {
	services := of[*fact.Service](t)
	for _, e := range of[*fact.Endpoint](t) { // an endpoint goes with its service
		for _, s := range t.All.Service {
			if s.Root == e.Root && s.Name == e.Service {
				services = append(services, s)
			}
		}
	}
	for _, x := range of[*fact.Setting](t) {
		for _, s := range t.All.Service {
			if s.Root == x.Root && s.Product == x.Subject && (x.Instance == "" || s.Instance == x.Instance) {
				services = append(services, s)
			}
		}
	}
	if len(services) == 0 {
		return none("no service of the finding is known")
	}
	for _, s := range services {
		if err := disable(t, s); err != nil {
			return err
		}
	}
	return nil
}

// disable takes one service out: the links and units that start it, else the lines.
func disable(t *remedy.Task, s *fact.Service) error {
	done := false
	for _, p := range s.Places {
		unit := path.Base(p.Path)
		switch {
		case started.MatchString(p.Path):
			n := t.Entry(p.Path)
			if n == nil || n.Kind != image.Symlink && !strings.HasPrefix(p.Path, "/etc/rc") {
				continue
			}
			if err := t.Remove(p.Path); err != nil {
				return err
			}
			t.Say("%s: removed, so that %s is not started", p.Path, s.Name)
			done = true
		case strings.Contains(p.Path, "/systemd/system/") && slices.Contains([]string{".service", ".socket"}, path.Ext(unit)):
			if err := mask(t, unit); err != nil {
				return err
			}
			done = true
		}
	}
	if done {
		return nil
	}
	for _, p := range s.Places {
		if p.Line == 0 {
			continue
		}
		ok, err := silence(t, s, p)
		if err != nil {
			return err
		}
		done = done || ok
	}
	if !done {
		return none("%s: none of the places that start it is a line, link or unit of its own", s.Name)
	}
	return nil
}

// takenOut stands before a line that is no longer in force.
const takenOut = "# taken out: "

// mask makes a unit of systemd one that cannot be started.
func mask(t *remedy.Task, unit string) error {
	at := "/etc/systemd/system/" + unit
	if n := t.Entry(at); n != nil && n.Kind == image.Symlink && n.Target == "/dev/null" {
		return nil
	}
	if n := t.Entry(at); n != nil {
		if err := t.Remove(at); err != nil {
			return err
		}
	}
	t.Say("%s: masked", at)
	return t.Link(at, "/dev/null")
}

// silence takes out the line that starts a service, where it names its program.
func silence(t *remedy.Task, s *fact.Service, p fact.Place) (bool, error) {
	names := []string{path.Base(s.Program), s.Name, s.Product}
	switch {
	case strings.HasPrefix(p.Path, "/etc/xinetd.d/"):
		n, err := rewrite(t, p.Path, func(_ int, line string) ([]string, bool) {
			if strings.HasPrefix(strings.TrimSpace(line), "disable") {
				return nil, true
			}
			if strings.TrimSpace(line) == "{" {
				return []string{line, "\tdisable = yes"}, true
			}
			return nil, false
		})
		if n > 0 {
			t.Say("%s: disable = yes", p.Path)
		}
		return n > 0, err
	case strings.HasSuffix(p.Path, ".service") || strings.HasSuffix(p.Path, ".socket"):
		return false, nil
	}
	shell := true
	switch path.Base(p.Path) {
	case "inittab", "inetd.conf", "crontab", "root", "busybox.conf":
		shell = false
	}
	already := false
	n, err := rewrite(t, p.Path, func(number int, line string) ([]string, bool) {
		if number != p.Line || !slices.ContainsFunc(names, func(n string) bool { return n != "" && n != "." && strings.Contains(line, n) }) {
			return nil, false
		}
		if strings.Contains(line, takenOut) {
			already = true
			return nil, false
		}
		if shell { // a command must stand where one stood
			indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
			return []string{indent + ": " + takenOut + strings.TrimLeft(line, " \t")}, true
		}
		return []string{takenOut + line}, true
	})
	if n > 0 || already {
		t.Say("%s:%d: %s is no longer started", p.Path, p.Line, s.Name)
	}
	return n > 0 || already, err
}
