// Command make renews the snapshot that the program carries:
//
//	go run ./internal/advisory/snapshot/make INDEX
//
// INDEX is an index of all that is to be chosen from; `vesalius db import` makes it. It is
// run in the root of the repository, and writes doc/snapshot.md too.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"strings"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/snapshot"
	"github.com/vesalius-project/vesalius/internal/component/signature"
)

//go:embed also.txt
var also string

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/advisory/snapshot/make INDEX")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "make:", err)
		os.Exit(1)
	}
}

func run(from string) error {
	x, err := advisory.OpenFile(from)
	if err != nil {
		return err
	}
	defer x.Close()
	all, err := signature.All()
	if err != nil {
		return err
	}
	var products []string
	for _, s := range all {
		products = append(products, s.CPEs...)
	}
	for line := range strings.Lines(also) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			products = append(products, line)
		}
	}
	var out bytes.Buffer
	info, err := snapshot.Make(x, products, &out)
	if err != nil {
		return err
	}
	fmt.Printf("%d vulnerabilities of %d products, %d bytes, as of %s\n", info.Vulnerabilities, info.Products, out.Len(), info.Date.Format("2006-01-02"))
	if err := os.WriteFile("internal/advisory/snapshot/snapshot.index", out.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile("doc/snapshot.md", []byte(snapshot.Page(info)), 0o644)
}
