package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
	"github.com/limenauth/limen/internal/testkit/db"
)

// watched is a server whose every statement and hash is counted.
type watched struct {
	*app.Server
	statements *db.Statements // nil on SQLite, where the same code sends the same texts
}

// cost is what a question made the server do.
type cost struct {
	statements []string
	hashes     uint64
	rows       map[string]int
}

func eachWatched(t *testing.T, settings app.Settings, test func(t *testing.T, s watched)) {
	t.Run("sqlite", func(t *testing.T) { test(t, watched{Server: app.SQLite(t, settings)}) })
	t.Run("postgres", func(t *testing.T) {
		statements := db.Listen(t, db.Postgres(t).Config().Postgres)
		test(t, watched{app.Open(t, settings, statements.URL, app.NewClock()), statements})
	})
}

// ask runs a question and tells what it cost.
func (s watched) ask(t *testing.T, question func() *app.Answer) (*app.Answer, cost) {
	if err := s.Issuer.ReadSigningKeys(t.Context()); err != nil { // as a server does every two seconds
		t.Fatal(err)
	}
	before, hashes := s.Count(t), s.Auth.Queue.Stats().Done
	if s.statements != nil {
		s.statements.Take()
	}
	answer := question()
	var c cost
	if s.statements != nil {
		c.statements = s.statements.Take()
	}
	c.hashes, c.rows = s.Auth.Queue.Stats().Done-hashes, s.Count(t)
	for table := range c.rows {
		c.rows[table] -= before[table]
	}
	return answer, c
}

// differs tells where two costs part.
func (c cost) differs(other cost) string {
	if c.hashes != other.hashes {
		return fmt.Sprintf("%d and %d hashes", c.hashes, other.hashes)
	}
	if !maps.Equal(c.rows, other.rows) {
		return fmt.Sprintf("rows %v and %v", c.rows, other.rows)
	}
	for i := range max(len(c.statements), len(other.statements)) {
		a, b := "nothing", "nothing"
		if i < len(c.statements) {
			a = c.statements[i]
		}
		if i < len(other.statements) {
			b = other.statements[i]
		}
		if a != b {
			return fmt.Sprintf("statement %d:\n%s\n--- and ---\n%s", i, a, b)
		}
	}
	return ""
}

// branch is one line of questions about somebody.
type branch struct {
	name  string
	steps []step
}

type step struct {
	name string
	// ask asks about somebody, with the attempt that an earlier step left in a.
	ask func(c *app.Client, about string, a *string) *app.Answer
	// wait is how much time passes before it, the same for all.
	wait time.Duration
}

// keep is a step that begins an attempt.
func keep(path string, body func(about string) app.M) step {
	return step{name: path, ask: func(c *app.Client, about string, a *string) *app.Answer {
		got := c.Do("POST", path, body(about))
		*a = got.Text("attempt")
		return got
	}}
}

// present is a step that presents the attempt.
func present(path string, body app.M) step {
	return step{name: path, ask: func(c *app.Client, _ string, a *string) *app.Answer {
		all := maps.Clone(body)
		all["attempt"] = *a
		return c.Do("POST", path, all)
	}}
}

func resend(wait time.Duration) step {
	return step{name: "resend", wait: wait, ask: func(c *app.Client, _ string, a *string) *app.Answer {
		return c.Do("POST", "/v1/sign-in/attempts/"+*a+"/resend", nil)
	}}
}

func status() step {
	return step{name: "status", ask: func(c *app.Client, _ string, a *string) *app.Answer {
		return c.Do("GET", "/v1/sign-in/attempts/"+*a, nil)
	}}
}

func complete() step {
	return step{name: "complete", ask: func(c *app.Client, _ string, a *string) *app.Answer {
		return c.Do("POST", "/v1/sign-in/attempts/"+*a+"/complete", nil)
	}}
}

