package firmware

import (
	"bytes"
	_ "embed"
	"path"
	"strings"
	"sync"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/witness/firmware/internal/key"
)

// keys states the private keys that lie in the image, the public ones that let somebody in,
// and those that check updates.
var keys = inspector{
	name:  "keys",
	kinds: []fact.Kind{fact.KindKey},
	look:  lookKeyFiles,
}

//go:embed data/known-keys.tsv
var knownKeysList string

// knownKeys names the published keys by their fingerprints.
var knownKeys = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(knownKeysList) {
		if print, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			m[print] = name
		}
	}
	return m
})

// viewer shows a content to package key.
type viewer struct{ *content }

func (v viewer) Size() int64 { return v.blob.Size() }

func (v viewer) View(at, n int64) []byte {
	_, p := v.around(at, 0, n)
	return p
}

// authoritiesAtLeast certificates of authorities in one file are a trust store.
const authoritiesAtLeast = 5

// lookKeys is the looker: it finds keys and certificates by their content.
func lookKeys(t *Trace, c *content) {
	found := key.Find(viewer{c}, func(yield func(int, int64) bool) {
		for _, h := range c.hits {
			if !yield(h.literal, h.at) {
				return
			}
		}
	})
	t.Keys, t.Certificates = found.Keys, found.Certificates
	if c.whole && (t.Type == "text" || t.Type == "script") {
		line, from := 1, int64(0)
		count := func(at int64) int {
			if at > from {
				line += bytes.Count(c.data[from:at], []byte("\n"))
				from = at
			}
			return line
		}
		for i := range t.Keys {
			t.Keys[i].Line = count(t.Keys[i].Offset)
		}
		line, from = 1, 0
		for i := range t.Certificates {
			t.Certificates[i].Line = count(t.Certificates[i].Offset)
		}
	}
	authorities := 0
	for _, x := range t.Certificates {
		if x.CA {
			authorities++
		}
	}
	if authorities >= authoritiesAtLeast && authorities*10 >= len(t.Certificates)*9 {
		t.Certificates, t.Authorities = nil, authorities
	}
}

// atKey is the place of something in a file: its line in a text, else its offset.
func (f *File) atKey(line int, offset int64) fact.Place {
	p := f.At(line)
	if line == 0 {
		p.Offset = offset
	}
	return p
}

// authorizedEntry is a line of authorized_keys: whom it lets in.
type authorizedEntry struct {
	account string
	file    *File
	key     key.Key
}

func (r *Root) authorizedEntries() []authorizedEntry {
	var out []authorizedEntry
	seen := map[string]bool{}
	add := func(account string, f *File) {
		if f.Trace == nil || seen[f.Path] {
			return
		}
		seen[f.Path] = true
		for _, k := range f.Trace.Keys {
			if k.Form == "ssh-public" {
				out = append(out, authorizedEntry{account, f, k})
			}
		}
	}
	for _, a := range r.Facts.Account {
		if a.Store == "system" {
			for _, f := range r.authorizedFiles(a.Name, a.Home) {
				add(a.Name, f)
			}
		}
	}
	for _, f := range r.Files() { // of homes that no passwd of this root names
		if strings.HasPrefix(path.Base(f.Path), "authorized_keys") && f.Regular() && !sample(f.Path) {
			add("", f)
		}
	}
	return out
}

func lookKeyFiles(r *Root) {
	entries := r.authorizedEntries()
	lets := map[string]bool{}
	for _, e := range entries {
		lets[e.key.Fingerprint] = true
	}
	private := map[string]*fact.Key{}
	certified := r.certified()
	for _, f := range r.Files() {
		if f.Trace == nil || len(f.Trace.Keys) == 0 {
			continue
		}
		for _, k := range f.Trace.Keys {
			if !k.Private || forShow(f, k) {
				continue
			}
			if before := private[k.Fingerprint]; before != nil && k.Fingerprint != "" {
				if len(before.Places) < 50 {
					before.Places = append(before.Places, f.atKey(k.Line, k.Offset))
				}
				before.Readable = fact.Say(before.Readable.Or(false) || f.WorldReadable())
				if !sample(f.Path) {
					before.Confidence = ""
				}
				continue
			}
			x := r.newKey(f, k)
			x.Private, x.Encrypted = fact.Say(true), fact.Say(k.Encrypted)
			x.Readable = fact.Say(f.WorldReadable())
			x.Use = r.keyUse(f, k, certified)
			if k.Fingerprint != "" {
				x.SelfAuthorising = fact.Say(lets[k.Fingerprint])
				private[k.Fingerprint] = x
			}
			r.Add(x)
		}
	}
	for _, e := range entries {
		x := r.newKey(e.file, e.key)
		x.Use, x.Account, x.Private = "ssh-authorized", e.account, fact.Say(false)
		x.SelfAuthorising = fact.Say(private[e.key.Fingerprint] != nil)
		r.Add(x)
	}
	r.publicKeys()
}

