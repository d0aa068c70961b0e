package firmware

import (
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// secretsIn finds what in a line of a script may be a secret: the second group is it.
var secretsIn = []*search.Pattern{
	search.Lazy(`(?i)((?:passw(?:or)?d|passwd|pass|pwd|secret|token|api_?key|psk|pin|auth)["']?\]?\s*(?:(?:=>|={1,3}|:|\beq\b|!=)\s*["']?|,\s*["']))([^\s"'&,;)<>|]{2,})`),
	search.Lazy(`(://[^/\s:@"']*:)([^/\s@"']+)@`),
	search.Lazy(`(\s(?:-u|--user)[ =]?["']?[^\s:"']+:)([^\s"']+)`),
	search.Lazy(`(sshpass\s+-p\s*["']?)([^\s"']+)`),
	search.Lazy(`((?:mysql|ftpget|ftpput|smbclient|mosquitto_(?:pub|sub))\s(?:[^|;]*\s)?-[pP]\s*["']?)([^\s"'$-][^\s"']*)`),
	search.Lazy(`(lftp\s+(?:[^|;]*\s)?-u\s+["']?[^\s,"']+,)([^\s"']+)`),
	search.Lazy(`(?i)(authorization:\s*(?:basic|bearer)\s+)([^\s"']+)`),
	search.Lazy(`(?i)(--?(?:password|http-passwd|ftp-password)[ =]["']?)([^\s"']+)`),
	search.Lazy(`(?i)(\w*:)([^\s:"']+)(?:["']?\s*\|\s*chpasswd)`),
}

// maskLine masks the secrets in a line of a script. References to variables are none.
func maskLine(s string) string {
	for _, re := range secretsIn {
		at := re.FindAllStringSubmatchIndex(s, 16)
		for i := len(at) - 1; i >= 0; i-- {
			from, to := at[i][4], at[i][5]
			if v := s[from:to]; !strings.HasPrefix(v, "$") && !strings.HasPrefix(v, "`") && !strings.Contains(v, "***") {
				s = s[:from] + masked(v) + s[to:]
			}
		}
	}
	return s
}

// masked keeps the first and last character of a long secret, and nothing of a short one.
func masked(v string) string {
	if len(v) < 8 || v[0] >= 0x80 || v[len(v)-1] >= 0x80 {
		return "***"
	}
	return v[:1] + "***" + v[len(v)-1:]
}
