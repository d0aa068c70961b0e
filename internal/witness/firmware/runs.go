package firmware

import (
	"path"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// run is how the system runs one file.
type run struct {
	known, boot, root bool
	started           string       // by what: inittab, systemd, cron, udev, mdev ...
	places            []fact.Place // the steps that lead to it
}

// runsOf says of programs and scripts how the system runs them, by their paths, and
// whether its start could be followed at all.
func runsOf(r *Root) (of map[string]run, seen bool) {
	c := r.chain()
	of = map[string]run{}
	note := func(p string, b by) {
		if p == "" || b.start == "never" && b.started != "cron" {
			return
		}
		if b.start == "never" {
			b.started = "" // no cron is started, but somebody is meant to run it
		}
		old := of[p]
		n := run{true, old.boot || b.start == "boot", old.root || b.user.Or("") == "root", old.started, old.places}
		if old.started == "" {
			n.started, n.places = b.started, b.places
		}
		of[p] = n
	}
	for p, b := range c.reached {
		note(p, b)
	}
	for _, l := range c.launches {
		if l.program == nil {
			continue
		}
		note(l.program.Path, l.by)
		// The script that an interpreter is given.
		for _, a := range l.words[min(1, len(l.words)):] {
			if f := r.Lookup(a); path.IsAbs(a) && f != nil && f.Trace != nil && f.Trace.Type == "script" {
				note(f.Path, l.by)
			}
		}
	}
	return of, len(c.inits) > 0
}

// plugged reports whether the plugging of a device starts it.
func (n run) plugged() bool {
	return n.started == "udev" || n.started == "mdev" || n.started == "hotplug"
}
