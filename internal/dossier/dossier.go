// Package dossier is the record of one assessment of one device: the JSON file from which
// every report, comparison and web page is made without a new scan.
//
// [Dossier] is the contract with scripts and other tools. Its names are stable for a
// schema version ([Schema]): fields may be added, a rename needs a new version. The JSON
// Schema of it stands in doc/schema. [Dossier.Write] gives the same bytes for the same
// content; [Read] takes a dossier from anybody and bounds what it may cost.
//
// The package judges nothing and knows no report.
package dossier

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/vex"
	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/remedy"
	"github.com/vesalius-project/vesalius/internal/risk"
	"github.com/vesalius-project/vesalius/internal/wall"
)

// Schema is the version of the dossier's schema that this program writes and reads.
const Schema = 1

// Dossier is one assessment of one device.
type Dossier struct {
	Schema     int                    `json:"schema"`
	Tool       Tool                   `json:"tool"`
	Device     Device                 `json:"device"`
	At         time.Time              `json:"at"`               // the date of the assessment, an argument and never the clock
	Run        Run                    `json:"run,omitzero"`     // outside the promise of same bytes, and outside the digest
	Inputs     []Input                `json:"inputs"`           // what was examined
	Layers     []Layer                `json:"layers,omitempty"` // the containers that were opened, in the order of their places
	Rules      map[string]*judge.Rule `json:"rules,omitempty"`  // every rule that was asked, by id
	Facts      fact.Set               `json:"facts"`
	Coverage   []fact.Coverage        `json:"coverage,omitempty"`
	Gaps       []fact.Gap             `json:"gaps,omitempty"`
	Findings   []*judge.Finding       `json:"findings"`
	Matches    []advisory.Match       `json:"matches,omitempty"`
	Considered []advisory.Considered  `json:"considered,omitempty"` // every component, and how far it was looked up
	Statements []vex.Statement        `json:"statements,omitempty"` // what others state of vulnerabilities, kept as they said it
	Claims     []Claim                `json:"claims,omitempty"`
	Risks      []risk.Risk            `json:"risks,omitempty"`
	Assessed   *risk.Summary          `json:"assessed,omitempty"` // the matrix in force, and what could not be judged; absent where no risk was assessed
	Answers    []risk.Answer          `json:"answers,omitempty"`  // of the questionnaire
	Remedies   []remedy.Remedy        `json:"remedies,omitempty"`
	Verdict    *judge.Verdict         `json:"verdict,omitempty"` // of a policy; absent where none was asked
}

// Tool says what made the dossier.
type Tool struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Rulebook string `json:"rulebook,omitzero"` // version or digest of the rules that were asked
	Index    Index  `json:"index,omitzero"`    // the vulnerability index; absent where none was used
}

// Index says which vulnerability index was used, and how complete it is: see [IndexOf].
type Index struct {
	Date            string        `json:"date"` // until when vulnerabilities are known
	Sources         []string      `json:"sources,omitempty"`
	BuiltIn         bool          `json:"built_in,omitzero"` // the snapshot that the program carries
	Vulnerabilities int           `json:"vulnerabilities,omitzero"`
	From            []IndexSource `json:"from,omitempty"`
	Years           []IndexYear   `json:"years,omitempty"`
}

// IndexSource says what came from one source.
type IndexSource struct {
	Source  string `json:"source"`
	Date    string `json:"date,omitzero"` // the newest date that a record of it bears
	Records int    `json:"records"`
}

// IndexYear counts the CVE ids of one year: those that the index knows something of, and
// nearly all that there are.
type IndexYear struct {
	Year  int `json:"year"`
	Known int `json:"known"`
	All   int `json:"all"`
}

// IndexOf says what index was used.
func IndexOf(info advisory.Info, builtIn bool) Index {
	date := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.DateOnly)
	}
	x := Index{Date: date(info.Known()), BuiltIn: builtIn, Vulnerabilities: info.Vulnerabilities}
	for _, s := range info.Sources {
		x.Sources = append(x.Sources, string(s.Source))
		x.From = append(x.From, IndexSource{string(s.Source), date(s.Newest), s.Records})
	}
	for _, y := range info.Years {
		x.Years = append(x.Years, IndexYear{y.Year, y.Vulnerabilities, y.Forecasts})
	}
	return x
}

// Device is what the device is, by all witnesses together: see [DeviceOf].
type Device struct {
	Vendor    string   `json:"vendor,omitzero"`
	Model     string   `json:"model,omitzero"`
	Version   string   `json:"version,omitzero"`
	UDI       string   `json:"udi,omitzero"`
	Class     string   `json:"class,omitzero"`
	OS        string   `json:"os,omitzero"`
	Distro    string   `json:"distro,omitzero"`
	Arch      string   `json:"arch,omitzero"`
	Functions []string `json:"functions,omitempty"`
	Harm      string   `json:"harm,omitzero"`
}

// Input is one image, form or capture that was examined.
type Input struct {
	Name    string       `json:"name"` // base name
	SHA256  string       `json:"sha256,omitzero"`
	Size    int64        `json:"size"`
	Witness fact.Witness `json:"witness"`
	Part    string       `json:"part,omitzero"` // of a device with several images: host, controller, radio ...
}

// Layer is one container that was opened on the way to the files.
type Layer struct {
	Place  string `json:"place"`
	Format string `json:"format"`
	Part   string `json:"part,omitzero"` // partition label, volume or image that it was found in
	Size   int64  `json:"size"`
	Files  int    `json:"files,omitzero"`
}

