// Package control makes controls for a device that cannot be changed: what may pass to it
// and from it, and nothing else.
//
// [Make] takes the flows that the design declares and that the firmware serves, and gives
// a [Set]: each flow with the answer, the reason and the findings that it closes. A set is
// written as a rule set of nftables for a gateway or bridge in front of the device, as a
// list for any other firewall (JSON, CSV), and as alert rules in the syntax of Suricata.
//
// What nobody declares is denied. Without a design the firmware's own services are
// proposed and marked unconfirmed, and management in clear text is denied.
//
// Names come from the image and never reach a rule: rules hold addresses, ports and the
// words of this package; names stand in comments, bounded and without control characters.
package control

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// Partner is an address or a network that speaks with the device.
type Partner struct {
	Name   string // what the site calls it, or the name of a host that the device connects to
	Prefix netip.Prefix
}

// Input is what controls are made from.
type Input struct {
	Facts    *fact.Set
	Findings []*judge.Finding
	Device   []netip.Addr // the device's addresses; none where the site fills them in
	Partners []Partner
}

// The directions, answers and sources of a flow.
const (
	Inbound  = "inbound"
	Outbound = "outbound"
	Allow    = "allow"
	Deny     = "deny"
	Both     = "both" // design and firmware
)

// Flow is one way to the device or from it.
type Flow struct {
	Direction string   `json:"direction"`
	Answer    string   `json:"answer"`
	Transport string   `json:"transport"`        // tcp, udp
	Port      int      `json:"port"`             // of who is called; 0 where it is not known
	Protocol  string   `json:"protocol"`         // telnet, https, dicom ...; empty where it is not known
	Peer      string   `json:"peer"`             // partners, any, or a host
	Addresses []string `json:"addresses"`        // of the peer; none where any may, or where none is known
	Why       string   `json:"why"`              // in words
	Source    string   `json:"source"`           // design, firmware, both
	Confirmed bool     `json:"confirmed"`        // the design names it
	Closes    []string `json:"closes"`           // ids of bad findings that nobody reaches any more
	Narrows   []string `json:"narrows"`          // ids of bad findings that only the named partners still reach
	Service   string   `json:"service"`          // the program, as the image calls it
	Missing   string   `json:"missing,omitzero"` // what a person has to fill in before it works
}

// Set is the controls of one device.
type Set struct {
	Model    string   `json:"model"`
	Device   []string `json:"device"`   // addresses
	Designed bool     `json:"designed"` // a design says what may be
	Flows    []Flow   `json:"flows"`
	Notes    []string `json:"notes"`

	partners []Partner
	alerts   []alert
}

// manage are protocols that command a device in clear text.
var manage = []string{"telnet", "ftp", "tftp", "rlogin", "rsh", "rexec", "vnc", "snmp", "adb", "gdb"}

// carry are protocols that carry files in clear text, not to be sent to the public network.
var carry = []string{"telnet", "ftp", "tftp", "nfs", "smb", "rsh", "rsync"}

// usual are the ports of protocols that the device calls.
var usual = map[string]struct {
	transport string
	port      int
}{
	"https": {"tcp", 443}, "http": {"tcp", 80}, "ftp": {"tcp", 21}, "tftp": {"udp", 69}, "ssh": {"tcp", 22}, "sftp": {"tcp", 22}, "telnet": {"tcp", 23},
	"mqtt": {"tcp", 1883}, "mqtts": {"tcp", 8883}, "ntp": {"udp", 123}, "syslog": {"udp", 514}, "smb": {"tcp", 445}, "nfs": {"tcp", 2049}, "ldap": {"tcp", 389},
	"ldaps": {"tcp", 636}, "smtp": {"tcp", 25}, "rsync": {"tcp", 873}, "dicom": {"tcp", 104}, "hl7": {"tcp", 2575}, "snmp": {"udp", 161}, "git": {"tcp", 9418},
}

