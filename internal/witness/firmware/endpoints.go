package firmware

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// endpoints states the addresses inside web services that files show: the programs that a
// web server runs, and the routes that the maker's own web programs declare.
var endpoints = inspector{
	name:  "endpoints",
	kinds: []fact.Kind{fact.KindEndpoint},
	look:  lookEndpoints,
}

func lookEndpoints(r *Root) {
	w := webServer(r)
	web := r.webRoots()
	uses := map[string][]fact.Use{}
	for _, s := range r.Facts.Script {
		uses[s.Path] = s.Uses
	}
	total := 0
	for _, f := range r.Files() {
		if !f.Regular() || f.Trace == nil || total > endpointsMost {
			continue
		}
		if f.Trace.Type == "elf" && strings.Contains(f.Path, "/cgi-bin/") && !r.distributed(f) && !librarian.MatchString(f.Path) {
			total++
			r.Add(w.program(f, web))
			continue
		}
		if f.Trace.Type != "script" && f.Trace.Type != "text" {
			continue
		}
		lang, first := r.language(f)
		if lang == nil {
			continue
		}
		switch {
		case isCGI(f, web, first):
			if text, ok := f.Text(); ok {
				total++
				r.Add(w.script(f, web, text, uses[f.Path]))
			}
		case lang.name == "python" || lang.name == "javascript":
			if text, ok := f.Text(); ok && framework.MatchString(text) {
				list := routes(f, text, uses[f.Path])
				total += len(list)
				for _, e := range list {
					r.Add(e)
				}
			}
		}
	}
}

const endpointsMost = 2000

// server is what the configuration of the web servers shows.
type server struct {
	name string // the daemon, where there is one
	seen bool   // a configuration was read
	auth bool   // it asks somewhere who is there
}

var (
	webServers = search.Lazy(`^(lighttpd|nginx|apache2?|httpd|uhttpd|boa|thttpd|mini_httpd|goahead|appweb|hiawatha|cherokee|caddy)$`)
	webAuth    = search.Lazy(`(?m)^\s*(?:auth\.require|auth\.backend|auth_basic\b|auth_request\b|AuthType\b|AuthUserFile\b|Require\s+valid-user|option\s+(?:realm|auth)|/\S*:\S+:\S+\s*$|ssl_verify_client\s+on|SSLVerifyClient\s+require)`)
)

func webServer(r *Root) server {
	var w server
	for _, s := range r.Facts.Service {
		if webServers.MatchString(s.Product) && s.Start.Or("never") != "never" {
			w.name = s.Product
		}
	}
	for _, f := range r.Glob("/etc/lighttpd/**", "/etc/lighttpd.conf", "/etc/nginx/**", "/etc/nginx.conf", "/etc/apache2/**", "/etc/httpd/**", "/etc/httpd.conf", "/etc/boa/*", "/etc/config/uhttpd", "/etc/thttpd*") {
		if text, ok := f.Text(); ok {
			w.seen = true
			w.auth = w.auth || webAuth.MatchString(text)
		}
	}
	return w
}

// address returns the address of a program of the web server.
func address(f *File, web []string) string {
	best := ""
	for _, dir := range web {
		if strings.HasPrefix(f.Path, dir+"/") && len(dir) > len(best) {
			best = dir
		}
	}
	if best != "" {
		return f.Path[len(best):]
	}
	if _, rest, ok := strings.Cut(f.Path, "/cgi-bin/"); ok {
		return "/cgi-bin/" + rest
	}
	return "/" + path.Base(f.Path)
}

func (w server) endpoint(f *File, web []string) *fact.Endpoint {
	return &fact.Endpoint{Base: fact.Base{Places: []fact.Place{f.At(0)}, Confidence: "medium"}, Service: w.name, Protocol: "http", Path: address(f, web), Handler: f.Path}
}

// program states a compiled program of the web server.
func (w server) program(f *File, web []string) *fact.Endpoint {
	e := w.endpoint(f, web)
	if b := f.Trace.Binary; b != nil && b.Shape.ShellOut.Or(false) {
		e.Commands = fact.Say(true)
	}
	return e
}

var (
	asksWho     = search.Lazy(`(?i)session|\bauth|login|logged|REMOTE_USER|PHP_AUTH|HTTP_AUTHORIZATION|token|password|passwd|cookie|api_?key|jwt|check_?user|privilege`)
	writes      = search.Lazy(`(?i)file_put_contents|fwrite|move_uploaded_file|\b(?:insert into|update \w+ set|delete from)\b|\buci\s+(?:set|commit)|\bnvram\s+set|\bfw_setenv\b|\bchpasswd\b|>\s*/(?:etc|data|var|mnt)/|sed\s+-i|\bopen\([^)]*["']w`)
	uploads     = search.Lazy(`(?i)\$_FILES|multipart/form-data|move_uploaded_file|\bfilename=|FieldStorage\(`)
	runsCommand = search.Lazy(`(?:^|[^\w>:$])(?:system|exec|shell_exec|passthru|popen|proc_open|os\.execute|io\.popen|os\.system|os\.popen|subprocess\.\w+)\s*\(`)
)

