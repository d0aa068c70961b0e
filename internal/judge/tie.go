package judge

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// addLinks gives a kind the fields that are ties to other facts.
func (w *view) addLinks(k *kindType, kind fact.Kind) {
	tie := func(name string, to fact.Kind, get func(*value) *value) {
		k.add(name, w.kinds[string(to)].typ, func(v *value, unknown *types.Unknown) ref.Val {
			if t := get(v); t != nil {
				return t
			}
			return unknown
		})
	}
	component := func(v *value) *value { return v.component }
	service := func(v *value) *value { return v.service }
	switch kind {
	case fact.KindService:
		tie("component", fact.KindComponent, component)
		tie("account", fact.KindAccount, func(v *value) *value { return v.account })
		tie("executable", fact.KindExecutable, func(v *value) *value { return v.executable })
		k.add("settings", types.NewMapType(types.StringType, types.StringType), func(v *value, unknown *types.Unknown) ref.Val {
			if v.settings == nil {
				return unknown
			}
			return v.settings
		})
		k.add("guards", types.NewListType(w.kinds["guard"].typ), func(v *value, unknown *types.Unknown) ref.Val {
			if v.guards == nil {
				return unknown
			}
			return v.guards
		})
		k.add("seen", types.BoolType, func(v *value, unknown *types.Unknown) ref.Val {
			if b, ok := v.seen.Value(); ok {
				return types.Bool(b)
			}
			return unknown
		})
	case fact.KindExecutable, fact.KindScript:
		tie("component", fact.KindComponent, component)
		tie("service", fact.KindService, service)
	case fact.KindSetting, fact.KindGuard, fact.KindEndpoint:
		tie("service", fact.KindService, service)
	case fact.KindSecret:
		tie("account", fact.KindAccount, func(v *value) *value { return v.account })
	case fact.KindDestination:
		tie("executable", fact.KindExecutable, func(v *value) *value { return v.executable })
	case fact.KindFile:
		tie("script", fact.KindScript, func(v *value) *value { return v.script })
		tie("executable", fact.KindExecutable, func(v *value) *value { return v.executable })
	case fact.KindComponent:
		text := func(name string, get func(*value) string) {
			k.add(name, types.StringType, func(v *value, unknown *types.Unknown) ref.Val {
				if s := get(v); s != "" {
					return types.String(s)
				}
				return unknown
			})
		}
		text("sbom", func(v *value) string { return v.sbom })
		text("sbom_version", func(v *value) string { return v.sbomVersion })
	default:
	}
}

// tie fills the ties between the values of a world.
func (w *world) tie() {
	owners := map[string]*value{}
	for _, v := range w.of(fact.KindComponent) {
		if c := v.fact.(*fact.Component); c.Source.Witness != fact.Claimed {
			for _, p := range c.Places {
				if at := c.Root + "\x00" + p.Path; p.Path != "" && owners[at] == nil {
					owners[at] = v
				}
			}
			if at := c.Root + "\x00\x00" + c.Key(); owners[at] == nil {
				owners[at] = v
			}
		}
	}
	keyed := map[fact.Kind]map[string]*value{fact.KindAccount: {}, fact.KindExecutable: {}, fact.KindComponent: {}}
	for k, m := range keyed {
		for _, v := range w.of(k) {
			if at := v.fact.Header().Root + "\x00" + v.fact.Key(); m[at] == nil {
				m[at] = v
			}
		}
	}
	started := map[string]*value{}
	for _, v := range w.of(fact.KindService) {
		s := v.fact.(*fact.Service)
		for _, l := range s.Links {
			at := s.Root + "\x00" + l.Key
			switch l.Kind {
			case fact.KindAccount:
				v.account = keyed[l.Kind][at]
			case fact.KindExecutable:
				v.executable = keyed[l.Kind][at]
			case fact.KindComponent:
				v.component = keyed[l.Kind][at]
			default:
			}
		}
		for _, p := range append([]string{s.Program}, s.Arguments...) {
			if at := s.Root + "\x00" + p; p != "" && (started[at] == nil || s.Start.Or("") == "boot") {
				started[at] = v
			}
		}
	}
	files := map[string]*value{}
	for _, v := range w.of(fact.KindFile) {
		files[v.fact.Header().Root+"\x00"+v.fact.(*fact.File).Path] = v
	}
	for _, k := range []fact.Kind{fact.KindExecutable, fact.KindScript} {
		for _, v := range w.of(k) {
			at := v.fact.Header().Root + "\x00" + pathOf(v.fact)
			v.service, v.component = started[at], owners[at]
			if f := files[at]; f != nil && k == fact.KindScript {
				f.script = v
			} else if f != nil {
				f.executable = v
			}
		}
	}
	for _, v := range w.of(fact.KindSecret) {
		s := v.fact.(*fact.Secret)
		v.account = keyed[fact.KindAccount][s.Root+"\x00"+s.For+"|"+s.User]
	}
	for _, v := range w.of(fact.KindDestination) {
		if d := v.fact.Header(); len(d.Places) > 0 {
			v.executable = keyed[fact.KindExecutable][d.Root+"\x00"+fact.NormalPath(d.Places[0].Path)]
		}
	}
	w.tieSettings()
	w.tieGuards()
	w.tieSBOM()
	w.tiePorts()
}

