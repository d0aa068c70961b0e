package format

import (
	"errors"
	"fmt"
	"math/bits"
)

// sevenFile is an entry of an archive.
type sevenFile struct {
	name   string
	mtime  int64
	attrs  uint32
	empty  bool // without content
	file   bool // an empty file, where empty
	size   int64
	sum    uint32
	hasSum bool
}

// sevenReader reads a header. The first error stays.
type sevenReader struct {
	p   []byte
	err error
}

var errSeven = errors.New("cut off, or numbers that lie")

func (r *sevenReader) bytes(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.p)) {
		r.err, r.p = errSeven, nil
		return make([]byte, min(n, 8))
	}
	p := r.p[:n]
	r.p = r.p[n:]
	return p
}

func (r *sevenReader) byte() byte { return r.bytes(1)[0] }

// number reads a number: the highest bits of the first byte say how many bytes follow.
func (r *sevenReader) number() uint64 {
	first := r.byte()
	n := bits.LeadingZeros8(^first)
	v := uint64(0)
	for i, c := range r.bytes(uint64(n)) {
		v |= uint64(c) << (8 * i)
	}
	if n < 7 {
		v |= uint64(first&(1<<(7-n)-1)) << (8 * n)
	}
	return v
}

// count reads a number of things that take at least one bit each of what is left, or of
// files that take nothing but a name.
func (r *sevenReader) count() int {
	n := r.number()
	if n > 8*uint64(len(r.p)) {
		r.err = errSeven
		return 0
	}
	return int(n)
}

func (r *sevenReader) size() int64 {
	n := r.number()
	if n > 1<<62 {
		r.err = errSeven
		return 0
	}
	return int64(n)
}

// flags reads a bit for each of n things, the highest first; all are set where a byte in
// front says so.
func (r *sevenReader) flags(n int, shortcut bool) []bool {
	out := make([]bool, n)
	if shortcut && r.byte() != 0 {
		for i := range out {
			out[i] = true
		}
		return out
	}
	p := r.bytes(uint64(n+7) / 8)
	for i := range out {
		out[i] = i/8 < len(p) && p[i/8]>>(7-i%8)&1 != 0
	}
	return out
}

// sums reads the checksums of n things.
func (r *sevenReader) sums(n int) (has []bool, sums []uint32) {
	has, sums = r.flags(n, true), make([]uint32, n)
	for i := range sums {
		if has[i] {
			sums[i] = le32(r.bytes(4))
		}
	}
	return has, sums
}

// streams reads where packed streams lie and how they are unpacked.
func (r *sevenReader) streams(a *sevenArchive) (folders []*sevenFolder) {
	at, sizes := int64(0), []int64(nil)
	for r.err == nil {
		switch kind := r.byte(); kind {
		case 0x00:
			r.substreams(folders, false)
			return folders
		case 0x06:
			at, sizes = r.packed()
		case 0x07:
			if folders = r.folders(at, sizes, a.in.Size()); r.err != nil {
				return nil
			}
		case 0x08:
			r.substreams(folders, true)
		default:
			r.err = fmt.Errorf("property %#x of streams", kind)
		}
	}
	return nil
}

// packed reads where the packed streams lie.
func (r *sevenReader) packed() (at int64, sizes []int64) {
	at = r.size() + sevenStart
	n := r.count()
	for r.err == nil {
		switch kind := r.byte(); kind {
		case 0x00:
			return at, sizes
		case 0x09:
			for range n {
				sizes = append(sizes, r.size())
			}
		case 0x0a:
			r.sums(n)
		default:
			r.err = fmt.Errorf("property %#x of packed streams", kind)
		}
	}
	return 0, nil
}

