package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/vesalius-project/vesalius/internal/advisory"
	"github.com/vesalius-project/vesalius/internal/advisory/snapshot"
	"github.com/vesalius-project/vesalius/internal/component/signature"
)

type dbExportCommand struct {
	database
	File     string `arg:"" help:"The file to write."`
	Snapshot bool   `help:"Write a snapshot: facts only, of the products that signatures and medical advisories name."`
	Sign     string `placeholder:"FILE" help:"Private key (PEM, PKCS 8, Ed25519) with which the bundle is signed."`
}

// The members of a bundle, in their order.
const (
	bundleManifest  = "vesalius-bundle.json"
	bundleIndex     = "advisories.vdb"
	bundleSignature = "vesalius-bundle.sig"
)

const (
	bundleSchema = 1
	bundleLimit  = 8 << 30 // of the index in it
)

// manifest says what a bundle holds.
type manifest struct {
	Schema int           `json:"schema"`
	Tool   string        `json:"tool"`
	Made   time.Time     `json:"made"`
	File   string        `json:"file"`
	Size   int64         `json:"size"`
	SHA256 string        `json:"sha256"`
	Info   advisory.Info `json:"info"`
}

// Run writes what can be carried.
func (c *dbExportCommand) Run(w *world) error {
	if c.Snapshot {
		if c.Sign != "" {
			return called("--sign: a snapshot is not signed, only a bundle is")
		}
		return c.snapshot(w)
	}
	at, err := date(w, "")
	if err != nil {
		return err
	}
	path, _, err := c.path(w)
	if err != nil {
		return err
	}
	var key ed25519.PrivateKey
	if c.Sign != "" {
		if key, err = privateKey(c.Sign); err != nil {
			return err
		}
	}
	x, err := advisory.OpenFile(path)
	if err != nil {
		return fmt.Errorf(`no index to export: %w: run "vesalius db update" or "vesalius db import DIR"`, err)
	}
	defer x.Close()
	f, err := os.Open(path) // the same file, as nothing changes a file in its place
	if err != nil {
		return err
	}
	defer f.Close()
	m := manifest{Schema: bundleSchema, Tool: "vesalius " + version(), Made: at, File: bundleIndex}
	if m.Info, err = x.Info(); err != nil {
		return err
	}
	sum := sha256.New()
	if m.Size, err = io.Copy(sum, f); err != nil {
		return err
	}
	m.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := writeFile(c.File, func(out io.Writer) error { return writeBundle(out, m, f, key) }); err != nil {
		return err
	}
	digest, err := digestFile(c.File)
	if err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s: advisories of %s, %d vulnerabilities, %s\nsha256 %s\n", c.File, m.Info.Date.Format(time.DateOnly), m.Info.Vulnerabilities, size(info.Size()), digest)
	return err
}

func writeBundle(out io.Writer, m manifest, index io.Reader, key ed25519.PrivateKey) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	z := zip.NewWriter(out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	add := func(name string, method uint16, from io.Reader) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: m.Made})
		if err != nil {
			return err
		}
		_, err = io.Copy(w, from)
		return err
	}
	if err := add(bundleManifest, zip.Store, bytes.NewReader(text)); err != nil {
		return err
	}
	if key != nil {
		signature, err := key.Sign(rand.Reader, text, crypto.Hash(0))
		if err != nil {
			return err
		}
		if err := add(bundleSignature, zip.Store, bytes.NewReader(signature)); err != nil {
			return err
		}
	}
	if err := add(bundleIndex, zip.Deflate, index); err != nil {
		return err
	}
	return z.Close()
}

// bundle is one that is read.
type bundle struct {
	z        *zip.ReadCloser
	manifest manifest
	index    *zip.File
	by       string // the name of the key that signed it; empty where none was asked for
	unproven bool   // it is signed, and by whom was not asked
}

// isBundle says whether a file begins as a bundle does.
func isBundle(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	const header = 30
	b := make([]byte, header+len(bundleManifest))
	if _, err := io.ReadFull(f, b); err != nil {
		return false
	}
	return string(b[:4]) == "PK\x03\x04" && string(b[header:]) == bundleManifest
}

// openBundle opens a bundle and checks its signature, where a key is given.
func openBundle(path, trust string) (*bundle, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("bundle %q: %w", path, err)
	}
	b := &bundle{z: z}
	if err := b.read(trust); err != nil {
		z.Close() //nolint:errcheck // it was only read
		return nil, fmt.Errorf("bundle %q: %w", path, err)
	}
	return b, nil
}

