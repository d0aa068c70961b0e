package feed

import (
	"bytes"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/version"
)

var cve = Format{
	Name:   "cve",
	Title:  "CVE List, records of version 5",
	Source: advisory.CVE,
	Files:  "CVE-YYYY-NNNN.json, directories and bundles of them",
	From:   "https://github.com/CVEProject/cvelistV5, https://github.com/cisagov/vulnrichment",
	Takes:  "the container of the numbering authority, and those of others that hold facts (CISA), as records of their own: products with versions, what changes within a range, CPE names, packages, source files; applicability; scores, weaknesses, exploitation known to CISA; rejected: withdrawn. Where versions are affected unless said otherwise, the ranges are worked out (the kernel's: one per stable branch)",
	Leaves: "git hashes, versions of unknown status, platforms, SSVC, credits, timelines, descriptions in other languages",
	sniff: func(_ string, _ []byte, keys []string) bool {
		return has(keys, "containers.cna") || has(keys, "cveMetadata.cveId") || has(keys, "dataType", "containers")
	},
	read: func(in *input) error { return readCVE(in, advisory.CVE) },
}

var openSSL = Format{
	Name:   "openssl",
	Title:  "OpenSSL's own list of vulnerabilities",
	Source: advisory.OpenSSL,
	Files:  "secjson/CVE-YYYY-NNNN.json",
	From:   "https://github.com/openssl/release-metadata",
	Takes:  "as of the CVE List, whose records these are before they are submitted",
	Leaves: "OpenSSL's own words of severity; vulnerabilities.xml, the list's older form",
	sniff: func(_ string, head []byte, keys []string) bool {
		return has(keys, "containers.cna.providerMetadata", "cveMetadata.cveId") && bytes.Contains(head, []byte(`"openssl"`)) &&
			!has(keys, "cveMetadata.dateReserved") && !has(keys, "cveMetadata.datePublished")
	},
	read: func(in *input) error { return readCVE(in, advisory.OpenSSL) },
}

func readCVE(in *input, source advisory.Source) error {
	whole, err := in.whole(maxRecord)
	if err != nil {
		return err
	}
	common := advisory.Record{Source: source}
	var containers decoder
	d := in.decoder(whole)
	d.object(func(key []byte) {
		switch string(key) {
		case "cveMetadata":
			d.object(func(key []byte) {
				switch string(key) {
				case "cveId":
					common.ID = cveID(d.text())
				case "state":
					common.Withdrawn = d.text() == "REJECTED"
				case "datePublished":
					common.Published = when(d.text())
				case "dateUpdated":
					common.Modified = when(d.text())
				case "assignerShortName":
					common.Origin = d.name()
				}
			})
		case "containers":
			containers = *d
			d.skip()
		}
	})
	if err := d.end(); err != nil {
		return err
	}
	if common.ID == "" {
		return errors.New("the record has no cveId")
	}
	in.stats.Date = common.Modified
	if common.Withdrawn {
		return in.record(common)
	}
	var records []advisory.Record
	d = &containers
	if d.b == nil {
		return errors.New("the record has no containers")
	}
	d.object(func(key []byte) {
		switch string(key) {
		case "cna":
			records = append(records, readContainer(d, common))
		case "adp":
			d.list(func() {
				r := readContainer(d, common)
				if len(r.Affected)+len(r.Scores)+len(r.CWE)+len(r.Files) > 0 || r.Exploited != nil {
					records = append(records, r)
				}
			})
		}
	})
	if d.err != nil {
		return d.err
	}
	for _, r := range records {
		if len(r.CWE) > 0 {
			in.stats.Classified++
		}
		if err := in.record(r); err != nil {
			return err
		}
	}
	return nil
}

