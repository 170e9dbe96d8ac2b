package api_test

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// countedClock counts how often the server asks for the time.
type countedClock struct {
	*app.Clock
	asked atomic.Int64
}

func (c *countedClock) Now() time.Time {
	c.asked.Add(1)
	return c.Clock.Now()
}

// TestEachChangeIsToldOnce: however often a stream looks at its attempt, the waiting screen
// is told each status once.
func TestEachChangeIsToldOnce(t *testing.T) {
	clock := &countedClock{Clock: app.NewClock()}
	s := app.Open(t, nil, t.TempDir()+"/limen.db", clock)
	signedIn(t, s, "ann@example.com", "")
	clock.Advance(time.Hour)
	c := s.Client(t, "token")
	began := asked(c, "ann@example.com", nil)
	attempt, token := began.Text("attempt"), s.TokenFor(t, "ann@example.com")
	lines := bufio.NewScanner(stream(t, t.Context(), s, attempt).Body)
	if got := told(lines); got != "pending" {
		t.Fatalf("%q", got)
	}
	looked := func() {
		before := clock.asked.Load()
		until(t, "the stream looks again", func() bool { return clock.asked.Load() >= before+4 })
	}
	looked()
	c.Do("POST", "/v1/sign-in/link/approve", app.M{"token": token, "match": began.Text("match"), "decision": "approve"}).Want(http.StatusOK)
	looked()
	c.Do("POST", "/v1/sign-in/attempts/"+attempt+"/complete", nil).Want(http.StatusOK)
	var rest []string
	for lines.Scan() {
		if status, ok := strings.CutPrefix(lines.Text(), `data: {"status":"`); ok {
			rest = append(rest, strings.TrimSuffix(status, `"}`))
		}
	}
	if !slices.Equal(rest, []string{"approved", "complete"}) {
		t.Errorf("after pending it was told %q", rest)
	}
}
