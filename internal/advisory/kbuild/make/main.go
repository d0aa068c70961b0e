// Command make writes linux.gz, the table of package kbuild, from the Makefiles of a
// kernel's source tree:
//
//	go run ./internal/advisory/kbuild/make TREE > internal/advisory/kbuild/linux.gz
//
// TREE needs no more than the files that are called Makefile or Kbuild. Only names of
// files, directories, options and modules are taken.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: make TREE > linux.gz")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// walker follows the directories that the build descends into.
type walker struct {
	root  *os.Root
	dirs  map[string]map[string]bool            // directory: conjunctions of options, from the top
	files map[string]map[string]map[string]bool // directory: file without .c: alternatives
	depth int
}

func write(w io.Writer, tree string) error {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return err
	}
	defer root.Close()
	k := &walker{root: root, dirs: map[string]map[string]bool{}, files: map[string]map[string]map[string]bool{}}
	release, err := k.release()
	if err != nil {
		return err
	}
	k.descend("", nil)
	arches, err := fsDirs(root, "arch")
	if err != nil {
		return err
	}
	for _, a := range arches { // the tree names one of them by a variable
		k.descend("arch/"+a, nil)
		for _, sub := range []string{"kernel", "mm", "lib", "kvm", "net", "crypto", "platform", "pci"} {
			if k.dirs["arch/"+a+"/"+sub] == nil && sub != "kvm" && sub != "net" && sub != "crypto" && sub != "pci" {
				k.descend("arch/"+a+"/"+sub, nil)
			}
		}
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(z)
	fmt.Fprintf(out, "linux %s\n", release)
	for _, dir := range keys(k.dirs) {
		fmt.Fprintf(out, "%s/ %s\n", dir, alternatives(k.dirs[dir]))
		for _, f := range keys(k.files[dir]) {
			fmt.Fprintf(out, " %s %s\n", f, alternatives(k.files[dir][f]))
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return z.Close()
}

// alternatives writes a set of ways; "y" alone where one of them needs nothing.
func alternatives(set map[string]bool) string {
	all := keys(set)
	if len(all) == 0 || set[""] || set["y"] {
		return "y"
	}
	return strings.Join(all, "|")
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func fsDirs(root *os.Root, dir string) ([]string, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range all {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, nil
}

var releaseLine = regexp.MustCompile(`(?m)^(VERSION|PATCHLEVEL) = (\d+)$`)

func (k *walker) release() (string, error) {
	b, err := k.read("Makefile")
	if err != nil {
		return "", err
	}
	var parts []string
	for _, m := range releaseLine.FindAllSubmatch(b, 2) {
		parts = append(parts, string(m[2]))
	}
	if len(parts) != 2 {
		return "", errors.New("the Makefile at the top states no version")
	}
	return strings.Join(parts, "."), nil
}

func (k *walker) read(name string) ([]byte, error) {
	f, err := k.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(io.LimitReader(f, 1<<20))
	return b.Bytes(), err
}

// object is one that a Makefile has linked or built.
type object struct {
	name string   // path without .o, from the top; a directory ends with a slash
	by   string   // the variable's head: obj, lib, or the name of a composite object
	need []string // options
}

// descend reads the Makefile of a directory that needs options from the top.
func (k *walker) descend(dir string, need []string) {
	conj := strings.Join(need, "&")
	if k.dirs[dir][conj] || k.depth > 40 {
		return
	}
	if k.dirs[dir] == nil {
		k.dirs[dir] = map[string]bool{}
	}
	k.dirs[dir][conj] = true
	b, err := k.read(path.Join(dir, "Kbuild"))
	if err != nil {
		if dir == "" {
			return
		}
		if b, err = k.read(path.Join(dir, "Makefile")); err != nil {
			return
		}
	}
	k.depth++
	defer func() { k.depth-- }()
	objects := k.parse(dir, string(b))
	composites := map[string]bool{}
	for _, o := range objects {
		if o.by != "obj" && o.by != "lib" && o.by != "" {
			composites[path.Join(dir, o.by)] = true
		}
	}
	for _, o := range objects {
		if o.by != "obj" && o.by != "lib" {
			continue
		}
		if sub, ok := strings.CutSuffix(o.name, "/"); ok {
			k.descend(sub, merge(need, o.need))
			continue
		}
		if !composites[o.name] {
			k.file(o.name, "", o.need)
			continue
		}
		for _, part := range objects {
			if part.by != "" && path.Join(dir, part.by) == o.name && !strings.HasSuffix(part.name, "/") {
				k.file(part.name, path.Base(o.name), merge(o.need, part.need))
			}
		}
	}
}

func merge(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// file notes a way in which a file comes into the kernel: "module:OPTION&OPTION".
func (k *walker) file(name, module string, need []string) {
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	way := strings.Join(need, "&")
	if way == "" {
		way = "y"
	} else if module != "" && module != base {
		way = module + ":" + way
	}
	if k.files[dir] == nil {
		k.files[dir] = map[string]map[string]bool{}
	}
	if k.files[dir][base] == nil {
		k.files[dir][base] = map[string]bool{}
	}
	k.files[dir][base][way] = true
}

var (
	assignment = regexp.MustCompile(`^([\w./-]+?)-(y|m|objs|\$\(CONFIG_(\w+)\)|\$\(subst m,y,\$\(CONFIG_(\w+)\)\)|\$\([^)]*\)|\$\(.*\))\s*(?:\+=|:=|=|\?=)\s*(.*)$`)
	isOn       = regexp.MustCompile(`^(?:ifdef\s+CONFIG_(\w+)|ifeq\s*\(\$\(CONFIG_(\w+)\),\s*[ym]\)|ifneq\s*\(\$\(CONFIG_(\w+)\),\s*n?\))\s*$`)
)

// parse lists the objects of a Makefile with the options that they need.
func (k *walker) parse(dir, text string) []object {
	var out []object
	var conditions []string // options; "" where a condition says something else
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "if"):
			option := ""
			if m := isOn.FindStringSubmatch(line); m != nil {
				option = m[1] + m[2] + m[3]
			}
			conditions = append(conditions, option)
			continue
		case strings.HasPrefix(line, "else"):
			if n := len(conditions); n > 0 {
				conditions[n-1] = ""
			}
			continue
		case strings.HasPrefix(line, "endif"):
			if n := len(conditions); n > 0 {
				conditions = conditions[:n-1]
			}
			continue
		}
		m := assignment.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var need []string
		for _, c := range append(slices.Clone(conditions), m[3]+m[4]) {
			if c != "" && !slices.Contains(need, c) {
				need = append(need, c)
			}
		}
		for word := range strings.FieldsSeq(m[5]) {
			if strings.Contains(word, "$") {
				continue
			}
			name, isObject := strings.CutSuffix(word, ".o")
			isDir := strings.HasSuffix(word, "/")
			if !isObject && !isDir {
				continue
			}
			full := path.Join(dir, name)
			if isDir {
				full += "/"
			}
			out = append(out, object{full, m[1], need})
		}
	}
	return out
}
