package firmware

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/shell"
)

// tables reads what is started on an event: by the clock, a plugged device, a connection
// or a call.
func (c *startChain) tables() {
	c.cron()
	c.hotplug()
	c.dbus()
	for _, name := range []string{"inetd", "xinetd"} {
		if !c.runsProgram(name) {
			c.superServer(name, nil, by{start: "never"})
		}
	}
}

// runsProgram reports whether the chain starts a program of a name.
func (c *startChain) runsProgram(names ...string) bool {
	return slices.ContainsFunc(c.launches, func(l *launch) bool {
		return l.start != "never" && slices.Contains(names, path.Base(l.words[0]))
	})
}

// cron reads the tables of cron. Their programs are started by the clock where a cron is.
func (c *startChain) cron() {
	b := by{start: "never", started: "cron", open: true}
	if c.runsProgram("crond", "cron", "dcron", "fcron", "anacron", "busybox-cron") {
		b.start = "on-demand"
	}
	line := func(f *File, n int, rest, user string) {
		step := b.at(f.At(n))
		step.user = fact.Say(user)
		c.shellLine(strings.ReplaceAll(rest, `\%`, "%"), step)
	}
	table := func(f *File, user string) {
		text, _ := f.Text()
		n := 0
		for l := range strings.Lines(text) {
			n++
			l = strings.TrimSpace(l)
			w := strings.Fields(l)
			if len(w) < 2 || w[0][0] == '#' || strings.Contains(w[0], "=") {
				continue
			}
			skip := 5
			if w[0][0] == '@' {
				skip = 1
			}
			who := user
			if who == "" {
				if len(w) <= skip {
					continue
				}
				who = w[skip]
				skip++
			}
			if len(w) <= skip {
				continue
			}
			rest := l
			for range skip {
				i := strings.IndexAny(rest, " \t")
				if i < 0 {
					rest = ""
					break
				}
				rest = strings.TrimLeft(rest[i:], " \t")
			}
			rest, _, _ = strings.Cut(rest, "%")
			line(f, n, rest, who)
		}
	}
	if f := c.root.Lookup("/etc/crontab"); f != nil {
		table(f, "")
	}
	for _, e := range c.root.Dir("/etc/cron.d") {
		if f := c.root.Lookup(e.Path); f != nil && f.Regular() && !strings.HasPrefix(path.Base(e.Path), ".") {
			table(f, "")
		}
	}
	for _, d := range []string{"/var/spool/cron/crontabs", "/var/spool/cron", "/etc/crontabs"} {
		for _, e := range c.root.Dir(d) {
			if f := c.root.Lookup(e.Path); f != nil && f.Regular() && !strings.HasPrefix(path.Base(e.Path), ".") {
				table(f, path.Base(e.Path))
			}
		}
		if d == "/var/spool/cron/crontabs" {
			if f := c.root.Lookup(d); f != nil && path.Dir(f.Path) != "/var/spool/cron" {
				break
			}
		}
	}
	for _, d := range []string{"hourly", "daily", "weekly", "monthly", "15min"} {
		for _, dir := range []string{"/etc/cron." + d, "/etc/periodic/" + d} {
			step := b
			step.user = fact.Say("root")
			c.runParts([]string{dir}, step)
		}
	}
}

// hotplug reads what udev and mdev run when something is plugged in.
func (c *startChain) hotplug() {
	b := by{start: "on-demand", started: "udev", user: fact.Say("root"), open: true}
	for _, d := range []string{"/etc/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d"} {
		for _, e := range c.root.Dir(d) {
			if f := c.root.Lookup(e.Path); f != nil && f.Regular() && strings.HasSuffix(e.Path, ".rules") {
				c.udev(f, b)
			}
		}
	}
	b.started = "mdev"
	f := c.root.Lookup("/etc/mdev.conf")
	text, _ := f.Text()
	n := 0
	for line := range strings.Lines(text) {
		n++
		w := strings.Fields(line)
		if len(w) < 4 || w[0][0] == '#' {
			continue
		}
		for i, x := range w[3:] {
			if strings.IndexByte("@$*", x[0]) >= 0 {
				c.shellLine(strings.Join(append([]string{x[1:]}, w[4+i:]...), " "), b.at(f.At(n)))
				break
			}
		}
	}
	b.started = "hotplug"
	for _, e := range c.root.Files() {
		if strings.HasPrefix(e.Path, "/etc/hotplug.d/") && e.Regular() && isShellScript(e) {
			c.follow(e, nil, b.at(e.At(0)))
		}
	}
}

