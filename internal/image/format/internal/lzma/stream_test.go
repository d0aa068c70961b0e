package lzma

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"testing"
)

// TestStream promises that what does not lie in memory decodes to the same, and where it
// ends.
func TestStream(t *testing.T) {
	t.Parallel()
	in := bytes.Repeat(plain(t), 3)
	in = append(in, make([]byte, 1<<20)...)
	alone := pack(t, in, "--format=lzma", "-1")
	sized := bytes.Clone(alone)
	for i := range 8 {
		sized[5+i] = byte(len(in) >> (8 * i))
	}
	type copier func(io.Writer, io.ReaderAt, int64, *int64) error
	tests := []struct {
		name string
		src  []byte
		copy copier
	}{{"marker", alone, CopyAlone}, {"size", sized, CopyAlone}}
	if _, err := exec.LookPath("lzip"); err == nil {
		cmd := exec.CommandContext(t.Context(), "lzip", "-1", "-s", "64KiB")
		cmd.Stdin = bytes.NewReader(in)
		src, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		tests = append(tests, struct {
			name string
			src  []byte
			copy copier
		}{"lzip", src, CopyLzip})
	}
	for _, tt := range tests {
		var b bytes.Buffer
		used := int64(0)
		r := bytes.NewReader(append(bytes.Clone(tt.src), "trailing"...))
		if err := tt.copy(&b, r, r.Size(), &used); err != nil || !bytes.Equal(b.Bytes(), in) {
			t.Errorf("%s: %v, %d bytes of %d", tt.name, err, b.Len(), len(in))
		}
		if used != int64(len(tt.src)) && tt.name != "size" {
			t.Errorf("%s: took %d bytes of %d", tt.name, used, len(tt.src))
		}
		used = 0
		if err := tt.copy(io.Discard, r, int64(len(tt.src)/2), &used); !errors.Is(err, ErrShort) {
			t.Errorf("%s: half of it: %v", tt.name, err)
		}
	}
	if _, err := exec.LookPath("lzip"); err == nil {
		twice := append(bytes.Clone(tests[2].src), tests[2].src...)
		var b bytes.Buffer
		used := int64(0)
		if err := CopyLzip(&b, bytes.NewReader(twice), int64(len(twice)), &used); err != nil || b.Len() != 2*len(in) {
			t.Errorf("two members: %v, %d bytes", err, b.Len())
		}
	}
}