// script states a script of the web server.
func (w server) script(f *File, web []string, text string, uses []fact.Use) *fact.Endpoint {
	e := w.endpoint(f, web)
	switch {
	case hasUse(uses, "shell-injection") || hasUse(uses, "unquoted-input"):
		e.Commands = fact.Say(true)
	case path.Ext(f.Path) == ".php" && !runsCommand.MatchString(text):
		e.Commands = fact.Say(false)
	}
	e.Uploads = fact.Say(hasUse(uses, "upload-any") || uploads.MatchString(text))
	e.Writes = fact.Say(writes.MatchString(text))
	if w.seen && !w.auth && !asksWho.MatchString(text) {
		e.Authenticated = fact.Say(false)
	}
	return e
}

var (
	framework   = search.Lazy(`(?m)^\s*(?:from|import)\s+(?:flask|bottle|fastapi|sanic|aiohttp|quart|tornado)\b|require\(\s*['"](?:express|koa|fastify|@koa/router|restify)['"]`)
	pythonRoute = search.Lazy(`^@\w+(?:\.\w+)*\.(route|get|post|put|patch|delete)\(\s*["']([^"']*)["'](.*)`)
	pythonNeeds = search.Lazy(`^@\S*(?i:login|auth|token|jwt|permission|require|protect|admin)`)
	nodeRoute   = search.Lazy(`\b(?:app|router|server)\.(get|post|put|patch|delete|all)\(\s*['"]([^'"]*)['"]\s*,(.*)`)
	changes     = search.Lazy(`(?i)\b(?:POST|PUT|PATCH|DELETE)\b`)
)

// routes reads the routes that a web program declares. Where the file speaks of logins
// anywhere, it is not said whether a route asks for one.
func routes(f *File, text string, uses []fact.Use) []*fact.Endpoint {
	var out []*fact.Endpoint
	open := !asksWho.MatchString(text)
	lines := strings.Split(text, "\n")
	name := path.Base(f.Path)
	for i := 0; i < len(lines) && len(out) < 300; i++ {
		line := strings.TrimSpace(lines[i])
		var verb, at, rest string
		if m := pythonRoute.FindStringSubmatch(line); m != nil {
			verb, at, rest = m[1], m[2], m[3]
		} else if m := nodeRoute.FindStringSubmatch(line); m != nil {
			verb, at, rest = m[1], m[2], m[3]
		} else {
			continue
		}
		e := &fact.Endpoint{Base: fact.Base{Places: []fact.Place{f.At(i + 1)}, Confidence: "medium"}, Service: name, Protocol: "http", Path: at, Handler: f.Path}
		end := routeEnd(lines, i+1)
		body := strings.Join(lines[i:end], "\n")
		e.Writes = fact.Say(changes.MatchString(verb) || changes.MatchString(rest) && strings.Contains(rest, "methods"))
		e.Uploads = fact.Say(strings.Contains(body, "request.files") || strings.Contains(body, "req.file"))
		e.Commands = fact.Say(slices.ContainsFunc(uses, func(u fact.Use) bool { return u.What == "shell-injection" && u.Line > i && u.Line <= end }))
		switch {
		case slices.ContainsFunc(lines[i:min(i+5, len(lines))], func(l string) bool { return pythonNeeds.MatchString(strings.TrimSpace(l)) }),
			i > 0 && pythonNeeds.MatchString(strings.TrimSpace(lines[i-1])), nodeNeeds.MatchString(rest):
			e.Authenticated = fact.Say(true)
		case open:
			e.Authenticated = fact.Say(false)
		}
		out = append(out, e)
	}
	return out
}

var nodeNeeds = search.Lazy(`(?i)\b(?:require|is|check|ensure|verify)?_?(?:auth|login|token|admin|jwt)\w*`)

// routeEnd returns the line before which the handler of a route ends: the next route, or
// 80 lines on.
func routeEnd(lines []string, from int) int {
	most := min(from+80, len(lines))
	for i := from; i < most; i++ {
		l := strings.TrimSpace(lines[i])
		if pythonRoute.MatchString(l) || nodeRoute.MatchString(l) {
			return i
		}
	}
	return most
}
