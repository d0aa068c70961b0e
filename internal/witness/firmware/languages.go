package firmware

import "github.com/vesalius-project/vesalius/internal/search"

// The scripting languages, one variable each: what in them is input, what makes it
// harmless, and what it must not reach.

var shellScript = script{
	name:    "sh",
	comment: []string{"#"},
	sources: search.Lazy(`\$\{?(QUERY_STRING|REQUEST_URI|PATH_INFO|HTTP_[A-Z_]+|(?:POST|FORM|GET)_[a-z]\w*)\b|\$\(\s*cat\s*-?\s*\)|\$\((dd|head)\s[^)]*CONTENT_LENGTH|\bnc\s+(-\w+\s+)*-\w*l`),
	clean:   search.Lazy(`\bbasename\s|\btr\s+-\w*d\w*\s|\btr\s+-\w*c|grep\s+-\w*[oE]|printf\s+(-v\s+\w+\s+)?["']?%[qd]|sed\s+[^|]*\[\^|\$\(\(|\bmd5sum|sha\d+sum|%%\*|##\*|//\[\^`),
	guard:   search.Lazy(`\bcase\s+.*\*\[!|=~|\bexpr\s+.*:|grep\s+-\w*q|\bcase\b.*\[!`),
	assign:  search.Lazy(`^(?:export\s+|local\s+|declare\s+(?:-\w+\s+)?|readonly\s+)?([A-Za-z_]\w*)\+?=(.*)`),
	name1:   search.Lazy(`\$\{?([A-Za-z_]\w*|[0-9@*])`),
	sinks: []sink{
		{what: "shell-injection", at: search.Lazy("(?:^|[;&|({`]|\\bthen\\b|\\bdo\\b|\\belse\\b)\\s*eval\\s")},
		{what: "shell-injection", at: search.Lazy(`\b(?:ba|a|da|z)?sh\s+-\w*c\s`)},
		{what: "shell-injection", at: search.Lazy(`\bsu\s+(?:-\s+)?\w*\s*-c\s`)},
		{what: "shell-injection", at: search.Lazy(`\|\s*(?:sudo\s+)?(?:/bin/)?(?:ba|a|da|z)?sh\s*(?:$|[;&)])`), whole: true},
		{what: "shell-injection", at: search.Lazy("^(?:\\$\\(|`)?\\s*(?:sudo\\s+)?[\"']?"), needs: search.Lazy("^(?:\\$\\(|`)?\\s*(?:sudo\\s+)?[\"']?\\$\\{?\\w+\\}?[\"']?(?:\\s|$)")},
		{what: "path-input", cgi: true, at: search.Lazy(`(?:^|[;&|(]|\bthen\b|\bdo\b|` + "`" + `)\s*(?:cat|rm|cp|mv|ln|tail|head|source|tar|unzip|\.)\s+`)},
		{what: "unquoted-input", cgi: true, at: search.Lazy(`(?:^|[;&|(]|\bthen\b|\bdo\b|` + "`" + `)\s*(?:/(?:usr/)?s?bin/)?(?:wget|curl|ping6?|traceroute|ifconfig|iptables|route|ip|uci|nvram|fw_setenv|passwd|adduser|useradd|date|mount|umount|kill|killall|service|sysupgrade|dd|tftp|ftpget|iwconfig|iwpriv|wpa_cli|nslookup|telnet|ssh|scp|chmod|chown|mkdir)\s`),
			needs: search.Lazy(`(?:^|[\s=])\$\{?\w`)},
	},
	plain: append([]pattern{
		{what: "tmp-race", root: true, once: true, at: search.Lazy(`(?:>|>>|\btee\s|-O\s*|-o\s+)\s*/(?:var/)?tmp/[A-Za-z0-9_.-]+(?:\s|$|;|\))`), not: search.Lazy(`mktemp|\b(?:echo|printf)\s+["'][^"']*>\s*/tmp`)},
		{what: "weak-hash", at: search.Lazy(`(?i)pass\w*["']?\}?\s*\|\s*(?:md5sum|sha1sum)|\bopenssl\s+passwd\s+(?:-1|-crypt|-apr1)\b|\bmkpasswd\s+(?:-m\s*|-S\s*\S+\s+-m\s*)(?:des|md5)|\bchpasswd\s+(?:-m\b|-c\s*(?:DES|MD5))`)},
		{what: "hard-coded-login", at: search.Lazy(`(?i)\[\s+"?\$\{?\w*(?:passw(?:or)?d|passwd|pwd)\w*\}?"?\s+(?:=|==)\s+["']?[A-Za-z0-9!@#%^&*_.-]{3,}`), not: search.Lazy(`(?i)(?:=|==)\s+["']?(?:none|null|true|false|yes|no|not|unset|empty)\b`)},
		{what: "cleartext-transfer", at: search.Lazy(`\b(?:ftpput|ftpget)\s+(?:[^|;]*\s)?-u\s|\bcurl\s[^|;]*(?:\s-u\s*|--user[ =])\S+\s[^|;]*\b(?:http|ftp)://|\bcurl\s[^|;]*\b(?:http|ftp)://[^|;]*(?:\s-u\s|\s--user[ =])|\bwget\s[^|;]*--(?:ftp-password|http-password|password|ftp-user)[ =][^|;]*\b(?:ftp|http)://|\blftp\s[^|;]*-u\s*\S+,|\bftp\s+-\w*n`), not: search.Lazy(`ssl-force\s+(?:true|on|yes)|ftps://|sftp://|-T\s+https`)},
	}, everywhere...),
}

