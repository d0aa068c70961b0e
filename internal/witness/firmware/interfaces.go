package firmware

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// interfaces states the ways into the device that the software uses: network links, radio,
// serial consoles, removable storage.
var interfaces = inspector{
	name:  "interfaces",
	kinds: []fact.Kind{fact.KindInterface},
	look:  lookInterfaces,
}

func lookInterfaces(r *Root) {
	if r.Role != "system" && r.Role != "recovery" && r.Role != "initramfs" {
		return
	}
	i := &interfacing{Root: r, chain: r.chain(), found: map[string]*fact.Interface{}}
	i.consoles()
	i.networks()
	i.wifi()
	i.radio()
	i.storage()
	for _, f := range i.list {
		r.Add(f)
	}
}

type interfacing struct {
	*Root
	chain *startChain
	found map[string]*fact.Interface
	list  []*fact.Interface
}

// say states an interface, or completes what was said of it.
func (i *interfacing) say(f *fact.Interface, places ...fact.Place) {
	f.Places = slices.Clone(places)
	if len(f.Places) == 0 {
		return
	}
	old := i.found[f.Key()]
	if old == nil {
		i.found[f.Key()] = f
		i.list = append(i.list, f)
		return
	}
	old.Places = append(old.Places, f.Places...)
	if !old.Enabled.Or(false) && f.Enabled.Stated() {
		old.Enabled = f.Enabled
	}
	// Of two ways in by the same interface the open one counts.
	if f.Protected.Stated() && old.Protected.Or(true) {
		old.Protected, old.Security = f.Protected, f.Security
	}
}

// consoles

var serialLine = search.Lazy(`^(ttyS|ttyAMA|ttymxc|ttyO|ttySAC|ttyPS|ttyLF|ttyLP|ttyHS|ttyMSM|ttySTM|ttySC|ttyUL|ttyUSB|ttyACM|ttyGS|ttyTHS|ttyTCU|ttyMV|ttySIF|ttyATH|hvc)\d+$|^ttyFIQ0$`)

// consoles states who is asked on the lines where somebody can log in.
func (i *interfacing) consoles() {
	i.inittabLines()
	for _, l := range i.chain.launches {
		name := path.Base(l.words[0])
		if len(l.places) == 0 || l.started == "inittab" && l.stays {
			continue // read with its line
		}
		if name == "getty" || name == "agetty" || name == "mingetty" {
			_, tty, _ := strings.Cut(l.name, "@") // of the unit's instance
			i.getty(l.words, tty, l.start, l.places)
		}
	}
}

// inittabLines reads the lines of inittab for a terminal: a getty, a login, a shell.
func (i *interfacing) inittabLines() {
	f := i.Lookup("/etc/inittab")
	text, ok := f.Text()
	if !ok || !slices.Contains(i.chain.inits, "inittab") {
		if slices.Contains(i.chain.inits, "rcS") {
			if e := i.Entry("/sbin/init"); e != nil && i.chain.busyboxInit("") {
				// Without an inittab BusyBox offers a shell on the console.
				i.say(&fact.Interface{What: "serial", Name: "console", Enabled: fact.Say(true), Protected: fact.Say(false), Security: "shell", Detail: "BusyBox without an inittab"}, e.At(0))
			}
		}
		return
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		parts := strings.SplitN(strings.TrimSpace(line), ":", 4)
		if len(parts) < 4 || strings.HasPrefix(parts[0], "#") {
			continue
		}
		switch parts[2] {
		case "respawn", "askfirst", "askconsole", "askconsolelate", "respawnlate", "once", "wait":
		default:
			continue
		}
		w := strings.Fields(strings.TrimLeft(parts[3], "-+"))
		if len(w) == 0 {
			continue
		}
		if w[0] == "exec" {
			w = w[1:]
		}
		if len(w) == 0 {
			continue
		}
		tty := ""
		if i.chain.busyboxInit(text) {
			tty = parts[0]
		}
		words, _, _, _, ok := unwrap(w, by{})
		if !ok || len(words) == 0 {
			continue
		}
		i.getty(words, tty, "boot", []fact.Place{f.At(n)})
	}
}