// Make makes the controls of one device.
func Make(in Input) (*Set, error) {
	s := &Set{Model: "device", partners: slices.Clone(in.Partners)}
	for _, p := range in.Partners {
		if !p.Prefix.IsValid() {
			return nil, fmt.Errorf("control: partner %q: no address", p.Name)
		}
	}
	for _, a := range in.Device {
		if !a.IsValid() || a.Zone() != "" || a.IsUnspecified() {
			return nil, fmt.Errorf("control: device address %q: want one address without a zone", a)
		}
		s.Device = append(s.Device, a.Unmap().String())
	}
	for _, d := range in.Facts.Device {
		if d.Source.Witness == fact.Design {
			s.Designed = true
		}
		if d.Model != "" {
			s.Model = word(d.Model)
		}
	}
	s.inbound(in)
	s.outbound(in)
	s.needs(in)
	if s.Designed {
		s.Notes = append(s.Notes, "What the design does not name is denied.")
	} else {
		s.Notes = append(s.Notes, "No design was given: what the firmware serves is proposed, and each line has to be confirmed (scan with --design device.yaml).")
	}
	if len(s.callers()) == 0 {
		for i := range s.Flows {
			if f := &s.Flows[i]; f.Direction == Inbound && f.Answer == Allow {
				f.Peer, f.Narrows = "any", nil
			}
		}
		s.Notes = append(s.Notes, "No partner is named: what is allowed is open to every address. Name who may with --partner NAME=NETWORK.")
	}
	slices.SortStableFunc(s.Flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Answer, b.Answer), cmp.Compare(a.Transport, b.Transport), cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Service, b.Service))
	})
	s.alerts = alertsOf(s, in)
	return s, nil
}

// callers are the partners that may call the device: those that are not named for a host
// which the device itself calls.
func (s *Set) callers() (out []Partner) {
	for _, p := range s.partners {
		if !slices.ContainsFunc(s.Flows, func(f Flow) bool { return f.Direction == Outbound && strings.EqualFold(f.Peer, p.Name) }) {
			out = append(out, p)
		}
	}
	return out
}

// at is where a flow goes.
type at struct {
	transport string
	port      int
	peer      string
}

// inbound asks of each port that is declared or served whether it may be reached.
func (s *Set) inbound(in Input) {
	declared := map[at]bool{}
	for _, f := range in.Facts.Service {
		if f.Source.Witness == fact.Design {
			declared[at{transport: f.Transport, port: f.Port.Or(0)}] = true
		}
	}
	flows := map[at]*Flow{}
	var order []at
	for _, f := range in.Facts.Service {
		if f.Source.Witness == fact.Design || f.Source.Witness == fact.Claimed || !served(f) {
			continue
		}
		where := at{transport: cmp.Or(f.Transport, "tcp"), port: f.Port.Or(0)}
		if where.port == 0 {
			where.peer = f.Name // each by itself: they may be many
		}
		w := flows[where]
		if w == nil {
			w = &Flow{Direction: Inbound, Transport: where.transport, Port: where.port, Protocol: word(f.Protocol), Source: string(fact.Firmware), Service: word(f.Name)}
			flows[where], order = w, append(order, where)
		}
		switch {
		case declared[where]:
			w.Answer, w.Source, w.Confirmed, w.Why = Allow, Both, true, "the design names it and the firmware serves it"
		case s.Designed:
			w.Answer, w.Why = Deny, "denied: the design does not name it"
		case where.port == 0:
			w.Answer, w.Why = Deny, "denied: it listens at a port that is not known"
		case slices.Contains(manage, f.Protocol) || f.Shell.Or(false) && !f.Encrypted.Or(true):
			w.Answer, w.Why = Deny, "denied: it manages the device in clear text"
		case w.Answer != Deny:
			w.Answer, w.Why = Allow, "proposed: the firmware serves it, and no design says whether it is needed"
		}
		for _, g := range in.Findings {
			if about(g, f) && !slices.Contains(w.Closes, g.ID) {
				w.Closes = append(w.Closes, g.ID)
			}
		}
	}
	for _, f := range in.Facts.Service {
		where := at{transport: f.Transport, port: f.Port.Or(0)}
		if f.Source.Witness == fact.Design && flows[where] == nil {
			flows[where] = &Flow{Direction: Inbound, Answer: Allow, Transport: f.Transport, Port: where.port, Source: string(fact.Design), Confirmed: true, Why: "the design names it; the firmware was not seen to serve it"}
			order = append(order, where)
		}
	}
	for _, w := range order {
		f := flows[w]
		f.Peer = "any"
		if f.Answer == Allow {
			f.Peer = "partners"
			f.Narrows, f.Closes = f.Closes, nil
		}
		slices.Sort(f.Closes)
		slices.Sort(f.Narrows)
		s.Flows = append(s.Flows, *f)
	}
}

