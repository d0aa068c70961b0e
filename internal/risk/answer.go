package risk

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

const (
	maxAnswersFile = 1 << 20
	maxAnswers     = 10_000
)

// ReadAnswers reads an answers file (see [Template]): YAML with a list "answers". Answers
// of unknown are left out. It refuses unknown keys, questions and words, answers without a
// person or a day, two answers of one day that differ, and answers that cannot both be
// so; the error is one line that names the question. name is for errors.
func ReadAnswers(name string, data []byte) ([]Answer, error) {
	if len(data) > maxAnswersFile {
		return nil, fmt.Errorf("%s: %d bytes: more than answers have", name, len(data))
	}
	var file struct {
		Answers []Answer `yaml:"answers"`
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", name, yamlError(err))
	}
	if len(file.Answers) > maxAnswers {
		return nil, fmt.Errorf("%s: %d answers: more than %d", name, len(file.Answers), maxAnswers)
	}
	var out []Answer
	for i, a := range file.Answers {
		if a.Answer == "unknown" {
			continue
		}
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("%s: answer %d: %w", name, i+1, err)
		}
		out = append(out, a)
	}
	if err := CheckAnswers(out); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

func (a Answer) check() error {
	q, ok := question(a.Question)
	if !ok {
		return fmt.Errorf("there is no question %q", a.Question)
	}
	if !slices.Contains(q.Answers(), a.Answer) {
		return fmt.Errorf("%s: %q is none of %s", a.Question, a.Answer, strings.Join(append(q.Answers(), "unknown"), ", "))
	}
	if q.Of == "weakness" && a.About == "" {
		return fmt.Errorf("%s: it is asked of one weakness: say with about which", a.Question)
	}
	if a.Who == "" || a.When == "" {
		return fmt.Errorf("%s: it needs who says it and when", a.Question)
	}
	if _, err := time.Parse(time.DateOnly, a.When); err != nil {
		return fmt.Errorf("%s: when %q is no day such as 2026-11-24", a.Question, a.When)
	}
	return nil
}

// CheckAnswers says which answers contradict each other. Of several to one question the
// latest counts.
func CheckAnswers(answers []Answer) error {
	day := map[string]Answer{}
	for _, a := range answers {
		k := at(a.Question, a.About, a.When)
		if old, ok := day[k]; ok && old.Answer != a.Answer {
			return fmt.Errorf("%s: %q and %q on %s: one of them", a.Question, old.Answer, a.Answer, a.When)
		}
		day[k] = a
	}
	by := latest(answers)
	for _, about := range sortedKeys(by) {
		given := by[about]
		for _, c := range []struct{ a, is, b, not, why string }{
			{"XAVN", "no", "XAVT", "yes", "what no network reaches is not reached from another one"},
			{"XAVN", "no", "XAVW", "yes", "a radio link is a network"},
			{"XAVW", "no", "XAVR", "yes", "without a radio link there is none that reaches far"},
			{"XAVN", "yes", "XAVP", "yes", "what a network reaches needs no hands"},
			{"XPRL", "no", "XPRZ", "yes", "without a login no user's login is needed"},
			{"XPRL", "no", "XPRS", "yes", "without a login none is known"},
			{"XCP", "none", "XCPM", "yes", "data that harm nobody are nobody's, however many"},
		} {
			if given[c.a].Answer == c.is && given[c.b].Answer == c.not {
				return fmt.Errorf("%s is %s and %s is %s: %s", c.a, c.is, c.b, c.not, c.why)
			}
		}
	}
	return nil
}

// latest are the answers that count, by what they are about and by question.
func latest(answers []Answer) map[string]map[string]Answer {
	sorted := slices.Clone(answers)
	slices.SortStableFunc(sorted, func(a, b Answer) int {
		return cmp.Or(cmp.Compare(a.When, b.When), cmp.Compare(a.Who, b.Who), cmp.Compare(a.Answer, b.Answer))
	})
	out := map[string]map[string]Answer{}
	for _, a := range sorted {
		if out[a.About] == nil {
			out[a.About] = map[string]Answer{}
		}
		out[a.About][a.Question] = a
	}
	return out
}

// environment is the answers that count, by what they are about.
type environment map[string]map[string]Answer

