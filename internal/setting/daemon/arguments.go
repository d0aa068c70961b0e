package daemon

import (
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/setting"
)

// arguments reads a command line: the main file it names, and the settings it makes.
func (d *Daemon) arguments(args []string) (config string, out []Setting) {
	a := &d.Arguments
	bare := 0
	for i := 0; i < len(args); i++ {
		w := args[i]
		value := func() (string, bool) {
			if i+1 >= len(args) {
				return "", false
			}
			i++
			return args[i], true
		}
		switch {
		case w == "" || w == "&":
		case w == "--":
		case strings.HasPrefix(w, "--") || len(w) > 2 && a.known(w) || a.Whole && (w[0] == '-' || w[0] == '+') && len(w) > 1:
			name, v, has := strings.Cut(w, "=")
			if a.known(name) {
				if a.takes(name) {
					if !has {
						v, has = value()
					}
					if has {
						d.option(name, v, &config, &out)
					}
				} else {
					d.option(name, "", &config, &out)
				}
				continue
			}
			if strings.HasPrefix(w, "--") && a.Long == "equals" {
				out = append(out, Setting{Key: name[2:], Raw: v, Value: v})
			}
			if strings.HasPrefix(w, "--") && a.Long == "words" {
				var all []string
				for i+1 < len(args) && !strings.HasPrefix(args[i+1], "--") {
					i++
					all = append(all, args[i])
				}
				v := strings.Join(all, " ")
				out = append(out, Setting{Key: name[2:], Raw: v, Value: v})
			}
		case w[0] == '-' && len(w) > 1:
			for j := 1; j < len(w); j++ {
				name := "-" + w[j:j+1]
				if !a.takes(name) {
					d.option(name, "", &config, &out)
					continue
				}
				v := w[j+1:]
				if v == "" {
					var ok bool
					if v, ok = value(); !ok {
						break
					}
				}
				d.option(name, v, &config, &out)
				break
			}
		default:
			if len(a.Bare) == 0 {
				continue
			}
			switch key := a.Bare[min(bare, len(a.Bare)-1)]; key {
			case "config":
				config = w
			case "-":
			default:
				out = append(out, Setting{Key: key, Raw: w, Value: w})
			}
			bare++
		}
	}
	return config, out
}

// known reports whether an option is described.
func (a *Arguments) known(name string) bool {
	_, flag := a.Flag[name]
	return flag || a.takes(name)
}

// takes reports whether an option has a value.
func (a *Arguments) takes(name string) bool {
	_, set := a.Set[name]
	return set || slices.Contains(a.Config, name) || slices.Contains(a.Assign, name) ||
		slices.Contains(a.Directive, name) || slices.Contains(a.Skip, name)
}

// option notes what one option says.
func (d *Daemon) option(name, v string, config *string, out *[]Setting) {
	a := &d.Arguments
	if key, ok := a.Set[name]; ok {
		*out = append(*out, Setting{Key: key, Raw: v, Value: v})
	}
	if slices.Contains(a.Config, name) {
		*config = v
	}
	if slices.Contains(a.Assign, name) {
		n := strings.IndexAny(v, "= ")
		if n > 0 {
			value := strings.TrimLeft(v[n:], "= ")
			*out = append(*out, Setting{Key: v[:n], Raw: value, Value: value})
		}
	}
	if slices.Contains(a.Directive, name) {
		for _, e := range setting.Parse(d.Syntax, v).Entries {
			*out = append(*out, Setting{Scope: d.scope(e.Scope), Key: e.Key, Raw: e.Value, Value: e.Value})
		}
	}
	flags := a.Flag[name]
	keys := make([]string, 0, len(flags))
	for k := range flags {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		*out = append(*out, Setting{Key: k, Raw: name, Value: flags[k]})
	}
}
