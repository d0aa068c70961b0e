package fact

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Place is where something was seen: an input, the containers that were opened on the
// way, a path in the innermost, and a line or an offset in the file. Outside images the
// Endpoint (tcp/10.0.0.7:23) or the Claim (MDS2 SAHD-9) says it.
type Place struct {
	Input    string  `json:"input,omitzero"`
	Layers   []Layer `json:"layers,omitempty"`
	Path     string  `json:"path,omitzero"`
	Line     int     `json:"line,omitzero"`
	Offset   int64   `json:"offset,omitzero"` // byte offset in the file
	Endpoint string  `json:"endpoint,omitzero"`
	Claim    string  `json:"claim,omitzero"`
}

// Layer is one container on the way to a place: its format, its byte offset in what
// holds it, and the path of the file that holds it where that is a file of the layer
// before.
type Layer struct {
	Path   string `json:"path,omitzero"`
	Format string `json:"format"`
	Offset int64  `json:"offset,omitzero"`
}

// String gives the place as one word: input!format@0xoffset!path:line. Layers that lie in
// a file of the layer before name that file first. The characters ! @ : % , controls and
// invalid UTF-8 in names are escaped as %XX, so that [ParsePlace] gives the place back.
func (p Place) String() string {
	if p.Endpoint != "" {
		return p.Endpoint
	}
	if p.Claim != "" {
		return p.Claim
	}
	var b strings.Builder
	b.WriteString(escape(p.Input))
	for _, l := range p.Layers {
		if l.Path != "" {
			b.WriteByte('!')
			b.WriteString(escape(l.Path))
		}
		b.WriteByte('!')
		b.WriteString(escape(l.Format))
		b.WriteString("@0x")
		b.WriteString(strconv.FormatInt(l.Offset, 16))
	}
	if p.Path != "" {
		b.WriteByte('!')
		b.WriteString(escape(p.Path))
	}
	switch {
	case p.Line > 0:
		fmt.Fprintf(&b, ":%d", p.Line)
	case p.Offset > 0:
		fmt.Fprintf(&b, ":0x%x", p.Offset)
	}
	return b.String()
}

// ParsePlace reads what String wrote of a place in an image.
func ParsePlace(s string) (Place, error) {
	var p Place
	words := strings.Split(s, "!")
	last := words[len(words)-1]
	if i := strings.LastIndexByte(last, ':'); i >= 0 {
		n, err := strconv.ParseInt(last[i+1:], 0, 64)
		if err != nil {
			return p, fmt.Errorf("place %q: bad position %q", s, last[i+1:])
		}
		if strings.HasPrefix(last[i+1:], "0x") {
			p.Offset = n
		} else {
			p.Line = int(n)
		}
		words[len(words)-1] = last[:i]
	}
	var err error
	if p.Input, err = unescape(words[0]); err != nil {
		return p, fmt.Errorf("place %q: %w", s, err)
	}
	path := ""
	for _, w := range words[1:] {
		format, at, layer := strings.Cut(w, "@0x")
		word, err := unescape(format)
		if err != nil {
			return p, fmt.Errorf("place %q: %w", s, err)
		}
		if !layer {
			if path != "" {
				return p, fmt.Errorf("place %q: two paths in a row", s)
			}
			path = word
			continue
		}
		off, err := strconv.ParseInt(at, 16, 64)
		if err != nil {
			return p, fmt.Errorf("place %q: bad offset %q", s, at)
		}
		p.Layers = append(p.Layers, Layer{Path: path, Format: word, Offset: off})
		path = ""
	}
	p.Path = path
	return p, nil
}

const hexDigits = "0123456789ABCDEF"

func escape(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= ' ' && c < 0x7f && !strings.ContainsRune("!@:%", rune(c))
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 || r < ' ' || r == 0x7f || strings.ContainsRune("!@:%", r) ||
			r >= 0x80 && !strconv.IsPrint(r) {
			for _, c := range []byte(s[i : i+n]) {
				b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("cut escape in %q", s)
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("bad escape %q", s[i:i+3])
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), nil
}
