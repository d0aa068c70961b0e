package format

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"github.com/vesalius-project/vesalius/internal/image"
)

// inPlace writes a container again in which parts are replaced where they lie: each new
// part may be shorter, and is then padded with zeros, but not longer than the old one.
func inPlace(w io.Writer, in *image.Input, parts []image.Part, c *image.Changes) error {
	if len(c.Edits) > 0 {
		return fmt.Errorf("%q: only its parts can be changed: %w", c.Edits[0].Path, image.ErrReadOnly)
	}
	at := int64(0)
	for _, i := range slices.SortedFunc(maps.Keys(c.Parts), func(a, b int) int { return cmp.Compare(parts[a].Offset, parts[b].Offset) }) {
		p, now := parts[i], c.Parts[i]
		if now.Size() > p.Blob.Size() {
			return fmt.Errorf("part %q: %d bytes, with room for %d: %w", p.Name, now.Size(), p.Blob.Size(), image.ErrReadOnly)
		}
		for _, b := range []*image.Blob{in.Slice(at, p.Offset-at), now} {
			if _, err := b.WriteTo(w); err != nil {
				return err
			}
		}
		if err := zeroFill(w, p.Blob.Size()-now.Size()); err != nil {
			return err
		}
		at = p.Offset + p.Blob.Size()
	}
	_, err := in.From(at).WriteTo(w)
	return err
}

// zeroFill writes n zeros.
func zeroFill(w io.Writer, n int64) error {
	zero := make([]byte, min(n, 64<<10))
	for n > 0 {
		k, err := w.Write(zero[:min(n, int64(len(zero)))])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

// inTable is the Rebuild of a partition table: its partitions lie where they lay.
func inTable(open func(*image.Input) (*image.Content, error)) func(io.Writer, *image.Input, *image.Changes) ([]string, error) {
	return func(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
		content, err := open(in)
		if err != nil {
			return nil, err
		}
		return nil, inPlace(w, in, content.Parts, c)
	}
}

// rebuildUImage writes a legacy image of one part again, with the checksums that are then
// right.
func rebuildUImage(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
	content, err := openUImage(in)
	if err != nil {
		return nil, err
	}
	data := c.Parts[0]
	if len(content.Parts) != 1 || len(content.Nodes) > 0 || len(c.Edits) > 0 || data == nil {
		return nil, fmt.Errorf("uImage of several files: %w", image.ErrReadOnly)
	}
	h, err := in.View(0, 64)
	if err != nil {
		return nil, err
	}
	h = bytes.Clone(h)
	sum := crc32.NewIEEE()
	if _, err := data.WriteTo(sum); err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(h[12:], uint32(data.Size()))
	binary.BigEndian.PutUint32(h[24:], sum.Sum32())
	clear(h[4:8])
	binary.BigEndian.PutUint32(h[4:], crc32.ChecksumIEEE(h))
	if _, err := w.Write(h); err != nil {
		return nil, err
	}
	_, err = data.WriteTo(w)
	return nil, err
}
