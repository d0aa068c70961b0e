package component

import "github.com/vesalius-project/vesalius/internal/image"

// record is a build record that compilers leave in binaries: it names components itself,
// without a signature.
type record struct {
	literal string
	again   bool // there may be several in one content
	read    func(b *image.Blob, at int64) []Evidence
}

// records lists the build records.
var records = []record{}