// folders reads the folders, whose packed streams lie one behind the other.
func (r *sevenReader) folders(at int64, sizes []int64, end int64) (all []*sevenFolder) {
	if r.byte() != 0x0b {
		r.err = errSeven
		return nil
	}
	n := r.count()
	if r.byte() != 0 {
		r.err = errors.New("folders lie elsewhere")
	}
	next := 0
	for range n {
		f, streams := r.folder()
		if r.err != nil || next+streams > len(sizes) || streams == 0 {
			r.err = errSeven
			return nil
		}
		f.at, f.size = at, sizes[next]
		for _, s := range sizes[next : next+streams] {
			if s > end || at > end {
				r.err = errSeven
				return nil
			}
			at += s
		}
		f.single = f.single && streams == 1
		next += streams
		all = append(all, f)
	}
	for r.err == nil {
		switch kind := r.byte(); kind {
		case 0x00:
			return all
		case 0x0c:
			for _, f := range all {
				outs := 0
				for _, c := range f.coders {
					outs += c.out
				}
				for i := range outs {
					if s := r.size(); i == f.last {
						f.plain = s
					}
				}
			}
		case 0x0a:
			has, sums := r.sums(len(all))
			for i, f := range all {
				f.hasSum, f.sum = has[i], sums[i]
			}
		default:
			r.err = fmt.Errorf("property %#x of folders", kind)
		}
	}
	return nil
}

// folder reads the coders of a folder, and how many packed streams they take.
func (r *sevenReader) folder() (f *sevenFolder, streams int) {
	f = &sevenFolder{single: true}
	ins, outs := 0, 0
	n := r.count()
	if n > 32 {
		r.err = errSeven
	}
	for range n {
		if r.err != nil {
			return f, 0
		}
		flags := r.byte()
		c := sevenCoder{method: string(r.bytes(uint64(flags & 15))), in: 1, out: 1}
		if flags&0x10 != 0 {
			c.in, c.out = r.count(), r.count()
			f.single = false
		}
		if flags&0x20 != 0 {
			c.props = r.bytes(r.number())
		}
		if ins, outs = ins+c.in, outs+c.out; ins > 64 || outs > 64 {
			r.err = errSeven
		}
		f.coders = append(f.coders, c)
	}
	reads := map[int]int{} // which coder's output a coder reads
	for range max(outs-1, 0) {
		in, out := int(min(r.number(), 64)), int(min(r.number(), 64))
		reads[in] = out
	}
	f.chain(reads)
	if streams = ins - max(outs-1, 0); streams > 1 {
		for range streams {
			r.number()
		}
	}
	return f, streams
}

// chain puts the coders into the order in which they lead from the content to the packed
// bytes, and finds the one that makes the content.
func (f *sevenFolder) chain(reads map[int]int) {
	read := map[int]bool{}
	for _, out := range reads {
		read[out] = true
	}
	for f.last = 0; read[f.last]; f.last++ {
		if f.last == len(f.coders) {
			f.single = false
			return
		}
	}
	if !f.single || f.last >= len(f.coders) {
		f.single = false
		return
	}
	ordered := make([]sevenCoder, 0, len(f.coders))
	for at := f.last; len(ordered) < len(f.coders); {
		ordered = append(ordered, f.coders[at])
		next, ok := reads[at]
		if !ok || next >= len(f.coders) {
			break
		}
		at = next
	}
	if f.single = len(ordered) == len(f.coders); f.single {
		f.coders = ordered
	}
}

