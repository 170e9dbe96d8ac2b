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

// TestBudgetBearsOlderInstants: transactions that waited for each other bring instants out of
// order. None of them opens a closed budget, resets its hour or lowers its time.
func TestBudgetBearsOlderInstants(t *testing.T) {
	for _, older := range []time.Duration{0, time.Microsecond, time.Second, 20 * time.Minute, 59 * time.Minute} {
		var b factor.Budget
		for range factor.WrongPerHour {
			b = b.Wrong(noon)
		}
		now := noon.Add(-older)
		if b.Open(now) {
			t.Errorf("%v older: open", older)
		}
		if got := b.Wrong(now); got != b {
			t.Errorf("%v older: %+v became %+v", older, b, got)
		}
		if wait := b.ClosedFor(now); !b.Open(now.Add(wait)) || b.Open(now.Add(wait-time.Microsecond)) {
			t.Errorf("%v older: closed for %v", older, wait)
		}
		first := factor.Budget{HourStartedAt: noon} // as the row is made, by a newer instant
		if got := first.Wrong(now); !got.HourStartedAt.Equal(noon) || got.InHour != 1 {
			t.Errorf("%v older: the first wrong code makes it %+v", older, got)
		}
	}
}

// TestBudgetAfterTheClockWasSetBack: a clock that was a day ahead does not close an address
// for a day. What was counted still counts.
func TestBudgetAfterTheClockWasSetBack(t *testing.T) {
	var b factor.Budget
	for range factor.WrongPerHour {
		b = b.Wrong(noon.Add(24 * time.Hour))
	}
	if b.Open(noon) || b.ClosedFor(noon) != time.Hour {
		t.Errorf("a clock that is set back opens a budget, or closes it for %v", b.ClosedFor(noon))
	}
	if b = b.Wrong(noon); b.InHour != factor.WrongPerHour || b.Settled(noon) != b {
		t.Errorf("%+v", b)
	}
	if b.Open(noon.Add(time.Hour-1)) || !b.Open(noon.Add(time.Hour)) {
		t.Error("it is not closed for an hour")
	}
}

// Whenever a guesser may guess, it does. It never has more than a hundred wrong codes in
// a row, nor more than 19 within any hour less the minute by which its instants are out of
// order, and no instant lowers the time that is stored.
func TestBudgetProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b factor.Budget
		var wrong []time.Time
		newest, row := noon, 0
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			newest = newest.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "seconds")) * time.Second)
			now := newest.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "older")) * time.Second)
			before := b
			if !b.Open(now) {
				if b.ClosedFor(now) <= 0 || b.ClosedFor(now) > time.Hour+time.Minute {
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
				wrong = append(wrong, newest)
				row++
			}
			b = b.Wrong(now)
			if b.HourStartedAt.Before(before.HourStartedAt) {
				t.Fatalf("%v before the newest instant lowers %+v to %+v", newest.Sub(now), before, b)
			}
			if row > factor.WrongInRow {
				t.Fatalf("%d in a row", row)
			}
			if n := len(wrong); n > 19 && wrong[n-1].Sub(wrong[n-20]) < time.Hour-time.Minute {
				t.Fatalf("20 wrong codes in %v", wrong[n-1].Sub(wrong[n-20]))
			}
		}
	})
}
