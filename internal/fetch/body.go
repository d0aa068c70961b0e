package fetch

import (
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// watcher ends a transfer that brings too little in some window of time.
type watcher struct {
	n     atomic.Int64 // bytes so far
	over  atomic.Bool
	timer *time.Timer
}

func watch(window time.Duration, least int64, end func()) *watcher {
	w := &watcher{}
	var seen int64
	ready := make(chan struct{})
	w.timer = time.AfterFunc(window, func() {
		<-ready
		n := w.n.Load()
		if n-seen < least {
			w.over.Store(true)
			end()
			return
		}
		seen = n
		w.timer.Reset(window)
	})
	close(ready)
	return w
}

func (w *watcher) stop()      { w.timer.Stop() }
func (w *watcher) slow() bool { return w.over.Load() }

type watchedReader struct {
	r io.Reader
	w *watcher
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.w.n.Add(int64(n))
	return n, err
}

func gunzip(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }

// verify reads the whole of r and holds it against the digests that are asked for. It
// returns the SHA-256.
func verify(r io.Reader, want Request) (string, error) {
	sum256, sum512 := sha256.New(), sha512.New()
	w := io.Writer(sum256)
	if want.SHA512 != "" {
		w = io.MultiWriter(sum256, sum512)
	}
	if _, err := io.Copy(w, r); err != nil {
		return "", err
	}
	for _, s := range []struct {
		name, want string
		sum        hash.Hash
	}{{"SHA-256", want.SHA256, sum256}, {"SHA-512", want.SHA512, sum512}} {
		if got := hex.EncodeToString(s.sum.Sum(nil)); s.want != "" && !strings.EqualFold(got, s.want) {
			return "", fmt.Errorf("its %s is %s, and its source says %q", s.name, got, strings.ToLower(s.want))
		}
	}
	return hex.EncodeToString(sum256.Sum(nil)), nil
}
