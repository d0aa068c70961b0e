// Package fix holds the mechanical changes that mend an image, one file for each subject.
//
// A fix finds what it would change by the places of the facts and by the image's own
// syntax; where it does not find it, it changes nothing and says so. It knows no image
// format and does not judge: whether it held is for package remedy to show.
package fix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

// fixes is every fix, by its id.
var fixes = []remedy.Fix{
	addFirewall,
	bindLoopback,
	confineService,
	disableRule,
	disableService,
	dropPrivileges,
	enableClinicalTLS,
	enableLockout,
	enableLogging,
	enableRateLimit,
	enableTLS,
	enableTime,
	enableVerification,
	extractSecret,
	lockAccount,
	provisionKey,
	regenerateKey,
	removeAccount,
	removeAuthorized,
	removeFile,
	requireNewPassword,
	restrictMode,
	setBootEnvironment,
	setMountOption,
	setSetting,
	strip,
	wrapSignedUpdate,
}

// All returns every fix.
func All() []remedy.Fix { return slices.Clone(fixes) }

// none is the error of a fix that does not find what it would change.
func none(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), remedy.ErrNoAnchor)
}

// of returns the facts of one kind that a task is about.
func of[F fact.Fact](t *remedy.Task) []F {
	var out []F
	for _, f := range t.Facts {
		if x, ok := f.(F); ok {
			out = append(out, x)
		}
	}
	return out
}

// lines splits a text into its lines, each with its end.
func lines(text string) []string { return strings.SplitAfter(text, "\n") }

// rewrite changes the lines of a text file: change returns what becomes of a line, given
// without its end, and whether it is another; a nil slice takes the line away.
func rewrite(t *remedy.Task, path string, change func(number int, line string) ([]string, bool)) (changed int, err error) {
	text, err := t.Text(path)
	if err != nil {
		return 0, err
	}
	var b strings.Builder
	for i, l := range lines(text) {
		body, end := strings.TrimSuffix(l, "\n"), ""
		if body != l {
			end = "\n"
		}
		if body == "" && end == "" {
			continue
		}
		now, other := change(i+1, body)
		if !other {
			b.WriteString(l)
			continue
		}
		changed++
		for _, n := range now {
			b.WriteString(n + "\n")
		}
	}
	if changed == 0 {
		return 0, nil
	}
	return changed, t.Write(path, []byte(b.String()), 0o644)
}
