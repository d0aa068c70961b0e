package firmware

import (
	"bytes"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// elfLiterals are what the looker at ELF files is told of.
var elfLiterals = []string{"/rustc/", "curl -", "wget -"}

// traits are what a C function says about the program that imports it.
type traits uint8

const (
	isRisky    traits = 1 << iota // writes without knowing the room there is
	isRunner                      // starts another program
	isListener                    // waits for others to connect
	isBuffer                      // is used with arrays, which a canary would guard
	isPrinter                     // is replaced by a checked one where the compiler may
	isArray                       // writes into an array, hardly ever into the heap
)

// functions says what is known of functions of the C library.
var functions = map[string]traits{
	"gets": isRisky | isBuffer | isPrinter | isArray, "strcpy": isRisky | isBuffer, "strcat": isRisky | isBuffer, "stpcpy": isRisky | isBuffer, "wcscpy": isRisky | isBuffer, "wcscat": isRisky | isBuffer,
	"sprintf": isRisky | isBuffer | isPrinter | isArray, "vsprintf": isRisky | isBuffer | isPrinter | isArray,
	"scanf": isRisky | isBuffer, "fscanf": isRisky | isBuffer, "sscanf": isRisky | isBuffer, "vsscanf": isRisky | isBuffer,
	"__isoc99_scanf": isRisky | isBuffer, "__isoc99_fscanf": isRisky | isBuffer, "__isoc99_sscanf": isRisky | isBuffer, "__isoc99_vsscanf": isRisky | isBuffer,
	"__isoc23_scanf": isRisky | isBuffer, "__isoc23_fscanf": isRisky | isBuffer, "__isoc23_sscanf": isRisky | isBuffer,
	"system": isRunner, "popen": isRunner, "execl": isRunner, "execlp": isRunner, "execle": isRunner, "execv": isRunner, "execve": isRunner, "execvp": isRunner, "execvpe": isRunner,
	"posix_spawn": isRunner, "posix_spawnp": isRunner, "wordexp": isRunner,
	"listen": isListener, "accept": isListener, "accept4": isListener, "bind": isListener,
	"snprintf": isBuffer | isPrinter, "vsnprintf": isBuffer | isPrinter, "fgets": isBuffer, "read": isBuffer, "recv": isBuffer, "recvfrom": isBuffer, "strncpy": isBuffer, "strncat": isBuffer,
	"printf": isPrinter, "fprintf": isPrinter, "vfprintf": isPrinter, "vprintf": isPrinter, "syslog": isPrinter,
}

// imports gathers what the imported functions say.
type imports struct {
	named   []string
	all     traits
	canary  bool
	checked bool // a checked variant of a function
	count   int
}

func (in *imports) add(name []byte) {
	in.count++
	if t := functions[string(name)]; t != 0 {
		in.all |= t
		in.named = append(in.named, string(name))
		return
	}
	if len(name) > 8 && name[0] == '_' && name[1] == '_' {
		if bytes.HasSuffix(name, []byte("_chk")) {
			in.checked = true
		} else if bytes.HasPrefix(name, []byte("__stack_chk_")) || string(name) == "__stack_smash_handler" {
			in.canary = true
		}
	}
}

// with lists the functions of some trait.
func (in *imports) with(t traits) []string {
	out := []string{}
	for _, n := range in.named {
		if functions[n]&t != 0 {
			out = append(out, n)
		}
	}
	return out
}

// canaryCode is the size of code below which a C program may have no array that is worth
// a canary, unless it prints or scans into one.
const canaryCode = 32 << 10

// ordinaryLibraries are the libraries that a program needs anyway; with others it may listen through
// them.
var ordinaryLibraries = search.Lazy(`^(ld[-.]|lib(c|m|dl|pthread|rt|gcc_s|stdc\+\+|crypt|util|uClibc)[-.])`)

// state states what the functions say. What a C program may rightly lack stays unstated:
// a canary where there is hardly an array, checked functions where none has a variant.
func (in *imports) state(b *Binary, f *elfFile) {
	slices.Sort(in.named)
	in.named = slices.Compact(in.named)
	b.Imports = in.named
	e := &b.Shape
	e.Risky, e.Runs = in.with(isRisky), in.with(isRunner)
	switch {
	case in.all&isListener != 0:
		e.Network = fact.Say(true)
	case e.Type == "program" && e.Language == "" && !slices.ContainsFunc(e.Needed, func(n string) bool { return !ordinaryLibraries.MatchString(n) }):
		e.Network = fact.Say(false)
	}
	if e.Language == "go" {
		return
	}
	code := uint64(0)
	for _, s := range f.segments {
		if s.kind == 1 && s.flags&1 != 0 {
			code += s.size
		}
	}
	switch {
	case in.canary || f.guards():
		e.Canary = fact.Say(true)
	case e.Language == "" && in.all&isBuffer != 0 && (code >= canaryCode || slices.ContainsFunc(e.Risky, func(n string) bool { return functions[n]&isArray != 0 })):
		e.Canary = fact.Say(false)
	}
	switch {
	case in.checked:
		e.Fortify = fact.Say(true)
	case e.Language == "" && in.all&isPrinter != 0 && !f.musl(e.Needed):
		e.Fortify = fact.Say(false)
	}
}

// guards reports whether the program defines the canary's failure itself, as the C
// library and static programs do.
func (f *elfFile) guards() bool {
	s := f.section(".symtab")
	if s == nil || int(s.link) >= len(f.sections) {
		return false
	}
	names := f.sections[s.link]
	return bytes.Contains(f.bytes(names.offset, min(names.size, elfTable)), []byte("\x00__stack_chk_fail"))
}

// musl reports whether the program's C library is musl, which has no checked functions.
func (f *elfFile) musl(needed []string) bool {
	if i := f.segment(3); i != nil {
		return strings.Contains(string(f.bytes(i.offset, min(i.size, 256))), "ld-musl")
	}
	return slices.ContainsFunc(needed, func(n string) bool { return strings.HasPrefix(n, "libc.musl-") || n == "libc.so" })
}

// A format string is a shell command when it begins with a program. English words that
// are also programs count only with something of the shell in the string.
var (
	commandPath = search.Lazy(`^(/usr/local|/usr|/opt/[\w.-]+)?/(s?bin|etc/init\.d|etc/rc\.d)/[\w.+-]+ `)
	commandTool = search.Lazy(`^(sudo |cd \S+ ?(&&|;) ?)?(ifconfig|iptables|ip6tables|ebtables|nft|wpa_cli|iwconfig|iwpriv|brctl|vconfig|insmod|rmmod|modprobe|killall|pkill|umount|mkdir|chmod|chown|wget|curl|tftp|ftpget|ftpput|udhcpc|hwclock|flashcp|flash_erase|nandwrite|mkfs\.\w+|systemctl|openssl|nvram|uci|cfg|smbclient|sshpass|nslookup|ntpdate|chpasswd|adduser|deluser|useradd|usermod|ping6?|ip (addr|link|route|rule)|route (add|del)) `)
	commandWord = search.Lazy(`^(cat|echo|rm|cp|mv|mount|tar|unzip|gzip|gunzip|kill|date|touch|grep|sed|awk|ls|ln|dd|sh|bash|sync|reboot|passwd|find|head|tail|test|route|arp|traceroute|telnet|ssh|scp|ftp|dpkg|rpm|opkg|kill) `)
	commandSign = search.Lazy(` -\w|[>|;&` + "`" + `]|['"]%s|/dev/|/tmp/|/etc/|/proc/`)
	commandNot  = search.Lazy(`(?i)(failed|fail:|error|cannot|can't|could not|couldn't|unable|invalid|usage|not found|no such|unknown|warning|\.\.\.$|: %s)`)
)

// commandFormats collects the shell commands with a text argument in some data.
func commandFormats(data []byte, b *Binary) {
	for tries := 0; tries < 1<<14 && len(b.Commands) < 8; tries++ {
		i := bytes.Index(data, []byte("%s"))
		if i < 0 {
			return
		}
		start, s := printable(data, i)
		if shellCommand(s) && !slices.Contains(b.Commands, s) {
			b.Commands = append(b.Commands, s[:min(len(s), 160)])
		}
		data = data[min(max(start+len(s), i+2), len(data)):]
	}
}

func shellCommand(s string) bool {
	if !strings.Contains(s, "%s") || commandNot.MatchString(s) {
		return false
	}
	return commandPath.MatchString(s) || commandTool.MatchString(s) || commandWord.MatchString(s) && commandSign.MatchString(s)
}

// printable returns the run of printable bytes about an offset, at most 512 on either
// side.
func printable(data []byte, at int) (int, string) {
	start, end := at, at
	for start > 0 && at-start < 512 && data[start-1] >= ' ' && data[start-1] < 0x7f {
		start--
	}
	for end < len(data) && end-at < 512 && data[end] >= ' ' && data[end] < 0x7f {
		end++
	}
	return start, string(data[start:end])
}

var noVerify = search.Lazy(`(^|[/ ;&|(` + "`" + `'"])(curl(\s+-\S+)*?\s+(-[a-zA-Z]*k[a-zA-Z]*\b|--insecure\b)|curl\s[^|;]*?\s(-k|--insecure)\b|wget\s([^|;]*\s)?--no-check-certificate\b)`)

// unverified reports whether a command fetches without checking whom it talks to.
func unverified(command string) bool { return noVerify.MatchString(command) }
