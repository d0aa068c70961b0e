package firmware

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Changelog is what the changelog of a Debian package says: of which source and version
// it is, and which vulnerabilities its entries name as mended.
type Changelog struct {
	Source  string   `json:"source"`
	Version string   `json:"version"`
	Mends   []string `json:"mends,omitempty"`
}

const (
	changelogPacked = 512 << 10 // bytes of a compressed changelog that is read
	changelogMost   = 4 << 20   // bytes of its text
	mendsAtMost     = 2000
)

var (
	// changelogHead is the first line of an entry (deb-changelog(5)).
	changelogHead = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]+) \(([A-Za-z0-9.+~:-]+)\)(?: [A-Za-z0-9.+-]+)+; *urgency=`)
	cveName       = regexp.MustCompile(`CVE-[0-9]{4}-[0-9]{4,7}`)
)

// lookChangelog reads a changelog of Debian's form, compressed or not. Of other contents
// it reads no more than their first line.
func lookChangelog(t *Trace, c *content) {
	var text []byte
	switch {
	case !c.whole:
		return
	case bytes.HasPrefix(c.data, []byte{0x1f, 0x8b}) && len(c.data) <= changelogPacked:
		z, err := gzip.NewReader(bytes.NewReader(c.data))
		if err != nil {
			return
		}
		head := make([]byte, 512)
		n, _ := io.ReadFull(z, head)
		if !changelogHead.Match(head[:n]) {
			return
		}
		b := bytes.NewBuffer(head[:n])
		_, _ = io.Copy(b, io.LimitReader(z, changelogMost)) // what is damaged ends it: the rest says less, not more
		text = b.Bytes()
	case t.Type == "text" && len(c.data) <= changelogMost:
		text = c.data
	}
	m := changelogHead.FindSubmatch(text)
	if m == nil {
		return
	}
	t.Changelog = &Changelog{Source: string(m[1]), Version: string(m[2]), Mends: mends(string(text))}
}

// mends lists the vulnerabilities that lines of a changelog name, but those where a change
// is taken back or said not to matter, and all that such a line names.
func mends(text string) []string {
	if !strings.Contains(text, "CVE-") {
		return nil
	}
	found, not := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "CVE-") {
			continue
		}
		low := strings.ToLower(line)
		into := found
		for _, w := range []string{"revert", "drop", "not affected", "not fixed", "unfixed", "incomplete", "remove", "disable", "back out", "does not fix", "still vulnerable"} {
			if strings.Contains(low, w) {
				into = not
			}
		}
		for _, id := range cveName.FindAllString(line, -1) {
			into[id] = true
		}
	}
	var out []string
	for id := range found {
		if !not[id] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), mendsAtMost)]
}

// mended adds to the components of Debian packages what the packages' own changelogs say
// that they mend. A changelog of another version says nothing.
func (r *Root) mended(list []*fact.Component) {
	type key struct{ source, version string }
	logs := map[key]*File{}
	for _, f := range r.Glob("/usr/share/doc/*/changelog*") {
		if f.Trace == nil || f.Trace.Changelog == nil {
			continue
		}
		k := key{f.Trace.Changelog.Source, f.Trace.Changelog.Version}
		if logs[k] == nil {
			logs[k] = f
		}
	}
	if len(logs) == 0 {
		return
	}
	for _, c := range list {
		if c.Ecosystem != "deb" {
			continue
		}
		name, _, _ := strings.Cut(c.PURL, "?")
		at := strings.LastIndexByte(name, '@')
		if at < 0 {
			continue
		}
		version := strings.NewReplacer("%2B", "+", "%3A", ":", "%7E", "~").Replace(name[at+1:])
		source := name[strings.LastIndexByte(name[:at], '/')+1 : at]
		f := logs[key{strings.ReplaceAll(source, "%2B", "+"), version}]
		if f == nil || len(f.Trace.Changelog.Mends) == 0 {
			continue
		}
		c.Mends, c.MendsIn = f.Trace.Changelog.Mends, f.At(0).String()
	}
}
