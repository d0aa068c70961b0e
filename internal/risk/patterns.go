package risk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// patterns lists the chains, in the order of their ids.
func patterns() []pattern {
	return []pattern{
		{"boot-takeover", "Somebody at the console starts a system of his own", bootTakeover},
		{"clinical-writes", "Anyone on the network changes clinical data", clinicalWrites},
		{"console-root", "Somebody at the console becomes root", consoleRoot},
		{"debug-port", "A debugger on the network gives the device away", debugPort},
		{"foothold-to-root", "A foothold in a network service becomes root", footholdToRoot},
		{"foreign-programs", "The device runs what a foreign machine gives it", foreignPrograms},
		{"guess-to-root", "Guessing a password gives root", guessToRoot},
		{"key-in-image", "A key that every image carries opens the device", keyInImage},
		{"known-password", "A known password opens the device from the network", knownPassword},
		{"memory-to-root", "A malformed request can take over a program that runs as root", memoryToRoot},
		{"open-shell", "Anyone on the network gets a shell", openShell},
		{"remote-screen", "Anyone on the network operates the screen", remoteScreen},
		{"snmp-writes", "A published community changes the device", snmpWrites},
		{"update-from-stick", "A stick that is plugged in replaces the software", updateFromStick},
		{"update-on-path", "Whoever is on the path replaces the software", updateOnPath},
		{"upload-to-update", "Anyone who can store a file replaces the software", uploadToUpdate},
		{"web-command", "A web request runs commands", webCommand},
	}
}

// each calls f for all services that are found, root by root.
func (w *world) each(f func(*fact.Service)) {
	for _, root := range sortedKeys(w.services) {
		for _, s := range w.services[root] {
			f(s)
		}
	}
}

func openShell(w *world) (out []way) {
	w.each(func(s *fact.Service) {
		if !started(s) || !reached(s) || !s.Shell.Or(false) || !lets(s) || slices.Contains([]string{"vnc", "adb", "gdb"}, s.Protocol) {
			return
		}
		v := anyoneTakesAll
		if !s.AsRoot.Or(true) {
			v = anyoneWrites
		}
		out = append(out, way{root: s.Root, name: subjectOf(s), services: []*fact.Service{s}, vector: v, open: true, steps: []stage{
			enter(s, "service.*"),
			{"it asks for no login", s, []string{"service.shell-without-login"}},
			{"it gives a shell " + rights(s), s, []string{"service.shell-without-login"}},
		}})
	})
	return out
}

func remoteScreen(w *world) (out []way) {
	w.each(func(s *fact.Service) {
		if started(s) && reached(s) && s.Protocol == "vnc" && lets(s) {
			out = append(out, way{root: s.Root, name: subjectOf(s), services: []*fact.Service{s}, vector: anyoneTakesAll, open: true, steps: []stage{
				enter(s, "service.remote-screen", "service.remote-screen-clear", "service.daemon-as-root"),
				{"it asks for no login", s, nil},
				{"operate the device at its screen, " + rights(s), s, nil},
			}})
		}
	})
	return out
}

func debugPort(w *world) (out []way) {
	w.each(func(s *fact.Service) {
		if started(s) && reached(s) && (s.Protocol == "adb" || s.Protocol == "gdb") && !s.Authenticated.Or(false) {
			out = append(out, way{root: s.Root, name: subjectOf(s), services: []*fact.Service{s}, vector: anyoneTakesAll, open: true, steps: []stage{
				enter(s, "service.debug-bridge", "service.shell-without-login"),
				{"it asks for no login", s, nil},
				{"read, change and run anything " + rights(s), s, nil},
			}})
		}
	})
	return out
}

// passwordWords say why a password is known; empty where it is not.
func passwordWords(a *fact.Account) string {
	if a.Locked.Or(false) {
		return ""
	}
	switch a.Password.Or("") {
	case "empty":
		return "log in as " + a.Name + ", who has no password"
	case "default":
		return "log in as " + a.Name + " with a password that is a published default"
	case "cracked":
		return "log in as " + a.Name + " with a password that is quickly guessed"
	}
	return ""
}

// becomesRoot says in words how an account is or becomes root.
func becomesRoot(a *fact.Account) (string, bool) {
	if a.UID.Or(-1) == 0 {
		return "this is root: everything is allowed", true
	}
	switch a.Sudo.Or("") {
	case "yes":
		return a.Name + " becomes root with the same password (sudo)", true
	case "nopasswd":
		return a.Name + " becomes root without a password (sudo)", true
	}
	return "", false
}

