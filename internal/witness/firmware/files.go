package firmware

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/search"
)

// files states the files that are worth a word for themselves: what everybody may change,
// what was left behind, and tools that a device in use does not need.
var files = inspector{
	name:  "files",
	kinds: []fact.Kind{fact.KindFile},
	look:  lookFiles,
}

func lookFiles(r *Root) {
	w := fileWords{root: r, web: r.webRoots()}
	w.runs, w.seen = runsOf(r)
	for _, f := range r.Files() {
		what, detail := w.word(f)
		if what == "" {
			continue
		}
		n := f.Node
		out := &fact.File{Base: fact.Base{Places: []fact.Place{f.At(0)}}, Path: f.Path, What: what, Detail: detail, Size: n.Size}
		if r.ownersKept() {
			out.Mode, out.UID, out.GID = fact.Say(int(n.Mode)), fact.Say(n.UID), fact.Say(n.GID)
			out.WorldWritable = fact.Say(f.WorldWritable())
		}
		if run := w.runs[f.Path]; w.seen || run.known {
			out.RunByRoot = fact.Say(run.root)
		}
		r.Add(out)
	}
}

// fileWords finds the word that a file is worth.
type fileWords struct {
	root     *Root
	web      []string
	runs     map[string]run
	seen     bool
	writable int
}

// writableMost is how many files that everybody may change are told one by one: a file
// system without modes makes all of them so.
const writableMost = 300

func (w *fileWords) word(f *File) (what, detail string) {
	switch f.Node.Kind {
	case image.Char, image.Block:
		if !strings.HasPrefix(f.Path, "/dev/") && f.Node.Major != 0 && !strings.Contains(f.Path, "/dev/") && !strings.HasPrefix(f.Path, "/lib/udev/devices/") {
			return "device-node", fmt.Sprintf("%s %d:%d", f.Node.Kind, f.Node.Major, f.Node.Minor)
		}
		return "", ""
	case image.Dir:
		if what, detail = w.directory(f); what != "" {
			return what, detail
		}
	case image.File:
		if what, detail = w.regular(f); what != "" {
			return what, detail
		}
	default:
		return "", ""
	}
	return w.changeable(f)
}

// changeable finds what every user may change and what matters.
func (w *fileWords) changeable(f *File) (what, detail string) {
	if !f.WorldWritable() || !w.root.ownersKept() || scratch.MatchString(f.Path) {
		return "", ""
	}
	for _, dir := range w.web {
		if f.Path == dir || strings.HasPrefix(f.Path, dir+"/") {
			what = "web-root-writable"
		}
	}
	run := w.runs[f.Path]
	switch {
	case startPlace.MatchString(f.Path):
		what = "startup"
	case what == "" && (run.root || systemPlace.MatchString(f.Path)):
		what = "world-writable"
	}
	if what == "" {
		return "", ""
	}
	if w.writable++; w.writable > writableMost && !run.root {
		return "", ""
	}
	if run.started != "" {
		detail = "run by " + run.started
	}
	return what, detail
}

// The endings of names of key stores, and of copies.
var (
	keyStores = []string{".jks", ".p12", ".pfx", ".keystore", ".bks", ".kdbx", ".kdb"}
	backups   = []string{".bak", ".orig", ".old", ".save", ".swp", ".backup", ".rej", ".dpkg-old", ".rpmsave", ".copy"}
)