// everywhere are lines that are dangerous in a shell and in what other languages give to
// a shell.
var everywhere = []pattern{
	{what: "no-verify", at: search.Lazy(`\bcurl\b[^|;]*?\s(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure)(?:\s|$|["'])|\bwget\s[^|;]*--no-check-certificate\b|\bhttp\.sslVerify[ =]false|GIT_SSL_NO_VERIFY=(?:1|true)|StrictHostKeyChecking[ =]no\b|NODE_TLS_REJECT_UNAUTHORIZED["'\]]*\s*=\s*["']?0|--allow-unauthenticated\b|\bmosquitto_(?:pub|sub)\s[^|;]*--insecure|\bpip\d?\s[^|;]*--trusted-host|ssl:verify-certificate\s+(?:no|false|off)`),
		not: search.Lazy(`^(?:echo|printf)\s|\bcurl\s[^|;]*\s-K\b`)},
	{what: "cleartext-transfer", at: search.Lazy(`\b(?:ftp|http)://[^\s/:@"'$]+:[^\s/@"']+@`)},
	{what: "download-run", at: search.Lazy(`\b(?:wget|curl|fetch)\b[^|;]*\|\s*(?:sudo\s+)?(?:/bin/)?(?:(?:ba|a|da|z)?sh|python\d?|perl)\b`), not: search.Lazy(`^(?:echo|printf)\s`)},
}

var phpScript = script{
	name:    "php",
	comment: []string{"//", "#", "*"},
	open:    true,
	sources: search.Lazy(`\$_(?:GET|POST|REQUEST|COOKIE|FILES)\b|\$_SERVER\s*\[\s*["'](?:QUERY_STRING|REQUEST_URI|PATH_INFO|HTTP_\w+|PHP_SELF)|php://input|\$HTTP_(?:GET|POST|RAW_POST)_`),
	clean:   search.Lazy(`(?i)escapeshell(?:arg|cmd)|\bintval\b|\(int\)|\(float\)|floatval|ctype_|\bbasename\s*\(|realpath|filter_(?:var|input)|is_numeric|escape_?string|->(?:quote|escape)\(|addslashes|\bmd5\(|\bsha1\(|\bhash\(|password_hash|\bcount\s*\(|strlen|\[["']tmp_name["']\]|\[["']size["']\]|\[["']error["']\]|===?\s*["']|php://input|->prepare\s*\(`),
	guard:   search.Lazy(`\b(?:preg_match|ctype_\w+|in_array|is_numeric|filter_var|array_key_exists|is_int|is_uploaded_file)\s*\(`),
	assign:  search.Lazy(`^(?:global\s+|static\s+|(?:if|while|elseif)\s*\(\s*\(?)?\$(\w+)(?:\[[^\]]*\])?\s*\.?=([^=>].*)`),
	name1:   search.Lazy(`\$\{?(\w+)`),
	sinks: []sink{
		{what: "shell-injection", at: search.Lazy(`(?i)(?:^|[^\w>:$])(?:system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec)\s*\(`)},
		{what: "shell-injection", at: search.Lazy("(?:=|echo|return|^)\\s*`")},
		{what: "eval-input", at: search.Lazy(`(?i)(?:^|[^\w>:$])(?:eval|assert|create_function)\s*\(`)},
		{what: "deserialise", at: search.Lazy(`(?i)(?:^|[^\w>:$])unserialize\s*\(`)},
		{what: "sql-injection", first: true, at: search.Lazy(`(?i)->\s*(?:query|exec|querySingle|multi_query)\s*\(`), needs: search.Lazy(`(?i)\b(?:select|insert|update|delete|replace)\b|\(\s*\$\w*(?:sql|query|stmt|req)\w*`)},
		{what: "sql-injection", at: search.Lazy(`(?i)(?:^|[^\w>:$])(?:mysql_query|mysqli_query|mysqli_multi_query|pg_query|sqlite_query|sqlite_exec|odbc_exec|mssql_query)\s*\(`)},
		{what: "path-input", at: search.Lazy(`(?i)(?:^|[^\w>:$"'])(?:include|require)(?:_once)?\b`)},
		{what: "path-input", first: true, at: search.Lazy(`(?i)(?:^|[^\w>:$])(?:fopen|file_get_contents|readfile|file|unlink|rename|file_put_contents|highlight_file|show_source|opendir|scandir|parse_ini_file|simplexml_load_file|rmdir)\s*\(`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: search.Lazy(`CURLOPT_SSL_VERIFY(?:PEER|HOST)\s*(?:,|=>)\s*(?:0|false|FALSE)\b|["']verify_peer(?:_name)?["']\s*=>\s*(?:false|FALSE|0)`)},
		{what: "weak-hash", at: search.Lazy(`(?i)(?:^|[^\w>:])(?:md5|sha1|crc32)\s*\(\s*[^()]*\$\w*(?:\[["'])?\w*pass`)},
		{what: "debug-mode", once: true, at: search.Lazy(`(?i)ini_set\s*\(\s*["']display_errors["']\s*,\s*["']?(?:1|on|true|stdout)\b|(?:^|<\?php)\s*phpinfo\s*\(\s*\)`)},
		{what: "hard-coded-login", at: search.Lazy(`(?i)\$\w*(?:\[["']\w*)?(?:passw(?:or)?d|passwd|pwd)\w*(?:["']\])?\s*={2,3}\s*["'][^"'$]*\w[^"'$]{2,}["']`)},
	}, everywhere...),
}

