package firmware

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/shell"
)

// read reads all that starts something: first what the init system runs, then what others
// run on an event, then what nothing runs.
func (c *startChain) read() {
	r := c.root
	if ct := r.Container; ct != nil {
		words := slices.Concat(ct.Entrypoint, ct.Command)
		if len(words) > 0 {
			b := asRoot("container")
			user, _, _ := strings.Cut(ct.User, ":")
			if user != "" {
				b.user = fact.Say(user)
			}
			b.stays, b.vars = true, map[string]string{}
			for _, e := range ct.Environment {
				k, v, _ := strings.Cut(e, "=")
				b.vars[k] = v
			}
			b.places = []fact.Place{r.Layer.PlaceOf("/")}
			c.inits = append(c.inits, "container")
			if name := path.Base(words[0]); name != "init" && name != "systemd" {
				c.command(shell.Command{Words: words}, b)
			} else {
				c.system()
			}
		}
	} else {
		c.system()
	}
	c.tables()
	c.rest()
}

// system reads the init system of a root.
func (c *startChain) system() {
	r := c.root
	name := ""
	for _, p := range []string{"/sbin/init", "/usr/sbin/init", "/bin/init", "/init", "/linuxrc"} {
		if f := r.Lookup(p); f != nil {
			if name = path.Base(f.Path); f.Trace != nil && isShellScript(f) {
				c.inits = append(c.inits, "script")
				c.follow(f, nil, asRoot("init").at(f.At(0)))
				if r.Role == "initramfs" {
					return
				}
				name = ""
				continue
			}
			break
		}
	}
	switch {
	case name == "systemd" || name == "" && r.Lookup("/usr/lib/systemd/systemd") != nil:
		c.inits = append(c.inits, "systemd")
		c.systemd()
	case r.Lookup("/system/etc/init") != nil || r.Lookup("/init.rc") != nil:
		c.inits = append(c.inits, "android")
		c.android()
	case strings.HasPrefix(name, "runit"):
		c.inits = append(c.inits, "runit")
		c.runit()
	case strings.HasPrefix(name, "s6"), r.Lookup("/etc/s6-overlay") != nil, r.Lookup("/etc/services.d") != nil && r.Lookup("/etc/inittab") == nil:
		c.inits = append(c.inits, "s6")
		c.s6()
	case c.upstart():
		c.inits = append(c.inits, "upstart")
	case r.Lookup("/etc/inittab") != nil:
		c.inits = append(c.inits, "inittab")
		c.inittab()
	case r.Lookup("/etc/init.d/rcS") != nil:
		// BusyBox without an inittab runs this, and offers a shell on the console.
		c.inits = append(c.inits, "rcS")
		f := r.Lookup("/etc/init.d/rcS")
		c.follow(f, nil, asRoot("rcS").at(f.At(0)))
	default:
		for _, p := range []string{"/etc/rc", "/etc/rc.d/rc.sysinit", "/etc/rc.sysinit", "/etc/rc.d/rcS", "/etc/rcS"} {
			if f := r.Lookup(p); f != nil && f.Regular() {
				c.inits = append(c.inits, "rc")
				c.follow(f, nil, asRoot("rc").at(f.At(0)))
			}
		}
	}
	if len(c.inits) == 0 && r.Lookup("/etc/runlevels") != nil {
		c.inits = append(c.inits, "openrc")
		for _, level := range []string{"sysinit", "boot", "default"} {
			c.openrc(level, asRoot("openrc"))
		}
	}
	if f := r.Lookup("/etc/rc.local"); f != nil && len(c.inits) > 0 && slices.Contains(c.inits, "systemd") && f.Node.Mode&0o111 != 0 {
		c.follow(f, []string{"start"}, asRoot("rc.local").at(f.At(0)))
	}
}

