package firmware

import (
	"testing"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// TestOneKernel holds that a kernel in a partition of its own and the modules of the
// system that it starts are one component, and that two kernels stay two.
func TestOneKernel(t *testing.T) {
	t.Parallel()
	linux := func(root, version, path string) *fact.Component {
		return &fact.Component{Base: fact.Base{Root: root, Places: []fact.Place{{Path: path}}}, Name: "linux", Version: version}
	}
	var s fact.Set
	s.Add(linux("loose", "6.1.90", "/uimage"), linux("loose", "5.4.1", "/rescue"), linux("system", "6.1.90", "/lib/modules/6.1.90"), &fact.Component{Base: fact.Base{Root: "loose"}, Name: "u-boot", Version: "6.1.90"})
	oneKernel(&s)
	got := map[string]int{}
	for _, c := range s.Component {
		got[c.Root+" "+c.Name+" "+c.Version] = len(c.Places)
	}
	want := map[string]int{"system linux 6.1.90": 2, "loose linux 5.4.1": 1, "loose u-boot 6.1.90": 0}
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
	for k, n := range want {
		if have, ok := got[k]; !ok || have != n {
			t.Errorf("%s: %d places, want %d", k, have, n)
		}
	}
}
