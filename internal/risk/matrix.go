package risk

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/vesalius-project/vesalius/internal/judge"
)

// Matrix says how bad is too bad: which level a severity of harm and an exploitability
// make, what the device can do at worst where nobody says it, and what a policy does with
// each level. It is data: the default one is matrix.yaml, a maker's own stands under the
// key "risk" of a policy file and replaces it whole or in parts.
type Matrix struct {
	Name       string            `yaml:"name" json:"name"`
	Levels     []string          `yaml:"levels" json:"levels"`                 // best first
	Cells      map[string][]int  `yaml:"matrix" json:"matrix"`                 // S1 to S5: the number of the level for E1 to E5
	Controlled []string          `yaml:"controlled" json:"controlled"`         // levels that are, as the regulator uses the word
	Harm       map[string]string `yaml:"harm" json:"harm"`                     // default severity by dimension
	Class      map[string]string `yaml:"class" json:"class,omitempty"`         // severity for the patient by the device's class
	Functions  map[string]string `yaml:"functions" json:"functions,omitempty"` // the same by a word in its functions
	Gate       map[string]string `yaml:"gate" json:"gate,omitempty"`           // level: reject, controls, condition or accept
}

//go:embed matrix.yaml
var defaultMatrix []byte

// Default gives the default matrix.
func Default() *Matrix {
	m := &Matrix{}
	if err := yaml.Unmarshal(defaultMatrix, m); err != nil {
		panic("risk: matrix.yaml: " + err.Error())
	}
	return m
}

// maxPolicy bounds a policy file.
const maxPolicy = 1 << 20

