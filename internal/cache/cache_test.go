package cache

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func add(t *testing.T, d Dir, s *Store) {
	t.Helper()
	var b bytes.Buffer
	n, err := s.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("%d of %d bytes, %v", n, b.Len(), err)
	}
	if err := d.Add(bytes.NewReader(b.Bytes()), n); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, d Dir) *Store {
	t.Helper()
	segments, err := d.Segments()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, f := range segments {
			f.Close()
		}
	})
	return Open(segments)
}

// TestCache holds that what one run learned the next one knows, and that the oldest goes
// when there is too much.
func TestCache(t *testing.T) {
	t.Parallel()
	d := Dir{Path: filepath.Join(t.TempDir(), "c"), MaxBytes: 1 << 20, MaxFiles: 2}
	a, b := KeyOf("a", "b"), KeyOf("ab", "")
	if a == b {
		t.Fatal("words run together in a key")
	}
	s := open(t, d)
	if _, ok := s.Get(a); ok {
		t.Error("an empty cache knows something")
	}
	s.Put(a, []byte("value"))
	s.Put(b, nil)
	if v, ok := s.Get(a); !ok || string(v) != "value" {
		t.Errorf("this run: %q, %v", v, ok)
	}
	add(t, d, s)
	s = open(t, d)
	if v, ok := s.Get(a); !ok || string(v) != "value" {
		t.Errorf("next run: %q, %v", v, ok)
	}
	if v, ok := s.Get(b); !ok || len(v) != 0 {
		t.Errorf("empty value: %q, %v", v, ok)
	}
	add(t, d, s) // nothing new: no segment
	for _, w := range []string{"x", "y"} {
		s := open(t, d)
		s.Put(KeyOf(w), bytes.Repeat([]byte(w), 10))
		add(t, d, s)
	}
	if segments, _ := filepath.Glob(d.Path + "/*"); len(segments) != 2 {
		t.Errorf("%d segments are left, want 2", len(segments))
	}
	var none *Store
	none.Put(a, nil)
	if _, ok := none.Get(a); ok {
		t.Error("no store knows something")
	}
}

// TestCacheDamaged holds that a damaged segment is passed by, wherever it was cut or
// changed, and refused when it is added.
func TestCacheDamaged(t *testing.T) {
	t.Parallel()
	s := Open(nil)
	s.Put(KeyOf("k"), []byte("value"))
	var b bytes.Buffer
	if _, err := s.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for i := range b.Len() {
		p := bytes.Clone(b.Bytes())
		p[i] ^= 0x40
		name := filepath.Join(t.TempDir(), "s"+extension)
		if err := os.WriteFile(name, p, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := Open([]*os.File{f}).Get(KeyOf("k")); ok {
			t.Errorf("byte %d changed: still known", i)
		}
		f.Close()
	}
	d := Dir{Path: t.TempDir(), MaxBytes: 1 << 20, MaxFiles: 2}
	if err := d.Add(bytes.NewReader(b.Bytes()[:20]), 20); err == nil {
		t.Error("a cut segment was added")
	}
	if left, _ := filepath.Glob(d.Path + "/*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestCacheLarge holds that a segment too large to be held is read value by value.
func TestCacheLarge(t *testing.T) {
	t.Parallel()
	d := Dir{Path: filepath.Join(t.TempDir(), "c"), MaxBytes: 1 << 30, MaxFiles: 2}
	s := open(t, d)
	large := bytes.Repeat([]byte("x"), wholeAtMost)
	s.Put(KeyOf("large"), large)
	s.Put(KeyOf("small"), []byte("y"))
	add(t, d, s)
	s = open(t, d)
	if s.held != 0 {
		t.Errorf("%d bytes are held of a segment of more than %d", s.held, wholeAtMost)
	}
	if v, ok := s.Get(KeyOf("large")); !ok || !bytes.Equal(v, large) {
		t.Errorf("large: %d bytes, %v", len(v), ok)
	}
	if v, ok := s.Get(KeyOf("small")); !ok || string(v) != "y" {
		t.Errorf("small: %q, %v", v, ok)
	}
}
