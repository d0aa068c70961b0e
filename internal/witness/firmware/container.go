package firmware

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

// Container is what an image of a container says of how it is run.
type Container struct {
	Name         string   // repository and tag
	Entrypoint   []string // with Command the command line that is started
	Command      []string
	User         string
	Environment  []string
	ExposedPorts []string // tcp/443
}

// ociConfig is what we read of an image's configuration, in the spelling of both docker
// save and the OCI image specification.
type ociConfig struct {
	Config struct {
		User         string              `json:"User"`
		Env          []string            `json:"Env"`
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	} `json:"config"`
}

// bundle is one container image inside an archive: its layers' archives, lowest first.
type bundle struct {
	Container
	layers []string // paths in the archive
	config string
}

// bundles reads the manifests of an archive that docker save or an OCI tool wrote; none
// where it is no such archive.
func (c *collector) bundles(l *image.Layer) []bundle {
	text := func(p string) (string, bool) {
		for _, n := range l.Nodes {
			if n.Path == p {
				return (&File{Node: n, Trace: c.traces[n]}).Text()
			}
		}
		return "", false
	}
	var out []bundle
	if s, ok := text("/manifest.json"); ok {
		var manifest []struct {
			Config   string
			RepoTags []string
			Layers   []string
		}
		if json.Unmarshal([]byte(s), &manifest) == nil {
			for _, m := range manifest {
				b := bundle{config: path.Join("/", m.Config)}
				if len(m.RepoTags) > 0 {
					b.Name = m.RepoTags[0]
				}
				for _, p := range m.Layers {
					b.layers = append(b.layers, path.Join("/", p))
				}
				out = append(out, b)
			}
		}
	}
	if s, ok := text("/index.json"); ok && len(out) == 0 {
		out = ociBundles(s, text, 0)
	}
	for i := range out {
		out[i].configure(text)
	}
	return out
}

// ociBundles follows an OCI index to its manifests.
func ociBundles(index string, text func(string) (string, bool), depth int) []bundle {
	type descriptor struct {
		Digest      string            `json:"digest"`
		Annotations map[string]string `json:"annotations"`
	}
	var doc struct {
		Manifests []descriptor `json:"manifests"`
		Config    descriptor   `json:"config"`
		Layers    []descriptor `json:"layers"`
	}
	if json.Unmarshal([]byte(index), &doc) != nil || depth > 3 {
		return nil
	}
	blob := func(digest string) string { return "/blobs/" + strings.Replace(digest, ":", "/", 1) }
	if len(doc.Layers) > 0 {
		b := bundle{config: blob(doc.Config.Digest)}
		for _, d := range doc.Layers {
			b.layers = append(b.layers, blob(d.Digest))
		}
		return []bundle{b}
	}
	var out []bundle
	for _, m := range doc.Manifests {
		s, ok := text(blob(m.Digest))
		if !ok {
			continue
		}
		below := ociBundles(s, text, depth+1)
		for i := range below {
			if below[i].Name == "" {
				below[i].Name = m.Annotations["org.opencontainers.image.ref.name"]
			}
		}
		out = append(out, below...)
	}
	return out
}

func (b *bundle) configure(text func(string) (string, bool)) {
	s, ok := text(b.config)
	var conf ociConfig
	if !ok || json.Unmarshal([]byte(s), &conf) != nil {
		return
	}
	b.Entrypoint, b.Command = conf.Config.Entrypoint, conf.Config.Cmd
	b.User, b.Environment = conf.Config.User, conf.Config.Env
	for p := range conf.Config.ExposedPorts {
		port, transport, ok := strings.Cut(p, "/")
		if !ok {
			transport = "tcp"
		}
		b.ExposedPorts = append(b.ExposedPorts, transport+"/"+port)
	}
	slices.Sort(b.ExposedPorts)
}

// stack lays the files of a container's layers over each other, lowest first: later ones
// replace earlier ones, whiteouts remove them.
func (c *collector) stack(layers []*image.Layer) []*File {
	have := map[string]*File{}
	drop := func(under string) {
		for p := range have {
			if strings.HasPrefix(p, under) {
				delete(have, p)
			}
		}
	}
	for _, l := range layers {
		// Whiteouts speak of the layers below, wherever they stand in this one.
		for _, n := range l.Nodes {
			dir, base := path.Split(n.Path)
			if base == ".wh..wh..opq" {
				drop(dir)
			} else if name, ok := strings.CutPrefix(base, ".wh."); ok {
				delete(have, dir+name)
				drop(dir + name + "/")
			}
		}
		for _, n := range l.Nodes {
			if !strings.HasPrefix(path.Base(n.Path), ".wh.") {
				have[n.Path] = &File{Path: n.Path, Node: n, Trace: c.traces[n], layer: l}
			}
		}
	}
	out := make([]*File, 0, len(have))
	for _, f := range have {
		out = append(out, f)
	}
	return out // newRoot sorts
}
