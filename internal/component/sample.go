package component

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/search"
)

// Sample is a file in a few words: what a signature's test gives to the matcher.
type Sample struct {
	Strings  []string `yaml:"strings"`  // texts of the content, in order, as a string table holds them
	File     string   `yaml:"file"`     // its path; empty is /usr/bin/sample
	Links    []string `yaml:"links"`    // paths of links to it
	Soname   string   `yaml:"soname"`   // makes it a shared library
	Symbols  []string `yaml:"symbols"`  // that it exports
	Versions []string `yaml:"versions"` // symbol versions that it defines
	Text     bool     `yaml:"text"`     // it is a text of these lines, no program
}

// Examine runs the matcher on a sample and merges what it finds as if the sample were the
// only file of a root.
func (m *Matcher) Examine(s Sample) ([]*fact.Component, error) {
	data := []byte("\x7fELF\x00\x00\x00\x00" + strings.Join(s.Strings, "\x00") + "\x00")
	if s.Text {
		data = []byte(strings.Join(s.Strings, "\n") + "\n")
	}
	set, err := search.New(m.literals)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	set.Find(data, func(literal, at int) { hits = append(hits, Hit{literal, int64(at)}) })
	o := &object{elf: !s.Text, soname: s.Soname, dynamic: true, versions: s.Versions, exports: map[string]bool{}}
	for _, x := range s.Symbols {
		o.exports[x] = true
	}
	ev, err := m.match(image.BytesBlob(data), hits, o)
	if err != nil {
		return nil, err
	}
	file := cmpOr(s.File, "/usr/bin/sample")
	return m.Merge([]File{{Path: file, Links: s.Links, Object: !s.Text, Text: s.Text, Evidence: ev, Place: fact.Place{Path: file}}}, nil), nil
}
