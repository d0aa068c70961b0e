package report

import (
	"slices"
	"strings"
)

// licences are the identifiers of the SPDX licence list that firmware is made of. What is
// not here is written as a name.
var licences = []string{
	"0BSD", "AFL-2.1", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-1.1", "Apache-2.0", "Artistic-1.0-Perl", "Artistic-2.0",
	"BSD-1-Clause", "BSD-2-Clause", "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-4-Clause", "BSD-4-Clause-UC", "BSL-1.0", "Beerware", "CC0-1.0", "CDDL-1.0", "EPL-1.0", "EPL-2.0",
	"FTL", "GFDL-1.3-or-later", "GPL-1.0-only", "GPL-1.0-or-later", "GPL-2.0", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0", "GPL-3.0-only", "GPL-3.0-or-later",
	"HPND", "ICU", "IJG", "ISC", "JSON", "LGPL-2.0", "LGPL-2.0-only", "LGPL-2.0-or-later", "LGPL-2.1", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0", "LGPL-3.0-only", "LGPL-3.0-or-later",
	"Libpng", "MIT", "MIT-0", "MPL-1.1", "MPL-2.0", "MS-PL", "NCSA", "NTP", "OFL-1.1", "OLDAP-2.8", "OpenSSL", "PHP-3.01", "PSF-2.0", "PostgreSQL", "Python-2.0", "Ruby",
	"SSH-OpenSSH", "Sleepycat", "TCL", "Unlicense", "Vim", "W3C", "WTFPL", "X11", "ZPL-2.1", "Zlib", "bzip2-1.0.6", "curl", "libpng-2.0", "zlib-acknowledgement",
}

// exceptions are the identifiers that may follow WITH.
var exceptions = []string{
	"Autoconf-exception-3.0", "Bison-exception-2.2", "Classpath-exception-2.0", "GCC-exception-3.1", "Linux-syscall-note", "openvpn-openssl-exception", "u-boot-exception-2.0",
}

// licence returns s as an SPDX licence expression and whether it is one: identifiers
// joined by AND, OR and WITH.
func licence(s string) (string, bool) {
	words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s))
	depth, operand := 0, true // whether an operand comes next
	for i, w := range words {
		switch {
		case w == "(" && operand:
			depth++
		case w == ")" && !operand && depth > 0:
			depth--
		case (w == "AND" || w == "OR") && !operand:
			operand = true
		case w == "WITH" && !operand && i+1 < len(words) && slices.Contains(exceptions, words[i+1]):
		case i > 0 && words[i-1] == "WITH" && slices.Contains(exceptions, w):
		case operand && slices.Contains(licences, w):
			operand = false
		default:
			return "", false
		}
	}
	if len(words) == 0 || operand || depth != 0 {
		return "", false
	}
	return strings.NewReplacer("( ", "(", " )", ")").Replace(strings.Join(words, " ")), true
}
