package control

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// File is one form of a set.
type File struct {
	Name  string
	Write func(w io.Writer) error
}

// Files are all forms, by the names under which they are delivered.
func (s *Set) Files() []File {
	return []File{{"device.nft", s.WriteNFT}, {"flows.json", s.WriteJSON}, {"flows.csv", s.WriteCSV}, {"device.rules", s.WriteRules}}
}

// WriteJSON writes the flows as JSON.
func (s *Set) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(s)
}

// WriteCSV writes one flow a line. No cell is a formula.
func (s *Set) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"answer", "direction", "transport", "port", "protocol", "peer", "addresses", "service", "why", "source", "confirmed", "closes", "narrows", "missing"}}
	for _, f := range s.Flows {
		port := ""
		if f.Port > 0 {
			port = strconv.Itoa(f.Port)
		}
		rows = append(rows, []string{
			f.Answer, f.Direction, f.Transport, port, f.Protocol, f.Peer, strings.Join(f.Addresses, " "), f.Service, f.Why, f.Source, strconv.FormatBool(f.Confirmed),
			strings.Join(f.Closes, " "), strings.Join(f.Narrows, " "), f.Missing,
		})
	}
	return c.WriteAll(rows)
}

// WriteNFT writes a rule set for nft -f. Loading it twice is loading it once; other tables
// are not touched. Where the device's address is not known, $address is left to be defined
// by nft -D, so that it cannot be loaded for the wrong one by mistake.
func (s *Set) WriteNFT(w io.Writer) error {
	var b strings.Builder
	table := "vesalius_" + slug(s.Model)
	fmt.Fprintf(&b, "#!/usr/sbin/nft -f\n# What may pass to and from %s, on the gateway or bridge in front of it. On a bridge, load br_netfilter\n# and set net.bridge.bridge-nf-call-iptables and -ip6tables to 1, so that its traffic passes here.\n", s.Model)
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "# %s\n", n)
	}
	v4, v6 := split(s.Device)
	if len(s.Device) == 0 {
		b.WriteString("# Load it with the device's IPv4 address: nft -D address=ADDRESS -f device.nft\n")
	} else {
		define(&b, "address", v4)
		define(&b, "address6", v6)
	}
	var callers []string
	for _, p := range s.callers() {
		callers = append(callers, p.Prefix.Masked().String())
		fmt.Fprintf(&b, "# partner %s is %s\n", word(p.Name), p.Prefix.Masked())
	}
	p4, p6 := split(callers)
	define(&b, "partners", p4)
	define(&b, "partners6", p6)
	fmt.Fprintf(&b, "\ntable inet %[1]s\ndelete table inet %[1]s\n\ntable inet %[1]s {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n", table)
	families := []family{{"ip", "$address", "$partners", len(p4) > 0}, {"ip6", "$address6", "$partners6", len(p6) > 0}}
	switch {
	case len(v6) == 0:
		families = families[:1]
	case len(v4) == 0:
		families = families[1:]
	}
	for _, f := range families {
		fmt.Fprintf(&b, "\t\t%[1]s daddr %[2]s jump to_device\n\t\t%[1]s saddr %[2]s jump from_device\n", f.word, f.device)
	}
	b.WriteString("\t}\n")
	for _, c := range []struct{ chain, direction, log string }{{"to_device", Inbound, "in"}, {"from_device", Outbound, "out"}} {
		fmt.Fprintf(&b, "\n\tchain %s {\n\t\tct state established,related accept\n\t\tct state invalid counter drop\n", c.chain)
		if len(v6) > 0 {
			b.WriteString("\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept\n")
		}
		for _, f := range s.Flows {
			if f.Direction == c.direction {
				s.rule(&b, f, families, len(callers) > 0)
			}
		}
		fmt.Fprintf(&b, "\t\tlimit rate 10/minute burst 20 packets log prefix \"vesalius denied %s: \"\n\t\tcounter drop\n\t}\n", c.log)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// family is one of the two families of addresses.
type family struct {
	word, device, partners string
	named                  bool // partners of it are named
}

// rule writes one flow: a rule where it is allowed, a comment where it is not.
func (s *Set) rule(b *strings.Builder, f Flow, families []family, named bool) {
	port := "port not known"
	if f.Port > 0 {
		port = strconv.Itoa(f.Port)
	}
	fmt.Fprintf(b, "\n\t\t# %s\n", strings.Join(strings.Fields(strings.Join([]string{f.Transport, port, f.Protocol, f.Service, "(" + f.Peer + "):", f.Why}, " ")), " "))
	switch {
	case f.Answer == Deny:
		return
	case f.Missing != "":
		fmt.Fprintf(b, "\t\t# not allowed yet: it needs %s\n", f.Missing)
		return
	case f.Direction == Inbound && !named, f.Direction == Outbound && len(f.Addresses) == 0:
		fmt.Fprintf(b, "\t\t%s dport %d accept\n", f.Transport, f.Port)
		return
	case f.Direction == Inbound:
		for _, m := range families {
			if m.named {
				fmt.Fprintf(b, "\t\t%s saddr %s %s dport %d accept\n", m.word, m.partners, f.Transport, f.Port)
			}
		}
		return
	}
	v4, v6 := split(f.Addresses)
	for _, m := range []struct {
		word string
		list []string
	}{{"ip", v4}, {"ip6", v6}} {
		if len(m.list) > 0 {
			fmt.Fprintf(b, "\t\t%s daddr { %s } %s dport %d accept\n", m.word, strings.Join(m.list, ", "), f.Transport, f.Port)
		}
	}
}

func define(b *strings.Builder, name string, list []string) {
	if len(list) > 0 {
		fmt.Fprintf(b, "define %s = { %s }\n", name, strings.Join(list, ", "))
	}
}

// split parts addresses and networks by their family, sorted, each once. Networks that lie
// in others are left out: a set of intervals holds no two that overlap.
func split(list []string) (v4, v6 []string) {
	var all []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				continue
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.Masked())
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		if c := a.Bits() - b.Bits(); c != 0 {
			return c
		}
		return a.Addr().Compare(b.Addr())
	})
	var kept []netip.Prefix
	for _, p := range all {
		if slices.ContainsFunc(kept, func(k netip.Prefix) bool { return k.Overlaps(p) }) {
			continue
		}
		kept = append(kept, p)
		s := p.String()
		if p.IsSingleIP() {
			s = p.Addr().String()
		}
		if p.Addr().Is4() {
			v4 = append(v4, s)
		} else {
			v6 = append(v6, s)
		}
	}
	return v4, v6
}

// slug makes an identifier.
func slug(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, s)
	return strings.Trim(s[:min(len(s), 24)], "_")
}