// served reports whether another machine may reach the service: only what is said not to
// be is left out.
func served(f *fact.Service) bool {
	return f.Listens.Or(f.Port.Stated()) && f.Reachable.Or(true) && f.Start.Or("boot") != "never" && f.Transport != "unix"
}

// about reports whether a finding says something bad of the service itself.
func about(g *judge.Finding, f *fact.Service) bool {
	return g.Outcome == judge.Bad && g.Kind == fact.KindService && g.Root == f.Root && slices.Contains(g.Keys, f.Key())
}

// outbound asks of each destination whether it may be called.
func (s *Set) outbound(in Input) {
	declared := map[string]bool{}
	for _, f := range in.Facts.Destination {
		if f.Source.Witness == fact.Design {
			declared[strings.ToLower(host(f.Host))] = true
		}
	}
	seen, spoken := map[at]int{}, map[string]bool{}
	for _, f := range in.Facts.Destination {
		if f.Source.Witness == fact.Design || f.Source.Witness == fact.Claimed || f.Host == "" {
			continue
		}
		name := strings.ToLower(host(f.Host))
		u := usual[f.Protocol]
		w := Flow{
			Direction: Outbound, Answer: Allow, Transport: cmp.Or(u.transport, "tcp"), Port: f.Port.Or(u.port), Protocol: word(f.Protocol), Peer: word(name),
			Source: string(fact.Firmware), Why: "proposed: the firmware calls it, and no design says whether it is needed",
		}
		spoken[name] = true
		switch {
		case declared[name]:
			w.Source, w.Confirmed, w.Why = Both, true, "the design names the host and the firmware calls it"
		case s.Designed:
			w.Answer, w.Why = Deny, "denied: the design does not name it"
		case slices.Contains(carry, f.Protocol) && f.Public.Or(false):
			w.Answer, w.Why = Deny, "denied: it is sent to the public network in clear text"
		}
		for _, g := range in.Findings {
			if w.Answer == Deny && g.Outcome == judge.Bad && g.Kind == fact.KindDestination && g.Root == f.Root && slices.Contains(g.Keys, f.Key()) {
				w.Closes = append(w.Closes, g.ID)
			}
		}
		where := at{w.Transport, w.Port, w.Peer}
		if i, ok := seen[where]; ok {
			s.Flows[i].Closes = slices.Compact(slices.Sorted(slices.Values(append(s.Flows[i].Closes, w.Closes...))))
			continue
		}
		seen[where] = len(s.Flows)
		s.Flows = append(s.Flows, s.reach(w))
	}
	for _, f := range in.Facts.Destination {
		name := strings.ToLower(host(f.Host))
		if f.Source.Witness != fact.Design || spoken[name] {
			continue
		}
		spoken[name] = true
		w := Flow{
			Direction: Outbound, Answer: Allow, Transport: "tcp", Port: 443, Protocol: "https", Peer: word(name), Source: string(fact.Design), Confirmed: true,
			Why: "the design names the host and no port: HTTPS is taken",
		}
		if p := portOf(f.Host); p != 0 {
			w.Port, w.Protocol, w.Why = p, "", "the design names it"
		}
		s.Flows = append(s.Flows, s.reach(w))
	}
}

