package judge

import (
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// label names a fact in a few words, for evidence; told are the fields that it tells.
func label(f fact.Fact) (words string, told []string) {
	switch f := f.(type) {
	case *fact.Account:
		if f.Store != "system" {
			return f.Name + " of " + f.Store, []string{"name", "store"}
		}
		return f.Name, []string{"name", "store"}
	case *fact.Service:
		return f.Name, []string{"name"}
	case *fact.Executable:
		return f.Path, []string{"path", "type"}
	case *fact.Script:
		return f.Path, []string{"path"}
	case *fact.File:
		return f.Path, []string{"path", "what"}
	case *fact.Setting:
		return setting(f), []string{"subject", "key", "value", "scope", "origin"}
	case *fact.Component:
		return join(f.Name, f.Version), []string{"name", "version"}
	case *fact.Kernel:
		return join(f.Name, f.Version), []string{"name", "version"}
	case *fact.Destination:
		return f.Host, []string{"host"}
	case *fact.Update:
		return join(f.Mechanism, f.Path), []string{"mechanism", "path"}
	case *fact.Key:
		return join(f.Use, f.Algorithm, "key"), []string{"use", "algorithm"}
	case *fact.Certificate:
		return f.Subject, []string{"subject"}
	case *fact.Secret:
		return secret(f), []string{"what", "opens", "user", "where", "subject"}
	case *fact.Guard:
		return join(f.Subject, f.What, f.By), []string{"what", "subject", "by"}
	case *fact.Mount:
		return join(f.Device, "on", f.Point), []string{"device", "point"}
	case *fact.Boot:
		return f.Loader, []string{"loader"}
	case *fact.Interface:
		return join(f.What, f.Name), []string{"what", "name"}
	case *fact.Data:
		return join(f.What, "data", f.Path), []string{"what", "path"}
	case *fact.Endpoint:
		return f.Path, []string{"path"}
	case *fact.Claim:
		return join(f.Form, f.Question), []string{"form", "question"}
	}
	return "", nil
}

// setting is subject: key = value, with the section where it stands in one.
func setting(f *fact.Setting) string {
	words := f.Subject + ": " + f.Name
	if v, ok := f.Value.Value(); ok {
		words += " = " + v
	}
	if f.Scope != "" {
		words += " in " + f.Scope
	}
	if f.Origin == "default" || f.Origin == "compiled" {
		words += " by default"
	}
	return words
}

// secret is what it is, what it opens and for whom; never the value.
func secret(f *fact.Secret) string {
	words := f.What
	if f.For != "" && !strings.HasPrefix(f.What, f.For) {
		words += " for " + f.For
	}
	if f.User != "" {
		words += " of user " + f.User
	}
	if f.Subject != "" {
		words += " as " + f.Subject
	}
	return words
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