func knownPassword(w *world) (out []way) {
	for _, a := range w.set.Account {
		login := passwordWords(a)
		if login == "" || !found(a.Header()) || !a.Login.Or(true) || !a.Remote.Or(true) {
			continue
		}
		var through []*fact.Service
		for _, s := range w.loginServices(a) {
			if started(s) && reached(s) && (!s.Shell.Or(false) || !lets(s)) {
				through = append(through, s)
			}
		}
		if len(through) == 0 {
			continue
		}
		x := way{root: a.Root, name: a.Name, services: through, vector: anyoneReads, open: true}
		if a.Store != "system" {
			x.name += " of " + a.Store
		}
		for _, s := range through {
			x.steps = append(x.steps, enter(s, "service.telnet", "service.ftp", "service.http-login", "vsftpd.*", "sshd.root-login", "login.no-lockout", "web.login-without-limit"))
		}
		x.steps = append(x.steps, stage{login, a, []string{"account.*", "secret.*"}})
		if words, ok := becomesRoot(a); ok {
			x.vector = anyoneTakesAll
			x.steps = append(x.steps, stage{words, a, nil})
		} else if s := through[0]; s.Writable.Or(false) || s.Shell.Or(false) {
			x.vector = anyoneWrites
			x.steps = append(x.steps, stage{"change what this account may change", a, nil})
		} else {
			x.steps = append(x.steps, stage{"do what this account may do", a, nil})
		}
		out = append(out, x)
	}
	return out
}

func guessToRoot(w *world) (out []way) {
	for _, a := range w.set.Account {
		words, root := becomesRoot(a)
		if !root || !found(a.Header()) || a.Password.Or("") != "set" || a.Locked.Or(false) || !a.Remote.Or(false) {
			continue
		}
		for _, s := range w.loginServices(a) {
			if !started(s) || !reached(s) {
				continue
			}
			for _, g := range w.set.Guard {
				if g.Root == a.Root && g.What == "lockout" && g.Subject == s.Product && !g.Active.Or(true) {
					out = append(out, way{root: a.Root, name: a.Name, services: []*fact.Service{s}, vector: skillTakesAll, steps: []stage{
						enter(s, "service.telnet", "sshd.*"),
						{"try passwords of " + a.Name + ": nothing stops who fails often", g, []string{"login.*"}},
						{words, a, []string{"account.remote-root", "account.weak-hash", "account.built-in-password"}},
					}})
					break
				}
			}
		}
	}
	return out
}

func keyInImage(w *world) (out []way) {
	seen := map[string]bool{}
	for _, k := range w.set.Key {
		if !k.SelfAuthorising.Or(false) || !found(k.Header()) || seen[at(k.Root, k.Fingerprint)] {
			continue
		}
		seen[at(k.Root, k.Fingerprint)] = true
		private, entry := k, k
		for _, o := range w.set.Key {
			if o.Root != k.Root || o.Fingerprint != k.Fingerprint {
				continue
			}
			if o.Private.Or(false) {
				private = o
			} else if o.Account != "" {
				entry = o
			}
		}
		var through []*fact.Service
		for _, s := range w.services[k.Root] {
			if s.Protocol == "ssh" && started(s) && reached(s) {
				through = append(through, s)
			}
		}
		if len(through) == 0 {
			continue
		}
		v, end := anyoneWrites, "log in as "+cmp.Or(entry.Account, "the account it belongs to")
		for _, a := range w.set.Account {
			if a.Root == k.Root && a.Store == "system" && a.Name == entry.Account {
				if words, ok := becomesRoot(a); ok {
					v, end = anyoneTakesAll, end+": "+words
				}
			}
		}
		x := way{root: k.Root, name: cmp.Or(entry.Account, firstPath(private)), services: through, vector: v, steps: []stage{
			{"take the private key out of an image or of any unit", private, []string{"key.*"}},
		}}
		for _, s := range through {
			x.steps = append(x.steps, enter(s))
		}
		x.steps = append(x.steps, stage{"show the key: an entry lets it in", entry, []string{"key.*"}}, stage{end, entry, nil})
		out = append(out, x)
	}
	return out
}

func firstPath(f fact.Fact) string {
	if p := f.Header().Places; len(p) > 0 {
		return p[0].Path
	}
	return ""
}

