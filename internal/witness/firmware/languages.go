package firmware

import "regexp"

// The scripting languages, one variable each: what in them is input, what makes it
// harmless, and what it must not reach.

var rx = regexp.MustCompile

var shellScript = script{
	name:    "sh",
	comment: []string{"#"},
	sources: rx(`\$\{?(QUERY_STRING|REQUEST_URI|PATH_INFO|HTTP_[A-Z_]+|(?:POST|FORM|GET)_[a-z]\w*)\b|\$\(\s*cat\s*-?\s*\)|\$\((dd|head)\s[^)]*CONTENT_LENGTH|\bnc\s+(-\w+\s+)*-\w*l`),
	clean:   rx(`\bbasename\s|\btr\s+-\w*d\w*\s|\btr\s+-\w*c|grep\s+-\w*[oE]|printf\s+(-v\s+\w+\s+)?["']?%[qd]|sed\s+[^|]*\[\^|\$\(\(|\bmd5sum|sha\d+sum|%%\*|##\*|//\[\^`),
	guard:   rx(`\bcase\s+.*\*\[!|=~|\bexpr\s+.*:|grep\s+-\w*q|\bcase\b.*\[!`),
	assign:  rx(`^(?:export\s+|local\s+|declare\s+(?:-\w+\s+)?|readonly\s+)?([A-Za-z_]\w*)\+?=(.*)`),
	name1:   rx(`\$\{?([A-Za-z_]\w*|[0-9@*])`),
	sinks: []sink{
		{what: "shell-injection", at: rx("(?:^|[;&|({`]|\\bthen\\b|\\bdo\\b|\\belse\\b)\\s*eval\\s")},
		{what: "shell-injection", at: rx(`\b(?:ba|a|da|z)?sh\s+-\w*c\s`)},
		{what: "shell-injection", at: rx(`\bsu\s+(?:-\s+)?\w*\s*-c\s`)},
		{what: "shell-injection", at: rx(`\|\s*(?:sudo\s+)?(?:/bin/)?(?:ba|a|da|z)?sh\s*(?:$|[;&)])`), whole: true},
		{what: "shell-injection", at: rx("^(?:\\$\\(|`)?\\s*(?:sudo\\s+)?[\"']?"), needs: rx("^(?:\\$\\(|`)?\\s*(?:sudo\\s+)?[\"']?\\$\\{?\\w+\\}?[\"']?(?:\\s|$)")},
		{what: "path-input", cgi: true, at: rx(`(?:^|[;&|(]|\bthen\b|\bdo\b|` + "`" + `)\s*(?:cat|rm|cp|mv|ln|tail|head|source|tar|unzip|\.)\s+`)},
		{what: "unquoted-input", cgi: true, at: rx(`(?:^|[;&|(]|\bthen\b|\bdo\b|` + "`" + `)\s*(?:/(?:usr/)?s?bin/)?(?:wget|curl|ping6?|traceroute|ifconfig|iptables|route|ip|uci|nvram|fw_setenv|passwd|adduser|useradd|date|mount|umount|kill|killall|service|sysupgrade|dd|tftp|ftpget|iwconfig|iwpriv|wpa_cli|nslookup|telnet|ssh|scp|chmod|chown|mkdir)\s`),
			needs: rx(`(?:^|[\s=])\$\{?\w`)},
	},
	plain: append([]pattern{
		{what: "tmp-race", root: true, once: true, at: rx(`(?:>|>>|\btee\s|-O\s*|-o\s+)\s*/(?:var/)?tmp/[A-Za-z0-9_.-]+(?:\s|$|;|\))`), not: rx(`mktemp|\b(?:echo|printf)\s+["'][^"']*>\s*/tmp`)},
		{what: "weak-hash", at: rx(`(?i)pass\w*["']?\}?\s*\|\s*(?:md5sum|sha1sum)|\bopenssl\s+passwd\s+(?:-1|-crypt|-apr1)\b|\bmkpasswd\s+(?:-m\s*|-S\s*\S+\s+-m\s*)(?:des|md5)|\bchpasswd\s+(?:-m\b|-c\s*(?:DES|MD5))`)},
		{what: "hard-coded-login", at: rx(`(?i)\[\s+"?\$\{?\w*(?:passw(?:or)?d|passwd|pwd)\w*\}?"?\s+(?:=|==)\s+["']?[A-Za-z0-9!@#%^&*_.-]{3,}`), not: rx(`(?i)(?:=|==)\s+["']?(?:none|null|true|false|yes|no|not|unset|empty)\b`)},
		{what: "cleartext-transfer", at: rx(`\b(?:ftpput|ftpget)\s+(?:[^|;]*\s)?-u\s|\bcurl\s[^|;]*(?:\s-u\s*|--user[ =])\S+\s[^|;]*\b(?:http|ftp)://|\bcurl\s[^|;]*\b(?:http|ftp)://[^|;]*(?:\s-u\s|\s--user[ =])|\bwget\s[^|;]*--(?:ftp-password|http-password|password|ftp-user)[ =][^|;]*\b(?:ftp|http)://|\blftp\s[^|;]*-u\s*\S+,|\bftp\s+-\w*n`), not: rx(`ssl-force\s+(?:true|on|yes)|ftps://|sftp://|-T\s+https`)},
	}, everywhere...),
}