// Run is how the assessment went on the machine it ran on.
type Run struct {
	Walls   []wall.Wall `json:"walls,omitempty"` // which rights the reading process had given up
	Limits  Limits      `json:"limits,omitzero"`
	Spent   Spent       `json:"spent,omitzero"`
	Padding int64       `json:"padding,omitzero"` // bytes of the inputs that only pad
	Unknown int64       `json:"unknown,omitzero"` // bytes of the inputs that lie in a gap
	Timings []Timing    `json:"timings,omitempty"`
	Cache   Cache       `json:"cache,omitzero"`
}

// Limits are what the job was allowed to spend: see [LimitsOf].
type Limits struct {
	Bytes    int64 `json:"bytes"`
	Files    int64 `json:"files"`
	FileSize int64 `json:"file_size"`
	Memory   int64 `json:"memory"`
	Depth    int   `json:"depth"`
	Ratio    int64 `json:"ratio"`
	Tries    int64 `json:"tries"`
}

// Spent is what the job did spend.
type Spent struct {
	Bytes int64 `json:"bytes"`
	Files int64 `json:"files"`
}

// Timing is how long one step took.
type Timing struct {
	Step         string `json:"step"`
	Milliseconds int64  `json:"milliseconds"`
}

// Cache counts what was known from an earlier scan.
type Cache struct {
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
}

// Claim is what became of an answer of a form.
type Claim struct {
	Form     string   `json:"form"`
	Question string   `json:"question"`
	Answer   string   `json:"answer"`
	Verdict  string   `json:"verdict"` // confirmed, contradicted, understated, not shown
	Because  string   `json:"because,omitzero"`
	Findings []string `json:"findings,omitempty"` // ids
}

// LimitsOf gives the limits in force as the dossier writes them.
func LimitsOf(l budget.Limits) Limits {
	return Limits{Bytes: l.Bytes, Files: l.Files, FileSize: l.FileSize, Memory: l.Memory, Depth: l.Depth, Ratio: l.Ratio, Tries: l.Tries}
}

// DeviceOf says what the device is by the facts. Where several witnesses state a field,
// the maker's design is believed before the unit, and the unit before the image.
func DeviceOf(facts *fact.Set) Device {
	order := []fact.Witness{fact.Design, fact.Observation, fact.Live, fact.Firmware, fact.Claimed, fact.Traffic, fact.Test}
	list := slices.Clone(facts.Device)
	slices.SortStableFunc(list, func(a, b *fact.Device) int {
		return cmp.Compare(slices.Index(order, a.Source.Witness), slices.Index(order, b.Source.Witness))
	})
	var d Device
	for _, f := range list {
		for _, w := range []struct {
			to   *string
			from string
		}{
			{&d.Vendor, f.Vendor}, {&d.Model, f.Model}, {&d.Version, f.Version}, {&d.UDI, f.UDI}, {&d.Class, f.Class},
			{&d.OS, f.OS}, {&d.Distro, f.Distro}, {&d.Arch, f.Arch}, {&d.Harm, f.Harm},
		} {
			*w.to = cmp.Or(*w.to, w.from)
		}
		if d.Functions == nil {
			d.Functions = f.Functions
		}
	}
	return d
}

// Sort puts everything into the dossier's one order. Bytes that are no UTF-8, which JSON
// cannot hold, it writes as \xNN, so that a dossier reads as it was written.
func (d *Dossier) Sort() {
	d.rewrite(escapeInvalid)
	slices.SortStableFunc(d.Inputs, func(a, b Input) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Witness, b.Witness), cmp.Compare(a.SHA256, b.SHA256))
	})
	d.Facts.Sort()
	kinds := fact.Kinds()
	slices.SortStableFunc(d.Coverage, func(a, b fact.Coverage) int {
		return cmp.Or(cmp.Compare(a.Source.Witness, b.Source.Witness), cmp.Compare(a.Source.Input, b.Source.Input), cmp.Compare(a.Root, b.Root),
			cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)))
	})
	// Gaps stay in the order of their places, as their witness gives them.
	slices.SortStableFunc(d.Findings, func(a, b *judge.Finding) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Root, b.Root), slices.Compare(a.Keys, b.Keys), cmp.Compare(a.ID, b.ID))
	})
	for _, f := range d.Findings {
		fact.SortPlaces(f.Places)
	}
	slices.SortStableFunc(d.Matches, func(a, b advisory.Match) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Root, b.Root), cmp.Compare(a.Advisory, b.Advisory))
	})
	slices.SortStableFunc(d.Claims, func(a, b Claim) int {
		return cmp.Or(cmp.Compare(a.Form, b.Form), cmp.Compare(a.Question, b.Question))
	})
	slices.SortStableFunc(d.Considered, func(a, b advisory.Considered) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Root, b.Root))
	})
	slices.SortStableFunc(d.Statements, func(a, b vex.Statement) int {
		return cmp.Or(cmp.Compare(a.Vulnerability, b.Vulnerability), cmp.Compare(a.Component.Name, b.Component.Name), cmp.Compare(a.Document, b.Document), a.At.Compare(b.At))
	})
	slices.SortStableFunc(d.Risks, func(a, b risk.Risk) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID)) })
	slices.SortStableFunc(d.Answers, func(a, b risk.Answer) int {
		return cmp.Or(cmp.Compare(a.Question, b.Question), cmp.Compare(a.About, b.About), cmp.Compare(a.When, b.When), cmp.Compare(a.Who, b.Who))
	})
	slices.SortStableFunc(d.Remedies, func(a, b remedy.Remedy) int {
		return cmp.Or(strings.Compare(a.Finding, b.Finding), strings.Compare(a.Fix, b.Fix))
	})
}
