// Package fact is the vocabulary of Vesalius: the few kinds of statement that every
// witness makes about a device, and that every rule judges.
//
// A fact is a plain struct of one kind. It says who stated it ([Source]), in which root
// file system ([Base].Root), where it was seen ([Place]) and what was seen. Each fact has
// a natural key, so that the same thing seen by two witnesses, or in two releases, is
// recognised as the same.
//
// A judged field is stated or unstated, and unstated is never false or zero:
//   - [Opt] fields say it themselves,
//   - a string is unstated when empty,
//   - a list is unstated when nil and stated empty when it has no elements.
//
// Unstated fields are absent from the JSON and reach the rules as unknown.
//
// The package imports nothing of ours, reads nothing and judges nothing.
package fact

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Opt is a value that may be unstated. The zero Opt is unstated.
type Opt[T any] struct {
	v  T
	ok bool
}

// Say returns the stated value v.
func Say[T any](v T) Opt[T] { return Opt[T]{v, true} }

// Value returns the value and whether it is stated.
func (o Opt[T]) Value() (T, bool) { return o.v, o.ok }

// Or returns the value, or v where it is unstated.
func (o Opt[T]) Or(v T) T {
	if o.ok {
		return o.v
	}
	return v
}

// Stated reports whether there is a value.
func (o Opt[T]) Stated() bool { return o.ok }

// IsZero reports whether the value is unstated; encoding/json asks it for omitzero.
func (o Opt[T]) IsZero() bool { return !o.ok }

// Any returns the value for readers that work by reflection, nil where it is unstated.
func (o Opt[T]) Any() any {
	if !o.ok {
		return nil
	}
	return o.v
}

// Elem returns the type of the value, stated or not.
func (o Opt[T]) Elem() reflect.Type { return reflect.TypeFor[T]() }

// MarshalJSON writes the bare value, null where it is unstated.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if !o.ok {
		return []byte("null"), nil
	}
	return json.Marshal(o.v)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*o = Opt[T]{}
		return nil
	}
	o.ok = true
	return json.Unmarshal(b, &o.v)
}

// Witness is a kind of source.
type Witness string

// The witnesses.
const (
	Design      Witness = "design"      // device.yaml: what the maker intends
	Firmware    Witness = "firmware"    // an image: what is inside
	Live        Witness = "device"      // the running unit
	Traffic     Witness = "traffic"     // a packet capture
	Claimed     Witness = "claim"       // a form, SBOM, VEX or port list
	Observation Witness = "observation" // a named person's statement
	Test        Witness = "test"        // an imported test result
)

// Source says who stated a fact, and from which input (an image, form or capture).
type Source struct {
	Witness Witness `json:"witness"`
	Input   string  `json:"input,omitzero"`
}

// Base is what every fact has.
type Base struct {
	Source     Source  `json:"source"`
	Root       string  `json:"root,omitzero"` // role of the root file system: system, recovery, initramfs, data:NAME, container:NAME, chroot:PATH
	Places     []Place `json:"places,omitempty"`
	Confidence string  `json:"confidence,omitzero"` // high, medium, low; empty is high
	Links      []Link  `json:"links,omitempty"`     // ties to other facts, made by the judge
}

// Link ties a fact to another fact of the same device.
type Link struct {
	Kind       Kind   `json:"kind"`
	Key        string `json:"key"`
	Why        string `json:"why"`
	Confidence string `json:"confidence,omitzero"`
}

// Header returns the base of the fact.
func (b *Base) Header() *Base { return b }

// Fact is a statement of one kind.
type Fact interface {
	Header() *Base
	Kind() Kind
	// Key is the natural key within a root: what makes it the same thing in another
	// release or for another witness. It holds no judged attribute.
	Key() string
}

// Kind names a kind of fact, as rules and the dossier write it.
type Kind string

// The kinds, in the order of the dossier.
const (
	KindDevice      Kind = "device"
	KindComponent   Kind = "component"
	KindAccount     Kind = "account"
	KindSecret      Kind = "secret"
	KindKey         Kind = "key"
	KindCertificate Kind = "certificate"
	KindService     Kind = "service"
	KindEndpoint    Kind = "endpoint"
	KindDestination Kind = "destination"
	KindSetting     Kind = "setting"
	KindGuard       Kind = "guard"
	KindExecutable  Kind = "executable"
	KindScript      Kind = "script"
	KindUpdate      Kind = "update"
	KindBoot        Kind = "boot"
	KindKernel      Kind = "kernel"
	KindMount       Kind = "mount"
	KindInterface   Kind = "interface"
	KindData        Kind = "data"
	KindFile        Kind = "file"
	KindClaim       Kind = "claim"
)

