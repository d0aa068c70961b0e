package firmware

import (
	"encoding/binary"
	"encoding/json"
	"sync/atomic"

	"github.com/vesalius-project/vesalius/internal/cache"
	"github.com/vesalius-project/vesalius/internal/image"
)

// memory is what earlier scans know of contents: the trace of a content by its digest,
// and the digest by the compressed bytes, where a container lets them be read by
// themselves. Only contents that hold nothing to open are remembered by their compressed
// bytes, because such files are neither read nor opened again.
type memory struct {
	store   *cache.Store
	version string

	hits, misses atomic.Int64
}

func newMemory(s *cache.Store, version string) *memory { return &memory{store: s, version: version} }

func (m *memory) byContent(digest string) cache.Key {
	return cache.KeyOf("trace", m.version, digest)
}

func (m *memory) byExtent(l *image.Layer, extent [32]byte) cache.Key {
	return cache.KeyOf("extent", m.version, l.Format.Name, l.Attributes["compression"], string(extent[:]))
}

// trace returns what is known of a content by its digest, or nil.
func (m *memory) trace(digest string) *Trace {
	if m.store == nil {
		return nil
	}
	if v, ok := m.store.Get(m.byContent(digest)); ok {
		if t := unpack(v); t != nil && t.SHA256 == digest {
			m.hits.Add(1)
			return t
		}
	}
	m.misses.Add(1)
	return nil
}

// pack writes a trace as a value of the cache: the length of its JSON, that, and the text
// as it is, which is most of it.
func pack(t *Trace) ([]byte, error) {
	lean := *t
	lean.Text = nil
	b, err := json.Marshal(&lean)
	if err != nil {
		return nil, err
	}
	v := binary.BigEndian.AppendUint32(nil, uint32(len(b)))
	v = append(v, b...)
	if t.Text != nil {
		v = append(append(v, textFollows), *t.Text...)
	}
	return v, nil
}

// textFollows stands before the text of a trace, which may be empty.
const textFollows = 't'

// unpack reads what pack wrote; nil where it is something else.
func unpack(v []byte) *Trace {
	if len(v) < 4 {
		return nil
	}
	n := binary.BigEndian.Uint32(v)
	v = v[4:]
	t := new(Trace)
	if uint64(n) > uint64(len(v)) || json.Unmarshal(v[:n], t) != nil {
		return nil
	}
	if v = v[n:]; len(v) > 0 {
		text := string(v[1:])
		t.Text = &text
	}
	t.Shown = t.shared()
	return t
}

// Skip is part of image.Skipper: contents whose compressed bytes are known are not read.
func (c *collector) Skip(l *image.Layer, nodes []*image.Node, extent [32]byte) bool {
	m := c.memory
	if m.store == nil {
		return false
	}
	if v, ok := m.store.Get(m.byExtent(l, extent)); ok {
		if w, ok := m.store.Get(m.byContent(string(v))); ok {
			if t := unpack(w); t != nil && t.SHA256 == string(v) && t.Size == nodes[0].Size {
				m.hits.Add(1)
				c.mu.Lock()
				defer c.mu.Unlock()
				c.keep(nodes, t)
				return true
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extents == nil {
		c.extents = map[*image.Node]cache.Key{}
	}
	c.extents[nodes[0]] = m.byExtent(l, extent)
	return false
}

// remember gives the cache what this scan saw.
func (c *collector) remember(im *image.Image) {
	m := c.memory
	if m.store == nil {
		return
	}
	holds := map[*image.Node]bool{}
	for _, l := range im.Layers {
		holds[l.Node] = true
	}
	gaps := map[string]bool{}
	for _, g := range im.Gaps {
		g.Place.Offset = 0
		gaps[g.Place.String()] = true
	}
	done := map[string]bool{}
	for _, l := range im.Layers {
		for _, n := range l.Nodes {
			t := c.traces[n]
			if t == nil {
				continue
			}
			if !done[t.SHA256] && (t.Text != nil || t.Type != "text" && t.Type != "script" || t.Size > MaxText || seldom(n.Path)) {
				done[t.SHA256] = true
				if k := m.byContent(t.SHA256); !m.store.Knows(k) {
					if v, err := pack(t); err == nil {
						m.store.Put(k, v)
					}
				}
			}
			if k, ok := c.extents[n]; ok && !holds[n] && !gaps[l.PlaceOf(n.Path).String()] {
				m.store.Put(k, []byte(t.SHA256))
			}
		}
	}
}
