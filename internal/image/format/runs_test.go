package format

import (
	"bytes"
	"testing"

	"github.com/vesalius-project/vesalius/internal/image"
)

// TestRuns holds that a content in pieces reads the same from every offset as from its
// start, that gaps are zero and that a blob which ends too early is an error.
func TestRuns(t *testing.T) {
	t.Parallel()
	b := image.BytesBlob([]byte("0123456789abcdef"))
	list := []run{{at: 2, from: 4, size: 3}, {at: 5, from: 0, size: 2}, {at: 9, from: -1, size: 5, fill: [4]byte{'w', 'x', 'y', 'z'}}}
	want := []byte("\x00\x0045601\x00\x00wxyzw\x00\x00")
	c := blobOf(b, list, int64(len(want)))
	for off := range want {
		for end := off + 1; end <= len(want); end++ {
			p := make([]byte, end-off)
			if _, err := c.ReadAt(p, int64(off)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(p, want[off:end]) {
				t.Fatalf("bytes %d to %d are %q, want %q", off, end, p, want[off:end])
			}
		}
	}
	if _, err := blobOf(b, []run{{at: 0, from: 10, size: 20}}, 20).View(0, 20); err == nil {
		t.Error("a run past the end reads without an error")
	}
	if p, ok := blobOf(b, []run{{at: 0, from: 4, size: 8}}, 5).Bytes(); !ok || string(p) != "45678" {
		t.Errorf("one piece is %q, in memory %v; want a slice of the blob", p, ok)
	}
}
