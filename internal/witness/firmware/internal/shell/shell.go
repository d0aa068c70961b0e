// Package shell reads shell scripts without running them: which commands a script would
// run, in which order, with which words, and under which condition.
//
// [Read] walks a script as a shell would: it follows assignments, functions, loops over
// known words, files read with the dot, and tests that the root file system can answer.
// What it cannot know it says: a word that is not known stands as it is written ($X), and a
// command that runs only sometimes has a Condition. A program that is run is taken to
// succeed.
//
// Nothing is executed, and no file is touched but through [Host].
package shell

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Command is one command that a script runs.
type Command struct {
	Words      []string
	File       string // the file that it stands in, where that is not the script itself
	Line       int
	Dir        string // the working directory, where the script has set it
	Background bool
	Exec       bool   // it takes the script's place
	Condition  string // empty: it runs whenever the script does
	Redirects  []Redirect
	Vars       map[string]string // of the command alone: X=1 program
}

// Redirect is a file that a command reads or writes.
type Redirect struct {
	Op   string // < > >> <<
	Path string
	Text string // of a here-document
}

// Truth is the answer to a question about the root or the world.
type Truth int8

// The answers. Likely and Unlikely are those of the system as it is delivered, which
// somebody can change: a file that is not there and could be.
const (
	Maybe Truth = iota
	Yes
	No
	Likely
	Unlikely
)

func (t Truth) not() Truth {
	switch t {
	case Yes:
		return No
	case No:
		return Yes
	case Likely:
		return Unlikely
	case Unlikely:
		return Likely
	case Maybe:
	}
	return Maybe
}

// Host answers what a script asks of the system around it, and takes its commands. All
// functions must be set.
type Host struct {
	Text func(path string) (string, bool)    // of a file that is read with the dot
	Test func(op, path string) Truth         // test -f, -d, -x ...
	Find func(program string) (string, bool) // where a name lies on the search path
	Glob func(pattern string) []string       // existing paths, sorted
	Run  func(Command)                       // called for each command in order
}

// Script is what is read.
type Script struct {
	Text string
	Name string            // $0
	Args []string          // $1 ...
	Vars map[string]string // what is known of the environment
	Open bool              // the environment holds more than Vars
	Call [][]string        // functions that are called when the text has ended
}

// Result is what a script has left behind.
type Result struct {
	Vars  map[string]string // known variables
	Stays bool              // it ends in a loop without end
}

const (
	openersAtMost = 5000  // ( { [ ` < and the words that open a block: bounds the nesting of the parser
	stepsAtMost   = 20000 // statements walked
	depthAtMost   = 12    // functions and files inside each other
	loopAtMost    = 300   // words of a for loop that are walked
	varsAtMost    = 2000
	wordAtMost    = 4096
	fieldsAtMost  = 1000
)

// Read walks a script. It returns an error where the text is no shell script.
func Read(sc Script, h Host) (Result, error) {
	file, err := parse(sc.Text, sc.Name)
	if err != nil {
		return Result{}, err
	}
	w := &walker{
		host: h, src: sc.Text, vars: map[string]value{}, funcs: map[string]function{},
		args: sc.Args, name: sc.Name, open: sc.Open, steps: stepsAtMost,
	}
	for k, v := range sc.Vars {
		w.vars[k] = value{v, true}
	}
	flow, _ := w.stmts(file.Stmts)
	for _, c := range sc.Call {
		if flow == exit {
			break
		}
		if f, ok := w.funcs[c[0]]; ok {
			flow, _ = w.call(f, c[1:])
		}
	}
	res := Result{Vars: map[string]string{}, Stays: w.stays}
	for k, v := range w.vars {
		if v.known {
			res.Vars[k] = v.s
		}
	}
	return res, nil
}

func parse(text, name string) (*syntax.File, error) {
	n := 0
	for _, o := range []string{"(", "{", "[", "`", "<", "if ", "case ", "while ", "until ", "for ", "!"} {
		n += strings.Count(text, o)
	}
	if n > openersAtMost {
		return nil, fmt.Errorf("%q: over the limit of %d brackets", name, openersAtMost)
	}
	return syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
}

type value struct {
	s     string
	known bool
}

type function struct {
	body *syntax.Stmt
	src  string
	file string
}

// flow is how a statement ends.
type flow int8

const (
	next      flow = iota
	leaveTurn      // continue
	leaveLoop      // break
	leave          // return
	exit
)

