package format_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format"
)

// ignore is a visitor that looks at nothing.
type ignore struct{}

func (ignore) Layer(*image.Layer)                            {}
func (ignore) File(*image.Layer, []*image.Node, *image.Blob) {}
func (ignore) Region(*image.Layer, string, fact.Place, *image.Format, *image.Blob) string {
	return ""
}

func open(t *testing.T, b *image.Blob) *image.Image {
	t.Helper()
	im, err := image.Open(context.Background(), "image", b, ignore{}, image.Options{Formats: format.All(), Budget: budget.New(budget.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// layerOf returns the first layer of a format.
func layerOf(t *testing.T, im *image.Image, name string) *image.Layer {
	t.Helper()
	i := slices.IndexFunc(im.Layers, func(l *image.Layer) bool { return l.Format.Name == name })
	if i < 0 {
		t.Fatalf("no %s in it", name)
	}
	return im.Layers[i]
}

// listing says all of a tree but the times, one line an entry.
func listing(t *testing.T, l *image.Layer) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, n := range l.Nodes {
		s := fmt.Sprintf("%s %04o %d:%d %d:%d %q %v", n.Kind, n.Mode, n.UID, n.GID, n.Major, n.Minor, n.Target, n.XAttrs)
		if n.Kind == image.File {
			var b bytes.Buffer
			if err := image.Copy(&b, n); err != nil {
				t.Errorf("%s: %v", n.Path, err)
			}
			s += fmt.Sprintf(" %d %x", b.Len(), digest(b.Bytes()))
		}
		out[n.Path] = s
	}
	return out
}

func digest(p []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range p {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// edited is what a tree's listing must be after the edits of [someEdits].
func someEdits(l *image.Layer) (edits []image.Edit, want func(map[string]string)) {
	at := func(p string) image.Node {
		i := slices.IndexFunc(l.Nodes, func(n *image.Node) bool { return n.Path == p })
		return *l.Nodes[i]
	}
	passwd, tool, etc := at("/etc/passwd"), at("/bin/tool"), at("/etc")
	text := []byte("root:!:0:0::/root:/bin/sh\n")
	passwd.Data, passwd.Stream, passwd.Size = image.BytesBlob(text), nil, int64(len(text))
	tool.Mode = 0o700
	big := bytes.Repeat([]byte("a large new file "), 20000)
	edits = []image.Edit{
		{Path: "/etc/passwd", Node: &passwd},
		{Path: "/bin/tool", Node: &tool, Same: true},
		{Path: "/etc/secret", Node: nil},
		{Path: "/etc/new", Node: &image.Node{Path: "/etc/new", Kind: image.Dir, Mode: 0o755, MTime: etc.MTime}},
		{Path: "/etc/new/large", Node: &image.Node{Path: "/etc/new/large", Mode: 0o640, UID: 7, GID: 8, Size: int64(len(big)), Data: image.BytesBlob(big)}},
		{Path: "/etc/link", Node: &image.Node{Path: "/etc/link", Kind: image.Symlink, Mode: 0o777, Target: "/dev/null"}},
	}
	return edits, func(list map[string]string) {
		delete(list, "/etc/secret")
		list["/etc/passwd"] = fmt.Sprintf("file %04o %d:%d 0:0 \"\" %v %d %x", passwd.Mode, passwd.UID, passwd.GID, passwd.XAttrs, len(text), digest(text))
		list["/bin/tool"] = strings.Replace(list["/bin/tool"], "file 0755", "file 0700", 1)
		list["/etc/new"] = "directory 0755 0:0 0:0 \"\" map[]"
		list["/etc/new/large"] = fmt.Sprintf("file 0640 7:8 0:0 \"\" map[] %d %x", len(big), digest(big))
		list["/etc/link"] = "symlink 0777 0:0 0:0 \"/dev/null\" map[]"
	}
}

// sampleTree writes files of all kinds below dir.
func sampleTree(t *testing.T, dir string) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(r.Uint32()) & 0x3f
		}
		return p
	}
	put := func(name string, data []byte, mode os.FileMode) {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	put("etc/passwd", []byte("root:x:0:0::/root:/bin/sh\n"), 0o644)
	put("etc/secret", []byte("the word that must be gone: 8c1fe59ab2"), 0o600)
	put("bin/tool", noise(700_000), 0o755)
	put("bin/same", noise(300_001), 0o755)
	put("lib/sparse", make([]byte, 600_000), 0o644)
	put("lib/empty", nil, 0o644)
	for i := range 700 {
		put(fmt.Sprintf("share/d%d/f%03d", i%7, i), noise(i*5), 0o644)
	}
	for _, l := range [][2]string{{"passwd", "etc/alias"}, {"/bin/tool", "bin/link"}} {
		if err := os.Symlink(l[0], filepath.Join(dir, l[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "bin/same"), filepath.Join(dir, "bin/hard")); err != nil {
		t.Fatal(err)
	}
}

// rebuild makes the edits of [someEdits] in the layer of a format, holds that the result
// says what was asked for and that all else stays, and returns it.
func rebuild(t *testing.T, data []byte, name string) (after *image.Image, whole []byte) {
	t.Helper()
	before := image.BytesBlob(data)
	im := open(t, before)
	l := layerOf(t, im, name)
	want := listing(t, l)
	edits, change := someEdits(l)
	change(want)
	b, _, err := image.Rebuild(context.Background(), im, before, map[*image.Layer][]image.Edit{l: edits}, image.Options{Budget: budget.New(budget.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	after = open(t, b)
	if diff := cmp.Diff(want, listing(t, layerOf(t, after, name))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if whole, err = io.ReadAll(b.Reader()); err != nil {
		t.Fatal(err)
	}
	return after, whole
}

// TestRebuildSquashfs holds for each codec that an edited image says what was asked for,
// that all else stays, that what was removed is gone from the bytes, and that the usual
// tool reads it.
func TestRebuildSquashfs(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mksquashfs"); err != nil {
		t.Skip("mksquashfs is not installed: squashfs-tools")
	}
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	// In "plain" nothing is packed: what was removed would show in the bytes.
	for _, codec := range []string{"gzip", "xz", "lzo", "lz4", "zstd", "plain"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, codec+".sqfs")
			args := []string{filepath.Join(dir, "tree"), file, "-all-root", "-no-progress", "-quiet", "-comp", codec}
			if codec == "plain" {
				args = append(args[:len(args)-2], "-noI", "-noD", "-noF")
			}
			if out, err := exec.Command("mksquashfs", args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, all := rebuild(t, data, "squashfs")
			if bytes.Contains(all, []byte("8c1fe59ab2")) {
				t.Error("what was removed is still in the bytes")
			}
			after := filepath.Join(dir, codec+"-after.sqfs")
			if err := os.WriteFile(after, all, 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("unsquashfs", "-no-progress", "-d", filepath.Join(dir, codec), after).CombinedOutput(); err != nil {
				t.Fatalf("unsquashfs: %v: %s", err, out)
			}
			if out, err := exec.Command("diff", "-r", "--no-dereference", filepath.Join(dir, "tree"), filepath.Join(dir, codec)).CombinedOutput(); err == nil || strings.Count(string(out), "\n") > 8 {
				t.Errorf("trees differ by more than the edits: %s", out)
			}
			t.Logf("%s: %d bytes, %d after", codec, len(data), len(all))
		})
	}
}

// TestRebuildTar holds the same for archives, by tar itself.
func TestRebuildTar(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	for _, form := range []string{"gnu", "pax", "ustar"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, form+".tar")
			if out, err := exec.Command("tar", "-C", filepath.Join(dir, "tree"), "--format="+form, "--owner=0", "--group=0", "-cf", file, ".").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, all := rebuild(t, data, "tar")
			if bytes.Contains(all, []byte("8c1fe59ab2")) {
				t.Error("what was removed is still in the bytes")
			}
			after := filepath.Join(dir, form+"-after.tar")
			if err := os.WriteFile(after, all, 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("tar", "-tf", after).CombinedOutput(); err != nil || !strings.Contains(string(out), "etc/new/large") {
				t.Errorf("tar: %v: %.200s", err, out)
			}
		})
	}
}

// TestRebuildStreams holds that an archive inside a compressed stream is changed, and that
// the usual tool reads the stream.
func TestRebuildStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	if out, err := exec.Command("tar", "-C", filepath.Join(dir, "tree"), "--owner=0", "--group=0", "-cf", filepath.Join(dir, "x.tar"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct{ name, tool string }{{"gzip", "gzip"}, {"xz", "xz"}, {"lzma", "lzma"}, {"zstd", "zstd"}, {"lz4", "lz4"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.tool); err != nil {
				t.Skipf("%s is not installed", c.tool)
			}
			small, err := exec.Command(c.tool, "-c", filepath.Join(dir, "x.tar")).Output()
			if err != nil {
				t.Fatal(err)
			}
			_, all := rebuild(t, small, "tar")
			cmd := exec.Command(c.tool, "-dc")
			cmd.Stdin = bytes.NewReader(all)
			out, err := cmd.Output()
			if err != nil || bytes.Contains(out, []byte("8c1fe59ab2")) || !bytes.Contains(out, []byte("a large new file")) {
				t.Errorf("%s -dc: %v, %d bytes", c.tool, err, len(out))
			}
		})
	}
}

// TestRebuildUBI holds that a SquashFS in a volume of UBI is changed in the blocks that
// the volume has, static and dynamic.
func TestRebuildUBI(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"mksquashfs", "ubinize"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: squashfs-tools, mtd-utils", tool)
		}
	}
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	root := filepath.Join(dir, "root.sqfs")
	if out, err := exec.Command("mksquashfs", filepath.Join(dir, "tree"), root, "-comp", "zstd", "-all-root", "-no-progress", "-quiet").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, kind := range []string{"static", "dynamic"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			config, file := filepath.Join(dir, kind+".ini"), filepath.Join(dir, kind+".ubi")
			text := "[rootfs]\nmode=ubi\nimage=" + root + "\nvol_id=0\nvol_size=4MiB\nvol_type=" + kind + "\nvol_name=rootfs\n"
			if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("ubinize", "-p", "128KiB", "-m", "2048", "-o", file, config).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			after, all := rebuild(t, data, "squashfs")
			if len(after.Gaps) > 0 || len(all) != len(data) {
				t.Errorf("%d bytes, want %d; gaps %v", len(all), len(data), after.Gaps)
			}
		})
	}
}

