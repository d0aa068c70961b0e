package format

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/vesalius-project/vesalius/internal/image"
)

// rebuildUBI writes volumes again in the erase blocks that they have: what a volume no
// longer needs is erased, and one that needs more blocks than it has is refused.
func rebuildUBI(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
	h, err := in.View(0, ubiHeader)
	if err != nil {
		return nil, err
	}
	ec, ok := ubiReadEC(h)
	if !ok {
		return nil, image.ErrNot
	}
	u := newUBI(in, ec)
	if _, err := u.open(); err != nil {
		return nil, err
	}
	if len(u.parts) == 0 || len(c.Edits) > 0 {
		return nil, fmt.Errorf("a dump with the spare bytes of its pages: %w", image.ErrReadOnly)
	}
	type piece struct {
		at   int64
		data []byte
	}
	var pieces []piece
	for i, now := range c.Parts {
		v := u.parts[i]
		used := (now.Size() + u.leb - 1) / u.leb
		if used > int64(len(v.blocks)) {
			return nil, fmt.Errorf("volume of %d blocks, with %d needed: %w", len(v.blocks), used, image.ErrReadOnly)
		}
		for n, b := range v.blocks {
			if int64(b.lnum) != int64(n) {
				return nil, fmt.Errorf("volume with block %d unmapped: %w", n, image.ErrReadOnly)
			}
			data, err := now.View(min(int64(n)*u.leb, now.Size()), max(0, min(u.leb, now.Size()-int64(n)*u.leb)))
			if err != nil {
				return nil, err
			}
			block, err := u.rewritten(b, v.static, data, uint32(used))
			if err != nil {
				return nil, err
			}
			pieces = append(pieces, piece{b.at - u.ec.data + u.ec.vid, block})
		}
	}
	slices.SortFunc(pieces, func(a, b piece) int { return cmp.Compare(a.at, b.at) })
	at := int64(0)
	for _, p := range pieces {
		if _, err := in.Slice(at, p.at-at).WriteTo(w); err != nil {
			return nil, err
		}
		if _, err := w.Write(p.data); err != nil {
			return nil, err
		}
		at = p.at + int64(len(p.data))
	}
	var notes []string
	if u.superseded > 0 {
		notes = append(notes, fmt.Sprintf("%d older copies of blocks are left as they were: they still hold what was removed", u.superseded))
	}
	_, err = in.From(at).WriteTo(w)
	return notes, err
}

// rewritten gives an erase block from its volume header on, with new data; a block without
// data is erased.
func (u *ubiFS) rewritten(b ubiBlock, static bool, data []byte, used uint32) ([]byte, error) {
	start := b.at - u.ec.data + u.ec.vid
	size := min(u.peb-u.ec.vid, u.in.Size()-start)
	if size < u.ec.data-u.ec.vid+int64(len(data)) {
		return nil, errors.New("erase block is cut off")
	}
	out := bytes.Repeat([]byte{0xff}, int(size))
	if len(data) == 0 {
		return out, nil
	}
	h, err := u.in.View(start, ubiHeader)
	if err != nil {
		return nil, err
	}
	copy(out, h)
	out[6] = 0 // it is no copy any more
	set := func(off int, v uint32) { binary.BigEndian.PutUint32(out[off:], v) }
	set(20, 0)
	set(32, 0)
	if static {
		set(20, uint32(len(data)))
		set(24, used)
		set(32, ubiSum(data))
	}
	set(60, ubiSum(out[:60]))
	copy(out[u.ec.data-u.ec.vid:], data)
	return out, nil
}