// everywhere are lines that are dangerous in a shell and in what other languages give to
// a shell.
var everywhere = []pattern{
	{what: "no-verify", at: rx(`\bcurl\b[^|;]*?\s(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure)(?:\s|$|["'])|\bwget\s[^|;]*--no-check-certificate\b|\bhttp\.sslVerify[ =]false|GIT_SSL_NO_VERIFY=(?:1|true)|StrictHostKeyChecking[ =]no\b|NODE_TLS_REJECT_UNAUTHORIZED["'\]]*\s*=\s*["']?0|--allow-unauthenticated\b|\bmosquitto_(?:pub|sub)\s[^|;]*--insecure|\bpip\d?\s[^|;]*--trusted-host|ssl:verify-certificate\s+(?:no|false|off)`),
		not: rx(`^(?:echo|printf)\s|\bcurl\s[^|;]*\s-K\b`)},
	{what: "cleartext-transfer", at: rx(`\b(?:ftp|http)://[^\s/:@"'$]+:[^\s/@"']+@`)},
	{what: "download-run", at: rx(`\b(?:wget|curl|fetch)\b[^|;]*\|\s*(?:sudo\s+)?(?:/bin/)?(?:(?:ba|a|da|z)?sh|python\d?|perl)\b`), not: rx(`^(?:echo|printf)\s`)},
}