// ReadMatrix reads the part "risk" of a policy file; what it leaves out is as in the
// default. A file without that part gives the default matrix. name is for errors.
func ReadMatrix(name string, data []byte) (*Matrix, error) {
	if len(data) > maxPolicy {
		return nil, fmt.Errorf("%s: %d bytes: more than a policy has", name, len(data))
	}
	m := Default()
	var file struct {
		Risk yaml.Node `yaml:"risk"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %s", name, yamlError(err))
	}
	if file.Risk.IsZero() {
		return m, nil
	}
	part, err := yaml.Marshal(&file.Risk)
	if err != nil {
		return nil, fmt.Errorf("%s: risk: %s", name, yamlError(err))
	}
	// What is a list or a table of the matrix itself is replaced, never mixed.
	var own Matrix
	d := yaml.NewDecoder(bytes.NewReader(part))
	d.KnownFields(true)
	if err := d.Decode(&own); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: risk: %s", name, yamlError(err))
	}
	m.replace(own)
	if err := m.Check(); err != nil {
		return nil, fmt.Errorf("%s: risk: %w", name, err)
	}
	return m, nil
}

func (m *Matrix) replace(own Matrix) {
	if own.Name != "" {
		m.Name = own.Name
	} else {
		m.Name = "of the policy"
	}
	if own.Levels != nil || own.Cells != nil {
		m.Levels, m.Cells, m.Controlled, m.Gate = own.Levels, own.Cells, nil, nil
		if own.Levels == nil {
			m.Levels = Default().Levels
		}
	}
	if own.Controlled != nil {
		m.Controlled = own.Controlled
	}
	if own.Gate != nil {
		m.Gate = own.Gate
	}
	if own.Class != nil {
		m.Class = own.Class
	}
	if own.Functions != nil {
		m.Functions = own.Functions
	}
	maps.Copy(m.Harm, own.Harm)
}

func severities() []string { return []string{"S1", "S2", "S3", "S4", "S5"} }

func ways() []string { return []string{"reject", "controls", "condition", "accept"} }

// Check says what is wrong with a matrix in the words of its file.
func (m *Matrix) Check() error {
	if len(m.Levels) < 2 || len(m.Levels) > 9 {
		return fmt.Errorf("levels: %d: want 2 to 9, best first", len(m.Levels))
	}
	for i, l := range m.Levels {
		if l == "" || slices.Contains(m.Levels[:i], l) {
			return fmt.Errorf("levels: %q is empty or stands twice", l)
		}
	}
	for _, s := range severities() {
		row := m.Cells[s]
		if len(row) != 5 {
			return fmt.Errorf("matrix: %s has %d numbers: want one for each of E1 to E5", s, len(row))
		}
		for i, n := range row {
			if n < 1 || n > len(m.Levels) {
				return fmt.Errorf("matrix: %s: %d is no level: there are %d", s, n, len(m.Levels))
			}
			if i > 0 && n < row[i-1] {
				return fmt.Errorf("matrix: %s: E%d is better than E%d", s, i+1, i)
			}
			if lower := "S" + string(s[1]-1); len(m.Cells[lower]) == 5 && n < m.Cells[lower][i] {
				return fmt.Errorf("matrix: %s is better than %s at E%d", s, lower, i+1)
			}
		}
	}
	for s := range m.Cells {
		if !slices.Contains(severities(), s) {
			return fmt.Errorf("matrix: %q is none of S1 to S5", s)
		}
	}
	if len(m.Controlled) == 0 {
		return errors.New("controlled: it names no level, and nothing would be controlled")
	}
	for _, l := range m.Controlled {
		if !slices.Contains(m.Levels, l) {
			return fmt.Errorf("controlled: %q is none of the levels", l)
		}
	}
	for _, l := range slices.Sorted(maps.Keys(m.Gate)) {
		if !slices.Contains(m.Levels, l) {
			return fmt.Errorf("gate: %q is none of the levels", l)
		}
		if !slices.Contains(ways(), m.Gate[l]) {
			return fmt.Errorf("gate: %s: %q is none of %s", l, m.Gate[l], strings.Join(ways(), ", "))
		}
	}
	for _, d := range slices.Sorted(maps.Keys(m.Harm)) {
		if !slices.Contains(Dimensions(), d) {
			return fmt.Errorf("harm: %q is none of %s", d, strings.Join(Dimensions(), ", "))
		}
	}
	for _, t := range []struct {
		name  string
		table map[string]string
	}{{"harm", m.Harm}, {"class", m.Class}, {"functions", m.Functions}} {
		for _, k := range slices.Sorted(maps.Keys(t.table)) {
			if !slices.Contains(severities(), t.table[k]) {
				return fmt.Errorf("%s: %s: %q is none of S1 to S5", t.name, k, t.table[k])
			}
		}
	}
	return nil
}

// Level is what a severity and an exploitability make: "S4" and 3 for E3. An unknown
// severity is read as S5.
func (m *Matrix) Level(severity string, exploitability int) string {
	row, ok := m.Cells[severity]
	if !ok {
		row = m.Cells["S5"]
	}
	return m.Levels[row[exploitability-1]-1]
}

// rank orders levels, the best first.
func (m *Matrix) rank(level string) int { return slices.Index(m.Levels, level) }

// table is weakness.yaml.
type table struct {
	Rules []struct {
		Rules  []string `yaml:"rules"`
		Vector string   `yaml:"vector"`
		Open   bool     `yaml:"open"`
	} `yaml:"rules"`
	Access   map[string]string  `yaml:"access"`
	Impact   map[string]string  `yaml:"impact"`
	Controls map[string]control `yaml:"controls"`
	Class    []struct {
		Advisories []string `yaml:"advisories"`
		Documents  []string `yaml:"documents"`
	} `yaml:"class"`

	byRule map[string]weakness
	known  map[string][]string // advisory: the medical documents that name it
}

type weakness struct {
	vector string
	open   bool
}

type control struct {
	Words string            `yaml:"words"`
	Set   map[string]string `yaml:"set"`
	Gone  bool              `yaml:"gone"`
}

//go:embed weakness.yaml
var weaknessFile []byte

// weaknesses reads the table once.
var weaknesses = sync.OnceValue(func() *table {
	t := &table{byRule: map[string]weakness{}, known: map[string][]string{}}
	d := yaml.NewDecoder(bytes.NewReader(weaknessFile))
	d.KnownFields(true)
	if err := d.Decode(t); err != nil {
		panic("risk: weakness.yaml: " + err.Error())
	}
	for _, r := range t.Rules {
		for _, id := range r.Rules {
			t.byRule[id] = weakness{r.Vector, r.Open}
		}
	}
	for _, c := range t.Class {
		for _, a := range c.Advisories {
			t.known[a] = c.Documents
		}
	}
	return t
})

// of gives the base vector of a finding, and whether what it needs lies open.
func (t *table) of(f *judge.Finding) weakness {
	if w, ok := t.byRule[f.Rule]; ok {
		return w
	}
	access, impact := t.Access[f.Vector], t.Impact[f.Severity]
	if access == "" {
		access = t.Access["component"]
	}
	if impact == "" {
		impact = t.Impact["high"]
	}
	return weakness{vector: "CVSS:3.1/" + access + "/S:U/" + impact}
}
