package firmware

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// updates states the ways in which the device's software is replaced.
var updates = inspector{
	name:  "updates",
	kinds: []fact.Kind{fact.KindUpdate},
	look:  lookUpdates,
}

func lookUpdates(r *Root) {
	for _, look := range []func(*Root) *fact.Update{
		updateSWUpdate, updateRAUC, updateHawkbit, updateMender, updateOpkg, updateAPT, updateAPK, updateRPM, updateSysupgrade, updateFwupd, updateOSTree, updateUpload,
	} {
		if u := look(r); u != nil {
			r.Add(u)
		}
	}
	updateScripts(r)
}

// updateScripts states the home-made ones.
func updateScripts(r *Root) {
	runs, _ := runsOf(r)
	busybox := false
	if f := r.Lookup("/usr/bin/wget"); f != nil {
		busybox = path.Base(f.Path) == "busybox" || path.Base(f.Path) == "uclient-fetch"
	}
	for _, f := range r.Files() {
		if !f.Regular() || f.Trace == nil || f.Trace.Type != "script" && path.Ext(f.Path) != ".sh" || librarian.MatchString(f.Path) || r.distributed(f) {
			continue
		}
		if lang := languageOf(f.Path, f.firstLine()); lang == nil || lang.name != "sh" {
			continue
		}
		text, ok := f.Text()
		if !ok || upgraderOfSystem(f.Path) {
			continue
		}
		u := readUpdater(text)
		if !u.updates() {
			continue
		}
		run := runs[f.Path]
		plugged := run.plugged()
		if u.transport == "usb" && !plugged && !run.known {
			continue // it mounts a stick when somebody calls it
		}
		out := &fact.Update{
			Base: fact.Base{Places: []fact.Place{f.At(u.fetchLine)}}, Mechanism: "script", Path: f.Path, Transport: u.transport,
			Signed: fact.Say(u.signed), Integrity: fact.Say(u.integrity || u.signed), Rollback: fact.Say(u.rollback), RunsScript: fact.Say(u.runs),
		}
		if u.installLine != u.fetchLine {
			out.Places = append(out.Places, f.At(u.installLine))
		}
		if u.transport == "usb" {
			out.Mechanism = "usb"
			out.Removable = fact.Say(plugged)
			if plugged {
				out.Places = append(out.Places, run.places...)
			}
		}
		switch {
		case u.insecure:
			out.Verified = fact.Say(false)
		case u.transport == "https" && (!u.busybox || !busybox):
			out.Verified = fact.Say(true)
		}
		if run.known {
			out.Automatic = fact.Say(run.boot || run.started == "cron" || run.started == "timer" || plugged)
		}
		r.Add(out)
	}
}

// upgraderOfSystem tells the parts of known mechanisms, which have facts of their own.
func upgraderOfSystem(p string) bool {
	return p == "/sbin/sysupgrade" || strings.HasPrefix(p, "/lib/upgrade/") || strings.HasPrefix(p, "/usr/share/mender/") || strings.HasPrefix(p, "/usr/lib/swupdate/")
}

// lineWith returns the first line of a file that has a word in it, 0 where none has.
func lineWith(f *File, word string) int {
	text, _ := f.Text()
	n := 0
	for line := range strings.Lines(text) {
		if n++; strings.Contains(line, word) {
			return n
		}
	}
	return 0
}

// present reports whether one of some programs is there.
func (r *Root) present(names ...string) bool {
	for _, n := range names {
		for _, dir := range []string{"/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/", "/usr/lib/systemd/", "/usr/libexec/", "/usr/local/bin/"} {
			if r.Lookup(dir+n) != nil {
				return true
			}
		}
	}
	return false
}

// lines calls f with every line of a file that is no comment, and its number.
func (f *File) lines(yield func(n int, line string)) {
	text, _ := f.Text()
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != ';' && !strings.HasPrefix(line, "//") {
			yield(n, line)
		}
	}
}

// schemeOf returns the transport of the least protected of some addresses.
func schemeOf(old, url string) string {
	m := urlScheme.FindStringSubmatch(url)
	if m == nil || old == "http" || old == "ftp" {
		return old
	}
	return m[1]
}

var quotedValue = search.Lazy(`[=:]\s*"?([^";]*)"?`)

// valueOf returns what stands behind = or : of a line.
func valueOf(line string) string {
	if m := quotedValue.FindStringSubmatch(line); m != nil {
		return strings.TrimSpace(m[1])
	}
	return ""
}

