package pack

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/image"
)

func sample() []File {
	files := []File{
		{Path: "/etc/passwd", Mode: 0o644, Data: []byte("root:x:0:0::/root:/bin/sh\n"), MTime: 1700000000},
		{Path: "/bin/sh", Kind: image.Symlink, Mode: 0o777, Target: "busybox"},
		{Path: "/bin/busybox", Mode: 0o4755, Data: bytes.Repeat([]byte("busybox 1.36.1 "), 20000)},
		{Path: "/dev/console", Kind: image.Char, Mode: 0o600, Major: 5, Minor: 1},
		{Path: "/dev/mtdblock2", Kind: image.Block, Mode: 0o660, GID: 6, Major: 31, Minor: 2},
		{Path: "/run/fifo", Kind: image.Fifo, Mode: 0o600},
		{Path: "/empty", Mode: 0o644},
		{Path: "/tmp", Kind: image.Dir, Mode: 0o1777},
	}
	for i := range 600 {
		files = append(files, File{Path: fmt.Sprintf("/many/file%03d", i), Mode: 0o600, UID: i % 3, Data: fmt.Appendf(nil, "content %d", i)})
	}
	return files
}

// need returns the path of a tool, or skips with the reason.
func need(t *testing.T, tool string) string {
	t.Helper()
	p, err := exec.LookPath(tool)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed, and nothing is skipped in CI", tool)
		}
		t.Skipf("skipped: %s is not installed", tool)
	}
	return p
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(p, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSquashfs holds that unsquashfs lists what was written and gives the contents back.
func TestSquashfs(t *testing.T) {
	t.Parallel()
	tool := need(t, "unsquashfs")
	data, err := Squashfs(sample(), 65536, 1700000000)
	if err != nil {
		t.Fatal(err)
	}
	img := write(t, data)
	out, err := exec.CommandContext(t.Context(), tool, "-lln", img).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"-rwsr-xr-x 0/0 300000 1970-01-01 00:00 squashfs-root/bin/busybox",
		"crw------- 0/0 5, 1", "brw-rw---- 0/6 31, 2", "drwxrwxrwt", "squashfs-root/bin/sh -> busybox", "many/file599",
	} {
		if !strings.Contains(strings.Join(strings.Fields(string(out)), " "), want) {
			t.Errorf("listing lacks %q:\n%s", want, out[:min(len(out), 1500)])
		}
	}
	dir := filepath.Join(t.TempDir(), "out")
	if out, err := exec.CommandContext(t.Context(), tool, "-no", "-ignore-errors", "-d", dir, img, "bin/busybox", "many/file123").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for path, want := range map[string][]byte{"bin/busybox": bytes.Repeat([]byte("busybox 1.36.1 "), 20000), "many/file123": []byte("content 123")} {
		got, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: content differs (%v)", path, err)
		}
	}
}

// TestExt4 holds that e2fsck finds nothing wrong and debugfs gives the contents back.
func TestExt4(t *testing.T) {
	t.Parallel()
	data, err := Ext4(sample(), 16<<20, "rootfs")
	if err != nil {
		t.Fatal(err)
	}
	img := write(t, data)
	if out, err := exec.CommandContext(t.Context(), need(t, "e2fsck"), "-fn", img).CombinedOutput(); err != nil {
		t.Fatalf("e2fsck: %v\n%s", err, out)
	}
	tool := need(t, "debugfs")
	for path, want := range map[string]string{"/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/many/file599": "content 599"} {
		out, err := exec.CommandContext(t.Context(), tool, "-R", "cat "+path, img).Output()
		if err != nil || string(out) != want {
			t.Errorf("%s: %q, want %q (%v)", path, out, want, err)
		}
	}
}

// TestDeterministic holds that the same files give the same bytes.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func() ([]byte, error){
		"squashfs": func() ([]byte, error) { return Squashfs(sample(), 131072, 1) },
		"ext4":     func() ([]byte, error) { return Ext4(sample(), 16<<20, "x") },
		"tar":      func() ([]byte, error) { return Tar(sample()) },
	} {
		a, err := f()
		if err != nil {
			t.Fatal(err)
		}
		b, err := f()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two runs differ", name)
		}
	}
}

// TestDisk holds that sgdisk accepts the partition table.
func TestDisk(t *testing.T) {
	t.Parallel()
	data := GPT([]Partition{{Name: "boot", Data: make([]byte, 1<<20)}, {Name: "rootfs", Data: make([]byte, 2<<20)}})
	out, err := exec.CommandContext(t.Context(), need(t, "sgdisk"), "-v", "-p", write(t, data)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No problems found") || !strings.Contains(string(out), "rootfs") {
		t.Errorf("sgdisk: %v\n%s", err, out)
	}
}

// TestUImage holds that mkimage accepts the header and its checksums.
func TestUImage(t *testing.T) {
	t.Parallel()
	data := UImage("Linux-5.10", 5, 2, 2, 0, 0x8000, 1700000000, []byte("payload"))
	out, err := exec.CommandContext(t.Context(), need(t, "mkimage"), "-l", write(t, data)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Linux-5.10") || !strings.Contains(string(out), "ARM Linux Kernel Image") {
		t.Errorf("mkimage: %v\n%s", err, out)
	}
}

// TestTooLarge holds that what does not fit is refused.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	big := []File{{Path: "/big", Data: make([]byte, 2<<20)}}
	if _, err := Ext4(big, 1<<20, ""); err == nil {
		t.Error("ext4: no error")
	}
	if _, err := UBootEnv(map[string]string{"a": strings.Repeat("x", 100)}, 64); err == nil {
		t.Error("u-boot environment: no error")
	}
	if _, err := Squashfs([]File{{Path: "/a/../b"}}, 131072, 0); err == nil {
		t.Error("squashfs: unclean path is accepted")
	}
}
