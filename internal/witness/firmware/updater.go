package firmware

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// updater is a script that replaces software, as far as its text shows it.
type updater struct {
	fetch, install           string
	fetchLine, installLine   int
	transport                string // of the fetch: http, https, ftp, tftp, scp, usb; empty where a variable hides it
	flashes, runs            bool   // writes to flash, a disk or by a package manager; runs what it fetched
	signed, integrity        bool   // checked, and the check can stop it
	unenforced               bool   // a signature is looked at, but nothing depends on it
	rollback                 bool
	insecure                 bool // it asks not to check the server
	busybox                  bool // it fetches with wget, which in BusyBox checks no certificate
	signedLine, rollbackLine int
}

var (
	fetchCall  = search.Lazy(`(?:^|[;&|({!` + "`" + `]|\bif\b|\bthen\b|\bdo\b|\bwhile\b|\$\()\s*(?:/(?:usr/)?s?bin/|sudo\s+|busybox\s+)?(wget|curl|tftp|ftpget|ftp|lftp|scp|rsync|uclient-fetch|fetch|aria2c)\s`)
	fetchNot   = search.Lazy(`\bcurl\s.*(\s-T\s|\s-F\s|\s--form\b|\s-d\s|\s--data|\s--upload-file|-X\s*(POST|PUT|DELETE)|\s-I\s|--head\b)|\bwget\s.*(--post-|--spider|--method)|\btftp\s.*\s-p\b|\bscp\s+[^;|&]*\s\S+@?\S*:\S*\s*($|[;|&])|\brsync\s+[^;|&]*\s\S+:\S*\s*($|[;|&])|/dev/null`)
	fetchProof = search.Lazy(`\.(sig|asc|md5|md5sum|sha1|sha256|sha512|crc|minisig|sign|pem|crt)(["'\s;&|)]|$)`)
	urlScheme  = search.Lazy(`\b(https?|ftps?|tftp|sftp)://`)
	flashCall  = search.Lazy(`\b(flashcp|flash_write|nandwrite|sysupgrade|ubiupdatevol|mtd_write|fwupdate|ubirsvol|fastboot)\s|\bmtd\s+(-\w+\s+(\S+\s+)?)*write\b|\bdd\s+.*\bof=["']?(/dev/(mtd|mmcblk|sd|nand|ubi|root|disk|block|hd|nvme|loop)|\$\{?\w*(DEV|PART|MTD|ROOT|SLOT|TARGET|dev|part|mtd|root|slot|target))|\b(dpkg\s+-i|rpm\s+-\w*[UiF]\w*|opkg\s+(-\w+\s+|--\S+\s+)*install|ipkg\s+install|apt(-get)?\s+(-\w+\s+)*install\s+\./|apk\s+add\s+.*\.apk)\b|\bcat\s+.*>\s*/dev/(mtd|mmcblk|sd|ubi)`)
	unpackCall = search.Lazy(`\b(tar\s+(-\S+\s+)*-?\w*x\w*|unzip|cpio\s+-\w*i|gunzip\s.*\|\s*tar|tar\s+--extract|unsquashfs|7z\s+x)\b`)
	unpackRoot = search.Lazy(`\b(tar|unzip|cpio)\b.*(-C\s*|-d\s*|--directory[= ])["']?/(usr|opt|etc|bin|sbin|lib)?/?["']?(\s|$|;)|\bcd\s+/\s*(;|&&).*\b(tar|cpio)\b`)
	runCall    = search.Lazy(`(?:^|[;&|(]|\bthen\b|\bdo\b|\belse\b|\bexec\b)\s*(?:sudo\s+|nohup\s+)?(?:(?:/bin/)?(?:sh|bash|ash|dash|source|python\d?|perl)\s+(?:-\w+\s+)*|\.\s+)?["']?(\./[\w.$/{}-]+|/(?:tmp|var/tmp|mnt|media|run/media|data/update|update|home/\w+/update|var/run/usb|var/usb)/[\w.$/{}-]+|\$\{?\w+\}?/[\w./-]*\w\.(?:sh|bin|run|py)|[\w.-]+\.(?:sh|run))`)
	runVar     = search.Lazy(`(?:^|[;&|(]|\bthen\b|\bdo\b)\s*(?:/bin/)?(?:sh|bash|ash|source|\.)\s+["']?\$\{?\w+`)
	signCheck  = search.Lazy(`\bopenssl\s+(dgst|pkeyutl|rsautl|cms|smime|sha256|rsa)\b.*-verify|\bopenssl\s+(cms|smime)\s+-verify|\bopenssl\s+(dgst|pkeyutl)\b.*-(prverify|verify)|\bgpgv?2?\s.*--verify|\bgpgv\s|\busign\s+(-\w\s+)*-V|\bsignify(-openbsd)?\s+(-\w+\s+)*-\w*V|\bminisign\s+(-\w+\s+)*-\w*V|\bcosign\s+verify|\bssh-keygen\s+.*-Y\s+(verify|check)|\bucert\s+-\w*V|\brauc\s+install|\bswupdate\s.*-k\s|\bverify[_-]?(sig|signature|image|firmware)\w*`)
	sumCheck   = search.Lazy(`\b(md5sum|sha\d*sum|cksum|crc32|shasum|b2sum|md5)\b|\bopenssl\s+(dgst\s+-)?(md5|sha\d+)\b`)
	versions   = search.Lazy(`\s-(gt|lt|ge|le)\s|\s\\?[<>]\s|sort\s+(-\w+\s+)*-\w*V|--compare-versions|compare-versions|vercmp|version_(gt|lt|ge|le)`)
	versionish = search.Lazy(`(?i)ver(s|$|[^a-z])|version|release|build|revision|rollback|downgrade`)
	stops      = search.Lazy(`\|\|\s*(exit|return|die|fail|abort|error|fatal|\{|\(|goto|\w*(fail|err|abort|die)\w*)|&&|^if\s|\bif\s+!|^while\s`)
	stopsNext  = search.Lazy(`\$\?\s*"?\s*(-ne|-eq|!=|=|==)|^\[?\[?.*\$\?|^(rc|ret|result|status)=\$\?`)
	usbPath    = search.Lazy(`/mnt/(usb|sd|udisk|disk|stick|removable|flash)|/media/|/run/media|/var/(run/)?usb|/tmp/usb|\$\{?(MDEV|DEVNAME|USB\w*|usb\w*)`)
	usbMount   = search.Lazy(`\bmount\s[^;|&]*(/dev/(sd|\$|mmcblk1)|\$\{?(MDEV|DEVNAME))`)
	setE       = search.Lazy(`^set\s+-\w*e|^#!.*sh\s+-\w*e`)
	literalVar = search.Lazy(`^(?:export\s+|local\s+|readonly\s+)?([A-Za-z_]\w*)=["']?([^"'$` + "`" + `;]*)["']?`)
	anyVar     = search.Lazy(`\$\{?([A-Za-z_]\w*)\}?`)
)

