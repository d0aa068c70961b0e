package firmware

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/shell"
)

// startChain is what a root starts, and what it could start: every command that its init
// system runs, through scripts, with the steps that lead to it.
type startChain struct {
	root     *Root
	launches []*launch
	inits    []string         // the init systems that were read
	reached  map[string]by    // scripts and units that something starts, by path
	walked   map[string]int   // script and arguments -> rank of the start they were walked for
	units    map[string]*unit // of systemd, by name
	depth    int
	steps    int
}

const (
	launchesAtMost = 20000
	scriptDepth    = 8
)

// launch is one command.
type launch struct {
	by
	words      []string // the program as it is invoked, wrappers taken off, and its arguments
	program    *File    // links followed; nil where it is not in the root
	script     bool     // the program is a shell script, which was followed
	background bool     // the script does not wait for it
	redirects  []shell.Redirect
	dir        string
	wrapper    []string // what was taken off
}

// by says how something comes to run.
type by struct {
	start     string // never, on-demand, conditional, boot
	condition string
	started   string // by what: inittab, systemd ...
	user      fact.Opt[string]
	confined  fact.Opt[bool]
	stays     bool // what starts it keeps it running
	places    []fact.Place
	name      string            // of the unit
	vars      map[string]string // environment
	open      bool              // there is more in the environment
	sockets   []string          // that it is handed
}

// ranks orders starts by how much they say.
var ranks = map[string]int{"never": 0, "on-demand": 1, "conditional": 2, "boot": 3}

// at adds a step.
func (b by) at(p fact.Place) by {
	if !slices.ContainsFunc(b.places, func(q fact.Place) bool { return q.String() == p.String() }) && len(b.places) < 24 {
		b.places = append(slices.Clip(b.places), p)
	}
	return b
}

// when adds a condition.
func (b by) when(cond string) by {
	if cond == "" {
		return b
	}
	if b.condition != "" && !strings.Contains(b.condition, cond) {
		cond = b.condition + " and " + cond
	}
	if len(cond) > 300 {
		cond = strings.ToValidUTF8(cond[:300], "")
	}
	b.condition = cond
	if b.start == "boot" {
		b.start = "conditional"
	}
	return b
}

// root is what an init system runs without further ado.
func asRoot(started string) by {
	return by{start: "boot", started: started, user: fact.Say("root")}
}

// readChain reads the start chain of a root.
func readChain(r *Root) *startChain {
	c := &startChain{root: r, reached: map[string]by{}, walked: map[string]int{}, units: map[string]*unit{}, steps: launchesAtMost}
	if r.runs() {
		c.read()
	}
	return c
}

// runs reports whether a root is one that something boots or runs.
func (r *Root) runs() bool {
	for _, p := range []string{"system", "recovery", "initramfs", "rescue", "container:", "chroot:"} {
		if strings.HasPrefix(r.Role, p) {
			return true
		}
	}
	return false
}

// reach notes that something starts a file.
func (c *startChain) reach(p string, b by) {
	if old, ok := c.reached[p]; !ok || ranks[b.start] > ranks[old.start] {
		c.reached[p] = b
	}
}

// shellLine takes a line of words that a table of the system (inittab, crontab) hands to a
// shell.
func (c *startChain) shellLine(text string, b by) {
	c.script(shell.Script{Text: text, Name: "sh", Vars: b.vars, Open: b.open}, b, nil)
}

// follow walks a script file with its arguments.
func (c *startChain) follow(f *File, args []string, b by) {
	text, ok := f.Text()
	if !ok || c.depth >= scriptDepth {
		return
	}
	c.reach(f.Path, b)
	key := f.Path + "\x00" + strings.Join(args, "\x00") + "\x00" + b.user.Or("?")
	if have, ok := c.walked[key]; ok && have >= ranks[b.start] {
		return
	}
	c.walked[key] = ranks[b.start]
	sc := shell.Script{Text: text, Name: f.Path, Args: args, Vars: b.vars, Open: b.open}
	switch {
	case rcCommon(text):
		c.rcCommon(f, sc, b)
	case openrcScript(text):
		c.openrcService(f, sc, b)
	case initDScript(text):
		c.initD(f, sc, b)
	default:
		c.script(sc, b, f)
	}
}

