package risk

// environment is what answers make of vectors.
type environment map[string]map[string]string // about: metrics

func environmentOf([]Answer) environment { return environment{} }

// of gives the metrics for what something is about: the device's, and its own before them.
func (e environment) of(about ...string) map[string]string {
	out := map[string]string{}
	for _, k := range append([]string{""}, about...) {
		for name, v := range e[k] {
			out[name] = v
		}
	}
	return out
}

func answeredHarms([]Answer, worst) map[string]Harm { return nil }
