package daemon

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Offer says how settings make services: none, one, or one for each value of a key.
type Offer struct {
	Name string     `yaml:"name"` // where a daemon offers several different ones: http, dicom
	When conditions `yaml:"when"` // else it is not offered
	Each string     `yaml:"each"` // key of which every value is a listener: listen
	From string     `yaml:"from"` // beginning of the names of sections that are listeners; the rest is the address
	Port []string   `yaml:"port"` // keys that hold ports or addresses with ports, the first that is in force
	Bind []string   `yaml:"bind"` // keys that hold addresses

	Joined bool `yaml:"joined"` // a comma joins the parts of one address
	Offset int  `yaml:"offset"` // of a port that is written as :N, a display

	DefaultPort Choice `yaml:"default-port"`
	DefaultBind Choice `yaml:"default-bind"`

	Listens       Choice `yaml:"listens"`   // stated yes unless said otherwise
	Reachable     Choice `yaml:"reachable"` // else as the address says
	Protocol      Choice `yaml:"protocol"`
	Transport     Choice `yaml:"transport"`
	Encrypted     Choice `yaml:"encrypted"`
	Authenticated Choice `yaml:"authenticated"`
	Anonymous     Choice `yaml:"anonymous"`
	Shell         Choice `yaml:"shell"`
	Writable      Choice `yaml:"writable"`
	User          Choice `yaml:"user"`
}

// Service is what one listener offers. What cannot be derived is unstated.
type Service struct {
	Name          string
	Scope         string // of its settings
	Protocol      string
	Transport     string
	Port          fact.Opt[int]
	Bind          string
	User          string
	Listens       fact.Opt[bool]
	Reachable     fact.Opt[bool]
	Encrypted     fact.Opt[bool]
	Authenticated fact.Opt[bool]
	Anonymous     fact.Opt[bool]
	Shell         fact.Opt[bool]
	Writable      fact.Opt[bool]
}

func (o *Offer) check() error {
	for _, c := range []Choice{o.Listens, o.Reachable, o.Encrypted, o.Authenticated, o.Anonymous, o.Shell, o.Writable} {
		for _, line := range c {
			if !slices.Contains([]string{"yes", "no", "unknown"}, line.Is) {
				return fmt.Errorf("choice %q is neither yes nor no", line.Is)
			}
		}
	}
	return nil
}

// keys are the settings that an offer asks for.
func (o *Offer) keys() []string {
	out := slices.Concat(o.Port, o.Bind)
	if o.Each != "" {
		out = append(out, o.Each)
	}
	add := func(list []condition) {
		for _, c := range list {
			if !slices.Contains([]string{"it", "port", "version", "program", "applet"}, c.Key) && !strings.HasPrefix(c.Op, "in ") {
				out = append(out, c.Key)
			}
		}
	}
	add(o.When)
	for _, c := range []Choice{
		o.DefaultPort, o.DefaultBind, o.Listens, o.Reachable, o.Protocol, o.Transport, o.Encrypted, o.Authenticated,
		o.Anonymous, o.Shell, o.Writable, o.User,
	} {
		for _, line := range c {
			add(line.When)
			if key, ok := strings.CutPrefix(line.Is, "$"); ok {
				out = append(out, key)
			}
		}
	}
	return out
}

const maxServices = 64

// services derives what the settings offer.
func (r *reading) services() []Service {
	var out []Service
	for i := range r.d.Services {
		o := &r.d.Services[i]
		if o.From != "" {
			out = append(out, r.sectioned(o)...)
			continue
		}
		if o.Each == "" {
			if v := (view{r: r}); v.all(o.When) == yes {
				for _, a := range v.addresses(o) {
					out = append(out, v.service(o, a))
				}
			}
			continue
		}
		for _, s := range r.res.Settings {
			if s.Key != o.Each || len(out) >= maxServices {
				continue
			}
			v := view{r: r, scope: s.Scope, it: s.Value}
			if v.all(o.When) != yes {
				continue
			}
			for _, a := range o.parse(s.Value) {
				v.fill(o, &a)
				out = append(out, v.service(o, a))
			}
		}
	}
	if len(out) > maxServices {
		out = out[:maxServices]
	}
	return out
}

