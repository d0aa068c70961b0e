package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/risk"
)

// statuses in the order in which they matter.
var statuses = []advisory.Status{advisory.Vulnerable, advisory.Unclear, advisory.Fixed, advisory.NotThere}

// statusWords writes a status for people.
func statusWords(s advisory.Status) string {
	switch s {
	case advisory.Vulnerable:
		return "affected"
	case advisory.Unclear:
		return "under investigation"
	case advisory.Fixed:
		return "fixed"
	case advisory.NotThere:
		return "not affected"
	}
	return clean(string(s))
}

// matched is a match, and the risk that comes of it where one was assessed.
type matched struct {
	*advisory.Match
	Risk *risk.Risk
	Also []string // other roots of which the same is true: see distinct
}

// distinct leaves of matches that differ in their root alone the first.
func distinct(all []matched) []matched {
	type same struct {
		advisory, component, version string
		status                       advisory.Status
	}
	at := map[same]int{}
	var out []matched
	for _, m := range all {
		k := same{m.Advisory, m.Component, m.Version, m.Status}
		if i, ok := at[k]; ok {
			out[i].Also = append(out[i].Also, m.Root)
			continue
		}
		at[k] = len(out)
		out = append(out, m)
	}
	return out
}

// matches returns the matches in the order in which they matter: what is affected first,
// in it what is known to be exploited, then by risk, score and forecast.
func matches(d *dossier.Dossier) []matched {
	risks := map[string]*risk.Risk{}
	for i := range d.Risks {
		r := &d.Risks[i]
		for _, m := range r.Matches {
			if was := risks[m]; was == nil || r.Priority < was.Priority {
				risks[m] = r
			}
		}
	}
	out := make([]matched, len(d.Matches))
	for i := range d.Matches {
		m := &d.Matches[i]
		out[i] = matched{Match: m, Risk: risks[m.Advisory+"@"+m.Component]}
	}
	first := func(m matched) int {
		if m.Risk == nil {
			return 1 << 30
		}
		return m.Risk.Priority
	}
	sure := []string{"high", "medium", "low"}
	slices.SortStableFunc(out, func(a, b matched) int {
		return cmp.Or(cmp.Compare(slices.Index(statuses, a.Status), slices.Index(statuses, b.Status)), -compareBool(a.KEV, b.KEV), cmp.Compare(first(a), first(b)),
			cmp.Compare(severityRank(a.Match), severityRank(b.Match)), cmp.Compare(b.CVSS, a.CVSS), cmp.Compare(b.EPSS, a.EPSS), cmp.Compare(a.Component, b.Component), cmp.Compare(a.Advisory, b.Advisory),
			cmp.Compare(slices.Index(sure, a.Confidence), slices.Index(sure, b.Confidence)))
	})
	return out
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// severityRank is how bad a match's severity is, 0 for the worst; one that nobody stated
// comes after low.
func severityRank(m *advisory.Match) int {
	if n := dossier.Rank(m.Severity); n >= 0 {
		return n
	}
	return 9
}

// todo says what to do about a match.
func todo(m *advisory.Match) string {
	switch {
	case m.Status != advisory.Vulnerable && m.Status != advisory.Unclear:
		return ""
	case m.Advice != "" && m.FixedIn != "" && !strings.Contains(m.Advice, m.FixedIn):
		return prose(m.Advice) + " Fixed in " + prose(m.FixedIn) + "."
	case m.Advice != "":
		return prose(m.Advice)
	case m.FixedIn != "":
		return "Update " + clean(m.Component) + " to " + prose(m.FixedIn) + "."
	}
	return "No fixed version is known: ask the maker, and keep it off the network or behind a filter."
}

// exploitation says what is known of attacks, empty where nothing is.
func exploitation(m *advisory.Match) string {
	var words []string
	if m.KEV {
		s := "known to be exploited"
		if m.Ransomware {
			s += " by ransomware"
		}
		if m.KEVDue != "" {
			s += " (due " + prose(m.KEVDue) + ")"
		}
		words = append(words, s)
	}
	if m.EPSS > 0 {
		words = append(words, "EPSS "+percent(m.EPSS))
	}
	return strings.Join(words, ", ")
}

// percent writes a probability.
func percent(p float64) string {
	switch {
	case p >= 0.995:
		return "more than 99 %"
	case p >= 0.1:
		return fmt.Sprintf("%.0f %%", 100*p)
	case p >= 0.001:
		return fmt.Sprintf("%.1f %%", 100*p)
	}
	return "below 0.1 %"
}

// severityWords writes how bad it is: high 7.5.
func severityWords(m *advisory.Match) string {
	return strings.TrimSpace(prose(m.Severity) + " " + float(m.CVSS, 1))
}

// concern is what is known of one component.
type concern struct {
	Component, Version, Root string
	Count                    map[advisory.Status]int
	KEV                      int // of those affected
	Worst                    string
	Critical, High           int
}

// concerns returns the components that are affected, or may be, the worst first.
func concerns(d *dossier.Dossier) []*concern {
	type name struct{ component, version, root string }
	at := map[name]*concern{}
	var out []*concern
	for i := range d.Matches {
		m := &d.Matches[i]
		n := name{m.Component, m.Version, m.Root}
		c := at[n]
		if c == nil {
			c = &concern{Component: m.Component, Version: m.Version, Root: m.Root, Count: map[advisory.Status]int{}}
			at[n] = c
			out = append(out, c)
		}
		c.Count[m.Status]++
		if m.Status != advisory.Vulnerable {
			continue
		}
		if m.KEV {
			c.KEV++
		}
		switch m.Severity {
		case "critical":
			c.Critical++
		case "high":
			c.High++
		}
		if dossier.Rank(m.Severity) >= 0 && (c.Worst == "" || dossier.Rank(m.Severity) < dossier.Rank(c.Worst)) {
			c.Worst = m.Severity
		}
	}
	out = slices.DeleteFunc(out, func(c *concern) bool { return c.Count[advisory.Vulnerable]+c.Count[advisory.Unclear] == 0 })
	slices.SortStableFunc(out, func(a, b *concern) int {
		return cmp.Or(cmp.Compare(b.KEV, a.KEV), cmp.Compare(b.Critical, a.Critical), cmp.Compare(b.High, a.High), cmp.Compare(b.Count[advisory.Vulnerable], a.Count[advisory.Vulnerable]),
			cmp.Compare(b.Count[advisory.Unclear], a.Count[advisory.Unclear]), cmp.Compare(a.Component, b.Component), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Root, b.Root))
	})
	return out
}

