package firmware

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/search"
)

// boot states how the device starts: its boot loaders with their environments, what they
// check, and what the console gives.
var boot = inspector{
	name:  "boot",
	kinds: []fact.Kind{fact.KindBoot},
	look:  lookBoot,
}

func lookBoot(r *Root) {
	if !r.main() {
		return
	}
	b := booter{root: r, loaders: map[string]*fact.Boot{}}
	b.environments()
	b.banners()
	for _, o := range r.beside() {
		for _, f := range o.Files() {
			if f.Regular() && (o != r || bootPlace(f.Path)) {
				b.file(f)
			}
		}
	}
	b.trees()
	var names []string
	for name := range b.loaders {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := b.loaders[name]
		b.line(f)
		b.console(f)
		b.verified(f)
		if len(f.Places) > 0 {
			r.Add(f)
		}
	}
}

// bootPlace tells where in a system the files of a boot loader lie.
func bootPlace(p string) bool {
	dir, rest, below := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	switch dir {
	case "boot", "efi", "flash":
		return below
	case "etc":
		return rest == "fw_env.config"
	}
	return !below
}

// booter gathers what is said of each boot loader.
type booter struct {
	root    *Root
	loaders map[string]*fact.Boot
	chosen  string // the command line that a device tree gives
	writer  bool   // the system can write the environment
}

func (b *booter) loader(name string) *fact.Boot {
	f := b.loaders[name]
	if f == nil {
		f = &fact.Boot{Loader: name}
		b.loaders[name] = f
	}
	return f
}

// environments reads those of U-Boot: stored ones first, then what is compiled in.
func (b *booter) environments() {
	layers := b.root.layersOf("uboot-env")
	// Of two copies the one is valid whose flag is the higher, or active (1).
	slices.SortStableFunc(layers, func(x, y *image.Layer) int { return cmp.Compare(y.Attributes["flag"], x.Attributes["flag"]) })
	for i, l := range layers {
		f := b.loader("u-boot")
		f.Places = append(f.Places, l.Place)
		if i > 0 {
			continue
		}
		vars := map[string]string{}
		for k, v := range l.Attributes {
			if name, ok := strings.CutPrefix(k, "env."); ok {
				vars[name] = v
			}
		}
		environment(f, vars)
	}
}

// environment states what the variables of U-Boot say (U-Boot doc/usage/environment).
func environment(f *fact.Boot, vars map[string]string) {
	if v, ok := vars["bootdelay"]; ok && !f.Delay.Stated() {
		if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
			f.Delay = fact.Say(n)
			f.Interactive = fact.Say(n != -2)
		}
	}
	for _, name := range []string{"bootstopkeysha256", "bootstopkeycrypt", "bootstopkey", "bootpassword"} {
		if vars[name] != "" {
			f.Password = fact.Say(true)
		}
	}
	if v := vars["bootargs"]; v != "" && f.CommandLine == "" {
		f.CommandLine = expandAll(v, vars)
	}
	command := vars["bootcmd"]
	if command == "" || f.Command != "" {
		return
	}
	f.Command = shorten(command)
	all := reachable(command, vars)
	if f.CommandLine == "" {
		if m := setArgs.FindStringSubmatch(all); m != nil {
			f.CommandLine = strings.Trim(expandAll(m[1]+m[2], vars), `"'`)
		}
	}
	targets := ""
	if strings.Contains(all, "boot_targets") || strings.Contains(command, "distro_bootcmd") {
		targets = vars["boot_targets"]
	}
	f.Removable = fact.Say(bootUSB.MatchString(all) || strings.Contains(targets, "usb"))
	f.Network = fact.Say(bootNet.MatchString(all) || strings.Contains(targets, "pxe") || strings.Contains(targets, "dhcp"))
	if bootChecked.MatchString(all) {
		f.Verified = fact.Say(true)
	}
}

var (
	setArgs     = search.Lazy(`setenv\s+bootargs\s+(?:"([^"]*)"|([^;]*))`)
	runWords    = search.Lazy(`\brun\s+((?:[\w$\{\}]+\s*)+)`)
	bootUSB     = search.Lazy(`\busb\s+(?:start|reset|boot)\b|\b(?:fat|ext2|ext4)?load\s+usb\b|\busbboot\b`)
	bootNet     = search.Lazy(`\b(?:tftp|tftpboot|bootp|dhcp|pxe|rarpboot|nfs)\b`)
	bootChecked = search.Lazy(`\bhab_auth_img\b|\bimxtract_verified\b|\besbc_validate\b|\bavb\s+verify\b|\brsa_verify\b`)
)

