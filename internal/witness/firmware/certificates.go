package firmware

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/key"
)

// certificates states the X.509 certificates of the image: each one that somebody shows or
// trusts for itself, and one fact for each store of public authorities.
var certificates = inspector{
	name:  "certificates",
	kinds: []fact.Kind{fact.KindCertificate},
	look:  lookCertificates,
}

func lookCertificates(r *Root) {
	private := map[string]bool{}
	for _, k := range r.Facts.Key {
		if k.Private.Or(false) && k.Fingerprint != "" {
			private[k.Fingerprint] = true
		}
	}
	stores := r.trustStores()
	stated := map[string]*fact.Certificate{}
	for _, f := range r.Files() {
		if f.Trace == nil || sample(f.Path) || stores[path.Dir(f.Path)] && authority(f) {
			continue
		}
		if f.Trace.Authorities > 0 {
			r.trustStore(f)
			continue
		}
		for _, c := range f.Trace.Certificates {
			if before := stated[c.Fingerprint]; before != nil {
				if len(before.Places) < 50 {
					before.Places = append(before.Places, f.atKey(c.Line, c.Offset))
				}
				continue
			}
			x := r.certificate(f, c, private[c.Key])
			stated[c.Fingerprint] = x
			r.Add(x)
		}
	}
	for _, dir := range sortedKeys(stores) {
		r.trustStore(r.Lookup(dir))
	}
}

func sortedKeys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// trustStore states a store of public authorities as one fact.
func (r *Root) trustStore(f *File) {
	if f == nil {
		return
	}
	x := &fact.Certificate{Subject: "trust store", Use: "trust-store", CA: fact.Say(true)}
	x.Places = append(x.Places, f.At(0))
	r.Add(x)
}

// trustStores returns the directories that hold one authority a file.
func (r *Root) trustStores() map[string]bool {
	count := map[string]int{}
	for _, f := range r.Files() {
		if f.Trace != nil && !sample(f.Path) && authority(f) {
			count[path.Dir(f.Path)]++
		}
	}
	out := map[string]bool{}
	for dir, n := range count {
		if n >= authoritiesAtLeast {
			out[dir] = true
		}
	}
	return out
}

// authority reports whether a file holds the certificate of one authority and nothing else.
func authority(f *File) bool {
	return len(f.Trace.Certificates) == 1 && f.Trace.Certificates[0].CA && len(f.Trace.Keys) == 0
}

func (r *Root) certificate(f *File, c key.Certificate, here bool) *fact.Certificate {
	at := func(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
	x := &fact.Certificate{
		Subject: c.Subject, Issuer: c.Issuer, Serial: c.Serial, Algorithm: c.Algorithm, Signature: c.Signature, Fingerprint: c.Fingerprint,
		NotBefore: at(c.NotBefore), NotAfter: at(c.NotAfter), SelfSigned: fact.Say(c.SelfSigned), CA: fact.Say(c.CA), PrivateHere: fact.Say(here),
	}
	x.Places = append(x.Places, f.atKey(c.Line, c.Offset))
	if c.Bits > 0 {
		x.Bits = fact.Say(c.Bits)
	}
	if !r.options.At.IsZero() {
		x.Expired = fact.Say(r.options.At.Unix() > c.NotAfter)
	}
	if c.Key != "" {
		name, known := knownKeys()[c.Key]
		x.Known, x.KnownAs = fact.Say(known), name
	}
	switch {
	case c.Client:
		x.Use = "client"
	case r.served(f.Path), here && !c.CA:
		x.Use = "server"
	case c.CA:
		x.Use = "ca"
	default:
		x.Use = "unknown"
	}
	return x
}

// authorityWord tells settings that name whom to trust from those that name what to show.
var authorityWord = search.Lazy(`\bca|ca_?file|ca_?cert|client|trusted|_ca\b`)

// served reports whether a configuration names the path as a server's certificate.
func (r *Root) served(p string) bool {
	for _, f := range r.Files() {
		if !strings.HasPrefix(f.Path, "/etc/") || !f.Regular() || f.Node.Size > 64<<10 || f.Node.Size == 0 || f.Path == p {
			continue
		}
		text, ok := f.Text()
		if !ok {
			continue
		}
		for rest, at := text, 0; ; {
			i := strings.Index(rest[at:], p)
			if i < 0 {
				break
			}
			i += at
			line := strings.ToLower(rest[strings.LastIndexByte(rest[:i], '\n')+1 : i])
			for _, word := range []string{"ssl_certificate", "sslcertificatefile", "pemfile", "certfile", "cert_file", "tlscertificate", "ssl_cert", "certificate", "cert"} {
				if strings.Contains(line, word) && !authorityWord.MatchString(line) && !strings.HasPrefix(strings.TrimSpace(line), "#") {
					return true
				}
			}
			at = i + len(p)
		}
	}
	return false
}
