package firmware

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/search"
)

// kernel states which kernel runs, how it was configured, and which systems of another
// kind cannot be read.
var kernel = inspector{
	name:  "kernel",
	kinds: []fact.Kind{fact.KindKernel, fact.KindSetting},
	look:  lookKernel,
}

func lookKernel(r *Root) {
	if !r.main() {
		return
	}
	k := kernelReader{root: r, releases: map[string]bool{}}
	k.banners()
	k.images()
	k.modules()
	if k.fact.Release == "" && k.fact.Version == "" && len(k.fact.Places) == 0 {
		k.foreign()
		return
	}
	k.config()
	k.fact.Name = "linux"
	fact.SortPlaces(k.fact.Places)
	if len(k.fact.Places) > 32 {
		k.fact.Places = k.fact.Places[:32]
	}
	r.Add(&k.fact)
}

type kernelReader struct {
	root     *Root
	fact     fact.Kernel
	releases map[string]bool
	unsigned bool // a module without a signature lies there
	signed   bool
}

var (
	linuxBanner   = search.Lazy(`^Linux version (\S+) \(([^)]*)\) ?(?:\((.*?)\) )?(#.*)?`)
	plainVersion  = search.Lazy(`^\d+\.\d+(?:\.\d+){0,2}`)
	debianVersion = search.Lazy(`#\d* .*\bDebian (\d+\.\d+\.\d+)-`) // not the compiler's, which stands before the number of the build
	ubuntuVersion = search.Lazy(`\(Ubuntu [^)]*\s(\d+\.\d+\.\d+)\)`)
	imageVersion  = search.Lazy(`(?i)linux(?: kernel)?[- v]+(\d+\.\d+[\w.+-]*)`)
)

// release notes a release of the kernel: the first that is seen counts, and how.
func (k *kernelReader) release(release string, at fact.Place) {
	if k.fact.Release == "" {
		k.fact.Release = release
		if k.fact.Version == "" {
			k.fact.Version = plainVersion.FindString(release)
		}
	}
	have := slices.ContainsFunc(k.fact.Places, func(p fact.Place) bool { return p.String() == at.String() })
	if k.fact.Release == release && len(k.fact.Places) < 64 && !have {
		k.fact.Places = append(k.fact.Places, at)
	}
	k.releases[release] = true
}

// banners reads the version lines of kernels, compressed or not.
func (k *kernelReader) banners() {
	for _, o := range k.root.beside() {
		for _, f := range o.Files() {
			if f.Trace == nil || f.Trace.Type == "elf" && !strings.Contains(path.Base(f.Path), "vmlinux") && o.Role != "loose" {
				continue
			}
			for _, b := range f.Trace.Banners {
				m := linuxBanner.FindStringSubmatch(b.Text)
				if b.What != "linux" || m == nil {
					continue
				}
				p := f.Place()
				p.Offset = b.Offset
				first := k.fact.Release == ""
				k.release(m[1], p)
				if k.fact.Release != m[1] || !first && k.fact.Build != "" {
					continue
				}
				k.fact.Build = strings.TrimSpace(m[4])
				if k.fact.Compiler == "" {
					k.fact.Compiler = m[3]
				}
				// A distribution's name of the interface is not the version of the source.
				if v := debianVersion.FindStringSubmatch(b.Text); v != nil {
					k.fact.Version = v[1]
				} else if v := ubuntuVersion.FindStringSubmatch(b.Text); v != nil {
					k.fact.Version = v[1]
				}
			}
		}
	}
}

// kernelArch says how the headers of images name the architectures that we name
// otherwise.
var kernelArch = map[string]string{"powerpc": "ppc", "riscv": "riscv64"}

// images reads the headers of images that hold kernels.
func (k *kernelReader) images() {
	for _, l := range k.root.layersOf("uimage") {
		if t := l.Attributes["type"]; t != "kernel" && t != "multi" && t != "kernel_noload" || l.Attributes["os"] != "linux" {
			continue
		}
		k.arch(l.Attributes["arch"])
		if m := imageVersion.FindStringSubmatch(l.Attributes["name"]); m != nil {
			k.release(m[1], l.Place)
		} else if len(k.fact.Places) == 0 {
			k.fact.Places = append(k.fact.Places, l.Place)
		}
	}
	for _, l := range k.root.layersOf("fit") {
		for name, v := range l.Attributes {
			image, ok := strings.CutSuffix(strings.TrimPrefix(name, "image."), ".type")
			if ok && v == "kernel" {
				k.arch(l.Attributes["image."+image+".arch"])
				if m := imageVersion.FindStringSubmatch(l.Attributes["image."+image+".description"]); m != nil {
					k.release(m[1], l.Place)
				}
			}
		}
	}
}

