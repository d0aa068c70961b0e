package firmware

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"unicode/utf8"

	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/search"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/key"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/secret"
)

// MaxText is the size up to which the text of a file is kept for the inspectors.
const MaxText = 256 << 10

// Trace is what the content of one file shows, whatever its name and wherever it lies. It
// is a pure function of the bytes, so that it can be cached under their digest. Every
// field is exported and JSON-encodable for that reason.
type Trace struct {
	SHA256 string  `json:"sha256"`
	Size   int64   `json:"size"`
	Type   string  `json:"type"` // elf, pe, script, text, or empty for other bytes
	Text   *string `json:"text,omitempty"`
	*Shown
}

// Shown is what few contents show: those of most files share one that is empty.
type Shown struct {
	Evidence  []component.Evidence `json:"evidence,omitempty"` // of components, by their signatures
	URLs      []Found              `json:"urls,omitempty"`     // of programs
	Container bool                 `json:"container,omitempty"`
	Binary    *Binary              `json:"binary,omitempty"` // of a program, library or object

	Keys         []key.Key         `json:"keys,omitempty"`
	Certificates []key.Certificate `json:"certificates,omitempty"`
	Secrets      []SecretSeen      `json:"secrets,omitempty"`
	Words        []int64           `json:"words,omitempty"`       // where lines that may hold a secret stand in a text
	Authorities  int               `json:"authorities,omitempty"` // certificates of a trust store, which are not in Certificates

	Changelog   *Changelog        `json:"changelog,omitempty"` // of a Debian package
	Store       string            `json:"store,omitempty"`     // sqlite, dicom, hl7, luks
	Tables      []Table           `json:"tables,omitempty"`    // of a database
	Banners     []Banner          `json:"banners,omitempty"`
	Environment map[string]string `json:"environment,omitempty"` // compiled into a boot loader
	Config      map[string]string `json:"config,omitempty"`      // the options that are told of a kernel that carries its configuration
}

// nothing is what most contents show. It never changes.
var nothing = &Shown{}

// shared returns s, or nothing where s is empty.
func (s *Shown) shared() *Shown {
	if s == nil || reflect.ValueOf(s).Elem().IsZero() {
		return nothing
	}
	return s
}

// looker reads one aspect of a content into its trace. It is a pure function of the bytes.
type looker struct {
	name     string
	literals []string // what it wants to be told of; all lookers' literals are searched in one pass
	look     func(t *Trace, c *content)
}

// lookers, in the order in which they run: type is the first, so that the others know it.
var lookers = []looker{
	{name: "type", look: lookType},
	{name: "elf", literals: elfLiterals, look: lookELF},
	{name: "urls", literals: urlLiterals, look: lookURLs},
	{name: "pe", look: lookPE},
	{name: "keys", literals: key.Literals(), look: lookKeys},
	{name: "banner", literals: bannerLiterals, look: lookBanner},
	{name: "store", literals: storeLiterals, look: lookStore},
	{name: "changelog", look: lookChangelog},
	{name: "secrets", literals: secret.Literals(), look: lookSecrets},
}

// content is what a looker sees of a file.
type content struct {
	blob  *image.Blob
	data  []byte // all bytes where they fit in memory, else the first [headSize]
	whole bool   // data is all
	hits  []hit  // where this looker's literals stand, in the order of the offsets; beyond data too
}

// hit is a literal of the looker, by its index in looker.literals, and where it stands.
type hit struct {
	literal int
	at      int64
}

// around returns up to before and after bytes about an offset, and the offset of the first.
func (c *content) around(at int64, before, after int64) (from int64, p []byte) {
	from = max(at-before, 0)
	n := min(at+after, c.blob.Size()) - from
	p, err := c.blob.View(from, n)
	if err != nil {
		return from, nil
	}
	return from, p
}

const (
	headSize   = 1 << 20 // what is held at once of a content that does not fit in memory
	hitsAtMost = 1 << 16 // of one looker in one content: a file of nothing but literals ends here
)

// tracer makes traces: the lookers, and one search for the literals of all of them and of
// the components' signatures.
type tracer struct {
	signatures *component.Matcher
	set        *search.Set
	owner      []int // of each literal: the looker, or len(lookers) for the signatures
	first      []int // of each owner: its first literal
}

func newTracer(signatures *component.Matcher) (*tracer, error) {
	t := &tracer{signatures: signatures}
	var all []string
	add := func(owner int, literals []string) {
		t.first = append(t.first, len(all))
		for _, l := range literals {
			all, t.owner = append(all, l), append(t.owner, owner)
		}
	}
	for i, l := range lookers {
		add(i, l.literals)
	}
	if signatures != nil {
		add(len(lookers), signatures.Literals())
	}
	set, err := search.New(all)
	t.set = set
	return t, err
}

// trace looks at a content, unless its trace is known by its digest from an earlier scan.
// known may be nil.
func (tr *tracer) trace(b *image.Blob, known func(digest string) *Trace) (*Trace, error) {
	c := &content{blob: b}
	h := sha256.New()
	if p, whole := b.Bytes(); whole {
		h.Write(p)
		if known != nil {
			if t := known(hex.EncodeToString(h.Sum(nil))); t != nil {
				return t, nil
			}
		}
	}
	t := &Trace{Size: b.Size(), Shown: &Shown{}}
	hits := make([][]hit, len(lookers)+1)
	find := func(p []byte, base int64, least int) {
		tr.set.Find(p, func(l, at int) {
			if o := tr.owner[l]; at+len(tr.set.Literal(l)) > least && len(hits[o]) < hitsAtMost {
				hits[o] = append(hits[o], hit{l - tr.first[o], base + int64(at)})
			}
		})
	}
	if c.data, c.whole = b.Bytes(); c.whole {
		find(c.data, 0, 0)
	} else {
		// Windows overlap by what a literal may reach across; what lies whole in the
		// overlap was told before.
		keep := min(tr.set.Longest(), headSize/2)
		buf := make([]byte, keep+headSize)
		have := 0
		for off := int64(0); off < b.Size(); {
			n := min(headSize, b.Size()-off)
			if _, err := b.ReadAt(buf[have:have+int(n)], off); err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			h.Write(buf[have : have+int(n)])
			if off == 0 {
				c.data = bytes.Clone(buf[:n])
			}
			find(buf[:have+int(n)], off-int64(have), have)
			off += n
			rest := min(keep, have+int(n))
			copy(buf, buf[have+int(n)-rest:have+int(n)])
			have = rest
		}
	}
	t.SHA256 = hex.EncodeToString(h.Sum(nil))
	for i, l := range lookers {
		c.hits = hits[i]
		l.look(t, c)
	}
	if tr.signatures != nil {
		own := make([]component.Hit, len(hits[len(lookers)]))
		for i, h := range hits[len(lookers)] {
			own[i] = component.Hit{Literal: h.literal, At: h.at}
		}
		ev, err := tr.signatures.Match(b, own)
		if err != nil {
			return nil, err
		}
		t.Evidence = ev
	}
	t.Shown = t.shared()
	return t, nil
}

// lookType tells programs, scripts and texts from other bytes, and keeps small texts.
func lookType(t *Trace, c *content) {
	data := c.data
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