var (
	scratch     = search.Lazy(`^/(tmp|var/tmp|dev|proc|sys|run|var/run|var/lock|var/spool/(mail|samba|cups|lpd)|var/crash|mnt|media)(/|$)`)
	startPlace  = search.Lazy(`^/etc/(init\.d|rc[\dS]?\.d|rc\.d|cron\.[a-z]+|profile\.d|systemd|init|udev|hotplug\.d|crontabs)/|^/etc/(rc\.local|inittab|profile|crontab|fstab|mdev\.conf|passwd|shadow|group|sudoers)$|^/(usr/)?lib/systemd/|^/var/spool/cron/`)
	systemPlace = search.Lazy(`^/(bin|sbin|lib|lib64|usr|etc|opt|root|boot|app|home/[^/]+/\.ssh)(/|$)`)
	binPlace    = search.Lazy(`^(/usr|/usr/local|/opt(/[^/]+)?|/system|/data/local)?/(s?bin|tmp|xbin)/[^/]+$`)
	historyName = search.Lazy(`^\.(bash|ash|sh|zsh|mysql|psql|python|sqlite|node_repl|irb|rediscli)_history$|^\.history$`)
	sensitive   = search.Lazy(`(?i)(passw(or)?d|secret|api_?key|token|psk|private[ _]key)\s*["']?\s*[=: ]`)
	debugTool   = search.Lazy(`^(gdbserver|gdb|gdb-multiarch|lldb-server|lldb|strace|ltrace|adbd|frida-server|frida|valgrind|tcf-agent|devmem2|memtool|memstat|openocd|edb|radare2|r2|ftrace|bpftrace|systemtap|staprun|android_server|linux_server|linux_serverx64)$`)
	networkTool = search.Lazy(`^(tcpdump|nmap|nc|ncat|netcat|nc\.traditional|nc\.openbsd|socat|tshark|dumpcap|wireshark|ettercap|hping3|arpspoof|dsniff|hydra|masscan|aircrack-ng|airodump-ng|aireplay-ng|ngrep)$`)
	buildTool   = search.Lazy(`^([a-z0-9_]+-[a-z0-9_-]+-)?(gcc|g\+\+|cc1|cc1plus|clang|tcc|make|gmake|cmake|ninja|ld\.bfd|rustc)(-\d[\d.]*)?$`)
)

// directory finds working copies of version control.
func (w *fileWords) directory(f *File) (what, detail string) {
	switch path.Base(f.Path) {
	case ".git":
		if w.root.Entry(f.Path+"/HEAD") != nil {
			return "version-control", "git"
		}
	case ".svn":
		if len(w.root.Dir(f.Path)) > 0 {
			return "version-control", "subversion"
		}
	case ".hg":
		if w.root.Entry(f.Path+"/store") != nil {
			return "version-control", "mercurial"
		}
	case "CVS":
		if w.root.Entry(f.Path+"/Entries") != nil {
			return "version-control", "cvs"
		}
	}
	return "", ""
}

// regular finds what a regular file is.
func (w *fileWords) regular(f *File) (what, detail string) {
	base, t := path.Base(f.Path), f.Trace
	runnable := f.Node.Mode&0o111 != 0 && t != nil && (t.Type == "elf" || t.Type == "script")
	switch {
	case t != nil && t.Binary != nil && t.Binary.Core:
		return "core-dump", ""
	case t != nil && t.Type == "script" && f.Node.Mode&0o4000 != 0 && w.root.ownersKept():
		return "setuid-script", ""
	case strings.HasSuffix(base, "history") && historyName.MatchString(base) && f.Node.Size > 0:
		return "history", ""
	case slices.Contains(keyStores, strings.ToLower(path.Ext(base))) && f.Node.Size > 64 && !strings.HasPrefix(f.Path, "/usr/share/") && !w.root.distributed(f):
		return "key-store", strings.TrimPrefix(path.Ext(base), ".")
	case runnable && binPlace.MatchString(f.Path) && debugTool.MatchString(base):
		return "debug-tool", base
	case runnable && binPlace.MatchString(f.Path) && networkTool.MatchString(base):
		return "network-tool", base
	case runnable && binPlace.MatchString(f.Path) && buildTool.MatchString(base):
		return "build-tool", base
	case base == "shadow-" || base == "gshadow-":
		if path.Dir(f.Path) == "/etc" && f.WorldReadable() && w.root.ownersKept() {
			return "backup", "password hashes"
		}
	case (strings.HasSuffix(base, "~") || slices.Contains(backups, path.Ext(base))) && !w.root.distributed(f):
		return w.backup(f)
	}
	return "", ""
}

// backup finds copies that say what the original hides, or that a web server shows.
func (w *fileWords) backup(f *File) (what, detail string) {
	for _, dir := range w.web {
		if strings.HasPrefix(f.Path, dir+"/") {
			return "backup", "a web server shows it"
		}
	}
	if !strings.HasPrefix(f.Path, "/etc/") && !strings.HasPrefix(f.Path, "/root/") && !strings.HasPrefix(f.Path, "/home/") && !strings.HasPrefix(f.Path, "/opt/") {
		return "", ""
	}
	if text, ok := f.Text(); ok && sensitive.MatchString(text) {
		return "backup", "holds what looks like a secret"
	}
	return "", ""
}

// namesOf returns the keys of a map in their order.
func namesOf[K cmp.Ordered, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
