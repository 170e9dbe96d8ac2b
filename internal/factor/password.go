package factor

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/limenauth/limen/internal/secret"
)

// The algorithms for our own hashes.
const (
	Argon2id = "argon2id"
	Bcrypt   = "bcrypt"
)

// The lowest settings for our own hashes (OWASP Password Storage Cheat Sheet; ASVS 5.0
// appendix C). Argon2id trades memory for passes: one pass needs 46 MiB, two need
// 19 MiB, three or more need 12 MiB.
const (
	MinMemoryOnePassKiB    = 46 * 1024
	MinMemoryTwoPassesKiB  = 19 * 1024
	MinMemoryMorePassesKiB = 12 * 1024
	MinBcryptCost          = 10
)

const (
	saltBytes = 16
	tagBytes  = 32
	// bcryptLimit is where bcrypt stops reading.
	bcryptLimit = 72
	// bcryptMemory is Blowfish's state, 4 KiB and a bit.
	bcryptMemory = 8 << 10
)

// ErrHashUnreadable means that a stored hash begins like a form that limen knows and is
// damaged, or asks for more memory or time than limen gives.
var ErrHashUnreadable = errors.New("factor: unreadable password hash")

// Hashing is how new passwords are hashed. The zero value hashes nothing: Check and Hash
// refuse it.
type Hashing struct {
	Algorithm string // Argon2id or Bcrypt

	// For argon2id: kibibytes, passes, lanes. Threads must be 1.
	MemoryKiB, Time uint32
	Threads         uint8

	// Cost is for bcrypt: the logarithm of its rounds.
	Cost int

	testing bool // see TestHashing
}

// DefaultHashing returns argon2id with 19 MiB and two passes, the OWASP minimum.
func DefaultHashing() Hashing {
	return Hashing{Algorithm: Argon2id, MemoryKiB: MinMemoryTwoPassesKiB, Time: 2, Threads: 1}
}

// Check reports what is wrong with the settings in words for the operator; nil means
// that Hash will use them.
func (h Hashing) Check() error {
	if h.testing {
		return nil
	}
	switch h.Algorithm {
	case Argon2id:
		return h.checkArgon2id()
	case Bcrypt:
		if h.Cost < MinBcryptCost || h.Cost > maxBcryptCost {
			return fmt.Errorf("bcrypt cost is %d: use %d to %d", h.Cost, MinBcryptCost, maxBcryptCost)
		}
		return nil
	}
	return fmt.Errorf("password algorithm is %q: use %q or %q", h.Algorithm, Argon2id, Bcrypt)
}

func (h Hashing) checkArgon2id() error {
	if h.Threads != 1 {
		return fmt.Errorf("argon2id threads is %d: use 1, because the hashing queue gives each hash one core", h.Threads)
	}
	var floor uint32
	switch {
	case h.Time == 0:
		return errors.New("argon2id time is 0: use at least 1, and 2 with less than 46 MiB")
	case h.Time == 1:
		floor = MinMemoryOnePassKiB
	case h.Time == 2:
		floor = MinMemoryTwoPassesKiB
	default:
		floor = MinMemoryMorePassesKiB
	}
	if h.MemoryKiB < floor {
		return fmt.Errorf("argon2id memory is %d KiB: with time %d use at least %d", h.MemoryKiB, h.Time, floor)
	}
	if err := h.argon().bounded(); err != nil {
		return fmt.Errorf("argon2id memory %d KiB with time %d is more than limen would verify: %w", h.MemoryKiB, h.Time, err)
	}
	return nil
}

func (h Hashing) argon() argonCost {
	return argonCost{memory: h.MemoryKiB, time: h.Time, threads: h.Threads}
}

// Hash returns the stored form of password. It fails only for settings that Check
// refuses. It costs what the settings say: call it in the hashing queue.
func (h Hashing) Hash(password string) (string, error) {
	if err := h.Check(); err != nil {
		return "", err
	}
	text := norm.NFC.String(password)
	if h.Algorithm == Bcrypt {
		return h.hashBcrypt(text)
	}
	salt := secret.Bytes(saltBytes)
	tag := h.argon().tag([]byte(text), salt, tagBytes)
	return argonHash{cost: h.argon(), salt: salt, tag: tag}.String(), nil
}

