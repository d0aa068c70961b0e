package setting

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// samples has a text of every family that shows its forms.
var samples = []struct {
	name   string
	syntax Syntax
	text   string
	want   []string // SCOPE/KEY=VALUE@LINE
}{
	{"equals", Syntax{Family: Equals, Comment: "#;", Inline: true}, "# c\na = 1\nb=two words # c\n\n; c\nc\n d='x # y'\r\nbss=wlan1\n",
		[]string{"a=1@2", "b=two words@3", "c=@6", "d=x # y@7", "bss=wlan1@8"}},
	{"equals sections", Syntax{Family: Equals, Sections: []string{"bss"}}, "ssid=a\nbss=wlan1\nssid=b\nbss=wlan2\nssid=c\n",
		[]string{"ssid=a@1", "bss wlan1/bss=wlan1@2", "bss wlan1/ssid=b@3", "bss wlan2/bss=wlan2@4", "bss wlan2/ssid=c@5"}},
	{"words", Syntax{Family: Words, Fold: true, Sections: []string{"Match"}}, "Port 22\n#Port 23\nBanner=\"/etc/x y\"\nMatch User a\n  X no\nmatch user b\n  X yes\nMatch all\nY 1",
		[]string{"Port=22@1", "Banner=/etc/x y@3", "Match User a/Match=User a@4", "Match User a/X=no@5", "match user b/match=user b@6", "match user b/X=yes@7", "Y=1@9"}},
	{"listener", Syntax{Family: Words, Sections: []string{"listener"}}, "listener 1883 127.0.0.1\na b\nlistener 1883\nc d\n",
		[]string{"listener 1883/listener=1883 127.0.0.1@1", "listener 1883/a=b@2", "listener 1883#2/listener=1883@3", "listener 1883#2/c=d@4"}},
	{"ini", Syntax{Family: INI, Comment: "#;", Join: true}, "x=0\n[global]\n a b = c \\\n  d\n; no\n[s]\nskip\n[s]\nk=\n",
		[]string{"x=0@1", "global/a b=c \\\n  d@3", "s/skip=@7", "s/k=@9"}},
	{"colon", Syntax{Family: Colon}, "root:x:0:0\n\n# a\nb:\n", []string{"root=x:0:0@1", "b=@4"}},
	{"shell", Syntax{Family: Shell}, "#!/bin/sh\nA=1 # x\nexport B=\"a b\"\nC='x\ny'\nif [ \"$D\" = x ]; then\nE=$F;G=1\n_h2=\n",
		[]string{"A=1@2", "B=a b@3", "C=x\ny@4", "E=$F@7", "_h2=@8"}},
	{"kconfig", Syntax{Family: Kconfig}, "# c\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"x y\"\n",
		[]string{"CONFIG_A=y@2", "CONFIG_B=n@3", "CONFIG_C=x y@4"}},
	{"uci", Syntax{Family: UCI}, "package p\nconfig dropbear\n\toption PasswordAuth 'on'\n\nconfig uhttpd main\n\tlist listen_http '0.0.0.0:80'\n\tlist listen_http \"[::]:80\"\nconfig dropbear\n\toption Port 22\n",
		[]string{"dropbear/PasswordAuth=on@3", "uhttpd main/listen_http=0.0.0.0:80@6", "uhttpd main/listen_http=[::]:80@7", "dropbear#2/Port=22@9"}},
	{"wpa", Syntax{Family: WPA}, "ctrl_interface=/run\nnetwork={\n\tssid=\"a b\"\n\t#psk=x\n\tpsk=y\n}\nupdate_config=1\nnetwork={\n\tssid=c\n}\n",
		[]string{"ctrl_interface=/run@1", "network/ssid=a b@3", "network/psk=y@5", "update_config=1@7", "network#2/ssid=c@9"}},
	{"blocks", Syntax{Family: Blocks}, "user www;\nhttp {\n server { listen 80; # c\n  location /a { x 'y z'; }\n }\n server{listen [::]:81 ssl;}\n log_format m '$a \"{}\"' ';';\n}\ndaemon off;",
		[]string{"user=www@1", "http/server/listen=80@3", "http/server/location /a/x=y z@4", "http/server#2/listen=[::]:81 ssl@6", "http/log_format=m '$a \"{}\"' ';'@7", "daemon=off@9"}},
	{"apache", Syntax{Family: Apache, Fold: true, Through: []string{"IfModule"}}, "Listen 80\n<IfModule mod_ssl.c>\n  Listen 443\n</IfModule>\n<VirtualHost *:80>\n ServerName a \\\n  b\n <Directory \"/x y\">\n  Options -Indexes\n </directory>\n</VirtualHost>\nUser www\n",
		[]string{"Listen=80@1", "Listen=443@3", "VirtualHost *:80/ServerName=a \\\n  b@6", "VirtualHost *:80/Directory \"/x y\"/Options=-Indexes@9", "User=www@12"}},
	{"lighttpd", Syntax{Family: Lighttpd}, "server.port = 80 # c\nserver.modules = ( \"a\", # c\n \"b\" )\nserver.modules += (\"c\")\n$SERVER[\"socket\"] == \":443\" {\n ssl.engine = \"enable\"\n}\nelse {\n x = \"}\"\n}\ninclude \"y.conf\"\n",
		[]string{"server.port=80@1", "server.modules=( \"a\", # c\n \"b\" )@2", "server.modules=(\"c\")@4", "$SERVER[\"socket\"] == \":443\"/ssl.engine=enable@6", "else/x=}@9", "include=y.conf@11"}},
	{"json", Syntax{Family: JSON}, "{ // c\n \"A\" : true, /* x */\n \"B\" : { \"C\": \"d\\\"e\", \"L\": [1, \"2\"] },\n \"O\": [ { \"x\": 1 }, { \"x\": null } ],\n}\n",
		[]string{"A=true@2", "B/C=d\"e@3", "B/L=[1, \"2\"]@3", "O/0/x=1@4", "O/1/x=null@4"}},
	{"xml", Syntax{Family: XML}, "<?xml version=\"1.0\"?>\n<!-- <a>b</a> -->\n<busconfig>\n <auth> EXTERNAL </auth>\n <policy context=\"default\">\n  <allow own=\"x\" user='y'/>\n </policy>\n</busconfig>\n",
		[]string{"busconfig/auth=EXTERNAL@4", "busconfig/policy.context=default@5", "busconfig/policy context=\"default\"/allow.own=x@6", "busconfig/policy context=\"default\"/allow.user=y@6"}},
	{"rsyslog", Syntax{Family: Rsyslog}, "# c\n$ModLoad imudp\nmodule(load=\"imtcp\")\ninput(type=\"imtcp\"\n  port=\"514\")\n*.* @@host:514\nauth,authpriv.* /var/log/auth.log\n",
		[]string{"$ModLoad=imudp@2", "module/load=imtcp@3", "input/type=imtcp@4", "input/port=514@5", "*.*=@@host:514@6", "auth,authpriv.*=/var/log/auth.log@7"}},
}