func (b *bundle) read(trust string) error {
	var text, signature []byte
	for _, f := range b.z.File {
		var err error
		switch f.Name {
		case bundleManifest:
			text, err = member(f, 1<<20)
		case bundleSignature:
			signature, err = member(f, ed25519.SignatureSize)
		case bundleIndex:
			b.index = f
		default:
			err = fmt.Errorf("%q does not belong in it", f.Name)
		}
		if err != nil {
			return err
		}
	}
	if text == nil || b.index == nil {
		return fmt.Errorf("it is not whole: want %s and %s in it", bundleManifest, bundleIndex)
	}
	b.unproven = signature != nil
	if trust != "" {
		key, err := publicKey(trust)
		if err != nil {
			return err
		}
		if signature == nil {
			return fmt.Errorf("it is not signed, and the key in %q must have signed it", trust)
		}
		if !ed25519.Verify(key, text, signature) {
			return fmt.Errorf("it was not signed by the key in %q, or was changed since", trust)
		}
		b.by, b.unproven = filepath.Base(trust), false
	}
	if err := json.Unmarshal(text, &b.manifest); err != nil {
		return fmt.Errorf("%s: %w", bundleManifest, err)
	}
	if m := b.manifest; m.Schema != bundleSchema || m.Size <= 0 || m.Size > bundleLimit {
		return fmt.Errorf("%s: schema %d, %d bytes: want schema %d and at most %d bytes", bundleManifest, m.Schema, m.Size, bundleSchema, int64(bundleLimit))
	}
	return nil
}

func (b *bundle) signed() string {
	switch {
	case b.by != "":
		return "signed by the key in " + printable(b.by)
	case b.unproven:
		return "signed, but by whom was not asked (--trust FILE)"
	}
	return "not signed"
}

func (b *bundle) close() { _ = b.z.Close() }

// unpack writes the index of the bundle to a file, if it is the one that was packed.
func (b *bundle) unpack(dir, prefix string) (string, error) {
	r, err := b.index.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, b.manifest.Size+1))
	if err == nil {
		if got := hex.EncodeToString(sum.Sum(nil)); n != b.manifest.Size || got != b.manifest.SHA256 {
			err = fmt.Errorf("%s has %d bytes or more with the SHA-256 %s, and %s says %d and %q", bundleIndex, n, got, bundleManifest, b.manifest.Size, b.manifest.SHA256)
		}
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("the bundle was damaged or changed on its way: %w", err)
	}
	return f.Name(), f.Close()
}

func member(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, limit+1)
	n, err := io.ReadFull(r, b)
	if err == nil {
		return nil, fmt.Errorf("%q: larger than %d bytes", f.Name, limit)
	}
	if err != io.ErrUnexpectedEOF && err != io.EOF { //nolint:errorlint // ReadFull returns them as they are
		return nil, fmt.Errorf("%q: %w", f.Name, err)
	}
	return b[:n], nil
}

func pemBlock(path, kind string) ([]byte, error) {
	data, err := readPaper(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, called("%q: no %s in it", path, kind)
	}
	return block.Bytes, nil
}

func privateKey(path string) (ed25519.PrivateKey, error) {
	der, err := pemBlock(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, called("%q: %w", path, err)
	}
	if k, ok := key.(ed25519.PrivateKey); ok {
		return k, nil
	}
	return nil, called("%q: the key is not of Ed25519", path)
}

func publicKey(path string) (ed25519.PublicKey, error) {
	der, err := pemBlock(path, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, called("%q: %w", path, err)
	}
	if k, ok := key.(ed25519.PublicKey); ok {
		return k, nil
	}
	return nil, called("%q: the key is not of Ed25519", path)
}

// snapshot writes what the program carries of the index.
func (c *dbExportCommand) snapshot(w *world) error {
	path, _, err := c.path(w)
	if err != nil {
		return err
	}
	x, err := advisory.OpenFile(path)
	if err != nil {
		return fmt.Errorf(`no index to export: %w: run "vesalius db update" or "vesalius db import DIR"`, err)
	}
	defer x.Close()
	all, err := signature.All()
	if err != nil {
		return err
	}
	var products []string
	for _, s := range all {
		products = append(products, s.CPEs...)
	}
	var info advisory.Info
	err = writeFile(c.File, func(out io.Writer) error {
		info, err = snapshot.Make(x, products, out)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.out, "%s: a snapshot of %d vulnerabilities of %d products, as of %s\n", c.File, info.Vulnerabilities, info.Products, info.Date.Format(time.DateOnly))
	return err
}
