package risk

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Question is one of the questionnaire, after MITRE's rubric for CVSS in medical devices.
type Question struct {
	ID    string `yaml:"id"`
	Topic string `yaml:"topic"`
	Kind  string `yaml:"kind"` // yesno, harm
	On    string `yaml:"on"`   // of harm: C, I or A
	Of    string `yaml:"of"`   // weakness: an answer has to say which; empty: the device
	Ask   string `yaml:"ask"`
}

// Answers gives the words that answer a question; each may be unknown as well.
func (q Question) Answers() []string {
	if q.Kind == "harm" {
		return append([]string{"none"}, severities()...)
	}
	return []string{"yes", "no"}
}

//go:embed questions.yaml
var questionsFile []byte

var questions = sync.OnceValue(func() []Question {
	var file struct {
		Questions []Question `yaml:"questions"`
	}
	d := yaml.NewDecoder(bytes.NewReader(questionsFile))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		panic("risk: questions.yaml: " + err.Error())
	}
	return file.Questions
})

// Questions gives the questionnaire, in its order.
func Questions() []Question { return slices.Clone(questions()) }

func question(id string) (Question, bool) {
	i := slices.IndexFunc(questions(), func(q Question) bool { return q.ID == id })
	if i < 0 {
		return Question{}, false
	}
	return questions()[i], true
}

// Guess is what the facts answer to a question, and what shows it.
type Guess struct{ Answer, Evidence string }

// Prefill answers what the facts can answer. A question that is not in the result has to
// be asked.
func Prefill(set *fact.Set) map[string]Guess { return newWorld(set).prefill() }

func (w *world) prefill() map[string]Guess {
	set := w.set
	out := map[string]Guess{}
	var reachable, free, asks []string
	unstated := false
	w.each(func(s *fact.Service) {
		r, stated := reach(s)
		if !started(s) || !stated || !r {
			return
		}
		reachable = append(reachable, serviceWords(s))
		switch auth, ok := s.Authenticated.Value(); {
		case lets(s):
			free = append(free, serviceWords(s))
		case ok && auth:
			asks = append(asks, serviceWords(s))
		default:
			unstated = true
		}
	})
	if len(reachable) > 0 {
		out["XAVN"] = Guess{"yes", "the network reaches " + list(reachable, 4)}
	}
	switch {
	case len(free) > 0:
		out["XPRL"] = Guess{"no", "no login is asked for by " + list(free, 4)}
	case len(asks) > 0 && !unstated:
		out["XPRL"] = Guess{"yes", "a login is asked for by " + list(asks, 4)}
	}
	for _, i := range set.Interface {
		if found(i.Header()) && i.Enabled.Or(false) && slices.Contains([]string{"wifi", "bluetooth", "cellular", "nfc"}, i.What) {
			out["XAVW"] = Guess{"yes", "a radio interface is on: " + strings.TrimSpace(i.What+" "+i.Name)}
			if i.What == "wifi" || i.What == "cellular" {
				out["XAVR"] = Guess{"yes", i.What + " reaches beyond a room"}
				break
			}
		}
	}
	var known []string
	for _, a := range set.Account {
		if words := passwordWords(a); words != "" && found(a.Header()) && a.Login.Or(true) {
			known = append(known, a.Name+" (password "+a.Password.Or("")+")")
		}
	}
	for _, k := range set.Key {
		if k.SelfAuthorising.Or(false) && found(k.Header()) && k.Account != "" {
			known = append(known, k.Account+" (a key in the image)")
		}
	}
	if len(known) > 0 {
		out["XPRS"] = Guess{"yes", "known logins: " + list(known, 4)}
	}
	return out
}

// Template writes an answers file in which every question stands: what the facts answer is
// filled in with its evidence, the rest is unknown.
func Template(set *fact.Set, day string) []byte {
	guesses := Prefill(set)
	var b strings.Builder
	b.WriteString("# Answers to the questionnaire of risk, after MITRE's rubric for CVSS in medical devices.\n")
	b.WriteString("# Write your name and the day, and an answer in place of unknown; leave unknown what you cannot say.\n")
	b.WriteString("# An answer may say what it is about: the id of a risk, an advisory or a rule; else it is of the device.\n")
	b.WriteString("answers:\n")
	topic := ""
	for _, q := range questions() {
		if q.Topic != topic {
			topic = q.Topic
			fmt.Fprintf(&b, "\n  # %s\n", topic)
		}
		fmt.Fprintf(&b, "  # %s (%s)\n", q.Ask, strings.Join(append(q.Answers(), "unknown"), ", "))
		answer, who, why := "unknown", "", ""
		g, ok := guesses[q.ID]
		switch {
		case q.Of == "weakness":
			b.WriteString("  # Of one weakness: say with about which, an id of a risk, an advisory or a rule.\n")
			if ok {
				fmt.Fprintf(&b, "  # The facts say of the device: %s, %s\n", g.Answer, oneLine(g.Evidence))
			}
		case ok:
			answer, who, why = g.Answer, "vesalius", g.Evidence
		}
		line, err := yaml.Marshal([]Answer{{Question: q.ID, Answer: answer, Who: who, When: day, Why: why}})
		if err != nil {
			panic("risk: an answer cannot be written: " + err.Error()) // it holds text alone
		}
		for l := range strings.Lines(string(line)) {
			b.WriteString("  " + l)
		}
	}
	return []byte(b.String())
}

// yamlError words an error of the YAML reader in one line; it quotes the file as it stands.
func yamlError(err error) string { return oneLine(strings.TrimPrefix(err.Error(), "yaml: ")) }

// oneLine makes words fit for a comment: what an image names may hold anything.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
