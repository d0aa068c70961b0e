package advisory

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The file: a head (magic and schema), the sections one after the other, each followed by
// its directory, then a table of the sections, then a foot that says where the table is.
const (
	magic  = "vesalius advisories\n"
	schema = 1
	head   = len(magic) + 4
	foot   = 8 + 4 + 4 + len(magic) // place, size and checksum of the table, and the magic again
)

// The sections.
const (
	inFacts     = "facts"     // all of a record but what follows, by vulnerability
	inAffected  = "affected"  // by vulnerability
	inProse     = "prose"     // texts and links, by vulnerability
	inProducts  = "products"  // what is said of each product: id, source, affected
	inNames     = "names"     // names of products -> where in products
	inAliases   = "aliases"   // aliases and documents -> ids
	inForecasts = "forecasts" // EPSS: a block of values, then a block for each year
	inInfo      = "info"
)

// How large blocks become, before they are compressed: small ones are read fast, large
// ones compress well.
const (
	factsBlock    = 8 << 10
	affectedBlock = 32 << 10
	proseBlock    = 64 << 10
	productsBlock = 8 << 10
	namesBlock    = 4 << 10
)

// output is an index in the making.
type output struct {
	b         *Builder
	facts     *section
	affected  *section
	prose     *section
	products  *section
	names     *section
	aliases   *section
	forecasts *section
	info      *section

	packs    [3]packer // of facts, affected, prose
	firstID  string    // of the facts' block
	numbers  [3]uint64 // of the first vulnerability in each block
	number   uint64
	global   dict                // strings of postings
	postings map[string]*posting // by nameKey
	said     []said              // for post, as the two that follow
	scratch  []Affected
	key      []byte
	others   []alias
	sources  map[Source]*SourceInfo
	years    map[int]*YearInfo
	sum      Info
}

type posting struct {
	of Product
	w  writer
	n  int
}

type said struct {
	record int
	what   *Affected
}

type alias struct{ name, id string }

// Write makes the index. It ends the builder: its memory is given back while it writes.
func (b *Builder) Write(w io.Writer) (Info, error) {
	b.mu.Lock()
	done := b.done
	b.done = true
	b.mu.Unlock()
	if done {
		return Info{}, errDone
	}
	level := func(small, large int) int {
		if b.opts.Small {
			return small
		}
		return large
	}
	make := func(name string, level int) *section { return &section{name: name, level: level, pool: b.pool} }
	o := &output{b: b,
		facts: make(inFacts, level(9, 0)), affected: make(inAffected, level(9, 6)), prose: make(inProse, level(9, 6)),
		products: make(inProducts, level(9, 0)), names: make(inNames, level(9, 0)), aliases: make(inAliases, level(9, 6)),
		forecasts: make(inForecasts, level(9, 6)), info: make(inInfo, level(9, 0)),
		postings: map[string]*posting{}, sources: map[Source]*SourceInfo{}, years: map[int]*YearInfo{}}
	if err := o.records(); err != nil {
		return Info{}, fmt.Errorf("advisory builder: %w", err)
	}
	for _, step := range []func() error{o.writeProducts, o.writeAliases, o.writeForecasts, o.writeInfo} {
		if err := step(); err != nil {
			return Info{}, fmt.Errorf("advisory builder: %w", err)
		}
	}
	if err := o.writeFile(w); err != nil {
		return Info{}, fmt.Errorf("advisory builder: %w", err)
	}
	return o.sum, nil
}

// records takes bucket after bucket; the next is decoded meanwhile.
func (o *output) records() error {
	type result struct {
		all []*Vulnerability
		err error
	}
	keys := slices.SortedFunc(maps.Keys(o.b.buckets), bucketKey.compare)
	results := make(chan result, 1)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(results)
		for _, k := range keys {
			all, err := o.b.vulnerabilities(o.b.buckets[k])
			delete(o.b.buckets, k)
			select {
			case results <- result{all, err}:
			case <-stop:
				return
			}
		}
	}()
	for r := range results {
		if r.err != nil {
			return r.err
		}
		for _, v := range r.all {
			if err := o.vulnerability(v); err != nil {
				return fmt.Errorf("%q: %w", v.ID, err)
			}
		}
	}
	return o.flush(0)
}