// reachable joins the scripts that a command runs.
func reachable(command string, vars map[string]string) string {
	seen, queue := map[string]bool{}, []string{command}
	var b strings.Builder
	for len(queue) > 0 && b.Len() < 1<<16 {
		c := queue[0]
		queue = queue[1:]
		b.WriteString(c)
		b.WriteString(" ; ")
		for _, m := range runWords.FindAllStringSubmatch(c, 32) {
			for _, name := range strings.Fields(m[1]) {
				if v := vars[name]; v != "" && !seen[name] {
					seen[name] = true
					queue = append(queue, v)
				}
			}
		}
		for name, v := range vars {
			// Distribution boot: run bootcmd_${target}.
			if strings.HasPrefix(name, "bootcmd_") && strings.Contains(c, "bootcmd_${") && !seen[name] && strings.Contains(vars["boot_targets"], strings.TrimPrefix(name, "bootcmd_")) {
				seen[name] = true
				queue = append(queue, v)
			}
		}
	}
	return b.String()
}

// expandAll replaces the variables of a text, a few levels deep.
func expandAll(s string, vars map[string]string) string {
	for range 4 {
		t := anyVar.ReplaceAllStringFunc(s, func(m string) string {
			if v, ok := vars[anyVar.FindStringSubmatch(m)[1]]; ok {
				return v
			}
			return m
		})
		if t == s || len(t) > 4096 {
			break
		}
		s = t
	}
	return shorten(s)
}

func shorten(s string) string {
	s = maskLine(strings.Join(strings.Fields(s), " "))
	if len(s) > 600 {
		s = strings.ToValidUTF8(s[:600], "")
	}
	return s
}

// banners reads what boot loaders say of themselves, and the variables compiled in.
func (b *booter) banners() {
	for _, o := range b.root.beside() {
		for _, f := range o.Files() {
			if f.Trace == nil {
				continue
			}
			for _, n := range f.Trace.Banners {
				if !slices.Contains([]string{"u-boot", "barebox", "redboot", "cfe"}, n.What) || o.Role != "loose" && !strings.HasPrefix(o.Role, "data:") && !strings.HasPrefix(f.Path, "/boot/") {
					continue // a program or package of the system that speaks of them
				}
				l := b.loader(n.What)
				if v := loaderVersion.FindString(n.Text); v != "" && l.Version == "" {
					l.Version = v
				}
				p := f.Place()
				p.Offset = n.Offset
				l.Places = append(l.Places, p)
			}
			if f.Trace.Environment != nil {
				environment(b.loader("u-boot"), f.Trace.Environment)
			}
		}
	}
}

var loaderVersion = search.Lazy(`\d[\w.+-]*`)

// file reads a file that a boot loader reads.
func (b *booter) file(f *File) {
	base, dir := path.Base(f.Path), path.Dir(f.Path)
	switch {
	case base == "fw_env.config" && dir == "/etc":
		b.writer = true
	case base == "uEnv.txt" || base == "armbianEnv.txt" || base == "uboot.env.txt":
		vars := map[string]string{}
		f.lines(func(_ int, line string) {
			if k, v, ok := strings.Cut(line, "="); ok {
				vars[strings.TrimSpace(k)] = strings.TrimSpace(v)
			}
		})
		b.settings("u-boot", f, cmp.Or(vars["bootargs"], vars["extraargs"], vars["optargs"]))
		environment(b.loader("u-boot"), vars)
	case base == "extlinux.conf":
		b.menu("extlinux", f, "append")
	case strings.HasSuffix(dir, "/loader/entries") && strings.HasSuffix(base, ".conf"):
		b.menu("systemd-boot", f, "options")
	case base == "loader.conf" && path.Base(dir) == "loader":
		b.menu("systemd-boot", f, "options")
	case base == "cmdline.txt" && (dir == "/" || dir == "/boot" || dir == "/boot/firmware"):
		text, _ := f.Text()
		b.settings("raspberry-pi", f, text)
	case base == "script" && strings.Contains(f.Place().String(), "uimage"), base == "boot.cmd":
		b.bootScript(f)
	case base == "grub.cfg" || base == "grub.conf" || base == "menu.lst":
		b.grub(f)
	}
}

// settings adds a command line that stands in a file.
func (b *booter) settings(loader string, f *File, line string) {
	l := b.loader(loader)
	l.Places = append(l.Places, f.At(0))
	if l.CommandLine == "" {
		l.CommandLine = shorten(line)
	}
}

