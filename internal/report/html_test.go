package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/report"
)

// TestHTMLPolicy holds that the page runs and shows nothing but its own script and style,
// by the browser's own rules.
func TestHTMLPolicy(t *testing.T) {
	t.Parallel()
	page := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(write(t, "html", rich(), report.Options{}))
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if policy == nil || !strings.HasPrefix(policy[1], "default-src 'none'; ") || strings.Contains(policy[1], "unsafe") {
		t.Fatalf("policy %q", policy)
	}
	for _, tag := range []string{"style", "script"} {
		all := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(write(t, "html", rich(), report.Options{}), -1)
		if len(all) != 1 {
			t.Fatalf("%d elements %s", len(all), tag)
		}
		sum := sha256.Sum256([]byte(all[0][1]))
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy[1], want) {
			t.Errorf("the policy lacks %s: %s", want, policy[1])
		}
	}
}

// TestHTMLAlone holds that the page fetches nothing and that nothing of an input became
// markup.
func TestHTMLAlone(t *testing.T) {
	t.Parallel()
	page := write(t, "html", rich(), report.Options{})
	for _, bad := range []string{"<script>alert", "<img", "<a>", ` src=`, `<link`, `@import`, `url(`, ` style=`, ` onerror="`} {
		if strings.Contains(strings.ReplaceAll(page, "img src=x onerror=&#34;", ""), bad) {
			t.Errorf("the page holds %s", bad)
		}
	}
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "#") || !strings.Contains(page, `id="`+m[1][1:]+`"`) {
			t.Errorf("link to %s", m[1])
		}
	}
}

// TestHTMLAccessible holds what a screen reader needs: one first heading, no level left
// out, a scope for every table head, a name for every picture and region, ids that are
// one of a kind.
func TestHTMLAccessible(t *testing.T) {
	t.Parallel()
	page := write(t, "html", rich(), report.Options{})
	if n := strings.Count(page, "<h1>"); n != 1 || regexp.MustCompile(`<h[3-6]`).MatchString(page) {
		t.Errorf("%d first headings, or a level left out", n)
	}
	for _, th := range regexp.MustCompile(`<th[ >][^>]*`).FindAllString(page, -1) {
		if !strings.Contains(th, "scope=") {
			t.Errorf("%s has no scope", th)
		}
	}
	for _, svg := range regexp.MustCompile(`<svg[^>]*`).FindAllString(page, -1) {
		if !strings.Contains(svg, `role="img"`) || !strings.Contains(svg, `aria-label="`) {
			t.Errorf("%s has no name", svg)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two elements with the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`aria-labelledby="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("nothing has the id %s", m[1])
		}
	}
}

// TestHTMLContrast holds that every text colour stands out from the paper, by day, by
// night and in print, as WCAG 2 level AA asks (4.5 to 1).
func TestHTMLContrast(t *testing.T) {
	t.Parallel()
	page := write(t, "html", rich(), report.Options{})
	roots := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(page, -1)
	if len(roots) != 3 {
		t.Fatalf("%d palettes", len(roots))
	}
	for i, root := range roots {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]+)`).FindAllStringSubmatch(root[1], -1) {
			colour[m[1]] = luminance(t, m[2])
		}
		for _, name := range []string{"ink", "quiet", "link", "critical", "high", "medium", "low", "info"} {
			a, b := colour[name], colour["paper"]
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
				t.Errorf("palette %d: %s stands out by %.1f only", i, name, ratio)
			}
		}
	}
}

// luminance is the relative luminance of a colour, as WCAG 2 defines it.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 4 {
		hex = string([]byte{'#', hex[1], hex[1], hex[2], hex[2], hex[3], hex[3]})
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.03928 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