// readContainer reads what one party says.
func readContainer(d *decoder, r advisory.Record) advisory.Record {
	var scores ranked[advisory.Score]
	var cwe ranked[int]
	var links ranked[string]
	var affected []cveAffected
	d.object(func(key []byte) {
		switch string(key) {
		case "providerMetadata":
			d.object(func(key []byte) {
				switch string(key) {
				case "shortName":
					if s := d.name(); s != "" {
						r.Origin = s
					}
				case "dateUpdated":
					if at := when(d.text()); !at.IsZero() {
						r.Modified = at
					}
				}
			})
		case "datePublic":
			if at := when(d.text()); r.Published.IsZero() {
				r.Published = at
			}
		case "descriptions":
			r.Text = inEnglish(d, "value")
		case "affected":
			d.list(func() { affected = append(affected, readCVEAffected(d)) })
		case "cpeApplicability":
			d.list(func() { readNVDConfiguration(d, &r) })
		case "problemTypes":
			d.list(func() { readProblem(d, &cwe) })
		case "references":
			d.list(func() { readCVEReference(d, &links) })
		case "metrics":
			d.list(func() {
				d.object(func(key []byte) {
					switch {
					case bytes.HasPrefix(key, []byte("cvssV")):
						d.object(func(key []byte) {
							if string(key) == "vectorString" {
								if v := vector(d.name()); v != "" {
									scores.add(0, advisory.Score{Vector: v, By: r.Origin})
								}
							}
						})
					case string(key) == "other":
						readKnown(d, &r)
					}
				})
			})
		}
	})
	negated(&r)
	for _, a := range affected {
		a.state(&r)
		if len(r.Affected) > maxAffected {
			d.fail("more than %d products", maxAffected)
		}
	}
	r.Scores, r.CWE, r.Links = scores.sorted(maxScores), cwe.sorted(maxCWE), links.sorted(maxLinks)
	for i := range r.Scores { // whose container it is may stand behind
		r.Scores[i].By = r.Origin
	}
	slices.Sort(r.Files)
	return r
}

func readProblem(d *decoder, cwe *ranked[int]) {
	d.object(func(key []byte) {
		if string(key) == "descriptions" {
			d.list(func() {
				id, text := 0, 0
				d.object(func(key []byte) {
					switch string(key) {
					case "cweId":
						id = cweNumber(d.name())
					case "description":
						text = cweNumber(d.name())
					}
				})
				if id == 0 {
					id = text
				}
				if id > 0 {
					cwe.add(0, id)
				}
			})
		}
	})
}

func readCVEReference(d *decoder, links *ranked[string]) {
	url, rank := "", 2
	d.object(func(key []byte) {
		switch string(key) {
		case "url":
			url = link(d.text())
		case "tags":
			d.list(func() {
				switch d.name() {
				case "vendor-advisory":
					rank = 0
				case "patch", "mitigation":
					rank = min(rank, 1)
				case "broken-link":
					rank = 3
				}
			})
		}
	})
	if url != "" {
		links.add(rank, url)
	}
}

// readKnown reads the metric by which CISA says that a vulnerability is exploited.
func readKnown(d *decoder, r *advisory.Record) {
	kind, added := "", ""
	d.object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.name()
		case "content":
			d.object(func(key []byte) {
				if string(key) == "dateAdded" {
					added = d.text()
				}
			})
		}
	})
	if at := when(added); kind == "kev" && !at.IsZero() {
		r.Exploited = &advisory.Exploited{Added: at}
	}
}

// cveAffected is one product with its versions.
type cveAffected struct {
	vendor, product, name, collection string
	files                             []string
	cpes                              []advisory.Product
	otherwise                         string // the status of all versions that are not listed
	versions                          []cveVersion
}

// cveVersion is a version, or a range of them, within which the status may change.
type cveVersion struct {
	advisory.Range
	status, kind string
	single       bool
	changes      []cveChange
}

type cveChange struct{ at, status string }

func readCVEAffected(d *decoder) (a cveAffected) {
	d.object(func(key []byte) {
		switch string(key) {
		case "vendor":
			a.vendor = strings.TrimSpace(d.text())
		case "product":
			a.product = strings.TrimSpace(d.text())
		case "packageName":
			a.name = strings.TrimSpace(d.text())
		case "collectionURL":
			a.collection = d.text()
		case "programFiles":
			a.files = d.texts()
		case "defaultStatus":
			a.otherwise = d.name()
		case "cpes":
			for _, text := range d.texts() {
				if p, _, ok := d.cpeName(text); ok {
					a.cpes = append(a.cpes, p)
				}
			}
		case "versions":
			d.list(func() { a.versions = append(a.versions, readCVEVersion(d)) })
		}
	})
	return a
}

func readCVEVersion(d *decoder) (v cveVersion) {
	less, last := "", false
	d.object(func(key []byte) {
		switch string(key) {
		case "version":
			v.From = strings.TrimSpace(d.text())
		case "status":
			v.status = d.name()
		case "versionType":
			v.kind = d.name()
		case "lessThan":
			less = strings.TrimSpace(d.text())
		case "lessThanOrEqual":
			less, last = strings.TrimSpace(d.text()), true
		case "changes":
			d.list(func() {
				var c cveChange
				d.object(func(key []byte) {
					switch string(key) {
					case "at":
						c.at = strings.TrimSpace(d.text())
					case "status":
						c.status = d.name()
					}
				})
				v.changes = append(v.changes, c)
			})
		}
	})
	if v.single = less == ""; v.single {
		return v
	}
	v.To, v.Last = less, last
	return v
}

