package supply

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/fetch"
)

const (
	firstYear  = 2002
	feedLimit  = 512 << 20 // of one file, compressed
	plainLimit = 4 << 30   // decompressed
	// modifiedSpan is how far back the file of modified records reaches, less a day.
	modifiedSpan = 7 * 24 * time.Hour
	// apiSpan is the longest span that the API answers.
	apiSpan = 120 * 24 * time.Hour
	// overlap is asked for twice, because records come into the API some time after the
	// date that they bear.
	overlap = time.Hour
	// forbidden is what the API answers when it is asked too often.
	forbidden = 403
	// pageSize is the most records that the API gives at once.
	pageSize = 2000
)

// nvd gets what is new since the last time: with what was modified within a week, from
// one file; within 120 days, from the API; else all years whose digest changed.
func (s *Supply) nvd(ctx context.Context, got *Got) error {
	p, err := s.place("nvd")
	if err != nil {
		return err
	}
	c, err := s.client(p, 0)
	if err != nil {
		return err
	}
	through, complete := s.state.Through["nvd"]
	mirrored := s.o.From["nvd"] != "" && s.o.From["nvd-api"] == "" // a mirror of files has no API
	switch age := s.now.Sub(through); {
	case complete && age < modifiedSpan:
	case complete && age < apiSpan && !mirrored:
		return s.api(ctx, got, through)
	default:
		if err := s.years(ctx, c, p, got); err != nil {
			return err
		}
	}
	// The year files are made once a day, the modified one every two hours.
	stamp, err := s.feed(ctx, c, p, got, "modified")
	if err != nil {
		return err
	}
	if stamp.IsZero() {
		stamp = s.now.Add(-24 * time.Hour) // a mirror without .meta: it may be a day old
	}
	got.through["nvd"] = stamp
	return nil
}

func (s *Supply) years(ctx context.Context, c *fetch.Client, p Publisher, got *Got) error {
	var errs []error
	for year := firstYear; year <= s.now.Year(); year++ {
		_, err := s.feed(ctx, c, p, got, strconv.Itoa(year))
		if fetch.IsMissing(err) && year == s.now.Year() && year > firstYear {
			continue // the first days of a year
		}
		if err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if len(errs) > 3 {
		errs = append(errs[:3], fmt.Errorf("and %d files more", len(errs)-3))
	}
	return errors.Join(errs...)
}

// feed gets one file of NVD, if its digest is another than that of what is in the index.
// It returns the date that the file's description bears.
func (s *Supply) feed(ctx context.Context, c *fetch.Client, p Publisher, got *Got, which string) (time.Time, error) {
	base := "nvdcve-2.0-" + which
	address := p.URL + base + ".json.gz"
	m, err := s.meta(ctx, c, p.URL+base+".meta")
	if err != nil {
		return time.Time{}, err
	}
	name := base + ".json.gz"
	path := filepath.Join(s.o.Dir, name)
	if m.sha256 == "" {
		_, err := s.get(ctx, c, got, fetch.Request{URL: address, Limit: feedLimit}, name, "")
		return time.Time{}, err
	}
	if s.state.Done[address].Stamp == m.sha256 {
		got.Same++
		return m.modified, nil
	}
	if here := s.state.Here[name]; here.Stamp != m.sha256 || here.URL != address {
		delete(s.state.Here, name) // of another state than the description
	}
	is, err := s.get(ctx, c, got, fetch.Request{URL: address, Limit: feedLimit}, name, m.sha256)
	if err != nil || !is {
		return m.modified, err
	}
	if err := verifyGzip(ctx, path, m.sha256); err != nil {
		got.Files = got.Files[:len(got.Files)-1]
		delete(got.done, address)
		delete(s.state.Here, name)
		return m.modified, errors.Join(fmt.Errorf("%s: %w", address, err), os.Remove(path))
	}
	return m.modified, nil
}

// meta is what NVD says of one of its files.
type meta struct {
	modified time.Time
	sha256   string // of the decompressed file, in lower case; empty where there is no description
}

func (s *Supply) meta(ctx context.Context, c *fetch.Client, address string) (meta, error) {
	a, err := c.Read(ctx, fetch.Request{URL: address, Limit: 64 << 10})
	if fetch.IsMissing(err) {
		return meta{}, nil // a mirror of the large files alone
	}
	if err != nil {
		return meta{}, err
	}
	m, err := readMeta(a.Data)
	if err != nil {
		return meta{}, fmt.Errorf("%s: %w", address, err)
	}
	return m, nil
}

// readMeta reads lines "key:value".
func readMeta(data []byte) (meta, error) {
	var m meta
	for line := range bytes.Lines(data) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		switch key {
		case "lastModifiedDate":
			t, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return meta{}, fmt.Errorf("date %q: want it as 2026-11-24T03:00:00-05:00", value)
			}
			m.modified = t.UTC()
		case "sha256":
			m.sha256 = strings.ToLower(value)
		}
	}
	if b, err := hex.DecodeString(m.sha256); err != nil || len(b) != sha256.Size {
		return meta{}, fmt.Errorf("no sha256 in it: %q", m.sha256)
	}
	return m, nil
}