// vulnerability writes one into the three sections by vulnerability, and what it says of
// products to the products.
func (o *output) vulnerability(v *Vulnerability) error {
	k := keyOf(v.ID)
	o.count(v, k)
	if o.packs[0].n == 0 {
		o.firstID = strings.Clone(v.ID)
	}
	for i := range o.packs {
		p := &o.packs[i]
		if p.n == 0 {
			o.numbers[i] = o.number
		}
		p.n++
	}
	sized(o.packs[0].writer(), func(w *writer) {
		writeID(w, v.ID)
		w.n(len(v.Records))
		for i := range v.Records {
			o.b.codec.facts(w, &v.Records[i])
		}
	})
	sized(o.packs[1].writer(), func(w *writer) {
		for i := range v.Records {
			affected(w, v.Records[i].Affected, Product{})
		}
	})
	sized(o.packs[2].writer(), func(w *writer) {
		w.d = nil // nothing in it comes twice
		for i := range v.Records {
			prose(w, &v.Records[i])
		}
	})
	o.number++
	o.post(v)
	for _, name := range v.Aliases {
		o.others = append(o.others, alias{strings.Clone(strings.ToLower(name)), strings.Clone(v.ID)})
	}
	for _, name := range v.Documents() {
		if !strings.EqualFold(name, v.ID) {
			o.others = append(o.others, alias{strings.Clone(strings.ToLower(name)), strings.Clone(v.ID)})
		}
	}
	return o.flush(1)
}

// sized writes a thing with its size before it, so that it can be passed over.
func sized(w *writer, write func(*writer)) {
	at := len(w.b)
	write(w)
	size := len(w.b) - at
	w.n(size) // behind it, and now before it
	n := len(w.b) - at - size
	var head [10]byte
	copy(head[:], w.b[at+size:])
	copy(w.b[at+n:], w.b[at:at+size])
	copy(w.b[at:], head[:n])
}

// flush ends the blocks that are full, or with 0, all.
func (o *output) flush(full int) error {
	limits := [3]int{factsBlock, affectedBlock, proseBlock}
	for i, s := range []*section{o.facts, o.affected, o.prose} {
		p := &o.packs[i]
		if p.n == 0 || p.size() < limits[i]*full {
			continue
		}
		id := ""
		if i == 0 {
			id = o.firstID
		}
		if err := s.add(p.seal(), o.numbers[i], id); err != nil {
			return err
		}
	}
	return nil
}

func (o *output) count(v *Vulnerability, k key) {
	o.sum.Vulnerabilities++
	if k.year != 0 {
		y := o.year(int(k.year))
		y.Vulnerabilities++
		switch {
		case v.Withdrawn():
			y.Withdrawn++
		case slices.ContainsFunc(v.Records, func(r Record) bool { return len(r.Affected) > 0 }):
			y.Placed++
		}
		if _, ok := o.b.forecasts[cveKey{k.year, k.number}]; ok {
			y.Missing-- // of its Forecasts, which are added when all are counted
		}
	}
	for i := range v.Records {
		r := &v.Records[i]
		s := o.source(r.Source)
		s.Records++
		at := r.Modified
		if at.IsZero() {
			at = r.Published
		}
		s.date(at)
	}
}

func (o *output) year(y int) *YearInfo {
	if o.years[y] == nil {
		o.years[y] = &YearInfo{Year: y}
	}
	return o.years[y]
}

func (o *output) source(s Source) *SourceInfo {
	if o.sources[s] == nil {
		o.sources[s] = &SourceInfo{Source: s}
	}
	return o.sources[s]
}

func (s *SourceInfo) date(t time.Time) {
	if t.IsZero() {
		return
	}
	s.Newest = newest(s.Newest, t)
	if s.Oldest.IsZero() || t.Before(s.Oldest) {
		s.Oldest = t
	}
}

// post adds to each product what the vulnerability's records say of it.
func (o *output) post(v *Vulnerability) {
	all := o.said[:0]
	for i := range v.Records {
		for j := range v.Records[i].Affected {
			all = append(all, said{i, &v.Records[i].Affected[j]})
		}
	}
	o.said = all
	slices.SortStableFunc(all, func(a, b said) int {
		if c := compareProducts(&a.what.Product, &b.what.Product); c != 0 {
			return c
		}
		return cmp.Compare(a.record, b.record)
	})
	c := Candidate{ID: v.ID, Withdrawn: len(all) > 0 && v.Withdrawn()}
	for i := 0; i < len(all); {
		first := &all[i].what.Product
		c.Records, o.scratch = c.Records[:0], o.scratch[:0]
		for i < len(all) && compareProducts(first, &all[i].what.Product) == 0 {
			n, from := all[i].record, len(o.scratch)
			for ; i < len(all) && all[i].record == n && compareProducts(first, &all[i].what.Product) == 0; i++ {
				o.scratch = append(o.scratch, *all[i].what)
			}
			r := &v.Records[n]
			c.Records = append(c.Records, Record{Source: r.Source, Origin: r.Origin, Document: r.Document, Withdrawn: r.Withdrawn, Affected: o.scratch[from:]})
		}
		o.key = appendNameKey(o.key[:0], first)
		to := o.postings[string(o.key)]
		if to == nil {
			to = &posting{w: writer{d: &o.global}}
			to.of, _ = productOf(string(o.key))
			o.postings[string(o.key)] = to
		}
		to.n++
		candidate(&to.w, &c, to.of)
	}
}

