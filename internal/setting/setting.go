// Package setting reads configuration files without losing a byte: each of about a dozen
// syntax families becomes a list of entries that know their place in the text, so that a
// value can be read, shown with its line, changed, added or removed while comments, order
// and blanks stay as they were.
//
// [Parse] never fails: what it does not understand is no entry. It knows syntax only;
// which file belongs to which daemon, what is in force and what a value means is for
// package daemon.
package setting

import (
	"slices"
	"strconv"
	"strings"
)

// Family is a kind of syntax that several programs share.
type Family string

// The families.
const (
	Equals   Family = "equals"   // key = value: vsftpd, hostapd, dnsmasq, sysctl, postgresql
	Words    Family = "words"    // key value: sshd, mosquitto, snmpd, login.defs, redis, chrony
	INI      Family = "ini"      // [section] key = value: samba, rsyncd, systemd units, my.cnf
	Colon    Family = "colon"    // key:value:value: passwd and its like
	Shell    Family = "shell"    // NAME="value": /etc/default, conf.d
	Kconfig  Family = "kconfig"  // CONFIG_NAME=y, # CONFIG_NAME is not set
	UCI      Family = "uci"      // config type 'name', option key 'value': OpenWrt
	WPA      Family = "wpa"      // key=value, network={ ... }
	Blocks   Family = "blocks"   // key value; name { ... }: nginx
	Apache   Family = "apache"   // Key value, <Name value> ... </Name>: apache, proftpd
	Lighttpd Family = "lighttpd" // key = "value", $HTTP["host"] == "x" { ... }
	JSON     Family = "json"     // JSON with comments: orthanc, docker
	XML      Family = "xml"      // elements and attributes: dbus
	Rsyslog  Family = "rsyslog"  // $Key value, name(key="value"), selector action
)

// Syntax is a family and how one program's files differ from the rest of it.
type Syntax struct {
	Family   Family   `yaml:"family"`
	Comment  string   `yaml:"comment"`  // characters that begin a comment at the start of a line; empty is #
	Inline   bool     `yaml:"inline"`   // a comment may follow a value, after a blank
	Join     bool     `yaml:"join"`     // a backslash at the end of a line joins the next
	Sections []string `yaml:"sections"` // keys whose line begins a section of the lines that follow: Match, listener
	Through  []string `yaml:"through"`  // blocks that are no section of their own: IfModule
	Fold     bool     `yaml:"fold"`     // keys are the same in upper and lower case
}

// Entry is one key with its value.
type Entry struct {
	Scope []string // sections it stands in, outermost first; the second of the same name has #2 after it, but in INI files they are one
	Key   string
	Value string // without quotes
	Head  bool   // it begins the section that is the last of Scope
	Line  int    // of its start, from 1
	In    int    // the section of Scope, by its index in File.Sections

	Start, End           int // bytes of the whole entry, without the blanks before and the line break after
	ValueStart, ValueEnd int // bytes of the value with its quotes; equal where there is none
}

// Section is a part of the file in which entries can stand.
type Section struct {
	Scope      []string
	Parent     int // by its index in File.Sections
	Start, End int // bytes of what is inside: where its first and its last entry can stand
}

// File is a text that was read.
type File struct {
	Syntax   Syntax
	Text     string
	Entries  []Entry   // in the order of the text; they do not overlap
	Sections []Section // the file as a whole is the first
}

// Limits: deeper nesting is read as if it were flat, longer section names are cut in
// [Entry].Scope. Neither changes the text.
const (
	maxDepth    = 16
	maxName     = 120
	maxSections = 10000
)

// Parse reads a text.
func Parse(s Syntax, text string) *File {
	if s.Comment == "" {
		s.Comment = "#"
	}
	p := &parser{File: &File{Syntax: s, Text: text}}
	p.Sections = append(p.Sections, Section{End: len(text)})
	p.stack = []frame{{}}
	switch s.Family {
	case Equals, Words, Shell, Kconfig, Colon, INI, WPA:
		p.lines()
	case UCI:
		p.uci()
	case Blocks:
		p.blocks()
	case Apache:
		p.apache()
	case Lighttpd:
		p.lighttpd()
	case JSON:
		p.json()
	case XML:
		p.xml()
	case Rsyslog:
		p.rsyslog()
	}
	for len(p.stack) > 1 {
		p.close(len(text))
	}
	line, at := 1, 0
	for i := range p.Entries {
		e := &p.Entries[i]
		line += strings.Count(text[at:e.Start], "\n")
		at, e.Line = e.Start, line
	}
	return p.File
}

