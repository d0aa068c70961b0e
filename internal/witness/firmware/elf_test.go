package firmware

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// traceOf makes the trace of some bytes.
func traceOf(t testing.TB, data []byte) *Trace {
	t.Helper()
	tr, err := newTracer(nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := tr.trace(image.BytesBlob(data), nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func shape(t *testing.T, data []byte) *fact.Executable {
	t.Helper()
	b := traceOf(t, data).Binary
	if b == nil {
		t.Fatal("no program seen")
	}
	return &b.Shape
}

func program(t testing.TB, description string) []byte {
	t.Helper()
	p, err := examples.Program(description)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestELFArch holds that machine, class and byte order give the architecture's name.
func TestELFArch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from    string
		machine uint16
		want    string
	}{
		{"arm", 40, "arm"}, {"arm", 3, "x86"}, {"arm", 8, "mipsel"}, {"arm", 20, "ppcle"}, {"arm", 243, "riscv32"},
		{"mips", 8, "mips"}, {"mips", 20, "ppc"}, {"mips", 40, "armeb"},
		{"arm64", 183, "arm64"}, {"arm64", 62, "x86_64"}, {"arm64", 243, "riscv64"}, {"arm64", 8, "mips64el"}, {"arm64", 999, ""},
	} {
		p := program(t, "arch "+c.from+"\nflags nx\nimport strcpy\n")
		if c.from == "mips" {
			binary.BigEndian.PutUint16(p[18:], c.machine)
		} else {
			binary.LittleEndian.PutUint16(p[18:], c.machine)
		}
		e := shape(t, p)
		if e.Arch != c.want || !slices.Contains(e.Risky, "strcpy") {
			t.Errorf("%s as machine %d: got %q, %v", c.from, c.machine, e.Arch, e.Risky)
		}
	}
}

// TestELFUnstated holds that what the bytes do not show is not said.
func TestELFUnstated(t *testing.T) {
	t.Parallel()
	small := shape(t, program(t, "arch arm\nflags nx\nimport strcpy puts\n"))
	if small.Canary.Stated() || small.Fortify.Stated() {
		t.Errorf("a small program without arrays: canary %v, fortify %v", small.Canary, small.Fortify)
	}
	other := shape(t, program(t, "arch arm\nflags nx\nneeded libevent.so.2\nimport puts\n"))
	if other.Network.Stated() {
		t.Error("a program with a library of its own may listen through it")
	}
	if e := shape(t, program(t, "arch arm\nflags nx\nimport puts\n")); e.Network.Or(true) {
		t.Error("a program with the C library alone that imports no listen does not listen")
	}
	if lib := shape(t, program(t, "arch arm\nsoname libx.so.1\n")); lib.PIE.Stated() || lib.Type != "library" {
		t.Errorf("a library: pie %v, type %q", lib.PIE, lib.Type)
	}
}

// TestELFLink holds what the linker left: RELRO, NX, PIE.
func TestELFLink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags   string
		pie, nx bool
		relro   string
	}{
		{"pie nx relro now", true, true, "full"},
		{"nx relro", false, true, "full"}, // no lazy binding table
		{"nx", false, true, "none"},
		{"pie", true, false, "none"},
	} {
		e := shape(t, program(t, "arch arm64\nflags "+c.flags+"\nimport puts\n"))
		if e.PIE != fact.Say(c.pie) || e.NX != fact.Say(c.nx) || e.RELRO != fact.Say(c.relro) {
			t.Errorf("%s: pie %v, nx %v, relro %v", c.flags, e.PIE, e.NX, e.RELRO)
		}
	}
}

// TestELFDamaged holds that no cut and no wrong number stops the reader.
func TestELFDamaged(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"arm", "arm64", "mips"} {
		p := program(t, "arch "+arch+"\nflags symbols debug relro\nimport strcpy system\ncontains \"cat /tmp/%s\"\n")
		for n := range p {
			traceOf(t, p[:n])
		}
		for i := range p {
			q := slices.Clone(p)
			q[i] ^= 0xff
			traceOf(t, q)
		}
	}
}

// TestShellCommand tells commands from messages.
func TestShellCommand(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"/sbin/ifconfig %s up":                   true,
		"iptables -A INPUT -s %s -j DROP":        true,
		"rm -rf /tmp/%s":                         true,
		"cd /tmp; tar xzf %s":                    false, // tar is no word here that begins the command
		"cp '%s' '%s'":                           true,
		"mount %s on %s":                         false,
		"mount: %s":                              false,
		"kill %s: no such process":               false,
		"ping %s failed":                         false,
		"echo %s":                                false,
		"echo %s > /proc/sys/kernel/hostname":    true,
		"/usr/share/%s":                          false,
		"/bin/echo %d":                           false,
		"wget http://%s/firmware.bin -O /tmp/fw": true,
		"Unable to open /dev/%s":                 false,
		"usage: ifconfig %s":                     false,
		"ip link set %s up":                      true,
		"test %s of %s":                          false,
		"find %s in the list":                    false,
		"/etc/init.d/%s restart":                 false,
		"/etc/init.d/network %s":                 true,
		"dd if=%s of=/dev/mtdblock3":             true,
		"sh -c '%s'":                             true,
		"sh %s":                                  false,
		"date %s is not valid":                   false,
		"date -s %s":                             true,
		"route add default gw %s":                true,
		"route %s":                               false,
		"sed is %s":                              false,
		"/opt/acme/bin/tool -x %s":               true,
		"/bin/sh: %s":                            false,
		"arp %s":                                 false,
		"modprobe %s":                            true,
	} {
		if got := shellCommand(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

// TestUnverified tells commands that do not check the peer.
func TestUnverified(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"curl -k https://a/b":                         true,
		"curl -sk https://a/b":                        true,
		"curl -s --insecure https://a/b":              true,
		"curl -o /tmp/x -k https://a":                 true,
		"curl -s https://a/b":                         false,
		"curl --key k.pem https://a":                  false,
		"curl -K conf":                                false,
		"wget -q --no-check-certificate https://a":    true,
		"wget https://a":                              false,
		"wget -q https://a | foo --no-check-certific": false,
	} {
		if got := unverified(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}
