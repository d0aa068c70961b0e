package supply

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gofrs/flock"
)

// Lock makes this process the only one that changes what belongs to path: the lock is a
// file beside it, PATH.lock, that the system holds for a living process only, so that a
// dead owner's is taken over. It returns the way to let go, or an error that names who
// holds it. who is what the next one is told, on one line.
func Lock(path, who string) (release func(), err error) {
	file := path + ".lock"
	l := flock.New(file)
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if !ok {
		_ = l.Close()
		return nil, fmt.Errorf("%s: another process is at work on it: %s", path, owner(file))
	}
	_ = os.WriteFile(file, []byte(who+"\n"), 0o644) // only to tell others
	return func() { _ = l.Unlock() }, nil
}

func owner(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	b := make([]byte, 200)
	n, err := io.ReadFull(f, b)
	if n == 0 && err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	return fmt.Sprintf("%q", line)
}