// reach fills in the addresses of the peer: its own where it is one, else the partner's of
// its name.
func (s *Set) reach(w Flow) Flow {
	if a, err := netip.ParseAddr(w.Peer); err == nil {
		w.Addresses = []string{a.String()}
	}
	for _, p := range s.partners {
		if strings.EqualFold(word(p.Name), w.Peer) {
			w.Addresses = append(w.Addresses, p.Prefix.Masked().String())
		}
	}
	switch {
	case w.Answer != Allow:
	case len(w.Addresses) == 0:
		w.Missing = "the address of " + w.Peer + ": --partner " + w.Peer + "=ADDRESS"
	case w.Port == 0:
		w.Missing = "the port: neither the design nor the firmware says it"
	}
	return w
}

// clients are programs that need a service of the network, and which.
var clients = map[string]string{
	"udhcpc": "dhcp", "dhclient": "dhcp", "dhcpcd": "dhcp", "networkmanager": "dhcp", "systemd-networkd": "dhcp", "connmand": "dhcp", "netifd": "dhcp",
	"ntpd": "ntp", "chronyd": "ntp", "sntp": "ntp", "systemd-timesyncd": "ntp", "ntpclient": "ntp", "openntpd": "ntp",
}

// needs adds what every device of its kind needs of the network: addresses, names and
// time, where the facts say that it asks for them.
func (s *Set) needs(in Input) {
	why := map[string]string{}
	for _, f := range in.Facts.Service {
		name := strings.ToLower(cmp.Or(f.Product, f.Name))
		if what := clients[name]; what != "" && f.Start.Or("boot") != "never" && why[what] == "" {
			why[what] = "the firmware starts " + word(name)
		}
	}
	for i := range s.Flows {
		f := &s.Flows[i]
		if f.Direction != Outbound || f.Answer != Allow {
			continue
		}
		if _, err := netip.ParseAddr(f.Peer); err != nil && why["dns"] == "" {
			why["dns"] = "it calls " + f.Peer + " by name"
		}
	}
	for _, n := range []struct {
		what, transport string
		port            int
	}{{"dhcp", "udp", 67}, {"dns", "tcp", 53}, {"dns", "udp", 53}, {"ntp", "udp", 123}} {
		if why[n.what] == "" || slices.ContainsFunc(s.Flows, func(f Flow) bool {
			return f.Direction == Outbound && f.Answer == Allow && f.Transport == n.transport && f.Port == n.port
		}) {
			continue
		}
		w := s.reach(Flow{
			Direction: Outbound, Answer: Allow, Transport: n.transport, Port: n.port, Protocol: n.what, Peer: n.what, Source: string(fact.Firmware), Confirmed: false, Why: why[n.what],
		})
		if w.Missing != "" {
			w.Peer, w.Missing, w.Why = "any", "", w.Why+"; name the server with --partner "+n.what+"=ADDRESS"
		}
		s.Flows = append(s.Flows, w)
	}
}

// Closed gives the findings that the controls close, each with the flow that is denied.
func (s *Set) Closed() map[string]Flow {
	out := map[string]Flow{}
	for _, f := range s.Flows {
		for _, id := range f.Closes {
			out[id] = f
		}
	}
	return out
}

// host takes the port from a host; portOf gives it.
func host(s string) string {
	if h, p, ok := strings.Cut(s, ":"); ok && !strings.Contains(p, ":") {
		return h
	}
	return s
}

func portOf(s string) int {
	_, p, ok := strings.Cut(s, ":")
	n, err := strconv.Atoi(p)
	if !ok || err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}

// word makes a name of an input fit for a comment, a message and a cell.
func word(s string) string {
	const most = 64
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-:/ ", r):
			return r
		}
		return '?'
	}, s)
	if len(s) > most {
		s = s[:most]
	}
	return strings.TrimLeft(s, "-")
}
