package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

func TestSignUpWithCode(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "")
		grant := c.SignUp("Ann@Example.com")
		user, _ := grant.JSON()["user"].(map[string]any)
		if user["email"] != "Ann@Example.com" || user["email_verified"] != true || user["has_password"] != true {
			t.Errorf("user: %v", user)
		}
		if strings.Contains(string(grant.Body), "argon2") {
			t.Error("the answer carries the password hash")
		}
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
		s.Client(t, "").SignIn("ann@EXAMPLE.com")
	})
}

// TestSignUpIsUniform compares every answer for a free and a taken address, byte for byte
// but for what is random.
func TestSignUpIsUniform(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		s.Client(t, "").SignUp("taken@example.com")
		ask := func(email string) (*app.Answer, *app.Client) {
			c := s.Client(t, "")
			return c.Do("POST", "/v1/sign-up", app.M{"email": email, "password": app.Password}), c
		}
		free, freeClient := ask("fresh@example.com")
		taken, takenClient := ask("taken@example.com")
		compare := func(what string, a, b *app.Answer) {
			t.Helper()
			if a.Status != b.Status || scrub(a.JSON()) != scrub(b.JSON()) {
				t.Errorf("%s differs:\n%d %s\n%d %s", what, a.Status, a.Body, b.Status, b.Body)
			}
		}
		compare("sign-up", free, taken)
		for range 6 {
			compare("a wrong code",
				freeClient.Do("POST", "/v1/sign-in/code", app.M{"attempt": free.Text("attempt"), "code": "000001"}),
				takenClient.Do("POST", "/v1/sign-in/code", app.M{"attempt": taken.Text("attempt"), "code": "000001"}))
		}
		s.Clock.Advance(31 * time.Second)
		compare("resend",
			freeClient.Do("POST", "/v1/sign-in/attempts/"+free.Text("attempt")+"/resend", nil),
			takenClient.Do("POST", "/v1/sign-in/attempts/"+taken.Text("attempt")+"/resend", nil))
		compare("status",
			freeClient.Do("GET", "/v1/sign-in/attempts/"+free.Text("attempt"), nil),
			takenClient.Do("GET", "/v1/sign-in/attempts/"+taken.Text("attempt"), nil))
		s.Clock.Advance(11 * time.Minute)
		compare("expiry",
			freeClient.Do("POST", "/v1/sign-in/code", app.M{"attempt": free.Text("attempt"), "code": "000001"}),
			takenClient.Do("POST", "/v1/sign-in/code", app.M{"attempt": taken.Text("attempt"), "code": "000001"}))
	})
}

// scrub removes what must differ.
func scrub(m app.M) string {
	var parts []string
	for _, name := range []string{"status", "code", "detail", "channel", "expires_in", "resend_in", "tries_left", "title"} {
		if v, ok := m[name]; ok {
			parts = append(parts, name+"="+strings.TrimSpace(toText(v)))
		}
	}
	return strings.Join(parts, " ")
}

func TestSignUpTellsTheOwner(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		s.Client(t, "").SignUp("owner@example.com")
		s.Inbox.Forget()
		s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "OWNER@example.com", "password": app.Password}).Want(http.StatusOK)
		if code := s.Letter(t, "owner@example.com").Code; code != "" {
			t.Errorf("the letter to the owner carries a code")
		}
		letter := s.Inbox.Messages("owner@example.com", "")[0]
		if letter.To != "owner@example.com" {
			t.Errorf("sent to %q, not to the address the owner proved", letter.To)
		}
		if !strings.Contains(letter.Text, s.URL+"/sign-in") {
			t.Errorf("no way in:\n%s", letter.Text)
		}
	})
}

func TestSignUpRevealsWhereTheModeIsOff(t *testing.T) {
	app.Each(t, app.Settings{"enumeration": "off"}, func(t *testing.T, s *app.Server) {
		s.Client(t, "").SignUp("ann@example.com")
		s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "ann@example.com", "password": app.Password}).Want(http.StatusConflict, "email_taken")
	})
}

func TestSignUpRefusesBadFields(t *testing.T) {
	long := strings.Repeat("ü", 257)
	cases := []struct {
		name  string
		body  app.M
		field string
		code  string
	}{
		{"no identifier", app.M{"password": app.Password}, "email", "required"},
		{"a list of addresses", app.M{"email": "a@b.co,c@d.co", "password": app.Password}, "email", "invalid"},
		{"two at signs", app.M{"email": "a@b@c.co", "password": app.Password}, "email", "invalid"},
		{"a display name", app.M{"email": "Bob <a@b.co>", "password": app.Password}, "email", "invalid"},
		{"a short password", app.M{"email": "a@b.co", "password": "short"}, "password", "too_short"},
		{"a long password", app.M{"email": "a@b.co", "password": long}, "password", "too_long"},
		{"a breached password", app.M{"email": "a@b.co", "password": "password123"}, "password", "breached"},
		{"its own name", app.M{"email": "somebody@b.co", "password": "somebody@b.co"}, "password", "contains_identifier"},
		{"a mixed username", app.M{"email": "a@b.co", "username": "pаypal", "password": app.Password}, "username", "invalid"},
		{"a reserved username", app.M{"email": "a@b.co", "username": "admin", "password": app.Password}, "username", "reserved"},
	}
	s := app.SQLite(t, nil)
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			problem := s.Client(t, "").Do("POST", "/v1/sign-up", test.body).Want(http.StatusUnprocessableEntity, "invalid_request")
			errors, _ := problem.JSON()["errors"].(map[string]any)
			if errors[test.field] != test.code {
				t.Errorf("errors: %v, want %s: %s", errors, test.field, test.code)
			}
			if strings.Contains(string(problem.Body), app.Password) {
				t.Error("the answer echoes the password")
			}
		})
	}
}

