package shell

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func (w *walker) assign(a *syntax.Assign) {
	if a.Name == nil || a.Array != nil || a.Index != nil {
		if a.Name != nil {
			w.set(a.Name.Value, value{})
		}
		return
	}
	s, known := w.one(a.Value)
	if a.Append {
		old := w.lookup(a.Name.Value)
		s, known = old.s+s, known && old.known
	}
	w.set(a.Name.Value, value{s, known})
}

// simple walks a command of words.
func (w *walker) simple(c *syntax.CallExpr, redirs []*syntax.Redirect) (flow, Truth) {
	if len(c.Args) == 0 {
		for _, a := range c.Assigns {
			w.assign(a)
		}
		return next, Yes
	}
	var words []string
	w.steps -= len(c.Args) / 4
	for i, a := range c.Args {
		for _, f := range w.fields(a, i > 0) {
			words = append(words, f.s)
		}
		if len(words) > fieldsAtMost {
			break
		}
	}
	if len(words) == 0 {
		return next, Yes
	}
	if special[words[0]] {
		for _, a := range c.Assigns {
			w.assign(a)
		}
	}
	if fl, tr, ok := w.builtin(c, words, redirs); ok {
		return fl, tr
	}
	if f, ok := w.funcs[words[0]]; ok {
		return w.call(f, words[1:])
	}
	w.run(c, words, redirs, false)
	switch path.Base(words[0]) {
	case "grep", "egrep", "fgrep":
		return next, w.grep(words)
	case "mountpoint":
		if last := strings.TrimSuffix(words[len(words)-1], "/"); last == "/proc" || last == "/sys" || last == "/dev" {
			return next, Yes
		}
	}
	if questions[path.Base(words[0])] {
		return next, Maybe
	}
	return next, Yes
}

// special are the builtins after which a variable that was set for them stays set (POSIX,
// XCU 2.14): X=1 . FILE.
var special = map[string]bool{".": true, ":": true, "eval": true, "set": true, "shift": true, "unset": true}

// questions are programs that are run for their answer.
var questions = map[string]bool{
	"grep": true, "egrep": true, "fgrep": true, "zgrep": true, "pidof": true, "pgrep": true, "cmp": true, "diff": true, "expr": true, "mountpoint": true,
	"ping": true, "fw_printenv": true, "getprop": true, "uci": true, "pidofproc": true, "checkproc": true, "status_of_proc": true, "systemd-detect-virt": true,
	"yesno": true, "checkyesno": true, "is-enabled": true, "config_get_bool": true, "awk": true, "sed": true, "runlevel": true, "blkid": true, "findfs": true,
	"ifplugd": true, "cryptsetup": true, "id": true, "getent": true, "lsmod": true, "wait_for": true, "read": true, "fuser": true, "tty": true,
}

// builtin walks what the shell does itself.
func (w *walker) builtin(c *syntax.CallExpr, words []string, redirs []*syntax.Redirect) (flow, Truth, bool) {
	args := words[1:]
	switch words[0] {
	case ":", "true", "/bin/true":
		return next, Yes, true
	case "false", "/bin/false":
		return next, No, true
	case "test", "[", "/usr/bin/test", "/usr/bin/[":
		return next, w.test(c), true
	case "exit":
		return exit, status(args), true
	case "return":
		return leave, status(args), true
	case "break":
		return leaveLoop, Yes, true
	case "continue":
		return leaveTurn, Yes, true
	case ".", "source":
		if len(args) == 0 {
			return next, Yes, true
		}
		var more []string
		if len(args) > 1 {
			more = args[1:]
		}
		p := args[0]
		if !strings.Contains(p, "/") {
			p = "./" + p
		}
		fl, tr := w.include(w.at(p), more)
		return fl, tr, true
	case "exec":
		if len(args) == 0 {
			return next, Yes, true
		}
		w.run(c, args, redirs, true)
		if w.condition() == "" {
			w.stays = false
		}
		return exit, Yes, true
	case "cd":
		w.dir = ""
		if len(args) > 0 && path.IsAbs(args[len(args)-1]) {
			w.dir = path.Clean(args[len(args)-1])
		}
		return next, Yes, true
	case "set":
		for i, a := range args {
			if a == "--" {
				w.args = args[i+1:]
				break
			}
			if !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "+") {
				w.args = args[i:]
				break
			}
		}
		return next, Yes, true
	case "shift":
		n := 1
		if len(args) > 0 {
			n, _ = strconv.Atoi(args[0])
		}
		w.args = w.args[min(max(n, 0), len(w.args)):]
		return next, Yes, true
	case "unset":
		for _, a := range args {
			w.set(a, value{"", true})
		}
		return next, Yes, true
	case "read", "getopts":
		for _, a := range args {
			if !strings.HasPrefix(a, "-") {
				w.set(a, value{})
			}
		}
		return next, Maybe, true
	case "config_get", "config_get_bool", "uci_get", "json_get_var", "network_get_ipaddr", "network_get_device":
		if len(args) > 0 {
			w.set(args[0], value{})
		}
		return next, Yes, true
	case "config_load", "trap", "umask", "ulimit", "wait", "alias", "hash", "jobs", "pushd", "popd":
		w.open = w.open || words[0] == "config_load"
		return next, Yes, true
	case "eval":
		w.open = true
		return w.eval(strings.Join(args, " "))
	case "which", "command", "type":
		return w.find(c, words, redirs)
	}
	return next, Yes, false
}