type walker struct {
	host  Host
	src   string // of the text that is walked now
	file  string // where that is not the script itself
	name  string
	args  []string
	vars  map[string]value
	open  bool // variables that are not set here may be set elsewhere
	funcs map[string]function
	dir   string

	conds      []string // of the blocks that are open
	exitConds  []string // of what has not been left so far: by exit, return, break
	funcConds  []string
	turnConds  []string
	changed    []map[string]value // of open alternatives: old values
	background int
	depth      int
	steps      int
	stays      bool
}

func (w *walker) text(n syntax.Node) string {
	a, b := int(n.Pos().Offset()), int(n.End().Offset())
	if a < 0 || b > len(w.src) || a >= b {
		return ""
	}
	return clip(strings.TrimRight(strings.Join(strings.Fields(w.src[a:b]), " "), "; "), 160)
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}

// condition is the condition of what is walked now.
func (w *walker) condition() string {
	var all []string
	for _, list := range [][]string{w.exitConds, w.funcConds, w.turnConds, w.conds} {
		for _, c := range list {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return clip(strings.Join(all, " and "), 240)
}

func (w *walker) set(name string, v value) {
	if len(w.vars) >= varsAtMost {
		return
	}
	if n := len(w.changed); n > 0 {
		if _, ok := w.changed[n-1][name]; !ok {
			old, set := w.vars[name]
			if !set && !w.open {
				old = value{"", true}
			}
			w.changed[n-1][name] = old
		}
	}
	v.s = clip(v.s, wordAtMost)
	w.vars[name] = v
}

func (w *walker) lookup(name string) value {
	if v, ok := w.vars[name]; ok {
		return v
	}
	return value{"", !w.open && !outside[name]}
}

// outside are variables that come from the one who starts a script.
var outside = map[string]bool{
	"PATH": true, "HOME": true, "USER": true, "SHELL": true, "TERM": true, "PWD": true, "OLDPWD": true, "UID": true, "EUID": true, "PPID": true,
	"HOSTNAME": true, "RANDOM": true, "SECONDS": true, "IFACE": true, "ADDRFAM": true, "METHOD": true, "MODE": true, "PHASE": true, "ACTION": true, "DEVNAME": true,
	"MDEV": true, "DEVPATH": true, "SUBSYSTEM": true, "RUNLEVEL": true, "PREVLEVEL": true, "runlevel": true, "previous": true, "INTERFACE": true, "DEVICE": true,
	"RC_SVCNAME": true, "SVCNAME": true, "IPKG_INSTROOT": true, "CONSOLE": true, "LANG": true, "OSTYPE": true, "BASH": true, "BASH_VERSION": true, "reason": true, "interface": true,
}

// alternative walks statements that run only under a condition. It returns how they end
// and the variables they set, whose old values stand again afterwards.
func (w *walker) alternative(cond string, run func() (flow, Truth)) (flow, map[string]value) {
	w.conds = append(w.conds, cond)
	w.changed = append(w.changed, map[string]value{})
	fl, _ := run()
	w.conds = w.conds[:len(w.conds)-1]
	old := w.changed[len(w.changed)-1]
	w.changed = w.changed[:len(w.changed)-1]
	now := make(map[string]value, len(old))
	for k, v := range old {
		now[k] = w.vars[k]
		w.vars[k] = v
	}
	if fl != next {
		w.leftIf(fl, negate(cond))
	}
	return fl, now
}

// leftIf notes that what follows runs only where something was not left before.
func (w *walker) leftIf(fl flow, cond string) {
	// The blocks that are open stay as they are: the condition counts from the outermost
	// block on, so it holds only where those do.
	if len(w.conds) > 0 {
		cond = negate(strings.Join(append(slices.Clone(w.conds), negate(cond)), " and "))
	}
	switch fl {
	case exit:
		w.exitConds = add(w.exitConds, cond)
	case leave:
		w.funcConds = add(w.funcConds, cond)
	case leaveLoop, leaveTurn:
		w.turnConds = add(w.turnConds, cond)
	case next:
	}
}

func add(list []string, s string) []string {
	if len(list) > 8 || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func negate(cond string) string {
	if c, ok := strings.CutPrefix(cond, "not "); ok {
		if in, ok := strings.CutPrefix(c, "("); ok {
			return strings.TrimSuffix(in, ")")
		}
		return c
	}
	if c, ok := strings.CutPrefix(cond, "! "); ok && !joined(c) {
		return c
	}
	if joined(cond) {
		return "not (" + cond + ")"
	}
	return "not " + cond
}

func joined(cond string) bool {
	return strings.Contains(cond, " and ") || strings.Contains(cond, "&&") || strings.Contains(cond, "||")
}

// join keeps of several alternatives what all agree about; all says that one of them is
// taken for certain.
func (w *walker) join(alts []map[string]value, all bool) {
	names := map[string]bool{}
	for _, a := range alts {
		for k := range a {
			names[k] = true
		}
	}
	for k := range names {
		before := w.lookup(k)
		v, first := value{}, true
		for _, a := range alts {
			x, ok := a[k]
			if !ok {
				x = before
			}
			if first {
				v, first = x, false
			} else if x != v {
				v = value{}
			}
		}
		if !all && v != before {
			v = value{}
		}
		w.set(k, v)
	}
}

func (w *walker) stmts(list []*syntax.Stmt) (flow, Truth) {
	tr := Yes
	for _, s := range list {
		var fl flow
		if fl, tr = w.stmt(s); fl != next {
			return fl, tr
		}
	}
	return next, tr
}

func (w *walker) stmt(s *syntax.Stmt) (flow, Truth) {
	if w.steps--; w.steps < 0 {
		return exit, Maybe
	}
	if s.Background || s.Coprocess {
		w.background++
		was := w.stays
		w.command(s.Cmd, s.Redirs) // how it ends is its own affair
		w.stays = was
		w.background--
		return next, Yes
	}
	fl, tr := w.command(s.Cmd, s.Redirs)
	if s.Negated {
		tr = tr.not()
	}
	return fl, tr
}

func (w *walker) command(c syntax.Command, redirs []*syntax.Redirect) (flow, Truth) {
	switch c := c.(type) {
	case *syntax.CallExpr:
		return w.simple(c, redirs)
	case *syntax.BinaryCmd:
		return w.binary(c)
	case *syntax.IfClause:
		return w.ifClause(c)
	case *syntax.CaseClause:
		return w.caseClause(c)
	case *syntax.ForClause:
		return w.forClause(c)
	case *syntax.WhileClause:
		return w.while(c)
	case *syntax.Block:
		return w.stmts(c.Stmts)
	case *syntax.Subshell:
		conds := w.exitConds
		w.changed = append(w.changed, map[string]value{})
		fl, tr := w.stmts(c.Stmts)
		for k, v := range w.changed[len(w.changed)-1] {
			w.vars[k] = v
		}
		w.changed, w.exitConds = w.changed[:len(w.changed)-1], conds
		if fl == exit {
			fl = next
		}
		return fl, tr
	case *syntax.FuncDecl:
		w.funcs[c.Name.Value] = function{c.Body, w.src, w.file}
	case *syntax.DeclClause:
		for _, a := range c.Args {
			if a.Name != nil && (a.Value != nil || !a.Naked) {
				w.assign(a)
			} else if a.Name != nil && c.Variant.Value == "local" {
				w.set(a.Name.Value, value{"", true})
			}
		}
	case *syntax.TestClause:
		return next, w.testExpr(c.X)
	case *syntax.TimeClause:
		if c.Stmt != nil {
			return w.stmt(c.Stmt)
		}
	case *syntax.CoprocClause:
		return w.stmt(c.Stmt)
	case *syntax.ArithmCmd, *syntax.LetClause:
		return next, Maybe
	}
	return next, Yes
}

func (w *walker) binary(c *syntax.BinaryCmd) (flow, Truth) {
	fl, tr := w.stmt(c.X)
	if fl != next && c.Op != syntax.Pipe {
		return fl, tr
	}
	cond := w.text(c.X)
	switch c.Op {
	case syntax.OrStmt:
		tr, cond = tr.not(), negate(cond)
	case syntax.AndStmt:
	default: // a pipe
		fl, tr = w.stmt(c.Y)
		if asksItself(c.X) {
			tr = Yes // what is installed is taken to be what it should be
		}
		if fl != next {
			fl, tr = next, Maybe
		}
		return fl, tr
	}
	y := func() (flow, Truth) { return w.stmt(c.Y) }
	switch tr {
	case Yes:
		return y()
	case Likely:
		return w.likely(cond, y)
	case Unlikely:
		w.unlikely(cond, y)
	case Maybe:
		_, vars := w.alternative(cond, y)
		w.join([]map[string]value{vars}, false)
		return next, Maybe
	case No:
	}
	if c.Op == syntax.OrStmt {
		tr = tr.not()
	}
	return next, tr
}

// asksItself reports whether a command asks a program what it is.
func asksItself(s *syntax.Stmt) bool {
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) < 2 {
		return false
	}
	switch call.Args[len(call.Args)-1].Lit() {
	case "--version", "--help", "-V", `-\?`, "-?":
		return true
	}
	return false
}

// likely walks what runs as the system is delivered. Where it leaves, what follows runs
// only if somebody changes that.
func (w *walker) likely(cond string, run func() (flow, Truth)) (flow, Truth) {
	fl, tr := run()
	if fl != next {
		w.leftIf(fl, negate(cond))
	}
	return next, tr
}

// unlikely walks what runs only if somebody changes the system: it has no say in what
// follows.
func (w *walker) unlikely(cond string, run func() (flow, Truth)) {
	exits, fn, turn := w.exitConds, w.funcConds, w.turnConds
	w.alternative(cond, run)
	w.exitConds, w.funcConds, w.turnConds = exits, fn, turn
}

func (w *walker) ifClause(c *syntax.IfClause) (flow, Truth) {
	var alts []map[string]value
	var ends []flow
	var nots, changed []string
	all := false
	for ; c != nil; c = c.Else {
		tr := Yes
		cond := ""
		if len(c.Cond) > 0 { // else has none
			var fl flow
			if fl, tr = w.stmts(c.Cond); fl != next {
				return fl, tr
			}
			cond = w.text(c.Cond[len(c.Cond)-1])
		}
		then := func() (flow, Truth) { return w.stmts(c.Then) }
		switch {
		case tr == No:
			continue
		case tr == Unlikely:
			w.unlikely(cond, then)
			changed = append(changed, negate(cond))
			continue
		case tr == Likely && len(alts) == 0:
			fl, t := w.likely(cond, then)
			if c.Else != nil && len(c.Else.Cond) == 0 {
				w.unlikely(negate(cond), func() (flow, Truth) { return w.stmts(c.Else.Then) })
			}
			return fl, t
		case tr == Yes && len(alts) == 0 && len(changed) > 0:
			return w.likely(strings.Join(changed, " and "), then)
		case tr == Yes && len(alts) == 0:
			return then()
		}
		if cond == "" || tr == Yes {
			cond = strings.Join(nots, " and ")
		}
		fl, vars := w.alternative(cond, then)
		alts, ends = append(alts, vars), append(ends, fl)
		if tr == Yes {
			all = true
			break
		}
		nots = append(nots, negate(cond))
		if len(nots) > 6 {
			nots = nots[:6]
		}
	}
	w.join(alts, all)
	if all && len(ends) > 0 && ends[0] != next && !slices.ContainsFunc(ends, func(f flow) bool { return f != ends[0] }) {
		return ends[0], Maybe
	}
	if len(alts) == 0 {
		return next, Yes
	}
	return next, Maybe
}

func (w *walker) caseClause(c *syntax.CaseClause) (flow, Truth) {
	word, known := w.one(c.Word)
	var alts []map[string]value
	for _, item := range c.Items {
		if known {
			for _, p := range item.Patterns {
				if pat, ok := w.pattern(p); ok && Match(pat, word) {
					return w.stmts(item.Stmts)
				}
			}
			continue
		}
		var pats []string
		for _, p := range item.Patterns {
			pats = append(pats, w.text(p))
		}
		cond := clip(w.text(c.Word), 60) + " is " + clip(strings.Join(pats, "|"), 60)
		_, vars := w.alternative(cond, func() (flow, Truth) { return w.stmts(item.Stmts) })
		alts = append(alts, vars)
	}
	w.join(alts, false)
	return next, Yes
}

func (w *walker) forClause(c *syntax.ForClause) (flow, Truth) {
	it, ok := c.Loop.(*syntax.WordIter)
	if !ok {
		return w.turns(func() flow { fl, _ := w.stmts(c.Do); return fl }), Yes
	}
	var items []value
	if it.InPos.IsValid() {
		for _, word := range it.Items {
			items = append(items, w.fields(word, true)...)
		}
	} else {
		for _, a := range w.args {
			items = append(items, value{a, true})
		}
	}
	for _, v := range items[:min(len(items), loopAtMost)] {
		fl := w.turns(func() flow {
			w.set(it.Name.Value, v)
			fl, _ := w.stmts(c.Do)
			return fl
		})
		if fl == leaveLoop {
			break
		}
		if fl != next {
			return fl, Maybe
		}
	}
	return next, Yes
}

// turns walks one turn of a loop; what is left by continue or break counts for it alone.
func (w *walker) turns(body func() flow) flow {
	was := w.turnConds
	fl := body()
	w.turnConds = was
	if fl == leaveTurn {
		return next
	}
	return fl
}

func (w *walker) while(c *syntax.WhileClause) (flow, Truth) {
	fl, tr := w.stmts(c.Cond)
	if fl != next {
		return fl, tr
	}
	if c.Until {
		tr = tr.not()
	}
	body := func() flow { fl, _ := w.stmts(c.Do); return fl }
	switch tr {
	case No, Unlikely:
		return next, Yes
	case Maybe, Likely:
		cond := "while " + w.text(c.Cond[len(c.Cond)-1])
		_, vars := w.alternative(cond, func() (flow, Truth) { return w.turns(body), Yes })
		w.join([]map[string]value{vars}, false)
		return next, Yes
	case Yes:
	}
	left := len(w.turnConds)
	was := w.turnConds
	fl = body()
	broken := fl == leaveLoop || len(w.turnConds) > left
	w.turnConds = was
	switch {
	case fl == exit || fl == leave:
		return fl, Maybe
	case broken || !endless(c):
		return next, Yes
	}
	w.stays = w.stays || w.condition() == ""
	return exit, Yes
}

// endless reports whether the condition of a loop can never change: true, :, [ 1 ].
func endless(c *syntax.WhileClause) bool {
	call, ok := c.Cond[len(c.Cond)-1].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	switch call.Args[0].Lit() {
	case "true", ":", "/bin/true":
		return !c.Until
	case "false":
		return c.Until
	case "[", "test":
		return len(call.Args) <= 3 && !c.Until
	}
	return false
}

// call walks a function.
func (w *walker) call(f function, args []string) (flow, Truth) {
	if w.depth >= depthAtMost {
		return next, Maybe
	}
	w.depth++
	oldArgs, oldConds, src, file, turn := w.args, w.funcConds, w.src, w.file, w.turnConds
	w.args, w.funcConds, w.src, w.file = args, slices.Clone(oldConds), f.src, f.file
	fl, tr := w.stmt(f.body)
	if len(w.funcConds) > len(oldConds) {
		tr = Maybe
	}
	w.args, w.funcConds, w.src, w.file, w.turnConds = oldArgs, oldConds, src, file, turn
	w.depth--
	if fl != exit {
		fl = next
	}
	return fl, tr
}

// include walks a file that is read with the dot.
func (w *walker) include(p string, args []string) (flow, Truth) {
	text, ok := w.host.Text(p)
	if !ok || w.depth >= depthAtMost {
		// What is not there sets nothing, if the system stays as it is delivered.
		gone := !strings.Contains(p, "$") && (w.host.Test("-e", p) == No || w.host.Test("-e", p) == Unlikely)
		w.open = w.open || !ok && !gone
		return next, Yes
	}
	file, err := parse(text, p)
	if err != nil {
		w.open = true
		return next, Yes
	}
	w.depth++
	src, name, oldArgs := w.src, w.file, w.args
	w.src, w.file = text, p
	if args != nil {
		w.args = args
	}
	fl, tr := w.stmts(file.Stmts)
	w.src, w.file, w.args = src, name, oldArgs
	w.depth--
	if fl == leave {
		fl = next
	}
	return fl, tr
}

// run hands a command to the host.
func (w *walker) run(c *syntax.CallExpr, words []string, redirs []*syntax.Redirect, exec bool) {
	cmd := Command{
		Words: words, File: w.file, Line: int(c.Pos().Line()), Dir: w.dir,
		Background: w.background > 0, Exec: exec, Condition: w.condition(),
	}
	for _, a := range c.Assigns {
		if a.Name != nil && a.Value != nil {
			if v, ok := w.one(a.Value); ok {
				if cmd.Vars == nil {
					cmd.Vars = map[string]string{}
				}
				cmd.Vars[a.Name.Value] = v
			}
		}
	}
	for _, r := range redirs {
		red := Redirect{Op: r.Op.String()}
		if r.Hdoc != nil {
			red.Op = "<<"
			red.Text, _ = w.one(r.Hdoc)
		} else if r.Word != nil {
			red.Path, _ = w.one(r.Word)
		}
		cmd.Redirects = append(cmd.Redirects, red)
	}
	w.host.Run(cmd)
}

func (w *walker) at(p string) string {
	if !path.IsAbs(p) && w.dir != "" {
		return path.Join(w.dir, p)
	}
	return p
}
