// Package daemon knows the daemons that devices run: where their settings are, which of
// several is in force, what holds when nothing is said, and what follows for the services
// they offer.
//
// A daemon is one YAML file of this directory with its tests inside ([Daemon]). [Load]
// gives them all; the program carries them as daemons.json, which `make docs` writes from
// the files and which is read ten times as fast. [Daemon.Effective] computes the settings in force for one start of a
// daemon: arguments over files over defaults, includes followed. The package opens no
// file itself and judges nothing; what it cannot know stays unstated.
package daemon

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/vesalius-project/vesalius/internal/setting"
)

//go:embed daemons.json
var compiled []byte

// Daemon is what is known of one program that has settings.
type Daemon struct {
	Subject   string   `yaml:"subject"`   // as settings and services name it
	About     string   `yaml:"about"`     // in a few words
	Component string   `yaml:"component"` // the component that carries it
	Programs  []string `yaml:"programs"`  // base names of its program, BusyBox applets too
	Aka       []string `yaml:"aka"`       // further names, path.Match patterns
	Protocol  string   `yaml:"protocol"`  // what it speaks unless its settings say otherwise
	Transport string   `yaml:"transport"`
	Ports     []int    `yaml:"ports"` // where it listens unless its settings say otherwise

	Files    []string          `yaml:"files"`    // main configuration files, of which the first that exists is read
	Also     []string          `yaml:"also"`     // files that are always read after it, in the order of the patterns, then of the names
	Merge    bool              `yaml:"merge"`    // of two Also files with the same name only the one of the earlier pattern is read
	In       string            `yaml:"in"`       // files to read where a directory is given for a file
	Optional bool              `yaml:"optional"` // without any file the defaults hold
	Syntax   setting.Syntax    `yaml:"syntax"`
	Include  []string          `yaml:"include"` // keys whose value names further files
	Dirs     map[string]string `yaml:"dirs"`    // keys whose value names a directory -> which files of it
	Base     string            `yaml:"base"`    // directory of relative includes; empty: of the main file
	Root     string            `yaml:"root"`    // the section whose settings hold for all: global
	Only     []string          `yaml:"only"`    // sections that are its own, of a file it shares
	UCI      *UCI              `yaml:"uci"`     // OpenWrt's file, from which the start script makes the arguments

	Repeat   string                       `yaml:"repeat"`   // which of several is in force: first, last (default)
	Lists    []string                     `yaml:"lists"`    // keys that may be said many times; * is all
	Switches []string                     `yaml:"switches"` // keys whose 1 and 0 mean yes and no
	Verbatim []string                     `yaml:"verbatim"` // keys whose value is left as it is written
	Alias    map[string]string            `yaml:"alias"`    // other spellings of keys
	Inverse  map[string]string            `yaml:"inverse"`  // keys that say the opposite of another
	Same     map[string]map[string]string `yaml:"same"`     // of keys, values that mean another: without-password
	Secrets  []string                     `yaml:"secrets"`  // keys whose value is a secret
	Masks    map[string]int               `yaml:"masks"`    // keys of which one word is a secret: its number from 1, or -1 for the last
	Strip    string                       `yaml:"strip"`    // a word before keys: option
	Pairs    []string                     `yaml:"pairs"`    // keys whose value is a list of "KEY" => "VALUE": each is a setting of its own
	Sums     map[string]Choice            `yaml:"sums"`     // settings that sum others up
	Known    []string                     `yaml:"known"`    // values of secrets that everybody knows
	When     []string                     `yaml:"when"`     // words that begin sections which hold only on a condition: Match
	Ignore   []string                     `yaml:"ignore"`   // words that begin sections of no interest: types
	Keep     []string                     `yaml:"keep"`     // of its keys only these are of interest
	Modules  string                       `yaml:"modules"`  // the key that loads a module, where sections IfModule depend on it
	Global   *Global                      `yaml:"global"`
	Extra    []Extra                      `yaml:"extra"`
	Loose    bool                         `yaml:"loose"`  // blanks, - and _ in keys do not matter
	Sysctl   bool                         `yaml:"sysctl"` // keys are written as sysctl reads them: / for ., a leading - for leniency

	Arguments Arguments          `yaml:"arguments"`
	Defaults  map[string]Default `yaml:"defaults"`
	Services  []Offer            `yaml:"services"`
	Tests     []Test             `yaml:"tests" json:"-"`

	name string            // of the data file
	keys map[string]string // folded keys -> the spelling of this description
}

