package api_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// guessing is a purpose whose codes can be guessed.
type guessing struct {
	name string
	// begin sends a code and returns how it is tried, and how its link is used (nil for none).
	begin func(from string) (try func(code, from string) *app.Answer, link func() *app.Answer)
	to    string
}

func guessings(t *testing.T, s *app.Server, ann *app.Client) []guessing {
	c := s.Client(t, "token")
	letter := func(path, to string, more app.M) func(string) (func(code, from string) *app.Answer, func() *app.Answer) {
		return func(from string) (func(code, from string) *app.Answer, func() *app.Answer) {
			body := app.M{"email": to}
			for k, v := range more {
				body[k] = v
			}
			attempt := c.Do("POST", path, body, "X-Forwarded-For", from).Want(http.StatusAccepted).Text("attempt")
			token := s.TokenFor(t, to)
			if path == "/v1/recovery" {
				confirm := func(body app.M, from string) *app.Answer {
					body["password"] = newPassword
					return c.Do("POST", "/v1/recovery/confirm", body, "X-Forwarded-For", from)
				}
				return func(code, from string) *app.Answer { return confirm(app.M{"attempt": attempt, "code": code}, from) },
					func() *app.Answer { return confirm(app.M{"token": token}, from) }
			}
			return func(code, from string) *app.Answer {
					return c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": code}, "X-Forwarded-For", from)
				}, func() *app.Answer {
					return c.Do("POST", "/v1/sign-in/link", app.M{"attempt": attempt, "token": token}, "X-Forwarded-For", from)
				}
		}
	}
	added := func(path, field, to string) func(string) (func(code, from string) *app.Answer, func() *app.Answer) {
		return func(from string) (func(code, from string) *app.Answer, func() *app.Answer) {
			id := ann.Do("POST", path, app.M{field: to}, "X-Forwarded-For", from).Want(http.StatusCreated).Text("id")
			var link func() *app.Answer
			if field == "email" {
				token := s.TokenFor(t, to)
				link = func() *app.Answer {
					return ann.Do("POST", "/v1/email/confirm", app.M{"token": token}, "X-Forwarded-For", from)
				}
			}
			return func(code, from string) *app.Answer {
				return ann.Do("POST", path+"/"+id+"/verify", app.M{"code": code}, "X-Forwarded-For", from)
			}, link
		}
	}
	return []guessing{
		{"sign-in", letter("/v1/sign-in/email", "ann@example.com", nil), "ann@example.com"},
		{"sign-up", letter("/v1/sign-in/email", "new@example.com", app.M{"create": true}), "new@example.com"},
		{"verify e-mail", added("/v1/me/emails", "email", "two@example.com"), "two@example.com"},
		{"verify phone", added("/v1/me/phones", "phone", annsPhone), annsPhone},
		{"recover", letter("/v1/recovery", "ann@example.com", nil), "ann@example.com"},
	}
}

// TestAHundredWrongCodesAtOnce: of a hundred wrong codes at once five are judged, and the
// rest are told that it was too many. The right one is too late then, and the link of the
// same letter still works.
func TestAHundredWrongCodesAtOnce(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		for _, g := range guessings(t, s, ann) {
			t.Run(g.name, func(t *testing.T) {
				s.Clock.Advance(2 * time.Hour)
				ann.SignIn("ann@example.com")
				try, link := g.begin(network(0))
				right := s.CodeFor(t, g.to)
				wrong := "000000"
				if right == wrong {
					wrong = "000001"
				}
				var n, judged, tooMany, other atomic.Int64
				race(100, func() bool {
					switch got := try(wrong, network(int(n.Add(1))%150)); {
					case got.Code() == "code_incorrect":
						judged.Add(1)
					case got.Code() == "too_many_attempts" && got.Header.Get("Retry-After") != "":
						tooMany.Add(1)
					default:
						other.Add(1)
						t.Logf("%d %s", got.Status, got.Body)
					}
					return true
				})
				if judged.Load() != 5 || tooMany.Load() != 95 || other.Load() != 0 {
					t.Errorf("%d were judged, %d were too many, %d were answered otherwise", judged.Load(), tooMany.Load(), other.Load())
				}
				try(right, network(0)).Want(http.StatusTooManyRequests, "too_many_attempts")
				if link != nil {
					link().Want(http.StatusOK)
				}
			})
		}
	})
}

// TestTwentyRightCodesAtOnce: one of them counts.
func TestTwentyRightCodesAtOnce(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		ann := signedIn(t, s, "ann@example.com", "")
		for _, g := range guessings(t, s, ann) {
			t.Run(g.name, func(t *testing.T) {
				s.Clock.Advance(2 * time.Hour)
				ann.SignIn("ann@example.com")
				try, _ := g.begin(network(0))
				right := s.CodeFor(t, g.to)
				var n atomic.Int64
				if won := race(20, func() bool { return try(right, network(int(n.Add(1)))).Status < 300 }); won != 1 {
					t.Errorf("%d of twenty counted", won)
				}
			})
		}
	})
}

// TestCodesCloseForAnAccount: ten wrong codes an hour, whatever they were for and however
// they came, over all addresses and numbers of the account; then codes are closed for all
// of them, while links work. Codes of an address that was not tried as often are answered
// as wrong: no answer says that it belongs to the others.
func TestCodesCloseForAnAccount(t *testing.T) {
	app.Each(t, manyNetworks, func(t *testing.T, s *app.Server) {
		ann := withPhone(t, s, "ann@example.com", annsPhone)
		s.Clock.Advance(time.Second)
		proven(t, s, ann, "two@example.com")
		s.Clock.Advance(2 * time.Hour)
		c := s.Client(t, "token")
		n := 0
		guess := func(began *app.Answer, path string, more app.M) {
			body := app.M{"attempt": began.Text("attempt"), "code": "x"}
			for k, v := range more {
				body[k] = v
			}
			for range 4 {
				n++
				c.Do("POST", path, body, "X-Forwarded-For", network(n%150)).Want(http.StatusUnauthorized, "code_incorrect")
			}
		}
		right := func(email string) *app.Answer {
			attempt := asked(c, email, nil).Text("attempt")
			return c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": s.CodeFor(t, email)})
		}
		guess(asked(c, "ann@example.com", nil), "/v1/sign-in/code", nil)
		guess(texted(c, annsPhone, nil), "/v1/sign-in/code", nil)
		recovery := c.Do("POST", "/v1/recovery", app.M{"email": "two@example.com"}).Want(http.StatusAccepted)
		guess(recovery, "/v1/recovery/confirm", app.M{"password": newPassword})
		for _, email := range []string{"ann@example.com", "two@example.com"} {
			right(email).Want(http.StatusUnauthorized, "code_incorrect")
		}
		attempt := asked(c, "two@example.com", nil).Text("attempt")
		c.Do("POST", "/v1/sign-in/link", app.M{"attempt": attempt, "token": s.TokenFor(t, "two@example.com")}).Want(http.StatusOK)
		s.Clock.Advance(time.Hour)
		right("ann@example.com").Want(http.StatusOK)
	})
}