// verifyGzip holds what is compressed in a file against its digest.
func verifyGzip(ctx context.Context, path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 256<<10))
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return z.Read(p)
	}), plainLimit+1))
	if err != nil {
		return err
	}
	if n > plainLimit {
		return fmt.Errorf("it decompresses to more than %d bytes", int64(plainLimit))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("the SHA-256 of what is in it is %s, and its .meta says %s", got, want)
	}
	return nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// window is what is asked of the API. It is kept, so that an update which was killed asks
// for the same pages again and finds those that it has.
type window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// api gets what was modified since a date.
func (s *Supply) api(ctx context.Context, got *Got, through time.Time) error {
	p, err := s.place("nvd-api")
	if err != nil {
		return err
	}
	spacing := 6 * time.Second
	if s.o.Key != "" {
		spacing = 600 * time.Millisecond
	}
	c, err := s.client(p, spacing)
	if err != nil {
		return err
	}
	from := through.Add(-overlap).Truncate(time.Second)
	w := s.state.Window
	if w == nil || !w.From.Equal(from) || s.now.Sub(w.To) > 24*time.Hour || w.To.After(s.now) {
		w = &window{From: from, To: s.now.UTC().Truncate(time.Second)}
		s.state.Window = w
	}
	for from := w.From; from.Before(w.To); from = from.Add(apiSpan) {
		to := from.Add(apiSpan)
		if to.After(w.To) {
			to = w.To
		}
		if err := s.span(ctx, c, p, got, from, to); err != nil {
			return err
		}
	}
	got.through["nvd"] = w.To
	return nil
}

// span gets the pages of one span of time. Records that are modified meanwhile leave it,
// and those behind them move up: then its pages are got anew.
func (s *Supply) span(ctx context.Context, c *fetch.Client, p Publisher, got *Got, from, to time.Time) error {
	const layout = "2006-01-02T15:04:05.000Z07:00"
	const anew = 3
	for range anew {
		var files []string
		total := -1
		for start := 0; total < 0 || start < total; start += pageSize {
			q := url.Values{
				"lastModStartDate": {from.Format(layout)}, "lastModEndDate": {to.Format(layout)},
				"startIndex": {strconv.Itoa(start)}, "resultsPerPage": {strconv.Itoa(pageSize)},
			}
			r := fetch.Request{URL: p.URL + "?" + q.Encode(), Limit: 256 << 20, Busy: []int{forbidden}}
			if s.o.Key != "" {
				r.Header = map[string]string{"apiKey": s.o.Key}
			}
			name := fmt.Sprintf("nvd-api-%d-%d-%d.json", from.Unix(), to.Unix(), start)
			n, err := s.page(ctx, c, got, r, name, start)
			if err != nil {
				return err
			}
			files = append(files, filepath.Join(s.o.Dir, name))
			if total >= 0 && n != total {
				total = -2
				break
			}
			if total = n; s.o.Progress != nil {
				s.o.Progress("nvd-api", int64(min(start+pageSize, total)), int64(total))
			}
			const most = 1 << 20
			if total > most {
				return fmt.Errorf("%s: it says that %d records were modified", p.URL, total)
			}
		}
		if total >= 0 {
			got.Files = append(got.Files, files...)
			return nil
		}
		for _, f := range files {
			delete(s.state.Here, s.name(f))
		}
	}
	return fmt.Errorf("%s: what it has for one span of time changed %d times meanwhile: try again later", p.URL, anew)
}

// page gets one page, unless it is here, and returns how many records the span has.
func (s *Supply) page(ctx context.Context, c *fetch.Client, got *Got, r fetch.Request, name string, start int) (int, error) {
	path := filepath.Join(s.o.Dir, name)
	data, err := os.ReadFile(path)
	if here := s.state.Here[name]; err != nil || here.URL != r.URL {
		a, err := c.Read(ctx, r)
		if err != nil {
			return 0, err
		}
		got.Bytes += a.Size
		data = a.Data
	}
	var head struct {
		Start *int `json:"startIndex"`
		Total *int `json:"totalResults"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return 0, fmt.Errorf("%s: %w", r.URL, err)
	}
	if head.Start == nil || head.Total == nil || *head.Start != start || *head.Total < 0 {
		return 0, fmt.Errorf("%s: not the page that was asked for", r.URL)
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return 0, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return 0, err
	}
	s.state.Here[name] = mark{URL: r.URL}
	return *head.Total, s.save()
}
