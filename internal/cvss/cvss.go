// Package cvss scores CVSS vectors of versions 2.0, 3.0, 3.1 and 4.0, and sets a vector
// into an environment. A vector is a string as the standard writes it
// ("CVSS:3.1/AV:N/...", of version 2 without a prefix); [Score] is its main function.
//
// The order of the metrics, which the standards prescribe and authors do not always keep,
// does not matter here. The package judges nothing: which of several vectors counts is the
// caller's choice.
package cvss

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v2 "github.com/pandatix/go-cvss/20"
	v30 "github.com/pandatix/go-cvss/30"
	v31 "github.com/pandatix/go-cvss/31"
	v4 "github.com/pandatix/go-cvss/40"
)

// longest is more than any vector needs: version 4 with every metric has 170 bytes.
const longest = 256

// standard is what one version of CVSS knows.
type standard struct {
	prefix      string
	base        []string // mandatory
	temporal    []string // threat, in version 4
	environment []string
	more        []string // supplemental: they do not change a score
	unset       string   // the value that says nothing
}

// standards lists them by version. It is never changed.
func standards(version string) (standard, bool) {
	three := standard{
		base:     []string{"AV", "AC", "PR", "UI", "S", "C", "I", "A"},
		temporal: []string{"E", "RL", "RC"},
		environment: []string{
			"CR", "IR", "AR", "MAV", "MAC", "MPR", "MUI", "MS", "MC", "MI", "MA",
		},
		unset: "X",
	}
	switch version {
	case "2.0":
		return standard{
			base:        []string{"AV", "AC", "Au", "C", "I", "A"},
			temporal:    []string{"E", "RL", "RC"},
			environment: []string{"CDP", "TD", "CR", "IR", "AR"},
			unset:       "ND",
		}, true
	case "3.0", "3.1":
		three.prefix = "CVSS:" + version + "/"
		return three, true
	case "4.0":
		return standard{
			prefix:   "CVSS:4.0/",
			base:     []string{"AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"},
			temporal: []string{"E"},
			environment: []string{
				"CR", "IR", "AR",
				"MAV", "MAC", "MAT", "MPR", "MUI", "MVC", "MVI", "MVA", "MSC", "MSI", "MSA",
			},
			more:  []string{"S", "AU", "R", "V", "RE", "U"},
			unset: "X",
		}, true
	}
	return standard{}, false
}

// Version says which CVSS a vector is written in: 2.0, 3.0, 3.1 or 4.0; "" where it is
// none of them. It looks at the beginning alone.
func Version(vector string) string {
	if rest, ok := strings.CutPrefix(vector, "CVSS:"); ok {
		v, _, _ := strings.Cut(rest, "/")
		if _, known := standards(v); known {
			return v
		}
		return ""
	}
	if strings.HasPrefix(strings.TrimPrefix(vector, "("), "AV:") {
		return "2.0"
	}
	return ""
}

// Metrics gives the values of a vector by the metrics' short names, those that say
// nothing ("X", "ND") left out. Every metric is known and has a value of its standard,
// none is given twice, and none of the mandatory ones is missing, or there is an error.
func Metrics(vector string) (map[string]string, error) {
	_, _, metrics, err := read(vector)
	return metrics, err
}

// Score is the score of a vector, 0 to 10, with everything it states: the base score
// where it holds base metrics alone, the temporal or environmental one where it holds
// more. Version 4 has one formula for all.
func Score(vector string) (float64, error) {
	version, std, metrics, err := read(vector)
	if err != nil {
		return 0, err
	}
	return score(version, std, metrics)
}

// Base is the score of the base metrics alone, 0 to 10.
func Base(vector string) (float64, error) {
	version, std, metrics, err := read(vector)
	if err != nil {
		return 0, err
	}
	maps.DeleteFunc(metrics, func(name, _ string) bool { return !slices.Contains(std.base, name) })
	return score(version, std, metrics)
}

// Severity puts a score into words as versions 3 and 4 do: none, low (from 0.1), medium
// (from 4), high (from 7), critical (from 9). Version 2 has no words of its own; NVD's
// for it end at high, and this one does not tell versions apart so that a worst score
// does not lose its rank by its age.
func Severity(score float64) string {
	switch {
	case score >= 9:
		return "critical"
	case score >= 7:
		return "high"
	case score >= 4:
		return "medium"
	case score > 0:
		return "low"
	}
	return "none"
}

// WithEnvironment gives the vector with the given metrics set, in the order of its
// standard. They must be temporal (threat), environmental or supplemental ones of the
// vector's version; a base metric is the flaw's and cannot be changed, its modified
// twin (MAV for AV) can.
func WithEnvironment(vector string, metrics map[string]string) (string, error) {
	version, std, have, err := read(vector)
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if slices.Contains(std.base, name) {
			return "", fmt.Errorf("vector %q: metric %q belongs to the flaw and not to the environment", vector, name)
		}
		if !slices.Contains(std.order(), name) {
			return "", fmt.Errorf("vector %q: no metric %q in version %s", vector, name, version)
		}
		if metrics[name] == std.unset {
			delete(have, name)
			continue
		}
		have[name] = metrics[name]
	}
	out := std.write(have)
	if _, _, _, err := read(out); err != nil {
		return "", err
	}
	return out, nil
}