// TestFamilies holds what each family makes of its forms.
func TestFamilies(t *testing.T) {
	t.Parallel()
	for _, c := range samples {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := Parse(c.syntax, c.text)
			if diff := cmp.Diff(c.want, words(f)); diff != "" {
				t.Error(diff)
			}
			hold(t, f)
		})
	}
}

// TestEdits holds that an edit changes what it names and nothing else.
func TestEdits(t *testing.T) {
	t.Parallel()
	for _, c := range samples {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := Parse(c.syntax, c.text)
			for i, e := range f.Entries {
				same, err := f.Replace(e, e.Value)
				if err == nil && !strings.ContainsAny(e.Value, "\n\"") {
					if diff := cmp.Diff(words(f), words(Parse(c.syntax, same))); diff != "" {
						t.Errorf("%s set to what it was: %s", e.Key, diff)
					}
				}
				if e.Head {
					continue
				}
				text, err := f.Replace(e, "77")
				if err != nil {
					t.Errorf("%s: %v", e.Key, err)
					continue
				}
				after := Parse(c.syntax, text)
				if len(after.Entries) != len(f.Entries) || after.Entries[i].Value != "77" || after.Entries[i].Key != e.Key {
					t.Errorf("%s set to 77: %q", e.Key, text)
				}
				if c.syntax.Family == XML && strings.Contains(e.Key, ".") {
					continue // it is part of its section's name
				}
				want := append(append([]string(nil), plain(f)[:i]...), plain(f)[i+1:]...)
				if diff := cmp.Diff(want, plain(Parse(c.syntax, f.Cut(e)))); diff != "" {
					t.Errorf("%s cut: %s\n%q", e.Key, diff, f.Cut(e))
				}
			}
			for _, s := range f.Sections {
				if c.syntax.Family == Colon || c.syntax.Family == UCI && len(s.Scope) == 0 ||
					c.syntax.Family == JSON && strings.HasSuffix(strings.Join(s.Scope, "/"), "O") {
					continue
				}
				key := "CONFIG_NEW"
				text, err := f.Add(s.Scope, key, "5")
				if err != nil {
					t.Errorf("add to %q: %v", s.Scope, err)
					continue
				}
				after := Parse(c.syntax, text)
				if found := after.Lookup(s.Scope, key); len(found) != 1 || found[0].Value != "5" || len(after.Entries) != len(f.Entries)+1 {
					t.Errorf("add to %q: %q", s.Scope, text)
				}
			}
		})
	}
}