// inittab reads /etc/inittab of sysvinit and BusyBox: id:runlevels:action:process.
func (c *startChain) inittab() {
	f := c.root.Lookup("/etc/inittab")
	text, ok := f.Text()
	if !ok {
		return
	}
	level := "2"
	type entry struct {
		line            int
		id, levels      string
		action, process string
	}
	var list []entry
	busybox := c.busyboxInit(text)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		parts := strings.SplitN(line, ":", 4)
		if strings.HasPrefix(line, "#") || len(parts) < 4 {
			continue
		}
		e := entry{n, parts[0], parts[1], strings.TrimSpace(parts[2]), strings.TrimSpace(parts[3])}
		if e.action == "initdefault" {
			level = e.levels
		}
		list = append(list, e)
	}
	turn := func(e entry) int {
		return slices.Index([]string{"sysinit", "boot", "bootwait", "wait"}, e.action) + 1
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		x, y := turn(a), turn(b)
		if x == 0 {
			x = 9
		}
		if y == 0 {
			y = 9
		}
		return x - y
	})
	for _, e := range list {
		b := asRoot("inittab").at(f.At(e.line))
		switch e.action {
		case "sysinit", "boot", "bootwait", "wait", "once":
		case "respawn", "respawnlate":
			b.stays = true
		case "askfirst", "askconsole", "askconsolelate": // a console
		case "ondemand", "ctrlaltdel", "kbrequest", "powerfail", "powerwait", "powerokwait", "powerfailnow":
			b.start = "on-demand"
		default: // shutdown, restart, off, initdefault
			continue
		}
		if !busybox && e.levels != "" && !slices.Contains([]string{"sysinit", "boot", "bootwait"}, e.action) && !strings.Contains(e.levels, level) {
			b = b.when("runlevel " + e.levels)
		}
		c.shellLine(strings.TrimPrefix(strings.TrimPrefix(e.process, "-"), "+"), b)
	}
}

// busyboxInit reports whether the second field of an inittab means nothing: BusyBox and
// procd. sysvinit has an initdefault.
func (c *startChain) busyboxInit(text string) bool {
	if f := c.root.Lookup("/sbin/init"); f != nil {
		switch path.Base(f.Path) {
		case "busybox", "procd", "toybox", "busybox.nosuid", "busybox.suid":
			return true
		}
	}
	return !strings.Contains(text, ":initdefault:")
}

// lists runs commands that run a list of others. It reports whether the command is no
// launch of its own.
func (c *startChain) lists(l *launch) bool {
	name, args := path.Base(l.words[0]), l.words[1:]
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch name {
	case "rcS":
		if arg(0) == "S" && arg(1) == "boot" {
			if l.program != nil {
				c.reach(l.program.Path, l.by)
			}
			c.openwrt(l.by)
			return true
		}
	case "rc":
		if len(arg(0)) == 1 && strings.Contains("0123456Ss", arg(0)) && l.program != nil {
			c.reach(l.program.Path, l.by)
			c.runlevel(arg(0), l.by)
			return true
		}
		if len(args) > 0 && c.root.Lookup("/etc/runlevels/"+arg(0)) != nil {
			c.openrc(arg(0), l.by)
			return true
		}
	case "openrc":
		c.openrc(arg(0), l.by)
		return true
	case "run-parts":
		c.runParts(args, l.by)
		return true
	case "service", "invoke-rc.d", "rc-service", "systemctl", "initctl", "start", "restart":
		return c.startsByName(name, args, l.by)
	case "supervisord":
		c.launches = append(c.launches, l)
		c.supervisord(args, l.by)
		return true
	case "runsvdir", "svscan", "s6-svscan", "runsv", "s6-supervise", "svscanboot", "supervise":
		c.launches = append(c.launches, l)
		dir := "/service"
		for _, a := range args {
			if path.IsAbs(a) {
				dir = a
				break
			}
		}
		c.serviceDirectory(dir, name == "runsv" || name == "s6-supervise" || name == "supervise", l.by)
		return true
	case "inetd", "xinetd":
		c.launches = append(c.launches, l)
		c.superServer(name, args, l.by)
		return true
	}
	return false
}

// startsByName takes: service NAME start, systemctl start NAME.
func (c *startChain) startsByName(tool string, args []string, b by) bool {
	var names []string
	start := tool == "start"
	for _, a := range args {
		switch {
		case a == "start" || a == "restart" || a == "reload-or-restart" || a == "try-restart" || a == "condrestart" || a == "--now":
			start = true
		case strings.HasPrefix(a, "-") || a == "enable" || a == "stop" || a == "status" || a == "disable" || a == "mask" || a == "is-active" || a == "reload" || a == "daemon-reload":
		default:
			names = append(names, a)
		}
	}
	if !start {
		return true
	}
	for _, n := range names {
		if len(c.units) > 0 && c.startUnit(n, b) {
			continue
		}
		if f := c.root.Lookup("/etc/init.d/" + n); f != nil {
			c.follow(f, []string{"start"}, b.at(f.At(0)))
		}
	}
	return true
}