// sectioned derives the listeners that sections are.
func (r *reading) sectioned(o *Offer) []Service {
	var out []Service
	done := map[string]bool{}
	for _, s := range r.res.Settings {
		at, ok := strings.CutPrefix(s.Scope, o.From)
		if !ok || done[s.Scope] || len(out) >= maxServices {
			continue
		}
		done[s.Scope] = true
		v := view{r: r, scope: s.Scope, it: at}
		if v.all(o.When) != yes {
			continue
		}
		for _, a := range o.parse(at) {
			v.fill(o, &a)
			out = append(out, v.service(o, a))
		}
	}
	return out
}

// addresses are the places where an offer listens: every port at every address.
func (v view) addresses(o *Offer) []address {
	var out []address
	var ports []string
	for _, k := range o.Port {
		if ports = v.values(k); len(ports) > 0 {
			break
		}
	}
	for _, k := range o.Bind {
		for _, text := range v.values(k) {
			for _, a := range o.parse(text) {
				if a.port != 0 || len(ports) == 0 {
					out = append(out, a)
					continue
				}
				for _, p := range ports {
					a.port = o.number(p)
					out = append(out, a)
				}
			}
		}
	}
	if len(out) == 0 {
		for _, p := range ports {
			out = append(out, o.parse(p)...)
		}
	}
	if len(out) == 0 {
		out = append(out, address{})
	}
	for i := range out {
		v.fill(o, &out[i])
	}
	return out
}

// values are all values of a key in the view's section or the nearest around it.
func (v view) values(key string) []string {
	first, ok := v.find(key)
	if !ok {
		return nil
	}
	var out []string
	for _, s := range v.r.res.Settings {
		if s.Key == key && s.Scope == first.Scope {
			out = append(out, s.Value)
		}
	}
	return out
}

// fill completes an address from the offer's defaults.
func (v view) fill(o *Offer, a *address) {
	if a.transport == "unix" {
		return
	}
	if a.port == 0 {
		for _, k := range o.Port {
			if s, ok := v.find(k); ok && a.port == 0 {
				a.port = o.number(s.Value)
			}
		}
	}
	if a.port == 0 && v.settled(o.Port) {
		if p, ok := v.choose(o.DefaultPort); ok {
			a.port = number(p)
		}
	}
	if a.bind == "" {
		for _, k := range o.Bind {
			if s, ok := v.find(k); ok && a.bind == "" {
				for _, b := range o.parse(s.Value) {
					a.bind = b.bind
				}
			}
		}
	}
	if a.bind == "" && v.settled(o.Bind) {
		a.bind, _ = v.choose(o.DefaultBind)
	}
}

// settled reports whether it is known what is said of the keys: nothing that is not known.
func (v view) settled(keys []string) bool {
	for _, k := range keys {
		if s, ok := v.find(k); ok && s.Open || !ok && len(v.r.res.Missing) > 0 {
			return false
		}
	}
	return true
}

// service derives the attributes of one listener.
func (v view) service(o *Offer, a address) Service {
	if a.port > 0 {
		v.port = strconv.Itoa(a.port)
	}
	s := Service{Name: o.Name, Scope: v.scope, Protocol: v.r.d.Protocol, Transport: v.r.d.Transport, Bind: a.bind}
	if a.port > 0 {
		s.Port = fact.Say(a.port)
	}
	if p, ok := v.choose(o.Protocol); ok {
		s.Protocol = p
	}
	if t, ok := v.choose(o.Transport); ok {
		s.Transport = t
	}
	if a.transport != "" {
		s.Transport = a.transport
	}
	user, _ := v.choose(o.User)
	s.User, _, _ = strings.Cut(user, ":") // its group is of no interest
	s.Listens = v.said(o.Listens)
	if o.Listens == nil {
		s.Listens = fact.Say(true)
	}
	s.Encrypted, s.Authenticated = v.said(o.Encrypted), v.said(o.Authenticated)
	s.Anonymous, s.Shell, s.Writable = v.said(o.Anonymous), v.said(o.Shell), v.said(o.Writable)
	if !s.Listens.Or(true) {
		s.Port, s.Bind = fact.Opt[int]{}, ""
	}
	if s.Reachable = v.said(o.Reachable); s.Reachable.Stated() {
		return s
	}
	switch {
	case !s.Listens.Or(true) || s.Transport == "unix" || loopback(a.bind):
		s.Reachable = fact.Say(false)
	case a.bind != "" && s.Listens.Or(false):
		s.Reachable = fact.Say(true)
	}
	return s
}

func (v view) said(c Choice) fact.Opt[bool] {
	switch s, _ := v.choose(c); s {
	case "yes":
		return fact.Say(true)
	case "no":
		return fact.Say(false)
	}
	return fact.Opt[bool]{}
}
