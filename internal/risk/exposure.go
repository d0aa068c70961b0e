package risk

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// world is the facts of a device, found by what ties them.
type world struct {
	set      *fact.Set
	services map[string][]*fact.Service    // root
	programs map[string]*fact.Executable   // root, path
	sonames  map[string][]*fact.Executable // root, any name that the linker finds it by
	owners   map[string][]string           // root, path: names of components
	exposed  map[string][]*fact.Service    // root, name of a component: the services that run it
	via      map[string]string             // root, name: how it is run, in words
	inRoot   map[string]bool               // roots whose programs were looked at
}

func at(parts ...string) string { return strings.Join(parts, "\x00") }

// found reports whether a fact speaks of the device itself and not of what is intended or
// claimed.
func found(b *fact.Base) bool {
	return b.Source.Witness != fact.Design && b.Source.Witness != fact.Claimed
}

func newWorld(set *fact.Set) *world {
	w := &world{
		set: set, services: map[string][]*fact.Service{}, programs: make(map[string]*fact.Executable, len(set.Executable)),
		sonames: make(map[string][]*fact.Executable, len(set.Executable)), owners: map[string][]string{}, exposed: map[string][]*fact.Service{},
		via: map[string]string{}, inRoot: map[string]bool{},
	}
	for _, s := range set.Service {
		if found(s.Header()) {
			w.services[s.Root] = append(w.services[s.Root], s)
		}
	}
	for _, e := range set.Executable {
		w.programs[at(e.Root, e.Path)] = e
		w.inRoot[e.Root] = true
		for _, name := range linkNames(path.Base(e.Path)) {
			w.sonames[at(e.Root, name)] = append(w.sonames[at(e.Root, name)], e)
		}
	}
	byName := map[string][]*fact.Component{}
	for _, c := range set.Component {
		if !found(c.Header()) {
			continue
		}
		byName[at(c.Root, c.Name)] = append(byName[at(c.Root, c.Name)], c)
		for _, p := range c.Places {
			if p.Path != "" {
				w.owners[at(c.Root, p.Path)] = append(w.owners[at(c.Root, p.Path)], c.Name)
			}
		}
	}
	for _, root := range sortedKeys(w.services) {
		for _, s := range w.services[root] {
			w.expose(s, byName)
		}
	}
	return w
}

// expose finds the components that a service runs: its program's, the libraries that it
// is linked to, and what their packages need.
func (w *world) expose(s *fact.Service, byName map[string][]*fact.Component) {
	seen := map[string]bool{}
	add := func(name, how string) {
		if seen[name] {
			return
		}
		seen[name] = true
		k := at(s.Root, name)
		w.exposed[k] = append(w.exposed[k], s)
		if w.via[k] == "" {
			w.via[k] = how
		}
	}
	for _, l := range s.Links {
		if l.Kind == fact.KindComponent {
			add(l.Key, "it is "+serviceWords(s)+" itself")
		}
	}
	for _, name := range w.owners[at(s.Root, s.Program)] {
		if s.Program != "" {
			add(name, "it is "+serviceWords(s)+" itself")
		}
	}
	if e := w.programs[at(s.Root, s.Program)]; e != nil {
		visited := map[*fact.Executable]bool{e: true}
		for todo := []*fact.Executable{e}; len(todo) > 0; {
			e, todo = todo[0], todo[1:]
			for _, needed := range e.Needed {
				for _, lib := range w.sonames[at(s.Root, needed)] {
					for _, name := range w.owners[at(s.Root, lib.Path)] {
						add(name, serviceWords(s)+" is linked to it ("+needed+")")
					}
					if !visited[lib] {
						visited[lib] = true
						todo = append(todo, lib)
					}
				}
			}
		}
	}
	for todo := sortedKeys(seen); len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		for _, c := range byName[at(s.Root, name)] {
			for _, d := range c.Depends {
				if byName[at(s.Root, d)] != nil && !seen[d] {
					add(d, serviceWords(s)+" needs it ("+name+" depends on "+d+")")
					todo = append(todo, d)
				}
			}
		}
	}
}

var libraryVersion = regexp.MustCompile(`^(lib.+?)-[0-9][0-9.]*\.so$`)

// linkNames gives the names by which a linker finds a library: libssl.so.1.0.0 also as
// libssl.so.1.0, libssl.so.1 and libssl.so, libc-2.36.so as libc.so.6.
func linkNames(base string) []string {
	i := strings.Index(base, ".so")
	if i < 0 {
		return nil
	}
	out := []string{base}
	for name := base; len(name) > i+3; {
		j := strings.LastIndexByte(name, '.')
		if j < i+3 {
			break
		}
		name = name[:j]
		out = append(out, name)
	}
	if !strings.Contains(base, "-") {
		return out
	}
	if m := libraryVersion.FindStringSubmatch(base); m != nil {
		out = append(out, m[1]+".so")
		if m[1] == "libc" || m[1] == "libm" {
			out = append(out, m[1]+".so.6")
		}
	}
	return out
}

