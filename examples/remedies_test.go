package examples_test

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vesalius-project/vesalius/examples"
	"github.com/vesalius-project/vesalius/internal/advisory/support"
	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/component/signature"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/image/format"
	"github.com/vesalius-project/vesalius/internal/judge"
	"github.com/vesalius-project/vesalius/internal/judge/rulebook"
	"github.com/vesalius-project/vesalius/internal/remedy"
	"github.com/vesalius-project/vesalius/internal/remedy/fix"
	"github.com/vesalius-project/vesalius/internal/witness/firmware"
)

var remedies = flag.String("remedies", "", "file to write the table of what fixes did to the replicas to")

// share is the part, in percent, of the findings that has to be closed: of those that name a
// fix and do not ask for a program that the image has not.
const share = 85

// mechanical are the planted rows that can be mended in an image.
var mechanical = strings.Fields("R01 R03 R04 R05 R06 R07 R08 R09 R10 R12 R13 R14 R18 R19 R21 R22 R23 R24 R25 R26 R27 R32 R33 R34 R35 R36 R37 R38")

// TestRemedies holds that each vulnerable replica, mended with everything agreed to, shows
// none of its planted weaknesses that a machine can mend, that nothing became worse, and
// which share of what names a fix is closed. With -remedies it writes the table.
func TestRemedies(t *testing.T) {
	tried, closed, absent := 0, 0, 0
	by := map[string]*[3]int{} // fix -> tried, stands, refused
	why := map[string]map[string]int{}
	var rows []string
	for _, name := range examples.Names() {
		r, err := examples.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		res := mendReplica(t, r)
		findings, missing := map[string]bool{}, map[string]bool{}
		was := map[string]judge.Outcome{}
		for _, f := range res.Before.Findings {
			was[f.ID] = f.Outcome
		}
		for _, f := range res.After.Findings {
			if f.Outcome == judge.Bad && was[f.ID] == judge.Good {
				t.Errorf("%s: %s became bad: %s", name, f.Rule, f.Evidence)
			}
		}
		for _, m := range res.Remedies {
			findings[m.Finding] = findings[m.Finding] || m.Stands
			missing[m.Finding] = !findings[m.Finding] && slices.Contains([]string{"enable-logging", "enable-time", "add-firewall"}, m.Fix) && strings.Contains(m.Why, "in the image")
			if strings.HasSuffix(m.Why, "is enough") {
				continue
			}
			n := by[m.Fix]
			if n == nil {
				n = &[3]int{}
				by[m.Fix], why[m.Fix] = n, map[string]int{}
			}
			n[0]++
			if m.Stands {
				n[1]++
			} else {
				n[2]++
				why[m.Fix][strings.TrimSuffix(m.Why, ": nothing to change was found")]++
			}
		}
		stands := 0
		for _, ok := range findings {
			if ok {
				stands++
			}
		}
		for _, ok := range missing {
			if ok {
				absent++
			}
		}
		left := map[string]bool{}
		for _, truth := range r.Truth {
			if rules := shows(res.After.Findings, truth); len(rules) > 0 {
				left[truth.Replica+" "+strings.Join(rules, ", ")] = true
				if slices.Contains(mechanical, truth.Replica) {
					t.Errorf("%s: %s still shows: %v", name, truth.Replica, rules)
				}
			}
		}
		list := make([]string, 0, len(left))
		for l := range left {
			list = append(list, l)
		}
		slices.Sort(list)
		image := "written again"
		if res.Image == nil {
			image = "not written: " + res.NoImage
		}
		rows = append(rows, fmt.Sprintf("| %s | %d | %d | %s | %s |\n", name, len(findings), stands, cmp.Or(strings.Join(list, "; "), "none"), image))
		tried, closed = tried+len(findings), closed+stands
	}
	if closed*100 < (tried-absent)*share {
		t.Errorf("%d of %d findings that name a fix, %d of which ask for a program that is not there, are closed: less than %d %%", closed, tried, absent, share)
	}
	if *remedies == "" {
		return
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Remedies\n\nMade by `make remedies`: do not edit. Each vulnerable replica is mended with every fix agreed to, written again, and judged again by the whole rulebook (proof: judged).\n"+
		"The replicas' programs hold no code: that a service still does its work is not shown here.\n\n| device | findings that name a fix | closed | planted weaknesses left | image |\n|---|---|---|---|---|\n%s", strings.Join(rows, ""))
	fmt.Fprintf(&out, "\nClosed %d of %d, %d %%; %d of the rest ask for a program (logger, time client, packet filter) that the image has not: without them %d of %d, %d %%. Nothing turned from good to bad. Of the planted weaknesses, those that a person or the maker has to mend may be left: R16 (what a connection is for), R28 (how programs are built).\n\n", closed, tried, closed*100/tried, absent, closed, tried-absent, closed*100/(tried-absent))
	fmt.Fprintf(&out, "| fix | tried | stands | refused, why |\n|---|---|---|---|\n")
	var ids []string
	for id := range by {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		var words []string
		for w, n := range why[id] {
			words = append(words, fmt.Sprintf("%d: %s", n, strings.ReplaceAll(w, "|", "/")))
		}
		slices.Sort(words)
		fmt.Fprintf(&out, "| %s | %d | %d | %s |\n", id, by[id][0], by[id][1], strings.Join(words, "; "))
	}
	if err := os.WriteFile(*remedies, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mendReplica mends the vulnerable twin.
func mendReplica(t *testing.T, r *examples.Replica) *remedy.Result {
	t.Helper()
	name, data, err := r.Build(false)
	if err != nil {
		t.Fatal(err)
	}
	list, err := rulebook.Load()
	if err != nil {
		t.Fatal(err)
	}
	j, err := judge.New(list)
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]*judge.Rule{}
	for _, rule := range list {
		rules[rule.ID] = rule
	}
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	opening := func() image.Options {
		return image.Options{Formats: format.All(), Budget: budget.New(budget.Limits{}), Workers: 2}
	}
	res, err := remedy.Run(t.Context(), firmware.Input{Name: name, Blob: image.BytesBlob(data)}, remedy.Options{
		Image: opening(), Rules: rules, Fixes: fix.All(),
		Choose: func(*remedy.Fix, *judge.Finding) (bool, string) { return true, "J. Doe" },
		Verifier: func(file string) ([]byte, error) {
			if file == "product" {
				return []byte(r.Name + "\n"), nil
			}
			return []byte("stands for " + file + "\n"), nil
		},
		Examine: func(ctx context.Context, in firmware.Input) (*remedy.Exam, error) {
			res, err := firmware.Examine(ctx, in, firmware.Options{Image: opening(), At: at, Signatures: signature.Matcher})
			if err != nil {
				return nil, err
			}
			if err := support.State(&res.Facts, at); err != nil {
				return nil, err
			}
			findings, err := j.Judge(judge.Input{Facts: &res.Facts, Coverage: res.Coverage, Gaps: res.Gaps})
			return &remedy.Exam{Result: res, Findings: findings}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}