// of gives the modified metrics for a weakness: what is answered of it itself (about) counts
// before what is answered of the device. An answer that the facts show to be otherwise
// changes nothing, and is told.
func (e environment) of(base *reading, x Exposure, about ...string) (metrics map[string]string, against []string) {
	given, own := map[string]Answer{}, map[string]Answer{}
	maps.Copy(given, e[""])
	for _, k := range about {
		if k != "" {
			maps.Copy(given, e[k])
			maps.Copy(own, e[k])
		}
	}
	is := func(id, answer string) bool { return given[id].Answer == answer }
	refuse := func(id, shown string) {
		a := given[id]
		against = append(against, fmt.Sprintf("%s: %s answers %s of %s on %s, and %s; the answer does not count", id, a.Who, a.Answer, a.About, a.When, shown))
		delete(given, id)
	}
	if x.Network == "network" {
		if is("XAVN", "no") {
			refuse("XAVN", "the facts say it is reached "+x.words())
		}
		if is("XAVP", "yes") {
			refuse("XAVP", "the facts say it is reached "+x.words())
		}
	}
	if x.Authenticated == "no" && is("XPRL", "yes") {
		refuse("XPRL", "the facts say it is reached "+x.words())
	}
	metrics = map[string]string{}
	switch {
	case is("XAVP", "yes"):
		metrics["MAV"] = "P"
	case is("XAVN", "no"):
		metrics["MAV"] = "L"
	case is("XAVT", "no"):
		metrics["MAV"] = "A"
	}
	hands := base.effective("AV") == "P" || metrics["MAV"] == "P"
	near := metrics["MAV"] == "A" && is("XAVR", "no") // a radio link that ends in the room, and nothing from farther
	if hands && is("XAVPA", "no") || near || is("XACL", "no") {
		metrics["MAC"] = "H"
	}
	if is("XPRL", "yes") && !is("XPRS", "yes") {
		switch {
		case is("XPRZ", "yes"):
			metrics["MPR"] = "L"
		case is("XPRZ", "no"):
			metrics["MPR"] = "H"
		}
	}
	if is("XUI", "yes") {
		metrics["MUI"] = "R"
	}
	if is("XS", "yes") {
		metrics["MS"] = "C"
	}
	// How bad it is for the device as a whole is harm; of one weakness it is its impact.
	maps.Copy(metrics, impacts(own))
	return metrics, against
}

// impacts are the modified impact metrics of answers that are about one weakness: a metric
// is set where a question of it was answered, to the worst of the answers.
func impacts(given map[string]Answer) map[string]string {
	worst := map[string]string{}
	for _, q := range questions() {
		if a := given[q.ID].Answer; q.Kind == "harm" && a != "" {
			letter := "L"
			switch {
			case a == "none":
				letter = "N"
			case a >= "S3":
				letter = "H"
			}
			if old := worst["M"+q.On]; old == "" || strings.Index("NLH", letter) > strings.Index("NLH", old) {
				worst["M"+q.On] = letter
			}
		}
	}
	return worst
}

// answeredHarms is the worst harm by the answers that are about the device. A dimension of
// which no question was answered is left as it is.
func answeredHarms(given map[string]Answer) map[string]Harm {
	out := map[string]Harm{}
	for _, t := range []struct {
		dimension string
		ids       []string
	}{
		{"patient-safety", []string{"XID", "XAD", "XIT", "XAT", "XIP", "XAP"}},
		{"privacy", []string{"XCP", "XCD", "XCT"}},
		{"operation", []string{"XIW", "XAW", "XAS"}},
		{"property", []string{"XCS", "XCW"}},
		{"finance", []string{"XCO", "XIO", "XAO"}},
	} {
		h := Harm{Dimension: t.dimension}
		for _, id := range t.ids {
			a, ok := given[id]
			if !ok {
				continue
			}
			s := a.Answer
			if s == "none" {
				s = "S1"
			}
			if id == "XCP" && given["XCPM"].Answer == "yes" {
				s = step(s, 1)
			}
			if s > h.Severity {
				h.Severity, h.From = s, fmt.Sprintf("%s answers %s to %s on %s", a.Who, a.Answer, id, a.When)
				if a.Why != "" {
					h.From += ": " + a.Why
				}
			}
		}
		if h.Severity != "" {
			out[t.dimension] = h
		}
	}
	return out
}
