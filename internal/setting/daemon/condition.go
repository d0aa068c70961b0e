package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// truth is the answer to a condition.
type truth int

const (
	unknown truth = iota
	no
	yes
)

// Choice is a list of conditions of which the first that holds gives the value. In YAML it
// is a bare value, or a list of CONDITION: VALUE, of which the last may be else: VALUE. A
// condition is one or more of these, joined by " and ":
//
//	KEY == VALUE     the value in force, of the listener's own section or those around it;
//	                 empty where nobody said it and the description has no default
//	KEY != VALUE
//	KEY has WORD     one of its words is; WORD+WORD for both, WORD|WORD for either
//	KEY lacks WORD
//	KEY < NUMBER     also >=
//	KEY is set       somebody said it; a default does not count
//	KEY is unset
//	some KEY         it is set in any section
//	no KEY
//	any KEY has WORD one of its values has, in any section; also any KEY lacks WORD
//	in SECTION has WORD one of the values in the section, * for all
//
// KEY may be version (of the component), program (its base name), applet (yes where that
// is BusyBox), port (of the listener) or it (its text). A value $KEY stands for the value
// in force of that key.
type Choice []choice

type choice struct {
	When []condition
	Is   string
}

// UnmarshalYAML reads a bare value or a list of conditions.
func (c *Choice) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*c = Choice{{Is: n.Value}}
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return errors.New("a choice is a value or a list")
	}
	for _, item := range n.Content {
		if item.Kind != yaml.MappingNode || len(item.Content) != 2 {
			return fmt.Errorf("line %d: a choice has one condition", item.Line)
		}
		line := choice{Is: item.Content[1].Value}
		if text := item.Content[0].Value; text != "else" {
			when, err := parseConditions(text)
			if err != nil {
				return fmt.Errorf("line %d: %w", item.Line, err)
			}
			line.When = when
		}
		*c = append(*c, line)
	}
	return nil
}

// condition is one comparison.
type condition struct{ Key, Op, Value string }

// conditions is a list of which all must hold, written as text in YAML.
type conditions []condition

// UnmarshalYAML reads a text.
func (c *conditions) UnmarshalYAML(n *yaml.Node) error {
	list, err := parseConditions(n.Value)
	*c = list
	return err
}

