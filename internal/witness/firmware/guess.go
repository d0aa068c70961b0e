package firmware

import (
	_ "embed"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/crypt"
)

//go:embed data/passwords.txt
var passwordList string

// trial is a password that is tried, and what it means when it opens.
type trial struct{ text, means string } // means: empty, default, cracked

// passwords returns the listed words in their order.
var passwords = sync.OnceValue(func() []trial {
	var out []trial
	means := ""
	for line := range strings.Lines(passwordList) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == "[default]":
			means = "default"
		case line == "[common]":
			means = "cracked"
		default:
			out = append(out, trial{line, means})
		}
	}
	return out
})

// isDefault reports whether a password is one of the listed defaults.
func isDefault(password string) bool {
	_, ok := defaults()[password]
	return ok
}

var defaults = sync.OnceValue(func() map[string]struct{} {
	m := map[string]struct{}{}
	for _, w := range passwords() {
		if w.means == "default" {
			m[w.text] = struct{}{}
		}
	}
	return m
})

// words returns what is tried for an account: its own name first, then the list, then what
// the device calls itself.
func (r *Root) words(name string) []trial {
	title := name
	if name != "" {
		title = strings.ToUpper(name[:1]) + name[1:]
	}
	out := []trial{{"", "empty"}, {name, "default"}, {title, "default"}, {name + "123", "cracked"}, {name + "1", "cracked"},
		{name + "1234", "cracked"}, {name + name, "cracked"}, {strings.ToUpper(name), "cracked"}}
	out = append(out, passwords()...)
	for _, w := range r.ownWords() {
		out = append(out, trial{w, "cracked"}, trial{w + "123", "cracked"}, trial{w + "1", "cracked"})
	}
	seen := map[string]bool{}
	uniq := out[:0]
	for _, w := range out {
		if !seen[w.text] {
			seen[w.text] = true
			uniq = append(uniq, w)
		}
	}
	return uniq
}

// ownWords are what the device calls itself.
func (r *Root) ownWords() []string {
	var out []string
	host, _ := r.Text("/etc/hostname")
	text := host
	for _, p := range []string{"/etc/os-release", "/etc/openwrt_release"} {
		release, _ := r.Text(p)
		for line := range strings.Lines(release) {
			if k, v, ok := strings.Cut(line, "="); ok && (k == "NAME" || k == "ID" || k == "PRETTY_NAME") {
				text += " " + v
			}
		}
	}
	for _, w := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\n\"'()/,", c) }) {
		if len(w) >= 3 && len(out) < 40 {
			out = append(out, w, strings.ToLower(w))
		}
	}
	return out
}

// guess tries the words on a hash, as many as the budget grants. It returns what the
// password turned out to be, if one opened, and whether all words were tried. The same
// budget gives the same answer on any number of cores: the first word in the order wins.
func (r *Root) guess(name string, h crypt.Hash) (found trial, ok, all bool) {
	if h.Cost == 0 {
		return trial{}, false, false
	}
	words := r.words(name)
	share := r.budget.Limits().Tries / 16
	n := min(int64(len(words)), max(share/h.Cost, 0))
	n = r.budget.Tries(n*h.Cost) / h.Cost
	all = n == int64(len(words))
	words = words[:n]
	var next, best atomic.Int64
	best.Store(n)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(words)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < best.Load(); i = next.Add(1) - 1 {
				if !h.Is(words[i].text) {
					continue
				}
				for b := best.Load(); i < b && !best.CompareAndSwap(b, i); b = best.Load() {
				}
			}
		})
	}
	wg.Wait()
	if i := best.Load(); i < n {
		return words[i], true, all
	}
	return trial{}, false, all
}

// mask shows of a secret at most its first and last character, and never its length.
func mask(s string) string {
	r := []rune(s)
	switch {
	case len(r) == 0:
		return ""
	case len(r) < 4:
		return "***"
	case len(r) < 8:
		return string(r[0]) + "***"
	}
	return string(r[0]) + "***" + string(r[len(r)-1])
}