func pathOf(f fact.Fact) string {
	switch f := f.(type) {
	case *fact.Executable:
		return f.Path
	case *fact.Script:
		return f.Path
	}
	return ""
}

// tieSettings gives each service the effective settings of its product and instance, and
// each setting its service.
func (w *world) tieSettings() {
	bySubject := map[string][]*value{}
	for _, v := range w.of(fact.KindSetting) {
		s := v.fact.(*fact.Setting)
		at := s.Root + "\x00" + s.Subject
		bySubject[at] = append(bySubject[at], v)
	}
	made := map[string]*options{}
	for _, v := range w.of(fact.KindService) {
		s := v.fact.(*fact.Service)
		start := s.Root + "\x00" + s.Product + "\x00" + s.Instance + "\x00" + s.Start.Or("")
		if o, ok := made[start]; ok {
			v.settings = o
			continue
		}
		var mine []*value
		for _, t := range bySubject[s.Root+"\x00"+s.Product] {
			set := t.fact.(*fact.Setting)
			if s.Product == "" || s.Instance != "" && set.Instance != "" && set.Instance != s.Instance && set.Origin != "argument" {
				continue
			}
			mine = append(mine, t)
			if old := t.service; old == nil || old.fact.(*fact.Service).Start.Or("") != "boot" {
				t.service = v
			}
		}
		if len(mine) > 0 {
			v.settings = effective(s.Product, mine)
		}
		made[start] = v.settings
	}
}

// effective chooses one value for each key: unscoped before scoped, arguments before
// files before defaults, the first of several.
func effective(of string, list []*value) *options {
	rank := func(s *fact.Setting) int {
		n := map[string]int{"argument": 0, "file": 1, "": 1, "default": 2, "compiled": 3}[s.Origin]
		if s.Scope != "" {
			n += 10
		}
		return n*1000 + min(s.Ordinal, 999)
	}
	out := &options{of: of, values: map[string]ref.Val{}}
	best := map[string]int{}
	for _, v := range list {
		s := v.fact.(*fact.Setting)
		val, ok := s.Value.Value()
		if !ok {
			continue
		}
		if old, seen := best[s.Name]; !seen || rank(s) < old {
			best[s.Name], out.values[s.Name] = rank(s), types.String(val)
		}
	}
	return out
}