func (k *kernelReader) arch(name string) {
	if k.fact.Arch == "" {
		k.fact.Arch = cmp.Or(kernelArch[name], name)
	}
}

var moduleName = search.Lazy(`^(.+)\.ko(?:\.(?:gz|xz|zst))?$`)

// modules reads the directories of modules: they name the release that they are for.
func (k *kernelReader) modules() {
	names, builtin := map[string]bool{}, false
	for _, dir := range []string{"/lib/modules", "/usr/lib/modules"} {
		for _, d := range k.root.Dir(dir) {
			if d.Node.Kind == image.Dir && plainVersion.MatchString(path.Base(d.Path)) {
				k.release(path.Base(d.Path), d.At(0))
				builtin = builtin || k.root.Lookup(d.Path+"/modules.builtin") != nil
			}
		}
	}
	for _, f := range k.root.Files() {
		m := moduleName.FindStringSubmatch(path.Base(f.Path))
		if m == nil || !f.Regular() {
			continue
		}
		names[strings.ReplaceAll(m[1], "-", "_")] = true
		if f.Trace == nil || f.Trace.Binary == nil || f.Trace.Binary.Module == nil {
			continue
		}
		b := f.Trace.Binary
		k.arch(b.Shape.Arch)
		if b.Shape.Signed.Or(false) {
			k.signed = true
		} else {
			k.unsigned = true
		}
		if release, _, _ := strings.Cut(b.Module["vermagic"], " "); release != "" && k.fact.Release == "" {
			k.release(release, f.At(0))
		}
	}
	if len(names) == 0 && !builtin {
		return
	}
	k.fact.Modules = []string{}
	for n := range names {
		k.fact.Modules = append(k.fact.Modules, n)
	}
	slices.Sort(k.fact.Modules)
}