func updateSWUpdate(r *Root) *fact.Update {
	if !r.present("swupdate") {
		return nil
	}
	u := &fact.Update{Mechanism: "swupdate"}
	key, seen := false, false
	for _, f := range r.Glob("/etc/swupdate.cfg", "/etc/swupdate/swupdate.cfg", "/etc/swupdate/conf.d/*", "/usr/lib/swupdate/conf.d/*", "/etc/default/swupdate",
		"/etc/init.d/*swupdate*", "/lib/systemd/system/swupdate*.service", "/usr/lib/systemd/system/swupdate*.service", "/etc/systemd/system/swupdate*.service") {
		used := false
		f.lines(func(_ int, line string) {
			if strings.HasPrefix(line, "public-key-file") && valueOf(line) != "" || swupdateKey.MatchString(line) {
				key, used = true, true
			}
			if strings.HasPrefix(line, "no-downgrading") && valueOf(line) != "" || swupdateOld.MatchString(line) {
				u.Rollback, used = fact.Say(true), true
			}
			if strings.HasPrefix(line, "nocheckcert") && strings.Contains(line, "true") {
				u.Verified, used = fact.Say(false), true
			}
			if urlScheme.MatchString(line) && (strings.HasPrefix(line, "url") || strings.Contains(line, "-u")) {
				u.Transport = schemeOf(u.Transport, line)
			}
			used = used || strings.Contains(line, "swupdate") || strings.HasPrefix(line, "SWUPDATE")
		})
		if used {
			seen = true
			u.Places = append(u.Places, f.At(0))
		}
	}
	if !seen {
		return nil // the program is there, nothing uses it
	}
	u.Signed = fact.Say(key)
	return u
}

var (
	swupdateKey = search.Lazy(`(^|[\s"'])(-k|--key)[\s=]+\S`)
	swupdateOld = search.Lazy(`(^|[\s"'])(-N|--no-downgrading)[\s=]+\S`)
)

// updateRAUC: RAUC installs nothing that is not signed (RAUC manual, security).
func updateRAUC(r *Root) *fact.Update {
	f := r.Lookup("/etc/rauc/system.conf")
	if f == nil || !r.present("rauc") {
		return nil
	}
	return &fact.Update{Base: fact.Base{Places: []fact.Place{f.At(0)}}, Mechanism: "rauc", Signed: fact.Say(true), Integrity: fact.Say(true)}
}

func updateHawkbit(r *Root) *fact.Update {
	f := r.Lookup("/etc/rauc-hawkbit-updater/config.conf")
	if f == nil || !r.present("rauc-hawkbit-updater") {
		return nil
	}
	u := &fact.Update{Base: fact.Base{Places: []fact.Place{f.At(0)}}, Mechanism: "rauc", Path: f.Path, Transport: "https", Signed: fact.Say(true), Verified: fact.Say(true), Automatic: fact.Say(true)}
	f.lines(func(_ int, line string) {
		k, v, _ := strings.Cut(strings.ReplaceAll(line, " ", ""), "=")
		switch {
		case k == "ssl" && v == "false":
			u.Transport, u.Verified = "http", fact.Opt[bool]{}
		case k == "ssl_verify" && v == "false":
			u.Verified = fact.Say(false)
		}
	})
	return u
}

func updateMender(r *Root) *fact.Update {
	for _, p := range []string{"/etc/mender/mender.conf", "/var/lib/mender/mender.conf", "/data/mender/mender.conf"} {
		text, ok := r.Text(p)
		if !ok {
			continue
		}
		var c struct {
			ServerURL          string
			Servers            []struct{ ServerURL string }
			ArtifactVerifyKey  string
			ArtifactVerifyKeys []string
			SkipVerify         bool
		}
		if json.Unmarshal([]byte(text), &c) != nil {
			continue
		}
		u := &fact.Update{Base: fact.Base{Places: []fact.Place{r.Lookup(p).At(0)}}, Mechanism: "mender", Automatic: fact.Say(c.ServerURL != "" || len(c.Servers) > 0)}
		u.Signed = fact.Say(c.ArtifactVerifyKey != "" || len(c.ArtifactVerifyKeys) > 0)
		u.Integrity = fact.Say(true)
		u.Transport = schemeOf("", c.ServerURL)
		for _, s := range c.Servers {
			u.Transport = schemeOf(u.Transport, s.ServerURL)
		}
		if u.Transport == "https" {
			u.Verified = fact.Say(!c.SkipVerify)
		}
		return u
	}
	return nil
}

