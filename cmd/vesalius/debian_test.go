package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// onDebian is the condition [debian] of transcripts: this machine has packages to make a
// root file system of, and what makes an image of it.
func onDebian(cond string) (bool, error) {
	if cond != "debian" {
		return false, fmt.Errorf("there is no condition %q", cond)
	}
	_, noPackages := exec.LookPath("dpkg-query")
	_, noImage := exec.LookPath("mksquashfs")
	return noPackages == nil && noImage == nil, nil
}

// debianRoot makes a root file system in a directory of the files of packages that are
// installed on this machine, with their entries in the package database.
func debianRoot(ts *testscript.TestScript, _ bool, args []string) {
	root, packages := ts.MkAbs(args[0]), args[1:]
	list, err := exec.CommandContext(context.Background(), "dpkg-query", append([]string{"-L"}, packages...)...).Output()
	ts.Check(err)
	status, err := exec.CommandContext(context.Background(), "dpkg-query", append([]string{"-s"}, packages...)...).Output()
	ts.Check(err)
	for _, p := range append(strings.Fields(string(list)), "/etc/passwd", "/etc/group") {
		info, err := os.Lstat(p)
		if err != nil || strings.HasPrefix(p, "/usr/share/doc/") {
			continue
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(p)) // /lib may be a link to /usr/lib
		ts.Check(err)
		ts.Check(os.MkdirAll(filepath.Join(root, dir), 0o755))
		to := filepath.Join(root, dir, filepath.Base(p))
		switch {
		case info.IsDir():
			ts.Check(os.MkdirAll(to, 0o755))
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(p)
			ts.Check(err)
			if err := os.Symlink(target, to); !errors.Is(err, os.ErrExist) {
				ts.Check(err)
			}
		case info.Mode().IsRegular():
			if b, err := os.ReadFile(p); err == nil { // else not for this user
				ts.Check(os.WriteFile(to, b, info.Mode().Perm()))
			}
		}
	}
	database := filepath.Join(root, "var/lib/dpkg")
	ts.Check(os.MkdirAll(database, 0o755))
	ts.Check(os.WriteFile(filepath.Join(database, "status"), status, 0o644))
}

// sameDossier holds that two dossiers are the same bytes, but for how the run went.
func sameDossier(ts *testscript.TestScript, _ bool, args []string) {
	var parts [2]map[string]json.RawMessage
	for i, name := range args {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &parts[i]))
		delete(parts[i], "run")
		if len(parts[i]["facts"]) < 1000 {
			ts.Fatalf("%s has hardly any facts", name)
		}
	}
	for k := range parts[0] {
		if !bytes.Equal(parts[0][k], parts[1][k]) {
			ts.Fatalf("%s of %s and %s differ", k, args[0], args[1])
		}
	}
	if len(parts[0]) != len(parts[1]) {
		ts.Fatalf("%s and %s have other parts", args[0], args[1])
	}
}
