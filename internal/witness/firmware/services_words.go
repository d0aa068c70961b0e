package firmware

import (
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// unwrap takes off what a command line begins with before the program that matters:
// start-stop-daemon, nohup, su, env and their like. It returns the program's words, those
// taken off, the user it then runs as, whether it is sent to the background, and false
// where nothing is started (start-stop-daemon --stop).
func unwrap(words []string, b by) (rest, wrapper []string, _ by, background, ok bool) {
	for range 8 {
		if len(words) == 0 {
			return nil, wrapper, b, background, false
		}
		base := path.Base(words[0])
		took, user, bg, starts := []string(nil), "", false, true
		switch base {
		case "start-stop-daemon", "ssd":
			took, user, bg, starts = startStopDaemon(words[1:])
			b.confined = confinedBy(words, b.confined)
		case "daemon", "start_daemon", "startproc", "daemonize", "service_start", "service_daemonize", "start_service", "procd_set_param", "respawn", "start_proc":
			took, user = helper(base, words[1:])
			if base == "start_service" && !path.IsAbs(first(took)) {
				return words, wrapper, b, background, true
			}
			bg = true
		case "su", "runuser", "sudo", "doas", "gosu", "su-exec", "setuidgid", "s6-setuidgid", "chpst", "setpriv", "capsh", "setuser":
			took, user = otherUser(base, words[1:])
		default:
			n, is := prefixes[base]
			if !is {
				return words, wrapper, b, background, true
			}
			took = afterOptions(words[1:], n)
			bg = base == "setsid" && len(words) > 1 && strings.HasPrefix(words[1], "-") && strings.Contains(words[1], "f")
			if base == "env" {
				for len(took) > 0 && strings.Contains(took[0], "=") {
					took = took[1:]
				}
			}
		}
		if !starts || len(took) == 0 {
			return words, wrapper, b, background, starts && base != "start-stop-daemon"
		}
		if user != "" {
			b.user = fact.Say(user)
		}
		background = background || bg
		wrapper = append(wrapper, words[:1]...)
		words = took
	}
	return words, wrapper, b, background, true
}

func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// confinedBy sees chroot and capabilities that start-stop-daemon takes away.
func confinedBy(words []string, c fact.Opt[bool]) fact.Opt[bool] {
	for _, w := range words {
		if w == "--" {
			break
		}
		if w == "--chroot" || w == "-r" || strings.HasPrefix(w, "--chroot=") || strings.HasPrefix(w, "--capabilities") || w == "--no-new-privs" {
			return fact.Say(true)
		}
	}
	return c
}

// prefixes are programs that run the program that follows their options; the options that
// have a value of their own, and = for a word that always stands between.
var prefixes = map[string]string{
	"nohup": "", "setsid": "", "env": "-u -C", "nice": "-n", "ionice": "-c -n -p", "chrt": "-T -P -D =", "taskset": "=", "stdbuf": "-i -o -e", "time": "-o -f",
	"timeout": "-k -s =", "busybox": "", "exec": "-a", "command": "", "logsave": "=", "unshare": "", "chroot": "=", "softlimit": "-m -d -o -a -c -f -r -s", "envdir": "=",
	"dumb-init": "", "tini": "-p", "catchsegv": "", "numactl": "", "unbuffer": "", "faketime": "=", "authbind": "", "prlimit": "", "systemd-cat": "-t -p",
	"cgexec": "-g", "s6-envdir": "=", "s6-notifyoncheck": "", "fdmove": "= =", "s6-log": "", "catatonit": "", "winpty": "", "tini-static": "-p", "eatmydata": "", "minijail0": "-u -g -c -S",
}

// afterOptions skips options, those with a value of their own with it, and then as many
// words as there are = in the list.
func afterOptions(words []string, valued string) []string {
	i := 0
	for i < len(words) && strings.HasPrefix(words[i], "-") && words[i] != "-" {
		w := words[i]
		i++
		if w == "--" {
			break
		}
		for _, v := range strings.Fields(valued) {
			if v == w {
				i++
			}
		}
	}
	i += strings.Count(valued, "=")
	return words[min(i, len(words)):]
}

// startStopDaemon reads the words of start-stop-daemon (dpkg, BusyBox and OpenRC).
func startStopDaemon(words []string) (rest []string, user string, background, starts bool) {
	program, startas := "", ""
	test, start := false, true
	var tail []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		name, value, joined := strings.Cut(w, "=")
		next := func() string {
			if joined {
				return value
			}
			if i++; i < len(words) {
				return words[i]
			}
			return ""
		}
		if w == "--" {
			tail = words[i+1:]
			break
		}
		if !strings.HasPrefix(w, "-") {
			tail = words[i:] // OpenRC: the program, or its arguments, may stand without --
			break
		}
		if len(w) > 2 && w[1] != '-' && !joined {
			// Short options in a bundle: the last may have a value.
			for _, r := range w[1 : len(w)-1] {
				switch r {
				case 'K', 'T':
					start = false
				case 't':
					test = true
				case 'b':
					background = true
				}
			}
			name = "-" + w[len(w)-1:]
			if value := bundled(w); value != "" {
				switch w[1] {
				case 'x':
					program = value
				case 'a':
					startas = value
				case 'c', 'u':
					user = value
				}
				continue
			}
		}
		switch name {
		case "-K", "--stop", "-T", "--status", "-H", "--help", "-V", "--version", "-s", "--signal":
			start = false
			if name == "-s" || name == "--signal" {
				next()
			}
		case "-t", "--test":
			test = true
		case "-b", "--background":
			background = true
		case "-x", "--exec":
			program = next()
		case "-a", "--startas":
			startas = next()
		case "-c", "--chuid":
			user = next()
		case "-u", "--user":
			user = next() // BusyBox and OpenRC change to it; dpkg only looks for it
		case "-p", "--pidfile", "-n", "--name", "-N", "--nicelevel", "-g", "--group", "-k", "--umask", "-d", "--chdir", "-r", "--chroot", "-R", "--retry",
			"-P", "--procsched", "-I", "--iosched", "-w", "--wait", "-e", "--env", "-O", "--output", "-1", "--stdout", "-2", "--stderr", "--ppid", "--pid",
			"--capabilities", "--secbits", "-3", "-4", "--stdout-logger", "--stderr-logger", "--scheduler", "--scheduler-priority", "--notify":
			next()
		}
	}
	if startas != "" {
		program = startas
	}
	if program == "" {
		if len(tail) == 0 {
			return nil, "", false, start && !test
		}
		program, tail = tail[0], tail[1:]
	}
	user, _, _ = strings.Cut(user, ":")
	return append([]string{program}, tail...), user, background, start && !test
}

