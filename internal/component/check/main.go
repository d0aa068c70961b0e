// Command check measures the signatures on the packages of a distribution. It downloads
// packages of foreign architectures, unpacks them into one tree an architecture, leaves
// out what names their versions (package databases, documentation), lets the matcher find
// what is in the tree, and compares with the versions of the packages.
//
//	go run ./internal/component/check -cache DIR -trees bookworm/armhf,trixie/arm64 -v
//
// The Debian mirror that apt of this machine is configured for is asked, nothing else.
package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/component/signature"
)

//go:embed packages.txt
var packagesText string

//go:embed truth.txt
var truthText string

func main() {
	cache := flag.String("cache", filepath.Join(os.TempDir(), "vesalius-signatures-check"), "directory for the downloads")
	trees := flag.String("trees", "bookworm/amd64,bookworm/armhf,bookworm/arm64,bookworm/mipsel,trixie/arm64", "releases of Debian and architectures")
	out := flag.String("o", "doc/accuracy-components.md", "file for the result; - for none")
	verbose := flag.Bool("v", false, "tell every product that is missed or wrong")
	only := flag.String("only", "", "a product: tell all that is found of it")
	flag.Parse()
	if err := run(context.Background(), *cache, strings.Split(*trees, ","), *out, *verbose, *only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cache string, trees []string, out string, verbose bool, only string) error {
	m, err := signature.Matcher()
	if err != nil {
		return err
	}
	truth := readTruth()
	var all []*result
	for _, tree := range trees {
		suite, arch, ok := strings.Cut(tree, "/")
		if !ok {
			return fmt.Errorf("tree %q: want RELEASE/ARCHITECTURE", tree)
		}
		dir := filepath.Join(cache, suite, arch)
		packages, err := fetch(ctx, dir, suite, arch)
		if err != nil {
			return fmt.Errorf("%s: %w", tree, err)
		}
		r, err := measure(m, filepath.Join(dir, "root"), packages, truth)
		if err != nil {
			return fmt.Errorf("%s: %w", tree, err)
		}
		r.arch, r.suite = arch, suite
		var b bytes.Buffer
		r.tell(&b, verbose, only)
		if _, err := b.WriteTo(os.Stdout); err != nil {
			return err
		}
		all = append(all, r)
	}
	if out == "-" {
		return nil
	}
	var b bytes.Buffer
	write(&b, all, len(m.Signatures()))
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// deb is a package as it was downloaded.
type deb struct{ name, source, version string }

// product is what a source package is.
type product struct {
	name    string
	release *regexp.Regexp
}

func readTruth() map[string][]product {
	out := map[string][]product{}
	for line := range strings.Lines(truthText) {
		w := strings.Fields(line)
		if len(w) < 2 || w[0] == "#" {
			continue
		}
		for _, name := range strings.Split(w[1], ",") {
			p := product{name: name}
			if len(w) > 2 {
				p.release = regexp.MustCompile(w[2])
			}
			out[w[0]] = append(out[w[0]], p)
		}
	}
	return out
}

// versionOf returns the upstream version of a package.
func (p product) versionOf(d deb) string {
	v, _ := component.Upstream(d.version, "deb")
	if p.release != nil {
		if m := p.release.FindStringSubmatch(v); m != nil {
			return m[1]
		}
	}
	return v
}

func words(text string) []string {
	var out []string
	s := bufio.NewScanner(strings.NewReader(text))
	for s.Scan() {
		if w := strings.TrimSpace(s.Text()); w != "" && !strings.HasPrefix(w, "#") {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}
