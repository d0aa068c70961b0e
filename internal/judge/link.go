package judge

import (
	"path"
	"slices"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Link ties facts that speak of the same thing and writes what it found into the facts:
// their links, and whether the design declares a port, a destination or an account.
// Linking twice changes nothing.
func Link(set *fact.Set) {
	declare(set)
	programs, owners := map[string]*fact.Executable{}, map[string]*fact.Component{}
	accounts := map[string]*fact.Account{}
	for _, e := range set.Executable {
		programs[e.Root+"\x00"+e.Path] = e
	}
	for _, c := range set.Component {
		if c.Source.Witness == fact.Claimed {
			continue
		}
		for _, p := range c.Places {
			if at := c.Root + "\x00" + p.Path; p.Path != "" && owners[at] == nil {
				owners[at] = c
			}
		}
		if at := c.Root + "\x00\x00" + c.Name; owners[at] == nil {
			owners[at] = c
		}
	}
	for _, a := range set.Account {
		if a.Store == "system" && a.Source.Witness != fact.Design {
			accounts[a.Root+"\x00"+a.Name] = a
		}
	}
	for _, s := range set.Service {
		s.Links = nil
		tie := func(k fact.Kind, key, why, confidence string) {
			s.Links = append(s.Links, fact.Link{Kind: k, Key: key, Why: why, Confidence: confidence})
		}
		if e := programs[s.Root+"\x00"+s.Program]; e != nil && s.Program != "" {
			tie(fact.KindExecutable, e.Key(), "it is the program that is started", "")
		}
		if c := owners[s.Root+"\x00"+s.Program]; c != nil && s.Program != "" {
			tie(fact.KindComponent, c.Key(), "the component was seen in the program", "")
		} else if c := owners[s.Root+"\x00\x00"+componentOf(s)]; c != nil {
			tie(fact.KindComponent, c.Key(), "the program's name is that of the component", "medium")
		}
		if u, ok := s.User.Value(); ok {
			if a := accounts[s.Root+"\x00"+u]; a != nil {
				tie(fact.KindAccount, a.Key(), "it runs as this user", "")
			}
		}
	}
}

// componentOf names the component that usually provides a service's program.
func componentOf(s *fact.Service) string {
	name := s.Product
	if name == "" {
		name = path.Base(s.Program)
	}
	switch name {
	case "sshd":
		return "openssh"
	case "smbd", "nmbd":
		return "samba"
	case "snmpd":
		return "net-snmp"
	case "named":
		return "bind"
	case "Orthanc":
		return "orthanc"
	case "telnetd", "httpd", "udhcpd", "tftpd", "ftpd":
		return "busybox"
	}
	return name
}

// declare states which ports, destinations and accounts the design names, and which ports
// a list of the vendor does, where they name any of that sort: a design without a list
// declares nothing and forbids nothing.
func declare(set *fact.Set) {
	var ports, hosts, users []string
	for _, d := range set.Device {
		if d.Source.Witness == fact.Design {
			ports, hosts = append(ports, d.Ports...), append(hosts, d.Hosts...)
		}
	}
	for _, a := range set.Account {
		if a.Source.Witness == fact.Design {
			users = append(users, a.Name)
		}
	}
	for _, s := range set.Service {
		if port, ok := s.Port.Value(); ok && s.Source.Witness == fact.Claimed {
			ports = append(ports, transport(s)+"/"+strconv.Itoa(port))
		}
	}
	for _, s := range set.Service {
		if port, ok := s.Port.Value(); ok && len(ports) > 0 && s.Source.Witness != fact.Design && s.Source.Witness != fact.Claimed {
			s.Declared = fact.Say(slices.Contains(ports, transport(s)+"/"+strconv.Itoa(port)))
		}
	}
	for _, d := range set.Destination {
		if len(hosts) > 0 && d.Source.Witness != fact.Design {
			d.Declared = fact.Say(slices.Contains(hosts, d.Host))
		}
	}
	for _, a := range set.Account {
		if len(users) > 0 && a.Source.Witness != fact.Design {
			a.Declared = fact.Say(slices.Contains(users, a.Name))
		}
	}
}

// transport of a service, tcp where it is not stated: nearly all are.
func transport(s *fact.Service) string {
	if s.Transport == "" {
		return "tcp"
	}
	return s.Transport
}
