// Package remedy mends an image: it applies fixes to a copy, has the copy opened and
// judged again by the whole rulebook, and keeps what stands.
//
// A [Fix] is one mechanical change, applied for one finding to a [Tree], the copy of a
// root. [Run] does all of it: judge, fix, write the image again, judge again, and drop
// what did not hold. A fix stands when its finding turned good, nothing else turned bad,
// and nothing became unknown. [Result.Deliver] writes what a maker takes home: the image,
// the difference, an overlay for Buildroot and a layer for Yocto.
//
// The package never changes its input, and what may touch care is never applied without
// a person's answer.
package remedy

import (
	"errors"
	"fmt"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/judge"
)

// Care says who must agree before a fix is applied.
type Care string

// The cares.
const (
	None     Care = "none"     // it takes away what nobody should use
	Review   Care = "review"   // an engineer reads it: something may depend on what changes
	Clinical Care = "clinical" // it may touch care: bedside login, alarms, emergency access. A named person decides
)

// ErrNoAnchor is what a fix returns (perhaps wrapped) that does not find what it would
// change. It then has changed nothing.
var ErrNoAnchor = errors.New("nothing to change was found")

// Fix is one mechanical change of an image.
type Fix struct {
	ID     string // verb-noun, stable for ever: disable-service
	Title  string
	Care   Care
	Breaks string // what may no longer work afterwards
	Test   string // what a person tests before the image is used
	Apply  func(t *Task) error
}

// Task is one finding to be mended in one root.
type Task struct {
	*Tree
	Finding *judge.Finding
	Rule    *judge.Rule
	Facts   []fact.Fact // what the finding is about
	All     *fact.Set   // everything that was found
	Orders  *Orders     // what cannot be done in the tree

	Verifier func(name string) ([]byte, error) // as [Options] has it

	said []string
}

// Say keeps one sentence about what was changed.
func (t *Task) Say(format string, args ...any) { t.said = append(t.said, fmt.Sprintf(format, args...)) }

// Orders are changes that belong to the build of the device and not to its files.
type Orders struct {
	Kernel map[string]string // options of the kernel's configuration: CONFIG_MODULE_SIG -> y
	Boot   map[string]string // variables of the boot loader's environment; empty removes one
}

// Levels of proof, each above the one before.
const (
	Judged   = "judged"       // the copy was judged again
	Fails    = "attack-fails" // the attempt that worked before no longer does
	Function = "proven"       // and what the device is for still works
)

// Remedy is what became of one fix for one finding.
type Remedy struct {
	Fix     string        `json:"fix"`
	Finding string        `json:"finding"` // id
	Rule    string        `json:"rule,omitzero"`
	Root    string        `json:"root,omitzero"`
	Care    Care          `json:"care,omitzero"`
	Changes []string      `json:"changes,omitempty"` // in words
	Files   []string      `json:"files,omitempty"`   // paths in the root that were changed
	Before  judge.Outcome `json:"before"`
	After   judge.Outcome `json:"after,omitzero"` // empty where it was not applied
	Stands  bool          `json:"stands"`
	Proof   string        `json:"proof,omitzero"` // the level that was reached
	Why     string        `json:"why,omitzero"`   // why it does not stand, or was not applied
	Breaks  string        `json:"breaks,omitzero"`
	Test    string        `json:"test,omitzero"`
	By      string        `json:"by,omitzero"` // who agreed, where somebody had to
}
