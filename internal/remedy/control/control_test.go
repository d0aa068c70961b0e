package control_test

import (
	"bytes"
	"encoding/csv"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/remedy/control"
)

func firmware(f *fact.Service) *fact.Service {
	f.Source, f.Root = fact.Source{Witness: fact.Firmware, Input: "pump.bin"}, "system"
	return f
}

func served(name, protocol, transport string, port int) *fact.Service {
	return firmware(&fact.Service{Name: name, Protocol: protocol, Transport: transport, Port: fact.Say(port), Listens: fact.Say(true), Reachable: fact.Say(true), Start: fact.Say("boot")})
}

// pump is a device with telnet, HTTPS, SNMP and DICOM, and its design with HTTPS alone.
func pump(designed bool) *fact.Set {
	var s fact.Set
	for _, f := range []*fact.Service{
		served("telnetd", "telnet", "tcp", 23), served("nginx", "https", "tcp", 443), served("snmpd", "snmp", "udp", 161), served("storescp", "dicom", "tcp", 104),
		served("vsftpd", "ftp", "tcp", 21), served("x11vnc", "vnc", "tcp", 5900), served("httpd", "http", "tcp", 80), served("mosquitto", "mqtt", "tcp", 1883), served("adbd", "adb", "tcp", 5555),
		firmware(&fact.Service{Name: "udhcpc", Start: fact.Say("boot")}),
		firmware(&fact.Service{Name: "mysqld", Transport: "tcp", Port: fact.Say(3306), Listens: fact.Say(true), Reachable: fact.Say(false)}),
	} {
		s.Add(f)
	}
	base := fact.Base{Source: fact.Source{Witness: fact.Firmware, Input: "pump.bin"}, Root: "system"}
	s.Add(&fact.Destination{Base: base, Host: "update.example.com", Protocol: "https", Public: fact.Say(true)})
	s.Add(&fact.Destination{Base: base, Host: "203.0.113.9", Protocol: "nfs", Public: fact.Say(true)})
	if designed {
		base := fact.Base{Source: fact.Source{Witness: fact.Design, Input: "device.yaml"}}
		s.Add(&fact.Device{Base: base, Model: "Infusion 7\n;", Ports: []string{"tcp/443"}, Hosts: []string{"update.example.com"}})
		s.Add(&fact.Service{Base: base, Name: "tcp/443", Transport: "tcp", Port: fact.Say(443), Declared: fact.Say(true)})
		s.Add(&fact.Service{Base: base, Name: "tcp/8443", Transport: "tcp", Port: fact.Say(8443), Declared: fact.Say(true)})
		s.Add(&fact.Destination{Base: base, Host: "update.example.com", Declared: fact.Say(true)})
	}
	return &s
}

func findings() []*judge.Finding {
	telnet := served("telnetd", "telnet", "tcp", 23)
	return []*judge.Finding{
		{ID: "f-telnet", Rule: "service.telnet", Root: "system", Kind: fact.KindService, Keys: []string{telnet.Key()}, Outcome: judge.Bad},
		{ID: "f-good", Rule: "service.other", Root: "system", Kind: fact.KindService, Keys: []string{telnet.Key()}, Outcome: judge.Good},
		{ID: "f-web", Rule: "web.weak", Root: "system", Kind: fact.KindService, Keys: []string{served("nginx", "https", "tcp", 443).Key()}, Outcome: judge.Bad},
	}
}

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

var site = []control.Partner{
	{Name: "ward", Prefix: netip.MustParsePrefix("192.0.2.0/24")},
	{Name: "nurse", Prefix: netip.MustParsePrefix("192.0.2.7/32")},
	{Name: "update.example.com", Prefix: netip.MustParsePrefix("198.51.100.4/32")},
}

func find(t *testing.T, s *control.Set, direction, transport string, port int) control.Flow {
	t.Helper()
	for _, f := range s.Flows {
		if f.Direction == direction && f.Transport == transport && f.Port == port {
			return f
		}
	}
	t.Fatalf("no flow %s %s/%d in %+v", direction, transport, port, s.Flows)
	return control.Flow{}
}