func updateOnPath(w *world) (out []way) {
	for _, u := range w.set.Update {
		clear := slices.Contains([]string{"http", "ftp", "tftp"}, u.Transport)
		if !found(u.Header()) || u.Signed.Or(true) || !clear && u.Verified.Or(true) || u.Transport == "ftp" && u.Mechanism == "upload" {
			continue
		}
		v, start := pathAndHelp, "wait until somebody starts an update"
		if u.Automatic.Or(false) {
			v, start = pathTakesAll, "wait: the device updates by itself"
		}
		how := "over " + u.Transport + ", which nothing protects"
		if !clear {
			how = "over " + u.Transport + " without checking the server"
		}
		out = append(out, way{root: u.Root, name: cmp.Or(u.Path, u.Mechanism), vector: v, steps: []stage{
			{"get onto the path between the device and its update server", nil, nil},
			{start + " (" + u.Mechanism + ")", u, nil},
			{"answer in the server's place: it is fetched " + how, u, []string{"update.clear-text", "update.server-not-verified"}},
			{"nothing checks a signature, and the device installs it", u, []string{"update.*"}},
		}})
	}
	return out
}

func updateFromStick(w *world) (out []way) {
	for _, u := range w.set.Update {
		if !found(u.Header()) || !u.Removable.Or(false) || u.Signed.Or(true) {
			continue
		}
		start := "start an update from it"
		if u.Automatic.Or(false) {
			start = "wait: plugging in is enough"
		}
		out = append(out, way{root: u.Root, name: cmp.Or(u.Path, u.Mechanism), vector: handsTakeAll, physical: true, open: true, steps: []stage{
			{"plug in a stick", nil, nil},
			{start, u, []string{"update.removable-medium"}},
			{"nothing checks a signature, and what lies on it is installed or run", u, []string{"update.*"}},
		}})
	}
	return out
}

func uploadToUpdate(w *world) (out []way) {
	for _, u := range w.set.Update {
		if !found(u.Header()) || u.Signed.Or(false) {
			continue
		}
		for _, s := range w.services[u.Root] {
			if !started(s) || !reached(s) || !s.Writable.Or(false) || s.Protocol == "" || u.Transport != s.Protocol {
				continue
			}
			x := way{root: u.Root, name: subjectOf(s), services: []*fact.Service{s}, vector: anyoneTakesAll, open: true, steps: []stage{enter(s, "service.ftp", "service.tftp", "service.writable-without-login", "vsftpd.*")}}
			if lets(s) {
				x.steps = append(x.steps, stage{"it asks for no login", s, nil})
			} else {
				i := slices.IndexFunc(w.set.Account, func(a *fact.Account) bool {
					return a.Root == s.Root && (a.Store == subjectOf(s) || a.Store == "system") && passwordWords(a) != "" && a.Login.Or(true)
				})
				if i < 0 {
					continue
				}
				x.steps = append(x.steps, stage{passwordWords(w.set.Account[i]), w.set.Account[i], []string{"account.*"}})
			}
			check := "nothing checks a signature, and it is installed"
			if !u.Signed.Stated() {
				check = "whether a signature is checked before it is installed is not stated"
				x.vector = anyoneWrites
			}
			x.steps = append(x.steps, stage{"store an update at " + cmp.Or(u.Path, "where updates are taken from"), u, []string{"update.*"}}, stage{check, u, nil})
			out = append(out, x)
		}
	}
	return out
}

func clinicalWrites(w *world) (out []way) {
	byName := map[string]*way{}
	var order []string
	w.each(func(s *fact.Service) {
		clinical := slices.Contains([]string{"dicom", "hl7", "mllp", "mqtt", "fhir"}, s.Protocol) || s.Product == "orthanc"
		if !clinical || !started(s) || !reached(s) || !lets(s) {
			return
		}
		writes := ""
		switch {
		case s.Writable.Or(false):
			writes = "store what it takes for true"
		case s.Protocol == "mqtt":
			writes = "publish any message"
		default:
			for _, e := range w.set.Endpoint {
				if e.Root == s.Root && (e.Service == s.Name || e.Service == s.Product) && e.Writes.Or(false) {
					writes = "write to " + e.Path
				}
			}
		}
		if writes == "" {
			return
		}
		k := at(s.Root, subjectOf(s))
		if byName[k] == nil {
			byName[k] = &way{root: s.Root, name: subjectOf(s), vector: anyoneWrites, open: true}
			order = append(order, k)
		}
		x := byName[k]
		x.services = append(x.services, s)
		x.steps = append(x.steps, enter(s, "service.*", "orthanc.*", "mosquitto.*"), stage{"it asks nobody who he is: " + writes, s, nil})
	})
	for _, k := range order {
		out = append(out, *byName[k])
	}
	return out
}