func candidate(w *writer, c *Candidate, of Product) {
	writeID(w, c.ID)
	flag(w, c.Withdrawn)
	w.n(len(c.Records))
	for i := range c.Records {
		r := &c.Records[i]
		w.s(string(r.Source))
		w.s(r.Origin)
		w.s(r.Document)
		flag(w, r.Withdrawn)
		affected(w, r.Affected, of)
	}
}

func flag(w *writer, is bool) {
	if is {
		w.u(1)
	} else {
		w.u(0)
	}
}

func readCandidate(d *reader, of Product, m *slabs) Candidate {
	c := Candidate{ID: readID(d), Withdrawn: d.u() != 0}
	c.Records = m.records.take(d.count(5))
	for i := range c.Records {
		r := &c.Records[i]
		r.ID = c.ID
		r.Source = Source(d.s())
		r.Origin, r.Document = d.s(), d.s()
		r.Withdrawn = d.u() != 0
		r.Affected = readAffected(d, of, m)
	}
	return c
}

// writeProducts writes what was said of each product, and the table of their names.
func (o *output) writeProducts() error {
	all := slices.SortedFunc(maps.Values(o.postings), func(a, b *posting) int { return compareProducts(&a.of, &b.of) })
	o.postings = nil
	o.sum.Products = len(all)
	type name struct{ key, value string }
	names := make([]name, 0, len(all))
	var p packer
	m := &slabs{}
	blocks := uint64(0)
	for i, from := range all {
		all[i] = nil
		w := p.writer()
		value := writer{}
		value.u(blocks)
		value.n(len(w.b)) // where in the block
		value.n(from.n)
		names = append(names, name{string(appendNameKey(nil, &from.of)), string(value.b)})
		d := reader{b: string(from.w.b), strs: o.global.list, dict: true}
		for range from.n {
			c := readCandidate(&d, from.of, m)
			candidate(w, &c, from.of)
		}
		if d.err != nil {
			return d.err
		}
		if p.size() >= productsBlock {
			if err := o.products.add(p.seal(), blocks, ""); err != nil {
				return err
			}
			blocks++
		}
	}
	if len(p.w.b) > 0 {
		if err := o.products.add(p.seal(), blocks, ""); err != nil {
			return err
		}
	}
	o.global = dict{}
	slices.SortFunc(names, func(a, b name) int { return strings.Compare(a.key, b.key) })
	t := table{to: o.names}
	for _, n := range names {
		if err := t.add(n.key, n.value); err != nil {
			return err
		}
	}
	return t.end()
}

// writeAliases writes which ids another name stands for.
func (o *output) writeAliases() error {
	slices.SortFunc(o.others, func(a, b alias) int {
		return cmp.Or(strings.Compare(a.name, b.name), keyOf(a.id).compare(keyOf(b.id)))
	})
	o.others = slices.Compact(o.others)
	t := table{to: o.aliases}
	for i := 0; i < len(o.others); {
		name := o.others[i].name
		var ids []string
		for ; i < len(o.others) && o.others[i].name == name; i++ {
			ids = append(ids, o.others[i].id)
		}
		w := writer{}
		w.strings(ids)
		if err := t.add(name, string(w.b)); err != nil {
			return err
		}
	}
	o.others = nil
	return t.end()
}

// table writes keys, which come sorted, and values. A key is written as how much of the
// key before it stays, and what follows.
type table struct {
	to     *section
	p      packer
	first  string
	before string
	n      uint64
}

func (t *table) add(key, value string) error {
	w := t.p.writer()
	w.d = nil
	if t.p.n == 0 {
		t.first, t.before = key, ""
	}
	t.p.n++
	same := 0
	for same < min(len(key), len(t.before)) && key[same] == t.before[same] {
		same++
	}
	w.n(same)
	w.s(key[same:])
	w.s(value)
	t.before = key
	t.n++
	if len(w.b) >= namesBlock {
		return t.end()
	}
	return nil
}

func (t *table) end() error {
	if t.p.n == 0 {
		return nil
	}
	n := t.n - uint64(t.p.n)
	return t.to.add(t.p.seal(), n, t.first)
}

