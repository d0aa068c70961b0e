package firmware

import (
	"path"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// scripts states what is dangerous in the scripts that are not a distribution's own: those
// of the web server, those that the system runs, and the maker's.
var scripts = inspector{
	name:  "scripts",
	kinds: []fact.Kind{fact.KindScript},
	look:  lookScripts,
}

func lookScripts(r *Root) {
	runs, seen := runsOf(r)
	web := r.webRoots()
	for _, f := range r.Files() {
		if !f.Regular() || f.Trace == nil || f.Trace.Type != "script" && f.Trace.Type != "text" {
			continue
		}
		lang, head := r.language(f)
		if lang == nil {
			continue
		}
		cgi, run := isCGI(f, web, head), runs[f.Path]
		if !cgi && !run.known && !makersPlace.MatchString(f.Path) && !programPlace.MatchString(f.Path) {
			continue
		}
		text, ok := f.Text()
		if !ok {
			continue
		}
		s := &fact.Script{Base: fact.Base{Places: []fact.Place{f.At(0)}}, Path: f.Path, Language: lang.name}
		s.CGI = fact.Say(cgi)
		if seen {
			s.Boot = fact.Say(run.boot)
		}
		if run.known {
			s.AsRoot = fact.Say(run.root)
		}
		s.WorldWritable = fact.Say(f.WorldWritable())
		s.Uses = lang.uses(text, cgi, run.root)
		if lang.name == "php" && uploadCall.MatchString(text) && !uploadCheck.MatchString(text) {
			s.Uses = append(s.Uses, useAt(text, uploadCall, "upload-any"))
		}
		if lang.name == "sh" {
			if u := readUpdater(text); u.runsUnsigned() && !hasUse(s.Uses, "download-run") {
				s.Uses = append(s.Uses, fact.Use{What: "download-run", Line: u.fetchLine, Text: quote(u.fetch)})
			}
		}
		if s.Uses == nil {
			s.Uses = []fact.Use{}
		}
		if cgi || run.known || run.boot || f.WorldWritable() || len(s.Uses) > 0 || makersPlace.MatchString(f.Path) {
			r.Add(s)
		}
	}
}

// programPlace tells where programs lie that are called by their name.
var programPlace = search.Lazy(`^(/usr|/usr/local)?/(s?bin|libexec)/|^/etc/`)

func hasUse(uses []fact.Use, what string) bool {
	for _, u := range uses {
		if u.What == what {
			return true
		}
	}
	return false
}

// useAt makes a use of the first line that a pattern matches.
func useAt(text string, at *search.Pattern, what string) fact.Use {
	n := 0
	for line := range strings.Lines(text) {
		if n++; at.MatchString(line) {
			return fact.Use{What: what, Line: n, Text: quote(line)}
		}
	}
	return fact.Use{What: what, Line: 1}
}

// librarian tells the places of libraries, documentation and tools of development, whose
// scripts run only when something else calls them.
var librarian = search.Lazy(`^/(usr/(local/)?)?(lib|lib64|share)/(python[\d.]*|perl\d?|perl-base|node_modules|nodejs|ruby|tcl[\d.]*|git-core|gcc|go|php|pear|doc|man|bash-completion|vim|autoconf|automake[^/]*|aclocal|initramfs-tools|zsh|fish|gdb|valgrind|cmake|pkgconfig|info|locale|awk|debconf|dpkg|lintian|reportbug|apport|groff|terminfo|misc|nano|emacs|X11|texmf[^/]*|javascript|sensible-utils|selinux|bug)/|/(site|dist)-packages/|/node_modules/|^/usr/(include|src)/|^/var/lib/dpkg/|^/(usr/)?lib/(opkg|ipkg)/info/|^/lib/apk/db/|^/lib/modules/|^/usr/share/[^/]+/(doc|examples?|tests?)/|\.git/hooks/.*\.sample$`)

// languageOf returns the language of a script, by its first line or else by its name.
func languageOf(p, first string) *script {
	if interp, ok := strings.CutPrefix(first, "#!"); ok {
		words := strings.Fields(interp)
		if len(words) > 1 && path.Base(words[0]) == "env" {
			words = words[1:]
			for len(words) > 1 && strings.HasPrefix(words[0], "-") {
				words = words[1:]
			}
		}
		if len(words) == 0 {
			return nil
		}
		name := strings.TrimRight(path.Base(words[0]), "0123456789.")
		switch name {
		case "sh", "bash", "ash", "dash", "ksh", "zsh", "busybox", "haserl", "hush", "openrc-run", "runscript":
			return &shellScript
		case "python":
			return &pythonScript
		case "php", "php-cgi", "php-cli":
			return &phpScript
		case "lua", "luajit":
			return &luaScript
		case "perl":
			return &perlScript
		case "node", "nodejs":
			return &nodeScript
		}
		return nil
	}
	switch path.Ext(p) {
	case ".sh":
		return &shellScript
	case ".py":
		return &pythonScript
	case ".php", ".phtml", ".php5", ".inc":
		if path.Ext(p) == ".inc" && !strings.HasPrefix(first, "<?") {
			return nil
		}
		return &phpScript
	case ".lua":
		return &luaScript
	case ".pl":
		return &perlScript
	}
	if strings.HasPrefix(first, "<?php") {
		return &phpScript
	}
	return nil
}

// firstLine returns the first line of a text.
func (f *File) firstLine() string {
	var p string
	if f.Trace.Text != nil {
		p = *f.Trace.Text
	} else if f.Trace.Type == "script" {
		p, _ = f.Text()
	}
	line, _, _ := strings.Cut(p[:min(len(p), 256)], "\n")
	return strings.TrimSpace(line)
}

// language returns the language of a script and its first line; nil for what is no
// script, or a library's or the distribution's own. What costs least is asked first: a
// text that is not held is read again.
func (r *Root) language(f *File) (lang *script, first string) {
	foreign := func() bool { return r.distributed(f) || librarian.MatchString(f.Path) }
	held := f.Trace.Text != nil
	if !held && foreign() {
		return nil, ""
	}
	first = f.firstLine()
	if lang = languageOf(f.Path, first); lang == nil || held && foreign() {
		return nil, ""
	}
	return lang, first
}

// isCGI reports whether a web server runs a script for a request.
func isCGI(f *File, web []string, first string) bool {
	dir := strings.Contains(f.Path, "/cgi-bin/") || strings.HasSuffix(first, "haserl")
	in := false
	for _, w := range web {
		in = in || strings.HasPrefix(f.Path, w+"/")
	}
	switch path.Ext(f.Path) {
	case ".cgi", ".fcgi":
		return true
	case ".php", ".phtml", ".php5":
		return in || dir
	case ".sh", ".py", ".pl", ".lua", "":
		return dir || in && f.Node.Mode&0o111 != 0
	}
	return dir
}

// readWebRoots lists the directories that web servers show: those of their configurations,
// and the usual ones.
func readWebRoots(r *Root) []string {
	seen := map[string]bool{}
	var out []string
	add := func(p string) {
		p = path.Clean(p)
		if f := r.Lookup(p); f != nil && len(p) > 1 && p != "/usr" && p != "/etc" && p != "/var" && !seen[f.Path] {
			seen[f.Path] = true
			out = append(out, f.Path)
		}
	}
	for _, p := range []string{"/www", "/var/www", "/srv/www", "/usr/www", "/usr/share/www", "/home/httpd", "/htdocs", "/webroot", "/usr/htdocs", "/home/www", "/web"} {
		add(p)
	}
	for _, f := range r.Glob("/etc/lighttpd/**", "/etc/nginx/**", "/etc/apache2/**", "/etc/httpd/**", "/etc/httpd.conf", "/etc/boa/*", "/etc/boa.conf", "/etc/config/uhttpd", "/etc/thttpd*", "/etc/thttpd/*", "/etc/lighttpd.conf", "/etc/nginx.conf", "/etc/init.d/*") {
		if text, ok := f.Text(); ok {
			for _, m := range documentRoot.FindAllStringSubmatch(text, 32) {
				add(m[1] + m[2])
			}
		}
	}
	return out
}

var documentRoot = search.Lazy(`(?m)^\s*(?:server\.document-root\s*=\s*"|DocumentRoot\s+"?|root\s+"?|option\s+home\s+["']?|dir\s*=\s*)(/[\w./-]+)|\bhttpd\s+[^\n]*-h\s+(/[\w./-]+)`)