// options are those of the kernel's configuration that say something about security.
var options = search.Lazy(`^CONFIG_(?:CC_)?STACKPROTECTOR(?:_STRONG|_REGULAR|_PER_TASK)?$|^CONFIG_(?:RANDOMIZE_(?:BASE|MEMORY|MODULE_REGION_FULL|KSTACK_OFFSET_DEFAULT)|STRICT_(?:KERNEL|MODULE)_RWX|DEBUG_RODATA|DEBUG_SET_MODULE_RONX|VMAP_STACK|` +
	`MODULES|MODULE_(?:SIG|SIG_FORCE|SIG_ALL|SIG_SHA1|UNLOAD|FORCE_LOAD|FORCE_UNLOAD)|MODVERSIONS|DEVMEM|DEVKMEM|DEVPORT|STRICT_DEVMEM|IO_STRICT_DEVMEM|PROC_KCORE|PROC_VMCORE|DEBUG_FS|KEXEC|KEXEC_FILE|KEXEC_SIG|HIBERNATION|` +
	`USER_NS|SECCOMP|SECCOMP_FILTER|SECURITY|SECURITYFS|SECURITY_(?:SELINUX|SELINUX_DISABLE|SELINUX_BOOTPARAM|SELINUX_DEVELOP|APPARMOR|SMACK|TOMOYO|YAMA|LOCKDOWN_LSM|LOCKDOWN_LSM_EARLY|DMESG_RESTRICT|LANDLOCK|LOADPIN|SAFESETID)|` +
	`LOCK_DOWN_KERNEL_FORCE_(?:NONE|INTEGRITY|CONFIDENTIALITY)|IKCONFIG|IKCONFIG_PROC|KGDB|KGDB_SERIAL_CONSOLE|MAGIC_SYSRQ|MAGIC_SYSRQ_DEFAULT_ENABLE|KPROBES|FTRACE|FORTIFY_SOURCE|HARDENED_USERCOPY|HARDENED_USERCOPY_FALLBACK|` +
	`INIT_ON_(?:ALLOC|FREE)_DEFAULT_ON|INIT_STACK_(?:NONE|ALL_ZERO|ALL_PATTERN)|SLAB_FREELIST_(?:RANDOM|HARDENED)|SHUFFLE_PAGE_ALLOCATOR|REFCOUNT_FULL|PAGE_POISONING|DEBUG_LIST|SCHED_STACK_END_CHECK|BUG_ON_DATA_CORRUPTION|` +
	`BPF_SYSCALL|BPF_JIT|BPF_JIT_ALWAYS_ON|BPF_UNPRIV_DEFAULT_OFF|DM_VERITY|DM_VERITY_VERIFY_ROOTHASH_SIG|DM_CRYPT|FS_VERITY|FS_ENCRYPTION|INTEGRITY|IMA|IMA_APPRAISE|EVM|SYN_COOKIES|NETFILTER|BINFMT_MISC|BINFMT_AOUT|COMPAT_BRK|` +
	`LEGACY_PTYS|LEGACY_VSYSCALL_(?:NONE|EMULATE|XONLY)|MODIFY_LDT_SYSCALL|X86_(?:PTDUMP|MSR|UMIP|SMAP)|PAGE_TABLE_ISOLATION|MITIGATION_\w+|RETPOLINE|CPU_SW_DOMAIN_PAN|ARM64_(?:SW_TTBR0_PAN|PAN|BTI|PTR_AUTH)|UNMAP_KERNEL_AT_EL0|` +
	`ACPI_CUSTOM_METHOD|INET_DIAG|USELIB|USERFAULTFD|SYSFS_SYSCALL|COREDUMP|AUDIT|AUDITSYSCALL|USB|USB_STORAGE|USB_GADGET|BT|WIRELESS|DEFAULT_MMAP_MIN_ADDR|LSM_MMAP_MIN_ADDR|PANIC_ON_OOPS|STATIC_USERMODEHELPER|TRIM_UNUSED_KSYMS|CMDLINE|CMDLINE_BOOL|CMDLINE_FORCE|LSM|LOCALVERSION|PREEMPT_RT)$`)

// optionsAtMost is more than any configuration has.
const optionsAtMost = 30_000

// kernelOptions reads a configuration. An option that is not mentioned is not said to be
// off: this kernel may not have it.
func kernelOptions(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if rest, unset := strings.CutPrefix(line, "# "); unset {
			if name, ok = strings.CutSuffix(rest, " is not set"); ok {
				value = "n"
			}
		}
		if ok && strings.HasPrefix(name, "CONFIG_") && len(name) < 100 && len(out) < optionsAtMost {
			value = strings.Trim(value, `"`)
			out[name] = value[:min(len(value), 400)]
		}
	}
	return out
}

// config states the configuration: built in, or beside the kernel.
func (k *kernelReader) config() {
	var found map[string]string
	var at fact.Place
	use := func(f *File, c map[string]string) {
		if found == nil && len(c) > 8 {
			found, at = c, f.At(0)
		}
	}
	for _, o := range k.root.beside() {
		for _, f := range o.Files() {
			base := path.Base(f.Path)
			named := strings.HasPrefix(base, "config-"+k.fact.Release) || base == "config" && path.Dir(f.Path) == "/lib/modules/"+k.fact.Release
			switch {
			case f.Trace == nil || found != nil:
			case f.Trace.Config != nil:
				use(f, f.Trace.Config)
			case named && f.Regular():
				use(f, kernelOptions(string(f.head(configMost))))
			case (base == "config.gz" || base == "config") && o.Role == "loose" && strings.Contains(f.Place().String(), "config.gz"):
				use(f, kernelOptions(string(f.head(configMost))))
			}
		}
	}
	forced := strings.Contains(k.commandLine(), "module.sig_enforce")
	if found == nil {
		if forced || k.unsigned {
			k.fact.ModuleSigning = fact.Say(forced)
		}
		return
	}
	k.fact.Config = fact.Say(true)
	force := forced || found["CONFIG_MODULE_SIG_FORCE"] == "y" || found["CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY"] == "y" || found["CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY"] == "y"
	if found["CONFIG_MODULES"] != "n" {
		k.fact.ModuleSigning = fact.Say(force)
	}
	names := make([]string, 0, len(found))
	for n := range found {
		names = append(names, n)
	}
	slices.Sort(names)
	k.fact.Options = []string{}
	for _, n := range names {
		switch v := found[n]; v {
		case "y", "m", "n":
			k.fact.Options = append(k.fact.Options, strings.TrimPrefix(n, "CONFIG_")+"="+v)
		}
		if !options.MatchString(n) {
			continue
		}
		k.root.Add(&fact.Setting{Base: fact.Base{Places: []fact.Place{at}}, Subject: "kernel", Name: n, Raw: n + "=" + found[n], Value: fact.Say(found[n]), Origin: "compiled"})
	}
}

