package claim

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// portColumns are the names of the columns of a list of ports.
var portColumns = map[string][]string{
	"port":      {"port", "ports", "port number", "tcp/udp port", "local port"},
	"transport": {"transport", "tcp/udp", "protocol", "ip protocol", "layer 4"},
	"service":   {"service", "application protocol", "application"},
	"direction": {"direction", "in/out", "inbound/outbound"},
	"host":      {"host", "destination", "remote", "peer"},
	"purpose":   {"purpose", "description", "use", "reason"},
}

func isPorts(data []byte) bool {
	t, err := readCSV(data[:min(len(data), 4096)])
	if err != nil || len(t.rows) == 0 {
		return false
	}
	at := portHeading(t.rows[0])
	_, port := at["port"]
	_, transport := at["transport"]
	return port && transport
}

func portHeading(row []string) map[string]int {
	at := map[string]int{}
	for i, c := range row {
		for what, names := range portColumns {
			if _, ok := at[what]; !ok && is(c, names) {
				at[what] = i
			}
		}
	}
	return at
}

// maxRange bounds the ports of one row: 5000-5010.
const maxRange = 1024

// Ports states a vendor's list of ports: a CSV with the columns port and protocol (tcp,
// udp), and perhaps direction, host, purpose. An incoming port is a declared service, an
// outgoing one with a host a declared destination; name is the file's base name.
func Ports(name string, data []byte) (fact.Set, error) {
	var set fact.Set
	t, err := readCSV(data)
	if err != nil {
		return set, fmt.Errorf("%s: %w", name, err)
	}
	if len(t.rows) == 0 {
		return set, fmt.Errorf("%s: the list is empty", name)
	}
	at := portHeading(t.rows[0])
	for n, row := range t.rows[1:] {
		cell := func(what string) string {
			if i, ok := at[what]; ok && i < len(row) {
				return strings.ToLower(strings.TrimSpace(row[i]))
			}
			return ""
		}
		if cell("port") == "" {
			continue
		}
		low, high, err := ports(cell("port"))
		if err != nil {
			return set, fmt.Errorf("%s: row %d: %w", name, n+2, err)
		}
		transports := []string{}
		for _, w := range []string{"tcp", "udp"} {
			if strings.Contains(cell("transport"), w) || strings.HasPrefix(cell("port"), w+"/") {
				transports = append(transports, w)
			}
		}
		if len(transports) == 0 {
			return set, fmt.Errorf("%s: row %d: protocol %q: want tcp or udp", name, n+2, cell("transport"))
		}
		for _, w := range transports {
			for p := low; p <= high; p++ {
				id := w + "/" + strconv.Itoa(p)
				base := fact.Base{Source: fact.Source{Witness: fact.Claimed, Input: name}, Places: []fact.Place{{Claim: "port list " + id}}}
				if strings.HasPrefix(cell("direction"), "out") {
					if h := cell("host"); h != "" {
						set.Add(&fact.Destination{Base: base, Host: h, Port: fact.Say(p), Protocol: cell("service"), Declared: fact.Say(true)})
					}
					continue
				}
				if len(set.Service) > 65536 {
					return set, fmt.Errorf("%s: more than 65536 ports", name)
				}
				set.Add(&fact.Service{Base: base, Name: id, Transport: w, Port: fact.Say(p), Declared: fact.Say(true)})
			}
		}
	}
	set.Sort()
	return set, nil
}

func ports(s string) (low, high int, err error) {
	_, after, ok := strings.Cut(s, "/")
	if ok {
		s = after
	}
	a, b, ranged := strings.Cut(strings.ReplaceAll(s, "–", "-"), "-")
	if low, err = strconv.Atoi(strings.TrimSpace(a)); err == nil && ranged {
		high, err = strconv.Atoi(strings.TrimSpace(b))
	} else {
		high = low
	}
	if err != nil || low < 1 || high > 65535 || high < low || high-low > maxRange {
		return 0, 0, fmt.Errorf("port %q: want a number from 1 to 65535 or a short range", s)
	}
	return low, high, nil
}
