package feed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	maxRecord = 32 << 20  // bytes of one record of a list
	maxWhole  = 128 << 20 // bytes of a document that is one record
	headSize  = 64 << 10  // bytes by which a file is recognised
)

// stream hands out what a reader gives, and knows where it is.
type stream struct {
	r       io.Reader
	buf     []byte
	at, end int
	base    int64 // where buf begins in the whole
	eof     bool
}

func newStream(r io.Reader) *stream {
	return &stream{r: r, buf: make([]byte, 0, 256<<10)}
}

func (s *stream) offset() int64 { return s.base + int64(s.at) }

// fill reads more behind what is there, keeping everything from keep on; the caller's
// positions move by what it returns. It answers false at the end.
func (s *stream) fill(keep int) (moved int, ok bool, err error) {
	if s.eof {
		return 0, false, nil
	}
	if keep > 0 {
		copy(s.buf[:cap(s.buf)], s.buf[keep:s.end])
		s.base += int64(keep)
		s.end -= keep
		s.at -= keep
		moved = keep
	}
	if s.end == cap(s.buf) {
		s.buf = append(s.buf[:s.end], make([]byte, s.end)...)
	}
	s.buf = s.buf[:cap(s.buf)]
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if errors.Is(err, io.EOF) {
			s.eof = true
			return moved, n > 0, nil
		}
		if err != nil {
			return moved, false, fmt.Errorf("byte %d: %w", s.base+int64(s.end), err)
		}
		if n > 0 {
			return moved, true, nil
		}
	}
	return moved, false, io.ErrNoProgress
}

// head returns the first bytes, without stepping over them.
func (s *stream) head() ([]byte, error) {
	for s.end-s.at < headSize {
		_, ok, err := s.fill(s.at)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
	}
	return s.buf[s.at:min(s.end, s.at+headSize)], nil
}

// mark steps over the mark of a byte order that some programs write in front.
func (s *stream) mark() error {
	if _, err := s.head(); err != nil {
		return err
	}
	if bytes.HasPrefix(s.buf[s.at:s.end], []byte("\xef\xbb\xbf")) {
		s.at += 3
	}
	return nil
}

// space steps over white space and returns the byte that follows; 0 at the end.
func (s *stream) space() (byte, error) {
	for {
		for s.at < s.end {
			switch c := s.buf[s.at]; c {
			case ' ', '\n', '\r', '\t':
				s.at++
			default:
				return c, nil
			}
		}
		if _, ok, err := s.fill(s.at); err != nil || !ok {
			return 0, err
		}
	}
}

// errLarge says that a value was stepped over because it is too large to be held.
var errLarge = errors.New("too large")

// value returns the bytes of the value that begins here, until the next call, and steps
// over it. Only brackets and strings are looked at: what lies in them may be nonsense. A
// value of more than limit bytes is stepped over, with errLarge.
func (s *stream) value(limit int) ([]byte, error) {
	from, large, began := s.at, false, s.offset()
	depth, quoted := 0, false
	for {
		for s.at < s.end {
			if quoted {
				n := s.at
				for n < s.end && s.buf[n] != '"' && s.buf[n] != '\\' {
					n++
				}
				s.at = n
				if n == s.end {
					break
				}
				if s.buf[n] == '\\' {
					if n+1 == s.end {
						break // the escaped byte is not there yet
					}
					s.at += 2
					continue
				}
				s.at++
				quoted = false
				if depth == 0 {
					return s.cut(from, large || s.at-from > limit)
				}
				continue
			}
			c := s.buf[s.at]
			switch c {
			case '"':
				quoted = true
			case '{', '[':
				depth++
			case '}', ']', ',', ':', ' ', '\n', '\r', '\t':
				if depth == 0 { // the end of a number, true, false or null
					return s.cut(from, large || s.at-from > limit)
				}
				if c == '}' || c == ']' {
					depth--
					if depth == 0 {
						s.at++
						return s.cut(from, large || s.at-from > limit)
					}
				}
			}
			s.at++
		}
		if s.at-from > limit {
			large = true
		}
		keep := from
		if large {
			keep = s.at
		}
		moved, ok, err := s.fill(keep)
		if large {
			from = s.at
		} else {
			from -= moved
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			if depth == 0 && !quoted && s.at > from {
				return s.cut(from, large || s.at-from > limit)
			}
			return nil, fmt.Errorf("byte %d: ends within what begins at byte %d", s.base+int64(s.end), began)
		}
	}
}