// readUpdater reads a shell script as an updater.
func readUpdater(text string) updater {
	var u updater
	vars, from := map[string]string{}, map[string]string{}
	strict := strings.HasPrefix(text, "#!") && setE.MatchString(text[:min(len(text), 64)])
	unpacked := 0
	list := shellScript.statements(text)
	for i, st := range list {
		line := st.text
		strict = strict || setE.MatchString(line)
		if m := shellScript.assign.FindStringSubmatch(line); m != nil {
			from[m[1]] = m[2]
		}
		if m := literalVar.FindStringSubmatch(line); m != nil && !strings.Contains(m[2], "$") {
			vars[m[1]] = m[2]
		}
		full := expand(line, vars)
		enforced := strict || stops.MatchString(line) || i+1 < len(list) && stopsNext.MatchString(list[i+1].text)
		installed := u.installLine > 0
		switch {
		case printed.MatchString(line):
		case signCheck.MatchString(line) && !strings.HasSuffix(line, "() {"):
			if !installed && enforced {
				u.signed, u.signedLine = true, st.line
			}
			u.unenforced = u.unenforced || !enforced
		case sumCheck.MatchString(line):
			u.integrity = u.integrity || !installed && (enforced || comparesSum(list, i))
		case versions.MatchString(line) && !installed && (versionish.MatchString(line) || fromVersion(line, from)):
			u.rollback, u.rollbackLine = true, st.line
		}
		u.source(st, full)
		if u.fetchLine == 0 || printed.MatchString(line) {
			continue
		}
		if unpackCall.MatchString(line) {
			unpacked = st.line
		}
		u.installs(st, full, unpacked)
	}
	if u.installLine == 0 && u.fetchLine > 0 {
		u.piped(list)
	}
	return u
}

