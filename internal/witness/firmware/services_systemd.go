package firmware

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/shell"
)

// unit is one unit of systemd with its drop-ins.
type unit struct {
	name     string // instance and all: getty@tty1.service
	file     *File  // nil where only links speak of it
	files    []*File
	values   map[string][]unitValue // section.key -> assignments in force
	masked   bool
	rank     int // of the start it was walked for, plus one
	instance string
}

type unitValue struct {
	value string
	place fact.Place
}

// unitDirs are where units lie, those that win first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// unit returns a unit by its name, read once, or nil.
func (c *startChain) unit(name string) *unit {
	if !strings.Contains(name, ".") {
		name += ".service"
	}
	if u, ok := c.units[name]; ok {
		return u
	}
	if len(c.units) > 20000 || strings.ContainsAny(name, "/\x00") {
		return nil
	}
	u := &unit{name: name, values: map[string][]unitValue{}}
	c.units[name] = u
	template := ""
	if i := strings.IndexByte(name, '@'); i >= 0 {
		j := strings.LastIndexByte(name, '.')
		if j > i {
			u.instance = name[i+1 : j]
			template = name[:i+1] + name[j:]
		}
	}
	for _, n := range []string{name, template} {
		for _, d := range unitDirs {
			e := c.root.Entry(c.dir(d) + "/" + n)
			if n == "" || e == nil || u.file != nil || u.masked {
				continue
			}
			f := c.root.Lookup(e.Path)
			switch {
			case e.Node.Kind == image.Symlink && path.Clean(e.Node.Target) == "/dev/null", f != nil && f.Regular() && f.Node.Size == 0:
				u.masked = true
				u.file = e
			case f != nil && f.Regular():
				// A link to a unit of another name is an alias: both are the one unit.
				if real := path.Base(f.Path); e.Node.Kind == image.Symlink && real != n && template == "" && isUnit(real) {
					a := c.unit(real)
					c.units[name] = a
					return a
				}
				u.file = f
				u.read(f)
			}
		}
	}
	prefixes := []string{name, template}
	for i := len(unitDirs) - 1; i >= 0; i-- {
		for _, n := range prefixes {
			for _, e := range c.root.Dir(unitDirs[i] + "/" + n + ".d") {
				if f := c.root.Lookup(e.Path); n != "" && f != nil && f.Regular() && strings.HasSuffix(e.Path, ".conf") {
					u.read(f)
				}
			}
		}
	}
	return u
}

// dir returns a directory with links followed, so that entries can be asked for as such.
func (c *startChain) dir(d string) string {
	if f := c.root.Lookup(d); f != nil {
		return f.Path
	}
	return d
}

func isUnit(name string) bool {
	switch path.Ext(name) {
	case ".service", ".socket", ".timer", ".path", ".target", ".mount", ".automount", ".swap", ".slice", ".scope", ".device":
		return true
	}
	return false
}

