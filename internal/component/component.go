// Package component says which software is in a tree of files: from package databases,
// language manifests, and signatures of binaries, merged so that one component is one
// line with all its places, its confidence and the reason.
//
// The main type is [Matcher]. It is made from a list of [Signature] (package signature
// reads them from data files), tells which literals it wants to be told of, and turns the
// hits in one content into [Evidence]. [Matcher.Merge] then sees the files of a root with
// their names and links, decides for each piece of evidence whether the file is the
// product itself, carries a copy of it or only mentions it, and joins what belongs
// together with what package databases say.
//
// The package reads bytes that it is given; it opens no file and runs nothing.
package component

// Evidence is what one content shows of a component: a version text in a binary, a set of
// symbols, a build record. It depends on the bytes alone; what depends on the name of the
// file is decided by [Matcher.Merge].
type Evidence struct {
	Name       string `json:"name"`              // component name
	Version    string `json:"version,omitempty"` // upstream version, empty where only the presence shows
	How        string `json:"how"`               // binary-string, symbols, soname, build-info ...
	Why        string `json:"why,omitempty"`     // in words, for people
	Confidence string `json:"confidence"`        // high, medium, low
	Offset     int64  `json:"offset,omitempty"`  // where in the content
	Own        bool   `json:"own,omitempty"`     // the binary is the component itself, not a user or carrier of it
	Copy       bool   `json:"copy,omitempty"`    // what shows it is part of its code: another's binary that has it carries a copy
	Way        int    `json:"way,omitempty"`     // which way of its signature showed it: earlier ones are more to be trusted
	PURL       string `json:"purl,omitempty"`    // of what a build record names: a Go module, a Rust crate
	Main       bool   `json:"main,omitempty"`    // the build record names the program itself, not a part of it
}

// Hit is a literal of the matcher, by its index in [Matcher.Literals], that stands in a
// content at an offset.
type Hit struct {
	Literal int
	At      int64
}
