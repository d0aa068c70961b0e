package fact

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPlace holds that a place's one word gives the place back, whatever its names hold.
func TestPlace(t *testing.T) {
	t.Parallel()
	for _, p := range []Place{
		{Input: "pump.bin"},
		{Input: "pump.bin", Layers: []Layer{{Format: "squashfs", Offset: 0x20000}}, Path: "/etc/shadow", Line: 1},
		{Input: "a!b@c:d%.bin", Layers: []Layer{{Format: "gpt"}, {Format: "ext", Offset: 1 << 40}}, Path: "/x:y/z!", Offset: 0x40},
		{Input: "x", Layers: []Layer{{Format: "ext", Offset: 1}, {Path: "/boot/a!\x1b[31m", Format: "gzip"}}, Path: "/\xff\xfe"},
		{Input: "ü", Layers: []Layer{{Format: "tar"}}, Path: "/naïve\u202e"},
	} {
		s := p.String()
		for _, r := range s {
			if r < ' ' || r == 0x7f || r == 0xfffd || r == 0x202e {
				t.Errorf("%q holds %U", s, r)
			}
		}
		got, err := ParsePlace(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if d := cmp.Diff(p, got); d != "" {
			t.Errorf("%q: %s", s, d)
		}
	}
	for _, s := range []string{"a!b:c", "a!b!c", "a%4", "a%zz", "a!squashfs@0xzz"} {
		if p, err := ParsePlace(s); err == nil {
			t.Errorf("%q is a place: %+v", s, p)
		}
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("pump.bin!squashfs@0x20000!/etc/shadow:1")
	f.Add("a%21!gpt@0x0!/x!gzip@0x0:0x40")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlace(s)
		if err != nil {
			return
		}
		again, err := ParsePlace(p.String())
		if err != nil || !cmp.Equal(p, again) {
			t.Errorf("%q: %+v is not %+v, %v", s, again, p, err)
		}
	})
}

// TestOpt holds that unstated is neither false nor zero, in Go and in JSON.
func TestOpt(t *testing.T) {
	t.Parallel()
	s := &Service{Name: "a", Listens: Say(false), Port: Say(0), Arguments: []string{}}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Service
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if v, ok := back.Listens.Value(); v || !ok {
		t.Error("stated false is lost")
	}
	if v, ok := back.Port.Value(); v != 0 || !ok {
		t.Error("stated zero is lost")
	}
	if back.Encrypted.Stated() || back.Start.Stated() {
		t.Error("unstated became stated")
	}
	if back.Arguments == nil {
		t.Error("a list that is stated empty became unstated")
	}
}

// TestNormalPath holds what of a path survives an update.
func TestNormalPath(t *testing.T) {
	t.Parallel()
	for p, want := range map[string]string{
		"/usr/lib/libssl.so.1.0.0":       "/usr/lib/libssl.so.N",
		"/usr/lib/libc.so.6":             "/usr/lib/libc.so.N",
		"/lib/modules/5.15.148/a.ko":     "/lib/modules/N/a.ko",
		"/opt/pump-2.4.1/bin/pumpd":      "/opt/pump-N/bin/pumpd",
		"/usr/bin/python3":               "/usr/bin/python3",
		"/etc/init.d/S50pumpd":           "/etc/init.d/S50pumpd",
		"/usr/share/fonts/arial-12.ttf":  "/usr/share/fonts/arial-12.ttf",
		"/usr/lib/python3.11/os.py":      "/usr/lib/pythonN/os.py",
		"/usr/lib/libfoo-1.2.so.10.20.3": "/usr/lib/libfoo-N.so.N",
	} {
		if got := NormalPath(p); got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
}

// TestKinds holds that every kind has its list in a set.
func TestKinds(t *testing.T) {
	t.Parallel()
	var s Set
	s.Add(&Device{}, &Component{}, &Account{}, &Secret{}, &Key{}, &Certificate{}, &Service{}, &Endpoint{}, &Destination{}, &Setting{}, &Guard{},
		&Executable{}, &Script{}, &Update{}, &Boot{}, &Kernel{}, &Mount{}, &Interface{}, &Data{}, &File{}, &Claim{})
	for _, k := range Kinds() {
		if l := s.Of(k); len(l) != 1 || l[0].Kind() != k {
			t.Errorf("kind %s: %v", k, l)
		}
	}
	if s.Len() != len(Kinds()) {
		t.Errorf("%d facts of %d kinds", s.Len(), len(Kinds()))
	}
}
