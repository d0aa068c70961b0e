package advisory_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/feed"
	"github.com/vesalius-project/vesalius/internal/component/signature"
)

// buildAll makes an index of the files and directories that VESALIUS_ADVISORIES lists, as
// PATH lists directories.
func buildAll(b *testing.B, to string) advisory.Info {
	b.Helper()
	paths := filepath.SplitList(os.Getenv("VESALIUS_ADVISORIES"))
	if len(paths) == 0 {
		b.Skip("VESALIUS_ADVISORIES names no files of NVD, CSAF, KEV, EPSS ... to measure with")
	}
	builder := advisory.NewBuilder(advisory.BuildOptions{})
	if _, err := feed.ReadAll(b.Context(), paths, runtime.GOMAXPROCS(0), builder.Add); err != nil {
		b.Fatal(err)
	}
	info, err := builder.WriteFile(to)
	if err != nil {
		b.Fatal(err)
	}
	return info
}

// BenchmarkBuild reads all files and writes the index. peak-MB is the most that the whole
// process ever took: run it alone, once.
func BenchmarkBuild(b *testing.B) {
	path := filepath.Join(b.TempDir(), "index")
	before := cpu()
	for b.Loop() {
		info := buildAll(b, path)
		b.ReportMetric(float64(info.Vulnerabilities), "vulnerabilities")
		b.ReportMetric(float64(info.Products), "products")
	}
	b.ReportMetric((cpu()-before)/float64(b.N), "cpu-s/op")
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/1e6, "index-MB")
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
				kib, _ := strconv.ParseFloat(f[1], 64)
				b.ReportMetric(kib*1024/1e6, "peak-MB")
			}
		}
	}
}

// BenchmarkLookup asks an index of all files: VESALIUS_INDEX, or one that it makes.
func BenchmarkLookup(b *testing.B) {
	path := os.Getenv("VESALIUS_INDEX")
	if path == "" {
		path = filepath.Join(b.TempDir(), "index")
		buildAll(b, path)
	}
	ask := func(b *testing.B, use func(*advisory.Index)) {
		x, err := advisory.OpenFile(path)
		if err != nil {
			b.Fatal(err)
		}
		defer x.Close()
		use(x)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			ask(b, func(*advisory.Index) {})
		}
	})
	each := func(b *testing.B, x *advisory.Index, p advisory.Product) int {
		n := 0
		for _, err := range x.Each(p) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		return n
	}
	var products []advisory.Product
	ask(b, func(x *advisory.Index) { products = popular(b, x) })
	linux := advisory.Product{By: advisory.ByCPE, Vendor: "linux", Name: "linux_kernel"}
	for _, products := range [][]advisory.Product{{linux}, products} {
		b.Run(strconv.Itoa(len(products))+" products", func(b *testing.B) {
			found, before := 0, cpu()
			for b.Loop() {
				ask(b, func(x *advisory.Index) { // opened anew: nothing is kept from the time before
					found = 0
					for _, p := range products {
						found += each(b, x, p)
					}
				})
			}
			b.ReportMetric(1000*(cpu()-before)/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(found), "candidates")
		})
	}
	b.Run("busybox", func(b *testing.B) {
		ask(b, func(x *advisory.Index) {
			for b.Loop() {
				each(b, x, advisory.Product{By: advisory.ByCPE, Vendor: "busybox", Name: "busybox"})
			}
		})
	})
	b.Run("details", func(b *testing.B) {
		ask(b, func(x *advisory.Index) {
			c, err := x.ByCPE(linux.Vendor, linux.Name)
			if err != nil || len(c) == 0 {
				b.Fatal(len(c), err)
			}
			n := 0
			for b.Loop() {
				if _, err := x.Details(c[n%len(c)].ID); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	})
}

// cpu is how many seconds the process has computed, on all cores: what counts on a machine
// that others use too. 0 where there is no /proc.
func cpu() float64 {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

// popular are the 200 products of the signatures of which most is known.
func popular(b *testing.B, x *advisory.Index) []advisory.Product {
	b.Helper()
	all, err := signature.All()
	if err != nil {
		b.Fatal(err)
	}
	count := map[advisory.Product]int{}
	var list []advisory.Product
	for _, s := range all {
		for _, c := range s.CPEs {
			parts := strings.Split(c, ":")
			p := advisory.Product{By: advisory.ByCPE, Vendor: parts[len(parts)-2], Name: parts[len(parts)-1]}
			found, err := x.ByCPE(p.Vendor, p.Name)
			if err != nil {
				b.Fatal(err)
			}
			if _, ok := count[p]; !ok {
				list = append(list, p)
			}
			count[p] = len(found)
		}
	}
	slices.SortStableFunc(list, func(a, b advisory.Product) int { return count[b] - count[a] })
	return list[:min(200, len(list))]
}
