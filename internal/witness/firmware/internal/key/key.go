// Package key recognises key material and certificates by their content, wherever they
// lie: PEM blocks and SSH keys inside any bytes, DER, dropbear's and OpenPGP's forms and
// key stores at the start of a file.
//
// [Find] returns what parses. A header without a body, as programs that write keys hold
// it, is no key. Nothing private is kept: of a key only its kind, its size and the digest of
// its public half.
package key

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"strings"
)

// Key is one key that was found.
type Key struct {
	Offset      int64  `json:"offset,omitempty"`
	Line        int    `json:"line,omitempty"`        // of a text
	Form        string `json:"form"`                  // pkcs1, pkcs8, sec1, dsa, openssh, putty, ssh-public, spki, dropbear, openpgp, wireguard, openvpn, pkcs12, jks, bks
	Algorithm   string `json:"algorithm,omitempty"`   // rsa, dsa, ecdsa, ed25519, x25519, ed448, dh, openpgp, openvpn
	Bits        int    `json:"bits,omitempty"`        // 0 where it does not show
	Private     bool   `json:"private,omitempty"`     // of a key store: it may hold some
	Encrypted   bool   `json:"encrypted,omitempty"`   // a passphrase protects it
	Fingerprint string `json:"fingerprint,omitempty"` // of the public half, as ssh-keygen -l shows it: SHA256:...
	Comment     string `json:"comment,omitempty"`     // of an SSH public key
}

// The object identifiers of RFC 3279, 5480 and 8410.
var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidDSA     = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}
	oidDH      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 3, 1}
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidX25519  = asn1.ObjectIdentifier{1, 3, 101, 110}
	oidX448    = asn1.ObjectIdentifier{1, 3, 101, 111}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
	oidEd448   = asn1.ObjectIdentifier{1, 3, 101, 113}
)

// curve is what is known of a named curve.
type curve struct {
	oid  asn1.ObjectIdentifier
	ssh  string // as SSH names it; empty where it does not
	bits int
	ecdh func() ecdh.Curve
}

var curves = []curve{
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 1}, "", 192, nil},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 33}, "", 224, nil},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, "nistp256", 256, ecdh.P256},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, "nistp384", 384, ecdh.P384},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, "nistp521", 521, ecdh.P521},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 10}, "", 256, nil},               // secp256k1
	{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 7}, "", 256, nil},  // brainpoolP256r1
	{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 11}, "", 384, nil}, // brainpoolP384r1
	{asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 13}, "", 512, nil}, // brainpoolP512r1
}

// wire is a public key as SSH writes it (RFC 4253, 5656, 8709): what fingerprints are of.
type wire []byte

func (w wire) text(s string) wire {
	return append(binary.BigEndian.AppendUint32(w, uint32(len(s))), s...)
}

func (w wire) number(n *big.Int) wire {
	b := n.Bytes()
	if len(b) > 0 && b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return w.text(string(b))
}

func fingerprint(b []byte) string {
	s := sha256.Sum256(b)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(s[:])
}

func rsaKey(k *Key, n, e *big.Int) bool {
	if n.Sign() <= 0 || e.Sign() <= 0 || n.BitLen() < 256 || n.BitLen() > 1<<16 {
		return false
	}
	k.Algorithm, k.Bits = "rsa", n.BitLen()
	k.Fingerprint = fingerprint(wire{}.text("ssh-rsa").number(e).number(n))
	return true
}

func dsaKey(k *Key, p, q, g, y *big.Int) bool {
	if p.Sign() <= 0 || q.Sign() <= 0 || g.Sign() <= 0 || y.Sign() <= 0 || p.BitLen() > 1<<14 {
		return false
	}
	k.Algorithm, k.Bits = "dsa", p.BitLen()
	k.Fingerprint = fingerprint(wire{}.text("ssh-dss").number(p).number(q).number(g).number(y))
	return true
}

func edKey(k *Key, pub []byte) bool {
	k.Algorithm, k.Bits = "ed25519", 256
	k.Fingerprint = fingerprint(wire{}.text("ssh-ed25519").text(string(pub)))
	return len(pub) == ed25519.PublicKeySize
}

