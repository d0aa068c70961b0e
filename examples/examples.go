// Package examples builds replicas of medical devices from code: an infusion pump, a
// patient monitor, a programmer's gateway and a central station, each as a vulnerable and
// a fixed twin.
//
// A replica is realistic in its files, services and versions, and runs nowhere: its
// programs have headers, imports and texts, but no code. The weaknesses of the vulnerable
// twin are those of published advisories, numbered R01 to R38; each replica lists its own
// with the CWE and the places where they show ([Truth]). The fixed twin has none of them.
//
// [Build] makes the image in memory, in the containers that such a device has.
package examples

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/pack"
)

//go:embed replica/*.txtar
var replicas embed.FS

// Truth is one weakness that the vulnerable twin carries.
type Truth struct {
	Replica string   // R01 ...
	CWE     []int    // any of them names it
	Places  []string // paths, any of which shows it
}

// Replica is one device.
type Replica struct {
	Name  string
	About string
	Truth []Truth
	files []entry
}

// entry is one file of a replica.
type entry struct {
	twin string // both, vulnerable, fixed
	file pack.File
}

// made is the time of everything in a replica: 2024-03-01 00:00 UTC.
const made = 1709251200

// Names lists the replicas.
func Names() []string { return []string{"central", "gateway", "legacy", "monitor", "pump"} }

// Open reads the description of a replica.
func Open(name string) (*Replica, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("no replica %q: there are %s", name, strings.Join(Names(), ", "))
	}
	b, err := replicas.ReadFile("replica/" + name + ".txtar")
	if err != nil {
		return nil, err
	}
	r := &Replica{Name: name}
	head, rest, _ := strings.Cut("\n"+string(b), "\n-- ")
	for line := range strings.Lines(head) {
		if t, ok := strings.CutPrefix(strings.TrimSpace(line), "truth "); ok {
			truth, err := parseTruth(t)
			if err != nil {
				return nil, fmt.Errorf("replica %s: %w", name, err)
			}
			r.Truth = append(r.Truth, truth)
		} else {
			r.About = strings.TrimSpace(r.About + " " + strings.TrimSpace(line))
		}
	}
	for _, f := range strings.Split(rest, "\n-- ") {
		header, content, ok := strings.Cut(f, " --\n")
		if !ok {
			header, ok = strings.CutSuffix(strings.TrimRight(f, "\n"), " --")
		}
		if !ok {
			return nil, fmt.Errorf("replica %s: no header in %.60q", name, f)
		}
		e, err := parseEntry(header, content+"\n")
		if err != nil {
			return nil, fmt.Errorf("replica %s: %w", name, err)
		}
		r.files = append(r.files, e)
	}
	return r, nil
}

// parseTruth reads: R06 306,319 /etc/inittab,/other
func parseTruth(line string) (Truth, error) {
	w := strings.Fields(line)
	if len(w) != 3 {
		return Truth{}, fmt.Errorf("truth %q: want replica, weaknesses, places", line)
	}
	t := Truth{Replica: w[0], Places: strings.Split(w[2], ",")}
	for _, c := range strings.Split(w[1], ",") {
		n, err := strconv.Atoi(c)
		if err != nil {
			return t, fmt.Errorf("truth %q: %w", line, err)
		}
		t.CWE = append(t.CWE, n)
	}
	return t, nil
}

// parseEntry reads: both /path 0755 [elf|dropbear|dir] or both /path link, and the content.
func parseEntry(header, content string) (entry, error) {
	w := strings.Fields(header)
	if len(w) < 3 {
		return entry{}, fmt.Errorf("entry %q: want twin, path, mode", header)
	}
	e := entry{twin: w[0], file: pack.File{Path: w[1], MTime: made}}
	if w[2] == "link" {
		e.file.Kind, e.file.Mode, e.file.Target = image.Symlink, 0o777, strings.TrimSpace(content)
		return e, nil
	}
	mode, err := strconv.ParseUint(w[2], 8, 16)
	if err != nil {
		return e, fmt.Errorf("entry %q: %w", header, err)
	}
	e.file.Mode, e.file.Data = uint32(mode), []byte(content)
	if len(w) < 4 {
		return e, nil
	}
	switch w[3] {
	case "dir":
		e.file.Kind, e.file.Data = image.Dir, nil
	case "elf":
		if e.file.Data, err = Program(content); err != nil {
			return e, fmt.Errorf("%s: %w", w[1], err)
		}
		return e, nil
	case "dropbear":
		e.file.Data = dropbearKey()
	default:
		return e, fmt.Errorf("entry %q: unknown form %q", header, w[3])
	}
	return e, nil
}