// script walks a text; f is the file that it stands in, nil for a line of words whose
// place b has already.
func (c *startChain) script(sc shell.Script, b by, f *File) { c.read1(sc, b, f, nil) }

// read1 walks a text and gives its commands to run, or to own before that: own reports
// whether it has dealt with one.
func (c *startChain) read1(sc shell.Script, b by, f *File, own func(shell.Command, by) bool) (shell.Result, bool) {
	c.depth++
	defer func() { c.depth-- }()
	h := c.host()
	h.Run = func(cmd shell.Command) {
		if c.steps--; c.steps < 0 {
			return
		}
		step := b.when(cmd.Condition)
		switch in := c.root.Lookup(cmd.File); {
		case cmd.File != "" && in != nil:
			if f != nil {
				step = step.at(f.At(0))
			}
			step = step.at(in.At(cmd.Line))
		case f != nil:
			step = step.at(f.At(cmd.Line))
		}
		if f != nil && !cmd.Exec {
			step.stays, step.name = false, ""
		}
		if own == nil || !own(cmd, step) {
			c.command(cmd, step)
		}
	}
	res, err := shell.Read(sc, h)
	return res, err == nil
}

// host lets a script ask the root.
func (c *startChain) host() shell.Host {
	return shell.Host{
		Text: c.root.Text,
		Test: c.root.test,
		Find: func(name string) (string, bool) {
			p, f := c.root.find(name, "")
			return p, f != nil
		},
		Glob: c.root.shellGlob,
	}
}

// searchPath is where a program is looked for that is named without a directory.
var searchPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/bin"}

// find returns where a program lies: as it is named, and with links followed.
func (r *Root) find(name, dir string) (string, *File) {
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			if dir == "" {
				return name, nil
			}
			name = path.Join(dir, name)
		}
		if f := r.Lookup(name); f != nil && f.Regular() {
			return name, f
		}
		return name, nil
	}
	for _, d := range searchPath {
		if f := r.Lookup(d + "/" + name); f != nil && f.Regular() {
			return d + "/" + name, f
		}
	}
	return name, nil
}

// test answers a test of a script.
func (r *Root) test(op, p string) shell.Truth {
	if !path.IsAbs(p) {
		return shell.Maybe
	}
	f := r.Lookup(p)
	under := func(dirs ...string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return p == d || strings.HasPrefix(p, d+"/") })
	}
	if under("/proc", "/sys", "/dev") {
		if slices.Contains([]string{"/proc", "/sys", "/dev", "/proc/mounts", "/dev/null", "/dev/console", "/proc/cmdline", "/proc/cpuinfo"}, p) {
			return shell.Yes
		}
		return shell.Maybe
	}
	if f != nil {
		return r.testFile(op, f)
	}
	switch {
	case op == "-L" || op == "-h":
		if e := r.Entry(p); e != nil && e.Node.Kind == image.Symlink {
			return shell.Yes
		}
		return shell.No
	case under("/run", "/var/run", "/var/lock", "/etc/default", "/etc/conf.d", "/etc/sysconfig", "/etc/rc.d", "/usr", "/bin", "/sbin", "/lib", "/lib64"),
		op == "-x" && under("/etc"):
		if under("/usr/local") {
			return shell.Unlikely
		}
		return shell.No
	case r.Lookup("/"+strings.SplitN(p[1:], "/", 2)[0]) == nil && !under("/data", "/mnt", "/media", "/persist", "/userdata", "/config", "/overlay"):
		return shell.Unlikely
	case under("/etc", "/opt", "/home", "/root", "/srv", "/boot", "/var/www", "/www"):
		return shell.Unlikely
	}
	return shell.Maybe
}

func (r *Root) testFile(op string, f *File) shell.Truth {
	is := true
	switch op {
	case "-f":
		is = f.Regular()
	case "-d":
		is = f.Node.Kind == image.Dir
	case "-s":
		is = f.Node.Size > 0
	case "-x":
		is = f.Node.Kind == image.Dir || f.Node.Mode&0o111 != 0
	case "-b":
		is = f.Node.Kind == image.Block
	case "-c":
		is = f.Node.Kind == image.Char
	case "-S":
		is = f.Node.Kind == image.Socket
	case "-p":
		is = f.Node.Kind == image.Fifo
	case "-L", "-h":
		is = false // links were followed
	case "-e", "-r", "-a":
	default:
		return shell.Maybe
	}
	if is {
		return shell.Yes
	}
	return shell.No
}