// Extra are further files in a syntax of their own. Their settings stand in a section.
type Extra struct {
	Files  []string       `yaml:"files"`
	Syntax setting.Syntax `yaml:"syntax"`
	Scope  string         `yaml:"scope"`
}

// Global names keys that hold for all wherever they stand, unless a condition holds.
type Global struct {
	Keys   []string   `yaml:"keys"`
	Unless conditions `yaml:"unless"`
}

// UCI says how OpenWrt configures a daemon.
type UCI struct {
	File    string            `yaml:"file"`
	Section string            `yaml:"section"`
	Keys    map[string]string `yaml:"keys"` // option -> key
}

// Arguments say what the words of a command line mean.
type Arguments struct {
	Config    []string                     `yaml:"config"`    // options that name the main file
	Set       map[string]string            `yaml:"set"`       // option with a value -> key
	Flag      map[string]map[string]string `yaml:"flag"`      // option -> keys and values
	Assign    []string                     `yaml:"assign"`    // options whose value is KEY=VALUE or KEY VALUE
	Directive []string                     `yaml:"directive"` // options whose value is text as of the file
	Skip      []string                     `yaml:"skip"`      // options with a value that says nothing
	Bare      []string                     `yaml:"bare"`      // what the words that are no options are: config, a key, or - for nothing
	Whole     bool                         `yaml:"whole"`     // options are whole words: -rfbport is not -r -f ...
	Long      string                       `yaml:"long"`      // --KEY=VALUE (equals) or --KEY VALUE ... (words) are settings
}

// Default is what holds for a key when nothing is said, by version and distribution.
type Default []Holds

// Holds is one line of a default. Empty bounds do not bind.
type Holds struct {
	From   string     `yaml:"from"`  // this version and later ones
	Below  string     `yaml:"below"` // earlier versions
	Distro string     `yaml:"distro"`
	When   conditions `yaml:"when"` // of what somebody said
	Is     string     `yaml:"is"`
}

// UnmarshalYAML reads a bare value, or a list of lines.
func (d *Default) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*d = Default{{Is: n.Value}}
		return nil
	}
	var lines []Holds
	if err := n.Decode(&lines); err != nil {
		return err
	}
	*d = lines
	return nil
}

// Test is a start of the daemon and what must follow from it.
type Test struct {
	File     string              `yaml:"file"`    // text of the main file, or the first of Also
	Files    map[string]string   `yaml:"files"`   // further files
	Args     string              `yaml:"args"`    // split at blanks
	Program  string              `yaml:"program"` // the first of Programs where empty
	Version  string              `yaml:"version"`
	Distro   string              `yaml:"distro"`
	Settings map[string]string   `yaml:"settings"` // KEY or SCOPE: KEY -> value; - is not stated
	Services []map[string]string `yaml:"services"` // all of them; only the attributes that are named; - is not stated
}

// Load returns the descriptions of all daemons, in the order of their subjects, without
// their tests.
func Load() ([]*Daemon, error) {
	var all []*Daemon
	if err := json.Unmarshal(compiled, &all); err != nil {
		return nil, fmt.Errorf("daemons.json: %w", err)
	}
	for _, d := range all {
		d.keys = d.spelling()
	}
	return all, nil
}

