package report

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/cvss"
)

// vectorWords says in sentences what a CVSS vector says in letters, "" where it cannot be
// read.
func vectorWords(vector string) string {
	m, err := cvss.Metrics(vector)
	if err != nil {
		return ""
	}
	word := func(name string, words map[string]string) string { return words[m[name]] }
	from := word("AV", map[string]string{
		"N": "from anywhere on the network", "A": "from the same network, or from within radio range", "L": "from within the device, with a login or a program of his there", "P": "with his hands on the device",
	})
	effort := "without special conditions"
	if m["AC"] == "H" || m["AC"] == "M" || m["AT"] == "P" {
		effort = "but only under conditions that he does not control"
	}
	login := "without a login"
	switch {
	case m["PR"] == "L", m["Au"] == "S":
		login = "with an ordinary login"
	case m["PR"] == "H":
		login = "with an administrator's login"
	case m["Au"] == "M":
		login = "with several logins"
	}
	var can []string
	for _, c := range []struct{ names, all, some string }{
		{"C VC", "read everything", "read a part"}, {"I VI", "change everything", "change a part"}, {"A VA", "stop it", "disturb it"},
	} {
		for name := range strings.FieldsSeq(c.names) {
			switch m[name] {
			case "H", "C":
				can = append(can, c.all)
			case "L", "P":
				can = append(can, c.some)
			}
		}
	}
	words := "An attacker can, " + from + ", " + login + ", " + effort + ", " + joined(can, "do no harm to it directly") + "."
	switch m["UI"] {
	case "R", "A":
		words += " Somebody has to be led to do something for it."
	case "P":
		words += " Somebody has to use the device for it, as usual."
	case "N":
		words += " Nobody has to help."
	}
	beyond := m["S"] == "C" && strings.HasPrefix(vector, "CVSS:3")
	for _, name := range []string{"SC", "SI", "SA"} {
		beyond = beyond || m[name] == "H" || m[name] == "L"
	}
	if beyond {
		words += " The harm reaches beyond the component, to other parts of the device or to other systems."
	}
	return words
}

// joined writes a list as a sentence does: a, b and c.
func joined(words []string, none string) string {
	switch len(words) {
	case 0:
		return none
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// weakness says in a few words what a CWE number stands for, "" for those that are rare.
func weakness(n int) string {
	switch n {
	case 20:
		return "input is not checked"
	case 22, 23:
		return "a path leads out of its directory"
	case 77, 78:
		return "input is run as a command"
	case 79:
		return "input becomes part of a web page"
	case 89:
		return "input becomes part of a database query"
	case 94:
		return "input is run as code"
	case 119:
		return "memory is used outside of its bounds"
	case 120, 121, 122, 787:
		return "writes outside of its memory"
	case 125:
		return "reads outside of its memory"
	case 134:
		return "input is taken for a format"
	case 190:
		return "a number overflows"
	case 200:
		return "shows what is not for everybody"
	case 203, 208:
		return "its timing or answers betray a secret"
	case 250, 269:
		return "has or gives too many rights"
	case 256, 257, 522:
		return "passwords are kept badly"
	case 259, 798, 321:
		return "a password or key is built in"
	case 284, 862, 863:
		return "rights are not checked"
	case 287, 306:
		return "a login is missing or can be passed by"
	case 295:
		return "certificates are not checked"
	case 310, 326, 327:
		return "weak encryption"
	case 311, 319:
		return "not encrypted"
	case 330, 331, 335, 338:
		return "random numbers can be guessed"
	case 345, 347, 494:
		return "origin or signature is not checked"
	case 352:
		return "a web page can act for its visitor"
	case 362:
		return "two things at once get into each other's way"
	case 400, 770, 772:
		return "can be worn out"
	case 401:
		return "memory runs out"
	case 415, 416:
		return "uses memory that it has given back"
	case 434:
		return "takes any file"
	case 476:
		return "falls over an empty pointer"
	case 502:
		return "input is taken for objects"
	case 601:
		return "sends visitors elsewhere"
	case 611:
		return "XML reads foreign files"
	case 617, 754, 755:
		return "falls over the unexpected"
	case 674, 835:
		return "does not come to an end"
	case 732, 276:
		return "files are open to everybody"
	case 843:
		return "takes one kind of thing for another"
	case 918:
		return "can be made to call other systems"
	case 1392:
		return "a default password"
	}
	return ""
}