// shellGlob returns the paths that a pattern of the shell matches.
func (r *Root) shellGlob(pattern string) []string {
	dir, last := path.Split(pattern)
	if !path.IsAbs(pattern) || strings.ContainsAny(dir, "*?[") {
		if !path.IsAbs(pattern) || strings.Count(pattern, "*") > 6 {
			return nil
		}
		var out []string
		parts := strings.Count(pattern, "/")
		for _, f := range r.Files() {
			if strings.Count(f.Path, "/") == parts && shell.Match(pattern, f.Path) {
				out = append(out, f.Path)
			}
		}
		return out
	}
	var out []string
	for _, f := range r.Dir(dir) {
		base := path.Base(f.Path)
		if (base[0] != '.' || last[0] == '.') && shell.Match(last, base) {
			out = append(out, path.Join(dir, base))
		}
	}
	return out
}

// command takes one command of a script or a table: what it starts is noted, scripts are
// followed, and what runs other lists of scripts runs them.
func (c *startChain) command(cmd shell.Command, b by) {
	words, wrapper, b, bg, ok := unwrap(cmd.Words, b)
	if !ok || len(words) == 0 || len(words[0]) == 0 {
		return
	}
	if len(cmd.Vars) > 0 {
		vars := map[string]string{}
		for k, v := range b.vars {
			vars[k] = v
		}
		for k, v := range cmd.Vars {
			vars[k] = v
		}
		b.vars = vars
	}
	l := &launch{by: b, words: words, background: cmd.Background || bg, redirects: cmd.Redirects, dir: cmd.Dir, wrapper: wrapper}
	invoked, f := c.root.find(words[0], cmd.Dir)
	if f != nil && words[0] != invoked && strings.Contains(words[0], "/") {
		words[0] = invoked
	}
	l.program = f
	if c.lists(l) {
		return
	}
	name := path.Base(words[0])
	if shells[name] && len(words) > 1 {
		c.shellProgram(l, f)
		return
	}
	if f != nil && isShellScript(f) {
		l.script = true
		c.launches = append(c.launches, l)
		next := l.by
		c.follow(f, words[1:], next)
		return
	}
	c.launches = append(c.launches, l)
}

var shells = map[string]bool{"sh": true, "bash": true, "ash": true, "dash": true, "ksh": true, "mksh": true, "zsh": true, "hush": true}

// shellProgram takes: sh -c TEXT, sh SCRIPT.
func (c *startChain) shellProgram(l *launch, f *File) {
	args := l.words[1:]
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if strings.HasSuffix(args[0], "c") && !strings.HasPrefix(args[0], "--") && len(args) > 1 {
			c.script(shell.Script{Text: args[1], Name: "sh", Args: args[min(len(args), 3):], Vars: l.vars, Open: l.open}, l.by, nil)
			return
		}
		args = args[1:]
	}
	if len(args) == 0 {
		c.launches = append(c.launches, l)
		return
	}
	if _, s := c.root.find(args[0], l.dir); s != nil && s != f {
		l.program, l.script, l.words = s, true, args
		c.launches = append(c.launches, l)
		c.follow(s, args[1:], l.by)
	}
}

// isShellScript reports whether a file is a text that a shell reads.
func isShellScript(f *File) bool {
	text, ok := f.Text()
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(text, "\n")
	w := strings.Fields(strings.TrimPrefix(first, "#!"))
	if !strings.HasPrefix(first, "#!") || len(w) == 0 {
		return f.Trace.Type == "text" && (strings.HasSuffix(f.Path, ".sh") || f.Node.Mode&0o111 != 0 && !strings.HasPrefix(text, "<"))
	}
	base := path.Base(w[0])
	if base == "env" && len(w) > 1 {
		base = path.Base(w[len(w)-1])
	}
	return shells[base] || base == "openrc-run" || base == "runscript" || base == "init-d-script" || base == "busybox" || base == "system/bin/sh" || base == "with-contenv"
}