// read adds the assignments of a unit file or drop-in; an empty one takes back those
// before.
func (u *unit) read(f *File) {
	text, ok := f.Text()
	if !ok {
		return
	}
	u.files = append(u.files, f)
	section, n, start, long := "", 0, 0, ""
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if long == "" {
			start = n
		}
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		if rest, ok := strings.CutSuffix(line, `\`); ok {
			long += rest + " "
			continue
		}
		line, long = long+line, ""
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		k = section + "." + strings.TrimSpace(k)
		if v = strings.TrimSpace(v); v == "" {
			u.values[k] = []unitValue{{"", f.At(start)}}
			continue
		}
		if len(u.values[k]) < 500 {
			u.values[k] = append(u.values[k], unitValue{v, f.At(start)})
		}
	}
}

// all returns the assignments of a key in force.
func (u *unit) all(key string) []unitValue {
	var out []unitValue
	for _, v := range u.values[key] {
		if v.value == "" {
			out = nil
			continue
		}
		out = append(out, v)
	}
	return out
}

// last returns the assignment that is in force of a key with one value.
func (u *unit) last(key string) string {
	if v := u.values[key]; len(v) > 0 {
		return v[len(v)-1].value
	}
	return ""
}

func (u *unit) yes(key string) bool {
	switch strings.ToLower(u.last(key)) {
	case "yes", "true", "1", "on":
		return true
	}
	return false
}

// systemd starts what the default target wants, and what that wants.
func (c *startChain) systemd() {
	target := "default.target"
	var places []fact.Place
	for _, d := range unitDirs {
		if e := c.root.Entry(c.dir(d) + "/default.target"); e != nil {
			places = append(places, e.At(0))
			if e.Node.Kind == image.Symlink {
				target = path.Base(e.Node.Target)
			}
			break
		}
	}
	if len(places) == 0 {
		target = "multi-user.target"
	}
	b := asRoot("systemd")
	b.places = places
	c.wants(target, b, map[string]bool{})
	c.sysv(b)
}

// implied are the targets that a target pulls in where its own file is not there to say so.
var implied = map[string][]string{
	"graphical.target":  {"multi-user.target"},
	"multi-user.target": {"basic.target", "getty.target"},
	"basic.target":      {"sysinit.target", "sockets.target", "timers.target", "paths.target"},
	"sysinit.target":    {"local-fs.target"},
}

// wants starts a unit and all it pulls in.
func (c *startChain) wants(name string, b by, seen map[string]bool) {
	if seen[name] || len(seen) > 5000 {
		return
	}
	seen[name] = true
	u := c.unit(name)
	if u == nil || u.masked {
		return
	}
	if u.name != name {
		seen[u.name] = true
	}
	c.start(u, b)
	next := b
	if u.name != "default.target" && path.Ext(u.name) == ".target" {
		next.places = nil
		next = next.at(placeOf(u, b))
	}
	for _, k := range []string{"Unit.Wants", "Unit.Requires", "Unit.BindsTo", "Unit.Upholds"} {
		for _, v := range u.all(k) {
			for _, n := range strings.Fields(v.value) {
				c.wants(u.expand(n), b.only(v.place), seen)
			}
		}
	}
	for _, d := range unitDirs {
		for _, kind := range []string{".wants", ".requires"} {
			for _, n := range []string{name, u.name} {
				for _, e := range c.root.Dir(d + "/" + n + kind) {
					step := b.only(e.At(0))
					c.wants(path.Base(e.Path), step, seen)
				}
			}
		}
	}
	for _, n := range implied[u.name] {
		c.wants(n, b, seen)
	}
}

// only is b with one step.
func (b by) only(p fact.Place) by {
	b.places = []fact.Place{p}
	return b
}

func placeOf(u *unit, b by) fact.Place {
	if u.file != nil {
		return u.file.At(0)
	}
	if len(b.places) > 0 {
		return b.places[0]
	}
	return fact.Place{}
}

// start starts one unit.
func (c *startChain) start(u *unit, b by) {
	if u.masked || u.file == nil {
		return
	}
	if b = b.when(c.unitCondition(u)); u.rank > ranks[b.start] {
		return
	}
	u.rank = ranks[b.start] + 1
	c.reach(u.file.Path, b)
	switch path.Ext(u.name) {
	case ".service":
		c.service(u, b)
	case ".socket":
		name := u.last("Socket.Service")
		if name == "" {
			base := strings.TrimSuffix(u.name, ".socket")
			if u.yes("Socket.Accept") {
				base += "@"
			}
			name = base + ".service"
		}
		step := b.at(u.file.At(0))
		if step.start == "boot" {
			step.start = "on-demand"
		}
		for _, k := range []string{"ListenStream", "ListenDatagram", "ListenSequentialPacket"} {
			for _, v := range u.all("Socket." + k) {
				step.sockets = append(slices.Clip(step.sockets), k+" "+u.expand(v.value))
			}
		}
		if s := c.unit(name); s != nil {
			c.start(s, step)
		}
	case ".timer", ".path":
		name := u.last(strings.Title(path.Ext(u.name)[1:]) + ".Unit") //nolint:staticcheck // the word is ASCII
		if name == "" {
			name = strings.TrimSuffix(u.name, path.Ext(u.name)) + ".service"
		}
		step := b.at(u.file.At(0))
		if step.start == "boot" {
			step.start = "on-demand"
		}
		step.started = "systemd " + path.Ext(u.name)[1:]
		if s := c.unit(name); s != nil {
			c.start(s, step)
		}
	}
}

// startUnit starts a unit by name for somebody who asks for it.
func (c *startChain) startUnit(name string, b by) bool {
	u := c.unit(name)
	if u == nil || u.file == nil {
		return false
	}
	c.wants(u.name, b, map[string]bool{})
	return true
}

// unitCondition returns the conditions of a unit that do not hold for certain.
func (c *startChain) unitCondition(u *unit) string {
	var out []string
	for _, k := range []string{"ConditionPathExists", "ConditionPathIsDirectory", "ConditionFileNotEmpty", "ConditionDirectoryNotEmpty", "ConditionFileIsExecutable", "AssertPathExists"} {
		for _, v := range u.all("Unit." + k) {
			if strings.HasPrefix(v.value, "|") {
				continue // one of several is enough
			}
			p := v.value
			neg := strings.HasPrefix(p, "!")
			op := "-e"
			if strings.HasSuffix(k, "Executable") {
				op = "-x"
			}
			t := c.root.test(op, u.expand(strings.TrimPrefix(p, "!")))
			holds := t == shell.Yes || t == shell.Likely
			if neg {
				holds = t == shell.No || t == shell.Unlikely
			}
			if !holds && !strings.HasPrefix(p, "/proc") && !strings.HasPrefix(p, "/sys/fs") && !strings.HasPrefix(p, "/sys/kernel") {
				out = append(out, k+"="+v.value)
			}
		}
	}
	for _, k := range []string{"ConditionKernelCommandLine", "ConditionVirtualization", "ConditionFirstBoot", "ConditionHost", "ConditionFirmware", "ConditionACPower", "ConditionNeedsUpdate"} {
		for _, v := range u.all("Unit." + k) {
			if strings.HasPrefix(v.value, "!") || strings.HasPrefix(v.value, "|") {
				continue // so it is as a rule: no container, no word on the command line
			}
			out = append(out, k+"="+v.value)
		}
	}
	return strings.Join(out, " and ")
}

// service takes the commands of a service unit.
func (c *startChain) service(u *unit, b by) {
	b.name = strings.TrimSuffix(u.name, ".service")
	if b.started == "" {
		b.started = "systemd"
	}
	b.confined = fact.Say(u.confined())
	if user := u.expand(u.last("Service.User")); user != "" {
		b.user = fact.Say(user)
	} else if u.yes("Service.DynamicUser") {
		b.user = fact.Say(b.name)
	} else if b.started != "systemd user" {
		b.user = fact.Say("root")
	}
	vars := map[string]string{}
	for _, v := range u.all("Service.Environment") {
		for _, w := range splitUnit(v.value) {
			k, val, _ := strings.Cut(w, "=")
			vars[k] = val
		}
	}
	for _, v := range u.all("Service.EnvironmentFile") {
		text, _ := c.root.Text(strings.TrimPrefix(u.expand(v.value), "-"))
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if k, val, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
				vars[strings.TrimSpace(strings.TrimPrefix(k, "export "))] = strings.Trim(strings.TrimSpace(val), `"'`)
			}
		}
	}
	b.vars = vars
	kind := u.last("Service.Type")
	for _, key := range []string{"ExecStartPre", "ExecStart", "ExecStartPost"} {
		for _, v := range u.all("Service." + key) {
			step := b.at(v.place)
			for _, f := range u.files {
				if f != u.file && f.Path != v.place.Path {
					step = step.at(f.At(0))
				}
			}
			step.stays = key == "ExecStart" && kind != "oneshot"
			words, full := execWords(u, v.value, vars)
			if full {
				step.user = fact.Say("root")
			}
			if len(words) > 0 {
				c.command(shell.Command{Words: words, Dir: u.last("Service.WorkingDirectory")}, step)
			}
		}
	}
}

