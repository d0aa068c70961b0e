package unit

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// wording is the name of a product, taken apart.
type wording struct {
	text    string
	words   []string // that tell products apart
	marks   []string // small words that tell variants apart: plus, ii, es ...
	numbers []number // model numbers: one of them is meant
	also    []number // part numbers in brackets
	version string   // a version that stands in the name
}

// number is one model number, or a span of them.
type number struct {
	letters string // in front: mx of mx400
	digits  string // with what follows: 400, 150c, 5x0
	to      int    // of a span MX400-MX850, the last; 0 for a single one
}

func (n number) String() string {
	if n.to > 0 {
		return fmt.Sprintf("%s%s to %d", n.letters, n.digits, n.to)
	}
	return n.letters + n.digits
}

// is reports whether a number is meant by another, which may be a span or have letters x
// for any digit.
func (n number) is(of number) bool {
	if of.to > 0 {
		v, err := strconv.Atoi(n.digits)
		from, err2 := strconv.Atoi(of.digits)
		return err == nil && err2 == nil && n.letters == of.letters && v >= from && v <= of.to
	}
	if n.letters != of.letters && (n.letters != "" && of.letters != "" || len(n.digits) < 3) {
		return false
	}
	if len(n.digits) != len(of.digits) {
		return false
	}
	for i := range n.digits {
		a, b := n.digits[i], of.digits[i]
		if a != b && (b != 'x' || a < '0' || a > '9') {
			return false
		}
	}
	return true
}

// folds are letters with marks, and what becomes of them; wrongly decoded ones too.
var folds = strings.NewReplacer("ã¤", "a", "ã¶", "o", "ã¼", "u", "ã©", "e", "ã¨", "e", "ä", "a", "ö", "o", "ü", "u", "ß", "ss", "é", "e", "è", "e", "ê", "e", "á", "a", "à", "a", "â", "a", "å", "a",
	"ø", "o", "ó", "o", "ô", "o", "ñ", "n", "ç", "c", "í", "i", "ú", "u", "û", "u", "æ", "ae", "ë", "e", "ï", "i", "®", " ", "™", " ", "©", " ", "’", "'", "–", "-", "—", "-", "\u00a0", " ", "wi-fi", "wifi", "ae", "a", "oe", "o", "ue", "u")

// fold takes case and accents away, and the two ways in which umlauts are written.
func fold(s string) string {
	return folds.Replace(strings.ToLower(strings.ToValidUTF8(s, " ")))
}