func updateOpkg(r *Root) *fact.Update {
	if !r.present("opkg", "opkg-cl") {
		return nil
	}
	u := &fact.Update{Mechanism: "opkg", Signed: fact.Say(false)}
	feeds := false
	for _, f := range r.Glob("/etc/opkg.conf", "/etc/opkg/*.conf", "/etc/opkg/*/*.conf") {
		f.lines(func(n int, line string) {
			w := strings.Fields(line)
			switch {
			case len(w) >= 3 && strings.HasPrefix(w[0], "src"):
				feeds = true
				u.Transport = schemeOf(u.Transport, w[2])
				u.Places = append(u.Places, f.At(n))
			case len(w) >= 2 && w[0] == "option" && w[1] == "check_signature" && (len(w) == 2 || w[2] != "0"):
				u.Signed = fact.Say(true)
				u.Places = append(u.Places, f.At(n))
			case len(w) >= 2 && w[0] == "option" && w[1] == "no_check_certificate":
				u.Verified = fact.Say(false)
			}
		})
	}
	if !feeds {
		return nil
	}
	u.Integrity = fact.Say(true)
	return u
}

var (
	aptTrusted  = search.Lazy(`(?i)\btrusted\s*=\s*yes\b|^Trusted:\s*yes`)
	aptInsecure = search.Lazy(`(?i)(AllowUnauthenticated|AllowInsecureRepositories|AllowWeakRepositories)"?\s+"?(true|yes|1)`)
	aptNoPeer   = search.Lazy(`(?i)Verify-(Peer|Host)"?\s+"?(false|no|0)`)
	aptPeriodic = search.Lazy(`(?i)APT::Periodic::Unattended-Upgrade"?\s+"?[1-9]`)
)

func updateAPT(r *Root) *fact.Update {
	if !r.present("apt-get", "apt") {
		return nil
	}
	u := &fact.Update{Mechanism: "apt", Signed: fact.Say(true), Integrity: fact.Say(true)}
	found := false
	for _, f := range r.Glob("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources") {
		f.lines(func(n int, line string) {
			if aptTrusted.MatchString(line) {
				u.Signed = fact.Say(false)
			}
			if (strings.HasPrefix(line, "deb") || strings.HasPrefix(line, "URIs:")) && urlScheme.MatchString(line) {
				found = true
				u.Transport = schemeOf(u.Transport, line)
				if len(u.Places) < 16 {
					u.Places = append(u.Places, f.At(n))
				}
			}
		})
	}
	if !found {
		return nil
	}
	for _, f := range r.Glob("/etc/apt/apt.conf", "/etc/apt/apt.conf.d/*") {
		f.lines(func(n int, line string) {
			switch {
			case aptInsecure.MatchString(line):
				u.Signed = fact.Say(false)
				u.Places = append(u.Places, f.At(n))
			case aptNoPeer.MatchString(line):
				u.Verified = fact.Say(false)
				u.Places = append(u.Places, f.At(n))
			case aptPeriodic.MatchString(line):
				u.Automatic = fact.Say(true)
			}
		})
	}
	return u
}

func updateAPK(r *Root) *fact.Update {
	f := r.Lookup("/etc/apk/repositories")
	if f == nil || !r.present("apk") {
		return nil
	}
	u := &fact.Update{Base: fact.Base{Places: []fact.Place{f.At(0)}}, Mechanism: "apk", Signed: fact.Say(true), Integrity: fact.Say(true)}
	found := false
	f.lines(func(_ int, line string) {
		found = found || urlScheme.MatchString(line)
		u.Transport = schemeOf(u.Transport, line)
	})
	if !found {
		return nil
	}
	return u
}

func updateRPM(r *Root) *fact.Update {
	u := &fact.Update{Mechanism: "rpm", Signed: fact.Say(true), Integrity: fact.Say(true)}
	found := false
	for _, f := range r.Glob("/etc/yum.repos.d/*.repo", "/etc/zypp/repos.d/*.repo", "/etc/dnf/dnf.conf", "/etc/yum.conf") {
		enabled, unsigned, url, at := true, false, "", 0
		flush := func() {
			if enabled && url != "" {
				found = true
				u.Transport = schemeOf(u.Transport, url)
				u.Places = append(u.Places, f.At(at))
				if unsigned {
					u.Signed = fact.Say(false)
				}
			}
			enabled, unsigned, url = true, false, ""
		}
		f.lines(func(n int, line string) {
			k, v, _ := strings.Cut(strings.ReplaceAll(line, " ", ""), "=")
			switch {
			case strings.HasPrefix(line, "["):
				flush()
				at = n
			case k == "enabled":
				enabled = v == "1" || strings.EqualFold(v, "true")
			case k == "gpgcheck":
				unsigned = v == "0" || strings.EqualFold(v, "false")
			case k == "sslverify" && (v == "0" || strings.EqualFold(v, "false")):
				u.Verified = fact.Say(false)
			case k == "baseurl" || k == "mirrorlist" || k == "metalink":
				url = v
			}
		})
		flush()
	}
	if !found {
		return nil
	}
	return u
}

