package component

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// Signature describes how one product shows itself in files. Package signature reads it
// from YAML; the keys are the lower-case names of the fields.
type Signature struct {
	Name     string   `yaml:"name"`     // the upstream project's usual lower-case name
	Supplier string   `yaml:"supplier"` // who makes it
	CPEs     []string `yaml:"cpes"`     // vendor:product, as vulnerability lists name it; the first is the usual one
	PURL     string   `yaml:"purl"`     // type/namespace or type; empty is generic
	License  string   `yaml:"license"`  // SPDX expression
	Type     string   `yaml:"type"`     // application, library, operating-system, kernel, firmware, module; empty is library where it has sonames, else application
	Packages []string `yaml:"packages"` // source or package names under which distributions carry it, where they differ from Name; * at the end stands for any rest

	// Text says that its files are texts: scripts, style sheets. Of other products texts
	// only speak.
	Text bool `yaml:"text"`

	// Own says which files are the product itself. Everything else that has its texts
	// uses it, mentions it or carries a copy of it.
	Own Own `yaml:"own"`

	// Ways show its version; earlier ones are more to be trusted.
	Ways []Way `yaml:"ways"`

	// Tests hold the signature to its word: at least one that finds and one that does not.
	Tests []Test `yaml:"tests"`
}

// Own tells the product's own files, by any of its lists.
type Own struct {
	// Sonames are the names that its shared libraries give themselves: path.Match
	// patterns, such as libssl.so.*.
	Sonames []string `yaml:"sonames"`

	// Files are path.Match patterns for the base name, or with a slash for the end of
	// the path, of the file or of a link to it: sshd, security/pam_unix.so.
	Files []string `yaml:"files"`
}

// Way is one way in which a product shows its version. One of Pattern, Near, Versions,
// Symbols, Soname and File is the main one.
type Way struct {
	// Pattern is a text with placeholders, matched against one string of the binary (a
	// run of printable bytes, at most a window about the literal). ^ at its start and $ at
	// its end stand for those of the string. Placeholders:
	//   {version}  a version, as the way's Version says, else [DefaultVersion]
	//   {n} {d} {dd} {ddd}  a number, one, two or three digits: parts of the version,
	//              joined by dots without leading zeros (20914 by {d}{dd}{dd} is 2.9.14)
	//   {=X}       the constant X as a part of the version
	//   {num} {word} {name} {text} {date}  not part of the version: digits, no space,
	//              a word that begins with a letter, anything, a date
	// The longest text between the placeholders is what is searched for: it must be 4
	// bytes or more and should be rare. In strings that hold a version beside a name that
	// stands elsewhere, see Near.
	Pattern string `yaml:"pattern"`

	// Near is a literal beside which a string stands that Pattern matches; without a
	// Pattern it is a lone version, ^{version}$. Compilers keep the strings of one source
	// file together: "%s version %s" and "4.99.3" are neighbours.
	Near   string `yaml:"near"`
	Within int    `yaml:"within"` // bytes before and after; 0 is 256
	Side   string `yaml:"side"`   // before or after the literal only; empty is both
	Only   bool   `yaml:"only"`   // nothing is found where different versions stand within: else the nearest is taken

	// Versions is a template for the symbol versions that a library defines, such as
	// XZ_{version}: the highest is the version.
	Versions string `yaml:"versions"`

	// Symbols are names that a library exports, all of them; Without are names that it
	// does not. With Is they are a fingerprint of a release.
	Symbols []string `yaml:"symbols"`
	Without []string `yaml:"without"`
	Is      string   `yaml:"is"`

	// Soname is a template for the base name of the library's file, such as
	// libcjson.so.{version}, for projects whose library version is the release's.
	Soname string `yaml:"soname"`

	// File is a template for the path of any file or directory, such as
	// /usr/share/perl/{version}.
	File string `yaml:"file"`

	// Version is a regular expression that replaces the shape of {version}. Groups must
	// not capture.
	Version string `yaml:"version"`

	// Map turns what was found into the release, for projects that number their libraries
	// otherwise: "6.18.3": "2.12.1". What is not in it is no answer.
	Map map[string]string `yaml:"map"`

	// Says tells what it means where the file is not the product's own:
	//   ""      a mention, which says nothing
	//   copy    the text is part of the product's code: the file carries a copy
	//   itself  only the product has such a text: the file is the product
	Says string `yaml:"says"`

	// With is a literal that must stand somewhere in the same content: programs hold the
	// version text of a library that they are compiled against, only the library's code
	// has its other texts as well.
	With string `yaml:"with"`

	Confidence string `yaml:"confidence"` // high, medium, low; empty is high

	// Filler is a version that is no answer, such as 0.0.0.
	Filler []string `yaml:"filler"`
}

// Test is a sample and what the signature must say of it.
type Test struct {
	Sample `yaml:",inline"`
	Want   string `yaml:"want"` // the version; "none" that nothing is found, "present" that it is found without a version
	As     string `yaml:"as"`   // own or copy; empty is own
}

// way is a compiled Way.
type way struct {
	*Way
	sig     *signature
	index   int
	pattern *pattern // of Pattern, Versions, Soname or File
	literal string   // what is searched for, empty where nothing is
	with    int      // index of the literal of With, -1 without one
	lone    bool     // the pattern is a version and nothing else
}