// Kinds lists every kind in the order of the dossier.
func Kinds() []Kind {
	return []Kind{
		KindDevice, KindComponent, KindAccount, KindSecret, KindKey, KindCertificate, KindService,
		KindEndpoint, KindDestination, KindSetting, KindGuard, KindExecutable, KindScript, KindUpdate,
		KindBoot, KindKernel, KindMount, KindInterface, KindData, KindFile, KindClaim,
	}
}

// Set is a collection of facts of all kinds. The zero Set is empty and ready.
type Set struct {
	Device      []*Device      `json:"device,omitempty"`
	Component   []*Component   `json:"component,omitempty"`
	Account     []*Account     `json:"account,omitempty"`
	Secret      []*Secret      `json:"secret,omitempty"`
	Key         []*Key         `json:"key,omitempty"`
	Certificate []*Certificate `json:"certificate,omitempty"`
	Service     []*Service     `json:"service,omitempty"`
	Endpoint    []*Endpoint    `json:"endpoint,omitempty"`
	Destination []*Destination `json:"destination,omitempty"`
	Setting     []*Setting     `json:"setting,omitempty"`
	Guard       []*Guard       `json:"guard,omitempty"`
	Executable  []*Executable  `json:"executable,omitempty"`
	Script      []*Script      `json:"script,omitempty"`
	Update      []*Update      `json:"update,omitempty"`
	Boot        []*Boot        `json:"boot,omitempty"`
	Kernel      []*Kernel      `json:"kernel,omitempty"`
	Mount       []*Mount       `json:"mount,omitempty"`
	Interface   []*Interface   `json:"interface,omitempty"`
	Data        []*Data        `json:"data,omitempty"`
	File        []*File        `json:"file,omitempty"`
	Claim       []*Claim       `json:"claim,omitempty"`
}

// Add puts a fact into its list.
func (s *Set) Add(facts ...Fact) {
	for _, f := range facts {
		switch f := f.(type) {
		case *Device:
			s.Device = append(s.Device, f)
		case *Component:
			s.Component = append(s.Component, f)
		case *Account:
			s.Account = append(s.Account, f)
		case *Secret:
			s.Secret = append(s.Secret, f)
		case *Key:
			s.Key = append(s.Key, f)
		case *Certificate:
			s.Certificate = append(s.Certificate, f)
		case *Service:
			s.Service = append(s.Service, f)
		case *Endpoint:
			s.Endpoint = append(s.Endpoint, f)
		case *Destination:
			s.Destination = append(s.Destination, f)
		case *Setting:
			s.Setting = append(s.Setting, f)
		case *Guard:
			s.Guard = append(s.Guard, f)
		case *Executable:
			s.Executable = append(s.Executable, f)
		case *Script:
			s.Script = append(s.Script, f)
		case *Update:
			s.Update = append(s.Update, f)
		case *Boot:
			s.Boot = append(s.Boot, f)
		case *Kernel:
			s.Kernel = append(s.Kernel, f)
		case *Mount:
			s.Mount = append(s.Mount, f)
		case *Interface:
			s.Interface = append(s.Interface, f)
		case *Data:
			s.Data = append(s.Data, f)
		case *File:
			s.File = append(s.File, f)
		case *Claim:
			s.Claim = append(s.Claim, f)
		default:
			panic(fmt.Sprintf("fact: no list for %T", f))
		}
	}
}

// Of returns the facts of one kind, in the set's order.
func (s *Set) Of(k Kind) []Fact {
	switch k {
	case KindDevice:
		return facts(s.Device)
	case KindComponent:
		return facts(s.Component)
	case KindAccount:
		return facts(s.Account)
	case KindSecret:
		return facts(s.Secret)
	case KindKey:
		return facts(s.Key)
	case KindCertificate:
		return facts(s.Certificate)
	case KindService:
		return facts(s.Service)
	case KindEndpoint:
		return facts(s.Endpoint)
	case KindDestination:
		return facts(s.Destination)
	case KindSetting:
		return facts(s.Setting)
	case KindGuard:
		return facts(s.Guard)
	case KindExecutable:
		return facts(s.Executable)
	case KindScript:
		return facts(s.Script)
	case KindUpdate:
		return facts(s.Update)
	case KindBoot:
		return facts(s.Boot)
	case KindKernel:
		return facts(s.Kernel)
	case KindMount:
		return facts(s.Mount)
	case KindInterface:
		return facts(s.Interface)
	case KindData:
		return facts(s.Data)
	case KindFile:
		return facts(s.File)
	case KindClaim:
		return facts(s.Claim)
	}
	return nil
}

// Merge adds all facts of t.
func (s *Set) Merge(t *Set) {
	for _, k := range Kinds() {
		s.Add(t.Of(k)...)
	}
}

// Clip returns the set with lists that grow apart from those of s.
func (s Set) Clip() Set {
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		list := v.Field(i)
		list.Set(list.Slice3(0, list.Len(), list.Len()))
	}
	return s
}

