package feed

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

var nvd = Format{
	Name:   "nvd",
	Title:  "NVD JSON 2.0: yearly feeds, pages of API 2.0, single records",
	Source: advisory.NVD,
	Files:  "nvdcve-2.0-YYYY.json.gz, CVE-YYYY.json, a page of the API",
	From:   "https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-YYYY.json.gz, https://services.nvd.nist.gov/rest/json/cves/2.0",
	Takes:  "status (rejected: withdrawn), dates, all CVSS vectors with who gave them (the primary first), weaknesses, configurations with what a product must be running on, exploitation known to CISA, up to six references (advisories and patches first), source files of the Linux kernel that the description names, the English description",
	Leaves: "descriptions in other languages, tags, comments of vendors, base scores (the vector says them), configurations that are met by something being absent (taken as met, and noted)",
	sniff: func(_ string, head []byte, keys []string) bool {
		return has(keys, "vulnerabilities.cve.id") || has(keys, "cve_items.sourceIdentifier") || has(keys, "id", "sourceIdentifier") ||
			has(keys, "format", "vulnerabilities") && bytes.Contains(head, []byte(`"NVD_CVE"`))
	},
	read: readNVD,
}

func readNVD(in *input) error {
	head, err := in.head()
	if err != nil {
		return err
	}
	if keys := topKeys(head); has(keys, "id", "sourceIdentifier") { // a file of its own
		at := in.offset()
		whole, err := in.whole(maxRecord)
		if err != nil {
			return err
		}
		d := in.decoder(whole)
		r, is := readNVDRecord(in, d)
		if d.end() == nil && r.ID == "" {
			d.fail("it has no id")
		}
		if d.err != nil {
			return fmt.Errorf("record at byte %d: %w", at, d.err)
		}
		is.count(in, &r)
		return in.record(r)
	}
	return in.members(
		func(key string) bool { return key == "vulnerabilities" || key == "cve_items" },
		func(key string, value []byte) {
			if d := in.decoder(value); key == "timestamp" {
				in.stats.Date = when(d.text())
			}
		},
		func(at int64, value []byte, err error) error {
			if err != nil {
				in.skip(at, "", err)
				return nil
			}
			d := in.decoder(value)
			var r advisory.Record
			var is looked
			if bytes.HasPrefix(bytes.TrimLeft(value, "{ \n\r\t"), []byte(`"cve"`)) { // not in the lists of others

				d.object(func(key []byte) {
					if string(key) == "cve" {
						r, is = readNVDRecord(in, d)
					}
				})
			} else {
				r, is = readNVDRecord(in, d)
			}
			if d.end() == nil && r.ID == "" {
				d.fail("it has no id")
			}
			if d.err != nil {
				in.skip(at, r.ID, d.err)
				return nil
			}
			is.count(in, &r)
			return in.record(r)
		})
}

// looked says what NVD has looked at, be it that nothing came of it: a weakness that is not
// known, or configurations in which nothing is vulnerable.
type looked struct{ configured, classified bool }

func (is looked) count(in *input, r *advisory.Record) {
	if is.classified {
		in.stats.Classified++
	}
	if is.configured && len(r.Affected) == 0 { // the others are counted as all records are
		in.stats.Placed++
	}
}

// readNVDRecord reads one "cve".
func readNVDRecord(in *input, d *decoder) (r advisory.Record, is looked) {
	r = advisory.Record{Source: advisory.NVD}
	var scores ranked[advisory.Score]
	var cwe ranked[int]
	var links ranked[string]
	var added, due string
	d.object(func(key []byte) {
		switch string(key) {
		case "id":
			r.ID = cveID(d.text())
		case "sourceIdentifier":
			r.Origin = d.name()
		case "published":
			r.Published = when(d.text())
		case "lastModified":
			r.Modified = when(d.text())
		case "vulnStatus":
			r.Withdrawn = d.name() == "Rejected"
		case "cisaExploitAdd":
			added = d.text()
		case "cisaActionDue":
			due = d.text()
		case "descriptions":
			if text := inEnglish(d, "value"); text != "" {
				r.Text = text
			}
		case "metrics":
			d.object(func([]byte) { d.list(func() { readNVDMetric(d, &scores) }) })
		case "weaknesses":
			d.list(func() {
				is.classified = true
				readNVDWeakness(d, &cwe)
			})
		case "configurations":
			d.list(func() {
				is.configured = true
				readNVDConfiguration(d, &r)
				if d.err == nil && len(r.Affected) > maxAffected {
					d.fail("more than %d products", maxAffected)
				}
			})
		case "references":
			d.list(func() { readNVDReference(d, &links) })
		}
	})
	if d.err != nil {
		return r, is
	}
	r.Scores, r.CWE, r.Links = scores.sorted(maxScores), cwe.sorted(maxCWE), links.sorted(maxLinks)
	if at := when(added); !at.IsZero() {
		r.Exploited = &advisory.Exploited{Added: at, Due: when(due)}
	}
	r.Files = kernelFiles(r.Text)
	if n := negated(&r); n > 0 {
		in.stats.note("%q: %s: %d conditions that something is absent were taken as met", in.name, clip(r.ID), n)
	}
	return r, is
}

