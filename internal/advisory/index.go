package advisory

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Index looks up what a [Builder] wrote. It may be used from several goroutines. Opening
// reads a few hundred bytes; a look-up reads the blocks that it needs, and checks each
// by its checksum.
type Index struct {
	r     io.ReaderAt
	file  *os.File // to be closed; nil where the caller owns what is read
	codec *codec
	slabs sync.Pool // *slabs, for Each

	facts, affected, prose, products, names, aliases, forecasts, info *column

	folded folded // names of products, for Match

	values struct { // of forecasts
		once sync.Once
		all  []forecast
		err  error
	}
}

// Info says what an index holds, and how complete it is.
type Info struct {
	Schema          int          `json:"schema"`
	Date            time.Time    `json:"date"` // the newest date that a record bears
	Sources         []SourceInfo `json:"sources"`
	Vulnerabilities int          `json:"vulnerabilities"` // that have a record other than EPSS
	Products        int          `json:"products"`        // names of products
	Years           []YearInfo   `json:"years"`

	// Chosen is empty for an index that holds all that was read. For a selection (a
	// snapshot) it says what was read: of each year how many vulnerabilities there were to
	// choose from.
	Chosen []YearInfo `json:"chosen,omitempty"`
}

// DueDays is how many days old what is known may be before an update is due.
const DueDays = 14

// Known is the date until which vulnerabilities are known: the newest of NVD's where there
// are any. That others are newer (EPSS, each day) does not make them known.
func (i Info) Known() time.Time {
	for _, s := range i.Sources {
		if s.Source == NVD && !s.Newest.IsZero() {
			return s.Newest
		}
	}
	return i.Date
}

// SourceInfo says what came from one source.
type SourceInfo struct {
	Source  Source    `json:"source"`
	Records int       `json:"records"`
	Newest  time.Time `json:"newest"` // of the dates that its records bear; zero where they bear none
	Oldest  time.Time `json:"oldest"`
	Files   []string  `json:"files,omitempty"` // names of the files that were read, sorted; not more than 256
}

// YearInfo counts the CVE ids of one year, so that it can be said how complete an index is:
// EPSS knows nearly all that were published and not rejected.
type YearInfo struct {
	Year            int `json:"year"`
	Vulnerabilities int `json:"vulnerabilities"` // that the index holds
	Withdrawn       int `json:"withdrawn"`       // of these, rejected
	Placed          int `json:"placed"`          // of these, not rejected and with a product: that can match
	Forecasts       int `json:"forecasts"`       // that EPSS knows
	Missing         int `json:"missing"`         // that EPSS knows and the index does not hold
}

// Candidate is a vulnerability that speaks of a product. Its records have only Source,
// Origin, ID, Document, Withdrawn and those Affected that name the product;
// [Index.Details] gives the rest.
type Candidate struct {
	ID        string
	Withdrawn bool // as [Vulnerability.Withdrawn]
	Records   []Record
}

// ErrUnknown is what a look-up by id ends with when the index does not hold it.
var ErrUnknown = errors.New("not in the index")

