package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
)

// The formats of these tests. A box is "BOX1", its size (4 bytes), and records: what (f a
// file, s a streamed file, h a hard link to the record before, p a part, u an unreadable
// file), the length of the name, the name, the size (4 bytes), the content. A run is
// "RUN1", the base name's length and name, and pairs of count and byte until the count 0:
// only reading it tells where it ends.
var (
	boxFormat  = &Format{Name: "box", Class: "archive", Magic: []Magic{{0, "BOX1"}}, Open: openBox}
	runFormat  = &Format{Name: "run", Class: "compression", Magic: []Magic{{0, "RUN1"}}, Open: openRun}
	leafFormat = &Format{Name: "leaf", Class: "executable", Leaf: true, Magic: []Magic{{0, "LEAF"}}, Open: func(in *Input) (*Content, error) {
		return &Content{Size: min(8, in.Size())}, nil
	}}
	weakFormat = &Format{Name: "weak", Class: "archive", Weak: true, Magic: []Magic{{0, "WK"}}, Open: func(*Input) (*Content, error) {
		return &Content{Size: 2}, nil
	}}
	lateFormat = &Format{Name: "late", Class: "archive", Magic: []Magic{{5000, "LATE"}}, Open: func(*Input) (*Content, error) {
		return &Content{Size: 5004}, nil
	}}
	endFormat = &Format{
		Name: "end", Class: "archive", Magic: []Magic{{Anywhere, "THEEND"}},
		Locate: func(b *Blob, at int64) int64 {
			if at < 10 {
				panic("no room")
			}
			return at - 10
		},
		Open: func(in *Input) (*Content, error) {
			if p, err := in.View(10, 6); err != nil || string(p) != "THEEND" {
				return nil, ErrNot
			}
			return &Content{Size: 16}, nil
		},
	}
	boomFormat = &Format{Name: "boom", Class: "archive", Magic: []Magic{{0, "BOOM"}}, Open: func(in *Input) (*Content, error) {
		explode := func(io.Writer) error { panic("boom") }
		switch p, _ := in.View(4, 1); string(p) {
		case "s":
			return &Content{Size: 5, Parts: []Part{{Name: "p", Stream: explode}}, Nodes: []*Node{
				{Path: "/s", Size: 1, Stream: explode}, {Path: "/d", Size: 1, Data: ReaderBlob(exploder{}, 1)},
			}}, nil
		case "m":
			return &Content{Parts: []Part{{Measure: func(io.Writer, *int64) error { panic("boom") }}}}, nil
		}
		panic("boom")
	}}
	notFormat = &Format{Name: "not", Class: "archive", Magic: []Magic{{0, "NOT"}}, Open: func(in *Input) (*Content, error) {
		switch p, _ := in.View(3, 1); string(p) {
		case "u":
			return nil, fmt.Errorf("version 9: %w", ErrUnsupported)
		case "d":
			return nil, errors.New("bad checksum")
		case "z":
			return &Content{}, nil
		}
		return nil, ErrNot
	}}
	testFormats = []*Format{boxFormat, runFormat, leafFormat, weakFormat, lateFormat, endFormat, boomFormat, notFormat}
)

type exploder struct{}

func (exploder) ReadAt([]byte, int64) (int, error) { panic("boom") }

