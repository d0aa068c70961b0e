// Command make chooses the rows of testdata/truth.tsv and of testdata/differ.tsv:
//
//	go run ./internal/advisory/accuracy/make NVD FIXES CVELIST OPENSSL CURL NODE DIRECTORY
//
// NVD is a directory with NVD 2.0 feeds and provenance.tsv.gz, FIXES a table of what
// distributions mended (source, package, cve, kind, version), CVELIST a directory of CVE
// records, OPENSSL OpenSSL's, CURL curl's vuln.pm, NODE the directory of Node's records.
//
// Rows come from the second source, never from what the matcher says: each is a version
// at an end of what the second source states, or the last one known before it, and stays
// only where NVD's own record states the same. Where it states the opposite, the row goes
// to differ.tsv. Both sources are read and compared here by code that shares nothing with
// the matcher. The choice among many rows is by a digest of their names.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/component/signature"
)

const perProduct = 12 // rows of each kind and product

func main() {
	if len(os.Args) != 8 {
		fmt.Fprintln(os.Stderr, "usage: make NVD FIXES CVELIST OPENSSL CURL NODE DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// statement is what the second source says of a product and a vulnerability.
type statement struct {
	product, cve, source   string
	start, fix, last       string // fix is the first version that is not affected, last the last that is
	package_, distribution string // of a distribution
	mended                 string // with its revision
	platforms              string
}

// span is one range of NVD.
type span struct {
	from, to    string
	after, last bool
	exact       string
	platform    string // target software, or what it must run on
}

type claim struct {
	spans map[string][]span // by vendor:product
	and   bool
}

type maker struct {
	byCPE       map[string]string // vendor:product to our name
	byName      map[string]string // squeezed names and packages to ours
	names       map[string]bool   // of CPE products
	independent map[string]bool
	nvd         map[string]*claim
	statements  []statement
	pool        map[string][]string
}

func run(args []string) error {
	m := &maker{byCPE: map[string]string{}, byName: map[string]string{}, names: map[string]bool{}, independent: map[string]bool{}, nvd: map[string]*claim{}, pool: map[string][]string{}}
	all, err := signature.All()
	if err != nil {
		return err
	}
	for _, s := range all {
		for _, c := range s.CPEs {
			parts := strings.Split(c, ":")
			m.byCPE[strings.Join(parts[len(parts)-2:], ":")] = s.Name
			m.names[parts[len(parts)-1]] = true
		}
		for _, n := range append([]string{s.Name}, s.Packages...) {
			if len(s.CPEs) > 0 && m.byName[n] == "" {
				m.byName[n] = s.Name
			}
		}
	}
	for _, step := range []func() error{
		func() error { return m.provenance(filepath.Join(args[0], "provenance.tsv.gz")) },
		func() error { return m.feeds(args[0]) },
		func() error { return m.fixes(args[1]) },
		func() error { return m.cveRecords(args[2], "cve") },
		func() error { return m.cveRecords(args[3], "openssl") },
		func() error { return m.curl(args[4]) },
		func() error { return m.node(args[5]) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return m.write(args[6])
}

func gunzip(name string, f func(io.Reader) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	return f(z)
}

func (m *maker) provenance(name string) error {
	return gunzip(name, func(r io.Reader) error {
		s := bufio.NewScanner(r)
		for s.Scan() {
			f := strings.Split(s.Text(), "\t")
			m.independent[f[0]] = len(f) == 3 && (f[2] == "nvd11" || f[2] == "anchore-override")
		}
		return s.Err()
	})
}

type cpeMatch struct {
	Vulnerable                                                                                       bool
	Criteria, VersionStartIncluding, VersionStartExcluding, VersionEndIncluding, VersionEndExcluding string
}

func (m *maker) feeds(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "nvdcve-2.0-*.json.gz"))
	if err != nil {
		return err
	}
	for _, name := range files {
		var doc struct {
			Vulnerabilities []struct {
				CVE struct {
					ID             string
					VulnStatus     string
					Configurations []struct {
						Operator string
						Nodes    []struct {
							Operator string
							CPEMatch []cpeMatch `json:"cpeMatch"`
						}
					}
				}
			}
		}
		if err := gunzip(name, func(r io.Reader) error { return json.NewDecoder(r).Decode(&doc) }); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, v := range doc.Vulnerabilities {
			if !m.independent[v.CVE.ID] || v.CVE.VulnStatus == "Rejected" {
				continue
			}
			c := &claim{spans: map[string][]span{}}
			for _, conf := range v.CVE.Configurations {
				platform := ""
				for _, n := range conf.Nodes {
					for _, x := range n.CPEMatch {
						f := fields(x.Criteria)
						if conf.Operator == "AND" && !x.Vulnerable && f[0] == "o" {
							platform += f[2] + " "
						}
						c.and = c.and || conf.Operator == "AND" || n.Operator == "AND"
					}
				}
				for _, n := range conf.Nodes {
					for _, x := range n.CPEMatch {
						f := fields(x.Criteria)
						if !x.Vulnerable || !m.names[f[2]] {
							continue
						}
						s := span{from: cmp.Or(x.VersionStartIncluding, x.VersionStartExcluding), after: x.VersionStartExcluding != "",
							to: cmp.Or(x.VersionEndIncluding, x.VersionEndExcluding), last: x.VersionEndIncluding != "", platform: strings.TrimSpace(platform + dash(f[9]))}
						if s.from == "" && s.to == "" && f[3] != "*" {
							s.exact = f[3] + dash(f[4])
						} else if s.last {
							s.to += dash(f[4])
						}
						c.spans[f[1]+":"+f[2]] = append(c.spans[f[1]+":"+f[2]], s)
					}
				}
			}
			if len(c.spans) > 0 {
				m.nvd[v.CVE.ID] = c
			}
		}
	}
	return nil
}

func dash(s string) string {
	if s == "*" || s == "-" {
		return ""
	}
	return s
}

// fields splits a CPE name, without its first two words.
func fields(cpe string) []string {
	cpe = strings.NewReplacer(`\:`, "\x00").Replace(cpe)
	f := strings.Split(cpe, ":")
	for len(f) < 13 {
		f = append(f, "*")
	}
	for i := range f {
		f[i] = strings.ReplaceAll(strings.ReplaceAll(f[i], "\x00", ":"), `\`, "")
	}
	return f[2:]
}

var apkRevision = regexp.MustCompile(`-r([0-9]+)$`)

func (m *maker) fixes(name string) error {
	return gunzip(name, func(r io.Reader) error {
		s := bufio.NewScanner(r)
		for s.Scan() {
			f := strings.Split(s.Text(), "\t")
			if len(f) < 5 || f[3] != "fixed" || !strings.HasPrefix(f[0], "alpine") && f[0] != "wolfi" {
				continue
			}
			product := m.byName[f[1]]
			rev := apkRevision.FindStringSubmatch(f[4])
			if product == "" || rev == nil || product == "linux" {
				continue
			}
			v := strings.Replace(strings.TrimSuffix(f[4], rev[0]), "_p", "p", 1)
			st := statement{product: product, cve: f[2], source: f[0], package_: f[1], distribution: f[0], mended: f[4]}
			if rev[1] == "0" {
				st.fix, st.mended = v, ""
			}
			m.statements = append(m.statements, st)
		}
		return s.Err()
	})
}

func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 32
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func (m *maker) cveRecords(dir, source string) error {
	known := map[string]string{}
	for c, name := range m.byCPE {
		vendor, product, _ := strings.Cut(c, ":")
		known[squeeze(vendor)+":"+squeeze(product)] = name
		known[squeeze(product)+":"+squeeze(product)] = name
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), "CVE-") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var doc struct {
			CVEMetadata struct{ CVEID, State, AssignerShortName string }
			Containers  struct {
				CNA struct {
					Affected []struct {
						Vendor, Product, DefaultStatus string
						Platforms                      []string
						Versions                       []struct{ Version, Status, LessThan, LessThanOrEqual, VersionType string }
					}
				}
			}
		}
		if json.Unmarshal(b, &doc) != nil || m.nvd[doc.CVEMetadata.CVEID] == nil {
			return nil
		}
		for _, a := range doc.Containers.CNA.Affected {
			name := known[squeeze(a.Vendor)+":"+squeeze(a.Product)]
			if name == "" || a.DefaultStatus == "affected" || name == "linux" {
				continue
			}
			for _, v := range a.Versions {
				if v.Status != "affected" || v.VersionType == "git" {
					continue
				}
				s := statement{product: name, cve: doc.CVEMetadata.CVEID, source: cmp.Or(map[string]string{"openssl": "openssl"}[source], "cve:"+doc.CVEMetadata.AssignerShortName),
					start: v.Version, fix: v.LessThan, last: v.LessThanOrEqual, platforms: strings.ToLower(strings.Join(a.Platforms, " "))}
				if s.fix == "" && s.last == "" {
					s.last = v.Version
				}
				m.statements = append(m.statements, s)
			}
		}
		return nil
	})
}

func (m *maker) curl(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.Trim(strings.TrimSpace(line), `",`), "|")
		if len(f) > 12 && strings.HasPrefix(f[4], "CVE-") {
			m.statements = append(m.statements, statement{product: "curl", cve: f[4], source: "curl", start: f[1], last: f[2]})
		}
	}
	return nil
}

func (m *maker) node(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var doc struct {
			CVE        []string
			Patched    string
			Vulnerable string
		}
		if json.Unmarshal(b, &doc) != nil {
			continue
		}
		for part := range strings.SplitSeq(doc.Patched, "||") {
			v, ok := strings.CutPrefix(strings.TrimSpace(part), "^")
			if !ok {
				continue
			}
			major, _, _ := strings.Cut(v, ".")
			if !strings.Contains(doc.Vulnerable, major+".x") {
				continue
			}
			for _, id := range doc.CVE {
				m.statements = append(m.statements, statement{product: "node", cve: id, source: "node", start: major + ".0.0", fix: v})
			}
		}
	}
	return nil
}

var plain = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)*)(?:([a-z]{1,2})|p([0-9]+))?$`)

// compare orders plain versions: numbers, then letters or a patch level. It is the
// command's own and knows nothing else.
func compare(a, b string) (int, bool) {
	x, y := plain.FindStringSubmatch(a), plain.FindStringSubmatch(b)
	if x == nil || y == nil {
		return 0, false
	}
	p, q := strings.Split(x[1], "."), strings.Split(y[1], ".")
	for i := range max(len(p), len(q)) {
		var m, n int
		if i < len(p) {
			m, _ = strconv.Atoi(p[i])
		}
		if i < len(q) {
			n, _ = strconv.Atoi(q[i])
		}
		if m != n {
			return cmp.Compare(m, n), true
		}
	}
	if x[2] != "" && y[3] != "" || x[3] != "" && y[2] != "" {
		return 0, false
	}
	if c := cmp.Or(cmp.Compare(len(x[2]), len(y[2])), cmp.Compare(x[2], y[2])); c != 0 {
		return c, true
	}
	m, _ := strconv.Atoi(x[3])
	n, _ := strconv.Atoi(y[3])
	return cmp.Compare(m, n), true
}

// holds says whether NVD calls a version of one of our products affected; ok is false
// where this code cannot tell.
func (m *maker) holds(c *claim, product, v string) (in, ok bool) {
	spoken := false
	for name, spans := range c.spans {
		if m.byCPE[name] != product {
			continue
		}
		for _, s := range spans {
			if s.platform != "" {
				return false, false
			}
			spoken = true
			if s.exact != "" {
				if n, ok := compare(v, s.exact); !ok {
					if !plain.MatchString(s.exact) {
						continue // 1.0-beta1 is another version than a plain one
					}
					return false, false
				} else if n == 0 {
					in = true
				}
				continue
			}
			low, high := true, true
			if s.from != "" {
				n, ok := compare(v, s.from)
				if !ok {
					return false, false
				}
				low = n > 0 || n == 0 && !s.after
			}
			if s.to != "" {
				n, ok := compare(v, s.to)
				if !ok {
					return false, false
				}
				high = n < 0 || n == 0 && s.last
			}
			in = in || low && high
		}
	}
	return in, spoken
}

type row struct{ kind, product, version, cve, want, first, second, extra string }

func (r row) String() string {
	return strings.Join([]string{r.kind, r.product, r.version, r.cve, r.want, r.first, r.second, r.extra}, "\t")
}

func (m *maker) write(dir string) error {
	for _, s := range m.statements {
		for _, v := range []string{s.start, s.fix, s.last} {
			if plain.MatchString(v) && v != "0" && !slices.Contains(m.pool[s.product], v) {
				m.pool[s.product] = append(m.pool[s.product], v)
			}
		}
	}
	for p := range m.pool {
		slices.Sort(m.pool[p])
		slices.SortStableFunc(m.pool[p], func(a, b string) int { n, _ := compare(a, b); return n })
	}
	var rows, differ []row
	seen := map[string]bool{}
	ask := func(s statement, kind, v, want string) {
		c := m.nvd[s.cve]
		if v == "" || c == nil || !plain.MatchString(v) || seen[s.product+s.cve+v] {
			return
		}
		in, ok := m.holds(c, s.product, v)
		if !ok {
			return
		}
		// Another statement of the second source may hold where this one ends.
		if want == "not" && m.elsewhere(s, v) {
			return
		}
		seen[s.product+s.cve+v] = true
		r := row{kind, s.product, v, s.cve, want, "nvd", s.source, ""}
		if in == (want == "affected") {
			rows = append(rows, r)
		} else {
			differ = append(differ, r)
		}
	}
	for _, s := range m.statements {
		if s.mended != "" {
			m.backport(s, &rows)
			continue
		}
		if strings.Contains(s.platforms, "windows") && !strings.Contains(s.platforms, "linux") {
			continue
		}
		if s.fix != "" {
			ask(s, "fixed", s.fix, "not")
			if b := m.before(s.product, s.fix); b != "" && within(b, s.start) {
				ask(s, "before-fix", b, "affected")
			}
		}
		if s.last != "" {
			ask(s, "last", s.last, "affected")
		}
		if s.start != "" && s.start != "0" && (s.fix != "" || s.last != "") {
			ask(s, "first", s.start, "affected")
			ask(s, "not-yet", m.before(s.product, s.start), "not")
		}
	}
	m.others(&rows)
	if err := save(filepath.Join(dir, "truth.tsv"), chosen(rows, perProduct)); err != nil {
		return err
	}
	return save(filepath.Join(dir, "differ.tsv"), chosen(differ, 2))
}

func within(v, start string) bool {
	if start == "" || start == "0" {
		return true
	}
	n, ok := compare(v, start)
	return ok && n >= 0
}

// elsewhere says whether another statement of the same source may call the version
// affected.
func (m *maker) elsewhere(s statement, v string) bool {
	for _, o := range m.statements {
		if o.cve != s.cve || o.product != s.product || o.mended != "" {
			continue
		}
		if o.source != s.source {
			continue
		}
		low := within(v, o.start)
		high := true
		if o.fix != "" {
			n, ok := compare(v, o.fix)
			high = !ok || n < 0
		} else if o.last != "" {
			n, ok := compare(v, o.last)
			high = !ok || n <= 0
		}
		// A distribution states no beginning, and one fix for each branch of its own.
		if strings.HasPrefix(o.source, "alpine") || o.source == "wolfi" {
			continue
		}
		if low && high {
			return true
		}
	}
	return false
}

// before is the last version of the pool before v, of the same branch.
func (m *maker) before(product, v string) string {
	best := ""
	for _, o := range m.pool[product] {
		if n, ok := compare(o, v); ok && n < 0 {
			best = o
		}
	}
	return best
}

// backport makes rows of what a distribution mended in a revision of its package: the
// revision before it is affected, it is fixed.
func (m *maker) backport(s statement, rows *[]row) {
	c := m.nvd[s.cve]
	rev := apkRevision.FindStringSubmatch(s.mended)
	v := strings.Replace(strings.TrimSuffix(s.mended, rev[0]), "_p", "p", 1)
	if c == nil || !plain.MatchString(v) || !strings.HasPrefix(s.source, "alpine") {
		return
	}
	if in, ok := m.holds(c, s.product, v); !ok || !in {
		return
	}
	n, _ := strconv.Atoi(rev[1])
	extra := s.distribution + " " + s.package_ + " " + s.mended
	*rows = append(*rows, row{"backport", s.product, v + rev[0], s.cve, "not", "nvd", s.source, extra})
	*rows = append(*rows, row{"before-backport", s.product, v + "-r" + strconv.Itoa(n-1), s.cve, "affected", "nvd", s.source, extra})
}

// others makes rows of products that bear the name of one of ours and are none: both
// sources name another vendor.
func (m *maker) others(rows *[]row) {
	for _, id := range keys(m.nvd) {
		c := m.nvd[id]
		ours := map[string]bool{}
		for name := range c.spans {
			ours[m.byCPE[name]] = true
		}
		for _, name := range keys(c.spans) {
			if m.byCPE[name] != "" {
				continue
			}
			_, product, _ := strings.Cut(name, ":")
			for _, cpe := range keys(m.byCPE) {
				_, p, _ := strings.Cut(cpe, ":")
				mine := m.byCPE[cpe]
				if p != product || ours[mine] {
					continue
				}
				for _, v := range m.pool[mine] {
					if spanHolds(c.spans[name], v) {
						*rows = append(*rows, row{"other-product", mine, v, id, "not", "nvd", name, ""})
						break
					}
				}
			}
		}
	}
}

func spanHolds(spans []span, v string) bool {
	for _, s := range spans {
		if s.exact != "" || s.to == "" {
			continue
		}
		n, ok := compare(v, s.to)
		if ok && n < 0 && within(v, s.from) {
			return true
		}
	}
	return false
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// chosen takes a few rows of each kind and product, by a digest.
func chosen(rows []row, most int) []row {
	limit := func(kind string) int {
		if strings.Contains(kind, "backport") {
			return min(most, 2)
		}
		return most
	}
	digest := func(r row) string { d := sha256.Sum256([]byte(r.String())); return string(d[:]) }
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(digest(a), digest(b)) })
	count := map[string]int{}
	seen := map[string]bool{}
	var out []row
	for _, r := range rows {
		k, v := r.kind+" "+r.product, r.kind+r.product+r.cve+r.version
		if count[k] < limit(r.kind) && !seen[v] {
			seen[v] = true
			count[k]++
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b row) int { return strings.Compare(a.product+"\t"+a.String(), b.product+"\t"+b.String()) })
	return out
}

func save(name string, rows []row) error {
	var b bytes.Buffer
	b.WriteString("# kind\tproduct\tversion\tcve\twant\tfirst source\tsecond source\tmore\n")
	for _, r := range rows {
		fmt.Fprintln(&b, r)
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}