// OpenFile opens an index file. Close it.
func OpenFile(path string) (*Index, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	x, err := Open(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	x.file = f
	return x, nil
}

// Open opens an index of so many bytes. r must stay as it is while the index is in use.
func Open(r io.ReaderAt, size int64) (*Index, error) {
	if size < int64(head+foot) {
		return nil, errors.New("this is no advisory index: it is too short")
	}
	start, err := readAt(r, 0, int64(head))
	if err != nil {
		return nil, fmt.Errorf("advisory index: %w", err)
	}
	if !bytes.HasPrefix(start, []byte(magic)) {
		return nil, errors.New("this is no advisory index")
	}
	if n := binary.LittleEndian.Uint32(start[len(magic):]); n != schema {
		return nil, fmt.Errorf("advisory index: it has schema %d, this program reads %d: make it anew", n, schema)
	}
	end, err := readAt(r, size-int64(foot), int64(foot))
	if err != nil {
		return nil, fmt.Errorf("advisory index: %w", err)
	}
	if !bytes.HasSuffix(end, []byte(magic)) {
		return nil, errors.New("advisory index: it is cut off, or something follows it")
	}
	at, length := binary.LittleEndian.Uint64(end), binary.LittleEndian.Uint32(end[8:])
	if length > 1<<16 || at != uint64(size)-uint64(foot)-uint64(length) {
		return nil, errors.New("advisory index: the table of its sections lies elsewhere than it says")
	}
	raw, err := readAt(r, int64(at), int64(length))
	if err != nil {
		return nil, fmt.Errorf("advisory index: %w", err)
	}
	if crc32.Checksum(raw, castagnoli()) != binary.LittleEndian.Uint32(end[12:]) {
		return nil, errors.New("advisory index: the table of its sections: checksum differs")
	}
	x := &Index{r: r, codec: newCodec()}
	if err := x.sections(string(raw), int64(at)); err != nil {
		return nil, fmt.Errorf("advisory index: the table of its sections: %w", err)
	}
	return x, nil
}

func (x *Index) sections(raw string, end int64) error {
	want := map[string]**column{inFacts: &x.facts, inAffected: &x.affected, inProse: &x.prose, inProducts: &x.products,
		inNames: &x.names, inAliases: &x.aliases, inForecasts: &x.forecasts, inInfo: &x.info}
	d := reader{b: raw}
	at := int64(head)
	for range d.n() {
		c := &column{name: d.s(), r: x.r, at: int64(d.u()), size: int64(d.u())}
		c.dirSize = int64(d.u())
		if b := d.bytes(4); len(b) == 4 {
			c.dirSum = binary.LittleEndian.Uint32([]byte(b))
		}
		if d.err != nil {
			return d.err
		}
		left := end - at
		if c.at != at || c.size < 0 || c.dirSize < 0 || c.size > left || c.dirSize > left-c.size {
			return fmt.Errorf("section %q lies outside", c.name)
		}
		c.dirAt = at + c.size
		at = c.dirAt + c.dirSize
		to := want[c.name]
		if to == nil || *to != nil {
			return fmt.Errorf("section %q is not expected", c.name)
		}
		*to = c
	}
	for name, c := range want {
		if *c == nil {
			return fmt.Errorf("there is no section %q", name)
		}
	}
	if at != end || d.b != "" {
		return errors.New("it does not end where it should")
	}
	return nil
}

// Close closes the file that [OpenFile] opened.
func (x *Index) Close() error {
	if x.file == nil {
		return nil
	}
	return x.file.Close()
}

// wrap says where an error comes from.
func wrap(err error) error {
	if err == nil || errors.Is(err, ErrUnknown) {
		return err
	}
	return fmt.Errorf("advisory index: %w", err)
}

// Info says what the index holds.
func (x *Index) Info() (Info, error) {
	var info Info
	b, err := x.info.block(0)
	if err != nil {
		return info, wrap(err)
	}
	if err := json.Unmarshal([]byte(b.body), &info); err != nil {
		return info, wrap(fmt.Errorf("section info: %w", err))
	}
	return info, nil
}

// Resolve returns the ids that a name stands for: the id itself, in the spelling of the
// index; else those of which it is an alias; or that the document of this name speaks of.
// There are none where the index does not know it.
func (x *Index) Resolve(name string) ([]string, error) {
	at, err := x.find(name)
	if err == nil {
		return []string{at.id}, nil
	}
	if !errors.Is(err, ErrUnknown) {
		return nil, wrap(err)
	}
	value, ok, err := x.aliases.lookup(strings.ToLower(name))
	if err != nil || !ok {
		return nil, wrap(err)
	}
	d := reader{b: value}
	ids := d.strings()
	if d.err != nil {
		return nil, wrap(fmt.Errorf("section aliases: %q: %w", name, d.err))
	}
	return ids, nil
}

// Vulnerability returns what is known of a vulnerability, by its id or an alias, in any
// case. Where a name is the alias of several it is the first of them: [Index.Resolve] says
// which there are. The error is [ErrUnknown] where the index does not know it. One that
// only EPSS knows has a single record, of EPSS.
func (x *Index) Vulnerability(id string) (*Vulnerability, error) { return x.vulnerability(id, true) }

// Details is [Index.Vulnerability] without Affected, Links and Text: it reads one small
// block.
func (x *Index) Details(id string) (*Vulnerability, error) { return x.vulnerability(id, false) }

func (x *Index) vulnerability(id string, all bool) (*Vulnerability, error) {
	at, err := x.find(id)
	if errors.Is(err, ErrUnknown) {
		ids, err := x.Resolve(id)
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return x.onlyForecast(id)
		}
		if at, err = x.find(ids[0]); err != nil {
			return nil, wrap(err)
		}
	} else if err != nil {
		return nil, wrap(err)
	}
	v, err := x.codec.vulnerability(at)
	if err != nil {
		return nil, wrap(fmt.Errorf("%q: %w", at.id, err))
	}
	if all {
		if err := x.fill(v, at.number); err != nil {
			return nil, wrap(fmt.Errorf("%q: %w", at.id, err))
		}
	}
	return v, wrap(x.addForecast(v))
}

