package firmware

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/image"
)

// MaxText is the size up to which the text of a file is kept for the inspectors.
const MaxText = 256 << 10

// Trace is what the content of one file shows, whatever its name and wherever it lies. It
// is a pure function of the bytes, so that it can be cached under their digest. Every
// field is exported and JSON-encodable for that reason.
type Trace struct {
	SHA256    string               `json:"sha256"`
	Size      int64                `json:"size"`
	Type      string               `json:"type"` // elf, pe, script, text, or empty for other bytes
	Text      *string              `json:"text,omitempty"`
	Evidence  []component.Evidence `json:"evidence,omitempty"` // of components, by their signatures
	Container bool                 `json:"container,omitempty"`
}

// looker reads one aspect of a content into its trace. data is the whole content where it
// fits in memory, else its first part; all is the content with random access.
type looker struct {
	name string
	look func(t *Trace, data []byte, all *image.Blob)
}

// lookers, in the order in which they run. Each is a pure function of the bytes.
var lookers = []looker{
	{"type", lookType},
}

// newTrace looks at a content.
func newTrace(b *image.Blob, signatures *component.Matcher) (*Trace, error) {
	t := &Trace{Size: b.Size()}
	h := sha256.New()
	if _, err := b.WriteTo(h); err != nil {
		return nil, err
	}
	t.SHA256 = hex.EncodeToString(h.Sum(nil))
	data, whole := b.Bytes()
	if !whole {
		var err error
		if data, err = b.View(0, min(b.Size(), 1<<20)); err != nil {
			return nil, err
		}
	}
	for _, l := range lookers {
		l.look(t, data, b)
	}
	if signatures != nil {
		ev, err := signatures.Match(b)
		if err != nil {
			return nil, err
		}
		t.Evidence = ev
	}
	return t, nil
}

// lookType tells programs, scripts and texts from other bytes, and keeps small texts.
func lookType(t *Trace, data []byte, _ *image.Blob) {
	switch {
	case bytes.HasPrefix(data, []byte("\x7fELF")):
		t.Type = "elf"
	case bytes.HasPrefix(data, []byte("MZ")) && len(data) > 64:
		t.Type = "pe"
	case isText(data):
		t.Type = "text"
		if bytes.HasPrefix(data, []byte("#!")) {
			t.Type = "script"
		}
		if t.Size <= MaxText {
			s := string(data)
			t.Text = &s
		}
	}
}

// isText reports whether the start of data reads as text: no NUL, few controls, mostly
// valid UTF-8 or Latin-1.
func isText(data []byte) bool {
	p := data[:min(len(data), 4096)]
	odd := 0
	for i := 0; i < len(p); {
		c := p[i]
		switch {
		case c == 0:
			return false
		case c < ' ' && c != '\n' && c != '\t' && c != '\r' && c != '\f' && c != 0x1b:
			odd++
			i++
		case c < 0x80:
			i++
		default:
			r, n := utf8.DecodeRune(p[i:])
			if r == utf8.RuneError {
				odd++
			}
			i += n
		}
	}
	return odd*20 <= len(p)
}
