package firmware

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// runTable says which scripts the system runs, and as whom.
type runTable struct {
	seen bool // the start of the system could be followed
	of   map[string]run
}

// run is how one script is run.
type run struct {
	known, boot, root bool
	by                string // what runs it
}

// runsOf follows the services that the start inspector stated, the tables of cron and of
// hot-plugging, and from script to script what these call by its path.
func runsOf(r *Root) *runTable {
	o := &runTable{of: map[string]run{}}
	var queue []string
	note := func(p string, n run) {
		f := r.Lookup(p)
		if f == nil || f.Trace == nil || f.Trace.Type != "script" || !f.Regular() {
			return
		}
		old := o.of[f.Path]
		next := run{true, old.boot || n.boot, old.root || n.root, old.by}
		if next.by == "" {
			next.by = n.by
		}
		if next != old {
			o.of[f.Path] = next
			queue = append(queue, f.Path)
		}
	}
	for _, s := range r.Facts.Service {
		start, ok := s.Start.Value()
		if !ok || start == "never" {
			continue
		}
		n := run{boot: start == "boot", root: s.AsRoot.Or(false), by: s.Started}
		o.seen = o.seen || n.boot
		note(s.Program, n)
		for _, a := range s.Arguments {
			if path.IsAbs(a) {
				note(a, n)
			}
		}
		for _, p := range s.Places {
			if initScript.MatchString(p.Path) {
				note(p.Path, run{boot: n.boot, root: true, by: s.Started})
			}
		}
	}
	for _, f := range r.Files() {
		o.table(f, note)
	}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		text, _ := r.Entry(p).Text()
		n := o.of[p]
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "#") {
				continue
			}
			n := run{boot: n.boot, root: n.root && !otherUser.MatchString(line), by: p}
			for _, m := range absolute.FindAllString(line, 16) {
				note(strings.Trim(m, `"' ;=(&|`), n)
			}
		}
	}
	return o
}

var (
	initScript = regexp.MustCompile(`^/etc/(init\.d|rc\d?\.d|rc\.d)/|^/etc/(rc\.local|rcS|rc|inittab)$|/init\.d/`)
	otherUser  = regexp.MustCompile(`\bsu\s+(-\s+)?[a-z]\w*\s|--chuid|(^|\s)-c\s*\w+:\w+|\bsetuidgid\b|\brunuser\b|\bsudo\s+-u\b|\bchpst\s+-u\b|\bsu-exec\b|\bgosu\b`)
	absolute   = regexp.MustCompile(`(^|[\s"';=(&|])/[\w./+-]+`)
	execLine   = regexp.MustCompile(`^Exec(?:Start|StartPre|StartPost|Stop|StopPost|Reload)=[-@:+!]*(.*)`)
	cronLine   = regexp.MustCompile(`^(?:@\w+|(?:[\d*/,A-Za-z-]+\s+){4}[\d*/,A-Za-z-]+)\s+(.*)`)
	udevRun    = regexp.MustCompile(`(?:RUN|PROGRAM|IMPORT\{program\})\s*(?:\{\w+\})?\s*\+?=+\s*"([^"]*)"`)
)

// table notes what one table of programs to run names.
func (o *runTable) table(f *File, note func(string, run)) {
	p := f.Path
	dir, base := path.Dir(p), path.Base(p)
	user := ""
	switch {
	case p == "/etc/crontab" || dir == "/etc/cron.d":
		user = "*" // each line says it
	case dir == "/var/spool/cron/crontabs" || dir == "/etc/crontabs" || dir == "/var/spool/cron" || dir == "/etc/cron/crontabs":
		user = base
	case strings.HasPrefix(dir, "/etc/cron.") && dir != "/etc/cron.d":
		note(p, run{root: true, by: "cron"})
		return
	case strings.HasSuffix(dir, "/init.d") && strings.HasPrefix(base, "S") && len(base) > 2 && base[1] >= '0' && base[1] <= '9', p == "/etc/rc.local":
		note(p, run{boot: true, root: true, by: "init"}) // BusyBox runs them all
		return
	case strings.HasPrefix(dir, "/etc/rc") && strings.HasSuffix(dir, ".d") && strings.HasPrefix(base, "S"):
		note(p, run{boot: true, root: true, by: "init"})
		return
	case strings.HasSuffix(dir, "/systemd/system") && strings.HasSuffix(p, ".service"):
		o.unit(f, note)
		return
	case p == "/etc/mdev.conf" || strings.HasSuffix(dir, "/udev/rules.d") || dir == "/etc/hotplug.d" || p == "/etc/inittab":
		o.plugged(f, note)
		return
	default:
		return
	}
	text, _ := f.Text()
	for line := range strings.Lines(text) {
		m := cronLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		who, command := user, m[1]
		if user == "*" {
			who, command, _ = strings.Cut(m[1], " ")
		}
		for _, a := range absolute.FindAllString(command, 16) {
			note(strings.Trim(a, `"' ;=(&|`), run{root: who == "root", by: "cron"})
		}
	}
}

// unit notes what a unit of systemd runs.
func (o *runTable) unit(f *File, note func(string, run)) {
	text, _ := f.Text()
	root := true
	var commands []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "User="); ok && v != "root" && v != "0" || strings.HasPrefix(line, "DynamicUser=yes") {
			root = false
		}
		if m := execLine.FindStringSubmatch(line); m != nil {
			commands = append(commands, m[1])
		}
	}
	for _, c := range commands {
		for _, a := range strings.Fields(c) {
			if a = strings.Trim(a, `"'`); path.IsAbs(a) {
				note(a, run{root: root, by: f.Path})
			}
		}
	}
}

// plugged notes what the plugging of a device runs, and what init does.
func (o *runTable) plugged(f *File, note func(string, run)) {
	text, _ := f.Text()
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		commands := []string{line}
		if strings.HasSuffix(f.Path, ".rules") {
			commands = nil
			for _, m := range udevRun.FindAllStringSubmatch(line, 8) {
				commands = append(commands, m[1])
			}
		} else if i := strings.LastIndexAny(line, "@$*:"); i >= 0 {
			commands[0] = line[i+1:]
		}
		boot := f.Path == "/etc/inittab"
		for _, c := range commands {
			for _, a := range absolute.FindAllString(" "+c, 8) {
				note(strings.Trim(a, `"' ;=(&|`), run{boot: boot, root: true, by: f.Path})
			}
		}
	}
}

// rootRuns lists the files that root runs, scripts and programs.
func rootRuns(r *Root) map[string]string {
	out := map[string]string{}
	for p, n := range runsOf(r).of {
		if n.root {
			out[p] = n.by
		}
	}
	for _, s := range r.Facts.Service {
		start := s.Start.Or("never")
		if f := r.Lookup(s.Program); s.Program != "" && f != nil && s.AsRoot.Or(false) && slices.Contains([]string{"boot", "on-demand", "conditional"}, start) {
			out[f.Path] = s.Started
		}
	}
	return out
}