// ways are all the ways to ask about an address or, where named, a number.
func ways(field string) []branch {
	begun := func(first step, rest ...step) []step {
		wrong := present("/v1/sign-in/code", app.M{"code": "000000"})
		return append([]step{first, status(), wrong, resend(0), resend(31 * time.Second), wrong, complete()}, rest...)
	}
	about := func(more app.M) func(string) app.M {
		return func(who string) app.M {
			body := maps.Clone(more)
			body[field] = who
			return body
		}
	}
	path := "/v1/sign-in/" + field
	all := []branch{
		{"a wrong password", []step{{name: "password", ask: func(c *app.Client, who string, _ *string) *app.Answer {
			return c.Do("POST", "/v1/sign-in/password", app.M{"identifier": who, "password": "a wrong password"})
		}}}},
		{"a sign-up", begun(keep("/v1/sign-up", about(app.M{"password": app.Password})))},
		{"a sign-up without a password", begun(keep("/v1/sign-up", about(app.M{})))},
		{"a sign-in", begun(keep(path, about(app.M{})))},
		{"a sign-in that may create", begun(keep(path, about(app.M{"create": true})))},
	}
	if field == "phone" {
		return append(all, branch{"a sign-in with a link", begun(keep(path, about(app.M{"link": true})))})
	}
	confirm := func(password string) step {
		return present("/v1/recovery/confirm", app.M{"code": "000000", "password": password})
	}
	return append(all, branch{"a recovery", []step{
		keep("/v1/recovery", about(app.M{})), status(), confirm("short"), confirm(newPassword), resend(0), resend(31 * time.Second),
		confirm(newPassword), present("/v1/sign-in/code", app.M{"code": "000000"}), confirm(newPassword), confirm(newPassword),
		confirm(newPassword), confirm(newPassword), confirm(newPassword),
	}})
}

// TestBothBranchesCostTheSame asks everything about people who exist, who do not, who are
// banned and who are about to be deleted: the same statements in the same order, the same
// hashes and the same rows. What follows from the same work takes the same time.
func TestBothBranchesCostTheSame(t *testing.T) {
	eachWatched(t, manyNetworks, func(t *testing.T, s watched) {
		people := cast(t, s.Server)
		for _, delivery := range []string{"token", "cookie"} {
			for _, way := range ways("email") {
				t.Run(delivery+", "+way.name, func(t *testing.T) { compare(t, s, delivery, way, people) })
				s.Clock.Advance(2 * time.Hour)
			}
		}
	})
}

// digitsOnScreen are as random as an attempt, and the last ones of a number are its own.
var digitsOnScreen = regexp.MustCompile(`"match":"\d\d"|••••\d\d`)

// cast makes the people that a stranger may ask about. Everybody was asked for once, and a
// code tried, so that nobody's code budget is new.
func cast(t *testing.T, s *app.Server) []string {
	t.Helper()
	people := []string{"known@example.com", "unkno@example.com", "banne@example.com", "delet@example.com"}
	for i, email := range people {
		if i != 1 {
			c := signedIn(t, s, email, "")
			switch i {
			case 2:
				if err := s.Auth.Ban(t.Context(), userID(c)); err != nil {
					t.Fatal(err)
				}
			case 3:
				c.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
			}
		}
		for path, status := range map[string]int{"/v1/sign-up": http.StatusOK, "/v1/sign-in/email": http.StatusAccepted} {
			c := s.Client(t, "")
			attempt := c.Do("POST", path, app.M{"email": email}, "X-Forwarded-For", network(i)).Want(status).Text("attempt")
			c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "x"}).Want(http.StatusUnauthorized, "code_incorrect")
		}
	}
	s.Clock.Advance(2 * time.Hour)
	return people
}

// compare plays one line of questions about everybody, in step.
func compare(t *testing.T, s watched, delivery string, way branch, people []string) {
	attempts, clients := make([]string, len(people)), make([]*app.Client, len(people))
	for i := range people {
		clients[i] = s.Client(t, delivery)
	}
	for n, step := range way.steps {
		s.Clock.Advance(step.wait)
		var first cost
		var said string
		for i, who := range people {
			got, c := s.ask(t, func() *app.Answer { return step.ask(clients[i], who, &attempts[i]) })
			text := digitsOnScreen.ReplaceAllString(mask(whole(got, who)), "")
			if i == 0 {
				first, said = c, text
				continue
			}
			if text != said {
				t.Errorf("step %d, %s, tells %s from %s:\n%s\n--- and ---\n%s", n, step.name, people[0], who, said, text)
			}
			if d := first.differs(c); d != "" {
				t.Errorf("step %d, %s, costs more for %s or %s: %s", n, step.name, people[0], who, d)
			}
		}
	}
}

