package firmware

import (
	"slices"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// TestReplicaCredentials holds that the planted credentials of the replicas are stated with
// their places, and that the fixed twins have none of them.
func TestReplicaCredentials(t *testing.T) {
	t.Parallel()
	has := func(f fact.Fact, p string) bool {
		return slices.ContainsFunc(f.Header().Places, func(at fact.Place) bool { return at.Path == p })
	}
	for _, c := range []struct {
		replica, truth string
		holds          func(s *fact.Set) bool
	}{
		{"pump", "R01", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Account, func(a *fact.Account) bool {
				return a.Name == "root" && a.Password.Or("") == "default" && a.Scheme == "md5" && has(a, "/etc/shadow")
			})
		}},
		{"pump", "R04", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Key, func(k *fact.Key) bool { return k.Use == "ssh-host" && k.Private.Or(false) })
		}},
		{"pump", "R35", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Secret, func(x *fact.Secret) bool {
				return x.What == "wifi-psk" && x.Readable.Or(false) && has(x, "/etc/wpa_supplicant.conf")
			})
		}},
		{"gateway", "R03", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Key, func(k *fact.Key) bool {
				return k.SelfAuthorising.Or(false) && k.Private.Or(false) && has(k, "/root/.ssh/id_rsa")
			}) && slices.ContainsFunc(s.Key, func(k *fact.Key) bool {
				return k.SelfAuthorising.Or(false) && k.Account == "root" && has(k, "/root/.ssh/authorized_keys")
			})
		}},
		{"gateway", "R07", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Account, func(a *fact.Account) bool {
				return a.Store == "vsftpd" && a.Name == "service" && a.Scheme == "plain" && a.Password.Or("") == "cracked" && has(a, "/etc/vsftpd.passwd")
			})
		}},
		{"gateway", "R09", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Account, func(a *fact.Account) bool {
				return a.Store == "lighttpd" && a.Name == "admin" && a.Password.Or("") == "default" && has(a, "/etc/lighttpd/users")
			})
		}},
		{"gateway", "R37", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Key, func(k *fact.Key) bool { return k.Known.Or(false) && has(k, "/etc/ssl/gateway.key") })
		}},
		{"monitor", "R05", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Secret, func(x *fact.Secret) bool {
				return x.In == "script" && x.For == "cifs" && x.User == "monitor" && has(x, "/usr/bin/mount-archive.sh")
			})
		}},
		{"monitor", "R10", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Guard, func(g *fact.Guard) bool { return g.What == "lockout" && !g.Active.Or(true) })
		}},
		{"monitor", "R22", func(s *fact.Set) bool {
			n := 0
			for _, x := range s.Secret {
				if x.What == "community" && x.Default.Or(false) {
					n++
				}
			}
			return n == 2
		}},
		{"monitor", "R24", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Certificate, func(x *fact.Certificate) bool {
				return x.Expired.Or(false) && x.SelfSigned.Or(false) && x.Use == "server" && has(x, "/etc/ssl/monitor.crt")
			})
		}},
		{"monitor", "R38", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Secret, func(x *fact.Secret) bool { return x.In == "log" && has(x, "/var/log/monitor/setup.log") })
		}},
		{"central", "R34", func(s *fact.Set) bool {
			return slices.ContainsFunc(s.Account, func(a *fact.Account) bool { return a.Scheme == "des" && a.Weak.Or(false) && has(a, "/etc/shadow") })
		}},
	} {
		t.Run(c.truth, func(t *testing.T) {
			t.Parallel()
			rep, err := examples.Open(c.replica)
			if err != nil {
				t.Fatal(err)
			}
			for _, fixed := range []bool{false, true} {
				tr := &tree{}
				for _, f := range rep.Files(fixed) {
					n := &image.Node{Path: f.Path, Kind: f.Kind, Mode: f.Mode, MTime: f.MTime, Target: f.Target, Size: int64(len(f.Data))}
					if f.Kind == image.File {
						n.Data = image.BytesBlob(f.Data)
					}
					tr.nodes = append(tr.nodes, n)
				}
				tr.nodes = append(tr.nodes, &image.Node{Path: "/etc", Kind: image.Dir, Mode: 0o755}, &image.Node{Path: "/bin", Kind: image.Dir, Mode: 0o755})
				r, err := tr.root(t)
				if err != nil {
					t.Fatal(err)
				}
				inspect(r, strings.Fields("accounts keys certificates pam secrets sudo"))
				if got := c.holds(&r.Facts); got == fixed {
					t.Errorf("fixed %t: %t", fixed, got)
				}
				if fixed {
					for _, s := range r.Facts.Secret {
						t.Errorf("the fixed twin has a secret: %s", line(t, s))
					}
				}
			}
		})
	}
}
