package lzma

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
)

// plain is a content with code, text and noise: this very test program.
func plain(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return b[:min(len(b), 3<<20)]
}

func pack(t testing.TB, in []byte, args ...string) []byte {
	t.Helper()
	tool, err := exec.LookPath("xz")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("xz is not installed, and nothing is skipped in CI")
		}
		t.Skip("skipped: xz is not installed")
	}
	cmd := exec.CommandContext(t.Context(), tool, append([]string{"-c"}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("xz %q: %v", args, err)
	}
	return out
}

// TestXZ holds that what xz packs, with each filter and check, comes back, from memory and
// as a stream.
func TestXZ(t *testing.T) {
	t.Parallel()
	in := plain(t)
	for _, args := range [][]string{
		{"-0"}, {"-6"}, {"-9e"}, {"--check=none"}, {"--check=crc32"}, {"--check=sha256"}, {"--block-size=100000"},
		{"--x86", "--lzma2"}, {"--arm", "--lzma2"}, {"--armthumb", "--lzma2"}, {"--arm64", "--lzma2"}, {"--powerpc", "--lzma2"},
		{"--sparc", "--lzma2"}, {"--ia64", "--lzma2"}, {"--delta=dist=4", "--lzma2"}, {"--x86", "--delta=dist=1", "--lzma2"},
		{"--lzma2=lc=0,lp=4,pb=0"}, {"--lzma2=dict=4KiB,lc=4"},
	} {
		src := pack(t, in, args...)
		var d Decoder
		out, err := d.XZ(make([]byte, 0, len(in)), src, true)
		if err != nil || !bytes.Equal(out, in) {
			t.Errorf("%q: block: %v, equal %v", args, err, bytes.Equal(out, in))
		}
		x := NewXZ(bytes.NewReader(append(bytes.Clone(src), "trailing"...)))
		var b bytes.Buffer
		if _, err := io.Copy(&b, x); err != nil || !bytes.Equal(b.Bytes(), in) {
			t.Errorf("%q: stream: %v, equal %v", args, err, bytes.Equal(b.Bytes(), in))
		}
		if x.Size() != int64(len(src)) {
			t.Errorf("%q: size %d, want %d", args, x.Size(), len(src))
		}
		short := NewXZ(bytes.NewReader(src[:len(src)/2]))
		if _, err := io.Copy(io.Discard, short); !errors.Is(err, ErrShort) {
			t.Errorf("%q: half of it: %v, want %v", args, err, ErrShort)
		}
	}
}

// TestAlone holds the same of .lzma files, with a size and with an end marker.
func TestAlone(t *testing.T) {
	t.Parallel()
	in := plain(t)
	src := pack(t, in, "--format=lzma")
	sized := bytes.Clone(src)
	for i := range 8 {
		sized[5+i] = byte(len(in) >> (8 * i))
	}
	for name, src := range map[string][]byte{"marker": src, "size": sized} {
		var b bytes.Buffer
		n, err := Alone(&b, append(bytes.Clone(src), "trailing"...))
		if err != nil || !bytes.Equal(b.Bytes(), in) {
			t.Errorf("%s: %v, equal %v", name, err, bytes.Equal(b.Bytes(), in))
		}
		if name == "marker" && n != int64(len(src)) {
			t.Errorf("took %d bytes of %d", n, len(src))
		}
		if _, err := Alone(io.Discard, src[:len(src)/2]); !errors.Is(err, ErrShort) {
			t.Errorf("%s: half of it: %v", name, err)
		}
	}
}

// TestRaw holds that headerless data comes back by its properties alone.
func TestRaw(t *testing.T) {
	t.Parallel()
	in := plain(t)
	src := pack(t, in, "--format=raw", "--lzma1=lc=3,lp=0,pb=2")
	var d Decoder
	out, _, err := d.Raw(make([]byte, 0, len(in)), src, 3+9*(0+5*2))
	if err != nil || !bytes.Equal(out, in) {
		t.Errorf("%v, equal %v", err, bytes.Equal(out, in))
	}
}

func BenchmarkXZ(b *testing.B) {
	in := plain(b)
	src := pack(b, in, "-6")
	var d Decoder
	out := make([]byte, 0, len(in))
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := d.XZ(out, src, false); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzDecode holds that no input makes a decoder panic, run on, or exceed its output.
func FuzzDecode(f *testing.F) {
	in := []byte("the quick brown fox jumps over the lazy dog, the quick brown fox")
	for _, args := range [][]string{{"-0"}, {"--x86", "--lzma2"}, {"--format=lzma"}, {"--format=raw", "--lzma1"}} {
		f.Add(pack(f, in, args...))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var d Decoder
		if out, _ := d.XZ(make([]byte, 0, 1<<16), src, true); len(out) > 1<<16 {
			t.Fatal("too much output")
		}
		if out, _, _ := d.Raw(make([]byte, 0, 1<<16), src, 93); len(out) > 1<<16 {
			t.Fatal("too much output")
		}
		_, _ = io.CopyN(io.Discard, NewXZ(bytes.NewReader(src)), 1<<20)
		_, _ = Alone(&limited{1 << 20}, src)
	})
}

type limited struct{ left int }

func (w *limited) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, io.ErrShortWrite
	}
	w.left -= len(p)
	return len(p), nil
}
