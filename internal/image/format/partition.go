package format

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// slot is one entry of a partition table.
type slot struct {
	number     int // as Linux counts; 0 for what the table itself takes
	name       string
	kind       string
	attrs      map[string]string
	start, end int64 // bytes, end excluded
}

// partition makes parts of the entries of a table that takes the bytes before from, and
// unnamed ones of what no entry covers up to size: boot loaders and their settings often
// lie there. An entry that overlaps the one before is a gap: a table that leads into
// itself would never end.
func partition(in *image.Input, slots []slot, from, size int64) *image.Content {
	c := &image.Content{Size: min(size, in.Size()), Attributes: map[string]string{}}
	for i := range slots {
		s := &slots[i]
		if s.number == 0 {
			continue
		}
		key := "partition." + strconv.Itoa(s.number) + "."
		if s.name != "" {
			c.Attributes[key+"name"] = s.name
		} else {
			s.name = "p" + strconv.Itoa(s.number)
		}
		c.Attributes[key+"type"] = s.kind
		for k, v := range s.attrs {
			c.Attributes[key+k] = v
		}
	}
	slices.SortStableFunc(slots, func(a, b slot) int { return cmp.Compare(a.start, b.start) })
	gap := func(s slot, why string) {
		c.Gaps = append(c.Gaps, fact.Gap{Place: fact.Place{Offset: s.start}, Size: s.end - s.start, Reason: "damaged", Why: why})
	}
	at := from
	free := func(to int64) {
		if at < to {
			c.Parts = append(c.Parts, image.Part{Offset: at, Blob: in.Slice(at, to-at)})
		}
	}
	for _, s := range slots {
		switch {
		case s.number == 0:
			free(min(s.start, in.Size()))
			at = max(at, s.end)
			continue
		case s.start < at:
			gap(s, fmt.Sprintf("partition %d (%q) overlaps what lies before", s.number, s.name))
			continue
		case s.start >= in.Size():
			gap(s, fmt.Sprintf("partition %d (%q) begins at %#x, past the end %#x", s.number, s.name, s.start, in.Size()))
			continue
		case s.end > in.Size():
			gap(slot{start: in.Size(), end: s.end}, fmt.Sprintf("partition %d (%q) is cut off at %#x", s.number, s.name, in.Size()))
			s.end = in.Size()
		}
		free(s.start)
		c.Parts = append(c.Parts, image.Part{Name: s.name, Offset: s.start, Blob: in.Slice(s.start, s.end-s.start)})
		at = s.end
	}
	free(c.Size)
	return c
}