// LoadDir reads the descriptions (*.yaml) at the top of a directory, in the order of their
// subjects. A description that is not whole is an error that names its file.
func LoadDir(dir fs.FS) ([]*Daemon, error) {
	names, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*Daemon
	for _, name := range names {
		b, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		d, err := read(name, b)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *Daemon) int { return strings.Compare(a.Subject, b.Subject) })
	for i, d := range all[1:] {
		if d.Subject == all[i].Subject {
			return nil, fmt.Errorf("%s: subject %q is taken by %s", d.name, d.Subject, all[i].name)
		}
	}
	return all, nil
}

func read(name string, data []byte) (*Daemon, error) {
	d := &Daemon{name: name}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(d); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d.keys = d.spelling()
	return d, nil
}

// check holds what the reader of a description may rely on.
func (d *Daemon) check() error {
	switch {
	case d.Subject == "":
		return errors.New("no subject")
	case d.About == "":
		return errors.New("no about")
	case len(d.Files)+len(d.Also) > 0 && d.Syntax.Family == "":
		return errors.New("files without a syntax family")
	case !slices.Contains([]string{"", "first", "last"}, d.Repeat):
		return fmt.Errorf("repeat %q is neither first nor last", d.Repeat)
	case len(d.Tests) == 0:
		return errors.New("no tests")
	}
	for _, p := range slices.Concat(d.Files, d.Also) {
		if !path.IsAbs(p) {
			return fmt.Errorf("file %q is not absolute", p)
		}
	}
	for i := range d.Services {
		if err := d.Services[i].check(); err != nil {
			return err
		}
	}
	return nil
}

// ByProgram returns the daemon whose program has a base name, or nil.
func ByProgram(all []*Daemon, name string) *Daemon {
	for _, d := range all {
		if slices.Contains(d.Programs, name) {
			return d
		}
	}
	for _, d := range all {
		for _, p := range d.Aka {
			if ok, err := path.Match(p, name); ok && err == nil {
				return d
			}
		}
	}
	return nil
}

// BySubject returns the daemon of a subject, or nil.
func BySubject(all []*Daemon, subject string) *Daemon {
	for _, d := range all {
		if d.Subject == subject {
			return d
		}
	}
	return nil
}

// key returns a key as the daemon's description spells it.
func (d *Daemon) key(k string) string {
	if d.Sysctl {
		k = strings.TrimPrefix(k, "-")
		if i := strings.IndexAny(k, "/."); i >= 0 && k[i] == '/' {
			k = strings.Map(func(r rune) rune {
				switch r {
				case '/':
					return '.'
				case '.':
					return '/'
				}
				return r
			}, k)
		}
	}
	if to, ok := d.Alias[k]; ok {
		return to
	}
	if !d.Syntax.Fold && !d.Loose {
		return k
	}
	want := d.fold(k)
	if s, ok := d.keys[want]; ok {
		return s
	}
	return k
}

// fold writes a key so that two spellings of it are equal.
func (d *Daemon) fold(k string) string {
	if d.Syntax.Fold {
		k = strings.ToLower(k)
	}
	if d.Loose {
		k = strings.NewReplacer(" ", "", "\t", "", "-", "", "_", "").Replace(k)
	}
	return k
}

// spelling maps folded keys to the description's own spelling of them.
func (d *Daemon) spelling() map[string]string {
	m := map[string]string{}
	put := func(k string) { m[d.fold(k)] = k }
	for _, k := range slices.Concat(d.Lists, d.Switches, d.Include, d.Secrets, d.Verbatim) {
		put(k)
	}
	for k := range d.Dirs {
		put(k)
	}
	for k := range d.Defaults {
		put(k)
	}
	for k := range d.Inverse {
		put(k)
	}
	for from, to := range d.Alias {
		m[d.fold(from)] = to
	}
	for _, k := range d.Arguments.Set {
		put(k)
	}
	for _, keys := range d.Arguments.Flag {
		for k := range keys {
			put(k)
		}
	}
	for _, s := range d.Services {
		for _, k := range s.keys() {
			put(k)
		}
	}
	return m
}
