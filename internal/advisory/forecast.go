package advisory

import (
	"fmt"
	"iter"
)

// yearForecasts are the forecasts of one year's ids.
type yearForecasts struct {
	numbers []uint32
	places  string // three bytes for each number: the place of its value
}

// yearOf reads block i of the forecasts; it is kept with the block.
func (x *Index) yearOf(i int) (*yearForecasts, error) {
	b, err := x.forecasts.block(i)
	if err != nil {
		return nil, err
	}
	b.once.Do(func() {
		d := b.reader(0)
		y := &yearForecasts{numbers: make([]uint32, d.count(4))}
		last := uint32(0)
		for i := range y.numbers {
			last += uint32(d.u())
			y.numbers[i] = last
		}
		y.places = d.bytes(3 * len(y.numbers))
		if d.err == nil && d.b != "" {
			d.fail()
		}
		b.year, b.err = y, d.err
	})
	if b.err != nil {
		return nil, fmt.Errorf("section %s: block %d: %w", x.forecasts.name, i, b.err)
	}
	return b.year, nil
}

// value gives the forecast at a place of a year.
func (x *Index) value(y *yearForecasts, at int) (forecast, error) {
	v := &x.values
	v.once.Do(func() {
		b, err := x.forecasts.block(0)
		if err != nil {
			v.err = err
			return
		}
		d := b.reader(0)
		v.all = make([]forecast, d.count(3))
		var last forecast
		for i := range v.all {
			last.at += d.i()
			last.probability += uint32(d.i())
			last.percentile += uint32(d.i())
			v.all[i] = last
		}
		v.err = d.err
	})
	if v.err != nil {
		return forecast{}, fmt.Errorf("section %s: block 0: %w", x.forecasts.name, v.err)
	}
	p := y.places[3*at : 3*at+3]
	n := int(p[0]) | int(p[1])<<8 | int(p[2])<<16
	if n >= len(v.all) {
		return forecast{}, fmt.Errorf("section %s: there is no value %d", x.forecasts.name, n)
	}
	return v.all[n], nil
}

// Forecasts runs over all that EPSS says, also of ids that have no other record: one
// record for each, in the order of the ids. It ends at the first error.
func (x *Index) Forecasts() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		dir, err := x.forecasts.directory()
		if err != nil {
			yield(Record{}, wrap(err))
			return
		}
		for i := 1; i < len(dir); i++ {
			y, err := x.yearOf(i)
			if err != nil {
				yield(Record{}, wrap(err))
				return
			}
			for at, n := range y.numbers {
				f, err := x.value(y, at)
				if err != nil {
					yield(Record{}, wrap(err))
					return
				}
				if !yield(f.record(cveID(dir[i].first, uint64(n))), nil) {
					return
				}
			}
		}
	}
}
