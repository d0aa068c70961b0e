package feed

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/version"
)

var osv = Format{
	Name:   "osv",
	Title:  "OSV: package ecosystems and distributions",
	Source: advisory.OSV,
	Files:  "ID.json, all.zip of an ecosystem",
	From:   "https://osv-vulnerabilities.storage.googleapis.com/ECOSYSTEM/all.zip",
	Takes:  "packages with their ecosystem as it is written (Debian:12), ranges, versions one by one where no range says them, aliases, severities, weaknesses, withdrawn, up to six references",
	Leaves: "git ranges, functions and imports concerned, credits; the details, where a summary is given",
	sniff: func(_ string, _ []byte, keys []string) bool {
		return has(keys, "id") && !has(keys, "sourceIdentifier") &&
			(has(keys, "schema_version") || has(keys, "modified") && (has(keys, "affected") || has(keys, "published") || has(keys, "aliases")))
	},
	read: readOSV,
}

func readOSV(in *input) error {
	whole, err := in.whole(maxRecord)
	if err != nil {
		return err
	}
	d := in.decoder(whole)
	r := advisory.Record{Source: advisory.OSV}
	var scores ranked[advisory.Score]
	var cwe ranked[int]
	var links ranked[string]
	var related []string
	id, details := "", ""
	d.object(func(key []byte) {
		switch string(key) {
		case "id":
			id = strings.TrimSpace(d.text())
		case "aliases":
			r.Aliases = d.texts()
		case "upstream": // of distributions: the vulnerabilities that this one is, or some of them
			related = d.texts()
		case "published":
			r.Published = when(d.text())
		case "modified":
			r.Modified = when(d.text())
		case "withdrawn":
			r.Withdrawn = d.text() != ""
		case "summary":
			r.Text = d.text()
		case "details":
			details = d.text()
		case "severity":
			d.list(func() { readOSVSeverity(d, &scores) })
		case "database_specific":
			d.object(func(key []byte) {
				if string(key) == "cwe_ids" {
					d.list(func() {
						if n := cweNumber(d.name()); n > 0 {
							cwe.add(0, n)
						}
					})
				}
			})
		case "references":
			d.list(func() {
				url, rank := "", 2
				d.object(func(key []byte) {
					switch string(key) {
					case "url":
						url = link(d.text())
					case "type":
						switch d.name() {
						case "ADVISORY":
							rank = 0
						case "FIX":
							rank = 1
						}
					}
				})
				if url != "" {
					links.add(rank, url)
				}
			})
		case "affected":
			d.list(func() { readOSVAffected(d, &r, &scores) })
		}
	})
	if err := d.end(); err != nil {
		return err
	}
	if id == "" || len(id) > 200 {
		return errors.New("the record has no id")
	}
	in.stats.Date = r.Modified
	r.ID, r.Document = id, id
	if !strings.HasPrefix(id, "CVE-") {
		r.Aliases = slices.Concat(r.Aliases, related)
		for _, a := range r.Aliases { // a document of several vulnerabilities goes by its own id
			if strings.HasPrefix(a, "CVE-") {
				if strings.HasPrefix(r.ID, "CVE-") {
					r.ID = id
					break
				}
				r.ID = a
			}
		}
	}
	r.Aliases = slices.DeleteFunc(r.Aliases, func(a string) bool { return a == r.ID || a == r.Document || len(a) > 200 })
	if len(r.Aliases) == 0 {
		r.Aliases = nil
	}
	if r.Document == r.ID {
		r.Document = ""
	}
	if r.Text == "" && len(details) <= maxText {
		r.Text = details
	}
	if len(r.Affected) > 0 {
		r.Origin = r.Affected[0].Product.Ecosystem
	}
	if r.Origin == "" {
		r.Origin, _, _ = strings.Cut(id, "-")
	}
	r.Scores, r.CWE, r.Links = scores.sorted(maxScores), cwe.sorted(maxCWE), links.sorted(maxLinks)
	for i := range r.Scores {
		r.Scores[i].By = "OSV"
	}
	if len(r.CWE) > 0 {
		in.stats.Classified++
	}
	return in.record(r)
}