// TestEditedText holds what the edits write, to the byte.
func TestEditedText(t *testing.T) {
	t.Parallel()
	set := func(f *File, scope, key, value string) (string, error) {
		if scope == "" {
			return f.Set(nil, key, value)
		}
		return f.Set(strings.Split(scope, "/"), key, value)
	}
	for _, c := range []struct {
		syntax                        Syntax
		text, scope, key, value, want string
	}{
		{Syntax{Family: Words, Fold: true, Sections: []string{"Match"}}, "# c\nPermitRootLogin yes\n\nMatch User a\n  X no\n", "", "permitrootlogin", "no", "# c\nPermitRootLogin no\n\nMatch User a\n  X no\n"},
		{Syntax{Family: Words, Sections: []string{"Match"}}, "# c\nA yes\n\nMatch User a\n  X no\n", "", "B", "2", "# c\nA yes\nB 2\n\nMatch User a\n  X no\n"},
		{Syntax{Family: Equals}, "listen=YES\n", "", "ssl_enable", "YES", "listen=YES\nssl_enable=YES\n"},
		{Syntax{Family: INI}, "[global]\n   a = b\n[x]\n   c = d\n", "global", "e", "f g", "[global]\n   a = b\n   e = f g\n[x]\n   c = d\n"},
		{Syntax{Family: INI}, "[x]\nc = d", "global", "e", "f", "[x]\nc = d\n[global]\ne = f\n"},
		{Syntax{Family: Shell}, "A=1 # c\n", "", "A", "x y", "A='x y' # c\n"},
		{Syntax{Family: UCI}, "config dropbear\n\toption PasswordAuth 'on'\n", "dropbear", "PasswordAuth", "off", "config dropbear\n\toption PasswordAuth 'off'\n"},
		{Syntax{Family: Blocks}, "http {\n\tserver {\n\t\tlisten 80;\n\t}\n}\n", "http/server", "ssl_protocols", "TLSv1.2 TLSv1.3", "http {\n\tserver {\n\t\tlisten 80;\n\t\tssl_protocols TLSv1.2 TLSv1.3;\n\t}\n}\n"},
		{Syntax{Family: Lighttpd}, "server.port = 80\n", "", "ssl.engine", "enable", "server.port = 80\nssl.engine = \"enable\"\n"},
		{Syntax{Family: JSON}, "{\n  // c\n  \"A\" : true\n}\n", "", "A", "false", "{\n  // c\n  \"A\" : false\n}\n"},
		{Syntax{Family: JSON}, "{\n  \"A\" : true\n}\n", "", "B", "x", "{\n  \"B\": \"x\",\n  \"A\" : true\n}\n"},
		{Syntax{Family: Kconfig}, "CONFIG_A=y\n# CONFIG_B is not set\n", "", "CONFIG_B", "y", "CONFIG_A=y\nCONFIG_B=y\n"},
		{Syntax{Family: Kconfig}, "CONFIG_A=y\n", "", "CONFIG_A", "n", "# CONFIG_A is not set\n"},
		{Syntax{Family: WPA}, "network={\n\tpsk=\"a\"\n}\n", "network", "psk", "b", "network={\n\tpsk=\"b\"\n}\n"},
	} {
		got, err := set(Parse(c.syntax, c.text), c.scope, c.key, c.value)
		if err != nil || got != c.want {
			t.Errorf("%s: %s = %s: have %q, %v, want %q", c.syntax.Family, c.key, c.value, got, err, c.want)
		}
	}
	for _, c := range []struct {
		syntax           Syntax
		text, key, value string
	}{
		{Syntax{Family: Words}, "A 1\n", "A", "2\nB 3"},
		{Syntax{Family: Blocks}, "a 1;\n", "a", "2; b 3"},
		{Syntax{Family: UCI}, "config a\n", "B", "it's"},
		{Syntax{Family: Colon}, "a:b\n", "c", "x\x00"},
	} {
		if got, err := set(Parse(c.syntax, c.text), "", c.key, c.value); err == nil {
			t.Errorf("%s: %s = %q is written as %q", c.syntax.Family, c.key, c.value, got)
		}
	}
	f := Parse(Syntax{Family: JSON}, "{\n  \"A\": 1,\n  \"B\": 2\n}\n")
	if got, want := f.Remove(nil, "B"), "{\n  \"A\": 1\n}\n"; got != want {
		t.Errorf("B removed: %q, want %q", got, want)
	}
}