var phpScript = script{
	name:    "php",
	comment: []string{"//", "#", "*"},
	open:    true,
	sources: rx(`\$_(?:GET|POST|REQUEST|COOKIE|FILES)\b|\$_SERVER\s*\[\s*["'](?:QUERY_STRING|REQUEST_URI|PATH_INFO|HTTP_\w+|PHP_SELF)|php://input|\$HTTP_(?:GET|POST|RAW_POST)_`),
	clean:   rx(`(?i)escapeshell(?:arg|cmd)|\bintval\b|\(int\)|\(float\)|floatval|ctype_|\bbasename\s*\(|realpath|filter_(?:var|input)|is_numeric|escape_?string|->(?:quote|escape)\(|addslashes|\bmd5\(|\bsha1\(|\bhash\(|password_hash|\bcount\s*\(|strlen|\[["']tmp_name["']\]|\[["']size["']\]|\[["']error["']\]|===?\s*["']|php://input|->prepare\s*\(`),
	guard:   rx(`\b(?:preg_match|ctype_\w+|in_array|is_numeric|filter_var|array_key_exists|is_int|is_uploaded_file)\s*\(`),
	assign:  rx(`^(?:global\s+|static\s+|(?:if|while|elseif)\s*\(\s*\(?)?\$(\w+)(?:\[[^\]]*\])?\s*\.?=([^=>].*)`),
	name1:   rx(`\$\{?(\w+)`),
	sinks: []sink{
		{what: "shell-injection", at: rx(`(?i)(?:^|[^\w>:$])(?:system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec)\s*\(`)},
		{what: "shell-injection", at: rx("(?:=|echo|return|^)\\s*`")},
		{what: "eval-input", at: rx(`(?i)(?:^|[^\w>:$])(?:eval|assert|create_function)\s*\(`)},
		{what: "deserialise", at: rx(`(?i)(?:^|[^\w>:$])unserialize\s*\(`)},
		{what: "sql-injection", first: true, at: rx(`(?i)->\s*(?:query|exec|querySingle|multi_query)\s*\(`), needs: rx(`(?i)\b(?:select|insert|update|delete|replace)\b|\(\s*\$\w*(?:sql|query|stmt|req)\w*`)},
		{what: "sql-injection", at: rx(`(?i)(?:^|[^\w>:$])(?:mysql_query|mysqli_query|mysqli_multi_query|pg_query|sqlite_query|sqlite_exec|odbc_exec|mssql_query)\s*\(`)},
		{what: "path-input", at: rx(`(?i)(?:^|[^\w>:$"'])(?:include|require)(?:_once)?\b`)},
		{what: "path-input", first: true, at: rx(`(?i)(?:^|[^\w>:$])(?:fopen|file_get_contents|readfile|file|unlink|rename|file_put_contents|highlight_file|show_source|opendir|scandir|parse_ini_file|simplexml_load_file|rmdir)\s*\(`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: rx(`CURLOPT_SSL_VERIFY(?:PEER|HOST)\s*(?:,|=>)\s*(?:0|false|FALSE)\b|["']verify_peer(?:_name)?["']\s*=>\s*(?:false|FALSE|0)`)},
		{what: "weak-hash", at: rx(`(?i)(?:^|[^\w>:])(?:md5|sha1|crc32)\s*\(\s*[^()]*\$\w*(?:\[["'])?\w*pass`)},
		{what: "debug-mode", once: true, at: rx(`(?i)ini_set\s*\(\s*["']display_errors["']\s*,\s*["']?(?:1|on|true|stdout)\b|(?:^|<\?php)\s*phpinfo\s*\(\s*\)`)},
		{what: "hard-coded-login", at: rx(`(?i)\$\w*(?:\[["']\w*)?(?:passw(?:or)?d|passwd|pwd)\w*(?:["']\])?\s*={2,3}\s*["'][^"'$]*\w[^"'$]{2,}["']`)},
	}, everywhere...),
}

var pythonScript = script{
	name:     "python",
	comment:  []string{"#"},
	open:     true,
	literals: true,
	sources:  rx(`\brequest\.(?:args|form|values|json|data|files|GET|POST|params|query|query_string|cookies|get_json|body|get_data|FILES|match_info|rel_url)\b|\bself\.get_(?:query_|body_)?arguments?\(|\bFieldStorage\(|\.(?:getvalue|getfirst|getlist)\(|environ(?:\.get\(|\[)\s*["'](?:QUERY_STRING|PATH_INFO|REQUEST_URI|HTTP_\w+)|\bself\.rfile\.read|\bself\.path\b|\.recv(?:from)?\(|\b(?:msg|message)\.payload\b|\bweb\.input\(`),
	clean:    rx(`shlex\.quote|pipes\.quote|\bint\(|\bfloat\(|secure_filename|os\.path\.basename|safe_join|\bre\.(?:match|fullmatch|sub)\(|\.isdigit\(|\.isalnum\(|UUID\(|\bescape\(|\blen\(|\bbool\(`),
	guard:    rx(`\bre\.(?:match|fullmatch)\(|\.isdigit\(|\.isalnum\(|\.isidentifier\(|\bnot in\b|\bif\s+\w+\s+in\s+[A-Z(\[]|isinstance\(|\.is_file\(`),
	assign:   rx(`^(?:with\s+[^=]*\bas\s+)?(\w+)\s*(?::\s*\w+\s*)?\+?=([^=].*)`),
	name1:    rx(`\b([A-Za-z_]\w*)\b`),
	sinks: []sink{
		{what: "shell-injection", loose: true, first: true, at: rx(`\bos\.(?:system|popen)\s*\(|\b(?:subprocess|commands)\.get(?:status)?output\s*\(|create_subprocess_shell\s*\(|\.exec_command\s*\(`)},
		{what: "shell-injection", loose: true, first: true, at: rx(`\bsubprocess\.(?:call|run|Popen|check_output|check_call)\s*\(`), needs: rx(`shell\s*=\s*True`)},
		{what: "eval-input", at: rx(`(?:^|[^\w.])(?:eval|exec)\s*\(`)},
		{what: "deserialise", at: rx(`\b(?:pickle|cPickle|_pickle|dill|shelve|marshal)\.(?:loads?|open)\s*\(|\bjsonpickle\.decode\s*\(|\byaml\.unsafe_load\s*\(`)},
		{what: "deserialise", at: rx(`\byaml\.load\s*\(`), needs: rx(`yaml\.load\s*\([^,]*\)|Loader\s*=\s*yaml\.(?:Unsafe|Full)?Loader`)},
		{what: "sql-injection", first: true, at: rx(`\.(?:execute|executemany|executescript)\s*\(`)},
		{what: "upload-any", at: rx(`\.save\s*\(`), needs: rx(`filename`)},
		{what: "path-input", first: true, at: rx(`(?:^|[^\w.])(?:open|send_file)\s*\(|\bos\.(?:remove|unlink|rename|listdir|rmdir)\s*\(|\bshutil\.(?:rmtree|copy\w*|move)\s*\(|\bio\.open\s*\(`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: rx(`\bverify\s*=\s*False\b|_create_unverified_context|\bverify_mode\s*=\s*(?:ssl\.)?CERT_NONE|cert_reqs\s*=\s*["']?(?:ssl\.)?CERT_NONE|check_hostname\s*=\s*False|tls_insecure_set\(\s*True|\bAutoAddPolicy\b|verify_ssl\s*=\s*False|\bssl\s*=\s*False\b.*\b(?:get|post|request)\(`), not: rx(`jwt\.decode`)},
		{what: "weak-hash", at: rx(`(?i)hashlib\.(?:md5|sha1)\s*\([^)]*pass`)},
		{what: "debug-mode", at: rx(`\.run\([^)]*\bdebug\s*=\s*True|^cgitb\.enable\(\)`)},
		{what: "hard-coded-login", at: rx(`(?i)\b(?:if|elif|and|or|return)\b.*\b\w*(?:passw(?:or)?d|passwd|pwd)\w*["'\])]*\s*==\s*["'][^"'{}]{3,}["']`)},
		{what: "cleartext-transfer", at: rx(`\bftplib\.FTP\(|\btelnetlib\.Telnet\(`)},
	}, everywhere...),
}

