package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/vesalius-project/vesalius/internal/image"
)

var ubootEnv = &image.Format{
	Name:  "uboot-env",
	Title: "U-Boot environment",
	Class: "boot",
	Where: "devices that start with U-Boot: the settings that say what is started, how long it waits and where the console is",
	Spec: "U-Boot include/env_internal.h: CRC-32, a flag byte where there are two copies, NAME=VALUE texts ended by NUL. " +
		"Attributes: env.NAME for each variable; flag (hexadecimal, of a redundant copy)",
	Limits: "sizes that are a multiple of 256 bytes, up to 256 KiB; environments compiled into the boot loader carry no checksum and are not told apart",
	Magic:  ubootEnvMagic,
	Locate: locateEnv,
	Open:   openEnv,

	Rebuild: rebuildEnv,
}

var ubootEnvMagic = []image.Magic{
	{Offset: image.Anywhere, Bytes: "\x00bootcmd="}, {Offset: image.Anywhere, Bytes: "\x00bootdelay="},
	{Offset: image.Anywhere, Bytes: "\x00baudrate="}, {Offset: image.Anywhere, Bytes: "\x00bootargs="},
}

const (
	envLeast = 0x100
	envMost  = 0x40000
)

// locateEnv finds the start of the environment in which a variable was seen: some bytes
// before its first variable. Environments lie at the start of a sector. Only the first of
// the sought variables is followed back, the others would find the same.
func locateEnv(b *image.Blob, at int64) int64 {
	const step = 4096
	least := max(at-envMost, 0)
	for end := at; end > least; {
		start := max(end-step, least)
		p, err := b.View(start, min(end+16, at)-start)
		if err != nil {
			return -1
		}
		i := envStart(p)
		for _, m := range ubootEnvMagic {
			if bytes.Contains(p[max(i, 0):], []byte(m.Bytes)) {
				return -1
			}
		}
		if end = start; i < 0 && start > least {
			continue
		}
		// The bytes of the checksum may look like text, and so may what lies before.
		text := start + int64(max(i, 0))
		for _, s := range []int64{max(text-5+15, 0) &^ 15, at &^ 0xfff, at &^ 0x1ff} {
			if s < text-5 || s > text+1 && s&0x1ff != 0 {
				continue
			}
			if _, _, err := readEnv(b.From(s)); err == nil {
				return s
			}
		}
		return -1
	}
	return -1
}

// envStart returns where the texts at the end of p begin, -1 when they may begin before.
// Two NUL in a row or a byte that is no text end the search.
func envStart(p []byte) int {
	for i := len(p) - 1; i >= 0; i-- {
		c := p[i]
		if c == 0 && i+1 < len(p) && p[i+1] == 0 || c != 0 && c < ' ' && c != '\n' && c != '\t' && c != '\r' || c >= 0x7f && c < 0xa0 || c == 0xff {
			return i + 1
		}
	}
	return -1
}

func openEnv(in *image.Input) (*image.Content, error) {
	flag, env, err := readEnv(in.Blob)
	if err != nil {
		return nil, err
	}
	c := &image.Content{Size: int64(len(env)), Attributes: map[string]string{}}
	head := 4
	if flag >= 0 {
		head = 5
		c.Attributes["flag"] = fmt.Sprintf("%#02x", flag)
	}
	for _, v := range strings.Split(string(env[head:envText(env[head:])+head]), "\x00") {
		if name, value, ok := strings.Cut(v, "="); ok {
			c.Attributes["env."+name] = value
		}
	}
	return c, nil
}

// envText returns where the texts end: at the second of two NUL, -1 when they do not or
// are no texts.
func envText(p []byte) int {
	end := bytes.Index(p, []byte{0, 0})
	if end < 0 || !envVariable(p[:end]) {
		return -1
	}
	return end
}

// envVariable reports whether p begins with a variable's name and =.
func envVariable(p []byte) bool {
	for i, c := range p[:min(len(p), 128)] {
		if c == '=' {
			return i > 0
		}
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return false
}

// readEnv reads an environment at the start of b: its flag, or -1, and all its bytes. The
// size is written nowhere, it is the one for which the checksum is right. Up to the end of
// the padding any multiple of 256 is tried, beyond it, where older texts may follow the
// last, the powers of two.
func readEnv(b *image.Blob) (flag int, env []byte, err error) {
	p, err := b.View(0, min(512, b.Size()))
	if err != nil || len(p) < 16 || !envVariable(p[4:]) && !envVariable(p[5:]) {
		return 0, nil, image.ErrNot
	}
	if p, err = b.View(0, min(envMost, b.Size())); err != nil {
		return 0, nil, image.ErrNot
	}
	for head := 4; head <= 5; head++ {
		end := envText(p[head:])
		if end < 0 {
			continue
		}
		text := head + end + 2
		pad := text
		for pad < len(p) && p[pad] == p[min(text, len(p)-1)] && (p[pad] == 0 || p[pad] == 0xff) {
			pad++
		}
		sum, at := crc32.Update(0, crc32.IEEETable, p[head:min(head+end, len(p))]), head+end
		for size := (text + envLeast - 1) &^ (envLeast - 1); size <= len(p); size += envLeast {
			if size > pad && size&(size-1) != 0 {
				continue
			}
			sum, at = crc32.Update(sum, crc32.IEEETable, p[at:size]), size
			if sum == binary.LittleEndian.Uint32(p) || sum == binary.BigEndian.Uint32(p) {
				if head == 5 {
					return int(p[4]), p[:size], nil
				}
				return -1, p[:size], nil
			}
		}
	}
	return 0, nil, image.ErrNot
}

// rebuildEnv writes the environment with other variables, in the same size and with the
// checksum that is then right.
func rebuildEnv(w io.Writer, in *image.Input, c *image.Changes) ([]string, error) {
	flag, env, err := readEnv(in.Blob)
	if err != nil {
		return nil, err
	}
	head := 4
	if flag >= 0 {
		head = 5
	}
	set := map[string]string{}
	for _, e := range c.Edits {
		for k, v := range e.Set {
			name, ok := strings.CutPrefix(k, "env.")
			if !ok || strings.ContainsAny(name+v, "\x00") || strings.Contains(name, "=") || name == "" {
				return nil, fmt.Errorf("%q: no variable that can be set: %w", k, image.ErrReadOnly)
			}
			set[name] = v
		}
	}
	var text bytes.Buffer
	put := func(name, value string) {
		if value != "" {
			text.WriteString(name + "=" + value + "\x00")
		}
	}
	for _, v := range strings.Split(string(env[head:head+envText(env[head:])]), "\x00") {
		name, value, _ := strings.Cut(v, "=")
		if now, ok := set[name]; ok {
			value = now
			delete(set, name)
		}
		put(name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		put(name, set[name])
	}
	text.WriteByte(0)
	if head+text.Len() > len(env) {
		return nil, fmt.Errorf("variables of %d bytes in an environment of %d: %w", text.Len(), len(env), image.ErrReadOnly)
	}
	out := bytes.Clone(env[:head])
	out = append(out, text.Bytes()...)
	fill := env[len(env)-1]
	if fill != 0xff {
		fill = 0
	}
	for len(out) < len(env) {
		out = append(out, fill)
	}
	sum := crc32.ChecksumIEEE(out[head:])
	if crc32.ChecksumIEEE(env[head:]) == binary.LittleEndian.Uint32(env) {
		binary.LittleEndian.PutUint32(out, sum)
	} else {
		binary.BigEndian.PutUint32(out, sum)
	}
	_, err = w.Write(out)
	return nil, err
}
