package support

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Document writes doc/support.md: the table of all facts, with their sources.
func Document(w io.Writer, all []Product) {
	lines, unconfirmed := 0, 0
	for _, p := range all {
		lines += len(p.Lines)
		if p.unconfirmed(nil) != "" {
			unconfirmed++
		}
	}
	fmt.Fprintf(w, `# Support of components

Made by `+"`make docs`"+` from `+"`internal/advisory/support/data`"+`: do not edit. %d products, %d lines of releases.

A scan says of each component, of the kernel and of the distribution whether somebody still mends it, and until when. The words are the regulator's: maintained, no longer
maintained, abandoned. How it is known stands beside each answer, in the dossier and in the form `+"`fda-support`"+`.

- **A package of a distribution** (deb, rpm, apk, opkg) is supported by the distribution, for as long as the release is; what the project itself does for the version counts elsewhere.
- **The last day** is that of security fixes which cost nothing. What can be bought beyond it is named, and does not count: only the maker knows whether it was bought.
- **Latest only**: many projects mend their newest release and no other. There is no end to look up; a release passes for maintained until its successor is %d years old. That number is our judgement.
- **A line without an announced end** passes for maintained until %d days after the facts were read; then somebody has to look again.
- **Older** versions than the oldest line listed have ended with it, where it has ended. What is newer than the newest, or lies between without being told, is unknown.
- **Unknown stays unknown.** Most components have no published dates; the report says so.

Facts of Debian and Ubuntu were read from Debian's package distro-info-data. Others were read from the files of [endoflife.date](https://endoflife.date) (MIT licence, copyright
2020 endoflife.date contributors) on the day that is shown; the source is the project's own page. %d products were written **from memory of public schedules, to be confirmed**; so are
lines marked *. Do not file them with an authority before you have looked them up.

`, len(all), lines, superseded, stale, unconfirmed)
	fmt.Fprintf(w, "| product | found as | lines, with the last day | facts read | source |\n|---|---|---|---|---|\n")
	for _, p := range all {
		var said []string
		for _, l := range p.Lines {
			said = append(said, p.say(l))
		}
		text := strings.Join(said, "; ")
		if p.Latest {
			text = "latest only: " + text
		}
		if p.Abandoned != "" {
			text = "**abandoned**: " + p.Abandoned
		}
		if p.Practice != "" {
			text = p.Practice + " " + text
		}
		names := slices.Clone(p.Names)
		if len(p.Ecosystems) > 0 {
			names = append(names, "("+strings.Join(p.Ecosystems, ", ")+")")
		}
		read := "to be confirmed"
		if p.Checked != "" {
			read = p.Checked + ", " + p.From
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", p.Name, strings.Join(names, " "), strings.ReplaceAll(text, "|", "/"), read, p.Source)
	}
}

// say is one line in the table.
func (p *Product) say(l Line) string {
	s := l.Line
	if l.LTS {
		s += " LTS"
	}
	switch {
	case p.Latest:
		return s + " of " + l.Released
	case l.Open:
		s += " maintained"
	case l.Ended:
		s += " ended"
	case l.Unclear != "":
		s += " " + l.Unclear
	default:
		s += " " + cmp.Or(l.Security, "?")
	}
	if l.Paid != "" {
		s += " (paid " + l.Paid + ")"
	}
	if l.Unconfirmed {
		s += " \\*"
	}
	return s
}