var pythonScript = script{
	name:     "python",
	comment:  []string{"#"},
	open:     true,
	literals: true,
	sources:  search.Lazy(`\brequest\.(?:args|form|values|json|data|files|GET|POST|params|query|query_string|cookies|get_json|body|get_data|FILES|match_info|rel_url)\b|\bself\.get_(?:query_|body_)?arguments?\(|\bFieldStorage\(|\.(?:getvalue|getfirst|getlist)\(|environ(?:\.get\(|\[)\s*["'](?:QUERY_STRING|PATH_INFO|REQUEST_URI|HTTP_\w+)|\bself\.rfile\.read|\bself\.path\b|\.recv(?:from)?\(|\b(?:msg|message)\.payload\b|\bweb\.input\(`),
	clean:    search.Lazy(`shlex\.quote|pipes\.quote|\bint\(|\bfloat\(|secure_filename|os\.path\.basename|safe_join|\bre\.(?:match|fullmatch|sub)\(|\.isdigit\(|\.isalnum\(|UUID\(|\bescape\(|\blen\(|\bbool\(`),
	guard:    search.Lazy(`\bre\.(?:match|fullmatch)\(|\.isdigit\(|\.isalnum\(|\.isidentifier\(|\bnot in\b|\bif\s+\w+\s+in\s+[A-Z(\[]|isinstance\(|\.is_file\(`),
	assign:   search.Lazy(`^(?:with\s+[^=]*\bas\s+)?(\w+)\s*(?::\s*\w+\s*)?\+?=([^=].*)`),
	name1:    search.Lazy(`\b([A-Za-z_]\w*)\b`),
	sinks: []sink{
		{what: "shell-injection", loose: true, first: true, at: search.Lazy(`\bos\.(?:system|popen)\s*\(|\b(?:subprocess|commands)\.get(?:status)?output\s*\(|create_subprocess_shell\s*\(|\.exec_command\s*\(`)},
		{what: "shell-injection", loose: true, first: true, at: search.Lazy(`\bsubprocess\.(?:call|run|Popen|check_output|check_call)\s*\(`), needs: search.Lazy(`shell\s*=\s*True`)},
		{what: "eval-input", at: search.Lazy(`(?:^|[^\w.])(?:eval|exec)\s*\(`)},
		{what: "deserialise", at: search.Lazy(`\b(?:pickle|cPickle|_pickle|dill|shelve|marshal)\.(?:loads?|open)\s*\(|\bjsonpickle\.decode\s*\(|\byaml\.unsafe_load\s*\(`)},
		{what: "deserialise", at: search.Lazy(`\byaml\.load\s*\(`), needs: search.Lazy(`yaml\.load\s*\([^,]*\)|Loader\s*=\s*yaml\.(?:Unsafe|Full)?Loader`)},
		{what: "sql-injection", first: true, at: search.Lazy(`\.(?:execute|executemany|executescript)\s*\(`)},
		{what: "upload-any", at: search.Lazy(`\.save\s*\(`), needs: search.Lazy(`filename`)},
		{what: "path-input", first: true, at: search.Lazy(`(?:^|[^\w.])(?:open|send_file)\s*\(|\bos\.(?:remove|unlink|rename|listdir|rmdir)\s*\(|\bshutil\.(?:rmtree|copy\w*|move)\s*\(|\bio\.open\s*\(`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: search.Lazy(`\bverify\s*=\s*False\b|_create_unverified_context|\bverify_mode\s*=\s*(?:ssl\.)?CERT_NONE|cert_reqs\s*=\s*["']?(?:ssl\.)?CERT_NONE|check_hostname\s*=\s*False|tls_insecure_set\(\s*True|\bAutoAddPolicy\b|verify_ssl\s*=\s*False|\bssl\s*=\s*False\b.*\b(?:get|post|request)\(`), not: search.Lazy(`jwt\.decode`)},
		{what: "weak-hash", at: search.Lazy(`(?i)hashlib\.(?:md5|sha1)\s*\([^)]*pass`)},
		{what: "debug-mode", at: search.Lazy(`\.run\([^)]*\bdebug\s*=\s*True|^cgitb\.enable\(\)`)},
		{what: "hard-coded-login", at: search.Lazy(`(?i)\b(?:if|elif|and|or|return)\b.*\b\w*(?:passw(?:or)?d|passwd|pwd)\w*["'\])]*\s*==\s*["'][^"'{}]{3,}["']`)},
		{what: "cleartext-transfer", at: search.Lazy(`\bftplib\.FTP\(|\btelnetlib\.Telnet\(`)},
	}, everywhere...),
}

