package firmware

import (
	"encoding/binary"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// executables states what programs, libraries and kernel modules are made like.
var executables = inspector{
	name:  "executables",
	kinds: []fact.Kind{fact.KindExecutable},
	look:  lookExecutables,
}

func lookExecutables(r *Root) {
	started := startedPrograms(r)
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
		if e.Type == "program" {
			if boot, ok := started.of(f); ok {
				e.Boot = fact.Say(boot)
			}
		}
		if e.Type == "program" || e.Type == "library" {
			if own, ok := r.maker(f, e.Boot.Or(false), started.product[f.Path]); ok {
				e.Vendor = fact.Say(own)
			}
		}
		r.Add(&e)
	}
}

// ownersKept reports whether the file system keeps owners and modes at all.
func (r *Root) ownersKept() bool {
	return r.Layer != nil && !slices.Contains([]string{"fat", "iso9660", "zip"}, r.Layer.Format.Name)
}

// started is what the start of the system shows of programs.
type started struct {
	seen    bool              // the start could be followed at all
	boot    map[string]bool   // programs and scripts that are started at boot
	product map[string]bool   // programs that are known daemons
	texts   []string          // the scripts that are run at boot
	asRoot  map[string]bool   // programs and scripts that root runs
	by      map[string]string // what runs them
}

// startedPrograms reads the services that the start inspector stated.
func startedPrograms(r *Root) *started {
	s := &started{boot: map[string]bool{}, product: map[string]bool{}, asRoot: map[string]bool{}, by: map[string]string{}}
	read := map[string]bool{}
	for _, svc := range r.Facts.Service {
		program := svc.Program
		if f := r.Lookup(program); program != "" && f != nil {
			program = f.Path
		}
		if svc.Product != "" && program != "" {
			s.product[program] = true
		}
		if start, ok := svc.Start.Value(); !ok || start == "never" {
			continue
		}
		at := svc.Start.Or("") == "boot"
		s.seen = s.seen || at
		note := func(p string) {
			if p == "" {
				return
			}
			s.boot[p] = s.boot[p] || at
			s.asRoot[p] = s.asRoot[p] || svc.AsRoot.Or(false)
			s.by[p] = svc.Started
		}
		note(program)
		for _, a := range svc.Arguments {
			if f := r.Lookup(a); path.IsAbs(a) && f != nil && f.Trace != nil && f.Trace.Type == "script" {
				note(f.Path)
			}
		}
		for _, p := range svc.Places {
			if f := r.Entry(p.Path); f != nil && f.Trace != nil && f.Trace.Type == "script" && !read[f.Path] {
				read[f.Path] = true
				text, _ := f.Text()
				s.texts = append(s.texts, text)
			}
		}
	}
	return s
}

// of reports whether a program is started at boot, by itself or by a script that names it.
func (s *started) of(f *File) (boot, known bool) {
	if s.boot[f.Path] {
		return true, true
	}
	if !s.seen {
		return false, false
	}
	word := path.Base(f.Path)
	if len(word) < 3 {
		return false, true
	}
	re := regexp.MustCompile(`(^|[\s"'=/;&|(])` + regexp.QuoteMeta(word) + `($|[\s"';&|)])`)
	for _, t := range s.texts {
		if strings.Contains(t, word) && re.MatchString(t) {
			return true, true
		}
	}
	return false, true
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
