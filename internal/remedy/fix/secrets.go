package fix

import (
	"path"
	"regexp"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var extractSecret = remedy.Fix{
	ID:     "extract-secret",
	Title:  "Take the secret out and read it from a file that each unit gets when it is provisioned",
	Care:   remedy.Review,
	Breaks: "what used the secret, on units that have not been provisioned with the file",
	Test:   "that provisioning writes the file with mode 0600, that the connection works with it, and that the old secret is changed at the other side",
	Apply:  applyExtractSecret,
}

var (
	cifsLogin  = regexp.MustCompile(`\b(user(name)?|pass(word|wd)?|domain)=[^,\s;|&"']*,?`)
	assignment = regexp.MustCompile(`^(\s*(?:export\s+|local\s+|readonly\s+)?)([A-Za-z_]\w*)=(["']?)([^\s"'$` + "`" + `]+)(["']?)(\s*)$`)
)

func applyExtractSecret(t *remedy.Task) error {
	done := 0
	for _, s := range of[*fact.Secret](t) {
		for _, p := range s.Places {
			var ok bool
			var err error
			switch {
			case s.What == "wifi-psk":
				ok, err = moveWiFi(t, p)
			case s.For == "cifs":
				ok, err = credentialsFile(t, s, p)
			default:
				ok, err = variableFile(t, s, p)
			}
			if err != nil {
				return err
			}
			if ok {
				done++
			}
		}
	}
	if done == 0 {
		return none("the place of the secret has no form that can read it from a file")
	}
	return nil
}

// credentialsFile has a mount of CIFS read its login from a file.
func credentialsFile(t *remedy.Task, s *fact.Secret, p fact.Place) (bool, error) {
	name := regexp.MustCompile(`//[^/\s]+/([\w.-]+)`)
	line, _ := lineAt(t, p)
	base := "share"
	if m := name.FindStringSubmatch(line); m != nil {
		base = m[1]
	}
	file := provisioned(t) + "/" + base + ".cred"
	ok, err := statement(t, p, func(line string) ([]string, bool) {
		at := regexp.MustCompile(`(\s-o\s*)([^\s;|&]+)`).FindStringSubmatchIndex(line)
		if at == nil && strings.HasSuffix(p.Path, "fstab") {
			at = regexp.MustCompile(`^(\S+\s+\S+\s+\S+\s+)(\S+)`).FindStringSubmatchIndex(line)
		}
		if at == nil {
			return nil, false
		}
		options := line[at[4]:at[5]]
		if !strings.Contains(options, "pass") {
			return nil, false
		}
		rest := strings.Trim(cifsLogin.ReplaceAllString(options, ""), ",")
		options = "credentials=" + file
		if rest != "" {
			options += "," + rest
		}
		return []string{line[:at[4]] + options + line[at[5]:]}, true
	})
	if !ok || err != nil {
		return ok, err
	}
	t.Say("%s:%d: reads its login from %s", p.Path, p.Line, file)
	return true, template(t, base+".cred", "# To be written to "+file+", mode 0600, for each unit. The old password is known: change it at the server.\nusername="+s.User+"\npassword=\n")
}

// variableFile has a shell's variable read from a file.
func variableFile(t *remedy.Task, s *fact.Secret, p fact.Place) (bool, error) {
	file := ""
	ok, err := statement(t, p, func(line string) ([]string, bool) {
		m := assignment.FindStringSubmatch(line)
		if m == nil || m[3] != m[5] || s.In != "script" {
			return nil, false
		}
		file = provisioned(t) + "/" + strings.ToLower(m[2])
		return []string{m[1] + m[2] + `="$(cat ` + file + `)"` + m[6]}, true
	})
	if !ok || err != nil {
		return ok, err
	}
	t.Say("%s:%d: reads it from %s", p.Path, p.Line, file)
	return true, template(t, path.Base(file), "")
}

// moveWiFi moves the configuration of the wireless network to where a unit keeps its own,
// and leaves one without the key as its template.
func moveWiFi(t *remedy.Task, p fact.Place) (bool, error) {
	text, err := t.Text(p.Path)
	if err != nil || strings.HasPrefix(p.Path, "/data/") || !strings.HasPrefix(path.Base(p.Path), "wpa") {
		return false, err
	}
	to := provisioned(t) + "/" + path.Base(p.Path)
	users := 0
	for _, dir := range []string{"/etc/init.d", "/etc/network", "/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/usr/bin", "/usr/sbin", "/etc"} {
		for _, name := range t.List(dir) {
			at := dir + "/" + name
			n := t.Entry(at)
			if n == nil || n.Kind != image.File || n.Size > 1<<16 || at == p.Path {
				continue
			}
			if _, err := t.Text(at); err != nil {
				continue // no text
			}
			changed, err := rewrite(t, at, func(_ int, line string) ([]string, bool) {
				if !regexp.MustCompile(regexp.QuoteMeta(p.Path)+`($|[\s"';&|])`).MatchString(line) || strings.HasPrefix(strings.TrimSpace(line), "#") {
					return nil, false
				}
				return []string{strings.ReplaceAll(line, p.Path, to)}, true
			})
			if err != nil {
				return false, err
			}
			if changed > 0 {
				users++
				t.Say("%s: uses %s", at, to)
			}
		}
	}
	if users == 0 {
		return false, nil
	}
	if err := t.Remove(p.Path); err != nil {
		return false, err
	}
	t.Say("%s: removed; the network's key is of each site", p.Path)
	key := regexp.MustCompile(`(?m)^(\s*)(psk|password|wep_key\d|sae_password)=.*$`)
	return true, template(t, path.Base(p.Path), "# To be written to "+to+", mode 0600, with the key of the site.\n"+key.ReplaceAllString(text, "$1# $2="))
}

// template leaves what provisioning fills in.
func template(t *remedy.Task, name, text string) error {
	at := "/usr/share/provision/" + name
	if text == "" {
		text = "# To be written to " + provisioned(t) + "/" + name + ", mode 0600, for each unit: the value alone, on one line.\n"
	}
	t.Say("%s: a template for provisioning", at)
	return t.Write(at, []byte(text), 0o644)
}

var enableVerification = remedy.Fix{
	ID:     "enable-verification",
	Title:  "Have the peer's certificate checked",
	Care:   remedy.Review,
	Breaks: "connections to servers whose certificate no authority in the image has signed",
	Test:   "that each connection works with the site's certificates, and fails with a wrong one",
	Apply:  applyEnableVerification,
}

// unchecked are the switches that turn a check off, and what stands in their place.
var unchecked = []struct {
	at *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`(\bcurl\b[^|;]*?)\s(?:-k|--insecure)(\s|$)`), "$1$2"},
	{regexp.MustCompile(`(\bcurl\b[^|;]*?\s-[a-jl-zA-Z]*)k([a-zA-Z]*)`), "$1$2"},
	{regexp.MustCompile(`(\bwget\b[^|;]*?)\s--no-check-certificate\b`), "$1"},
	{regexp.MustCompile(`(\bmosquitto_(?:pub|sub)\b[^|;]*?)\s--insecure\b`), "$1"},
	{regexp.MustCompile(`StrictHostKeyChecking([ =])no\b`), "StrictHostKeyChecking${1}yes"},
	{regexp.MustCompile(`\bverify\s*=\s*False\b`), "verify=True"},
	{regexp.MustCompile(`\bverify_ssl\s*=\s*False\b`), "verify_ssl=True"},
	{regexp.MustCompile(`\bcheck_hostname\s*=\s*False\b`), "check_hostname = True"},
	{regexp.MustCompile(`\brejectUnauthorized\s*:\s*false\b`), "rejectUnauthorized: true"},
	{regexp.MustCompile(`(CURLOPT_SSL_VERIFYPEER\s*(?:,|=>)\s*)(?:0|false|FALSE)\b`), "${1}true"},
	{regexp.MustCompile(`(CURLOPT_SSL_VERIFYHOST\s*(?:,|=>)\s*)(?:0|false|FALSE)\b`), "${1}2"},
}