func (c *startChain) udev(f *File, b by) {
	text, ok := f.Text()
	if !ok || !strings.Contains(text, "RUN") && !strings.Contains(text, "SYSTEMD_WANTS") {
		return
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, key := range []string{"RUN", "ENV{SYSTEMD_WANTS}"} {
			rest := line
			for range 8 {
				i := strings.Index(rest, key)
				if i < 0 {
					break
				}
				rest = rest[i+len(key):]
				op, q, ok := strings.Cut(rest, `"`)
				value, after, ok2 := strings.Cut(q, `"`)
				if !ok || !ok2 {
					break
				}
				rest = after
				if strings.Contains(op, "==") || strings.Contains(op, "builtin") || len(op) > 20 || !strings.Contains(op, "=") {
					continue
				}
				step := b.at(f.At(n))
				if key != "RUN" {
					for _, u := range strings.Fields(value) {
						if !strings.Contains(u, "$") && !strings.Contains(u, "%") {
							c.startUnit(u, step)
						}
					}
					continue
				}
				w := splitUnit(value)
				if len(w) > 0 && !strings.Contains(w[0], "/") {
					w[0] = "/usr/lib/udev/" + w[0]
				}
				if len(w) > 0 {
					c.command(shell.Command{Words: w}, step)
				}
			}
		}
	}
}

// dbus reads what the system bus starts when its name is called.
func (c *startChain) dbus() {
	for _, d := range []string{"/usr/share/dbus-1/system-services", "/etc/dbus-1/system-services", "/usr/local/share/dbus-1/system-services"} {
		for _, e := range c.root.Dir(d) {
			f := c.root.Lookup(e.Path)
			if f == nil || !f.Regular() {
				continue
			}
			u := &unit{name: path.Base(e.Path), values: map[string][]unitValue{}}
			u.read(f)
			b := by{start: "on-demand", started: "dbus", user: fact.Say("root"), stays: true, name: u.last("D-BUS Service.Name")}
			if n := u.last("D-BUS Service.SystemdService"); n != "" && slices.Contains(c.inits, "systemd") {
				b.name = ""
				if c.startUnit(n, b.at(f.At(0))) || c.units[n] != nil && c.units[n].masked {
					continue
				}
			}
			if user := u.last("D-BUS Service.User"); user != "" {
				b.user = fact.Say(user)
			}
			if w := splitUnit(u.last("D-BUS Service.Exec")); len(w) > 0 && path.Base(w[0]) != "false" {
				c.command(shell.Command{Words: w}, b.at(f.At(lineOf(*textOf(f), "Exec="))))
			}
		}
	}
}

// superServer reads the tables of inetd or xinetd: their services are started when
// somebody connects.
func (c *startChain) superServer(name string, args []string, b by) {
	if b.start == "boot" {
		b.start = "on-demand"
	}
	b.started, b.stays = name, true
	if name == "xinetd" {
		main := c.root.Lookup("/etc/xinetd.conf")
		list := []*File{main}
		for _, e := range c.root.Dir("/etc/xinetd.d") {
			list = append(list, c.root.Lookup(e.Path))
		}
		for _, f := range list {
			if f != nil && f.Regular() {
				c.xinetd(f, b)
			}
		}
		return
	}
	conf := "/etc/inetd.conf"
	for _, a := range args {
		if path.IsAbs(a) {
			conf = a
		}
	}
	f := c.root.Lookup(conf)
	text, _ := f.Text()
	n := 0
	for line := range strings.Lines(text) {
		n++
		w := strings.Fields(line)
		if len(w) < 6 || w[0][0] == '#' {
			continue
		}
		step := b.at(f.At(n))
		user, _, _ := strings.Cut(w[4], ".")
		user, _, _ = strings.Cut(user, ":")
		step.user = fact.Say(user)
		step.sockets = []string{w[2] + " " + w[0]}
		words := append([]string{w[5]}, w[min(7, len(w)):]...)
		if base := path.Base(w[5]); (base == "tcpd" || base == "busybox") && len(w) > 6 {
			words = w[6:]
		} else if w[5] == "internal" {
			continue
		}
		c.command(shell.Command{Words: words}, step)
	}
}

func (c *startChain) xinetd(f *File, b by) {
	text, _ := f.Text()
	var name string
	var at, n int
	v := map[string]string{}
	for line := range strings.Lines(text) {
		n++
		w := strings.Fields(line)
		switch {
		case len(w) == 0 || w[0][0] == '#':
		case w[0] == "service" && len(w) > 1:
			name, at, v = w[1], n, map[string]string{}
		case w[0] == "}" && name != "":
			step := b.at(f.At(at))
			if v["disable"] == "yes" && step.start != "never" {
				step.start = "never"
			}
			if v["user"] != "" {
				step.user = fact.Say(v["user"])
			}
			port := name
			if v["port"] != "" {
				port = v["port"]
			}
			proto := v["protocol"]
			if proto == "" && v["socket_type"] == "dgram" {
				proto = "udp"
			} else if proto == "" {
				proto = "tcp"
			}
			step.sockets = []string{proto + " " + port}
			if v["bind"] != "" {
				step.sockets[0] += " " + v["bind"]
			}
			if v["server"] != "" {
				c.command(shell.Command{Words: append([]string{v["server"]}, strings.Fields(v["server_args"])...)}, step)
			}
			name = ""
		case len(w) > 2 && (w[1] == "=" || w[1] == "+="):
			v[w[0]] = strings.Join(w[2:], " ")
		}
	}
}