// getty states what a command does for a terminal.
func (i *interfacing) getty(words []string, tty, start string, places []fact.Place) {
	name := path.Base(words[0])
	security := "login"
	switch name {
	case "getty", "agetty", "mingetty", "mgetty", "fgetty":
		if t := terminal(words[1:]); t != "" {
			tty = t
		}
		for n, w := range words {
			if w == "--autologin" || w == "-a" && name == "agetty" || strings.HasPrefix(w, "--autologin=") {
				security = "shell"
			}
			if (w == "-l" || w == "--login-program") && n+1 < len(words) {
				if p := path.Base(words[n+1]); shells[p] || i.autologin(words[n+1]) {
					security = "shell"
				}
			}
		}
	case "login", "sulogin":
		if slices.Contains(words, "-f") {
			security = "shell"
		}
	case "login.sh":
		security = "shell"
		if conf, _ := i.Text("/etc/config/system"); strings.Contains(conf, "ttylogin '1'") || strings.Contains(conf, "ttylogin 1") {
			security = "login"
		}
	default:
		if !shells[name] || len(words) > 1 && words[1] != "-l" && words[1] != "-i" && words[1] != "--login" {
			return
		}
		security = "shell"
	}
	if tty = strings.TrimPrefix(tty, "/dev/"); tty == "" || tty == "-" {
		tty = "console"
	}
	f := &fact.Interface{What: "serial", Name: tty, Security: security, Protected: fact.Say(security == "login")}
	if !serialLine.MatchString(tty) && tty != "console" {
		f.What = "console" // a keyboard and a screen
	}
	switch start {
	case "boot":
		f.Enabled = fact.Say(true)
	case "never":
		f.Enabled = fact.Say(false)
	}
	i.say(f, places...)
}

// terminal finds the line among the words of a getty.
func terminal(words []string) string {
	for _, w := range words {
		if strings.HasPrefix(strings.TrimPrefix(w, "/dev/"), "tty") || w == "console" || strings.HasPrefix(w, "hvc") {
			return w
		}
	}
	return ""
}

// autologin reports whether a program that getty runs instead of login logs somebody in
// without asking.
func (i *interfacing) autologin(p string) bool {
	text, ok := i.Text(p)
	return ok && (strings.Contains(text, "login -f") || strings.Contains(text, "exec /bin/sh") || strings.Contains(text, "exec /bin/ash") || strings.Contains(text, "exec /bin/bash"))
}

// networks

// linkKind tells a link by the name Linux gives it.
func linkKind(name string) string {
	for _, k := range []struct{ prefix, what string }{
		{"eth", "ethernet"}, {"en", "ethernet"}, {"lan", "ethernet"}, {"end", "ethernet"}, {"wl", "wifi"}, {"ath", "wifi"}, {"ra", "wifi"}, {"mlan", "wifi"}, {"uap", "wifi"},
		{"can", "can"}, {"vcan", ""}, {"wwan", "cellular"}, {"ppp", "cellular"}, {"usb", "usb"}, {"bnep", "bluetooth"},
	} {
		if rest, ok := strings.CutPrefix(name, k.prefix); ok && (rest == "" || strings.Trim(rest[len(rest)-1:], "0123456789*") == "") {
			return k.what
		}
	}
	return ""
}

func (i *interfacing) link(name, detail string, enabled fact.Opt[bool], places ...fact.Place) {
	name = strings.Trim(name, `"'`)
	if what := linkKind(name); what != "" && !strings.ContainsAny(name, "$`") {
		i.say(&fact.Interface{What: what, Name: name, Enabled: enabled, Detail: detail}, places...)
	}
}

