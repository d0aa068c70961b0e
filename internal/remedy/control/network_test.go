package control_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/internal/remedy/control"
)

func writeFile(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }

// The test's own program, as a listener or a caller inside a network namespace.
const (
	listenWord = "VESALIUS_TEST_LISTEN" // addresses, with commas
	callWord   = "VESALIUS_TEST_CALL"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(listenWord) != "":
		for _, a := range strings.Split(os.Getenv(listenWord), ",") {
			l, err := net.Listen("tcp", a)
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = io.WriteString(c, "here\n")
					c.Close()
				}
			}()
		}
		fmt.Println("listening")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends it
	case os.Getenv(callWord) != "":
		c, err := net.DialTimeout("tcp", os.Getenv(callWord), 1500*time.Millisecond)
		if err != nil {
			fmt.Print("denied")
			return
		}
		_ = c.SetDeadline(time.Now().Add(1500 * time.Millisecond))
		b, _ := io.ReadAll(io.LimitReader(c, 16))
		fmt.Print(string(b))
	default:
		os.Exit(m.Run())
	}
}

// TestNetwork holds what the rule set is for, with real packets: between a ward, a gateway
// and a device in network namespaces, all is reached before it is loaded, and only what is
// allowed afterwards, in both directions.
func TestNetwork(t *testing.T) {
	if os.Getuid() != 0 {
		without(t, "network namespaces need root")
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			without(t, tool+" is not installed: .ci/setup installs it")
		}
	}
	tag := fmt.Sprintf("vsl%d", os.Getpid()%100000)
	ward, gate, dev := tag+"w", tag+"g", tag+"d"
	try := func(args ...string) ([]byte, error) {
		return exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	}
	must := func(args ...string) {
		t.Helper()
		if out, err := try(args...); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if out, err := try("ip", "netns", "add", ward); err != nil {
		without(t, "no network namespaces here: "+string(out))
	}
	t.Cleanup(func() {
		for _, n := range []string{ward, gate, dev} {
			_ = exec.Command("ip", "netns", "del", n).Run() //nolint:noctx // the test's context has ended
		}
	})
	must("ip", "netns", "add", gate)
	must("ip", "netns", "add", dev)
	for i, n := range []string{ward, dev} {
		inner, outer := "eth0", fmt.Sprintf("to%d", i)
		net := fmt.Sprintf("10.99.%d.", i)
		must("ip", "link", "add", outer, "netns", gate, "type", "veth", "peer", "name", inner, "netns", n)
		must("ip", "-n", n, "addr", "add", net+"2/24", "dev", inner)
		must("ip", "-n", gate, "addr", "add", net+"1/24", "dev", outer)
		must("ip", "-n", n, "link", "set", inner, "up")
		must("ip", "-n", n, "link", "set", "lo", "up")
		must("ip", "-n", gate, "link", "set", outer, "up")
		must("ip", "-n", n, "route", "add", "default", "via", net+"1")
	}
	must("ip", "-n", ward, "addr", "add", "10.99.0.3/24", "dev", "eth0") // a stranger on the ward's network
	must("ip", "netns", "exec", gate, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	listen := func(n, addresses string) {
		cmd := exec.CommandContext(t.Context(), "ip", "netns", "exec", n, self)
		cmd.Env = append(os.Environ(), listenWord+"="+addresses)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
		ready := make([]byte, 64)
		if k, _ := out.Read(ready); string(ready[:k]) != "listening\n" {
			t.Fatalf("listener in %s: %q", n, ready[:k])
		}
	}
	listen(dev, "10.99.1.2:443,10.99.1.2:23")
	listen(ward, "10.99.0.2:443,10.99.0.2:2049,10.99.0.3:443")
	reach := func(from, to string) bool {
		cmd := exec.CommandContext(t.Context(), "ip", "netns", "exec", from, self)
		cmd.Env = append(os.Environ(), callWord+"="+to)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("call from %s to %s: %v", from, to, err)
		}
		return string(out) == "here\n"
	}
	calls := []struct {
		from, to string
		after    bool
	}{
		{ward, "10.99.1.2:443", true},  // the design names it
		{ward, "10.99.1.2:23", false},  // it does not
		{dev, "10.99.0.2:443", true},   // the update server
		{dev, "10.99.0.2:2049", false}, // a port that nobody names
		{dev, "10.99.0.3:443", false},  // a host that nobody names
	}
	for _, c := range calls {
		if !reach(c.from, c.to) {
			t.Fatalf("before: %s is not reached from %s", c.to, c.from)
		}
	}

	s, err := control.Make(control.Input{Facts: pump(true), Device: addrs("10.99.1.2"), Partners: []control.Partner{
		{Name: "ward", Prefix: prefix("10.99.0.2/32")}, {Name: "update.example.com", Prefix: prefix("10.99.0.2/32")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.WriteNFT(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "device.nft")
	if err := writeFile(path, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	must("ip", "netns", "exec", gate, "nft", "-f", path)
	must("ip", "netns", "exec", gate, "nft", "-f", path) // twice is once
	for _, c := range calls {
		if got := reach(c.from, c.to); got != c.after {
			t.Errorf("after: %s from %s: reached %v, want %v\n%s", c.to, c.from, got, c.after, &b)
		}
	}
	// Who is no partner does not reach even what is allowed, and would without the rule set.
	must("ip", "-n", ward, "addr", "flush", "dev", "eth0")
	must("ip", "-n", ward, "addr", "add", "10.99.0.3/24", "dev", "eth0")
	must("ip", "-n", ward, "route", "replace", "default", "via", "10.99.0.1")
	if reach(ward, "10.99.1.2:443") {
		t.Errorf("a stranger reaches the device\n%s", &b)
	}
	must("ip", "netns", "exec", gate, "nft", "flush", "ruleset")
	if !reach(ward, "10.99.1.2:443") {
		t.Error("a stranger does not reach the device without the rule set either: nothing was shown")
	}
}

// without skips a test with the reason; in CI nothing may be left out.
func without(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
