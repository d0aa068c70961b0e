// Package report makes readable and exchangeable forms of a dossier: text, HTML, JSON,
// SARIF, JUnit, CycloneDX, SPDX, OpenVEX, CSAF and CSV.
//
// A [Form] is one file and one line of the list in this file. All forms are made from the
// dossier alone, and the same dossier gives the same bytes. What came from an input never
// reaches a form as it is: text holds no control characters, HTML is escaped by context,
// cells of tables are no formulas. Nothing is judged here.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/dossier"
)

// Form is one way to write a dossier.
type Form struct {
	Name  string // as the command line says it
	Title string
	MIME  string
	write func(w io.Writer, d *dossier.Dossier, o Options) error
}

// Write writes the dossier in the form, after it has put the dossier into its one order.
func (f Form) Write(w io.Writer, d *dossier.Dossier, o Options) error {
	d.Sort()
	return f.write(w, d, o)
}

// Options say how a form is written. Forms for machines look at none of them, but for
// Change.
type Options struct {
	Color  bool                // the reader is a terminal that shows colours
	Width  int                 // columns of the terminal; 0 is 80
	Change *dossier.Difference // what changed up to this dossier: SARIF then says of each result whether it is new; may be nil
}

// forms, in the order in which they are offered.
var forms = []Form{
	text,
	html,
	jsonForm,
	sarif,
	junit,
	cyclonedx,
	spdx,
	openvex,
	csaf,
	cyclonedxVEX,
	csvFindings,
	csvComponents,
	fdaSupport,
	csvVulnerabilities,
	fdaVulnerabilities,
	sbomCheck,
}

// Forms returns every form.
func Forms() []Form { return slices.Clone(forms) }

// Find returns the form of the name.
func Find(name string) (Form, error) {
	names := make([]string, len(forms))
	for i, f := range forms {
		if f.Name == name {
			return f, nil
		}
		names[i] = f.Name
	}
	return Form{}, fmt.Errorf("report: no form %q: use one of %s", name, strings.Join(names, ", "))
}
