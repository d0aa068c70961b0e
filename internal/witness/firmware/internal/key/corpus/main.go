// Command corpus prints the fingerprints of the private keys that lie in directories of
// published keys, a line each: fingerprint, tab, name. It made data/known-keys.tsv:
//
//	corpus NAME=DIR... | sort -u
//
// A file FILE.json beside FILE.key that lists products (vendor, name) names the key by them.
package main

import (
	"bufio"
	"bytes"
	"cmp"
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
	if err := run(os.Args[1:]); err != nil {
		panic(err)
	}
}

func run(args []string) error {
	set, err := search.New(key.Literals())
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	seen := map[string]bool{}
	for _, arg := range args {
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
				what := cmp.Or(products(path), strings.TrimPrefix(path, dir+"/"))
				if _, err := fmt.Fprintf(out, "%s\t%s: %s\n", k.Fingerprint, name, what); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return out.Flush()
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
