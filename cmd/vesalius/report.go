package main

type reportCommand struct {
	From string `arg:"" name:"dossier" help:"The dossier; - is standard input."`

	output
}

// Run makes a report of a dossier.
func (c *reportCommand) Run(w *world) error {
	form, err := c.form()
	if err != nil {
		return err
	}
	d, err := readDossier(c.From)
	if err != nil {
		return err
	}
	return c.write(w, form, d, nil)
}
