// Package budget bounds what one job may spend on an input that may be hostile.
//
// A [Budget] is charged by whoever produces bytes, files or layers; a charge that
// would pass a limit is refused with a [LimitError] and changes nothing. Limits are
// costs (bytes, files, depth), never seconds, so the same input always ends in the
// same place; the one exception, a deadline, is a context and belongs to the caller.
package budget

import (
	"fmt"
	"sync/atomic"
)

// Limits says how much one job may spend. A zero field means its default.
type Limits struct {
	Bytes    int64 // bytes produced by opening containers, all layers together
	Files    int64 // files, directories, links and nodes, all layers together
	FileSize int64 // bytes of one file or one decompressed stream
	Memory   int64 // bytes of one blob held in memory; larger ones go to the spill file
	Depth    int   // containers inside containers
	Ratio    int64 // bytes produced per byte of input of one stream, once past RatioFloor
	Tries    int64 // password trials, weighted by the cost of one md5crypt
}

// RatioFloor is the size up to which a stream may expand by any ratio: small
// inputs of zeros compress a thousandfold and harm nobody.
const RatioFloor = 64 << 20

// Defaults are the limits of a scan that was not told otherwise.
func Defaults() Limits {
	return Limits{
		Bytes:    16 << 30,
		Files:    5_000_000,
		FileSize: 16 << 30,
		Memory:   32 << 20,
		Depth:    16,
		Ratio:    800,
		Tries:    200_000,
	}
}

// LimitError says which limit would be passed and by whom.
type LimitError struct {
	Limit string // the field of Limits, as the command line names it
	Max   int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("over the limit of %d %s", e.Max, e.Limit)
}

// Budget is what is left for one job. It is safe for concurrent use.
type Budget struct {
	limits Limits
	bytes  atomic.Int64
	files  atomic.Int64
	tries  atomic.Int64
}

// New returns a budget with the limits; zero fields become the defaults.
func New(l Limits) *Budget {
	d := Defaults()
	for _, f := range []struct{ have, def *int64 }{
		{&l.Bytes, &d.Bytes}, {&l.Files, &d.Files}, {&l.FileSize, &d.FileSize},
		{&l.Memory, &d.Memory}, {&l.Ratio, &d.Ratio}, {&l.Tries, &d.Tries},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	if l.Depth == 0 {
		l.Depth = d.Depth
	}
	return &Budget{limits: l}
}

// Limits returns the limits in force.
func (b *Budget) Limits() Limits { return b.limits }

// Bytes charges n produced bytes.
func (b *Budget) Bytes(n int64) error {
	return charge(&b.bytes, n, b.limits.Bytes, "bytes")
}

// Files charges n entries of a tree.
func (b *Budget) Files(n int64) error {
	return charge(&b.files, n, b.limits.Files, "files")
}

// Tries charges up to n weighted password trials and returns how many of them may be made.
func (b *Budget) Tries(n int64) int64 {
	if n < 0 {
		panic("budget: negative charge")
	}
	left := b.limits.Tries - (b.tries.Add(n) - n)
	if left >= n {
		return n
	}
	granted := max(left, 0)
	b.tries.Add(granted - n)
	return granted
}

// Size asks whether a single file or stream may have n bytes. It charges nothing.
func (b *Budget) Size(n int64) error {
	if n < 0 || n > b.limits.FileSize {
		return &LimitError{"bytes in one file", b.limits.FileSize}
	}
	return nil
}

// Expansion asks whether in bytes of input may have become out bytes. It charges nothing.
func (b *Budget) Expansion(in, out int64) error {
	if out > RatioFloor && in >= 0 && out/max(in, 1) > b.limits.Ratio {
		return &LimitError{"times expansion", b.limits.Ratio}
	}
	return nil
}

// Depth asks whether a container may lie depth containers deep. It charges nothing.
func (b *Budget) Depth(depth int) error {
	if depth > b.limits.Depth {
		return &LimitError{"containers inside containers", int64(b.limits.Depth)}
	}
	return nil
}

// Spent returns the bytes and files charged so far.
func (b *Budget) Spent() (bytes, files int64) { return b.bytes.Load(), b.files.Load() }

func charge(c *atomic.Int64, n, limit int64, what string) error {
	if n < 0 {
		panic("budget: negative charge")
	}
	if c.Add(n) > limit {
		c.Add(-n)
		return &LimitError{what, limit}
	}
	return nil
}