func parseConditions(s string) ([]condition, error) {
	var out []condition
	for _, part := range strings.Split(s, " and ") {
		part = strings.TrimSpace(part)
		if key, ok := strings.CutPrefix(part, "some "); ok {
			out = append(out, condition{key, "some", ""})
			continue
		}
		if key, ok := strings.CutPrefix(part, "no "); ok {
			out = append(out, condition{key, "none", ""})
			continue
		}
		if key, ok := strings.CutSuffix(part, " is set"); ok {
			out = append(out, condition{key, "set", ""})
			continue
		}
		if key, ok := strings.CutSuffix(part, " is unset"); ok {
			out = append(out, condition{key, "unset", ""})
			continue
		}
		at := -1
		var op string
		many := ""
		for _, m := range []string{"any ", "in "} {
			if rest, ok := strings.CutPrefix(part, m); ok && (strings.Contains(rest, " has ") || strings.Contains(rest, " lacks ")) {
				part, many = rest, m
			}
		}
		for _, o := range []string{" == ", " != ", " has ", " lacks ", " < ", " >= "} {
			if n := strings.Index(part, o); n > 0 {
				at, op = n, o
				break
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("condition %q: no comparison", part)
		}
		out = append(out, condition{part[:at], many + strings.TrimSpace(op), strings.Trim(part[at+len(op):], `"`)})
	}
	return out, nil
}

// view is what conditions are asked of: the settings, seen from one section.
type view struct {
	r     *reading
	scope string
	it    string // text of the listener
	port  string
}

// choose returns the value of the first line that holds; nothing when a line before it
// cannot be decided.
func (v view) choose(c Choice) (string, bool) {
	for _, line := range c {
		switch v.all(line.When) {
		case yes:
			if key, ok := strings.CutPrefix(line.Is, "$"); ok {
				return v.value(key)
			}
			return line.Is, true
		case unknown:
			return "", false
		case no:
		}
	}
	return "", false
}

// all answers whether every condition holds.
func (v view) all(list []condition) truth {
	answer := yes
	for _, c := range list {
		switch v.holds(c) {
		case no:
			return no
		case unknown:
			answer = unknown
		case yes:
		}
	}
	return answer
}

func decide(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (v view) holds(c condition) truth {
	switch c.Op {
	case "some", "none":
		found := slices.ContainsFunc(v.r.res.Settings, func(s Setting) bool { return s.Key == c.Key && said(s) })
		if !found && len(v.r.res.Missing) > 0 {
			return unknown
		}
		return decide(found == (c.Op == "some"))
	case "set", "unset":
		s, ok := v.find(c.Key)
		found := ok && said(s)
		if !found && len(v.r.res.Missing) > 0 {
			return unknown
		}
		return decide(found == (c.Op == "set"))
	}
	if many, op, ok := strings.Cut(c.Op, " "); ok {
		return v.any(many, op, c)
	}
	value, ok := v.value(c.Key)
	if !ok {
		return unknown
	}
	switch c.Op {
	case "==":
		return decide(strings.EqualFold(value, c.Value))
	case "!=":
		return decide(!strings.EqualFold(value, c.Value))
	case "has", "lacks":
		return decide(has(value, c.Value) == (c.Op == "has"))
	}
	less := false
	if c.Key == "version" {
		less = compare(value, c.Value) < 0
	} else {
		if value == "" {
			return no
		}
		a, err := strconv.Atoi(value)
		b, err2 := strconv.Atoi(c.Value)
		if err != nil || err2 != nil {
			return unknown
		}
		less = a < b
	}
	return decide(less == (c.Op == "<"))
}

// any answers whether one of many values has, or lacks, the words.
func (v view) any(many, op string, c condition) truth {
	for _, s := range v.r.res.Settings {
		if !said(s) || many == "any" && s.Key != c.Key || many == "in" && c.Key != "*" && s.Scope != c.Key {
			continue
		}
		if s.Open {
			return unknown
		}
		if has(s.Value, c.Value) == (op == "has") {
			return yes
		}
	}
	if len(v.r.res.Missing) > 0 {
		return unknown
	}
	return no
}

// has reports whether a value has words: all with + between them, or one with |.
func has(value, all string) bool {
	have := strings.FieldsFunc(value, separator)
	if strings.Contains(all, "|") {
		return slices.ContainsFunc(strings.Split(all, "|"), func(w string) bool { return slices.Contains(have, w) })
	}
	for _, w := range strings.Split(all, "+") {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, w) }) {
			return false
		}
	}
	return true
}

func separator(r rune) bool { return strings.ContainsRune(" \t,;()[]\"'", r) }

func said(s Setting) bool { return s.Origin == "file" || s.Origin == "argument" }

// value returns what is in force for a key in the view's section.
func (v view) value(key string) (string, bool) {
	switch key {
	case "it":
		return v.it, true
	case "port":
		if v.port != "" {
			return v.port, true
		}
	case "version":
		return v.r.in.Version, v.r.in.Version != ""
	case "applet":
		if v.r.in.Applet {
			return "yes", true
		}
		return "no", v.r.in.Program != ""
	case "program":
		return base(v.r.in.Program), v.r.in.Program != ""
	}
	s, ok := v.find(key)
	if s.Open {
		return "", false
	}
	if !ok && len(v.r.res.Missing) == 0 {
		// Nobody said it: it is empty, unless its default depends on what is not known.
		value, _, holds := v.r.otherwise(key)
		if holds == yes {
			value = v.r.d.normal(key, value)
		}
		return value, holds != unknown
	}
	return s.Value, ok
}

// find looks for a key in the view's section, then in those around it.
func (v view) find(key string) (Setting, bool) {
	scope := v.scope
	for {
		if i, ok := v.r.index[[2]string{scope, key}]; ok {
			return v.r.res.Settings[i], true
		}
		if scope == "" {
			return Setting{}, false
		}
		scope = scope[:max(strings.LastIndexByte(scope, '/'), 0)]
	}
}