func consoleRoot(w *world) (out []way) {
	for _, b := range w.set.Boot {
		if !found(b.Header()) {
			continue
		}
		switch {
		case b.RootShell.Or(false):
			out = append(out, way{root: b.Root, name: b.Loader, vector: handsTakeAll, physical: true, open: true, steps: []stage{
				{"connect to the console " + b.Console.Or(""), b, nil},
				{"switch the device on: it starts into a shell of root", b, []string{"boot.root-shell"}},
			}})
		case b.Console.Stated() && !b.Login.Or(true):
			out = append(out, way{root: b.Root, name: b.Loader, vector: handsTakeAll, physical: true, open: true, steps: []stage{
				{"connect to the console " + b.Console.Or(""), b, nil},
				{"it gives a shell of root without a login", b, []string{"boot.console-open"}},
			}})
		case b.Console.Stated() && b.Login.Or(false):
			for _, a := range w.set.Account {
				words, root := becomesRoot(a)
				if login := passwordWords(a); a.Root == b.Root && a.Store == "system" && root && login != "" && a.Login.Or(true) {
					out = append(out, way{root: b.Root, name: a.Name, vector: handsTakeAll, physical: true, open: true, steps: []stage{
						{"connect to the console " + b.Console.Or(""), b, nil},
						{login, a, []string{"account.default-password", "account.empty-password", "account.guessable-password", "account.weak-hash"}},
						{words, a, nil},
					}})
				}
			}
		}
	}
	return out
}

func bootTakeover(w *world) (out []way) {
	for _, b := range w.set.Boot {
		if found(b.Header()) && b.Interactive.Or(false) && !b.Password.Or(false) && !b.Verified.Or(true) {
			out = append(out, way{root: b.Root, name: b.Loader, vector: handsTakeAll, physical: true, open: true, steps: []stage{
				{"connect to the console " + b.Console.Or(""), b, nil},
				{"stop " + b.Loader + " with a key: it asks for no password", b, []string{"boot.can-be-stopped"}},
				{"start another system: nothing checks what is started", b, []string{"boot.not-verified", "boot.environment-writable"}},
			}})
		}
	}
	return out
}

func webCommand(w *world) (out []way) {
	runs := []string{"shell-injection", "eval-input", "deserialise", "upload-any"}
	for _, x := range w.set.Script {
		i := slices.IndexFunc(x.Uses, func(u fact.Use) bool { return slices.Contains(runs, u.What) })
		if i < 0 || !x.CGI.Or(false) || !found(x.Header()) {
			continue
		}
		for _, s := range w.services[x.Root] {
			if strings.HasPrefix(s.Protocol, "http") && started(s) && reached(s) {
				v, ask := anyoneTakesAll, "it lets anyone in"
				if !lets(s) {
					v, ask = someoneTakesAll, "log in, where it asks for it"
				}
				out = append(out, way{root: x.Root, name: x.Path, services: []*fact.Service{s}, vector: v, open: lets(s), steps: []stage{
					enter(s, "service.http-login"),
					{ask, s, nil},
					{fmt.Sprintf("send a request with a command in it: %s at line %d of %s", x.Uses[i].What, x.Uses[i].Line, x.Path), x, []string{"script.*"}},
					{"it is run " + rights(s), s, []string{"service.daemon-as-root", "service.own-program-as-root"}},
				}})
				break
			}
		}
	}
	for _, e := range w.set.Endpoint {
		if !e.Commands.Or(false) || e.Authenticated.Or(true) || !found(e.Header()) {
			continue
		}
		for _, s := range w.services[e.Root] {
			if (s.Name == e.Service || s.Product == e.Service && e.Service != "") && started(s) && reached(s) {
				out = append(out, way{root: e.Root, name: e.Path, services: []*fact.Service{s}, vector: anyoneTakesAll, open: true, steps: []stage{
					enter(s),
					{"ask for " + e.Path + ": it asks for no login", e, []string{"endpoint.*"}},
					{"it runs a command " + rights(s), e, nil},
				}})
			}
		}
	}
	return out
}

func snmpWrites(w *world) (out []way) {
	for _, x := range w.set.Secret {
		if x.What != "community" || !x.Default.Or(false) || !strings.HasPrefix(x.Subject, "rw") || !found(x.Header()) {
			continue
		}
		for _, s := range w.services[x.Root] {
			if s.Protocol == "snmp" && started(s) && reached(s) && s.Writable.Or(true) {
				out = append(out, way{root: x.Root, name: subjectOf(s), services: []*fact.Service{s}, vector: anyoneWrites, open: true, steps: []stage{
					enter(s, "snmpd.*"),
					{"show the community, which is a published default", x, []string{"secret.*"}},
					{"change what the agent lets it change", s, []string{"snmpd.writable"}},
				}})
			}
		}
	}
	return out
}

