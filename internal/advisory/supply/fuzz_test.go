package supply

import (
	"strings"
	"testing"
)

// FuzzLists holds that no list that a publisher sends ends in a panic, in a document
// outside of its directory, or in a digest that is none.
func FuzzLists(f *testing.F) {
	for _, s := range []string{
		"lastModifiedDate:2026-11-24T03:00:00-05:00\r\nsize:1\r\nsha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\r\n",
		"\"2026/a-1.json\",\"2026-11-24T03:00:00Z\"\n\"../a.json\",\"2026-11-24T03:00:00Z\"\n",
		`{"feed":{"entry":[{"updated":"2026-11-24T03:00:00Z","link":[{"rel":"self","href":"https://example.org/a.json"}]}]}}`,
		"sha256:\n", "", "a,b\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := readMeta(data); err == nil && len(m.sha256) != 64 {
			t.Errorf("digest %q", m.sha256)
		}
		const base = "https://example.org/csaf/"
		lists := [][]document{}
		if l, err := changes(base, data, inDirectory(base)); err == nil {
			lists = append(lists, l)
		}
		for _, l := range lists {
			for _, d := range l {
				if !strings.HasPrefix(d.url, base) || strings.Contains(d.url, "..") || len(d.sums) != 2 {
					t.Errorf("document %+v", d)
				}
			}
		}
		if l, err := entries(base+"feed.json", data); err == nil {
			for _, d := range l {
				if d.url == "" {
					t.Errorf("entry %+v", d)
				}
			}
		}
	})
}
