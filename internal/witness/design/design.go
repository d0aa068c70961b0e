// Package design is the witness for what the maker intends: it reads device.yaml, a short
// description of a device, and states it as facts.
//
//	vendor: Replica Pumps
//	model: Infusion 7
//	version: 2.4.1
//	class: stationary            # stationary, ambient, wearable, implanted
//	functions: [infusion of drugs]
//	harm: S5                     # S1 negligible ... S5 catastrophic, the worst the device can do
//	ports: [tcp/443, udp/161]    # what may listen
//	hosts: [update.example.com]  # where it may connect to
//	accounts: [service]          # who may log in
//	emergency: key switch on the housing
//
// It judges nothing. Unknown keys are refused, so that a slip of the pen is not silence.
package design

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// description is the file, key by key.
type description struct {
	Vendor    string   `yaml:"vendor"`
	Model     string   `yaml:"model"`
	Version   string   `yaml:"version"`
	UDI       string   `yaml:"udi"`
	Class     string   `yaml:"class"`
	Functions []string `yaml:"functions"`
	Harm      string   `yaml:"harm"`
	Ports     []string `yaml:"ports"`
	Hosts     []string `yaml:"hosts"`
	Accounts  []string `yaml:"accounts"`
	Emergency string   `yaml:"emergency"`
	Cyber     *bool    `yaml:"cyber"`
}

var (
	classes = []string{"stationary", "ambient", "wearable", "implanted"}
	harms   = []string{"S1", "S2", "S3", "S4", "S5"}
	port    = search.Lazy(`^(tcp|udp)/([0-9]{1,5})$`)
)

// Read states the facts of a device.yaml. name is the file's base name; errors name it.
func Read(name string, data []byte) (fact.Set, error) {
	var set fact.Set
	var d description
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil && !errors.Is(err, io.EOF) {
		return set, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if d.Class != "" && !slices.Contains(classes, d.Class) {
		return set, fmt.Errorf("%s: class %q is none of %s", name, d.Class, strings.Join(classes, ", "))
	}
	if d.Harm != "" && !slices.Contains(harms, d.Harm) {
		return set, fmt.Errorf("%s: harm %q is none of %s", name, d.Harm, strings.Join(harms, ", "))
	}
	base := fact.Base{Source: fact.Source{Witness: fact.Design, Input: name}, Places: []fact.Place{{Input: name}}}
	dev := &fact.Device{
		Base: base, Vendor: d.Vendor, Model: d.Model, Version: d.Version, UDI: d.UDI, Class: d.Class,
		Functions: d.Functions, Harm: d.Harm, Ports: d.Ports, Hosts: d.Hosts,
	}
	if d.Emergency != "" {
		dev.Emergency = fact.Say(d.Emergency)
	}
	if d.Cyber != nil {
		dev.Cyber = fact.Say(*d.Cyber)
	}
	set.Add(dev)
	for _, p := range d.Ports {
		m := port.FindStringSubmatch(p)
		if m == nil {
			return set, fmt.Errorf("%s: port %q is not of the form tcp/443", name, p)
		}
		n, err := strconv.Atoi(m[2])
		if err != nil || n < 1 || n > 65535 {
			return set, fmt.Errorf("%s: port %q is out of range", name, p)
		}
		set.Add(&fact.Service{Base: base, Name: p, Transport: m[1], Port: fact.Say(n), Declared: fact.Say(true)})
	}
	for _, h := range d.Hosts {
		set.Add(&fact.Destination{Base: base, Host: h, Declared: fact.Say(true)})
	}
	for _, a := range d.Accounts {
		set.Add(&fact.Account{Base: base, Name: a, Store: "system", Declared: fact.Say(true)})
	}
	return set, nil
}