var luaScript = script{
	name:     "lua",
	comment:  []string{"--"},
	open:     true,
	literals: true,
	sources:  search.Lazy(`\bformvalue(?:table)?\s*\(|get_uri_args|get_post_args|get_body_data|\bngx\.var\.(?:arg_|http_|query_string|uri)|getenv\s*\(\s*["'](?:QUERY_STRING|PATH_INFO|HTTP_\w+|REQUEST_URI)|\benv\.(?:QUERY_STRING|HTTP_\w+|PATH_INFO)|\bcgilua\.(?:QUERY|POST)`),
	clean:    search.Lazy(`shellquote|\btonumber\s*\(|[:.]match\s*\(|[:.]gsub\s*\(|shellsqescape|urlencode`),
	guard:    search.Lazy(`[:.]match\s*\(|[:.]find\s*\(`),
	assign:   search.Lazy(`^(?:local\s+)?(\w+)\s*=([^=].*)`),
	name1:    search.Lazy(`\b([A-Za-z_]\w*)\b`),
	sinks: []sink{
		{what: "shell-injection", loose: true, at: search.Lazy(`\bos\.execute\s*\(|\bio\.popen\s*\(|\bsys\.(?:exec|call)\s*\(|\butil\.(?:exec|execi|execl)\s*\(|\bfork_(?:exec|call)\s*\(`)},
		{what: "eval-input", at: search.Lazy(`(?:^|[^\w.:])(?:loadstring|load|dofile)\s*\(`)},
		{what: "path-input", first: true, at: search.Lazy(`\bio\.open\s*\(|\bfs\.(?:readfile|writefile|unlink|remove|rename)\s*\(`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: search.Lazy(`\bverify\s*=\s*["']none["']|ssl_verify\s*=\s*(?:false|0|"no")`)},
		{what: "hard-coded-login", at: search.Lazy(`(?i)\b(?:if|elseif|and|or)\b.*\b\w*(?:passw(?:or)?d|passwd|pwd)\w*\s*==\s*["'][^"']{3,}["']`)},
	}, everywhere...),
}