// product says how the entry names its product; false where it names none.
func (a *cveAffected) products() (products []advisory.Product, with []advisory.AnyOf) {
	if e := collection(a.collection); e != "" && a.name != "" {
		for _, p := range a.cpes { // the package as part of these
			if len(with) == 0 {
				with = []advisory.AnyOf{nil}
			}
			with[0] = append(with[0], advisory.Part{Product: p})
		}
		return []advisory.Product{{By: advisory.ByPackage, Ecosystem: e, Name: a.name}}, with
	}
	if len(a.cpes) > 0 {
		return a.cpes, nil
	}
	switch strings.ToLower(a.vendor + "/" + a.product) {
	case "linux/linux", "linux/linux kernel":
		return []advisory.Product{{By: advisory.ByCPE, Part: "o", Vendor: "linux", Name: "linux_kernel"}}, nil
	case "openssl/openssl":
		return []advisory.Product{{By: advisory.ByCPE, Part: "a", Vendor: "openssl", Name: "openssl"}}, nil
	}
	p := advisory.Product{By: advisory.ByName, Vendor: a.vendor, Name: a.product}
	if p.Name == "" || strings.EqualFold(p.Name, "n/a") || strings.EqualFold(p.Name, "unknown") {
		if p.Name = a.name; p.Name == "" {
			return nil, nil
		}
	}
	if strings.EqualFold(p.Vendor, "n/a") || strings.EqualFold(p.Vendor, "unknown") {
		p.Vendor = ""
	}
	return []advisory.Product{p}, nil
}

// collections are the ecosystems that collectionURL names, by its host.
var collections = map[string]string{
	"registry.npmjs.org": "npm", "npmjs.com": "npm", "www.npmjs.com": "npm", "pypi.org": "PyPI", "pypi.python.org": "PyPI", "rubygems.org": "RubyGems",
	"crates.io": "crates.io", "pkg.go.dev": "Go", "repo.maven.apache.org": "Maven", "repo1.maven.org": "Maven",
	"www.nuget.org": "NuGet", "api.nuget.org": "NuGet", "packagist.org": "Packagist", "repo.packagist.org": "Packagist", "hex.pm": "Hex",
	"access.redhat.com": "Red Hat", "catalog.redhat.com": "Red Hat", "packages.debian.org": "Debian", "wordpress.org": "WordPress",
}

func collection(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return collections[u.Hostname()]
}

// state adds what the entry says to the record.
func (a *cveAffected) state(r *advisory.Record) {
	for _, f := range a.files {
		if len(f) <= 300 && f != "" && len(r.Files) < maxFiles && !slices.Contains(r.Files, f) {
			r.Files = append(r.Files, f)
		}
	}
	products, with := a.products()
	if len(products) == 0 {
		return
	}
	scheme := version.OfProduct(products[0].Name)
	known := a.ranges(scheme)
	if len(known) == 0 && len(a.versions) > 0 {
		return // only git hashes, or of unknown status
	}
	bad, good := known["affected"], known["unaffected"]
	if a.otherwise == "affected" {
		var ok bool
		if bad, ok = outside(good, scheme); !ok {
			bad = known["affected"]
		}
		good = nil
	}
	add := func(status advisory.Status, ranges []advisory.Range) {
		for _, p := range products {
			if p.By != advisory.ByPackage { // many call semver what is not: how the product numbers is known better
				for i := range ranges {
					ranges[i].Scheme = ""
				}
			}
			r.Affected = append(r.Affected, advisory.Affected{Product: p, Status: status, Versions: slices.Clone(ranges), With: with})
		}
	}
	switch {
	case len(bad) > 0:
		add(advisory.Vulnerable, bad)
	case a.otherwise == "affected" && len(a.versions) == 0:
		add(advisory.Vulnerable, nil)
	}
	switch {
	case len(good) > 0:
		add(advisory.NotThere, good)
	case a.otherwise == "unaffected" && len(a.versions) == 0:
		add(advisory.NotThere, nil)
	}
}

