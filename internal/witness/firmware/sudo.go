package firmware

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// sudo says which of the system's users may become root, by sudo or doas, and adds it to
// their accounts.
var sudo = inspector{
	name:  "sudo",
	kinds: []fact.Kind{fact.KindAccount},
	look:  lookSudo,
}

func lookSudo(r *Root) {
	rules := &sudoRules{root: r, groups: r.groups(), aliases: map[string][]string{}}
	rules.file("/etc/sudoers", 0)
	rules.doas()
	present := slices.ContainsFunc([]string{"/usr/bin/sudo", "/bin/sudo", "/usr/local/bin/sudo", "/usr/bin/doas", "/usr/local/bin/doas"},
		func(p string) bool { return r.Lookup(p) != nil })
	if present && !rules.read {
		return // there is a sudo, and what it allows was not seen
	}
	for _, a := range r.Facts.Account {
		if a.Store != "system" || a.UID.Or(-1) == 0 {
			continue
		}
		says := "no"
		for _, g := range rules.grants {
			if rules.concerns(g.who, a, 0) && rank(g.says) > rank(says) {
				says = g.says
			}
		}
		a.Sudo = fact.Say(says)
		if says != "no" {
			for _, g := range rules.grants {
				if g.says == says && rules.concerns(g.who, a, 0) {
					a.Places = append(a.Places, g.at)
				}
			}
		}
	}
}

func rank(says string) int { return slices.Index([]string{"no", "limited", "yes", "nopasswd"}, says) }

// groups returns the members of each group, by name and by #GID.
func (r *Root) groups() map[string][]string {
	out := map[string][]string{}
	text, _ := r.Text("/etc/group")
	for line := range strings.Lines(text) {
		w := strings.Split(strings.TrimSpace(line), ":")
		if len(w) < 4 {
			continue
		}
		members := strings.Split(w[3], ",")
		out[w[0]] = members
		for _, a := range r.Facts.Account {
			if gid, ok := a.GID.Value(); ok && a.Store == "system" && strconv.Itoa(gid) == w[2] {
				out[w[0]] = append(out[w[0]], a.Name)
			}
		}
		out["#"+w[2]] = out[w[0]]
	}
	return out
}

// grant is one rule of sudoers or doas.conf.
type grant struct {
	who  []string
	says string
	at   fact.Place
}

type sudoRules struct {
	root    *Root
	groups  map[string][]string
	aliases map[string][]string
	grants  []grant
	read    bool
	free    bool // Defaults !authenticate
	target  bool // it asks for the password of root
	files   int
}

