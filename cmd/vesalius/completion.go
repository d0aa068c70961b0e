package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script that completes commands, flags and file names.
func (c *completionCommand) Run(w *world, app *kong.Kong) error {
	type word struct{ name, help string }
	var commands []word
	flags := map[string][]word{}
	for _, n := range app.Model.Children {
		if n.Hidden {
			continue
		}
		commands = append(commands, word{n.Name, n.Help})
		for _, f := range n.Flags {
			flags[n.Name] = append(flags[n.Name], word{"--" + f.Name, f.Help})
		}
	}
	names := func(list []word) string {
		var out []string
		for _, l := range list {
			out = append(out, l.name)
		}
		return strings.Join(out, " ")
	}
	quote := strings.NewReplacer("'", "", "[", "(", "]", ")", ":", ",").Replace
	switch c.Shell {
	case "bash":
		fmt.Fprintf(w.out, "_vesalius() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]}\n\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $cur in\n\t-*)\n\t\tcase ${COMP_WORDS[1]} in\n", names(commands))
		for _, n := range commands {
			fmt.Fprintf(w.out, "\t\t%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")) ;;\n", n.name, names(flags[n.name]))
		}
		_, err := fmt.Fprint(w.out, "\t\tesac ;;\n\t*) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n\tesac\n}\ncomplete -o filenames -F _vesalius vesalius\n")
		return err
	case "zsh":
		fmt.Fprint(w.out, "#compdef vesalius\n_vesalius() {\n\tlocal -a commands=(\n")
		for _, n := range commands {
			fmt.Fprintf(w.out, "\t\t'%s:%s'\n", n.name, quote(n.help))
		}
		fmt.Fprint(w.out, "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tcase $words[2] in\n")
		for _, n := range commands {
			fmt.Fprintf(w.out, "\t%s) _arguments", n.name)
			for _, f := range flags[n.name] {
				fmt.Fprintf(w.out, " \\\n\t\t'%s[%s]'", f.name, quote(f.help))
			}
			fmt.Fprint(w.out, " \\\n\t\t'*:file:_files' ;;\n")
		}
		_, err := fmt.Fprint(w.out, "\tesac\n}\n_vesalius \"$@\"\n")
		return err
	}
	for _, n := range commands {
		fmt.Fprintf(w.out, "complete -c vesalius -n __fish_use_subcommand -f -a %s -d '%s'\n", n.name, quote(n.help))
		for _, f := range flags[n.name] {
			fmt.Fprintf(w.out, "complete -c vesalius -n '__fish_seen_subcommand_from %s' -l %s -d '%s'\n", n.name, f.name[2:], quote(f.help))
		}
	}
	return nil
}
