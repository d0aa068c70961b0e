package key

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
)

// Certificate is one X.509 certificate that was found.
type Certificate struct {
	Offset      int64  `json:"offset,omitempty"`
	Line        int    `json:"line,omitempty"`
	Subject     string `json:"subject"`
	Issuer      string `json:"issuer"`
	Serial      string `json:"serial"`
	Algorithm   string `json:"algorithm,omitempty"`
	Bits        int    `json:"bits,omitempty"`
	Signature   string `json:"signature,omitempty"` // the hash of it: md5, sha1, sha256 ...
	NotBefore   int64  `json:"not_before"`
	NotAfter    int64  `json:"not_after"`
	SelfSigned  bool   `json:"self_signed,omitempty"`
	CA          bool   `json:"ca,omitempty"`
	Client      bool   `json:"client,omitempty"` // it says it is for clients alone
	Signing     bool   `json:"signing,omitempty"`
	Fingerprint string `json:"fingerprint"` // SHA256:hex of the certificate
	Key         string `json:"key"`         // the fingerprint of its public key
}

func (f *finder) certificate(at int64, der []byte) {
	c, err := x509.ParseCertificate(der)
	if err != nil && len(der) > 4 { // OpenSSL's trusted form has more behind it
		if n := 4 + int(der[2])<<8 + int(der[3]); der[1] == 0x82 && n < len(der) {
			c, err = x509.ParseCertificate(der[:n])
		}
	}
	if err != nil {
		return
	}
	out := Certificate{
		Offset: at, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Signature: signature(c.SignatureAlgorithm),
		NotBefore: c.NotBefore.Unix(), NotAfter: c.NotAfter.Unix(), CA: c.IsCA,
		SelfSigned: string(c.RawSubject) == string(c.RawIssuer),
		Client:     slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth),
		Signing:    slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageCodeSigning),
	}
	if c.SerialNumber != nil {
		out.Serial = c.SerialNumber.Text(16)
	}
	if c.Version < 3 && out.SelfSigned {
		out.CA = true // version 1 has no word for it: what signs itself may sign others
	}
	sum := sha256.Sum256(c.Raw)
	out.Fingerprint = "SHA256:" + hex.EncodeToString(sum[:])
	if k, ok := parseSPKI(c.RawSubjectPublicKeyInfo); ok {
		out.Algorithm, out.Bits, out.Key = k.Algorithm, k.Bits, k.Fingerprint
	}
	f.found.Certificates = append(f.found.Certificates, out)
}

// signature names the hash of a signature algorithm.
func signature(a x509.SignatureAlgorithm) string {
	s := strings.ToLower(a.String())
	for _, h := range []string{"md2", "md5", "sha1", "sha256", "sha384", "sha512", "ed25519"} {
		if strings.Contains(s, h) {
			return h
		}
	}
	return ""
}