func applyEnableVerification(t *remedy.Task) error {
	done := 0
	check := func(p string, only func(n int) bool) error {
		n, err := rewrite(t, p, func(n int, line string) ([]string, bool) {
			if !only(n) {
				return nil, false
			}
			now := line
			for _, u := range unchecked {
				now = u.at.ReplaceAllString(now, u.to)
			}
			return []string{now}, now != line
		})
		if n > 0 {
			t.Say("%s: the peer's certificate is checked", p)
		}
		done += n
		return err
	}
	for _, s := range of[*fact.Script](t) {
		for _, u := range s.Uses {
			if u.What != "no-verify" {
				continue
			}
			if err := check(s.Path, func(n int) bool { return n == u.Line }); err != nil {
				return err
			}
		}
	}
	var places []fact.Place
	for _, u := range of[*fact.Update](t) {
		places = append(places, u.Places...)
	}
	for _, d := range of[*fact.Destination](t) {
		places = append(places, d.Places...)
	}
	for _, p := range places {
		if isFile(t, p.Path) && p.Line > 0 {
			if _, err := t.Text(p.Path); err != nil {
				continue // a program: nothing to change in it
			}
			if err := check(p.Path, func(n int) bool { return n == p.Line }); err != nil {
				return err
			}
		}
	}
	if done == 0 {
		return none("no switch that turns the check off stands in a script")
	}
	return nil
}

var provisionKey = remedy.Fix{
	ID:     "provision-key",
	Title:  "Take the key or certificate out, and use one that each unit gets when it is provisioned",
	Care:   remedy.Review,
	Breaks: "the daemon, on units that have not been provisioned",
	Test:   "that provisioning writes the file, that the daemon starts with it, and that two units have two keys",
	Apply:  applyProvisionKey,
}

func applyProvisionKey(t *remedy.Task) error {
	removed := 0
	for _, f := range t.Facts {
		switch f.(type) {
		case *fact.Key, *fact.Certificate:
		default:
			continue
		}
		for _, p := range filesOf(f) {
			n := t.Entry(p)
			if n == nil || n.Kind != image.File || path.Base(p) == "authorized_keys" || strings.Contains(path.Base(p), "ssh_host_") {
				continue
			}
			to := provisioned(t) + "/" + path.Base(p)
			users := 0
			for _, x := range t.All.Setting {
				if x.Root != t.Root.Role || x.Origin != "file" || !strings.Contains(x.Raw, p) && x.Value.Or("") != p {
					continue
				}
				for _, at := range x.Places {
					ok, err := statement(t, at, func(line string) ([]string, bool) {
						return []string{strings.ReplaceAll(line, p, to)}, strings.Contains(line, p)
					})
					if err != nil {
						return err
					}
					if ok {
						users++
						t.Say("%s:%d: uses %s", at.Path, at.Line, to)
					}
				}
			}
			if err := t.Remove(p); err != nil {
				return err
			}
			removed++
			if users == 0 {
				t.Say("%s: removed; nothing in the image names it", p)
				continue
			}
			t.Say("%s: removed; each unit gets its own", p)
		}
	}
	if removed == 0 {
		return none("the key is no file of its own")
	}
	return nil
}
