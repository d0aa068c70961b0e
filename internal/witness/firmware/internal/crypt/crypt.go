// Package crypt reads password hashes as devices store them, and tries passwords on them.
//
// [Read] tells the scheme of a stored field, how weak it is and what one trial costs;
// [Hash.Is] asks whether a password is the one. The traditional DES scheme, the MD5 ones and
// the Windows ones are its own; the rest are github.com/go-crypt/x.
//
// It guesses nothing by itself: which passwords are tried, and how many, is for the caller.
package crypt

import (
	"bytes"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"

	"github.com/go-crypt/x/bcrypt"
	"github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/scrypt"
	"github.com/go-crypt/x/yescrypt"
)

// Hash is a stored password, in a form to try passwords on.
type Hash struct {
	Scheme string // des, bsdi, md5, apr1, sunmd5, sha1, sha256, sha512, bcrypt, scrypt, yescrypt, gost-yescrypt, nt, lm, sha, ssha, digest, pbkdf2, salted-sha512, plain, unknown
	Weak   bool   // it falls to offline guessing: fast, unsalted or reversible
	Cost   int64  // of one trial, in trials of md5crypt; at least 1; 0 where no trial is possible

	is func(password string) bool
}

// Is reports whether the password is the stored one. It is false where Cost is 0.
func (h *Hash) Is(password string) bool { return h.is != nil && h.is(password) }

// Costs of schemes with a parameter are measured against one md5crypt (80 to 160 µs on the
// machines of 2026): they order what is tried, they promise no time.
const (
	costSHA256   = 8   // 5,000 rounds
	costSHA512   = 16  // 5,000 rounds
	costBcrypt   = 14  // 2^5 rounds
	costYescrypt = 300 // N=2^12, r=32
	costScrypt   = 600 // N=2^14, r=8
	costSunMD5   = 1000
	mostMemory   = 64 << 20 // of one trial; more is not tried
)

// Read tells what a stored field holds. Fields that no password opens (empty, *, !...)
// are the caller's; what looks like no known scheme is "unknown".
func Read(field string) Hash {
	for _, s := range []struct {
		prefix string
		read   func(field, rest string) (Hash, bool)
	}{
		{"$1$", readMD5}, {"$apr1$", readMD5}, {"$md5$", readSun}, {"$md5,", readSun}, {"$sha1$", readSHA1},
		{"$5$", readSHA}, {"$6$", readSHA}, {"$2$", readBcrypt}, {"$2a$", readBcrypt}, {"$2b$", readBcrypt},
		{"$2x$", readBcrypt}, {"$2y$", readBcrypt}, {"$7$", readScrypt}, {"$y$", readYescrypt}, {"$gy$", readGost},
		{"$3$", readNT}, {"_", readBSDi}, {"{SHA}", readDirectory}, {"{SSHA}", readDirectory},
		{"{PLAIN}", readPlain}, {"{CRYPT}", readCrypt},
	} {
		if rest, ok := strings.CutPrefix(field, s.prefix); ok {
			if h, ok := s.read(field, rest); ok {
				return h
			}
			return Hash{Scheme: "unknown"}
		}
	}
	if len(field) == 13 && strings.Trim(field, alphabet) == "" {
		return readDES(field)
	}
	return Hash{Scheme: "unknown"}
}

// Plain is a password kept as it is.
func Plain(password string) Hash {
	return Hash{Scheme: "plain", Weak: true, Cost: 1, is: func(p string) bool { return p == password }}
}

// Digest is an entry of htdigest: MD5 over name, realm and password.
func Digest(name, realm, sum string) Hash {
	return Hash{Scheme: "digest", Weak: true, Cost: 1, is: func(p string) bool {
		s := md5.Sum([]byte(name + ":" + realm + ":" + p))
		return hex.EncodeToString(s[:]) == strings.ToLower(sum)
	}}
}

// NT and LM are the hashes of Windows, 32 hexadecimal digits each.
func NT(sum string) Hash {
	return Hash{Scheme: "nt", Weak: true, Cost: 1, is: func(p string) bool { return ntHash(p) == strings.ToLower(sum) }}
}

// LM is the older of the two: upper case, 14 characters.
func LM(sum string) Hash {
	return Hash{Scheme: "lm", Weak: true, Cost: 1, is: func(p string) bool { return lmHash(p) == strings.ToLower(sum) }}
}