// dropbearKey is an Ed25519 host key as dropbear stores it: the same in every unit, which
// is the point.
func dropbearKey() []byte {
	const kind = "ssh-ed25519"
	seed := sha256.Sum256([]byte("replica pump, one host key for all units"))
	pub := sha256.Sum256(seed[:])
	out := append([]byte{0, 0, 0, byte(len(kind))}, kind...)
	out = append(out, 0, 0, 0, 64)
	return append(append(out, seed[:]...), pub[:]...)
}

// Files returns the root file system of a twin.
func (r *Replica) Files(fixed bool) []pack.File {
	twin := "vulnerable"
	if fixed {
		twin = "fixed"
	}
	var out []pack.File
	for _, e := range r.files {
		if e.twin == "both" || e.twin == twin {
			out = append(out, e.file)
		}
	}
	for _, d := range []string{"/dev", "/proc", "/sys", "/tmp", "/data", "/mnt", "/root", "/var/log"} {
		mode := uint32(0o755)
		if d == "/tmp" {
			mode = 0o1777
		}
		out = append([]pack.File{{Path: d, Kind: image.Dir, Mode: mode, MTime: made}}, out...)
	}
	return append(out, pack.File{Path: "/dev/console", Kind: image.Char, Mode: 0o600, Major: 5, Minor: 1, MTime: made})
}

// Build makes the image of a twin, and its file name.
func (r *Replica) Build(fixed bool) (name string, data []byte, err error) {
	files := r.Files(fixed)
	name = r.Name
	if fixed {
		name += "-fixed"
	}
	switch r.Name {
	case "pump":
		data, err = buildPump(files, fixed)
		return name + ".bin", data, err
	case "monitor":
		data, err = buildMonitor(files)
		return name + ".img", data, err
	case "gateway":
		root, err := pack.Squashfs(files, 131072, made)
		if err != nil {
			return "", nil, err
		}
		kernel := pack.UImage("MIPS OpenWrt Linux-5.10.176", 5, 5, 2, 0, 0x80060000, made, kernel("5.10.176", "mips"))
		return name + ".ubi", pack.UBI([]pack.Volume{{Name: "kernel", Data: kernel}, {Name: "rootfs", Data: root}}, 131072, 2048), nil
	case "legacy":
		data, err = buildLegacy(files, fixed)
		return name + ".bin", data, err
	case "central":
		data, err = buildCentral(files)
		return name + ".tar", data, err
	}
	return "", nil, fmt.Errorf("replica %q has no builder", r.Name)
}

// buildPump lays out 16 MiB of NOR flash: U-Boot, its environment, kernel, root.
func buildPump(files []pack.File, fixed bool) ([]byte, error) {
	root, err := pack.Squashfs(files, 131072, made)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{
		"baudrate": "115200", "bootcmd": "sf probe; sf read 0x82000000 0x60000 0x200000; bootm 0x82000000", "bootdelay": "3",
		"bootargs": "console=ttyS0,115200 root=/dev/mtdblock4 rootfstype=squashfs", "ethaddr": "00:11:22:33:44:55",
		"stdin": "serial", "stdout": "serial", "stderr": "serial",
	}
	if fixed {
		vars["bootdelay"], vars["bootargs"] = "-2", "console=null root=/dev/mtdblock4 rootfstype=squashfs"
		vars["verify"] = "yes"
		delete(vars, "stdin")
		delete(vars, "stdout")
		delete(vars, "stderr")
	}
	env, err := pack.UBootEnv(vars, 0x10000)
	if err != nil {
		return nil, err
	}
	boot := append(bytes.Repeat([]byte{0x14, 0xf0, 0x9f, 0xe5}, 64), "U-Boot 2022.04 (Mar 01 2024 - 00:00:00 +0000)\x00"...)
	boot = append(boot, bytes.Repeat([]byte{0xe1, 0xa0, 0x00, 0x00, 0x12, 0x34, 0x07}, 3000)...)
	return pack.Flash(16<<20, map[int][]byte{
		0:        boot,
		0x50000:  env,
		0x60000:  pack.UImage("Linux-5.15.148", 5, 2, 2, 0, 0x80008000, made, kernel("5.15.148", "arm")),
		0x260000: root,
	})
}

