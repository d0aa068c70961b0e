package firmware

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// executables states what programs, libraries and kernel modules are made like.
var executables = inspector{
	name:  "executables",
	kinds: []fact.Kind{fact.KindExecutable},
	look:  lookExecutables,
}

func lookExecutables(r *Root) {
	runs, seen := runsOf(r)
	arches := map[string]int{}
	product, service := map[string]bool{}, map[string]bool{} // programs that are known daemons, and others that stay
	for _, s := range r.Facts.Service {
		if f := r.Lookup(s.Program); s.Program != "" && f != nil {
			product[f.Path] = product[f.Path] || s.Product != ""
			service[f.Path] = service[f.Path] || s.Start.Or("") == "boot"
		}
	}
	for _, f := range r.Files() {
		if f.Trace == nil || f.Trace.Binary == nil || f.Trace.Binary.Core || !f.Regular() {
			continue
		}
		b := f.Trace.Binary
		if b.Shape.Type == "module" && b.Module["intree"] == "Y" {
			continue // the kernel's own, of which it may have thousands
		}
		e := b.Shape // a copy: the trace is shared by all files of this content
		e.Places = []fact.Place{f.At(0)}
		e.Path, e.Digest, e.Size = f.Path, f.Trace.SHA256, f.Node.Size
		e.WorldWritable = fact.Say(f.WorldWritable())
		if r.ownersKept() {
			e.Setuid = fact.Say(f.Node.Mode&0o4000 != 0 && f.Node.UID == 0)
			e.Setgid = fact.Say(f.Node.Mode&0o2000 != 0)
		}
		if c, ok := f.Node.XAttrs["security.capability"]; ok {
			e.Capabilities = capabilities(c)
		}
		if e.Type == "program" && seen {
			e.Boot = fact.Say(runs[f.Path].boot)
		}
		if e.Type == "program" || e.Type == "library" {
			if own, ok := r.maker(f, service[f.Path], product[f.Path]); ok {
				e.Vendor = fact.Say(own)
			}
		}
		r.Add(&e)
		if e.Type == "program" && e.Arch != "" {
			arches[e.Arch]++
		}
	}
	// The device is of the architecture that most of its programs have.
	best := ""
	for a, n := range arches {
		if n > arches[best] || n == arches[best] && a < best {
			best = a
		}
	}
	for _, d := range r.Facts.Device {
		if d.Arch == "" {
			d.Arch = best
		}
	}
}

// textOf returns the text of a file, an empty one where it has none.
func textOf(f *File) *string {
	text, _ := f.Text()
	return &text
}

// ownersKept reports whether the file system keeps owners and modes at all.
func (r *Root) ownersKept() bool {
	return r.Layer != nil && !slices.Contains([]string{"fat", "iso9660", "zip"}, r.Layer.Format.Name)
}

// capabilityNames are the capabilities of Linux by number (linux/capability.h).
var capabilityNames = []string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "linux_immutable",
	"net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace",
	"sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write",
	"audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
}

// capabilities reads the attribute security.capability: a version word, then permitted and
// inheritable, the low 32 bits first.
func capabilities(attr string) []string {
	p := []byte(attr)
	if len(p) < 12 {
		return nil
	}
	bits := uint64(binary.LittleEndian.Uint32(p[4:]))
	if len(p) >= 20 {
		bits |= uint64(binary.LittleEndian.Uint32(p[12:])) << 32
	}
	out := []string{}
	for i := range 64 {
		if bits&(1<<i) == 0 {
			continue
		}
		name := fmt.Sprintf("cap_%d", i)
		if i < len(capabilityNames) {
			name = "cap_" + capabilityNames[i]
		}
		out = append(out, name)
	}
	return out
}
