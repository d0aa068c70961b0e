package firmware

import (
	"crypto/des"
	"math/bits"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/secret"
)

// secretFile is a kind of file whose format says where its secrets stand.
type secretFile struct {
	name string
	is   func(p string) bool
	read func(x *found, f *File)
}

var secretFiles = []secretFile{
	{"ipsec", named("ipsec.secrets", "psk.txt"), readIPsec},
	{"mosquitto", under("/etc/mosquitto", ".conf"), readWords(map[string]secret.Secret{"remote_password": {What: "password", For: "mqtt"}})},
	{"msmtp", named("msmtprc", ".msmtprc"), readWords(map[string]secret.Secret{"password": {What: "password", For: "smtp"}})},
	{"netrc", named(".netrc", "netrc", "_netrc"), readNetrc},
	{"networkmanager", under("/etc/NetworkManager/system-connections", ""), readWireless},
	{"pgpass", named(".pgpass", "pgpass"), readPgpass},
	{"ppp", named("chap-secrets", "pap-secrets"), readPPP},
	{"redis", named("redis.conf"), readWords(map[string]secret.Secret{"requirepass": {What: "password", For: "redis"}, "masterauth": {What: "password", For: "redis"}})},
	{"snmpd", snmpFile, readSNMP},
	{"vnc", vncFile, readVNC},
	{"wireless", wirelessFile, readWireless},
}

func named(names ...string) func(string) bool {
	return func(p string) bool { return slices.Contains(names, path.Base(p)) }
}

func under(dir, suffix string) func(string) bool {
	return func(p string) bool { return strings.HasPrefix(p, dir+"/") && strings.HasSuffix(p, suffix) }
}

func snmpFile(p string) bool {
	switch path.Base(p) {
	case "snmpd.conf", "snmptrapd.conf", "snmp.conf", "snmpd.local.conf":
		return true
	}
	return p == "/etc/config/snmpd" || strings.HasPrefix(p, "/etc/snmp/snmpd.conf.d/")
}

var wirelessName = search.Lazy(`^(wpa_supplicant|hostapd)[\w.-]*\.conf$|^hostapd[\w.-]*$`)

func wirelessFile(p string) bool {
	return p == "/etc/config/wireless" || wirelessName.MatchString(path.Base(p)) && !strings.HasPrefix(p, "/usr/") && !strings.HasPrefix(p, "/etc/init.d/") ||
		strings.HasPrefix(p, "/var/lib/iwd/") && strings.HasSuffix(p, ".psk")
}

func vncFile(p string) bool {
	base := path.Base(p)
	return base == "passwd" && strings.Contains(p, "vnc") || base == "vncpasswd" || base == "x11vnc.pass" || strings.HasSuffix(base, ".vncpasswd")
}

// readWords reads lines of a key and a value, as many daemons have them.
func readWords(keys map[string]secret.Secret) func(*found, *File) {
	return func(x *found, f *File) {
		numbered(f, func(n int, line string) {
			w := strings.Fields(line)
			if len(w) < 2 {
				return
			}
			if s, ok := keys[w[0]]; ok {
				s.Value, s.Subject = strings.Trim(w[1], `"'`), w[0]
				x.value(f, n, "configuration", s)
			}
		})
	}
}

var (
	wirelessKey = search.Lazy(`(?i)^\s*(?:option\s+)?(psk|sae_password|wpa_passphrase|wpa_psk|passphrase|password|leap-password|key|wep[-_]key[0-9]?|key[1-4]|private_key_passwd)\s*[=\s]\s*(.+?)\s*$`)
	wirelessID  = search.Lazy(`(?i)^\s*(?:option\s+)?identity\s*[=\s]\s*"?'?([^"']+)`)
)

// readWireless reads what opens a wireless network: of wpa_supplicant, hostapd,
// NetworkManager, iwd and OpenWrt.
func readWireless(x *found, f *File) {
	openwrt := f.Path == "/etc/config/wireless"
	user := ""
	numbered(f, func(n int, line string) {
		if m := wirelessID.FindStringSubmatch(line); m != nil {
			user = m[1]
		}
		m := wirelessKey.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(line, ";") {
			return
		}
		key, value := strings.ToLower(m[1]), strings.Trim(m[2], `"'`)
		if key == "key" && (!openwrt || len(value) < 5) || value == "" || strings.ContainsAny(value[:1], "$<%") {
			return // a number of a key, or nothing yet
		}
		s := secret.Secret{What: "wifi-psk", For: "wifi", Subject: m[1], Value: value}
		if strings.Contains(key, "passw") && key != "sae_password" {
			s.What, s.User = "password", user
		}
		x.value(f, n, "configuration", s)
	})
}

