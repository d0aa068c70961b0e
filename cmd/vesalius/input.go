package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vesalius-project/vesalius/internal/dossier"
)

// bytesFlag is a size on the command line: 512M, 64G, 4096.
type bytesFlag int64

// UnmarshalText is how the command line reads it.
func (b *bytesFlag) UnmarshalText(text []byte) error {
	s := strings.TrimSuffix(strings.ToUpper(string(text)), "B")
	s = strings.TrimSuffix(s, "I")
	shift := 0
	if i := strings.IndexByte("KMGT", last(s)); i >= 0 {
		shift, s = 10*(i+1), s[:len(s)-1]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return fmt.Errorf("size %q: want a number with K, M, G or T behind it", text)
	}
	*b = bytesFlag(n << shift)
	return nil
}

func last(s string) byte {
	if s == "" {
		return ' '
	}
	return s[len(s)-1]
}

// date is the date of an assessment.
func date(w *world, at string) (time.Time, error) {
	switch {
	case at != "":
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(layout, at); err == nil {
				return t.UTC(), nil
			}
		}
		return time.Time{}, called("--at %q: want a date as 2026-11-24 or 2026-11-24T10:00:00Z", at)
	case w.epoch != "":
		n, err := strconv.ParseInt(w.epoch, 10, 64)
		if err != nil {
			return time.Time{}, called("SOURCE_DATE_EPOCH %q: want seconds since 1970", w.epoch)
		}
		return time.Unix(n, 0).UTC(), nil
	}
	return w.now.UTC().Truncate(time.Second), nil
}

// temporary makes a file that has no name any more, where the system allows that.
func temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "vesalius-*")
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" {
		if err := os.Remove(f.Name()); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// maxPaper bounds the papers that come with a device.
const maxPaper = 256 << 20

func readPaper(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(f, maxPaper+1))
	if err != nil {
		return nil, err
	}
	if n > maxPaper {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxPaper)
	}
	return []byte(b.String()), nil
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// readDossier reads the dossier at a path; - is standard input.
func readDossier(path string) (*dossier.Dossier, error) {
	if path == "-" {
		return dossier.Read(os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := dossier.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}
