// Package wall keeps hostile input inside: the process that reads it gives up its own
// rights before it reads the first byte.
//
// The parent opens what the job needs (input, spill file, cache), starts its own program
// again with [Start] and hands the open files over. The child calls [Raise], which takes
// away the file system, the network, new programs and core dumps, and says which of these
// walls stand on this kernel. It then works on the files it was given and writes its
// result to the pipe it was given. Where a wall is missing the report says so; nothing is
// silently weaker.
package wall

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Wall is one right that was given up, or could not be.
type Wall struct {
	Name   string `json:"name"`          // files, network, sockets-and-programs, core-dumps, spill-size
	Stands bool   `json:"stands"`        // whether the right is gone
	By     string `json:"by,omitempty"`  // what took it: landlock ABI 7, seccomp, rlimit
	Why    string `json:"why,omitempty"` // why not, where it does not stand
}

// Rights are what a walled process keeps.
type Rights struct {
	ReadDirs  []string // directories of the machine that are the input
	WriteDirs []string // directories that the job writes into, and may do all in
	SpillSize int64    // bytes that the spill file may reach
}

// Start runs the program exe with args, walled by itself (the program must call Raise
// before anything else). files become the descriptors 3, 4, ... of the child. It returns
// when the child has ended; the error names a child that died.
func Start(ctx context.Context, exe string, args []string, env []string, files []*os.File, stdin io.Reader, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = env
	cmd.Stdin = stdin
	cmd.Stderr = stderr
	cmd.ExtraFiles = files
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("walled process: %w", err)
	}
	return nil
}