// How much of one kind a record may hold; what goes beyond in lists that only inform is
// left out, and a record with more statements than that is malformed.
const (
	maxAffected = 200_000
	maxScores   = 20
	maxCWE      = 20
	maxLinks    = 6
	maxFiles    = 32
	maxText     = 16 << 10
)

// ranked collects values of which some come before others, each once.
type ranked[T comparable] struct {
	list []T
	rank []int
}

func (l *ranked[T]) add(rank int, v T) {
	if i := slices.Index(l.list, v); i >= 0 {
		l.rank[i] = min(l.rank[i], rank)
		return
	}
	if len(l.list) < 500 {
		l.list = append(l.list, v)
		l.rank = append(l.rank, rank)
	}
}

// sorted returns the first values by rank, in their order within it.
func (l *ranked[T]) sorted(limit int) []T {
	if len(l.list) == 0 {
		return nil
	}
	out := make([]T, 0, min(limit, len(l.list)))
	for rank := 0; rank < 4; rank++ {
		for i, v := range l.list {
			if l.rank[i] == rank && len(out) < limit {
				out = append(out, v)
			}
		}
	}
	return out
}

// inEnglish reads a list of texts with their languages, and returns the English one.
func inEnglish(d *decoder, member string) string {
	english := ""
	d.list(func() {
		lang, text := "", ""
		d.object(func(key []byte) {
			switch {
			case string(key) == "lang":
				lang = d.name()
			case string(key) == member && (lang == "" || strings.HasPrefix(lang, "en")):
				text = d.text()
			}
		})
		if english == "" && strings.HasPrefix(lang, "en") {
			english = text
		}
	})
	if len(english) > maxText {
		english = strings.ToValidUTF8(english[:maxText], "")
	}
	return english
}

func readNVDMetric(d *decoder, scores *ranked[advisory.Score]) {
	var s advisory.Score
	rank := 1
	d.object(func(key []byte) {
		switch string(key) {
		case "source":
			s.By = d.name()
		case "type":
			if d.name() == "Primary" {
				rank = 0
			}
		case "cvssData":
			d.object(func(key []byte) {
				if string(key) == "vectorString" {
					s.Vector = vector(d.name())
				}
			})
		}
	})
	if s.Vector != "" {
		scores.add(rank, s)
	}
}

// vector takes away what stands around vectors of version 2, and drops what is no vector.
func vector(s string) string {
	s = strings.TrimSpace(s)
	s = strings.TrimSuffix(strings.TrimPrefix(s, "("), ")")
	if len(s) > 400 || !strings.Contains(s, "/") || !strings.Contains(s, ":") {
		return ""
	}
	return s
}

func readNVDWeakness(d *decoder, cwe *ranked[int]) {
	rank := 1
	var found []int
	d.object(func(key []byte) {
		switch string(key) {
		case "type":
			if d.name() == "Primary" {
				rank = 0
			}
		case "description":
			d.list(func() {
				d.object(func(key []byte) {
					if string(key) == "value" {
						if n := cweNumber(d.name()); n > 0 {
							found = append(found, n)
						}
					}
				})
			})
		}
	})
	for _, n := range found {
		cwe.add(rank, n)
	}
}

// cweNumber reads "CWE-79", also with words behind it; 0 where it names none.
func cweNumber(s string) int {
	s, ok := strings.CutPrefix(s, "CWE-")
	if !ok {
		return 0
	}
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil || n > 1<<16 {
		return 0
	}
	return n
}

func readNVDReference(d *decoder, links *ranked[string]) {
	url, rank := "", 2
	d.object(func(key []byte) {
		switch string(key) {
		case "url":
			url = d.text()
		case "tags":
			d.list(func() {
				switch d.name() {
				case "Vendor Advisory":
					rank = 0
				case "Patch", "Mitigation":
					rank = min(rank, 1)
				case "Broken Link":
					rank = 3
				}
			})
		}
	})
	if url = link(url); url != "" {
		links.add(rank, url)
	}
}

// link lets through what a browser would open.
func link(s string) string {
	if len(s) > 1000 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return ""
	}
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}

// cpeNode is a set of CPE names, of which one or all must be there.
type cpeNode struct {
	and, negate bool
	matches     []cpeMatch
	children    []cpeNode // of version 1.1
}

type cpeMatch struct {
	product    advisory.Product
	versions   []advisory.Range
	vulnerable bool
}

