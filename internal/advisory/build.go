package advisory

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// BuildOptions say how an index is made. The zero value is right for an index on disk.
type BuildOptions struct {
	// Small compresses all of it: an index that is carried in a program. Without, what a
	// lookup reads lies there uncompressed.
	Small bool

	// Chosen is for [Info.Chosen].
	Chosen []YearInfo
}

// What a record may hold.
const (
	textAtMost   = 1000    // characters of Record.Text; the rest is cut
	recordAtMost = 4 << 20 // bytes, encoded
	filesAtMost  = 256     // names of files kept for each source
)

// Builder makes an index of records. Records may be added from several goroutines, in any
// order: the same records make the same bytes. They are kept compressed in memory.
type Builder struct {
	opts    BuildOptions
	codec   *codec
	pool    *compressors
	bytes   sync.Pool // *[]byte
	inflate inflater

	mu        sync.Mutex
	done      bool
	buckets   map[bucketKey]*bucket
	forecasts map[cveKey]forecast
	files     map[Source]map[string]bool
}

// NewBuilder returns an empty Builder.
func NewBuilder(opts BuildOptions) *Builder {
	return &Builder{opts: opts, codec: newCodec(), pool: newCompressors(runtime.GOMAXPROCS(0)), buckets: map[bucketKey]*bucket{},
		forecasts: map[cveKey]forecast{}, files: map[Source]map[string]bool{}}
}

// bucketKey orders buckets as keys order what is in them.
type bucketKey struct {
	other  string // the first letters of an id that is no CVE id
	number uint64 // year and number/512 of a CVE id
}

func bucketOf(k key) bucketKey {
	if k.year != 0 {
		return bucketKey{number: uint64(k.year)<<32 | uint64(k.number>>9)}
	}
	return bucketKey{other: k.other[:min(8, len(k.other))]}
}

func (k bucketKey) compare(o bucketKey) int {
	if (k.number == 0) != (o.number == 0) {
		if k.number != 0 {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(k.number, o.number), strings.Compare(k.other, o.other))
}

// bucket holds the records of neighbouring ids, in the order of their arrival.
type bucket struct {
	mu     sync.Mutex
	open   []byte
	chunks []chunk
}

type chunk struct {
	packed []byte
	size   int
}

const chunkSize = 48 << 10

type cveKey struct{ year, number uint32 }

type forecast struct {
	probability, percentile uint32
	at                      int64 // Unix seconds; 0: unknown
}

func (f forecast) compare(o forecast) int {
	return cmp.Or(cmp.Compare(f.at, o.at), cmp.Compare(f.probability, o.probability), cmp.Compare(f.percentile, o.percentile))
}

// Read notes that a file of a source was read, for [Info]. It may be called at any time.
func (b *Builder) Read(source Source, file string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.files[source] == nil {
		b.files[source] = map[string]bool{}
	}
	b.files[source][strings.ToValidUTF8(file, "?")] = true
}

// Add takes a record. Of records with the same Source, Origin, ID and Document (of NVD and
// KEV, with the same ID) only one stays: the one that was modified last; among those of one
// date the one that says more. Dates are kept to the second, Text to 1000 characters, a
// probability to five digits, and the part of a CPE where it is a, o or h. A record of
// [EPSS] is only kept as its Forecast.
func (b *Builder) Add(r Record) error {
	if r.Source == EPSS {
		return b.addForecast(&r)
	}
	if err := tidy(&r); err != nil {
		return fmt.Errorf("record %.100q of %.20q: %w", r.ID, r.Source, err)
	}
	buf, _ := b.bytes.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer b.bytes.Put(buf)
	w := writer{b: (*buf)[:0]}
	b.codec.whole(&w, &r)
	*buf = w.b
	if len(w.b) > recordAtMost {
		return fmt.Errorf("record %q of %q: it takes %d bytes, more than %d", r.ID, r.Source, len(w.b), recordAtMost)
	}
	k := bucketOf(keyOf(r.ID))
	b.mu.Lock()
	if b.done {
		b.mu.Unlock()
		return errDone
	}
	into := b.buckets[k]
	if into == nil {
		into = &bucket{}
		b.buckets[k] = into
	}
	b.mu.Unlock()
	into.mu.Lock()
	defer into.mu.Unlock()
	size := writer{b: into.open}
	size.n(len(w.b))
	into.open = append(size.b, w.b...)
	if len(into.open) < chunkSize {
		return nil
	}
	packed, err := b.pool.compress(into.open, 1)
	if err != nil {
		return err
	}
	into.chunks = append(into.chunks, chunk{packed, len(into.open)})
	into.open = into.open[:0]
	return nil
}

var errDone = errors.New("advisory builder: the index is written already")

func (b *Builder) addForecast(r *Record) error {
	year, number, ok := parseCVE(r.ID)
	if !ok || r.Forecast == nil {
		return fmt.Errorf("record %.100q of %q: it needs a CVE id and a forecast", r.ID, r.Source)
	}
	at := r.Forecast.At
	if at.IsZero() {
		at = r.Modified
	}
	f := forecast{uint32(parts(r.Forecast.Probability)), uint32(parts(r.Forecast.Percentile)), 0}
	if !at.IsZero() {
		f.at = at.Unix()
	}
	k := cveKey{year, number}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return errDone
	}
	if old, ok := b.forecasts[k]; !ok || old.compare(f) < 0 {
		b.forecasts[k] = f
	}
	return nil
}

