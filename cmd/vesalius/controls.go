package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/remedy/control"
)

type controlsCommand struct {
	Dossier string   `arg:"" help:"Dossier of the device; - is standard input."`
	Out     string   `short:"o" required:"" placeholder:"DIR" help:"Where to write device.nft, flows.json, flows.csv and device.rules; it is made and must not exist."`
	Device  []string `placeholder:"ADDR" help:"Address of the device; twice where it has one of each family (default: left to be filled in)."`
	Partner []string `sep:"none" placeholder:"NAME=CIDR" help:"Who may speak with the device. The name of a host that it calls (or dns, ntp, dhcp) gives that host's address, any other may call the device."`
}

// Run writes the controls of one device.
func (c *controlsCommand) Run(w *world) error {
	in := control.Input{}
	for _, s := range c.Device {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return called("--device %q: want an address", s)
		}
		in.Device = append(in.Device, a)
	}
	for _, s := range c.Partner {
		name, network, ok := strings.Cut(s, "=")
		p, err := netip.ParsePrefix(network)
		if a, lone := netip.ParseAddr(network); err != nil && lone == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if !ok || name == "" || err != nil {
			return called("--partner %q: want NAME=NETWORK, as ward=192.0.2.0/24", s)
		}
		in.Partners = append(in.Partners, control.Partner{Name: name, Prefix: p})
	}
	if _, err := os.Lstat(c.Out); err == nil {
		return called("-o %s: exists already", c.Out)
	}
	d, err := readDossier(c.Dossier)
	if err != nil {
		return err
	}
	in.Facts, in.Findings = &d.Facts, d.Findings
	s, err := control.Make(in)
	if err != nil {
		return calledError{err}
	}
	part := c.Out + ".part"
	defer func() { _ = os.RemoveAll(part) }() // gone where it was renamed
	if err := writeSet(part, s); err != nil {
		return err
	}
	if err := os.Rename(part, c.Out); err != nil {
		return err
	}
	return showControls(w, s, d.Findings)
}

// writeControls makes the controls and writes each form of them into a directory, which it
// makes.
func writeControls(dir string, in control.Input) error {
	s, err := control.Make(in)
	if err != nil {
		return err
	}
	return writeSet(dir, s)
}

func writeSet(dir string, s *control.Set) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, f := range s.Files() {
		if err := writeFile(filepath.Join(dir, f.Name), f.Write); err != nil {
			return err
		}
	}
	return nil
}

// showControls says what may pass, and how much of what is bad nobody reaches any more.
func showControls(w *world, s *control.Set, findings []*judge.Finding) error {
	rows := [][]string{{"ANSWER", "DIRECTION", "PORT", "PROTOCOL", "PEER", "WHY"}}
	for _, f := range s.Flows {
		port := f.Transport
		if f.Port > 0 {
			port = fmt.Sprintf("%s/%d", f.Transport, f.Port)
		}
		why := f.Why
		if f.Missing != "" {
			why += "; missing: " + f.Missing
		}
		rows = append(rows, []string{f.Answer, f.Direction, port, f.Protocol, f.Peer, why})
	}
	if err := table(w.out, rows); err != nil {
		return err
	}
	bad := 0
	for _, f := range findings {
		if f.Outcome == judge.Bad {
			bad++
		}
	}
	fmt.Fprintf(w.out, "\n%d of %d bad findings are of services and destinations that are denied.\n", len(s.Closed()), bad)
	for _, n := range s.Notes {
		fmt.Fprintln(w.out, n)
	}
	return nil
}