func (s standard) order() []string { return slices.Concat(s.base, s.temporal, s.environment, s.more) }

// write gives the vector of metrics, in order, without those that say nothing.
func (s standard) write(metrics map[string]string) string {
	parts := make([]string, 0, len(metrics))
	for _, name := range s.order() {
		if v, ok := metrics[name]; ok {
			parts = append(parts, name+":"+v)
		}
	}
	return s.prefix + strings.Join(parts, "/")
}

// whole is write for the library's reader: version 2 wants a group whole or not at all.
func (s standard) whole(metrics map[string]string) string {
	if s.prefix != "" {
		return s.write(metrics)
	}
	metrics = maps.Clone(metrics)
	for _, group := range [][]string{s.temporal, s.environment} {
		if slices.ContainsFunc(group, func(n string) bool { return metrics[n] != "" }) {
			for _, n := range group {
				if metrics[n] == "" {
					metrics[n] = s.unset
				}
			}
		}
	}
	return s.write(metrics)
}

// read takes a vector apart and has the library check its values.
func read(vector string) (version string, std standard, metrics map[string]string, err error) {
	if len(vector) > longest {
		return "", std, nil, fmt.Errorf("vector of %d bytes: longer than any", len(vector))
	}
	version = Version(vector)
	std, ok := standards(version)
	if !ok {
		return "", std, nil, fmt.Errorf("vector %q: of no known version", vector)
	}
	body := strings.TrimPrefix(vector, std.prefix)
	if version == "2.0" { // older lists put it in brackets
		body = strings.TrimPrefix(body, "CVSS:2.0/")
		if strings.HasPrefix(body, "(") && strings.HasSuffix(body, ")") {
			body = body[1 : len(body)-1]
		}
	}
	order := std.order()
	metrics = map[string]string{}
	for part := range strings.SplitSeq(body, "/") {
		name, value, _ := strings.Cut(part, ":")
		if !slices.Contains(order, name) {
			return "", std, nil, fmt.Errorf("vector %q: no metric %q in version %s", vector, name, version)
		}
		if _, twice := metrics[name]; twice {
			return "", std, nil, fmt.Errorf("vector %q: metric %q twice", vector, name)
		}
		if value == "" {
			return "", std, nil, fmt.Errorf("vector %q: metric %q has no value", vector, name)
		}
		metrics[name] = value
	}
	for _, name := range std.base {
		if metrics[name] == "" {
			return "", std, nil, fmt.Errorf("vector %q: metric %q is missing", vector, name)
		}
	}
	if _, err := parse(version, std.whole(metrics)); err != nil {
		return "", std, nil, fmt.Errorf("vector %q: %w", vector, err)
	}
	maps.DeleteFunc(metrics, func(name, value string) bool {
		return value == std.unset && !slices.Contains(std.base, name)
	})
	return version, std, metrics, nil
}

// scores are the formulas of one vector.
type scores struct{ base, temporal, environmental func() float64 }

// parse has the library read a vector in order.
func parse(version, vector string) (scores, error) {
	switch version {
	case "2.0":
		v, err := v2.ParseVector(vector)
		if err != nil {
			return scores{}, err
		}
		return scores{v.BaseScore, v.TemporalScore, v.EnvironmentalScore}, nil
	case "3.0":
		v, err := v30.ParseVector(vector)
		if err != nil {
			return scores{}, err
		}
		return scores{v.BaseScore, v.TemporalScore, v.EnvironmentalScore}, nil
	case "3.1":
		v, err := v31.ParseVector(vector)
		if err != nil {
			return scores{}, err
		}
		return scores{v.BaseScore, v.TemporalScore, v.EnvironmentalScore}, nil
	}
	v, err := v4.ParseVector(vector)
	if err != nil {
		return scores{}, err
	}
	return scores{v.Score, v.Score, v.Score}, nil
}

// score chooses the formula: the environmental ones of versions 2 and 3 differ from the
// base score even where no environment is stated, so they are asked only where one is.
func score(version string, std standard, metrics map[string]string) (float64, error) {
	s, err := parse(version, std.whole(metrics))
	if err != nil {
		return 0, err
	}
	has := func(group []string) bool {
		return slices.ContainsFunc(group, func(n string) bool { return metrics[n] != "" })
	}
	switch {
	case has(std.environment):
		return s.environmental(), nil
	case has(std.temporal):
		return s.temporal(), nil
	}
	return s.base(), nil
}
