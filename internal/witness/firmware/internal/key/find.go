package key

import (
	"bytes"
	"crypto/ecdh"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
)

// Literals are what a reader of whole contents looks for; [Find] wants to know where they
// stand.
func Literals() []string {
	return []string{
		"-----BEGIN ", "ssh-rsa AAAAB3", "ssh-dss AAAAB3", "ssh-ed25519 AAAAC3", "ecdsa-sha2-nistp", "sk-ssh-ed25519@openssh.com AAAA",
		"PuTTY-User-Key-File-", "PrivateKey = ", "PrivateKey=", "option private_key '",
	}
}

// Content is what Find reads from.
type Content interface {
	Size() int64
	// View returns up to n bytes at an offset.
	View(at, n int64) []byte
}

// Limits of one content.
const (
	blockAtMost = 64 << 10 // of one PEM block
	keysAtMost  = 2000
	certsAtMost = 5000
)

// Found is what is in a content.
type Found struct {
	Keys         []Key
	Certificates []Certificate
}

// Find returns the keys and certificates of a content, in the order of their offsets. at
// are the offsets of the [Literals], each with the literal's index.
func Find(c Content, hits func(yield func(literal int, at int64) bool)) Found {
	f := &finder{c: c}
	f.start()
	done := int64(-1) // what lies before is read
	hits(func(literal int, at int64) bool {
		if at < done || len(f.found.Keys) > keysAtMost || len(f.found.Certificates) > certsAtMost {
			return true
		}
		var n int64
		switch literal {
		case 0:
			n = f.pem(at)
		case 6:
			n = f.putty(at)
		case 7, 8:
			n = f.wireguard(at, Literals()[literal], "\n\r\x00 #")
		case 9:
			n = f.wireguard(at, Literals()[literal], "'")
		default:
			n = f.ssh(at)
		}
		done = max(done, at+n)
		return true
	})
	return f.found
}

type finder struct {
	c     Content
	found Found
}

func (f *finder) key(at int64, k Key, ok bool) {
	if ok {
		k.Offset = at
		f.found.Keys = append(f.found.Keys, k)
	}
}

// pem reads a PEM block (RFC 7468), where its line breaks may be written as \n as well. It
// returns its length, or 0.
func (f *finder) pem(at int64) int64 {
	head := f.c.View(at, 80)
	label, _, ok := strings.Cut(string(head[min(len("-----BEGIN "), len(head)):]), "-----")
	if !ok || !material(label) {
		return 0
	}
	block := f.c.View(at, blockAtMost)
	begin := len("-----BEGIN ") + len(label) + 5
	if begin > len(block) {
		return 0
	}
	// Five dashes end the body, and must be those of the end.
	body, tail, ok := bytes.Cut(block[begin:], []byte("-----"))
	if !ok || !bytes.HasPrefix(tail, []byte("END "+label+"-----")) {
		return 0
	}
	size := int64(begin + len(body))
	encrypted := bytes.Contains(body, []byte("ENCRYPTED"))
	if label == "OpenVPN Static key V1" {
		f.openvpn(at, body)
		return size
	}
	der := decode(body)
	if len(der) == 0 {
		return 0
	}
	switch label {
	case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
		f.certificate(at, der)
	case "RSA PRIVATE KEY", "DSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "ANY PRIVATE KEY":
		if encrypted {
			name, _, _ := strings.Cut(strings.ToLower(label), " ")
			if name == "ec" {
				name = "ecdsa"
			}
			f.key(at, Key{Form: "pem", Algorithm: name, Private: true, Encrypted: true}, len(der) >= 16)
			return size
		}
		k, ok := parsePrivate(der)
		f.key(at, k, ok)
	case "ENCRYPTED PRIVATE KEY":
		k, ok := parseEncrypted(der)
		f.key(at, k, ok)
	case "OPENSSH PRIVATE KEY":
		k, ok := parseOpenSSH(der)
		f.key(at, k, ok)
	case "PUBLIC KEY":
		k, ok := parseSPKI(der)
		f.key(at, k, ok)
	case "RSA PUBLIC KEY":
		k, ok := parseRSAPublic(der, Key{Form: "pkcs1"})
		f.key(at, k, ok)
	case "PGP PRIVATE KEY BLOCK":
		k, ok := parseOpenPGP(der)
		f.key(at, k, ok)
	default: // OpenVPN's tls-crypt-v2
		f.key(at, Key{Form: "openvpn", Algorithm: "openvpn", Bits: 8 * len(der), Private: true}, len(der) >= 128)
	}
	return size
}

