package search

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression that is compiled when it is first used: a program that
// knows hundreds of them and needs a dozen for its input starts at once. It is safe for
// concurrent use.
type Pattern struct {
	re func() *regexp.Regexp
}

// Lazy returns the pattern of an expression, which must be a constant: a test of the
// repository compiles all of them, since one that does not compile panics on its first use
// only.
func Lazy(expr string) *Pattern {
	return &Pattern{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })}
}

// The methods are those of [regexp.Regexp].

func (p *Pattern) Match(b []byte) bool        { return p.re().Match(b) }
func (p *Pattern) MatchString(s string) bool  { return p.re().MatchString(s) }
func (p *Pattern) FindString(s string) string { return p.re().FindString(s) }

func (p *Pattern) FindStringIndex(s string) []int         { return p.re().FindStringIndex(s) }
func (p *Pattern) FindStringSubmatch(s string) []string   { return p.re().FindStringSubmatch(s) }
func (p *Pattern) FindStringSubmatchIndex(s string) []int { return p.re().FindStringSubmatchIndex(s) }
func (p *Pattern) FindAllString(s string, n int) []string { return p.re().FindAllString(s, n) }
func (p *Pattern) FindAllSubmatch(b []byte, n int) [][][]byte {
	return p.re().FindAllSubmatch(b, n)
}

func (p *Pattern) FindAllStringIndex(s string, n int) [][]int { return p.re().FindAllStringIndex(s, n) }

func (p *Pattern) FindAllStringSubmatch(s string, n int) [][]string {
	return p.re().FindAllStringSubmatch(s, n)
}

func (p *Pattern) FindAllStringSubmatchIndex(s string, n int) [][]int {
	return p.re().FindAllStringSubmatchIndex(s, n)
}

func (p *Pattern) ReplaceAllString(s, with string) string { return p.re().ReplaceAllString(s, with) }

func (p *Pattern) ReplaceAllStringFunc(s string, with func(string) string) string {
	return p.re().ReplaceAllStringFunc(s, with)
}
