package firmware

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// device says what the image calls itself: os-release and its like.
var device = inspector{
	name:  "device",
	kinds: []fact.Kind{fact.KindDevice},
	look:  lookDevice,
}

func lookDevice(r *Root) {
	if r.Role != "system" {
		return
	}
	d := &fact.Device{OS: "linux"}
	for _, p := range []string{"/etc/os-release", "/usr/lib/os-release", "/etc/openwrt_release"} {
		f := r.Lookup(p)
		text, ok := r.Text(p)
		if !ok {
			continue
		}
		d.Places = append(d.Places, f.At(0))
		for line := range strings.Lines(text) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			v = strings.Trim(v, `"'`)
			switch k {
			case "PRETTY_NAME", "DISTRIB_DESCRIPTION":
				d.Distro = v
			case "ID", "DISTRIB_ID":
				d.DistroID = strings.ToLower(v)
			case "VERSION_ID", "DISTRIB_RELEASE":
				d.DistroVersion = v
			}
		}
		break
	}
	if d.Places == nil {
		d.Places = append(d.Places, r.Layer.PlaceOf("/"))
	}
	r.Add(d)
}