// newKey makes the fact of a key without what depends on its half.
func (r *Root) newKey(f *File, k key.Key) *fact.Key {
	x := &fact.Key{Algorithm: k.Algorithm, Fingerprint: k.Fingerprint}
	x.Places = append(x.Places, f.atKey(k.Line, k.Offset))
	if k.Bits > 0 {
		x.Bits = fact.Say(k.Bits)
	}
	if k.Algorithm == "" && (k.Form == "jks" || k.Form == "bks" || k.Form == "pkcs12") {
		x.Algorithm, x.Confidence = k.Form, "medium" // a store: what is in it does not show
	}
	if k.Fingerprint != "" {
		name, known := knownKeys()[k.Fingerprint]
		x.Known, x.KnownAs = fact.Say(known), name
	}
	if sample(f.Path) {
		x.Confidence = "low"
	}
	return x
}

// sample reports whether a path is one of documentation, tests and examples, where keys
// are for show.
func sample(p string) bool {
	if strings.HasPrefix(p, "/usr/share/doc/") || strings.HasPrefix(p, "/usr/share/man/") {
		return true
	}
	for w := range strings.SplitSeq(p, "/") {
		switch w {
		case "test", "tests", "testdata", "testing", "examples", "example", "demos", "fixtures", "samples", "sample-keys", "certdata":
			return true
		}
	}
	return false
}

// forShow reports whether a key opens nothing: a sample under a passphrase, a published one that lies with the tests or
// documents it was published in, or in the library that tests itself with it.
func forShow(f *File, k key.Key) bool {
	name, known := knownKeys()[k.Fingerprint]
	return sample(f.Path) && k.Encrypted || known && (sample(f.Path) || strings.HasPrefix(name, "self-test of ") && f.Trace.Type == "elf")
}

// keyUse says what a private key is for, by where it lies and who points to it.
func (r *Root) keyUse(f *File, k key.Key, certified map[string]key.Certificate) string {
	p := strings.ToLower(f.Path)
	base := path.Base(p)
	switch {
	case k.Form == "wireguard", k.Form == "openvpn", strings.HasPrefix(p, "/etc/openvpn/"), strings.HasPrefix(p, "/etc/ipsec.d/"),
		strings.HasPrefix(p, "/etc/swanctl/"), strings.HasPrefix(p, "/etc/wireguard/"), strings.HasPrefix(p, "/etc/tinc/"):
		return "vpn"
	case k.Form == "dropbear" && !strings.Contains(p, "/.ssh/"), strings.HasPrefix(base, "ssh_host_"), strings.Contains(base, "host_key"), strings.Contains(base, "hostkey"):
		return "ssh-host"
	case strings.Contains(p, "/.ssh/"), k.Form == "putty", strings.HasPrefix(base, "id_rsa"), strings.HasPrefix(base, "id_ed25519"),
		strings.HasPrefix(base, "id_ecdsa"), strings.HasPrefix(base, "id_dsa"), strings.HasPrefix(base, "id_dropbear"):
		return "ssh-user"
	}
	if c, ok := certified[k.Fingerprint]; ok && k.Fingerprint != "" {
		if c.Signing {
			return "code-signing"
		}
		return "tls"
	}
	switch {
	case signsCode(base), k.Form == "openpgp":
		return "code-signing"
	case k.Form == "openssh":
		return "ssh-user"
	case strings.HasPrefix(p, "/etc/ssl/"), strings.HasPrefix(p, "/etc/pki/tls/"), strings.Contains(p, "/tls/"), strings.Contains(p, "/certs/"),
		strings.Contains(base, "server.key"), strings.Contains(base, "tls"), strings.Contains(base, "ssl"), strings.Contains(base, "https"), strings.Contains(p, "/nginx/"), strings.Contains(p, "/lighttpd/"),
		strings.Contains(p, "/mosquitto/"), strings.Contains(p, "/apache2/"), k.Form == "pkcs12", k.Form == "jks", k.Form == "bks":
		return "tls"
	}
	return "unknown"
}

func signsCode(base string) bool {
	for _, w := range []string{"sign", "swupdate", "rauc", "update", "upgrade", "firmware", "fwkey", "verify", "opkg", "usign"} {
		if strings.Contains(base, w) {
			return true
		}
	}
	return false
}

// certified maps the public keys of the certificates of the root to one of them.
func (r *Root) certified() map[string]key.Certificate {
	out := map[string]key.Certificate{}
	for _, f := range r.Files() {
		if f.Trace == nil {
			continue
		}
		for _, c := range f.Trace.Certificates {
			if c.Key != "" {
				out[c.Key] = c
			}
		}
	}
	return out
}

// publicKeys states the lone public keys of the maker's own files: what checks updates or
// licences. Those of programs' libraries and documents are many, and say nothing.
func (r *Root) publicKeys() {
	for _, f := range r.Files() {
		if f.Trace == nil || len(f.Trace.Keys) == 0 || f.Trace.Size > 16<<10 {
			continue
		}
		inside := false
		for _, dir := range []string{"/etc/", "/opt/", "/usr/local/", "/data/", "/boot/", "/home/", "/root/", "/srv/", "/app/"} {
			inside = inside || strings.HasPrefix(f.Path, dir)
		}
		for _, k := range f.Trace.Keys {
			if k.Private || k.Form == "ssh-public" || !inside {
				continue
			}
			x := r.newKey(f, k)
			x.Private, x.Use = fact.Say(false), "unknown"
			if signsCode(strings.ToLower(path.Base(f.Path))) {
				x.Use = "code-signing"
			}
			r.Add(x)
		}
	}
}
