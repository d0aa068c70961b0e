package component

func (g *merger) packages(list []Package) {}