// ecKey takes a curve's identifier, and the public point where it is known, or else the
// private number.
func ecKey(k *Key, oid asn1.ObjectIdentifier, point, d []byte) {
	k.Algorithm = "ecdsa"
	for _, c := range curves {
		if !c.oid.Equal(oid) {
			continue
		}
		k.Bits = c.bits
		if len(point) == 0 && c.ecdh != nil && len(d) <= (c.bits+7)/8 {
			full := append(make([]byte, (c.bits+7)/8-len(d)), d...)
			if p, err := c.ecdh().NewPrivateKey(full); err == nil {
				point = p.PublicKey().Bytes()
			}
		}
		if c.ssh != "" && len(point) > 0 {
			k.Fingerprint = fingerprint(wire{}.text("ecdsa-sha2-" + c.ssh).text(c.ssh).text(string(point)))
			return
		}
	}
	if len(oid) > 0 && len(point) > 0 { // a curve that SSH does not know: of the public key as X.509 writes it
		if params, err := asn1.Marshal(oid); err == nil {
			der, err := asn1.Marshal(spki{algorithm{oidEC, asn1.RawValue{FullBytes: params}}, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
			if err == nil {
				k.Fingerprint = fingerprint(der)
			}
		}
	}
}

type algorithm struct {
	OID    asn1.ObjectIdentifier
	Params asn1.RawValue `asn1:"optional"`
}

type spki struct {
	Algorithm algorithm
	Key       asn1.BitString
}

type dsaParams struct{ P, Q, G *big.Int }

// parseSPKI reads a public key of X.509.
func parseSPKI(der []byte) (Key, bool) {
	var s spki
	k := Key{Form: "spki"}
	if rest, err := asn1.Unmarshal(der, &s); err != nil || len(rest) > 0 {
		return k, false
	}
	b := s.Key.RightAlign()
	switch {
	case s.Algorithm.OID.Equal(oidRSA), s.Algorithm.OID.Equal(oidPSS):
		return parseRSAPublic(b, k)
	case s.Algorithm.OID.Equal(oidDSA):
		var p dsaParams
		var y *big.Int
		_, err1 := asn1.Unmarshal(s.Algorithm.Params.FullBytes, &p)
		_, err2 := asn1.Unmarshal(b, &y)
		return k, err1 == nil && err2 == nil && dsaKey(&k, p.P, p.Q, p.G, y)
	case s.Algorithm.OID.Equal(oidEC):
		var oid asn1.ObjectIdentifier
		_, err := asn1.Unmarshal(s.Algorithm.Params.FullBytes, &oid)
		if err == nil {
			ecKey(&k, oid, b, nil)
		}
		return k, err == nil
	case s.Algorithm.OID.Equal(oidEd25519):
		ok := edKey(&k, b)
		return k, ok
	}
	return other(k, s.Algorithm.OID, der)
}

// other names the algorithms of which no more is said.
func other(k Key, oid asn1.ObjectIdentifier, public []byte) (Key, bool) {
	switch {
	case oid.Equal(oidX25519):
		k.Algorithm, k.Bits = "x25519", 256
	case oid.Equal(oidEd448):
		k.Algorithm, k.Bits = "ed448", 456
	case oid.Equal(oidX448):
		k.Algorithm, k.Bits = "x448", 448
	case oid.Equal(oidDH):
		k.Algorithm = "dh"
	default:
		return k, false
	}
	if public != nil {
		k.Fingerprint = fingerprint(public)
	}
	return k, true
}

func parseRSAPublic(der []byte, k Key) (Key, bool) {
	var p struct{ N, E *big.Int }
	rest, err := asn1.Unmarshal(der, &p)
	ok := err == nil && len(rest) == 0 && rsaKey(&k, p.N, p.E)
	return k, ok
}

// parsePKCS1 reads RSAPrivateKey of RFC 8017.
func parsePKCS1(der []byte, k Key) (Key, bool) {
	var s struct {
		Version          int
		N, E, D, P, Q    *big.Int
		Dp, Dq, Inverse  *big.Int
		MorePrimeNumbers asn1.RawValue `asn1:"optional"`
	}
	_, err := asn1.Unmarshal(der, &s)
	k.Private = true
	ok := err == nil && s.Version <= 1 && rsaKey(&k, s.N, s.E)
	return k, ok
}

// parseDSA reads OpenSSL's form: version, p, q, g, y, x.
func parseDSA(der []byte) (Key, bool) {
	var s struct {
		Version       int
		P, Q, G, Y, X *big.Int
	}
	k := Key{Form: "dsa", Private: true}
	rest, err := asn1.Unmarshal(der, &s)
	ok := err == nil && len(rest) == 0 && s.Version == 0 && dsaKey(&k, s.P, s.Q, s.G, s.Y)
	return k, ok
}

// parseSEC1 reads ECPrivateKey of RFC 5915; the curve may be said outside.
func parseSEC1(der []byte, k Key, outer asn1.ObjectIdentifier) (Key, bool) {
	var s struct {
		Version int
		D       []byte
		Params  asn1.RawValue  `asn1:"optional,tag:0"` // read apart: explicit parameters name no curve
		Public  asn1.BitString `asn1:"optional,explicit,tag:1"`
	}
	k.Private = true
	if _, err := asn1.Unmarshal(der, &s); err != nil || s.Version != 1 || len(s.D) == 0 || len(s.D) > 72 {
		return k, false
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(s.Params.Bytes, &oid); err != nil {
		oid = outer
	}
	ecKey(&k, oid, s.Public.RightAlign(), s.D)
	return k, true
}

// parsePKCS8 reads PrivateKeyInfo of RFC 5208 and 5958.
func parsePKCS8(der []byte) (Key, bool) {
	var s struct {
		Version   int
		Algorithm algorithm
		Key       []byte
		Attribute asn1.RawValue `asn1:"optional,tag:0"`
		Public    asn1.RawValue `asn1:"optional,tag:1"`
	}
	k := Key{Form: "pkcs8", Private: true}
	if rest, err := asn1.Unmarshal(der, &s); err != nil || len(rest) > 0 || s.Version > 1 || len(s.Key) == 0 {
		return k, false
	}
	switch {
	case s.Algorithm.OID.Equal(oidRSA), s.Algorithm.OID.Equal(oidPSS):
		return parsePKCS1(s.Key, k)
	case s.Algorithm.OID.Equal(oidEC):
		var oid asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(s.Algorithm.Params.FullBytes, &oid); err != nil {
			oid = nil
		}
		return parseSEC1(s.Key, k, oid)
	case s.Algorithm.OID.Equal(oidDSA):
		var p dsaParams
		var x *big.Int
		_, err1 := asn1.Unmarshal(s.Algorithm.Params.FullBytes, &p)
		_, err2 := asn1.Unmarshal(s.Key, &x)
		if err1 != nil || err2 != nil || p.P.Sign() <= 0 || p.P.BitLen() > 4096 || x.Sign() <= 0 || x.BitLen() > 4096 {
			return k, false
		}
		ok := dsaKey(&k, p.P, p.Q, p.G, new(big.Int).Exp(p.G, x, p.P))
		return k, ok
	case s.Algorithm.OID.Equal(oidEd25519):
		var seed []byte
		if _, err := asn1.Unmarshal(s.Key, &seed); err != nil || len(seed) != ed25519.SeedSize {
			return k, false
		}
		pub, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		ok := edKey(&k, pub)
		return k, ok
	}
	return other(k, s.Algorithm.OID, nil)
}

// parseEncrypted reads EncryptedPrivateKeyInfo of RFC 5208.
func parseEncrypted(der []byte) (Key, bool) {
	var s struct {
		Algorithm algorithm
		Data      []byte
	}
	rest, err := asn1.Unmarshal(der, &s)
	ok := err == nil && len(rest) == 0 && len(s.Data) >= 16 &&
		(prefixed(s.Algorithm.OID, 1, 2, 840, 113549, 1, 5) || prefixed(s.Algorithm.OID, 1, 2, 840, 113549, 1, 12, 1))
	return Key{Form: "pkcs8", Private: true, Encrypted: true}, ok
}

func prefixed(oid asn1.ObjectIdentifier, prefix ...int) bool {
	return len(oid) > len(prefix) && oid[:len(prefix)].Equal(prefix)
}

// parseWire reads a public key as SSH writes it.
func parseWire(b []byte) (Key, bool) {
	r := reader{b: b}
	k := Key{Form: "ssh-public"}
	kind := string(r.text())
	switch {
	case kind == "ssh-rsa":
		e, n := r.number(), r.number()
		return k, r.ok() && rsaKey(&k, n, e)
	case kind == "ssh-dss":
		p, q, g, y := r.number(), r.number(), r.number(), r.number()
		return k, r.ok() && dsaKey(&k, p, q, g, y)
	case strings.HasPrefix(kind, "ecdsa-sha2-nistp"), strings.HasPrefix(kind, "sk-ecdsa-sha2-nistp"):
		name, point := string(r.text()), r.text()
		if !r.ok() || len(point) == 0 || !strings.Contains(kind, name) {
			return k, false
		}
		k.Algorithm = "ecdsa"
		for _, c := range curves {
			if c.ssh == name {
				k.Bits = c.bits
			}
		}
	case kind == "ssh-ed25519", kind == "sk-ssh-ed25519@openssh.com":
		if p := r.text(); !r.ok() || len(p) != 32 {
			return k, false
		}
		k.Algorithm, k.Bits = "ed25519", 256
	default:
		return k, false
	}
	k.Fingerprint = fingerprint(b)
	return k, k.Bits > 0
}

// reader reads what SSH writes; after a read past the end everything is empty.
type reader struct {
	b    []byte
	over bool
}

func (r *reader) ok() bool { return !r.over }

func (r *reader) text() []byte {
	if r.over || len(r.b) < 4 {
		r.over = true
		return nil
	}
	n := binary.BigEndian.Uint32(r.b)
	if uint64(n) > uint64(len(r.b)-4) {
		r.over = true
		return nil
	}
	p := r.b[4 : 4+n]
	r.b = r.b[4+n:]
	return p
}

func (r *reader) number() *big.Int {
	p := r.text()
	if len(p) > 1<<13 {
		r.over = true
		return new(big.Int)
	}
	return new(big.Int).SetBytes(p)
}

const opensshMagic = "openssh-key-v1\x00"

// parseOpenSSH reads OpenSSH's own private form: the public half is in the clear.
func parseOpenSSH(b []byte) (Key, bool) {
	rest, ok := bytes.CutPrefix(b, []byte(opensshMagic))
	if !ok {
		return Key{}, false
	}
	r := reader{b: rest}
	cipher := string(r.text())
	r.text()
	r.text()
	if len(r.b) < 4 || binary.BigEndian.Uint32(r.b) == 0 {
		return Key{}, false
	}
	r.b = r.b[4:]
	pub, priv := r.text(), r.text()
	if !r.ok() || len(priv) < 8 {
		return Key{}, false
	}
	k, ok := parseWire(pub)
	k.Form, k.Private, k.Encrypted = "openssh", true, cipher != "none"
	return k, ok
}