// fill reads what Details leaves out.
func (x *Index) fill(v *Vulnerability, number uint64) error {
	d, err := x.affected.entry(number)
	if err != nil {
		return err
	}
	m := &slabs{}
	for i := range v.Records {
		v.Records[i].Affected = readAffected(d, Product{}, m)
	}
	if d.err != nil {
		return d.err
	}
	if d, err = x.prose.entry(number); err != nil {
		return err
	}
	d.dict = false
	for i := range v.Records {
		readProse(d, &v.Records[i])
	}
	return d.err
}

func (x *Index) onlyForecast(id string) (*Vulnerability, error) {
	year, number, ok := parseCVE(id)
	if !ok {
		return nil, ErrUnknown
	}
	v := &Vulnerability{ID: cveID(uint64(year), uint64(number))}
	if err := x.addForecast(v); err != nil {
		return nil, wrap(err)
	}
	if len(v.Records) == 0 {
		return nil, ErrUnknown
	}
	return v, nil
}

// addForecast adds a record of EPSS, where it knows the id.
func (x *Index) addForecast(v *Vulnerability) error {
	year, number, ok := parseCVE(v.ID)
	if !ok {
		return nil
	}
	f, ok, err := x.forecast(year, number)
	if err != nil || !ok {
		return err
	}
	v.Records = append(v.Records, f.record(v.ID))
	return nil
}

func (f forecast) record(id string) Record {
	out := &Forecast{Probability: whole(uint64(f.probability)), Percentile: whole(uint64(f.percentile))}
	if f.at != 0 {
		out.At = time.Unix(f.at, 0).UTC()
	}
	return Record{Source: EPSS, ID: id, Modified: out.At, Forecast: out}
}

// place is where a vulnerability was found.
type place struct {
	id     string
	number uint64
	facts  *reader // behind the id
}

// find looks an id up among the facts.
func (x *Index) find(id string) (place, error) {
	dir, err := x.facts.directory()
	if err != nil {
		return place{}, err
	}
	want := keyOf(id)
	i := sort.Search(len(dir), func(i int) bool { return keyOf(dir[i].key).compare(want) > 0 }) - 1
	if i < 0 {
		return place{}, ErrUnknown
	}
	b, err := x.facts.block(i)
	if err != nil {
		return place{}, err
	}
	d := b.reader(0)
	for number := dir[i].first; d.b != ""; number++ {
		e := reader{b: d.bytes(d.n()), strs: d.strs, dict: true}
		if want.year != 0 { // without making a string of each id
			f := e
			if uint64(want.year) != f.u() || uint64(want.number) != f.u() || f.err != nil {
				if d.err != nil {
					break
				}
				continue
			}
		}
		got := readID(&e)
		if d.err != nil || e.err != nil {
			return place{}, fmt.Errorf("section facts: block %d: %w", i, errShort)
		}
		if keyOf(got) == want {
			return place{got, number, &reader{b: e.b, strs: e.strs, dict: true}}, nil
		}
	}
	if d.err != nil {
		return place{}, fmt.Errorf("section facts: block %d: %w", i, d.err)
	}
	return place{}, ErrUnknown
}

// vulnerability reads the facts at a place.
func (c *codec) vulnerability(at place) (*Vulnerability, error) {
	v := &Vulnerability{ID: at.id, Records: make([]Record, at.facts.count(8))}
	if len(v.Records) == 0 {
		return nil, errors.New("it has no records")
	}
	for i := range v.Records {
		v.Records[i] = c.readFacts(at.facts, at.id)
	}
	if at.facts.err != nil {
		return nil, at.facts.err
	}
	v.settle()
	return v, nil
}

