package dossier

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Redaction says what [Redact] takes out besides secrets.
type Redaction struct {
	Hosts bool // addresses and names of machines become host-1, host-2 ...
}

// Redacted is what stands in place of a secret.
const Redacted = "(redacted)"

// Redact returns a copy of the dossier without its secrets: fields of facts that are
// tagged see:"secret" are unstated, and where their masked text stands elsewhere it is
// replaced. Ids of findings stay as they are.
func Redact(d *Dossier, o Redaction) (*Dossier, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	out := new(Dossier)
	if err := json.Unmarshal(b, out); err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	words := map[string]string{}
	strip(reflect.ValueOf(&out.Facts).Elem(), words)
	names := map[string]string{}
	if o.Hosts {
		names = hosts(out)
		for name, alias := range names {
			if strings.ContainsAny(name, ".:") {
				words[name] = alias
			}
		}
	}
	// Longest first, so that a word that holds another is replaced whole.
	list := make([]string, 0, len(words))
	for w := range words {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(list))
	for _, w := range list {
		pairs = append(pairs, w, words[w])
	}
	r := strings.NewReplacer(pairs...)
	change := func(s string) string {
		parts := strings.Split(s, "|") // of a key
		for i, p := range parts {
			if alias, ok := names[p]; ok {
				parts[i] = alias
			}
		}
		return r.Replace(strings.Join(parts, "|"))
	}
	out.rewrite(change)
	out.Sort()
	return out, nil
}

// minWord is the length from which a masked secret is looked for elsewhere: shorter ones
// would be found in other words.
const minWord = 4

// strip empties the secret fields and collects what they held.
func strip(v reflect.Value, words map[string]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			strip(v.Elem(), words)
		}
	case reflect.Slice:
		for i := range v.Len() {
			strip(v.Index(i), words)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			if f.Tag.Get("see") != "secret" {
				strip(v.Field(i), words)
				continue
			}
			if f.Type.Kind() == reflect.String && len(v.Field(i).String()) >= minWord {
				words[v.Field(i).String()] = Redacted
			}
			v.Field(i).SetZero()
		}
	default: // nothing below
	}
}

// rewrite changes every text of the dossier but the rules, the tool's and the run's.
func (d *Dossier) rewrite(change func(string) string) {
	for _, part := range []any{&d.Device, &d.Inputs, &d.Layers, &d.Facts, &d.Coverage, &d.Gaps, &d.Findings, &d.Matches, &d.Considered, &d.Statements, &d.Claims, &d.Risks, &d.Assessed, &d.Answers, &d.Remedies, &d.Verdict} {
		rewrite(reflect.ValueOf(part).Elem(), change)
	}
}

// escapeInvalid writes bytes that are no UTF-8 as \xNN.
func escapeInvalid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// rewrite changes every string below v.
func rewrite(v reflect.Value, change func(string) string) {
	if v.CanAddr() {
		if o, ok := v.Addr().Interface().(*fact.Opt[string]); ok {
			if s, stated := o.Value(); stated {
				*o = fact.Say(change(s))
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			rewrite(v.Elem(), change)
		}
	case reflect.Slice:
		for i := range v.Len() {
			rewrite(v.Index(i), change)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			switch v.Field(i).Kind() {
			case reflect.String, reflect.Struct, reflect.Slice, reflect.Pointer:
				if f := v.Type().Field(i); f.IsExported() && f.Name != "ID" {
					rewrite(v.Field(i), change)
				}
			default: // no text below
			}
		}
	case reflect.String:
		was := v.String()
		if now := change(was); now != was {
			v.SetString(now)
		}
	default: // no text below
	}
}

// hosts gives each machine that the dossier names another name.
func hosts(d *Dossier) map[string]string {
	var list []string
	add := func(h string) {
		if a, err := netip.ParseAddr(h); err == nil && (a.IsUnspecified() || a.IsLoopback()) {
			return
		}
		if h != "" && h != "localhost" && h != "*" {
			list = append(list, h)
		}
	}
	for _, f := range d.Facts.Destination {
		add(f.Host)
	}
	for _, f := range d.Facts.Service {
		add(f.Bind)
	}
	for _, f := range d.Facts.Device {
		for _, h := range f.Hosts {
			add(h)
		}
	}
	see := func(places []fact.Place) {
		for _, p := range places {
			// tcp/10.0.0.7:23
			if _, at, ok := strings.Cut(p.Endpoint, "/"); ok {
				if i := strings.LastIndexByte(at, ':'); i > 0 {
					add(strings.Trim(at[:i], "[]"))
				}
			}
		}
	}
	for _, k := range fact.Kinds() {
		for _, f := range d.Facts.Of(k) {
			see(f.Header().Places)
		}
	}
	for _, f := range d.Findings {
		see(f.Places)
	}
	slices.Sort(list)
	out := map[string]string{}
	for i, h := range slices.Compact(list) {
		out[h] = fmt.Sprintf("host-%d", i+1)
	}
	return out
}