// grep answers for files of the system whose text is known.
func (w *walker) grep(words []string) Truth {
	extended, fold, pattern := path.Base(words[0]) == "egrep", "", ""
	var files []string
	for i := 1; i < len(words); i++ {
		a := words[i]
		switch {
		case a == "-e" && i+1 < len(words):
			i++
			pattern = words[i]
		case strings.HasPrefix(a, "--") || strings.ContainsAny(a, "ABCmfv") && strings.HasPrefix(a, "-"):
			return Maybe
		case strings.HasPrefix(a, "-"):
			extended = extended || strings.Contains(a, "E")
			if strings.Contains(a, "i") {
				fold = "(?i)"
			}
			if strings.ContainsAny(a, "FPwx") {
				return Maybe
			}
		case pattern == "":
			pattern = a
		default:
			files = append(files, a)
		}
	}
	if len(files) == 0 || strings.ContainsAny(pattern, "$`") && !strings.HasSuffix(pattern, "$") || path.Base(words[0]) == "fgrep" {
		return Maybe
	}
	if !extended {
		pattern = basic.Replace(pattern)
	}
	re, err := regexp.Compile("(?m)" + fold + pattern)
	if err != nil || len(pattern) > 200 {
		return Maybe
	}
	for _, f := range files {
		text, ok := w.host.Text(w.at(f))
		if !ok && w.host.Test("-e", w.at(f)) != No {
			return Maybe
		}
		if w.steps -= 1 + len(text)/1000; ok && re.MatchString(text) {
			return Yes
		}
	}
	return No
}

// basic turns a basic regular expression into an extended one.
var basic = strings.NewReplacer(`\(`, "(", `\)`, ")", `\{`, "{", `\}`, "}", `\|`, "|", `\+`, "+", `\?`, "?", "(", `\(`, ")", `\)`, "{", `\{`, "}", `\}`, "|", `\|`, "+", `\+`, "?", `\?`)

func status(args []string) Truth {
	switch {
	case len(args) == 0:
		return Maybe
	case args[0] == "0":
		return Yes
	}
	if _, err := strconv.Atoi(args[0]); err != nil {
		return Maybe
	}
	return No
}

// find answers which X and command -v X; command X runs X.
func (w *walker) find(c *syntax.CallExpr, words []string, redirs []*syntax.Redirect) (flow, Truth, bool) {
	args := words[1:]
	if len(args) == 0 {
		return next, Maybe, true
	}
	if words[0] == "command" && !strings.HasPrefix(args[0], "-") {
		w.run(c, args, redirs, false)
		return next, Yes, true
	}
	name := args[len(args)-1]
	if _, ok := w.funcs[name]; ok {
		return next, Yes, true
	}
	if _, ok := w.host.Find(name); ok {
		return next, Yes, true
	}
	return next, No, true
}

// eval walks words as a script.
func (w *walker) eval(text string) (flow, Truth, bool) {
	if w.depth >= depthAtMost {
		return next, Maybe, true
	}
	file, err := parse(text, "eval")
	if err != nil {
		return next, Maybe, true
	}
	w.depth++
	src := w.src
	w.src = text
	fl, tr := w.stmts(file.Stmts)
	w.src = src
	w.depth--
	return fl, tr, true
}

