package component

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/image"
	"github.com/vesalius-project/vesalius/internal/search"
)

// signatures are small ones for the tests of the engine.
func signatures() []Signature {
	return []Signature{
		{Name: "libfoo", CPEs: []string{"foo:libfoo"}, Packages: []string{"foo"}, Own: Own{Sonames: []string{"libfoo.so.*"}}, Ways: []Way{
			{Pattern: "^libfoo version {version}", Says: "copy"},
			{Soname: "libfoo.so.{version}"},
			{Versions: "FOO_{version}", Confidence: "low"},
		}},
		{Name: "barber", Own: Own{Files: []string{"barber"}}, Ways: []Way{
			{Near: "Usage: barber"},
			{Pattern: "barber release {d}{dd}{dd}"},
		}},
		{Name: "rtos", Ways: []Way{{Pattern: "Quiet RTOS {version}", Says: "itself"}}},
		{Name: "tls", Own: Own{Sonames: []string{"libtls.so.*"}}, Ways: []Way{{Pattern: "^TLSlib {version}", Says: "copy", With: "tls: bad record"}}},
		{Name: "table", Own: Own{Sonames: []string{"libtable.so.*"}}, Ways: []Way{{Soname: "libtable.so.{version}", Map: map[string]string{"6.18.3": "2.12.1"}}}},
		{Name: "linux", Ways: []Way{{Pattern: "^Linux version {version} (", Says: "itself"}}},
	}
}

// TestWays holds what each way of a signature finds, and what it passes by.
func TestWays(t *testing.T) {
	t.Parallel()
	m, err := New(signatures())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sample Sample
		want   string // name version[ in carrier]
	}{
		"own text":                     {Sample{Strings: []string{"libfoo version 1.2.3"}, Soname: "libfoo.so.1", File: "/lib/libfoo.so.1"}, "libfoo 1.2.3"},
		"copy":                         {Sample{Strings: []string{"libfoo version 1.2.3"}, File: "/bin/vendord"}, "libfoo 1.2.3 in vendord"},
		"mention in a sentence":        {Sample{Strings: []string{"built with libfoo version 1.2.3"}}, ""},
		"file name":                    {Sample{Soname: "libfoo.so.1", File: "/lib/libfoo.so.1.4.0"}, "libfoo 1.4.0"},
		"symbol versions":              {Sample{Soname: "libfoo.so.1", File: "/lib/libfoo.so", Versions: []string{"FOO_1.9", "FOO_1.10", "BAR_9.9"}}, "libfoo 1.10"},
		"text beats file name":         {Sample{Strings: []string{"libfoo version 1.4.1"}, Soname: "libfoo.so.1", File: "/lib/libfoo.so.1.4.0"}, "libfoo 1.4.1"},
		"presence":                     {Sample{Soname: "libfoo.so.1", File: "/lib/libfoo.so"}, "libfoo "},
		"lone version":                 {Sample{Strings: []string{"9.9", "padding", "2.10", "Usage: barber [-x]"}, File: "/usr/bin/barber"}, "barber 2.10"},
		"lone version, by link":        {Sample{Strings: []string{"Usage: barber [-x]", "2.10"}, File: "/usr/bin/hair", Links: []string{"/bin/barber"}}, "barber 2.10"},
		"lone version of another":      {Sample{Strings: []string{"Usage: barber [-x]", "2.10"}, File: "/usr/bin/hair"}, ""},
		"digits":                       {Sample{Strings: []string{"barber release 20914"}, File: "/usr/bin/barber"}, "barber 2.9.14"},
		"itself, whatever the name":    {Sample{Strings: []string{"Quiet RTOS 6.1"}, File: "/app.bin"}, "rtos 6.1"},
		"built against":                {Sample{Strings: []string{"TLSlib 3.0.16"}, File: "/sbin/user"}, ""},
		"linked in":                    {Sample{Strings: []string{"TLSlib 3.0.16", "tls: bad record"}, File: "/sbin/user"}, "tls 3.0.16 in user"},
		"table":                        {Sample{Soname: "libtable.so.6", File: "/lib/libtable.so.6.18.3"}, "table 2.12.1"},
		"table without the number":     {Sample{Soname: "libtable.so.6", File: "/lib/libtable.so.6.99.9"}, "table "},
		"number entered in the middle": {Sample{Strings: []string{"barber release 1209145"}, File: "/usr/bin/barber"}, ""},
	} {
		got, err := m.Examine(c.sample)
		if err != nil {
			t.Fatal(err)
		}
		if have := say(got); have != c.want {
			t.Errorf("%s: got %q, want %q", name, have, c.want)
		}
	}
}

