package firmware

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// mounts states the file systems that are mounted: by fstab, by units of systemd, by
// commands of the start chain. The kernel's own (proc, sysfs ...) are no news.
var mounts = inspector{
	name:  "mounts",
	kinds: []fact.Kind{fact.KindMount},
	look:  lookMounts,
}

func lookMounts(r *Root) {
	if !r.runs() || r.Container != nil {
		return
	}
	m := &mounter{Root: r, encrypted: map[string]bool{}, points: map[string]*fact.Mount{}}
	m.crypttab()
	m.fstab()
	m.units()
	m.commands()
	for _, f := range m.list {
		r.Add(f)
	}
}

type mounter struct {
	*Root
	encrypted map[string]bool // names of /dev/mapper that are encrypted
	crypt     bool            // there is some
	points    map[string]*fact.Mount
	list      []*fact.Mount
}

// apiTypes are file systems of the kernel that hold nobody's data.
var apiTypes = words("proc sysfs devpts devtmpfs cgroup cgroup2 debugfs tracefs configfs securityfs pstore efivarfs bpf mqueue hugetlbfs fusectl binfmt_misc rpc_pipefs usbfs swap selinuxfs smackfs nfsd functionfs autofs nsfs rootfs auto-none")

var remoteTypes = words("nfs nfs4 cifs smbfs smb3 9p sshfs fuse.sshfs davfs ceph glusterfs fuse.glusterfs afs ncpfs curlftpfs")

var readOnlyTypes = words("squashfs iso9660 cramfs romfs erofs udf")

