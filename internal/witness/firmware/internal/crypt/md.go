package crypt

import (
	"crypto/des"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"strings"
	"unicode/utf16"
)

// md5Crypt is the scheme of FreeBSD ($1$) and of Apache ($apr1$), which differ by the
// magic alone.
func md5Crypt(password, salt, magic string) string {
	p, s := []byte(password), []byte(salt)
	inner := md5.Sum([]byte(password + salt + password))
	start := []byte(password + magic + salt)
	for n := len(p); n > 0; n -= 16 {
		start = append(start, inner[:min(n, 16)]...)
	}
	for n := len(p); n > 0; n >>= 1 {
		if n&1 != 0 {
			start = append(start, 0)
		} else {
			start = append(start, p[0])
		}
	}
	sum := md5.Sum(start)
	buf := make([]byte, 0, 2*len(p)+len(s)+16)
	for i := range 1000 {
		buf = buf[:0]
		if i&1 != 0 {
			buf = append(buf, p...)
		} else {
			buf = append(buf, sum[:]...)
		}
		if i%3 != 0 {
			buf = append(buf, s...)
		}
		if i%7 != 0 {
			buf = append(buf, p...)
		}
		if i&1 != 0 {
			buf = append(buf, sum[:]...)
		} else {
			buf = append(buf, p...)
		}
		sum = md5.Sum(buf)
	}
	out := make([]byte, 0, 22)
	put := func(v uint32, n int) {
		for range n {
			out = append(out, alphabet[v&63])
			v >>= 6
		}
	}
	for i := range 5 {
		last := i + 12
		if i == 4 {
			last = 5
		}
		put(uint32(sum[i])<<16|uint32(sum[i+6])<<8|uint32(sum[last]), 4)
	}
	put(uint32(sum[11]), 2)
	return string(out)
}

// ntHash is MD4 of the password in UTF-16, as Windows and Samba keep it.
func ntHash(password string) string {
	u := utf16.Encode([]rune(password))
	b := make([]byte, 0, 2*len(u))
	for _, c := range u {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	sum := md4(b)
	return hex.EncodeToString(sum[:])
}

// lmHash is the LAN Manager hash: two DES keys of seven upper-case characters each.
func lmHash(password string) string {
	p := make([]byte, 14)
	copy(p, strings.ToUpper(password))
	out := make([]byte, 16)
	for half := range 2 {
		var k uint64
		for i := range 7 {
			k = k<<8 | uint64(p[half*7+i])
		}
		key := make([]byte, 8)
		for i := range 8 {
			key[i] = byte(k>>(49-7*i)) & 0x7f << 1
		}
		c, err := des.NewCipher(key)
		if err != nil {
			return ""
		}
		c.Encrypt(out[half*8:], []byte("KGS!@#$%"))
	}
	return hex.EncodeToString(out)
}

// md4 is RFC 1320.
func md4(msg []byte) [16]byte {
	size := uint64(len(msg)) * 8
	p := append(append([]byte{}, msg...), 0x80)
	for len(p)%64 != 56 {
		p = append(p, 0)
	}
	p = binary.LittleEndian.AppendUint64(p, size)
	h := [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	orders := [3][16]uint8{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
		{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15},
	}
	turns := [3][4]int{{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}}
	for ; len(p) > 0; p = p[64:] {
		a, b, c, d := h[0], h[1], h[2], h[3]
		for round := range 3 {
			for i, x := range orders[round] {
				var f uint32
				switch round {
				case 0:
					f = b&c | ^b&d
				case 1:
					f = (b&c | b&d | c&d) + 0x5a827999
				default:
					f = (b ^ c ^ d) + 0x6ed9eba1
				}
				a = bits.RotateLeft32(a+f+binary.LittleEndian.Uint32(p[4*x:]), turns[round][i%4])
				a, b, c, d = d, a, b, c
			}
		}
		h[0], h[1], h[2], h[3] = h[0]+a, h[1]+b, h[2]+c, h[3]+d
	}
	var out [16]byte
	for i, v := range h {
		binary.LittleEndian.PutUint32(out[4*i:], v)
	}
	return out
}