// buildLegacy lays out 8 MiB of NOR flash: kernel, root.
func buildLegacy(files []pack.File, fixed bool) ([]byte, error) {
	root, err := pack.Squashfs(files, 131072, made)
	if err != nil {
		return nil, err
	}
	version := "3.2.68"
	if fixed {
		version = "6.12.30"
	}
	return pack.Flash(8<<20, map[int][]byte{
		0:        pack.UImage("Linux-"+version, 5, 2, 2, 0, 0x80008000, made, kernel(version, "arm")),
		0x200000: root,
	})
}

// kernel is what a kernel image shows to a reader: its version line, and noise.
func kernel(version, arch string) []byte {
	b := bytes.Repeat([]byte{0, 0, 0xa0, 0xe1, 0x5a, 0x13}, 2000)
	return fmt.Appendf(b, "\x00Linux version %s (build@replica) (%s-linux-gnu-gcc 12.3.0, GNU ld 2.40) #1 SMP Fri Mar 1 00:00:00 UTC 2024\n\x00%s", version, arch, b)
}

// buildMonitor makes a GPT disk: a boot partition of raw bytes that pads, the root, data.
func buildMonitor(files []pack.File) ([]byte, error) {
	root, err := pack.Ext4(files, 16<<20, "rootfs")
	if err != nil {
		return nil, err
	}
	data, err := pack.Ext4([]pack.File{{Path: "/provisioned", Kind: image.Dir, Mode: 0o700, MTime: made}}, 2<<20, "data")
	if err != nil {
		return nil, err
	}
	return pack.GPT([]pack.Partition{
		{Name: "kernel", Data: pack.UImage("Linux-5.15.124-yocto-standard", 5, 22, 2, 0, 0x80000, made, kernel("5.15.124-yocto-standard", "aarch64"))},
		{Name: "rootfs", Data: root}, {Name: "data", Data: data},
	}), nil
}

// buildCentral saves the tree as docker does: a manifest, a configuration, two layers.
func buildCentral(files []pack.File) ([]byte, error) {
	base, top := []pack.File{}, []pack.File{}
	for _, f := range files {
		if strings.HasPrefix(f.Path, "/etc/orthanc") || strings.HasPrefix(f.Path, "/etc/samba") || f.Path == "/etc/shadow" {
			top = append(top, f)
		} else {
			base = append(base, f)
		}
	}
	var out []pack.File
	var names, digests []string
	for _, layer := range [][]pack.File{base, top} {
		t, err := pack.Tar(layer)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(t)
		id := hex.EncodeToString(sum[:])
		names, digests = append(names, id+"/layer.tar"), append(digests, "sha256:"+id)
		out = append(out, pack.File{Path: "/" + id + "/layer.tar", Mode: 0o644, Data: t, MTime: made})
	}
	config, err := json.Marshal(map[string]any{
		"architecture": "arm64", "os": "linux", "created": "2024-03-01T00:00:00Z",
		"config": map[string]any{"Cmd": []string{"/sbin/init"}, "ExposedPorts": map[string]any{"445/tcp": map[string]any{}}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": digests},
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(config)
	name := hex.EncodeToString(sum[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{{"Config": name, "RepoTags": []string{"replica/central:3.2"}, "Layers": names}})
	if err != nil {
		return nil, err
	}
	return pack.Tar(append(out,
		pack.File{Path: "/" + name, Mode: 0o644, Data: config, MTime: made},
		pack.File{Path: "/manifest.json", Mode: 0o644, Data: manifest, MTime: made}))
}