// add states one mount.
func (m *mounter) add(device, point, kind, options string, place ...fact.Place) {
	point = path.Clean("/" + point)
	if apiTypes[kind] || device == "" && kind == "" || len(m.list) > 2000 {
		return
	}
	f := &fact.Mount{Device: maskDevice(device), Point: point, Type: kind, Options: []string{}}
	f.Places = slices.Clone(place)
	var has = map[string]bool{}
	for o := range strings.SplitSeq(options, ",") {
		if o == "" {
			continue
		}
		name, value, joined := strings.Cut(o, "=")
		has[name] = true
		if joined && (name == "password" || name == "pass" || name == "passwd" || name == "password2") {
			o = name + "=" + maskWord(value)
		}
		f.Options = append(f.Options, o)
		if joined && (name == "sec" && value == "krb5p") {
			f.Encrypted = fact.Say(true)
		}
	}
	restricted := has["user"] || has["users"]
	f.Writable = fact.Say(!has["ro"] && !readOnlyTypes[kind])
	f.Exec = fact.Say(has["exec"] || !has["noexec"] && !restricted)
	f.Setuid = fact.Say(has["suid"] || !has["nosuid"] && !restricted && !has["owner"] && !has["group"])
	f.Devices = fact.Say(has["dev"] || !has["nodev"] && !restricted && !has["owner"] && !has["group"])
	f.Remote = fact.Say(remoteTypes[kind] || kind == "" && (strings.HasPrefix(device, "//") || strings.Contains(device, ":/")))
	if has["bind"] || has["rbind"] || kind == "overlay" || kind == "aufs" {
		f.Type, f.Remote = cmpOr(kind, "bind"), fact.Opt[bool]{}
	} else {
		m.encryption(f, device, kind, has)
	}
	if removable(device, point) {
		f.Removable = fact.Say(true)
	} else if strings.HasPrefix(device, "/dev/mtd") || strings.HasPrefix(device, "ubi") || kind == "tmpfs" || f.Remote.Or(false) || point == "/" {
		f.Removable = fact.Say(false)
	}
	if old := m.points[point]; old != nil && old.Device == f.Device && old.Type == f.Type {
		old.Places = append(old.Places, f.Places...)
		return
	}
	m.points[point] = f
	m.list = append(m.list, f)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// encryption states whether what is stored, or goes over the network, is encrypted.
func (m *mounter) encryption(f *fact.Mount, device, kind string, has map[string]bool) {
	switch {
	case f.Encrypted.Stated():
	case kind == "ecryptfs" || kind == "fuse.gocryptfs" || kind == "fuse.encfs" || kind == "fuse.cryfs" || kind == "sshfs" || kind == "fuse.sshfs":
		f.Encrypted = fact.Say(true)
	case strings.HasPrefix(kind, "nfs"):
		f.Encrypted = fact.Say(false)
	case has["seal"]:
		f.Encrypted = fact.Say(true)
	case f.Remote.Or(false) || kind == "tmpfs" || kind == "ramfs":
	case strings.HasPrefix(device, "/dev/mapper/"):
		if m.encrypted[strings.TrimPrefix(device, "/dev/mapper/")] {
			f.Encrypted = fact.Say(true)
		}
	case strings.HasPrefix(device, "/dev/dm-"), strings.HasPrefix(device, "/dev/vg"), device == "/dev/root":
	case strings.HasPrefix(device, "/dev/") && !strings.HasPrefix(device, "/dev/disk/"), strings.HasPrefix(device, "ubi"), strings.HasPrefix(device, "mtd"):
		f.Encrypted = fact.Say(false)
	case strings.HasPrefix(device, "UUID="), strings.HasPrefix(device, "LABEL="), strings.HasPrefix(device, "PARTLABEL="), strings.HasPrefix(device, "PARTUUID="), strings.HasPrefix(device, "/dev/disk/"):
		if !m.crypt {
			f.Encrypted = fact.Say(false) // nothing in this system opens an encrypted device
		}
	}
}

var removableDevice = search.Lazy(`^/dev/(sd[a-z]|sr\d|cdrom|fd\d|\$|%k|disk/by-id/usb)`)

func removable(device, point string) bool {
	return removableDevice.MatchString(device) && point != "/" || strings.HasPrefix(point, "/media/") || strings.Contains(point, "/usb")
}

// maskDevice masks a password in the name of a share.
func maskDevice(s string) string {
	if strings.Contains(s, "://") {
		return maskURL(s)
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok { // //user:password@host/share
		if at := strings.IndexByte(rest, '@'); at >= 0 {
			user, _, has := strings.Cut(rest[:at], ":")
			if has {
				return "//" + user + ":***" + rest[at:]
			}
		}
	}
	return s
}

// crypttab notes the encrypted devices that are opened at boot.
func (m *mounter) crypttab() {
	text, _ := m.Text("/etc/crypttab")
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) > 1 && w[0][0] != '#' {
			m.encrypted[w[0]], m.crypt = true, true
		}
	}
	for _, l := range m.chain().launches {
		if path.Base(l.words[0]) != "cryptsetup" {
			continue
		}
		for i, w := range l.words {
			if (w == "open" || w == "luksOpen" || w == "plainOpen" || w == "create") && len(l.words) > i+1 {
				m.crypt = true
				for _, n := range l.words[i+1:] {
					if !strings.HasPrefix(n, "-") && !strings.HasPrefix(n, "/") {
						m.encrypted[n] = true
					}
				}
			}
		}
	}
	if m.Lookup("/etc/cryptmount") != nil {
		m.crypt = true
	}
}

func (m *mounter) fstab() {
	f := m.Lookup("/etc/fstab")
	text, _ := f.Text()
	n := 0
	for line := range strings.Lines(text) {
		n++
		w := strings.Fields(line)
		if len(w) < 3 || w[0][0] == '#' || w[1] == "none" || w[1] == "swap" {
			continue
		}
		options := ""
		if len(w) > 3 {
			options = w[3]
		}
		m.add(unescapeOctal(w[0]), unescapeOctal(w[1]), w[2], options, f.At(n))
	}
}

// unescapeOctal reads \040 as fstab writes blanks.
func unescapeOctal(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(s)
}

