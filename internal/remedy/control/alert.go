package control

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// alert is one rule in the syntax of Suricata.
type alert struct {
	id      int // kind<<16 + port: the same one for the same thing in every release
	flow    string
	message string
	options string
	class   string
}

// firstAlert is the number of the first rule: 1000000 to 1999999 are for local use.
const firstAlert = 1000000

// alertsOf makes the alert rules that the services of the device call for. They watch what
// is allowed as well: a port that the design names may still carry a password in clear.
func alertsOf(s *Set, in Input) []alert {
	device := "$HOME_NET"
	if len(s.Device) > 0 {
		device = "[" + strings.Join(s.Device, ",") + "]"
	}
	var strangers []string
	for _, p := range s.callers() {
		strangers = append(strangers, "!"+p.Prefix.Masked().String())
	}
	stranger := "any"
	if len(strangers) > 0 {
		stranger = "[" + strings.Join(strangers, ",") + "]"
	}
	var out []alert
	add := func(a alert) {
		if !slices.ContainsFunc(out, func(b alert) bool { return a.id == b.id }) {
			out = append(out, a)
		}
	}
	for _, f := range in.Facts.Service {
		if f.Source.Witness == fact.Design || f.Source.Witness == fact.Claimed || !served(f) {
			continue
		}
		port := f.Port.Or(0)
		to := func(usual int) string { return fmt.Sprintf("any any -> %s %d", device, cmp.Or(port, usual)) }
		id := func(kind int) int { return kind<<16 + port }
		switch f.Protocol {
		case "telnet":
			add(alert{id(1), "tcp " + to(23), "telnet session to the device in clear text", "flow:to_server,established; dsize:>0; threshold:type limit, track by_src, count 1, seconds 300;", "policy-violation"})
		case "ftp":
			add(alert{id(2), "tcp " + to(21), "FTP password to the device in clear text", "flow:to_server,established; content:\"PASS \"; depth:5; nocase;", "policy-violation"})
		case "http":
			add(alert{id(3), "tcp " + to(80), "HTTP login to the device in clear text", "flow:to_server,established; content:\"Authorization|3a 20|Basic \"; nocase;", "policy-violation"})
			add(alert{id(4), "tcp " + to(80), "HTTP password in a form to the device in clear text", "flow:to_server,established; content:\"POST \"; depth:5; content:\"password=\"; nocase; distance:0;", "policy-violation"})
		case "snmp":
			add(alert{id(5), "udp " + to(161), "SNMP v1 to the device: the community is read by who listens", "content:\"|02 01 00 04|\"; offset:2; depth:8;", "policy-violation"})
			add(alert{id(6), "udp " + to(161), "SNMP v2c to the device: the community is read by who listens", "content:\"|02 01 01 04|\"; offset:2; depth:8;", "policy-violation"})
			add(alert{id(7), "udp " + to(161), "SNMP with the default community public", "content:\"|04 06|public\"; depth:20;", "attempted-recon"})
			add(alert{id(8), "udp " + to(161), "SNMP with the default community private", "content:\"|04 07|private\"; depth:20;", "attempted-admin"})
		case "vnc":
			add(alert{id(9), fmt.Sprintf("tcp %s %d -> any any", device, cmp.Or(port, 5900)), "VNC of the device offers a session without authentication", "flow:to_client,established; dsize:2; content:\"|01 01|\"; depth:2;", "policy-violation"})
		case "dicom":
			add(alert{id(10), fmt.Sprintf("tcp %s any -> %s %d", stranger, device, cmp.Or(port, 104)), "DICOM association from a host that is not listed", "flow:to_server,established; content:\"|01 00|\"; depth:2; content:\"|00 01|\"; offset:6; depth:2;", "policy-violation"})
		case "mqtt":
			if !f.Encrypted.Or(false) {
				add(alert{id(11), "tcp " + to(1883), "MQTT connection to the device in clear text", "flow:to_server,established; content:\"|10|\"; depth:1; content:\"MQTT\"; distance:1; within:8;", "policy-violation"})
			}
		case "adb":
			add(alert{id(12), "tcp " + to(5555), "Android debug bridge of the device is used", "flow:to_server,established; content:\"CNXN\"; depth:4;", "attempted-admin"})
		}
	}
	for _, f := range s.Flows {
		if f.Direction == Inbound && f.Answer == Deny && f.Transport == "tcp" && f.Port > 0 {
			add(alert{
				f.Port, fmt.Sprintf("tcp any any -> %s %d", device, f.Port), fmt.Sprintf("connection to TCP %d of the device, which is denied", f.Port),
				"flags:S; threshold:type limit, track by_src, count 1, seconds 60;", "policy-violation",
			})
		}
	}
	slices.SortFunc(out, func(a, b alert) int { return cmp.Compare(a.id, b.id) })
	return out
}

// WriteRules writes the alert rules.
func (s *Set) WriteRules(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Alerts for %s, in the syntax of Suricata: what is denied and still tried, and what is allowed and not safe.\n", s.Model)
	if len(s.Device) == 0 {
		b.WriteString("# The device's address is not known: HOME_NET stands for it.\n")
	}
	for _, a := range s.alerts {
		fmt.Fprintf(&b, "alert %s (msg:\"VESALIUS %s\"; %s classtype:%s; sid:%d; rev:1;)\n", a.flow, a.message, a.options, a.class, firstAlert+a.id)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