// updateSysupgrade: OpenWrt asks for a signature of the image only where the platform
// demands it (package/base-files, lib/upgrade/fwtool.sh).
func updateSysupgrade(r *Root) *fact.Update {
	f := r.Lookup("/sbin/sysupgrade")
	if f == nil || !strings.HasPrefix(f.firstLine(), "#!") {
		return nil
	}
	u := &fact.Update{Base: fact.Base{Places: []fact.Place{f.At(0)}}, Mechanism: "sysupgrade", Path: f.Path, Transport: "local"}
	if r.Lookup("/lib/upgrade/fwtool.sh") == nil {
		return u
	}
	u.Signed, u.Integrity = fact.Say(false), fact.Say(true)
	for _, g := range append(r.Glob("/lib/upgrade/*.sh"), f) {
		if n := lineWith(g, "REQUIRE_IMAGE_SIGNATURE=1"); n > 0 {
			u.Signed = fact.Say(true)
			u.Places = append(u.Places, g.At(n))
		}
	}
	return u
}

func updateFwupd(r *Root) *fact.Update {
	if !r.present("fwupdmgr") && r.Lookup("/usr/libexec/fwupd/fwupd") == nil {
		return nil
	}
	u := &fact.Update{Mechanism: "fwupd", Signed: fact.Say(true), Integrity: fact.Say(true)}
	for _, f := range r.Glob("/etc/fwupd/remotes.d/*.conf", "/etc/fwupd/*.conf") {
		enabled, url := false, ""
		f.lines(func(n int, line string) {
			k, v, _ := strings.Cut(strings.ReplaceAll(line, " ", ""), "=")
			switch k {
			case "Enabled":
				enabled = v == "true"
			case "MetadataURI":
				url = v
			case "OnlyTrusted":
				if v == "false" {
					u.Signed = fact.Say(false)
					u.Places = append(u.Places, f.At(n))
				}
			}
		})
		if enabled && urlScheme.MatchString(url) {
			u.Transport = schemeOf(u.Transport, url)
			u.Places = append(u.Places, f.At(0))
		}
	}
	if u.Transport == "" {
		return nil // no source outside is switched on
	}
	return u
}

func updateOSTree(r *Root) *fact.Update {
	u := &fact.Update{Mechanism: "ostree", Signed: fact.Say(true), Integrity: fact.Say(true)}
	found := false
	for _, f := range r.Glob("/etc/ostree/remotes.d/*.conf", "/ostree/repo/config", "/sysroot/ostree/repo/config") {
		f.lines(func(n int, line string) {
			k, v, _ := strings.Cut(strings.ReplaceAll(line, " ", ""), "=")
			switch {
			case k == "url" && urlScheme.MatchString(v):
				found = true
				u.Transport = schemeOf(u.Transport, v)
				u.Places = append(u.Places, f.At(n))
			case k == "gpg-verify" && v == "false":
				u.Signed = fact.Say(false)
				u.Places = append(u.Places, f.At(n))
			case k == "tls-permissive" && v == "true":
				u.Verified = fact.Say(false)
			}
		})
	}
	if !found {
		return nil
	}
	return u
}

// uploadName tells directories that are meant for new firmware.
var uploadName = search.Lazy(`(?i)(firmware|/fw|update|upgrade)`)

// updateUpload finds a directory for new firmware that a server of files lets clients
// write to.
func updateUpload(r *Root) *fact.Update {
	for _, f := range r.Glob("/etc/vsftpd.conf", "/etc/vsftpd/*.conf", "/etc/proftpd.conf", "/etc/proftpd/*.conf", "/etc/pure-ftpd/conf/*") {
		dir, at, write := "", 0, f.Path == "/etc/proftpd.conf"
		f.lines(func(n int, line string) {
			k, v, ok := strings.Cut(line, "=")
			if !ok {
				k, v, _ = strings.Cut(line, " ")
			}
			k, v = strings.TrimSpace(k), strings.TrimSpace(v)
			switch k {
			case "local_root", "anon_root", "DefaultRoot":
				if uploadName.MatchString(v) {
					dir, at = v, n
				}
			case "write_enable":
				write = strings.EqualFold(v, "yes")
			}
		})
		if dir != "" && write {
			return &fact.Update{Base: fact.Base{Places: []fact.Place{f.At(at)}}, Mechanism: "upload", Path: dir, Transport: "ftp"}
		}
	}
	return nil
}
