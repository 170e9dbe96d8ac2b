package factor

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What Verify is willing to spend on a hash that somebody else may have written. One
// GiB-pass is about half a second of one core.
const (
	maxArgonMemoryKiB = 256 << 10
	maxArgonTime      = 16
	maxArgonThreads   = 8
	maxArgonWorkKiB   = 1 << 20 // memory times passes
	minBcryptCost     = 4       // bcrypt's own minimum
	maxBcryptCost     = 14      // 0.8 s of one core; each step doubles it

	minForeignSalt, maxForeignSalt = 8, 64
	minForeignTag, maxForeignTag   = 16, 64
)

const (
	argonPrefix = "$argon2id$"
	rawMark     = "$limen-raw" // stands before "$argon2id$" of an imported hash

	bcryptMark = "$limen-bcrypt$"
	bcryptNFC  = bcryptMark + "h=nfc"
	bcryptHMAC = bcryptMark + "h=hmac-sha384"
	bcryptRaw  = ""

	bcryptLength   = 60
	bcryptTagBytes = 23
)

// prehashDomain keys the inner hash of long bcrypt passwords. It is no secret; it keeps
// our inner hashes apart from everybody else's. It can never change.
const prehashDomain = "limen password for bcrypt, version 1"

var errUnknownForm = errors.New("factor: a form of password hash that limen does not know")

// storedForm is a hash that has been read: argon2id, or else bcrypt.
type storedForm struct {
	argon *argonHash
	raw   bool // argon2id over the bytes as received

	how    string // bcryptRaw, bcryptNFC or bcryptHMAC
	bcrypt string
}

type argonCost struct {
	memory, time uint32
	threads      uint8
}

type argonHash struct {
	cost      argonCost
	salt, tag []byte
}

// String writes the PHC string format: the one canonical form.
func (a argonHash) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("%sv=19$m=%d,t=%d,p=%d$%s$%s", argonPrefix, a.cost.memory, a.cost.time, a.cost.threads, b64(a.salt), b64(a.tag))
}

func (c argonCost) bounded() error {
	switch {
	case c.time < 1 || c.threads < 1 || c.memory < 8*uint32(c.threads): // RFC 9106 section 3.1
		return errors.New("settings that argon2id does not have")
	case c.memory > maxArgonMemoryKiB:
		return fmt.Errorf("memory is limited to %d KiB", maxArgonMemoryKiB)
	case c.time > maxArgonTime:
		return fmt.Errorf("time is limited to %d", maxArgonTime)
	case c.threads > maxArgonThreads:
		return fmt.Errorf("threads are limited to %d", maxArgonThreads)
	case uint64(c.memory)*uint64(c.time) > maxArgonWorkKiB:
		return fmt.Errorf("memory times time is limited to %d KiB", maxArgonWorkKiB)
	}
	return nil
}

// parse reads every form that Verify accepts. It fails with errUnknownForm or with
// ErrHashUnreadable, and never asks for memory before the bounds are checked.
func parse(hash string) (storedForm, error) {
	raw := false
	if rest, marked := strings.CutPrefix(hash, rawMark); marked && strings.HasPrefix(rest, argonPrefix) {
		hash, raw = rest, true
	}
	switch {
	case strings.HasPrefix(hash, argonPrefix):
		a, err := parseArgon(hash)
		if err != nil {
			return storedForm{}, fmt.Errorf("%w: argon2id: %w", ErrHashUnreadable, err)
		}
		return storedForm{argon: &a, raw: raw}, nil
	case strings.HasPrefix(hash, bcryptMark), isBcrypt(hash):
		form, err := parseBcrypt(hash)
		if err != nil {
			return storedForm{}, fmt.Errorf("%w: bcrypt: %w", ErrHashUnreadable, err)
		}
		return form, nil
	}
	return storedForm{}, errUnknownForm
}

func parseArgon(hash string) (a argonHash, err error) {
	parts := strings.Split(strings.TrimPrefix(hash, argonPrefix), "$")
	if len(parts) != 4 || parts[0] != "v=19" {
		return a, errors.New("not the form v=19$m=,t=,p=$salt$hash")
	}
	if a.cost, err = parseArgonCost(parts[1]); err != nil {
		return a, err
	}
	if a.salt, err = parseBase64(parts[2], minForeignSalt, maxForeignSalt); err != nil {
		return a, err
	}
	if a.tag, err = parseBase64(parts[3], minForeignTag, maxForeignTag); err != nil {
		return a, err
	}
	return a, nil
}

