package factor_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/factor"
)

func verify(t *testing.T, hash, password string) bool {
	t.Helper()
	ok, err := factor.Verify(hash, password)
	if err != nil {
		t.Fatalf("Verify(%q): %v", hash, err)
	}
	return ok
}

// The vectors of the reference implementation (P-H-C/phc-winner-argon2, src/test.c,
// "Argon2id version number: 13"). RFC 9106's own need a secret and associated data, which
// a password hash has not.
func TestArgon2idReferenceVectors(t *testing.T) {
	for _, v := range []struct{ password, hash string }{
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
		{"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
	} {
		if !verify(t, v.hash, v.password) {
			t.Errorf("%s does not fit %s", v.password, v.hash)
		}
		if verify(t, v.hash, v.password+"x") {
			t.Errorf("another password fits %s", v.hash)
		}
	}
}

// The vectors of Openwall's crypt_blowfish 1.3 (wrapper.c), except those for its own
// workarounds and $2x$. The last two show which bytes bcrypt reads.
func TestBcryptReferenceVectors(t *testing.T) {
	for _, v := range []struct{ password, hash string }{
		{"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"},
		{"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
		{"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"},
		{"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"},
		{"\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"},
		{"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"},
	} {
		if !verify(t, v.hash, v.password) {
			t.Errorf("%q does not fit %s", v.password, v.hash)
		}
	}
}

// crypt_blowfish says of the last vector: "chars after 72 are ignored". limen does not
// ignore them: what an imported hash cannot tell apart does not fit.
func TestImportedBcryptRefusesWhatItDoesNotRead(t *testing.T) {
	const hash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"
	const first72 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if verify(t, hash, first72+"chars after 72 are ignored") || verify(t, hash, first72+"x") {
		t.Error("a password longer than 72 bytes fits a bcrypt hash of its first 72")
	}
	// "a" and "a\x00a" are the same key to bcrypt.
	made, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if verify(t, string(made), "secret\x00secret") {
		t.Error("a password with a zero byte fits the hash of another one")
	}
}

// What earlier versions of limen have stored must fit for ever.
func TestStoredFormsAreFrozen(t *testing.T) {
	long := strings.Repeat("thirty-six characters of passphrase. ", 3)
	for hash, password := range map[string]string{
		"$argon2id$v=19$m=19456,t=2,p=1$0JfeTtiMSaZu2fC0mUftag$hthPWor71aAq5c+EQel7lnhVbnxneQ0yhD+wXQRhsDQ": "correct horse bätterie",
		"$argon2id$v=19$m=19456,t=2,p=1$QXANRrCgxGXXFFT/hklRzg$zcvX/rmkVhkgGOFrFFd9+BC70NY6+8Rwyvfc7Xu+2rs": long,
		"$limen-bcrypt$h=nfc$2a$10$nk4IbYl6wFxd8365rFLRre0SlZXMMKo.BPzmR9veVjQk70vzW/REO":                   "correct horse bätterie",
		"$limen-bcrypt$h=hmac-sha384$2a$10$aXvhS//vo8AwQ2DshA1tF.lYwYglarjGiCJ/V9a1fYnQQQbdWmr7e":           long,
	} {
		if !verify(t, hash, password) {
			t.Errorf("%s no longer fits its password", hash)
		}
		if !verify(t, hash, norm.NFD.String(password)) {
			t.Errorf("%s does not fit its password typed in NFD", hash)
		}
		if verify(t, hash, password[:len(password)-1]) || verify(t, hash, strings.ToUpper(password)) || verify(t, hash, password+" ") {
			t.Errorf("%s fits another password", hash)
		}
	}
}

func TestHashIsVerifiedAndCurrent(t *testing.T) {
	passwords := []string{"correct horse", strings.Repeat("é", 36), strings.Repeat("é", 37), strings.Repeat("0123456789", 50), "zero\x00byte", "e\u0301te\u0301 2026"}
	for _, h := range []factor.Hashing{factor.DefaultHashing(), {Algorithm: factor.Bcrypt, Cost: 10}} {
		for _, password := range passwords {
			hash, err := h.Hash(password)
			if err != nil {
				t.Fatal(err)
			}
			again, err := h.Hash(password)
			if err != nil {
				t.Fatal(err)
			}
			if hash == again {
				t.Errorf("%s: no salt", hash)
			}
			if !verify(t, hash, norm.NFC.String(password)) {
				t.Errorf("%s: %q does not fit in NFC", hash, password)
			}
			if !verify(t, hash, password) || verify(t, hash, password+"x") || verify(t, hash, password[1:]) {
				t.Errorf("%s: %q is not judged right", hash, password)
			}
			if !h.Current(hash) {
				t.Errorf("%s: not current", hash)
			}
		}
	}
}

// A long bcrypt password of ours is the documented construction, and no byte of it is
// without weight.
func TestLongBcryptPasswordIsPrehashed(t *testing.T) {
	password := strings.Repeat("x", 73)
	hash, err := factor.Hashing{Algorithm: factor.Bcrypt, Cost: 10}.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	inner, marked := strings.CutPrefix(hash, "$limen-bcrypt$h=hmac-sha384")
	if !marked {
		t.Fatalf("%s is not marked", hash)
	}
	m := hmac.New(sha512.New384, []byte("limen password for bcrypt, version 1"))
	m.Write([]byte(password))
	key := base64.StdEncoding.EncodeToString(m.Sum(nil))
	if err := bcrypt.CompareHashAndPassword([]byte(inner), []byte(key)); err != nil {
		t.Errorf("not bcrypt(base64(HMAC-SHA-384)): %v", err)
	}
	if verify(t, hash, password[:72]) || verify(t, hash, password+"x") {
		t.Error("a truncated password fits")
	}
	if verify(t, hash, key) {
		t.Error("the inner hash is accepted as the password (pass-the-hash)")
	}
	short, err := factor.Hashing{Algorithm: factor.Bcrypt, Cost: 10}.Hash(key)
	if err != nil {
		t.Fatal(err)
	}
	if verify(t, short, password) {
		t.Error("a long password fits the hash of its inner hash")
	}
}

func TestCheckHoldsTheFloor(t *testing.T) {
	argon := func(m, t uint32, p uint8) factor.Hashing {
		return factor.Hashing{Algorithm: factor.Argon2id, MemoryKiB: m, Time: t, Threads: p}
	}
	for _, c := range []struct {
		h  factor.Hashing
		ok bool
	}{
		{factor.Hashing{}, false},
		{factor.Hashing{Algorithm: "md5"}, false},
		{factor.DefaultHashing(), true},
		{factor.Hashing{Algorithm: factor.Bcrypt, Cost: 12}, true},
		{argon(19456, 2, 1), true}, {argon(19455, 2, 1), false},
		{argon(47104, 1, 1), true}, {argon(47103, 1, 1), false},
		{argon(12288, 3, 1), true}, {argon(12287, 3, 1), false},
		{argon(12288, 4, 1), true}, {argon(19456, 0, 1), false},
		{argon(19456, 2, 0), false}, {argon(19456, 2, 2), false},
		{argon(1<<18, 4, 1), true}, {argon(1<<18, 5, 1), false}, {argon(1<<18+1, 1, 1), false}, {argon(19456, 17, 1), false},
		{factor.Hashing{Algorithm: factor.Bcrypt, Cost: 9}, false},
		{factor.Hashing{Algorithm: factor.Bcrypt, Cost: 10}, true},
		{factor.Hashing{Algorithm: factor.Bcrypt, Cost: 15}, false},
	} {
		err := c.h.Check()
		if (err == nil) != c.ok {
			t.Errorf("%+v: Check says %v", c.h, err)
		}
		if c.ok {
			continue
		}
		if hash, err := c.h.Hash("correct horse"); err == nil || hash != "" {
			t.Errorf("%+v hashed all the same", c.h)
		}
		if c.h.Dummy() != "" || c.h.Current("") {
			t.Errorf("%+v has a dummy or a current hash", c.h)
		}
	}
}

func TestCurrent(t *testing.T) {
	h := factor.DefaultHashing()
	mine, err := h.Hash("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	stronger := h
	stronger.Time++
	for hash, want := range map[string]bool{
		mine:                 true,
		factor.Foreign(mine): false, // its bytes may not have been NFC
		"":                   false,
		"$2b$10$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui":                                      false,
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$hthPWor71aAq5c+EQel7lnhVbnxneQ0yhD+wXQRhsDQ":            false, // 8 bytes of salt
		"$argon2id$v=19$m=19456,t=2,p=1$0JfeTtiMSaZu2fC0mUftag$hthPWor71aAq5c+EQel7lg":                      false, // 16 bytes of tag
		"$argon2id$v=19$m=19457,t=2,p=1$0JfeTtiMSaZu2fC0mUftag$hthPWor71aAq5c+EQel7lnhVbnxneQ0yhD+wXQRhsDQ": false,
	} {
		if h.Current(hash) != want {
			t.Errorf("Current(%q) is not %v", hash, want)
		}
	}
	if stronger.Current(mine) {
		t.Error("a hash of lower cost is current")
	}
	if !h.Current(h.Dummy()) {
		t.Error("a dummy does not look like ours")
	}
}

func TestUnknownAndDamagedHashes(t *testing.T) {
	unknown := []string{"", "x", "$", "$1$salt$hash", "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "$argon2d$v=19$", "$limen-raw$2a$10$", "correct horse"}
	for _, hash := range unknown {
		if ok, err := factor.Verify(hash, hash); ok || err != nil {
			t.Errorf("Verify(%q) = %v, %v", hash, ok, err)
		}
		if _, ok := factor.Describe(hash); ok {
			t.Errorf("Describe(%q) is not refused", hash)
		}
	}
	const salt, tag = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	damaged := []string{
		"$argon2id$", "$argon2id$v=19", "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$m=256,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + tag + "$", "$argon2id$v=19$m=256,t=2,p=1$" + salt,
		"$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=256,t=2$" + salt + "$" + tag,
		"$argon2id$v=19$m=256,t=2,p=1,data=eA$" + salt + "$" + tag,
		"$argon2id$v=19$m=0256,t=2,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=+256,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=4294967552,t=2,p=1$" + salt + "$" + tag, // 2^32 + 256
		"$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + tag,
		"$argon2id$v=19$m=256,t=2,p=257$" + salt + "$" + tag, "$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "=$" + tag, "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHR$" + tag, // stray bits
		"$argon2id$v=19$m=256,t=2,p=1$c29t\nZXNhbHQ$" + tag, "$argon2id$v=19$m=256,t=2,p=1$c29t$" + tag,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$nf65EOgL", "$argon2id$v=19$m=256,t=2,p=1$$",
		// What would exhaust the machine.
		"$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=262145,t=1,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=256,t=4294967295,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=256,t=17,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=262144,t=5,p=1$" + salt + "$" + tag, "$argon2id$v=19$m=256,t=1,p=9$" + salt + "$" + tag,
		"$argon2id$v=19$m=256,t=1,p=1$" + salt + "$" + strings.Repeat("A", 1<<20),
		"$2b$15$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", "$2b$31$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
		// Forms that are not quite bcrypt.
		"$2b$", "$2b$10$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBu", "$2b$10$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBuix",
		"$2b$+5$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui", "$2b$03$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
		"$2b$10$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBu=", "$2b$10$abcdefghijklmnopqrstuu5s2v8.iXieOjg/+AySBTTZIIVFJeBui",
		"$limen-bcrypt$", "$limen-bcrypt$2a$10$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
		"$limen-bcrypt$h=md5$2a$10$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
		"$limen-raw$argon2id$", "$limen-raw$argon2id$v=19$m=256,t=4294967295,p=1$" + salt + "$" + tag,
	}
	for _, hash := range damaged {
		if ok, err := factor.Verify(hash, "password"); ok || !errors.Is(err, factor.ErrHashUnreadable) {
			t.Errorf("Verify(%.100q) = %v, %v", hash, ok, err)
		}
		if _, ok := factor.Describe(hash); ok {
			t.Errorf("Describe(%.100q) is not refused", hash)
		}
	}
}

func TestDummyFitsNothingAndCostsAsMuch(t *testing.T) {
	for _, h := range []factor.Hashing{factor.DefaultHashing(), {Algorithm: factor.Bcrypt, Cost: 10}} {
		dummy := h.Dummy()
		if dummy == h.Dummy() {
			t.Error("dummies repeat")
		}
		if verify(t, dummy, "") || verify(t, dummy, "password") || verify(t, dummy, dummy) {
			t.Errorf("something fits %s", dummy)
		}
		if made, ok := factor.Describe(dummy); !ok || made != h {
			t.Errorf("%s costs %+v, not %+v", dummy, made, h)
		}
	}
}

// No account, no password, a damaged hash, an old form and a password that is too long
// for bcrypt must all take as long as a wrong password (ASVS 6.3.8).
func TestVerifyEvenly(t *testing.T) {
	for _, h := range []factor.Hashing{factor.DefaultHashing(), {Algorithm: factor.Bcrypt, Cost: 10}} {
		mine, err := h.Hash("correct horse")
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := h.Verify(mine, "correct horse"); !ok || err != nil {
			t.Fatalf("Verify = %v, %v", ok, err)
		}
		long := strings.Repeat("x", 100)
		full := fastest(func() { h.Verify(mine, "wrong horse") })
		for name, run := range map[string]func() (bool, error){
			"nobody":  func() (bool, error) { return h.Verify("", "correct horse") },
			"unknown": func() (bool, error) { return h.Verify("$1$x", "correct horse") },
			"damaged": func() (bool, error) { return h.Verify("$2a$99$", "correct horse") },
			"long":    func() (bool, error) { return h.Verify(mine, long) },
		} {
			if ok, err := run(); ok || (err != nil) != (name == "damaged") {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
			// A busy machine disturbs both; the fastest of enough rounds says what they cost.
			took := fastest(func() { run() })
			for range 20 {
				if full/3 <= took && took <= full*3 {
					break
				}
				full = min(full, fastest(func() { h.Verify(mine, "wrong horse") }))
				took = min(took, fastest(func() { run() }))
			}
			if took < full/3 || took > full*3 {
				t.Errorf("%s %s: took %v, a wrong password takes %v", h.Algorithm, name, took, full)
			}
		}
	}
}

// fastest returns the least of a few runs, which a busy machine disturbs least.
func fastest(run func()) time.Duration {
	best := time.Hour
	for range 4 {
		start := time.Now()
		run()
		best = min(best, time.Since(start))
	}
	return best
}

func TestMemory(t *testing.T) {
	if m := factor.DefaultHashing().Memory(); m != 19<<20 {
		t.Errorf("argon2id needs %d", m)
	}
	if m := (factor.Hashing{Algorithm: factor.Bcrypt, Cost: 12}).Memory(); m < 4<<10 || m > 1<<20 {
		t.Errorf("bcrypt needs %d", m)
	}
}

func TestCalibrate(t *testing.T) {
	floor := factor.DefaultHashing()
	var tick time.Time
	every := func(step time.Duration) func() time.Time {
		return func() time.Time { tick = tick.Add(step); return tick }
	}
	calls := 0
	slow := every(50 * time.Millisecond)
	if got := factor.Calibrate(10*time.Millisecond, func() time.Time { calls++; return slow() }); got != floor || calls > 6 {
		t.Errorf("a slow machine gets %+v after %d looks at the clock", got, calls)
	}
	if got := factor.Calibrate(10*time.Millisecond, every(0)); got != floor {
		t.Errorf("a clock that stands still gives %+v", got)
	}
	if got := factor.Calibrate(150*time.Millisecond, every(100*time.Millisecond)); got.Check() != nil || got.MemoryKiB <= floor.MemoryKiB {
		t.Errorf("a target above the floor gives %+v: %v", got, got.Check())
	}
	// Another process may take the machine while one of the two is measured, and not while
	// the other is: then it is tried again.
	for try := 1; ; try++ {
		got := factor.Calibrate(80*time.Millisecond, time.Now)
		if err := got.Check(); err != nil {
			t.Errorf("%+v: %v", got, err)
		}
		if got.MemoryKiB != floor.MemoryKiB || got.Time != floor.Time {
			break
		}
		cost := fastest(func() { floor.Verify(floor.Dummy(), "x") })
		if cost >= 60*time.Millisecond {
			break
		}
		if try == 5 {
			t.Fatalf("one hash takes %v and the settings were not raised to 80 ms", cost)
		}
	}
}

// cheap is an argon2id hash as another system might have made it, at a price that a
// property test can pay.
func cheap(t *rapid.T, password string) string {
	salt := rapid.SliceOfN(rapid.Byte(), 8, 32).Draw(t, "salt")
	passes := rapid.Uint32Range(1, 3).Draw(t, "t")
	lanes := rapid.Uint8Range(1, 3).Draw(t, "p")
	memory := rapid.Uint32Range(8*uint32(lanes), 64).Draw(t, "m")
	tag := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(rapid.IntRange(16, 64).Draw(t, "size")))
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, passes, lanes, b64(salt), b64(tag))
}

// An imported hash fits exactly the bytes it was made of, whatever they are.
func TestImportedHashFitsItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password, other := rapid.String().Draw(t, "password"), rapid.String().Draw(t, "other")
		if rapid.Bool().Draw(t, "decomposed") {
			other = norm.NFD.String(password)
		}
		stored := factor.Foreign(cheap(t, password))
		for typed, want := range map[string]bool{password: true, other: other == password} {
			if ok, err := factor.Verify(stored, typed); err != nil || ok != want {
				t.Fatalf("Verify(%q, %q) = %v, %v", stored, typed, ok, err)
			}
		}
	})
}