func readOSVSeverity(d *decoder, scores *ranked[advisory.Score]) {
	kind, score := "", ""
	d.object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.name()
		case "score":
			score = d.name()
		}
	})
	if v := vector(score); v != "" && strings.HasPrefix(kind, "CVSS") {
		scores.add(0, advisory.Score{Vector: v})
	}
}

func readOSVAffected(d *decoder, r *advisory.Record, scores *ranked[advisory.Score]) {
	a := advisory.Affected{Product: advisory.Product{By: advisory.ByPackage}, Status: advisory.Vulnerable}
	var versions []string
	var ranges []osvRange
	git := false
	d.object(func(key []byte) {
		switch string(key) {
		case "package":
			d.object(func(key []byte) {
				switch string(key) {
				case "ecosystem":
					a.Product.Ecosystem = d.name()
				case "name":
					a.Product.Name = d.name()
				}
			})
		case "severity":
			d.list(func() { readOSVSeverity(d, scores) })
		case "versions":
			versions = d.texts()
		case "ranges":
			d.list(func() {
				kind, events := readOSVRange(d)
				if kind == "GIT" {
					git = true
					return
				}
				ranges = append(ranges, osvRange{kind, events})
			})
		}
	})
	if d.err != nil || a.Product.Name == "" || a.Product.Ecosystem == "" {
		return // without a package, only commits are named
	}
	for _, r := range ranges {
		a.Versions = append(a.Versions, r.spans(a.Product.Ecosystem)...)
	}
	if len(ranges) == 0 {
		for _, v := range versions {
			if v != "" {
				a.Versions = append(a.Versions, advisory.Range{From: v, To: v, Last: true})
			}
		}
		if git && len(a.Versions) == 0 {
			return
		}
	}
	if len(a.Versions) > maxAffected {
		d.fail("more than %d versions", maxAffected)
	}
	r.Affected = append(r.Affected, a)
}

// osvRange is a range as OSV writes it: the versions at which something happens.
type osvRange struct {
	kind   string
	events []osvEvent
}

type osvEvent struct{ what, version string } // introduced, fixed, last_affected, limit

func readOSVRange(d *decoder) (kind string, events []osvEvent) {
	d.object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.name()
		case "events":
			d.list(func() {
				d.object(func(key []byte) {
					events = append(events, osvEvent{string(key), d.text()})
				})
			})
		}
	})
	return kind, events
}

// spans lists the versions between the events, which need not stand in order.
func (r osvRange) spans(ecosystem string) (list []advisory.Range) {
	scheme, known := version.OfEcosystem(ecosystem)
	span := advisory.Range{}
	if r.kind == "SEMVER" {
		scheme, known, span.Scheme = version.Semver, true, string(version.Semver)
	}
	if known && len(r.events) > 2 {
		slices.SortStableFunc(r.events, func(a, b osvEvent) int {
			if a.version == "0" || b.version == "0" {
				return cmp.Compare(min(1, len(strings.Trim(a.version, "0"))), min(1, len(strings.Trim(b.version, "0"))))
			}
			order, err := version.Compare(scheme, a.version, b.version)
			if err != nil {
				return 0
			}
			return order
		})
	} else if len(r.events) == 2 && r.events[1].what == "introduced" && r.events[0].what != "introduced" {
		r.events[0], r.events[1] = r.events[1], r.events[0]
	}
	open := false
	for _, e := range r.events {
		last := len(list) - 1
		switch e.what {
		case "introduced":
			if open {
				continue // until it is mended
			}
			next := span
			if e.version != "0" {
				next.From = e.version
			}
			list, open = append(list, next), true
		case "fixed", "last_affected":
			if open {
				list[last].To, list[last].Last, open = e.version, e.what == "last_affected", false
			}
		}
	}
	return list
}
