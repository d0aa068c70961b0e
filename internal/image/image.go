// Package image opens bytes as one tree of files, recursively.
//
// [Open] takes an input (a [Blob], or a directory) and a list of formats. It carves the
// input: each region is a recognised [Format], padding, or a [fact.Gap] with the reason.
// What a format holds (files, partitions, a decompressed stream) is opened in turn. Every
// container that was opened is a [Layer]; its files are [Node]s. Contents are streamed
// once, on all cores, to a [Visitor].
//
// The package never executes, follows or writes anything; names and links are kept as the
// image has them. It knows no format: package format does.
package image

import (
	"context"
	"hash"
	"io"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// Format is one kind of container. It is a value: recognition, documentation and opener.
type Format struct {
	Name   string // as it stands in places: squashfs, ubi, gzip
	Title  string // SquashFS 4.0
	Class  string // filesystem, archive, compression, partition, boot, executable, encoding
	Where  string // which devices carry it
	Spec   string // where the format is defined
	Limits string // what of it is not read; empty when all is

	// Magic lists what tells the format, any of them. A format without magic is tried at
	// the start of an input, part or file only, one whose magics are all Anywhere there
	// as well.
	Magic []Magic

	// Weak says that the magic is so short that it is believed only at the start of an
	// input, a part or a file, not in the middle of unknown bytes.
	Weak bool

	// Leaf says that it holds nothing to open (ELF, PE): the region is one file.
	Leaf bool

	// Locate returns where the format starts whose magic with the offset Anywhere was
	// seen at the given offset of b, or -1. Nil where no magic is Anywhere.
	Locate func(b *Blob, at int64) int64

	// Open reads the format from the start of in. It returns [ErrNot] (perhaps wrapped)
	// when the bytes are not of the format after all; any other error means that they
	// are and that nothing of them could be read: the region becomes a gap with that
	// reason (see [ErrUnsupported]). What is damaged in parts returns the readable parts, with Gaps.
	// Open reads headers and lists only: contents are read through Node and Part.
	Open func(in *Input) (*Content, error)

	// Rebuild writes the format again with changes; nil where that cannot be done. It
	// returns what a person should know: what could not stay as it was. An error that is
	// ErrReadOnly says that the reader knows more than the writer.
	Rebuild func(w io.Writer, in *Input, c *Changes) (notes []string, err error)
}

// Magic is bytes at an offset from the start of the format. The offset [Anywhere] means
// that they lie somewhere inside and that the format's Locate finds the start.
type Magic struct {
	Offset int64
	Bytes  string
}

// Anywhere is the offset of a magic that does not lie at a fixed distance from the start.
const Anywhere = -1

// Input is what a format opens.
type Input struct {
	*Blob  // from the first byte of the format to the end of what holds it
	Budget *budget.Budget
	Name   string // base name of the file or part it is, for formats that have no magic; may be empty
}

// Content is what a format holds.
type Content struct {
	// Size is how many bytes of the input belong to the format, from its start. It is 0
	// where the only part has Measure, which finds it.
	Size int64

	// Nodes are the files of a file system or archive, in the container's order; names
	// that occur twice are kept (the last is the effective one).
	Nodes []*Node

	// Parts are regions that hold something further: a partition, a volume, the image of
	// a FIT, the decompressed stream. Each is carved in turn.
	Parts []Part

	// Attributes are what the header says: os, arch, load, label, uuid, compression.
	Attributes map[string]string

	// Gaps are what could not be read. Place.Offset is relative to the start of the
	// format, Place.Path the file concerned, if any; the engine completes both.
	Gaps []fact.Gap
}

// Part is a region of a container that is opened in turn. Exactly one of Blob, Stream and
// Measure is set.
type Part struct {
	Name   string // partition label, volume or image name; may be empty
	Offset int64  // where it lies in the container, for its place
	Blob   *Blob
	Stream func(io.Writer) error // writes the bytes of a compressed or encoded part
	Hint   int64                 // expected size of what Stream or Measure write, 0 where unknown
	Input  int64                 // bytes of input that Stream reads, 0 where unknown

	// Measure is the Stream of a format that says nowhere how long it is (gzip): only
	// decompressing it shows its end. It keeps size at the number of bytes of the
	// container that it has read, and leaves it at those that belong to the format. The
	// engine runs it once, before it looks at what follows the container; an error that
	// is ErrNot says that the bytes only looked like the format. What was written before
	// another error is opened all the same.
	Measure func(w io.Writer, size *int64) error
}

// Kind is the kind of a node.
type Kind uint8

// The kinds of node.
const (
	File Kind = iota
	Dir
	Symlink
	Char
	Block
	Fifo
	Socket
)

func (k Kind) String() string {
	return [...]string{"file", "directory", "symlink", "char device", "block device", "fifo", "socket"}[k]
}

// Node is a file, directory, link or device of a container. Hard links are nodes of
// their own that share Data or Stream.
type Node struct {
	Path   string // absolute, slash-separated, cleaned of . and .. and doubled slashes; bytes as the image has them
	Kind   Kind
	Mode   uint32 // permission bits with setuid 04000, setgid 02000, sticky 01000
	UID    int
	GID    int
	MTime  int64 // seconds since 1970
	Size   int64 // of a regular file; of a symlink the target's length
	Target string
	Major  uint32
	Minor  uint32
	XAttrs map[string]string

	// Inode is equal, and not 0, for nodes that share their content (hard links).
	Inode uint64

	// Of a regular file with Size > 0 exactly one is set: Data gives random access,
	// Stream writes the content once from start to end. Both may be called from several
	// goroutines at once and fail with an error that says where and why.
	Data   *Blob
	Stream func(io.Writer) error

	// Order sorts files into the order that is cheapest to read.
	Order int64

	// Extent writes what identifies the compressed bytes of the content, without
	// decompressing, for the cache; nil where there is no such thing.
	Extent func(hash.Hash) error

	Unreadable string // why the content cannot be read although its entry can; else empty
}

// Layer is one container that was opened.
type Layer struct {
	Parent     *Layer
	Place      fact.Place // of the container: its last layer is this one
	Format     *Format
	Part       string // the name of the part it was found in: partition label, volume, image
	Offset     int64  // in the input, part or file that holds it
	Size       int64
	Node       *Node // the file of Parent that it was found in, nil where it was in a part
	Attributes map[string]string
	Nodes      []*Node
	Blob       *Blob // its bytes

	pending []Part
	key     string // orders layers whose places read alike
	hold    *hold  // what it was found in
	at      int64  // where in it
}

// PlaceOf returns the place of a path in the layer.
func (l *Layer) PlaceOf(path string) fact.Place {
	p := l.Place
	p.Path = path
	return p
}

// Visitor receives what [Open] finds. Calls come from several goroutines at once, except
// Layer; Layer is called before any File of that layer.
type Visitor interface {
	// Layer says that a container was opened.
	Layer(l *Layer)
	// File gives the content of a regular file: once for each content of a layer, for
	// all nodes that share it (hard links). The blob is valid after the call only if it
	// does not lie in memory (see [Blob.Bytes]).
	File(l *Layer, nodes []*Node, b *Blob)
	// Region gives a block of bytes that belongs to no container: a recognised leaf, or
	// unknown bytes that are no padding. format is nil for unknown ones; l is nil where
	// they lie in the input itself. It returns what unknown bytes are, if the visitor
	// knows; else they become a gap.
	Region(l *Layer, part string, place fact.Place, format *Format, b *Blob) (known string)
}

// Skipper may be implemented by a Visitor that knows contents from an earlier scan: files
// whose Extent (by its digest) it knows are neither read nor opened.
type Skipper interface {
	Skip(l *Layer, nodes []*Node, extent [32]byte) bool
}

// Image is what was found, without the contents.
type Image struct {
	Name    string
	Size    int64
	Layers  []*Layer   // in the order of their places
	Gaps    []fact.Gap // in the order of their places
	Padding int64      // bytes of the input that only pad
	Unknown int64      // bytes of the input that are in a gap
	Bytes   int64      // produced
	Files   int64
}

// Options say how [Open] works.
type Options struct {
	Formats  []*Format
	Budget   *budget.Budget
	Spill    *Spill // nil: what does not fit in memory is a gap
	Workers  int    // 0: one
	Progress func(Progress)
}

// Progress is how far [Open] is. Done and Total are bytes of files of the layers known so
// far; Total grows as containers are opened.
type Progress struct {
	Layer       string
	Files       int64
	Done, Total int64
}

// Open opens blob as an image of the given base name and shows everything in it to v. It
// returns an error only when the context ends or when nothing could be looked at; all
// else is a gap of the image.
func Open(ctx context.Context, name string, blob *Blob, v Visitor, o Options) (*Image, error) {
	e := newEngine(ctx, name, v, o)
	e.image.Size = blob.Size()
	e.carve(&holder{place: fact.Place{Input: name}, base: name}, blob)
	return e.finish()
}

// OpenTree is Open for a tree that already is one: a directory of the machine, given as
// its nodes.
func OpenTree(ctx context.Context, name string, nodes []*Node, v Visitor, o Options) (*Image, error) {
	e := newEngine(ctx, name, v, o)
	l := &Layer{Format: &Format{Name: "directory", Title: "directory"}, Nodes: nodes}
	l.Place = fact.Place{Input: name, Layers: []fact.Layer{{Format: "directory"}}}
	l.key = below("", 'a', 0)
	e.layer(l, 0)
	return e.finish()
}