// Mosquitto reads the second field of a mosquitto password file: $6$ is one salted SHA-512,
// $7$ is PBKDF2, and neither is the crypt(3) scheme of that number.
func Mosquitto(field string) Hash {
	w := strings.Split(field, "$")
	if len(w) < 4 || w[0] != "" {
		return Hash{Scheme: "unknown"}
	}
	salt, err1 := base64.StdEncoding.DecodeString(w[len(w)-2])
	want, err2 := base64.StdEncoding.DecodeString(w[len(w)-1])
	if err1 != nil || err2 != nil || len(want) == 0 {
		return Hash{Scheme: "unknown"}
	}
	switch {
	case w[1] == "6" && len(w) == 4:
		return Hash{Scheme: "salted-sha512", Weak: true, Cost: 1, is: func(p string) bool {
			s := sha512.Sum512(append([]byte(p), salt...))
			return bytes.Equal(s[:], want)
		}}
	case w[1] == "7" && len(w) == 5:
		n, err := strconv.ParseUint(w[2], 10, 31)
		if err != nil || n == 0 || len(want) > 64 {
			return Hash{Scheme: "unknown"}
		}
		return Hash{Scheme: "pbkdf2", Weak: n < 10000, Cost: max(int64(n)/100, 1), is: func(p string) bool {
			k, err := pbkdf2.Key(sha512.New, p, salt, int(n), len(want))
			return err == nil && bytes.Equal(k, want)
		}}
	}
	return Hash{Scheme: "unknown"}
}

func readDES(field string) Hash {
	salt := value(field[0]) | value(field[1])<<6
	return Hash{Scheme: "des", Weak: true, Cost: 1, is: func(p string) bool { return desCrypt(p, salt) == field[2:] }}
}

func readBSDi(field, rest string) (Hash, bool) {
	if len(rest) != 19 || strings.Trim(rest, alphabet) != "" {
		return Hash{}, false
	}
	var count, salt uint32
	for i := range 4 {
		count |= value(rest[i]) << (6 * i)
		salt |= value(rest[4+i]) << (6 * i)
	}
	h := Hash{Scheme: "bsdi", Weak: true, Cost: max(int64(count)/100, 1)}
	h.is = func(p string) bool { return bsdiCrypt(p, salt, int(count)) == rest[8:] }
	return h, true
}

func readMD5(field, rest string) (Hash, bool) {
	salt, sum, ok := strings.Cut(rest, "$")
	if !ok || len(sum) != 22 || len(salt) > 8 {
		return Hash{}, false
	}
	h := Hash{Scheme: "md5", Weak: true, Cost: 1}
	magic := field[:len(field)-len(rest)]
	if magic == "$apr1$" {
		h.Scheme = "apr1"
	}
	h.is = func(p string) bool { return md5Crypt(p, salt, magic) == sum }
	return h, true
}

// readSun reads $md5$SALT$$SUM, $md5$SALT$SUM and $md5,rounds=N$SALT$$SUM.
func readSun(field, rest string) (Hash, bool) {
	rounds := uint64(0)
	if strings.HasPrefix(field, "$md5,") {
		n, tail, ok := strings.Cut(strings.TrimPrefix(rest, "rounds="), "$")
		v, err := strconv.ParseUint(n, 10, 31)
		if !ok || err != nil {
			return Hash{}, false
		}
		rounds, rest = v, tail
	}
	salt, sum, ok := strings.Cut(rest, "$")
	if !ok {
		return Hash{}, false
	}
	h := Hash{Scheme: "sunmd5", Weak: true}
	sum, doubled := strings.CutPrefix(sum, "$")
	if doubled { // the form without the second $ salts otherwise, and is recognised only
		h.Cost = costSunMD5 * (int64(rounds) + 4096) / 4096
		h.is = func(p string) bool {
			return string(crypt.KeyMD5CryptSun([]byte(p), []byte(salt), uint32(rounds))) == sum
		}
	}
	return h, true
}

// readSHA1 reads $sha1$ROUNDS$SALT$SUM.
func readSHA1(_, rest string) (Hash, bool) {
	w := strings.Split(rest, "$")
	if len(w) != 3 {
		return Hash{}, false
	}
	n, err := strconv.ParseUint(w[0], 10, 31)
	if err != nil {
		return Hash{}, false
	}
	return Hash{Scheme: "sha1", Weak: true, Cost: max(int64(n)/1000, 1), is: func(p string) bool {
		return string(crypt.KeySHA1Crypt([]byte(p), []byte(w[1]), uint32(n))) == w[2]
	}}, true
}

// readSHA reads $5$ and $6$, with or without rounds.
func readSHA(field, rest string) (Hash, bool) {
	rounds := int64(5000)
	if r, ok := strings.CutPrefix(rest, "rounds="); ok {
		n, tail, _ := strings.Cut(r, "$")
		v, err := strconv.ParseUint(n, 10, 40)
		if err != nil {
			return Hash{}, false
		}
		rounds, rest = min(max(int64(v), 1000), 999_999_999), tail
	}
	salt, sum, ok := strings.Cut(rest, "$")
	if !ok || len(salt) > 16 {
		return Hash{}, false
	}
	h, size, cost := Hash{Scheme: "sha512"}, 86, int64(costSHA512)
	make1 := func() hash.Hash { return sha512.New() }
	if field[1] == '5' {
		h.Scheme, size, cost = "sha256", 43, costSHA256
		make1 = sha256.New
	}
	if len(sum) != size {
		return Hash{}, false
	}
	h.Cost = max(cost*rounds/5000, 1)
	h.is = func(p string) bool {
		return string(crypt.KeySHACrypt(make1, []byte(p), []byte(salt), int(rounds))) == sum
	}
	return h, true
}

