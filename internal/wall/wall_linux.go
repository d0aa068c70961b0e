package wall

import (
	"fmt"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Raise takes the process's rights away, as far as this kernel can, and says what stands.
func Raise(keep Rights) []Wall {
	return append(raiseLandlock(keep),
		raiseSeccomp(),
		limit("core-dumps", unix.RLIMIT_CORE, 0),
		limit("spill-size", unix.RLIMIT_FSIZE, uint64(max(keep.SpillSize, 1<<20))))
}

// raiseLandlock closes the file system, but for the directories that are kept, and the
// network.
func raiseLandlock(keep Rights) []Wall {
	files := Wall{Name: "files"}
	net := Wall{Name: "network"}
	abi, err := ll.LandlockGetABIVersion()
	if err != nil || abi < 1 {
		files.Why, net.Why = "this kernel has no Landlock", "this kernel has no Landlock"
		return []Wall{files, net}
	}
	by := fmt.Sprintf("landlock ABI %d", abi)
	var rules []landlock.Rule
	if len(keep.ReadDirs) > 0 {
		rules = append(rules, landlock.RODirs(keep.ReadDirs...))
	}
	if len(keep.WriteDirs) > 0 {
		rules = append(rules, landlock.RWDirs(keep.WriteDirs...))
	}
	if err := landlock.V7.BestEffort().Restrict(rules...); err != nil {
		files.Why, net.Why = err.Error(), err.Error()
		return []Wall{files, net}
	}
	files.Stands, files.By = true, by
	if abi >= 4 {
		net.Stands, net.By = true, by+" (TCP)"
	} else {
		net.Why = by + " cannot close the network"
	}
	return []Wall{files, net}
}

// raiseSeccomp forbids sockets, programs and debugging of others.
func raiseSeccomp() Wall {
	w := Wall{Name: "sockets-and-programs"}
	filter := seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionAllow,
			Syscalls: []seccomp.SyscallGroup{{
				Action: seccomp.ActionErrno,
				Names: []string{
					"socket", "socketpair", "connect", "bind", "listen", "execve", "execveat", "ptrace",
					"process_vm_readv", "process_vm_writev", "mount", "umount2", "bpf", "init_module",
					"finit_module", "kexec_load", "keyctl", "add_key",
				},
			}},
		},
	}
	if err := seccomp.LoadFilter(filter); err != nil {
		w.Why = err.Error()
		return w
	}
	w.Stands, w.By = true, "seccomp"
	return w
}

func limit(name string, resource int, value uint64) Wall {
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
		return Wall{Name: name, Why: err.Error()}
	}
	return Wall{Name: name, Stands: true, By: "rlimit"}
}