var perlScript = script{
	name:    "perl",
	comment: []string{"#"},
	open:    true,
	sources: search.Lazy(`(?:^|[^\w>:])param\s*\(|->param\s*\(|\$ENV\{\s*["']?(?:QUERY_STRING|PATH_INFO|HTTP_\w+|REQUEST_URI)|->(?:url_)?query_?string`),
	clean:   search.Lazy(`\bquotemeta\b|\bint\s*\(|shell_quote|->quote\(|basename\s*\(|\bescape\w*\(`),
	guard:   search.Lazy(`[=!]~\s*(?:m?/\^|s/|tr/|y/|m\{\^)`),
	assign:  search.Lazy(`^(?:my|our|local)?\s*\(?\s*[$@%](\w+)\)?\s*\.?=([^=~].*)`),
	name1:   search.Lazy(`[$@%]\{?(\w+)`),
	sinks: []sink{
		{what: "shell-injection", first: true, at: search.Lazy(`(?:^|[^\w>:$&])(?:system|exec)\s*\(?\s*`)},
		{what: "shell-injection", at: search.Lazy("(?:=|print|return|^)\\s*(?:qx\\s*[{/(|!]|`)")},
		{what: "shell-injection", at: search.Lazy(`\bopen\s*\(?\s*[^,]+,\s*`), needs: search.Lazy(`\bopen\b[^,]*,\s*["'](?:\s*\||[^"']*\|\s*["'])`)},
		{what: "eval-input", at: search.Lazy(`(?:^|[^\w>:])eval\s*\(?\s*["$]`), whole: true},
		{what: "sql-injection", first: true, at: search.Lazy(`->\s*(?:do|prepare|selectrow_\w+|selectall_\w+)\s*\(`)},
		{what: "path-input", at: search.Lazy(`\b(?:open|unlink|sysopen)\s*\(?\s*`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: search.Lazy(`SSL_VERIFY_NONE\b.*(?:=>|SSL_verify_mode)|SSL_verify_mode\s*=>\s*(?:0|SSL_VERIFY_NONE)|verify_hostname\s*=>\s*0|PERL_LWP_SSL_VERIFY_HOSTNAME\W+=\s*["']?0`)},
		{what: "hard-coded-login", at: search.Lazy(`(?i)\$\w*(?:passw(?:or)?d|passwd|pwd)\w*\s+eq\s+["'][^"'$]{3,}["']`)},
	}, everywhere...),
}

var nodeScript = script{
	name:     "javascript",
	comment:  []string{"//", "*"},
	open:     true,
	literals: true,
	sources:  search.Lazy(`\b(?:req|request)\.(?:query|body|params|cookies|url)\b|\bctx\.(?:query|params|request\.body)\b`),
	clean:    search.Lazy(`\bparseInt\s*\(|\bNumber\s*\(|path\.basename|encodeURIComponent|\bescape\w*\s*\(|shellQuote|\.length\b`),
	guard:    search.Lazy(`\.test\s*\(|\.includes\s*\(|validator\.`),
	assign:   search.Lazy(`^(?:const|let|var)?\s*(\w+)\s*\+?=([^=>].*)`),
	name1:    search.Lazy(`\b([A-Za-z_$][\w$]*)\b`),
	sinks: []sink{
		{what: "shell-injection", first: true, at: search.Lazy(`(?:^|[^\w.])(?:(?:child_process|cp|childProcess)\.)?(?:exec|execSync)\s*\(`)},
		{what: "eval-input", at: search.Lazy(`(?:^|[^\w.])eval\s*\(|\bnew\s+Function\s*\(|\bvm\.run\w+\s*\(`)},
		{what: "sql-injection", first: true, at: search.Lazy(`\.(?:query|execute)\s*\(`), needs: search.Lazy(`(?i)\b(?:select|insert|update|delete)\b`)},
		{what: "path-input", first: true, at: search.Lazy(`\bfs\.(?:readFile|readFileSync|writeFile|writeFileSync|createReadStream|unlink|unlinkSync)\s*\(|\.sendFile\s*\(`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: search.Lazy(`\brejectUnauthorized\s*:\s*false|\bstrictSSL\s*:\s*false`)},
		{what: "hard-coded-login", at: search.Lazy(`(?i)\b\w*(?:passw(?:or)?d|passwd|pwd)\w*\s*={2,3}\s*["'][^"']{3,}["']`)},
	}, everywhere...),
}

// upload tells a PHP file that keeps what was uploaded, and any check of what it is.
var (
	uploadCall  = search.Lazy(`(?i)\bmove_uploaded_file\s*\(`)
	uploadCheck = search.Lazy(`(?i)pathinfo|in_array|getimagesize|mime|finfo|preg_match|strrchr|PATHINFO_EXTENSION|endsWith|->validate`)
)
