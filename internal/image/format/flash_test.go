package format

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vesalius-project/vesalius/internal/budget"
	"github.com/vesalius-project/vesalius/internal/image"
)

// repair makes the checksums of an image right again, so that a change reaches what lies
// behind them.
type repair func(p []byte)

func repairUBIFS(p []byte) {
	for at := 0; at+ubifsHead <= len(p); at += 8 {
		if string(p[at:at+4]) != ubifsMagic {
			continue
		}
		if n := int(binary.LittleEndian.Uint32(p[at+16:])); n >= ubifsHead && n <= min(len(p)-at, ubifsMostNode) {
			binary.LittleEndian.PutUint32(p[at+4:], ubiSum(p[at+8:at+n]))
		}
	}
}

func repairUBI(p []byte) {
	for at := 0; at+ubiHeader <= len(p); at += ubiHeader {
		if bytes.HasPrefix(p[at:], []byte("UBI#")) || bytes.HasPrefix(p[at:], []byte("UBI!")) {
			binary.BigEndian.PutUint32(p[at+60:], ubiSum(p[at:at+60]))
		}
	}
}

func repairJFFS2(p []byte) {
	le := binary.LittleEndian
	for at := 0; at+68 <= len(p); at += 4 {
		if le.Uint16(p[at:]) != 0x1985 {
			continue
		}
		n := p[at:][:min(int(le.Uint32(p[at+4:])), len(p)-at)]
		le.PutUint32(p[at+8:], jffs2Sum(p[at:at+8]))
		switch kind := le.Uint16(p[at+2:]); {
		case kind == jffs2Inode && len(n) >= 68:
			le.PutUint32(n[60:], jffs2Sum(n[68:min(len(n), 68+int(le.Uint32(n[48:])))]))
			le.PutUint32(n[64:], jffs2Sum(n[:60]))
		case kind == jffs2Dirent && len(n) >= 40:
			le.PutUint32(n[36:], jffs2Sum(n[40:min(len(n), 40+int(n[28]))]))
			le.PutUint32(n[32:], jffs2Sum(n[:32]))
		case kind == jffs2Xattr && len(n) >= 32:
			le.PutUint32(n[28:], jffs2Sum(n[:28]))
		}
	}
}

// TestChangedOnPurpose promises that what a checksum guards is not trusted either: a
// change with the checksum made right again gives no panic, no hang, and paths that stay
// inside. Blind fuzzing does not get past the checksums.
func TestChangedOnPurpose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format *image.Format
		sample string
		repair repair
	}{
		{ubifs, "ubifs/lzo.img.packed", repairUBIFS},
		{ubifs, "ubifs/journal.img.packed", repairUBIFS},
		{ubi, "ubi/shuffled.ubi.packed", repairUBI},
		{jffs2, "jffs2/zlib.img.packed", repairJFFS2},
		{jffs2, "jffs2/used.img.packed", repairJFFS2},
	} {
		t.Run(c.sample, func(t *testing.T) {
			t.Parallel()
			whole := sample(t, filepath.Join("testdata", c.sample))
			var used []int // most of a flash is empty
			for i, b := range whole {
				if b != 0xff && b != 0 {
					used = append(used, i)
				}
			}
			random := rand.New(rand.NewPCG(1, 2))
			opened := 0
			for range 300 {
				p := bytes.Clone(whole)
				for range 1 + random.IntN(6) {
					at := used[random.IntN(len(used))]
					switch random.IntN(3) {
					case 0:
						p[at] = byte(random.IntN(256))
					case 1:
						p[at] ^= 1 << random.IntN(8)
					default:
						copy(p[at:], p[used[random.IntN(len(used))]:][:min(8, len(p)-at)])
					}
				}
				c.repair(p)
				b := budget.New(budget.Limits{Bytes: 64 << 20, Files: 10_000, FileSize: 16 << 20})
				got, err := c.format.Open(&image.Input{Blob: image.BytesBlob(p), Budget: b})
				if err != nil {
					continue
				}
				opened++
				for _, n := range got.Nodes {
					if !strings.HasPrefix(n.Path, "/") || n.Path != cleaned(n.Path) {
						t.Fatalf("path %q", n.Path)
					}
					drain(n.Data, n.Stream, n.Size)
				}
				for _, part := range got.Parts {
					drain(part.Blob, part.Stream, 16<<20)
				}
			}
			if opened < 100 {
				t.Errorf("%d of 300 opened: the change does not reach what it should", opened)
			}
		})
	}
}
