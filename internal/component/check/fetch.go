package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fetch downloads and unpacks the listed packages of an architecture below dir, once, with
// a private root of apt, and returns what they are.
func fetch(ctx context.Context, dir, suite, arch string) ([]deb, error) {
	list := filepath.Join(dir, "packages.tsv")
	if b, err := os.ReadFile(list); err == nil {
		return readDebs(b), nil
	}
	debs := filepath.Join(dir, "debs")
	if err := download(ctx, dir, debs, suite, arch); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, f := range files {
		line, err := unpack(ctx, f, filepath.Join(dir, "root"))
		if err != nil {
			return nil, err
		}
		b.WriteString(line)
	}
	return readDebs(b.Bytes()), os.WriteFile(list, b.Bytes(), 0o644)
}

func readDebs(b []byte) []deb {
	var out []deb
	for line := range strings.Lines(string(b)) {
		w := strings.Split(strings.TrimSpace(line), "\t")
		if len(w) == 3 {
			out = append(out, deb{w[0], w[1], w[2]})
		}
	}
	return out
}

func download(ctx context.Context, dir, debs, suite, arch string) error {
	for _, d := range []string{"apt/lists/partial", "apt/cache/archives/partial", "debs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	sources, err := os.ReadFile("/etc/apt/sources.list.d/debian.sources")
	if err != nil {
		return fmt.Errorf("the sources of apt: %w", err)
	}
	text := string(sources)
	for _, s := range []string{"bullseye", "bookworm", "trixie"} {
		text = strings.ReplaceAll(text, s, suite)
	}
	if err := os.WriteFile(filepath.Join(dir, "apt/debian.sources"), []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "apt/status"), nil, 0o644); err != nil {
		return err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	options := []string{"-q"}
	for _, o := range []string{
		"Dir::State=" + abs + "/apt", "Dir::State::status=" + abs + "/apt/status", "Dir::State::lists=" + abs + "/apt/lists",
		"Dir::Cache=" + abs + "/apt/cache", "Dir::Etc::sourcelist=" + abs + "/apt/debian.sources", "Dir::Etc::sourceparts=" + abs + "/apt/none",
		"Dir::Etc::preferencesparts=" + abs + "/apt/none", "APT::Architecture=" + arch, "APT::Architectures=" + arch, "APT::Sandbox::User=root", "Acquire::Languages=none",
	} {
		options = append(options, "-o", o)
	}
	if err := command(ctx, "", "apt-get", append(options, "update")...); err != nil {
		return err
	}
	known, err := exec.CommandContext(ctx, "apt-cache", append(options[1:], "pkgnames")...).Output()
	if err != nil {
		return fmt.Errorf("apt-cache: %w", err)
	}
	there := map[string]bool{}
	for _, n := range strings.Fields(string(known)) {
		there[n] = true
	}
	var want []string
	for _, n := range words(packagesText) {
		switch {
		case there[n]:
			want = append(want, n)
		case there[n+"t64"]:
			want = append(want, n+"t64")
		}
	}
	for len(want) > 0 {
		n := min(50, len(want))
		if err := command(ctx, debs, "apt-get", append(append(options, "download"), want[:n]...)...); err != nil {
			return err
		}
		want = want[n:]
	}
	return nil
}

func command(ctx context.Context, dir, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out[max(0, len(out)-500):]))
	}
	return nil
}

// unpack adds a package to the tree and returns its line of the list.
func unpack(ctx context.Context, file, root string) (string, error) {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "dpkg-deb", "-f", file, "Package", "Source", "Version").Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	var d deb
	version := ""
	for line := range strings.Lines(string(out)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch k {
		case "Package":
			d.name = v
		case "Source":
			name, at, _ := strings.Cut(v, " ")
			d.source, d.version = name, strings.Trim(at, "()")
		case "Version":
			version = v
		}
	}
	if d.source == "" {
		d.source = d.name
	}
	if d.version == "" {
		d.version = version
	}
	pipe := fmt.Sprintf("dpkg-deb --fsys-tarfile %q | tar -x -C %q --keep-directory-symlink --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/info --exclude=./usr/share/locale --exclude=./usr/share/lintian --exclude=./usr/share/bug --exclude=./var/lib/dpkg", file, root)
	if err := command(ctx, "", "sh", "-c", pipe); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return d.name + "\t" + d.source + "\t" + d.version + "\n", nil
}
