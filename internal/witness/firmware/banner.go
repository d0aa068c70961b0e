package firmware

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/search"
)

// Banner is a text by which a kernel, a boot loader or an operating system without files
// says what it is.
type Banner struct {
	What   string `json:"what"` // linux, u-boot, barebox, redboot, cfe, vxworks, qnx, freertos, threadx, zephyr ...
	Text   string `json:"text"`
	Offset int64  `json:"offset"`
}

// bannerLiterals are what the looker at banners is told of, in groups that [lookBanner]
// tells apart.
var bannerLiterals = []string{
	"Linux version ", "U-Boot 20", "U-Boot 1.", "U-Boot SPL 20", "barebox 20", "RedBoot(tm)", "CFE version ", "GNU GRUB  version",
	"VxWorks", "QNX Neutrino", "QNX IPL", "FreeRTOS", "ThreadX", "Zephyr OS", "eCos ", "Nucleus PLUS", "Micrium OS", "uC/OS-I", "RTEMS ", "INTEGRITY RTOS", "embOS ",
	"IKCFG_ST", "bootdelay=", "bootcmd=",
}

// bannerForms say what a banner looks like that is meant: words about a thing are none.
var bannerForms = []struct {
	what string
	at   *search.Pattern
}{
	{"linux", search.Lazy(`^Linux version \d+\.\d+\S* \(`)},
	{"u-boot", search.Lazy(`^U-Boot (SPL )?(20\d\d\.\d\d|1\.\d+\.\d+)[\w.+-]*( |$)`)},
	{"barebox", search.Lazy(`^barebox 20\d\d\.\d\d`)},
	{"redboot", search.Lazy(`^RedBoot\(tm\) bootstrap`)},
	{"cfe", search.Lazy(`^CFE version \d`)},
	{"grub", search.Lazy(`^GNU GRUB  version %?[s\d]`)},
	{"vxworks", search.Lazy(`^VxWorks( SMP)? ?\d+\.\d|^VxWorks( SMP)?(64)?$|^VxWorks(5|6|7)`)},
	{"qnx", search.Lazy(`^QNX (Neutrino|IPL)`)},
	{"freertos", search.Lazy(`^FreeRTOS( Kernel)? V?\d`)},
	{"threadx", search.Lazy(`^ThreadX .*(Version|G\d|V\d)`)},
	{"zephyr", search.Lazy(`^Zephyr OS (build |v)`)},
	{"ecos", search.Lazy(`^eCos (kernel|\d)`)},
	{"nucleus", search.Lazy(`^Nucleus PLUS`)},
	{"ucos", search.Lazy(`^(uC/OS-I|Micrium OS)`)},
	{"rtems", search.Lazy(`^RTEMS \d`)},
	{"integrity", search.Lazy(`^INTEGRITY RTOS`)},
	{"embos", search.Lazy(`^embOS .*\d`)},
}

const (
	bannersMost = 12
	configMost  = 1 << 20
	envTextMost = 64 << 10
)

// lookBanner keeps the banners in bytes that are no text, a boot loader's built-in
// environment and a kernel's built-in configuration.
func lookBanner(t *Trace, c *content) {
	if t.Type == "text" || t.Type == "script" || t.Type == "pe" && !kernelStub(c.data) {
		return
	}
	stubBanner(t, c)
	for _, h := range c.hits {
		switch word := bannerLiterals[h.literal]; word {
		case "IKCFG_ST":
			if t.Config == nil {
				t.Config = builtInConfig(c, h.at)
			}
		case "bootdelay=", "bootcmd=":
			if t.Environment == nil && t.Type == "" {
				t.Environment = builtInEnvironment(c, h.at)
			}
		default:
			if len(t.Banners) < bannersMost {
				keepBanner(t, c, h.at)
			}
		}
	}
	if !slices.ContainsFunc(t.Banners, func(b Banner) bool { return b.What == "u-boot" }) {
		t.Environment = nil
	}
}

func keepBanner(t *Trace, c *content, at int64) {
	_, p := c.around(at, 0, 300)
	_, text := printable(p, 0)
	for _, f := range bannerForms {
		if !f.at.MatchString(text) {
			continue
		}
		if f.what == "linux" && strings.Contains(text, "%s") {
			return
		}
		if !slices.ContainsFunc(t.Banners, func(b Banner) bool { return b.What == f.what && b.Text == text }) {
			t.Banners = append(t.Banners, Banner{f.what, text, at})
		}
		return
	}
}

// stubBanner reads the version that the header of a compressed kernel of x86 points to
// (Linux Documentation, x86 boot protocol: kernel_version at 0x20e).
func stubBanner(t *Trace, c *content) {
	p := c.data
	if len(p) < 0x4000 || string(p[0x202:0x206]) != "HdrS" {
		return
	}
	at := (int(p[0x20e]) | int(p[0x20f])<<8) + 0x200
	if at < 0x210 || at >= len(p) {
		return
	}
	if text := cut(p, uint64(at), 256); kernelRelease.MatchString(text) {
		t.Banners = append(t.Banners, Banner{"linux", "Linux version " + text, int64(at)})
	}
}

var kernelRelease = search.Lazy(`^\d+\.\d+[\w.+-]* \(`)

// builtInConfig reads the configuration that a kernel carries: gzip after a mark (Linux,
// kernel/configs.c).
func builtInConfig(c *content, at int64) map[string]string {
	_, p := c.around(at+8, 0, 256<<10)
	z, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil
	}
	var text bytes.Buffer
	if _, err := io.Copy(&text, io.LimitReader(z, configMost)); err != nil && text.Len() == 0 {
		return nil
	}
	return kernelOptions(text.String())
}

// builtInEnvironment reads the variables that are compiled into a boot loader: texts that
// end with NUL, the last with two.
func builtInEnvironment(c *content, at int64) map[string]string {
	from, p := c.around(at, envTextMost/2, envTextMost/2)
	i := int(at - from)
	if i >= len(p) || i > 0 && p[i-1] != 0 {
		return nil // in the middle of a text
	}
	start := i
	for start > 1 && (p[start-1] != 0 || p[start-2] != 0) && textByte(p[start-1]) {
		start--
	}
	end := bytes.Index(p[i:], []byte{0, 0})
	if end < 0 {
		return nil
	}
	out := map[string]string{}
	for v := range strings.SplitSeq(string(p[start:i+end]), "\x00") {
		name, value, ok := strings.Cut(v, "=")
		if ok && environmentName.MatchString(name) && len(out) < 1024 {
			out[name] = value
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

var environmentName = search.Lazy(`^[A-Za-z_][\w.-]{0,63}$`)

func textByte(c byte) bool {
	return c == 0 || c == '\n' || c == '\t' || c >= ' ' && c < 0x7f
}