func material(label string) bool {
	switch label {
	case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "RSA PRIVATE KEY", "DSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY",
		"ANY PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PUBLIC KEY", "RSA PUBLIC KEY", "PGP PRIVATE KEY BLOCK",
		"OpenVPN Static key V1", "OpenVPN tls-crypt-v2 client key", "OpenVPN tls-crypt-v2 server key":
		return true
	}
	return false
}

// decode reads the base64 of a block: lines with a colon are headers, a line of = and four
// characters is OpenPGP's checksum, and quotes and escaped line breaks are source text.
func decode(body []byte) []byte {
	text := strings.NewReplacer(`\r`, "\n", `\n`, "\n", `\`, "", `"`, "", `'`, "", "\r", "\n").Replace(string(body))
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.Trim(line, " \t\r\n,;")
		if strings.Contains(line, ":") || len(line) == 5 && line[0] == '=' {
			continue
		}
		b.WriteString(line)
	}
	word := strings.TrimRight(b.String(), "=")
	out, err := base64.RawStdEncoding.DecodeString(word)
	if err != nil {
		return nil
	}
	return out
}

// parsePrivate reads a private key that is not encrypted, in any form of DER.
func parsePrivate(der []byte) (Key, bool) {
	if k, ok := parsePKCS8(der); ok {
		return k, true
	}
	if k, ok := parsePKCS1(der, Key{Form: "pkcs1"}); ok {
		return k, true
	}
	if k, ok := parseSEC1(der, Key{Form: "sec1"}, nil); ok {
		return k, true
	}
	return parseDSA(der)
}

// ssh reads a public key in one line: kind, base64, comment.
func (f *finder) ssh(at int64) int64 {
	line := f.c.View(at, 4096)
	if i := bytes.IndexAny(line, "\r\n\x00"); i >= 0 {
		line = line[:i]
	}
	w := strings.SplitN(string(line), " ", 3)
	if len(w) < 2 {
		return 0
	}
	word := strings.TrimRight(strings.Trim(w[1], `"',;`), "=")
	b, err := base64.RawStdEncoding.DecodeString(word)
	if err != nil {
		return 0
	}
	k, ok := parseWire(b)
	if len(w) == 3 {
		k.Comment = w[2][:min(len(w[2]), 80)]
	}
	f.key(at, k, ok)
	return int64(len(line))
}

// putty reads PuTTY's private form: headers, and the public half in base64.
func (f *finder) putty(at int64) int64 {
	block := string(f.c.View(at, 16<<10))
	k, ok, cipher, left := Key{}, false, "", 0
	var public strings.Builder
	for line := range strings.Lines(block) {
		line = strings.TrimRight(line, "\r\n")
		switch name, value, _ := strings.Cut(line, ": "); {
		case left > 0:
			public.WriteString(line)
			if left--; left == 0 {
				b, err := base64.StdEncoding.DecodeString(public.String())
				if err != nil {
					return 0
				}
				k, ok = parseWire(b)
			}
		case name == "Encryption":
			cipher = value
		case name == "Public-Lines":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 200 {
				return 0
			}
			left = n
		case name == "Private-MAC":
			k.Form, k.Private, k.Encrypted = "putty", true, cipher != "none"
			f.key(at, k, ok)
			return int64(strings.Index(block, "Private-MAC"))
		}
	}
	return 0
}

