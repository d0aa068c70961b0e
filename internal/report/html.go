package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed" // the page's parts
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/dossier"
	"github.com/vesalius-project/vesalius/internal/judge"
)

var html = Form{
	Name:  "html",
	Title: "one page to read, search and print",
	MIME:  "text/html; charset=utf-8",
	write: writeHTML,
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// How much of one rule the page shows: the rest is counted, and stands in the JSON form.
const (
	htmlAlike  = 200  // findings of one rule
	htmlPlaces = 50   // places of a finding
	htmlLong   = 2000 // characters of one piece of evidence
)

// page is what the template fills in. Every text in it is clean.
type page struct {
	Policy   string
	Style    template.CSS
	Script   template.JS
	Title    string
	Detail   string
	Verdict  *pageVerdict
	Headline string
	Warnings []string
	Sections []pageSection
	Vectors  []pageVector
	Plots    *pagePlots
	Bad      []pageGroup
	Tables   []pageTable
	Foot     string
}

type pageVerdict struct {
	Class, Outcome, Policy string
	Reasons, Conditions    []string
}

type pageSection struct {
	ID, Title string
	Count     int
}

type pageVector struct {
	Title, Label, Worst string
	Bad, Unknown, Good  string
	Bars                []pageBar
}

type pageBar struct {
	Class    string
	X, Width int
}

type pageGroup struct {
	Severity, Title, Rule string
	Open                  bool
	Count, More           int
	Why, Do, Fix, Control string
	Seen                  []pageSeen
	Maps                  []pageMap
}

type pageSeen struct {
	Evidence string
	Notes    []string
	Places   []string
	More     int
}

type pageMap struct{ Name, Text string }

func writeHTML(w io.Writer, d *dossier.Dossier, _ Options) error {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("html: %w", err)
	}
	p := page{
		Policy:   fmt.Sprintf("default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'", source(pageCSS), source(pageJS)),
		Style:    template.CSS(pageCSS), //nolint:gosec // our own file
		Script:   template.JS(pageJS),   //nolint:gosec // our own file
		Title:    deviceTitle(d),
		Detail:   deviceDetail(d),
		Headline: headline(d),
		Vectors:  pageVectors(d),
		Plots:    plots(d),
		Bad:      pageGroups(d),
		Tables:   pageTables(d),
		Foot:     toolLine(d),
	}
	if v := d.Verdict; v != nil {
		p.Verdict = &pageVerdict{Class: "conditions", Outcome: prose(v.Outcome), Policy: prose(v.Policy), Reasons: proses(v.Reasons), Conditions: proses(v.Conditions)}
		if v.Outcome == "accept" || v.Outcome == "reject" {
			p.Verdict.Class = v.Outcome
		}
	}
	p.Warnings = warnings(d)
	if p.Plots != nil {
		p.Sections = append(p.Sections, pageSection{ID: "glance", Title: "At a glance"})
	}
	if len(p.Bad) > 0 {
		p.Sections = append(p.Sections, pageSection{"bad", "Bad", d.Count().All.Bad})
	}
	for _, t := range p.Tables {
		p.Sections = append(p.Sections, pageSection{t.ID, t.Title, len(t.Rows)})
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("html: %w", err)
	}
	return nil
}

// source names an inline style or script for the page's content security policy.
func source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func pageVectors(d *dossier.Dossier) []pageVector {
	const width = 160
	var out []pageVector
	for _, r := range vectorRows(d) {
		v := pageVector{
			Title: clean(r.Title), Worst: r.Worst,
			Bad: number(r.Bad), Unknown: number(r.Unknown), Good: number(r.Good),
			Label: fmt.Sprintf("%d bad, %d unknown, %d good", r.Bad, r.Unknown, r.Good),
		}
		all, x := r.Bad+r.Unknown+r.Good, 0
		sum := 0
		for _, part := range []struct {
			class string
			n     int
		}{{"bad", r.Bad}, {"unknown", r.Unknown}, {"good", r.Good}} {
			if part.n == 0 {
				continue
			}
			sum += part.n
			end := max(width*sum/all, x+2)
			v.Bars = append(v.Bars, pageBar{part.class, x, end - x})
			x = end
		}
		if all == 0 {
			v.Bars = []pageBar{{"none", 0, width}}
		}
		out = append(out, v)
	}
	return out
}

func pageGroups(d *dossier.Dossier) []pageGroup {
	at := roots(d)
	var out []pageGroup
	for _, g := range groups(d, judge.Bad) {
		p := pageGroup{
			Severity: g.Severity, Title: prose(cmp.Or(g.Findings[0].Title, g.Rule.Title)), Rule: clean(g.Rule.ID),
			Open: g.Severity == "critical", Count: g.Count,
			Why: prose(g.Rule.Why), Do: prose(g.Rule.Recommend),
			Fix: prose(strings.Join(g.Rule.Remedy, ", ")), Control: prose(strings.Join(g.Rule.Control, ", ")),
		}
		if p.Fix == "" && g.Rule.Human != "" {
			p.Fix = "by hand: " + prose(g.Rule.Human)
		}
		for i, f := range g.Findings {
			if i == htmlAlike {
				p.More = len(g.Findings) - i
				break
			}
			p.Seen = append(p.Seen, pageSeenOf(f, at))
		}
		if len(g.Rule.CWE) > 0 {
			p.Maps = append(p.Maps, pageMap{"CWE", cwes(g.Rule.CWE)})
		}
		for _, m := range slices.Sorted(maps.Keys(g.Rule.Maps)) {
			p.Maps = append(p.Maps, pageMap{clean(m), prose(strings.Join(g.Rule.Maps[m], ", "))})
		}
		out = append(out, p)
	}
	return out
}

func pageSeenOf(f *judge.Finding, at map[string]string) pageSeen {
	s := pageSeen{Evidence: cut(seen(f), htmlLong)}
	s.Notes = remarks(f)
	for i, p := range f.Places {
		if i == htmlPlaces {
			break
		}
		s.Places = append(s.Places, where(p, f.Root, at))
	}
	s.More = max(len(f.Places), min(f.Count, 1<<30)) - len(s.Places)
	if len(f.Places) == 0 {
		s.More = 0
	}
	return s
}