// execWords reads a command line of a unit. full says that it keeps the rights of root
// whatever the user is.
func execWords(u *unit, line string, vars map[string]string) (words []string, full bool) {
	argv0 := false
	i := 0
	for ; i < len(line) && strings.IndexByte("@-:+!|", line[i]) >= 0; i++ {
		argv0 = argv0 || line[i] == '@'
		full = full || line[i] == '+'
	}
	for n, w := range splitUnit(line[i:]) {
		if argv0 && n == 1 {
			continue
		}
		w = u.expand(w)
		if name, ok := strings.CutPrefix(w, "$"); ok && n > 0 && !strings.ContainsAny(name, "{}$/") {
			if v, ok := vars[name]; ok {
				words = append(words, strings.Fields(v)...)
			}
			continue
		}
		words = append(words, expandVars(w, vars))
	}
	return words, full
}

// expandVars puts variables in place of ${NAME}.
func expandVars(s string, vars map[string]string) string {
	for k, at := 0, 0; k < 32; k++ {
		i := strings.Index(s[at:], "${")
		if i < 0 {
			break
		}
		i += at
		j := strings.IndexByte(s[i:], '}')
		if j < 0 {
			break
		}
		v, ok := vars[s[i+2:i+j]]
		if !ok {
			at = i + j
			continue
		}
		s = s[:i] + v + s[i+j+1:]
		at = i + len(v)
	}
	return s
}

