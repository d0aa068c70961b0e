package feed

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

const (
	kevTakes  = "which vulnerabilities are exploited, since when it is known, until when CISA wants them mended, whether ransomware uses them, kinds of weakness"
	kevLeaves = "vendor and product (NVD names them), descriptions, the action required, notes"
)

var kevJSON = Format{
	Name:   "kev",
	Title:  "CISA's catalogue of known exploited vulnerabilities, JSON",
	Source: advisory.KEV,
	Files:  "known_exploited_vulnerabilities.json",
	From:   "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json, https://github.com/cisagov/kev-data",
	Takes:  kevTakes,
	Leaves: kevLeaves,
	sniff: func(_ string, _ []byte, keys []string) bool {
		return has(keys, "vulnerabilities.cveID") || has(keys, "catalogVersion", "vulnerabilities")
	},
	read: readKEV,
}

func readKEV(in *input) error {
	return in.members(
		func(key string) bool { return key == "vulnerabilities" },
		func(key string, value []byte) {
			switch d := in.decoder(value); key {
			case "dateReleased":
				in.stats.Date = when(d.text())
			case "catalogVersion":
				in.stats.Edition = d.text()
			}
		},
		func(at int64, value []byte, err error) error {
			if err != nil {
				in.skip(at, "", err)
				return nil
			}
			d := in.decoder(value)
			var k kevEntry
			d.object(func(key []byte) {
				if string(key) == "cwes" {
					d.list(func() { k.cwes = append(k.cwes, d.name()) })
				} else if field := k.field(string(key)); field != nil {
					*field = d.text()
				}
			})
			r, err := k.record()
			if d.end() != nil {
				err = d.err
			}
			if err != nil {
				in.skip(at, k.id, err)
				return nil
			}
			if len(r.CWE) > 0 {
				in.stats.Classified++
			}
			return in.record(r)
		})
}

var kevCSV = Format{
	Name:   "kev-csv",
	Title:  "CISA's catalogue of known exploited vulnerabilities, CSV",
	Source: advisory.KEV,
	Files:  "known_exploited_vulnerabilities.csv",
	From:   "https://www.cisa.gov/sites/default/files/csv/known_exploited_vulnerabilities.csv",
	Takes:  kevTakes,
	Leaves: kevLeaves,
	sniff: func(_ string, head []byte, _ []string) bool {
		line, _, _ := bytes.Cut(head, []byte("\n"))
		return !bytes.HasPrefix(line, []byte("{")) && bytes.Contains(line, []byte("cveID")) && bytes.Contains(line, []byte("dateAdded")) && bytes.Contains(line, []byte(","))
	},
	read: readKEVCSV,
}

func readKEVCSV(in *input) error {
	lines := csv.NewReader(&counted{r: &rest{in.stream}, left: maxWhole})
	lines.FieldsPerRecord = -1
	header, err := lines.Read()
	if err != nil {
		return err
	}
	var last string
	var wrong error // a line that is malformed; when nothing follows, the file ends within it
	for {
		at := lines.InputOffset()
		row, err := lines.Read()
		if errors.Is(err, io.EOF) {
			in.stats.Date = when(last)
			return wrong
		}
		if wrong != nil {
			in.skip(at, "", wrong)
			wrong = nil
		}
		if line := new(csv.ParseError); errors.As(err, &line) {
			wrong = err
			continue
		}
		if err != nil {
			return err
		}
		var k kevEntry
		for i, name := range header {
			if name == "cwes" && i < len(row) {
				k.cwes = strings.FieldsFunc(row[i], func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
			} else if field := k.field(name); field != nil && i < len(row) {
				*field = row[i]
			}
		}
		r, err := k.record()
		if err == nil && len(row) != len(header) {
			err = fmt.Errorf("%d columns where the first line has %d", len(row), len(header))
		}
		if err != nil {
			in.skip(at, k.id, err)
			continue
		}
		last = max(last, k.added)
		if len(r.CWE) > 0 {
			in.stats.Classified++
		}
		if err := in.record(r); err != nil {
			return err
		}
	}
}

// kevEntry is one line of the catalogue.
type kevEntry struct {
	id, vendor, product, added, due, ransomware string
	cwes                                        []string
}

func (k *kevEntry) field(name string) *string {
	switch name {
	case "cveID":
		return &k.id
	case "vendorProject":
		return &k.vendor
	case "product":
		return &k.product
	case "dateAdded":
		return &k.added
	case "dueDate":
		return &k.due
	case "knownRansomwareCampaignUse":
		return &k.ransomware
	}
	return nil
}

func (k *kevEntry) record() (advisory.Record, error) {
	r := advisory.Record{Source: advisory.KEV, Origin: "CISA", ID: cveID(k.id)}
	e := &advisory.Exploited{Added: when(k.added), Due: when(k.due), Ransomware: k.ransomware == "Known"}
	if r.ID == "" {
		return r, fmt.Errorf("it has no cveID")
	}
	if e.Added.IsZero() {
		return r, fmt.Errorf("dateAdded %q is no date", k.added)
	}
	r.Exploited, r.Published = e, e.Added
	for _, c := range k.cwes {
		if n := cweNumber(c); n > 0 && len(r.CWE) < maxCWE {
			r.CWE = append(r.CWE, n)
		}
	}
	return r, nil
}
