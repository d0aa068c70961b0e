package firmware

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/image"
)

// TestPack holds that the cache gives back the trace that it was given, and nothing for
// what is no trace, wherever it is cut.
func TestPack(t *testing.T) {
	t.Parallel()
	empty, text := "", "a text\nof two lines"
	for _, want := range []*Trace{
		{SHA256: "a", Size: 3, Shown: nothing},
		{SHA256: "b", Type: "text", Text: &empty, Shown: nothing},
		{SHA256: "c", Type: "text", Text: &text, Shown: &Shown{Words: []int64{7}, Evidence: []component.Evidence{{Name: "zlib", How: "x"}}}},
	} {
		v, err := pack(want)
		if err != nil {
			t.Fatal(err)
		}
		have := unpack(v)
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("want -, have +\n%s", d)
		}
		if want.Shown == nothing && have.Shown != nothing {
			t.Error("what shows nothing has a list of its own")
		}
		for i := range len(v) - len(text) - 1 {
			if got := unpack(v[:i]); got != nil {
				t.Errorf("%d of %d bytes are a trace: %+v", i, len(v), got)
			}
		}
	}
}

// TestSharedShown holds that contents which show nothing share what says so: there may be
// a million of them.
func TestSharedShown(t *testing.T) {
	t.Parallel()
	tr, err := newTracer(nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := tr.trace(image.BytesBlob([]byte("just a line\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if out.Shown != nothing {
		t.Errorf("a line of text has a list of its own: %+v", out.Shown)
	}
}