// absent marks, until the record is done, a presupposition that something is not there.
const absent = "\x00absent"

// readNVDConfiguration adds what one configuration says. In one with AND, what a node
// lists is vulnerable only together with one of what each other node lists.
func readNVDConfiguration(d *decoder, r *advisory.Record) {
	and := false
	var nodes []cpeNode
	d.object(func(key []byte) {
		switch string(key) {
		case "operator":
			and = d.name() == "AND"
		case "nodes":
			d.list(func() { nodes = append(nodes, readCPENode(d)) })
		}
	})
	if d.err == nil {
		configure(r, and, nodes)
	}
}

// configure adds the statements of nodes of which one, or each, must be met.
func configure(r *advisory.Record, and bool, nodes []cpeNode) {
	for i, n := range nodes {
		if len(n.children) > 0 {
			configure(r, n.and, n.children)
			continue
		}
		if n.negate || !slices.ContainsFunc(n.matches, func(m cpeMatch) bool { return m.vulnerable }) {
			continue
		}
		var with []advisory.AnyOf
		for j, other := range nodes {
			if and && j != i {
				with = append(with, other.presupposed(-1)...)
			}
		}
		for k, m := range n.matches {
			if !m.vulnerable {
				continue
			}
			if n.and && len(n.matches) > 1 {
				r.Affected = place(r.Affected, m.product, advisory.Vulnerable, m.versions, append(slices.Clone(with), n.presupposed(k)...))
				continue
			}
			r.Affected = place(r.Affected, m.product, advisory.Vulnerable, m.versions, with)
		}
	}
}

// presupposed says the node as a condition; of one with AND, without the k-th name.
func (n cpeNode) presupposed(k int) []advisory.AnyOf {
	if n.negate {
		return []advisory.AnyOf{{{Product: advisory.Product{By: absent}}}}
	}
	var all []advisory.AnyOf
	var any advisory.AnyOf
	for i, m := range n.matches {
		p := advisory.Part{Product: m.product, Versions: m.versions}
		if len(p.Versions) == 1 && p.Versions[0].Raw == "-" { // of whatever version
			p.Versions = nil
		}
		if n.and && i != k {
			all = append(all, advisory.AnyOf{p})
		}
		any = append(any, p)
	}
	if n.and || len(any) == 0 {
		return all
	}
	return []advisory.AnyOf{any}
}

// negated takes the conditions that something is absent out again, and counts them.
func negated(r *advisory.Record) int {
	count := 0
	for i := range r.Affected {
		a := &r.Affected[i]
		is := func(w advisory.AnyOf) bool { return len(w) == 1 && w[0].Product.By == absent }
		if slices.ContainsFunc(a.With, is) {
			count++
			a.With = slices.DeleteFunc(slices.Clone(a.With), is)
		}
	}
	return count
}

func readCPENode(d *decoder) (n cpeNode) {
	d.object(func(key []byte) {
		switch string(key) {
		case "operator":
			n.and = d.name() == "AND"
		case "negate":
			n.negate = d.flag()
		case "cpeMatch", "cpe_match":
			d.list(func() {
				if m, ok := readCPEMatch(d); ok {
					n.matches = append(n.matches, m)
				}
			})
		case "children":
			d.list(func() { n.children = append(n.children, readCPENode(d)) })
		}
	})
	return n
}

// readCPEMatch reads one CPE name with its versions; one that is no CPE name is an error
// of the record.
func readCPEMatch(d *decoder) (m cpeMatch, ok bool) {
	var v advisory.Range
	criteria := ""
	d.object(func(key []byte) {
		switch string(key) {
		case "vulnerable":
			m.vulnerable = d.flag()
		case "criteria", "cpe23Uri":
			criteria = d.text()
		case "versionStartIncluding":
			v.From = d.text()
		case "versionStartExcluding":
			if s := d.text(); s != "" {
				v.From, v.After = s, true
			}
		case "versionEndIncluding":
			if s := d.text(); s != "" {
				v.To, v.Last = s, true
			}
		case "versionEndExcluding":
			if s := d.text(); s != "" {
				v.To, v.Last = s, false
			}
		}
	})
	if d.err != nil {
		return m, false
	}
	p, version, ok := d.cpeName(criteria)
	if !ok {
		d.fail("%s is no CPE name", clip(criteria))
		return m, false
	}
	m.product = p
	if m.versions = versionsOf(p, strings.Clone(version)); v.From != "" || v.To != "" {
		m.versions = []advisory.Range{v}
	}
	return m, true
}

// cveID lets through what is an identifier.
func cveID(s string) string {
	if len(s) > 100 {
		return ""
	}
	return strings.ToUpper(strings.TrimSpace(s))
}