// ranges lists the versions by their status, those cut where the status changes. Git
// hashes, which have no order, are left out.
func (a *cveAffected) ranges(scheme version.Scheme) map[string][]advisory.Range {
	known := map[string][]advisory.Range{}
	for _, v := range a.versions {
		if v.kind == "git" && (hash(v.From) || hash(v.To)) {
			continue
		}
		if v.single && len(v.changes) == 0 {
			if unstated(v.From) {
				continue
			}
			known[v.status] = append(known[v.status], oneVersion(v.From)...)
			continue
		}
		status := v.status
		r := v.Range
		if !ends(&r, v.single) {
			known[status] = append(known[status], advisory.Range{Raw: written(v)})
			continue
		}
		to, last := r.To, r.Last
		for _, c := range v.changes {
			at, ok := versionLike(c.at)
			if !ok || c.status == status {
				continue
			}
			if order, err := version.Compare(scheme, at, to); to != "" && (err != nil || order > 0) {
				continue // behind the end: "up to 4.13.2, changed at 4.13.3"
			}
			if r.To, r.Last = at, false; r.From != r.To {
				known[status] = append(known[status], r)
			}
			r.From, status = at, c.status
		}
		r.To, r.Last = to, last
		if r.Scheme = ordered(v.kind, r); r.From == "" || r.From != r.To || r.Last {
			known[status] = append(known[status], r)
		}
	}
	delete(known, "unknown")
	delete(known, "")
	return known
}

// unstated says whether a text stands where no version is known.
func unstated(s string) bool {
	switch strings.ToLower(s) {
	case "", "n/a", "unspecified", "unknown", "-":
		return true
	}
	return false
}

// hash says whether a version is a commit.
func hash(s string) bool {
	if len(s) < 7 || len(s) > 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// oneVersion reads what stands in place of a single version: it may be a range in words.
func oneVersion(s string) []advisory.Range {
	switch s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), ", ", " "); {
	case everyVersion(s):
		return []advisory.Range{{}}
	case strings.ContainsAny(s, "<>="):
		if list := versionRanges(s); list != nil {
			return list
		}
		return []advisory.Range{{}}
	}
	if v, ok := versionLike(s); ok && wildcard(v) == "" {
		return []advisory.Range{{From: v, To: v, Last: true}}
	}
	return versionRanges(s)
}

// ends brings the ends of a range into our form; false where they are no versions.
func ends(r *advisory.Range, single bool) bool {
	if single { // what is said of it changes later: from it on
		r.To, r.Last = "", false
	}
	if unstated(r.From) || r.From == "0" || r.From == "*" {
		r.From = ""
	} else if v, ok := versionLike(r.From); ok && wildcard(v) == "" {
		r.From = v
	} else {
		return false
	}
	switch base, wild := strings.CutSuffix(r.To, ".*"); {
	case r.To == "*" || unstated(r.To):
		r.To, r.Last = "", false
	case wild && r.Last:
		if r.To, r.Last = wildcard(base+".x"), false; r.To == "" {
			return false
		}
	default:
		v, ok := versionLike(base)
		if !ok || wildcard(v) != "" {
			return false
		}
		r.To = v
	}
	return true
}

// written says a range as the source does.
func written(v cveVersion) string {
	if v.single {
		return v.From
	}
	if v.Last {
		return v.From + " <= " + v.To
	}
	return v.From + " < " + v.To
}

// ordered returns the scheme that a source names, where its versions follow it.
func ordered(kind string, r advisory.Range) string {
	scheme, ok := version.Named(kind)
	if !ok || scheme == version.Generic {
		return ""
	}
	for _, v := range []string{r.From, r.To} {
		if v == "" {
			continue
		}
		if _, err := version.Compare(scheme, v, v); err != nil {
			return ""
		}
	}
	return string(scheme)
}

// outside lists what the ranges leave; false where there are none, or no order is known
// for their ends.
func outside(list []advisory.Range, scheme version.Scheme) (left []advisory.Range, ok bool) {
	ok = len(list) > 0
	compare := func(a, b string) int {
		c, err := version.Compare(scheme, a, b)
		if err != nil {
			ok = false
		}
		return c
	}
	list = slices.Clone(list)
	for _, r := range list {
		if r.Raw != "" {
			return nil, false
		}
	}
	slices.SortStableFunc(list, func(a, b advisory.Range) int {
		switch {
		case a.From == "" || b.From == "":
			return min(len(a.From), 1) - min(len(b.From), 1)
		}
		return compare(a.From, b.From)
	})
	next := advisory.Range{} // what begins after the ranges so far
	began := false
	for _, r := range list {
		if r.From != "" {
			gap := next
			gap.To, gap.Last = r.From, r.After
			if !began || compare(gap.From, gap.To) < 0 {
				left = append(left, gap)
			}
		}
		if r.To == "" {
			return left, ok
		}
		if !began || compare(next.From, r.To) < 0 || compare(next.From, r.To) == 0 && r.Last {
			next.From, next.After, began = r.To, r.Last, true
		}
	}
	return append(left, next), ok
}