// test answers the words of [ ... ].
func (w *walker) test(c *syntax.CallExpr) Truth {
	var words []value
	for _, a := range c.Args[1:] {
		s, known := w.one(a)
		if len(a.Parts) == 1 && s == "" && known {
			if _, quoted := a.Parts[0].(*syntax.DblQuoted); !quoted {
				continue // an unquoted empty variable is no word
			}
		}
		words = append(words, value{s, known})
	}
	if n := len(words); n > 0 && words[n-1].s == "]" {
		words = words[:n-1]
	}
	return w.orTest(words)
}

// orTest answers tests joined by -o and -a.
func (w *walker) orTest(words []value) Truth {
	for _, op := range []string{"-o", "-a"} {
		for i := 1; i < len(words)-1; i++ {
			if words[i].s != op || words[i-1].s == "=" {
				continue
			}
			a, b := w.orTest(words[:i]), w.orTest(words[i+1:])
			return join(a, b, op == "-a")
		}
	}
	return w.oneTest(words)
}

func join(a, b Truth, and bool) Truth {
	decides := Yes
	if and {
		decides = No
	}
	switch {
	case a == decides || b == decides:
		return decides
	case a == Maybe || b == Maybe:
		return Maybe
	case a == decides.not():
		return b
	case b == decides.not() || a == b:
		return a
	}
	return Maybe
}

func (w *walker) oneTest(words []value) Truth {
	if len(words) > 1 && words[0].s == "!" {
		return w.oneTest(words[1:]).not()
	}
	switch len(words) {
	case 0:
		return No
	case 1:
		return truth(words[0].known, words[0].s != "")
	case 2:
		return w.unary(words[0].s, words[1])
	case 3:
		return compare(words[0], words[1].s, words[2])
	}
	return Maybe
}

func truth(known, is bool) Truth {
	switch {
	case !known:
		return Maybe
	case is:
		return Yes
	}
	return No
}

func (w *walker) unary(op string, v value) Truth {
	switch op {
	case "-z":
		return truth(v.known, v.s == "")
	case "-n":
		return truth(v.known, v.s != "")
	case "-t":
		return Maybe
	}
	if !v.known {
		return Maybe
	}
	if v.s == "" {
		return No
	}
	return w.host.Test(op, w.at(v.s))
}

func compare(a value, op string, b value) Truth {
	if !a.known || !b.known {
		return Maybe
	}
	switch op {
	case "=", "==":
		return truth(true, a.s == b.s)
	case "!=":
		return truth(true, a.s != b.s)
	}
	x, err1 := strconv.Atoi(a.s)
	y, err2 := strconv.Atoi(b.s)
	if err1 != nil || err2 != nil {
		return Maybe
	}
	switch op {
	case "-eq":
		return truth(true, x == y)
	case "-ne":
		return truth(true, x != y)
	case "-lt":
		return truth(true, x < y)
	case "-le":
		return truth(true, x <= y)
	case "-gt":
		return truth(true, x > y)
	case "-ge":
		return truth(true, x >= y)
	}
	return Maybe
}

// testExpr answers [[ ... ]].
func (w *walker) testExpr(x syntax.TestExpr) Truth {
	switch x := x.(type) {
	case *syntax.Word:
		s, known := w.one(x)
		return truth(known, s != "")
	case *syntax.ParenTest:
		return w.testExpr(x.X)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			return w.testExpr(x.X).not()
		}
		word, ok := x.X.(*syntax.Word)
		if !ok {
			return Maybe
		}
		s, known := w.one(word)
		return w.unary(x.Op.String(), value{s, known})
	case *syntax.BinaryTest:
		switch x.Op {
		case syntax.AndTest, syntax.OrTest:
			return join(w.testExpr(x.X), w.testExpr(x.Y), x.Op == syntax.AndTest)
		default:
		}
		a, ok1 := x.X.(*syntax.Word)
		b, ok2 := x.Y.(*syntax.Word)
		if !ok1 || !ok2 {
			return Maybe
		}
		l, lk := w.one(a)
		r, rk := w.one(b)
		if !lk || !rk {
			return Maybe
		}
		switch x.Op {
		case syntax.TsMatchShort, syntax.TsMatch:
			return truth(true, Match(r, l))
		case syntax.TsNoMatch:
			return truth(true, !Match(r, l))
		default:
			return compare(value{l, true}, x.Op.String(), value{r, true})
		}
	}
	return Maybe
}