func (s *stream) cut(from int, large bool) ([]byte, error) {
	if large {
		return nil, errLarge
	}
	return s.buf[from:s.at], nil
}

// whole returns all that is left.
func (s *stream) whole(limit int) ([]byte, error) {
	for {
		if s.end-s.at > limit {
			return nil, fmt.Errorf("more than %d bytes in one document", limit)
		}
		_, ok, err := s.fill(s.at)
		if err != nil {
			return nil, err
		}
		if !ok {
			return s.buf[s.at:s.end], nil
		}
	}
}

// line returns the next line without its end, until the next call; false at the end.
func (s *stream) line(limit int) ([]byte, bool, error) {
	from := s.at
	for {
		if i := bytes.IndexByte(s.buf[s.at:s.end], '\n'); i >= 0 {
			line := s.buf[from : s.at+i]
			s.at += i + 1
			return bytes.TrimSuffix(line, []byte("\r")), true, nil
		}
		s.at = s.end
		if s.at-from > limit {
			return nil, false, fmt.Errorf("byte %d: a line of more than %d bytes", s.offset(), limit)
		}
		moved, ok, err := s.fill(from)
		from -= moved
		if err != nil {
			return nil, false, err
		}
		if !ok {
			return bytes.TrimSuffix(s.buf[from:s.at], []byte("\r")), s.at > from, nil
		}
	}
}

// members reads one object: of a member named in lists it hands each element to element,
// of the others the value to other. The offset is that of the element.
func (s *stream) members(lists func(key string) bool, other func(key string, value []byte), element func(at int64, value []byte, err error) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := s.space()
		if err != nil {
			return err
		}
		if c == '}' {
			s.at++
			return s.nothing()
		}
		if !first {
			if err := s.expect(','); err != nil {
				return err
			}
			if c, err = s.space(); err != nil {
				return err
			}
		}
		if c != '"' {
			return s.unexpected("a name")
		}
		raw, err := s.value(1 << 10)
		if err != nil {
			return err
		}
		d := decoder{b: raw}
		key := d.text()
		if err := s.expect(':'); err != nil {
			return err
		}
		if c, err = s.space(); err != nil {
			return err
		}
		if lists(key) && c == '[' {
			if err := s.elements(element); err != nil {
				return err
			}
			continue
		}
		value, err := s.value(1 << 20)
		if errors.Is(err, errLarge) {
			continue
		}
		if err != nil {
			return err
		}
		if len(value) == 0 {
			return s.unexpected("a value")
		}
		other(key, value)
	}
}

// elements reads one list, and hands on each element, or that it is too large.
func (s *stream) elements(element func(at int64, value []byte, err error) error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := s.space()
		if err != nil {
			return err
		}
		if c == ']' {
			s.at++
			return nil
		}
		if !first {
			if err := s.expect(','); err != nil {
				return err
			}
			if _, err = s.space(); err != nil {
				return err
			}
		}
		at := s.offset()
		value, err := s.value(maxRecord)
		if err != nil && !errors.Is(err, errLarge) {
			return err
		}
		if err == nil && len(value) == 0 {
			return s.unexpected("a record")
		}
		if err := element(at, value, err); err != nil {
			return err
		}
	}
}

func (s *stream) expect(what byte) error {
	c, err := s.space()
	if err != nil {
		return err
	}
	if c != what {
		return s.unexpected(fmt.Sprintf("%q", what))
	}
	s.at++
	return nil
}

func (s *stream) unexpected(what string) error {
	if s.at >= s.end {
		return fmt.Errorf("byte %d: ends where %s is expected", s.offset(), what)
	}
	return fmt.Errorf("byte %d: %q where %s is expected", s.offset(), s.buf[s.at], what)
}

// nothing says that nothing but white space may follow.
func (s *stream) nothing() error {
	c, err := s.space()
	if err != nil {
		return err
	}
	if c != 0 || s.at < s.end {
		return s.unexpected("the end")
	}
	return nil
}
