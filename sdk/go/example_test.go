package limenauth_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	limenauth "github.com/limenauth/limen/sdk/go"
)

// An API in front of which nobody stands without a token.
func Example() {
	a := limenauth.New("https://auth.example.com")

	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := limenauth.User(r.Context())
		fmt.Fprintf(w, "hello %s\n", u.Email)
	})

	mux := http.NewServeMux()
	mux.Handle("/api/", a.Require(api))
	log.Fatal(http.ListenAndServe("localhost:8080", mux))
}

// Routes with different needs.
func ExampleAuth_Require() {
	a := limenauth.New("https://auth.example.com")
	var reports, users, payout http.Handler

	mux := http.NewServeMux()
	mux.Handle("/reports/", a.Require(reports))
	mux.Handle("/users/", a.Require(users, limenauth.Role("admin", "support")))
	mux.Handle("POST /payout", a.Require(payout,
		limenauth.Fresh(10*time.Minute), // proved who they are a moment ago
		limenauth.MFA(),                 // with a second factor
		limenauth.Live(),                // and is still signed in as we speak
	))
}

// Ended sessions are refused within a second, at no cost per request.
func ExampleWithRevocationFeed() {
	a := limenauth.New("https://auth.example.com",
		limenauth.WithServerKey(os.Getenv("LIMEN_SERVER_KEY")),
		limenauth.WithRevocationFeed(limenauth.Deny),
		limenauth.WithFeedReport(func(s limenauth.FeedStatus) {
			log.Printf("revocation feed: stale %v, last contact %v", s.Stale, s.LastContact)
		}),
	)
	defer a.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.Start(ctx); err != nil {
		log.Fatal(err)
	}
}

// A server-rendered application on its own origin.
func ExampleAuth_Callback() {
	key, err := hex.DecodeString(os.Getenv("COOKIE_KEY")) // openssl rand -hex 32
	if err != nil {
		log.Fatal(err)
	}
	a := limenauth.New("https://auth.example.com",
		limenauth.WithAppURL("https://app.example.com"),
		limenauth.WithCookieKey(key),
	)
	home := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := limenauth.User(r.Context()); u != nil {
			fmt.Fprintf(w, `hello %s <form method="post" action="/sign-out"><button>Sign out</button></form>`, u.ID)
			return
		}
		fmt.Fprint(w, `<a href="/sign-in?return_to=/account">Sign in</a>`)
	})
	account := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "signed in since %v", limenauth.User(r.Context()).AuthenticatedAt)
	})

	mux := http.NewServeMux()
	mux.Handle("/{$}", a.Optional(home))
	mux.Handle("/account", a.Require(account))
	mux.Handle("/auth/callback", a.Callback())
	mux.HandleFunc("/sign-in", a.SignIn)
	mux.HandleFunc("/sign-out", a.SignOut)
}

// A token that came by another way, such as a WebSocket's first message.
func ExampleAuth_Verify() {
	a := limenauth.New("https://auth.example.com")

	u, err := a.Verify(context.Background(), "not a token", limenauth.Role("admin"))
	if p, ok := errors.AsType[*limenauth.Problem](err); ok {
		fmt.Println(u == nil, p.Status, p.Code)
	}
	// Output: true 401 unauthenticated
}