func (i *interfacing) networks() {
	yes := fact.Say(true)
	for _, f := range i.Glob("/etc/network/interfaces", "/etc/network/interfaces.d/*") {
		text, _ := f.Text()
		auto := map[string]bool{}
		for line := range strings.Lines(text) {
			if w := strings.Fields(line); len(w) > 1 && (w[0] == "auto" || w[0] == "allow-hotplug" || w[0] == "allow-auto") {
				for _, n := range w[1:] {
					auto[n] = true
				}
			}
		}
		n := 0
		for line := range strings.Lines(text) {
			n++
			if w := strings.Fields(line); len(w) > 3 && w[0] == "iface" {
				on := fact.Opt[bool]{}
				if auto[w[1]] {
					on = yes
				}
				i.link(w[1], w[3], on, f.At(n))
			}
		}
	}
	for _, f := range i.Glob("/etc/systemd/network/*.network", "/usr/lib/systemd/network/*.network", "/lib/systemd/network/*.network") {
		text, ok := f.Text()
		if !ok || strings.HasPrefix(path.Base(f.Path), "80-") && !strings.HasPrefix(f.Path, "/etc") {
			continue // what systemd itself brings for containers and the like
		}
		if n := lineOf(text, "Name="); n > 0 && strings.Contains(text, "[Match]") {
			for _, name := range strings.Fields(strings.TrimPrefix(strings.TrimSpace(strings.Split(text, "\n")[n-1]), "Name=")) {
				i.link(name, "networkd", fact.Opt[bool]{}, f.At(n))
			}
		}
	}
	for _, f := range i.Glob("/etc/config/network") {
		text, _ := f.Text()
		n := 0
		for line := range strings.Lines(text) {
			n++
			if w := strings.Fields(line); len(w) > 2 && w[0] == "option" && (w[1] == "ifname" || w[1] == "device") {
				i.link(w[2], "netifd", yes, f.At(n))
			}
		}
	}
	for _, l := range i.chain.launches {
		if l.start == "never" || len(l.places) == 0 {
			continue
		}
		on := l.active()
		switch path.Base(l.words[0]) {
		case "ifconfig":
			if len(l.words) > 2 && (slices.Contains(l.words, "up") || isAddress(l.words[2])) {
				i.link(l.words[1], "ifconfig", on, l.places...)
			}
		case "ip":
			for n, w := range l.words {
				if w == "dev" && n+1 < len(l.words) || w == "set" && n+1 < len(l.words) {
					if i.link(strings.TrimPrefix(l.words[n+1], "dev"), "ip", on, l.places...); w == "set" && slices.Contains(l.words, "up") && n+2 < len(l.words) {
						i.link(l.words[n+2], "ip", on, l.places...)
					}
				}
			}
		case "udhcpc", "dhclient", "dhcpcd", "odhcp6c":
			for n, w := range l.words[1:] {
				if !strings.HasPrefix(w, "-") && (n == 0 || l.words[n] == "-i" || !strings.HasPrefix(l.words[n], "-")) {
					i.link(w, "dhcp", on, l.places...)
				}
			}
		}
	}
}

// Wi-Fi