// serviceWords name a service with its port.
func serviceWords(s *fact.Service) string {
	if port, ok := s.Port.Value(); ok && port > 0 {
		return s.Name + " (" + transport(s) + "/" + strconv.Itoa(port) + ")"
	}
	return s.Name
}

func transport(s *fact.Service) string {
	if s.Transport == "" {
		return "tcp"
	}
	return s.Transport
}

// exposure says how services are reached, the most exposed of them first. None gives an
// exposure of which nothing is stated.
func exposureOf(services []*fact.Service) Exposure {
	var e Exposure
	if len(services) == 0 {
		return e
	}
	starts := []string{"boot", "on-demand", "", "conditional", "never"}
	best := len(starts) - 1
	network, anyNo, allYes := -1, false, true
	for _, s := range services {
		start := slices.Index(starts, s.Start.Or(""))
		if start < 0 {
			start = 2
		}
		best = min(best, start)
		if s.Start.Or("") == "never" {
			continue
		}
		e.Services = append(e.Services, serviceWords(s))
		switch reachable, ok := reach(s); {
		case ok && reachable:
			network = max(network, 2)
		case !ok:
			network = max(network, 1)
		default:
			network = max(network, 0)
		}
		// Who only listens inside asks nobody from outside.
		if reachable, ok := reach(s); ok && !reachable {
			continue
		}
		auth, ok := s.Authenticated.Value()
		switch {
		case ok && !auth || s.Anonymous.Or(false):
			anyNo = true
		case !ok:
			allYes = false
		}
	}
	e.Started = starts[best]
	switch network {
	case 2:
		e.Network = "network"
	case 0:
		e.Network = "local"
	}
	switch {
	case anyNo:
		e.Authenticated = "no"
	case allYes && network > 0:
		e.Authenticated = "yes"
	}
	slices.Sort(e.Services)
	e.Services = slices.Compact(e.Services)
	return e
}

// reach says whether a service can be reached from another machine, where facts say it. Of
// one that only calls others, a client of the network, nothing is said: answers reach it.
func reach(s *fact.Service) (reachable, stated bool) {
	if l, ok := s.Listens.Value(); ok && !l {
		return false, false
	}
	if r, ok := s.Reachable.Value(); ok {
		return r, true
	}
	switch {
	case s.Bind == "0.0.0.0" || s.Bind == "::" || s.Bind == "*":
		return true, true
	case strings.HasPrefix(s.Bind, "127.") || s.Bind == "::1" || s.Bind == "localhost" || s.Transport == "unix":
		return false, true
	}
	return false, false
}

// words say what is known of an exposure, and what is not.
func (e Exposure) words() string {
	if e.Network == "physical" {
		return "reached with the hands on the device"
	}
	if len(e.Services) == 0 && e.Started == "" && e.Network == "" {
		return "which service exposes it is not stated"
	}
	var parts []string
	if len(e.Services) > 0 {
		list := e.Services
		if len(list) > 4 {
			list = append(slices.Clone(list[:4]), strconv.Itoa(len(e.Services)-4)+" more")
		}
		parts = append(parts, "by "+strings.Join(list, ", "))
	}
	switch e.Started {
	case "boot":
		parts = append(parts, "started at boot")
	case "":
		parts = append(parts, "whether it is started is not stated")
	default:
		parts = append(parts, "started "+e.Started)
	}
	switch e.Network {
	case "":
		parts = append(parts, "from where it is reached is not stated")
	case "local":
		parts = append(parts, "reached from inside the device only")
	case "adjacent":
		parts = append(parts, "reached from the same network")
	default:
		parts = append(parts, "reached over the network")
	}
	switch e.Authenticated {
	case "yes":
		parts = append(parts, "it asks who is there")
	case "no":
		parts = append(parts, "it lets anyone in")
	default:
		if e.Network != "local" {
			parts = append(parts, "whether it asks who is there is not stated")
		}
	}
	return strings.Join(parts, ", ")
}

// loginServices let an account in: the ones that ask for a system's login, or the program
// that keeps the account itself.
func (w *world) loginServices(a *fact.Account) []*fact.Service {
	var out []*fact.Service
	for _, s := range w.services[a.Root] {
		if a.Store != "system" {
			if s.Product == a.Store || s.Name == a.Store {
				out = append(out, s)
			}
			continue
		}
		switch s.Protocol {
		case "ssh", "telnet", "rlogin", "rsh":
			out = append(out, s)
		case "ftp":
			if a.Login.Or(true) {
				out = append(out, s)
			}
		}
	}
	return out
}
