package firmware

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// TestServicesOfSettings holds what the settings say of the services that are started.
func TestServicesOfSettings(t *testing.T) {
	t.Parallel()
	r := rootWith(t, "testdata/settings/started.txtar", "services", "settings")
	var got []string
	for _, s := range r.Facts.Service {
		words := []string{s.Name, s.Instance, s.Protocol, s.Transport}
		if p, ok := s.Port.Value(); ok {
			words = append(words, strconv.Itoa(p))
		}
		if s.Bind != "" {
			words = append(words, s.Bind)
		}
		for _, o := range []struct {
			name string
			is   fact.Opt[bool]
		}{{"reachable", s.Reachable}, {"encrypted", s.Encrypted}, {"authenticated", s.Authenticated}, {"anonymous", s.Anonymous}, {"shell", s.Shell}, {"writable", s.Writable}} {
			if v, ok := o.is.Value(); ok && v {
				words = append(words, o.name)
			} else if ok {
				words = append(words, "not-"+o.name)
			}
		}
		if u, ok := s.User.Value(); ok {
			words = append(words, u)
		}
		got = append(got, strings.Join(words, " "))
	}
	want := []string{
		"dropbear:2200 command line ssh tcp 2200 10.0.0.1 reachable encrypted authenticated not-anonymous shell root",
		"dropbear:2201 command line ssh tcp 2201 0.0.0.0 reachable encrypted authenticated not-anonymous shell root",
		"httpd command line http tcp 8080 127.0.0.1 not-reachable not-encrypted root",
		"mosquitto:1883 /etc/mosquitto.conf mqtt tcp 1883 127.0.0.1 not-reachable not-encrypted not-authenticated anonymous not-shell mosq",
		"mosquitto:8883 /etc/mosquitto.conf mqtt tcp 8883 0.0.0.0 reachable encrypted not-authenticated anonymous not-shell mosq",
		"nginx:443 /etc/nginx/nginx.conf https tcp 443 0.0.0.0 reachable encrypted",
		"nginx:80 /etc/nginx/nginx.conf http tcp 80 0.0.0.0 reachable not-encrypted",
		"snmpd /etc/snmp/snmpd.conf snmp udp 161 0.0.0.0 reachable not-encrypted not-shell not-writable root",
		"sshd:2222 /etc/ssh/sshd_config ssh tcp 2222 0.0.0.0 reachable encrypted authenticated not-anonymous shell root",
		"sshd:22 /etc/ssh/sshd_config ssh tcp 22 0.0.0.0 reachable encrypted authenticated not-anonymous shell root",
		"telnetd command line telnet tcp 23 0.0.0.0 reachable not-encrypted not-authenticated anonymous shell root",
		"vsftpd /data/vsftpd.conf ftp tcp not-shell root",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, have +\n%s", d)
	}
}
