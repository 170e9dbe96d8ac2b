package factor_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/limenauth/limen/internal/factor"
)

func TestBudgetClosesAfterTenWrongCodesAnHour(t *testing.T) {
	var b factor.Budget
	now := noon
	for i := range factor.WrongPerHour {
		if !b.Open(now) || b.ClosedFor(now) != 0 {
			t.Fatalf("closed after %d", i)
		}
		b = b.Wrong(now)
		now = now.Add(time.Minute)
	}
	if b.Open(now) {
		t.Fatal("open after ten")
	}
	if wait := b.ClosedFor(now); wait != 50*time.Minute {
		t.Errorf("closed for %v", wait)
	}
	if b.Wrong(now) != b {
		t.Error("a code that was never judged is counted")
	}
	if b.Right().Open(now) {
		t.Error("a success opens the hour for whoever is guessing")
	}
	if !b.Open(noon.Add(-2 * time.Hour)) {
		t.Error("a clock that was set back closes the address for longer than an hour")
	}
	if now = noon.Add(time.Hour); !b.Open(now) {
		t.Error("closed after an hour")
	}
	if b = b.Wrong(now); b.InHour != 1 || b.InRow != 11 || !b.HourStartedAt.Equal(now) {
		t.Errorf("the next hour: %+v", b)
	}
}

func TestBudgetClosesAfterAHundredInARow(t *testing.T) {
	var b factor.Budget
	now := noon
	for range factor.WrongInRow {
		if !b.Open(now) {
			t.Fatalf("closed after %d", b.InRow)
		}
		b = b.Wrong(now)
		now = now.Add(time.Hour)
	}
	if now = now.Add(365 * 24 * time.Hour); b.Open(now) || b.ClosedFor(now) <= 0 {
		t.Error("open after a hundred")
	}
	if b = b.Right(); !b.Open(now) || b.InRow != 0 {
		t.Errorf("closed after a success: %+v", b)
	}
}

// Whenever a guesser may guess, it does. It never has more than a hundred wrong codes in
// a row, nor more than 19 within any hour.
func TestBudgetProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b factor.Budget
		var wrong []time.Time
		now, row := noon, 0
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "seconds")) * time.Second)
			if !b.Open(now) {
				if b.ClosedFor(now) <= 0 || b.ClosedFor(now) > time.Hour {
					t.Fatalf("closed for %v", b.ClosedFor(now))
				}
				if again := now.Add(b.ClosedFor(now)); row < factor.WrongInRow && !b.Open(again) {
					t.Fatalf("still closed when the wait is over")
				}
			}
			if rapid.IntRange(0, 60).Draw(t, "dice") == 0 {
				b, row = b.Right(), 0
				continue
			}
			if b.Open(now) {
				wrong = append(wrong, now)
				row++
			}
			b = b.Wrong(now)
			if row > factor.WrongInRow {
				t.Fatalf("%d in a row", row)
			}
			if n := len(wrong); n > 19 && wrong[n-1].Sub(wrong[n-20]) < time.Hour {
				t.Fatalf("20 wrong codes in %v", wrong[n-1].Sub(wrong[n-20]))
			}
		}
	})
}
