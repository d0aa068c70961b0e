package firmware

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestColumns holds how the columns of a table are named.
func TestColumns(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]string{
		`CREATE TABLE a (id INTEGER PRIMARY KEY, "name" TEXT DEFAULT ('a,b'), [x] INT, PRIMARY KEY (id, name))`: "id name x",
		"CREATE TABLE b(`k` numeric(10,2), v)": "k v",
		"CREATE TABLE c AS SELECT 1":           "",
		"CREATE TABLE d (a":                    "a",
	} {
		if got := strings.Join(columns(statement), " "); got != want {
			t.Errorf("%s: got %q", statement, got)
		}
	}
}

// TestSQLiteDamaged holds that no wrong byte of a database stops the reader.
func TestSQLiteDamaged(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/data/stores.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parseTree(string(b))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range tree.nodes {
		if n.Path != "/data/trends.db" {
			continue
		}
		p, _ := n.Data.Bytes()
		var names []string
		for _, table := range traceOf(t, p).Tables {
			names = append(names, table.Name)
		}
		if d := cmp.Diff([]string{"trend", "users"}, names); d != "" {
			t.Error(d)
		}
		for i := range p[:min(len(p), 1024)] {
			q := slices.Clone(p)
			q[i] ^= 0xff
			traceOf(t, q)
			traceOf(t, p[:i])
		}
	}
}