// splitUnit splits words as systemd does: blanks, quotes.
func splitUnit(s string) []string {
	var out []string
	var b strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case ch == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\'' || s[i+1] == '\\' || s[i+1] == ' '):
			i++
			b.WriteByte(s[i])
			in = true
		case quote != 0:
			if ch == quote {
				quote = 0
			} else {
				b.WriteByte(ch)
			}
		case ch == '"' || ch == '\'':
			quote, in = ch, true
		case ch == ' ' || ch == '\t':
			if in {
				out = append(out, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteByte(ch)
			in = true
		}
	}
	if in {
		out = append(out, b.String())
	}
	return out
}

// expand puts the parts of the unit's name in place of its specifiers.
func (u *unit) expand(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	full := strings.TrimSuffix(u.name, path.Ext(u.name))
	prefix, _, _ := strings.Cut(full, "@")
	return strings.NewReplacer("%%", "%", "%i", u.instance, "%I", strings.ReplaceAll(u.instance, "-", "/"), "%n", u.name, "%N", full, "%p", prefix,
		"%t", "/run", "%S", "/var/lib", "%C", "/var/cache", "%L", "/var/log", "%E", "/etc", "%h", "/root", "%u", "root").Replace(s)
}

// confined reports whether the unit takes something away from its processes that matters
// when they are taken over.
func (u *unit) confined() bool {
	for _, k := range []string{"NoNewPrivileges", "DynamicUser", "PrivateUsers", "PrivateDevices", "PrivateNetwork", "RestrictSUIDSGID"} {
		if u.yes("Service." + k) {
			return true
		}
	}
	for _, k := range []string{"CapabilityBoundingSet", "SystemCallFilter", "RestrictAddressFamilies", "RootDirectory", "RootImage", "AppArmorProfile", "SELinuxContext", "SmackProcessLabel"} {
		if u.last("Service."+k) != "" {
			return true
		}
	}
	switch strings.ToLower(u.last("Service.ProtectSystem")) {
	case "yes", "true", "1", "full", "strict":
		return true
	}
	_, none := u.values["Service.CapabilityBoundingSet"]
	return none
}

// sysv starts the scripts of rcN.d for which there is no unit, as systemd's generator does.
func (c *startChain) sysv(b by) {
	for _, level := range []string{"2", "3", "4", "5"} {
		for _, dir := range []string{"/etc/rc" + level + ".d", "/etc/rc.d/rc" + level + ".d"} {
			for _, e := range c.root.Dir(dir) {
				base := path.Base(e.Path)
				f := c.root.Lookup(e.Path)
				if len(base) < 4 || base[0] != 'S' || f == nil || !f.Regular() || c.native(path.Base(f.Path)) {
					continue
				}
				step := b
				step.places = nil
				c.link(e, []string{"start"}, step)
			}
		}
	}
}

// native reports whether a start script has a unit of its name, which is used instead.
func (c *startChain) native(name string) bool {
	name = strings.TrimSuffix(name, ".sh")
	u := c.unit(name + ".service")
	return u != nil && u.file != nil
}

// restOfUnits walks the services that nothing starts.
func (c *startChain) restOfUnits() {
	if !slices.Contains(c.inits, "systemd") {
		return
	}
	for _, d := range unitDirs {
		for _, e := range c.root.Dir(d) {
			name := path.Base(e.Path)
			if path.Ext(name) != ".service" || strings.Contains(name, "@.") {
				continue
			}
			if u := c.unit(name); u != nil && u.file != nil && u.rank == 0 && !u.masked {
				c.start(u, by{start: "never", started: "systemd", user: fact.Say("root")}.at(u.file.At(0)))
			}
		}
	}
}