// TestDesigned holds that only what the design names may pass, and that what it closes is
// told.
func TestDesigned(t *testing.T) {
	t.Parallel()
	s, err := control.Make(control.Input{Facts: pump(true), Findings: findings(), Device: addrs("10.0.0.5"), Partners: site})
	if err != nil {
		t.Fatal(err)
	}
	telnet := find(t, s, control.Inbound, "tcp", 23)
	if telnet.Answer != control.Deny || !strings.Contains(telnet.Why, "the design does not name it") || !slices.Equal(telnet.Closes, []string{"f-telnet"}) {
		t.Errorf("telnet: %+v", telnet)
	}
	web := find(t, s, control.Inbound, "tcp", 443)
	if web.Answer != control.Allow || web.Source != control.Both || !web.Confirmed || len(web.Closes) > 0 || !slices.Equal(web.Narrows, []string{"f-web"}) {
		t.Errorf("https: %+v", web)
	}
	if f := find(t, s, control.Inbound, "tcp", 8443); f.Answer != control.Allow || f.Source != "design" {
		t.Errorf("declared and not served: %+v", f)
	}
	update := find(t, s, control.Outbound, "tcp", 443)
	if update.Answer != control.Allow || update.Source != control.Both || !slices.Equal(update.Addresses, []string{"198.51.100.4/32"}) || update.Missing != "" {
		t.Errorf("update: %+v", update)
	}
	if f := find(t, s, control.Outbound, "tcp", 2049); f.Answer != control.Deny {
		t.Errorf("mount: %+v", f)
	}
	find(t, s, control.Outbound, "udp", 53)
	find(t, s, control.Outbound, "udp", 67)
	for _, f := range s.Flows {
		if f.Port == 3306 {
			t.Errorf("what listens on loopback alone is a flow: %+v", f)
		}
	}
	if c := s.Closed(); len(c) != 1 || c["f-telnet"].Port != 23 {
		t.Errorf("closed: %+v", c)
	}
}

// TestUndesigned holds that without a design nothing is confirmed, and that management in
// clear text is denied.
func TestUndesigned(t *testing.T) {
	t.Parallel()
	s, err := control.Make(control.Input{Facts: pump(false), Findings: findings()})
	if err != nil {
		t.Fatal(err)
	}
	for port, want := range map[int]string{21: control.Deny, 23: control.Deny, 5900: control.Deny, 5555: control.Deny, 443: control.Allow, 104: control.Allow} {
		if f := find(t, s, control.Inbound, "tcp", port); f.Answer != want || f.Confirmed {
			t.Errorf("port %d: %+v", port, f)
		}
	}
	if f := find(t, s, control.Outbound, "tcp", 443); f.Missing == "" {
		t.Errorf("the update server has no address, and it is not said: %+v", f)
	}
	if f := find(t, s, control.Inbound, "tcp", 443); len(f.Narrows) > 0 {
		t.Errorf("nobody is named, and yet it narrows: %+v", f)
	}
}

// TestNFT holds that nft takes the rule set, of every shape, and that a name from the image
// cannot become a rule.
func TestNFT(t *testing.T) {
	t.Parallel()
	nft, err := exec.LookPath("nft")
	if err != nil {
		without(t, "nft is not installed: .ci/setup installs it")
	}
	evil := pump(false)
	evil.Add(served("x\n\t\taccept # \"\\", "te\nl", "tcp", 9999))
	for name, in := range map[string]control.Input{
		"designed":   {Facts: pump(true), Device: addrs("10.0.0.5"), Partners: site},
		"undesigned": {Facts: pump(false)},
		"six":        {Facts: pump(true), Device: addrs("2001:db8::5"), Partners: []control.Partner{{Name: "w", Prefix: netip.MustParsePrefix("2001:db8:1::/64")}}},
		"both":       {Facts: pump(true), Device: addrs("10.0.0.5", "2001:db8::5"), Partners: append(slices.Clone(site), control.Partner{Name: "w", Prefix: netip.MustParsePrefix("2001:db8:1::/64")})},
		"evil":       {Facts: evil, Device: addrs("10.0.0.5")},
		"empty":      {Facts: &fact.Set{}, Device: addrs("10.0.0.5")},
	} {
		s, err := control.Make(in)
		if err != nil {
			t.Fatal(err)
		}
		var b, again bytes.Buffer
		if err := s.WriteNFT(&b); err != nil {
			t.Fatal(err)
		}
		if err := s.WriteNFT(&again); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Errorf("%s: not the same twice", name)
		}
		if strings.Contains(b.String(), "\naccept") || strings.Contains(b.String(), "\n\t\taccept") {
			t.Errorf("%s: a name is a rule:\n%s", name, &b)
		}
		args := []string{"-c", "-f", "-"}
		if len(in.Device) == 0 {
			args = append([]string{"-D", "address=10.0.0.5"}, args...)
		}
		cmd := exec.CommandContext(t.Context(), nft, args...)
		cmd.Stdin = &b
		text := b.String()
		if out, err := cmd.CombinedOutput(); err != nil {
			if strings.Contains(string(out), "Operation not permitted") {
				without(t, "nft may not look at the kernel's tables: run it as root")
			}
			t.Errorf("%s: %v\n%s\n%s", name, err, out, text)
		}
	}
}

