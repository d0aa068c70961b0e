package dossier

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// MaxSize is the size of the largest dossier that [Read] takes, in bytes.
const MaxSize = 256 << 20

// Write writes the dossier as JSON, after it has put it into its one order (see
// [Dossier.Sort]): the same content gives the same bytes.
func (d *Dossier) Write(w io.Writer) error {
	d.Sort()
	out := *d
	out.Schema = Schema
	out.At = d.At.UTC().Truncate(time.Second)
	if out.Inputs == nil {
		out.Inputs = []Input{}
	}
	if out.Findings == nil {
		out.Findings = []*judge.Finding{}
	}
	return Encode(w, &out)
}

// Digest returns the SHA-256, in hex, of the dossier as Write gives it without what only
// tells of the run.
func (d *Dossier) Digest() (string, error) {
	still := *d
	still.Run = Run{}
	h := sha256.New()
	if err := still.Write(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Encode writes v as indented JSON that ends in a newline and holds no character that a
// terminal would obey or hide: such are written as \u escapes.
func Encode(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("json: %w", err)
	}
	_, err := w.Write(Plain(b.Bytes()))
	return err
}

// Plain returns the JSON text b with every character that does not print written as a \u
// escape. Outside its strings JSON has no such character.
func Plain(b []byte) []byte {
	start := slices.IndexFunc(b, func(c byte) bool { return c >= 0x7f })
	if start < 0 {
		return b
	}
	out := make([]byte, start, len(b)+len(b)/64)
	copy(out, b)
	for i := start; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r < 0x7f || r > 0x7f && strconv.IsPrint(r):
			out = append(out, b[i:i+n]...)
		case r > 0xffff:
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

// Read reads a dossier. Fields that it does not know are passed over; another schema
// version, a dossier larger than [MaxSize] and values outside the contract are errors.
func Read(r io.Reader) (*Dossier, error) { return readAtMost(r, MaxSize) }

func readAtMost(r io.Reader, limit int64) (*Dossier, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("dossier: %w", err)
	}
	if n > limit {
		return nil, fmt.Errorf("dossier: larger than %d bytes", limit)
	}
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(b.Bytes(), &head); err != nil {
		return nil, fmt.Errorf("dossier: not a dossier: %w", err)
	}
	switch {
	case head.Schema == nil:
		return nil, errors.New(`dossier: no schema version, so not a dossier: make one with "vesalius scan IMAGE -o FILE"`)
	case *head.Schema > Schema:
		return nil, fmt.Errorf("dossier: schema version %d, this vesalius reads %d: use a newer vesalius", *head.Schema, Schema)
	case *head.Schema < Schema:
		return nil, fmt.Errorf("dossier: schema version %d, this vesalius reads %d: scan the image again", *head.Schema, Schema)
	}
	d := new(Dossier)
	if err := json.Unmarshal(b.Bytes(), d); err != nil {
		return nil, fmt.Errorf("dossier: %w", err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("dossier: %w", err)
	}
	d.Sort()
	return d, nil
}

// check holds what readers rely on and the types cannot say.
func (d *Dossier) check() error {
	if y := d.At.Year(); y < 0 || y > 9999 {
		return fmt.Errorf("at: year %d", y)
	}
	for _, k := range fact.Kinds() {
		for i, f := range d.Facts.Of(k) {
			if reflect.ValueOf(f).IsNil() {
				return fmt.Errorf("facts: %s %d is null", k, i)
			}
		}
	}
	for id, r := range d.Rules {
		if r == nil {
			return fmt.Errorf("rules: %q is null", id)
		}
	}
	for i, f := range d.Findings {
		switch {
		case f == nil:
			return fmt.Errorf("findings: %d is null", i)
		case f.Outcome != judge.Bad && f.Outcome != judge.Good && f.Outcome != judge.Unknown:
			return fmt.Errorf("findings: %q: outcome %q is none of bad, good, unknown", f.ID, f.Outcome)
		case Rank(f.Severity) < 0:
			return fmt.Errorf("findings: %q: severity %q is none of %q", f.ID, f.Severity, judge.Severities())
		}
	}
	return nil
}