// A hash of our own fits every spelling of the same text, and no other text.
func TestOwnHashFitsEveryNormalForm(t *testing.T) {
	text := rapid.StringMatching(`[a-zåéöüñ가-힣ệǖ]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		password, other := text.Draw(t, "password"), text.Draw(t, "other")
		hash := cheap(t, norm.NFC.String(password))
		for _, typed := range []string{password, norm.NFD.String(password), norm.NFC.String(password)} {
			if ok, err := factor.Verify(hash, typed); err != nil || !ok {
				t.Fatalf("%+q does not fit: %v", typed, err)
			}
		}
		if ok, _ := factor.Verify(hash, other); ok != (norm.NFC.String(other) == norm.NFC.String(password)) {
			t.Fatalf("%+q and %+q: %v", password, other, ok)
		}
	})
}

// There is one spelling of a hash: whatever is changed in it, the password fits no more.
func TestChangedHashFitsNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hash := cheap(t, "correct horse")
		at := rapid.IntRange(0, len(hash)-1).Draw(t, "at")
		changed := hash[:at] + string(rapid.RuneFrom([]rune("0123456789aZ+/=$,. \n")).Draw(t, "to")) + hash[at+1:]
		if changed == hash {
			t.Skip()
		}
		if made, ok := factor.Describe(changed); ok && made.MemoryKiB > 1<<10 {
			t.Skip() // costs more than this test pays
		}
		if ok, _ := factor.Verify(changed, "correct horse"); ok {
			t.Fatalf("%q fits like %q", changed, hash)
		}
	})
}

// FuzzHash: a stored hash is read within the bounds, or fits nothing.
func FuzzHash(f *testing.F) {
	for _, seed := range []string{
		"", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
		"$limen-raw$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
		"$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e",
		"$limen-bcrypt$h=nfc$2a$04$nk4IbYl6wFxd8365rFLRre0SlZXMMKo.BPzmR9veVjQk70vzW/REO",
		"$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		settings, readable := factor.Describe(hash)
		if !readable {
			if ok, _ := factor.Verify(hash, "password"); ok {
				t.Fatal("an unreadable hash fits")
			}
			return
		}
		if settings.Memory() > 256<<20 || uint64(settings.MemoryKiB)*uint64(settings.Time) > 1<<20 || settings.Cost > 14 {
			t.Fatalf("too costly: %+v", settings)
		}
		if settings.MemoryKiB > 4<<10 || settings.Cost > 5 {
			return // within the bounds, and not worth the fuzzer's time
		}
		if _, err := factor.Verify(hash, "password"); err != nil {
			t.Fatalf("Verify does not read what Describe took: %v", err)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for _, h := range []factor.Hashing{factor.DefaultHashing(), {Algorithm: factor.Bcrypt, Cost: 10}} {
		b.Run(h.Algorithm, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.Hash("correct horse battery staple"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
