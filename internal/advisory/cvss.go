package advisory

import "strings"

// The base metrics of a CVSS vector are few letters in a fixed order: the index holds them
// as one small number. A vector that says more, or says it otherwise, stays a string.

type metric struct{ name, values string }

type scheme struct {
	prefix  string
	metrics []metric
}

func schemes() [4]scheme {
	three := []metric{{"AV", "NALP"}, {"AC", "LH"}, {"PR", "NLH"}, {"UI", "NR"}, {"S", "UC"}, {"C", "NLH"}, {"I", "NLH"}, {"A", "NLH"}}
	return [4]scheme{
		{"", []metric{{"AV", "LAN"}, {"AC", "HML"}, {"Au", "MSN"}, {"C", "NPC"}, {"I", "NPC"}, {"A", "NPC"}}},
		{"CVSS:3.0", three},
		{"CVSS:3.1", three},
		{"CVSS:4.0", []metric{{"AV", "NALP"}, {"AC", "LH"}, {"AT", "NP"}, {"PR", "NLH"}, {"UI", "NPA"}, {"VC", "HLN"},
			{"VI", "HLN"}, {"VA", "HLN"}, {"SC", "HLN"}, {"SI", "HLN"}, {"SA", "HLN"}}},
	}
}

// vectors writes and reads vectors; it is made once for each index or builder.
type vectors [4]scheme

// pack gives the vector's number; not ok where it has none.
func (v *vectors) pack(vector string) (uint64, bool) {
	for i, s := range v {
		rest := vector
		if s.prefix != "" {
			after, ok := strings.CutPrefix(vector, s.prefix+"/")
			if !ok {
				continue
			}
			rest = after
		}
		var code uint64
		for j, m := range s.metrics {
			if j > 0 {
				if rest == "" || rest[0] != '/' {
					return 0, false
				}
				rest = rest[1:]
			}
			if len(rest) < len(m.name)+2 || rest[:len(m.name)] != m.name || rest[len(m.name)] != ':' {
				code = 0
				rest = "no"
				break
			}
			at := strings.IndexByte(m.values, rest[len(m.name)+1])
			if at < 0 {
				return 0, false
			}
			code = code*uint64(len(m.values)) + uint64(at)
			rest = rest[len(m.name)+2:]
		}
		if rest == "" {
			return code*4 + uint64(i), true
		}
	}
	return 0, false
}

// unpack gives the vector of a number, or "" where there is none of it.
func (v *vectors) unpack(code uint64) string {
	s := v[code%4]
	code /= 4
	var at [11]byte
	for i := len(s.metrics) - 1; i >= 0; i-- {
		n := uint64(len(s.metrics[i].values))
		at[i] = s.metrics[i].values[code%n]
		code /= n
	}
	if code != 0 {
		return ""
	}
	b := make([]byte, 0, 64)
	b = append(b, s.prefix...)
	for i, m := range s.metrics {
		if len(b) > 0 {
			b = append(b, '/')
		}
		b = append(append(b, m.name...), ':', at[i])
	}
	return string(b)
}