// entry finds the entry of a vulnerability in a section that is ordered by their numbers.
func (c *column) entry(number uint64) (*reader, error) {
	dir, err := c.directory()
	if err != nil {
		return nil, err
	}
	i := sort.Search(len(dir), func(i int) bool { return dir[i].first > number }) - 1
	if i < 0 {
		return nil, fmt.Errorf("section %s: it does not hold number %d", c.name, number)
	}
	b, err := c.block(i)
	if err != nil {
		return nil, err
	}
	d := b.reader(0)
	for n := dir[i].first; d.b != ""; n++ {
		e := d.bytes(d.n())
		if n == number && d.err == nil {
			return &reader{b: e, strs: d.strs, dict: true}, nil
		}
	}
	return nil, fmt.Errorf("section %s: block %d does not hold number %d", c.name, i, number)
}

// lookup finds a key of a table.
func (c *column) lookup(key string) (string, bool, error) {
	for k, v := range c.from(key) {
		if v.err != nil {
			return "", false, v.err
		}
		return v.value, k == key, nil
	}
	return "", false, nil
}

type valueOr struct {
	value string
	err   error
}

// from runs over a table from a key on, which need not be there.
func (c *column) from(start string) iter.Seq2[string, valueOr] {
	return func(yield func(string, valueOr) bool) {
		dir, err := c.directory()
		if err != nil {
			yield("", valueOr{err: err})
			return
		}
		var key []byte
		first := max(0, sort.Search(len(dir), func(i int) bool { return dir[i].key > start })-1)
		for i := first; i < len(dir); i++ {
			b, err := c.block(i)
			if err != nil {
				yield("", valueOr{err: err})
				return
			}
			d := b.reader(0)
			d.dict = false
			key = key[:0]
			for d.b != "" {
				if same := d.u(); same > uint64(len(key)) {
					d.fail()
				} else {
					key = append(key[:same], d.s()...)
				}
				value := d.s()
				if d.err != nil {
					yield("", valueOr{err: fmt.Errorf("section %s: block %d: %w", c.name, i, d.err)})
					return
				}
				if string(key) >= start && !yield(string(key), valueOr{value: value}) {
					return
				}
			}
		}
	}
}

// ByCPE returns the vulnerabilities that speak of the CPE product, of any part, in the
// order of their ids. Vendor and product are unescaped; their case does not count.
func (x *Index) ByCPE(vendor, product string) ([]Candidate, error) {
	return x.by(Product{By: ByCPE, Vendor: strings.ToLower(vendor), Name: strings.ToLower(product)})
}

// ByCPEProduct returns the vendors of CPE products of this name, sorted.
func (x *Index) ByCPEProduct(product string) ([]string, error) {
	prefix := "c" + zero + strings.ToLower(product) + zero
	var out []string
	for k, v := range x.names.from(prefix) {
		if v.err != nil {
			return nil, wrap(v.err)
		}
		vendor, ok := strings.CutPrefix(k, prefix)
		if !ok {
			break
		}
		out = append(out, vendor)
	}
	return out, nil
}

// ByPackage returns the vulnerabilities that speak of the package, in the order of their
// ids. Ecosystem and name are as the source spells them.
func (x *Index) ByPackage(ecosystem, name string) ([]Candidate, error) {
	return x.by(Product{By: ByPackage, Ecosystem: ecosystem, Name: name})
}

// ByName returns the vulnerabilities that speak of a product by the names that people
// write, as [Index.Names] gives them, in the order of their ids.
func (x *Index) ByName(vendor, name string) ([]Candidate, error) {
	return x.by(Product{By: ByName, Vendor: vendor, Name: name})
}

// Names runs over the products that are named as people write, sorted by vendor.
func (x *Index) Names() iter.Seq2[Product, error] { return x.productsFrom("n" + zero) }

// Products runs over all names of products: By and the names are set, nothing else.
func (x *Index) Products() iter.Seq2[Product, error] { return x.productsFrom("") }

