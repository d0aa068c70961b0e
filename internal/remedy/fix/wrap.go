package fix

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/remedy"
)

var wrapSignedUpdate = remedy.Fix{
	ID:     "wrap-signed-update",
	Title:  "Let the updater install only what the maker has signed for this product, and nothing older",
	Care:   remedy.Review,
	Breaks: "updates that are not signed, and going back to an older version; each update needs a signature beside it on the server",
	Test:   "with a good update, one without a signature, a changed one, an older one, and the power cut in between",
	Apply:  applyWrapSignedUpdate,
}

// verifier is where the program stands that checks an update.
const (
	verifier  = "/usr/sbin/vesalius-verify-image"
	updateDir = "/etc/vesalius"
)

// goarch names the architectures of facts as the verifier's files do.
var goarch = map[string]string{
	"arm": "arm", "arm64": "arm64", "mips": "mips", "mipsel": "mipsle", "mips64": "mips64", "mips64el": "mips64le", "riscv64": "riscv64", "x86": "386", "x86_64": "amd64",
}

func applyWrapSignedUpdate(t *remedy.Task) error {
	updates := of[*fact.Update](t)
	for _, s := range of[*fact.Script](t) {
		for _, u := range t.All.Update {
			if u.Root == s.Root && u.Path == s.Path {
				updates = append(updates, u)
			}
		}
	}
	done := 0
	for _, u := range updates {
		if u.Mechanism != "script" || len(u.Places) == 0 {
			return none("%s: is no script of the maker's own", u.Mechanism)
		}
		text, err := t.Text(u.Path)
		if err != nil {
			return err
		}
		if strings.Contains(text, verifier) { // for another finding
			t.Say("%s: installs only what is signed", u.Path)
			done++
			continue
		}
		if err := installVerifier(t); err != nil {
			return err
		}
		ok, err := statement(t, u.Places[0], func(line string) ([]string, bool) { return guarded(line, provisioned(t)) })
		if err != nil {
			return err
		}
		if !ok {
			return none("%s:%d: what it fetches, and to where, does not show", u.Path, u.Places[0].Line)
		}
		t.Say("%s:%d: what is fetched is installed only where %s finds it signed, for this product and not older", u.Path, u.Places[0].Line, verifier)
		done++
	}
	if done == 0 {
		return none("no updater")
	}
	return nil
}

var (
	fetchLine = regexp.MustCompile(`^(\s*)(?:/usr/bin/|/bin/)?(wget|curl)\s+[^;|&<>()]*$`)
	fetchURL  = regexp.MustCompile(`["']?(?:https?|ftp)://[^\s"']+["']?`)
	fetchTo   = regexp.MustCompile(`\s(?:-O|-o|--output|--output-document)[ =]\s*(["']?[^\s"']+["']?)`)
)

// guarded returns a line that fetches a file, with the lines behind it that let nothing
// pass that may not be installed.
func guarded(line, state string) ([]string, bool) {
	m := fetchLine.FindStringSubmatch(line)
	url := fetchURL.FindString(line)
	if m == nil || url == "" {
		return nil, false
	}
	file := `"` + path.Base(strings.Trim(url, `"'`)) + `"`
	if to := fetchTo.FindStringSubmatch(line); to != nil {
		file = `"` + strings.Trim(to[1], `"'`) + `"`
	} else if m[2] == "curl" && !regexp.MustCompile(`\s-\w*O`).MatchString(line) {
		return nil, false // it goes to standard output
	}
	if file == `"-"` || strings.ContainsAny(file, "`") {
		return nil, false
	}
	signature := strings.TrimSuffix(file, `"`) + `.sig"`
	option := "-O"
	if m[2] == "curl" {
		option = "-f -o"
	}
	in := m[1]
	return []string{
		line,
		in + "# Only what the maker has signed, for this product and not older than what was installed.",
		in + m[2] + " " + option + " " + signature + ` "` + strings.Trim(url, `"'`) + `.sig" || exit 1`,
		in + "lowest=" + state + "/update-version; [ -f $lowest ] || lowest=" + updateDir + "/update-version",
		in + fmt.Sprintf(`new_version=$(%s %s/update.pub %s/product $lowest %s %s) || exit 1`, verifier, updateDir, updateDir, file, signature),
		in + `[ "$new_version" -ge "$(cat $lowest)" ] || exit 1`,
		in + `mkdir -p ` + state + ` && echo "$new_version" >` + state + `/update-version.new && mv ` + state + `/update-version.new ` + state + `/update-version || exit 1`,
	}, true
}

// installVerifier puts the verifier, the maker's key and the product's name into the image.
func installVerifier(t *remedy.Task) error {
	if isFile(t, verifier) {
		return nil
	}
	if t.Verifier == nil {
		return none("the verifier is not at hand: build it (make verifier), put the maker's key update.pub beside it, and name the directory (--verifier DIR)")
	}
	arch := ""
	for _, d := range t.All.Device {
		if d.Root == t.Root.Role && d.Arch != "" {
			arch = d.Arch
		}
	}
	for _, x := range t.All.Executable {
		if arch == "" && x.Root == t.Root.Role && x.Type == "program" {
			arch = x.Arch
		}
	}
	name, ok := goarch[arch]
	if !ok {
		return none("the verifier is not built for %q", arch)
	}
	program, err := t.Verifier("vesalius-verify-linux-" + name)
	if err != nil {
		return none("the verifier: %v", err)
	}
	key, err := t.Verifier("update.pub")
	if err != nil {
		return none("the maker's key: %v", err)
	}
	product, err := t.Verifier("product")
	if err != nil {
		if product, err = t.Read("/etc/hostname"); err != nil {
			return none("the product has no name: write it into a file \"product\" beside the verifier")
		}
	}
	version, err := t.Verifier("version")
	if err != nil {
		version = []byte("0\n")
	}
	for _, f := range []struct {
		path string
		data []byte
		mode uint32
	}{
		{verifier, program, 0o755}, {updateDir + "/update.pub", key, 0o644}, {updateDir + "/product", product, 0o644}, {updateDir + "/update-version", version, 0o644},
	} {
		if err := t.Write(f.path, f.data, f.mode); err != nil {
			return err
		}
		t.Say("%s: added", f.path)
	}
	return nil
}
