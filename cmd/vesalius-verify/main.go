// Command vesalius-verify says whether an update may be installed: signed by the maker,
// for this product, and not older than what was installed before. It stands in a device
// beside a home-made updater, which asks it before it installs; see doc/fixes.md.
//
//	vesalius-verify KEY PRODUCT LOWEST FILE SIGNATURE
//
// KEY is a file with the maker's Ed25519 public key, PRODUCT one with the name of the
// product, LOWEST one with the lowest version that is admitted (a file that is not there
// admits none: it is made with the image). SIGNATURE is a file of these lines:
//
//	vesalius-update 1
//	product NAME
//	version NUMBER
//	sha256 HEX
//	signature BASE64, of all the lines above, their ends included
//
// It prints the version and ends with 0 where FILE may be installed; else it says why not
// and ends with 1. It is small and static: it has no other dependency than the kernel.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxText bounds the small files.
const maxText = 4096

func main() {
	if len(os.Args) != 6 {
		stop(errors.New("called wrongly: want KEY PRODUCT LOWEST FILE SIGNATURE"))
	}
	version, err := verify(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	if err != nil {
		stop(err)
	}
	_, _ = os.Stdout.WriteString(strconv.FormatUint(version, 10) + "\n")
}

func stop(err error) {
	_, _ = os.Stderr.WriteString("update refused: " + err.Error() + "\n")
	os.Exit(1)
}

// verify returns the version of a file that may be installed.
func verify(key, product, lowest, file, signature string) (uint64, error) {
	k, err := text(key)
	if err != nil {
		return 0, err
	}
	public, err := base64.StdEncoding.DecodeString(strings.TrimSpace(k))
	if err != nil || len(public) != ed25519.PublicKeySize {
		return 0, errors.New("the maker's key is no Ed25519 public key in base64")
	}
	statement, err := text(signature)
	if err != nil {
		return 0, err
	}
	head, last, ok := strings.Cut(statement, "signature ")
	sig, err := base64.StdEncoding.DecodeString(strings.TrimSpace(last))
	if !ok || err != nil || !ed25519.Verify(public, []byte(head), sig) {
		return 0, errors.New("the signature is not the maker's")
	}
	line := strings.Split(head, "\n")
	if len(line) != 5 || line[0] != "vesalius-update 1" || line[4] != "" {
		return 0, errors.New("the signed statement has another form")
	}
	name, err := text(product)
	if err != nil {
		return 0, err
	}
	if line[1] != "product "+strings.TrimSpace(name) || strings.TrimSpace(name) == "" {
		return 0, errors.New("the update is for another product")
	}
	version, err := strconv.ParseUint(strings.TrimPrefix(line[2], "version "), 10, 31)
	if err != nil {
		return 0, errors.New("the update has no version")
	}
	low, err := text(lowest)
	if err != nil {
		return 0, err
	}
	least, err := strconv.ParseUint(strings.TrimSpace(low), 10, 31)
	if err != nil || version < least {
		return 0, errors.New("the update is older than what is admitted")
	}
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return 0, err
	}
	want, err := hex.DecodeString(strings.TrimPrefix(line[3], "sha256 "))
	if err != nil || !bytes.Equal(want, h.Sum(nil)) {
		return 0, errors.New("the file is not the one that was signed")
	}
	return version, nil
}

// text reads a small file.
func text(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, maxText+1)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	if n > maxText {
		return "", errors.New(name + ": too long")
	}
	return string(b[:n]), nil
}