var luaScript = script{
	name:     "lua",
	comment:  []string{"--"},
	open:     true,
	literals: true,
	sources:  rx(`\bformvalue(?:table)?\s*\(|get_uri_args|get_post_args|get_body_data|\bngx\.var\.(?:arg_|http_|query_string|uri)|getenv\s*\(\s*["'](?:QUERY_STRING|PATH_INFO|HTTP_\w+|REQUEST_URI)|\benv\.(?:QUERY_STRING|HTTP_\w+|PATH_INFO)|\bcgilua\.(?:QUERY|POST)`),
	clean:    rx(`shellquote|\btonumber\s*\(|[:.]match\s*\(|[:.]gsub\s*\(|shellsqescape|urlencode`),
	guard:    rx(`[:.]match\s*\(|[:.]find\s*\(`),
	assign:   rx(`^(?:local\s+)?(\w+)\s*=([^=].*)`),
	name1:    rx(`\b([A-Za-z_]\w*)\b`),
	sinks: []sink{
		{what: "shell-injection", loose: true, at: rx(`\bos\.execute\s*\(|\bio\.popen\s*\(|\bsys\.(?:exec|call)\s*\(|\butil\.(?:exec|execi|execl)\s*\(|\bfork_(?:exec|call)\s*\(`)},
		{what: "eval-input", at: rx(`(?:^|[^\w.:])(?:loadstring|load|dofile)\s*\(`)},
		{what: "path-input", first: true, at: rx(`\bio\.open\s*\(|\bfs\.(?:readfile|writefile|unlink|remove|rename)\s*\(`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: rx(`\bverify\s*=\s*["']none["']|ssl_verify\s*=\s*(?:false|0|"no")`)},
		{what: "hard-coded-login", at: rx(`(?i)\b(?:if|elseif|and|or)\b.*\b\w*(?:passw(?:or)?d|passwd|pwd)\w*\s*==\s*["'][^"']{3,}["']`)},
	}, everywhere...),
}

