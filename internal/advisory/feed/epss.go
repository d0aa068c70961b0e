package feed

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
)

var epss = Format{
	Name:   "epss",
	Title:  "EPSS: the scores of one day",
	Source: advisory.EPSS,
	Files:  "epss_scores-YYYY-MM-DD.csv.gz",
	From:   "https://epss.cyentia.com/epss_scores-current.csv.gz",
	Takes:  "probability and percentile of each vulnerability, the day of the scores, the version of the model",
	Leaves: "nothing",
	sniff: func(_ string, head []byte, _ []string) bool {
		return bytes.HasPrefix(head, []byte("#model_version:")) || bytes.HasPrefix(head, []byte("cve,epss"))
	},
	read: readEPSS,
}

func readEPSS(in *input) error {
	columns := []string{"cve", "epss", "percentile"}
	for {
		at := in.offset()
		line, ok, err := in.line(4 << 10)
		if err != nil || !ok {
			return err
		}
		switch {
		case len(line) == 0:
			continue
		case line[0] == '#': // #model_version:v2025.03.14,score_date:2025-04-01T12:00:00+0000
			for f := range strings.SplitSeq(string(line[1:]), ",") {
				if v, ok := strings.CutPrefix(f, "model_version:"); ok {
					in.stats.Edition = v
				}
				if v, ok := strings.CutPrefix(f, "score_date:"); ok {
					in.stats.Date = when(v)
				}
			}
			continue
		case bytes.HasPrefix(line, []byte("cve,")):
			columns = strings.Split(string(line), ",")
			continue
		}
		r, err := scoreLine(columns, string(line))
		if err != nil {
			in.skip(at, r.ID, err)
			continue
		}
		r.Forecast.At = in.stats.Date
		if err := in.record(r); err != nil {
			return err
		}
	}
}

func scoreLine(columns []string, line string) (advisory.Record, error) {
	r := advisory.Record{Source: advisory.EPSS, Origin: "FIRST"}
	fields := strings.Split(line, ",")
	if len(fields) != len(columns) {
		return r, fmt.Errorf("%d columns where %d are expected", len(fields), len(columns))
	}
	f := &advisory.Forecast{Probability: -1, Percentile: -1}
	for i, c := range columns {
		var to *float64
		switch c {
		case "cve":
			r.ID = cveID(fields[i])
			continue
		case "epss":
			to = &f.Probability
		case "percentile":
			to = &f.Percentile
		default:
			continue
		}
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || math.IsNaN(v) || v < 0 || v > 1 {
			return r, fmt.Errorf("%s %q is no number from 0 to 1", c, fields[i])
		}
		*to = v
	}
	if !strings.HasPrefix(r.ID, "CVE-") {
		return r, errors.New("it names no vulnerability")
	}
	if f.Probability < 0 {
		return r, errors.New("it has no score")
	}
	f.Percentile = max(f.Percentile, 0)
	r.Forecast = f
	return r, nil
}
