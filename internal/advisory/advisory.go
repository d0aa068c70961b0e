// Package advisory knows what is publicly known to be wrong with software, and says which
// of it concerns the components of a device.
//
// [Record] is what one source says of one vulnerability: the feeds (package feed) read
// their sources into records, a [Builder] writes them into one index file, an [Index]
// looks them up, and Match holds them against the components of a device. Every [Match]
// says why, step by step, and a component that could not be looked up is [Considered]
// nevertheless.
//
// The package fetches nothing: what it knows lies in files.
package advisory

import "time"

// Source is where a record comes from.
type Source string

// The sources that can be imported.
const (
	NVD     Source = "nvd"     // the National Vulnerability Database
	CVE     Source = "cve"     // the CVE List: what the numbering authorities and CISA say
	KEV     Source = "kev"     // CISA's list of what is known to be exploited
	EPSS    Source = "epss"    // FIRST's estimate of what will be exploited
	CSAF    Source = "csaf"    // advisories of CISA and of vendors
	OSV     Source = "osv"     // package ecosystems and distributions
	OpenSSL Source = "openssl" // the project's own list
)

// Record is what one source says of one vulnerability. It holds facts; only Text is
// prose, and a snapshot has none.
type Record struct {
	Source    Source
	Origin    string    // who speaks within the source: a numbering authority, a publisher, an ecosystem
	ID        string    // the vulnerability: its CVE id where it has one, else the source's own
	Document  string    // the source's own id where it is another: ICSMA-18-058-01, DSA-5417-1, GHSA-...
	Aliases   []string  // further ids of the same vulnerability
	Published time.Time // zero where the source states none
	Modified  time.Time
	Withdrawn bool // rejected or withdrawn: kept so that an earlier record is known to be void

	CWE       []int
	Scores    []Score
	Affected  []Affected
	Files     []string // files of the product's source code that hold the flaw
	Exploited *Exploited
	Forecast  *Forecast
	Advice    []Advice
	Links     []string
	Text      string
}

// Score is one CVSS vector, and who gave it.
type Score struct {
	Vector string // CVSS:4.0/..., CVSS:3.1/..., or of version 2 without a prefix
	By     string
}

// Exploited says that attacks are known.
type Exploited struct {
	Added      time.Time
	Due        time.Time // until when CISA wants it mended
	Ransomware bool
}

// Forecast is EPSS: how likely exploitation is within 30 days.
type Forecast struct {
	Probability float64 // 0 to 1
	Percentile  float64 // 0 to 1
	At          time.Time
}

// Advice is what a vendor says to do.
type Advice struct {
	Kind     string   // vendor_fix, mitigation, workaround, no_fix_planned, none_available, fix_planned
	Products []string // for which, as the document names them; none: for all
	Link     string
	Text     string
}

// How a product is named.
const (
	ByCPE     = "cpe"     // Part, Vendor and Name are those of CPE names, unescaped, in lower case
	ByPackage = "package" // Ecosystem and Name are those of a package manager
	ByName    = "name"    // Vendor and Name are as people write them
)

// Product names what is affected.
type Product struct {
	By        string
	Part      string // of a CPE: a, o or h
	Vendor    string
	Name      string
	Ecosystem string // of a package: Debian:12, Alpine:v3.18, OpenWrt, npm, PyPI, Go, crates.io, Maven ...

	// What else a CPE name demands; empty is any.
	Update, Edition, Language, SoftwareEdition, TargetSoftware, TargetHardware, Other string
}

// Affected says something of some versions of a product.
type Affected struct {
	Product  Product
	Status   Status  // Vulnerable where the source only lists what is
	Versions []Range // none: every version
	With     []AnyOf // each must be met too: what the product must be running on or with

	Justification string // of NotThere, in the words of OpenVEX, where the source gives one
}

// AnyOf is met when one of its products is there in one of the versions.
type AnyOf []Part

// Part is a product in some versions, that a statement presupposes.
type Part struct {
	Product  Product
	Versions []Range
}

// Range is the versions from From to To. From is in it and To is not, unless the flags
// say otherwise; an empty end is open. A single version is its own From and To, with Last.
type Range struct {
	From, To string
	After    bool   // From itself is not in it
	Last     bool   // To itself is in it
	Scheme   string // how versions are ordered, where the source says: semver, deb, rpm, apk, python, maven, git ...
	Raw      string // what the source wrote where it is no range that can be ordered: "Rev B-M"
}

// Status is what is said of a component in view of a vulnerability, in the words that VEX uses.
type Status string

// The statuses.
const (
	Vulnerable Status = "affected"
	Fixed      Status = "fixed"
	NotThere   Status = "not_affected"
	Unclear    Status = "under_investigation"
)

// Match is what became of one vulnerability and one component of the device.
type Match struct {
	Advisory      string   `json:"advisory"` // the CVE id where there is one
	Aliases       []string `json:"aliases,omitempty"`
	Documents     []string `json:"documents,omitempty"` // advisories that speak of it: ICSMA-..., DSA-...
	Component     string   `json:"component"`
	Version       string   `json:"version,omitzero"` // with the distribution's suffix
	Root          string   `json:"root,omitzero"`
	PURL          string   `json:"purl,omitzero"`
	Places        []string `json:"places,omitempty"`
	Status        Status   `json:"status"`
	Justification string   `json:"justification,omitzero"` // of not_affected, in the words of OpenVEX: vulnerable_code_not_present ...
	Why           []string `json:"why"`                    // the steps of the answer, in order
	Confidence    string   `json:"confidence"`             // high, medium, low
	By            string   `json:"by,omitzero"`            // who says the status, where it was stated: a VEX document's author
	Severity      string   `json:"severity,omitzero"`      // critical, high, medium, low, none
	CVSS          float64  `json:"cvss,omitzero"`
	Vector        string   `json:"vector,omitzero"`
	CWE           []int    `json:"cwe,omitempty"`
	KEV           bool     `json:"kev"` // known to be exploited
	KEVAdded      string   `json:"kev_added,omitzero"`
	KEVDue        string   `json:"kev_due,omitzero"`
	Ransomware    bool     `json:"ransomware,omitzero"`
	EPSS          float64  `json:"epss,omitzero"`
	Percentile    float64  `json:"percentile,omitzero"`
	FixedIn       string   `json:"fixed_in,omitzero"`
	Advice        string   `json:"advice,omitzero"` // what to do
	Published     string   `json:"published,omitzero"`
	Sources       []string `json:"sources,omitempty"`
}

// Considered says how far one component was looked up. A component is never dropped.
type Considered struct {
	Component  string         `json:"component"`
	Version    string         `json:"version,omitzero"`
	Root       string         `json:"root,omitzero"`
	As         []string       `json:"as,omitempty"`       // the names it was looked up by
	Unknown    string         `json:"unknown,omitzero"`   // why nothing can be said; empty where it was looked up
	Candidates int            `json:"candidates"`         // vulnerabilities of the product, of any version
	Statuses   map[Status]int `json:"statuses,omitempty"` // how many of them ended in which
	Outside    int            `json:"outside"`            // turned down because the version lies outside
	Elsewhere  int            `json:"elsewhere,omitzero"` // turned down because another product or platform is meant
}