func TestSignUpIgnoresWhatIsNotTheirs(t *testing.T) {
	s := app.SQLite(t, nil)
	c := s.Client(t, "")
	owed := c.Do("POST", "/v1/sign-up", app.M{
		"email": "eve@example.com", "password": app.Password, "roles": []string{"admin"}, "email_verified": true,
		"public_metadata": app.M{"plan": "pro"}, "id": "usr_1", "unsafe_metadata": app.M{"colour": "green"},
	}).Want(http.StatusOK)
	grant := c.Grant(c.Do("POST", "/v1/sign-in/code", app.M{"attempt": owed.Text("attempt"), "code": s.CodeFor(t, "eve@example.com")}))
	user, _ := grant.JSON()["user"].(map[string]any)
	roles, _ := user["roles"].([]any)
	if len(roles) != 1 || roles[0] != "user" || len(user["public_metadata"].(map[string]any)) != 0 {
		t.Errorf("user: %v", user)
	}
	if meta, _ := user["unsafe_metadata"].(map[string]any); meta["colour"] != "green" {
		t.Errorf("unsafe metadata was lost: %v", meta)
	}
}

// TestCodeIsSingleUse races twenty right codes: one grant, one account.
func TestCodeIsSingleUse(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "")
		owed := c.Do("POST", "/v1/sign-up", app.M{"email": "one@example.com", "password": app.Password}).Want(http.StatusOK)
		code := s.CodeFor(t, "one@example.com")
		granted := race(20, func() bool {
			return s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": owed.Text("attempt"), "code": code}).Status == http.StatusOK
		})
		if granted != 1 {
			t.Errorf("%d grants for one code", granted)
		}
	})
}

// TestWrongCodesAreCounted races a hundred wrong codes: five are judged.
func TestWrongCodesAreCounted(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		owed := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "two@example.com", "password": app.Password}).Want(http.StatusOK)
		right := s.CodeFor(t, "two@example.com")
		wrong := "000000"
		if right == wrong {
			wrong = "000001"
		}
		judged := race(50, func() bool {
			return s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": owed.Text("attempt"), "code": wrong}).Code() == "code_incorrect"
		})
		if judged != 5 {
			t.Errorf("%d wrong codes were judged, want 5", judged)
		}
		s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": owed.Text("attempt"), "code": right}).
			Want(http.StatusTooManyRequests)
	})
}

// TestTwoSignUpsForOneAddress races two proofs of the same address: one account.
func TestTwoSignUpsForOneAddress(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		type try struct{ attempt, code string }
		var tries []try
		for range 4 {
			owed := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "both@example.com", "password": app.Password}).Want(http.StatusOK)
			tries = append(tries, try{owed.Text("attempt"), s.CodeFor(t, "both@example.com")})
		}
		var mu sync.Mutex
		granted := race(len(tries), func() bool {
			mu.Lock()
			mine := tries[0]
			tries = tries[1:]
			mu.Unlock()
			answer := s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": mine.attempt, "code": mine.code})
			if answer.Status != http.StatusOK && answer.Code() != "code_incorrect" {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
			return answer.Status == http.StatusOK
		})
		if granted != 1 {
			t.Errorf("%d accounts for one address", granted)
		}
	})
}

func TestUsernameRace(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		granted := race(8, func() bool {
			answer := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"username": "solo", "password": app.Password})
			if answer.Status != http.StatusOK && answer.Code() != "username_taken" {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
			return answer.Status == http.StatusOK
		})
		if granted != 1 {
			t.Errorf("%d people have one username", granted)
		}
	})
}

// TestAttemptBelongsToItsBrowser holds the cookie modes to their attempt cookie.
func TestAttemptBelongsToItsBrowser(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		c := s.Client(t, "cookie")
		owed := c.Do("POST", "/v1/sign-up", app.M{"email": "tab@example.com", "password": app.Password}).Want(http.StatusOK)
		body := app.M{"attempt": owed.Text("attempt"), "code": s.CodeFor(t, "tab@example.com")}
		s.Client(t, "cookie").Do("POST", "/v1/sign-in/code", body).Want(http.StatusUnauthorized, "attempt_expired")
		c.Do("POST", "/v1/sign-in/code", body, "Limen-Delivery", "memory").Want(http.StatusUnprocessableEntity, "invalid_request")
		grant := c.Grant(c.Do("POST", "/v1/sign-in/code", body))
		if grant.Text("access_token") != "" || grant.Text("refresh_token") != "" {
			t.Error("cookie mode answers a token in the body")
		}
		c.Do("GET", "/v1/me", nil).Want(http.StatusOK)
	})
}

func TestForeignAttempts(t *testing.T) {
	s := app.SQLite(t, nil)
	owed := s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "x@example.com", "password": app.Password}).Want(http.StatusOK)
	attempt := owed.Text("attempt")
	for _, bad := range []string{"", "att_", attempt[:len(attempt)-1], attempt[:len(attempt)-1] + "!", attempt + "A", strings.ToUpper(attempt), attempt[:31] + strings.Repeat("A", 22)} {
		s.Client(t, "").Do("POST", "/v1/sign-in/code", app.M{"attempt": bad, "code": "123456"}).Want(http.StatusUnauthorized, "attempt_expired")
	}
}