func say(list []*fact.Component) string {
	var out []string
	for _, c := range list {
		s := c.Name + " " + c.Version
		if by, copied := c.Bundled.Value(); copied {
			s += " in " + by
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// TestMerge holds how the evidence of several files and of packages becomes components.
func TestMerge(t *testing.T) {
	t.Parallel()
	m, err := New(signatures())
	if err != nil {
		t.Fatal(err)
	}
	own := func(path, version, confidence, pkg string) File {
		return File{Path: path, Object: true, Package: pkg, Place: fact.Place{Path: path},
			Evidence: []Evidence{{Name: "libfoo", Version: version, How: "binary-string", Why: "its text", Confidence: confidence, Own: true, Copy: true}}}
	}
	bundled := func(path, version, pkg string) File {
		f := own(path, version, "high", pkg)
		f.Evidence[0].Own = false
		return f
	}
	pkg := Package{Name: "libfoo1", Source: "foo", Version: "1:1.2.3+dfsg-4", Ecosystem: "deb", Namespace: "debian", How: "package-database", Place: fact.Place{Path: "/status"}}
	for name, c := range map[string]struct {
		files    []File
		packages []Package
		want     string
		places   int // of the first
	}{
		"two files, one component":          {[]File{own("/a", "1.2", "high", ""), own("/b", "1.2", "high", "")}, nil, "libfoo 1.2", 2},
		"two versions, two components":      {[]File{own("/a", "1.2", "high", ""), own("/b", "1.3", "high", "")}, nil, "libfoo 1.2; libfoo 1.3", 1},
		"a shaky version gives way":         {[]File{own("/a", "1.2", "high", ""), own("/b", "9.9", "low", "")}, nil, "libfoo 1.2", 2},
		"a shorter version gives way":       {[]File{own("/a", "1.2.3", "high", ""), own("/b", "1.2", "high", "")}, nil, "libfoo 1.2.3", 2},
		"presence joins":                    {[]File{own("/a", "1.2", "high", ""), own("/b", "", "high", "")}, nil, "libfoo 1.2", 2},
		"a copy of another version":         {[]File{own("/a", "1.2", "high", ""), bundled("/b", "1.0", "")}, nil, "libfoo 1.0 in b; libfoo 1.2", 1},
		"a copy of the same version joins":  {[]File{own("/a", "1.2", "high", ""), bundled("/b", "1.2", "")}, nil, "libfoo 1.2", 2},
		"a package beats its file's text":   {[]File{own("/a", "1.2.9", "high", "libfoo1")}, []Package{pkg}, "libfoo 1.2.3", 2},
		"a file outside of packages counts": {[]File{own("/opt/a", "1.0", "high", "")}, []Package{pkg}, "libfoo 1.0; libfoo 1.2.3", 1},
	} {
		got := m.Merge(c.files, c.packages)
		if have := say(got); have != c.want {
			t.Errorf("%s: got %q, want %q", name, have, c.want)
			continue
		}
		if n := len(got[0].Places); n != c.places {
			t.Errorf("%s: %d places, want %d", name, n, c.places)
		}
	}
	c := m.Merge(nil, []Package{pkg})[0]
	want := []string{"1.2.3", "+dfsg-4", "pkg:deb/debian/foo@1:1.2.3%2Bdfsg-4?arch=source", "cpe:2.3:a:foo:libfoo:1.2.3:*:*:*:*:*:*:*"}
	if diff := cmp.Diff(want, []string{c.Version, c.Suffix, c.PURL, c.CPEs[0]}); diff != "" {
		t.Error(diff)
	}
}

// TestUpstream holds which part of a package's version is the upstream's.
func TestUpstream(t *testing.T) {
	t.Parallel()
	for _, c := range [][4]string{
		{"deb", "3.0.11-1~deb12u2", "3.0.11", "-1~deb12u2"},
		{"deb", "1:1.2.13.dfsg-1", "1.2.13", ".dfsg-1"},
		{"deb", "2:6.2.1+dfsg1-1.1", "6.2.1", "+dfsg1-1.1"},
		{"deb", "10.0.0~dfsg-11+deb12u8", "10.0.0", "~dfsg-11+deb12u8"},
		{"deb", "1.10.8+repack1-1", "1.10.8", "+repack1-1"},
		{"deb", "4.0~rc2-1", "4.0-rc2", "-1"},
		{"deb", "1:9.2p1-2+deb12u3", "9.2p1", "-2+deb12u3"},
		{"deb", "4.4.3-P1-2", "4.4.3-P1", "-2"},
		{"deb", "2.0+really1.9-1", "1.9", "-1"},
		{"apk", "9.6_p1-r0", "9.6p1", "-r0"},
		{"apk", "3.1.4-r5", "3.1.4", "-r5"},
		{"opkg", "2022.82-6", "2022.82", "-6"},
		{"opkg", "5.15.150-1-9bc7e3b8a3b4e4a2c1d6e7f8a9b0c1d2", "5.15.150", "-1-9bc7e3b8a3b4e4a2c1d6e7f8a9b0c1d2"},
		{"rpm", "1:3.0.7-27.el9", "3.0.7", "-27.el9"},
		{"npm", "4.17.20", "4.17.20", ""},
	} {
		v, s := Upstream(c[1], c[0])
		if v != c[2] || s != c[3] {
			t.Errorf("%s %s: got %q %q, want %q %q", c[0], c[1], v, s, c[2], c[3])
		}
	}
}

// TestCompare holds the order of versions.
func TestCompare(t *testing.T) {
	t.Parallel()
	order := []string{"0.9.8zh", "1.0.0-rc1", "1.0.0", "1.0.1a", "1.0.1b", "1.0.9", "1.0.10", "1.2", "9.2p1", "9.10"}
	for i := range order {
		for j := range order {
			if got, want := Compare(order[i], order[j]), compareInt(i, j); got != want {
				t.Errorf("%s and %s: got %d, want %d", order[i], order[j], got, want)
			}
		}
	}
}

func compareInt(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// TestRPM reads databases that rpm and Berkeley DB have made, and one of the third kind
// made from the same header.
func TestRPM(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"rpmdb.sqlite", "Packages", "ndb"} {
		db := ndb(unzip(t, "header"))
		if kind != "ndb" {
			db = unzip(t, kind)
		}
		got, err := ReadRPM(db, "fedora")
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if len(got) != 1 || got[0].Name != "pump" || got[0].Version != "1.2-3" || got[0].Source != "pump" || got[0].License != "MIT" || len(got[0].Files) == 0 {
			t.Errorf("%s: got %+v", kind, got)
		}
	}
	if _, err := ReadRPM([]byte("none of them"), ""); err == nil {
		t.Error("no error for what is no database")
	}
}

func unzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata/rpm", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ndb makes a database of one package: a page of slots, then the blob.
func ndb(header []byte) []byte {
	le := binary.LittleEndian
	db := make([]byte, 4096)
	copy(db, "RpmP")
	le.PutUint32(db[12:], 1)
	copy(db[32:], "Slot")
	le.PutUint32(db[36:], 1)
	le.PutUint32(db[40:], 4096/16)
	head := make([]byte, 16)
	copy(head, "BlbS")
	le.PutUint32(head[12:], uint32(len(header)))
	return append(append(db, head...), header...)
}

// FuzzComponent holds that no bytes make a reader or the matcher fail or loop. The first
// argument chooses.
func FuzzComponent(f *testing.F) {
	for i, b := range [][]byte{unzip(f, "rpmdb.sqlite"), unzip(f, "Packages"), ndb(unzip(f, "header")), []byte("Package: a\nStatus: install ok installed\nVersion: 1\n\n"),
		[]byte("P:a\nV:1-r0\nF:lib\nR:b\n\n"), []byte(`"PACKAGE","VERSION"` + "\n" + `"a","1"`), []byte(`{"bomFormat":"CycloneDX","components":[{"name":"a","version":"1"}]}`),
		[]byte("\x7fELF\x01\x01\x01\x00libfoo version 1.2.3\x00"), []byte("V\x00S\x00_\x00V\x00E\x00R\x00S\x00I\x00O\x00N\x00_\x00I\x00N\x00F\x00O\x00P\x00r\x00o\x00d\x00u\x00c\x00t\x00N\x00a\x00m\x00e\x00\x00\x00a\x00\x00\x00")} {
		f.Add(byte(i), b)
	}
	if exe, err := os.Executable(); err == nil {
		if b, err := os.ReadFile(exe); err == nil {
			f.Add(byte(8), b[:min(len(b), 64<<10)])
		}
	}
	m, err := New(signatures())
	if err != nil {
		f.Fatal(err)
	}
	set, err := search.New(m.Literals())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		switch which % 9 {
		case 0, 1, 2:
			_, _ = ReadRPM(b, "")
		case 3:
			ReadDebControl(b, "deb", "debian")
			ReadDebControl(b, "opkg", "openwrt")
		case 4:
			ReadAPK(b, "alpine")
			ReadPacman(b)
		case 5:
			ReadBuildrootManifest(b)
			ReadYoctoManifest(b)
		case 6:
			ReadSBOM(b)
			for _, p := range []string{"/node_modules/a/package.json", "/a.dist-info/METADATA", "/specifications/a.gemspec", "/META-INF/maven/a/b/pom.properties", "/composer/installed.json", "/rocks/a.rockspec"} {
				ReadManifest(p, b)
			}
		default:
			var hits []Hit
			set.Find(b, func(l, at int) { hits = append(hits, Hit{l, int64(at)}) })
			for _, r := range records {
				if at := bytes.Index(b, []byte(r.literal[:4])); at >= 0 {
					r.read(image.BytesBlob(b), int64(at))
				}
			}
			ev, err := m.Match(image.BytesBlob(b), hits)
			if err != nil {
				t.Fatal(err)
			}
			m.Merge([]File{{Path: "/a", Object: true, Evidence: ev}}, nil)
		}
	})
}
