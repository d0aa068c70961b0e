package advisory

import "math"

// codec writes records and reads them again, in three parts that lie apart in the index:
// facts (all but the rest), affected, and prose (texts and links).
type codec struct{ vectors vectors }

func newCodec() *codec { return &codec{vectors: schemes()} }

// Flags of facts.
const (
	isWithdrawn = 1 << iota
	isExploited
	isRansomware
	isForecast
	hasFiles
	hasAdvice
	hasAliases
)

func (c *codec) facts(w *writer, r *Record) {
	var flags uint64
	set := func(flag uint64, is bool) {
		if is {
			flags |= flag
		}
	}
	set(isWithdrawn, r.Withdrawn)
	set(isExploited, r.Exploited != nil)
	set(isRansomware, r.Exploited != nil && r.Exploited.Ransomware)
	set(isForecast, r.Forecast != nil)
	set(hasFiles, len(r.Files) > 0)
	set(hasAdvice, len(r.Advice) > 0)
	set(hasAliases, len(r.Aliases) > 0)
	w.u(flags)
	w.s(string(r.Source))
	w.s(r.Origin)
	w.s(r.Document)
	w.time(r.Published)
	w.time(r.Modified)
	w.n(len(r.CWE))
	for _, n := range r.CWE {
		w.i(int64(n))
	}
	w.n(len(r.Scores))
	for _, s := range r.Scores {
		if code, ok := c.vectors.pack(s.Vector); ok {
			w.u(code + 1)
		} else {
			w.u(0)
			w.s(s.Vector)
		}
		w.s(s.By)
	}
	if r.Exploited != nil {
		w.time(r.Exploited.Added)
		w.time(r.Exploited.Due)
	}
	if f := r.Forecast; f != nil {
		w.u(parts(f.Probability))
		w.u(parts(f.Percentile))
		w.time(f.At)
	}
	if len(r.Files) > 0 {
		w.strings(r.Files)
	}
	if len(r.Advice) > 0 {
		w.n(len(r.Advice))
		for _, a := range r.Advice {
			w.s(a.Kind)
			w.strings(a.Products)
			w.s(a.Link)
			w.s(a.Text)
		}
	}
	if len(r.Aliases) > 0 {
		w.strings(r.Aliases)
	}
}

func (c *codec) readFacts(d *reader, id string) Record {
	r := Record{ID: id}
	flags := d.u()
	r.Withdrawn = flags&isWithdrawn != 0
	r.Source = Source(d.s())
	r.Origin = d.s()
	r.Document = d.s()
	r.Published = d.time()
	r.Modified = d.time()
	if n := d.n(); n > 0 {
		r.CWE = make([]int, n)
		for i := range r.CWE {
			r.CWE[i] = int(d.i())
		}
	}
	if n := d.n(); n > 0 {
		r.Scores = make([]Score, n)
		for i := range r.Scores {
			s := &r.Scores[i]
			if code := d.u(); code > 0 {
				s.Vector = c.vectors.unpack(code - 1)
			} else {
				s.Vector = d.s()
			}
			s.By = d.s()
		}
	}
	if flags&isExploited != 0 {
		r.Exploited = &Exploited{Added: d.time(), Due: d.time(), Ransomware: flags&isRansomware != 0}
	}
	if flags&isForecast != 0 {
		r.Forecast = &Forecast{Probability: whole(d.u()), Percentile: whole(d.u()), At: d.time()}
	}
	if flags&hasFiles != 0 {
		r.Files = d.strings()
	}
	if flags&hasAdvice != 0 {
		r.Advice = make([]Advice, d.count(4))
		for i := range r.Advice {
			r.Advice[i] = Advice{Kind: d.s(), Products: d.strings(), Link: d.s(), Text: d.s()}
		}
	}
	if flags&hasAliases != 0 {
		r.Aliases = d.strings()
	}
	return r
}

// parts and whole: a share in hundred-thousandths, which is what EPSS publishes.
func parts(v float64) uint64 { return uint64(math.Round(min(max(v, 0), 1) * 1e5)) }
func whole(v uint64) float64 { return float64(v) / 1e5 }

func prose(w *writer, r *Record) {
	w.strings(r.Links)
	w.s(r.Text)
}

func readProse(d *reader, r *Record) {
	r.Links = d.strings()
	r.Text = d.s()
}

// Flags of a product.
const (
	sameProduct = 1 << iota // By, Vendor, Name and Ecosystem are those of the product before
	partA
	partO
	partH
	hasUpdate
	hasEdition
	hasLanguage
	hasSoftwareEdition
	hasTargetSoftware
	hasTargetHardware
	hasOther
)

// product writes p; before is the one that was written before it, and becomes p.
func product(w *writer, p, before *Product) {
	var flags uint64
	if p.By == before.By && p.Vendor == before.Vendor && p.Name == before.Name && p.Ecosystem == before.Ecosystem {
		flags |= sameProduct
	}
	switch p.Part {
	case "a":
		flags |= partA
	case "o":
		flags |= partO
	case "h":
		flags |= partH
	}
	rest := [...]string{p.Update, p.Edition, p.Language, p.SoftwareEdition, p.TargetSoftware, p.TargetHardware, p.Other}
	for i, s := range rest {
		if s != "" {
			flags |= hasUpdate << i
		}
	}
	w.u(flags)
	if flags&sameProduct == 0 {
		w.s(p.By)
		w.s(p.Vendor)
		w.s(p.Name)
		w.s(p.Ecosystem)
	}
	for _, s := range rest {
		if s != "" {
			w.s(s)
		}
	}
	*before = *p
}