// lookedUp says in one sentence what became of the matches.
func lookedUp(d *dossier.Dossier) string {
	n := map[advisory.Status]int{}
	for _, m := range distinct(matches(d)) {
		n[m.Status]++
	}
	unknown := len(unlookable(d))
	if len(d.Matches) == 0 && len(d.Considered) == 0 {
		return ""
	}
	words := fmt.Sprintf("%d affected", n[advisory.Vulnerable])
	if kev := attacked(d); kev > 0 {
		words += fmt.Sprintf(" (%d known to be exploited)", kev)
	}
	for _, s := range statuses[1:] {
		if n[s] > 0 {
			words += fmt.Sprintf(", %d %s", n[s], statusWords(s))
		}
	}
	if unknown > 0 {
		words += "; of " + plural(unknown, "component", "components") + " nothing is known"
	}
	return words + "."
}

// attacked counts what is affected and known to be exploited.
func attacked(d *dossier.Dossier) int {
	n := 0
	for _, m := range distinct(matches(d)) {
		if m.Status == advisory.Vulnerable && m.KEV {
			n++
		}
	}
	return n
}

// unlookable returns the components that could not be looked up.
func unlookable(d *dossier.Dossier) []*advisory.Considered {
	var out []*advisory.Considered
	for i := range d.Considered {
		if d.Considered[i].Unknown != "" {
			out = append(out, &d.Considered[i])
		}
	}
	return out
}

// unknownReason is why components could not be looked up.
type unknownReason struct {
	Why   string
	Names []string
}

// unknownComponents groups components by why they could not be looked up.
func unknownComponents(all []*advisory.Considered) []*unknownReason {
	at := map[string]*unknownReason{}
	var out []*unknownReason
	for _, c := range all {
		r := at[c.Unknown]
		if r == nil {
			r = &unknownReason{Why: prose(c.Unknown)}
			at[c.Unknown] = r
			out = append(out, r)
		}
		if name := clean(strings.TrimSpace(c.Component + " " + c.Version)); !slices.Contains(r.Names, name) {
			r.Names = append(r.Names, name)
		}
	}
	slices.SortStableFunc(out, func(a, b *unknownReason) int {
		return cmp.Or(cmp.Compare(len(b.Names), len(a.Names)), cmp.Compare(a.Why, b.Why))
	})
	return out
}

// indexAge returns how many days older than the assessment the index is; ok is false
// where none was used.
func indexAge(d *dossier.Dossier) (days int, ok bool) {
	t, err := time.Parse(time.DateOnly, d.Tool.Index.Date)
	if err != nil {
		return 0, false
	}
	return int(d.At.Sub(t).Hours() / 24), true
}

// indexWords says what the vulnerability index is, how old and how complete.
func indexWords(d *dossier.Dossier) []string {
	x := d.Tool.Index
	if x.Date == "" {
		return []string{`No vulnerability index was used, so nothing is known of vulnerabilities: run "vesalius db update", or "vesalius db import" where there is no network.`}
	}
	words := "The vulnerability index is of " + prose(x.Date)
	days, ok := indexAge(d)
	switch {
	case ok && days > 0:
		words += ", " + plural(days, "day", "days") + " before the assessment"
	case ok && days < 0:
		words += ", after the assessment"
	}
	if x.BuiltIn {
		words += "; it is the small one that the program carries, for the products that it recognises and medical devices"
	}
	if x.Vulnerabilities > 0 {
		words += "; it holds " + plural(x.Vulnerabilities, "vulnerability", "vulnerabilities")
	}
	words += "."
	if ok && days > advisory.DueDays {
		words += " An update is due."
	}
	out := []string{words}
	var from []string
	for _, s := range x.From {
		w := prose(s.Source)
		if s.Date != "" {
			w += " of " + prose(s.Date)
		}
		from = append(from, w)
	}
	if len(from) == 0 {
		from = proses(x.Sources)
	}
	if len(from) > 0 {
		out = append(out, "Its sources: "+strings.Join(from, ", ")+".")
	}
	var short []string
	for _, y := range x.Years {
		if y.All > 0 && y.Known*100 < y.All*95 {
			short = append(short, fmt.Sprintf("%d (%d of %d)", y.Year, y.Known, y.All))
		}
	}
	if len(short) > 0 {
		out = append(out, "It is incomplete for the years "+list(short, 12)+".")
	}
	return out
}