// TestAddingAnAddressCostsTheSame: whose the address is shows neither in the answer nor in
// what it costs.
func TestAddingAnAddressCostsTheSame(t *testing.T) {
	eachWatched(t, manyNetworks, func(t *testing.T, s watched) {
		people := cast(t, s.Server)
		c := signedIn(t, s.Server, "asker@example.com", "")
		wrong := func(id string) func() *app.Answer {
			return func() *app.Answer { return c.Do("POST", "/v1/me/emails/"+id+"/verify", app.M{"code": "000000"}) }
		}
		var first []cost
		id, _ := added(c, "any@example.com") // the asker's own code budget
		wrong(id)().Want(http.StatusUnauthorized, "code_incorrect")
		for i, email := range people {
			s.Clock.Advance(time.Minute)
			c.SignIn("asker@example.com")
			var costs []cost
			got, cost := s.ask(t, func() *app.Answer { return c.Do("POST", "/v1/me/emails", app.M{"email": email}) })
			id := got.Want(http.StatusCreated).Text("id")
			costs = append(costs, cost)
			_, cost = s.ask(t, wrong(id))
			costs = append(costs, cost)
			s.Clock.Advance(31 * time.Second)
			_, cost = s.ask(t, func() *app.Answer { return c.Do("POST", "/v1/me/emails/"+id+"/send", nil) })
			costs = append(costs, cost)
			_, cost = s.ask(t, wrong(id))
			costs = append(costs, cost)
			c.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusNoContent)
			if i == 0 {
				first = costs
			}
			for n := range costs {
				if d := first[n].differs(costs[n]); d != "" {
					t.Errorf("step %d for %s: %s", n, email, d)
				}
			}
		}
	})
}

// TestStatementsAreSeen: the comparison above compares something.
func TestStatementsAreSeen(t *testing.T) {
	statements := db.Listen(t, db.Postgres(t).Config().Postgres)
	s := watched{app.Open(t, nil, statements.URL, app.NewClock()), statements}
	_, c := s.ask(t, func() *app.Answer {
		return s.Client(t, "").Do("POST", "/v1/sign-up", app.M{"email": "new@example.com", "password": app.Password})
	})
	has := func(text string) bool {
		return slices.ContainsFunc(c.statements, func(s string) bool { return strings.HasPrefix(s, text) })
	}
	if !has("begin") || !has("INSERT INTO attempt") || !has("INSERT INTO outbox") || !has("commit") || c.hashes != 1 || c.rows["attempt"] != 1 {
		t.Errorf("%+v", c)
	}
}

// TestBothBranchesOfANumberCostTheSame is the same for numbers.
func TestBothBranchesOfANumberCostTheSame(t *testing.T) {
	eachWatched(t, manyNetworks, func(t *testing.T, s watched) {
		numbers := []string{annsPhone, evesPhone, "+12015550125", "+12015550126"}
		for i, number := range numbers {
			email := network(i) + "@example.com"
			switch i {
			case 0:
				withPhone(t, s.Server, email, number)
			case 2:
				if err := s.Auth.Ban(t.Context(), userID(withPhone(t, s.Server, email, number))); err != nil {
					t.Fatal(err)
				}
			case 3:
				withPhone(t, s.Server, email, number).Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
			}
			for path, status := range map[string]int{"/v1/sign-up": http.StatusOK, "/v1/sign-in/phone": http.StatusAccepted} {
				c := s.Client(t, "")
				attempt := c.Do("POST", path, app.M{"phone": number}, "X-Forwarded-For", network(i)).Want(status).Text("attempt")
				c.Do("POST", "/v1/sign-in/code", app.M{"attempt": attempt, "code": "x"}).Want(http.StatusUnauthorized, "code_incorrect")
			}
		}
		s.Clock.Advance(2 * time.Hour)
		for _, way := range ways("phone") {
			t.Run(way.name, func(t *testing.T) { compare(t, s, "token", way, numbers) })
			s.Clock.Advance(2 * time.Hour)
		}
	})
}
