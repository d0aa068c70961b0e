package firmware

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/setting/daemon"
)

// settings states the effective settings of the daemons that are started or present, and
// completes the services with what follows from them. It runs after the inspectors that
// state components and services.
var settings = inspector{
	name:  "settings",
	kinds: []fact.Kind{fact.KindSetting},
	look:  lookSettings,
}

// daemons are the descriptions, read once.
var daemons = sync.OnceValues(daemon.Load)

// settler is the work on one root.
type settler struct {
	*Root
	all    []*daemon.Daemon
	distro string
	said   map[string]bool // facts that are stated
}

func lookSettings(r *Root) {
	all, err := daemons()
	if err != nil {
		r.Blind(fact.KindSetting, "none", err.Error())
		return
	}
	s := &settler{Root: r, all: all, distro: distroID(r), said: map[string]bool{}}
	started := map[string]int{} // services of each daemon
	subject := func(v *fact.Service) *daemon.Daemon {
		if v.Product == "" {
			if d := daemon.ByProgram(all, path.Base(v.Program)); d != nil {
				v.Product = d.Subject
			}
		}
		return daemon.BySubject(all, v.Product)
	}
	for _, v := range r.Facts.Service {
		if d := subject(v); d != nil {
			started[d.Subject]++
		}
	}
	services := []*fact.Service{}
	done := map[string]bool{}
	for _, v := range r.Facts.Service {
		d := subject(v)
		if d == nil {
			services = append(services, v)
			continue
		}
		res := s.effective(d, v)
		if v.Instance == "" {
			v.Instance = res.Instance
		}
		if v.Instance == "" {
			v.Instance = "command line"
			if started[d.Subject] > 1 {
				v.Instance += " of " + v.Name
			}
		}
		// The same start in two run levels is said once.
		key := strings.Join(append([]string{d.Subject, v.Instance}, v.Arguments...), "\x00")
		if !done[key] {
			done[key] = true
			s.state(d, v.Instance, res, v.Places)
		}
		services = append(services, completeService(v, res)...)
	}
	r.services = services
	for _, d := range all {
		if started[d.Subject] == 0 {
			s.idle(d)
		}
	}
}

// distroID returns the ID of os-release.
func distroID(r *Root) string {
	for _, p := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		text, _ := r.Text(p)
		for line := range strings.Lines(text) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), "ID="); ok {
				return strings.Trim(id, `"'`)
			}
		}
	}
	return ""
}

// effective computes the settings of a service.
func (s *settler) effective(d *daemon.Daemon, v *fact.Service) daemon.Result {
	program := v.Program
	if base := path.Base(program); !slices.Contains(d.Programs, base) && len(d.Programs) > 0 {
		program = d.Programs[0] // BusyBox and the like: the applet
		if slices.Contains(d.Programs, v.Name) {
			program = v.Name
		}
	}
	in := s.instance(d, v.Program)
	in.Program, in.Args = program, v.Arguments
	in.Applet = path.Base(v.Program) == "busybox" || path.Base(v.Program) == "toybox"
	return d.Effective(in).Masked()
}

// instance is the daemon in this root, without arguments.
func (s *settler) instance(d *daemon.Daemon, program string) daemon.Instance {
	return daemon.Instance{
		Program: program, Version: s.version(d.Component, program), Distro: s.distro, Open: s.Text,
		Glob: func(pattern string) []string {
			var out []string
			for _, f := range s.list(pattern) {
				out = append(out, f.Path)
			}
			return out
		},
	}
}

// list returns the entries that match a pattern whose directory may be a link.
func (s *settler) list(pattern string) []*File {
	dir, name := path.Split(pattern)
	if strings.ContainsAny(dir, "*?[") {
		return s.Glob(pattern)
	}
	var out []*File
	for _, f := range s.Dir(strings.TrimSuffix(dir, "/")) {
		if ok, err := path.Match(name, path.Base(f.Path)); ok && err == nil && !strings.HasPrefix(path.Base(f.Path), ".") {
			out = append(out, f)
		}
	}
	return out
}

// version returns the version of a component, or nothing where it has none or several.
func (s *settler) version(name, program string) string {
	found := ""
	for _, c := range s.Facts.Component {
		if name == "" || c.Name != name || c.Version == "" {
			continue
		}
		if slices.ContainsFunc(c.Places, func(p fact.Place) bool { return program != "" && p.Path == program }) {
			return c.Version
		}
		if found != "" && found != c.Version {
			found = ""
			break
		}
		found = c.Version
	}
	return found
}

// idle states the settings of a daemon that nothing starts but that is there: those of its
// files, and with its program also what holds by default.
func (s *settler) idle(d *daemon.Daemon) {
	program := s.program(d)
	in := s.instance(d, "")
	in.Program = program
	res := d.Effective(in).Masked()
	if res.Instance == "" {
		return
	}
	f := s.Lookup(res.Instance)
	for _, v := range res.Settings {
		if f == nil && v.Path != "" {
			f = s.Lookup(v.Path)
		}
	}
	if f == nil {
		return
	}
	if program == "" && len(d.Programs) > 0 {
		res.Settings = slices.DeleteFunc(res.Settings, func(v daemon.Setting) bool { return v.Origin != "file" })
	}
	s.state(d, res.Instance, res, []fact.Place{f.At(0)})
}

// program returns the path of a daemon's own program, or nothing.
func (s *settler) program(d *daemon.Daemon) string {
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/libexec"} {
		for _, p := range d.Programs {
			if f := s.Lookup(dir + "/" + p); f != nil && f.Node.Kind == image.File && path.Base(f.Path) != "busybox" {
				return f.Path
			}
		}
	}
	return ""
}