func (i *interfacing) wifi() {
	started := func(program, conf string) (fact.Opt[bool], []fact.Place) {
		for _, l := range i.chain.launches {
			if path.Base(l.words[0]) != program {
				continue
			}
			for n, w := range l.words {
				file := strings.TrimPrefix(w, "-c")
				if w == "-c" && n+1 < len(l.words) {
					file = l.words[n+1]
				}
				if f := i.Lookup(file); path.IsAbs(file) && f != nil && f.Path == conf {
					return l.active(), l.places
				}
				if f := i.Lookup(w); path.IsAbs(w) && f != nil && f.Path == conf {
					return l.active(), l.places
				}
			}
		}
		return fact.Opt[bool]{}, nil
	}
	for _, f := range i.Glob("/etc/wpa_supplicant.conf", "/etc/wpa_supplicant/*.conf", "/etc/wpa_supplicant-*.conf", "/data/wpa_supplicant.conf", "/etc/wpa*/wpa_supplicant*.conf", "/data/misc/wifi/wpa_supplicant.conf") {
		on, places := started("wpa_supplicant", f.Path)
		i.supplicant(f, on, places)
	}
	for _, f := range i.Glob("/etc/hostapd.conf", "/etc/hostapd/*.conf", "/data/hostapd.conf") {
		on, places := started("hostapd", f.Path)
		i.accessPoint(f, on, places)
	}
	for _, f := range i.Glob("/etc/config/wireless") {
		i.wireless(f)
	}
	for _, f := range i.Glob("/etc/NetworkManager/system-connections/*", "/usr/lib/NetworkManager/system-connections/*") {
		u := &unit{values: map[string][]unitValue{}}
		if u.read(f); u.last("connection.type") == "wifi" || u.last("connection.type") == "802-11-wireless" {
			security := map[string]string{"": "open", "none": "wep", "wpa-psk": "wpa2", "sae": "wpa3", "wpa-eap": "eap", "owe": "wpa3"}[u.last("wifi-security.key-mgmt")]
			i.station(u.last("wifi.ssid"), security, fact.Say(u.last("connection.autoconnect") != "false"), f.At(0))
		}
	}
	for _, f := range i.Glob("/var/lib/iwd/*") {
		name := strings.TrimSuffix(path.Base(f.Path), path.Ext(f.Path))
		if security := map[string]string{".open": "open", ".psk": "wpa2", ".8021x": "eap"}[path.Ext(f.Path)]; security != "" {
			i.station(name, security, fact.Opt[bool]{}, f.At(0))
		}
	}
}

// station states a network that the device joins.
func (i *interfacing) station(ssid, security string, on fact.Opt[bool], places ...fact.Place) {
	f := &fact.Interface{What: "wifi", Name: cmpOr(ssid, "any network"), Enabled: on, Security: security, Detail: "joins this network"}
	if security == "open" {
		f.Protected = fact.Say(false)
	} else if security != "wep" && security != "" {
		f.Protected = fact.Say(true)
	}
	i.say(f, places...)
}

func (i *interfacing) supplicant(f *File, on fact.Opt[bool], started []fact.Place) {
	text, _ := f.Text()
	var v map[string]string
	at, n := 0, 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "network=") && strings.HasSuffix(line, "{"):
			v, at = map[string]string{}, n
		case line == "}" && v != nil:
			if v["mode"] != "2" && v["disabled"] != "1" {
				i.station(strings.Trim(v["ssid"], `"`), supplicantSecurity(v), on, append([]fact.Place{f.At(at)}, started...)...)
			}
			v = nil
		case v != nil:
			if k, val, ok := strings.Cut(line, "="); ok {
				v[strings.TrimSpace(k)] = strings.TrimSpace(val)
			}
		}
	}
}

// supplicantSecurity names the weakest protection a network block accepts. By default it
// takes WPA-PSK and WPA-EAP, as WPA or RSN.
func supplicantSecurity(v map[string]string) string {
	mgmt := strings.Fields(v["key_mgmt"])
	has := func(s string) bool {
		return slices.ContainsFunc(mgmt, func(m string) bool {
			return strings.HasPrefix(m, s) || strings.HasPrefix(m, "FT-"+strings.TrimPrefix(s, "WPA-"))
		})
	}
	switch {
	case slices.Contains(mgmt, "NONE"):
		if v["wep_key0"] != "" {
			return "wep"
		}
		return "open"
	case has("WPA-PSK") || len(mgmt) == 0 && v["psk"] != "":
		if v["proto"] == "WPA" || v["pairwise"] == "TKIP" {
			return "wpa"
		}
		return "wpa2"
	case has("SAE") || has("OWE"):
		return "wpa3"
	case has("WPA-EAP") || has("IEEE8021X") || v["eap"] != "":
		return "eap"
	}
	return ""
}