var nvd11 = Format{
	Name:   "nvd-1.1",
	Title:  "NVD JSON 1.1: yearly feeds as they were until 2023, still mirrored",
	Source: advisory.NVD,
	Files:  "nvdcve-1.1-YYYY.json.gz",
	From:   "no longer; mirrors",
	Takes:  "as of JSON 2.0; a record is withdrawn where its description says that it was rejected",
	Leaves: "as of JSON 2.0",
	sniff: func(_ string, _ []byte, keys []string) bool {
		return has(keys, "CVE_data_type") || has(keys, "CVE_Items.cve")
	},
	read: readNVD11,
}

func readNVD11(in *input) error {
	return in.members(
		func(key string) bool { return key == "CVE_Items" },
		func(key string, value []byte) {
			if d := in.decoder(value); key == "CVE_data_timestamp" {
				in.stats.Date = when(d.text())
			}
		},
		func(at int64, value []byte, err error) error {
			if err != nil {
				in.skip(at, "", err)
				return nil
			}
			d := in.decoder(value)
			r, is := readNVD11Record(d)
			if d.end() == nil && r.ID == "" {
				d.fail("it has no id")
			}
			if d.err != nil {
				in.skip(at, r.ID, d.err)
				return nil
			}
			is.count(in, &r)
			return in.record(r)
		})
}

func readNVD11Record(d *decoder) (r advisory.Record, is looked) {
	r = advisory.Record{Source: advisory.NVD}
	var scores ranked[advisory.Score]
	var cwe ranked[int]
	var links ranked[string]
	inside := func(name string, read func()) {
		d.object(func(key []byte) {
			if string(key) == name {
				read()
			}
		})
	}
	d.object(func(key []byte) {
		switch string(key) {
		case "publishedDate":
			r.Published = when(d.text())
		case "lastModifiedDate":
			r.Modified = when(d.text())
		case "impact":
			d.object(func([]byte) {
				d.object(func(key []byte) {
					if k := string(key); k == "cvssV2" || k == "cvssV3" {
						inside("vectorString", func() {
							if v := vector(d.name()); v != "" {
								scores.add(0, advisory.Score{Vector: v, By: "nvd@nist.gov"})
							}
						})
					}
				})
			})
		case "configurations":
			inside("nodes", func() {
				d.list(func() {
					if n := readCPENode(d); d.err == nil {
						configure(&r, n.and, []cpeNode{n})
					}
				})
			})
		case "cve":
			d.object(func(key []byte) {
				switch string(key) {
				case "CVE_data_meta":
					d.object(func(key []byte) {
						switch string(key) {
						case "ID":
							r.ID = cveID(d.text())
						case "ASSIGNER":
							r.Origin = d.name()
						}
					})
				case "problemtype":
					inside("problemtype_data", func() {
						d.list(func() {
							is.classified = true
							readNVDWeakness(d, &cwe)
						})
					})
				case "references":
					inside("reference_data", func() { d.list(func() { readNVDReference(d, &links) }) })
				case "description":
					inside("description_data", func() { r.Text = inEnglish(d, "value") })
				}
			})
		}
	})
	r.Scores, r.CWE, r.Links = scores.sorted(maxScores), cwe.sorted(maxCWE), links.sorted(maxLinks)
	r.Withdrawn = strings.HasPrefix(r.Text, "** REJECT **")
	r.Files = kernelFiles(r.Text)
	negated(&r)
	return r, is
}

// kernelFiles lists the source files of the Linux kernel that a description names.
func kernelFiles(text string) []string {
	if !strings.Contains(text, "kernel") {
		return nil
	}
	var files []string
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '/' && r != '.' && r != '_' && r != '-' && r != '+'
	}) {
		word = strings.TrimLeft(strings.TrimRight(word, ".-/"), "/.")
		if f, ok := kernelFile(word); ok && !slices.Contains(files, f) && len(files) < maxFiles {
			files = append(files, f)
		}
	}
	slices.Sort(files)
	return files
}

// kernelFile says whether a word is the path of a source file in the kernel's tree.
func kernelFile(word string) (string, bool) {
	dir, rest, ok := strings.Cut(word, "/")
	if !ok || len(word) > 200 || strings.Contains(rest, "..") || strings.Contains(rest, "//") {
		return "", false
	}
	if strings.HasPrefix(dir, "linux-") { // linux-4.19.1/net/...
		return kernelFile(rest)
	}
	switch dir {
	case "arch", "block", "certs", "crypto", "drivers", "fs", "init", "io_uring", "ipc", "kernel", "lib", "mm", "net", "rust", "security", "sound", "virt":
	default:
		return "", false
	}
	if !strings.HasSuffix(rest, ".c") && !strings.HasSuffix(rest, ".h") && !strings.HasSuffix(rest, ".S") && !strings.HasSuffix(rest, ".rs") {
		return "", false
	}
	return strings.Clone(word), true
}