// state adds the settings as facts. What no file says has the place of the instance.
func (s *settler) state(d *daemon.Daemon, instance string, res daemon.Result, places []fact.Place) {
	main := places
	if f := s.Lookup(res.Instance); f != nil && res.Instance != "" {
		main = []fact.Place{f.At(0)}
	}
	for _, v := range res.Settings {
		f := &fact.Setting{
			Subject: d.Subject, Instance: instance, Scope: v.Scope, Name: v.Key, Ordinal: v.Ordinal,
			Raw: v.Raw, Origin: v.Origin,
		}
		if !v.Open {
			f.Value = fact.Say(v.Value)
		}
		switch v.Origin {
		case "file":
			at := s.Lookup(v.Path)
			if at == nil {
				continue
			}
			f.Places = []fact.Place{at.At(v.Line)}
		case "argument":
			f.Places = slices.Clone(places)
		default:
			f.Places = slices.Clone(main)
		}
		// What two starts have in common is said once.
		if key := strings.Join([]string{f.Key(), v.Origin, v.Value, v.Path}, "\x00"); !s.said[key] {
			s.said[key] = true
			s.Add(f)
		}
	}
}

// completeService states what follows from the settings, where the start did not say it: one
// service for each listener.
func completeService(v *fact.Service, res daemon.Result) []*fact.Service {
	offers := mergeListeners(res.Services)
	if len(offers) == 0 {
		return []*fact.Service{v}
	}
	if port, ok := v.Port.Value(); ok {
		// Somebody else listens for it, or its port was told: one service it stays.
		at := max(0, slices.IndexFunc(offers, func(o daemon.Service) bool { return o.Port.Or(0) == port }))
		fillService(v, offers[at])
		return []*fact.Service{v}
	}
	if len(offers) == 1 {
		fillService(v, offers[0])
		return []*fact.Service{v}
	}
	var out []*fact.Service
	for i, o := range offers {
		c := *v
		c.Places = slices.Clone(v.Places)
		c.Name += ":" + listenerName(o, i)
		if slices.ContainsFunc(out, func(s *fact.Service) bool { return s.Name == c.Name }) {
			c.Name += "#" + strconv.Itoa(i+1)
		}
		fillService(&c, o)
		out = append(out, &c)
	}
	return out
}

// listenerName tells the listeners of a daemon apart.
func listenerName(o daemon.Service, i int) string {
	switch port, ok := o.Port.Value(); {
	case ok && o.Transport == "udp":
		return strconv.Itoa(port) + "/udp"
	case ok:
		return strconv.Itoa(port)
	case o.Name != "":
		return o.Name
	case o.Transport == "unix":
		return "unix"
	}
	return strconv.Itoa(i + 1)
}

// mergeListeners makes one of listeners at the same port: both families of addresses, or many hosts
// behind one address. Where they differ, the weaker of them counts.
func mergeListeners(list []daemon.Service) []daemon.Service {
	var out []daemon.Service
	for _, s := range list {
		i := slices.IndexFunc(out, func(o daemon.Service) bool {
			return o.Protocol == s.Protocol && o.Transport == s.Transport && o.Port == s.Port && o.Name == s.Name
		})
		if i < 0 {
			out = append(out, s)
			continue
		}
		o := &out[i]
		if !o.Reachable.Or(false) && s.Reachable.Or(false) {
			o.Bind = s.Bind
		}
		o.Bind = cmp.Or(o.Bind, s.Bind)
		o.Reachable, o.Anonymous = weaker(o.Reachable, s.Reachable, true), weaker(o.Anonymous, s.Anonymous, true)
		o.Shell, o.Writable = weaker(o.Shell, s.Shell, true), weaker(o.Writable, s.Writable, true)
		o.Encrypted, o.Authenticated = weaker(o.Encrypted, s.Encrypted, false), weaker(o.Authenticated, s.Authenticated, false)
	}
	return out
}

// weaker is the weaker of two statements; one that is not made leaves the other open,
// unless that is the weaker already.
func weaker(a, b fact.Opt[bool], weak bool) fact.Opt[bool] {
	if a == b || a.Stated() && a.Or(!weak) == weak {
		return a
	}
	if b.Stated() && b.Or(!weak) == weak {
		return b
	}
	return fact.Opt[bool]{}
}

// fillService states in a service what is not stated yet.
func fillService(v *fact.Service, o daemon.Service) {
	v.Protocol, v.Transport, v.Bind = cmp.Or(v.Protocol, o.Protocol), cmp.Or(v.Transport, o.Transport), cmp.Or(v.Bind, o.Bind)
	if !v.Port.Stated() {
		v.Port = o.Port
	}
	for _, pair := range []struct {
		to   *fact.Opt[bool]
		from fact.Opt[bool]
	}{
		{&v.Listens, o.Listens}, {&v.Reachable, o.Reachable}, {&v.Encrypted, o.Encrypted}, {&v.Authenticated, o.Authenticated},
		{&v.Anonymous, o.Anonymous}, {&v.Shell, o.Shell}, {&v.Writable, o.Writable},
	} {
		if !pair.to.Stated() {
			*pair.to = pair.from
		}
	}
	// A daemon that is started as root and gives that up runs as the other user.
	if user := v.User.Or("root"); o.User != "" && (user == "root" || user == "0") {
		v.User = fact.Say(o.User)
		v.AsRoot = fact.Say(o.User == "root" || o.User == "0")
	}
}
