package fix

import (
	"path"
	"regexp"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/remedy"
	"github.com/vesalius-project/vesalius/internal/setting"
	"github.com/vesalius-project/vesalius/internal/setting/daemon"
)

var enableTLS = remedy.Fix{
	ID:     "enable-tls",
	Title:  "Have the daemon speak TLS, with a key of each unit",
	Care:   remedy.Review,
	Breaks: "partners and browsers that speak clear text only; the port may be another; without a provisioned key the daemon does not start",
	Test:   "that provisioning writes key and certificate, that each partner connects over TLS, and that clear text is refused",
	Apply:  func(t *remedy.Task) error { return applyTLS(t, "lighttpd", "mosquitto", "nginx", "orthanc:http") },
}

var enableClinicalTLS = remedy.Fix{
	ID:     "enable-clinical-tls",
	Title:  "Have the clinical service speak TLS and ask its partners for certificates",
	Care:   remedy.Clinical,
	Breaks: "each partner that speaks clear text or has no certificate: images, results and orders do not arrive",
	Test:   "with every partner of the site: sending, asking and fetching; and what people do when the link is down",
	Apply:  func(t *remedy.Task) error { return applyTLS(t, "orthanc:dicom") },
}

func applyTLS(t *remedy.Task, known ...string) error {
	done := 0
	for _, s := range of[*fact.Service](t) {
		name := s.Product
		if name == "orthanc" {
			name += ":" + map[bool]string{true: "dicom", false: "http"}[s.Protocol == "dicom"]
		}
		ok := false
		for _, k := range known {
			ok = ok || k == name
		}
		file, found := configOf(t, s)
		if !ok || !found {
			return none("%s: how it speaks TLS is not known here", s.Name)
		}
		text, err := t.Text(file)
		if err != nil {
			return err
		}
		dir := provisioned(t) + "/"
		now := ""
		switch name {
		case "lighttpd":
			now, err = tlsLighttpd(text, dir+"lighttpd.pem")
		case "mosquitto":
			now, err = tlsMosquitto(text, dir)
		case "orthanc:http":
			now, err = tlsJSON(text, "SslEnabled", "true", "SslCertificate", dir+"orthanc.pem")
		case "orthanc:dicom":
			now, err = tlsJSON(text, "DicomTlsEnabled", "true", "DicomTlsCertificate", dir+"orthanc.crt", "DicomTlsPrivateKey", dir+"orthanc.key",
				"DicomTlsTrustedCertificates", dir+"ca.crt", "DicomTlsRemoteCertificateRequired", "true")
		default:
			err = none("%s: how it speaks TLS is not known here", s.Name)
		}
		if err != nil {
			return err
		}
		if now == text {
			return none("%s: nothing to change", file)
		}
		if err := t.Write(file, []byte(now), 0o644); err != nil {
			return err
		}
		t.Say("%s: %s speaks TLS with the key that provisioning writes to %s", file, s.Name, dir)
		done++
	}
	if done == 0 {
		return none("no service of the finding")
	}
	return nil
}

// configOf returns the configuration file of a service.
func configOf(t *remedy.Task, s *fact.Service) (string, bool) {
	if !path.IsAbs(s.Instance) {
		return "", false
	}
	if isFile(t, s.Instance) {
		return s.Instance, true
	}
	for _, name := range t.List(s.Instance) {
		if strings.HasSuffix(name, ".json") && isFile(t, path.Join(s.Instance, name)) {
			return path.Join(s.Instance, name), true
		}
	}
	return "", false
}

func tlsLighttpd(text, pem string) (string, error) {
	all, err := daemon.Load()
	if err != nil {
		return "", err
	}
	syntax := daemon.BySubject(all, "lighttpd").Syntax
	if i := strings.Index(text, "server.modules"); i >= 0 && !strings.Contains(text, "mod_openssl") {
		if end := strings.Index(text[i:], ")"); end > 0 {
			body := strings.TrimRight(text[:i+end], " \t\n")
			text = strings.TrimSuffix(body, ",") + `, "mod_openssl"` + text[len(body):]
		}
	}
	for _, kv := range [][2]string{{"server.port", "443"}, {"ssl.engine", "enable"}, {"ssl.pemfile", pem}} {
		if text, err = setting.Parse(syntax, text).Set(nil, kv[0], kv[1]); err != nil {
			return "", err
		}
	}
	return text, nil
}

var mqttListener = regexp.MustCompile(`(?m)^(\s*listener\s+)1883\b(.*)$`)

// tlsMosquitto moves the listener to the port for TLS and gives it a certificate. Clients
// show one, too: a broker that only encrypts lets anybody in who knows a password.
func tlsMosquitto(text, dir string) (string, error) {
	at := mqttListener.FindStringSubmatchIndex(text)
	if at == nil || len(mqttListener.FindAllString(text, -1)) > 1 || strings.Contains(text, "certfile") {
		return "", none("no single listener on port 1883")
	}
	head, tail := text[:at[0]], text[at[1]:]
	return head + text[at[2]:at[3]] + "8883" + text[at[4]:at[5]] + "\ncafile " + dir + "ca.crt\ncertfile " + dir + "mosquitto.crt\nkeyfile " + dir +
		"mosquitto.key\nrequire_certificate true\ntls_version tlsv1.2" + tail, nil
}

func tlsJSON(text string, pairs ...string) (string, error) {
	var err error
	for i := 0; i+1 < len(pairs); i += 2 {
		if text, err = setting.Parse(setting.Syntax{Family: setting.JSON}, text).Set(nil, pairs[i], pairs[i+1]); err != nil {
			return "", err
		}
	}
	return text, nil
}

var bindLoopback = remedy.Fix{
	ID:     "bind-loopback",
	Title:  "Have the daemon listen to programs of the device itself only",
	Care:   remedy.Review,
	Breaks: "whoever reaches it from another machine",
	Test:   "that the device's own programs still reach it, and who else did",
	Apply:  applyBindLoopback,
}

// loopbacks are the options by which daemons are told to listen at the loopback.
var loopbacks = map[string][2]string{
	"orthanc": {"RemoteAccessAllowed", "false"}, "redis": {"bind", "127.0.0.1"}, "mysql": {"bind-address", "127.0.0.1"}, "mariadb": {"bind-address", "127.0.0.1"},
	"postgres": {"listen_addresses", "localhost"}, "postgresql": {"listen_addresses", "localhost"}, "mongodb": {"net.bindIp", "127.0.0.1"},
}

func applyBindLoopback(t *remedy.Task) error {
	all, err := daemon.Load()
	if err != nil {
		return err
	}
	services := of[*fact.Service](t)
	for _, x := range of[*fact.Setting](t) {
		for _, s := range t.All.Service {
			if s.Root == x.Root && s.Product == x.Subject && s.Instance == x.Instance && s.Protocol != "dicom" {
				services = append(services, s)
			}
		}
	}
	done := 0
	for _, s := range services {
		kv, ok := loopbacks[s.Product]
		file, found := configOf(t, s)
		d := daemon.BySubject(all, s.Product)
		if !ok || !found || d == nil {
			continue
		}
		f, err := parse(t, d, file)
		if err != nil {
			return err
		}
		text, err := f.Set(nil, kv[0], kv[1])
		if err != nil {
			return err
		}
		if err := t.Write(file, []byte(text), 0o644); err != nil {
			return err
		}
		t.Say("%s: %s %s", file, kv[0], kv[1])
		done++
	}
	if done == 0 {
		return none("how the service is told to listen at the loopback is not known")
	}
	return nil
}