func (x *Index) productsFrom(prefix string) iter.Seq2[Product, error] {
	return func(yield func(Product, error) bool) {
		for k, v := range x.names.from(prefix) {
			if v.err != nil {
				yield(Product{}, wrap(v.err))
				return
			}
			if !strings.HasPrefix(k, prefix) {
				return
			}
			p, ok := productOf(k)
			if !ok {
				yield(Product{}, wrap(fmt.Errorf("section names: %q is no name", k)))
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Each runs over the vulnerabilities that speak of a product, in the order of their ids,
// and holds but one of them at a time: a candidate, and all that it refers to but strings,
// is void when the next one comes or there is none. Of the product, By and the names count. It ends at the
// first error.
func (x *Index) Each(p Product) iter.Seq2[*Candidate, error] {
	return func(yield func(*Candidate, error) bool) {
		m, _ := x.slabs.Get().(*slabs)
		if m == nil {
			m = &slabs{}
		}
		var held Candidate
		_, err := x.each(p, m, func(c Candidate) bool {
			held = c
			more := yield(&held, nil)
			m.again()
			return more
		})
		m.again()
		x.slabs.Put(m)
		if err != nil {
			yield(nil, err)
		}
	}
}

func (x *Index) by(p Product) ([]Candidate, error) {
	var out []Candidate
	n, err := x.each(p, &slabs{}, func(c Candidate) bool {
		out = append(out, c)
		return true
	})
	if err != nil || n == 0 {
		return nil, err
	}
	return out, nil
}

// each reads the candidates of a product, into m, and says how many there are.
func (x *Index) each(p Product, m *slabs, yield func(Candidate) bool) (int, error) {
	key := string(appendNameKey(nil, &p))
	p, _ = productOf(key)
	value, ok, err := x.names.lookup(key)
	if err != nil || !ok {
		return 0, wrap(err)
	}
	at := reader{b: value}
	number, offset, n := at.u(), at.u(), at.u()
	b, err := x.products.block(int(number))
	if err != nil {
		return 0, wrap(err)
	}
	d := b.reader(int(offset))
	if at.err != nil || d.err != nil || n > uint64(len(d.b)) {
		return 0, wrap(fmt.Errorf("section names: %q: %w", key, errShort))
	}
	for range n {
		c := readCandidate(d, p, m)
		if d.err != nil {
			return 0, wrap(fmt.Errorf("section products: block %d: %w", number, d.err))
		}
		if !yield(c) {
			break
		}
	}
	return int(n), nil
}

// All runs over all vulnerabilities that have a record other than of EPSS, in the order
// of their ids: CVE ids by year and number, then others. It ends at the first error.
func (x *Index) All() iter.Seq2[*Vulnerability, error] {
	return func(yield func(*Vulnerability, error) bool) {
		dir, err := x.facts.directory()
		if err != nil {
			yield(nil, wrap(err))
			return
		}
		for i := range dir {
			b, err := x.facts.block(i)
			if err != nil {
				yield(nil, wrap(err))
				return
			}
			d := b.reader(0)
			for number := dir[i].first; d.b != ""; number++ {
				e := &reader{b: d.bytes(d.n()), strs: d.strs, dict: true}
				at := place{readID(e), number, e}
				v, err := x.codec.vulnerability(at)
				if err == nil {
					err = x.fill(v, number)
				}
				if err == nil {
					err = x.addForecast(v)
				}
				if err != nil {
					yield(nil, wrap(fmt.Errorf("%q: %w", at.id, err)))
					return
				}
				if !yield(v, nil) {
					return
				}
			}
		}
	}
}

// forecast looks an id up in the block of its year.
func (x *Index) forecast(year, number uint32) (forecast, bool, error) {
	dir, err := x.forecasts.directory()
	if err != nil || len(dir) == 0 {
		return forecast{}, false, err
	}
	i, ok := slices.BinarySearchFunc(dir[1:], uint64(year), func(e entry, year uint64) int {
		switch {
		case e.first < year:
			return -1
		case e.first > year:
			return 1
		}
		return 0
	})
	if !ok {
		return forecast{}, false, nil
	}
	y, err := x.yearOf(i + 1)
	if err != nil {
		return forecast{}, false, err
	}
	at, ok := slices.BinarySearch(y.numbers, number)
	if !ok {
		return forecast{}, false, nil
	}
	f, err := x.value(y, at)
	return f, err == nil, err
}