var perlScript = script{
	name:    "perl",
	comment: []string{"#"},
	open:    true,
	sources: rx(`(?:^|[^\w>:])param\s*\(|->param\s*\(|\$ENV\{\s*["']?(?:QUERY_STRING|PATH_INFO|HTTP_\w+|REQUEST_URI)|->(?:url_)?query_?string`),
	clean:   rx(`\bquotemeta\b|\bint\s*\(|shell_quote|->quote\(|basename\s*\(|\bescape\w*\(`),
	guard:   rx(`[=!]~\s*(?:m?/\^|s/|tr/|y/|m\{\^)`),
	assign:  rx(`^(?:my|our|local)?\s*\(?\s*[$@%](\w+)\)?\s*\.?=([^=~].*)`),
	name1:   rx(`[$@%]\{?(\w+)`),
	sinks: []sink{
		{what: "shell-injection", first: true, at: rx(`(?:^|[^\w>:$&])(?:system|exec)\s*\(?\s*`)},
		{what: "shell-injection", at: rx("(?:=|print|return|^)\\s*(?:qx\\s*[{/(|!]|`)")},
		{what: "shell-injection", at: rx(`\bopen\s*\(?\s*[^,]+,\s*`), needs: rx(`\bopen\b[^,]*,\s*["'](?:\s*\||[^"']*\|\s*["'])`)},
		{what: "eval-input", at: rx(`(?:^|[^\w>:])eval\s*\(?\s*["$]`), whole: true},
		{what: "sql-injection", first: true, at: rx(`->\s*(?:do|prepare|selectrow_\w+|selectall_\w+)\s*\(`)},
		{what: "path-input", at: rx(`\b(?:open|unlink|sysopen)\s*\(?\s*`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: rx(`SSL_VERIFY_NONE\b.*(?:=>|SSL_verify_mode)|SSL_verify_mode\s*=>\s*(?:0|SSL_VERIFY_NONE)|verify_hostname\s*=>\s*0|PERL_LWP_SSL_VERIFY_HOSTNAME\W+=\s*["']?0`)},
		{what: "hard-coded-login", at: rx(`(?i)\$\w*(?:passw(?:or)?d|passwd|pwd)\w*\s+eq\s+["'][^"'$]{3,}["']`)},
	}, everywhere...),
}

var nodeScript = script{
	name:     "javascript",
	comment:  []string{"//", "*"},
	open:     true,
	literals: true,
	sources:  rx(`\b(?:req|request)\.(?:query|body|params|cookies|url)\b|\bctx\.(?:query|params|request\.body)\b`),
	clean:    rx(`\bparseInt\s*\(|\bNumber\s*\(|path\.basename|encodeURIComponent|\bescape\w*\s*\(|shellQuote|\.length\b`),
	guard:    rx(`\.test\s*\(|\.includes\s*\(|validator\.`),
	assign:   rx(`^(?:const|let|var)?\s*(\w+)\s*\+?=([^=>].*)`),
	name1:    rx(`\b([A-Za-z_$][\w$]*)\b`),
	sinks: []sink{
		{what: "shell-injection", first: true, at: rx(`(?:^|[^\w.])(?:(?:child_process|cp|childProcess)\.)?(?:exec|execSync)\s*\(`)},
		{what: "eval-input", at: rx(`(?:^|[^\w.])eval\s*\(|\bnew\s+Function\s*\(|\bvm\.run\w+\s*\(`)},
		{what: "sql-injection", first: true, at: rx(`\.(?:query|execute)\s*\(`), needs: rx(`(?i)\b(?:select|insert|update|delete)\b`)},
		{what: "path-input", first: true, at: rx(`\bfs\.(?:readFile|readFileSync|writeFile|writeFileSync|createReadStream|unlink|unlinkSync)\s*\(|\.sendFile\s*\(`)},
	},
	plain: append([]pattern{
		{what: "no-verify", at: rx(`\brejectUnauthorized\s*:\s*false|\bstrictSSL\s*:\s*false`)},
		{what: "hard-coded-login", at: rx(`(?i)\b\w*(?:passw(?:or)?d|passwd|pwd)\w*\s*={2,3}\s*["'][^"']{3,}["']`)},
	}, everywhere...),
}

// upload tells a PHP file that keeps what was uploaded, and any check of what it is.
var (
	uploadCall  = rx(`(?i)\bmove_uploaded_file\s*\(`)
	uploadCheck = rx(`(?i)pathinfo|in_array|getimagesize|mime|finfo|preg_match|strrchr|PATHINFO_EXTENSION|endsWith|->validate`)
)