// tieGuards gives each service the guards of its product.
func (w *world) tieGuards() {
	bySubject := map[string][]ref.Val{}
	for _, v := range w.of(fact.KindGuard) {
		g := v.fact.(*fact.Guard)
		at := g.Root + "\x00" + g.Subject
		bySubject[at] = append(bySubject[at], v)
	}
	for _, v := range w.of(fact.KindService) {
		s := v.fact.(*fact.Service)
		list := slices.Clone(bySubject[s.Root+"\x00"+s.Product])
		if s.Name != s.Product {
			list = append(list, bySubject[s.Root+"\x00"+s.Name]...)
		}
		if u := w.unseen(fact.KindGuard, s.Root); u != nil {
			list = append(list, &value{kind: w.view.of[fact.KindGuard], unseen: u})
		}
		v.guards = types.NewRefValList(w.view, list)
		for _, g := range list {
			if g := g.(*value); g.unseen == nil && g.service == nil {
				g.service = v
			}
		}
	}
}

// tieSBOM holds the declared components against the found ones: declared ones are found,
// missing or of another version; found ones are declared or undeclared. Nothing is missing
// while some of the image was not seen.
func (w *world) tieSBOM() {
	found, declared := map[string][]*value{}, map[string][]*value{}
	for _, v := range w.of(fact.KindComponent) {
		c := v.fact.(*fact.Component)
		switch name := plain(c.Name); c.Source.Witness {
		case fact.Claimed:
			declared[name] = append(declared[name], v)
		case fact.Firmware:
			found[name] = append(found[name], v)
		default:
		}
	}
	if len(declared) == 0 {
		return
	}
	hold := func(v *value, other []*value, absent, present string) {
		c := v.fact.(*fact.Component)
		if len(other) == 0 {
			if absent != "missing" || w.unseen(fact.KindComponent, everywhere) == nil {
				v.sbom = absent
			}
			return
		}
		v.sbom = present
		var versions []string
		for _, o := range other {
			ov := o.fact.(*fact.Component).Version
			if c.Version == "" || ov == "" || sameVersion(c.Version, ov) {
				return
			}
			if !slices.Contains(versions, ov) {
				versions = append(versions, ov)
			}
		}
		slices.Sort(versions)
		v.sbom, v.sbomVersion = "version differs", strings.Join(versions, ", ")
	}
	for name, list := range declared {
		for _, v := range list {
			hold(v, found[name], "missing", "found")
		}
	}
	for name, list := range found {
		for _, v := range list {
			hold(v, declared[name], "undeclared", "declared")
		}
	}
}

// plain makes the spellings of a component's name alike: OpenSSL, libssl3 and openssl are
// for the component worker to unite, but case, lib and a soname's number are only noise.
func plain(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	switch name {
	case "linux-kernel", "linux_kernel", "kernel":
		return "linux"
	case "gnu c library", "libc6":
		return "glibc"
	}
	return strings.NewReplacer(" ", "-", "_", "-").Replace(name)
}

// sameVersion compares upstream versions: a distribution's suffix and an epoch do not
// count.
func sameVersion(a, b string) bool {
	trim := func(s string) string {
		if i := strings.IndexByte(s, ':'); i > 0 && i < 3 {
			s = s[i+1:]
		}
		s = strings.TrimPrefix(strings.ToLower(s), "v")
		if i := strings.IndexAny(s, "-+~"); i > 0 {
			s = s[:i]
		}
		return s
	}
	return trim(a) == trim(b)
}

// tiePorts says of each declared port whether the firmware listens there. It stays open
// while a service of the firmware listens at a port that is not stated.
func (w *world) tiePorts() {
	open := false
	seen := map[string]bool{}
	any := false
	for _, v := range w.of(fact.KindService) {
		s := v.fact.(*fact.Service)
		if s.Source.Witness != fact.Firmware {
			continue
		}
		any = true
		if port, ok := s.Port.Value(); ok {
			seen[transport(s)+"/"+strconv.Itoa(port)] = true
		} else if s.Listens.Or(true) {
			open = true
		}
	}
	for _, v := range w.of(fact.KindService) {
		s := v.fact.(*fact.Service)
		if s.Source.Witness != fact.Design && s.Source.Witness != fact.Claimed || !any {
			continue
		}
		port, _ := s.Port.Value()
		switch there := seen[transport(s)+"/"+strconv.Itoa(port)]; {
		case there:
			v.seen = fact.Say(true)
		case !open:
			v.seen = fact.Say(false)
		}
	}
}
