// Command vesalius opens connected medical devices, to see whether what is claimed of them
// is so. Each command is one file here; testdata holds their transcripts, which are the
// manual as well.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

// Exit codes, as the help says them.
const (
	exitGood   = 0 // nothing bad at or above the level
	exitBlind  = 1 // could not look
	exitCalled = 2 // called wrongly
	exitBad    = 3 // something bad, or rejected by the policy
)

// badError ends a command that did its work and found something bad.
type badError struct{ why string }

func (e badError) Error() string { return e.why }

// calledError is a call that cannot be meant.
type calledError struct{ error }

func called(format string, args ...any) error { return calledError{fmt.Errorf(format, args...)} }

// world is what a command may use of the machine: the standard streams, the clock, the
// environment.
type world struct {
	ctx    context.Context
	out    io.Writer
	err    io.Writer
	now    time.Time
	epoch  string // SOURCE_DATE_EPOCH
	cache  string // the user's directory for caches, empty where there is none
	data   string // the user's directory for data, empty where there is none
	db     string // VESALIUS_DB
	nvdKey string // NVD_API_KEY
	local  bool   // of tests: what is fetched may come from this machine, by http
	build  string // what tells this build of the program from others
	color  bool   // out is a terminal that shows colours
	width  int    // of the terminal, 0 where out is none
	screen bool   // err is a terminal: progress may be shown
}

type commands struct {
	Scan       scanCommand       `cmd:"" help:"Open a firmware image, an archive or a directory, and say what is really inside."`
	Fix        fixCommand        `cmd:"" help:"Mend what can be mended on a copy of an image, judge the copy, and deliver what holds."`
	Controls   controlsCommand   `cmd:"" help:"Make firewall rules and a list of flows for a device that cannot be changed: what may pass, and nothing else."`
	Diff       diffCommand       `cmd:"" help:"Say what changed between two releases: findings, components, services, accounts, secrets."`
	Judge      judgeCommand      `cmd:"" help:"Judge dossiers of one device together, by the rules and a policy."`
	Claims     claimsCommand     `cmd:"" help:"Say what the vendor's papers claim, and what in them does not fit together; fill a form from evidence."`
	Report     reportCommand     `cmd:"" help:"Make a report of a dossier."`
	Risk       riskCommand       `cmd:"" help:"Say what the device can do to the patient, the data and the clinic, and ask what the facts cannot answer."`
	Explain    explainCommand    `cmd:"" help:"Say why a rule matters and how to mend it, or what is known of a vulnerability."`
	Rules      rulesCommand      `cmd:"" help:"List the rules."`
	Formats    formatsCommand    `cmd:"" help:"List the formats that are opened, and the forms of reports."`
	Signatures signaturesCommand `cmd:"" help:"List the products that are known in binaries."`
	DB         dbCommand         `cmd:"" name:"db" help:"Vulnerability intelligence: update it, carry it over an air gap, see how old it is."`
	Units      unitsCommand      `cmd:"" help:"Match a hospital's inventory of devices to medical advisories, with what to do."`
	Completion completionCommand `cmd:"" help:"Print a completion script for a shell."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

const description = `Vesalius opens connected medical devices to see whether what is claimed of them is so.

Exit codes: 0 nothing bad at or above the level, 3 something bad or rejected by the policy, 1 could not look, 2 called wrongly.`

func main() {
	if len(os.Args) == 2 && os.Args[1] == walledWord {
		os.Exit(walledMain())
	}
	if len(os.Args) == 2 && os.Args[1] == walledFixWord {
		os.Exit(walledFixMain())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	w := &world{
		ctx: ctx, out: os.Stdout, err: os.Stderr, now: time.Now(), epoch: os.Getenv("SOURCE_DATE_EPOCH"),
		screen: term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb",
	}
	w.cache, _ = os.UserCacheDir()
	w.data, w.db, w.nvdKey = dataDir(), os.Getenv("VESALIUS_DB"), os.Getenv("NVD_API_KEY")
	w.build = build()
	if term.IsTerminal(int(os.Stdout.Fd())) {
		w.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		w.width, _, _ = term.GetSize(int(os.Stdout.Fd()))
	}
	os.Exit(run(w, os.Args[1:]))
}

// dataDir is the user's directory for data; empty where there is none.
func dataDir() string {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return d
	}
	if d := os.Getenv("LOCALAPPDATA"); runtime.GOOS == "windows" && d != "" {
		return d
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support")
	}
	return filepath.Join(home, ".local", "share")
}

// build tells this build of the program from others: what was seen by another is not
// taken for what this one would see.
func build() string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(exe)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d", version(), info.Size(), info.ModTime().UnixNano())
}

// run executes one command line and returns the exit code.
func run(w *world, args []string) int {
	var c commands
	done := -1
	parser, err := kong.New(&c, kong.Name("vesalius"), kong.Description(description), kong.Writers(w.out, w.err),
		kong.Exit(func(code int) { done = code }), kong.UsageOnError(), kong.Bind(w), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		panic(err) // a mistake in the struct above
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if done >= 0 {
		return done // help was asked for
	}
	if err != nil {
		fmt.Fprintf(w.err, "vesalius: %v\n", err)
		return exitCalled
	}
	if err := k.Run(w); err != nil {
		return code(w, err)
	}
	return exitGood
}

// code says what went wrong and gives the exit code for it.
func code(w *world, err error) int {
	var bad badError
	var call calledError
	switch {
	case errors.As(err, &bad):
		fmt.Fprintf(w.err, "vesalius: %v\n", err)
		return exitBad
	case errors.As(err, &call):
		fmt.Fprintf(w.err, "vesalius: %v\n", err)
		return exitCalled
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w.err, "vesalius: interrupted")
	default:
		fmt.Fprintf(w.err, "vesalius: %v\n", err)
	}
	return exitBlind
}
