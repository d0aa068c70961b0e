package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestPipelines runs what the pipelines that we give away would run, without their
// containers: each command of vesalius in each, on a replica, in a directory of its own. A
// flag that is no more, a form with another name or a file that nobody wrote fails here.
func TestPipelines(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"github-actions.yml", "gitlab-ci.yml", "Jenkinsfile", "vesalius.bbclass", "buildroot-post-image.sh"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile("../../examples/ci/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, ".yml") {
				var v map[string]any
				if err := yaml.Unmarshal(data, &v); err != nil || len(v) == 0 {
					t.Fatalf("no YAML: %v", err)
				}
			}
			script := shellOf(name, string(data))
			if n := strings.Count(script, "vesalius scan") + strings.Count(script, "${VESALIUS} scan"); n == 0 {
				t.Fatalf("no scan in\n%s", script)
			}
			dry(t, name, script)
		})
	}
}

var (
	body  = regexp.MustCompile(`(?s)do_vesalius\(\) \{\n(.*?)\n\}`)
	asked = regexp.MustCompile(`^\s*(?:- )?vesalius `)
)

// shellOf gives what a pipeline runs of vesalius, as a shell script.
func shellOf(name, text string) string {
	switch name {
	case "buildroot-post-image.sh":
		return text
	case "vesalius.bbclass":
		return body.FindStringSubmatch(text)[1]
	}
	var out []string
	for line := range strings.Lines(text) {
		if asked.MatchString(line) {
			out = append(out, strings.TrimPrefix(strings.TrimSpace(line), "- "))
		}
	}
	return strings.Join(out, "\n")
}

// dry runs a script with the program of this test in the place of vesalius. Only gates may
// end with another code than 0: the replica is as it was, and is rejected by the policy.
func dry(t *testing.T, name, script string) {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	policies, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(policies, filepath.Join(dir, "examples")); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"bin", "release", "images"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(self, filepath.Join(dir, "bin", "vesalius")); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir, "PRODUCT=example:pump", "SOURCE_DATE_EPOCH=1795514400",
		"VESALIUS=vesalius", "VESALIUS_IMAGE=example:pump", "VESALIUS_BASELINE=release/last.json", "IMGDEPLOYDIR="+filepath.Join(dir, "images"), "IMAGE_LINK_NAME=device", "TMPDIR="+dir)
	shell := func(text string, args ...string) (string, int) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", text, "sh"}, args...)...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	check := exec.CommandContext(t.Context(), "sh", "-n")
	check.Stdin = strings.NewReader(script)
	if out, err := check.CombinedOutput(); err != nil {
		t.Fatalf("sh -n: %v\n%s", err, out)
	}
	if out, code := shell("vesalius scan example:pump -q --no-cache --fail-on none -o release/last.json >/dev/null"); code != 0 {
		t.Fatalf("the last release: exit %d\n%s", code, out)
	}
	if slices.Contains([]string{"vesalius.bbclass", "buildroot-post-image.sh"}, name) {
		if out, code := shell(script, "images"); code != 0 {
			t.Errorf("exit %d\n%s", code, out)
		}
		return
	}
	for line := range strings.SplitSeq(script, "\n") {
		want := 0
		if strings.HasPrefix(line, "vesalius judge") {
			want = exitBad
		}
		if out, code := shell(line); code != want {
			t.Errorf("%s: exit %d, want %d\n%s", line, code, want, out[:min(len(out), 2000)])
		}
	}
}