func readBcrypt(field, rest string) (Hash, bool) {
	if len(rest) != 56 || rest[2] != '$' {
		return Hash{}, false
	}
	n, err := strconv.Atoi(rest[:2])
	if err != nil || n < 4 || n > 31 {
		return Hash{}, false
	}
	// x is the form with the sign bug; for plain ASCII passwords all are the same.
	same := []byte("$2a$" + rest)
	return Hash{Scheme: "bcrypt", Cost: max(int64(costBcrypt)<<n>>5, 1), is: func(p string) bool {
		return bcrypt.CompareHashAndPassword(same, []byte(p)) == nil
	}}, true
}

// readScrypt reads $7$: one character of log2 N, five of r, five of p, salt, $, sum.
func readScrypt(_, rest string) (Hash, bool) {
	set, sum, ok := strings.Cut(rest, "$")
	if !ok || len(set) < 11 || len(sum) != 43 || strings.Trim(set[:11], alphabet) != "" {
		return Hash{}, false
	}
	var r, p uint32
	for i := range 5 {
		r |= value(set[1+i]) << (6 * i)
		p |= value(set[6+i]) << (6 * i)
	}
	h := Hash{Scheme: "scrypt"}
	log := value(set[0])
	if log < 1 || log > 20 || r < 1 || r > 64 || p < 1 || p > 64 || 128*uint64(r)<<log > mostMemory {
		return h, true
	}
	h.Cost = max(costScrypt*int64(p)*int64(r)<<log>>17, 1)
	h.is = func(password string) bool {
		k, err := scrypt.Key([]byte(password), []byte(set[11:]), 1<<log, int(r), int(p), 32)
		return err == nil && string(yescrypt.Encode64(k)) == sum
	}
	return h, true
}

func readYescrypt(field, rest string) (Hash, bool) {
	w := strings.Split(rest, "$")
	if len(w) != 3 || len(w[2]) != 43 {
		return Hash{}, false
	}
	h := Hash{Scheme: "yescrypt"}
	if len(w[0]) != 3 || w[0][0] != 'j' {
		return h, true // other flavours are recognised only
	}
	log, r := value(w[0][1])+1, value(w[0][2])+1
	if log < 10 || log > 18 || r > 32 || 128*uint64(r)<<log > mostMemory {
		return h, true
	}
	h.Cost = max(costYescrypt*int64(r)<<log>>17, 1)
	h.is = func(p string) bool {
		out, err := yescrypt.Hash([]byte(p), []byte(field))
		return err == nil && string(out) == field
	}
	return h, true
}

func readGost(_, rest string) (Hash, bool) {
	return Hash{Scheme: "gost-yescrypt"}, strings.Count(rest, "$") == 2
}

// readNT reads FreeBSD's $3$$SUM.
func readNT(_, rest string) (Hash, bool) {
	sum, ok := strings.CutPrefix(rest, "$")
	if !ok || !IsHex(sum, 32) {
		return Hash{}, false
	}
	return NT(sum), true
}

// readDirectory reads {SHA} and {SSHA} of RFC 2307: base64 of a SHA-1, and of its salt.
func readDirectory(field, rest string) (Hash, bool) {
	b, err := base64.StdEncoding.DecodeString(rest)
	if err != nil || len(b) < sha1.Size {
		return Hash{}, false
	}
	want, salt := b[:sha1.Size], b[sha1.Size:]
	h := Hash{Scheme: "ssha", Weak: true, Cost: 1}
	if strings.HasPrefix(field, "{SHA}") {
		if len(salt) > 0 {
			return Hash{}, false
		}
		h.Scheme = "sha"
	}
	h.is = func(p string) bool {
		s := sha1.Sum(append([]byte(p), salt...))
		return bytes.Equal(s[:], want)
	}
	return h, true
}

func readPlain(_, rest string) (Hash, bool) { return Plain(rest), true }

func readCrypt(_, rest string) (Hash, bool) {
	if strings.HasPrefix(rest, "{") {
		return Hash{}, false
	}
	h := Read(rest)
	return h, h.Scheme != "unknown"
}

// value is what a character of the alphabet of crypt(3) stands for.
func value(c byte) uint32 { return uint32(max(strings.IndexByte(alphabet, c), 0)) }

// IsHex reports whether s is n hexadecimal digits.
func IsHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
