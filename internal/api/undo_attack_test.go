package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/testkit/app"
)

// TestAnUndoBringsBackWhatItIsFor: also an address that is younger than the remedy's own
// limit, and the only address of an account that has a number as well, which was primary.
func TestAnUndoBringsBackWhatItIsFor(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		t.Run("recent", func(t *testing.T) {
			owner := signedIn(t, s, "first@example.com", "")
			s.Clock.Advance(time.Minute)
			id := proven(t, s, owner, "recent@example.com")
			proof := s.Look(t, "SELECT verified_at FROM email WHERE address = 'recent@example.com'")[0][0]
			s.Clock.Advance(time.Minute)
			owner.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusNoContent)
			s.Clock.Advance(time.Minute)
			out, err := s.Auth.UndoChange(t.Context(), letterAbout(t, s, "first@example.com", "removed"), elsewhere)
			if err != nil || out.Review == nil {
				t.Fatalf("%+v %v", out, err)
			}
			if back := s.Look(t, "SELECT verified_at FROM email WHERE address = 'recent@example.com'"); len(back) != 1 || back[0][0] != proof {
				t.Errorf("%v, and before %v", back, proof)
			}
			review, err := s.Auth.Review(t.Context(), out.Review.Attempt, elsewhere)
			if err != nil || len(review.Left) != 1 {
				t.Errorf("the page lists %+v, %v", review, err)
			}
		})
		t.Run("primary", func(t *testing.T) {
			owner := withPhone(t, s, "only@example.com", annsPhone)
			s.Clock.Advance(time.Minute)
			owner.Do("DELETE", "/v1/me/emails/"+idOf(t, owner, "/v1/me/emails", "only@example.com"), nil).Want(http.StatusNoContent)
			out, err := s.Auth.UndoChange(t.Context(), letterAbout(t, s, "only@example.com", "removed"), elsewhere)
			if err != nil {
				t.Fatal(err)
			}
			if got := addresses(recovered(t, s, out, "only@example.com")); got != "only@example.com*" {
				t.Error(got)
			}
		})
	})
}

// TestAReviewMakesPrimaryWhatIsAlone: a number makes the remedy, and the only address is
// put back on the page.
func TestAReviewMakesPrimaryWhatIsAlone(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		withPhone(t, s, "only@example.com", annsPhone)
		s.Clock.Advance(100 * time.Hour)
		owner := s.Client(t, "")
		owner.SignIn("only@example.com")
		id := idOf(t, owner, "/v1/me/emails", "only@example.com")
		owner.Do("DELETE", "/v1/me/emails/"+id, nil).Want(http.StatusNoContent)
		owner.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		out, err := s.Auth.NotMe(t.Context(), secret.Text(s.TokenFor(t, annsPhone)), elsewhere)
		if err != nil || out.Review == nil {
			t.Fatalf("%+v %v", out, err)
		}
		if _, err := s.Auth.RestoreReviewed(t.Context(), out.Review.Attempt, id, elsewhere); err != nil {
			t.Fatal(err)
		}
		if got := addresses(recovered(t, s, out, annsPhone)); got != "only@example.com*" {
			t.Error(got)
		}
	})
}

// TestAReviewGoesOnDuringTheGrace: a recovery does not cancel a deletion, and the page after
// it removes what the thief has left all the same.
func TestAReviewGoesOnDuringTheGrace(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := taken(t, s, "owner@example.com", "thief@example.com")
		thief.Do("DELETE", "/v1/me", nil).Want(http.StatusNoContent)
		s.Clock.Advance(73 * time.Hour) // what he verified is no suspect any more
		c := s.Client(t, "")
		c.Do("POST", "/v1/recovery", app.M{"email": "owner@example.com"}).Want(http.StatusAccepted)
		in := auth.Recovery{Token: secret.Text(s.TokenFor(t, "owner@example.com")), Password: newPassword}
		reviewed, err := s.Auth.ConfirmRecovery(t.Context(), in, elsewhere)
		if err != nil || reviewed == nil {
			t.Fatalf("%+v %v", reviewed, err)
		}
		review, err := s.Auth.Review(t.Context(), reviewed.Attempt, elsewhere)
		if err != nil || len(review.Left) != 2 {
			t.Fatalf("%+v %v", review, err)
		}
		for _, c := range review.Left {
			if _, err := s.Auth.RemoveReviewed(t.Context(), reviewed.Attempt, c.ID, elsewhere); err != nil {
				t.Error(err)
			}
		}
		lockedOut(t, s, thief, "thief@example.com")
	})
}

// TestAnUndoWorksWithoutWhatAnotherAccountHas: the thief removes his own address and verifies
// it in an account of his. The undo in the owner's message is the remedy all the same.
func TestAnUndoWorksWithoutWhatAnotherAccountHas(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := taken(t, s, "owner@example.com", "thief@example.com")
		thief.Do("DELETE", "/v1/me/emails/"+idOf(t, thief, "/v1/me/emails", "thief@example.com"), nil).Want(http.StatusNoContent)
		s.Clock.Advance(time.Second)
		own := signedIn(t, s, "thief@example.com", "")
		out, err := s.Auth.UndoChange(t.Context(), letterAbout(t, s, "owner@example.com", "removed"), elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		thief.Do("GET", "/v1/me", nil).Want(http.StatusUnauthorized)
		if got := addresses(recovered(t, s, out, "owner@example.com")); got != "owner@example.com*" {
			t.Error(got)
		}
		if got := addresses(own); got != "thief@example.com*" {
			t.Error(got)
		}
	})
}

// TestAJuniorRecoveryEndsNoReview: the thief's address is old enough to stay after the
// owner's remedy. He recovers with it before the owner has removed it on the page.
func TestAJuniorRecoveryEndsNoReview(t *testing.T) {
	app.Each(t, nil, func(t *testing.T, s *app.Server) {
		thief := taken(t, s, "owner@example.com", "thief@example.com")
		s.Clock.Advance(80 * time.Hour)
		thief = thief.Without()
		thief.SignIn("owner@example.com")
		proven(t, s, thief, "another@example.com")
		out, err := s.Auth.NotMe(t.Context(), letterAbout(t, s, "owner@example.com", "added"), elsewhere)
		if err != nil || out.Review == nil {
			t.Fatalf("%+v %v", out, err)
		}
		attempt := thief.Without().Do("POST", "/v1/recovery", app.M{"email": "thief@example.com"}).Want(http.StatusAccepted).Text("attempt")
		in := app.M{"attempt": attempt, "code": s.CodeFor(t, "thief@example.com"), "password": "one more good password"}
		thief.Without().Do("POST", "/v1/recovery/confirm", in).Want(http.StatusOK)
		review, err := s.Auth.Review(t.Context(), out.Review.Attempt, elsewhere)
		if err != nil || len(review.Left) != 2 {
			t.Fatalf("%+v %v", review, err)
		}
		for _, c := range review.Left {
			if _, err := s.Auth.RemoveReviewed(t.Context(), out.Review.Attempt, c.ID, elsewhere); err != nil {
				t.Error(err)
			}
		}
		lockedOut(t, s, thief, "thief@example.com")
	})
}