// TestRebuildCpio holds the same for initial file systems, by cpio itself.
func TestRebuildCpio(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("cpio is not installed")
	}
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	sampleTree(t, tree)
	for _, form := range []string{"newc", "crc"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("sh", "-c", "find . | sort | cpio -o --quiet --reproducible -R 0:0 -H "+form)
			cmd.Dir = tree
			data, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			im := open(t, image.BytesBlob(data))
			l := layerOf(t, im, "cpio")
			want := listing(t, l)
			edits, change := someEdits(l)
			change(want)
			// The entry that has the content of a file with two names goes, and a directory.
			edits = append(edits, image.Edit{Path: "/bin/same"}, image.Edit{Path: "/share/d3"})
			for p := range want {
				if p == "/bin/same" || strings.HasPrefix(p, "/share/d3") {
					delete(want, p)
				}
			}
			b, _, err := image.Rebuild(context.Background(), im, image.BytesBlob(data), map[*image.Layer][]image.Edit{l: edits}, image.Options{Budget: budget.New(budget.Limits{})})
			if err != nil {
				t.Fatal(err)
			}
			after := open(t, b)
			if len(after.Gaps) > 0 {
				t.Errorf("gaps: %v", after.Gaps)
			}
			if diff := cmp.Diff(want, listing(t, layerOf(t, after, "cpio"))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			all, err := io.ReadAll(b.Reader())
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(all, []byte("8c1fe59ab2")) {
				t.Error("what was removed is still in the bytes")
			}
			if len(all)%512 != 0 {
				t.Errorf("%d bytes are no whole records", len(all))
			}
			out := filepath.Join(dir, form)
			if err := os.Mkdir(out, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"-i", "-d", "--quiet"}, {"-i", "--quiet", "--only-verify-crc"}} {
				if args[2] == "--only-verify-crc" && form != "crc" {
					continue
				}
				cmd = exec.Command("cpio", args...)
				cmd.Dir, cmd.Stdin = out, bytes.NewReader(all)
				if text, err := cmd.CombinedOutput(); err != nil || bytes.Contains(text, []byte("checksum")) {
					t.Fatalf("cpio %v: %v: %s", args, err, text)
				}
			}
			hard, err := os.ReadFile(filepath.Join(out, "bin/hard"))
			if err != nil || len(hard) != 300_001 {
				t.Errorf("cpio: %v, %d bytes", err, len(hard))
			}
		})
	}
}

