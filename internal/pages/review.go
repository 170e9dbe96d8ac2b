package pages

import (
	"context"
	"errors"
	"net/http"

	"github.com/limenauth/limen/internal/account"
	"github.com/limenauth/limen/internal/auth"
	"github.com/limenauth/limen/internal/fault"
	"github.com/limenauth/limen/internal/secret"
	"github.com/limenauth/limen/internal/session"
	"github.com/limenauth/limen/internal/signin"
	"github.com/limenauth/limen/internal/web"
)

// reviewing is what follows a remedy: the contacts that it has left, and those that were
// removed lately.
func (p *Pages) reviewing() web.Table {
	return web.Table{
		{Pattern: "GET /recovery/review", Guard: web.Anyone, Limit: reading, Handle: p.asked(p.reviewForm)},
		{Pattern: "POST /recovery/review", Guard: web.Anyone, Limit: trying, Handle: p.posted(p.review)},
	}
}

// remedy undoes or reports what a message announced, and leads on to a new password.
func (p *Pages) remedy(purpose signin.Purpose, do func(context.Context, secret.Text, session.Browser) (auth.Remedied, error)) func(*web.Call, visit) error {
	return func(c *web.Call, v visit) error {
		out, err := do(c.R.Context(), tokenOf(c, v), v.from)
		switch {
		case err != nil:
			return p.linkOver(c, v, purpose, err)
		case out.Review != nil:
			return p.beginReview(c, v, *out.Review, out.Recovery)
		case out.Recovery != nil:
			return p.awaitRecovery(c, v, *out.Recovery, "secured", "1")
		}
		return p.showOver(c, http.StatusOK, v, purpose, Secured)
	}
}

// beginReview leads to the review of what a remedy has left, and from there to the code
// of the recovery that the remedy has begun, if there is one.
func (p *Pages) beginReview(c *web.Call, v visit, r auth.ReviewAttempt, recovery *auth.Verification) error {
	if err := c.KeepAttempt(r.Browser, r.ExpiresIn); err != nil {
		return err
	}
	more := []string{"attempt", r.Attempt.Reveal()}
	if recovery != nil {
		more = append(more, "recovery", recovery.Attempt.Reveal())
	}
	c.Redirect(v.to.link("/recovery/review", more...))
	return nil
}

func (p *Pages) reviewForm(c *web.Call, v visit) error {
	review, err := p.Auth.Review(c.R.Context(), secret.Text(v.values["attempt"]), v.from)
	return p.showReview(c, v, review, err)
}

// review removes or restores one contact.
func (p *Pages) review(c *web.Call, v visit) error {
	do := p.Auth.RemoveReviewed
	if v.values["restore"] != "" {
		do = p.Auth.RestoreReviewed
	}
	_, err := do(c.R.Context(), secret.Text(v.values["attempt"]), v.values["id"], v.from)
	if err != nil && !errors.Is(err, fault.ErrNotFound) { // gone already: the list says so
		return p.showReview(c, v, auth.Review{}, err)
	}
	c.Redirect(v.to.link("/recovery/review", "attempt", v.values["attempt"], "recovery", v.values["recovery"]))
	return nil
}

func (p *Pages) showReview(c *web.Call, v visit, review auth.Review, err error) error {
	next := v.to.link("/sign-in", "changed", "1")
	if v.values["recovery"] != "" {
		next = v.to.link("/recovery/code", "attempt", v.values["recovery"], "secured", "1")
	}
	if errors.Is(err, signin.ErrAttemptExpired) {
		c.Redirect(next) // its ten minutes are over
		return nil
	}
	if err != nil {
		return err
	}
	view := Review{Page: p.page(c), Left: reviewRows(review.Left), Removed: reviewRows(review.Removed), Next: next}
	view.Carry = append(v.to.carry(), Pair{"attempt", v.values["attempt"]}, Pair{"recovery", v.values["recovery"]})
	view.Path = v.to.link("/recovery/review", "attempt", v.values["attempt"], "recovery", v.values["recovery"])
	return p.show(c, http.StatusOK, view)
}

func reviewRows(all []account.Contact) []ReviewRow {
	rows := make([]ReviewRow, len(all))
	for i, c := range all {
		rows[i] = ReviewRow{ID: c.ID, Text: c.Address.Text}
	}
	return rows
}

// Review lists the contacts that a remedy has left, for its person to judge.
type Review struct {
	Page
	Left    []ReviewRow // can be used to sign in
	Removed []ReviewRow // were removed lately
	Next    string      // where the review leads on to
}

// ReviewRow is one contact.
type ReviewRow struct{ ID, Text string }

// Screen names the template.
func (Review) Screen() string { return "review" }