// commandLine returns what the boot facts say that the kernel is given.
func (k *kernelReader) commandLine() string {
	for _, b := range k.root.Facts.Boot {
		if b.CommandLine != "" {
			return b.CommandLine
		}
	}
	return ""
}

// unread are the systems that are recognised and not read, with the form of a version in
// their banners.
var unread = []struct {
	what, title string
	version     *search.Pattern
}{
	{"vxworks", "VxWorks", search.Lazy(`VxWorks(?: SMP)?(?:64)? ?(\d[\d.]*)`)},
	{"qnx", "QNX", search.Lazy(`(\d\.\d[\d.]*)`)},
	{"integrity", "INTEGRITY", search.Lazy(`(\d+\.[\d.]*\d)`)},
	{"zephyr", "Zephyr", search.Lazy(`v?(\d+\.\d+\.\d+)`)},
	{"threadx", "ThreadX", search.Lazy(`(?:Version |V|G)(\d[\d.]*\d)`)},
	{"nucleus", "Nucleus", search.Lazy(`(\d+\.[\d.]*\d)`)},
	{"rtems", "RTEMS", search.Lazy(`(\d+\.[\d.]*\d)`)},
	{"ecos", "eCos", search.Lazy(`(\d+\.[\d.]*\d)`)},
	{"ucos", "uC/OS", search.Lazy(`[Vv](\d+\.[\d.]*\d)`)},
	{"embos", "embOS", search.Lazy(`(\d+\.[\d.]*\d)`)},
	{"freertos", "FreeRTOS", search.Lazy(`V?(\d+\.\d+\.\d+)`)},
}

// unixKinds are the kinds of fact that only a Unix shows.
var unixKinds = []fact.Kind{fact.KindAccount, fact.KindService, fact.KindSetting, fact.KindGuard, fact.KindScript, fact.KindUpdate, fact.KindMount, fact.KindInterface, fact.KindFile}

// foreign states a system of another kind, where there is no Unix: it says what is not
// seen because of that.
func (k *kernelReader) foreign() {
	r := k.root
	if len(r.Facts.Device) > 0 {
		return // it has the files of a Unix
	}
	if f := r.Lookup("/Windows/System32/ntoskrnl.exe"); f != nil {
		k.state("windows", "Windows", f.version(), f.At(0))
		return
	}
	for _, u := range unread {
		for _, o := range r.beside() {
			for _, f := range o.Files() {
				if f.Trace == nil {
					continue
				}
				for _, b := range f.Trace.Banners {
					if b.What != u.what {
						continue
					}
					version := ""
					if m := u.version.FindStringSubmatch(b.Text); m != nil {
						version = m[1]
					}
					p := f.Place()
					p.Offset = b.Offset
					k.state(u.what, u.title, version, p)
					return
				}
			}
		}
	}
}

func (k *kernelReader) state(what, title, version string, at fact.Place) {
	k.root.Add(&fact.Kernel{Base: fact.Base{Places: []fact.Place{at}}, Name: what, Version: version},
		&fact.Device{Base: fact.Base{Places: []fact.Place{at}}, OS: what})
	for _, kind := range unixKinds {
		k.root.Blind(kind, "none", "the operating system is "+title+", whose files and settings are not read")
	}
}

// version returns the version that the resource of a program of Windows gives.
func (f *File) version() string {
	if f.Trace == nil || f.Trace.Binary == nil {
		return ""
	}
	v, _, _ := strings.Cut(f.Trace.Binary.Version["FileVersion"], " ")
	return v
}