func (h Hashing) hashBcrypt(text string) (string, error) {
	how, key := bcryptNFC, []byte(text)
	if !bcryptReads(text) {
		how, key = bcryptHMAC, prehash(text)
	}
	made, err := bcrypt.GenerateFromPassword(key, h.Cost)
	if err != nil {
		return "", fmt.Errorf("bcrypt: %w", err)
	}
	return how + string(made), nil
}

// Dummy returns a hash that costs as much as one of ours and that no password fits: it
// is what a password is verified against where there is no account. For settings that
// Check refuses it returns "".
func (h Hashing) Dummy() string {
	switch {
	case h.Check() != nil:
		return ""
	case h.Algorithm == Bcrypt:
		return fmt.Sprintf("%s$2a$%02d$%s", bcryptNFC, h.Cost, bcryptDigits(secret.Bytes(saltBytes), secret.Bytes(bcryptTagBytes)))
	}
	return argonHash{cost: h.argon(), salt: secret.Bytes(saltBytes), tag: secret.Bytes(tagBytes)}.String()
}

// Current reports whether hash is what Hash would make today. If not, it is replaced the
// next time its password is proven. A hash above today's settings is not current either:
// as long as all hashes cost the same, time tells nobody which accounts are old.
func (h Hashing) Current(hash string) bool {
	made, ours, err := describe(hash)
	made.testing = h.testing
	return err == nil && ours && h.Check() == nil && made == h
}

// Memory returns how many bytes one hash of these settings needs while it runs.
func (h Hashing) Memory() int64 {
	if h.Algorithm == Bcrypt {
		return bcryptMemory
	}
	return int64(h.MemoryKiB) << 10
}

// Verify reports whether password fits hash. A form that limen does not know, the empty
// one included, fits nothing and costs nothing; a known form that is damaged or too
// costly fails with ErrHashUnreadable, which the caller logs and answers as a wrong
// password. It costs what the hash says: call it in the hashing queue.
func Verify(hash, password string) (ok bool, err error) {
	form, err := parse(hash)
	if err != nil {
		if errors.Is(err, errUnknownForm) {
			return false, nil
		}
		return false, err
	}
	return form.fits(password), nil
}

// Verify is the function Verify, except that a hash which cannot be read costs as much as
// one of ours. Where time must not tell whether there is an account, or a password on it,
// this is the one to call, with "" for nobody.
func (h Hashing) Verify(hash, password string) (ok bool, err error) {
	form, err := parse(hash)
	if err == nil {
		return form.fits(password), nil
	}
	if _, dummyErr := Verify(h.Dummy(), password); dummyErr != nil {
		return false, dummyErr
	}
	if errors.Is(err, errUnknownForm) {
		return false, nil
	}
	return false, err
}

// fits judges with the cost of the hash, whatever the password.
func (f storedForm) fits(password string) bool {
	if f.argon != nil {
		text := password
		if !f.raw {
			text = norm.NFC.String(password)
		}
		tag := f.argon.cost.tag([]byte(text), f.argon.salt, uint32(len(f.argon.tag)))
		return subtle.ConstantTimeCompare(tag, f.argon.tag) == 1
	}
	text := password
	if f.how != bcryptRaw {
		text = norm.NFC.String(password)
	}
	key, possible := []byte(text), true
	switch {
	case f.how == bcryptHMAC:
		key = prehash(text)
	case !bcryptReads(text): // refused, and the work is done all the same
		key, possible = prehash(text), false
	}
	return bcrypt.CompareHashAndPassword([]byte(f.bcrypt), key) == nil && possible
}

// bcryptReads reports whether bcrypt takes in the whole text and mistakes it for no
// other: it stops after 72 bytes, and repeats its input with a zero byte between the
// copies, so that a text with a zero byte of its own could equal another one.
func bcryptReads(text string) bool {
	return len(text) <= bcryptLimit && strings.IndexByte(text, 0) < 0
}

func (c argonCost) tag(text, salt []byte, size uint32) []byte {
	return argon2.IDKey(text, salt, c.time, c.memory, c.threads, size)
}