// runlevel runs the links of a runlevel, those to start.
func (c *startChain) runlevel(level string, b by) {
	for _, dir := range []string{"/etc/rc" + level + ".d", "/etc/rc.d/rc" + level + ".d", "/etc/init.d/rc" + level + ".d"} {
		for _, e := range c.root.Dir(dir) {
			base := path.Base(e.Path)
			if len(base) > 3 && base[0] == 'S' && base[1] >= '0' && base[1] <= '9' {
				c.link(e, []string{"start"}, b)
			}
		}
		if len(c.root.Dir(dir)) > 0 {
			break
		}
	}
}

// link follows the script behind a link of a runlevel.
func (c *startChain) link(e *File, args []string, b by) {
	f := c.root.Lookup(e.Path)
	if f == nil || !f.Regular() {
		return
	}
	if f.Path != e.Path {
		b = b.at(e.At(0))
	}
	b = b.at(f.At(0))
	if isShellScript(f) {
		c.follow(f, args, b)
	} else if f.Node.Mode&0o111 != 0 {
		c.command(shell.Command{Words: append([]string{f.Path}, args...)}, b)
	}
}

func (c *startChain) runParts(args []string, b by) {
	dir, last := "", []string(nil)
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-a" || a == "--arg":
			if i++; i < len(args) {
				last = append(last, args[i])
			}
		case strings.HasPrefix(a, "--arg="):
			last = append(last, strings.TrimPrefix(a, "--arg="))
		case strings.HasPrefix(a, "-"):
		case dir == "":
			dir = a
		}
	}
	for _, e := range c.root.Dir(dir) {
		f := c.root.Lookup(e.Path)
		if f != nil && f.Regular() && f.Node.Mode&0o111 != 0 && !strings.Contains(path.Base(e.Path), ".") {
			c.link(e, last, b)
		}
	}
}

// openwrt runs what is linked into /etc/rc.d, as procd does at boot.
func (c *startChain) openwrt(b by) {
	b.started = "procd"
	for _, e := range c.root.Dir("/etc/rc.d") {
		if base := path.Base(e.Path); len(base) > 3 && base[0] == 'S' {
			c.link(e, []string{"boot"}, b)
		}
	}
}

// rcCommon reports whether a script is one of OpenWrt's: its functions are called.
func rcCommon(text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	return strings.Contains(first, "/etc/rc.common")
}

// rcCommon walks a script of OpenWrt. What it gives to procd is read from the parameters
// of the instance.
func (c *startChain) rcCommon(f *File, sc shell.Script, b by) {
	sc.Call = [][]string{{"boot"}, {"start"}, {"start_service"}}
	if strings.Contains(sc.Text, "\nstart()") || strings.Contains(sc.Text, "\nstart ()") {
		sc.Call = [][]string{{"boot"}, {"start"}}
	}
	sc.Open = true // rc.common and the UCI functions set more
	type instance struct {
		words []string
		by    by
		user  string
		jail  bool
	}
	var open *instance
	flush := func() {
		if open == nil || len(open.words) == 0 {
			open = nil
			return
		}
		b := open.by
		if open.user != "" {
			b.user = fact.Say(open.user)
		}
		b.stays, b.confined = true, fact.Say(open.jail)
		c.command(shell.Command{Words: open.words}, b)
		open = nil
	}
	own := func(cmd shell.Command, step by) bool {
		w := cmd.Words
		switch w[0] {
		case "procd_open_instance":
			flush()
			open = &instance{by: step}
		case "procd_close_instance":
			flush()
		case "procd_set_param", "procd_append_param":
			if open == nil {
				open = &instance{by: step}
			}
			switch {
			case len(w) > 2 && w[1] == "command" && w[0] == "procd_set_param":
				open.words, open.by = slices.Clone(w[2:]), step
			case len(w) > 2 && w[1] == "command":
				open.words = append(open.words, w[2:]...)
			case len(w) > 2 && w[1] == "user":
				open.user = w[2]
			case len(w) > 1 && (w[1] == "no_new_privs" || w[1] == "capabilities" || w[1] == "seccomp"):
				open.jail = true
			}
		case "procd_add_jail":
			if open != nil {
				open.jail = true
			}
		default:
			return strings.HasPrefix(w[0], "procd_") || strings.HasPrefix(w[0], "config_") || strings.HasPrefix(w[0], "uci_")
		}
		return true
	}
	c.read1(sc, b, f, own)
	flush()
}