// wireguard reads the private number of an interface: 32 bytes in base64.
func (f *finder) wireguard(at int64, literal, end string) int64 {
	line := string(f.c.View(at+int64(len(literal)), 64))
	if i := strings.IndexAny(line, end); i >= 0 {
		line = line[:i]
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
	if err != nil || len(b) != 32 {
		return 0
	}
	k := Key{Form: "wireguard", Algorithm: "x25519", Bits: 256, Private: true}
	p, err := ecdh.X25519().NewPrivateKey(b)
	if err == nil {
		k.Fingerprint = fingerprint(p.PublicKey().Bytes())
	}
	f.key(at, k, err == nil)
	return int64(len(literal) + len(line))
}

// openvpn reads a static key: 256 bytes in hexadecimal.
func (f *finder) openvpn(at int64, body []byte) {
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(body)), ""))
	f.key(at, Key{Form: "openvpn", Algorithm: "openvpn", Bits: 2048, Private: true, Fingerprint: fingerprint(b)}, err == nil && len(b) == 256)
}

// start tries the forms that stand at the start of a file.
func (f *finder) start() {
	size := f.c.Size()
	if size < 32 || size > 4<<20 {
		return
	}
	head := f.c.View(0, 64)
	if len(head) < 32 {
		return
	}
	all := func() []byte { return f.c.View(0, size) }
	switch {
	case head[0] == 0x30 && (head[1]&0x80 != 0 || int64(head[1])+2 == size):
		f.der(all())
	case binary.BigEndian.Uint32(head) == 0xfeedfeed && head[7] <= 2, binary.BigEndian.Uint32(head) == 0xcececece && head[7] <= 2:
		f.key(0, Key{Form: "jks", Private: true, Encrypted: true}, holdsKeys(all()))
	case binary.BigEndian.Uint32(head) <= 2 && head[3] > 0 && binary.BigEndian.Uint32(head[4:]) == 20 && binary.BigEndian.Uint32(head[28:]) < 1<<20 && binary.BigEndian.Uint32(head[28:]) >= 512:
		// BKS: version, salt of 20 bytes, iterations.
		f.key(0, Key{Form: "bks", Private: true, Encrypted: true}, true)
	case head[0] == 0x95 || head[0] == 0x94 || head[0] == 0xc5:
		k, ok := parseOpenPGP(all())
		f.key(0, k, ok)
	case head[0] == 0 && head[1] == 0 && head[2] == 0 && (bytes.HasPrefix(head[4:], []byte("ssh-")) || bytes.HasPrefix(head[4:], []byte("ecdsa-"))):
		if size < 8<<10 {
			k, ok := parseDropbear(all())
			f.key(0, k, ok)
		}
	case bytes.HasPrefix(head, []byte("Key: (")) || bytes.HasPrefix(head, []byte("(")) && bytes.Contains(head, []byte("private-key")):
		b := all()
		f.key(0, Key{Form: "openpgp", Algorithm: "openpgp", Private: true, Encrypted: bytes.Contains(b, []byte("protected-private-key"))},
			bytes.Contains(b, []byte("private-key")) && size < 64<<10)
	}
}

// der reads a file that is one value of ASN.1.
func (f *finder) der(b []byte) {
	var whole asn1.RawValue
	rest, err := asn1.Unmarshal(b, &whole)
	if err != nil || len(rest) > 1 {
		return
	}
	b = whole.FullBytes
	if isPKCS12(b) {
		f.key(0, Key{Form: "pkcs12", Private: true, Encrypted: true}, true)
		return
	}
	if k, ok := parsePrivate(b); ok {
		f.key(0, k, true)
		return
	}
	if k, ok := parseEncrypted(b); ok {
		f.key(0, k, true)
		return
	}
	if k, ok := parseSPKI(b); ok {
		f.key(0, k, true)
		return
	}
	f.certificate(0, b)
}

// holdsKeys reports whether one of the entries of a Java key store is a key, and not a
// certificate that is trusted.
func holdsKeys(b []byte) bool {
	r := reader{b: b[12:]}
	text := func() {
		if len(r.b) < 2 || len(r.b) < 2+int(binary.BigEndian.Uint16(r.b)) {
			r.over = true
			return
		}
		r.b = r.b[2+int(binary.BigEndian.Uint16(r.b)):]
	}
	for range binary.BigEndian.Uint32(b[8:]) {
		if len(r.b) < 4 {
			return false
		}
		tag := binary.BigEndian.Uint32(r.b)
		if tag != 2 {
			return tag == 1 || tag == 3
		}
		r.b = r.b[4:]
		text() // alias
		if !r.ok() || len(r.b) < 8 {
			return false
		}
		r.b = r.b[8:] // date
		text()        // type of certificate
		if r.text(); !r.ok() {
			return false
		}
	}
	return false
}