// AddIndex takes all that another index holds: an old index and what is new make the
// same bytes as everything from the beginning.
func (b *Builder) AddIndex(x *Index) error {
	info, err := x.Info()
	if err != nil {
		return err
	}
	for _, s := range info.Sources {
		for _, f := range s.Files {
			b.Read(s.Source, f)
		}
	}
	for v, err := range x.All() {
		if err != nil {
			return err
		}
		for _, r := range v.Records {
			if r.Source == EPSS {
				continue
			}
			if err := b.Add(r); err != nil {
				return err
			}
		}
	}
	for r, err := range x.Forecasts() {
		if err != nil {
			return err
		}
		if err := b.Add(r); err != nil {
			return err
		}
	}
	return nil
}

// tidy checks a record and gives it the form in which it is kept.
func tidy(r *Record) error {
	if r.ID == "" || r.Source == "" {
		return errors.New("it has no id or no source")
	}
	if len(r.ID) > 200 || strings.ContainsAny(r.ID, zero+"\n") {
		return errors.New("its id is none")
	}
	if k := keyOf(r.ID); k.year != 0 {
		r.ID = k.cve()
	}
	for i := range r.Affected {
		a := &r.Affected[i]
		p := &a.Product
		if p.By != ByCPE && p.By != ByPackage && p.By != ByName {
			return fmt.Errorf("a product is named by %q", p.By)
		}
		if strings.Contains(p.Vendor, zero) || strings.Contains(p.Name, zero) || strings.Contains(p.Ecosystem, zero) {
			return errors.New("the name of a product holds a zero byte")
		}
	}
	if utf8.RuneCountInString(r.Text) > textAtMost {
		n := 0
		for i := range r.Text {
			if n++; n == textAtMost {
				r.Text = r.Text[:i] + "…"
				break
			}
		}
	}
	return nil
}

func (c *codec) whole(w *writer, r *Record) {
	w.s(r.ID)
	c.facts(w, r)
	affected(w, r.Affected, Product{})
	prose(w, r)
}

func (c *codec) readWhole(d *reader, m *slabs) Record {
	r := c.readFacts(d, d.s())
	r.Affected = readAffected(d, Product{}, m)
	readProse(d, &r)
	return r
}

// vulnerabilities decodes a bucket: its vulnerabilities in order, of each record the one
// that stays.
func (b *Builder) vulnerabilities(from *bucket) ([]*Vulnerability, error) {
	var records []Record
	m := &slabs{}
	read := func(raw string) error {
		d := reader{b: raw}
		for d.b != "" {
			one := reader{b: d.bytes(d.n())}
			r := b.codec.readWhole(&one, m)
			if err := cmp.Or(d.err, one.err); err != nil {
				return err
			}
			records = append(records, r)
		}
		return nil
	}
	for _, c := range from.chunks {
		raw, err := b.inflate.inflate(c.packed, c.size)
		if err != nil {
			return nil, err
		}
		if err := read(raw); err != nil {
			return nil, err
		}
	}
	if err := read(string(from.open)); err != nil {
		return nil, err
	}
	keys := make([]key, len(records))
	order := make([]int, len(records))
	for i := range records {
		keys[i], order[i] = keyOf(records[i].ID), i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, c := &records[i], &records[j]
		return cmp.Or(keys[i].compare(keys[j]), compareRecords(a, c), c.Modified.Compare(a.Modified))
	})
	var out []*Vulnerability
	for n, i := range order {
		r := &records[i]
		if n > 0 && keys[order[n-1]] == keys[i] {
			v := out[len(out)-1]
			last := &v.Records[len(v.Records)-1]
			switch {
			case compareRecords(last, r) != 0:
				v.Records = append(v.Records, *r)
			case last.Modified.Equal(r.Modified) && b.more(r, last):
				*last = *r
			}
			continue
		}
		out = append(out, &Vulnerability{Records: []Record{*r}})
	}
	for _, v := range out {
		v.settle()
	}
	return out, nil
}

// compareRecords orders the records of one vulnerability. NVD and KEV have one record for
// each, whoever reported it.
func compareRecords(a, b *Record) int {
	if c := cmp.Or(cmp.Compare(priority(a.Source), priority(b.Source)), strings.Compare(string(a.Source), string(b.Source))); c != 0 {
		return c
	}
	if a.Source == NVD || a.Source == KEV {
		return 0
	}
	return cmp.Or(strings.Compare(a.Origin, b.Origin), strings.Compare(a.Document, b.Document))
}

// more says whether a says more than b: whether it takes more bytes; of two that take as
// many it is the one that sorts later, so that the order of arrival does not count.
func (b *Builder) more(x, y *Record) bool {
	var wx, wy writer
	b.codec.whole(&wx, x)
	b.codec.whole(&wy, y)
	return cmp.Or(cmp.Compare(len(wx.b), len(wy.b)), bytes.Compare(wx.b, wy.b)) > 0
}

func newest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
