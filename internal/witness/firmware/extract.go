package firmware

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// Extract writes the files of the root below dir, into a directory named after its role,
// and a list of what each entry was beside it: owners, modes and devices are only in the
// list. It returns how many entries were written; what could not be is a gap.
//
// Nothing is written outside dir, whatever the names and links of the image say: no link
// is followed, links are written last, and their targets are turned to stay within the
// root. Nothing that runs with another's rights and no device is made.
func (r *Root) Extract(dir string) (int, []fact.Gap, error) {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return 0, nil, fmt.Errorf("extract: %w", err)
	}
	defer top.Close()
	name := strings.Map(func(c rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, c) || c < ' ' {
			return '_'
		}
		return c
	}, r.Role)
	if err := top.Mkdir(name, 0o755); err != nil {
		return 0, nil, fmt.Errorf("extract: %w", err)
	}
	root, err := top.OpenRoot(name)
	if err != nil {
		return 0, nil, fmt.Errorf("extract: %w", err)
	}
	defer root.Close()
	list, err := top.Create(name + ".list")
	if err != nil {
		return 0, nil, fmt.Errorf("extract: %w", err)
	}
	lines := bufio.NewWriter(list)
	var gaps []fact.Gap
	written := 0
	for _, links := range []bool{false, true} {
		for _, f := range r.Files() {
			if f.Node.Kind == image.Symlink != links || f.Path == "/" {
				continue
			}
			if err := extract(root, f); err != nil {
				gaps = append(gaps, fact.Gap{ID: fmt.Sprintf("X%d", len(gaps)+1), Root: r.Role, Place: f.Place(), Reason: "unreadable", Reservation: true,
					Why: "not extracted: " + err.Error(), Hides: []fact.Kind{}})
				continue
			}
			written++
		}
	}
	for _, f := range r.Files() {
		digest := "-"
		if f.Trace != nil {
			digest = f.Trace.SHA256
		}
		n := f.Node
		fmt.Fprintf(lines, "%s\t%04o\t%d\t%d\t%d\t%d:%d\t%s\t%q\t%q\n", n.Kind, n.Mode, n.UID, n.GID, n.Size, n.Major, n.Minor, digest, f.Path, n.Target)
	}
	return written, gaps, errors.Join(lines.Flush(), list.Close())
}

// extract writes one entry.
func extract(root *os.Root, f *File) error {
	rel := f.Path[1:]
	if parent := path.Dir(rel); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return cause(err)
		}
	}
	switch f.Node.Kind {
	case image.Dir:
		return cause(root.MkdirAll(rel, 0o755))
	case image.Symlink:
		return cause(root.Symlink(within(f.Path, f.Node.Target), rel))
	case image.File:
		if f.Node.Unreadable != "" {
			return errors.New(f.Node.Unreadable)
		}
		out, err := root.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(f.Node.Mode&0o755|0o600))
		if err != nil {
			return cause(err)
		}
		return errors.Join(image.Copy(out, f.Node), out.Close())
	default:
		return nil // devices, pipes and sockets stand in the list
	}
}

// within turns the target of a link so that it stays inside the root: relative, and with
// no more .. than there are directories above.
func within(at, target string) string {
	to := resolve(at, target)
	depth := strings.Count(path.Dir(at), "/")
	if path.Dir(at) == "/" {
		depth = 0
	}
	return path.Clean(strings.Repeat("../", depth) + "." + path.Clean("/"+to))
}

// cause is an error of the machine's file system without the machine's path.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