// menu reads a menu of plain lines: keyword, value.
func (b *booter) menu(loader string, f *File, args string) {
	l := b.loader(loader)
	l.Places = append(l.Places, f.At(0))
	f.lines(func(_ int, line string) {
		k, v, _ := strings.Cut(line, " ")
		v = strings.TrimSpace(v)
		switch k = strings.ToLower(k); k {
		case args:
			if l.CommandLine == "" {
				l.CommandLine = shorten(v)
			}
		case "timeout":
			if n, err := strconv.Atoi(v); err == nil {
				if loader == "extlinux" {
					n = (n + 9) / 10 // tenths of a second
				}
				l.Delay = fact.Say(n)
			}
		case "editor":
			l.Interactive = fact.Say(v != "no" && v != "0" && v != "false")
		}
	})
}

// bootScript reads a script of U-Boot.
func (b *booter) bootScript(f *File) {
	text, ok := f.Text()
	if !ok {
		return
	}
	l := b.loader("u-boot")
	l.Places = append(l.Places, f.At(0))
	if m := setArgs.FindStringSubmatch(text); m != nil && l.CommandLine == "" {
		l.CommandLine = shorten(strings.Trim(m[1]+m[2], `"'`))
	}
	if bootNet.MatchString(text) {
		l.Network = fact.Say(true)
	}
	if bootUSB.MatchString(text) {
		l.Removable = fact.Say(true)
	}
}

var (
	grubLinux   = search.Lazy(`^(?:linux|linuxefi|linux16|kernel)\s+(?:\([^)]*\))?\S+\s*(.*)`)
	grubTimeout = search.Lazy(`^(?:set\s+)?timeout[= ]"?(-?\d+)`)
)

// grub reads the menu of GRUB. Who may edit an entry may start a shell as root.
func (b *booter) grub(f *File) {
	l := b.loader("grub")
	l.Places = append(l.Places, f.At(0))
	super, password := false, false
	f.lines(func(_ int, line string) {
		if m := grubLinux.FindStringSubmatch(line); m != nil && l.CommandLine == "" {
			l.CommandLine = shorten(m[1])
		}
		if m := grubTimeout.FindStringSubmatch(line); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil {
				l.Delay = fact.Say(n)
			}
		}
		super = super || strings.HasPrefix(line, "set superusers=") || strings.HasPrefix(line, "superusers=")
		password = password || strings.HasPrefix(line, "password")
	})
	l.Password = fact.Say(password && (super || strings.HasSuffix(f.Path, "menu.lst") || strings.HasSuffix(f.Path, "grub.conf")))
	l.Interactive = fact.Say(!l.Password.Or(false))
}

// trees reads what device trees say: the command line, the keys that are demanded.
func (b *booter) trees() {
	for _, l := range b.root.layersOf("dtb", "fit") {
		if v := l.Attributes["bootargs"]; v != "" && b.chosen == "" {
			b.chosen = shorten(v)
		}
	}
}

// line states what the command line of the kernel says.
func (b *booter) line(f *fact.Boot) {
	if f.CommandLine == "" && f.Loader != "grub" {
		f.CommandLine = b.chosen
	}
	if b.writer && f.Loader == "u-boot" {
		f.EnvWritable = fact.Say(true)
	}
	if f.CommandLine == "" {
		return
	}
	words := strings.Fields(f.CommandLine)
	shell, verity := false, false
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		switch {
		case k == "console" && !strings.HasPrefix(v, "tty0"):
			f.Console = fact.Say(strings.Trim(v, `"'`))
		case (k == "init" || k == "rdinit") && shellPath.MatchString(v), w == "single", w == "emergency", w == "S", w == "1",
			k == "systemd.unit" && (strings.HasPrefix(v, "rescue") || strings.HasPrefix(v, "emergency")):
			shell = true
		case strings.HasPrefix(k, "dm-mod.create") || k == "dm" || k == "roothash" || strings.HasPrefix(k, "systemd.verity") || strings.Contains(v, "verity"),
			k == "root" && strings.HasPrefix(v, "/dev/dm-"):
			verity = true
		}
	}
	f.RootShell = fact.Say(shell)
	if verity || strings.Contains(f.CommandLine, "root=") {
		f.Verity = fact.Say(verity)
	}
}

var shellPath = search.Lazy(`/(?:ba|a|da|z)?sh$|/busybox$`)

