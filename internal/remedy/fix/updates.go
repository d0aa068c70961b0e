package fix

import (
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var disableRule = remedy.Fix{
	ID:     "disable-rule",
	Title:  "Take out the rule by which a plugged-in medium starts an update, and the program that it starts",
	Care:   remedy.Review,
	Breaks: "updates and exports that begin when a stick is plugged in",
	Test:   "that nothing runs when a stick is plugged in, and how updates are installed instead",
	Apply: func(t *remedy.Task) error {
		found := 0
		for _, u := range of[*fact.Update](t) {
			for _, p := range filesOf(u) {
				if path.Base(p) != "mdev.conf" && !strings.HasSuffix(p, ".rules") {
					continue
				}
				n, err := rewrite(t, p, func(_ int, line string) ([]string, bool) {
					if strings.HasPrefix(strings.TrimSpace(line), "#") || !strings.Contains(line, path.Base(u.Path)) {
						return nil, false
					}
					return []string{takenOut + line}, true
				})
				if err != nil {
					return err
				}
				found += n
				if n > 0 {
					t.Say("%s: the rule that starts %s is taken out", p, u.Path)
					if t.Entry(u.Path) != nil {
						if err := t.Remove(u.Path); err != nil {
							return err
						}
						t.Say("%s: removed, since it installs whatever a medium holds", u.Path)
					}
				}
			}
		}
		if found == 0 {
			return none("no rule of mdev or udev names the program")
		}
		return nil
	},
}

var removeAuthorized = remedy.Fix{
	ID:     "remove-authorized-key",
	Title:  "Take the key out of those that are let in",
	Care:   remedy.Review,
	Breaks: "logins with that key: remote maintenance, scripts of other systems",
	Test:   "how service technicians get in, and that nothing else used the key",
	Apply: func(t *remedy.Task) error {
		done := 0
		for _, k := range of[*fact.Key](t) {
			for _, p := range k.Places {
				if k.Use != "ssh-authorized" {
					continue
				}
				ok, err := statement(t, p, func(string) ([]string, bool) { return nil, true })
				if err != nil {
					return err
				}
				if ok {
					done++
					t.Say("%s:%d: the key is taken out", p.Path, p.Line)
				}
			}
		}
		if done == 0 {
			return none("no line of authorized_keys is the key's")
		}
		return nil
	},
}