func (i *interfacing) accessPoint(f *File, on fact.Opt[bool], started []fact.Place) {
	text, _ := f.Text()
	v := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if k, val, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			v[strings.TrimSpace(k)] = strings.TrimSpace(val)
		}
	}
	if v["interface"] == "" {
		return
	}
	a := &fact.Interface{What: "wifi", Name: v["interface"], Enabled: on, Detail: "access point " + v["ssid"]}
	switch {
	case strings.Contains(v["wpa_key_mgmt"], "SAE") && !strings.Contains(v["wpa_key_mgmt"], "PSK"):
		a.Security = "wpa3"
	case strings.Contains(v["wpa_key_mgmt"], "EAP"):
		a.Security = "eap"
	case v["wpa"] == "2":
		a.Security = "wpa2"
	case v["wpa"] == "1" || v["wpa"] == "3":
		a.Security = "wpa"
	case v["wep_key0"] != "":
		a.Security = "wep"
	case v["ieee8021x"] == "1":
		a.Security = "eap"
	default:
		a.Security = "open"
	}
	if a.Security != "wep" {
		a.Protected = fact.Say(a.Security != "open")
	}
	i.say(a, append([]fact.Place{f.At(0)}, started...)...)
}

// wireless reads OpenWrt's networks.
func (i *interfacing) wireless(f *File) {
	text, _ := f.Text()
	type iface struct {
		at int
		v  map[string]string
	}
	var list []iface
	off := map[string]bool{} // radios
	radio, n := "", 0
	for line := range strings.Lines(text) {
		n++
		w := strings.Fields(line)
		for k := range w {
			w[k] = strings.Trim(w[k], `'"`)
		}
		switch {
		case len(w) > 1 && w[0] == "config":
			radio = ""
			if w[1] == "wifi-iface" {
				list = append(list, iface{n, map[string]string{}})
			} else if w[1] == "wifi-device" && len(w) > 2 {
				radio = w[2]
			}
		case len(w) > 2 && w[0] == "option" && radio != "" && w[1] == "disabled":
			off[radio] = w[2] == "1"
		case len(w) > 2 && w[0] == "option" && radio == "" && len(list) > 0:
			list[len(list)-1].v[w[1]] = strings.Join(w[2:], " ")
		}
	}
	for _, l := range list {
		e := l.v["encryption"]
		security := ""
		switch {
		case e == "" || e == "none":
			security = "open"
		case strings.HasPrefix(e, "wep"):
			security = "wep"
		case strings.HasPrefix(e, "psk2"), e == "sae-mixed":
			security = "wpa2"
		case strings.HasPrefix(e, "psk"):
			security = "wpa"
		case strings.HasPrefix(e, "sae") || e == "owe":
			security = "wpa3"
		case strings.HasPrefix(e, "wpa"):
			security = "eap"
		}
		f2 := &fact.Interface{What: "wifi", Name: cmpOr(l.v["ssid"], l.v["device"]), Security: security, Enabled: fact.Say(l.v["disabled"] != "1" && !off[l.v["device"]])}
		if f2.Detail = "joins this network"; l.v["mode"] == "ap" {
			f2.Detail = "access point"
		}
		if security != "wep" && security != "" {
			f2.Protected = fact.Say(security != "open")
		}
		i.say(f2, f.At(l.at))
	}
}

// radio states Bluetooth, cellular and CAN by the programs that serve them.
func (i *interfacing) radio() {
	launches := slices.DeleteFunc(slices.Clone(i.chain.launches), func(l *launch) bool {
		// One that nothing starts says something only where no other start is.
		return l.start == "never" && slices.ContainsFunc(i.chain.launches, func(o *launch) bool { return o.start != "never" && path.Base(o.words[0]) == path.Base(l.words[0]) })
	})
	for _, l := range launches {
		if len(l.places) == 0 {
			continue
		}
		switch path.Base(l.words[0]) {
		case "bluetoothd":
			f := &fact.Interface{What: "bluetooth", Name: "bluetoothd", Enabled: l.active()}
			if conf := i.Lookup("/etc/bluetooth/main.conf"); conf != nil {
				u := &unit{values: map[string][]unitValue{}}
				u.read(conf)
				if u.last("General.JustWorksRepairing") == "always" {
					f.Security, f.Protected = "just-works", fact.Say(false)
				}
			}
			i.say(f, l.places...)
		case "ModemManager", "ofonod", "pppd", "wvdial", "qmicli", "quectel-CM":
			i.say(&fact.Interface{What: "cellular", Name: path.Base(l.words[0]), Enabled: l.active()}, l.places...)
		case "neard":
			i.say(&fact.Interface{What: "nfc", Name: "neard", Enabled: l.active()}, l.places...)
		case "modprobe", "insmod":
			for _, w := range l.words[1:] {
				m := strings.TrimSuffix(strings.TrimSuffix(path.Base(w), ".gz"), ".ko")
				if gadget, ok := gadgets[m]; ok && l.start != "never" {
					i.say(&fact.Interface{What: "usb", Name: m, Enabled: l.active(), Detail: gadget}, l.places...)
				}
			}
		}
	}
}