// writeForecasts writes the distinct values once, and for each id of a year which it has.
func (o *output) writeForecasts() error {
	all := o.b.forecasts
	o.b.forecasts = nil
	if len(all) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(all), func(a, b cveKey) int {
		return cmp.Or(cmp.Compare(a.year, b.year), cmp.Compare(a.number, b.number))
	})
	place := map[forecast]int{}
	for _, f := range all {
		place[f] = 0
	}
	values := slices.SortedFunc(maps.Keys(place), forecast.compare)
	var p packer
	w := p.writer()
	w.n(len(values))
	var last forecast
	s := o.source(EPSS)
	for i, f := range values {
		place[f] = i
		w.i(f.at - last.at)
		w.i(int64(f.probability) - int64(last.probability))
		w.i(int64(f.percentile) - int64(last.percentile))
		last = f
		if f.at != 0 {
			s.date(time.Unix(f.at, 0).UTC())
		}
	}
	s.Records = len(keys)
	if err := o.forecasts.add(p.seal(), 0, ""); err != nil {
		return err
	}
	for i := 0; i < len(keys); {
		year := keys[i].year
		end := i
		for end < len(keys) && keys[end].year == year {
			end++
		}
		y := o.year(int(year))
		y.Forecasts = end - i
		y.Missing += y.Forecasts
		w := p.writer()
		w.n(end - i)
		number := uint32(0)
		for _, k := range keys[i:end] {
			w.u(uint64(k.number - number))
			number = k.number
		}
		for _, k := range keys[i:end] { // of a fixed size, to be found by place
			v := place[all[k]]
			w.b = append(w.b, byte(v), byte(v>>8), byte(v>>16))
		}
		if err := o.forecasts.add(p.seal(), uint64(year), ""); err != nil {
			return err
		}
		i = end
	}
	return nil
}

func (o *output) writeInfo() error {
	for source, files := range o.b.files {
		o.source(source).Files = slices.Sorted(maps.Keys(files))
	}
	for _, s := range o.sources {
		s.Files = s.Files[:min(len(s.Files), filesAtMost)]
		o.sum.Sources = append(o.sum.Sources, *s)
		o.sum.Date = newest(o.sum.Date, s.Newest)
	}
	slices.SortFunc(o.sum.Sources, func(a, b SourceInfo) int {
		return cmp.Or(cmp.Compare(priority(a.Source), priority(b.Source)), strings.Compare(string(a.Source), string(b.Source)))
	})
	for _, y := range o.years {
		o.sum.Years = append(o.sum.Years, *y)
	}
	slices.SortFunc(o.sum.Years, func(a, b YearInfo) int { return cmp.Compare(a.Year, b.Year) })
	o.sum.Schema, o.sum.Chosen = schema, o.b.opts.Chosen
	text, err := json.Marshal(o.sum)
	if err != nil {
		return err
	}
	var p packer
	p.writer().b = append(p.w.b, text...)
	return o.info.add(p.seal(), 0, "")
}

func (o *output) writeFile(w io.Writer) error {
	if _, err := w.Write(binary.LittleEndian.AppendUint32([]byte(magic), schema)); err != nil {
		return err
	}
	at := int64(head)
	var t writer
	sections := []*section{o.facts, o.affected, o.prose, o.products, o.names, o.aliases, o.forecasts, o.info}
	t.n(len(sections))
	for _, s := range sections {
		dir, err := s.finish()
		if err != nil {
			return err
		}
		from := at
		for _, b := range append(s.blocks, dir) {
			if _, err := w.Write(b); err != nil {
				return err
			}
			at += int64(len(b))
		}
		s.blocks = nil
		t.s(s.name)
		t.u(uint64(from))
		t.u(uint64(at - int64(len(dir)) - from))
		t.n(len(dir))
		t.b = binary.LittleEndian.AppendUint32(t.b, crc32.Checksum(dir, castagnoli()))
	}
	size := len(t.b)
	sum := crc32.Checksum(t.b, castagnoli())
	t.b = binary.LittleEndian.AppendUint64(t.b, uint64(at))
	t.b = binary.LittleEndian.AppendUint32(t.b, uint32(size))
	t.b = binary.LittleEndian.AppendUint32(t.b, sum)
	t.b = append(t.b, magic...)
	_, err := w.Write(t.b)
	return err
}

// WriteFile makes the index at path: in a temporary file beside it, which takes its place
// only when it is whole and on the disk. Whatever happens meanwhile, an index that was
// there stays as it was.
func (b *Builder) WriteFile(path string) (Info, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return Info{}, err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone when all went well
	defer f.Close()
	info, err := b.Write(f)
	if err != nil {
		return Info{}, err
	}
	if err := f.Chmod(0o644); err != nil {
		return Info{}, err
	}
	if err := f.Sync(); err != nil {
		return Info{}, err
	}
	if err := f.Close(); err != nil {
		return Info{}, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return Info{}, err
	}
	return info, syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	_ = d.Sync() // a file system that cannot do that has renamed the file nevertheless
	return nil
}
