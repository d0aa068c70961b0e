package firmware

import "strings"

// Found is a text at an offset of a content.
type Found struct {
	Text string `json:"text"`
	At   int64  `json:"at"`
}

const urlsAtMost = 64 // different ones kept of one program

// urlLiterals are what URLs begin with that name a machine to connect to.
var urlLiterals = []string{"http://", "https://", "ftp://", "ftps://", "tftp://", "mqtt://", "mqtts://", "tcp://", "ssl://", "wss://", "coap://", "coaps://", "amqp://", "amqps://", "rtsp://", "sftp://", "nats://"}

// lookURLs keeps the URLs of programs: those with a host in them, each host once.
func lookURLs(t *Trace, c *content) {
	if t.Type != "elf" && t.Type != "pe" {
		return
	}
	seen := map[string]bool{}
	for _, h := range c.hits {
		if len(t.URLs) >= urlsAtMost {
			return
		}
		scheme := urlLiterals[h.literal]
		from, p := c.around(h.at, 1, 256)
		if h.at > from && letter(p[0]) || int(h.at-from) > len(p) {
			continue // the end of another word
		}
		p = p[h.at-from:]
		n := len(scheme)
		for n < len(p) && p[n] > ' ' && p[n] < 0x7f && !strings.ContainsRune("\"'<>|\\^`{}(),;", rune(p[n])) {
			n++
		}
		if n <= len(scheme) {
			continue
		}
		text := string(p[:n])
		host := text[len(scheme):]
		if i := strings.IndexAny(host, "/?#"); i >= 0 {
			host = host[:i]
		}
		if strings.ContainsAny(host, "%$*") || !strings.ContainsAny(host, ".:") || seen[scheme+host] {
			continue // the host is put in when it runs
		}
		seen[scheme+host] = true
		t.URLs = append(t.URLs, Found{text, h.at})
	}
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