// gadgets are modules that make the device a USB peripheral of whoever plugs it in.
var gadgets = map[string]string{
	"g_ether": "gives a network to the host it is plugged into", "g_serial": "gives a serial line to the host it is plugged into", "g_mass_storage": "gives its storage to the host it is plugged into",
	"g_multi": "gives network, serial line and storage to the host it is plugged into", "g_ffs": "gives functions of programs to the host it is plugged into", "g_cdc": "gives network and serial line to the host it is plugged into",
}

// storage states whether the kernel takes USB storage.
func (i *interfacing) storage() {
	for _, m := range []struct{ what, module string }{{"usb-storage", "usb-storage"}, {"bluetooth", "btusb"}} {
		f, builtin := i.module(m.module)
		if f == nil {
			continue
		}
		if conf, line := i.blocked(m.module); conf != nil && !builtin {
			i.say(&fact.Interface{What: m.what, Name: m.module, Enabled: fact.Say(false), Detail: "modprobe is told not to load it"}, conf.At(line))
			continue
		}
		detail := "kernel module"
		if builtin {
			detail = "built into the kernel"
		}
		enabled := fact.Say(true)
		if m.what == "bluetooth" {
			enabled = fact.Opt[bool]{} // the driver alone takes nobody in
		}
		i.say(&fact.Interface{What: m.what, Name: m.module, Enabled: enabled, Detail: detail}, f.At(0))
	}
	// The list of what is built in says that the driver is neither there nor a module.
	for _, f := range i.Glob("/lib/modules/*/modules.builtin", "/usr/lib/modules/*/modules.builtin") {
		if m, _ := i.module("usb-storage"); m == nil && len(i.Dir(path.Dir(f.Path)+"/kernel")) > 0 {
			i.say(&fact.Interface{What: "usb-storage", Name: "usb-storage", Enabled: fact.Say(false), Detail: "the kernel has no driver"}, f.At(0))
			return
		}
	}
}

// module finds a module of the kernel, as a file or in the list of those built in.
func (i *interfacing) module(name string) (f *File, builtin bool) {
	for _, f := range i.Glob("/lib/modules/**/"+name+".ko*", "/usr/lib/modules/**/"+name+".ko*") {
		return f, false
	}
	for _, f := range i.Glob("/lib/modules/*/modules.builtin", "/usr/lib/modules/*/modules.builtin") {
		if text, _ := f.Text(); strings.Contains(text, "/"+name+".ko") {
			return f, true
		}
	}
	return nil, false
}

// blocked finds the line that keeps a module from being loaded.
func (i *interfacing) blocked(name string) (*File, int) {
	other := strings.ReplaceAll(name, "-", "_")
	for _, f := range i.Glob("/etc/modprobe.d/*.conf", "/usr/lib/modprobe.d/*.conf", "/lib/modprobe.d/*.conf") {
		text, _ := f.Text()
		n := 0
		for line := range strings.Lines(text) {
			n++
			w := strings.Fields(line)
			if len(w) < 2 || w[1] != name && w[1] != other {
				continue
			}
			if w[0] == "blacklist" || w[0] == "install" && len(w) > 2 && (strings.HasSuffix(w[2], "/true") || strings.HasSuffix(w[2], "/false")) {
				return f, n
			}
		}
	}
	return nil, 0
}