// openrc runs what is linked into a runlevel of OpenRC.
func (c *startChain) openrc(level string, b by) {
	b.started = "openrc"
	if level == "" {
		level = "default"
	}
	for _, e := range c.root.Dir("/etc/runlevels/" + level) {
		if e.Node.Kind != image.Dir {
			c.link(e, []string{"start"}, b)
		}
	}
}

func openrcScript(text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	return strings.Contains(first, "openrc-run") || strings.HasSuffix(first, "/runscript")
}

// openrcService walks a service of OpenRC: its start function, or else the command that
// its variables name.
func (c *startChain) openrcService(f *File, sc shell.Script, b by) {
	name := path.Base(f.Path)
	conf, _ := c.root.Text("/etc/conf.d/" + name)
	vars := map[string]string{"RC_SVCNAME": name, "SVCNAME": name}
	for k, v := range sc.Vars {
		vars[k] = v
	}
	sc.Vars = vars
	sc.Call = [][]string{{"start_pre"}, {"start"}, {"start_post"}}
	if conf != "" {
		// The configuration is read first; the lines of the script stay its own.
		res, err := shell.Read(shell.Script{Text: conf, Name: "conf", Vars: vars}, shell.Host{
			Text: func(string) (string, bool) { return "", false }, Test: c.root.test, Find: func(string) (string, bool) { return "", false },
			Glob: func(string) []string { return nil }, Run: func(shell.Command) {},
		})
		if err == nil {
			sc.Vars = res.Vars
		}
	}
	res, ok := c.read1(sc, b, f, func(cmd shell.Command, _ by) bool {
		switch cmd.Words[0] {
		case "ebegin", "eend", "einfo", "ewarn", "need", "use", "after", "before", "checkpath", "provide", "keyword":
			return true
		}
		return false
	})
	if command := res.Vars["command"]; ok && command != "" && !strings.Contains(sc.Text, "\nstart()") {
		if u := res.Vars["command_user"]; u != "" {
			u, _, _ = strings.Cut(u, ":")
			b.user = fact.Say(u)
		}
		b.stays = true
		line := lineOf(sc.Text, "command=")
		words := append([]string{command}, strings.Fields(res.Vars["command_args"]+" "+res.Vars["command_args_background"]+" "+res.Vars["command_args_foreground"])...)
		c.command(shell.Command{Words: words, Background: true}, b.at(f.At(line)))
	}
}

// lineOf returns the number of the first line that begins with a prefix, 0 without one.
func lineOf(text, prefix string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), prefix) {
			return n
		}
	}
	return 0
}

func initDScript(text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	return strings.Contains(first, "init-d-script")
}

// initD walks a script of Debian's init-d-script: variables name the daemon.
func (c *startChain) initD(f *File, sc shell.Script, b by) {
	res, ok := c.read1(sc, b, f, nil)
	if d := res.Vars["DAEMON"]; ok && d != "" && d != "none" {
		words := append([]string{d}, strings.Fields(res.Vars["DAEMON_ARGS"])...)
		c.command(shell.Command{Words: words, Background: true}, b.at(f.At(lineOf(sc.Text, "DAEMON="))))
	}
}

// rest walks the start scripts that nothing has reached: they can be started, and are not.
func (c *startChain) rest() {
	never := by{start: "never", user: fact.Say("root")}
	for _, e := range c.root.Dir("/etc/init.d") {
		f := c.root.Lookup(e.Path)
		if f == nil || !f.Regular() {
			continue
		}
		switch name := path.Base(f.Path); {
		case name == "rc" || name == "rcS" || name == "rcK" || name == "rcSL" || name == "skeleton" || strings.HasPrefix(name, "functions") || name == "README" || strings.Contains(name, ".dpkg-") || strings.HasSuffix(name, "~"):
			continue
		}
		if _, ok := c.reached[f.Path]; !ok && isShellScript(f) {
			b := never
			b.started = "init.d"
			c.follow(f, []string{"start"}, b.at(f.At(0)))
		}
	}
	c.restOfUnits()
}
