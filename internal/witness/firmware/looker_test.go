package firmware

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/vesalius-project/vesalius/internal/image"
)

// BenchmarkTrace measures what looking at a content costs, all lookers and the digest
// together, on something like a library: noise, names, messages.
func BenchmarkTrace(b *testing.B) {
	tr, err := newTracer(nil)
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var data bytes.Buffer
	data.WriteString("\x7fELF\x02\x01\x01")
	for data.Len() < 4<<20 {
		for range 900 {
			data.WriteByte(byte(rnd.Uint32()))
		}
		data.WriteString("\x00EVP_PKEY_get_raw_private_key\x00invalid password for %s\x00/etc/ssl/certs\x00-----BEGIN %s-----\x00")
	}
	b.SetBytes(int64(data.Len()))
	for b.Loop() {
		if _, err := tr.trace(image.BytesBlob(data.Bytes()), func(string) *Trace { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
