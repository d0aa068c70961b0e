// Package firmware is the witness that reads an image: it turns the tree of files that
// package image opens into facts.
//
// It works in two steps. While the contents stream by, every file is looked at once, for
// itself: a [Trace] keeps what its bytes show, whatever its name (digest, type, hardening,
// keys, secrets, addresses, component evidence, small texts). Traces depend on the content
// alone, so they can be cached. Then the inspectors see each root file system as a whole,
// [Root], and state facts: one inspector a file, all in one list of stages.
//
// Nothing of the image is executed, and no rule is known here: what is bad is for the
// rulebook to say. Secrets are masked before they enter a fact.
package firmware

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/cache"
	"github.com/vesalius-project/vesalius/internal/component"
	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
)

// Options say how [Examine] works.
type Options struct {
	Image image.Options
	At    time.Time // the date of the assessment: certificates expire against it

	// Signatures gives what finds components in binaries; nil finds none. It is asked
	// while the input is opened.
	Signatures func() (*component.Matcher, error)

	// Cache holds what earlier scans saw of contents, and takes what this one sees; nil
	// forgets. CacheKey is all that a trace depends on beside the content: the version of
	// the program and of the signatures.
	Cache    *cache.Store
	CacheKey string
}

// Result is what the witness has to say.
type Result struct {
	Image    *image.Image
	Roots    []*Root
	Facts    fact.Set
	Coverage []fact.Coverage
	Gaps     []fact.Gap

	// Recognised counts the containers, programs and components that stood outside any
	// file: where there is none, nothing of the input was understood.
	Recognised int

	// Hits and Misses count the contents that the cache knew, and those that were read.
	Hits, Misses int64
}

// Input is what is examined: a blob, or a directory of the machine as nodes.
type Input struct {
	Name  string // base name
	Blob  *image.Blob
	Nodes []*image.Node
}

// inspector states facts of some kinds about one root.
type inspector struct {
	name  string
	kinds []fact.Kind // the kinds it is a witness for
	look  func(r *Root)
}

// stages are the inspectors in the order in which they run. Those of one stage run side
// by side and do not see each other's facts; those of later stages read the facts of
// earlier ones through Root.Facts.
var stages = [][]inspector{
	{
		accounts,
		components,
		device,
		services,
		guards,
		mounts,
		interfaces,
		secrets,
		scripts,
		updates,
		boot,
		files,
		data,
	},
	{
		keys,         // accounts
		destinations, // mounts, services
		pam,          // accounts
	},
	{
		certificates, // keys
		sudo,         // accounts, which it completes
		settings,     // services, which it completes, and components
	},
	{
		executables, // services
		kernel,      // the boot chain
		endpoints,   // services and scripts
	},
}

// Examine opens the input and states the facts that are in it.
func Examine(ctx context.Context, in Input, o Options) (*Result, error) {
	c := newCollector(o)
	go func() { _, _ = c.tracer() }() // of a known image nothing is traced: it need not wait
	var im *image.Image
	var err error
	if in.Nodes != nil {
		im, err = image.OpenTree(ctx, in.Name, in.Nodes, c, o.Image)
	} else {
		im, err = image.Open(ctx, in.Name, in.Blob, c, o.Image)
	}
	if err != nil {
		return nil, err
	}
	tr, err := c.tracer()
	if err != nil {
		return nil, err
	}
	c.remember(im)
	res := &Result{Image: im, Roots: c.roots(im), Recognised: len(im.Layers) + c.recognised, Hits: c.memory.hits.Load(), Misses: c.memory.misses.Load()}
	source := fact.Source{Witness: fact.Firmware, Input: in.Name}
	all := &whole{im, res.Roots}
	for _, r := range res.Roots {
		r.whole = all
		r.source, r.budget, r.options, r.matcher = source, o.Image.Budget, o, tr.signatures
		for _, stage := range stages {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			r.run(stage, o.Image.Workers)
		}
		res.Facts.Merge(&r.Facts)
	}
	oneKernel(&res.Facts)
	res.Gaps = c.gaps(im, res.Roots)
	res.Coverage = coverage(source, res.Roots, res.Gaps)
	res.Facts.Sort()
	return res, nil
}

// oneKernel makes one component of a kernel that lies in a partition of its own and of its
// modules in the system that it starts: where both have the same version it is the
// system's.
func oneKernel(facts *fact.Set) {
	facts.Component = slices.DeleteFunc(facts.Component, func(loose *fact.Component) bool {
		if loose.Name != "linux" || loose.Root != "loose" || loose.Version == "" {
			return false
		}
		for _, of := range facts.Component {
			if of.Name == "linux" && of.Root == "system" && of.Version == loose.Version {
				of.Places = append(of.Places, loose.Places...)
				of.Digest, of.Why = cmp.Or(loose.Digest, of.Digest), cmp.Or(loose.Why, of.Why)
				return true
			}
		}
		return false
	})
}

// run lets the inspectors of a stage look at the root side by side, each with a view of
// its own, and takes what they stated in their order.
func (r *Root) run(stage []inspector, workers int) {
	views := make([]*Root, len(stage))
	for i := range views {
		v := *r
		v.Facts, v.blind, v.services = r.Facts.Clip(), nil, nil
		views[i] = &v
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(max(workers, 1), len(stage)) {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(stage)); i = next.Add(1) - 1 {
				stage[i].look(views[i])
			}
		})
	}
	wait.Wait()
	before := r.Facts
	for _, v := range views {
		for _, k := range fact.Kinds() {
			r.Facts.Add(v.Facts.Of(k)[len(before.Of(k)):]...)
		}
		if v.services != nil {
			r.Facts.Service = v.services
		}
		for k, b := range v.blind {
			r.Blind(k, b.level, b.why)
		}
	}
}

// coverage says for each root and kind how well the inspectors could see.
func coverage(source fact.Source, roots []*Root, gaps []fact.Gap) []fact.Coverage {
	var out []fact.Coverage
	for _, r := range roots {
		for _, k := range fact.Kinds() {
			if !slices.ContainsFunc(slices.Concat(stages...), func(i inspector) bool { return slices.Contains(i.kinds, k) }) {
				continue
			}
			c := fact.Coverage{Source: source, Root: r.Role, Kind: k, Level: "full"}
			for _, g := range gaps {
				if g.Root == r.Role && !g.Reservation && slices.Contains(g.Hides, k) {
					c.Level, c.Gaps = "partial", append(c.Gaps, g.ID)
				}
			}
			if why, ok := r.blind[k]; ok {
				c.Level, c.Why = why.level, why.why
			}
			out = append(out, c)
		}
	}
	return out
}

// blind is a statement that a kind could not be seen fully in a root.
type blind struct{ level, why string }

// Budget returns the job's budget, for inspectors that spend (password trials).
func (r *Root) Budget() *budget.Budget { return r.budget }