// units adds the mount units that systemd starts.
func (m *mounter) units() {
	c := m.chain()
	names := slices.Sorted(mapKeys(c.units))
	for _, n := range names {
		u := c.units[n]
		if path.Ext(n) != ".mount" || u.file == nil || u.masked || u.rank < ranks["conditional"]+1 || u.name != n {
			continue
		}
		m.add(u.last("Mount.What"), u.last("Mount.Where"), u.last("Mount.Type"), u.last("Mount.Options"), u.file.At(0))
	}
}

// commands adds what mount commands of the start chain mount.
func (m *mounter) commands() {
	for _, l := range m.chain().launches {
		if path.Base(l.words[0]) == "mount" && l.start != "never" && len(l.places) > 0 {
			m.command(l)
		}
	}
}

func (m *mounter) command(l *launch) {
	var rest []string
	kind, options := "", ""
	join := func(o string) {
		if options != "" {
			options += ","
		}
		options += o
	}
	for i := 1; i < len(l.words); i++ {
		switch w := l.words[i]; {
		case (w == "-t" || w == "--types") && i+1 < len(l.words):
			i++
			kind = l.words[i]
		case (w == "-o" || w == "--options") && i+1 < len(l.words):
			i++
			join(l.words[i])
		case strings.HasPrefix(w, "-t") && len(w) > 2:
			kind = w[2:]
		case strings.HasPrefix(w, "-o") && len(w) > 2:
			join(w[2:])
		case w == "-r" || w == "--read-only":
			join("ro")
		case w == "-B" || w == "--bind" || w == "--rbind":
			join("bind")
		case w == "-a" || w == "--move" || w == "-M" || w == "--make-rprivate" || w == "--make-rshared" || w == "--make-private":
			return
		case strings.HasPrefix(w, "-"):
		default:
			rest = append(rest, w)
		}
	}
	last := l.places[len(l.places)-1]
	if strings.Contains(","+options+",", ",remount,") {
		m.remount(rest, options, last)
		return
	}
	if len(rest) != 2 || strings.HasPrefix(rest[1], "$") || strings.ContainsAny(rest[1], "$`") {
		return
	}
	before := len(m.list)
	m.add(rest[0], rest[1], kind, options, last)
	if len(m.list) > before {
		f := m.list[before]
		if l.start == "on-demand" && (l.started == "udev" || l.started == "mdev" || l.started == "hotplug") {
			f.Removable = fact.Say(true)
		}
		if l.start == "conditional" {
			f.Confidence = "medium"
		}
	}
}

// remount changes what is said of a mount: a root that fstab mounts read-only and a script
// makes writable is writable.
func (m *mounter) remount(rest []string, options string, place fact.Place) {
	if len(rest) == 0 {
		return
	}
	point := path.Clean(rest[len(rest)-1])
	for _, api := range []string{"/proc", "/sys", "/dev", "/run"} {
		if point == api || strings.HasPrefix(point, api+"/") {
			return
		}
	}
	if strings.ContainsAny(options, "$`") {
		// What it becomes is known only when it runs.
		if m.points[point] != nil {
			m.points[point].Writable = fact.Opt[bool]{}
		}
		return
	}
	f := m.points[point]
	if f == nil {
		if !path.IsAbs(point) || !strings.Contains(options, "rw") {
			return
		}
		f = &fact.Mount{Point: point, Options: []string{}}
		m.points[point] = f
		m.list = append(m.list, f)
	}
	f.Places = append(f.Places, place)
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "rw", "ro":
			if !readOnlyTypes[f.Type] {
				f.Writable = fact.Say(o == "rw")
			}
		case "noexec", "exec":
			f.Exec = fact.Say(o == "exec")
		case "nosuid", "suid":
			f.Setuid = fact.Say(o == "suid")
		case "nodev", "dev":
			f.Devices = fact.Say(o == "dev")
		case "remount":
			continue
		}
		f.Options = append(f.Options, "remount:"+o)
	}
}