// readSNMP reads communities and the passphrases of SNMPv3.
func readSNMP(x *found, f *File) {
	numbered(f, func(n int, line string) {
		w := strings.Fields(line)
		community := func(i int) {
			if i < len(w) {
				x.value(f, n, "configuration", secret.Secret{What: "community", For: "snmp", Subject: w[0], Value: strings.Trim(w[i], `"'`)})
			}
		}
		switch {
		case len(w) < 2:
		case slices.Contains([]string{"rocommunity", "rwcommunity", "rocommunity6", "rwcommunity6", "trapcommunity", "defCommunity"}, w[0]):
			community(1)
		case w[0] == "authCommunity":
			community(2)
		case w[0] == "com2sec" || w[0] == "com2sec6":
			at := 3
			if w[1] == "-Cn" {
				at = 5
			}
			community(at)
		case w[0] == "createUser":
			w = slices.DeleteFunc(w, func(s string) bool { return s == "-e" })
			for _, i := range []int{3, 5} {
				if i < len(w) {
					x.value(f, n, "configuration", secret.Secret{What: "password", For: "snmp", User: w[1], Subject: w[0], Value: strings.Trim(w[i], `"'`)})
				}
			}
		case w[0] == "option" && len(w) == 3 && strings.HasSuffix(w[1], "community"):
			w[0] = w[1]
			community(2)
		}
	})
}

// readPPP reads client, server, secret, addresses.
func readPPP(x *found, f *File) {
	numbered(f, func(n int, line string) {
		w := strings.Fields(line)
		if len(w) < 3 || w[2] == "*" || w[2] == `""` || strings.HasPrefix(w[2], "@") {
			return
		}
		x.value(f, n, "configuration", secret.Secret{What: "password", For: "ppp", User: strings.Trim(w[0], `"'`), Value: strings.Trim(w[2], `"'`)})
	})
}

// readNetrc reads machine, login and password, in one line or several.
func readNetrc(x *found, f *File) {
	user := ""
	numbered(f, func(n int, line string) {
		w := strings.Fields(line)
		for i := 0; i+1 < len(w); i++ {
			switch w[i] {
			case "login":
				user = w[i+1]
			case "password":
				x.value(f, n, "configuration", secret.Secret{What: "password", For: "ftp", User: user, Value: w[i+1]})
			}
		}
	})
}

// readPgpass reads host:port:database:user:password.
func readPgpass(x *found, f *File) {
	numbered(f, func(n int, line string) {
		if w := strings.Split(line, ":"); len(w) == 5 && w[4] != "" {
			x.value(f, n, "configuration", secret.Secret{What: "password", For: "postgresql", User: w[3], Value: w[4]})
		}
	})
}

var ipsecSecret = search.Lazy(`^(.*?):?\s*(PSK|XAUTH|EAP)\s+"?([^"\s]+)"?`)

// readIPsec reads pre-shared keys of strongSwan and of racoon.
func readIPsec(x *found, f *File) {
	numbered(f, func(n int, line string) {
		m := ipsecSecret.FindStringSubmatch(line)
		if w := strings.Fields(line); m == nil && path.Base(f.Path) == "psk.txt" && len(w) == 2 {
			m = []string{"", w[0], "PSK", w[1]}
		}
		if m != nil && !strings.HasPrefix(m[3], "<") && !strings.HasPrefix(m[3], "%") {
			x.value(f, n, "configuration", secret.Secret{What: "password", For: "ipsec", User: strings.TrimSpace(m[1]), Subject: m[2], Value: m[3]})
		}
	})
}

// vncKey is the fixed key of VNC, whose password files hide nothing; its bytes are used
// with their bits reversed.
var vncKey = [8]byte{23, 82, 107, 6, 35, 78, 88, 7}

// readVNC reads the password of a VNC server: eight bytes under a key that everybody
// knows, once more for a view-only password; or a line of text.
func readVNC(x *found, f *File) {
	if text, ok := f.Text(); ok {
		line, _, _ := strings.Cut(text, "\n")
		if line = strings.TrimSpace(line); line != "" && len(line) <= 64 && !strings.ContainsAny(line, ":#") {
			x.value(f, 1, "configuration", secret.Secret{What: "password", For: "vnc", Value: line})
			return
		}
	}
	if f.Node.Data == nil || f.Node.Size != 8 && f.Node.Size != 16 && f.Node.Size != 24 {
		return
	}
	b, err := f.Node.Data.View(0, 8)
	if err != nil || len(b) != 8 {
		return
	}
	var k [8]byte
	for i, c := range vncKey {
		k[i] = bits.Reverse8(c)
	}
	c, err := des.NewCipher(k[:])
	if err != nil {
		return
	}
	out := make([]byte, 8)
	c.Decrypt(out, b)
	value := strings.TrimRight(string(out), "\x00")
	if value == "" || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
		return
	}
	x.value(f, 0, "configuration", secret.Secret{What: "password", For: "vnc", Value: value})
}
