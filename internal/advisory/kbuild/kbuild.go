// Package kbuild knows which options of its configuration bring which source files into a
// Linux kernel: with it a flaw in a file is held against the configuration of a kernel
// that is at hand. [Linux] gives the [Table], [Table.Absent] asks it.
//
// The table holds names only and is made from the Makefiles of one release by the command
// in the directory make. It never says that code is there, and that it is absent only
// where no way is left by which it could have been compiled.
package kbuild

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed linux.gz
var packed []byte

// Table is what the Makefiles of a release say.
type Table struct {
	release string               // 6.1
	dirs    map[string]directory // by path, without the slash at the end
}

type directory struct {
	ways  string // of getting there: "NET&IP_SCTP|..."
	files string // its lines: "\n name ways\n name ways\n"
}

// file gives the ways of a file, by its name without extension.
func (d directory) file(name string) (string, bool) {
	_, rest, ok := strings.Cut(d.files, "\n "+name+" ")
	ways, _, _ := strings.Cut(rest, "\n")
	return ways, ok && name != ""
}

// Kernel is what is known of a kernel that is at hand.
type Kernel struct {
	Version string            // 6.1.176
	Arches  []string          // arm, arm64, mips, x86_64 ...; none where not known
	Options map[string]string // without CONFIG_: y, m, n; nil where the configuration is not known
	Modules map[string]bool   // those in the image, with _ for -; nil where they are not known
}

var linux = sync.OnceValues(func() (*Table, error) { return read(packed) })

// Linux gives the table that is carried in the program.
func Linux() (*Table, error) { return linux() }

const tableAtMost = 8 << 20

func read(b []byte) (*Table, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("table of the kernel's files: %w", err)
	}
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(z, tableAtMost)); err != nil {
		return nil, fmt.Errorf("table of the kernel's files: %w", err)
	}
	return parse(text.String())
}

// parse finds the directories; the lines of their files are read when they are asked for.
func parse(text string) (*Table, error) {
	t := &Table{dirs: map[string]directory{}}
	head, rest, _ := strings.Cut(text, "\n")
	release, ok := strings.CutPrefix(head, "linux ")
	if !ok || release == "" || !strings.HasSuffix(text, "\n") {
		return nil, errors.New("table of the kernel's files: it is cut off, or none")
	}
	t.release = release
	for rest != "" {
		end := strings.IndexByte(rest, '\n')
		name, ways, ok := strings.Cut(rest[:end], "/ ")
		if !ok || rest[0] == ' ' {
			return nil, fmt.Errorf("table of the kernel's files: line %.100q", rest[:end])
		}
		rest = rest[end:] // with the end of the line before the first file
		next := 1
		for next < len(rest) && rest[next] == ' ' {
			next += strings.IndexByte(rest[next:], '\n') + 1
		}
		t.dirs[name] = directory{ways, rest[:next]}
		rest = rest[next:]
	}
	return t, nil
}

// Release is the release whose Makefiles the table is made of: 6.1.
func (t *Table) Release() string { return t.release }

// Same says whether the table is of the series of a version: 6.1.176 is of 6.1.
func (t *Table) Same(version string) bool {
	return version == t.release || strings.HasPrefix(version, t.release+".") || strings.HasPrefix(version, t.release+"-")
}

// arches are the directories of the processors.
var arches = map[string]string{
	"arm": "arm", "arm64": "arm64", "x86": "x86", "x86_64": "x86", "mips": "mips", "mipsel": "mips", "mips64": "mips", "mips64el": "mips", "ppc": "powerpc", "ppc64": "powerpc", "ppc64le": "powerpc",
	"riscv32": "riscv", "riscv64": "riscv", "s390": "s390", "s390x": "s390", "sparc": "sparc", "sparc64": "sparc", "sh": "sh", "m68k": "m68k", "microblaze": "microblaze", "nios2": "nios2", "xtensa": "xtensa", "arc": "arc",
	"loongarch64": "loongarch", "ia64": "ia64", "alpha": "alpha", "hppa": "parisc", "or1k": "openrisc", "csky": "csky",
}

// Absent says whether none of the source files can be in the kernel, and why: one reason
// for each file. Headers beside other files do not count, their code is where it is
// included. The answer is false where any file may be there, or where nothing is known.
func (t *Table) Absent(files []string, k *Kernel) (bool, []string) {
	sources := slices.DeleteFunc(slices.Clone(files), func(f string) bool {
		return strings.HasPrefix(f, "Documentation/") || strings.HasPrefix(f, "tools/") || strings.HasPrefix(f, "samples/")
	})
	isHeader := func(f string) bool { return strings.HasSuffix(f, ".h") || strings.HasPrefix(f, "include/") }
	if code := slices.DeleteFunc(slices.Clone(sources), isHeader); len(code) > 0 {
		sources = code
	}
	var reasons []string
	for _, f := range sources {
		why := t.absent(f, k)
		if why == "" {
			return false, nil
		}
		if !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
	}
	return len(reasons) > 0, reasons
}

// absent gives the reason why one file is not in the kernel, "" where it may be.
func (t *Table) absent(file string, k *Kernel) string {
	file = path.Clean(file)
	if rest, ok := strings.CutPrefix(file, "arch/"); ok && len(k.Arches) > 0 {
		arch, _, _ := strings.Cut(rest, "/")
		known := slices.Contains(k.Arches, arch)
		for _, a := range k.Arches {
			known = known || arches[a] == arch || arches[a] == ""
		}
		if !known && arch != "" && !strings.HasPrefix(arch, "K") {
			return fmt.Sprintf("%s is for another processor than %s", file, strings.Join(k.Arches, ", "))
		}
	}
	if k.Options == nil || strings.HasPrefix(file, "include/") || strings.HasPrefix(file, "lib/decompress") {
		return ""
	}
	dir, base := path.Split(file)
	dir = strings.TrimSuffix(dir, "/")
	d, ok := t.dirs[dir]
	for !ok && dir != "" {
		dir, _ = path.Split(dir)
		dir = strings.TrimSuffix(dir, "/")
		d, ok = t.dirs[dir]
		base = ""
	}
	if !ok {
		return ""
	}
	name := strings.TrimSuffix(base, path.Ext(base))
	ways, listed := d.file(name)
	if !listed || path.Ext(base) == ".h" {
		ways = "y"
	}
	reason := ""
	for there := range strings.SplitSeq(d.ways, "|") {
		for way := range strings.SplitSeq(ways, "|") {
			module, need, ok := strings.Cut(way, ":")
			if !ok {
				module, need = name, way
			}
			why := k.closed(there, need, module, t.Same(k.Version))
			if why == "" {
				return ""
			}
			if reason == "" {
				reason = file + " " + why
			}
		}
	}
	return reason
}

// closed says why one way into the kernel is closed, "" where it is open.
func (k *Kernel) closed(there, need, module string, same bool) string {
	loadable, sure := false, true
	for _, list := range []string{there, need} {
		for o := range strings.SplitSeq(list, "&") {
			if o == "" || o == "y" {
				continue
			}
			v, stated := k.Options[o]
			switch {
			case stated && v == "n":
				return "needs CONFIG_" + o + ", which is not set"
			case !stated && same:
				return "needs CONFIG_" + o + ", which the configuration does not have"
			case !stated:
				sure = false
			}
			loadable = loadable || v == "m" && list == need
		}
	}
	if loadable && sure && module != "" && k.Modules != nil && !k.Modules[strings.ReplaceAll(module, "-", "_")] {
		return "is in the module " + module + ", which is not in the image"
	}
	return ""
}
