package fix

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/remedy"
	"github.com/vesalius-project/vesalius/internal/setting"
	"github.com/vesalius-project/vesalius/internal/setting/daemon"
)

var setSetting = remedy.Fix{
	ID:     "set-setting",
	Title:  "Set the option in the program's own configuration",
	Care:   remedy.Review,
	Breaks: "partners that relied on what the option allowed",
	Test:   "that the program starts with the changed configuration, and that the partners who must reach it do",
	Apply:  applySetSetting,
}

// out is the value of a rule's set that takes the line out.
const out = "-"

func applySetSetting(t *remedy.Task) error {
	all, err := daemon.Load()
	if err != nil {
		return err
	}
	done := 0
	for _, want := range wanted(t) {
		d := daemon.BySubject(all, want.subject)
		if d == nil {
			continue
		}
		n, err := want.write(t, d)
		if err != nil {
			return err
		}
		done += n
	}
	if done == 0 {
		return none("no option of the finding stands in a configuration file that can be written")
	}
	return nil
}

// option is one option that is to have another value.
type option struct {
	subject, key, value string
	was                 *fact.Setting // as it is, nil where nothing states it
	file                string        // to add it to, where it stands in none
}

// wanted lists the options that a rule wants set: the finding's own, or those of the
// service that the finding is about.
func wanted(t *remedy.Task) []option {
	var list []option
	for _, s := range of[*fact.Setting](t) {
		if v, ok := t.Rule.Set[s.Subject+"/"+s.Name]; ok {
			list = append(list, option{s.Subject, s.Name, v, s, s.Instance})
		}
	}
	services := of[*fact.Service](t)
	for _, a := range of[*fact.Account](t) { // root over the network: the services that let it in
		for _, s := range t.All.Service {
			if s.Root == a.Root && s.Start.Or("") != "never" {
				services = append(services, s)
			}
		}
	}
	for _, s := range services {
		for _, name := range sorted(t.Rule.Set) {
			subject, key, _ := strings.Cut(name, "/")
			if subject != s.Product {
				continue
			}
			o := option{subject, key, t.Rule.Set[name], nil, s.Instance}
			for _, x := range t.All.Setting {
				if x.Root == s.Root && x.Subject == subject && x.Name == key && x.Instance == s.Instance {
					o.was = x
				}
			}
			list = append(list, o)
		}
	}
	return list
}

func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// write sets the option where it stands, and adds it to the main file where it stands
// nowhere. It returns in how many places it did.
func (o option) write(t *remedy.Task, d *daemon.Daemon) (done int, err error) {
	if o.was != nil && o.was.Origin == "argument" {
		return 0, none("%s %s: is said on the command line", o.subject, o.key)
	}
	if o.was != nil && o.was.Origin == "file" {
		for _, p := range o.was.Places {
			if p.Line == 0 {
				continue
			}
			ok, err := o.replace(t, d, p)
			if err != nil {
				return done, err
			}
			if ok {
				done++
			}
		}
		return done, nil
	}
	if o.value == out {
		return 0, nil
	}
	file, ok := o.main(t)
	if !ok {
		return 0, none("%s %s: there is no configuration file to write it into", o.subject, o.key)
	}
	f, err := parse(t, d, file)
	if err != nil {
		return 0, err
	}
	var scope []string
	if d.Root != "" {
		scope = []string{d.Root}
	}
	text, err := f.Set(scope, o.key, o.value)
	if err != nil {
		return 0, err
	}
	if text == f.Text {
		return 0, nil
	}
	t.Say("%s: %s %s", file, o.key, o.value)
	return 1, t.Write(file, []byte(text), 0o644)
}

// replace changes the entry that was at a place; it counts as done where another fix has
// changed it already.
func (o option) replace(t *remedy.Task, d *daemon.Daemon, p fact.Place) (bool, error) {
	text, err := t.Original(p.Path)
	if err != nil {
		return false, err
	}
	before := setting.Parse(syntaxOf(d, p.Path), text)
	i := slices.IndexFunc(before.Entries, func(e setting.Entry) bool { return e.Line == p.Line && o.names(d, e.Key) })
	if i < 0 {
		return false, nil
	}
	was := before.Entries[i]
	f, err := parse(t, d, p.Path)
	if err != nil {
		return false, err
	}
	words := o.key + " " + o.value
	if o.value == out {
		words = o.key + " taken out"
	}
	t.Say("%s:%d: %s", p.Path, p.Line, words)
	i = slices.IndexFunc(f.Entries, func(e setting.Entry) bool {
		return e.Key == was.Key && e.Value == was.Value && slices.Equal(e.Scope, was.Scope)
	})
	if i < 0 {
		return true, nil
	}
	if o.value == out {
		text = f.Cut(f.Entries[i])
	} else if text, err = f.Replace(f.Entries[i], o.value); err != nil {
		return false, fmt.Errorf("%s:%d: %w", p.Path, p.Line, err)
	}
	return true, t.Write(p.Path, []byte(text), 0o644)
}

// names reports whether a key in a file is the option: its spelling, or another of it.
func (o option) names(d *daemon.Daemon, key string) bool {
	plain := func(s string) string {
		if d.Loose {
			s = strings.NewReplacer(" ", "", "-", "", "_", "").Replace(s)
		}
		if d.Sysctl {
			s = strings.ReplaceAll(strings.TrimPrefix(s, "-"), "/", ".")
		}
		return strings.ToLower(strings.TrimPrefix(s, d.Strip+" "))
	}
	if alias, ok := d.Alias[key]; ok {
		key = alias
	}
	return plain(key) == plain(o.key) || strings.HasSuffix(plain(o.key), "."+plain(key))
}

// main is the main file of the instance.
func (o option) main(t *remedy.Task) (string, bool) {
	at, ok := t.Resolve(o.file)
	if !ok || !path.IsAbs(o.file) {
		return "", false
	}
	if n := t.Entry(at); n.Kind != image.File {
		return "", false
	}
	return at, true
}

// parse reads a configuration file in the syntax that the daemon has for it.
func parse(t *remedy.Task, d *daemon.Daemon, file string) (*setting.File, error) {
	text, err := t.Text(file)
	if err != nil {
		return nil, err
	}
	return setting.Parse(syntaxOf(d, file), text), nil
}

// syntaxOf is the syntax that a daemon's file is in.
func syntaxOf(d *daemon.Daemon, file string) setting.Syntax {
	syntax := d.Syntax
	for _, x := range d.Extra {
		for _, pattern := range x.Files {
			if ok, err := path.Match(pattern, file); ok && err == nil {
				syntax = x.Syntax
			}
		}
	}
	return syntax
}