// supervisord reads the programs of supervisord.
func (c *startChain) supervisord(args []string, b by) {
	files := []string{"/etc/supervisor/supervisord.conf", "/etc/supervisord.conf", "/usr/local/etc/supervisord.conf"}
	for i, a := range args {
		if (a == "-c" || a == "--configuration") && i+1 < len(args) {
			files = []string{args[i+1]}
		} else if v, ok := strings.CutPrefix(a, "--configuration="); ok {
			files = []string{v}
		}
	}
	b.started, b.stays = "supervisord", true
	seen := map[string]bool{}
	for i := 0; i < len(files) && i < 200; i++ {
		f := c.root.Lookup(files[i])
		if f == nil || !f.Regular() || seen[f.Path] {
			continue
		}
		seen[f.Path] = true
		u := &unit{values: map[string][]unitValue{}}
		u.read(f)
		for _, v := range u.all("include.files") {
			for _, p := range strings.Fields(v.value) {
				if !path.IsAbs(p) {
					p = path.Join(path.Dir(f.Path), p)
				}
				files = append(files, c.root.shellGlob(p)...)
			}
		}
		for _, k := range slices.Sorted(mapKeys(u.values)) {
			section, ok := strings.CutSuffix(k, ".command")
			if !ok || !strings.HasPrefix(section, "program:") {
				continue
			}
			step := b.at(u.values[k][0].place)
			step.name = strings.TrimPrefix(section, "program:")
			if user := u.last(section + ".user"); user != "" {
				step.user = fact.Say(user)
			}
			if strings.EqualFold(u.last(section+".autostart"), "false") {
				step.start = "never"
			}
			c.command(shell.Command{Words: splitUnit(u.last(k)), Dir: u.last(section + ".directory")}, step)
		}
	}
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// serviceDirectory runs the services of runit, s6 and daemontools: DIR/NAME/run.
func (c *startChain) serviceDirectory(dir string, one bool, b by) {
	b.stays = true
	dirs := []string{dir}
	if !one {
		dirs = nil
		for _, e := range c.root.Dir(dir) {
			dirs = append(dirs, e.Path)
		}
	}
	for _, d := range dirs {
		f := c.root.Lookup(d + "/run")
		if f == nil || !f.Regular() {
			continue
		}
		step := b.at(f.At(0))
		step.name = path.Base(d)
		if c.root.Lookup(d+"/down") != nil {
			step.start = "never"
		}
		if isShellScript(f) {
			c.command(shell.Command{Words: []string{f.Path}}, step)
			continue
		}
		c.execline(f, step)
	}
}

// execline reads the last line of an execline script: its program, after the words that
// prepare for it.
func (c *startChain) execline(f *File, b by) {
	text, _ := f.Text()
	first, _, _ := strings.Cut(text, "\n")
	if !strings.Contains(first, "execlineb") {
		return
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		w := strings.Fields(line)
		if len(w) > 0 && w[0][0] != '#' && !strings.Contains(line, "{") && w[0] != "fdmove" && w[0] != "importas" && w[0] != "s6-notifyoncheck" {
			c.command(shell.Command{Words: w}, b.at(f.At(n)))
		}
	}
}

func (c *startChain) runit() {
	for _, p := range []string{"/etc/runit/1", "/etc/runit/2"} {
		if f := c.root.Lookup(p); f != nil && f.Regular() {
			c.follow(f, nil, asRoot("runit").at(f.At(0)))
		}
	}
	if c.runsProgram("runsvdir") {
		return
	}
	for _, d := range []string{"/etc/service", "/var/service", "/service", "/etc/runit/runsvdir/default"} {
		if len(c.root.Dir(d)) > 0 {
			c.serviceDirectory(d, false, asRoot("runit"))
			return
		}
	}
}

func (c *startChain) s6() {
	b := asRoot("s6")
	for _, d := range []string{"/etc/services.d", "/etc/s6-overlay/s6-rc.d", "/etc/s6/services", "/run/service", "/etc/s6-rc/source"} {
		c.serviceDirectory(d, false, b)
	}
	for _, e := range c.root.Dir("/etc/cont-init.d") {
		if f := c.root.Lookup(e.Path); f != nil && f.Regular() {
			c.follow(f, nil, b.at(f.At(0)))
		}
	}
}

// upstart reads the jobs of Upstart, and reports whether there are any.
func (c *startChain) upstart() bool {
	if c.root.Lookup("/etc/inittab") != nil {
		return false
	}
	any := false
	for _, e := range c.root.Dir("/etc/init") {
		f := c.root.Lookup(e.Path)
		text, ok := f.Text()
		if !ok || !strings.HasSuffix(e.Path, ".conf") || !strings.Contains(text, "\n") {
			continue
		}
		any = true
		b := asRoot("upstart")
		b.name = strings.TrimSuffix(path.Base(e.Path), ".conf")
		if lineOf(text, "start on") == 0 {
			b.start = "never"
		}
		b.stays = lineOf(text, "task") == 0
		if n := lineOf(text, "setuid "); n > 0 {
			b.user = fact.Say(strings.Fields(strings.Split(text, "\n")[n-1])[1])
		}
		c.jobLines(f, text, b)
	}
	return any
}

func (c *startChain) jobLines(f *File, text string, b by) {
	n, from := 0, 0
	var script strings.Builder
	for line := range strings.Lines(text) {
		n++
		t := strings.TrimSpace(line)
		switch {
		case t == "script" || t == "pre-start script" || t == "post-start script":
			from = n
			script.Reset()
			for range n {
				script.WriteByte('\n')
			}
		case t == "end script" && from > 0:
			step := b
			c.read1(shell.Script{Text: script.String(), Name: b.name, Open: true}, step, f, nil)
			from = 0
		case from > 0:
			script.WriteString(line)
		case strings.HasPrefix(t, "exec "):
			c.shellLine(t, b.at(f.At(n)))
		}
	}
}

// android reads the services of Android's init.
func (c *startChain) android() {
	var files []*File
	for _, d := range []string{"/", "/system/etc/init", "/vendor/etc/init", "/system/vendor/etc/init", "/odm/etc/init", "/product/etc/init", "/system/etc/init/hw", "/vendor/etc/init/hw"} {
		for _, e := range c.root.Dir(d) {
			if f := c.root.Lookup(e.Path); f != nil && f.Regular() && strings.HasSuffix(e.Path, ".rc") {
				files = append(files, f)
			}
		}
	}
	type service struct {
		words    []string
		by       by
		disabled bool
		oneshot  bool
	}
	var list []*service
	started := map[string]bool{}
	for _, f := range files {
		text, _ := f.Text()
		var cur *service
		n := 0
		for line := range strings.Lines(text) {
			n++
			w := strings.Fields(line)
			if len(w) == 0 || w[0][0] == '#' {
				continue
			}
			switch w[0] {
			case "service":
				cur = nil
				if len(w) > 2 {
					cur = &service{words: w[2:], by: asRoot("init").at(f.At(n))}
					cur.by.name = w[1]
					list = append(list, cur)
				}
			case "on", "import":
				cur = nil
			case "start":
				if cur == nil && len(w) > 1 {
					started[w[1]] = true
				}
			case "disabled":
				if cur != nil {
					cur.disabled = true
				}
			case "oneshot":
				if cur != nil {
					cur.oneshot = true
				}
			case "user":
				if cur != nil && len(w) > 1 {
					cur.by.user = fact.Say(w[1])
				}
			}
		}
	}
	for _, s := range list {
		s.by.stays = !s.oneshot
		if s.disabled {
			s.by.start = "never"
			if started[s.by.name] {
				s.by.start, s.by.condition = "conditional", "an action starts it"
			}
		}
		c.command(shell.Command{Words: s.words}, s.by)
	}
}

// portNumber reads a port by number or by the name of its service.
func portNumber(r *Root, word, transport string) (int, bool) {
	if n, err := strconv.Atoi(word); err == nil {
		return n, n > 0 && n < 65536
	}
	if n, ok := servicePorts[word]; ok {
		return n, true
	}
	text, _ := r.Text("/etc/services")
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) < 2 || w[0][0] == '#' || w[0] != word {
			continue
		}
		p, t, _ := strings.Cut(w[1], "/")
		if n, err := strconv.Atoi(p); err == nil && (transport == "" || strings.HasPrefix(transport, t)) {
			return n, n > 0 && n < 65536
		}
	}
	return 0, false
}

var servicePorts = map[string]int{
	"telnet": 23, "ftp": 21, "ssh": 22, "tftp": 69, "finger": 79, "http": 80, "https": 443, "shell": 514, "login": 513, "exec": 512, "rsync": 873, "pop3": 110, "imap": 143,
	"imap2": 143, "smtp": 25, "swat": 901, "netbios-ssn": 139, "microsoft-ds": 445, "time": 37, "daytime": 13, "echo": 7, "chargen": 19, "discard": 9, "git": 9418, "nrpe": 5666,
}

// isDir reports whether a path is a directory.
func (r *Root) isDir(p string) bool {
	f := r.Lookup(p)
	return f != nil && f.Node.Kind == image.Dir
}