// Lookup returns the entries of a key in a scope, in the order of the text.
func (f *File) Lookup(scope []string, key string) []Entry {
	var out []Entry
	for _, e := range f.Entries {
		if !e.Head && f.same(e.Key, key) && slices.Equal(e.Scope, scope) {
			out = append(out, e)
		}
	}
	return out
}

func (f *File) same(a, b string) bool {
	return a == b || f.Syntax.Fold && strings.EqualFold(a, b)
}

// frame is a section that is open while a text is read.
type frame struct {
	section int            // its index in Sections
	count   map[string]int // of the sections that were opened in it, by name
	flat    bool           // it is no section of its own
	label   string         // what closes it, where the family says so
}

type parser struct {
	*File
	stack []frame
}

func (p *parser) scope() []string { return p.Sections[p.stack[len(p.stack)-1].section].Scope }

// open begins a section whose inside begins at a byte.
func (p *parser) open(name, label string, at int) {
	top := &p.stack[len(p.stack)-1]
	if len(name) > maxName {
		name = name[:maxName]
	}
	word, _, _ := strings.Cut(name, " ")
	through := slices.ContainsFunc(p.Syntax.Through, func(t string) bool { return strings.EqualFold(t, word) })
	if through || len(p.stack) > maxDepth || len(p.Sections) >= maxSections {
		p.stack = append(p.stack, frame{section: top.section, count: top.count, flat: true, label: label})
		if top.count == nil {
			top.count = map[string]int{}
			p.stack[len(p.stack)-1].count = top.count
		}
		return
	}
	if top.count == nil {
		top.count = map[string]int{}
	}
	top.count[name]++
	if n := top.count[name]; n > 1 && p.Syntax.Family != INI { // INI's are one section
		name += "#" + strconv.Itoa(n)
	}
	scope := append(slices.Clip(slices.Clone(p.scope())), name)
	p.Sections = append(p.Sections, Section{Scope: scope, Parent: top.section, Start: at, End: len(p.Text)})
	p.stack = append(p.stack, frame{section: len(p.Sections) - 1, label: label})
}

// close ends the innermost section: its inside ends at a byte.
func (p *parser) close(at int) {
	if len(p.stack) < 2 {
		return
	}
	top := p.stack[len(p.stack)-1]
	if !top.flat {
		p.Sections[top.section].End = at
	}
	p.stack = p.stack[:len(p.stack)-1]
}

// add states an entry of the innermost section. The value is given by its bytes.
func (p *parser) add(key string, start, end, valueStart, valueEnd int) *Entry {
	p.Entries = append(p.Entries, Entry{
		Scope: p.scope(), In: p.stack[len(p.stack)-1].section, Key: key, Value: unquote(p.Text[valueStart:valueEnd]),
		Start: start, End: end, ValueStart: valueStart, ValueEnd: valueEnd,
	})
	return &p.Entries[len(p.Entries)-1]
}

// unquote takes away quotes that hold the whole value, and the escapes inside double ones.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	in := s[1 : len(s)-1]
	if s[0] == '\'' {
		if strings.Contains(in, "'") {
			return s
		}
		return in
	}
	if !strings.ContainsAny(in, `"\`) {
		return in
	}
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		switch {
		case in[i] == '"':
			return s // two quoted words, not one
		case in[i] == '\\' && i+1 < len(in) && strings.IndexByte(`"\/$`+"`", in[i+1]) >= 0:
			i++
		}
		b.WriteByte(in[i])
	}
	return b.String()
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' }

func space(c byte) bool { return blank(c) || c == '\n' }

// trim narrows a range of the text to what is not blank.
func (p *parser) trim(start, end int) (int, int) {
	for start < end && space(p.Text[start]) {
		start++
	}
	for end > start && space(p.Text[end-1]) {
		end--
	}
	return start, end
}

// quoted returns the end of a quoted word that begins at i, or the end of the text.
func (p *parser) quoted(i int) int {
	q := p.Text[i]
	for i++; i < len(p.Text); i++ {
		switch p.Text[i] {
		case '\\':
			i++
		case q:
			return i + 1
		}
	}
	return len(p.Text)
}

// lineEnd returns where the line that holds i ends, its break not included.
func (p *parser) lineEnd(i int) int {
	if n := strings.IndexByte(p.Text[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(p.Text)
}