// bundled returns the value that a short option carries in the same word: -x/usr/sbin/x.
func bundled(w string) string {
	if strings.IndexByte("xacupnNgkdr", w[1]) >= 0 && len(w) > 2 {
		return w[2:]
	}
	return ""
}

// helper reads the words of functions that start a daemon: those of Red Hat, LSB, OpenWrt.
func helper(name string, words []string) (rest []string, user string) {
	if name == "procd_set_param" {
		if len(words) > 1 && words[0] == "command" {
			return words[1:], ""
		}
		return nil, ""
	}
	i := 0
	for i < len(words) && (strings.HasPrefix(words[i], "-") || strings.HasPrefix(words[i], "+")) {
		w := words[i]
		i++
		if w == "--" {
			break
		}
		if u, ok := strings.CutPrefix(w, "--user="); ok {
			user = u
			continue
		}
		switch w {
		case "-u", "--user":
			if i < len(words) {
				user = words[i]
			}
			i++
		case "-p", "-n", "-c", "-o", "-e", "-l", "-E", "-a", "--pidfile", "--check", "--name", "-C":
			i++
		}
	}
	user, _, _ = strings.Cut(user, ":")
	rest = words[min(i, len(words)):]
	// daemon "prog args" hands a whole line over.
	if len(rest) == 1 && strings.Contains(rest[0], " ") {
		rest = strings.Fields(rest[0])
	}
	return rest, user
}

// otherUser reads the words of programs that change the user.
func otherUser(name string, words []string) (rest []string, user string) {
	switch name {
	case "su", "runuser":
		var command string
		for i := 0; i < len(words); i++ {
			switch w := words[i]; {
			case (w == "-c" || w == "--command") && i+1 < len(words):
				i++
				command = words[i]
			case strings.HasPrefix(w, "--command="):
				command = strings.TrimPrefix(w, "--command=")
			case (w == "-s" || w == "--shell" || w == "-g" || w == "-G") && i+1 < len(words):
				i++
			case (w == "-u" || w == "--user") && i+1 < len(words):
				i++
				user = words[i]
			case w == "--":
				if user != "" && i+1 < len(words) {
					return words[i+1:], user
				}
			case strings.HasPrefix(w, "-"):
			case user == "":
				user = w
			case name == "runuser":
				return words[i:], user
			}
		}
		if user == "" {
			user = "root"
		}
		if command == "" {
			return nil, user
		}
		return []string{"sh", "-c", command}, user
	case "sudo", "doas":
		user = "root"
		for i := 0; i < len(words); i++ {
			switch w := words[i]; {
			case (w == "-u" || w == "--user") && i+1 < len(words):
				i++
				user = words[i]
			case (w == "-g" || w == "-C" || w == "-h" || w == "-p") && i+1 < len(words):
				i++
			case strings.HasPrefix(w, "-") || strings.Contains(w, "="):
			default:
				return words[i:], user
			}
		}
		return nil, user
	case "chpst", "setpriv", "capsh":
		for i := 0; i < len(words); i++ {
			switch w := words[i]; {
			case w == "-u" && i+1 < len(words):
				i++
				user, _, _ = strings.Cut(words[i], ":")
			case strings.HasPrefix(w, "--reuid="):
				user = strings.TrimPrefix(w, "--reuid=")
			case strings.HasPrefix(w, "--user="):
				user = strings.TrimPrefix(w, "--user=")
			case len(w) == 2 && strings.ContainsAny(w[1:], "UeoCmdnplsg/b") && w[0] == '-' && i+1 < len(words):
				i++
			case w == "--":
				return words[i+1:], user
			case strings.HasPrefix(w, "-"):
			default:
				return words[i:], user
			}
		}
		return nil, user
	}
	words = afterOptions(words, "")
	if len(words) == 0 {
		return nil, ""
	}
	user, _, _ = strings.Cut(words[0], ":")
	return words[1:], user
}
