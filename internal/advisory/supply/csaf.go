package supply

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vesalius-project/vesalius/internal/fetch"
)

const (
	documentLimit  = 64 << 20
	documentsLimit = 200_000
	listLimit      = 64 << 20
	atOnce         = 4 // documents
)

// document is one that a provider lists.
type document struct {
	url     string
	updated string   // as its list says it
	sums    []string // addresses of its digests, the best first
}

// csaf gets the documents of all providers that are new or were changed.
func (s *Supply) csaf(ctx context.Context, got *Got) error {
	p, err := s.place("csaf")
	if err != nil {
		return err
	}
	providers := []Publisher{p}
	for _, u := range s.o.Providers {
		providers = append(providers, Publisher{Name: "csaf", Source: p.Source, URL: u})
	}
	var errs []error
	for _, p := range providers {
		if err := s.provider(ctx, p, got); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// metadata is what is used of a provider-metadata.json.
type metadata struct {
	Distributions []struct {
		Directory string `json:"directory_url"`
		Rolie     struct {
			Feeds []struct {
				URL   string `json:"url"`
				Label string `json:"tlp_label"`
			} `json:"feeds"`
		} `json:"rolie"`
	} `json:"distributions"`
}

func (s *Supply) provider(ctx context.Context, p Publisher, got *Got) error {
	c, err := s.client(p, 0)
	if err != nil {
		return err
	}
	a, err := c.Read(ctx, fetch.Request{URL: p.URL, Limit: 4 << 20})
	if err != nil {
		return err
	}
	var m metadata
	if err := json.Unmarshal(a.Data, &m); err != nil {
		return fmt.Errorf("%s: %w", p.URL, err)
	}
	var all []document
	seen := map[string]bool{}
	lists := 0
	for _, d := range m.Distributions {
		var list []document
		var err error
		switch {
		case d.Directory != "":
			lists++
			list, err = s.directory(ctx, c, resolve(p.URL, d.Directory))
		default:
			for _, f := range d.Rolie.Feeds {
				if l := strings.ToUpper(f.Label); l != "" && l != "WHITE" && l != "CLEAR" || f.URL == "" {
					continue // not for everybody
				}
				lists++
				more, ferr := s.rolie(ctx, c, resolve(p.URL, f.URL))
				list, err = append(list, more...), errors.Join(err, ferr)
			}
		}
		if err != nil {
			return err
		}
		for _, d := range list {
			if !seen[d.url] {
				seen[d.url] = true
				all = append(all, d)
			}
		}
	}
	if lists == 0 {
		return fmt.Errorf("%s: it names no directory and no feed that is open to all", p.URL)
	}
	if len(all) > documentsLimit {
		return fmt.Errorf("%s: it lists %d documents, more than %d", p.URL, len(all), documentsLimit)
	}
	return s.documents(ctx, c, p, all, got)
}

// resolve makes an address of one that stands in a document.
func resolve(base, ref string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ref
	}
	r, err := b.Parse(ref)
	if err != nil {
		return ref
	}
	return r.String()
}

// documents gets those that are not in the index in the state that is listed.
func (s *Supply) documents(ctx context.Context, c *fetch.Client, p Publisher, all []document, got *Got) error {
	slices.SortFunc(all, func(a, b document) int { return strings.Compare(a.url, b.url) })
	var wanted []document
	for _, d := range all {
		if m, ok := s.state.Done[d.url]; ok && m.Stamp == d.updated && d.updated != "" {
			got.Same++
			continue
		}
		wanted = append(wanted, d)
	}
	var mu sync.Mutex
	var errs []error
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	failed, finished := 0, 0
	for _, d := range wanted {
		mu.Lock()
		enough := failed > 20 && failed > finished/2 // the provider is ill
		mu.Unlock()
		if enough || ctx.Err() != nil {
			break
		}
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			one := Got{done: map[string]mark{}}
			err := s.document(ctx, c, p, d, &one)
			mu.Lock()
			defer mu.Unlock()
			if finished++; s.o.Progress != nil {
				s.o.Progress("csaf documents", int64(finished), int64(len(wanted)))
			}
			if err != nil {
				failed++
				errs = append(errs, err)
				return
			}
			got.Files = append(got.Files, one.Files...)
			got.Bytes += one.Bytes
			got.Same += one.Same
			got.Problems = append(got.Problems, one.Problems...)
			for k, m := range one.done {
				got.done[k] = m
			}
		})
	}
	wait.Wait()
	slices.Sort(got.Files)
	slices.Sort(got.Problems)
	if err := ctx.Err(); err != nil {
		return err
	}
	if failed > 0 {
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return fmt.Errorf("%d of %d documents of %s: %w", failed, len(wanted), p.URL, errors.Join(errs[:min(len(errs), 3)]...))
	}
	return nil
}