// Len counts the facts.
func (s *Set) Len() int {
	n := 0
	for _, k := range Kinds() {
		n += len(s.Of(k))
	}
	return n
}

// Sort puts the facts of each kind, and the places of each fact, into their one order:
// by root, key, source and first place.
func (s *Set) Sort() {
	sortFacts(s.Device)
	sortFacts(s.Component)
	sortFacts(s.Account)
	sortFacts(s.Secret)
	sortFacts(s.Key)
	sortFacts(s.Certificate)
	sortFacts(s.Service)
	sortFacts(s.Endpoint)
	sortFacts(s.Destination)
	sortFacts(s.Setting)
	sortFacts(s.Guard)
	sortFacts(s.Executable)
	sortFacts(s.Script)
	sortFacts(s.Update)
	sortFacts(s.Boot)
	sortFacts(s.Kernel)
	sortFacts(s.Mount)
	sortFacts(s.Interface)
	sortFacts(s.Data)
	sortFacts(s.File)
	sortFacts(s.Claim)
}

func facts[F Fact](list []F) []Fact {
	out := make([]Fact, len(list))
	for i, f := range list {
		out[i] = f
	}
	return out
}

func sortFacts[F Fact](list []F) {
	type row struct {
		f    F
		word string
	}
	rows := make([]row, len(list))
	for i, f := range list {
		b := f.Header()
		SortPlaces(b.Places)
		place := ""
		if len(b.Places) > 0 {
			place = b.Places[0].String()
		}
		rows[i] = row{f, strings.Join([]string{b.Root, f.Key(), string(b.Source.Witness), b.Source.Input, place}, "\x00")}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.word, b.word) })
	for i, r := range rows {
		list[i] = r.f
	}
}

// SortPlaces puts places into their one order.
func SortPlaces(places []Place) {
	if len(places) < 2 {
		return
	}
	type row struct {
		p    Place
		word string
	}
	rows := make([]row, len(places))
	for i, p := range places {
		rows[i] = row{p, Place{Input: p.Input, Layers: p.Layers, Path: p.Path, Endpoint: p.Endpoint, Claim: p.Claim}.String()}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.word, b.word), cmp.Compare(a.p.Line, b.p.Line), cmp.Compare(a.p.Offset, b.p.Offset))
	})
	for i, r := range rows {
		places[i] = r.p
	}
}

// Gap is a part of an input that was not read. It says why, and which kinds of fact may
// hide in it.
type Gap struct {
	ID          string `json:"id"`
	Root        string `json:"root,omitzero"` // the root it lies in; empty where it lies in none
	Place       Place  `json:"place"`
	Size        int64  `json:"size,omitzero"`
	Why         string `json:"why"`    // encrypted, compressed, unsupported FORMAT, damaged: ..., over the limit ...
	Reason      string `json:"reason"` // one word: opaque, unsupported, damaged, limit, unreadable
	Hides       []Kind `json:"hides"`
	Reservation bool   `json:"reservation,omitzero"` // nothing mounts or boots it: it qualifies the report, not each rule
}

// Coverage says how well a source could see facts of one kind in one root.
type Coverage struct {
	Source Source   `json:"source"`
	Root   string   `json:"root,omitzero"`
	Kind   Kind     `json:"kind"`
	Level  string   `json:"level"` // full, partial, none
	Why    string   `json:"why,omitzero"`
	Gaps   []string `json:"gaps,omitempty"` // ids
}

// NormalPath returns a path with the digits of versions replaced by N, so that a key
// survives an update: /usr/lib/libssl.so.1.0.0 becomes /usr/lib/libssl.so.N.
func NormalPath(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c < '0' || c > '9' || i > 0 && path[i-1] >= '0' && path[i-1] <= '9' || !versionStart(path, i) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('N')
		for i+1 < len(path) && (path[i+1] >= '0' && path[i+1] <= '9' ||
			path[i+1] == '.' && i+2 < len(path) && path[i+2] >= '0' && path[i+2] <= '9') {
			i++
		}
	}
	return b.String()
}

// versionStart reports whether the digit at i, which no digit precedes, begins a version:
// a dot and a digit follow, or it ends a soname.
func versionStart(s string, i int) bool {
	j := i
	for j < len(s) && s[j] >= '0' && s[j] <= '9' {
		j++
	}
	dotted := j+1 < len(s) && s[j] == '.' && s[j+1] >= '0' && s[j+1] <= '9'
	return dotted || strings.HasSuffix(s[:i], ".so.")
}

func key(parts ...string) string { return strings.Join(parts, "|") }

func num(o Opt[int]) string {
	if v, ok := o.Value(); ok {
		return strconv.Itoa(v)
	}
	return "?"
}