// find is the pattern's, with what the way makes of the result; ok is false for what is
// no answer.
func (w *way) find(s string) (version string, ok bool) {
	v, _, ok := w.pattern.find(s)
	if !ok {
		return "", false
	}
	return w.answer(v)
}

// answer turns what a pattern captured into the version.
func (w *way) answer(v string) (string, bool) {
	if slices.Contains(w.Filler, v) {
		return "", false
	}
	if w.Map != nil {
		v = w.Map[v]
		return v, v != ""
	}
	return v, true
}

// signature is a compiled Signature.
type signature struct {
	*Signature
	ways []*way
}

// compileSignature checks a signature and makes it ready.
func compileSignature(s *Signature) (*signature, error) {
	wrong := func(format string, a ...any) error {
		return fmt.Errorf("signature %q: %w", s.Name, fmt.Errorf(format, a...))
	}
	if s.Name == "" || s.Name != strings.ToLower(s.Name) {
		return nil, wrong("the name must be there, in lower case")
	}
	for _, g := range slices.Concat(s.Own.Sonames, s.Own.Files) {
		if _, err := path.Match(g, "x"); err != nil {
			return nil, wrong("pattern %q: %w", g, err)
		}
	}
	c := &signature{Signature: s}
	for i := range s.Ways {
		w, err := compileWay(&s.Ways[i])
		if err != nil {
			return nil, wrong("way %d: %w", i+1, err)
		}
		w.sig, w.index = c, i
		c.ways = append(c.ways, w)
	}
	return c, nil
}

func compileWay(y *Way) (*way, error) {
	w := &way{Way: y, with: -1}
	if !slices.Contains([]string{"", "copy", "itself"}, y.Says) || !slices.Contains([]string{"", "before", "after"}, y.Side) ||
		!slices.Contains([]string{"", "high", "medium", "low"}, y.Confidence) {
		return nil, errors.New("says, side or confidence has a word that it does not know")
	}
	mains := 0
	template := ""
	for _, m := range []struct{ text, template string }{
		{y.Versions, y.Versions}, {y.Soname, y.Soname}, {y.File, y.File},
		{strings.Join(y.Symbols, " "), ""}, {y.Near, cmpOr(y.Pattern, "^{version}$")},
	} {
		if m.text != "" {
			mains++
			template = m.template
		}
	}
	if mains == 0 && y.Pattern != "" {
		mains, template = 1, y.Pattern
	}
	if mains != 1 {
		return nil, errors.New("it needs exactly one of pattern, near, versions, symbols, soname and file")
	}
	if y.With != "" && len(y.With) < search.Least {
		return nil, fmt.Errorf("with %q: shorter than %d bytes", y.With, search.Least)
	}
	if template == "" {
		return w, nil
	}
	if y.Soname != "" {
		template = "^" + template + "$"
	}
	p, err := compile(template, y.Version)
	if err != nil {
		return nil, err
	}
	w.pattern = p
	switch {
	case y.Near != "":
		w.literal, w.lone = y.Near, y.Pattern == "" && y.Version == "" || y.Pattern == "" && digitShape(y.Version)
	case y.Pattern != "":
		w.literal = p.anchor
	default:
		return w, nil
	}
	if len(w.literal) < search.Least {
		return nil, fmt.Errorf("literal %q: shorter than %d bytes", w.literal, search.Least)
	}
	if len(w.literal) > 64 {
		w.literal = w.literal[:64]
	}
	return w, nil
}

// digitShape reports whether everything that a shape of versions matches begins with a
// digit.
func digitShape(version string) bool {
	return version != "" && (version[0] >= '0' && version[0] <= '9' || version[0] == '[' && len(version) > 1 && version[1] >= '0' && version[1] <= '9') &&
		!strings.Contains(version, "|")
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// owns reports whether a soname is one of the product's.
func (s *signature) owns(soname string) bool {
	return soname != "" && slices.ContainsFunc(s.Own.Sonames, func(g string) bool { return glob(g, soname) })
}

// owner reports whether the file at a path, or a link to it, bears one of the product's
// names.
func (s *signature) owner(p string, links []string) bool {
	for _, g := range s.Own.Files {
		if fileGlob(g, p) || slices.ContainsFunc(links, func(l string) bool { return fileGlob(g, l) }) {
			return true
		}
	}
	return false
}

// fileGlob matches the base name, or as many last parts of a path as the pattern has.
func fileGlob(g, p string) bool {
	n := strings.Count(g, "/")
	i := len(p)
	for ; n >= 0 && i > 0; n-- {
		i = strings.LastIndexByte(p[:i], '/')
		if i < 0 {
			return glob(g, p)
		}
	}
	return glob(g, p[i+1:])
}

// glob is path.Match with a cheap look at the first letters before.
func glob(g, s string) bool {
	i := strings.IndexAny(g, `*?[\`)
	if i < 0 {
		return g == s
	}
	if !strings.HasPrefix(s, g[:i]) {
		return false
	}
	ok, _ := path.Match(g, s)
	return ok
}

// packaged reports whether a distribution's package of that name is the product.
func (s *Signature) packaged(name string) bool {
	if name == s.Name {
		return true
	}
	return slices.ContainsFunc(s.Packages, func(p string) bool {
		if head, any := strings.CutSuffix(p, "*"); any {
			return strings.HasPrefix(name, head)
		}
		return p == name
	})
}
