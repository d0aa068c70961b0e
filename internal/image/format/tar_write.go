package format

import (
	stdtar "archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/image"
)

// rebuildTar writes an archive again: entries that stay are copied as the bytes they are,
// in their order; new ones stand at the end. An entry that holds a changed file is written
// anew where it stood.
func rebuildTar(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
	t := newTarReader(in)
	t.keep = true
	content, err := t.read()
	if err != nil {
		return nil, err
	}
	if len(content.Gaps) > 0 {
		return nil, fmt.Errorf("damaged: %s: %w", content.Gaps[0].Why, image.ErrReadOnly)
	}
	edits, last := map[string]image.Edit{}, map[string]int{}
	for _, e := range c.Edits {
		edits[e.Path] = e
	}
	for i, s := range t.spans {
		last[s.node.Path] = i
	}
	end := int64(0)
	for i, s := range t.spans {
		if _, err := in.Slice(end, s.start-end).WriteTo(w); err != nil { // global headers, labels
			return nil, err
		}
		end = s.end
		e, edited := edits[s.node.Path]
		target, linked := edits[s.link]
		switch {
		case edited && last[s.node.Path] != i:
			continue // a later entry of the path takes its place
		case edited && e.Node == nil:
			continue
		case edited:
			n := *e.Node
			if e.Same {
				n.Data, n.Stream, n.Size = s.node.Data, s.node.Stream, s.node.Size
			}
			err = tarEntry(w, &n, s.node.Path)
		case s.link != "" && linked && !target.Same:
			// The file that it is another name of changes or goes; this one stays as it was.
			err = tarEntry(w, s.node, s.node.Path)
		default:
			_, err = in.Slice(s.start, s.end-s.start).WriteTo(w)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(edits)) {
		if _, there := last[p]; there || edits[p].Node == nil {
			continue
		}
		if err := tarEntry(w, edits[p].Node, p); err != nil {
			return nil, err
		}
	}
	if err := zeroFill(w, 2*tarBlock); err != nil {
		return nil, err
	}
	return nil, nil
}

// tarEntry writes one entry, in the form that it needs.
func tarEntry(w io.Writer, n *image.Node, path string) error {
	h := &stdtar.Header{
		Name: strings.TrimPrefix(path, "/"), Mode: int64(n.Mode), Uid: n.UID, Gid: n.GID, ModTime: time.Unix(n.MTime, 0), Size: n.Size,
		Devmajor: int64(n.Major), Devminor: int64(n.Minor),
	}
	if path == "/" {
		h.Name = "./"
	}
	for k, v := range n.XAttrs {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["SCHILY.xattr."+k] = v
	}
	switch n.Kind {
	case image.File:
		h.Typeflag = stdtar.TypeReg
	case image.Dir:
		h.Typeflag, h.Size = stdtar.TypeDir, 0
		h.Name = strings.TrimSuffix(h.Name, "/") + "/"
	case image.Symlink:
		h.Typeflag, h.Linkname, h.Size = stdtar.TypeSymlink, n.Target, 0
	case image.Char:
		h.Typeflag, h.Size = stdtar.TypeChar, 0
	case image.Block:
		h.Typeflag, h.Size = stdtar.TypeBlock, 0
	case image.Fifo:
		h.Typeflag, h.Size = stdtar.TypeFifo, 0
	case image.Socket:
		return fmt.Errorf("%q: a socket has no place in an archive: %w", path, image.ErrReadOnly)
	}
	var head bytes.Buffer
	tw := stdtar.NewWriter(&head)
	if err := tw.WriteHeader(h); err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	if h.Size == 0 {
		return nil
	}
	if err := image.Copy(w, n); err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	return zeroFill(w, -h.Size&(tarBlock-1))
}
