package firmware

import (
	"slices"

	"github.com/vesalius-project/vesalius/internal/image"
)

// whole is the image that a root is part of: what boots a system lies beside its root.
type whole struct {
	image *image.Image
	roots []*Root
}

// main reports whether the root speaks for what the image has once: how it starts, and its
// kernel. That is the first system in it; without one, what lies loose.
func (r *Root) main() bool {
	if r.whole == nil {
		return r.Role == "system" || r.Role == "loose"
	}
	for _, role := range []string{"system", "loose"} {
		for _, o := range r.whole.roots {
			if o.Role == role {
				return o == r.self
			}
		}
	}
	return len(r.whole.roots) > 0 && r.whole.roots[0] == r.self
}

// beside lists the roots whose files may boot a system: itself, what lies loose, and the
// other partitions; no containers and no other systems.
func (r *Root) beside() []*Root {
	out := []*Root{r}
	if r.whole == nil {
		return out
	}
	for _, o := range r.whole.roots {
		if o != r.self && (o.Layer == nil || packageFile(o.Layer) == "") && (o.Role == "loose" || o.Role == "initramfs" || len(o.Role) > 5 && o.Role[:5] == "data:") {
			out = append(out, o)
		}
	}
	return out
}

// layersOf lists the containers of some formats in the image.
func (r *Root) layersOf(formats ...string) []*image.Layer {
	var out []*image.Layer
	if r.whole == nil {
		return out
	}
	for _, l := range r.whole.image.Layers {
		if slices.Contains(formats, l.Format.Name) {
			out = append(out, l)
		}
	}
	return out
}
