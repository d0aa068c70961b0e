package claim

import (
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/fact"
)

// Clash is two answers of one form that do not fit together. It says that the vendor has to
// be asked, not which of the two is wrong.
type Clash struct {
	Form   string
	First  *fact.Claim
	Second *fact.Claim
	Why    string
}

// pair is two answers that do not fit: first and second are ITEM=ANSWER.
type pair struct{ first, second, why string }

// pairs of the edition of 2019.
var pairs = []pair{
	{"CONN-1.2.3=no", "MPII-3.3=yes", "personal data go to removable media, and no removable memory is used"},
	{"CONN-1.2.3=no", "AUDT-5.1=yes", "the log goes to a medium, and no removable memory is used"},
	{"CONN-1.2.3=no", "DTBK-3=yes", "backups go to removable media, and no removable memory is used"},
	{"CONN-1.2.2=no", "MPII-3.3=yes", "personal data go to removable media, and there is no USB: which media?"},
	{"CONN-1.1.1=no", "MPII-3.6=yes", "personal data go over a wireless network, and there is no Wi-Fi: over which?"},
	{"CONN-1.1=no", "CONN-1.1.1=yes", "there is Wi-Fi, and nothing wireless"},
	{"CONN-1.1=no", "CONN-1.1.2=yes", "there is Bluetooth, and nothing wireless"},
	{"CONN-1.1=no", "MPII-3.6=yes", "personal data go over a wireless network, and nothing is wireless"},
	{"CONN-1.2.1=no", "MPII-3.5=yes", "personal data go over a wired network, and there is no socket for it"},
	{"CONN-1=no", "CONN-1.1=yes", "it is wireless, and cannot be connected"},
	{"CONN-1=no", "CONN-1.2=yes", "it has sockets, and cannot be connected"},
	{"CONN-1=no", "CONN-3=yes", "it speaks with other systems, and cannot be connected"},
	{"CONN-1=no", "RMOT-1=yes", "it can be served remotely, and cannot be connected"},
	{"CONN-4=no", "CONN-6=yes", "it needs the internet, and speaks with nothing outside"},
	{"CONN-4=no", "MPII-3.7=yes", "personal data go to an external network, and it speaks with nothing outside"},
	{"CONN-4=no", "RMOT-1=yes", "it can be served remotely, and speaks with nothing outside"},
	{"CONN-5=no", "AUTH-4=yes", "each call is authorised, and there are no calls"},
	{"CONN-5=no", "AUDT-2.8.2=yes", "calls are logged, and there are no calls"},
	{"CONN-7=no", "CONN-7.1=yes", "TLS can be configured, and there is none"},
	{"CONN-7=no", "TXCF-2=yes", "personal data are encrypted on their way, and there is no TLS: by what?"},
	{"MPII-1=no", "MPII-2=yes", "personal data are kept, and none are handled"},
	{"MPII-2=no", "MPII-2.2=yes", "personal data lie on a medium, and none are kept"},
	{"MPII-2=no", "MPII-2.4=yes", "personal data lie in a database, and none are kept"},
	{"MPII-2=no", "STCF-1=yes", "data at rest are encrypted, and none are kept: which?"},
	{"STCF-3=no", "MPII-2.4=yes", "personal data lie in a database, and there is none"},
	{"STCF-1=no", "STCF-1.1=yes", "all data at rest are encrypted, and they are not encrypted"},
	{"STCF-1=no", "STCF-1.2=yes", "data are encrypted from the start, and they are not encrypted"},
	{"TXCF-2=yes", "TXCF-5=no", "data are encrypted on their way, and the clinical protocols have no secure form"},
	{"TXCF-1=yes", "CONN-1.1=yes", "data go over a cable alone, and it is wireless"},
	{"TXCF-1=yes", "MPII-3.6=yes", "data go over a cable alone, and over a wireless network"},
	{"CSUP-1=no", "CSUP-2=yes", "it has an operating system, and no software that needs updates"},
	{"CSUP-2=no", "DOC-11.1=yes", "it brings an operating system, and contains none"},
	{"CSUP-5=no", "SBOM-2.2=yes", "makers of components are named, and nothing is from others"},
	{"SBOM-1=no", "SBOM-2.1=yes", "components are named in a bill of materials, and there is none"},
	{"MLDP-2=no", "MLDP-2.1=yes", "a scanner is there from the start, and none is supported"},
	{"AUDT-2=no", "AUDT-2.1=yes", "logins are logged, and no events are"},
	{"AUDT-2=no", "AUDT-2.2=yes", "failed logins are logged, and no events are"},
	{"AUDT-5=no", "AUDT-5.2=yes", "the log goes to a log server, and cannot be exported"},
	{"AUDT-5=no", "AUDT-5.1=yes", "the log goes to a medium, and cannot be exported"},
	{"PAUT-1=no", "PAUT-6=yes", "passwords must be strong, and users have none of their own"},
	{"PAUT-14=no", "PAUT-14.1=yes", "credentials are kept safely, and none are kept"},
	{"PAUT-5=yes", "SGUD-3.1=no", "all passwords can be changed, and the owner does not control them all"},
	{"PAUT-4=yes", "SGUD-3=no", "built-in accounts are listed, and not all accounts are in the papers"},
	{"SAHD-3=no", "SAHD-3.1=yes", "installed software is known to be the maker's, and nothing is checked"},
	{"SAHD-3=no", "SAHD-3.2=yes", "updates are known to be the maker's, and nothing is checked"},
	{"AUTH-1=no", "PAUT-1.1=yes", "all users must prove who they are, and strangers are not kept out"},
	{"RMOT-1=no", "RMOT-1.1=yes", "the owner starts remote service, and there is none"},
	{"RMOT-1=no", "CSUP-2.3=yes", "patches come over the network, and there is no remote service: who sends them?"},
}

// Lint finds the answers of each form (one edition in one file) that do not fit together,
// in the order of the list of pairs.
func Lint(set *fact.Set) []Clash {
	type key struct{ input, form, question string }
	by := map[key]*fact.Claim{}
	var inputs []key
	for _, c := range set.Claim {
		by[key{c.Source.Input, c.Form, c.Question}] = c
		if k := (key{c.Source.Input, c.Form, ""}); c.Form == Edition2019 && !slices.Contains(inputs, k) {
			inputs = append(inputs, k)
		}
	}
	var out []Clash
	for _, k := range inputs {
		given := func(of string) *fact.Claim {
			q, answer, _ := strings.Cut(of, "=")
			if c := by[key{k.input, k.form, q}]; c != nil && c.Answer == answer {
				return c
			}
			return nil
		}
		for _, p := range pairs {
			if a, b := given(p.first), given(p.second); a != nil && b != nil {
				out = append(out, Clash{k.form, a, b, p.why})
			}
		}
	}
	return out
}
