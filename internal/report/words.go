package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// clean returns s with everything that does not print written as Go's escapes: terminal
// escapes, controls, line ends, marks that turn the direction of text, invalid UTF-8.
func clean(s string) string {
	ok := utf8.ValidString(s)
	for _, r := range s {
		ok = ok && strconv.IsPrint(r)
	}
	if ok {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`), `\\`, `\`)
}

// prose is clean for texts whose line ends mean nothing.
func prose(s string) string { return clean(strings.Join(strings.Fields(s), " ")) }

func proses(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = prose(s)
	}
	return out
}

// cwes writes the numbers of weaknesses.
func cwes(ids []int) string {
	out := make([]string, len(ids))
	for i, n := range ids {
		out[i] = fmt.Sprintf("CWE-%d", n)
	}
	return strings.Join(out, ", ")
}

// cut shortens s to n characters, with a mark where it was cut.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}

// wrap breaks s into lines of at most width characters between words; a longer word keeps
// its line.
func wrap(s string, width int) []string {
	var lines []string
	line, n := "", 0
	for _, w := range strings.Fields(s) {
		l := utf8.RuneCountInString(w)
		switch {
		case line == "":
			line, n = w, l
		case n+1+l <= width:
			line, n = line+" "+w, n+1+l
		default:
			lines = append(lines, line)
			line, n = w, l
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// size writes bytes for people.
func size(n int64) string {
	if n < 1024 {
		return plural(int(n), "byte", "bytes")
	}
	v, unit := float64(n)/1024, 0
	for v >= 1024 && unit < 4 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %s", v, [...]string{"KiB", "MiB", "GiB", "TiB", "PiB"}[unit])
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// list joins words as a sentence does, at most n of them, and counts the rest.
func list(words []string, n int) string {
	if len(words) > n {
		return strings.Join(words[:n], ", ") + fmt.Sprintf(" and %d more", len(words)-n)
	}
	return strings.Join(words, ", ")
}

// vectorTitle names a group of rules for people.
func vectorTitle(vector string) string {
	switch vector {
	case "credentials":
		return "Default credentials"
	case "api":
		return "Unsecured APIs"
	case "protocol":
		return "Faulty protocols"
	case "firmware":
		return "Firmware overwriting"
	case "brute-force":
		return "Brute force"
	case "access":
		return "Access control"
	case "input":
		return "Web and other input"
	case "memory":
		return "Memory safety"
	case "component":
		return "Components"
	case "process":
		return "Process"
	}
	return vector
}

// kindTitle names facts of a kind, many of them.
func kindTitle(k fact.Kind) string {
	switch k {
	case fact.KindDevice, fact.KindData:
		return string(k)
	case fact.KindUpdate:
		return "updates"
	case fact.KindBoot:
		return "boot chain"
	default:
		return string(k) + "s"
	}
}
