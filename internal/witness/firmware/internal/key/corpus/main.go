// Command corpus prints the fingerprints of the private keys that lie in directories of
// published keys, a line each: fingerprint, tab, name. It made data/known-keys.tsv:
//
//	corpus NAME=DIR... | sort -u
//
// A file FILE.json beside FILE.key that lists products (vendor, name) names the key by them.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/key"
)

func main() {
	set, err := search.New(key.Literals())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	seen := map[string]bool{}
	for _, arg := range os.Args[1:] {
		name, dir, _ := strings.Cut(arg, "=")
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil || len(b) > 4<<20 {
				return err
			}
			b = bytes.ReplaceAll(b, []byte("TESTING KEY"), []byte("PRIVATE KEY"))
			found := key.Find(content(b), func(yield func(int, int64) bool) {
				set.Find(b, func(l, at int) { yield(l, int64(at)) })
			})
			for _, k := range found.Keys {
				if !k.Private || k.Fingerprint == "" || seen[k.Fingerprint] {
					continue
				}
				seen[k.Fingerprint] = true
				rel, _ := filepath.Rel(dir, path)
				what := products(path)
				if what == "" {
					what = rel
				}
				fmt.Printf("%s\t%s: %s\n", k.Fingerprint, name, what)
			}
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// products names the devices that a key was found in, the first of them.
func products(path string) string {
	b, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".json")
	if err != nil {
		return ""
	}
	var list struct {
		Products []struct{ Name, Vendor string }
	}
	if json.Unmarshal(b, &list) != nil || len(list.Products) == 0 {
		return ""
	}
	p := list.Products[0]
	out := strings.TrimSpace(p.Vendor + " " + p.Name)
	if len(list.Products) > 1 {
		out += " and others"
	}
	return out
}

type content []byte

func (c content) Size() int64 { return int64(len(c)) }

func (c content) View(at, n int64) []byte {
	at = min(at, int64(len(c)))
	return c[at:min(at+n, int64(len(c)))]
}
