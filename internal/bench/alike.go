package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/limenauth/limen/internal/app"
	"github.com/limenauth/limen/internal/secret"
)

// alikePairs is how many known and unknown addresses are asked about in turns, for each
// second of a slice.
const alikePairs = 400

// form is an answer that must not tell by its time whether an address has an account.
type form struct {
	name   string
	path   string
	status int
	body   func(address, attempt string) string
	// before begins what the form goes on with; "" for none.
	before string
	// often is how many times as many pairs it takes, because a hash varies more.
	often int
}

var forms = []form{
	{"sign-up", "/v1/sign-up", http.StatusOK, func(a, _ string) string { return `{"email":"` + a + `"}` }, "", 1},
	{"wrong password", "/v1/sign-in/password", http.StatusUnauthorized, func(a, _ string) string {
		return `{"identifier":"` + a + `","password":"not this one"}`
	}, "", 4},
	{"letter", "/v1/sign-in/email", http.StatusAccepted, func(a, _ string) string { return `{"email":"` + a + `"}` }, "", 1},
	{"wrong code", "/v1/sign-in/code", http.StatusUnauthorized, func(_, attempt string) string {
		return `{"attempt":"` + attempt + `","code":"x"}`
	}, "/v1/sign-in/email", 1},
	{"recovery", "/v1/recovery", http.StatusAccepted, func(a, _ string) string { return `{"email":"` + a + `"}` }, "", 1},
}

// measureAlike: how much the answer about a known address and the one about an unknown
// address differ in time, asked in turns. The target is the issue's: the difference of
// the means, with its error at 99 %, and that of the 95th percentiles stay below half a
// millisecond or 2 %.
func measureAlike(ctx context.Context, o Options, h *house, t *table) (_ time.Duration, err error) {
	d, err := newDatabase(ctx, o, h.database.engine)
	if err != nil {
		return 0, err
	}
	own := &house{database: d}
	defer func() { err = errors.Join(err, own.close()) }()
	if err := own.build(ctx, app.Development, d.address); err != nil { // letters go to the inbox
		return 0, err
	}
	most := 4 * max(20, int(alikePairs*o.Slice.Seconds()))
	if err := d.seed(ctx, most, time.Now()); err != nil {
		return 0, err
	}
	for _, f := range forms {
		pairs := max(20, int(alikePairs*o.Slice.Seconds())) * f.often
		var known, unknown []time.Duration
		for n := range pairs {
			first, second := identifier(n), fmt.Sprintf("nobody%d@bench.example", n)
			swapped := secret.Bytes(1)[0]&1 == 1
			if swapped {
				first, second = second, first
			}
			a, err := own.timed(f, first, n)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", f.name, err)
			}
			b, err := own.timed(f, second, n)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", f.name, err)
			}
			if swapped {
				a, b = b, a
			}
			if n >= pairs/10 { // the first warm it up
				known, unknown = append(known, a), append(unknown, b)
			}
		}
		alikeRow(t, f.name, known, unknown)
	}
	return 0, ctx.Err()
}

// timed asks once, over a connection and from a network of its own.
func (h *house) timed(f form, address string, n int) (time.Duration, error) {
	w, err := dial(h.address, n%250+1)
	if err != nil {
		return 0, err
	}
	defer w.close()
	if _, _, err := w.get("/v1/client", ""); err != nil { // the connection is not part of it
		return 0, err
	}
	attempt := ""
	if f.before != "" {
		status, body, err := w.post(f.before, "", `{"email":"`+address+`"}`)
		if err := expect(http.StatusAccepted, status, body, err); err != nil {
			return 0, err
		}
		if attempt, err = member(body, "attempt"); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	status, body, err := w.post(f.path, "", f.body(address, attempt))
	took := time.Since(began)
	return took, expect(f.status, status, body, err)
}

func alikeRow(t *table, name string, known, unknown []time.Duration) {
	bound := max(500*time.Microsecond, mean(known)/50)
	apart, wide := differ(known, unknown)
	tail := percentile(known, .95) - percentile(unknown, .95)
	met := apart.Abs()+wide < bound && tail.Abs() < bound
	t.row("alike: "+name+", known | unknown", short(mean(known)), short(mean(unknown)),
		fmt.Sprintf("%+.0f ± %.0f µs, p95 %+.0f µs", micro(apart), micro(wide), micro(tail)), "< "+short(bound), met)
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func mean(all []time.Duration) time.Duration {
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	return sum / time.Duration(max(len(all), 1))
}

func percentile(all []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// differ is the mean of the differences of pairs, and its error at 99 %.
func differ(a, b []time.Duration) (apart, wide time.Duration) {
	n := float64(len(a))
	var sum, squares float64
	for i := range a {
		d := float64(a[i] - b[i])
		sum += d
		squares += d * d
	}
	variance := (squares - sum*sum/n) / (n - 1)
	return time.Duration(sum / n), time.Duration(2.576 * math.Sqrt(variance/n))
}
