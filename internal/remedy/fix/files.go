package fix

import (
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var removeFile = remedy.Fix{
	ID:     "remove-file",
	Title:  "Take the file out of the image",
	Care:   remedy.Review,
	Breaks: "what reads or runs the file",
	Test:   "that the device does all of its declared functions without it",
	Apply:  applyRemoveFile,
}

func applyRemoveFile(t *remedy.Task) error {
	removed := 0
	for _, f := range t.Facts {
		for _, p := range whole(f) {
			n := t.Entry(p)
			if n == nil || n.Kind == image.Dir {
				continue
			}
			if err := t.Remove(p); err != nil {
				return err
			}
			removed++
			t.Say("%s: removed", p)
		}
	}
	if removed == 0 {
		return none("the finding is not about a file of its own")
	}
	return nil
}

// whole returns the files that are a fact from their first byte to their last: only
// those can go. A configuration or script that merely holds it stays.
func whole(f fact.Fact) []string {
	switch f := f.(type) {
	case *fact.File, *fact.Key, *fact.Executable:
		var out []string
		for _, p := range filesOf(f) {
			if path.Base(p) != "authorized_keys" {
				out = append(out, p)
			}
		}
		return out
	case *fact.Secret:
		if f.In == "log" || f.In == "history" {
			return filesOf(f)
		}
	}
	return nil
}

var restrictMode = remedy.Fix{
	ID:     "restrict-mode",
	Title:  "Take rights on the file away from others",
	Care:   remedy.Review,
	Breaks: "programs of other users that read or write the file, or that need the rights it gave",
	Test:   "that each program which uses the file still can",
	Apply:  applyRestrictMode,
}

func applyRestrictMode(t *remedy.Task) error {
	for _, f := range t.Facts {
		for _, p := range filesOf(f) {
			at, ok := t.Resolve(p)
			n := t.Entry(at)
			if !ok || n == nil || n.Kind != image.File && n.Kind != image.Dir {
				continue
			}
			mode := n.Mode &^ 0o022
			switch x := f.(type) {
			case *fact.Secret, *fact.Data, *fact.Account, *fact.Key:
				mode = n.Mode &^ 0o077
			case *fact.Executable:
				if x.Setuid.Or(false) || x.Setgid.Or(false) {
					mode &^= 0o6000
				}
			}
			if mode == n.Mode {
				continue
			}
			if err := t.Chmod(at, mode); err != nil {
				return err
			}
			t.Say("%s: mode %04o, was %04o", at, mode, n.Mode)
		}
	}
	return nil
}

// filesOf returns the paths of a fact's places, each once.
func filesOf(f fact.Fact) []string {
	var out []string
	seen := map[string]bool{}
	for _, p := range f.Header().Places {
		if p.Path != "" && !seen[p.Path] {
			seen[p.Path] = true
			out = append(out, p.Path)
		}
	}
	return out
}

var regenerateKey = remedy.Fix{
	ID:     "regenerate-key-at-first-boot",
	Title:  "Take the key out, so that each unit makes its own at the first start",
	Care:   remedy.Review,
	Breaks: "whoever knows the device by its old key; daemons that do not make a missing key by themselves",
	Test:   "that the daemon starts on a fresh unit, and that two units have two keys",
	Apply:  applyRegenerateKey,
}

// makers are the programs that make the keys of daemons, with the line that makes one.
var makers = []struct {
	file    string // pattern of the key's base name
	program []string
	line    string
}{
	{"ssh_host_*_key", []string{"/usr/bin/ssh-keygen"}, "ssh-keygen -A"},
	{"dropbear_*_host_key", []string{"/usr/bin/dropbearkey", "/usr/sbin/dropbear", "/usr/bin/dropbear", "/bin/dropbearkey"}, ""},
}

func applyRegenerateKey(t *remedy.Task) error {
	removed := 0
	for _, f := range t.Facts {
		for _, p := range filesOf(f) {
			made := false
			for _, m := range makers {
				if ok, _ := path.Match(m.file, path.Base(p)); !ok {
					continue
				}
				for _, program := range m.program {
					if _, ok := t.Resolve(program); ok {
						made = true
					}
				}
			}
			if !made {
				return none("%s: no program in the image is known to make such a key", p)
			}
			if n := t.Entry(p); n == nil || n.Kind != image.File {
				continue
			}
			if err := t.Remove(p); err != nil {
				return err
			}
			removed++
			t.Say("%s: removed; each unit makes its own", p)
			if public := p + ".pub"; t.Entry(public) != nil {
				if err := t.Remove(public); err != nil {
					return err
				}
				t.Say("%s: removed with it", public)
			}
		}
	}
	if removed == 0 {
		return none("the key is no file of its own")
	}
	return nil
}

var setBootEnvironment = remedy.Fix{
	ID:     "set-boot-environment",
	Title:  "Set the boot loader's environment so that nobody stops it at the console",
	Care:   remedy.Review,
	Breaks: "recovery of a unit over its serial console",
	Test:   "that the device starts, and that there is another way to recover it",
	Apply: func(t *remedy.Task) error {
		for _, b := range of[*fact.Boot](t) {
			if !strings.Contains(b.Loader, "u-boot") {
				return none("%s: its settings are not known", b.Loader)
			}
			t.Orders.Boot["bootdelay"] = "-2"
			t.Say("u-boot: bootdelay=-2")
		}
		return nil
	},
}
