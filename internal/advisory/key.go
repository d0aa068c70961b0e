package advisory

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// key orders vulnerabilities: CVE ids by year and number, then all others by their
// letters, whatever their case.
type key struct {
	year, number uint32 // of a CVE id; 0 of another
	other        string // another id, in lower case
}

// keyOf reads an id.
func keyOf(id string) key {
	if year, number, ok := parseCVE(id); ok {
		return key{year: year, number: number}
	}
	return key{other: strings.ToLower(id)}
}

// parseCVE reads a CVE id in any case, but in the one spelling of its number.
func parseCVE(id string) (year, number uint32, ok bool) {
	if len(id) < 13 || len(id) > 18 || !strings.EqualFold(id[:4], "CVE-") || id[8] != '-' {
		return 0, 0, false
	}
	y, err := strconv.ParseUint(id[4:8], 10, 32)
	if err != nil || y == 0 {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(id[9:], 10, 32)
	if err != nil || len(id) > 13 && id[9] == '0' {
		return 0, 0, false
	}
	return uint32(y), uint32(n), true
}

func (k key) cve() string { return fmt.Sprintf("CVE-%04d-%04d", k.year, k.number) }

func (k key) compare(o key) int {
	if (k.year == 0) != (o.year == 0) {
		if k.year != 0 {
			return -1
		}
		return 1
	}
	if k.year != 0 {
		return cmp.Or(cmp.Compare(k.year, o.year), cmp.Compare(k.number, o.number))
	}
	return strings.Compare(k.other, o.other)
}

// id writes an id; what is no CVE id as it is spelled.
func writeID(w *writer, id string) {
	k := keyOf(id)
	w.u(uint64(k.year))
	if k.year != 0 {
		w.u(uint64(k.number))
	} else {
		w.s(id)
	}
}

func readID(r *reader) string {
	year := r.u()
	if year == 0 {
		return r.s()
	}
	return cveID(year, r.u())
}

// cveID is what an index asks for most: it is written without fmt.
func cveID(year, number uint64) string {
	var b [32]byte
	out := append(b[:0], "CVE-"...)
	out = pad(out, year)
	out = append(out, '-')
	return string(pad(out, number))
}

func pad(b []byte, n uint64) []byte {
	for limit := uint64(1000); limit > 1 && n < limit; limit /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendUint(b, n, 10)
}

// Names of products as keys. In the table of names a CPE product stands before its
// vendor, so that the vendors of a product lie together; in the order of the blocks the
// vendor comes first, because the products of one vendor resemble each other.
const zero = "\x00"

func appendNameKey(b []byte, p *Product) []byte {
	letter, first, second := nameParts(p)
	return append(append(append(append(append(b, letter...), 0), first...), 0), second...)
}

// nameParts gives what a product is looked up by: the vendor of a package, say, is not.
func nameParts(p *Product) (letter, first, second string) {
	switch p.By {
	case ByCPE:
		return "c", p.Name, p.Vendor
	case ByPackage:
		return "p", p.Ecosystem, p.Name
	}
	return "n", p.Vendor, p.Name
}

// productOf reads a key of the table of names.
func productOf(key string) (Product, bool) {
	parts := strings.Split(key, zero)
	if len(parts) != 3 {
		return Product{}, false
	}
	switch parts[0] {
	case "c":
		return Product{By: ByCPE, Vendor: parts[2], Name: parts[1]}, true
	case "p":
		return Product{By: ByPackage, Ecosystem: parts[1], Name: parts[2]}, true
	case "n":
		return Product{By: ByName, Vendor: parts[1], Name: parts[2]}, true
	}
	return Product{}, false
}

// compareProducts orders products by what they are looked up by, vendors first.
func compareProducts(a, b *Product) int {
	la, a1, a2 := nameParts(a)
	lb, b1, b2 := nameParts(b)
	if la == "c" && lb == "c" {
		a1, a2, b1, b2 = a2, a1, b2, b1
	}
	if la != lb {
		return strings.Compare(la, lb)
	}
	if a1 != b1 {
		return strings.Compare(a1, b1)
	}
	return strings.Compare(a2, b2)
}
