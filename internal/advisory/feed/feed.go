// Package feed reads what is published about vulnerabilities into [advisory.Record]
// values: one file of this package per source, all of them in one list, [All].
//
// [Read] reads one file of any of them, recognised by its content; [ReadAll] reads files,
// directories and bundles of them with several workers. Files are streamed: only one
// record is held at a time, and none may be larger than its bound. A record that is
// malformed is left out, counted and named in the [Stats], and the rest is kept; a file
// that ends too early or is something else is an error that says where.
//
// The package fetches nothing and judges nothing: two records of one vulnerability, from
// two files or from one, are two records.
package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

// Format is one kind of file that can be read.
type Format struct {
	Name   string          // short: nvd, cve, kev ...
	Title  string          // what it is
	Source advisory.Source // of its records
	Files  string          // what its files look like
	From   string          // where they are published
	Takes  string          // what is taken of them
	Leaves string          // what is left out

	sniff func(name string, head []byte, keys []string) bool
	read  func(in *input) error
}

// all lists the formats, one a line, in the order in which they are tried.
var all = []Format{
	csaf,
	openSSL, // before cve, whose records these are too
	cve,
	epss,
	kevCSV,
	kevJSON,
	nvd,
	nvd11,
	osv,
}

// All lists the formats by name.
func All() []Format {
	list := slices.Clone(all)
	slices.SortFunc(list, func(a, b Format) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Sniff finds the format of a file by its first bytes; its name decides only where they
// leave it open. Compressed files are recognised by [Read], which looks inside.
func Sniff(name string, head []byte) (Format, bool) {
	head = trimMark(head)
	keys := topKeys(head)
	for _, f := range all {
		if f.sniff(name, head, keys) {
			return f, true
		}
	}
	return Format{}, false
}

// maxProblems is how many problems are named; all are counted.
const maxProblems = 50

// Stats is what became of one file, or of all files of one format in a directory or bundle.
type Stats struct {
	Name      string          // of the file, directory or bundle
	Format    string          // empty: what was passed over
	Source    advisory.Source // of the records
	Files     int
	Records   int // handed on, the withdrawn among them
	Withdrawn int
	Skipped   int // malformed records, left out
	Broken    int // files that could not be read to their end

	// How many of the records say which products are affected (or name some of which none
	// is), how severe it is, what kind of weakness it is (or that nothing is known of that),
	// and that attacks are known.
	Placed, Scored, Classified, Exploited int

	Date     time.Time // what the source itself says of its age: the newest of the files; zero where it does not
	Edition  string    // what else it says of itself: the model of EPSS, the version of the catalogue
	Problems []string  // "where: what is wrong", the first 50
}

// Noted counts one problem.
func (s *Stats) note(format string, args ...any) {
	if len(s.Problems) < maxProblems {
		s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
	}
}

// add counts what is in b too.
func (s *Stats) add(b Stats) {
	s.Files += b.Files
	s.Records += b.Records
	s.Withdrawn += b.Withdrawn
	s.Skipped += b.Skipped
	s.Broken += b.Broken
	s.Placed += b.Placed
	s.Scored += b.Scored
	s.Classified += b.Classified
	s.Exploited += b.Exploited
	if b.Date.After(s.Date) || s.Edition == "" {
		s.Edition = b.Edition
	}
	if b.Date.After(s.Date) {
		s.Date = b.Date
	}
	s.Problems = append(s.Problems, b.Problems...)
	s.Problems = s.Problems[:min(len(s.Problems), maxProblems)]
}

// ErrUnknown says that a file is of no format that can be read.
var ErrUnknown = errors.New("no advisories that can be read")

// Read reads one file, compressed with gzip or not, and hands its records to emit in their
// order; an error of emit ends it. On an error the records before it have been handed on.
func Read(ctx context.Context, name string, r io.Reader, emit func(advisory.Record) error) (Stats, error) {
	s := newStream(&counted{ctx: ctx, r: r, left: maxFile})
	head, err := s.head()
	if err != nil {
		return Stats{Name: name}, fmt.Errorf("%q: %w", name, err)
	}
	if plain, err := unpack(head, &rest{s}); err != nil {
		return Stats{Name: name}, fmt.Errorf("%q: %w", name, err)
	} else if plain != nil {
		s = newStream(&counted{ctx: ctx, r: plain, left: maxFile})
		if head, err = s.head(); err != nil {
			return Stats{Name: name}, fmt.Errorf("%q: %w", name, err)
		}
	}
	if len(head) == 0 {
		return Stats{Name: name}, fmt.Errorf("%q: %w: it is empty", name, ErrUnknown)
	}
	f, ok := Sniff(name, head)
	if !ok {
		return Stats{Name: name}, fmt.Errorf("%q: %w", name, ErrUnknown)
	}
	in := &input{stream: s, name: name, emit: emit, names: map[string]string{}}
	in.stats = Stats{Name: name, Format: f.Name, Source: f.Source, Files: 1}
	if err = s.mark(); err == nil {
		err = f.read(in)
	}
	if err != nil {
		in.stats.Broken = 1
		return in.stats, fmt.Errorf("%q: %s: %w", name, f.Name, err)
	}
	return in.stats, nil
}

// input is the file that a format reads.
type input struct {
	*stream
	name  string
	emit  func(advisory.Record) error
	stats Stats
	names map[string]string // see decoder
}

// decoder reads one record of the file.
func (in *input) decoder(b []byte) *decoder {
	return &decoder{b: b, names: in.names}
}

// record hands a record on.
func (in *input) record(r advisory.Record) error {
	in.stats.Records++
	if r.Withdrawn {
		in.stats.Withdrawn++
	}
	if len(r.Affected) > 0 {
		in.stats.Placed++
	}
	if len(r.Scores) > 0 {
		in.stats.Scored++
	}
	if r.Exploited != nil {
		in.stats.Exploited++
	}
	return in.emit(r)
}

// skip leaves a record out, and says so. The id may be unknown.
func (in *input) skip(at int64, id string, err error) {
	in.stats.Skipped++
	if id != "" {
		in.stats.note("%q: %s at byte %d: %v", in.name, clip(id), at, err)
		return
	}
	in.stats.note("%q: record at byte %d: %v", in.name, at, err)
}

// clip quotes an id that came from outside.
func clip(id string) string {
	if len(id) > 60 {
		id = id[:60] + "..."
	}
	return fmt.Sprintf("%q", id)
}

func trimMark(head []byte) []byte {
	if len(head) >= 3 && string(head[:3]) == "\xef\xbb\xbf" {
		return head[3:]
	}
	return head
}

// topKeys lists the names of the members of the object that begins here, and those of
// the objects in them as "member.name", three levels deep, as far as the head shows them.
func topKeys(head []byte) []string {
	var keys, path []string
	depth := 0
	for i := 0; i < len(head) && len(keys) < 500; i++ {
		switch head[i] {
		case '{':
			if depth++; depth <= 3 {
				path = append(path, "")
			}
		case '}':
			if depth--; depth <= 0 {
				return keys
			}
			path = path[:min(depth, len(path))]
		case '"':
			d := decoder{b: head, at: i}
			text := d.bytes()
			if d.err != nil {
				return keys
			}
			if d.space() == ':' && depth >= 1 && depth <= 3 {
				path[depth-1] = string(text)
				if key := strings.Join(path, "."); !slices.Contains(keys, key) {
					keys = append(keys, key)
				}
			}
			i = d.at - 1
		case ' ', '\n', '\r', '\t', '[':
		default:
			if depth == 0 {
				return nil
			}
		}
	}
	return keys
}

// has says whether all of these are among the keys.
func has(keys []string, names ...string) bool {
	for _, n := range names {
		if !slices.Contains(keys, n) {
			return false
		}
	}
	return true
}