func footholdToRoot(w *world) (out []way) {
	foothold := map[string]*fact.Service{}
	w.each(func(s *fact.Service) {
		if foothold[s.Root] == nil && started(s) && !s.AsRoot.Or(true) && reached(s) && s.Listens.Or(false) {
			foothold[s.Root] = s
		}
	})
	add := func(x fact.Fact, path string, rules ...string) {
		s := foothold[x.Header().Root]
		if s == nil || !found(x.Header()) {
			return
		}
		out = append(out, way{root: s.Root, name: path, services: []*fact.Service{s}, vector: skillTakesAll, steps: []stage{
			enter(s),
			{"find a flaw in it: it runs " + rights(s), s, nil},
			{"change " + path + ", which every user may write", x, rules},
			{"root runs it", x, nil},
		}})
	}
	for _, x := range w.set.Script {
		if x.WorldWritable.Or(false) && x.AsRoot.Or(false) {
			add(x, x.Path, "script.world-writable")
		}
	}
	for _, x := range w.set.File {
		if x.WorldWritable.Or(false) && x.RunByRoot.Or(false) && !slices.ContainsFunc(out, func(o way) bool { return o.root == x.Root && o.name == x.Path }) {
			add(x, x.Path, "file.world-writable")
		}
	}
	return out
}

func foreignPrograms(w *world) (out []way) {
	for _, m := range w.set.Mount {
		if !found(m.Header()) || !m.Remote.Or(false) || !m.Exec.Or(false) {
			continue
		}
		for _, d := range w.set.Destination {
			if d.Root == m.Root && d.Public.Or(false) && d.Host != "" && strings.HasPrefix(m.Device, d.Host+":") && !d.Encrypted.Or(false) && !d.Declared.Or(false) {
				out = append(out, way{root: m.Root, name: d.Host, vector: skillTakesAll, steps: []stage{
					{"own " + d.Host + ", or get onto the path to it", d, []string{"destination.*"}},
					{"the device mounts " + m.Device + " without protection", m, []string{"mount.remote-clear"}},
					{"programs on it may be run", m, []string{"mount.*"}},
				}})
			}
		}
	}
	return out
}

func memoryToRoot(w *world) (out []way) {
	w.each(func(s *fact.Service) {
		e := w.programs[at(s.Root, s.Program)]
		if e == nil || !started(s) || !reached(s) || !s.AsRoot.Or(false) || !s.Listens.Or(false) || !e.Vendor.Or(false) {
			return
		}
		soft := !e.Canary.Or(true) && (!e.NX.Or(true) || !e.PIE.Or(true))
		if !soft || len(e.Risky) == 0 {
			return
		}
		out = append(out, way{root: s.Root, name: subjectOf(s), services: []*fact.Service{s}, vector: skillTakesAll, steps: []stage{
			enter(s, "service.unknown-protocol", "service.binds-all-addresses"),
			{"send more than it expects: it copies without bounds (" + list(e.Risky, 4) + ")", e, []string{"executable.own-network-program-soft", "executable.unbounded-copies", "executable.stack-runs-code"}},
			{"its memory is not protected", e, nil},
			{"it runs as root", s, []string{"service.own-program-as-root"}},
		}})
	})
	return out
}

// exploited finds vulnerabilities that are known to be exploited in what a service runs as
// root: one way for each component, by the worst of them.
func exploited(w *world, matches []advisory.Match) (out []way) {
	seen := map[string]int{}
	for i := range matches {
		m := &matches[i]
		if !m.KEV || m.Status != advisory.Vulnerable || m.Vector == "" {
			continue
		}
		r, err := read(m.Vector)
		if err != nil || r.effective("AV") != "N" {
			continue
		}
		var through []*fact.Service
		for _, s := range w.exposed[at(m.Root, m.Component)] {
			if started(s) && reached(s) && s.AsRoot.Or(false) {
				through = append(through, s)
			}
		}
		if len(through) == 0 {
			continue
		}
		k := at(m.Root, m.Component)
		x := way{root: m.Root, name: m.Component, services: through, vector: m.Vector, match: m}
		for _, s := range through {
			x.steps = append(x.steps, enter(s))
		}
		x.steps = append(x.steps,
			stage{"use " + m.Advisory + " in " + strings.TrimSpace(m.Component+" "+m.Version) + ": attacks are known (" + w.via[k] + ")", nil, nil},
			stage{"the service runs as root", through[0], []string{"service.daemon-as-root", "service.own-program-as-root"}})
		if j, ok := seen[k]; ok {
			if old, err := read(out[j].vector); err == nil && old.score < r.score {
				out[j] = x
			}
			continue
		}
		seen[k] = len(out)
		out = append(out, x)
	}
	return out
}
