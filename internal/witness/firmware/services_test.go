package firmware

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format"
)

// replica examines a twin of a replica device, packed as it is.
func replica(t *testing.T, name string, fixed bool) *Result {
	t.Helper()
	r, err := examples.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	file, data, err := r.Build(fixed)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Examine(t.Context(), Input{Name: file, Blob: image.BytesBlob(data)}, Options{
		Image: image.Options{Formats: format.All(), Budget: budget.New(budget.Limits{Tries: 1})}, At: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// seen is what a replica must show of a service.
type seen struct {
	start, user, protocol string
	port                  int
	shell                 bool
}

// TestReplicaServices holds that the replicas start what they are built to start, no more
// and no less.
func TestReplicaServices(t *testing.T) {
	t.Parallel()
	any := func(port int, protocol string) seen { return seen{"boot", "root", protocol, port, false} }
	for _, c := range []struct {
		name  string
		fixed bool
		want  map[string]seen
	}{
		{"pump", false, map[string]seen{
			"telnetd": {"boot", "root", "telnet", 23, true}, "dropbear": {"conditional", "root", "ssh", 22, true}, "pumpd": any(5000, ""),
			"udhcpc": any(0, ""), "wpa_supplicant": any(0, ""),
		}},
		{"pump", true, map[string]seen{
			"dropbear": {"conditional", "root", "ssh", 22, true}, "pumpd": {"boot", "pump", "", 5000, false}, "udhcpc": any(0, ""), "wpa_supplicant": any(0, ""),
		}},
		{"monitor", false, map[string]seen{
			"sshd": {"boot", "root", "ssh", 22, true}, "x11vnc": {"boot", "root", "vnc", 5900, true}, "monitord": any(6000, ""),
			"nginx": {"boot", "www", "https", 443, false}, "snmpd": {"boot", "snmp", "snmp", 161, false},
		}},
		{"monitor", true, map[string]seen{
			"sshd": {"boot", "root", "ssh", 22, true}, "monitord": {"boot", "monitor", "", 6000, false},
			"nginx": {"boot", "www", "https", 443, false}, "snmpd": {"boot", "snmp", "snmp", 161, false},
		}},
		{"gateway", false, map[string]seen{
			"adbd": {"boot", "root", "adb", 5555, true}, "dropbear": {"boot", "root", "ssh", 22, true}, "vsftpd": {"boot", "root", "ftp", 21, false},
			"lighttpd": {"boot", "http", "http", 80, false}, "mosquitto": {"boot", "mosquitto", "mqtt", 1883, false},
		}},
		{"central", false, map[string]seen{
			"Orthanc:4242": {"boot", "orthanc", "dicom", 4242, false}, "Orthanc:8042": {"boot", "orthanc", "http", 8042, false}, "smbd": any(445, "smb"),
		}},
	} {
		res := replica(t, c.name, c.fixed)
		have := map[string]seen{}
		for _, s := range res.Facts.Service {
			have[s.Name] = seen{s.Start.Or(""), s.User.Or(""), s.Protocol, s.Port.Or(0), s.Shell.Or(false)}
		}
		if d := cmp.Diff(c.want, have, cmp.AllowUnexported(seen{})); d != "" {
			t.Errorf("%s (fixed %v): want -, have +\n%s", c.name, c.fixed, d)
		}
	}
}

// TestUnwrap holds what stands behind the words of a start.
func TestUnwrap(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"start-stop-daemon -S -b -q -c pump:pump -x /usr/bin/pumpd -- -p 5000":            "pump & /usr/bin/pumpd -p 5000",
		"start-stop-daemon --start --quiet --exec=/usr/sbin/x --startas /usr/bin/y -- -a": "root /usr/bin/y -a",
		"start-stop-daemon --stop --exec /usr/sbin/x":                                     "",
		"start-stop-daemon --start --test --exec /usr/sbin/x":                             "",
		"start-stop-daemon -Sbmx /usr/sbin/x -- y":                                        "root & /usr/sbin/x y",
		"nohup nice -n 5 /opt/app -x":                                                     "root /opt/app -x",
		"su - app -c /opt/app":                                                            "app sh -c /opt/app",
		"runuser -u app -- /opt/app x":                                                    "app /opt/app x",
		"chroot /srv/jail /bin/app":                                                       "root /bin/app",
		"env -u A B=1 /opt/app":                                                           "root /opt/app",
		"daemon --user=app --pidfile=/x /opt/app -d":                                      "app & /opt/app -d",
		"sudo -u app /opt/app":                                                            "app /opt/app",
		"setsid -f /opt/app":                                                              "root & /opt/app",
		"timeout -k 5 10 /opt/app":                                                        "root /opt/app",
		"busybox telnetd -l /bin/sh":                                                      "root telnetd -l /bin/sh",
	} {
		words, _, b, bg, ok := unwrap(strings.Fields(line), asRoot("x"))
		have := ""
		if ok {
			have = b.user.Or("") + " "
			if bg {
				have += "& "
			}
			have += strings.Join(words, " ")
		}
		if have != want {
			t.Errorf("%s: have %q, want %q", line, have, want)
		}
	}
}

// TestMaskArguments holds that no secret of a command line is shown.
func TestMaskArguments(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"--password hunter2hunter2 -x":                  "--password h***2 -x",
		"--db-password=short":                           "--db-password=***",
		"-u mqtts://dev:secret12345@broker.example/x":   "-u mqtts://dev:***@broker.example/x",
		"--password-file /etc/x --secret /etc/key":      "--password-file /etc/x --secret /etc/key",
		"--token=$TOKEN http://plain.example/path@here": "--token=$TOKEN http://plain.example/path@here",
	} {
		if have := strings.Join(maskArguments(strings.Fields(line)), " "); have != want {
			t.Errorf("%s: have %q, want %q", line, have, want)
		}
	}
}

// TestSameFacts holds that all inspectors together say the same twice.
func TestSameFacts(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("testdata/services/*.txtar")
	if err != nil || len(samples) == 0 {
		t.Fatal("no samples", err)
	}
	for _, s := range samples {
		var said [2][]string
		for i := range said {
			r := rootOf(t, s)
			for _, k := range fact.Kinds() {
				for _, f := range r.Facts.Of(k) {
					said[i] = append(said[i], line(t, f))
				}
			}
		}
		if d := cmp.Diff(said[0], said[1]); d != "" {
			t.Errorf("%s: first -, second +\n%s", s, d)
		}
	}
}
