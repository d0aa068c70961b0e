//go:build !linux

package wall

import "runtime"

// Raise takes nothing away on this system, and says so.
func Raise(Rights) []Wall {
	var out []Wall
	for _, name := range []string{"files", "network", "sockets-and-programs", "core-dumps", "spill-size"} {
		out = append(out, Wall{Name: name, Why: "not available on " + runtime.GOOS})
	}
	return out
}
