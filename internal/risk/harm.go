package risk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// worst is the worst that the device can do in each dimension, and who says so.
type worst map[string]Harm

// harms finds the worst: an answer is believed before the design, the design before what
// the class and the functions suggest, and a default, which says that it is one, comes last.
func harms(set *fact.Set, m *Matrix, answers map[string]Answer) worst {
	out := worst{}
	why := "default, because no device description was given"
	devices := slices.Clone(set.Device)
	order := []fact.Witness{fact.Design, fact.Observation, fact.Live, fact.Firmware, fact.Claimed, fact.Traffic, fact.Test}
	slices.SortStableFunc(devices, func(a, b *fact.Device) int {
		return cmp.Compare(slices.Index(order, a.Source.Witness), slices.Index(order, b.Source.Witness))
	})
	for _, d := range devices {
		if d.Source.Witness == fact.Design {
			why = "default, because the device description does not say it"
		}
	}
	for _, d := range Dimensions() {
		out[d] = Harm{Dimension: d, Severity: m.Harm[d], From: why}
	}
	if h, ok := patientHarm(devices, m); ok {
		out["patient-safety"] = h
	}
	for _, d := range set.Data {
		if d.What != "patient" || d.Source.Witness == fact.Claimed {
			continue
		}
		h := out["privacy"]
		h.Severity, h.From = step(h.Severity, 1), "one step above the default, because patients' data were found"
		if len(d.Places) > 0 {
			h.From += " (" + d.Places[0].String() + ")"
		}
		out["privacy"] = h
		break
	}
	for dim, h := range answeredHarms(answers) {
		out[dim] = h
	}
	return out
}

// patientHarm is what the facts say of the harm to the patient.
func patientHarm(devices []*fact.Device, m *Matrix) (Harm, bool) {
	h := Harm{Dimension: "patient-safety"}
	for _, d := range devices {
		if d.Harm != "" {
			h.Severity, h.From = d.Harm, says(d)+" states it"
			return h, true
		}
	}
	for _, d := range devices {
		for _, f := range d.Functions {
			for _, word := range sortedKeys(m.Functions) {
				if s := m.Functions[word]; strings.Contains(strings.ToLower(f), word) && s > h.Severity {
					h.Severity, h.From = s, fmt.Sprintf("%s states the function %q and no harm", says(d), f)
				}
			}
		}
		if s := m.Class[d.Class]; s > h.Severity {
			h.Severity, h.From = s, fmt.Sprintf("%s states the class %q and no harm", says(d), d.Class)
		}
	}
	return h, h.Severity != ""
}

func says(d *fact.Device) string {
	if d.Source.Witness == fact.Design {
		return "the design (" + d.Source.Input + ")"
	}
	return "the " + string(d.Source.Witness) + " witness"
}

// step moves a severity within S1 to S5.
func step(severity string, by int) string {
	i := slices.Index(severities(), severity)
	if i < 0 {
		return severity
	}
	return severities()[min(max(i+by, 0), 4)]
}

// touched is the harm that an attacker can do who gets the impact of a vector: the whole of
// it where the impact is high, one step less where it is low, none where there is none.
// Wrong or missing function harms the patient and the operation, what is read harms
// privacy and property.
func (w worst) touched(r *reading) []Harm {
	var out []Harm
	for _, d := range Dimensions() {
		n := 0
		switch d {
		case "patient-safety", "operation":
			n = max(r.i, r.a)
		case "privacy", "property":
			n = r.c
		case "finance":
			n = max(r.c, r.i, r.a)
		}
		if n == 0 {
			continue
		}
		h := w[d]
		if n == 1 {
			h.Severity = step(h.Severity, -1)
			h.From += "; one step less, because the weakness gives only a part"
		}
		out = append(out, h)
	}
	if len(out) == 0 {
		h := w["operation"]
		h.Severity, h.From = "S1", "the weakness by itself gives an attacker nothing"
		out = append(out, h)
	}
	return out
}

// requirements are the environmental metrics that the harm makes: what the patient or the
// operation depends on counts more, what can do next to nothing counts less.
func (w worst) requirements() map[string]string {
	need := func(dims ...string) string {
		s := ""
		for _, d := range dims {
			s = max(s, w[d].Severity)
		}
		switch {
		case s >= "S4":
			return "H"
		case s <= "S1":
			return "L"
		}
		return "M"
	}
	out := map[string]string{}
	for metric, v := range map[string]string{
		"CR": need("privacy", "property"), "IR": need("patient-safety", "operation"), "AR": need("patient-safety", "operation"),
	} {
		if v != "M" { // medium is what the standard takes where nothing is said
			out[metric] = v
		}
	}
	return out
}
