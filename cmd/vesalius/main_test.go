package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the transcripts run the program, and the program itself as its own walled
// child.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == walledWord {
		os.Exit(walledMain())
	}
	if len(os.Args) == 2 && os.Args[1] == walledFixWord {
		os.Exit(walledFixMain())
	}
	testscript.Main(m, map[string]func(){"vesalius": func() {
		os.Exit(run(&world{
			ctx: context.Background(), out: os.Stdout, err: os.Stderr,
			now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), epoch: os.Getenv("SOURCE_DATE_EPOCH"), build: "test",
			data: dataDir(), db: os.Getenv("VESALIUS_DB"), nvdKey: os.Getenv("NVD_API_KEY"), local: true,
		}, os.Args[1:]))
	}})
}

// TestScripts runs the transcripts of testdata: each is a promise of a command.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"publish": publish, "keypair": keypair, "debian-root": debianRoot, "same-dossier": sameDossier},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			snapshot, err := filepath.Abs("../../internal/advisory/snapshot/snapshot.index")
			e.Setenv("SNAPSHOT", snapshot)
			return err
		},
		Condition: onDebian,
	})
}
