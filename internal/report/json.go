package report

import (
	"io"

	"github.com/vesalius-project/vesalius/internal/dossier"
)

var jsonForm = Form{
	Name:  "json",
	Title: "the dossier itself",
	MIME:  "application/json",
	write: func(w io.Writer, d *dossier.Dossier, _ Options) error { return d.Write(w) },
}