// file reads one sudoers file and what it includes.
func (s *sudoRules) file(p string, depth int) {
	f := s.root.Lookup(p)
	text, ok := f.Text()
	if s.files++; !ok || depth > 8 || s.files > 200 {
		return
	}
	s.read = true
	n, start, joined := 0, 0, ""
	for line := range strings.Lines(text) {
		n++
		if joined == "" {
			start = n
		}
		line = strings.TrimRight(line, "\r\n")
		if cut, more := strings.CutSuffix(line, `\`); more && len(joined) < 1<<16 {
			joined += cut + " "
			continue
		}
		s.line(strings.TrimSpace(joined+line), f.At(start), depth)
		joined = ""
	}
}

func (s *sudoRules) line(line string, at fact.Place, depth int) {
	w := strings.Fields(line)
	if len(w) < 2 {
		return
	}
	switch w[0] {
	case "@include", "#include":
		s.file(path.Join("/etc", unrooted(w[1])), depth+1)
		return
	case "@includedir", "#includedir":
		for _, f := range s.root.Dir(path.Join("/etc", unrooted(w[1]))) {
			if base := path.Base(f.Path); !strings.ContainsAny(base, ".~") {
				s.file(f.Path, depth+1)
			}
		}
		return
	}
	if strings.HasPrefix(w[0], "#") && !digits(w[0][1:]) {
		return
	}
	line, _, _ = strings.Cut(line, " #")
	switch {
	case strings.HasPrefix(w[0], "Defaults"):
		s.free = s.free || strings.Contains(line, "!authenticate") && w[0] == "Defaults"
		s.target = s.target || (strings.Contains(line, "targetpw") || strings.Contains(line, "rootpw")) && !strings.Contains(line, "!targetpw")
	case w[0] == "User_Alias":
		for def := range strings.SplitSeq(strings.TrimPrefix(line, "User_Alias"), ":") {
			if name, list, ok := strings.Cut(def, "="); ok {
				s.aliases[strings.TrimSpace(name)] = split(list)
			}
		}
	case strings.HasSuffix(w[0], "_Alias"):
	default:
		s.rule(line, at)
	}
}

// rule reads: users hosts = (runas) TAG: command, command
func (s *sudoRules) rule(line string, at fact.Place) {
	left, right, ok := strings.Cut(line, "=")
	if !ok {
		return
	}
	// The hosts are the last word; lists may have blanks after their commas.
	left = strings.ReplaceAll(strings.ReplaceAll(left, ", ", ","), " ,", ",")
	w := strings.Fields(left)
	if len(w) < 2 {
		return
	}
	g := grant{who: split(strings.Join(w[:len(w)-1], "")), says: "limited", at: at}
	free, all := s.free, false
	for cmd := range strings.SplitSeq(right, ",") {
		cmd = strings.TrimSpace(cmd)
		if runas, rest, ok := strings.Cut(cmd, ")"); ok && strings.HasPrefix(runas, "(") {
			who, _, _ := strings.Cut(runas[1:], ":")
			if who = strings.TrimSpace(who); who != "" && who != "ALL" && who != "root" && who != "#0" {
				return // it leads to another user, not to root
			}
			cmd = strings.TrimSpace(rest)
		}
		for {
			tag, rest, ok := strings.Cut(cmd, ":")
			if tag = strings.TrimSpace(tag); !ok || strings.ContainsAny(tag, " /") {
				break
			}
			switch tag {
			case "NOPASSWD":
				free = true
			case "PASSWD":
				free = false
			}
			cmd = strings.TrimSpace(rest)
		}
		if cmd == "ALL" {
			all = true
			if free {
				g.says = "nopasswd"
			}
		}
	}
	switch {
	case g.says == "nopasswd" || !all:
	case s.target:
		return // whoever knows root's password may be root anyway
	default:
		g.says = "yes"
	}
	s.grants = append(s.grants, g)
}

// doas reads: permit [nopass] [persist] user|:group [as root] [cmd ...]
func (s *sudoRules) doas() {
	for _, f := range append([]*File{s.root.Lookup("/etc/doas.conf")}, s.root.Dir("/etc/doas.d")...) {
		if f == nil {
			continue
		}
		s.read = true
		numbered(f, func(n int, line string) {
			w := strings.Fields(line)
			if w[0] != "permit" {
				return
			}
			g := grant{says: "yes", at: f.At(n)}
			for _, o := range w[1:] {
				switch {
				case o == "nopass":
					g.says = "nopasswd"
				case o == "cmd":
					g.says = "limited"
				case g.who == nil && o != "persist" && o != "keepenv" && !strings.Contains(o, "{") && !strings.Contains(o, "}"):
					who := o
					if group, ok := strings.CutPrefix(o, ":"); ok {
						who = "%" + group
					}
					g.who = []string{who}
				}
			}
			if i := slices.Index(w, "as"); i > 0 && i+1 < len(w) && w[i+1] != "root" {
				return
			}
			s.grants = append(s.grants, g)
		})
	}
}

// concerns reports whether a list of users holds the account.
func (s *sudoRules) concerns(who []string, a *fact.Account, depth int) bool {
	in := false
	for _, w := range who {
		name, not := strings.CutPrefix(w, "!")
		hit := false
		switch {
		case name == "ALL" || name == a.Name || name == "#"+strconv.Itoa(a.UID.Or(-1)):
			hit = true
		case strings.HasPrefix(name, "%"):
			hit = slices.Contains(s.groups[name[1:]], a.Name)
		case depth < 8 && s.aliases[name] != nil:
			hit = s.concerns(s.aliases[name], a, depth+1)
		}
		if hit {
			in = !not
		}
	}
	return in
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
}

// unrooted makes a path of sudoers relative to /etc, to which it is joined.
func unrooted(p string) string {
	p = strings.Trim(p, `"`)
	if rest, ok := strings.CutPrefix(p, "/etc/"); ok {
		return rest
	}
	if path.IsAbs(p) {
		return ".." + p
	}
	return p
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