var printed = search.Lazy(`^(echo|printf|logger|log|print|msg|info|warn|die|err)\s[^|>` + "`" + `]*$`)

// expand replaces the variables whose value is known.
func expand(line string, vars map[string]string) string {
	return anyVar.ReplaceAllStringFunc(line, func(s string) string {
		if v, ok := vars[anyVar.FindStringSubmatch(s)[1]]; ok && v != "" && len(v) < 512 {
			return v
		}
		return s
	})
}

// comparesSum reports whether a checksum that is taken at statement i is compared in one
// of the next statements.
func comparesSum(list []statement, i int) bool {
	for _, st := range list[i:min(i+8, len(list))] {
		if strings.HasPrefix(st.text, "if ") || strings.HasPrefix(st.text, "[") || strings.Contains(st.text, "||") {
			return true
		}
	}
	return false
}

// fromVersion reports whether a comparison is between variables that were read from
// something called a version.
func fromVersion(line string, from map[string]string) bool {
	for _, m := range anyVar.FindAllStringSubmatch(line, 8) {
		if versionish.MatchString(from[m[1]]) {
			return true
		}
	}
	return false
}

// source notes where a statement gets something from.
func (u *updater) source(st statement, full string) {
	if m := fetchCall.FindStringSubmatch(st.text); m != nil && !fetchNot.MatchString(full) && !printed.MatchString(st.text) {
		u.insecure = u.insecure || unverified(st.text)
		if fetchProof.MatchString(full) || u.fetchLine > 0 && u.transport != "" && u.transport != "usb" {
			return
		}
		u.fetch, u.fetchLine = st.text, st.line
		u.busybox = m[1] == "wget" || m[1] == "uclient-fetch"
		u.transport = ""
		switch m[1] {
		case "tftp":
			u.transport = "tftp"
		case "ftpget", "ftp", "lftp":
			u.transport = "ftp"
		case "scp":
			u.transport = "scp"
		}
		if s := urlScheme.FindStringSubmatch(full); s != nil {
			u.transport = s[1]
		}
		return
	}
	if u.fetchLine == 0 && (usbMount.MatchString(st.text) || usbPath.MatchString(full)) {
		u.fetch, u.fetchLine, u.transport = st.text, st.line, "usb"
	}
}

// installs notes what a statement does with what was fetched.
func (u *updater) installs(st statement, full string, unpacked int) {
	flash := flashCall.MatchString(full)
	run := runCall.MatchString(full) && (unpacked > 0 || u.names(full))
	run = run || runVar.MatchString(st.text) && st.line > u.fetchLine && u.names(full)
	if u.transport == "usb" {
		run = runCall.MatchString(full) && usbPath.MatchString(full) || runVar.MatchString(st.text) && usbPath.MatchString(full)
		flash = flash || unpackCall.MatchString(full) && usbPath.MatchString(full) && unpackRoot.MatchString(full)
	}
	if unpackRoot.MatchString(full) {
		flash = true
	}
	u.flashes, u.runs = u.flashes || flash, u.runs || run
	if (flash || run) && u.installLine == 0 {
		u.install, u.installLine = st.text, st.line
	}
}

var fileWord = search.Lazy(`[\w$][\w.${}-]{3,}`)

// names reports whether a statement speaks of a file that the fetch named.
func (u *updater) names(line string) bool {
	for _, w := range fileWord.FindAllString(u.fetch, 32) {
		switch w {
		case "wget", "curl", "http", "https", "tftp", "ftpget", "then":
			continue
		}
		if strings.Contains(w, ".") && strings.Contains(line, w) || strings.HasPrefix(w, "$") && strings.Contains(line, w) {
			return true
		}
	}
	return false
}

// piped finds a fetch that goes straight into a shell or onto flash.
func (u *updater) piped(list []statement) {
	for _, st := range list {
		if everywhere[2].at.MatchString(st.text) && !printed.MatchString(st.text) {
			u.runs, u.install, u.installLine = true, st.text, st.line
			u.fetch, u.fetchLine = st.text, st.line
			return
		}
	}
}

// updates reports whether the script replaces software at all.
func (u *updater) updates() bool { return u.fetchLine > 0 && u.installLine > 0 }

// runsUnsigned reports whether it runs what it fetched without checking who made it.
func (u *updater) runsUnsigned() bool { return u.updates() && u.runs && !u.signed }