// document gets one document and holds it against its digest.
func (s *Supply) document(ctx context.Context, c *fetch.Client, p Publisher, d document, got *Got) error {
	u, err := url.Parse(d.url)
	if err != nil {
		return fmt.Errorf("%q is no address", d.url)
	}
	base := path.Base(u.Path)
	if !documentName().MatchString(base) {
		return fmt.Errorf("%s: %q is no name of a document", d.url, base)
	}
	r := fetch.Request{URL: d.url, Limit: documentLimit}
	for _, a := range d.sums {
		sum, err := s.sum(ctx, c, a)
		if err != nil {
			return err
		}
		switch len(sum) {
		case 128:
			r.SHA512 = sum
		case 64:
			r.SHA256 = sum
		}
		if sum != "" {
			break
		}
	}
	if r.SHA512 == "" && r.SHA256 == "" {
		got.Problems = append(got.Problems, fmt.Sprintf("%s: nothing says which digest it must have", d.url))
	}
	host, err := url.Parse(p.URL)
	if err != nil {
		return err
	}
	_, err = s.get(ctx, c, got, r, "csaf-"+fileName(host.Host)+"-"+base, d.updated)
	return err
}

// documentName is what a document may be called.
func documentName() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9+_-][A-Za-z0-9+_.-]{0,180}\.json$`)
}

// sum gets a digest in hexadecimal digits; "" where there is none.
func (s *Supply) sum(ctx context.Context, c *fetch.Client, address string) (string, error) {
	a, err := c.Read(ctx, fetch.Request{URL: address, Limit: 16 << 10})
	if fetch.IsMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(a.Data)), " ")
	first = strings.ToLower(strings.TrimPrefix(first, "\\"))
	if !regexp.MustCompile(`^([0-9a-f]{64}|[0-9a-f]{128})$`).MatchString(first) {
		return "", fmt.Errorf("%s: no digest in it", address)
	}
	return first, nil
}

// directory lists the documents below a directory: changes.csv says when each was
// changed; without it, index.txt names them.
func (s *Supply) directory(ctx context.Context, c *fetch.Client, base string) ([]document, error) {
	base = strings.TrimSuffix(base, "/") + "/"
	add := inDirectory(base)
	a, err := c.Read(ctx, fetch.Request{URL: base + "changes.csv", Limit: listLimit})
	if fetch.IsMissing(err) {
		if a, err = c.Read(ctx, fetch.Request{URL: base + "index.txt", Limit: listLimit}); err != nil {
			return nil, err
		}
		var list []document
		for line := range bytes.Lines(a.Data) {
			list = add(list, strings.TrimSpace(string(line)), "")
		}
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	return changes(base, a.Data, add)
}

// inDirectory adds a document of a directory to a list, unless its name leads elsewhere.
func inDirectory(base string) func(list []document, name, updated string) []document {
	return func(list []document, name, updated string) []document {
		if !strings.HasSuffix(name, ".json") || strings.Contains(name, "..") || strings.Contains(name, "://") || strings.HasPrefix(name, "/") {
			return list
		}
		u := base + name
		return append(list, document{u, updated, []string{u + ".sha512", u + ".sha256"}})
	}
}

func changes(base string, data []byte, add func([]document, string, string) []document) ([]document, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%schanges.csv: %w", base, err)
	}
	var list []document
	for i, row := range rows {
		if len(row) < 2 {
			return nil, fmt.Errorf("%schanges.csv: line %d: want a name and a date", base, i+1)
		}
		if _, err := time.Parse(time.RFC3339, strings.TrimSpace(row[1])); err != nil {
			return nil, fmt.Errorf("%schanges.csv: line %d: %q is no date", base, i+1, row[1])
		}
		list = add(list, strings.TrimSpace(row[0]), strings.TrimSpace(row[1]))
	}
	return list, nil
}

// rolie lists the documents of a feed.
func (s *Supply) rolie(ctx context.Context, c *fetch.Client, address string) ([]document, error) {
	a, err := c.Read(ctx, fetch.Request{URL: address, Limit: listLimit})
	if err != nil {
		return nil, err
	}
	return entries(address, a.Data)
}

func entries(address string, data []byte) ([]document, error) {
	var f struct {
		Feed struct {
			Entry []struct {
				Updated string `json:"updated"`
				Link    []struct {
					Rel  string `json:"rel"`
					Href string `json:"href"`
				} `json:"link"`
				Content struct {
					Src string `json:"src"`
				} `json:"content"`
			} `json:"entry"`
		} `json:"feed"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	var list []document
	for _, e := range f.Feed.Entry {
		d := document{url: e.Content.Src, updated: e.Updated}
		for _, l := range e.Link {
			switch l.Rel {
			case "self":
				d.url = l.Href
			case "hash":
				d.sums = append(d.sums, resolve(address, l.Href))
			}
		}
		if d.url == "" {
			continue
		}
		d.url = resolve(address, d.url)
		slices.SortFunc(d.sums, func(a, b string) int { return strings.Compare(b, a) }) // .sha512 before .sha256
		list = append(list, d)
	}
	return list, nil
}