// verified states whether what is booted is checked.
func (b *booter) verified(f *fact.Boot) {
	switch f.Loader {
	case "u-boot":
		fits, trees := b.root.layersOf("fit"), b.root.layersOf("dtb")
		required, keys := false, false
		for _, l := range append(slices.Clone(trees), fits...) {
			required = required || l.Attributes["required"] != ""
			for k := range l.Attributes {
				keys = keys || strings.HasPrefix(k, "key.")
			}
		}
		signed := len(fits) > 0
		for _, l := range fits {
			signed = signed && l.Attributes["signed"] != "no"
		}
		legacy := slices.ContainsFunc(b.root.layersOf("uimage"), func(l *image.Layer) bool { return l.Attributes["type"] == "kernel" || l.Attributes["type"] == "multi" })
		switch {
		case f.Verified.Stated():
		case required:
			f.Verified = fact.Say(true)
		case legacy && len(fits) == 0, len(fits) > 0 && !signed, keys:
			f.Verified = fact.Say(false) // legacy images carry no signature; unsigned ones would not boot where one is demanded
		}
		if len(fits) > 0 || legacy {
			f.Signed = fact.Say(signed)
		}
	case "grub", "systemd-boot":
		for _, o := range b.root.beside() {
			for _, g := range o.Files() {
				if g.Trace == nil || g.Trace.Binary == nil || g.Trace.Binary.Shape.Format != "pe" || !strings.Contains(strings.ToLower(g.Path), "/efi/") {
					continue
				}
				f.Signed = fact.Say(f.Signed.Or(true) && g.Trace.Binary.Shape.Signed.Or(false))
			}
		}
		if s, ok := f.Signed.Value(); ok && !s {
			f.Verified = fact.Say(false)
		}
	}
}

var (
	loginWord = search.Lazy(`\b(?:getty|agetty|mgetty|askconsole|login|sulogin)\b`)
	shellWord = search.Lazy(`(?:^|[\s/-])(?:ba|a|da)?sh\b`)
	autoLogin = search.Lazy(`--autologin\b|\s-a\s+root\b|-n\s.*-l\s*/bin/(?:ba|a)?sh|-l\s*/bin/(?:ba|a)?sh|\blogin\s+-f\b`)
)

// console states whether the console of the system asks who is there.
func (b *booter) console(f *fact.Boot) {
	r := b.root
	console, _ := f.Console.Value()
	port, _, _ := strings.Cut(console, ",")
	if console == "null" {
		return
	}
	note := func(login bool, at fact.Place) {
		if f.Login.Or(true) { // a shell anywhere is what counts
			f.Login = fact.Say(login)
			f.Places = append(f.Places, at)
		}
	}
	if t := r.Lookup("/etc/inittab"); t != nil {
		t.lines(func(n int, line string) {
			w := strings.SplitN(line, ":", 4)
			if len(w) < 4 || !slices.Contains([]string{"respawn", "askfirst", "once", "askconsole", "askconsolelate", "wait"}, w[2]) {
				return
			}
			id := strings.TrimPrefix(w[0], "/dev/")
			onConsole := id == "" || id == "console" || port == "" && strings.HasPrefix(id, "tty") || id == port || strings.Contains(w[3], port) && port != ""
			switch command := w[3]; {
			case !onConsole:
			case strings.HasPrefix(w[2], "askconsole"):
				note(ttyLogin(r), t.At(n))
			case autoLogin.MatchString(command):
				if !strings.Contains(command, "telnetd") {
					note(false, t.At(n))
				}
			case loginWord.MatchString(command):
				note(true, t.At(n))
			case consoleShell(command):
				note(false, t.At(n))
			}
		})
	}
	for _, g := range r.Glob("/etc/systemd/system/getty.target.wants/*", "/etc/systemd/system/serial-getty@*.service.d/*", "/etc/systemd/system/getty@*.service.d/*", "/etc/systemd/system/console-getty.service.d/*",
		"/etc/systemd/system/multi-user.target.wants/serial-getty@*", "/usr/lib/systemd/system/serial-getty@.service", "/lib/systemd/system/serial-getty@.service") {
		unit := r.Lookup(g.Path)
		text, ok := unit.Text()
		if !ok {
			continue
		}
		enabled := !strings.HasSuffix(g.Path, "/system/serial-getty@.service") || strings.Contains(port, "tty") && r.present("systemd-getty-generator") || r.Lookup("/usr/lib/systemd/system-generators/systemd-getty-generator") != nil
		if enabled {
			note(!autoLogin.MatchString(text), g.At(0))
		}
	}
}

// consoleShell reports whether an entry of inittab is a shell itself.
func consoleShell(command string) bool {
	w := strings.Fields(command)
	return len(w) > 0 && shellWord.MatchString(" "+path.Base(strings.TrimPrefix(w[0], "-"))) && !slices.Contains(w, "-c") && (len(w) == 1 || strings.HasPrefix(w[1], "-"))
}

// ttyLogin reports whether OpenWrt asks for a password at its console (package/base-files,
// libexec/login.sh).
func ttyLogin(r *Root) bool {
	f := r.Lookup("/etc/config/system")
	on := false
	if f != nil {
		f.lines(func(_ int, line string) {
			if w := strings.Fields(line); len(w) == 3 && w[0] == "option" && w[1] == "ttylogin" {
				on = strings.Trim(w[2], `'"`) == "1"
			}
		})
	}
	return on
}
