package advisory

import (
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory/kbuild"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// kernelOf gives what the facts say of the kernel of a root.
func kernelOf(p *platform, facts *fact.Set, root, version string) *kbuild.Kernel {
	k := &kbuild.Kernel{Version: version}
	for _, f := range facts.Kernel {
		if f.Name != "linux" || f.Root != root {
			continue
		}
		if f.Arch != "" && !slices.Contains(k.Arches, f.Arch) {
			k.Arches = append(k.Arches, f.Arch)
		}
		if f.Options != nil && k.Options == nil {
			k.Options = make(map[string]string, len(f.Options))
			for _, o := range f.Options {
				name, value, _ := strings.Cut(o, "=")
				k.Options[name] = value
			}
		}
		if f.Modules != nil && k.Modules == nil {
			k.Modules = make(map[string]bool, len(f.Modules))
			for _, name := range f.Modules {
				k.Modules[strings.ReplaceAll(name, "-", "_")] = true
			}
		}
	}
	if k.Arches == nil {
		k.Arches = sorted(p.arch)
	}
	return k
}

// narrow holds the files in which a flaw of the kernel lies against what was compiled into
// the one of the device: code that is not there is not affected.
func (m *matcher) narrow(s *subject, id string, v *verdict) error {
	if s.project != "linux" || v.status != Vulnerable && v.status != Unclear {
		return nil
	}
	if s.kernel == nil {
		s.kernel = kernelOf(m.platform, m.facts, s.fact.Root, s.version)
	}
	k := s.kernel
	details, err := m.x.Details(id)
	if err != nil {
		return err
	}
	files := details.Files()
	if len(files) == 0 {
		v.steps = append(v.steps, "not narrowed: no source says in which files of the kernel it lies")
		return nil
	}
	table, err := kbuild.Linux()
	if err != nil {
		return err
	}
	absent, why := table.Absent(files, k)
	switch {
	case absent:
		if !table.Same(s.version) {
			v.confidence = min(v.confidence, 1)
			why = append(why, "which options compile a file is known of Linux "+table.Release())
		}
		v.status, v.justification, v.fixedIn = NotThere, "vulnerable_code_not_present", ""
		for _, step := range why {
			v.steps = append(v.steps, clip(step))
		}
	case k.Options == nil:
		v.steps = append(v.steps, "not narrowed: the kernel's configuration is not in the image; it lies in "+clip(strings.Join(files, ", ")))
	default:
		v.steps = append(v.steps, "the configuration does not rule out "+clip(strings.Join(files, ", ")))
	}
	return nil
}
