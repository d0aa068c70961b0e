package crypt

import "math/bits"

// The tables of FIPS 46-3, in its own numbering: bit 1 is the leftmost.
var (
	choice1 = [56]uint8{
		57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18,
		10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
		63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22,
		14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
	}
	choice2 = [48]uint8{
		14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10,
		23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
		41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48,
		44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
	}
	permutation = [32]uint8{
		16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
		2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
	}
	final = [64]uint8{
		40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31,
		38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
		36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27,
		34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
	}
	boxes = [8]string{ // 64 hexadecimal digits each, four rows of 16
		"e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d",
		"f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9",
		"a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c",
		"7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e",
		"2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453",
		"c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d",
		"4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c",
		"d2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b",
	}
	shifts = [16]uint8{1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1}
)

// substitution joins each box with the permutation that follows it.
var substitution = makeSubstitution()

func makeSubstitution() *[8][64]uint32 {
	var t [8][64]uint32
	for i, box := range boxes {
		for in := range 64 {
			row, column := in>>4&2|in&1, in>>1&15
			out := uint32(digit(box[row*16+column])) << (28 - 4*i)
			for j, from := range permutation {
				t[i][in] |= out >> (32 - from) & 1 << (31 - j)
			}
		}
	}
	return &t
}

func digit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// schedule is the sixteen round keys, each as two halves of 24 bits.
type schedule [16][2]uint32

func newSchedule(key uint64) *schedule {
	var cd uint64
	for _, from := range choice1 {
		cd = cd<<1 | key>>(64-from)&1
	}
	c, d := uint32(cd>>28), uint32(cd&(1<<28-1))
	var s schedule
	for i, n := range shifts {
		c, d = (c<<n|c>>(28-n))&(1<<28-1), (d<<n|d>>(28-n))&(1<<28-1)
		both := uint64(c)<<28 | uint64(d)
		for j, from := range choice2 {
			s[i][j/24] = s[i][j/24]<<1 | uint32(both>>(56-from)&1)
		}
	}
	return &s
}

// encrypt runs DES count times over a block whose initial permutation is done already,
// with the expansion changed by the salt, and does the final permutation.
func (s *schedule) encrypt(block uint64, salt uint32, count int) uint64 {
	// Bit i of the salt exchanges bits i and i+24 of the expansion, counted from the left.
	mask := bits.Reverse32(salt) >> 8
	l, r := uint32(block>>32), uint32(block)
	t := substitution
	for range count {
		for i := range s {
			k := &s[i]
			u := bits.RotateLeft32(r, -1)
			hi := u>>26<<18 | bits.RotateLeft32(u, 4)>>26<<12 | bits.RotateLeft32(u, 8)>>26<<6 | bits.RotateLeft32(u, 12)>>26
			lo := bits.RotateLeft32(u, 16)>>26<<18 | bits.RotateLeft32(u, 20)>>26<<12 | bits.RotateLeft32(u, 24)>>26<<6 | bits.RotateLeft32(u, 28)>>26
			x := (hi ^ lo) & mask
			hi, lo = hi^x^k[0], lo^x^k[1]
			l, r = r, l^t[0][hi>>18&63]^t[1][hi>>12&63]^t[2][hi>>6&63]^t[3][hi&63]^
				t[4][lo>>18&63]^t[5][lo>>12&63]^t[6][lo>>6&63]^t[7][lo&63]
		}
		l, r = r, l
	}
	out, in := uint64(0), uint64(l)<<32|uint64(r)
	for _, from := range final {
		out = out<<1 | in>>(64-from)&1
	}
	return out
}

// initial is the permutation that final undoes.
func initial(block uint64) uint64 {
	var out uint64
	for j, from := range final {
		out |= block >> (63 - j) & 1 << (64 - from)
	}
	return out
}

// desKey packs up to eight characters, seven bits each, as crypt(3) does.
func desKey(password string) uint64 {
	var k uint64
	for i := range 8 {
		k <<= 8
		if i < len(password) {
			k |= uint64(password[i]) << 1 & 0xff
		}
	}
	return k
}

// desCrypt is the traditional crypt(3): 11 characters for a salt of 12 bits.
func desCrypt(password string, salt uint32) string {
	return encodeBlock(newSchedule(desKey(password)).encrypt(0, salt, 25))
}

// bsdiCrypt is the extended crypt(3) of BSDi: long passwords, a salt of 24 bits, a count.
func bsdiCrypt(password string, salt uint32, count int) string {
	k := desKey(password)
	for len(password) > 8 {
		password = password[8:]
		k = newSchedule(k).encrypt(initial(k), 0, 1) ^ desKey(password)
	}
	return encodeBlock(newSchedule(k).encrypt(0, salt, count))
}

const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func encodeBlock(b uint64) string {
	out := make([]byte, 11)
	for i := range 10 {
		out[i] = alphabet[b>>(58-6*i)&63]
	}
	out[10] = alphabet[b<<2&63]
	return string(out)
}
