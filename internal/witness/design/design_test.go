package design

import (
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/fact"
)

func TestRead(t *testing.T) {
	t.Parallel()
	set, err := Read("device.yaml", []byte("vendor: V\nmodel: M\nclass: wearable\nharm: S4\nports: [tcp/443, udp/161]\nhosts: [a.example]\naccounts: [service]\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := set.Device[0]
	if d.Vendor != "V" || d.Class != "wearable" || d.Harm != "S4" || d.Source.Witness != fact.Design {
		t.Errorf("device %+v", d)
	}
	if len(set.Service) != 2 || set.Service[1].Port.Or(0) != 161 || set.Service[1].Transport != "udp" {
		t.Errorf("services %+v", set.Service)
	}
	if len(set.Destination) != 1 || len(set.Account) != 1 {
		t.Errorf("destinations %d, accounts %d", len(set.Destination), len(set.Account))
	}
}

// TestReadRefuses holds that each slip is told with its place and cause.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"prots: [tcp/1]\n":     "prots",
		"class: portable\n":    `class "portable" is none of`,
		"harm: high\n":         `harm "high"`,
		"ports: [443]\n":       `port "443"`,
		"ports: [tcp/70000]\n": "out of range",
		"vendor: [\n":          "device.yaml: ",
	} {
		if _, err := Read("device.yaml", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("vendor: V\nports: [tcp/443]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Read("x", data)
		if err == nil && len(set.Device) != 1 {
			t.Errorf("%d devices", len(set.Device))
		}
	})
}