// words writes the entries of a file, one a word.
func words(f *File) []string {
	var out []string
	for _, e := range f.Entries {
		out = append(out, strings.Join(append(append([]string(nil), e.Scope...), e.Key+"="+e.Value+"@"+itoa(e.Line)), "/"))
	}
	return out
}

// plain is words without the lines.
func plain(f *File) []string {
	out := words(f)
	for i, w := range out {
		out[i] = w[:strings.LastIndexByte(w, '@')]
	}
	return out
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// hold checks what every parsed file promises.
func hold(t *testing.T, f *File) {
	t.Helper()
	at := 0
	for _, e := range f.Entries {
		if e.Start < at || e.End < e.Start || e.End > len(f.Text) || e.ValueStart > e.ValueEnd ||
			e.ValueStart < e.Start || e.ValueEnd > e.End {
			t.Fatalf("entry %+v: ranges are not in order within %d bytes, after %d", e, len(f.Text), at)
		}
		if want := 1 + strings.Count(f.Text[:e.Start], "\n"); len(f.Text) < 4096 && e.Line != want {
			t.Fatalf("entry %+v: line is %d", e, want)
		}
		at = e.End
	}
	for _, s := range f.Sections {
		if s.Start < 0 || s.End < s.Start || s.End > len(f.Text) {
			t.Fatalf("section %+v: outside of %d bytes", s, len(f.Text))
		}
	}
}

// FuzzParse holds the promises for any text in any family, and that writing back what was
// read gives the same bytes.
func FuzzParse(f *testing.F) {
	for i, c := range samples {
		f.Add(uint8(i), c.text)
	}
	f.Fuzz(func(t *testing.T, n uint8, text string) {
		s := samples[int(n)%len(samples)].syntax
		file := Parse(s, text)
		hold(t, file)
		var b strings.Builder
		at := 0
		for _, e := range file.Entries {
			b.WriteString(text[at:e.Start] + text[e.Start:e.ValueStart] + text[e.ValueStart:e.ValueEnd] + text[e.ValueEnd:e.End])
			at = e.End
		}
		if b.WriteString(text[at:]); b.String() != text {
			t.Fatal("the bytes are not the same")
		}
		for i, e := range file.Entries {
			if i > 8 {
				break
			}
			file.Cut(e)
			if edited, err := file.Set(e.Scope, e.Key, "7"); err == nil && !e.Head {
				for _, now := range Parse(s, edited).Lookup(e.Scope, e.Key) {
					if now.Value != "7" {
						t.Fatalf("%+v set to 7 gives %+v", e, now)
					}
				}
			}
			if edited, err := file.Replace(e, "x y"); err == nil && len(Parse(s, edited).Entries) != len(file.Entries) {
				t.Fatalf("%+v set to x y gives %q", e, edited)
			}
		}
	})
}
