package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/testkit/app"
)

// TestTheAccountPageTellsOfThePassword: when it was changed last, so that somebody whose
// password was changed by another notices.
func TestTheAccountPageTellsOfThePassword(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		s.Client(t, "").SignUp("told@example.com")
		s.Clock.Advance(50 * time.Hour)
		c := s.Client(t, "")
		c.Do("POST", "/sign-in", url.Values{"identifier": {"told@example.com"}, "password": {app.Password}}).Want(http.StatusSeeOther)
		page := c.Do("GET", "/account", nil).Want(http.StatusOK)
		if !strings.Contains(string(page.Body), "Last changed ") {
			t.Error("the page does not say when the password was changed")
		}
	})
}