func readProduct(d *reader, before *Product) Product {
	var p Product
	flags := d.u()
	if flags&sameProduct != 0 {
		p.By, p.Vendor, p.Name, p.Ecosystem = before.By, before.Vendor, before.Name, before.Ecosystem
	} else {
		p.By, p.Vendor, p.Name, p.Ecosystem = d.s(), d.s(), d.s(), d.s()
	}
	switch {
	case flags&partA != 0:
		p.Part = "a"
	case flags&partO != 0:
		p.Part = "o"
	case flags&partH != 0:
		p.Part = "h"
	}
	if flags >= hasUpdate {
		for i, s := range [...]*string{&p.Update, &p.Edition, &p.Language, &p.SoftwareEdition, &p.TargetSoftware, &p.TargetHardware, &p.Other} {
			if flags&(hasUpdate<<i) != 0 {
				*s = d.s()
			}
		}
	}
	*before = p
	return p
}

// Flags of a range.
const (
	hasFrom = 1 << iota
	hasTo
	isSingle // To is From
	isAfter
	isLast
	hasRaw
	hasScheme
	sameScheme // as the range before
)

func ranges(w *writer, all []Range) {
	w.n(len(all))
	before := ""
	for i := range all {
		r := &all[i]
		var flags uint64
		if r.From != "" {
			flags |= hasFrom
		}
		switch r.To {
		case "":
		case r.From:
			flags |= isSingle
		default:
			flags |= hasTo
		}
		if r.After {
			flags |= isAfter
		}
		if r.Last {
			flags |= isLast
		}
		if r.Raw != "" {
			flags |= hasRaw
		}
		switch r.Scheme {
		case "":
		case before:
			flags |= sameScheme
		default:
			flags |= hasScheme
		}
		w.u(flags)
		if flags&hasFrom != 0 {
			w.s(r.From)
		}
		if flags&hasTo != 0 {
			w.s(r.To)
		}
		if flags&hasRaw != 0 {
			w.s(r.Raw)
		}
		if flags&hasScheme != 0 {
			w.s(r.Scheme)
		}
		before = r.Scheme
	}
}

// slab hands out pieces of larger slices: an index with ten thousand vulnerabilities of
// one product is read without ten thousand allocations.
type slab[T any] struct {
	all  []T
	used int
}

func (s *slab[T]) take(n int) []T {
	if n == 0 {
		return nil
	}
	if n > len(s.all)-s.used {
		s.all = make([]T, max(n, min(max(2*len(s.all), 8), 512)))
		s.used = 0
	}
	out := s.all[s.used : s.used+n : s.used+n]
	s.used += n
	return out
}

// again makes what was handed out free.
func (s *slab[T]) again() {
	clear(s.all[:s.used])
	s.used = 0
}

// slabs are what is read into.
type slabs struct {
	ranges   slab[Range]
	affected slab[Affected]
	records  slab[Record]
	withs    slab[AnyOf]
	parts    slab[Part]
}

// again makes what was read void.
func (s *slabs) again() {
	s.ranges.again()
	s.affected.again()
	s.records.again()
	s.withs.again()
	s.parts.again()
}

func readRanges(d *reader, m *slabs) []Range {
	all := m.ranges.take(d.n())
	before := ""
	for i := range all {
		r := &all[i]
		flags := d.u()
		if flags&hasFrom != 0 {
			r.From = d.s()
		}
		if flags&hasTo != 0 {
			r.To = d.s()
		}
		if flags&isSingle != 0 {
			r.To = r.From
		}
		r.After = flags&isAfter != 0
		r.Last = flags&isLast != 0
		if flags&hasRaw != 0 {
			r.Raw = d.s()
		}
		if flags&hasScheme != 0 {
			r.Scheme = d.s()
		}
		if flags&sameScheme != 0 {
			r.Scheme = before
		}
		before = r.Scheme
	}
	return all
}

// affected writes a list of which the first product is likely to be that of before.
func affected(w *writer, all []Affected, before Product) {
	w.n(len(all))
	for i := range all {
		a := &all[i]
		product(w, &a.Product, &before)
		if a.Status == Vulnerable && a.Justification == "" {
			w.u(0)
		} else {
			w.u(1)
			w.s(string(a.Status))
			w.s(a.Justification)
		}
		ranges(w, a.Versions)
		w.n(len(a.With))
		for _, any := range a.With {
			w.n(len(any))
			for i := range any {
				product(w, &any[i].Product, &before)
				ranges(w, any[i].Versions)
			}
		}
	}
}

func readAffected(d *reader, before Product, m *slabs) []Affected {
	all := m.affected.take(d.count(4))
	for i := range all {
		a := &all[i]
		a.Product = readProduct(d, &before)
		a.Status = Vulnerable
		if d.u() != 0 {
			a.Status, a.Justification = Status(d.s()), d.s()
		}
		a.Versions = readRanges(d, m)
		a.With = m.withs.take(d.n())
		for j := range a.With {
			any := AnyOf(m.parts.take(d.count(2)))
			a.With[j] = any
			for k := range any {
				any[k].Product = readProduct(d, &before)
				any[k].Versions = readRanges(d, m)
			}
		}
		if d.err != nil {
			return nil
		}
	}
	return all
}
