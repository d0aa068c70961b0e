package claim

import (
	"fmt"
	"strings"
	"testing"
)

// TestLint holds that each pair is found when both answers stand in a form, and that it is
// silent when one of them is the other way round.
func TestLint(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range pairs {
		if seen[p.first+p.second] || p.why == "" {
			t.Errorf("%+v stands twice or says nothing", p)
		}
		seen[p.first+p.second] = true
		for _, flip := range []bool{false, true} {
			second := p.second
			if flip {
				if second = strings.Replace(second, "=yes", "=no", 1); second == p.second {
					second = strings.Replace(second, "=no", "=yes", 1)
				}
			}
			doc := ""
			for _, a := range []string{p.first, second} {
				q, answer, _ := strings.Cut(a, "=")
				if questionID(q) != q {
					t.Fatalf("%q is no item", q)
				}
				doc += fmt.Sprintf("%s,x,%s\n", q, answer)
			}
			set, err := MDS2("f", []byte(doc))
			if err != nil {
				t.Fatal(err)
			}
			if found := Lint(&set); (len(found) == 1) == flip {
				t.Errorf("%+v, flip %t: %+v", p, flip, found)
			}
		}
	}
}