func parseArgonCost(text string) (c argonCost, err error) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return c, errors.New("not the settings m=,t=,p=")
	}
	var values [3]uint32
	for i, name := range []string{"m=", "t=", "p="} {
		digits, named := strings.CutPrefix(fields[i], name)
		v, err := strconv.ParseUint(digits, 10, 32)
		// One number, one spelling: no sign, no leading zero.
		if !named || err != nil || strconv.FormatUint(v, 10) != digits {
			return c, errors.New("not the settings m=,t=,p=")
		}
		values[i] = uint32(v)
	}
	if values[2] > maxArgonThreads {
		return c, fmt.Errorf("threads are limited to %d", maxArgonThreads)
	}
	c = argonCost{memory: values[0], time: values[1], threads: uint8(values[2])}
	return c, c.bounded()
}

func parseBase64(text string, least, most int) ([]byte, error) {
	if len(text) > base64.RawStdEncoding.EncodedLen(most) {
		return nil, errors.New("salt or hash is too long")
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	// The decoder skips line breaks, even the strict one.
	if err != nil || base64.RawStdEncoding.EncodeToString(b) != text {
		return nil, errors.New("salt or hash is not unpadded base64")
	}
	if len(b) < least {
		return nil, errors.New("salt or hash is too short")
	}
	return b, nil
}

// isBcrypt reports whether hash begins like a bcrypt hash that others write. $2x$ marks
// hashes of a broken version (CVE-2011-2483) and is not read.
func isBcrypt(hash string) bool {
	return strings.HasPrefix(hash, "$2a$") || strings.HasPrefix(hash, "$2b$") || strings.HasPrefix(hash, "$2y$")
}

func parseBcrypt(hash string) (storedForm, error) {
	form := storedForm{how: bcryptRaw, bcrypt: hash}
	for _, how := range []string{bcryptNFC, bcryptHMAC} {
		if rest, marked := strings.CutPrefix(hash, how); marked {
			form = storedForm{how: how, bcrypt: rest}
		}
	}
	if !isBcrypt(form.bcrypt) || len(form.bcrypt) != bcryptLength || form.bcrypt[6] != '$' {
		return storedForm{}, errors.New("not the form $2b$cost$ and 53 characters")
	}
	cost, ok := bcryptCost(form.bcrypt)
	if !ok || cost < minBcryptCost || cost > maxBcryptCost {
		return storedForm{}, fmt.Errorf("the cost must be %d to %d", minBcryptCost, maxBcryptCost)
	}
	if strings.Trim(form.bcrypt[7:], bcryptAlphabet) != "" {
		return storedForm{}, errors.New("salt or hash is not bcrypt's base64")
	}
	return form, nil
}

func bcryptCost(hash string) (cost int, ok bool) {
	tens, ones := hash[4]-'0', hash[5]-'0'
	return int(tens)*10 + int(ones), tens <= 9 && ones <= 9
}

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// bcryptDigits writes salt and tag as bcrypt does: base64 with an alphabet of its own.
func bcryptDigits(salt, tag []byte) string {
	e := base64.NewEncoding(bcryptAlphabet).WithPadding(base64.NoPadding)
	return e.EncodeToString(salt) + e.EncodeToString(tag)
}

// prehash makes 64 bytes without a zero byte of any text (OWASP Password Storage Cheat
// Sheet, "Pre-Hashing Passwords with bcrypt").
func prehash(text string) []byte {
	m := hmac.New(sha512.New384, []byte(prehashDomain))
	m.Write([]byte(text))
	return []byte(base64.StdEncoding.EncodeToString(m.Sum(nil)))
}

// describe returns the settings of a hash, and whether limen itself made it.
func describe(hash string) (h Hashing, ours bool, err error) {
	form, err := parse(hash)
	if err != nil {
		return Hashing{}, false, err
	}
	if a := form.argon; a != nil {
		h = Hashing{Algorithm: Argon2id, MemoryKiB: a.cost.memory, Time: a.cost.time, Threads: a.cost.threads}
		return h, !form.raw && len(a.salt) == saltBytes && len(a.tag) == tagBytes, nil
	}
	cost, _ := bcryptCost(form.bcrypt)
	return Hashing{Algorithm: Bcrypt, Cost: cost}, form.how != bcryptRaw, nil
}
