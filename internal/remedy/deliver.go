package remedy

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/vesalius-project/vesalius/internal/image"
)

// Deliver writes into a directory what stands:
//
//	NAME            the image, written again; absent where it cannot be, which Result.NoImage says
//	changes.diff    every change of a text, and a line for every other change
//	overlay/ROOT/   the changed files, to be laid over the tree by Buildroot (BR2_ROOTFS_OVERLAY)
//	overlay/ROOT.sh what an overlay cannot say, as a post-build script: removals, modes, owners
//	yocto/          the same as a layer: a class that ROOTFS_POSTPROCESS_COMMAND calls
//	kernel.config   options of the kernel, as a fragment; absent where there are none
//	boot.env        variables of the boot loader to set or to unset; absent where there are none
//
// Nothing is written through a link, and nothing outside of it.
func (r *Result) Deliver(dir *os.Root, name string) error {
	if r.Image != nil {
		f, err := dir.Create(name)
		if err != nil {
			return err
		}
		if _, err := r.Image.WriteTo(f); err != nil {
			f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	var all bytes.Buffer
	var scripts []string
	for _, t := range r.Trees {
		if len(t.changes) == 0 {
			continue
		}
		if err := t.diff(&all); err != nil {
			return err
		}
		base := "overlay/" + fileName(t.Root.Role)
		if slices.Contains(scripts, base) {
			continue // the other slot of the same system
		}
		scripts = append(scripts, base)
		if err := t.overlay(dir, base); err != nil {
			return err
		}
	}
	if err := write(dir, "changes.diff", all.Bytes(), 0o644); err != nil {
		return err
	}
	if len(scripts) > 0 {
		if err := r.yocto(dir, scripts); err != nil {
			return err
		}
	}
	return r.Orders.deliver(dir)
}

// diff writes the changes as a unified difference; what is no text is a line.
func (t *Tree) diff(w *bytes.Buffer) error {
	for _, c := range t.sorted() {
		name := t.Root.Role + c.path
		if c.was != nil && c.node != nil {
			if was := c.was.Node; was.Mode != c.node.Mode || was.UID != c.node.UID || was.GID != c.node.GID {
				fmt.Fprintf(w, "%s: mode %04o owner %d:%d -> mode %04o owner %d:%d\n", name, was.Mode, was.UID, was.GID, c.node.Mode, c.node.UID, c.node.GID)
			}
			if was := c.was.Node; was.Kind == image.Symlink && c.node.Kind == image.Symlink {
				fmt.Fprintf(w, "%s: link to %q -> %q\n", name, was.Target, c.node.Target)
			}
		}
		var before []byte
		if c.was != nil && c.was.Node.Kind == image.File && !c.same && c.was.Node.Size <= MaxFile {
			var b bytes.Buffer
			if err := image.Copy(&b, c.was.Node); err != nil {
				return fmt.Errorf("%q: %w", c.path, err)
			}
			before = b.Bytes()
		}
		switch {
		case c.node == nil && c.was.Node.Kind != image.File:
			fmt.Fprintf(w, "%s: %s removed\n", name, c.was.Node.Kind)
		case c.node != nil && c.node.Kind == image.Symlink && (c.was == nil || c.was.Node.Kind != image.Symlink):
			fmt.Fprintf(w, "%s: made a link to %q\n", name, c.node.Target)
		case c.same || c.node != nil && c.node.Kind != image.File:
		case !utf8.Valid(before) || !utf8.Valid(c.data):
			fmt.Fprintf(w, "%s: %d bytes, no text -> %d bytes\n", name, len(before), len(c.data))
		default:
			w.Write(diff.Diff("a/"+name, before, "b/"+name, c.data))
		}
	}
	return nil
}

// overlay writes the changed files of a tree, and a script of what files cannot say.
func (t *Tree) overlay(dir *os.Root, base string) error {
	var script strings.Builder
	script.WriteString("#!/bin/sh\n# What an overlay cannot say. Called with the root of the target as its argument.\nset -eu\ncd \"$1\"\n")
	for _, c := range t.sorted() {
		rel := "." + c.path
		switch {
		case c.node == nil:
			fmt.Fprintf(&script, "rm -f -- %s\n", quote(rel))
		case c.node.Kind == image.Symlink:
			fmt.Fprintf(&script, "ln -sfn -- %s %s\n", quote(c.node.Target), quote(rel))
		default:
			if c.node.Kind == image.File && !c.same {
				if err := write(dir, base+c.path, c.data, fs.FileMode(c.node.Mode&0o777)); err != nil {
					return err
				}
			}
			if c.node.Kind == image.Dir {
				fmt.Fprintf(&script, "mkdir -p -- %s\n", quote(rel))
			}
			fmt.Fprintf(&script, "chmod %04o -- %s\n", c.node.Mode, quote(rel))
			if c.was == nil && (c.node.UID != 0 || c.node.GID != 0) || c.was != nil && (c.was.Node.UID != c.node.UID || c.was.Node.GID != c.node.GID) {
				fmt.Fprintf(&script, "chown %d:%d -- %s\n", c.node.UID, c.node.GID, quote(rel))
			}
		}
	}
	return write(dir, base+".sh", []byte(script.String()), 0o755)
}

// yocto writes a layer that lays the overlays over the root file system of an image.
func (r *Result) yocto(dir *os.Root, overlays []string) error {
	var class strings.Builder
	class.WriteString("# Lays what was mended over the root file system: inherit vesalius-fix in the image recipe.\n" +
		"ROOTFS_POSTPROCESS_COMMAND += \"vesalius_fix;\"\n\nvesalius_fix() {\n")
	for _, o := range overlays {
		if path.Base(o) != "system" {
			continue // other roots are images of their own recipes
		}
		fmt.Fprintf(&class, "\tif [ -d ${VESALIUS_FIX_DIR}/%[1]s ]; then cp -a ${VESALIUS_FIX_DIR}/%[1]s/. ${IMAGE_ROOTFS}/; fi\n\tsh ${VESALIUS_FIX_DIR}/%[1]s.sh ${IMAGE_ROOTFS}\n", o)
	}
	class.WriteString("}\n")
	conf := "BBPATH .= \":${LAYERDIR}\"\nBBFILE_COLLECTIONS += \"vesalius-fix\"\nBBFILE_PATTERN_vesalius-fix = \"^${LAYERDIR}/\"\n" +
		"LAYERSERIES_COMPAT_vesalius-fix = \"${LAYERSERIES_CORENAMES}\"\n# The directory that holds overlay/, as it was delivered.\nVESALIUS_FIX_DIR = \"${LAYERDIR}/..\"\n"
	if err := write(dir, "yocto/conf/layer.conf", []byte(conf), 0o644); err != nil {
		return err
	}
	return write(dir, "yocto/classes/vesalius-fix.bbclass", []byte(class.String()), 0o644)
}

// deliver writes the orders, sorted.
func (o *Orders) deliver(dir *os.Root) error {
	var kernel, boot strings.Builder
	for _, k := range slices.Sorted(maps.Keys(o.Kernel)) {
		if o.Kernel[k] == "n" {
			fmt.Fprintf(&kernel, "# %s is not set\n", k)
			continue
		}
		fmt.Fprintf(&kernel, "%s=%s\n", k, o.Kernel[k])
	}
	for _, k := range slices.Sorted(maps.Keys(o.Boot)) {
		fmt.Fprintf(&boot, "%s=%s\n", k, o.Boot[k])
	}
	for name, text := range map[string]string{"kernel.config": kernel.String(), "boot.env": boot.String()} {
		if text == "" {
			continue
		}
		if err := write(dir, name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file below the directory, with the directories above it.
func write(dir *os.Root, name string, data []byte, mode fs.FileMode) error {
	if parent := path.Dir(name); parent != "." {
		if err := dir.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// quote writes a word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// fileName makes a file name of a root's role.
func fileName(role string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, c) || c < ' ' {
			return '_'
		}
		return c
	}, role)
}
