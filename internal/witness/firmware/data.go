package firmware

import (
	"path"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
	"github.com/vesalius-project/vesalius/internal/search"
)

// data states what the device holds: databases, images of patients, messages.
var data = inspector{
	name:  "data",
	kinds: []fact.Kind{fact.KindData},
	look:  lookData,
}

var (
	// patientWord is in the names of tables and columns that hold a person's data.
	patientWord      = search.Lazy(`(?i)patient|(^|_)mrn($|_)|medical_?record|birth_?date|date_?of_?birth|(^|_)dob($|_)|diagnos|accession|study_?instance|dicom|prescription|infusion|glucose|heart_?rate|spo2|blood_?pressure|ecg`)
	credentialColumn = search.Lazy(`(?i)^(.*_)?(passw(or)?d|passwd|pwd|pass_?hash|password_?hash|secret|api_?key)(_.*)?$`)
	dataPlace        = search.Lazy(`^/(var/(lib|log|opt|data|spool|www)|data|opt|home|mnt|srv|userdata|media|root|app|[^/]+$)`)
	notOwnStore      = search.Lazy(`^/usr/(lib|share)/|/(rpmdb\.sqlite|Packages\.db|cert9\.db|key4\.db|pkcs11\.txt|fwupd|PackageKit|NetworkManager|\.cache|man|mandoc|command-not-found|plocate|appstream|gvfs)|/site-packages/|/node_modules/`)
	patientHeader    = search.Lazy(`(?i)(patient|mrn|birth ?date|date of birth)[^\n]*[,;\t]`)
)

func lookData(r *Root) {
	images := map[string][]*File{} // directory -> DICOM files
	for _, f := range r.Files() {
		if f.Trace == nil || !f.Regular() {
			continue
		}
		switch f.Trace.Store {
		case "sqlite":
			stateSQLite(r, f)
		case "dicom":
			if !notOwnStore.MatchString(f.Path) && !r.distributed(f) {
				dir := path.Dir(f.Path)
				images[dir] = append(images[dir], f)
			}
		case "hl7":
			if dataPlace.MatchString(f.Path) && !r.distributed(f) && hasPatient(f) {
				r.Add(r.data(f, "patient", "hl7", f.Path))
			}
		case "luks":
			d := r.data(f, "unknown", "luks", f.Path)
			d.Encrypted, d.Readable = fact.Say(true), fact.Opt[bool]{}
			r.Add(d)
		case "":
			if ext := path.Ext(f.Path); (ext == ".csv" || ext == ".tsv") && dataPlace.MatchString(f.Path) && !r.distributed(f) {
				if text, ok := f.Text(); ok {
					if first, rest, _ := strings.Cut(text, "\n"); patientHeader.MatchString(first) && strings.TrimSpace(rest) != "" {
						r.Add(r.data(f, "patient", "csv", f.Path))
					}
				}
			}
		}
	}
	for _, dir := range namesOf(images) {
		list := images[dir]
		d := r.data(list[0], "patient", "dicom", dir)
		for _, f := range list[1:] {
			if len(d.Places) < 8 {
				d.Places = append(d.Places, f.At(0))
			}
			d.Readable = fact.Say(d.Readable.Or(false) || f.WorldReadable())
		}
		r.Add(d)
	}
	servers(r)
}

// data makes the fact of a store that lies in the image as it is.
func (r *Root) data(f *File, what, store, at string) *fact.Data {
	d := &fact.Data{Base: fact.Base{Places: []fact.Place{f.At(0)}}, What: what, Store: store, Path: at, State: "at-rest", Encrypted: fact.Say(false)}
	if r.ownersKept() && r.Layer != nil {
		d.Readable = fact.Say(f.WorldReadable())
	}
	return d
}

func stateSQLite(r *Root, f *File) {
	what := "unknown"
	var names []string
	for _, t := range f.Trace.Tables {
		names = append(names, t.Name)
		columns := slices.ContainsFunc(t.Columns, patientWord.MatchString)
		switch {
		case (patientWord.MatchString(t.Name) || columns) && t.Rows:
			what = "patient"
		case slices.ContainsFunc(t.Columns, credentialColumn.MatchString) && t.Rows && what != "patient":
			what = "credentials"
		}
	}
	if notOwnStore.MatchString(f.Path) && what != "patient" || what == "unknown" && (!dataPlace.MatchString(f.Path) || r.distributed(f)) {
		return
	}
	slices.Sort(names)
	d := r.data(f, what, "sqlite", f.Path)
	if d.Tables = names[:min(len(names), 60)]; d.Tables == nil {
		d.Tables = []string{}
	}
	r.Add(d)
}

// hasPatient reports whether messages of HL7 name a patient.
func hasPatient(f *File) bool {
	text, _ := f.Text()
	for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\n' || c == '\r' }) {
		if i := strings.Index(line, "PID|"); i >= 0 && strings.Count(line[i:], "|") >= 3 {
			return true
		}
	}
	return false
}

// servers states the directories in which database servers keep their data. What is in
// them is told by the names of tables where these are files.
func servers(r *Root) {
	for _, f := range r.Glob("/var/lib/postgresql/*/*/PG_VERSION", "/var/lib/postgres*/data/PG_VERSION", "/data/**/PG_VERSION", "/var/lib/pgsql/data/PG_VERSION") {
		dir := path.Dir(f.Path)
		if path.Base(path.Dir(dir)) != "base" && r.isDir(dir+"/base") {
			d := r.data(f, "unknown", "postgresql", dir)
			d.Encrypted, d.Readable = fact.Opt[bool]{}, fact.Opt[bool]{}
			r.Add(d)
		}
	}
	tables := map[string][]*File{}
	for _, f := range r.Glob("/var/lib/mysql/*/*.ibd", "/var/lib/mysql/*/*.frm", "/data/**/*.ibd") {
		switch dir := path.Dir(f.Path); path.Base(dir) {
		case "mysql", "sys", "performance_schema":
		default:
			tables[dir] = append(tables[dir], f)
		}
	}
	for _, dir := range namesOf(tables) {
		what := "unknown"
		var names []string
		for _, f := range tables[dir] {
			name := strings.TrimSuffix(path.Base(f.Path), path.Ext(f.Path))
			names = append(names, name)
			if patientWord.MatchString(name) {
				what = "patient"
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
		d := r.data(tables[dir][0], what, "mysql", dir)
		d.Encrypted = fact.Opt[bool]{} // tables may be encrypted one by one
		d.Tables = names[:min(len(names), 60)]
		r.Add(d)
	}
}
