package crypt

import (
	"os"
	"strings"
	"testing"
)

// TestRead holds that each stored form of testdata is told by its scheme, that its
// password opens it and that no other does.
func TestRead(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/hashes.txt")
	if err != nil {
		t.Fatal(err)
	}
	weak := map[string]bool{"des": true, "bsdi": true, "md5": true, "apr1": true, "sunmd5": true, "sha1": true, "sha": true, "nt": true}
	for line := range strings.Lines(string(b)) {
		w := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(w) != 3 {
			continue
		}
		t.Run(w[0], func(t *testing.T) {
			t.Parallel()
			h := Read(w[2])
			if h.Scheme != w[0] || h.Weak != weak[w[0]] {
				t.Fatalf("%s: scheme %s, weak %t", w[2], h.Scheme, h.Weak)
			}
			if w[1] == "-" {
				if h.Cost != 0 || h.Is("") {
					t.Errorf("%s: can be tried", w[2])
				}
				return
			}
			if h.Cost < 1 || !h.Is(w[1]) {
				t.Errorf("%s: %q does not open it (cost %d)", w[2], w[1], h.Cost)
			}
			if h.Is("Password") || h.Is(w[1]+"x") && len(w[1]) < 8 {
				t.Errorf("%s: another password opens it", w[2])
			}
		})
	}
}

// TestOthers holds the same for what programs keep in forms of their own.
func TestOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		hash Hash
		want string
	}{
		{"nt", NT("8846F7EAEE8FB117AD06BDD830B7586C"), "password"},
		{"lm", LM("E52CAC67419A9A224A3B108F3FA6CB6D"), "password"},
		{"digest", Digest("admin", "gateway", "99a6f1ac06fcb281b856a807f66dc322"), "password"},
		{"plain", Plain("admin"), "admin"},
		{"salted-sha512", Mosquitto("$6$7ixMCh2XTNLIYPtI$8zc8Byz8WiCwqJoxDOf3tKd9Lm313wANKCGiYHMl7gqthGt0lvKOOADNH8soZfCfDPn2V1oZ1P4gYhXlW0uPwg=="), "password"},
		{"pbkdf2", Mosquitto("$7$101$SEFxdBDImU2dCs4I$xbWslXXiBZMQMrU/QOIH22OwZPEJjG+246DQ4vfCBB26GxzblgF88VHIi7xYtRZUJRDqBLX7vEhFk6MIllrziQ=="), "password"},
		{"unknown", Mosquitto("$6$x"), ""},
	} {
		if c.hash.Scheme != c.name {
			t.Errorf("%s: scheme %s", c.name, c.hash.Scheme)
		}
		if c.want != "" && !c.hash.Is(c.want) {
			t.Errorf("%s: %q does not open it", c.name, c.want)
		}
		if c.hash.Is("wrong") {
			t.Errorf("%s: a wrong password opens it", c.name)
		}
	}
}

// TestCosts holds that a hash whose parameters ask for more than a job may spend says so,
// without a trial.
func TestCosts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		field string
		least int64
	}{
		{"$6$rounds=999999999$s$" + strings.Repeat("a", 86), 1_000_000},
		{"$2a$31$" + strings.Repeat("a", 53), 1_000_000},
		{"$7$R" + "zzzzz" + "zzzzz" + "salt$" + strings.Repeat("a", 43), 0},
		{"$y$jzz$salt$" + strings.Repeat("a", 43), 0},
		{"_zzzz....aaaaaaaaaaa", 100_000},
	} {
		if h := Read(c.field); h.Scheme == "unknown" || h.Cost < c.least || c.least == 0 && h.Cost != 0 {
			t.Errorf("%.20s: %s costs %d", c.field, h.Scheme, h.Cost)
		}
	}
}

// FuzzRead: nothing stored makes the reader fail or try what it cannot pay for.
func FuzzRead(f *testing.F) {
	b, err := os.ReadFile("testdata/hashes.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if w := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(w) == 3 {
			f.Add(w[2])
		}
	}
	f.Fuzz(func(t *testing.T, field string) {
		for _, h := range []Hash{Read(field), Mosquitto(field)} {
			if h.Cost < 0 {
				t.Errorf("cost %d", h.Cost)
			}
			if h.Cost > 0 && h.Cost <= 10 {
				h.Is("x")
			}
		}
	})
}

func BenchmarkTrial(b *testing.B) {
	for _, field := range []string{"abJnggxhB/yWI", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "$6$saltsaltsalt$hu2MB85GKhCdSuPyy/Ac2I1avaZTRAa9f2YbpKlogMwpK13RIetDflQrNI0bK/af8sX3q7/Mi4VFc44T.vgRQ/",
		"$2a$05$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm", "$7$BU..../....k2XAnEHBqQ1Ct2aMXFKNa/HAmA1BpMnBsYHMWB4NZN4$P4s8RLLshnKdgcz943z4i5avie3Ohb2Aqin1qbgY1g."} {
		h := Read(field)
		b.Run(h.Scheme, func(b *testing.B) {
			for b.Loop() {
				h.Is("nothing")
			}
		})
	}
}
