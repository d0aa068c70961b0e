package fix

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

// statement changes the line that stood at a place before any fix, wherever it stands now.
// It reports whether it did; a line that another fix has changed stays.
func statement(t *remedy.Task, p fact.Place, change func(line string) ([]string, bool)) (bool, error) {
	was, ok := lineAt(t, p)
	if !ok {
		return false, nil
	}
	done := false
	_, err := rewrite(t, p.Path, func(_ int, line string) ([]string, bool) {
		if done || line != was {
			return nil, false
		}
		now, other := change(line)
		done = other
		return now, other
	})
	return done, err
}

// lineAt returns the line that a place names, as it was before any fix.
func lineAt(t *remedy.Task, p fact.Place) (string, bool) {
	if p.Line <= 0 {
		return "", false
	}
	text, err := t.Original(p.Path)
	if err != nil {
		return "", false
	}
	list := lines(text)
	if p.Line > len(list) {
		return "", false
	}
	return strings.TrimRight(list[p.Line-1], "\n"), true
}

// isFile reports whether a path leads to a regular file.
func isFile(t *remedy.Task, p string) bool {
	at, ok := t.Resolve(p)
	n := t.Entry(at)
	return ok && n != nil && n.Kind == image.File
}

// program returns the path of a program that is in the image, "" for none.
func program(t *remedy.Task, name string) string {
	for _, dir := range []string{"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/", "/usr/local/bin/", "/usr/local/sbin/"} {
		if isFile(t, dir+name) {
			return dir + name
		}
	}
	return ""
}

// provisioned is the directory where a unit keeps what is its own: on the partition for
// data, where there is one, since the root is often read-only.
func provisioned(t *remedy.Task) string {
	for _, m := range t.All.Mount {
		if m.Root == t.Root.Role && m.Point == "/data" && m.Writable.Or(false) {
			return "/data/provisioned"
		}
	}
	if n := t.Entry("/data"); n != nil && n.Kind == image.Dir {
		return "/data/provisioned"
	}
	return "/etc/provisioned"
}

// dropIn adds lines to the drop-in of a unit of systemd.
func dropIn(t *remedy.Task, unit string, add ...string) error {
	at := "/etc/systemd/system/" + unit + ".d/50-vesalius.conf"
	text := "[Service]\n"
	if isFile(t, at) {
		var err error
		if text, err = t.Text(at); err != nil {
			return err
		}
	}
	for _, line := range add {
		if !slices.Contains(lines(text), line+"\n") {
			text += line + "\n"
		}
	}
	t.Say("%s: %s", at, strings.Join(add, ", "))
	return t.Write(at, []byte(text), 0o644)
}

// unitOf returns the unit of systemd that starts a service, "" for none.
func unitOf(s *fact.Service) string {
	for _, p := range s.Places {
		if strings.Contains(p.Path, "/systemd/system/") && path.Ext(p.Path) == ".service" {
			return path.Base(p.Path)
		}
	}
	return ""
}

// stopped keeps a start script from starting anything when it is called to stop.
const stopped = "[ \"$1\" = stop ] && exit 0\n"

// atBoot has a script's lines run at every start, before what comes from the given order
// on, in the way of the init system of the image.
func atBoot(t *remedy.Task, name string, order int, body string) error {
	script := fmt.Sprintf("/etc/init.d/%s", name)
	head := "#!/bin/sh\n"
	link := ""
	rcS, _ := t.Text("/etc/init.d/rcS")
	rc, _ := t.Text("/etc/init.d/rc")
	switch {
	case isFile(t, "/usr/lib/systemd/systemd") || isFile(t, "/lib/systemd/systemd"):
		unit := "[Unit]\nDescription=" + name + "\nDefaultDependencies=no\nAfter=local-fs.target\nBefore=network-pre.target sysinit.target\nWants=network-pre.target\n" +
			"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/libexec/" + name + "\n[Install]\nWantedBy=sysinit.target\n"
		if err := t.Write("/usr/libexec/"+name, []byte(head+body), 0o755); err != nil {
			return err
		}
		if err := t.Write("/etc/systemd/system/"+name+".service", []byte(unit), 0o644); err != nil {
			return err
		}
		return t.Link("/etc/systemd/system/sysinit.target.wants/"+name+".service", "/etc/systemd/system/"+name+".service")
	case isFile(t, "/sbin/procd") || isFile(t, "/etc/rc.common"):
		head = fmt.Sprintf("#!/bin/sh /etc/rc.common\nSTART=%02d\n", order)
		body = "start() {\n\t" + strings.ReplaceAll(strings.TrimSuffix(body, "\n"), "\n", "\n\t") + "\n}\n"
		link = fmt.Sprintf("/etc/rc.d/S%02d%s", order, name)
	case strings.Contains(rcS, "/etc/init.d/S"):
		head += stopped
		script = fmt.Sprintf("/etc/init.d/S%02d%s", order, name)
	case strings.Contains(rc, "rc$1.d") || strings.Contains(rc, "/etc/rc"):
		head += stopped
		link = "/etc/rc2.d/S01" + name
	default:
		return none("how this system starts its services is not known")
	}
	if err := t.Write(script, []byte(head+body), 0o755); err != nil {
		return err
	}
	if link == "" {
		return nil
	}
	return t.Link(link, "../init.d/"+name)
}