// tokens splits at everything that is neither letter nor digit nor a dot between digits.
func tokens(s string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(s, "'", ""), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// common are words that tell no product from another.
var common = strings.Fields(fold(`pump pumps monitor monitors system systems series family unit units software device devices patient infusion syringe wireless programmer
	programmers medical machine station workstation only products product application app models model version the of with for and or in used connected enabled type wlan wifi
	recorder equipment hub center centre platform energy insulin medsurg bed beds suite imaging intravenous vital signs module modul gerat geraet monitoring patientenmonitor
	infusionspumpe spritzenpumpe perfusor ultraschall ultrasound reader receiver controller controllers remote worn large volume including edition release rev revision part number no a
	integrated installed serie systeme software sw fw r c handheld health client builds resting electrocardiograph cardiac stress testing ecg digital new set running on old point care ct nm pc pcu ventilator ventilators beatmungsgerat
	removable application cart bedside iot information delivery diagnostic fetal maternal transmitter server cardiographs cardiograph management windows based`))

// marks tell variants of a product apart, so that both names must have them.
var variants = strings.Fields(`plus pro lite mini max mri ii iii iv v vi es ex se cc gh gs tiva ivd mr xp link base light smart select elite edge advance
	quantum expert professional evo hd iq igs g premium html5 s k cm e`)

var (
	bracket  = regexp.MustCompile(`\([^()]*\)`)
	dotted   = regexp.MustCompile(`(?i)\bv?([0-9]+\.[0-9x]+(?:\.[0-9x]+)*)(?:$|[\s/])`)
	plusSign = regexp.MustCompile(`\+(\s|$)`)
	span     = regexp.MustCompile(`\b([a-z]{0,4})-?([0-9]{1,5})\s*-\s*([a-z]{0,4})([0-9]{1,5})\b`)
	model    = regexp.MustCompile(`^([a-z]{0,5})([0-9][0-9x]*[0-9a-z]*)$`)
	code     = regexp.MustCompile(`\b([a-z]{2,5})-([0-9])`)
	notOf    = regexp.MustCompile(`(?i),?\s*(?:but )?not including\s+(.*)$`)
)

var slash = regexp.MustCompile(`([A-Za-z]{4,})/([A-Za-z]{4,})`)

// alternatives returns a name once for each product where a bar stands between two: of
// "Ultrasound EPIQ/Affiniti" one for EPIQ and one for Affiniti.
func alternatives(name string) []string {
	m := slash.FindStringSubmatchIndex(name)
	if m == nil || slices.Contains(common, fold(name[m[2]:m[3]])) || slices.Contains(common, fold(name[m[4]:m[5]])) {
		return []string{name}
	}
	return []string{name[:m[0]] + name[m[2]:m[3]] + name[m[1]:], name[:m[0]] + name[m[4]:m[5]] + name[m[1]:]}
}

// excluding splits off what a name says it does not mean.
func excluding(name string) (string, []string) {
	m := notOf.FindStringSubmatchIndex(name)
	if m == nil {
		return name, nil
	}
	return name[:m[0]], strings.Split(name[m[2]:m[3]], " and ")
}

// wording takes a name apart. The names of its makers do not count.
func (m *makers) wording(name string, who []string) wording {
	w := wording{text: name}
	text := fold(name)
	for _, b := range bracket.FindAllString(text, -1) {
		inner := m.take(b, nil)
		w.also = append(w.also, inner.numbers...)
	}
	outer := bracket.ReplaceAllString(text, " ")
	if strings.TrimSpace(outer) == "" {
		outer = text
	}
	out := m.take(outer, who)
	w.words, w.marks, w.numbers, w.version = out.words, out.marks, out.numbers, out.version
	return w
}

func (m *makers) take(text string, who []string) wording {
	var w wording
	text = plusSign.ReplaceAllString(text, " plus ")
	if at := dotted.FindStringSubmatchIndex(text); at != nil && at[0] > 0 {
		w.version = text[at[2]:at[3]]
		text = text[:at[0]] + " " + text[at[3]:]
	}
	for _, s := range span.FindAllStringSubmatch(text, -1) {
		to, err := strconv.Atoi(s[4])
		from, err2 := strconv.Atoi(s[2])
		if err == nil && err2 == nil && to > from && (s[3] == s[1] || s[3] == "") {
			w.numbers = append(w.numbers, number{letters: s[1], digits: s[2], to: to})
			text = strings.Replace(text, s[0], " ", 1)
		}
	}
	text = code.ReplaceAllString(text, "$1$2")
	list := tokens(text)
	list = m.withoutMaker(list, who)
	before := "" // the letters of the number before: MX800/700
	for i, t := range list {
		if n := model.FindStringSubmatch(t); n != nil {
			letters := n[1]
			switch {
			case letters != "":
				before = letters
			case i > 0 && len(list[i-1]) <= 4 && !hasDigit(list[i-1]) && !slices.Contains(common, list[i-1]):
				letters = list[i-1] // EC 40
				w.words, w.marks = without(w.words, letters), without(w.marks, letters)
				before = letters
			case i > 0 && hasDigit(list[i-1]):
				letters = before
			default:
				before = ""
			}
			w.numbers = append(w.numbers, number{letters: letters, digits: n[2]})
			continue
		}
		switch {
		case hasDigit(t):
			w.numbers = append(w.numbers, number{digits: t})
		case slices.Contains(variants, t) || len(t) == 1:
			w.marks = append(w.marks, t)
		case !slices.Contains(common, t):
			if !slices.Contains(w.words, t) {
				w.words = append(w.words, t)
			}
		}
	}
	slices.Sort(w.marks)
	w.marks = slices.Compact(w.marks)
	return w
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(list, func(x string) bool { return x == s })
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// withoutMaker leaves out the makers' own names in front of a product's.
func (m *makers) withoutMaker(list []string, who []string) []string {
	for range 2 {
		for n := min(3, len(list)-1); n > 0; n-- {
			if slices.ContainsFunc(m.names[strings.Join(list[:n], " ")], func(a alias) bool { return slices.Contains(who, a.maker) && !a.bought }) {
				list = list[n:]
				break
			}
		}
	}
	return list
}

// empty reports whether a name says nothing that tells a product: "handheld medical devices".
func (w wording) empty() bool {
	return len(w.words) == 0 && len(w.numbers) == 0 && len(w.also) == 0 && len(w.marks) == 0
}

// is says how surely the unit is meant by the name of a product, why, and what to ask.
func (u wording) is(p wording) (sure string, why []string, ask string) {
	shared := u.shared(p)
	lacks := missing(p.words, u.said())
	extra := missing(u.words, p.said())
	all := len(p.words) + len(p.marks)
	switch {
	case p.empty():
		return "", nil, ""
	case len(p.words) == 0 && len(p.numbers) == 0 && len(p.also) == 0:
		if len(u.words) > 0 || !slices.Equal(u.marks, p.marks) || len(u.numbers) > 0 {
			return "", nil, ""
		}
		return Medium, []string{fmt.Sprintf("product %q", p.text)}, "whether it is this product"
	case shared != "":
		if len(missing(p.marks, u.said())) > 0 {
			return "", nil, "" // the document means a variant
		}
		more := missing(u.marks, p.marks)
		if len(more) > 0 && len(lacks) > 0 {
			return "", nil, ""
		}
		why = []string{fmt.Sprintf("model number %s is that of %q", shared, p.text)}
		switch {
		case len(more) > 0:
			return Medium, append(why, fmt.Sprintf("the inventory says %s besides", strings.Join(more, ", "))), "whether this variant is meant"
		case len(lacks) == 0 && len(extra) == 0:
			return High, why, ""
		case len(lacks) == 0:
			return High, append(why, fmt.Sprintf("the inventory says %s besides", strings.Join(extra, ", "))), ""
		case len(extra) == 0 && (len(p.words) > len(lacks) || len(shared) >= 4):
			return High, append(why, fmt.Sprintf("the inventory does not say %s", strings.Join(lacks, ", "))), ""
		case len(lacks) < len(p.words) || len(shared) >= 5:
			return Medium, append(why, fmt.Sprintf("the inventory says %s where the document says %s", strings.Join(extra, ", "), strings.Join(lacks, ", "))), "whether it is this model"
		}
		return "", nil, "" // a number alone, of another product
	case len(p.numbers) > 0 && len(u.numbers) > 0:
		return "", nil, "" // another model
	case len(p.numbers) > 0:
		// The inventory does not say which model.
		if len(u.words) == 0 || len(extra) > 0 || len(missing(u.marks, p.marks)) > 0 || len(lacks) > 1 {
			return "", nil, ""
		}
		return Low, []string{fmt.Sprintf("the document speaks of %q, and the inventory names no model number", p.text)}, "which model it is"
	}
	// The document names no number, but in brackets those of the series perhaps.
	for _, n := range u.numbers {
		if n.letters != "" && slices.ContainsFunc(p.also, func(x number) bool { return x.letters == n.letters }) {
			return "", nil, "" // another of the series
		}
	}
	if len(missing(p.marks, u.said())) > 0 && len(missing(u.marks, p.marks)) > 0 {
		return "", nil, ""
	}
	switch {
	case len(lacks) == 0 && slices.Equal(u.marks, p.marks) && len(extra) == 0 && len(u.numbers) == 0:
		return High, []string{fmt.Sprintf("product %q", p.text)}, ""
	case len(lacks) == 0 && slices.Equal(u.marks, p.marks) && len(extra) == 0:
		return Medium, []string{fmt.Sprintf("%q is of the family %q", u.text, p.text)}, "whether this model is meant by the family"
	case len(lacks) == 0 && len(missing(p.marks, u.said())) == 0 && (all > 1 || len(extra) == 0):
		return Medium, []string{fmt.Sprintf("%q has all words of %q, and more", u.text, p.text)}, "whether this variant is meant"
	case len(lacks) == 0 && len(missing(p.marks, u.said())) == 0:
		return Low, []string{fmt.Sprintf("%q has the word of %q, and more", u.text, p.text)}, "whether it is this product"
	case len(extra) == 0 && len(u.words) > 0 && len(u.numbers) == 0 && len(missing(u.marks, p.marks)) == 0 && len(lacks) <= 1:
		return Low, []string{fmt.Sprintf("%q is less than %q says", u.text, p.text)}, "which of the maker's products it is"
	}
	return "", nil, ""
}

// said are the words of a name, with the letters in front of its numbers: EPIQ of EPIQ 7.
func (w wording) said() []string {
	out := slices.Concat(w.words, w.marks)
	for _, n := range w.numbers {
		if n.letters != "" {
			out = append(out, n.letters)
		}
	}
	return out
}

// shared returns the model number that both names have.
func (u wording) shared(p wording) string {
	for _, of := range [][]number{p.numbers, p.also} {
		for _, n := range u.numbers {
			for _, x := range of {
				if n.is(x) {
					return n.String()
				}
			}
		}
	}
	for _, n := range u.also {
		for _, x := range p.numbers {
			if n.is(x) && len(n.digits) >= 3 {
				return n.String()
			}
		}
	}
	return ""
}

// missing returns the words that a list wants and another lacks; a slip of a letter in a
// long word is none.
func missing(want, have []string) []string {
	var out []string
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h string) bool { return alike(w, h) }) {
			out = append(out, w)
		}
	}
	return out
}

// alike reports whether two words are the same but for a slip.
func alike(a, b string) bool {
	if a == b {
		return true
	}
	switch l := min(len(a), len(b)); {
	case l >= 9:
		return slips(a, b, 2) <= 2
	case l >= 6:
		return slips(a, b, 1) <= 1
	}
	return false
}