func openBox(in *Input) (*Content, error) {
	h, err := in.View(0, 8)
	if err != nil {
		return nil, ErrNot
	}
	size := int64(binary.BigEndian.Uint32(h[4:]))
	if size > in.Size() {
		return nil, fmt.Errorf("ends at %#x, past the end %#x", size, in.Size())
	}
	c := &Content{Size: size, Attributes: map[string]string{"k": "v"}}
	for at := int64(8); at < size; {
		p, err := in.View(at, 2)
		if err != nil {
			return nil, err
		}
		name, err := in.View(at+2, int64(p[1])+4)
		if err != nil {
			return nil, err
		}
		n := int64(binary.BigEndian.Uint32(name[p[1]:]))
		at += 6 + int64(p[1])
		data := in.Slice(at, n)
		node := &Node{Path: "/" + string(name[:p[1]]), Size: n, Mode: 0o600, Order: -at}
		switch p[0] {
		case 'f':
			node.Data = data
		case 's':
			node.Stream = func(w io.Writer) error { _, err := data.WriteTo(w); return err }
		case 'u':
			node.Unreadable, node.Inode = "encrypted", uint64(at)
		case 'h':
			last := c.Nodes[len(c.Nodes)-1]
			if last.Inode == 0 {
				last.Inode = uint64(at)
			}
			node.Inode, node.Data, node.Stream, node.Size, node.Unreadable = last.Inode, last.Data, last.Stream, last.Size, last.Unreadable
		case 'p':
			c.Parts = append(c.Parts, Part{Name: node.Path[1:], Offset: at, Blob: data})
		}
		if p[0] != 'p' {
			c.Nodes = append(c.Nodes, node)
		}
		at += n
	}
	return c, nil
}

func openRun(in *Input) (*Content, error) {
	n, err := in.View(4, 1)
	if err != nil {
		return nil, ErrNot
	}
	name, err := in.View(5, int64(n[0]))
	if err != nil {
		return nil, ErrNot
	}
	return &Content{Parts: []Part{{Name: string(name), Measure: func(w io.Writer, size *int64) error {
		*size = 5 + int64(n[0])
		for {
			p, err := in.View(*size, 1)
			if err != nil {
				return io.ErrUnexpectedEOF
			}
			*size++
			if p[0] == 0 {
				return nil
			}
			c, err := in.View(*size, 1)
			if err != nil {
				return io.ErrUnexpectedEOF
			}
			*size++
			if c[0] == '!' {
				return fmt.Errorf("forbidden byte: %w", ErrNot)
			}
			if _, err := w.Write(bytes.Repeat(c, int(p[0]))); err != nil {
				return err
			}
		}
	}}}}, nil
}

func record(what byte, name string, content ...string) string {
	data := strings.Join(content, "")
	return string(what) + string(byte(len(name))) + name + string(binary.BigEndian.AppendUint32(nil, uint32(len(data)))) + data
}

func box(records ...string) string {
	body := strings.Join(records, "")
	return "BOX1" + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))) + body
}

// packRun is the run of a content.
func packRun(name, content string) string {
	var b strings.Builder
	b.WriteString("RUN1" + string(byte(len(name))) + name)
	for _, c := range []byte(content) {
		b.Write([]byte{1, c})
	}
	b.WriteByte(0)
	return b.String()
}

// recorder writes down what the engine shows.
type recorder struct {
	mu    sync.Mutex
	lines []string
	known string // what unknown bytes are that begin with "KNOWN"
}

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func show(b *Blob) string {
	p, err := b.View(0, min(b.Size(), 24))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %q", b.Size(), p)
}

func (r *recorder) Layer(l *Layer) { r.add("layer %s %d", l.Place, l.Size) }

func (r *recorder) File(l *Layer, nodes []*Node, b *Blob) {
	names := ""
	for _, n := range nodes {
		names += " " + l.PlaceOf(n.Path).String()
	}
	r.add("file%s %s", names, show(b))
}

func (r *recorder) Region(_ *Layer, part string, place fact.Place, f *Format, b *Blob) string {
	if f != nil {
		r.add("region %s %q %s %s", place, part, f.Name, show(b))
		return ""
	}
	if p, err := b.View(0, 5); err == nil && string(p) == "KNOWN" {
		return r.known
	}
	return ""
}

// look opens an input and says what was found, sorted.
func look(t *testing.T, data string, workers int, limits budget.Limits) string {
	t.Helper()
	r := &recorder{known: "something known"}
	im, err := Open(t.Context(), "in", BytesBlob([]byte(data)), r, Options{Formats: testFormats, Workers: workers, Budget: budget.New(limits)})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(r.lines)
	if !slices.IsSortedFunc(im.Layers, func(a, b *Layer) int { return strings.Compare(a.Place.String(), b.Place.String()) }) {
		t.Error("layers are not in the order of their places")
	}
	for _, g := range im.Gaps {
		r.add("gap %s %s %d %s: %s", g.ID, g.Place, g.Size, g.Reason, g.Why)
	}
	r.add("padding %d unknown %d files %d", im.Padding, im.Unknown, im.Files)
	return strings.Join(r.lines, "\n") + "\n"
}

