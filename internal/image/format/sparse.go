package format

import (
	"fmt"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

var sparse = &image.Format{
	Name:   "sparse",
	Title:  "Android sparse image",
	Class:  "encoding",
	Where:  "file systems of Android devices, as fastboot writes them",
	Spec:   "AOSP system/core/libsparse/sparse_format.h. Attributes: block_size, blocks, chunks, skipped (blocks that hold nothing)",
	Limits: "the checksum that a chunk may carry is not compared; an image split over several files is read file by file",
	Magic:  []image.Magic{{Offset: 0, Bytes: "\x3a\xff\x26\xed"}},
	Open:   openSparse,
}

// Types of chunks.
const (
	sparseRaw  = 0xcac1
	sparseFill = 0xcac2
	sparseSkip = 0xcac3
	sparseSum  = 0xcac4
)

func openSparse(in *image.Input) (*image.Content, error) {
	h, err := in.View(0, 28)
	if err != nil {
		return nil, image.ErrNot
	}
	head, chunkHead, block, chunks := int64(le16(h[8:])), int64(le16(h[10:])), int64(le32(h[12:])), le32(h[20:])
	if le16(h[4:]) != 1 || head < 28 || chunkHead < 12 || block == 0 || block%4 != 0 || block > 1<<26 {
		return nil, fmt.Errorf("version %d, blocks of %d bytes: %w", le16(h[4:]), block, image.ErrNot)
	}
	total := int64(le32(h[16:])) * block
	if err := in.Budget.Size(total); err != nil {
		return nil, err
	}
	if err := in.Budget.Expansion(in.Size(), total); err != nil {
		return nil, err
	}
	c := &image.Content{Attributes: map[string]string{
		"block_size": strconv.FormatInt(block, 10), "blocks": strconv.FormatInt(total/block, 10), "chunks": strconv.FormatUint(uint64(chunks), 10),
	}}
	damage := func(at int64, err error) {
		c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: at}, Reason: "damaged", Why: err.Error()})
	}
	var list []run
	at, to, skipped := head, int64(0), int64(0)
	for i := range chunks {
		p, err := in.View(at, min(chunkHead+4, max(in.Size()-at, 0)))
		if err != nil || int64(len(p)) < chunkHead {
			damage(at, fmt.Errorf("cut off: %d of %d chunks are there", i, chunks))
			break
		}
		size, data := int64(le32(p[4:]))*block, int64(le32(p[8:]))-chunkHead
		want := map[uint16]int64{sparseRaw: size, sparseFill: 4, sparseSkip: 0, sparseSum: 4}
		if n, ok := want[le16(p)]; !ok || n != data || size > total-to && le16(p) != sparseSum {
			damage(at, fmt.Errorf("chunk %d: type %#x, %d bytes for %d", i, le16(p), data, size))
			break
		}
		switch le16(p) {
		case sparseRaw:
			list = addRun(list, to, at+chunkHead, min(size, max(in.Size()-at-chunkHead, 0)))
			to += size
		case sparseFill:
			if int64(len(p)) >= chunkHead+4 {
				list = append(list, run{at: to, from: -1, size: size, fill: [4]byte(p[chunkHead:])})
			}
			to += size
		case sparseSkip:
			skipped += size / block
			to += size
		}
		if at += chunkHead + data; at > in.Size() {
			damage(in.Size(), fmt.Errorf("cut off in chunk %d of %d", i, chunks))
			at = in.Size()
			break
		}
	}
	if skipped > 0 {
		c.Attributes["skipped"] = strconv.FormatInt(skipped, 10)
	}
	if c.Size = at; to == 0 {
		return nil, fmt.Errorf("no chunk: %w", image.ErrNot)
	}
	if err := in.Budget.Bytes(to); err != nil { // nothing of it lies in memory, but all of it is read
		return nil, err
	}
	c.Parts = []image.Part{{Blob: blobOf(in.Blob, list, to)}}
	return c, nil
}
