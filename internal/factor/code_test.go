package factor_test

import (
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/factor"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func sent(decoy bool) factor.Challenge {
	return factor.Challenge{CodeHash: []byte("hash"), SentAt: noon, ExpiresAt: noon.Add(factor.CodeLife), Decoy: decoy}
}

func TestChallengeJudge(t *testing.T) {
	spent, superseded := sent(false), sent(false)
	spent.CodeHash, superseded.CodeHash = nil, nil
	tired := sent(false)
	tired.Tries = 4
	for _, c := range []struct {
		name  string
		c     factor.Challenge
		fits  bool
		after time.Duration
		ok    bool
		left  int
	}{
		{"right", sent(false), true, time.Minute, true, 5},
		{"right at the last moment", sent(false), true, factor.CodeLife - 1, true, 5},
		{"right with the last try", tired, true, time.Minute, true, 1},
		{"wrong", sent(false), false, time.Minute, false, 4},
		{"expired", sent(false), true, factor.CodeLife, false, 4},
		{"spent", spent, true, time.Minute, false, 4},
		{"superseded", superseded, true, time.Minute, false, 4},
		{"decoy", sent(true), true, time.Minute, false, 4},
		{"nothing was ever sent", factor.Challenge{}, true, time.Minute, false, 4},
		{"wrong with the last try", tired, false, time.Minute, false, 0},
	} {
		got := c.c.Judge(c.fits, noon.Add(c.after))
		if got.OK != c.ok || got.TriesLeft != c.left {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got.OK && got.Next.Judge(true, noon.Add(c.after)).OK {
			t.Errorf("%s: works twice", c.name)
		}
	}
}

func TestChallengeDiesAfterFiveWrongTries(t *testing.T) {
	for _, decoy := range []bool{false, true} {
		c := sent(decoy)
		for left := 4; left >= 0; left-- {
			j := c.Judge(false, noon)
			if j.OK || j.TriesLeft != left {
				t.Fatalf("%+v, want %d left", j, left)
			}
			c = j.Next
		}
		if c.Live(noon) || c.CodeHash != nil {
			t.Error("a dead challenge keeps its code")
		}
		c.CodeHash = []byte("hash")
		if j := c.Judge(true, noon); j.OK || j.TriesLeft != 0 || j.Next.Tries != factor.CodeTries {
			t.Errorf("the sixth try: %+v", j)
		}
	}
}

// Whatever happens to a challenge, it says yes at most once, only to a right code, only
// in time, and never after five wrong ones; a decoy answers the same until then.
func TestChallengeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, decoy := sent(false), sent(true)
		now, wrong, right := noon, 0, 0
		for range rapid.IntRange(1, 12).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "seconds")) * time.Second)
			fits := rapid.Bool().Draw(t, "fits")
			j, d := c.Judge(fits, now), decoy.Judge(fits, now)
			if j.OK {
				right++
				if !fits || wrong >= factor.CodeTries || right > 1 || now.Sub(noon) >= factor.CodeLife {
					t.Fatalf("yes: fits %v, wrong %d, right %d, after %v", fits, wrong, right, now.Sub(noon))
				}
			} else {
				wrong++
				if want := max(0, factor.CodeTries-wrong); j.TriesLeft != want {
					t.Fatalf("%d left after %d wrong ones", j.TriesLeft, wrong)
				}
			}
			if d.OK || (right == 0 && d.TriesLeft != j.TriesLeft) {
				t.Fatalf("the decoy says %+v where a real one says %+v", d, j)
			}
			c, decoy = j.Next, d.Next
		}
	})
}

func TestReadDigits(t *testing.T) {
	for typed, want := range map[string]string{
		"123456": "123456", "000000": "000000", " 123 456 ": "123456", "123-456": "123456", "12 34–56\n": "123456",
		"123\u00a0456": "123456", "\u2066123456\u2069": "123456", "\ufeff123456": "123456",
		"١٢٣٤٥٦": "123456", "۱۲۳۴۵۶": "123456", "१२३४५६": "123456", "１２３４５６": "123456", "𝟏𝟐𝟑𝟒𝟓𝟔": "123456", "𝟘𝟙𝟫𝟶𝟷𝟿": "019019",
		"": "", "12345": "", "1234567": "", "12345a": "", "½23456": "", "Ⅷ23456": "", "12345\x00": "", "+12345": "", "1.2.3.4.5.6": "",
		"１２３４５６                                                                 ": "",
	} {
		got, ok := factor.ReadDigits(typed, factor.CodeDigits)
		if ok != (want != "") || ok && got != want {
			t.Errorf("ReadDigits(%q) = %q, %v", typed, got, ok)
		}
	}
}

// The digits of every script count from 0 to 9 in order.
func TestReadDigitsKnowsAllDigits(t *testing.T) {
	next := 0
	for c := rune(0); c <= unicode.MaxRune; c++ {
		if !unicode.Is(unicode.Nd, c) {
			if next != 0 {
				t.Fatalf("%U: a row of digits ended at %d", c, next)
			}
			continue
		}
		got, ok := factor.ReadDigits("00000"+string(c), factor.CodeDigits)
		if want := byte('0' + next); !ok || got[5] != want {
			t.Fatalf("%U is read as %q, want %c", c, got, want)
		}
		next = (next + 1) % 10
	}
}

func FuzzReadDigits(f *testing.F) {
	f.Add("123 456")
	f.Add("١٢٣٤٥٦")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := factor.ReadDigits(typed, factor.CodeDigits)
		if !ok {
			return
		}
		if len(code) != factor.CodeDigits {
			t.Fatalf("%q", code)
		}
		if again, ok := factor.ReadDigits(code, factor.CodeDigits); !ok || again != code {
			t.Fatalf("%q is not stable", code)
		}
	})
}