// substreams reads how many files each folder holds, and their sizes; where that is not
// said, each holds one.
func (r *sevenReader) substreams(folders []*sevenFolder, said bool) {
	counts := make([]int, len(folders))
	for i, f := range folders {
		if f.sizes != nil {
			return // read already
		}
		counts[i] = 1
	}
	kind := byte(0)
	if said {
		kind = r.byte()
	}
	if kind == 0x0d {
		for i := range counts {
			counts[i] = r.count()
		}
		kind = r.byte()
	}
	open := 0
	for i, f := range folders {
		f.sizes = []int64{}
		left := f.plain
		for k := range counts[i] {
			s := left
			if k+1 < counts[i] {
				if kind != 0x09 {
					r.err = errSeven
				} else {
					s = r.size()
				}
			}
			if s > left || r.err != nil {
				r.err = errSeven
				return
			}
			left -= s
			f.sizes = append(f.sizes, s)
		}
		f.summed, f.sums = make([]bool, counts[i]), make([]uint32, counts[i])
		if counts[i] == 1 && f.hasSum {
			f.summed[0], f.sums[0] = true, f.sum
		} else {
			open += counts[i]
		}
	}
	if kind == 0x09 {
		kind = r.byte()
	}
	for ; kind != 0 && r.err == nil; kind = r.byte() {
		if kind != 0x0a {
			r.err = fmt.Errorf("property %#x of files in folders", kind)
			return
		}
		has, sums := r.sums(open)
		k := 0
		for i, f := range folders {
			if counts[i] == 1 && f.hasSum {
				continue
			}
			for n := range counts[i] {
				f.summed[n], f.sums[n] = has[k], sums[k]
				k++
			}
		}
	}
}

// header reads a header that is not packed.
func (a *sevenArchive) header(p []byte) error {
	r := &sevenReader{p: p}
	if r.byte() != 0x01 {
		return errSeven
	}
	for r.err == nil {
		switch kind := r.byte(); kind {
		case 0x00:
			return a.assign()
		case 0x02: // properties of the archive
			for r.err == nil && r.byte() != 0 {
				r.bytes(r.number())
			}
		case 0x03:
			r.streams(a)
		case 0x04:
			a.folders = r.streams(a)
		case 0x05:
			a.list(r)
		default:
			return fmt.Errorf("property %#x", kind)
		}
	}
	return r.err
}

// list reads the entries: each property for all of them.
func (a *sevenArchive) list(r *sevenReader) {
	n := r.count()
	if n > min(len(r.p)/2, sevenFiles) { // a name takes two bytes
		r.err = fmt.Errorf("%d files in %d bytes", n, len(r.p))
		return
	}
	a.files = make([]*sevenFile, n)
	for i := range a.files {
		a.files[i] = &sevenFile{}
	}
	for r.err == nil {
		kind := r.byte()
		if kind == 0 {
			return
		}
		q := &sevenReader{p: r.bytes(r.number())}
		switch kind {
		case 0x0e:
			for i, v := range q.flags(n, false) {
				a.files[i].empty = v
			}
		case 0x0f:
			var empty []*sevenFile
			for _, f := range a.files {
				if f.empty {
					empty = append(empty, f)
				}
			}
			for i, v := range q.flags(len(empty), false) {
				empty[i].file = v
			}
		case 0x11:
			q.byte()
			for _, f := range a.files {
				end := 0
				for end+1 < len(q.p) && (q.p[end] != 0 || q.p[end+1] != 0) {
					end += 2
				}
				f.name = utf16Text(q.bytes(uint64(end)))
				q.bytes(2)
			}
		case 0x14, 0x15:
			has := q.flags(n, true)
			q.byte()
			for i, f := range a.files {
				switch {
				case !has[i]:
				case kind == 0x15:
					f.attrs = le32(q.bytes(4))
				default: // hundreds of nanoseconds since 1601
					f.mtime = int64(le64(q.bytes(8))/10_000_000) - 11_644_473_600
				}
			}
		}
		if q.err != nil {
			r.err = q.err
		}
	}
}

// assign gives the files their places in the folders.
func (a *sevenArchive) assign() error {
	folder, k := 0, 0
	for _, f := range a.files {
		if f.empty {
			continue
		}
		for folder < len(a.folders) && k == len(a.folders[folder].sizes) {
			folder, k = folder+1, 0
		}
		if folder == len(a.folders) {
			return errors.New("more files than there are contents")
		}
		d := a.folders[folder]
		f.size, f.sum, f.hasSum = d.sizes[k], d.sums[k], d.summed[k]
		d.files = append(d.files, f)
		k++
	}
	return nil
}
