package image

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Tree reads a directory of the machine as the nodes of a file system: what [OpenTree]
// takes. Links are not followed, contents are read when they are asked for, and what
// cannot be listed is a gap. A directory that cannot be read at all is an error.
func Tree(dir string) ([]*Node, []fact.Gap, error) {
	var nodes []*Node
	var gaps []fact.Gap
	inodes := map[[2]uint64]uint64{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(dir, p)
		if relErr != nil {
			return relErr
		}
		name := "/" + filepath.ToSlash(rel)
		if rel == "." {
			name = "/"
		}
		if err != nil {
			if rel == "." {
				return err
			}
			gaps = append(gaps, fact.Gap{Place: fact.Place{Path: name}, Reason: "unreadable", Why: plain(err)})
			return nil
		}
		info, err := d.Info()
		if err != nil {
			gaps = append(gaps, fact.Gap{Place: fact.Place{Path: name}, Reason: "unreadable", Why: plain(err)})
			return nil
		}
		n := &Node{Path: name, Mode: uint32(info.Mode().Perm()), MTime: info.ModTime().Unix()}
		for _, bit := range []struct {
			mode fs.FileMode
			unix uint32
		}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}} {
			if info.Mode()&bit.mode != 0 {
				n.Mode |= bit.unix
			}
		}
		id, links := owner(info, n)
		switch m := info.Mode(); {
		case m.IsDir():
			n.Kind = Dir
		case m&fs.ModeSymlink != 0:
			n.Kind = Symlink
			if n.Target, err = os.Readlink(p); err != nil {
				n.Unreadable = plain(err)
			}
			n.Size = int64(len(n.Target))
		case m&fs.ModeCharDevice != 0:
			n.Kind = Char
		case m&fs.ModeDevice != 0:
			n.Kind = Block
		case m&fs.ModeNamedPipe != 0:
			n.Kind = Fifo
		case m&fs.ModeSocket != 0:
			n.Kind = Socket
		default:
			n.Size = info.Size()
			if n.Size > treeHeld {
				n.Data = ReaderBlob(byPath(p), n.Size)
			} else {
				n.Stream = func(w io.Writer) error { return copyFile(w, p) }
			}
			if links > 1 {
				if _, ok := inodes[id]; !ok {
					inodes[id] = uint64(len(inodes) + 1)
				}
				n.Inode = inodes[id]
			}
		}
		nodes = append(nodes, n)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%q: %s", dir, plain(err))
	}
	return nodes, gaps, nil
}

// treeHeld is the size up to which a file is read at once; larger ones are read where they
// lie.
const treeHeld = 8 << 20

// byPath reads a file that is open only while it is read: a tree may have many.
type byPath string

func (p byPath) ReadAt(b []byte, off int64) (int, error) {
	f, err := os.Open(string(p))
	if err != nil {
		return 0, fmt.Errorf("%s", plain(err))
	}
	defer f.Close()
	return f.ReadAt(b, off)
}

// copyFile writes a file's content. A file that grows while it is read is cut by its
// reader, one that shrinks or vanishes is an error.
func copyFile(w io.Writer, p string) error {
	f, err := os.Open(p)
	if err != nil {
		return fmt.Errorf("%s", plain(err))
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// plain is the cause of a file system's error without the machine's path.
func plain(err error) string {
	if e, ok := err.(*fs.PathError); ok { //nolint:errorlint // the outermost names the path
		return e.Err.Error()
	}
	return err.Error()
}