// TestCSV holds that each flow is a line and no cell is a formula.
func TestCSV(t *testing.T) {
	t.Parallel()
	facts := pump(false)
	facts.Add(served("=1+1", "-x", "tcp", 9999))
	s, err := control.Make(control.Input{Facts: facts})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != len(s.Flows)+1 {
		t.Fatalf("%d rows of %d flows: %v", len(rows), len(s.Flows), err)
	}
	for _, r := range rows {
		for _, c := range r {
			if c != "" && strings.ContainsAny(c[:1], "=+-@") {
				t.Errorf("cell %q is a formula", c)
			}
		}
	}
}

// A rule of Suricata, as far as ours use the syntax.
var (
	ruleForm   = regexp.MustCompile(`^alert (tcp|udp) (\S+) (\S+) -> (\S+) (\S+) \((.*)\)$`)
	optionForm = regexp.MustCompile(`^(\w+)(?::((?:"(?:[^"\\;|]|\|(?:[0-9a-f]{2} ?)+\|)*")|[^";]+))?;$`)
	options    = []string{"msg", "flow", "dsize", "content", "depth", "offset", "distance", "within", "nocase", "threshold", "flags", "classtype", "sid", "rev"}
)

// TestRules holds the syntax of the alert rules, that no number is given twice, and that
// Suricata takes them where it is installed.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, in := range []control.Input{{Facts: pump(true), Device: addrs("10.0.0.5"), Partners: site}, {Facts: pump(false)}} {
		s, err := control.Make(in)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := s.WriteRules(&b); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
				continue
			}
			m := ruleForm.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("no rule: %s", line)
				continue
			}
			for _, o := range regexp.MustCompile(`(?:"[^"]*"|[^;"])+;`).FindAllString(m[6], -1) {
				p := optionForm.FindStringSubmatch(strings.TrimSpace(o))
				if p == nil || !slices.Contains(options, p[1]) {
					t.Errorf("option %q of %s", o, line)
				} else if p[1] == "sid" {
					if seen[p[2]] {
						t.Errorf("number %s twice", p[2])
					}
					seen[p[2]] = true
				}
			}
		}
		for _, want := range []string{"telnet session", "FTP password", "HTTP login", "SNMP v1", "default community public", "without authentication", "DICOM association", "MQTT", "debug bridge", "TCP 23 of the device"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no alert for %q", want)
			}
		}
		suricata, err := exec.LookPath("suricata")
		if err != nil {
			t.Log("suricata is not installed: its own check was left out")
			continue
		}
		if out, err := check(t, suricata, b.Bytes()); err != nil {
			t.Errorf("suricata: %v\n%s\n%s", err, out, &b)
		}
	}
}

func check(t *testing.T, suricata string, rules []byte) ([]byte, error) {
	dir := t.TempDir()
	path := filepath.Join(dir, "device.rules")
	if err := writeFile(path, rules); err != nil {
		return nil, err
	}
	return exec.CommandContext(t.Context(), suricata, "-T", "-l", dir, "-S", path).CombinedOutput()
}

// TestRefuses holds that what cannot be an address is told.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for want, in := range map[string]control.Input{
		`device address "0.0.0.0"`:   {Facts: &fact.Set{}, Device: addrs("0.0.0.0")},
		`device address "fe80::1%`:   {Facts: &fact.Set{}, Device: addrs("fe80::1%eth0")},
		`partner "ward": no address`: {Facts: &fact.Set{}, Partners: []control.Partner{{Name: "ward"}}},
	} {
		if _, err := control.Make(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// FuzzNames holds that no name of an image leaves its comment.
func FuzzNames(f *testing.F) {
	f.Add("telnetd", "telnet", "host.example")
	f.Add("a\n\"; accept", "=x|", "x\r y;")
	f.Fuzz(func(t *testing.T, name, protocol, host string) {
		var set fact.Set
		set.Add(served(name, protocol, "tcp", 4000))
		base := fact.Base{Source: fact.Source{Witness: fact.Firmware}}
		set.Add(&fact.Device{Base: base, Model: host})
		set.Add(&fact.Destination{Base: base, Host: host, Protocol: protocol})
		s, err := control.Make(control.Input{Facts: &set, Device: addrs("10.0.0.5")})
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range s.Files()[:1] {
			var b bytes.Buffer
			if err := file.Write(&b); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSpace(line)
				if !strings.HasPrefix(line, "#") && !nftLine.MatchString(line) {
					t.Errorf("line %q", line)
				}
			}
		}
	})
}

var nftLine = regexp.MustCompile(`^(|define \w+ = \{ [0-9a-f.:/, ]+ \}|(delete )?table inet \w+( \{)?|chain \w+ \{|type filter hook .*|ip6? [sd]addr \$address6? jump \w+|\}|ct state [a-z,]+ (accept|counter drop)|` +
	`(ip6? daddr \{ [0-9a-f.:/, ]+ \} )?(tcp|udp) dport \d+ accept|limit rate .*|counter drop)$`)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