var zeros = strings.Repeat("\x00", 100)

func TestOpen(t *testing.T) {
	t.Parallel()
	noise := strings.Repeat("noise ", 10)
	tests := []struct {
		name, data string
		limits     budget.Limits
		want       string
	}{
		{"nothing", "", budget.Limits{}, "padding 0 unknown 0 files 0\n"},
		{"padding only", zeros, budget.Limits{}, "padding 100 unknown 0 files 0\n"},
		{"unknown only", noise, budget.Limits{}, `gap G1 in 60 opaque: unrecognised text
padding 0 unknown 60 files 0
`},
		{"known to the visitor", "KNOWN bytes", budget.Limits{}, "padding 0 unknown 0 files 0\n"},
		{"regions, padding and gaps", zeros + box(record('f', "a", "hello")) + zeros + noise + box(record('p', "part", noise)), budget.Limits{}, `file in!box@0x64!/a 5 "hello"
layer in!box@0x118 78
layer in!box@0x64 20
gap G1 in!box@0x118:0x12 60 opaque: unrecognised text
gap G2 in:0xdc 60 opaque: unrecognised text
padding 200 unknown 60 files 1
`},
		{"nested", box(record('f', "in.box", box(record('s', "x", "deep"), record('h', "y"))), record('p', "p", box(record('f', "z", "part")))), budget.Limits{}, `file in!box@0x0!/in.box 26 "BOX1\x00\x00\x00\x1as\x01x\x00\x00\x00\x04deeph\x01y\x00\x00"
file in!box@0x0!/in.box!box@0x0!/x in!box@0x0!/in.box!box@0x0!/y 4 "deep"
file in!box@0x0!box@0x35!/z 4 "part"
layer in!box@0x0 72
layer in!box@0x0!/in.box!box@0x0 26
layer in!box@0x0!box@0x35 19
padding 0 unknown 0 files 4
`},
		{"a stream that ends before trailing bytes", packRun("n", box(record('f', "a", "x"))) + noise + packRun("", "LEAF1234KNOWN"), budget.Limits{}, `file in!run@0x0!box@0x0!/a 1 "x"
layer in!run@0x0 39
layer in!run@0x0!box@0x0 16
layer in!run@0x63 32
region in!run@0x63 "" leaf 8 "LEAF1234"
gap G1 in:0x27 60 opaque: unrecognised text
padding 0 unknown 60 files 1
`},
		{"a stream that is a file of a tree", box(record('f', "a.gz", packRun("", "twenty bytes of text")), record('f', "b", packRun("../..", "sixteen or more"))), budget.Limits{}, `file in!box@0x0!/a.gz 46 "RUN1\x00\x01t\x01w\x01e\x01n\x01t\x01y\x01 \x01b\x01y\x01"
file in!box@0x0!/a.gz!run@0x0!/a 20 "twenty bytes of text"
file in!box@0x0!/b 41 "RUN1\x05../..\x01s\x01i\x01x\x01t\x01e\x01e\x01n"
file in!box@0x0!/b!run@0x0!/content 15 "sixteen or more"
layer in!box@0x0 112
layer in!box@0x0!/a.gz!run@0x0 46
layer in!box@0x0!/b!run@0x0 41
padding 0 unknown 0 files 2
`},
		{"a stream that is cut off", packRun("", "abcdef")[:16], budget.Limits{}, `layer in!run@0x0 16
gap G1 in!run@0x0 5 opaque: unrecognised text
gap G2 in!run@0x0:0x5 0 damaged: run after 5 bytes: unexpected EOF
padding 0 unknown 0 files 0
`},
		{"a stream that turns out to be none", packRun("", "ab!") + box(record('f', "a", "x")), budget.Limits{}, `file in!box@0xc!/a 1 "x"
layer in!box@0xc 16
gap G1 in 12 opaque: unrecognised data (entropy 3.02 of 8 bits)
padding 0 unknown 12 files 1
`},
		{"weak magics only at the start", "WKnoise" + "WK", budget.Limits{}, `layer in!weak@0x0 2
gap G1 in:0x2 7 opaque: unrecognised text
padding 0 unknown 7 files 0
`},
		{"of two formats the one that starts first", noise + strings.Repeat(" ", 4980) + "KNOWNBOX1" + strings.Repeat(" ", 71) + "LATE", budget.Limits{}, `layer in!late@0x78 5004
gap G1 in 120 opaque: unrecognised text
padding 0 unknown 120 files 0
`},
		{"a magic anywhere, and one whose search panics", noise + "0123456789THEEND" + box(), budget.Limits{}, `layer in!box@0x4c 8
layer in!end@0x3c 16
gap G1 in 60 opaque: unrecognised text
padding 0 unknown 60 files 0
`},
		{"a search that panics", "THEEND", budget.Limits{}, "gap G1 in 6 opaque: unrecognised text\npadding 0 unknown 6 files 0\n"},
		{"unsupported and damaged", box(record('p', "a", "NOTu"), record('p', "b", "NOTd"), record('p', "c", "NOTx"), record('p', "d", "KNOWN NOTu"), record('p', "e", "NOTz")), budget.Limits{}, `layer in!box@0x0 69
gap G1 in!box@0x0:0x1a 4 damaged: damaged not: bad checksum
gap G2 in!box@0x0:0x25 4 opaque: unrecognised text
gap G3 in!box@0x0:0x41 4 opaque: unrecognised text
gap G4 in!box@0x0:0xf 4 unsupported: unsupported not: version 9: no reader for it
padding 0 unknown 0 files 0
`},
		{"an unreadable file and its link", box(record('u', "a", "xx"), record('h', "b"), record('f', "c", "ok")), budget.Limits{}, `file in!box@0x0!/c 2 "ok"
layer in!box@0x0 33
gap G1 in!box@0x0!/a 2 unreadable: encrypted
padding 0 unknown 0 files 3
`},
		{"a reader that panics", box(record('p', "a", "BOOM!"), record('p', "b", "BOOMs"), record('p', "c", "BOOMm"), record('f', "d", "fine")), budget.Limits{}, `file in!box@0x0!/d 4 "fine"
layer in!box@0x0 55
layer in!box@0x0!boom@0x1b 5
gap G1 in!box@0x0!boom@0x1b 0 damaged: boom after 0 bytes: reader gave up: boom
gap G2 in!box@0x0!boom@0x1b!/d 1 damaged: reader gave up: boom
gap G3 in!box@0x0!boom@0x1b!/s 1 damaged: reader gave up: boom
gap G4 in!box@0x0:0x27 5 damaged: damaged boom: reader gave up: boom
gap G5 in!box@0x0:0xf 5 damaged: damaged boom: reader gave up: boom
padding 0 unknown 0 files 3
`},
		{"too deep", box(record('f', "1", box(record('f', "2", box(record('f', "3", "just a plain text file")))), box())), budget.Limits{Depth: 1}, `file in!box@0x0!/1 60 "BOX1\x00\x00\x004f\x012\x00\x00\x00%BOX1\x00\x00\x00%f"
file in!box@0x0!/1!box@0x0!/2 37 "BOX1\x00\x00\x00%f\x013\x00\x00\x00\x16just a pl"
layer in!box@0x0 75
layer in!box@0x0!/1!box@0x0 52
gap G1 in!box@0x0!/1!box@0x0!/2 37 limit: over the limit of 1 containers inside containers
padding 0 unknown 0 files 2
`},
		{"a plain file where no container may lie", box(record('f', "a", "just a plain text file")), budget.Limits{Depth: -1}, `gap G1 in 37 limit: over the limit of -1 containers inside containers
padding 0 unknown 37 files 0
`},
		{"too many files", box(record('f', "a", "1"), record('f', "b", "2")), budget.Limits{Files: 1}, `layer in!box@0x0 24
gap G1 in!box@0x0 24 limit: over the limit of 1 files
padding 0 unknown 0 files 0
`},
		{"too many bytes", box(record('f', "a", noise), record('s', "b", "2"), record('p', "c", packRun("", "0123456789"))), budget.Limits{Bytes: 5}, `file in!box@0x0!/b 1 "2"
layer in!box@0x0 116
layer in!box@0x0!run@0x5a 15
gap G1 in!box@0x0!/a 60 limit: over the limit of 5 bytes
gap G2 in!box@0x0!run@0x5a 4 opaque: unrecognised text
gap G3 in!box@0x0!run@0x5a:0x4 0 limit: run after 4 bytes: over the limit of 5 bytes
gap G4 in!box@0x0:0x69 11 opaque: unrecognised data (entropy 2.40 of 8 bits)
padding 0 unknown 0 files 2
`},
		{"too large a file and no spill file", box(record('s', "a", noise)), budget.Limits{Memory: 50}, `layer in!box@0x0 75
gap G1 in!box@0x0!/a 60 limit: over the limit of 50 bytes in memory without a spill file
padding 0 unknown 0 files 1
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, look(t, tt.data, 1, tt.limits)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestWorkers promises that the number of workers does not show.
func TestWorkers(t *testing.T) {
	t.Parallel()
	var records []string
	for i := range 40 {
		name := fmt.Sprint("f", i%7) // names occur more than once
		records = append(records,
			record('s', name, box(record('f', "x", name), record('p', "p", packRun("", "0123"+name)))),
			record('p', "", "noise", box(record('f', "same", "LEAF")), "noise", packRun("q", box(record('u', "u", "xx")))))
	}
	data := box(records...)
	want := look(t, data, 1, budget.Limits{})
	for range 10 {
		if diff := cmp.Diff(want, look(t, data, 4, budget.Limits{})); diff != "" {
			t.Fatalf("one worker and four (-one +four):\n%s", diff)
		}
	}
}

// TestSpill promises that what is too large for memory comes through the spill file
// unchanged.
func TestSpill(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "spill")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	big := make([]byte, 3<<20+17)
	for i := range big {
		big[i] = byte(i*i>>8) | 0x81
	}
	data := box(record('s', "a", string(big)), record('s', "b", string(big[1:])), record('p', "", packRun("", string(big[:1<<16]))))
	sum := &summer{}
	_, err = Open(t.Context(), "in", BytesBlob([]byte(data)), sum, Options{
		Formats: testFormats, Workers: 2, Spill: NewSpill(f), Budget: budget.New(budget.Limits{Memory: 1000}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"/a": big, "/b": big[1:], "": big[:1<<16]} {
		if got := sum.by[name]; !bytes.Equal(got, want) {
			t.Errorf("content of %q is changed on its way through the spill file: %d bytes of %d", name, len(got), len(want))
		}
	}
}

type summer struct {
	mu sync.Mutex
	by map[string][]byte
}

func (s *summer) keep(name string, b *Blob) {
	var w bytes.Buffer
	_, _ = b.WriteTo(&w)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[string][]byte{}
	}
	s.by[name] = w.Bytes()
}

func (s *summer) Layer(*Layer)                      {}
func (s *summer) File(_ *Layer, n []*Node, b *Blob) { s.keep(n[0].Path, b) }
func (s *summer) Region(_ *Layer, _ string, _ fact.Place, _ *Format, b *Blob) string {
	s.keep("", b)
	return ""
}

// empty is a disk of zeros.
type empty struct{}

func (empty) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// TestEmptyDisk promises that a large disk with nothing on it is passed over quickly and
// without memory.
func TestEmptyDisk(t *testing.T) {
	t.Parallel()
	const size = 10 << 30
	began := time.Now()
	im, err := Open(t.Context(), "disk", ReaderBlob(empty{}, size), &recorder{}, Options{Formats: testFormats})
	if err != nil {
		t.Fatal(err)
	}
	if im.Padding != size || len(im.Gaps) != 0 {
		t.Errorf("padding %d, gaps %v", im.Padding, im.Gaps)
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("%v for an empty disk", d)
	}
}

// TestFlood promises that bytes full of magics that lie do not hold up the search, and
// that giving up is a gap.
func TestFlood(t *testing.T) {
	t.Parallel()
	began := time.Now()
	im, err := Open(t.Context(), "in", ReaderBlob(strings.NewReader(strings.Repeat("NOTx", 1<<20)), 4<<20), &recorder{}, Options{Formats: testFormats})
	if err != nil {
		t.Fatal(err)
	}
	if len(im.Gaps) != 1 || im.Gaps[0].Reason != "limit" || im.Gaps[0].Size != 4<<20 {
		t.Errorf("gaps %v", im.Gaps)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("%v for 4 MB of magics", d)
	}
}

// TestCancel promises that a scan whose context ends stops with the reason, in the middle
// of a stream as well.
func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	endless := &Format{Name: "endless", Class: "compression", Magic: []Magic{{0, "ENDLESS"}}, Open: func(*Input) (*Content, error) {
		return &Content{Size: 7, Parts: []Part{{Stream: func(w io.Writer) error {
			for i := 0; ; i++ {
				if i == 100 {
					cancel()
				}
				if _, err := w.Write([]byte("more")); err != nil {
					return err
				}
			}
		}}}}, nil
	}}
	_, err := Open(ctx, "in", BytesBlob([]byte("ENDLESS")), &recorder{}, Options{Formats: []*Format{endless}, Workers: 2})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// TestExpansion promises that a stream may not expand beyond measure, by what it has read
// so far and not by what follows it.
func TestExpansion(t *testing.T) {
	t.Parallel()
	bomb := &Format{Name: "bomb", Class: "compression", Magic: []Magic{{0, "BOMB"}}, Open: func(*Input) (*Content, error) {
		return &Content{Parts: []Part{{Measure: func(w io.Writer, size *int64) error {
			*size = 4
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		}}}}, nil
	}}
	f, err := os.CreateTemp(t.TempDir(), "spill")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := Open(t.Context(), "in", BytesBlob(append([]byte("BOMB"), make([]byte, 10<<20)...)), &recorder{}, Options{Formats: []*Format{bomb}, Spill: NewSpill(f)})
	if err != nil {
		t.Fatal(err)
	}
	if len(im.Gaps) != 1 || im.Gaps[0].Reason != "limit" || im.Bytes > budget.RatioFloor+2<<20 {
		t.Errorf("gaps %v after %d bytes", im.Gaps, im.Bytes)
	}
}

func TestBlob(t *testing.T) {
	t.Parallel()
	for _, b := range []*Blob{BytesBlob([]byte("0123456789")), ReaderBlob(strings.NewReader("0123456789"), 10)} {
		if p, err := b.Slice(2, 100).From(3).View(0, 5); err != nil || string(p) != "56789" {
			t.Errorf("view %q, %v", p, err)
		}
		if p, err := b.Slice(-5, 3).View(0, 3); err != nil || string(p) != "012" {
			t.Errorf("view %q, %v", p, err)
		}
		if p, err := b.View(5, 0); err != nil || len(p) != 0 {
			t.Errorf("view of nothing: %q, %v", p, err)
		}
		for _, r := range [][2]int64{{0, 11}, {-1, 1}, {1, -1}, {11, 0}, {5, 1<<63 - 1}} {
			if _, err := b.View(r[0], r[1]); err == nil {
				t.Errorf("view of %v is no error", r)
			}
		}
		p := make([]byte, 4)
		if n, err := b.ReadAt(p, 8); n != 2 || !errors.Is(err, io.EOF) {
			t.Errorf("read over the end: %d, %v", n, err)
		}
		if n, err := b.ReadAt(p, 6); n != 4 || err != nil {
			t.Errorf("read to the end: %d, %v", n, err)
		}
	}
	if _, err := ReaderBlob(strings.NewReader("0123"), 10).View(0, 6); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("view of bytes that are not there: %v", err)
	}
}