// TestRebuildTRX holds that a part changes where it lies and that the checksum is right.
func TestRebuildTRX(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mksquashfs"); err != nil {
		t.Skip("mksquashfs is not installed: squashfs-tools")
	}
	dir := t.TempDir()
	sampleTree(t, filepath.Join(dir, "tree"))
	root := filepath.Join(dir, "root.sqfs")
	if out, err := exec.Command("mksquashfs", filepath.Join(dir, "tree"), root, "-all-root", "-no-progress", "-quiet").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	part, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	data := append(make([]byte, 64), part...)
	data = append(data, make([]byte, 64<<10)...)
	copy(data, "HDR0")
	data[14] = 1
	for i, v := range map[int]uint32{4: uint32(len(data)), 16: 64} {
		binary.LittleEndian.PutUint32(data[i:], v)
	}
	binary.LittleEndian.PutUint32(data[8:], ^crc32.ChecksumIEEE(data[12:]))
	im := open(t, image.BytesBlob(data))
	l := layerOf(t, im, "squashfs")
	if sum := layerOf(t, im, "trx").Attributes["checksum"]; sum != "right" {
		t.Fatalf("checksum %s before", sum)
	}
	want := listing(t, l)
	edits, change := someEdits(l)
	change(want)
	b, _, err := image.Rebuild(context.Background(), im, image.BytesBlob(data), map[*image.Layer][]image.Edit{l: edits}, image.Options{Budget: budget.New(budget.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	after := open(t, b)
	if sum := layerOf(t, after, "trx").Attributes["checksum"]; sum != "right" || b.Size() != int64(len(data)) {
		t.Errorf("checksum %s, %d bytes, want %d", sum, b.Size(), len(data))
	}
	if diff := cmp.Diff(want, listing(t, layerOf(t, after, "squashfs"))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