// isPKCS12 recognises PFX of RFC 7292: version 3, then content of PKCS #7.
func isPKCS12(b []byte) bool {
	var s struct {
		Version int
		Content struct {
			OID  asn1.ObjectIdentifier
			Data asn1.RawValue `asn1:"optional,explicit,tag:0"`
		}
		MAC asn1.RawValue `asn1:"optional"`
	}
	_, err := asn1.Unmarshal(b, &s)
	return err == nil && s.Version == 3 && prefixed(s.Content.OID, 1, 2, 840, 113549, 1, 7)
}

// parseDropbear reads dropbear's host keys: the SSH public form, with the private numbers
// behind it.
func parseDropbear(b []byte) (Key, bool) {
	r := reader{b: b}
	kind := string(r.text())
	k := Key{Form: "dropbear", Private: true}
	switch {
	case kind == "ssh-rsa":
		e, n, d := r.number(), r.number(), r.number()
		ok := r.ok() && d.Sign() > 0 && rsaKey(&k, n, e)
		return k, ok
	case kind == "ssh-dss":
		p, q, g, y, x := r.number(), r.number(), r.number(), r.number(), r.number()
		ok := r.ok() && x.Sign() > 0 && dsaKey(&k, p, q, g, y)
		return k, ok
	case kind == "ssh-ed25519":
		both := r.text() // seed and public half
		if !r.ok() || len(both) != 64 {
			return k, false
		}
		ok := edKey(&k, both[32:])
		return k, ok
	case strings.HasPrefix(kind, "ecdsa-sha2-"):
		name, point, d := r.text(), r.text(), r.number()
		if !r.ok() || d.Sign() == 0 {
			return k, false
		}
		for _, c := range curves {
			if c.ssh != "" && c.ssh == string(name) {
				ecKey(&k, c.oid, point, nil)
				return k, true
			}
		}
	}
	return k, false
}

// parseOpenPGP reads a secret key packet (RFC 4880, 5.5.3) at the start of a keyring.
func parseOpenPGP(b []byte) (Key, bool) {
	if len(b) < 16 {
		return Key{}, false
	}
	var n, head int
	switch b[0] {
	case 0x94:
		n, head = int(b[1]), 2
	case 0x95:
		n, head = int(binary.BigEndian.Uint16(b[1:])), 3
	case 0xc5:
		n, head = int(b[1]), 2
		if b[1] >= 192 && b[1] < 224 {
			n, head = int(b[1]-192)<<8+int(b[2])+192, 3
		}
	default:
		return Key{}, false
	}
	if head+n > len(b) || n < 12 {
		return Key{}, false
	}
	p := b[head : head+n]
	k := Key{Form: "openpgp", Algorithm: "openpgp", Private: true}
	if p[0] != 4 {
		return k, false
	}
	numbers := map[byte]int{1: 2, 2: 2, 3: 2, 16: 3, 17: 4}[p[5]]
	body := p[6:]
	switch {
	case numbers > 0:
		for i := range numbers {
			if len(body) < 2 {
				return k, false
			}
			bits := int(binary.BigEndian.Uint16(body))
			if bits > 16384 || 2+(bits+7)/8 >= len(body) {
				return k, false
			}
			if i == 0 {
				k.Bits = bits
			}
			body = body[2+(bits+7)/8:]
		}
		if k.Bits < 512 {
			return k, false
		}
	case p[5] == 18 || p[5] == 19 || p[5] == 22: // elliptic: the curve's identifier, one point
		if len(body) < int(body[0])+3 {
			return k, false
		}
		body = body[1+int(body[0]):]
		bits := int(binary.BigEndian.Uint16(body))
		if 2+(bits+7)/8 >= len(body) {
			return k, false
		}
		body = body[2+(bits+7)/8:]
		if p[5] == 18 { // the parameters of its key derivation
			if len(body) < int(body[0])+2 {
				return k, false
			}
			body = body[1+int(body[0]):]
		}
	default:
		return k, false
	}
	k.Encrypted = body[0] != 0
	return k, true
}
